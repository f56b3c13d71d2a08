"""The regression gate: what counts as a change, where it began, and what becomes of the case."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import pytest
from answers import answer, bounded, parsed, ran, runs
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from stages import ON_CHANGE, WIDE, Stage, document, last

from conftest import GOLDEN, SUPPORT, dust_server, stable, suite
from pytest_dust.compare import baseline
from pytest_dust.dust import wire as api
from pytest_dust.dust.run_view import viewed
from pytest_dust.model import Baseline

REFUND = "input: {question: Where is my refund?}\n"


def failed(text: str) -> dict[str, Any]:
    """Give an execution that failed."""
    return {"value": None, "error": text, "meta": None}


def told(result: Any) -> dict[str, str]:
    """Give each failed case with its headline."""
    return dict(re.findall(r"^FAILED \S+?::(\S+) - (.*)$", result.out, re.MULTILINE))


@pytest.fixture
def stage(project, server):
    """A service whose runs the test writes."""
    return Stage(project, server)


@pytest.fixture
def made(made):
    """A function that gives a project with one recorded suite of the example server's, online, and wide."""
    return lambda *given: made(*given).exporting(COLUMNS=WIDE)


@pytest.fixture
def golden_in_colour(project):
    """Compare coloured output with `golden/NAME.txt`, which has each escape in angle quotes."""

    def hold(name: str, text: str) -> None:
        path = GOLDEN / f"{name}.txt"
        found = stable(re.sub(r"\x1b\[([\d;]*)m", r"‹\1›", text), project.root)
        found = re.sub(r"in N\.NNs|in \d+\.\d\ds", "in N.NNs", found)
        if os.environ.get("UPDATE_GOLDEN") == "1":
            path.write_text(found, encoding="utf-8")
        assert found == path.read_text(encoding="utf-8")

    return hold


# ── the keys of `baseline` ───────────────────────────────────────────────────────────────────────


