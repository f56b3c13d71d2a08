"""Keep paid answers: in the cassette if the mode records, else as pending if they are not as recorded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from functools import partial

from pytest_dust.cassettes import files
from pytest_dust.cassettes.recording import CassetteOfCase, Recording
from pytest_dust.errors import CassetteError
from pytest_dust.model import Outcome, Source, Specification, Tokens
from pytest_dust.run.answer import Answer, Jobs, MadeRun, ended, limited_depth, tokens
from pytest_dust.run.case_request import CaseRequest
from pytest_dust.run.context import RunContext
from pytest_dust.run.pending import PendingAnswers, UnjudgedAnswer
from pytest_dust.run.unchanged import is_as_recorded, tells_more
from pytest_dust.worker_pool import Watch


class Recorded(Enum):
    """Whether the answer is in the case's cassette."""

    NO = "no"
    WRITTEN = "written"
    AS_BEFORE = "as before"
    """The cassette says the same already; it was left as it is, unless the app's blocks were to be added."""


def record(answer: Answer, context: RunContext) -> Recorded:
    """Write the case's cassette if the mode records it, before the runs are judged.

    A cassette that says the same already is left untouched. Raises CassetteError if it cannot be written; the
    answer is then kept as pending.
    """
    if answer.source is not Source.RECORDED:
        return Recorded.NO
    specification: Specification | None = None
    try:
        specification = context.specification(answer.asked.request, answer.runs()[0])
    finally:
        with limited_depth():
            recorded = _write(answer, specification, context)
    return recorded


def _write(answer: Answer, specification: Specification | None, context: RunContext) -> Recorded:
    place, pending = answer.recording.place, context.pending
    same = is_as_recorded(answer, context.network)
    if same and not tells_more(specification, answer):
        pending.forget(place.file, place.path.file.name)
        return Recorded.AS_BEFORE
    try:
        with unjudged(answer, pending):
            files.write(place.path, answer.content(specification))
    except CassetteError as error:
        pending.end_recording(f"the cassette {place.shown} {error.headline}")
        accept = f"{place.command} --dust-accept"
        if pending.elsewhere:
            accept += f" --dust-pending-dir={pending.elsewhere}"
        raise CassetteError(
            f"the cassette {place.shown} {error}\nmend that; then put the answer there: {accept}"
        ) from None
    pending.forget(place.file, place.path.file.name)
    return Recorded.AS_BEFORE if same else Recorded.WRITTEN


def unjudged(
    answer: Answer, pending: PendingAnswers, specification: Specification | None = None
) -> UnjudgedAnswer:
    """The answer as a context, which keeps it as pending if the block raises or takes long."""
    place, content = answer.recording.place, partial(answer.pending_content, specification)
    return UnjudgedAnswer(pending, place.file, place.path.file.name, content, answer.run_ids)


@contextmanager
def while_judging(answer: Answer, context: RunContext) -> Iterator[Watch[None] | None]:
    """Keep a live run's answer as pending if the block raises; yields a callback for the block's ticks."""
    if answer.source is not Source.LIVE:
        yield None
        return
    with unjudged(answer, context.pending) as kept:
        yield kept.watch


def keep_for_review(answer: Answer, outcome: Outcome, context: RunContext) -> str:
    """Keep a judged live run as pending unless it is as recorded; return the file, empty if it is not kept.

    An earlier pending answer to the case is replaced or removed.
    """
    place, pending = answer.recording.place, context.pending
    if answer.source is not Source.LIVE:
        return ""
    holds = outcome.holds or answer.asked.case.may_fail
    if answer.is_of_pinned and answer.recording.fits and holds and not _differs(outcome):
        pending.forget(place.file, place.path.file.name)
        return ""
    specification = context.specification(answer.asked.request, outcome.attempts[0].run)
    kept = unjudged(answer, pending, specification)
    message = kept.keep()
    if kept.path is None:
        pending.lost.append(message)
        return ""
    return pending.shown(kept.path)


def _differs(outcome: Outcome) -> bool:
    """Whether a run differs from its recording, also in values that are not compared by the suite's rules."""
    comparisons = [attempt.comparison for attempt in outcome.attempts]
    return any(each is None or each.values or each.blocks or each.not_compared for each in comparisons)


def keep_ended(asked: CaseRequest, place: CassetteOfCase, context: RunContext, jobs: Jobs) -> Tokens:
    """Keep the runs that have ended though their case never ran; returns the tokens they used."""
    made = ended(jobs)
    if made:
        unjudged(Answer(asked, Recording(place), Source.LIVE, made), context.pending).keep()
    return tokens(made)


def keep_passing(asked: CaseRequest, place: CassetteOfCase, context: RunContext, made: MadeRun) -> None:
    """Keep a later run as the pending answer of a case, as it passes and the first one did not."""
    answer = Answer(asked, Recording(place), Source.LIVE, (made,))
    kept = unjudged(answer, context.pending, context.specification(asked.request, answer.runs()[0]))
    message = kept.keep()
    if kept.path is None:
        context.pending.lost.append(message)


def keep_unreported(answer: Answer, pending: PendingAnswers) -> None:
    """Keep a live run's answer as pending, as its verdict was not reported."""
    if answer.source is Source.LIVE:
        unjudged(answer, pending).keep()
