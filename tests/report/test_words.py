"""Two texts in parts: what differs is marked, and nothing that differs is lost."""

from __future__ import annotations

import pytest
from answers import bounded
from hypothesis import given
from hypothesis import strategies as st

from pytest_dust.report.words import parts


def marked(old: str, new: str) -> tuple[str, str]:
    """Both sides as one text each, differing parts in brackets."""
    first, second = (
        "".join(f"[{text}]" if differs else text for text, differs in side) for side in parts(old, new)
    )
    return first, second


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("billing", "shipping", ("[billing]", "[shipping]")),
        ("up to 5 days", "up to 3 days", ("up to [5] days", "up to [3] days")),
        ("a b", "a new b", ("a b", "a [new] b")),
        ("", "all of it", ("", "[all of it]")),
        (
            "one\ntwo\nthree",
            "one\n2\nthree",
            ("one\n[two]\nthree", "one\n[2]\nthree"),
        ),
        ("two blanks", "two  blanks", ("two [blanks]", "two[\\u0020\\u0020blanks]")),
        ("a\u200bb", "ab", ("[a\\u200bb]", "[ab]")),
        ("pay", "p\u0430y", ("[pay]", "[p\\u0430y]")),
    ],
)
def test_differing_words_are_marked(old, new, expected):
    """Only the words that differ are marked; what a reader cannot see or tell apart is escaped."""
    assert marked(old, new) == expected


def test_long_equal_parts_are_cut_in_the_middle():
    """Of many equal words, those near the differences are kept."""
    same = " ".join(f"w{number}" for number in range(300))
    old, _ = marked(f"x {same} y", f"z {same} u")
    assert old.startswith("[x] w0 w1 ")
    assert " … " in old
    assert old.endswith("w298 w299 [y]")
    assert len(old) < 300


WORDS = st.lists(st.sampled_from(["a", "b", "c", "dd"]), max_size=12).map(" ".join)


@given(WORDS, WORDS)
@bounded
def test_both_sides_are_whole(old, new):
    """The parts of each side make up its text, and equal texts have no marks."""
    first, second = parts(old, new)
    assert "".join(part.text for part in first) == old
    assert "".join(part.text for part in second) == new
    assert any(part.differs for part in [*first, *second]) == (old != new)
