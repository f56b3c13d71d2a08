"""Dust's wire format: the path and body of a request, and the normal form of a run.

The service writes the same run in several ways: as one answer or as events, the iterations of a `while` as
separate traces or merged, inputs that left a loop with empty executions or with none. The normal form is the
same for all: one trace per block in execution order, `executions[input][iteration]`, without skipped ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple
from urllib.parse import quote

from msgspec.structs import replace

from pytest_dust.constants import LATEST
from pytest_dust.errors import ServiceError
from pytest_dust.model import (
    BlockStatus,
    Event,
    Exchange,
    Execution,
    Flavor,
    Json,
    Reply,
    Run,
    RunRequest,
    Status,
    Trace,
)

OPENING = {"map": "reduce", "while": "end"}
"""The types of blocks that open a loop, and the type of the block that closes it under the same name."""
RUNNING = "running"
FINAL = "final"
"""The type of the last event of a stream."""
ENDED = tuple(Status)
"""The statuses of a run that has ended."""

TOTAL = ("prompt_tokens", "completion_tokens")
"""The kinds of tokens that are added up to the total."""
USAGE = (*TOTAL, "cached_tokens", "reasoning_tokens")
MODELS = ("llm", "chat")
"""The types of blocks that use tokens."""
_EMPTY = {"value": None, "error": None, "meta": None}

Block = tuple[str, str]
"""The type and the name of a block."""
RawTrace = tuple[str, str, list[list[Any]]]
"""A trace as the service writes it: type, name, executions."""


# ── requests ─────────────────────────────────────────────────────────────────────────────────────


def runs_path(request: RunRequest) -> str:
    """Return the path, below the base URL, to which runs of the app are posted."""
    app = request.app
    return f"/api/v1/w/{app.workspace}/spaces/{app.space}/apps/{app.id}/runs"


def run_path(request: RunRequest, run_id: str) -> str:
    """Return the path of one run; its id is quoted, so that it stays one step of the path."""
    return f"{runs_path(request)}/{quote(run_id, safe='', errors='replace')}"


def body(request: RunRequest, flavor: Flavor = Flavor.BLOCKING) -> dict[str, Json]:
    """Return the JSON body that creates a run."""
    written: dict[str, Json] = {
        "specification_hash": request.specification_hash,
        "config": request.config,
        "inputs": request.inputs,
    }
    if flavor is Flavor.BLOCKING:
        written["blocking"] = True
        if request.block_filter is not None:  # the service ignores it for the other flavors
            written["block_filter"] = list(request.block_filter)
    elif flavor is Flavor.STREAM:
        written["stream"] = True
    return written


# ── the state of a run ───────────────────────────────────────────────────────────────────────────


def pending(exchange: Exchange, specification_hash: str) -> str | None:
    """Return the id of a run to poll: it has not ended, its stream broke off, or its hash is unknown."""
    if exchange.events is None:
        run = _run(exchange.body)
        return _text(run.get("run_id")) if _status(run).get("run") == RUNNING else None
    status, run_id = _streamed_status(exchange.events)
    ended = status in ENDED
    return None if ended and specification_hash != LATEST else run_id


def streamed_end(exchange: Exchange) -> bool:
    """Return True if a stream holds the end of its run."""
    return _streamed_status(exchange.events or ())[0] in ENDED


def stream_error(exchange: Exchange) -> tuple[str, str] | None:
    """Return the code and message of the error that ended a stream; None if it holds the end of a run."""
    if streamed_end(exchange):
        return None
    for kind, content in _contents(exchange.events or ()):
        if kind == "error":
            return str(content.get("code")), str(content.get("message"))
    return None


class Crash(NamedTuple):
    """A run that the service has stopped without an end."""

    run_id: str | None
    block: str
    """The last block that started, as `NAME (type)`; empty if none is known."""
    ended: bool
    """True if that block has ended."""
    empty_map: str
    """The name of a `map` block that got an empty list, which crashes a run; empty if there is none."""
    tokens: int = 0
    """The tokens that its blocks have used, as far as the service gives them."""


def crash(exchange: Exchange, flavor: Flavor) -> Crash | None:
    """Return the crash of a run whose answer is complete and holds no end of it; None for any other answer.

    A request for a stream may be answered in JSON. If that names no block, the run has only started.
    """
    statuses: object
    traces: object
    if exchange.events is not None:
        status, run_id = _streamed_status(exchange.events)
        statuses, traces = _streamed_blocks(exchange.events)
        crashed = run_id is not None and status not in ENDED and _is_final(exchange.events)
    else:
        run = _run(exchange.body)
        run_id, traces = _text(run.get("run_id")), run.get("traces")
        statuses = _status(run).get("blocks")
        waited = flavor is Flavor.BLOCKING or (flavor is Flavor.STREAM and bool(_statuses(statuses)))
        crashed = waited and _status(run).get("run") == RUNNING
    if not crashed:
        return None
    return Crash(run_id, *_last_started(statuses), _empty_map(traces), _spent(_traces(traces)))


def _spent(traces: list[RawTrace]) -> int:
    """Return the tokens that traces give."""
    ran = (
        _used(one, kind) for kind, _, rows in traces for row in rows for one in row if isinstance(one, dict)
    )
    return sum((used or {}).get(name) or 0 for used in ran for name in TOTAL)


def _is_final(events: Sequence[Event]) -> bool:
    """Return True if a stream is complete; False if it broke off."""
    return any(isinstance(event.data, dict) and event.data.get("type") == FINAL for event in events)


def current_block(exchange: Exchange) -> str:
    """Return the block that a run has reached, as `NAME (type)`; empty if none is known."""
    return _last_started(_status(_run(exchange.body)).get("blocks"))[0]


def _last_started(blocks: object) -> tuple[str, bool]:
    """Return the running block, else the last that has started, and True if it has ended."""
    statuses = _statuses(blocks)
    last = next((each for each in statuses if each.status == RUNNING), statuses[-1] if statuses else None)
    return ("", False) if last is None else (f"{last.name} ({last.type})", last.status != RUNNING)


def _empty_map(traces: object) -> str:
    """Return the name of the first `map` block that got an empty list; empty if there is none."""
    for kind, name, rows in _traces(traces):
        values = (one.get("value") for row in rows for one in row if isinstance(one, dict))
        if kind == "map" and [] in values:
            return name
    return ""


def _status(run: Mapping[str, Any]) -> Mapping[str, Any]:
    status = run.get("status")
    return status if isinstance(status, dict) else {}


def _streamed_blocks(events: Sequence[Event]) -> tuple[list[Any], list[Any]]:
    """Return the last status of each block and the traces of a stream, in the form of an answer in JSON."""
    statuses: dict[tuple[str, str], Any] = {}
    traces: list[Any] = []
    for kind, content in _contents(events):
        if kind == "block_status":
            statuses[str(content.get("block_type")), str(content.get("name"))] = content
        elif kind == "block_execution":
            block = [content.get("block_type"), content.get("block_name")]
            traces.append([block, content.get("execution")])
    return list(statuses.values()), traces


def _run(answer: Json) -> Mapping[str, Any]:
    run = answer.get("run") if isinstance(answer, dict) else None
    return run if isinstance(run, dict) else {}


def _contents(events: Sequence[Event]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return type and content of the events that have both."""
    found = []
    for event in events:
        match event.data:
            case {"type": str(kind), "content": Mapping() as content}:
                found.append((kind, content))
    return found


