"""What the review shows of an answer: its place in the row, what was asked, what differs, and the keys."""

from __future__ import annotations

import pytest
from made_records import TEXT, attempt, block, changed, failure, passed, trouble, wrong
from msgspec.structs import replace

from conftest import PLAIN_RECORD
from pytest_dust.report.columns import width
from pytest_dust.report.review import Progress, beginning, case_to_review, choices, fitting, in_order

ALONE, THREE = Progress(7, 40, 1), Progress(7, 40, 3)
CHANGED = changed(block(TEXT), inputs={"question": "Hi"})
FILTERED = replace(CHANGED, description="A question", pinned="a" * 64)


def shown(record, new_hash="", progress=ALONE, columns=80):
    """The lines of a case in the review."""
    return list(case_to_review(record, new_hash, progress, columns))


# ── the case ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("columns", [80, 120])
def test_the_progress_is_at_the_right(columns):
    """The first line is as wide as the terminal and ends with the progress."""
    _, line, *_ = shown(CHANGED, columns=columns)
    assert line.endswith("─ 7 of 40")
    assert width(line) == columns


def test_large_numbers_are_easy_to_read():
    """Thousands of answers are counted with commas."""
    assert shown(CHANGED, progress=Progress(1234, 5678, 1))[1].endswith("─ 1,234 of 5,678")


def test_a_terminal_that_is_too_narrow_gets_the_progress():
    """Where no line has room, the progress stands alone."""
    assert shown(CHANGED, columns=3)[1] == " 7 of 40"


def test_name_description_inputs_and_version_come_first():
    """Before the report stand the case's name, description and input, the versions, and where it begins."""
    lines = shown(FILTERED, "b" * 64)
    assert lines[2:8] == [
        "a::c",
        "  A question",
        '  input  {"question": "Hi"}',
        "  version  aaaaaaaaaaaa… → bbbbbbbbbbbb…",
        "  begins in A (llm)",
        "",
    ]


def test_without_another_version_none_is_shown():
    """An answer of the pinned version has no line on versions."""
    assert not any("version" in line for line in shown(FILTERED))


def test_only_some_inputs_are_shown():
    """Of many inputs the first five are shown, and the number of the others."""
    record = replace(CHANGED, plural=True, inputs=[{"at": at} for at in range(8)])
    lines = [line for line in shown(record) if "input" in line]
    assert lines == [*(f'  input  {{"at": {at}}}' for at in range(5)), "  … and 3 more inputs"]


def test_a_long_input_is_cut():
    """A long input is cut, so that the report stays in sight."""
    (line,) = (line for line in shown(replace(CHANGED, inputs="x" * 5000)) if "  input  " in line)
    assert len(line) < 450


def test_the_report_is_that_of_the_terminal():
    """What differs, and what was expected, is shown as in the session's report."""
    text = "\n".join(shown(replace(CHANGED, attempts=(replace(CHANGED.attempts[0], failures=(failure(),)),))))
    assert 'expected  "billing"' in text
    assert 'actual    "shipping"' in text
    assert "it begins in A (llm), block 2 of 4" in text
    assert 'A  output.text   "old" → "new"' in text


def test_an_answer_without_a_recording_says_so():
    """A case without a recording says that there is none to compare it with."""
    assert shown(wrong())[-1] == "  There is no recording to compare it with."
    assert "  There is no recording to compare it with." not in shown(CHANGED)


def test_an_answer_that_cannot_be_judged_shows_why():
    """Trouble is shown as in the session's report."""
    lines = shown(trouble("the matcher odd raised ValueError"))
    assert any("the matcher odd raised ValueError" in line for line in lines)


@pytest.mark.parametrize("text", ["\x1b[31mred", "a\rb", "\x07", "\u202eevil"])
def test_no_text_controls_the_terminal(text):
    """Names, descriptions and inputs that could control a terminal are shown inert."""
    record = replace(CHANGED, id=f"a::{text}", description=text, inputs={"q": text})
    assert not any(char in "".join(shown(record)) for char in "\x1b\r\x07\u202e")


# ── where it begins ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("record", "progress", "line"),
    [
        (CHANGED, ALONE, "begins in A (llm)"),
        (CHANGED, THREE, "begins in A (llm), as in 2 more answers"),
        (CHANGED, Progress(1, 2, 2), "begins in A (llm), as in 1 more answer"),
        (changed(), ALONE, "no change is known to begin in a block"),
        (wrong(), ALONE, "not compared with a recording"),
        (
            replace(
                passed(),
                attempts=(attempt(comparison=replace(CHANGED.comparison, values=(), count=0, blocks=())),),
            ),
            ALONE,
            "nothing that counts changed since the recording",
        ),
    ],
)
def test_where_a_change_begins(record, progress, line):
    """The block is named, and how many more answers begin there; else why there is none."""
    assert beginning(record, progress) == line


# ── the keys ─────────────────────────────────────────────────────────────────────────────────────


def test_the_keys_of_a_case():
    """One line has the keys for the answer, a second one those for its group, if it has one."""
    line = "a accept   e accept and edit the suite   r reject   s skip   u undo   q finish"
    assert list(choices(CHANGED, ALONE)) == [line]
    assert list(choices(CHANGED, THREE)) == [line, "A E R S: the same for all 3 that begin in A (llm)"]
    assert list(choices(wrong(), THREE))[1] == "A E R S: the same for all 3 that are of this kind"
    assert max(map(len, choices(CHANGED, THREE))) <= 80


def test_the_keys_of_a_python_test():
    """A Python test is not edited, so there is no key for that."""
    assert list(choices(replace(CHANGED, is_test=True), THREE)) == [
        "a accept   r reject   s skip   u undo   q finish",
        "A R S: the same for all 3 that begin in A (llm)",
    ]


# ── lines that fit ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("columns", [20, 80])
@pytest.mark.parametrize(
    "text",
    [
        "short",
        "word " * 50,
        "x" * 300,
        "包裹" * 90,
        "    deep " + "word " * 50,
        " " * 70 + "far right " * 9,
        "",
    ],
)
def test_a_line_fits(text, columns):
    """A long line is broken at spaces, and inside of words that are too long; no character is lost."""
    lines = list(fitting(text, columns))
    assert all(width(line) <= columns for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_a_line_that_fits_stays():
    """A line as wide as the terminal is not changed."""
    assert list(fitting("  " + "x" * 18, 20)) == ["  " + "x" * 18]


def test_broken_lines_are_indented():
    """From the second part on, a line is indented by two more columns."""
    assert list(fitting("  one two three", 11)) == ["  one two", "    three"]


# ── the order ────────────────────────────────────────────────────────────────────────────────────


def test_groups_come_one_after_the_other():
    """Answers that begin in the same block follow each other, the largest group first."""
    records = [
        PLAIN_RECORD,
        changed(block(TEXT, name="B")),
        changed(block(TEXT), name="one"),
        changed(block(TEXT, name="B")),
        PLAIN_RECORD,
        changed(block(TEXT, name="B")),
        changed(block(TEXT), name="two"),
    ]
    order = in_order(records)
    assert order[:3] == [1, 3, 5]
    assert sorted(order) == list(range(7))
    assert {tuple(order[3:5]), tuple(order[5:])} == {(0, 4), (2, 6)}
