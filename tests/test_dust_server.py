"""The example server holds to the wire of the Dust Apps API."""

from __future__ import annotations

import http.client
import importlib.util
import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from jsonschema import Draft202012Validator, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER = Path(__file__).parent.parent / "example_suites" / "dust_server.py"
SCHEMA = json.loads(Path(__file__).with_name("wire.schema.json").read_text(encoding="utf-8"))

_spec = importlib.util.spec_from_file_location("dust_server", SERVER)
assert _spec is not None
assert _spec.loader is not None
dust_server = importlib.util.module_from_spec(_spec)
sys.modules["dust_server"] = dust_server  # dataclasses look their module up here
_spec.loader.exec_module(dust_server)

SUPPORT, SUMMARISE, HALVE, QUOTE = "9f1d3b5a7c", "51aa0c7e2d", "c0de0042aa", "7bad5eed01"
SKIPPED = {"value": None, "error": None, "meta": None}
INPUTS: dict[str, list[dict[str, Any]]] = {
    SUPPORT: [{"question": "Where is my refund?"}, {"question": "Good day!"}],
    SUMMARISE: [{"text": "The cat sat. The very old dog slept."}, {"text": "Rain."}],
    HALVE: [{"number": 40, "limit": 10}, {"number": 100, "limit": 10}, {"number": 3, "limit": 10}],
    QUOTE: [{"order": "3 apples"}, {"order": "a few apples"}],
}
each_app = pytest.mark.parametrize("app", INPUTS)


def hold(document: Any, definition: str) -> Any:
    """Return the document if the schema's definition holds for it."""
    schema = {"$ref": f"#/$defs/{definition}", "$defs": SCHEMA["$defs"]}
    Draft202012Validator(schema).validate(document)
    return document


class Api:
    """A plain client for one server; every answer is held to the schema."""

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
        basis = {"specification_hash": self.server.hash(app), "config": {}, "inputs": INPUTS[app]}
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
        run = self.post(app, **options)
        deadline = time.monotonic() + 5
        while run["status"]["run"] == "running":
            assert time.monotonic() < deadline
            run = self.get(app, run["run_id"])
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
def serving(**options: Any) -> Iterator[Api]:
    """Give a client for a server that runs as long."""
    with dust_server.DustServer(**options) as server:
        api = Api(server)
        with api.http:
            yield api


@pytest.fixture(scope="module")
def shared() -> Iterator[Api]:
    """Give one server for the tests that change nothing of it."""
    with serving() as api:
        yield api


@pytest.fixture
def api() -> Iterator[Api]:
    """Give a server of the test's own."""
    with serving() as api:
        yield api


def merge(traces: list[Any]) -> list[Any]:
    """Merge the per-iteration form of a loop, dropping the executions that were skipped."""
    rows: dict[tuple[str, str], list[Any]] = {}
    inside = False
    for (kind, name), executions in traces:
        inside = inside or kind == "while"
        kept = rows.setdefault((kind, name), [[] for _ in executions])
        for row, new in zip(kept, executions, strict=True):
            row.extend(one for one in new if not (inside and one == SKIPPED))
        inside = inside and kind != "end"
    return [[list(key), row] for key, row in rows.items()]


def trace_of(run: dict[str, Any], kind: str, name: str) -> list[Any]:
    """Return all executions of a block, one element per trace."""
    return [executions for block, executions in run["traces"] if block == [kind, name]]


def values(executions: list[Any]) -> list[Any]:
    """Return the bare values of executions."""
    return [[one["value"] for one in row] for row in executions]


def without_end(traces: list[Any]) -> list[Any]:
    """Leave out `end`, whose run and skipped executions look alike."""
    return [trace for trace in traces if trace[0][0] != "end"]


# flavours


@each_app
def test_flavours_agree(shared: Api, app: str) -> None:
    """Merged by block, the three flavours give the same executions, counts and status."""
    blocking, polled, events = shared.blocking(app), shared.polled(app), shared.events(app)
    told = [event["content"] for event in events if event["type"] == "block_execution"]
    streamed = [[[c["block_type"], c["block_name"]], c["execution"]] for c in told]
    assert streamed == blocking["traces"]
    assert without_end(merge(streamed)) == without_end(polled["traces"])
    assert polled["status"] == blocking["status"]
    assert events[-2]["content"]["status"] == blocking["status"]["run"]


