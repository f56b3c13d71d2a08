"""Records of what pytest reports without a record: a case whose worker crashed, a suite that is not read."""

from __future__ import annotations

from pytest_dust.report.record import CaseOutcome, CaseRecord, ItemRecord, ProblemRecord, RunSource, Verdict

MAX_MESSAGE = 4_000
"""Characters of a message that are kept."""


def crashed(nodeid: str, mode: str) -> ItemRecord:
    """The record of a case whose pytest-xdist worker crashed."""
    record = CaseRecord(
        id=nodeid,
        file=nodeid.partition("::")[0],
        line=0,
        app="",
        pinned="",
        version="",
        mode=mode,
        command="",
        source=RunSource.WITHOUT_A_RUN,
        verdict=Verdict.TROUBLE,
        message="the pytest-xdist worker crashed while it ran this case; run the case alone, without -n",
        outcome=CaseOutcome.FAILED,
    )
    return ItemRecord((record,))


def problem(nodeid: str, text: str, file: str, line: int) -> ProblemRecord:
    """The record of an error of a suite, or of one after a case; `text` is the report of it."""
    return ProblemRecord(nodeid, text[:MAX_MESSAGE], file, line)