A = ("code", "A", [1])
ROWS = [{"id": 1, "x": 1}, {"id": 2, "x": 2}]
TEXT = "A refund takes up to five working days."
OTHER_TEXT = "Please call us on Monday before noon."
KEYS: dict[str, tuple[tuple[Any, ...], bool]] = {
    "plain-same": ((last({"a": 1}), last({"a": 1})), False),
    "plain-other": ((last({"a": 1}), last({"a": 2})), True),
    "earlier-block": ((last(1, ("code", "A", [1])), last(1, ("code", "A", [2]))), False),
    "compare-block": (
        (
            last(1, ("code", "A", [1])),
            last(1, ("code", "A", [2])),
            "baseline: {compare: [blocks.A.output]}",
        ),
        True,
    ),
    "compare-other-block": ((last(1, A), last(2, A), "baseline: {compare: [blocks.A.output]}"), False),
    "compare-expression": (
        (last(ROWS), last([{"id": 1, "x": 1}, {"id": 3, "x": 2}]), 'baseline: {compare: ["result[*].x"]}'),
        False,
    ),
    "compare-expression-other": (
        (last(ROWS), last([{"id": 1, "x": 9}]), 'baseline: {compare: ["result[*].x"]}'),
        True,
    ),
    "ignore-anchored": (
        (last({"id": 1, "x": 1}), last({"id": 2, "x": 1}), "baseline: {ignore: [result.id]}"),
        False,
    ),
    "ignore-anchored-elsewhere": (
        (last({"a": {"id": 1}}), last({"a": {"id": 2}}), "baseline: {ignore: [result.id]}"),
        True,
    ),
    "ignore-star": (
        (
            last(ROWS),
            last([{"id": 5, "x": 1}, {"id": 6, "x": 2}]),
            'baseline: {ignore: ["result.*.id"]}',
        ),
        False,
    ),
    "ignore-index": (
        (last(ROWS), last([{"id": 5, "x": 1}, {"id": 2, "x": 2}]), 'baseline: {ignore: ["result[0].id"]}'),
        False,
    ),
    "ignore-other-index": (
        (last(ROWS), last([{"id": 1, "x": 1}, {"id": 5, "x": 2}]), 'baseline: {ignore: ["result[0].id"]}'),
        True,
    ),
    "ignore-bare": (
        (last({"a": [{"id": 1}], "id": 1}), last({"a": [{"id": 2}], "id": 3}), "baseline: {ignore: [id]}"),
        False,
    ),
    "ignore-bare-other": ((last({"a": 1}), last({"a": 2}), "baseline: {ignore: [id]}"), True),
    "ignore-logprobs": (
        (last({"t": 1, "logprobs": [1]}), last({"t": 1}), "baseline: {ignore: [logprobs]}"),
        False,
    ),
    "similar-enough": (
        (last(TEXT), last(TEXT.replace("five", "fine")), "baseline: {similar: 0.9}"),
        False,
    ),
    "similar-nested": (
        (last({"a": [TEXT]}), last({"a": [TEXT + "!"]}), "baseline: {similar: 0.9}"),
        False,
    ),
    "similar-in-any-order": (
        (
            last([TEXT, OTHER_TEXT, 1]),
            last([1, OTHER_TEXT + "!", TEXT + "!"]),
            "baseline: {similar: 0.9, unordered: true}",
        ),
        False,
    ),
    "similar-rows-in-any-order": (
        (
            last([{"t": TEXT, "id": 1}, {"t": OTHER_TEXT, "id": 2}]),
            last([{"t": OTHER_TEXT + "!", "id": 2}, {"t": TEXT + "!", "id": 1}]),
            "baseline: {similar: 0.9, unordered: true}",
        ),
        False,
    ),
    "similar-other-rows-in-any-order": (
        (
            last([{"t": TEXT, "id": 1}, {"t": OTHER_TEXT, "id": 2}]),
            last([{"t": OTHER_TEXT, "id": 1}, {"t": TEXT, "id": 2}]),
            "baseline: {similar: 0.9, unordered: true}",
        ),
        True,
    ),
    "similar-too-far": ((last(TEXT), last("No."), "baseline: {similar: 0.9}"), True),
    "similar-no-texts": ((last(1), last(2), "baseline: {similar: 0}"), True),
    "digits-enough": (
        (last({"x": 0.12345}), last({"x": 0.12349}), "baseline: {significant_digits: 3}"),
        False,
    ),
    "digits-too-far": (
        (last({"x": 0.12345}), last({"x": 0.125}), "baseline: {significant_digits: 3}"),
        True,
    ),
    "digits-whole": ((last(100_001), last(100_002), "baseline: {significant_digits: 3}"), False),
    "digits-bool": ((last(True), last(1), "baseline: {significant_digits: 3}"), True),
    "ordered": ((last([1, 2]), last([2, 1])), True),
    "unordered": ((last([1, 2]), last([2, 1]), "baseline: {unordered: true}"), False),
    "unordered-nested": (
        (last({"a": [[1, 2], [3]]}), last({"a": [[3], [2, 1]]}), "baseline: {unordered: true}"),
        False,
    ),
    "unordered-times": ((last([1, 1, 2]), last([1, 2, 2]), "baseline: {unordered: true}"), True),
    "status": (
        (last(1, A), document(("code", "A", [failed("no")]), status="errored")),
        True,
    ),
    "status-uncompared": (
        (
            last(1, A),
            document(A, ("code", "LAST", [failed("no")]), status="errored"),
            "baseline: {compare: [blocks.A.output]}",
        ),
        True,
    ),
    "error-uncompared": (
        (
            document(A, ("code", "LAST", [failed("no")]), status="errored"),
            document(A, ("code", "LAST", [failed("never")]), status="errored"),
            "baseline: {compare: [blocks.A.output]}",
        ),
        True,
    ),
    "both-errored": (
        (
            document(A, ("code", "LAST", [failed("no")]), status="errored"),
            document(A, ("code", "LAST", [failed("no")]), status="errored"),
        ),
        False,
    ),
    "several-inputs": (
        (document(("code", "LAST", [1], [2])), document(("code", "LAST", [1], [3]))),
        True,
    ),
    "several-inputs-ignored": (
        (
            document(("code", "LAST", [{"id": 1}], [{"id": 2}])),
            document(("code", "LAST", [{"id": 3}], [{"id": 4}])),
            'baseline: {ignore: ["results.*.id"]}',
        ),
        False,
    ),
}


