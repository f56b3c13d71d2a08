"""Parts of sentences that many messages share."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from pytest_dust.model import Missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import PurePath

WINDOWS = os.name == "nt"
_PLAIN_ON_WINDOWS = re.compile(r"[\w.:/\\=+~\[\]-]+")
_KINDS = {
    Missing: "missing",
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    tuple: "a list",
}


def as_typed(path: PurePath, folder: PurePath) -> str:
    """A file's path as one types it in a folder: from there, with forward slashes.

    The path is whole if it is on another drive than the folder.
    """
    try:
        shown = os.path.relpath(path, folder)
    except ValueError:
        shown = str(path)
    return shown.replace(os.sep, "/")


def shell_word(word: str) -> str:
    """A word of a command as one types it; on Windows in double quotes, which all shells there take."""
    if not WINDOWS:
        return shlex.quote(word)
    return word if _PLAIN_ON_WINDOWS.fullmatch(word) else '"{}"'.format(word.replace('"', '\\"'))


def shell_line(words: Iterable[str]) -> str:
    """A command as one types it."""
    return " ".join(map(shell_word, words))


def first_names(names: Sequence[str], most: int) -> str:
    """The first `most` names, and the number of the others: `a, b and 3 more`."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown


def kind(value: object) -> str:
    """The JSON type of a value in words, such as `a list`; `missing` for MISSING."""
    return _KINDS.get(type(value), "a mapping")


def plural(count: int, noun: str) -> str:
    """`1 case`, `2 cases`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
