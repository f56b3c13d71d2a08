"""What the page shows, as plain JSON: every text is ready to be shown, and safe to show as text.

The page's script only puts these texts into its elements. Numbers are texts here: JavaScript would round
large ones.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

from pytest_dust.characters import safe, safe_name
from pytest_dust.model import MISSING, Path, Status
from pytest_dust.report import groups, repeats
from pytest_dust.report.case import NextStep, difference, next_step, place, sides, what_differs
from pytest_dust.report.comparison import in_short
from pytest_dust.report.drift import drift_lines
from pytest_dust.report.drift import headline as drift_headline
from pytest_dust.report.overview import (
    Group,
    Kind,
    Overview,
    drifted_block,
    error_block,
    kind,
)
from pytest_dust.report.record import (
    AttemptRecord,
    BlockChangeRecord,
    BlockDriftRecord,
    BlockRecord,
    CaseOutcome,
    CaseRecord,
    ChangeRecord,
    ComparisonRecord,
    DriftRecord,
    FailureRecord,
    SessionRecord,
    Verdict,
)
from pytest_dust.report.tokens import used
from pytest_dust.report.values import contrast, cut, show_path
from pytest_dust.report.words import Part, came_or_went, parts
from pytest_dust.wording import first_names, plural

Document: TypeAlias = "dict[str, Any]"
ROOM = 4_000
"""Characters of one side of a change that is no text."""
MAX_ROWS = 20
"""Changes of one block, or of the results, that are shown; more are counted."""
MAX_WHAT = 120
"""Characters of the change of a group at the top of the page."""
MAX_SUMMARY = 300
"""Characters of the one line that says how a case differs."""
MAX_SIDE = 60
"""Characters of one side of a change in that line."""
QUIET = {
    Kind.LEFT: "failed, but not more often than in the pinned version, as far as the gate found",
    Kind.XFAILED: "expected to fail, and did",
    Kind.SKIPPED: "skipped",
    Kind.CHECKED: "checked, not run",
    Kind.PASSED: "passed, as recorded or as expected",
}
"""The kinds of cases that need no look, and how their groups are named."""


def document(session: SessionRecord, seen: Overview) -> Document:
    """What the page shows of a session."""
    numbers = {case.id: at for at, case in enumerate(seen.cases)}
    shown = [_group(session, group, numbers) for group in seen.groups]
    shown += [_quiet(seen, each, numbers) for each in QUIET if seen.counts.get(each)]
    return {
        "gated": bool(session.gates),
        "look": _look(seen, numbers),
        "apps": _apps(seen),
        "counts": [[str(each), count] for each, count in seen.counts.items()],
        "groups": shown,
        "cases": [_case(case) for case in seen.cases],
        "drifts": [_drift(drift) for drift in session.drifts if not drift.passed],
        "problems": [[safe(each.where), _lines(each.message)] for each in session.problems],
    }


def _look(seen: Overview, numbers: dict[str, int]) -> list[int]:
    """The cases to look at first: one of each of the most urgent groups, then more of the first ones."""
    each = [groups.to_look_at(group.cases, _summary) for group in seen.groups]
    ordered = [*(look[0] for look in each), *(case for look in each for case in look[1:])]
    return [numbers[case.id] for case in ordered[: groups.MAX_NAMED]] if len(seen.groups) > 1 else []


def _apps(seen: Overview) -> list[list[str]]:
    """The apps, each with the files in which it is tested."""
    found: dict[str, dict[str, None]] = {}
    for case in seen.cases:
        found.setdefault(safe_name(case.app), {})[safe_name(case.file)] = None
    return [[app, f"{app} ({first_names(list(files), 1)})"] for app, files in sorted(found.items()) if app]


# ── groups ───────────────────────────────────────────────────────────────────────────────────────


def _group(session: SessionRecord, group: Group, numbers: dict[str, int]) -> Document:
    ordered = groups.look_first(group.cases, _summary)
    first = ordered[0]
    block = drifted_block(session, group.cause) if group.cause else None
    return {
        "title": group.title,
        "app": safe_name(group.cause.app) if group.cause else "",
        "what": _what(first, block),
        "kinds": ", ".join(
            f"{count:,} {each}" for each, count in Counter(map(kind, group.cases)).most_common()
        ),
        "files": first_names(list(dict.fromkeys(safe_name(case.file) for case in group.cases)), 2),
        "note": group.note,
        "rows": _rows(groups.first_block(first)) if group.cause and groups.first_block(first) else [],
        "of": safe_name(first.id.partition("::")[2]),
        "edited": _edited(block),
        "look": groups.MAX_NAMED if len(ordered) > groups.MAX_NAMED else 0,
        "command": _command(group),
        "cases": [numbers[case.id] for case in ordered],
        "quiet": False,
    }


def _quiet(seen: Overview, which: Kind, numbers: dict[str, int]) -> Document:
    """The group of the cases that need no look."""
    cases = [numbers[case.id] for case in seen.cases if kind(case) is which]
    noun = "case" if len(cases) == 1 else "cases"
    return {"title": f"{len(cases):,} {noun} {QUIET[which]}", "cases": cases, "quiet": True}


def _what(case: CaseRecord, edited: BlockDriftRecord | None) -> str:
    """What changed first, in one line: in the saved block if it was edited, else in the block's output."""
    first = groups.first_block(case)
    changes = (edited and edited.changes) or (first and first.changes) or ()
    if not changes:
        return ""
    return cut(came_or_went(changes[0]) or in_short(changes[0]), MAX_WHAT)


