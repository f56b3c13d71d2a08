"""The summary at the end of a session, written from its record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from pytest_dust.characters import safe, safe_name
from pytest_dust.model import Tokens
from pytest_dust.report import repeats
from pytest_dust.report.cache import cached
from pytest_dust.report.files import file_lines
from pytest_dust.report.record import CaseRecord, GateRecord, RunSource, SessionRecord, SurplusRuns
from pytest_dust.report.tokens import in_all, uncounted, used
from pytest_dust.wording import first_names, plural

MAX_LISTED = 10
"""Cases named under one heading; more are counted."""
MAX_NAMED = 3
"""Files or ids named in one line; more are counted."""


def summary(session: SessionRecord) -> Iterator[str]:
    """How many cases came from where, what they used, what changed, and which files need attention."""
    if session.cases:
        yield from _cases(session)
    yield from _without_effect(session)
    if session.files is not None:
        yield from file_lines(session.files, session.folder)
    yield from _surplus(session.surplus)
    yield from _renamed(session.renamed)


def _cases(session: SessionRecord) -> Iterator[str]:
    cases = session.final
    made = [case for case in cases if case.source.is_new]
    yield from _totals(session)
    if session.mode == "rerecord":
        yield from _rerecorded([case for case in made if case.attempts])
    yield from _waits([case.waited for case in cases if case.waited])
    yield from cached(made)
    yield from _left_out(cases)
    yield from _repeated([case for case in cases if case.repeat and case.attempts])
    gated = {gate.app for gate in session.gates}
    changed = [case for case in cases if case.passed and case.changed]
    yield from _changed([case for case in changed if case.app not in gated])
    yield from _differ([case for case in changed if case.app in gated])


def _totals(session: SessionRecord) -> Iterator[str]:
    """The first line: cases by source, and tokens, those of cases that a plugin ran again too."""
    sources = Counter(case.source for case in session.final)
    counts = [f"{sources[source]:,} {source}" for source in RunSource if sources[source]]
    paid = (case.tokens for case in session.cases if case.source is not RunSource.REPLAYED)
    tokens = sum((*paid, *(gate.tokens for gate in session.gates)), Tokens())
    yield f"dust: {', '.join([*counts, *_fresh_runs(session.gates), in_all(tokens)])}"
    if session.max_tokens is not None and tokens.unknown:
        yield uncounted(tokens.unknown)


def _fresh_runs(gates: Sequence[GateRecord]) -> Iterator[str]:
    """How many more runs the gates made."""
    if more := sum(gate.runs - gate.first_runs for gate in gates):
        yield f"{more:,} more for the gate"


def _rerecorded(cases: Sequence[CaseRecord]) -> Iterator[str]:
    """How many cassettes were left as they are, as the new runs say the same."""
    counts = Counter(_recorded_as(case) for case in cases)
    if cases:
        new = f", {counts['new']:,} new" if counts["new"] else ""
        yield f"dust: {counts['as recorded']:,} as recorded, {counts['changed']:,} changed{new}"


def _recorded_as(case: CaseRecord) -> str:
    if case.as_recorded:
        return "as recorded"
    return "changed" if case.comparison is not None else "new"


def _waits(waits: Sequence[float]) -> Iterator[str]:
    if waits:
        longest = "" if len(waits) == 1 else "the longest "
        yield (
            f"dust: {plural(len(waits), 'case')} waited for the service's rate limit (429), "
            f"{longest}{max(waits):.0f} s"
        )


def _left_out(cases: Sequence[CaseRecord]) -> Iterator[str]:
    """What differs in every run, and was not compared for that reason."""
    compared = (attempt.comparison for case in cases for attempt in case.attempts if attempt.comparison)
    names = list(dict.fromkeys(safe(name) for each in compared for name in each.left_out))
    if names:
        listed = first_names(names, MAX_LISTED)
        yield f"dust: not compared, as new in every run: {listed} (baseline.volatile: keep compares it)"


def _repeated(cases: Sequence[CaseRecord]) -> Iterator[str]:
    for case in cases[:MAX_LISTED]:
        what = repeats.why(case) or repeats.passed(case)
        yield f"dust: {safe_name(case.id)}: {what}: {repeats.marks(case)}   {repeats.rate(case)}"
    if len(cases) > MAX_LISTED:
        yield f"dust: … and {len(cases) - MAX_LISTED:,} more repeated cases"


def _changed(cases: Sequence[CaseRecord]) -> Iterator[str]:
    """What changed in cases that passed."""
    if not cases:
        return
    from pytest_dust.report.comparison import begins, comparison_lines  # 10 ms, for changes alone
    from pytest_dust.report.fold import fold_lines, folds

    noun = "case that passed" if len(cases) == 1 else "cases that passed"
    yield f"dust: {len(cases):,} {noun} changed since the recording:"
    groups = folds(cases)
    for group in groups:
        yield from (f"  {line}" for line in fold_lines(group))
    folded = {case.id for group in groups for case in group}
    cases = [case for case in cases if case.id not in folded]
    for case in cases[:MAX_LISTED]:
        assert case.comparison is not None  # noqa: S101  # it changed
        yield f"  {safe_name(case.id)}: {begins(case.comparison)}"
        yield from list(comparison_lines(case.comparison))[1:]
    if len(cases) > MAX_LISTED:
        yield f"  … and {len(cases) - MAX_LISTED:,} more"


def _differ(cases: Sequence[CaseRecord]) -> Iterator[str]:
    """How many cases of apps with a gate differ from their recordings, as those of noisy apps always do."""
    if cases:
        differ = f"{plural(len(cases), 'case')} that passed {'differs' if len(cases) == 1 else 'differ'}"
        yield f"dust: {differ} from the recording; a report shows how: --dust-report=report.html"


def _without_effect(session: SessionRecord) -> Iterator[str]:
    """Say that --dust-on-change=fail does nothing where no live run is compared."""
    if session.cases and session.on_change == "fail" and session.mode != "live":
        nothing = session.mode == "replay"
        what = "0 compared" if nothing else "changes of new recordings are reported and do not fail"
        yield f"dust: {what}: --dust-on-change=fail is for live runs (--dust-mode=live)"


def _surplus(runs: SurplusRuns) -> Iterator[str]:
    """Live runs that no case waited for, which may cost all the same."""
    if runs.made or runs.under_way:
        tokens = f" ({used(runs.tokens)})" if runs.made else ""
        made = plural(runs.made, "run")
        yield f"dust: {made} made{tokens} and {runs.under_way:,} under way that no case waited for"


def _renamed(suites: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Which cases have a number in place of an id that would show a secret."""
    for suite, ids in sorted(suites.items())[:MAX_LISTED]:
        yield (
            f"dust: {suite}: {first_names(ids, MAX_NAMED)}: numbered, "
            "as a secret or redacted value would stand in the id"
        )
    if len(suites) > MAX_LISTED:
        yield f"dust: … and {len(suites) - MAX_LISTED:,} more suites with numbered cases"
