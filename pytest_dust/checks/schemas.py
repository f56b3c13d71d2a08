"""JSON Schemas that suites hold values to, by jsonschema, and never by the network."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from warnings import catch_warnings, simplefilter

from pytest_dust.checks import patterns
from pytest_dust.checks.binding import ArgumentError, Here
from pytest_dust.files.sources import UnreadableError

MAX_BYTES = 8 * 1024 * 1024
"""Bytes of a schema file; more than any schema needs."""
Validator = Callable[[Any], str]
"""Where a value breaks the schema, and how; nothing where it keeps it."""


def validator(written: Any, here: Here) -> Validator:
    """What holds values to the schema; raises ArgumentError for one that is no schema."""
    from jsonschema.exceptions import SchemaError, best_match  # 150 ms, for suites that use schema
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    schema = _loaded(written, here) if isinstance(written, str) else written
    if not isinstance(schema, dict | bool):
        raise ArgumentError("needs a JSON Schema: a mapping, or the name of a file that holds one")
    if isinstance(schema, dict) and not isinstance(schema.get("$schema", ""), str):
        raise ArgumentError("not a JSON Schema at $['$schema']: it is a text, the address of a draft")
    kind: Any = validator_for(schema, default=Draft202012Validator)
    try:
        with catch_warnings():
            simplefilter("ignore")  # of `re`, which reads the patterns
            kind.check_schema(schema)
    except SchemaError as error:
        at = f" at {error.json_path}" if error.path else ""
        raise ArgumentError(f"not a JSON Schema{at}: {error.message[:200]}") from None
    if isinstance(schema, dict):  # `$schema` would bring the kind without bounds back at each `$ref` to it
        schema = {key: value for key, value in schema.items() if key != "$schema"}
    # A registry of our own: jsonschema's default would fetch remote references.
    ready = _bounded(kind)(schema, registry=Registry())

    def check(value: Any) -> str:
        try:
            error = best_match(ready.iter_errors(value))
        except Unresolvable as missing:
            return f"the schema refers to {str(missing.ref)[:100]}, which it does not hold"
        return "" if error is None else f"{error.json_path}: {error.message[:200]}"

    return check


# ── patterns in bounded time ─────────────────────────────────────────────────────────────────────


Keyword = Callable[[Any, Any, Any, Any], Iterator[Any]]
"""A keyword of JSON Schema: of a validator, its own value, an instance and the schema gives the errors."""


def _bounded(kind: Any) -> Any:
    """The kind of validator, with patterns searched in bounded time; jsonschema itself searches by `re`."""
    from jsonschema.validators import extend

    keywords: dict[str, Keyword] = {"pattern": _pattern, "patternProperties": _pattern_properties}
    for name in ("additionalProperties", "unevaluatedProperties"):
        if name in kind.VALIDATORS:
            keywords[name] = _beside_patterns(kind.VALIDATORS[name])
    return extend(kind, keywords)  # type: ignore[no-untyped-call]


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    if isinstance(instance, str) and not _fits(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, _schema: Any) -> Iterator[Any]:
    for pattern, below in patterns.items() if isinstance(instance, dict) else ():
        for name in filter(partial(_fits, pattern), instance):
            yield from validator.descend(instance[name], below, path=name, schema_path=pattern)


def _beside_patterns(keyword: Keyword) -> Keyword:
    """A keyword that asks which properties the patterns beside it cover."""

    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        named = _named(schema, instance) if isinstance(instance, dict) else schema
        yield from keyword(validator, value, instance, named)

    return check


def _named(schema: Any, instance: dict[str, Any]) -> Any:
    """A schema with the properties of this instance by name in place of patterns.

    Behind a `$ref`, `unevaluatedProperties` still finds patterns.
    """
    if not isinstance(schema, dict):
        return schema
    named = dict(schema)
    for key in ("allOf", "anyOf", "oneOf"):
        if isinstance(schema.get(key), list):
            named[key] = [_named(each, instance) for each in schema[key]]
    for key in ("if", "then", "else"):
        if key in schema:
            named[key] = _named(schema[key], instance)
    if isinstance(schema.get("dependentSchemas"), dict):
        named["dependentSchemas"] = {
            name: _named(each, instance) for name, each in schema["dependentSchemas"].items()
        }
    return {**named, "properties": _properties(named, instance)} if "patternProperties" in named else named


def _properties(schema: dict[str, Any], instance: dict[str, Any]) -> dict[str, Any]:
    """Take the patterns out of a schema; gives its properties and those of the instance that fit one."""
    found: dict[str, list[Any]] = {}
    for pattern, below in schema.pop("patternProperties").items():
        for name in filter(partial(_fits, pattern), instance):
            found.setdefault(name, []).append(below)
    properties = schema.get("properties", {})
    for name, several in found.items():
        also = [properties[name]] if name in properties else []
        found[name] = [*also, *several]
    return {**properties, **{name: {"allOf": several} for name, several in found.items()}}


def _fits(pattern: str, text: str) -> bool:
    return patterns.found(patterns.compiled(pattern), text)


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def _loaded(name: str, here: Here) -> Any:
    try:
        source = here.read(name, MAX_BYTES)
    except UnreadableError as error:
        raise ArgumentError(f"cannot read {name[:100]} beside the suite: {error}") from None
    if len(source) > MAX_BYTES:
        raise ArgumentError(f"{name[:100]} is larger than {MAX_BYTES // 1024 // 1024} MB; split it")
    try:
        return json.loads(source)
    except (ValueError, RecursionError) as error:
        raise ArgumentError(f"{name[:100]} is not JSON: {str(error)[:100]}") from None
