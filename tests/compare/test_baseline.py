"""The comparison of two runs: which block changed first, for which input and iteration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from answers import ANSWERS, Wire, answer, bounded, ran, runs, spoilt_answers
from hypothesis import given, settings
from made_runs import compared, held, made, names
from msgspec.structs import replace

from conftest import dust_server
from pytest_dust.dust import wire as api
from pytest_dust.dust.run_view import view
from pytest_dust.errors import ServiceError
from pytest_dust.model import MISSING, Baseline, Change, Run

APPS = {app.name: app for app in dust_server.APPS.values()}
REFUND, PARCEL = {"question": "Where is my refund?"}, {"question": "Track my parcel"}


def perform(name: str, inputs: list[Any], version: str = "v1", drifted: Any = (), form: Any = None) -> Run:
    """Run one of the server's apps."""
    steps = list(
        dust_server.Machine(APPS[name].version(version), inputs, dict(APPS[name].config), drifted).steps()
    )
    status = "errored" if steps[-1].count(errors=True) else "succeeded"
    traces, blocks = (form or dust_server.by_iteration)(steps), dust_server.block_statuses(steps)
    return api.parse(answer(traces, status, blocks), 0.0)


def failed(text: str) -> dict[str, Any]:
    """Give an execution that failed."""
    return {"value": None, "error": text, "meta": None}


# ── the server's apps ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Row:
    """A pair of runs, and where the change begins."""

    app: str
    inputs: list[Any]
    begins: str
    position: int
    input: int | None
    path: tuple[Any, ...]
    then: list[str]
    drifted: bool = False


COMPLETION = ("output", "completion", "text")
TABLE = {
    "an edited prompt": Row(
        "support-answer",
        [REFUND],
        "CLASSIFY",
        2,
        None,
        ("output", "prompt", "text"),
        ["LOOKUP", "ANSWER"],
    ),
    "an edited prompt, which every input has": Row(
        "support-answer",
        [PARCEL, REFUND],
        "CLASSIFY",
        2,
        1,
        ("output", "prompt", "text"),
        ["LOOKUP", "ANSWER"],
    ),
    "a newer model": Row(
        "support-answer", [REFUND], "CLASSIFY", 2, None, COMPLETION, ["LOOKUP", "ANSWER"], drifted=True
    ),
    "a newer model, second input": Row(
        "support-answer", [PARCEL, REFUND], "CLASSIFY", 2, 2, COMPLETION, ["LOOKUP", "ANSWER"], drifted=True
    ),
    "a newer model, all inputs": Row(
        "support-answer",
        [REFUND, REFUND],
        "CLASSIFY",
        2,
        1,
        COMPLETION,
        ["LOOKUP", "ANSWER"],
        drifted=True,
    ),
    "an edited prompt in a map": Row(
        "summarise",
        [{"text": "Rain. The parcel left the warehouse on Monday."}],
        "SUMMARY",
        5,
        None,
        (0, "output", "prompt", "text"),
        ["JOIN"],
    ),
    "a newer model in a map, third input": Row(
        "summarise",
        [{"text": "rain."}, {"text": "sun."}, {"text": "snow. One Two."}],
        "SUMMARY",
        5,
        3,
        (1, "output", "completion", "text"),
        ["JOIN"],
        drifted=True,
    ),
    "a newer model in a map": Row(
        "summarise",
        [{"text": "rain. The Cat sat. Dogs."}],
        "SUMMARY",
        5,
        None,
        (1, "output", "completion", "text"),
        ["JOIN"],
        drifted=True,
    ),
    "edited code in a while": Row(
        "halve-until-small",
        [{"number": 100, "limit": 10}],
        "HALVE",
        3,
        None,
        (0, "output"),
        ["UNTIL", "REPORT"],
    ),
    "edited code in a while, second input": Row(
        "halve-until-small",
        [{"number": 3, "limit": 10}, {"number": 100, "limit": 10}],
        "HALVE",
        3,
        2,
        (0, "output"),
        ["UNTIL", "REPORT"],
    ),
    "edited code in a while that goes as many rounds": Row(
        "halve-until-small", [{"number": 20, "limit": 10}], "HALVE", 3, None, (0, "output"), ["REPORT"]
    ),
    "edited code": Row(
        "quote-order",
        [{"order": "3 apples"}],
        "PRICE",
        3,
        None,
        ("output", "unit_price"),
        ["QUOTE"],
    ),
    "edited code, second input": Row(
        "quote-order",
        [{"order": "2 pears"}, {"order": "3 apples"}],
        "PRICE",
        3,
        2,
        ("output", "unit_price"),
        ["QUOTE"],
    ),
    "a newer model at the end": Row(
        "quote-order",
        [{"order": "2 pears"}, {"order": "3 apples"}],
        "QUOTE",
        4,
        1,
        COMPLETION,
        [],
        drifted=True,
    ),
}


