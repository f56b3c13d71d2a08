"""Sequential tests: decide after each attempt of a case whether its pass rate is the good or the bad one.

In a test, each pass adds to a score and each failure takes from it. The case passes once the score reaches an
upper bound, and fails once it reaches a lower one (Wald's sequential probability ratio test, in whole
numbers). The test is truncated: some number of passes is always enough, some number of failures too many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import ceil, floor, log
from typing import NamedTuple

from pytest_dust.model import Rates

MOST = 200
"""Maximum number of attempts of one case."""
NEAR = 2
"""How far from Wald's approximation each bound is searched."""


class Chances(NamedTuple):
    """What a test does with a case of some pass rate."""

    passes: float
    """The probability that the case passes."""
    attempts: float
    """The expected number of attempts."""


class Decision(NamedTuple):
    """The verdict of a sequence of attempts."""

    passed: bool | None
    """None if the attempts do not decide."""
    counted: int
    """Number of attempts that count: those up to the one that decides, or all."""


@dataclass(frozen=True, slots=True)
class Table:
    """A sequential test as a table: its verdict after each number of passes and failures."""

    enough: tuple[int, ...]
    """By the number of failures: how many passes make the case pass. With more failures, it fails."""
    too_few: tuple[int, ...]
    """By the number of failures: the number of passes up to which the case fails; -1 if it goes on."""

    @property
    def least(self) -> int:
        """The number of attempts after which the case passes if all pass."""
        return self.enough[0]

    @property
    def most(self) -> int:
        """The maximum number of attempts."""
        return self.enough[-1] + len(self.enough) - 1

    def verdict(self, passes: int, failures: int) -> bool | None:
        """True if the case passes with so many passes and failures, False if it fails, None if it goes on."""
        if failures >= len(self.enough) or passes <= self.too_few[failures]:
            return False
        return True if passes >= self.enough[failures] else None

    def decide(self, attempts: Iterable[bool]) -> Decision:
        """The verdict of the first attempts that decide; `attempts` says of each whether it passed."""
        passes = counted = 0
        for counted, passed in enumerate(attempts, 1):
            passes += passed
            found = self.verdict(passes, counted - passes)
            if found is not None:
                return Decision(found, counted)
        return Decision(None, counted)

    def needed(self, attempts: Sequence[bool]) -> int:
        """The number of further attempts after which the case passes if all pass; 0 if it is decided."""
        if self.decide(attempts).passed is not None:
            return 0
        passes = sum(attempts)
        return self.enough[len(attempts) - passes] - passes

    def chances(self, rate: float) -> Chances:
        """What the test does with a case of this pass rate."""
        passes = attempts = 0.0
        row = _Row.first()
        for enough, too_few in zip(self.enough, self.too_few, strict=True):
            row = row.following(too_few, enough, rate)
            passes += row.at(enough - 1) * rate
            attempts += row.total
        return Chances(passes, attempts)


def table_of(rates: Rates) -> Table:
    """The test of a case whose suite was read; raises ValueError if there is none."""
    found = table(rates)
    if found is None:
        raise ValueError(f"a test needs more than {MOST} attempts")
    return found


@lru_cache(maxsize=256)
def table(rates: Rates) -> Table | None:
    """The test that keeps both error rates with the smallest expected number of attempts at the good rate.

    Of two such tests, the one with the smaller maximum. None if a test needs more than `MOST` attempts.
    """
    if _expected_at_least(rates) > MOST:
        return None
    found = filter(None, (_truncated(bounds, rates) for bounds in _bounds(rates)))
    return min(found, key=lambda each: (each.chances(rates.good).attempts, each.most), default=None)


# ── the search ───────────────────────────────────────────────────────────────────────────────────


