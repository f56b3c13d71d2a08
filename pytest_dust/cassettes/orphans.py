"""Files that may be removed from the folders of cassettes: orphans, and unfinished files.

A cassette is an orphan only if each file that may own its folder is gone, or is a suite all of whose
cases were collected. If that is not certain, it is left alone.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from glob import escape
from itertools import chain
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from pytest_dust.cassettes import format as cassette
from pytest_dust.cassettes import places
from pytest_dust.cassettes.files import MAX_BYTES
from pytest_dust.constants import SUITE_SUFFIX
from pytest_dust.errors import CassetteError
from pytest_dust.files.names import case_file, earlier_case_file
from pytest_dust.files.writing import unfinished
from pytest_dust.model import CassetteFiles

BELOW = 2
"""Number of levels below a directory in which a suite of the same name is searched."""
_UPS = re.compile(r"~(\d{1,4})")


class Owners(Struct, frozen=True):
    """The suites and Python files that may own a folder of cassettes."""

    now: tuple[Path, ...] = ()
    """Owners by the present rules."""
    earlier: tuple[Path, ...] = ()
    """Owners by the rules of earlier versions."""


class Search(Struct, frozen=True):
    """What a session knows when it searches for orphans; no path contains a link."""

    setting: str
    """The setting `dust_cassette_dir`."""
    collected: Mapping[Path, frozenset[str] | None]
    """The ids of each suite's cases; None if they are unknown, as the suite has mistakes."""
    seen: Iterable[str]
    """The folders in which the collection met files that may be cassettes."""
    roots: Iterable[Path]
    """The directories that were collected."""
    others: Iterable[Path] = ()
    """Other folders in which unfinished files are searched, at any depth."""

    def found(self) -> CassetteFiles:
        """The orphans, the unfinished files, and the folders that links lead to."""
        orphans, halves = set[str](), set[str]()
        for folder, owners in self._beside() if places.is_beside(self.setting) else self._shared():
            if _is_direct(folder):
                orphans.update(map(str, self._orphans(folder, owners)))
                halves.update(map(str, unfinished(folder)))
        for folder in chain.from_iterable(map(_all_below, self.others)):
            halves.update(map(str, unfinished(folder)))
        homes = (places.place(file, self.setting) for file in self.collected)
        linked = {str(home) for home in homes if os.path.lexists(home) and not _is_direct(home)}
        return CassetteFiles(
            orphans=tuple(sorted(orphans)),
            unfinished=tuple(sorted(halves)),
            linked=tuple(sorted(linked)),
        )

    def _orphans(self, folder: Path, owners: Owners) -> list[Path]:
        everyone = (*owners.now, *owners.earlier)
        if any(self.collected.get(owner) is None for owner in everyone):
            return []
        claimed = {name for owner in everyone for name in self._claimed(owner, folder)}
        return [path for path in _cassettes(folder, claimed) if _is_ours(path)]

    def _claimed(self, owner: Path, folder: Path) -> Iterator[str]:
        """The files of a folder from which a suite's cases may be replayed."""
        home = places.place(owner, self.setting)
        for case in self.collected[owner] or ():
            now, before = (f"{name(case)}.json" for name in (case_file, earlier_case_file))
            if folder == home:
                yield now
            if (folder != home or now != before) and not (home / now).exists():
                yield from (now, before)

    def _is_collected(self, directory: Path) -> bool:
        return any(directory.is_relative_to(root) for root in self.roots)

    # ── beside the suites ────────────────────────────────────────────────────────────────────────

    def _beside(self) -> Iterator[tuple[Path, Owners]]:
        """Each folder of cassettes in a directory of suites, and its owners."""
        steps = places.steps(self.setting)
        directories = {file.parent for file in self.collected}
        for path in map(Path, self.seen):
            if path.parts[-len(steps) - 1 : -1] == steps:
                directories.add(Path(os.path.realpath(path.parents[len(steps)])))
        for directory in directories:
            with suppress(OSError):  # if the suites cannot be listed, nothing is certain
                yield from self._in_directory(directory)

    def _in_directory(self, directory: Path) -> Iterator[tuple[Path, Owners]]:
        owners = self._owners_beside(directory)
        for folder in _folders(directory.joinpath(*places.steps(self.setting))):
            if folder.name in owners:
                yield folder, owners[folder.name]
            elif not places.is_name_in_shared(folder.name) and not _is_one_of(folder, owners):
                yield folder, self._with_other_settings(folder, directory)

    def _with_other_settings(self, folder: Path, directory: Path) -> Owners:
        """The suites in deeper directories whose cassettes earlier versions may have kept here."""
        if not any(map(_is_ours, _cassettes(folder, set()))):
            return Owners()
        return Owners(earlier=tuple(_of_name(folder.name, directory, range(1, BELOW + 1))))

    def _owners_beside(self, directory: Path) -> dict[str, Owners]:
        """The owners of the folders of cassettes in a directory, by the folders' names."""
        now: dict[str, list[Path]] = {}
        earlier: dict[str, list[Path]] = {}
        for name in _files(directory):
            own, before = places.name_beside(name, self.setting), name.removesuffix(SUITE_SUFFIX)
            now.setdefault(own, []).append(directory / name)
            if before != own:
                earlier.setdefault(before, []).append(directory / name)
        return {
            name: Owners(tuple(now.get(name, ())), tuple(earlier.get(name, ()))) for name in now | earlier
        }

    # ── shared by several directories ────────────────────────────────────────────────────────────

    def _shared(self) -> Iterator[tuple[Path, Owners]]:
        """Each folder of cassettes in the shared folders, and its owners."""
        absolute = places.is_absolute(self.setting)
        tops: dict[Path, list[Path]] = {places.top(Path(), self.setting): []} if absolute else {}
        for file in self.collected:
            tops.setdefault(places.top(file, self.setting), []).append(file)
        for top, files in tops.items():
            for file in files:
                yield places.place(file, self.setting), Owners((file,))
            if not absolute:
                yield from self._earlier(top)
            if not absolute or self._is_collected(top):  # another machine may have suites for it
                yield from self._mirrored(top)

    def _mirrored(self, top: Path) -> Iterator[tuple[Path, Owners]]:
        """The folders in a shared folder that belong to collected directories."""
        around = any(each.is_relative_to(top) for each in (*self.roots, *self.collected))
        for folder in _in_shared(top, all_ways=not around):
            with suppress(OSError):
                directory, file = _leads_to(folder.relative_to(top).parts, top)
                if self._is_collected(directory):
                    yield folder, Owners(() if file is None else (file,))

    def _earlier(self, top: Path) -> Iterator[tuple[Path, Owners]]:
        """The folders in a shared folder that earlier versions used for suites of one name."""
        steps = places.steps(self.setting)
        ups = steps.count("..")
        if ups == len(steps):
            return  # among the suites themselves, a folder may be anything
        above = top.parents[len(steps) - ups - 1]
        for folder in _folders(top):
            if not places.is_name_in_shared(folder.name) and any(map(_is_ours, _cassettes(folder, set()))):
                nearer = any(_of_name(folder.name, above, range(ups)))  # which own it with other settings
                if not nearer:
                    yield folder, Owners(earlier=tuple(_of_name(folder.name, above, (ups,))))