@pytest.mark.parametrize(
    "form", [dust_server.by_iteration, dust_server.merged], ids=lambda form: form.__name__
)
@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
def test_where_a_change_begins(row, form):
    """The first changed block is the edited one, at its first input and iteration that differ."""
    old = perform(row.app, row.inputs, form=form)
    if row.drifted:
        new = perform(row.app, row.inputs, drifted=dust_server.DRIFTING)
    else:
        new = perform(row.app, row.inputs, "v2")
    found = compared(old, new)
    first = found.blocks[0]
    assert (first.name, first.position, first.input) == (row.begins, row.position, row.input)
    assert first.changes[0].path == row.path
    assert names(found) == [row.begins, *row.then]
    assert found.total == len({block.name for block in APPS[row.app].blocks})


def test_the_consequences_are_counted():
    """The blocks that changed after the first one are its consequences, with old and new values."""
    found = compared(
        perform("support-answer", [REFUND]),
        perform("support-answer", [REFUND], drifted=dust_server.DRIFTING),
    )
    first, *then = found.blocks
    assert first.changes == (Change(COMPLETION, "billing", "shipping"),)
    assert [block.name for block in then] == ["LOOKUP", "ANSWER"]
    assert [change.path for change in then[1].changes] == [("output", "label"), ("output", "answer")]


@pytest.mark.parametrize(
    ("app", "inputs"),
    [
        ("support-answer", [PARCEL]),
        ("summarise", [{"text": "rain."}]),
        ("halve-until-small", [{"number": 3, "limit": 10}]),
        ("quote-order", [{"order": "2 pears"}]),
    ],
)
def test_an_edit_that_changes_nothing_for_the_caller_is_no_change(app, inputs):
    """Another version of an app with the same answer has not changed."""
    found = compared(perform(app, inputs), perform(app, inputs, "v2"))
    assert (found.values, found.changed) == ((), False)


@pytest.mark.parametrize("name", APPS)
def test_the_shape_of_a_run_is_no_change(name):
    """A run is unchanged if the service sends it in its other format."""
    inputs = [APPS[name].example] * 2
    split, merged = (
        perform(name, inputs, form=form) for form in (dust_server.by_iteration, dust_server.merged)
    )
    assert not compared(split, merged).changed


# ── blocks and statuses ──────────────────────────────────────────────────────────────────────────

