"""The table of matchers: the name of each, its kind of argument, and the function that judges a value.

To add one, write a function `(value, argument) -> Verdict` under `@matcher(argument)`; its name, less a
trailing underscore, is the matcher's. It returns True if it holds, False if it fails, or a text that says
why it fails. Its docstring becomes its description in the JSON Schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import chain
from typing import Any

from pytest_dust.checks import arguments
from pytest_dust.checks.binding import (
    Argument,
    Broken,
    Matcher,
    Verdict,
    WrongType,
    json_type,
    judge,
    unmet,
)
from pytest_dust.checks.patterns import found
from pytest_dust.compare.equality import absent, equal, unmatched
from pytest_dust.compare.similarity import likeness
from pytest_dust.deadline import seconds_left
from pytest_dust.json_values import decode
from pytest_dust.model import MISSING, Bound
from pytest_dust.wording import first_names, kind, plural

MATCHERS: dict[str, Matcher] = {}


def matcher(argument: Argument, **declared: bool) -> Callable[[Callable[[Any, Any], Verdict]], Matcher]:
    """Enter the decorated function into the table, for arguments of this kind.

    `declared` are the flags of Matcher: bounded, sees_missing, measures, negates.
    """

    def enter(holds: Callable[[Any, Any], Verdict]) -> Matcher:
        name = holds.__name__.rstrip("_")
        MATCHERS[name] = Matcher(name, argument, holds, **declared)
        return MATCHERS[name]

    return enter


def project(name: str, holds: Callable[[Any, Any], Verdict]) -> Matcher:
    """A project's own matcher, which takes any argument; a result that is no text counts as true or false."""

    def plain(value: Any, argument: Any) -> Verdict:
        verdict = holds(value, argument)
        return str(verdict) if isinstance(verdict, str) else bool(verdict)

    plain.__doc__ = getattr(holds, "__doc__", None)
    return Matcher(name, arguments.anything, plain, bounded=False)


@matcher(arguments.anything)
def equals(value: Any, wanted: Any) -> Verdict:
    """The same JSON value: 1 equals 1.0, but not true."""
    return equal(value, wanted)


@matcher(arguments.anything)
def contains(value: Any, wanted: Any) -> Verdict:
    """A text that contains this text, or a list that contains this element."""
    if isinstance(value, str):
        return isinstance(wanted, str) and wanted in value
    if isinstance(value, list):
        return any(equal(element, wanted) for element in value)
    return WrongType(f"it is {kind(value)}, neither text nor list")


@matcher(arguments.text)
def icontains(value: Any, wanted: str) -> Verdict:
    """A text that contains this text, or a list that has it as an element; upper and lower case are equal."""
    folded = wanted.casefold()
    if isinstance(value, str):
        return folded in value.casefold()
    if isinstance(value, list):
        return any(isinstance(item, str) and item.casefold() == folded for item in value)
    return WrongType(f"it is {kind(value)}, neither text nor list")


@matcher(arguments.choices)
def contains_any(value: Any, wanted: list[Any]) -> Verdict:
    """Contains at least one of these."""
    verdicts = [contains.holds(value, one) for one in wanted]
    return True in verdicts or next((verdict for verdict in verdicts if verdict), False)


@matcher(arguments.choices)
def contains_all(value: Any, wanted: list[Any]) -> Verdict:
    """Contains every one of these."""
    if isinstance(value, list):
        missing = absent(wanted, value)
        return f"the wanted {_indexes(missing[:1])} not in it" if missing else True
    for at, one in enumerate(wanted):
        verdict = contains.holds(value, one)
        if verdict is not True:
            return verdict or f"the wanted {_indexes([at])} not in it"
    return True


@matcher(arguments.text)
def starts_with(value: Any, wanted: str) -> Verdict:
    """A text that begins with this text."""
    return value.startswith(wanted) if isinstance(value, str) else _not("text", value)


@matcher(arguments.text)
def ends_with(value: Any, wanted: str) -> Verdict:
    """A text that ends with this text."""
    return value.endswith(wanted) if isinstance(value, str) else _not("text", value)


@matcher(arguments.pattern)
def matches(value: Any, wanted: re.Pattern[str]) -> Verdict:
    """A text in which this regular expression is found."""
    return found(wanted, value) if isinstance(value, str) else _not("text", value)


@matcher(arguments.choices)
def one_of(value: Any, wanted: list[Any]) -> Verdict:
    """One of these values."""
    return any(equal(value, choice) for choice in wanted)


