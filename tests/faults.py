"""Faults of a service, a gateway or a network: each makes a bad reply of a request or of Dust's own reply."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from example_suites.dust_server import Reply, Request, event, event_frame

Json = dict[str, Any]
Executions = list[list[Json]]
Answer = Callable[[Request], Reply]
Frames = Iterator[bytes]
"""The parts of a stream that end in an empty line: an event or a comment each."""

GATEWAY_PAGE = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"
USUAL_ERRORS = {  # status: type and message, as Dust words them
    400: ("invalid_request_error", "The request is invalid."),
    401: ("invalid_api_key_error", "The API key provided is invalid."),
    403: ("workspace_auth_error", "The key has no access to this workspace."),
    404: ("app_not_found", "The app you're trying to run was not found"),
    405: ("method_not_supported_error", "The method passed is not supported."),
    413: ("content_too_large", "Body exceeded 4mb limit"),
    429: ("rate_limit_error", "You have reached the maximum number of runs in 24 hours."),
    500: ("internal_server_error", "An unexpected error occurred."),
}
NOT_EXECUTED: Json = {"value": None, "error": None, "meta": None}


@dataclass(frozen=True)
class Delivery:
    """How a reply is sent; the defaults are those of a healthy server."""

    head_delay: float = 0.0  # seconds after each byte of the head
    stall: float = 0.0  # seconds between head and body
    body_delay: float = 0.0  # seconds after each byte of the body
    hold: float = 0.0  # seconds between the last chunk of a stream and its end
    silent: bool = False  # send nothing at all
    ending: Literal["keep", "close", "reset"] = "keep"  # of the connection


@dataclass(frozen=True)
class FaultyReply(Reply):
    """A reply that is sent badly; `MisbehavingServer` sends it."""

    delivery: Delivery = Delivery()


@dataclass(frozen=True)
class Fault:
    """A way to misbehave; `reply` returns the bad reply from the request and the function with Dust's own."""

    name: str
    reply: Callable[[Request, Answer], Reply] = field(repr=False)


