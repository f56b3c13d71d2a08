"""The word that pytest writes behind a case: its outcome, and with `-v` its description."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from pytest_dust.characters import safe
from pytest_dust.constants import LEFT_TO_GATE

Status: TypeAlias = "tuple[str, str, Any]"
"""The result of pytest's hook: category, letter and word, which may come with its colours."""
LEAST = 40
"""Minimum number of characters of a description that are shown."""


def status(pytests: Status, report: Any, verbosity: int, columns: Callable[[], int]) -> Status:
    """The result of pytest's hook in our words: a case that was only checked did not pass."""
    category, letter, word = pytests
    case = next(iter(report.dust.cases), None)
    if case is not None and case.source == "checked" and category == "passed":
        category, word = "checked", ("CHECKED", {"green": True})
    if category == "xfailed" and report.wasxfail.startswith(LEFT_TO_GATE):
        category, letter, word = "left to the gate", "g", ("LEFT TO THE GATE", {"yellow": True})
    description = safe(case.description) if case is not None and not case.is_test else ""
    if not description or verbosity < 1:
        return category, letter, word
    text, *colours = word if isinstance(word, tuple) else (word,)
    room = max(LEAST, columns() - len(report.nodeid) - len(text) - len("  () [100%] "))
    shown = description if verbosity > 1 or len(description) <= room else f"{description[: room - 1]}…"
    described = f"{text} ({shown})"
    return category, letter, (described, *colours) if colours else described