def test_what_counts_as_a_change(stage):
    """Each key of `baseline` decides, in a case, whether a difference from the recording counts."""
    result = stage.play({name: pair for name, (pair, _) in KEYS.items()}, ON_CHANGE)
    found = {name: name in told(result) for name in KEYS}
    assert found == {name: changed for name, (_, changed) in KEYS.items()}


def test_a_swapped_comparison_says_the_same(stage):
    """Whether a run has changed does not depend on which of the two is the recording."""
    swapped = {name: (pair[1], pair[0], *pair[2:]) for name, (pair, _) in KEYS.items()}
    result = stage.play(swapped, ON_CHANGE)
    found = {name: name in told(result) for name in KEYS}
    assert found == {name: changed for name, (_, changed) in KEYS.items()}


def test_a_baseline_of_the_suite_holds_for_its_cases(stage):
    """A suite's baseline is used in every case; a case overrides it key by key."""
    pairs = {
        "inherits": (last({"id": 1, "x": 1}), last({"id": 2, "x": 1})),
        "inherits-change": (last({"id": 1, "x": 1}), last({"id": 2, "x": 2})),
        "adds": (
            last({"id": 1, "x": 1}),
            last({"id": 2, "x": 1.001}),
            "baseline: {significant_digits: 2}",
        ),
        "replaces": (last({"id": 1, "x": 1}), last({"id": 2, "x": 1}), "baseline: {ignore: [x]}"),
        "reports": (last({"id": 1, "x": 1}), last({"x": 2}), "baseline: {on_change: report}"),
    }
    result = stage.play(pairs, extra="baseline: {ignore: [id], on_change: fail}\n")
    assert set(told(result)) == {"inherits-change", "replaces"}


@pytest.mark.parametrize(
    ("written", "option", "fails"),
    [
        ("", (), False),
        ("", (ON_CHANGE,), True),
        ("baseline: {on_change: fail}", (), True),
        ("baseline: {on_change: report}", (), False),
        ("baseline: {on_change: fail}", ("--dust-on-change=report",), False),
        ("baseline: {on_change: report}", (ON_CHANGE,), True),
    ],
)
def test_on_change_decides_whether_a_change_fails(stage, written, option, fails):
    """A change fails a passing case only if on_change says so; the option overrides the suite."""
    result = stage.play({"c": (last(1), last(2), *([written] if written else []))}, *option)
    assert result.outcomes == ({"failed": 1} if fails else {"passed": 1})
    assert ("(on_change: fail)" in result.out) == fails
    assert "it begins in LAST (code)" in result.out


@pytest.mark.parametrize("source", ["ini", "environment"])
def test_on_change_may_be_set_by_ini_and_environment(stage, source):
    """The option may be set by ini and by the environment."""
    if source == "ini":
        stage.project = stage.project.having({"pytest.ini": "[pytest]\ndust_on_change = fail\n"})
    else:
        stage.project = stage.project.exporting(DUST_ON_CHANGE="fail")
    assert stage.play({"c": (last(1), last(2))}).outcomes == {"failed": 1}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("[result]", "baseline is a mapping"),
        ("{}", "baseline is a mapping"),
        ("{compair: [result]}", 'unknown key "compair"'),
        ("{compare: result}", "compare is a list of paths"),
        ("{compare: []}", "compare is a list of paths"),
        ("{compare: ['result[']}", "not a JMESPath"),
        ("{compare: [{a: 1}]}", "a path"),
        ("{ignore: id}", "ignore is a list of paths"),
        ("{similar: 2}", "similar is a number from 0 to 1"),
        ("{similar: true}", "similar is a number from 0 to 1"),
        ("{similar: much}", "similar is a number from 0 to 1"),
        ("{significant_digits: 0}", "significant_digits is a whole number from 1 to 17"),
        ("{significant_digits: 2.5}", "significant_digits is a whole number from 1 to 17"),
        ("{unordered: 1}", "unordered is true or false"),
        ("{on_change: fial}", "on_change is fail or report (did you mean fail?)"),
        ("{on_change: [fail]}", "on_change is fail or report"),
    ],
)
@pytest.mark.parametrize("where", ["suite", "case"])
def test_a_wrong_baseline_is_a_mistake_of_the_suite(project, server, written, message, where):
    """A wrong value in `baseline` ends collection with its place and what is allowed."""
    line = f"baseline: {written}\n"
    case = f"cases:\n  - id: a\n    {REFUND}" + (f"    {line}" if where == "case" else "")
    text = suite(server, SUPPORT, case, line if where == "suite" else "")
    result = project.having({"suite.dust.yaml": text}).run()
    row = 3 if where == "suite" else 6
    assert result.outcomes == {"error": 1}
    assert re.search(rf"suite\.dust\.yaml:{row}:\d+: .*{re.escape(message)}", result.out)


