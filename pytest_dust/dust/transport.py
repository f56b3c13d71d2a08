"""The one seam at the network: a live transport that normalises replies, and one that replays them.

Both answer the client with an `Exchange` in the response's extensions: a reply is decoded, masked, reduced
to what a cassette keeps, and only then seen, so a replay cannot differ from the run that was recorded.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any

import httpx

from pytest_dust import clock, cookies
from pytest_dust.cookies import MASKED
from pytest_dust.dust import decoding, http_client, refusals
from pytest_dust.errors import CassetteError, ServiceError
from pytest_dust.json_values import NumberError, decode, decode_loosely, ordered
from pytest_dust.masking import Mask
from pytest_dust.model import Event, Exchange, Json

MAX_REPLY = 64 * 1024 * 1024
"""Bytes of a reply that are kept: as many as a cassette may have."""
MAX_LINES = 100_000
"""Lines of a stream from one event to the next; an event of Dust's is one line."""
EXCHANGE = "pytest_dust.exchange"
CONTEXT = "pytest_dust.context"
READ_HEADERS = ("content-type", "retry-after")
STREAM = "text/event-stream"
FINAL = "final"
KEPT = frozenset({"run_status", "block_status", "block_execution", "error", FINAL})
"""The types of events that tell of a run; others pass by: a run has them by the hundred thousand."""
PASSING = re.compile(r'\{"type":"(?:tokens|reasoning_tokens|function_call_arguments_tokens)"').match
"""Knows the most frequent events by how the service begins them, in a tenth of the time of reading them."""
PORTS = {"http": 80, "https": 443}
LOGGERS = ("httpx", *(f"httpcore.{name}" for name in ("connection", "http11", "http2", "proxy", "socks")))
"""Those who log requests, and what headers came back for them."""
_NO_BODY = httpx.ByteStream(b"")
"""Given in place of a body, which httpx would encode, measure and read though it is empty."""
_CONTEXT: ContextVar[RequestContext | None] = ContextVar("pytest_dust.context", default=None)
"""What the run carries for which this thread sends requests."""
Update = Event | logging.LogRecord
"""What a run tells while it goes on: an event of its stream, or what was logged of its requests."""


@dataclass(slots=True)
class RequestContext:
    """What one run's requests carry to the transport.

    Live: when its time is up, what to mask, whom to tell of events and log records, and whom of a rate
    limit's seconds. In replay: the exchanges to play.
    """

    exchanges: Iterator[Exchange] = field(default_factory=lambda: iter(()))
    deadline: float = float("inf")
    mask: Mask = field(default_factory=Mask)
    on_update: Callable[[Update], None] = field(default=lambda _note: None)
    on_rate_limit: Callable[[float], None] = field(default=lambda _seconds: None)
    block: str = ""
    """The block at which the run stood when it was last asked for."""
    proxy: str = ""
    """The proxy by which the last request went, as messages name it, if it went by one."""
    tunnelling: bool = False
    """Whether a proxy was asked for a way to the service (CONNECT), and has not answered."""

    _ended: threading.Event = field(default_factory=threading.Event)

    @property
    def seconds_left(self) -> float:
        """Seconds until the run's time is up; 0 or less once it is."""
        return 0.0 if self._ended.is_set() else self.deadline - clock.seconds()

    def end(self) -> None:
        """Stop whatever is under way: a pause at once, a reply at its next byte."""
        self._ended.set()

    def wait(self, seconds: float) -> None:
        """Wait so long, or until the run is ended; no patched clock or `time.sleep` shortens it."""
        self._ended.wait(seconds)


@dataclass(frozen=True, slots=True)
class Connection:
    """The way to one address: the headers that every request has, and the transport that takes it there.

    A bare transport and no client: there is no redirect to follow, no cookie to keep and no address to
    merge, for which a client takes as long as all else of a replay.
    """

    base_url: str
    """It ends in a slash."""
    headers: httpx.Headers
    transport: httpx.BaseTransport

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Json] | None,
        seconds: float | None,
        context: RequestContext,
    ) -> Exchange:
        """What comes back for one request, None being no limit of seconds; raises httpx.HTTPError."""
        request = httpx.Request(
            method,
            _address(self.base_url, path),
            headers=self.headers,
            json=body,
            extensions={CONTEXT: context, "timeout": httpx.Timeout(seconds).as_dict()},
        )
        exchange: Exchange = self.transport.handle_request(request).extensions[EXCHANGE]
        return exchange


def connect(base_url: str, headers: Mapping[str, str], inner: httpx.BaseTransport) -> Connection:
    """A line to a base URL; raises httpx.InvalidURL for what is none."""
    whole = str(httpx.URL(base_url))
    return Connection(whole if whole.endswith("/") else f"{whole}/", httpx.Headers(headers), inner)


