"""Read CSV datasets: the delimiter is found, and columns may have a type."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, NamedTuple

from pytest_dust.json_values import decode
from pytest_dust.lazy_patterns import lazy

DELIMITERS = ",;\t"
TYPES = ("number", "boolean", "json")
"""The types that a column may have, as `count:number` in the header; other columns are text."""
SPACE = " \t\r\n"
"""The blanks around a value that do not count in a column with a type."""

_OTHER_NAMES = {"bool": "boolean", "int": "number", "integer": "number", "float": "number", "num": "number"}
_SIMILAR = 0.8
"""Least similarity of a word to the name of a type that is taken for a misspelling of it."""
_SEPARATOR_LINE = lazy(r'"?sep=(.)"?(?:\r\n|\r|\n)', re.IGNORECASE)
_LINE = lazy(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_LINE_ENDS = lazy(r"[\r\n]*")
_QUOTED = lazy('"[^"]*(?:""[^"]*)*"')
_TO_DELIMITER = lazy(f"[^{DELIMITERS}\r\n]*")


class CsvError(ValueError):
    """A CSV text cannot be read; `line` is counted from 1."""

    def __init__(self, line: int, message: str) -> None:
        """Take the line, and what is wrong there."""
        super().__init__(message)
        self.line = line


class Column(NamedTuple):
    """A column: its name without the type, and its type, which is empty for text."""

    name: str
    type: str = ""


class Layout(NamedTuple):
    """What the first lines of a CSV text say about it."""

    delimiter: str
    start: int
    """Index at which the header starts, after a line such as `sep=;`."""
    columns: tuple[Column, ...]


def layout(text: str) -> Layout:
    """The layout of a CSV text, of which only the first two rows are read; raises CsvError."""
    separator = _SEPARATOR_LINE().match(text)
    if separator is None:
        start, delimiter = 0, _found_delimiter(text)
    else:
        start, delimiter = separator.end(), separator[1]
    line = _line_of_header(start)
    if delimiter not in DELIMITERS:
        raise CsvError(1, f"the delimiter of a CSV dataset is a comma, ; or a tab, not {delimiter}")
    reader = csv.reader(
        (found[0] for found in _LINE().finditer(text, start)), strict=True, delimiter=delimiter
    )
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise CsvError(line - 1 + reader.line_num, f"not CSV: {error}") from None
    columns = tuple(_column(written, line) for written in header)
    names = [column.name for column in columns]
    if not names or len(set(names)) != len(names) or "" in names:
        raise CsvError(line, "the first line of a CSV dataset names its columns, each once")
    return Layout(delimiter, start, columns)


def rows(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The line of each row, and its values by name; raises CsvError at the first that is wrong."""
    found = layout(text)
    names = [column.name for column in found.columns]
    typed = [column for column in found.columns if column.type]
    source = io.StringIO(text, newline="")
    source.seek(found.start)
    before = _line_of_header(found.start) - 1
    reader = csv.reader(source, strict=True, delimiter=found.delimiter)
    try:
        next(reader)
        line = before + reader.line_num + 1
        for cells in reader:
            if cells:
                if len(cells) != len(names):
                    what = f"the row has {len(cells)} cells, the header {len(names)}"
                    raise CsvError(line, f"{what}; quote a cell that holds the delimiter")
                value: dict[str, Any] = dict(zip(names, cells, strict=True))
                for column in typed:
                    value[column.name] = _value(column, value[column.name], line)
                yield line, value
            line = before + reader.line_num + 1
    except csv.Error as error:
        raise CsvError(before + reader.line_num, f"not CSV: {error}") from None


def _line_of_header(start: int) -> int:
    """The line of the header that starts at an index: after a separator line, or the first."""
    return 2 if start else 1


# ── the delimiter ────────────────────────────────────────────────────────────────────────────────


def _found_delimiter(text: str) -> str:
    """The delimiter: the comma, unless the header has none, and header and first row have another.

    Only what is outside of quotes counts.
    """
    header, end = _delimiters(text, 0)
    if "," in header:
        return ","
    first_row, _ = _delimiters(text, _after(_LINE_ENDS(), text, end))
    return next((each for each in "\t;" if each in header and each in first_row), ",")


def _delimiters(text: str, at: int) -> tuple[set[str], int]:
    """The possible delimiters outside of quotes in the row that starts at an index, and the row's end."""
    found: set[str] = set()
    while True:
        at = _after(_TO_DELIMITER(), text, _after(_QUOTED(), text, at))
        if at == len(text) or text[at] not in DELIMITERS:
            return found, at
        found.add(text[at])
        at += 1


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    """The index after what a pattern matches at an index; the index itself if it does not match."""
    found = pattern.match(text, at)
    return at if found is None else found.end()


# ── types ────────────────────────────────────────────────────────────────────────────────────────


def _column(written: str, line: int) -> Column:
    """The column that a header names; raises CsvError for a misspelt type."""
    name, colon, kind = written.rpartition(":")
    if not colon:
        return Column(written)
    if kind in TYPES:
        return Column(name, kind)
    plain = kind.strip().lower()
    near = _OTHER_NAMES.get(plain) or next(iter(get_close_matches(plain, TYPES, 1, _SIMILAR)), None)
    if near:
        there = ", ".join(TYPES)
        hint = f"(did you mean {name[:60]}:{near}?)"
        raise CsvError(line, f'column "{written[:60]}": no type "{kind}"; there are: {there} {hint}')
    return Column(written)


def _value(column: Column, cell: str, line: int) -> Any:
    """The value of a cell in a column with a type: null if it is empty; raises CsvError if it is wrong."""
    text = cell.strip(SPACE)
    if not text:
        return None
    try:
        return _READERS[column.type](text)
    except (ValueError, RecursionError) as error:
        shown = json.dumps(text[:40], ensure_ascii=False)
        raise CsvError(line, f"column {column.name[:60]}: {shown} {error}") from None


def _number(text: str) -> Any:
    if text[:1] in "-0123456789":  # any other text is none, or true, null, an array…
        with suppress(ValueError, RecursionError):
            return decode(text)
    comma = re.fullmatch(r"[+]?(-?\d+),(\d+)", text)
    hint = f"{comma[1]}.{comma[2]}" if comma else "a number as in JSON, such as 12 or 0.5"
    raise ValueError(f"is no number; write {hint}")


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):  # capitals as spreadsheets write them
        raise ValueError("is not true or false")
    return text.lower() == "true"


def _json(text: str) -> Any:
    try:
        return decode(text)
    except RecursionError:
        raise ValueError("is not JSON: nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"is not JSON: {getattr(error, 'msg', error)}") from None


_READERS = {"number": _number, "boolean": _boolean, "json": _json}