@each_app
def test_stream_order(shared: Api, app: str) -> None:
    """A stream opens and closes with run_status, ends in final, and frames each block."""
    events = shared.events(app)
    kinds = [event["type"] for event in events]
    assert [kinds[0], *kinds[-2:]] == ["run_status", "run_status", "final"]
    assert events[0]["content"]["status"] == "running"
    framed = [kind for kind in kinds[1:-2] if kind != "tokens"]
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
    """A stream carries comment lines at its start and while a block takes its time."""
    monkeypatch.setattr(dust_server, "KEEP_ALIVE_SECONDS", 0.01)
    api.server.delay = 0.04
    text = api.http.post(api.path(QUOTE), json=api.body(QUOTE, stream=True)).text
    assert text.startswith(": ")
    assert text.count("\n: ") > 1


def test_stream_arrives_as_it_runs(api: Api) -> None:
    """The first event is there long before the run has ended."""
    api.server.delay = 0.1
    began = time.monotonic()
    with api.http.stream("POST", api.path(SUPPORT), json=api.body(SUPPORT, stream=True)) as answer:
        assert any("run_status" in line for line in answer.iter_lines())
        assert time.monotonic() - began < 0.3


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


def test_run_echoes_request(shared: Api) -> None:
    """A run carries the config, the hash that ran and its app, under an id of its own."""
    config = {"CLASSIFY": {"provider_id": "openai", "use_cache": False}}
    one, two = (shared.blocking(SUPPORT, config=config) for _ in range(2))
    assert one["config"] == {"blocks": config}
    assert (one["specification_hash"], one["app_id"]) == (shared.server.hash(SUPPORT), SUPPORT)
    assert one["run_id"] != two["run_id"]


# filter


def test_filter_cuts_traces_statuses_and_results(shared: Api) -> None:
    """With a filter, results are the executions of the last block that is left."""
    run = shared.blocking(SUPPORT, block_filter=["CLASSIFY", "INPUT"])
    assert [trace[0][1] for trace in run["traces"]] == ["INPUT", "CLASSIFY"]
    assert [block["name"] for block in run["status"]["blocks"]] == ["INPUT", "CLASSIFY"]
    assert values(run["results"]) == [[{"label": "billing"}], [{"label": "other"}]]


def test_filter_that_leaves_nothing(shared: Api) -> None:
    """A filter that fits no block leaves no traces and null results."""
    run = shared.blocking(SUPPORT, block_filter=["NONE"])
    assert (run["traces"], run["results"], run["status"]["run"]) == ([], None, "succeeded")


def test_filter_is_for_blocking_alone(shared: Api) -> None:
    """Streamed and polled runs come whole, whatever the filter."""
    names = {
        e["content"]["name"]
        for e in shared.events(QUOTE, block_filter=["INPUT"])
        if e["type"] == "block_status"
    }
    assert names == {"INPUT", "PARSE"}
    assert len(shared.polled(SUPPORT, block_filter=["INPUT"])["traces"]) == 4


# what the apps compute


def test_support_answers(shared: Api) -> None:
    """The label decides the policy, and the policy the answer."""
    results = values(shared.blocking(SUPPORT)["results"])
    assert results[0][0]["label"] == "billing"
    assert "refund" in results[0][0]["answer"]
    assert results[1][0]["label"] == "other"


def test_block_before_input_runs_once(shared: Api) -> None:
    """A block before `input` has one execution, later ones one per input."""
    run = shared.blocking(SUMMARISE)
    assert {t[0][1]: len(t[1]) for t in run["traces"]} == {
        "STOPWORDS": 1, "INPUT": 2, "SENTENCES": 2, "EACH": 2, "SUMMARY": 2, "JOIN": 2,
    }  # fmt: skip


