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
    predicted = sessions.Outcome(failed=line is WORSE, runs=120)
    return sessions.Result(line is not NOT_WORSE, line, 120, frozenset(fallen), predicted)


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
    assert line == ["4", "3", "3 (75.0 %)", "50 %", "2 of 3", "1", "1", "120", "110", "2.00"]


def test_the_prediction_counts_the_runs_that_the_app_makes():
    """Recordings, old and new runs are those of the app: v1 and v2, each run of a question once, in turn."""
    before, after = Noise(1, {"v1": 0.5}), Noise(1, {"v1": 0.5, "v2": 0.2})
    passes = sessions.passes_of(before, after)
    found = [passes("recorded", 0, 1), passes("new", 0, 3), passes("old", 0, 2), passes("old", 1, 1)]
    drawn = {
        (version, at): [
            not after.draws(version, sessions.QUESTIONS[at], run, "").is_wrong for run in range(1, 5)
        ]
        for version, at in (("v1", 0), ("v2", 0), ("v1", 1))
    }
    first = drawn["v1", 0]
    assert found == [first[0], sum(drawn["v2", 0][:3]), sum(first[1:3]), drawn["v1", 1][0]]


def test_the_provider_s_drift_meets_both_versions():
    """Before the gate runs, a drift of the provider is added to both versions, a change to the second one."""
    rates = sessions.Rates([0.9] * 20, [0.9] * 20, [0.7] * 20)
    question = sessions.QUESTIONS[0]
    for change, expected in ((sessions.PROVIDER, (0.2, 0.2)), ("all −20", (0.1, 0.3))):
        before, after = sessions.noises(sessions.Scenario("spread", change, 1), rates, 0)
        assert before.flip("v1", question) == pytest.approx(0.1)
        assert [after.flip(version, question) for version in ("v1", "v2")] == pytest.approx(expected)


def test_a_session_says_what_it_must(monkeypatch):
    """A whole session says what the runs of the app lead to, and names the block that flips."""
    for name in ("BASE_URL", "API_KEY", "WORKSPACE_ID", "SPACE_ID"):
        monkeypatch.setenv(f"DUST_{name}", "")  # which the session sets
    found = sessions.run_session(sessions.Scenario("stable", "one case dead", 1), 2, 5)
    assert (found.red, found.runs) == found.predicted == (True, found.runs)
    assert (found.block, found.names_a_fallen_case) == ("CLASSIFY", True)
