"""Edits of a suite's text: only the edited value changes, in the style that it had."""

from __future__ import annotations

import pytest

from pytest_dust.suite import references, yaml_reader
from pytest_dust.suite.edits.suites import Insert, Refused, Replace, edited, edited_yaml


def replaced(text, path, value):
    """Edit one value, and return the new text."""
    done = edited(text, [Replace(path, value)])
    assert done.refused == ()
    return done.text


def refused(text, *edits):
    """Return line and reason of each edit that is refused; the text must be as before."""
    done = edited(text, edits)
    assert done.text == text
    return [(one.line, one.reason) for one in done.refused]


ONE_VALUE = [
    # plain
    ("a: x  # why\nb: 1\n", "y z", "a: y z  # why\nb: 1\n"),
    ("a:   x\n", "y", "a:   y\n"),
    ("a: x", "it's", "a: it's"),
    ('{"a": x, "b": 1}', "y", '{"a": y, "b": 1}'),
    ("a: x", "no", "a: no"),
    ("a: x", "é😀", "a: é😀"),
    ("a: two\n  lines  # why\n", "one", "a: one  # why\n"),
    ("a: x\n", "12", 'a: "12"\n'),
    ("a: x\n", "a: b", 'a: "a: b"\n'),
    ("a: x\n", "a #b", 'a: "a #b"\n'),
    ("a: x\n", "", 'a: ""\n'),
    ("a: x\n", " y ", 'a: " y "\n'),
    ("a: x\n", "a\n\tb", 'a: "a\\n\\tb"\n'),
    ("a: x\n", "\u200by\x00", 'a: "\\u200by\\u0000"\n'),
    ("a: x\n", "1e999", 'a: "1e999"\n'),
    # quoted
    ("a: 'x' # why\n", "it's", "a: 'it''s' # why\n"),
    ("a: 'x'\n", "12", "a: '12'\n"),
    ("a: 'x'\n", "a\nb", 'a: "a\\nb"\n'),
    ("a: 'x'\n", "\\ud83d\\ude00", 'a: "\\\\ud83d\\\\ude00"\n'),
    ('a: "x"\n', "y", 'a: "y"\n'),
    ('a: "x"\n', 'é "q" \\', 'a: "é \\"q\\" \\\\"\n'),
    ('a: "two\n  lines"\nb: 1\n', "y", 'a: "y"\nb: 1\n'),
    # other types
    ("a: x\n", 12, "a: 12\n"),
    ("a: 'x'\n", 2.5, "a: 2.5\n"),
    ('a: "12"\n', True, "a: true\n"),
    ("a: 1 # why\n", None, "a: null # why\n"),
    ("a: 1\n", "y", "a: y\n"),
    ("a: 1\n", "true", 'a: "true"\n'),
    ("a: 1\n", ["x", "a, b", {"k": None}], 'a: [x, "a, b", {k: null}]\n'),
    ("a:\nb: 1\n", "y", "a: y\nb: 1\n"),
    ("a:   # why\nb: 1\n", "y", "a: y   # why\nb: 1\n"),
    # the same as JSON: nothing to change
    ("a: 1.0\nb: ' '", 1, "a: 1.0\nb: ' '"),
    ("a: {k: 'x', l: 2}", {"l": 2, "k": "x"}, "a: {k: 'x', l: 2}"),
    # references
    ("a: x\n", "${row.x}", "a: $${row.x}\n"),
    ("a: x\n", "$${", "a: $$${\n"),
    ("a: '${row.x}'\n", "y", "a: 'y'\n"),
    ("a: 1\n", {"k": ["${"]}, 'a: {k: ["$${"]}\n'),
    # flow style
    ("{a: x, b: 1}", "a, b", '{a: "a, b", b: 1}'),
    ("{a: x, b: 1}", "a b", "{a: a b, b: 1}"),
    ("{a, b: 1}", "x", "{a: x, b: 1}"),
    ("{a: , b: 1}", "x", "{a: x, b: 1}"),
    ('{"a":}', "x", '{"a": "x"}'),
    ('{"a":1, "b": "c"}', "x", '{"a":"x", "b": "c"}'),
    ('{"a":1, "b": "c"}', {"k": "x"}, '{"a":{"k": "x"}, "b": "c"}'),
    ("a: [1, two, 'three']", [1, "2 two", "3", 4], "a: [1, 2 two, '3', 4]"),
    ("a: [1, two, three]", [1], "a: [1]"),
    ("a: [1,2]  # why", [1, 2, 3], "a: [1,2,3]  # why"),
    ("a: [1,\n    2]\n", [1, 2, 3], "a: [1,\n    2,\n    3]\n"),
    ("a: []\n", ["x"], "a: [x]\n"),
    ("a: {k: 1, l: 'x'}\n", {"l": "y", "m": "z"}, "a: {l: 'y', m: 'z'}\n"),
    ("a: {k: 1, l: 2, m: 3}\n", {"k": 1, "m": 4}, "a: {k: 1, m: 4}\n"),
    ('a: {"k": 1}\n', {"k": 1, "l": "x"}, 'a: {"k": 1, "l": "x"}\n'),
    ("a: {k: 1}\n", [1], "a: [1]\n"),
    ("a: [k: x]\n", [{"k": "y"}], "a: [k: y]\n"),
    # block style
    ("a:\n  - 1  # one\n  # two:\n  - 2\n", [1, "x"], "a:\n  - 1  # one\n  # two:\n  - x\n"),
    ("a:\n- 1\n- 2 # two\n\nb: 1\n", [1, 2, "x"], "a:\n- 1\n- 2 # two\n- x\n\nb: 1\n"),
    ("a:\n- 1 # one\n- 2\n- 3\nb: 1\n", [1], "a:\n- 1 # one\nb: 1\n"),
    ("a:\n  k: 1\n  l: 2\n  m: 3\n", {"l": 2, "n": [4]}, "a:\n  l: 2\n  n: [4]\n"),
    ("a:\n  - k: 1\n    l: 2\n", [{"l": 3}], "a:\n  - l: 3\n"),
    ("a:\n  - k: 1\n    l: 2\n", ["x"], "a:\n  - x\n"),
    (
        "a:\n  - k: |\n      x\n\n  - 1\n",
        [{"k": "x\n", "l": 2}, 1],
        "a:\n  - k: |\n      x\n    l: 2\n\n  - 1\n",
    ),
    ("a:\n  k: 1\n  l: 2\nb: 1\n", ["x", {"y": 1}], "a:\n  - x\n  - {y: 1}\nb: 1\n"),
    ("a:\n  - 1\nb: 1\n", {"k": "x", "true": 1}, "a:\n  k: x\n  true: 1\nb: 1\n"),
    ("a:\n- 1\nb: 1\n", {"k": "x"}, "a: {k: x}\nb: 1\n"),
    ("a:\n  - 1\nb: 1\n", [], "a: []\nb: 1\n"),
    ("a:  # why\n  # because\n  - 1\nb: 1\n", "x", "a: x  # why\n  # because\nb: 1\n"),
    # block scalars
    ("a: |\n  x\n  y\n\n# end\n", "z\n\n w\n", "a: |\n  z\n\n   w\n\n# end\n"),
    ("a: |  # why\n   x\n\nb: 1\n", "z", "a: |-  # why\n   z\n\nb: 1\n"),
    ("a: |-\n  x\nb: 1\n", "y\n", "a: |\n  y\nb: 1\n"),
    ("a: |+\n  x\n\n\nb: 1\n", "y\n\n", "a: |+\n  y\n\nb: 1\n"),
    ("a: |+\n  x\n\n\nb: 1\n", "y", "a: |-\n  y\nb: 1\n"),
    ("a: |\n    x\nb: 1\n", " y\nz\n", "a: |4\n     y\n    z\nb: 1\n"),
    ("a: |2\n   x\nb: 1\n", "y\n", "a: |2\n  y\nb: 1\n"),
    ("a: |\n  x\nb: 1\n", "y\n\n\n", 'a: "y\\n\\n\\n"\nb: 1\n'),
    ("a: |\n  x\nb: 1\n", "y\r\n", 'a: "y\\r\\n"\nb: 1\n'),
    ("a: |  # why\n  x\n\nb: 1\n", 12, "a: 12  # why\n\nb: 1\n"),
    ("a: |\nb: 1\n", "x\n", 'a: "x\\n"\nb: 1\n'),
    ("a: |\n             x\nb: 1\n", " y\n", 'a: " y\\n"\nb: 1\n'),
    ("a: |+\n  x", "y\nz\n", "a: |+\n  y\n  z\n"),
    ("a: |\n  x", "y\nz\n", "a: |\n  y\n  z\n"),
    ("a: |\r\n  x\r\nb: 1\r\n", "y\nz\n", "a: |\r\n  y\r\n  z\r\nb: 1\r\n"),
    ("a: |\n  x\nb: 1\n", "\ty\n", "a: |2\n  \ty\nb: 1\n"),
    ("a: >\n  x\n  y\nb: 1\n", "one\ntwo\n\nthree\n", "a: >\n  one\n\n  two\n\n\n  three\nb: 1\n"),
    ("a: >-\n  x\nb: 1\n", " indented\ntext", "a: |2-\n   indented\n  text\nb: 1\n"),
    # anchors and aliases
    ("a: &x old\nb: 1\n", "new", "a: &x new\nb: 1\n"),
    ("a: &x  # why\n  old\nb: 1\n", "new", "a: &x  # why\n  new\nb: 1\n"),
    ("a: &x\nb: 1\n", "new", "a: &x new\nb: 1\n"),
    ("a: &x\n  - 1\nb: 1\n", 2, "a: &x 2\nb: 1\n"),
    ("a: &x |\n  old\n", "new\n", "a: &x |\n  new\n"),
    # line ends and characters
    ("# 1\r\na: x\n# 2\rb: 1\r\n", "y", "# 1\r\na: y\n# 2\rb: 1\r\n"),
    ("a:\r\n  - 1\r\nb: 1\n", [1, 2], "a:\r\n  - 1\r\n  - 2\r\nb: 1\n"),
    ('"\\ud83d\\ude00": 1\na: "\\ud83d\\ude00" # 😀\n', "x", '"\\ud83d\\ude00": 1\na: "x" # 😀\n'),
]


