"""Characters that are invisible or look alike are escaped where it matters, and only there."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

import pytest
from answers import bounded
from hypothesis import example, given
from hypothesis import strategies as st
from stages import ON_CHANGE, Stage, last

from conftest import SUPPORT, suite
from pytest_dust.characters import apart, escape_that_tells, in_ascii, looks, safe, safe_name
from pytest_dust.model import Change, Comparison
from pytest_dust.report.from_outcome import comparison_record
from pytest_dust.report.full import full
from pytest_dust.report.values import contrast
from pytest_dust.report.words import by_words

NBSP, ZERO, TAG, MARK = "\u00a0", "\u200b", "\U000e0041", "\u0301"


@pytest.fixture
def stage(project, server):
    """A service whose runs the test writes."""
    return Stage(project, server)


# ── always ───────────────────────────────────────────────────────────────────────────────────────

ORDINARY = {
    "accents": "Où est l'été ? Çà et là, naïve Ærøskøbing, Ĝis la revido",
    "loose accents": "cafe\u0301 a\u0308",
    "German and Polish": "Straße, Zażółć gęślą jaźń",
    "Greek and Cyrillic": "Καλημέρα κόσμε. Съешь ещё этих мягких булок",
    "Chinese, Japanese, Korean": "订单已发货。返金は五日以内です。 안녕하세요",
    "a variant of an ideograph": "葛\U000e0100城",
    "Arabic": "متى سيصل طردي؟",
    "Persian": "می\u200cخواهم",
    "Hebrew": "איפה החבילה שלי?",
    "Hindi": "नमस्ते, मेरा पैकेज कहाँ है? क्\u200dष",
    "Thai": "สวัสดีครับ พัสดุของฉันอยู่ที่ไหน",
    "French blanks": "Bonjour\u00a0! 5\u202f000\u00a0€",
    "emoji": "😀 ❤️ 👍🏽 ☺️ ✔︎ ©️ 🇫🇷 1️⃣ #️⃣",
    "emoji in sequence": "👩\u200d💻 👨\u200d👩\u200d👧 🏳️\u200d🌈 🤷🏽\u200d♀️",
    "flags of tags": "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "Mongolian": "ᠮᠣᠩᠭᠣᠯ\u180b",
    "signs": "½ × 10⁵ ≤ → “quoted” – it’s … ™",
}


@pytest.mark.parametrize("text", ORDINARY.values(), ids=ORDINARY)
def test_ordinary_text_stays_readable(text):
    """Text of any language, with its marks, joiners, emoji and blanks, is not escaped."""
    assert safe(text) == text
    assert contrast(text, f"{text} etc.")[0] == json.dumps(text, ensure_ascii=False)


DECEIVING = {
    "a control": ("\x1b[2J", r"\u001b[2J"),
    "a line break": ("a\nb", r"a\u000ab"),
    "right to left": ("\u202eabc\u202c", r"\u202eabc\u202c"),
    "an isolate": ("\u2066abc\u2069", r"\u2066abc\u2069"),
    "marks of direction": ("a\u200e\u200f\u061cb", r"a\u200e\u200f\u061cb"),
    "zero width": ("a\u200b\u2060\ufeffb", r"a\u200b\u2060\ufeffb"),
    "a joiner between letters": ("ad\u200dmin\u200c", r"ad\u200dmin\u200c"),
    "a joiner behind an emoji": ("😀\u200d!", r"😀\u200d!"),
    "a soft hyphen": ("re\u00adfund", r"re\u00adfund"),
    "tags": ("hi\U000e0068\U000e0069", r"hi\udb40\udc68\udb40\udc69"),
    "tags behind a flag": ("🏴\U000e0068\U000e007f", r"🏴\udb40\udc68\udb40\udc7f"),
    "a selector behind a letter": ("a\ufe0fb", r"a\ufe0fb"),
    "many selectors": ("😀\ufe0f\ufe01\U000e0105", "😀\ufe0f" + r"\ufe01\udb40\udd05"),
    "a filler": ("a\u3164\u115fb", r"a\u3164\u115fb"),
    "an invisible sign": ("2\u2062x", r"2\u2062x"),
    "half a pair": ("\ud83d", r"\ud83d"),
    "no character": ("\uffff\ufdd0", r"\uffff\ufdd0"),
    "an annotation": ("\ufff9a\ufffab\ufffb", r"\ufff9a\ufffab\ufffb"),
}


@pytest.mark.parametrize(("text", "shown"), DECEIVING.values(), ids=DECEIVING)
def test_what_deceives_is_always_escaped(text, shown):
    """Characters that control a terminal, are invisible, or turn the direction are always escaped."""
    assert safe(text) == shown
    assert json.loads(f'"{shown}"') == text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("CLASSIFY", "CLASSIFY"),
        ("Réponse 答え", "Réponse 答え"),
        ("नमस्ते", "नमस्ते"),
        (f"A{NBSP}B", r"A\u00a0B"),
        (f"e{MARK}", r"e\u0301"),
        (f"A{ZERO}", r"A\u200b"),
    ],
)
def test_names_hide_nothing(name, shown):
    """In a name, unusual blanks and combining accents are escaped too."""
    assert safe_name(name) == shown


# ── where it is what differs ─────────────────────────────────────────────────────────────────────

PAIRS = {
    "a no-break space": ("a b", f"a{NBSP}b", "a b", r"a\u00a0b"),
    "two odd blanks": (f"a{NBSP}b", "a\u2009b", r"a\u00a0b", r"a\u2009b"),
    "forms of an accent": ("café", f"cafe{MARK}", "café", r"cafe\u0301"),
    "the order of marks": ("ê\u0323", "e\u0323\u0302", None, None),
    "signs of one letter": ("\u00c5", "\u212b", r"\u00c5", r"\u212b"),
    "a Cyrillic letter": ("paypal", "p\u0430ypal", "paypal", r"p\u0430ypal"),
    "a Greek letter": ("O", "\u039f", "O", r"\u039f"),
    "a hyphen": ("e-mail", "e\u2011mail", "e-mail", r"e\u2011mail"),
    "a quote": ("it's", "it\u2019s", "it's", r"it\u2019s"),
    "a selector": ("❤", "❤\ufe0f", "❤", r"❤\ufe0f"),
    "a joiner of emoji": ("👩\u200d💻", "👩💻", r"👩\u200d💻", "👩💻"),
    "a joiner of letters": ("می\u200cخواهم", "میخواهم", r"می\u200cخواهم", "میخواهم"),
    "among accents": (f"déjà vu{NBSP}!", "déjà vu !", r"déjà vu\u00a0!", "déjà vu !"),
    "beside another difference": (f"à{NBSP}b c", "à b d", r"à\u00a0b c", "à b d"),
}


@pytest.mark.parametrize(("old", "new", "old_shown", "new_shown"), PAIRS.values(), ids=PAIRS)
def test_what_looks_the_same_is_told_apart(old, new, old_shown, new_shown):
    """Two texts that look the same are shown with the differing characters escaped, and no others."""
    shown = apart(old, new)
    assert reader(shown[0]) != reader(shown[1])
    if old_shown is not None:
        assert shown == (old_shown, new_shown)
    assert apart(new, old) == shown[::-1]


VISIBLE = [
    ("été", "hiver"),
    ("café", "cafe"),
    ("नमस्ते", "नमस्कार"),
    ("สวัสดี", "สวัสดีครับ"),
    ("👩\u200d💻", "👨\u200d💻"),
    ("👍🏽", "👍🏿"),
    ("שלום", "שלומות"),
    ("можно", "нельзя"),
    ("①", "1"),
]


@pytest.mark.parametrize(("old", "new"), VISIBLE)
def test_what_looks_different_is_not_escaped(old, new):
    """Two texts that look different are not escaped."""
    assert apart(old, new) == (old, new)


@pytest.mark.parametrize(
    ("part", "whole", "escape"),
    [
        ("days", "five days", safe),
        ("weeks", "five days", safe),
        ("working days", f"five working{NBSP}days", None),
        (f"cafe{MARK}", "un café", None),
        ("refund", "re\u0192fund", safe),
        ("paypal", "p\u0430ypal", in_ascii),
    ],
)
def test_why_a_text_is_no_part_of_another(part, whole, escape):
    """If only invisible or similar characters keep a text from being part of another, both are escaped."""
    found = escape_that_tells(part, whole)
    assert found is escape or escape is None
    if escape is not safe:
        assert looks(found(part)) not in looks(found(whole))


# ── properties ───────────────────────────────────────────────────────────────────────────────────


def reader(text: str) -> str:
    """Give a text as it looks: nothing invisible, all blanks alike, accents on letters."""
    seen = "".join(char for char in text if unicodedata.category(char) not in ("Cf", "Cc", "Cs"))
    seen = re.sub("[\ufe00-\ufe0f\U000e0100-\U000e01ef\u034f\u3164\u115f\u1160\uffa0]", "", seen)
    seen = "".join(" " if unicodedata.category(char) == "Zs" else char for char in seen)
    return unicodedata.normalize("NFC", seen)


ASCII = ["a", "b", "e", " ", "  ", "\n", "\t", "\r\n", "\\", "\\u00a0", "\\n", "'", '"']
ODD = ["é", MARK, "\u0323", NBSP, "\u3000", ZERO, "\u200d", "\u202e", TAG, "\ufe0f", "\u00ad", "\ud83d"]
OTHER = ["😀", "👩", "❤", "न", "ि", "ا", "\u0430", "\u2019"]
pieces = st.sampled_from([*ASCII, *ODD, *OTHER])
texts = st.lists(pieces, max_size=12).map("".join)
long_texts = st.builds(lambda word, count, text: f"{word} " * count + text, texts, st.integers(0, 60), texts)


@bounded
@given(texts | long_texts, texts | long_texts)
@example("a", "a\u200b")
@example("x" * 300, "x" * 300 + NBSP)
@example("\u200b\u200b\u200b\u200b\ta " * 6, "\u200b\u200b\u200b\u200b\ta " * 6 + "a")
def test_two_texts_never_look_the_same(old, new):
    """Any two different texts look different in a report."""
    if old != new:
        for shown in (contrast(old, new), contrast([old], [new]) if len(old) + len(new) < 150 else ("", "x")):
            assert reader(shown[0]) != reader(shown[1])


@bounded
@given(texts, texts, st.integers(0, 5))
def test_words_that_differ_never_look_the_same(one, other, at):
    """In a diff by words, the removed and the added words never look the same."""
    words = [f"word{n}" for n in range(20)]
    old, new = (" ".join([*words[:at], text, *words[at:]]) for text in (one, other))
    told = by_words(old, new)
    if old == new:
        assert told == ""
    for removed, added in re.findall(r"\[-(.*?)-\]\{\+(.*?)\+\}", told):
        assert reader(removed) != reader(added)
    assert told == "" or re.search(r"\[-.+-\]|\{\+.+\+\}", told)
    assert safe(told) == told


@bounded
@given(texts, texts)
def test_lines_of_a_diff_never_look_the_same(old, new):
    """In a diff file, the lines of two different texts never all look the same."""
    comparison = Comparison("2026-11-25", (Change(("result",), old, new),), (), 1)
    lines = list(full("a.dust.yaml::c", comparison_record(comparison)))
    sides = [[line[2:] for line in lines if line.startswith(sign)] for sign in ("- ", "+ ")]
    if old != new:
        assert [*map(reader, sides[0])] != [*map(reader, sides[1])]
    assert all(safe(line) == line for line in lines)


@bounded
@given(st.text() | texts)
def test_a_safe_text_is_safe(text):
    """A safe text has no deceiving characters, and making it safe again changes nothing."""
    shown = safe(text)
    assert safe(shown) == shown
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in shown)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f\ufeff]", shown)


# ── white space ──────────────────────────────────────────────────────────────────────────────────

TEXT = "A refund takes up to five working days, and invoices are on the page of your account, as ever."
SPACES = {
    "two blanks": (TEXT.replace("up to", "up  to"), r"takes up [-to-]{+\u0020\u0020to+} five"),
    "a tab": (TEXT.replace(" up", "\tup"), r"refund takes [-up-]{+\tup+} to"),
    "a new line": (TEXT.replace(" and", "\nand"), r"days, [-and-]{+\nand+} invoices"),
    "a no-break space": (TEXT.replace("five ", f"five{NBSP}"), r"to five [-working-]{+\u00a0working+} days"),
    "a line at the end": (f"{TEXT}\n", r"as ever. {+\n+}"),
    "a blank at the end": (f"{TEXT} ", r"as ever. {+\u0020+}"),
    "a blank at the beginning": (f" {TEXT}", r"[-A-]{+\u0020\u0020A+} refund"),
    "an escape as text": (TEXT.replace("five", r"f\nve"), r"to [-five-]{+f\\nve+} working"),
}


@pytest.mark.parametrize(("new", "shown"), SPACES.values(), ids=SPACES)
def test_white_space_that_differs_is_shown(new, shown):
    """White space in which two texts differ is escaped."""
    assert shown in by_words(TEXT, new)


def test_other_line_ends_are_shown():
    """Of different line ends, the first are shown and the rest are counted."""
    lines = "".join(f"line {at} of a letter\n" for at in range(12))
    told = by_words(lines, lines.replace("\n", "\r\n"))
    assert r"of a letter [-\nline-]{+\r\nline+} 1" in told
    assert told.endswith("more")


# ── in a session ─────────────────────────────────────────────────────────────────────────────────

LONG = f"{TEXT} {TEXT}"
LIVE: dict[str, tuple[str, str, str]] = {
    "no-break": ("five days", f"five{NBSP}days", r'"five days" → "five\u00a0days"'),
    "zero-width": ("billing", f"billing{ZERO}", r'"billing" → "billing\u200b"'),
    "accent": ("café", f"cafe{MARK}", r'"café" → "cafe\u0301"'),
    "tag": ("ok", f"ok{TAG}", r'"ok" → "ok\udb40\udc41"'),
    "long": (LONG, LONG.replace(" up", f"{NBSP}up", 1), r"takes [-up-]{+\u00a0up+} to five"),
    "long-blanks": (LONG, LONG.replace("  ", " ").replace(" up", "  up", 1), r"[-up-]{+\u0020\u0020up+}"),
    "readable": ("👩\u200d💻 déjà", "👨\u200d💻 déjà", '"👩\u200d💻 déjà" → "👨\u200d💻 déjà"'),
}


def test_a_report_shows_what_differs(stage):
    """A change of invisible characters is shown in the report and in the diff file."""
    pairs = {name: (last(old), last(new)) for name, (old, new, _) in LIVE.items()}
    result = stage.play(pairs, ON_CHANGE, "--dust-diff-dir=d")
    assert result.outcomes == {"failed": len(LIVE)}
    for name, (_, _, shown) in LIVE.items():
        report = result.report.partition(f"s.dust.yaml::{name} ")[2].partition("\n____")[0]
        assert shown in report
        diff = result.example.files[f"d/s/{name}.diff"].decode()
        old, new = (re.findall(rf"^\{sign} (.*)$", diff, re.MULTILINE) for sign in "-+")
        assert reader("\n".join(old)) != reader("\n".join(new))
    assert r'result "five days" → "five\u00a0days" (on_change: fail)' in result.out


EXPECTED: dict[str, tuple[Any, str, str, str]] = {
    "equals": (f'"five{NBSP}days"', "five days", r'"five\u00a0days"', '"five days"'),
    "contains": (
        "{contains: working days}",
        f"in 5 working{NBSP}days",
        'contains "working days"',
        r'"in 5 working\u00a0days"',
    ),
    "starts": ("{starts_with: caf\u00e9}", f"cafe{MARK} noir", 'starts_with "café"', r'"cafe\u0301 noir"'),
    "one-of": (
        "{one_of: [paypal, stripe]}",
        "p\u0430ypal",
        'one_of ["paypal", "stripe"]',
        r'"p\u0430ypal"',
    ),
    "in-list": ("{contains: a b}", f'["a{NBSP}b"]', 'contains "a b"', r'["a\u00a0b"]'),
    "bidi": ("billing", "\u202ebilling", '"billing"', r'"\u202ebilling"'),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_an_expectation_shows_what_differs(stage, name):
    """The expected and the actual value of a failed expectation never look the same."""
    expect, given_, expected, actual = EXPECTED[name]
    value = json.loads(given_) if given_.startswith("[") else given_
    result = stage.play({"c": (last(value), last(value))})
    example = result.example.replacing("s.dust.yaml", "{status: {type: string}}", f"{{result: {expect}}}")
    report = example.offline().run().report
    assert f"expected  {expected}\n" in report
    assert f"actual    {actual}\n" in report


def test_names_in_a_report_hide_nothing(stage):
    """Invisible characters in the names of blocks and keys are escaped."""
    old, new = ({f"a{NBSP}b": {f"k{ZERO}": at}} for at in (1, 2))
    pairs = {"c": (last(old), last(new))}
    result = stage.play(pairs, ON_CHANGE)
    assert r'output."a\u00a0b"."k\u200b"   1 → 2' in result.report
    assert NBSP not in result.out


def test_the_service_cannot_deceive(one, server):
    """Invisible characters in an error of the service are escaped."""
    said = f"re\u00adfused \u202edetrevni{ZERO}{TAG}"
    server.say(json.dumps({"error": {"type": "x", "message": said}}), status=400)
    result = one.run("--dust-mode=record", "--junitxml=out.xml")
    assert r"re\u00adfused \u202edetrevni\u200b\udb40\udc41" in result.report
    assert not re.search(f"[\u00ad\u202e{ZERO}{TAG}]", result.out)


def test_a_mistake_of_a_suite_shows_what_hides(project, server):
    """A wrong key of a suite that looks like a right one is shown with its invisible characters escaped."""
    text = suite(server, SUPPORT, f"input: {{question: Hi}}\nexp{ZERO}ect: {{status: succeeded}}\n")
    result = project.having({"a.dust.yaml": text}).run()
    assert r'unknown key "exp\u200bect"' in result.out
    assert ZERO not in result.out


def test_ids_of_rows_hide_nothing(project, server):
    """Two rows whose ids look the same give two cases whose ids do not, each with its own cassette."""
    ids = ["a b", f"a{NBSP}b", "é", f"e{MARK}", "x", f"x{ZERO}", "x\ufe0f", "\u202ex", "日本"]
    rows = "".join(json.dumps({"id": id_, "question": "refund"}) + "\n" for id_ in ids)
    case = "cases:\n  - id: q\n    dataset: q.jsonl\n    input: {question: Hi}\n"
    example = project.having({"a.dust.yaml": suite(server, SUPPORT, case), "q.jsonl": rows}).using(server)
    result = example.run("--co", "-q")
    names = re.findall(r"::(q\[.*\])$", result.out, re.MULTILINE)
    assert len({reader(name) for name in names}) == len(ids)
    assert {"q[a b]", "q[é]", "q[x]", "q[日本]"} <= set(names)
    assert all(safe_name(name) == name for name in names)
    recorded = example.run("--dust-mode=record")
    assert len(recorded.example.cassettes) == len(ids)


def test_the_list_of_apps_hides_nothing(project, server):
    """Invisible characters in the name of a listed app are escaped."""
    listed = {"apps": [{"sId": "a1", "name": f"Sup{ZERO}port{NBSP}\u202eppa", "savedSpecification": None}]}
    server.say(json.dumps(listed))
    result = project.using(server).run("--dust-apps")
    assert r"Sup\u200bport\u00a0\u202eppa" in result.out
