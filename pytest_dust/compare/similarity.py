"""How alike two texts are."""

from __future__ import annotations

from pytest_dust.deadline import seconds_left

PIECE = 20_000
"""Characters of a text that are held against another at once."""


def likeness(one: str, other: str, least: float = 0) -> float:
    """How alike two texts are, from 0 to 1: the share of characters kept, both ways.

    Long texts are held against each other piece by piece, as the time grows with the square of their
    length; pieces are never more alike than their wholes, so that no difference is overlooked for it.
    Texts that are surely less alike than `least` are read no further than it takes, and given less.
    """
    total = len(one) + len(other)
    count = max(len(one), len(other)) // PIECE + 1
    if count == 1 or one == other:
        return _ratio(one, other)
    kept, left = 0.0, total
    for at in range(count):
        seconds_left()
        pair = [text[at * len(text) // count : (at + 1) * len(text) // count] for text in (one, other)]
        length = sum(map(len, pair))
        kept += _ratio(*pair) * length
        left -= length
        if kept + left + 1 < least * total:
            break
    return kept / total


def _ratio(one: str, other: str) -> float:
    """How alike two texts are; those that nearly are the same are found so in a tenth of the time."""
    from rapidfuzz.fuzz import ratio  # 10 ms, and an extra

    nearly = (ratio(one, other, score_cutoff=least) for least in (99, 95, 0))  # 0 for less than that
    return next(filter(None, nearly), 0.0) / 100