def test_map_has_one_execution_per_element(shared: Api) -> None:
    """The map's value is its array; reduce is null; what is between runs per element."""
    run = shared.blocking(SUMMARISE)
    assert values(trace_of(run, "map", "EACH")[0])[1] == [["Rain"]]
    assert [len(row) for row in trace_of(run, "llm", "SUMMARY")[0]] == [2, 1]
    assert trace_of(run, "reduce", "EACH") == [[[SKIPPED], [SKIPPED]]]
    joined = {"summary": "cat sat; old dog slept", "sentences": 2}
    assert values(run["results"]) == [[joined], [{"summary": "Rain", "sentences": 1}]]


def test_map_over_nothing(shared: Api) -> None:
    """A map over an empty array leaves no executions inside it."""
    run = shared.blocking(SUMMARISE, inputs=[{"text": ""}])
    assert trace_of(run, "llm", "SUMMARY") == [[[]]]
    assert values(run["results"]) == [[{"summary": "", "sentences": 0}]]


def test_inputs_leave_a_loop_one_by_one(shared: Api) -> None:
    """An input whose condition is false is skipped, with the end, until all have left."""
    run = shared.blocking(HALVE)
    until = [[row[0] for row in values(one)] for one in trace_of(run, "while", "UNTIL")]
    halved = [[row[0] for row in values(one)] for one in trace_of(run, "code", "HALVE")]
    assert until == [
        [True, True, False], [True, True, None], [False, True, None],
        [None, True, None], [None, False, None],
    ]  # fmt: skip
    assert halved == [
        [20, 50, None], [10, 25, None], [None, 12, None], [None, 6, None], [None, None, None],
    ]  # fmt: skip
    assert trace_of(run, "code", "HALVE")[-1] == [[SKIPPED]] * 3
    assert len(trace_of(run, "end", "UNTIL")) == 5


def test_polled_loop_is_merged(shared: Api) -> None:
    """Polled, a loop is one trace per block: n+1 conditions, n iterations, none where it ended."""
    run = shared.polled(HALVE)
    assert values(trace_of(run, "code", "HALVE")[0]) == [[20, 10], [50, 25, 12, 6], []]
    assert [len(row) for row in trace_of(run, "while", "UNTIL")[0]] == [3, 5, 1]
    assert [len(row) for row in trace_of(run, "end", "UNTIL")[0]] == [2, 4, 0]
    assert values(run["results"]) == [
        [{"steps": 2, "number": 10}], [{"steps": 4, "number": 6}], [{"steps": 0, "number": 3}],
    ]  # fmt: skip


def test_single_input_that_ends_at_once(shared: Api) -> None:
    """A loop that never turns is traced once, all skipped, and the run goes on."""
    run = shared.blocking(HALVE, inputs=[{"number": 1, "limit": 5}])
    assert trace_of(run, "code", "HALVE") == [[[SKIPPED]]]
    assert values(run["results"]) == [[{"steps": 0, "number": 1}]]


def test_loop_stops_at_its_limit(shared: Api) -> None:
    """A loop gives false at max_iterations."""
    run = shared.blocking(HALVE, inputs=[{"number": 1000, "limit": 1}])
    assert values(run["results"]) == [[{"steps": 8, "number": 3}]]


def test_loop_counts_are_those_of_the_last_turn(shared: Api) -> None:
    """A block that runs again counts anew, and skipped executions do not count."""
    run = shared.blocking(HALVE)
    counts = {(b["block_type"], b["name"]): b["success_count"] for b in run["status"]["blocks"]}
    assert counts["while", "UNTIL"] == 1
    assert counts["code", "HALVE"] == 0
    assert counts["code", "REPORT"] == 3


def test_errored_run(shared: Api) -> None:
    """A failing block ends the run with HTTP 200: it is the last trace, and results are null."""
    run = shared.blocking(QUOTE)
    assert (run["status"]["run"], run["results"]) == ("errored", None)
    kind, executions = run["traces"][-1]
    assert kind == ["code", "PARSE"]
    assert executions[0][0]["value"] == {"item": "apple", "quantity": 3}
    assert executions[1][0]["error"] == 'invalid order: no quantity in "a few apples"'
    last = run["status"]["blocks"][-1]
    assert (last["status"], last["success_count"], last["error_count"]) == ("errored", 1, 1)


