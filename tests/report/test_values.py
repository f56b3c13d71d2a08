"""Values, paths and misses as people read them: bounded, in one line, and safe to print anywhere."""

from __future__ import annotations

import json
import re
import time
import unicodedata

import pytest
from answers import bounded
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_dust.model import MISSING, Change
from pytest_dust.report.misses import MAX_FIELDS, misfit, missing, unreadable
from pytest_dust.report.values import BEFORE, ROOM, contrast, safe, show, show_path
from pytest_dust.wording import plural

SMALL = BEFORE + 30
"""Characters that a cut value may have beside its room: room for escapes, dots, how long the text is."""
BIG = 5_000_000
RECORD = "pytest answer.dust.yaml::refund"

few = settings(bounded, max_examples=80)
odd = st.sampled_from(
    ["\0", "\x1b[2J", "\x7f", "\x85", "\u2028", "\u202e", "\ud800", "\udfff", "\n", "\t", '"']
)
texts = st.text(st.characters(), max_size=20) | st.lists(odd, max_size=9).map("".join)
long_texts = st.builds(lambda text, count: text * count, texts, st.integers(0, 60))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(10**300, 10**301) | st.floats() | long_texts,
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(long_texts, inner, max_size=5),
    max_leaves=8,
)


def is_printable_anywhere(text: str) -> bool:
    """Say whether neither a terminal nor XML would do anything with the text but show it."""
    return not any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text)


# ── one value ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "true"),
        (1, "1"),
        (1.0, "1.0"),
        ("billing", '"billing"'),
        ('say "hi"\n', r'"say \"hi\"\n"'),
        ("Où ? 日本 😀", '"Où ? 日本 😀"'),
        ({"b": [1, None], "a": {}}, '{"b": [1, null], "a": {}}'),
        ((1, 2), "[1, 2]"),
        (MISSING, "nothing"),
        ("nothing", '"nothing"'),
        ("\x1b[2J", r'"\u001b[2J"'),
        ("\ud83d", r'"\ud83d"'),
        ("a\u202eb\u2028", r'"a\u202eb\u2028"'),
    ],
)
def test_a_value_is_one_line_of_json(value, shown):
    """A short value is shown whole, as JSON, and nothing is shown as `nothing`."""
    assert show(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("abcdefgh", '"abcde"… (8 characters)'),
        ("abcde", '"abcd…'),
        ([1, 2, 3], "[1, 2…"),
        ({"long name": 1}, '{"lon…'),
        (1234567, "12345…"),
    ],
)
def test_a_long_value_is_cut(value, shown):
    """Of a value that needs more than its room the beginning is shown, of a long text its length too."""
    assert show(value, 5) == shown


@few
@given(json_values, st.sampled_from([1, 20, ROOM]))
def test_what_is_shown_is_bounded(value, room):
    """No value takes more than its room and a little, whatever stands in it."""
    assert len(show(value, room)) <= room + SMALL


@few
@given(json_values, json_values)
def test_what_is_shown_is_safe(value, other):
    """What is shown has neither control characters nor halves of surrogate pairs, and is one line."""
    for text in (show(value), *contrast(value, other)):
        assert is_printable_anywhere(text)
        text.encode()


@few
@given(json_values)
def test_a_short_value_is_shown_whole(value):
    """What fits into its room can be read back as the value, if no part of it is cut or odd."""
    shown = show(value)
    if len(shown) < ROOM and not shown.endswith(("…", "characters)")):
        assert json.dumps(json.loads(shown)) == json.dumps(value)


@pytest.mark.parametrize("letter", ["\ufffe", "\uffff"])
def test_what_xml_refuses_is_escaped(letter):
    """Characters that XML cannot hold, not even escaped, are shown as JSON's escapes of them."""
    assert show(letter) == f'"\\u{ord(letter):04x}"'


