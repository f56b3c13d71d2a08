"""The hall: one case to its outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from pathlib import Path as FilePath
from typing import NamedTuple

from pytest_dust import clock
from pytest_dust.cassettes import files, writable
from pytest_dust.cassettes import format as cassette
from pytest_dust.cassettes.files import Spot
from pytest_dust.cassettes.format import Cassette
from pytest_dust.checks import expectation
from pytest_dust.compare import baseline
from pytest_dust.deadline import TimeIsUp
from pytest_dust.dust import service_cache, token_counts, wire
from pytest_dust.dust.missing import refuse_missing
from pytest_dust.dust.network import LiveRun, Network, relay
from pytest_dust.dust.run_view import viewed
from pytest_dust.dust.transport import Update
from pytest_dust.dust.wire import Block
from pytest_dust.errors import CassetteError, DustError, JudgeError, ServiceError
from pytest_dust.masking import Mask
from pytest_dust.model import (
    MISSING,
    App,
    Attempt,
    Case,
    Change,
    Comparison,
    Event,
    Json,
    Outcome,
    Path,
    Reply,
    Run,
    RunRequest,
    Source,
    Specification,
    Tokens,
    ViewedRun,
)
from pytest_dust.report.diff_files import Differences
from pytest_dust.report.misses import misfit, missing, unreadable, unwritable
from pytest_dust.run import judging, pending
from pytest_dust.run.budget import Budget
from pytest_dust.run.pending import Held, Keeper
from pytest_dust.settings import Mode, Settings
from pytest_dust.worker_pool import Job, Task, Watch, WorkerPool


@dataclass(frozen=True, slots=True)
class Recording:
    """What stands where a case's cassette belongs."""

    spot: Spot
    shown: str
    record: str
    """The command that records this case anew."""
    file: FilePath
    """The suite or module that the case is of."""
    read: Callable[[Spot], Cassette | None] = files.read
    """Gives what is there; raises CassetteError."""
    cassette: Cassette | None = None
    moved: tuple[Change, ...] = ()
    broken: str = ""

    @property
    def fits(self) -> bool:
        """Whether it can be replayed for the case as it is now."""
        return self.cassette is not None and not self.moved


UNKNOWN = Tokens(unknown=1)
"""The tokens of a run that cannot be read."""


@dataclass(frozen=True, slots=True)
class Made:
    """A run that was made at the service, as it came and as it is read, or what reading it raised."""

    reply: Reply
    run: Run | Exception
    tokens: Tokens = UNKNOWN
    """The tokens that the run used, with those of blocks that a filter hides."""
    cached: tuple[str, ...] = ()
    """The blocks that the service may have answered from its cache."""


Attempts = Sequence[Job[Made, Update]]
"""The runs of a case that are launched: one, or as many as it is repeated."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What a case is run with, shared by the cases of a session."""

    settings: Settings
    network: Network
    launcher: WorkerPool[Made, Update]
    mask: Mask
    budget: Budget
    specification: Callable[[RunRequest, Run], Specification | None]
    """The app's blocks as they are saved, and whether they are those that ran."""
    saved_blocks: Callable[[App], Sequence[Block]]
    """The types and names of an app's blocks as they are saved; none where nobody may ask."""
    keeper: Keeper
    differences: Differences | None = None
    """Where what changed is written in full."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The runs of a case, replayed or made, before they are judged."""

    case: Case
    recording: Recording
    bound: Mapping[str, Json]
    """What a cassette that holds the runs is bound to."""
    mask: Mask
    source: Source
    made: tuple[Made, ...]

    @property
    def cached(self) -> tuple[str, ...]:
        """The blocks that the service may have answered from its cache, each once."""
        return tuple(dict.fromkeys(name for each in self.made for name in each.cached))

    @property
    def spent(self) -> Tokens:
        """The tokens that the runs used at the service; none where they are replayed."""
        return Tokens() if self.source is Source.REPLAYED else _tokens(self.made)

    def runs(self) -> list[Run]:
        """The runs as they are read; raises what reading one of them raised."""
        for each in self.made:
            if isinstance(each.run, Exception):
                raise each.run
        return [each.run for each in self.made if isinstance(each.run, Run)]

    def content(self, specification: Specification | None = None) -> bytes:
        """The text of a cassette that holds the runs."""
        now = clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        if specification is not None:
            specification = specification._replace(blocks=self.mask.value(specification.blocks))
        replies = [each.reply for each in self.made]
        return cassette.dumps(self.mask.value(self.bound), replies, now, specification)

    def held(self, keeper: Keeper) -> Held:
        """The answer as one that may have to be kept though no cassette holds it."""
        ids = [each.run.id for each in self.made if isinstance(each.run, Run) and each.run.id]
        return Held(keeper, self.recording.file, self.recording.spot.path.name, self.content, ids)


