"""The run view: the document that the paths of `expect` look into."""

from __future__ import annotations

import json
from typing import Any

import pytest
from answers import ANSWERS, answer, bounded, ran, server_steps, spoilt_answers
from hypothesis import given, settings

from conftest import dust_server
from pytest_dust.dust import wire
from pytest_dust.dust.run_view import tokens, view
from pytest_dust.errors import ServiceError
from pytest_dust.model import Tokens

BLOCK = ["type", "status", "iterations", "success_count", "error_count", "usage"]
NO_TOKENS = {
    "prompt_tokens": 0,
    "completion_tokens": 0,
    "cached_tokens": 0,
    "reasoning_tokens": 0,
    "total_tokens": 0,
}
FORMS = [dust_server.by_iteration, dust_server.merged]
each_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)


def seen(document: Any, *, plural: bool = False) -> dict[str, Any]:
    """Give the view of an answer."""
    return view(wire.parse(document, 1.5), plural=plural)


def ran_app(name: str, inputs: list[Any], form: Any, names: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Give the answer to a run of one of the server's apps, cut down to some of its blocks if asked."""
    steps = server_steps(name, inputs)
    status = "errored" if steps[-1].count(errors=True) else "succeeded"
    run = answer(form(steps), status)["run"]
    run["status"]["blocks"] = dust_server.block_statuses(steps)
    run["results"] = dust_server.last_executions(status, run["traces"])
    return {"run": run if names is None else dust_server.filtered(run, names)}


def status_of(name: str, status: str, kind: str = "llm", failed: int = 0) -> dict[str, Any]:
    """Give a block's status as the wire has it."""
    counts = {"success_count": 1 - failed, "error_count": failed}
    return {"block_type": kind, "name": name, "status": status, **counts}


def unlogged(*blocks: dict[str, Any], status: str = "succeeded") -> dict[str, Any]:
    """Give an answer of a workspace that stores no run logs: statuses without executions."""
    document = answer([], status)
    document["run"]["status"]["blocks"] = list(blocks)
    return document


# ── the table ────────────────────────────────────────────────────────────────────────────────────


def completions(outputs):
    """The texts of an llm block's outputs."""
    return [output["completion"]["text"] for output in outputs]


@each_form
def test_with_one_input_the_names_are_singular(form):
    """With `input` the document has `result`, `output` and `error`, and none of the plural names."""
    found = seen(ran_app("support-answer", [{"question": "Where is my refund?"}], form))
    assert list(found) == [
        "status",
        "error",
        "result",
        "blocks",
        "usage",
        "duration",
        "specification_hash",
        "run_id",
    ]
    assert found["result"]["label"] == "billing"
    assert (found["status"], found["error"], found["duration"]) == ("succeeded", None, 1.5)
    assert (found["specification_hash"], found["run_id"]) == ("h1", "r1")
    classify = found["blocks"]["CLASSIFY"]
    assert sorted(classify) == sorted([*BLOCK, "output", "error"])
    assert (classify["type"], classify["status"]) == ("llm", "succeeded")
    assert sorted(classify["output"]) == ["completion", "prompt"]
    assert (classify["output"]["completion"]["text"], classify["error"]) == ("billing", None)
    assert (classify["iterations"], classify["success_count"], classify["error_count"]) == (1, 1, 0)


@each_form
def test_with_several_inputs_the_names_are_plural(form):
    """With `inputs` the document has `results`, `outputs` and `errors`: one element per input."""
    asked = [{"question": "Where is my refund?"}, {"question": "Good day!"}]
    found = seen(ran_app("support-answer", asked, form), plural=True)
    assert "result" not in found
    assert [result["label"] for result in found["results"]] == ["billing", "other"]
    classify = found["blocks"]["CLASSIFY"]
    assert sorted(classify) == sorted([*BLOCK, "outputs", "errors"])
    assert completions(classify["outputs"]) == ["billing", "other"]
    assert classify["errors"] == [None, None]
    assert (classify["iterations"], classify["success_count"], classify["error_count"]) == ([1, 1], 2, 0)


def test_inputs_of_one_element_are_plural_too():
    """A case with `inputs` has plural names even where it has one input."""
    document = ran_app("support-answer", [{"question": "Hi"}], dust_server.by_iteration)
    found = seen(document, plural=True)
    assert len(found["results"]) == 1
    assert completions(found["blocks"]["CLASSIFY"]["outputs"]) == ["other"]


@each_form
def test_a_map_is_one_block_with_its_elements(form):
    """The two ends of a map are one block, and a block inside has a list of its iterations."""
    found = seen(ran_app("summarise", [{"text": "The cat sat. Rain."}], form))
    blocks = found["blocks"]
    assert list(blocks) == ["STOPWORDS", "INPUT", "SENTENCES", "EACH", "SUMMARY", "JOIN"]
    each, summary = blocks["EACH"], blocks["SUMMARY"]
    assert (each["type"], each["output"], each["iterations"]) == ("map", ["The cat sat", "Rain"], 2)
    assert [one["completion"]["text"] for one in summary["output"]] == ["cat sat", "Rain"]
    assert (summary["error"], summary["iterations"], summary["success_count"]) == ([None, None], 2, 2)
    assert found["result"] == {"summary": "cat sat; Rain", "sentences": 2}


@each_form
def test_elements_are_listed_per_input(form):
    """With several inputs a block inside a map has a list per input."""
    texts = [{"text": "The cat sat. Rain."}, {"text": "Snow."}]
    blocks = seen(ran_app("summarise", texts, form), plural=True)["blocks"]
    outputs = blocks["SUMMARY"]["outputs"]
    assert [[one["completion"]["text"] for one in row] for row in outputs] == [
        ["cat sat", "Rain"],
        ["Snow"],
    ]
    assert blocks["SUMMARY"]["iterations"] == blocks["EACH"]["iterations"] == [2, 1]


@each_form
def test_a_short_map_gives_a_list_too(form):
    """A block inside a map has a list even where the map has one element."""
    blocks = seen(ran_app("summarise", [{"text": "Rain."}], form))["blocks"]
    assert completions(blocks["SUMMARY"]["output"]) == ["Rain"]


def test_a_map_over_nothing_gives_an_empty_list():
    """A block inside a map without elements has an empty list."""
    traces = [[["map", "EACH"], [[ran([])]]], [["llm", "SUMMARY"], [[]]]]
    assert seen(answer(traces))["blocks"]["SUMMARY"]["output"] == []


@each_form
def test_a_while_is_one_block_with_its_iterations(form):
    """The two ends of a while are one block, with the answer of each iteration as its output."""
    found = seen(ran_app("halve-until-small", [{"number": 40, "limit": 10}], form))
    blocks = found["blocks"]
    assert list(blocks) == ["INPUT", "UNTIL", "HALVE", "REPORT"]
    assert (blocks["UNTIL"]["type"], blocks["UNTIL"]["output"]) == ("while", [True, True, False])
    assert (blocks["UNTIL"]["iterations"], blocks["HALVE"]["iterations"]) == (2, 2)
    assert (blocks["HALVE"]["output"], blocks["HALVE"]["success_count"]) == ([20, 10], 2)
    assert found["result"] == {"steps": 2, "number": 10}


@each_form
def test_iterations_are_listed_per_input(form):
    """Inputs that leave a loop after different iterations have lists of different lengths."""
    asked = [{"number": number, "limit": 10} for number in (40, 3, 15)]
    blocks = seen(ran_app("halve-until-small", asked, form), plural=True)["blocks"]
    assert blocks["HALVE"]["outputs"] == [[20, 10], [], [7]]
    assert blocks["HALVE"]["iterations"] == blocks["UNTIL"]["iterations"] == [2, 0, 1]


@pytest.mark.parametrize(("number", "halves"), [(3, []), (15, [7])])
@each_form
def test_a_short_while_gives_a_list_too(form, number, halves):
    """A block inside a while has a list even where it ran once, or never."""
    found = seen(ran_app("halve-until-small", [{"number": number, "limit": 10}], form))
    assert found["blocks"]["HALVE"]["output"] == halves
    assert found["blocks"]["UNTIL"]["output"] == [*(True for _ in halves), False]


@each_form
def test_a_block_before_the_input_ran_once(form):
    """A block before the input block has one output, whatever the number of inputs."""
    blocks = seen(ran_app("summarise", [{"text": "Rain."}, {"text": "Snow."}], form), plural=True)["blocks"]
    assert len(blocks["STOPWORDS"]["outputs"]) == 1
    assert blocks["STOPWORDS"]["iterations"] == [1]
    single = seen(ran_app("summarise", [{"text": "Rain."}], form))["blocks"]
    assert single["STOPWORDS"]["output"] == ["a", "an", "the", "of", "to", "very", "really"]


def test_the_output_of_a_reduce_is_that_of_the_loop():
    """If a reduce block has an output, it is the output of the loop."""
    traces = [
        [["map", "EACH"], [[ran([1, 2])]]],
        [["code", "C"], [[ran(1), ran(2)]]],
        [["reduce", "EACH"], [[ran([10, 20])]]],
    ]
    blocks = seen(answer(traces))["blocks"]
    assert (blocks["EACH"]["type"], blocks["EACH"]["output"], blocks["EACH"]["iterations"]) == (
        "map",
        [10, 20],
        2,
    )


# ── usage ────────────────────────────────────────────────────────────────────────────────────────


def used(**counts: int) -> dict[str, Any]:
    """Give an execution that used tokens."""
    return {"value": {}, "error": None, "meta": {"token_usage": counts}}


def test_usage_sums_over_iterations_inputs_and_blocks():
    """A block's usage is the sum over its executions, the run's the sum over its blocks, by kind."""
    traces = [
        [["llm", "A"], [[used(prompt_tokens=1, completion_tokens=2)], [used(prompt_tokens=10)]]],
        [["llm", "B"], [[used(prompt_tokens=100, cached_tokens=5), used(reasoning_tokens=7)], []]],
        [["code", "C"], [[ran(1)], [ran(1)]]],
    ]
    found = seen(answer(traces), plural=True)
    assert found["blocks"]["A"]["usage"] == {
        **NO_TOKENS,
        "prompt_tokens": 11,
        "completion_tokens": 2,
        "total_tokens": 13,
    }
    assert found["usage"] == {
        "prompt_tokens": 111,
        "completion_tokens": 2,
        "cached_tokens": 5,
        "reasoning_tokens": 7,
        "total_tokens": 113,
    }


def test_usage_is_zero_without_a_model():
    """A run without a model has all kinds of tokens, each zero."""
    assert seen(answer([[["code", "C"], [[ran(1)]]]]))["usage"] == NO_TOKENS


def bare(meta: Any, **more: Any) -> dict[str, Any]:
    """Give an execution with this meta."""
    return {"value": {}, "error": None, "meta": meta, **more}


UNKNOWN = dict.fromkeys(NO_TOKENS)
WITHOUT_USAGE = [None, {}, {"logs": []}, {"token_usage": None}, {"token_usage": "many"}, [], "odd"]


@pytest.mark.parametrize("meta", WITHOUT_USAGE)
@pytest.mark.parametrize("kind", ["llm", "chat"])
def test_unknown_usage_is_null(kind, meta):
    """If the service does not give the tokens of a model, the block's usage is null, and so is every sum."""
    known = [["llm", "A"], [[used(prompt_tokens=5, completion_tokens=1)]]]
    found = seen(answer([known, [[kind, "B"], [[bare(meta)]]], [["code", "C"], [[bare(None)]]]]))
    assert found["blocks"]["A"]["usage"]["total_tokens"] == 6
    assert found["blocks"]["B"]["usage"] == UNKNOWN
    assert found["blocks"]["C"]["usage"] == NO_TOKENS
    assert found["usage"] == UNKNOWN


@pytest.mark.parametrize("meta", WITHOUT_USAGE)
@pytest.mark.parametrize("kind", ["code", "curl", "data_source", "oracle", "map"])
def test_a_block_without_a_model_uses_no_tokens(kind, meta):
    """A block that is no llm and no chat has a known usage of none, whatever its meta."""
    assert seen(answer([[[kind, "B"], [[bare(meta)]]]]))["usage"] == NO_TOKENS


@pytest.mark.parametrize(
    "other", [bare(None), bare(None, value=None, error="no")], ids=["went well", "failed"]
)
def test_one_execution_of_unknown_usage_makes_the_block_s_unknown(other):
    """The usage of a block in a loop is null if that of one iteration, even a failed one, is unknown."""
    traces = [[["map", "M"], [[ran([1, 2])]]], [["llm", "B"], [[used(prompt_tokens=3), other]]]]
    assert seen(answer(traces))["blocks"]["B"]["usage"] == UNKNOWN


@pytest.mark.parametrize("form", FORMS)
def test_a_skipped_execution_used_nothing(form):
    """An input that has left a loop, or never entered it, makes no usage unknown."""
    steps = server_steps("halve-until-small", [{"number": number, "limit": 10} for number in (40, 3)])
    blocks = dust_server.block_statuses(steps)
    document = json.loads(json.dumps(answer(form(steps), blocks=blocks)).replace('"code"', '"llm"'))
    for key, rows in document["run"]["traces"]:
        for one in (one for row in rows for one in row if key[0] == "llm" and one["value"] is not None):
            one["meta"] = {"token_usage": {"prompt_tokens": 2, "completion_tokens": 1}}
    assert seen(document, plural=True)["usage"]["total_tokens"] == 3 * 4


@pytest.mark.parametrize(
    ("counts", "prompt", "total", "cached"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 2, "cached_tokens": None}, 9, 11, 0),
        ({"prompt_tokens": 9, "completion_tokens": None}, 9, None, 0),
        ({"prompt_tokens": None, "completion_tokens": 2, "cached_tokens": 4}, None, None, 4),
        ({"prompt_tokens": 9}, 9, 9, 0),
        ({"prompt_tokens": True, "completion_tokens": 2}, None, None, 0),
    ],
)
def test_a_kind_of_tokens_may_be_unknown_alone(counts, prompt, total, cached):
    """A null prompt or completion count makes the total unknown; null cached tokens are none."""
    usage = seen(answer([[["llm", "A"], [[bare({"token_usage": counts})]]]]))["usage"]
    assert (usage["prompt_tokens"], usage["total_tokens"], usage["cached_tokens"]) == (prompt, total, cached)


