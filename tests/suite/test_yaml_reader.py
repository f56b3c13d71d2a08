"""YAML read as JSON values, with the place of every key and value."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_dust.model import Place
from pytest_dust.suite import yaml_reader

GOOD = """app: {id: 9f1d3b5a7c}
config: &config
  CLASSIFY: {model_id: gpt-4o, temperature: 0.5}
cases:
  - id: "refund"
    input:
      question: >-
        Where is
        my refund?
    again: *config
"""


def value(text: str) -> Any:
    """Give the value of a text without mistakes."""
    document = yaml_reader.read(text)
    assert document.problems == ()
    return document.value


def problem(text: str) -> tuple[int, int, str]:
    """Give the one mistake of a text: line, column, message."""
    document = yaml_reader.read(text)
    (found,) = (*document.problems, *document.too_large)
    return (*found.place, found.message)


def inside(text: str, place: Place) -> bool:
    """Tell whether a place is in the text, or right behind the end of one of its lines."""
    yaml_lines = re.split("\r\n|[\r\n\x85\u2028\u2029]", text)
    return any(
        1 <= place.line <= len(rows) and 1 <= place.column <= len(rows[place.line - 1]) + 1
        for rows in (yaml_lines, text.split("\n"))
    )


# ── values ───────────────────────────────────────────────────────────────────────────────────────

SCALARS: dict[str, Any] = {
    # texts that YAML 1.1 takes for something else
    **{
        word: word
        for word in ("yes", "no", "on", "off", "y", "n", "Yes", "NO", "True", "FALSE", "Null", "NULL")
    },
    **{time: time for time in ("12:30", "12:30:45", "190:20:30.15")},
    **{date: date for date in ("2026-11-02", "2026-11-02T10:00:00Z", "2026-11-02 10:00:00")},
    **{
        digits: digits
        for digits in ("010", "0o17", "0x1F", "0b1", "1_000", "+1", ".5", "5.", "-.5", "1e", "0.")
    },
    **{
        word: word
        for word in (".inf", "-.inf", ".nan", "NaN", "Infinity", "=", "１２", "1.2.3", "--1", "1,000")
    },
    # JSON's own
    "null": None,
    "~": None,
    "true": True,
    "false": False,
    "0": 0,
    "-0": 0,
    "12": 12,
    "-12": -12,
    "0.5": 0.5,
    "1.0": 1.0,
    "1e3": 1000.0,
    "1E+3": 1000.0,
    "-1.5e-3": -0.0015,
    "123456789012345678901234567890": 123456789012345678901234567890,
    # texts
    '"12"': "12",
    "'12'": "12",
    '"null"': "null",
    "'~'": "~",
    '""': "",
    "''": "",
    "'it''s'": "it's",
    '"a\\tb\\u00e9\\/"': "a\tbé/",
    "12 apples": "12 apples",
    "a#b": "a#b",
    "a:b": "a:b",
    "http://x/y": "http://x/y",
    "${env.X}": "${env.X}",
}


@pytest.mark.parametrize(("written", "read"), SCALARS.items(), ids=SCALARS)
def test_a_plain_scalar_is_what_json_would_make_of_it(written: str, read: Any) -> None:
    """Only JSON's numbers and words, and `~`, are not texts."""
    found = value(f"key: {written}\n")["key"]
    assert (found, type(found)) == (read, type(read))


@pytest.mark.parametrize("written", ["12", "1.0", "true", "null", "yes", "2026-11-02", "12:30", "~", "0x1F"])
def test_a_key_is_text_whatever_it_looks_like(written: str) -> None:
    """Keys are always texts, as in JSON."""
    assert value(f"{written}: 1\n") == {written: 1}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", None),
        ("# a comment\n", None),
        ("---\n", None),
        ("a:\n", {"a": None}),
        ("- \n-\n", [None, None]),
        ("{}", {}),
        ("[]", []),
        ("a: {b: , c: 1}", {"a": {"b": None, "c": 1}}),
        ("? a\n", {"a": None}),
        ("a: |\n  12\n", {"a": "12\n"}),
        ("a: >-\n  b\n  c\n", {"a": "b c"}),
        ("a: b\n  c\n", {"a": "b c"}),
        ("- - 1\n  - 2\n", [[1, 2]]),
        ("---\na: 1\n...\n", {"a": 1}),
        ("%YAML 1.1\n---\na: 1\n", {"a": 1}),
        ("a:\t1\n", {"a": 1}),
        ('{"a":1,"b":[true,null]}', {"a": 1, "b": [True, None]}),
        ('{\n\t"a": 1\n}', {"a": 1}),
        ("'': 1\n", {"": 1}),
        ("ключ: [значение, 日本]\n", {"ключ": ["значение", "日本"]}),
    ],
)
def test_a_document_is_its_value(text: str, read: Any) -> None:
    """Empty values are null, block and flow style are the same, and JSON is YAML."""
    assert value(text) == read


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a: &x {k: 1}\nb: *x\n", {"a": {"k": 1}, "b": {"k": 1}}),
        ("a: &x 7\nb: [*x, *x]\n", {"a": 7, "b": [7, 7]}),
        ("a: &x 1\nb: &x 2\nc: *x\n", {"a": 1, "b": 2, "c": 2}),
    ],
    ids=["mapping", "scalar", "redefined"],
)
def test_an_alias_is_the_value_of_its_anchor(text: str, read: Any) -> None:
    """An alias has the value of the nearest anchor before it."""
    assert value(text) == read


