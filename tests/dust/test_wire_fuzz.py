"""Any bytes from the service give a run or a ServiceError."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from live_runs import APPS, asking, kept
from live_runs import INPUTS as STEADY
from misbehaving_server import published

from conftest import KEY, dust_server
from pytest_dust.dust import run_view as views
from pytest_dust.dust import wire
from pytest_dust.dust.network import LiveRun, Network
from pytest_dust.errors import CassetteError, ServiceError
from pytest_dust.masking import Mask
from pytest_dust.model import Event, Exchange, Flavor, Reply, Run
from pytest_dust.worker_pool import WorkerPool

bounded = settings(
    max_examples=50,
    deadline=None,
    database=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
)


# ── a server that says any bytes ─────────────────────────────────────────────────────────────────


class Parrot:
    """A server on loopback that answers every request with the same bytes, and hangs up."""

    def __init__(self) -> None:
        self.answer = b""
        self.asked = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.asked += 1
                try:
                    self._read(connection)
                    connection.sendall(self.answer)
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(1)  # until the other side has read it
                except OSError:
                    continue

    def _read(self, connection: socket.socket) -> None:
        told = b""
        while b"\r\n\r\n" not in told:
            told += connection.recv(65536) or b"\r\n\r\n"
        head, _, body = told.partition(b"\r\n\r\n")
        length = next(
            (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0"
        )
        left = int(length.partition(b":")[2]) - len(body)
        while left > 0 and (piece := connection.recv(65536)):
            left -= len(piece)


@pytest.fixture(scope="module")
def parrot():
    """A server that answers with any bytes."""
    server = Parrot()
    yield server
    server.listener.close()


INPUTS = {
    **STEADY,
    "track-parcel": [[{"parcel": "PX-1041"}], [{"parcel": "PX-1"}, {"parcel": "PX"}]],
    "noisy-triage": [[{"question": "Where is my refund?"}], [{"question": "Good day!"}, {"question": ""}]],
}


class Place:
    """An app's address, for the requests of these tests."""

    workspace, space = "w_example", "vlt_example"

    @staticmethod
    def hash(app: str) -> str:
        """Give some hash."""
        return dust_server.specification_hash(dust_server.APPS[app].blocks)


def request_of(name: str) -> Any:
    """Give the request for a run of one of the server's apps."""
    return asking(Place, APPS[name].id, INPUTS[name][0])


def told(name: str, flavor: str, inputs: Any = None) -> bytes:
    """Give the bytes of a real answer, with its head."""
    request = request_of(name)
    app = APPS[name]
    run = dust_server.Run(app.id, request.specification_hash, {})
    run.id = "5be2f49d" * 8
    run.perform(dust_server.Machine(app.blocks, inputs or request.inputs, dict(app.config), ()), lambda: None)
    if flavor == "stream":
        body, kind = b"".join(dust_server.sse(dust_server.run_events(run))), b"text/event-stream"
        return b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\nConnection: close\r\n\r\n" + body
    body = json.dumps({"run": run.document(dust_server.by_iteration)}).encode()
    length = b"Content-Length: %d\r\n" % len(body)
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        + length
        + b"Connection: close\r\n\r\n"
        + body
    )


ANSWERS = {(name, flavor): told(name, flavor) for name in APPS for flavor in ("blocking", "stream")}
PIECES = [
    b"\r\n\r\n", b"\n\n", b"data: ", b"\0", b"\xff", b"\xed\xa0\x80", b"{", b"]", b'"', b"null", b"1e999",
    b"event-stream", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: gzip\r\n", b"-1",
    b"301", b"429", b"500", b"100", b"\\ud800", b'"run_status"', b"running", b"errored", b"while", b"HTTP/2",
    b"[" * 300, b"9" * 5000, b"Retry-After: 0\r\n",
]  # fmt: skip


@st.composite
def mutated(draw: Any, whole: bytes) -> bytes:
    """Give bytes cut off, or with some taken out, put in or replaced."""
    found = whole
    if draw(st.booleans()):
        found = found[: draw(st.integers(0, len(found)))]
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(found)))
        until = min(len(found), at + draw(st.sampled_from([0, 0, 1, 2, 17, 400])))
        found = found[:at] + draw(st.sampled_from(PIECES) | st.binary(max_size=3)) + found[until:]
    return found


def plain(words: str) -> None:
    """Check the message of a failure."""
    assert 10 < len(words) < 1500
    assert KEY not in words


def judged(network: Network, request: Any, flavor: Flavor, timeout: float = 1.0) -> Run | None:
    """Make a run, and check that it gives a valid run or a ServiceError."""
    try:
        launcher = WorkerPool(1)
        work = network.task(LiveRun(request, flavor, timeout, Mask((KEY,))), launcher.pause)
        (reply,) = launcher.wait(launcher.submit([work]))
        run = wire.run(reply, request.block_filter, request.specification_hash)
    except ServiceError as error:
        return plain(str(error))
    views.view(run, plural=False)
    try:
        again = network.replay(request, kept(request, reply))
    except CassetteError as error:
        raise AssertionError from error
    assert wire.run(again, request.block_filter, request.specification_hash).traces == run.traces
    return run


