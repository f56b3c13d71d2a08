"""A cassette is a recorded run as text: it loses nothing, says when it does not fit, and is kept whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from answers import bounded
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from recordings import AT, EXCHANGE, REPLY, REQUEST, loaded, moved, written

from pytest_dust.cassettes import binding
from pytest_dust.cassettes import format as cassette
from pytest_dust.cassettes.format import Cassette
from pytest_dust.errors import CassetteError
from pytest_dust.json_values import MAX_DEPTH
from pytest_dust.masking import MASKED, Mask
from pytest_dust.model import MISSING, App, Event, Exchange, Flavor, Reply, RunRequest, Specification

texts = st.text(st.characters(), max_size=8) | st.sampled_from(
    ["é", "日本", "\ud83d", "\udc80 x", "\\\udfff", "\0"]
)
numbers = st.integers() | st.integers(10**300, 10**301) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
).map(lambda value: json.loads(json.dumps(value)))  # as JSON has it: halves that meet are one character
mappings = st.dictionaries(texts, json_values, max_size=3).map(lambda value: json.loads(json.dumps(value)))
words = st.text("abc/é_-0", min_size=1, max_size=6)
requests = st.builds(
    RunRequest,
    app=st.builds(App, words, words, words),
    specification_hash=words,
    config=mappings,
    inputs=st.lists(mappings, min_size=1, max_size=3),
    block_filter=st.none() | st.lists(words, max_size=3).map(tuple),
)
heads = {
    "method": st.sampled_from(["POST", "GET"]),
    "path": st.text("/ab é?", max_size=8),
    "status": st.integers(100, 599),
    "headers": st.just({}) | words.map(lambda word: {"content-type": word}),
}
milliseconds = st.integers(0, 10**6).map(lambda count: count / 1000)
events = st.lists(st.builds(Event, milliseconds, json_values), max_size=4).map(tuple)
exchanges = st.builds(Exchange, **heads, body=json_values) | st.builds(Exchange, **heads, events=events)
replies = st.builds(
    Reply,
    st.sampled_from(Flavor),
    st.lists(exchanges, min_size=1, max_size=3).map(tuple),
    milliseconds,
)


def backwards(value: Any) -> Any:
    """Give the same JSON with the keys of every mapping the other way round."""
    if isinstance(value, dict):
        return {key: backwards(value[key]) for key in reversed(value)}
    return [backwards(each) for each in value] if isinstance(value, list) else value


# ── to and from text ─────────────────────────────────────────────────────────────────────────────


@bounded
@given(requests, replies)
def test_nothing_is_lost(request_, reply):
    """What is read from a cassette is what was written, whatever JSON it holds."""
    found = loaded(request_, reply)
    assert found == Cassette(AT, binding.bound(request_), (reply,))
    assert moved(found, request_) == ()


@bounded
@given(requests, replies)
def test_the_bytes_are_stable(request_, reply):
    """The same recording gives the same bytes, whatever the order of its keys, and again when it was read."""
    whole = written(request_, reply)
    turned = replace(request_, config=backwards(request_.config), inputs=backwards(request_.inputs))
    told = replace(reply, exchanges=tuple(map(turned_round, reply.exchanges)))
    assert written(turned, told) == whole
    assert written(request_, *cassette.loads(whole).replies) == whole


def turned_round(one: Exchange) -> Exchange:
    """Give an exchange with the keys of every mapping the other way round."""
    told = None if one.events is None else tuple(Event(each.at, backwards(each.data)) for each in one.events)
    return replace(one, body=backwards(one.body), events=told)


def test_a_cassette_reads_as_a_review():
    """A cassette is laid out, ends in a newline and keeps letters as they are, so that a diff can be read."""
    exchange = replace(EXCHANGE, body={"b": "Où est mon remboursement ? 日本", "a": 1})
    text = written(reply=replace(REPLY, exchanges=(exchange,))).decode()
    assert text.endswith("}\n")
    assert '  "body": {"a": 1, "b": "Où est mon remboursement ? 日本"}' in text.splitlines()


def test_half_a_surrogate_pair_is_escaped():
    """Text that UTF-8 cannot hold is written as JSON's own escape of it."""
    whole = written(reply=replace(REPLY, exchanges=(replace(EXCHANGE, body="a\ud83d"),)))
    assert b'"a\\ud83d"' in whole