A, B, C, D = ("input", "A", [1]), ("code", "B", [2]), ("code", "C", [3]), ("code", "D", [5])
OTHER_C = ("code", "C", [4])
RAN, GONE = Change((), MISSING, "ran"), Change((), "ran", MISSING)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ((A, C), (A, B, C), [("B", 2, RAN)]),
        ((A, B, C), (A, C), [("B", 2, GONE)]),
        ((B, C), (A, B, C), [("A", 1, RAN)]),
        ((A, B), (A, B, C), [("C", 3, RAN)]),
        ((A, B, C), (A, B), [("C", 3, GONE)]),
        ((A, B, C), (A, ("code", "NEW", [2]), C), [("B", 2, GONE), ("NEW", 3, RAN)]),
        ((A, B), (A, ("llm", "B", [2])), [("B", 2, GONE), ("B", 2, RAN)]),
        (
            (A, B, C),
            (A, ("code", "NEW", [0]), ("code", "C", [4])),
            [("B", 2, GONE), ("NEW", 3, RAN), ("C", 4, Change(("output",), 3, 4))],
        ),
        ((), (A,), [("A", 1, RAN)]),
        ((A, B), (B,), [("A", 1, GONE)]),
        ((A, B, C, D), (A, D), [("B", 2, GONE), ("C", 3, GONE)]),
        ((A, D), (A, B, C, D), [("B", 2, RAN), ("C", 3, RAN)]),
        ((A, C), (A, B, OTHER_C), [("B", 2, RAN), ("C", 3, Change(("output",), 3, 4))]),
        ((A, B, C), (C, B, ("input", "A", [0])), [("A", 3, Change(("output",), 1, 0))]),
    ],
)
def test_every_block_has_its_position(old, new, expected):
    """Added, removed, renamed and changed blocks have a position among the blocks of both runs."""
    found = compared(made(*old), made(*new))
    assert [(block.name, block.position, block.changes[0]) for block in found.blocks] == expected
    assert all(block.input is None for block in found.blocks)
    assert found.total == len({name for _, name, _ in (*old, *new)})


@pytest.mark.parametrize(
    ("loop", "end"),
    [(("map", "L", [[1]]), ("reduce", "L", [None])), (("while", "L", [False]), ("end", "L", [None]))],
)
def test_the_two_blocks_of_a_loop_have_one_position(loop, end):
    """The two blocks of a loop have one name and one position."""
    old, new = (made(A, loop, B, end, last) for last in (C, OTHER_C))
    found = compared(old, new)
    assert [(block.name, block.position) for block in found.blocks] == [("C", 4)]
    assert found.total == 4


def test_a_block_that_now_fails_is_where_it_begins():
    """A change begins in the block that fails; the blocks that did not run then follow."""
    new = made(A, ("code", "B", [failed("no")]), status="errored")
    found = compared(made(A, B, C), new)
    first = found.blocks[0]
    assert first.name == "B"
    assert set(first.changes) == {Change(("output",), 2, MISSING), Change(("error",), MISSING, "no")}
    assert names(found) == ["B", "C"]


def test_a_block_that_fails_no_longer_is_where_it_begins():
    """A change begins in the block that failed before and does not now."""
    old = made(A, ("code", "B", [failed("no")]), status="errored")
    found = compared(old, made(A, B, C))
    assert names(found) == ["B", "C"]


def test_another_error_is_a_change():
    """A block that fails for another reason has changed."""
    old, new = (made(A, ("code", "B", [failed(text)]), status="errored") for text in ("no", "never"))
    found = compared(old, new)
    assert [(block.name, block.changes) for block in found.blocks] == [
        ("B", (Change(("error",), "no", "never"),))
    ]


def test_a_failure_in_a_while_is_named_with_its_iteration():
    """A block that fails in a later iteration of a while comes before the while, which ends there."""
    until, no_until = ("while", "W", [True, True, True, False]), ("while", "W", [True, True])
    old = made(A, until, ("code", "C", [1, 2, 3]), ("end", "W", [None] * 3), B)
    new = made(A, no_until, ("code", "C", [1, failed("no")]), ("end", "W", [None]), status="errored")
    found = compared(old, new)
    assert (found.blocks[0].name, found.blocks[0].changes[0].path[0]) == ("C", 1)
    assert found.blocks[0].input is None


def looped(kind: str, outputs: list[Any]) -> Run:
    """Give a run in which a code block runs in a loop."""
    end = {"map": "reduce", "while": "end"}[kind]
    return made(A, (kind, "LOOP", [True]), ("code", "C", outputs), (end, "LOOP", [None]))


