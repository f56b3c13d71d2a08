"""What editors show of a suite: by the real YAML language server, and by what it reads from the schema."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from language_server import LanguageServer
from outside_tools import program
from suite_texts import GOOD, SHIPPED, TESTS, TOP

from pytest_dust import __version__
from pytest_dust.checks import expectation
from pytest_dust.checks.matchers import MATCHERS
from pytest_dust.suite.keys import KEYS

PROJECT = TESTS.parent
SCHEMA = json.loads(SHIPPED.read_text(encoding="utf-8"))
EXAMPLES = {
    path.name: path.read_text(encoding="utf-8") for path in PROJECT.glob("example_suites/**/*.dust.yaml")
}
SUITE = """\
app:
  workspace: w
  space: vlt_x
  id: 9f1d3b5a7c
specification_hash: latest
config: {CLASSIFY: {provider_id: openai, model_id: gpt-4o-mini, use_cache: false}}
block_filter: [ANSWER]
flavor: stream
timeout: 60
marks: [slow]
baseline:
  compare: [result]
  ignore: [run_id]
  similar: 0.9
  significant_digits: 3
  unordered: true
  volatile: keep
  on_change: fail
gate:
  attempts: 3
  false_alarms: 0.05
  strict: true
repeat: {runs: 5, min_pass: 4}
cases:
  - id: refund
    description: d
    dataset: questions.csv
    matrix: {model: [gpt-4o]}
    input: {question: Hi}
    repeat: {good: 0.9, bad: 0.6, false_alarm: 0.05, miss: 0.1}
    expect:
      status: succeeded
      result.label: billing
      blocks.CLASSIFY.output: {approx: {value: 1, abs: 0.1, rel: 0.1}}
  - id: other
    inputs: [{question: Hi}]
