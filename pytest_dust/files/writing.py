"""Write whole files: a file has its new content or its old one, whatever ends the process."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path

from pytest_dust import clock
from pytest_dust.files.names import digest

STALE = 3600
"""Seconds after which an unfinished file counts as left by a killed process."""
_ODD = re.compile(r"[^A-Za-z0-9._\[\]-]")
_TEMPORARY = re.compile(r"\..{0,120}-[0-9a-f]{8,12}\.[0-9a-f]{1,16}\.tmp")


def rewrite(path: Path, content: bytes) -> None:
    """Replace the content of a user's file as a whole, or leave it as it is; raises OSError.

    Its permissions stay, and a symbolic link stays a link.
    """
    real = Path(os.path.realpath(path))
    mode = stat.S_IMODE(real.stat().st_mode)
    if not os.access(real, os.W_OK):
        raise PermissionError(13, "Permission denied")
    write_whole(real, content, mode)


def write_whole(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write a whole file, or leave the old one as it is; raises OSError if it cannot be written.

    `mode` are its permissions; without it, it gets those of any new file. The temporary file has a random
    name: process ids are not unique if containers share a folder.
    """
    name = f".{re.sub(_ODD, '-', path.stem)[:60]}-{digest(path.name)}"
    temporary = path.with_name(f"{name}.{os.urandom(8).hex()}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            now = os.fstat(file.fileno()).st_mtime  # the file system's clock, which wrote all others too
        for left in unfinished(path.parent, name, now):
            with suppress(OSError):  # what cannot go does no harm
                left.unlink()
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def unfinished(folder: Path, beginning: str = ".", now: float | None = None) -> list[Path]:
    """The temporary files in a folder that no process writes any more: unchanged for an hour."""
    now = clock.now().timestamp() if now is None else now
    found = []
    with suppress(OSError), os.scandir(folder) as entries:  # the folder may be gone
        for entry in entries:
            if entry.name.startswith(beginning) and _TEMPORARY.fullmatch(entry.name):
                facts = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(facts.st_mode) and now - facts.st_mtime > STALE:
                    found.append(folder / entry.name)
    return sorted(found)