@matcher(arguments.json_types)
def type_(value: Any, wanted: tuple[str, ...]) -> Verdict:
    """A value of this JSON type: string, number, integer, boolean, array, object, null."""
    found = json_type(value)
    fits = found in wanted or (found == "integer" and "number" in wanted)
    return fits or f"it is {kind(value)}"


@matcher(arguments.measured("equals"), measures=True)
def length(value: Any, wanted: tuple[Bound, ...]) -> Verdict:
    """A text of this number of characters, or a list or mapping of this number of entries."""
    return _measured(value, wanted)


@matcher(arguments.measured("gte"), measures=True)
def min_length(value: Any, wanted: tuple[Bound, ...]) -> Verdict:
    """A text, list or mapping of at least this length."""
    return _measured(value, wanted)


@matcher(arguments.measured("lte"), measures=True)
def max_length(value: Any, wanted: tuple[Bound, ...]) -> Verdict:
    """A text, list or mapping of at most this length."""
    return _measured(value, wanted)


@matcher(arguments.measured("equals"), measures=True)
def word_count(value: Any, wanted: tuple[Bound, ...]) -> Verdict:
    """A text of this number of words, separated by white space."""
    if not isinstance(value, str):
        return _not("text", value)
    words = len(value.split())
    return _of_measure(f"it has {words:,} words", unmet(words, wanted))


@matcher(arguments.number, measures=True)
def gt(value: Any, wanted: float) -> Verdict:
    """A number greater than this."""
    return value > wanted if _is_number(value) else _not("a number", value)


@matcher(arguments.number, measures=True)
def gte(value: Any, wanted: float) -> Verdict:
    """A number greater than or equal to this."""
    return value >= wanted if _is_number(value) else _not("a number", value)


@matcher(arguments.number, measures=True)
def lt(value: Any, wanted: float) -> Verdict:
    """A number less than this."""
    return value < wanted if _is_number(value) else _not("a number", value)


@matcher(arguments.number, measures=True)
def lte(value: Any, wanted: float) -> Verdict:
    """A number less than or equal to this."""
    return value <= wanted if _is_number(value) else _not("a number", value)


@matcher(arguments.tolerance, measures=True)
def approx(value: Any, wanted: tuple[float, float, float]) -> Verdict:
    """A number within a tolerance: the greater of `abs`, and `rel` times the expected value."""
    target, absolute, relative = wanted
    if not _is_number(value):
        return _not("a number", value)
    away = abs(Fraction(value) - Fraction(target))  # exact for integers of any size
    allowed = max(Fraction(absolute), Fraction(relative) * abs(Fraction(target)))
    return away <= allowed or f"it is {_short(away)} away"


@matcher(arguments.anything)
def includes(value: Any, wanted: Any) -> Verdict:
    """A value that has all of this, at every depth: keys of mappings, elements of lists in any order."""
    return _lack(value, wanted, "") or True


@matcher(arguments.elements)
def unordered(value: Any, wanted: list[Any]) -> Verdict:
    """A list of exactly these elements, in any order."""
    if not isinstance(value, list):
        return _not("a list", value)
    missing, extra = unmatched(wanted, value)
    reasons = [f"the wanted {_indexes(missing)} not in it"] if missing else []
    reasons += [f"its {_indexes(extra)} not wanted"] if extra else []
    return "; ".join(reasons) or True


@matcher(arguments.json_schema, bounded=False, measures=True)
def schema(value: Any, check: Callable[[Any], str]) -> Verdict:
    """A value that is valid by this JSON Schema."""
    return check(value) or True


@matcher(arguments.matchers)
def json(value: Any, wanted: tuple[Bound, ...]) -> Verdict:
    """A text that is JSON, whose value is this or fits these matchers."""
    if not isinstance(value, str):
        return _not("text", value)
    try:
        parsed = decode(value)
    except (ValueError, RecursionError) as error:
        return f"it is not JSON: {str(error)[:100]}"
    return unmet(parsed, wanted) or True


@matcher(arguments.deep_comparison, bounded=False)
def deepdiff(value: Any, wanted: tuple[Any, Any]) -> Verdict:
    """A value in which DeepDiff, with these options, finds no difference from this one."""
    from pytest_dust.checks.deepdiffs import differences

    return differences(value, *wanted[:2]) or True


@matcher(arguments.similarity, measures=True)
def similar(value: Any, wanted: tuple[str, float]) -> Verdict:
    """A text similar to this one; the ratio is the share of characters that both have in common."""
    if not isinstance(value, str):
        return _not("text", value)
    found = likeness(value, wanted[0])
    return found >= wanted[1] or f"the ratio is {found:.3f}"


