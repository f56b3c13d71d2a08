"""Exact tests of whether one version of an app passes less often than another.

Both versions are run in the same session, as often as each other, in turn. Under the assumption that they are
equally good, it is chance which of a case's runs pass, given how many of them pass in all. So the number of
passes of the new version has a known distribution: the sum of one hypergeometric variable per case (a
conditional exact test; with one run of each version, McNemar's test).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from math import comb, prod, sqrt
from statistics import NormalDist
from typing import NamedTuple

CONFIRMING_RUNS = 6
"""Fresh runs of each version for a case that is confirmed."""
MAX_CONFIRMED = 5
"""Maximum number of cases that are confirmed: those that fell most."""
FALL = 0.25
"""Minimum fall of a case's pass rate for it to be confirmed."""
SHARE_OF_ALL, SHARE_OF_CONFIRMED, SHARE_OF_CASE = 0.6, 0.2, 0.2
"""How the rate of false alarms is divided among the three tests."""
POWER = 0.8
"""Probability with which the stated drop would be found."""


class Tally(NamedTuple):
    """Runs of a case in both versions, and how many of them passed."""

    old_passed: int = 0
    old: int = 0
    new_passed: int = 0
    new: int = 0

    def __add__(self, other: Tally) -> Tally:  # type: ignore[override]
        """The runs of both."""
        return Tally(*(one + another for one, another in zip(self, other, strict=True)))

    @property
    def fall(self) -> float:
        """By how much the new version's pass rate is lower, from -1 to 1; 0 if a version has no run."""
        if not (self.old and self.new):
            return 0.0
        return self.old_passed / self.old - self.new_passed / self.new


class Levels(NamedTuple):
    """The probability at which each test says *worse*; they add up to the rate of false alarms."""

    all: float
    confirmed: float
    case: float

    @classmethod
    def of(cls, false_alarms: float) -> Levels:
        """The levels for a rate of false alarms."""
        return cls(*(false_alarms * share for share in (SHARE_OF_ALL, SHARE_OF_CONFIRMED, SHARE_OF_CASE)))


class Finding(NamedTuple):
    """Whether the new version is worse, and by which test."""

    worse: bool
    p: float
    """Probability of so few passes if both versions are equally good, of the test that decided."""
    confirmed: bool = False
    """Whether the confirming runs decided."""


def total(tallies: Iterable[Tally]) -> Tally:
    """The runs of all cases."""
    return sum(tallies, Tally())


def p_worse(tallies: Iterable[Tally], *, exact: bool = False) -> float:
    """Probability of so few passes of the new version if both are equally good.

    With the mid-p correction: the observed number counts half. With `exact`, it counts whole, as in Fisher's
    test.
    """
    chances, least, observed = [1.0], 0, 0
    for tally in tallies:
        observed += tally.new_passed
        low, own = _passes(tally.old, tally.new, tally.old_passed + tally.new_passed)
        least += low
        if len(own) > 1:
            chances = _sum_of(chances, own)
    at = observed - least
    return min(1.0, sum(chances[:at]) + chances[at] * (1 if exact else 0.5))


@cache
def _passes(old: int, new: int, passed: int) -> tuple[int, tuple[float, ...]]:
    """Least number of `passed` runs that are the new version's, and the chance of each number from it on."""
    least, most = max(0, passed - old), min(new, passed)
    ways = [comb(new, number) * comb(old, passed - number) for number in range(least, most + 1)]
    every = comb(old + new, passed)
    return least, tuple(each / every for each in ways)


def _sum_of(one: list[float], other: tuple[float, ...]) -> list[float]:
    """The distribution of the sum of two independent numbers."""
    found = [0.0] * (len(one) + len(other) - 1)
    for shift, chance in enumerate(other):
        for at, each in enumerate(one, shift):
            found[at] += each * chance
    return found


def to_confirm(tallies: Mapping[str, Tally]) -> list[str]:
    """The cases whose fall is to be confirmed by more runs: those that fell most, at most MAX_CONFIRMED."""
    fell = [name for name, tally in tallies.items() if tally.fall >= FALL - 1e-9]
    return sorted(fell, key=lambda name: -tallies[name].fall)[:MAX_CONFIRMED]


def find(
    fresh: Mapping[str, Tally], confirming: Mapping[str, Tally], levels: Levels, *, strict: bool = False
) -> Finding:
    """Whether the new version is worse, by the fresh runs of all cases or by the confirming ones alone.

    With `strict`, the tests of all runs count the observed number of passes whole.
    """
    p = p_worse(fresh.values(), exact=strict)
    if p <= levels.all:
        return Finding(worse=True, p=p)
    if not confirming:
        return Finding(worse=False, p=p)
    together = p_worse(confirming.values(), exact=strict)
    alone = len(confirming) * min(p_worse([tally], exact=True) for tally in confirming.values())
    if together <= levels.confirmed:
        return Finding(worse=True, p=together, confirmed=True)
    if alone <= levels.case:
        return Finding(worse=True, p=alone, confirmed=True)
    return Finding(worse=False, p=p)


def can_find(attempts: Sequence[int], levels: Levels, *, strict: bool = False) -> bool:
    """Whether cases with so many runs of each version may be found worse: if no run of the new one passes."""
    p = prod(1 / comb(2 * runs, runs) for runs in attempts) * (1 if strict else 0.5)
    dead = Tally(CONFIRMING_RUNS, CONFIRMING_RUNS, 0, CONFIRMING_RUNS)
    confirming = {str(at): dead for at in range(min(len(attempts), MAX_CONFIRMED))}
    return p <= levels.all or find({}, confirming, levels, strict=strict).worse


def detectable_drop(tallies: Iterable[Tally], attempts: int, levels: Levels) -> float:
    """The drop of the pass rate, from 0 to 1, that `attempts` runs of each version find 8 times in 10.

    Each case's rate is estimated from its runs of both versions with one pass and one failure added, as
    cases that always passed would promise to find any drop.
    """
    each = list(tallies)
    rates = [(one.old_passed + one.new_passed + 1) / (one.old + one.new + 2) for one in each]
    variance = 2 * sum(rate * (1 - rate) for rate in rates) / attempts
    deviations = NormalDist().inv_cdf(1 - levels.all) + NormalDist().inv_cdf(POWER)
    return min(1.0, deviations * sqrt(variance) / len(each))
