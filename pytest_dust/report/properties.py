"""What a test item's properties say of its runs, for JUnit files and other reports for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pytest_dust.model import Tokens

if TYPE_CHECKING:
    from pytest_dust.report.record import CaseRecord, DriftRecord, ItemRecord

NAMES = ("dust.app", "dust.specification_hash", "dust.run_id", "dust.tokens", "dust.begins_in")


def properties(records: Sequence[ItemRecord]) -> list[tuple[str, str]]:
    """The names and values for the records of one item; what is not known is left out.

    A Python test with several runs has a name once for each different value, and its tokens together.
    """
    last = {case.id: case for record in records for case in record.cases if not case.rerun}
    cases = [*last.values()]
    drifts = [record.drift for record in records if record.drift is not None]
    found = [*_of_drifts(drifts), *_of_cases(cases)]
    return sorted(dict.fromkeys(found), key=lambda pair: NAMES.index(pair[0]))


def _of_drifts(drifts: Sequence[DriftRecord]) -> Iterator[tuple[str, str]]:
    for drift in drifts:
        yield "dust.app", drift.app
        yield "dust.specification_hash", drift.pinned


def _of_cases(cases: Sequence[CaseRecord]) -> Iterator[tuple[str, str]]:
    for case in cases:
        yield "dust.app", case.app
        yield "dust.specification_hash", (case.shown and case.shown.specification_hash) or case.version
        if case.shown is not None and case.shown.run_id:
            yield "dust.run_id", case.shown.run_id
        if case.comparison is not None and case.comparison.changed and case.comparison.blocks:
            first = case.comparison.blocks[0]
            yield "dust.begins_in", f"{first.name} ({first.type})"
    tokens = sum((case.tokens for case in cases), Tokens())
    if any(case.attempts for case in cases) and not tokens.unknown:
        yield "dust.tokens", str(tokens.known)
