"""The last lines of a session: how many cases changed, where they begin, and how to go on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pytest_dust.characters import safe
from pytest_dust.wording import plural

if TYPE_CHECKING:
    from pytest_dust.report.record import SessionRecord

MAX_LOST = 3
"""Reasons why an answer could not be kept that are written out."""


def closing(session: SessionRecord) -> Iterator[str]:
    """What a live session found, app by app, and the answers that wait to be accepted."""
    gated = {each.app for each in session.gates}
    if session.mode == "live":
        from pytest_dust.report.compared import by_app  # 10 ms with what it imports, as the other one

        yield from by_app([case for case in session.final if case.source.is_new and case.app not in gated])
    if session.gates:
        from pytest_dust.report import gate_lines

        yield from map(gate_lines.line, session.gates)
    for why in session.lost[:MAX_LOST]:
        yield f"dust: {safe(why)}"
    if len(session.lost) > MAX_LOST:
        yield f"dust: … and {plural(len(session.lost) - MAX_LOST, 'more answer')} that could not be kept"
    if session.pending:
        one = len(session.pending) == 1
        are, them = ("is", "it") if one else ("are", "them")
        yield (
            f"dust: {plural(len(session.pending), 'answer')} {are} pending ({_where(session.pending)}); "
            f"see and accept {them}: {session.review}"
        )


def _where(files: Sequence[str]) -> str:
    """The file, or the folder that all files are in."""
    try:
        return safe(os.path.commonpath(files).replace(os.sep, "/"))
    except ValueError:  # on different drives
        return safe(files[0])
