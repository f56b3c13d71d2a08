"""Paths: compiled or refused, null different from nothing, and explained if they find nothing."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_dust import paths
from pytest_dust.model import MISSING
from pytest_dust.paths import PathError

VIEW: dict[str, Any] = {
    "status": "succeeded",
    "error": None,
    "result": {"label": "billing", "scores": [3, 1, 2], "note": None, "odd name": 1, "": 0, "no": False},
    "blocks": {
        "CLASSIFY": {"output": {"label": "billing"}, "error": None},
        "LOOP": {"output": [{"n": 1}, {}]},
    },
    "usage": {},
    "list": [],
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("status", "succeeded"),
        ("result.label", "billing"),
        ("result.scores[0]", 3),
        ("result.scores[-1]", 2),
        ("result.scores[1:]", [1, 2]),
        ("result.scores[*]", [3, 1, 2]),
        ("result.no", False),
        ('result."odd name"', 1),
        ('result.""', 0),
        ("usage", {}),
        ("list", []),
        ("length(result.scores)", 3),
        ("sum(result.scores)", 6),
        ("result.scores | [0]", 3),
        ("blocks.LOOP.output[].n", [1]),
        ("blocks.*.error", []),
        ("[status, result.label]", ["succeeded", "billing"]),
        ("{s: status}", {"s": "succeeded"}),
        ("result.missing || status", "succeeded"),
        ("status == 'succeeded'", True),
        ("result.scores[?@ > `1`]", [3, 2]),
    ],
)
def test_a_path_finds_what_jmespath_finds(path: str, found: Any) -> None:
    """A path is a JMESPath on the document."""
    assert paths.find(path, VIEW) == found


@pytest.mark.parametrize("path", ["error", "result.note", "blocks.CLASSIFY.error", "result | note"])
def test_a_null_that_is_there_is_found(path: str) -> None:
    """A null in the document is a value, and not MISSING."""
    assert paths.find(path, VIEW) is None


@pytest.mark.parametrize(
    "path",
    [
        "nothing",
        "result.missing",
        "result.note.deeper",
        "result.label.deeper",
        "result.scores[3]",
        "result.scores[-4]",
        "result.scores.label",
        "status[0]",
        "result[0]",
        "list[0]",
        "max(list)",
        "error || result.note",
    ],
)
def test_a_path_to_nothing_finds_nothing(path: str) -> None:
    """A path to nothing finds MISSING."""
    assert paths.find(path, VIEW) is MISSING


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("", "a path is empty; write what to look at, such as result or blocks.NAME.output"),
        ("  ", "a path is empty; write what to look at, such as result or blocks.NAME.output"),
        ("result.", "not a JMESPath: it ends too early"),
        ("result.label[", "not a JMESPath: it ends too early"),
        ("foo bar", "not a JMESPath: unexpected 'b' at character 5 of the path"),
        ("a[?", "not a JMESPath: it ends too early"),
        ("a..b", "not a JMESPath: unexpected '.' at character 3 of the path"),
        ("a^b", "not a JMESPath: unexpected '^' at character 2 of the path"),
        ("lenght(a)", "JMESPath has no function lenght() (did you mean length?)"),
        ("a[?frobnicate(b)]", "JMESPath has no function frobnicate()"),
        ("(" * 5_000, "not a JMESPath that can be read: too long or too deep; make it shorter"),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_jmespath_is_told(path: str, told: str) -> None:
    """The error for a wrong path names the wrong character; for an unknown function, a similar one."""
    with pytest.raises(PathError) as caught:
        paths.compile_path(path)
    assert str(caught.value) == told


@pytest.mark.parametrize(
    "path",
    [f"a[{'9' * 5_000}]", "a" + "||a" * 5_000, "a" + ".a" * 5_000, "!" * 5_000, "a" + "[]" * 5_000],
    ids=["digits", "ors", "steps", "nots", "flattens"],
)
def test_an_overlong_path_is_found_or_told(path: str) -> None:
    """A path beyond what Python or JMESPath can hold is a PathError, never a crash."""
    with suppress(PathError):
        assert paths.beginnings(path) is not None
        assert paths.find(path, {"a": None}) is not None


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("result[::0]", {"result": [1]}),
        ("contains(result, `1`)", {"result": "abc"}),
        ("ceil(to_number('inf'))", {}),
        ("result[?n > `1`]", {"result": [{"n": "x"}]}),
        ("abs(result)", {"result": "x"}),
        ("length(result)", {"result": None}),
        ("length()", {}),
        ("sort(result)", {"result": [1, "x"]}),
        ("join(',', result)", {"result": [1]}),
        ("max_by(result, &n)", {"result": [{}, {"n": 1}]}),
    ],
)
def test_a_path_that_does_not_fit_what_came_is_told_or_finds_nothing(path: str, document: Any) -> None:
    """Values that a path's functions refuse give a PathError or nothing, never another exception."""
    with suppress(PathError):
        assert paths.find(path, document) in (MISSING, [], False)


