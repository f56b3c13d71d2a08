"""The one seam at the network: a live transport that normalises replies, and one that replays them.

Both answer the client with an `Exchange` in the response's extensions: a reply is decoded, masked, reduced
to what a cassette keeps, and only then seen, so a replay cannot differ from the run that was recorded.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import lru_cache
from inspect import signature
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpx

from pytest_dust import cookies, refusals
from pytest_dust.cassette import ordered
from pytest_dust.cookies import MASKED
from pytest_dust.errors import CassetteError, ServiceError
from pytest_dust.json_values import NumberError, decode
from pytest_dust.masking import Mask
from pytest_dust.model import Event, Exchange, Json
from pytest_dust.settings import is_this_machine

MAX_REPLY = 8 * 1024 * 1024
"""Bytes of a reply: the service's own limit."""
EXCHANGE = "pytest_dust.exchange"
TAPE = "pytest_dust.tape"
READ_HEADERS = ("content-type", "retry-after")
STREAM = "text/event-stream"
LOGGERS = tuple(f"httpcore.{name}" for name in ("connection", "http11", "http2", "proxy", "socks"))
"""Those who log requests, and what headers came back for them."""
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None)
"""None: how many runs are under way at once is decided where they are launched."""
_NO_BODY = httpx.ByteStream(b"")
"""Given in place of a body, which httpx would encode, measure and read though it is empty."""
_FINAL = ("final",)
_MASK: ContextVar[Mask | None] = ContextVar("pytest_dust.mask", default=None)


@dataclass(slots=True)
class Tape:
    """What one run's requests carry to the transport.

    Live: when its time is up, what to mask, who is told of events, and who of a rate limit's seconds. In
    replay: the exchanges to play.
    """

    exchanges: Iterator[Exchange] = field(default_factory=lambda: iter(()))
    deadline: float = float("inf")
    mask: Mask = field(default_factory=Mask)
    watch: Callable[[Event], None] = field(default=lambda _event: None)
    limited: Callable[[float], None] = field(default=lambda _seconds: None)

    def end(self) -> None:
        """Bid whatever is still under way to stop at its next byte."""
        self.deadline = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """The way to one address: the headers that every request has, and the transport that takes it there.

    A bare transport and no client: there is no redirect to follow, no cookie to keep and no address to
    merge, for which a client takes as long as all else of a replay.
    """

    base_url: str
    """It ends in a slash."""
    headers: httpx.Headers
    transport: httpx.BaseTransport

    def send(
        self, method: str, path: str, body: Mapping[str, Json] | None, seconds: float | None, tape: Tape
    ) -> Exchange:
        """What comes back for one request, None being no limit of seconds; raises httpx.HTTPError."""
        request = httpx.Request(
            method,
            _address(self.base_url, path),
            headers=self.headers,
            json=body,
            extensions={TAPE: tape, "timeout": httpx.Timeout(seconds).as_dict()},
        )
        exchange: Exchange = self.transport.handle_request(request).extensions[EXCHANGE]
        return exchange


def line(base_url: str, headers: Mapping[str, str], inner: httpx.BaseTransport) -> Line:
    """A line to a base URL; raises httpx.InvalidURL for what is none."""
    whole = str(httpx.URL(base_url))
    return Line(whole if whole.endswith("/") else f"{whole}/", httpx.Headers(headers), inner)


@lru_cache(maxsize=256)
def _address(base_url: str, path: str) -> httpx.URL:
    """The whole address of a path below the base URL; most cases ask the same."""
    base = httpx.URL(base_url)
    return base.copy_with(raw_path=base.raw_path + httpx.URL(path).raw_path.lstrip(b"/"))


