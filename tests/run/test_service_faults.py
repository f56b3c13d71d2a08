"""No trouble of the service or the network is taken for a result, and no trouble starts a second run."""

from __future__ import annotations

import gzip
import re
import resource
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from faults import Faults
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from live_runs import asking, run, seen
from raw_servers import HEAD, each_flavor, endless, free_port, raw, refused

from conftest import BARE, KEY, OTHERS_PLUGINS, SUPPORT, Service, dust_server
from pytest_dust.dust.conversation import retry_after
from pytest_dust.dust.network import Network

SOON = 5
"""Seconds within which a busy machine ends what would otherwise take minutes."""


# ── the rate limit ───────────────────────────────────────────────────────────────────────────────


def in_seconds(seconds):
    """Give an HTTP date so far from now."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


LIMITS = {
    "seconds": ({"Retry-After": "1"}, 1.0, 3.0),
    "no time": ({"Retry-After": "0"}, 0.25, 0.9),
    "a part of a second": ({"Retry-After": "0.5"}, 0.5, 0.95),
    "hardly any time": ({"Retry-After": "0.001"}, 0.25, 0.9),
    "a date": ("date", 0.8, 4.0),
    "a date that is past": ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.25, 0.9),
    "nothing": ({}, 1.0, 3.0),
    "nonsense": ({"Retry-After": "soon"}, 1.0, 3.0),
    "beyond all calendars": ({"Retry-After": "Mon, 01 Jan 2024 00:00:00 +99999999999999"}, 1.0, 3.0),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_a_rate_limit_is_waited_for(network, server, limit):
    """After a 429 the run waits as `Retry-After` says, in seconds or by a date, or else for a second."""
    headers, least, most = LIMITS[limit]
    if headers == "date":
        headers = {"Retry-After": in_seconds(2)}
    server.misbehave(Faults.status(429, headers=headers))
    began = time.monotonic()
    reply = run(network, asking(server), "blocking")
    passed = time.monotonic() - began
    assert least - 0.05 <= reply.waited <= min(most, passed + 0.05)
    assert reply.duration <= passed - reply.waited + 0.05
    assert server.runs == 2
    assert len(server.stored_runs) == len({*server.stored_runs})


def test_a_rate_limit_without_words_is_waited_for_longer_each_time(network, server):
    """Without `Retry-After` the pauses grow."""
    server.misbehave(Faults.status(429), times=2)
    reply = run(network, asking(server), "blocking")
    assert reply.waited == pytest.approx(3.0, abs=0.1)
    assert server.runs == 3


@each_flavor
def test_a_waited_for_run_is_started_once_and_says_so(one, server, flavor):
    """A run behind a 429 is started exactly once; its report and the summary tell how long it waited."""
    server.misbehave(Faults.status(429, headers={"Retry-After": "1"}))
    before = len(server.stored_runs)
    example = one.flavoured(flavor).replacing("a.dust.yaml", "billing", "shipping")
    result = example.run("--dust-mode=live")
    assert result.outcomes == {"failed": 1}
    assert "waited 1 s for the rate limit" in result.report
    assert re.search(
        r"^dust: 1 case waited for the service's rate limit \(429\), 1 s$", result.out, re.MULTILINE
    )
    assert len(server.stored_runs) == before + 1


def test_a_rate_limit_of_asking_is_waited_for(network, server):
    """A 429 to the question how a run goes on is waited for, and the run is not started again."""
    server.misbehave(Faults.status(429, headers={"Retry-After": "0"}), times=3, on="GET")
    reply = run(network, request := asking(server), "poll")
    assert seen(reply, request)["status"] == "succeeded"
    assert [each.method for each in server.requests] == ["POST", "GET", "GET", "GET", "GET"]


@pytest.mark.parametrize(
    ("value", "told"), [("3600", "3600 s"), ("9" * 400, "1000000000 s"), ("date", r"3[56]\d\d s")]
)
def test_a_rate_limit_beyond_the_timeout_fails_at_once(one, server, value, told):
    """A wait that outlasts the case's `timeout` is not begun: the message says both times."""
    headers = {"Retry-After": in_seconds(3600) if value == "date" else value}
    server.misbehave(Faults.status(429, headers=headers), times=None)
    began = time.monotonic()
    result = one.run("--dust-mode=live")
    assert time.monotonic() - began < 3
    assert re.search(
        rf"429 rate_limit_error: You have .*next try is due in {told}, and the run has 5 s", result.out
    )
    assert "wait, or replay from cassettes" in result.out
    assert server.runs == 1