def test_tokens_count_as_far_as_they_are_known():
    """The sum over runs has the known tokens of each, and the number of runs with unknown ones."""
    known = wire.parse(answer([[["llm", "A"], [[used(prompt_tokens=5, completion_tokens=1)]]]]), 0.0)
    part = wire.parse(answer([[["llm", "A"], [[used(prompt_tokens=7), bare(None)]]]]), 0.0)
    assert tokens([known, part, part]) == Tokens(20, 2)
    assert tokens([]) == Tokens()


# ── errors ───────────────────────────────────────────────────────────────────────────────────────


@each_form
def test_an_errored_run_has_an_error_and_no_result(form):
    """The error is `BLOCK (type): message` of the first failed block, the result null."""
    found = seen(ran_app("quote-order", [{"order": "a few apples"}], form))
    message = 'invalid order: no quantity in "a few apples"'
    assert (found["status"], found["result"]) == ("errored", None)
    assert found["error"] == f"PARSE (code): {message}"
    parse = found["blocks"]["PARSE"]
    assert (parse["status"], parse["output"], parse["error"]) == ("errored", None, message)
    assert (parse["success_count"], parse["error_count"]) == (0, 1)
    assert list(found["blocks"]) == ["INPUT", "PARSE"]


@each_form
def test_the_error_of_one_of_several_inputs(form):
    """With several inputs the failed one has its error in its place; the results are null."""
    asked = [{"order": "3 apples"}, {"order": "a few apples"}]
    found = seen(ran_app("quote-order", asked, form), plural=True)
    assert found["results"] is None
    parse = found["blocks"]["PARSE"]
    assert parse["outputs"] == [{"item": "apple", "quantity": 3}, None]
    assert parse["errors"] == [None, 'invalid order: no quantity in "a few apples"']
    assert (parse["success_count"], parse["error_count"]) == (1, 1)


