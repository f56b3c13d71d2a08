"""`ignore` and `significant_digits` apply to any compared path, and reports show the original values."""

from __future__ import annotations

import json
import re
from functools import reduce
from operator import getitem
from typing import Any

import jmespath
import pytest
from answers import bounded, ran
from hypothesis import given
from hypothesis import strategies as st
from made_runs import made
from stages import ON_CHANGE, Stage, document, last

from pytest_dust.compare import baseline
from pytest_dust.compare.content import Content, compared, original
from pytest_dust.compare.equality import equal
from pytest_dust.compare.left_out import Parts, Pattern, Patterns
from pytest_dust.compare.origins import located
from pytest_dust.dust.run_view import viewed
from pytest_dust.model import MISSING, Baseline, Change

ITEMS = [
    {"name": "b", "id": 1, "score": 0.912345, "ok": True},
    {"name": "a", "id": 2, "score": 0.5, "ok": False},
]
AGAIN = [{**one, "id": one["id"] + 10, "score": one["score"] + 0.0001} for one in ITEMS]
RENAMED = [{**one, "name": f"{one['name']}!"} for one in AGAIN]


@pytest.fixture
def stage(project, server):
    """A service whose runs the test writes."""
    return Stage(project, server)


# ── reach ────────────────────────────────────────────────────────────────────────────────────────

PATHS = [
    "result.items",
    "result.items[*]",
    "result.items[0]",
    "result.items[-2]",
    "result.items[?ok]",
    "result.items[?score > `0.1`]",
    "result.items[*].[name, score]",
    "result.items[*].{n: name, s: score, id: id}",
    "result.items[::-1]",
    "result.items[]",
    "result | items",
    "result.*",
    "result.*[]",
    "sort_by(result.items, &name)",
    "reverse(result.items)",
    "max_by(result.items, &score)",
    "not_null(result.nothing, result.items)",
    "map(&@, result.items)",
    "[result.items, status]",
    "{a: result, b: blocks.LAST.status}",
    "result.nothing || result.items",
    "result && result.items",
    "blocks.LAST.output",
    "blocks.LAST.output.items[*]",
    "blocks.*.output",
    "values(blocks)",
    "to_array(result)",
    "merge(result, {x: `1`})",
]
KEYS = "baseline: {{compare: [{path}], ignore: {ignore}, significant_digits: 3}}"
IGNORES = {
    "by name": "[id]",
    "by path": '["result.items[*].id", "blocks.LAST.output.items[*].id"]',
    "by pattern": '["result.*.*.id", "blocks.*.output.*.*.id"]',
}


def test_ignore_and_digits_reach_any_compared_path(stage):
    """For any compared path, ignored and rounded parts are ignored and rounded, and all others count."""
    pairs: dict[str, Any] = {}
    for at, path in enumerate(PATHS):
        for how, ignore in IGNORES.items():
            keys = KEYS.format(path=json.dumps(path), ignore=ignore)
            name = f"p{at}-{how.replace(' ', '-')}"
            pairs[f"{name}-same"] = (last({"items": ITEMS}), last({"items": AGAIN}), keys)
            pairs[f"{name}-other"] = (last({"items": ITEMS}), last({"items": RENAMED}), keys)
    result = stage.play(pairs, ON_CHANGE, "-q", "--tb=no")
    failed = set(re.findall(r"^FAILED s\.dust\.yaml::(\S+)", result.out, re.MULTILINE))
    assert failed == {name for name in pairs if name.endswith("-other")}


def test_one_input_of_several_is_reached(stage):
    """Patterns for all inputs apply to a path into one of them."""
    old, new = (
        document(("code", "LAST", [{"x": {"id": at, "v": 1}}], [{"x": {"id": at, "v": 1}}])) for at in (1, 2)
    )
    keys = 'baseline: {compare: ["results[1].x"], ignore: ["results[*].x.id"]}'
    other = document(("code", "LAST", [{"x": {"id": 2, "v": 1}}], [{"x": {"id": 2, "v": 5}}]))
    result = stage.play({"same": (old, new, keys), "other": (old, other, keys)}, ON_CHANGE)
    assert result.outcomes == {"passed": 1, "failed": 1}
    assert re.search(r"LAST +output\.x\.v +1 → 5", result.report)