def test_a_wrong_option_ends_the_session(project):
    """A wrong value of --dust-on-change is refused before anything is collected."""
    result = project.run("--dust-on-change=fial")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "did you mean fail?" in result.err


# ── where it began ───────────────────────────────────────────────────────────────────────────────

IN, B, C = ("input", "IN", [0]), ("code", "B", [2]), ("code", "C", [3])
BEGINS: dict[str, tuple[tuple[Any, ...], str]] = {
    "first": (
        (document(IN, A, B, C), document(IN, ("code", "A", [9]), B, ("code", "C", [4]))),
        "it begins in A (code)",
    ),
    "last": ((document(IN, A, B, C), document(IN, A, B, ("code", "C", [4]))), "it begins in C (code)"),
    "added": (
        (document(IN, A, C), document(IN, A, B, ("code", "C", [4]))),
        "it begins in B (code)",
    ),
    "removed": (
        (document(IN, A, B, C), document(IN, A, ("code", "C", [4]))),
        "it begins in B (code)",
    ),
    "renamed": (
        (document(IN, A, B, C), document(IN, A, ("code", "NEW", [2]), ("code", "C", [4]))),
        "it begins in B (code)",
    ),
    "reordered": (
        (document(IN, A, B, C), document(IN, B, A, ("code", "C", [4]))),
        "it begins in C (code)",
    ),
    "fails": (
        (document(IN, A, B, C), document(IN, A, ("code", "B", [failed("no")]), status="errored")),
        "it begins in B (code)",
    ),
    "recovers": (
        (document(IN, A, ("code", "B", [failed("no")]), status="errored"), document(IN, A, B, C)),
        "it begins in B (code)",
    ),
    "inserted": (
        (
            document(IN, ("map", "M", [[1, 2]]), ("llm", "L", ["a", "b"]), ("reduce", "M", [None]), C),
            document(
                IN,
                ("map", "M", [[1, 2]]),
                ("llm", "L", ["a", "x", "b"]),
                ("reduce", "M", [None]),
                ("code", "C", [4]),
            ),
        ),
        "it begins in L (llm)",
    ),
    "volatile": (
        (
            document(IN, ("code", "A", [{"id": 1}]), B, C),
            document(IN, ("code", "A", [{"id": 2}]), ("code", "B", [7]), ("code", "C", [4])),
            "baseline: {ignore: [id]}",
        ),
        "it begins in B (code)",
    ),
    "second-input": (
        (
            document(("input", "IN", [0], [1]), ("code", "A", [1], [1]), ("code", "C", [3], [3])),
            document(("input", "IN", [0], [1]), ("code", "A", [1], [9]), ("code", "C", [3], [9])),
        ),
        "it begins in A (code)",
    ),
}


