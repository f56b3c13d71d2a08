"""Put the records of several processes together into one session's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from pytest_dust.model import Tokens
from pytest_dust.report.record import (
    AppCounts,
    CaseRecord,
    GateCaseRecord,
    ProcessRecord,
    Selection,
    SessionRecord,
    SurplusRuns,
    Verdict,
)


def with_processes(session: SessionRecord, processes: Sequence[ProcessRecord]) -> SessionRecord:
    """The session's record with what each process knows."""
    renamed = {suite: ids for each in processes for suite, ids in each.renamed.items()}
    return replace(
        session,
        surplus=surplus_runs(each.surplus for each in processes),
        pending=tuple(sorted({file for each in processes for file in each.pending})),
        lost=tuple(why for each in processes for why in each.lost),
        renamed=renamed,
        apps=app_counts([each.apps for each in processes]),
        selection=_selection(each.selection for each in processes),
    )


def with_gates(session: SessionRecord) -> SessionRecord:
    """The session's record with each case marked on which a gate decided, and with what it found of it."""
    if not session.gates:
        return session
    apps = {gate.app for gate in session.gates}
    worse = {each.id: each for gate in session.gates for each in gate.worse}
    return replace(session, cases=tuple(_gated(case, worse.get(case.id), apps) for case in session.cases))


def _gated(case: CaseRecord, worse: GateCaseRecord | None, apps: Collection[str]) -> CaseRecord:
    if case.app not in apps or case.verdict is Verdict.TROUBLE:
        return case
    if worse is None:
        return replace(case, is_gated=True)
    from pytest_dust.report.gate_lines import case_sentence  # 10 ms, for gates alone

    return replace(case, is_gated=True, worse=worse, message=case_sentence(worse))


def _selection(selections: Iterable[Selection]) -> Selection:
    """The largest: each pytest-xdist worker collects all cases."""
    return max(selections, key=lambda each: each.selected + each.deselected, default=Selection())


def surplus_runs(runs: Iterable[SurplusRuns]) -> SurplusRuns:
    """The sum of the runs that no case waited for."""
    every = list(runs)
    tokens = sum((each.tokens for each in every), Tokens())
    return SurplusRuns(sum(each.made for each in every), sum(each.under_way for each in every), tokens)


def app_counts(counts: Sequence[AppCounts]) -> AppCounts:
    """The largest counts: each pytest-xdist worker collects all cases, so that they need not be added."""
    if not counts:
        return AppCounts()
    return AppCounts(
        cases=_largest([each.cases for each in counts]),
        selected=_largest([each.selected for each in counts]),
        recorded=_largest([each.recorded for each in counts]),
        tests=max(each.tests for each in counts),
        asks_drift=any(each.asks_drift for each in counts),
    )


def _largest(counts: Sequence[Mapping[str, int]]) -> Mapping[str, Any]:
    return max(counts, key=lambda each: sum(each.values()))