@pytest.mark.parametrize(("before", "value", "after"), ONE_VALUE)
def test_a_value_changes_in_its_own_style(before, value, after):
    """A new value is written in the style of the old one, and all other text stays."""
    assert replaced(before, ("a",), value) == after


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("# why\nx\n", "y", "# why\ny\n"),
        ("|\n  x\n", "y\n", "|\n  y\n"),
        ("- x\n- y\n", {"k": 1, "l": 2}, "k: 1\nl: 2\n"),
        ("", 1, "1"),
    ],
)
def test_the_value_may_be_the_whole_document(before, value, after):
    """The path () is that of the document's value."""
    assert replaced(before, (), value) == after


FOLDED = (
    "a: >-\n  one two three four five six seven eight nine ten eleven twelve thirteen\n  fourteen\nb: 1\n"
)


def test_a_folded_text_is_wrapped():
    """A new folded text has lines of at most 80 columns, and reads back as given."""
    text = "the refund takes five days " * 10 + "at most"
    after = replaced(FOLDED, ("a",), text)
    assert after.startswith("a: >-\n  the refund")
    assert after.endswith("\nb: 1\n")
    assert max(map(len, after.splitlines())) <= 80
    assert yaml_reader.read(after).value == {"a": text, "b": 1}


def test_aliases_of_a_value():
    """An alias is replaced by the new value; what other places repeat is refused with their lines."""
    text = "a: &x 1\nb: [*x, 2]\nc: &y {k: 1}\nd: *y\ne: &z {k: 1}\n"
    edits = [Replace(("b", 0), "new"), Replace(("d",), [3]), Replace(("e", "k"), 2)]
    assert edited(text, edits).text == "a: &x 1\nb: [new, 2]\nc: &y {k: 1}\nd: [3]\ne: &z {k: 2}\n"
    shared = "would change too; write the value out in one of the places"
    assert refused(
        text,
        Replace(("a",), 2),
        Replace(("c", "k"), 2),
        Replace(("d", "k"), 2),
        Insert(("c",), "l", 2),
        Insert(("d",), "l", 2),
    ) == [
        (1, f"&x is repeated on line 2, which {shared}"),
        (3, f"&y is repeated on line 4, which {shared}"),
        (3, "*y repeats a value of line 3; write the value out in one of the places"),
        (3, f"&y is repeated on line 4, which {shared}"),
        (4, "a key can be added only to a mapping that is written out here"),
    ]


