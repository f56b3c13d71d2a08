"""The requests of one run: create it, wait for rate limits, and poll until it has ended.

A POST is sent again only if it cannot have started a run, which costs money; a GET may be sent again.
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
"""Seconds between two polls of a run, or two attempts of a request: the first, and the maximum."""
CONNECTS = 3
"""Maximum number of attempts to connect; nothing is sent before one succeeds."""
ASKS = 5
"""Maximum number of attempts of one GET."""
LONGEST_WAIT = 1e9
"""Maximum number of seconds that are read in a Retry-After header."""
LEAST_WAIT, MOST_LEAST = 0.25, 30.0
"""Minimum number of seconds to wait after the first 429; it doubles with each, up to the second number."""
SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")
MOST_SECONDS = 1e6
"""Maximum timeout of one request in seconds; sockets accept no more than some days."""
MOMENT = 0.05
"""Seconds by which a socket's timeout may be too early."""


@dataclass(slots=True)
class Conversation:
    """The requests of one run; `timeout` is None in replay, which never waits."""

    connection: transport.Connection
    request: RunRequest
    flavor: Flavor
    context: transport.RequestContext
    timeout: float | None
    waited: float = field(default=0.0)
    """Seconds spent in waiting for rate limits."""
    limits: int = field(default=0)
    """Number of requests that a rate limit has refused."""

    def run(self) -> tuple[Exchange, ...]:
        """Make the run and return its exchanges; raises ServiceError if there is no run that has ended."""
        created = self._create()
        if created.events is not None:
            self._refuse_error(created)
        # In a recording, a poll of the run may follow such an answer.
        if self.timeout is not None and (crash := wire.crash(created, self.flavor)):
            raise refusals.crashed(crash)
        run_id = wire.pending(created, self.request.specification_hash)
        if run_id is not None:
            return created, self._poll(run_id)
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
                failure = refusals.unreachable(self.connection.base_url, error, self.context.proxy)
                if failures == CONNECTS:
                    raise failure from None
                self._pause(_growing(failures), failure)
            except httpx.HTTPError as error:
                raise self._failure(error, refusals.unreachable) from None
            else:
                if not self._may_wait(exchange):
                    return self._accepted(exchange)

    def _poll(self, run_id: str) -> Exchange:
        """Poll the run, and return the exchange that has its end."""
        path = wire.run_path(self.request, run_id)
        for attempt in count(1):
            exchange = self.get(path)
            if wire.pending(exchange, self.request.specification_hash) is None:
                return exchange
            self.context.block = wire.current_block(exchange)
            self._pause(_growing(attempt), self._timed_out())
        raise AssertionError  # pragma: no cover  # count() does not end

    def get(self, path: str) -> Exchange:
        """Return the answer to a GET, sent again after failures that may pass; raises ServiceError."""
        return self._accepted(self._get(path))

    def post(self, path: str, body: Mapping[str, Json]) -> Exchange:
        """Return the answer to a POST that starts no run; raises ServiceError."""
        try:
            return self._accepted(self._send("POST", path, body))
        except httpx.HTTPError as error:
            raise self._failure(error, refusals.unanswered) from None

    def _get(self, path: str) -> Exchange:
        failures = 0
        while True:
            try:
                exchange = self._send("GET", path)
            except httpx.HTTPError as error:
                failures += 1
                failure = self._failure(error, refusals.unanswered)
                if failures == ASKS or self.context.seconds_left <= 0:
                    raise failure from None
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
        """Return the exchange if its answer may hold a run; raises ServiceError otherwise."""
        if exchange.status == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
            raise refusals.proxy_refused(self.context.proxy, "407 Proxy Authentication Required")
        if exchange.status != httpx.codes.OK:
            # With TLS, a proxy cannot answer in place of the service.
            in_clear = self.connection.base_url.startswith("http:")
            proxy = self.context.proxy if in_clear else ""
            raise refusals.refused(exchange, self.request, self.flavor, proxy)
        if isinstance(exchange.body, str):
            raise refusals.no_json(exchange, self.connection.base_url)
        return exchange

    def _refuse_error(self, exchange: Exchange) -> None:
        error = wire.stream_error(exchange)
        if error is not None:
            raise refusals.stream_error(*error, self.request)

    def _failure(self, error: httpx.HTTPError, refusal: Callable[..., ServiceError]) -> ServiceError:
        """Return the error to raise: a timeout of the run only if the run has timed out, else `refusal`'s."""
        if isinstance(error, httpx.TimeoutException) and self.context.seconds_left <= MOMENT:
            return self._timed_out()
        return refusal(self.connection.base_url, error, self.context.proxy)

    def _timed_out(self) -> ServiceError:
        return refusals.timed_out(self.timeout or 0, self.context.block)

    def _may_wait(self, exchange: Exchange) -> bool:
        """Wait as long as a rate limit asks, and return True; return False if there is no rate limit."""
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
        """Wait; raises `otherwise` if the run times out or is ended before."""
        if self.timeout is None:
            return
        if seconds >= self.context.seconds_left:
            raise otherwise
        self.context.wait(seconds)
        if self.context.seconds_left <= 0:  # ended meanwhile
            raise otherwise


def _growing(attempt: int) -> float:
    """Return the seconds to wait after so many attempts."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 1.6 ** (attempt - 1))


def retry_after(value: str | None, limits: int) -> float:
    """Return the seconds to wait by a Retry-After header (RFC 9110, 10.2.3) after so many 429 answers.

    Without a readable header they are 1, 2, 4, …; with one, at least 1/4, 1/2, 1, ….
    """
    doubled = float(2 ** min(limits - 1, 20))
    asked = _asked(value.strip()) if value else None
    least = min(LEAST_WAIT * doubled, MOST_LEAST)
    return min(doubled, MOST_LEAST) if asked is None else min(max(asked, least), LONGEST_WAIT)


def _asked(value: str) -> float | None:
    """Return the seconds until the time in a Retry-After header: a number, or a date; None for any other."""
    if SECONDS.fullmatch(value):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return (aware - clock.now()).total_seconds()
