"""The example server holds to the wire of the Dust Apps API."""

from __future__ import annotations

import http.client
import importlib.util
import json
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from jsonschema import Draft202012Validator, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER = Path(__file__).parents[2] / "example_suites" / "dust_server" / "server.py"
SCHEMA = json.loads(Path(__file__).with_name("wire.schema.json").read_text(encoding="utf-8"))

_spec = importlib.util.spec_from_file_location("dust_server", SERVER)
assert _spec is not None
assert _spec.loader is not None
dust_server = importlib.util.module_from_spec(_spec)
sys.modules["dust_server"] = dust_server  # dataclasses look their module up here
_spec.loader.exec_module(dust_server)

SUPPORT, SUMMARISE, HALVE, QUOTE = "9f1d3b5a7c", "51aa0c7e2d", "c0de0042aa", "7bad5eed01"
TRACK = "fade0ff1ce"
SKIPPED = {"value": None, "error": None, "meta": None}
INPUTS: dict[str, list[dict[str, Any]]] = {
    SUPPORT: [{"question": "Where is my refund?"}, {"question": "Good day!"}],
    SUMMARISE: [{"text": "The cat sat. The very old dog slept."}, {"text": "Rain."}],
    HALVE: [{"number": 40, "limit": 10}, {"number": 100, "limit": 10}, {"number": 3, "limit": 10}],
    QUOTE: [{"order": "3 apples"}, {"order": "a few apples"}],
    TRACK: [{"parcel": "PX-1041"}, {"parcel": "PX-1"}],
}
each_app = pytest.mark.parametrize("app", INPUTS)
each_steady_app = pytest.mark.parametrize("app", [app for app in INPUTS if app != TRACK])
"""TRACK has values that are new in every run."""


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
        config = dust_server.APPS[app].config
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
    """Merge the per-iteration form of a loop, dropping what was skipped, as no row is stored for it."""
    rows: dict[tuple[str, str], list[Any]] = {}
    inside = False
    for (kind, name), executions in traces:
        inside = inside or kind == "while"
        kept = rows.setdefault((kind, name), [[] for _ in executions])
        for row, new in zip(kept, executions, strict=True):
            row.extend(one for one in new if not (inside and one == SKIPPED))
        inside = inside and kind != "end"
    for kept in rows.values():
        while kept and not kept[-1]:
            kept.pop()
    return [[list(key), kept] for key, kept in rows.items() if kept]


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


@each_steady_app
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
    """A stream carries comment lines at its start and while a block takes its time."""
    monkeypatch.setattr(dust_server, "KEEP_ALIVE_SECONDS", 0.01)
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


def test_run_echoes_request(shared: Api) -> None:
    """A run carries the config, the hash that ran and its app, under an id of its own."""
    config = {**dust_server.APPS[SUPPORT].config, "NOTE": {"a": 1}}
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
    assert [row[0]["completion"]["text"] for row in values(run["results"])] == ["billing", "other"]


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


@pytest.mark.parametrize("texts", [[""], ["Rain.", ""]])
def test_map_over_nothing_crashes_the_run(api: Api, texts: list[str]) -> None:
    """A map over an empty array, of any input, ends the run at its `reduce`, `running` for ever."""
    inputs = [{"text": text} for text in texts]
    run = api.blocking(SUMMARISE, inputs=inputs)
    assert (run["status"]["run"], run["results"]) == ("running", None)
    names = ["STOPWORDS", "INPUT", "SENTENCES", "EACH", "SUMMARY"]
    assert [block["name"] for block in run["status"]["blocks"]] == names
    assert {block["status"] for block in run["status"]["blocks"]} == {"succeeded"}
    assert api.get(SUMMARISE, run["run_id"])["status"]["run"] == "running"
    events = api.events(SUMMARISE, inputs=inputs)
    assert [one["content"]["status"] for one in events if one["type"] == "run_status"] == ["running"]
    assert events[-1]["type"] == "final"


@pytest.mark.parametrize(("count", "status"), [(64, "succeeded"), (65, "errored")])
def test_map_has_a_largest_size(shared: Api, count: int, status: str) -> None:
    """A map over more than 64 elements is an error of the map block."""
    run = shared.blocking(SUMMARISE, inputs=[{"text": "Rain. " * count}])
    assert run["status"]["run"] == status
    if status == "errored":
        assert run["traces"][-1][0] == ["map", "EACH"]
        assert "exceeds maximum size (64)" in run["traces"][-1][1][0][0]["error"]