def test_the_duration_is_kept_in_milliseconds():
    """A run's time is rounded to what anyone reads."""
    assert loaded(reply=replace(REPLY, duration=1.23456789)).replies[0].duration == 1.235


def test_only_headers_that_a_replay_needs_are_kept():
    """Of a reply's headers the content type is kept; cookies, ids and dates stay out."""
    headers = {"content-type": "application/json", "set-cookie": "a=b", "date": "now", "retry-after": "1"}
    found = loaded(reply=replace(REPLY, exchanges=(replace(EXCHANGE, headers=headers),)))
    assert found.replies[0].exchanges[0].headers == {"content-type": "application/json"}


def test_how_long_a_rate_limit_made_a_run_wait_is_not_kept():
    """What a recording waited for is nothing of its run."""
    assert loaded(reply=replace(REPLY, waited=7.0)).replies[0].waited == 0.0


@pytest.mark.parametrize("ran", [True, False])
def test_a_specification_is_kept_with_whether_it_ran(ran):
    """A cassette keeps the app's specification, and whether it is the one that ran."""
    kept = Specification([{"type": "code", "name": "A"}], ran)
    assert cassette.loads(cassette.dumps(binding.bound(REQUEST), [REPLY], AT, kept)).specification == kept


def test_a_specification_of_an_older_cassette_is_the_one_that_ran():
    """A cassette that does not say whether its specification ran holds the one that did."""
    assert cassette.loads(spoilt(specification=[])).specification == Specification([], True)


def test_what_is_nested_too_deeply_is_not_written():
    """An answer deeper than a cassette may be is refused before anything is written."""
    deep: Any = 1
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]
    with pytest.raises(RecursionError):
        written(reply=replace(REPLY, exchanges=(replace(EXCHANGE, body=deep),)))


# ── masked ───────────────────────────────────────────────────────────────────────────────────────


@bounded
@given(requests, st.data())
def test_a_masked_request_still_fits(request_, data):
    """A cassette of a masked request fits the same request masked again, and holds no secret."""
    secret = data.draw(st.sampled_from(["sk-0123456789", "geheim-é-日本"]))
    at = data.draw(st.integers(0, len(request_.inputs) - 1))
    inputs = [*request_.inputs]
    inputs[at] = {**inputs[at], "token": f"Bearer {secret}", secret: 1, "email": "ada@example.org"}
    bound = binding.bound(replace(request_, inputs=inputs))
    mask = Mask((secret,), (("inputs", "*", "email"),)).covering(bound)
    whole = cassette.dumps(mask.value(bound), [REPLY], AT)
    assert binding.moved(cassette.loads(whole), mask.value(bound)) == ()
    assert secret not in whole.decode()
    assert b"ada@example.org" not in whole
    assert MASKED in whole.decode()


def test_a_recorded_reply_is_masked_by_patterns_of_today():
    """A reply that was recorded before a path was redacted is masked when it is used."""
    streamed = replace(EXCHANGE, body=None, events=(Event(0.5, {"email": "ada@example.org"}),))
    old = loaded(reply=replace(REPLY, exchanges=(replace(EXCHANGE, body={"email": "a@b.c"}), streamed)))
    body, events = cassette.redacted(old, Mask(patterns=(("email",),))).replies[0].exchanges
    assert body.body == {"email": MASKED}
    assert events.events == (Event(0.5, {"email": MASKED}),)
    assert cassette.redacted(old, Mask()) is old


