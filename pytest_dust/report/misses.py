"""Messages for a case without a cassette that can be replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_dust.report.values import contrast, show_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_dust.model import Change

MAX_FIELDS = 20
"""Maximum number of moved fields that are listed."""


def missing(shown: str, record: str) -> str:
    """The message if there is no cassette."""
    return f"no cassette (looked in {shown})\nrecord it: {record} --dust-mode=record"


def misfit(shown: str, moved: Sequence[Change], record: str) -> str:
    """The message if the cassette was recorded for another request: every field that moved, old → new."""
    fields = [show_path(change.path) for change in moved]
    more = "" if len(fields) <= 3 else f" and {len(fields) - 3} more"
    lines = [f"the cassette {shown} does not fit; moved since it was recorded: {', '.join(fields[:3])}{more}"]
    width = max(map(len, fields[:MAX_FIELDS]))
    for field, change in zip(fields[:MAX_FIELDS], moved, strict=False):
        old, new = contrast(change.old, change.new)
        lines.append(f"  {field:<{width}}  {old} → {new}")
    if len(fields) > MAX_FIELDS:
        lines.append(f"  … and {len(fields) - MAX_FIELDS} more")
    return "\n".join([*lines, f"record it anew: {record} --dust-mode=record"])


def unreadable(shown: str, wrong: str, record: str) -> str:
    """The message if the cassette is broken; as it may be someone's work, only mode rerecord replaces it."""
    return (
        f"the cassette {shown} {wrong}\n"
        f"restore it from version control, or replace it: {record} --dust-mode=rerecord"
    )


def unwritable(shown: str, wrong: str) -> str:
    """The message if the cassette could not be written, so that no run is made."""
    return (
        f"the cassette {shown} {wrong}; no run was made\n"
        "mend that, or name another folder: --dust-cassette-dir=DIR"
    )
