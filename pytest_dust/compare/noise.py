"""Name the block in which a change begins, from several runs of both versions of an app whose answers vary.

Each block's outputs are read as features (`features.py`): what some runs have and others have not. To fail
an expectation is one more feature of its block, and so is not to have a feature. A feature has changed by one
of three rules:

- It is the failure of an expectation, and more frequent in the new version: permutation test, mid-p at most
  FAILURE_LEVEL, over the failures of all expectations together.
- It is more frequent in the new version: permutation test, mid-p at most LEVEL, over all features of all
  blocks together, so that the rate of naming any block by accident is below .01 however many vary.
- All new runs have it and no old run has it, there are at least FEWEST runs of each version, and no other
  feature of its block varies. Tests are never sure of so few runs. A feature that comes at random
  in half of the runs passes this rule at a rate of 2 ** (1 - number of runs): .03 for 3 and 3 runs.

The first block in execution order is named that has a changed feature, or any feature that the very same runs
have: where an expectation fails in exactly the runs that lack the label `billing`, the change begins in the
block that gives the label, not in the one that the expectation is about.

With 6 and 6 runs of an app in which several blocks vary and a label is wrong now and then, equally often in
both versions, a block was named in at most 1.5 % of simulated cases, a wrong one in less than 1 %.
"""

from __future__ import annotations

from collections import defaultdict
from functools import reduce
from itertools import chain, zip_longest
from math import inf
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from pytest_dust import paths
from pytest_dust.compare import volatile
from pytest_dust.compare.baseline import KEEP, Block, in_order, start_positions
from pytest_dust.compare.diff_rules import DiffRules
from pytest_dust.compare.features import FEWEST, FeatureReader, Part
from pytest_dust.compare.left_out import NOTHING
from pytest_dust.compare.versions import Versions
from pytest_dust.compare.volatile import Volatile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_dust.compare.left_out import Pattern
    from pytest_dust.compare.versions import Runs
    from pytest_dust.model import Attempt, Baseline, Path, Run, Trace

LEVEL = 0.008
"""Maximum mid-p of a change of any feature; 5 of 6 against 0 of 6 has .0076."""
FAILURE_LEVEL = 0.016
"""Maximum mid-p of a rise of failures; 6 of 6 against 2 of 6 has .0152, which comes by accident in 1 %."""
MAX_FEATURES = 200
"""Maximum number of different features that are tested, shared among the blocks."""
MAX_PARTS = 4_000
"""Maximum number of parts of the outputs of a run that are compared, shared among the blocks."""
NOT_OUTPUT = ("usage", "duration")
"""Parts of a block in the run view that are no output; expectations on them are not looked at."""

_Expectation: TypeAlias = "tuple[str, int, str]"
"""An expectation's path, line and matcher."""


class Beginning(NamedTuple):
    """The block in which a change begins, and in how many of the new attempts it shows."""

    name: str
    type: str
    attempts: int
    """Number of new attempts in which the block's output is unlike the old version's."""
    of: int
    """Number of new attempts."""


class _Feature(NamedTuple):
    """A feature of a block, its iteration (0 outside of loops), and the runs that have it."""

    block: Block
    iteration: float
    runs: Runs


def beginning(old: Sequence[Attempt], new: Sequence[Attempt], rules: Baseline) -> Beginning | None:
    """Return the first block that is sure to have changed between two versions; None if no block is."""
    if not old or not new:
        return None
    attempts = [*sorted(old, key=_run_id), *sorted(new, key=_run_id)]
    versions = Versions(len(old), len(new))
    outputs = _Outputs([each.run for each in attempts], rules)
    failed = _failed(attempts)
    features = _bounded(_by_block(outputs, failed, rules, versions.every))
    changed = _changed(features, list(failed.values()), versions)
    if not changed:
        return None
    positions = start_positions(outputs.order)

    def time(one: _Feature) -> tuple[int, float, int]:
        return positions[one.block], one.iteration, outputs.order.index(one.block)

    earliest = min(map(time, changed))
    first = max((one for one in changed if time(one) == earliest), key=lambda one: versions.rise(one.runs))
    kind, name = first.block
    return Beginning(name, kind, (first.runs & versions.news).bit_count(), len(new))


def _run_id(attempt: Attempt) -> str:
    """The sort key of attempts, so that their order in a version does not matter."""
    return attempt.run.id or ""


def _changed(features: Sequence[_Feature], failed: Sequence[Runs], versions: Versions) -> list[_Feature]:
    """The features that have changed, and those that the same runs have."""
    risen = versions.risen({one.runs for one in features}, LEVEL) | versions.risen(failed, FAILURE_LEVEL)
    varying = {one.block for one in features if one.runs not in (versions.news, versions.olds)}
    apart = versions.fewest >= FEWEST
    return [
        one
        for one in features
        if one.runs in risen or (apart and one.runs == versions.news and one.block not in varying)
    ]


# ── the features of all blocks ───────────────────────────────────────────────────────────────────


