"""Judge runs with a time limit, whatever a matcher does."""

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
    """The failed expectations of a run; if the time runs out, the one being judged is the last of them.

    A thread judges if there is a `watch` to call meanwhile, or if a matcher might not end by itself.
    """
    judging = Judging(expect, view)
    try:
        if watch is None and judging.bounded:
            return in_seconds(seconds, judging.run)
        return in_thread(seconds, judging.run, watch)
    except TimeIsUp:
        return judging.overdue(seconds)


def in_seconds(seconds: float, call: Callable[[], _T]) -> _T:
    """The result of a function that checks its deadline itself; raises TimeIsUp."""
    with deadline.within(seconds):
        return call()


def in_thread(seconds: float, call: Callable[[], _T], watch: Watch[None] | None = None) -> _T:
    """The result of a function that runs in its own thread; raises TimeIsUp when the time is up.

    A function that does not end is left running: Python cannot stop a thread. It ends with the process.
    """
    launcher: WorkerPool[_T, None] = WorkerPool(1)
    judge = partial(copy_context().run, in_seconds, seconds, call)
    work: Task[_T, None] = Task(lambda _tell: judge(), seconds, lambda: None, TimeIsUp)
    return launcher.wait(launcher.submit([work]), watch)[0]