def test_a_deep_value_is_shown():
    """A value nested deeper than Python's stack is cut like any other."""
    value: object = 1
    for _ in range(5000):
        value = [value]
    assert len(show(value)) <= ROOM + SMALL
    value = 1
    for _ in range(5000):
        value = {"a": value}
    assert len(show(value)) <= ROOM + SMALL


FIVE_MEGABYTES = {
    "text": "x" * BIG,
    "odd text": "\x00\u2028" * (BIG // 2),
    "texts": ["x" * 1000] * (BIG // 1000),
    "numbers": list(range(BIG // 8)),
    "mapping": {f"name {at}": at for at in range(BIG // 20)},
    "long name": {"n" * BIG: 1},
    "rows": [[list(range(100)) for _ in range(100)] for _ in range(100)],
    "records": [{"id": at, "tags": ["a", "b"], "text": "x" * 100} for at in range(BIG // 150)],
}


@pytest.mark.parametrize("value", FIVE_MEGABYTES.values(), ids=FIVE_MEGABYTES)
def test_five_megabytes_are_shown_at_once(value):
    """A value as large as an answer may be is shown within its room in a fraction of a second."""
    began = time.perf_counter()
    shown = [show(value), *contrast(value, [value]), *contrast("x", value)]
    assert time.perf_counter() - began < 0.4
    assert all(len(text) <= ROOM + SMALL for text in shown)


# ── two values ───────────────────────────────────────────────────────────────────────────────────


def test_long_texts_show_where_they_differ():
    """Of two long texts the part that differs is shown, with what stands around it and how long they are."""
    words = " ".join(f"word{at}" for at in range(2000))
    old, new = contrast(words, words.replace("word1500", "other"))
    around = words.index("word1500")
    assert f"{words[around - BEFORE : around]}word1500 word1501" in old
    assert f"{words[around - BEFORE : around]}other word1501" in new
    assert re.fullmatch(r'…".*"… \([\d,]+ characters\)', old)
    assert re.fullmatch(r'…".*"… \([\d,]+ characters\)', new)


@pytest.mark.parametrize("at", [0, 1, ROOM - 1, ROOM, 1000, BIG - 1])
def test_one_letter_in_five_megabytes_is_found(at):
    """The one letter that differs is shown wherever it stands, in a fraction of a second."""
    text = "a" * BIG
    began = time.perf_counter()
    old, new = contrast(text, f"{text[:at]}B{text[at + 1 :]}")
    assert time.perf_counter() - began < 0.5
    assert "B" not in old
    assert "B" in new


@few
@given(long_texts, long_texts, long_texts, long_texts)
@example("\x07" * 40, "00", "10", "")
@example("a" * 3 + "\x07" * 300, "0", "1", "z" * 300)
def test_unequal_texts_never_look_the_same(start, one, other, end):
    """Two texts that differ are shown as two that differ, however long they are and wherever it is."""
    if one != other:
        old, new = contrast(f"{start}{one}{end}", f"{start}{other}{end}")
        assert (old == new) == (f"{start}{one}{end}" == f"{start}{other}{end}")


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("billing", "shipping", ('"billing"', '"shipping"')),
        (1, True, ("1", "true")),
        ("1", 1, ('"1"', "1")),
        (MISSING, None, ("nothing", "null")),
        ([], {}, ("[]", "{}")),
        ("", MISSING, ('""', "nothing")),
    ],
)
def test_short_values_are_shown_whole(old, new, shown):
    """Two short values are shown as each is by itself."""
    assert contrast(old, new) == shown


# ── texts and paths ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("path", "before", "shown"),
    [
        ((), "", ""),
        (("output", "label"), "", "output.label"),
        (("blocks", "A", "outputs", 0, 3), "", "blocks.A.outputs[0][3]"),
        (("label",), "result", "result.label"),
        ((2, "a"), "results", "results[2].a"),
        (("odd name", "é"), "", '"odd name"."é"'),
        (("\x1b", "a\nb"), "", r'"\u001b"."a\nb"'),
    ],
)
def test_a_path_is_written_as_jmespath(path, before, shown):
    """A path is shown as one would write it in a suite."""
    assert show_path(path, before) == shown


@few
@given(st.lists(texts | st.integers(0, 99), max_size=5))
def test_a_path_is_safe(path):
    """A path is one line without control characters, whatever its names are."""
    assert is_printable_anywhere(show_path(tuple(path)))


def test_a_safe_text_is_one_line():
    """A text made safe has every control character escaped, line ends and tabs too."""
    assert safe("a\n\tb\r\x1b\x9b") == "a\\u000a\\u0009b\\u000d\\u001b\\u009b"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 cases"), (1, "1 case"), (2, "2 cases"), (1234, "1,234 cases")]
)
def test_counts_are_words(count, text):
    """One is singular, all else plural, thousands are apart."""
    assert plural(count, "case") == text


# ── misses ───────────────────────────────────────────────────────────────────────────────────────


def test_a_missing_cassette_says_where_and_how():
    """Where there is no cassette, the message says where it was looked for and how to record it."""
    text = missing("cassettes/answer/refund.json", RECORD)
    assert text.splitlines() == [
        "no cassette (looked in cassettes/answer/refund.json)",
        f"record it: {RECORD} --dust-mode=record",
    ]


def test_a_misfit_names_each_field():
    """Where a cassette does not fit, each field that moved is named, old → new, and how to record it anew."""
    moved = [
        Change(("specification_hash",), "8c0a", "latest"),
        Change(("config", "CLASSIFY", "model_id"), "gpt-4o", "o3"),
        Change(("inputs", 0, "question"), MISSING, "Hi"),
        Change(("block_filter",), None, ["A"]),
    ]
    first, *fields, last = misfit("a.json", moved, RECORD).splitlines()
    assert first.startswith("the cassette a.json does not fit; moved since it was recorded: ")
    assert first.endswith("specification_hash, config.CLASSIFY.model_id, inputs[0].question and 1 more")
    assert [" ".join(field.split()) for field in fields] == [
        'specification_hash "8c0a" → "latest"',
        'config.CLASSIFY.model_id "gpt-4o" → "o3"',
        'inputs[0].question nothing → "Hi"',
        'block_filter null → ["A"]',
    ]
    assert last == f"record it anew: {RECORD} --dust-mode=record"


def test_many_moved_fields_are_counted():
    """Of very many moved fields the first are listed and the others counted."""
    moved = [Change(("inputs", at, "question"), at, -at) for at in range(1, 1000)]
    lines = misfit("a.json", moved, RECORD).splitlines()
    assert len(lines) == MAX_FIELDS + 3
    assert lines[-2].strip() == f"… and {999 - MAX_FIELDS} more"


@pytest.mark.parametrize(
    "change",
    [
        Change(("inputs", 0, "text"), "x" * BIG, "y" * BIG),
        Change(("inputs", 0, "n" * BIG), 1, 2),
        Change(("inputs", *(["name"] * 900)), 1, 2),
    ],
    ids=["values", "a name", "a deep path"],
)
def test_a_misfit_is_bounded(change):
    """However large what moved is, the message stays short enough to read."""
    text = misfit("a.json", [change], RECORD)
    assert max(map(len, text.splitlines())) <= 4 * ROOM


@few
@given(st.lists(st.builds(Change, st.tuples(texts, texts), json_values, json_values), min_size=1, max_size=4))
def test_a_misfit_is_safe(moved):
    """A miss is a line per field, none of which holds a control character."""
    lines = misfit("a.json", moved, RECORD).split("\n")
    assert len(lines) == len(moved) + 2
    assert all(map(is_printable_anywhere, lines))


def test_a_broken_cassette_is_replaced_by_an_explicit_word_only():
    """The message on a broken cassette says what is wrong, and never proposes `record`, which keeps it."""
    text = unreadable("a.json", "is not JSON", RECORD)
    assert text.splitlines()[0] == "the cassette a.json is not JSON"
    assert f"{RECORD} --dust-mode=rerecord" in text
    assert "--dust-mode=record" not in text
