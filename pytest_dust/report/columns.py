"""The width of texts in a terminal: some characters take two columns, some none."""

from __future__ import annotations

from collections.abc import Iterator
from unicodedata import category, east_asian_width

NONE = ("Mn", "Me", "Cf")
"""Unicode categories of characters that take no column."""


def width(text: str) -> int:
    """The number of columns of a text."""
    return sum(map(_width, text))


def padded(text: str, columns: int) -> str:
    """The text with spaces behind it, up to so many columns."""
    return text + " " * (columns - width(text))


def wrapped(text: str, columns: int) -> Iterator[str]:
    """The text in lines of so many columns, broken at spaces where it can be."""
    line = ""
    for word in text.split():
        if line and width(f"{line} {word}") > columns:
            yield line
            line = ""
        *full, rest = _pieces(word, columns)
        yield from full
        line = f"{line} {rest}" if line else rest
    yield line


def _pieces(word: str, columns: int) -> list[str]:
    """A word in pieces that fit."""
    pieces = [""]
    for char in word:
        if pieces[-1] and width(pieces[-1] + char) > columns:
            pieces.append("")
        pieces[-1] += char
    return pieces


def _width(char: str) -> int:
    if category(char) in NONE:
        return 0
    return 2 if east_asian_width(char) in "WF" else 1
