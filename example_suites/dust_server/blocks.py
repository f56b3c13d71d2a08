"""Blocks: what an app consists of, what a block sees when it runs, and the config it needs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from example_suites.dust_server.noise import NO_DRAWS, Draws

Json = dict[str, Any]


class BlockError(ValueError):
    """A block failed; the text becomes the `error` of its execution."""


@dataclass(frozen=True)
class Env:
    """What one execution of a block sees."""

    config: Json  # of the run, by block name
    state: Json = field(default_factory=dict)  # the outputs of earlier blocks, by block name
    input: Any = None
    index: int = 0  # of the input
    map: Json | None = None  # name and iteration of the loop around the block
    draws: Draws = NO_DRAWS  # of the input

    def with_outputs(self, **outputs: Any) -> Env:
        """Return this environment with more outputs in its state."""
        return replace(self, state={**self.state, **outputs})


@dataclass(frozen=True)
class Block:
    """One block; `function` returns its value for an environment and its spec.

    The engine itself runs the types that need no function: input, data, map, reduce, end, and llm and chat
    with a prompt.
    """

    type: str
    name: str
    spec: Mapping[str, Any]
    function: Callable[[Env, Any], Any] = lambda _env, _spec: None
    indent: int = 0

    def saved(self, config: Mapping[str, Any]) -> Json:
        """Return the block as `savedSpecification` lists it, with its own part of the app's config."""
        return {
            "type": self.type,
            "name": self.name,
            "spec": dict(self.spec),
            "config": dict(config.get(self.name, {})),
            "indent": self.indent,
        }


def specification_hash(blocks: Iterable[Block]) -> str:
    """Return the specification hash, 64 hexadecimal digits; each block's hash includes the one before."""
    digest = ""
    for block in blocks:
        spec = json.dumps(dict(block.spec), sort_keys=True)
        link = f"{digest}\0{block.name}\0{block.type}\0{spec}"
        digest = hashlib.sha256(link.encode()).hexdigest()
    return digest


# ---- Templates ----


def render(template: str, env: Env) -> str:
    """Return the template with each `{{BLOCK.key}}` replaced by that output."""
    return re.sub(r"\{\{(.+?)\}\}", lambda found: _look_up(found[1], env), template)


def _look_up(path: str, env: Env) -> str:
    value: Any = env.state
    for key in path.split("."):
        try:
            value = value[int(key) if isinstance(value, list) else key]
        except (LookupError, TypeError, ValueError):
            raise BlockError(f"`{path}` not found in the environment") from None
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return " ".join(text.split())  # one line: the model reads the prompt's lines, and no input may add one


# ---- Config ----

MODEL_CONFIG: Json = {"provider_id": "openai", "model_id": "gpt-4o-mini", "use_cache": False}
EXPECTED_CONFIG = {  # by block type, as Dust's messages show it
    "llm": '{ "provider_id": ..., "model_id": ... }',
    "chat": '{ "provider_id": ..., "model_id": ... }',
    "search": '{ "provider_id": ... }',
    "data_source": '{ "data_sources": [ { ["workspace_id": ...,] "data_source_id": ... }, ... ] }',
    "database": '{ "tables": [ { "workspace_id": ..., "data_source_id": ..., "table_id": ... }, ... ] }',
}
LIST_CONFIG = {  # block types whose config is a list: its key, and the keys that each element needs
    "data_source": ("data_sources", ("data_source_id",)),
    "database": ("tables", ("workspace_id", "data_source_id", "table_id")),
}


def check_config(kind: str, name: str, config: Json | None) -> None:
    """Raise BlockError if a block of this type and name cannot run with this config."""
    if kind in LIST_CONFIG:
        _check_list(kind, name, (config or {}).get(LIST_CONFIG[kind][0]))
    elif kind in EXPECTED_CONFIG:
        _check_ids(kind, name, config)


def _check_list(kind: str, name: str, elements: Any) -> None:
    key, needed = LIST_CONFIG[kind]
    valid = isinstance(elements, list) and all(
        isinstance(element, dict) and all(isinstance(element.get(each), str) for each in needed)
        for element in elements
    )
    if not valid:
        raise BlockError(
            f"Invalid or missing `{key}` in configuration for `{kind}` block `{name}`, "
            f"expecting `{EXPECTED_CONFIG[kind]}`"
        )


def _check_ids(kind: str, name: str, config: Json | None) -> None:
    expected = EXPECTED_CONFIG[kind]
    if config is None:
        raise BlockError(f"Missing configuration for {kind} block `{name}`, expecting `{expected}`")
    for key in re.findall(r'"(\w+)"', expected):
        if key not in config:
            raise BlockError(f"Missing `{key}` in configuration for {kind} block `{name}`")
        if not isinstance(config[key], str):
            raise BlockError(f"Invalid `{key}` in configuration for {kind} block `{name}`: string expected")
