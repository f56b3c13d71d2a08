"""Whatever the service or the network does, a case fails with a sentence that says what to do."""

from __future__ import annotations

import json
import re
import socket
import time
import xml.etree.ElementTree as ET

import pytest

from conftest import dust_server, suite

APP = "9f1d3b5a7c"
CASE = "input: {question: Where is my refund?}\nexpect: {result.label: billing}\n"
MODES_ONLINE = ("record", "rerecord", "live")


@pytest.fixture
def one(project, server):
    """A project of one case, online."""
    example = project.having({"answer.dust.yaml": suite(server, APP, CASE)}).using(server)
    return example.exporting(DUST_TIMEOUT="4")


UNKNOWN = "0 tokens used, unknown for 1 run"
"""What the summary says where a run may have been made, of which nothing came back."""


def trouble(example, *told, mode="live", tokens="0 tokens used"):
    """Run the one case and hold its failure against what every failure keeps to; give its message."""
    result = example.run(f"--dust-mode={mode}", "--junitxml=out.xml", "--full-trace")
    assert result.outcomes == {"failed": 1}
    for word in ("Traceback", "INTERNALERROR", "pytest_dust/", "site-packages"):
        assert word not in result.out + result.err
    assert f"answer.dust.yaml:1   {mode}   no verdict\n" in result.report
    message = re.split(r"\n(?:dust: |-{5})", result.report.partition("   no verdict\n")[2])[0]
    for words in told:
        assert re.search(words, message), message
    assert f"\ndust: 1 without a run, {tokens}\n" in result.out
    assert re.search(r"^FAILED answer\.dust\.yaml::answer - no verdict: \S", result.out, re.MULTILINE)
    ET.fromstring(result.example.files["out.xml"])
    assert len(message) < 1500
    return message


def test_no_key(one, server):
    """Without DUST_API_KEY the message says to export it, or to replay, and nothing is sent."""
    environ = {name: value for name, value in one.environ.items() if name != "DUST_API_KEY"}
    trouble(one.offline().exporting(**environ), r"no API key", r"export DUST_API_KEY=", r"--dust-mode=replay")
    assert server.requests == []


@pytest.mark.parametrize("key", ["", "   ", "sk-ключ", "sk-two\nlines"])
def test_a_key_that_cannot_be_one(one, server, key):
    """A key that is blank, or holds what no key has, is refused before anything is sent, and not shown."""
    message = trouble(one.exporting(DUST_API_KEY=key), r"DUST_API_KEY")
    assert server.requests == []
    assert not key.strip() or key not in message


@pytest.mark.parametrize("mode", MODES_ONLINE)
def test_a_wrong_key(one, mode):
    """A key that the service refuses is told with the service's own words, and where to look."""
    example = one.exporting(DUST_API_KEY="sk-wrong")
    message = trouble(example, r"401 invalid_api_key_error", r"check DUST_API_KEY", mode=mode)
    assert "sk-wrong" not in message


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        (
            "DUST_WORKSPACE_ID",
            r"404 workspace_not_found.*workspace w_moved\).*check the workspace against .*eu\.dust\.tt",
        ),
        ("DUST_SPACE_ID", r"404 space_not_found.*space w_moved,.*has no space w_moved that the key"),
    ],
)
def test_an_unknown_place(one, variable, told):
    """An unknown workspace or space is named together with where it is set."""
    trouble(one.exporting(**{variable: "w_moved"}), told)


def test_an_unknown_app(one):
    """An app that the service does not know is named."""
    trouble(
        one.replacing("answer.dust.yaml", APP, "nothere"), r"404 app_not_found.*app nothere", r"check app\.id"
    )


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("DUST_WORKSPACE_ID", ("no workspace", "app.workspace", "--dust-workspace", "DUST_WORKSPACE_ID")),
        ("DUST_SPACE_ID", ("no space", "app.space", "--dust-space", "DUST_SPACE_ID")),
    ],
)
def test_no_place(one, server, variable, told):
    """Where no workspace or space is named, the message gives all three ways to name it."""
    environ = {name: value for name, value in one.environ.items() if name != variable}
    trouble(one.offline().exporting(**environ), *map(re.escape, told))
    assert server.requests == []


