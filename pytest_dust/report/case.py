"""The report of one case: what was expected and what came, and where the change began."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice, product
from typing import TYPE_CHECKING

from pytest_dust.characters import escape_that_tells, safe, safe_name
from pytest_dust.dust.run_view import error
from pytest_dust.model import MISSING, Attempt, Bound, Change, Failure, Outcome, Source, Status
from pytest_dust.report.tokens import used
from pytest_dust.report.values import ROOM, contrast, show, show_path
from pytest_dust.report.words import ADDED, REMOVED, by_words, came_or_went
from pytest_dust.wording import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_dust.model import BlockChange, Comparison

MAX_FAILURES = 20
"""Failed expectations that are written out; more are counted."""
MAX_CHANGES = 8
"""Changed values of the first block, or of one expectation, that are written out."""
LONG = 80
"""Characters from which on a text is compared word by word."""
MAX_PAIRS = 64
"""Texts of an expectation and of a value that are held against each other for what cannot be seen."""
MAX_TEXT = 10_000
"""Characters of such a text."""
MAX_BLOCKS = 12
"""Consequent blocks that are named."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose report it is: where the case stands, and the command that runs it alone."""

    where: str
    command: str
    pinned: bool = False
    """Whether another version ran than the suite pins."""
    home: str = "suite"
    """What is edited to change it: a suite, or a test."""
    description: str = ""


def failed(subject: Subject, outcome: Outcome) -> Iterator[str]:
    """The lines of a case whose expectations do not all hold, or that a change fails."""
    shown = outcome.shown
    yield heading(subject, outcome)
    yield from _described(subject)
    if outcome.repeat:
        yield ""
        yield from _spread(outcome)
    if shown.run.status == Status.ERRORED:
        yield ""
        yield f"  the run errored in {_error(shown)}"
    for failure in shown.failures[:MAX_FAILURES]:
        yield ""
        yield from _failure(failure)
    if len(shown.failures) > MAX_FAILURES:
        yield f"\n  … and {plural(len(shown.failures) - MAX_FAILURES, 'more expectation')}"
    if shown.comparison is not None:
        yield ""
        yield from compared(shown.comparison)
    yield ""
    yield _what_now(subject, outcome)


def changed(subject: Subject, outcome: Outcome) -> Iterator[str]:
    """The lines of a run of a Python test that changed since its recording."""
    yield heading(subject, outcome)
    if outcome.shown.comparison is not None:
        yield ""
        yield from compared(outcome.shown.comparison)
    if outcome.source is Source.LIVE:
        yield ""
        yield _what_now(subject, outcome)


def _spread(outcome: Outcome) -> Iterator[str]:
    """How many attempts passed, and which expectations failed how often."""
    assert outcome.repeat is not None  # noqa: S101  # as the caller saw
    count = len(outcome.attempts)
    needed = outcome.repeat.min_pass
    cache = "run without the service's cache"
    if outcome.cached:
        cache = f"the service's cache may have answered {', '.join(map(safe, outcome.cached))}"
    yield f"  {outcome.passed} of {count} attempts passed, {needed} must ({cache})"
    times = Counter(path for one in outcome.attempts for path in {each.path for each in one.failures})
    for path, failing in times.most_common(MAX_CHANGES):
        yield f"    {safe_name(path)}   failed in {failing} of {count}"
    at = outcome.attempts.index(outcome.shown) + 1
    yield f"  attempt {at}:"


def troubled(subject: Subject, mode: str, message: str) -> Iterator[str]:
    """The lines of a case that gave no run."""
    yield f"{subject.where}   {mode}"
    yield from _described(subject)
    yield ""
    for line in safe_lines(message):
        yield f"  {line}"


def _described(subject: Subject) -> Iterator[str]:
    """The line that says what the case is about, if it has one."""
    if subject.description:
        yield f"  {safe(subject.description)}"


def heading(subject: Subject, outcome: Outcome) -> str:
    """Where the case stands, and which run it was."""
    run = outcome.shown.run
    facts = [subject.where, str(outcome.source)]
    facts += [f"run {_short(run.id)}"] if run.id else []
    facts += [f"hash {_short(run.specification_hash)}"] if run.specification_hash else []
    facts.append(f"{run.duration:.1f} s")
    facts += [f"waited {outcome.waited:.0f} s for the rate limit"] if outcome.waited else []
    facts.append(used(outcome.tokens))
    return "   ".join(facts)


