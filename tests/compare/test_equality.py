"""Equality of JSON values, and their differences."""

from __future__ import annotations

import json
import random
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_dust.compare.alignment import MAX_CHARACTERS
from pytest_dust.compare.equality import absent, differences, equal, unmatched
from pytest_dust.compare.unordered import PAIR_COST
from pytest_dust.json_values import MAX_DEPTH
from pytest_dust.model import MISSING, Change


def changes(old: Any, new: Any) -> list[Change]:
    """The differences between two values, as a list."""
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
    """Numbers are equal by value, and mappings in any order, at every depth."""
    assert equal(left, right)
    assert equal(right, left)
    assert changes(left, right) == []


@pytest.mark.parametrize(("left", "right"), UNEQUAL, ids=str)
def test_other_json_is_not_equal(left: Any, right: Any) -> None:
    """`1` is not `true`, a missing value is not null, and lists have an order, at every depth."""
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
    """Each change is the smallest part that differs, in the old value's order; MISSING is no value."""
    assert changes(old, new) == [Change(*each) for each in expected]


@pytest.mark.parametrize("at", [0, 3, 6])
@pytest.mark.parametrize("elements", [list("abcdef"), [{"n": n} for n in range(6)], [[n] for n in range(6)]])
def test_an_insertion_is_one_change(elements: list[Any], at: int) -> None:
    """An element inserted into a list, or removed from it, is one change."""
    longer = [*elements[:at], "new", *elements[at:]]
    assert changes(elements, longer) == [Change((at,), MISSING, "new")]
    assert changes(longer, elements) == [Change((at,), "new", MISSING)]


def test_two_insertions_are_two_changes() -> None:
    """Elements inserted at different places of a list are found at these places."""
    found = changes(list("abcdef"), list("aXbcdeYf"))
    assert [(change.path, change.new) for change in found] == [((1,), "X"), ((6,), "Y")]


def test_an_element_that_moves_in_a_long_list_is_two_changes() -> None:
    """An element that moved to the front of a long list is two changes, and shifts no others."""
    rest = [str(at) for at in range(300)]
    found = changes([*rest, "moved", "last", "old"], ["moved", *rest, "last", "new"])
    assert {(change.old, change.new) for change in found} == {
        (MISSING, "moved"),
        ("moved", MISSING),
        ("old", "new"),
    }


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
@settings(max_examples=50, deadline=None)
def test_a_value_is_equal_to_itself_however_written(value: Any) -> None:
    """A value is equal to itself, read from JSON text or with floats, and has no differences then."""
    for other in (value, json.loads(json.dumps(value)), _floated(value)):
        assert equal(value, other)
        assert changes(value, other) == []


@given(JSON, JSON)
@settings(max_examples=60, deadline=None)
def test_equality_is_symmetric_and_differences_agree_with_it(left: Any, right: Any) -> None:
    """Equality does not depend on the order; values have differences only if they are not equal."""
    same = equal(left, right)
    assert equal(right, left) is same
    assert (changes(left, right) == []) is same
    assert (changes(right, left) == []) is same


@given(st.lists(JSON, max_size=8), st.lists(JSON, max_size=8))
@settings(max_examples=60, deadline=None)
def test_every_change_is_a_difference(old: list[Any], new: list[Any]) -> None:
    """The two sides of a change are never equal, and each is a part of its value."""
    for change in differences(old, new):
        assert change.old is MISSING or change.new is MISSING or not equal(change.old, change.new)
        assert not (change.old is MISSING and change.new is MISSING)


@given(st.lists(st.integers(), unique=True, max_size=12), st.data())
@settings(max_examples=60, deadline=None)
def test_an_insertion_anywhere_is_one_change(elements: list[int], data: st.DataObject) -> None:
    """In any list, one more element is one change."""
    at = data.draw(st.integers(0, len(elements)))
    assert changes(elements, [*elements[:at], "new", *elements[at:]]) == [Change((at,), MISSING, "new")]


@given(st.booleans(), st.integers(0, 4))
@settings(max_examples=30, deadline=None)
def test_true_is_not_one_inside_lists(value: bool, at: int) -> None:
    """A boolean that became a number is found anywhere in a list."""
    old: list[Any] = [5, 6, 7, 8]
    old.insert(at, value)
    new = [int(each) for each in old]
    assert changes(old, new) == [Change((at,), value, int(value))]


# ── exact, and for any size ──────────────────────────────────────────────────────────────────────


