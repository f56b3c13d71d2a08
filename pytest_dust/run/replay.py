"""Replay the runs of a cassette."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from pytest_dust.cassettes.format import Cassette
from pytest_dust.cassettes.recording import Recording
from pytest_dust.dust import token_counts, wire
from pytest_dust.dust.network import Network
from pytest_dust.dust.wire import Block
from pytest_dust.errors import CassetteError, ServiceError
from pytest_dust.model import App, Reply, RunRequest
from pytest_dust.report.misses import unreadable
from pytest_dust.run.answer import MadeRun
from pytest_dust.run.recorded import saved_blocks


def replayed(request: RunRequest, found: Recording, network: Network) -> list[MadeRun]:
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
