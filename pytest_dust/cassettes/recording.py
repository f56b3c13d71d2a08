"""A case's cassette as it is on disk now: read, masked, and compared with what the case asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path as FilePath

from msgspec import Struct, field
from msgspec.structs import replace

from pytest_dust.cassettes import binding, files
from pytest_dust.cassettes.files import CassettePath
from pytest_dust.cassettes.format import Cassette, redacted
from pytest_dust.errors import CassetteError
from pytest_dust.masking import Mask
from pytest_dust.model import MISSING, Change, Json, Path

Read = Callable[[CassettePath], Cassette | None]
"""Returns the cassette at a path, None if there is none; raises CassetteError."""


class CassetteOfCase(Struct, frozen=True):
    """Where a case's cassette belongs, and how messages name it."""

    path: CassettePath
    shown: str
    """The path as the user types it."""
    command: str
    """Runs the case alone."""
    file: FilePath
    """The suite, or the Python file, of the case."""
    case: str = ""
    """pytest's node id of the case; with `[2]` and so on at its end for further runs of a Python test."""
    line: int = 0
    """The line of the case in its file."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """The suite and its dataset, by their names in the suite's folder, each with its SHA-256."""


class Recording(Struct, frozen=True):
    """What is at the place of a case's cassette."""

    place: CassetteOfCase
    cassette: Cassette | None = None
    moved: tuple[Change, ...] = ()
    """The parts of the request that differ from the recorded ones."""
    broken: str = ""
    """Why the cassette cannot be read."""

    @property
    def fits(self) -> bool:
        """Whether it can be replayed for the case as it is now."""
        return self.cassette is not None and not self.moved


def load(place: CassetteOfCase, request: dict[str, Json], mask: Mask, read: Read = files.read) -> Recording:
    """The cassette at its place, masked, and compared with a request, which is masked already."""
    try:
        found = read(place.path)
    except CassetteError as error:
        return Recording(place, broken=str(error))
    if found is not None:
        return Recording(place, redacted(found, mask), moved(found, request, mask))
    # A cassette at a place of earlier versions may be another suite's, unless it fits.
    earlier = (one for one in files.earlier(place.path) if not binding.moved(one, request))
    fitting = next(earlier, None)
    return Recording(place, None if fitting is None else redacted(fitting, mask))


def moved(found: Cassette, request: dict[str, Json], mask: Mask) -> tuple[Change, ...]:
    """The parts of a masked request that differ from the recorded ones, masked if the cassette shows them."""
    changes = binding.moved(found, request)
    if not changes:
        return ()
    covering = mask.covering(found.request)

    def shown(path: Path, value: object) -> object:
        return value if value is MISSING else covering.at(path, value)

    return tuple(
        replace(change, old=shown(change.path, change.old), new=shown(change.path, change.new))
        for change in changes
    )