def test_digits_hold_for_what_functions_give(stage):
    """A number that a function computes is rounded like any other."""
    keys = 'baseline: {compare: ["sum(result.items[*].score)"], significant_digits: 2}'
    worse = [{**one, "score": one["score"] / 2} for one in ITEMS]
    pairs = {
        "same": (last({"items": ITEMS}), last({"items": AGAIN}), keys),
        "other": (last({"items": ITEMS}), last({"items": worse}), keys),
    }
    assert stage.play(pairs, ON_CHANGE).outcomes == {"passed": 1, "failed": 1}


def test_a_path_to_what_is_ignored_compares_nothing(stage):
    """A compared path to an ignored value finds no change."""
    keys = 'baseline: {compare: ["result.items[*].id"], ignore: [id]}'
    result = stage.play({"c": (last({"items": ITEMS}), last({"items": AGAIN}), keys)}, ON_CHANGE)
    assert result.outcomes == {"passed": 1}


# ── as it was ────────────────────────────────────────────────────────────────────────────────────


def test_a_report_shows_numbers_as_they_were(stage):
    """Rounded numbers are shown unrounded in the report, its headline and the diff file."""
    old, new = last({"x": 0.12345678, "y": 123_456}), last({"x": 0.22345678, "y": 123_457})
    result = stage.play(
        {"c": (old, new, "baseline: {significant_digits: 3}")}, ON_CHANGE, "--dust-diff-dir=d"
    )
    assert re.search(r"LAST +output\.x +0\.12345678 → 0\.22345678$", result.report, re.MULTILINE)
    assert "result.x 0.12345678 → 0.22345678 (on_change: fail)" in result.out
    assert "- 0.12345678\n+ 0.22345678\n" in result.example.files["d/s/c.diff"].decode()


def test_a_report_shows_elements_as_they_were(stage):
    """An added or removed element is shown with its ignored parts and all its digits."""
    old, new = (
        last([{"id": 1, "x": 0.987654321}]),
        last([{"id": 2, "x": 0.987654321}, {"id": 3, "x": 0.555555555}]),
    )
    keys = "baseline: {ignore: [id], significant_digits: 3}"
    report = stage.play({"c": (old, new, keys)}, ON_CHANGE).report
    assert 'output[1]   nothing → {"id": 3, "x": 0.555555555}' in report
    assert "output[0]" not in report


def test_an_ignored_element_shifts_no_index(stage):
    """If one element of a list is ignored, changes of others have their own index."""
    old, new = last({"a": [1, 2, 3]}), last({"a": [7, 2, 9]})
    report = stage.play({"c": (old, new, 'baseline: {ignore: ["result.a[0]"]}')}, ON_CHANGE).report
    assert re.search(r"output\.a\[2\] +3 → 9", report)


# ── similar texts in their order ─────────────────────────────────────────────────────────────────

WORDS = ["apples and pears", "a refund within five days", "parcels on monday", "open from nine to five"]
OLD = [f"Our answer says: {words}, as was asked in the letter." for words in WORDS]
NEW = [text.replace("Our answer", "The answer") for text in OLD]
SIMILAR = "baseline: {similar: 0.85}"


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("at", range(len(OLD) + 1))
def test_similar_texts_are_aligned_after_an_insertion(stage, at, rows):
    """In an ordered list of similar texts, an inserted text is the only change."""
    old, new = ([{"n": 1, "text": text} for text in side] if rows else side for side in (OLD, NEW))
    extra = {"n": 2, "text": "Something else."} if rows else "Something else."
    more = [*new[:at], extra, *new[at:]]
    pairs = {"more": (last(old), last(more), SIMILAR), "less": (last(more), last(old), SIMILAR)}
    report = stage.play(pairs, ON_CHANGE).report
    assert report.count(f"output[{at}]") == 2
    assert len(re.findall(r"^ +LAST +output", report, re.MULTILINE)) == 2


