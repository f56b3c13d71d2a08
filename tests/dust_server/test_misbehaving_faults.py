"""Each fault makes the bad reply that its name says, and leaves other replies as they are."""

from __future__ import annotations

import json
import re
import socket
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from dust_api import INPUTS, QUOTE, SUPPORT, Api, hold, serving
from faults import Faults
from misbehaving_server import MisbehavingServer

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "Bearer sk-example-key"


@pytest.fixture
def api() -> Iterator[Api]:
    """A client for a misbehaving server of this test alone."""
    with serving(MisbehavingServer) as api:
        yield api


def reply_with(api: Api, fault: Any, app: str = SUPPORT, **options: Any) -> httpx.Response:
    """Return the answer to a blocking run (or one with these options) under a fault."""
    api.server.misbehave(fault)
    return api.http.post(api.path(app), json=api.body(app, **(options or {"blocking": True})))


def raw(api: Api, **options: Any) -> bytes:
    """Post a run over a bare socket and return all bytes until the server closes or resets it."""
    body = json.dumps(api.body(SUPPORT, **options)).encode()
    head = f"POST {api.path(SUPPORT)} HTTP/1.1\r\nHost: x\r\nAuthorization: {KEY}\r\n"
    with socket.create_connection(("127.0.0.1", api.server.port), timeout=5) as wire:
        wire.sendall(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        return b"".join(iter(lambda: wire.recv(65536), b""))


def read_until(error: type[Exception], api: Api, **options: Any) -> bytes:
    """Return what is read of an answer until the client runs into this error."""
    parts: list[bytes] = []
    body = api.body(SUPPORT, **options)
    with api.http.stream("POST", api.path(SUPPORT), json=body, timeout=0.3) as answer, pytest.raises(error):
        list(map(parts.append, answer.iter_raw()))
    return b"".join(parts)


def chunks_of(answer: bytes) -> list[bytes]:
    """Return the chunks of a chunked answer, the last, empty one included."""
    rest, found = answer.partition(b"\r\n\r\n")[2], []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        found.append(rest[: int(size, 16)])
        rest = rest[int(size, 16) + 2 :]
    return found


def event_data(text: str) -> list[Any]:
    """Return the data of each event of a stream, read as the format has it."""
    frames = re.split(r"\n\n+", re.sub(r"\r\n?", "\n", text))
    data = [[line[5:] for line in frame.split("\n") if line.startswith("data:")] for frame in frames]
    return ["\n".join(lines) for lines in data if lines]


def kinds(events: list[str]) -> list[str]:
    """Return the types of events."""
    return [json.loads(one)["type"] for one in events]


@pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 413, 429, 500])
def test_fault_status_of_dust(api: Api, code: int) -> None:
    """A status that Dust gives comes with Dust's error body, and for one request only."""
    answer = reply_with(api, Faults.status(code))
    assert answer.status_code == code
    hold(answer.json(), "error")
    assert api.blocking(SUPPORT)["status"]["run"] == "succeeded"


@pytest.mark.parametrize("code", [502, 503])
def test_fault_status_of_a_gateway(api: Api, code: int) -> None:
    """Any other status from 500 on comes with the HTML page of a gateway."""
    answer = reply_with(api, Faults.status(code))
    assert (answer.status_code, answer.headers["content-type"]) == (code, "text/html")
    assert f"<h1>{code}</h1>" in answer.text


@pytest.mark.parametrize(
    ("body", "content"),
    [
        ("Bad gateway", b"Bad gateway"), ("", b""), (b"\xff\xfe{", b"\xff\xfe{"),
        ({}, b"{}"), ({"run": {"run_id": "ab"}}, b'{"run": {"run_id": "ab"}}'), ([None], b"[null]"),
    ],
)  # fmt: skip
def test_fault_any_body(api: Api, body: Any, content: bytes) -> None:
    """A body is sent as it is where it is text or bytes, and as JSON otherwise."""
    answer = reply_with(api, Faults.status(200, body, content_type="text/plain"))
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["content-type"] == "text/plain"


def test_fault_headers_and_redirects(api: Api) -> None:
    """Headers can be given: a Retry-After, or the place of a redirect."""
    limited = reply_with(api, Faults.status(429, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}))
    moved = reply_with(api, Faults.status(302, headers={"Location": "http://127.0.0.1:1/"}))
    assert limited.headers["retry-after"].endswith("GMT")
    assert (moved.is_redirect, moved.content) == (True, b"")


