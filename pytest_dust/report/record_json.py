"""A record as JSON and back, and the JSON Schema of its form."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec

from pytest_dust import __version__
from pytest_dust.report.record import VERSION, SessionRecord

_T = TypeVar("_T")


def to_json(record: object) -> Any:
    """A record as dicts, lists and plain values."""
    return msgspec.to_builtins(record)


def text(record: object) -> str:
    """A record as indented JSON text of ASCII characters."""
    compact = json.dumps(to_json(record))  # msgspec's encoder refuses lone surrogates
    return msgspec.json.format(compact, indent=1) + "\n"


def from_json(kind: type[_T], value: Any) -> _T:
    """The record in a JSON value; raises ValueError, which names the place, if it has another form."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:  # no ValueError in older versions
        raise ValueError(str(error)) from None


def read_session(value: Any) -> SessionRecord:
    """The session in a JSON value; raises ValueError for another form or another version."""
    version = value.get("version", "none") if isinstance(value, dict) else VERSION
    if version != VERSION:
        raise ValueError(f"the record has version {version}; this pytest-dust reads version {VERSION}")
    return from_json(SessionRecord, value)


def schema() -> dict[str, Any]:
    """The JSON Schema of a session's record."""
    document = msgspec.json.schema(SessionRecord)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:pytest-dust:{__version__}:report",
        "title": f"pytest-dust {__version__}: the record of a session, version {VERSION}",
        **document,
    }
