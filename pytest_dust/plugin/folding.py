"""Report cases that changed in the same way once, at the end of the session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_dust.plugin.failures import is_ours, with_text
from pytest_dust.report.terminal import safe_lines

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from pytest_dust.report.record import CaseRecord

SHOWN = "_pdbshown"
"""Attribute by which pytest leaves a report out of its section FAILURES, and only there.

pytest sets it for a failure that its debugger has shown. If a later pytest does not know it, each case keeps
its own report.
"""


class Folding:
    """Replaces the reports of cases that changed in the same way by one report while pytest prints them."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> Generator[None, Any, Any]:
        """Fold the failures, unless `-v` asks for each in full."""
        whole = terminalreporter.verbosity > 0 or terminalreporter.config.option.tbstyle in ("line", "no")
        reports = {} if whole else _foldable(terminalreporter.stats.get("failed", ()))
        texts = {case: (report.longrepr, report.location) for case, report in reports.items()}
        if reports:
            from pytest_dust.report.fold import folds  # 10 ms, for failures alone

            for group in folds([report.dust.cases[0] for report in reports.values()]):
                _fold([reports[case.id] for case in group], group)
        try:
            return (yield)
        finally:
            for case, report in reports.items():
                report.longrepr, report.location = texts[case]
                report.__dict__.pop(SHOWN, None)


def _foldable(failed: Sequence[Any]) -> Mapping[str, Any]:
    """By id, the reports of failed cases of which pytest would print nothing but our text."""
    found: dict[str, Any] = {}
    for report in failed:
        cases: Sequence[CaseRecord] = report.dust.cases if getattr(report, "dust", None) else ()
        ours = is_ours(report.longrepr) and not (report.sections or report.longrepr.sections)
        if ours and len(cases) == 1 and not (cases[0].is_test or hasattr(report, SHOWN)):
            found[cases[0].id] = report
    return found


def _fold(reports: Sequence[Any], group: Sequence[CaseRecord]) -> None:
    from pytest_dust.report.fold import fold_lines

    first, *others = reports
    path, line, title = first.location
    first.location = path, line, f"{title.strip()} and {len(others)} more "
    first.longrepr = with_text(first.longrepr, safe_lines("\n".join(fold_lines(group))))
    for report in others:
        setattr(report, SHOWN, True)