@matcher(arguments.matchers)
def every(value: Any, wanted: tuple[Bound, ...]) -> Verdict:
    """A list of which all elements fit this."""
    if not isinstance(value, list):
        return _not("a list", value)
    for at, element in enumerate(value):
        if reason := unmet(element, wanted):
            return _inside(reason, f"[{at}] fails ")
    return True


@matcher(arguments.matchers)
def any_(value: Any, wanted: tuple[Bound, ...]) -> Verdict:
    """A list of which at least one element fits this."""
    if not isinstance(value, list):
        return _not("a list", value)
    return (
        _best(unmet(element, wanted) for element in value)
        or f"none of its {plural(len(value), 'element')} does"
    )


@matcher(arguments.alternatives, sees_missing=True)
def any_of(value: Any, wanted: tuple[tuple[Bound, ...], ...]) -> Verdict:
    """A value that fits at least one of these."""
    reasons = [unmet(value, each) for each in wanted]
    return _best(reasons) or "; ".join(f"[{at}] {reason}" for at, reason in enumerate(reasons))


@matcher(arguments.alternatives, sees_missing=True)
def all_of(value: Any, wanted: tuple[tuple[Bound, ...], ...]) -> Verdict:
    """A value that fits every one of these."""
    for at, each in enumerate(wanted):
        if reason := unmet(value, each):
            return _inside(reason, f"[{at}] ")
    return True


@matcher(arguments.boolean, sees_missing=True)
def exists(value: Any, wanted: bool) -> Verdict:  # noqa: FBT001
    """True if the path must find something, which may be null; false if it must not."""
    return (value is not MISSING) is wanted


@matcher(arguments.matchers, sees_missing=True, negates=True)
def not_(value: Any, wanted: tuple[Bound, ...]) -> Verdict:
    """A value that fits none of these matchers, or does not equal this literal."""
    for bound in wanted:
        verdict = judge(value, bound)
        if verdict is True or isinstance(verdict, WrongType | Broken):
            return verdict is not True and verdict
    return True


def _short(number: Fraction) -> str:
    try:
        return f"{float(number):g}"
    except OverflowError:
        return "very far"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _not(wanted: str, value: object) -> WrongType:
    return WrongType(f"it is {kind(value)}, not {wanted}")


def _inside(reason: str, where: str) -> str:
    """The reason of a part of the value, after the place of that part."""
    return reason.after(where) if isinstance(reason, Broken) else f"{where}{reason}"


def _measured(value: Any, wanted: tuple[Bound, ...]) -> Verdict:
    if not isinstance(value, str | list | dict):
        return WrongType(f"it is {kind(value)}, which has no length")
    return _of_measure(f"its length is {len(value):,}", unmet(len(value), wanted))


def _of_measure(measure: str, reason: str) -> Verdict:
    """The verdict for a measure that does not hold for a reason, which is empty if it does."""
    if isinstance(reason, Broken):
        return reason.after(f"{measure}; ")
    return measure if reason else True


def _best(reasons: Iterable[str]) -> Verdict | None:
    """True if one of the reasons is empty; else the first that is Broken, or None."""
    broken: Broken | None = None
    for reason in reasons:
        if not reason:
            return True
        if isinstance(reason, Broken) and broken is None:
            broken = reason
    return broken


def _lack(value: Any, wanted: Any, path: str) -> str:
    """What of `wanted` the value lacks, and where; an empty text if it lacks nothing."""
    seconds_left()  # the time grows with the product of both sizes
    if isinstance(wanted, dict) and isinstance(value, dict):
        for key, part in wanted.items():
            if key not in value:
                return f"{path}.{key} is not there".lstrip(".")
            if lack := _lack(value[key], part, f"{path}.{key}"):
                return lack
        return ""
    if isinstance(wanted, list) and isinstance(value, list):
        return _list_lack(value, wanted, path)
    return "" if equal(value, wanted) else f"{path.lstrip('.') or 'it'} differs"


def _list_lack(value: list[Any], wanted: list[Any], path: str) -> str:
    start = 0  # behind the element found last, as both lists usually have the same order
    for at, part in enumerate(wanted):
        places = chain(range(start, len(value)), range(start))
        found = next((place for place in places if not _lack(value[place], part, "")), None)
        if found is None:
            where = f" in {path.lstrip('.')}" if path else ""
            return f"no element{where} includes the wanted element [{at}]"
        start = found + 1
    return ""


def _indexes(places: list[int]) -> str:
    """The first indexes and the number of the others, with the verb: `[0], [3] are`."""
    return f"{first_names([f'[{at}]' for at in places], 5)} {'is' if len(places) == 1 else 'are'}"
