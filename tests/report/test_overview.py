"""The verdict on a session, its cases by kind, and where their changes begin."""

from __future__ import annotations

import pytest
from made_records import FAILED, TEXT, attempt, block, changed, failure, passed, session, trouble, wrong
from msgspec.structs import replace

from pytest_dust.model import Status
from pytest_dust.report.overview import Kind, State, drifted_block, kind, overview
from pytest_dust.report.record import (
    BlockDriftRecord,
    CaseOutcome,
    ChangeRecord,
    DriftRecord,
    ProblemRecord,
    RunSource,
    Selection,
    Verdict,
)

KINDS = [
    (passed(), Kind.PASSED),
    (wrong(), Kind.FAILED),
    (changed(block(TEXT), **FAILED), Kind.CHANGED),
    (changed(block(TEXT), verdict=Verdict.PASSED), Kind.CHANGED),
    (changed(block(TEXT), verdict=Verdict.FAILED, **FAILED), Kind.FAILED),
    (trouble("no cassette"), Kind.TROUBLE),
    (trouble("no cassette", outcome=CaseOutcome.XFAILED), Kind.XFAILED),
    (wrong(outcome=CaseOutcome.XFAILED), Kind.XFAILED),
    (passed(outcome=CaseOutcome.SKIPPED), Kind.SKIPPED),
    (passed(outcome=CaseOutcome.XPASSED), Kind.PASSED),
    (passed(**FAILED), Kind.FAILED),
    (passed(source=RunSource.CHECKED), Kind.CHECKED),
]


@pytest.mark.parametrize(("case", "expected"), KINDS)
def test_the_kind_of_a_case(case, expected):
    """Each case has one kind, by its verdict and by how pytest counts it."""
    assert kind(case) is expected


VERDICTS = [
    ([passed(outcome=CaseOutcome.SKIPPED)], State.INCOMPLETE, "No case ran; 1 case skipped."),
    (
        [trouble("caught", outcome=CaseOutcome.PASSED)],
        State.INCOMPLETE,
        "1 of 1 case needs a look: 1 has no verdict.",
    ),
    (
        [changed(block(TEXT), outcome=CaseOutcome.XFAILED), passed()],
        State.PASSED,
        "1 of 2 cases passed; none failed.",
    ),
    ([], State.INCOMPLETE, "No case ran."),
    ([passed()], State.PASSED, "1 case passed."),
    ([passed(), passed("q")], State.PASSED, "2 cases passed."),
    (
        [passed(source=RunSource.CHECKED)],
        State.PASSED,
        "1 case can be replayed; none was run (--dust-check).",
    ),
    ([passed(), passed("q", outcome=CaseOutcome.SKIPPED)], State.PASSED, "1 of 2 cases passed; none failed."),
    ([wrong(), passed()], State.FAILED, "1 of 2 cases needs a look: 1 is not as expected."),
    (
        [changed(block(TEXT), verdict=Verdict.PASSED), passed()],
        State.CHANGED,
        "1 of 2 cases needs a look: 1 changed.",
    ),
    (
        [changed(block(TEXT), **FAILED), changed(name="d", **FAILED), wrong(), trouble("no")],
        State.FAILED,
        "4 of 4 cases need a look: 2 changed, 1 is not as expected, 1 has no verdict.",
    ),
]


@pytest.mark.parametrize(("cases", "state", "verdict"), VERDICTS)
def test_the_verdict(cases, state, verdict):
    """The verdict counts what changed, what is not as expected and what has no verdict."""
    seen = overview(session(*cases))
    assert (seen.state, seen.verdict) == (state, verdict)


def test_groups_come_by_urgency():
    """Changes come first, those that fail before others, the largest first; then answers, then trouble."""
    cases = [
        trouble("no cassette (looked in a/t.json)"),
        trouble("no cassette (looked in a/u.json)", "u"),
        wrong(),
        changed(block(TEXT, name="B"), name="b1", verdict=Verdict.PASSED),
        changed(block(TEXT, name="B"), name="b2", verdict=Verdict.PASSED),
        changed(block(TEXT), name="a1", **FAILED),
        changed(name="n1", **FAILED),
        changed(name="n2", **FAILED),
        passed(),
    ]
    assert [group.title for group in overview(session(*cases)).groups] == [
        "2 cases changed in no known block",
        "1 case: the change begins in A (llm)",
        "2 cases: the change begins in B (llm)",
        "1 case is not as expected; no change is known",
        "2 cases have no verdict",
    ]