def live(base_url: str) -> httpx.BaseTransport:
    """A transport to the service, by the proxy that the environment names, if any.

    Never by one to this machine itself: the key would travel to the proxy in clear.
    """
    url = httpx.URL(base_url)
    near = is_this_machine(url.host) or proxy_bypass(url.host)
    proxy = None if near else getproxies().get(url.scheme)
    return _Normalising(
        httpx.HTTPTransport(proxy=proxy, limits=LIMITS), url.raw_path.decode("ascii").rstrip("/")
    )


def replaying() -> httpx.BaseTransport:
    """A transport that plays each request's tape and opens no socket.

    One standing respx route for all: our own tape says what comes next, and a router set up per
    request would cost a millisecond.
    """
    import respx  # 40 ms, and not needed in a live run

    router = respx.Router(assert_all_called=False)

    def play(request: httpx.Request) -> httpx.Response:
        router.calls.clear()  # respx keeps every call; a thousand cases would be kept in memory
        route.calls.clear()
        return _next(request)

    vars(play)["__signature__"] = signature(play)  # respx asks for it at each call, and it takes a while
    route = router.route()
    route.mock(side_effect=play)
    return httpx.MockTransport(router.handler)


def _next(request: httpx.Request) -> httpx.Response:
    tape: Tape = request.extensions[TAPE]
    exchange = next(tape.exchanges, None)
    asked = f"{request.method} {request.url.raw_path.decode('ascii')}"
    if exchange is None:
        raise CassetteError(f"holds no more replies, but the run asks {asked}")
    if not _fits(f"{exchange.method} {exchange.path}", asked):
        raise CassetteError(f"answers {exchange.method} {exchange.path}, but the run asks {asked}")
    return _response(request, exchange)


def _fits(kept: str, asked: str) -> bool:
    """Whether an address is the recorded one; what is masked in that may be anything."""
    return kept == asked or re.fullmatch("[^/]*".join(map(re.escape, kept.split(MASKED))), asked) is not None


def _response(request: httpx.Request, exchange: Exchange) -> httpx.Response:
    extensions = {EXCHANGE: exchange}
    return httpx.Response(exchange.status, request=request, stream=_NO_BODY, extensions=extensions)


class _Normalising(httpx.BaseTransport):
    """Sends requests on and turns each reply into an exchange."""

    def __init__(self, inner: httpx.BaseTransport, prefix: str) -> None:
        self._inner = inner
        self._prefix = prefix  # of the base URL, which a recording does not depend on
        for name in LOGGERS:
            logging.getLogger(name).addFilter(_discreet)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        tape: Tape = request.extensions[TAPE]
        _MASK.set(tape.mask)  # for this run, which has a thread of its own
        began = time.monotonic()
        response = self._inner.handle_request(request)
        response.request = request
        try:
            exchange = _exchange(request, response, tape, began)
            path = exchange.path.removeprefix(self._prefix)
            return _response(request, replace(exchange, path=path))
        finally:
            response.close()

    def close(self) -> None:
        self._inner.close()


def _discreet(record: logging.LogRecord) -> bool:
    """Mask a log record of our own requests; a filter that lets each record through."""
    mask = _MASK.get()
    if mask is not None and mask.secrets:
        record.msg, record.args = mask.text(record.getMessage()), ()
    return True


def _exchange(request: httpx.Request, response: httpx.Response, tape: Tape, began: float) -> Exchange:
    """The reply, read whole."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    streamed = kind == STREAM and response.status_code == httpx.codes.OK
    events = _untorn(list(_events(response, tape, began)), tape.mask) if streamed else None
    headers = {name: response.headers[name] for name in READ_HEADERS if name in response.headers}
    return Exchange(
        method=request.method,
        path=tape.mask.text(request.url.raw_path.decode("ascii")),
        status=response.status_code,
        headers=tape.mask.value(headers),
        body=None if streamed else _body(response, b"".join(_parts(response, tape)), kind, tape),
        events=events,
    )


def _parts(response: httpx.Response, tape: Tape) -> Iterator[bytes]:
    """The reply's bytes, as long as there is time and they are not too many."""
    size = 0
    for part in response.iter_bytes():
        size += len(part)
        if size > MAX_REPLY:
            allowed = MAX_REPLY // 1024 // 1024
            raise ServiceError(
                f"the service's answer is larger than {allowed} MB; narrow it with block_filter"
            )
        if time.monotonic() > tape.deadline:
            raise httpx.ReadTimeout("the run's time is up", request=response.request)
        yield part


