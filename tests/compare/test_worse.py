"""The exact tests of the gate: against enumeration, and their false alarms without a change."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product
from math import comb, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_dust.compare.worse import (
    CONFIRMING_RUNS,
    MAX_CONFIRMED,
    Finding,
    Levels,
    Tally,
    can_find,
    detectable_drop,
    find,
    p_worse,
    to_confirm,
    total,
)

LEVELS = Levels.of(0.05)


@st.composite
def tallies(draw):
    """A case with a few runs of each version."""
    old, new = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    return Tally(draw(st.integers(0, old)), old, draw(st.integers(0, new)), new)


def enumerated(cases):
    """The chance of each total of new passes: every way in which a case's passes fall on its runs."""
    totals = Counter({0: 1.0})
    for case in cases:
        runs, passed = range(case.old + case.new), case.old_passed + case.new_passed
        ways = [sum(run >= case.old for run in chosen) for chosen in combinations(runs, passed)]
        totals = _summed(totals, Counter(ways), len(ways))
    return totals


def _summed(totals, ways, count):
    summed = Counter()
    for (one, chance), (more, times) in product(totals.items(), ways.items()):
        summed[one + more] += chance * times / count
    return summed


# ── the probability ──────────────────────────────────────────────────────────────────────────────


@given(st.lists(tallies(), max_size=4), st.booleans())
def test_it_is_what_enumeration_gives(cases, exact):
    """The probability is that of all ways in which the passes could fall on the runs."""
    observed, totals = total(cases).new_passed, enumerated(cases)
    fewer = sum(chance for passes, chance in totals.items() if passes < observed)
    assert isclose(
        p_worse(cases, exact=exact), fewer + totals[observed] * (1 if exact else 0.5), abs_tol=1e-9
    )


@pytest.mark.parametrize(
    ("cases", "exact", "p"),
    [
        ([Tally(6, 6, 0, 6)], True, 1 / comb(12, 6)),
        ([Tally(3, 3, 0, 3)], False, 0.5 / comb(6, 3)),
        ([Tally(1, 1, 0, 1)] * 5 + [Tally(0, 1, 1, 1)], True, 7 / 64),
        ([Tally(3, 3, 3, 3)] * 20, False, 0.5),
        ([Tally(0, 2, 0, 2)], True, 1.0),
        ([], False, 0.5),
    ],
    ids=["fisher", "mid-p", "mcnemar", "all pass", "none passes", "no case"],
)
def test_it_is_that_of_the_textbook(cases, exact, p):
    """One case is Fisher's test; one run of each version is McNemar's; no difference is no evidence."""
    assert isclose(p_worse(cases, exact=exact), p)


@given(st.lists(tallies(), min_size=1, max_size=4))
def test_the_order_of_cases_does_not_count(cases):
    """The same cases in another order give the same probability."""
    assert isclose(p_worse(cases), p_worse(cases[::-1]), abs_tol=1e-12)


@given(st.lists(tallies(), min_size=1, max_size=3), st.sampled_from([0.01, 0.03, 0.19]))
def test_false_alarms_stay_below_the_level_if_runs_are_exchangeable(cases, level):
    """If it is chance which runs are the new version's, the test says *worse* no more often than stated."""
    chances = enumerated(cases)
    alarms = [passes for passes in chances if p_worse(_with_passes(cases, passes), exact=True) <= level]
    assert sum(chances[passes] for passes in alarms) <= level + 1e-12


def _with_passes(cases, passes):
    """The same cases, with so many passes of the new version in all and as many passes of each as before."""
    found, left = [], passes
    for at, case in enumerate(cases):
        passed = case.old_passed + case.new_passed
        later = sum(max(0, each.old_passed + each.new_passed - each.old) for each in cases[at + 1 :])
        new = min(case.new, passed, left - later)
        found.append(Tally(passed - new, case.old, new, case.new))
        left -= new
    return found


# ── which cases are confirmed, and what decides ──────────────────────────────────────────────────


