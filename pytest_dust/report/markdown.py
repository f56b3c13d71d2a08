"""The report of a session as Markdown: short, for a pull request or the summary of a CI job."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pytest_dust.characters import safe, safe_name
from pytest_dust.report import groups, repeats
from pytest_dust.report.case import next_step, place, what_differs
from pytest_dust.report.comparison import comparison_lines
from pytest_dust.report.drift import block_lines
from pytest_dust.report.drift import headline as drift_headline
from pytest_dust.report.overview import Group, Kind, Overview, State, drifted_block, facts, kind, overview
from pytest_dust.report.record import (
    BlockDriftRecord,
    CaseRecord,
    DriftRecord,
    ProblemRecord,
    SessionRecord,
    Verdict,
)
from pytest_dust.report.values import cut
from pytest_dust.wording import first_names, plural

MOST = 900_000
"""Maximum length in bytes; GitHub refuses a summary of more than 1 MiB."""
MAX_COMMENT = 64_000
"""Maximum length of a file in bytes: GitHub refuses a comment of more than 65,536
characters, and the workflow adds commands to the report."""
LEFT_OUT = "\n… the rest is left out here; the reports .html and .json are complete.\n"
MAX_ROWS = 40
"""Cases of one group that have a row of their own; more are named."""
MAX_LINES = 12
"""Lines of the message of a suite that could not be read."""
MAX_NAMED = 200
"""Cases that are named beside the rows; more are counted."""
MAX_CELL = 300
"""Characters of one value."""
SIGNS = {State.PASSED: "✅", State.CHANGED: "🟡", State.FAILED: "❌", State.INCOMPLETE: "⚠️"}
"""A sign before the verdict; the verdict says the same in words."""
_MARKUP = re.compile(r"([\\`*_\[\]<>|~&]|^[#+-]|:(?=//)|(?<=www)\.)")


def markdown(session: SessionRecord, most: int = MOST) -> str:
    """The report as Markdown, with at most `most` bytes."""
    lines: list[str] = []
    left = most - len(LEFT_OUT.encode())
    for line in _lines(session, overview(session)):
        left -= len(line.encode("utf-8", "backslashreplace")) + 1
        if left < 0:
            lines.append(LEFT_OUT)
            break
        lines.append(line)
    return "\n".join(lines) + "\n"


def _lines(session: SessionRecord, seen: Overview) -> Iterator[str]:
    yield f"## {SIGNS[seen.state]} pytest-dust: {text(seen.verdict)}"
    yield ""
    counts = [f"{count:,} {each}" for each, count in seen.counts.items()]
    yield f"{' · '.join(counts)}{' — ' if counts else ''}{text(', '.join(facts(session)))}"
    if seen.partial:
        yield ""
        yield "> **This is not the whole picture:**"
        yield from (f"> - {code(reason)}" for reason in seen.partial[:MAX_ROWS])
    if seen.advice:
        yield ""
        yield text(seen.advice)
    yield from _problems(session.problems)
    for group in seen.groups:
        yield ""
        yield from _group(session, group)
    grouped = {group.cause.app for group in seen.groups if group.cause}
    yield from _drifts([drift for drift in session.drifts if not drift.passed and drift.app not in grouped])
    yield from _expected(seen)
    yield from _repeated([case for case in seen.cases if case.repeat and case.attempts])


def _problems(problems: Sequence[ProblemRecord]) -> Iterator[str]:
    """The suites that could not be read and the errors after cases, each with its message."""
    for problem in problems[:MAX_ROWS]:
        yield ""
        yield f"### {text(problem.where)}"
        yield ""
        yield from (f"    {safe(line)}" for line in problem.message.split("\n")[:MAX_LINES])


def _group(session: SessionRecord, group: Group) -> Iterator[str]:
    differences = {case.id: what_differs(case) for case in group.cases}
    ordered = groups.look_first(group.cases, lambda case: differences[case.id])
    yield f"### {text(group.title)}"
    yield ""
    if group.cause:
        yield f"App {code(group.cause.app)}{_failing(group)}"
        yield ""
        yield from _change(ordered[0])
        if block := drifted_block(session, group.cause):
            yield from _edited(block)
    elif group.note:
        yield code(group.note)
        yield ""
    yield from _tables([(case, differences[case.id]) for case in ordered])
    yield ""
    yield from _command(group)


def _failing(group: Group) -> str:
    """How many of the cases fail the session, if not all do."""
    return "" if group.failed == len(group.cases) else f", {group.failed:,} of them fail"


def _change(case: CaseRecord) -> Iterator[str]:
    """How the first block changed in one case."""
    if case.comparison is None or not case.comparison.blocks:
        return
    yield f"In {code(_name(case))}:"
    yield ""
    yield from list(comparison_lines(case.comparison))[1:]  # four spaces before each make them code
    yield ""


def _edited(block: BlockDriftRecord) -> Iterator[str]:
    """How the saved block differs from the pinned one."""
    yield f"The saved block {code(block.name)} was {block.kind} since the pinned version:"
    yield ""
    yield from (f"    {line}" for line in block_lines(block))
    yield ""


def _tables(cases: Sequence[tuple[CaseRecord, str]]) -> Iterator[str]:
    """A row for each case with its difference, the first ones in sight; many are only named."""
    yield from _table(cases[: groups.MAX_NAMED])
    if len(cases) <= groups.MAX_NAMED:
        return
    yield ""
    yield f"<details><summary>{len(cases) - groups.MAX_NAMED:,} more</summary>"
    yield ""
    yield from _table(cases[groups.MAX_NAMED : MAX_ROWS])
    if len(cases) > MAX_ROWS:
        yield ""
        yield f"and {first_names([code(_name(case)) for case, _ in cases[MAX_ROWS:]], MAX_NAMED)}"
    yield ""
    yield "</details>"


def _table(cases: Sequence[tuple[CaseRecord, str]]) -> Iterator[str]:
    yield "| case | | what differs | place |"
    yield "|---|---|---|---|"
    for case, differs in cases:
        described = f" {code(case.description)}" if case.description else ""
        cells = f"{code(_name(case))}{described}", str(kind(case)), code(differs), code(place(case))
        yield f"| {' | '.join(map(_cell, cells))} |"


def _command(group: Group) -> Iterator[str]:
    first = group.cases[0]
    if first.verdict is Verdict.TROUBLE or first.shown is None:
        command = groups.command(group.cases)
        yield f"To run {'it' if len(group.cases) == 1 else 'them'} again: {code(command)}" if command else ""
        return
    step = next_step(first, groups.command(group.cases))
    advice = text(f"{step.advice[:1].upper()}{step.advice[1:]}")
    yield f"{advice}: {code(step.command)}" if step.command else advice


def _drifts(drifts: Sequence[DriftRecord]) -> Iterator[str]:
    for drift in drifts:
        yield ""
        yield f"### Drift: {text(drift_headline(drift))}"
        for block in drift.blocks or ():
            yield ""
            yield from _edited(block)


def _expected(seen: Overview) -> Iterator[str]:
    """The cases that are expected to fail, each with the reason."""
    cases = [case for case in seen.cases if kind(case) is Kind.XFAILED]
    if cases:
        yield ""
        yield f"{plural(len(cases), 'case')} {Kind.XFAILED}: " + first_names(
            [f"{code(_name(case))} ({code(case.reason)})" for case in cases], MAX_ROWS
        )


def _repeated(cases: Sequence[CaseRecord]) -> Iterator[str]:
    """The attempts of each repeated case, its pass rate, and why there are no more attempts."""
    if not cases:
        return
    yield ""
    yield "### Repeated cases"
    yield ""
    yield "| case | attempts | pass rate | |"
    yield "|---|---|---|---|"
    for case in cases[:MAX_ROWS]:
        why = repeats.why(case) or repeats.must(case)
        cells = code(_name(case)), repeats.marks(case), repeats.rate(case), text(why)
        yield f"| {' | '.join(map(_cell, cells))} |"
    if len(cases) > MAX_ROWS:
        yield ""
        yield f"and {len(cases) - MAX_ROWS:,} more"


def _name(case: CaseRecord) -> str:
    return safe_name(case.id.partition("::")[2])


# ── text that Markdown takes for text ────────────────────────────────────────────────────────────


def code(value: str) -> str:
    """A text as code, in which Markdown and HTML mean nothing; empty for an empty text."""
    shown = safe(cut(value, MAX_CELL))
    if not shown.strip():
        return ""
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    around = " " if "`" in (shown[0], shown[-1]) else ""
    return f"{fence}{around}{shown}{around}{fence}"


def _cell(markup: str) -> str:
    return markup.replace("\\|", "|").replace("|", "\\|")


def text(value: str) -> str:
    """A text in which no character is taken for Markdown or HTML."""
    return _MARKUP.sub(r"\\\1", safe(value))
