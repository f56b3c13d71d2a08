"""The gate's procedure: which runs it wants next, and what it says when it wants no more."""

from __future__ import annotations

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pytest_dust.compare.worse import CONFIRMING_RUNS, MAX_CONFIRMED, Tally
from pytest_dust.model import Tokens
from pytest_dust.report.record import GateCaseRecord, GateVerdict
from pytest_dust.run.gate_procedure import AppGate, FirstRuns, FreshRuns, Wanted, decided, next_runs


def first(case, *passes, attempts=3, **changed):
    """The first runs of a case that passed when it was recorded."""
    passed = all(passes) if passes else False
    known = FirstRuns(
        case, ("app",), passes, passed, passed_before=True, attempts=attempts, false_alarms=0.05
    )
    return replace(known, **changed)


def fresh(case, *tally, **known):
    """Fresh runs of a case."""
    return {case: FreshRuns(case, Tally(*tally), **known)}


DEAD = AppGate("app", (first("a", False), first("b", True)))
"""An app with a case that fails in its first run."""
SECOND = {**fresh("a", 3, 3, 0, 2), **fresh("b", 3, 3, 2, 2)}
"""Its fresh runs."""
THIRD = fresh("a", 6, 6, 0, 6, begins_in="CLASSIFY (llm)", begins_attempts=6)
"""Its confirming runs."""


# ── what it wants next ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("gate", "wanted"),
    [
        (AppGate("app", (first("a", True), first("b", True))), {}),
        (AppGate("app", (first("a", False, passed_before=False), first("b", True))), {}),
        (DEAD, {"a": Wanted(3, 2), "b": Wanted(3, 2)}),
        (
            AppGate("app", (first("a", False, attempts=5), first("b", True, True, True))),
            {"a": Wanted(5, 4), "b": Wanted(3, 0)},
        ),
        (replace(DEAD, fresh=SECOND), {"a": Wanted(CONFIRMING_RUNS, CONFIRMING_RUNS)}),
        (replace(DEAD, fresh={**fresh("a", 1, 3, 1, 2), **fresh("b", 3, 3, 2, 2)}), {}),
        (replace(DEAD, fresh=SECOND, confirming=THIRD), {}),
        (replace(DEAD, refused="a ceiling"), {}),
        (AppGate("app", (first("a", trouble="no key"), first("b", False))), {}),
        (replace(DEAD, fresh={**SECOND, **fresh("b", 3, 3, 0, 0, trouble="500")}), {}),
        (AppGate("app", (first("a", False, left_out="skipped"), first("b", True))), {}),
        (AppGate("app", ()), {}),
    ],
    ids=[
        "all pass",
        "as when recorded",
        "one fails",
        "repeated cases and other attempts",
        "one fell",
        "none fell by 25 points",
        "confirmed",
        "refused",
        "no verdict",
        "a run is missing",
        "the one that fails is left out",
        "no case",
    ],
)
def test_it_wants_no_more_runs_than_needed(gate, wanted):
    """Fresh runs follow only if a case fails that passed when recorded; cases that fell are confirmed."""
    assert next_runs(gate) == wanted


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 2), min_size=1, max_size=12))
def test_at_most_five_cases_are_confirmed(cases):
    """However many cases fell, five at most get confirming runs, and all of them fell."""
    names = [f"c{at}" for at in range(len(cases))]
    made = {
        name: FreshRuns(name, Tally(old, 3, max(0, new - 1), 2))
        for name, (old, new) in zip(names, cases, strict=True)
    }
    gate = AppGate("app", tuple(first(name, False) for name in names), made)
    wanted = next_runs(gate)
    assert len(wanted) <= MAX_CONFIRMED
    assert all(gate.tallies[name].fall >= 0.25 for name in wanted)


# ── what it says ─────────────────────────────────────────────────────────────────────────────────


def test_worse_names_the_cases_that_fell():
    """A case that died is worse: counts, the probability, and where it begins by the confirming runs."""
    record = decided(replace(DEAD, fresh=SECOND, confirming=THIRD))
    assert (record.verdict, record.cases, record.attempts) == (GateVerdict.WORSE, 2, (3, 3))
    assert (record.old_passed, record.old, record.new_passed, record.new) == (6, 6, 3, 6)
    assert record.worse == (GateCaseRecord("a", 6, 6, 0, 6, "CLASSIFY (llm)", 6),)
    assert (record.runs, record.first_runs, record.drop) == (24, 2, None)
    assert not record.passed


