"""Make a case's record from what ran and what was found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from pytest_dust.compare import repeats
from pytest_dust.dust.run_view import error, view
from pytest_dust.masking import Mask
from pytest_dust.model import (
    MISSING,
    Attempt,
    BlockChange,
    BlockStatus,
    Case,
    Change,
    Comparison,
    Failure,
    Outcome,
    Source,
    Tokens,
)
from pytest_dust.report.record import (
    AttemptRecord,
    BlockChangeRecord,
    BlockDriftRecord,
    BlockRecord,
    CaseRecord,
    ChangeRecord,
    ComparisonRecord,
    DriftRecord,
    FailureRecord,
    RunSource,
    SpreadRecord,
    Verdict,
)

if TYPE_CHECKING:
    from pytest_dust.compare import drift


def with_request(record: CaseRecord, case: Case, mask: Mask) -> CaseRecord:
    """The record with what the case asks, masked."""
    asked = mask.value({"inputs": case.inputs, "config": case.config})
    inputs = asked["inputs"] if case.plural else asked["inputs"][0]
    return replace(record, inputs=inputs, plural=case.plural, config=asked["config"])


def with_outcome(record: CaseRecord, outcome: Outcome, *, fresh: bool, detailed: bool = False) -> CaseRecord:
    """The record of a case that ran; `fresh` if the settings turn the service's cache off.

    With `detailed`, the record has the blocks and the result of each attempt.
    """
    record_of = partial(_detailed, plural=record.plural) if detailed else attempt_record
    return replace(
        record,
        source=RunSource(outcome.source),
        verdict=_verdict(outcome),
        attempts=tuple(map(record_of, outcome.attempts)),
        repeat=outcome.repeat,
        spread=_spread(outcome),
        tokens=outcome.tokens,
        waited=outcome.waited,
        fails_on_change=outcome.fails_on_change,
        cached=outcome.cached,
        fresh=fresh or outcome.repeat is not None,
    )


def _spread(outcome: Outcome) -> SpreadRecord | None:
    """What the attempts of a repeated case come to."""
    if outcome.verdict is None:
        return None
    count, passed, why = outcome.verdict.counted, outcome.passed, outcome.verdict.why
    if why and outcome.verdict.passed is not None:
        why = f"stopped because {why}"
    return SpreadRecord(count, passed, *repeats.interval(passed, count), why)


def with_trouble(record: CaseRecord, message: str, spent: Tokens, source: RunSource) -> CaseRecord:
    """The record of a case that has no outcome; `spent` are the tokens of runs that were made for it."""
    return replace(record, verdict=Verdict.TROUBLE, message=message, tokens=spent, source=source)


def source_without_outcome(source: Source | None, *, recorded: bool) -> RunSource:
    """What became of a case without an outcome; `source` is that of its runs, None if it has none."""
    if source is None:
        return RunSource.WITHOUT_A_RUN
    if source is Source.RECORDED and not recorded:
        return RunSource.NOT_RECORDED
    return RunSource(source) if recorded else RunSource.NOT_JUDGED


def _verdict(outcome: Outcome) -> Verdict:
    if not outcome.holds:
        return Verdict.FAILED
    return Verdict.CHANGED if outcome.fails_on_change and outcome.changed else Verdict.PASSED


def with_drift(record: DriftRecord, verdict: drift.Verdict) -> DriftRecord:
    """The record of an app with the verdict on its drift."""
    blocks = None if verdict.blocks is None else tuple(map(_drifted, verdict.blocks))
    return replace(record, drifted=verdict.drifted, known=verdict.known, blocks=blocks)


def _drifted(block: drift.BlockDrift) -> BlockDriftRecord:
    return BlockDriftRecord(block.type, block.name, block.kind, change_records(block.changes))


def attempt_record(attempt: Attempt) -> AttemptRecord:
    """The record of one run."""
    run = attempt.run
    return AttemptRecord(
        run_id=run.id,
        specification_hash=run.specification_hash,
        status=run.status,
        error=error(run),
        duration=run.duration,
        tokens=attempt.tokens,
        failures=tuple(map(_failure, attempt.failures)),
        failure_count=len(attempt.failures),
        comparison=None if attempt.comparison is None else comparison_record(attempt.comparison),
    )


def _detailed(attempt: Attempt, *, plural: bool) -> AttemptRecord:
    """The record of one run, with its blocks and its result."""
    seen = view(attempt.run, plural=plural)
    times = {(each.type, each.name): each for each in attempt.run.statuses}
    blocks = (
        _block_record(name, block, times.get((block["type"], name))) for name, block in seen["blocks"].items()
    )
    result = seen["results"] if plural else seen["result"]
    return replace(attempt_record(attempt), blocks=tuple(blocks), result=result)


def _block_record(name: str, block: Mapping[str, Any], times: BlockStatus | None) -> BlockRecord:
    """The record of one block of the run view."""
    return BlockRecord(
        type=block["type"],
        name=name,
        status=block["status"],
        iterations=block.get("iterations"),
        output=block.get("output", block.get("outputs")),
        error=block.get("error", block.get("errors")),
        usage=block.get("usage", {}),
        started=times.started if times else None,
        duration=block.get("duration"),
    )


def comparison_record(comparison: Comparison) -> ComparisonRecord:
    """The record of a comparison with a recording."""
    first = next(iter(comparison.blocks), None) if comparison.changed else None
    return ComparisonRecord(
        begins_in=f"{first.name} ({first.type})" if first else "",
        recorded_at=comparison.recorded_at,
        values=change_records(comparison.values),
        count=len(comparison.values),
        blocks=tuple(map(_block, comparison.blocks)),
        block_total=comparison.total,
        not_compared=comparison.not_compared,
        left_out=comparison.left_out,
    )


def _block(block: BlockChange) -> BlockChangeRecord:
    changes = change_records(block.changes)
    return BlockChangeRecord(
        block.type, block.name, block.position, block.input, block.cause, changes, len(changes)
    )


def _failure(failure: Failure) -> FailureRecord:
    found = failure.actual is not MISSING
    return FailureRecord(
        path=failure.path,
        expected=failure.expected,
        actual=failure.actual if found else None,
        found=found,
        note=failure.note,
        changes=change_records(failure.changes),
        count=len(failure.changes),
        line=failure.line,
    )


def change_records(changes: Iterable[Change]) -> tuple[ChangeRecord, ...]:
    """The records of differing places."""
    return tuple(map(_change, changes))


def _change(change: Change) -> ChangeRecord:
    if change.old is MISSING:
        return ChangeRecord(change.path, None, change.new, "added")
    if change.new is MISSING:
        return ChangeRecord(change.path, change.old, None, "removed")
    return ChangeRecord(change.path, change.old, change.new)
