"""Test whether a feature of runs is more frequent in one version of an app than in the other.

A feature is given as the set of runs that have it, an int with one bit for each run: the old version's runs
have the lowest bits.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import combinations
from math import comb
from random import Random
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

Runs: TypeAlias = int
"""A set of runs; bit 0 is the first run of the old version."""

MAX_EXACT = 2_000
"""Maximum number of splits that are all looked at, enough for 7 and 7 runs."""
SAMPLED = 1_000
"""Number of splits drawn at random if there are more."""


class Versions:
    """The runs of two versions."""

    def __init__(self, old: int, new: int) -> None:
        """Take the number of runs of each version."""
        self._old, self._new = old, new
        self.every: Runs = (1 << old + new) - 1
        self.news: Runs = self.every >> old << old
        self.olds: Runs = self.every ^ self.news
        self.fewest = min(old, new)
        """Number of runs of the version that has fewer."""

    def rise(self, feature: Runs) -> int:
        """How much more frequent a feature is in the new version: difference of shares, times a constant."""
        return self._rise(feature, self.news)

    def risen(self, features: Collection[Runs], level: float) -> set[Runs]:
        """The features that are more frequent in the new version, significant at a level for all together.

        For each split of the runs into two groups, the largest rise of all features is taken; the mid-p of
        a feature is the share of splits with a larger one, and half of the share with an equal one.
        """
        largest = sorted(
            max((self._rise(each, news) for each in features), default=0) for news in self._splits()
        )
        return {each for each in features if _mid_p(self.rise(each), largest) <= level}

    def _rise(self, feature: Runs, news: Runs) -> int:
        """The rise, if these were the runs of the new version."""
        return (feature & news).bit_count() * self._old - (feature & ~news).bit_count() * self._new

    def _splits(self) -> Iterable[Runs]:
        """All choices of runs for the new version; if these are many, the actual one and random ones."""
        count = self._old + self._new
        if comb(count, self._new) <= MAX_EXACT:
            return map(_runs, combinations(range(count), self._new))
        return self._random_splits(range(count))

    def _random_splits(self, runs: range) -> Iterator[Runs]:
        random = Random(0)  # noqa: S311  # the same splits for the same runs
        yield self.news
        for _ in range(SAMPLED):
            yield _runs(random.sample(runs, self._new))


def _runs(indexes: Iterable[int]) -> Runs:
    return sum(1 << at for at in indexes)


def _mid_p(value: int, sorted_values: list[int]) -> float:
    """The share of larger values, and half of the share of equal ones."""
    below, up_to = bisect_left(sorted_values, value), bisect_right(sorted_values, value)
    return 1 - (below + up_to) / 2 / len(sorted_values)
