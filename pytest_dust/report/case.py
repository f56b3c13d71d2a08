"""The report of one case, written from its record: what was expected, what came, and where it changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice, product
from typing import TYPE_CHECKING, NamedTuple

from pytest_dust.characters import escape_that_tells, safe, safe_name
from pytest_dust.model import MISSING, Status
from pytest_dust.report import repeats
from pytest_dust.report.comparison import begins, comparison_lines, first_value
from pytest_dust.report.record import RunSource, Verdict
from pytest_dust.report.tokens import used
from pytest_dust.report.values import ROOM, contrast, show, show_path
from pytest_dust.wording import plural, shell_word

if TYPE_CHECKING:
    from pytest_dust.model import Expected
    from pytest_dust.report.record import AttemptRecord, CaseRecord, FailureRecord

NO_VERDICT = "no verdict"
"""What reports say of a case that could not be judged, as many reporters know only failures."""
MAX_FAILURES = 20
"""Failed expectations that are written out; more are counted."""
MAX_CHANGES = 8
"""Differing places of one expectation that are written out."""
MAX_PAIRS = 64
"""Texts of an expectation and of a value that are compared for characters that look alike."""
MAX_TEXT = 10_000
"""Characters of such a text."""


def case_lines(record: CaseRecord) -> Iterator[str]:
    """The lines of a case that failed, or of a run of a Python test that changed."""
    shown = record.shown
    if record.verdict is Verdict.TROUBLE or shown is None:
        yield from _trouble(record)
        return
    yield heading(record)
    yield from description(record)
    yield from findings(record, shown)
    if not record.is_test or record.source is RunSource.LIVE:
        yield ""
        yield f"  {next_step(record).line}"


def findings(record: CaseRecord, shown: AttemptRecord) -> Iterator[str]:
    """What failed and what changed in a case that ran, each after an empty line."""
    if record.repeat:
        yield ""
        yield from _attempts(record, shown)
    if not record.is_test:
        yield from _failures(shown)
    if shown.comparison is not None:
        yield ""
        yield from comparison_lines(shown.comparison)


def _trouble(record: CaseRecord) -> Iterator[str]:
    """The lines of a case that has no run, or whose run could not be judged."""
    verdict = "" if record.source is RunSource.CHECKED else f"   {NO_VERDICT}"
    yield f"{place(record)}   {record.mode}{verdict}"
    yield from description(record)
    yield ""
    for line in record.message.split("\n"):
        yield f"  {safe(line)}"


def place(record: CaseRecord) -> str:
    """File and line to look at, and the row of the dataset, or which run of a test it is."""
    line = f":{record.report_line}" if record.report_line else ""
    row = f" ({record.row})" if record.row else ""
    run = f"   run {record.run_number} of the test" if record.run_number > 1 else ""
    return safe(f"{record.file}{line}{row}{run}")


def description(record: CaseRecord) -> Iterator[str]:
    """The line that says what a case is about, if its suite does."""
    if record.description:
        yield f"  {safe(record.description)}"


def _attempts(record: CaseRecord, shown: AttemptRecord) -> Iterator[str]:
    """How many attempts passed, why there are no more, and which expectations failed how often."""
    count = len(record.counted)
    cache = "run without the service's cache"
    if record.cached:
        cache = f"the service's cache may have answered {', '.join(map(safe, record.cached))}"
    needed = repeats.must(record)
    yield f"  {repeats.passed(record)}{needed and f', {needed}'} ({cache})"
    yield f"    {repeats.marks(record)}   {repeats.rate(record)}"
    if why := repeats.why(record):
        yield f"    {why}"
    times = Counter(path for one in record.counted for path in {each.path for each in one.failures})
    for path, failing in times.most_common(MAX_CHANGES):
        yield f"    {safe_name(path)}   failed in {failing} of {count}"
    yield f"  attempt {record.attempts.index(shown) + 1}:"


def _failures(shown: AttemptRecord) -> Iterator[str]:
    """The run's error and its failed expectations, each after an empty line."""
    if shown.status is Status.ERRORED:
        yield ""
        yield f"  the run errored in {_error(shown)}"
    for failure in shown.failures[:MAX_FAILURES]:
        yield ""
        yield from _failure(failure)
    if shown.failure_count > MAX_FAILURES:
        yield f"\n  … and {plural(shown.failure_count - MAX_FAILURES, 'more expectation')}"


