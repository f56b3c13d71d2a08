"""Annotations of failed cases for GitHub Actions.

The commands and their escapes: https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path

from pytest_dust.characters import safe
from pytest_dust.report.case import headline
from pytest_dust.report.drift import headline as drift_headline
from pytest_dust.report.gate_lines import verdict
from pytest_dust.report.record import CaseOutcome, CaseRecord, SessionRecord
from pytest_dust.wording import as_typed

MAX_MESSAGE = 1_000
"""Characters of one message."""


def annotation_lines(session: SessionRecord, cases: Sequence[CaseRecord], root: str) -> Iterator[str]:
    """One `::error …` for each failed or worse case, drift check and gate, and for each unreadable suite.

    `cases` are those of the session in the order in which they are annotated; `root` is the folder of the
    repository.
    """
    folder = session.folder
    annotated: set[Hashable] = set()
    for case in cases:
        test = (case.file, case.line) if case.is_test else case.id
        if case.outcome is CaseOutcome.FAILED and test not in annotated:
            annotated.add(test)
            file = _from_root(case.file, folder, root)
            yield error(file, case.report_line, case.title, headline(case))
        elif case.is_worse:
            file = _from_root(case.file, folder, root)
            yield error(file, case.report_line, case.title, safe(case.message))
    for gate in session.gates:
        if not gate.passed:
            yield error(_from_root(gate.file, folder, root), gate.line, gate.id, verdict(gate))
    for drift in session.drifts:
        if not drift.passed:
            file = _from_root(drift.file, folder, root)
            yield error(file, drift.line, drift.id, safe(drift_headline(drift)))
    for problem in session.problems:
        file = _from_root(problem.file or problem.where.partition("::")[0], folder, root)
        yield error(file, problem.line, problem.where, problem.message)


def error(file: str, line: int, title: str, message: str) -> str:
    """The workflow command that annotates a line of a file."""
    place = f"file={_property(file)},line={line or 1},title={_property(title)}"
    return f"::error {place}::{_data(message[:MAX_MESSAGE])}"


def _from_root(file: str, folder: str, root: str) -> str:
    """A file's path from the root of the repository."""
    return as_typed(Path(folder, file), Path(root or folder))


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
