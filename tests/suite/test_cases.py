"""Suite files: every mistake named with its place, and good files as cases.

`broken/NAME.dust.yaml` holds one mistake, `broken/NAME.expected` the whole text its author reads. After a
message was changed on purpose, `UPDATE_GOLDEN=1 pytest tests/suite/test_cases.py` writes the texts anew:
read the diff.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_dust.checks import expectation
from pytest_dust.checks.expectation import SUCCEEDS
from pytest_dust.constants import SUITE_SUFFIX
from pytest_dust.errors import SuiteError
from pytest_dust.model import App, Case, Flavor, Mark, Place
from pytest_dust.suite import cases as suite
from pytest_dust.suite import references

BROKEN = Path(__file__).with_name("broken")
NAMES = sorted(path.name.removesuffix(SUITE_SUFFIX) for path in BROKEN.glob(f"*{SUITE_SUFFIX}"))
ENVIRON = {"DUST_SPACE_ID": "vlt_support", "DUST_EMPTY": "", "DUST_API_KEY": "sk-very-secret"}
LOOK_UP = references.environment(ENVIRON, frozenset())
HASH = "8c0a4e6d2f" * 6 + "1b3d"
HEAD = f"app: {{id: 9f1d3b5a7c}}\nspecification_hash: {HASH}\n"
REFUND = "  - id: refund\n    input: {question: Where is my refund?}\n"
ONE = "cases:\n" + REFUND
GOOD = HEAD + ONE


def cases(text: str | bytes, file: str = "answer.dust.yaml") -> list[Case]:
    """Give the cases of a suite file with this text."""
    return suite.load(text if isinstance(text, bytes) else text.encode(), file, LOOK_UP)


def mistakes(text: str | bytes, file: str = "answer.dust.yaml") -> str:
    """Give the messages of a suite file's mistakes, one a line, without excerpts of the file."""
    with pytest.raises(SuiteError) as caught:
        cases(text, file)
    return "\n".join(problem.line(file) for problem in caught.value.problems)


def only(text: str | bytes, file: str = "answer.dust.yaml") -> Case:
    """Give the one case of a suite file."""
    (case,) = cases(text, file)
    return case


def lines(text: str) -> list[str]:
    """Give the lines of a text as YAML counts them."""
    return re.split("\r\n|[\r\n\x85\u2028\u2029]", text.removeprefix("\ufeff"))


def inside(text: str, place: Place) -> bool:
    """Tell whether a place is in the text, or right behind the end of one of its lines."""
    return any(
        1 <= place.line <= len(rows) and 1 <= place.column <= len(rows[place.line - 1]) + 1
        for rows in (lines(text), text.splitlines() or [""], text.split("\n"))
    )


# ── mistakes ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", NAMES)
def test_a_mistake_has_its_golden_text(name: str) -> None:
    """Each broken suite of the corpus has exactly the error text of its golden file."""
    with pytest.raises(SuiteError) as caught:
        cases((BROKEN / f"{name}.dust.yaml").read_bytes(), f"{name}.dust.yaml")
    told = f"{caught.value}\n"
    golden = BROKEN / f"{name}.expected"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(told, encoding="utf-8")
    assert told == golden.read_text(encoding="utf-8")


