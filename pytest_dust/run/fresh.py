"""Fresh runs of cases in both versions of their app, made in turn, so that both meet the same conditions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pytest_dust.checks import expectation
from pytest_dust.compare.worse import Tally
from pytest_dust.dust.network import relay
from pytest_dust.dust.run_view import viewed
from pytest_dust.dust.transport import Update
from pytest_dust.dust.wire import Block
from pytest_dust.errors import DustError, ServiceError
from pytest_dust.model import Attempt, Event, Tokens
from pytest_dust.run import judging
from pytest_dust.run.answer import MadeRun, limited_depth
from pytest_dust.run.case_request import CaseRequest
from pytest_dust.run.context import RunContext
from pytest_dust.run.gate_procedure import Wanted
from pytest_dust.run.launch import Prepared, prepare
from pytest_dust.worker_pool import Job, Watch

TRIES = 2
"""How often a run is tried that the network or the service did not answer."""


@dataclass(slots=True)
class BothVersions:
    """The fresh runs of a case: those of the pinned version, and those of the other one."""

    old: list[Attempt] = field(default_factory=list)
    new: list[Attempt] = field(default_factory=list)
    trouble: str = ""
    """Why a run is missing; empty if none is."""

    @property
    def tokens(self) -> Tokens:
        """What all runs used."""
        return sum((attempt.tokens for attempt in (*self.old, *self.new)), Tokens())

    @property
    def tally(self) -> Tally:
        """How many runs of each version passed."""
        passed = [sum(attempt.passed for attempt in runs) for runs in (self.old, self.new)]
        return Tally(passed[0], len(self.old), passed[1], len(self.new))


@dataclass(frozen=True, slots=True)
class FreshCase:
    """A case that is to get fresh runs."""

    asked: CaseRequest
    wanted: Wanted
    blocks: Sequence[Block] = ()
    """The app's blocks, by the recording."""


@dataclass(slots=True)
class _Planned:
    """One run: of which case and version."""

    number: int
    is_old: bool
    prepared: Prepared
    job: Job[MadeRun, Update] | None = None


def fresh_runs(
    cases: Sequence[FreshCase], context: RunContext, watch: Watch[Event] | None = None
) -> list[BothVersions]:
    """The fresh runs of cases, judged by their expectations; a run that is not answered is tried again."""
    found = [BothVersions() for _ in cases]
    planned = list(_planned(cases, context, found))
    for last in (number == TRIES for number in range(1, TRIES + 1)):
        lost: list[_Planned] = []
        for run in _started(planned, context):
            try:
                attempt = _attempt(run, cases[run.number].asked, context, watch)
            except DustError as error:
                lost.append(run)
                found[run.number].trouble = error.headline if last else ""
                continue
            both = found[run.number]
            (both.old if run.is_old else both.new).append(attempt)
        planned = lost
    return found


def _planned(
    cases: Sequence[FreshCase], context: RunContext, found: Sequence[BothVersions]
) -> Iterator[_Planned]:
    """The runs in the order in which they start: each case once in both versions, then each once more."""
    prepared: dict[int, tuple[Prepared, Prepared]] = {}
    for number, case in enumerate(cases):
        try:
            versions = case.asked.request.specification_hash, case.asked.version
            old, new = (prepare(case.asked, each, context, case.blocks, fresh=True) for each in versions)
            prepared[number] = old, new
        except DustError as error:
            found[number].trouble = error.headline
    for time in range(max((max(case.wanted) for case in cases), default=0)):
        for number, both in prepared.items():
            for is_old, version, wanted in zip((True, False), both, cases[number].wanted, strict=True):
                if time < wanted:
                    yield _Planned(number, is_old, version)


def _started(planned: Iterable[_Planned], context: RunContext) -> list[_Planned]:
    """The runs, started in their order."""
    runs = list(planned)
    tasks = [run.prepared.task(context) for run in runs]
    for run, job in zip(runs, context.pool.submit(tasks), strict=True):
        run.job = job
    return runs


def _attempt(run: _Planned, asked: CaseRequest, context: RunContext, watch: Watch[Event] | None) -> Attempt:
    """A started run, once it has ended and is judged; raises DustError if there is none."""
    assert run.job is not None  # noqa: S101  # it is started
    [made] = context.pool.wait([run.job], relay(watch))
    run.job = None  # with its answer, of which there may be hundreds
    return judged(made, asked)


def judged(made: MadeRun, asked: CaseRequest) -> Attempt:
    """A run judged by the expectations of its case; raises ServiceError if it cannot be read."""
    if isinstance(made.run, Exception):
        raise ServiceError(f"the run cannot be read: {made.run}") from None
    with limited_depth():
        view = viewed(made.run, plural=asked.case.plural).view
        expect = expectation.masked(asked.case.expect, asked.mask)
        return Attempt(made.run, made.tokens, judging.failures(expect, view, asked.timeout))