def test_a_rate_limit_without_end_fails_within_the_timeout(network, server):
    """A 429 that comes again and again is the case's failure before its time is up, and no result."""
    server.rate_limit(0, retry_after="1")
    began = time.monotonic()
    words = refused(network, server, timeout=2.5)
    assert "429 rate_limit_error" in words
    assert time.monotonic() - began < 3
    assert server.runs == 3


# ── what is repeated, and what never ─────────────────────────────────────────────────────────────


def test_a_refused_connection_is_tried_again():
    """Where nobody listens yet, nothing was sent: a service that comes up a little later is reached."""
    late = Service(free_port(), api_key=KEY)
    network = Network(late.base_url, {"DUST_API_KEY": KEY})
    timer = threading.Timer(0.3, late.start)
    timer.start()
    try:
        reply = run(network, request := asking(late), "blocking")
        assert seen(reply, request)["result"]["label"] == "billing"
        assert late.runs == 1
    finally:
        timer.join()
        network.close()
        late.stop()


def test_nobody_at_home_is_told_soon():
    """Where nobody listens for long, the run fails soon, whatever its timeout."""
    network = Network(f"http://127.0.0.1:{free_port()}", {"DUST_API_KEY": KEY})
    with Service(api_key=KEY) as other:
        began = time.monotonic()
        words = refused(network, other, timeout=60)
    assert time.monotonic() - began < SOON
    assert re.search(r"cannot connect to http://127.*--dust-base-url", words)


ONCE = {
    "hung up": Faults.hung_up(),
    "reset": Faults.reset(),
    "dropped": Faults.dropped(),
    "500": Faults.status(500),
    "502": Faults.status(502),
    "503 that asks to wait": Faults.status(503, headers={"Retry-After": "0"}),
    "504": Faults.status(504),
    "stalled": Faults.stalled(5),
    "408": Faults.status(408, "slow"),
    "409": Faults.status(409, "busy"),
}


@each_flavor
@pytest.mark.parametrize("fault", ONCE)
def test_what_may_have_started_a_run_is_never_repeated(network, server, fault, flavor):
    """After a lost connection, a 5xx or a read time-out a POST is not sent again, whatever the flavour."""
    server.misbehave(ONCE[fault])
    if fault == "dropped" and flavor == "stream":  # it named its run, which is asked for
        assert seen(run(network, request := asking(server), flavor), request)["status"] == "succeeded"
        assert server.runs == 1
        return
    words = refused(network, server, flavor, timeout=0.6 if fault == "stalled" else 5.0)
    assert server.runs == len(server.requests) == 1
    if fault in ("hung up", "reset", "dropped"):
        assert re.search(r"broke.*may have started, so it was not repeated: run the case again", words)


def test_a_kept_connection_that_the_service_has_closed_is_not_a_second_run(network, server):
    """A connection that was closed between two runs costs neither a failure nor a second run."""
    for _ in range(3):
        server.requests.clear()
        assert seen(run(network, request := asking(server), "blocking"), request)
        server.listener.hang_up()
        time.sleep(0.02)
        assert server.runs == 1


AGAIN = {
    "500": Faults.status(500),
    "502": Faults.status(502),
    "hung up": Faults.hung_up(),
    "reset": Faults.reset(),
    "dropped": Faults.dropped(),
}


@pytest.mark.parametrize("fault", AGAIN)
def test_asking_is_repeated(network, server, fault):
    """A GET is sent again after a 5xx and a lost connection; the run is started once."""
    server.misbehave(AGAIN[fault], times=2, on="GET")
    reply = run(network, request := asking(server), "poll")
    assert seen(reply, request)["result"]["label"] == "billing"
    assert [each.method for each in server.requests] == ["POST", "GET", "GET", "GET"]


@pytest.mark.parametrize("fault", ["502", "hung up", "dropped"])
def test_asking_is_given_up_in_the_end(network, server, fault):
    """A service that answers no GET fails the case after some attempts; the run is started once."""
    server.misbehave(AGAIN[fault], times=None, on="GET")
    words = refused(network, server, "poll")
    assert server.runs == 1
    assert 2 < len(server.requests) < 10
    assert ("answered 50" in words) if fault.isdecimal() else ("broke" in words)
    assert "may have started, so it was not repeated" not in words


