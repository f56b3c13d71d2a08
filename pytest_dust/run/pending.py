"""Pending answers: paid runs that no cassette holds, kept in files of the same format."""

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
from pytest_dust.cassettes.files import CassettePath, path_below
from pytest_dust.errors import CassetteError, DustError
from pytest_dust.files import links
from pytest_dust.wording import as_typed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

FOLDER = Path(".dust", "pending")
"""Folder of pending answers in a project; git is told to ignore `.dust`."""
SLOW = 1.0
"""Seconds of judging after which an answer is kept: something may end the process before it is judged."""


def below(root: Path, file: Path) -> Path:
    """The path of a suite or Python file below the project; one from elsewhere gets a path of its own."""
    if file.is_relative_to(root):
        return file.relative_to(root)
    return Path(f"outside-{sha256(os.fsencode(file.parent)).hexdigest()[:8]}", file.name)


def place(root: Path, file: Path, name: str) -> CassettePath:
    """The path of a case's pending answer; `name` is that of its cassette."""
    real = Path(os.path.realpath(root), FOLDER)
    return path_below(Path(root, FOLDER, below(root, file), name), str(real))


@dataclass(slots=True)
class PendingAnswers:
    """The pending answers of a session; also ends recording once a cassette cannot be written."""

    root: Path
    """pytest's rootdir."""
    shown_from: Path
    """The folder in which pytest was called."""
    stop_file: Path | None = None
    """A file that tells all pytest-xdist workers of a session that recording has ended."""
    kept: list[Path] = field(default_factory=list)
    _ended: str = ""
    _elsewhere: Path | None = None

    def shown(self, path: Path) -> str:
        """A file's path as the user would type it."""
        near = path.is_relative_to(self.shown_from) or path.is_relative_to(self.root)
        return as_typed(path, self.shown_from) if near else str(path)

    def keep(self, file: Path, name: str, content: bytes) -> Path:
        """Write the answer to a case; return where. Raises CassetteError if no place can hold it."""
        path = place(self.root, file, name)
        try:
            _let_git_ignore(path)
            files.write(path, content)
        except CassetteError as error:
            path = self._temporary(file, name, error)
            files.write(path, content)
        if path.file not in self.kept:
            self.kept.append(path.file)
        return path.file

    def _temporary(self, file: Path, name: str, error: CassetteError) -> CassettePath:
        """A path in the system's temporary folder; raises the error again if there is none."""
        try:
            self._elsewhere = self._elsewhere or Path(tempfile.mkdtemp(prefix="pytest-dust-"))
        except OSError:
            raise error from None
        return path_below(self._elsewhere / below(self.root, file) / name, os.path.realpath(self._elsewhere))

    def forget(self, file: Path, name: str) -> None:
        """Remove the answer to a case, as its cassette has a newer one."""
        path = place(self.root, file, name)
        if links.outside(path.file, (path.home.top,)) is None:
            self.remove(path.file)

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
        """Raise CassetteError if recording has ended."""
        if self._ended or (self.stop_file is not None and self.stop_file.exists()):
            why = self._ended or "the cassette of another case cannot be written"
            raise CassetteError(f"not run, as {why}; mend that, and record again")


def _let_git_ignore(path: CassettePath) -> None:
    """Put a `.gitignore` into `.dust` that keeps all of it out of git."""
    folder = Path(path.home.top).parent
    ignore = folder / ".gitignore"
    if not ignore.exists():
        files.write(path_below(ignore, str(folder)), b"*\n")


class UnjudgedAnswer:
    """An answer that is not judged yet; `content` returns the bytes of its cassette.

    As a context, it is kept as pending if the block raises, and if the block takes longer than a second
    and calls `watch` from time to time.
    """

    def __init__(
        self,
        pending: PendingAnswers,
        file: Path,
        name: str,
        content: Callable[[], bytes],
        run_ids: Iterable[str],
    ) -> None:
        self._pending = pending
        self._file, self._name, self._content = file, name, content
        self._run_ids = tuple(run_ids)
        self._path: Path | None = None
        self._message = ""
        self._began = clock.seconds()

    def keep(self) -> str:
        """Keep the answer, once; return a sentence on where it is, or why it is nowhere."""
        if self._message:
            return self._message
        try:
            self._path = self._pending.keep(self._file, self._name, self._content())
        except Exception as error:  # noqa: BLE001  # whatever is wrong with it, another error is raised first
            self._message = f"the answer has no place: {error}"
            if self._run_ids:
                self._message += f"; Dust keeps it for some days as run {', '.join(self._run_ids)}"
        else:
            self._message = f"the answer is kept in {self._pending.shown(self._path)}"
        return self._message

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
        """Keep the answer for good if the block raised; otherwise remove it again."""
        if error is not None:
            add_note(error, f"the run itself went well; {self.keep()}")
        elif self._path is not None:
            self._pending.remove(self._path)


def add_note(error: BaseException, text: str) -> None:
    """Add a line to an error's message."""
    if isinstance(error, DustError):
        error.args = (f"{error}\n{text}",)
    else:
        error.add_note(text)
