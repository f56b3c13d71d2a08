"""The layout of a cassette's JSON text: what fits on one line stands on one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import chain, repeat
from json.encoder import encode_basestring as quoted
from typing import Any

WIDTH = 100
"""Maximum number of characters in a line, unless a single text or key is longer."""
INDENT = " "
_flat = json.JSONEncoder(ensure_ascii=False).encode
_SCALARS: dict[type, Callable[[Any], str]] = {str: quoted, int: repr, float: repr}
"""What writes most scalars as `_flat` does, in a fifth of the time."""


def laid_out(document: Any) -> str:
    """Return the JSON text of a value, its keys in their present order.

    An array or object that fits in WIDTH columns stands on one line. Any other has each element on a new
    line, except for an only element and the second of a pair: if it is too long for a line of its own, it
    begins on the line of its parent, as in `[["llm", "CLASSIFY"], [[{`.
    """
    lines: list[str] = []
    _write(document, "", "", "", lines)
    lines.append("")
    return "\n".join(lines)


def _write(value: Any, indent: str, head: str, tail: str, lines: list[str]) -> None:
    """Append the lines of a value; `head` precedes it on its first line, `tail` follows it on its last."""
    text = _on_one_line(value, WIDTH - len(indent) - len(head) - len(tail))
    if text is not None:
        lines.append(f"{indent}{head}{text}{tail}")
    elif isinstance(value, dict):
        parts = [(f"{quoted(key)}: ", each) for key, each in value.items()]
        _write_parts(parts, indent, f"{head}{{", f"}}{tail}", lines)
    else:
        parts = [("", each) for each in value]
        if len(value) == 2 and isinstance(value[1], dict | list):
            first = _on_one_line(value[0], WIDTH)
            if first is not None and _begins_inline(value[1], indent, f"{head}[{first}, ", f"]{tail}", 0):
                parts = [(f"{first}, ", value[1])]
        _write_parts(parts, indent, f"{head}[", f"]{tail}", lines)


def _write_parts(
    parts: list[tuple[str, Any]], indent: str, opening: str, closing: str, lines: list[str]
) -> None:
    """Append the lines of a dict or list, given its elements and the text in front of each."""
    if len(parts) == 1:
        key, value = parts[0]
        if _begins_inline(value, indent, opening + key, closing, len(key)):
            _write(value, indent, opening + key, closing, lines)
            return
    lines.append(indent + opening)
    ends = chain(repeat(",", len(parts) - 1), [""])
    for (key, value), end in zip(parts, ends, strict=True):
        if isinstance(value, dict | list):
            _write(value, indent + INDENT, key, end, lines)
        else:
            lines.append(f"{indent}{INDENT}{key}{_scalar(value)}{end}")
    lines.append(indent + closing)


def _begins_inline(value: Any, indent: str, opening: str, closing: str, key: int) -> bool:
    """Return True if a value begins on the line of its parent: it is too long for a line of its own.

    `key` is the length of its key; `opening` and `closing` are the texts around it, which must fit in a line.
    """
    room = WIDTH - len(indent)
    return len(opening) < room and len(closing) < room and not _fits(value, room - len(INDENT) - key)


def _fits(value: Any, room: int) -> bool:
    """Return True if the JSON text of a value is not longer than `room`."""
    if _room_left(value, room) < 0:
        return False
    text = _on_one_line(value, room)
    return text is not None and len(text) <= room


def _on_one_line(value: Any, room: int) -> str | None:
    """Return the JSON text of a value; None if it is longer than `room` and can be split."""
    if not isinstance(value, dict | list) or not value:
        return _scalar(value)
    if _room_left(value, room) < 0:
        return None
    text = _flat(value)
    return text if len(text) <= room else None


def _scalar(value: Any) -> str:
    write = _SCALARS.get(type(value), _flat)
    return write(value)


def _room_left(value: Any, room: int) -> int:
    """Return what the shortest possible text of a value leaves of `room`; negative if it is too long.

    It stops as soon as nothing is left, so that a large value is not encoded at each level of its nesting.
    """
    if isinstance(value, str):
        return room - len(value) - 2
    if not isinstance(value, dict | list):
        return room - 1
    room -= 2 * max(len(value), 1)  # the brackets, and a comma and a space between two elements
    for each in value:
        if room < 0:
            break
        if isinstance(value, dict):
            room = _room_left(value[each], room - len(each) - len('"": '))
        else:
            room = _room_left(each, room)
    return room