def test_a_broken_stream_asks_as_often_as_polling(network, server):
    """The run of a broken stream is asked for again like any other."""
    server.misbehave(Faults.break_off(3))
    server.misbehave(Faults.status(503), times=2, on="GET")
    reply = run(network, request := asking(server), "stream")
    assert seen(reply, request)["result"]["label"] == "billing"
    assert server.runs == 1


@pytest.mark.parametrize("code", [400, 401, 403, 404])
def test_a_refusal_of_asking_is_final(network, server, code):
    """A GET that is refused is not sent again."""
    server.misbehave(Faults.status(code), times=None, on="GET")
    assert f"answered {code}" in refused(network, server, "poll")
    assert len(server.requests) == 2


# ── redirects ────────────────────────────────────────────────────────────────────────────────────


@each_flavor
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(network, server, code, flavor):
    """A redirect is told and not followed: the other host gets no request, let alone the key."""
    with Service(api_key=KEY) as other:
        to = f"{other.base_url}/api/v1/w/{other.workspace}/spaces/{other.space}/apps/{SUPPORT}/runs"
        moved = Faults.status(code, "moved", headers={"Location": to})
        server.misbehave(moved, times=None, on="GET" if flavor == "poll" else "POST")
        words = refused(network, server, flavor)
        assert other.requests == []
    assert re.search(rf"answered {code}.*redirects are not followed.*--dust-base-url", words)


# ── answers that are no run ──────────────────────────────────────────────────────────────────────

PAGE = "<!DOCTYPE html><html><body>Sign in</body></html>"
BARE_500 = (
    r"gives no reason\. Known ones are an unknown specification_hash \([0-9a-f]{12}…\), inputs with unequal"
)
ANSWERS = {
    "400": (
        Faults.error(400, "invalid_request_error", "Bad config"),
        r"400 invalid_request_error: Bad config.*check config",
    ),
    "401": (Faults.status(401), r"401 invalid_api_key_error: The API key.*check DUST_API_KEY"),
    "403": (Faults.status(403), r"403 workspace_auth_error: .*the key may not use this app"),
    "404": (Faults.status(404), r"404 app_not_found: .*check app\.id, space and workspace"),
    "405": (Faults.status(405), r"405 method_not_supported_error: .*--dust-base-url"),
    "413": (Faults.status(413), r"413 content_too_large: .*4 MB"),
    "429": (Faults.status(429, headers={"Retry-After": "99"}), r"429 rate_limit_error: .*wait, or replay"),
    "500": (Faults.status(500), r"500 internal_server_error: .*"),
    "page": (Faults.status(200, PAGE, content_type="text/html"), r"200 with HTML .*--?|check that"),
    "bad gateway": (Faults.status(502), r"502 with HTML .*try again later"),
    "cut": (Faults.truncated(), r"200 with JSON that is cut off or broken"),
    "another type": (Faults.content_type("text/plain"), r"200 with JSON \(.* as text/plain instead of app"),
    "octets": (
        Faults.content_type("application/octet-stream"),
        r"as application/octet-stream instead of application/json",
    ),
    "empty": (Faults.status(200, b""), r"200 with an empty body"),
    "not UTF-8": (Faults.status(200, b'{"run": "\xff\xfe"}'), r"not UTF-8"),
    "no status": (Faults.altered(lambda run: run.pop("status")), r"a run with no status"),
    "no run": (Faults.status(200, {"error": None}), r"200 without a run in it"),
    "204": (Faults.status(204, ""), r"answered 204 with an empty body"),
    "201": (Faults.status(201, {"run": {}}), r"answered 201"),
    "stream nobody asked for": (
        Faults.status(200, "data: {}\n\n", content_type="text/event-stream"),
        r"before it named its run|without a run in it",
    ),
}


@each_flavor
@pytest.mark.parametrize("answer", ANSWERS)
def test_each_answer_that_is_no_run_has_plain_words(network, server, answer, flavor):
    """A non-answer is told in one or two sentences: status, the service's own words, what to check."""
    fault, told = ANSWERS[answer]
    if answer in ("cut", "another type", "octets", "no status") and flavor == "stream":
        pytest.skip("a stream that is cut is finished by its id")
    server.misbehave(fault, times=None, on="GET" if flavor == "poll" else "POST")
    words = refused(network, server, flavor)
    assert re.search(told, words)
    assert len(words) < 600
    assert "Traceback" not in words
    assert "\n" not in words
    assert KEY not in words
    if answer == "500":
        assert bool(re.search(BARE_500, words)) == (flavor == "blocking")  # a poll is refused as it asks


