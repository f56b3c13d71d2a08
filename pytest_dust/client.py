"""Runs an app over HTTP, and turns what the service or network did instead into our errors."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from pytest_dust import __version__, api, transport
from pytest_dust.errors import ServiceError
from pytest_dust.model import Exchange, Json, Reply, RunRequest

KEY_VARIABLE = "DUST_API_KEY"
_T = TypeVar("_T")


@dataclass(slots=True)
class Network:
    """The session's two clients, each made when first needed: one to the service, one to cassettes."""

    base_url: str
    environ: Mapping[str, str] = field(repr=False)
    _live: httpx.Client | None = None
    _replaying: httpx.Client | None = None

    def run(self, request: RunRequest, timeout: float) -> Reply:
        """Run the app at the service within `timeout` seconds; raises ServiceError."""
        client = self._service()
        tape = transport.Tape(deadline=time.monotonic() + timeout)
        began = time.monotonic()
        exchange = _within(timeout, lambda: _create(client, request, tape, timeout))
        return Reply((exchange,), time.monotonic() - began)

    def replay(self, request: RunRequest, reply: Reply) -> Reply:
        """Run the app from recorded exchanges, through the same client, without the network."""
        if self._replaying is None:
            self._replaying = _client(self.base_url, transport.replaying(), {})
        exchange = _create(self._replaying, request, transport.Tape(iter(reply.exchanges)), None)
        return Reply((exchange,), reply.duration)

    def close(self) -> None:
        """Close what was opened."""
        for client in (self._live, self._replaying):
            if client is not None:
                client.close()

    def _service(self) -> httpx.Client:
        if self._live is None:
            key = self.environ.get(KEY_VARIABLE, "").strip()
            if not key:
                raise ServiceError(
                    f"no API key: this run uses the network; export {KEY_VARIABLE}=sk-…, "
                    "or replay from cassettes with --dust-mode=replay"
                )
            if not key.isascii() or not key.isprintable():
                raise ServiceError(f"{KEY_VARIABLE} holds characters no key has; copy it from Dust again")
            headers = {"Authorization": f"Bearer {key}"}
            self._live = _client(self.base_url, transport.live(self.base_url), headers)
        return self._live


def _client(base_url: str, inner: httpx.BaseTransport, headers: Mapping[str, str]) -> httpx.Client:
    agent = {"User-Agent": f"pytest-dust/{__version__}", "Accept": "application/json"}
    return httpx.Client(base_url=base_url, transport=inner, headers={**agent, **headers}, trust_env=False)


def _create(
    client: httpx.Client, request: RunRequest, tape: transport.Tape, timeout: float | None
) -> Exchange:
    """Create a blocking run; the exchange holds the ended run."""
    try:
        response = client.post(
            api.runs_path(request),
            json=api.body(request),
            timeout=timeout,
            extensions={transport.TAPE: tape},
        )
    except httpx.TimeoutException:
        raise ServiceError(_timed_out(timeout or 0)) from None
    except httpx.HTTPError as error:
        raise ServiceError(_unreachable(client.base_url, error)) from None
    exchange: Exchange = response.extensions[transport.EXCHANGE]
    if exchange.status != httpx.codes.OK:
        raise ServiceError(_refused(exchange, request))
    if isinstance(exchange.body, str):
        raise ServiceError(
            f"the service answered 200 with {_excerpt(exchange.body)} instead of JSON; "
            f"check that {client.base_url} is Dust itself and no proxy or login page stands between"
        )
    return exchange


def _within(seconds: float, work: Callable[[], _T]) -> _T:
    """What `work` returns or raises, but for at most so many seconds.

    httpx times each read, not the whole: a server that sends a byte a second would keep us for ever. So
    the work goes on in a thread of its own, which the end of the process does not wait for.
    """
    done: list[_T] = []
    failed: list[BaseException] = []

    def attempt() -> None:
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001  # raised again below, in the caller's thread
            failed.append(error)

    thread = threading.Thread(target=attempt, name="pytest-dust run", daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not done:
        raise ServiceError(_timed_out(seconds))
    return done[0]


# ── what to say ──────────────────────────────────────────────────────────────────────────────────


def _timed_out(seconds: float) -> str:
    return (
        f"the run took longer than {seconds:g} s and was given up (it may still go on at the service); "
        "raise timeout: in the suite, or --dust-timeout"
    )


def _unreachable(base_url: httpx.URL, error: httpx.HTTPError) -> str:
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout():
            return f"cannot connect to {base_url}: {error}; check the network and --dust-base-url"
        case httpx.ProxyError():
            return f"the proxy refused: {error}; check HTTPS_PROXY and NO_PROXY"
        case _:
            return (
                f"the connection to {base_url} broke during the run: {error or type(error).__name__}; "
                "the run may have started, so it was not repeated: run the case again"
            )


_CHECK = {
    400: "check config and inputs against the app",
    401: f"check {KEY_VARIABLE}: a key of this workspace, whole, as Dust shows it",
    403: "the key may not use this app: check the workspace, the space and what the key may read",
    404: "check app.id, space and workspace against the app's address in Dust",
    405: "check that --dust-base-url is Dust itself",
    413: "the input and config are larger than the service's 4 MB; shorten them",
    429: "the app's runs of the day are used up; wait, or replay from cassettes",
}


def _refused(exchange: Exchange, request: RunRequest) -> str:
    """One or two sentences on an answer that is no run."""
    check = _CHECK.get(exchange.status)
    if check is None:
        check = "the service is in trouble; try again later"
    if exchange.status == httpx.codes.INTERNAL_SERVER_ERROR:
        check = (
            "a blocking run of an unknown specification_hash gives this: check "
            f"{request.specification_hash[:12]}… against the app's versions; else try again later"
        )
    if httpx.codes.is_redirect(exchange.status):
        check = "redirects are not followed: set --dust-base-url to the address itself"
    app = request.app
    where = f"(app {app.id}, space {app.space}, workspace {app.workspace})"
    return f"the service answered {exchange.status} {_said(exchange.body)} {where}; {check}"


def _said(body: Json) -> str:
    """The service's own type and message, or the beginning of what came instead."""
    error = body.get("error") if isinstance(body, Mapping) else None
    if isinstance(error, Mapping):
        parts: Iterable[Any] = (error.get("type"), error.get("message"))
        return ": ".join(str(part)[:300] for part in parts if part)
    return f"with {_excerpt(body)}"


def _excerpt(body: Json) -> str:
    if not isinstance(body, str):
        return "JSON that holds no error"
    text = " ".join(body.split())
    if not text:
        return "an empty body"
    what = "HTML" if text.lstrip().lower().startswith(("<!doctype", "<html")) else "text"
    return f"{what} ({text[:80]}{'…' if len(text) > 80 else ''})"
