"""Which elements of lists belong together where order is nothing, or where texts are alike; bounded."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from pytest_dust.compare.content import Part, as_it_was, counted, key

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from pytest_dust.compare.alignment import Aligner
    from pytest_dust.compare.content import Counted

Alike: TypeAlias = "Callable[[Any, Any], bool]"
"""Whether two different values that have no parts are as good as the same, as texts may be."""
NUMBERS = frozenset({int, float, bool, type(None)})
"""What is never as good as the same: numbers are rounded beforehand."""
Places: TypeAlias = "tuple[list[int], list[int]]"
"""Places in an old list, and places in a new one."""
KNOWN = 20
"""What it takes to hold two elements together, in characters, beside those of their texts."""


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


class Similar:
    """Finds the elements of lists that are as good as the same; the aligner bounds the search."""

    def __init__(self, alike: Alike, aligner: Aligner, *, unordered: bool) -> None:
        """Take who says of two values whether they are alike, and whether the order of lists is nothing."""
        self._alike = alike
        self._aligner = aligner
        self._unordered = unordered
        self._good: dict[tuple[Hashable, Hashable], bool] = {}

    def apart(self, old: Part, new: Part) -> Places:
        """The places among the parts of each list of what has no counterpart in the other, in any order.

        Counterparts are sought first at the places that belong together as they stand.
        """
        gone, come = lacking(old.keys, new.keys)
        mates = {}
        for at, place in zip(gone, come, strict=False):
            if self.good(old.parts[at], new.parts[place]):
                mates[at] = place  # noqa: PERF403  # a comprehension is a frame more at each level
        if len(mates) < min(len(gone), len(come)):
            places = _no_numbers(old, gone), _no_numbers(new, come)
            _Search(self, (old, new), places, mates, self._aligner).run()
        found = set(mates.values())
        return [at for at in gone if at not in mates], [place for place in come if place not in found]

    def at(self, old: Part, new: Part, at: int, place: int) -> bool:
        """Whether what stands at these places among the parts of two lists is as good as the same."""
        return self.good(old.parts[at], new.parts[place])

    def good(self, old: Counted, new: Counted) -> bool:
        """Whether two values are as good as the same."""
        one, other = pair = key(old), key(new)
        if one == other:
            return True
        self._aligner.characters -= KNOWN
        if pair not in self._good:
            self._good[pair] = self._hold(old, new)
        return self._good[pair]

    def _hold(self, old: Counted, new: Counted) -> bool:
        if not (isinstance(old, Part) and isinstance(new, Part) and old.parts is not None):
            return self._alike_texts(as_it_was(old), as_it_was(new))
        if isinstance(old.parts, dict):
            if not isinstance(new.parts, dict) or old.parts.keys() != new.parts.keys():
                return False
            for name, value in old.parts.items():  # noqa: SIM110  # likewise
                if not self.good(value, new.parts[name]):
                    return False
            return True
        if not isinstance(new.parts, list | tuple) or len(old.parts) != len(new.parts):
            return False
        if self._unordered:
            return not self._differs(old, new) and not self.apart(old, new)[0]
        for value, other in zip(old.parts, new.parts, strict=True):  # noqa: SIM110  # likewise
            if not self.good(value, other):
                return False
        return True

    def _alike_texts(self, old: Any, new: Any) -> bool:
        if isinstance(old, str) and isinstance(new, str):
            self._aligner.characters -= len(old) + len(new)
        return self._alike(old, new)

    def _differs(self, old: Part, new: Part) -> bool:
        """Whether a list surely has what the other has not, as a number, which need not be sought."""
        gone, _ = lacking(old.keys, new.keys)
        return len(_no_numbers(old, gone)) < len(gone)


def _no_numbers(values: Part, places: Sequence[int]) -> list[int]:
    return [at for at in places if type(as_it_was(values.parts[at])) not in NUMBERS]


class _Known(NamedTuple):
    text: str
    place: int


class _Search:
    """Seeks a twin for each element of a list that has none, others making way where they have another."""

    def __init__(
        self,
        similar: Similar,
        lists: tuple[Part, Part],
        places: Places,
        mates: dict[int, int],
        aligner: Aligner,
    ) -> None:
        self._similar, self._aligner = similar, aligner
        self._old, self._new = lists
        self._mates = mates
        self._taken = {place: at for at, place in mates.items()}
        self._gone, self._come = (
            sorted(_Known(_text(side.parts[at]), at) for at in each)
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
            place = self._come[near].place
            if self._aligner.characters < 0:
                return
            if self._similar.good(self._old.parts[at], self._new.parts[place]):
                yield place


def _around(middle: int, end: int) -> Iterator[int]:
    """All places, from the middle outwards."""
    for far in range(max(middle, end - middle)):
        if middle + far < end:
            yield middle + far
        if far < middle:
            yield middle - far - 1


def _text(value: Counted) -> str:
    """A text in whose order values that are nearly the same are near each other, as a rule."""
    return json.dumps(counted(value), sort_keys=True, default=repr)
