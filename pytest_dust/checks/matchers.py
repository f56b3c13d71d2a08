"""The table of matchers: a name, what its argument may be, and whether it holds.

To add one, write a function `(value, argument) -> Verdict` under `@matcher(argument)`; its name, less a
trailing underscore, is the matcher's. True holds; False fails; a text fails and says why or where.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from pytest_dust.checks.equality import equal
from pytest_dust.errors import did_you_mean
from pytest_dust.model import MISSING, Bound

Verdict: TypeAlias = "bool | str"


class ArgumentError(ValueError):
    """A matcher was given an argument it cannot use; `path` leads to it from the matcher's name."""

    def __init__(self, message: str, path: tuple[str | int, ...] = (), *, at_key: bool = False) -> None:
        """Say what is wrong and allowed, and where below the matcher."""
        super().__init__(message)
        self.path = path
        self.at_key = at_key


@dataclass(frozen=True, slots=True)
class Matcher:
    """One row of the table."""

    name: str
    prepare: Callable[[Any], Any]
    holds: Callable[[Any, Any], Verdict]


MATCHERS: dict[str, Matcher] = {}


def matcher(prepare: Callable[[Any], Any]) -> Callable[[Callable[[Any, Any], Verdict]], Matcher]:
    """Enter the decorated function into the table; `prepare` checks and prepares its argument."""

    def enter(holds: Callable[[Any, Any], Verdict]) -> Matcher:
        name = holds.__name__.rstrip("_")
        MATCHERS[name] = Matcher(name, prepare, holds)
        return MATCHERS[name]

    return enter


def bind(written: Any) -> tuple[Bound, ...]:
    """What stands behind a path (a literal, or a mapping of matchers) as matchers ready to judge."""
    if not isinstance(written, dict):
        return (Bound("equals", written, written),)
    if not written:
        raise ArgumentError("an empty mapping expects nothing; give matchers, or equals: {}")
    return tuple(_bound(name, argument) for name, argument in written.items())


def rebind(bound: Bound, written: Any) -> Bound:
    """The same matcher with another argument, where it can take that."""
    try:
        return _bound(bound.name, written)
    except ArgumentError:
        return bound


def _bound(name: str, written: Any) -> Bound:
    if name not in MATCHERS:
        known = ", ".join(MATCHERS)
        raise ArgumentError(
            f'unknown matcher "{name}"; there are: {known}{did_you_mean(name, MATCHERS)}; '
            "to compare with a mapping use equals",
            (name,),
            at_key=True,
        )
    try:
        return Bound(name, written, MATCHERS[name].prepare(written))
    except ArgumentError as error:
        raise ArgumentError(f"{name}: {error}", (name, *error.path), at_key=error.at_key) from None


def judge(value: object, bound: Bound) -> Verdict:
    """Whether one matcher holds for a value; nothing found holds only for `exists`."""
    if value is MISSING and bound.name not in ("exists", "not"):
        return False
    return MATCHERS[bound.name].holds(value, bound.argument)


def kind(value: object) -> str:
    """A value's JSON type, as people say it."""
    return "missing" if value is MISSING else _SPOKEN[_type(value)]


_SPOKEN = {
    "null": "null",
    "boolean": "true or false",
    "integer": "a number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "a mapping",
}


