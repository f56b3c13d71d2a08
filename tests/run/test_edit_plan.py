"""Edits are made if they change what was wished and nothing else; the others are named with the reason."""

from __future__ import annotations

import json

import pytest
from pending_suites import HEAD, NAME, NEW, OLD, PendingSuite

SHIPPING = {"label": "shipping", "note": "ok"}
ROWS = '{"id": "a", "q": "Hi", "label": "billing"}\n{"id": "b", "q": "Ho", "label": "billing"}\n'
ROW_CASE = "  - id: r\n    dataset: rows.jsonl\n    input: {q: '${row.q}'}\n    expect:\n"
PLAIN = "  - {id: p, input: {q: Hi}, expect: {result.label: billing}}\n"


@pytest.fixture
def made(tmp_path):
    """A function that gives a suite of cases, with some pending answers, each of one run."""

    def make(cases, answers, rows=ROWS, head=HEAD):
        contents = {NAME: f"{head}cases:\n{cases}", "rows.jsonl": rows}
        suite = PendingSuite.having(tmp_path, contents)
        return suite, [suite.waiting(id_, result) for id_, result in answers.items()]

    return make


def left(found):
    """The wishes that were not fulfilled: case, name and reason."""
    assert found.refused == ()
    return {(wish.case, wish.name): wish.reason for wish in found.by_hand}


def labels(suite):
    """The labels in the dataset."""
    lines = (suite.root / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["label"] for line in lines]


# ── values that others have too ──────────────────────────────────────────────────────────────────

SHARED = f"{HEAD}expect: {{result.note: old}}\n"


def test_a_shared_value_that_all_want_is_edited_once(made):
    """A value of the suite is replaced if all of its cases want the same new value."""
    suite, waiting = made(PLAIN + PLAIN.replace("p,", "o,"), {"p": SHIPPING, "o": SHIPPING}, head=SHARED)
    found = suite.accept(waiting)
    assert left(found) == {}
    assert "expect: {result.note: ok}\n" in suite.text
    assert suite.text.count("result.label: shipping") == 2


@pytest.mark.parametrize("note", ["old", "other"])
def test_a_shared_value_that_another_case_does_not_want_stays(made, note):
    """It stays if one case wants another value, or the old one; that case's own values are edited."""
    answers = {"p": SHIPPING, "o": {"label": "shipping", "note": note}}
    suite, waiting = made(PLAIN + PLAIN.replace("p,", "o,"), answers, head=SHARED)
    found = suite.accept(waiting)
    reason = "o has the same value here" if note == "old" else "different cases want different values here"
    assert set(left(found).values()) == {reason}
    assert "expect: {result.note: old}\n" in suite.text
    assert suite.text.count("result.label: shipping") == 2


def test_a_shared_value_of_a_case_that_is_not_accepted_stays(made):
    """A case that is not accepted keeps what it expects."""
    suite, waiting = made(PLAIN + PLAIN.replace("p,", "o,"), {"p": SHIPPING}, head=SHARED)
    assert left(suite.accept(waiting)) == {("p", "result.note"): "o has the same value here"}
    assert suite.text.count("result.label: shipping") == 1


def test_rows_share_a_literal(made):
    """A literal in a case that is made of rows is edited if all of its rows want that."""
    cases = ROW_CASE + "      result.label: billing\n"
    suite, waiting = made(cases, {"r[a]": SHIPPING, "r[b]": {"label": "billing"}})
    assert left(suite.accept(waiting)) == {("r[a]", "result.label"): "r[b] has the same value here"}
    suite, waiting = made(cases, {"r[a]": SHIPPING, "r[b]": SHIPPING})
    assert left(suite.accept(waiting)) == {}
    assert "      result.label: shipping\n" in suite.text


# ── cells ────────────────────────────────────────────────────────────────────────────────────────


def test_a_cell_is_edited_in_its_row(made):
    """A value that is a reference to a row is edited in the dataset, in that row alone."""
    suite, waiting = made(
        ROW_CASE + "      result.label: '${row.label}'\n", {"r[a]": {"label": "billing"}, "r[b]": SHIPPING}
    )
    assert left(suite.accept(waiting)) == {}
    assert labels(suite) == ["billing", "shipping"]
    assert "${row.label}" in suite.text


@pytest.mark.parametrize("used", ["q", "id"])
def test_a_cell_that_is_more_than_an_expectation_stays(made, used):
    """A cell that the case also asks, or is named by, is not edited; its other values are."""
    cases = ROW_CASE + f"      result.label: '${{row.{used}}}'\n      result.note: '${{row.label}}'\n" + PLAIN
    rows = ROWS.splitlines()[0]
    suite, waiting = made(cases, {"r[a]": {"label": "shipping", "note": "billing"}, "p": SHIPPING}, rows)
    assert left(suite.accept(waiting)) == {("r[a]", "result.label"): "it is also what the case asks"}
    assert (suite.root / "rows.jsonl").read_text(encoding="utf-8") == rows
    assert "p, input: {q: Hi}, expect: {result.label: shipping}" in suite.text.replace(
        f"specification_hash: {NEW}, ", ""
    )


