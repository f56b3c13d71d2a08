"""The last lines of a session: how many cases changed, where, and the one command to go on with."""

from __future__ import annotations

import pytest
from made_records import TEXT, attempt, block, changed, passed, session
from msgspec.structs import replace

from pytest_dust.report.closing import closing
from pytest_dust.report.record import RunSource

COMMAND = "pytest --dust-review"


def compared(name):
    """A case that is as recorded."""
    comparison = replace(changed().comparison, values=(), count=0)
    return replace(passed(name), attempts=(attempt(comparison=comparison),))


def lines(*cases, **more):
    """The last lines of a session with these cases."""
    return list(closing(replace(session(*cases), review=COMMAND, **more)))


def test_changes_are_counted_by_the_block_in_which_they_begin():
    """A live session says how many cases changed, and in which blocks, the most frequent first."""
    cases = [
        changed(block(TEXT, name=name), name=f"{name}{at}")
        for name, n in (("B", 1), ("A", 2))
        for at in range(n)
    ]
    (line,) = lines(*cases, compared("p"))
    assert line == "dust: app app: 1 unchanged, 3 changed, beginning 2 in A (llm), 1 in B (llm)"


def test_each_app_has_a_line():
    """Each app of the session is counted by itself."""
    found = lines(changed(block(TEXT)), changed(block(TEXT), app="other", name="d"))
    assert [line.split(":")[1] for line in found] == [" app app", " app other"]


def test_cases_that_are_not_compared_are_counted():
    """Runs without a recording are named in the line of their app."""
    (line,) = lines(compared("p"), passed("q"))
    assert line == "dust: app app: 1 unchanged, 0 changed, 1 not compared"


def test_a_replay_says_nothing():
    """Nothing is said of a session that replays, nor of cases that were replayed."""
    assert lines(changed(block(TEXT)), mode="replay") == []
    assert lines(changed(block(TEXT), source=RunSource.REPLAYED)) == []


@pytest.mark.parametrize(
    ("files", "line"),
    [
        (
            (".dust/pending/a/c.json",),
            "dust: 1 answer is pending (.dust/pending/a/c.json); see and accept it: ",
        ),
        (
            (".dust/pending/a/c.json", ".dust/pending/a/d.json"),
            "dust: 2 answers are pending (.dust/pending/a); see and accept them: ",
        ),
        (
            (".dust/pending/a/c.json", ".dust/pending/b/c.json"),
            "dust: 2 answers are pending (.dust/pending); see and accept them: ",
        ),
        (
            ("/tmp/x/c.json", ".dust/c.json"),
            "dust: 2 answers are pending (/tmp/x/c.json); see and accept them: ",
        ),
    ],
)
def test_pending_answers_come_last_with_the_command(files, line):
    """The last line says how many answers are pending, in which file or folder, and the command."""
    assert lines(pending=files) == [line + COMMAND]
    assert lines(pending=files, mode="replay") == [line + COMMAND]


def test_answers_that_could_not_be_kept_are_told():
    """The first few reasons are written out, and the others counted."""
    found = lines(lost=tuple(f"the answer has no place: {at}" for at in range(5)))
    assert found == [
        *(f"dust: the answer has no place: {at}" for at in range(3)),
        "dust: … and 2 more answers that could not be kept",
    ]
    assert lines(lost=("one", "two", "three")) == ["dust: one", "dust: two", "dust: three"]


def test_no_text_controls_the_terminal():
    """Names of files and reasons are shown inert."""
    found = "".join(lines(lost=("\x1b[31m",), pending=("a\x1b[31m.json",)))
    assert "\x1b" not in found
