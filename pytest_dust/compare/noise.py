"""Name the block in which a change begins, from several runs of both versions of an app whose answers vary.

Each block's outputs are read as leaves (`leaves.py`), and each expectation is one more leaf of its block. At
each leaf, a statistic says by how much more runs differ between the versions than within them. A leaf is sure
to have changed by one of two rules:

- A permutation test. The runs are assigned to the versions in other ways; for each of these splits, the
  largest statistic of all leaves of all blocks is taken. The leaf's own statistic must be among the largest
  of these: mid-p at most LEVEL. As each split counts with its largest leaf, the rate of naming any block by
  accident is below .01 in all, however many blocks and leaves vary.
- A rule for blocks that do not vary within either version, as the test is never sure of few runs: with 3
  and 3 it cannot go below .1. The leaf has one value in all old runs and another in all new ones, and there
  are at least FEWEST runs of each version. A leaf that takes two values at random passes it by accident
  at a rate of at most 2 ** (1 - number of runs): .03 for 3 and 3 runs, if both values are equally frequent
  (.0002 if one of them comes in 5 % of runs).

The first such leaf in execution order names the block.
"""

from __future__ import annotations

from functools import reduce
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_dust import paths
from pytest_dust.compare import volatile
from pytest_dust.compare.baseline import KEEP, Block, in_order, start_positions
from pytest_dust.compare.diff_rules import DiffRules
from pytest_dust.compare.leaves import Leaf, LeafReader, by_label
from pytest_dust.compare.left_out import Parts
from pytest_dust.compare.versions import Versions, mid_p
from pytest_dust.compare.volatile import Volatile

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from pytest_dust.compare.left_out import LeftOut, Pattern, Patterns
    from pytest_dust.compare.versions import Distances
    from pytest_dust.model import Attempt, Baseline, Execution, Failure, Path, Run, Trace

LEVEL = 0.008
"""Maximum mid-p of a change that is sure; 5 of 6 against 0 of 6 has .0076."""
FEWEST = 3
"""Minimum number of runs of each version by which a block that does not vary can be sure to have changed."""
MAX_LEAVES = 100
"""Maximum number of leaves with different distances that are tested, shared among the blocks."""
MAX_PARTS = 100_000
"""Maximum number of parts of outputs that are compared, shared among the blocks and runs."""
AFTER_ALL = 1_000_000
"""The iteration of an expectation: it is judged after all iterations."""
NOT_OUTPUT = ("usage", "duration")
"""Parts of a block in the run view that are no output; expectations on them are not looked at."""


class Beginning(NamedTuple):
    """The block in which a change begins, and in how many of the new attempts it shows."""

    name: str
    type: str
    attempts: int
    """Number of new attempts in which the block's output is unlike the old version's."""
    of: int
    """Number of new attempts."""


class _Tested(NamedTuple):
    """A leaf of a block, with the iteration it is of; 0 outside of loops."""

    block: Block
    iteration: int
    leaf: Leaf


def beginning(old: Sequence[Attempt], new: Sequence[Attempt], rules: Baseline) -> Beginning | None:
    """Return the first block that is sure to have changed between two versions; None if no block is."""
    if not old or not new:
        return None
    order = _order([one.run for one in old], [one.run for one in new])
    versions = Versions(len(old), len(new))
    sure = _sure(_bounded(_by_block((*old, *new), order, rules)), versions)
    if not sure:
        return None
    positions = start_positions(order)
    times = [(positions[one.block], one.iteration, order.index(one.block)) for one in sure]
    first = [one for one, time in zip(sure, times, strict=True) if time == min(times)]
    clearest = max(first, key=lambda one: versions.statistic(one.leaf.distances))
    kind, name = clearest.block
    return Beginning(name, kind, versions.unlike(clearest.leaf.distances), len(new))


def _order(*versions: Sequence[Run]) -> list[Block]:
    """The blocks of all runs in execution order; the order of the runs of a version does not matter."""
    found = [sorted({tuple(_blocks(run)) for run in runs}, key=_length_first) for runs in versions]
    return reduce(in_order, map(list, chain(*found)), [])


def _length_first(blocks: tuple[Block, ...]) -> tuple[int, tuple[Block, ...]]:
    return len(blocks), blocks


def _blocks(run: Run) -> list[Block]:
    """The blocks of a run, with those of which it has only a status."""
    return in_order(
        [(one.type, one.name) for one in run.statuses], [(one.type, one.name) for one in run.traces]
    )


# ── the leaves of all blocks ─────────────────────────────────────────────────────────────────────


def _bounded(blocks: Iterable[Iterator[_Tested]]) -> list[_Tested]:
    """The leaves of all blocks, up to MAX_LEAVES different ones: the first of each block, then the second."""
    kept: list[_Tested] = []
    different: set[Distances] = set()
    for one in chain.from_iterable(zip_longest(*blocks)):
        if one is not None:
            different.add(one.leaf.distances)
            if len(different) > MAX_LEAVES:
                break
            kept.append(one)
    return kept


