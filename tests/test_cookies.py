"""No cookie and no credential of an HTTP header is in any cassette or report."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from answers import bounded
from hypothesis import given
from hypothesis import strategies as st

from conftest import SUPPORT, dust_server, suite
from pytest_dust import cookies
from pytest_dust.cookies import MASKED
from pytest_dust.masking import Mask
from pytest_dust.model import Flavor

SID = "s3cr3t-0f-the-session"
COOKIE = f"sid={SID}; Path=/; HttpOnly; Expires=Wed, 21 Oct 2026 07:28:00 GMT"


# ── where a header stands ────────────────────────────────────────────────────────────────────────

HOLDING: dict[str, Any] = {
    "a header": {"headers": {"set-cookie": COOKIE}},
    "capitals": {"headers": {"Set-Cookie": COOKIE, "SET-COOKIE2": COOKIE}},
    "several values": {"headers": {"set-cookie": [COOKIE, COOKIE]}},
    "pairs": [["Date", "today"], ["Set-Cookie", COOKIE]],
    "pairs of several values": [["Set-Cookie", [COOKIE]]],
    "one after another": {"rawHeaders": ["Date", "today", "Set-Cookie", COOKIE, "Set-Cookie", COOKIE]},
    "name and value": [{"name": "Set-Cookie", "value": COOKIE}, {"key": "cookie", "value": f"a={SID}"}],
    "another spelling": {"set_cookie": COOKIE, "setCookie": COOKIE, "HTTP_COOKIE": f"a={SID}"},
    "the request's": {"cookie": f"sid={SID}", "Authorization": f"Bearer {SID}"},
    "the proxy's": {"proxy-authorization": SID, "Proxy-Authorization": f"Basic {SID}"},
    "among headers": {"headers": {"Cookie": SID, "authorization": SID}},
    "passed on": {"fetched": {"h": {"set-cookie": COOKIE}}},
    "raw text": f"HTTP/1.1 200 OK\r\nSet-Cookie: {COOKIE}\r\nDate: today\r\n",
    "JSON in a text": json.dumps({"set-cookie": COOKIE, "cookie": f"sid={SID}"}),
    "a list in JSON in a text": json.dumps({"set-cookie": [COOKIE, f"b={SID}"]}, indent=2),
    "JSON in JSON in a text": json.dumps(json.dumps({"Set-Cookie": COOKIE})),
    "a log line": f"headers: [(b'Set-Cookie', b'{COOKIE}')]",
    "a command": f"curl -H 'Cookie: sid={SID}; b=2' -H 'Authorization: Bearer {SID}' https://shop.example",
    "an error": f"403 from the shop (set-cookie: {COOKIE})",
    "a key": {f"Set-Cookie: {COOKIE}": 1},
    "elsewhere too": {"headers": {"set-cookie": COOKIE}, "prompt": f"The session is {SID}, go on."},
    "of another form elsewhere": {"headers": {"authorization": SID}, "a": SID},
    "cookies by name": {"cookies": {"sid": SID, "theme": "dark"}},
    "a jar": {"cookieJar": {"id": SID}, "said": f"it is {SID}"},
    "a browser's": {"cookies": [{"name": "sid", "value": SID, "domain": "shop.example", "httpOnly": True}]},
    "as they are sent": {"cookies": [f"sid={SID}", "oat"], "setCookies": f"sid={SID}"},
    "quoted": {"set-cookie": f'sid="{SID}"; Path=/', "a": f"it is {SID}"},
    "quoted in JSON in a text": json.dumps({"set-cookie": f'sid="{SID}"; Path=/'}),
    "signed": {"set-cookie": f"id=s%3A{SID}.abc; Path=/", "a": f"s:{SID}.abc"},
    "an arrow": f"set-cookie => sid={SID}; Path=/",
    "in bold": f"**Set-Cookie**: sid={SID}; Path=/",
    "in HTML": f"&quot;set-cookie&quot;: &quot;sid={SID}; Path=/&quot;",
    "in an address": f"next=set-cookie%3A%20sid%3D{SID}%3B%20Path%3D/",
    "k and v": [{"k": "Set-Cookie", "v": COOKIE}],
    "elsewhere before": [f"The session is {SID}", {"headers": [["cookie", f"a={SID}"]]}],
}


@pytest.mark.parametrize("value", HOLDING.values(), ids=HOLDING)
def test_a_cookie_is_masked_wherever_it_stands(value):
    """A header that is a cookie or a credential is masked by its name, in every form of headers."""
    text = json.dumps(Mask().value(value))
    assert SID not in text
    assert MASKED in text


def test_a_secret_is_masked_elsewhere_in_every_form():
    """The value of a session's cookie is masked elsewhere too: alone, with its name, and in texts."""
    value = {"set-cookie": "sid=abc123; Path=/", "a": ["abc123", "sid=abc123; Path=/", "the abc123!"]}
    assert Mask().value(value)["a"] == [MASKED, f"{MASKED}; Path=/", f"the {MASKED}!"]