@lru_cache(maxsize=256)
def _address(base_url: str, path: str) -> httpx.URL:
    """The whole address of a path below the base URL; most cases ask the same."""
    base = httpx.URL(base_url)
    return base.copy_with(raw_path=base.raw_path + httpx.URL(path).raw_path.lstrip(b"/"))


def live(base_url: str) -> httpx.BaseTransport:
    """A transport to the service; raises ServiceError where the environment allows none."""
    return _Normalising(http_client.client(base_url), httpx.URL(base_url))


def replaying() -> httpx.BaseTransport:
    """A transport that plays each request's context and opens no socket.

    One standing respx route for all: our own context says what comes next, and a router set up per
    request would cost a millisecond.
    """
    import respx  # 40 ms, and not needed in a live run

    router = respx.Router(assert_all_called=False)

    def play(request: httpx.Request) -> httpx.Response:
        router.calls.clear()  # respx keeps every call; a thousand cases would be kept in memory
        route.calls.clear()
        return _next(request)

    route = router.route()
    route.mock(side_effect=play)
    return httpx.MockTransport(router.handler)


def _next(request: httpx.Request) -> httpx.Response:
    context: RequestContext = request.extensions[CONTEXT]
    exchange = next(context.exchanges, None)
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

    def __init__(self, client: httpx.Client, base_url: httpx.URL) -> None:
        self._client = client
        # A recording does not depend on the base URL's path.
        self._prefix = base_url.raw_path.decode("ascii").rstrip("/")
        self._service = base_url.host, base_url.port or PORTS[base_url.scheme]
        self._proxy = ""
        for name in LOGGERS:
            logging.getLogger(name).addFilter(_divert)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        context: RequestContext = request.extensions[CONTEXT]
        _CONTEXT.set(context)  # for this run, which has a thread of its own
        request.extensions["trace"] = partial(self._trace, context)
        context.tunnelling = False
        began = clock.seconds()
        try:
            response = _sent(self._client, request)
        except httpx.TransportError as error:
            if context.tunnelling:  # nothing got to the service
                raise httpx.ConnectError(str(error), request=request) from None
            raise
        finally:
            context.proxy = self._proxy
        try:
            exchange = _exchange(request, response, context, began)
            path = exchange.path.removeprefix(self._prefix)
            return _response(request, replace(exchange, path=path))
        finally:
            response.close()

    def _trace(self, context: RequestContext, event: str, info: Mapping[str, Any]) -> None:
        """Note which machine is connected to, the service or a proxy, and whether the proxy answers."""
        if event.endswith("send_request_headers.started"):
            context.tunnelling = info["request"].method == b"CONNECT"
        elif event.endswith("receive_response_headers.complete"):
            context.tunnelling = False
        elif event.endswith("connect_tcp.started"):
            host, port = info["host"], info["port"]
            self._proxy = "" if (host, port) == self._service else http_client.proxy(host, port)

    def close(self) -> None:
        self._client.close()


def _sent(client: httpx.Client, request: httpx.Request) -> httpx.Response:
    """The response, its body unread; raises httpx.HTTPError whatever goes wrong."""
    try:
        return client.send(request, stream=True)
    except httpx.HTTPError:
        raise
    except UnicodeError as error:  # the name of a proxy that can be none
        raise httpx.ConnectError(str(error), request=request) from None
    except Exception as error:  # noqa: BLE001  # such as what a mocking library raises
        reason = f"{type(error).__name__}: {error}"
        raise httpx.TransportError(reason, request=request) from None


def _divert(record: logging.LogRecord) -> bool:
    """Take a log record of a run, masked, to whoever waits for that run; a filter that lets others through.

    The run's thread goes on beside other cases, to which pytest would ascribe the record.
    """
    context = _CONTEXT.get()
    if context is None:
        return True
    record.msg, record.args = context.mask.text(record.getMessage()), ()
    context.on_update(record)
    return False


def _exchange(
    request: httpx.Request, response: httpx.Response, context: RequestContext, began: float
) -> Exchange:
    """The reply, read whole."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    streamed = kind == STREAM and response.status_code == httpx.codes.OK
    headers = {name: response.headers[name] for name in READ_HEADERS if name in response.headers}
    return Exchange(
        method=request.method,
        path=context.mask.text(request.url.raw_path.decode("ascii")),
        status=response.status_code,
        headers=context.mask.value(headers),
        body=None if streamed else _read(response, _body(response, context), kind, context),
        events=tuple(_events(response, context, began)) if streamed else None,
    )


def _parts(response: httpx.Response, context: RequestContext, stage: decoding.Stage) -> Iterator[bytes]:
    """The reply's bytes without their encoding, as long as the run has time."""

    def timely(parts: Iterator[bytes]) -> Iterator[bytes]:
        for part in parts:
            if context.seconds_left <= 0:
                raise httpx.ReadTimeout("the run's time is up", request=response.request)
            yield part

    encodings = response.headers.get_list("content-encoding", split_commas=True)
    return decoding.decoded(response.iter_raw(), encodings, lambda parts: stage(timely(parts)))