def test_fault_error_of_a_type(api: Api) -> None:
    """An error can have any type and a run_error."""
    run_error = {"code": "x", "message": "y"}
    error = reply_with(api, Faults.error(403, "app_not_found", run_error=run_error)).json()["error"]
    assert (error["type"], error["run_error"]) == ("app_not_found", run_error)


def test_fault_content_type(api: Api) -> None:
    """Dust's own answer can be called something else, a stream included."""
    assert "run" in reply_with(api, Faults.content_type("text/html")).json()
    stream = reply_with(api, Faults.content_type("text/plain"), stream=True)
    assert "content-length" in stream.headers
    assert kinds(event_data(stream.text))[-1] == "final"


def test_fault_altered(api: Api) -> None:
    """A run can be altered in place; answers that hold none are left alone."""
    assert "status" not in reply_with(api, Faults.altered(lambda run: run.pop("status"))).json()["run"]
    api.server.misbehave(Faults.altered(dict.clear), on="GET")
    assert len(api.http.get(api.path()).json()["apps"]) == len(INPUTS)
    assert kinds(event_data(reply_with(api, Faults.altered(dict.clear), stream=True).text))[-1] == "final"


@pytest.mark.parametrize("app", [SUPPORT, QUOTE])
@pytest.mark.parametrize("flavour", ["blocking", "stream"])
def test_fault_huge(api: Api, app: str, flavour: str) -> None:
    """A run can be padded to megabytes in its last value or error, and stays a run."""
    answer = reply_with(api, Faults.huge(2), app, **{flavour: True})
    assert len(answer.content) > 2 * 1024 * 1024
    if flavour == "blocking":
        hold(answer.json(), "run_answer")
    else:
        assert kinds(event_data(answer.text))[-1] == "final"


@pytest.mark.parametrize("flavour", ["blocking", "stream"])
def test_fault_nested(api: Api, flavour: str) -> None:
    """A run's value can be nested deeper than a JSON reader goes."""
    text = reply_with(api, Faults.nested(100_000), **{flavour: True}).text
    assert f'"value": {"[" * 100_000}{"]" * 100_000}, "error"' in text
    with pytest.raises(RecursionError):
        [json.loads(one) for one in (event_data(text) or [text])]


@pytest.mark.parametrize("fault", [Faults.huge(1), Faults.echo("value"), Faults.nested(9)])
def test_faults_of_a_value_leave_other_answers(api: Api, fault: Any) -> None:
    """What changes a value leaves a run without any, and a listing, as they are."""
    api.server.misbehave(fault, on="ANY", times=2)
    assert api.post(SUPPORT)["traces"] == []
    assert len(api.http.get(api.path()).json()["apps"]) == len(INPUTS)


def test_fault_echo_in_a_refusal(api: Api) -> None:
    """The key can be repeated in a header and in the message of a refusal."""
    answer = reply_with(api, Faults.echo("refusal"))
    assert answer.headers["x-echo"] == KEY
    assert KEY in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("where", "statuses"),
    [("value", ("succeeded", "succeeded", False)), ("error", ("errored", "errored", True))],
)
def test_fault_echo(api: Api, where: Any, statuses: tuple[str, str, bool]) -> None:
    """The key can be repeated in a header and in a run's last value, or in an error, which ends the run."""
    answer = reply_with(api, Faults.echo(where))
    assert answer.headers["x-echo"] == KEY
    run = hold(answer.json(), "run_answer")["run"]
    assert KEY in json.dumps(run["traces"][-1][1][-1][-1][where])
    found = (run["status"]["run"], run["status"]["blocks"][-1]["status"], run["results"] is None)
    assert found == statuses


@pytest.mark.parametrize("where", ["value", "error", "event"])
def test_fault_echo_in_a_stream(api: Api, where: str) -> None:
    """The key can be repeated in the execution of a stream, a block's error or an error event."""
    events = [json.loads(one) for one in event_data(reply_with(api, Faults.echo(where), stream=True).text)]
    kind = "error" if where == "event" else "block_execution"
    last = [one["content"] for one in events if one["type"] == kind][-1]
    place = last["message"] if where == "event" else last["execution"][-1][-1][where]
    assert KEY in json.dumps(place)
    if where == "error":
        assert [one["content"]["status"] for one in events[-3:-1]] == ["errored", "errored"]