def obtain(
    case: Case,
    recording: Recording,
    desk: Desk,
    launched: Attempts = (),
    watch: Watch[Event] | None = None,
) -> Answer:
    """The runs of a case from where its mode says, neither recorded nor judged yet.

    Runs that are `launched` already are waited for, others launched now. Raises CassetteError or
    ServiceError where there is no run.
    """
    request = build(case, desk.settings)
    bound = _bound(case, request)
    mask = masking(desk.mask, bound, case)
    with _bounded_depth():
        recording = load(recording, bound, mask)
        source = choose(desk.settings.mode, recording)
        answer = partial(Answer, case, recording, bound, mask, source)
        if source is Source.REPLAYED:
            return answer(tuple(_replayed(request, recording, desk.network)))
        if not launched:
            launched = launch(case, recording, desk, recorded_blocks(recording.cassette), urgent=True)
        bound["specification_hash"] = _version(request, desk.settings)
        return _waited(launched, desk, answer, watch)


@contextmanager
def _bounded_depth() -> Iterator[None]:
    """Turn the RecursionError that a deeply nested run raises into a ServiceError."""
    try:
        yield
    except RecursionError:
        raise ServiceError("the run is nested too deeply to be read; narrow it with block_filter") from None


def record(answer: Answer, desk: Desk) -> bool:
    """Write the case's cassette where the mode records it, before anything can go wrong with the runs.

    Gives whether it was written. Raises CassetteError where it cannot be; then the answer is kept elsewhere.
    """
    if answer.source is not Source.RECORDED:
        return False
    specification: Specification | None = None
    try:
        specification = desk.specification(build(answer.case, desk.settings), answer.runs()[0])
    finally:
        with _bounded_depth():
            _write(answer, specification, desk.keeper)
    return True


def _write(answer: Answer, specification: Specification | None, keeper: Keeper) -> None:
    recording = answer.recording
    try:
        with answer.held(keeper):
            files.write(recording.spot, answer.content(specification))
    except CassetteError as error:
        keeper.end_recording(f"the cassette {recording.shown} {error.headline}")
        again = f"{recording.record} --dust-mode=record"
        raise CassetteError(
            f"the cassette {recording.shown} {error}\n"
            f"mend that; then move the answer to {recording.shown}, or record the case again: {again}"
        ) from None
    keeper.forget(recording.file, recording.spot.path.name)


def judge(answer: Answer, desk: Desk) -> Outcome:
    """The runs of a case held to its expectations and, where they are new, against its recording.

    A live run that cannot be judged is kept as pending. Raises JudgeError where runs cannot be compared.
    """
    with keeping(answer, desk) as watch:
        return _judged(answer, desk.settings, watch)


@contextmanager
def keeping(answer: Answer, desk: Desk) -> Iterator[Watch[None] | None]:
    """Keep a live run's answer as pending if the block raises; gives what the block calls now and then."""
    if answer.source is not Source.LIVE:
        yield None
        return
    with answer.held(desk.keeper) as held:
        yield held.watch


def keep_ended(case: Case, recording: Recording, desk: Desk, attempts: Attempts) -> Tokens:
    """Keep the runs that have ended, though the case never asked for them; gives the tokens they used."""
    made = _ended(attempts)
    if made:
        request = build(case, desk.settings)
        bound = {**_bound(case, request), "specification_hash": _version(request, desk.settings)}
        mask = masking(desk.mask, bound, case)
        Answer(case, recording, bound, mask, Source.LIVE, made).held(desk.keeper).keep()
    return _tokens(made)