def test_input_without_its_fields_errs_in_a_block(shared: Api) -> None:
    """An input that a block cannot read is an errored run, not an HTTP error."""
    run = shared.blocking(SUPPORT, inputs=[{"q": 1}])
    assert "INPUT.question" in run["traces"][-1][1][0][0]["error"]


def test_usage_is_counted(shared: Api) -> None:
    """Every llm execution reports its tokens, and the model heeds the config."""
    run = shared.blocking(SUPPORT, config={"ANSWER": {"max_tokens": 3}})
    usage = run["results"][0][0]["meta"]["token_usage"]
    assert usage["completion_tokens"] == 3
    assert usage["prompt_tokens"] > 10


# versions


@each_app
def test_edited_version_differs_first_in_one_block(shared: Api, app: str) -> None:
    """The two versions differ in one block's spec, and outputs differ from that block on."""
    pairs = zip(dust_server.APPS[app].version("v1"), dust_server.APPS[app].version("v2"), strict=True)
    changed = [old.name for old, new in pairs if old.spec != new.spec]
    long = [{"text": "One two three four five six seven."}]
    inputs = long if app == SUMMARISE else INPUTS[app][:1]
    old, new = (
        shared.blocking(app, inputs=inputs, specification_hash=shared.server.hash(app, version))
        for version in ("v1", "v2")
    )
    moved = [a[0][1] for a, b in zip(old["traces"], new["traces"], strict=False) if a[1] != b[1]]
    assert changed == [dust_server.APPS[app].edit[0]]
    assert moved[0] == changed[0]


def test_edit_sends_refunds_to_shipping(shared: Api) -> None:
    """The edited support app takes a refund for shipping, and nothing else otherwise."""
    edited = shared.server.hash(SUPPORT, "v2")
    results = values(shared.blocking(SUPPORT, specification_hash=edited)["results"])
    assert [row[0]["label"] for row in results] == ["shipping", "other"]


def test_latest_follows_what_is_saved(api: Api) -> None:
    """`latest` runs the saved version, and the answer carries the hash that ran."""
    run = {}
    for save, version in ((api.server.save_edited, "v2"), (api.server.save_original, "v1")):
        save(SUPPORT)
        run = api.blocking(SUPPORT, specification_hash="latest")
        assert run["specification_hash"] == api.server.hash(SUPPORT, version)


def test_listing_follows_what_is_saved(api: Api) -> None:
    """The listing's specification is JSON in a string, and its saved run has the saved hash."""
    api.server.save_edited(HALVE)
    apps = hold(api.http.get(api.path()).json(), "apps_answer")["apps"]
    assert [app["sId"] for app in apps] == list(INPUTS)
    for app in apps:
        version = "v2" if app["sId"] == HALVE else "v1"
        blocks = hold(json.loads(app["savedSpecification"]), "specification")
        assert blocks == [b.saved() for b in dust_server.APPS[app["sId"]].version(version)]
        saved = api.get(app["sId"], app["savedRun"])
        assert saved["specification_hash"] == api.server.hash(app["sId"], version)
        assert saved["status"]["run"] == "succeeded"


def test_drift_changes_answers_under_the_same_hash(api: Api) -> None:
    """A newer model calls refunds shipping until it is taken back."""
    before = api.blocking(SUPPORT)
    api.server.drift()
    during = api.blocking(SUPPORT)
    api.server.undrift()
    assert api.blocking(SUPPORT)["traces"] == before["traces"]
    assert during["specification_hash"] == before["specification_hash"]
    assert during["results"][0][0]["value"]["label"] == "shipping"
    assert during["results"][1] == before["results"][1]


def test_drift_of_one_block(api: Api) -> None:
    """A drift can be held to one llm block."""
    before = api.blocking(SUPPORT)
    api.server.drift("ANSWER")
    traces = zip(before["traces"], api.blocking(SUPPORT)["traces"], strict=True)
    assert [old[0][1] for old, new in traces if old != new] == ["ANSWER"]


