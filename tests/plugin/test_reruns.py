"""Each run of a case that a plugin runs again is counted, also where the plugin reports only the last."""

from __future__ import annotations

import re

import pytest

from conftest import SUPPORT, suite

RETRY = """\
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when != "call" or not report.failed:
        return report
    hook, fake = item.ihook, pytest.Class.from_parent(item.session, name="fake")
    report.outcome = "retried"
    hook.pytest_runtest_logreport(report=report)
    for _ in range(2):
        hook.pytest_runtest_teardown(item=item, nextitem=fake)
        item._initrequest()
        pytest.CallInfo.from_call(lambda: hook.pytest_runtest_setup(item=item), when="setup")
        call = pytest.CallInfo.from_call(lambda: hook.pytest_runtest_call(item=item), when="call")
        again = pytest.TestReport.from_item_and_call(item, call)
        if again.passed:
            break
    report.outcome, report.longrepr, report.duration = again.outcome, again.longrepr, again.duration
    return report

def pytest_report_teststatus(report):
    return ("retried", "R", "RETRY") if report.outcome == "retried" else None
"""
"""A conftest file that runs failed tests twice more in the way of pytest-retry."""
FLAKY = """\
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    hook = item.ihook
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for last in (False, False, True):
        made = {}
        for when, more in (("setup", {}), ("call", {}), ("teardown", {"nextitem": nextitem})):
            run = getattr(hook, f"pytest_runtest_{when}")
            call = pytest.CallInfo.from_call(lambda: run(item=item, **more), when=when)
            made[when] = hook.pytest_runtest_makereport(item=item, call=call)
            if when != "call" or last or made[when].passed:
                hook.pytest_runtest_logreport(report=made[when])
        if made["call"].passed:
            break
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
"""
"""A conftest file that runs failed tests twice more, and reports the last run, in the way of flaky."""
CASES = """\
cases:
  - id: good
    input: {question: Track my parcel}
  - id: wrong
    input: {question: Where is my refund?}
    expect: {result.label: other}
"""


@pytest.fixture
def example(project, server):
    """A project of a case that passes and one that fails, online."""
    return project.having({"a.dust.yaml": suite(server, SUPPORT, CASES)}).using(server)


@pytest.mark.parametrize("conftest", [RETRY, FLAKY], ids=["retry", "flaky"])
def test_each_run_of_a_repeated_case_is_counted(example, server, conftest):
    """The tokens of all runs are counted, though the case is one, with the verdict of its last run."""
    result = example.having({"conftest.py": conftest}).run("--dust-mode=live")
    assert server.runs == 4
    assert {name: result.outcomes.get(name) for name in ("passed", "failed")} == {"passed": 1, "failed": 1}
    live = re.search(r"^dust: (\d) live.*, (\d+) tokens used", result.out, re.MULTILINE)
    once = re.search(r"(\d+) tokens", example.run("a.dust.yaml::good", "--dust-mode=live").out)
    assert live, result.out
    assert int(live[2]) >= 4 * int(once[1])


@pytest.mark.parametrize("conftest", [RETRY, FLAKY], ids=["retry", "flaky"])
def test_the_last_run_decides(example, server, conftest):
    """A case that passes when it runs again has passed, in the summary too."""
    answers = iter(["other"])
    server.alter(lambda run: run["traces"][-1][1][0][0]["value"].update(label=next(answers, "billing")))
    right = example.replacing("a.dust.yaml", "label: other", "label: billing")
    right = right.having({"conftest.py": conftest})
    result = right.run("a.dust.yaml::wrong", "--dust-mode=live")
    assert result.outcomes["passed"] == 1
    assert server.runs == 2
    assert re.search(r"^dust: 1 live", result.out, re.MULTILINE)
    assert "not as expected" not in result.out
