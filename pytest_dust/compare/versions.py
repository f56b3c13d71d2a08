"""Test whether a feature of runs is more frequent in one version of an app than in the other.

A feature is given as the set of runs that have it, an int with one bit for each run: the old version's runs
have the lowest bits.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import cached_property
from itertools import combinations
from math import comb
from random import Random
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

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
        return (feature & self.news).bit_count() * (self._old + self._new) - feature.bit_count() * self._new

    def risen(self, features: Iterable[Runs], level: float) -> set[Runs]:
        """The features that are more frequent in the new version, significant at a level for all together.

        Those that are found are taken out, with their opposites, and the others are tested again, until no
        more are found: a large change then hides no smaller one, and the level still holds (step-down test
        of Westfall and Young).
        """
        others, found = set(features), set[Runs]()
        while more := self._most_risen(others, level):
            others -= more | {self.every ^ each for each in more}
            found |= more
        return found

    def _most_risen(self, features: Collection[Runs], level: float) -> set[Runs]:
        """The features whose mid-p is at most the level.

        For each split of the runs into two groups, the largest rise of all features is taken; the mid-p of
        a feature is the share of splits with a larger one, and half of the share with an equal one.
        """
        if not features:
            return set()
        runs = self._old + self._new
        usual = [(each, each.bit_count() * self._new) for each in features]
        largest = sorted(
            max([(each & news).bit_count() * runs - count for each, count in usual]) for news in self._splits
        )
        return {each for each in features if _mid_p(self.rise(each), largest) <= level}

    @cached_property
    def _splits(self) -> list[Runs]:
        """All choices of runs for the new version; if these are many, the actual one and random ones."""
        runs = range(self._old + self._new)
        if comb(len(runs), self._new) <= MAX_EXACT:
            return list(map(_set, combinations(runs, self._new)))
        random = Random(0)  # noqa: S311  # the same splits for the same runs
        return [self.news, *(_set(random.sample(runs, self._new)) for _ in range(SAMPLED))]


def _set(indexes: Iterable[int]) -> Runs:
    return sum(1 << at for at in indexes)


def _mid_p(value: int, sorted_values: list[int]) -> float:
    """The share of larger values, and half of the share of equal ones."""
    below, up_to = bisect_left(sorted_values, value), bisect_right(sorted_values, value)
    return 1 - (below + up_to) / 2 / len(sorted_values)
