"""Records of cases and sessions, made of a few values."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from conftest import PLAIN_RECORD
from pytest_dust.model import Expected, Path, Status, Tokens
from pytest_dust.report.record import (
    AttemptRecord,
    BlockChangeRecord,
    CaseOutcome,
    CaseRecord,
    ChangeRecord,
    ComparisonRecord,
    FailureRecord,
    RunSource,
    Selection,
    SessionRecord,
    Verdict,
)

AT = "2026-11-02T10:00:00Z"
TEXT: Path = ("output", "text")
FAILED: dict[str, Any] = {"outcome": CaseOutcome.FAILED}


def block(
    *paths: Path,
    name: str = "A",
    kind: Any = "changed",
    old: Any = "old",
    new: Any = "new",
    of_input: int | None = None,
) -> BlockChangeRecord:
    """A block that changed at these paths."""
    changes = tuple(ChangeRecord(path, old, new, kind) for path in paths)
    return BlockChangeRecord("llm", name, 2, of_input, True, changes, len(changes))


def attempt(
    *failures: FailureRecord, comparison: ComparisonRecord | None = None, **more: Any
) -> AttemptRecord:
    """A run with these failed expectations."""
    plain = AttemptRecord("run1", "h" * 64, Status.SUCCEEDED, None, 0.1, Tokens(3))
    return replace(plain, failures=failures, failure_count=len(failures), comparison=comparison, **more)


def failure(expected: Any = "billing", actual: Any = "shipping", path: str = "result.label") -> FailureRecord:
    """An expectation of equality that does not hold."""
    return FailureRecord(path, Expected("equals", expected), actual, found=True)


def changed(*blocks: BlockChangeRecord, name: str = "c", **more: Any) -> CaseRecord:
    """A case whose run changed in these blocks."""
    comparison = ComparisonRecord(AT, (ChangeRecord(("result",), "old", "new"),), 1, blocks, 4)
    given = {"verdict": Verdict.CHANGED, "attempts": (attempt(comparison=comparison),), **more}
    return replace(PLAIN_RECORD, id=f"a::{name}", **given)


def wrong(name: str = "w", *failures: FailureRecord, **more: Any) -> CaseRecord:
    """A case with a failed expectation, which was not compared."""
    attempts = (attempt(*(failures or (failure(),))),)
    given = {**FAILED, "verdict": Verdict.FAILED, "attempts": attempts, "source": RunSource.REPLAYED, **more}
    return replace(PLAIN_RECORD, id=f"a::{name}", **given)


def trouble(message: str, name: str = "t", **more: Any) -> CaseRecord:
    """A case without a verdict."""
    given = {**FAILED, "message": message, "verdict": Verdict.TROUBLE, **more}
    return replace(PLAIN_RECORD, id=f"a::{name}", **given)


def passed(name: str = "p", **more: Any) -> CaseRecord:
    """A case that passed."""
    return replace(PLAIN_RECORD, id=f"a::{name}", attempts=(attempt(),), **more)


def session(*cases: CaseRecord, **more: Any) -> SessionRecord:
    """A session with these cases, all of them selected."""
    plain = SessionRecord("live", "/work", cases=cases, selection=Selection(len(cases)))
    failed = any(case.outcome is CaseOutcome.FAILED for case in cases)
    return replace(plain, started_at="2026-11-26T10:00:00+00:00", exit_status=int(failed), **more)
