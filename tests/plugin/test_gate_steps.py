"""The steps of the gate over several processes: who makes which fresh runs, and what a crash leaves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pytest_dust.compare.worse import Tally
from pytest_dust.plugin import shared_objects
from pytest_dust.plugin.gate_steps import METHODS, SECOND, THIRD, GateSteps
from pytest_dust.report.record import GateVerdict
from pytest_dust.run.budget import Budget
from pytest_dust.run.gate_procedure import FirstRuns, FreshRuns, decided


def first(case, *, passed=True, apps=("app",), runs=1):
    """The first run of a case that passed when it was recorded."""
    known = FirstRuns(case, apps, (passed,), passed, passed_before=True, attempts=3, false_alarms=0.05)
    return replace(known, runs=runs)


def answered(share, *, new=0):
    """Fresh runs of all cases of a share: all pass in the old version, so many of each in the new one."""
    return [
        FreshRuns(case, Tally(wanted.old, wanted.old, new, wanted.new))
        for case, wanted in share.cases.items()
    ]


@pytest.fixture
def two():
    """Two processes, each with its first runs: one of four cases failed."""
    steps = GateSteps()
    for process in ("gw0", "gw1"):
        steps.join(process)
    for case, passed in {"a": False, "b": True, "c": True, "d": True}.items():
        steps.add_first(first(case, passed=passed))
    return steps


def test_a_process_waits_until_all_have_ended_the_step(two):
    """No share is given before every process has run its cases; then each gets its part, once."""
    two.end_step("gw0")
    assert two.share("gw0") is None
    two.end_step("gw1")
    shares = [two.share(process) for process in ("gw0", "gw1")]
    assert [(share.step, share.total, share.runs) for share in shares] == [(SECOND, 4, 20)] * 2
    assert [sorted(share.cases) for share in shares] == [["a", "c"], ["b", "d"]]
    assert two.share("gw0") == shares[0]


def test_the_third_step_follows_the_second(two):
    """The cases that fell are confirmed when all have made their fresh runs; then nothing is left to do."""
    for step in (SECOND, THIRD):
        for process in ("gw0", "gw1"):
            two.end_step(process) if step == SECOND else None
        shares = {process: two.share(process) for process in ("gw0", "gw1")}
        assert {share.step for share in shares.values()} == {step}
        for process, share in shares.items():
            two.end_step(process, answered(share))
    assert [two.share(process).total for process in ("gw0", "gw1")] == [0, 0]
    (gate,) = two.gates()
    assert decided(gate).verdict is GateVerdict.WORSE


def test_a_crash_never_turns_green(two):
    """The cases whose process crashed have no fresh runs: the gate could not be run."""
    for process in ("gw0", "gw1"):
        two.end_step(process)
    share = two.share("gw0")
    two.share("gw1")
    two.end_step("gw0", [FreshRuns(case, Tally(3, 3, 2, 2)) for case in share.cases])
    assert two.share("gw0") is None
    two.leave("gw1")
    assert two.share("gw0").total == 0
    (gate,) = two.gates()
    record = decided(gate)
    assert (record.verdict, record.message) == (
        GateVerdict.NOT_RUN,
        "b: the process that ran it ended early (+1 more)",
    )


def test_a_case_of_two_apps_runs_once():
    """A Python test of two apps makes its fresh runs once, and counts for both."""
    steps = GateSteps()
    steps.join("main")
    steps.add_first(first("t", passed=False, apps=("one", "two"), runs=2))
    steps.end_step("main")
    share = steps.share("main")
    assert (list(share.cases), share.runs) == (["t"], 10)
    steps.end_step("main", answered(share))
    assert [gate.fresh["t"].tally.old for gate in steps.gates()] == [3, 3]


def test_the_budget_is_for_all_apps_together():
    """An app whose fresh runs would pass the ceiling gets none; others that fit get theirs."""
    steps = GateSteps(Budget(max_runs=20, runs=4))
    steps.join("main")
    for app, count in {"a": 1, "b": 3, "c": 1}.items():
        for at in range(count):
            steps.add_first(first(f"{app}{at}", passed=False, apps=(app,)))
    steps.end_step("main")
    assert sorted(steps.share("main").cases) == ["a0", "c0"]
    refused = {gate.app: gate.refused for gate in steps.gates()}
    assert refused["b"].startswith("it needs about 20 more runs, and --dust-max-runs=20 leaves 16")


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(1, 4))
def test_every_case_is_run_by_one_process(passes, processes):
    """However many processes there are, their shares hold each case that is to run exactly once."""
    steps = GateSteps()
    names = [f"gw{at}" for at in range(processes)]
    for name in names:
        steps.join(name)
    for at, passed in enumerate(passes):
        steps.add_first(first(f"c{at}", passed=passed))
    for name in names:
        steps.end_step(name)
    given_out = [case for name in names for case in steps.share(name).cases]
    wanted = [] if all(passes) else [f"c{at}" for at in range(len(passes))]
    assert sorted(given_out) == sorted(wanted)


def test_workers_reach_the_steps_of_their_controller(two):
    """Another process calls the same steps, and no others of their methods."""
    shared = shared_objects.connect(shared_objects.serve(two, METHODS), METHODS)
    shared.add_first(first("e"))
    for process in ("gw0", "gw1"):
        shared.end_step(process)
    assert "e" in {**shared.share("gw0").cases, **shared.share("gw1").cases}
    with pytest.raises(AttributeError):
        shared.gates()