def test_a_text_that_is_not_similar_is_a_change(stage):
    """Besides an insertion, a text that changed too much is compared with the one in its place."""
    new = ["Something else.", NEW[0], "No.", *NEW[2:]]
    report = stage.play({"c": (last(OLD), last(new), SIMILAR)}, ON_CHANGE).report
    assert re.search(r"LAST +output\[0\] +nothing → \"Something else\.\"", report)
    assert re.search(r"LAST +output\[2\] +\"Our answer says: a refund.*\" → \"No\.\"", report)
    assert "output[1]" not in report
    assert "output[3]" not in report


def test_the_order_of_similar_texts_counts(stage):
    """Similar texts in another order are a change, unless the order of lists is ignored."""
    result = stage.play({"c": (last(OLD), last(NEW[::-1]), SIMILAR)}, ON_CHANGE)
    assert result.outcomes == {"failed": 1}


LONG_LIST = [f"row {at} of a long table of texts" for at in range(4_000)]


@pytest.mark.parametrize(
    ("new", "changes"),
    [
        ([f"{at} what else, quite unlike" for at in range(4_000)], 4_000),
        (["x", *(f"{text}!" for text in LONG_LIST)], 1),
    ],
    ids=["none", "all"],
)
def test_a_long_list_of_similar_texts_ends(new, changes):
    """Thousands of texts, none or all of them similar to others, are aligned in bounded work."""
    runs = (made(("code", "C", [ran(side)])) for side in (LONG_LIST, new))
    found = baseline.compare(*(viewed(run, plural=True) for run in runs), Baseline(similar=0.9), "")
    assert [change.path[2:] for change in found.values] == [(at,) for at in range(changes)]


# ── tables ───────────────────────────────────────────────────────────────────────────────────────

DOCUMENT = {
    "a": {"b": [1, {"c": None, "d": [2, [3]]}], "e": {}},
    "f": [{"g": 1}, {"g": None}, {"h": 2}],
    "z": 0,
}


@pytest.mark.parametrize(
    ("path", "origin"),
    [
        ("a.b", ("a", "b")),
        ("a.b[-1].d", ("a", "b", 1, "d")),
        ("@", ()),
        ("f[*].g", [("f", 0, "g")]),
        ("f[?h].h", [("f", 2, "h")]),
        ("a.*", [("a", "b"), ("a", "e")]),
        ("f[1:]", [("f", 1), ("f", 2)]),
        ("a.b[1].d[]", [("a", "b", 1, "d", 0), ("a", "b", 1, "d", 1, 0)]),
        ("[z, a.e]", [("z",), ("a", "e")]),
        ("{x: z, y: f[0].g}", {"x": ("z",), "y": ("f", 0, "g")}),
        ("{x: f}.x[2]", ("f", 2)),
        ("[f, z][0]", ("f",)),
        ("reverse(f)", [("f", 2), ("f", 1), ("f", 0)]),
        ("reverse(f)[0].h", ("f", 2, "h")),
        ("length(f)", None),
        ("to_string(a)", None),
        ("`5`", None),
        ("nothing || z", ("z",)),
    ],
)
def test_where_what_a_path_finds_comes_from(path, origin):
    """The result of a path has the origin of each of its parts, unless a function computed it."""
    assert located(path, DOCUMENT).origin == origin