def test_every_golden_text_belongs_to_a_file() -> None:
    """Every golden text belongs to a broken suite."""
    assert sorted(path.stem for path in BROKEN.glob("*.expected")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_mistake_is_inside_its_file(name: str) -> None:
    """Each mistake of the corpus has a line and column in its file, or right behind a line."""
    source = (BROKEN / f"{name}.dust.yaml").read_bytes()
    with pytest.raises(SuiteError) as caught:
        cases(source)
    assert all(inside(source.decode(), problem.place) for problem in caught.value.problems)


def test_mistakes_come_sorted_and_each_once() -> None:
    """A mistake in what cases share is reported once, and mistakes are in the order of the file."""
    told = mistakes(HEAD + "expect: {reslut: 1}\ncases:\n" + REFUND + REFUND.replace("refund", "Again", 1))
    places = [tuple(map(int, line.split(":")[1:3])) for line in told.splitlines()]
    assert len(places) == 2
    assert places == sorted(places)


def test_no_mistake_shows_the_key() -> None:
    """The API key is in no error text, whatever refers to it."""
    assert "sk-very-secret" not in mistakes(GOOD + "    description: ${env.DUST_API_KEY}\n")


def test_an_empty_text_is_said_to_be_empty() -> None:
    """The message about an empty text is not `text, not text`."""
    told = mistakes(GOOD.replace("id: refund", 'id: ""'))
    assert "text, not text" not in told
    assert "empty" in told


def test_an_alias_bomb_in_a_filled_text_stays_small() -> None:
    """A mistake in a text that many aliases repeat is reported once."""
    config = "config:\n  A: &a {x: '${env.HOME}'}\n" + "".join(f"  B{at}: *a\n" for at in range(500))
    assert len(mistakes(HEAD + config + ONE).splitlines()) == 1


# ── bytes and names ──────────────────────────────────────────────────────────────────────────────


def test_a_file_of_nine_megabytes_is_refused() -> None:
    """A file that is too large is refused unread, with the allowed size."""
    told = mistakes(GOOD + "#" * (9 * 1024 * 1024))
    assert told.startswith("answer.dust.yaml:1:1: the file has more than 8 MB, which no suite may have")


@pytest.mark.parametrize(
    "source",
    [b"\x00\x01\x02\x03", b"\x7fELF\x02\x01\x01\x00", b"PK\x03\x04 \x14", bytes(range(128)), b"\x1f\x8b\x08"],
    ids=["zeros", "elf", "zip", "ascii", "gzip"],
)
def test_binary_junk_is_one_mistake(source: bytes) -> None:
    """A binary file is one mistake of one line, which shows nothing of its content."""
    told = mistakes(source)
    assert re.fullmatch(r"answer\.dust\.yaml:\d+:\d+: not [ -~]+", told)


@pytest.mark.parametrize("junk", ["\0", "\x1b[2J", "\x7f", "\u2028", "x" * 9_999 + ": : y"], ids=ascii)
def test_what_is_shown_of_a_file_is_safe_and_short(junk: str) -> None:
    """The excerpt under a mistake has no control character, and is bounded."""
    with pytest.raises(SuiteError) as caught:
        cases(f"{GOOD}    descripton: {junk}\n")
    assert all(len(line) < 500 for line in str(caught.value).split("\n"))
    assert all(letter.isprintable() for letter in str(caught.value) if letter != "\n")


def test_text_that_is_not_utf8_has_its_place() -> None:
    """The mistake is at the first byte that is not UTF-8, and says what to do."""
    told = mistakes(GOOD.encode() + b"    description: caf\xe9\n")
    assert told == "answer.dust.yaml:6:21: not UTF-8 text; save the file as UTF-8"


@pytest.mark.parametrize("before", ["äöü", "日本"], ids=["latin", "cjk"])
def test_the_column_of_a_wrong_byte_counts_characters(before: str) -> None:
    """The column of a byte that is not UTF-8 counts the characters before it, as every other column does."""
    told = mistakes(f"# {before}".encode() + b"\xff")
    assert told.startswith(f"answer.dust.yaml:1:{len(before) + 3}: ")


def test_a_byte_order_mark_is_read_over() -> None:
    """A byte order mark at the beginning of a file is ignored."""
    assert only(b"\xef\xbb\xbf" + GOOD.encode()).id == "refund"


@pytest.mark.parametrize("ending", ["\r\n", "\r"], ids=["windows", "old-mac"])
def test_line_endings_are_as_the_editor_writes_them(ending: str) -> None:
    """Any line ending is read, and counts as one line."""
    assert only(GOOD.replace("\n", ending)).place == Place(4, 5)


@pytest.mark.parametrize("file", [".dust.yaml", "...dust.yaml", "support/.dust.yaml"])
def test_a_file_without_a_name_is_refused(file: str) -> None:
    """A suite needs a name before its suffix, as it names the cassettes."""
    told = mistakes(GOOD, file)
    assert told == f"{file}:1:1: the file needs a name before .dust.yaml, such as answer.dust.yaml"


# ── good files ───────────────────────────────────────────────────────────────────────────────────


def test_a_case_carries_all_that_the_file_says() -> None:
    """A case has its own keys, its app, and the place where it begins."""
    case = only(
        f"""app: {{workspace: acme, space: "${{env.DUST_SPACE_ID}}", id: 9f1d3b5a7c}}
specification_hash: {HASH.upper()}
config: {{CLASSIFY: {{provider_id: openai, use_cache: false}}}}
cases:
  - id: refund
    description: A refund question goes to billing
    input: {{question: Where is my refund?, at: 12:30}}
    block_filter: [CLASSIFY, ANSWER, CLASSIFY]
    timeout: 30
    flavor: poll
    marks: [slow, {{xfail: model confuses greetings}}, {{owner: [ada, 3]}}]
    expect: {{status: succeeded, result.label: billing}}
"""
    )
    assert case == Case(
        id="refund",
        place=Place(5, 5),
        app=App("acme", "vlt_support", "9f1d3b5a7c"),
        specification_hash=HASH,
        config={"CLASSIFY": {"provider_id": "openai", "use_cache": False}},
        inputs=[{"question": "Where is my refund?", "at": "12:30"}],
        plural=False,
        at=("cases", 0),
        block_filter=("CLASSIFY", "ANSWER"),
        flavor=Flavor.POLL,
        timeout=30.0,
        marks=(
            Mark("slow", (), (), Place(11, 13)),
            Mark("xfail", (), (("reason", "model confuses greetings"),), Place(11, 20)),
            Mark("owner", ("ada", 3), (), Place(11, 55)),
        ),
        expect=case.expect,
        description="A refund question goes to billing",
        pin_line=2,
    )
    assert [one.path for one in case.expect] == ["status", "result.label"]


def test_a_file_without_cases_is_one_case_named_after_it() -> None:
    """The short form: input and expect at the top make a case with the file's name."""
    case = only(
        HEAD + "input: {question: Hi}\nexpect: {result: 1}\nmarks: [slow]\n", "support/greeting.dust.yaml"
    )
    assert (case.id, case.plural, case.inputs) == ("greeting", False, [{"question": "Hi"}])
    assert [mark.name for mark in case.marks] == ["slow"]
    assert [one.path for one in case.expect] == ["status", "result"]


def test_inputs_are_plural() -> None:
    """A case with inputs has them all, and is plural even with one."""
    case = only(HEAD + "inputs: [{question: Hi}]\n")
    assert case.plural
    assert case.inputs == [{"question": "Hi"}]


def test_latest_is_a_hash() -> None:
    """The hash may be `latest`."""
    assert only(GOOD.replace(HASH, "latest")).specification_hash == "latest"


def test_workspace_and_space_may_be_left_to_the_settings() -> None:
    """An app needs only its id."""
    assert only(GOOD).app == App(None, None, "9f1d3b5a7c")


@pytest.mark.parametrize("id_", ["007", "12", "1e5", "1.0", "0x1f", "1_000", "2026-11-02", "no", "null-case"])
def test_a_case_id_may_look_like_something_else(id_: str) -> None:
    """An id is the text in the file, even if it looks like a number, a date or a word."""
    assert only(GOOD.replace("refund", id_, 1)).id == id_


@pytest.mark.parametrize("id_", ["1234567e89", "1234567890", "0000000000", "12e4567890"])
def test_an_app_id_may_look_like_a_number(id_: str) -> None:
    """An app's id is the text in the file, even if its hex digits are a number."""
    assert only(GOOD.replace("9f1d3b5a7c", id_)).app.id == id_


def test_a_hash_may_look_like_a_number() -> None:
    """A hash of decimal digits alone is its text."""
    assert only(GOOD.replace(HASH, "12" * 32)).specification_hash == "12" * 32


@pytest.mark.parametrize(
    ("shared", "own", "merged"),
    [
        ("{A: {x: 1}}", "{B: {y: 2}}", {"A": {"x": 1}, "B": {"y": 2}}),
        ("{A: {x: 1, z: 3}}", "{A: {x: 2}}", {"A": {"x": 2, "z": 3}}),
        ("{A: {x: {a: 1}}}", "{A: {x: {b: 2}}}", {"A": {"x": {"b": 2}}}),
        ("{A: {x: 1}}", "{A: {x: null}}", {"A": {"x": None}}),
        ("{A: {x: 1}}", "{}", {"A": {"x": 1}}),
        ("{}", "{A: {x: 1}}", {"A": {"x": 1}}),
    ],
    ids=["blocks", "keys", "values-whole", "null-wins", "nothing-own", "nothing-shared"],
)
def test_config_merges_block_by_block_and_key_by_key(shared: str, own: str, merged: Any) -> None:
    """A case's config adds blocks to its suite's, and keys to a block's; a key's value is replaced whole."""
    assert only(HEAD + f"config: {shared}\n{ONE}    config: {own}\n").config == merged


def test_one_case_does_not_change_another() -> None:
    """The keys of one case have no effect on another."""
    text = (
        HEAD + "config: {A: {x: 1}}\n" + ONE + "    config: {A: {x: 2}}\n" + REFUND.replace("refund", "b", 1)
    )
    assert [case.config for case in cases(text)] == [{"A": {"x": 2}}, {"A": {"x": 1}}]


def test_expect_of_the_case_wins_key_by_key() -> None:
    """The suite's expectations are for every case; a case overrides them key by key."""
    case = only(
        HEAD + "expect: {result.a: 1, result.b: 2}\n" + ONE + "    expect: {result.b: 3, result.c: 4}\n"
    )
    found = {one.path: one.matchers for one in case.expect if one is not SUCCEEDS}
    assert found == {
        path: expectation.read(path, value, plural=False).matchers
        for path, value in [("result.a", 1), ("result.b", 3), ("result.c", 4)]
    }


@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["unix", "windows"])
def test_an_expectation_knows_its_line(ending: str) -> None:
    """An expectation has the line of its key, in the suite or the case; an implied one has none."""
    text = f"""{HEAD}
expect: {{usage: {{exists: true}}, result.a: 1}}
cases:
  - id: x
    input: {{}}
    expect:
      "result.a": [
        2]
      ? result.b
      : {{gt: 1}}
"""
    held = only(text.replace("\n", ending)).expect
    assert [(one.path, one.line) for one in held] == [
        ("status", 0),
        ("usage", text[: text.index("usage")].count("\n") + 1),
        ("result.a", text[: text.index('"result.a"')].count("\n") + 1),
        ("result.b", text[: text.index("result.b")].count("\n") + 1),
    ]


