"""What accepted answers ask to be edited: which value goes where, and which is left to the user, and why."""

from __future__ import annotations

import pytest
from pending_suites import HEAD, NAME, NEW, OLD, SETTINGS, THIRD, PendingSuite

from pytest_dust.model import MISSING
from pytest_dust.run import wishes
from pytest_dust.run.wishes import Cell
from pytest_dust.suite import yaml_reader
from pytest_dust.suite.edits.suites import Insert, Replace
from pytest_dust.suite.edits.tables import SetCell

RESULT = {"label": "shipping", "count": 2, "parts": ["a", "b"], "more": {"k": "v"}, "none": None}
ROWS = (
    '{"id": "a", "label": "x", "want": {"parts": [1]}}\n{"id": "b", "label": "y", "want": {"parts": [2]}}\n'
)


@pytest.fixture
def suite(tmp_path):
    """A function that gives a suite on disk; its dataset has the rows `a` and `b`."""

    def make(cases, head=HEAD):
        return PendingSuite.having(tmp_path, {NAME: f"{head}cases:\n{cases}", "rows.jsonl": ROWS})

    return make


def wished(suite, id_, *results):
    """The wishes of a case for its failed expectations, with these results of its runs."""
    one = suite.waiting(id_, *results)
    return list(wishes.expectations(yaml_reader.read(suite.text), one, one.judged(SETTINGS)))


def case(expect, more=""):
    """A case with one input; its expectations are given in flow style."""
    return f"  - id: c\n    input: {{q: Hi}}\n{more}    expect: {expect}\n"


AT = ("cases", 0, "expect", "result.label")

# ── failed expectations ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("expect", "target"),
    [
        ("{result.label: billing}", Replace(AT, "shipping")),
        ("{result.label: {equals: billing}}", Replace((*AT, "equals"), "shipping")),
        ("{result.label: null}", Replace(AT, "shipping")),
        ("{result.label: [billing]}", Replace(AT, "shipping")),
        ("{result.label: {equals: {a: 1}}}", Replace((*AT, "equals"), "shipping")),
        ("{result.label: '$${row.label}'}", Replace(AT, "shipping")),
        ("{result.count: 1}", Replace((*AT[:3], "result.count"), 2)),
        ("{result.parts: [a]}", Replace((*AT[:3], "result.parts"), ["a", "b"])),
        ("{'result.parts[1]': a}", Replace((*AT[:3], "result.parts[1]"), "b")),
        ("{result.more: x}", Replace((*AT[:3], "result.more"), {"equals": {"k": "v"}})),
        ("{result.more: {equals: x}}", Replace((*AT[:3], "result.more", "equals"), {"k": "v"})),
        ("{result.none: x}", Replace((*AT[:3], "result.none"), None)),
        ("{blocks.ANSWER.output.label: x}", Replace((*AT[:3], "blocks.ANSWER.output.label"), "shipping")),
        ("{status: errored}", Replace((*AT[:3], "status"), "succeeded")),
    ],
)
def test_a_literal_gets_the_value_of_the_run(suite, expect, target):
    """The literal, alone or below `equals`, becomes what the path finds; a mapping goes below `equals`."""
    (wish,) = wished(suite(case(expect)), "c", RESULT)
    assert (wish.target, wish.reason) == (target, "")
    assert (wish.case, wish.name, wish.line) == ("c", target.path[3], 6)


@pytest.mark.parametrize(
    ("expect", "value", "reason"),
    [
        ("{result.label: {contains: bill}}", "shipping", "contains is no literal"),
        ("{result.label: {deepdiff: {to: bill}}}", "shipping", "deepdiff is no literal"),
        ("{result.label: {equals: x, length: 3}}", "shipping", "equals, length is no literal"),
        ("{result.label: {not: {equals: shipping}}}", "shipping", "not is no literal"),
        ("{result.gone: x}", MISSING, "the run has no such value"),
        ("{result.label: '${env.DUST_LABEL}'}", "shipping", "it is computed: ${env.DUST_LABEL}"),
        ("{result.parts: ['${env.DUST_LABEL}']}", ["a", "b"], "it holds references"),
        ("{result.label: 'x-${env.DUST_LABEL}'}", "shipping", "it is computed: x-${env.DUST_LABEL}"),
    ],
)
def test_what_is_no_literal_is_left_to_the_user(suite, expect, value, reason):
    """Matchers, computed values and paths that find nothing are listed with the new value and the reason."""
    (wish,) = wished(suite(case(expect)), "c", RESULT)
    assert (wish.value, wish.reason) == (value, reason)


def test_an_expectation_that_holds_is_no_wish(suite):
    """Only failed expectations are wished to be edited."""
    found = wished(suite(case("{result.label: shipping, result.count: 1, result.none: null}")), "c", RESULT)
    assert [wish.name for wish in found] == ["result.count"]


