"""Edits are made only if they read back as wanted."""

from __future__ import annotations

import pytest

from pytest_dust.suite.edits.checked import NOT_READ_BACK, Wanted, make
from pytest_dust.suite.edits.errors import EditError
from pytest_dust.suite.edits.pieces import Piece


def make_edits(*digits):
    """Replace some digits of a text by X; the edits of 3 and 7 do not read back, and 5 cannot be edited."""

    def pieces(digit):
        if digit == 5:
            raise EditError("not this one")
        return [Piece(digit, digit + 1, "X")]

    def reads_back(text, edits):
        assert len(edits) == text.count("X")
        return "3" in text and "7" in text

    done = make(
        "0123456789", [Wanted(digit, (digit,), "X", digit * 10) for digit in digits], pieces, reads_back
    )
    return done.text, list(map(tuple, done.refused))


@pytest.mark.parametrize("digits", [range(10), range(9, -1, -1)])
def test_the_edits_that_do_not_read_back_are_found(digits):
    """Each of them is refused, all others are made, and the refused ones come in their order."""
    text, refused = make_edits(*digits)
    assert text == "XXX3X5X7XX"
    reasons = [(3, 30, NOT_READ_BACK), (5, 50, "not this one"), (7, 70, NOT_READ_BACK)]
    assert refused == sorted(reasons, reverse=digits[0] == 9)


def test_edits_of_the_same_part():
    """If the pieces of two edits overlap, one of the edits is made."""
    edits = [Wanted(at, (at,), "X", 1) for at in range(2)]
    done = make("abcd", edits, lambda at: [Piece(at, at + 2, "X")], lambda _text, _edits: True)
    assert done.text == "Xcd"
    assert [(one.edit, one.reason) for one in done.refused] == [(1, NOT_READ_BACK)]


def test_equal_pieces_count_once():
    """Several edits may want the same change."""
    edits = [Wanted(at, ("a",), "X", 1) for at in range(3)]
    done = make("abcd", edits, lambda _at: [Piece(0, 1, "X")], lambda text, _edits: text == "Xbcd")
    assert done == ("Xbcd", ())
