"""The report of one case: what was expected and what came, and where the change began."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from pytest_dust.model import MISSING, Bound, Failure, Outcome, Source, Status
from pytest_dust.report.values import ROOM, contrast, plural, safe, show, show_path
from pytest_dust.view import error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_dust.model import BlockChange, Change, Comparison

MAX_FAILURES = 20
"""Failed expectations that are written out; more are counted."""
MAX_CHANGES = 8
"""Changed values of the first block, or of one expectation, that are written out."""
MAX_BLOCKS = 12
"""Consequent blocks that are named."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose report it is: where the case stands, and the command that runs it alone."""

    where: str
    command: str


def failed(subject: Subject, outcome: Outcome) -> Iterator[str]:
    """The lines of a case whose expectations do not all hold."""
    yield heading(subject, outcome)
    if outcome.run.status == Status.ERRORED:
        yield ""
        yield f"  the run errored in {_error(outcome)}"
    for failure in outcome.failures[:MAX_FAILURES]:
        yield ""
        yield from _failure(failure)
    if len(outcome.failures) > MAX_FAILURES:
        yield f"\n  … and {plural(len(outcome.failures) - MAX_FAILURES, 'more expectation')}"
    if outcome.comparison is not None:
        yield ""
        yield from compared(outcome.comparison)
    yield ""
    yield _what_now(subject, outcome)


def troubled(subject: Subject, mode: str, message: str) -> Iterator[str]:
    """The lines of a case that gave no run."""
    yield f"{subject.where}   {mode}"
    yield ""
    for line in safe_lines(message):
        yield f"  {line}"


def heading(subject: Subject, outcome: Outcome) -> str:
    """Where the case stands, and which run it was."""
    run = outcome.run
    facts = [subject.where, str(outcome.source)]
    facts += [f"run {_short(run.id)}"] if run.id else []
    facts += [f"hash {_short(run.specification_hash)}"] if run.specification_hash else []
    facts.append(f"{run.duration:.1f} s")
    facts += [f"waited {outcome.waited:.0f} s for the rate limit"] if outcome.waited else []
    facts.append(plural(outcome.tokens, "token"))
    return "   ".join(facts)


def headline(outcome: Outcome) -> str:
    """The case in one line, for pytest's short summary: where it began, then what failed first."""
    first = outcome.failures[0]
    path, expected, actual = next(_parts(first))
    more = f" (+{len(outcome.failures) - 1} more)" if len(outcome.failures) > 1 else ""
    began = f"{begins(outcome.comparison)}: " if outcome.comparison and outcome.comparison.changed else ""
    if outcome.run.status == Status.ERRORED and first.path == "status":
        return f"{began}errored in {_error(outcome)}{more}"
    return f"{began}{path}: expected {expected}, actual {actual}{more}"


def _error(outcome: Outcome) -> str:
    text = error(outcome.run) or ""
    return safe(text if len(text) <= ROOM else f"{text[:ROOM]}…")


def compared(comparison: Comparison) -> Iterator[str]:
    """What changed since the recording, beginning with the first block that changed."""
    day = comparison.recorded_at[:10]
    if comparison.not_compared:
        yield f"  Not compared with the recording of {day}: {comparison.not_compared}."
        return
    if not comparison.changed:
        yield f"  Nothing changed since the recording of {day}."
        return
    first = comparison.blocks[0]
    yield f"  Changed since the recording of {day}; {begins(comparison)}{_position(comparison)}:"
    for line in _block(first):
        yield f"    {line}"
    rest = comparison.blocks[1:]
    if rest:
        values = sum(len(block.changes) for block in rest)
        yield f"    then: {_names(first, rest)} ({plural(values, 'value')})"


def begins(comparison: Comparison) -> str:
    """The words people grep for."""
    first = comparison.blocks[0]
    return f"it begins in {safe(first.name)} ({safe(first.type)})"


def safe_lines(message: str) -> list[str]:
    """A message's lines, each safe to print."""
    return [safe(line) for line in message.split("\n")]


def _position(comparison: Comparison) -> str:
    first = comparison.blocks[0]
    block = f", block {first.position} of {comparison.total}" if first.position else ""
    return block if first.input is None else f"{block}, input {first.input}"


def _block(block: BlockChange) -> Iterator[str]:
    shown = block.changes[:MAX_CHANGES]
    rows = [(_change_path(change), *contrast(change.old, change.new)) for change in shown]
    width = max(len(path) for path, _, _ in rows)
    for path, old, new in rows:
        yield f"{safe(block.name)}  {path:<{width}}   {old} → {new}"
    if len(block.changes) > MAX_CHANGES:
        yield f"… and {plural(len(block.changes) - MAX_CHANGES, 'more value')}"


def _change_path(change: Change) -> str:
    """`output.label`, or `iteration 3 output.label`; the block itself where all of it came or went."""
    first, *rest = change.path or ("",)
    if isinstance(first, int):
        return f"iteration {first + 1} {show_path(tuple(rest))}".rstrip()
    return show_path(change.path) or "the block"


def _names(first: BlockChange, blocks: Sequence[BlockChange]) -> str:
    """The blocks that changed too; the first one again, where it did so for another input."""
    told = (f"{one.name} (input {one.input})" if one.name == first.name else one.name for one in blocks)
    names = [safe(name) for name in dict.fromkeys(told)]
    more = f", … {len(names) - MAX_BLOCKS} more" if len(names) > MAX_BLOCKS else ""
    return ", ".join(names[:MAX_BLOCKS]) + more


def _failure(failure: Failure) -> Iterator[str]:
    for path, expected, actual in islice(_parts(failure), MAX_CHANGES):
        yield f"  {path}"
        yield f"    expected  {expected}"
        yield f"    actual    {actual}"
    if len(failure.changes) > MAX_CHANGES:
        more = plural(len(failure.changes) - MAX_CHANGES, "more difference")
        yield f"    … and {more} below {safe(failure.path)}"


def _parts(failure: Failure) -> Iterator[tuple[str, str, str]]:
    """A failure as (path, expected, actual): for structures, one for each place where they differ."""
    for change in failure.changes:
        expected, actual = contrast(change.old, change.new)
        expected = "not there" if change.old is MISSING else expected
        actual = "not there" if change.new is MISSING else actual
        yield show_path(change.path, failure.path), expected, actual
    if failure.changes:
        return
    expected, actual = describe(failure.expected), show(failure.actual)
    if failure.expected.name == "equals":
        expected, actual = contrast(failure.expected.written, failure.actual)
    if failure.actual is MISSING:
        actual = f"nothing; {safe(failure.note)}"
    elif failure.note:
        actual = f"{actual} ({safe(failure.note)})"
    yield safe(failure.path), expected, actual


def describe(bound: Bound) -> str:
    """A matcher as the report names it: `"billing"`, `contains "refund"`, `not icontains "sorry"`."""
    if bound.name == "equals":
        return show(bound.written)
    if bound.name == "not" and isinstance(bound.argument, tuple):
        return ", ".join(f"not {describe(inner)}" for inner in bound.argument)
    return f"{bound.name} {show(bound.written)}"


def _what_now(subject: Subject, outcome: Outcome) -> str:
    """What to type next."""
    if outcome.source is Source.REPLAYED:
        return f"  to ask the app as it is now: {subject.command} --dust-mode=live"
    if outcome.source is Source.LIVE:
        return f"  if this is right, edit the suite and record it: {subject.command} --dust-mode=rerecord"
    return f"  the run is recorded; if it is right, edit the suite: {subject.where}"


def _short(text: str) -> str:
    return safe(text if len(text) <= 12 else f"{text[:8]}…")