def heading(record: CaseRecord) -> str:
    """Where the case stands, and which run it shows."""
    shown = record.shown
    if shown is None:
        return place(record)
    facts = [place(record), str(record.source)]
    facts += [f"run {_short(shown.run_id)}"] if shown.run_id else []
    facts += [f"hash {_short(shown.specification_hash)}"] if shown.specification_hash else []
    facts.append(f"{shown.duration:.1f} s")
    facts += [f"waited {record.waited:.0f} s for the rate limit"] if record.waited else []
    facts.append(used(record.tokens))
    return "   ".join(facts)


def headline(record: CaseRecord) -> str:
    """A failed case in one line, for pytest's short summary: its row, where it began, what failed first."""
    row = f"{safe(record.row)}: " if record.row else ""
    return row + _headline(record)


def _headline(record: CaseRecord) -> str:
    shown = record.shown
    if record.verdict is Verdict.TROUBLE or shown is None:
        verdict = "" if record.source is RunSource.CHECKED else f"{NO_VERDICT}: "
        return verdict + safe(record.message.split("\n", 1)[0])
    began = f"{begins(shown.comparison)}: " if shown.comparison and shown.changed else ""
    if record.repeat and record.verdict is not Verdict.CHANGED:
        began = f"{repeats.passed(record)}: {began}"
    fails_on_change = " (on_change: fail)" if record.verdict is Verdict.CHANGED else ""
    return f"{began}{what_differs(record)}{fails_on_change}"


def what_differs(record: CaseRecord) -> str:
    """What fails or changed first in a case, in one line: its message, if it has one, else of its run."""
    if record.shown is None or record.message:
        return safe(record.message.split("\n", 1)[0])
    return difference(record.shown)


def difference(attempt: AttemptRecord) -> str:
    """What fails or changed first in a run, in one line, and how much more there is."""
    if not attempt.failures:
        return first_value(attempt.comparison) if attempt.comparison and attempt.comparison.values else ""
    first = attempt.failures[0]
    path, expected, actual = next(_parts(first))
    more = f" (+{attempt.failure_count - 1} more)" if attempt.failure_count > 1 else ""
    if attempt.status is Status.ERRORED and first.path == "status":
        return f"errored in {_error(attempt)}{more}"
    return f"{path}: expected {expected}, actual {actual}{more}"


def _error(attempt: AttemptRecord) -> str:
    text = attempt.error or ""
    return safe(text if len(text) <= ROOM else f"{text[:ROOM]}…")


def _failure(failure: FailureRecord) -> Iterator[str]:
    for path, expected, actual in islice(_parts(failure), MAX_CHANGES):
        yield f"  {path}"
        yield f"    expected  {expected}"
        yield f"    actual    {actual}"
    if failure.count > MAX_CHANGES:
        more = plural(failure.count - MAX_CHANGES, "more difference")
        yield f"    … and {more} below {safe_name(failure.path)}"
    for line in _note_lines(failure)[1:]:
        yield f"              {safe(line)}"


def _note_lines(failure: FailureRecord) -> list[str]:
    """Why an expectation failed: in a line for each difference if DeepDiff says it, else in one."""
    return failure.note.split("\n") if failure.expected.name == "deepdiff" else [failure.note]


