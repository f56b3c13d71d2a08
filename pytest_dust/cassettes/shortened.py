"""The short form of a cassette: what follows from other parts of it is left out, and restored on reading.

Much of an answer is in it twice: the results are the executions of the last trace, the config is that of the
request, the status of a block follows from its executions. `shorten` leaves such a part out only if `restore`
gives exactly the same value back, and names it beside the answer, in `shortened`. So an answer may hold
anything: nothing in it is mistaken for a name of ours.

Both functions change the document of a cassette in place; the document is the one of format 1.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from pytest_dust.errors import CassetteError
from pytest_dust.model import MISSING

EXECUTION = ("value", "error", "meta")
STATUS = ("block_type", "name", "status", "success_count", "error_count")
BLOCK = ("type", "name", "indent", "config", "spec")
"""The keys of an execution, of the status of a block, and of a block in a specification, in reading order."""
RUN = ("status", "traces", "results")
"""The first keys of a run; the others follow in alphabetical order."""
ECHOES = {"app_id": ("app", "id"), "config": ("config",), "specification_hash": ("specification_hash",)}
"""The keys of a run that repeat a part of the request, each with the path of that part."""
NAMES = frozenset({*ECHOES, "executions", "results", "statuses"})
"""What `shortened` may name in an exchange."""


# ── writing ──────────────────────────────────────────────────────────────────────────────────────


def shorten(document: dict[str, Any]) -> None:
    """Bring a document whose keys are sorted into the short form, the keys of its runs in reading order."""
    request = document["request"]
    for attempt in document.get("attempts", [document]):
        attempt["exchanges"] = [_shorten_exchange(each, request) for each in attempt["exchanges"]]
    if "specification" in document and _shorten_blocks(document["specification"], request):
        document["shortened"] = ["specification"]
        document["specification"] = document.pop("specification")


def _shorten_exchange(exchange: dict[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    if "events" in exchange:
        answer, names = _short_events(exchange.pop("events"))
        return {**exchange, **({"shortened": names} if names else {}), **answer}
    body = exchange.pop("body")
    names = _shorten_body(body, request)
    return {**exchange, **({"shortened": sorted(names)} if _holds_run(body) else {}), "body": body}


def _holds_run(body: Any) -> bool:
    """Return True for an answer that holds a run; its exchange always says what is shortened."""
    return isinstance(body, dict) and isinstance(body.get("run"), dict)


def _shorten_body(body: Any, request: Mapping[str, Any]) -> list[str]:
    """Shorten an answer that holds a run; return what was left out."""
    run = body.get("run") if isinstance(body, dict) else None
    if not isinstance(run, dict):
        return []
    names = [name for name in ECHOES if _same(run.get(name, MISSING), _echo(request, name))]
    if _same(run.get("results", MISSING), _last_executions(run)):
        names.append("results")
    for name in names:
        del run[name]
    if _shorten_statuses(run):
        names.append("statuses")
    if _shorten_executions(_traces(run)):
        names.append("executions")
    for one in _executions(run.get("results")):
        _arrange_execution(one)
    body["run"] = _arranged(run, RUN)
    return names


def _shorten_statuses(run: dict[str, Any]) -> bool:
    """Leave out the statuses of blocks if they follow from the traces, else write them as lists."""
    status = run.get("status")
    if not isinstance(status, dict) or not isinstance(blocks := status.get("blocks"), list):
        return False
    if _same(blocks, _statuses(_traces(run))):
        del status["blocks"]
        return True
    if not _all_have(blocks, STATUS):
        return False
    status["blocks"] = [_row(each) for each in blocks]
    return bool(blocks)


def _shorten_executions(traces: Iterable[list[Any]]) -> bool:
    """Leave out the error and the meta of executions where they are null, if all executions have both."""
    found = [one for _, rows in traces for one in _executions(rows)]
    short = bool(found) and _all_have(found, EXECUTION)
    for one in found:
        _arrange_execution(one)
        for key in ("error", "meta") if short else ():
            if one[key] is None:
                del one[key]
    return short


def _arrange_execution(one: dict[str, Any]) -> None:
    arranged = _arranged(one, EXECUTION)
    one.clear()
    one.update(arranged)


def _shorten_blocks(blocks: Any, request: Mapping[str, Any]) -> bool:
    """Leave out the indent of a block if it is 0, and its config if it is that of the request."""
    if not isinstance(blocks, list) or not blocks or not _all_have(blocks, BLOCK):
        return False
    for at, block in enumerate(blocks):
        usual = _usual(block, request)
        blocks[at] = {key: block[key] for key in BLOCK if not _same(block[key], usual.get(key, MISSING))}
    return True


def _short_events(events: list[dict[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """Return the events of a stream in the short form, apart from their times, and what was left out."""
    contents = [event["data"]["content"] for event in events if _is_execution(event["data"])]
    names = ["executions"] if _shorten_executions([None, each["execution"]] for each in contents) else []
    times = " ".join(json.dumps(event["at"]) for event in events)
    return {"events": [_short_event(event["data"]) for event in events], "at": times}, names


def _short_event(data: Any) -> Any:
    """Return an event as the list of its type and content, or in a mapping of its own if it is unusual."""
    if _has(data, ("type", "content")) and isinstance(data["type"], str):
        kind, content = data["type"], data["content"]
        if _is_execution(data):
            return [kind, [[content["block_type"], content["block_name"]], content["execution"]]]
        if kind == "block_status" and _has(content, STATUS):
            return [kind, _row(content)]
        if not isinstance(content, list):
            return [kind, content]
    return {"data": data}


def _is_execution(data: Any) -> bool:
    """Return True for the event of a trace."""
    return (
        _has(data, ("type", "content"))
        and data["type"] == "block_execution"
        and _has(data["content"], ("block_type", "block_name", "execution"))
    )


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def restore(document: dict[str, Any]) -> None:
    """Bring a document back from the short form; raises CassetteError if a part that it needs is missing."""
    try:
        for exchange in _exchanges(document):
            if _holds_run(exchange.get("body")) and "shortened" not in exchange:
                raise CassetteError("is incomplete: it does not say what is shortened")
            if "events" in exchange:
                _restore_events(exchange)
            elif names := _names(exchange, NAMES):
                _restore_run(exchange["body"]["run"], document["request"], names)
        if (
            "specification" in _names(document, {"specification"})
            and document.get("specification") is not None
        ):
            _restore_blocks(document["specification"], document["request"])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise CassetteError("is incomplete: a part from which another one is restored is missing") from None


def _exchanges(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the exchanges in a document, which may hold anything in their place."""
    attempts = document.get("attempts", [document])
    for attempt in attempts if isinstance(attempts, list) else ():
        exchanges = attempt.get("exchanges") if isinstance(attempt, dict) else None
        if isinstance(exchanges, list):
            yield from (each for each in exchanges if isinstance(each, dict))


