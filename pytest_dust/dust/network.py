"""The session's connections, to the service and to cassettes, and a run as a task for the worker pool."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from msgspec import Struct

from pytest_dust import __version__, clock, sockets
from pytest_dust.dust import refusals, transport
from pytest_dust.dust.conversation import Conversation
from pytest_dust.dust.missing import api_key
from pytest_dust.dust.transport import Update
from pytest_dust.errors import ServiceError
from pytest_dust.masking import Mask
from pytest_dust.model import Event, Flavor, Json, Reply, RunRequest
from pytest_dust.worker_pool import Task, Watch, WorkerPool

_T = TypeVar("_T")
HEADERS = {
    "User-Agent": f"pytest-dust/{__version__}",
    "Accept": "application/json, text/event-stream",
    "Accept-Encoding": "gzip, deflate",
    "Connection": "keep-alive",
}


RECORDED_AT = "https://dust.tt"
"""The base URL of replayed requests; a cassette fits every base URL."""


class LiveRun(Struct, frozen=True):
    """A run to make at the service: its request, flavor, timeout in seconds, and mask."""

    request: RunRequest
    flavor: Flavor
    timeout: float
    mask: Mask


@dataclass(slots=True)
class Network:
    """The session's connections, to the service and to cassettes; each is opened when it is first needed."""

    base_url: str
    environ: Mapping[str, str] = field(repr=False)
    barred: str = ""
    """Why the API key must not be sent to the base URL; empty if it may be."""
    _live: transport.Connection | None = None
    _replaced: list[transport.Connection] = field(default_factory=list)
    """Connections that are not used for new runs."""
    _replaying: transport.Connection | None = None

    def task(self, live_run: LiveRun, on_rate_limit: Callable[[float], None]) -> Task[Reply, Update]:
        """Return a task that makes a run at the service; raises ServiceError without a valid API key.

        `on_rate_limit` is called with the seconds to wait at each answer of a rate limit.
        """
        connection = self._service()
        context = transport.RequestContext(mask=live_run.mask, on_rate_limit=on_rate_limit)

        def make(publish: Callable[[Update], None]) -> Reply:
            began = clock.seconds()
            context.deadline, context.on_update = began + live_run.timeout, publish
            if context.seconds_left <= 0:
                raise refusals.timed_out(live_run.timeout)  # cancelled while its thread started
            conversation = Conversation(
                connection, live_run.request, live_run.flavor, context, live_run.timeout
            )
            exchanges = conversation.run()
            took = round(clock.seconds() - began - conversation.waited, 3)  # as precise as in a cassette
            return Reply(live_run.flavor, exchanges, took, conversation.waited)

        return _task(live_run.timeout, make, context)

    def ask(
        self,
        request: RunRequest,
        path: str,
        timeout: float,
        mask: Mask,
        body: Mapping[str, Json] | None = None,
    ) -> Json:
        """Return the JSON at a path of the service; raises ServiceError.

        Without a body it sends a GET request, again after failures that may pass; with one, a single POST.
        """
        context = transport.RequestContext(deadline=clock.seconds() + timeout, mask=mask)
        conversation = Conversation(self._service(), request, Flavor.POLL, context, timeout)
        pool: WorkerPool[Json, Update] = WorkerPool(1)

        def answer(publish: Callable[[Update], None]) -> Json:
            context.on_update = publish
            return (conversation.post(path, body) if body else conversation.get(path)).body

        task = _task(timeout, answer, context)
        return pool.wait(pool.submit([task]), relay(None))[0]

    def replay(self, request: RunRequest, reply: Reply) -> Reply:
        """Return the reply of a run whose requests recorded exchanges answer; uses no network."""
        if self._replaying is None:
            self._replaying = transport.connect(RECORDED_AT, HEADERS, transport.Replaying())
        context = transport.RequestContext(iter(reply.exchanges), ended=transport.NEVER)
        exchanges = Conversation(self._replaying, request, reply.flavor, context, None).run()
        return Reply(reply.flavor, exchanges, reply.duration)

    def close(self) -> None:
        """Close the open connections."""
        for connection in (self._live, self._replaying, *self._replaced):
            if connection is not None:
                connection.transport.close()

    def _service(self) -> transport.Connection:
        if self._live is not None and sockets.are_replaced():
            # A connection that is open already would evade what keeps tests from the network.
            self._replaced.append(self._live)
            self._live = None
        if self._live is None:
            if self.barred:
                raise ServiceError(self.barred)
            key = api_key(self.environ)
            if not key.isascii() or not key.isprintable():
                raise refusals.bad_key()
            headers = {**HEADERS, "Authorization": f"Bearer {key}"}
            self._live = transport.connect(self.base_url, headers, transport.live(self.base_url))
        return self._live


def _task(
    seconds: float, call: Callable[[Callable[[Update], None]], _T], context: transport.RequestContext
) -> Task[_T, Update]:
    """Return a task that ends: httpx limits only single reads, so a slow reply could go on for ever."""
    return Task(call, seconds, context.end, lambda: refusals.timed_out(seconds, context.block))


def relay(watch: Watch[Event] | None) -> Watch[Update]:
    """Return a callback that gives log records to their loggers and events to `watch`."""

    def handle(updates: Sequence[Update]) -> None:
        events: list[Event] = []
        for update in updates:
            if isinstance(update, logging.LogRecord):
                logging.getLogger(update.name).handle(update)
            else:
                events.append(update)
        if watch is not None:
            watch(events)

    return handle
