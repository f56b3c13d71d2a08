"""What other plugins read of an item and of its failure: places, pytest's own form, and no secret."""

from __future__ import annotations

import json
import re

import pytest

from conftest import SUPPORT, suite
from pytest_dust.plugin import failures

READER = """\
import json
import pytest

def example():
    try:
        raise AssertionError
    except AssertionError as error:
        return pytest.ExceptionInfo.from_exception(error).getrepr()

def pytest_collection_modifyitems(items):
    for item in items:
        nodes = [node.name for node in item.listchain()[2:]]
        print("\\nITEM", json.dumps([item.nodeid, str(item.path), item.location[1] + 1, nodes]))

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report):
    if report.failed:
        ((traceback, crash, _),) = report.longrepr.chain
        (entry,) = traceback.reprentries
        where = entry.reprfileloc
        print("\\nFAILURE", json.dumps({
            "known": isinstance(report.longrepr, type(example())),
            "same": report.longrepr.reprcrash is crash and report.longrepr.reprtraceback is traceback,
            "crash": [crash.path, crash.lineno, crash.message],
            "entry": [where.path, where.lineno, where.message],
            "location": list(report.location[:2]),
            "texts": sorted({str(report.longrepr), "\\n".join(entry.lines)}),
        }))

def pytest_exception_interact(node, call, report):
    print("\\nRAISED", json.dumps(call.excinfo.exconly()))
"""
"""A plugin that reads what others do: GitHub annotations, pytest-pretty, JSON reports, VS Code."""
CASES = """\
cases:
  - id: good
    input: {question: Where is my refund?}

  - id: wrong
    input: {question: Where is my refund?}
    expect:
      result.label: other
"""


@pytest.fixture
def read(project, server):
    """A recorded project in a folder `support` with a plugin that reads its reports."""
    files = {"support/s.dust.yaml": suite(server, SUPPORT, CASES), "conftest.py": READER}
    return project.having(files).using(server).recorded().offline()


def told(result, word):
    """What the plugin read, by the word that it prints before."""
    return [json.loads(found) for found in re.findall(rf"^{word} (.*)$", result.out, re.MULTILINE)]


def test_a_test_tree_has_each_case_at_its_line(read):
    """An editor finds each case under its folder and file, at the line on which it begins."""
    path = str(read.root / "support/s.dust.yaml")
    assert told(read.run("--collect-only", "-s"), "ITEM") == [
        ["support/s.dust.yaml::good", path, 4, ["support", "s.dust.yaml", "good"]],
        ["support/s.dust.yaml::wrong", path, 7, ["support", "s.dust.yaml", "wrong"]],
    ]


def test_a_failed_case_stays_at_its_line_in_the_tree(read):
    """A case that has failed is still at its line, though its report names that of the expectation."""
    result = read.run("-s", "support/s.dust.yaml::wrong", "support/s.dust.yaml::wrong")
    assert [item[2] for item in told(result, "ITEM")] == [7]
    assert [failure["location"] for failure in told(result, "FAILURE")] == [["support/s.dust.yaml", 9]]


def test_a_failure_has_pytests_own_form(read):
    """It is of pytest's class, with a crash at the full path, and an entry at the path as typed."""
    (failure,) = told(read.run("-s"), "FAILURE")
    words = 'result.label: expected "other", actual "billing"'
    (text,) = failure.pop("texts")
    assert failure == {
        "known": True,
        "same": True,
        "crash": [str(read.root / "support/s.dust.yaml"), 10, words],
        "entry": ["support/s.dust.yaml", 10, words],
        "location": ["support/s.dust.yaml", 9],
    }
    assert text.startswith("support/s.dust.yaml:10   replayed   ")
    assert text.endswith("pytest support/s.dust.yaml::wrong --dust-mode=live")


def test_the_path_of_an_entry_is_that_which_is_typed(read):
    """In another folder, the entry's path is relative to it, and the crash's path is the same."""
    (failure,) = told(read.run("-s", "../support", "-c", "../pytest.ini", cwd="support"), "FAILURE")
    assert failure["crash"][0] == str(read.root / "support/s.dust.yaml")
    assert failure["entry"][0] == "s.dust.yaml"


def test_tb_line_is_one_line(read):
    """`--tb=line` writes the crash: path, line, and headline."""
    out = read.run("--tb=line").out
    assert f'\n{read.root}/support/s.dust.yaml:10: result.label: expected "other", actual "billing"\n' in out


def test_words_of_pytest_in_an_answer_cross_to_the_controller(made, server):
    """An answer with the names of pytest's fields in it is read as text by the controller of pytest-xdist."""
    server.alter(lambda run: run["traces"][-1][1][0][0]["value"].update(label="reprcrash reprtraceback"))
    example = made(SUPPORT, "input: {question: Where is my refund?}\nexpect: {result.label: billing}\n")
    result = example.offline().run("-n", "1", "-p", "no:cacheprovider")
    assert result.outcomes == {"failed": 1}
    assert "reprcrash reprtraceback" in result.report


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_broken_suite_is_the_same_text_with_workers(read, workers):
    """The mistakes of a suite are written once, with pytest-xdist too."""
    broken = read.having({"support/s.dust.yaml": "app: {id: x}\n", "conftest.py": None})
    result = broken.run(*workers)
    report = result.report
    assert result.outcomes == {"error": 1}
    assert re.findall("^support/s.dust.yaml:1.*", report, re.MULTILINE)[1:] == []


def test_the_exception_of_a_broken_suite_holds_no_secret(read):
    """The exception that a broken suite raises, which editors show, is masked like its report."""
    broken = read.replacing(
        "support/s.dust.yaml", "- id: wrong\n", "- id: wrong\n    ipnut: t0p-s3cret-value\n"
    )
    broken = broken.having({"pytest.ini": "[pytest]\ndust_secrets = MY_SECRET\n"})
    result = broken.exporting(MY_SECRET="t0p-s3cret-value").run("-s")
    (raised,) = told(result, "RAISED")
    assert "unknown key" in raised
    assert "s3cret" not in result.out


def test_failures_with_the_same_text_are_equal(tmp_path):
    """Failures are equal by their text, from whatever thread, as pytest-xdist shows one of equal ones."""
    first = failures.failure("a\nb", tmp_path, "a", 1, "headline")
    failures._form.cache_clear()  # as if another thread had made the class too
    second, other = (failures.failure(text, tmp_path, "a", 1, "headline") for text in ("a\nb", "a\nc"))
    assert first == second
    assert len({first, second, other}) == 2
