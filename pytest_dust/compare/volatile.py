"""The values that are new in every run, by type of block; left out of comparisons by default."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_dust.compare.equality import equal
from pytest_dust.compare.left_out import Pattern
from pytest_dust.model import MISSING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from pytest_dust.model import Execution, Path, Run, Trace

_HEADERS = (
    # when the reply was made, and how old a cache's copy of it is
    "date", "age", "expires", "last-modified", "etag", "retry-after",
    # which request it was, as clouds and gateways number them
    "set-cookie", "set-cookie2", "*request-id", "*requestid", "*correlation-id", "*trace-id", "*traceid",
    "*trace-context", "traceparent", "tracestate", "x-b3-*", "x-amz-id-2", "x-amz-cf-*", "x-vercel-id",
    "*transaction-id", "x-azure-ref", "x-guploader-uploadid", "cf-ray", "nel", "report-to",
    # which machine answered, how fast, and how much is left of a limit
    "via", "x-served-by", "x-cache", "x-cache-hits", "x-timer", "cf-cache-status", "x-runtime",
    "x-response-time", "x-envoy-upstream-service-time", "server-timing", "*processing-ms",
    "*ratelimit*", "*rate-limit*",
)  # fmt: skip
TABLE: Mapping[str, tuple[str, ...]] = {
    "curl": ("created", *(f"headers.{name}" for name in _HEADERS)),
    "llm": ("*.logprobs", "*.top_logprobs"),
    "chat": (
        "message.function_call.id",
        "message.function_calls.*.id",
        "message.contents.*.value.id",
    ),
    "search": (
        "id",
        "*request_id",
        "*requestid",
        "*time_taken*",
        "created*",
        "processed_at",
        "search_metadata.*",
        "search_parameters.*request*id",
        "search_information.*time*",
    ),
    "data_source": ("*.chunks.*.score",),
}
"""Paths below a block's value; `*` is any part of a name, or any index. Upper and lower case are equal."""

_STEPS = {kind: tuple(tuple(path.split(".")) for path in paths) for kind, paths in TABLE.items()}
LONG = 8
"""Minimum length of a value that is recognized if a later block passes it on."""


class Place(NamedTuple):
    """The place of a volatile value: block, input and iteration, and the steps below the block's value."""

    type: str
    name: str
    input: int
    iteration: int
    steps: Path


class Volatile(NamedTuple):
    """The volatile values of two runs: the patterns that leave them out, and those that differed."""

    patterns: tuple[Pattern, ...] = ()
    names: tuple[str, ...] = ()
    """The names of those that differed, such as `curl headers.date`."""
    passed_on: frozenset[tuple[Any, Any]] = frozenset()
    """The old and new values that differed, if they are long enough to be recognized elsewhere."""


def between(old: Run, new: Run, *, plural: bool) -> Volatile:
    """The volatile values in the blocks that two runs of an app have in common."""
    common = {_block(trace) for trace in old.traces} & {_block(trace) for trace in new.traces}
    before, after = (dict(_values(run, common)) for run in (old, new))
    pairs = {at: (before.get(at, MISSING), after.get(at, MISSING)) for at in {**before, **after}}
    both = {at[:4] for at in before} & {at[:4] for at in after}
    changed = {at: pair for at, pair in pairs.items() if at[:4] in both and _differ(at, pair)}
    return Volatile(
        tuple(_patterns(old, new, list(pairs), plural=plural)),
        tuple(dict.fromkeys(f"{at.type} {_shown(at.steps)}" for at in changed)),
        frozenset(pair for pair in changed.values() if _are_recognizable(*pair)),
    )


def _differ(at: Place, pair: tuple[Any, Any]) -> bool:
    """True if two values differ and neither is of a list element that only one run has."""
    in_one_run = MISSING in pair and any(isinstance(step, int) for step in at.steps)
    return not in_one_run and not equal(*pair)


def _values(run: Run, blocks: AbstractSet[tuple[str, str]]) -> Iterator[tuple[Place, Any]]:
    """The volatile values of these blocks of a run."""
    known = [trace for trace in run.traces if trace.type in _STEPS and _block(trace) in blocks]
    for trace in known:
        for at, executions in enumerate(trace.executions):
            for iteration, one in enumerate(executions):
                for steps, value in _found(trace.type, one):
                    yield Place(trace.type, trace.name, at, iteration, steps), value


def _found(kind: str, one: Execution) -> Iterator[tuple[Path, Any]]:
    for pattern in _STEPS[kind]:
        yield from _below(one.value, pattern, ())


def _below(value: Any, pattern: tuple[str, ...], path: Path) -> Iterator[tuple[Path, Any]]:
    """The parts of a value that a pattern matches."""
    if not pattern:
        yield path, value
        return
    step, *rest = pattern
    if isinstance(value, dict):
        for name, each in value.items():
            if fnmatchcase(name.lower(), step):
                yield from _below(each, tuple(rest), (*path, name))
    elif isinstance(value, list) and step == "*":
        for at, each in enumerate(value):
            yield from _below(each, tuple(rest), (*path, at))


def _patterns(old: Run, new: Run, places: list[Place], *, plural: bool) -> Iterator[Pattern]:
    """Patterns for the volatile values in the run view: in their blocks, and in the result."""
    s, each = ("s", ("*",)) if plural else ("", ())
    loops = {(trace.type, trace.name) for run in (old, new) for trace in run.traces if trace.loop}
    lasts = {_block(run.traces[-1]) for run in (old, new) if run.traces}
    for at in places:
        block = (at.type, at.name)
        below = (*each, *(("*",) if block in loops else ()), *_any_index(at.steps))
        yield Pattern(("blocks", at.name, f"output{s}", *below))
        if lasts == {block}:
            yield Pattern((f"result{s}", *below))


def _block(trace: Trace) -> tuple[str, str]:
    return trace.type, trace.name


def _any_index(steps: Path) -> tuple[str, ...]:
    return tuple("*" if isinstance(step, int) else step for step in steps)


def _shown(steps: Path) -> str:
    """The steps in lower case, as headers come in any case; all of `search_metadata` has one name."""
    named = steps[:1] if steps[0] == "search_metadata" else steps
    return ".".join(_any_index(named)).lower()


def _are_recognizable(*values: Any) -> bool:
    """True if two values are so long that another block with the same values must have them from here."""
    return all(isinstance(each, str | int | float) and len(str(each)) >= LONG for each in values)