def test_the_status_that_the_suite_does_not_name_is_listed(suite):
    """An errored run fails the expectation of success, which is not written anywhere."""
    (wish,) = wished(suite(case("{result: null}")), "c", ValueError("no"))
    assert (wish.name, wish.value, wish.reason) == ("status", "errored", "it is not written in the suite")


def test_an_error_that_the_suite_names_is_edited(suite):
    """The error of a failed run is a value like any other."""
    (wish,) = wished(suite(case("{error: old}")), "c", ValueError("no"))
    assert wish.target == Replace(("cases", 0, "expect", "error"), "ANSWER (code): no")


def test_several_inputs_have_their_own_values(suite):
    """With `inputs`, a path names one of them, or all."""
    cases = case("{'results[1].label': x, 'results[*].count': [1, 2]}")
    found = wished(
        suite(cases.replace("input: {q: Hi}", "inputs: [{}, {}]")), "c", [{"label": "a", "count": 1}, RESULT]
    )
    assert [wish.target.value for wish in found] == ["shipping"]


def test_a_case_that_is_expected_to_fail_keeps_all(suite):
    """What a case marked xfail expects is what should come."""
    assert wished(suite(case("{result.label: x}", "    marks: [xfail]\n")), "c", RESULT) == []


def test_the_suites_own_expectation_is_edited_there(suite):
    """A value that the case inherits is edited where it is written."""
    head = f"{HEAD}expect:\n  result.label: billing\n"
    (wish,) = wished(suite("  - {id: c, input: {q: Hi}}\n", head), "c", RESULT)
    assert wish.target == Replace(("expect", "result.label"), "shipping")
    assert wish.line == 4


def test_a_masked_value_is_left_to_the_user(suite):
    """A value of which a part is masked is not written, unless the suite has it masked already."""
    (wish,) = wished(suite(case("{result.label: x}")), "c", {"label": "by ***"})
    assert wish.reason == "a part of the value is masked"
    (wish,) = wished(suite(case("{result.label: 'of ***'}")), "c", {"label": "by ***"})
    assert wish.reason == ""


@pytest.mark.parametrize(
    ("labels", "value", "reason"),
    [
        ("ssx", "s", ""),
        ("sss", "s", ""),
        ("xss", "s", ""),
        ("sxy", "s", "its attempts have different values"),
    ],
)
def test_attempts_must_agree(suite, labels, value, reason):
    """A repeated case gets the value that as many attempts have as must pass."""
    made = suite(case("{result.label: billing}", "    repeat: {runs: 3, min_pass: 2}\n"))
    (wish,) = wished(made, "c", *({"label": label} for label in labels))
    assert (wish.value, wish.reason) == (value, reason)


def test_attempts_agree_whatever_the_order_of_keys(suite):
    """Values with the same keys in another order are equal; `1` and `true` are not."""
    made = suite(case("{result.label: billing}", "    repeat: {runs: 2, min_pass: 2}\n"))
    (wish,) = wished(made, "c", {"label": {"a": 1, "b": 2}}, {"label": {"b": 2, "a": 1}})
    assert wish.reason == ""
    (wish,) = wished(made, "c", {"label": 1}, {"label": True})
    assert wish.reason == "its attempts have different values"


def rows(expect):
    """A case that is made of the rows of the dataset."""
    return f"  - id: r\n    dataset: rows.jsonl\n    input: {{q: Hi}}\n    expect: {expect}\n"


@pytest.mark.parametrize(
    ("expect", "cell"),
    [
        ("{result.label: '${row.label}'}", SetCell(1, ("label",), "shipping")),
        ("{result.label: '${ row.label }'}", SetCell(1, ("label",), "shipping")),
        ("{result.label: {equals: '${row.label}'}}", SetCell(1, ("label",), "shipping")),
        ("{result.parts: '${row.want.parts}'}", SetCell(1, ("want", "parts"), ["a", "b"])),
        ("{result.count: '${row.want.parts.0}'}", SetCell(1, ("want", "parts", "0"), 2)),
        ("{result.more: {equals: '${row.label}'}}", SetCell(1, ("label",), {"k": "v"})),
    ],
)
def test_a_reference_to_a_row_is_edited_in_the_dataset(suite, expect, cell):
    """A value that is one reference to the case's row becomes an edit of that cell."""
    (wish,) = wished(suite(rows(expect)), "r[a]", RESULT)
    assert wish.target == Cell("rows.jsonl", cell)
    assert wish.reason == ""


@pytest.mark.parametrize(
    ("expect", "reason"),
    [
        ("{result.label: 'a ${row.label}'}", "it is computed: a ${row.label}"),
        ("{result.label: '${row.label}${row.id}'}", "it is computed: ${row.label}${row.id}"),
        (
            "{result.more: '${row.label}'}",
            "a mapping alone would be one of matchers; compare with it by equals",
        ),
    ],
)
def test_a_text_around_a_reference_is_left_to_the_user(suite, expect, reason):
    """A text with a reference in it, or a mapping that would be one of matchers, is not edited."""
    (wish,) = wished(suite(rows(expect)), "r[a]", RESULT)
    assert wish.reason == reason