def test_an_error_in_a_loop_is_at_its_iteration():
    """A block that fails inside a loop has a list of errors, null for an iteration that succeeded."""
    failed = {"value": None, "error": "no", "meta": None}
    traces = [[["map", "EACH"], [[ran([1, 2])]]], [["code", "C"], [[ran(1), failed]]]]
    found = seen(answer(traces, "errored"))
    assert found["blocks"]["C"]["error"] == [None, "no"]
    assert found["error"] == "C (code): no"


@pytest.mark.parametrize(
    ("blocks", "error"),
    [
        ([], "the run failed; the answer names no block"),
        ([("A", "succeeded"), ("B", "errored")], "B (llm): failed; the answer holds no message of it"),
    ],
)
def test_without_a_message_the_error_names_the_block(blocks, error):
    """If the answer holds no error message, the error names the failed block if there is one."""
    found = seen(unlogged(*(status_of(*block) for block in blocks), status="errored"))
    assert (found["status"], found["error"]) == ("errored", error)


# ── results ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("names", "results"),
    [
        (("CLASSIFY",), ["billing", "other"]),
        (("INPUT", "CLASSIFY"), ["billing", "other"]),
        (("NOWHERE",), None),
    ],
)
def test_a_filters_last_block_gives_the_results(names, results):
    """With block_filter the results are those of the last block left, and no other block is there."""
    asked = [{"question": "Where is my refund?"}, {"question": "Hi"}]
    document = ran_app("support-answer", asked, dust_server.by_iteration, names)
    found = seen(document, plural=True)
    assert (found["results"] and completions(found["results"])) == results
    assert set(found["blocks"]) == set(names) - {"NOWHERE"}
    for at in range(2) if results else ():
        single = ran_app("support-answer", asked[at : at + 1], dust_server.by_iteration, names)
        assert completions([seen(single)["result"]]) == results[at : at + 1]


