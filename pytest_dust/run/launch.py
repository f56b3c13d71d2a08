"""Start the runs of a case at the service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import replace

from pytest_dust.cassettes import writable
from pytest_dust.cassettes.recording import CassetteOfCase
from pytest_dust.dust import service_cache, token_counts, wire
from pytest_dust.dust.missing import refuse_missing
from pytest_dust.dust.network import LiveRun
from pytest_dust.dust.transport import Update
from pytest_dust.dust.wire import Block
from pytest_dust.errors import CassetteError, DustError, ServiceError
from pytest_dust.model import Reply, RunRequest
from pytest_dust.report.misses import unwritable
from pytest_dust.run.answer import Jobs, MadeRun
from pytest_dust.run.budget import Budget
from pytest_dust.run.case_request import CaseRequest
from pytest_dust.run.context import RunContext
from pytest_dust.run.pending import PendingAnswers
from pytest_dust.settings import Mode
from pytest_dust.worker_pool import Task


def launch(
    asked: CaseRequest,
    place: CassetteOfCase,
    context: RunContext,
    recorded: Sequence[Block] = (),
    *,
    urgent: bool = False,
) -> Jobs:
    """Start the first runs of a case, before those that wait if they are urgent.

    `recorded` are the blocks in its recording. Raises ServiceError if the runs cannot or may not be made,
    CassetteError if they could not be recorded.
    """
    if context.blocked:
        raise ServiceError(context.blocked)
    request = asked.request
    refuse_missing(request.app.workspace, request.app.space, context.network.environ)
    if context.differences is not None:
        context.differences.check()
    if context.settings.mode in (Mode.RECORD, Mode.RERECORD):
        _refuse_unwritable(place, context.pending)
    prepared = _of_case(asked, context, recorded)
    return _start(prepared, context, asked.case.first_runs, urgent=urgent)


def launch_more(asked: CaseRequest, context: RunContext, recorded: Sequence[Block], count: int) -> Jobs:
    """Start so many further runs of a case of which some have ended, before those that wait."""
    return _start(_of_case(asked, context, recorded), context, count, urgent=True, begun=True)


def _of_case(asked: CaseRequest, context: RunContext, recorded: Sequence[Block]) -> Prepared:
    """The run of a case in the version that the session asks for."""
    fresh = context.settings.fresh or asked.case.repeat is not None
    return prepare(asked, asked.version, context, recorded, fresh=fresh)


def _start(prepared: Prepared, context: RunContext, count: int, *, urgent: bool, begun: bool = False) -> Jobs:
    """Start a run so many times; `begun` if another run of the case has ended."""
    repetitions = _Repetitions(begun)
    tasks = [_repetition(prepared, context, repetitions) for _ in range(count)]
    return context.pool.submit(tasks, urgent=urgent)


class Prepared(Struct, frozen=True):
    """A run that can be made any number of times, and the known blocks of its app."""

    live_run: LiveRun
    known: Sequence[Block]

    def task(self, context: RunContext) -> Task[MadeRun, Update]:
        """One such run, counted against the budget when it begins."""
        task = context.network.task(self.live_run, context.pool.pause)

        def make(update: Callable[[Update], None]) -> MadeRun:
            try:
                context.budget.take()
                reply = task.call(update)
                return _read(reply, self.live_run.request, context.budget, self.known)
            except DustError as error:
                if error.spent:
                    context.budget.note(error.spent.known, error.spent.unknown)
                raise

        return Task(make, task.seconds, task.stop, task.timeout_error)


def prepare(
    asked: CaseRequest, version: str, context: RunContext, recorded: Sequence[Block] = (), *, fresh: bool
) -> Prepared:
    """The run of a case with a version of its app; `fresh` turns the service's cache off."""
    known, request = tuple(recorded), replace(asked.request, specification_hash=version)
    if fresh:
        known += tuple(context.saved_blocks(request.app))
        request = replace(request, config=service_cache.without_cache(request.config, known))
    return Prepared(LiveRun(request, asked.case.flavor, asked.timeout, asked.mask), known)


def _refuse_unwritable(place: CassetteOfCase, pending: PendingAnswers) -> None:
    """Raise CassetteError if no run may be made, as its cassette could not be written."""
    pending.refuse_more()
    try:
        writable.refuse_unwritable(place.path)
    except CassetteError as error:
        raise CassetteError(unwritable(place.shown, str(error))) from None


@dataclass(slots=True)
class _Repetitions:
    """What the runs of one case know of one another."""

    begun: bool = False
    failed: Exception | None = None


def _repetition(prepared: Prepared, context: RunContext, repetitions: _Repetitions) -> Task[MadeRun, Update]:
    """One run of a case; it does not begin if another of the case failed."""
    task = prepared.task(context)

    def make(update: Callable[[Update], None]) -> MadeRun:
        if repetitions.failed is not None:
            raise repetitions.failed
        try:
            if not repetitions.begun:  # once one has begun, all are needed
                context.pending.refuse_more()
            repetitions.begun = True
            return task.call(update)
        except Exception as error:
            repetitions.failed = error
            raise

    return Task(make, task.seconds, task.stop, task.timeout_error)


def _read(reply: Reply, request: RunRequest, budget: Budget, known: Sequence[Block]) -> MadeRun:
    """The run in a reply, with its tokens counted; raises DustError if the reply holds none."""
    try:
        run = wire.run(reply, request.block_filter, request.specification_hash)
        hidden = None if request.block_filter is None else known
        used = token_counts.of_run(reply, run, request.block_filter, known)
        made = MadeRun(reply, run, used, service_cache.may_have_answered(request.config, run, hidden))
        budget.note(made.tokens.known, made.tokens.unknown)
    except DustError:
        raise
    except Exception as error:  # noqa: BLE001  # raised again once the answer, which is paid for, is kept
        return MadeRun(reply, error)
    return made
