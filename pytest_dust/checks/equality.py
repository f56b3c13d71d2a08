"""JSON read strictly, JSON's sense of equality, and where two values differ."""

from __future__ import annotations

import json
from collections import Counter
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_dust.checks.alignment import Aligner
from pytest_dust.checks.unordered import Twins, lacking
from pytest_dust.model import MISSING, Change, Path

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from pytest_dust.checks.alignment import Pair


Alike: TypeAlias = "Callable[[Any, Any], bool]"
"""Whether two different values are as good as the same."""


def decode(text: str) -> Any:
    """JSON text as a value; raises ValueError for what is none, `NaN` and `Infinity` included."""
    return _DECODER.decode(text)


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_number)


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
    keys = _Keys(unordered=False)
    return lacking(keys.each(one), keys.each(other))


def absent(wanted: Sequence[Any], value: Sequence[Any]) -> list[int]:
    """The places of the wanted elements that a list has nowhere."""
    keys = _Keys(unordered=False)
    there = set(keys.each(value))
    return [at for at, key in enumerate(keys.each(wanted)) if key not in there]


class _Differ:
    """Finds the differences of two values, each part of which is looked at once."""

    def __init__(
        self, aligner: Aligner, alike: Alike | None, *, unordered: bool, keys: _Keys | None = None
    ) -> None:
        self.found: list[Change] = []  # at once: handed up from level to level they take twice the time
        self._aligner = aligner
        self._alike = alike
        self._unordered = unordered
        self._keys = keys or _Keys(unordered=unordered)

    def hold(self, old: Any, new: Any, path: Path) -> None:
        """Hold two values that stand at a path against each other."""
        if self._keys.of(old) == self._keys.of(new):
            return
        if not _same_kind(old, new):
            self.tell(path, old, new)
            return
        parts = self._entries(old, new) if isinstance(old, dict) else self._elements(old, new)
        for step, there, here in parts:
            if type(there) not in _PLAIN or type(here) not in _PLAIN:
                self.hold(there, here, (*path, step))
            elif there != here:  # as most parts are plain
                self.tell((*path, step), there, here)

    def tell(self, path: Path, old: Any, new: Any) -> None:
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
        keys = self._keys.each(old), self._keys.each(new)
        if not self._unordered:
            return self._aligner.pairs(*keys)
        if self._alike is None:
            return zip_longest(*lacking(*keys))
        return Twins(old, new, self._as_good, self._aligner.tries).apart(*lacking(*keys))

    def _as_good(self, old: Any, new: Any) -> bool:
        """Whether two values differ in nothing but parts that are alike."""
        trial = _Trial(self._aligner, self._alike, unordered=self._unordered, keys=self._keys)
        try:
            trial.hold(old, new, ())
        except _DifferentError:
            return False
        return True


class _DifferentError(Exception):
    """Two values differ."""


class _Trial(_Differ):
    """Ends at the first difference."""

    def tell(self, path: Path, old: Any, new: Any) -> None:
        """Raise _DifferentError for two values that are not alike."""
        super().tell(path, old, new)
        if self.found:
            raise _DifferentError


def _same_kind(old: object, new: object) -> bool:
    """Whether both values are mappings, or both are lists."""
    if isinstance(old, dict):
        return isinstance(new, dict)
    return isinstance(old, list | tuple) and isinstance(new, list | tuple)


class _Keys:
    """Gives values that are the same JSON one key, by which they are compared at once however large.

    Plain values are their own keys. What is in a list or mapping is looked at once, however deep it lies:
    it must outlive the keys.
    """

    def __init__(self, *, unordered: bool) -> None:
        self._unordered = unordered
        self._by_content: dict[Hashable, object] = {}
        self._by_id: dict[int, object] = {}

    def of(self, value: Any) -> Hashable:
        """One value's key."""
        if type(value) in _PLAIN:
            return value  # type: ignore[no-any-return]
        if isinstance(value, bool):
            return _TRUE if value else _FALSE
        if isinstance(value, dict | list | tuple):
            return self._by_id.get(id(value)) or self._new(value)
        return value  # type: ignore[no-any-return]  # MISSING, or a subclass of what is plain

    def each(self, values: Iterable[Any]) -> list[Hashable]:
        """The keys of several values."""
        return [value if type(value) in _PLAIN else self.of(value) for value in values]

    def _new(self, value: Any) -> object:
        parts = value.values() if isinstance(value, dict) else value
        keys = [part if type(part) in _PLAIN else self.of(part) for part in parts]  # a frame less than `each`
        content: Hashable = tuple(keys)
        if isinstance(value, dict):
            content = frozenset(zip(value, keys, strict=True))
        elif self._unordered:
            content = (frozenset(Counter(keys).items()),)
        key = self._by_id[id(value)] = self._by_content.setdefault(content, object())
        return key


_PLAIN = frozenset({str, int, float, type(None)})
_TRUE, _FALSE = object(), object()
"""Keys of the two that Python takes for 1 and 0."""


def _element(values: Sequence[Any], at: int | None) -> Any:
    return MISSING if at is None else values[at]