def test_a_case_that_passes_in_the_confirming_runs_is_not_named():
    """In an app that is worse in all, a case that did not fall again is not one of the worse ones."""
    gate = AppGate("app", tuple(first(f"c{at}", False) for at in range(8)))
    made = {name: FreshRuns(name, Tally(3, 3, 1, 2)) for name in gate.tallies}
    again = {"c0": FreshRuns("c0", Tally(6, 6, 6, 6)), "c1": FreshRuns("c1", Tally(6, 6, 5, 6))}
    record = decided(replace(gate, fresh=made, confirming=again))
    assert (record.verdict, record.confirmed) == (GateVerdict.WORSE, False)
    assert [case.id for case in record.worse] == ["c1"]


def test_no_worse_says_which_drop_would_be_caught():
    """An app that is not shown to be worse comes with the drop that the gate would have caught."""
    record = decided(AppGate("app", tuple(first(f"c{at}", True) for at in range(20))))
    assert (record.verdict, record.old, record.new, record.p) == (GateVerdict.NO_WORSE, 0, 20, None)
    assert record.passed
    assert isclose(record.drop or 0, 2.72 * (2 * 20 * 2 / 9 / 3) ** 0.5 / 20, rel_tol=1e-3)


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        (AppGate("app", (first("a", trouble="no key"), first("b", True))), "a: no key"),
        (replace(DEAD, fresh={**SECOND, **fresh("a", 3, 3, 1, 1, trouble="status 500")}), "a: status 500"),
        (replace(DEAD, refused="it needs about 10 more runs"), "it needs about 10 more runs"),
        (AppGate("app", ()), "no case of it counts: none was run; select some that do"),
        (
            AppGate("app", (first("a", left_out="skipped"), first("b", left_out="skipped"))),
            "no case of it counts: 2 cases skipped; select some that do",
        ),
    ],
    ids=["no verdict", "a run is missing", "ceiling", "no case", "all skipped"],
)
def test_trouble_is_never_green(gate, message):
    """If a run is missing, or nothing counts, the verdict is that the gate could not be run, and why."""
    record = decided(gate)
    assert (record.verdict, record.message, record.passed) == (GateVerdict.NOT_RUN, message, False)


def test_trouble_does_not_hide_that_it_is_worse():
    """What the other runs show is said, although one is missing."""
    gate = AppGate("app", tuple(first(f"c{at}", False) for at in range(4)))
    made = {name: FreshRuns(name, Tally(3, 3, 0, 2)) for name in gate.tallies}
    made["c0"] = FreshRuns("c0", Tally(2, 2, 0, 2), "status 500")
    assert decided(replace(gate, fresh=made)).verdict is GateVerdict.WORSE


@given(st.lists(st.booleans(), min_size=1, max_size=6), st.integers(1, 5))
def test_the_numbers_add_up(passes, attempts):
    """Runs and tokens are those of all steps; the first runs are in them once."""
    cases = tuple(first(f"c{at}", each, attempts=attempts) for at, each in enumerate(passes))
    made = {
        case: FreshRuns(case, Tally(0, each.old, 0, each.new), tokens=Tokens(each.old + each.new))
        for case, each in next_runs(AppGate("app", cases)).items()
    }
    record = decided(AppGate("app", cases, made))
    assert record.first_runs == len(passes)
    assert record.runs == len(passes) + record.tokens.known
    assert record.runs == (len(passes) if all(passes) else 2 * attempts * len(passes))


def test_the_lowest_rate_of_false_alarms_counts():
    """Suites of one app that ask for several rates get the lowest; `strict` of one is for all."""
    cases = (first("a", False, false_alarms=0.2), first("b", True, false_alarms=0.01))
    record = decided(AppGate("app", cases, SECOND))
    assert record.false_alarms == 0.01
    edge = (first("a", False), first("b", True))
    made = {**fresh("a", 3, 3, 0, 2), **fresh("b", 3, 3, 2, 2)}
    assert decided(AppGate("app", edge, made)).verdict is GateVerdict.WORSE
    strict = (replace(edge[0], strict=True), edge[1])
    assert decided(AppGate("app", strict, made)).verdict is GateVerdict.NO_WORSE
