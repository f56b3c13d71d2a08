"""The JSON Schema of suites: it accepts what the plugin accepts, and refuses what a schema can refuse."""

from __future__ import annotations

import json

import jsonschema
import pytest
from suite_texts import GOOD, ONE, SHIPPED, TESTS, TOP, loads, validates

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
