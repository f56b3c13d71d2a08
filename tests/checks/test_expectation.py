"""The expectations of a case: mistakes are found when they are read, and all failures are reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_dust.checks.binding import ArgumentError, Here, bind
from pytest_dust.checks.expectation import BUILT_IN, SUCCEEDS, failures, masked, names_outcome, read
from pytest_dust.checks.matchers import MATCHERS
from pytest_dust.masking import MASKED, Mask
from pytest_dust.model import MISSING, Change, Expectation, Failure
from pytest_dust.paths import PathError

VIEW: dict[str, Any] = {
    "status": "succeeded",
    "error": None,
    "result": {"label": "shipping", "answer": "We ship today.", "tags": ["a", "b"], "note": None},
    "blocks": {"CLASSIFY": {"type": "llm", "status": "succeeded", "output": {"label": "shipping"}}},
    "usage": {"total_tokens": 412},
    "duration": 3.2,
    "specification_hash": "8c0a",
    "run_id": "5be2",
}


def judged(expect: dict[str, Any], view: dict[str, Any] = VIEW) -> tuple[Failure, ...]:
    """Give the failures of an `expect` as a suite writes it."""
    return failures([read(path, written, plural=False) for path, written in expect.items()], view)


def test_what_holds_gives_no_failure() -> None:
    """If all expectations hold, nothing is reported."""
    expect = {
        "status": "succeeded",
        "error": None,
        "result.label": "shipping",
        "result.answer": {"icontains": "SHIP", "not": {"contains": "sorry"}, "max_length": 400},
        "result.note": None,
        "result.other": {"exists": False},
        "length(result.tags)": 2,
        "blocks.CLASSIFY.output": {"equals": {"label": "shipping"}},
        "usage.total_tokens": {"lte": 2000},
        "duration": {"lt": 10},
    }
    assert judged(expect) == ()


def test_all_failures_are_reported_in_order() -> None:
    """Every matcher that fails is reported, in the order of the suite, and none that holds."""
    found = judged(
        {
            "result.label": "billing",
            "status": "succeeded",
            "result.answer": {"contains": "refund", "max_length": 3, "starts_with": "We"},
            "usage.total_tokens": {"lte": 100},
        }
    )
    assert [(one.path, one.expected.name, one.actual) for one in found] == [
        ("result.label", "equals", "shipping"),
        ("result.answer", "contains", "We ship today."),
        ("result.answer", "max_length", "We ship today."),
        ("usage.total_tokens", "lte", 412),
    ]
    assert found[2].note == "its length is 14"


@pytest.mark.parametrize("written", [{"gt": 1}, {"deepdiff": {"to": 1}}, {"schema": False}, {"every": 1}])
def test_a_reason_is_a_plain_text(written: Any) -> None:
    """The reason in a failure is a `str` and of no class below it, which a record could not hold as JSON."""
    (failure,) = failures([read("result", written, plural=False)], {"result": "a"})
    assert failure.note
    assert type(failure.note) is str


def test_a_failure_has_the_expectation_as_written() -> None:
    """A failure carries the matcher's argument as the suite wrote it."""
    (found,) = judged({"result.answer": {"matches": "^Dear"}})
    assert (found.expected.name, found.expected.written) == ("matches", "^Dear")


@pytest.mark.parametrize(
    ("path", "note"),
    [
        ("result.lable", "result has: label, answer, tags, note"),
        ("blocks.CLASIFY.output", "blocks has: CLASSIFY"),
        ("blocks.CLASSIFY.error", "blocks.CLASSIFY has: type, status, output"),
        ("result.tags[5]", "result.tags is a list of 2"),
        ("result.label.deeper", "result.label is text"),
        ("result.note.deeper", "result.note is null"),
    ],
)
@pytest.mark.parametrize(
    "written", ["x", None, {"contains": "x"}, {"not": {"contains": "x"}}, {"exists": True}]
)
def test_a_path_to_nothing_fails_and_says_how_far_it_got(path: str, note: str, written: Any) -> None:
    """If a path finds nothing, every matcher fails, and the note says what is there instead."""
    (found,) = judged({path: written})
    assert found.actual is MISSING
    assert found.note == note


def test_a_missing_path_is_a_failure_of_each_of_its_matchers() -> None:
    """Several matchers for a path that finds nothing all fail, with the same note."""
    found = judged({"result.lable": {"contains": "x", "max_length": 3}})
    assert [one.expected.name for one in found] == ["contains", "max_length"]
    assert len({one.note for one in found}) == 1


