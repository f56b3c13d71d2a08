"""What of a block's value is new in every run, by the block's type: left out of comparisons by default."""

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
"""Paths below a block's value; `*` is any part of a name, or any index. The case of letters is nothing."""

_STEPS = {kind: tuple(tuple(path.split(".")) for path in paths) for kind, paths in TABLE.items()}
LONG = 8
"""Characters of a value that is known again where a later block passes it on."""


class Place(NamedTuple):
    """A place of a volatile value: its block, input and iteration, and the steps below the block's value."""

    type: str
    name: str
    input: int
    iteration: int
    steps: Path


class Volatile(NamedTuple):
    """What is new of two runs: the patterns that leave it out, and what really differed."""

    patterns: tuple[Pattern, ...] = ()
    names: tuple[str, ...] = ()
    """What differed, such as `curl headers.date`."""
    passed_on: frozenset[tuple[Any, Any]] = frozenset()
    """The values before and now, where they are long enough to be known again."""


def between(old: Run, new: Run, *, plural: bool) -> Volatile:
    """What is volatile in the blocks that two runs of an app have in common, in terms of the run view."""
    common = {_block(trace) for trace in old.traces} & {_block(trace) for trace in new.traces}
    before, after = (dict(_values(run, common)) for run in (old, new))
    pairs = {at: (before.get(at, MISSING), after.get(at, MISSING)) for at in {**before, **after}}
    both = {at[:4] for at in before} & {at[:4] for at in after}
    changed = {at: pair for at, pair in pairs.items() if at[:4] in both and _differ(at, pair)}
    return Volatile(
        tuple(_patterns(old, new, list(pairs), plural=plural)),
        tuple(dict.fromkeys(f"{at.type} {_shown(at.steps)}" for at in changed)),
        frozenset(pair for pair in changed.values() if _is_known_again(*pair)),
    )


def _differ(at: Place, pair: tuple[Any, Any]) -> bool:
    """Whether two values differ, but for those of a list's element that only one run has."""
    lonely = MISSING in pair and any(isinstance(step, int) for step in at.steps)
    return not lonely and not equal(*pair)


def _values(run: Run, blocks: AbstractSet[tuple[str, str]]) -> Iterator[tuple[Place, Any]]:
    """The volatile values of some of a run's blocks."""
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
    """What a pattern names below a value."""
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
    """Where the run view shows volatile values: in their blocks, and in the result if one gives it."""
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
    """The steps in small letters, as headers come in any case; what a search tells of itself has one name."""
    named = steps[:1] if steps[0] == "search_metadata" else steps
    return ".".join(_any_index(named)).lower()


def _is_known_again(*values: Any) -> bool:
    """Whether two values are so long that another block which gives the same must have them from there."""
    return all(isinstance(each, str | int | float) and len(str(each)) >= LONG for each in values)
