"""What accepted answers ask to be edited: pinned hashes, and the values of failed expectations."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from pytest_dust import paths
from pytest_dust.compare import repeats
from pytest_dust.cookies import MASKED
from pytest_dust.dust.run_view import viewed
from pytest_dust.json_values import ordered
from pytest_dust.model import MISSING, Case, Expectation, Outcome, Path
from pytest_dust.run.waiting import HASH, Waiting
from pytest_dust.suite.edits.suites import Insert, Replace
from pytest_dust.suite.edits.tables import SetCell
from pytest_dust.suite.yaml_reader import Document
from pytest_dust.wording import first_names

_ROW = re.compile(r"\$\{\s*row\.([^{}]+?)\s*\}")
TOGETHER = "one specification_hash is for all cases that are made here, so accept these too:"
MAX_NAMED = 3
"""Cases that a reason names."""


class Cell(Struct, frozen=True):
    """A cell of a dataset that gets another value."""

    dataset: str
    cell: SetCell


Target: TypeAlias = Replace | Insert | Cell
"""What is to be edited."""


class Wish(Struct, frozen=True):
    """A new value for one place, as one case wants it; the reason, if it cannot be edited."""

    case: str
    """The id of the case."""
    line: int
    """The line of the expectation, or of the hash, in the suite."""
    name: str
    """The path of the expectation, or `specification_hash`."""
    value: object
    """The new value; MISSING if the run has none."""
    target: Target | None = None
    reason: str = ""

    def refused(self, reason: str) -> Wish:
        """The wish as one that cannot be fulfilled."""
        return Wish(self.case, self.line, self.name, self.value, self.target, reason)


# ── the pinned hash ──────────────────────────────────────────────────────────────────────────────


def pins(
    document: Document, cases: Sequence[Case], waiting: Mapping[str, Waiting], kept: Collection[str]
) -> list[Wish]:
    """The edits that pin the new hashes of accepted cases; a wish with a reason cannot be fulfilled.

    `cases` are all cases of the suite, `waiting` the accepted answers by case id, and `kept` the ids of cases
    that have a cassette, which the new hash must not make useless.
    """
    wishes: list[Wish] = []
    for at, users in _by(cases, lambda case: _pinned_at(document, case)).items():
        wanted = {case.id: waiting[case.id].new_hash for case in users if case.id in waiting}
        if any(wanted.values()):
            others = {case.id for case in users if case.id not in waiting and case.id in kept}
            wishes += _pins_at(document, at, users, wanted, others)
    return wishes


def _by(cases: Iterable[Case], path: Callable[[Case], Path]) -> dict[Path, list[Case]]:
    """The cases by a path of each."""
    found: dict[Path, list[Case]] = {}
    for case in cases:
        found.setdefault(path(case), []).append(case)
    return found


def _pinned_at(document: Document, case: Case) -> Path:
    """The path of the hash that a case pins: its own, or the suite's."""
    own = (*case.at, HASH)
    return own if _at(document, own) is not MISSING else (HASH,)


def _pins_at(
    document: Document,
    at: Path,
    users: Sequence[Case],
    wanted: Mapping[str, str],
    others: Collection[str],
) -> Iterator[Wish]:
    """The edits of one pinned hash, or of the cases that use it; `others` must keep the old one."""
    hashes = set(wanted.values())
    if not others and len(hashes) == 1:
        reason = _computed(_at(document, at))
        target = Replace(at, hashes.pop())
        yield from (_pin(case, target, reason) for case in users if case.id in wanted)
        return
    for place, made in _by(users, lambda case: case.at).items():
        own = {wanted[case.id] for case in made if case.id in wanted}
        if own <= {""}:
            continue
        rest = [case.id for case in made if case.id in others or wanted.get(case.id) == ""]
        together = bool(rest) or len(own) > 1 or at == (*place, HASH)
        named = first_names(rest or [case.id for case in made], MAX_NAMED)
        insert = Insert(place, HASH, max(own))
        computed = _computed(_at(document, at)) if at == (*place, HASH) else ""
        reason = computed or (f"{TOGETHER} {named}" if together else "")
        yield from (_pin(case, insert, reason) for case in made if wanted.get(case.id))


def _pin(case: Case, target: Replace | Insert, reason: str) -> Wish:
    return Wish(case.id, case.pin_line, HASH, target.value, target, reason)


