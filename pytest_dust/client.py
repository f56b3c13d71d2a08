"""The session's two lines, to the service and to cassettes, and a run as work within its time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import httpx

from pytest_dust import __version__, refusals, transport
from pytest_dust.conversation import Conversation
from pytest_dust.launch import Launcher, Work
from pytest_dust.masking import Mask
from pytest_dust.model import Event, Flavor, Json, Reply, RunRequest
from pytest_dust.references import KEY_VARIABLE

_T = TypeVar("_T")
HEADERS = {
    "User-Agent": f"pytest-dust/{__version__}",
    "Accept": "application/json, text/event-stream",
    "Accept-Encoding": "gzip, deflate",
    "Connection": "keep-alive",
}


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
    _live: transport.Line | None = None
    _replaying: transport.Line | None = None

    def work(self, order: Order, limited: Callable[[float], None]) -> Work[Reply, Event]:
        """One run at the service, to be made in a thread of its own; raises ServiceError without a good key.

        `limited` is told for how many seconds a rate limit bids us wait.
        """
        line = self._service()
        tape = transport.Tape(mask=order.mask, limited=limited)

        def make(tell: Callable[[Event], None]) -> Reply:
            began = time.monotonic()
            tape.deadline, tape.watch = min(tape.deadline, began + order.timeout), tell
            if tape.deadline <= began:
                raise refusals.timed_out(order.timeout)  # given up while its thread began
            talk = Conversation(line, order.request, order.flavor, tape, order.timeout)
            exchanges = talk.hold()
            took = round(time.monotonic() - began - talk.waited, 3)  # as a cassette keeps it
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
        tape = transport.Tape(deadline=time.monotonic() + timeout, mask=mask)
        talk = Conversation(self._service(), request, Flavor.POLL, tape, timeout)
        launcher: Launcher[Json, Event] = Launcher(1)
        work = _within(timeout, lambda _tell: (talk.post(path, body) if body else talk.get(path)).body, tape)
        return launcher.wait(launcher.launch([work]))[0]

    def replay(self, request: RunRequest, reply: Reply) -> Reply:
        """Run the app from recorded exchanges, by the same talk, without the network."""
        if self._replaying is None:
            origin = httpx.URL(self.base_url).copy_with(path="/")
            self._replaying = transport.line(str(origin), HEADERS, transport.replaying())
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
            key = self.environ.get(KEY_VARIABLE, "").strip()
            if not key:
                raise refusals.no_key()
            if not key.isascii() or not key.isprintable():
                raise refusals.bad_key()
            headers = {**HEADERS, "Authorization": f"Bearer {key}"}
            try:
                self._live = transport.line(self.base_url, headers, transport.live(self.base_url))
            except (ValueError, httpx.InvalidURL) as error:
                raise refusals.bad_proxy(error) from None
        return self._live


def _within(
    seconds: float, call: Callable[[Callable[[Event], None]], _T], tape: transport.Tape
) -> Work[_T, Event]:
    """Work with an end: httpx times each read alone, and a byte a second would keep us for ever."""
    return Work(call, seconds, tape.end, refusals.timed_out(seconds))