def _command(group: Group) -> list[str]:
    """What to do about the cases of a group, and the command for it."""
    first = group.cases[0]
    command = groups.command(group.cases) if first.command else ""
    if first.verdict is Verdict.TROUBLE or first.shown is None:
        return ["To run them again", safe(command)] if command else []
    return _step(next_step(first, command))


def _step(step: NextStep) -> list[str]:
    """What to do next, as a sentence, and the command for it."""
    return [safe(f"{step.advice[:1].upper()}{step.advice[1:]}"), safe(step.command)]


def _began(case: CaseRecord, first: BlockChangeRecord | None) -> str:
    """`NAME (type)` of the block in which a change or an error begins; empty if none is known."""
    if case.worse is not None:
        return case.worse.begins_in
    return f"{first.name} ({first.type})" if first else error_block(case)


def _drift(drift: DriftRecord) -> Document:
    """A pinned version that is not what is saved at Dust, or of which that is unknown."""
    first, *lines = drift_lines(drift)
    return {
        "title": drift_headline(drift),
        "text": "\n".join([first, *lines]),
        "blocks": [
            [f"{safe_name(block.name)} ({safe_name(block.type)}) {block.kind}", _edited(block)]
            for block in drift.blocks or ()
        ],
    }


def _edited(block: BlockDriftRecord | None) -> list[Document]:
    """How a saved block differs from the pinned one."""
    return [_row(change) for change in block.changes[:MAX_ROWS]] if block else []


# ── a case ───────────────────────────────────────────────────────────────────────────────────────


def _case(case: CaseRecord) -> Document:
    shown = case.shown
    first = groups.first_block(case)
    found: Document = {
        "id": safe_name(case.title if not case.is_test else case.id),
        "name": safe_name(case.id.partition("::")[2]),
        "file": safe_name(case.file),
        "place": place(case),
        "kind": str(kind(case)),
        "fails": case.outcome is CaseOutcome.FAILED,
        "app": safe_name(case.app),
        "block": safe_name(_began(case, first)),
        "description": safe(case.description) or _question(case),
        "reason": "" if case.outcome is CaseOutcome.LEFT else safe(case.reason),
        "summary": _summary(case),
        "line": _line(case),
        "asked": _asked(case),
        "message": _lines(case.message),
        "is_trouble": case.verdict is Verdict.TROUBLE,
        "facts": [list(pair) for pair in _facts(case)],
        "todo": _todo(case),
    }
    if shown is not None:
        found |= _run(case, shown)
    return found


def _question(case: CaseRecord) -> str:
    """What was asked, in one line: the first value of the input."""
    first = next((value for each in _asked(case) for _, value in each), "")
    text = " ".join(first.split())
    return f"“{cut(text, MAX_SIDE)}”" if text else ""


def _summary(case: CaseRecord) -> str:
    """How the case differs, in one line; empty if it does not."""
    return cut(what_differs(case), MAX_SUMMARY)


def _line(case: CaseRecord) -> list[list[str]]:
    """The same in parts: each is a text and the element that marks it, which is empty for most.

    Of two texts, only the words that differ are in it.
    """
    values = case.comparison.values if case.comparison else ()
    if case.message or not values or (case.shown and case.shown.failures):
        return [[_summary(case), ""]]
    row = _row(values[0])
    old, new = ([_differing(row[side] or []), mark] for side, mark in (("old", "del"), ("new", "ins")))
    arrow = [[" → ", ""]] if old[0] and new[0] else []
    more = case.comparison.count - 1 if case.comparison else 0
    return [[f"{row['path']}: ", ""], old, *arrow, new, [f" (+{more:,} more)" if more else "", ""]]