def _streamed_status(events: Sequence[Event]) -> tuple[str | None, str | None]:
    """Return the last status of the run in a stream, and the run's id."""
    status = run_id = None
    for kind, content in _contents(events):
        if kind == "run_status":
            status = _text(content.get("status")) or status
            run_id = _text(content.get("run_id")) or run_id
    return status, run_id


# ── the normal form of a run ─────────────────────────────────────────────────────────────────────


def run(reply: Reply, block_filter: Sequence[str] | None, specification_hash: str) -> Run:
    """Return the run in a reply; raises ServiceError if there is none that has ended."""
    created, last = reply.exchanges[0], reply.exchanges[-1]
    pinned = None if specification_hash == LATEST else specification_hash
    if created.events is None:
        found = parse(last.body, reply.duration, block_filter)
        if last is not created:
            _refuse_unlogged(last.body)
        return found
    if streamed_end(created):
        found = _streamed(created.events, reply.duration, block_filter)
        answered = _text(_run(last.body).get("specification_hash")) or pinned
        return replace(found, specification_hash=answered)
    found = parse(last.body, reply.duration, block_filter)
    _refuse_unlogged(last.body)
    return found


def parse(answer: Json, duration: float, block_filter: Sequence[str] | None = None) -> Run:
    """Return the run in a JSON answer; raises ServiceError if there is none that has ended."""
    run = _run(answer)
    if not run:
        raise ServiceError(
            "the service answered 200 without a run in it; check that --dust-base-url is Dust itself"
        )
    status = _status(run)
    ended = status.get("run")
    if ended not in ENDED:
        raise ServiceError(_not_ended(ended))
    statuses = _statuses(status.get("blocks"))
    return filtered(
        Run(
            id=_text(run.get("run_id")),
            specification_hash=_text(run.get("specification_hash")),
            status=Status(str(ended)),
            traces=_normal(_traces(run.get("traces")), statuses),
            statuses=statuses,
            results=run.get("results"),
            duration=duration,
        ),
        block_filter,
    )


