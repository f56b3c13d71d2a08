"""Cassettes that are read for the session's estimate, and kept until their cases run."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pytest_dust.cassettes import files
from pytest_dust.cassettes.files import CassettePath
from pytest_dust.cassettes.format import Cassette
from pytest_dust.errors import CassetteError

MAX_BYTES = 16 * 1024 * 1024
"""Maximum size of the kept files, in bytes; others are read a second time."""


class ReadAhead:
    """The cassettes that were read and not used yet."""

    def __init__(self) -> None:
        self._kept: dict[Path, tuple[int, Cassette | CassetteError | None]] = {}
        self._room = MAX_BYTES

    def keep(self, path: CassettePath) -> Cassette | None:
        """Read a cassette that will be needed again; raises CassetteError if it cannot be read."""
        found: Cassette | CassetteError | None
        if path.file in self._kept:
            return _given(self._kept[path.file][1])
        try:
            found = files.read(path)
        except CassetteError as error:
            found = error
        size = _size(path.file) if isinstance(found, Cassette) else 0
        if size <= self._room:
            self._room -= size
            self._kept[path.file] = (size, found)
        return _given(found)

    def take(self, path: CassettePath) -> Cassette | None:
        """The kept cassette, or the cassette read now; raises CassetteError if it cannot be read."""
        if path.file not in self._kept:
            return files.read(path)
        size, found = self._kept.pop(path.file)
        self._room += size
        return _given(found)


def _given(found: Cassette | CassetteError | None) -> Cassette | None:
    if isinstance(found, CassetteError):
        raise found
    return found


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