@pytest.mark.parametrize(("number", "halves"), [(40, [20, 10]), (15, [7])])
def test_a_filter_inside_a_while_gives_lists(number, halves):
    """A block of a while has a list of its iterations, even of one, if the filter leaves out the while."""
    asked = [{"number": number, "limit": 10}]
    found = seen(ran_app("halve-until-small", asked, dust_server.by_iteration, ("HALVE",)))
    assert found["blocks"]["HALVE"]["output"] == halves
    assert found["result"] == halves


@pytest.mark.parametrize(
    ("results", "singular", "plural"),
    [
        ({"answer": 42}, {"answer": 42}, {"answer": 42}),
        ({}, {}, {}),
        (None, None, None),
        ([[ran(1)]], 1, [1]),
        ([[ran(1)], [ran(2)]], [1, 2], [1, 2]),
        ([[ran(1), ran(2)]], [1, 2], [[1, 2]]),
    ],
)
def test_without_traces_the_results_are_the_services_own(results, singular, plural):
    """If the answer has no traces, the results are those of the answer; of executions, their values."""
    document = answer([], results=results)
    assert seen(document)["result"] == singular
    assert seen(document, plural=True)["results"] == plural


# ── statuses ─────────────────────────────────────────────────────────────────────────────────────


def test_a_status_alone_is_a_block():
    """A block without stored executions has the type, the status and the counts of its status."""
    blocks = seen(unlogged(status_of("A", "succeeded"), status_of("B", "errored", failed=1)))["blocks"]
    assert blocks == {
        "A": {"type": "llm", "status": "succeeded", "success_count": 1, "error_count": 0},
        "B": {"type": "llm", "status": "errored", "success_count": 0, "error_count": 1},
    }