class Faults:
    """All faults; those of streams leave any other reply as it is."""

    # another reply

    @staticmethod
    def status(
        code: int,
        body: Any = None,
        *,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Fault:
        """Reply with this status and body: bytes and text as they are, other values as JSON.

        Without a body, that of Dust or of a gateway for this status.
        """
        usual_body, usual_type = _usual(code) if body is None else (body, "application/json")
        reply = Reply([_encoded(usual_body)], code, content_type or usual_type, headers or {})
        return Fault(f"status {code}", lambda _request, _answer: reply)

    @staticmethod
    def error(code: int, kind: str, message: str = "It failed.", run_error: Json | None = None) -> Fault:
        """Reply with an error of this type."""
        extra = {} if run_error is None else {"run_error": run_error}
        return Faults.status(code, {"error": {"type": kind, "message": message, **extra}})

    @staticmethod
    def content_type(content_type: str) -> Fault:
        """Give Dust's own reply another content type; a stream is then sent in one piece."""
        return _on_reply(f"as {content_type}", lambda reply: replace(reply, content_type=content_type))

    @staticmethod
    def altered(change: Callable[[Json], object]) -> Fault:
        """Let `change` alter the run in a JSON reply, in place."""

        def alter(reply: Reply) -> Reply:
            document = {} if reply.streamed else json.loads(reply.whole())
            if "run" not in document:
                return reply if reply.streamed else replace(reply, chunks=[_encoded(document)])
            change(document["run"])
            return replace(reply, chunks=[_encoded(document)])

        return _on_reply("altered run", alter)

    @staticmethod
    def huge(megabytes: float) -> Fault:
        """Make the run's last value, or its last error, longer by so much."""
        padding = "x" * int(megabytes * 1024 * 1024)
        return _on_reply("huge", lambda reply: _change_last(reply, lambda one: _longer(one, padding)))

    @staticmethod
    def nested(levels: int) -> Fault:
        """Replace the run's last value by an array with so many levels."""
        text = "[" * levels + "]" * levels  # as text: json.dumps gives up at a thousand levels
        return replace(Faults.literal(text), name=f"nested {levels} deep")

    @staticmethod
    def literal(text: str) -> Fault:
        """Replace the run's last value by a text that is not encoded, such as `1e400`."""
        placeholder = "(the text)"

        def put(reply: Reply) -> Reply:
            marked = _change_last(reply, lambda _one: {**NOT_EXECUTED, "value": placeholder})
            quoted = _encoded([placeholder])[1:-1]
            return replace(marked, chunks=[c.replace(quoted, text.encode()) for c in marked.chunks])

        return _on_reply(f"literal {text[:20]}", put)

    @staticmethod
    def echo(where: Literal["value", "error", "refusal", "event"] = "value") -> Fault:
        """Repeat the request's Authorization header in a header of the reply and in this place of it."""

        def reply(request: Request, answer: Answer) -> Reply:
            key = request.headers.get("authorization", "")
            return replace(_with_secret(where, key, request, answer), headers={"X-Echo": key})

        return Fault(f"echo in {where}", reply)

    @staticmethod
    def crashed(block: str) -> Fault:
        """Let the run crash in this block: it stays `running`, and a stream ends without another status."""

        def crash(reply: Reply) -> Reply:
            if reply.streamed:
                return replace(reply, chunks=_until_running(_frames(reply.chunks), block))
            document = json.loads(reply.whole())
            if "run" in document:
                _cut_run(document["run"], block)
            return replace(reply, chunks=[_encoded(document)])

        return _on_reply(f"crashed in {block}", crash)

    # Dust's own reply, badly sent

    @staticmethod
    def truncated(size: int | None = None) -> Fault:
        """Send the first `size` bytes of the body (default: half), with a Content-Length that fits them."""
        return _on_reply("truncated", lambda reply: replace(reply, chunks=[_cut(reply.whole(), size)]))

    @staticmethod
    def dropped(size: int | None = None) -> Fault:
        """Close the connection after `size` bytes of the body (default: half)."""

        def drop(reply: Reply) -> Reply:
            whole = reply.whole()
            length = {} if reply.streamed else {"Content-Length": str(len(whole))}
            cut = replace(reply, chunks=[_cut(whole, size)], headers={**reply.headers, **length})
            return _delivered(cut, Delivery(ending="close"))

        return _on_reply("dropped", drop)

    @staticmethod
    def hung_up() -> Fault:
        """Close the connection once the request is read; no run is started."""
        reply = FaultyReply([], delivery=Delivery(silent=True, ending="close"))
        return Fault("hung up", lambda _request, _answer: reply)

    @staticmethod
    def reset() -> Fault:
        """Reset the connection once the request is read; no run is started."""
        reply = FaultyReply([], delivery=Delivery(silent=True, ending="reset"))
        return Fault("reset", lambda _request, _answer: reply)

    @staticmethod
    def trickle(seconds: float) -> Fault:
        """Send the body byte by byte, with a pause of `seconds` after each."""
        return _on_delivery("trickle", Delivery(body_delay=seconds))

    @staticmethod
    def slow_head(seconds: float) -> Fault:
        """Send the status line and the headers byte by byte, with a pause of `seconds` after each."""
        return _on_delivery("slow head", Delivery(head_delay=seconds))

    @staticmethod
    def stalled(seconds: float = 3600) -> Fault:
        """Send the head, and the body only after `seconds`."""
        return _on_delivery("stalled", Delivery(stall=seconds))

    # streams

    @staticmethod
    def plain_json() -> Fault:
        """Reply to a request for a stream as to a request for a blocking run."""

        def reply(request: Request, answer: Answer) -> Reply:
            if not isinstance(request.body, dict) or not request.body.get("stream"):
                return answer(request)
            return answer(replace(request, body={**request.body, "stream": False, "blocking": True}))

        return Fault("plain JSON", reply)

    @staticmethod
    def break_off(events: int, *, half: bool = False, clean: bool = False) -> Fault:
        """End a stream after so many events (and half of one), broken or cleanly; its run goes on."""
        delivery = Delivery(ending="keep" if clean else "close")
        return _on_stream("break off", lambda frames: _first(frames, events, half=half), delivery)

    @staticmethod
    def held_open(seconds: float = 3600) -> Fault:
        """Keep a stream open after its `final` event."""
        return _on_delivery("held open", Delivery(hold=seconds))

    @staticmethod
    def rechunked(size: int) -> Fault:
        """Send a stream in chunks of `size` bytes that ignore where events end."""
        return _on_stream("rechunked", lambda frames: _rechunked(frames, size))

    @staticmethod
    def line_ends(ending: str = "\r\n") -> Fault:
        """End the lines of a stream with CRLF or with a single CR."""
        end = ending.encode()
        return _on_stream("line ends", lambda frames: (one.replace(b"\n", end) for one in frames))

    @staticmethod
    def comments() -> Fault:
        """Put comment lines between events and inside them."""
        return _on_stream(
            "comments", lambda frames: (b":\n\n: between\n\n:in\n%b: in\n\n" % one[:-1] for one in frames)
        )

    @staticmethod
    def dressed() -> Fault:
        """Give each event an id, a name and a retry time, and write its JSON on several lines."""
        return _on_stream("dressed", lambda frames: map(_dressed, frames))

    @staticmethod
    def events(change: Callable[[Json], Iterable[Json]]) -> Fault:
        """Replace each event by those that `change` returns for it."""
        return _on_stream("changed events", lambda frames: _each_event(frames, change))

    @staticmethod
    def without(*types: str) -> Fault:
        """Leave out the events of these types, such as `final`."""
        return Faults.events(lambda one: [] if one["type"] in types else [one])

    @staticmethod
    def strange() -> Fault:
        """Add events of unknown types, and unknown fields to the known ones."""
        return Faults.events(_strange)

    @staticmethod
    def bad_data(text: str = "this is no JSON", after: int = 1) -> Fault:
        """Send other data after so many events."""
        extra = f"data: {text}\n\n".encode()
        return _on_stream("bad data", lambda frames: _inserted(frames, extra, after))

    @staticmethod
    def error_event(code: str = "run_error", message: str = "It failed.", after: int = 1) -> Fault:
        """End a stream after so many events, with an `error` event and `final`."""
        return _on_stream("error event", lambda frames: _failing(frames, code, message, after))


# ── replies ──────────────────────────────────────────────────────────────────────────────────────


def _usual(code: int) -> tuple[Any, str]:
    if code in USUAL_ERRORS:
        kind, message = USUAL_ERRORS[code]
        return {"error": {"type": kind, "message": message}}, "application/json"
    return (GATEWAY_PAGE.format(code) if code >= 500 else ""), "text/html"


def _encoded(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body)).encode()


