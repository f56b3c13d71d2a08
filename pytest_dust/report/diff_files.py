"""Write all that changed in a run to the folder of `--dust-diff-dir`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from pytest_dust.cassettes.places import name_beside
from pytest_dust.errors import ServiceError
from pytest_dust.files import links
from pytest_dust.files.names import case_file, is_reserved, with_digest
from pytest_dust.files.writing import write_whole
from pytest_dust.report.full import full

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_dust.report.record import CaseRecord


class Differences(Struct, frozen=True):
    """The folder of --dust-diff-dir, with a file for each case whose run changed."""

    setting: str
    """The folder as the user named it."""
    start: Path
    """Where pytest was called."""

    @property
    def folder(self) -> Path:
        """The folder, which may not be there yet."""
        return Path(os.path.normpath(self.start / self.setting))

    def check(self) -> None:
        """Raise ServiceError if the folder cannot be written to."""
        if wrong := self._wrong():
            raise ServiceError(f"--dust-diff-dir={self.setting} {wrong}")

    def _wrong(self) -> str:
        real = os.path.realpath(self.folder)
        if real != str(self._without_links()):
            return f"leads by a symbolic link to {real}; name that folder itself, or remove the link"
        above = next(each for each in (self.folder, *self.folder.parents) if os.path.lexists(each))
        if not above.is_dir():
            return f"cannot be a folder, as {above.name} is a file; name another folder"
        if not os.access(above, os.W_OK | os.X_OK):
            return "cannot be written to; name another folder, or make it writable"
        return ""

    def _without_links(self) -> Path:
        """The folder's real path, if neither it nor a part of it that the user named is a link."""
        if self.folder.is_relative_to(self.start):
            return Path(os.path.realpath(self.start), self.folder.relative_to(self.start))
        return Path(os.path.realpath(self.folder.parent), self.folder.name)

    def place(self, shown: str, case: str) -> Path:
        """The file of a case; `shown` is its suite or Python file as the user types it."""
        *parts, name = shown.split("/")
        ups = parts.count("..")  # `..` can only come first
        below = [f"~{ups}"] * bool(ups) + [*map(_part, parts[ups:]), name_beside(name, "")]
        return self.folder.joinpath(*below, f"{case_file(case)}.diff")

    def write(self, record: CaseRecord, name: str, mask: Callable[[str], str]) -> None:
        """Write what changed in a case, if anything did; raises ServiceError if that fails.

        `name` is the case's, as its cassette is named; `mask` masks the text.
        """
        comparison = record.comparison
        if comparison is None or not comparison.changed:
            return
        text = mask("\n".join(full(record.id if record.is_test else record.title, comparison))) + "\n"
        self.check()
        path = self.place(record.file, name)
        try:
            if (real := links.outside(path, (str(self._without_links()),))) is not None:
                raise ServiceError(_unwritten(path, f"a symbolic link leads out of the folder, to {real}"))
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise ServiceError(_unwritten(path, error.strerror or "the system gives no reason")) from None


def _part(name: str) -> str:
    """A directory's name as part of a path, different from the names that `place` makes."""
    return with_digest(name) if is_reserved(name) or re.fullmatch(r"~\d+", name) else name


def _unwritten(path: Path, why: str) -> str:
    return f"cannot write {path.name} to --dust-diff-dir: {why}"
