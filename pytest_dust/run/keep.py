"""Keep paid answers: in the cassette where the mode records, as pending where nothing else holds them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pytest_dust.cassettes import files
from pytest_dust.cassettes.recording import CassetteOfCase, Recording
from pytest_dust.errors import CassetteError
from pytest_dust.model import Source, Specification, Tokens
from pytest_dust.run.answer import Answer, Jobs, ended, limited_depth, tokens
from pytest_dust.run.case_request import CaseRequest
from pytest_dust.run.context import RunContext
from pytest_dust.run.pending import PendingAnswers, UnjudgedAnswer
from pytest_dust.worker_pool import Watch


def record(answer: Answer, context: RunContext) -> bool:
    """Write the case's cassette if the mode records it, before the runs are judged; True if it was written.

    Raises CassetteError if it cannot be written; the answer is then kept as pending.
    """
    if answer.source is not Source.RECORDED:
        return False
    specification: Specification | None = None
    try:
        specification = context.specification(answer.asked.request, answer.runs()[0])
    finally:
        with limited_depth():
            _write(answer, specification, context.pending)
    return True


def _write(answer: Answer, specification: Specification | None, pending: PendingAnswers) -> None:
    place = answer.recording.place
    try:
        with unjudged(answer, pending):
            files.write(place.path, answer.content(specification))
    except CassetteError as error:
        pending.end_recording(f"the cassette {place.shown} {error.headline}")
        again = f"{place.command} --dust-mode=record"
        raise CassetteError(
            f"the cassette {place.shown} {error}\n"
            f"mend that; then move the answer to {place.shown}, or record the case again: {again}"
        ) from None
    pending.forget(place.file, place.path.file.name)


def unjudged(answer: Answer, pending: PendingAnswers) -> UnjudgedAnswer:
    """The answer as a context, which keeps it as pending if the block raises or takes long."""
    place = answer.recording.place
    return UnjudgedAnswer(pending, place.file, place.path.file.name, answer.content, answer.run_ids)


@contextmanager
def while_judging(answer: Answer, context: RunContext) -> Iterator[Watch[None] | None]:
    """Keep a live run's answer as pending if the block raises; yields a callback for the block's ticks."""
    if answer.source is not Source.LIVE:
        yield None
        return
    with unjudged(answer, context.pending) as kept:
        yield kept.watch


def keep_ended(asked: CaseRequest, place: CassetteOfCase, context: RunContext, jobs: Jobs) -> Tokens:
    """Keep the runs that have ended though their case never ran; returns the tokens they used."""
    made = ended(jobs)
    if made:
        unjudged(Answer(asked, Recording(place), Source.LIVE, made), context.pending).keep()
    return tokens(made)


def keep_unreported(answer: Answer, pending: PendingAnswers) -> None:
    """Keep a live run's answer as pending, as its verdict was not reported."""
    if answer.source is Source.LIVE:
        unjudged(answer, pending).keep()