def _streamed(events: Sequence[Event], duration: float, block_filter: Sequence[str] | None) -> Run:
    status, run_id = _streamed_status(events)
    blocks, traces = _streamed_blocks(events)
    times = _times(events)
    statuses = tuple(
        _timed(each, *times.get((each.type, each.name), (None, None))) for each in _statuses(blocks)
    )
    return filtered(
        Run(
            id=run_id,
            specification_hash=None,
            status=Status(str(status)),
            traces=_normal(_traces(traces), statuses),
            statuses=statuses,
            results=None,
            duration=duration,
        ),
        block_filter,
    )


def _timed(status: BlockStatus, started: float | None, duration: float | None) -> BlockStatus:
    return replace(status, started=started, duration=duration)


def _times(events: Sequence[Event]) -> dict[tuple[str, str], tuple[float, float]]:
    """Return when each block first started, and for how long it ran in all its iterations, in seconds."""
    began: dict[tuple[str, str], float] = {}
    times: dict[tuple[str, str], tuple[float, float]] = {}
    for event in events:
        for kind, content in _contents([event]):
            if kind != "block_status":
                continue
            block = str(content.get("block_type")), str(content.get("name"))
            if content.get("status") == RUNNING:
                began.setdefault(block, event.at)
            elif block in began:
                start = began.pop(block)
                first, took = times.get(block, (start, 0.0))
                times[block] = first, round(took + event.at - start, 3)
    return times


def filtered(run: Run, block_filter: Sequence[str] | None) -> Run:
    """Return a run without the blocks that a filter leaves out; the service filters blocking runs only."""
    if block_filter is None:
        return run
    traces = tuple(_filtered(trace, block_filter, run) for trace in run.traces if trace.name in block_filter)
    return replace(
        run,
        traces=traces,
        results=run.results if traces or not run.traces else None,
        statuses=tuple(each for each in run.statuses if each.name in block_filter),
    )


def _filtered(trace: Trace, block_filter: Sequence[str], run: Run) -> Trace:
    """Return a trace as a blocking answer has it if the filter leaves out the loop around it.

    That answer has the same trace for a block in a `map` of one element, for a block that a `while` never
    reached, and for a block outside of loops. The other flavors must give the same trace.
    """
    opening = _opening(trace, run)
    if trace.type in OPENING.values() or (opening is not None and opening.name in block_filter):
        return trace
    rows = tuple(() if row == (Execution(None),) else row for row in trace.executions)
    repeated = trace.loop == "while" and (opening is None or _count_traces(rows, opening) > 1)
    return replace(trace, executions=rows, loop="while" if repeated else _loop_by_length(rows))