def test_a_run_that_ends_with_an_error_is_told_first():
    """A case that fails with an error is told apart from a wrong answer, with the block that failed."""
    error = attempt(
        failure("succeeded", "errored", "status"), status=Status.ERRORED, error="PRICE (code): no price"
    )
    case = wrong("e", attempts=(error,))
    seen = overview(session(wrong(), changed(block(TEXT), **FAILED), case))
    assert seen.verdict == "3 of 3 cases need a look: 1 changed, 1 ends with an error, 1 is not as expected."
    assert seen.groups[0].title == "1 case ends with an error in PRICE (code)"
    assert seen.groups[0].note == "PRICE (code): no price"
    expected = wrong("x", attempts=(error,), outcome=CaseOutcome.PASSED, verdict=Verdict.PASSED)
    assert overview(session(expected)).state is State.PASSED


def test_what_to_do_is_said_of_what_was_found():
    """There is advice on changes where there are changes, on failures where there are failures, else none."""
    assert overview(session(passed())).advice == ""
    assert "Decide on each change" in overview(session(changed(block(TEXT), **FAILED))).advice
    assert "Decide" not in overview(session(wrong())).advice
    assert "Ask an engineer" in overview(session(trouble("no cassette"))).advice


def test_a_case_is_counted_once():
    """A case that a plugin ran again, or that two workers ran, counts as the last time."""
    cases = [wrong("x", rerun=True), wrong("y"), passed("x"), passed("y")]
    seen = overview(session(*cases))
    assert [case.id for case in seen.cases] == ["a::y", "a::x"]
    assert seen.counts == {Kind.PASSED: 2}


def test_what_is_left_out_is_told():
    """Cases that did not run, an early end and broken suites make a session incomplete."""
    more = {
        "selection": Selection(4, 7),
        "partial": ("the session ended early: interrupted",),
        "problems": (ProblemRecord("b.dust.yaml", "wrong"),),
    }
    assert overview(session(passed(), **more)).partial == (
        "the session ended early: interrupted",
        "1 of 4 selected cases ran",
        "7 cases not selected",
        "b.dust.yaml: the cases of this suite did not run",
    )
    assert overview(replace(session(passed()), selection=Selection(1, 2))).state is State.INCOMPLETE
    assert overview(session(passed(), problems=more["problems"])).state is State.FAILED


def test_a_session_that_failed_is_never_green():
    """What fails the session beside its cases is in the verdict; if it is not known, that is said."""
    gate = session(passed(), failed_because=("the gate compared nothing",))
    assert (overview(gate).state, overview(gate).verdict) == (State.FAILED, "the gate compared nothing.")
    other = overview(replace(session(passed()), exit_status=1))
    assert other.state is State.INCOMPLETE
    assert "something beside these cases failed (exit status 1)" in other.partial[0]


def test_an_error_after_a_case_is_no_broken_suite():
    """An error after a case and a suite that cannot be read are told apart."""
    seen = overview(session(passed(), problems=(ProblemRecord("b.dust.yaml::c", "wrong"),)))
    assert (seen.state, seen.verdict, seen.partial) == (State.FAILED, "1 error after a case.", ())


def test_a_drift_is_a_failure_and_stands_beside_the_cause():
    """An app that drifted fails the session; its edited block is found for the cases that begin there."""
    change = ChangeRecord(("spec", "prompt"), "Classify", "Sort")
    edited = BlockDriftRecord("llm", "A", "changed", (change,))
    drift = DriftRecord(
        "a::[specification]", "a", "app", "h", saved="i", exists=True, drifted=True, blocks=(edited,)
    )
    one = session(changed(block(TEXT)), drifts=(drift,))
    seen = overview(one)
    assert seen.state is State.FAILED
    assert "1 app drifted from the pinned version" in seen.verdict
    assert drifted_block(one, seen.groups[0].cause) == edited
    assert drifted_block(one, replace(seen.groups[0].cause, app="other")) is None
