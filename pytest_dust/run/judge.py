"""Judge the runs of a case: check its expectations, and compare new runs with the recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from msgspec.structs import replace

from pytest_dust.cassettes.recording import Recording
from pytest_dust.checks import expectation
from pytest_dust.compare import repeats
from pytest_dust.deadline import TimeIsUp
from pytest_dust.dust import wire
from pytest_dust.dust.run_view import viewed
from pytest_dust.errors import CassetteError, JudgeError, ServiceError
from pytest_dust.model import (
    Attempt,
    Case,
    Comparison,
    Failure,
    Outcome,
    Path,
    RepeatVerdict,
    Source,
    ViewedRun,
)
from pytest_dust.report.misses import undecided
from pytest_dust.run import judging
from pytest_dust.run.answer import Answer, MadeRun, limited_depth
from pytest_dust.run.context import RunContext
from pytest_dust.run.keep import while_judging
from pytest_dust.run.recorded import recorded_filter, recorded_runs
from pytest_dust.settings import Settings
from pytest_dust.worker_pool import Watch


def judge(answer: Answer, context: RunContext) -> Outcome:
    """The outcome of a case: its attempts with failed expectations, and changes since the recording.

    A live run that cannot be judged is kept as pending. Raises JudgeError if runs cannot be compared, and
    CassetteError if recorded attempts do not decide.
    """
    with while_judging(answer, context) as watch:
        outcome = judged(answer, context.settings, watch)
    if answer.source is Source.REPLAYED and outcome.verdict and outcome.verdict.passed is None:
        place = answer.recording.place
        raise CassetteError(undecided(place.shown, outcome.verdict.why, place.command))
    return outcome


def judged(answer: Answer, settings: Settings, watch: Watch[None] | None = None) -> Outcome:
    """The outcome of runs; raises DustError if they cannot be judged."""
    case, source = answer.asked.case, answer.source
    with limited_depth():
        attempts = _attempts(answer, watch)
    if source is Source.LIVE:
        _refuse_lost(attempts)
    on_change = settings.on_change or case.baseline.on_change
    fails_on_change = source is Source.LIVE and on_change == "fail" and not settings.is_gated(case.app.id)
    waited = max(each.reply.waited for each in answer.made)
    verdict = _verdict(case, attempts)
    return Outcome(source, attempts, waited, case.repeat, verdict, fails_on_change, answer.cached)


def _verdict(case: Case, attempts: Sequence[Attempt]) -> RepeatVerdict | None:
    """What the attempts of a repeated case come to."""
    if case.repeat is None:
        return None
    return repeats.verdict(case.repeat, [attempt.passed for attempt in attempts])


def _refuse_lost(attempts: tuple[Attempt, ...]) -> None:
    """Raise ServiceError if a compared path finds nothing on either side: every change would pass."""
    for attempt in attempts:
        if attempt.comparison is not None and attempt.comparison.lost:
            raise ServiceError(
                f"baseline.compare: {attempt.comparison.lost[0]}; "
                "neither the run nor its recording has it: mend the path"
            )


def _attempts(answer: Answer, watch: Watch[None] | None) -> tuple[Attempt, ...]:
    """The runs checked and, if they are new and there is a recording, compared with it.

    Each may take the case's timeout, and the same again for its comparison.
    """
    case, cassette, seconds = answer.asked.case, answer.recording.cassette, answer.asked.timeout
    runs = [viewed(run, plural=case.plural) for run in answer.runs()]
    expect = expectation.masked(case.expect, answer.asked.mask)
    attempts = tuple(
        Attempt(
            one.run, made.tokens, _failures(made, partial(judging.failures, expect, one.view, seconds, watch))
        )
        for one, made in zip(runs, answer.made, strict=True)
    )
    if cassette is None or answer.source is Source.REPLAYED:
        return attempts
    compare = _comparing(case, answer.recording)
    return tuple(
        replace(attempt, comparison=_compared(compare, one, seconds, watch))
        for attempt, one in zip(attempts, runs, strict=True)
    )


def _failures(made: MadeRun, judge_it: Callable[[], tuple[Failure, ...]]) -> tuple[Failure, ...]:
    """The failed expectations of a run; if it was judged already, those that were found then."""
    return judge_it() if made.failures is None else made.failures


def _compared(
    compare: Callable[[ViewedRun], Comparison], run: ViewedRun, seconds: float, watch: Watch[None] | None
) -> Comparison:
    try:
        return judging.in_thread(seconds, partial(compare, run), watch)
    except TimeIsUp:
        raise JudgeError(
            f"comparing the run with its recording took longer than {seconds:g} s; "
            "compare less (baseline.compare), or raise timeout: in the suite"
        ) from None


def _comparing(case: Case, found: Recording) -> Callable[[ViewedRun], Comparison]:
    """A function that compares an attempt with the recording, if that has the same app and inputs.

    Of a repeated recording, a value that one of its attempts has is no change.
    """
    from pytest_dust.compare import baseline  # 5 ms, which a replay does not need

    cassette = found.cassette
    assert cassette is not None  # noqa: S101  # as the caller saw
    when = cassette.recorded_at
    if any(change.path[0] in ("app", "inputs") for change in found.moved):
        apart = Comparison(when, (), (), 0, "it was made for another app or other inputs")
        return lambda _: apart
    filter_then = recorded_filter(cassette)
    common = None if filter_then == case.block_filter else _in_both(filter_then, case.block_filter)
    try:
        runs = [wire.filtered(run, common) for run in recorded_runs(cassette)]
    except ServiceError:
        return lambda _: Comparison(when, (), (), 0, "it holds no run")
    olds = [viewed(run, plural=case.plural) for run in runs]

    def compare(new: ViewedRun) -> Comparison:
        if common is not None:
            new = viewed(wire.filtered(new.run, common), plural=case.plural)
        return _against_all([baseline.compare(old, new, case.baseline, when) for old in olds])

    return compare


def _against_all(comparisons: list[Comparison]) -> Comparison:
    """What changed against every recorded attempt: a value that one of them showed is no change."""
    if len(comparisons) == 1:
        return comparisons[0]
    paths = [{change.path for change in one.values} for one in comparisons]
    above = [{path[:depth] for path in each for depth in range(len(path))} for each in paths]
    nearest = min(comparisons, key=lambda one: len(one.values))
    met = (one for one in nearest.values if all(map(_meets, [one.path] * len(paths), paths, above)))
    return replace(nearest, values=tuple(met))


def _meets(path: Path, others: set[Path], above: set[Path]) -> bool:
    """Whether a path is one of the others, or one lies below the other: shapes may differ."""
    return path in above or any(path[:depth] in others for depth in range(len(path) + 1))


def _in_both(one: tuple[str, ...] | None, other: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The blocks that two filters let through; None lets all through."""
    if one is None or other is None:
        return other if one is None else one
    return tuple(name for name in other if name in one)
