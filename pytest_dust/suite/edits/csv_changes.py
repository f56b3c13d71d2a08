"""The piece of a CSV text to replace so that a cell gets another text."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterator

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


def change(text: str, start: int, column: int, new: str, delimiter: str = ",") -> Piece:
    """Return the piece that gives a cell another text; `start` is the index at which its row starts.

    The cell stays quoted if it was, and is quoted if it must be.
    """
    begin, end = next(cell for at, cell in enumerate(_cells(text, start, delimiter)) if at == column)
    is_quoted = text[begin : begin + 1] == '"' or any(char in new for char in f'{delimiter}"\r\n')
    if is_quoted or (not new and _is_alone(text, begin, end)):
        new = '"' + new.replace('"', '""') + '"'
    return Piece(begin, end, new)


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