@pytest.mark.parametrize("answer", ANSWERS)
def test_each_answer_that_is_no_run_fails_the_case_plainly(one, server, answer):
    """In the report, the summary line and the JUnit file a non-answer is its sentence and no traceback."""
    fault, told = ANSWERS[answer]
    server.misbehave(fault, times=None, on="ANY")
    result = one.run("--dust-mode=record", "--junitxml=out.xml", "--showlocals", "--full-trace", "-vvv")
    assert result.outcomes == {"failed": 1}
    assert re.search(told, " ".join(result.report.split()))
    assert result.example.cassettes == {}
    junit = result.example.files["out.xml"].decode()
    ET.fromstring(junit)
    for word in ("Traceback", "INTERNALERROR", "site-packages", "pytest_dust/", KEY):
        assert word not in result.out + result.err + junit


def test_the_error_inside_of_an_error_is_told(network, server):
    """The `run_error` of an error body, which says what was wrong, stands in the message."""
    server.misbehave(
        Faults.error(400, "run_error", "It failed.", {"code": "no_block", "message": "No MODEL"})
    )
    words = refused(network, server)
    assert re.search("run_error: It failed.*No MODEL", words)


# ── time ─────────────────────────────────────────────────────────────────────────────────────────

SLOW = {
    "trickle": Faults.trickle(0.3),
    "slow head": Faults.slow_head(0.3),
    "stalled": Faults.stalled(),
}


@pytest.mark.parametrize(
    ("fault", "flavor"),
    [("trickle", "blocking"), ("trickle", "stream"), ("slow head", "poll"), ("stalled", "blocking")],
)
def test_the_timeout_is_for_the_whole_run(network, server, fault, flavor):
    """However slowly an answer comes, the run is given up when its time is up, and that is said."""
    server.misbehave(SLOW[fault], times=None, on="ANY")
    began = time.monotonic()
    words = refused(network, server, flavor, timeout=0.8)
    assert 0.7 <= time.monotonic() - began <= SOON
    assert re.search(r"longer than 0\.8 s.*timeout: in the suite, or --dust-timeout", words)
    assert server.runs == 1


def test_a_run_that_never_ends_is_given_up(network, server):
    """A run that is asked for and goes on is given up when its time is up."""
    server.poll_steps = 10**6
    began = time.monotonic()
    words = refused(network, server, "poll", timeout=1.0)
    assert time.monotonic() - began <= SOON
    assert "longer than 1 s" in words
    assert server.runs == 1


def test_after_a_run_that_was_given_up_the_next_one_runs(one, server):
    """The session goes on after a run that took too long."""
    example = one.having({"b.dust.yaml": one.files["a.dust.yaml"]}).replacing(
        "a.dust.yaml", "timeout: 5", "timeout: 0.5"
    )
    server.misbehave(Faults.stalled())
    assert example.run("--dust-mode=live").outcomes == {"failed": 1, "passed": 1}


