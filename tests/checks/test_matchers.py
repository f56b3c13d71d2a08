"""The matchers: when each holds or fails, which arguments it refuses, and its failure for wrong types."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.request
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pytest_dust import deadline
from pytest_dust.checks import arguments, binding, deepdiffs
from pytest_dust.checks.binding import ArgumentError, Here, Matcher, WrongType, judge
from pytest_dust.checks.matchers import MATCHERS, project
from pytest_dust.deadline import TimeIsUp
from pytest_dust.model import MISSING, Bound

BUILT_IN = Here(table=MATCHERS)


def bind(written: Any, here: Here = BUILT_IN) -> tuple[Bound, ...]:
    """Bind a literal or matchers."""
    return binding.bind(written, here)


class Row(NamedTuple):
    """What a matcher accepts, fails, refuses as an argument, and cannot judge."""

    holds: list[tuple[Any, Any]]
    """(argument, value)"""
    fails: list[tuple[Any, Any]]
    refuses: list[Any]
    other_types: list[tuple[Any, Any]] = []  # noqa: RUF012
    """(argument, value), the failure of which names the value's type"""


ANY_NUMBER = ["3", None, True, [3], {}]
NOT_NUMBERS = ["5", None, True, [5], {"a": 5}]
ANY_COUNT = [*ANY_NUMBER, -1, 1.5]
NOT_TEXTS = [5, None, True, ["ab"], {"a": "ab"}]
NOT_SIZED = [5, 0.5, None, True]


