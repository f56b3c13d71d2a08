"""A space's apps as a table, and a first suite for one of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pytest_dust.report.values import safe

if TYPE_CHECKING:
    from pytest_dust.catalog import Listed


def table(apps: Sequence[Listed]) -> Iterator[str]:
    """A line per app: name, id, hash now saved, blocks."""
    rows = [("name", "id", "saved hash", "blocks")]
    for app in apps:
        blocks = ", ".join(dict.fromkeys(name for _, name in app.blocks))
        rows.append((safe(app.name), safe(app.id), safe(app.specification_hash or "unknown"), safe(blocks)))
    widths = [max(len(row[at]) for row in rows) for at in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)]
        yield "  ".join([*cells, row[3]]).rstrip()
    if len(rows) == 1:
        yield "the space has no apps"


def file_name(app: Listed) -> str:
    """What a first suite of the app is called."""
    name = re.sub(r"[^a-z0-9]+", "-", app.name.lower()).strip("-") or app.id
    return f"{name}.dust.yaml"


def first_suite(app: Listed) -> Iterator[str]:
    """A suite that runs as it is, with what to fill in said beside it."""
    blocks = ", ".join(f"{safe(name)} ({safe(kind)})" for kind, name in app.blocks)
    yield f"# {safe(app.name) or 'An app'}: {blocks or 'its blocks are not known'}"
    yield "# Workspace and space: --dust-workspace and --dust-space, or DUST_WORKSPACE_ID and DUST_SPACE_ID."
    yield f"app: {{id: {_yaml(app.id)}}}"
    if app.specification_hash is None:
        yield "# Its saved hash is not known: run the app once in Dust, then pin the hash here."
    else:
        yield "# What was saved when this file was made; with `latest` a suite follows whatever is saved."
    yield f"specification_hash: {app.specification_hash or 'latest'}"
    if app.config:
        yield "# Which models the blocks call; use_cache: false keeps Dust from answering from its own cache."
        yield "config:"
        for name, config in app.config.items():
            yield f"  {_key(name)}: {_yaml(config)}"
    yield "cases:"
    yield "  - id: first"
    yield "    description: What this case shows"
    if app.input:
        yield "    input:"
        for name, value in app.input.items():
            yield f"      {_key(name)}: {_yaml(value)}"
    else:
        yield "    input: {}  # the keys that the app's INPUT block reads"
    yield "    expect:"
    yield "      status: succeeded"
    yield "      # result: the last block's output, for example"
    yield "      # result.label: billing"
    yield "      # result.answer: {contains: refund, max_length: 400}"
    for name in dict.fromkeys(name for kind, name in app.blocks if kind in ("llm", "chat")):
        yield f"      # blocks.{safe(name)}.output: {{type: object}}"


def _key(name: str) -> str:
    """A key on one line."""
    return _yaml(name) if "${" not in name else safe(json.dumps(name, ensure_ascii=False))


def _yaml(value: object) -> str:
    """The value on one line; JSON is YAML, and plain words need no quotes."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", value) and value not in _WORDS:
        return value
    return safe(json.dumps(_literal(value), ensure_ascii=False))


def _literal(value: Any) -> Any:
    """The value with `${` in its texts written so that it is no reference; keys are read as they stand."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, dict):
        return {key: _literal(each) for key, each in value.items()}
    return [_literal(each) for each in value] if isinstance(value, list) else value


_WORDS = ("true", "false", "null")
