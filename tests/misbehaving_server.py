"""The local Dust for tests: it records requests, fails when asked to, and has Dust's rarer states."""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

from faults import Delivery, Fault, Faults, FaultyReply

from example_suites.dust_server import Block, DustServer, Env, Handler, Reply, Request, Run, last_executions

Json = dict[str, Any]
Method = Literal["POST", "GET", "ANY"]


class MisbehavingHandler(Handler):
    """Sends replies as their `Delivery` says."""

    delivery = Delivery()

    def send(self, reply: Reply) -> None:
        """Send a reply, unless the connection breaks before it."""
        self.delivery = reply.delivery if isinstance(reply, FaultyReply) else Delivery()
        self.close_connection |= self.delivery.ending != "keep"
        if not self.delivery.silent:
            super().send(reply)

    def send_head(self, reply: Reply, length: int) -> None:
        """Send the head, slowly if the delivery says so, and pause after it."""
        with self._byte_by_byte(self.delivery.head_delay):
            super().send_head(reply, length)
        self._pause(self.delivery.stall)

    def send_body(self, body: bytes) -> None:
        """Send a body, slowly if the delivery says so."""
        with self._byte_by_byte(self.delivery.body_delay):
            super().send_body(body)

    def send_stream(self, chunks: Iterable[bytes]) -> None:
        """Send a stream, slowly if the delivery says so."""
        with self._byte_by_byte(self.delivery.body_delay):
            super().send_stream(chunks)

    def end_stream(self) -> None:
        """End a stream, later or not at all if the delivery says so."""
        self._pause(self.delivery.hold)
        if self.delivery.ending == "keep":
            super().end_stream()

    def finish(self) -> None:
        """Close the connection; a reset must come before the orderly end that the server would send."""
        super().finish()
        if self.delivery.ending == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def _pause(self, seconds: float) -> None:
        if seconds:
            self.wfile.flush()
            self.server.closing.wait(seconds)

    @contextmanager
    def _byte_by_byte(self, seconds: float) -> Iterator[None]:
        file = self.wfile
        if seconds:
            slow: Any = _SlowFile(file, lambda: self.server.closing.wait(seconds))
            self.wfile = slow
        try:
            yield
        finally:
            self.wfile = file


class _SlowFile:
    """A file that sends its bytes one by one, with a pause after each."""

    def __init__(self, file: Any, pause: Callable[[], object]) -> None:
        self._file, self._pause = file, pause
        self.flush = file.flush

    def write(self, data: bytes) -> None:
        for byte in data:
            self._file.write(bytes([byte]))
            self._file.flush()
            self._pause()


@dataclass
class _Planned:
    """A fault in the queue, and the number of requests that it is still for; None for any number."""

    fault: Fault
    times: int | None
    on: Method

    def use(self) -> bool:
        """Count one request; return True if it was the last."""
        self.times = None if self.times is None else self.times - 1
        return self.times is not None and self.times <= 0


