"""The folder of the cassettes of a suite or a Python file: each has its own, whatever the settings.

In a folder of the suite's own directory (`cassettes`, the default) it is `cassettes/<suite>`. In one that
several directories share (`..`, an absolute one) it is at the end of the way from there to the suite, and
named by the suite's whole name: `shop/answer.dust.yaml`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path, PurePath

from pytest_dust.constants import SUITE_SUFFIX
from pytest_dust.files.names import has_digest, is_reserved, with_digest

_PART = re.compile(r"[a-z0-9._-]{1,100}")
_SHARED = re.compile(r"\.dust(\.yaml)?(~[0-9a-f]{8})?\Z")


def is_beside(setting: str) -> bool:
    """Whether the setting is a folder in each suite's own directory."""
    return not is_absolute(setting) and steps(setting)[:1] not in ((), ("..",))


def is_absolute(setting: str) -> bool:
    """Whether the setting is one folder for all suites."""
    return bool(PurePath(setting).anchor)  # on Windows also for C:folder and \\folder


def steps(setting: str) -> tuple[str, ...]:
    """The parts of the setting, `..` first."""
    return PurePath(os.path.normpath(setting)).parts


def top(file: Path, setting: str) -> Path:
    """The folder that the setting means for a suite; its cassettes may not be outside of it."""
    if is_absolute(setting):
        return Path(os.path.realpath(setting))
    return Path(os.path.normpath(Path(os.path.realpath(file.parent), setting)))


def place(file: Path, setting: str) -> Path:
    """The folder of the cassettes of a suite or a Python file."""
    if is_beside(setting):
        return Path(os.path.normpath(file.parent / setting), name_beside(file.name, setting))
    shared = top(file, setting)
    return shared.joinpath(*way(Path(os.path.realpath(file.parent)), shared), name_in_shared(file.name))


def earlier_places(file: Path, setting: str) -> tuple[Path, ...]:
    """The other folders in which earlier versions may have kept them."""
    folder, name = top(file, setting), file.name.removesuffix(SUITE_SUFFIX)
    if has_digest(name) or is_name_in_shared(name):
        return ()  # there, others have their cassettes now
    if is_beside(setting):
        return () if name_beside(file.name, setting) == name else (folder / name,)
    if not is_absolute(setting):
        return (folder / name,)
    below = Path(os.path.realpath(file.parent)).parts[1:]  # from a rootdir, which may have been another
    return tuple(folder.joinpath(*below[at:], name) for at in range(len(below) + 1))


# ── names ────────────────────────────────────────────────────────────────────────────────────────


def name_beside(file: str, setting: str) -> str:
    """The name of the folder, in the suite's own directory: `answer`, `test_it.py`."""
    if not file.endswith(SUITE_SUFFIX):
        return file if file.endswith(".py") else f"{file}.dust"
    name = file.removesuffix(SUITE_SUFFIX)
    folded = name.casefold()
    taken = folded.endswith((".py", ".dust", SUITE_SUFFIX)) or has_digest(name)
    inside = folded in map(str.casefold, steps(setting))  # where a suite may lie among cassettes
    return with_digest(name) if taken or inside or not name or is_reserved(name) else name


def name_in_shared(file: str) -> str:
    """The name of the folder, in a shared folder: `answer.dust.yaml`, `test_it.py.dust`."""
    name = file if file.endswith(SUITE_SUFFIX) else f"{file}.dust"
    return name if _PART.fullmatch(name) and not is_reserved(name) else with_digest(name)


def is_name_in_shared(name: str) -> bool:
    """Whether a folder's name is one that `name_in_shared` returns."""
    return bool(_SHARED.search(name))


def way(directory: PurePath, folder: PurePath) -> Iterator[str]:
    """The path from a shared folder to a directory, as folder names.

    `~2` stands for two steps up; one step up is left out.
    """
    both = zip(directory.parts, folder.parts, strict=False)
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], both))
    ups = len(folder.parts) - common
    if ups != 1:
        yield f"~{ups}"
    yield from map(part, directory.parts[common:])


def part(name: str) -> str:
    """A directory's name as a folder name; different names stay different, even if a disk ignores case."""
    plain = _PART.fullmatch(name) and not is_reserved(name) and not is_name_in_shared(name)
    return name if plain else with_digest(name).replace(".", "-")
