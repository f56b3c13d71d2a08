"""Orphans: cassettes of no case any more, because it or its whole suite was renamed or removed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_dust import cassette
from pytest_dust.errors import CassetteError
from pytest_dust.report.values import as_typed, plural

SUFFIX = ".dust.yaml"
MAX_NAMED = 3
"""Orphans named in the summary; more are counted."""


@dataclass(slots=True)
class Shelf:
    """The cassettes of the suites that were read, by the folder that each suite's are in."""

    suites: dict[Path, Path] = field(default_factory=dict)
    names: dict[Path, frozenset[str]] = field(default_factory=dict)
    unread: set[Path] = field(default_factory=set)
    """Folders of suites with mistakes, whose cases nobody knows."""

    def add(self, suite: Path, folder: Path, cases: Iterable[str] | None) -> None:
        """Note what a suite's folder may hold; None where its cases could not be read."""
        self.suites[folder] = suite
        if cases is None:
            self.unread.add(folder)
        else:
            self.unread.discard(folder)
        self.names[folder] = frozenset(f"{name}.json" for name in cases or ())

    def orphans(self) -> list[Path]:
        """The cassettes that belong to no case, where that is certain."""
        beside = {folder.parent: suite.parent for folder, suite in self.suites.items()}
        return [
            path
            for parent, suites in beside.items()
            for folder in _folders(parent)
            if folder not in self.unread and (folder in self.names or _is_left(folder, suites))
            for path in _cassettes(folder, self.names.get(folder, frozenset()))
            if _is_ours(path)
        ]


def look_after(found: list[dict[str, Any]], shown_from: Path, *, prune: bool) -> tuple[list[str], int]:
    """What to say of the orphans that all processes found, and how many are left; with `prune`, none is."""
    orphans = sorted({Path(path) for each in found for path in each["orphans"]})
    if any(each["partial"] for each in found):
        return (["dust: pruned nothing, as only part of the suites was selected"] if prune else []), 0
    if not orphans:
        return (["dust: no orphaned cassettes to prune"] if prune else []), 0
    names = [as_typed(path, shown_from) for path in orphans]
    more = f" and {len(names) - MAX_NAMED:,} more" if len(names) > MAX_NAMED else ""
    count = plural(len(names), "orphaned cassette")
    told = ", ".join(names[:MAX_NAMED]) + more
    if prune:
        for path in orphans:
            _remove(path)
        return [f"dust: pruned {count}: {told}"], 0
    return [f"dust: {count}, of no case: {told}; remove with --dust-prune"], len(orphans)


def _remove(path: Path) -> None:
    """Remove a cassette that is still ours, and its folder when that is left empty."""
    if not _is_ours(path):
        return
    path.unlink(missing_ok=True)
    if not any(path.parent.iterdir()):
        path.parent.rmdir()


def _folders(parent: Path) -> list[Path]:
    try:
        if parent.is_symlink():  # leads to what may be another's
            return []
        return sorted(each for each in parent.iterdir() if each.is_dir() and not each.is_symlink())
    except OSError:
        return []


def _cassettes(folder: Path, known: frozenset[str]) -> list[Path]:
    """What may be cassettes in a folder, less those that are known: as a rule, all."""
    try:
        found = os.listdir(folder)  # noqa: PTH208  # names: a path for each would take twenty times as long
    except OSError:
        return []
    return [folder / name for name in sorted(found) if name.endswith(".json") and name not in known]


def _is_left(folder: Path, suites: Path) -> bool:
    """Whether the file that a folder is named after is gone: a suite, or a Python module of tests."""
    name = folder.name
    return not (suites / f"{name}{SUFFIX}").exists() and not (
        name.endswith(".py") and (suites / name).exists()
    )


def _is_ours(path: Path) -> bool:
    """Whether a file is a cassette that we wrote, and no link."""
    if path.is_symlink() or not path.is_file():
        return False
    try:
        cassette.loads(path.read_bytes())
    except (OSError, CassetteError):
        return False
    return True