def test_fault_truncated(api: Api) -> None:
    """A body can be cut while its Content-Length agrees with what is left."""
    answer = reply_with(api, Faults.truncated(100))
    assert (answer.headers["content-length"], len(answer.content)) == ("100", 100)
    with pytest.raises(ValueError, match=r"\(char \d+\)"):
        reply_with(api, Faults.truncated()).json()


def test_fault_dropped(api: Api) -> None:
    """A connection can be closed in the middle of the body that was announced."""
    with pytest.raises(httpx.RemoteProtocolError, match="received 30 bytes, expected"):
        reply_with(api, Faults.dropped(30))
    with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
        reply_with(api, Faults.dropped(), stream=True)


def test_fault_hung_up(api: Api) -> None:
    """A connection can be closed after the request and before any answer."""
    api.server.misbehave(Faults.hung_up())
    assert raw(api, blocking=True) == b""
    assert api.server.requests[0].body["blocking"] is True
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        reply_with(api, Faults.hung_up())


def test_fault_reset(api: Api) -> None:
    """A connection can be reset after the request."""
    api.server.misbehave(Faults.reset())
    with pytest.raises(ConnectionResetError):
        raw(api, blocking=True)
    with pytest.raises(httpx.ReadError):
        reply_with(api, Faults.reset())
    assert api.blocking(QUOTE)


def test_fault_trickle(api: Api) -> None:
    """A body can come byte by byte: slow, yet no single read times out."""
    began = time.monotonic()
    api.server.misbehave(Faults.trickle(0.0002))
    with api.http.stream("POST", api.path(QUOTE), json=api.body(QUOTE, blocking=True)) as answer:
        assert time.monotonic() - began < 2
        pieces = list(answer.iter_raw())
    assert max(map(len, pieces)) < 50
    assert time.monotonic() - began > 0.0002 * sum(map(len, pieces))
    assert kinds(event_data(reply_with(api, Faults.trickle(0.00001), QUOTE, stream=True).text))[-1] == "final"


def test_fault_slow_head(api: Api) -> None:
    """The head can come byte by byte, and the body then at once."""
    began = time.monotonic()
    assert "run" in reply_with(api, Faults.slow_head(0.001)).json()
    assert time.monotonic() - began > 0.1


@pytest.mark.parametrize("flavour", ["blocking", "stream"])
def test_fault_stalled(api: Api, flavour: str) -> None:
    """After its head an answer can pause until the client times out or the pause ends."""
    api.server.misbehave(Faults.stalled())
    body = api.body(SUPPORT, **{flavour: True})
    with api.http.stream("POST", api.path(SUPPORT), json=body, timeout=0.2) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.ReadTimeout):
            answer.read()
    assert reply_with(api, Faults.stalled(0.05), **{flavour: True}).content


def test_fault_plain_json(api: Api) -> None:
    """A stream request can be answered with the JSON of an ended run."""
    answer = reply_with(api, Faults.plain_json(), stream=True)
    assert answer.headers["content-type"] == "application/json"
    assert hold(answer.json(), "run_answer")["run"]["results"]
    assert "run" in reply_with(api, Faults.plain_json()).json()


@pytest.mark.parametrize("half", [False, True])
def test_fault_break_off(api: Api, half: bool) -> None:
    """A stream can break off; its run goes on, and can be fetched by the id in its first event."""
    api.server.delay = 0.1
    api.server.misbehave(Faults.break_off(2, half=half))
    read = read_until(httpx.RemoteProtocolError, api, stream=True)
    assert read.count(b"data: ") == 2 + half
    assert read.endswith(b"\n\n") is not half
    run_id = json.loads(event_data(read.decode())[0])["content"]["run_id"]
    assert api.get(SUPPORT, run_id)["status"]["run"] == "running"
    assert api.ended(SUPPORT, run_id)["status"]["run"] == "succeeded"


def test_fault_break_off_cleanly(api: Api) -> None:
    """A stream can end too early as if it were done, as behind a proxy."""
    answer = reply_with(api, Faults.break_off(3, clean=True), stream=True)
    assert kinds(event_data(answer.text)) == ["run_status", "block_status", "block_execution"]
    assert event_data(reply_with(api, Faults.break_off(0, clean=True), stream=True).text) == []


