"""VS Code's test view: its adapter, the plugin `vscode_pytest` of the extension Python, run on suites."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from outside_tools import folder

from conftest import OTHERS_PLUGINS, SUPPORT, suite

ADAPTER = folder("vscode-python/python_files")
needs_adapter = pytest.mark.skipif(ADAPTER is None, reason="needs vscode-python; see tests/outside_tools.py")
CASES = """\
cases:
  - id: refund
    input: {question: Where is my refund?}
    expect:
      result.label: billing
  - id: wrong
    input: {question: Hello}
    expect:
      result.label: billing
  - id: known
    marks: [{xfail: the model confuses greetings}]
    input: {question: Hello}
    expect: {result.label: billing}
  - id: skipped
    marks: [{skip: later}]
    input: {question: Hello}
  - id: table
    dataset: rows.csv
    input: {question: '${row.question}'}
  - id: models
    matrix: {model: [gpt-4o, gpt-4o-mini]}
    config: {CLASSIFY: {model_id: '${matrix.model}'}}
    input: {question: Hello}
"""
LINES = {
    "refund": 4,
    "wrong": 8,
    "known": 12,
    "skipped": 16,
    "table[parcel]": 19,
    "table[r2]": 19,
    "models[gpt-4o]": 22,
    "models[gpt-4o-mini]": 22,
}
FILE = "support/answer.dust.yaml"


@pytest.fixture
def shop(project, server):
    """A recorded project with suites of all kinds of cases, in two folders."""
    files = {
        FILE: suite(server, SUPPORT, CASES),
        "support/rows.csv": "id,question\nparcel,Track my parcel\n,Hello\n",
        "one.dust.yaml": suite(server, SUPPORT, "input: {question: Hello}\n"),
    }
    return project.having(files).using(server).recorded()


# ── with the adapter ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Node:
    """A node of the tree in the test view."""

    kind: str
    path: str
    line: str
    run_id: str


@dataclass(frozen=True)
class Sent:
    """What the adapter has sent to VS Code."""

    messages: list[dict[str, Any]]

    @property
    def nodes(self) -> dict[str, Node]:
        """The files and tests of the tree, by their names."""
        (message,) = (each for each in self.messages if (each.get("tests") or {}).get("name"))
        return {node["name"]: _node(node) for node in _below(message["tests"])}

    @property
    def errors(self) -> str:
        """The errors that the view shows."""
        return "\n".join(line for each in self.messages for line in each.get("error") or ())

    @property
    def outcomes(self) -> dict[str, tuple[str, str]]:
        """The outcome and the message of each test, by its id from the project's folder."""
        results = (each.get("result") or {} for each in self.messages)
        return {
            name: (told["outcome"], told["message"] or "")
            for result in results
            for name, told in result.items()
        }


