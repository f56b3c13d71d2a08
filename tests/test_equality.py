"""JSON's equality, and where two values differ."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_dust.cassette import MAX_DEPTH
from pytest_dust.checks.equality import MAX_ALIGNED, differences, equal
from pytest_dust.model import MISSING, Change

SECONDS = 2.0
"""What a reader waits; the comparisons that are well done take a quarter of it."""


def changes(old: Any, new: Any) -> list[Change]:
    """Where two values differ, as a list."""
    return list(differences(old, new))


EQUAL: list[tuple[Any, Any]] = [
    (1, 1.0),
    (0, -0.0),
    (None, None),
    (True, True),
    ("", ""),
    ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}),
    ([1, [2, {"a": 3}]], [1.0, [2.0, {"a": 3.0}]]),
    ({}, {}),
    ([], ()),
    (10**400, 10**400),
]
UNEQUAL: list[tuple[Any, Any]] = [
    (1, True),
    (0, False),
    (1.0, True),
    (0, None),
    ("", None),
    (False, None),
    ("1", 1),
    ("true", True),
    ([], {}),
    ([], None),
    ([1, 2], [2, 1]),
    ([1], [1, 1]),
    ({"a": None}, {}),
    ({"a": 1}, {"b": 1}),
    ([True], [1]),
    ({"a": [{"b": 0}]}, {"a": [{"b": False}]}),
    (10**400, 1e300),
    ("é", "e\u0301"),
]


@pytest.mark.parametrize(("left", "right"), EQUAL, ids=str)
def test_the_same_json_is_equal(left: Any, right: Any) -> None:
    """Numbers are equal by value and mappings whatever their order, at every depth."""
    assert equal(left, right)
    assert equal(right, left)
    assert changes(left, right) == []


@pytest.mark.parametrize(("left", "right"), UNEQUAL, ids=str)
def test_other_json_is_not_equal(left: Any, right: Any) -> None:
    """`1` is never `true`, nothing never null, and lists have an order, at every depth."""
    assert not equal(left, right)
    assert not equal(right, left)
    assert changes(left, right)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (1, 2, [((), 1, 2)]),
        ({"a": 1}, {"a": 2}, [(("a",), 1, 2)]),
        ({"a": 1}, {"b": 1}, [(("a",), 1, MISSING), (("b",), MISSING, 1)]),
        ({"a": None}, {}, [(("a",), None, MISSING)]),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, [(("a", "b", 1), 2, 3)]),
        ([1], [True], [((0,), 1, True)]),
        ([[0], 5], [[False], 5], [((0, 0), 0, False)]),
        ([1, 2, 3], [1, 3], [((1,), 2, MISSING)]),
        ([1, 3], [1, 2, 3], [((1,), MISSING, 2)]),
        ([], [1], [((0,), MISSING, 1)]),
        ([{"a": 1, "b": 2}], [{"a": 1, "b": 3}], [((0, "b"), 2, 3)]),
        ([1], {"0": 1}, [((), [1], {"0": 1})]),
        ({"z": 1, "a": 1}, {"z": 2, "a": 2}, [(("z",), 1, 2), (("a",), 1, 2)]),
    ],
)
def test_differences_are_the_smallest_parts(old: Any, new: Any, expected: list[tuple[Any, ...]]) -> None:
    """Each change is the innermost part that differs, in the old value's order, with MISSING for nothing."""
    assert changes(old, new) == [Change(*each) for each in expected]


@pytest.mark.parametrize("at", [0, 3, 6])
@pytest.mark.parametrize("elements", [list("abcdef"), [{"n": n} for n in range(6)], [[n] for n in range(6)]])
def test_an_insertion_is_one_change(elements: list[Any], at: int) -> None:
    """An element put into a list, or taken out of it, is one change; what follows has only moved."""
    longer = [*elements[:at], "new", *elements[at:]]
    assert changes(elements, longer) == [Change((at,), MISSING, "new")]
    assert changes(longer, elements) == [Change((at,), "new", MISSING)]


