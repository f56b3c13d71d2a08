"""JSON values by their content: what counts of two values is the same where their keys are."""

from __future__ import annotations

from collections import Counter
from decimal import Context, InvalidOperation
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_dust.compare.left_out import NOTHING

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from pytest_dust.compare.left_out import LeftOut

PLAIN = frozenset({str, int, float, type(None)})
"""The types whose values are their own keys."""


class Part:
    """A value, or a part of one: as it was, a key for what counts of it, and its own parts that count.

    A mapping has its parts by name. A list has them in a list, with the place of each.
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
        """Take the value and what is known of it."""
        self.value = value
        self.key = key
        self.parts = parts
        self.keys = keys
        self.places = places


Counted: TypeAlias = "Part | str | int | float | None"
"""What counts of a value; a plain value stands as it is."""


class Content:
    """Reads values so that equal content has equal keys, however large it is and wherever it stands."""

    def __init__(self, *, unordered: bool = False, significant_digits: int | None = None) -> None:
        """Say whether the order of lists counts, and to how many digits numbers do."""
        self._unordered = unordered
        self._round = None if significant_digits is None else Context(significant_digits)
        self._keys: dict[Hashable, object] = {}
        self._plain = PLAIN if significant_digits is None else frozenset({str, type(None)})

    def of(self, value: Any, left_out: LeftOut = NOTHING) -> Counted:
        """What counts of a value."""
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
        for name, each in value.items():  # no comprehensions here: each is a frame more at each level
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


def key(part: Counted) -> Hashable:
    """The key of what counts of a value."""
    return part.key if type(part) is Part else part


def as_it_was(part: Counted) -> Any:
    """The value itself."""
    return part.value if type(part) is Part else part


def counted(part: Counted) -> Any:
    """What counts of a value, as a value."""
    if not isinstance(part, Part):
        return part
    if isinstance(part.parts, dict):
        return {name: counted(each) for name, each in part.parts.items()}
    if isinstance(part.parts, list | tuple):
        return [counted(each) for each in part.parts]
    return part.key if isinstance(part.key, int | float | str) else part.value


def _rounded(number: float, context: Context) -> float:
    try:
        return float(context.create_decimal(repr(number)))
    except (InvalidOperation, OverflowError, ValueError):
        return number


_TRUE, _FALSE = Part(value=True, key=object()), Part(value=False, key=object())
"""The two values that Python takes for 1 and 0."""