@pytest.mark.parametrize(
    ("opening", "closing", "status"),
    [
        ("succeeded", "succeeded", "succeeded"),
        ("succeeded", "errored", "errored"),
        ("errored", "succeeded", "errored"),
        ("errored", "running", "errored"),
        ("running", "succeeded", "running"),
    ],
)
@pytest.mark.parametrize("logged", ["no end", "the opening end", "both ends"])
def test_a_loop_has_one_status(opening, closing, status, logged):
    """A loop has the status of its opening block, unless its closing block failed, logged or not."""
    ends = [status_of("EACH", opening, "map"), status_of("EACH", closing, "reduce")]
    traces = [[["map", "EACH"], [[ran([1])]]], [["reduce", "EACH"], [[ran(None)]]]]
    count = {"no end": 0, "the opening end": 1, "both ends": 2}[logged]
    block = seen(answer(traces[:count], "errored", ends))["blocks"]["EACH"]
    assert (block["type"], block["status"]) == ("map", status)


@pytest.mark.parametrize(
    ("error", "told", "status"),
    [
        (None, None, "succeeded"),
        ("no", None, "errored"),
        (None, "errored", "errored"),
        ("no", "succeeded", "succeeded"),
        (None, "running", "running"),
    ],
)
def test_a_block_has_the_status_that_the_service_gives(error, told, status):
    """A block has the status that the service gives; without one, its executions decide."""
    execution = {"value": None if error else 1, "error": error, "meta": None}
    statuses = [status_of("OTHER", "succeeded"), *([status_of("A", told)] if told else [])]
    block = seen(answer([[["llm", "A"], [[execution]]]], "errored", statuses))["blocks"]["A"]
    assert block["status"] == status
    assert (block["success_count"], block["error_count"]) == ((0, 1) if error else (1, 0))


