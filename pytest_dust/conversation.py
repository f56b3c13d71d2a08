"""One run's talk with the service: create it by its flavour, wait where told, ask until it has ended.

A POST is repeated only when it surely started nothing, for a run costs money; a GET may be repeated.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count

import httpx

from pytest_dust import api, refusals, transport
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


@dataclass(slots=True)
class Conversation:
    """A run under way; `timeout` is None in replay, which never waits."""

    line: transport.Line
    request: RunRequest
    flavor: Flavor
    tape: transport.Tape
    timeout: float | None
    waited: float = field(default=0.0)

    def hold(self) -> tuple[Exchange, ...]:
        """The exchanges that tell of the ended run; raises ServiceError where there is none."""
        created = self._create()
        if created.events is not None:
            self._refuse_error(created)
        crash = api.crash(created, self.flavor)
        if crash is not None:
            raise refusals.crashed(crash)
        run_id = api.pending(created, self.request.specification_hash)
        if run_id is not None:
            return created, self._ask(run_id)
        if created.events is not None and not api.streamed_end(created):
            raise refusals.nameless_stream()
        return (created,)

    def _create(self) -> Exchange:
        body = api.body(self.request, self.flavor)
        for attempt in count(1):
            try:
                exchange = self._send("POST", api.runs_path(self.request), body)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if attempt == CONNECTS:
                    raise refusals.unreachable(self.line.base_url, error) from None
                self._pause(_growing(attempt), refusals.unreachable(self.line.base_url, error))
                continue
            except httpx.HTTPError as error:
                raise self._broken(error) from None
            if not self._may_wait(exchange, attempt):
                return self._accepted(exchange)
        raise AssertionError  # pragma: no cover  # count() does not end

    def _ask(self, run_id: str) -> Exchange:
        """The run's state once it has ended."""
        path = api.run_path(self.request, run_id)
        for attempt in count(1):
            exchange = self.get(path)
            if api.pending(exchange, self.request.specification_hash) is None:
                return exchange
            self._pause(_growing(attempt), refusals.timed_out(self.timeout or 0, api.standing(exchange)))
        raise AssertionError  # pragma: no cover  # count() does not end

    def get(self, path: str) -> Exchange:
        """What stands at an address, asked for again on passing trouble; raises ServiceError."""
        return self._accepted(self._get(path))

    def post(self, path: str, body: Mapping[str, Json]) -> Exchange:
        """The answer to a question that starts no run; raises ServiceError."""
        try:
            return self._accepted(self._send("POST", path, body))
        except httpx.HTTPError as error:
            raise self._broken(error) from None

    def _get(self, path: str) -> Exchange:
        for attempt in count(1):
            last = attempt == ASKS
            try:
                exchange = self._send("GET", path)
            except httpx.TimeoutException as error:
                raise self._broken(error) from None
            except httpx.HTTPError as error:
                if last:
                    raise refusals.unanswered(self.line.base_url, error) from None
            else:
                if self._may_wait(exchange, attempt):
                    continue
                if last or not httpx.codes.is_server_error(exchange.status):
                    return exchange
            self._pause(_growing(attempt), refusals.timed_out(self.timeout or 0))
        raise AssertionError  # pragma: no cover  # count() does not end

    def _send(self, method: str, path: str, body: Mapping[str, Json] | None = None) -> Exchange:
        seconds = None if self.timeout is None else max(0.001, self._left())
        return self.line.send(method, path, body, seconds, self.tape)

    def _accepted(self, exchange: Exchange) -> Exchange:
        """The exchange, if it may hold a run."""
        if exchange.status != httpx.codes.OK:
            raise refusals.refused(exchange, self.request, self.flavor)
        if isinstance(exchange.body, str):
            raise refusals.no_json(exchange, self.line.base_url)
        return exchange

    def _refuse_error(self, exchange: Exchange) -> None:
        error = api.stream_error(exchange)
        if error is not None:
            raise refusals.stream_error(*error, self.request)

    def _broken(self, error: httpx.HTTPError) -> ServiceError:
        if isinstance(error, httpx.TimeoutException):
            return refusals.timed_out(self.timeout or 0)
        return refusals.unreachable(self.line.base_url, error)

    def _may_wait(self, exchange: Exchange, attempt: int) -> bool:
        """Wait as a rate limit asks; False where there is none."""
        if exchange.status != httpx.codes.TOO_MANY_REQUESTS or self.timeout is None:
            return False
        pause = _retry_after(exchange.headers.get("retry-after"), attempt)
        if pause < self._left():
            self.tape.limited(pause)
        self._pause(pause, refusals.waits_too_long(exchange, self.request, pause, self.timeout))
        self.waited += pause
        return True

    def _pause(self, seconds: float, otherwise: ServiceError) -> None:
        """Sleep, or raise `otherwise` where the run's time would be up before."""
        if self.timeout is None:
            return
        if seconds >= self._left():
            raise otherwise
        time.sleep(seconds)
        if self._left() <= 0:  # given up while we slept
            raise otherwise

    def _left(self) -> float:
        return self.tape.deadline - time.monotonic()


def _growing(attempt: int) -> float:
    """The pause after so many attempts, in seconds."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 1.6 ** (attempt - 1))


def _retry_after(value: str | None, attempt: int) -> float:
    """Seconds to wait by a Retry-After header (RFC 9110, 10.2.3: seconds or a date); else growing ones."""
    if value is None:
        return float(2 ** (attempt - 1))
    if value.strip().isdecimal():
        return min(float(value), LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return float(2 ** (attempt - 1))
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