def _at(document: Document, path: Path) -> object:
    """The value that is written at a path; MISSING if there is none."""
    value: Any = document.value
    for step in path:
        inside = (
            step in value if isinstance(value, dict) else isinstance(value, list) and isinstance(step, int)
        )
        if not inside:
            return MISSING
        value = value[step]
    return value


def _computed(written: object) -> str:
    """Why a written value cannot be replaced; empty if it is a literal."""
    if _has_reference(written):
        return f"it is computed: {written}" if isinstance(written, str) else "it holds references"
    return ""


def _has_reference(written: object) -> bool:
    if isinstance(written, str):
        return "${" in written.replace("$${", "")
    if isinstance(written, Mapping):
        return any(map(_has_reference, written.values()))
    return isinstance(written, list) and any(map(_has_reference, written))


# ── failed expectations ──────────────────────────────────────────────────────────────────────────


def expectations(document: Document, one: Waiting, outcome: Outcome) -> Iterator[Wish]:
    """The new values of the failed expectations of an accepted case."""
    if outcome.holds or one.asked.case.may_fail:
        return  # a case that is expected to fail says what should come, not what comes
    failed: dict[str, set[str]] = {}
    for attempt in outcome.attempts:
        for failure in attempt.failures:
            failed.setdefault(failure.path, set()).add(failure.expected.name)
    for expectation in one.asked.case.expect:
        if expectation.path in failed:
            yield _wish(document, one, outcome, expectation, failed[expectation.path])


def _wish(
    document: Document, one: Waiting, outcome: Outcome, expectation: Expectation, failed: Collection[str]
) -> Wish:
    """The new value of one expectation."""
    value, agreed = _value(one, outcome, expectation.path)
    line = expectation.line or one.asked.case.place.line
    wish = Wish(one.asked.case.id, line, expectation.path, value)
    if not expectation.at:
        return wish.refused("it is not written in the suite")
    if set(failed) != {"equals"}:
        return wish.refused(f"{', '.join(sorted(failed))} is no literal")
    if value is MISSING:
        return wish.refused("the run has no such value")
    if not agreed:
        return wish.refused("its attempts have different values")
    at, written = _literal(document, expectation.at)
    if MASKED in _texts(value) and MASKED not in _texts(written):
        return wish.refused("a part of the value is masked")
    return _at_literal(wish, one.asked.case, at, written, value)


def _at_literal(wish: Wish, case: Case, at: Path, written: object, value: Any) -> Wish:
    """The wish with its place: the literal itself, or the cell that it refers to."""
    reference = _ROW.fullmatch(written) if isinstance(written, str) else None
    if reference is not None and case.row:
        if isinstance(value, dict) and at[-1] != "equals":
            return wish.refused("a mapping alone would be one of matchers; compare with it by equals")
        cell = Cell(case.dataset, SetCell(case.row_number, tuple(reference[1].split(".")), value))
        return Wish(wish.case, wish.line, wish.name, value, cell)
    if reason := _computed(written):
        return wish.refused(reason)
    if isinstance(value, dict) and at[-1] != "equals":
        value = {"equals": value}  # a mapping alone would be one of matchers
    return Wish(wish.case, wish.line, wish.name, value, Replace(at, value))


def _literal(document: Document, at: Path) -> tuple[Path, object]:
    """The path of an expectation's literal, itself or that of `equals`, and what is written there."""
    written = _at(document, at)
    if isinstance(written, Mapping) and "equals" in written:
        return (*at, "equals"), written["equals"]
    return at, written


def _value(one: Waiting, outcome: Outcome, path: str) -> tuple[Any, bool]:
    """The value that a path finds in most attempts, and whether in as many as must pass."""
    case = one.asked.case
    found = [_found(path, viewed(attempt.run, plural=case.plural).view) for attempt in outcome.attempts]
    counts = Counter(_key(value) for value in found)
    key, count = counts.most_common(1)[0]
    value = next(value for value in found if _key(value) == key)
    if case.repeat is None:
        return value, count == len(found)
    return value, bool(repeats.verdict(case.repeat, [_key(each) == key for each in found]).passed)


def _found(path: str, view: dict[str, Any]) -> Any:
    """What a path finds; MISSING if it cannot be evaluated, or finds what no suite can hold."""
    try:
        return ordered(paths.find(path, view))
    except (paths.PathError, RecursionError):
        return MISSING


def _key(value: object) -> str:
    """A text that is the same for equal values."""
    return "" if value is MISSING else repr(value)


def _texts(value: object) -> str:
    return value if isinstance(value, str) else repr(value)
