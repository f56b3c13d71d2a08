"""A table of a space's apps, and a first suite for one of them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_dust.characters import safe, safe_name
from pytest_dust.constants import SUITE_SUFFIX
from pytest_dust.paths import show_step
from pytest_dust.report.columns import padded, width, wrapped

if TYPE_CHECKING:
    from pytest_dust.dust.catalog import Listed

HEAD = ("name", "id", "saved hash", "blocks")
REASON = 64
"""Columns of the reason for an unknown hash in the table: as many as a hash takes."""
BLOCKS = 20
"""Minimum number of columns for the blocks."""
NEEDED: Mapping[str, tuple[str, ...]] = {
    "llm": ("provider_id", "model_id"),
    "chat": ("provider_id", "model_id"),
    "search": ("provider_id",),
    "data_source": ("data_sources",),
    "database": ("tables",),
}
"""The config keys that a block of a type needs to run."""
LONG_KEY = 900
"""Length from which on YAML reads a key only if it is marked with `?`."""


def table(apps: Sequence[Listed], columns: int | None = None) -> Iterator[str]:
    """One line for each app; one below the other if a table does not fit into the columns."""
    if not apps:
        yield "the space has no apps"
        return
    rows = [HEAD, *(_row(app, REASON) for app in apps)]
    widths = [max(width(row[at]) for row in rows) for at in range(3)]
    if columns is not None and sum(widths) + 2 * len(widths) + BLOCKS > columns:
        yield from _one_below_the_other(apps, columns)
        return
    for row in rows:
        cells = [padded(cell, room) for cell, room in zip(row[:3], widths, strict=True)]
        yield "  ".join([*cells, row[3]]).rstrip()


def _row(app: Listed, room: int | None = None) -> tuple[str, str, str, str]:
    """The cells of an app's row."""
    blocks = ", ".join(dict.fromkeys(name for _, name in app.blocks))
    known = app.specification_hash or f"unknown: {app.unknown}"[:room]
    return safe_name(app.name), safe_name(app.id), safe(known), safe_name(blocks)


def _one_below_the_other(apps: Sequence[Listed], columns: int) -> Iterator[str]:
    """Each app in some lines; ids and hashes are not broken, so that they can be copied."""
    labels = ("id", "hash", "blocks")
    indent = max(map(len, labels)) + 4
    for app in apps:
        name, *values = _row(app)
        yield from wrapped(name, columns)
        for label, value in zip(labels, values, strict=True):
            whole = label == "id" or (label == "hash" and app.specification_hash)
            lines = [value] if whole else wrapped(value, max(1, columns - indent))
            for at, line in enumerate(lines):
                yield (padded("" if at else f"  {label}", indent) + line).rstrip()


def file_name(app: Listed) -> str:
    """The file name of a first suite."""
    name = re.sub(r"[^a-z0-9]+", "-", app.name.lower())[:60].strip("-") or app.id[:60]
    return f"{name}{SUITE_SUFFIX}"


def first_suite(app: Listed, left_out: Collection[str] = ()) -> Iterator[str]:
    """The lines of a suite that runs as it is, with comments on what to fill in.

    `left_out` names those of `input` and `config` that cannot be written in YAML.
    """
    blocks = ", ".join(f"{_comment(name)} ({_comment(kind)})" for kind, name in app.blocks)
    yield f"# {_comment(app.name) or 'An app'}: {blocks or 'its blocks are not known'}"
    yield "# Workspace and space: --dust-workspace and --dust-space, or DUST_WORKSPACE_ID and DUST_SPACE_ID."
    yield f"app: {{id: {_yaml(app.id)}}}"
    if app.specification_hash is None:
        yield f"# `latest`, as no hash is known to pin: {_comment(app.unknown)}."
        yield "# Run the app once in Dust, and pin here the hash that `pytest --dust-apps` then lists."
    else:
        yield "# What its last run in Dust ran when this file was made; `latest` would follow the app."
    yield f"specification_hash: {app.specification_hash or 'latest'}"
    yield from _config(app, left_out)
    yield "cases:"
    yield "  - id: first"
    yield "    description: What this case shows"
    yield from _input(app, left_out)
    yield "    expect:"
    yield "      status: succeeded"
    yield "      # result: the last block's output, for example"
    yield "      # result.label: billing"
    yield "      # result.answer: {contains: refund, max_length: 400}"
    for name in dict.fromkeys(name for kind, name in app.blocks if kind in ("llm", "chat")):
        yield f"      # blocks{_comment(show_step(name, first=False))}.output: {{type: object}}"


def _config(app: Listed, left_out: Collection[str]) -> Iterator[str]:
    """The config of the blocks, and a comment on the keys that they need and lack."""
    config = {} if "config" in left_out else app.config
    missing = list(_missing(app, config))
    if "config" in left_out:
        yield "# The saved config holds what no suite can: write here what the blocks run with."
    elif config or missing:
        yield "# What the blocks run with; use_cache: false keeps Dust from answering from its own cache."
    else:
        return
    yield "config:" if config else "# config:"
    for name, own in config.items():
        mark = "? " if len(name) > LONG_KEY else ""
        yield f"  {mark}{_key(name)}" + (f"\n  : {_yaml(own)}" if mark else f": {_yaml(own)}")
    for name, kind, keys in missing:
        shown = ", ".join(f"{key}: …" for key in keys)
        yield f"  # {_comment(_key(name))}: {{{shown}}}  # not saved in Dust; a block of type {kind} needs it"


def _missing(app: Listed, config: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    """The blocks that cannot run as they are: name, type, and the keys that their config lacks."""
    for kind, name in dict.fromkeys(app.blocks):
        own = config.get(name) or {}
        if lacking := [key for key in NEEDED.get(kind, ()) if not own.get(key)]:
            yield name, kind, lacking


def _input(app: Listed, left_out: Collection[str]) -> Iterator[str]:
    """An example of the input."""
    if "input" in left_out:
        yield "    input: {}  # that of the last run in Dust holds what no suite can: write one here"
    elif not app.input:
        yield "    input: {}  # the keys that the app's INPUT block reads"
    elif max(map(len, app.input)) > LONG_KEY:
        yield f"    input: {_yaml(app.input)}"
    else:
        yield "    input:"
        for name, value in app.input.items():
            yield f"      {_key(name)}: {_yaml(value)}"


def _comment(text: str) -> str:
    """The text on one line, with unprintable characters escaped."""
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _key(name: str) -> str:
    """A key on one line; in a key, `${` is no reference."""
    return name if _PLAIN.fullmatch(name) and name not in _WORDS else _quoted(name)


def _yaml(value: Any) -> str:
    """The value on one line; plain words need no quotes."""
    if isinstance(value, str):
        return _key(value.replace("${", "$${"))
    if isinstance(value, Mapping):
        pairs = (
            f"{'? ' if len(key) > LONG_KEY else ''}{_key(key)}: {_yaml(each)}" for key, each in value.items()
        )
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_yaml, value))}]"
    return json.dumps(value)


def _quoted(text: str) -> str:
    """The text in double quotes, all that is not plainly printed written as an escape."""
    return f'"{"".join(_ESCAPES.get(char) or _printed(char) for char in text)}"'


def _printed(char: str) -> str:
    return char if char.isprintable() and safe_name(char) == char else _escaped(char)


def _escaped(char: str) -> str:
    """A character as both YAML and people read it."""
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_WORDS = ("true", "false", "null")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
