"""JSON Schemas that suites hold values to, by jsonschema, and never by the network."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pytest_dust.checks.binding import ArgumentError, Here
from pytest_dust.sources import UnreadableError

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
    kind: Any = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        at = f" at {error.json_path}" if error.path else ""
        raise ArgumentError(f"not a JSON Schema{at}: {error.message[:200]}") from None
    # A registry of our own: jsonschema's default would fetch remote references.
    ready = kind(schema, registry=Registry())

    def check(value: Any) -> str:
        try:
            error = best_match(ready.iter_errors(value))
        except Unresolvable as missing:
            return f"the schema refers to {str(missing.ref)[:100]}, which it does not hold"
        return "" if error is None else f"{error.json_path}: {error.message[:200]}"

    return check


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
