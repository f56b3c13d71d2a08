"""Groups of cases with the same cause, so that one cause is reported once."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from msgspec import Struct

from pytest_dust.characters import safe_name
from pytest_dust.model import Path
from pytest_dust.report.record import BlockChangeRecord, CaseRecord, Verdict
from pytest_dust.wording import shell_line, shell_word

_T = TypeVar("_T")
MAX_FILES = 3
"""Number of files that a command names."""
MAX_NAMED = 3
"""Number of cases of a group that are named as those to look at."""


class Cause(Struct, frozen=True):
    """The block in which a change begins; the name is empty if no block is known to have changed."""

    app: str
    type: str
    name: str

    @property
    def label(self) -> str:
        """`NAME (type)`."""
        return f"{safe_name(self.name)} ({safe_name(self.type)})" if self.name else "no known block"


def cause(case: CaseRecord) -> Cause | None:
    """Where the change of a case begins; None if it did not change."""
    if not case.changed:
        return None
    first = first_block(case)
    return Cause(case.app, first.type, first.name) if first else Cause(case.app, "", "")


def first_block(case: CaseRecord) -> BlockChangeRecord | None:
    """The first block that changed in the shown attempt; None if nothing changed that counts."""
    comparison = case.telling_comparison
    blocks = comparison.blocks if comparison and comparison.changed else ()
    return blocks[0] if blocks else None


def by(key: Callable[[_T], Hashable], values: Iterable[_T]) -> list[tuple[_T, ...]]:
    """The values as groups of the same key, in order of their first; without values whose key is None."""
    groups: dict[Hashable, list[_T]] = {}
    for value in values:
        if (of_value := key(value)) is not None:
            groups.setdefault(of_value, []).append(value)
    return [tuple(group) for group in groups.values()]


def alike(case: CaseRecord) -> Hashable:
    """A key that is the same for cases that changed in the same block and places, or have the same trouble.

    None for any other case. Numbers of inputs and iterations, and positions in lists, do not count.
    """
    if case.verdict is Verdict.TROUBLE:
        return "trouble", _without_names(case)
    begins = cause(case)
    if begins is None or case.comparison is None:
        return None
    first = first_block(case)
    changes = first.changes if first else case.comparison.values
    return begins, frozenset((change.kind, _without_indexes(change.path)) for change in changes)


def _without_indexes(path: Path) -> tuple[str, ...]:
    return tuple(step for step in path if isinstance(step, str))


def _without_names(case: CaseRecord) -> str:
    """The first line of what went wrong, without the words that name this case, a path or a number."""
    line = case.message.split("\n", 1)[0]
    own = case.id.partition("::")[2]
    words = (word for word in line.split() if not ("/" in word or "::" in word or word.strip(":,()") == own))
    return re.sub(r"\d+", "", " ".join(words))


def to_look_at(cases: Sequence[CaseRecord], what: Callable[[CaseRecord], str]) -> list[CaseRecord]:
    """The few cases of a group that show most: failed ones first, and each shows something else."""
    ordered = sorted(cases, key=lambda case: (case.passed, not (case.shown and case.shown.failures)))
    different = list({what(case): case for case in reversed(ordered)}.values())[::-1]
    return [*different, *(case for case in ordered if case not in different)][:MAX_NAMED]


def look_first(cases: Sequence[CaseRecord], what: Callable[[CaseRecord], str]) -> list[CaseRecord]:
    """All cases of a group, those to look at first."""
    look = to_look_at(cases, what)
    known = {case.id for case in look}
    return [*look, *(case for case in cases if case.id not in known)]


def command(cases: Sequence[CaseRecord]) -> str:
    """Runs the suites of several cases; the whole project where they are in more than a few files."""
    first = cases[0]
    files = list(dict.fromkeys(case.file for case in cases))
    named = f" {shell_line(files)}" if len(files) <= MAX_FILES else ""
    return first.command.replace(f" {shell_word(first.title)}", named)
