"""Read JSON values for comparison: values with equal compared content get equal keys."""

from __future__ import annotations

from collections import Counter
from decimal import Context, InvalidOperation
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_dust.compare.left_out import NOTHING

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from pytest_dust.compare.left_out import LeftOut

PLAIN = frozenset({str, int, float, type(None)})
"""Types whose values are their own keys."""


class Part:
    """A value that is compared: the original, the key of its compared content, and its compared parts.

    The parts of a mapping are a dict; those of a list are a list, and `places` has the index of each.
    """

    __slots__ = ("key", "keys", "parts", "places", "value")

    def __init__(
        self,
        value: Any,
        key: Hashable,
        parts: Any = None,
        keys: Sequence[Hashable] = (),
        places: Sequence[int] = (),
    ) -> None:
        """Take the original value, its key, and its parts with their keys."""
        self.value = value
        self.key = key
        self.parts = parts
        self.keys = keys
        self.places = places


Compared: TypeAlias = "Part | str | int | float | None"
"""A value read for comparison; one of a plain type is left as it is."""


class Content:
    """Reads values so that equal compared content has equal keys, whatever its size and place."""

    def __init__(self, *, unordered: bool = False, significant_digits: int | None = None) -> None:
        """`unordered` ignores the order of lists; numbers are rounded to `significant_digits`."""
        self._unordered = unordered
        self._round = None if significant_digits is None else Context(significant_digits)
        self._keys: dict[Hashable, object] = {}
        self._plain = PLAIN if significant_digits is None else frozenset({str, type(None)})

    def of(self, value: Any, left_out: LeftOut = NOTHING) -> Compared:
        """The value read for comparison, without what is left out of it."""
        kind = type(value)
        if kind in self._plain:
            return value  # type: ignore[no-any-return]
        if isinstance(value, dict):
            return self._mapping(value, left_out)
        if isinstance(value, list | tuple):
            return self._list(value, left_out)
        if isinstance(value, bool):
            return _TRUE if value else _FALSE
        if self._round and isinstance(value, int | float):
            return Part(value, _rounded(value, self._round))
        return Part(value, value)  # MISSING, or a subclass of what is plain

    def _mapping(self, value: dict[str, Any], left_out: LeftOut) -> Part:
        nothing = left_out.nothing
        if nothing and self._plain.issuperset(map(type, value.values())):
            return Part(value, self._key(frozenset(value.items())), value)
        parts: dict[str, Any] = {}
        for name, each in value.items():  # no comprehension: it would add a frame at each level
            below = left_out if nothing else left_out.below(name)
            if below is not None:
                parts[name] = each if type(each) in self._plain else self.of(each, below)
        keys = [part.key if type(part) is Part else part for part in parts.values()]
        return Part(value, self._key(frozenset(zip(parts, keys, strict=True))), parts)

    def _list(self, values: Sequence[Any], left_out: LeftOut) -> Part:
        below, by_index = left_out.below(0), left_out.by_index
        if not by_index and below is not None and self._plain.issuperset(map(type, values)):
            return self._listed(values, values, tuple(values), range(len(values)))
        parts: list[Any] = []
        places: list[int] = []
        for at, each in enumerate(values):
            if by_index:
                below = left_out.below(at)
            if below is not None:
                parts.append(each if type(each) in self._plain else self.of(each, below))
                places.append(at)
        keys = tuple([part.key if type(part) is Part else part for part in parts])
        return self._listed(values, parts, keys, places)

    def _listed(self, value: Any, parts: Any, keys: tuple[Hashable, ...], places: Sequence[int]) -> Part:
        content: Hashable = (frozenset(Counter(keys).items()),) if self._unordered else keys
        return Part(value, self._key(content), parts, keys, places)

    def _key(self, content: Hashable) -> object:
        return self._keys.setdefault(content, object())


def key(part: Compared) -> Hashable:
    """The key of a value read for comparison."""
    return part.key if type(part) is Part else part


def original(part: Compared) -> Any:
    """The original value."""
    return part.value if type(part) is Part else part


def compared(part: Compared) -> Any:
    """The compared content of a value, as a plain JSON value."""
    if not isinstance(part, Part):
        return part
    if isinstance(part.parts, dict):
        return {name: compared(each) for name, each in part.parts.items()}
    if isinstance(part.parts, list | tuple):
        return [compared(each) for each in part.parts]
    return part.key if isinstance(part.key, int | float | str) else part.value


def _rounded(number: float, context: Context) -> float:
    try:
        return float(context.create_decimal(repr(number)))
    except (InvalidOperation, OverflowError, ValueError):
        return number


_TRUE, _FALSE = Part(value=True, key=object()), Part(value=False, key=object())
"""True and False, which have keys of their own as Python holds them equal to 1 and 0."""
