"""Put the records of several sessions, such as the shards of a CI job, together into one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from msgspec.structs import replace

from pytest_dust.model import CassetteFiles
from pytest_dust.report.record import DriftRecord, Selection, SessionRecord
from pytest_dust.report.sessions import app_counts, surplus_runs
from pytest_dust.wording import plural

_T = TypeVar("_T")
PASSED, NO_TESTS = 0, 5
"""Exit statuses of pytest that say that nothing failed."""


def merged(sessions: Sequence[SessionRecord]) -> SessionRecord:
    """One record of all sessions; of a case that several of them have, that of the latest session counts."""
    ordered = sorted(sessions, key=lambda session: session.started_at)
    one = replace(
        ordered[0],
        mode=", ".join(_each(session.mode for session in ordered)),
        versions={app: hash_ for session in ordered for app, hash_ in session.versions.items()},
        asks_drift=any(session.asks_drift for session in ordered),
        cases=tuple(case for session in ordered for case in session.cases),
        drifts=_drifts(drift for session in ordered for drift in session.drifts),
        gates=tuple(gate for session in ordered for gate in session.gates),
        surplus=surplus_runs(session.surplus for session in ordered),
        pending=_each(file for session in ordered for file in session.pending),
        lost=_each(why for session in ordered for why in session.lost),
        review=next((session.review for session in ordered if session.review), ""),
        renamed={suite: ids for session in ordered for suite, ids in session.renamed.items()},
        files=_files([session.files for session in ordered if session.files]),
        apps=app_counts([session.apps for session in ordered]),
        problems=_each(problem for session in ordered for problem in session.problems),
        partial=_each(
            [*(reason for session in ordered for reason in session.partial), *_in_several(ordered)]
        ),
        failed_because=_each(reason for session in ordered for reason in session.failed_because),
        duration=sum(session.duration for session in ordered),
        exit_status=_exit_status({session.exit_status for session in ordered}),
    )
    return replace(one, selection=_selection(one, ordered))


def _each(values: Iterable[_T]) -> tuple[_T, ...]:
    """The values in their order, each once."""
    return tuple(dict.fromkeys(values))


def _in_several(sessions: Sequence[SessionRecord]) -> Iterator[str]:
    """Tell if sessions have the same cases: of each, only the latest record is shown."""
    ids = Counter(case for session in sessions for case in {case.id for case in session.once})
    if several := sum(count > 1 for count in ids.values()):
        yield f"{plural(several, 'case')} of several of the merged reports: the latest of each counts"


def _drifts(drifts: Iterable[DriftRecord]) -> tuple[DriftRecord, ...]:
    """Each drift check once: one that failed in any session."""
    found: dict[str, DriftRecord] = {}
    for drift in drifts:
        if drift.id not in found or found[drift.id].passed:
            found[drift.id] = drift
    return tuple(found.values())


def _files(found: Sequence[CassetteFiles]) -> CassetteFiles | None:
    """What belongs to no case in any of the sessions."""
    if not found:
        return None
    return replace(
        found[0],
        orphans=_each(path for each in found for path in each.orphans),
        unfinished=_each(path for each in found for path in each.unfinished),
    )


def _exit_status(statuses: set[int]) -> int:
    """The highest status of a session that failed; else that of a session that passed."""
    failed = statuses - {PASSED, NO_TESTS}
    return max(failed) if failed else min(statuses)


def _selection(one: SessionRecord, sessions: Sequence[SessionRecord]) -> Selection:
    """How many cases were selected in any of the sessions; the others are deselected in all of them."""
    unrun = sum(max(0, each.selection.selected - _ran(each)) for each in sessions)
    selected = _ran(one) + unrun
    collected = max(each.selection.selected + each.selection.deselected for each in sessions)
    return Selection(selected, max(0, collected - selected))


def _ran(session: SessionRecord) -> int:
    return sum(not case.is_test for case in session.once)