TABLE: dict[str, Row] = {
    "equals": Row(
        holds=[(1, 1.0), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), (None, None), ([], []), ("", "")],
        fails=[(1, True), (0, False), (None, ""), ([1, 2], [2, 1]), ({}, {"a": 1}), ("a", "A"), ({}, [])],
        refuses=[],
    ),
    "contains": Row(
        holds=[("b", "abc"), ("", "abc"), (1, [2, 1.0]), ({"a": 1}, [{"a": 1}]), ("b", ["a", "b"])],
        fails=[("B", "abc"), (1, [True]), (1, "1"), ("b", ["abc"]), ("b", [])],
        refuses=[],
        other_types=[("b", value) for value in (5, None, True, {"b": 1})],
    ),
    "icontains": Row(
        holds=[("REFUND", "a refund"), ("straße", "STRASSE"), ("b", ["A", "B"])],
        fails=[("x", "abc"), ("b", ["abc"]), ("1", [1]), ("x", [])],
        refuses=[1, None, True, ["a"], {}],
        other_types=[("b", value) for value in (5, None, True, {"b": 1})],
    ),
    "starts_with": Row(
        holds=[("ab", "abc"), ("", "")],
        fails=[("b", "abc"), ("A", "abc")],
        refuses=[1, None, True, ["a"], {}],
        other_types=[("ab", value) for value in NOT_TEXTS],
    ),
    "ends_with": Row(
        holds=[("bc", "abc"), ("", "")],
        fails=[("b", "abc"), ("C", "abc")],
        refuses=[1, None, True, ["a"], {}],
        other_types=[("ab", value) for value in NOT_TEXTS],
    ),
    "matches": Row(
        holds=[("b+", "abbc"), ("^a.c$", "abc"), ("(?i)B", "abc"), ("(?s)a.c", "a\nc"), ("", "")],
        fails=[("^b", "abc"), ("B", "abc"), (r"\d", "abc")],
        refuses=["(", "[", "*a", "(?P<a", "a{2,1}", 1, None, ["a"], {}, "(" * 5_000],
        other_types=[("ab", value) for value in NOT_TEXTS],
    ),
    "one_of": Row(
        holds=[(["a", "b"], "b"), ([1], 1.0), ([None], None), ([{"a": 1}], {"a": 1}), ([[1]], [1])],
        fails=[(["a"], "b"), ([1], True), ([[1]], 1), (["ab"], "a")],
        refuses=["a", [], None, 1, {}],
    ),
    "type": Row(
        holds=[
            ("string", ""),
            ("number", 0.5),
            ("number", 1),
            ("integer", 1),
            ("integer", 1.0),
            ("boolean", False),
            ("array", []),
            ("object", {}),
            ("null", None),
            (["string", "null"], None),
        ],
        fails=[],
        refuses=[
            "str",
            "int",
            "list",
            "dict",
            "Text",
            "",
            None,
            1,
            True,
            [],
            {},
            ["string", "none"],
            [["string"]],
        ],
        other_types=[
            ("string", 1),
            ("integer", 0.5),
            ("number", True),
            ("integer", True),
            ("boolean", 1),
            ("object", []),
            ("array", {}),
            ("null", ""),
            (["string", "null"], 1),
        ],
    ),
    "length": Row(
        holds=[
            (3, "abc"),
            (1, "é"),
            (2, [1, 2]),
            (1, {"a": 1}),
            (0, ""),
            ({"gte": 2, "lt": 4}, "abc"),
            (2.0, "ab"),
        ],
        fails=[(2, "abc"), (0, [1]), ({"gte": 2}, "a"), ({"not": 1}, "a")],
        refuses=["3", None, True, [3], -1, 1.5, {}, {"gte": "x"}, {"gtee": 1}],
        other_types=[(1, value) for value in NOT_SIZED],
    ),
    "min_length": Row(
        holds=[(3, "abc"), (0, ""), (1, [1, 2])],
        fails=[(4, "abc"), (1, []), (1, {})],
        refuses=ANY_COUNT,
        other_types=[(1, value) for value in NOT_SIZED],
    ),
    "max_length": Row(
        holds=[(3, "abc"), (0, ""), (2, [1])],
        fails=[(2, "abc"), (0, [1])],
        refuses=ANY_COUNT,
        other_types=[(1, value) for value in NOT_SIZED],
    ),
    "gt": Row([(3, 4), (0.5, 1)], [(3, 3), (3, 2)], ANY_NUMBER, [(3, value) for value in NOT_NUMBERS]),
    "gte": Row([(3, 4), (3, 3.0)], [(3, 2)], ANY_NUMBER, [(3, value) for value in NOT_NUMBERS]),
    "lt": Row([(3, 2), (0.5, 0)], [(3, 3), (3, 4)], ANY_NUMBER, [(3, value) for value in NOT_NUMBERS]),
    "lte": Row([(3, 2), (3, 3.0)], [(3, 4)], ANY_NUMBER, [(3, value) for value in NOT_NUMBERS]),
    "approx": Row(
        holds=[
            (0.3, 0.1 + 0.2),
            (1_000_000, 1_000_000.5),
            (0, 0),
            ({"value": 10, "abs": 1}, 11),
            ({"value": -10, "rel": 0.1}, -11),
            ({"value": 10, "abs": 0, "rel": 0.5}, 15),
            (10**400, 10**400),
        ],
        fails=[
            (0.3, 0.31),
            ({"value": 10, "abs": 1}, 11.1),
            ({"value": 10, "abs": 0}, 10.0001),
            ({"value": -10, "rel": 0.1}, -12),
            ({"value": 1, "rel": 0.1}, 1.5),
            (1, 10**400),
            (1.5, 10**400),
        ],
        refuses=[
            "1",
            None,
            True,
            [1],
            {},
            {"abs": 1},
            {"value": "x"},
            {"value": 1, "abs": -1},
            {"value": 1, "r": 1},
        ],
        other_types=[(3, value) for value in NOT_NUMBERS],
    ),
    "includes": Row(
        holds=[
            ({"a": 1}, {"a": 1.0, "b": 2}),
            ({"a": {"b": [2]}}, {"a": {"b": [1, 2], "c": 3}}),
            ([3, 1], [1, 2, 3]),
            ([{"a": 1}], [{"b": 1}, {"a": 1, "b": 2}]),
            ({}, {"a": 1}),
            ([], [1]),
            (1, 1.0),
        ],
        fails=[
            ({"a": 1}, {"a": True}),
            ({"a": None}, {}),
            ({"a": {"b": 1}}, {"a": {"c": 1}}),
            ([4], [1, 2, 3]),
            ([1], [True]),
            ({"a": 1}, [1]),
            ([1], {"a": 1}),
            ({"a": 1}, None),
        ],
        refuses=[],
    ),
    "contains_any": Row(
        holds=[(["x", "b"], "abc"), ([1, 2], [2.0]), ([{"a": 1}], [{"a": 1}])],
        fails=[(["x", "y"], "abc"), ([1], [True]), (["b"], ["abc"]), (["x"], []), ([1], "1")],
        refuses=["a", [], None, 1, {}],
        other_types=[(["b"], value) for value in (5, None, True, {"b": 1})],
    ),
    "contains_all": Row(
        holds=[(["a", "b"], "abc"), ([1, 2], [2.0, 3, 1]), (["a", "a"], ["a"])],
        fails=[(["a", "x"], "abc"), ([1, 2], [1, True]), (["x"], []), (["1", 1], "1")],
        refuses=["a", [], None, 1, {}],
        other_types=[(["b"], value) for value in (5, None, True, {"b": 1})],
    ),
    "word_count": Row(
        holds=[
            (2, "two words"),
            (0, " \n"),
            (3, " a\tb\nc "),
            ({"gte": 1, "lt": 3}, "two words"),
            (1.0, "a"),
        ],
        fails=[(1, "two words"), ({"lt": 2}, "two words"), (1, "")],
        refuses=[*(one for one in ANY_COUNT), {"gte": "x"}, {"gtee": 1}],
        other_types=[(1, value) for value in NOT_TEXTS],
    ),
    "unordered": Row(
        holds=[([1, 2], [2, 1.0]), ([], []), ([1, 1, 2], [1, 2, 1]), ([{"a": 1}, "b"], ["b", {"a": 1}])],
        fails=[([1], [1, 1]), ([1, 1], [1]), ([1], [True]), ([1, 2], [1, 3]), ([], [None])],
        refuses=["ab", None, 1, True, {}],
        other_types=[([1], value) for value in ("1", 1, None, True, {"a": 1})],
    ),
    "schema": Row(
        holds=[
            ({"type": "string"}, "a"),
            (True, 1),
            ({"properties": {"a": {"type": "integer"}}}, {"a": 1.0}),
            ({"$defs": {"n": {"type": "null"}}, "$ref": "#/$defs/n"}, None),
            ({}, [1]),
            ({"$schema": "http://json-schema.org/draft-07/schema#", "type": "array"}, []),
        ],
        fails=[
            ({"type": "string"}, 1),
            (False, 1),
            ({"required": ["a"]}, {}),
            ({"type": "integer"}, True),
            ({"items": {"minimum": 3}}, [4, 2]),
        ],
        refuses=[None, 1, [], {"type": "str"}, {"minimum": "x"}, "there-is-no-such-file.json"],
    ),
    "json": Row(
        holds=[
            (1, "1.0"),
            ({"equals": {"a": 1}}, '{"a": 1}'),
            ({"includes": {"a": 1}}, ' {"a": 1, "b": 2}'),
            ([1], "[1]"),
            (None, "null"),
            ({"type": "object", "length": {"gte": 1}}, '{"a": 1}'),
        ],
        fails=[(1, "2"), (1, "true"), (1, "no JSON"), (1, ""), ({"type": "number"}, "NaN"), (1, "[" * 9_999)],
        refuses=[{}, {"contain": "x"}, {"gt": "x"}],
        other_types=[(1, value) for value in (1, None, True, [1], {"a": 1})],
    ),
    "deepdiff": Row(
        holds=[
            ({"to": {"a": [1, "x"]}}, {"a": [1, "x"]}),
            ({"to": None}, None),
            ({"to": {"file": "x.json", "n": 1}}, {"file": "x.json", "n": 1}),
            ({"to": "a.json\n"}, "a.json\n"),
            ({"to": [1, 2, 3], "ignore_order": True}, [3, 1, 2]),
            ({"to": {"a": 1, "b": 2}, "exclude_paths": "b"}, {"a": 1, "b": 3}),
            ({"to": {"a": 1, "b": 2}, "exclude_paths": ["root['b']", "c"]}, {"a": 1, "b": 3, "c": 4}),
            ({"to": {"a": 1}, "exclude_paths": list("bcde")}, dict.fromkeys("abcde", 1)),
            (
                {"to": [{"a": 1, "b": 2}, {"a": 2}], "ignore_order": True, "exclude_regex_paths": "'b'"},
                [{"a": 2, "b": 9}, {"a": 1}],
            ),
            ({"to": [{"a": 1, "b": 2}], "exclude_regex_paths": r"\[\d+\]\['b'\]"}, [{"a": 1, "b": 3}]),
            ({"to": {"a": 1, "b": 2}, "include_paths": ["root['a']"]}, {"a": 1, "b": 3}),
            ({"to": [0.12345], "significant_digits": 3}, [0.1234]),
            ({"to": [1.0], "math_epsilon": 0.1}, [1.05]),
            ({"to": ["Refund"], "ignore_string_case": True}, ["REFUND"]),
            ({"to": [1], "ignore_numeric_type_changes": True}, [1.0]),
        ],
        fails=[
            ({"to": {"a": 1}}, {"a": 2}),
            ({"to": 1}, 1.0),
            ({"to": 1}, "1"),
            ({"to": [1, 2]}, [2, 1]),
            ({"to": [1, 1, 2], "ignore_order": True}, [1, 2, 3]),
            ({"to": {"a": 1}, "exclude_paths": "root['b']"}, {"a": 2}),
            ({"to": {"a": 1}, "include_paths": "b"}, {"a": 1}),
            ({"to": {"a": 1}, "include_paths": "root.a"}, {"a": 2}),
            ({"to": {"__typename": "A"}}, {"__typename": "B"}),
            ({"to": {"a": 1}}, {}),
            ({"to": {}}, {"a": None}),
            ({"to": [1.0], "math_epsilon": 0.01}, [1.05]),
        ],
        refuses=[
            None,
            "a",
            1,
            [],
            {},
            {"ignore_order": True},
            {"to": "there-is-no-such-file.json"},
            {"to": {"file": "there-is-no-such-file"}},
            *({"to": 1, name: "yes"} for name in ("ignore_order", "ignore_string_case")),
            {"to": 1, "ignore_numeric_type_changes": 1},
            *({"to": 1, "significant_digits": one} for one in (-1, 1.5, True, "3", None, 101)),
            *({"to": 1, "math_epsilon": one} for one in (-0.1, "x", True, float("inf"))),
            *({"to": 1, "exclude_paths": one} for one in (None, 1, [], [1], "", [""], {})),
            *({"to": 1, "include_paths": one} for one in (None, 1, [], [1], "", {}, 'root["it\'s"]')),
            *({"to": 1, "exclude_regex_paths": one} for one in ("a(", ["a", "b("], 1, None, [])),
            {"to": 1, "ignore_oder": True},
        ],
    ),
    "similar": Row(
        holds=[
            ({"to": "abc"}, "abc"),
            ({"to": "abcd", "ratio": 0.7}, "abce"),
            ({"to": "a", "ratio": 0}, "b"),
        ],
        fails=[({"to": "abc"}, "xyz"), ({"to": "abcd", "ratio": 0.9}, "abce"), ({"to": "a"}, "")],
        refuses=[
            "abc",
            None,
            1,
            [],
            {},
            {"ratio": 0.5},
            {"to": 1},
            {"to": "a", "ratio": 2},
            {"to": "a", "ratio": -1},
            {"to": "a", "ratio": "x"},
            {"to": "a", "ration": 1},
        ],
        other_types=[({"to": "ab"}, value) for value in NOT_TEXTS],
    ),
    "every": Row(
        holds=[
            (1, [1, 1.0]),
            ({"gt": 1}, [2, 3]),
            ({"gt": 1}, []),
            ({"every": {"type": "string"}}, [["a"], []]),
        ],
        fails=[(1, [1, 2]), ({"gt": 1}, [2, 1]), ({"gt": 1}, ["a"]), (1, [True])],
        refuses=[{}, {"contain": "x"}, {"gt": "x"}],
        other_types=[(1, value) for value in ("1", 1, None, True, {"a": 1})],
    ),
    "any": Row(
        holds=[(1, [2, 1.0]), ({"gt": 1}, ["a", 3]), ({"any": 1}, [[], [1]])],
        fails=[(1, []), ({"gt": 1}, [1]), (1, [True])],
        refuses=[{}, {"contain": "x"}, {"gt": "x"}],
        other_types=[(1, value) for value in ("1", 1, None, True, {"a": 1})],
    ),
    "any_of": Row(
        holds=[
            ([1, 2], 2),
            ([{"gt": 9}, {"lt": 0}], -1),
            ([{"starts_with": "a", "ends_with": "c"}], "abc"),
            ([{"exists": False}, "x"], "x"),
            ([{"exists": False}, "x"], MISSING),
            ([None], None),
        ],
        fails=[([1, 2], 3), ([{"gt": 9}, {"lt": 0}], 5), ([{"exists": False}], None), ([1], True)],
        refuses=["a", [], None, 1, {}, [{}], [{"contain": 1}], [1, {"gt": "x"}]],
    ),
    "all_of": Row(
        holds=[([1, 1.0], 1), ([{"gt": 1}, {"lt": 9}], 5), ([{"exists": False}], MISSING), ([{"not": 1}], 2)],
        fails=[([1, 2], 1), ([{"gt": 1}, {"lt": 9}], 9), ([{"exists": True}], MISSING), ([1], True)],
        refuses=["a", [], None, 1, {}, [{}], [{"contain": 1}], [1, {"gt": "x"}]],
    ),
    "exists": Row(
        holds=[(True, 1), (True, None), (True, False), (True, ""), (False, MISSING)],
        fails=[(False, None), (False, 0), (True, MISSING)],
        refuses=["yes", 1, 0, None, [], {}],
    ),
    "not": Row(
        holds=[
            ("a", "b"),
            (1, True),
            ({"contains": "x"}, "abc"),
            ({"contains": "x", "starts_with": "b"}, "abc"),
            ({"not": {"equals": 1}}, 1),
            ({"exists": True}, MISSING),
            ({"any_of": [1, 2]}, 3),
        ],
        fails=[("a", "a"), ({"contains": "b"}, "abc"), ({"exists": True}, None), ({"equals": 1}, MISSING)],
        refuses=[{}, {"contain": "x"}, {"gt": "x"}, {"not": {}}],
    ),
}