# refusals


def test_unknown_hash(shared: Api) -> None:
    """An unknown hash is a 500 blocking, an error event streamed, and a 400 otherwise."""
    unknown = {"specification_hash": "0" * 64}
    events = shared.events(SUPPORT, **unknown)
    assert [event["type"] for event in events] == ["error", "final"]
    assert events[0]["content"]["code"] == "specification_not_found"
    refused = [
        shared.refused(shared.http.post(shared.path(SUPPORT), json=shared.body(SUPPORT, **body)))
        for body in ({**unknown, "blocking": True}, unknown)
    ]
    assert refused == [(500, "internal_server_error"), (400, "run_error")]


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        (None, "not_authenticated"),
        ("sk-example-key", "malformed_authorization_header_error"),
        ("Basic sk-example-key", "malformed_authorization_header_error"),
        ("Bearer sk-other", "invalid_api_key_error"),
    ],
)
def test_keys(shared: Api, header: str | None, kind: str) -> None:
    """A missing, malformed or wrong key is a 401 of its own type, on every operation."""
    headers = {} if header is None else {"Authorization": header}
    url = shared.server.base_url
    for method, path in (
        ("GET", shared.path()),
        ("POST", shared.path(QUOTE)),
        ("GET", shared.path(QUOTE, "0")),
    ):
        answer = httpx.request(method, url + path, headers=headers, trust_env=False)
        assert shared.refused(answer) == (401, kind)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/w/w_none/spaces/vlt_example/apps", (404, "workspace_not_found")),
        ("GET", "/api/v1/w/w_example/spaces/none/apps", (404, "space_not_found")),
        ("POST", "/api/v1/w/w_example/spaces/vlt_example/apps/0/runs", (404, "app_not_found")),
        ("GET", "/api/v1/w/w_example/spaces/vlt_example/apps/0/runs/0", (404, "app_not_found")),
        ("GET", f"/api/v1/w/w_example/spaces/vlt_example/apps/{QUOTE}/runs/0", (400, "run_error")),
        ("POST", "/api/v1/w/w_example/spaces/vlt_example/apps",
         (405, "method_not_supported_error")),
        ("GET", f"/api/v1/w/w_example/spaces/vlt_example/apps/{QUOTE}/runs",
         (405, "method_not_supported_error")),
        ("DELETE", f"/api/v1/w/w_example/spaces/vlt_example/apps/{QUOTE}/runs/0",
         (405, "method_not_supported_error")),
        ("GET", "/api/v1/elsewhere", (404, "invalid_request_error")),
    ],
)  # fmt: skip
def test_places_and_methods(shared: Api, method: str, path: str, expected: tuple[int, str]) -> None:
    """An unknown place is a 404 of its own type, a wrong method a 405, an unknown run a 400."""
    assert shared.refused(shared.http.request(method, path)) == expected


def test_run_of_another_app_is_unknown(shared: Api) -> None:
    """A run is found under its own app alone."""
    run = shared.blocking(SUPPORT)["run_id"]
    assert shared.refused(shared.http.get(shared.path(QUOTE, run))) == (400, "run_error")


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b'"text"', b"{}",
        b'{"specification_hash": "latest", "config": {}}',
        b'{"specification_hash": 1, "config": {}, "inputs": []}',
        b'{"specification_hash": "latest", "config": [], "inputs": []}',
        b'{"specification_hash": "latest", "config": {}, "inputs": {}}',
        b'{"specification_hash": "latest", "config": {}, "inputs": [1]}',
        b'{"specification_hash": "latest", "config": {}, "inputs": [], "stream": "yes"}',
    ],
)  # fmt: skip
def test_bad_bodies(shared: Api, content: bytes) -> None:
    """A body that is no JSON, lacks a field or has one of a wrong type is a 400."""
    answer = shared.http.post(shared.path(SUPPORT), content=content)
    assert shared.refused(answer) == (400, "invalid_request_error")


