"""The files that were edited when answers were accepted.

A suite that the user edited since a run is left alone. If some of its cases are accepted, the others are
pending still, with the digest that the suite had before; so each edit for accepted answers is written down.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from pytest_dust.cassettes import files
from pytest_dust.files.sources import digest
from pytest_dust.run.pending import PendingFolder

NAME = "edited.json"
"""The file in the folder of pending answers: the digests of each edited file, the oldest first."""


class EditedFiles(Struct, frozen=True):
    """Reads and writes the digests of edited files."""

    folder: PendingFolder

    def is_as_run(self, path: Path, content: bytes, then: str | None) -> bool:
        """True if a file has the digest `then`, or had it and was edited only for accepted answers since."""
        now = digest(content)
        known = self._digests().get(self._name(path), [])
        return then is not None and (then == now or (now in known[-1:] and then in known))

    def add(self, path: Path, before: bytes, after: bytes) -> None:
        """Write down an edit that is about to be made; raises CassetteError."""
        digests, name = self._digests(), self._name(path)
        old = digests.get(name, [])
        known = old if old[-1:] == [digest(before)] else [digest(before)]
        content = json.dumps({**digests, name: [*known, digest(after)]}, indent=1)
        files.write(self.folder.own(NAME), content.encode())

    def _name(self, path: Path) -> str:
        return self.folder.below(Path(os.path.realpath(path))).as_posix()

    def _digests(self) -> dict[str, Sequence[str]]:
        """The digests of each file; empty if there are none that can be read."""
        try:
            found = json.loads((self.folder.path / NAME).read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        listed = found.items() if isinstance(found, dict) else ()
        return {str(name): each for name, each in listed if isinstance(each, list)}
