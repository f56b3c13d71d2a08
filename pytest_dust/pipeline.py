"""The hall: one case to its outcome."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pytest_dust import api, baseline, cassette
from pytest_dust import view as views
from pytest_dust.cassette import Cassette, Spot
from pytest_dust.checks import expectation
from pytest_dust.client import Network, Watch
from pytest_dust.errors import CassetteError, ServiceError
from pytest_dust.masking import Mask
from pytest_dust.model import App, Case, Change, Comparison, Json, Outcome, Reply, Run, RunRequest, Source
from pytest_dust.report.misses import misfit, missing, unreadable
from pytest_dust.settings import Mode, Settings


@dataclass(frozen=True, slots=True)
class Recording:
    """What stands where a case's cassette belongs."""

    spot: Spot
    shown: str
    record: str
    """The command that records this case anew."""
    cassette: Cassette | None = None
    moved: tuple[Change, ...] = ()
    broken: str = ""

    @property
    def fits(self) -> bool:
        """Whether it can be replayed for the case as it is now."""
        return self.cassette is not None and not self.moved


@dataclass(frozen=True, slots=True)
class Desk:
    """What a case is run with: the settings, the network, the session's mask, who is told of progress."""

    settings: Settings
    network: Network
    mask: Mask
    watch: Watch | None = None


def run_case(case: Case, recording: Recording, desk: Desk) -> Outcome:
    """Run a case from where its mode says, keep what is to be kept, and judge it.

    Raises CassetteError or ServiceError where there is no run to judge.
    """
    request = build(case, desk.settings)
    bound = cassette.bound(request)
    mask = desk.mask.covering(bound)
    masked = mask.value(bound)
    try:
        recording = load(recording, masked)
        source = choose(desk.settings.mode, recording)
        replayed = source is Source.REPLAYED
        if replayed:
            reply, run = _replayed(request, recording, desk.network)
        else:
            reply = _live(case, request, desk, mask)
            run = api.run(reply, request.block_filter, request.specification_hash)
        comparison = None if replayed else _compare(recording, run)
        if source is Source.RECORDED:
            _write(recording, masked, reply)
        view = views.view(run, plural=case.plural)
        failures = expectation.failures(expectation.masked(case.expect, mask), view)
    except RecursionError:
        raise ServiceError("the run is nested too deeply to be read; narrow it with block_filter") from None
    return Outcome(source, run, view["usage"]["total_tokens"], reply.waited, failures, comparison)


def check_case(case: Case, recording: Recording, settings: Settings, mask: Mask) -> None:
    """Hold a case's cassette against it, and run nothing; raises CassetteError where it does not fit."""
    bound = cassette.bound(build(case, settings))
    choose(Mode.REPLAY, load(recording, mask.covering(bound).value(bound)))


def build(case: Case, settings: Settings) -> RunRequest:
    """What the case asks of the service, with workspace and space from the settings where it names none."""
    app = App(case.app.workspace or settings.workspace, case.app.space or settings.space, case.app.id)
    return RunRequest(app, case.specification_hash, case.config, case.inputs, case.block_filter)


def load(recording: Recording, request: dict[str, Json]) -> Recording:
    """The recording with its cassette read and held against the request."""
    try:
        found = cassette.read(recording.spot)
    except CassetteError as error:
        return replace(recording, broken=str(error))
    if found is None:
        return recording
    return replace(recording, cassette=found, moved=cassette.moved(found, request))


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


def _live(case: Case, request: RunRequest, desk: Desk, mask: Mask) -> Reply:
    timeout = case.timeout or desk.settings.timeout
    return desk.network.run(_named(request), case.flavor, timeout, mask, desk.watch)


def _replayed(request: RunRequest, recording: Recording, network: Network) -> tuple[Reply, Run]:
    """The run of a cassette; whatever is wrong with it is the cassette's fault, and no service's."""
    assert recording.cassette is not None  # noqa: S101  # it fits, so it is there
    try:
        reply = network.replay(_recorded(request, recording.cassette), recording.cassette.reply)
        return reply, api.run(reply, request.block_filter, request.specification_hash)
    except CassetteError as error:
        raise CassetteError(unreadable(recording.shown, str(error), recording.record)) from None
    except ServiceError as error:
        wrong = f"holds no run: {error.headline}"
        raise CassetteError(unreadable(recording.shown, wrong, recording.record)) from None


def _named(request: RunRequest) -> RunRequest:
    """The request, if it names its workspace and space, which the network needs."""
    for name in ("workspace", "space"):
        if getattr(request.app, name) is None:
            raise ServiceError(
                f"no {name}: this run uses the network; give app.{name} in the suite, "
                f"--dust-{name}, or export DUST_{name.upper()}_ID=…"
            )
    return request


def _recorded(request: RunRequest, recorded: Cassette) -> RunRequest:
    """The request with the recording's workspace and space where none is named."""
    kept = recorded.request.get("app")
    names = kept if isinstance(kept, dict) else {}
    app = App(
        request.app.workspace or names.get("workspace"),
        request.app.space or names.get("space"),
        request.app.id,
    )
    return replace(request, app=app)


def _compare(recording: Recording, run: Run) -> Comparison | None:
    """What changed since the recording, if there is one of the same inputs."""
    if recording.cassette is None:
        return None
    recorded = recording.cassette
    if any(change.path[0] in ("app", "inputs", "block_filter") for change in recording.moved):
        return Comparison(recorded.recorded_at, (), 0, "it was made for another app, input or filter")
    names = recorded.request.get("block_filter")
    block_filter = [str(name) for name in names] if isinstance(names, list) else None
    try:
        old = api.run(recorded.reply, block_filter, str(recorded.request.get("specification_hash")))
    except ServiceError:
        return Comparison(recorded.recorded_at, (), 0, "it holds no run")
    return baseline.compare(old, run, recorded.recorded_at)


def _write(recording: Recording, request: dict[str, Json], reply: Reply) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        cassette.write(recording.spot, cassette.dumps(request, reply, now))
    except CassetteError as error:
        raise CassetteError(f"cassette {recording.shown} {error}; the run itself went well") from None