def _of_name(name: str, above: Path, depths: Iterable[int]) -> Iterator[Path]:
    """The suites and Python files of a name, so many levels below a directory."""
    for depth in depths:
        for file in (f"{escape(name)}{SUITE_SUFFIX}", escape(name)):
            for path in above.glob("*/" * depth + file):
                if path.is_file():
                    yield Path(os.path.realpath(path.parent), path.name)


def _in_shared(top: Path, *, all_ways: bool) -> Iterator[Path]:
    """The folders of suites below a shared folder; without `all_ways`, only of suites above it."""
    below = [each for each in _folders(top) if all_ways or _UPS.fullmatch(each.name)]
    while below:
        folder = below.pop()
        if places.is_name_in_shared(folder.name):
            yield folder
        else:
            below += _folders(folder)


def _leads_to(way: tuple[str, ...], top: Path) -> tuple[Path, Path | None]:
    """The directory of the suite that a folder of cassettes is of, and the suite; None if it is gone."""
    ups = _UPS.fullmatch(way[0])
    directory = top
    for _ in range(min(int(ups[1]) if ups else 1, len(top.parts))):
        directory = directory.parent
    for part in way[1 if ups else 0 : -1]:
        names = [name for name in os.listdir(directory) if places.part(name) == part]  # noqa: PTH208
        if not names:
            return directory, None
        directory /= names[0]
    files = [name for name in _files(directory) if places.name_in_shared(name) == way[-1]]
    return directory, directory / files[0] if files else None


