"""The similarity of two texts: short ones compared whole, long ones piece by piece."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.fuzz import ratio

from pytest_dust import deadline
from pytest_dust.compare import similarity
from pytest_dust.compare.similarity import likeness

WHOLE = similarity.PIECE
TEXTS = st.text("ab", max_size=30)


@pytest.fixture
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare texts of ten characters or more in pieces."""
    monkeypatch.setattr(similarity, "PIECE", 10)


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Collect the pairs of pieces that are compared."""
    pairs: list[tuple[str, str]] = []
    compare = similarity._ratio

    def recorded(one: str, other: str) -> float:
        pairs.append((one, other))
        return compare(one, other)

    monkeypatch.setattr(similarity, "_ratio", recorded)
    return pairs


def text(letters: str, each: int = 8) -> str:
    """Write a text in which each letter is repeated, so that with five of them each is a piece."""
    return "".join(letter * each for letter in letters)


@given(TEXTS, TEXTS)
def test_short_texts_have_the_ratio_of_rapidfuzz(one: str, other: str) -> None:
    """Two short texts have the similarity that rapidfuzz computes."""
    assert likeness(one, other) == pytest.approx(ratio(one, other) / 100)


@pytest.mark.usefixtures("_small_pieces")
@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        (text("abcde"), text("abcde"), 1),
        (text("abcde"), text("abXde"), 0.8),
        (text("abcde"), text("Xbcde"), 0.8),
        (text("abcde"), text("abcdX"), 0.8),
        (text("abcde"), text("XXXXX"), 0),
        (text("abcde"), text("bcdea"), 0),  # each piece is compared with the one in its place alone
        (text("abcde"), text("abcde", 4), 2 / 3),  # cut at the same shares of both texts
        (text("abcde"), "", 0),
        ("a" * 7 + "b" * 3, "a" * 7 + "c" * 3, 10 / 20 + 4 / 20),  # two pieces of five characters
    ],
)
def test_long_texts_have_the_share_of_their_pieces(one: str, other: str, share: float) -> None:
    """The similarity of long texts is that of their pieces, weighted by length, in both orders."""
    assert likeness(one, other) == pytest.approx(share)
    assert likeness(other, one) == pytest.approx(share)


@pytest.mark.usefixtures("_small_pieces")
@pytest.mark.parametrize(
    ("length", "lengths"), [(9, [9]), (10, [5, 5]), (19, [9, 10]), (20, [6, 7, 7]), (45, [9, 9, 9, 9, 9])]
)
def test_pieces_are_of_nearly_equal_length(
    length: int, lengths: list[int], compared: list[tuple[str, str]]
) -> None:
    """A text is cut into pieces of nearly equal length, at most ten characters here."""
    likeness("a" * length, "b" * length)
    assert [len(one) for one, _ in compared] == lengths
    assert [len(other) for _, other in compared] == lengths


@pytest.mark.usefixtures("_small_pieces")
@pytest.mark.parametrize(
    ("other", "least", "pieces"),
    [
        (text("XXXXX"), 0, 5),
        (text("XXXXX"), 0.1, 5),
        (text("XXXXX"), 0.5, 3),  # after three of five, two fifths at most are left
        (text("XXXXX"), 1, 1),
        (text("XXcde"), 0.6, 5),  # as much as is wanted may still come
        (text("XXcde"), 0.7, 2),
        (text("abcXX"), 0.7, 5),
        (text("abcde"), 1, 1),  # equal texts are not cut
    ],
)
def test_comparing_stops_when_the_least_cannot_be_reached(
    other: str, least: float, pieces: int, compared: list[tuple[str, str]]
) -> None:
    """Comparing stops once the similarity cannot reach the least one."""
    likeness(text("abcde"), other, least)
    assert len(compared) == pieces


@given(TEXTS, TEXTS, st.floats(0, 1))
def test_the_least_similarity_changes_no_verdict(one: str, other: str, least: float) -> None:
    """Texts reach the least similarity with the early stop only if they do without it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(similarity, "PIECE", 6)
        found = likeness(one, other)
        assert (likeness(one, other, least) >= least) == (found >= least)
    assert 0 <= found <= likeness(one, other) + 1e-9


def test_long_texts_stop_when_the_time_is_up() -> None:
    """Between two pieces, comparing stops if the time for judging is up."""
    with deadline.within(0), pytest.raises(deadline.TimeIsUp):
        likeness("a" * WHOLE, "b" * WHOLE)
