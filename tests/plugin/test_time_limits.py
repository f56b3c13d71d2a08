"""A plugin that ends a test by a signal, as pytest-timeout does, ends a case that waits for its run."""

from __future__ import annotations

import re
import signal

import pytest

from conftest import SUPPORT, suite

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the system has no such signals")

LIMIT = """\
import signal
import pytest

def ended(_number, _frame):
    __tracebackhide__ = True
    pytest.fail("Timeout (>0.6s) from a plugin.")

@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    before = signal.signal(signal.SIGALRM, ended)
    signal.setitimer(signal.ITIMER_REAL, 0.6)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
"""
CASES = """\
cases:
  - id: slow
    input: {question: Where is my refund?}
    MORE
"""
ENDED = "no verdict: Timeout (>0.6s) from a plugin."


@pytest.fixture
def limited(project, server):
    """A function that gives a recorded project of one case that such a plugin limits, online."""

    def make(more=""):
        text = suite(server, SUPPORT, CASES.replace("MORE", more))
        after = project.having({"a.dust.yaml": text}).using(server).recorded()
        return after.having({"conftest.py": LIMIT})

    return make


def slow_from(server, number, to=9):
    """Let the service answer the runs from this one to that one after half a minute."""
    asked = []

    def behaviour(request):
        if request.method == "POST":
            asked.append(request)
            if number <= len(asked) <= to:
                server.wait(30)

    server.behaviour = behaviour


def test_a_case_that_is_ended_has_no_verdict(limited, server):
    """The report gives the plugin's message, without a traceback; the cassette stays as it was."""
    example = limited()
    slow_from(server, 1)
    result = example.run("--dust-mode=rerecord")
    assert f"FAILED a.dust.yaml::slow - {ENDED}" in result.out
    assert re.search(r"no verdict\n\n  Timeout \(>0\.6s\) from a plugin\.\n", result.report)
    assert "Traceback" not in result.report
    assert "runtest" not in result.report
    assert result.example.cassettes == example.cassettes


def test_an_expected_failure_does_not_hide_that_a_case_was_ended(limited, server):
    """A case that is expected to fail has no verdict if it is ended."""
    example = limited("marks: [{xfail: known}]")
    slow_from(server, 1)
    assert example.run("--dust-mode=live").outcomes == {"failed": 1}


def test_runs_that_had_ended_are_kept(limited, server):
    """Of a repeated case that is ended, the runs that had ended are kept as pending, and counted."""
    example = limited("repeat: {runs: 3, min_pass: 2}")
    slow_from(server, 3)
    result = example.run("--dust-mode=live", "--dust-concurrency=1")
    assert (
        "2 of its 3 runs had ended; the answer is kept in .dust/pending/a.dust.yaml/slow.json"
        in result.report
    )
    assert ".dust/pending/a.dust.yaml/slow.json" in result.example.files
    assert re.search(r"^dust: 1 without a run, [1-9]\d* tokens used", result.out, re.MULTILINE)


def test_the_next_case_runs(limited, server):
    """A case after one that was ended has its verdict."""
    more = "\n  - id: fast\n    input: {question: Hello}"
    example = limited(more)
    slow_from(server, 1, to=1)
    result = example.run("--dust-mode=live", "--dust-concurrency=1")
    assert re.findall(r"^FAILED a\.dust\.yaml::(\w+)", result.out, re.MULTILINE) == ["slow"]
    assert result.outcomes == {"failed": 1, "passed": 1}
