"""Read datasets and matrices: their rows and combinations, and the ids of the cases made from them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import product
from math import prod
from pathlib import PurePath
from typing import Any, NamedTuple
from unicodedata import normalize

from pytest_dust.characters import safe_name
from pytest_dust.checks.binding import Here
from pytest_dust.files.names import digest
from pytest_dust.files.sources import UnreadableError
from pytest_dust.json_values import NumberError, decode, decode_at
from pytest_dust.model import Json
from pytest_dust.suite import csv_tables, yaml_reader

MAX_BYTES = 64 * 1024 * 1024
MAX_COUNTED = 1_000_000
"""Maximum number of rows that are counted in a dataset that is too long."""
MAX_SUFFIX = 80
"""Maximum length of the part in brackets of a generated id."""
MAX_PART = 2000
"""Maximum length of a text that an id contains; a longer one is cut, with a digest at its end."""
KINDS = (".jsonl", ".json", ".csv", ".yaml")


class TableError(ValueError):
    """A dataset, or a row of it, cannot be used; the message names file and line."""


class Row(NamedTuple):
    """A row of a dataset: its line, and its values by name."""

    line: int
    value: Mapping[str, Json]


def rows(name: str, here: Here) -> Iterator[Row]:
    """The rows of a dataset, one at a time; raises TableError at the first that is wrong."""
    kind = PurePath(name).suffix.lower()
    if kind not in KINDS:
        raise TableError(f"dataset {name} is of no kind that is read; there are: {', '.join(KINDS)}")
    yield from rows_of(_text(name, here), name)


def rows_of(text: str, name: str) -> Iterator[Row]:
    """The rows in the text of a dataset; the suffix of its name says of which kind it is."""
    kind = PurePath(name).suffix.lower()
    readers = {".jsonl": _jsonl, ".json": _json, ".csv": _csv, ".yaml": _yaml}
    count = 0
    for line, value in readers[kind](text, name):
        if not isinstance(value, Mapping):
            raise TableError(f"{name}:{line}: a row is a mapping of names to values, not {_shown(value)}")
        count += 1
        yield Row(line, value)
    if not count:
        raise TableError(f"dataset {name} has no rows; add one, or remove the dataset")


class Table(NamedTuple):
    """The first rows of a dataset, its number of rows, and a mistake that ended reading."""

    rows: list[Row]
    number: int
    wrong: str


def read(name: str, here: Here, most: int) -> Table:
    """Read a dataset; the first `most` rows are kept, and at most MAX_COUNTED counted."""
    kept: list[Row] = []
    count, wrong = 0, ""
    try:
        for count, row in enumerate(rows(name, here), 1):
            if count <= most:
                kept.append(row)
            elif count >= MAX_COUNTED:
                break
    except TableError as error:
        wrong = str(error)
    return Table(kept, count, wrong)


class Part(NamedTuple):
    """The part of a case's id that comes from a row, or from a value of a matrix."""

    text: str
    neutral: str
    """What replaces the text if it reveals a redacted value."""
    reference: str
    """The reference to the value: `row.id`, `matrix.model`."""
    value: Json


def row_id(row: Row, number: int, name: str) -> Part:
    """The id part of a row: its `id`, else its number, counted from 1."""
    own, neutral = row.value.get("id"), f"r{number}"
    if own is None or own == "":
        return Part(neutral, neutral, "row.id", None)
    if isinstance(own, bool) or not isinstance(own, str | int | float):
        raise TableError(f"{name}:{row.line}: the row's id is a text or a number, not {_shown(own)}")
    return Part(_shortened(str(own)), neutral, "row.id", own)


def combination_count(matrix: Mapping[str, list[Json]]) -> int:
    """The number of combinations of a matrix."""
    return prod(map(len, matrix.values()))


def combinations(matrix: Mapping[str, list[Json]]) -> Iterator[tuple[list[Part], dict[str, Json]]]:
    """Each combination of a matrix: its id parts, and its values by name."""
    named = [
        [(name, _value_part(value, name, at)) for at, value in enumerate(values)]
        for name, values in matrix.items()
    ]
    for chosen in product(*named):
        yield [part for _, part in chosen], {name: part.value for name, part in chosen}


def suffixed(case: str, parts: list[str]) -> str:
    """The id of a generated case, `refund[r17-gpt-4o]`: short, printable, different for different parts."""
    text = normalize("NFC", whole := "-".join(parts))
    shown = "".join(char if _is_shown(char) else "_" for char in text)
    if len(shown) > MAX_SUFFIX or shown != whole:
        shown = f"{shown[:MAX_SUFFIX]}~{digest(whole)}"
    return f"{case}[{shown}]"


