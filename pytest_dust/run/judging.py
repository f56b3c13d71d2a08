"""Judge runs in bounded time: whatever a matcher does, the case goes on when its time is up."""

from __future__ import annotations

from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_dust import deadline
from pytest_dust.checks.expectation import Judging
from pytest_dust.deadline import TimeIsUp
from pytest_dust.worker_pool import Task, Watch, WorkerPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_dust.model import Expectation, Failure

_T = TypeVar("_T")


def failures(
    expect: Iterable[Expectation], view: dict[str, Any], seconds: float, watch: Watch[None] | None = None
) -> tuple[Failure, ...]:
    """The expectations that a run's view does not meet; the one at which the time is up is the last of them.

    With a `watch`, which is called now and then, or where nobody knows how long it takes, a thread judges.
    """
    judging = Judging(expect, view)
    try:
        if watch is None and judging.bounded:
            return in_seconds(seconds, judging.run)
        return in_thread(seconds, judging.run, watch)
    except TimeIsUp:
        return judging.overdue(seconds)


def in_seconds(seconds: float, call: Callable[[], _T]) -> _T:
    """What a function returns that asks for its deadline; raises TimeIsUp."""
    with deadline.within(seconds):
        return call()


def in_thread(seconds: float, call: Callable[[], _T], watch: Watch[None] | None = None) -> _T:
    """What a function returns in a thread of its own; raises TimeIsUp when the time is up.

    A function that goes on is left alone: nobody can end a thread, and this one ends with the process.
    """
    launcher: WorkerPool[_T, None] = WorkerPool(1)
    judge = partial(copy_context().run, in_seconds, seconds, call)
    work: Task[_T, None] = Task(lambda _tell: judge(), seconds, lambda: None, TimeIsUp)
    return launcher.wait(launcher.submit([work]), watch)[0]