def started(example, *args):
    """Start pytest in a project without waiting for it."""
    example.write()
    code = (
        "import signal, sys, pytest\nsignal.signal(2, signal.default_int_handler)\nsys.exit(pytest.main())\n"
    )
    environment = {**BARE, "PYTEST_ADDOPTS": OTHERS_PLUGINS, **example.environ}
    return subprocess.Popen(
        [sys.executable, "-c", code, *args],
        cwd=example.root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize(
    ("flavor", "fault", "on"),
    [
        ("blocking", Faults.stalled(), "POST"),
        ("stream", Faults.trickle(0.5), "POST"),
        ("poll", Faults.slow_head(0.5), "GET"),
        ("blocking", Faults.status(429, headers={"Retry-After": "50"}), "POST"),
    ],
)
def test_an_interrupt_stops_at_once_and_changes_nothing(one, server, flavor, fault, on):
    """Ctrl-C does not wait for a run: cassettes stand as they were, pytest's summary appears."""
    recorded = (
        one.flavoured(flavor)
        .run("--dust-mode=record")
        .example.replacing("a.dust.yaml", "timeout: 5", "timeout: 90")
    )
    server.requests.clear()
    server.misbehave(fault, times=None, on=on)
    process = started(recorded, "--dust-mode=rerecord", "-p", "no:cacheprovider")
    until = time.monotonic() + 20
    while len(server.requests) < (2 if on == "GET" else 1):
        assert time.monotonic() < until
        time.sleep(0.01)
    time.sleep(0.2)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert time.monotonic() - began < SOON
    assert process.returncode == 2
    assert "KeyboardInterrupt" in out
    assert "no tests ran in" in out
    assert "INTERNALERROR" not in out
    assert KEY not in out
    assert recorded.left().cassettes == recorded.cassettes
    assert server.runs == 1


# ── size ─────────────────────────────────────────────────────────────────────────────────────────


@each_flavor
def test_an_answer_as_large_as_the_service_allows_works(network, server, flavor):
    """An answer of 7 MB is a run like any other, by each road; JSON says its results twice."""
    size = 7 if flavor == "stream" else 3.5
    server.misbehave(Faults.huge(size), times=None, on="GET" if flavor == "poll" else "POST")
    reply = run(network, request := asking(server), flavor, timeout=20)
    assert len(seen(reply, request)["result"]["more"]) == size * 1024 * 1024


def test_a_large_answer_is_recorded_and_replayed(one, server):
    """A run of 7 MB is recorded, and its cassette replays to the same verdict in bounded words."""
    server.misbehave(Faults.huge(3.5))
    example = one.replacing("a.dust.yaml", "billing", "shipping").replacing(
        "a.dust.yaml", "timeout: 5", "timeout: 30"
    )
    recorded = example.run("--dust-mode=record")
    replayed = recorded.example.offline().run()
    for result in (recorded, replayed):
        assert result.outcomes == {"failed": 1}
        assert re.search(r'expected +"shipping"', result.report)
        assert len(result.out) < 10_000


@each_flavor
def test_an_answer_larger_than_a_cassette_is_refused(network, server, flavor):
    """An answer of more than 64 MB is refused in one sentence that says how to narrow it."""
    body = b'{"type": "block_execution", "content": "%b"}' % (b"x" * 65 * 1024 * 1024)
    kind = "application/json"
    if flavor == "stream":
        body, kind = b"data: %b\n\n" % body, "text/event-stream"
    fault = Faults.status(200, body, content_type=kind)
    server.misbehave(fault, times=None, on="GET" if flavor == "poll" else "POST")
    words = refused(network, server, flavor, timeout=60)
    advice = "a block_filter, as a stream ignores it" if flavor == "stream" else "with block_filter"
    assert words.startswith("the service's answer is larger than 64 MB; ")
    assert words.endswith(advice)


@each_flavor
@pytest.mark.parametrize("levels", [300, 100_000])
def test_an_answer_nested_beyond_reason_is_refused(network, server, levels, flavor):
    """An answer that is nested too deeply is refused in one sentence, and never exhausts the stack."""
    server.misbehave(Faults.nested(levels), times=None, on="GET" if flavor == "poll" else "POST")
    assert "nested too deeply" in refused(network, server, flavor)


@each_flavor
def test_an_answer_nested_within_reason_works(network, server, flavor):
    """A hundred levels are a run like any other."""
    server.misbehave(Faults.nested(100), times=None, on="GET" if flavor == "poll" else "POST")
    assert seen(run(network, request := asking(server), flavor), request)["status"] == "succeeded"


BOMB = gzip.compress(b"x" * 300 * 1024 * 1024, 1)
LINE = b"x" * 65536
FLOODS = {
    "a body": endless(HEAD % b"application/json" + b"\r\n", LINE),
    "one line of a stream": endless(HEAD % b"text/event-stream" + b"\r\n", LINE),
    "an event's lines": endless(HEAD % b"text/event-stream" + b"\r\n", b"data: x\n" * 8192),
    "many comments": endless(HEAD % b"text/event-stream" + b"\r\n", b": x\n\n" * 8192),
    "a refusal": endless(HEAD.replace(b"200 OK", b"500 Oh") % b"text/html" + b"\r\n", LINE),
    "a bomb": HEAD % b"application/json" + b"Content-Encoding: gzip\r\n\r\n" + BOMB,
    "a bomb of a stream": HEAD % b"text/event-stream" + b"Content-Encoding: gzip\r\n\r\n" + BOMB,
    "headers": endless(b"HTTP/1.1 200 OK\r\n", b"X-Long: " + LINE + b"\r\n"),
    "one header": endless(b"HTTP/1.1 200 OK\r\nX-Long: ", LINE),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_an_answer_without_end_exhausts_no_memory(server, flood):
    """An answer that goes on for ever, packed or not, is refused with little memory and in good time."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = FLOODS[flood]

    def give(connection):
        try:
            answer(connection) if callable(answer) else connection.sendall(answer)
        except OSError:
            return

    with raw(give) as address:
        network = Network(address, {"DUST_API_KEY": KEY})
        began = time.monotonic()
        words = refused(network, server, "stream", timeout=20)
        network.close()
    assert time.monotonic() - began < 10
    assert words
    assert "\n" not in words
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 250 * 1024  # KiB


def test_a_request_larger_than_the_service_takes_is_told(one):
    """An input beyond the service's 4 MB fails with a sentence about its size."""
    example = one.replacing("a.dust.yaml", "Where is my refund?", "x" * (4 * 1024 * 1024 + 1))
    result = example.run("--dust-mode=live")
    assert re.search(r"413 content_too_large.*4 MB; shorten", result.out)
    assert len(result.out) < 10_000


# ── least pauses ─────────────────────────────────────────────────────────────────────────────────

HEADERS = {
    None: 1,
    "": 1,
    "soon": 1,
    "-5": 1,
    "+5": 1,
    "nan": 1,
    "inf": 1,
    "1e9": 1,
    "1,2": 1,
    "0x10": 1,
    ".5": 1,
    "0": 0.25,
    " 0 ": 0.25,
    "000": 0.25,
    "0.0": 0.25,
    "0.1": 0.25,
    "0.75": 0.75,
    "2": 2,
    "2.5": 2.5,
    "9" * 400: 1e9,
    "Wed, 21 Oct 2015 07:28:00 GMT": 0.25,
    "Thu, 01 Jan 1970 00:00:00": 0.25,
    "Wed, 99 Oct 2015 07:28:00 GMT": 1,
    "Mon, 01 Jan 2024 00:00:00 +99999999999999": 1,
    "٣": 1,
}


@pytest.mark.parametrize("header", HEADERS, ids=str)
def test_a_header_asks_for_seconds(header):
    """`Retry-After` is read as seconds or a date; what is neither counts as none; there is a least pause."""
    assert retry_after(header, 1) == HEADERS[header]


@pytest.mark.parametrize("header", HEADERS, ids=str)
def test_pauses_grow_whatever_the_header(header):
    """From one refusal to the next a pause never shrinks, and grows to half a minute at least."""
    pauses = [retry_after(header, limits) for limits in range(1, 2000)]
    assert pauses == sorted(pauses)
    assert pauses[20] >= 30
    assert max(pauses) <= 1e9


@given(st.text() | st.integers().map(str) | st.floats().map(str) | st.datetimes().map(format_datetime))
@hypothesis_settings(max_examples=150, deadline=None)
def test_any_header_is_a_pause(header):
    """Whatever stands in the header, it gives a pause in bounds."""
    assert 0.25 <= retry_after(header, 1) <= 1e9


@pytest.mark.parametrize(
    ("header", "flavor"),
    [("0", "blocking"), ("Wed, 21 Oct 2015 07:28:00 GMT", "stream"), ("-1", "poll"), ("now", "blocking")],
)
def test_a_rate_limit_that_asks_for_no_pause_gets_few_requests(one, server, header, flavor):
    """A service that always refuses and asks for no pause is asked a few times in a case's seconds."""
    limit = Faults.status(429, headers={"Retry-After": header})
    server.misbehave(limit, times=None, on="GET" if flavor == "poll" else "POST")
    example = one.flavoured(flavor).replacing("a.dust.yaml", "timeout: 5", "timeout: 2.5")
    result = example.run("--dust-mode=live")
    assert result.outcomes == {"failed": 1}
    assert "429 rate_limit_error" in result.report
    assert 2 <= len(server.requests) <= 6


def test_a_rate_limit_between_two_looks_keeps_growing(network, server):
    """A rate limit that comes at every other look at a run is no less a growing one."""
    server.poll_steps = 10**6
    looks = []

    def behaviour(request):
        if request.method == "GET":
            looks.append(request)
            if len(looks) % 2:
                return dust_server.Reply([b"{}"], 429, headers={"Retry-After": "0"})
        return None

    server.behaviour = behaviour
    refused(network, server, "poll", timeout=3.0)
    assert len(looks) < 12
