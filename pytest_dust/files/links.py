"""Follow symbolic links: a file is read only if it is really in one of the folders that the user named."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

NAME_BOTH = ", or name a folder that holds both: pytest --rootdir=FOLDER"
"""The end of a message: how to allow links between two folders."""


def roots(file: Path, project: Path) -> tuple[str, ...]:
    """The real folders that a test file may read from: the project, and its own folder if that is elsewhere.

    `project` is pytest's rootdir.
    """
    folders = (project,) if file.is_relative_to(project) else (project, file.parent)
    return tuple(os.path.realpath(folder) for folder in folders)


def outside(path: Path | str, allowed: Iterable[str]) -> str | None:
    """The real path of a file, if it is in none of the allowed real folders; None if it is in one.

    Raises ValueError for a name that no file can have.
    """
    real = os.path.realpath(path)
    return None if any(is_inside(real, folder) for folder in allowed) else real


def is_inside(path: str, folder: str) -> bool:
    """True if a real path is below a real folder."""
    return os.path.normcase(path).startswith(os.path.normcase(folder).rstrip(os.sep) + os.sep)


def refusal(how: str, real: str) -> str:
    """The message about a file that `how`, such as `a symbolic link`, leads out of the project, to `real`."""
    return f"{how} leads out of the project, to {real[:300]}; put the file into the project{NAME_BOTH}"