def _parts(failure: FailureRecord) -> Iterator[tuple[str, str, str]]:
    """A failure as (path, expected, actual): for structures, one for each place where they differ."""
    for change in failure.changes:
        expected, actual = contrast(change.before, change.after, lengths=change.lengths)
        expected = "not there" if change.kind == "added" else expected
        actual = "not there" if change.kind == "removed" else actual
        yield show_path(change.path, failure.path), expected, actual
    if failure.changes:
        return
    expected, actual = sides(failure)
    if not failure.found:
        actual = f"nothing; {safe_name(failure.note)}"
    elif failure.note:
        actual = f"{actual} ({safe(_note_lines(failure)[0])})"
    yield safe_name(failure.path), expected, actual


def sides(failure: FailureRecord) -> tuple[str, str]:
    """A failure's expected and actual value, where they are not compared part by part."""
    value = failure.actual if failure.found else MISSING
    if failure.expected.name == "equals":
        return contrast(failure.expected.written, value, lengths=failure.lengths)
    escape = _escape_that_tells(failure)
    of_expected, of_actual = failure.lengths or (None, None)
    return describe(failure.expected, escape, of_expected), show(value, escape=escape, length=of_actual)


def describe(expected: Expected, escape: Callable[[str], str] = safe, length: int | None = None) -> str:
    """A matcher as reports name it: `"billing"`, `contains "refund"`, `not icontains "sorry"`.

    `length` is that of the written text, if only a part of it is there.
    """
    if expected.name == "equals":
        return show(expected.written, escape=escape)
    if expected.inner:
        return ", ".join(f"{expected.name} {describe(inner, escape)}" for inner in expected.inner)
    return f"{expected.name} {show(expected.written, escape=escape, length=length)}"


def _escape_that_tells(failure: FailureRecord) -> Callable[[str], str]:
    """How to write an expectation and the value, so that a reader sees the characters that differ."""
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


class NextStep(NamedTuple):
    """What to do next, and the command for it; the command is empty if there is none."""

    advice: str
    command: str = ""

    @property
    def line(self) -> str:
        """Both in one line."""
        return f"{self.advice}: {self.command}" if self.command else self.advice


def next_step(record: CaseRecord, command: str = "") -> NextStep:
    """What to do about a case that ran; `command` runs all cases that changed in the same way as this one."""
    command = command or record.command
    if record.source is RunSource.REPLAYED:
        return NextStep("to run the app itself", f"{command} --dust-mode=live")
    if record.source is RunSource.LIVE and _is_as_recorded(record):
        return NextStep(f"as recorded, so correct the app, or the expectation in {place(record)}")
    if record.source is RunSource.LIVE:
        return _accept(record, f"{command} --dust-accept")
    if record.is_test:
        return NextStep("if this is right, record it", f"{command} --dust-mode=rerecord")
    return NextStep(f"the run is recorded; if it is right, edit the suite: {place(record)}")


def _accept(record: CaseRecord, command: str) -> NextStep:
    """How to accept the answer of a live run."""
    if record.is_test and record.version != record.pinned:
        return NextStep(f"if this is right, pin {_ran(record)} in the test and accept it", command)
    if record.version != record.pinned:  # one hash is for all cases that are made in one place
        command = command.replace(shell_word(record.title), shell_word(record.title.partition("[")[0]))
    edits = record.verdict is Verdict.FAILED and not record.is_test
    pins = "" if record.is_pinned or record.version == record.pinned else f", which pins {_ran(record)[:12]}…"
    return NextStep(f"if this is right, accept it{pins}", f"{command} --dust-edit" if edits else command)


def _ran(record: CaseRecord) -> str:
    """The specification hash that ran."""
    return safe((record.shown and record.shown.specification_hash) or "the new hash")


def _is_as_recorded(record: CaseRecord) -> bool:
    """Whether a failed case gave the same outputs when it was recorded, so that recording mends nothing."""
    same = record.compared and not record.changed and not (record.comparison and record.comparison.blocks)
    return same and not record.passed and not record.is_test


def _short(text: str) -> str:
    return safe(text if len(text) <= 12 else f"{text[:8]}…")
