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


TOP = "app: {id: x}\nspecification_hash: latest\n"
ONE = "app: {id: x}\ncases:\n  - {id: a, specification_hash: latest, input: {}}\n"
GOOD = {
    "short": TOP + "input: {}\n",
    "hash in every case": ONE,
    "numbers as ids": (
        f"app: {{id: 123, space: 1e5}}\nspecification_hash: {'1' * 64}\ncases: [{{id: 7, input: {{}}}}]\n"
    ),
    "references": (
        "app: {id: x, space: '${env.DUST_SPACE_ID}'}\nspecification_hash: latest\ncases:\n"
        "  - {id: a, matrix: {n: [1]}, timeout: '${matrix.n}', input: {x: '${matrix.n}'}}\n"
        "  - {id: b, matrix: {n: [[{}]]}, inputs: '${matrix.n}', expect: {results: "
        "{length: '${matrix.m.0}'}}}\n"
    ).replace("matrix: {n: [[{}]]}", "matrix: {n: [[{}]], m: [[1]]}"),
    "every matcher": (
        TOP + "input: {}\nexpect:\n  result:\n"
        "    equals: {a: 1}\n    contains: 1\n    icontains: a\n    contains_any: [a]\n"
        "    contains_all: [a]\n"
        "    starts_with: a\n    ends_with: a\n    matches: a+\n    one_of: [a]\n    type: [string, 'null']\n"
        "    length: {gte: 2}\n    min_length: 1\n    max_length: {lt: 3}\n"
        "    word_count: 2\n    gt: 1\n    gte: 1\n"
        "    lt: 1.5\n    lte: 1\n    approx: {value: 1, abs: 0.1}\n    includes: {a: 1}\n    unordered: []\n"
        "    schema: {type: object}\n    json: {length: 1}\n"
        "    deepdiff: {to: {a: 1}, ignore_order: true, exclude_paths: a, exclude_regex_paths: [a], "
        "include_paths: [a], significant_digits: 3, math_epsilon: 0.1, ignore_string_case: true, "
        "ignore_numeric_type_changes: false}\n"
        "    similar: {to: a, ratio: 0.5}\n    every: {gt: 1}\n"
        "    any: 1\n    any_of: [1, {gt: 2}]\n    all_of: [{not: 1}]\n    exists: true\n"
        "    not: {contains: a}\n"
    ),
    "marks": (
        TOP + "input: {}\n"
        "marks: [slow, {skip: why}, {xfail: why}, {owner: [a, 1]}]\nblock_filter: [A]\n"
        "flavor: poll\ntimeout: 0.5\n"
    ),
    "config": TOP + "config: {A: {x: null}}\ncases: [{id: a, inputs: [{}], config: {}}]\n",
}
"""Suites that schema and plugin accept; together they have all keys and matchers."""
