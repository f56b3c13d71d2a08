"""The expectations of a case: read from the suite, and judged against the run view."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from pytest_dust import paths
from pytest_dust.checks.binding import Broken, Here, bind, judge
from pytest_dust.checks.matchers import MATCHERS
from pytest_dust.compare.equality import differences
from pytest_dust.errors import did_you_mean
from pytest_dust.model import MISSING, Bound, Change, Expectation, Failure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_dust.masking import Mask

TOP = ("status", "error", "usage", "blocks", "duration", "specification_hash", "run_id")
BLOCK = ("type", "status", "iterations", "success_count", "error_count", "usage", "duration")
_NUMBERED = {"output": "outputs", "error": "errors", "result": "results"}

BUILT_IN = Here(table=MATCHERS)
SUCCEEDS = Expectation("status", bind("succeeded", BUILT_IN))
"""The expectation that is added to a case whose own mention neither status nor error."""


def read(path: str, written: Any, *, plural: bool, here: Here = BUILT_IN) -> Expectation:
    """The expectation in one entry of `expect`; raises PathError or ArgumentError."""
    for steps in paths.beginnings(path):
        _check_names(steps, plural=plural)
    return Expectation(path, bind(written, here))


def names_outcome(path: str) -> bool:
    """True if a path looks at the run's status or error."""
    return any(steps[0] in ("status", "error") for steps in paths.beginnings(path))


def masked(expect: Iterable[Expectation], mask: Mask) -> tuple[Expectation, ...]:
    """The expectations with the secrets in them masked, as they are in the run that they judge."""
    return tuple(one if _is_left(one, mask) else _with_masked(one, mask) for one in expect)


def _is_left(one: Expectation, mask: Mask) -> bool:
    """True if it is plain at once that nothing in an expectation is masked."""
    return all(not bound.from_file and mask.leaves(bound.written) for bound in one.matchers)


def _with_masked(one: Expectation, mask: Mask) -> Expectation:
    """The expectation with the secrets in it masked."""
    of_a_block = _is_of_a_block(one.path)
    matchers = tuple(_masked(bound, mask, of_a_block=of_a_block) for bound in one.matchers)
    return one if matchers == one.matchers else replace(one, matchers=matchers)


def _is_of_a_block(path: str) -> bool:
    """True if a path finds a block's output itself: no count, name or usage, and no result of a function."""
    found = paths.beginnings(path)
    return bool(found) and "(" not in path and all(map(_leads_to_a_value, found))


def _leads_to_a_value(steps: paths.Steps) -> bool:
    of_a_block = len(steps) > 2 and steps[0] == "blocks" and steps[2] in ("output", "outputs")
    return of_a_block or steps[0] in ("result", "results")


def _masked(bound: Bound, mask: Mask, *, of_a_block: bool) -> Bound:
    """The matcher with the secrets in its texts masked; prepared objects, such as patterns, stay as they are.

    A number is masked only if it is compared with a block's output itself, not with a length or size of it.
    """
    compared = of_a_block and not bound.measures
    written = mask.expected(bound.written, of_a_block=compared)
    if written == bound.written and not bound.from_file:
        return bound
    return replace(bound, written=written, argument=_masked_in(bound.argument, mask, of_a_block=compared))


def _masked_in(argument: Any, mask: Mask, *, of_a_block: bool) -> Any:
    if isinstance(argument, Bound):
        return _masked(argument, mask, of_a_block=of_a_block)
    if isinstance(argument, tuple):
        return tuple(_masked_in(each, mask, of_a_block=of_a_block) for each in argument)
    return mask.expected(argument, of_a_block=of_a_block)


def failures(expect: Iterable[Expectation], view: dict[str, Any]) -> tuple[Failure, ...]:
    """All expectations that do not hold, in the order of the suite."""
    return Judging(expect, view).run()


class Judging:
    """Judges expectations against a run's view, and knows how far it is."""

    def __init__(self, expect: Iterable[Expectation], view: dict[str, Any]) -> None:
        self._expect = tuple(expect)
        self._view = view
        self._found: list[Failure] = []
        self._begun = 0
        self._step = Failure("", SUCCEEDS.matchers[0].expected, MISSING)
        """The failure to report if the time is up now."""

    @property
    def bounded(self) -> bool:
        """True if each matcher stops by itself when the time is up; else judging needs its own thread."""
        return all(bound.bounded for one in self._expect for bound in one.matchers)

    def run(self) -> tuple[Failure, ...]:
        """The expectations that do not hold, in their order; raises TimeIsUp if the time is up."""
        for one in self._expect:
            self._begun += 1
            self._judge(one)
        return tuple(self._found)

    def overdue(self, seconds: float) -> tuple[Failure, ...]:
        """The failures found before the time of so many seconds was up, and one for what was being judged."""
        found, step, begun = tuple(self._found), self._step, self._begun
        where = "looking up this path" if step.actual is MISSING else "this matcher"
        left = len(self._expect) - begun
        rest = f"; what is expected after it ({left}) was not judged" if left else ""
        note = f"{where} took longer than {seconds:g} s; simplify it, or raise timeout: in the suite{rest}"
        return (*found, replace(step, note=note))

    def _judge(self, one: Expectation) -> None:
        self._step = Failure(one.path, one.matchers[0].expected, MISSING, line=one.line)
        try:
            value = paths.find(one.path, self._view)
        except paths.PathError as error:
            note = f"the path cannot be evaluated on this run: {error}"
            self._found += [replace(self._step, expected=bound.expected, note=note) for bound in one.matchers]
            return
        for bound in one.matchers:
            self._step = Failure(one.path, bound.expected, value, line=one.line)
            verdict = judge(value, bound)
            if verdict is not True:
                self._found.append(_explained(self._step, bound, verdict or "", self._view))


def _explained(failure: Failure, bound: Bound, note: str, view: dict[str, Any]) -> Failure:
    """The failure with its reason; `note` is what the matcher says."""
    path, value = failure.path, failure.actual
    if value is MISSING and not isinstance(note, Broken):
        return replace(failure, note=paths.how_far(path, view))
    note = _unknown_usage(path, value, view) or note
    plain = str(note)  # a record holds no subclass of str
    return replace(failure, note=plain, changes=_changes(bound, value))


def _check_names(steps: paths.Steps, *, plural: bool) -> None:
    """Raise PathError for names that no run view has, so that mistakes are found at collection."""
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


def _unknown_usage(path: str, value: object, view: dict[str, Any]) -> str:
    """Why a path into the usage finds null: which blocks' tokens are unknown; an empty text otherwise."""
    parts = value.values() if isinstance(value, dict) else [value]
    if None not in parts or not any("usage" in steps for steps in paths.beginnings(path)):
        return ""
    blocks = view.get("blocks", {})
    names = [
        f"{name} ({block['type']})"
        for name, block in blocks.items()
        if block.get("usage", {}).get("total_tokens", 0) is None
    ]
    return f"unknown: the service gives no tokens for {', '.join(names)}" if names else ""


def _changes(bound: Bound, value: object) -> tuple[Change, ...]:
    """The differences between a list or mapping and the one expected; none for other values."""
    both = (bound.written, value)
    alike = all(isinstance(side, dict) for side in both) or all(isinstance(side, list) for side in both)
    if bound.name != "equals" or not alike:
        return ()
    with suppress(RecursionError):  # too deep: the failure is reported without them
        return tuple(differences(*both))
    return ()
