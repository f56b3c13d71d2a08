"""The files of cassettes: their paths, reading and writing."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from pytest_dust.cassettes import places
from pytest_dust.cassettes.format import Cassette, parse, text_of
from pytest_dust.errors import CassetteError
from pytest_dust.files import links
from pytest_dust.files.names import case_file, earlier_case_file
from pytest_dust.files.writing import write_whole

MAX_BYTES = 64 * 1024 * 1024
"""Maximum size of a cassette in bytes: more than the service's largest answer, indented."""
_READING = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)  # no pipe is waited for


class CassetteFolder(Struct, frozen=True):
    """The folder of one suite's cassettes; what is looked up once for all of them."""

    path: Path
    top: str
    """The real folder out of which no symbolic link may lead."""
    is_direct: bool = False
    """Whether the folder is known to be inside `top`, so that only a cassette itself may be a link."""
    roots: tuple[str, ...] = ()
    """Real folders into which a link may lead when a cassette is read, and never when it is written."""
    earlier: tuple[Path, ...] = ()
    """The folders in which earlier versions kept the suite's cassettes."""

    def cassette(self, case: str, before: str = "") -> CassettePath:
        """The path of the cassette of one of the suite's cases; `before` is an id that it had earlier."""
        return CassettePath(self.path / f"{case_file(case)}.json", self, case, before or case)


class CassettePath(Struct, frozen=True):
    """The path of a case's cassette."""

    file: Path
    home: CassetteFolder
    case: str = ""
    before: str = ""

    @property
    def earlier(self) -> Iterator[Path]:
        """The paths at which earlier versions may have put the cassette."""
        if not self.case:
            return
        names = dict.fromkeys((case_file(self.case), earlier_case_file(self.before)))
        paths = (each / f"{name}.json" for each in (self.home.path, *self.home.earlier) for name in names)
        yield from (path for path in paths if path != self.file)


def path_below(file: Path, top: str) -> CassettePath:
    """The path of a file that is written as a cassette, below a real folder that links must not leave."""
    return CassettePath(file, CassetteFolder(file.parent, top))


def folder_of(suite: Path, setting: str, root: Path) -> CassetteFolder:
    """The folder of the cassettes of a suite or a Python file; `setting` is `--dust-cassette-dir`.

    `root` is pytest's rootdir, in which links may lead when cassettes are read.
    """
    path, top = places.place(suite, setting), str(places.top(suite, setting))
    direct = links.is_inside(f"{os.path.realpath(path)}{os.sep}", top)
    return CassetteFolder(path, top, direct, links.roots(suite, root), places.earlier_places(suite, setting))


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def read(path: CassettePath) -> Cassette | None:
    """The cassette, None if there is none; raises CassetteError if it is broken."""
    home = path.home
    if not home.is_direct or os.path.islink(path.file):  # noqa: PTH114  # no error if it cannot be read
        _refuse_outside(path.file, (home.top, *home.roots), links.NAME_BOTH)
    try:
        source = _bytes(path.file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CassetteError(f"cannot be read: {error.strerror}") from None
    if len(source) > MAX_BYTES:
        raise CassetteError(f"is larger than {MAX_BYTES // 1024 // 1024} MB, which no run is")
    text = text_of(source)
    del source  # of a large cassette, the bytes, the text and the value need not be there at once
    return parse(text)


def earlier(path: CassettePath) -> Iterator[Cassette]:
    """The cassettes at the paths of earlier versions; they may belong to other suites."""
    home = CassetteFolder(path.home.path, path.home.top, roots=path.home.roots)
    for file in path.earlier:
        with suppress(CassetteError):
            found = read(CassettePath(file, home))
            if found is not None:
                yield found


def _bytes(path: Path) -> bytes:
    """The bytes of a file, at most one more than a cassette may have."""
    handle = os.open(path, _READING)
    try:
        facts = os.fstat(handle)
        if stat.S_ISDIR(facts.st_mode):
            raise CassetteError("cannot be read: it is a folder, not a file; remove the folder")
        if not stat.S_ISREG(facts.st_mode):
            raise CassetteError("cannot be read: it is no regular file; remove it")
        return b"".join(_parts(handle, min(facts.st_size, MAX_BYTES) + 1))
    finally:
        os.close(handle)


def _parts(handle: int, most: int) -> Iterator[bytes]:
    """The parts of an open file, as the system reads them, up to a number of bytes."""
    while most > 0 and (part := os.read(handle, most)):
        most -= len(part)
        yield part


# ── writing ──────────────────────────────────────────────────────────────────────────────────────


def write(path: CassettePath, content: bytes) -> None:
    """Write a whole cassette, or leave the old one as it is; raises CassetteError if it cannot be written."""
    _refuse_outside(path.file, (path.home.top,))
    if len(content) > MAX_BYTES:
        allowed = MAX_BYTES // 1024 // 1024
        raise CassetteError(
            f"would be larger than {allowed} MB and could not be read again; use block_filter"
        )
    try:
        path.file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path.file, content)
    except OSError as error:
        raise CassetteError(f"cannot be written: {error.strerror}") from None


def _refuse_outside(path: Path, allowed: Iterable[str], otherwise: str = "") -> None:
    real = links.outside(path, allowed)
    if real is not None:
        what = f"leads by a symbolic link out of its folder, to {real}; remove the link"
        raise CassetteError(f"{what}{otherwise}")