def verdict(name: str, argument: Any, value: Any) -> Any:
    """The verdict of the matcher on the value."""
    (bound,) = bind({name: argument})
    return judge(value, bound)


def rows(part: str) -> Any:
    """The table's entries of one part, each with a readable id."""
    entries = [(name, entry) for name, row in TABLE.items() for entry in getattr(row, part)]
    return [pytest.param(name, entry, id=f"{name}-{str(entry)[:40]}") for name, entry in entries]


def test_every_matcher_is_in_the_table() -> None:
    """The tests below cover every matcher."""
    assert sorted(TABLE) == sorted(MATCHERS)


def test_every_matcher_says_what_it_does() -> None:
    """Each matcher is documented in one sentence."""
    assert all((matcher.holds.__doc__ or "").endswith(".") for matcher in MATCHERS.values())


@pytest.mark.parametrize(("name", "entry"), rows("holds"))
def test_a_matcher_holds(name: str, entry: tuple[Any, Any]) -> None:
    """A matcher holds for the values that it is for."""
    assert verdict(name, *entry) is True


@pytest.mark.parametrize(("name", "entry"), rows("fails"))
def test_a_matcher_fails(name: str, entry: tuple[Any, Any]) -> None:
    """A matcher fails for other values, without an exception."""
    assert verdict(name, *entry) is not True