@pytest.mark.parametrize(
    ("name", "value", "is_masked"),
    [
        # of a session: letters and digits from 6 characters on, digits from 10, letters from 16
        ("sid", "abc12", False),
        ("sid", "abc123", True),
        ("sid", "123456789", False),
        ("sid", "1234567890", True),
        ("sid", "abcdefghijklmno", False),
        ("sid", "abcdefghijklmnop", True),
        ("MY_TOKEN", "abc123", True),
        # of any other cookie: letters and digits from 16 characters on
        ("theme", "dark2", False),
        ("last_parcel", "PX-1041", False),
        ("last_visit", "2026-11-26", False),
        ("consent", "application/json", False),
        ("id", "abcdefghijklmn1", False),
        ("id", "abcdefghijklmno1", True),
        ("id", "abcdefghijklmnopqrst", False),
        ("id", "12345678901234567890", False),
    ],
)
def test_only_a_distinctive_secret_is_masked_elsewhere(name, value, is_masked):
    """The value of a cookie is masked elsewhere only if it can hardly be a word, a number or a date."""
    found = Mask().value({"set-cookie": f"{name}={value}; Path=/", "a": f"in {value}!"})
    assert found == {"set-cookie": MASKED, "a": f"in {MASKED if is_masked else value}!"}


@pytest.mark.parametrize("credential", ["abc123", "Bearer abc123", "basic abc123", "ApiKey abc123"])
def test_a_credential_is_masked_without_its_scheme(credential):
    """The credential of an Authorization header is masked elsewhere, and its scheme is not."""
    found = Mask().value(
        {"headers": {"authorization": credential}, "a": f"Bearer, basic, ApiKey: {credential}"}
    )
    assert found["a"] == f"Bearer, basic, ApiKey: {credential.replace('abc123', MASKED)}"


def test_what_the_request_says_in_clear_is_no_secret():
    """An input is kept even if a cookie holds the same; the value of the request's own cookie is masked."""
    order, own = "order-4711-of-2026", "another-1-0f-mine"
    mask = Mask().covering({"inputs": [{"order": order, "headers": {"cookie": f"sid={own}"}}]})
    answer = {"set-cookie": f"session={order}; Path=/", "a": f"{order} and {own}"}
    assert mask.value(answer) == {"set-cookie": MASKED, "a": f"{order} and {MASKED}"}


HARMLESS: dict[str, Any] = {
    "another header": {"headers": {"content-type": "text/plain", "x": "sid=1"}},
    "a sweet": {"cookie": "chocolate chip", "cookies": ["oat", "ginger"], "label": "cookie"},
    "a decision": {"authorization": "approved", "authorizations": 2},
    "nothing": {"headers": {"cookie": None}, "set-cookie": None},
    "prose": "The cookie: a story of flour. A header called Set-Cookie, authorization and more.",
    "a question": "Do you accept cookies? authorization: please ask",
    "numbers": [1, 2.5, True, None],
    "a baker's": {
        "cookies": {"oat": "3 EUR", "ginger": "sold out"},
        "Cookies": [{"name": "oat", "value": "4"}],
    },
}


@pytest.mark.parametrize("value", HARMLESS.values(), ids=HARMLESS)
def test_what_is_no_cookie_is_kept(value):
    """A key that only resembles the name of a header is kept with its value, and so are all other headers."""
    assert Mask().value(value) == value


