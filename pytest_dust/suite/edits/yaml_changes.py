"""The pieces of a YAML text to replace so that a value in it becomes another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_dust.compare.equality import equal
from pytest_dust.suite.edits.errors import EditError
from pytest_dust.suite.edits.pieces import Piece
from pytest_dust.suite.edits.yaml_nodes import (
    BLOCK,
    FLOW,
    PAIR,
    Node,
    Source,
    refuse_lost_anchor,
    refuse_shared,
)
from pytest_dust.suite.edits.yaml_scalars import (
    DOUBLE,
    FOLDED,
    LITERAL,
    SINGLE,
    OldBlock,
    block,
    one_line,
    pair,
)


def changes(source: Source, node: Node, old: Any, new: Any) -> Iterator[Piece]:
    """Yield the pieces that turn the value of a node into another; raises EditError if it cannot."""
    if equal(old, new):
        return
    refuse_shared(node)
    if node.is_collection and _kept(old, new):
        yield from _entries(source, node, old, new)
        return
    refuse_lost_anchor(node)
    if node.style in (LITERAL, FOLDED):
        yield from _block_scalar(source, node, new)
    elif node.style == BLOCK:
        yield from _block_collection(source, node, new)
    else:
        yield _in_place(source, node, new, is_text=isinstance(old, str))


def insertion(source: Source, node: Node, name: str, value: Any, after: str) -> Piece:
    """Return the piece that adds a key to a mapping: behind its key `after`, else as its first key."""
    refuse_shared(node)
    if node.keys is None or node.style == PAIR:
        raise EditError("a key can be added only to a mapping that is written out here")
    if name in node.steps:
        raise EditError(f"there is a key {name!r} already")
    entry = _entry(node, name, value)
    if not node.keys:
        at = source.content_start(node) + 1
        return Piece(at, at, entry)
    if after in node.steps:
        return _behind(source, node, node.parts[node.steps.index(after)], [entry])
    start = source.entry_start(node, 0)
    return Piece(start, start, entry + _separator(source, node))


# ── lists and mappings ───────────────────────────────────────────────────────────────────────────


def _kept(old: Any, new: Any) -> list[str | int]:
    """Return the keys or indexes that two values share; none if they are of different kinds."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return [name for name in old if name in new]
    if isinstance(old, list) and isinstance(new, list):
        return list(range(min(len(old), len(new))))
    return []


def _entries(source: Source, node: Node, old: Any, new: Any) -> Iterator[Piece]:
    """Yield the pieces that change, remove and add entries of a list or mapping."""
    steps = node.steps
    kept = set(_kept(old, new))
    for part, step in zip(node.parts, steps, strict=True):
        if step in kept:
            yield from changes(source, part, old[step], new[step])
    gone = [at for at, step in enumerate(steps) if step not in kept]
    wanted = list(new) if isinstance(new, Mapping) else range(len(new))
    added = [_entry(node, step, new[step]) for step in wanted if step not in kept]
    if node.style == PAIR and (gone or added):
        raise EditError("this mapping is a single pair without braces; add braces")
    if gone:
        yield from _removals(source, node, gone)
    if added:
        yield _behind(source, node, node.parts[-1], added)


def _removals(source: Source, node: Node, gone: list[int]) -> Iterator[Piece]:
    """Yield the pieces that remove entries, of which at least one stays."""
    first_kept = next(at for at in range(len(node.parts)) if at not in gone)
    if first_kept:
        start, end = source.entry_start(node, 0), source.entry_start(node, first_kept)
        yield _removal(source, node, range(first_kept), start, end)
    for at in gone[first_kept:]:
        end = source.content_end(node.parts[at])
        if node.style == FLOW:
            start = source.content_end(node.parts[at - 1])
        else:
            start, end = source.break_before(source.entry_start(node, at)), source.line_end(end)
        yield _removal(source, node, range(at, at + 1), start, end)


def _removal(source: Source, node: Node, entries: range, start: int, end: int) -> Piece:
    parts = [each for at in entries for each in (*(node.keys or [])[at : at + 1], node.parts[at])]
    for part in parts:
        refuse_lost_anchor(part)
    _refuse_comment(source, parts, start, end)
    return Piece(start, end, "")


def _refuse_comment(source: Source, nodes: list[Node], start: int, end: int) -> None:
    if source.has_comment(nodes, start, end):
        raise EditError("a comment is in the part of the file that would be removed; edit it by hand")


def _entry(node: Node, step: str | int, value: Any) -> str:
    """Return the text of a new entry for a list or mapping, in the style of the entries that it has."""
    is_flow = node.style == FLOW
    key_style = node.keys[0].style if node.keys else _fresh_style(node)
    quotes = [part.style for part in node.parts if part.style in (SINGLE, DOUBLE)]
    style = quotes[0] if quotes else key_style
    if node.keys is not None:
        return pair(str(step), value, key_style, style, flow=is_flow)
    text = one_line(value, style, flow=is_flow)
    return text if is_flow else f"- {text}"