@pytest.mark.parametrize(("name", "argument"), rows("refuses"))
def test_a_matcher_refuses_an_argument(name: str, argument: Any) -> None:
    """An argument that a matcher cannot use is an error at collection, with the matcher's name."""
    with pytest.raises(ArgumentError) as caught:
        bind({name: argument})
    assert str(caught.value).startswith(f"{name}: ")
    assert caught.value.path[0] == name


@pytest.mark.parametrize(("name", "entry"), rows("other_types"))
def test_a_value_of_a_wrong_type_is_named(name: str, entry: tuple[Any, Any]) -> None:
    """A value that a matcher cannot judge fails, and the failure says what it is."""
    said = verdict(name, *entry)
    assert isinstance(said, str)
    assert said.startswith("it is ")


def test_only_these_matchers_see_a_missing_value() -> None:
    """`exists` judges a missing value, and so do the matchers that may hold it."""
    assert {name for name, each in MATCHERS.items() if each.sees_missing} == {
        "exists",
        "not",
        "any_of",
        "all_of",
    }


@pytest.mark.parametrize("name", [name for name in TABLE if not MATCHERS[name].sees_missing])
def test_a_missing_value_fails_every_other_matcher(name: str) -> None:
    """A matcher that does not see missing values fails for them, and so does its `not`."""
    argument = TABLE[name].holds[0][0]
    assert verdict(name, argument, MISSING) is False
    assert verdict("not", {name: argument}, MISSING) is False


@pytest.mark.parametrize(
    ("written", "told", "path", "at_key"),
    [
        ({}, "an empty mapping expects nothing; give matchers, or equals: {}", (), False),
        ({"length": {}}, "length: an empty mapping expects nothing", ("length",), False),
        ({"contain": "x"}, 'unknown matcher "contain" (did you mean contains?); ', ("contain",), True),
        ({"not": {"gt": "x"}}, "not: gt: needs a number, not text", ("not", "gt"), False),
        ({"type": ["string", "str"]}, 'type: no JSON type "str"', ("type", 1), False),
        ({"approx": {"value": 1, "of": 2}}, 'approx: unknown key "of"', ("approx", "of"), True),
        ({"approx": {"value": 1, "abs": "x"}}, "approx: abs: needs a number", ("approx", "abs"), False),
        ({"similar": {"to": "a", "of": 1}}, 'similar: unknown key "of"', ("similar", "of"), True),
        ({"similar": {"to": 1}}, "similar: to: needs text, not a number", ("similar", "to"), False),
        (
            {"similar": {"to": "a", "ratio": 2}},
            "similar: ratio: needs a number from",
            ("similar", "ratio"),
            False,
        ),
        ({"every": {"gt": "x"}}, "every: gt: needs a number, not text", ("every", "gt"), False),
        ({"any_of": [1, {"gtt": 1}]}, 'any_of: unknown matcher "gtt" (did', ("any_of", 1, "gtt"), True),
        ({"all_of": [{"lt": 1}, {}]}, "all_of: an empty mapping", ("all_of", 1), False),
        ({"json": {"not": {"gt": "x"}}}, "json: not: gt: needs a number", ("json", "not", "gt"), False),
        ({"word_count": {"lte": "x"}}, "word_count: lte: needs a number", ("word_count", "lte"), False),
        ({"schema": {"type": "str"}}, "schema: not a JSON Schema at $.type: ", ("schema",), False),
        ({"schema": {"$schema": []}}, "schema: not a JSON Schema at $['$schema']: ", ("schema",), False),
        ({"schema": {"$schema": 7}}, "schema: not a JSON Schema at $['$schema']: ", ("schema",), False),
        (
            {"schema": "nowhere.json"},
            "schema: cannot read nowhere.json beside the suite: ",
            ("schema",),
            False,
        ),
        (
            {"matches": "a(b"},
            "matches: not a regular expression: missing ), unterminated subpattern at character 2",
            ("matches",),
            False,
        ),
    ],
)
def test_a_wrong_argument_has_its_path(
    written: Any, told: str, path: tuple[str | int, ...], at_key: bool
) -> None:
    """The path of a mistake leads from the matchers to the wrong key or value."""
    with pytest.raises(ArgumentError) as caught:
        bind(written)
    assert str(caught.value).startswith(told)
    assert (caught.value.path, caught.value.at_key) == (path, at_key)


