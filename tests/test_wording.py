"""Parts of sentences that many messages share."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_dust.model import MISSING
from pytest_dust.wording import first_names, kind


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, ""), (1, "n0"), (2, "n0, n1"), (3, "n0, n1 and 1 more"), (2_002, "n0, n1 and 2,000 more")],
)
def test_a_list_of_names_shows_the_first_and_counts_the_others(count: int, shown: str) -> None:
    """At most so many names are shown, and the number of those that are not."""
    assert first_names([f"n{at}" for at in range(count)], 2) == shown


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (MISSING, "missing"),
        (None, "null"),
        (True, "true or false"),
        (0, "a number"),
        (0.5, "a number"),
        ("", "text"),
        ([], "a list"),
        ({}, "a mapping"),
    ],
)
def test_a_kind_of_value_has_one_name(value: Any, words: str) -> None:
    """Every type of JSON, and a missing value, is called the same in all messages."""
    assert kind(value) == words