def test_an_alias_of_a_number_keeps_how_it_is_written() -> None:
    """An alias of a number has the text of the number, as ids may look like numbers."""
    assert yaml_reader.read("a: &x 1e5\nb: *x\n").written(("b",)) == "1e5"


# ── mistakes ─────────────────────────────────────────────────────────────────────────────────────

MISTAKES: dict[str, tuple[str, tuple[int, int, str]]] = {
    "duplicate-key": ("a: 1\nb: 2\na: 3\n", (3, 1, 'duplicate key "a", first on line 1; remove one')),
    "duplicate-flow": ("{a: 1, a: 1}", (1, 8, 'duplicate key "a", first on line 1; remove one')),
    "duplicate-quoted": ("1: x\n'1': y\n", (2, 1, 'duplicate key "1", first on line 1; remove one')),
    "merge": ("a: &x {}\nb:\n  <<: *x\n", (3, 3, "merge keys (<<) are not read; write the keys out")),
    "unknown-alias": ("a: *x\n", (1, 4, "*x names no anchor before it (anchors: none); define it first")),
    "later-anchor": (
        "a: *x\nb: &x 1\n",
        (1, 4, "*x names no anchor before it (anchors: none); define it first"),
    ),
    "list-as-key": ("? [a]\n: 1\n", (1, 3, "a list or mapping as a key; keys are texts")),
    "two-documents": (
        "a: 1\n---\nb: 2\n",
        (2, 1, "a second document: a suite file holds one; remove the `---`"),
    ),
    "tab": ("a:\n\tb: 1\n", (2, 1, "a tab in the indentation; YAML is indented with spaces")),
    "huge-float": ("a: -1e999\n", (1, 4, "-1e999 is too large for a number; quote it to mean text")),
    "huge-integer": (
        f"a: {'9' * 5000}\n",
        (1, 4, f"{'9' * 20}… is too large for a number; quote it to mean text"),
    ),
}