def _opening(trace: Trace, run: Run) -> Trace | None:
    """Return the trace of the block that opens the loop around a trace; None if there is no such trace."""
    loop: Trace | None = None
    for each in run.traces:
        if (each.type, each.name) == (trace.type, trace.name):
            return loop
        if each.type in OPENING:
            loop = each
        elif each.type in OPENING.values():
            loop = None
    return None


def _count_traces(rows: Sequence[Sequence[Execution]], opening: Trace) -> int:
    """Return the number of traces that a blocking answer has of a block inside a `while`.

    There is one for each iteration, and an empty one after the last if the loop ended without an error.
    """
    iterations = max(map(len, rows), default=0)
    ended = all(row and row[-1].error is None and row[-1].value is not True for row in opening.executions)
    return iterations + ended


def _refuse_unlogged(answer: Json) -> None:
    """Raise ServiceError for a polled run of a workspace that stores no logs: it has statuses but no values.

    A run that failed in its first block has no values either, but has an error in each execution.
    """
    run = _run(answer)
    rows = chain.from_iterable(rows for _, _, rows in _traces(run.get("traces")))
    ended = [one for one in chain.from_iterable(rows) if isinstance(one, dict)]
    failed = bool(ended) and all(one.get("error") is not None for one in ended)
    logged = failed or any(one.get("value") is not None for one in ended)
    if _statuses(_status(run).get("blocks")) and not logged:
        raise ServiceError(
            "the workspace stores no run logs, so a run that is asked for by its id has statuses and no "
            "values; use flavor: blocking, or flavor: stream"
        )


def _not_ended(status: object) -> str:
    if status == RUNNING:
        return "the service answered before the run had ended (status running); run the case again"
    said = f'status "{status}"' if status is not None else "no status"
    return f"the service answered a run with {said}, where succeeded or errored was due; run the case again"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _statuses(blocks: object) -> tuple[BlockStatus, ...]:
    return tuple(
        BlockStatus(
            type=str(block.get("block_type")),
            name=block["name"],
            status=str(block.get("status")),
            success_count=_count(block.get("success_count")),
            error_count=_count(block.get("error_count")),
        )
        for block in _list(blocks)
        if isinstance(block, dict) and isinstance(block.get("name"), str)
    )


# ── traces ───────────────────────────────────────────────────────────────────────────────────────


def _traces(traces: object) -> list[RawTrace]:
    """Return the traces that name their block, as (type, name, executions)."""
    named = []
    for trace in _list(traces):
        match trace:
            case [[str(kind), str(name)], list(executions)]:
                named.append((kind, name, [_list(row) for row in executions]))
            case _:  # such as {timestamp, trace} of the published schema, which names no block
                continue
    return named


class _Layout(NamedTuple):
    """The order and the loops of the blocks of a run."""

    order: tuple[Block, ...]
    """Every block once, in execution order."""
    loops: Mapping[Block, Block]
    """For each block inside a loop, and for the one that closes it: the block that opens the loop."""
    hidden: frozenset[Block]
    """Blocks with several traces outside of loops: a filter has left out the `while` around them."""


def _normal(traces: list[RawTrace], statuses: Sequence[BlockStatus]) -> tuple[Trace, ...]:
    """Return one trace per block in execution order, the iterations of a `while` along the second dimension.

    A polled run has no trace of a block without executions. The statuses name it and show the end of its
    loop; it gets a trace without executions, as in the other flavors.
    """
    layout = _layout(traces, statuses)
    rows = _merged(traces, layout)
    return tuple(
        _trace(block, rows, layout)
        for block in layout.order
        if block in rows or layout.loops.get(block) in rows
    )


