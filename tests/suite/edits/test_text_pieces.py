"""Parts of a text replaced by others."""

from __future__ import annotations

import pytest

from pytest_dust.suite.edits.errors import EditError
from pytest_dust.suite.edits.pieces import Piece, replaced


def test_pieces_are_replaced_in_the_order_of_the_text():
    """Pieces may touch each other, and those at one place keep their order."""
    pieces = [Piece(4, 5, "E"), Piece(1, 1, "x"), Piece(1, 1, "y"), Piece(1, 3, "BC"), Piece(3, 3, "z")]
    assert replaced("abcde", pieces) == "axyBCzdE"


def test_pieces_that_overlap():
    """No part of a text is replaced twice."""
    with pytest.raises(EditError, match="another edit changes the same part of the file"):
        replaced("abcde", [Piece(1, 3, "x"), Piece(2, 4, "y")])