names = st.sampled_from(["a", "b", "c"])
parts = st.recursive(
    names.map(lambda name: f".{name}")
    | st.sampled_from(["[0]", "[-1]", "[*]", "[]", ".*", "[1:]", "[?a]", "[?@]"]),
    lambda inner: st.tuples(inner, inner).map("".join),
    max_leaves=5,
)
steps = st.builds(lambda name, rest: name + rest, names, parts)
jmespaths = steps | st.sampled_from(
    ["[a, b]", "{a: b, b: a}", "values(@)", "sort_by(c, &a)", "merge(@, a)", "a || b", "a && b", "[a, b][].c"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=12,
)


def put_together(origin: Any, document: Any, found: Any) -> Any:
    """Give the values at the paths of an origin; the value found for a part without one."""
    if origin is None:
        return found
    if isinstance(origin, tuple):
        try:
            return reduce(getitem, origin, document)
        except (LookupError, TypeError):
            return None
    if isinstance(origin, dict):
        return {name: put_together(each, document, found[name]) for name, each in origin.items()}
    return [put_together(each, document, one) for each, one in zip(origin, found, strict=True)]


@bounded
@given(jmespaths, st.dictionaries(names, values, min_size=1))
def test_the_places_hold_what_the_path_finds(path, whole):
    """For any path and document, the values at the origins are those that JMESPath finds."""
    try:
        expected = jmespath.search(path, whole)
    except (jmespath.exceptions.JMESPathError, TypeError, ValueError):
        return
    found = located(path, whole)
    if found.value is not MISSING:
        assert found.value == expected
        assert put_together(found.origin, whole, found.value) == expected


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        (Pattern(("a", "b")), {"a": {"c": 1}, "b": [{"b": 2}, 3]}),
        (Pattern(("b",), anywhere=True), {"a": {"c": 1}}),
        (Pattern(("*", "0")), {"a": {"b": [1], "c": 1}, "b": [3]}),
        (Pattern(("*", "*")), {"a": {}, "b": []}),
        (Pattern(("b", "[01]")), {"a": {"b": [1], "c": 1}, "b": []}),
        (Pattern(("a", "?")), {"a": {}, "b": [{"b": 2}, 3]}),
    ],
)
def test_what_patterns_leave_out(pattern, kept):
    """A pattern leaves out what it matches, a bare name at any depth; the original is kept."""
    value = {"a": {"b": [1], "c": 1}, "b": [{"b": 2}, 3]}
    part = Content().of(value, Patterns([pattern]))
    assert compared(part) == kept
    assert original(part) is value


def test_what_is_left_out_of_parts():
    """Each part of a composed value has its own left-out parts; others have the common ones."""
    left_out = Parts({"a": Patterns([Pattern(("x",))]), 1: None}, Patterns([Pattern(("id",), anywhere=True)]))
    value = {"a": {"x": 1, "id": 2}, "b": {"x": 1, "id": 2}, "id": 3}
    assert compared(Content().of(value, left_out)) == {"a": {"id": 2}, "b": {"x": 1}}
    assert compared(Content().of([5, 6, 7], left_out)) == [5, 7]


@bounded
@given(values, values, st.sampled_from([None, 1, 3]))
def test_equal_keys_are_equal_content(one, other, digits):
    """Two values have equal keys only if their compared content is equal JSON."""
    content = Content(significant_digits=digits)
    parts = [content.of(value) for value in (one, other)]
    keys = [part.key if hasattr(part, "key") else part for part in parts]
    assert (keys[0] == keys[1]) == equal(*map(compared, parts))


def test_a_change_keeps_the_values_as_they_were():
    """A change has the original values, whatever was left out or rounded."""
    rules = Baseline(significant_digits=2, ignore=(("id",),))
    old, new = (made(("code", "C", [ran(value)])) for value in ({"a": 1.2345, "id": 1}, [{"id": 2}]))
    found = baseline.compare(*(viewed(run, plural=True) for run in (old, new)), rules, "")
    assert found.values == (Change(("results", 0), {"a": 1.2345, "id": 1}, [{"id": 2}]),)
