"""Compare two runs: whether what callers see differs, and in which block the difference began."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from msgspec.structs import replace

from pytest_dust import paths
from pytest_dust.compare import origins, volatile
from pytest_dust.compare.diff_rules import DiffRules
from pytest_dust.compare.equality import differences
from pytest_dust.compare.left_out import Parts, Patterns
from pytest_dust.compare.origins import Found, located
from pytest_dust.compare.volatile import Volatile
from pytest_dust.model import (
    MISSING,
    Baseline,
    BlockChange,
    Change,
    Comparison,
    Execution,
    Path,
    Run,
    Trace,
    ViewedRun,
)

if TYPE_CHECKING:
    from pytest_dust.compare.left_out import LeftOut

Block: TypeAlias = "tuple[str, str]"
"""A block's type and name, which identify it in both runs."""
RAN = "ran"
"""The value of a Change for a block that only one run has, on the side of that run."""
KEEP = "keep"
"""The value of `baseline.volatile` that compares volatile values too."""
EACH = (("outputs",), ("errors",))
"""The parts of a block in the run view that are lists with one element per input."""


def compare(old: ViewedRun, new: ViewedRun, rules: Baseline, recorded_at: str) -> Comparison:
    """Compare a run with its recording, by the rules of the suite."""
    kept = rules.volatile == KEEP
    moving = Volatile() if kept else volatile.between(old.run, new.run, plural=new.plural)
    diff_rules = DiffRules(rules, moving)
    names = dict.fromkeys(trace.name for one in (old, new) for trace in one.run.traces)
    values = tuple(_values(old, new, diff_rules))
    places = _Places(_last(old.run, new.run), _with_paths_above(values), new.plural)
    blocks = tuple(_blocks(old.run, new.run, diff_rules, places))
    if values and not blocks:  # they may be at a path that is not only names and indexes
        blocks = tuple(_blocks(old.run, new.run, diff_rules, places._replace(last=())))
    lost = tuple(_not_found(old, new, rules))
    return Comparison(recorded_at, values, blocks, len(names), lost=lost, left_out=moving.names)


# ── what callers see ─────────────────────────────────────────────────────────────────────────────


def _values(old: ViewedRun, new: ViewedRun, rules: DiffRules) -> Iterator[Change]:
    """The changes of the status, of the failing block's error, and of the compared paths."""
    compared = rules.rules.compare or ("results" if new.plural else "result",)
    for path in ("status", "error", *compared):
        if paths.plain_path(path):
            yield from _at_plain_path(path, old, new, rules)
        else:
            yield from _at_other_path(path, _located(path, old.view), _located(path, new.view), rules)


def _at_other_path(path: str, old: Found, new: Found, rules: DiffRules) -> Iterator[Change]:
    """The changes of what a projection, filter or function finds, with paths in the run view if known."""
    for change in rules.of_found(old, new):
        found = old if change.new is MISSING and change.path else new
        at = origins.place(found.origin, change.path)
        yield Change(at or (path, *change.path), change.old, change.new)


def _at_plain_path(path: str, old: ViewedRun, new: ViewedRun, rules: DiffRules) -> Iterator[Change]:
    both = (paths.find(path, one.view) for one in (old, new))
    for place, there, here in _by_input(paths.plain_path(path), *both):
        if not rules.leaves_out(place):
            for change in rules.at(_place_of_output(place, old, new), there, here, rules.below(place)):
                yield Change((*place, *change.path), change.old, change.new)


def _place_of_output(place: Path, old: ViewedRun, new: ViewedRun) -> Path:
    """The path itself; for a result that is one block's output in both runs, the path of that output."""
    if place[0] not in ("result", "results") or len(place) > 2:
        return place
    lasts = [one.run.traces[-1] for one in (old, new) if one.run.traces and one.run.status == "succeeded"]
    plain = all(not last.loop and all(len(row) == 1 for row in last.executions) for last in lasts)
    blocks = {(last.type, last.name) for last in lasts}
    if len(lasts) < 2 or len(blocks) > 1 or not plain:
        return place
    return _output(blocks.pop(), place[1] if place[1:] else 0)


