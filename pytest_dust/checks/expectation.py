"""What a case expects: read from the suite, judged against the run view."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_dust.checks import paths
from pytest_dust.checks.binding import Here, bind, judge
from pytest_dust.checks.equality import differences
from pytest_dust.checks.matchers import MATCHERS
from pytest_dust.errors import did_you_mean
from pytest_dust.model import MISSING, Bound, Change, Expectation, Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_dust.masking import Mask

TOP = ("status", "error", "usage", "blocks", "duration", "specification_hash", "run_id")
BLOCK = ("type", "status", "iterations", "success_count", "error_count", "usage", "duration")
_NUMBERED = {"output": "outputs", "error": "errors", "result": "results"}

BUILT_IN = Here(table=MATCHERS)
SUCCEEDS = Expectation("status", bind("succeeded", BUILT_IN))
"""What a case expects that says nothing of its status or error."""


def read(path: str, written: Any, *, plural: bool, here: Here = BUILT_IN) -> Expectation:
    """One entry of `expect`; raises PathError or ArgumentError."""
    for steps in paths.beginnings(path):
        _check_names(steps, plural=plural)
    return Expectation(path, bind(written, here))


def names_outcome(path: str) -> bool:
    """Whether a path speaks of the run's status or error."""
    return any(steps[0] in ("status", "error") for steps in paths.beginnings(path))


def masked(expect: Iterable[Expectation], mask: Mask) -> tuple[Expectation, ...]:
    """The expectations with the secrets in them masked, as they are in the run that they are held against."""
    return tuple(
        Expectation(one.path, tuple(_masked(bound, mask) for bound in one.matchers)) for one in expect
    )


def _masked(bound: Bound, mask: Mask) -> Bound:
    """The matcher with secrets in its texts masked; prepared things, such as patterns, stay as they are."""
    if mask.value(bound.written) == bound.written:
        return bound
    return replace(bound, written=mask.value(bound.written), argument=_covered(bound.argument, mask))


def _covered(argument: Any, mask: Mask) -> Any:
    if isinstance(argument, Bound):
        return _masked(argument, mask)
    if isinstance(argument, tuple):
        return tuple(_covered(each, mask) for each in argument)
    return mask.value(argument)


def failures(expect: Iterable[Expectation], view: dict[str, Any]) -> tuple[Failure, ...]:
    """The expectations that do not hold, all of them, in the order of the suite."""
    return tuple(failure for one in expect for failure in _failures(one, view))


def _check_names(steps: paths.Steps, *, plural: bool) -> None:
    """Refuse names that no run view has, so that a slip shows at collection."""
    _check_name(steps[0], (*TOP, "results" if plural else "result"), plural=plural)
    if steps[0] == "blocks" and len(steps) > 2:
        pair = ("outputs", "errors") if plural else ("output", "error")
        _check_name(steps[2], (*BLOCK, *pair), plural=plural)


def _check_name(name: str | int, allowed: tuple[str, ...], *, plural: bool) -> None:
    if name in allowed or isinstance(name, int):
        return
    for singular, other in _NUMBERED.items():
        if plural and name == singular and other in allowed:
            raise paths.PathError(f'with inputs it is "{other}", a list with one entry per input')
        if not plural and name == other and singular in allowed:
            raise paths.PathError(f'"{other}" needs inputs; with one input it is "{singular}"')
    hint = did_you_mean(name, allowed)
    raise paths.PathError(f'a run has no "{name}"; it has: {", ".join(allowed)}{hint}')


def _failures(expectation: Expectation, view: dict[str, Any]) -> Iterator[Failure]:
    try:
        value = paths.find(expectation.path, view)
    except paths.PathError as error:
        for bound in expectation.matchers:
            yield Failure(expectation.path, bound, MISSING, f"the path does not fit what came: {error}")
        return
    for bound in expectation.matchers:
        verdict = judge(value, bound)
        if verdict is True:
            continue
        if value is MISSING:
            yield Failure(expectation.path, bound, value, paths.how_far(expectation.path, view))
        else:
            yield Failure(expectation.path, bound, value, verdict or "", _changes(bound, value))


def _changes(bound: Bound, value: object) -> tuple[Change, ...]:
    """Where a structure differs from the one expected; nothing for single values."""
    both = (bound.written, value)
    alike = all(isinstance(side, dict) for side in both) or all(isinstance(side, list) for side in both)
    return tuple(differences(*both)) if bound.name == "equals" and alike else ()
