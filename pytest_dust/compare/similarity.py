"""The similarity of two texts."""

from __future__ import annotations

from pytest_dust.deadline import seconds_left

PIECE = 20_000
"""Maximum length of texts that are compared whole; longer ones are compared in pieces."""


def likeness(one: str, other: str, least: float = 0) -> float:
    """The similarity of two texts, from 0 to 1: the share of their characters that both have in common.

    Long texts are compared piece by piece, as the time grows with the square of their length. Pieces are
    never more similar than the whole texts, so the result is never too high. Comparing stops as soon as the
    similarity must be below `least`; the result is then a value below it.
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
    """The similarity of two texts; for nearly equal ones it takes a tenth of the time."""
    from rapidfuzz.fuzz import ratio  # 10 ms, and an extra

    nearly = (ratio(one, other, score_cutoff=least) for least in (99, 95, 0))  # 0 for less than that
    return next(filter(None, nearly), 0.0) / 100