def _output(block: Block, at: str | int) -> Path:
    """A path for a block's output for one input, the same whether it is compared as output or as result."""
    return ("output", *block, at)


def _by_input(steps: Path, old: object, new: object) -> Iterator[tuple[Path, object, object]]:
    """Two values of the run view with their path; for lists with one element per input, each element's.

    The order of inputs is compared even if that of other lists is not.
    """
    each = steps == ("results",) or (steps[:1] == ("blocks",) and steps[2:] in EACH)
    if not (each and isinstance(old, list) and isinstance(new, list)):
        yield steps, old, new
        return
    for at, (there, here) in enumerate(zip_longest(old, new, fillvalue=MISSING)):
        yield (*steps, at), there, here


def _with_paths_above(values: Iterable[Change]) -> frozenset[Path]:
    """The paths of the changes, and all paths above them, of up to four steps."""
    return frozenset(change.path[:length] for change in values for length in range(1, 5))


def _not_found(old: ViewedRun, new: ViewedRun, rules: Baseline) -> Iterator[str]:
    """A message for each compared path that finds nothing in either run, as a misspelt one does."""
    for path in rules.compare:
        if _found(path, old.view) is MISSING and _found(path, new.view) is MISSING:
            yield f"{path} finds nothing; {paths.how_far(path, new.view)}"


def _found(path: str, document: object) -> object:
    return _located(path, document).value


def _located(path: str, document: object) -> Found:
    """What a path finds, with its origin; MISSING if a function raises for a value."""
    try:
        return located(path, document)
    except paths.PathError:
        return Found(MISSING, None)


# ── where it began ───────────────────────────────────────────────────────────────────────────────


class _Places(NamedTuple):
    """Finds the paths of blocks' outputs in the run view."""

    last: tuple[Block, ...]
    """The last block of each run, whose output is the result."""
    changed: frozenset[Path]
    """The paths of changed values, and all paths above them."""
    plural: bool

    def of(self, block: Block, at: int) -> list[Path]:
        """The paths of a block's output for one input: its own, and the result's if the block is the last.

        If one of them has changed values, only that one, as these may be left out at the other path.
        """
        rest: Path = (at,) if self.plural else ()
        s = "s" * self.plural
        paths: list[Path] = [("blocks", block[1], f"output{s}", *rest)]
        if block in self.last:
            paths.append((f"result{s}", *rest))
        return [path for path in paths if path in self.changed][:1] or paths


def _last(*runs: Run) -> tuple[Block, ...]:
    """The last block of each run, whose output is the result."""
    return tuple((run.traces[-1].type, run.traces[-1].name) for run in runs if run.traces)


def _blocks(old: Run, new: Run, rules: DiffRules, places: _Places) -> Iterator[BlockChange]:
    """The blocks that changed, in the order of their changes; for each input, the first is the cause."""
    before, after = _by_block(old), _by_block(new)
    order = in_order(list(before), list(after))
    positions = {name: at for at, name in enumerate(dict.fromkeys(name for _, name in order), 1)}
    changed = [
        change
        for block in order
        for change in _block(block, positions[block[1]], (before.get(block), after.get(block)), rules, places)
    ]
    begins = start_positions(order)
    changed.sort(key=lambda change: _time(change, begins))
    if not changed:
        changed = list(_whole(old, new))
    touched: set[int | None] = set()
    for change in changed:
        first = change.input not in touched and None not in touched
        touched.add(change.input)
        yield replace(change, cause=first)


def _whole(old: Run, new: Run) -> Iterator[BlockChange]:
    """The difference between two runs without a changed block: in statuses, or results without blocks."""
    if changes := tuple(differences(_outline(old), _outline(new))):
        yield BlockChange("run", "the run", 0, None, changes)


def _outline(run: Run) -> dict[str, object]:
    statuses = {f"{block.name} ({block.type})": block.status for block in run.statuses}
    results = None if run.traces else run.results
    return {"status": str(run.status), "results": results, "blocks": {} if run.traces else statuses}


def _by_block(run: Run) -> dict[Block, Trace]:
    return {(trace.type, trace.name): trace for trace in run.traces}


