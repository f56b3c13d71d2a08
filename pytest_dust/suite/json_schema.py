"""The JSON Schema of the suite file, made from the tables of keys and matchers that also validate it.

Editors show its titles and descriptions. `patternErrorMessage`, `enumDescriptions`, `markdownDescription` and
`defaultSnippets` are keywords of VS Code's language servers, which validators ignore.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pytest_dust import __version__
from pytest_dust.checks.arguments import ANY_TYPE
from pytest_dust.checks.binding import Matcher
from pytest_dust.suite.keys import KEYS, Key

URI = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = r"^\$\{(env|row|matrix)\b[^{}]*\}$"
_REFERENCE_SCHEMA = {"title": "reference", "type": "string", "pattern": _REFERENCE}
_HINTS = ("default", "examples")
"""Keywords that an editor shows beside the description."""


def schema(matchers: Mapping[str, Matcher]) -> dict[str, Any]:
    """The schema of a suite file, with these matchers."""
    suite = {name: key for name, key in KEYS.items() if key.suite}
    case = {name: key for name, key in KEYS.items() if key.case}
    alone = {name: key for name, key in KEYS.items() if name not in ("cases", "id")}
    document: dict[str, Any] = {
        "$schema": URI,
        "$id": f"urn:pytest-dust:{__version__}:suite",
        "title": f"pytest-dust {__version__}: a suite",
        "type": "object",
        "required": ["app"],
        "defaultSnippets": [_NEW_SUITE],
        "properties": {
            "cases": {"type": "array", "description": KEYS["cases"].help}
        },  # offered in a new file
        "if": {"required": ["cases"]},
        "then": {**_mapping(suite, "a suite with cases"), **_HAS_HASH},
        "else": {**_mapping(alone, "a suite of one case"), **_HAS_INPUT, "required": [_HASH]},
        "$defs": {
            "case": {**_mapping(case, "a case"), "required": ["id"], **_HAS_INPUT},
            "matchers": {
                "minProperties": 1,
                "properties": {
                    name: _property(name, matcher.argument.schema, _first_line(matcher))
                    for name, matcher in matchers.items()
                },
                "additionalProperties": False,
            },
        },
    }
    return {name: _with_markdown(each) for name, each in document.items()}


def text(matchers: Mapping[str, Matcher]) -> str:
    """The schema as JSON text, as `suite.schema.json` has it."""
    return json.dumps(schema(matchers), indent=2, ensure_ascii=False) + "\n"


_HASH = "specification_hash"
_HAS_HASH = {
    "anyOf": [{"required": [_HASH]}, {"properties": {"cases": {"items": {"required": [_HASH]}}}}],
}
_HAS_INPUT = {
    "anyOf": [{"required": ["input"]}, {"required": ["inputs"]}, {"required": ["dataset"]}],
    "if": {"required": ["inputs"]},
    "then": {"properties": {"input": False}},
}
_NEW_SUITE = {
    "label": "suite",
    "description": "An app, its version, and a first case.",
    "body": {
        "app": {"id": "${1:id}"},
        _HASH: "${2:latest}",
        "cases": [{"id": "${3:first}", "input": {"${4:question}": "$5"}}],
    },
}


def _mapping(keys: Mapping[str, Key], title: str) -> dict[str, Any]:
    """The schema of a mapping that may have these keys."""
    properties = {
        name: _property(name, key.schema, key.help, may_refer=key.case) for name, key in keys.items()
    }
    return {"title": title, "type": "object", "properties": properties, "additionalProperties": False}


def _property(
    name: str, schema: Mapping[str, Any], description: str, *, may_refer: bool = True
) -> dict[str, Any]:
    """The schema of a key's value, with what an editor shows."""
    shown = {"title": name, "description": description}
    return {**shown, **(_or_reference(name, schema) if may_refer else schema)}


def _or_reference(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema, or a text that is one reference, whose value is known only after it is filled in.

    Editors complete less below `anyOf`, so it is used only where nothing else serves.
    """
    types: list[str] = schema["type"] if isinstance(schema.get("type"), list) else [schema.get("type", "")]
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], _REFERENCE_SCHEMA]}
    if "enum" in schema:
        values = {keyword: value for keyword, value in schema.items() if keyword not in _HINTS}
        hints = {keyword: schema[keyword] for keyword in _HINTS if keyword in schema}
        return {**hints, "anyOf": [{"title": name, **values}, _REFERENCE_SCHEMA]}
    if not schema or "$ref" in schema:  # a title beside $ref is ignored by draft 7
        return {"type": list(ANY_TYPE), **({"allOf": [dict(schema)]} if schema else {})}
    if not any(types):
        return dict(schema)
    if "string" in types:
        pattern = {"pattern": f"{schema['pattern']}|{_REFERENCE}"} if "pattern" in schema else {}
        return {**schema, **pattern}
    message = f"Expected {' or '.join(types)}, or a reference such as ${{row.x}}."
    return {**schema, "type": [*types, "string"], "pattern": _REFERENCE, "patternErrorMessage": message}


def _first_line(matcher: Matcher) -> str:
    return (matcher.holds.__doc__ or "A matcher of this project.").strip().partition("\n")[0]


def _with_markdown(value: Any) -> Any:
    """The schema with a title for each described key, and descriptions as Markdown and as plain text."""
    if isinstance(value, list):
        return [_with_markdown(each) for each in value]
    if not isinstance(value, dict):
        return value
    converted = {name: _with_markdown(each) for name, each in value.items()}
    if isinstance(value.get("properties"), dict):
        converted["properties"] = {
            name: {"title": name, **each} if each else each for name, each in converted["properties"].items()
        }
    description = value.get("description")
    if isinstance(description, str) and "`" in description:
        converted["description"] = description.replace("`", "")
        converted["markdownDescription"] = description
    return converted
