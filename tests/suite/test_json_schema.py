"""The JSON Schema of suites: it accepts what the plugin accepts, and refuses what a schema can refuse."""

from __future__ import annotations

import json

import jsonschema
import pytest
from suite_texts import SHIPPED, TESTS, loads, validates

from pytest_dust.checks.matchers import MATCHERS
from pytest_dust.suite import yaml_reader
from pytest_dust.suite.keys import KEYS

BROKEN = sorted((TESTS / "suite" / "broken").glob("*.dust.yaml"))
EXAMPLES = sorted((TESTS.parent / "example_suites").rglob("*.dust.yaml"))

BEYOND_SCHEMA = {
    "the grammar of another language": {
        "bad_path", "bad_path_end", "bad_regex", "baseline_compare", "unknown_function",
    },
    "names inside of a path": {
        "outputs_with_input", "result_with_inputs", "results_with_input", "unknown_block_name",
        "unknown_root",
    },
    "two places held against each other": {
        "duplicate_id", "inputs_keys", "repeat", "repeat_errors", "repeat_near", "repeat_rates",
    },
    "other files": {"dataset"},
    "the environment, and what a reference in a text finds": {
        "env_empty", "env_forbidden", "env_key", "env_no_reference", "env_unset", "env_unterminated",
    },
    "how a number is written": {"huge_number"},
}  # fmt: skip
"""Mistakes of the corpus that no JSON Schema can tell, by the reason; YAML's own are not even values."""

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
BAD = {
    "no hash in one case": ONE + "  - {id: b, input: {}}\n",
    "short without hash": "app: {id: x}\ninput: {}\n",
    "short with id": TOP + "id: a\ninput: {}\n",
    "dataset at the top": TOP + "dataset: q.csv\ncases: [{id: a, input: {}}]\n",
    "matrix of text": TOP + "matrix: {a: b}\ninput: {}\n",
    "matrix of nothing": TOP + "matrix: {}\ninput: {}\n",
    "a mark without effect": TOP + "input: {}\nmarks: [{usefixtures: [a]}]\n",
    "an odd mark": TOP + "input: {}\nmarks: [{'a b': [a]}]\n",
    "inputs of text": TOP + "inputs: [a]\n",
    **{
        f"matcher {written}": TOP + f"input: {{}}\nexpect: {{result: {{{written}}}}}\n"
        for written in (
            "length: -1", "length: 1.5", "length: a", "length: {}", "gt: a", "gt: true",
            "exists: 1", "matches: 1",
            "type: str",
            "type: []", "one_of: []", "one_of: a", "approx: {abs: 1}", "approx: {value: 1, rel: -1}",
            "similar: a", "similar: {to: a, ratio: 2}", "schema: 1", "any_of: []", "any_of: {gt: 1}",
            "every: {grater: 1}", "not: {}", "any_of: [{gt: a}]", "contains_any: []",
            "unordered: a", "icontains: 1",
        )
    },
}  # fmt: skip


# ── the schema ───────────────────────────────────────────────────────────────────────────────────


def test_the_shipped_schema_is_the_printed_one(project):
    """`pytest --dust-schema` prints what the package ships, and nothing else."""
    result = project.run("--dust-schema", subprocess=True)
    assert result.ret == 0
    assert result.out.rstrip("\n") == SHIPPED.read_text(encoding="utf-8").rstrip("\n")


def test_the_schema_is_one():
    """The schema is a valid JSON Schema, and describes every key and matcher."""
    schema = json.loads(SHIPPED.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(schema["$defs"]["matchers"]["properties"]) == set(MATCHERS)
    described = {**schema["then"]["properties"], **schema["$defs"]["case"]["properties"]}
    assert set(described) == set(KEYS)
    assert all(each["description"] for each in described.values())


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.name.removesuffix(".dust.yaml"))
def test_schema_and_validator_agree_on_broken_suites(path):
    """The schema refuses every broken suite of the corpus that a JSON Schema can refuse."""
    text = path.read_bytes().decode()
    assert not loads(text, path.parent)
    beyond = path.name.removesuffix(".dust.yaml") in set().union(*BEYOND_SCHEMA.values())
    assert beyond == (validates(text) and not yaml_reader.read(text).problems)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_schema_and_validator_agree_on_the_examples(path):
    """Schema and plugin accept the example suites."""
    text = path.read_text(encoding="utf-8")
    assert (validates(text), loads(text, path.parent)) == (True, True)


@pytest.mark.parametrize("name", GOOD)
def test_schema_and_validator_agree_on_good_suites(name):
    """The schema accepts what the plugin accepts: every key and matcher, references and both forms."""
    assert (validates(GOOD[name]), loads(GOOD[name])) == (True, True)


@pytest.mark.parametrize("name", BAD)
def test_schema_and_validator_agree_on_bad_suites(name):
    """The schema refuses suites that the plugin refuses for their form."""
    assert (validates(BAD[name]), loads(BAD[name])) == (False, False)


def test_every_matcher_is_in_a_good_suite():
    """The good suites have every matcher."""
    assert all(f"    {name}: " in GOOD["every matcher"] for name in MATCHERS)
