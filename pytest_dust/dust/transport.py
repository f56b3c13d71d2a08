"""HTTP transports: a live one, which normalises replies, and one that replays recorded replies.

Both return an `Exchange` in the extensions of the response. A live reply is decoded, masked and reduced to
what a cassette stores before anything reads it, so a replay cannot differ from the run that was recorded.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import httpx
from msgspec import Struct
from msgspec.structs import replace

from pytest_dust import clock, cookies
from pytest_dust.cookies import MASKED
from pytest_dust.dust import decoding, http_client, refusals
from pytest_dust.errors import CassetteError, ServiceError
from pytest_dust.json_values import NumberError, decode, decode_loosely, ordered
from pytest_dust.masking import Mask
from pytest_dust.model import Event, Exchange, Json

MAX_REPLY = 64 * 1024 * 1024
"""Maximum size of a reply in bytes, which is also that of a cassette."""
MAX_LINES = 100_000
"""Maximum number of lines of a stream from one event to the next; Dust writes an event on one line."""
EXCHANGE = "pytest_dust.exchange"
CONTEXT = "pytest_dust.context"
READ_HEADERS = ("content-type", "retry-after")
STREAM = "text/event-stream"
FINAL = "final"
KEPT = frozenset({"run_status", "block_status", "block_execution", "error", FINAL})
"""The types of events that are stored; a run may have hundreds of thousands of others."""
is_token_event = re.compile(r'\{"type":"(?:tokens|reasoning_tokens|function_call_arguments_tokens)"').match
"""Recognise the most frequent events, which are not stored, in a tenth of the time that decoding takes."""
PORTS = {"http": 80, "https": 443}
LOGGERS = ("httpx", *(f"httpcore.{name}" for name in ("connection", "http11", "http2", "proxy", "socks")))
"""The loggers of requests and of the headers of replies."""
_NO_BODY = httpx.ByteStream(b"")
"""An empty body that httpx need not encode, measure and read."""
_CONTEXT: ContextVar[RequestContext | None] = ContextVar("pytest_dust.context", default=None)
"""The context of the run for which this thread sends requests."""
NEVER = threading.Event()
"""Whether a replay is ended: it never is."""
Update = Event | logging.LogRecord
"""What a run publishes before it ends: an event of its stream, or a log record of one of its requests."""


@dataclass(slots=True)
class RequestContext:
    """What the transport needs to know of the run that a request is part of."""

    exchanges: Iterator[Exchange] = field(default_factory=lambda: iter(()))
    """In replay, the recorded exchanges."""
    deadline: float = float("inf")
    """When the run times out, by `clock.seconds()`."""
    mask: Mask = field(default_factory=Mask)
    on_update: Callable[[Update], None] = field(default=lambda _update: None)
    on_rate_limit: Callable[[float], None] = field(default=lambda _seconds: None)
    """Callback with the seconds to wait, called at each answer of a rate limit."""
    block: str = ""
    """The block that was running at the last poll, as messages name it."""
    proxy: str = ""
    """The proxy of the last request, as messages name it; empty if it had none."""
    connecting: bool = False
    """True until the connection for the request is open."""
    tunnelling: bool = False
    """True from the request for a tunnel through a proxy (CONNECT) to the answer."""

    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def seconds_left(self) -> float:
        """Seconds until the run times out; 0 or less once it has."""
        return 0.0 if self.ended.is_set() else self.deadline - clock.seconds()

    def end(self) -> None:
        """End the run: a wait at once, a reply at its next byte."""
        self.ended.set()

    def wait(self, seconds: float) -> None:
        """Wait for so long, or until the run is ended; no patched clock or `time.sleep` shortens it."""
        self.ended.wait(seconds)


class Connection(Struct, frozen=True):
    """Sends requests to one base URL, with the same headers.

    It uses a transport rather than a client: a client's redirects, cookies and merged addresses are not
    needed, and would double the time of a replay.
    """

    base_url: str
    """With a slash at its end."""
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
        """Return the exchange of one request, in at most so many seconds if given; raises httpx.HTTPError."""
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
    """Return a connection to a base URL; raises httpx.InvalidURL."""
    whole = str(httpx.URL(base_url))
    return Connection(whole if whole.endswith("/") else f"{whole}/", httpx.Headers(headers), inner)


@lru_cache(maxsize=256)
def _address(base_url: str, path: str) -> httpx.URL:
    """Return the address of a path below the base URL; cached, as most cases have the same."""
    base = httpx.URL(base_url)
    return base.copy_with(raw_path=base.raw_path + httpx.URL(path).raw_path.lstrip(b"/"))


def live(base_url: str) -> httpx.BaseTransport:
    """Return a transport to the service; raises ServiceError if the environment's proxies are unusable."""
    return _Normalising(http_client.client(base_url), httpx.URL(base_url))