@pytest.mark.parametrize(("text", "told"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_has_its_place(text: str, told: tuple[int, int, str]) -> None:
    """YAML that JSON has no equal of is a mistake, with its place and what to do."""
    assert problem(text) == told


@pytest.mark.parametrize("tag", ["!!str", "!!python/object/apply:os.system", "!own", "!<tag:x,2026:y>", "!"])
@pytest.mark.parametrize("tagged", ["1", "[1]", "{a: 1}"], ids=["scalar", "list", "mapping"])
def test_a_tag_is_refused(tag: str, tagged: str) -> None:
    """A tag is a mistake on any kind of value, and no object is made from it."""
    line, column, message = problem(f"a: {tag} {tagged}\n")
    assert (line, column) == (1, 4)
    assert "tags are not read" in message


def test_a_tag_is_shown_as_written() -> None:
    """A tag is shown as the file has it."""
    assert problem("a: !!str 1\n")[2].startswith("tag !!str")


def test_mistakes_that_can_be_read_over_come_together() -> None:
    """Duplicate keys, tags and merge keys are all reported."""
    found = yaml_reader.read("a: 1\na: 2\nb: !x 3\n<<: 4\n").problems
    assert [tuple(one.place) for one in found] == [(2, 1), (3, 4), (4, 1)]


def test_a_recursive_alias_is_refused() -> None:
    """An alias inside of its own anchor is a mistake that says so."""
    line, column, message = problem("a: &a [1, *a]\n")
    assert (line, column) == (1, 11)
    assert message.startswith("*a ")
    assert "itself" in message


def test_an_alias_bomb_is_refused_at_once() -> None:
    """Aliases that would make billions of values are refused at the limit."""
    text = f"a0: &a0 [{', '.join('x' * 10)}]\n"
    text += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    line, _, message = problem(text)
    assert line == 5
    assert message == "aliases blow this file up past 100,000 values; write them out"


def test_many_aliases_are_no_bomb() -> None:
    """A config shared by a thousand cases is read."""
    read = value("a: &a {x: [1, 2, 3]}\n" + "".join(f"b{n}: *a\n" for n in range(1_000)))
    assert len(read) == 1_001


@pytest.mark.parametrize(
    ("text", "read"),
    [("&k a: 1\nb: *k\n", {"a": 1, "b": "a"}), ("a: &x b\n*x : 1\n", {"a": "b", "b": 1})],
    ids=["anchored-key", "alias-as-key"],
)
def test_a_key_may_have_an_anchor_or_alias(text: str, read: Any) -> None:
    """An anchor or alias at a key is read, or refused as what it is."""
    document = yaml_reader.read(text)
    if document.problems:
        told = document.problems[0].message
        assert "names no anchor" not in told
        assert "a list or mapping as a key" not in told
    else:
        assert document.value == read


DEEP = 100_000


@pytest.mark.parametrize(
    "text",
    [
        "[" * DEEP,
        "[" * DEEP + "]" * DEEP,
        "{a: " * DEEP,
        "- " * DEEP,
        "? " * DEEP,
        "\n".join(" " * n + "a:" for n in range(1_000)),
    ],
    ids=["open-lists", "lists", "mappings", "block-lists", "keys", "block-mappings"],
)
def test_too_deep_nesting_is_one_mistake(text: str) -> None:
    """Nesting of any depth is one mistake."""
    line, column, _ = problem(text)
    assert inside(text, Place(line, column))


def test_the_depth_allowed_is_read() -> None:
    """Nesting up to the limit is read, one level more is a mistake."""
    assert value("[" * yaml_reader.MAX_DEPTH + "]" * yaml_reader.MAX_DEPTH) is not None
    told = problem("[" * 65 + "]" * 65)
    assert told == (1, 65, "nested deeper than 64 levels; make it flatter")


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x7f", "\ufffe", "\uffff"], ids=ascii)
@pytest.mark.parametrize("before", ["a: 1\nb: x", "a: é日\nb: ü"], ids=["ascii", "non-ascii"])
def test_a_control_character_has_its_place(character: str, before: str) -> None:
    """A control character is a mistake at its place, whatever letters come before it."""
    line, column, message = problem(f"{before}{character}y\n")
    assert (line, column) == (2, len(before.split("\n")[1]) + 1)
    assert message.startswith("not text")


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "a: [\n",
        "a: [1\n\n\n",
        "{a: 1",
        "a: 'b",
        "a: 'b\n",
        'a: "b\n\n',
        "a: {b: [\n  1,\n",
        "a:\r  [",
        "%",
    ],
    ids=ascii,
)
def test_what_has_no_end_has_a_place_in_the_file(text: str) -> None:
    """A bracket or quote without its end is a mistake with a place in the file."""
    line, column, message = problem(text)
    assert inside(text, Place(line, column))
    assert message.startswith("not YAML: ")


# ── places ───────────────────────────────────────────────────────────────────────────────────────

PLACED = """é: {ü: [1, {k: v}]}
b:
  - c: &x
      d: 1
  - *x
f: >
  g
日本: 5
in: &y [*x]
out: {x: {y: *y}}
text: [&s one, *s]
"""
PLACES: dict[str, tuple[tuple[str | int, ...], tuple[int, int], tuple[int, int]]] = {
    "root": ((), (1, 1), (1, 1)),
    "non-ascii": (("é",), (1, 4), (1, 1)),
    "flow-key": (("é", "ü"), (1, 8), (1, 5)),
    "element": (("é", "ü", 0), (1, 9), (1, 9)),
    "in-element": (("é", "ü", 1, "k"), (1, 16), (1, 13)),
    "block-list": (("b",), (3, 3), (2, 1)),
    "anchored": (("b", 0, "c"), (3, 8), (3, 5)),
    "in-anchored": (("b", 0, "c", "d"), (4, 10), (4, 7)),
    "alias": (("b", 1), (5, 5), (5, 5)),
    "in-alias": (("b", 1, "d"), (4, 10), (4, 7)),
    "after-alias": (("f",), (6, 4), (6, 1)),
    "wide": (("日本",), (8, 5), (8, 1)),
    "alias-in-alias": (("out", "x", "y", 0), (9, 9), (9, 9)),
    "in-alias-in-alias": (("out", "x", "y", 0, "d"), (4, 10), (4, 7)),
    "absent-in-alias": (("b", 1, "d", "z"), (4, 10), (4, 10)),
    "absent-below-alias-of-text": (("text", 1, "z"), (11, 16), (11, 16)),
    "absent": (("b", 1, "z"), (5, 5), (5, 5)),
    "absent-below": (("日本", "z", 3), (8, 5), (8, 5)),
}