def test_an_expression_reference_is_no_value() -> None:
    """A path whose value is no JSON value is refused or finds nothing."""
    with suppress(PathError):
        assert paths.find("&result", VIEW) is MISSING


def test_a_lax_literal_warns_nobody() -> None:
    """A literal that JMESPath warns of is accepted or refused, without a warning."""
    with warnings.catch_warnings(record=True) as caught, suppress(PathError):
        warnings.simplefilter("always")
        paths.compile_path("contains(result.label, `bill`)")
    assert caught == []


@pytest.mark.parametrize(
    ("path", "beginnings"),
    [
        ("result.label", [("result", "label")]),
        ("results[0].label", [("results", 0, "label")]),
        ("blocks.A.output[].n", [("blocks", "A", "output")]),
        ("length(result.scores)", [("result", "scores")]),
        ("result || error", [("result",), ("error",)]),
        ("result.a == status", [("result", "a"), ("status",)]),
        ("[status, error]", [("status",), ("error",)]),
        ("!error", [("error",)]),
        ("result[?x == `1`]", [("result",)]),
        ("result | length(@)", [("result",)]),
        ("@", []),
        ("*", []),
        ("'text'", []),
    ],
)
def test_the_beginnings_of_a_path_are_its_plain_names(path: str, beginnings: list[Any]) -> None:
    """Each part of a path begins with plain names and indexes, up to the first filter or function."""
    assert paths.beginnings(path) == beginnings


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("nothing", "the run has: status, error, result, blocks, usage, list"),
        ("result.missing", "result has: label, scores, note, odd name, , no"),
        ("result.label.deeper", "result.label is text"),
        ("result.no.deeper", "result.no is true or false"),
        ("result.scores[7]", "result.scores is a list of 3"),
        ("result.scores[0].x", "result.scores[0] is a number"),
        ('result."odd name".x', 'result."odd name" is a number'),
        ("list[0]", "list is an empty list"),
        ("usage.total", "usage is an empty mapping"),
        ("blocks.LOOP.output[1].n", "blocks.LOOP.output[1] is an empty mapping"),
        ("blocks.CLASIFY.output", "blocks has: CLASSIFY, LOOP"),
        ("error.x", "error is null"),
        ("result.note.deeper", "result.note is null"),
    ],
)
def test_a_path_to_nothing_says_how_far_it_got(path: str, told: str) -> None:
    """The message names the longest part of a path that finds a value, and that value, null included."""
    assert paths.how_far(path, VIEW) == told


def test_a_null_result_is_said_to_be_null() -> None:
    """If the result of a run is null, the message for a path into it says so."""
    assert paths.how_far("result.label", {"status": "errored", "result": None}) == "result is null"


def test_many_names_are_cut_short() -> None:
    """At most twelve names are listed."""
    told = paths.how_far("a.z", {"a": {f"k{n:03}": n for n in range(1_000)}})
    assert told == f"a has: {', '.join(f'k{n:03}' for n in range(12))}, …"


@pytest.mark.parametrize("size", [1, 10_000])
def test_how_far_is_short_whatever_the_names(size: int) -> None:
    """A long name is shortened in the message."""
    assert len(paths.how_far("a.z", {"a": {"k" * size: 1}})) < 1_000


@given(st.text(max_size=30) | st.text("ab.[]*?@&|!=<>'`\"(){},:0-1 ", max_size=20))
@settings(max_examples=150, deadline=None)
def test_any_text_is_a_path_or_a_path_error(text: str) -> None:
    """Any text compiles, with beginnings, finds and how far, or is a PathError."""
    with suppress(PathError), warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)  # told by a test of its own
        paths.beginnings(text)
        paths.find(text, VIEW)
        assert paths.how_far(text, VIEW)