class Replaying(httpx.BaseTransport):
    """Answers with the recorded exchanges of a request's context, without a socket.

    It has one respx route for all requests, as a router for each would take a millisecond. The route is given
    its response, not a function, whose signature respx would inspect at each request.
    """

    def __init__(self) -> None:
        """Make the route."""
        import respx  # 40 ms, and not needed in a live run

        self._router = respx.Router(assert_all_called=False)
        self._route = self._router.route()
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the recorded response; raises CassetteError if it does not fit."""
        response = _replay(request)
        with self._lock:  # other threads use the same route
            self._router.calls.clear()  # else respx keeps the calls of all cases in memory
            self._route.calls.clear()
            self._route.return_value = response
            return self._router.handler(request)


def _replay(request: httpx.Request) -> httpx.Response:
    context: RequestContext = request.extensions[CONTEXT]
    exchange = next(context.exchanges, None)
    asked = f"{request.method} {request.url.raw_path.decode('ascii')}"
    if exchange is None:
        raise CassetteError(f"holds no more replies, but the run asks {asked}")
    if not _fits(f"{exchange.method} {exchange.path}", asked):
        raise CassetteError(f"answers {exchange.method} {exchange.path}, but the run asks {asked}")
    return _response(request, exchange)


def _fits(recorded: str, asked: str) -> bool:
    """Return True if a request is the recorded one; masked parts of its path match anything but a slash."""
    if recorded == asked:
        return True
    pattern = "[^/]*".join(map(re.escape, recorded.split(MASKED)))
    return re.fullmatch(pattern, asked) is not None


def _response(request: httpx.Request, exchange: Exchange) -> httpx.Response:
    extensions = {EXCHANGE: exchange}
    return httpx.Response(exchange.status, request=request, stream=_NO_BODY, extensions=extensions)


class _Normalising(httpx.BaseTransport):
    """Sends requests to the service, and turns each reply into an exchange."""

    def __init__(self, client: httpx.Client, base_url: httpx.URL) -> None:
        self._client = client
        # Removed from the paths of exchanges, so that a recording fits every base URL.
        self._prefix = base_url.raw_path.decode("ascii").rstrip("/")
        self._service = base_url.host, base_url.port or PORTS[base_url.scheme]
        self._proxy = ""
        for name in LOGGERS:
            logging.getLogger(name).addFilter(_publish_record)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        context: RequestContext = request.extensions[CONTEXT]
        _CONTEXT.set(context)  # each run has its own thread
        request.extensions["trace"] = partial(self._trace, context)
        context.tunnelling = context.connecting = False
        began = clock.seconds()
        try:
            response = _send(self._client, request, context)
        except httpx.TransportError as error:
            if context.tunnelling:  # the proxy failed, so nothing has reached the service
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
        """Record whether the client connects to the service or a proxy, and whether a tunnel is open."""
        if event.endswith("send_request_headers.started"):
            context.tunnelling = info["request"].method == b"CONNECT"
        elif event.endswith("receive_response_headers.complete"):
            context.tunnelling = False
        elif event.endswith("connect_tcp.complete"):
            context.connecting = False
        elif event.endswith("connect_tcp.started"):
            context.connecting = True
            host, port = info["host"], info["port"]
            self._proxy = "" if (host, port) == self._service else http_client.proxy(host, port)

    def close(self) -> None:
        self._client.close()


def _send(client: httpx.Client, request: httpx.Request, context: RequestContext) -> httpx.Response:
    """Return the response, with its body unread.

    Raises ServiceError if something keeps tests from the network, httpx.HTTPError whatever else goes wrong.
    """
    try:
        return client.send(request, stream=True)
    except httpx.HTTPError:
        raise
    except UnicodeError as error:  # an impossible name of a proxy
        raise httpx.ConnectError(str(error), request=request) from None
    except Exception as error:  # noqa: BLE001  # such as what a mocking library raises
        reason = f"{type(error).__name__}: {error}"
        if context.connecting:
            raise refusals.blocked(request.url.host, reason) from None
        raise httpx.TransportError(reason, request=request) from None


def _publish_record(record: logging.LogRecord) -> bool:
    """Filter of log records: publish those of a run as its updates, masked, and let others pass.

    The run's thread runs beside other cases, whose captured logs would hold its records.
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
    """Return the exchange of a response, which is read to its end."""
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
    """Yield the decompressed bytes of a reply; raises httpx.ReadTimeout once the run has timed out."""

    def timely(parts: Iterator[bytes]) -> Iterator[bytes]:
        for part in parts:
            if context.seconds_left <= 0:
                raise httpx.ReadTimeout("the run has timed out", request=response.request)
            yield part

    encodings = response.headers.get_list("content-encoding", split_commas=True)
    return decoding.decoded(response.iter_raw(), encodings, lambda parts: stage(timely(parts)))


