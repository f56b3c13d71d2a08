"""Runs made of a few values, and their comparison."""

from __future__ import annotations

from typing import Any

from answers import answer, ran

from pytest_dust.compare import baseline
from pytest_dust.dust import wire as api
from pytest_dust.dust.run_view import viewed
from pytest_dust.model import Baseline, Comparison, Run

AT = "2026-11-02T10:00:00Z"


def made(*traces: Any, status: str = "succeeded", **more: Any) -> Run:
    """Give a run of these traces: (type, name, a list of values per input); a mapping is an execution."""
    wire = [
        [[kind, name], [[one if isinstance(one, dict) else ran(one) for one in row] for row in rows]]
        for kind, name, *rows in traces
    ]
    return api.parse(answer(wire, status, **more), 0.0)


def compared(old: Run, new: Run) -> Comparison:
    """Compare two runs; in both directions, and each with itself, the verdicts must agree."""
    found = held(old, new)
    assert found.recorded_at == AT
    assert found.changed == held(new, old).changed
    for same in (held(old, old), held(new, new)):
        assert (same.changed, same.blocks) == (False, ())
    return found


def held(old: Run, new: Run, rules: Baseline = Baseline()) -> Comparison:  # noqa: B008  # it is frozen
    """Compare a run with another by the rules of a suite; the default rules if none are given."""
    return baseline.compare(*(viewed(run, plural=True) for run in (old, new)), rules, AT)


def names(found: Comparison) -> list[str]:
    """Give the changed blocks, each once, in order."""
    return list(dict.fromkeys(block.name for block in found.blocks))