def test_what_is_masked_on_reading_is_told():
    """A recording says whether its file shows a cookie, or a value that is redacted today."""
    shown = {"headers": {"set-cookie": "sid=abc123"}, "email": "ada@example.org"}
    hidden = {"headers": {"set-cookie": MASKED}, "email": MASKED}
    redact = Mask(patterns=(("email",),))
    clear, covered = (
        loaded(reply=replace(REPLY, exchanges=(replace(EXCHANGE, body=each),))) for each in (shown, hidden)
    )
    assert (clear.masked, covered.masked, loaded().masked) == (True, False, False)
    assert (cassette.redacted(clear, redact).masked, cassette.redacted(covered, redact).masked) == (
        True,
        False,
    )
    plain = loaded(reply=replace(REPLY, exchanges=(replace(EXCHANGE, body={"email": "a@b.c"}),)))
    assert (plain.masked, cassette.redacted(plain, redact).masked) == (False, True)


def test_a_cookie_is_found_wherever_it_stands():
    """A cookie is masked at any place in a large cassette, which is searched in pieces."""
    for filler in range(cassette.PIECE - 600, cassette.PIECE, 3):
        body = {"a": "x" * filler, "headers": {"set-cookie": "sid=abc123"}}
        found = loaded(reply=replace(REPLY, exchanges=(replace(EXCHANGE, body=body),)))
        assert found.replies[0].exchanges[0].body["headers"] == {"set-cookie": MASKED}


# ── notes ────────────────────────────────────────────────────────────────────────────────────────


def test_notes_of_a_pending_answer_are_kept():
    """Notes stand at the end of the file and are read back; a cassette has none."""
    notes = {"suite": "a.dust.yaml", "case": "a", "changed": [1, {"b": None}]}
    whole = cassette.dumps(binding.bound(REQUEST), [REPLY], AT, Specification([], True), notes=notes)
    assert list(json.loads(whole))[-1] == "pending"
    assert cassette.loads(whole).notes == notes
    assert cassette.loads(whole).replies == loaded().replies
    assert loaded().notes is None
    assert cassette.loads(spoilt(pending=[1])).notes is None


# ── broken ones ──────────────────────────────────────────────────────────────────────────────────

WHOLE = json.loads(written())
WRITTEN = WHOLE["exchanges"][0]
STREAMED = {"request": "POST /", "status": 200, "headers": {}}


def spoilt(**changes: Any) -> bytes:
    """Give a cassette's bytes with other values in it, or without those that are MISSING."""
    merged = {**WHOLE, **changes}
    return json.dumps({name: value for name, value in merged.items() if value is not MISSING}).encode()


def exchanged(**changes: Any) -> bytes:
    """Give a cassette's bytes with an exchange of other values."""
    merged = {**WRITTEN, **changes}
    return spoilt(exchanges=[{name: value for name, value in merged.items() if value is not MISSING}])


def streamed(events: Any, times: Any) -> bytes:
    """Give a cassette's bytes with an exchange of these events and their times."""
    exchange = {**STREAMED, "events": events, "at": times}
    return spoilt(exchanges=[{name: value for name, value in exchange.items() if value is not MISSING}])


