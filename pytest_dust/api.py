"""Dust's wire format, both ways: a request's address and body, and a run's normal form.

The service shows one run in several shapes: iterations of a `while` as traces of their own or merged,
inputs that stopped looping as empty executions or as none. `parse` gives one form for all:
one trace per block in execution order, `executions[input][iteration]`, skipped ones left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pytest_dust.errors import ServiceError
from pytest_dust.model import BlockStatus, Execution, Json, Run, RunRequest, Status, Trace

OPENING = {"map": "reduce", "while": "end"}
"""Block types that begin a loop, and the type that ends it under the same name."""

USAGE = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
_EMPTY = {"value": None, "error": None, "meta": None}


def runs_path(request: RunRequest) -> str:
    """The address, below the base URL, at which runs of the app are created."""
    app = request.app
    return f"/api/v1/w/{app.workspace}/spaces/{app.space}/apps/{app.id}/runs"


def body(request: RunRequest) -> dict[str, Json]:
    """The JSON that creates a blocking run."""
    written: dict[str, Json] = {
        "specification_hash": request.specification_hash,
        "config": request.config,
        "inputs": request.inputs,
        "blocking": True,
    }
    if request.block_filter is not None:
        written["block_filter"] = list(request.block_filter)
    return written


def parse(answer: Json, duration: float) -> Run:
    """The run in a service's answer; raises ServiceError where there is none that has ended."""
    run = answer.get("run") if isinstance(answer, Mapping) else None
    if not isinstance(run, Mapping):
        raise ServiceError(
            "the service answered 200 without a run in it; check that --dust-base-url is Dust itself"
        )
    status = run.get("status")
    if not isinstance(status, Mapping):
        raise ServiceError(_not_ended(None))
    ended = status.get("run")
    if ended not in list(Status):
        raise ServiceError(_not_ended(ended))
    return Run(
        id=_text(run.get("run_id")),
        specification_hash=_text(run.get("specification_hash")),
        status=Status(str(ended)),
        traces=_normal(_traces(run.get("traces"))),
        statuses=_statuses(status.get("blocks")),
        results=run.get("results"),
        duration=duration,
    )


def _not_ended(status: object) -> str:
    if status == "running":
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
        if isinstance(block, Mapping) and isinstance(block.get("name"), str)
    )


# ── traces ───────────────────────────────────────────────────────────────────────────────────────


def _traces(traces: object) -> list[tuple[str, str, list[list[Any]]]]:
    """The traces that name their block, as (type, name, executions); others are left out."""
    named = []
    for trace in _list(traces):
        match trace:
            case [[str(kind), str(name)], list(executions)]:
                named.append((kind, name, [_list(row) for row in executions]))
            case _:  # the published schema's {timestamp, trace}, which names no block
                continue
    return named


def _normal(traces: list[tuple[str, str, list[list[Any]]]]) -> tuple[Trace, ...]:
    """One trace per block, a `while`'s iterations merged along the second dimension."""
    times = Counter((kind, name) for kind, name, _ in traces)
    merged: dict[tuple[str, str], list[list[Execution]]] = {}
    loop: str | None = None
    stopped: list[bool] = []  # per input: has this `while` ended for it
    ended = False
    for kind, name, rows in traces:
        if ended and (kind, name) != ("while", loop):
            loop, stopped = None, []
        ended = kind == "end"
        if kind == "while":
            loop = name
        idle = loop is None and times[kind, name] > 1  # a `while` that block_filter hides
        block = merged.setdefault((kind, name), [])
        for at, row in enumerate(rows):
            if at == len(block):
                block.append([])
            if not (at < len(stopped) and stopped[at]):
                block[at].extend(_execution(one) for one in row if not (idle and one == _EMPTY))
        if kind == "while":
            stopped = [_stopped(row, stopped, at) for at, row in enumerate(rows)]
    return tuple(
        Trace(kind, name, tuple(tuple(row) for row in rows)) for (kind, name), rows in merged.items()
    )


def _stopped(row: list[Any], before: list[bool], at: int) -> bool:
    """Whether the loop has ended for an input; a row of several iterations is a merged one, all real."""
    if at < len(before) and before[at]:
        return True
    return len(row) == 1 and not (isinstance(row[0], Mapping) and row[0].get("value") is True)


def _execution(one: object) -> Execution:
    if not isinstance(one, Mapping):
        return Execution(None)
    error = one.get("error")
    meta = one.get("meta")
    usage = meta.get("token_usage") if isinstance(meta, Mapping) else None
    counts = usage if isinstance(usage, Mapping) else {}
    return Execution(
        value=one.get("value"),
        error=None if error is None else error if isinstance(error, str) else str(error),
        usage={name: _count(counts[name]) for name in USAGE if name in counts},
    )