def test_a_cell_of_two_expectations_stays_if_one_of_them_holds(made):
    """A cell that another expectation of the case needs is not edited; a literal of that case is."""
    expected = (
        "      result.label: '${row.label}'\n      result.note: '${row.label}'\n      result.kind: old\n"
    )
    result = {"label": "billing", "note": "new", "kind": "new"}
    suite, waiting = made(ROW_CASE + expected, {"r[a]": result}, ROWS.splitlines()[0])
    reason = "another expectation of the case has the same value"
    assert left(suite.accept(waiting)) == {("r[a]", "result.note"): reason}
    assert labels(suite) == ["billing"]
    assert "      result.kind: new\n" in suite.text


def test_a_cell_that_other_cases_use_stays(made):
    """Two cases that are made of the same rows share the cells."""
    cases = ROW_CASE + "      result.label: '${row.label}'\n"
    both = cases + cases.replace("id: r", "id: s")
    suite, waiting = made(both, {"r[a]": SHIPPING, "s[a]": {"label": "billing"}}, ROWS.splitlines()[0])
    assert left(suite.accept(waiting)) == {("r[a]", "result.label"): "s[a] has the same value here"}
    suite, waiting = made(both, {"r[a]": SHIPPING, "s[a]": SHIPPING}, ROWS.splitlines()[0])
    assert left(suite.accept(waiting)) == {}
    assert labels(suite) == ["shipping"]


def test_a_mapping_goes_into_a_cell_only_below_equals(made):
    """A cell that is the whole expectation is not edited to a mapping, which would be one of matchers."""
    alone = ROW_CASE + "      result.label: '${row.label}'\n"
    below = ROW_CASE + "      result.label: {equals: '${row.label}'}\n"
    result = {"label": {"contains": "x"}}
    suite, waiting = made(alone, {"r[a]": result, "r[b]": SHIPPING})
    reason = "a mapping alone would be one of matchers; compare with it by equals"
    assert left(suite.accept(waiting)) == {("r[a]", "result.label"): reason}
    assert labels(suite) == ["billing", "shipping"]
    suite, waiting = made(below, {"r[a]": result, "r[b]": SHIPPING})
    assert left(suite.accept(waiting)) == {}
    assert labels(suite) == [{"contains": "x"}, "shipping"]


def test_a_cell_that_would_make_a_mistake_stays_and_the_rest_is_edited(made):
    """A cell whose new value the suite could not be read with is listed; values and hashes are edited."""
    cases = ROW_CASE + "      result.label: {equals: '${row.label}'}\n" + PLAIN
    cases += ROW_CASE.replace("id: r", "id: s") + "      result.label: '${row.label}'\n"
    answers = {"r[a]": {"label": {"k": 1}}, "p": SHIPPING, "s[a]": {"label": "billing"}}
    suite, waiting = made(cases, answers, ROWS.splitlines()[0])
    found = suite.accept(waiting)
    ((key, reason),) = left(found).items()
    assert key == ("r[a]", "result.label")
    assert reason.startswith(f"the suite would have a mistake: {NAME}:")
    assert "expect: {result.label: shipping}" in suite.text
    assert OLD not in suite.text


# ── what would still fail ────────────────────────────────────────────────────────────────────────


def test_another_failure_does_not_hinder_an_edit(tmp_path):
    """A value that enough attempts have is edited, also if another expectation goes on failing."""
    cases = "cases:\n  - id: p\n    input: {q: Hi}\n    repeat: {runs: 3, min_pass: 2}\n    expect:\n"
    cases += "      result.label: billing\n      result.note: {contains: x}\n"
    suite = PendingSuite.having(tmp_path, {NAME: HEAD + cases})
    one = suite.waiting("p", SHIPPING, SHIPPING, {"label": "account", "note": "ok"})
    assert left(suite.accept([one])) == {("p", "result.note"): "contains is no literal"}
    assert "      result.label: shipping\n" in suite.text


# ── the bytes around ─────────────────────────────────────────────────────────────────────────────


def test_byte_order_mark_and_line_ends_stay(tmp_path):
    """A suite and a dataset keep their byte order mark and the ends of their lines."""
    text = (HEAD + "cases:\n" + ROW_CASE + "      result.label: '${row.label}'\n").replace("\n", "\r\n")
    contents = {NAME: f"\ufeff{text}", "rows.jsonl": f"\ufeff{ROWS}"}
    suite = PendingSuite.having(tmp_path, contents)
    found = suite.accept([suite.waiting(id_, SHIPPING) for id_ in suite.cases])
    assert left(found) == {}
    assert suite.text == contents[NAME].replace(OLD, NEW)
    assert (suite.root / "rows.jsonl").read_bytes().decode() == contents["rows.jsonl"].replace(
        "billing", "shipping"
    )
