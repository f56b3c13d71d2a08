"""What a gate compared, app by app, so that a gate that compared nothing is not taken for a passed one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from pytest_dust.report.comparison import begins_in
from pytest_dust.report.record import CaseRecord, RunSource
from pytest_dust.wording import plural

MAX_LISTED = 10
"""Maximum number of blocks named in one line."""
NO_RECORDING = "there is no recording"
"""Why a run was not compared, if it has no recording."""


def not_compared(case: CaseRecord) -> str:
    """Why a case that ran was not compared; empty if it was, or if it has no run."""
    if not case.attempts:
        return ""
    return case.comparison.not_compared if case.comparison else NO_RECORDING


def by_app(runs: Sequence[CaseRecord]) -> Iterator[str]:
    """For each compared app: how many runs changed, and in which blocks the changes begin."""
    for app in dict.fromkeys(run.app for run in runs):
        own = [run for run in runs if run.app == app and run.compared]
        if not own:
            continue
        apart = sum(run.app == app for run in runs) - len(own)
        less = f", {apart:,} not compared" if apart else ""
        begins = Counter(_begins(run) for run in own if run.comparison and run.comparison.changed)
        changed = sum(begins.values())
        where = ", ".join(f"{count:,} in {block}" for block, count in begins.most_common(MAX_LISTED))
        begin = f", beginning {where}" if where else ""
        yield f"dust: app {app}: {len(own) - changed:,} unchanged, {changed:,} changed{begin}{less}"


def partly_compared(app: str, runs: Sequence[CaseRecord]) -> Iterator[str]:
    """How many runs of an app were not compared, if others were."""
    apart = Counter(filter(None, map(not_compared, runs)))
    if apart and any(run.compared for run in runs):
        reasons = ", ".join(f"{count:,} as {reason}" for reason, count in apart.most_common())
        total = plural(len(runs), "run")
        yield f"dust: app {app}: {sum(apart.values()):,} of {total} not compared: {reasons}"


def nothing_compared(app: str, runs: Sequence[CaseRecord], cases: int, selected: int) -> str:
    """Why nothing was compared for an app; `cases` and `selected` are the numbers of its cases in suites."""
    reasons = Counter(filter(None, map(not_compared, runs)))
    parts = [f"{plural(count, 'run')} not compared, as {reason}" for reason, count in reasons.most_common()]
    sources = Counter(run.source for run in runs)
    for without in (RunSource.WITHOUT_A_RUN, RunSource.NOT_JUDGED):
        parts += [f"{plural(sources[without], 'case')} {without}"] if sources[without] else []
    idle = max(0, selected - len(runs))
    parts += [f"{plural(idle, 'selected case')} skipped or not run"] if idle else []
    if cases and not selected and not runs:
        parts.append(
            "its only case is not selected" if cases == 1 else f"none of its {cases:,} cases is selected"
        )
    advice = "; record first: pytest --dust-mode=record" if NO_RECORDING in reasons else ""
    return f"dust: app {app}: 0 compared: {', '.join(parts) or 'no run was made'}{advice}"


def only_pinned(apps: Iterable[str]) -> Iterator[str]:
    """Lines on apps whose pinned version ran, though another was asked for."""
    for app in apps:
        yield (
            f"dust: no other version was tried of app {app}: the one that ran is the one that is pinned "
            "(what was saved in Dust and never run there has no version yet)"
        )


def _begins(run: CaseRecord) -> str:
    """`NAME (type)` of the block in which a changed run's change begins."""
    comparison = run.comparison
    return begins_in(comparison) if comparison and comparison.blocks else "no known block"
