"""The service's own cache: which blocks it may answer, and the config that turns it off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_dust.dust.wire import MODELS, Block
from pytest_dust.model import Json, Run

MODEL_TYPES = frozenset(MODELS)
CACHED_TYPES = MODEL_TYPES | {"curl", "search", "browser"}
"""The types of blocks that the service may answer from its cache, unless their config turns it off."""
MODEL_KEYS = ("use_cache", "provider_id", "model_id")
"""Keys that only the config of blocks of such types has."""


def blocks_of(runs: Iterable[Run]) -> tuple[Block, ...]:
    """Return the blocks of some runs, each once, with those that have no executions."""
    found: dict[Block, None] = {}
    for run in runs:
        found |= dict.fromkeys((each.type, each.name) for each in run.traces)
        found |= dict.fromkeys((each.type, each.name) for each in run.statuses)
    return tuple(found)


def blocks_in(specification: Json) -> tuple[Block, ...]:
    """Return the blocks of a saved specification."""
    listed = specification if isinstance(specification, list) else []
    return tuple((str(each.get("type")), str(each.get("name"))) for each in listed if isinstance(each, dict))


def without_cache(config: Mapping[str, Json], known: Iterable[Block]) -> dict[str, Json]:
    """Return the config with the cache off for every block in it, and for each known block with a cache."""
    blocks: dict[str, Json] = {name: {} for kind, name in known if kind in CACHED_TYPES}
    return {
        name: {**block, "use_cache": False} if isinstance(block, Mapping) else block
        for name, block in {**blocks, **config}.items()
    }


def may_have_answered(
    config: Mapping[str, Json], run: Run, hidden: Iterable[Block] | None = None
) -> tuple[str, ...]:
    """Return the names of the blocks that the service may have answered from its cache, by the config sent.

    `hidden` are blocks that a filter may leave out of the answer, or None without a filter. With a filter, a
    configured block of unknown type counts too if its config has a key of MODEL_KEYS.
    """
    types = _types(blocks_of([run]) if hidden is None else [*hidden, *blocks_of([run])])
    idle = {trace.name for trace in run.traces if not any(trace.executions)}
    found = [name for name, kinds in types.items() if kinds & CACHED_TYPES and name not in idle]
    if hidden is not None:
        found += [name for name, block in config.items() if name not in types and _has_model_key(block)]
    return tuple(name for name in found if _is_on(config.get(name), types.get(name, MODEL_TYPES)))


def _types(blocks: Iterable[Block]) -> dict[str, frozenset[str]]:
    """Return the types of the blocks by name: the ends of a loop share a name, and a type may change."""
    found: dict[str, frozenset[str]] = {}
    for kind, name in blocks:
        found[name] = found.get(name, frozenset()) | {kind}
    return found


def _has_model_key(block: Any) -> bool:
    return isinstance(block, Mapping) and any(key in block for key in MODEL_KEYS)


def _is_on(block: Any, types: frozenset[str]) -> bool:
    """Return True if a block's config leaves the cache on; the service reads anything but false as true."""
    given = block if isinstance(block, Mapping) else {}
    streams = types & MODEL_TYPES and given.get("use_stream", False) is not False
    return given.get("use_cache", True) is not False and not streams
