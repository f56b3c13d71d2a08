"""Bound a record's size: a session keeps the records of all its cases, and some answers are large."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar

from pytest_dust.masking import Mask
from pytest_dust.model import Expected
from pytest_dust.report.record import (
    AttemptRecord,
    BlockChangeRecord,
    CaseRecord,
    ChangeRecord,
    ComparisonRecord,
    FailureRecord,
)
from pytest_dust.report.values import first_difference, shallow

_T = TypeVar("_T")
MAX_TEXT = 20_000
"""Characters of a text that are kept; of a longer one, the part that differs."""
MAX_VALUE = 2_000
"""Characters of a mapping's or a list's JSON that are kept."""
BEFORE = 1_000
"""Characters kept before the place where two long texts begin to differ."""
MAX_CHANGES = 50
"""Changes of one block, of one expectation or of the results that are kept; all are counted."""
MAX_FAILURES = 50
"""Failed expectations of one attempt that are kept; all are counted."""


def kept(record: CaseRecord, mask: Mask) -> CaseRecord:
    """The record as a session keeps it: bounded, with all secrets in its texts masked."""
    if not (record.failed_or_changed or record.description):
        return record  # as most are: it holds nothing large, and no text of an answer
    return with_texts(bounded(record), mask.text)


def with_texts(record: _T, change: Callable[[str], str]) -> _T:
    """The record with every text in it changed by a function, and what else it holds as it was."""
    changed: _T = _changed(record, change)
    return changed


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(name): _changed(each, change) for name, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        parts = {each.name: _changed(getattr(value, each.name), change) for each in fields(value)}
        return replace(value, **parts)
    if isinstance(value, list | tuple):
        return type(value)([_changed(each, change) for each in value])
    return value


def bounded(record: CaseRecord) -> CaseRecord:
    """The record with long values cut and long lists of changes shortened; counts stay as they are."""
    return replace(record, attempts=tuple(map(_attempt, record.attempts)))


def _attempt(attempt: AttemptRecord) -> AttemptRecord:
    comparison = attempt.comparison
    return replace(
        attempt,
        failures=tuple(map(_failure, attempt.failures[:MAX_FAILURES])),
        comparison=None if comparison is None else _comparison(comparison),
    )


def _comparison(comparison: ComparisonRecord) -> ComparisonRecord:
    return replace(
        comparison,
        values=_changes(comparison.values),
        blocks=tuple(map(_block, comparison.blocks)),
    )


def _block(block: BlockChangeRecord) -> BlockChangeRecord:
    return replace(block, changes=_changes(block.changes))


def _failure(failure: FailureRecord) -> FailureRecord:
    length = _length(failure.actual)
    return replace(
        failure,
        expected=_expected(failure.expected),
        actual=_value(failure.actual),
        length=length if length > MAX_TEXT else None,
        changes=_changes(failure.changes),
    )


def _expected(expected: Expected) -> Expected:
    return Expected(expected.name, _value(expected.written), tuple(map(_expected, expected.inner)))


def _changes(changes: Sequence[ChangeRecord]) -> tuple[ChangeRecord, ...]:
    return tuple(map(_change, changes[:MAX_CHANGES]))


def _change(change: ChangeRecord) -> ChangeRecord:
    lengths = _length(change.old), _length(change.new)
    if max(lengths) <= MAX_TEXT:
        return replace(change, old=_value(change.old), new=_value(change.new))
    start = 0
    if isinstance(change.old, str) and isinstance(change.new, str):
        start = max(0, first_difference(change.old, change.new) - BEFORE)
    return replace(change, old=_value(change.old, start), new=_value(change.new, start), lengths=lengths)


def _value(value: Any, start: int = 0) -> Any:
    return value[start : start + MAX_TEXT] if isinstance(value, str) else shallow(value, MAX_VALUE)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str) else 0