def keep_unreported(answer: Answer, keeper: Keeper) -> None:
    """Keep a live run's answer as pending, as nobody got to see its verdict."""
    if answer.source is Source.LIVE:
        answer.held(keeper).keep()


def _judged(answer: Answer, settings: Settings, watch: Watch[None] | None) -> Outcome:
    case, source = answer.case, answer.source
    with _bounded_depth():
        attempts = _attempts(answer, case.timeout or settings.timeout, watch)
    if source is Source.LIVE:
        _refuse_lost(attempts)
    on_change = settings.on_change or case.baseline.on_change
    gates = source is Source.LIVE and on_change == "fail"
    waited = max(each.reply.waited for each in answer.made)
    return Outcome(source, attempts, waited, case.repeat, gates, answer.cached)


def _refuse_lost(attempts: tuple[Attempt, ...]) -> None:
    """Refuse a gate that looks where nothing is: it would let every change pass."""
    for attempt in attempts:
        if attempt.comparison is not None and attempt.comparison.lost:
            raise ServiceError(
                f"baseline.compare: {attempt.comparison.lost[0]}; "
                "neither the run nor its recording has it: mend the path"
            )


def _attempts(answer: Answer, seconds: float, watch: Watch[None] | None) -> tuple[Attempt, ...]:
    """The runs judged and, where they are new and there is a recording, compared with it.

    Each may take so many seconds, and as many again for its comparison.
    """
    case, recorded = answer.case, answer.recording.cassette
    seen = [viewed(run, plural=case.plural) for run in answer.runs()]
    expect = expectation.masked(case.expect, answer.mask)
    judged = [
        Attempt(one.run, made.tokens, judging.failures(expect, one.view, seconds, watch))
        for one, made in zip(seen, answer.made, strict=True)
    ]
    if recorded is None or answer.source is Source.REPLAYED:
        return tuple(judged)
    compare = _comparing(case, answer.recording, recorded)
    return tuple(
        replace(attempt, comparison=_compared(compare, one, seconds, watch))
        for attempt, one in zip(judged, seen, strict=True)
    )


def _compared(
    compare: Callable[[ViewedRun], Comparison], seen: ViewedRun, seconds: float, watch: Watch[None] | None
) -> Comparison:
    try:
        return judging.in_thread(seconds, partial(compare, seen), watch)
    except TimeIsUp:
        raise JudgeError(
            f"comparing the run with its recording took longer than {seconds:g} s; "
            "compare less (baseline.compare), or raise timeout: in the suite"
        ) from None


def check_case(case: Case, recording: Recording, settings: Settings, mask: Mask) -> None:
    """Hold a case's cassette against it, and run nothing; raises CassetteError where it does not fit."""
    choose(Mode.REPLAY, _held(case, recording, settings, mask))


class Estimate(NamedTuple):
    """How many runs a case will make, and about how many tokens they use, 0 where no recording tells."""

    runs: int
    tokens: int
    unknown: int = 0
    """How many of the runs use tokens that the service does not tell, as it did not in the recording."""
    blocks: tuple[Block, ...] = ()
    """The app's blocks, by the recording."""


def estimate(case: Case, recording: Recording, settings: Settings, mask: Mask) -> Estimate:
    """What a case will take, by its mode and its recording."""
    with suppress(RecursionError):  # the run itself will tell
        recording = _held(case, recording, settings, mask)
    try:
        source = choose(settings.mode, recording)
    except CassetteError:  # told at the case's turn
        return Estimate(0, 0)
    if source is Source.REPLAYED:
        return Estimate(0, 0)
    before = recorded(recording.cassette)
    if not before.runs:
        return Estimate(case.times, 0)
    tokens, unknown = (each * case.times / before.runs for each in (before.tokens, before.unknown))
    return Estimate(case.times, int(tokens), ceil(unknown), before.blocks)


