"""What the attempts of a repeated case come to, in marks and words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_dust.compare.repeats import interval

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_dust.report.record import AttemptRecord, CaseRecord


def marks(case: CaseRecord) -> str:
    """A mark for each attempt, in launch order, those that do not count after a word: `✓✗✗ · surplus ✓✓`."""
    surplus = f" · surplus {_marks(case.surplus)}" if case.surplus else ""
    return _marks(case.counted) + surplus


def _marks(attempts: Iterable[AttemptRecord]) -> str:
    return "".join("✓" if attempt.passed else "✗" for attempt in attempts)


def rate(case: CaseRecord) -> str:
    """The pass rate of the attempts that count, with its interval by Wilson's method."""
    passed, count = case.passed_attempts, len(case.counted)
    low, high = interval(passed, count)
    return f"{passed / max(1, count):.0%}, 95% interval {low:.0%} to {high:.0%}"


def passed(case: CaseRecord) -> str:
    """How many of the attempts that count passed."""
    return f"{case.passed_attempts} of {len(case.counted)} attempts passed"


def must(case: CaseRecord) -> str:
    """How many attempts must pass; empty for a sequential test."""
    return "" if case.repeat is None or case.repeat.rates else f"{case.repeat.min_pass} must"


def why(case: CaseRecord) -> str:
    """Why a sequential test stopped, or that it did not; empty for a fixed number of attempts."""
    return case.spread.why if case.spread else ""