BROKEN = {
    "empty": (b"", "is not JSON: .* at line 1, column 1"),
    "cut off": (written()[:200], "is not JSON: .* at line "),
    "conflict": (
        b'{\n<<<<<<< HEAD\n  "version": 1\n}',
        "is not JSON: .*merge conflict .* at line 2, column 1",
    ),
    "latin-1": ('{"version": "é"}'.encode("latin-1"), "is not UTF-8"),
    "binary": (b"\x00\xff\xfe", "is not UTF-8"),
    "mark": (b"\xef\xbb\xbf{}", "no cassette"),
    "spaces": (b" \r\n", "is not JSON: the file is empty"),
    "zeros": (bytes(900), "is not JSON: .*zero bytes"),
    "utf-16": ('{"version": 1}'.encode("utf-16"), "UTF-16 or UTF-32; save it as UTF-8"),
    "utf-16 without a mark": ('{"version": 1}'.encode("utf-16-le"), "UTF-16 or UTF-32.*; save it as UTF-8"),
    "utf-16 the other way": ('{"version": 1}'.encode("utf-16-be"), "UTF-16 or UTF-32.*; save it as UTF-8"),
    "utf-32": ('{"version": 1}'.encode("utf-32"), "UTF-16 or UTF-32.*; save it as UTF-8"),
    "conflict at the end": (b'{\n"a": 1\n=======\n"a": 2\n>>>>>>> theirs\n}', "merge conflict .* at line 3"),
    "conflict of three": (b"{\r\n||||||| base\r\n}", r"merge conflict \(\|\|\|\|\|\|\|\) at line 2"),
    "lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n",
        "is a Git LFS pointer; fetch the file itself: git lfs pull",
    ),
    "annex": (b"/annex/objects/SHA256E-s12--4d7a.json\n", "is a git-annex pointer"),
    "crypt": (b"\0GITCRYPT\0\x9a\xff\x01", "git-crypt unlock"),
    "html": (b"\n<!DOCTYPE html>\n<html>", "is an HTML page"),
    "html of old": (b"<HTML><BODY>", "is an HTML page"),
    "xml": (b"<?xml version='1.0'?><Error/>", "is XML"),
    "deep": (b"[" * 100_000, "nested too deeply"),
    "long number": (b'{"version": ' + b"1" * 5000 + b"}", "is "),
    "list": (b"[]", "no cassette"),
    "text": (b'"x"', "no cassette"),
    "other JSON": (b'{"name": "x"}', "no cassette"),
    "later version": (spoilt(version=3), "has format version 3; this pytest-dust reads versions 1 and 2"),
    "odd version": (spoilt(version=None), "has format version None"),
    "no time": (spoilt(recorded_at=MISSING), "incomplete: .*recorded_at"),
    "odd time": (spoilt(recorded_at=3), "incomplete: .*recorded_at"),
    "no request": (spoilt(request=MISSING), "incomplete: .*request"),
    "odd request": (spoilt(request=[]), "incomplete: .*request"),
    "no duration": (spoilt(duration=MISSING), "incomplete: .*duration"),
    "odd duration": (spoilt(duration="long"), "incomplete"),
    "endless duration": (spoilt(duration=10**400), "incomplete"),
    "no exchanges": (spoilt(exchanges=MISSING), "incomplete: .*exchanges"),
    "empty exchanges": (spoilt(exchanges=[]), "incomplete: .*exchanges"),
    "null exchanges": (spoilt(exchanges=None), "incomplete"),
    "odd exchanges": (spoilt(exchanges={"a": 1}), "incomplete"),
    "odd exchange": (spoilt(exchanges=[1]), "incomplete"),
    "exchange without request": (exchanged(request=MISSING), "incomplete: .*request"),
    "exchange with half a request": (exchanged(request="POST"), "incomplete"),
    "exchange with an odd request": (exchanged(request=["POST"]), "incomplete"),
    "exchange without status": (exchanged(status=MISSING), "incomplete: .*status"),
    "exchange with an odd status": (exchanged(status="fine"), "incomplete"),
    "exchange with an endless status": (exchanged(status=10**400), "is incomplete: .*status"),
    "infinity": (exchanged(status=float("inf")), "is not JSON: .*Infinity"),
    "exchange without headers": (exchanged(headers=MISSING), "incomplete: .*headers"),
    "exchange with odd headers": (exchanged(headers=["a"]), "incomplete"),
    "no flavor": (spoilt(flavor=MISSING), "incomplete: .*flavor"),
    "odd flavor": (spoilt(flavor=3), "incomplete: .*flavor"),
    "unknown flavor": (spoilt(flavor="carrier pigeon"), "unknown flavor, carrier pigeon"),
    "odd events": (streamed(3, "1"), "incomplete: .*events"),
    "odd event": (streamed([3], "1"), "incomplete: an event without data"),
    "event without data": (streamed([{"at": 1}], "1"), "without data"),
    "event of three": (streamed([["final", 1, 2]], "1"), "without data"),
    "short event of another form": (streamed([["block_status", [1]]], "1"), "incomplete: a part"),
    "exchange without body": (exchanged(body=MISSING), "incomplete: .*body"),
    "events without times": (streamed([["final", None]], MISSING), "not one time for each event"),
    "events with odd times": (streamed([["final", None]], [1]), "not one time for each event"),
    "fewer times than events": (streamed([["final", None]], ""), "not one time for each event"),
    "time that is no number": (streamed([["final", None]], "now"), "incomplete: a part"),
    "endless event": (streamed([["final", None]], "1e999"), "incomplete: .*at"),
    "event at no time": (streamed([["final", None]], "nan"), "incomplete: .*at"),
    "short form of later versions": (exchanged(shortened=["traces"]), "does not know: traces"),
    "no word on what is shortened": (exchanged(shortened=MISSING), "does not say what is shortened"),
    "odd short form": (exchanged(shortened=3), "incomplete: a part"),
    "short form of odd names": (exchanged(shortened=[[]]), "incomplete: a part"),
    "results of no traces": (exchanged(shortened=["results"]), "incomplete: a part"),
    "statuses of no status": (exchanged(shortened=["statuses"]), "incomplete: a part"),
    "short form of no run": (exchanged(shortened=["results"], body=7), "incomplete: a part"),
    "app id that nothing names": (
        spoilt(request={}, exchanges=[{**WRITTEN, "shortened": ["app_id"]}]),
        "incomplete: a part",
    ),
    "specification of later versions": (spoilt(shortened=["all"], specification=[]), "does not know: all"),
    "odd specification": (spoilt(shortened=["specification"], specification=7), "incomplete: a part"),
    "events of version 1 without data": (
        spoilt(version=1, exchanges=[{**STREAMED, "events": [{"at": 1}]}]),
        "incomplete: an event without data",
    ),
    "odd event of version 1": (
        spoilt(version=1, exchanges=[{**STREAMED, "events": [3]}]),
        "incomplete: an event without data",
    ),
    "event of version 1 without time": (
        spoilt(version=1, exchanges=[{**STREAMED, "events": [{"data": 1}]}]),
        "incomplete: .*at",
    ),
    "endless event of version 1": (
        spoilt(version=1, exchanges=[{**STREAMED, "events": [{"at": 10**400, "data": 1}]}]),
        "incomplete: .*at",
    ),
}