def recorded(found: Cassette | None) -> Estimate:
    """The runs of a recording, and the tokens that they used; none where there is none to be read."""
    try:
        runs = recorded_runs(found) if found else []
    except (ServiceError, RecursionError):
        runs = []
    if found is None or not runs:
        return Estimate(0, 0, blocks=_saved(found))
    replies = zip(found.replies, runs, strict=True)
    used = sum(
        (token_counts.of_run(reply, run, _filter(found), _saved(found)) for reply, run in replies), Tokens()
    )
    blocks = (*_saved(found), *service_cache.blocks_of(runs))
    return Estimate(len(runs), used.told, used.unknown, tuple(dict.fromkeys(blocks)))


def _saved(found: Cassette | None) -> tuple[Block, ...]:
    """The app's blocks as they were saved when it was recorded."""
    return service_cache.blocks_in(found.specification.blocks if found and found.specification else None)


def recorded_blocks(found: Cassette | None) -> tuple[Block, ...]:
    """The app's blocks, by a recording."""
    return recorded(found).blocks


def build(case: Case, settings: Settings) -> RunRequest:
    """What the case asks of the service, with workspace and space from the settings where it names none."""
    return RunRequest(
        settings.address(case.app), case.specification_hash, case.config, case.inputs, case.block_filter
    )


def _bound(case: Case, request: RunRequest) -> dict[str, Json]:
    """What the case's cassette is bound to."""
    return cassette.bound(request, case.repeat.runs if case.repeat else None)


def masking(mask: Mask, bound: Mapping[str, Json], case: Case) -> Mask:
    """The mask that covers what is redacted of a case, in its request and in its row."""
    return mask.covering(bound).redacting(case.redacted)


def _held(case: Case, recording: Recording, settings: Settings, mask: Mask) -> Recording:
    """The recording, read and held against the case as it is now."""
    bound = _bound(case, build(case, settings))
    return load(recording, bound, masking(mask, bound, case))


def load(recording: Recording, bound: dict[str, Json], mask: Mask) -> Recording:
    """The recording with its cassette read, masked, and held against what the case asks."""
    request = mask.value(bound)
    try:
        found = recording.read(recording.spot)
    except CassetteError as error:
        return replace(recording, broken=str(error))
    if found is not None:
        return replace(recording, cassette=cassette.redacted(found, mask), moved=_moved(found, request, mask))
    # What an earlier version recorded may be another suite's, unless it fits.
    fitting = (one for one in files.earlier(recording.spot) if not cassette.moved(one, request))
    fitted = next(fitting, None)
    return replace(recording, cassette=None if fitted is None else cassette.redacted(fitted, mask))


def _moved(found: Cassette, request: dict[str, Json], mask: Mask) -> tuple[Change, ...]:
    """The fields that moved, shown as they may be: an older cassette may hold what is redacted now."""
    changes = cassette.moved(found, request)
    if not changes:
        return ()
    covering = mask.covering(found.request)

    def shown(path: Path, value: object) -> object:
        return value if value is MISSING else covering.at(path, value)

    return tuple(
        replace(change, old=shown(change.path, change.old), new=shown(change.path, change.new))
        for change in changes
    )


def choose(mode: Mode, recording: Recording) -> Source:
    """Where the run comes from; raises CassetteError where the mode leaves no way.

    A broken cassette is never taken for a missing one: in `record` it might be someone's work.
    """
    if mode is Mode.LIVE:
        return Source.LIVE
    if mode is Mode.RERECORD:
        return Source.RECORDED
    if recording.broken:
        raise CassetteError(unreadable(recording.shown, recording.broken, recording.record))
    if recording.fits:
        return Source.REPLAYED
    if mode is Mode.RECORD:
        return Source.RECORDED
    if recording.cassette is None:
        raise CassetteError(missing(recording.shown, recording.record))
    raise CassetteError(misfit(recording.shown, recording.moved, recording.record))


