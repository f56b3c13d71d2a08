"""What changed in a run since its recording, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pytest_dust.characters import safe_name
from pytest_dust.report.values import ROOM, contrast, show_path
from pytest_dust.report.words import ADDED, REMOVED, by_words, came_or_went
from pytest_dust.wording import plural

if TYPE_CHECKING:
    from pytest_dust.report.record import BlockChangeRecord, ChangeRecord, ComparisonRecord

MAX_CHANGES = 8
"""Changed values of the first block that are written out."""
LONG = 80
"""Characters from which on a text is compared word by word."""
MAX_BLOCKS = 12
"""Blocks after the first that are named."""


def comparison_lines(comparison: ComparisonRecord) -> Iterator[str]:
    """What changed since the recording, beginning with the first block that changed."""
    day = comparison.recorded_at[:10]
    if comparison.not_compared:
        yield f"  Not compared with the recording of {day}: {comparison.not_compared}."
    elif not comparison.changed:
        on_the_way = _names(None, comparison.blocks) if comparison.blocks else ""
        less = f", but on the way {on_the_way}" if on_the_way else ""
        yield f"  Nothing that counts changed since the recording of {day}{less}."
    elif not comparison.blocks:
        yield f"  Changed since the recording of {day}:"
        yield from _rows("", comparison.values, comparison.count)
    else:
        yield f"  Changed since the recording of {day}; {begins(comparison)}{_position(comparison)}:"
        yield from _blocks(comparison.blocks)


def _blocks(blocks: Sequence[BlockChangeRecord]) -> Iterator[str]:
    """The changes of the first block; then the first blocks of other inputs, and the blocks that follow."""
    first, *rest = blocks
    if whole := _whole_block(first, rest):
        yield f"    {safe_name(first.name)}  {whole}"
    else:
        yield from _rows(f"{safe_name(first.name)}  ", first.changes, first.count)
    elsewhere = [one for one in rest if one.is_cause and one.name != first.name]
    for cause in elsewhere[:MAX_CHANGES]:
        yield f"    for input {cause.input} it begins in {safe_name(cause.name)} ({safe_name(cause.type)})"
    follow = [one for one in rest if one not in elsewhere]
    if follow:
        values = sum(block.count for block in follow)
        yield f"    then: {_names(first, follow)} ({plural(values, 'value')})"


def _whole_block(block: BlockChangeRecord, rest: Sequence[BlockChangeRecord]) -> str:
    """What to say of a block that only one of the runs has, and of the one in its place; else nothing."""
    text = came_or_went(block.changes[0])
    if text != REMOVED:
        return text
    near = (one for one in rest if one.position - block.position in (0, 1))
    instead = next((one for one in near if came_or_went(one.changes[0]) == ADDED), None)
    if instead is None:
        return text
    return f"removed: this run has {safe_name(instead.name)} ({safe_name(instead.type)}) in its place"


def begins(comparison: ComparisonRecord | None) -> str:
    """`it begins in NAME (type)`; `it changed` if no block is known to have; empty without a change."""
    if comparison is None or not comparison.blocks:
        return "it changed" if comparison and comparison.changed else ""
    return f"it begins in {begins_in(comparison)}"


def begins_in(comparison: ComparisonRecord) -> str:
    """`NAME (type)` of the first block that changed."""
    first = comparison.blocks[0]
    return f"{safe_name(first.name)} ({safe_name(first.type)})"


def first_value(comparison: ComparisonRecord) -> str:
    """The first change that counts, and how many there are."""
    first = comparison.values[0]
    more = f" (+{comparison.count - 1} more)" if comparison.count > 1 else ""
    return f"{show_path(first.path)} {in_short(first)}{more}"


def in_short(change: ChangeRecord) -> str:
    """`old → new`; of long texts, the words that differ."""
    return _words(change) or " → ".join(contrast(change.before, change.after, lengths=change.lengths))


def _position(comparison: ComparisonRecord) -> str:
    first = comparison.blocks[0]
    block = f", block {first.position} of {comparison.block_total}" if first.position else ""
    return block if first.input is None else f"{block}, input {first.input}"


def _rows(before: str, changes: Sequence[ChangeRecord], count: int) -> Iterator[str]:
    """Changed values, old → new, long texts word by word."""
    shown = changes[:MAX_CHANGES]
    width = max(len(_change_path(change)) for change in shown)
    for change in shown:
        path = _change_path(change)
        words = _words(change)
        if words:
            yield f"    {before}{path}"
            yield f"      {words}"
        else:
            old, new = contrast(change.before, change.after, lengths=change.lengths)
            yield f"    {before}{path:<{width}}   {old} → {new}"
    if count > MAX_CHANGES:
        yield f"    … and {plural(count - MAX_CHANGES, 'more value')}"


def _words(change: ChangeRecord) -> str:
    old, new = change.before, change.after
    if not (isinstance(old, str) and isinstance(new, str)) or max(len(old), len(new)) < LONG:
        return ""
    return by_words(old, new)[: 3 * ROOM]


def _change_path(change: ChangeRecord) -> str:
    """`output.label`, or `iteration 3 output.label`; `the block` where all of it came or went."""
    first, *rest = change.path or ("",)
    if isinstance(first, int):
        return f"iteration {first + 1} {show_path(tuple(rest))}".rstrip()
    return show_path(change.path) or "the block"


def _names(first: BlockChangeRecord | None, blocks: Sequence[BlockChangeRecord]) -> str:
    """The blocks that changed too; the first one again, if it changed for another input."""
    again = first.name if first else None
    named = (f"{one.name} (input {one.input})" if one.name == again else one.name for one in blocks)
    names = [safe_name(name) for name in dict.fromkeys(named)]
    more = f", … {len(names) - MAX_BLOCKS} more" if len(names) > MAX_BLOCKS else ""
    return ", ".join(names[:MAX_BLOCKS]) + more
