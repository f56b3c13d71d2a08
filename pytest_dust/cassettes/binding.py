"""Whether a cassette fits what a case asks now."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_dust.cassettes.format import Cassette
from pytest_dust.compare.equality import differences
from pytest_dust.model import Change, Json, RunRequest

LATER: Mapping[str, Json] = {"repeat": None}
"""Parts of a request that older cassettes do not have, with their defaults.

A cassette holds such a part only if it is not at its default, so a new one makes no old cassette stale.
"""


def bound(request: RunRequest, repeat: Json = None) -> dict[str, Json]:
    """The parts of a request to which a cassette is bound.

    `repeat` is the number of repetitions, or the rates of a sequential test; None for a single run.
    """
    app = request.app
    parts: dict[str, Json] = {
        "repeat": repeat,
        "app": {"workspace": app.workspace, "space": app.space, "id": app.id},
        "specification_hash": request.specification_hash,
        "config": request.config,
        "inputs": request.inputs,
        "block_filter": None if request.block_filter is None else list(request.block_filter),
    }
    return {name: part for name, part in parts.items() if name not in LATER or part != LATER[name]}


def moved(cassette: Cassette, request: Mapping[str, Json]) -> tuple[Change, ...]:
    """The parts of the request that differ from the recorded ones, old → new; none if the cassette fits.

    `request` is what `bound` returns, masked. A workspace or space that nothing names is not compared:
    without the network there is none to ask for.
    """
    now = dict(request)
    app, recorded = now["app"], cassette.request.get("app")
    if isinstance(app, dict) and isinstance(recorded, dict):
        now["app"] = {name: recorded.get(name) if given is None else given for name, given in app.items()}
    return tuple(differences(cassette.request, now))