def _behind(source: Source, node: Node, part: Node, entries: list[str]) -> Piece:
    """Return the piece that puts entries behind one that is there."""
    separator = _separator(source, node)
    text = separator.join(entries)
    end = source.content_end(part)
    if node.style == FLOW:
        return Piece(end, end, separator + text)
    at = source.line_end(end)
    return Piece(at, at, separator + text)


def _separator(source: Source, node: Node) -> str:
    """Return the text between two entries of a list or mapping."""
    if node.style == FLOW:
        return _flow_separator(source, node)
    start = source.entry_start(node, 0)
    return source.line_break(start) + " " * source.column(start)


def _flow_separator(source: Source, node: Node) -> str:
    if len(node.parts) > 1:
        between = source.text[source.content_end(node.parts[0]) : source.entry_start(node, 1)]
        if between.startswith(",") and not between[1:].strip():
            return between
    return ", "


# ── whole values ─────────────────────────────────────────────────────────────────────────────────


def _fresh_style(node: Node) -> str:
    """Return the style of quotes for a new text: double in a part of the file that is written as JSON."""
    place: Node | None = node
    while place is not None and place.style != BLOCK:
        if place.keys and place.style == FLOW:
            return DOUBLE if place.keys[0].style == DOUBLE else ""
        place = place.parent
    return ""


def _in_place(source: Source, node: Node, new: Any, *, is_text: bool) -> Piece:
    """Return the piece that replaces a scalar, an alias or a flow collection; a plain text stays plain."""
    start, end = source.content_start(node), source.content_end(node)
    quotes = "" if is_text else _fresh_style(node)
    style = node.style if node.style in (SINGLE, DOUBLE) else quotes
    text = one_line(new, style, flow=node.in_flow)
    if node.is_collection:
        _refuse_comment(source, [node], start, end)
    if start < end:
        return Piece(start, end, text)
    if source.text[start - 1 : start] == " ":
        return Piece(start, start, text)
    lead = source.lead_end(node)
    colon = "" if source.text[lead - 1 : lead] in (":", "-") or node.anchor is not None else ":"
    return Piece(lead, lead, text if _is_open(source, node, lead) else f"{colon} {text}")


def _is_open(source: Source, node: Node, at: int) -> bool:
    """True if a value can be written at an index without a blank before it."""
    is_entry = node.parent is not None and node.parent.keys is None and node.parent.style != BLOCK
    return node.parent is None or (is_entry and source.text[at - 1 : at] in " [,")


def _block_collection(source: Source, node: Node, new: Any) -> Iterator[Piece]:
    """Yield the pieces that replace a whole list or mapping in block style."""
    start, end = source.content_start(node), source.content_end(node)
    _refuse_comment(source, [node], start, end)
    begin = source.line_start(start)
    is_own_line = not source.text[begin:start].strip()
    if node.parent is None or not is_own_line or _can_stay_block(source, node, new):
        yield Piece(start, end, _fresh_block(source, start, new))
        return
    lead = source.lead_end(node)
    yield Piece(lead, lead, f" {one_line(new, '', flow=False)}")
    yield Piece(source.break_before(start), end, "")


def _can_stay_block(source: Source, node: Node, new: Any) -> bool:
    """True if a list or mapping can begin on a line of its own at the indentation of the old one."""
    if not new or not isinstance(new, Mapping | list) or node.parent is None:
        return False
    return source.column(source.content_start(node)) > source.column(source.entry_start(node.parent, 0))


def _fresh_block(source: Source, start: int, new: Any) -> str:
    """Return a new value in block style if it has entries; else on one line."""
    if not new or not isinstance(new, Mapping | list):
        return one_line(new, "", flow=False)
    separator = source.line_break(start) + " " * source.column(start)
    if isinstance(new, list):
        return separator.join(f"- {one_line(each, '', flow=False)}" for each in new)
    return separator.join(pair(name, each, "", "", flow=False) for name, each in new.items())


def _block_scalar(source: Source, node: Node, new: Any) -> Iterator[Piece]:
    """Yield the pieces that replace a text after `|` or `>`; a comment beside these stays."""
    old = source.block_scalar(node)
    head_end = old.start + len(old.indicators)
    body = source.text[old.body_start : old.body_end]
    written = None
    if isinstance(new, str) and old.indent:
        width = max(map(len, body.splitlines()), default=0) - old.indent
        written = block(new, OldBlock(old.indicators, old.indent, width), _column(source, node))
    if written is None:
        yield Piece(old.start, head_end, one_line(new, DOUBLE, flow=False))
        yield Piece(old.body_start, old.body_end, "")
        return
    indicators, lines = written
    line_break = source.line_break(old.start)
    body = "".join(line_break + line for line in lines)
    at_end = old.body_end == len(source.text) and str(new).endswith("\n")
    yield Piece(old.start, head_end, indicators)
    yield Piece(old.body_start, old.body_end, body + line_break * at_end)


def _column(source: Source, node: Node) -> int | None:
    """Return the column of the list or mapping that has a node."""
    return None if node.parent is None else source.column(source.entry_start(node.parent, 0))