class _Bounds(NamedTuple):
    """A test that is not truncated: what a pass adds and a failure takes, and the bounds of the score."""

    up: int
    down: int
    upper: int
    lower: int

    def enough(self, failures: int) -> int:
        """The number of passes with which the case passes."""
        return -((-self.upper - self.down * failures) // self.up)

    def too_few(self, failures: int) -> int:
        """The number of passes up to which the case fails; -1 if it goes on."""
        return max(-1, (self.down * failures - self.lower) // self.up)


def _expected_at_least(rates: Rates) -> float:
    """The expected number of attempts at the good rate that no test can go below (Wald and Wolfowitz)."""
    good, bad, false_alarm, miss = rates.good, rates.bad, rates.false_alarm, rates.miss
    weight = (1 - false_alarm) * log((1 - false_alarm) / miss) + false_alarm * log(false_alarm / (1 - miss))
    return weight / (good * log(good / bad) + (1 - good) * log((1 - good) / (1 - bad)))


def _bounds(rates: Rates) -> Iterator[_Bounds]:
    """The tests near Wald's approximation, and one whose bounds are never reached before it is truncated."""
    good, bad, false_alarm, miss = rates.good, rates.bad, rates.false_alarm, rates.miss
    up, down = log(good / bad), log((1 - bad) / (1 - good))
    unit = min(up, down)
    upper, lower = log((1 - false_alarm) / miss) / unit, log((1 - miss) / false_alarm) / unit
    for weight in sorted({floor(max(up, down) / unit), ceil(max(up, down) / unit)}):
        one, other = (1, weight) if down > up else (weight, 1)
        for bounds in product(_near(upper), _near(lower)):
            yield _Bounds(one, other, *bounds)
    yield _Bounds(1, 1, 2 * MOST, 2 * MOST)


def _near(bound: float) -> range:
    return range(max(1, floor(bound) - NEAR), ceil(bound) + NEAR + 1)


class _Row(NamedTuple):
    """The probabilities of being undecided after some number of failures and each number of passes."""

    begin: int
    """The number of passes of the first of them."""
    chances: list[float]
    onward: float
    """The probability that the next attempt fails."""

    @classmethod
    def first(cls) -> _Row:
        """What comes before the row without failures: the case enters that with certainty, without passes."""
        return cls(0, [1.0], 1.0)

    @property
    def total(self) -> float:
        """Their sum: the expected number of attempts that begin in this row."""
        return sum(self.chances)

    def at(self, passes: int) -> float:
        """One of them."""
        at = passes - self.begin
        return self.chances[at] if 0 <= at < len(self.chances) else 0.0

    def following(self, too_few: int, enough: int, rate: float) -> _Row:
        """The row with one more failure, in which the case is undecided between these numbers of passes."""
        begin, chance, chances = too_few + 1, 0.0, []
        for passes in range(begin, enough):
            chance = chance * rate + self.at(passes) * self.onward
            chances.append(chance)
        return _Row(begin, chances, 1 - rate)


def _truncated(bounds: _Bounds, rates: Rates) -> Table | None:
    """The test truncated at as few passes and failures as its error rates allow; None if they never do."""
    good, bad = [_Row.first()], [_Row.first()]
    enough: list[int] = []
    too_few: list[int] = []
    passes = max(1, ceil(log(rates.miss) / log(rates.bad)))  # with fewer, too many bad cases pass at once
    while passes + len(enough) <= MOST:
        failures = len(enough)
        enough.append(bounds.enough(failures))
        too_few.append(bounds.too_few(failures))
        good.append(good[-1].following(too_few[-1], enough[-1], rates.good))
        bad.append(bad[-1].following(too_few[-1], enough[-1], rates.bad))
        while _passes(bad, enough, passes, rates.bad) > rates.miss:
            passes += 1
            if passes > enough[-1] or passes + failures > MOST:
                return None
        false_alarm = 1 - _passes(good, enough, passes, rates.good)
        if false_alarm <= rates.false_alarm:
            return _cut(enough, too_few, passes)
        if false_alarm - good[-1].total * (1 - rates.good) > rates.false_alarm:
            return None  # even if the case passed after each further failure
    return None


def _passes(rows: Sequence[_Row], enough: Sequence[int], most: int, rate: float) -> float:
    """The probability that a case passes, if as many passes as `most` are always enough."""
    return rate * sum(row.at(min(each, most) - 1) for row, each in zip(rows[1:], enough, strict=True))


def _cut(enough: Sequence[int], too_few: Sequence[int], most: int) -> Table:
    """The table in which as many passes as `most` are always enough."""
    return Table(tuple(min(each, most) for each in enough), tuple(min(each, most - 1) for each in too_few))