def _layout(traces: list[RawTrace], statuses: Sequence[BlockStatus]) -> _Layout:
    """Return the layout by the statuses if they name all blocks that have traces, else by the traces."""
    times = Counter((kind, name) for kind, name, _ in traces)
    listed = dict.fromkeys((each.type, each.name) for each in statuses)
    order = tuple(listed if times.keys() <= listed.keys() else times)
    loops: dict[Block, Block] = {}
    opening: Block | None = None
    for block in order:
        if block[0] in OPENING:
            opening = block
        elif opening is not None:
            loops[block] = opening
            if block == _closing(opening):
                opening = None
    repeated = (block for block, count in times.items() if count > 1)
    hidden = frozenset(block for block in repeated if block not in loops and block[0] not in OPENING)
    return _Layout(order, loops, hidden)


def _closing(opening: Block) -> Block:
    return OPENING[opening[0]], opening[1]


def _merged(traces: list[RawTrace], layout: _Layout) -> dict[Block, list[list[Execution]]]:
    """Return the executions of each block, from all its traces, without the skipped ones."""
    merged: dict[Block, list[list[Execution]]] = {}
    stopped: dict[Block, list[bool]] = {}  # for each `while`: whether it has ended, by input
    for kind, name, rows in traces:
        block = (kind, name)
        over = stopped.get(layout.loops.get(block, block), [])
        kept = merged.setdefault(block, [])
        for at, row in enumerate(rows):
            if at == len(kept):
                kept.append([])
            if not (at < len(over) and over[at]):
                ran = (one for one in row if block not in layout.hidden or one != _EMPTY)
                kept[at].extend(_execution(one, kind) for one in ran)
        if kind == "while":
            stopped[block] = [_stopped(row, over, at) for at, row in enumerate(rows)]
    return merged


def _trace(block: Block, rows: Mapping[Block, list[list[Execution]]], layout: _Layout) -> Trace:
    """Return the trace of a block; inside a loop it has a row for each input of the opening block."""
    executions = tuple(tuple(row) for row in rows.get(block, ()))
    loop = "while" if block in layout.hidden or block[0] == "while" else ""
    opening = layout.loops.get(block)
    if opening is not None:
        executions += ((),) * (len(rows.get(opening, ())) - len(executions))
        loop = "" if block == _closing(opening) else opening[0]
    return Trace(*block, executions, loop or _loop_by_length(executions))


def _loop_by_length(rows: Sequence[Sequence[Execution]]) -> str:
    """Return `map` if an input has several executions or none, as in a `map` that a filter left out."""
    return "map" if any(len(row) != 1 for row in rows) else ""


def _stopped(row: list[Any], before: list[bool], at: int) -> bool:
    """Return True if a `while` has ended for an input; a row with several iterations is of a merged trace."""
    if at < len(before) and before[at]:
        return True
    return len(row) == 1 and not (isinstance(row[0], dict) and row[0].get("value") is True)


def _execution(one: object, kind: str) -> Execution:
    if not isinstance(one, dict):
        return Execution(None)
    error = one.get("error")
    return Execution(
        value=one.get("value"),
        error=None if error is None else error if isinstance(error, str) else str(error),
        usage=_used(one, kind),
    )


def _used(one: Mapping[str, Any], kind: str) -> Mapping[str, int | None] | None:
    """Return the tokens that an execution used, by kind; None if the service does not give them.

    A block that calls no model uses none. Providers without cached or reasoning tokens give null for these.
    """
    meta = one.get("meta")
    counts = meta.get("token_usage") if isinstance(meta, dict) else None
    if isinstance(counts, dict):
        return {name: _tokens(name, counts[name]) for name in USAGE if name in counts}
    skipped = all(one.get(part) is None for part in _EMPTY)
    return {} if skipped or kind not in MODELS else None


def _tokens(name: str, count: object) -> int | None:
    whole = isinstance(count, int) and not isinstance(count, bool)
    return None if name in TOTAL and not whole else _count(count)