@pytest.mark.parametrize(
    ("slip", "meant"), [("contain", "contains"), ("equal", "equals"), ("typ", "type"), ("lenght", "length")]
)
def test_an_unknown_matcher_gets_a_suggestion(slip: str, meant: str) -> None:
    """A misspelt matcher is an error with the nearest name."""
    with pytest.raises(ArgumentError, match=f"did you mean {meant}"):
        bind({slip: "x"})


@pytest.mark.parametrize(
    ("other", "meant"),
    [("str", "string"), ("float", "number"), ("int", "integer"), ("bool", "boolean"), ("list", "array")],
)
def test_another_languages_type_gets_a_suggestion(other: str, meant: str) -> None:
    """For the names that Python has for JSON's types, the error suggests JSON's."""
    with pytest.raises(ArgumentError, match=f"did you mean {meant}"):
        bind({"type": other})


@pytest.mark.parametrize("value", [True, None, 3, {"a": 1}], ids=str)
def test_a_type_that_is_no_text_is_shown_as_the_file_has_it(value: Any) -> None:
    """A message about a wrong type shows it as JSON, not as Python."""
    with pytest.raises(ArgumentError) as caught:
        bind({"type": value})
    told, _, _ = str(caught.value).partition(";")
    assert not any(word in told for word in ("True", "None", "{'"))


@pytest.mark.parametrize(
    ("argument", "value", "gap"),
    [
        ({"a": {"b": 1}}, {"a": {}}, "a.b is not there"),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "a.b differs"),
        ({"a": [1, 9]}, {"a": [1, 2]}, "no element in a includes the wanted element [1]"),
        ([9], [1], "no element includes the wanted element [0]"),
        (1, 2, "it differs"),
    ],
)
def test_includes_says_what_is_not_there(argument: Any, value: Any, gap: str) -> None:
    """A failed `includes` names the first part that the value lacks."""
    assert verdict("includes", argument, value) == gap


@pytest.mark.parametrize(
    ("written", "value", "told"),
    [
        ({"contains_all": ["a", "x", "y"]}, "abc", "the wanted [1] is not in it"),
        ({"unordered": [1, 2, 3]}, [3, 4], "the wanted [0], [1] are not in it; its [1] is not wanted"),
        ({"unordered": [1]}, [1, 1], "its [1] is not wanted"),
        ({"unordered": list(range(9))}, [], "the wanted [0], [1], [2], [3], [4] and 4 more are not in it"),
        ({"every": {"gt": 1}}, [2, 3, 0], "[2] fails gt"),
        ({"every": {"gt": 1}}, [2, "a"], "[1] fails gt: it is text, not a number"),
        ({"every": {"includes": {"a": 1}}}, [{"b": 1}], "[0] fails includes: a is not there"),
        ({"any": {"gt": 1}}, [0, 1], "none of its 2 elements does"),
        ({"any_of": [{"gt": 9}, {"type": "string"}]}, 1, "[0] gt; [1] type: it is a number"),
        (
            {"all_of": [{"gt": 0}, {"max_length": 1}]},
            1,
            "[1] max_length: it is a number, which has no length",
        ),
        ({"schema": {"properties": {"a": {"type": "string"}}}}, {"a": 1}, "$.a: 1 is not of type 'string'"),
        ({"schema": {"$ref": "#/$defs/x"}}, 1, "the schema refers to /$defs/x, which is not in it"),
        ({"json": 1}, "one", "it is not JSON: Expecting value: line 1 column 1 (char 0)"),
        ({"json": {"gt": 1}}, '"a"', "gt: it is text, not a number"),
        ({"word_count": 1}, "two words", "it has 2 words"),
        ({"similar": {"to": "abcd"}}, "abce", "the ratio is 0.750"),
        ({"length": {"gte": 9}}, "abc", "its length is 3"),
    ],
)
def test_a_failure_says_where_or_by_how_much(written: Any, value: Any, told: str) -> None:
    """A matcher that looks into a value says which part of it fails, and why."""
    (bound,) = bind(written)
    assert judge(value, bound) == told


WRONG_TYPES = [(name, entry) for name, row in TABLE.items() if name != "type" for entry in row.other_types]


@pytest.mark.parametrize(("name", "entry"), WRONG_TYPES)
def test_not_fails_for_a_wrong_type_too(name: str, entry: tuple[Any, Any]) -> None:
    """A value of a wrong type fails a matcher and its `not`."""
    said = verdict("not", {name: entry[0]}, entry[1])
    assert isinstance(said, WrongType)


@pytest.mark.parametrize(
    "written",
    [
        {"exists": False},
        {"not": {"exists": True}},
        {"not": {"not": {"exists": False}}},
        {"any_of": [1, {"exists": False}]},
        {"all_of": [{"exists": False}, {"any_of": [{"exists": False}]}]},
        {"not": {"exists": True, "equals": 1}},
        {"not": {"any_of": [1, {"exists": True}]}},
        {"not": {"not": {"not": {"all_of": [{"exists": True}]}}}},
    ],
    ids=str,
)
def test_exists_works_inside_of_other_matchers(written: Any) -> None:
    """A missing value is accepted if `exists` inside of other matchers accepts it; null is not."""
    (bound,) = bind(written)
    assert judge(MISSING, bound) is True
    assert judge(None, bound) is not True


