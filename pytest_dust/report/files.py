"""What the summary says of cassettes that belong to no case, and of unfinished files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from pytest_dust.wording import as_typed, first_names, plural

if TYPE_CHECKING:
    from pytest_dust.model import CassetteFiles

MAX_NAMED = 3
"""Files named in one line; more are counted."""


def file_lines(files: CassetteFiles, folder: str) -> Iterator[str]:
    """What was found or removed; paths are shown from `folder`, in which pytest was called."""
    if files.partial:
        if files.pruned:
            yield "dust: pruned nothing, as only part of the suites was selected"
    elif files.pruned:
        yield from _pruned(files, folder)
    else:
        yield from _found(files, folder)


def _found(files: CassetteFiles, folder: str) -> Iterator[str]:
    if files.orphans:
        count = plural(len(files.orphans), "orphaned cassette")
        named = _named(files.orphans, folder)
        yield f"dust: {count}, of no case: {named}; remove with --dust-prune"
    if files.unfinished:
        count = plural(len(files.unfinished), "unfinished file")
        named = _named(files.unfinished, folder)
        yield f"dust: {count} of a killed run: {named}; remove with --dust-prune"


def _pruned(files: CassetteFiles, folder: str) -> Iterator[str]:
    for noun, paths in (("orphaned cassette", files.orphans), ("unfinished file", files.unfinished)):
        if gone := [path for path in paths if path not in files.kept]:
            yield f"dust: pruned {plural(len(gone), noun)}: {_named(gone, folder)}"
    kept = list(files.kept.items())
    for path, why in kept[:MAX_NAMED]:
        yield f"dust: cannot remove {_shown(path, folder)}: {why}; mend that and prune again"
    if len(kept) > MAX_NAMED:
        yield f"dust: nor {len(kept) - MAX_NAMED:,} more"
    if not (files.orphans or files.unfinished):
        yield "dust: no orphaned cassettes to prune"
    if files.linked:
        named = _named(files.linked, folder)
        yield (
            f"dust: pruned nothing where symbolic links lead: {named}; "
            "remove the links, or prune where they lead"
        )


def _named(paths: Sequence[str], folder: str) -> str:
    return first_names([_shown(path, folder) for path in paths], MAX_NAMED)


def _shown(path: str, folder: str) -> str:
    return as_typed(PurePath(path), PurePath(folder))
