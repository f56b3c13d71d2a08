"""A case's report in the form that pytest's terminal, short summary and JUnit file use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pytest_dust.characters import safe


@dataclass(frozen=True)
class Crash:
    """The place and the message of a failure, for pytest's one-line summary."""

    path: str
    lineno: int
    message: str

    def __str__(self) -> str:
        """The line of `--tb=line`."""
        return f"{self.path}:{self.lineno}: {self.message}"


@dataclass(frozen=True)
class CaseReport:
    """A failed case as text, with colours on a terminal."""

    text: str
    reprcrash: Crash

    def __str__(self) -> str:
        """The report as plain text."""
        return self.text

    def toterminal(self, tw: Any) -> None:
        """Write the report to pytest's terminal writer."""
        for line in self.text.split("\n"):
            tw.line(line, **markup(line))


def safe_lines(text: str) -> str:
    """The text with each of its lines safe to print."""
    return "\n".join(inert(safe(line)) for line in text.split("\n"))


def inert(line: str) -> str:
    """The line, so that GitHub Actions does not take it for a command: `::…` at its start, `##[` anywhere."""
    if line.lstrip().startswith("::"):
        line = line.replace("::", "\\u003a:", 1)
    return line.replace("##[", "\\u0023#[")


def restore(report: Any) -> None:
    """Give the failure of a report from a pytest-xdist worker, which is plain text, its form again."""
    headline = report.dust.headline
    if headline and isinstance(report.longrepr, str):
        path, line, _ = report.location
        report.longrepr = CaseReport(report.longrepr, Crash(path, (line or 0) + 1, headline))


def markup(line: str) -> dict[str, bool]:
    """The colours of a line of the report."""
    if line.startswith("    expected "):
        return {"green": True}
    if line.startswith("    actual "):
        return {"red": True}
    if "it begins in " in line:
        return {"bold": True}
    return {}
