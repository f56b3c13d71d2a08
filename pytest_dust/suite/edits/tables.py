"""Edit cells in the text of a dataset; every other character stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import PurePath
from typing import Any, NamedTuple, TypeAlias

from msgspec import Struct

from pytest_dust.compare.equality import equal
from pytest_dust.model import Json, Path
from pytest_dust.suite import csv_tables, tables
from pytest_dust.suite.edits import csv_changes, json_changes
from pytest_dust.suite.edits.checked import Edited, Refused, Wanted, make, with_value
from pytest_dust.suite.edits.errors import EditError
from pytest_dust.suite.edits.pieces import Piece
from pytest_dust.suite.edits.suites import Replace, edited_yaml
from pytest_dust.wording import kind


class SetCell(Struct, frozen=True):
    """A value in a row of a dataset becomes another one."""

    row: int
    """Number of the row, counted from 1."""
    steps: tuple[str, ...]
    """Where the value is in the row: ("expected", "label") for `${row.expected.label}`."""
    value: Json


class _Cell(NamedTuple):
    """An edit with its row, and the path of its value in the row."""

    edit: SetCell
    row: tables.Row
    path: Path

    @property
    def target(self) -> Path:
        """The path of its value in the dataset."""
        return (self.edit.row - 1, *self.path)


def edited_table(name: str, text: str, edits: Sequence[SetCell]) -> Edited:
    """Return the text of a dataset with cells changed; the suffix of its name says of which kind it is.

    The text is without a byte order mark and has its own line ends. No edit is made that does not read back.
    """
    try:
        rows = _rows(name, text, {edit.row for edit in edits})
    except tables.TableError as error:
        return Edited(text, tuple(Refused(edit, 1, f"the dataset cannot be read: {error}") for edit in edits))
    cells, refused = _cells(edits, rows)
    editor = _edited_yaml if PurePath(name).suffix.lower() == ".yaml" else _edited_text
    done = editor(name, text, cells)
    order = {id(edit): at for at, edit in enumerate(edits)}
    return Edited(done.text, tuple(sorted([*refused, *done.refused], key=lambda one: order[id(one.edit)])))


def _rows(name: str, text: str, numbers: Collection[int]) -> dict[int, tables.Row]:
    """Return some rows by their numbers; raises TableError."""
    return {number: row for number, row in enumerate(tables.rows_of(text, name), 1) if number in numbers}


def _cells(edits: Iterable[SetCell], rows: Mapping[int, tables.Row]) -> tuple[list[_Cell], list[Refused]]:
    """Return the cells that are there, and the edits of other ones."""
    cells, refused = [], []
    for edit in edits:
        row = rows.get(edit.row)
        if row is None:
            refused.append(Refused(edit, 1, f"the dataset has no row {edit.row}"))
            continue
        try:
            cells.append(_Cell(edit, row, _path(row.value, edit.steps)))
        except EditError as error:
            refused.append(Refused(edit, row.line, str(error)))
    return cells, refused


def _path(value: Any, steps: Sequence[str]) -> Path:
    """Return the path that a reference follows in a row; raises EditError if there is no value."""
    path: list[str | int] = []
    for name in steps:
        is_index = isinstance(value, list) and name.isdecimal() and len(name) < 10
        step: Any = int(name) if is_index else name
        there = step in value if isinstance(value, Mapping) else is_index and step < len(value)
        if not there:
            raise EditError(f"the row has no {'.'.join(steps)}")
        value = value[step]
        path.append(step)
    return tuple(path)


def _edited_yaml(_name: str, text: str, cells: Sequence[_Cell]) -> Edited:
    edits = [Replace(cell.target, cell.edit.value) for cell in cells]
    originals = {id(edit): cell.edit for edit, cell in zip(edits, cells, strict=True)}
    done = edited_yaml(text, edits)
    return Edited(done.text, tuple(one._replace(edit=originals[id(one.edit)]) for one in done.refused))


def _edited_text(name: str, text: str, cells: Sequence[_Cell]) -> Edited:
    """Edit a dataset of any kind but YAML."""
    suffix = PurePath(name).suffix.lower()
    starts = _STARTS[suffix](text, cells)

    def pieces(cell: _Cell) -> list[Piece]:
        return _PIECES[suffix](text, starts[cell.edit.row], cell)

    def reads_back(new: str, made: Sequence[Wanted]) -> bool:
        try:
            return _differ_only_in(tables.rows_of(text, name), tables.rows_of(new, name), made)
        except tables.TableError:
            return False

    wanted = [Wanted(cell, cell.target, cell.edit.value, cell.row.line) for cell in cells]
    done = make(text, wanted, pieces, reads_back)
    return Edited(done.text, tuple(one._replace(edit=one.edit.edit) for one in done.refused))


def _differ_only_in(old: Iterable[tables.Row], new: Iterable[tables.Row], made: Sequence[Wanted]) -> bool:
    """Return True if new rows are the old ones with exactly these edits made."""
    by_row: dict[str | int, list[Wanted]] = {}
    for one in made:
        by_row.setdefault(one.target[0], []).append(one)
    for index, (before, after) in enumerate(zip_longest(old, new)):
        if before is None or after is None:
            return False
        wanted: Any = before.value
        for one in by_row.get(index, ()):
            wanted = with_value(wanted, one.target[1:], one.value)
        if not equal(after.value, wanted):
            return False
    return True


# ── the kinds of datasets ────────────────────────────────────────────────────────────────────────

_Starts: TypeAlias = "Callable[[str, Sequence[_Cell]], dict[int, int]]"
"""Returns the index at which each row starts in the text, by its number."""
_Pieces: TypeAlias = "Callable[[str, int, _Cell], list[Piece]]"
"""Returns the pieces that change a cell; the index is that at which its row starts."""


def _jsonl_starts(text: str, cells: Sequence[_Cell]) -> dict[int, int]:
    starts, line, at = {}, 1, 0
    for cell in sorted(cells, key=lambda cell: cell.edit.row):
        while line < cell.row.line:
            line, at = line + 1, text.index("\n", at) + 1
        starts[cell.edit.row] = json_changes.after_space(text, at)
    return starts


def _json_starts(text: str, cells: Sequence[_Cell]) -> dict[int, int]:
    numbers = {cell.edit.row for cell in cells}
    elements = enumerate(tables.json_elements(text, ""), 1)
    return {number: element.start for number, element in elements if number in numbers}


def _csv_starts(text: str, cells: Sequence[_Cell]) -> dict[int, int]:
    starts = csv_changes.line_starts(text, {cell.row.line for cell in cells})
    return {cell.edit.row: starts[cell.row.line] for cell in cells}


def _json_pieces(text: str, start: int, cell: _Cell) -> list[Piece]:
    return list(json_changes.changes(text, start, cell.path, cell.edit.value))


def _csv_pieces(text: str, start: int, cell: _Cell) -> list[Piece]:
    if not cell.path:
        raise EditError("the new value is for a whole row; edit its cells by hand")
    layout = csv_tables.layout(text)
    index = [column.name for column in layout.columns].index(str(cell.path[0]))
    column, place = layout.columns[index], csv_changes.cell(text, start, index, layout.delimiter)
    row = with_value(cell.row.value, cell.path, cell.edit.value)
    new = _cell_text(column, row[column.name])
    if equal(row, cell.row.value):
        return []
    if column.type == "json" and place.is_quoted and place.content.strip(csv_tables.SPACE):
        return list(csv_changes.json_changes_in(place, cell.path[1:], cell.edit.value))
    return [csv_changes.change(text, place, new, layout.delimiter)]


def _cell_text(column: csv_tables.Column, new: Json) -> str:
    """Return the text of a value in a column; raises EditError if the column cannot hold it."""
    if not column.type:
        if not isinstance(new, str):
            raise EditError(f"a CSV cell holds text, and the new value is {kind(new)}")
        return new
    if new is None:
        return ""
    if column.type != "json" and column.type != _TYPES.get(type(new)):
        raise EditError(f"the column {column.name}:{column.type} cannot hold {kind(new)}")
    return json_changes.written(new, escapes=False)


_TYPES = {bool: "boolean", int: "number", float: "number"}

_STARTS: dict[str, _Starts] = {".jsonl": _jsonl_starts, ".json": _json_starts, ".csv": _csv_starts}
_PIECES: dict[str, _Pieces] = {".jsonl": _json_pieces, ".json": _json_pieces, ".csv": _csv_pieces}