def _differing(side: list[Part]) -> str:
    """The parts of one side of a change that differ, in one line."""
    text = " … ".join(" ".join(text.split()) for text, differs in side if differs)
    return cut(text, MAX_SIDE)


def _asked(case: CaseRecord) -> list[list[list[str]]]:
    """The inputs: for each, the names and values."""
    inputs = case.inputs if case.plural and isinstance(case.inputs, list) else [case.inputs]
    return [
        [[safe_name(name), _pretty(value)] for name, value in each.items()]
        for each in inputs
        if isinstance(each, dict)
    ]


def _facts(case: CaseRecord) -> Iterator[tuple[str, str]]:
    """What an engineer looks up."""
    shown = case.shown
    yield "place", place(case)
    yield "app", safe_name(case.app)
    if shown is not None:
        yield "source", str(case.source)
        yield "run id", safe(shown.run_id or "")
        yield "specification hash", safe(shown.specification_hash or "")
    yield "pinned hash", safe(case.pinned)
    if shown is not None:
        yield "recorded", shown.comparison.recorded_at if shown.comparison else ""
        yield "duration", _seconds(shown.duration)
        yield "tokens", used(case.tokens)
    if case.config:
        yield "config", _pretty(case.config)


def _todo(case: CaseRecord) -> list[str]:
    if not case.command:
        return []
    if case.verdict is Verdict.TROUBLE or case.shown is None or kind(case) in QUIET:
        return ["To run it again", safe(case.command)]
    return _step(next_step(case))


# ── a run ────────────────────────────────────────────────────────────────────────────────────────


def _run(case: CaseRecord, shown: AttemptRecord) -> Document:
    comparison = case.telling_comparison
    return {
        "error": safe(shown.error or "") if shown.status is Status.ERRORED else "",
        "failures": [row for failure in shown.failures for row in _failure(failure)],
        "more": shown.failure_count - len(shown.failures),
        "result": _pretty(shown.result),
        "attempts": _attempts(case),
        "change": _change(comparison) if comparison else None,
        "blocks": [_block(block, at, comparison) for at, block in enumerate(shown.blocks, 1)],
    }


def _failure(failure: FailureRecord) -> Iterator[Document]:
    """The rows of a failed expectation: expected and actual."""
    if failure.changes:
        yield from (_row(change, failure.path) for change in failure.changes[:MAX_ROWS])
        return
    written = failure.expected.written
    if failure.expected.name == "equals" and failure.found:
        row = _row(ChangeRecord((), written, failure.actual, lengths=failure.lengths))
        yield {**row, "path": safe_name(failure.path)}
        return
    expected, actual = sides(failure)
    yield {
        "path": safe_name(failure.path),
        "old": [[expected, True]],
        "new": [[actual, True]] if failure.found else None,
        "note": safe(failure.note.replace("\n", " ")),
    }


def _change(comparison: ComparisonRecord) -> Document:
    """How the run differs from its recording."""
    first = comparison.blocks[0] if comparison.blocks else None
    position = ""
    if first is not None and first.position:
        position = f"block {first.position} of {comparison.block_total}"
        position += f", input {first.input}" if first.input is not None else ""
    return {
        "day": comparison.recorded_at[:16].replace("T", " "),
        "not_compared": safe(comparison.not_compared),
        "values": [_row(change) for change in comparison.values[:MAX_ROWS]],
        "count": comparison.count,
        "begins": safe_name(f"{first.name} ({first.type})") if first else "",
        "position": position,
        "rows": _rows(first) if first and comparison.changed else [],
        "then": _following(comparison.blocks),
        "left_out": [safe(name) for name in comparison.left_out],
    }


def _following(blocks: Sequence[BlockChangeRecord]) -> list[str]:
    """The blocks that changed too, each once; those where the change of another input begins say so."""
    names = []
    for block in blocks[1:]:
        of_input = f" (input {block.input})" if block.input is not None else ""
        begins = ": it begins here" if block.is_cause else ""
        names.append(f"{safe_name(block.name)}{of_input}{begins}")
    return list(dict.fromkeys(names))