def test_a_refused_connection(one):
    """Where nobody listens, the message says where it tried to connect."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        trouble(one.exporting(DUST_BASE_URL=address), rf"cannot connect to {address}", r"--dust-base-url")


def test_a_host_that_there_is_not(one):
    """A name that does not resolve is a failed connection."""
    example = one.exporting(DUST_BASE_URL="https://no-such-host.invalid")
    trouble(example, r"cannot connect to https://no-such-host\.invalid", r"--dust-base-url")


def test_a_wrong_proxy(one):
    """A proxy that cannot be used is named as such, with the variable that sets it."""
    far = one.exporting(HTTPS_PROXY="nonsense://proxy.invalid", DUST_BASE_URL="https://dust.invalid")
    trouble(far, r"proxy", r"HTTP_PROXY|HTTPS_PROXY")


def test_no_proxy_stands_before_this_machine(one, server):
    """Runs at this machine itself pass no proxy, which would be sent the key in clear."""
    near = one.exporting(HTTP_PROXY="http://127.0.0.1:9", http_proxy="http://127.0.0.1:9")
    near.run("--dust-mode=live")
    assert server.runs == 1


def hurried(one):
    """The project with half a second for its run."""
    text = one.files["answer.dust.yaml"].decode()
    return one.having({"answer.dust.yaml": f"timeout: 0.5\n{text}"})


def test_a_run_that_takes_too_long(one, server):
    """A run that is not over in time is given up, and the message says what raises the limit."""
    server.delay = 20
    began = time.monotonic()
    trouble(
        hurried(one), r"took longer than 0\.5 s", r"timeout: in the suite", r"--dust-timeout", tokens=UNKNOWN
    )
    assert time.monotonic() - began < 5


def test_an_answer_that_trickles(one, server):
    """The limit is on the whole run: a server that sends a byte now and then is given up too."""

    def bytes_now_and_then():
        for _ in range(200):
            time.sleep(0.1)
            yield b" "

    def behaviour(_request):
        return dust_server.Reply(bytes_now_and_then(), content_type="text/event-stream")

    server.behaviour = behaviour
    began = time.monotonic()
    trouble(hurried(one), r"took longer than 0\.5 s", r"--dust-timeout", tokens=UNKNOWN)
    assert time.monotonic() - began < 5


def test_a_timeout_on_the_command_line(one, server):
    """`--dust-timeout` holds where the suite sets none."""
    server.delay = 20
    trouble(one.exporting(DUST_TIMEOUT="0.4"), r"took longer than 0\.4 s", tokens=UNKNOWN)


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
def test_a_connection_that_breaks(one, server, kind):
    """A connection that ends in the middle of a run is not repeated, and the message says so."""

    def breaking():
        yield b"{"
        raise ConnectionResetError

    server.behaviour = lambda _request: dust_server.Reply(breaking(), content_type=kind)
    trouble(one, r"broke", r"not repeated", r"run the case again", tokens=UNKNOWN)
    assert server.runs == 1


HTML = "<!DOCTYPE html>\n<html><body><h1>Sign in</h1></body></html>"
RUN = '{"run": {"run_id": "r1", "status": {"run": "succeeded", "blocks": []}, "traces": ['


JSON = "application/json"
ANSWERS = {
    "html": (HTML, 200, "text/html", r"answered 200 with HTML \(<!DOCTYPE html>.*check that http\S+ is Dust"),
    "html of a gateway": (
        HTML,
        502,
        "text/html",
        r"answered 502 with HTML \(<!DOCTYPE html>.*try again later",
    ),
    "empty": ("", 200, JSON, r"answered 200 with an empty body.*check that http\S+ is Dust"),
    "empty of a gateway": ("", 503, "text/plain", r"answered 503 with an empty body.*try again later"),
    "truncated": (RUN, 200, JSON, r"200 with JSON that is cut off or broken \(\{.run"),
    "not text": (b"\xff\xfe\x00\x01", 200, JSON, r"answered 200 with text.*instead of JSON"),
    "null": ("null", 200, JSON, r"200 without a run in it; check"),
    "a list": ("[]", 200, JSON, r"200 without a run in it; check"),
    "another document": ('{"apps": []}', 200, JSON, r"200 without a run in it; check"),
    "nested": ("[" * 100_000, 200, JSON, r"nested too deeply"),
    "no status": ('{"run": {"run_id": "r1"}}', 200, JSON, r"no status.*run the case again"),
    "running": (
        '{"run": {"status": {"run": "running"}}}',
        200,
        JSON,
        r"the service's run crashed before its first block.*waited for: check the inputs, and",
    ),
    "unknown status": ('{"run": {"status": {"run": "paused"}}}', 200, JSON, r'status "paused"'),
    "status of another kind": ('{"run": {"status": {"run": ["x"]}}}', 200, JSON, r"run the case again"),
    "redirect": ("moved", 302, "text/plain", r"answered 302.*redirects are not followed.*--dust-base-url"),
    "too many": ("slow down", 429, "text/plain", r"answered 429 with text \(slow down\).*wait, or replay"),
    "forbidden": ("no", 403, "text/plain", r"answered 403.*the key may not use this app"),
    "too large": ("big", 413, "text/plain", r"answered 413.*4 MB"),
    "an error as text": ('{"error": "nope"}', 400, JSON, r"answered 400.*check config and inputs"),
    "an error without words": ('{"error": {"type": null}}', 418, JSON, r"answered 418"),
    "a long error": ("x" * 5_000_000, 500, "text/plain", r"answered 500 with text \(x{80}…\)"),
    "a long answer": ("x" * 9_000_000, 200, "text/plain", r"200 with text \(x{80}…\) as text/plain instead"),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_is_no_run(one, server, answer):
    """An answer that holds no ended run is described, and the message says what to check."""
    body, status, kind, told = ANSWERS[answer]
    server.say(body, status, kind)
    tokens = UNKNOWN if answer == "running" else "0 tokens used"
    assert "  " not in trouble(one, told, tokens=tokens).strip()


def test_the_services_own_run_error_is_told(one, server):
    """The `run_error` inside an error, where the service says what was wrong, stands in the message."""
    error = {
        "type": "run_error",
        "message": "could not be made",
        "run_error": {"code": "bad", "message": "why"},
    }
    server.say(json.dumps({"error": error}), status=400)
    trouble(one, r"run_error: could not be made", r"why")


@pytest.mark.parametrize("mode", MODES_ONLINE)
def test_an_unknown_hash(one, server, mode):
    """The bare 500 that an unknown specification_hash gives is explained."""
    text = one.files["answer.dust.yaml"].decode().replace(server.hash(APP), "ab" * 32)
    example = one.having({"answer.dust.yaml": text})
    trouble(
        example,
        r"500 internal_server_error",
        r"unknown specification_hash .abababababab….*unequal keys",
        mode=mode,
    )


def test_one_case_in_trouble_leaves_the_others_alone(project, server):
    """After a case without a run, the session goes on with the next."""
    text = suite(server, APP, CASE)
    files = {"a.dust.yaml": text.replace(APP, "nothere"), "b.dust.yaml": text}
    assert project.having(files).using(server).run("--dust-mode=live").outcomes == {"failed": 1, "passed": 1}


@pytest.mark.parametrize(
    "run",
    [
        {"status": {"run": "succeeded"}},
        {"status": {"run": "succeeded", "build": "succeeded", "blocks": None}, "results": {}},
        {"status": {"run": "succeeded"}, "traces": [[{"timestamp": 1, "trace": []}]], "results": {}},
        {"status": {"run": "succeeded"}, "traces": {"a": 1}, "results": 3, "run_id": 7},
        {"status": {"run": "succeeded"}, "traces": [[["llm", "M"], [[None, 3, {"value": 1}]]], 7, [[]]]},
        {"status": {"run": "errored", "blocks": ["x", {"name": 1}, {"name": "A", "status": "errored"}]}},
    ],
)
@pytest.mark.parametrize("mode", MODES_ONLINE)
def test_a_run_of_the_published_shape_or_of_none_is_judged(one, server, run, mode):
    """A run shaped otherwise than usual is judged like any other: a failing expectation, no crash."""
    server.say(json.dumps({"run": run}))
    result = one.run(f"--dust-mode={mode}")
    assert result.outcomes == {"failed": 1}
    assert "result.label" in result.report
    assert "pytest_dust/" not in result.out
    if mode != "live":
        assert result.example.offline().run().outcomes == {"failed": 1}


@pytest.mark.parametrize("option", ["--dust-base-url=dust.tt", "--dust-timeout=soon", "--dust-concurrency=0"])
def test_a_setting_that_cannot_be_used_stops_the_session(one, option):
    """A wrong option is a usage error that names it and says what is allowed."""
    result = one.run(option)
    assert result.ret == 4
    assert option.partition("=")[0] in result.err
    assert "give " in result.err
    assert "Traceback" not in result.err
