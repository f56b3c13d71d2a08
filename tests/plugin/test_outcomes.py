"""What reporters are given of an item that fails: a wrong answer is an assertion, trouble is not."""

from __future__ import annotations

import pytest

from conftest import SUPPORT, filled, suite

KINDS = """\
def pytest_runtest_makereport(item, call):
    if call.excinfo is not None:
        kind = "wrong" if isinstance(call.excinfo.value, AssertionError) else "broken"
        print(f"\\n<{item.name} {kind}: {call.excinfo.exconly()}>")
"""
"""What allure and others read: the kind of the exception, and its name with its message."""
TEST = """\
def test_it(dust):
    question = "Where is my refund?"
    dust.run(app="9f1d3b5a7c", specification_hash=HASH, config=CONFIG, input={"question": question})
"""


@pytest.fixture
def asked(project, server):
    """A function that runs the cases of a project and gives what its reporters are told."""
    cases = "cases:\n  - id: c\n    input: {question: Where is my refund?}\n"
    files = {"s.dust.yaml": suite(server, SUPPORT, cases), "test_it.py": filled(TEST, server)}
    example = project.having({**files, "conftest.py": KINDS}).using(server)

    def ask(*args, recorded=True, edit=("", "")):
        before = example.replacing("s.dust.yaml", *edit)
        after = before.recorded() if recorded else before
        server.save_edited(SUPPORT)
        server.drift()
        return after.run("-s", *args).out

    return ask


def test_a_wrong_answer_is_an_assertion(asked):
    """An expectation that does not hold is an assertion that failed, named without a path of ours."""
    edit = ("my refund?}\n", "my refund?}\n    expect: {result.label: x}\n")
    assert '<c wrong: CaseFailed: result.label: expected "x", actual "billing">' in asked(edit=edit)


def test_a_change_is_an_assertion(asked):
    """A change that fails a case, or the runs of a Python test, is an assertion that failed."""
    out = asked("--dust-mode=live", "--dust-on-change=fail")
    assert "<c wrong: CaseFailed: it begins in CLASSIFY (llm): " in out
    assert "<test_it wrong: RunsChanged: it begins in CLASSIFY (llm): " in out


def test_a_drift_is_an_assertion(asked):
    """An app that has drifted is an assertion that failed."""
    out = asked("--dust-drift", "-k", "specification")
    assert f"<[specification] wrong: CaseFailed: app {SUPPORT} drifted: CLASSIFY changed>" in out


def test_trouble_is_no_assertion(asked):
    """A case without a cassette is no assertion, and its message says that there is no verdict."""
    out = asked(recorded=False)
    assert "<c broken: NoRun: no verdict: no cassette " in out
    assert "\ns.dust.yaml:4   replay   no verdict\n" in out


def test_an_unknown_drift_is_no_assertion(asked, server):
    """A drift check that the service does not answer is no assertion."""
    server.say("down", status=500)
    assert "<[specification] broken: NoRun: it is unknown whether " in asked("--dust-drift", recorded=False)


def test_a_check_that_fails_has_a_verdict(asked):
    """What --dust-check finds is a finding, and not called a missing verdict."""
    out = asked("--dust-check", recorded=False)
    assert "<c broken: NoRun: no cassette " in out
    assert "no verdict" not in out
