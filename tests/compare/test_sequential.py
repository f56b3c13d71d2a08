"""Sequential tests on pass and fail: their tables, error rates and verdicts."""

from __future__ import annotations

import time
from itertools import product, starmap
from math import comb

import pytest
from answers import bounded
from hypothesis import given
from hypothesis import strategies as st

from pytest_dust.compare import sequential
from pytest_dust.compare.sequential import Decision, Table, table
from pytest_dust.model import Rates

USUAL = Rates(0.95, 0.6)
ATTEMPTS = st.lists(st.booleans(), max_size=30)


@st.composite
def rates_and_test(draw: st.DrawFn, gap: float = 0.3, least: float = 0.03) -> tuple[Rates, Table]:
    """Draw rates that are so far apart, with shares of errors from `least` on, and their test."""
    bad = draw(st.floats(0.01, 0.95 - gap))
    good = draw(st.floats(bad + gap, 0.99))
    shares = st.floats(least, 0.3)
    rates = Rates(good, bad, draw(shares), draw(shares))
    return rates, sequential.table_of(rates)


def enumerated(test: Table, rate: float) -> tuple[float, float]:
    """Give the chance of a pass and the expected attempts by going through all sequences of attempts."""
    passes = attempts = 0.0
    for sequence in product((True, False), repeat=test.most):
        chance = rate ** sum(sequence) * (1 - rate) ** (test.most - sum(sequence))
        passed, counted = test.decide(sequence)
        assert passed is not None
        passes += chance * passed
        attempts += chance * counted
    return passes, attempts


def passing(count: int, least: int, rate: float) -> float:
    """Give the chance that at least so many of a fixed number of attempts pass."""
    return sum(comb(count, at) * rate**at * (1 - rate) ** (count - at) for at in range(least, count + 1))


def fixed_size(rates: Rates) -> int:
    """Give the smallest fixed number of attempts that keeps both error rates."""
    for count in range(1, 10_000):
        least = next(at for at in range(count + 2) if passing(count, at, rates.bad) <= rates.miss)
        if passing(count, least, rates.good) >= 1 - rates.false_alarm:
            return count
    raise AssertionError


def test_the_table_of_usual_rates() -> None:
    """For .95 and .6 a test takes 5 to 14 attempts, 6.3 on average, and errs in 4.3 % and 9.9 %."""
    found = table(USUAL)
    assert found == Table((5, 10, 12), (-1, -1, 4))
    assert (found.least, found.most) == (5, 14)
    good, bad = found.chances(0.95), found.chances(0.6)
    assert (round(good.attempts, 1), round(1 - good.passes, 3), round(bad.passes, 3)) == (6.3, 0.043, 0.099)
    assert found.chances(1.0) == (1.0, 5.0)
    assert fixed_size(USUAL) == 12


@pytest.mark.parametrize("rates", [USUAL, Rates(0.7, 0.2)])
def test_no_test_nearby_is_shorter(rates: Rates) -> None:
    """Of the tests with other weights, bounds and truncations that keep the error rates, none is shorter."""
    found = sequential.table_of(rates)
    for bounds in starmap(sequential._Bounds, product((1,), range(1, 7), range(1, 8), range(1, 9))):
        for failures, passes in product(range(1, 5), range(1, 15)):
            enough = [bounds.enough(at) for at in range(failures)]
            other = sequential._cut(enough, [bounds.too_few(at) for at in range(failures)], passes)
            good, bad = other.chances(rates.good), other.chances(rates.bad)
            if 1 - good.passes <= rates.false_alarm and bad.passes <= rates.miss:
                assert good.attempts >= found.chances(rates.good).attempts - 1e-9


@bounded
@given(rates_and_test(0.5, 0.1), st.floats(0, 1))
def test_chances_are_those_of_all_sequences(drawn: tuple[Rates, Table], rate: float) -> None:
    """The chances of a test are what going through all sequences of attempts gives."""
    assert drawn[1].chances(rate) == pytest.approx(enumerated(drawn[1], rate), abs=1e-9)


@bounded
@given(rates_and_test())
def test_both_error_rates_are_kept(drawn: tuple[Rates, Table]) -> None:
    """A case with the good rate fails, and one with the bad rate passes, no more often than allowed."""
    rates, found = drawn
    assert 1 - found.chances(rates.good).passes <= rates.false_alarm + 1e-9
    assert found.chances(rates.bad).passes <= rates.miss + 1e-9
    assert found.most <= sequential.MOST


