"""Pending answers: paid runs that no cassette holds yet, kept as cassettes until they are reviewed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Self

from msgspec import Struct

from pytest_dust import clock
from pytest_dust.cassettes import files
from pytest_dust.cassettes.files import CassettePath, path_below
from pytest_dust.errors import CassetteError, DustError
from pytest_dust.files import links
from pytest_dust.wording import as_typed

if TYPE_CHECKING:
    from types import TracebackType

    from pytest_dust.cassettes.format import Cassette
    from pytest_dust.model import Json

SLOW = 1.0
"""Seconds of judging after which an answer is kept: something may end the process before it is judged."""


# ── where they are ───────────────────────────────────────────────────────────────────────────────


class PendingFolder(Struct, frozen=True):
    """The folder of a project's pending answers; in it are the paths of the project's suites."""

    path: Path
    root: Path
    """pytest's rootdir."""

    def place(self, file: Path, name: str) -> CassettePath:
        """The path of the pending answer to a case of a file; `name` is that of its cassette."""
        return path_below(self.path / self.below(file) / name, self._real(self.path))

    def own(self, name: str) -> CassettePath:
        """The path of a file in the folder itself."""
        return path_below(self.path / name, self._real(self.path))

    def below(self, file: Path) -> Path:
        """The path of a suite or Python file below the project; one from elsewhere gets a path of its own."""
        if file.is_relative_to(self.root):
            return file.relative_to(self.root)
        return Path(f"outside-{sha256(os.fsencode(file.parent)).hexdigest()[:8]}", file.name)

    def names(self, file: Path) -> frozenset[str]:
        """The names of the pending answers to the cases of a suite or Python file."""
        with suppress(OSError), os.scandir(self.path / self.below(file)) as entries:
            return frozenset(entry.name for entry in entries if entry.name.endswith(".json"))
        return frozenset()

    def read(self, file: Path, name: str) -> Cassette | None:
        """The pending answer to a case, None if there is none; raises CassetteError if it is broken."""
        return files.read(self.place(file, name))

    def let_git_ignore(self) -> None:
        """Make the folder, with a `.gitignore` that keeps all of it out of git.

        In the project's folder `.dust`, it is for all of that. Another folder that is there is left alone.
        """
        below = self.path.relative_to(self.root).parts if self.path.is_relative_to(self.root) else ()
        folder = self.root / ".dust" if below[:1] == (".dust",) else self.path
        ignore = folder / ".gitignore"
        if not (ignore.exists() if folder != self.path else folder.exists()):
            files.write(path_below(ignore, self._real(folder)), b"*\n")

    def _real(self, folder: Path) -> str:
        """A folder without links above the project; a link in the project may not lead elsewhere."""
        if folder.is_relative_to(self.root):
            return os.path.join(os.path.realpath(self.root), folder.relative_to(self.root))  # noqa: PTH118
        return os.path.realpath(folder)


class Origin(Struct, frozen=True):
    """Where a pending answer came from: what its cassette does not say."""

    case: str
    """pytest's node id; with `[2]` and so on at its end for further runs of a Python test."""
    line: int
    pinned: str
    """The specification hash that the suite or the test asked for."""
    plural: bool
    """Whether the case has `inputs`, a list, and not one `input`."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """The suite and its dataset, by their names in the suite's folder, each with its SHA-256 then."""

    @property
    def notes(self) -> dict[str, Json]:
        """The origin as a cassette keeps it."""
        return {
            "case": self.case,
            "line": self.line,
            "pinned": self.pinned,
            "plural": self.plural,
            "sources": dict(self.sources),
        }


def origin(cassette: Cassette) -> Origin:
    """The origin of a pending answer; raises CassetteError if it has none that can be read."""
    notes = cassette.notes or {}
    case, line, pinned = notes.get("case"), notes.get("line"), notes.get("pinned")
    sources = notes.get("sources")
    known = isinstance(case, str) and isinstance(line, int) and isinstance(pinned, str)
    if not (known and isinstance(sources, dict)):
        raise CassetteError("is no pending answer: it does not say which case it is of")
    of_files = {name: str(digest) for name, digest in sources.items()}
    return Origin(str(case), int(str(line)), str(pinned), notes.get("plural") is True, of_files)


# ── the answers of a session ─────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class PendingAnswers:
    """The pending answers of a session; also ends recording once a cassette cannot be written."""

    folder: PendingFolder
    shown_from: Path
    """The folder in which pytest was called."""
    stop_file: Path | None = None
    """A file that tells all pytest-xdist workers of a session that recording has ended."""
    kept: list[Path] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """Why answers could not be kept anywhere."""
    _ended: str = ""
    _elsewhere: Path | None = None

    @property
    def elsewhere(self) -> str:
        """The temporary folder that answers are kept in, if the project takes no files; else empty."""
        return str(self._elsewhere or "")

    def shown(self, path: Path) -> str:
        """A file's path as the user would type it."""
        near = path.is_relative_to(self.shown_from) or path.is_relative_to(self.folder.root)
        return as_typed(path, self.shown_from) if near else str(path)

    def keep(self, file: Path, name: str, content: bytes) -> Path:
        """Write the answer to a case; return where. Raises CassetteError if no place can hold it."""
        path = self.folder.place(file, name)
        try:
            self.folder.let_git_ignore()
            files.write(path, content)
        except CassetteError as error:
            path = self._temporary(error).place(file, name)
            files.write(path, content)
        if path.file not in self.kept:
            self.kept.append(path.file)
        return path.file

    def _temporary(self, error: CassetteError) -> PendingFolder:
        """A folder in the system's temporary folder; raises the error again if there is none."""
        try:
            self._elsewhere = self._elsewhere or Path(tempfile.mkdtemp(prefix="pytest-dust-"))
        except OSError:
            raise error from None
        return PendingFolder(self._elsewhere, self.folder.root)

    def forget(self, file: Path, name: str) -> None:
        """Remove the answer to a case: its cassette has a newer one, or the newest run is as recorded."""
        path = self.folder.place(file, name)
        if links.outside(path.file, (path.home.top,)) is None:
            self.remove(path.file)

    def remove(self, path: Path) -> None:
        """Remove an answer that need not be kept any more."""
        if not remove(path):
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


def remove(path: Path) -> str:
    """Remove a pending answer, and its folder if that is empty; return why it cannot be, else nothing."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        return error.strerror or "the system gives no reason"
    with suppress(OSError):  # the folder has others
        path.parent.rmdir()
    return ""


class UnjudgedAnswer:
    """An answer that is not judged yet; `content` returns the bytes of its pending cassette.

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

    @property
    def path(self) -> Path | None:
        """The file in which the answer is kept; None if it is not kept."""
        return self._path

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