def applied(old: Any, found: list[Change]) -> Any:
    """Give the old value with these changes made in it; indexes are those of the new value."""
    if found and found[0].path == ():
        return found[0].new
    if not found:
        return old
    below: dict[Any, list[Change]] = {}
    ends: dict[bool, dict[Any, Any]] = {True: {}, False: {}}  # what went, and what came
    for step, change in ((each.path[0], Change(each.path[1:], each.old, each.new)) for each in found):
        if change.path == () and MISSING in (change.old, change.new):
            ends[change.new is MISSING][step] = change.new
        else:
            below.setdefault(step, []).append(change)
    gone, come = ends[True], ends[False]
    if isinstance(old, dict):
        kept = {key: applied(value, below.get(key, [])) for key, value in old.items() if key not in gone}
        return {**kept, **come}
    rest = (value for at, value in enumerate(old) if at not in gone)
    size = len(old) - len(gone) + len(come)
    return [come[at] if at in come else applied(next(rest), below.get(at, [])) for at in range(size)]


@given(JSON, JSON)
@settings(max_examples=150, deadline=None)
def test_differences_are_exact(old: Any, new: Any) -> None:
    """The old value with its differences applied is the new one."""
    assert equal(applied(old, changes(old, new)), new)


labels = st.lists(st.sampled_from("abc") | st.integers(0, 3) | st.booleans(), max_size=40)


@given(labels, labels)
@settings(max_examples=50, deadline=None)
def test_differences_of_repetitive_lists_are_exact(old: list[Any], new: list[Any]) -> None:
    """Differences are exact in lists with many equal elements."""
    assert equal(applied(old, changes(old, new)), new)


@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(0, 40), st.booleans())
@settings(max_examples=25, deadline=None)
def test_differences_of_long_lists_are_exact_and_few(seed: int, kinds: int, edits: int, once: bool) -> None:
    """Differences of long lists are exact, and about as many as the edits."""
    made = random.Random(seed)
    old: list[Any] = [[made.randrange(10**9 if once else kinds)] for _ in range(3_000)]
    new = list(old)
    for _ in range(edits):
        at = made.randrange(len(new))
        new[at : at + made.randrange(2)] = [{"new": made.randrange(9)}] * made.randrange(2)
    found = changes(old, new)
    assert equal(applied(old, found), new)
    assert len(found) <= (4 * edits if once or kinds > 4 else 3_000)


@given(JSON, JSON)
@settings(max_examples=60, deadline=None)
def test_without_order_a_shuffled_list_is_the_same(value: Any, other: Any) -> None:
    """With `unordered`, lists differ only if one has what the other lacks, at every depth."""
    turned = _turned(value)
    assert list(differences(value, turned, unordered=True)) == []
    assert not equal(value, other) or not list(differences(value, other, unordered=True))
    both = [bool(list(differences(*pair, unordered=True))) for pair in ((value, other), (turned, other))]
    assert both[0] == both[1]


def _turned(value: Any) -> Any:
    """The value with each of its lists reversed."""
    if isinstance(value, list):
        return [_turned(each) for each in reversed(value)]
    return {key: _turned(each) for key, each in value.items()} if isinstance(value, dict) else value


def test_without_order_a_changed_element_has_its_index() -> None:
    """With `unordered`, a changed element has its index in the new list."""
    old = [{"id": at, "x": 1} for at in range(5)]
    new = [*reversed(old[:3]), {"id": 9, "x": 1}, old[4]]
    assert list(differences(old, new, unordered=True)) == [Change((3, "id"), 3, 9)]
    assert list(differences([1, 1, 2], [2, 1, 2], unordered=True)) == [Change((2,), 1, 2)]


def _like(one: object, other: object) -> bool:
    """Whether two texts are equal up to a slash."""
    return isinstance(one, str) and isinstance(other, str) and one.split("/")[0] == other.split("/")[0]


@given(
    st.lists(st.one_of(st.text(max_size=3), st.lists(st.text(max_size=2)))), st.randoms(use_true_random=False)
)
@settings(max_examples=60, deadline=None)
def test_without_order_similar_texts_are_found(old: list[Any], made: random.Random) -> None:
    """With `unordered`, a shuffled list of similar texts has no differences, at every depth."""
    new = [f"{each}/x" if isinstance(each, str) else [f"{text}/x" for text in each][::-1] for each in old]
    made.shuffle(new)
    assert list(differences(old, new, unordered=True, alike=_like)) == []


