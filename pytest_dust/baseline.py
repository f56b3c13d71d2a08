"""Two runs held against each other: whether what callers see differs, and in which block it began."""

from __future__ import annotations

import gc
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Context, InvalidOperation
from fnmatch import fnmatchcase
from itertools import zip_longest
from typing import Any, NamedTuple, TypeAlias

from pytest_dust.checks import paths
from pytest_dust.checks.alignment import Aligner
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
RAN = "ran"
"""What stands for a block of which only one run has executions, on the side of that run."""
LEFT_OUT = object()
"""What stands in a list for an element that does not count, so that the others keep their places."""


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
    names = dict.fromkeys(trace.name for one in (old, new) for trace in one.run.traces)
    with _without_collector():
        values = tuple(_values(old, new, ruler))
        places = _Places(_last(old.run, new.run), _counted(values), new.plural)
        blocks = tuple(_blocks(old.run, new.run, ruler, places))
        if values and not blocks:  # as what counts stands at a path that is no plain one
            blocks = tuple(_blocks(old.run, new.run, ruler, places._replace(last=())))
        lost = tuple(_lost(old, new, rules))
    return Comparison(recorded_at, values, blocks, len(names), lost=lost)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Keep Python's collector from its rounds: of a large run they are half the time, and find nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


# ── the rules ────────────────────────────────────────────────────────────────────────────────────

_TOP = ("status", "error", "result", "results", "blocks", "usage", "duration", "specification_hash", "run_id")
_WILD = frozenset("*?[")
EACH = (("outputs",), ("errors",))
"""What the run view shows of a block for each input."""


class _Ignored(dict[str, "_Ignored | None"]):
    """What is left out below some place, by the next step down: None where all of that is left out.

    Its patterns are steps, and whether they hold wherever they stand. What a step leads to is found once.
    """

    def __init__(self, patterns: tuple[tuple[tuple[str, ...], bool], ...]) -> None:
        super().__init__()
        self.patterns = patterns

    def __missing__(self, step: str) -> _Ignored | None:
        fitting = [steps for steps, _ in self.patterns if _fits(step, steps[0])]
        self[step] = None if any(len(steps) == 1 for steps in fitting) else self.past(step)
        return self[step]

    def past(self, step: str) -> _Ignored:
        """What is left out below a step that itself is not."""
        return _Ignored(
            tuple(
                (steps, anywhere) if anywhere else (steps[1:], False)
                for steps, anywhere in self.patterns
                if anywhere or (len(steps) > 1 and _fits(step, steps[0]))
            )
        )

    @property
    def numbers(self) -> bool:
        """Whether it matters which element of a list is meant."""
        firsts = [steps[0] for steps, _ in self.patterns]
        return any(first.isdigit() or (first != "*" and _wild(first)) for first in firsts)


