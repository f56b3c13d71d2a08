"""`--dust-gate` where something is unusual: ceilings over processes, ends before the verdict, few runs."""

from __future__ import annotations

import json

import pytest
from test_gate import CASES, DEAD, GATE, LINE, QUESTIONS, TEST, TRIAGE, edited, failing, verdicts, versions

from conftest import config_of, suite
from example_suites.dust_server import Noise


@pytest.fixture
def noisy(project, server):
    """The noisy app's suite, recorded without an error; one case of its new version always fails."""
    example = edited(project, server, {"triage.dust.yaml": suite(server, TRIAGE, CASES)})
    server.noise = Noise(1, DEAD)
    return example


def test_a_ceiling_stops_the_gate_of_two_workers_before_it_spends(noisy, server):
    """With pytest-xdist too, no fresh run is made if the fresh runs would pass a ceiling."""
    result = noisy.run(*GATE, "-n2", "--dust-max-runs=20", subprocess=True)
    assert (result.ret, versions(server)) == (1, ["v2"] * 9)
    assert f"{LINE}could not be run: it needs about 45 more runs, and --dust-max-runs=20" in result.out


def test_the_most_counts_the_maximum_of_a_sequential_test(project, server):
    """A case with `repeat: {good, bad}` may take more attempts than its recording has: at most 14."""
    often = f"""\
cases:
  - id: refund
    repeat: {{good: 0.95, bad: 0.6}}
    input: {{question: {QUESTIONS["refund-0"]}}}
    expect: {{result.label: billing}}
"""
    example = edited(project, server, {"triage.dust.yaml": suite(server, TRIAGE, often)})
    server.noise = Noise(2, {f"v2:{QUESTIONS['refund-0']}": 0.25})
    result = example.run(*GATE)
    assert "dust: about to make 5 runs, about " in result.out
    assert "dust: gate: at most 29 runs, about " in result.out
    assert 5 < server.runs <= 29


def test_a_gate_that_could_never_fail_is_never_green(noisy, server):
    """If no result of so few runs would be called worse, the gate says so, and makes no fresh run."""
    result = noisy.run(*GATE, "-k", "refund-0", "--dust-gate-false-alarms=0.0001")
    assert (result.ret, versions(server)) == (1, ["v2"])
    assert verdicts(result) == [
        (
            f"{LINE}could not be run: no result of so few runs is sure enough for false_alarms 0.0001; "
            "raise attempts or false_alarms, or select more cases"
        )
    ]


STOP = """\
import json

import pytest

@pytest.hookimpl(optionalhook=True)
def pytest_dust_matchers():
    seen = []

    def odd(value, wanted):
        seen.append(value)
        if len(seen) == {}:
            raise KeyboardInterrupt
        return value == wanted
    return {{"odd": odd}}
"""


@pytest.mark.parametrize("at", [2, 12], ids=["first runs", "fresh runs"])
def test_after_ctrl_c_the_gate_says_that_it_did_not_decide(project, server, at):
    """Ctrl-C leaves the gate undecided at any step: the last lines and the report say so."""
    odd = CASES.replace("result.label: billing", "result.label: {odd: billing}")
    files = {"triage.dust.yaml": suite(server, TRIAGE, odd), "conftest.py": STOP.format(-1)}
    example = edited(project, server, files).having({"conftest.py": STOP.format(at)})
    server.noise = Noise(1, DEAD)
    result = example.run(*GATE, "--dust-report=r.json", subprocess=True)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert verdicts(result) == [f"{LINE}could not be run: the session ended before it was decided"]
    assert json.loads(result.example.files["r.json"])["gates"][0]["verdict"] == "could not be run"


def test_with_x_a_failure_beside_the_gate_leaves_it_undecided(noisy):
    """A session that -x ends says of the gate that it did not decide."""
    result = noisy.having({"test_a.py": "def test_no():\n    assert 0\n"}).run(*GATE, "-x")
    assert (result.ret, result.outcomes) == (1, {"failed": 1})
    assert verdicts(result) == [f"{LINE}could not be run: the session ended before it was decided"]


def test_a_session_without_a_selected_case_has_no_gate(noisy, server):
    """If no case is selected, no gate is reported, and pytest ends with its status for no tests."""
    result = noisy.run(*GATE, "-k", "nothing")
    assert (result.ret, verdicts(result)) == (pytest.ExitCode.NO_TESTS_COLLECTED, [])
    assert server.requests == []


CATCHING = """\
def ask(dust, question):
    try:
        asked = {"app": "0dd5ba11ed", "specification_hash": HASH, "config": CONFIG}
        return dust.run(**asked, input={"question": question})
    except Exception as error:
        raise RuntimeError("the app cannot be asked") from error

def test_refund(dust):
    assert ask(dust, "Refund").result.label == "billing"
"""


def test_trouble_that_a_test_catches_is_never_green(project, server):
    """A fresh run without an answer is no failed attempt, even if the test raises another error then."""
    text = CATCHING.replace("HASH", repr(server.hash(TRIAGE))).replace("CONFIG", repr(config_of(TRIAGE)))
    example = edited(project, server, {"test_callers.py": text})
    server.noise = Noise(1, {"v2:Refund": 1.0})
    failing(server, "v1")
    result = example.run(*GATE)
    assert result.ret == 1
    (line,) = verdicts(result)
    assert line.startswith(f"{LINE}could not be run: test_callers.py::test_refund: ServiceError: ")


def test_a_test_that_fails_before_it_asks_says_nothing_of_the_app(project, server):
    """A Python test that cannot run twice has no fresh runs: it did not fail by an answer."""
    once = "TIMES = []\n\n" + TEST.replace(
        "(dust):\n", "(dust):\n    TIMES.append(1)\n    assert len(TIMES) == 1, 'runs once'\n"
    )
    text = once.replace("HASH", repr(server.hash(TRIAGE))).replace("CONFIG", repr(config_of(TRIAGE)))
    example = edited(project, server, {"test_callers.py": text})
    server.noise = Noise(1, {"v2:Refund": 1.0})
    result = example.run(*GATE)
    assert (result.ret, versions(server)) == (1, ["v2"])
    assert verdicts(result) == [
        f"{LINE}could not be run: test_callers.py::test_refund: AssertionError: runs once"
    ]


def test_an_error_in_a_fixture_asks_for_no_fresh_runs(project, server):
    """A test whose fixture fails after it asked the app has no verdict, as the session has failed already."""
    fixture = TEST.replace("def test_refund(dust)", "import pytest\n\n@pytest.fixture\ndef refund(dust)")
    text = fixture.replace('"billing"', '"other"') + "\ndef test_refund(refund):\n    pass\n"
    text = text.replace("HASH", repr(server.hash(TRIAGE))).replace("CONFIG", repr(config_of(TRIAGE)))
    result = edited(project, server, {"test_callers.py": text}).run(*GATE)
    assert (result.ret, result.outcomes, versions(server)) == (1, {"failed": 1, "error": 1}, ["v2"])
    assert verdicts(result) == [
        f"{LINE}could not be run: test_callers.py::test_refund: an error in its fixtures"
    ]


def test_an_app_of_which_no_run_passes_is_never_green(project, server):
    """If all cases fail, as by a mistake in a matcher, nothing can get worse: never green."""
    wrong = CASES.replace("expect: {result.label: ", "expect: {result.label: no ")
    result = edited(project, server, {"triage.dust.yaml": suite(server, TRIAGE, wrong)}).run(*GATE)
    assert (result.ret, result.outcomes) == (1, {"failed": 1, "left": 9})
    assert f"{LINE}could not be run: no run of any case passes, so that none" in verdicts(result)[0]
