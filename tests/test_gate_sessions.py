"""The sessions of the gate on the noisy app: their project, and how what the gate said is counted."""

from __future__ import annotations

import pytest
from benchmark_modules import loaded

from example_suites.dust_server import Noise

loaded("gate_simulation")
sessions = loaded("gate_sessions")

WORSE = (
    "dust: app 0dd5ba11ed: worse: 51/60 → 40/60 fresh runs pass (20 cases × 3), p = 0.008; "
    "case-7 6/6 → 0/6, begins in CLASSIFY (llm)"
)
NOT_WORSE = (
    "dust: app 0dd5ba11ed: no worse shown: 51/60 → 49/60; a drop of 17 points would be caught 8 times in 10"
)


def result(line=NOT_WORSE, fallen=()):
    """Give the result of a session in which the gate said this."""
    return sessions.Result(line is not NOT_WORSE, line, 120, frozenset(fallen))


def test_the_suite_is_one(project, server):
    """The project's suite records and passes, as long as nothing flips."""
    example = project.having({"triage.dust.yaml": sessions.suite(server)}).using(server)
    assert example.run("--dust-mode=record").outcomes == {"passed": sessions.CASES}


def test_rates_become_flips():
    """Each question of a version fails as often as its pass rate leaves."""
    rates = [0.75] * sessions.CASES
    noise = Noise(0, sessions.flips(v1=rates, v2=[1.0] * sessions.CASES))
    assert {noise.flip("v1", question) for question in sessions.QUESTIONS} == {0.25}
    assert {noise.flip("v2", question) for question in sessions.QUESTIONS} == {0.0}


def test_the_verdict_is_read():
    """The gate's line names its verdict, and may name cases and the block in which the change begins."""
    text = f"….\n{WORSE}\n1 failed"
    assert sessions.VERDICT.search(text)[0] == WORSE
    assert sessions.VERDICT.search(NOT_WORSE)[1] == "no worse shown"
    assert sessions.VERDICT.search("dust: app 0dd5ba11ed: 20 unchanged, 0 changed") is None
    assert (result(WORSE).block, result().block) == ("CLASSIFY", None)
    assert [result(WORSE, fallen).names_a_fallen_case for fallen in ((7,), (8, 17), ())] == [
        True,
        False,
        False,
    ]


def test_sessions_are_counted():
    """A line of the table counts sessions, red ones, the blocks that they name, and runs."""
    other = WORSE.replace("CLASSIFY", "WORDING")
    found = [result(WORSE, (7,)), result(WORSE), result(other), result()]
    line = sessions.cells(found, (50.0, 110.0), 8.0)
    assert line == ["4", "3 (75.0 %)", "50 %", "2 of 3", "1", "1", "120", "110", "2.00"]


@pytest.mark.parametrize(
    ("red", "forecast", "likely"), [(6, 3.0, True), (20, 3.0, False), (97, 100.0, False)]
)
def test_the_simulation_is_compared(red, forecast, likely):
    """The number of red sessions agrees with the simulation if chance explains the difference."""
    found = [result(WORSE)] * red + [result()] * (100 - red)
    assert sessions.is_likely(found, forecast) == likely