def test_the_innermost_of_two_equal_anchors_is_not_always_meant():
    """If an anchor is defined twice, an alias counts for the definition whose value it has."""
    text = "a: &x\n  b: &x 1\nc: *x\nd: &x 2\ne: *x\n"
    assert replaced(text, ("d",), 2) == text
    assert [line for line, _ in refused(text, Replace(("a", "b"), 3), Replace(("d",), 3))] == [2, 4]


def test_many_aliases_of_a_value():
    """A message names some of the lines that repeat a value, and says how many more there are."""
    text = "- &x 1\n" + "- *x\n" * 9
    [(_, reason)] = refused(text, Replace((0,), 2))
    assert reason.startswith("&x is repeated on line 2, 3, 4, 5, 6 and 4 more, which would change too")


def test_an_anchor_that_is_needed_is_not_removed():
    """A list is not replaced if an alias outside of it repeats one of its elements."""
    text = "a: [1, &x two]\nb: *x\n"
    assert [line for line, _ in refused(text, Replace(("a",), [1]))] == [1]
    assert [line for line, _ in refused(text, Replace(("a",), "x"))] == [1]
    inner = "a: [&x 1, *x]\nb: 1\n"
    assert replaced(inner, ("a",), "x") == "a: x\nb: 1\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a:\n  - 1  # one\n  - 2  # two\n", [1]),
        ("a:\n  - 1\n  # two:\n  - 2\n", "x"),
        ("a: [1,  # one\n    2]\n", []),
        ("a: [1,  # one\n    2]\n", [1]),
        ("a:\n  k: 1\n  # l\n  l: 2\n", {"l": 2}),
        ("a:\n  - | # text\n    # no comment\n  - 2\n", {}),
    ],
)
def test_a_comment_is_not_removed(text, value):
    """An edit that would remove a comment is refused."""
    reason = "a comment is in the part of the file that would be removed; edit it by hand"
    assert refused(text, Replace(("a",), value)) == [(1, reason)]