@bounded
@given(st.data())
def test_any_bytes_are_a_run_or_a_plain_failure(parrot, data):
    """A real answer or stream, cut off or changed anywhere, head too, is a Run or a ServiceError."""
    name, flavor = data.draw(st.sampled_from(list(ANSWERS)))
    parrot.answer = data.draw(mutated(ANSWERS[name, flavor]))
    network = Network(parrot.address, {"DUST_API_KEY": KEY})
    before = parrot.asked
    judged(network, request_of(name), Flavor(flavor), timeout=0.3)
    network.close()
    assert parrot.asked - before <= 8


def body_only(whole: bytes) -> tuple[bytes, bytes]:
    """Give the head and the body of an answer, the head without its length."""
    head, _, body = whole.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
    return b"\r\n".join(lines) + b"\r\n\r\n", body


@bounded
@given(st.data())
def test_any_body_is_a_run_or_a_plain_failure(parrot, data):
    """With a correct head, any change of the body gives a Run or a ServiceError."""
    name, flavor = data.draw(st.sampled_from(list(ANSWERS)))
    head, body = body_only(ANSWERS[name, flavor])
    parrot.answer = head + data.draw(mutated(body))
    network = Network(parrot.address, {"DUST_API_KEY": KEY})
    judged(network, request_of(name), Flavor(flavor), timeout=0.3)
    network.close()


@pytest.mark.parametrize("flavor", ["blocking", "stream"])
def test_an_answer_cut_off_anywhere_is_no_other_run(parrot, flavor):
    """An answer cut off anywhere gives the whole run or a ServiceError, never a part of the run."""
    name = "quote-order"
    whole = ANSWERS[name, flavor]
    network = Network(parrot.address, {"DUST_API_KEY": KEY})
    parrot.answer = whole
    right = judged(network, request_of(name), Flavor(flavor))
    assert right is not None
    for at in range(0, len(whole), 101):
        parrot.answer = whole[:at]
        found = judged(network, request_of(name), Flavor(flavor), timeout=0.15)
        assert found is None or (found.traces, found.status) == (right.traces, right.status), at
    network.close()


# ── without a wire ───────────────────────────────────────────────────────────────────────────────

odd = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        10**30,
        1e308,
        "",
        "running",
        "succeeded",
        "while",
        "\ud800",
        [],
        {},
        [[]],
        [{}],
        {"": None},
    ]
)


@st.composite
def misshapen(draw: Any, value: Any) -> Any:
    """Give a JSON value with one part replaced, removed or doubled."""
    places: list[tuple[Any, Any]] = []

    def walk(inner: Any) -> None:
        for key, each in list(inner.items() if isinstance(inner, dict) else enumerate(inner)):
            places.append((inner, key))
            if isinstance(each, dict | list):
                walk(each)

    found = json.loads(json.dumps(value))
    walk(found)
    for _ in range(draw(st.integers(1, 4))):
        holder, key = draw(st.sampled_from(places))
        how = draw(st.sampled_from(["replace", "remove", "double"]))
        if isinstance(holder, dict) and key in holder:
            if how == "remove":
                del holder[key]
            else:
                holder[key] = draw(odd) if how == "replace" else [holder[key]]
        elif isinstance(holder, list) and key < len(holder):
            if how == "remove":
                holder.pop(key)
            elif how == "double":
                holder.append(holder[key])
            else:
                holder[key] = draw(odd)
    return found


def documents(name: str, inputs: Any) -> dict[str, Any]:
    """Give one run in each form of the service: two documents and the events."""
    app = APPS[name]
    run = dust_server.Run(app.id, "ab" * 32, {})
    run.perform(dust_server.Machine(app.blocks, inputs, dict(app.config), ()), lambda: None)
    return {
        "blocking": {"run": run.document(dust_server.by_iteration)},
        "poll": {"run": run.document(dust_server.merged)},
        "published": {"run": published(run.document(dust_server.merged))},
        "stream": list(dust_server.run_events(run)),
    }


DOCUMENTS = [(name, documents(name, inputs)) for name in APPS for inputs in INPUTS[name]]
names_of = {name: [block.name for block in app.blocks] for name, app in APPS.items()}


@settings(bounded, max_examples=75)
@given(st.data())
def test_any_json_is_a_run_or_a_service_error(data):
    """JSON or events with any wrong part, filtered or not, give a Run with a view, or a ServiceError."""
    name, forms = data.draw(st.sampled_from(DOCUMENTS))
    form = data.draw(st.sampled_from(list(forms)))
    found = data.draw(misshapen(forms[form]))
    names = data.draw(st.none() | st.lists(st.sampled_from(names_of[name]), unique=True))
    hash_ = data.draw(st.sampled_from(["latest", "ab" * 32]))
    if form == "stream":
        created = Exchange(
            "POST", "/", 200, {}, None, tuple(Event(0.1 * at, one) for at, one in enumerate(found))
        )
    else:
        created = Exchange("POST", "/", 200, {}, found)
    exchanges = (created,)
    if data.draw(st.booleans()):
        polled = data.draw(misshapen(forms["poll"]))
        exchanges = (created, Exchange("GET", "/", 200, {}, polled))
    try:
        wire.pending(created, hash_)
        if created.events is not None:
            wire.stream_error(created)
        run = wire.run(Reply(Flavor.STREAM, exchanges, 0.5), names, hash_)
    except ServiceError:
        return
    assert isinstance(run, Run)
    for plural in (False, True):
        views.view(run, plural=plural)
