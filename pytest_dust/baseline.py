"""Two runs held against each other: whether what callers see differs, and in which block it began."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal, InvalidOperation
from fnmatch import fnmatchcase
from itertools import zip_longest
from typing import Any, TypeAlias

from pytest_dust.checks import paths
from pytest_dust.checks.equality import differences
from pytest_dust.checks.matchers import likeness
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
)
from pytest_dust.view import view

Block: TypeAlias = "tuple[str, str]"
"""A block's type and name: what it is known by from run to run."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A run, and the document in which `expect` sees it; `plural` gives the names for several inputs."""

    run: Run
    view: dict[str, Any]
    plural: bool


def seen(run: Run, *, plural: bool) -> Seen:
    """A run with its document."""
    return Seen(run, view(run, plural=plural), plural)


def compare(old: Seen, new: Seen, rules: Baseline, recorded_at: str) -> Comparison:
    """What differs between a run and its recording, by the rules of the suite."""
    ruler = _Ruler(rules)
    blocks = tuple(_blocks(old.run, new.run, ruler, plural=new.plural))
    names = dict.fromkeys(trace.name for one in (old, new) for trace in one.run.traces)
    values = tuple(_values(old, new, ruler))
    lost = tuple(_lost(old, new, rules))
    return Comparison(recorded_at, values, blocks, len(names), lost=lost)


class _Ruler:
    """The rules, ready to measure with."""

    def __init__(self, rules: Baseline) -> None:
        self.rules = rules

    def differences(self, old: Any, new: Any, path: Path) -> Iterator[Change]:
        """Where two values at a path of the run view differ by more than the rules allow."""
        for change in differences(self.reduced(old, path), self.reduced(new, path)):
            if not self.alike(change):
                yield change

    def reduced(self, value: Any, path: Path) -> Any:
        """The value at a path without what is ignored, its numbers rounded, its lists in one order."""
        rules = self.rules
        if not (rules.ignore or rules.unordered or rules.significant_digits):
            return value
        return self._reduced(value, _texts(path))

    def _reduced(self, value: Any, path: tuple[str, ...]) -> Any:
        rules = self.rules
        if isinstance(value, Mapping):
            return {
                key: self._reduced(each, (*path, key))
                for key, each in value.items()
                if not _ignored((*path, key), rules.ignore)
            }
        if isinstance(value, list | tuple):
            kept = [
                self._reduced(each, (*path, str(at)))
                for at, each in enumerate(value)
                if not _ignored((*path, str(at)), rules.ignore)
            ]
            return sorted(kept, key=_canonical) if rules.unordered else kept
        if isinstance(value, float | int) and not isinstance(value, bool):
            return value if rules.significant_digits is None else _rounded(value, rules.significant_digits)
        return value

    def alike(self, change: Change) -> bool:
        """Whether a change is from one text to another that is as good as the same."""
        old, new = change.old, change.new
        if self.rules.similar is None or not (isinstance(old, str) and isinstance(new, str)):
            return False
        return likeness(old, new) >= self.rules.similar


def _ignored(path: tuple[str, ...], ignore: tuple[tuple[str, ...], ...]) -> bool:
    """Whether a path is one that is left out: from the view's top, or a bare name wherever it stands."""
    for pattern in ignore:
        at = path[-1:] if len(pattern) == 1 and pattern[0] not in _TOP else path
        if len(at) == len(pattern) and all(map(fnmatchcase, at, pattern)):
            return True
    return False


_TOP = ("status", "error", "result", "results", "blocks", "usage", "duration", "specification_hash", "run_id")


def _texts(path: Path) -> tuple[str, ...]:
    return tuple(str(step) for step in path)


def _rounded(number: float, digits: int) -> float:
    try:
        return float(Context(prec=digits).create_decimal(Decimal(repr(number))))
    except (InvalidOperation, OverflowError, ValueError):
        return number


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


# ── what callers see ─────────────────────────────────────────────────────────────────────────────


