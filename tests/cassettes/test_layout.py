"""The layout of a cassette's text: what is short stands on one line, else each element has its own."""

from __future__ import annotations

import json
import re

import pytest
from answers import bounded
from hypothesis import given
from hypothesis import strategies as st

from pytest_dust.cassettes.layout import WIDTH, laid_out
from pytest_dust.json_values import MAX_DEPTH

texts = st.text('abc é日\\"\n\u2028', max_size=12) | st.text("x", min_size=80, max_size=130)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**30) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(texts, inner, max_size=6),
    max_leaves=60,
).filter(lambda value: "Infinity" not in json.dumps(value))
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[^][{}:, ]+')


def lines(value):
    """Give the lines of a value's text."""
    whole = laid_out(value)
    assert whole.endswith("\n")
    return whole[:-1].split("\n")


def flat(value):
    """Give a value's text on one line."""
    return json.dumps(value, ensure_ascii=False)


@bounded
@given(values)
def test_the_text_is_that_of_the_value(value):
    """The text is JSON of exactly the value, with its keys in their order."""
    assert flat(json.loads(laid_out(value))) == flat(value)


@bounded
@given(values)
def test_only_a_long_text_or_key_makes_a_long_line(value):
    """A line is longer than WIDTH only if a single text or key does not fit in a line of its own."""
    for line in lines(value):
        tokens = TOKEN.findall(line)
        if len(line) > WIDTH:
            indent = len(line) - len(line.lstrip())
            assert (
                max(map(len, tokens)) > WIDTH / 2 or sum(map(len, sorted(tokens)[-2:])) > WIDTH - indent - 8
            )


@bounded
@given(values)
def test_what_fits_stands_on_one_line(value):
    """A value whose text fits in WIDTH columns is on one line."""
    if len(flat(value)) <= WIDTH:
        assert lines(value) == [flat(value)]


@bounded
@given(st.lists(st.integers(0, 10**6), min_size=3, max_size=40))
def test_a_long_list_has_one_element_on_each_line(numbers):
    """A list is on one line if it fits in WIDTH columns, and else has a line for each element."""
    found = lines(numbers)
    assert len(found) == (1 if len(flat(numbers)) <= WIDTH else len(numbers) + 2)


LONG = "x" * 70
LAYOUTS = {
    "empty": ({}, "{}"),
    "scalar": (1.5, "1.5"),
    "exactly as wide": (["x" * 45, "y" * 47], f'["{"x" * 45}", "{"y" * 47}"]'),
    "one too wide": (["x" * 45, "y" * 48], f'[\n "{"x" * 45}",\n "{"y" * 48}"\n]'),
    "only element": ([{"a": LONG, "b": LONG}], f'[{{\n "a": "{LONG}",\n "b": "{LONG}"\n}}]'),
    "only text, too long": ({"a": LONG * 2}, f'{{"a": "{LONG * 2}"}}'),
    "only text that fits below": ({"a" * 23: LONG}, f'{{\n "{"a" * 23}": "{LONG}"\n}}'),
    "pair": (
        [["llm", "A"], [[{"value": LONG, "meta": LONG}]]],
        f'[["llm", "A"], [[{{\n "value": "{LONG}",\n "meta": "{LONG}"\n}}]]]',
    ),
    "pair that fits below": (
        [["llm", "A" * 30], [[{"value": LONG}]]],
        f'[\n ["llm", "{"A" * 30}"],\n [[{{"value": "{LONG}"}}]]\n]',
    ),
    "a comma counts": (
        [["x" * 45, "y" * 46], ["x" * 45, "y" * 46]],
        f'[\n [\n  "{"x" * 45}",\n  "{"y" * 46}"\n ],\n ["{"x" * 45}", "{"y" * 46}"]\n]',
    ),
    "texts are never broken": (["a\nb" * 40, 1, 2], f"[\n {flat('a' + chr(10) + 'b')[:-1]}"),
}


@pytest.mark.parametrize(("value", "text"), LAYOUTS.values(), ids=LAYOUTS)
def test_layouts(value, text):
    """Each rule of the layout, by an example."""
    assert laid_out(value).startswith(text)
    if not isinstance(value, list) or value[1:] != [1, 2]:
        assert laid_out(value) == text + "\n"


@pytest.mark.parametrize("width", [1, 2, 3])
def test_deep_values_are_written(width):
    """A value as deep as a cassette may be is written, in time and length that grow with its size."""
    deep = 1
    for _ in range(MAX_DEPTH):
        deep = [deep] * min(width, 1) + ["x" * 60] * (width - 1)
    text = laid_out(deep)
    assert json.loads(text) == deep
    assert len(text) < 120_000
