"""The report of an app that is not, or not certainly, what a suite pins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_dust.drift import BlockDrift
from pytest_dust.report.values import contrast, safe, show_path
from pytest_dust.report.words import by_words

MAX_CHANGES = 12
MAX_WORDS = 600
"""Characters of a text compared word by word."""


def drifted(
    app: str, pinned: str, saved: str, blocks: Sequence[BlockDrift] | None, command: str
) -> Iterator[str]:
    """The lines of an app whose saved version is another: which blocks changed, None where nobody knows."""
    yield f"  the app {safe(app)} has moved away from the version that this suite pins:"
    yield f"    pinned   {safe(pinned)}"
    yield f"    saved    {safe(saved)}"
    yield ""
    if blocks is None:
        yield "  which blocks changed is not known: no recording holds the pinned version's specification"
    elif not blocks:
        yield "  its blocks are the same as recorded; what differs is not among their spec and config"
    for block in blocks or ():
        yield f"  {block.kind:<8} {safe(block.name)} ({safe(block.type)})"
        for change in block.changes[:MAX_CHANGES]:
            yield f"    {show_path(change.path)}"
            words = ""
            if isinstance(change.old, str) and isinstance(change.new, str):
                words = by_words(change.old, change.new)[:MAX_WORDS]
            yield f"      {words or ' → '.join(contrast(change.old, change.new))}"
    yield ""
    yield f"  try the new version: {safe(command)}"