IGNORED_X = "baseline: {ignore: [result.x]}"
RESULTS: dict[str, tuple[tuple[Any, ...], str]] = {
    "the-last-block": (
        (
            document(IN, A, ("code", "LAST", [{"x": 1, "y": 1}])),
            document(IN, ("code", "A", [9]), ("code", "LAST", [{"x": 2, "y": 1}])),
            IGNORED_X,
        ),
        "Nothing that counts changed since the recording of DATE, but on the way A.",
    ),
    "another-block": (
        (
            document(IN, ("code", "A", [{"x": 1}]), ("code", "LAST", [{"x": 1, "y": 1}])),
            document(IN, ("code", "A", [{"x": 2}]), ("code", "LAST", [{"x": 2, "y": 2}])),
            IGNORED_X,
        ),
        "it begins in A (code), block 2 of 3:",
    ),
    "what-else-it-gives": (
        (
            document(IN, A, ("code", "LAST", [{"x": 1, "y": {"x": 1}}])),
            document(IN, A, ("code", "LAST", [{"x": 2, "y": {"x": 2}}])),
            IGNORED_X,
        ),
        "it begins in LAST (code), block 3 of 3:",
    ),
    "before-a-new-last-block": (
        (
            document(IN, A, ("code", "LAST", [{"x": 1}])),
            document(IN, A, ("code", "LAST", [{"x": 2}]), ("code", "NEW", [7])),
            IGNORED_X,
        ),
        "it begins in NEW (code), block 4 of 4:",
    ),
    "by-its-own-path": (
        (
            document(IN, ("code", "A", [{"x": 1}]), ("code", "LAST", [{"x": 1, "y": 1}])),
            document(IN, ("code", "A", [{"x": 2}]), ("code", "LAST", [{"x": 2, "y": 2}])),
            "baseline: {ignore: [blocks.A.output.x, blocks.LAST.output.x]}",
        ),
        "it begins in LAST (code), block 3 of 3:",
    ),
    "several-inputs": (
        (
            document(("input", "IN", [0], [1]), ("code", "LAST", [{"x": 1, "y": 1}], [{"x": 1, "y": 1}])),
            document(("input", "IN", [0], [1]), ("code", "LAST", [{"x": 2, "y": 1}], [{"x": 2, "y": 2}])),
            'baseline: {ignore: ["results[*].x"]}',
        ),
        "it begins in LAST (code), block 2 of 2, input 2:",
    ),
    "iterations": (
        (
            document(IN, ("map", "M", [[1, 2]]), ("llm", "L", [{"x": 1, "y": 1}, {"x": 1, "y": 2}])),
            document(IN, ("map", "M", [[1, 2]]), ("llm", "L", [{"x": 2, "y": 1}, {"x": 2, "y": 3}])),
            'baseline: {ignore: ["result[*].x"]}',
        ),
        "it begins in L (llm), block 3 of 3:",
    ),
}


def test_what_is_ignored_of_the_result_is_so_of_the_block_that_gives_it(stage):
    """An ignored path of the result is ignored in the last block's output too, in no other's."""
    pairs = {name: pair for name, (pair, _) in RESULTS.items()}
    result = stage.play(pairs, ON_CHANGE).example.replacing("s.dust.yaml", "string", "number")
    report = re.sub(r"20\d\d-\d\d-\d\d", "DATE", result.run("--dust-mode=live").report)
    found = dict(re.findall(r"^_+ s\.dust\.yaml::(\S+) +_+$(.*?)(?=^_|^=)", report, re.DOTALL | re.MULTILINE))
    assert {name: told for name, (_, told) in RESULTS.items() if told not in found[name]} == {}
    assert "output[0].x" not in report


def test_where_each_change_begins(stage):
    """The headline names the first block whose output changed, whatever became of the blocks."""
    result = stage.play({name: pair for name, (pair, _) in BEGINS.items()}, ON_CHANGE)
    found = {name: headline.split(":")[0] for name, headline in told(result).items()}
    assert found == {name: begins for name, (_, begins) in BEGINS.items()}


def test_an_inserted_element_shifts_nothing(stage):
    """If a map has one more element, only that element is shown."""
    old, new = BEGINS["inserted"][0]
    report = stage.play({"inserted": (old, new)}, ON_CHANGE).report
    assert re.search(r'L +iteration 2 +nothing → \{"output": "x"\}', report)
    assert "iteration 3" not in report
    assert "then: C (1 value)" in report


def test_each_input_is_traced_on_its_own(stage):
    """If inputs changed in different blocks, the report names the first block for each."""
    old = document(("input", "IN", [0], [1], [2]), ("code", "A", [1], [1], [1]), ("llm", "C", [3], [3], [3]))
    new = document(("input", "IN", [0], [1], [2]), ("code", "A", [1], [1], [9]), ("llm", "C", [3], [4], [9]))
    result = stage.play({"c": (old, new)}, ON_CHANGE)
    assert re.search(r"it begins in A \(code\), block 2 of 3, input 3", result.report)
    assert "for input 2 it begins in C (llm)" in result.report


