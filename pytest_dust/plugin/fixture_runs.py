"""The runs that a Python test made with the fixture `dust`: on its report, and when they fail it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from pytest_dust.plugin.failures import failure
from pytest_dust.plugin.stash import SETTINGS
from pytest_dust.plugin.workers import uses_fixture
from pytest_dust.report.record import CaseRecord, ItemRecord, RunSource, Verdict
from pytest_dust.wording import as_typed, shell_line


class FixtureRun(Struct, frozen=True):
    """One run of a test: its record, and the lines of its report if it changed, safe to print."""

    record: CaseRecord
    report: str = ""
    headline: str = ""
    """The change in one line, if it fails the test."""


RUNS = pytest.StashKey[list[FixtureRun]]()
"""The runs of a test that are on no report yet."""


class RunsChanged(AssertionError):
    """A test passed, but a run of it changed since its recording."""

    __module__ = "builtins"  # so that reporters, which show name and message, show no path of ours

    def __init__(self, runs: Sequence[FixtureRun]) -> None:
        """Take the runs that fail the test."""
        self.runs = tuple(runs)
        more = f" (+{len(runs) - 1} more)" if len(runs) > 1 else ""
        super().__init__(runs[0].headline + more)


def add(item: pytest.Item, run: FixtureRun) -> None:
    """Keep a run of a test until the test's next report."""
    item.stash.setdefault(RUNS, []).append(run)


def refuse_changes(item: pytest.Item) -> None:
    """Raise RunsChanged if runs of the test changed in a way that fails it."""
    if changed := [run for run in item.stash.get(RUNS, ()) if run.headline]:
        raise RunsChanged(changed)


def show_changes(item: pytest.Item, call: pytest.CallInfo[Any], report: Any) -> None:
    """If changed runs fail a test, write what changed in them in place of a traceback."""
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, RunsChanged):
        shown, line = as_typed(item.path, item.config.invocation_params.dir), report.location[1] or 0
        text = "\n\n".join(run.report for run in error.runs)
        report.longrepr = failure(text, item.path, shown, line + 1, str(error))


def add_records(
    item: pytest.Item, call: pytest.CallInfo[Any], report: Any, masked: Callable[[str], str]
) -> None:
    """Put on a test's report the records of its runs, and under its own failure what changed in them.

    Runs of a setup that passed belong to the report of the call. A test that failed before its first run
    has a record without a run.
    """
    runs = item.stash.get(RUNS, None)
    if not runs and report.failed and report.when in ("setup", "call") and uses_fixture(item):
        report.dust = ItemRecord((_without_run(item, masked(_message(report))),))
    if not runs or (report.when == "setup" and report.passed):
        return
    del item.stash[RUNS]
    error = call.excinfo.value if call.excinfo else None
    message = ""
    if report.failed and isinstance(error, RunsChanged):
        message = str(error)
    elif report.failed:
        _add_section(report, "\n\n".join(run.report for run in runs if run.report))
    records = (run.record for run in runs)
    if not report.passed:
        records = (_failed(record, "" if message else masked(_message(report))) for record in records)
    report.dust = ItemRecord(tuple(records), headline=message)


def _failed(record: CaseRecord, message: str) -> CaseRecord:
    """The record of a run whose test failed, with what failed in the test."""
    if not record.passed:
        return record
    return replace(record, verdict=Verdict.FAILED, message=message)


def _message(report: Any) -> str:
    """The first line of a test's failure."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash else report.longreprtext).split("\n", 1)[0]


def _without_run(item: pytest.Item, message: str) -> CaseRecord:
    """The record of a test that failed before its first run."""
    file = as_typed(item.path, item.config.invocation_params.dir)
    return CaseRecord(
        id=item.nodeid,
        file=file,
        line=(item.location[1] or 0) + 1,
        app="",
        pinned="",
        version="",
        mode=str(item.config.stash[SETTINGS].mode),
        command=shell_line(["pytest", f"{file}::{item.nodeid.partition('::')[2]}"]),
        source=RunSource.WITHOUT_A_RUN,
        verdict=Verdict.TROUBLE,
        message=f"the test failed before its first run: {message}",
        is_test=True,
    )


def _add_section(report: Any, text: str) -> None:
    """Show the text under the test's own failure, whatever `--show-capture` says."""
    if not text:
        return
    add_section = getattr(report.longrepr, "addsection", None)
    if add_section is None:
        report.sections.append(("dust", text))
    else:
        add_section("dust", text)
