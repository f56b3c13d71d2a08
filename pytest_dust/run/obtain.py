"""Get the runs of a case: from its cassette, or from the service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from pytest_dust.cassettes import recording
from pytest_dust.cassettes.format import Cassette
from pytest_dust.cassettes.recording import CassetteOfCase, Recording
from pytest_dust.dust import token_counts, wire
from pytest_dust.dust.network import Network, relay
from pytest_dust.dust.wire import Block
from pytest_dust.errors import CassetteError, DustError, ServiceError
from pytest_dust.model import App, Event, Reply, RunRequest, Source, Tokens
from pytest_dust.report.misses import unreadable
from pytest_dust.run.answer import Answer, Jobs, MadeRun, ended, limited_depth, tokens
from pytest_dust.run.case_request import CaseRequest
from pytest_dust.run.context import RunContext
from pytest_dust.run.keep import unjudged
from pytest_dust.run.launch import launch
from pytest_dust.run.pending import add_note
from pytest_dust.run.recorded import recorded, saved_blocks
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
        source = choose(context.settings.mode, found)
        answer = partial(Answer, asked, found, source)
        if source is Source.REPLAYED:
            return answer(tuple(_replayed(asked.request, found, context.network)))
        if not jobs:
            jobs = launch(asked, place, context, recorded(found.cassette).blocks, urgent=True)
        return _waited(jobs, context, answer, watch)


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


def _replayed(request: RunRequest, found: Recording, network: Network) -> list[MadeRun]:
    """The runs of a cassette; raises CassetteError for whatever is wrong with it."""
    assert found.cassette is not None  # noqa: S101  # it fits, so it is there
    asked, place = _with_recorded_app(request, found.cassette), found.place
    try:
        replies = [network.replay(asked, reply) for reply in found.cassette.replies]
        return [_replay(reply, request, saved_blocks(found.cassette)) for reply in replies]
    except CassetteError as error:
        raise CassetteError(unreadable(place.shown, str(error), place.command)) from None
    except ServiceError as error:
        wrong = f"holds no run: {error.headline}"
        raise CassetteError(unreadable(place.shown, wrong, place.command)) from None


def _replay(reply: Reply, request: RunRequest, known: Sequence[Block]) -> MadeRun:
    run = wire.run(reply, request.block_filter, request.specification_hash)
    return MadeRun(reply, run, token_counts.of_run(reply, run, request.block_filter, known))


def _with_recorded_app(request: RunRequest, cassette: Cassette) -> RunRequest:
    """The request with the cassette's workspace and space, if nothing names one."""
    app = request.app
    if app.workspace and app.space:
        return request
    kept = cassette.request.get("app")
    names = kept if isinstance(kept, dict) else {}
    named = App(app.workspace or names.get("workspace"), app.space or names.get("space"), app.id)
    return replace(request, app=named)
