"""JSON's sense of equality, and where two values differ."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from pytest_dust.checks.alignment import Aligner
from pytest_dust.checks.content import PLAIN, Keys
from pytest_dust.checks.unordered import Twins, lacking
from pytest_dust.model import MISSING, Change, Path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_dust.checks.alignment import Pair
    from pytest_dust.checks.unordered import Alike


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
) -> Iterator[Change]:
    """Where two JSON values differ, top to bottom, the smallest differing parts one at a time.

    A step into a list is the place in the new one, and in the old one for what is gone. With `unordered`,
    the order of lists is nothing. Values that are `alike` differ by nothing that counts. An aligner that
    is given bounds the work of several calls together.
    """
    if equal(old, new):
        return iter(())
    differ = _Differ(aligner or Aligner(), alike, unordered=unordered)
    differ.hold(old, new, ())
    return iter(differ.found)


def unmatched(one: Sequence[Any], other: Sequence[Any]) -> tuple[list[int], list[int]]:
    """The places in each list of the elements that the other lacks, or has fewer times, in any order."""
    keys = Keys(unordered=False)
    return lacking(keys.each(one), keys.each(other))


def absent(wanted: Sequence[Any], value: Sequence[Any]) -> list[int]:
    """The places of the wanted elements that a list has nowhere."""
    keys = Keys(unordered=False)
    there = set(keys.each(value))
    return [at for at, key in enumerate(keys.each(wanted)) if key not in there]


class _Differ:
    """Finds the differences of two values, each part of which is looked at once."""

    def __init__(self, aligner: Aligner, alike: Alike | None, *, unordered: bool) -> None:
        self.found: list[Change] = []  # at once: handed up from level to level they take twice the time
        self._aligner = aligner
        self._alike = alike
        self._unordered = unordered
        self._keys = Keys(unordered=unordered)
        self._twins = Twins(alike, self._keys, aligner) if unordered and alike else None

    def hold(self, old: Any, new: Any, path: Path) -> None:
        """Hold two values that stand at a path against each other."""
        if self._keys.of(old) == self._keys.of(new):
            return
        if not _same_kind(old, new):
            self._tell(path, old, new)
            return
        parts = self._entries(old, new) if isinstance(old, dict) else self._elements(old, new)
        for step, there, here in parts:
            if type(there) not in PLAIN or type(here) not in PLAIN:
                self.hold(there, here, (*path, step))
            elif there != here:  # as most parts are plain
                self._tell((*path, step), there, here)

    def _tell(self, path: Path, old: Any, new: Any) -> None:
        """Note two values that differ and have no parts to be held against each other."""
        if self._alike is None or not self._alike(old, new):
            self.found.append(Change(path, old, new))

    def _entries(self, old: dict[str, Any], new: dict[str, Any]) -> Iterable[tuple[str, Any, Any]]:
        """What stands under each key: those of the old mapping, then those that are new."""
        if old.keys() == new.keys():
            return ((key, value, new[key]) for key, value in old.items())
        return ((key, old.get(key, MISSING), new.get(key, MISSING)) for key in {**old, **new})

    def _elements(self, old: Sequence[Any], new: Sequence[Any]) -> Iterator[tuple[int, Any, Any]]:
        """Elements lined up by content, so that an insertion shifts nothing."""
        for there, here in self._pairs(old, new):
            if here is None:
                yield there or 0, _element(old, there), MISSING
            else:
                yield here, _element(old, there), new[here]

    def _pairs(self, old: Sequence[Any], new: Sequence[Any]) -> Iterator[Pair]:
        if self._twins:
            return zip_longest(*self._twins.apart(old, new))
        keys = self._keys.each(old), self._keys.each(new)
        return zip_longest(*lacking(*keys)) if self._unordered else self._aligner.pairs(*keys)


def _same_kind(old: object, new: object) -> bool:
    """Whether both values are mappings, or both are lists."""
    if isinstance(old, dict):
        return isinstance(new, dict)
    return isinstance(old, list | tuple) and isinstance(new, list | tuple)


def _element(values: Sequence[Any], at: int | None) -> Any:
    return MISSING if at is None else values[at]
