"""The JSON Schema of the suite file, made from the tables of keys and matchers that also validate it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pytest_dust.checks.binding import Matcher
from pytest_dust.suite.keys import KEYS, Key

URI = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = {"type": "string", "pattern": r"^\$\{(env|row|matrix)\b[^{}]*\}$"}


def schema(matchers: Mapping[str, Matcher]) -> dict[str, Any]:
    """The schema of a suite file, with these matchers."""
    suite = {name: key for name, key in KEYS.items() if key.suite}
    case = {name: key for name, key in KEYS.items() if key.case}
    alone = {name: key for name, key in KEYS.items() if name not in ("cases", "id")}
    return {
        "$schema": URI,
        "title": "A pytest-dust suite",
        "type": "object",
        "required": ["app"],
        "if": {"required": ["cases"]},
        "then": {**_mapping(suite, "A suite with cases."), **_HAS_HASH},
        "else": {**_mapping(alone, "A suite of one case."), **_HAS_INPUT, "required": [_HASH]},
        "$defs": {
            "case": {**_mapping(case, "A case."), "required": ["id"], **_HAS_INPUT},
            "expected": {"anyOf": [{"not": {"type": "object"}}, {"$ref": "#/$defs/matchers"}]},
            "matchers": {
                "type": "object",
                "minProperties": 1,
                "properties": {
                    name: {**_or_reference(matcher.argument.schema), "description": _first_line(matcher)}
                    for name, matcher in matchers.items()
                },
                "additionalProperties": False,
            },
        },
    }


def text(matchers: Mapping[str, Matcher]) -> str:
    """The schema as JSON text, as `suite.schema.json` has it."""
    return json.dumps(schema(matchers), indent=2, ensure_ascii=False) + "\n"


_HASH = "specification_hash"
_HAS_HASH = {
    "anyOf": [{"required": [_HASH]}, {"properties": {"cases": {"items": {"required": [_HASH]}}}}],
}
_HAS_INPUT = {
    "oneOf": [
        {"required": ["input"]},
        {"required": ["inputs"]},
        {"required": ["dataset"], "not": {"anyOf": [{"required": ["input"]}, {"required": ["inputs"]}]}},
    ]
}


def _mapping(keys: Mapping[str, Key], title: str) -> dict[str, Any]:
    properties = {name: {**_or_reference(key.schema), "description": key.help} for name, key in keys.items()}
    return {"type": "object", "description": title, "properties": properties, "additionalProperties": False}


def _or_reference(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema, or a text that is one reference, whose value is known only after it is filled in."""
    return {"anyOf": [dict(schema), _REFERENCE]} if schema else {}


def _first_line(matcher: Matcher) -> str:
    return (matcher.holds.__doc__ or "A matcher of this project.").split("\n", 1)[0]