@pytest.mark.parametrize("most", [31, 32])
def test_while_has_a_largest_number_of_iterations(most: int) -> None:
    """A `while` whose max_iterations is 32 or more is refused by the engine."""
    app = dust_server.APPS[HALVE]
    blocks = [
        replace(block, spec={**block.spec, "max_iterations": most}) if block.type == "while" else block
        for block in app.blocks
    ]
    inputs = [{"number": 2**40, "limit": 0}]
    if most == 32:
        with pytest.raises(dust_server.EngineRefusalError, match="max_iterations"):
            dust_server.Machine(blocks, inputs, {}, ())
        return
    *_, last = dust_server.Machine(blocks, inputs, {}, ()).steps()
    assert last.executions[0][0]["value"]["steps"] == 31


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
    run = shared.polled(HALVE, inputs=[*INPUTS[HALVE][::-1], INPUTS[HALVE][-1]])
    assert values(trace_of(run, "code", "HALVE")[0]) == [[], [50, 25, 12, 6], [20, 10]]
    assert [len(row) for row in trace_of(run, "while", "UNTIL")[0]] == [1, 5, 3, 1]
    assert [len(row) for row in trace_of(run, "end", "UNTIL")[0]] == [0, 4, 2]
    assert [row[0]["steps"] for row in values(run["results"])] == [0, 4, 2, 0]


