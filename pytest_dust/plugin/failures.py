"""A failure of ours in the form in which pytest and its plugins know failures.

pytest's terminal needs a text. Plugins need more: a class of pytest's own (GitHub annotations), the entries
of a traceback (pytest-pretty), the crash (short summary, JUnit, JSON reports). pytest exports none of these
classes, so they are taken from an error that pytest itself has described.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pytest_dust.report.terminal import markup

STYLE = "value"
"""pytest's name for an entry whose lines are written as they are."""


def failure(text: str, file: Path, shown: str, line: int, headline: str) -> Any:
    """A failure as pytest's `longrepr`; `shown` is the file as the user types it, `headline` one line."""
    example = _example()
    traceback, *_ = example.chain[-1]
    entry = traceback.reprentries[-1]
    crash = replace(entry.reprfileloc, path=str(file), lineno=line, message=headline)
    lines, where = text.split("\n"), replace(crash, path=shown)
    entry = replace(entry, lines=lines, reprfuncargs=None, reprlocals=None, reprfileloc=where, style=STYLE)
    traceback = replace(traceback, reprentries=[entry], extraline=None, style=STYLE)
    return _form()([(traceback, crash, None)])


def with_text(longrepr: Any, text: str) -> Any:
    """A failure like another one, with another text."""
    traceback, crash, _ = longrepr.chain[0]
    shown = traceback.reprentries[0].reprfileloc.path
    return failure(text, Path(crash.path), shown, crash.lineno, crash.message)


def restore(report: Any) -> None:
    """Give a failure of ours that comes from a pytest-xdist worker, as pytest's own class, our form again."""
    longrepr = report.longrepr
    if is_ours(longrepr):
        report.longrepr = _form()(longrepr.chain)
        report.longrepr.sections = longrepr.sections


def is_ours(longrepr: Any) -> bool:
    """Whether a `longrepr` was made by `failure`."""
    entries: list[Any] = getattr(getattr(longrepr, "reprtraceback", None), "reprentries", [])
    return bool(entries) and entries[0].style == STYLE and entries[0].reprfileloc is not None


@cache
def _example() -> Any:
    """An error as pytest describes it."""
    try:
        raise AssertionError  # noqa: TRY301  # only a raised error has the traceback that is described
    except AssertionError as error:
        return pytest.ExceptionInfo.from_exception(error).getrepr(style="short")


@cache
def _form() -> Any:
    """The class of our failures: that of pytest's, written as our text, with colours on a terminal."""

    class CaseReport(type(_example())):  # type: ignore[misc]  # known only when pytest runs
        """A failed case."""

        def __str__(self) -> str:
            return "\n".join(self.reprtraceback.reprentries[0].lines)

        def __eq__(self, other: object) -> bool:
            """Whether another failure has the same text: pytest-xdist shows one of equal ones."""
            return is_ours(other) and str(self) == str(other)  # two threads may each have made the class

        def __hash__(self) -> int:
            return hash(str(self))

        def toterminal(self, tw: Any) -> None:
            """Write the report to pytest's terminal writer."""
            for line in self.reprtraceback.reprentries[0].lines:
                tw.line(line, **markup(line))
            for name, content, ruler in self.sections:
                tw.sep(ruler, name)
                tw.line(content)

    return CaseReport