def test_nothing_is_accepted_by_exists_false_alone() -> None:
    """`exists: false` holds if the path finds nothing, and fails for null."""
    assert judged({"result.other": {"exists": False}}) == ()
    (found,) = judged({"result.note": {"exists": False}})
    assert found.actual is None


@pytest.mark.parametrize(
    "path",
    ["sum(result.tags)", "result.tags[::0]", "contains(result.label, `1`)", "result.tags[?@ > `1`] | [0]"],
)
@pytest.mark.parametrize("written", [1, {"not": {"equals": 1}}], ids=["literal", "not"])
def test_a_path_that_cannot_be_evaluated_is_a_failure(path: str, written: Any) -> None:
    """A path whose function raises for a value fails its case, with a reason, and crashes nothing."""
    (found,) = judged({path: written})
    assert found.actual is MISSING
    assert found.note


def test_a_path_that_could_not_be_followed_does_not_pass_as_absent() -> None:
    """`exists: false` accepts a path that finds nothing, not one that cannot be evaluated."""
    (found,) = judged({"sum(result.tags)": {"exists": False}})
    assert "cannot be evaluated" in found.note


@pytest.mark.parametrize(
    ("written", "changes"),
    [
        ({"equals": {"label": "billing"}}, (Change(("label",), "billing", "shipping"),)),
        ({"includes": {"label": "billing"}}, ()),
        ("billing", ()),
    ],
    ids=["equals", "includes", "literal"],
)
def test_structures_that_should_be_equal_show_where_they_differ(
    written: Any, changes: tuple[Change, ...]
) -> None:
    """A failed `equals` of mappings or lists has its differences, from expected to actual."""
    (found,) = judged({"blocks.CLASSIFY.output": written})
    assert found.changes == changes


def test_a_list_may_be_a_literal() -> None:
    """A list is a literal, compared element by element."""
    assert judged({"result.tags": ["a", "b"]}) == ()
    (found,) = judged({"result.tags": ["a", "c"]})
    assert found.changes == (Change((1,), "c", "b"),)


def test_success_is_the_implied_expectation() -> None:
    """The implied expectation is `status: succeeded`."""
    assert Expectation("status", bind("succeeded", BUILT_IN)) == SUCCEEDS
    assert failures([SUCCEEDS], VIEW) == ()
    (found,) = failures([SUCCEEDS], {**VIEW, "status": "errored"})
    assert found.actual == "errored"


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("status", True),
        ("error", True),
        ("contains(error, 'quota')", True),
        ("[status, result]", True),
        ("!error", True),
        ("result.status", False),
        ("blocks.CLASSIFY.status", False),
        ("result.error", False),
        ("usage.total_tokens", False),
        ("result[?status == 'x']", False),
        ("@", False),
    ],
)
def test_an_outcome_is_named_by_status_or_error_of_the_run(path: str, outcome: bool) -> None:
    """Only the run's own status and error count as naming its outcome."""
    assert names_outcome(path) is outcome


ALLOWED = "status, error, usage, blocks, duration, specification_hash, run_id"


@pytest.mark.parametrize(
    ("path", "plural", "told"),
    [
        ("reslut.label", False, f'a run has no "reslut"; it has: {ALLOWED}, result (did you mean result?)'),
        ("reslut.label", True, f'a run has no "reslut"; it has: {ALLOWED}, results (did you mean results?)'),
        ("result.label", True, 'with inputs it is "results", a list with one entry per input'),
        ("results[0]", False, '"results" needs inputs; with one input it is "result"'),
        ("blocks.A.output", True, 'with inputs it is "outputs", a list with one entry per input'),
        ("blocks.A.outputs", False, '"outputs" needs inputs; with one input it is "output"'),
        ("blocks.A.errors", False, '"errors" needs inputs; with one input it is "error"'),
        ("length(reslut)", False, f'a run has no "reslut"; it has: {ALLOWED}, result (did you mean result?)'),
    ],
)
def test_a_name_that_no_run_has_is_a_mistake_at_collection(path: str, plural: bool, told: str) -> None:
    """A wrong name in a path is a mistake of the suite, with the nearest right name."""
    with pytest.raises(PathError) as caught:
        read(path, 1, plural=plural)
    assert str(caught.value) == told


@pytest.mark.parametrize("plural", [False, True])
@pytest.mark.parametrize(
    "path", ["status", "usage.total_tokens", "blocks.A", "blocks.*.status", "@", "blocks"]
)
def test_names_of_every_run_are_read(path: str, plural: bool) -> None:
    """Names that all runs have are allowed with one input and with several."""
    assert read(path, 1, plural=plural).path == path