def test_a_case_knows_the_line_of_its_hash() -> None:
    """A case has the line on which its version is pinned: in its suite, or at its own key."""
    one, other = cases(f"{GOOD}  - id: own\n    input: {{}}\n    specification_hash: latest\n")
    assert (one.pin_line, other.pin_line) == (2, GOOD.count("\n") + 3)


def test_an_expectation_behind_an_alias_has_the_line_that_it_is_written_on() -> None:
    """Of an `expect` that an alias repeats, an expectation has the line at the anchor."""
    one, other = cases(
        f"{HEAD}cases:\n  - id: x\n    input: {{}}\n    expect: &held\n      result: 1\n"
        "  - id: y\n    input: {}\n    expect: *held\n"
    )
    assert one.expect[-1].line == other.expect[-1].line == HEAD.count("\n") + 5


def test_marks_add_up() -> None:
    """A case has its suite's marks and its own."""
    case = only(HEAD + "marks: [slow]\n" + ONE + "    marks: [{skip: broken}]\n")
    assert [mark.name for mark in case.marks] == ["slow", "skip"]


def test_a_mark_takes_keyword_arguments() -> None:
    """A mark written with a mapping has its entries as keyword arguments."""
    case = only(HEAD + ONE + "    marks: [{flaky: {reruns: 2, reruns_delay: 1}}]\n")
    assert [(mark.args, mark.kwargs) for mark in case.marks] == [((), (("reruns", 2), ("reruns_delay", 1)))]