def test_all_but_the_cookie_is_kept():
    """All but a cookie's value is kept: other headers, other lines, and the form of JSON in a text."""
    raw = f"HTTP/1.1 200 OK\r\nSet-Cookie: {COOKIE}\r\nDate: today"
    assert Mask().value(raw) == "HTTP/1.1 200 OK\r\nSet-Cookie: ***\r\nDate: today"
    given = {"set-cookie": [COOKIE], "date": "today", "cookie": "oat"}
    read = json.loads(Mask().value(json.dumps(given)))
    assert read == {"set-cookie": MASKED, "date": "today", "cookie": "oat"}
    assert Mask().value({"headers": {"set-cookie": COOKIE, "etag": "x"}}) == {
        "headers": {"set-cookie": MASKED, "etag": "x"}
    }


@pytest.mark.parametrize(
    "attribute", ["Domain=.shop.example.org", "Path=/a/long/way/to/go", "Max-Age=31536000"]
)
def test_the_attributes_of_a_cookie_are_no_secret(attribute):
    """The domain, the path and the age in a cookie are not masked elsewhere."""
    said = attribute.partition("=")[2]
    value = {"headers": {"set-cookie": f"sid={SID}; {attribute}"}, "text": f"see {said}"}
    assert Mask().value(value)["text"] == f"see {said}"


names = st.sampled_from(
    ["set-cookie", "Set-Cookie2", "COOKIE", "authorization", "cookies", "date", "headers", "name", "value"]
)
texts = st.sampled_from([COOKIE, f"sid={SID}", f"Bearer {SID}", "plain", "Set-Cookie"]) | st.text(max_size=5)
values = st.recursive(
    texts | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=10,
)


@bounded
@given(values)
def test_masking_twice_changes_nothing(value):
    """A masked value stays the same when it is masked again, so a replay equals the recorded run."""
    once = Mask().value(value)
    assert Mask().value(once) == once


@bounded
@given(values, st.sampled_from([COOKIE, [COOKIE], [f"a={SID}", COOKIE]]))
def test_no_cookie_is_left_whatever_is_around_it(around, header):
    """A cookie's header and its value are masked in any mapping or list."""
    for whole in ({"a": around, "Set-Cookie": header}, [around, "set-cookie", header]):
        assert SID not in json.dumps(Mask().value(whole))


@pytest.mark.parametrize(
    "text",
    ['set-cookie: "' * 40_000, "cookie: a=b;" * 40_000, 'cookie:["a" ' * 40_000, "cookie:" + "\\" * 400_000],
)
def test_hostile_texts_end(text):
    """A text made to be slow to search is searched in a time proportional to its length."""
    assert cookies.without_headers(text) is not None


# ── in a session ─────────────────────────────────────────────────────────────────────────────────

PLACES: dict[str, Any] = {
    "headers": lambda _env: {"status": 200, "headers": {"set-cookie": COOKIE}, "body": "ok"},
    "capitals": lambda _env: {"status": 200, "headers": {"Set-Cookie": [COOKIE]}, "body": "ok"},
    "pairs": lambda _env: {"status": 200, "headers": [["Set-Cookie", COOKIE]], "body": "ok"},
    "echo": lambda _env: {"status": 200, "headers": {}, "body": {"headers": {"Cookie": f"sid={SID}"}}},
    "text": lambda _env: {"status": 200, "headers": {}, "body": f"Set-Cookie: {COOKIE}\n"},
}


def failing(env: Any) -> Any:
    """Fail with the headers of an earlier block in the error."""
    raise dust_server.BlockError(f"refused by {json.dumps(env.state['FETCH'])}")


LATER: dict[str, Any] = {
    "the last": None,
    "passed on": lambda env: {"reply": env.state["FETCH"], "as text": json.dumps(env.state["FETCH"])},
    "told": lambda _env: f"The session is {SID}.",
    "in an error": failing,
}
CASE = "input: {question: Hi}\nexpect: {status: {type: string}, result: {equals: nothing like it}}\n"
each_flavor = pytest.mark.parametrize("flavor", Flavor)


def leaks(result: Any) -> list[str]:
    """Give the names of the outputs and files of a run that hold the cookie."""
    left = {"out": result.out.encode(), "err": result.err.encode(), **result.example.files}
    return [name for name, text in left.items() if name != "a.dust.yaml" and SID.encode() in text]


