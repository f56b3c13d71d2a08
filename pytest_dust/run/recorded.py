"""What is known from a cassette: the runs themselves, their tokens, the app's blocks."""

from __future__ import annotations

from typing import NamedTuple

from pytest_dust.cassettes.format import Cassette
from pytest_dust.dust import service_cache, token_counts, wire
from pytest_dust.dust.wire import Block
from pytest_dust.errors import ServiceError
from pytest_dust.model import Run, Tokens


class Estimate(NamedTuple):
    """How many runs a case or a recording has, and about how many tokens they use."""

    runs: int
    tokens: int
    """0 without a recording."""
    unknown: int = 0
    """How many of the runs use tokens that the service does not tell."""
    blocks: tuple[Block, ...] = ()
    """The app's blocks, by the recording."""
    spare: int = 0
    """How many of the runs may turn out not to be needed."""


def recorded_runs(cassette: Cassette) -> list[Run]:
    """The runs in a cassette; raises ServiceError if it holds none."""
    pinned = str(cassette.request.get("specification_hash"))
    return [wire.run(reply, recorded_filter(cassette), pinned) for reply in cassette.replies]


def recorded_filter(cassette: Cassette) -> tuple[str, ...] | None:
    """The block filter with which a cassette was recorded."""
    names = cassette.request.get("block_filter")
    return tuple(str(name) for name in names) if isinstance(names, list) else None


def saved_blocks(cassette: Cassette | None) -> tuple[Block, ...]:
    """The app's blocks as they were saved when a cassette was recorded; none if it does not hold them."""
    saved = cassette.specification if cassette else None
    return service_cache.blocks_in(saved.blocks if saved else None)


def recorded(cassette: Cassette | None) -> Estimate:
    """The runs of a cassette and what they used; zero runs if it holds none that can be read."""
    saved = saved_blocks(cassette)
    try:
        runs = recorded_runs(cassette) if cassette else []
    except (ServiceError, RecursionError):
        runs = []
    if cassette is None or not runs:
        return Estimate(0, 0, blocks=saved)
    filtered = recorded_filter(cassette)
    pairs = zip(cassette.replies, runs, strict=True)
    used = sum((token_counts.of_run(reply, run, filtered, saved) for reply, run in pairs), Tokens())
    blocks = dict.fromkeys((*saved, *service_cache.blocks_of(runs)))
    return Estimate(len(runs), used.known, used.unknown, tuple(blocks))