def _bounded(blocks: Iterable[Iterator[_Feature]]) -> list[_Feature]:
    """The features of all blocks, up to MAX_FEATURES different ones: first one of each block."""
    kept: list[_Feature] = []
    different: set[Runs] = set()
    for one in filter(None, chain(*zip_longest(*blocks))):
        different.add(one.runs)
        if len(different) > MAX_FEATURES:
            break
        kept.append(one)
    return kept


def _by_block(
    outputs: _Outputs, failed: dict[_Expectation, Runs], rules: Baseline, every: Runs
) -> Iterator[Iterator[_Feature]]:
    """For each block, the features of its expectations and of its outputs."""
    reader = FeatureReader(rules, MAX_PARTS // max(len(outputs.order), 1))
    owners = {expectation: _owner(expectation[0], outputs) for expectation in failed}
    for block in outputs.order:
        expected = [((), runs) for expectation, runs in failed.items() if owners[expectation] == block]
        yield _of_block(block, chain(expected, reader.features(outputs.of(block))), every)


def _of_block(block: Block, features: Iterable[tuple[Path, Runs]], every: Runs) -> Iterator[_Feature]:
    """The features of a block, and as many others: not to have the feature."""
    for path, runs in features:
        if runs != every:
            yield _Feature(block, _iteration(path), runs)
            yield _Feature(block, _iteration(path), every ^ runs)


def _iteration(path: Path) -> float:
    """The iteration of a path; an expectation, which has none, comes after all iterations."""
    if not path:
        return inf
    return path[1] if len(path) > 1 and isinstance(path[1], int) else 0


class _Outputs:
    """The outputs of all blocks in all runs."""

    def __init__(self, runs: Sequence[Run], rules: Baseline) -> None:
        patterns = () if rules.volatile == KEEP else dict.fromkeys(chain(*map(_volatile, runs)))
        self._rules = DiffRules(rules, Volatile(tuple(patterns)))
        self._unordered = rules.unordered
        self._traces = [{(trace.type, trace.name): trace for trace in run.traces} for run in runs]
        self._statuses = [{(one.type, one.name): one.status for one in run.statuses} for run in runs]
        self.order: list[Block] = reduce(in_order, map(_blocks, runs))
        """The blocks of all runs in execution order."""
        self.lasts = {(run.traces[-1].type, run.traces[-1].name) for run in runs if run.traces}
        """The last block of each run, whose output is the result."""

    def of(self, block: Block) -> Iterator[Iterator[Part]]:
        """For each run, a block's outputs and errors by input and iteration; its status if it has none."""
        for traces, statuses in zip(self._traces, self._statuses, strict=True):
            if block in traces:
                yield self._executions(block, traces[block])
            else:
                yield iter([Part((), statuses.get(block), NOTHING)])

    def _executions(self, block: Block, trace: Trace) -> Iterator[Part]:
        """The parts of a block's executions that are not left out, by the names for one input or more."""
        for at, row in enumerate(trace.executions):
            places: list[Path] = [("blocks", block[1], "output"), ("blocks", block[1], "outputs", at)]
            if block in self.lasts:
                places += [("result",), ("results", at)]
            if any(map(self._rules.leaves_out, places)):
                continue
            patterns = self._rules.below(*places)
            yield Part((at, "number of executions"), len(row), NOTHING)
            for iteration, one in enumerate(row):
                step = "*" if trace.loop == "map" and self._unordered else iteration
                left_out = patterns.below(iteration) if trace.loop else patterns
                if one.error is not None:
                    yield Part((at, step, "error"), one.error, NOTHING)
                elif left_out is not None:
                    yield Part((at, step, "output"), one.value, left_out)


def _blocks(run: Run) -> list[Block]:
    """The blocks of a run, with those of which it has only a status."""
    return in_order(
        [(one.type, one.name) for one in run.statuses], [(one.type, one.name) for one in run.traces]
    )


def _volatile(run: Run) -> Iterable[Pattern]:
    """Patterns for the values of a run that are new in every run."""
    return volatile.between(run, run, plural=True).patterns


# ── expectations ─────────────────────────────────────────────────────────────────────────────────


def _failed(attempts: Sequence[Attempt]) -> dict[_Expectation, Runs]:
    """The expectations that failed, with the runs in which they did."""
    failed: dict[_Expectation, Runs] = defaultdict(int)
    for at, attempt in enumerate(attempts):
        for one in attempt.failures:
            failed[one.path, one.line, one.expected.name] |= 1 << at
    return failed


def _owner(path: str, outputs: _Outputs) -> Block | None:
    """The last of the blocks whose outputs an expectation is about; None if it is about no block's output."""
    beginnings = paths.beginnings(path) if path else []
    names = {steps[1] for steps in beginnings if _is_output(steps)}
    of_result = any(steps[0] in ("result", "results") for steps in beginnings)
    owners = [one for one in outputs.order if one[1] in names or (of_result and one in outputs.lasts)]
    return owners[-1] if owners else None


def _is_output(steps: paths.Steps) -> bool:
    """True if a path leads to a block, but not to a part of it that is no output."""
    return steps[0] == "blocks" and len(steps) > 1 and steps[2:3] not in [(name,) for name in NOT_OUTPUT]