# ── what is on disk ──────────────────────────────────────────────────────────────────────────────


def _files(directory: Path) -> list[str]:
    """The names of the files in a directory, links included; raises OSError where it cannot be listed."""
    with os.scandir(directory) as entries:
        return [entry.name for entry in entries if not entry.is_dir()]


def _is_one_of(folder: Path, names: Iterable[str]) -> bool:
    """Whether a folder has one of these names, on a disk that ignores case."""
    folded = folder.name.casefold()
    others = (folder.with_name(name) for name in names if name.casefold() == folded)
    return any(other.exists() and other.samefile(folder) for other in others)


def _is_direct(folder: Path) -> bool:
    """Whether a folder is reached without links."""
    return os.path.normcase(os.path.realpath(folder)) == os.path.normcase(folder)


def _folders(parent: Path) -> list[Path]:
    """The folders in a folder; none if it is reached through links."""
    if not _is_direct(parent):
        return []
    try:
        with os.scandir(parent) as entries:
            return sorted(parent / entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []


def _all_below(folder: Path) -> Iterator[Path]:
    """A folder and all folders in it; none if it is reached through links."""
    for above, _, _ in os.walk(folder) if _is_direct(folder) else ():
        yield Path(above)


def _cassettes(folder: Path, known: set[str]) -> list[Path]:
    """The files in a folder that may be cassettes, without the known ones."""
    names: list[str] = []
    with suppress(OSError):
        names = os.listdir(folder)  # noqa: PTH208  # a path for each would take twenty times as long
    return [folder / name for name in sorted(names) if name.endswith(".json") and name not in known]


def _is_ours(path: Path) -> bool:
    """Whether a file is a cassette, and no link."""
    try:
        facts = path.lstat()
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > MAX_BYTES:
            return False
        source = path.read_bytes()
        return b'"recorded_at"' in source and bool(cassette.loads(source))
    except (OSError, CassetteError):
        return False


# ── removing ─────────────────────────────────────────────────────────────────────────────────────


def merged(found: Sequence[CassetteFiles]) -> CassetteFiles:
    """What several processes found, each file once; partial if one of them saw only a part."""
    if any(each.partial for each in found):
        return CassetteFiles(partial=True)
    return CassetteFiles(
        orphans=tuple(sorted({path for each in found for path in each.orphans})),
        unfinished=tuple(sorted({path for each in found for path in each.unfinished})),
        linked=tuple(sorted({path for each in found for path in each.linked})),
    )


def prune(files: CassetteFiles) -> CassetteFiles:
    """Remove orphans and unfinished files; the result says which of them could not be removed."""
    kept = {path: why for path in files.orphans if (why := _remove(Path(path), is_cassette=True))}
    kept |= {path: why for path in files.unfinished if (why := _remove(Path(path), is_cassette=False))}
    return replace(files, pruned=True, kept=kept)


def _remove(path: Path, *, is_cassette: bool) -> str:
    """Remove a file, and its folder if that is then empty; return why it cannot be removed, else nothing."""
    if not _is_direct(path.parent):
        return "a symbolic link leads there now"
    if is_cassette and path.exists() and not _is_ours(path):
        return "it changed meanwhile"
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        return error.strerror or "the system gives no reason"
    with suppress(OSError):  # the folder is not empty, or is left
        path.parent.rmdir()
    return ""