def _below(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for child in node.get("children", ()):
        yield child
        yield from _below(child)


def _node(node: dict[str, Any]) -> Node:
    return Node(node["type_"], node["path"], node.get("lineno", ""), node.get("runID", ""))


def run(example, *args: str) -> Sent:
    """Run pytest as VS Code does."""
    example.write()
    pipe = example.root.parent / f"{example.root.name}.pipe"
    pipe.write_bytes(b"")
    environ = {**os.environ, **example.environ, "TEST_RUN_PIPE": str(pipe), "PYTHONPATH": str(ADAPTER)}
    environ["PYTEST_ADDOPTS"] = OTHERS_PLUGINS
    command = [sys.executable, "-m", "pytest", "-p", "vscode_pytest", "-p", "no:cacheprovider", "--rootdir=."]
    done = subprocess.run(
        [*command, *args],
        cwd=example.root,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "INTERNALERROR" not in done.stdout + done.stderr
    messages = re.split(rb"content-length: \d+\r\ncontent-type: [^\r]+\r\n\r\n", pipe.read_bytes())
    return Sent([json.loads(each)["params"] for each in messages if each])


@needs_adapter
def test_the_tree_has_each_case_under_its_file_at_its_line(shop):
    """The view shows each suite as a file, its cases as tests in it, each at the line where it is written."""
    nodes = run(shop, "--collect-only").nodes
    assert (nodes["answer.dust.yaml"].kind, nodes["one.dust.yaml"].kind) == ("file", "file")
    tests = {name: node for name, node in nodes.items() if node.kind == "test"}
    assert {name: int(node.line) for name, node in tests.items()} == {**LINES, "one": 1}
    assert {name for name, node in tests.items() if node.path.endswith(FILE)} == set(LINES)
    assert all(node.run_id.endswith(f"{FILE}::{name}") for name, node in tests.items() if name in LINES)


@needs_adapter
def test_a_suite_with_mistakes_is_told_with_its_lines(shop):
    """The view shows the mistakes of a suite with file and line, and the cases of other suites."""
    sent = run(shop.having({"broken.dust.yaml": "app: {id: x}\ncases:\n  - idd: x\n"}), "--collect-only")
    assert 'broken.dust.yaml:3:5: unknown key "idd"' in sent.errors
    assert set(LINES) <= set(sent.nodes)


@needs_adapter
def test_results_belong_to_the_tests_of_the_tree(shop):
    """Cases that run by their ids in the tree give results under the same ids, a failed one its report."""
    ids = {name: node.run_id for name, node in run(shop, "--collect-only").nodes.items() if node.run_id}
    absolute = {name: str(shop.root / each) for name, each in ids.items()}
    outcomes = run(shop, *absolute.values()).outcomes
    verdicts = {name: outcomes[_found(outcomes, ids[name])][0] for name in ids}
    assert verdicts == {
        **dict.fromkeys([*LINES, "one"], "success"),
        "wrong": "failure",
        "known": "skipped",
        "skipped": "skipped",
    }
    assert f"{FILE}:11" in outcomes[_found(outcomes, ids["wrong"])][1]
    only = run(shop, absolute["table[parcel]"]).outcomes
    assert [told for told, _ in only.values()] == ["success"]


def _found(outcomes: dict[str, Any], id_: str) -> str:
    (name,) = (each for each in outcomes if each.endswith(id_))
    return name


@needs_adapter
def test_the_items_of_a_live_session_are_in_the_tree(shop, server):
    """The drift check and the gate are tests of a suite's file, and have results there."""
    server.save_edited(SUPPORT)
    args = ("--dust-drift", "--dust-specification-hash=latest", "--dust-gate", "one.dust.yaml")
    tests = {
        name: node for name, node in run(shop, "--collect-only", *args).nodes.items() if node.kind == "test"
    }
    assert set(tests) == {"one", "[specification]", f"[gate {SUPPORT}]"}
    assert all(node.path.endswith("one.dust.yaml") and node.line for node in tests.values())
    outcomes = run(shop, *args).outcomes
    assert len(outcomes) == len(tests)
    assert outcomes[_found(outcomes, "one.dust.yaml")][0] == "success"  # the gate has the id of its file
    assert outcomes[_found(outcomes, "::[specification]")][0] == "failure"


# ── what the adapter relies on ───────────────────────────────────────────────────────────────────

LOOK = """\
import json, pathlib, pytest

@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session):
    print("ITEMS " + json.dumps([
        [item.name, item.nodeid, str(item.path), item.location[1], str(item.parent.path),
         isinstance(item.parent, pytest.File), hasattr(item, "callspec")] for item in session.items]))
"""


def test_what_the_adapter_reads_of_an_item(shop):
    """A case's parent is its file, its location its line, its id begins with its file; it has no `callspec`.

    The adapter takes items with a `callspec` for tests in a `.py` file, and fails at any other.
    """
    result = shop.having({"conftest.py": LOOK}).run("--collect-only", "-s")
    (line,) = re.findall(r"^ITEMS (.+)$", result.out, re.MULTILINE)
    found = {name: rest for name, *rest in json.loads(line)}
    assert set(found) == {*LINES, "one"}
    for name, wanted in LINES.items():
        nodeid, path, at, parent, is_file, has_callspec = found[name]
        assert nodeid == f"{FILE}::{name}"
        assert (Path(path), at + 1) == (shop.root / FILE, wanted)
        assert (parent, is_file, has_callspec) == (path, True, False)


def test_the_parent_of_each_listed_item_is_a_file(shop):
    """The drift check and the gate are listed in a suite too, at a line of it."""
    args = ("--dust-drift", "--dust-specification-hash=latest", "--dust-gate", "one.dust.yaml")
    result = shop.having({"conftest.py": LOOK}).run("--collect-only", "-s", *args)
    (line,) = re.findall(r"^ITEMS (.+)$", result.out, re.MULTILINE)
    found = {name: rest for name, *rest in json.loads(line)}
    assert set(found) == {"one", "[specification]", f"[gate {SUPPORT}]"}
    for _, path, at, parent, is_file, has_callspec in found.values():
        assert Path(path) == Path(parent) == shop.root / "one.dust.yaml"
        assert (at is not None, is_file, has_callspec) == (True, True, False)
