"""Pair the elements of two lists in any order, and elements that are similar; the work is bounded."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_dust.compare.content import Part, compared, key, original

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from pytest_dust.compare.alignment import Aligner
    from pytest_dust.compare.content import Compared

Alike: TypeAlias = "Callable[[Any, Any], bool]"
"""Whether two different values that have no parts count as the same, as similar texts do."""
NUMBERS = frozenset({int, float, bool, type(None)})
"""Types of which two different values are never similar: numbers are rounded beforehand."""
Places: TypeAlias = "tuple[list[int], list[int]]"
"""Indexes in an old list, and indexes in a new one."""
PAIR_COST = 20
"""Cost of comparing two elements, in characters, besides those of their texts."""


def lacking(one: Sequence[Hashable], other: Sequence[Hashable]) -> Places:
    """The indexes in each list of the values that the other lacks, or has fewer times."""
    here, there = Counter(one), Counter(other)
    return _last_of(one, here - there), _last_of(other, there - here)


def _last_of(values: Sequence[Hashable], times: Counter[Hashable]) -> list[int]:
    """The last indexes of each value, as many as `times` says."""
    places = []
    for at in range(len(values) - 1, -1, -1):
        if times[values[at]] > 0:
            times[values[at]] -= 1
            places.append(at)
    return places[::-1]


class SimilarMatcher:
    """Compares values that need not be equal; the aligner bounds the work.

    Two mappings or lists are similar if their parts are.
    """

    def __init__(self, alike: Alike, aligner: Aligner, *, unordered: bool) -> None:
        """Take the comparison of values without parts, and whether the order of lists is ignored."""
        self._alike = alike
        self._aligner = aligner
        self._unordered = unordered
        self._known: dict[tuple[Hashable, Hashable], bool] = {}

    def unpaired(self, old: Part, new: Part) -> Places:
        """The indexes of the elements that have no counterpart in the other list, in any order.

        Equal elements are paired first, then similar ones at the same index of what is left. Each other
        element takes a free similar one, the nearest in alphabetical order. No pair is undone: an element may
        be left over for which another pairing would have had a counterpart.
        """
        gone, come = lacking(old.keys, new.keys)
        paired: set[int] = set()
        taken: set[int] = set()
        for at, place in zip(gone, come, strict=False):
            if self.similar(old.parts[at], new.parts[place]):
                paired.add(at)
                taken.add(place)
        gone, come = [at for at in gone if at not in paired], [place for place in come if place not in taken]
        return self._paired_by_text(old, new, gone, come) if gone and come else (gone, come)

    def _paired_by_text(self, old: Part, new: Part, gone: list[int], come: list[int]) -> Places:
        """What is left of the indexes after each old element has taken the nearest free similar new one."""
        free = _by_text(new, come)
        paired: set[int] = set()
        taken: set[int] = set()
        for text, at in _by_text(old, gone):
            for rank in _around(bisect_left(free, (text, 0)), len(free)):
                if self._aligner.characters < 0:
                    break
                if self.similar(old.parts[at], new.parts[free[rank][1]]):
                    paired.add(at)
                    taken.add(free.pop(rank)[1])
                    break
        return [at for at in gone if at not in paired], [place for place in come if place not in taken]

    def similar(self, old: Compared, new: Compared) -> bool:
        """True if two values are equal or similar."""
        one, other = pair = key(old), key(new)
        if one == other:
            return True
        self._aligner.characters -= PAIR_COST
        if pair not in self._known:
            self._known[pair] = self._compare(old, new)
        return self._known[pair]

    def _compare(self, old: Compared, new: Compared) -> bool:
        if not (isinstance(old, Part) and isinstance(new, Part) and old.parts is not None):
            return self._compare_texts(original(old), original(new))
        if isinstance(old.parts, dict):
            if not isinstance(new.parts, dict) or old.parts.keys() != new.parts.keys():
                return False
            for name, value in old.parts.items():  # noqa: SIM110  # all() is one more frame at each level
                if not self.similar(value, new.parts[name]):
                    return False
            return True
        if not isinstance(new.parts, list | tuple) or len(old.parts) != len(new.parts):
            return False
        if self._unordered:
            return not _surely_differs(old, new) and not self.unpaired(old, new)[0]
        for value, other in zip(old.parts, new.parts, strict=True):  # noqa: SIM110  # likewise
            if not self.similar(value, other):
                return False
        return True

    def _compare_texts(self, old: Any, new: Any) -> bool:
        if isinstance(old, str) and isinstance(new, str):
            self._aligner.characters -= len(old) + len(new)
        return self._alike(old, new)


def _surely_differs(old: Part, new: Part) -> bool:
    """True if an element of the old list, such as a number, cannot be similar to any in the new one."""
    gone, _ = lacking(old.keys, new.keys)
    return any(not _may_be_similar(old.parts[at]) for at in gone)


def _may_be_similar(value: Compared) -> bool:
    """False for a value that is similar to no value but its equals."""
    return type(original(value)) not in NUMBERS


def _around(middle: int, end: int) -> Iterator[int]:
    """All indexes below `end`, from the middle outwards."""
    for far in range(max(middle, end - middle)):
        if middle + far < end:
            yield middle + far
        if far < middle:
            yield middle - far - 1


def _by_text(values: Part, places: Sequence[int]) -> list[tuple[str, int]]:
    """The elements that may be similar to others, as text and index, sorted: similar ones become close."""
    elements = ((values.parts[at], at) for at in places)
    return sorted(
        (json.dumps(compared(each), sort_keys=True, default=repr), at)
        for each, at in elements
        if _may_be_similar(each)
    )
