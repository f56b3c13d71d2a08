"""A client for the local Dust that checks every answer against the JSON Schema of Dust's API."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from example_suites.dust_server import APPS, DustServer

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = json.loads(Path(__file__).with_name("wire.schema.json").read_text(encoding="utf-8"))
SUPPORT, SUMMARISE, HALVE, QUOTE = "9f1d3b5a7c", "51aa0c7e2d", "c0de0042aa", "7bad5eed01"
TRACK, TRIAGE = "fade0ff1ce", "0dd5ba11ed"
"""The apps of the server; TRACK and TRIAGE have values that are new in every run."""
SKIPPED = {"value": None, "error": None, "meta": None}
INPUTS: dict[str, list[dict[str, Any]]] = {
    SUPPORT: [{"question": "Where is my refund?"}, {"question": "Good day!"}],
    SUMMARISE: [{"text": "The cat sat. The very old dog slept."}, {"text": "Rain."}],
    HALVE: [{"number": 40, "limit": 10}, {"number": 100, "limit": 10}, {"number": 3, "limit": 10}],
    QUOTE: [{"order": "3 apples"}, {"order": "a few apples"}],
    TRACK: [{"parcel": "PX-1041"}, {"parcel": "PX-1"}],
    TRIAGE: [{"question": "Where is my refund?"}, {"question": "Good day!"}],
}
each_app = pytest.mark.parametrize("app", INPUTS)
each_steady_app = pytest.mark.parametrize("app", [app for app in INPUTS if app not in (TRACK, TRIAGE)])


def hold(document: Any, definition: str) -> Any:
    """Return the document; raise ValidationError if it does not have the shape that the schema defines."""
    schema = {"$ref": f"#/$defs/{definition}", "$defs": SCHEMA["$defs"]}
    Draft202012Validator(schema).validate(document)
    return document


class Api:
    """A plain client for one server; it checks every answer against the schema."""

    def __init__(self, server: Any) -> None:
        """Open a client with the server's key."""
        self.server = server
        headers = {"Authorization": f"Bearer {server.api_key}"}
        self.http = httpx.Client(base_url=server.base_url, headers=headers, trust_env=False)

    def path(self, app: str = "", run: str = "") -> str:
        """Return the path of the app list, an app's runs, or a run."""
        root = f"/api/v1/w/{self.server.workspace}/spaces/{self.server.space}/apps"
        return root + (f"/{app}/runs" if app else "") + (f"/{run}" if run else "")

    def body(self, app: str, **options: Any) -> dict[str, Any]:
        """Return a create-run body for the app's original version and usual inputs."""
        config = APPS[app].config
        basis = {"specification_hash": self.server.hash(app), "config": config, "inputs": INPUTS[app]}
        body: dict[str, Any] = hold({**basis, **options}, "create_run_body")
        return body

    def post(self, app: str, **options: Any) -> dict[str, Any]:
        """Create a run and return it as answered."""
        answer = self.http.post(self.path(app), json=self.body(app, **options))
        assert answer.status_code == 200
        run: dict[str, Any] = hold(answer.json(), "run_answer")["run"]
        return run

    def blocking(self, app: str, **options: Any) -> dict[str, Any]:
        """Create a run and return it once ended."""
        return self.post(app, blocking=True, **options)

    def get(self, app: str, run: str) -> dict[str, Any]:
        """Fetch a run."""
        answer = self.http.get(self.path(app, run)).raise_for_status()
        fetched: dict[str, Any] = hold(answer.json(), "run_answer")["run"]
        return fetched

    def polled(self, app: str, **options: Any) -> dict[str, Any]:
        """Create a run without waiting, and fetch it until it has ended."""
        return self.ended(app, self.post(app, **options)["run_id"])

    def ended(self, app: str, run_id: str) -> dict[str, Any]:
        """Fetch a run until it has ended."""
        deadline = time.monotonic() + 5
        while (run := self.get(app, run_id))["status"]["run"] == "running":
            assert time.monotonic() < deadline
        return run

    def events(self, app: str, **options: Any) -> list[dict[str, Any]]:
        """Create a streamed run and return its events."""
        body = self.body(app, stream=True, **options)
        answer = self.http.post(self.path(app), json=body)
        assert answer.headers["content-type"] == "text/event-stream"
        frames = [frame for frame in answer.text.split("\n\n") if frame.startswith("data: ")]
        return [hold(json.loads(frame[6:]), "event") for frame in frames]

    def refused(self, answer: httpx.Response) -> tuple[int, str]:
        """Return the status and the type of an error answer."""
        error = hold(answer.json(), "error")["error"]
        assert set(error) == {"type", "message"}
        return answer.status_code, error["type"]


@contextmanager
def serving(server_class: type[DustServer] = DustServer, **options: Any) -> Iterator[Api]:
    """Start a server, and give a client for it."""
    with server_class(**options) as server:
        api = Api(server)
        with api.http:
            yield api


@pytest.fixture(scope="module")
def shared() -> Iterator[Api]:
    """A client for a server that no test changes."""
    with serving() as api:
        yield api


@pytest.fixture
def api() -> Iterator[Api]:
    """A client for a server of this test alone."""
    with serving() as api:
        yield api


def trace_of(run: dict[str, Any], kind: str, name: str) -> list[Any]:
    """Return all executions of a block, one element per trace."""
    return [executions for block, executions in run["traces"] if block == [kind, name]]


def values(executions: list[Any]) -> list[Any]:
    """Return the bare values of executions."""
    return [[one["value"] for one in row] for row in executions]
