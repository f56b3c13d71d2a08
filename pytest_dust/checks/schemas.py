"""The JSON Schemas of suites, checked by jsonschema; nothing is loaded from the network."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from warnings import catch_warnings, simplefilter

from pytest_dust.checks import patterns
from pytest_dust.checks.binding import ArgumentError, Here
from pytest_dust.checks.json_files import loaded

Validator = Callable[[Any], str]
"""Returns where and how a value is not valid; an empty text if it is valid."""


def validator(written: Any, here: Here) -> Validator:
    """The function that checks values by a schema; raises ArgumentError for what is not a schema."""
    from jsonschema.exceptions import SchemaError, best_match  # 150 ms, for suites that use schema
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    schema = loaded(written, here, json.loads) if isinstance(written, str) else written
    if not isinstance(schema, dict | bool):
        raise ArgumentError("needs a JSON Schema: a mapping, or the name of a file with one")
    if isinstance(schema, dict) and not isinstance(schema.get("$schema", ""), str):
        raise ArgumentError("not a JSON Schema at $['$schema']: it is a text, the address of a draft")
    validators: Any = validator_for(schema, default=Draft202012Validator)
    try:
        with catch_warnings():
            simplefilter("ignore")  # of `re`, which reads the patterns
            validators.check_schema(schema)
    except SchemaError as error:
        at = f" at {error.json_path}" if error.path else ""
        raise ArgumentError(f"not a JSON Schema{at}: {error.message[:200]}") from None
    if isinstance(
        schema, dict
    ):  # at each `$ref`, jsonschema would choose its unbounded validator by `$schema`
        schema = {key: value for key, value in schema.items() if key != "$schema"}
    # An empty registry, as jsonschema's default would fetch remote references.
    ready = _bounded(validators)(schema, registry=Registry())

    def check(value: Any) -> str:
        try:
            error = best_match(ready.iter_errors(value))
        except Unresolvable as missing:
            return f"the schema refers to {str(missing.ref)[:100]}, which is not in it"
        return "" if error is None else f"{error.json_path}: {error.message[:200]}"

    return check


# ── patterns in bounded time ─────────────────────────────────────────────────────────────────────


Keyword = Callable[[Any, Any, Any, Any], Iterator[Any]]
"""The check of one keyword: yields errors for a validator, the keyword's value, an instance and a schema."""


def _bounded(validators: Any) -> Any:
    """The validator class with patterns searched in bounded time; jsonschema itself searches with `re`."""
    from jsonschema.validators import extend

    keywords: dict[str, Keyword] = {"pattern": _pattern, "patternProperties": _pattern_properties}
    for name in ("additionalProperties", "unevaluatedProperties"):
        if name in validators.VALIDATORS:
            keywords[name] = _beside_patterns(validators.VALIDATORS[name])
    return extend(validators, keywords)  # type: ignore[no-untyped-call]


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    if isinstance(instance, str) and not _matches(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, _schema: Any) -> Iterator[Any]:
    for pattern, below in patterns.items() if isinstance(instance, dict) else ():
        for name in filter(partial(_matches, pattern), instance):
            yield from validator.descend(instance[name], below, path=name, schema_path=pattern)


def _beside_patterns(keyword: Keyword) -> Keyword:
    """The check of a keyword that depends on which properties the patterns of the schema cover."""

    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        plain = _without_patterns(schema, instance) if isinstance(instance, dict) else schema
        yield from keyword(validator, value, instance, plain)

    return check


def _without_patterns(schema: Any, instance: dict[str, Any]) -> Any:
    """The schema with the names of this instance's properties in place of the patterns that they match.

    Behind a `$ref`, `unevaluatedProperties` still finds patterns.
    """
    if not isinstance(schema, dict):
        return schema
    plain = dict(schema)
    for key in ("allOf", "anyOf", "oneOf"):
        if isinstance(schema.get(key), list):
            plain[key] = [_without_patterns(each, instance) for each in schema[key]]
    for key in ("if", "then", "else"):
        if key in schema:
            plain[key] = _without_patterns(schema[key], instance)
    if isinstance(schema.get("dependentSchemas"), dict):
        plain["dependentSchemas"] = {
            name: _without_patterns(each, instance) for name, each in schema["dependentSchemas"].items()
        }
    return {**plain, "properties": _properties(plain, instance)} if "patternProperties" in plain else plain


def _properties(schema: dict[str, Any], instance: dict[str, Any]) -> dict[str, Any]:
    """Remove the patterns from a schema; returns its properties and those of the instance that match one."""
    found: dict[str, list[Any]] = {}
    for pattern, below in schema.pop("patternProperties").items():
        for name in filter(partial(_matches, pattern), instance):
            found.setdefault(name, []).append(below)
    properties = schema.get("properties", {})
    for name, several in found.items():
        also = [properties[name]] if name in properties else []
        found[name] = [*also, *several]
    return {**properties, **{name: {"allOf": several} for name, several in found.items()}}


def _matches(pattern: str, text: str) -> bool:
    return patterns.found(patterns.compiled(pattern), text)
