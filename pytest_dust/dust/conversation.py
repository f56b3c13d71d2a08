"""One run's talk with the service: create it by its flavour, wait where told, ask until it has ended.

A POST is repeated only when it surely started nothing, for a run costs money; a GET may be repeated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from itertools import count

import httpx

from pytest_dust import clock
from pytest_dust.dust import refusals, transport, wire
from pytest_dust.errors import ServiceError
from pytest_dust.model import Exchange, Flavor, Json, RunRequest

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 3.0
"""Seconds between two looks at a run: at first, and at most."""
CONNECTS = 3
"""Attempts to connect; nothing is sent before one succeeds."""
ASKS = 5
"""Attempts of one GET."""
LONGEST_WAIT = 1e9
"""Seconds that no rate limit means."""
LEAST_WAIT, MOST_LEAST = 0.25, 30.0
"""Seconds to wait after the first 429 at least, whatever it asks for; they double up to the second number."""
SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")
MOST_SECONDS = 1e6
"""Seconds for one reply; sockets take no more than some days."""
MOMENT = 0.05
"""Seconds by which a timeout may come early."""


@dataclass(slots=True)
class Conversation:
    """A run under way; `timeout` is None in replay, which never waits."""

    connection: transport.Connection
    request: RunRequest
    flavor: Flavor
    context: transport.RequestContext
    timeout: float | None
    waited: float = field(default=0.0)
    limits: int = field(default=0)
    """How often a rate limit has refused a request."""

    def run(self) -> tuple[Exchange, ...]:
        """The exchanges that tell of the ended run; raises ServiceError where there is none."""
        created = self._create()
        if created.events is not None:
            self._refuse_error(created)
        # A recording may hold such an answer with the run that was asked for after it.
        if self.timeout is not None and (crash := wire.crash(created, self.flavor)):
            raise refusals.crashed(crash)
        run_id = wire.pending(created, self.request.specification_hash)
        if run_id is not None:
            return created, self._ask(run_id)
        if created.events is not None and not wire.streamed_end(created):
            raise refusals.nameless_stream()
        return (created,)

    def _create(self) -> Exchange:
        body = wire.body(self.request, self.flavor)
        failures = 0
        while True:
            try:
                exchange = self._send("POST", wire.runs_path(self.request), body)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failures += 1
                trouble = refusals.unreachable(self.connection.base_url, error, self.context.proxy)
                if failures == CONNECTS:
                    raise trouble from None
                self._pause(_growing(failures), trouble)
            except httpx.HTTPError as error:
                raise self._trouble(error, refusals.unreachable) from None
            else:
                if not self._may_wait(exchange):
                    return self._accepted(exchange)

    def _ask(self, run_id: str) -> Exchange:
        """The run's state once it has ended."""
        path = wire.run_path(self.request, run_id)
        for attempt in count(1):
            exchange = self.get(path)
            if wire.pending(exchange, self.request.specification_hash) is None:
                return exchange
            self.context.block = wire.current_block(exchange)
            self._pause(_growing(attempt), self._timed_out())
        raise AssertionError  # pragma: no cover  # count() does not end

    def get(self, path: str) -> Exchange:
        """What stands at an address, asked for again on passing trouble; raises ServiceError."""
        return self._accepted(self._get(path))

    def post(self, path: str, body: Mapping[str, Json]) -> Exchange:
        """The answer to a question that starts no run; raises ServiceError."""
        try:
            return self._accepted(self._send("POST", path, body))
        except httpx.HTTPError as error:
            raise self._trouble(error, refusals.unanswered) from None

    def _get(self, path: str) -> Exchange:
        failures = 0
        while True:
            try:
                exchange = self._send("GET", path)
            except httpx.HTTPError as error:
                failures += 1
                trouble = self._trouble(error, refusals.unanswered)
                if failures == ASKS or self.context.seconds_left <= 0:
                    raise trouble from None
            else:
                if self._may_wait(exchange):
                    continue
                failures += 1
                if failures == ASKS or not httpx.codes.is_server_error(exchange.status):
                    return exchange
            self._pause(_growing(failures), self._timed_out())

    def _send(self, method: str, path: str, body: Mapping[str, Json] | None = None) -> Exchange:
        seconds = None if self.timeout is None else min(max(0.001, self.context.seconds_left), MOST_SECONDS)
        return self.connection.send(method, path, body, seconds, self.context)

    def _accepted(self, exchange: Exchange) -> Exchange:
        """The exchange, if it may hold a run."""
        if exchange.status == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
            raise refusals.proxy_refused(self.context.proxy, "407 Proxy Authentication Required")
        if exchange.status != httpx.codes.OK:
            in_clear = self.connection.base_url.startswith(
                "http:"
            )  # else no proxy can answer in Dust's place
            proxy = self.context.proxy if in_clear else ""
            raise refusals.refused(exchange, self.request, self.flavor, proxy)
        if isinstance(exchange.body, str):
            raise refusals.no_json(exchange, self.connection.base_url)
        return exchange

    def _refuse_error(self, exchange: Exchange) -> None:
        error = wire.stream_error(exchange)
        if error is not None:
            raise refusals.stream_error(*error, self.request)

    def _trouble(self, error: httpx.HTTPError, told: Callable[..., ServiceError]) -> ServiceError:
        """What to say of an error: that the time is up only where it is, for others set timeouts too."""
        if isinstance(error, httpx.TimeoutException) and self.context.seconds_left <= MOMENT:
            return self._timed_out()
        return told(self.connection.base_url, error, self.context.proxy)

    def _timed_out(self) -> ServiceError:
        return refusals.timed_out(self.timeout or 0, self.context.block)

    def _may_wait(self, exchange: Exchange) -> bool:
        """Wait as a rate limit asks; False where there is none."""
        if exchange.status != httpx.codes.TOO_MANY_REQUESTS or self.timeout is None:
            return False
        self.limits += 1
        pause = retry_after(exchange.headers.get("retry-after"), self.limits)
        if pause < self.context.seconds_left:
            self.context.on_rate_limit(pause)
        self._pause(pause, refusals.waits_too_long(exchange, self.request, pause, self.timeout))
        self.waited += pause
        return True

    def _pause(self, seconds: float, otherwise: ServiceError) -> None:
        """Wait, or raise `otherwise` where the run's time would be up before."""
        if self.timeout is None:
            return
        if seconds >= self.context.seconds_left:
            raise otherwise
        self.context.wait(seconds)
        if self.context.seconds_left <= 0:  # ended meanwhile
            raise otherwise


def _growing(attempt: int) -> float:
    """The pause after so many attempts, in seconds."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 1.6 ** (attempt - 1))


def retry_after(value: str | None, limits: int) -> float:
    """Seconds to wait by a Retry-After header (RFC 9110, 10.2.3) after so many answers of a rate limit.

    Without a header that can be read, 1, 2, 4, …; never less than 1/4, 1/2, 1, …, whatever it asks for.
    """
    doubled = float(2 ** min(limits - 1, 20))
    asked = _asked(value.strip()) if value else None
    least = min(LEAST_WAIT * doubled, MOST_LEAST)
    return min(doubled, MOST_LEAST) if asked is None else min(max(asked, least), LONGEST_WAIT)


def _asked(value: str) -> float | None:
    """The seconds that a Retry-After header names; None where it can be read neither so nor as a date."""
    if SECONDS.fullmatch(value):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return (aware - clock.now()).total_seconds()
