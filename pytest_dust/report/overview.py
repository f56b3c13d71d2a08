"""What a session comes to: its verdict in a sentence, its cases by kind, and where their changes begin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

from msgspec import Struct

from pytest_dust.characters import safe, safe_name
from pytest_dust.constants import LATEST
from pytest_dust.model import Status, Tokens
from pytest_dust.report import groups
from pytest_dust.report.case import what_differs
from pytest_dust.report.gate_lines import sentence
from pytest_dust.report.record import (
    BlockDriftRecord,
    CaseOutcome,
    CaseRecord,
    DriftRecord,
    GateRecord,
    GateVerdict,
    RunSource,
    SessionRecord,
    Verdict,
)
from pytest_dust.report.tokens import in_all
from pytest_dust.wording import plural


class Kind(StrEnum):
    """What a reader must know of a case; the most urgent kind first."""

    WORSE = "passes less often"
    """The gate found that it passes less often in the other version."""
    FAILED = "not as expected"
    """An expectation does not hold."""
    CHANGED = "changed"
    """All expectations hold, but the run changed since its recording."""
    TROUBLE = "no verdict"
    """There is no run, or it could not be judged."""
    LEFT = "failed, left to the gate"
    """It failed, and the gate of its app did not find that it passes less often."""
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
    if (
        case.is_gated
    ):  # a change since one recording says nothing of an app that answers differently each time
        return _gated(case)
    if case.verdict is Verdict.CHANGED:
        return Kind.CHANGED
    if case.outcome is CaseOutcome.FAILED or case.verdict is Verdict.FAILED:
        return Kind.FAILED
    if case.source is RunSource.CHECKED:
        return Kind.CHECKED
    return Kind.CHANGED if case.changed else Kind.PASSED


def _gated(case: CaseRecord) -> Kind:
    if case.is_worse:
        return Kind.WORSE
    return Kind.LEFT if case.verdict is Verdict.FAILED else Kind.PASSED


OPEN = (Kind.WORSE, Kind.FAILED, Kind.CHANGED, Kind.TROUBLE)
"""The kinds of cases that need a look."""


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


class Group(Struct, frozen=True):
    """Cases with the same cause, or of the same kind."""

    title: str
    """Such as `12 cases: the change begins in CLASSIFY (llm)`."""
    cases: tuple[CaseRecord, ...]
    cause: groups.Cause | None = None
    note: str = ""
    """What the cases have in common beside their cause."""

    @property
    def failed(self) -> int:
        """Number of cases that fail the session."""
        return sum(case.outcome is CaseOutcome.FAILED for case in self.cases)


class Overview(Struct, frozen=True):
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
    advice: str
    """What to do about them; empty if there are none."""
    partial: tuple[str, ...]
    """Why this is not the whole picture; empty if it is."""


def overview(session: SessionRecord) -> Overview:
    """What the session comes to."""
    cases = session.once
    counts = Counter(map(kind, cases))
    partial = tuple(_partial(session))
    changed = sum(case.changed and kind(case) in OPEN for case in cases)
    state = _state(session, cases, changed, partial)
    return Overview(
        state=state,
        verdict=_verdict(session, cases),
        cases=cases,
        counts={each: counts[each] for each in Kind if counts[each]},
        changed=changed,
        groups=tuple(_groups(cases)),
        advice=_advice(cases),
        partial=partial,
    )


def by_urgency(seen: Overview) -> list[CaseRecord]:
    """All cases: group by group, those to look at first, then those that are in no group."""
    grouped = [case for group in seen.groups for case in groups.look_first(group.cases, what_differs)]
    known = {case.id for case in grouped}
    return [*grouped, *(case for case in seen.cases if case.id not in known)]


def _state(
    session: SessionRecord, cases: Sequence[CaseRecord], changed: int, partial: Sequence[str]
) -> State:
    failed = any(case.outcome is CaseOutcome.FAILED for case in cases)
    if (
        failed
        or session.problems
        or session.failed_because
        or any(not each.passed for each in session.drifts)
        or any(each.verdict is GateVerdict.WORSE for each in session.gates)
    ):
        return State.FAILED
    unrun = (Kind.TROUBLE, Kind.SKIPPED)
    if (
        partial
        or all(kind(case) in unrun for case in cases)
        or any(kind(case) is Kind.TROUBLE for case in cases)
        or any(each.verdict is GateVerdict.NOT_RUN for each in session.gates)
    ):
        return State.INCOMPLETE
    return State.CHANGED if changed else State.PASSED


def _verdict(session: SessionRecord, cases: Sequence[CaseRecord]) -> str:
    parts, count = list(_found(cases)), _open(cases)
    need = f"{count:,} of {plural(len(cases), 'case')} {'needs' if count == 1 else 'need'} a look"
    found = list(_gates(session.gates))
    found += [f"{need}: {', '.join(parts)}"] if parts else []
    found += _drifts(session.drifts)
    after = sum("::" in problem.where for problem in session.problems)
    if unread := len(session.problems) - after:
        found.append(f"{plural(unread, 'suite')} could not be read")
    if after:
        found.append(f"{plural(after, 'error')} after a case")
    found += map(safe, session.failed_because)
    return f"{'; '.join(found)}." if found else _nothing_found(session, cases)


def _gates(gates: Sequence[GateRecord]) -> Iterator[str]:
    """What the gates say: each that failed, and the others in one sentence if they are several."""
    passed = [gate for gate in gates if gate.passed]
    yield from (sentence(gate) for gate in gates if not gate.passed)
    if len(passed) == 1:
        yield sentence(passed[0])
    elif passed:
        yield f"{plural(len(passed), 'app')}: no worse shown"


def _advice(cases: Sequence[CaseRecord]) -> str:
    """What to do about the cases that need a look, for someone who types no commands."""
    parts = []
    if any(kind(case) is Kind.WORSE for case in cases):
        parts.append(
            "The other version passes less often in the cases below. Ask the person who edited the "
            "block to undo it. If the new answers are right, ask an engineer to accept them; each case has "
            "the command."
        )
    if any(case.changed and kind(case) in OPEN and not case.is_worse for case in cases):
        parts.append(
            "Decide on each change below. If it is right, ask an engineer to accept it; each case has "
            "the command. If it is wrong, ask the person who edited the block to undo it."
        )
    if any(kind(case) in OPEN and not (case.changed or case.is_worse) for case in cases):
        parts.append(
            "Ask an engineer to look at what is not as expected, ends with an error or has no verdict."
        )
    return " ".join(parts)


def _open(cases: Iterable[CaseRecord]) -> int:
    return sum(kind(case) in OPEN for case in cases)


def _found(cases: Sequence[CaseRecord]) -> Iterator[str]:
    """How many cases need a look, and why; each case is counted in one part."""
    left = [case for case in cases if kind(case) in OPEN and not case.is_worse]
    if worse := sum(case.is_worse for case in cases):
        yield f"{worse:,} {'passes' if worse == 1 else 'pass'} less often"
    if changed := [case for case in left if case.changed]:
        wrong = sum(kind(case) is Kind.FAILED for case in changed)
        more = f" ({wrong:,} of them not as expected)" if wrong else ""
        yield f"{len(changed):,} changed{more}"
    left = [case for case in left if not case.changed]
    trouble = sum(kind(case) is Kind.TROUBLE for case in left)
    errors = sum(ends_with_error(case) for case in left)
    wrong = len(left) - trouble - errors
    for count, one, many in (
        (errors, "ends with an error", "end with an error"),
        (wrong, "is not as expected", "are not as expected"),
        (trouble, "has no verdict", "have no verdict"),
    ):
        if count:
            yield f"{count:,} {one if count == 1 else many}"


def ends_with_error(case: CaseRecord) -> bool:
    """Whether a case fails, as its run ended with an error."""
    shown = case.shown
    return kind(case) is Kind.FAILED and shown is not None and shown.status is Status.ERRORED


def error_block(case: CaseRecord) -> str:
    """`NAME (type)` of the block that failed; empty if the run succeeded."""
    return (case.shown.error or "").partition(": ")[0] if ends_with_error(case) and case.shown else ""


def _drifts(drifts: Sequence[DriftRecord]) -> Iterator[str]:
    """How many apps are saved in another version than the pinned one, and of how many that is unknown."""
    unknown = sum(drift.is_undecided for drift in drifts)
    drifted = sum(not drift.passed for drift in drifts) - unknown
    if drifted:
        yield f"{plural(drifted, 'app')} drifted from the pinned version"
    if unknown:
        yield f"of {plural(unknown, 'app')} the drift is unknown"


def _nothing_found(session: SessionRecord, cases: Sequence[CaseRecord]) -> str:
    """The verdict on cases that need no look."""
    kinds, total = Counter(map(kind, cases)), plural(len(cases), "case")
    if kinds[Kind.SKIPPED] == len(cases):
        return f"No case ran; {plural(len(cases), 'case')} skipped." if cases else "No case ran."
    if kinds[Kind.CHECKED] == len(cases):
        return f"{total} can be replayed; none was run (--dust-check)."
    if _suite_cases(cases) < session.selection.selected:
        return (
            f"{kinds[Kind.PASSED]:,} of {plural(session.selection.selected, 'selected case')} ran and passed."
        )
    if kinds[Kind.PASSED] < len(cases):
        return f"{kinds[Kind.PASSED]:,} of {total} passed; none failed."
    compared = all(case.compared for case in cases)
    return f"{total} passed{', and nothing changed' if compared else ''}."


def _suite_cases(cases: Iterable[CaseRecord]) -> int:
    return sum(not case.is_test for case in cases)


def _partial(session: SessionRecord) -> Iterator[str]:
    """Why not all cases are in the record."""
    yield from map(safe, session.partial)
    ran = _suite_cases(session.once)
    if ran < session.selection.selected:
        yield f"{ran:,} of {plural(session.selection.selected, 'selected case')} ran"
    if session.selection.deselected:
        yield f"{plural(session.selection.deselected, 'case')} not selected"
    for problem in session.problems:
        if "::" not in problem.where:
            yield f"{safe(problem.where)}: the cases of this suite did not run"
    failed = any(case.outcome is CaseOutcome.FAILED for case in session.once) or session.problems
    beside = [*session.failed_because, *(drift.id for drift in session.drifts if not drift.passed)]
    beside += [gate.id for gate in session.gates if not gate.passed]
    if session.exit_status == 1 and not (failed or beside):
        yield "something beside these cases failed (exit status 1); the output of the session says what"


def _groups(cases: Sequence[CaseRecord]) -> Iterator[Group]:
    yield from _worse([case for case in cases if kind(case) is Kind.WORSE])
    known = [case for case in cases if kind(case) in (Kind.FAILED, Kind.CHANGED)]
    yield from _errors([case for case in known if not case.changed and ends_with_error(case)])
    found = [_by_cause(group) for group in groups.by(groups.cause, known)]
    yield from sorted(found, key=lambda group: (not group.failed, -len(group.cases)))
    if others := tuple(case for case in known if not (case.changed or ends_with_error(case))):
        are = "is" if len(others) == 1 else "are"
        yield Group(f"{plural(len(others), 'case')} {are} not as expected; no change is known", others)
    trouble = [case for case in cases if kind(case) is Kind.TROUBLE]
    for group in groups.by(groups.alike, trouble):
        has = "has" if len(group) == 1 else "have"
        note = safe(group[0].message.split("\n", 1)[0])
        yield Group(f"{plural(len(group), 'case')} {has} no verdict", group, note=note)


def _worse(cases: Sequence[CaseRecord]) -> Iterator[Group]:
    """The cases that pass less often, by app and the block in which the change begins."""
    for group in groups.by(lambda case: (case.app, case.worse and case.worse.begins_in), cases):
        block = group[0].worse.begins_in if group[0].worse else ""
        where = f"the change begins in {safe_name(block)}" if block else "no block is sure"
        passes = "passes" if len(group) == 1 else "pass"
        yield Group(f"{plural(len(group), 'case')} {passes} less often; {where}", group)


def _errors(cases: Sequence[CaseRecord]) -> Iterator[Group]:
    """The cases whose runs ended with an error, by the block that failed."""
    for group in groups.by(lambda case: (case.app, error_block(case)), cases):
        end = "ends" if len(group) == 1 else "end"
        error = (group[0].shown.error or "") if group[0].shown else ""
        title = f"{plural(len(group), 'case')} {end} with an error in {safe_name(error_block(group[0]))}"
        yield Group(title, group, note=safe(error))


def _by_cause(cases: tuple[CaseRecord, ...]) -> Group:
    cause = groups.cause(cases[0])
    assert cause is not None  # noqa: S101  # they were grouped by it
    title = f"{plural(len(cases), 'case')}: the change begins in {cause.label}"
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
        ran = {case.shown.specification_hash for case in session.once if case.shown and app in ("", case.app)}
        shown = f"latest ({(ran.pop() or '')[:12]})" if version == LATEST and len(ran) == 1 else version[:12]
        yield f"against version {shown} of {f'app {safe_name(app)}' if app else 'each app'}"
    yield f"{session.duration:.1f} s"
    if session.pending:
        yield f"{plural(len(session.pending), 'answer')} pending"
    paid = (case.tokens for case in session.cases if case.source is not RunSource.REPLAYED)
    yield in_all(sum((*paid, *(gate.tokens for gate in session.gates)), Tokens()))
