"""The pieces of a CSV text to replace so that a cell gets another value."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from pytest_dust.model import Json, Path
from pytest_dust.suite import csv_tables
from pytest_dust.suite.edits import json_changes
from pytest_dust.suite.edits.pieces import Piece

_QUOTED = re.compile('"(?:[^"]|"")*"')


def line_starts(text: str, lines: Collection[int]) -> dict[int, int]:
    """Return the index at which each of some lines starts, counted from 1 as the csv module counts them."""
    found, at, last = {}, 0, max(lines, default=0)
    for number, line in enumerate(io.StringIO(text, newline=""), 1):
        if number > last:
            break
        if number in lines:
            found[number] = at
        at += len(line)
    return found


class Cell(NamedTuple):
    """A cell in a CSV text: where it starts and ends, with its quotes, and whether it has them."""

    start: int
    end: int
    is_quoted: bool
    content: str
    """What is in the cell, as it is read."""


def cell(text: str, start: int, column: int, delimiter: str) -> Cell:
    """Return the cell of a column; `start` is the index at which its row starts."""
    begin, end = next(cell for at, cell in enumerate(_cells(text, start, delimiter)) if at == column)
    source = text[begin:end]
    is_quoted = source.startswith('"')
    return Cell(begin, end, is_quoted, source[1:-1].replace('""', '"') if is_quoted else source)


def change(text: str, place: Cell, new: str, delimiter: str) -> Piece:
    """Return the piece that gives a cell another text.

    The cell stays quoted if it was, and is quoted if it must be.
    """
    is_alone = _is_alone(text, place.start, place.end)
    special = csv_tables.DELIMITERS if is_alone else delimiter  # else one could be taken for the delimiter
    if place.is_quoted or any(char in new for char in f'{special}"\r\n') or (not new and is_alone):
        new = f'"{_doubled(new)}"'
    return Piece(place.start, place.end, new)


def json_changes_in(place: Cell, path: Path, value: Json) -> Iterator[Piece]:
    """Yield the pieces that set the value at a path of the JSON text in a quoted cell."""
    text = place.content
    for piece in json_changes.changes(text, json_changes.after_space(text, 0), path, value):
        start, end = (place.start + 1 + at + text.count('"', 0, at) for at in piece[:2])
        yield Piece(start, end, _doubled(piece.text))


def _doubled(text: str) -> str:
    """Return a text with its quotes as they are inside of quotes."""
    return text.replace('"', '""')


def _cells(text: str, start: int, delimiter: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each cell of a row."""
    unquoted = re.compile(rf"[^{re.escape(delimiter)}\r\n]*")
    while True:
        found = _QUOTED.match(text, start) or unquoted.match(text, start)
        end = start if found is None else found.end()
        yield start, end
        if text[end : end + 1] != delimiter:
            return
        start = end + 1


def _is_alone(text: str, begin: int, end: int) -> bool:
    """True if a cell is the only one of its row, which would be skipped if it were empty."""
    return text[begin - 1 : begin] in ("", "\r", "\n") and text[end : end + 1] in ("", "\r", "\n")
