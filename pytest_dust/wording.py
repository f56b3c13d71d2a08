"""Parts of sentences that many messages share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import PurePath


def as_typed(path: PurePath, folder: PurePath) -> str:
    """A file's path as one types it in a folder: from there, with forward slashes."""
    return os.path.relpath(path, folder).replace(os.sep, "/")


def plural(count: int, noun: str) -> str:
    """`1 case`, `2 cases`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
