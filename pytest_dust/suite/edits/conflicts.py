"""Find edits of one file that contradict each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_dust.compare.equality import equal
from pytest_dust.model import Path


def conflicts(targets: Sequence[tuple[Path, Any]]) -> dict[int, str]:
    """Return why edits are refused, by their index; each edit is given as the path it sets and the new value.

    Edits that want different values at the same place are all refused, so that the order does not count.
    """
    values: dict[Path, Any] = {}
    differing: set[Path] = set()
    for path, value in targets:
        first = values.setdefault(path, value)
        if first is not value and not equal(first, value):
            differing.add(path)
    inside = {path for path in values for at in range(len(path)) if path[:at] in values}
    around = {path[:at] for path in inside for at in range(len(path))} & values.keys()
    reasons = {}
    for at, (path, _) in enumerate(targets):
        if path in differing:
            reasons[at] = "different cases want different values here"
        elif path in inside or path in around:
            reasons[at] = "another edit changes a part of this value, or all of it"
    return reasons