def test_what_follows_is_folded(stage):
    """Blocks that changed after the first one are named and counted, not shown in full."""
    old = document(IN, A, *(("code", f"B{at}", [at]) for at in range(20)))
    new = document(IN, ("code", "A", [9]), *(("code", f"B{at}", [-1]) for at in range(20)))
    report = stage.play({"c": (old, new)}, ON_CHANGE).report
    then = re.search(r"then: (.*) \((\d+) values\)", report)
    assert then[1].startswith("B0, B1, B2")
    assert then[1].endswith("… 8 more")
    assert then[2] == "20"


def test_what_changed_on_the_way_alone_is_said_so(stage):
    """A failed expectation with an unchanged result shows the blocks that changed before it."""
    old, new = document(IN, A, B), document(IN, ("code", "A", [9]), B)
    result = stage.play({"c": (old, new, "marks: []")})
    example = result.example.replacing("s.dust.yaml", "type: string", "type: number")
    report = example.run("--dust-mode=live").report
    assert re.search(r"Nothing that counts changed since the recording of \S+, but on the way A\.", report)


def test_a_filter_shows_only_its_blocks(made, server):
    """With a block_filter on both sides, the change begins in the first block of the filter."""
    example = made(SUPPORT, REFUND, "block_filter: [LOOKUP, ANSWER]\n")
    server.drift()
    result = example.run("--dust-mode=live", ON_CHANGE)
    assert "it begins in LOOKUP (data_source), block 1 of 2" in result.out


@pytest.mark.parametrize(("old", "new"), [("", "[CLASSIFY, ANSWER]"), ("[CLASSIFY, ANSWER]", "")])
def test_another_filter_on_one_side_says_so(made, server, old, new):
    """A recording with another block_filter is not reported as changed blocks."""
    lines = [f"block_filter: {names}\n" if names else "" for names in (old, new)]
    example = made(SUPPORT, REFUND, lines[0])
    head, rest = example.files["suite.dust.yaml"].decode().split("input:")
    head = head.replace(lines[0], "") + lines[1]
    example = example.having({"suite.dust.yaml": f"{head}input:{rest}"})
    result = example.run("--dust-mode=live", ON_CHANGE)
    assert result.outcomes == {"passed": 1}
    server.drift()
    assert "it begins in CLASSIFY (llm)" in example.run("--dust-mode=live", ON_CHANGE).out


# ── modes ────────────────────────────────────────────────────────────────────────────────────────


def test_rerecord_shows_what_it_replaces(made, server):
    """A rerecorded case is compared with the cassette it replaces; a change does not fail it."""
    example = made(SUPPORT, REFUND)
    server.drift()
    result = example.run("--dust-mode=rerecord", ON_CHANGE)
    assert result.outcomes == {"passed": 1}
    assert "it begins in CLASSIFY (llm)" in result.out
    assert result.example.cassettes != example.cassettes
    again = result.example.run("--dust-mode=rerecord", ON_CHANGE)
    assert "it begins in" not in again.out


def test_record_shows_what_a_stale_cassette_said(made, server):
    """A cassette that no longer fits is compared with the one that replaces it."""
    example = made(SUPPORT, REFUND)
    server.save_edited(SUPPORT)
    stale = example.replacing("suite.dust.yaml", server.hash(SUPPORT), server.hash(SUPPORT, "v2"))
    result = stale.run("--dust-mode=record")
    assert result.outcomes == {"passed": 1}
    assert re.search(
        r"1 case that passed changed since the recording:\n.*it begins in CLASSIFY \(llm\)", result.out
    )


def test_record_compares_nothing_that_fits(made, server):
    """Record mode keeps a cassette that fits, and makes no run to compare."""
    example = made(SUPPORT, REFUND)
    server.drift()
    result = example.run("--dust-mode=record", ON_CHANGE)
    assert server.runs == 0
    assert "it begins in" not in result.out


def test_replay_is_no_comparison(made, server):
    """A replayed case is not compared, and --dust-on-change has no effect on it."""
    example = made(SUPPORT, REFUND)
    server.drift()
    assert example.offline().run(ON_CHANGE).outcomes == {"passed": 1}


def test_live_without_a_recording_compares_nothing(made):
    """A live run without a cassette is judged by its expectations alone."""
    example = made(SUPPORT, REFUND).having({"cassettes/suite/suite.json": None})
    result = example.run("--dust-mode=live", ON_CHANGE)
    assert result.outcomes == {"passed": 1}
    assert result.example.cassettes == {}


