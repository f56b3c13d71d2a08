"""Work in threads of their own: begun in order, so many at once, each for so long, none waited for in vain.

Threads rather than asyncio, by measurement: sixteen runs at once take the same time and memory with both,
threads half of the processor, and the conversation with the service stays the one that replays.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent import futures
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from pytest_dust import clock

_T = TypeVar("_T")
_E = TypeVar("_E")

TICK = 0.1
"""Seconds after which who waits looks up: for events, and for work that takes too long."""


@dataclass(frozen=True, slots=True)
class Task(Generic[_T, _E]):
    """Something to do: `call` is given a function to tell of events; `stop` bids it end early.

    Where it takes longer than its seconds, what `timeout_error` then gives is raised in its place.
    """

    call: Callable[[Callable[[_E], None]], _T]
    seconds: float
    stop: Callable[[], None]
    timeout_error: Callable[[], Exception]


@dataclass(slots=True, eq=False)
class Job(Generic[_T, _E]):
    """Work that was handed in, and what comes of it."""

    task: Task[_T, _E]
    future: futures.Future[_T] = field(default_factory=futures.Future)
    events: SimpleQueue[_E] = field(default_factory=SimpleQueue)
    seconds: float = 0.0
    """How long the work took, once it has ended."""
    late: bool = False
    """Whether it was left behind when its time was up."""

    def new_events(self) -> list[_E]:
        """The events since this was last asked."""
        found: list[_E] = []
        try:
            while True:
                found.append(self.events.get_nowait())
        except Empty:
            return found


Watch = Callable[[Sequence[_E]], None]
"""Who is told, in the thread that waits, of the events since the last time: at each tick, even of none."""


class WorkerPool(Generic[_T, _E]):
    """Begins tasks in the order in which they were handed in, at most `at_once` of them together.

    Each has a daemon thread, which the end of the process does not wait for; one that is stuck is left
    behind when its time is up, and another begins in its place. What is done and not waited for yet costs
    memory, and money if nobody ever does: no more of it than `ahead`.
    """

    def __init__(self, at_once: int, ahead: int | None = None) -> None:
        self.at_once = at_once
        self.ahead = ahead
        """How many may be under way or done before somebody waits for them; None is no limit."""
        self._lock = threading.RLock()
        self._waiting: deque[Job[_T, _E]] = deque()
        self._due: dict[Job[_T, _E], float] = {}
        """When the time of each work under way is up, by our own clock."""
        self._awaited: set[Job[_T, _E]] = set()
        self._untaken: set[Job[_T, _E]] = set()
        self._paused_until = 0.0
        self.ended = 0
        """How many tasks have ended, well or badly."""
        self.wasted = 0
        """How many tasks gave what nobody waited for before they were given up."""
        self.abandoned = 0
        """How many tasks were given up or left behind under way, and nobody had waited for them."""

    @property
    def running(self) -> int:
        """How many tasks have begun and not ended."""
        return len(self._due)

    @property
    def waiting(self) -> int:
        """How many tasks have not begun."""
        return len(self._waiting)

    def submit(self, tasks: Iterable[Task[_T, _E]], *, urgent: bool = False) -> list[Job[_T, _E]]:
        """Hand in tasks; they begin behind those that wait, or before them where they are urgent."""
        jobs = [Job(task) for task in tasks]
        with self._lock:
            if urgent:
                self._waiting.extendleft(reversed(jobs))
            else:
                self._waiting.extend(jobs)
        self._begin()
        return jobs

    def wait(self, jobs: Sequence[Job[_T, _E]], watch: Watch[_E] | None = None) -> list[_T]:
        """What the tasks return, once all have ended; raises what the first to fail raised, at once.

        Where several have failed before, it is the first of them in order. None is under way afterwards, and
        after a KeyboardInterrupt none at all. Raises CancelledError where another gives them up.
        """
        pending = {job.future for job in jobs}
        with self._lock:
            self._awaited.update(jobs)
            self._untaken.difference_update(jobs)
        self._begin()
        try:
            while pending:
                done, pending = futures.wait(pending, TICK, futures.FIRST_EXCEPTION)
                self._leave_late()
                self._begin()  # the timer of a hold may have come a moment too early
                if watch is not None:
                    watch([event for job in jobs for event in job.new_events()])
                for job in jobs:
                    if job.future in done:
                        job.future.result()
        except KeyboardInterrupt:
            self.close()  # else another would begin in the place of what is given up
            raise
        finally:
            self.cancel(jobs)
            self._awaited.difference_update(jobs)
        return [job.future.result() for job in jobs]

    def pause(self, seconds: float) -> None:
        """Begin nothing for so long; what is under way goes on."""
        with self._lock:
            until = clock.seconds() + seconds
            if until <= self._paused_until:
                return
            self._paused_until = until
        timer = threading.Timer(seconds, self._begin)
        timer.daemon = True
        timer.start()

    def cancel(self, jobs: Iterable[Job[_T, _E]]) -> None:
        """Begin these no more, and bid those under way end."""
        with self._lock:
            for job in jobs:
                if job.future.done():
                    self._drop(job)
                    continue
                if self._due.pop(job, None) is not None:
                    self.abandoned += job not in self._awaited
                    job.task.stop()
                elif job in self._waiting:  # near its head: cases are given up in their order
                    self._waiting.remove(job)
                job.future.set_exception(futures.CancelledError())  # who waits elsewhere is told
        self._begin()

    def _drop(self, job: Job[_T, _E]) -> None:
        """Count what ended and nobody has waited for."""
        if job in self._untaken:
            self._untaken.remove(job)
            self.wasted += job.future.exception() is None
            self.abandoned += job.late

    def close(self) -> None:
        """Begin nothing more, bid all end, and keep nothing that nobody has waited for."""
        with self._lock:
            self.cancel([*self._waiting, *self._due, *self._untaken])

    def _begin(self) -> None:
        """Begin as many tasks as may be under way."""
        with self._lock:
            while self._may_begin():
                job = self._waiting.popleft()
                self._due[job] = clock.seconds() + job.task.seconds
                thread = threading.Thread(target=self._do, args=(job,), name="pytest-dust run", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # no more threads on this machine
                    del self._due[job]
                    job.future.set_exception(error)

    def _may_begin(self) -> bool:
        if not self._waiting or len(self._due) >= self.at_once or clock.seconds() < self._paused_until:
            return False
        early = len(self._due.keys() - self._awaited) + len(self._untaken)
        return self.ahead is None or early < self.ahead or self._waiting[0] in self._awaited

    def _do(self, job: Job[_T, _E]) -> None:
        try:
            value = job.task.call(job.events.put)
        except BaseException as error:  # noqa: BLE001  # raised again in the thread that waits
            self._end(job, partial(job.future.set_exception, error))
        else:
            self._end(job, partial(job.future.set_result, value))

    def _end(self, job: Job[_T, _E], tell: Callable[[], None]) -> None:
        """Note how a work ended, unless it was given up or left behind before."""
        with self._lock:
            due = self._due.pop(job, None)
            if due is not None:
                job.seconds = clock.seconds() - due + job.task.seconds
                self.ended += 1
                if job not in self._awaited:
                    self._untaken.add(job)
                tell()
        self._begin()

    def _leave_late(self) -> None:
        now = clock.seconds()
        with self._lock:
            for job in [each for each, due in self._due.items() if due <= now]:
                job.task.stop()
                job.late = True
                self._end(job, partial(job.future.set_exception, job.task.timeout_error()))