class MisbehavingServer(DustServer):
    """A local Dust with faults, limits and rarer states; `behave` ends them all."""

    handler = MisbehavingHandler

    stores_logs: bool
    """False: polled runs have traces without values, as in a workspace that stores no logs."""
    published_shape: bool
    """True: runs in JSON have the shape of the published description of the API."""
    poll_steps: int
    """How many times a run is still `running` when it is fetched."""

    def __init__(self, port: int = 0, **options: Any) -> None:
        """Take the options of DustServer."""
        self.requests: list[Request] = []
        self._lock = threading.Lock()
        self.behave()
        super().__init__(port, **options)
        for key, blocks in self.versions.items():
            self.versions[key] = tuple(map(self._with_moving_scores, blocks))

    def behave(self) -> None:
        """Forget all faults, limits and rarer states."""
        with self._lock:
            self._faults: list[_Planned] = []
            self._runs_left: int | None = None
            self._retry_after: str | None = None
        self._unregistered: set[tuple[str, str]] = set()
        self._score_noise: Callable[[], float] = lambda: 0.0
        self._fetched: dict[str, int] = {}
        self.stores_logs, self.published_shape, self.poll_steps = True, False, 0

    # faults

    def misbehave(self, fault: Fault, *, times: int | None = 1, on: Method = "POST") -> None:
        """Queue a fault for the next requests of a method; with `times=None` until `behave` is called."""
        with self._lock:
            self._faults.append(_Planned(fault, times, on))

    def rate_limit(self, runs: int, retry_after: str | None = None) -> None:
        """Refuse each run after the next `runs` with status 429, until `behave` is called."""
        with self._lock:
            self._runs_left, self._retry_after = runs, retry_after

    def respond(self, request: Request) -> Reply:
        """Record the request; reply with the next fault for it, or as Dust does."""
        self.requests.append(request)
        fault = self._next_fault(request.method)
        return self.answer(request) if fault is None else fault.reply(request, self.answer)

    def _next_fault(self, method: str) -> Fault | None:
        with self._lock:
            planned = next((one for one in self._faults if one.on in (method, "ANY")), None)
            if planned is not None:
                if planned.use():
                    self._faults.remove(planned)
                return planned.fault
            return self._rate_limit_fault() if method == "POST" and self._runs_left is not None else None

    def _rate_limit_fault(self) -> Fault | None:
        if self._runs_left:
            self._runs_left -= 1
            return None
        headers = {} if self._retry_after is None else {"Retry-After": self._retry_after}
        return Faults.status(429, headers=headers)

    # rarer states of the app editor

    def unregister(self, app_id: str, version: str) -> None:
        """Forget this version: its specification hash is unknown from now on."""
        self._unregistered.add((app_id, version))

    def register(self, app_id: str, version: str) -> None:
        """Make this version `latest`, and known again."""
        self._unregistered.discard((app_id, version))
        super().register(app_id, version)

    def registered_version(self, app_id: str, digest: str) -> str | None:
        """Return the version with this specification hash, or None if there is none or it was forgotten."""
        version = super().registered_version(app_id, digest)
        return None if version is None or (app_id, version) in self._unregistered else version

    def delete_saved_run(self, app_id: str) -> None:
        """Delete the saved run, as happens after 30 days; the app still names its id."""
        run = self._saved_runs[app_id]
        del self.stored_runs[run]
        self._editor_runs = {version: made for version, made in self._editor_runs.items() if made != run}

    # rarer states of runs

    def move_scores(self, most: float, seed: int = 0) -> None:
        """Add a random number, at most `most` in size, to each score that a data source returns."""
        source = random.Random(seed)
        self._score_noise = lambda: source.uniform(-most, most)

    def _with_moving_scores(self, block: Block) -> Block:
        if block.type != "data_source":
            return block

        def function(env: Env, spec: Json) -> list[Json]:
            documents: list[Json] = block.function(env, spec)
            for chunk in (chunk for document in documents for chunk in document["chunks"]):
                chunk["score"] = round(chunk["score"] + self._score_noise(), 6)
            return documents

        return replace(block, function=function)

    def polled(self, run: Run) -> Json:
        """Return a run as a client that polls gets it, in the state that the test wants."""
        document = self._document(run)
        return document if self.stores_logs else without_values(document)

    def _document(self, run: Run) -> Json:
        if run.id in self._editor_runs.values():  # it ended long ago
            return super().polled(run)
        with self._lock:
            times = self._fetched[run.id] = self._fetched.get(run.id, 0) + 1
        if times > self.poll_steps:
            return super().polled(run)
        return run.document_after(len(run.steps) * times // (self.poll_steps + 1))

    def run_reply(self, document: Json) -> Reply:
        """Return the reply with a run, in the shape that the test wants."""
        return super().run_reply(published(document) if self.published_shape else document)


def without_values(document: Json) -> Json:
    """Return a run as a workspace that stores no logs has it: without values, but with errors and meta."""
    traces = [
        [block, [[{**execution, "value": None} for execution in row] for row in executions]]
        for block, executions in document["traces"]
    ]
    return {**document, "traces": traces, "results": last_executions(document["status"]["run"], traces)}


def published(document: Json) -> Json:
    """Return a run in the shape of the published description of the API."""
    traces = [
        [{"timestamp": document["created"], "trace": {"type": kind, "name": name, "executions": executions}}]
        for (kind, name), executions in document["traces"]
    ]
    same = {name: document[name] for name in ("run_id", "app_id", "specification_hash")}
    status = {"run": document["status"]["run"], "build": "succeeded"}
    return {**same, "status": status, "results": {}, "traces": traces}
