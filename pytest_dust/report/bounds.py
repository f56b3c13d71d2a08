"""Bound a record's size: a session keeps the records of all its cases, and some answers are large."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from pytest_dust.cookies import json_text
from pytest_dust.masking import Mask
from pytest_dust.model import Expected
from pytest_dust.report.record import (
    AttemptRecord,
    BlockChangeRecord,
    BlockRecord,
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
AROUND = 1_000
"""Characters kept before and after the parts in which two long texts differ."""
MAX_CHANGES = 50
"""Changes of one block, of one expectation or of the results that are kept; all are counted."""
MAX_OUTPUT = 8_000
"""Characters of the JSON of one block's output, of a result, or of the inputs that are kept."""
MAX_UNCHANGED = 1_500
"""The same for a case that passed and did not change."""
MAX_FAILURES = 50
"""Failed expectations of one attempt that are kept; all are counted."""


def kept(record: CaseRecord, mask: Mask) -> CaseRecord:
    """The record as a session keeps it: bounded, with all secrets in its texts masked."""
    if _is_plain(record):
        return record
    small = bounded(record)
    if record.inputs is not None:  # most of it is texts of the answer, which are masked already
        from pytest_dust.report.record_json import to_json  # msgspec: 14 ms

        if not mask.may_change_texts_in(to_json(small)):
            return small
    return with_texts(small, mask.text)


def _is_plain(record: CaseRecord) -> bool:
    """Whether the record, as most do, holds nothing large, and no text that may hold a secret."""
    if record.failed_or_changed or record.inputs is not None:
        return False
    return not (record.description or record.cached or record.reason)


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
    if isinstance(value, Struct):
        parts = {name: _changed(getattr(value, name), change) for name in value.__struct_fields__}
        return replace(value, **parts)
    if isinstance(value, list | tuple):
        return type(value)([_changed(each, change) for each in value])
    return value


def bounded(record: CaseRecord) -> CaseRecord:
    """The record with long values cut and long lists of changes shortened; counts stay as they are."""
    most = MAX_OUTPUT if record.failed_or_changed else MAX_UNCHANGED
    return replace(
        record,
        attempts=tuple(_attempt(attempt, most) for attempt in record.attempts),
        inputs=_part(record.inputs, most),
        config=_part(record.config, most),
    )


def _attempt(attempt: AttemptRecord, most: int) -> AttemptRecord:
    comparison = attempt.comparison
    return replace(
        attempt,
        failures=tuple(map(_failure, attempt.failures[:MAX_FAILURES])),
        comparison=None if comparison is None else _comparison(comparison),
        blocks=tuple(_block_record(block, most) for block in attempt.blocks),
        result=_part(attempt.result, most),
    )


def _block_record(block: BlockRecord, most: int) -> BlockRecord:
    output, error = _part(block.output, most), _part(block.error, most)
    is_cut = output is not block.output or error is not block.error
    return replace(block, output=output, error=error, is_cut=is_cut)


def _part(value: Any, most: int) -> Any:
    """The value itself if its JSON has at most so many characters, else a part of it."""
    text = json_text(value)
    return value if text is not None and len(text) <= most else shallow(value, most)


def _comparison(comparison: ComparisonRecord) -> ComparisonRecord:
    return replace(
        comparison,
        values=_changes(comparison.values),
        blocks=tuple(map(_block, comparison.blocks)),
    )


def _block(block: BlockChangeRecord) -> BlockChangeRecord:
    return replace(block, changes=_changes(block.changes))


def _failure(failure: FailureRecord) -> FailureRecord:
    expected = failure.expected
    pair = _change(ChangeRecord((), expected.written, failure.actual))
    return replace(
        failure,
        expected=Expected(expected.name, pair.old, tuple(map(_expected, expected.inner))),
        actual=pair.new,
        lengths=pair.lengths,
        changes=_changes(failure.changes),
    )


def _expected(expected: Expected) -> Expected:
    return Expected(expected.name, _value(expected.written), tuple(map(_expected, expected.inner)))


def _changes(changes: Sequence[ChangeRecord]) -> tuple[ChangeRecord, ...]:
    return tuple(map(_change, changes[:MAX_CHANGES]))


def _change(change: ChangeRecord) -> ChangeRecord:
    old, new = change.old, change.new
    lengths = _length(old), _length(new)
    if max(lengths) <= MAX_TEXT:
        return replace(change, old=_value(old), new=_value(new))
    if isinstance(old, str) and isinstance(new, str):
        old, new = _differing_parts(old, new)
    return replace(change, old=_value(old), new=_value(new), lengths=lengths)


def _differing_parts(old: str, new: str) -> tuple[str, str]:
    """The parts of two texts in which they differ, with as many characters around them."""
    start = first_difference(old, new)
    after = first_difference(old[start:][::-1], new[start:][::-1])
    start, after = max(0, start - AROUND), max(0, after - AROUND)
    return old[start : len(old) - after], new[start : len(new) - after]


def _value(value: Any) -> Any:
    return value[:MAX_TEXT] if isinstance(value, str) else shallow(value, MAX_VALUE)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str) else 0
