"""Fresh runs of cases in both versions of their app, made in turn, so that both meet the same conditions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from pytest_dust.compare.worse import Tally
from pytest_dust.dust.network import relay
from pytest_dust.dust.transport import Update
from pytest_dust.dust.wire import Block
from pytest_dust.errors import DustError, ServiceError
from pytest_dust.model import Attempt, Event, Tokens
from pytest_dust.run import attempts
from pytest_dust.run.answer import MadeRun
from pytest_dust.run.case_request import CaseRequest
from pytest_dust.run.context import RunContext
from pytest_dust.run.gate_procedure import Wanted
from pytest_dust.run.launch import Prepared, prepare
from pytest_dust.worker_pool import Job, Watch

TRIES = 2
"""How often a run is tried that the network or the service did not answer."""


@dataclass(slots=True)
class BothVersions:
    """What the fresh runs of a case showed."""

    tally: Tally = field(default_factory=Tally)
    tokens: Tokens = field(default_factory=Tokens)
    trouble: str = ""
    """Why a run is missing; empty if none is."""
    old: list[Attempt] = field(default_factory=list)
    """The runs of the pinned version, if they are wanted."""
    new: list[Attempt] = field(default_factory=list)
    """Those of the other one."""
    passing: MadeRun | None = None
    """The first run of the other version that passes, if it is wanted."""

    def add(self, attempt: Attempt, *, is_old: bool, whole: bool) -> None:
        """Count a run, and keep it if it is wanted as a whole."""
        passed = int(attempt.passed)
        self.tally += Tally(passed, 1, 0, 0) if is_old else Tally(0, 0, passed, 1)
        self.tokens += attempt.tokens
        if whole:
            (self.old if is_old else self.new).append(attempt)


class FreshCase(Struct, frozen=True):
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
    cases: Sequence[FreshCase], context: RunContext, watch: Watch[Event] | None = None, *, whole: bool = False
) -> list[BothVersions]:
    """The fresh runs of cases, judged by their expectations; a run that is not answered is tried again.

    `whole` keeps the runs, which take memory.
    """
    found = [BothVersions() for _ in cases]
    planned = list(_planned(cases, context, found))
    for last in (number == TRIES for number in range(1, TRIES + 1)):
        lost: list[_Planned] = []
        for run in _started(planned, context):
            case, both = cases[run.number], found[run.number]
            try:
                made = _made(run, context, watch)
                attempt = judged(made, case.asked)
            except DustError as error:
                lost.append(run)
                both.trouble = error.headline if last else ""
                continue
            both.add(attempt, is_old=run.is_old, whole=whole)
            if case.wanted.keep and both.passing is None and attempt.passed and not run.is_old:
                both.passing = made
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
    for time in range(max((max(case.wanted.old, case.wanted.new) for case in cases), default=0)):
        for number, both in prepared.items():
            for is_old, version, wanted in zip((True, False), both, cases[number].wanted[:2], strict=True):
                if time < wanted:
                    yield _Planned(number, is_old, version)


def _started(runs: Sequence[_Planned], context: RunContext) -> Sequence[_Planned]:
    """The runs, started in their order."""
    tasks = [run.prepared.task(context) for run in runs]
    for run, job in zip(runs, context.pool.submit(tasks), strict=True):
        run.job = job
    return runs


def _made(run: _Planned, context: RunContext, watch: Watch[Event] | None) -> MadeRun:
    """A started run, once it has ended; raises DustError if there is none."""
    assert run.job is not None  # noqa: S101  # it is started
    [made] = context.pool.wait([run.job], relay(watch))
    run.job = None  # with its answer, of which there may be hundreds
    return made


def judged(made: MadeRun, asked: CaseRequest) -> Attempt:
    """A run judged by the expectations of its case; raises ServiceError if it cannot be read."""
    [one] = attempts.judged([made], asked)
    if isinstance(one.run, Exception) or one.failures is None:
        raise ServiceError(f"the run cannot be read: {one.run}")
    return Attempt(one.run, one.tokens, one.failures)