def in_order(old: list[Block], new: list[Block]) -> list[Block]:
    """The blocks of both runs: the new run's in order, and each removed one behind the block before it."""
    order = list(new)
    for at, block in enumerate(old):
        if block not in new:
            before = next((order.index(one) for one in reversed(old[:at]) if one in order), -1)
            order.insert(before + 1, block)
    return order


def start_positions(order: Sequence[Block]) -> dict[Block, int]:
    """The position at which each block first runs; the blocks of a `while` share one, as they take turns."""
    begins: dict[Block, int] = {}
    loop: tuple[str, int] | None = None
    for at, (kind, name) in enumerate(order):
        loop = (name, at) if kind == "while" else loop
        begins[kind, name] = at if loop is None else loop[1]
        if loop is not None and (kind, name) == ("end", loop[0]):
            loop = None
    return begins


def _time(change: BlockChange, begins: dict[Block, int]) -> tuple[int, int]:
    """The sort key of a change by time: in a `while`, an earlier iteration of a later block comes first.

    Blocks with equal keys keep their order.
    """
    step = change.changes[0].path[:1]
    iteration = step[0] if step and isinstance(step[0], int) else 0
    return begins.get((change.type, change.name), 0), iteration


def _block(
    block: Block, position: int, sides: tuple[Trace | None, Trace | None], rules: DiffRules, places: _Places
) -> Iterator[BlockChange]:
    """A BlockChange for each input for which the block changed."""
    old, new = sides
    if old is None or new is None:
        there = [MISSING if side is None else RAN for side in sides]
        yield BlockChange(*block, position, None, (Change((), *there),))
        return
    several = max(len(old.executions), len(new.executions)) > 1
    loop = old.loop or new.loop
    for at, (before, after) in enumerate(zip_longest(old.executions, new.executions, fillvalue=())):
        paths = places.of(block, at)
        if any(map(rules.leaves_out, paths)):
            continue
        left_out = rules.below(*paths)
        if loop:
            changes = list(_executions(before, after, loop, rules, left_out))
        else:
            changes = list(_single(_output(block, at), before, after, rules, left_out))
        if changes:
            yield BlockChange(*block, position, at + 1 if several else None, tuple(changes))


def _single(
    place: Path, old: Sequence[Execution], new: Sequence[Execution], rules: DiffRules, left_out: Patterns
) -> Iterator[Change]:
    """The differences between one input's executions outside of loops."""
    if len(old) == len(new) == 1 and old[0].error is None is new[0].error:
        for change in rules.at(place, old[0].value, new[0].value, left_out):
            yield Change(("output", *change.path), change.old, change.new)
        return
    for there, here in zip_longest(old, new, fillvalue=None):
        yield from _execution(there, here, rules, left_out, ())


def _executions(
    old: Sequence[Execution], new: Sequence[Execution], loop: str, rules: DiffRules, left_out: Patterns
) -> Iterator[Change]:
    """The differences between one input's iterations, aligned by content in a `map`, else by number."""
    if loop == "map":
        before, after = ([_compared_part(one) for one in side] for side in (old, new))
        every = range(max(len(before), len(after)))
        each: dict[str | int, LeftOut | None] = {at: _left_out_of_part(left_out.below(at)) for at in every}
        yield from rules.changes(before, after, Parts(each))
        return
    for at, (there, here) in enumerate(zip_longest(old, new, fillvalue=None)):
        below = left_out.below(at)
        if below is not None:
            yield from _execution(there, here, rules, below, (at,))


def _execution(
    old: Execution | None, new: Execution | None, rules: DiffRules, left_out: Patterns, path: Path
) -> Iterator[Change]:
    """The differences between two executions; None is an execution that only the other run has."""
    before, after = (MISSING if one is None else _compared_part(one) for one in (old, new))
    for change in rules.changes(before, after, Parts({"output": left_out})):
        yield Change((*path, *change.path), change.old, change.new)


def _compared_part(one: Execution) -> dict[str, object]:
    """The compared part of an execution."""
    return {"output": one.value} if one.error is None else {"error": one.error}


def _left_out_of_part(left_out: Patterns | None) -> Parts | None:
    """What is left out of the compared part of an execution, by what is left out of its output."""
    return None if left_out is None else Parts({"output": left_out})
