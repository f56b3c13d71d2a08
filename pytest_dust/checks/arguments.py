"""The kinds of arguments that matchers take: how each is checked at collection, and its JSON Schema."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from math import isfinite
from typing import Any

from pytest_dust.checks import patterns
from pytest_dust.checks.binding import Argument, ArgumentError, Here, bind
from pytest_dust.errors import did_you_mean
from pytest_dust.model import Bound
from pytest_dust.wording import kind

EXPECTED_SCHEMA = {"$ref": "#/$defs/matchers"}
"""A literal, or a mapping of matchers: that definition limits mappings only."""
ANY_TYPE = ("string", "number", "boolean", "array", "object", "null")
"""All types of JSON; with them named, editors complete a key with its colon."""


def argument(schema: Mapping[str, Any]) -> Callable[[Callable[[Any, Here], Any]], Argument]:
    """Make the decorated function, which checks and prepares an argument, an Argument with this schema."""
    return lambda prepare: Argument(prepare, schema)


@argument({})
def anything(written: Any, _here: Here) -> Any:
    """Any JSON value."""
    return written


def _number(written: Any) -> float:
    if isinstance(written, bool) or not isinstance(written, int | float):
        raise ArgumentError(f"needs a number, not {kind(written)}")
    if isinstance(written, float) and not isfinite(written):
        raise ArgumentError("needs a number that is not infinite, as those above 1.8e308 are read")
    return written


def _text(written: Any) -> str:
    if not isinstance(written, str):
        raise ArgumentError(f"needs text, not {kind(written)}; quote it to mean text")
    return written


def _count(written: Any) -> int:
    if _number(written) < 0 or written != int(written):
        raise ArgumentError("needs a whole number, 0 or more, or matchers such as {gte: 2}")
    return int(written)


@argument({"type": "number"})
def number(written: Any, _here: Here) -> float:
    """A number; true and false are not numbers."""
    return _number(written)


@argument({"type": "string"})
def text(written: Any, _here: Here) -> str:
    """A text."""
    return _text(written)


@argument({"type": "boolean"})
def boolean(written: Any, _here: Here) -> bool:
    """`true` or `false`."""
    if not isinstance(written, bool):
        meant = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(str(written).lower())
        hint = f"; write {meant}, not {written}" if meant else ""
        raise ArgumentError(f"needs true or false, not {kind(written)}{hint}")
    return written


@argument({"type": "array", "minItems": 1})
def choices(written: Any, _here: Here) -> list[Any]:
    """A list with at least one element."""
    if not isinstance(written, list) or not written:
        raise ArgumentError("needs a list of values, such as [billing, shipping]")
    return written


@argument({"type": "array"})
def elements(written: Any, _here: Here) -> list[Any]:
    """A list."""
    if not isinstance(written, list):
        raise ArgumentError(f"needs a list, not {kind(written)}")
    return written


_COUNT_SCHEMA = {"type": ["integer", "object"], "minimum": 0, "allOf": [EXPECTED_SCHEMA]}


def measured(name: str) -> Argument:
    """A whole number, with which the matcher `name` compares the length, or matchers for the length."""

    def prepare(written: Any, here: Here) -> tuple[Bound, ...]:
        return bind(written if isinstance(written, dict) else {name: _count(written)}, here)

    return Argument(prepare, _COUNT_SCHEMA)


@argument({"type": "string", "format": "regex"})
def pattern(written: Any, _here: Here) -> re.Pattern[str]:
    """A regular expression of Python's `re`."""
    try:
        return patterns.compiled(_text(written))
    except re.error as error:
        at = f" at character {error.pos + 1}" if error.pos is not None else ""
        raise ArgumentError(f"not a regular expression: {error.msg}{at}") from None
    except (RecursionError, OverflowError):
        raise ArgumentError("not a regular expression that Python can read; simplify it") from None


_TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")
_OTHER_NAMES = {
    other: name
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
_TYPE_SCHEMA = {"title": "type", "enum": list(_TYPES)}


@argument(
    {"anyOf": [_TYPE_SCHEMA, {"title": "types", "type": "array", "items": _TYPE_SCHEMA, "minItems": 1}]}
)
def json_types(written: Any, _here: Here) -> tuple[str, ...]:
    """A JSON type, or a list of them."""
    several = isinstance(written, list) and bool(written)
    wanted = written if several else [written]
    for at, name in enumerate(wanted):
        if name not in _TYPES:
            known = _OTHER_NAMES.get(str(name))
            hint = f" (did you mean {known}?)" if known else did_you_mean(str(name), _TYPES)
            message = f"no JSON type {json.dumps(name)[:40]}; there are: {', '.join(_TYPES)}{hint}"
            raise ArgumentError(message, (at,) if several else ())
    return tuple(wanted)


def _record(written: Mapping[str, Any], allowed: tuple[str, ...], needed: str) -> None:
    """Check the keys of an argument that is a mapping, but not of matchers."""
    for key in written:
        if key not in allowed:
            hint = did_you_mean(key, allowed)
            message = f'unknown key "{key}"; it takes {", ".join(allowed)}{hint}'
            raise ArgumentError(message, (key,), at_key=True)
    if needed not in written:
        raise ArgumentError(f"needs {needed}: {{{', '.join(allowed)}}}")


def _positive(written: Any, name: str) -> float:
    try:
        value = _number(written)
    except ArgumentError as error:
        raise error.below(name, name) from None
    if value < 0:
        raise ArgumentError(f"{name}: needs a number that is not negative", (name,))
    return value


_POSITIVE = {"type": "number", "minimum": 0}


@argument(
    {
        "anyOf": [
            {"title": "number", "type": "number"},
            {
                "title": "number and tolerance",
                "type": "object",
                "properties": {
                    "value": {"type": "number", "description": "The expected number."},
                    "abs": {**_POSITIVE, "description": "How far away the number may be."},
                    "rel": {**_POSITIVE, "description": "How far away it may be, as a share of `value`."},
                },
                "required": ["value"],
                "additionalProperties": False,
            },
        ]
    }
)
def tolerance(written: Any, _here: Here) -> tuple[float, float, float]:
    """A number, or `{value, abs, rel}`; with neither given, abs is 1e-12 and rel 1e-6."""
    if not isinstance(written, dict):
        return _number(written), 1e-12, 1e-6
    _record(written, ("value", "abs", "rel"), "value")
    try:
        target = _number(written["value"])
    except ArgumentError as error:
        raise error.below("value", "value") from None
    alone = "abs" not in written and "rel" not in written
    return (
        target,
        _positive(written.get("abs", 1e-12 if alone else 0.0), "abs"),
        _positive(written.get("rel", 1e-6 if alone else 0.0), "rel"),
    )


@argument(
    {
        "type": "object",
        "properties": {
            "to": {"type": "string", "description": "The text to compare with."},
            "ratio": {
                "type": "number",
                "minimum": 0,
                "maximum": 1,
                "default": 0.9,
                "description": "The least similarity, from 0 to 1.",
            },
        },
        "required": ["to"],
        "additionalProperties": False,
    }
)
def similarity(written: Any, _here: Here) -> tuple[str, float]:
    """`{to, ratio}`: a text, and the least similarity to it, from 0 to 1 (0.9 if left out)."""
    needs_extra("rapidfuzz", "similar")
    if not isinstance(written, dict):
        raise ArgumentError(f"needs {{to: text, ratio: 0.9}}, not {kind(written)}")
    _record(written, ("to", "ratio"), "to")
    try:
        to = _text(written["to"])
    except ArgumentError as error:
        raise error.below("to", "to") from None
    ratio = _positive(written.get("ratio", 0.9), "ratio")
    if ratio > 1:
        raise ArgumentError("ratio: needs a number from 0 to 1", ("ratio",))
    return to, ratio


@argument({"type": ["object", "boolean", "string"]})
def json_schema(written: Any, here: Here) -> Any:
    """A JSON Schema (2020-12, or the draft in its $schema), inline or the name of a file beside the suite."""
    needs_extra("jsonschema", "schema")
    from pytest_dust.checks.schemas import validator

    return validator(written, here)


_NAME = {"type": "string", "minLength": 1}
_NAMES = {"anyOf": [_NAME, {"type": "array", "items": _NAME, "minItems": 1}]}
_BOOLEAN = {"type": "boolean"}


@argument(
    {
        "type": "object",
        "properties": {
            "to": {
                "description": "A JSON value, or a file beside the suite: `name.json` or `{file: name.json}`."
            },
            "ignore_order": {**_BOOLEAN, "description": "Compare lists in any order, at every depth."},
            "exclude_paths": {**_NAMES, "description": "Paths that are left out, such as `root['id']`."},
            "exclude_regex_paths": {**_NAMES, "description": "Regular expressions for paths to leave out."},
            "include_paths": {**_NAMES, "description": "The only paths that are compared."},
            "significant_digits": {
                "type": "integer",
                "minimum": 0,
                "maximum": 100,
                "description": "Digits after the decimal point that count.",
            },
            "math_epsilon": {**_POSITIVE, "description": "Numbers that differ by at most this are equal."},
            "ignore_string_case": {**_BOOLEAN, "description": "Take upper and lower case as equal."},
            "ignore_numeric_type_changes": {**_BOOLEAN, "description": "Take `1` and `1.0` as equal."},
        },
        "required": ["to"],
        "additionalProperties": False,
    }
)
def deep_comparison(written: Any, here: Here) -> Any:
    """`{to, …}`: a value, or a file with one, and options of DeepDiff."""
    from pytest_dust.checks.deepdiffs import comparison

    return comparison(written, here)


def needs_extra(module: str, extra: str) -> None:
    """Raise ArgumentError, with the command to type, if the library of a matcher is not installed."""
    if find_spec(module) is None:
        raise ArgumentError(f"needs {module}, which is not installed; pip install 'pytest-dust[{extra}]'")


@argument(EXPECTED_SCHEMA)
def matchers(written: Any, here: Here) -> tuple[Bound, ...]:
    """A literal, or a mapping of matchers."""
    return bind(written, here)


@argument({"type": "array", "items": EXPECTED_SCHEMA, "minItems": 1})
def alternatives(written: Any, here: Here) -> tuple[tuple[Bound, ...], ...]:
    """A list of literals and mappings of matchers."""
    if not isinstance(written, list) or not written:
        raise ArgumentError("needs a list of values or matchers, such as [{lt: 0}, {gt: 9}]")
    bound: list[tuple[Bound, ...]] = []
    errors: list[ArgumentError] = []
    for at, each in enumerate(written):
        try:
            bound.append(bind(each, here))
        except ArgumentError as error:
            errors.append(error.below(at))
    if errors:
        raise ArgumentError.joined(errors)
    return tuple(bound)
