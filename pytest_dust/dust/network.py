"""The session's two lines, to the service and to cassettes, and a run as work within its time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pytest_dust import __version__, clock
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
"""Where replayed requests seem to go; a cassette fits whatever the base URL is."""


@dataclass(frozen=True, slots=True)
class LiveRun:
    """What to run: a request by its flavour, in how many seconds, masked how."""

    request: RunRequest
    flavor: Flavor
    timeout: float
    mask: Mask


@dataclass(slots=True)
class Network:
    """The session's two lines, each opened when first needed: one to the service, one to cassettes."""

    base_url: str
    environ: Mapping[str, str] = field(repr=False)
    barred: str = ""
    """Why the key may not be sent to the base URL; empty if it may."""
    _live: transport.Connection | None = None
    _replaying: transport.Connection | None = None

    def task(self, live_run: LiveRun, on_rate_limit: Callable[[float], None]) -> Task[Reply, Update]:
        """One run at the service, to be made in a thread of its own; raises ServiceError without a good key.

        `limited` is told for how many seconds a rate limit bids us wait.
        """
        connection = self._service()
        context = transport.RequestContext(mask=live_run.mask, on_rate_limit=on_rate_limit)

        def make(tell: Callable[[Update], None]) -> Reply:
            began = clock.seconds()
            context.deadline, context.on_update = began + live_run.timeout, tell
            if context.seconds_left <= 0:
                raise refusals.timed_out(live_run.timeout)  # given up while its thread began
            talk = Conversation(connection, live_run.request, live_run.flavor, context, live_run.timeout)
            exchanges = talk.run()
            took = round(clock.seconds() - began - talk.waited, 3)  # as a cassette keeps it
            return Reply(live_run.flavor, exchanges, took, talk.waited)

        return _within(live_run.timeout, make, context)

    def ask(
        self,
        request: RunRequest,
        path: str,
        timeout: float,
        mask: Mask,
        body: Mapping[str, Json] | None = None,
    ) -> Json:
        """The JSON at an address of the service, asked for again where that helps; raises ServiceError.

        With a `body` it is posted, once.
        """
        context = transport.RequestContext(deadline=clock.seconds() + timeout, mask=mask)
        talk = Conversation(self._service(), request, Flavor.POLL, context, timeout)
        pool: WorkerPool[Json, Update] = WorkerPool(1)

        def answer(tell: Callable[[Update], None]) -> Json:
            context.on_update = tell
            return (talk.post(path, body) if body else talk.get(path)).body

        work = _within(timeout, answer, context)
        return pool.wait(pool.submit([work]), relay(None))[0]

    def replay(self, request: RunRequest, reply: Reply) -> Reply:
        """Run the app from recorded exchanges, by the same talk, without the network."""
        if self._replaying is None:
            self._replaying = transport.connect(RECORDED_AT, HEADERS, transport.replaying())
        context = transport.RequestContext(iter(reply.exchanges))
        exchanges = Conversation(self._replaying, request, reply.flavor, context, None).run()
        return Reply(reply.flavor, exchanges, reply.duration)

    def close(self) -> None:
        """Close what was opened."""
        for connection in (self._live, self._replaying):
            if connection is not None:
                connection.transport.close()

    def _service(self) -> transport.Connection:
        if self._live is None:
            if self.barred:
                raise ServiceError(self.barred)
            key = api_key(self.environ)
            if not key.isascii() or not key.isprintable():
                raise refusals.bad_key()
            headers = {**HEADERS, "Authorization": f"Bearer {key}"}
            self._live = transport.connect(self.base_url, headers, transport.live(self.base_url))
        return self._live


def _within(
    seconds: float, call: Callable[[Callable[[Update], None]], _T], context: transport.RequestContext
) -> Task[_T, Update]:
    """Work with an end: httpx times each read alone, and a byte a second would keep us for ever."""
    return Task(call, seconds, context.end, lambda: refusals.timed_out(seconds, context.block))


def relay(watch: Watch[Event] | None) -> Watch[Update]:
    """A callback that gives log records to their loggers, in the thread that waits, and events to `watch`."""

    def tell(notes: Sequence[Update]) -> None:
        events: list[Event] = []
        for note in notes:
            if isinstance(note, logging.LogRecord):
                logging.getLogger(note.name).handle(note)
            else:
                events.append(note)
        if watch is not None:
            watch(events)

    return tell
