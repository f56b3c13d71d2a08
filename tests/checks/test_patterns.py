"""Patterns find what Python's `re` finds, and stop when the time is up."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_dust import deadline
from pytest_dust.checks import patterns
from pytest_dust.checks.patterns import found, translate
from pytest_dust.deadline import TimeIsUp

PIECES = [
    *("a", "b", "Z", "é", "_", "1", "²", "\u0301", "\x1c", " ", "\n", "ß", "ſ", "\u212a", "-", "&&"),
    *(r"\w", r"\W", r"\s", r"\S", r"\d", r"\D", r"\b", r"\B", r"\A", r"\Z", "^", "$", "."),
    *(r"\.", r"\\", r"\[", r"\]", r"\{", "{", "}", "{e}", "{1}", "{,2}", "{2,}", "{1,2}", "{}", "{,}", "{a"),
    *("(?:", "(", ")", "(?=", "(?!", "(?<=", "(?<!", "(?>", "|", "*", "+", "?", "*?", "+?", "++"),
    *("[", "[^", "]", "[]", "[^]", "[[:alpha:]]", "[:", r"[\w]", r"[^\w]", r"[\W]", r"[\s\d]", r"[\S]"),
    *(r"[^\S]", r"[^\W\d]", r"[^\d\D]", "[a-c]", r"[\]]", r"[a\-z]", r"[\b]", r"[\x5b]", r"[\D]"),
    *("(?i)", "(?i:", "(?a:", "(?a)", "(?s)", "(?m)", "(?x)", "(?x:", "(?-i:", "(?s:", "(?#[)", "# [\n"),
    *(r"\N{DIGIT ONE}", r"\x61", r"\u00e9", r"\0", r"\141", r"\1", "(?P<n>", "(?P=n)", "(?(1)"),
]
PATTERNS = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
TEXTS = st.text(
    [*"abZzé_1² \n\x1c-[]{}:lph,e.\\&|#ſsSKkß", "\u0301", "\u203f", "\u212a", "\u093f"], max_size=12
)


def compiled(pattern: str) -> re.Pattern[str] | None:
    """The pattern as `re` compiles it, None if it does not."""
    try:
        return patterns.compiled(pattern)
    except (re.error, OverflowError, RecursionError):
        return None


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(PATTERNS, st.lists(TEXTS, min_size=4, max_size=4))
def test_a_pattern_finds_what_re_finds(pattern: str, texts: list[str]) -> None:
    """A pattern that `re` accepts is found in the same texts as `re` finds it."""
    ours = compiled(pattern)
    if ours is None:
        return
    for text in texts:
        if text or r"\B" not in pattern:  # an empty text has no such place before Python 3.14
            assert found(ours, text) == (ours.search(text) is not None)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"^\w+$", "e\u0301"),
        (r"^\w+$", "हिन्दी"),
        (r"\bx\b", "\u0301x\u0301"),
        (r"^\s$", "\x1c"),
        ("(?x)^ \x1c\xa0\u2028 $", "\x1c\xa0\u2028"),
        ("(?x)\x1c", ""),
        (r"^[\w\s]+$", "²\x1f"),
        (r"[^\W]", "\u203f"),
        ("[[:alpha:]]", "x"),
        ("[[:alpha:]]", "a]"),
        ("(?:foo){e<=1}", "fox"),
        ("a{e}", "a{e}"),
        (r"\N{DIGIT ONE}{e}", "1"),
        ("(?x)a # [\n [{]e", "a{e"),
        (r"[^\d\D]", "1"),
        (r"(?i)[^\W_]ß", "Aß"),
        ("(?i)straße", "STRASSE"),
        ("a{99999999}", "aaa"),
        ("x{5,99999999}", "xxxxx"),
    ],
)
def test_where_the_libraries_differ_it_is_as_re_has_it(pattern: str, text: str) -> None:
    """Syntax that `regex` reads differently (classes, fuzzy counts, POSIX names) works as in `re`."""
    ours = patterns.compiled(pattern)
    assert found(ours, text) == (ours.search(text) is not None)


def test_a_pattern_that_would_fill_the_memory_is_left_to_re() -> None:
    """Large or nested repetitions are not given to `regex`, which would write them out."""
    assert translate(re.compile("a{99999999}")) is None
    assert translate(re.compile("((a{100}){100}){100}")) is None
    assert translate(re.compile("(a{1,100}){0,100}")) is not None


@pytest.mark.parametrize("pattern", ["^(a|aa)+$", "(.*a){14}b", "(a+a+)+b", r"^(\w+\s?)*$"])
def test_a_search_stops_when_the_time_is_up(pattern: str) -> None:
    """A search that takes too long raises when its time is up."""
    with deadline.within(0.1), pytest.raises(TimeIsUp):
        found(re.compile(pattern), "aa" * 2000 + "!")


def test_without_a_deadline_there_is_none() -> None:
    """Without a deadline, a search has no time limit."""
    assert found(re.compile("a$"), "b" * 1000 + "a")