def _body(response: httpx.Response, context: RequestContext) -> bytearray:
    """Return the body of a reply that is no stream."""
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
    """The bytes of a stream, for httpx-sse; limits one event, and all stored events, but not the stream."""

    parts: Iterator[bytes]
    size: int = 0
    """Bytes since the last event."""
    lines: int = 0
    """Line breaks since the last event."""
    kept: int = 0
    """Characters of all stored events."""

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
        """Begin to count the next event; raises ServiceError if the stored events are too large together."""
        self.size = self.lines = 0
        self.kept += len(data) if kept else 0
        if self.kept > MAX_REPLY:
            raise _too_large(STREAMED)


def _events(response: httpx.Response, context: RequestContext, began: float) -> Iterator[Event]:
    """Yield the stored events of a stream, up to the final one or to the point where the stream broke off.

    A run whose stream broke off goes on at the service.
    """
    from httpx_sse import EventSource

    stream = _Stream(_parts(response, context, lambda parts: parts))
    plain = httpx.Response(200, headers={"content-type": STREAM}, stream=stream)
    try:
        for sent in EventSource(plain).iter_sse():
            data: Any = None if is_token_event(sent.data) else _data(sent.data)
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
    """Return True if an event is stored."""
    kind = data.get("type") if isinstance(data, dict) else None
    return isinstance(kind, str) and kind in KEPT


def _data(text: str) -> Any:
    """Return an event as JSON, or as text if it is no JSON; raises ServiceError for an unwritable number."""
    try:
        return decode(text)
    except NumberError:
        data = decode_loosely(text)
        if _is_kept(data):
            raise refusals.unwritable_number(text) from None
        return data
    except ValueError:
        return text


def _read(response: httpx.Response, content: bytearray, kind: str, context: RequestContext) -> Any:
    """Return a reply's body as a cassette stores it; raises ServiceError for an unwritable number."""
    text = _text(content)
    content.clear()  # so that bytes, text and value of a large answer are not in memory together
    try:
        value = _parsed(text, kind)
    except NumberError:
        if response.status_code == httpx.codes.OK:
            raise refusals.unwritable_number(text) from None
        value = text
    return _masked(value, text, context)


def _text(content: bytearray) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return "bytes that are not UTF-8: " + content.decode("utf-8", "replace")


def _masked(value: Any, text: str, context: RequestContext) -> Any:
    """Return a value, masked; the secrets in its cookies are masked in all later replies of the run too."""
    if cookies.may_hold(text):
        value, secrets = cookies.masked(value)
        context.mask = context.mask.with_secrets(secrets)
    return context.mask.answer(value)


def _parsed(text: str, kind: str) -> Any:
    """Return a reply as a JSON value with sorted keys, or as text if it is no JSON."""
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
    return ServiceError("the service's answer is nested too deeply to be read; narrow it with block_filter")
