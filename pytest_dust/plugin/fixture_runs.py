"""The runs that a Python test made with the fixture `dust`: how they fail it, and what its report tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dust.report.terminal import CaseReport, Crash

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class FixtureRun:
    """One run of a test: the facts for the summary, and its report where it changed."""

    facts: Mapping[str, Any]
    report: str = ""
    """The report of a run that changed since its recording, as a case has it; else empty."""
    headline: str = ""
    """The change in one line, where it fails the test."""


RUNS = pytest.StashKey[list[FixtureRun]]()
"""The runs of a test that no report has told yet."""


class RunsChanged(Exception):
    """A test passed, and a run of it changed since its recording."""

    def __init__(self, runs: Sequence[FixtureRun]) -> None:
        """Hold the runs that fail the test."""
        self.runs = tuple(runs)
        more = f" (+{len(runs) - 1} more)" if len(runs) > 1 else ""
        super().__init__(runs[0].headline + more)


def add(item: pytest.Item, run: FixtureRun) -> None:
    """Note a run of a test until its next report."""
    item.stash.setdefault(RUNS, []).append(run)


def refuse_changes(item: pytest.Item) -> None:
    """Raise RunsChanged if runs of the test changed in a way that fails it."""
    if gated := [run for run in item.stash.get(RUNS, ()) if run.headline]:
        raise RunsChanged(gated)


def tell(item: pytest.Item, call: pytest.CallInfo[Any], report: Any) -> None:
    """Put on a test's report the facts of its runs, and in its text what changed in them.

    Runs of a setup that passed belong to the report of the call.
    """
    runs = item.stash.get(RUNS, None)
    if not runs or (report.when == "setup" and report.passed):
        return
    del item.stash[RUNS]
    changed = call.excinfo.value if call.excinfo else None
    headline = ""
    if report.failed and isinstance(changed, RunsChanged):
        headline = str(changed)
        path, line, _ = report.location
        text = "\n\n".join(run.report for run in changed.runs)
        report.longrepr = CaseReport(text, Crash(path, (line or 0) + 1, headline))
    elif report.failed:
        _add_section(report, "\n\n".join(run.report for run in runs if run.report))
    failed = "" if report.passed else headline or "the test did not pass"
    facts = [{**run.facts, "headline": run.facts["headline"] or failed} for run in runs]
    report.dust = {"headline": headline, "runs": facts}


def _add_section(report: Any, text: str) -> None:
    """Show the text under the test's own failure, whatever `--show-capture` says."""
    if not text:
        return
    add_section = getattr(report.longrepr, "addsection", None)
    if add_section is None:
        report.sections.append(("dust", text))
    else:
        add_section("dust", text)
