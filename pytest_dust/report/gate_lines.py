"""What the gate says of an app's other version, in a line and in full."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from math import ceil

from msgspec.structs import replace

from pytest_dust.characters import safe, safe_name
from pytest_dust.report.case import findings, next_step, place, what_differs
from pytest_dust.report.record import CaseRecord, GateCaseRecord, GateRecord, GateVerdict
from pytest_dust.wording import plural

MAX_NAMED = 3
"""Cases that are named in the line of a verdict; others are counted."""
MAX_LISTED = 10
"""Cases that are described in a report; others are counted."""


def line(gate: GateRecord) -> str:
    """The verdict on an app as a line of the summary."""
    return f"dust: app {safe_name(gate.app)}: {verdict(gate)}"


def verdict(gate: GateRecord) -> str:
    """The verdict in one line: the counts and the probability, or the drop that would be caught."""
    if gate.verdict is GateVerdict.WORSE:
        return f"{gate.verdict}: {_counts(gate)} fresh runs pass ({_size(gate)}){_p(gate)}{_cases(gate)}"
    if gate.verdict is GateVerdict.NOT_RUN:
        return f"{gate.verdict}: {safe(gate.message)}"
    found = _counts(gate) if gate.old else f"{gate.new_passed}/{gate.new} first runs pass, as when recorded"
    return f"{gate.verdict}: {found}; {_drop(gate)}"


def sentence(gate: GateRecord) -> str:
    """The verdict for readers of a page: in words, without the cases."""
    app = f"app {safe_name(gate.app)}"
    if gate.verdict is GateVerdict.NOT_RUN:
        return f"{app}: the gate could not be run: {safe(gate.message)}"
    new = f"{gate.new_passed:,} of {gate.new:,} fresh runs of the other version pass"
    if not gate.old:
        return f"{app}: no worse shown: {new}, as when recorded; {_drop(gate)}"
    both = f"{new}, and {gate.old_passed:,} of {gate.old:,} of the pinned one"
    if gate.verdict is GateVerdict.WORSE:
        return f"{app}: the other version is worse: {both}"
    return f"{app}: no worse shown: {both}; {_drop(gate)}"


def _counts(gate: GateRecord) -> str:
    return f"{gate.old_passed}/{gate.old} → {gate.new_passed}/{gate.new}"


def _size(gate: GateRecord) -> str:
    least, most = gate.attempts
    attempts = str(least) if least == most else f"{least} to {most}"
    return f"{plural(gate.cases, 'case')} \u00d7 {attempts}"


def _p(gate: GateRecord) -> str:
    p = gate.p or 0.0
    shown = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    if not gate.confirmed:
        return f", {shown}"
    old_passed, old, new_passed, new = gate.confirming
    return f", and {old_passed}/{old} → {new_passed}/{new} of the confirming ones, {shown}"


def _drop(gate: GateRecord) -> str:
    return f"a drop of {ceil(100 * (gate.drop or 0.0))} points would be caught 8 times in 10"


def _cases(gate: GateRecord) -> str:
    if not gate.worse:
        return "; no single case stands out"
    names = short_names(gate)
    listed = [f"{names[case.id]} {one_case(case)}" for case in gate.worse[:MAX_NAMED]]
    more = len(gate.worse) - MAX_NAMED
    listed += [f"{more:,} more"] if more > 0 else []
    return "".join(f"; {each}" for each in listed)


def one_case(case: GateCaseRecord) -> str:
    """How often a case passed in both versions, and where its change begins."""
    counts = f"{case.old_passed}/{case.old} → {case.new_passed}/{case.new}"
    if not case.begins_in:
        return counts
    return f"{counts}, begins in {safe_name(case.begins_in)}, in {case.begins_attempts} of {case.new}"


def case_sentence(case: GateCaseRecord) -> str:
    """The same in words, for readers of a page."""
    new, old = f"{case.new_passed} of {case.new}", f"{case.old_passed} of {case.old}"
    passes = f"{new} fresh runs pass, {old} in the pinned version"
    if not case.begins_in:
        return passes
    return f"{passes}; begins in {safe_name(case.begins_in)}, in {case.begins_attempts} of {case.new}"


def short_names(gate: GateRecord) -> dict[str, str]:
    """The name of each worse case, without its file where that is clear."""
    names = {case.id: case.id.rpartition("::")[2] for case in gate.worse}
    times = Counter(names.values())
    return {id_: safe_name(name if times[name] == 1 else id_) for id_, name in names.items()}


def gate_lines(gate: GateRecord, cases: Mapping[str, CaseRecord]) -> Iterator[str]:
    """The report of a gate that failed: its verdict, and what the first run of each worse case showed."""
    yield f"app {safe_name(gate.app)}: {verdict(gate)}"
    told: set[str] = set()
    for worse in gate.worse[:MAX_LISTED]:
        yield ""
        again = bool(worse.begins_in) and worse.begins_in in told
        yield from _case_lines(worse, cases.get(worse.id), in_full=not again)
        told.add(worse.begins_in)
    if len(gate.worse) > MAX_LISTED:
        yield f"  … and {len(gate.worse) - MAX_LISTED:,} more cases"


def _case_lines(worse: GateCaseRecord, case: CaseRecord | None, *, in_full: bool) -> Iterator[str]:
    """A worse case: its counts and, in full, what its first run showed if that failed too."""
    where = f"   {place(case)}" if case else ""
    yield f"{safe_name(worse.id)}   {one_case(worse)}{where}"
    if case is None or case.shown is None or case.passed:
        return
    if not in_full:
        yield f"  {what_differs(case)}"
        return
    of_gate = replace(case, is_gated=True, worse=worse)
    yield from findings(of_gate, replace(case.shown, comparison=of_gate.telling_comparison))
    yield ""
    yield f"  {next_step(case).line}"