def _by_block(
    attempts: Sequence[Attempt], order: Sequence[Block], rules: Baseline
) -> Iterator[Iterator[_Tested]]:
    """For each block, the leaves of its expectations and of its outputs."""
    outputs = _Outputs([one.run for one in attempts], rules)
    reader = LeafReader(rules, MAX_PARTS // (len(order) * len(attempts)) if order else 0)
    expected = _expectations(attempts, order, outputs.lasts)
    for block in order:
        own = (one for one in expected if one.block == block)
        yield chain(own, _of_outputs(block, reader.leaves(outputs.values(block), outputs.left_out(block))))


def _of_outputs(block: Block, leaves: Iterator[Leaf]) -> Iterator[_Tested]:
    for leaf in leaves:
        iteration = leaf.path[1] if len(leaf.path) > 1 else 0
        yield _Tested(block, iteration if isinstance(iteration, int) else 0, leaf)


class _Outputs:
    """The outputs of a block in all runs, and what is left out of them."""

    def __init__(self, runs: Sequence[Run], rules: Baseline) -> None:
        patterns = () if rules.volatile == KEEP else dict.fromkeys(chain(*map(_volatile, runs)))
        self._rules = DiffRules(rules, Volatile(tuple(patterns)))
        self._traces = [{(trace.type, trace.name): trace for trace in run.traces} for run in runs]
        self._statuses = [{(one.type, one.name): one.status for one in run.statuses} for run in runs]
        self.lasts = {(run.traces[-1].type, run.traces[-1].name) for run in runs if run.traces}
        """The last block of each run, whose output is the result."""

    def values(self, block: Block) -> list[Any]:
        """A block's outputs and errors by input and iteration, for each run; its status if it has none."""
        found = zip(self._traces, self._statuses, strict=True)
        return [
            _by_input(traces[block]) if block in traces else statuses.get(block) for traces, statuses in found
        ]

    def left_out(self, block: Block) -> list[LeftOut]:
        """What is left out of these, for each run."""
        traces = [found.get(block) for found in self._traces]
        return [Parts({} if trace is None else self._of_inputs(block, trace)) for trace in traces]

    def _of_inputs(self, block: Block, trace: Trace) -> dict[str | int, LeftOut | None]:
        """What is left out of the executions for each input; the names for one input and for several hold."""
        found: dict[str | int, LeftOut | None] = {}
        for at, row in enumerate(trace.executions):
            places: list[Path] = [("blocks", block[1], "output"), ("blocks", block[1], "outputs", at)]
            if block in self.lasts:
                places += [("result",), ("results", at)]
            patterns = self._rules.below(*places)
            each = (patterns.below(iteration) if trace.loop else patterns for iteration in range(len(row)))
            whole = any(map(self._rules.leaves_out, places))
            found[at] = None if whole else Parts(dict(enumerate(map(_of_output, each))))
        return found


def _volatile(run: Run) -> Iterable[Pattern]:
    """Patterns for the values of a run that are new in every run."""
    return volatile.between(run, run, plural=True).patterns


def _of_output(left_out: Patterns | None) -> LeftOut | None:
    return None if left_out is None else Parts({"output": left_out})


def _by_input(trace: Trace) -> dict[int, Any]:
    """A block's executions by input and iteration; those of a `map` are a list, whose order may not count."""
    rows = [[_output(one) for one in row] for row in trace.executions]
    return {at: row if trace.loop == "map" else dict(enumerate(row)) for at, row in enumerate(rows)}


def _output(one: Execution) -> dict[str, Any]:
    return {"output": one.value} if one.error is None else {"error": one.error}


def _expectations(
    attempts: Sequence[Attempt], order: Sequence[Block], lasts: Collection[Block]
) -> list[_Tested]:
    """A leaf for each expectation on a block that failed in some of the runs: in which it holds."""
    failed = [{_identity(one) for one in attempt.failures if one.path} for attempt in attempts]
    found = []
    for expectation in sorted(set().union(*failed)):
        block = _owner(expectation[0], order, lasts)
        distances = by_label([expectation in each for each in failed])
        if block and distances:
            found.append(_Tested(block, AFTER_ALL, Leaf((), is_value=False, distances=distances)))
    return found


def _identity(failure: Failure) -> tuple[str, int, str]:
    return failure.path, failure.line, failure.expected.name


def _owner(path: str, order: Sequence[Block], lasts: Collection[Block]) -> Block | None:
    """The last of the blocks whose outputs an expectation is about; None if it is about no block's output."""
    names = {steps[1] for steps in paths.beginnings(path) if _is_output(steps)}
    of_result = any(steps[0] in ("result", "results") for steps in paths.beginnings(path))
    owners = [block for block in order if block[1] in names or (of_result and block in lasts)]
    return owners[-1] if owners else None


def _is_output(steps: paths.Steps) -> bool:
    """True if a path leads to a block, but not to a part of it that is no output."""
    return steps[0] == "blocks" and len(steps) > 1 and steps[2:3] not in [(name,) for name in NOT_OUTPUT]


# ── which leaves changed ─────────────────────────────────────────────────────────────────────────


def _sure(leaves: Sequence[_Tested], versions: Versions) -> list[_Tested]:
    """The leaves that are sure to have changed."""
    different = list(dict.fromkeys(one.leaf.distances for one in leaves))
    largest = versions.largest(different)
    changed = {each for each in different if mid_p(versions.statistic(each), largest) <= LEVEL}
    noisy = {one.block for one in leaves if one.leaf.is_value and versions.is_noise(one.leaf.distances)}
    apart = {each for each in different if versions.fewest >= FEWEST and versions.are_apart(each)}
    return [
        one
        for one in leaves
        if one.leaf.distances in changed or (one.leaf.distances in apart and one.block not in noisy)
    ]
