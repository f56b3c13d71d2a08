"""What the review of pending answers shows: a case, its inputs, what differs, and the keys to choose with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pytest_dust.characters import safe, safe_name
from pytest_dust.report import groups
from pytest_dust.report.case import case_lines, description, findings, heading
from pytest_dust.report.columns import width, wrapped
from pytest_dust.report.record import Verdict
from pytest_dust.report.values import show
from pytest_dust.wording import plural

if TYPE_CHECKING:
    from pytest_dust.report.record import CaseRecord

MAX_INPUTS = 5
"""Inputs of a case that are shown."""
ROOM = 400
"""Maximum number of characters of one input."""


class Progress(NamedTuple):
    """Where a review is: the answer's number, how many there are, and how many begin in the same block."""

    number: int
    total: int
    group: int


def fitting(line: str, columns: int) -> Iterator[str]:
    """The line, broken at spaces where the terminal ends, and indented from the second part on."""
    indent = " " * min(len(line) - len(line.lstrip()) + 2, columns // 2)
    if width(line) <= columns:
        yield line
        return
    first, *others = wrapped(line.strip(), columns - len(indent))
    yield indent[2:] + first
    yield from (indent + other for other in others)


def case_to_review(record: CaseRecord, new_hash: str, progress: Progress, columns: int) -> Iterator[str]:
    """The lines of one case: its name, description and inputs, and the report."""
    counted = f" {progress.number:,} of {progress.total:,}"
    yield ""
    yield "─" * max(0, columns - len(counted)) + counted
    yield safe_name(record.title)
    yield from description(record)
    yield from _inputs(record)
    if new_hash:
        yield f"  version  {safe(record.pinned[:12])}… → {safe(new_hash[:12])}…"
    yield f"  {beginning(record, progress)}"
    yield ""
    shown = record.shown
    if record.verdict is Verdict.TROUBLE or shown is None:
        yield from case_lines(record)
        return
    yield heading(record)
    yield from findings(record, shown)
    if shown.comparison is None:
        yield ""
        yield "  There is no recording to compare it with."


def _inputs(record: CaseRecord) -> Iterator[str]:
    inputs = record.inputs if record.plural else [record.inputs]
    for each in inputs[:MAX_INPUTS]:
        yield f"  input  {show(each, ROOM)}"
    if len(inputs) > MAX_INPUTS:
        yield f"  … and {plural(len(inputs) - MAX_INPUTS, 'more input')}"


def beginning(record: CaseRecord, progress: Progress) -> str:
    """Where the change of a case begins, and how many more changes begin there."""
    cause = groups.cause(record)
    what = f"begins in {cause.label}" if cause and cause.name else "no change is known to begin in a block"
    if not cause:
        what = (
            "nothing that counts changed since the recording"
            if record.compared
            else "not compared with a recording"
        )
    more = f", as in {plural(progress.group - 1, 'more answer')}" if progress.group > 1 else ""
    return f"{what}{more}"


def choices(record: CaseRecord, progress: Progress) -> Iterator[str]:
    """The keys to choose with."""
    edits = "e accept and edit the suite   " if not record.is_test else ""
    yield f"a accept   {edits}r reject   s skip   u undo   q finish"
    if progress.group > 1:
        yield f"A {'E ' if edits else ''}R S: the same for all {progress.group:,} that {_alike(record)}"


def _alike(record: CaseRecord) -> str:
    cause = groups.cause(record)
    return f"begin in {cause.label}" if cause and cause.name else "are of this kind"


def in_order(records: Sequence[CaseRecord]) -> list[int]:
    """The indexes of the records, those whose changes begin in the same block one after the other.

    Groups in which a case fails come first, then larger ones.
    """
    found = groups.by(lambda at: str(groups.cause(records[at])), range(len(records)))
    fails = [not record.passed for record in records]
    ordered = sorted(found, key=lambda group: (not any(fails[at] for at in group), -len(group)))
    return [at for group in ordered for at in sorted(group, key=lambda at: not fails[at])]
