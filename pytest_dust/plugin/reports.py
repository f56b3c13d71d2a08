"""Write the reports that --dust-report names, and what GitHub Actions shows, when the session has ended."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from pytest_dust.errors import SettingsError
from pytest_dust.plugin.records import RECORDS
from pytest_dust.plugin.stash import SETTINGS
from pytest_dust.settings import is_on_github

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_dust.report.record import SessionRecord

ANNOTATING = "pytest_github_actions_annotate_failures"
"""Name of a plugin that annotates failed tests itself."""
SUMMARY_LIMIT = 1024 * 1024 - 1024
"""Bytes that GitHub accepts as the summary of one step, less a margin."""


class Reports:
    """Writes the reports of one session; under pytest-xdist, the controller does."""

    def __init__(self, config: pytest.Config) -> None:
        """Take the files to write; raises UsageError if one cannot be written."""
        self._config = config
        self._settings = config.stash[SETTINGS]
        self._github = self._settings.github and is_on_github(os.environ)
        self._lines: list[str] = []
        """What to tell of the files."""
        self._annotations: list[str] = []
        folder = config.invocation_params.dir
        paths = {Path(os.path.normpath(folder / shown)): shown for shown in reversed(self._settings.report)}
        self._files = {shown: path for path, shown in reversed(paths.items())}
        from pytest_dust.report.write import refuse_unwritable

        try:
            for shown, path in self._files.items():
                refuse_unwritable(path, shown)
        except SettingsError as error:
            raise pytest.UsageError(str(error)) from None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Note that --lf leaves out cases: those of files without a failure are not even collected."""
        cache = getattr(self._config, "cache", None)
        if self._config.getoption("lf", default=False) and cache and cache.get("cache/lastfailed", {}):
            self._config.stash[RECORDS].is_partial("only the cases that failed last time (--lf)")

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, Any, Any]:
        """Write the reports when all other plugins have ended the session, but before the summary."""
        done = yield
        records = self._config.stash[RECORDS]
        if self._config.option.collectonly or self._config.getoption("setuponly", default=False):
            return done
        records.ended(session)
        record = records.session()
        if record.cases or record.problems or record.drifts or not self._settings.only_ini("report"):
            self._write(session, record)
        if self._github and (record.cases or record.problems or record.drifts):
            self._tell_github(record)
        return done

    def _write(self, session: pytest.Session, record: SessionRecord) -> None:
        """Write each report; fail the session if one cannot be written."""
        from pytest_dust.report.write import write

        for shown, path in self._files.items():
            try:
                write(record, path)
            except (OSError, ValueError) as error:
                why = getattr(error, "strerror", None) or str(error) or "the system gives no reason"
                self._lines.append(f"dust: cannot write the report {shown}: {why}")
                if session.exitstatus == pytest.ExitCode.OK:
                    session.exitstatus = pytest.ExitCode.TESTS_FAILED
            else:
                self._lines.append(f"dust: wrote the report {shown}")

    def _tell_github(self, record: SessionRecord) -> None:
        """Add to the job's summary, and make the annotations that no other plugin makes."""
        from pytest_dust.report.github import annotation_lines
        from pytest_dust.report.overview import by_urgency, overview

        annotated = self._config.pluginmanager.hasplugin(ANNOTATING)
        cases = () if annotated else by_urgency(overview(record))
        told = replace(record, drifts=(), gates=()) if annotated else record
        root = os.environ.get("GITHUB_WORKSPACE", "") or str(self._config.rootpath)
        self._annotations = list(annotation_lines(told, cases, root))
        if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
            try:
                _append(Path(summary), record)
            except OSError as error:
                self._lines.append(f"dust: cannot write the job summary: {error.strerror}")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which files were written, and print the annotations, each on a line of its own."""
        for line in self._lines:
            terminalreporter.write_line(line)
        terminalreporter.ensure_newline()
        for line in self._annotations:
            terminalreporter.write_line(line)


def _append(summary: Path, record: SessionRecord) -> None:
    """Append the report in Markdown to the summary of a GitHub job, within its limit."""
    from pytest_dust.report.markdown import MOST, markdown

    size = summary.stat().st_size if summary.exists() else 0
    text = markdown(record, min(MOST, SUMMARY_LIMIT - size))
    with summary.open("ab") as file:
        file.write(text.encode("utf-8", "backslashreplace"))
