"""The simulation of the gate: its populations, changes and rules, and that a seed gives the same table."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest
from benchmark_modules import BENCHMARKS, loaded

simulation = loaded("gate_simulation")
PERFECT = [1.0] * simulation.CASES


def share(rates, rule, sessions=20, seed=1):
    """Give the share of the sessions that fail, and the mean number of runs."""
    dice = random.Random(seed)
    outcomes = [rule(rates, dice) for _ in range(sessions)]
    return sum(one.failed for one in outcomes) / sessions, sum(one.runs for one in outcomes) / sessions


@pytest.mark.parametrize("population", [simulation.spread, simulation.stable])
def test_rates_are_rates(population):
    """Each population has 20 rates between 0.7 and 1, and each change leaves probabilities."""
    rates = population(random.Random(2))
    assert len(rates) == simulation.CASES
    assert all(0.7 <= rate <= 1 for rate in rates)
    for change in simulation.CHANGES.values():
        for changed in change(rates, random.Random(3)):
            assert len(changed) == simulation.CASES
            assert all(0 <= rate <= 1 for rate in changed)


def test_only_the_new_version_is_changed_but_by_the_provider():
    """A drift of the provider meets both versions, a change of the app the new version alone."""
    for name, change in simulation.CHANGES.items():
        recorded, old, new = change(list(PERFECT), random.Random(1))
        assert recorded == PERFECT
        assert (old == new) == (name in ("no change", "provider −10 points"))
        assert (old == PERFECT) == (name != "provider −10 points")


def test_the_named_cases_fall():
    """One case dies, or three lose 50 points, and no other."""
    for name, fallen in (("one case dead", [0.0]), ("three cases −50", [0.5] * 3)):
        new = simulation.CHANGES[name](list(PERFECT), random.Random(1)).new
        assert sorted(new)[: len(fallen)] == fallen
        assert new.count(1.0) == simulation.CASES - len(fallen)


@pytest.mark.parametrize("row", simulation.ROWS, ids=lambda row: row.name)
def test_every_rule_passes_a_perfect_app_and_fails_a_dead_one(row):
    """No rule fails an app that always passes; each fails one that never does."""
    perfect = simulation.Rates(PERFECT, PERFECT, PERFECT)
    dead = simulation.Rates(PERFECT, PERFECT, [0.0] * simulation.CASES)
    assert share(perfect, row.rule)[0] == 0
    assert share(dead, row.rule)[0] == 1


def test_the_gate_makes_as_many_runs_as_it_needs():
    """An app that always passes is run once per case; if all cases die, five of them are confirmed."""
    perfect = simulation.Rates(PERFECT, PERFECT, PERFECT)
    dead = simulation.Rates(PERFECT, PERFECT, [0.0] * simulation.CASES)
    gate = simulation.ROWS[5].rule
    assert share(perfect, gate)[1] == simulation.CASES
    assert share(dead, gate)[1] == 2 * 3 * simulation.CASES + 5 * 2 * 6


def test_a_goal_is_missed_beyond_two_points_and_chance():
    """A number misses its goal if it is further away than 2 points and two standard errors."""
    row = simulation.Row("a", simulation.spread, simulation.any_new_failure, (50.0, 10.0))
    assert simulation.missed(row, [52.5, 12.9], 4000) == []
    assert simulation.missed(row, [54.0, 6.0], 4000) == [
        "a, no change: 54.0 instead of 50.0",
        "a, provider −10 points: 6.0 instead of 10.0",
    ]


def test_a_seed_gives_the_same_table():
    """The command prints a line per rule, the same for the same seed."""

    def table(seed):
        command = [sys.executable, str(BENCHMARKS / "gate_simulation.py"), "--smoke", f"--seed={seed}"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        return [line for line in done.stdout.splitlines() if line.startswith("|")]

    first = table(1)
    assert len(first) == len(simulation.ROWS) + 2
    assert first == table(1) != table(2)