@pytest.mark.parametrize("changed", [0, 1, 3])
def test_without_order_only_changed_elements_are_differences(changed: int) -> None:
    """Of thousands of equal or similar elements in any order, only the changed ones are differences."""
    old = [{"id": at, "text": f"text {at}"} for at in range(3_000)]
    new = [{"id": at, "text": f"text {at}/x" if at % 2 else f"text {at}"} for at in range(3_000)]
    for at in range(changed):
        new[at * 700]["text"] = "other"
    found = list(differences(old, [*reversed(new)], unordered=True, alike=_like))
    assert {change.path[0] for change in found} == {2_999 - at * 700 for at in range(changed)}


def test_without_order_the_search_for_similar_elements_ends() -> None:
    """If nothing is similar, the number of comparisons is bounded, in nested lists too."""
    asked = 0

    def never(_one: object, _other: object) -> bool:
        nonlocal asked
        asked += 1
        return False

    old = [[f"{at} {depth}" for depth in range(20)] for at in range(500)]
    new = [[f"{at} {depth} new" for depth in range(20)] for at in range(500)]
    assert len(list(differences(old, new, unordered=True, alike=never))) == 500 * 20
    assert asked < MAX_CHARACTERS // PAIR_COST


def _near(one: object, other: object) -> bool:
    """Whether the last digits of two texts differ by one at most."""
    return MISSING not in (one, other) and abs(int(str(one)[-1]) - int(str(other)[-1])) <= 1


@given(st.lists(st.integers(0, 9), max_size=5), st.lists(st.integers(0, 9), max_size=5))
@settings(max_examples=60, deadline=None)
def test_without_order_no_two_similar_elements_are_left_over(one: list[int], other: list[int]) -> None:
    """With `unordered`, no two of the elements that are left over are similar."""
    old, new = ([f"text {value}" for value in side] for side in (one, other))
    left = list(differences(old, new, unordered=True, alike=_near))
    assert not any(_near(gone.old, come.new) for gone in left for come in left)


def test_without_order_similar_elements_at_one_index_are_paired_first() -> None:
    """With `unordered`, similar elements at the same index are a pair before any others."""
    assert list(differences(["text 5", "text 3"], ["text 4", "text 2"], unordered=True, alike=_near)) == []


def test_without_order_no_pair_is_undone() -> None:
    """With `unordered`, a pair stays even if another pairing would leave nothing over."""
    old, new = ["text 4", "text 6"], ["text 5", "text 3"]
    assert list(differences(old, new, unordered=True, alike=_near)) == [Change((1,), "text 6", "text 3")]


def test_without_order_deep_values_are_compared() -> None:
    """Similar texts are found at any depth that an answer may have."""
    deep, other = (json.loads("[" * MAX_DEPTH + f'"{text}"' + "]" * MAX_DEPTH) for text in ("a", "a/x"))
    assert list(differences(deep, other, unordered=True, alike=_like)) == []
    assert len(list(differences(deep, other, unordered=True, alike=lambda *_: False))) == 1