@pytest.mark.parametrize(
    ("text", "value", "after"),
    [
        ("a: ['#', 'b # c']\n", [], "a: []\n"),
        ("a:\n  - |\n    # text\n  - 2\n", 1, "a: 1\n"),
    ],
)
def test_a_text_with_a_number_sign_is_no_comment(text, value, after):
    """A # in a text does not keep it from being removed."""
    assert replaced(text, ("a",), value) == after


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        (
            "cases:\n  - id: x  # why\n    e: 1\n",
            ("cases", 0),
            "cases:\n  - id: x  # why\n    h: new\n    e: 1\n",
        ),
        ("cases:\n- e: 1\n  f: 2\n", ("cases", 0), "cases:\n- h: new\n  e: 1\n  f: 2\n"),
        ("cases:\n- e: 1\n  id: x", ("cases", 0), "cases:\n- e: 1\n  id: x\n  h: new"),
        ("cases: [{id: x, e: 1}]", ("cases", 0), "cases: [{id: x, h: new, e: 1}]"),
        ("cases: [{e: 1}]", ("cases", 0), "cases: [{h: new, e: 1}]"),
        ('cases: [{"id": "x"}]', ("cases", 0), 'cases: [{"id": "x", "h": "new"}]'),
        ("cases: [{}]", ("cases", 0), "cases: [{h: new}]"),
        ("# top\n\napp: 1\n", (), "# top\n\nh: new\napp: 1\n"),
        ("---\r\napp: 1\r\n", (), "---\r\nh: new\r\napp: 1\r\n"),
        ("id: |\n  x\n\nb: 1\n", (), "id: |\n  x\nh: new\n\nb: 1\n"),
        ("a: &x\n  b: 1\n", ("a",), "a: &x\n  h: new\n  b: 1\n"),
    ],
)
def test_a_key_is_added(before, path, after):
    """A new key is written behind `id`, or as the first key of its mapping."""
    assert edited(before, [Insert(path, "h", "new")]) == (after, ())


def test_a_key_is_added_behind_the_one_that_is_asked_for():
    """`after` names the key behind which a new one is written."""
    assert (
        edited("app: 1\ncases: []\n", [Insert((), "h", 1, after="app")]).text == "app: 1\nh: 1\ncases: []\n"
    )


