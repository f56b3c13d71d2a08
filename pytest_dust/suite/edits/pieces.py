"""Replace parts of a text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pytest_dust.suite.edits.errors import EditError


class Piece(NamedTuple):
    """A part of a text, from `start` to `end`, and the text that replaces it."""

    start: int
    end: int
    text: str


def replaced(text: str, pieces: Iterable[Piece]) -> str:
    """Return a text with some parts replaced; raises EditError if these overlap.

    Pieces at the same place are put in their order.
    """
    parts, at = [], 0
    for piece in sorted(pieces, key=lambda piece: piece[:2]):
        if piece.start < at:
            raise EditError("another edit changes the same part of the file")
        parts += [text[at : piece.start], piece.text]
        at = piece.end
    return "".join([*parts, text[at:]])