@pytest.mark.parametrize(
    ("place", "later", "flavor"),
    [
        *(("headers", later, "blocking") for later in LATER),
        *((place, "passed on", "stream") for place in PLACES),
        *((place, "the last", "poll") for place in PLACES),
    ],
)
def test_no_cookie_is_kept_or_shown(project, server, place, later, flavor):
    """A cookie that an app fetches is in no cassette and no report, by any flavor, and the case replays."""
    blocks = [("input", "INPUT", None), ("curl", "FETCH", PLACES[place])]
    server.become(*blocks, *([("code", "AFTER", LATER[later])] if LATER[later] else []))
    text = suite(server, SUPPORT, CASE, f"flavor: {flavor}\n")
    options = ("--junitxml=out.xml", "--log-level=DEBUG", "--log-file=all.log", "--dust-diff-dir=diffs")
    recorded = project.having({"a.dust.yaml": text}).using(server).run("--dust-mode=record", *options)
    assert recorded.outcomes == {"failed": 1}
    assert len(recorded.example.cassettes) == 1
    assert leaks(recorded) == []
    again = recorded.example.offline().run(*options)
    assert leaks(again) == []
    reports = (one.report.partition("actual")[2] for one in (recorded, again))
    expected, actual = (report.partition("to run the app")[0] for report in reports)
    assert expected.partition("the run is")[0] == actual
    live = recorded.example.run("--dust-mode=live", *options)
    assert leaks(live) == []
    assert "it begins in" not in live.out


@each_flavor
def test_a_cookie_that_is_sent_is_not_kept(project, server, flavor):
    """A cookie in the inputs is sent unchanged and stored nowhere, and the cassette fits with any cookie."""
    given = f"input: {{question: Refund, headers: {{cookie: 'sid={SID}', authorization: Bearer {SID}}}}}\n"
    text = suite(server, SUPPORT, given, f"flavor: {flavor}\n")
    recorded = project.having({"a.dust.yaml": text}).using(server).run("--dust-mode=record")
    assert recorded.outcomes == {"passed": 1}
    assert server.requests[0].body["inputs"][0]["headers"]["cookie"] == f"sid={SID}"
    assert leaks(recorded) == []
    other = recorded.example.offline().replacing("a.dust.yaml", SID, "another-one-4711")
    assert other.run().outcomes == {"passed": 1}


def test_a_cookie_in_an_older_cassette_is_not_shown(project, server):
    """A cassette that still holds a cookie fits and replays, and no report shows the cookie."""
    server.become(("input", "INPUT", None), ("curl", "FETCH", PLACES["headers"]))
    case = (
        "input: {question: Hi, headers: {cookie: a=another-one-4711}}\n"
        "expect: {'result.headers.\"set-cookie\"': none}\n"
    )
    example = project.having({"a.dust.yaml": suite(server, SUPPORT, case)}).using(server)
    recorded = example.run("--dust-mode=record").example
    ((name, text),) = recorded.cassettes.items()
    older = recorded.having({name: text.replace(b"***", f"sid={SID}".encode())})
    for mode, example_now in (("replay", older.offline()), ("live", older)):
        result = example_now.run(f"--dust-mode={mode}", "--dust-diff-dir=d")
        assert result.outcomes == {"failed": 1}
        assert re.search(
            'result.headers."set-cookie"\n +expected +"none"\n +actual +"\\*\\*\\*"', result.report
        )
        assert [left for left in leaks(result) if left != name] == []


def test_an_expected_header_holds_in_every_mode(project, server):
    """What a case expects of a cookie's header is masked as the run is, in every mode and without a key."""
    server.become(("input", "INPUT", None), ("curl", "FETCH", PLACES["headers"]))
    expect = f"input: {{question: Hi}}\nexpect: {{result.headers: {{equals: {{set-cookie: '{COOKIE}'}}}}}}\n"
    example = project.having({"a.dust.yaml": suite(server, SUPPORT, expect)}).using(server)
    recorded = example.run("--dust-mode=record")
    assert recorded.outcomes == {"passed": 1}
    assert recorded.example.offline().run().outcomes == {"passed": 1}
