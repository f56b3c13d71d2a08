"""Everything that changed in a case, unbounded, for a file."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pytest_dust.model import MISSING, Change, Comparison
from pytest_dust.report.values import show_path
from pytest_dust.report.words import came_or_went


def full(title: str, comparison: Comparison) -> Iterator[str]:
    """The lines of a case's whole difference: what counts, then block by block, old above new."""
    yield f"{title}: changed since the recording of {comparison.recorded_at}"
    for change in comparison.values:
        yield from _change(show_path(change.path), change)
    for block in comparison.blocks:
        yield ""
        where = "" if block.input is None else f", input {block.input}"
        yield f"{block.name} ({block.type}), block {block.position} of {comparison.total}{where}"
        for change in block.changes:
            if told := came_or_went(change):
                yield told
                continue
            yield from _change(show_path(change.path), change)


def _change(path: str, change: Change) -> Iterator[str]:
    yield ""
    yield path
    for sign, side in (("-", change.old), ("+", change.new)):
        if side is not MISSING:
            text = side if isinstance(side, str) else _encoder(side).encode(side)
            yield from (f"{sign} {line}" for line in text.split("\n"))


def _encoder(value: object) -> json.JSONEncoder:
    """How a value is written; a plain one has nothing to indent, and is written in a tenth of the time."""
    return _INDENTED if isinstance(value, dict | list | tuple) else _PLAIN


_INDENTED = json.JSONEncoder(indent=2, ensure_ascii=False)
_PLAIN = json.JSONEncoder(ensure_ascii=False)