def test_those_that_fell_most_are_confirmed():
    """A case is confirmed if its rate fell by 25 points or more, at most five, the largest falls first."""
    cases = {f"c{fall}": Tally(12, 12, 12 - fall, 12) for fall in (1, 2, 3, 4, 5, 6, 7, 8)}
    assert to_confirm(cases) == ["c8", "c7", "c6", "c5", "c4"]
    assert len(to_confirm(cases)) == MAX_CONFIRMED
    assert to_confirm({"a": Tally(12, 12, 10, 12), "b": Tally(4, 4, 3, 4)}) == ["b"]
    assert to_confirm({"none": Tally(3, 3, 0, 0)}) == []


@pytest.mark.parametrize(
    ("fresh", "confirming", "finding"),
    [
        ([Tally(3, 3, 0, 3)] * 2, [], (True, False)),
        ([Tally(3, 3, 1, 3)], [], (False, False)),
        ([Tally(3, 3, 2, 3)], [Tally(6, 6, 0, 6)], (True, True)),
        ([Tally(3, 3, 2, 3)], [Tally(6, 6, 5, 6)], (False, False)),
        ([Tally(3, 3, 2, 3)] * 2, [Tally(6, 6, 0, 6), Tally(0, 6, 6, 6)], (True, True)),
        ([Tally(3, 3, 2, 3)] * 3, [Tally(6, 6, 4, 6)] * 5, (True, True)),
    ],
    ids=["all runs", "nothing", "confirmed", "not confirmed", "one case", "together"],
)
def test_each_of_three_tests_may_decide(fresh, confirming, finding):
    """All runs, the confirming ones together, or one confirmed case: any of them alone says *worse*."""
    found = find(dict(enumerate(fresh)), dict(enumerate(confirming)), LEVELS)
    assert (found.worse, found.confirmed) == finding


def test_the_levels_add_up_to_the_rate_of_false_alarms():
    """The three tests share the stated rate: .03, .01 and .01 of .05."""
    assert all(isclose(*pair) for pair in zip(LEVELS, (0.03, 0.01, 0.01), strict=True))
    assert isclose(sum(Levels.of(0.2)), 0.2)


def test_strict_needs_more_evidence():
    """With `strict`, the observed number counts whole, so that a result at the edge says nothing."""
    edge = {"a": Tally(3, 3, 0, 3)}
    assert find(edge, {}, LEVELS).worse
    assert find(edge, {}, LEVELS, strict=True) == Finding(worse=False, p=1 / comb(6, 3))


# ── the drop that would be caught ────────────────────────────────────────────────────────────────


def test_the_drop_is_that_of_the_formula():
    """2.72 · √(2 Σ p(1-p) / k) / n, each p with one pass and one failure added."""
    cases = [Tally(3, 3, 3, 3)] * 18 + [Tally(2, 3, 1, 3)] * 2
    rates = [7 / 8] * 18 + [4 / 8] * 2
    wanted = 2.72 * (2 * sum(p * (1 - p) for p in rates) / 3) ** 0.5 / 20
    assert isclose(detectable_drop(cases, 3, LEVELS), wanted, rel_tol=1e-3)


@given(st.lists(tallies(), min_size=1, max_size=20), st.integers(1, 10))
def test_more_attempts_catch_smaller_drops(cases, attempts):
    """The drop is greater than zero and at most one, and shrinks as attempts are added."""
    drop = detectable_drop(cases, attempts, LEVELS)
    assert 0 < drop <= 1
    assert detectable_drop(cases, 4 * attempts, LEVELS) <= drop


def test_a_confirmed_case_can_decide_alone():
    """Six runs of each version are enough to find one case that died among five."""
    alone = MAX_CONFIRMED * p_worse([Tally(CONFIRMING_RUNS, CONFIRMING_RUNS, 0, CONFIRMING_RUNS)], exact=True)
    assert alone <= LEVELS.case


@pytest.mark.parametrize(
    ("attempts", "false_alarms", "strict", "found"),
    [
        ([1], 0.05, False, True),
        ([3], 0.05, True, True),
        ([3], 0.001, False, False),
        ([3] * 3, 0.001, True, True),
        ([10], 0.001, False, True),
    ],
    ids=["confirmed", "strict", "one case", "several cases", "many attempts"],
)
def test_few_runs_cannot_show_everything(attempts, false_alarms, strict, found):
    """Whether anything may be found worse depends on the number of runs and on the rate of false alarms."""
    assert can_find(attempts, Levels.of(false_alarms), strict=strict) is found
