"""A run as JSON: the statuses of its blocks, its traces in two forms, its results."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from example_suites.dust_server.blocks import Json
from example_suites.dust_server.engine import Ended, Executions, Started, Step

Form = Callable[[Iterable[Step]], list[Any]]
"""How the traces of a run are arranged: `by_iteration` or `merged`."""


def block_status(step: Step) -> Json:
    """Return the status and the counts of a block after this step."""
    succeeded, failed = (
        (step.count(errors=False), step.count(errors=True)) if isinstance(step, Ended) else (0, 0)
    )
    status = "running" if isinstance(step, Started) else "errored" if failed else "succeeded"
    return {
        "block_type": step.block.type,
        "name": step.block.name,
        "status": status,
        "success_count": succeeded,
        "error_count": failed,
    }


def block_statuses(steps: Iterable[Step]) -> list[Json]:
    """Return one status for each block; for a block in a loop, that of its last iteration."""
    rows = {(step.block.type, step.block.name): block_status(step) for step in steps}
    return list(rows.values())


def by_iteration(steps: Iterable[Step]) -> list[Any]:
    """Return the traces as in a blocking answer: one for each iteration of a `while` loop."""
    return [
        [[step.block.type, step.block.name], step.executions] for step in steps if isinstance(step, Ended)
    ]


def merged(steps: Iterable[Step]) -> list[Any]:
    """Return the traces as in a polled run: one per block, all iterations of a loop in a row for each input.

    Dust builds a polled run from the executions that it stored, and stores none for a skip.  So a block
    without executions has no trace, and a trace ends with the last input that has an execution.
    """
    rows: dict[tuple[str, str], Executions] = {}
    for step in steps:
        if isinstance(step, Ended):
            key = (step.block.type, step.block.name)
            stored = rows.setdefault(key, [[] for _ in step.executions])
            for row, executions, skipped in zip(stored, step.executions, step.skipped, strict=True):
                row.extend([] if skipped else executions)
    return [[list(key), _without_end(executions)] for key, executions in rows.items() if any(executions)]


def _without_end(executions: Executions) -> Executions:
    """Return the executions up to the last input that has one."""
    return executions[: max(number for number, row in enumerate(executions, start=1) if row)]


def last_executions(status: str, traces: list[Any]) -> Executions | None:
    """Return the `results` of a run: the executions of its last trace, None unless the run succeeded."""
    return traces[-1][1] if status == "succeeded" and traces else None


def filtered(document: Json, names: Collection[str]) -> Json:
    """Return a run with the named blocks only; `results` are those of the last block that is left."""
    traces = [trace for trace in document["traces"] if trace[0][1] in names]
    status = document["status"]
    blocks = [block for block in status["blocks"] if block["name"] in names]
    return {
        **document,
        "status": {**status, "blocks": blocks},
        "traces": traces,
        "results": last_executions(status["run"], traces),
    }
