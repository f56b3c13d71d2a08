"""The report of several cases that changed in the same way: what they share once, then their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_dust.characters import safe, safe_name
from pytest_dust.report import groups
from pytest_dust.report.case import next_step, place, what_differs
from pytest_dust.report.columns import wrapped
from pytest_dust.report.comparison import comparison_lines
from pytest_dust.report.record import CaseRecord, RunSource, Verdict
from pytest_dust.report.values import cut
from pytest_dust.wording import first_names, plural

MORE_THAN = 5
"""Number of cases up to which each has a report of its own."""
MAX_DIFFERENCE = 160
"""Characters of the difference of a case to look at."""
MAX_NAMES = 100
"""Cases of one group that are named; more are counted."""
COLUMNS = 100
"""Width of the lines that list names."""


def folds(cases: Sequence[CaseRecord]) -> list[tuple[CaseRecord, ...]]:
    """The groups of cases that are reported together.

    Cases that changed in too many different ways are a group if they changed in the same block. A case
    whose run was made but not kept or judged has its own report, which says where the answer is.
    """
    cases = [case for case in cases if case.source not in (RunSource.NOT_RECORDED, RunSource.NOT_JUDGED)]
    alike = _large(groups.by(groups.alike, cases))
    folded = {case.id for group in alike for case in group}
    return [*alike, *_large(groups.by(groups.cause, (case for case in cases if case.id not in folded)))]


def _large(found: Sequence[tuple[CaseRecord, ...]]) -> list[tuple[CaseRecord, ...]]:
    return [group for group in found if len(group) > MORE_THAN]


def fold_lines(cases: Sequence[CaseRecord]) -> Iterator[str]:
    """The report of cases that changed in the same way, or that have no verdict for the same reason."""
    shown = groups.to_look_at(cases, _difference)
    if shown[0].verdict is Verdict.TROUBLE:
        yield from _trouble(cases, shown[0])
    else:
        yield from _change(cases, shown[0])
    yield "  look at"
    width = max(len(place(case)) for case in shown)
    for case in shown:
        yield f"    {place(case):<{width}}   {_name(case)}   {_difference(case)}".rstrip()
    others = [_name(case) for case in cases if case not in shown]
    yield from (f"    {line}" for line in wrapped(f"also {first_names(others, MAX_NAMES)}", COLUMNS))
    if shown[0].verdict is not Verdict.TROUBLE:
        yield f"  {next_step(shown[0], groups.command(cases)).line}"


def _change(cases: Sequence[CaseRecord], first: CaseRecord) -> Iterator[str]:
    assert first.comparison is not None  # noqa: S101  # it changed
    heading, *changes = comparison_lines(first.comparison)
    began = heading.strip().partition("; ")[2] or "no block is known in which it begins:"
    way = "in the same way" if len(set(map(groups.alike, cases))) == 1 else "in different ways"
    counted = f"{plural(len(cases), 'case')} of app {safe_name(first.app)}"
    yield f"{counted} changed {way} since the recording; {began}"
    yield from changes


def _trouble(cases: Sequence[CaseRecord], first: CaseRecord) -> Iterator[str]:
    yield f"{plural(len(cases), 'case')} have no verdict, for the same reason, here of {_name(first)}:"
    message = first.message.replace(first.command, groups.command(cases))
    yield from (f"    {safe(line)}" for line in message.split("\n"))


def _name(case: CaseRecord) -> str:
    return safe_name(case.id.partition("::")[2])


def _difference(case: CaseRecord) -> str:
    """What fails or changed first in a case; empty if it has no verdict."""
    text = "" if case.verdict is Verdict.TROUBLE else what_differs(case)
    return cut(text, MAX_DIFFERENCE)
