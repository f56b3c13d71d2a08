"""Read the files of a suite: the suite itself, and the datasets and schemas that it names."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from pytest_dust.files import git_marks, links


class UnreadableError(Exception):
    """A file cannot be read; the message says why, and `line` where, if that is known."""

    def __init__(self, reason: str, line: int = 1) -> None:
        super().__init__(reason)
        self.line = line


def read(folder: Path, name: str, allowed: Iterable[str], most: int) -> bytes:
    """The first `most` + 1 bytes of the file `name` in `folder`.

    Raises UnreadableError; a file that is in none of the `allowed` real folders is not opened.
    """
    path = folder / name
    try:
        if (real := links.outside(path, allowed)) is not None:
            raise UnreadableError(links.refusal(_how(name), real))
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # opening a pipe would wait for its writer
            raise UnreadableError("Is a directory" if stat.S_ISDIR(mode) else "it is no regular file")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size  # read() allocates all that it may read
            content = file.read(min(size, most) + 1)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise UnreadableError(getattr(error, "strerror", None) or "no file has such a name") from None
    _refuse_git_marks(content)
    return content


def digest(content: bytes) -> str:
    """The SHA-256 of a text file; the same on systems that have other line ends."""
    return sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def _refuse_git_marks(content: bytes) -> None:
    """Raise UnreadableError for a pointer or a merge conflict, which would otherwise be read as data."""
    if b"<<<<<<<" in content or content.startswith((b"version https://", b"/annex/")):
        left = git_marks.found(content.decode("utf-8-sig", "replace"))
        if left is not None:
            raise UnreadableError(left.message, left.line)


def _how(name: str) -> str:
    """What leads to a file outside of the project: its name, or a symbolic link."""
    leads_up = os.path.isabs(name) or ".." in re.split(r"[/\\]", name)  # noqa: PTH117  # a text
    return "its name" if leads_up else "a symbolic link"
