"""Two runs held against each other, block by block in execution order, to say where a change begins."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, TypeAlias

from pytest_dust.checks.equality import differences
from pytest_dust.model import MISSING, BlockChange, Change, Comparison, Execution, Run, Trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Block: TypeAlias = "tuple[str, str]"
"""A block's type and name: what it is known by from run to run."""


def compare(old: Run, new: Run, recorded_at: str) -> Comparison:
    """The blocks that changed between two runs, in the new run's order, each with where it differs."""
    before, after = _by_block(old), _by_block(new)
    order = _in_order(list(before), list(after))
    positions = {name: at for at, name in enumerate(dict.fromkeys(name for _, name in order), 1)}
    changed = [
        change
        for kind, name in order
        for change in _block(kind, name, positions[name], before.get((kind, name)), after.get((kind, name)))
    ]
    begins = _begins(order)
    changed.sort(key=lambda change: _moment(change, begins))
    if not changed:
        changed.extend(_whole(old, new))
    return Comparison(recorded_at, tuple(changed), len(positions))


def _whole(old: Run, new: Run) -> Iterator[BlockChange]:
    """What differs between two runs none of whose blocks does: their statuses, or results without blocks."""
    before, after = _outline(old), _outline(new)
    if changes := tuple(differences(before, after)):
        yield BlockChange("run", "the run", 0, None, changes)


def _outline(run: Run) -> dict[str, object]:
    statuses = {f"{block.name} ({block.type})": block.status for block in run.statuses}
    results = None if run.traces else run.results
    return {"status": str(run.status), "results": results, "blocks": {} if run.traces else statuses}


def _by_block(run: Run) -> dict[Block, Trace]:
    return {(trace.type, trace.name): trace for trace in run.traces}


def _in_order(old: list[Block], new: list[Block]) -> list[Block]:
    """Every block of either run: the new run's in order, and those that are gone where they stood."""
    order = list(new)
    for at, block in enumerate(old):
        if block not in new:
            before = next((order.index(one) for one in reversed(old[:at]) if one in order), -1)
            order.insert(before + 1, block)
    return order


def _begins(order: Sequence[Block]) -> dict[Block, int]:
    """When each block first runs; those of a `while` begin together, as they take turns in each iteration."""
    begins: dict[Block, int] = {}
    loop: tuple[str, int] | None = None
    for at, (kind, name) in enumerate(order):
        loop = (name, at) if kind == "while" else loop
        begins[kind, name] = at if loop is None else loop[1]
        if loop is not None and (kind, name) == ("end", loop[0]):
            loop = None
    return begins


def _moment(change: BlockChange, begins: dict[Block, int]) -> tuple[int, int]:
    """When in a run a change came: in a `while`, an earlier iteration of a later block comes first.

    Blocks that change at one moment keep the order in which they stand.
    """
    step = change.changes[0].path[:1]
    iteration = step[0] if step and isinstance(step[0], int) else 0
    return begins.get((change.type, change.name), 0), iteration


def _block(
    kind: str, name: str, position: int, old: Trace | None, new: Trace | None
) -> Iterator[BlockChange]:
    """One entry per input for which the block changed."""
    if old is None or new is None:
        there = [MISSING if side is None else "ran" for side in (old, new)]
        yield BlockChange(kind, name, position, None, (Change((), *there),))
        return
    several = max(len(old.executions), len(new.executions)) > 1
    for at, (before, after) in enumerate(zip_longest(old.executions, new.executions, fillvalue=()), 1):
        changes = tuple(_executions(before, after, old.loop or new.loop))
        if changes:
            yield BlockChange(kind, name, position, at if several else None, changes)


def _executions(old: Sequence[Execution], new: Sequence[Execution], loop: str) -> Iterator[Change]:
    """What differs between one input's executions: of a `map` lined up by content, else by number."""
    before, after = [_told(one) for one in old], [_told(one) for one in new]
    if loop == "map":
        yield from differences(before, after)
        return
    for at, (there, here) in enumerate(zip_longest(before, after, fillvalue=MISSING)):
        yield from differences(there, here, (at,) if loop else ())


def _told(one: Execution) -> dict[str, object]:
    """What of an execution a caller can see."""
    return {"output": one.value} if one.error is None else {"error": one.error}