def test_polled_run_has_only_what_was_executed(shared: Api) -> None:
    """A loop that never turns leaves no trace of its blocks in a polled run; their statuses are there."""
    run = shared.polled(HALVE, inputs=[{"number": 1, "limit": 5}] * 2)
    assert [block for block, _ in run["traces"]] == [
        ["input", "INPUT"], ["while", "UNTIL"], ["code", "REPORT"],
    ]  # fmt: skip
    assert [block["name"] for block in run["status"]["blocks"]] == [
        "INPUT", "UNTIL", "HALVE", "UNTIL", "REPORT",
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
    config = {"SUMMARY": {**dust_server.MODEL_CONFIG, "max_tokens": 2}}
    run = shared.blocking(SUMMARISE, config=config)
    (summaries,) = trace_of(run, "llm", "SUMMARY")
    usage = summaries[0][1]["meta"]["token_usage"]
    assert usage["completion_tokens"] == 2
    assert usage["prompt_tokens"] > 10
    metas = [one["meta"] for (kind, _), rows in run["traces"] if kind != "llm" for row in rows for one in row]
    assert not any("token_usage" in meta for meta in metas if meta)


# the shapes of values


@each_app
def test_values_have_the_shape_of_their_blocks(shared: Api, app: str) -> None:
    """What a block gives has the shape that blocks of its type have at Dust."""
    shaped = {name.removeprefix("value_") for name in SCHEMA["$defs"] if name.startswith("value_")}
    for (kind, _), rows in shared.blocking(app)["traces"]:
        for one in (one for row in rows for one in row if one["value"] is not None and kind in shaped):
            hold(one["value"], f"value_{kind}")


def test_the_apps_have_every_shape() -> None:
    """Among the apps there is a block of each type whose values have a shape of their own."""
    kinds = {block.type for app in dust_server.APPS.values() for block in app.blocks}
    assert {f"value_{kind}" for kind in kinds} >= {name for name in SCHEMA["$defs"] if "value_" in name}


def test_some_values_are_new_in_every_run(shared: Api) -> None:
    """Times, cookies and ids of curl, search and chat blocks differ from run to run; the answer does not."""
    one, two = (shared.blocking(TRACK, inputs=[{"parcel": "PX-1"}]) for _ in range(2))
    pairs = zip(one["traces"], two["traces"], strict=True)
    assert {"TRACK", "NEWS", "REPLY"} <= {old[0][1] for old, new in pairs if old[1] != new[1]}
    assert one["results"] == two["results"]
    for run in (one, two):
        headers = trace_of(run, "curl", "TRACK")[0][0][0]["value"]["headers"]
        assert {"date", "set-cookie"} <= set(headers)
    calls = [trace_of(run, "chat", "REPLY")[0][0][0]["value"]["message"] for run in (one, two)]
    assert [[call["name"] for call in each["function_calls"]] for each in calls] == [["send_mail"]] * 2
    assert calls[0]["function_calls"][0]["id"] != calls[1]["function_calls"][0]["id"]


def test_scores_move_if_told_to(api: Api) -> None:
    """The scores of a data source differ from run to run within a bound, and alike for the same seed."""

    def scores() -> list[float]:
        runs = [api.blocking(SUPPORT, inputs=INPUTS[SUPPORT][:1]) for _ in range(4)]
        return [
            trace_of(run, "data_source", "LOOKUP")[0][0][0]["value"][0]["chunks"][0]["score"] for run in runs
        ]

    still = scores()
    assert len(set(still)) == 1
    api.server.move_scores(0.001, seed=7)
    moved = scores()
    assert len(set(moved)) == 4
    assert all(0 < abs(score - still[0]) <= 0.001 for score in moved)
    api.server.move_scores(0.001, seed=7)
    assert scores() == moved
    api.server.behave()
    assert scores() == still


CONFIG_ERRORS = [
    (SUPPORT, "CLASSIFY", None, "Missing configuration for llm block `CLASSIFY`"),
    (SUPPORT, "CLASSIFY", {"provider_id": "openai"}, "Missing `model_id` in configuration for llm"),
    (SUPPORT, "CLASSIFY", {"provider_id": 1, "model_id": "m"}, "Invalid `provider_id` in configuration"),
    (SUPPORT, "LOOKUP", None, "Invalid or missing `data_sources` in configuration"),
    (SUPPORT, "LOOKUP", {"data_sources": {}}, "Invalid or missing `data_sources` in configuration"),
    (SUPPORT, "LOOKUP", {"data_sources": [{"id": "x"}]}, "Invalid or missing `data_sources`"),
    (SUPPORT, "LOOKUP", {"data_sources": [{"data_source_id": "x"}]}, "Data source `x` not found"),
    (TRACK, "NEWS", None, "Missing configuration for search block `NEWS`"),
    (TRACK, "NEWS", {"use_cache": False}, "Missing `provider_id` in configuration for search block"),
    (TRACK, "SCANS", None, "Invalid or missing `tables` in configuration"),
    (TRACK, "SCANS", {"tables": [{"table_id": "t"}]}, "Invalid or missing `tables` in configuration"),
    (TRACK, "REPLY", None, "Missing configuration for chat block `REPLY`"),
    (TRACK, "REPLY", {"model_id": "m"}, "Missing `provider_id` in configuration for chat block"),
]


@pytest.mark.parametrize(("app", "block", "config", "told"), CONFIG_ERRORS)
def test_a_block_without_its_config_errs(shared: Api, app: str, block: str, config: Any, told: str) -> None:
    """A block that needs config and does not get it is the last one of a run that erred."""
    whole = dict(dust_server.APPS[app].config)
    given = {name: own for name, own in {**whole, block: config}.items() if own is not None}
    run = shared.blocking(app, config=given)
    assert run["status"]["run"] == "errored"
    assert run["traces"][-1][0][1] == block
    assert told in run["traces"][-1][1][0][0]["error"]


@pytest.mark.parametrize("block", ["TRACK", "NOTICE"])
def test_curl_and_browser_run_without_config(shared: Api, block: str) -> None:
    """A curl and a browser block need no config."""
    config = {name: own for name, own in dust_server.APPS[TRACK].config.items() if name != block}
    assert shared.blocking(TRACK, config=config)["status"]["run"] == "succeeded"


# versions


@each_steady_app
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
        assert [(b["name"], b["spec"]) for b in blocks] == [
            (b.name, b.spec) for b in dust_server.APPS[app["sId"]].version(version)
        ]
        saved = api.get(app["sId"], app["savedRun"])
        assert saved["specification_hash"] == api.server.hash(app["sId"], version)
        assert saved["status"]["run"] == "succeeded"


def saved_state(api: Api, app: str = SUPPORT) -> tuple[str, str | None, str]:
    """Return the versions of the saved blocks, of the saved run (None if deleted), and of `latest`."""
    listed = next(one for one in api.http.get(api.path()).json()["apps"] if one["sId"] == app)
    specs = [(block["name"], block["spec"]) for block in json.loads(listed["savedSpecification"])]
    versions = {
        name: [(block.name, dict(block.spec)) for block in dust_server.APPS[app].version(name)]
        for name in ("v1", "v2")
    }
    saved = next(name for name, blocks in versions.items() if blocks == specs)
    run = api.http.get(api.path(app, listed["savedRun"]))
    of = {api.server.hash(app, name): name for name in ("v1", "v2")}
    ran = of[run.json()["run"]["specification_hash"]] if run.status_code == 200 else None
    latest = api.blocking(app, specification_hash="latest")["specification_hash"]
    return saved, ran, of[latest]


def test_what_is_saved_was_run_and_is_latest_are_three_things(api: Api) -> None:
    """Saved blocks, saved run and `latest` are set together by a run in the editor, and each alone."""
    assert saved_state(api) == ("v1", "v1", "v1")
    api.server.save_unrun_edit(SUPPORT)
    assert saved_state(api) == ("v2", "v1", "v1")
    api.server.run_in_editor(SUPPORT, "v2")
    assert saved_state(api) == ("v2", "v2", "v1")
    api.server.register(SUPPORT, "v2")
    api.server.delete_saved_run(SUPPORT)
    assert saved_state(api) == ("v2", None, "v2")
    api.server.save_unrun_edit(SUPPORT, "v1")
    assert saved_state(api) == ("v1", None, "v2")
    api.server.save_edited(SUPPORT)
    assert saved_state(api) == ("v2", "v2", "v2")
    assert saved_state(api, HALVE) == ("v1", "v1", "v1")


def test_check_tells_which_hashes_exist(api: Api) -> None:
    """`check` says for each app and hash whether that specification exists, and runs nothing."""
    known, edited = (api.server.hash(SUPPORT, version) for version in ("v1", "v2"))
    asked = [(SUPPORT, known), (SUPPORT, edited), (SUPPORT, "0" * 64), (HALVE, known), ("none", known)]
    api.server.unregister(SUPPORT, "v2")
    body = hold({"apps": [{"appId": app, "appHash": digest} for app, digest in asked]}, "check_body")
    answer = hold(api.http.post(f"{api.path()}/check", json=body).json(), "check_answer")
    assert [(one["appId"], one["appHash"]) for one in answer["apps"]] == asked
    assert [one["deployed"] for one in answer["apps"]] == [True, False, False, False, False]
    run = api.http.post(api.path(SUPPORT), json=api.body(SUPPORT, specification_hash=edited, blocking=True))
    assert api.refused(run) == (500, "internal_server_error")
    assert api.http.post(f"{api.path()}/check", json={"apps": []}).json() == {"apps": []}


@pytest.mark.parametrize("body", [None, [], {}, {"apps": {}}, {"apps": [1]}, {"apps": [{"appId": "a"}]}])
def test_check_refuses_a_bad_body(shared: Api, body: Any) -> None:
    """A body of `check` without a list of app ids and hashes is a 400, and another method a 405."""
    answer = shared.http.post(f"{shared.path()}/check", json=body)
    assert shared.refused(answer) == (400, "invalid_request_error")
    assert shared.refused(shared.http.get(f"{shared.path()}/check")) == (405, "method_not_supported_error")


def test_the_saved_config_is_what_the_app_runs_with(shared: Api) -> None:
    """`savedConfig` and the saved blocks hold the config without which the app does not run."""
    apps = shared.http.get(shared.path()).json()["apps"]
    for listed in apps:
        config = json.loads(listed["savedConfig"])
        assert config["INPUT"]["type"] == "input"
        given = {name: own for name, own in config.items() if name != "INPUT"}
        inputs = [dust_server.APPS[listed["sId"]].example]
        assert shared.blocking(listed["sId"], config=given, inputs=inputs)["status"]["run"] == "succeeded"
        own = {block["name"]: block["config"] for block in json.loads(listed["savedSpecification"])}
        assert {name: one for name, one in own.items() if one} == dict(dust_server.APPS[listed["sId"]].config)


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
    """A drift can be held to one block that calls a model."""
    before = api.blocking(QUOTE, inputs=INPUTS[QUOTE][:1])
    api.server.drift("QUOTE")
    traces = zip(before["traces"], api.blocking(QUOTE, inputs=INPUTS[QUOTE][:1])["traces"], strict=True)
    assert [old[0][1] for old, new in traces if old != new] == ["QUOTE"]


# refusals


@pytest.mark.parametrize(
    ("refused", "code"),
    [
        ({"specification_hash": "0" * 64}, "specification_not_found"),
        ({"inputs": [{"question": "Hi"}, {"text": "Hi"}]}, "invalid_inputs_error"),
        ({"inputs": [{"question": "Hi"}, {"question": "Hi", "text": "Hi"}]}, "invalid_inputs_error"),
        ({"inputs": [{"question": "Hi"}, {}]}, "invalid_inputs_error"),
    ],
)
def test_what_the_engine_refuses(shared: Api, refused: dict[str, Any], code: str) -> None:
    """What the engine refuses is a bare 500, and only a stream says which it was."""
    events = shared.events(SUPPORT, **refused)
    assert [event["type"] for event in events] == ["error", "final"]
    assert events[0]["content"]["code"] == code
    for flavour in ({"blocking": True}, {}):
        body = shared.body(SUPPORT, **refused, **flavour)
        answer = shared.http.post(shared.path(SUPPORT), json=body)
        assert shared.refused(answer) == (500, "internal_server_error")


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


# misbehaviour

Faults = dust_server.Faults
KEY = "Bearer sk-example-key"


def misled(api: Api, fault: Any, app: str = SUPPORT, **options: Any) -> httpx.Response:
    """Return the answer to a blocking run (or one with these options) under a fault."""
    api.server.misbehave(fault)
    return api.http.post(api.path(app), json=api.body(app, **(options or {"blocking": True})))


def raw(api: Api, **options: Any) -> bytes:
    """Post a run over a bare socket and return all bytes until the server closes or resets it."""
    body = json.dumps(api.body(SUPPORT, **options)).encode()
    head = f"POST {api.path(SUPPORT)} HTTP/1.1\r\nHost: x\r\nAuthorization: {KEY}\r\n"
    with socket.create_connection(("127.0.0.1", api.server.port), timeout=5) as wire:
        wire.sendall(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        return b"".join(iter(lambda: wire.recv(65536), b""))


def read_until(error: type[Exception], api: Api, **options: Any) -> bytes:
    """Return what is read of an answer until the client runs into this error."""
    parts: list[bytes] = []
    body = api.body(SUPPORT, **options)
    with api.http.stream("POST", api.path(SUPPORT), json=body, timeout=0.3) as answer, pytest.raises(error):
        list(map(parts.append, answer.iter_raw()))
    return b"".join(parts)


def chunks_of(answer: bytes) -> list[bytes]:
    """Return the chunks of a chunked answer, the last, empty one included."""
    rest, found = answer.partition(b"\r\n\r\n")[2], []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        found.append(rest[: int(size, 16)])
        rest = rest[int(size, 16) + 2 :]
    return found


def told(text: str) -> list[Any]:
    """Return the data of each event of a stream, read as the format has it."""
    frames = re.split(r"\n\n+", re.sub(r"\r\n?", "\n", text))
    data = [[line[5:] for line in frame.split("\n") if line.startswith("data:")] for frame in frames]
    return ["\n".join(lines) for lines in data if lines]


def kinds(events: list[str]) -> list[str]:
    """Return the types of events."""
    return [json.loads(one)["type"] for one in events]


@pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 413, 429, 500, 502, 503])
def test_fault_status_alone(api: Api, code: int) -> None:
    """A status comes with the error body that is usual for it: Dust's own, or a gateway's page."""
    answer = misled(api, Faults.status(code))
    assert answer.status_code == code
    if code in (502, 503):
        assert answer.headers["content-type"] == "text/html"
        assert f"<h1>{code}</h1>" in answer.text
    else:
        hold(answer.json(), "error")
    assert api.blocking(SUPPORT)["status"]["run"] == "succeeded"


