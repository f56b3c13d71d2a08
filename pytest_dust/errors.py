"""Everything that can go wrong for a user, each error with what, where and what to do now.

DustError
├── SuiteError          a suite file has mistakes; carries a `Problem` for each
├── SettingsError       an option, environment variable or ini value is wrong
├── CassetteError       a cassette is missing, does not fit, or cannot be read
├── ServiceError        the service or the network did not answer with a run
└── JudgeError          there is a run, and it could not be judged
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
"""Characters of a name for which a nearest one is looked for."""
EXCERPT = 100
"""Characters of a line that are shown under a mistake in it."""


class DustError(Exception):
    """A trouble that the user can mend; its text is the whole message, `headline` its first words."""

    spent: Tokens | None = None
    """Tokens of the case's runs that had ended well before another of them failed."""

    @property
    def headline(self) -> str:
        """One line for pytest's short summary."""
        return str(self).split("\n", 1)[0]


class SuiteError(DustError):
    """The mistakes of one suite file, sorted by place."""

    def __init__(self, file: str, problems: Sequence[Problem], text: str = "") -> None:
        """Keep `problems` in the order in which a reader of `file` meets them, each once.

        With the file's `text`, each shows its line and a caret under its place.
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
    """A setting has a value that it cannot have."""


class CassetteError(DustError):
    """A cassette cannot be replayed."""


class ServiceError(DustError):
    """The service, or something between, gave no run."""

    status: int | None = None
    """The HTTP status of the answer, if there was one that said no."""


class JudgeError(DustError):
    """There is a run, and it could not be judged."""


def _excerpt(rows: Sequence[str], problem: Problem) -> list[str]:
    """The line in question, and a caret under the place in it."""
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
    """` (did you mean X?)` for the name in `allowed` that is nearest to `name`, else nothing."""
    found = nearest(name, allowed)
    return f" (did you mean {found}?)" if found else ""


def nearest(name: str, allowed: Iterable[str]) -> str | None:
    """The name in `allowed` that is most like `name`, whatever its capitals and dashes; None if none is."""
    from difflib import get_close_matches  # only when something is wrong: 2 ms

    if len(name) > LONGEST:
        return None
    plain = {plain_name(each): each for each in reversed(list(allowed))}
    close = (
        [plain_name(name)] if plain_name(name) in plain else get_close_matches(plain_name(name), plain, n=1)
    )
    return plain[close[0]] if close else None


def plain_name(name: str) -> str:
    """A name as it is compared with others: `specificationHash` and `Specification-hash` are one."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[-\s]+", "_", name).lower()