@pytest.mark.parametrize(
    "written",
    [
        {"not": 1},
        {"not": {"not": {"equals": 1}}},
        {"any_of": [1, {"not": 2}]},
        {"all_of": [{"not": 1}]},
        {"not": {"any_of": [1, 2]}},
        {"not": {"all_of": [1, 2]}},
    ],
    ids=str,
)
def test_nested_matchers_without_exists_fail_for_a_missing_value(written: Any) -> None:
    """Without `exists` a missing value fails, whatever matchers are nested."""
    (bound,) = bind(written)
    assert judge(MISSING, bound) is not True


@pytest.mark.parametrize(
    ("written", "flags"),
    [
        ({"equals": 1}, (True, False, False, False)),
        ({"gt": 1}, (True, False, True, False)),
        ({"schema": {}}, (False, False, True, False)),
        ({"every": {"schema": {}}}, (False, False, False, False)),
        ({"exists": True}, (True, True, False, False)),
        ({"not": {"schema": {}}}, (False, False, False, True)),
        ({"not": {"exists": True}}, (True, True, False, True)),
        ({"length": {"exists": True}}, (True, False, True, False)),
        ({"any_of": [1, {"all_of": [{"exists": True}, {"schema": {}}]}]}, (False, True, False, False)),
    ],
    ids=str,
)
def test_a_bound_matcher_knows_what_its_matcher_declares(written: Any, flags: tuple[bool, ...]) -> None:
    """The flags of a bound matcher are those it declares and those of the matchers in its argument."""
    (bound,) = bind(written)
    assert (bound.bounded, bound.sees_missing, bound.measures, bound.negates) == flags


def test_a_new_matcher_needs_no_more_than_its_declaration() -> None:
    """A new matcher that declares to see missing values judges them, alone and negated by another."""
    table = {
        **MATCHERS,
        "absent": Matcher("absent", arguments.anything, lambda value, _: value is MISSING, sees_missing=True),
        "unless": replace(MATCHERS["not"], name="unless"),
    }
    absent, unless = bind({"absent": 1, "unless": {"absent": 1}}, Here(table=table))
    assert (judge(MISSING, absent), judge(1, absent)) == (True, False)
    assert (judge(MISSING, unless), judge(1, unless)) == (False, True)
    assert [inner.name for inner in unless.expected.inner] == ["absent"]


@pytest.mark.parametrize("name", ["unordered", "contains_all", "includes"])
@pytest.mark.parametrize("other", [0, 1], ids=["alike", "all others"])
def test_lists_of_many_elements_are_matched_at_once(name, other):
    """Lists of twenty thousand elements are matched without comparing all pairs, which took minutes."""
    wanted = [{"id": at, "tags": [at, "a"]} for at in range(20_000)]
    value = [{"id": at + other / 2, "tags": [at, "a"]} for at in range(20_000)]
    assert (verdict(name, wanted, value) is True) is not bool(other)


# ── deepdiff ─────────────────────────────────────────────────────────────────────────────────────


def deepdiff(value: Any, to: Any, **options: Any) -> Any:
    """The verdict of the matcher `deepdiff`."""
    (bound,) = bind({"deepdiff": {"to": to, **options}})
    return judge(value, bound)


@pytest.mark.parametrize(
    ("to", "value", "words"),
    [
        ({"label": "a"}, {"label": "b"}, """Value of root['label'] changed from "a" to "b"."""),
        ([1], ["1"], 'Type of root[0] changed from int to str and value changed from 1 to "1".'),
        ({}, {"a": 1}, "Item root['a'] added to dictionary."),
        ([1, 2], [1], "Item root[1] removed from iterable."),
        (
            {"a": 1, "b": [1]},
            {"a": 2, "b": [1, 2]},
            "Item root['b'][1] added to iterable.\nValue of root['a'] changed from 1 to 2.",
        ),
        (["a\nb"], ["a\r\nb"], r"""Value of root[0] changed from "a\nb" to "a\r\nb"."""),
    ],
)
def test_the_reason_is_in_the_words_of_deepdiff(to: Any, value: Any, words: str) -> None:
    """The reason has a line for each difference, as DeepDiff's `pretty()` words it."""
    assert deepdiff(value, to) == words


def test_the_reason_of_deepdiff_is_bounded() -> None:
    """A reason names the first differences in lines of limited length, and counts the others."""
    old, new = ([{"k" * 5000: [at, "x" * 5000]} for at in numbers] for numbers in (range(30), range(9, 39)))
    lines = str(deepdiff(new, old)).split("\n")
    assert len(lines) == 9
    assert lines[-1].startswith("… and ")
    assert max(map(len, lines)) < 310


def test_long_texts_are_cut_to_where_they_differ() -> None:
    """Of long texts, DeepDiff's words show the part in which they begin to differ."""
    same = "a" * 1000
    reason = deepdiff([f"{same}old{same}"], [f"{same}new{same}"])
    assert f'changed from "…{"a" * 20}new{"a" * 57}…" to "…{"a" * 20}old{"a" * 57}…".' in reason


def test_a_path_to_include_that_neither_value_has_fails() -> None:
    """An include path that finds nothing, such as a misspelt one, fails, also under `not`."""
    wanted = {"deepdiff": {"to": {"a": 1}, "include_paths": ["lable"]}}
    for written in (wanted, {"not": wanted}):
        (bound,) = bind(written)
        assert "neither value has lable" in str(judge({"a": 2}, bound))


