"""What git leaves in a file, or in place of it: pointers to files that are not fetched, merge conflicts."""

from __future__ import annotations

import re
from typing import NamedTuple

_CONFLICT = re.compile(r"^(<{7}|\|{7}|={7}|>{7})(?=[ \r\n]|$)", re.MULTILINE)
_WHOLE_CONFLICT = re.compile(r"^<{7}(?: .*)?$[\s\S]*?^={7}\r?$[\s\S]*?^>{7}(?: .*)?$", re.MULTILINE)
_LFS = ("version https://git-lfs.github.com/", "version https://hawser.github.com/")
_ANNEX = "/annex/objects/"


class Mark(NamedTuple):
    """What git left, and what to do; the line where it begins, from 1."""

    told: str
    line: int


def found(text: str) -> Mark | None:
    """What git left in a text, where that is certain."""
    if text.startswith(_LFS):
        return Mark("it is a Git LFS pointer; fetch the file itself: git lfs pull", 1)
    if text.startswith(_ANNEX):
        return Mark("it is a git-annex pointer; fetch the file itself: git annex get", 1)
    return _told(_WHOLE_CONFLICT.search(text), text) if "<<<<<<<" in text else None


def suspected(text: str) -> Mark | None:
    """The same for a text that cannot be read otherwise: one line of a conflict is enough."""
    return found(text) or _told(_CONFLICT.search(text), text)


def _told(conflict: re.Match[str] | None, text: str) -> Mark | None:
    if conflict is None:
        return None
    line = text.count("\n", 0, conflict.start()) + 1
    return Mark(f"it holds a merge conflict ({conflict[0][:7]}) at line {line}, column 1; resolve it", line)