def _type(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return "integer"
    names = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string"}
    return names.get(type(value), "array" if isinstance(value, list | tuple) else "object")


# ── arguments ────────────────────────────────────────────────────────────────────────────────────


def anything(argument: Any) -> Any:
    """Any JSON value."""
    return argument


def number(argument: Any) -> float:
    """A number; true and false are none."""
    if isinstance(argument, bool) or not isinstance(argument, int | float):
        raise ArgumentError(f"needs a number, not {kind(argument)}")
    return argument


def text(argument: Any) -> str:
    """A text."""
    if not isinstance(argument, str):
        raise ArgumentError(f"needs text, not {kind(argument)}; quote it to mean text")
    return argument


def boolean(argument: Any) -> bool:
    """`true` or `false`."""
    if not isinstance(argument, bool):
        raise ArgumentError(f"needs true or false, not {kind(argument)}")
    return argument


def choices(argument: Any) -> list[Any]:
    """A list with something in it."""
    if not isinstance(argument, list) or not argument:
        raise ArgumentError("needs a list of values, such as [billing, shipping]")
    return argument


def count(argument: Any) -> int:
    """A whole number that is not negative."""
    if number(argument) < 0 or argument != int(argument):
        raise ArgumentError("needs a whole number, 0 or more")
    return int(argument)


def size(argument: Any) -> tuple[Bound, ...]:
    """A whole number that is not negative, or matchers for one."""
    return bind(argument if isinstance(argument, dict) else count(argument))


def pattern(argument: Any) -> re.Pattern[str]:
    """A regular expression of Python's re."""
    try:
        return re.compile(text(argument))
    except re.error as error:
        at = f" at character {error.pos + 1}" if error.pos is not None else ""
        raise ArgumentError(f"not a regular expression: {error.msg}{at}") from None
    except (RecursionError, OverflowError):
        raise ArgumentError("not a regular expression that Python can read; simplify it") from None


_TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")


def json_types(argument: Any) -> tuple[str, ...]:
    """A JSON type, or a list of them."""
    wanted = argument if isinstance(argument, list) and argument else [argument]
    for at, name in enumerate(wanted):
        if name not in _TYPES:
            hint = did_you_mean(str(name), (*_TYPES, *_OTHER_NAMES))
            hint = _OTHER_NAMES.get(str(name), hint)
            where = (at,) if isinstance(argument, list) and argument else ()
            raise ArgumentError(f"no JSON type {name!r}; there are: {', '.join(_TYPES)}{hint}", where)
    return tuple(wanted)


_OTHER_NAMES = {
    other: f" (did you mean {name}?)"
    for name, others in {
        "string": "str text",
        "number": "float",
        "integer": "int",
        "boolean": "bool",
        "array": "list",
        "object": "dict mapping map",
        "null": "none None",
    }.items()
    for other in others.split()
}


def tolerance(argument: Any) -> tuple[float, float, float]:
    """A number, or `{value, abs, rel}`; with neither given, abs is 1e-12 and rel 1e-6."""
    if not isinstance(argument, dict):
        return number(argument), 1e-12, 1e-6
    for key in argument:
        if key not in ("value", "abs", "rel"):
            hint = did_you_mean(key, ("value", "abs", "rel"))
            raise ArgumentError(f'unknown key "{key}"; it takes value, abs, rel{hint}', (key,), at_key=True)
    if "value" not in argument:
        raise ArgumentError("needs a value: a number, or {value, abs, rel}")
    for key, part in argument.items():
        try:
            allowed = number(part) >= 0 or key == "value"
        except ArgumentError as error:
            raise ArgumentError(f"{key}: {error}", (key,)) from None
        if not allowed:
            raise ArgumentError(f"{key}: needs a number that is not negative", (key,))
    alone = "abs" not in argument and "rel" not in argument
    return (
        argument["value"],
        argument.get("abs", 1e-12 if alone else 0.0),
        argument.get("rel", 1e-6 if alone else 0.0),
    )


# ── matchers ─────────────────────────────────────────────────────────────────────────────────────


@matcher(anything)
def equals(value: Any, wanted: Any) -> Verdict:
    """The same JSON: 1 equals 1.0, never true."""
    return equal(value, wanted)


@matcher(anything)
def contains(value: Any, wanted: Any) -> Verdict:
    """A text that has this text in it, or a list that has this element."""
    if isinstance(value, str):
        return isinstance(wanted, str) and wanted in value
    if isinstance(value, list):
        return any(equal(element, wanted) for element in value)
    return f"it is {kind(value)}, neither text nor list"


@matcher(text)
def icontains(value: Any, wanted: str) -> Verdict:
    """A text that has this text in it, or a list that has this text, whatever the case of letters."""
    folded = wanted.casefold()
    if isinstance(value, str):
        return folded in value.casefold()
    if isinstance(value, list):
        return any(isinstance(item, str) and item.casefold() == folded for item in value)
    return f"it is {kind(value)}, neither text nor list"


@matcher(text)
def starts_with(value: Any, wanted: str) -> Verdict:
    """A text that begins so."""
    return value.startswith(wanted) if isinstance(value, str) else _not("text", value)


@matcher(text)
def ends_with(value: Any, wanted: str) -> Verdict:
    """A text that ends so."""
    return value.endswith(wanted) if isinstance(value, str) else _not("text", value)


@matcher(pattern)
def matches(value: Any, wanted: re.Pattern[str]) -> Verdict:
    """A text in which this regular expression is found."""
    return wanted.search(value) is not None if isinstance(value, str) else _not("text", value)


@matcher(choices)
def one_of(value: Any, wanted: list[Any]) -> Verdict:
    """One of these values."""
    return any(equal(value, choice) for choice in wanted)


@matcher(json_types)
def type_(value: Any, wanted: tuple[str, ...]) -> Verdict:
    """Of this JSON type: string, number, integer, boolean, array, object, null."""
    found = _type(value)
    fits = found in wanted or (found == "integer" and "number" in wanted)
    return fits or f"it is {kind(value)}"


@matcher(size)
def length(value: Any, wanted: tuple[Bound, ...]) -> Verdict:
    """A text of so many characters, a list or mapping of so many entries."""
    return _measured(value, lambda size: all(judge(size, bound) is True for bound in wanted))


@matcher(count)
def min_length(value: Any, wanted: int) -> Verdict:
    """At least so long."""
    return _measured(value, lambda size: size >= wanted)


@matcher(count)
def max_length(value: Any, wanted: int) -> Verdict:
    """At most so long."""
    return _measured(value, lambda size: size <= wanted)


@matcher(number)
def gt(value: Any, wanted: float) -> Verdict:
    """Greater than."""
    return value > wanted if _is_number(value) else _not("a number", value)


@matcher(number)
def gte(value: Any, wanted: float) -> Verdict:
    """Greater than or equal."""
    return value >= wanted if _is_number(value) else _not("a number", value)


@matcher(number)
def lt(value: Any, wanted: float) -> Verdict:
    """Less than."""
    return value < wanted if _is_number(value) else _not("a number", value)


@matcher(number)
def lte(value: Any, wanted: float) -> Verdict:
    """Less than or equal."""
    return value <= wanted if _is_number(value) else _not("a number", value)


@matcher(tolerance)
def approx(value: Any, wanted: tuple[float, float, float]) -> Verdict:
    """A number within a tolerance: the greater of `abs` and `rel` times the value expected."""
    target, absolute, relative = wanted
    if not _is_number(value):
        return _not("a number", value)
    away = abs(value - target)
    return away <= max(absolute, relative * abs(target)) or f"it is {away:g} away"


@matcher(anything)
def includes(value: Any, wanted: Any) -> Verdict:
    """Has all of this in it, at every depth: keys of mappings, elements of lists in any order."""
    gap = _gap(value, wanted, "")
    return gap or True


@matcher(boolean)
def exists(value: Any, wanted: bool) -> Verdict:  # noqa: FBT001
    """Whether the path finds something, null included."""
    return (value is not MISSING) is wanted


@matcher(bind)
def not_(value: Any, wanted: tuple[Bound, ...]) -> Verdict:
    """None of these matchers holds; a literal must not be equal."""
    if value is MISSING and all(bound.name != "exists" for bound in wanted):
        return False
    return all(judge(value, bound) is not True for bound in wanted)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _not(wanted: str, value: object) -> str:
    return f"it is {kind(value)}, not {wanted}"


def _measured(value: Any, fits: Callable[[int], bool]) -> Verdict:
    if not isinstance(value, str | list | dict):
        return f"it is {kind(value)}, which has no length"
    return fits(len(value)) or f"its length is {len(value):,}"


def _gap(value: Any, wanted: Any, path: str) -> str:
    """What of `wanted` the value lacks, and where; nothing if it lacks nothing."""
    if isinstance(wanted, dict) and isinstance(value, dict):
        for key, part in wanted.items():
            if key not in value:
                return f"{path}.{key} is not there".lstrip(".")
            if gap := _gap(value[key], part, f"{path}.{key}"):
                return gap
        return ""
    if isinstance(wanted, list) and isinstance(value, list):
        return _list_gap(value, wanted, path)
    return "" if equal(value, wanted) else f"{path.lstrip('.') or 'it'} differs"


def _list_gap(value: list[Any], wanted: list[Any], path: str) -> str:
    for at, part in enumerate(wanted):
        if all(_gap(element, part, "") for element in value):
            where = f" in {path.lstrip('.')}" if path else ""
            return f"no element{where} includes the wanted element [{at}]"
    return ""