def headline(outcome: Outcome) -> str:
    """The case in one line, for pytest's short summary: where it began, then what failed first."""
    shown = outcome.shown
    began = f"{begins(shown.comparison)}: " if shown.comparison and shown.changed else ""
    if outcome.repeat and not outcome.gated:
        began = f"{outcome.passed} of {len(outcome.attempts)} attempts passed: {began}"
    if not shown.failures:
        return f"{began}{_values(shown.comparison)} (on_change: fail)" if shown.comparison else began
    first = shown.failures[0]
    path, expected, actual = next(_parts(first))
    more = f" (+{len(shown.failures) - 1} more)" if len(shown.failures) > 1 else ""
    if shown.run.status == Status.ERRORED and first.path == "status":
        return f"{began}errored in {_error(shown)}{more}"
    return f"{began}{path}: expected {expected}, actual {actual}{more}"


def _error(attempt: Attempt) -> str:
    text = error(attempt.run) or ""
    return safe(text if len(text) <= ROOM else f"{text[:ROOM]}…")


def _values(comparison: Comparison) -> str:
    """The first change that counts, and how many there are."""
    first = comparison.values[0]
    old, new = contrast(first.old, first.new)
    more = f" (+{len(comparison.values) - 1} more)" if len(comparison.values) > 1 else ""
    return f"{show_path(first.path)} {old} → {new}{more}"


def compared(comparison: Comparison) -> Iterator[str]:
    """What changed since the recording, beginning with the first block that changed."""
    day = comparison.recorded_at[:10]
    if comparison.not_compared:
        yield f"  Not compared with the recording of {day}: {comparison.not_compared}."
        return
    if not comparison.changed:
        on_the_way = _names(None, comparison.blocks) if comparison.blocks else ""
        less = f", but on the way {on_the_way}" if on_the_way else ""
        yield f"  Nothing that counts changed since the recording of {day}{less}."
        return
    if not comparison.blocks:
        yield f"  Changed since the recording of {day}:"
        yield from _rows("", comparison.values)
        return
    first = comparison.blocks[0]
    yield f"  Changed since the recording of {day}; {begins(comparison)}{_position(comparison)}:"
    rest = comparison.blocks[1:]
    if came_or_went := _came_or_went(first, rest):
        yield f"    {safe_name(first.name)}  {came_or_went}"
    else:
        yield from _rows(f"{safe_name(first.name)}  ", first.changes)
    elsewhere = [one for one in rest if one.cause and one.name != first.name]
    for cause in elsewhere[:MAX_CHANGES]:
        yield f"    for input {cause.input} it begins in {safe_name(cause.name)} ({safe_name(cause.type)})"
    follow = [one for one in rest if one not in elsewhere]
    if follow:
        values = sum(len(block.changes) for block in follow)
        yield f"    then: {_names(first, follow)} ({plural(values, 'value')})"


def _came_or_went(block: BlockChange, rest: Sequence[BlockChange]) -> str:
    """What became of a block that only one of the runs has, and what stands in its place; else nothing."""
    told = came_or_went(block.changes[0])
    if told != REMOVED:
        return told
    near = (one for one in rest if one.position - block.position in (0, 1))
    instead = next((one for one in near if came_or_went(one.changes[0]) == ADDED), None)
    if instead is None:
        return told
    return f"removed: this run has {safe_name(instead.name)} ({safe_name(instead.type)}) in its place"


def begins(comparison: Comparison | None) -> str:
    """The words people grep for; nothing where no block is known to have changed."""
    if comparison is None or not comparison.blocks:
        return "it changed" if comparison and comparison.changed else ""
    first = comparison.blocks[0]
    return f"it begins in {safe_name(first.name)} ({safe_name(first.type)})"


def safe_lines(message: str) -> list[str]:
    """A message's lines, each safe to print."""
    return [safe(line) for line in message.split("\n")]


def _position(comparison: Comparison) -> str:
    first = comparison.blocks[0]
    block = f", block {first.position} of {comparison.total}" if first.position else ""
    return block if first.input is None else f"{block}, input {first.input}"


def _rows(before: str, changes: Sequence[Change]) -> Iterator[str]:
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
            old, new = contrast(change.old, change.new)
            yield f"    {before}{path:<{width}}   {old} → {new}"
    if len(changes) > MAX_CHANGES:
        yield f"    … and {plural(len(changes) - MAX_CHANGES, 'more value')}"


def _words(change: Change) -> str:
    old, new = change.old, change.new
    if not (isinstance(old, str) and isinstance(new, str)) or max(len(old), len(new)) < LONG:
        return ""
    return by_words(old, new)[: 3 * ROOM]


