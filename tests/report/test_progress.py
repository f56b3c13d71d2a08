"""How far live runs are, on a terminal: what it says, and that it leaves pytest's own lines as they are."""

from __future__ import annotations

import io
import re
import unicodedata

import pytest
from live_runs import on_terminal

from conftest import SUPPORT, suite
from pytest_dust.report import progress
from pytest_dust.report.progress import Progress


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ((0, 0, 0, 0, 0, 0.0), "0 of 0 runs done"),
        ((0, 1, 0, 0, 0, 3.0), "0 of 1 run done, 1 running"),
        ((0, 8, 52, 0, 0, 3.0), "0 of 60 runs done, 8 running"),
        ((0, 0, 5, 0, 0, 3.0), "0 of 5 runs done"),
        ((12, 8, 40, 0, 0, 3.0), "12 of 60 runs done, 8 running, about 0:12 left"),
        ((12, 8, 40, 1, 0, 3.0), "12 of 60 runs done, 8 running, 1 failed, about 0:12 left"),
        ((12, 8, 40, 0, 1, 3.0), "12 of 60 runs done, 8 running, 1 token, about 0:12 left"),
        ((12, 8, 40, 2, 684, 3.0), "12 of 60 runs done, 8 running, 2 failed, 684 tokens, about 0:12 left"),
        ((0, 2, 1, 1, 0, 3.0), "0 of 3 runs done, 2 running, 1 failed"),
        ((60, 0, 0, 2, 3420, 9.0), "60 of 60 runs done, 2 failed, 3,420 tokens"),
        ((1, 1, 0, 0, 0, 0.2), "1 of 2 runs done, 1 running"),
        ((1, 1, 0, 0, 0, 59.4), "1 of 2 runs done, 1 running, about 0:59 left"),
        ((1, 1, 0, 0, 0, 59.6), "1 of 2 runs done, 1 running, about 1:00 left"),
        ((1, 1, 0, 0, 0, 3599.9), "1 of 2 runs done, 1 running, about 1:00:00 left"),
        ((1000, 16, 9000, 1200, 1234567, 100.0),
         "1,000 of 10,016 runs done, 16 running, 1,200 failed, 1,234,567 tokens, about 15:02 left"),
        ((10, 10, 9980, 0, 0, 100.0), "10 of 10,000 runs done, 10 running, about 27:45:00 left"),
    ],
)  # fmt: skip
def test_progress_in_a_few_words(counts, told):
    """Only what is there is told of: what runs, failed cases, tokens, and the time left as it went so far."""
    assert str(Progress(*counts)) == told


# ── on a terminal ────────────────────────────────────────────────────────────────────────────────

SUITE = "文書の件.dust.yaml"
CASES = """\
cases:
  - {id: one, input: {question: first}}
  - {id: two, input: {question: b}, flavor: stream}
  - {id: three, input: {question: c}, flavor: poll}
  - {id: four, input: {question: d}, flavor: stream}
  - {id: five, input: {question: e}, repeat: {runs: 2}}
  - {id: six, input: {question: f}}
"""


@pytest.fixture
def several(project, server):
    """A recorded project of cases whose runs take a while and end in another order; a name is wide."""

    def behaviour(request):
        if request.method == "POST" and request.body["inputs"][0]["question"] == "first":
            server.wait(0.3)

    example = project.having({SUITE: suite(server, SUPPORT, CASES)}).using(server)
    recorded = example.run("--dust-mode=record").example
    server.behaviour = behaviour
    server.delay = 0.1
    return recorded


def rows(told, columns):
    """The lines that stand on a terminal in the end, those joined that it wrapped, with wide characters."""
    lines = [[" "] * columns]
    wrapped = [False]
    at = 0
    for char in told:
        width = 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if char == "\r":
            at = 0
        elif char == "\b":
            assert at > 0  # a terminal would stay where it is, and all that follows be displaced
            at -= 1
        else:
            if char == "\n" or at + width > columns:
                lines.append([" "] * columns)
                wrapped.append(char != "\n")
                at = 0
            if char != "\n":
                lines[-1][at : at + width] = [char, ""][:width]
                at += width
    found = [""]
    for line, goes_on in zip(lines, wrapped, strict=True):
        text = "".join(line)
        found[-1:] = [found[-1] + text] if goes_on else [*found[-1:], text]
    return [line.rstrip() for line in found]


def verdicts(told, columns):
    """The lines of the cases, without head and summary."""
    lines = rows(told, columns)
    return [line for line in lines if re.match(r"文書の件\.dust\.yaml|[.]+( |$)", line)]


@pytest.mark.parametrize(
    ("flags", "columns", "room"),
    [
        (("-v",), 100, True),
        ((), 30, False),
        (("-q",), 30, True),
        (("-vv", "-s"), 44, True),
    ],
)
def test_a_terminal_is_left_as_pytest_writes_it(several, flags, columns, room):
    """The lines of the cases are in the end to the letter those of a replay, which shows no progress."""
    replayed = on_terminal(several, *flags, columns=columns)
    assert "done" not in replayed
    args = ("--dust-mode=live", "--dust-concurrency=3", *flags)
    told = on_terminal(several, *args, columns=columns)
    assert bool(re.search(r"\d of 7 run", told)) == room
    assert verdicts(told, columns) == verdicts(replayed, columns) != []
    assert not any("runs done" in line or "running" in line for line in rows(told, columns))


def test_a_terminal_tells_how_far_all_runs_are(several):
    """Several runs at once are counted, with those that are done, their tokens, and the time left."""
    told = on_terminal(several, "--dust-mode=live", "--dust-concurrency=3", "-v")
    assert "0 of 7 runs done, 3 running" in told
    assert re.search(r"[1-6] of 7 runs done, [1-3] running, \d+ tokens", told)
    running = [int(count) for count in re.findall(r"(\d+) running", told)]
    assert max(running) == 3


def test_a_terminal_tells_of_runs_that_come_after_other_tests(several):
    """Where tests of another kind stand between suites, all runs of the session count from the first on."""
    more = {"m_test.py": "def test_it():\n    pass\n", "z.dust.yaml": several.files[SUITE]}
    args = ("--dust-mode=live", SUITE, *more)
    told = on_terminal(several.having(more), *args)
    assert set(re.findall(r"of (\d+) runs", told)) == {"14"}
    assert re.search(r"1[0-3] of 14 runs done", told)


def test_a_terminal_tells_of_failed_cases(several):
    """Cases that failed are counted while others run, and none before."""
    wrong = several.replacing(SUITE, "question: b}", "question: b}, expect: {result.label: wrong}")
    told = on_terminal(wrong, "--dust-mode=live", "--dust-concurrency=1", status=1)
    assert "1 of 7 runs done, 1 running, 1 failed" not in told
    assert re.search(r"[2-6] of 7 runs done, 1 running, 1 failed, \d+ tokens", told)


def test_with_workers_a_terminal_shows_no_progress(several):
    """With -n, where runs are made in other processes, nothing of it is shown."""
    told = on_terminal(several, "--dust-mode=live", "-n", "2", "-v")
    assert "6 passed" in told
    assert re.search(r"[\r\n]dust: about to make 7 runs", told)  # on a line of its own
    assert "running" not in told
    assert "done" not in told
    assert "\b" not in told


def test_a_terminal_that_cannot_encode_a_character_shows_a_question_mark(monkeypatch):
    """Progress ends no session, whatever encoding the terminal has; the width stays the same."""
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(progress.sys, "stdout", terminal)
    progress._print("… ANSWER (llm)\b")
    assert terminal.buffer.getvalue() == b"? ANSWER (llm)\b"
