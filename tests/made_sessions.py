"""Records of cases and sessions, made by hand."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from conftest import PLAIN_RECORD, SUPPORT
from pytest_dust.model import Expected, Rates, Repeat, Status, Tokens
from pytest_dust.report.record import (
    AttemptRecord,
    BlockChangeRecord,
    BlockRecord,
    CaseOutcome,
    CaseRecord,
    ChangeRecord,
    ComparisonRecord,
    FailureRecord,
    GateCaseRecord,
    GateRecord,
    GateVerdict,
    SessionRecord,
    SpreadRecord,
    Verdict,
)

AT = "2026-11-02T10:00:00Z"
HASH = "8c0a4e6d"
CAUSE = ("llm", "CLASSIFY")


def session(*cases: CaseRecord, **more: Any) -> SessionRecord:
    """Give a session of these cases."""
    return SessionRecord("live", ".", cases=cases, started_at=AT, made_by="pytest-dust 0", **more)


def case(name: str = "refund", file: str = "answer.dust.yaml", **more: Any) -> CaseRecord:
    """Give a case that passed."""
    default: dict[str, Any] = {
        "id": f"{file}::{name}",
        "file": file,
        "line": 3,
        "app": SUPPORT,
        "command": f"pytest {file}::{name}",
        "attempts": (attempt(),),
        "inputs": {"question": "Where is my refund?"},
    }
    return replace(PLAIN_RECORD, **(default | more))


def attempt(**more: Any) -> AttemptRecord:
    """Give a run that met all expectations."""
    default: dict[str, Any] = {
        "run_id": "5be2f49d",
        "specification_hash": HASH,
        "status": Status.SUCCEEDED,
        "error": None,
        "duration": 0.5,
        "tokens": Tokens(12),
        "blocks": (block("INPUT", "input"), block("CLASSIFY"), block("ANSWER", "code")),
        "result": {"label": "billing"},
    }
    return AttemptRecord(**(default | more))


def block(name: str, kind: str = "llm", **more: Any) -> BlockRecord:
    """Give a block that ran."""
    return BlockRecord(kind, name, "succeeded", **({"output": {"text": "billing"}} | more))


def compared(
    old: Any = "billing", new: Any = "shipping", cause: tuple[str, str] = CAUSE, **more: Any
) -> ComparisonRecord:
    """Give a comparison in which one value changed, and the blocks CAUSE and ANSWER."""
    change = ChangeRecord(("label",), old, new)
    default: dict[str, Any] = {
        "values": (change,),
        "count": 1,
        "blocks": (block_change(*cause, change), block_change("code", "ANSWER", change, is_cause=False)),
        "block_total": 3,
    }
    return ComparisonRecord(AT, **(default | more))


def block_change(kind: str, name: str, *changes: ChangeRecord, **more: Any) -> BlockChangeRecord:
    """Give the changes of one block."""
    default = {"position": 2, "input": None, "is_cause": True, "count": len(changes)}
    return BlockChangeRecord(kind, name, changes=changes, **(default | more))


def changed(name: str = "refund", *, run: ComparisonRecord | None = None, **more: Any) -> CaseRecord:
    """Give a case that fails, as its run changed."""
    attempts = (attempt(comparison=run or compared()),)
    default = {"verdict": Verdict.CHANGED, "outcome": CaseOutcome.FAILED, "attempts": attempts}
    return case(name, **(default | more))


def wrong(name: str = "refund", *failures: FailureRecord, **more: Any) -> CaseRecord:
    """Give a case that fails, as an expectation does not hold."""
    found = failures or (failure(),)
    attempts = (attempt(failures=found, failure_count=len(found)),)
    default = {"verdict": Verdict.FAILED, "outcome": CaseOutcome.FAILED, "attempts": attempts}
    return case(name, **(default | more))


def failure(expected: Any = "billing", actual: Any = "shipping", **more: Any) -> FailureRecord:
    """Give an expectation of `result.label` that does not hold."""
    default: dict[str, Any] = {
        "path": "result.label",
        "expected": expected if isinstance(expected, Expected) else Expected("equals", expected),
        "actual": actual,
        "found": True,
    }
    return FailureRecord(**(default | more))


def trouble(name: str = "refund", message: str = "there is no cassette\n  to record it: …") -> CaseRecord:
    """Give a case that has no verdict."""
    return case(
        name, verdict=Verdict.TROUBLE, outcome=CaseOutcome.FAILED, attempts=(), inputs=None, message=message
    )


def repeated(*passed: bool, name: str = "refund", must: int = 1, **more: Any) -> CaseRecord:
    """Give a case with an attempt for each of these values; it fails if too few passed."""
    attempts = tuple(
        attempt() if each else attempt(failures=(failure(),), failure_count=1) for each in passed
    )
    fails = sum(passed) < must
    default = {
        "repeat": Repeat(len(passed), must),
        "attempts": attempts,
        "verdict": Verdict.FAILED if fails else Verdict.PASSED,
        "outcome": CaseOutcome.FAILED if fails else CaseOutcome.PASSED,
    }
    return case(name, **(default | more))


def sequential(*passed: bool, counted: int, **more: Any) -> CaseRecord:
    """Give a case whose sequential test failed it after so many of these attempts."""
    spread = SpreadRecord(counted, sum(passed[:counted]), 0.1, 0.9, "stopped because too many failed")
    return repeated(*passed, must=len(passed), spread=spread, repeat=Repeat(14, 5, Rates(0.95, 0.6)), **more)


def gate(verdict: GateVerdict = GateVerdict.WORSE, *worse: GateCaseRecord, **more: Any) -> GateRecord:
    """Give a gate of SUPPORT with 20 cases and 3 attempts, 51 of 60 runs of the pinned version passed."""
    default: dict[str, Any] = {
        "cases": 20,
        "attempts": (3, 3),
        "old_passed": 51,
        "old": 60,
        "new_passed": 40 if verdict is GateVerdict.WORSE else 49,
        "new": 60,
        "p": 0.0081 if verdict is GateVerdict.WORSE else 0.4,
        "drop": None if verdict is GateVerdict.WORSE else 0.1623,
        "file": "answer.dust.yaml",
        "line": 3,
    }
    return GateRecord(SUPPORT, verdict, worse=worse, **(default | more))


def died(
    name: str = "refund", block: str = "CLASSIFY (llm)", file: str = "answer.dust.yaml"
) -> GateCaseRecord:
    """Give a case that passed 6 of 6 fresh runs in the pinned version, and none in the other one."""
    return GateCaseRecord(f"{file}::{name}", 6, 6, 0, 6, block, 6 if block else 0)