N = 20_000
MANY = list(range(N))
ROWS = [{"id": at, "label": "ab"[at % 2]} for at in range(N)]
LABELS = [random.Random(1).choice("abcdefgh") for _ in range(N)]
LONG: dict[str, tuple[list[Any], list[Any], int]] = {
    "ends": (MANY, [-1, *MANY[:-1], -2], 2),
    "rows-ends": (ROWS, [{"id": -1}, *ROWS[:-1], {"id": -2}], 3),
    "removed": (MANY, [at for at in MANY if at % 1000], N // 1000),
    "field": (ROWS, [{**row, "id": -row["id"] - 1} for row in ROWS], N),
    "all": (MANY, [-1 - at for at in MANY], N),
    "labels-ends": (LABELS, ["x", *LABELS[:-1], "y"], 2),
    "labels-removed": (LABELS, [one for at, one in enumerate(LABELS) if at % 1000], N // 1000),
    "same-more": (["a"] * N, ["b", *["a"] * N, "b"], 2),
    "alternating": (["a", "b"] * N, ["c", *(["a", "b"] * N)[:-1], "d"], 2),
}


@pytest.mark.parametrize("name", LONG)
def test_long_lists_are_aligned_by_content(name: str) -> None:
    """In long lists with equal elements, an edit is one change and does not shift the others."""
    old, new, count = LONG[name]
    found = changes(old, new)
    assert equal(applied(old, found), new)
    assert len(found) == count


HARD: dict[str, tuple[list[Any], list[Any]]] = {
    "reversed": (MANY, MANY[::-1]),
    "shuffled": (MANY, random.Random(2).sample(MANY, N)),
    "same": (["a"] * N, ["b"] * N),
    "same-less": (["a"] * N, ["b", *["a"] * (N // 2), "b"]),
    "labels-shuffled": (LABELS, random.Random(3).sample(LABELS, N)),
    "booleans": ([one < "d" for one in LABELS], [one > "d" for one in LABELS]),
    "turned": (LABELS, LABELS[N // 2 :] + LABELS[: N // 2]),
    "blocks-swapped": (["a"] * N + ["b"] * N, ["b"] * N + ["a"] * N),
    "peeled": ([*MANY, *MANY], [*MANY[::2], *MANY[::-1], *MANY[1::2]]),
    "lists-of-lists": ([LABELS[at : at + 50] for at in range(N)], [LABELS[at : at + 49] for at in range(N)]),
}


@pytest.mark.parametrize("name", HARD)
def test_lists_that_can_hardly_be_aligned_are_compared_exactly(name: str) -> None:
    """Lists that can hardly be aligned are compared exactly, without comparing all pairs."""
    old, new = HARD[name]
    assert equal(applied(old, changes(old, new)), new)


class Counted(str):
    """A text that counts how often it is compared."""

    __slots__ = ()
    times = 0

    def __eq__(self, other: object) -> bool:
        Counted.times += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


@pytest.mark.parametrize("name", HARD)
def test_the_work_is_bounded(name: str) -> None:
    """The number of visits to elements is bounded, for any repetition and order."""
    old, new = ([Counted(each) for each in side] for side in HARD[name])
    Counted.times = 0
    changes(old, new)
    assert Counted.times < 60 * (len(old) + len(new))


def test_a_deep_value_is_looked_at_once() -> None:
    """A deep value is read once, even if there are differences at every level above it."""
    wide = {str(at): [Counted(at)] for at in range(2_000)}
    deep: list[Any] = [{key: list(value) for key, value in wide.items()} for _ in range(2)]
    deep[1]["5"] = ["other"]
    for at in range(MAX_DEPTH - 10):
        deep = [[at, one, -at - 1] for one in deep]
    Counted.times = 0
    assert len(changes(*deep)) == 1
    assert Counted.times < 20 * 2_000


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({str(n): n for n in range(50_000)}, {str(n): n + 1 for n in range(50_000)}),
        ("a" * 5_000_000, "a" * 4_999_999 + "b"),
    ],
    ids=["wide", "text"],
)
def test_large_values_are_compared(old: Any, new: Any) -> None:
    """Mappings and texts of any size are compared."""
    found = list(islice(differences(old, new), 3))
    assert all(change.old != change.new for change in found)
    assert equal(applied(old, changes(old, new)), new)


@pytest.mark.parametrize("depth", [100, MAX_DEPTH])
def test_deep_values_are_compared(depth: int) -> None:
    """Values of any depth that an answer may have are compared."""
    deep = json.loads("[" * depth + "1" + "]" * depth)
    other = json.loads("[" * depth + "2" + "]" * depth)
    assert equal(deep, deep)
    assert changes(deep, other) == [Change((0,) * depth, 1, 2)]


# ── whatever the order ───────────────────────────────────────────────────────────────────────────


@given(st.lists(JSON, max_size=6), st.lists(JSON, max_size=6))
def test_what_two_lists_lack_of_each_other_leaves_them_alike(one, other):
    """Without the unmatched elements two lists are equal in any order; each of these is unmatched."""
    gone, more = unmatched(one, other)
    kept = [element for at, element in enumerate(one) if at not in gone]
    rest = [element for at, element in enumerate(other) if at not in more]
    assert len(kept) == len(rest)
    for element in kept:
        assert sum(equal(element, each) for each in kept) == sum(equal(element, each) for each in rest)
    for at in gone:
        assert sum(equal(one[at], each) for each in one) > sum(equal(one[at], each) for each in other)
    for at in more:
        assert sum(equal(other[at], each) for each in other) > sum(equal(other[at], each) for each in one)


@given(st.lists(JSON, max_size=6), st.lists(JSON, max_size=6))
def test_what_is_absent_is_equal_to_nothing_there(wanted, value):
    """The absent elements are those that equal no element of the list."""
    assert absent(wanted, value) == [
        at for at, one in enumerate(wanted) if not any(equal(one, each) for each in value)
    ]