@pytest.mark.parametrize(
    ("written", "value", "reason"),
    [
        ({"not": {"deepdiff": {"to": 1}}}, 2, True),
        ({"not": {"deepdiff": {"to": 1}}}, 1, False),
        (
            {"every": {"deepdiff": {"to": {"a": 1, "b": 1}}}},
            [{"a": 1, "b": 1}, {"a": 2, "b": 1, "c": 2}],
            "[1] fails deepdiff: Item root['c'] added to dictionary. Value of root['a'] changed from 1 to 2.",
        ),
        ({"any_of": [{"deepdiff": {"to": 1}}, 3]}, 3, True),
        ({"any_of": [{"deepdiff": {"to": 1}}]}, 3, "[0] deepdiff: Value of root changed from 1 to 3."),
    ],
)
def test_deepdiff_below_other_matchers(written: Any, value: Any, reason: Any) -> None:
    """Below `not`, `every` and `any_of`, the differences are in one line."""
    (bound,) = bind(written)
    assert judge(value, bound) == reason
    assert not bound.bounded


def test_a_value_of_deepdiff_may_be_in_a_file(tmp_path: Path) -> None:
    """`to` names a file beside the suite in two ways; it is read once, when the suite is read."""
    (tmp_path / "answer.json").write_text('\ufeff{"a": [1, 2.5, null]}', encoding="utf-8")
    here = Here(tmp_path, MATCHERS)
    bound = [bind({"deepdiff": {"to": to}}, here)[0] for to in ("answer.json", {"file": "answer.json"})]
    (tmp_path / "answer.json").unlink()
    assert [judge({"a": [1, 2.5, None]}, one) for one in bound] == [True, True]
    assert all(one.from_file for one in bound)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "deepdiff: to: answer.json is not JSON: "),
        (b"\xff\xfe{", "deepdiff: to: answer.json is not JSON: "),
        (b"[NaN]", "deepdiff: to: answer.json is not JSON: "),
        (b"[" * 99_999, "deepdiff: to: answer.json is not JSON: "),
        (b" " * (8 * 1024 * 1024 + 1), "deepdiff: to: answer.json is larger than 8 MB; split it"),
        (None, "deepdiff: to: cannot read answer.json beside the suite: "),
    ],
    ids=["cut", "bytes", "nan", "deep", "large", "missing"],
)
def test_a_file_that_deepdiff_cannot_compare_with(tmp_path: Path, content: bytes | None, told: str) -> None:
    """A file that is no JSON is a mistake of the suite, in one line of bounded length."""
    if content is not None:
        (tmp_path / "answer.json").write_bytes(content)
    with pytest.raises(ArgumentError) as caught:
        bind({"deepdiff": {"to": "answer.json"}}, Here(tmp_path, MATCHERS))
    assert str(caught.value).startswith(told)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(("name", "value"), [("ignore_order", True), ("include_paths", ["root[*]['a']"])])