def _is_shown(char: str) -> bool:
    return char.isprintable() and (char.isascii() or safe_name(char) == char)


def _shortened(text: str) -> str:
    """A text cut to about MAX_PART characters, different for different texts."""
    return text if len(text) <= MAX_PART else f"{text[:MAX_PART]}~{digest(text)}"


def _value_part(value: Json, name: str, at: int) -> Part:
    return Part(_value_id(value, name, at), f"{name}{at}", f"matrix.{name}", value)


def _value_id(value: Json, name: str, at: int) -> str:
    if isinstance(value, str) and value:
        return _shortened(value)
    if isinstance(value, bool | int | float) or value is None:
        return json.dumps(value)
    return f"{name}{at}"


def _text(name: str, here: Here) -> str:
    try:
        source = here.read(name, MAX_BYTES)
    except UnreadableError as error:
        raise TableError(f"cannot read dataset {name[:100]} beside the suite: {error}") from None
    if len(source) > MAX_BYTES:
        raise TableError(f"dataset {name} is larger than {MAX_BYTES // 1024 // 1024} MB; split it")
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        raise TableError(f"{name}:{line}: not UTF-8 text; save the file as UTF-8") from None


def _jsonl(text: str, name: str) -> Iterator[tuple[int, Any]]:
    number = begin = 0
    while begin <= len(text):  # not splitlines(): a list of all lines may take a gigabyte
        end = text.find("\n", begin)
        end = len(text) if end < 0 else end
        number += 1
        line = text[begin:end]
        begin = end + 1
        if line.strip():
            yield number, _decoded(line, name, number)


def _json(text: str, name: str) -> Iterator[tuple[int, Any]]:
    for element in json_elements(text, name):
        yield element.line, element.value


class Element(NamedTuple):
    """An element of a JSON array: its line, its value, and the index at which it starts."""

    line: int
    value: Any
    start: int


def json_elements(text: str, name: str) -> Iterator[Element]:
    """The elements of the array in a JSON dataset, read one by one."""
    space = re.compile(r"[ \t\r\n]*")
    at, line = _skip(text, 0, space), 1
    if text[at : at + 1] != "[":
        raise TableError(f"{name}:1: a JSON dataset is an array of objects, one per row")
    counted, at, first = 0, at + 1, True
    while True:
        at = _skip(text, at, space)
        if text[at : at + 1] == "]":
            break
        if not first:
            if text[at : at + 1] != ",":
                line += text.count("\n", counted, at)
                raise TableError(f"{name}:{line}: not JSON: a comma or ] was due")
            at = _skip(text, at + 1, space)
        line, counted, first = line + text.count("\n", counted, at), at, False
        start = at
        try:
            value, at = decode_at(text, at)
        except (ValueError, RecursionError) as error:
            lineno = getattr(error, "lineno", line)
            raise TableError(f"{name}:{lineno}: not JSON: {_json_mistake(error)}") from None
        yield Element(line, value, start)
    if text[at + 1 :].strip():
        line = text.count("\n", 0, _skip(text, at + 1, space)) + 1
        raise TableError(f"{name}:{line}: text behind the end of the array; remove it")


def _skip(text: str, at: int, space: re.Pattern[str]) -> int:
    found = space.match(text, at)
    return at if found is None else found.end()


def _csv(text: str, name: str) -> Iterator[tuple[int, Any]]:
    try:
        yield from csv_tables.rows(text)
    except csv_tables.CsvError as error:
        raise TableError(f"{name}:{error.line}: {error}") from None


def _yaml(text: str, name: str) -> Iterator[tuple[int, Any]]:
    document = yaml_reader.read(text)
    if problems := [*document.problems, *document.too_large]:
        first = min(problems)
        raise TableError(f"{name}:{first.place.line}: {first.message}")
    if not isinstance(document.value, list):
        raise TableError(f"{name}:1: a YAML dataset is a list of mappings, one per row")
    for at, value in enumerate(document.value):
        yield document.place((at,)).line, value


def _decoded(line: str, name: str, number: int) -> Any:
    try:
        return decode(line)
    except (ValueError, RecursionError) as error:
        raise TableError(f"{name}:{number}: not JSON: {_json_mistake(error)}") from None


def _json_mistake(error: Exception) -> str:
    """What is wrong with JSON, without the place."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, NumberError):
        return f"{error.number} is not a number that JSON can hold; quote it to mean text"
    return getattr(error, "msg", str(error))


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:40]
