"""Has an app moved away from the version that a suite pins? Two specifications, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pytest_dust.checks.equality import differences
from pytest_dust.model import Change, Json


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
