"""Everything that changed in a case, of any length, for a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import zip_longest

from pytest_dust.characters import apart, in_ascii, looks, safe, safe_name
from pytest_dust.model import MISSING
from pytest_dust.report.record import ChangeRecord, ComparisonRecord
from pytest_dust.report.values import show_path
from pytest_dust.report.words import came_or_went

LONG_LINE = 2_000
"""Length of two lines together from which on their characters are not compared one by one."""


def full(title: str, comparison: ComparisonRecord) -> Iterator[str]:
    """The lines of a case's whole difference: the changes that count, then block by block, old above new.

    Characters that control a terminal or are invisible are escaped, and differing ones that look alike.
    """
    yield f"{safe_name(title)}: changed since the recording of {comparison.recorded_at}"
    for change in comparison.values:
        yield from _change(show_path(change.path), change)
    for block in comparison.blocks:
        yield ""
        where = "" if block.input is None else f", input {block.input}"
        named = f"{safe_name(block.name)} ({safe_name(block.type)})"
        yield f"{named}, block {block.position} of {comparison.block_total}{where}"
        for change in block.changes:
            if whole := came_or_went(change):
                yield whole
                continue
            yield from _change(show_path(change.path), change)


def _change(path: str, change: ChangeRecord) -> Iterator[str]:
    yield ""
    yield path
    pairs = [_shown(*pair) for pair in zip_longest(_lines(change.before), _lines(change.after))]
    for sign, at in (("-", 0), ("+", 1)):
        yield from (f"{sign} {pair[at]}" for pair in pairs if pair[at] is not None)


def _lines(side: object) -> list[str]:
    """The lines of one side of a change."""
    if side is MISSING:
        return []
    return (side if isinstance(side, str) else _encoder(side).encode(side)).split("\n")


def _shown(old: str | None, new: str | None) -> tuple[str | None, str | None]:
    """Two lines of the same place, safe to print; if they differ, they do not look the same."""
    if old is None or new is None or old == new:
        return old and safe(old), new and safe(new)
    if old.rstrip(" ") == new.rstrip(" "):
        return _with_end(old), _with_end(new)
    if looks(old) == looks(new):
        return apart(old, new) if len(old) + len(new) < LONG_LINE else (in_ascii(old), in_ascii(new))
    shown = safe(old), safe(new)
    if shown[0] == shown[1]:  # one has an escape, the other a text that looks like it
        return safe(old.replace("\\", "\\\\")), safe(new.replace("\\", "\\\\"))
    return shown


def _with_end(line: str) -> str:
    """A line with the blanks at its end escaped, as they are invisible."""
    text = line.rstrip(" ")
    return safe(text) + "\\u0020" * (len(line) - len(text))


def _encoder(value: object) -> json.JSONEncoder:
    """The encoder of a value; a plain value needs no indent, and is written in a tenth of the time."""
    return _INDENTED if isinstance(value, dict | list | tuple) else _PLAIN


_INDENTED = json.JSONEncoder(indent=2, ensure_ascii=False)
_PLAIN = json.JSONEncoder(ensure_ascii=False)
