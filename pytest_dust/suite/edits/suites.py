"""Edit values in the text of a suite; every other character stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from pytest_dust.compare.equality import equal
from pytest_dust.model import Json, Path
from pytest_dust.suite import yaml_reader
from pytest_dust.suite.edits.checked import Edited, Refused, Wanted, make, with_value
from pytest_dust.suite.edits.errors import EditError
from pytest_dust.suite.edits.pieces import Piece
from pytest_dust.suite.edits.yaml_changes import changes, insertion
from pytest_dust.suite.edits.yaml_nodes import Source

__all__ = [
    "Edit",
    "EditError",
    "Edited",
    "Insert",
    "Refused",
    "Replace",
    "as_literal",
    "edited",
    "edited_yaml",
]


class Replace(Struct, frozen=True):
    """The value at a path of the document becomes another one."""

    path: Path
    value: Json

    @property
    def target(self) -> Path:
        """The path whose value the edit sets."""
        return self.path


class Insert(Struct, frozen=True):
    """The mapping at a path of the document gets one more key."""

    path: Path
    key: str
    value: Json
    after: str = "id"
    """The key behind which it is put; if the mapping has none of this name, it is put first."""

    @property
    def target(self) -> Path:
        """The path whose value the edit sets."""
        return (*self.path, self.key)


Edit: TypeAlias = Replace | Insert


def edited(text: str, edits: Sequence[Edit]) -> Edited:
    """Return the text of a suite with edits made; a new text with `${` is written so that it is no reference.

    The text is without a byte order mark and has its own line ends. No edit is made that does not read back.
    """
    return _edited(text, [(edit, as_literal(edit.value)) for edit in edits])


def edited_yaml(text: str, edits: Sequence[Edit]) -> Edited:
    """Return the text of a YAML document with edits made, as `edited` does; `${` has no meaning in it."""
    return _edited(text, [(edit, edit.value) for edit in edits])


def as_literal(value: Any) -> Any:
    """Return a value that becomes the given one when references are filled in."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, Mapping):
        return {name: as_literal(each) for name, each in value.items()}
    return [as_literal(each) for each in value] if isinstance(value, list | tuple) else value


def _edited(text: str, edits: Sequence[tuple[Edit, Json]]) -> Edited:
    """Make edits, each given with the value to write."""
    document = yaml_reader.read(text)
    if document.problems:
        line = document.problems[0].place.line
        reason = "this is a mistake; correct it first"
        return Edited(text, tuple(Refused(edit, line, reason) for edit, _ in edits))
    yaml = _Yaml(text, document.value, {id(edit): value for edit, value in edits})
    wanted = [
        Wanted(edit, edit.target, value, document.place(edit.path, key=True).line) for edit, value in edits
    ]
    return make(text, wanted, yaml.pieces, yaml.reads_back)


class _Yaml:
    """A YAML document to edit."""

    def __init__(self, text: str, value: Json, written: Mapping[int, Json]) -> None:
        self._source = Source(text)
        self._value: Any = value
        self._written = written
        """The value to write for each edit, by its id."""

    def pieces(self, edit: Edit) -> list[Piece]:
        """Return the pieces of an edit; raises EditError if it cannot be made."""
        node, value = self._source.find(edit.path), self._written[id(edit)]
        if isinstance(edit, Insert):
            return [insertion(self._source, node, edit.key, value, edit.after)]
        old = self._value
        for step in edit.path:
            old = old[step]
        return list(changes(self._source, node, old, value))

    def reads_back(self, text: str, edits: Sequence[Wanted]) -> bool:
        """Return True if a text has the value of this one with exactly these edits made."""
        document = yaml_reader.read(text)
        wanted = self._value
        for one in edits:
            wanted = with_value(wanted, one.target, one.value)
        return not document.problems and equal(document.value, wanted)
