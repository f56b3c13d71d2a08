"""The report of an app that is not, or not certainly, the version that a suite pins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_dust.characters import safe, safe_name
from pytest_dust.report.record import BlockDriftRecord, DriftRecord
from pytest_dust.report.values import contrast, show_path
from pytest_dust.report.words import by_words
from pytest_dust.wording import first_names

MAX_CHANGES = 12
MAX_BLOCKS = 3
"""Blocks named in a headline."""
MAX_WORDS = 600
"""Maximum number of characters of a difference that is shown word by word."""
RECORD = "record a case of it again (--dust-mode=rerecord), which keeps its blocks"


def headline(drift: DriftRecord) -> str:
    """In one line, why a drift check failed."""
    if drift.is_undecided:
        return f"{_doubt(drift)} {_undecided(drift).split(chr(10), 1)[0]}"
    if not drift.drifted:
        return f"app {drift.app}: the pinned version {drift.pinned[:8]}… does not exist at Dust"
    return f"app {drift.app} drifted: {_blocks(drift.blocks or ()) or 'another version is saved'}"


def drift_lines(drift: DriftRecord) -> Iterator[str]:
    """The lines of a drift check that failed: what drifted, or why it is unknown."""
    if drift.is_undecided:
        yield f"{_place(drift)}   drift"
        yield ""
        yield from (f"  {safe(line)}" for line in f"{_doubt(drift)}\n{_undecided(drift)}".split("\n"))
        return
    yield f"{_place(drift)}   {safe(headline(drift))}"
    yield ""
    yield from _drifted(drift)


def _place(drift: DriftRecord) -> str:
    """The file and line on which the version is pinned."""
    return safe(f"{drift.file}:{drift.line}" if drift.line else drift.file)


def passed_line(drift: DriftRecord) -> str:
    """What the summary says of an app that has not drifted."""
    which = f" ({drift.pinned[:8]}…)" if drift.pins > 1 else ""
    return f"dust: app {safe(drift.app)}{which}: {safe(_unmoved(drift))}"


def _doubt(drift: DriftRecord) -> str:
    return f"it is unknown whether the app {drift.app} is still the pinned version:"


def _drifted(drift: DriftRecord) -> Iterator[str]:
    """The lines of an app whose saved version is another, or whose pinned version is gone."""
    if drift.drifted:
        yield f"  the app {safe(drift.app)} has moved away from the version that this suite pins:"
    else:
        yield f"  the version of the app {safe(drift.app)} that this suite pins is not at Dust (any more):"
    gone = "   (no live run of it can be made)" if drift.exists is False else ""
    if gone and drift.drifted:
        gone = "   (not at Dust any more: no live run of it can be made)"
    yield f"    pinned   {safe(drift.pinned)}{gone}"
    yield f"    saved    {_saved(drift)}"
    yield ""
    yield from _compared(drift)
    yield ""
    first = "run it once in Dust, which gives it a hash, then " if drift.drifted and drift.is_unrun else ""
    yield f"  {first}try the new version: {safe(drift.command)}"


def _saved(drift: DriftRecord) -> str:
    """The saved version's hash, or why it has none."""
    if drift.saved is None:
        return f"its hash is not known: {safe(drift.unknown)}"
    if drift.drifted and drift.saved == drift.pinned:
        return "no hash yet: edited since its last run in Dust, and not run"
    if drift.saved == drift.pinned:
        return f"{safe(drift.saved)}   (the same, by its last run in Dust: run it there once more)"
    return safe(drift.saved)


def _compared(drift: DriftRecord) -> Iterator[str]:
    """Which blocks changed, as far as that is known."""
    if not drift.blocks:
        yield (
            "  its saved blocks are those that ran when it was recorded"
            if drift.known
            else "  which blocks changed is not known: no recording holds the pinned version's blocks"
        )
        return
    if not drift.known:
        yield f"  changed since the recording of {drift.day}, whose blocks may be of another version:"
    for block in drift.blocks:
        yield f"  {block.kind:<8} {safe_name(block.name)} ({safe_name(block.type)})"
        yield from (f"    {line}" for line in block_lines(block))


def block_lines(block: BlockDriftRecord) -> Iterator[str]:
    """How a saved block differs from the pinned one: each path, then its change."""
    for change in block.changes[:MAX_CHANGES]:
        yield show_path(change.path)
        words = ""
        if isinstance(change.before, str) and isinstance(change.after, str):
            words = by_words(change.before, change.after)[:MAX_WORDS]
        yield f"  {words or ' → '.join(contrast(change.before, change.after))}"


def _undecided(drift: DriftRecord) -> str:
    """Why it is unknown whether the app has drifted, and what to do."""
    if drift.message:
        return drift.message
    if drift.blocks:
        return (
            "its last run in Dust ran the pinned version, but its blocks changed since the recording of "
            f"{drift.day} ({_blocks(drift.blocks)}): run it once in Dust, then {RECORD}"
        )
    reason = drift.unknown or "its blocks are not listed"
    return (
        f"{reason}, so its hash is not known, and no recording holds the pinned version's blocks: "
        f"run it once in Dust, or {RECORD}"
    )


def _unmoved(drift: DriftRecord) -> str:
    """That the app has not drifted, and how that is known."""
    if drift.exists is None:
        certain = _how_known(drift)
        return f"{certain}; the service could not be asked whether it still has the pinned version"
    return _how_known(drift)


def _how_known(drift: DriftRecord) -> str:
    if drift.known:
        other = f"; its last run in Dust ran another version, {drift.saved}" if not drift.is_unrun else ""
        return f"not drifted{other}"
    if drift.saved is not None:
        return (
            "not drifted by the hash of its last run in Dust; an edit that was saved and not run is not "
            f"seen, as no recording holds its blocks: {RECORD}"
        )
    return (
        f"not drifted since the recording of {drift.day}; whether the pinned version ran those blocks is not "
        f"known: {drift.unknown}"
    )


def _blocks(blocks: Sequence[BlockDriftRecord]) -> str:
    """The first blocks, and what became of them."""
    return first_names([f"{safe_name(each.name)} {each.kind}" for each in blocks], MAX_BLOCKS)