def _change_path(change: Change) -> str:
    """`output.label`, or `iteration 3 output.label`; the block itself where all of it came or went."""
    first, *rest = change.path or ("",)
    if isinstance(first, int):
        return f"iteration {first + 1} {show_path(tuple(rest))}".rstrip()
    return show_path(change.path) or "the block"


def _names(first: BlockChange | None, blocks: Sequence[BlockChange]) -> str:
    """The blocks that changed too; the first one again, where it did so for another input."""
    again = first.name if first else None
    told = (f"{one.name} (input {one.input})" if one.name == again else one.name for one in blocks)
    names = [safe_name(name) for name in dict.fromkeys(told)]
    more = f", … {len(names) - MAX_BLOCKS} more" if len(names) > MAX_BLOCKS else ""
    return ", ".join(names[:MAX_BLOCKS]) + more


def _failure(failure: Failure) -> Iterator[str]:
    for path, expected, actual in islice(_parts(failure), MAX_CHANGES):
        yield f"  {path}"
        yield f"    expected  {expected}"
        yield f"    actual    {actual}"
    if len(failure.changes) > MAX_CHANGES:
        more = plural(len(failure.changes) - MAX_CHANGES, "more difference")
        yield f"    … and {more} below {safe_name(failure.path)}"


def _parts(failure: Failure) -> Iterator[tuple[str, str, str]]:
    """A failure as (path, expected, actual): for structures, one for each place where they differ."""
    for change in failure.changes:
        expected, actual = contrast(change.old, change.new)
        expected = "not there" if change.old is MISSING else expected
        actual = "not there" if change.new is MISSING else actual
        yield show_path(change.path, failure.path), expected, actual
    if failure.changes:
        return
    if failure.expected.name == "equals":
        expected, actual = contrast(failure.expected.written, failure.actual)
    else:
        escape = _escape_that_tells(failure)
        expected, actual = describe(failure.expected, escape), show(failure.actual, escape=escape)
    if failure.actual is MISSING:
        actual = f"nothing; {safe_name(failure.note)}"
    elif failure.note:
        actual = f"{actual} ({safe(failure.note)})"
    yield safe_name(failure.path), expected, actual


def describe(bound: Bound, escape: Callable[[str], str] = safe) -> str:
    """A matcher as the report names it: `"billing"`, `contains "refund"`, `not icontains "sorry"`."""
    if bound.name == "equals":
        return show(bound.written, escape=escape)
    if bound.name == "not" and isinstance(bound.argument, tuple):
        return ", ".join(f"not {describe(inner, escape)}" for inner in bound.argument)
    return f"{bound.name} {show(bound.written, escape=escape)}"


def _escape_that_tells(failure: Failure) -> Callable[[str], str]:
    """How an expectation and the value are written, so that a reader sees what of them is not the same."""
    pairs = product(_texts(failure.expected.written), _texts(failure.actual))
    found = (escape_that_tells(wanted, there) for wanted, there in islice(pairs, MAX_PAIRS))
    return next((escape for escape in found if escape is not safe), safe)


def _texts(value: object) -> Iterator[str]:
    """The texts of a value as far as a report shows it: itself, or its elements and what they hold."""
    if isinstance(value, str):
        yield value[:MAX_TEXT]
    elif isinstance(value, Mapping):
        yield from _texts(list(value.values()))
    elif isinstance(value, list | tuple):
        for each in value[:MAX_CHANGES]:
            yield from _texts(each)


def _what_now(subject: Subject, outcome: Outcome) -> str:
    """What to type next."""
    if outcome.source is Source.REPLAYED:
        return f"  to ask the app as it is now: {subject.command} --dust-mode=live"
    if subject.pinned and outcome.source is Source.LIVE:
        record = f"{subject.command} --dust-mode=record"
        ran = outcome.shown.run.specification_hash or "the new hash"
        return f"  if this is right, pin {safe(ran)} in the {subject.home} and record it: {record}"
    if outcome.gated or subject.home == "test":
        return f"  if this is right, record it: {subject.command} --dust-mode=rerecord"
    if outcome.source is Source.LIVE:
        return f"  if this is right, edit the suite and record it: {subject.command} --dust-mode=rerecord"
    return f"  the run is recorded; if it is right, edit the suite: {subject.where}"


def _short(text: str) -> str:
    return safe(text if len(text) <= 12 else f"{text[:8]}…")
