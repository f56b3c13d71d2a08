"""What the gate says: its line, the report of its item, the sentence of pages, and marks on cases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_sessions import case, changed, compared, died, gate, session, trouble, wrong
from msgspec.structs import replace

from conftest import SUPPORT
from pytest_dust.report.gate_lines import gate_lines, line, sentence, verdict
from pytest_dust.report.github import annotation_lines
from pytest_dust.report.markdown import markdown
from pytest_dust.report.overview import Kind, State, kind, overview
from pytest_dust.report.record import CaseOutcome, GateRecord, GateVerdict
from pytest_dust.report.record_json import from_json, to_json
from pytest_dust.report.sessions import with_gates

WORSE, NO_WORSE, NOT_RUN = GateVerdict.WORSE, GateVerdict.NO_WORSE, GateVerdict.NOT_RUN


# ── the line ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (
            gate(WORSE, died()),
            (
                "worse: 51/60 → 40/60 fresh runs pass (20 cases × 3), p = 0.008; "
                "refund 6/6 → 0/6, begins in CLASSIFY (llm), in 6 of 6"
            ),
        ),
        (gate(NO_WORSE), "no worse shown: 51/60 → 49/60; a drop of 17 points would be caught 8 times in 10"),
        (
            gate(NO_WORSE, old=0, old_passed=0, new=20, new_passed=19),
            (
                "no worse shown: 19/20 first runs pass, as when recorded; "
                "a drop of 17 points would be caught 8 times in 10"
            ),
        ),
        (gate(NOT_RUN, message="refund: no key"), "could not be run: refund: no key"),
        (
            gate(WORSE, cases=1, attempts=(2, 5), p=0.0004),
            "worse: 51/60 → 40/60 fresh runs pass (1 case × 2 to 5), p < 0.001; no single case stands out",
        ),
        (
            gate(WORSE, died(block=""), confirmed=True, confirming=(12, 12, 6, 12)),
            (
                "worse: 51/60 → 40/60 fresh runs pass (20 cases × 3), and 12/12 → 6/12 of the confirming "
                "ones, p = 0.008; "
                "refund 6/6 → 0/6"
            ),
        ),
        (
            gate(WORSE, *(died(f"c{at}", "") for at in range(5))),
            (
                "worse: 51/60 → 40/60 fresh runs pass (20 cases × 3), p = 0.008; "
                "c0 6/6 → 0/6; c1 6/6 → 0/6; c2 6/6 → 0/6; 2 more"
            ),
        ),
        (
            gate(WORSE, died(block=""), died(block="", file="b.dust.yaml")),
            (
                "worse: 51/60 → 40/60 fresh runs pass (20 cases × 3), p = 0.008; "
                "answer.dust.yaml::refund 6/6 → 0/6; b.dust.yaml::refund 6/6 → 0/6"
            ),
        ),
    ],
    ids=["worse", "no worse", "first runs", "not run", "no case", "confirmed", "many", "same names"],
)
def test_the_line_has_the_counts_and_what_they_mean(record, told):
    """A verdict is one line: counts, probability and cases, or the drop that would be caught."""
    assert verdict(record) == told
    assert line(record) == f"dust: app 9f1d3b5a7c: {told}"


@given(st.text(max_size=20), st.text(max_size=20))
def test_nothing_in_a_name_breaks_the_line(name, block):
    """Ids of cases and names of blocks are escaped: a verdict stays one line that no terminal obeys."""
    record = gate(WORSE, died(name, block))
    told = [line(record), line(gate(NOT_RUN, message=name)), *gate_lines(record, {})]
    assert not any(char in one for one in told for char in "\n\r\x1b\u202e")


# ── the report of its item ───────────────────────────────────────────────────────────────────────


def test_cases_with_the_same_cause_are_reported_in_full_once():
    """The first case that begins in a block shows its report; the others show what differs."""
    cases = {each.id: each for each in (wrong("a"), wrong("b"), wrong("c"))}
    record = gate(WORSE, died("a"), died("b"), died("c", "ANSWER (code)"))
    lines = list(gate_lines(record, cases))
    heads = [at for at, each in enumerate(lines) if "::" in each and "6/6" in each]
    assert [lines[at].split("   ")[0] for at in heads] == [f"answer.dust.yaml::{name}" for name in "abc"]
    assert sum("    expected " in each for each in lines) == 2
    assert '  result.label: expected "billing", actual "shipping"' in lines


def test_one_recording_does_not_say_where_a_noisy_case_begins():
    """The change since the recording is shown if it begins where the gate says so, and left out else."""
    run = replace(compared(cause=("llm", "WORDING")), begins_in="WORDING (llm)")
    noisy = wrong("a")
    noisy = replace(noisy, attempts=(replace(noisy.attempts[0], comparison=run),))
    for block, shown in (("CLASSIFY (llm)", False), ("WORDING (llm)", True)):
        lines = "\n".join(gate_lines(gate(WORSE, died("a", block)), {noisy.id: noisy}))
        assert ("then: ANSWER (1 value)" in lines) is shown


# ── marks on cases, and what reports make of them ────────────────────────────────────────────────


def gated(*cases, record=None):
    """A session of these cases, on which a gate decided."""
    left = (replace(one, outcome=CaseOutcome.LEFT) if one.app == SUPPORT else one for one in cases)
    return with_gates(session(*left, gates=(record or gate(WORSE, died("a")),)))


def test_cases_are_marked_with_what_their_gate_found():
    """Worse, failed and no worse, noise, trouble: each is a kind of its own; other apps keep theirs."""
    found = gated(wrong("a"), wrong("b"), changed("c"), trouble("d"), replace(wrong("e"), app="other"))
    kinds = [Kind.WORSE, Kind.LEFT, Kind.PASSED, Kind.TROUBLE, Kind.FAILED]
    assert list(map(kind, found.cases)) == kinds
    assert found.cases[0].message == (
        "0 of 6 fresh runs pass, 6 of 6 in the pinned version; begins in CLASSIFY (llm), in 6 of 6"
    )
    assert session(wrong("a")).cases[0].worse is None


@pytest.mark.parametrize(
    ("record", "state", "begin"),
    [
        (
            gate(WORSE, died("a")),
            State.FAILED,
            (
                "app 9f1d3b5a7c: the other version is worse: 40 of 60 fresh runs of the other version pass, "
                "and 51 of 60 of the pinned one; 1 of 2 cases needs a look: 1 passes less often."
            ),
        ),
        (
            gate(NO_WORSE),
            State.PASSED,
            (
                "app 9f1d3b5a7c: no worse shown: 49 of 60 fresh runs of the other version pass, and 51 of "
                "60 of the pinned one; a drop of 17 points would be caught 8 times in 10."
            ),
        ),
        (
            gate(NOT_RUN, message="b: no key"),
            State.INCOMPLETE,
            "app 9f1d3b5a7c: the gate could not be run: b: no key.",
        ),
    ],
    ids=["worse", "no worse", "not run"],
)
def test_the_verdict_of_a_page_begins_with_the_gate(record, state, begin):
    """A reader of a page learns first whether the other version is worse; noise needs no look."""
    seen = overview(gated(case("a"), changed("b"), record=record))
    assert (seen.state, seen.verdict) == (state, begin)


def test_worse_cases_are_grouped_by_the_block_in_which_they_begin():
    """Groups of a gate come from its fresh runs; cases that are no worse are in no group."""
    record = gate(WORSE, died("a"), died("b"), died("c", ""))
    seen = overview(gated(wrong("a"), wrong("b"), wrong("c"), wrong("d"), changed("e"), record=record))
    assert [group.title for group in seen.groups] == [
        "2 cases pass less often; the change begins in CLASSIFY (llm)",
        "1 case passes less often; no block is sure",
    ]
    assert seen.counts == {Kind.WORSE: 3, Kind.LEFT: 1, Kind.PASSED: 1}


def test_markdown_names_the_verdict_and_the_worse_cases():
    """The summary of a job has the gate's sentence, a table of worse cases, and the command to accept."""
    text = markdown(gated(wrong("a"), changed("b")))
    assert "the other version is worse: 40 of 60 fresh runs" in text
    assert "### 1 case passes less often; the change begins in CLASSIFY (llm)" in text
    assert "`0 of 6 fresh runs pass, 6 of 6 in the pinned version; begins in CLASSIFY" in text


def test_github_annotates_the_gate_and_the_worse_cases():
    """One annotation for a gate that failed, at a case of its app, and one for each worse case."""
    found = gated(wrong("a"), wrong("b"))
    lines = list(annotation_lines(found, found.cases, "."))
    assert [one.partition("title=")[2].partition("::")[0] for one in lines] == [
        "answer.dust.yaml%3A%3Aa",
        "[gate 9f1d3b5a7c]",
    ]
    assert all(one.startswith("::error file=answer.dust.yaml,line=") for one in lines)
    green = gated(case("a"), record=gate(NO_WORSE))
    assert list(annotation_lines(green, green.cases, ".")) == []


def test_a_gate_crosses_as_json():
    """A gate's record is the same after JSON, as pytest-xdist and --dust-merge have it."""
    for record in (gate(WORSE, died()), gate(NO_WORSE), gate(NOT_RUN, message="x")):
        assert from_json(GateRecord, to_json(record)) == record


def test_a_sentence_needs_no_arrows():
    """For readers who know no notation, the verdict is in words."""
    assert all("→" not in sentence(gate(each, message="x")) for each in GateVerdict)
