"""The run view: the document that the paths of a suite's `expect` look into."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

from pytest_dust.dust.wire import OPENING, TOTAL, USAGE
from pytest_dust.model import BlockStatus, Execution, Json, Run, Status, Tokens, Trace, ViewedRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_CLOSING = {end: begin for begin, end in OPENING.items()}


def view(run: Run, *, plural: bool) -> dict[str, Any]:
    """Return the view of a run; with `plural`, it has `results`, `outputs` and `errors`, by input."""
    return {
        "status": str(run.status),
        "error": error(run),
        "results" if plural else "result": _results(run, plural=plural),
        "blocks": blocks(run, plural=plural),
        "usage": usage(run),
        "duration": run.duration,
        "specification_hash": run.specification_hash,
        "run_id": run.id,
    }


def viewed(run: Run, *, plural: bool) -> ViewedRun:
    """Return a run with its view."""
    return ViewedRun(run, view(run, plural=plural), plural)


def usage(run: Run) -> dict[str, int | None]:
    """Return the tokens of the whole run, by kind; None for a kind that some block has no count of."""
    return _usage(_executions(run))


def tokens(runs: Iterable[Run]) -> Tokens:
    """Return the tokens that runs used, as far as the service gives them."""
    return sum(map(_tokens, runs), Tokens())


def _tokens(run: Run) -> Tokens:
    counts = [(one.usage or {}).get(name) or 0 for one in _executions(run) for name in TOTAL]
    return Tokens(sum(counts), int(usage(run)["total_tokens"] is None))


def _executions(run: Run) -> Iterable[Execution]:
    return (one for trace in run.traces for one in chain(*trace.executions))


def error(run: Run) -> str | None:
    """Return `BLOCK (type): message` of the first block that failed; None for a run that succeeded."""
    for trace in run.traces:
        for one in chain(*trace.executions):
            if one.error is not None:
                return f"{trace.name} ({trace.type}): {one.error}"
    for block in run.statuses:
        if block.status == Status.ERRORED:
            return f"{block.name} ({block.type}): failed; the answer holds no message of it"
    return None if run.status == Status.SUCCEEDED else "the run failed; the answer names no block"


def blocks(run: Run, *, plural: bool) -> dict[str, Any]:
    """Return the blocks by name, in execution order; the two ends of a loop are one entry."""
    statuses = {(block.type, block.name): block for block in run.statuses}
    found: dict[str, Any] = {}
    for trace in run.traces:
        entry = _block(trace, statuses.get((trace.type, trace.name)), plural=plural)
        if trace.type in _CLOSING and trace.name in found:
            found[trace.name] = _paired(found[trace.name], entry, plural=plural)
        else:
            found[trace.name] = entry
    traced = {(trace.type, trace.name) for trace in run.traces}
    for block in run.statuses:  # for blocks without executions, a status is all that the answer holds
        if (block.type, block.name) not in traced:
            entry = found.setdefault(block.name, _status_only(block))
            entry["status"] = block.status if block.status == Status.ERRORED else entry["status"]
    return found


def _results(run: Run, *, plural: bool) -> Json:
    """Return the outputs of the last block; the results of the answer if it has no traces."""
    if not run.traces:
        return _plain_results(run.results, plural=plural)
    if run.status != Status.SUCCEEDED:
        return None
    return _outputs(run.traces[-1], _value, plural=plural)


def _plain_results(results: Json, *, plural: bool) -> Json:
    """Return the results of an answer; of executions, their values."""
    if not isinstance(results, list):
        return results
    rows = [_unpacked(row) for row in results]
    return rows if plural else rows[0] if len(rows) == 1 else rows


def _unpacked(row: Any) -> Any:
    if not (isinstance(row, list) and all(isinstance(one, Mapping) and "value" in one for one in row)):
        return row
    values = [one["value"] for one in row]
    return values[0] if len(values) == 1 else values


def _block(trace: Trace, status: BlockStatus | None, *, plural: bool) -> dict[str, Any]:
    """Return the entry of a block with executions; its status is derived from them if the run has none."""
    executions = list(chain(*trace.executions))
    failed = sum(one.error is not None for one in executions)
    iterations = _iterations(trace)
    derived = Status.ERRORED if failed else Status.SUCCEEDED
    timed = {} if status is None or status.duration is None else {"duration": status.duration}
    return {
        "type": trace.type,
        "status": str(derived) if status is None else status.status,
        "outputs" if plural else "output": _outputs(trace, _value, plural=plural),
        "errors" if plural else "error": _outputs(trace, _error, plural=plural),
        "iterations": iterations if plural else sum(iterations),
        "success_count": len(executions) - failed,
        "error_count": failed,
        "usage": _usage(executions),
        **timed,
    }


def _paired(opening: dict[str, Any], closing: dict[str, Any], *, plural: bool) -> dict[str, Any]:
    """Return the entry of a loop: its opening block's, with the error and the output of its closing block."""
    name = "outputs" if plural else "output"
    output = closing[name]
    has_output = any(each is not None for each in output) if plural else output is not None
    status = closing["status"] if closing["status"] == Status.ERRORED else opening["status"]
    reduced = opening["type"] == "map" and has_output  # Dust's own `reduce` and `end` return null
    return {**opening, "status": status, name: output if reduced else opening[name]}


def _status_only(block: BlockStatus) -> dict[str, Any]:
    return {
        "type": block.type,
        "status": block.status,
        "success_count": block.success_count,
        "error_count": block.error_count,
    }


def _iterations(trace: Trace) -> list[int]:
    """Return the iterations of a block, by input; for the block that opens a loop, those of the loop."""
    if trace.type == "map":
        mapped = [row[0].value if row else None for row in trace.executions]
        return [len(value) if isinstance(value, list) else 0 for value in mapped]
    if trace.type == "while":
        return [sum(one.value is True for one in row) for row in trace.executions]
    return [len(row) for row in trace.executions]


def _outputs(trace: Trace, part: Callable[[Execution], Json], *, plural: bool) -> Json:
    """Return one part of each execution: by input, and inside a loop by iteration too."""
    rows: list[Any] = [[part(one) for one in row] for row in trace.executions]
    if not trace.loop:
        rows = [row[0] for row in rows if row]
    return rows if plural else rows[0] if rows else None


def _value(one: Execution) -> Json:
    return one.value


def _error(one: Execution) -> Json:
    return one.error


def _usage(executions: Iterable[Execution]) -> dict[str, int | None]:
    """Return the tokens of some executions, by kind; None for a sum with an unknown count."""
    sums: dict[str, int | None] = dict.fromkeys(USAGE, 0)
    for one in executions:
        used = dict.fromkeys(USAGE) if one.usage is None else one.usage
        for name, count in used.items():
            sums[name] = _sum(sums[name], count)
    return {**sums, "total_tokens": _sum(*(sums[name] for name in TOTAL))}


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
