"""The files of cassettes: where the cassettes of a suite are, and how they are read and written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path

from pytest_dust import links
from pytest_dust.cassette import Cassette, parse, text_of
from pytest_dust.errors import CassetteError

MAX_BYTES = 64 * 1024 * 1024
"""Bytes of a cassette: the service's largest answer, indented, with room to spare."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a case's cassette belongs, and the folder that no symbolic link may lead it out of."""

    path: Path
    folder: str
    direct: bool = False
    """Whether the way there is known to stay in the folder, so that only the file itself may be a link."""
    roots: tuple[str, ...] = ()
    """Real folders into which a link may lead where the cassette is read, and never where it is written."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where the cassettes of one suite belong: what their spots have in common, looked up once."""

    path: Path
    folder: str
    direct: bool
    roots: tuple[str, ...] = ()

    def spot(self, case: str) -> Spot:
        """Where the cassette of one of the suite's cases is."""
        return Spot(self.path / f"{case}.json", self.folder, self.direct, self.roots)


def home(suite: Path, folder: str, root: Path) -> Home:
    """Where a suite's cassettes are: beside the suite, or in an absolute folder.

    There, suites of one name are kept apart by their place in the project at `root`.
    """
    name = suite.name.removesuffix(".dust.yaml")
    if os.path.isabs(folder):  # noqa: PTH117  # a text, as the user gave it
        below = suite.parent.relative_to(root) if suite.is_relative_to(root) else Path()
        path, top = Path(folder, below, name), os.path.realpath(folder)
    else:
        path = Path(os.path.normpath(suite.parent / folder), name)
        top = os.path.normpath(Path(os.path.realpath(suite.parent), folder))
    direct = links.is_inside(f"{os.path.realpath(path)}{os.sep}", top)
    return Home(path, top, direct, links.roots(suite, root))


def spot(suite: Path, case: str, folder: str, root: Path) -> Spot:
    """Where the cassette of a suite's case is."""
    return home(suite, folder, root).spot(case)


def read(spot: Spot) -> Cassette | None:
    """The cassette there, None where there is none; raises CassetteError for one that is broken."""
    if not spot.direct or os.path.islink(spot.path):  # noqa: PTH114  # no error where it cannot be told
        _refuse_outside(spot.path, (spot.folder, *spot.roots), links.NAME_BOTH)
    try:
        with spot.path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size  # read() sets aside all that it may read
            source = file.read(min(size, MAX_BYTES) + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CassetteError(f"cannot be read: {error.strerror}") from None
    if len(source) > MAX_BYTES:
        raise CassetteError(f"is larger than {MAX_BYTES // 1024 // 1024} MB, which no run is")
    text = text_of(source)
    del source  # of a large cassette, the bytes, the text and the value need not be there at once
    return parse(text)


def write(spot: Spot, content: bytes) -> None:
    """Put a cassette in place whole, or leave what was there; raises CassetteError where it cannot."""
    _refuse_outside(spot.path, (spot.folder,))
    path = spot.path
    # Shorter than the cassette's own name, which the disk holds, and like that of no other cassette.
    name = f".{path.stem[:60]}-{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]}"
    temporary = path.with_name(f"{name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f"{escape(name)}.*.tmp"):
            if not _is_being_written(left):
                with suppress(OSError):  # what cannot go does no harm
                    left.unlink()
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CassetteError(f"cannot be written: {error.strerror}") from None


def _is_being_written(temporary: Path) -> bool:
    """Whether another process that runs may be writing the file; else a killed one left it."""
    number = temporary.name.split(".")[-2]
    if os.name == "nt" or not number.isdecimal() or int(number) == os.getpid():
        return False  # Windows cannot be asked, and lets nobody remove what is being written
    try:
        os.kill(int(number), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it is another user's
        return True
    return True


def _refuse_outside(path: Path, allowed: Iterable[str], otherwise: str = "") -> None:
    real = links.outside(path, allowed)
    if real is not None:
        what = f"leads by a symbolic link out of its folder, to {real}; remove the link"
        raise CassetteError(f"{what}{otherwise}")
