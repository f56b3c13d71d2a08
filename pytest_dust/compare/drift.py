"""Has an app moved away from the version that a suite pins? Two specifications, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pytest_dust.compare.equality import differences
from pytest_dust.model import Change, Json, Run, Specification, Status


class BlockDrift(NamedTuple):
    """What became of one block: `added`, `removed`, `moved` or `changed`, and where it changed."""

    type: str
    name: str
    kind: str
    changes: tuple[Change, ...] = ()


def drift(old: Json, new: Json) -> Iterator[BlockDrift]:
    """How the blocks of a saved specification differ from those of another, in the new one's order."""
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
    """The blocks by type and name, with what of them matters."""
    blocks = specification if isinstance(specification, list) else []
    return {
        (str(block.get("type")), str(block.get("name"))): {
            part: block.get(part) for part in ("spec", "config") if block.get(part) is not None
        }
        for block in blocks
        if isinstance(block, Mapping)
    }


class Verdict(NamedTuple):
    """Whether an app has moved away from a pinned version: True, False, or None where nobody can tell."""

    drifted: bool | None
    known: bool
    """Whether the blocks that ran were compared; else the saved hash alone tells, or less."""
    blocks: tuple[BlockDrift, ...] | None = None
    """How the saved blocks differ from the recorded ones, None where there are none to compare."""


def verdict(pinned: str, recorded: Specification | None, saved: Json, saved_hash: str | None) -> Verdict:
    """Whether the saved blocks are those of the pinned version, by recorded blocks and by hash.

    Blocks that are known to have run decide, whatever hash the last run in the editor had: an edit may be
    saved and not run, and that run be deleted. Else that hash decides, if it is known; else whether the
    blocks are as they were when the recording was made.
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
    """Whether a run may be of these blocks: it has none that they lack and, as a whole run, lacks none."""
    ran, saved = {(status.type, status.name) for status in run.statuses}, set(_blocks(specification))
    return ran == saved if whole and ran and run.status is Status.SUCCEEDED else ran <= saved