def test_two_insertions_are_two_changes() -> None:
    """Elements put into different places of a list are found there, not where lists cease to line up."""
    found = changes(list("abcdef"), list("aXbcdeYf"))
    assert [(change.path, change.new) for change in found] == [((1,), "X"), ((6,), "Y")]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.0, -0.0, 1.0, 0.5, 1e300])
    | st.text("ab1", max_size=2),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=15,
)


def _floated(value: Any) -> Any:
    """The value with its whole numbers as floats."""
    if isinstance(value, list):
        return [_floated(each) for each in value]
    if isinstance(value, dict):
        return {key: _floated(each) for key, each in value.items()}
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@given(JSON)
@settings(max_examples=150, deadline=None)
def test_a_value_is_equal_to_itself_however_written(value: Any) -> None:
    """Equality is reflexive, through JSON text and through floats, and finds no differences then."""
    for other in (value, json.loads(json.dumps(value)), _floated(value)):
        assert equal(value, other)
        assert changes(value, other) == []


@given(JSON, JSON)
@settings(max_examples=200, deadline=None)
def test_equality_is_symmetric_and_differences_agree_with_it(left: Any, right: Any) -> None:
    """Either order gives the same verdict, and there are differences exactly where values are not equal."""
    same = equal(left, right)
    assert equal(right, left) is same
    assert (changes(left, right) == []) is same
    assert (changes(right, left) == []) is same


@given(st.lists(JSON, max_size=8), st.lists(JSON, max_size=8))
@settings(max_examples=200, deadline=None)
def test_every_change_tells_true(old: list[Any], new: list[Any]) -> None:
    """The two sides of a change are never equal, and each is a part of its own value."""
    for change in differences(old, new):
        assert change.old is MISSING or change.new is MISSING or not equal(change.old, change.new)
        assert not (change.old is MISSING and change.new is MISSING)


@given(st.lists(st.integers(), unique=True, max_size=12), st.data())
@settings(max_examples=100, deadline=None)
def test_an_insertion_anywhere_is_one_change(elements: list[int], data: st.DataObject) -> None:
    """Whatever the list, one more element is one change."""
    at = data.draw(st.integers(0, len(elements)))
    assert changes(elements, [*elements[:at], "new", *elements[at:]]) == [Change((at,), MISSING, "new")]


@given(st.booleans(), st.integers(0, 4))
@settings(max_examples=30, deadline=None)
def test_true_is_not_one_inside_lists(value: bool, at: int) -> None:
    """A boolean that became its number is found, wherever in a list."""
    old: list[Any] = [5, 6, 7, 8]
    old.insert(at, value)
    new = [int(each) for each in old]
    assert changes(old, new) == [Change((at,), value, int(value))]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (list(range(MAX_ALIGNED)), list(range(MAX_ALIGNED, 2 * MAX_ALIGNED))),
        (list(range(MAX_ALIGNED)), [-1, *range(MAX_ALIGNED - 1), -2]),
        ([{"a": n} for n in range(MAX_ALIGNED)], [{"a": n + 1} for n in range(MAX_ALIGNED)]),
        (["a"] * MAX_ALIGNED, ["b"] * MAX_ALIGNED),
        (["a", "b"] * 500, ["b", "a", "c", "a"] * 250),
        (list(range(50_000)), list(range(1, 50_001))),
        ({str(n): n for n in range(50_000)}, {str(n): n + 1 for n in range(50_000)}),
        ("a" * 5_000_000, "a" * 4_999_999 + "b"),
    ],
    ids=["all", "shifted", "mappings", "repeated", "alternating", "long", "wide", "text"],
)
def test_thousands_of_differences_end_quickly(old: Any, new: Any) -> None:
    """Comparing takes two seconds at most, whatever the size and the number of differences."""
    began = time.perf_counter()
    assert changes(old, new)
    assert time.perf_counter() - began < SECONDS


@pytest.mark.parametrize("depth", [100, MAX_DEPTH])
def test_deep_values_are_compared(depth: int) -> None:
    """Whatever depth an answer may have that is read at all, it can be compared."""
    deep = json.loads("[" * depth + "1" + "]" * depth)
    other = json.loads("[" * depth + "2" + "]" * depth)
    assert equal(deep, deep)
    assert changes(deep, other) == [Change((0,) * depth, 1, 2)]