def _body(response: httpx.Response, context: RequestContext) -> bytearray:
    """A reply that is no stream."""
    body = bytearray()
    for part in _parts(response, context, _bounded):
        body += part
    return body


def _bounded(parts: Iterator[bytes]) -> Iterator[bytes]:
    size = 0
    for part in parts:
        size += len(part)
        if size > MAX_REPLY:
            raise _too_large()
        yield part


@dataclass(slots=True)
class _Stream(httpx.SyncByteStream):
    """A stream's bytes as httpx-sse takes them, counted: what passes by may be endless, an event not."""

    parts: Iterator[bytes]
    size: int = 0
    """Bytes since the last event."""
    lines: int = 0
    """Line breaks since the last event."""
    kept: int = 0
    """Characters of all events that were kept."""

    def __iter__(self) -> Iterator[bytes]:
        for part in self.parts:
            self.size += len(part)
            self.lines += part.count(b"\n") + part.count(b"\r")
            if self.size > MAX_REPLY:
                raise _too_large(STREAMED)
            if self.lines > MAX_LINES:
                raise ServiceError(
                    f"the service's event stream goes on for {MAX_LINES:,} lines without an event; "
                    "check that --dust-base-url is Dust itself"
                )
            yield part

    def count(self, data: str, *, kept: bool) -> None:
        """Note an event."""
        self.size = self.lines = 0
        self.kept += len(data) if kept else 0
        if self.kept > MAX_REPLY:
            raise _too_large(STREAMED)


def _events(response: httpx.Response, context: RequestContext, began: float) -> Iterator[Event]:
    """The events of a stream that tell of its run, up to the last one, or to where it broke off.

    A run whose stream broke off goes on without us.
    """
    from httpx_sse import EventSource

    stream = _Stream(_parts(response, context, lambda parts: parts))
    plain = httpx.Response(200, headers={"content-type": STREAM}, stream=stream)
    try:
        for sent in EventSource(plain).iter_sse():
            data: Any = None if PASSING(sent.data) else _data(sent.data)
            stream.count(sent.data, kept=_is_kept(data))
            if not _is_kept(data):
                continue
            at = round(clock.seconds() - began, 3)
            event = Event(at, _masked(ordered(data), sent.data, context))
            context.on_update(event)
            yield event
            if data["type"] == FINAL:
                return
    except RecursionError:
        raise _too_deep() from None
    except httpx.TimeoutException:
        raise
    except httpx.TransportError:
        return


def _is_kept(data: Any) -> bool:
    """Whether an event tells of the run."""
    kind = data.get("type") if isinstance(data, dict) else None
    return isinstance(kind, str) and kind in KEPT


def _data(text: str) -> Any:
    """An event's JSON, or its text where it is none; raises ServiceError for numbers that cannot be kept."""
    try:
        return decode(text)
    except NumberError:
        data = decode_loosely(text)
        if _is_kept(data):
            raise refusals.odd_number(text) from None
        return data
    except ValueError:
        return text


def _read(response: httpx.Response, content: bytearray, kind: str, context: RequestContext) -> Any:
    """The reply's body as it is kept; raises ServiceError for numbers that no cassette can hold."""
    text = _text(content)
    content.clear()  # of a large answer, the bytes, the text and the value need not be there at once
    try:
        value = _parsed(text, kind)
    except NumberError:
        if response.status_code == httpx.codes.OK:
            raise refusals.odd_number(text) from None
        value = text
    return _masked(value, text, context)


def _text(content: bytearray) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return "bytes that are not UTF-8: " + content.decode("utf-8", "replace")


def _masked(value: Any, text: str, context: RequestContext) -> Any:
    """A value without cookies and secrets; what its cookies say is masked in all that the run gives later."""
    if cookies.may_hold(text):
        value, secrets = cookies.masked(value)
        context.mask = context.mask.with_secrets(secrets)
    return context.mask.answer(value)


def _parsed(text: str, kind: str) -> Any:
    """The reply as JSON with sorted keys, or as text where it is none."""
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


STREAMED = "ask with flavor: blocking and a block_filter, as a stream ignores it"


def _too_large(instead: str = "narrow it with block_filter") -> ServiceError:
    allowed = MAX_REPLY // 1024 // 1024
    return ServiceError(f"the service's answer is larger than {allowed} MB; {instead}")


def _too_deep() -> ServiceError:
    return ServiceError("the service's answer is nested too deeply to be read")
