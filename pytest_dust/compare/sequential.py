"""Sequential tests: decide after each attempt of a case whether its pass rate is the good or the bad one.

In a test, each pass adds to a score and each failure takes from it. The case passes once the score reaches an
upper bound, and fails once it reaches a lower one (Wald's sequential probability ratio test, in whole
numbers). The test is truncated: some number of passes is always enough, some number of failures too many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import product
from math import ceil, floor, log, log1p
from typing import NamedTuple

from msgspec import Struct

from pytest_dust.model import Rates

MOST = 200
"""Maximum number of attempts of one case."""
ROUNDING = 1e-12
"""By how much a computed error rate may pass the one that is asked for: sums of floats are not exact."""
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


class Table(Struct, frozen=True):
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
    if _is_beyond(rates):
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
        """The number of passes with which the case passes, or the maximum."""
        return min(MOST, -((-self.upper - self.down * failures) // self.up))

    def too_few(self, failures: int) -> int:
        """The number of passes up to which the case fails; -1 if it goes on."""
        return max(-1, (self.down * failures - self.lower) // self.up)


def _is_beyond(rates: Rates) -> bool:
    """Whether all tests take more than `MOST` attempts on average at the good rate (Wald and Wolfowitz)."""
    good, bad, false_alarm, miss = rates.good, rates.bad, rates.false_alarm, rates.miss
    wanted = (1 - false_alarm) * (log1p(-false_alarm) - log(miss))
    wanted += false_alarm * (log(false_alarm) - log1p(-miss))
    each = good * (log(good) - log(bad)) + (1 - good) * (log1p(-good) - log1p(-bad))
    return wanted > MOST * each


def _bounds(rates: Rates) -> Iterator[_Bounds]:
    """The tests near Wald's approximation, and one that only its truncation ends."""
    good, bad, false_alarm, miss = rates.good, rates.bad, rates.false_alarm, rates.miss
    up, down = log(good) - log(bad), log1p(-bad) - log1p(-good)
    unit = min(up, down)
    upper, lower = (log1p(-false_alarm) - log(miss)) / unit, (log1p(-miss) - log(false_alarm)) / unit
    for weight in sorted({floor(max(up, down) / unit), ceil(max(up, down) / unit)}):
        one, other = (1, weight) if down > up else (weight, 1)
        for bounds in product(_near(upper), _near(lower)):
            yield _Bounds(one, other, *bounds)
    yield _Bounds(1, 1, MOST, 2 * MOST)


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
        """What is before the row without failures: the case enters that with no passes."""
        return cls(0, [1.0], 1.0)

    @property
    def total(self) -> float:
        """The expected number of attempts that follow so many failures."""
        return sum(self.chances)

    def at(self, passes: int) -> float:
        """The probability of being undecided after so many passes."""
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
    good, bad = _Side(rates.good), _Side(rates.bad)
    enough: list[int] = []
    too_few: list[int] = []
    passes = max(1, ceil(log(rates.miss) / log(rates.bad)))  # with fewer, too many bad cases pass at once
    while passes + len(enough) <= MOST:
        failures = len(enough)
        enough.append(bounds.enough(failures))
        too_few.append(bounds.too_few(failures))
        for side in (good, bad):
            side.add(too_few[-1], enough[-1])
        while bad.passes(passes) > rates.miss + ROUNDING:
            passes += 1
            if passes > enough[-1] or passes + failures > MOST:
                return None
        false_alarm = 1 - good.passes(passes)
        if false_alarm <= rates.false_alarm + ROUNDING:
            return _cut(enough, too_few, passes)
        if false_alarm - good.left > rates.false_alarm:
            return None  # even if the case passed after each further failure
    return None


class _Side:
    """What a test does with a case of one rate, while rows are added to the test."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._rows: list[tuple[_Row, int]] = []
        self._most = self._summed = 0
        self._passes = 0.0
        """The sum over the first `_summed` rows, if `_most` passes are always enough."""

    def add(self, too_few: int, enough: int) -> None:
        """Add the row with one more failure."""
        above = self._rows[-1][0] if self._rows else _Row.first()
        self._rows.append((above.following(too_few, enough, self._rate), enough))

    def passes(self, most: int) -> float:
        """The probability that the case passes, if as many passes as `most` are always enough."""
        if most != self._most:
            self._most, self._summed, self._passes = most, 0, 0.0
        for row, enough in self._rows[self._summed :]:
            self._passes += self._rate * row.at(min(enough, most) - 1)
        self._summed = len(self._rows)
        return self._passes

    @property
    def left(self) -> float:
        """The probability of one more failure while the case is undecided."""
        row, _ = self._rows[-1]
        return row.total * row.onward


def _cut(enough: Sequence[int], too_few: Sequence[int], most: int) -> Table:
    """The table in which as many passes as `most` are always enough."""
    return Table(tuple(min(each, most) for each in enough), tuple(min(each, most - 1) for each in too_few))