def test_fault_held_open(api: Api) -> None:
    """A stream can stay open after its final event."""
    api.server.misbehave(Faults.held_open())
    read = read_until(httpx.ReadTimeout, api, stream=True)
    assert kinds(event_data(read.decode()))[-1] == "final"
    assert reply_with(api, Faults.held_open(0.05), stream=True).text.endswith("\n\n")


@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
def test_fault_rechunked(api: Api, size: int) -> None:
    """A stream can be cut into chunks of any size, across its events."""
    api.server.misbehave(Faults.rechunked(size))
    *chunks, rest, last = chunks_of(raw(api, stream=True))
    assert {len(chunk) for chunk in chunks} <= {size}
    assert (len(rest) <= size, last) == (True, b"")
    assert kinds(event_data(b"".join([*chunks, rest]).decode()))[-1] == "final"


@pytest.mark.parametrize("ending", ["\r\n", "\r"])
def test_fault_line_ends(api: Api, ending: str) -> None:
    """The lines of a stream can end otherwise."""
    text = reply_with(api, Faults.line_ends(ending), stream=True).content.decode()
    assert "\n" not in text.replace(ending, "")
    assert text.endswith(ending * 2)
    assert kinds(event_data(text))[-1] == "final"


def test_fault_comments(api: Api) -> None:
    """Comments can stand between the events and inside of them."""
    usual, text = (
        api.http.post(api.path(QUOTE), json=api.body(QUOTE, stream=True)).text,
        reply_with(api, Faults.comments(), QUOTE, stream=True).text,
    )
    assert "\n:in\ndata: {" in text
    assert "}\n: in\n\n" in text
    assert kinds(event_data(text)) == kinds(event_data(usual))


def test_fault_dressed(api: Api) -> None:
    """Events can carry ids and names, and their JSON stand on several lines."""
    text = reply_with(api, Faults.dressed(), stream=True).text
    assert "id: 7\nevent: message\nretry: 10\ndata:{\ndata: " in text
    assert kinds(event_data(text))[-1] == "final"


def test_fault_events(api: Api) -> None:
    """Each event can be made into others."""
    text = reply_with(api, Faults.events(lambda one: [one, one]), stream=True).text
    assert kinds(event_data(text))[-2:] == ["final", "final"]


def test_fault_without(api: Api) -> None:
    """Events of some types can be left out, `final` for one, while the stream ends as usual."""
    found = kinds(event_data(reply_with(api, Faults.without("final", "tokens"), stream=True).text))
    assert found[-1] == "run_status"
    assert "tokens" not in found


def test_fault_strange(api: Api) -> None:
    """Unknown events and fields can be mixed in."""
    events = [json.loads(one) for one in event_data(reply_with(api, Faults.strange(), stream=True).text)]
    assert {"weather", "silence", "tokens"} <= {one["type"] for one in events}
    assert all(one["content"]["extra"] and one["extra"] for one in events if one["type"] == "tokens")


@pytest.mark.parametrize("data", ["this is no JSON", "42", "[DONE]", ""])
def test_fault_bad_data(api: Api, data: str) -> None:
    """Data that is no event can stand between two events, all of which stay."""
    usual = api.events(SUPPORT)
    found = event_data(reply_with(api, Faults.bad_data(data, after=2), stream=True).text)
    assert found.pop(2).strip() == data
    assert kinds(found) == [event["type"] for event in usual]


def test_fault_error_event(api: Api) -> None:
    """A stream can end in an error event."""
    found = event_data(reply_with(api, Faults.error_event("oops", after=2), stream=True).text)
    assert kinds(found) == ["run_status", "block_status", "error", "final"]
    assert json.loads(found[2])["content"] == {"code": "oops", "message": "It failed."}


@pytest.mark.parametrize(
    "fault",
    [Faults.break_off(0), Faults.rechunked(3), Faults.line_ends(), Faults.comments(), Faults.dressed(),
     Faults.strange(), Faults.without("final"), Faults.bad_data(), Faults.error_event()],
)  # fmt: skip
def test_faults_of_streams_leave_json(api: Api, fault: Any) -> None:
    """A fault of streams leaves an answer in JSON as it is."""
    hold(reply_with(api, fault).json(), "run_answer")