def _cut(whole: bytes, size: int | None) -> bytes:
    return whole[: len(whole) // 2 if size is None else size]


def _delivered(reply: Reply, delivery: Delivery) -> Reply:
    return FaultyReply(reply.chunks, reply.status, reply.content_type, reply.headers, delivery)


def _on_reply(name: str, change: Callable[[Reply], Reply]) -> Fault:
    return Fault(name, lambda request, answer: change(answer(request)))


def _on_delivery(name: str, delivery: Delivery) -> Fault:
    return _on_reply(name, lambda reply: _delivered(reply, delivery))


def _on_stream(
    name: str, change: Callable[[Frames], Iterable[bytes]], delivery: Delivery | None = None
) -> Fault:
    def changed(reply: Reply) -> Reply:
        if not reply.streamed:
            return reply
        return _delivered(replace(reply, chunks=change(_frames(reply.chunks))), delivery or Delivery())

    return _on_reply(name, changed)


def _with_secret(where: str, key: str, request: Request, answer: Answer) -> Reply:
    text = f"The service was given {key}"
    match where:
        case "value":
            return _change_last(answer(request), lambda one: _longer(one, key))
        case "error":
            failed = {**NOT_EXECUTED, "error": text}
            return _change_last(answer(request), lambda _one: failed)
        case "event":
            return Faults.error_event(message=text).reply(request, answer)
    return Faults.error(400, "run_error", text).reply(request, answer)


# ── streams ──────────────────────────────────────────────────────────────────────────────────────


def _frames(chunks: Iterable[bytes]) -> Frames:
    rest = b""
    for chunk in chunks:
        *ended, rest = (rest + chunk).split(b"\n\n")
        yield from (one + b"\n\n" for one in ended)
    yield rest


def _event_in(one: bytes) -> Json | None:
    """Return the event of a frame, or None for a comment."""
    found: Json | None = json.loads(one[6:]) if one.startswith(b"data: ") else None
    return found


def _first(frames: Frames, count: int, *, half: bool = False) -> Frames:
    for one in frames:
        if _event_in(one) is not None:
            if count == 0:
                yield one[: len(one) // 2 if half else 0]
                return
            count -= 1
        yield one


def _inserted(frames: Frames, extra: bytes, after: int) -> Frames:
    for one in frames:
        if _event_in(one) is not None:
            after -= 1
        yield one
        if after == 0:
            yield extra
            break
    yield from frames


def _failing(frames: Frames, code: str, message: str, after: int) -> Frames:
    yield from _first(frames, after)
    yield event_frame(event("error", {"code": code, "message": message}))
    yield event_frame(event("final", None))


def _until_running(frames: Frames, block: str) -> Frames:
    for one in frames:
        yield one
        found = _event_in(one)
        if found and found["type"] == "block_status" and found["content"]["name"] == block:
            break
    yield event_frame(event("final", None))


def _each_event(frames: Frames, change: Callable[[Json], Iterable[Json]]) -> Frames:
    for one in frames:
        found = _event_in(one)
        yield from [one] if found is None else map(event_frame, change(found))


def _strange(one: Json) -> Iterator[Json]:
    content = one["content"]
    yield {"type": "weather", "content": ["fair"]}
    yield {"type": "silence"}
    yield {**one, "content": {**content, "extra": [1]} if content else content, "extra": {"a": None}}


def _dressed(one: bytes) -> bytes:
    found = _event_in(one)
    if found is None:
        return one
    lines = [f"data:{line}" for line in json.dumps(found, indent=1).splitlines()]
    return "\n".join(["id: 7", "event: message", "retry: 10", *lines, "", ""]).encode()


def _rechunked(frames: Frames, size: int) -> Frames:
    rest = b""
    for one in frames:
        rest += one
        while len(rest) >= size:
            yield rest[:size]
            rest = rest[size:]
    yield rest


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────


def _cut_run(run: Json, block: str) -> None:
    """Reduce a run, in place, to what it is while the block runs."""
    names = [one["name"] for one in run["status"]["blocks"]]
    started = names.index(block) if block in names else len(names)
    blocks = run["status"]["blocks"][: started + 1]
    if started < len(names):
        blocks[-1] |= {"status": "running", "success_count": 0, "error_count": 0}
    ended = [one["name"] for one in blocks if one["status"] != "running"]
    run["status"] = {"run": "running", "blocks": blocks}
    run["traces"] = [trace for trace in run["traces"] if trace[0][1] in ended]
    run["results"] = None


def _longer(execution: Json, text: str) -> Json:
    """Return the execution with a text added to its error or value."""
    value, error = execution["value"], execution["error"]
    if error is not None:
        return {**execution, "error": error + text}
    if isinstance(value, str):
        return {**execution, "value": value + text}
    return {**execution, "value": {**(value if isinstance(value, dict) else {"value": value}), "more": text}}


def _change_last(reply: Reply, change: Callable[[Json], Json]) -> Reply:
    """Change the last execution of a run; a stream is then sent once its run has ended."""
    if reply.streamed:
        return replace(reply, chunks=_change_last_event(list(_frames(reply.chunks)), change))
    document = json.loads(reply.whole())
    run = document.get("run", {})
    known = run.get("status", {}).get("blocks") and run["traces"]  # not so in the published shape
    if known and _change_last_execution(run["traces"][-1][1], change):
        _fail(run["status"]["blocks"][-1], run["status"])
        run["results"] = None
    elif known and run["results"] is not None:
        run["results"] = run["traces"][-1][1]
    return replace(reply, chunks=[_encoded(document)])


def _change_last_event(frames: list[bytes], change: Callable[[Json], Json]) -> list[bytes]:
    events = [_event_in(one) for one in frames]
    executed = [at for at, one in enumerate(events) if one and one["type"] == "block_execution"]
    after = events[executed[-1] :] if executed else []
    later = [one for one in after if one is not None]
    if later and _change_last_execution(later[0]["content"]["execution"], change):
        _fail(*(one["content"] for one in later if one["type"] in ("block_status", "run_status")))
    return [frame if one is None else event_frame(one) for frame, one in zip(frames, events, strict=True)]


def _change_last_execution(executions: Executions, change: Callable[[Json], Json]) -> bool:
    """Change the last execution in place; return True if it is an error now."""
    row = next((row for row in reversed(executions) if row), [NOT_EXECUTED])
    row[-1] = change(row[-1])
    return row[-1]["error"] is not None


def _fail(*statuses: Json) -> None:
    for status in statuses:
        status["run" if "run" in status else "status"] = "errored"
