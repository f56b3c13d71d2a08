"""Work in threads of their own, so many at once, each for so long, and not one of them waited for in vain."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

_T = TypeVar("_T")
_E = TypeVar("_E")


@dataclass(frozen=True, slots=True)
class Work(Generic[_T, _E]):
    """Something to do: `call` is given a function to tell of events; `stop` bids it end early."""

    call: Callable[[Callable[[_E], None]], _T]
    seconds: float
    stop: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Watched(Generic[_T, _E]):
    """What the caller's own thread does meanwhile: before each start, at each result, at each event."""

    start: Callable[[], None] = field(default=lambda: None)
    result: Callable[[int, _T], None] = field(default=lambda _at, _value: None)
    event: Callable[[_E], None] | None = None


class Overdue(Exception):
    """Work took longer than it may."""


def together(works: Sequence[Work[_T, _E]], at_once: int, watched: Watched[_T, _E] | None = None) -> list[_T]:
    """What each work returns, in their order; raises what the first to fail raises, or Overdue.

    At most `at_once` are under way, each in a daemon thread, which the end of the process does not wait
    for. Events come back to the caller's thread.
    """
    watched = watched or Watched()
    messages: queue.SimpleQueue[tuple[int, _E | _Done[_T]]] = queue.SimpleQueue()
    waiting = deque(enumerate(works))
    due: dict[int, float] = {}
    values: dict[int, _T] = {}
    try:
        while waiting or due:
            while waiting and len(due) < at_once:
                watched.start()
                at, work = waiting.popleft()
                due[at] = time.monotonic() + work.seconds
                _start(at, work, messages)
            left = min(due.values()) - time.monotonic()
            at, message = messages.get(timeout=max(0.0, left))
            if isinstance(message, _Done):
                values[at] = message.result()
                watched.result(at, values[at])
                del due[at]
            elif left <= 0:  # events that never cease would put it off for ever
                raise Overdue
            elif watched.event is not None:
                watched.event(message)
    except queue.Empty:
        raise Overdue from None
    finally:
        for work in works:
            work.stop()
    return [values[at] for at in range(len(works))]


def _start(at: int, work: Work[_T, _E], messages: queue.SimpleQueue[tuple[int, _E | _Done[_T]]]) -> None:
    def attempt() -> None:
        messages.put((at, _Done(lambda: work.call(lambda event: messages.put((at, event))))))

    threading.Thread(target=attempt, name="pytest-dust run", daemon=True).start()


class _Done(Generic[_T]):
    """How work in another thread ended."""

    def __init__(self, work: Callable[[], _T]) -> None:
        self._values: list[_T] = []
        self._error: BaseException | None = None
        try:
            self._values.append(work())
        except BaseException as error:  # noqa: BLE001  # raised again in the thread that asks
            self._error = error

    def result(self) -> _T:
        if self._error is not None:
            raise self._error
        return self._values[0]
