"""Cassettes that are read for the estimate of a session, and kept for the runs that need them again."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pytest_dust.cassettes import files
from pytest_dust.cassettes.files import CassettePath
from pytest_dust.cassettes.format import Cassette
from pytest_dust.errors import CassetteError

MAX_BYTES = 16 * 1024 * 1024
"""Bytes of the files whose content is kept; what is read beyond that is read a second time."""


class ReadAhead:
    """The cassettes that were read and not used yet."""

    def __init__(self) -> None:
        self._kept: dict[Path, tuple[int, Cassette | CassetteError | None]] = {}
        self._room = MAX_BYTES

    def keep(self, path: CassettePath) -> Cassette | None:
        """Read a cassette that will be needed again; raises CassetteError as reading it does."""
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
        """A cassette as it was read, or read now; raises CassetteError likewise."""
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
