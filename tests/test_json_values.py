"""Numbers that cannot be written back to JSON are refused; all other values are kept unchanged."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any

import pytest
from faults import Faults
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import BARE, SUPPORT, dust_server
from pytest_dust.cassettes import binding
from pytest_dust.cassettes import format as cassette
from pytest_dust.dust import refusals
from pytest_dust.json_values import NumberError, decode, decode_loosely, ordered, unwritable_numbers
from pytest_dust.model import App, Event, Exchange, Flavor, Reply, RunRequest

LONG = "9" * 4301
ODD = ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1E+999", f"{'9' * 400}.5", LONG, f"-{LONG}"]
each_odd = pytest.mark.parametrize("text", ODD, ids=lambda text: text[:10])
REQUEST = RunRequest(App("w", "v", "a"), "latest", {}, [{}], None)


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


@each_odd
@pytest.mark.parametrize("form", ["{}", "[1, {}]", '{{"a": {{"b": [{}]}}}}'])
def test_an_unwritable_number_is_refused(text, form):
    """NaN, infinity and a number longer than Python reads are refused anywhere in a value."""
    with pytest.raises(NumberError):
        decode(form.format(text))


@each_odd
def test_what_is_no_json_besides_is_no_json(text):
    """Text that is no JSON for other reasons is refused as no JSON, whatever numbers it holds."""
    for broken in (f"{text} x", f"[{text}", f"[{text}, x]", f"{{{text}: 1}}"):
        with pytest.raises(json.JSONDecodeError):
            decode(broken)


def test_the_places_of_unwritable_numbers_are_known():
    """Every unwritable number of a text is found with its path, in the order of the text."""
    value = decode_loosely('{"b": [1, NaN], "a": {"c": 1e400}, "d": "NaN"}')
    assert [(path, number.text) for path, number in unwritable_numbers(value)] == [
        (("b", 1), "NaN"),
        (("a", "c"), "1e400"),
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e308", 1e308),
        ("-0.0", -0.0),
        ("1e-400", 0.0),
        ("9" * 4300, int("9" * 4300)),
        ("-" + "9" * 4299, -int("9" * 4299)),
        ("0.1000000000000000055511151231257827", 0.1),
        ('"\\ud800"', "\ud800"),
        ('{"a": 1, "a": 2}', {"a": 2}),
    ],
    ids=lambda each: str(each)[:10],
)
def test_what_can_be_given_back_is_read(text, value):
    """Large and exact numbers, negative zero, half of a surrogate pair and repeated keys are read."""
    assert repr(decode(text)) == repr(value)


@pytest.mark.parametrize("digits", ["0", "640", "100000"])
def test_the_environment_moves_no_limit(digits):
    """An integer beyond the default limit is refused, even if Python is set to read longer ones."""
    code = (
        "from pytest_dust.json_values import NumberError, decode\n"
        f"try:\n    decode('[{LONG}]')\nexcept NumberError:\n    print('refused')\n"
    )
    environ = {**BARE, "PYTHONINTMAXSTRDIGITS": digits}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "refused\n"


numbers = st.one_of(
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(10**300, 10**320),
    st.sampled_from([-0.0, 5e-324, 1.7976931348623157e308, 2**53 + 1]),
)
texts = st.text(st.characters(), max_size=6) | st.sampled_from(
    ["\ud800", "\udc00x", "\ufeff", "\u2028", "\0"]
)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
spellings = st.lists(
    st.sampled_from(
        [*ODD, "1E5", "-0", "-0.0", "1.0", "1e-400", "0e999", '"\\ud800"', '"\\udc00\\ud800"',
         '{"a": 1, "a": [2]}', "[]", "{}", "null", "1234567890123456789", '"\\u0000\\u001f"', '"é\U0001f600"']
    ),
    min_size=1,
    max_size=4,
).map(lambda parts: f"[{', '.join(parts)}]")  # fmt: skip


def kept(value: Any) -> tuple[Any, Any]:
    """Give a value as it is read from the body and from an event of a cassette."""
    body = Exchange("POST", "/", 200, {}, value)
    events = Exchange("POST", "/", 200, {}, None, (Event(0.1, value),))
    text = cassette.dumps(
        binding.bound(REQUEST), [Reply(Flavor.STREAM, (body, events), 0.5)], "2026-01-01T00:00:00Z"
    )
    first, second = cassette.loads(text).replies[0].exchanges
    assert second.events is not None
    return first.body, second.events[0].data


@settings(max_examples=150, deadline=None)
@given(values.map(json.dumps) | spellings)
def test_what_arrives_is_given_back(text):
    """A cassette keeps every value of an answer, with its type and the sign of a zero."""
    try:
        value = ordered(decode(text))
    except NumberError:
        assert any(unwritable_numbers(decode_loosely(text)))
        return
    assert not any(unwritable_numbers(decode_loosely(text)))
    for again in kept(value):
        assert repr(again) == repr(value)
        assert again == value


def test_a_recording_that_holds_such_a_number_is_told():
    """An older cassette with such a number is reported as broken, without a traceback."""
    text = cassette.dumps(
        binding.bound(REQUEST), [Reply(Flavor.BLOCKING, (Exchange("POST", "/", 200, {}, 7.5),), 0)], ""
    )
    for odd in ("Infinity", "1e400", LONG):
        with pytest.raises(
            cassette.CassetteError, match=r"is not JSON: it holds .*cannot be written back to JSON"
        ):
            cassette.loads(text.replace(b"7.5", odd.encode()))


# ── words ────────────────────────────────────────────────────────────────────────────────────────

TRACES = '[[["llm", "MODEL"], [[{"value": 1}], [{"value": {"score": 1e400}}]]]]'
KEY = "k" * 500
LLM = '"block_type": "llm", "block_name": "MODEL"'
PLACES = [
    (f'{{"run": {{"results": [[{{"value": 1e400}}]], "traces": {TRACES}}}}}',
     "1e400", "in block MODEL (llm), input 2, at value.score"),
    ('{"run": {"results": {"x y": NaN}, "traces": []}}', "NaN", 'at run.results."x y"'),
    ('{"run": {"traces": [[["llm"], -Infinity]]}}', "-Infinity", "at run.traces[0][1]"),
    ('{"run": {"traces": [[["llm", "M"], -Infinity]]}}', "-Infinity", "in block M (llm)"),
    (f'{{"content": {{{LLM}, "execution": [[{{"value": NaN}}]]}}}}',
     "NaN", "in block MODEL (llm), input 1, at value"),
    (f'{{"content": {{{LLM}, "tokens": 1e999}}}}', "1e999", "in block MODEL (llm)"),
    (f'{{"apps": [{{"id": {LONG}}}]}}', "999999999999… (4,301 characters)", "at apps[0].id"),
    (f'{{"{KEY}": NaN}}', "NaN", f"at {KEY[:120]}…"),
    ("1e999", "1e999", "at its top"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "number", "place"), PLACES, ids=range(len(PLACES)))
def test_where_such_a_number_stands_is_said(text, number, place):
    """The message names the number, its block and input if they are known, and the path."""
    words = str(refusals.unwritable_number(text))
    assert words.startswith(
        f"the service's answer holds {number}, a number that cannot be written back to JSON, {place}; "
    )
    assert "it was refused, as no recording could hold it" in words


# ── at the front door ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("flavor", Flavor)
@pytest.mark.parametrize("mode", ["record", "live"])
@pytest.mark.parametrize("text", ["1e400", '{"a": [NaN]}', "[-Infinity]", LONG], ids=lambda text: text[:10])
def test_an_answer_with_such_a_number_is_refused(one, server, text, mode, flavor):
    """By each flavor, the case fails, names the block, and writes no cassette."""
    server.misbehave(Faults.literal(text), times=None, on="GET" if flavor == "poll" else "POST")
    example = one.flavoured(flavor).replacing("a.dust.yaml", "{result.label: billing}", "{status: succeeded}")
    result = example.run(f"--dust-mode={mode}")
    assert result.outcomes == {"failed": 1}
    assert "cannot be written back to JSON, in block ANSWER (code), input 1, at value" in " ".join(
        result.report.split()
    )
    assert "Traceback" not in result.report
    assert result.example.cassettes == {}


def test_a_refusal_with_such_a_number_is_still_told_as_what_it_is(one, server):
    """An error answer that holds such a number is reported by its status."""
    server.misbehave(Faults.status(400, b'{"error": {"type": "run_error", "code": NaN}}'), times=None)
    assert "answered 400" in one.run("--dust-mode=live").report


def test_a_listing_with_such_a_number_is_refused(project, server):
    """`--dust-apps` says where the number is, without a traceback."""
    listing = {"apps": [{"sId": SUPPORT, "name": "x"}, {"sId": "b", "size": math.inf}]}
    server.say(json.dumps(listing))
    result = project.using(server).run("--dust-apps")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "holds Infinity, a number that cannot be written back to JSON, at apps[1].size" in result.err


def test_a_saved_specification_with_such_a_number_spoils_no_recording(one, server):
    """If the app's saved blocks hold such a number, the recording is made without them, and replays."""

    def behaviour(request):
        if request.method == "POST":
            return None
        document = json.loads(dust_server.DustServer.answer(server, request).whole())
        for app in document.get("apps", ()):
            app["savedSpecification"] = '[{"type": "data", "name": "D", "spec": {"data": [NaN, 1e999]}}]'
        return dust_server.json_reply(document)

    server.behaviour = behaviour
    recorded = one.run("--dust-mode=record")
    assert recorded.outcomes == {"passed": 1}
    assert recorded.example.offline().run().outcomes == {"passed": 1}