@pytest.mark.parametrize(
    ("key", "shared", "own", "attribute"),
    [
        ("timeout", "10", "20", 20.0),
        ("specification_hash", "latest", "f" * 64, "f" * 64),
        ("block_filter", "[A]", "[B]", ("B",)),
        ("flavor", "stream", "poll", Flavor.POLL),
    ],
)
def test_a_case_overrides_its_suite(key: str, shared: str, own: str, attribute: Any) -> None:
    """Timeout, hash, filter and flavor of a case override its suite's."""
    head = "app: {id: a}\nspecification_hash: latest\n".replace(
        "specification_hash: latest\n", "", key[0] == "s"
    )
    text = f"{head}{key}: {shared}\n{ONE}    {key}: {own}\n{REFUND.replace('refund', 'b', 1)}"
    first, second = cases(text)
    assert getattr(first, key) == attribute
    assert getattr(second, key) != attribute
    assert getattr(second, key) is not None


@pytest.mark.parametrize(
    ("written", "flavor"), [("", "blocking"), *((f"flavor: {one}", one) for one in Flavor)]
)
def test_a_flavor_is_one_of_three(written: str, flavor: str) -> None:
    """A case has the flavor that its file names, blocking by default."""
    assert only(f"{GOOD}    {written}\n").flavor is Flavor(flavor)


