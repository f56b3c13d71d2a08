"""Which elements of two lists belong together where order is nothing; bounded for any input."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from pytest_dust.checks.alignment import Aligner
    from pytest_dust.checks.content import Keys

Alike: TypeAlias = "Callable[[Any, Any], bool]"
"""Whether two different values that have no parts are as good as the same, as texts may be."""
NUMBERS = frozenset({int, float, bool, type(None)})
"""What is never as good as the same: numbers are rounded beforehand."""
Places: TypeAlias = "tuple[list[int], list[int]]"
"""Places in an old list, and places in a new one."""
KNOWN = 20
"""What it takes to look up two elements that were held together before, in characters."""


def lacking(one: Sequence[Hashable], other: Sequence[Hashable]) -> Places:
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


class Twins:
    """Finds the elements of lists that are as good as the same; the aligner bounds the search."""

    def __init__(self, alike: Alike, keys: Keys, aligner: Aligner) -> None:
        self._alike = alike
        self._keys = keys
        self._aligner = aligner
        self._good: dict[tuple[Hashable, Hashable], bool] = {}

    def apart(self, old: Sequence[Any], new: Sequence[Any]) -> Places:
        """The places in each list of what has no twin in the other.

        Twins are sought first at the places that belong together as they stand.
        """
        gone, come = lacking(self._keys.each(old), self._keys.each(new))
        mates = {}
        for at, place in zip(gone, come, strict=False):
            if self.good(old[at], new[place]):
                mates[at] = place  # noqa: PERF403  # a comprehension is a frame more at each level
        if len(mates) < min(len(gone), len(come)):
            places = _no_numbers(old, gone), _no_numbers(new, come)
            _Search(self, (old, new), places, mates, self._aligner).run()
        found = set(mates.values())
        return [at for at in gone if at not in mates], [place for place in come if place not in found]

    def good(self, old: Any, new: Any) -> bool:
        """Whether two values are as good as the same."""
        one, other = pair = self._keys.of(old), self._keys.of(new)
        if one == other or type(old) is not type(new) or type(old) in NUMBERS:
            return one == other
        if pair not in self._good:
            self._good[pair] = self._hold(old, new)
        return self._good[pair]

    def _hold(self, old: Any, new: Any) -> bool:
        if isinstance(old, dict):
            if old.keys() != new.keys():
                return False
            for key, value in old.items():  # noqa: SIM110  # likewise
                if not self.good(value, new[key]):
                    return False
            return True
        if isinstance(old, list | tuple):
            return len(old) == len(new) and not self._differs(old, new) and not self.apart(old, new)[0]
        return self._alike(old, new)

    def _differs(self, old: Sequence[Any], new: Sequence[Any]) -> bool:
        """Whether a list surely has what the other has not, as a number, which need not be sought."""
        gone, _ = lacking(self._keys.each(old), self._keys.each(new))
        return len(_no_numbers(old, gone)) < len(gone)

    def knows(self, old: Any, new: Any) -> bool:
        """Whether two values were held together before."""
        return (self._keys.of(old), self._keys.of(new)) in self._good


def _no_numbers(values: Sequence[Any], places: Sequence[int]) -> list[int]:
    return [at for at in places if type(values[at]) not in NUMBERS]


class _Known(NamedTuple):
    text: str
    place: int


class _Search:
    """Seeks a twin for each element of a list that has none, others making way where they have another."""

    def __init__(
        self,
        twins: Twins,
        lists: tuple[Sequence[Any], Sequence[Any]],
        places: Places,
        mates: dict[int, int],
        aligner: Aligner,
    ) -> None:
        self._twins, self._aligner = twins, aligner
        self._old, self._new = lists
        self._mates = mates
        self._taken = {place: at for at, place in mates.items()}
        self._gone, self._come = (
            sorted(_Known(_text(side[at]), at) for at in each)
            for side, each in zip(lists, places, strict=True)
        )
        self._ranks = {known.place: rank for rank, known in enumerate(self._gone)}

    def run(self) -> None:
        """Add to the mates what is found, as long as there are free ones and the search may go on."""
        for rank, (_, at) in enumerate(self._gone):
            if len(self._taken) == len(self._come) or self._aligner.characters < 0:
                return
            if at not in self._mates:
                self._settle(rank)

    def _settle(self, start: int) -> None:
        """Find an element a twin by the shortest chain of others that change theirs."""
        reached: dict[int, int] = {}
        waiting = [start]
        for rank in waiting:  # which grows meanwhile
            for place in self._candidates(rank):
                if place in reached:
                    continue
                reached[place] = self._gone[rank].place
                if place not in self._taken:
                    self._give(place, reached)
                    return
                waiting.append(self._ranks[self._taken[place]])

    def _give(self, place: int | None, reached: dict[int, int]) -> None:
        """Give a free place to who reached it, the place that this had to who reached that, and so on."""
        while place is not None:
            at = reached[place]
            before = self._mates.get(at)
            self._mates[at], self._taken[place] = place, at
            place = before

    def _candidates(self, rank: int) -> Iterator[int]:
        """The places of an element's twins: what has its rank first, then what has a text near its own."""
        text, at = self._gone[rank]
        end = len(self._come)
        for near in chain([min(rank, end - 1)], _around(bisect_left(self._come, (text, 0)), end)):
            other = self._come[near]
            old, new = self._old[at], self._new[other.place]
            known = self._twins.knows(old, new)
            self._aligner.characters -= KNOWN if known else KNOWN + len(text) + len(other.text)
            if self._aligner.characters < 0:
                return
            if self._twins.good(old, new):
                yield other.place


def _around(middle: int, end: int) -> Iterator[int]:
    """All places, from the middle outwards."""
    for far in range(max(middle, end - middle)):
        if middle + far < end:
            yield middle + far
        if far < middle:
            yield middle - far - 1


def _text(value: Any) -> str:
    """A text in whose order values that are nearly the same are near each other, as a rule."""
    return json.dumps(value, sort_keys=True, default=repr)
