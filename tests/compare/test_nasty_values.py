"""Unusual values: each matcher returns a verdict on any answer, and each report is short."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from conftest import PLAIN_RECORD
from pytest_dust.checks.binding import MAX_REASON, ArgumentError, Broken, Here, bind, judge
from pytest_dust.checks.expectation import failures, read
from pytest_dust.checks.matchers import MATCHERS, project
from pytest_dust.model import MISSING, Attempt, Outcome, Run, Source, Status, Tokens
from pytest_dust.report.case import case_lines, headline
from pytest_dust.report.from_outcome import with_outcome

BUILT_IN = Here(table=MATCHERS)


def nested(value: Any, levels: int = 190) -> Any:
    """Give a value inside of this number of lists or mappings."""
    for _ in range(levels):
        value = {"a": value} if isinstance(value, dict) else [value]
    return value


NASTY = [
    *(10**399, -(10**399), 10**4299, 2**64, 2**53 + 1),
    *(-0.0, 0.0, 1e308, -1e308, 5e-324, 1.5, 0, 1, -1, True, False, None),
    *("", "\ud800", "a\udfffb", "\x00", "é", "e\u0301", "ß", "İ", "a" * 50_000, "(" * 100),
    *("1e999", "[1", '{"a":1}', '"\ud800"', "[" * 5000, "NaN", "1" * 4300, "1" * 4301),
    *(nested([]), nested({}), [], {}, [[]], {"": None}, {"\ud800": 1}),
    *([None] * 3000, list(range(3000)), {str(at): at for at in range(2000)}),
]
NAMES = st.text(max_size=3) | st.sampled_from(
    ["a", "\ud800", "value", "abs", "rel", "to", "ratio", *MATCHERS]
)
VALUES = st.recursive(
    st.sampled_from(NASTY)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers()
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
SCHEMAS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "integer", "number", "object"]),
        "multipleOf": st.sampled_from([0.1, 3, 1e-300, 10**399]),
        "maximum": VALUES,
        "minLength": VALUES,
        "pattern": st.sampled_from(["^(a|b)*$", "\\w", "\ud800"]),
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "."]), st.booleans(), max_size=2),
        "additionalProperties": st.booleans(),
        "unevaluatedProperties": st.booleans(),
        "uniqueItems": st.booleans(),
        "const": VALUES,
        "items": st.just({"multipleOf": 0.1}),
    },
)
ARGUMENTS = st.one_of(
    VALUES,
    st.dictionaries(st.sampled_from(sorted(MATCHERS)), VALUES, min_size=1, max_size=2),
    st.fixed_dictionaries({"value": VALUES, "abs": VALUES, "rel": VALUES}),
    st.fixed_dictionaries({"to": VALUES, "ratio": VALUES}),
    st.sampled_from(["^a", "(a|b)*c", "\\w+", "(?i)ß", "[^\\d\\D]"]),
    SCHEMAS,
)
RUN = Run("r1", None, Status.SUCCEEDED, (), (), None, 0.0)
fuzzed = settings(max_examples=90, deadline=None, suppress_health_check=list(HealthCheck))


@fuzzed
@given(st.sampled_from(sorted(MATCHERS)), ARGUMENTS, VALUES | st.just(MISSING))
def test_a_matcher_gives_a_short_verdict_on_any_value(name: str, argument: Any, value: Any) -> None:
    """A matcher refuses its argument, or holds, or fails with a reason of bounded length."""
    try:
        (bound,) = bind({name: argument}, BUILT_IN)
    except ArgumentError:
        return
    verdict = judge(value, bound)
    assert isinstance(verdict, bool | str)
    assert isinstance(verdict, bool) or len(verdict) <= 2 * MAX_REASON
    assert not isinstance(verdict, Broken) or "schema" in f"{name}{argument}"  # ours need not raise


@fuzzed
@given(st.sampled_from(sorted(MATCHERS)), ARGUMENTS, VALUES)
def test_a_failure_is_reported_in_short(name: str, argument: Any, value: Any) -> None:
    """The report of a failed expectation is bounded and printable, for any values."""
    try:
        expect = [read("result", {name: argument}, plural=False), read("result.a", 1, plural=False)]
    except ArgumentError:
        return
    found = failures(expect, {"result": value})
    outcome = Outcome(Source.LIVE, (Attempt(RUN, Tokens(), found),), 0.0)
    record = with_outcome(PLAIN_RECORD, outcome, fresh=False)
    text = "\n".join(case_lines(record))
    assert len(text) < 20_000
    text.encode()
    if found:
        assert len(headline(record)) < 2_000


def raising(error: BaseException) -> Here:
    """Give a table with a matcher `odd` that raises this."""

    def holds(_value: Any, _wanted: Any) -> bool:
        raise error

    return Here(table={**MATCHERS, "odd": project("odd", holds)})


class Rude(Exception):
    """An exception that cannot be put into words."""

    def __str__(self) -> str:
        raise ValueError


ERRORS = [MemoryError(), RecursionError("deep"), OverflowError("huge"), Rude(), ValueError("x" * 10_000)]
AROUND = [
    {"not": {"odd": 1}},
    {"not": {"not": {"odd": 1}}},
    {"not": {"every": {"odd": 1}}},
    {"not": {"any": {"odd": 1}}},
    {"not": {"any_of": [{"odd": 1}, {"equals": 0}]}},
    {"not": {"all_of": [{"odd": 1}]}},
    {"not": {"length": {"odd": 1}}},
    {"every": {"odd": 1}},
    {"any": {"odd": 1}},
    {"any": {"not": {"odd": 1}}},
    {"any_of": [{"odd": 1}]},
    {"all_of": [{"type": "array"}, {"odd": 1}]},
    {"length": {"odd": 1}},
    {"min_length": {"not": {"odd": 1}}},
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("around", AROUND, ids=str)
def test_no_matcher_makes_one_hold_that_raises(around: Any, error: Exception) -> None:
    """A matcher that raises fails with its reason, also inside of another such as `not`."""
    (bound,) = bind(around, raising(error))
    verdict = judge([1, 2], bound)
    assert isinstance(verdict, Broken)
    assert f"raised {type(error).__name__}" in verdict
    assert len(verdict) <= 2 * MAX_REASON


@pytest.mark.parametrize(
    "around", [{"not": {"json": {"odd": 1}}}, {"not": {"word_count": {"odd": 1}}}], ids=str
)
def test_no_matcher_of_texts_makes_one_hold_that_raises(around: Any) -> None:
    """A matcher that raises fails also for the value of a JSON text."""
    (bound,) = bind(around, raising(OverflowError()))
    assert isinstance(judge("12", bound), Broken)


def test_an_alternative_may_hold_though_another_raises() -> None:
    """If one of several must hold, one that holds is enough, even if another raises."""
    here = raising(OverflowError())
    assert judge(1, bind({"any_of": [{"odd": 1}, {"equals": 1}]}, here)[0]) is True
    table = {**MATCHERS, "odd": project("odd", lambda value, _: 1 / value > 0)}
    assert judge([0, 1], bind({"any": {"odd": 1}}, replace(here, table=table))[0]) is True


def test_what_ends_a_session_ends_it() -> None:
    """Ctrl-C in a matcher ends the session."""
    (bound,) = bind({"not": {"odd": 1}}, raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        judge(1, bound)


@pytest.mark.parametrize("name", ["gt", "lte", "approx", "length", "min_length", "word_count"])
@pytest.mark.parametrize("number", [1e400, -1e400, float("nan")])
def test_no_matcher_takes_an_infinite_number(name: str, number: float) -> None:
    """A number that is read as an infinite one is refused at collection."""
    with pytest.raises(ArgumentError, match="infinite"):
        bind({name: number}, BUILT_IN)


BROKEN = {
    "schema: {multipleOf: 0.1}": "OverflowError: int too large to convert to float",
    "not: {schema: {multipleOf: 0.1}}": "OverflowError: int too large to convert to float",
    "approx: 5": "it is very far away",
}


@pytest.mark.parametrize("asked", BROKEN)
@pytest.mark.parametrize("mode", ["record", "live"])
def test_a_number_of_400_digits_fails_like_any_other(one, server, asked, mode):
    """For a number that a library cannot judge, the case fails with a reason, and the run is recorded."""

    def answer(run):
        run["traces"][-1][1][0][0]["value"] = {"label": 10**399}
        run["results"][0][0]["value"] = {"label": 10**399}

    server.alter(answer)
    result = one.replacing("a.dust.yaml", "result.label: billing", f"result.label: {{{asked}}}").run(
        f"--dust-mode={mode}"
    )
    assert result.outcomes == {"failed": 1}
    assert BROKEN[asked] in result.report
    assert "Traceback" not in result.out
    assert server.runs == 1
    if mode == "record":
        replayed = result.example.offline().run()
        assert replayed.outcomes == {"failed": 1}
        assert BROKEN[asked] in replayed.report


def test_an_infinite_length_is_a_mistake(one):
    """An infinite length is a mistake of the suite, with its place."""
    result = one.replacing("a.dust.yaml", "result.label: billing", "result.label: {length: 1e400}").run()
    assert result.outcomes == {"error": 1}
    assert "length: needs a number that is not infinite" in result.out