@pytest.mark.parametrize(
    ("body", "content"),
    [
        ("Bad gateway", b"Bad gateway"), ("", b""), (b"\xff\xfe{", b"\xff\xfe{"),
        ({}, b"{}"), ({"run": {"run_id": "ab"}}, b'{"run": {"run_id": "ab"}}'), ([None], b"[null]"),
    ],
)  # fmt: skip
def test_fault_any_body(api: Api, body: Any, content: bytes) -> None:
    """A body is sent as it is where it is text or bytes, and as JSON otherwise."""
    answer = misled(api, Faults.status(200, body, content_type="text/plain"))
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["content-type"] == "text/plain"


def test_fault_headers_and_redirects(api: Api) -> None:
    """Headers can be given: a Retry-After, or the place of a redirect."""
    limited = misled(api, Faults.status(429, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}))
    moved = misled(api, Faults.status(302, headers={"Location": "http://127.0.0.1:1/"}))
    assert limited.headers["retry-after"].endswith("GMT")
    assert (moved.is_redirect, moved.content) == (True, b"")


def test_fault_error_of_a_type(api: Api) -> None:
    """An error can have any type and a run_error."""
    run_error = {"code": "x", "message": "y"}
    error = misled(api, Faults.error(403, "app_not_found", run_error=run_error)).json()["error"]
    assert (error["type"], error["run_error"]) == ("app_not_found", run_error)


