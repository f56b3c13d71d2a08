"""Pending answers: runs that were paid for and are in no cassette, kept in files of the same form."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pytest_dust import clock
from pytest_dust.cassettes import files
from pytest_dust.cassettes.files import Spot
from pytest_dust.errors import CassetteError, DustError
from pytest_dust.files import links
from pytest_dust.wording import as_typed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

FOLDER = Path(".dust", "pending")
"""Where in a project the answers are; git is told to ignore the first of these folders."""
SLOW = 1.0
"""Seconds of judging after which an answer is kept: something may end the process before it is judged."""


def below(root: Path, file: Path) -> Path:
    """The path of a suite or module below the project; one that lies elsewhere gets a path of its own."""
    if file.is_relative_to(root):
        return file.relative_to(root)
    return Path(f"outside-{sha256(os.fsencode(file.parent)).hexdigest()[:8]}", file.name)


def place(root: Path, file: Path, name: str) -> Spot:
    """Where the pending answer of a case is in the project; `name` is that of its cassette's file."""
    real = Path(os.path.realpath(root), FOLDER)
    return Spot(Path(root, FOLDER, below(root, file), name), str(real))


@dataclass(slots=True)
class Keeper:
    """Keeps the answers of a session that are in no cassette, and says when nothing more is recorded."""

    root: Path
    """The project: pytest's rootdir."""
    shown_from: Path
    """The folder in which pytest was called."""
    stop_file: Path | None = None
    """A file by which all xdist workers of a session learn that recording has ended."""
    kept: list[Path] = field(default_factory=list)
    _ended: str = ""
    _elsewhere: Path | None = None

    def shown(self, path: Path) -> str:
        """A file's path as the user would type it."""
        near = path.is_relative_to(self.shown_from) or path.is_relative_to(self.root)
        return as_typed(path, self.shown_from) if near else str(path)

    def keep(self, file: Path, name: str, content: bytes) -> Path:
        """Write the answer to a case of a suite or module; raises CassetteError if it has no place."""
        spot = place(self.root, file, name)
        try:
            _let_git_ignore(spot)
            files.write(spot, content)
        except CassetteError as error:
            spot = self._temporary(file, name, error)
            files.write(spot, content)
        if spot.path not in self.kept:
            self.kept.append(spot.path)
        return spot.path

    def _temporary(self, file: Path, name: str, error: CassetteError) -> Spot:
        """Where an answer is in the system's temporary folder, if there is one; else raises the error."""
        try:
            self._elsewhere = self._elsewhere or Path(tempfile.mkdtemp(prefix="pytest-dust-"))
        except OSError:
            raise error from None
        return Spot(self._elsewhere / below(self.root, file) / name, os.path.realpath(self._elsewhere))

    def forget(self, file: Path, name: str) -> None:
        """Remove the answer to a case from the project, as its cassette has a newer one."""
        spot = place(self.root, file, name)
        if links.outside(spot.path, (spot.folder,)) is None:
            self.remove(spot.path)

    def remove(self, path: Path) -> None:
        """Remove an answer that need not be kept any more."""
        with suppress(OSError):
            path.unlink()
            self.kept = [each for each in self.kept if each != path]

    def end_recording(self, why: str) -> None:
        """Let no further run be recorded in this session."""
        self._ended = self._ended or why
        if self.stop_file is not None:
            with suppress(OSError):
                self.stop_file.touch()

    def refuse_more(self) -> None:
        """Raise CassetteError where recording has ended."""
        if self._ended or (self.stop_file is not None and self.stop_file.exists()):
            why = self._ended or "the cassette of another case cannot be written"
            raise CassetteError(f"not run, as {why}; mend that, and record again")


def _let_git_ignore(spot: Spot) -> None:
    """Put a file into the folder of pending answers that keeps all of it out of git."""
    folder = Path(spot.folder).parent
    ignore = folder / ".gitignore"
    if not ignore.exists():
        files.write(Spot(ignore, str(folder)), b"*\n")


class Held:
    """An answer of which nobody knows yet whether it will be judged; `content` gives its cassette's text.

    As a context, it is kept where the block raises, and where the block takes longer than a second,
    if it calls `watch` now and then.
    """

    def __init__(
        self, keeper: Keeper, file: Path, name: str, content: Callable[[], bytes], runs: Iterable[str]
    ) -> None:
        self._keeper = keeper
        self._file, self._name, self._content = file, name, content
        self._runs = tuple(runs)
        self._path: Path | None = None
        self._told = ""
        self._began = clock.seconds()

    def keep(self) -> str:
        """Keep the answer, once; gives where it is, or why it is nowhere."""
        if self._told:
            return self._told
        try:
            self._path = self._keeper.keep(self._file, self._name, self._content())
        except Exception as error:  # noqa: BLE001  # whatever is wrong with it, another trouble is told first
            self._told = f"the answer has no place: {error}"
            if self._runs:
                self._told += f"; Dust keeps it for some days as run {', '.join(self._runs)}"
        else:
            self._told = f"the answer is kept in {self._keeper.shown(self._path)}"
        return self._told

    def watch(self, _events: object) -> None:
        """Keep the answer if judging it takes long."""
        if clock.seconds() - self._began > SLOW:
            self.keep()

    def __enter__(self) -> Self:
        """Begin to measure how long the block takes."""
        self._began = clock.seconds()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Keep the answer for good where the block raised; else no longer."""
        if error is not None:
            tell(error, f"the run itself went well; {self.keep()}")
        elif self._path is not None:
            self._keeper.remove(self._path)


def tell(error: BaseException, more: str) -> None:
    """Let an error say one more thing."""
    if isinstance(error, DustError):
        error.args = (f"{error}\n{more}",)
    else:
        error.add_note(more)