@pytest.mark.parametrize(
    "name", ["type", "status", "iterations", "success_count", "error_count", "usage", "duration"]
)
def test_names_of_every_block_are_read(name: str) -> None:
    """Every name that a block has is allowed."""
    assert read(f"blocks.A.{name}", 1, plural=False)
    assert read(f"blocks.A.{name}", 1, plural=True)


def test_a_wrong_argument_is_refused() -> None:
    """Matchers are checked when the suite is read."""
    with pytest.raises(ArgumentError, match="lte: needs a number, not text"):
        read("usage.total_tokens", {"lte": "many"}, plural=False)


# ── secrets ──────────────────────────────────────────────────────────────────────────────────────

SECRET = "sk-0123456789"
MASK = Mask((SECRET,))


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        f"Bearer {SECRET}",
        {"equals": {"token": [SECRET]}},
        {"contains": SECRET},
        {"contains_any": ["x", SECRET]},
        {"one_of": [SECRET]},
        {"not": {"not": {"contains": SECRET}}},
        {"any_of": [1, {"starts_with": SECRET}]},
        {"includes": {"token": SECRET}},
        {"unordered": [SECRET]},
        {"similar": {"to": SECRET, "ratio": 1}},
        {"not": {"deepdiff": {"to": {"token": SECRET}, "exclude_regex_paths": "x"}}},
        {"length": {"not": {"equals": SECRET}}},
        {"every": {"contains": SECRET}},
        {"json": {"includes": {"token": SECRET}}},
    ],
    ids=str,
)
def test_an_expected_secret_is_masked_as_the_run_is(written: Any) -> None:
    """Secrets in expectations are masked as in the run, so that no report shows them."""
    (found,) = masked([read("result", written, plural=False)], MASK)
    assert SECRET not in repr(found)
    assert MASKED in repr(found)


@pytest.mark.parametrize(
    ("written", "came"),
    [
        (f"Bearer {SECRET}", f"Bearer {SECRET}"),
        ({"contains": SECRET, "starts_with": "a "}, f"a {SECRET} b"),
        ({"equals": {"a": [SECRET]}}, {"a": [SECRET]}),
        ({"any_of": [{"one_of": [SECRET]}, 1]}, SECRET),
        ({"every": {"contains": SECRET}}, [f"a {SECRET}", SECRET]),
        ({"deepdiff": {"to": {"a": [SECRET]}, "exclude_paths": "b"}}, {"a": [SECRET], "b": 1}),
    ],
    ids=str,
)
def test_what_held_of_a_secret_holds_of_its_mask(written: Any, came: Any) -> None:
    """An expectation with a secret holds for the masked run if it holds for the run itself."""
    one = read("result", written, plural=False)
    assert failures([one], {"result": came}) == ()
    assert failures(masked([one], MASK), {"result": MASK.value(came)}) == ()


@pytest.mark.parametrize("nested", [False, True])
def test_a_secret_in_a_file_is_masked_as_the_run_is(tmp_path: Path, nested: bool) -> None:
    """The value that `deepdiff` reads from a file is masked before it is compared with a masked run."""
    (tmp_path / "a.json").write_text(f'["{SECRET}"]', encoding="utf-8")
    written = {"deepdiff": {"to": "a.json"}}
    written = {"every": written} if nested else written
    one = read("result", written, plural=False, here=Here(tmp_path, MATCHERS))
    came = [[SECRET]] if nested else [SECRET]
    (found,) = masked([one], MASK)
    assert SECRET not in repr(found)
    assert failures([found], {"result": MASK.value(came)}) == ()


def test_without_secrets_expectations_stay_as_they_are() -> None:
    """If nothing is to be masked, the same expectation objects are returned."""
    expect = [read("result", {"matches": "a+", "schema": {}}, plural=False)]
    assert masked(expect, MASK) == tuple(expect)
    assert masked(expect, Mask())[0] is expect[0]


@pytest.mark.parametrize(
    ("path", "plural", "shown"),
    [
        ("result", False, MASKED),
        ("results[0].years", True, MASKED),
        ("blocks.A.output", False, MASKED),
        ("blocks.A.outputs[0]", True, MASKED),
        ("blocks.A.error", False, 42),
        ("blocks.A.success_count", False, 42),
        ("blocks.output.success_count", False, 42),
        ("usage.total_tokens", False, 42),
        ("length(result)", False, 42),
    ],
)
def test_an_expected_number_is_masked_only_in_a_blocks_output(path: str, plural: bool, shown: Any) -> None:
    """A redacted number is masked where an output or result is expected, and in no count, usage or length."""
    (found,) = masked([read(path, 42, plural=plural)], Mask(numbers=frozenset({42})))
    assert found.matchers[0].written == shown
