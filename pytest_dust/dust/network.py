"""The session's two lines, to the service and to cassettes, and a run as work within its time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pytest_dust import __version__, clock
from pytest_dust.constants import KEY_VARIABLE
from pytest_dust.dust import refusals, transport
from pytest_dust.dust.conversation import Conversation
from pytest_dust.dust.transport import Note
from pytest_dust.errors import ServiceError
from pytest_dust.masking import Mask
from pytest_dust.model import Event, Flavor, Json, Reply, RunRequest
from pytest_dust.worker_pool import Launcher, Watch, Work

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
class Order:
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
    _live: transport.Line | None = None
    _replaying: transport.Line | None = None

    def work(self, order: Order, limited: Callable[[float], None]) -> Work[Reply, Note]:
        """One run at the service, to be made in a thread of its own; raises ServiceError without a good key.

        `limited` is told for how many seconds a rate limit bids us wait.
        """
        line = self._service()
        tape = transport.Tape(mask=order.mask, limited=limited)

        def make(tell: Callable[[Note], None]) -> Reply:
            began = clock.seconds()
            tape.deadline, tape.tell = began + order.timeout, tell
            if tape.left <= 0:
                raise refusals.timed_out(order.timeout)  # given up while its thread began
            talk = Conversation(line, order.request, order.flavor, tape, order.timeout)
            exchanges = talk.hold()
            took = round(clock.seconds() - began - talk.waited, 3)  # as a cassette keeps it
            return Reply(order.flavor, exchanges, took, talk.waited)

        return _within(order.timeout, make, tape)

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
        tape = transport.Tape(deadline=clock.seconds() + timeout, mask=mask)
        talk = Conversation(self._service(), request, Flavor.POLL, tape, timeout)
        launcher: Launcher[Json, Note] = Launcher(1)

        def answer(tell: Callable[[Note], None]) -> Json:
            tape.tell = tell
            return (talk.post(path, body) if body else talk.get(path)).body

        work = _within(timeout, answer, tape)
        return launcher.wait(launcher.launch([work]), relay(None))[0]

    def replay(self, request: RunRequest, reply: Reply) -> Reply:
        """Run the app from recorded exchanges, by the same talk, without the network."""
        if self._replaying is None:
            self._replaying = transport.line(RECORDED_AT, HEADERS, transport.replaying())
        tape = transport.Tape(iter(reply.exchanges))
        exchanges = Conversation(self._replaying, request, reply.flavor, tape, None).hold()
        return Reply(reply.flavor, exchanges, reply.duration)

    def close(self) -> None:
        """Close what was opened."""
        for line in (self._live, self._replaying):
            if line is not None:
                line.transport.close()

    def _service(self) -> transport.Line:
        if self._live is None:
            if self.barred:
                raise ServiceError(self.barred)
            key = self.environ.get(KEY_VARIABLE, "").strip()
            if not key:
                raise refusals.no_key()
            if not key.isascii() or not key.isprintable():
                raise refusals.bad_key()
            headers = {**HEADERS, "Authorization": f"Bearer {key}"}
            self._live = transport.line(self.base_url, headers, transport.live(self.base_url))
        return self._live


def _within(
    seconds: float, call: Callable[[Callable[[Note], None]], _T], tape: transport.Tape
) -> Work[_T, Note]:
    """Work with an end: httpx times each read alone, and a byte a second would keep us for ever."""
    return Work(call, seconds, tape.end, lambda: refusals.timed_out(seconds, tape.stands))


def relay(watch: Watch[Event] | None) -> Watch[Note]:
    """A callback that gives log records to their loggers, in the thread that waits, and events to `watch`."""

    def tell(notes: Sequence[Note]) -> None:
        events: list[Event] = []
        for note in notes:
            if isinstance(note, logging.LogRecord):
                logging.getLogger(note.name).handle(note)
            else:
                events.append(note)
        if watch is not None:
            watch(events)

    return tell
