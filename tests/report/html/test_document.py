"""The page's data says what a reader needs of each kind of case, as texts that are safe to show."""

from __future__ import annotations

import json

import pytest
from made_sessions import (
    AT,
    attempt,
    block,
    block_change,
    case,
    changed,
    compared,
    failure,
    repeated,
    sequential,
    session,
    trouble,
    wrong,
)

from conftest import SUPPORT
from pytest_dust.compare.baseline import RAN
from pytest_dust.model import Expected, Status
from pytest_dust.report.html.document import MAX_ROWS, MAX_SUMMARY, document
from pytest_dust.report.overview import overview
from pytest_dust.report.record import (
    BlockDriftRecord,
    CaseOutcome,
    ChangeRecord,
    DriftRecord,
    ProblemRecord,
)

HUGE = 2**53 + 1


def of(*cases, **more):
    """Give the page's data of a session, as the page reads it."""
    record = session(*cases, **more)
    return json.loads(json.dumps(document(record, overview(record))))


def of_case(one):
    """Give the page's data of one case."""
    return of(one)["cases"][0]


def texts(value):
    """Give every text of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts(each)


# ── kinds of cases ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("one", "kind", "line"),
    [
        (case(), "passed", ""),
        (changed(), "changed", "label: billing → shipping"),
        (wrong(), "not as expected", 'result.label: expected "billing", actual "shipping"'),
        (trouble(), "no verdict", "there is no cassette"),
        (
            wrong(outcome=CaseOutcome.XFAILED),
            "expected to fail",
            'result.label: expected "billing", actual "shipping"',
        ),
        (case(outcome=CaseOutcome.SKIPPED, attempts=()), "skipped", ""),
        (case(outcome=CaseOutcome.FAILED), "not as expected", ""),
        (changed(outcome=CaseOutcome.PASSED), "changed", "label: billing → shipping"),
    ],
    ids=["passed", "changed", "wrong", "trouble", "xfailed", "skipped", "strict xpass", "reported only"],
)
def test_a_case_is_of_one_kind_and_says_in_a_line_how_it_differs(one, kind, line):
    """Each case has one kind, and the line beside its name says what differs, if anything does."""
    found = of_case(one)
    assert found["kind"] == kind
    assert "".join(text for text, _ in found["line"]) == line


def test_the_line_of_a_changed_case_has_only_the_words_that_differ():
    """In the line of two long texts that changed, the differing words are marked and the others left out."""
    old, new = "A refund takes up to 5 working days", "A refund takes up to 7 working weeks"
    line = of_case(changed(run=compared(old, new, count=3)))["line"]
    assert line == [
        ["label: ", ""],
        ["5 … days", "del"],
        [" → ", ""],
        ["7 … weeks", "ins"],
        [" (+2 more)", ""],
    ]


def test_the_line_is_bounded():
    """The line of a case stays short, however long the texts are."""
    line = of_case(changed(run=compared("a " * 20_000, "b " * 20_000)))["line"]
    assert len("".join(text for text, _ in line)) < MAX_SUMMARY
    assert len(of_case(wrong("refund", failure("a" * 999, "b" * 999)))["summary"]) <= MAX_SUMMARY + 1


def test_a_case_in_trouble_shows_its_whole_message_and_the_command():
    """A case without a verdict shows what went wrong, no answer, and the command that runs it again."""
    found = of_case(trouble(message="no connection\n  start the service"))
    assert found["message"] == "no connection\n  start the service"
    assert found["todo"] == ["To run it again", "pytest answer.dust.yaml::refund"]
    assert not {"failures", "result", "change", "blocks"} & found.keys()


def test_a_passed_case_shows_its_answer():
    """A case that passed shows what was asked and the answer."""
    found = of_case(case())
    assert found["asked"] == [[["question", "Where is my refund?"]]]
    assert json.loads(found["result"]) == {"label": "billing"}
    assert (found["failures"], found["change"]) == ([], None)


def test_an_errored_run_names_its_error():
    """A run that ended with an error shows the error, and the block that failed has it too."""
    error = "PRICE (code): no price"
    failed = block("PRICE", "code", output=None, error="no price")
    run = attempt(status=Status.ERRORED, error=error, blocks=(failed,))
    found = of_case(case(attempts=(run,)))
    assert (found["error"], found["blocks"][0]["error"]) == (error, "no price")


def test_reasons_stand_beside_skipped_cases():
    """A case that was skipped, or is expected to fail, says why."""
    assert of_case(case(outcome=CaseOutcome.SKIPPED, reason="too slow"))["reason"] == "too slow"


@pytest.mark.parametrize("plural", [False, True])
def test_each_input_is_shown(plural):
    """A case with one input shows it, one with several shows each."""
    inputs = [{"question": "Hi"}, {"question": "Ho", "limit": 3}]
    found = of_case(case(inputs=inputs if plural else inputs[1], plural=plural))
    second = [["question", "Ho"], ["limit", "3"]]
    assert found["asked"] == ([[["question", "Hi"]], second] if plural else [second])


# ── failures ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("one", "path", "old", "new", "note"),
    [
        (failure(), "result.label", "billing", "shipping", None),
        (failure(3, "3"), "result.label", "3", '"3"', None),
        (
            failure(expected=Expected("contains", "x"), actual="abc"),
            "result.label",
            'contains "x"',
            '"abc"',
            "",
        ),
        (failure(actual=None, found=False, note="no label"), "result.label", '"billing"', None, "no label"),
        (
            failure(changes=(ChangeRecord(("a", 0), 1, 2),), count=1),
            "result.label.a[0]",
            "1",
            "2",
            None,
        ),
        (
            failure(changes=(ChangeRecord(("a",), None, 2, "added"),), count=1),
            "result.label.a",
            None,
            "2",
            None,
        ),
    ],
    ids=["text", "number and text", "matcher", "nothing found", "structure", "surplus"],
)
def test_a_failure_is_a_row_of_expected_and_actual(one, path, old, new, note):
    """A failed expectation is a row: its path, what was expected, what came, and why it does not match."""
    row = of_case(wrong("refund", one))["failures"][0]

    def joined(side):
        return None if side is None else "".join(text for text, _ in side)

    assert (row["path"], joined(row["old"]), joined(row["new"]), row.get("note")) == (path, old, new, note)


def test_failures_that_the_record_left_out_are_counted():
    """The page says how many failed expectations are not shown."""
    run = attempt(failures=(failure(),), failure_count=7)
    assert of_case(wrong(attempts=(run,)))["more"] == 6


# ── changes ──────────────────────────────────────────────────────────────────────────────────────


def test_a_change_shows_both_sides_with_the_differing_words_apart():
    """Of two texts, the words that differ are parts of their own, and lines stay lines."""
    row = of_case(changed(run=compared("one\ntwo three", "one\nfour three")))["change"]["values"][0]
    assert row["old"] == [["one", False], ["\n", False], ["two", True], [" three", False]]
    assert row["new"] == [["one", False], ["\n", False], ["four", True], [" three", False]]


def test_a_change_says_where_it_begins_and_what_follows():
    """The block in which the change begins is named with its position, the others follow it."""
    change = of_case(changed())["change"]
    assert (change["begins"], change["position"]) == ("CLASSIFY (llm)", "block 2 of 3")
    assert (change["day"], change["then"]) == (AT[:16].replace("T", " "), ["ANSWER"])


def test_a_change_of_one_input_says_which():
    """With several inputs the page says for which one the change begins, and where another one's begins."""
    one = ChangeRecord(("output",), 1, 2)
    blocks = (block_change("llm", "CLASSIFY", one, input=2), block_change("code", "ANSWER", one, input=3))
    change = of_case(changed(run=compared(blocks=blocks)))["change"]
    assert change["position"] == "block 2 of 3, input 2"
    assert change["then"] == ["ANSWER (input 3): it begins here"]


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (ChangeRecord((), None, RAN, "added"), "added: the recording has no such block"),
        (ChangeRecord((), RAN, None, "removed"), "removed: this run has no such block"),
    ],
)
def test_an_added_or_removed_block_says_so(change, note):
    """A block that only one run has is a row with a sentence in place of values."""
    run = compared(blocks=(block_change("code", "EXTRA", change),))
    row = of_case(changed(run=run))["change"]["rows"][0]
    assert (row["path"], row["old"], row["new"], row["note"]) == ("the block", None, None, note)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (("output", "label"), "output.label"),
        ((2, "output"), "iteration 3 output"),
        ((), "the block"),
        (("a b", "c"), '"a b".c'),
    ],
)
def test_a_path_is_written_for_readers(path, shown):
    """Iterations count from 1; a change of the whole block says so."""
    run = compared(blocks=(block_change("llm", "CLASSIFY", ChangeRecord(path, 1, 2)),))
    assert of_case(changed(run=run))["change"]["rows"][0]["path"] == shown