def test_fault_content_type(api: Api) -> None:
    """Dust's own answer can be called something else, a stream included."""
    assert "run" in misled(api, Faults.content_type("text/html")).json()
    stream = misled(api, Faults.content_type("text/plain"), stream=True)
    assert "content-length" in stream.headers
    assert kinds(told(stream.text))[-1] == "final"


def test_fault_altered(api: Api) -> None:
    """A run can be altered in place; answers that hold none are left alone."""
    assert "status" not in misled(api, Faults.altered(lambda run: run.pop("status"))).json()["run"]
    api.server.misbehave(Faults.altered(dict.clear), on="GET")
    assert len(api.http.get(api.path()).json()["apps"]) == len(INPUTS)
    assert kinds(told(misled(api, Faults.altered(dict.clear), stream=True).text))[-1] == "final"


@pytest.mark.parametrize("app", [SUPPORT, QUOTE])
@pytest.mark.parametrize("flavour", ["blocking", "stream"])
def test_fault_huge(api: Api, app: str, flavour: str) -> None:
    """A run can be padded to megabytes in its last value or error, and stays a run."""
    answer = misled(api, Faults.huge(2), app, **{flavour: True})
    assert len(answer.content) > 2 * 1024 * 1024
    if flavour == "blocking":
        hold(answer.json(), "run_answer")
    else:
        assert kinds(told(answer.text))[-1] == "final"


@pytest.mark.parametrize("flavour", ["blocking", "stream"])
def test_fault_nested(api: Api, flavour: str) -> None:
    """A run's value can be nested deeper than a JSON reader goes."""
    text = misled(api, Faults.nested(100_000), **{flavour: True}).text
    assert f'"value": {"[" * 100_000}{"]" * 100_000}, "error"' in text
    with pytest.raises(RecursionError):
        [json.loads(one) for one in (told(text) or [text])]


@pytest.mark.parametrize("fault", [Faults.huge(1), Faults.echo("value"), Faults.nested(9)])
def test_faults_of_a_value_leave_other_answers(api: Api, fault: Any) -> None:
    """What changes a value leaves a run without any, and a listing, as they are."""
    api.server.misbehave(fault, on="ANY", times=2)
    assert api.post(SUPPORT)["traces"] == []
    assert len(api.http.get(api.path()).json()["apps"]) == len(INPUTS)


@pytest.mark.parametrize("where", ["value", "error", "refusal"])
def test_fault_echo(api: Api, where: str) -> None:
    """The key can be given away in a header, and in a value, a block's error or a refusal."""
    answer = misled(api, Faults.echo(where))
    assert answer.headers["x-echo"] == KEY
    if where == "refusal":
        assert KEY in answer.json()["error"]["message"]
        return
    run = hold(answer.json(), "run_answer")["run"]
    assert KEY in json.dumps(run["traces"][-1][1][-1][-1][where])
    statuses = (run["status"]["run"], run["status"]["blocks"][-1]["status"], run["results"] is None)
    assert statuses == (
        ("errored", "errored", True) if where == "error" else ("succeeded", "succeeded", False)
    )


