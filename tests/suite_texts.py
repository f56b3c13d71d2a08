"""Whether the schema, and the plugin, accept the text of a suite."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema

import pytest_dust
from pytest_dust.checks.binding import Here
from pytest_dust.checks.matchers import MATCHERS
from pytest_dust.errors import SuiteError
from pytest_dust.suite import cases, references, yaml_reader

TESTS = Path(__file__).parent
SHIPPED = Path(pytest_dust.__file__).with_name("suite.schema.json")
LOOK_UP = references.environment({"DUST_SPACE_ID": "vlt_x", "DUST_EMPTY": ""}, frozenset())


def validates(text: str) -> bool:
    """Tell whether the schema accepts the suite."""
    value = yaml_reader.read(text).value
    return bool(
        jsonschema.Draft202012Validator(json.loads(SHIPPED.read_text(encoding="utf-8"))).is_valid(value)
    )


def loads(text: str, folder: Path = TESTS) -> bool:
    """Tell whether the plugin accepts the suite."""
    try:
        cases.load(text.encode(), "t.dust.yaml", LOOK_UP, Here(folder, MATCHERS))
    except SuiteError:
        return False
    return True