@pytest.mark.parametrize(
    ("edit", "line", "reason"),
    [
        (Insert((), "a", 2), 1, "there is a key 'a' already"),
        (Insert(("a",), "k", 2), 1, "a key can be added only to a mapping that is written out here"),
        (Insert(("b", 0), "k", 2), 2, "a key can be added only to a mapping that is written out here"),
        (Insert(("b", 1), "k", 2), 2, "the file has no 1 here"),
    ],
)
def test_why_a_key_is_not_added(edit, line, reason):
    """A key is added only to a mapping, and only if it has none of this name."""
    assert refused("a: 1\nb: [c: 1]\n", edit) == [(line, reason)]


def test_several_edits_at_once():
    """All edits that can be made are made, also at places that touch, and the others come back in order."""
    text = "cases:\n  - id: a\n    n: |\n      x\n  - id: b\n    n: 1\n"
    bad = Replace(("cases", 7), 1)
    missing = Replace(("cases", 1, "n", "k"), 1)
    done = edited(
        text,
        [
            bad,
            Replace(("cases", 0, "id"), "c"),
            Insert(("cases", 0), "h", 1),
            Insert(("cases", 0), "g", 2),
            missing,
            Replace(("cases", 0, "n"), "y\n"),
        ],
    )
    assert done.text == "cases:\n  - id: c\n    h: 1\n    g: 2\n    n: |\n      y\n  - id: b\n    n: 1\n"
    assert done.refused == (
        Refused(bad, 2, "the file has no 7 here"),
        Refused(missing, 6, "the file has no 'k' here"),
    )


def test_edits_that_contradict_each_other():
    """Different values for one place are all refused, whatever their order; equal ones count once."""
    text = "a: 1\nb: {c: 2}\n"
    same = [Replace(("a",), 3), Replace(("a",), 3)]
    assert edited(text, same) == ("a: 3\nb: {c: 2}\n", ())
    differ = [Replace(("a",), 3), Replace(("a",), 4), Replace(("a",), 3)]
    assert refused(text, *differ) == [(1, "different cases want different values here")] * 3
    around = [Replace(("b",), 3), Replace(("b", "c"), 4)]
    assert refused(text, *around) == [(2, "another edit changes a part of this value, or all of it")] * 2


def test_a_file_with_a_mistake_is_not_edited():
    """All edits of a text that is no suite are refused with the line of the mistake."""
    assert refused("a: 1\na: 2\n", Replace(("a",), 3)) == [(2, "this is a mistake; correct it first")]


@pytest.mark.parametrize(
    ("text", "path", "value", "reason"),
    [
        ("a: x\n", ("a",), "\ud800", "the new text has half of a surrogate pair, which YAML cannot hold"),
        ("a: x\n", ("a",), float("nan"), "the new value is a number that a file cannot hold"),
        ("a: x\n", ("a",), [10**5000], "the new value is a number that a file cannot hold"),
        (
            "a: [k: 1]\n",
            ("a",),
            [{"l": 1, "k": 1}],
            "this mapping is a single pair without braces; add braces",
        ),
    ],
)
def test_values_that_cannot_be_written(text, path, value, reason):
    """A value that YAML cannot hold at its place is refused, with the reason."""
    assert refused(text, Replace(path, value)) == [(1, reason)]


@pytest.mark.parametrize("edit", [Insert((), "k" * 2000, 1), Replace(("c",), "x")])
def test_an_edit_that_does_not_read_back_is_refused(edit):
    """If the edited text would not have the wanted value, the edit is refused and the others are made."""
    text = "a: 1\n? c\nb: 2\n"
    done = edited(text, [Replace(("a",), 7), edit, Replace(("b",), 8)])
    reason = "the new value cannot be written here so that it reads back; edit it by hand"
    assert [(one.edit, one.reason) for one in done.refused] == [(edit, reason)]
    assert done.text == "a: 7\n? c\nb: 8\n"


def test_a_written_text_is_no_reference():
    """A new text is the same again after references are filled in."""
    text = "${env.HOME} and $${ and ${"
    after = replaced("a: x\n", ("a",), text)
    look_up = references.environment({}, frozenset())
    assert references.fill(yaml_reader.read(after).value, look_up) == ({"a": text}, [])


def test_yaml_that_is_no_suite_has_no_references():
    """`edited_yaml` writes `${` as it is."""
    assert edited_yaml("a: x\n", [Replace(("a",), "${b}")]).text == "a: ${b}\n"