def _names(holder: Mapping[str, Any], known: AbstractSet[str]) -> set[str]:
    """Return what is shortened; raises CassetteError if another version of pytest-dust has to restore it."""
    names = set(holder.get("shortened", ()))
    if not names <= known:
        unknown = min(map(str, names - known))
        raise CassetteError(f"is shortened in a way that this pytest-dust does not know: {unknown[:20]}")
    return names


def _restore_run(run: dict[str, Any], request: Mapping[str, Any], names: set[str]) -> None:
    traces = _traces(run)
    if "executions" in names:
        _restore_executions(traces)
    if "statuses" in names:
        rows = run["status"].get("blocks")
        run["status"]["blocks"] = _statuses(traces) if rows is None else [_from_row(each) for each in rows]
    if "results" in names:
        run["results"] = run["traces"][-1][1]
    for name in names & ECHOES.keys():
        run[name] = _echo(request, name)
        if run[name] is MISSING:
            raise KeyError(name)


def _restore_executions(traces: Iterable[list[Any]]) -> None:
    for _, rows in traces:
        for one in _executions(rows):
            one.setdefault("error", None)
            one.setdefault("meta", None)


def _restore_blocks(blocks: list[Any], request: Mapping[str, Any]) -> None:
    for at, block in enumerate(blocks):
        blocks[at] = {**_usual(block, request), **block}


