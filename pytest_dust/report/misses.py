"""Messages for a case without a cassette that can be replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_dust.report.values import contrast, show_path
from pytest_dust.wording import first_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_dust.model import Change

MAX_FIELDS = 20
"""Maximum number of moved fields that are listed."""


def missing(shown: str, record: str) -> str:
    """The message if there is no cassette."""
    return f"no cassette (looked in {shown})\nrecord it: {record} --dust-mode=record"


def misfit(shown: str, moved: Sequence[Change], record: str) -> str:
    """The message if the cassette was recorded for another request: every field that moved, old → new."""
    names, *lines = moved_lines(moved)
    heading = f"the cassette {shown} does not fit; moved since it was recorded: {names}"
    return "\n".join([heading, *lines, f"record it anew: {record} --dust-mode=record"])


def moved_lines(moved: Sequence[Change]) -> Iterator[str]:
    """The names of the fields that moved in one line; then each field, old → new."""
    fields = [show_path(change.path) for change in moved]
    yield first_names(fields, 3)
    width = max(map(len, fields[:MAX_FIELDS]))
    for field, change in zip(fields[:MAX_FIELDS], moved, strict=False):
        old, new = contrast(change.old, change.new)
        yield f"  {field:<{width}}  {old} → {new}"
    if len(fields) > MAX_FIELDS:
        yield f"  … and {len(fields) - MAX_FIELDS} more"


def unreadable(shown: str, wrong: str, record: str) -> str:
    """The message if the cassette is broken; as it may be someone's work, only mode rerecord replaces it."""
    return (
        f"the cassette {shown} {wrong}\n"
        f"restore it from version control, or replace it: {record} --dust-mode=rerecord"
    )


def undecided(shown: str, why: str, record: str) -> str:
    """The message if the recorded attempts of a sequential test give no verdict."""
    return (
        f"the cassette {shown} does not fit: {why}\n"
        "the expectations were edited since it was recorded, or attempts were removed from it\n"
        f"record it anew: {record} --dust-mode=rerecord"
    )


def unwritable(shown: str, wrong: str) -> str:
    """The message if the cassette could not be written, so that no run is made."""
    return (
        f"the cassette {shown} {wrong}; no run was made\n"
        "mend that, or name another folder: --dust-cassette-dir=DIR"
    )