class _Ruler:
    """The rules, ready to measure with."""

    def __init__(self, rules: Baseline) -> None:
        self.rules = rules
        self._top = _Ignored(
            tuple((steps, len(steps) == 1 and steps[0] not in _TOP) for steps in rules.ignore)
        )
        self._round = None if rules.significant_digits is None else Context(rules.significant_digits)
        self._aligner = Aligner()
        self._known: dict[Hashable, tuple[Any, Any, tuple[Change, ...]]] = {}

    def leaves_out(self, path: Path) -> bool:
        """Whether a path of the run view is left out, itself or with one above it that is not the topmost."""
        return any(
            2 <= len(steps) <= len(path) and all(map(_fits, map(str, path), steps))
            for steps in self.rules.ignore
        )

    def ignored(self, *paths: Path) -> _Ignored:
        """What is left out of a value that stands at each of these paths of the run view."""
        found: list[tuple[tuple[str, ...], bool]] = []
        for path in paths:
            at = self._top
            for step in path:
                at = at.past(str(step))
            found += at.patterns
        return _Ignored(tuple(dict.fromkeys(found)))

    def changes(self, old: Any, new: Any, ignored: _Ignored) -> tuple[Change, ...]:
        """Where two values differ by more than the rules allow; measured once, wherever they are seen."""
        key = (id(old), id(new), frozenset(ignored.patterns))
        if key not in self._known:  # the values are kept with it, as long as their ids must stand for them
            reduced = (self.reduced(old, ignored), self.reduced(new, ignored))
            self._known[key] = (old, new, tuple(self.differences(*reduced)))
        return self._known[key][2]

    def differences(self, old: Any, new: Any) -> Iterator[Change]:
        """Where two reduced values differ, but for texts that are as good as the same."""
        alike = None if self.rules.similar is None else self._alike
        found = differences(old, new, unordered=self.rules.unordered, aligner=self._aligner, alike=alike)
        return _counting(found) if self.rules.ignore else found

    def reduced(self, value: Any, ignored: _Ignored) -> Any:
        """The value without what is left out of it, its numbers rounded."""
        if isinstance(value, str) or value is None or not (ignored.patterns or self._round):
            return value
        if isinstance(value, Mapping):
            return {
                key: self.reduced(each, below)
                for key, each in value.items()
                if (below := ignored[key]) is not None
            }
        if isinstance(value, list | tuple):
            return self._elements(value, ignored)
        if self._round and isinstance(value, float | int) and not isinstance(value, bool):
            return _rounded(value, self._round)
        return value

    def _elements(self, values: Sequence[Any], ignored: _Ignored) -> list[Any]:
        if ignored.numbers:
            each = ((one, ignored[str(at)]) for at, one in enumerate(values))
            kept = [LEFT_OUT if below is None else self.reduced(one, below) for one, below in each]
            while kept and kept[-1] is LEFT_OUT:  # nobody's place hangs on it
                kept.pop()
            return kept
        below = ignored["0"]  # what holds for one element holds for all
        return [] if below is None else [self.reduced(one, below) for one in values]

    def _alike(self, old: object, new: object) -> bool:
        """Whether two values are texts that are as good as the same."""
        least = self.rules.similar or 0
        return isinstance(old, str) and isinstance(new, str) and likeness(old, new, least) >= least


def _counting(changes: Iterable[Change]) -> Iterator[Change]:
    """The changes of what counts, without what is left out of it."""
    for change in changes:
        old, new = _real(change.old), _real(change.new)
        if old is not MISSING or new is not MISSING:
            yield Change(change.path, old, new)


