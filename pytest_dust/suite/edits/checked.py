"""Make edits in a text; those that do not read back as wanted are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from pytest_dust.model import Path
from pytest_dust.suite.edits.conflicts import conflicts
from pytest_dust.suite.edits.errors import EditError
from pytest_dust.suite.edits.pieces import Piece, replaced

NOT_READ_BACK = "the new value cannot be written here so that it reads back; edit it by hand"


class Refused(NamedTuple):
    """An edit that was not made, the line of its place in the old text, and why it was not made."""

    edit: Any
    line: int
    reason: str


class Edited(NamedTuple):
    """The text with all edits that can be made, and the other edits in their order."""

    text: str
    refused: tuple[Refused, ...]


class Wanted(NamedTuple):
    """An edit with the path of the value that it sets, the new value, and the line that messages name."""

    edit: Any
    target: Path
    value: Any
    line: int


FindPieces: TypeAlias = Callable[[Any], Iterable[Piece]]
"""Returns the pieces of an edit; raises EditError if it cannot be made."""
ReadsBack: TypeAlias = Callable[[str, Sequence[Wanted]], bool]
"""Returns True if an edited text has the old value with exactly these edits made."""


def make(text: str, edits: Sequence[Wanted], find_pieces: FindPieces, reads_back: ReadsBack) -> Edited:
    """Return the text with all edits that can be made together."""
    editor = _Editor(text, find_pieces, reads_back, conflicts([(one.target, one.value) for one in edits]))
    made = editor.checked([], [at for at in range(len(edits)) if editor.is_possible(at, edits[at])])
    refused = (Refused(edits[at].edit, edits[at].line, editor.reasons[at]) for at in sorted(editor.reasons))
    return Edited(editor.applied(made), tuple(refused))


@dataclass(slots=True)
class _Editor:
    """Applies edits, which it knows by their indexes."""

    text: str
    find_pieces: FindPieces
    reads_back: ReadsBack
    reasons: dict[int, str]
    """Why edits are refused."""
    _wanted: dict[int, Wanted] = field(default_factory=dict)
    _pieces: dict[int, list[Piece]] = field(default_factory=dict)

    def is_possible(self, index: int, wanted: Wanted) -> bool:
        """Find the pieces of an edit; return False if it is refused."""
        if index in self.reasons:
            return False
        try:
            self._pieces[index] = list(self.find_pieces(wanted.edit))
        except EditError as error:
            self.reasons[index] = str(error)
            return False
        self._wanted[index] = wanted
        return True

    def applied(self, indexes: Iterable[int]) -> str:
        """Return the text with some edits made; equal pieces of several edits count once."""
        return replaced(self.text, dict.fromkeys(piece for at in indexes for piece in self._pieces[at]))

    def checked(self, made: list[int], more: list[int]) -> list[int]:
        """Return the edits of `made` and `more` that read back as wanted; refuse the others of `more`."""
        if not more or self._read_back([*made, *more]):
            return [*made, *more]
        if len(more) == 1:
            self.reasons[more[0]] = NOT_READ_BACK
            return made
        half = len(more) // 2
        return self.checked(self.checked(made, more[:half]), more[half:])

    def _read_back(self, indexes: list[int]) -> bool:
        try:
            text = self.applied(indexes)
        except EditError:  # the pieces overlap
            return False
        return self.reads_back(text, [self._wanted[at] for at in indexes])


def with_value(value: Any, path: Path, new: Any) -> Any:
    """Return a copy of a value in which the value at a path is another one; the rest is shared."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    step: Any = path[0]
    below = None if isinstance(copy, dict) and step not in copy else copy[step]
    copy[step] = with_value(below, path[1:], new)
    return copy