def test_changes_come_from_xdist_workers_too(made, server):
    """With pytest-xdist the summary and the reports show the same changes."""
    cases = "cases:\n" + "".join(
        f"  - id: {name}\n    input: {{question: {text}}}\n"
        for name, text in (("refund", "Where is my refund?"), ("parcel", "Track my parcel"))
    )
    example = made(SUPPORT, cases)
    server.drift()
    result = example.run("--dust-mode=live", "-n", "2", subprocess=True)
    assert "1 case that passed changed since the recording" in result.out
    assert "it begins in CLASSIFY (llm)" in result.out


# ── long texts, large runs ───────────────────────────────────────────────────────────────────────


def test_long_texts_differ_by_words(stage):
    """Of a long text, the changed words are shown with the words around them."""
    text = "A refund takes up to 5 working days, and invoices are on the billing page of your account. " * 3
    report = stage.play({"c": (last(text), last(text.replace("5", "7", 1)))}, ON_CHANGE).report
    assert "…refund takes up to [-5-] {+7+} working" in report or "[-5-]{+7+} working days," in report


LINES = "".join(f"line {at} of a long text, as apps write them.\n" for at in range(45_000))
ELEMENTS = [{"id": at, "text": "some words that fill a line " * 12} for at in range(15_000)]
HUGE = {
    "text-word": (LINES, LINES.replace("line 30000 ", "line thirty ", 1), ""),
    "values-unordered": (
        ELEMENTS,
        [{**one, "id": one["id"] + 0.5} for one in reversed(ELEMENTS)],
        "baseline: {unordered: true, significant_digits: 12, ignore: [volatile]}\n",
    ),
}


@pytest.mark.parametrize("name", HUGE)
def test_megabytes_end_and_print_a_screen(made, server, name):
    """Runs of megabytes are compared; the terminal shows one screen, a file shows all."""
    old, new, extra = HUGE[name]
    said = [old]
    assert len(json.dumps(old)) > 2_000_000

    def behaviour(request):
        whole = document(("input", "INPUT", [1]), ("llm", "ANSWER", [{"answer": said[0]}]))
        return dust_server.json_reply(whole) if request.method == "POST" else None

    server.behaviour = behaviour
    example = made(SUPPORT, REFUND, extra)
    said[0] = new
    result = example.run("--dust-mode=live", ON_CHANGE, "--dust-diff-dir=diffs")
    assert "it begins in ANSWER (llm)" in result.report
    assert len(result.report.splitlines()) < 40
    assert max(map(len, result.report.splitlines())) < 700
    assert [*(name for name in result.example.files if name.endswith(".diff"))] == ["diffs/suite/suite.diff"]


def test_the_diff_dir_holds_everything(stage):
    """The file of --dust-diff-dir has every changed value, old above new."""
    old, new = ({f"k{at}": f"{word} {at}" for at in range(50)} for word in ("old", "new"))
    pairs = {"c": (last(old, A), last(new, ("code", "A", [9]))), "same": (last(1), last(1))}
    result = stage.play(pairs, "--dust-diff-dir=out/diffs")
    (name,) = [name for name in result.example.files if name.endswith(".diff")]
    text = result.example.files[name].decode()
    assert name == "out/diffs/s/c.diff"
    assert all(f"- old {at}\n+ new {at}\n" in text for at in range(50))
    assert re.search(r"^A \(code\), block 1 of 2\n\noutput\n- 1\n\+ 9$", text, re.MULTILINE)


def test_no_diff_dir_without_a_change(stage):
    """Without a change no file is written."""
    result = stage.play({"c": (last(1), last(1))}, "--dust-diff-dir=diffs")
    assert not [name for name in result.example.files if name.endswith(".diff")]


# ── golden texts ─────────────────────────────────────────────────────────────────────────────────