def test_a_status_of_another_type_is_another_block():
    """The status of a block with the same name and another type is not that of the block that ran."""
    document = answer([[["llm", "A"], [[ran(1)]]]], blocks=[status_of("A", "running", "code")])
    block = seen(document)["blocks"]["A"]
    assert (block["type"], block["status"], block["output"]) == ("llm", "succeeded", 1)


def test_the_first_failed_status_is_the_error():
    """Without error messages, the run's error names the first block, in execution order, that failed."""
    statuses = [status_of(name, status) for name, status in (("A", "running"), ("B", "errored"))]
    found = seen(answer([], "errored", [*statuses, status_of("C", "errored")]))
    assert found["error"] == "B (llm): failed; the answer holds no message of it"


# ── always ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("plural", [False, True])
def test_both_shapes_give_one_document(plural):
    """The document of a run is the same for both shapes of the answer."""
    for split, merged in zip(ANSWERS[::2], ANSWERS[1::2], strict=True):
        assert seen(split, plural=plural) == seen(merged, plural=plural)


@settings(bounded, max_examples=75)
@given(spoilt_answers())
def test_any_run_has_a_document(document):
    """Whatever a run holds, it has a document with all of the names, singular or plural."""
    try:
        run = wire.parse(document, 0.0)
    except ServiceError:
        return
    for plural in (False, True):
        found = view(run, plural=plural)
        assert found["usage"].keys() == NO_TOKENS.keys()
        assert found["status"] == "succeeded" or isinstance(found["error"], str)
        for name, block in found["blocks"].items():
            assert isinstance(name, str)
            assert {"type", "status", "success_count", "error_count"} <= block.keys()
