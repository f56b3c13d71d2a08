"""Two specifications of an app block by block, and what decides whether a pinned version is still saved."""

from __future__ import annotations

import pytest
from answers import block

from pytest_dust.compare.drift import could_be_of, drift, verdict
from pytest_dust.model import BlockStatus, Run, Specification, Status

A, B, C = block("A", prompt="Say a"), block("B", prompt="Say b"), block("C", "code", code="1")
MAP, REDUCE = block("EACH", "map", **{"from": "A"}), block("EACH", "reduce")
TABLE = {
    "same": ([A, B], [A, B], []),
    "nothing": (None, None, []),
    "added": ([A], [A, B], [("B", "added", [])]),
    "added in front": ([B], [A, B], [("A", "added", [])]),
    "removed": ([A, B], [B], [("A", "removed", [])]),
    "moved": ([A, B], [B, A], [("B", "moved", [])]),
    "another type": ([A], [block("A", "code", prompt="Say a")], [("A", "added", []), ("A", "removed", [])]),
    "prompt": ([A, B], [A, block("B", prompt="Say c")], [("B", "changed", [("spec", "prompt")])]),
    "config": ([A], [block("A", config={"x": 1}, prompt="Say a")], [("A", "changed", [("config", "x")])]),
    "key gone": ([C], [block("C", "code")], [("C", "changed", [("spec", "code")])]),
    "one name twice": ([MAP, REDUCE], [MAP, REDUCE], []),
    "one of one name": ([MAP, REDUCE], [MAP], [("EACH", "removed", [])]),
    "changed and moved": (
        [A, B],
        [block("B", prompt="Say c"), A],
        [("B", "changed", [("spec", "prompt")]), ("B", "moved", [])],
    ),
    "no blocks": ("nonsense", [A, 7], [("A", "added", [])]),
}


@pytest.mark.parametrize("row", TABLE)
def test_two_specifications(row):
    """Each block is told as added, removed, moved or changed, and a changed one by the paths in it."""
    old, new, expected = TABLE[row]
    found = [(one.name, one.kind, [change.path for change in one.changes]) for one in drift(old, new)]
    assert found == expected


PIN, OTHER = "a" * 64, "b" * 64
RAN, MAYBE = Specification([A, B], ran=True), Specification([A, B], ran=False)


@pytest.mark.parametrize(
    ("recorded", "saved", "answers"),
    [  # the answers where the last run in the editor ran the pinned version, another one, or is gone
        (RAN, [A, B], (False, False, False)),
        (RAN, [B], (True, True, True)),
        (MAYBE, [A, B], (False, True, False)),
        (MAYBE, [B], (None, True, True)),
        (None, [A, B], (False, True, None)),
        (RAN, None, (False, True, None)),
    ],
)
def test_what_decides(recorded, saved, answers):
    """Blocks that ran decide; else the hash, if the blocks do not speak against it; else the blocks."""
    found = tuple(verdict(PIN, recorded, saved, ran).drifted for ran in (PIN, OTHER, None))
    assert found == answers


RAN_BLOCKS = tuple(BlockStatus("llm", name, "succeeded", 1, 0) for name in ("A", "B"))


@pytest.mark.parametrize(
    ("saved", "status", "whole", "could"),
    [
        ([A, B], "succeeded", True, True),
        ([A, B, C], "succeeded", True, False),
        ([A, B, C], "succeeded", False, True),
        ([A, B, C], "errored", True, True),
        ([A], "succeeded", True, False),
        ([A], "succeeded", False, False),
        ([A, block("B", "code")], "succeeded", True, False),
    ],
)
def test_which_blocks_a_run_may_be_of(saved, status, whole, could):
    """A run has no block that is not saved; a whole run that succeeded has all that are saved."""
    run = Run("r1", PIN, Status(status), (), RAN_BLOCKS, None, 1.0)
    assert could_be_of(saved, run, whole=whole) == could