"""
"""A suite in which each key and sub-key stands."""


@pytest.fixture(scope="module")
def server() -> Iterator[LanguageServer]:
    """A language server with the shipped schema."""
    with LanguageServer(program("yaml-language-server"), SHIPPED) as running:
        yield running


# ── with the language server ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", [*EXAMPLES, *GOOD])
def test_a_good_suite_has_no_marks(server, name):
    """The editor marks nothing in an example suite, nor in a suite that the plugin accepts."""
    assert server.diagnostics({**EXAMPLES, **GOOD}[name]) == []


@pytest.mark.parametrize(
    ("written", "line", "message"),
    [
        ("specification_hash: latest\ninput: {}\n", 1, 'Missing property "app".'),
        (TOP, 1, 'Missing property "input".'),
        (TOP + "inptu: {}\ninput: {}\n", 3, "Property inptu is not allowed."),
        (TOP + "input: {}\ninputs: [{}]\n", 3, "Property input is not allowed."),
        (TOP + "input: {}\nflavor: stram\n", 4, 'Valid values: "blocking", "stream", "poll"'),
        (TOP + "input: {}\ntimeout: 30s\n", 4, "Expected number, or a reference"),
        (TOP + "input: {}\nrepeat: {runs: 0}\n", 4, "below the minimum of 1"),
        (TOP + "input: {}\nexpect:\n  result: {contain: x}\n", 5, "Property contain is not allowed."),
        (TOP + "input: {}\nexpect:\n  result: {lt: x}\n", 5, "Expected number, or a reference"),
        (TOP.replace("latest", "lastest") + "input: {}\n", 2, "64 hex digits, or latest"),
        (TOP + "cases: [{id: A b, input: {}}]\n", 3, "An id has small letters"),
    ],
)
def test_a_mistake_is_marked_once_with_its_place(server, written, line, message):
    """A mistake is marked in its line, with a message that says what is allowed."""
    ((found, text),) = server.diagnostics(written)
    assert found == line
    assert message in text


def test_every_key_has_a_hover_text(server):
    """Over each key and sub-key, the editor shows its name and what it is for."""
    assert server.diagnostics(SUITE) == []
    for name, description in _described(SCHEMA):
        if f"{name}: " not in SUITE and f"{name}:\n" not in SUITE:
            continue
        shown = server.hover(SUITE, f"{name}:")
        assert len(shown.split("\n\n")) >= 3, (name, description, shown)
    assert "* `stream`: Events while blocks run" in server.hover(SUITE, "flavor:")
    assert "`--dust-workspace`" in server.hover(SUITE, "workspace:")
    assert "A part of the output" in server.hover(SUITE, "result.label:")
    assert "A block by its name" in server.hover(SUITE, "blocks.CLASSIFY")


@pytest.mark.parametrize("name", MATCHERS)
def test_every_matcher_has_a_hover_text(server, name):
    """Over each matcher, the editor shows what it accepts."""
    shown = server.hover(GOOD["every matcher"], f"    {name}: ")
    description = (MATCHERS[name].holds.__doc__ or "").partition("\n")[0]
    assert description in shown.replace("\\", "")


@pytest.mark.parametrize(
    ("written", "offered"),
    [
        ("|", {"suite", "app", "specification_hash", "config", "input", "cases"}),
        (TOP + "|\n", {"cases", "input", "expect"}),
        (TOP + "cases:\n  |", {"case"}),
        (TOP + "cases:\n  - id: a\n    input: {}\n  |", {"case"}),
        ("app:\n  |", {"workspace", "space", "id"}),
        (TOP + "flavor: |\ninput: {}\n", {"blocking", "stream", "poll"}),
        (TOP + "input: {}\nbaseline:\n  |", {"compare", "ignore", "on_change"}),
        (TOP + "input: {}\nbaseline:\n  on_change: |", {"fail", "report"}),
        (TOP + "input: {}\nrepeat:\n  |", {"runs", "min_pass", "good", "bad"}),
        (TOP + "cases:\n  - |", {"case", "id", "input", "dataset", "matrix", "expect"}),
        (TOP + "input: {}\nexpect:\n  |", {"status", "result", "usage.total_tokens"}),
        (TOP + "input: {}\nexpect:\n  status: |", {"succeeded", "errored"}),
        (TOP + "input: {}\nexpect:\n  result:\n    |", set(MATCHERS)),
        (TOP + "input: {}\nexpect:\n  blocks.A.output:\n    |", set(MATCHERS)),
        (TOP + "input: {}\nexpect:\n  result:\n    type: |", {"string", "integer", "object"}),
    ],
)
def test_completion(server, written, offered):
    """The editor offers the keys, values and matchers that are allowed at a place, each with its colon."""
    found = server.completions(written)
    assert offered <= set(found)
    assert all(":" in text for name, text in found.items() if written.endswith("  |") and name in offered)


def test_a_new_suite_and_a_new_case_are_good(server):
    """What `suite` and `case` insert is a suite without marks, when its fields are filled in."""
    written = server.completions("|")["suite"]
    case = server.completions(f"{TOP}cases:\n  |")["case"]
    texts = [written, f"{TOP}cases:\n  " + case.replace("\n", "\n  ")]
    for text in texts:
        filled = re.sub(r"\$\{\d:(\w+)\}", r"\1", re.sub(r"\$\d", "x", text))
        assert server.diagnostics(filled) == []
        assert "input:" in filled


def test_a_suite_may_name_its_schema(tmp_path):
    """A comment at the top of a suite names the schema, as docs/editors.md says."""
    (tmp_path / "suite.schema.json").write_bytes(SHIPPED.read_bytes())
    page = (PROJECT / "docs" / "editors.md").read_text(encoding="utf-8")
    (comment,) = re.findall(r"^# yaml-language-server: .+$", page, re.MULTILINE)
    with LanguageServer(program("yaml-language-server"), tmp_path / "none.json", tmp_path) as server:
        assert "Property inptu is not allowed." in str(server.diagnostics(f"{comment}\n{TOP}inptu: {{}}\n"))


# ── the schema ───────────────────────────────────────────────────────────────────────────────────


def _described(schema: Any) -> Iterator[tuple[str, str]]:
    """Each name in each `properties` of the schema, and its description."""
    for each in schema if isinstance(schema, list) else ():
        yield from _described(each)
    if isinstance(schema, dict):
        for keyword, value in schema.items():
            yield from _described(value)
            if keyword == "properties" and isinstance(value, dict):
                yield from ((name, each.get("description", "")) for name, each in value.items() if each)


def test_every_key_is_described():
    """Each key, sub-key and matcher has a description, as plain text and, where needed, as Markdown."""
    found = {name: text for name, text in _described(SCHEMA) if text}
    assert {*KEYS, *MATCHERS, "attempts", "on_change", "min_pass", "model_id", "ignore_order"} <= set(found)
    assert {name for name, _ in _described(SCHEMA)} == set(found)
    assert not any("`" in text for text in found.values())
    assert "`--dust-timeout`" in SCHEMA["then"]["properties"]["timeout"]["markdownDescription"]


def test_the_paths_of_a_run_are_described():
    """What an expectation may begin with is what a run has."""
    expect = SCHEMA["$defs"]["case"]["properties"]["expect"]
    names = {name.partition(".")[0] for name in expect["properties"]}
    names |= {re.match(r"\^(\w+)", pattern)[1] for pattern in expect["patternProperties"]}
    assert names == {*expectation.TOP, "result", "results"}


def test_each_schema_names_itself_and_its_version(project):
    """Both schemas have an `$id` and a title with the version of pytest-dust, and are valid."""
    for what in ("suite", "report"):
        schema = json.loads(project.run(f"--dust-schema={what}").out)
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["$id"] == f"urn:pytest-dust:{__version__}:{what}"
        assert schema["title"].startswith(f"pytest-dust {__version__}: ")


def test_the_printed_schema_has_the_matchers_of_the_project(project):
    """A project's own matchers are in the schema that `--dust-schema` prints, with their descriptions."""
    conftest = (
        "import pytest\n\n@pytest.hookimpl(optionalhook=True)\ndef pytest_dust_matchers():\n"
        '    def polite(value, wanted):\n        """A text with a kind word."""\n        return True\n'
        '    return {"polite": polite}\n'
    )
    result = project.having({"conftest.py": conftest}).run("--dust-schema")
    schema = json.loads(result.out)
    assert schema["$defs"]["matchers"]["properties"]["polite"]["description"] == "A text with a kind word."
    suite = {
        "app": {"id": "x"},
        "specification_hash": "latest",
        "input": {},
        "expect": {"result": {"polite": 1}},
    }
    assert jsonschema.Draft202012Validator(schema).is_valid(suite)
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(suite)


def test_the_schema_is_where_the_page_says():
    """The command in docs/editors.md prints the path of the schema, and its settings name that file."""
    page = (PROJECT / "docs" / "editors.md").read_text(encoding="utf-8")
    command = re.search(r'python -c "(.+)"\n', page)[1]
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == SHIPPED
    settings = [json.loads(text) for text in re.findall(r"```json\n(.+?)```", page, re.DOTALL)]
    (schema,) = settings[0]["yaml.schemas"]
    assert schema.endswith("site-packages/pytest_dust/suite.schema.json")
    assert schema in page.partition("```lua")[2]
