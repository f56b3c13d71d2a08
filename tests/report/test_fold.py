"""Which cases the terminal reports together, and what it says of them."""

from __future__ import annotations

from made_records import FAILED, TEXT, block, changed, passed, trouble, wrong
from msgspec.structs import replace

from pytest_dust.report.fold import MAX_NAMES, fold_lines, folds
from pytest_dust.report.record import RunSource

LABEL = ("output", "label")


def many(count: int, *blocks, name: str = "c") -> list:
    """So many cases that changed in these blocks."""
    return [changed(*blocks, name=f"{name}{number}", **FAILED) for number in range(count)]


def sizes(cases) -> list[int]:
    """How many cases each group has."""
    return [len(group) for group in folds(cases)]


def test_more_than_five_alike_are_a_group():
    """Six cases that changed in the same way are reported together, five are not."""
    assert sizes(many(6, block(TEXT))) == [6]
    assert sizes(many(5, block(TEXT))) == []
    assert sizes([*many(9, block(TEXT)), passed(), wrong()]) == [9]


def test_one_block_in_different_ways():
    """Cases that changed in one block in many ways are one group; a large group of one way stays its own."""
    few = [*many(4, block(TEXT), name="a"), *many(4, block(LABEL), name="b")]
    assert sizes(few) == [8]
    assert sizes([*few, *many(7, block(TEXT, LABEL), name="d")]) == [7, 8]
    text = "\n".join(fold_lines(few))
    assert "8 cases of app app changed in different ways since the recording; it begins in A (llm)" in text


def test_other_blocks_and_apps_are_other_groups():
    """Cases of another block or app are not reported together."""
    cases = [*many(6, block(TEXT), name="a"), *many(6, block(TEXT, name="B"), name="b")]
    cases += [replace(case, app="other", id=f"{case.id}o") for case in many(6, block(TEXT), name="d")]
    assert sizes(cases) == [6, 6, 6]


def test_an_answer_that_is_in_no_cassette_is_told_case_by_case():
    """Cases whose runs were made and not kept are not folded: each report says where its answer is."""
    cases = [trouble("not kept", f"c{number}") for number in range(9)]
    assert sizes(cases) == [9]
    for source in (RunSource.NOT_RECORDED, RunSource.NOT_JUDGED):
        assert sizes([replace(case, source=source) for case in cases]) == []


def test_the_lines_of_a_group(golden):
    """What the cases share once, three to look at with their place, the names of the others, the command."""
    then = replace(block(TEXT, name="B"), is_cause=False)
    golden("fold", "\n".join(fold_lines(many(30, block(TEXT), then))))


def test_the_lines_of_one_trouble(golden):
    """What went wrong, once, with the command for all of them."""
    message = "no cassette (looked in cassettes/a/{0}.json)\nrecord it: pytest a::{0} --dust-mode=record"
    cases = [
        trouble(message.format(name), name, file="a", command=f"pytest a::{name}")
        for name in ("x", "y", "z", "u")
    ]
    golden("fold_trouble", "\n".join(fold_lines(cases)))


def test_names_are_counted_from_the_hundredth_on():
    """A group of thousands does not fill the terminal."""
    lines = list(fold_lines(many(2000, block(TEXT))))
    assert len(lines) < 20
    assert f"and {2000 - 3 - MAX_NAMES:,} more" in lines[-2]