def test_rates_on_the_edge_are_reached():
    """A test whose error rates are exactly those that are asked for is taken: one attempt is enough here."""
    assert table(Rates(0.7, 0.25, 0.3, 0.25)) == Table((1,), (-1,))


@bounded
@given(rates_and_test(0.4, 0.1))
def test_fewer_attempts_than_a_fixed_number(drawn: tuple[Rates, Table]) -> None:
    """A case with the good rate needs on average no more attempts than a fixed number would be."""
    rates, found = drawn
    assert found.chances(rates.good).attempts <= fixed_size(rates) + 1e-9


@bounded
@given(rates_and_test(), ATTEMPTS, ATTEMPTS)
def test_what_follows_never_changes_a_verdict(
    drawn: tuple[Rates, Table], attempts: list[bool], more: list[bool]
) -> None:
    """The first attempts that decide are the verdict, whatever comes after them."""
    decided = drawn[1].decide(attempts)
    if decided.passed is None:
        assert decided.counted == len(attempts)
    else:
        assert drawn[1].decide(attempts + more) == decided
        assert drawn[1].decide(attempts[: decided.counted]) == decided
        assert drawn[1].decide(attempts[: decided.counted - 1]).passed is None


@bounded
@given(rates_and_test(), ATTEMPTS)
def test_as_many_are_needed_as_pass_the_case_if_all_pass(
    drawn: tuple[Rates, Table], attempts: list[bool]
) -> None:
    """With the needed attempts, all of which pass, the case passes at the last of them and not before."""
    needed = drawn[1].needed(attempts)
    if drawn[1].decide(attempts).passed is None:
        assert drawn[1].decide([*attempts, *[True] * needed]) == (True, len(attempts) + needed)
    else:
        assert needed == 0


@pytest.mark.parametrize(
    ("attempts", "decided"),
    [
        ("", (None, 0)),
        ("++++", (None, 4)),
        ("+++++", (True, 5)),
        ("+++++--", (True, 5)),
        ("++-++", (None, 5)),
        ("--+++", (False, 2)),
        ("-++++-", (False, 6)),
        ("-+++++-", (None, 7)),
        ("-++++++++++", (True, 11)),
        ("-+++++-+++++++", (True, 14)),
        ("-+++++-++++++-", (False, 14)),
    ],
)
def test_the_first_attempts_that_decide(attempts: str, decided: Decision) -> None:
    """Attempts are counted one by one until the score reaches a bound, or the test is truncated."""
    found = table(USUAL)
    assert found is not None
    assert found.decide([each == "+" for each in attempts]) == decided


@pytest.mark.parametrize(
    "rates", [Rates(0.99, 0.97), Rates(0.999, 0.99), Rates(0.9, 0.899), Rates(0.5, 0.4), Rates(1e-3, 1e-4)]
)
def test_rates_that_are_too_near_have_no_test(rates: Rates) -> None:
    """There is no test that would take more than the maximum number of attempts."""
    assert table(rates) is None
    with pytest.raises(ValueError, match="more than 200 attempts"):
        sequential.table_of(rates)


@pytest.mark.parametrize(
    "rates",
    [
        Rates(1 - 2**-53, 5e-324),
        Rates(1 - 2**-53, 1 - 2**-52),
        Rates(1e-323, 5e-324),
        Rates(0.5 + 2**-53, 0.5),
        Rates(0.5001, 0.5, 0.5, 0.49999),
        Rates(0.5, 0.01, 5e-324, 5e-324),
        Rates(0.9, 1e-9, 0.999, 1e-9),
    ],
)
def test_extreme_rates_take_little_time(rates: Rates) -> None:
    """Rates at the ends of what a float can be have a test or none, and neither takes long to find."""
    began = time.process_time()
    found = table(rates)
    assert time.process_time() - began < 5
    if found is not None:
        assert 1 - found.chances(rates.good).passes <= rates.false_alarm + 1e-9
        assert found.chances(rates.bad).passes <= rates.miss + 1e-9


@pytest.mark.parametrize("rates", [USUAL, Rates(0.9, 0.5), Rates(1 - 1e-12, 1e-12)])
def test_the_search_is_fast(rates: Rates) -> None:
    """The test of usual rates is found in a few milliseconds; the limit here allows for a slow machine."""
    table.cache_clear()
    began = time.process_time()
    assert table(rates) is not None
    assert time.process_time() - began < 0.1
