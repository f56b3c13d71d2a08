"""Get the runs of a case: from its cassette, or from the service."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pytest_dust.cassettes import recording
from pytest_dust.cassettes.recording import CassetteOfCase, Recording
from pytest_dust.dust.network import relay
from pytest_dust.errors import CassetteError, DustError
from pytest_dust.model import Event, Source, Tokens
from pytest_dust.run.answer import Answer, Jobs, MadeRun, ended, limited_depth, tokens
from pytest_dust.run.case_request import CaseRequest
from pytest_dust.run.context import RunContext
from pytest_dust.run.keep import unjudged
from pytest_dust.run.launch import launch
from pytest_dust.run.pending import add_note
from pytest_dust.run.recorded import recorded
from pytest_dust.run.replay import replayed
from pytest_dust.run.source import choose
from pytest_dust.worker_pool import Watch


def obtain(
    asked: CaseRequest,
    place: CassetteOfCase,
    context: RunContext,
    jobs: Jobs = (),
    watch: Watch[Event] | None = None,
) -> Answer:
    """The runs of a case, from where its mode says, neither recorded nor judged yet.

    Waits for `jobs`, the runs that are started already, or starts them. Raises CassetteError or
    ServiceError if there is no run.
    """
    with limited_depth():
        found = recording.load(place, dict(asked.bound), asked.mask, context.read_ahead.take)
        source = _source(found, context)
        answer = partial(Answer, asked, found, source)
        if source is Source.REPLAYED:
            return answer(tuple(replayed(asked.request, found, context.network)))
        if not jobs:
            jobs = launch(asked, place, context, recorded(found.cassette).blocks, urgent=True)
        return _waited(jobs, context, answer, watch)


def _source(found: Recording, context: RunContext) -> Source:
    """Where the run comes from; raises CassetteError, which tells of a pending answer if there is one."""
    try:
        return choose(context.settings.mode, found)
    except CassetteError as error:
        place = found.place
        if place.path.file.name in context.pending.folder.names(place.file):
            add_note(error, f"an answer to it is pending; see and accept it: {place.command} --dust-review")
        raise


def _waited(
    jobs: Jobs,
    context: RunContext,
    answer: Callable[[tuple[MadeRun, ...]], Answer],
    watch: Watch[Event] | None,
) -> Answer:
    """The answer, once all runs have ended; if one fails, those that ended are kept as pending."""
    try:
        return answer(tuple(context.pool.wait(jobs, relay(watch))))
    except (DustError, KeyboardInterrupt) as error:
        done = ended(jobs)
        if done:
            kept = unjudged(answer(done), context.pending).keep()
            add_note(error, f"{len(done)} of its {len(jobs)} runs had ended; {kept}")
        if isinstance(error, DustError):
            error.spent = tokens(done) + (error.spent or Tokens())
        raise
