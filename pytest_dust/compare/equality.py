"""Equality of JSON values, and the differences between two of them."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from pytest_dust.compare.alignment import Aligner
from pytest_dust.compare.content import Content, Part, key, original
from pytest_dust.compare.unordered import SimilarMatcher, lacking
from pytest_dust.model import MISSING, Change, Path

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from pytest_dust.compare.alignment import Pair
    from pytest_dust.compare.content import Compared
    from pytest_dust.compare.unordered import Alike


def equal(left: Any, right: Any) -> bool:
    """True if two values are equal as JSON: `1` equals `1.0`, not `true`; the order of keys is ignored."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(equal, left, right))
    return bool(left == right)


def differences(
    old: Any,
    new: Any,
    *,
    unordered: bool = False,
    aligner: Aligner | None = None,
    alike: Alike | None = None,
) -> list[Change]:
    """The differences between two JSON values: one Change for each smallest part, in order.

    In paths, the index of a list element is that in the new list; for a removed element, that in the old one.
    With `unordered`, the order of lists is ignored. Values without parts for which `alike` returns True count
    as equal. A given aligner bounds the work of several calls together.
    """
    if equal(old, new):
        return []
    content = Content(unordered=unordered)
    aligner = aligner or Aligner()
    return content_differences(content.of(old), content.of(new), aligner, alike, unordered=unordered)


def content_differences(
    old: Compared, new: Compared, aligner: Aligner, alike: Alike | None = None, *, unordered: bool = False
) -> list[Change]:
    """The differences between two values read for comparison, with the original values."""
    differ = _Differ(aligner, alike, unordered=unordered)
    differ.compare(old, new, ())
    return differ.found


def unmatched(one: Sequence[Any], other: Sequence[Any]) -> tuple[list[int], list[int]]:
    """The indexes in each list of the elements that the other lacks, or has fewer times, in any order."""
    keys = _keys(one, other)
    return lacking(*keys)


def absent(wanted: Sequence[Any], value: Sequence[Any]) -> list[int]:
    """The indexes of the wanted elements that are not in a list."""
    keys, there = _keys(wanted, value)
    found = set(there)
    return [at for at, each in enumerate(keys) if each not in found]


def _keys(*lists: Sequence[Any]) -> list[list[Hashable]]:
    """The keys of each list's elements."""
    content = Content()
    return [[key(content.of(each)) for each in values] for values in lists]


class _Differ:
    """Finds the differences between two values, comparing each part once."""

    def __init__(self, aligner: Aligner, alike: Alike | None, *, unordered: bool) -> None:
        self.found: list[Change] = []  # one list: returned from level to level, changes take twice the time
        self._aligner = aligner
        self._unordered = unordered
        self._alike = alike
        self._similar = None if alike is None else SimilarMatcher(alike, aligner, unordered=unordered)

    def compare(self, old: Compared, new: Compared, path: Path) -> None:
        """Add the differences between two values at a path."""
        if key(old) == key(new):
            return
        if not (isinstance(old, Part) and isinstance(new, Part) and _same_kind(old.parts, new.parts)):
            self._add(path, old, new)
            return
        parts = self._entries(old, new) if isinstance(old.parts, dict) else self._elements(old, new)
        for step, there, here in parts:
            if type(there) is Part or type(here) is Part:
                self.compare(there, here, (*path, step))
            elif there != here:  # without another call, as most parts are plain
                self._add((*path, step), there, here)

    def _add(self, path: Path, old: Any, new: Any) -> None:
        """Add one difference, unless the values count as equal."""
        before, after = original(old), original(new)
        if self._alike is None or not self._alike(before, after):
            self.found.append(Change(path, before, after))

    def _entries(self, old: Part, new: Part) -> Iterable[tuple[str, Any, Any]]:
        """The values of each key: those of the old mapping, then the added ones."""
        before, after = old.parts, new.parts
        if before.keys() == after.keys():
            return ((name, value, after[name]) for name, value in before.items())
        return ((name, before.get(name, ABSENT), after.get(name, ABSENT)) for name in {**before, **after})

    def _elements(self, old: Part, new: Part) -> Iterator[tuple[int, Any, Any]]:
        """The elements in pairs, aligned by content, so that an insertion does not shift the others."""
        for there, here in self._pairs(old, new):
            before = ABSENT if there is None else old.parts[there]
            if here is None:
                yield old.places[there or 0], before, ABSENT
            else:
                yield new.places[here], before, new.parts[here]

    def _pairs(self, old: Part, new: Part) -> Iterator[Pair]:
        matcher = self._similar
        if self._unordered:
            return zip_longest(*(matcher.unpaired(old, new) if matcher else lacking(old.keys, new.keys)))
        if matcher is None:
            return self._aligner.pairs(old.keys, new.keys)
        return self._aligner.pairs(
            old.keys, new.keys, lambda at, place: matcher.similar(old.parts[at], new.parts[place])
        )


ABSENT = Part(MISSING, MISSING)
"""Placeholder for a part that only the other value has."""


def _same_kind(old: object, new: object) -> bool:
    """True if both are the parts of mappings, or both those of lists."""
    if isinstance(old, dict):
        return isinstance(new, dict)
    return isinstance(old, list | tuple) and isinstance(new, list | tuple)
