"""Write the reports of a session: the suffix of each file decides what it holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec.structs import replace

from pytest_dust.errors import SettingsError
from pytest_dust.files.writing import write_whole
from pytest_dust.report.record import SessionRecord


def _json(session: SessionRecord) -> str:
    from pytest_dust.report.overview import overview
    from pytest_dust.report.record_json import text  # msgspec: 14 ms

    seen = overview(session)
    counts = {str(each): count for each, count in seen.counts.items()}
    return text(replace(session, state=str(seen.state), summary=seen.verdict, counts=counts))


def _html(session: SessionRecord) -> str:
    from pytest_dust.report.html.page import page

    return page(session)


def _markdown(session: SessionRecord) -> str:
    from pytest_dust.report.markdown import MAX_COMMENT, markdown

    return markdown(session, MAX_COMMENT)


FORMATS: Mapping[str, Callable[[SessionRecord], str]] = {".json": _json, ".html": _html, ".md": _markdown}
"""By suffix, the function that writes a session's report as text."""


LONGEST_NAME = 200
"""Bytes of a file's name that every system takes, with some left for that of a temporary file."""


def refuse_unwritable(path: Path, shown: str) -> None:
    """Raise SettingsError if a report cannot be written there, before any test runs."""
    above = next(each for each in path.parents if os.path.lexists(each))
    wrong = ""
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        wrong = "has a name that is too long; name another file"
    elif path.is_dir():
        wrong = "is a folder; name a file"
    elif not above.is_dir():
        wrong = f"cannot be written, as {above.name} is a file; name another file"
    elif not os.access(above, os.W_OK | os.X_OK):
        wrong = "cannot be written to its folder; name another file, or make the folder writable"
    if wrong:
        raise SettingsError(f"--dust-report={shown} {wrong}")


def write(session: SessionRecord, path: Path) -> None:
    """Write one report, whole or not at all; raises OSError or ValueError if that fails."""
    content = FORMATS[path.suffix.lower()](session)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content.encode("utf-8", "backslashreplace"))