@pytest.mark.parametrize("empty", ['""', "''"])
def test_no_advice_makes_another_mistake(empty: str) -> None:
    """The advice for a required key is not to leave it out."""
    assert "leave it out" not in mistakes(GOOD.replace("id: refund", f"id: {empty}"))
    assert "leave it out" not in mistakes(GOOD.replace("id: 9f1d3b5a7c", f"id: {empty}"))
    assert "leave it out" in mistakes(GOOD.replace("{id: 9f", f"{{space: {empty}, id: 9f"))


def test_an_empty_list_is_not_said_to_be_no_list() -> None:
    """The message about an empty list is not `a list, not a list`."""
    told = mistakes(HEAD + "cases: []\n")
    assert told.endswith("not an empty list")


def test_only_the_cases_may_have_a_hash() -> None:
    """A suite needs no hash if each case has one."""
    assert only(f"app: {{id: a}}\n{ONE}    specification_hash: latest\n").specification_hash == "latest"


@pytest.mark.parametrize(
    ("expect", "implied"),
    [
        ("", True),
        ("expect: {result: 1}", True),
        ("expect: {blocks.A.status: errored}", True),
        ("expect: {usage.total_tokens: {lte: 3}}", True),
        ("expect: {status: succeeded}", False),
        ("expect: {status: errored}", False),
        ("expect: {error: {contains: quota}}", False),
        ("expect: {'contains(error, ''quota'')': true}", False),
        ("expect: {'[status]': [errored]}", False),
        ("expect: {'!error': true}", False),
    ],
)
def test_success_is_implied_unless_status_or_error_is_named(expect: str, implied: bool) -> None:
    """A case expects `status: succeeded` unless its expectations mention status or error."""
    found = only(GOOD + f"    {expect}\n").expect
    assert any(one is SUCCEEDS for one in found) is implied


def test_success_is_not_implied_where_the_suite_names_an_error() -> None:
    """An `error` in the suite's expect counts for every case."""
    (only_one,) = only(HEAD + "expect: {error: {exists: true}}\n" + ONE).expect
    assert only_one.path == "error"


def test_the_file_may_come_from_any_system() -> None:
    """The name of a single case is found behind slashes of either kind."""
    assert only(HEAD + "input: {}\n", "support\\greeting.dust.yaml").id == "greeting"


# ── whatever comes ───────────────────────────────────────────────────────────────────────────────

WORDS = st.sampled_from(
    [*suite.KEYS, "status", "result", "equals", "contains", "not", "type", "xfail", "a.b"]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | WORDS
    | st.sampled_from(["", "latest", HASH, "${env.DUST_SPACE_ID}", "${env.X}", "${", "(", "[::0]", "refund"])
)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=20,
)


def _reads_or_refuses(tree: Any) -> None:
    text = json.dumps(tree, ensure_ascii=False)
    told: SuiteError | None = None
    read: list[Case] = []
    try:
        read = cases(text)
    except SuiteError as error:
        told = error
    assert read or told
    if told is not None:
        assert told.problems
        assert all(inside(text, problem.place) for problem in told.problems)
        assert all(len(line) < 1_000 for line in str(told).splitlines())


@given(TREES)
@settings(max_examples=100, deadline=None)
def test_any_tree_gives_cases_or_mistakes_inside_the_file(tree: Any) -> None:
    """Any JSON value as YAML gives cases, or mistakes with places in the file."""
    _reads_or_refuses(tree)


@given(st.sampled_from([key for key in suite.KEYS if key != "cases"]), TREES, st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_value_of_a_key_gives_cases_or_mistakes_inside_the_file(
    key: str, value: Any, at_top: bool
) -> None:
    """Any JSON value of any key is read, or is a mistake with a place in the file."""
    case: dict[str, Any] = {"id": "refund", "input": {}}
    tree: dict[str, Any] = {"app": {"id": "a"}, "specification_hash": "latest", "cases": [case]}
    (tree if at_top else case)[key] = value
    _reads_or_refuses(tree)


@given(st.binary(max_size=60), st.integers(0, len(GOOD)), st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_any_bytes_give_cases_or_mistakes(junk: bytes, at: int, cut: int) -> None:
    """Any bytes, alone or within a good suite, give cases or a SuiteError."""
    good = GOOD.encode()
    for source in (junk, good[:at] + junk + good[at + cut :]):
        with suppress(SuiteError):
            assert cases(source)
