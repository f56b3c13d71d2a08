"""What a session comes to: its verdict in a sentence, its cases by kind, and where their changes begin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pytest_dust.characters import safe, safe_name
from pytest_dust.model import Tokens
from pytest_dust.report import groups
from pytest_dust.report.record import (
    BlockDriftRecord,
    CaseOutcome,
    CaseRecord,
    DriftRecord,
    RunSource,
    SessionRecord,
    Verdict,
)
from pytest_dust.report.tokens import in_all
from pytest_dust.wording import plural


class Kind(StrEnum):
    """What a reader must know of a case; the most urgent kind first."""

    FAILED = "not as expected"
    """An expectation does not hold."""
    CHANGED = "changed"
    """All expectations hold, but the run changed since its recording."""
    TROUBLE = "no verdict"
    """There is no run, or it could not be judged."""
    XFAILED = "expected to fail"
    SKIPPED = "skipped"
    CHECKED = "checked, not run"
    PASSED = "passed"


def kind(case: CaseRecord) -> Kind:
    """What a reader must know of a case."""
    if case.outcome is CaseOutcome.SKIPPED:
        return Kind.SKIPPED
    if case.outcome is CaseOutcome.XFAILED:
        return Kind.XFAILED
    if case.verdict is Verdict.TROUBLE:
        return Kind.TROUBLE
    if case.verdict is Verdict.CHANGED:
        return Kind.CHANGED
    if case.outcome is CaseOutcome.FAILED or case.verdict is Verdict.FAILED:
        return Kind.FAILED
    if case.source is RunSource.CHECKED:
        return Kind.CHECKED
    return Kind.CHANGED if case.changed else Kind.PASSED


class State(StrEnum):
    """The verdict on a session."""

    PASSED = "passed"
    """All cases ran and passed, and none changed."""
    CHANGED = "changed"
    """All cases passed, but some changed."""
    FAILED = "failed"
    """Something failed."""
    INCOMPLETE = "incomplete"
    """Nothing failed, but not all cases ran."""


@dataclass(frozen=True, slots=True)
class Group:
    """Cases with the same cause, or of the same kind."""

    title: str
    """Such as `12 cases begin in CLASSIFY (llm)`."""
    cases: tuple[CaseRecord, ...]
    cause: groups.Cause | None = None
    note: str = ""
    """What the cases have in common beside their cause."""

    @property
    def failed(self) -> int:
        """Number of cases that fail the session."""
        return sum(case.outcome is CaseOutcome.FAILED for case in self.cases)


@dataclass(frozen=True, slots=True)
class Overview:
    """What a session comes to."""

    state: State
    verdict: str
    """The verdict in one sentence."""
    cases: tuple[CaseRecord, ...]
    """Each case once."""
    counts: dict[Kind, int]
    changed: int
    """Number of cases that changed, whether they failed or not."""
    groups: tuple[Group, ...]
    """The cases that need a look, the most urgent group first."""
    partial: tuple[str, ...]
    """Why this is not the whole picture; empty if it is."""


def overview(session: SessionRecord) -> Overview:
    """What the session comes to."""
    cases = session.once
    counts = Counter(map(kind, cases))
    partial = tuple(_partial(session))
    changed = sum(case.changed for case in cases)
    state = _state(session, cases, changed, partial)
    return Overview(
        state=state,
        verdict=_verdict(session, cases, changed),
        cases=cases,
        counts={each: counts[each] for each in Kind if counts[each]},
        changed=changed,
        groups=tuple(_groups(cases)),
        partial=partial,
    )


def _state(
    session: SessionRecord, cases: Sequence[CaseRecord], changed: int, partial: Sequence[str]
) -> State:
    failed = any(case.outcome is CaseOutcome.FAILED for case in cases)
    if failed or session.problems or any(not drift.passed for drift in session.drifts):
        return State.FAILED
    if partial or not cases:
        return State.INCOMPLETE
    return State.CHANGED if changed else State.PASSED


def _verdict(session: SessionRecord, cases: Sequence[CaseRecord], changed: int) -> str:
    kinds = Counter(map(kind, cases))
    found = [
        (changed, "changed since its recording", "changed since their recordings"),
        (kinds[Kind.FAILED], "is not as expected", "are not as expected"),
        (kinds[Kind.TROUBLE], "has no verdict", "have no verdict"),
    ]
    parts = [f"{count:,} {one if count == 1 else many}" for count, one, many in found if count]
    if parts:
        first, *others = parts
        number, words = first.split(" ", 1)
        parts = [f"{number} of {plural(len(cases), 'case')} {words}", *others]
    parts += _drifts(session.drifts)
    if session.problems:
        parts.append(f"{plural(len(session.problems), 'suite')} could not be read or had an error")
    return f"{'; '.join(parts)}." if parts else _nothing_found(cases, kinds)


def _drifts(drifts: Sequence[DriftRecord]) -> Iterator[str]:
    """How many apps are saved in another version than the pinned one, and of how many that is unknown."""
    unknown = sum(drift.is_undecided for drift in drifts)
    drifted = sum(not drift.passed for drift in drifts) - unknown
    if drifted:
        yield f"{plural(drifted, 'app')} drifted from the pinned version"
    if unknown:
        yield f"of {plural(unknown, 'app')} the drift is unknown"


def _nothing_found(cases: Sequence[CaseRecord], kinds: Mapping[Kind, int]) -> str:
    """The verdict on cases that need no look."""
    if not cases:
        return "No case ran."
    total = plural(len(cases), "case")
    if kinds[Kind.CHECKED] == len(cases):
        return f"All {total} can be replayed; none was run (--dust-check)."
    if kinds[Kind.PASSED] < len(cases):
        return f"{kinds[Kind.PASSED]:,} of {total} passed; none failed."
    compared = all(case.compared for case in cases)
    return f"All {total} passed{', and none of them changed' if compared else ''}."


def _partial(session: SessionRecord) -> Iterator[str]:
    """Why not all cases are in the record."""
    yield from map(safe, session.partial)
    ran = sum(not case.is_test for case in session.once)
    if ran < session.selection.selected:
        yield f"{ran:,} of {plural(session.selection.selected, 'selected case')} ran"
    if session.selection.deselected:
        yield f"{plural(session.selection.deselected, 'case')} not selected"
    for problem in session.problems:
        yield f"{safe(problem.where)}: the cases of this suite did not run, or it had an error"


def _groups(cases: Sequence[CaseRecord]) -> Iterator[Group]:
    open_ = [case for case in cases if kind(case) in (Kind.FAILED, Kind.CHANGED)]
    found = [_by_cause(group) for group in groups.by(groups.cause, open_)]
    yield from sorted(found, key=lambda group: (not group.failed, -len(group.cases)))
    if others := tuple(case for case in open_ if groups.cause(case) is None):
        fail = "gives a wrong answer" if len(others) == 1 else "give wrong answers"
        yield Group(f"{plural(len(others), 'case')} {fail}; no change is known", others)
    trouble = [case for case in cases if kind(case) is Kind.TROUBLE]
    for group in groups.by(groups.alike, trouble):
        has = "has" if len(group) == 1 else "have"
        yield Group(
            f"{plural(len(group), 'case')} {has} no verdict",
            group,
            note=safe(group[0].message.split("\n", 1)[0]),
        )


def _by_cause(cases: tuple[CaseRecord, ...]) -> Group:
    cause = groups.cause(cases[0])
    assert cause is not None  # noqa: S101  # they were grouped by it
    begin = "begins" if len(cases) == 1 else "begin"
    title = f"{plural(len(cases), 'case')} {begin} in {cause.label}"
    if not cause.name:
        title = f"{plural(len(cases), 'case')} changed in no known block"
    return Group(title, cases, cause)


def drifted_block(session: SessionRecord, cause: groups.Cause) -> BlockDriftRecord | None:
    """How the saved block in which a change begins differs from the pinned one, if a drift check tells."""
    blocks = (block for drift in session.drifts if drift.app == cause.app for block in drift.blocks or ())
    return next((block for block in blocks if (block.type, block.name) == (cause.type, cause.name)), None)


def facts(session: SessionRecord) -> Iterator[str]:
    """When and how the session ran, in short."""
    if session.started_at:
        yield session.started_at[:19].replace("T", " ") + " UTC"
    yield f"mode {session.mode}"
    for app, version in session.versions.items():
        yield f"version {version[:12]}{f' of app {safe_name(app)}' if app else ''}"
    yield f"{session.duration:.1f} s"
    paid = (case.tokens for case in session.cases if case.source is not RunSource.REPLAYED)
    yield in_all(sum(paid, Tokens()))
