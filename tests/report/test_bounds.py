"""What a session keeps of a case's record: bounded, masked, and enough to write every report from."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from conftest import PLAIN_RECORD
from pytest_dust.masking import Mask
from pytest_dust.model import Expected, Status, Tokens
from pytest_dust.report.bounds import MAX_CHANGES, MAX_FAILURES, bounded, kept
from pytest_dust.report.case import case_lines, headline
from pytest_dust.report.record import (
    AttemptRecord,
    BlockChangeRecord,
    CaseRecord,
    ChangeRecord,
    ComparisonRecord,
    FailureRecord,
    Verdict,
)
from pytest_dust.report.record_json import to_json

LONG = "The quick brown fox. " * 50_000
LARGE = {"rows": [{"id": at, "text": "x" * 500} for at in range(20_000)]}
VALUES = {
    "long texts": (LONG, LONG[:500_000] + "jumps" + LONG[500_000:]),
    "a long text and another": (LONG, "short"),
    "long texts from the first character": ("a" + LONG, "b" + LONG),
    "large mappings": (LARGE, {**LARGE, "more": 1}),
    "long keys": ({"k" * 5_000 + str(at): 1 for at in range(2_000)}, {}),
    "short texts": ("billing", "shipping"),
    "numbers": (1, 2),
}


def changed(old: Any, new: Any, count: int = 1) -> CaseRecord:
    """Give the record of a case that failed, with so many changes and failed expectations."""
    changes = tuple(ChangeRecord(("output", f"x{at}"), old, new) for at in range(count))
    block = BlockChangeRecord("llm", "CLASSIFY", 2, None, True, changes, count)
    comparison = ComparisonRecord("2026-11-02T10:00:00Z", changes, count, (block,), 4)
    failure = FailureRecord("result.x", Expected("equals", old), new, found=True)
    attempt = AttemptRecord(
        "r1", "h", Status.SUCCEEDED, None, 1.0, Tokens(3), (failure,) * count, count, comparison
    )
    return replace(PLAIN_RECORD, verdict=Verdict.FAILED, attempts=(attempt,), tokens=Tokens(3))


@pytest.mark.parametrize("pair", VALUES.values(), ids=VALUES)
def test_a_report_is_the_same_from_the_bounded_record(pair):
    """However large the values are, the report and its one line are the same from what is kept."""
    record = changed(*pair)
    assert list(case_lines(bounded(record))) == list(case_lines(record))
    assert headline(bounded(record)) == headline(record)


@pytest.mark.parametrize("pair", VALUES.values(), ids=VALUES)
def test_a_kept_record_is_small(pair):
    """What is kept of a case with 1,000 changes of large values stays below five MB."""
    assert len(json.dumps(to_json(bounded(changed(*pair, count=1_000))))) < 5_000_000


def test_what_is_left_out_is_counted():
    """Of many changes and failures only the first are kept, and all are counted, in the report too."""
    record = changed(1, 2, count=1_000)
    (attempt,) = bounded(record).attempts
    assert attempt.comparison is not None
    (block,) = attempt.comparison.blocks
    assert (len(attempt.failures), attempt.failure_count) == (MAX_FAILURES, 1_000)
    assert (len(attempt.comparison.values), attempt.comparison.count) == (MAX_CHANGES, 1_000)
    assert (len(block.changes), block.count) == (MAX_CHANGES, 1_000)
    assert list(case_lines(bounded(record))) == list(case_lines(record))


@pytest.mark.parametrize(
    "parts",
    [
        {"description": "of s3cret-token"},
        {"message": "no answer for s3cret-token", "verdict": Verdict.TROUBLE},
        {"cached": ("s3cret-token",)},
        {"attempts": changed("a s3cret-token", {"s3cret-token": ["s3cret-token"]}).attempts},
    ],
    ids=lambda parts: next(iter(parts)),
)
def test_no_secret_is_kept(parts):
    """A secret is masked in every text of a kept record, keys of values included."""
    record = kept(replace(PLAIN_RECORD, **parts), Mask(("s3cret-token",)))
    assert "s3cret" not in json.dumps(to_json(record))
    assert "***" in json.dumps(to_json(record))


def test_a_case_that_passed_is_kept_as_it_is():
    """The record of a case with nothing to report is not copied."""
    assert kept(PLAIN_RECORD, Mask(("s3cret-token",))) is PLAIN_RECORD