def test_an_option_that_an_old_deepdiff_lacks(name: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the installed DeepDiff cannot do is a mistake of the suite, with its version and the command."""
    monkeypatch.setattr(deepdiffs, "_known", lambda: frozenset({"include_paths"}))
    monkeypatch.setattr(deepdiffs, "_has_wildcards", lambda: False)
    with pytest.raises(ArgumentError) as caught:
        bind({"deepdiff": {"to": [], name: value}})
    assert str(caught.value).startswith(f"deepdiff: {name}: deepdiff {version('deepdiff')} has no ")
    assert str(caught.value).endswith("pip install -U deepdiff")
    assert caught.value.path == ("deepdiff", name)


def test_a_crash_of_deepdiff_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """If DeepDiff raises, the expectation fails with the error in one line, also under `not`."""

    def crash(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a\nb")

    (bound,) = bind({"deepdiff": {"to": 1}})
    (negated,) = bind({"not": {"deepdiff": {"to": 1}}})
    monkeypatch.setattr(deepdiffs, "_deepdiff", lambda: crash)
    assert judge(2, bound) == "DeepDiff raised ZeroDivisionError: a b"
    assert "DeepDiff raised ZeroDivisionError" in str(judge(2, negated))


@pytest.mark.parametrize("options", [{}, {"ignore_order": True}, {"exclude_regex_paths": "(x+)+y"}], ids=str)
def test_deepdiff_stops_when_the_time_is_up(options: Any) -> None:
    """DeepDiff ends soon after the deadline, so that it does not slow the rest of the session."""
    old, new = ([{"id": at, "text": f"word {at + more}"} for at in range(3000)] for more in (0, 1))
    (bound,) = bind({"deepdiff": {"to": old, **options}})
    deepdiff(1, 1)  # imported
    with deadline.within(0.05), pytest.raises(TimeIsUp):
        judge(new, bound)


def test_a_pattern_of_deepdiff_takes_no_longer_than_the_deadline() -> None:
    """A pattern for paths that would take for ever stops when the time is up."""
    (bound,) = bind({"deepdiff": {"to": {"a" * 5000: 1}, "exclude_regex_paths": "(a|aa)+$"}})
    with deadline.within(0.5), pytest.raises(TimeIsUp):
        judge({"a" * 5000: 2}, bound)


# ── schemas and extras ───────────────────────────────────────────────────────────────────────────


def test_a_schema_may_be_a_file_beside_the_suite(tmp_path: Path) -> None:
    """A schema named as a file is read from the suite's folder, once, when the suite is read."""
    (tmp_path / "answer.json").write_text('{"type": "string"}', encoding="utf-8")
    (bound,) = bind({"schema": "answer.json"}, Here(tmp_path, MATCHERS))
    (tmp_path / "answer.json").unlink()
    assert judge("a", bound) is True
    assert judge(1, bound) == "$: 1 is not of type 'string'"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "schema: answer.json is not JSON: "),
        (b"\xff\xfe{", "schema: answer.json is not JSON: "),
        (b"[" * 99_999, "schema: answer.json is not JSON: "),
        (b" " * (8 * 1024 * 1024 + 1), "schema: answer.json is larger than 8 MB; split it"),
        (b"3", "schema: needs a JSON Schema: a mapping, or "),
        (b'{"type": "str"}', "schema: not a JSON Schema at $.type: "),
        (None, "schema: cannot read answer.json beside the suite: "),
    ],
    ids=["cut", "bytes", "deep", "large", "number", "type", "missing"],
)
def test_a_file_that_is_no_schema_says_so(tmp_path: Path, content: bytes | None, told: str) -> None:
    """A file that is not a schema is a mistake of the suite, in one line of bounded length."""
    if content is not None:
        (tmp_path / "answer.json").write_bytes(content)
    with pytest.raises(ArgumentError) as caught:
        bind({"schema": "answer.json"}, Here(tmp_path, MATCHERS))
    assert str(caught.value).startswith(told)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "https://json-schema.example/nowhere"},
        {"$id": "http://127.0.0.1:9/a", "$ref": "b"},
        {"$ref": "file:///etc/hostname"},
        {"$schema": "http://127.0.0.1:9/meta"},
    ],
    ids=str,
)
def test_no_schema_opens_a_socket(schema: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A schema that refers to another address fails with a reason, and nothing is fetched."""
    opened: list[Any] = []

    def refuse(*arguments: Any, **_: Any) -> Any:
        opened.append(arguments)
        raise OSError("no network here")

    for owner, name in ((socket, "socket"), (socket, "create_connection"), (socket, "getaddrinfo")):
        monkeypatch.setattr(owner, name, refuse)
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    (bound,) = bind({"schema": schema})
    said = judge({"a": 1}, bound)
    assert opened == []
    if "$ref" in schema:
        assert "which is not in it" in str(said)


@pytest.mark.parametrize(
    ("module", "written", "extra"),
    [("rapidfuzz", {"similar": {"to": "a"}}, "similar"), ("jsonschema", {"schema": {}}, "schema")],
)
def test_a_missing_extra_says_how_to_install_it(
    module: str, written: Any, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a matcher's library is not installed, the mistake names the command; other matchers work."""
    real = arguments.find_spec
    monkeypatch.setattr(arguments, "find_spec", lambda name: None if name == module else real(name))
    with pytest.raises(ArgumentError) as caught:
        bind(written)
    assert str(caught.value) == (
        f"{extra}: needs {module}, which is not installed; pip install 'pytest-dust[{extra}]'"
    )
    assert bind({"equals": 1})


WITHOUT = """
import sys
class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("rapidfuzz", "jsonschema", "referencing"):
            return None
        return self.finder.find_spec(name, path, target)
sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
from pytest_dust.checks import binding, matchers
here = binding.Here(table=matchers.MATCHERS)
assert binding.bind({"includes": 1, "matches": "a"}, here)
for written in ({"similar": {"to": "a"}}, {"schema": {}}):
    try:
        binding.bind(written, here)
    except binding.ArgumentError as error:
        print(error)
"""


def test_all_but_two_matchers_do_without_extras() -> None:
    """Without the extras' libraries everything can be imported, and two matchers name theirs."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    similar, schema = done.stdout.splitlines()
    assert "pip install 'pytest-dust[similar]'" in similar
    assert "pip install 'pytest-dust[schema]'" in schema


# ── a project's own ──────────────────────────────────────────────────────────────────────────────


def owned(holds: Any) -> Here:
    """Give the matchers with a project's own matcher `own` among them."""
    return Here(table={**MATCHERS, "own": project("own", holds)})


def test_a_projects_matcher_takes_any_argument() -> None:
    """A project's own matcher judges like any other, alone or inside of another."""
    here = owned(lambda value, wanted: value % wanted == 0)
    (bound,) = bind({"not": {"own": 3}}, here)
    assert (judge(4, bound), judge(6, bound)) == (True, False)
    with pytest.raises(ArgumentError, match="did you mean own"):
        bind({"owm": 1}, here)


@pytest.mark.parametrize(
    ("gives", "said"), [(1, True), (0, False), (None, False), ("no", "no"), ("", ""), ([1], True)]
)
def test_what_a_projects_matcher_gives_is_a_verdict(gives: Any, said: Any) -> None:
    """What a project's matcher returns counts as true or false; a text fails with that text."""
    (bound,) = bind({"own": 1}, owned(lambda _value, _wanted: gives))
    found = judge(1, bound)
    assert found == said
    assert type(found) in (bool, str)


def test_a_projects_matcher_that_raises_fails() -> None:
    """An exception in a project's matcher is a failure that names it."""
    (bound,) = bind({"own": 1}, owned(lambda value, _wanted: value["x"]))
    assert judge({}, bound) == "the matcher raised KeyError: 'x'"
    assert judge(MISSING, bound) is False


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.sampled_from([*TABLE, "value", "abs"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.sampled_from(sorted(MATCHERS)), VALUES, st.one_of(VALUES, st.just(MISSING)))
@settings(max_examples=80, deadline=None)
def test_any_argument_is_refused_or_judges_any_value(name: str, argument: Any, value: Any) -> None:
    """A matcher refuses its argument when bound, or returns a verdict on any value."""
    try:
        bounds = bind({name: argument})
    except ArgumentError:
        return
    assert all(isinstance(judge(value, bound), bool | str) for bound in bounds)


@given(VALUES)
@settings(max_examples=50, deadline=None)
def test_a_value_equals_and_includes_itself(value: Any) -> None:
    """Every value equals itself, includes itself, is one of itself, and is not its own opposite."""
    assert verdict("equals", value, value) is True
    assert verdict("includes", value, value) is True
    assert verdict("one_of", [value], value) is True
    assert verdict("not", {"equals": value}, value) is not True
