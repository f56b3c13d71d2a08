"""pytest-testmon runs a case again when a file changes that it reads."""

from __future__ import annotations

import re

import pytest

from conftest import SUPPORT, filled, suite

TESTMON = """\
import sys
import types

class Data:
    def add_lines(self, lines):
        print("DEPENDS", sorted(lines))

class Coverage:
    @staticmethod
    def current():
        return types.SimpleNamespace(get_data=Data)

def pytest_addoption(parser):
    parser.addoption("--testmon", action="store_true")
    parser.addoption("--testmon-noselect", action="store_true")
    parser.addoption("--no-testmon", dest="no-testmon", action="store_true")

def pytest_configure(config):
    if config.getoption("testmon"):
        config.pluginmanager.register(object(), "TestmonCollect")
        sys.modules["coverage"] = types.SimpleNamespace(Coverage=Coverage)
"""
"""A conftest file with what is used of pytest-testmon and coverage.py."""
CASES = """\
cases:
  - id: table
    dataset: rows.csv
    input: {question: '${row.question}'}
    expect: {result: {schema: answer.json}}
"""
TEST = """\
def test_it(dust):
    question = "Where is my refund?"
    dust.run(app="9f1d3b5a7c", specification_hash=HASH, config=CONFIG, input={"question": question})
"""


@pytest.fixture
def example(project, server):
    """A recorded project of one case with a dataset and a schema, and a Python test."""
    files = {
        "a.dust.yaml": suite(server, SUPPORT, CASES),
        "rows.csv": "id,question\na,Hello\n",
        "answer.json": '{"type": "object"}',
        "test_it.py": filled(TEST, server),
    }
    return project.having(files).using(server).recorded().having({"conftest.py": TESTMON})


def depends(result, root):
    """Give the files on which each test depends, relative to the project."""
    return re.findall(r"DEPENDS (.+)$", result.out.replace(f"{root}/", ""), re.MULTILINE)


def test_a_test_depends_on_the_files_that_it_reads(example):
    """A case depends on its suite, dataset, schema and cassette, a Python test on its cassettes."""
    case, test = depends(example.run("--testmon", "-s"), example.root)
    assert case == "['a.dust.yaml', 'answer.json', 'cassettes/a/table[a].json', 'rows.csv']"
    assert test == "['cassettes/test_it.py/test_it.json']"


def test_without_testmon_nothing_depends_on_files(example):
    """Where pytest-testmon does not collect dependencies, none are named."""
    result = example.run("-s")
    assert result.outcomes == {"passed": 2}
    assert depends(result, example.root) == []


@pytest.mark.parametrize("mode", ["live", "rerecord"])
def test_a_live_session_refuses_to_leave_cases_out(example, mode):
    """Where runs are wanted, pytest-testmon may not select: an app changes without a change of files."""
    result = example.run("--testmon", f"--dust-mode={mode}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert (
        f"a {mode} session asks whether their app has; add --testmon-noselect, or --no-testmon" in result.err
    )
    for option in ("--testmon-noselect", "--no-testmon"):
        assert example.run("--testmon", option, f"--dust-mode={mode}").outcomes == {"passed": 2}


@pytest.mark.parametrize("command", ["check", "prune", "review", "accept", "reject"])
def test_a_command_for_all_cases_refuses_to_leave_cases_out(example, command):
    """A check that left out cases would pass without them, and no pending answer may be left out."""
    result = example.run("--testmon", f"--dust-{command}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"but --dust-{command} needs all of them; add --testmon-noselect, or --no-testmon" in result.err


def test_a_drift_check_refuses_to_leave_cases_out(example):
    """An app can drift while no file changes."""
    result = example.run("--testmon", "--dust-drift")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "but --dust-drift asks whether their app has; add --testmon-noselect" in result.err


def test_recording_may_select(example):
    """In mode record pytest-testmon may select: what has no cassette failed, or is new."""
    assert example.run("--testmon", "--dust-mode=record").outcomes == {"passed": 2}