def test_changes_beyond_the_limit_are_counted():
    """Of a block with thousands of changes the first are shown, and the number of the others."""
    many = tuple(ChangeRecord((at,), 1, 2) for at in range(50))
    run = compared(values=many, count=5_000, blocks=(block_change("code", "LIST", *many, count=5_000),))
    change = of_case(changed(run=run))["change"]
    assert (len(change["values"]), change["count"]) == (MAX_ROWS, 5_000)
    assert (len(change["rows"]), change["rows"][-1]["path"]) == (MAX_ROWS + 1, "and 4,980 more")


def test_what_was_not_compared_says_why():
    """A run that was not compared says why, and so does a part that differs in every run."""
    found = of_case(case(attempts=(attempt(comparison=compared(not_compared="no run", values=())),)))
    assert found["change"]["not_compared"] == "no run"
    assert of_case(changed(run=compared(left_out=("curl date",))))["change"]["left_out"] == ["curl date"]


# ── blocks and attempts ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("one", "key", "shown"),
    [
        (block("A", usage={"total_tokens": 1234}), "tokens", "1,234 tokens"),
        (block("A", usage={"total_tokens": None}), "tokens", "unknown tokens"),
        (block("A"), "tokens", ""),
        (block("A", iterations=3), "iterations", "3"),
        (block("A", iterations=[1, 2]), "iterations", "1 + 2"),
        (block("A", iterations=[1, 1]), "iterations", ""),
        (block("A", started=0.1, duration=0.0421), "time", "42 ms"),
        (block("A", started=0.1, duration=3.21), "time", "3.2 s"),
        (block("A"), "time", ""),
        (block("A", error=[[None, None], None]), "error", ""),
        (block("A", is_cut=True), "is_cut", True),
    ],
)
def test_a_block_shows_what_it_took(one, key, shown):
    """A block says how often it ran, how long, with how many tokens, and whether its output is cut."""
    assert of_case(case(attempts=(attempt(blocks=(one,)),)))["blocks"][0][key] == shown