def _real(value: Any) -> Any:
    """The value without the elements that are left out of it; MISSING for one of them."""
    if isinstance(value, dict):
        return {key: _real(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_real(each) for each in value if each is not LEFT_OUT]
    return MISSING if value is LEFT_OUT else value


def _fits(step: str, pattern: str) -> bool:
    return step == pattern or (_wild(pattern) and fnmatchcase(step, pattern))


def _wild(pattern: str) -> bool:
    return not _WILD.isdisjoint(pattern)


def _rounded(number: float, context: Context) -> float:
    try:
        return float(context.create_decimal(repr(number)))
    except (InvalidOperation, OverflowError, ValueError):
        return number


# ── what callers see ─────────────────────────────────────────────────────────────────────────────


def _values(old: Seen, new: Seen, ruler: _Ruler) -> Iterator[Change]:
    """The changes that count: of the status, the failing block's error, and what is compared."""
    compared = ruler.rules.compare or ("results" if new.plural else "result",)
    for path in ("status", "error", *compared):
        steps = paths.plain_path(path)
        both = _found(path, old.view), _found(path, new.view)
        for place, there, here in _by_input(steps, *both):
            if not ruler.leaves_out(place):
                for change in ruler.changes(there, here, ruler.ignored(place)):
                    yield Change((*(place or (path,)), *change.path), change.old, change.new)


def _by_input(steps: Path, old: object, new: object) -> Iterator[tuple[Path, object, object]]:
    """Two values of the run view and their path; each input's own where there is one for each.

    Inputs stand in their order, which counts where that of other lists does not.
    """
    each = steps == ("results",) or (steps[:1] == ("blocks",) and steps[2:] in EACH)
    if not (each and isinstance(old, list) and isinstance(new, list)):
        yield steps, old, new
        return
    for at, (there, here) in enumerate(zip_longest(old, new, fillvalue=MISSING)):
        yield (*steps, at), there, here


def _counted(values: Iterable[Change]) -> frozenset[Path]:
    """The paths at which, or below which, something changed that counts."""
    return frozenset(change.path[:length] for change in values for length in range(1, 5))


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


class _Places(NamedTuple):
    """Where the run view shows what blocks give."""

    last: tuple[Block, ...]
    """The blocks that give the result of either run."""
    counted: frozenset[Path]
    """Where something changed that counts."""
    plural: bool

    def of(self, block: Block, at: int) -> list[Path]:
        """The paths of a block's output for one input: its own, and the result's if the block gives it.

        Where something counts at one of them, that one alone: what is left out of the other may be it.
        """
        rest: Path = (at,) if self.plural else ()
        s = "s" * self.plural
        paths: list[Path] = [("blocks", block[1], f"output{s}", *rest)]
        if block in self.last:
            paths.append((f"result{s}", *rest))
        return [path for path in paths if path in self.counted][:1] or paths


def _last(*runs: Run) -> tuple[Block, ...]:
    """The block of each run that gives its result."""
    return tuple((run.traces[-1].type, run.traces[-1].name) for run in runs if run.traces)


def _blocks(old: Run, new: Run, ruler: _Ruler, places: _Places) -> Iterator[BlockChange]:
    """The blocks that changed, in the order in which they did; per input, the first is the cause."""
    before, after = _by_block(old), _by_block(new)
    order = _in_order(list(before), list(after))
    positions = {name: at for at, name in enumerate(dict.fromkeys(name for _, name in order), 1)}
    changed = [
        change
        for block in order
        for change in _block(block, positions[block[1]], (before.get(block), after.get(block)), ruler, places)
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


def _block(
    block: Block, position: int, sides: tuple[Trace | None, Trace | None], ruler: _Ruler, places: _Places
) -> Iterator[BlockChange]:
    """One entry per input for which the block changed."""
    old, new = sides
    if old is None or new is None:
        there = [MISSING if side is None else RAN for side in sides]
        yield BlockChange(*block, position, None, (Change((), *there),))
        return
    several = max(len(old.executions), len(new.executions)) > 1
    loop = old.loop or new.loop
    for at, (before, after) in enumerate(zip_longest(old.executions, new.executions, fillvalue=())):
        paths = places.of(block, at)
        if any(map(ruler.leaves_out, paths)):
            continue
        if changes := tuple(_executions(before, after, loop, ruler, ruler.ignored(*paths))):
            yield BlockChange(*block, position, at + 1 if several else None, changes)


def _executions(
    old: Sequence[Execution], new: Sequence[Execution], loop: str, ruler: _Ruler, ignored: _Ignored
) -> Iterator[Change]:
    """What differs between one input's executions: of a `map` lined up by content, else by number."""
    if loop == "map":
        yield from ruler.differences(*([*_told(side, ruler, ignored)] for side in (old, new)))
        return
    for at, (there, here) in enumerate(zip_longest(old, new, fillvalue=None)):
        below = ignored[str(at)] if loop else ignored
        if below is not None:
            yield from _execution(there, here, ruler, below, (at,) if loop else ())


def _told(executions: Sequence[Execution], ruler: _Ruler, ignored: _Ignored) -> Iterator[object]:
    """What of a loop's executions counts."""
    for at, one in enumerate(executions):
        below = ignored[str(at)]
        yield LEFT_OUT if below is None else _content(one, ruler, below)


def _execution(
    old: Execution | None, new: Execution | None, ruler: _Ruler, ignored: _Ignored, path: Path
) -> Iterator[Change]:
    """What differs between two executions, or is of one where there is no other."""
    if old and new and old.error is None and new.error is None:
        path = (*path, "output")
        changes: Iterable[Change] = ruler.changes(old.value, new.value, ignored)
    else:
        both = (MISSING if one is None else _content(one, ruler, ignored) for one in (old, new))
        changes = ruler.differences(*both)
    for change in changes:
        yield Change((*path, *change.path), change.old, change.new)


def _content(one: Execution, ruler: _Ruler, ignored: _Ignored) -> dict[str, object]:
    """What of an execution counts."""
    return {"output": ruler.reduced(one.value, ignored)} if one.error is None else {"error": one.error}