@pytest.mark.parametrize(("source", "says"), BROKEN.values(), ids=BROKEN)
def test_a_broken_cassette_says_why(source, says):
    """A cassette that cannot be read is a CassetteError that says what is wrong with it, in one line."""
    with pytest.raises(CassetteError, match=says) as raised:
        cassette.loads(source)
    assert "\n" not in str(raised.value)


def test_a_byte_order_mark_is_read():
    """A cassette that an editor has saved with a byte order mark is the same cassette."""
    assert cassette.loads(b"\xef\xbb\xbf" + written()) == loaded()


@settings(bounded, max_examples=100)
@given(st.data())
def test_any_bytes_are_a_cassette_or_an_error(data):
    """Whatever stands in a cassette's file, it is a Cassette or a CassetteError."""
    name = data.draw(st.sampled_from([*WHOLE, "in an exchange"]))
    garbage = data.draw(json_values)
    source = spoilt(**{name: garbage})
    if name == "in an exchange":
        source = exchanged(**{data.draw(st.sampled_from(list(WRITTEN))): garbage})
    start = data.draw(st.integers(0, len(source)))
    said: list[str] = []
    for tried in (source, source[:start]):
        try:
            assert isinstance(cassette.loads(tried), Cassette)
        except CassetteError as error:
            said.append(str(error))
    assert all(text.startswith(("is ", "has ", "was ")) for text in said)
