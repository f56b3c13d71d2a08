"""By when a value must be judged: set by who waits for the judging, asked by matchers that may take long."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from pytest_dust import clock

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEADLINE = ContextVar("deadline", default=float("inf"))


class TimeIsUp(Exception):
    """Judging took longer than it may."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give what is judged inside so many seconds from now."""
    token = _DEADLINE.set(clock.seconds() + seconds)
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def seconds_left() -> float:
    """The seconds until the deadline, infinite where there is none; raises TimeIsUp where it has passed."""
    left = _DEADLINE.get() - clock.seconds()
    if left <= 0:
        raise TimeIsUp
    return left
