"""Compare an app with the version that a suite pins: two specifications, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pytest_dust.compare.equality import differences
from pytest_dust.model import Change, Json, Run, Specification, Status


class BlockDrift(NamedTuple):
    """How one block differs: `added`, `removed`, `moved` or `changed`, with its changes."""

    type: str
    name: str
    kind: str
    changes: tuple[Change, ...] = ()


def drift(old: Json, new: Json) -> Iterator[BlockDrift]:
    """The blocks that differ between two specifications, in the order of the new one."""
    before, after = _blocks(old), _blocks(new)
    for key, block in after.items():
        if key not in before:
            yield BlockDrift(*key, "added")
        elif changes := tuple(differences(before[key], block)):
            yield BlockDrift(*key, "changed", changes)
    for key in before:
        if key not in after:
            yield BlockDrift(*key, "removed")
    kept_before = [key for key in before if key in after]
    kept_after = [key for key in after if key in before]
    for key, other in zip(kept_after, kept_before, strict=True):
        if key != other:
            yield BlockDrift(*key, "moved")
            return


def _blocks(specification: Json) -> dict[tuple[str, str], Mapping[str, Any]]:
    """The compared parts of each block, by its type and name."""
    blocks = specification if isinstance(specification, list) else []
    return {
        (str(block.get("type")), str(block.get("name"))): {
            part: block.get(part) for part in ("spec", "config") if block.get(part) is not None
        }
        for block in blocks
        if isinstance(block, Mapping)
    }


class Verdict(NamedTuple):
    """Whether an app differs from the pinned version; None if that is unknown."""

    drifted: bool | None
    known: bool
    """True if compared blocks confirm it; else it is known from the saved hash alone, or from less."""
    blocks: tuple[BlockDrift, ...] | None = None
    """The saved blocks that differ from the recorded ones; None if there are none to compare."""


def verdict(pinned: str, recorded: Specification | None, saved: Json, saved_hash: str | None) -> Verdict:
    """Compare the saved blocks with the pinned version, by recorded blocks and by hash.

    Recorded blocks that are known to have run decide, and not the hash of the last run in Dust's editor: an
    edit may be saved without a run. Without them that hash decides, if it is known; else the blocks that were
    saved when the recording was made.
    """
    blocks = None if recorded is None or saved is None else tuple(drift(recorded.blocks, saved))
    if recorded is not None and recorded.ran and blocks is not None:
        return Verdict(bool(blocks), known=True, blocks=blocks)
    if saved_hash is None:
        return Verdict(None if blocks is None else bool(blocks), known=False, blocks=blocks)
    if saved_hash != pinned:
        return Verdict(True, known=False, blocks=blocks)
    return Verdict(None if blocks else False, known=blocks is not None, blocks=blocks)


def could_be_of(specification: Json, run: Run, *, whole: bool) -> bool:
    """True if a run may be one of these blocks: it has no other block and, if it is whole, all of them."""
    ran, saved = {(status.type, status.name) for status in run.statuses}, set(_blocks(specification))
    return ran == saved if whole and ran and run.status is Status.SUCCEEDED else ran <= saved