GOLDENS = {
    "gate_failed": (
        document(IN, ("llm", "ASK", [{"label": "billing", "text": TEXT * 3}]), B, C),
        document(
            IN,
            ("llm", "ASK", [{"label": "shipping", "text": (TEXT * 3).replace("five", "seven", 1)}]),
            ("code", "B", [7]),
            ("code", "C", [8]),
        ),
    ),
    "gate_inputs": (
        document(("input", "IN", [0], [1]), ("code", "A", [1], [1]), ("llm", "C", [{"x": 3}], [{"x": 3}])),
        document(("input", "IN", [0], [1]), ("code", "A", [1], [9]), ("llm", "C", [{"x": 4}], [{"x": 9}])),
    ),
    "gate_renamed": BEGINS["renamed"][0],
    "gate_added": BEGINS["added"][0],
    "gate_removed": BEGINS["removed"][0],
    "gate_errored": BEGINS["fails"][0],
    "gate_inserted": BEGINS["inserted"][0],
}


@pytest.mark.parametrize("name", GOLDENS)
def test_a_change_that_fails_reads_well(stage, golden, name):
    """The report of a change is as in the golden file."""
    golden(name, stage.play({"c": GOLDENS[name]}, ON_CHANGE).out)


@pytest.mark.parametrize("name", ["gate_failed", "gate_inputs"])
def test_a_change_in_colour(stage, golden_in_colour, name):
    """In colour, the line where the change begins is highlighted."""
    result = stage.play({"c": GOLDENS[name]}, ON_CHANGE, "--color=yes")
    assert re.search(r"\x1b\[1m[^\n]*it begins in ", result.out)
    golden_in_colour(f"{name}_colour", result.out)


def test_a_report_without_failure_in_both(stage, golden):
    """A change that is only reported is in the summary, in short."""
    golden("gate_reported", stage.play({"c": GOLDENS["gate_failed"]}).out)


# ── properties ───────────────────────────────────────────────────────────────────────────────────

rules = st.builds(
    Baseline,
    compare=st.sampled_from([(), ("results",), ("blocks", "status")]),
    ignore=st.sampled_from([(), (("id",),), (("results", "*", "x"),)]),
    significant_digits=st.none() | st.integers(1, 3),
    unordered=st.booleans(),
    similar=st.none() | st.floats(0, 1),
)


def run_of(wire: Any, *, split: bool = True) -> Any:
    """Give a made-up run."""
    status = "errored" if wire.failed else "succeeded"
    return api.parse(answer(wire.split if split else wire.merged, status, wire.blocks), 0.0)


def compared(old: Any, new: Any, held: Baseline, *, plural: bool = True) -> Any:
    """Compare two runs."""
    return baseline.compare(*(viewed(run, plural=plural) for run in (old, new)), held, "")


@bounded
@given(runs(), rules)
def test_a_run_is_unchanged_against_itself(wire, held):
    """Whatever the rules, a run compared with itself has no change."""
    found = compared(run_of(wire), run_of(wire, split=False), held)
    assert (found.values, found.blocks) == ((), ())


@bounded
@given(runs(), runs(), rules)
def test_changed_is_symmetric(one, other, held):
    """Whether two runs differ, and in which blocks, does not depend on their order."""
    there, back = compared(run_of(one), run_of(other), held), compared(run_of(other), run_of(one), held)
    assert there.changed == back.changed
    blocks = [{(each.type, each.name, each.input) for each in found.blocks} for found in (there, back)]
    assert blocks[0] == blocks[1]


outputs = st.lists(st.integers(0, 1), min_size=2, max_size=5)


@bounded
@given(outputs, st.data())
def test_swapping_unchanged_blocks_moves_no_cause(before, data):
    """The order of two unchanged blocks does not change where a change begins."""
    after = data.draw(st.lists(st.integers(0, 1), min_size=len(before), max_size=len(before)))
    same = [at for at, (old, new) in enumerate(zip(before, after, strict=True)) if old == new]
    if len(same) < 2:
        return
    one, other = data.draw(st.permutations(same))[:2]

    def run(values: list[int], order: list[int]) -> Any:
        traces = parsed([[["code", f"B{at}"], [[ran(values[at])]]] for at in order])
        return replace(api.parse(answer([]), 0.0), traces=traces)

    order = list(range(len(before)))
    swapped = list(order)
    swapped[one], swapped[other] = swapped[other], swapped[one]

    def causes(new: list[int]) -> set[str]:
        found = compared(run(before, order), run(after, new), Baseline(), plural=False)
        return {each.name for each in found.blocks if each.cause}

    assert causes(order) == causes(swapped)