@pytest.mark.parametrize(("path", "at", "key_at"), PLACES.values(), ids=PLACES)
def test_every_value_and_key_has_its_place(
    path: tuple[str | int, ...], at: tuple[int, int], key_at: tuple[int, int]
) -> None:
    """Every value and key has its line and column, in characters; for others it is the nearest above."""
    document = yaml_reader.read(PLACED)
    assert document.problems == ()
    assert document.place(path) == at
    assert document.place(path, key=True) == key_at


@pytest.mark.parametrize(
    ("path", "written"),
    [
        (("a",), "1e5"),
        (("b", 0), "1.0"),
        (("b", 1), None),
        (("b", 2), None),
        (("c", "d"), "12"),
        (("c",), None),
        (("z",), None),
        (("z", "z"), None),
    ],
)
def test_a_number_keeps_how_it_is_written(path: tuple[str | int, ...], written: str | None) -> None:
    """A number has its text as the file spells it; no other value has one."""
    assert yaml_reader.read("a: 1e5\nb: [1.0, '7', 007]\nc: {d: 12}\n").written(path) == written


# ── whatever comes ───────────────────────────────────────────────────────────────────────────────

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=25,
)


def _same(left: Any, right: Any) -> bool:
    return json.dumps(left) == json.dumps(right)


def _has_merge_key(tree: Any) -> bool:
    if isinstance(tree, dict):
        return "<<" in tree or any(map(_has_merge_key, tree.values()))
    return isinstance(tree, list) and any(map(_has_merge_key, tree))


@given(JSON.filter(lambda tree: not _has_merge_key(tree)), st.sampled_from([None, 2, "\t"]))
@example("😀", None)
@settings(max_examples=100, deadline=None)
def test_json_is_read_as_json(tree: Any, indent: int | str | None) -> None:
    """JSON text written by Python is read as the same value, if its keys are not too long."""
    text = json.dumps(tree, indent=indent)
    assert "\x7f" in text or _same(value(text), tree)


@given(JSON.filter(lambda tree: not _has_merge_key(tree)))
@example("a\x85b")
@settings(max_examples=75, deadline=None)
def test_json_in_plain_letters_is_read_as_json(tree: Any) -> None:
    """Unescaped letters are read; those that YAML does not allow are mistakes."""
    text = json.dumps(tree, ensure_ascii=False)
    document = yaml_reader.read(text)
    assert document.problems or _same(document.value, tree)


def test_a_quoted_merge_key_is_a_key() -> None:
    """`"<<"` in quotes is a key like any other."""
    assert value('{"<<": 1}') == {"<<": 1}


def _value_or_problems_inside(text: str) -> None:
    document = yaml_reader.read(text)
    assert all(inside(text, one.place) for one in document.problems)
    if not document.problems:
        json.dumps(document.value, allow_nan=False)


@given(st.text(max_size=60) | st.text("ab:-[]{},'\"\n\r\t &*!|>#%@`?<~$0.1", max_size=60))
@settings(max_examples=250, deadline=None)
def test_any_text_gives_a_value_or_places_inside_it(text: str) -> None:
    """Any text is a document or has mistakes with places in it."""
    _value_or_problems_inside(text)


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(GOOD)),
            st.integers(0, 6),
            st.text(max_size=3) | st.text(":-[]{},'\"\n\t &*!|>#", max_size=3),
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=200, deadline=None)
def test_a_mutated_suite_gives_a_value_or_places_inside_it(edits: list[tuple[int, int, str]]) -> None:
    """A suite with typing errors is read, or has mistakes with places in it."""
    text = GOOD
    for at, cut, put in edits:
        text = text[:at] + put + text[at + cut :]
    _value_or_problems_inside(text)


@pytest.mark.parametrize("text", [r'a: "\ud8zz\udc00"', r'a: "\ud83d\udczz"', r'a: "\ud83d"'])
def test_a_broken_escape_is_a_mistake(text):
    """An escape of half a surrogate pair, or with other characters than hex digits, is a mistake."""
    assert len(yaml_reader.read(text).problems) == 1


def test_indexes_of_marks():
    """`original_index` gives the index in the text of what an event's mark points at."""
    text = r"""{a: "\ud83d\ude00 \ud83d\ude01", b: "\\ud83d\\ude00", c: "\\\ud83d\ude00 x", d: 1}"""
    index = yaml_reader.original_index(text)
    starts = [event.start_mark.index for event in yaml_reader.events(text) if event.start_mark]
    spelled = [text[index(start)] for start in starts[3:-3]]
    assert spelled == ["a", '"', "b", '"', "c", '"', "d", "1"]