def test_iterations_of_a_while_are_compared_by_number():
    """Iterations of a while are compared by number, even if another one is more similar."""
    found = compared(looped("while", ["a", "b", "c"]), looped("while", ["b", "c"]))
    assert found.blocks[0].changes == (
        Change((0, "output"), "a", "b"),
        Change((1, "output"), "b", "c"),
        Change((2,), {"output": "c"}, MISSING),
    )


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        (["a", "b", "c"], ["b", "c"], (Change((0,), {"output": "a"}, MISSING),)),
        (["b", "c"], ["b", "x", "c"], (Change((1,), MISSING, {"output": "x"}),)),
        (["a", "b", "c"], ["a", "x", "c"], (Change((1, "output"), "b", "x"),)),
        (["a"], [failed("no")], (Change((0, "output"), "a", MISSING), Change((0, "error"), MISSING, "no"))),
    ],
    ids=["less", "more", "other", "failed"],
)
def test_elements_of_a_map_are_aligned_by_content(old, new, changes):
    """One more or less element of a map is one change, and does not shift the others."""
    assert compared(looped("map", old), looped("map", new)).blocks[0].changes == changes


FIRST_ITEM = Baseline(ignore=(("results", "*", "items", "0"),))
FIRST_ROUND = Baseline(ignore=(("blocks", "EACH", "outputs", "0", "0"),))
NOT_T = Baseline(ignore=(("results", "*", "t"),), compare=("blocks.LAST.outputs", "results"))


def mapped(*values: Any) -> Run:
    """Give a run with a map of these iterations, all of which have one result."""
    return made(("map", "LOOP", [[*values]]), ("code", "EACH", [*values]), ("reduce", "LOOP", [0]))


def giving(value: Any) -> Run:
    """Give a run of one block that gives this value."""
    return made(("llm", "LAST", [ran(value)]), results=[[ran(value)]])


@pytest.mark.parametrize(
    ("rules", "old", "new", "changes"),
    [
        (FIRST_ITEM, [1, 2, 3, 4], [9, 2, 3, 5], [Change((3,), 4, 5)]),
        (FIRST_ITEM, [1, 2], [9, 1, 2], [Change((1,), MISSING, 1)]),
        (FIRST_ITEM, [1, 2], [7], [Change((1,), 2, MISSING)]),
        (FIRST_ITEM, [1], [], []),
        (FIRST_ITEM, [1, 2], [], [Change((1,), 2, MISSING)]),
        (FIRST_ITEM, [[1], 2], 5, [Change((), [[1], 2], 5)]),
    ],
    ids=["another", "more", "less", "none", "all", "no list"],
)
def test_what_is_left_out_of_a_list_shifts_nothing(rules, old, new, changes):
    """If `ignore` leaves out one element, changes of the others have their own index."""
    found = held(giving({"items": old}), giving({"items": new}), rules)
    told = [Change(change.path[3:], change.old, change.new) for change in found.values]
    assert told == changes
    in_block = [change for block in found.blocks for change in block.changes]
    assert [Change(each.path[2:], each.old, each.new) for each in in_block] == changes


def test_an_iteration_that_is_left_out_shifts_nothing():
    """If `ignore` leaves out one iteration of a map, changes of the others have their own number."""
    old, new = mapped(1, 2, 3), mapped(9, 2, 4)
    told = {block.name: block.changes for block in held(old, new, FIRST_ROUND).blocks}
    assert told["EACH"] == (Change((2, "output"), 3, 4),)


def test_a_block_that_is_compared_itself_is_located():
    """A block that is compared itself is compared in full, even if `ignore` leaves out the results."""
    old, new = giving({"t": 5}), giving({"t": 6})
    found = held(old, new, NOT_T)
    assert [change.path for change in found.values] == [("blocks", "LAST", "outputs", 0, "t")]
    assert names(found) == ["LAST"]
    assert names(held(old, new, replace(NOT_T, compare=()))) == []


LEAVING_T = {
    "its output": (("blocks.LAST.outputs",), ("results", "*", "t")),
    "the result too": (("results", "blocks.LAST.outputs"), ("results", "*", "t")),
    "all blocks": (("blocks",), ("results", "*", "t")),
    "blocks by a pattern": (("blocks.*.outputs",), ("results", "*", "t")),
    "the result alone": ((), ("blocks", "LAST", "outputs", "*", "t")),
}