def test_body_limit(shared: Api) -> None:
    """A body over 4 MB is a 413, and the connection lives on."""
    big = {"question": "x" * (4 * 1024 * 1024)}
    answer = shared.http.post(shared.path(SUPPORT), json=shared.body(SUPPORT, inputs=[big]))
    assert shared.refused(answer) == (413, "content_too_large")
    assert shared.http.get(shared.path()).status_code == 200


# the server itself


def test_requests_are_recorded(api: Api) -> None:
    """Tests can see what was sent: method, path, headers and decoded body."""
    api.blocking(SUPPORT)
    (request,) = api.server.requests
    assert (request.method, request.path) == ("POST", api.path(SUPPORT))
    assert request.headers["authorization"] == "Bearer sk-example-key"
    assert request.body == api.body(SUPPORT, blocking=True)


def test_connection_is_kept(shared: Api) -> None:
    """Several requests, a stream among them, go over one connection."""
    wire = http.client.HTTPConnection("127.0.0.1", shared.server.port)
    headers = {"Authorization": f"Bearer {shared.server.api_key}"}
    wire.connect()
    sock = wire.sock
    for options in ({"stream": True}, {"blocking": True}):
        wire.request("POST", shared.path(QUOTE), json.dumps(shared.body(QUOTE, **options)), headers)
        assert wire.getresponse().read()
        assert wire.sock is sock
    wire.close()


def test_stop_is_prompt_with_an_open_stream() -> None:
    """Stopping breaks off streams at once, and the server can be started again."""
    with serving(delay=30) as api:
        with api.http.stream("POST", api.path(QUOTE), json=api.body(QUOTE, stream=True)) as answer:
            began = time.monotonic()
            api.server.stop()
            assert time.monotonic() - began < 1
            with pytest.raises(httpx.HTTPError):
                answer.read()
        api.server.start()
        assert api.http.get(api.path()).status_code == 200


def test_own_names() -> None:
    """Key, workspace and space are the constructor's."""
    names = {"api_key": "sk-x", "workspace": "w_x", "space": "vlt_x"}
    with serving(**names) as api:
        assert api.http.get(api.path()).status_code == 200


def test_command_line() -> None:
    """The command prints exports and hashes, serves, and ends quietly at Ctrl-C."""
    command = [sys.executable, str(SERVER), "--port", "0", "--edited", SUPPORT, "--drift"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        exports = process.stdout.readline().split()
        names = dict(part.split("=", 1) for part in exports[1:])
        assert exports[0] == "export"
        assert names["DUST_API_KEY"] == "sk-example-key"
        url = f"{names['DUST_BASE_URL']}/api/v1/w/w_example/spaces/vlt_example/apps"
        headers = {"Authorization": "Bearer sk-example-key"}
        answer = httpx.get(url, headers=headers, trust_env=False)
        assert "shipping: refund" in answer.json()["apps"][0]["savedSpecification"]
        process.send_signal(signal.SIGINT)
        out, err = process.stdout.read(), process.stderr.read()
    assert dust_server.DustServer().hash(SUPPORT) in out
    assert (process.returncode, err) == (0, "")


def test_many_at_once(api: Api) -> None:
    """Runs that go on at the same time do not mix."""
    api.server.delay = 0.01
    numbers = range(100, 140)
    with ThreadPoolExecutor(len(numbers)) as pool:
        inputs = ([{"number": number, "limit": 1000}] for number in numbers)
        runs = list(pool.map(lambda given: api.blocking(HALVE, inputs=given), inputs))
    assert [run["results"][0][0]["value"]["number"] for run in runs] == list(numbers)


def test_published_shape_has_a_definition_of_its_own() -> None:
    """A run shaped as published holds to published_run, and is no run as users get it."""
    published = {
        "run_id": "4a2c6e8b0d",
        "status": {"run": "succeeded", "build": "succeeded"},
        "results": {},
        "traces": [[{"timestamp": 1234567890, "trace": {}}]],
    }
    hold(published, "published_run")
    with pytest.raises(ValidationError):
        hold(published, "run")


def test_schema_is_a_schema() -> None:
    """The schema of the wire is itself valid."""
    Draft202012Validator.check_schema(SCHEMA)