def test_a_repeated_case_shows_each_attempt_and_the_pass_rate():
    """Of a repeated case, each attempt is shown with its result, and how many passed and must pass."""
    found = of_case(repeated(True, False, True, must=3))["attempts"]
    assert [passed for passed, _, _, counts in found["each"] if counts] == [True, False, True]
    assert found["each"][1][2] == 'result.label: expected "billing", actual "shipping"'
    assert found["rate"] == "2 of 3 attempts passed (67%, 95% interval 21% to 94%); 3 must"
    assert found["shown"] == 2


def test_surplus_attempts_do_not_count():
    """Attempts after the verdict of a sequential test are surplus, and the page says why it stopped."""
    found = of_case(sequential(True, False, False, True, counted=3))["attempts"]
    assert [counts for _, _, _, counts in found["each"]] == [True, True, True, False]
    rate = "1 of 3 attempts passed (33%, 95% interval 6% to 79%)"
    assert (found["rate"], found["shown"]) == (f"{rate}; stopped because too many failed", 2)


def test_a_case_that_runs_once_has_no_attempts():
    """A case that is not repeated shows no attempts."""
    assert of_case(case())["attempts"] is None


# ── groups ───────────────────────────────────────────────────────────────────────────────────────


def test_groups_begin_with_the_most_urgent_and_end_with_quiet_ones():
    """Changed cases come first, by the block in which the change begins; passed ones are last and quiet."""
    found = of(case("a"), trouble("b"), wrong("c"), *(changed(f"d{at}") for at in range(5)))
    assert [(group["title"], group["quiet"]) for group in found["groups"]] == [
        ("5 cases: the change begins in CLASSIFY (llm)", False),
        ("1 case is not as expected; no change is known", False),
        ("1 case has no verdict", False),
        ("1 case passed, as recorded or as expected", True),
    ]
    assert found["groups"][0]["look"] == 3
    assert found["counts"] == [["not as expected", 1], ["changed", 5], ["no verdict", 1], ["passed", 1]]


