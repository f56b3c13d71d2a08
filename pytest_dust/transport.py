"""The one seam at the network: a live transport that normalises replies, and one that replays them.

Both answer the client with an `Exchange` in the response's extensions: a reply is decoded, reduced
to what a cassette keeps, and only then seen, so a replay cannot differ from the run that was recorded.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies, proxy_bypass

import httpx

from pytest_dust.cassette import KEPT_HEADERS, ordered
from pytest_dust.errors import CassetteError, ServiceError
from pytest_dust.model import Exchange

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_REPLY = 8 * 1024 * 1024
"""Bytes of a reply: the service's own limit."""
EXCHANGE = "pytest_dust.exchange"
TAPE = "pytest_dust.tape"


@dataclass(slots=True)
class Tape:
    """The exchanges of one run: those still to be replayed, or when the run's time is up."""

    exchanges: Iterator[Exchange] = field(default_factory=lambda: iter(()))
    deadline: float = float("inf")


def live(base_url: str) -> httpx.BaseTransport:
    """A transport to the service, by the proxy that the environment names, if any."""
    url = httpx.URL(base_url)
    proxy = None if proxy_bypass(url.host) else getproxies().get(url.scheme)
    return _Normalising(httpx.HTTPTransport(proxy=proxy))


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

    route = router.route()
    route.mock(side_effect=play)
    return httpx.MockTransport(router.handler)


def _next(request: httpx.Request) -> httpx.Response:
    tape: Tape = request.extensions[TAPE]
    exchange = next(tape.exchanges, None)
    asked = f"{request.method} {request.url.path}"
    if exchange is None:
        raise CassetteError(f"holds no more replies, but the run asks {asked}")
    if (exchange.method, exchange.path) != (request.method, request.url.path):
        raise CassetteError(f"answers {exchange.method} {exchange.path}, but the run asks {asked}")
    return _response(request, exchange)


def _response(request: httpx.Request, exchange: Exchange) -> httpx.Response:
    return httpx.Response(exchange.status, request=request, extensions={EXCHANGE: exchange})


class _Normalising(httpx.BaseTransport):
    """Sends requests on and turns each reply into an exchange."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        tape: Tape = request.extensions[TAPE]
        response = self._inner.handle_request(request)
        response.request = request
        try:
            content = _content(response, tape.deadline)
        finally:
            response.close()
        headers = {name: value for name, value in response.headers.items() if name in KEPT_HEADERS}
        exchange = Exchange(
            method=request.method,
            path=request.url.path,
            status=response.status_code,
            headers=headers,
            body=_decoded(content),
        )
        return _response(request, exchange)

    def close(self) -> None:
        self._inner.close()


def _content(response: httpx.Response, deadline: float) -> bytes:
    """The reply's bytes, as long as there is time and they are not too many."""
    parts: list[bytes] = []
    size = 0
    for part in response.iter_bytes():
        size += len(part)
        if size > MAX_REPLY:
            allowed = MAX_REPLY // 1024 // 1024
            raise ServiceError(
                f"the service's answer is larger than {allowed} MB; narrow it with block_filter"
            )
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("the run's time is up", request=response.request)
        parts.append(part)
    return b"".join(parts)


def _decoded(content: bytes) -> Any:
    """The reply as JSON with sorted keys, or as text where it is none."""
    try:
        return ordered(json.loads(content))
    except RecursionError:
        raise ServiceError("the service's answer is nested too deeply to be read") from None
    except ValueError:
        return content.decode("utf-8", "replace")
