"""JSON's sense of equality, and where two values differ."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from pytest_dust.compare.alignment import Aligner
from pytest_dust.compare.content import Content, Part, as_it_was, key
from pytest_dust.compare.unordered import SimilarMatcher, lacking
from pytest_dust.model import MISSING, Change, Path

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from pytest_dust.compare.alignment import Pair
    from pytest_dust.compare.content import Counted
    from pytest_dust.compare.unordered import Alike


def equal(left: Any, right: Any) -> bool:
    """Whether two values are the same JSON: `1` equals `1.0`, never `true`; the order of keys is nothing."""
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
    """Where two JSON values differ, top to bottom, the smallest differing parts one at a time.

    A step into a list is the place in the new one, and in the old one for what is gone. With `unordered`,
    the order of lists is nothing. Values that are `alike` differ by nothing that counts. An aligner that
    is given bounds the work of several calls together.
    """
    if equal(old, new):
        return []
    content = Content(unordered=unordered)
    aligner = aligner or Aligner()
    return counted_differences(content.of(old), content.of(new), aligner, alike, unordered=unordered)


def counted_differences(
    old: Counted, new: Counted, aligner: Aligner, alike: Alike | None = None, *, unordered: bool = False
) -> list[Change]:
    """Where what counts of two values differs, told with the values as they were."""
    differ = _Differ(aligner, alike, unordered=unordered)
    differ.hold(old, new, ())
    return differ.found


def unmatched(one: Sequence[Any], other: Sequence[Any]) -> tuple[list[int], list[int]]:
    """The places in each list of the elements that the other lacks, or has fewer times, in any order."""
    keys = _keys(one, other)
    return lacking(*keys)


def absent(wanted: Sequence[Any], value: Sequence[Any]) -> list[int]:
    """The places of the wanted elements that a list has nowhere."""
    keys, there = _keys(wanted, value)
    found = set(there)
    return [at for at, each in enumerate(keys) if each not in found]


def _keys(*lists: Sequence[Any]) -> list[list[Hashable]]:
    """The keys of each list's elements."""
    content = Content()
    return [[key(content.of(each)) for each in values] for values in lists]


class _Differ:
    """Finds the differences of what counts of two values, each part of which is looked at once."""

    def __init__(self, aligner: Aligner, alike: Alike | None, *, unordered: bool) -> None:
        self.found: list[Change] = []  # at once: handed up from level to level they take twice the time
        self._aligner = aligner
        self._unordered = unordered
        self._alike = alike
        self._similar = None if alike is None else SimilarMatcher(alike, aligner, unordered=unordered)

    def hold(self, old: Counted, new: Counted, path: Path) -> None:
        """Hold two values that stand at a path against each other."""
        if key(old) == key(new):
            return
        if not (isinstance(old, Part) and isinstance(new, Part) and _same_kind(old.parts, new.parts)):
            self._tell(path, old, new)
            return
        parts = self._entries(old, new) if isinstance(old.parts, dict) else self._elements(old, new)
        for step, there, here in parts:
            if type(there) is Part or type(here) is Part:
                self.hold(there, here, (*path, step))
            elif there != here:  # as most parts are plain
                self._tell((*path, step), there, here)

    def _tell(self, path: Path, old: Any, new: Any) -> None:
        """Note two values that differ and have no parts to be held against each other."""
        before, after = as_it_was(old), as_it_was(new)
        if self._alike is None or not self._alike(before, after):
            self.found.append(Change(path, before, after))

    def _entries(self, old: Part, new: Part) -> Iterable[tuple[str, Any, Any]]:
        """What stands under each key: those of the old mapping, then those that are new."""
        before, after = old.parts, new.parts
        if before.keys() == after.keys():
            return ((name, value, after[name]) for name, value in before.items())
        return ((name, before.get(name, GONE), after.get(name, GONE)) for name in {**before, **after})

    def _elements(self, old: Part, new: Part) -> Iterator[tuple[int, Any, Any]]:
        """Elements lined up by content, so that an insertion shifts nothing."""
        for there, here in self._pairs(old, new):
            before = GONE if there is None else old.parts[there]
            if here is None:
                yield old.places[there or 0], before, GONE
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


GONE = Part(MISSING, MISSING)
"""Stands in the place of a part that only one of two values has."""


def _same_kind(old: object, new: object) -> bool:
    """Whether both are the parts of mappings, or both those of lists."""
    if isinstance(old, dict):
        return isinstance(new, dict)
    return isinstance(old, list | tuple) and isinstance(new, list | tuple)