def _restore_events(exchange: dict[str, Any]) -> None:
    written = exchange["events"]
    if not isinstance(written, list):
        return  # it is refused where it is read
    events = [_whole_event(each) for each in written]
    if "executions" in _names(exchange, {"executions"}):
        _restore_executions([None, each["content"]["execution"]] for each in events if _is_execution(each))
    times = exchange["at"].split() if isinstance(exchange.get("at"), str) else ()
    if len(times) != len(events):
        raise CassetteError("is incomplete: its at has not one time for each event")
    exchange["events"] = [{"at": float(time), "data": data} for time, data in zip(times, events, strict=True)]


def _whole_event(written: Any) -> Any:
    """Return the data of an event in the short form."""
    if isinstance(written, dict) and "data" in written:
        return written["data"]
    if not isinstance(written, list) or len(written) != 2:
        raise CassetteError("is incomplete: an event without data")
    kind, content = written
    if isinstance(content, list) and kind == "block_execution":
        (block_type, block_name), execution = content
        content = {"block_type": block_type, "block_name": block_name, "execution": execution}
    elif isinstance(content, list):
        content = _from_row(content)
    return {"type": kind, "content": content}


# ── what follows from what ───────────────────────────────────────────────────────────────────────


def _echo(request: Mapping[str, Any], name: str) -> Any:
    """Return the value of a key of the run if it repeats the request; MISSING if the request has none."""
    value: Any = request
    for step in ECHOES[name]:
        value = value.get(step, MISSING) if isinstance(value, dict) else MISSING
    return value if value is MISSING or name != "config" else {"blocks": value}


def _last_executions(run: Mapping[str, Any]) -> Any:
    """Return the executions of a run's last trace, MISSING if it has none."""
    traces = run.get("traces")
    last = traces[-1] if isinstance(traces, list) and traces else None
    return last[1] if isinstance(last, list) and len(last) > 1 else MISSING


def _statuses(traces: Iterable[list[Any]]) -> list[dict[str, Any]]:
    """Return the status that each block has if it counts the executions of its last trace."""
    found = {}
    for block, rows in traces:
        if _is_block(block):
            kind, name = block
            errors = [one.get("error") for one in _executions(rows)]
            succeeded = errors.count(None)
            failed = len(errors) - succeeded
            found[kind, name] = {
                "block_type": kind,
                "name": name,
                "status": "errored" if failed else "succeeded",
                "success_count": succeeded,
                "error_count": failed,
            }
    return list(found.values())


def _is_block(block: Any) -> bool:
    """Return True for the type and name of a block."""
    return (
        isinstance(block, list)
        and len(block) == 2
        and isinstance(block[0], str)
        and isinstance(block[1], str)
    )


def _usual(block: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a block of a specification that may be left out: its indent and its config."""
    config, name = request.get("config"), block["name"]
    if not isinstance(config, dict) or not isinstance(name, str):
        return {"indent": 0, "config": {}}
    return {"indent": 0, "config": config.get(name, {})}


def _traces(run: Mapping[str, Any]) -> list[list[Any]]:
    """Return the traces of a run that have the form `[block, executions]`."""
    traces = run.get("traces")
    if not isinstance(traces, list):
        return []
    return [trace for trace in traces if isinstance(trace, list) and len(trace) == 2]


def _executions(rows: Any) -> list[dict[str, Any]]:
    """Return the executions in `executions[input][iteration]`."""
    if not isinstance(rows, list):
        return []
    return [one for row in rows if isinstance(row, list) for one in row if isinstance(one, dict)]


def _row(status: Mapping[str, Any]) -> list[Any]:
    return [status[key] for key in STATUS]


def _from_row(row: list[Any]) -> dict[str, Any]:
    return dict(zip(STATUS, row, strict=True))


def _arranged(value: Mapping[str, Any], first: tuple[str, ...]) -> dict[str, Any]:
    """Return a mapping with some of its keys moved to the front."""
    front = {key: value[key] for key in first if key in value}
    return {**front, **value}


def _has(value: Any, keys: tuple[str, ...]) -> bool:
    """Return True for a mapping with these keys and no other."""
    return isinstance(value, dict) and value.keys() == set(keys)


def _all_have(values: Iterable[Any], keys: tuple[str, ...]) -> bool:
    return all(_has(each, keys) for each in values)


def _same(one: Any, other: Any) -> bool:
    """Return True if two values have the same JSON, unlike `1`, `1.0` and `true`; MISSING has none."""
    if one is MISSING or one != other:
        return False
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
