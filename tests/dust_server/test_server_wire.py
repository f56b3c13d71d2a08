"""The JSON of a run: traces in the blocking and the polled form, statuses, results, the block filter."""

from __future__ import annotations

from typing import Any

from dust_api import (
    HALVE,
    INPUTS,
    QUOTE,
    SCHEMA,
    SKIPPED,
    SUPPORT,
    Api,
    each_steady_app,
    shared,
    trace_of,
    values,
)
from jsonschema import Draft202012Validator

from example_suites import dust_server


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


def without_end(traces: list[Any]) -> list[Any]:
    """Leave out `end`, whose run and skipped executions look alike."""
    return [trace for trace in traces if trace[0][0] != "end"]


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


def test_run_echoes_request(shared: Api) -> None:
    """A run carries the config, the hash that ran and its app, under an id of its own."""
    config = {**dust_server.APPS[SUPPORT].config, "NOTE": {"a": 1}}
    one, two = (shared.blocking(SUPPORT, config=config) for _ in range(2))
    assert one["config"] == {"blocks": config}
    assert (one["specification_hash"], one["app_id"]) == (shared.server.hash(SUPPORT), SUPPORT)
    assert one["run_id"] != two["run_id"]


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
    """Streamed and polled runs ignore the filter."""
    names = {
        e["content"]["name"]
        for e in shared.events(QUOTE, block_filter=["INPUT"])
        if e["type"] == "block_status"
    }
    assert names == {"INPUT", "PARSE"}
    assert len(shared.polled(SUPPORT, block_filter=["INPUT"])["traces"]) == 4


def test_schema_is_a_schema() -> None:
    """The schema of the wire is itself valid."""
    Draft202012Validator.check_schema(SCHEMA)