@pytest.mark.parametrize("where", ["value", "error", "event"])
def test_fault_echo_in_a_stream(api: Api, where: str) -> None:
    """The key can be given away in a stream's execution, a block's error or an error event."""
    events = [json.loads(one) for one in told(misled(api, Faults.echo(where), stream=True).text)]
    kind = "error" if where == "event" else "block_execution"
    last = [one["content"] for one in events if one["type"] == kind][-1]
    place = last["message"] if where == "event" else last["execution"][-1][-1][where]
    assert KEY in json.dumps(place)
    if where == "error":
        assert [one["content"]["status"] for one in events[-3:-1]] == ["errored", "errored"]


def test_fault_truncated(api: Api) -> None:
    """A body can be cut while its Content-Length agrees with what is left."""
    answer = misled(api, Faults.truncated(100))
    assert (answer.headers["content-length"], len(answer.content)) == ("100", 100)
    with pytest.raises(ValueError, match=r"\(char \d+\)"):
        misled(api, Faults.truncated()).json()


def test_fault_dropped(api: Api) -> None:
    """A connection can be closed in the middle of the body that was announced."""
    with pytest.raises(httpx.RemoteProtocolError, match="received 30 bytes, expected"):
        misled(api, Faults.dropped(30))
    with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
        misled(api, Faults.dropped(), stream=True)


def test_fault_hung_up(api: Api) -> None:
    """A connection can be closed after the request and before any answer."""
    api.server.misbehave(Faults.hung_up())
    assert raw(api, blocking=True) == b""
    assert api.server.requests[0].body["blocking"] is True
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        misled(api, Faults.hung_up())


def test_fault_reset(api: Api) -> None:
    """A connection can be reset after the request."""
    api.server.misbehave(Faults.reset())
    with pytest.raises(ConnectionResetError):
        raw(api, blocking=True)
    with pytest.raises(httpx.ReadError):
        misled(api, Faults.reset())
    assert api.blocking(QUOTE)


def test_fault_trickle(api: Api) -> None:
    """A body can come byte by byte: slow, yet no single read times out."""
    began = time.monotonic()
    api.server.misbehave(Faults.trickle(0.0002))
    with api.http.stream("POST", api.path(QUOTE), json=api.body(QUOTE, blocking=True)) as answer:
        assert time.monotonic() - began < 2
        pieces = list(answer.iter_raw())
    assert max(map(len, pieces)) < 50
    assert time.monotonic() - began > 0.0002 * sum(map(len, pieces))
    assert kinds(told(misled(api, Faults.trickle(0.00001), QUOTE, stream=True).text))[-1] == "final"


def test_fault_slow_head(api: Api) -> None:
    """The head can come byte by byte, and the body then at once."""
    began = time.monotonic()
    assert "run" in misled(api, Faults.slow_head(0.001)).json()
    assert time.monotonic() - began > 0.1


@pytest.mark.parametrize("flavour", ["blocking", "stream"])
def test_fault_stalled(api: Api, flavour: str) -> None:
    """After its head an answer can stand still, until the client gives up or the time is over."""
    api.server.misbehave(Faults.stalled())
    body = api.body(SUPPORT, **{flavour: True})
    with api.http.stream("POST", api.path(SUPPORT), json=body, timeout=0.2) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.ReadTimeout):
            answer.read()
    assert misled(api, Faults.stalled(0.05), **{flavour: True}).content


@pytest.mark.parametrize("fault", [Faults.stalled(), Faults.trickle(100), Faults.held_open()])
def test_stop_is_prompt_with_a_standing_answer(fault: Any) -> None:
    """Stopping the server ends answers that stand still."""
    with serving() as api:
        api.server.misbehave(fault)
        with api.http.stream("POST", api.path(QUOTE), json=api.body(QUOTE, stream=True)) as answer:
            began = time.monotonic()
            api.server.stop()
            with pytest.raises(httpx.HTTPError):
                answer.read()
            assert time.monotonic() - began < 5


def test_fault_plain_json(api: Api) -> None:
    """A stream request can be answered with the JSON of an ended run."""
    answer = misled(api, Faults.plain_json(), stream=True)
    assert answer.headers["content-type"] == "application/json"
    assert hold(answer.json(), "run_answer")["run"]["results"]
    assert "run" in misled(api, Faults.plain_json()).json()


@pytest.mark.parametrize("half", [False, True])
def test_fault_break_off(api: Api, half: bool) -> None:
    """A stream can break off; its run goes on, and can be fetched by the id that was told."""
    api.server.delay = 0.1
    api.server.misbehave(Faults.break_off(2, half=half))
    read = read_until(httpx.RemoteProtocolError, api, stream=True)
    assert read.count(b"data: ") == 2 + half
    assert read.endswith(b"\n\n") is not half
    run_id = json.loads(told(read.decode())[0])["content"]["run_id"]
    assert api.get(SUPPORT, run_id)["status"]["run"] == "running"
    assert api.ended(SUPPORT, run_id)["status"]["run"] == "succeeded"


