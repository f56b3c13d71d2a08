"""Find out before a run is made whether its cassette can be written."""

from __future__ import annotations

import os
import stat
from errno import EACCES
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from pytest_dust.errors import CassetteError
from pytest_dust.files import links

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_dust.cassettes.files import CassettePath

PROBE = b"\0" * 64 * 1024
"""Written and removed again; as large as a usual cassette."""

REPLACES_READ_ONLY = os.name != "nt"
"""Whether this system lets a file be replaced that may not be written to."""


def refuse_unwritable(path: CassettePath) -> None:
    """Make the cassette's folder; raises CassetteError if no file can be written there."""
    real = links.outside(path.file, (path.home.top,))
    if real is not None:
        raise CassetteError(f"leads by a symbolic link out of its folder, to {real}; remove the link")
    try:
        _probe(path.file)
    except OSError as error:
        raise CassetteError(f"cannot be written: {_in_the_way(path.file) or error.strerror}") from None


def _probe(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=path.parent) as file:
        file.write(PROBE)
        file.flush()
    try:
        found = os.lstat(path)  # raises OSError for a name that is too long
    except FileNotFoundError:
        return
    if stat.S_ISDIR(found.st_mode) or not (REPLACES_READ_ONLY or os.access(path, os.W_OK)):
        raise PermissionError(EACCES, os.strerror(EACCES))


def _in_the_way(path: Path) -> str:
    """Which file is in the place of a folder, or that a folder is in the place of the cassette."""
    for folder in reversed(path.parents):
        if os.path.lexists(folder) and not folder.is_dir():
            return f"{folder.name} is not a folder"
    return "it is a folder; remove it" if path.is_dir() else ""