def _block(block: BlockRecord, position: int, comparison: ComparisonRecord | None) -> Document:
    changes = [each for each in comparison.blocks if each.name == block.name] if comparison else []
    return {
        "position": position,
        "name": safe_name(block.name),
        "type": safe_name(block.type),
        "status": safe(block.status),
        "tokens": _tokens(block),
        "iterations": _iterations(block.iterations),
        "started": block.started,
        "duration": block.duration,
        "time": "" if block.duration is None else _seconds(block.duration),
        "rows": [row for each in changes for row in _rows(each)],
        "is_cause": any(each.is_cause for each in changes),
        "output": _pretty(block.output),
        "error": _pretty(block.error) if _holds(block.error) else "",
        "is_cut": block.is_cut,
    }


def _tokens(block: BlockRecord) -> str:
    """The number of tokens of a block; empty if it calls no model."""
    total = block.usage.get("total_tokens", 0)
    if total is None:
        return "unknown tokens"
    return plural(total, "token") if total else ""


def _seconds(duration: float) -> str:
    """A duration; one below a second in milliseconds."""
    return f"{duration:,.1f} s" if duration >= 1 else f"{1000 * duration:.0f} ms"


def _holds(error: Any) -> bool:
    """Whether there is any error among those of several inputs and iterations."""
    return any(map(_holds, error)) if isinstance(error, list | tuple) else bool(error)


def _iterations(count: Any) -> str:
    counts = count if isinstance(count, list) else [count]
    return " + ".join(str(each) for each in counts) if any(each not in (None, 1) for each in counts) else ""


def _attempts(case: CaseRecord) -> Document | None:
    """The attempts of a repeated case."""
    if case.repeat is None:
        return None
    counted = len(case.counted)
    why = repeats.must(case) or repeats.why(case)
    return {
        "each": [
            [attempt.passed, attempt.changed, _attempt_line(attempt), at < counted]
            for at, attempt in enumerate(case.attempts)
        ],
        "shown": case.attempts.index(case.shown) + 1 if case.shown else 0,
        "rate": f"{repeats.passed(case)} ({repeats.rate(case)}); {why}",
    }


def _attempt_line(attempt: AttemptRecord) -> str:
    return difference(attempt)[:MAX_SUMMARY] or ("passed" if attempt.passed else "failed")


# ── values ───────────────────────────────────────────────────────────────────────────────────────


def _rows(block: BlockChangeRecord | None) -> list[Document]:
    """The changes of a block: recorded and now."""
    if block is None:
        return []
    rows = [_row(change) for change in block.changes[:MAX_ROWS]]
    if block.count > len(rows):
        rows.append({"path": f"and {block.count - len(rows):,} more", "old": None, "new": None})
    return rows


def _row(change: ChangeRecord, before: str = "") -> Document:
    """One change: its path, and both sides in parts that differ and parts that do not; None for no value."""
    if whole := came_or_went(change):
        return {"path": "the block", "old": None, "new": None, "note": whole}
    old, new = change.before, change.after
    left: Any
    right: Any
    if isinstance(old, str) and isinstance(new, str):
        left, right = parts(old, new)
    else:
        left, right = ([[each, True]] for each in _two(old, new, change.lengths))
    return {
        "path": _path(change.path, before),
        "old": None if old is MISSING else left,
        "new": None if new is MISSING else right,
    }


def _two(old: object, new: object, lengths: tuple[int, int] | None) -> tuple[str, str]:
    """Both sides of a change as text; a side that is a text is shown without quotes and in lines."""
    if old is MISSING or new is MISSING:
        return _pretty(None if old is MISSING else old), _pretty(None if new is MISSING else new)
    return contrast(old, new, ROOM, lengths)


def _path(path: Path, before: str) -> str:
    """`output.label`, or `iteration 3 output.label`."""
    if path and isinstance(path[0], int) and not before:
        return f"iteration {path[0] + 1} {show_path(path[1:])}".rstrip()
    return show_path(path, before) or "the block"


def _pretty(value: Any) -> str:
    """A JSON value in lines; a text as it is."""
    if isinstance(value, str):
        return _lines(value)
    compact = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list | tuple):
        return safe(compact)
    try:
        return _lines(msgspec.json.format(compact.encode(), indent=2).decode())
    except UnicodeEncodeError:  # a lone surrogate, which msgspec refuses
        return _lines(json.dumps(value, ensure_ascii=False, indent=2))


def _lines(text: str) -> str:
    """A text of several lines, each safe to show."""
    return "\n".join(map(safe, text.split("\n")))
