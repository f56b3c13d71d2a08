"""The pieces of a JSON text to replace so that a value in it becomes another one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_dust.characters import safe
from pytest_dust.compare.equality import equal
from pytest_dust.json_values import decode_at
from pytest_dust.model import Path
from pytest_dust.suite.edits.errors import EditError
from pytest_dust.suite.edits.pieces import Piece

_SPACE = re.compile(r"[ \t\r\n]*")


def changes(text: str, start: int, path: Path, value: Any) -> Iterator[Piece]:
    """Yield the pieces that set the value at a path below the JSON value that starts at an index.

    New texts have escapes in place of other characters than ASCII if the old ones have them.
    """
    old, end = decode_at(text, start)
    source = text[start:end]
    escapes = source.isascii() and "\\u" in source
    for step in path:
        start = _entries(text, start, old)[step]
        old, _ = decode_at(text, start)
    yield from _changes(text, start, value, escapes=escapes)


def _changes(text: str, start: int, new: Any, *, escapes: bool) -> Iterator[Piece]:
    """Yield the pieces that turn the value at an index into another: only the parts that differ."""
    old, end = decode_at(text, start)
    if equal(old, new):
        return
    if not _has_same_parts(old, new):
        yield Piece(start, end, written(new, escapes=escapes))
        return
    for step, at in _entries(text, start, old).items():
        yield from _changes(text, at, new[step], escapes=escapes)


def written(value: Any, *, escapes: bool) -> str:
    """Return a value as JSON; raises EditError for a number that is none in JSON."""
    try:
        text = json.dumps(value, ensure_ascii=escapes, allow_nan=False)
    except ValueError:
        raise EditError("the new value has a number that a file cannot hold") from None
    return text if escapes else safe(text)


def _has_same_parts(old: Any, new: Any) -> bool:
    if isinstance(old, dict) and isinstance(new, Mapping):
        return old.keys() == new.keys()
    return isinstance(old, list) and isinstance(new, list) and len(old) == len(new)


def _entries(text: str, start: int, value: Any) -> dict[str | int, int]:
    """Return the index at which each value of an object or array starts; of equal keys, the last counts.

    The object or array, whose decoded value is given, is not empty.
    """
    found: dict[str | int, int] = {}
    at = start
    while text[at] not in "]}":
        at = after_space(text, at + 1)
        step: str | int = len(found)
        if isinstance(value, dict):
            step, at = decode_at(text, at)
            at = after_space(text, after_space(text, at) + 1)
        found[step] = at
        at = after_space(text, decode_at(text, at)[1])
    return found


def after_space(text: str, at: int) -> int:
    """Return the index of the first character at or after an index that is no blank or line break."""
    found = _SPACE.match(text, at)
    return at if found is None else found.end()
