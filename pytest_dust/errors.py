"""The errors that users see; each message says what is wrong, where, and what to do.

DustError
├── SuiteError          a suite file has mistakes; carries a `Problem` for each
├── SettingsError       an option, environment variable or ini value is wrong
├── CassetteError       a cassette is missing, does not fit, or cannot be read or written
├── ServiceError        the service or the network did not answer with a run
└── JudgeError          a run could not be judged
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_dust.model import Problem, Tokens

__all__ = [
    "CassetteError",
    "DustError",
    "JudgeError",
    "ServiceError",
    "SettingsError",
    "SuiteError",
    "did_you_mean",
]


LONGEST = 200
"""Maximum length of a name for which a similar one is suggested."""
EXCERPT = 100
"""Maximum length of the line that is shown below a mistake in it."""


class DustError(Exception):
    """A mistake or failure that the user can do something about; its text is the whole message."""

    spent: Tokens | None = None
    """Tokens of the case's runs that had succeeded before another of them failed."""

    @property
    def headline(self) -> str:
        """The first line of the message, for pytest's short summary."""
        return str(self).split("\n", 1)[0]


class SuiteError(DustError):
    """The mistakes in one suite file, sorted by place."""

    def __init__(self, file: str, problems: Sequence[Problem], text: str = "") -> None:
        """Sort `problems` by their place in `file`, each once.

        With the file's `text`, the message of each shows its line, and a caret under its place.
        """
        from pytest_dust.characters import safe  # only when something is wrong: 3 ms

        shown = (problem._replace(message=safe(problem.message)) for problem in problems)
        self.problems = tuple(sorted(dict.fromkeys(shown), key=lambda problem: problem.place))
        file = safe(file)
        rows = text.splitlines()
        super().__init__(
            "\n".join(
                line for problem in self.problems for line in (problem.line(file), *_excerpt(rows, problem))
            )
        )


class SettingsError(DustError):
    """A setting has a wrong value."""


class CassetteError(DustError):
    """A cassette is missing, does not fit, or cannot be read or written."""


class ServiceError(DustError):
    """The service or the network did not answer with a run."""

    status: int | None = None
    """The HTTP status, if the service refused the request."""


class JudgeError(DustError):
    """A run could not be judged."""


def _excerpt(rows: Sequence[str], problem: Problem) -> list[str]:
    """Return the line of a problem, and a line with a caret under its column."""
    line, column = problem.place
    row = rows[line - 1] if line <= len(rows) else ""
    if not row.strip():
        return []
    indent = len(row) - len(row.lstrip())
    start = max(indent, column - 1 - EXCERPT // 2) if len(row) > EXCERPT else indent
    start = min(start, column - 1)
    shown = row[start : start + EXCERPT]
    caret = "".join("\t" if char == "\t" else " " for char in shown[: column - 1 - start])
    printable = "".join(char if char == "\t" or _is_seen(char) else "\ufffd" for char in shown)
    return [f"    {printable.rstrip()}", f"    {caret}^"]


def _is_seen(char: str) -> bool:
    from pytest_dust.characters import safe_name

    return char.isprintable() and safe_name(char) == char


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """Return ` (did you mean X?)` with the name in `allowed` that is most similar; empty if none is."""
    found = nearest(name, allowed)
    return f" (did you mean {found}?)" if found else ""


def nearest(name: str, allowed: Iterable[str]) -> str | None:
    """Return the most similar name in `allowed`, ignoring capitals and dashes; None if none is similar."""
    from difflib import get_close_matches  # only when something is wrong: 2 ms

    if len(name) > LONGEST:
        return None
    plain = {plain_name(each): each for each in reversed(list(allowed))}
    close = (
        [plain_name(name)] if plain_name(name) in plain else get_close_matches(plain_name(name), plain, n=1)
    )
    return plain[close[0]] if close else None


def plain_name(name: str) -> str:
    """Return a name for comparison: the same for `specificationHash` and `Specification-hash`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[-\s]+", "_", name).lower()