def _values(old: Seen, new: Seen, ruler: _Ruler) -> Iterator[Change]:
    """The changes that count: of the status, the failing block's error, and what is compared."""
    compared = ruler.rules.compare or ("results" if new.plural else "result",)
    for path in ("status", "error", *compared):
        steps = paths.plain_path(path)
        for change in ruler.differences(_found(path, old.view), _found(path, new.view), steps):
            yield Change((*(steps or (path,)), *change.path), change.old, change.new)


def _lost(old: Seen, new: Seen, rules: Baseline) -> Iterator[str]:
    """The compared paths that find nothing on either side, as a misspelt one does."""
    for path in rules.compare:
        if _found(path, old.view) is MISSING and _found(path, new.view) is MISSING:
            yield f"{path} finds nothing; {paths.how_far(path, new.view)}"


def _found(path: str, document: object) -> object:
    try:
        return paths.find(path, document)
    except paths.PathError:
        return MISSING


# ── where it began ───────────────────────────────────────────────────────────────────────────────


def _blocks(old: Run, new: Run, ruler: _Ruler, *, plural: bool) -> Iterator[BlockChange]:
    """The blocks that changed, in the order in which they did; per input, the first is the cause."""
    before, after = _by_block(old), _by_block(new)
    order = _in_order(list(before), list(after))
    positions = {name: at for at, name in enumerate(dict.fromkeys(name for _, name in order), 1)}
    changed = [
        change
        for kind, name in order
        for change in _block(
            kind, name, positions[name], before.get((kind, name)), after.get((kind, name)), ruler, plural
        )
    ]
    begins = _begins(order)
    changed.sort(key=lambda change: _moment(change, begins))
    if not changed:
        changed = list(_whole(old, new))
    touched: set[int | None] = set()
    for change in changed:
        first = change.input not in touched and None not in touched
        touched.add(change.input)
        yield replace(change, cause=first)


def _whole(old: Run, new: Run) -> Iterator[BlockChange]:
    """What differs between two runs none of whose blocks does: their statuses, or results without blocks."""
    if changes := tuple(differences(_outline(old), _outline(new))):
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


def _block(  # noqa: PLR0913, PLR0917  # the two sides, and how they are held against each other
    kind: str,
    name: str,
    position: int,
    old: Trace | None,
    new: Trace | None,
    ruler: _Ruler,
    plural: bool,  # noqa: FBT001
) -> Iterator[BlockChange]:
    """One entry per input for which the block changed."""
    if old is None or new is None:
        there = [MISSING if side is None else "ran" for side in (old, new)]
        yield BlockChange(kind, name, position, None, (Change((), *there),))
        return
    several = max(len(old.executions), len(new.executions)) > 1
    loop = old.loop or new.loop
    for at, (before, after) in enumerate(zip_longest(old.executions, new.executions, fillvalue=())):
        above: Path = ("blocks", name, "outputs", at) if plural else ("blocks", name, "output")
        changes = tuple(_executions(before, after, loop, ruler, above))
        if changes:
            yield BlockChange(kind, name, position, at + 1 if several else None, changes)


def _executions(
    old: Sequence[Execution], new: Sequence[Execution], loop: str, ruler: _Ruler, above: Path
) -> Iterator[Change]:
    """What differs between one input's executions: of a `map` lined up by content, else by number."""
    before = [_told(one, ruler, (*above, at) if loop else above) for at, one in enumerate(old)]
    after = [_told(one, ruler, (*above, at) if loop else above) for at, one in enumerate(new)]
    for change in (
        differences(before, after) if loop == "map" else _by_number(before, after, looped=bool(loop))
    ):
        if not ruler.alike(change):
            yield change


def _by_number(old: list[Any], new: list[Any], *, looped: bool) -> Iterator[Change]:
    for at, (there, here) in enumerate(zip_longest(old, new, fillvalue=MISSING)):
        yield from differences(there, here, (at,) if looped else ())


def _told(one: Execution, ruler: _Ruler, path: Path) -> dict[str, object]:
    """What of an execution counts."""
    if one.error is not None:
        return {"error": one.error}
    return {"output": ruler.reduced(one.value, path)}
