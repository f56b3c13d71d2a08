"""The verdict of a repeated case, and the interval of its pass rate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_dust.compare import repeats
from pytest_dust.model import Rates, Repeat, RepeatVerdict

TESTED = Repeat(14, 5, Rates(0.95, 0.6))


def passes(text: str) -> list[bool]:
    """Give attempts from a text with a sign for each."""
    return [each == "+" for each in text]


@pytest.mark.parametrize(
    ("attempts", "verdict"),
    [
        (
            "+++++++",
            RepeatVerdict(True, 5, "5 of 5 attempts passed, enough to exclude a pass rate of 0.6 (bad)"),
        ),
        ("+--++", RepeatVerdict(False, 3, "2 of 3 attempts failed, too many for a pass rate of 0.95 (good)")),
        ("++-", RepeatVerdict(None, 3, "2 of 3 attempts passed, which does not decide")),
    ],
)
def test_a_sequential_test_says_why_it_stopped(attempts: str, verdict: RepeatVerdict) -> None:
    """The verdict of a sequential test has the attempts that count, and why they decide."""
    assert repeats.verdict(TESTED, passes(attempts)) == verdict


@pytest.mark.parametrize(("attempts", "passed"), [("+-+-", True), ("+---", False)])
def test_of_a_fixed_number_all_attempts_count(attempts: str, passed: bool) -> None:
    """Of a fixed number of attempts, all count, and the least number that must pass decides."""
    assert repeats.verdict(Repeat(4, 2), passes(attempts)) == RepeatVerdict(passed, 4)


@pytest.mark.parametrize(
    ("repeat", "attempts", "needed"),
    [
        (TESTED, "", 5),
        (TESTED, "++++", 1),
        (TESTED, "++++-", 3),
        (TESTED, "--", 0),
        (Repeat(4, 2), "", 4),
        (Repeat(4, 2), "++", 2),
    ],
)
def test_how_many_attempts_are_needed(repeat: Repeat, attempts: str, needed: int) -> None:
    """A fixed number needs all its attempts; a test at first those that may pass, then a few at a time."""
    assert repeats.needed(repeat, passes(attempts)) == needed


@pytest.mark.parametrize(
    ("count", "of", "interval"),
    [(5, 5, (0.566, 1.0)), (0, 5, (0.0, 0.434)), (8, 10, (0.490, 0.943)), (0, 0, (0.0, 1.0))],
)
def test_the_interval_is_wilsons(count: int, of: int, interval: tuple[float, float]) -> None:
    """The interval is that of Wilson's method at 95 %, as tables have it."""
    assert repeats.interval(count, of) == pytest.approx(interval, abs=5e-4)


@given(st.integers(1, 200).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
def test_the_interval_holds_the_rate(drawn: tuple[int, int]) -> None:
    """The interval is between 0 and 1, and the pass rate is in it."""
    low, high = repeats.interval(*drawn)
    assert 0 <= low <= drawn[0] / drawn[1] <= high <= 1
