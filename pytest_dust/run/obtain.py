"""Get the runs of a case: from its cassette, or from the service."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pytest_dust.cassettes import recording
from pytest_dust.cassettes.recording import CassetteOfCase, Recording
from pytest_dust.dust.network import relay
from pytest_dust.errors import CassetteError
from pytest_dust.model import Event, Source, Tokens
from pytest_dust.run import attempts
from pytest_dust.run.answer import Answer, Jobs, MadeRun, ended, limited_depth, tokens
from pytest_dust.run.case_request import CaseRequest
from pytest_dust.run.context import RunContext
from pytest_dust.run.keep import unjudged
from pytest_dust.run.launch import launch, launch_more
from pytest_dust.run.pending import add_note
from pytest_dust.run.recorded import recorded
from pytest_dust.run.replay import replayed
from pytest_dust.run.source import choose
from pytest_dust.worker_pool import Watch

Answered = Callable[[tuple[MadeRun, ...]], Answer]
"""Returns the answer that such runs are."""


def obtain(
    asked: CaseRequest,
    place: CassetteOfCase,
    context: RunContext,
    jobs: Jobs = (),
    watch: Watch[Event] | None = None,
) -> Answer:
    """The runs of a case, from where its mode says, not recorded yet.

    Waits for `jobs`, the runs that are started already, or starts them. Raises CassetteError or
    ServiceError if there is no run.
    """
    with limited_depth():
        found = recording.load(place, asked.masked, asked.mask, context.read_ahead.take)
        source = _source(found, context)
        answer = partial(Answer, asked, found, source)
        if source is Source.REPLAYED:
            return answer(tuple(replayed(asked.request, found, context.network)))
        if not jobs:
            jobs = launch(asked, place, context, recorded(found.cassette).blocks, urgent=True)
        made = _waited((), jobs, context, answer, watch)
        if asked.case.is_sequential:
            made = _until_decided(made, context, answer, watch)
        return answer(made)


def _source(found: Recording, context: RunContext) -> Source:
    """Where the run comes from; raises CassetteError, which tells of a pending answer if there is one."""
    try:
        return choose(context.settings.mode, found)
    except CassetteError as error:
        place = found.place
        if place.path.file.name in context.pending.folder.names(place.file):
            add_note(error, f"an answer to it is pending; see and accept it: {place.command} --dust-review")
        raise


def _until_decided(
    made: tuple[MadeRun, ...], context: RunContext, answered: Answered, watch: Watch[Event] | None
) -> tuple[MadeRun, ...]:
    """The runs of a sequential test: those that were made, and more until they decide; each is judged.

    If judging them or starting more raises, also at Ctrl-C, those that ended are kept as pending.
    """
    answer = answered(made)
    asked = answer.asked
    while True:
        with unjudged(answered(made), context.pending) as kept:
            made = attempts.judged(made, asked, kept.watch)
            count = attempts.needed(made, asked.case)
            blocks = recorded(answer.recording.cassette).blocks if count else ()
            jobs = launch_more(asked, context, blocks, count) if count else ()
        if not jobs:
            return made
        made += _waited(made, jobs, context, answered, watch)


def _waited(
    before: tuple[MadeRun, ...],
    jobs: Jobs,
    context: RunContext,
    answered: Answered,
    watch: Watch[Event] | None,
) -> tuple[MadeRun, ...]:
    """The runs, once all have ended; if one fails, those that ended, now or before, are kept as pending.

    Likewise if waiting is ended, by Ctrl-C or by a plugin such as pytest-timeout.
    """
    try:
        return tuple(context.pool.wait(jobs, relay(watch)))
    except BaseException as error:
        done = before + ended(jobs)
        if done:
            kept = unjudged(answered(done), context.pending).keep()
            add_note(error, f"{len(done)} of its {len(before) + len(jobs)} runs had ended; {kept}")
        error.spent = tokens(done) + (getattr(error, "spent", None) or Tokens())  # type: ignore[attr-defined]
        raise