# ── pinned hashes ────────────────────────────────────────────────────────────────────────────────

PLAIN = "  - {id: p, input: {q: Hi}}\n"
OWN = f"  - {{id: o, specification_hash: {THIRD}, input: {{q: Hi}}}}\n"
MATRIX = "  - {id: m, matrix: {v: [x, y]}, input: {q: Hi}}\n"
TOGETHER = "one specification_hash is for all cases that are made here, so accept these too: "


def pinned(suite, accepted, kept=()):
    """The wishes for hashes: the cases, the target and the reason of each; `accepted` are versions by id."""
    waiting = {id_: suite.waiting(id_, RESULT, version=version) for id_, version in accepted.items()}
    cases = suite.source.cases({})
    found = wishes.pins(yaml_reader.read(suite.text), cases, waiting, kept)
    assert {wish.name for wish in found} <= {"specification_hash"}
    return [(wish.case, wish.target, wish.reason) for wish in found]


HASH = ("specification_hash",)
AT_PLAIN = ("p", Insert(("cases", 0), HASH[0], NEW), "")
AT_MATRIX = ("m[x]", Insert(("cases", 1), HASH[0], THIRD), "")


@pytest.mark.parametrize(
    ("cases", "accepted", "kept", "found"),
    [
        (PLAIN, {"p": OLD}, (), []),
        (PLAIN, {}, (), []),
        (PLAIN, {"p": NEW}, ("p",), [("p", Replace(HASH, NEW), "")]),
        (OWN, {"o": NEW}, (), [("o", Replace(("cases", 0, *HASH), NEW), "")]),
        (PLAIN + OWN, {"p": NEW}, ("p", "o"), [("p", Replace(HASH, NEW), "")]),
        (PLAIN + OWN, {"o": NEW}, ("p", "o"), [("o", Replace(("cases", 1, *HASH), NEW), "")]),
        (MATRIX, {"m[x]": NEW, "m[y]": NEW}, (), [(f"m[{v}]", Replace(HASH, NEW), "") for v in "xy"]),
        (PLAIN + MATRIX, {"p": NEW}, (), [("p", Replace(HASH, NEW), "")]),
        (PLAIN + MATRIX, {"p": NEW}, ("m[x]",), [("p", Insert(("cases", 0), HASH[0], NEW), "")]),
        (
            PLAIN + MATRIX,
            {"m[x]": NEW, "m[y]": NEW},
            ("p",),
            [(f"m[{v}]", Insert(("cases", 1), HASH[0], NEW), "") for v in "xy"],
        ),
        (MATRIX, {"m[x]": NEW}, ("m[y]",), [("m[x]", Insert(("cases", 0), HASH[0], NEW), f"{TOGETHER}m[y]")]),
        (PLAIN + MATRIX, {"p": NEW, "m[x]": THIRD}, (), [AT_PLAIN, AT_MATRIX]),
        (PLAIN + MATRIX, {"m[x]": THIRD}, ("p",), [AT_MATRIX]),
        (PLAIN + MATRIX, {"m[x]": THIRD}, ("p", "m[y]"), [(*AT_MATRIX[:2], f"{TOGETHER}m[y]")]),
        (PLAIN + MATRIX, {"m[x]": THIRD, "m[y]": OLD}, (), [(*AT_MATRIX[:2], f"{TOGETHER}m[y]")]),
        (
            MATRIX,
            {"m[x]": NEW, "m[y]": THIRD},
            (),
            [(f"m[{v}]", Insert(("cases", 0), HASH[0], THIRD), f"{TOGETHER}m[x], m[y]") for v in "xy"],
        ),
    ],
)
def test_where_the_new_hash_goes(suite, cases, accepted, kept, found):
    """The hash is replaced if all cases with a cassette take the new one, else put at the accepted cases."""
    assert pinned(suite(cases), accepted, kept) == found


def test_a_computed_hash_cannot_be_replaced(suite):
    """A hash from the environment is named as it is written."""
    head = HEAD.replace(OLD, "${env.DUST_PIN}")
    ((_, _, reason),) = pinned(suite(PLAIN, head), {"p": NEW})
    assert reason == "it is computed: ${env.DUST_PIN}"


def test_a_suite_of_one_case_pins_at_its_top(tmp_path):
    """A suite that is one case has its hash at the top."""
    made = PendingSuite.having(tmp_path, {NAME: f"{HEAD}input: {{q: Hi}}\n"})
    assert pinned(made, {"s": NEW}, ("s",)) == [("s", Replace(HASH, NEW), "")]
