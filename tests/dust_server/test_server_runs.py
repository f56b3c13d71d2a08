"""A run in progress can be followed, as a stream or by polling."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from dust_api import HALVE, QUOTE, SUMMARISE, SUPPORT, Api, api, each_app, shared

from example_suites.dust_server import runs

if TYPE_CHECKING:
    import pytest


@each_app
def test_stream_order(shared: Api, app: str) -> None:
    """A stream opens and closes with run_status, ends in final, and frames each block."""
    events = shared.events(app)
    kinds = [event["type"] for event in events]
    assert [kinds[0], *kinds[-2:]] == ["run_status", "run_status", "final"]
    assert events[0]["content"]["status"] == "running"
    framed = [kind for kind in kinds[1:-2] if kind not in ("tokens", "function_call")]
    assert framed == ["block_status", "block_execution", "block_status"] * (len(framed) // 3)
    rows = [event["content"]["status"] for event in events if event["type"] == "block_status"]
    assert set(rows[::2]) == {"running"}
    assert "running" not in rows[1::2]


def test_tokens_spell_the_completion(shared: Api) -> None:
    """The tokens events of an input and iteration join to the text of the execution."""
    told = [event["content"] for event in shared.events(SUMMARISE) if event["type"] == "tokens"]
    second = [c["tokens"]["text"] for c in told if c["map"] == {"name": "EACH", "iteration": 1}]
    assert "".join(second) == "old dog slept"
    assert {c["input_index"] for c in told} == {0, 1}


def test_stream_keeps_alive(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream carries comment lines at its start and while a slow block runs."""
    monkeypatch.setattr(runs, "KEEP_ALIVE_SECONDS", 0.01)
    api.server.delay = 0.04
    text = api.http.post(api.path(QUOTE), json=api.body(QUOTE, stream=True)).text
    assert text.startswith(": ")
    assert text.count("\n: ") > 1


def test_stream_arrives_as_it_runs(api: Api) -> None:
    """The first event is there long before the run has ended."""
    api.server.delay = 1.0  # for each of four blocks
    began = time.monotonic()
    with api.http.stream("POST", api.path(SUPPORT), json=api.body(SUPPORT, stream=True)) as answer:
        assert any("run_status" in line for line in answer.iter_lines())
        assert time.monotonic() - began < 3


def test_polling_goes_from_running_to_ended(api: Api) -> None:
    """A non-blocking run is answered at once as running, grows, and ends with results."""
    api.server.delay = 0.03
    first = api.post(SUPPORT)
    assert first["status"] == {"run": "running", "blocks": []}
    assert first["results"] is None
    seen: list[dict[str, Any]] = []
    while not seen or seen[-1]["status"]["run"] == "running":
        seen.append(api.get(SUPPORT, first["run_id"]))
    assert len({len(run["traces"]) for run in seen}) > 2
    assert seen[0]["status"]["run"] == "running"
    assert seen[-1]["results"] == seen[-1]["traces"][-1][1]


def test_stream_wins_over_blocking(shared: Api) -> None:
    """With both flags the answer is a stream."""
    assert shared.events(QUOTE, blocking=True)[-1]["type"] == "final"


def test_many_at_once(api: Api) -> None:
    """Runs that go on at the same time do not mix."""
    api.server.delay = 0.01
    numbers = range(100, 140)
    with ThreadPoolExecutor(len(numbers)) as pool:
        inputs = ([{"number": number, "limit": 1000}] for number in numbers)
        runs = list(pool.map(lambda given: api.blocking(HALVE, inputs=given), inputs))
    assert [run["results"][0][0]["value"]["number"] for run in runs] == list(numbers)
