"""The engine runs blocks in order, maps over elements, repeats loops and ends at an error."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from dust_api import HALVE, QUOTE, SKIPPED, SUMMARISE, SUPPORT, Api, api, shared, trace_of, values

from example_suites import dust_server


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


def test_map_has_a_largest_size(shared: Api) -> None:
    """A map runs over up to 64 elements."""
    assert shared.blocking(SUMMARISE, inputs=[{"text": "Rain. " * 64}])["status"]["run"] == "succeeded"


def test_larger_map_is_an_error_of_its_block(shared: Api) -> None:
    """A map over more than 64 elements is an error of the map block."""
    run = shared.blocking(SUMMARISE, inputs=[{"text": "Rain. " * 65}])
    assert run["status"]["run"] == "errored"
    assert run["traces"][-1][0] == ["map", "EACH"]
    assert "exceeds maximum size (64)" in run["traces"][-1][1][0][0]["error"]


def looping(most: int) -> dust_server.Machine:
    """Prepare a run of HALVE whose loop has this `max_iterations`, with an input that needs more."""
    blocks = [
        replace(block, spec={**block.spec, "max_iterations": most}) if block.type == "while" else block
        for block in dust_server.APPS[HALVE].blocks
    ]
    return dust_server.Machine(blocks, [{"number": 2**40, "limit": 0}], {}, ())


def test_while_may_have_31_iterations() -> None:
    """A `while` may repeat up to 31 times."""
    *_, last = looping(31).steps()
    assert last.executions[0][0]["value"]["steps"] == 31


def test_while_has_a_largest_number_of_iterations() -> None:
    """The engine refuses a `while` whose max_iterations is 32 or more."""
    with pytest.raises(dust_server.EngineRefusalError, match="max_iterations"):
        looping(32)


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


def test_single_input_that_ends_at_once(shared: Api) -> None:
    """A loop that never turns is traced once, all skipped, and the run goes on."""
    run = shared.blocking(HALVE, inputs=[{"number": 1, "limit": 5}])
    assert trace_of(run, "code", "HALVE") == [[[SKIPPED]]]
    assert values(run["results"]) == [[{"steps": 0, "number": 1}]]


def test_loop_stops_at_its_limit(shared: Api) -> None:
    """The condition of a loop is false at max_iterations."""
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


REFUSED = [
    ({"specification_hash": "0" * 64}, "specification_not_found"),
    ({"inputs": [{"question": "Hi"}, {"text": "Hi"}]}, "invalid_inputs_error"),
    ({"inputs": [{"question": "Hi"}, {"question": "Hi", "text": "Hi"}]}, "invalid_inputs_error"),
    ({"inputs": [{"question": "Hi"}, {}]}, "invalid_inputs_error"),
]


@pytest.mark.parametrize(("refused", "code"), REFUSED)
def test_a_stream_says_what_the_engine_refuses(shared: Api, refused: dict[str, Any], code: str) -> None:
    """A stream of a run that the engine refuses is an error event with a code, and `final`."""
    events = shared.events(SUPPORT, **refused)
    assert [event["type"] for event in events] == ["error", "final"]
    assert events[0]["content"]["code"] == code


@pytest.mark.parametrize("blocking", [True, False])
@pytest.mark.parametrize("refused", [refused for refused, _ in REFUSED])
def test_what_the_engine_refuses_is_a_bare_500(shared: Api, refused: dict[str, Any], blocking: bool) -> None:
    """Without a stream, a run that the engine refuses is a 500 that does not say why."""
    body = shared.body(SUPPORT, blocking=blocking, **refused)
    answer = shared.http.post(shared.path(SUPPORT), json=body)
    assert shared.refused(answer) == (500, "internal_server_error")