def test_a_group_shows_first_the_cases_that_differ_from_each_other():
    """The cases to look at come first in their group: each shows another change."""
    runs = [compared(new=new) for new in ("x", "x", "x", "y", "z")]
    found = of(*(changed(f"case-{at}", run=run) for at, run in enumerate(runs)))
    ordered = [found["cases"][at]["name"] for at in found["groups"][0]["cases"]]
    assert ordered == ["case-0", "case-3", "case-4", "case-1", "case-2"]


def test_the_edit_of_a_block_stands_beside_the_cause():
    """If a drift check knows how the block in which a change begins was edited, the group shows the edit."""
    edit = BlockDriftRecord("llm", "CLASSIFY", "changed", (ChangeRecord(("prompt",), "Be kind", "Be brief"),))
    drift = DriftRecord("a", "a", SUPPORT, "old", drifted=True, blocks=(edit,))
    row = of(changed(), drifts=(drift,))["groups"][0]["edited"][0]
    assert row["old"] == [["Be", False], [" ", False], ["kind", True]]


def test_problems_of_suites_are_shown():
    """A suite that could not be read is named with what is wrong in it."""
    problem = ProblemRecord("a.dust.yaml", "line 3:\n  unknown key")
    assert of(problems=(problem,))["problems"] == [["a.dust.yaml", "line 3:\n  unknown key"]]


# ── values ───────────────────────────────────────────────────────────────────────────────────────


def test_large_numbers_are_exact():
    """A number that JavaScript would round is shown with all its digits, in every part of the page."""
    run = attempt(
        comparison=compared(HUGE, HUGE + 1),
        result={"n": HUGE},
        blocks=(block("CLASSIFY", output=HUGE, started=0.0, duration=0.0),),
    )
    found = of_case(changed(attempts=(run,), inputs={"n": HUGE}, config={"A": {"n": HUGE}}))
    assert found["change"]["values"][0]["old"] == [[str(HUGE), True]]
    assert found["change"]["values"][0]["new"] == [[str(HUGE + 1), True]]
    shown = [
        found["asked"][0][0][1],
        found["result"],
        found["blocks"][0]["output"],
        dict(found["facts"])["config"],
    ]
    assert all(str(HUGE) in text for text in shown)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("a\u202eb", "a\\u202eb"),
        ("a\x1b[31mb", "a\\u001b[31mb"),
        ("a\x00b", "a\\u0000b"),
        ("a\u2028b", "a\\u2028b"),
        ("a\ud800b", "a\\ud800b"),
        ("a\u200bb", "a\\u200bb"),
    ],
    ids=["bidi", "ANSI", "NUL", "line separator", "lone surrogate", "zero width"],
)
def test_invisible_characters_are_escaped_everywhere(hostile, shown):
    """Characters that are invisible, or control a terminal or the direction, are escaped in every text."""
    run = attempt(
        comparison=compared(hostile, f"{hostile}!", cause=("llm", hostile)),
        error=hostile,
        status=Status.ERRORED,
        failures=(failure(hostile, f"{hostile}?", note=hostile, path=hostile),),
        failure_count=1,
        blocks=(block(hostile, hostile, output={hostile: hostile}, error=hostile),),
        result=hostile,
    )
    one = wrong(
        hostile,
        attempts=(run,),
        file=f"{hostile}.dust.yaml",
        description=hostile,
        reason=hostile,
        inputs={hostile: hostile},
        config={hostile: hostile},
        app=hostile,
        row=hostile,
    )
    found = of(one, trouble(message=hostile), problems=(ProblemRecord(hostile, hostile),))
    every = list(texts(found))
    assert not [text for text in every if hostile in text]
    assert sum(shown in text or shown.replace("\\", "\\\\") in text for text in every) > 20