def launch(
    case: Case, recording: Recording, desk: Desk, recorded: Sequence[Block] = (), *, urgent: bool = False
) -> Attempts:
    """Hand in the case's runs, before those that wait if they are urgent.

    They are of the version asked for. If they are to be fresh, the service's cache is off for all blocks that
    are saved at Dust, `recorded` or configured. Raises ServiceError if they cannot be made, and CassetteError
    if they could not be recorded.
    """
    settings = desk.settings
    request = build(case, settings)
    refuse_missing(request.app.workspace, request.app.space, desk.network.environ)
    if desk.differences is not None:
        desk.differences.check()
    if settings.mode in (Mode.RECORD, Mode.RERECORD):
        _refuse_unwritable(recording, desk.keeper)
    known, config = tuple(recorded), request.config
    if settings.fresh or case.repeat is not None:
        known += tuple(desk.saved_blocks(request.app))
        config = service_cache.without_cache(config, known)
    sent = replace(request, specification_hash=_version(request, settings), config=config)
    mask = masking(desk.mask, cassette.bound(request), case)
    order = LiveRun(sent, case.flavor, case.timeout or settings.timeout, mask)
    together = _Together()
    works = [_work(order, desk, together, known) for _ in range(case.times)]
    return desk.launcher.submit(works, urgent=urgent)


def _version(request: RunRequest, settings: Settings) -> str:
    """The version of the app that is run at the service."""
    return settings.version_of(request.app.id, request.specification_hash)


def _refuse_unwritable(recording: Recording, keeper: Keeper) -> None:
    """Raise CassetteError where no run may be made, as its cassette could not be written."""
    keeper.refuse_more()
    try:
        writable.refuse_unwritable(recording.spot)
    except CassetteError as error:
        raise CassetteError(unwritable(recording.shown, str(error))) from None


@dataclass(slots=True)
class _Together:
    """What the runs of one case know of each other."""

    begun: bool = False
    failed: Exception | None = None


def _waited(
    attempts: Attempts,
    desk: Desk,
    answer: Callable[[tuple[Made, ...]], Answer],
    watch: Watch[Event] | None,
) -> Answer:
    """The answer, once all runs have ended; if one fails, the answers of those that ended are kept."""
    try:
        return answer(tuple(desk.launcher.wait(attempts, relay(watch))))
    except (DustError, KeyboardInterrupt) as error:
        if ended := _ended(attempts):
            kept = answer(ended).held(desk.keeper).keep()
            pending.tell(error, f"{len(ended)} of its {len(attempts)} runs had ended; {kept}")
        if isinstance(error, DustError):
            error.spent = _tokens(ended) + (error.spent or Tokens())
        raise


def _ended(attempts: Attempts) -> tuple[Made, ...]:
    """The runs that have ended well."""
    futures = [ticket.future for ticket in attempts]
    return tuple(each.result() for each in futures if each.done() and each.exception() is None)


def _work(order: LiveRun, desk: Desk, together: _Together, known: Sequence[Block]) -> Task[Made, Update]:
    """One run: paid for as it begins, and read as it ends; not begun where another of its case has failed."""
    work = desk.network.task(order, desk.launcher.pause)

    def make(tell: Callable[[Update], None]) -> Made:
        if together.failed is not None:
            raise together.failed
        try:
            if not together.begun:  # else what was paid for already would be of no use
                desk.keeper.refuse_more()
            desk.budget.take()
            together.begun = True
            reply = work.call(tell)
            return _read(reply, order.request, desk.budget, known)
        except Exception as error:
            together.failed = error
            if isinstance(error, DustError) and error.spent:
                desk.budget.note(error.spent.told, error.spent.unknown)
            raise

    return Task(make, work.seconds, work.stop, work.timeout_error)


def _read(reply: Reply, request: RunRequest, budget: Budget, known: Sequence[Block]) -> Made:
    """The run in a reply, its tokens counted; raises DustError where there is none."""
    try:
        run = wire.run(reply, request.block_filter, request.specification_hash)
        hidden = None if request.block_filter is None else known
        used = token_counts.of_run(reply, run, request.block_filter, known)
        made = Made(reply, run, used, service_cache.may_have_answered(request.config, run, hidden))
        budget.note(made.tokens.told, made.tokens.unknown)
    except DustError:
        raise
    except Exception as error:  # noqa: BLE001  # told when the answer is kept, which is paid for
        return Made(reply, error)
    return made


