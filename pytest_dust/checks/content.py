"""JSON values by their content: equal ones have one key, however large they are."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable


class Keys:
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
        if type(value) in PLAIN:
            return value  # type: ignore[no-any-return]
        if isinstance(value, bool):
            return _TRUE if value else _FALSE
        if isinstance(value, dict | list | tuple):
            return self._by_id.get(id(value)) or self._new(value)
        return value  # type: ignore[no-any-return]  # MISSING, or a subclass of what is plain

    def each(self, values: Iterable[Any]) -> list[Hashable]:
        """The keys of several values."""
        return [value if type(value) in PLAIN else self.of(value) for value in values]

    def _new(self, value: Any) -> object:
        parts = value.values() if isinstance(value, dict) else value
        keys = [part if type(part) in PLAIN else self.of(part) for part in parts]  # a frame less than `each`
        content: Hashable = tuple(keys)
        if isinstance(value, dict):
            content = frozenset(zip(value, keys, strict=True))
        elif self._unordered:
            content = (frozenset(Counter(keys).items()),)
        key = self._by_id[id(value)] = self._by_content.setdefault(content, object())
        return key


PLAIN = frozenset({str, int, float, type(None)})
_TRUE, _FALSE = object(), object()
"""Keys of the two that Python takes for 1 and 0."""
