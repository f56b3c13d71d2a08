"""The session's two clients, and the limit on how long a whole run may take."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import httpx

from pytest_dust import __version__, refusals, transport
from pytest_dust.conversation import Conversation
from pytest_dust.masking import Mask
from pytest_dust.model import Event, Flavor, Json, Reply, RunRequest
from pytest_dust.references import KEY_VARIABLE

_T = TypeVar("_T")
Watch = Callable[[Event], None]
"""Who is told of a stream's events as they come, in the caller's thread."""


@dataclass(slots=True)
class Network:
    """The session's two clients, each made when first needed: one to the service, one to cassettes."""

    base_url: str
    environ: Mapping[str, str] = field(repr=False)
    _live: httpx.Client | None = None
    _replaying: httpx.Client | None = None

    def run(
        self, request: RunRequest, flavor: Flavor, timeout: float, mask: Mask, watch: Watch | None = None
    ) -> Reply:
        """Run the app at the service within `timeout` seconds; raises ServiceError."""
        client = self._service()
        began = time.monotonic()
        tape = transport.Tape(deadline=began + timeout, mask=mask)
        talk = Conversation(client, request, flavor, tape, timeout)
        exchanges = _within(timeout, talk.hold, tape, watch)
        took = round(time.monotonic() - began - talk.waited, 3)  # as a cassette keeps it
        return Reply(flavor, exchanges, took, talk.waited)

    def ask(self, request: RunRequest, path: str, timeout: float, mask: Mask) -> Json:
        """The JSON at an address of the service, asked for again where that helps; raises ServiceError."""
        tape = transport.Tape(deadline=time.monotonic() + timeout, mask=mask)
        talk = Conversation(self._service(), request, Flavor.POLL, tape, timeout)
        return _within(timeout, lambda: talk.get(path), tape, None).body

    def replay(self, request: RunRequest, reply: Reply) -> Reply:
        """Run the app from recorded exchanges, through the same client, without the network."""
        if self._replaying is None:
            origin = httpx.URL(self.base_url).copy_with(path="/")
            self._replaying = _client(str(origin), transport.replaying(), {})
        tape = transport.Tape(iter(reply.exchanges))
        exchanges = Conversation(self._replaying, request, reply.flavor, tape, None).hold()
        return Reply(reply.flavor, exchanges, reply.duration)

    def close(self) -> None:
        """Close what was opened."""
        for client in (self._live, self._replaying):
            if client is not None:
                client.close()

    def _service(self) -> httpx.Client:
        if self._live is None:
            key = self.environ.get(KEY_VARIABLE, "").strip()
            if not key:
                raise refusals.no_key()
            if not key.isascii() or not key.isprintable():
                raise refusals.bad_key()
            headers = {"Authorization": f"Bearer {key}"}
            try:
                self._live = _client(self.base_url, transport.live(self.base_url), headers)
            except (ValueError, httpx.InvalidURL) as error:
                raise refusals.bad_proxy(error) from None
        return self._live


def _client(base_url: str, inner: httpx.BaseTransport, headers: Mapping[str, str]) -> httpx.Client:
    agent = {
        "User-Agent": f"pytest-dust/{__version__}",
        "Accept": "application/json, text/event-stream",
    }
    return httpx.Client(base_url=base_url, transport=inner, headers={**agent, **headers}, trust_env=False)


def _within(seconds: float, work: Callable[[], _T], tape: transport.Tape, watch: Watch | None) -> _T:
    """What `work` returns or raises, but for at most so many seconds.

    httpx times each read, not the whole: a server that sends a byte a second would keep us for ever. So
    the work goes on in a thread of its own, which the end of the process does not wait for. Events come
    back to this thread, as pytest's terminal may be written to from here alone.
    """
    ended: queue.SimpleQueue[Event | _Done[_T]] = queue.SimpleQueue()
    if watch is not None:
        tape.watch = ended.put
    thread = threading.Thread(target=lambda: ended.put(_Done(work)), name="pytest-dust run", daemon=True)
    thread.start()
    try:
        while True:
            message = ended.get(timeout=max(0.0, tape.deadline - time.monotonic()))
            if isinstance(message, _Done):
                return message.result()
            if watch is not None:
                watch(message)
    except queue.Empty:
        raise refusals.timed_out(seconds) from None
    finally:
        tape.deadline = 0.0  # whatever is still under way stops at its next byte


class _Done(Generic[_T]):
    """How work in another thread ended."""

    def __init__(self, work: Callable[[], _T]) -> None:
        self._values: list[_T] = []
        self._error: BaseException | None = None
        try:
            self._values.append(work())
        except BaseException as error:  # noqa: BLE001  # raised again in the thread that asks
            self._error = error

    def result(self) -> _T:
        if self._error is not None:
            raise self._error
        return self._values[0]
