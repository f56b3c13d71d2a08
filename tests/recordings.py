"""A recording as tests write and read it."""

from __future__ import annotations

from pytest_dust.cassettes import binding
from pytest_dust.cassettes import format as cassette
from pytest_dust.cassettes.format import Cassette
from pytest_dust.model import App, Change, Exchange, Flavor, Reply, RunRequest

AT = "2026-11-02T10:00:00Z"
REQUEST = RunRequest(
    app=App("w_example", "vlt_example", "9f1d3b5a7c"),
    specification_hash="8c0a4e6d",
    config={"CLASSIFY": {"model_id": "gpt-4o", "temperature": 1}},
    inputs=[{"question": "Where is my refund?"}, {"question": "Hi"}],
    block_filter=None,
)
EXCHANGE = Exchange(
    method="POST",
    path="/api/v1/w/w_example/spaces/vlt_example/apps/9f1d3b5a7c/runs",
    status=200,
    headers={"content-type": "application/json"},
    body={"run": {"run_id": "r1", "traces": []}},
)
REPLY = Reply(Flavor.BLOCKING, (EXCHANGE,), 3.25)


def loaded(request: RunRequest = REQUEST, reply: Reply = REPLY) -> Cassette:
    """Give a recording as it is read back."""
    return cassette.loads(written(request, reply))


def written(request: RunRequest = REQUEST, reply: Reply = REPLY) -> bytes:
    """Give a recording's bytes."""
    return cassette.dumps(binding.bound(request), [reply], AT)


def moved(found: Cassette, request: RunRequest) -> tuple[Change, ...]:
    """Give what of a request is not as recorded."""
    return binding.moved(found, binding.bound(request))
