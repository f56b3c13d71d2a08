"""The report of an app that is not, or not certainly, what a suite pins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pytest_dust.characters import safe, safe_name
from pytest_dust.compare.drift import BlockDrift, Verdict
from pytest_dust.report.values import contrast, show_path
from pytest_dust.report.words import by_words

MAX_CHANGES = 12
MAX_BLOCKS = 3
"""Blocks named in a headline."""
MAX_WORDS = 600
"""Characters of a text compared word by word."""
RECORD = "record a case of it again (--dust-mode=rerecord), which keeps its blocks"


class Facts(NamedTuple):
    """What is known of a pinned version and of the app as it is saved."""

    app: str
    pinned: str
    saved: str | None
    """The hash of the last run in Dust's editor."""
    unknown: str
    """Why that is not known."""
    recorded_at: str
    """When the recording was made whose blocks are compared; empty where there is none."""
    exists: bool | None
    """Whether Dust has the pinned version; None where it could not be asked."""

    @property
    def day(self) -> str:
        """The day of the recording."""
        return self.recorded_at[:10]

    @property
    def is_unrun(self) -> bool:
        """Whether no version but the pinned one is known to have run in the editor."""
        return self.saved in (None, self.pinned)


def headline(facts: Facts, found: Verdict) -> str:
    """What is wrong, in a few words."""
    if not found.drifted:
        return f"the pinned version {facts.pinned[:8]}… does not exist at Dust"
    return _blocks(found.blocks or ()) or "another version is saved"


def drifted(facts: Facts, found: Verdict, command: str) -> Iterator[str]:
    """The lines of an app whose saved version is another, or whose pinned version is gone."""
    if found.drifted:
        yield f"  the app {safe(facts.app)} has moved away from the version that this suite pins:"
    else:
        yield f"  the version of the app {safe(facts.app)} that this suite pins is not at Dust (any more):"
    gone = "   (no live run of it can be made)" if facts.exists is False else ""
    if gone and found.drifted:
        gone = "   (not at Dust any more: no live run of it can be made)"
    yield f"    pinned   {safe(facts.pinned)}{gone}"
    yield f"    saved    {_saved(facts, found)}"
    yield ""
    yield from _compared(facts, found)
    yield ""
    first = "run it once in Dust, which gives it a hash, then " if found.drifted and facts.is_unrun else ""
    yield f"  {first}try the new version: {safe(command)}"


def _saved(facts: Facts, found: Verdict) -> str:
    """The saved version's hash, or why it has none."""
    if facts.saved is None:
        return f"its hash is not known: {safe(facts.unknown)}"
    if found.drifted and facts.saved == facts.pinned:
        return "no hash yet: edited since its last run in Dust, and not run"
    if facts.saved == facts.pinned:
        return f"{safe(facts.saved)}   (the same, by its last run in Dust: run it there once more)"
    return safe(facts.saved)


def _compared(facts: Facts, found: Verdict) -> Iterator[str]:
    """Which blocks changed, as far as that is known."""
    if not found.blocks:
        yield (
            "  its saved blocks are those that ran when it was recorded"
            if found.known
            else "  which blocks changed is not known: no recording holds the pinned version's blocks"
        )
        return
    if not found.known:
        yield f"  changed since the recording of {facts.day}, whose blocks may be of another version:"
    for block in found.blocks:
        yield f"  {block.kind:<8} {safe_name(block.name)} ({safe_name(block.type)})"
        for change in block.changes[:MAX_CHANGES]:
            yield f"    {show_path(change.path)}"
            words = ""
            if isinstance(change.old, str) and isinstance(change.new, str):
                words = by_words(change.old, change.new)[:MAX_WORDS]
            yield f"      {words or ' → '.join(contrast(change.old, change.new))}"


def undecided(facts: Facts, found: Verdict) -> str:
    """Why nobody can tell whether the app has drifted, and what to do."""
    if found.blocks:
        return (
            "its last run in Dust ran the pinned version, but its blocks changed since the recording of "
            f"{facts.day} ({_blocks(found.blocks)}): run it once in Dust, then {RECORD}"
        )
    reason = facts.unknown or "its blocks are not listed"
    return (
        f"{reason}, so its hash is not known, and no recording holds the pinned version's blocks: "
        f"run it once in Dust, or {RECORD}"
    )


def unmoved(facts: Facts, found: Verdict) -> str:
    """That the app has not drifted, and by what that is known."""
    if facts.exists is None:
        certain = _unmoved(facts, found)
        return f"{certain}; the service could not be asked whether it still has the pinned version"
    return _unmoved(facts, found)


def _unmoved(facts: Facts, found: Verdict) -> str:
    if found.known:
        other = f"; its last run in Dust ran another version, {facts.saved}" if not facts.is_unrun else ""
        return f"not drifted{other}"
    if facts.saved is not None:
        return (
            "not drifted by the hash of its last run in Dust; an edit that was saved and not run is not "
            f"seen, as no recording holds its blocks: {RECORD}"
        )
    return (
        f"not drifted since the recording of {facts.day}; whether the pinned version ran those blocks is not "
        f"known: {facts.unknown}"
    )


def _blocks(blocks: Sequence[BlockDrift]) -> str:
    """The first blocks, and what became of them."""
    more = f" and {len(blocks) - MAX_BLOCKS} more" if len(blocks) > MAX_BLOCKS else ""
    return ", ".join(f"{safe_name(each.name)} {each.kind}" for each in blocks[:MAX_BLOCKS]) + more
