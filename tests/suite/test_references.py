"""References to the environment in a suite's texts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_dust.suite.references import ReferenceProblem, environment, fill

ENVIRON = {
    "DUST_SPACE_ID": "vlt_support",
    "DUST_NESTED": "${env.DUST_SPACE_ID}",
    "DUST_EMPTY": "",
    "DUST_API_KEY": "sk-very-secret",
    "TEAM": "blue",
    "HOME": "/root",
}
LOOK_UP = environment(ENVIRON, frozenset({"TEAM", "DUST_API_KEY"}))


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ("${env.DUST_SPACE_ID}", "vlt_support"),
        ("a ${env.DUST_SPACE_ID} b ${env.TEAM}", "a vlt_support b blue"),
        ("${ env.TEAM }", "blue"),
        ("${env.TEAM}${env.TEAM}", "blueblue"),
        ("${env.DUST_EMPTY}", ""),
        ("${env.DUST_NESTED}", "${env.DUST_SPACE_ID}"),
        ("$${env.TEAM}", "${env.TEAM}"),
        ("$${", "${"),
        ("$$${env.TEAM}", "$${env.TEAM}"),
        ("$5 {x} $ }", "$5 {x} $ }"),
        ("", ""),
    ],
)
def test_a_reference_becomes_its_value(written: str, filled: str) -> None:
    """References are filled in once, anywhere in a text; `$${` is a literal `${`."""
    assert fill(written, LOOK_UP) == (filled, [])


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("${env.DUST_NOWHERE}", ["the environment has no DUST_NOWHERE", "export DUST_NOWHERE="]),
        ("${env.HOME}", ["HOME", "may not be read", "dust_env"]),
        ("${env.DUST_API_KEY}", ["the API key may not stand in a suite"]),
        ("${env.dust_space_id}", ["may not be read", "DUST_"]),
        ("${name}", ["${name} is no reference", "${env.NAME}", "$${"]),
        ("${env.}", ["is no reference"]),
        ("${}", ["is no reference"]),
        ("${row.x}", ["${row.x} needs a dataset", "add dataset: to it"]),
        ("${matrix.x}", ["${matrix.x} needs a matrix", "add matrix: to it"]),
        ("${env.TEAM", ["without an end", "$${"]),
        ("${", ["without an end"]),
        ("${env.${env.TEAM}}", ["without an end"]),
    ],
)
def test_a_reference_that_cannot_be_filled_in_says_why(written: str, words: list[str]) -> None:
    """A wrong reference is one mistake that says why and what to write."""
    _, ((path, message),) = fill(written, LOOK_UP)
    assert path == ()
    assert all(word in message for word in words)
    assert "sk-very-secret" not in message


def test_the_key_is_refused_even_if_the_ini_lists_it() -> None:
    """No setting allows a reference to the API key."""
    with pytest.raises(ReferenceProblem, match="the API key may not stand in a suite"):
        LOOK_UP("env.DUST_API_KEY")


def test_every_depth_is_filled_and_every_mistake_has_its_path() -> None:
    """Values at every depth are filled in, keys are not, and every mistake has its path."""
    written: Any = {"a": ["${env.TEAM}", {"b": "${env.X}"}], "${env.TEAM}": 3, "c": "${x} ${y}", "d": None}
    filled, problems = fill(written, LOOK_UP)
    assert filled == {"a": ["blue", {"b": ""}], "${env.TEAM}": 3, "c": " ", "d": None}
    assert [path for path, _ in problems] == [("a", 1, "b"), ("c",), ("c",)]


def test_filling_changes_nothing_in_place() -> None:
    """Filling in does not change the given value."""
    written: Any = {"a": ["${env.TEAM}"]}
    fill(written, LOOK_UP)
    assert written == {"a": ["${env.TEAM}"]}


@given(st.text() | st.text("${}env.TAM x", max_size=30))
@settings(max_examples=100, deadline=None)
def test_any_text_is_filled_in_or_a_mistake(text: str) -> None:
    """Any text is filled in or a mistake; without `${` it is unchanged."""
    filled, problems = fill(text, LOOK_UP)
    assert isinstance(filled, str)
    assert "${" in text or (filled == text and not problems)


@given(st.text())
@settings(max_examples=100, deadline=None)
def test_a_doubled_dollar_writes_any_text(text: str) -> None:
    """Any text without a dollar before `${` can be written by doubling the dollar of each `${`."""
    plain = text.replace("$", "")
    assert fill(f"{plain}$${{{plain}", LOOK_UP) == (f"{plain}${{{plain}", [])
