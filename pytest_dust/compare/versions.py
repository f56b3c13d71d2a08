"""Test whether runs differ more between two versions of an app than within them, by a permutation test.

How far runs are apart is given as distances, one for each pair of runs, in the order of `combinations`; the
old version's runs come first. Distances are whole numbers up to SCALE: sums of them are exact, so that equal
statistics are recognized as equal.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import chain, combinations
from math import comb
from random import Random
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

Distances: TypeAlias = "tuple[int, ...]"
Split: TypeAlias = "tuple[list[int], list[int]]"
"""An assignment of the runs to the versions: the indexes of the pairs within the old one and the new one."""

SCALE = 1_000
"""The distance of two runs that are unlike."""
MAX_EXACT = 2_000
"""Maximum number of splits that are all taken, enough for 7 and 7 runs."""
SAMPLED = 1_000
"""Number of splits taken at random if there are more."""


class Versions:
    """The number of runs of two versions, and what distances between the runs say of the versions."""

    def __init__(self, old: int, new: int) -> None:
        self._old = range(old)
        self._new = range(old, old + new)
        self._at = {pair: at for at, pair in enumerate(combinations(range(old + new), 2))}
        """The index of each pair of runs."""
        self._inside = max(comb(old, 2), 1), max(comb(new, 2), 1)
        self._actual = self._split(self._old)
        self.fewest = min(old, new)
        """Number of runs of the version that has fewer."""

    def statistic(self, distances: Distances) -> int:
        """The mean distance between the versions minus the mean within them, times a constant.

        It is 0 if most pairs of runs differ within both versions: if a text is worded anew each time, new
        words say nothing.
        """
        return self._of_split(distances, sum(distances), self._actual)

    def largest(self, leaves: Sequence[Distances]) -> list[int]:
        """For each split of the runs into versions, the largest statistic of all leaves; sorted."""
        totals = [(distances, sum(distances)) for distances in self._in_fixed_order(leaves)]
        return sorted(
            max((self._of_split(*each, split) for each in totals), default=0) for split in self._splits()
        )

    def are_apart(self, distances: Distances) -> bool:
        """True if the runs of each version are equal, and those of different versions are unlike."""
        within = set(chain(*self._actual))
        return all(each == (0 if at in within else SCALE) for at, each in enumerate(distances))

    def is_noise(self, distances: Distances) -> bool:
        """True if runs of one version differ, but not most of them."""
        mean_old, mean_new = self._means_inside(distances)
        return 0 < mean_old + mean_new <= SCALE

    def unlike(self, distances: Distances) -> int:
        """Number of new runs that are unlike the old ones.

        Such a run is on average farther from the old runs than these are from each other, or farther from
        them than from the other new runs.
        """
        usual, _ = self._means_inside(distances)
        count = 0
        for run in self._new:
            there = _mean([distances[self._index(run, other)] for other in self._old])
            here = _mean([distances[self._index(run, other)] for other in self._new if other != run])
            count += there > usual or there > here
        return count

    def _means_inside(self, distances: Distances) -> tuple[float, float]:
        old, new = ([distances[at] for at in pairs] for pairs in self._actual)
        return _mean(old), _mean(new)

    def _of_split(self, distances: Distances, total: int, split: Split) -> int:
        """The statistic, if the runs were assigned to the versions like this."""
        old = sum([distances[at] for at in split[0]])
        new = sum([distances[at] for at in split[1]])
        pairs_old, pairs_new = self._inside
        if 2 * old > SCALE * pairs_old and 2 * new > SCALE * pairs_new:
            return 0
        inside = old * pairs_new + new * pairs_old
        return 2 * (total - old - new) * pairs_old * pairs_new - len(self._old) * len(self._new) * inside

    def _splits(self) -> Iterator[Split]:
        """All assignments of the runs to the versions; if these are many, the actual one and random ones."""
        runs, old = len(self._old) + len(self._new), len(self._old)
        fixed = int(2 * old == runs)  # exchanging the versions then makes no difference, so run 0 stays
        if comb(runs - fixed, old - fixed) <= MAX_EXACT:
            for olds in combinations(range(fixed, runs), old - fixed):
                yield self._split({*range(fixed), *olds})
            return
        random = Random(0)  # noqa: S311  # the same splits for the same runs
        yield self._actual
        for _ in range(SAMPLED):
            yield self._split(random.sample(range(runs), old))

    def _split(self, olds: Collection[int]) -> Split:
        news = [run for run in range(len(self._old) + len(self._new)) if run not in olds]
        return self._indexes(sorted(olds)), self._indexes(news)

    def _indexes(self, runs: Sequence[int]) -> list[int]:
        """The indexes of the pairs of some runs, which are in ascending order."""
        return [self._at[pair] for pair in combinations(runs, 2)]

    def _in_fixed_order(self, leaves: Sequence[Distances]) -> list[Distances]:
        """The leaves as if the runs of each version came in another order, the same for any order of theirs.

        Else the splits that are taken at random, and so the result, would depend on it.
        """
        sides = (self._old, self._new)

        def identity(run: int) -> list[int]:
            near = [[self._index(run, other) for other in side if other != run] for side in sides]
            return [sum([leaf[at] for at in indexes]) for leaf in leaves for indexes in near]

        order = [run for side in sides for run in sorted(side, key=identity)]
        moved = [self._index(order[one], order[two]) for one, two in self._at]
        return [tuple([leaf[at] for at in moved]) for leaf in leaves]

    def _index(self, one: int, two: int) -> int:
        """The index of the pair of two runs."""
        return self._at[min(one, two), max(one, two)]


def mid_p(statistic: int, largest: Sequence[int]) -> float:
    """The share of the sorted values above a statistic, and half of the share that equals it."""
    return 1 - (bisect_left(largest, statistic) + bisect_right(largest, statistic)) / 2 / len(largest)


def _mean(values: Sequence[int]) -> float:
    return sum(values) / max(len(values), 1)