@pytest.mark.parametrize(("compare", "ignore"), LEAVING_T.values(), ids=LEAVING_T)
def test_what_counts_is_located(compare, ignore):
    """A change that counts has a block, whatever `ignore` leaves out of other paths of its value."""
    rules = Baseline(compare=compare, ignore=(ignore,))
    found = held(giving({"t": 5}), giving({"t": 6}), rules)
    assert found.changed
    assert names(found) == ["LAST"]


@pytest.mark.parametrize("more", ["blocks.LAST.status", "length(blocks.LAST.outputs)"])
def test_what_is_left_out_is_not_where_it_begins(more):
    """Of several inputs, the one whose value counts is named, even if another is compared too."""
    inputs = [({"t": 5, "x": 1}, {"t": 6, "x": 1}), ({"t": 5, "x": 1}, {"t": 6, "x": 2})]
    old, new = (made(("llm", "LAST", *([ran(pair[at])] for pair in inputs))) for at in (0, 1))
    found = held(old, new, Baseline(compare=("results", more), ignore=(("results", "*", "t"),)))
    assert [(block.input, [each.path for each in block.changes]) for block in found.blocks] == [
        (2, [("output", "x")])
    ]


def test_an_input_may_be_left_out():
    """If `ignore` leaves out one input's result, neither it nor its block's output is a change."""
    old, new = made(("llm", "LAST", [1], [1])), made(("llm", "LAST", [2], [3]))
    found = held(old, new, Baseline(ignore=(("results", "0"),)))
    assert [change.path for change in found.values] == [("results", 1)]
    assert [block.input for block in found.blocks] == [2]


@pytest.mark.parametrize("rules", [Baseline(unordered=True), Baseline(unordered=True, similar=0.5)])
def test_inputs_are_compared_in_order(rules):
    """Inputs are compared in order, even if the order of lists is ignored."""
    old, new = made(("llm", "LAST", ["billing"], ["other"])), made(("llm", "LAST", ["other"], ["billing"]))
    for path in (("results",), ("blocks", "LAST", "outputs")):
        found = held(old, new, replace(rules, compare=(".".join(path),)))
        assert [change.path for change in found.values] == [(*path, 0), (*path, 1)]
        assert [block.input for block in found.blocks] == [1, 2]


def test_a_part_of_a_result_is_compared_apart_from_its_block():
    """If a part of a result is compared, the block of the result still has its changes in full."""
    found = held(giving({"x": 1, "y": 2}), giving({"x": 3, "y": 4}), Baseline(compare=("results[0].x",)))
    assert [change.path for change in found.values] == [("results", 0, "x")]
    assert [change.path for change in found.blocks[0].changes] == [("output", "x"), ("output", "y")]


def test_a_block_that_is_added_in_a_while_comes_before_later_blocks():
    """A block that is new in a while comes before a later block that changed in the first iteration."""
    loop, end = ("while", "W", [True, False]), ("end", "W", [None])
    old = made(loop, ("code", "C", [1]), end)
    new = made(loop, ("code", "NEW", [5]), ("code", "C", [2]), end)
    assert names(compared(old, new)) == ["NEW", "C"]


def test_a_while_that_ends_earlier_changed_in_that_iteration():
    """A while that ends one iteration earlier changed its value in that iteration."""
    old = made(A, ("while", "W", [True, True, False]), ("code", "C", [1, 2]), ("end", "W", [None, None]))
    new = made(A, ("while", "W", [True, False]), ("code", "C", [1]), ("end", "W", [None]))
    found = compared(old, new)
    assert found.blocks[0].name == "W"
    assert found.blocks[0].changes[0] == Change((1, "output"), True, False)


@pytest.mark.parametrize("more", [1, -1])
def test_an_input_more_or_less_is_a_change(more):
    """If one run has one more input, the change names that input."""
    short, long = made(("input", "A", [1], [2])), made(("input", "A", [1], [2], [3]))
    found = compared(*((short, long)[::more]))
    assert [(block.name, block.input) for block in found.blocks] == [("A", 3)]