def test_fault_break_off_cleanly(api: Api) -> None:
    """A stream can end too early as if it were done, as behind a proxy."""
    answer = misled(api, Faults.break_off(3, clean=True), stream=True)
    assert kinds(told(answer.text)) == ["run_status", "block_status", "block_execution"]
    assert told(misled(api, Faults.break_off(0, clean=True), stream=True).text) == []


def test_fault_held_open(api: Api) -> None:
    """A stream can stay open after its final event."""
    api.server.misbehave(Faults.held_open())
    read = read_until(httpx.ReadTimeout, api, stream=True)
    assert kinds(told(read.decode()))[-1] == "final"
    assert misled(api, Faults.held_open(0.05), stream=True).text.endswith("\n\n")


@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
def test_fault_rechunked(api: Api, size: int) -> None:
    """A stream can be cut into chunks of any size, across its events."""
    api.server.misbehave(Faults.rechunked(size))
    *chunks, rest, last = chunks_of(raw(api, stream=True))
    assert {len(chunk) for chunk in chunks} <= {size}
    assert (len(rest) <= size, last) == (True, b"")
    assert kinds(told(b"".join([*chunks, rest]).decode()))[-1] == "final"


@pytest.mark.parametrize("ending", ["\r\n", "\r"])
def test_fault_line_ends(api: Api, ending: str) -> None:
    """The lines of a stream can end otherwise."""
    text = misled(api, Faults.line_ends(ending), stream=True).content.decode()
    assert "\n" not in text.replace(ending, "")
    assert text.endswith(ending * 2)
    assert kinds(told(text))[-1] == "final"


def test_fault_comments(api: Api) -> None:
    """Comments can stand between the events and inside of them."""
    usual, text = (
        api.http.post(api.path(QUOTE), json=api.body(QUOTE, stream=True)).text,
        misled(api, Faults.comments(), QUOTE, stream=True).text,
    )
    assert "\n:in\ndata: {" in text
    assert "}\n: in\n\n" in text
    assert kinds(told(text)) == kinds(told(usual))


def test_fault_dressed(api: Api) -> None:
    """Events can carry ids and names, and their JSON stand on several lines."""
    text = misled(api, Faults.dressed(), stream=True).text
    assert "id: 7\nevent: message\nretry: 10\ndata:{\ndata: " in text
    assert kinds(told(text))[-1] == "final"


def test_fault_events(api: Api) -> None:
    """Each event can be made into others."""
    text = misled(api, Faults.events(lambda one: [one, one]), stream=True).text
    assert kinds(told(text))[-2:] == ["final", "final"]


def test_fault_without(api: Api) -> None:
    """Events of some types can be left out, `final` for one, while the stream ends as usual."""
    found = kinds(told(misled(api, Faults.without("final", "tokens"), stream=True).text))
    assert found[-1] == "run_status"
    assert "tokens" not in found


def test_fault_strange(api: Api) -> None:
    """Unknown events and fields can be mixed in."""
    events = [json.loads(one) for one in told(misled(api, Faults.strange(), stream=True).text)]
    assert {"weather", "silence", "tokens"} <= {one["type"] for one in events}
    assert all(one["content"]["extra"] and one["extra"] for one in events if one["type"] == "tokens")


@pytest.mark.parametrize("data", ["this is no JSON", "42", "[DONE]", ""])
def test_fault_bad_data(api: Api, data: str) -> None:
    """Data that is no event can stand between two events, all of which stay."""
    usual = api.events(SUPPORT)
    found = told(misled(api, Faults.bad_data(data, after=2), stream=True).text)
    assert found.pop(2).strip() == data
    assert kinds(found) == [event["type"] for event in usual]


def test_fault_error_event(api: Api) -> None:
    """A stream can end in an error event."""
    found = told(misled(api, Faults.error_event("oops", after=2), stream=True).text)
    assert kinds(found) == ["run_status", "block_status", "error", "final"]
    assert json.loads(found[2])["content"] == {"code": "oops", "message": "It failed."}


@pytest.mark.parametrize(
    "fault",
    [Faults.break_off(0), Faults.rechunked(3), Faults.line_ends(), Faults.comments(), Faults.dressed(),
     Faults.strange(), Faults.without("final"), Faults.bad_data(), Faults.error_event()],
)  # fmt: skip
def test_faults_of_streams_leave_json(api: Api, fault: Any) -> None:
    """A fault of streams leaves an answer in JSON as it is."""
    hold(misled(api, fault).json(), "run_answer")


def test_faults_are_queued(api: Api) -> None:
    """Faults come in their order, as often as told and for their method, and then no more."""
    api.server.misbehave(Faults.status(500), times=2)
    api.server.misbehave(Faults.status(404), on="GET")
    api.server.misbehave(Faults.status(503), on="ANY")
    posts = [api.http.post(api.path(QUOTE), json=api.body(QUOTE)).status_code for _ in range(4)]
    gets = [api.http.get(api.path()).status_code for _ in range(2)]
    assert (posts, gets) == ([500, 500, 503, 200], [404, 200])