class _Stream(httpx.SyncByteStream):
    """Bytes as httpx-sse takes them."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        return self._parts


def _events(response: httpx.Response, tape: Tape, began: float) -> Iterator[Event]:
    """The events of a stream up to its last one, or to where it broke off: the run goes on without us."""
    from httpx_sse import EventSource

    plain = httpx.Response(200, headers={"content-type": STREAM}, stream=_Stream(_parts(response, tape)))
    try:
        for sent in EventSource(plain).iter_sse():
            if not sent.data:
                continue
            at = round(time.monotonic() - began, 3)
            event = Event(at, _masked(ordered(_data(sent.data)), sent.data, tape))
            tape.watch(event)
            yield event
            if isinstance(event.data, dict) and event.data.get("type") in _FINAL:
                return
    except RecursionError:
        raise _too_deep() from None
    except httpx.TimeoutException:
        raise
    except httpx.TransportError:
        return


def _untorn(events: list[Event], mask: Mask) -> tuple[Event, ...]:
    """The events, with those secrets masked too which the tokens of a text tear into pieces."""
    texts: dict[str, list[tuple[int, str]]] = {}
    for at, event in enumerate(events if mask.secrets else ()):
        match event.data:
            case {"type": str(kind), "content": {"tokens": {"text": str(text)}, **place}}:
                texts.setdefault(f"{kind} {place}", []).append((at, text))
    for pieces in texts.values():
        whole = "".join(text for _, text in pieces)
        masked = mask.text(whole)
        if masked != whole:  # the first then has all of it
            for at, _ in pieces:
                events[at] = _saying(events[at], masked)
                masked = ""
    return tuple(events)


def _saying(event: Event, text: str) -> Event:
    """The event of a token with another text."""
    data: Any = event.data
    content = data["content"]
    tokens = {**content["tokens"], "text": text}
    return Event(event.at, {**data, "content": {**content, "tokens": tokens}})


def _data(text: str) -> Any:
    """An event's JSON, or its text: an event that is no JSON object says nothing of the run."""
    try:
        return decode(text)
    except NumberError:
        if text.lstrip().startswith("{"):
            raise refusals.odd_number(text) from None
        return text
    except ValueError:
        return text


def _body(response: httpx.Response, content: bytes, kind: str, tape: Tape) -> Any:
    """The reply's body as it is kept; raises ServiceError for numbers that no cassette can hold."""
    try:
        value = _decoded(content, kind)
    except NumberError:
        value = content.decode("utf-8")
        if response.status_code == httpx.codes.OK:
            raise refusals.odd_number(value) from None
    return _masked(value, content.decode("latin-1"), tape)


def _masked(value: Any, text: str, tape: Tape) -> Any:
    """A value without cookies and secrets; what its cookies say is masked in all that the run gives later."""
    if cookies.may_hold(text):
        value, said = cookies.masked(value)
        tape.mask = tape.mask.knowing(said)
    return tape.mask.without_secrets(value)


def _decoded(content: bytes, kind: str) -> Any:
    """The reply as JSON with sorted keys, or as text where it is none."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return "bytes that are not UTF-8: " + content.decode("utf-8", "replace")
    if kind and kind != "application/json" and not kind.endswith("+json"):
        return text
    try:
        return ordered(decode(text))
    except RecursionError:
        raise _too_deep() from None
    except NumberError:
        raise
    except ValueError:
        return text


def _too_deep() -> ServiceError:
    return ServiceError("the service's answer is nested too deeply to be read")
