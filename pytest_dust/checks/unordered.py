"""Which elements of two lists belong together where order is nothing; bounded for any input."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from pytest_dust.checks.alignment import Pair

NEAR = 16
"""Elements on either side, in the order of their texts, among which a twin is sought first."""


def lacking(one: Sequence[Hashable], other: Sequence[Hashable]) -> tuple[list[int], list[int]]:
    """The places in each list of what the other lacks, or has fewer times."""
    here, there = Counter(one), Counter(other)
    return _last_of(one, here - there), _last_of(other, there - here)


def _last_of(values: Sequence[Hashable], times: Counter[Hashable]) -> list[int]:
    """Where each value stands as often as it is counted, from the back."""
    places = []
    for at in range(len(values) - 1, -1, -1):
        if times[values[at]] > 0:
            times[values[at]] -= 1
            places.append(at)
    return places[::-1]


Known = tuple[str, int]
"""An element by its text and its place."""


@dataclass(frozen=True, slots=True)
class Twins:
    """Finds elements of two lists that are as good as the same; to hold two together takes a try."""

    old: Sequence[Any]
    new: Sequence[Any]
    as_good: Callable[[Any, Any], bool]
    tries: Iterator[int]

    def apart(self, gone: Sequence[int], come: Sequence[int]) -> Iterator[Pair]:
        """What stands at these places and has no twin there, paired in the order of their texts."""
        left, right = _by_text(self.old, gone), _by_text(self.new, come)
        for reach in (NEAR, len(right)):
            left = [one for one in left if not self._takes(one, right, reach)]
        pairs: Iterator[Pair] = zip_longest((at for _, at in left), (at for _, at in right))
        return iter(sorted(pairs, key=lambda pair: next(at for at in reversed(pair) if at is not None)))

    def _takes(self, one: Known, others: list[Known], reach: int) -> bool:
        """Whether an element has a twin within reach, which is taken out of the others."""
        text, at = one
        near = _around(bisect_left(others, (text, 0)), reach, len(others))
        for place, _ in zip(near, self.tries, strict=False):
            if self.as_good(self.old[at], self.new[others[place][1]]):
                del others[place]
                return True
        return False


def _around(middle: int, reach: int, end: int) -> Iterator[int]:
    """The places from the middle outwards."""
    for far in range(reach):
        if middle + far < end:
            yield middle + far
        if far < middle <= end + far:
            yield middle - far - 1


def _by_text(values: Sequence[Any], places: Sequence[int]) -> list[Known]:
    """Elements in an order in which those that are nearly the same are near each other, as a rule."""
    return sorted((json.dumps(values[at], sort_keys=True, default=repr), at) for at in places)