@pytest.mark.parametrize("values", [(1, 1.0), (ran({"a": 1, "b": 2}), ran({"b": 2, "a": 1}))])
def test_equal_json_is_no_change(values):
    """Outputs that are equal as JSON have not changed, however they are written."""
    old, new = (made(("code", "B", [value])) for value in values)
    assert not compared(old, new).changed


@pytest.mark.parametrize("values", [(1, True), (0, False), (None, ""), ("1", 1), ([], ran({}))])
def test_other_json_is_a_change(values):
    """Outputs that are not equal as JSON have changed, however similar they look."""
    old, new = (made(("code", "B", [value])) for value in values)
    assert compared(old, new).changed


def test_another_status_alone_is_a_change():
    """A run with another status has changed, even if no block has."""
    found = compared(made(A), made(A, status="errored"))
    (block,) = found.blocks
    assert block.changes == (Change(("status",), "succeeded", "errored"),)


def test_tokens_time_and_ids_are_no_change():
    """Tokens, duration and ids of a run are not compared."""
    old = made(A, B)
    used = {"value": 2, "error": None, "meta": {"token_usage": {"prompt_tokens": 5}}}
    new = replace(made(A, ("code", "B", [used])), id="r2", specification_hash="h2", duration=9.0)
    assert not compared(old, new).changed


@pytest.mark.parametrize(
    ("old", "new"),
    [({"answer": 1}, {"answer": 2}), ({}, {"answer": 1}), (None, [[ran(1)]]), ([[ran(1)]], [[ran(2)]])],
)
def test_results_count_if_there_are_no_executions(old, new):
    """Runs without executions have changed if their results have."""
    found = compared(made(results=old), made(results=new))
    assert found.changed


def test_block_statuses_count_if_there_are_no_executions():
    """Runs that have only statuses have changed if another block failed."""
    documents = []
    for name in ("B", "C"):
        document = answer([], "errored")
        counts = {"success_count": 0, "error_count": 1}
        document["run"]["status"]["blocks"] = [
            {"block_type": "code", "name": name, "status": "errored", **counts}
        ]
        documents.append(api.parse(document, 0.0))
    assert compared(*documents).changed


# ── always ───────────────────────────────────────────────────────────────────────────────────────


def to_run(wire: Wire) -> Run:
    """Give a generated run."""
    return api.parse(answer(wire.split, "errored" if wire.failed else "succeeded"), 0.0)


@bounded
@given(runs(), runs())
def test_any_two_runs_compare(old, new):
    """Any two runs can be compared: positions are within the total, and each block has changes."""
    found = compared(to_run(old), to_run(new))
    positions = {block.name: block.position for block in found.blocks}
    assert all(1 <= at <= found.total for at in positions.values() if found.blocks[0].name != "the run")
    assert all(block.changes for block in found.blocks)


@settings(bounded, max_examples=60)
@given(spoilt_answers(), spoilt_answers())
def test_unchanged_runs_look_the_same(one, other):
    """Two unchanged runs have the same status, error and results for `expect`."""
    try:
        old, new = api.parse(one, 0.0), api.parse(other, 0.0)
    except ServiceError:
        return
    if not compared(old, new).changed:
        seen = [view(run, plural=True) for run in (old, new)]
        assert [(each["status"], each["error"]) for each in seen[:1]] == [
            (each["status"], each["error"]) for each in seen[1:]
        ]


def test_many_long_runs_are_compared_at_once():
    """A run of thousands of iterations is compared quickly, and the changed one is named."""
    rows = [f"{at} " * 20 for at in range(3000)]
    changed = [*rows[:1500], "other", *rows[1501:]]
    old = made(("map", "M", [[0] * 3000]), ("llm", "C", rows), ("reduce", "M", [None]))
    new = made(("map", "M", [[0] * 3000]), ("llm", "C", changed), ("reduce", "M", [None]))
    found = held(old, new)
    assert [(block.name, block.changes[0].path[0]) for block in found.blocks] == [("C", 1500)]


def test_real_answers_are_unchanged_against_themselves():
    """A recorded answer that is parsed again is unchanged."""
    for document in ANSWERS:
        assert not compared(api.parse(document, 0.0), api.parse(document, 9.0)).changed