def _tokens(made: Iterable[Made]) -> Tokens:
    """The tokens that runs used."""
    return sum((each.tokens for each in made), Tokens())


def _replayed(request: RunRequest, recording: Recording, network: Network) -> list[Made]:
    """The runs of a cassette; whatever is wrong with it is the cassette's fault, and no service's."""
    assert recording.cassette is not None  # noqa: S101  # it fits, so it is there
    asked = _recorded(request, recording.cassette)
    try:
        replies = [network.replay(asked, reply) for reply in recording.cassette.replies]
        return [_replay(reply, request, _saved(recording.cassette)) for reply in replies]
    except CassetteError as error:
        raise CassetteError(unreadable(recording.shown, str(error), recording.record)) from None
    except ServiceError as error:
        wrong = f"holds no run: {error.headline}"
        raise CassetteError(unreadable(recording.shown, wrong, recording.record)) from None


def _replay(reply: Reply, request: RunRequest, known: Sequence[Block]) -> Made:
    run = wire.run(reply, request.block_filter, request.specification_hash)
    return Made(reply, run, token_counts.of_run(reply, run, request.block_filter, known))


def _recorded(request: RunRequest, recorded: Cassette) -> RunRequest:
    """The request with the recording's workspace and space where none is named."""
    if request.app.workspace and request.app.space:
        return request
    kept = recorded.request.get("app")
    names = kept if isinstance(kept, dict) else {}
    app = App(
        request.app.workspace or names.get("workspace"),
        request.app.space or names.get("space"),
        request.app.id,
    )
    return replace(request, app=app)


def _comparing(case: Case, recording: Recording, recorded: Cassette) -> Callable[[ViewedRun], Comparison]:
    """How an attempt is held against the recording, if that is one of the same inputs.

    Of a repeated recording, the attempt need be like one only: what it showed once is no change.
    """
    when = recorded.recorded_at
    if any(change.path[0] in ("app", "inputs") for change in recording.moved):
        apart = Comparison(when, (), (), 0, "it was made for another app or other inputs")
        return lambda _: apart
    filter_then = _filter(recorded)
    common = None if filter_then == case.block_filter else _both(filter_then, case.block_filter)
    try:
        olds = [viewed(wire.filtered(run, common), plural=case.plural) for run in recorded_runs(recorded)]
    except ServiceError:
        return lambda _: Comparison(when, (), (), 0, "it holds no run")

    def compare(seen: ViewedRun) -> Comparison:
        new = seen
        if common is not None:
            new = viewed(wire.filtered(seen.run, common), plural=case.plural)
        return _outside([baseline.compare(old, new, case.baseline, when) for old in olds])

    return compare


def _outside(held: list[Comparison]) -> Comparison:
    """What changed against every recorded attempt: a value that one of them showed is no change."""
    if len(held) == 1:
        return held[0]
    paths = [{change.path for change in one.values} for one in held]
    above = [{path[:depth] for path in each for depth in range(len(path))} for each in paths]
    nearest = min(held, key=lambda one: len(one.values))
    met = (one for one in nearest.values if all(map(_meets, [one.path] * len(paths), paths, above)))
    return replace(nearest, values=tuple(met))


def _meets(path: Path, others: set[Path], above: set[Path]) -> bool:
    """Whether a path is one of the others, or one lies below the other: shapes may differ."""
    return path in above or any(path[:depth] in others for depth in range(len(path) + 1))


def _both(one: tuple[str, ...] | None, other: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The blocks that two filters let through, where None lets all."""
    if one is None or other is None:
        return other if one is None else one
    return tuple(name for name in other if name in one)


def _filter(recorded: Cassette) -> tuple[str, ...] | None:
    names = recorded.request.get("block_filter")
    return tuple(str(name) for name in names) if isinstance(names, list) else None


def recorded_runs(recorded: Cassette) -> list[Run]:
    """The runs that a cassette holds; raises ServiceError where it holds none."""
    pinned = str(recorded.request.get("specification_hash"))
    return [wire.run(reply, _filter(recorded), pinned) for reply in recorded.replies]
