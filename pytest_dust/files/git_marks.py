"""Find what git leaves in files: merge conflicts, and pointers to files that are not fetched."""

from __future__ import annotations

import re
from typing import NamedTuple

from pytest_dust.lazy_patterns import lazy

_CONFLICT = lazy(r"^(<{7}|\|{7}|={7}|>{7})(?=[ \r\n]|$)", re.MULTILINE)
_WHOLE_CONFLICT = lazy(r"^<{7}(?: .*)?$[\s\S]*?^={7}\r?$[\s\S]*?^>{7}(?: .*)?$", re.MULTILINE)
_LFS = ("version https://git-lfs.github.com/", "version https://hawser.github.com/")
_ANNEX = "/annex/objects/"


class Mark(NamedTuple):
    """What git left in a text."""

    message: str
    """What it is, and what to do."""
    line: int
    """The line where it begins, counted from 1."""


def found(text: str) -> Mark | None:
    """The merge conflict or pointer in a text; None if there is none for certain."""
    if text.startswith(_LFS):
        return Mark("it is a Git LFS pointer; fetch the file itself: git lfs pull", 1)
    if text.startswith(_ANNEX):
        return Mark("it is a git-annex pointer; fetch the file itself: git annex get", 1)
    return _conflict_mark(_WHOLE_CONFLICT().search(text), text) if "<<<<<<<" in text else None


def suspected(text: str) -> Mark | None:
    """What `found` returns, or a conflict with only one of its lines: for texts that cannot be parsed."""
    return found(text) or _conflict_mark(_CONFLICT().search(text), text)


def _conflict_mark(conflict: re.Match[str] | None, text: str) -> Mark | None:
    if conflict is None:
        return None
    line = text.count("\n", 0, conflict.start()) + 1
    return Mark(f"it holds a merge conflict ({conflict[0][:7]}) at line {line}, column 1; resolve it", line)