def test_behave_forgets_everything(api: Api) -> None:
    """A fault may last until the server is told to behave, which ends all else as well."""
    api.server.misbehave(Faults.status(500), times=None, on="ANY")
    api.server.rate_limit(0)
    api.server.stores_logs, api.server.published_shape, api.server.poll_steps = False, True, 9
    assert {api.http.get(api.path()).status_code for _ in range(5)} == {500}
    api.server.behave()
    assert api.polled(SUPPORT)["results"][0][0]["value"]["label"] == "billing"


def test_faults_come_before_a_subclass() -> None:
    """A subclass's own answers are misled like any others."""

    class Greeter(dust_server.DustServer):  # type: ignore[misc]
        def answer(self, _request: Any) -> Any:
            return dust_server.Reply([b"hello"], 200, "text/plain")

    with Greeter() as server:
        server.misbehave(Faults.truncated(2), on="GET")
        assert [httpx.get(server.base_url, trust_env=False).text for _ in range(2)] == ["he", "hello"]


def test_rate_limit(api: Api) -> None:
    """Runs beyond the limit are refused with a 429 and start nothing; fetching goes on."""
    api.server.rate_limit(2, retry_after="7")
    runs = [api.http.post(api.path(QUOTE), json=api.body(QUOTE)) for _ in range(4)]
    assert [answer.status_code for answer in runs] == [200, 200, 429, 429]
    assert api.refused(runs[-1]) == (429, "rate_limit_error")
    assert runs[-1].headers["retry-after"] == "7"
    assert api.get(QUOTE, runs[0].json()["run"]["run_id"])


def test_workspace_without_logs(api: Api) -> None:
    """Where logs are not stored, polled runs have traces and errors but no values."""
    stored, blocking = api.polled(QUOTE), api.blocking(QUOTE)
    api.server.stores_logs = False
    bare = api.polled(QUOTE)
    assert {
        one["value"] for _, rows in bare["traces"] for row in rows for one in row if one["value"]
    } == set()
    assert [block for block, _ in bare["traces"]] == [block for block, _ in stored["traces"]]
    assert bare["traces"][-1][1][1] == stored["traces"][-1][1][1]
    assert bare["status"] == stored["status"]
    assert api.polled(SUPPORT)["results"][0][0]["value"] is None
    assert api.blocking(QUOTE)["traces"] == blocking["traces"]


@pytest.mark.parametrize("app", [SUPPORT, QUOTE])
def test_published_shape(api: Api, app: str) -> None:
    """Runs in JSON can have the shape that was published, whatever the flavour."""
    api.server.published_shape = True
    post = [
        api.http.post(api.path(app), json=api.body(app, blocking=blocking)).json()["run"]
        for blocking in (True, False)
    ]
    for run in (*post, api.http.get(api.path(app, post[0]["run_id"])).json()["run"]):
        hold(run, "published_run")
        assert (run["results"], run["status"]["build"]) == ({}, "succeeded")
        assert "blocks" not in run["status"]
    assert post[0]["traces"][0][0]["trace"]["name"] == "INPUT"
    assert "run" in misled(api, Faults.huge(1), app).json()


def test_poll_steps(api: Api) -> None:
    """A run can be still running for some fetches, each of which shows more of it."""
    api.server.poll_steps = 3
    run_id = api.blocking(SUPPORT)["run_id"]
    fetched = [api.get(SUPPORT, run_id) for _ in range(5)]
    assert [run["status"]["run"] for run in fetched] == ["running"] * 3 + ["succeeded"] * 2
    counts = [len(run["traces"]) for run in fetched]
    assert counts == sorted(counts)
    assert counts[2] > counts[0]
    saved = api.http.get(api.path()).json()["apps"][0]["savedRun"]
    assert api.get(SUPPORT, saved)["status"]["run"] == "succeeded"


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
            assert time.monotonic() - began < 5
            with pytest.raises(httpx.HTTPError):
                answer.read()
        api.server.start()
        assert api.http.get(api.path()).status_code == 200


def test_own_names() -> None:
    """Key, workspace and space are the constructor's."""
    names = {"api_key": "sk-x", "workspace": "w_x", "space": "vlt_x"}
    with serving(**names) as api:
        assert api.http.get(api.path()).status_code == 200


@pytest.mark.parametrize(("port", "why"), [(None, "in use"), (70_000, "ports go from 0 to 65535")])
def test_command_line_with_a_port_that_is_no_good(port: int | None, why: str) -> None:
    """A port that cannot be listened on is told in one line, with what to do."""
    with serving() as api:
        command = [sys.executable, str(SERVER), "--port", str(port or api.server.port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert re.fullmatch(
        rf"dust_server: cannot listen on port \d+: .*{why}; give another --port.*\n", done.stderr
    )


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
