"""The deadline for judging a run: the caller sets it, and slow matchers check it."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from pytest_dust import clock

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEADLINE = ContextVar("deadline", default=float("inf"))


class TimeIsUp(Exception):
    """The deadline has passed."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Set the deadline for the code inside to so many seconds from now."""
    token = _DEADLINE.set(clock.seconds() + seconds)
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def seconds_left() -> float:
    """Return the seconds until the deadline, infinite without one; raises TimeIsUp if it has passed."""
    left = _DEADLINE.get() - clock.seconds()
    if left <= 0:
        raise TimeIsUp
    return left
