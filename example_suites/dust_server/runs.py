"""A run in progress, and its stream of Server-Sent Events."""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from example_suites.dust_server.blocks import Block, Json
from example_suites.dust_server.engine import (
    Ended,
    EngineCrashError,
    Machine,
    ModelText,
    Started,
    Step,
)
from example_suites.dust_server.values import now
from example_suites.dust_server.wire import Form, block_status, block_statuses, last_executions, merged

KEEP_ALIVE_SECONDS = 0.5


class Run:
    """A run; one thread performs it, any other may read how far it is."""

    def __init__(self, app_id: str, specification_hash: str, config: Json) -> None:
        """Describe a run that has not started."""
        self.id = secrets.token_hex(32)
        self.created = now()
        self.app_id, self.hash, self.config = app_id, specification_hash, config
        self.steps: list[Step] = []
        self.done = self.crashed = False
        self._changed = threading.Condition()

    def perform(self, machine: Machine, pause: Callable[[], object]) -> None:
        """Execute the machine's steps; call `pause` within each block."""
        try:
            for step in machine.steps():
                self._add(step)
                if isinstance(step, Started):
                    pause()
        except EngineCrashError:
            self.crashed = True
        finally:
            with self._changed:
                self.done = True
                self._changed.notify_all()

    def _add(self, step: Step) -> None:
        with self._changed:
            self.steps.append(step)
            self._changed.notify_all()

    def follow(self, timeout: float | None = None) -> Iterator[Step | None]:
        """Yield each step as it is made, and None each time `timeout` seconds pass without one."""
        count = 0
        while True:
            in_time, steps = self._steps_after(count, timeout)
            if in_time and not steps:
                return
            count += len(steps)
            yield from steps
            if not in_time:
                yield None

    def _steps_after(self, count: int, timeout: float | None) -> tuple[bool, list[Step]]:
        with self._changed:
            in_time = self._changed.wait_for(lambda: len(self.steps) > count or self.done, timeout)
            return in_time, self.steps[count:]

    def status(self) -> str:
        """Return running, succeeded or errored; a run that crashed stays running for ever."""
        if self.crashed or not self.done:
            return "running"
        last = self.steps[-1]
        return "succeeded" if isinstance(last, Ended) and not last.count(errors=True) else "errored"

    def document(self, form: Form) -> Json:
        """Return the run as JSON, its traces in the given form."""
        status = self.status()  # before the steps: a run that has ended has them all
        return self._document(status, list(self.steps), form)

    def document_after(self, count: int) -> Json:
        """Return the run as JSON as it was after its first `count` steps: running, its traces merged."""
        return self._document("running", self.steps[:count], merged)

    def _document(self, status: str, steps: list[Step], form: Form) -> Json:
        traces = form(steps)
        return {
            "run_id": self.id,
            "created": self.created,
            "run_type": "deploy",
            "app_id": self.app_id,
            "config": {"blocks": self.config},
            "specification_hash": self.hash,
            "status": {"run": status, "blocks": block_statuses(steps)},
            "traces": traces,
            "results": last_executions(status, traces),
        }


# ---- The stream of a run ----


def event(kind: str, content: Any) -> Json:
    """Return one event of a stream."""
    return {"type": kind, "content": content}


def run_events(run: Run) -> Iterator[Json | None]:
    """Yield the events of a run as it goes on, and None when a keep-alive is due."""
    yield event("run_status", {"status": "running", "run_id": run.id})
    for step in run.follow(KEEP_ALIVE_SECONDS):
        yield from [None] if step is None else _step_events(step)
    if not run.crashed:
        yield event("run_status", {"status": run.status(), "run_id": run.id})
    yield event("final", None)


def _step_events(step: Step) -> Iterator[Json]:
    if isinstance(step, Ended):
        for text in step.texts:
            yield from _text_events(step.block, text)
        content = {
            "block_type": step.block.type,
            "block_name": step.block.name,
            "execution": step.executions,
        }
        yield event("block_execution", content)
    yield event("block_status", block_status(step))


def _text_events(block: Block, text: ModelText) -> Iterator[Json]:
    """Yield the tokens that a model returned, and the functions that it called."""
    place = {
        "block_type": block.type,
        "block_name": block.name,
        "input_index": text.env.index,
        "map": text.env.map,
    }
    for token in re.findall(r"\s*\S+", text.text):
        yield event("tokens", {**place, "tokens": {"text": token}})
    for name in text.functions:
        yield event("function_call", {**place, "function_call": {"name": name}})


def event_frame(one: Json) -> bytes:
    """Return an event as the bytes of a stream."""
    return f"data: {json.dumps(one)}\n\n".encode()


def sse(events: Iterable[Json | None]) -> Iterator[bytes]:
    """Yield the bytes of a stream; each event is split into two chunks, as a network may split it."""
    yield b": keep-alive\n\n"
    for one in events:
        if one is None:
            yield b": keep-alive\n\n"
        else:
            data = event_frame(one)
            half = len(data) // 2
            yield data[:half]
            yield data[half:]
