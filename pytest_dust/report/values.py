"""JSON values, paths and texts as one line each, of limited length, safe to print anywhere."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_dust.characters import apart, looks, safe, safe_name
from pytest_dust.model import MISSING, Path
from pytest_dust.paths import show_step

if TYPE_CHECKING:
    from collections.abc import Callable

ROOM = 200
"""Maximum number of characters of one value in a report."""
BEFORE = 40
"""Number of characters shown before the place where two long texts begin to differ."""

PATH_ROOM = 120
"""Maximum number of characters of a path in a report."""
MAX_LEVELS = 20
"""Maximum number of levels of nesting that are shown."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": "))


class _Shown(NamedTuple):
    """A value as one line of JSON, not safe to print yet: how much of it is shown, what is put around it."""

    text: str
    room: int
    before: str = ""
    after: str = ""

    def framed(self, text: str) -> str:
        """The line with another text instead of its own."""
        return f"{self.before}{cut(text, self.room)}{self.after}"


def show(
    value: object, room: int = ROOM, escape: Callable[[str], str] = safe, length: int | None = None
) -> str:
    """The value as one line of JSON, cut to `room` characters; `nothing` if it is MISSING.

    `length` is that of a text of which only a part is given.
    """
    shown = _written(value, room, length)
    return shown.framed(escape(shown.text))


def contrast(
    old: object, new: object, room: int = ROOM, lengths: tuple[int, int] | None = None
) -> tuple[str, str]:
    """Two values as `show` returns them, but of long texts the part that differs.

    Differing characters that are invisible or look like others are escaped.
    `lengths` are those of the two texts where only a part of them is given.
    """
    first, second = lengths or (None, None)
    if not (isinstance(old, str) and isinstance(new, str)):
        return _values_side_by_side(_written(old, room, first), _written(new, room, second))
    if max(_width(old, room), _width(new, room)) > room:
        start = _start(old, first_difference(old, new))
        shown = _side_by_side(_part(old, start, room, first), _part(new, start, room, second))
    else:
        shown = _side_by_side(_written(old, room, first), _written(new, room, second))
    if old != new and looks(shown[0]) == looks(shown[1]):  # as escapes leave no room for what differs
        start = first_difference(old, new)
        shown = _side_by_side(_part(old, start, room, first), _part(new, start, room, second))
    return shown


def _values_side_by_side(old: _Shown, new: _Shown) -> tuple[str, str]:
    """Two values; if escapes leave no room for what differs, the part of their JSON in which they differ."""
    shown = _side_by_side(old, new)
    if old.text == new.text or looks(shown[0]) != looks(shown[1]):
        return shown
    start = _start(old.text, first_difference(old.text, new.text))
    before = "…" if start else ""
    return _side_by_side(*(each._replace(text=each.text[start:], before=before) for each in (old, new)))


def _side_by_side(old: _Shown, new: _Shown) -> tuple[str, str]:
    first, second = apart(old.text, new.text)
    return old.framed(first), new.framed(second)


def show_path(path: Path, before: str = "") -> str:
    """A path as JMESPath writes it, below the path `before`; a very long one is cut."""
    for step in path:
        before += show_step(step[:ROOM] if isinstance(step, str) else step, first=not before)
    return cut(safe_name(before[:ROOM]), PATH_ROOM)


def shallow(value: Any, room: int) -> Any:
    """A copy of the value with no more in it than `room` characters of its JSON can show."""
    left = room

    def cut(text: str) -> str:
        nonlocal left
        left -= min(len(text), room)
        return text[: room + 1]

    def walk(value: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if isinstance(value, str):
            return cut(value)
        if isinstance(value, dict | list | tuple) and value and (depth > MAX_LEVELS or left <= 0):
            return "…"
        if isinstance(value, dict):
            keys = islice(value.items(), max(left, 0))
            return {cut(key): walk(each, depth + 1) for key, each in keys if left > 0}
        if isinstance(value, list | tuple):
            return [walk(each, depth + 1) for each in islice(value, max(left, 0)) if left > 0]
        return value

    return walk(value, 0)


def _start(text: str, differs: int) -> int:
    """Where to begin, so that the place where the texts differ is shown."""
    near = text[max(0, differs - BEFORE) : differs]
    if len(safe(near)) > 2 * BEFORE:  # each control character takes six characters
        near = near[-BEFORE // 6 :]
    return differs - len(near)


def _written(value: object, room: int, length: int | None = None) -> _Shown:
    """The whole value, or as much of it as there is room for."""
    if value is MISSING:
        return _Shown("nothing", room)
    if isinstance(value, str) and len(value) > room:
        return _part(value, 0, room, length)
    return _Shown(_ENCODER.encode(shallow(value, room)), room)


def _part(text: str, start: int, room: int, length: int | None = None) -> _Shown:
    """A part of a long text, with the whole text's length."""
    end = start + room
    before, after = "…" if start else "", "…" if end < len(text) else ""
    shown = _ENCODER.encode(text[start:end])
    return _Shown(shown, room + BEFORE, before, f"{after} ({length or len(text):,} characters)")


def _width(text: str, room: int) -> int:
    """How many characters a text takes when shown, up to `room`."""
    return len(safe(_ENCODER.encode(text[: room + 1])))


def cut(text: str, room: int) -> str:
    """The text, cut to `room` characters with a mark."""
    return text if len(text) <= room else f"{text[:room]}…"


def first_difference(old: str, new: str) -> int:
    """Number of characters that two texts have in common at their beginning."""
    low, high = 0, min(len(old), len(new))
    while low < high:
        middle = (low + high + 1) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
