"""`python benchmarks/gate_simulation.py`: how often the gate, and simpler rules, fail a simulated session.

Each session has 20 cases with a true pass rate each. Recordings, the pinned version and the new version have
rates of their own, so that a change of the app and a drift of the model's provider can be told apart. The
gate is that of the plugin itself, `pytest_dust.run.gate_procedure`; only its runs are simulated.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt
from typing import NamedTuple

from msgspec.structs import replace

from pytest_dust.compare.worse import Tally, p_worse
from pytest_dust.report.record import GateVerdict
from pytest_dust.run.gate_procedure import AppGate, FirstRuns, FreshRuns, Wanted, decided, next_runs

CASES, STEADY = 20, 18
"""Cases of a session, and how many of them always pass in a stable app."""
FALSE_ALARMS = 0.05
SESSIONS, SMOKE_SESSIONS = 4000, 15
TOLERANCE = 2.0
"""Maximum difference from a goal, in percent of the sessions; chance may add two standard errors."""


class Rates(NamedTuple):
    """The true pass rates of the cases."""

    recorded: list[float]
    """When the cases were recorded."""
    old: list[float]
    """Of the pinned version, today."""
    new: list[float]
    """Of the other version, today."""


class Outcome(NamedTuple):
    """How a session ended."""

    failed: bool
    runs: int
    """Of both versions together."""


Dice = random.Random
Population = Callable[[Dice], list[float]]
Change = Callable[[list[float], Dice], Rates]
Rule = Callable[[Rates, Dice], Outcome]
Passes = Callable[[str, int, int], int]
"""Makes runs of a case and returns how many pass; given `recorded`, `old` or `new`, the case and the runs."""


# ── the cases of an app ──────────────────────────────────────────────────────────────────────────


def spread(dice: Dice) -> list[float]:
    """Pass rates between 0.7 and 1."""
    return [dice.uniform(0.7, 1) for _ in range(CASES)]


def stable(dice: Dice) -> list[float]:
    """Pass rates of 1, but for two cases with a rate of 0.9."""
    rates = [1.0] * STEADY + [0.9] * (CASES - STEADY)
    dice.shuffle(rates)
    return rates


# ── what changes ─────────────────────────────────────────────────────────────────────────────────


def lower(rates: Sequence[float], drop: float) -> list[float]:
    """The rates, each lower by `drop`."""
    return [max(0.0, rate - drop) for rate in rates]


def all_fall(rates: list[float], _dice: Dice, drop: float = 0.0) -> Rates:
    """Every case passes less often in the new version."""
    return Rates(rates, rates, lower(rates, drop))


def provider_drifts(rates: list[float], _dice: Dice) -> Rates:
    """Every case passes less often than when it was recorded, in both versions alike."""
    today = lower(rates, 0.1)
    return Rates(rates, today, today)


def some_fall(rates: list[float], dice: Dice, count: int, drop: float) -> Rates:
    """Some cases, chosen at random, pass less often; in a stable app, some of those that always pass."""
    always = [at for at, rate in enumerate(rates) if rate == 1]
    chosen = dice.sample(always or range(CASES), count)
    fallen = lower(rates, drop)
    return Rates(rates, rates, [fallen[at] if at in chosen else rate for at, rate in enumerate(rates)])


CHANGES: dict[str, Change] = {
    "no change": all_fall,
    "provider −10 points": provider_drifts,
    "all −5": partial(all_fall, drop=0.05),
    "all −10": partial(all_fall, drop=0.1),
    "all −20": partial(all_fall, drop=0.2),
    "one case dead": partial(some_fall, count=1, drop=1.0),
    "three cases −50": partial(some_fall, count=3, drop=0.5),
}


# ── the rules ────────────────────────────────────────────────────────────────────────────────────


def passed(dice: Dice, rate: float, runs: int = 1) -> int:
    """How many of some runs pass."""
    return sum(dice.random() < rate for _ in range(runs))


def any_new_failure(rates: Rates, dice: Dice) -> Outcome:
    """A session fails if a case fails that passed when it was recorded."""
    failed = [
        passed(dice, old) > passed(dice, new) for old, new in zip(rates.recorded, rates.new, strict=True)
    ]
    return Outcome(any(failed), CASES)


def each_case_passes(rates: Rates, dice: Dice) -> Outcome:
    """A session fails if a case passes fewer than 4 of 5 runs."""
    return Outcome(any(passed(dice, rate, 5) < 4 for rate in rates.new), 5 * CASES)


def _against_recordings(rates: Rates, dice: Dice, runs: int) -> list[Tally]:
    pairs = zip(rates.recorded, rates.new, strict=True)
    return [Tally(passed(dice, old, runs), runs, passed(dice, new, runs), runs) for old, new in pairs]


def rate_drops(rates: Rates, dice: Dice) -> Outcome:
    """A session fails if 3 runs of all cases pass less often by over 5 points than 3 recorded ones."""
    tallies = _against_recordings(rates, dice, 3)
    fall = sum(tally.old_passed - tally.new_passed for tally in tallies)
    return Outcome(fall / (3 * CASES) > 0.05 + 1e-9, 3 * CASES)


def test_against_recordings(rates: Rates, dice: Dice) -> Outcome:
    """A session fails if 3 runs of all cases are worse than 3 recorded ones by the exact test."""
    return Outcome(p_worse(_against_recordings(rates, dice, 3)) <= FALSE_ALARMS, 3 * CASES)


def gate(rates: Rates, dice: Dice, attempts: int) -> Outcome:
    """A session fails if the gate of the plugin says *worse*."""
    return gated(lambda version, at, runs: passed(dice, getattr(rates, version)[at], runs), attempts)


def gated(passes: Passes, attempts: int) -> Outcome:
    """What the gate of the plugin decides, and how many runs it takes; `passes` makes them."""
    state = AppGate("app", tuple(_first_runs(passes, at, attempts) for at in range(CASES)))
    while wanted := next_runs(state):
        fresh = {case: _fresh_runs(passes, case, runs) for case, runs in wanted.items()}
        state = replace(state, confirming=fresh) if state.fresh else replace(state, fresh=fresh)
    record = decided(state)
    return Outcome(record.verdict is GateVerdict.WORSE, record.runs)


def _first_runs(passes: Passes, at: int, attempts: int) -> FirstRuns:
    """The first run of a case in the new version, beside its recording."""
    before, now = (bool(passes(version, at, 1)) for version in ("recorded", "new"))
    return FirstRuns(str(at), ("app",), (now,), now, before, attempts, FALSE_ALARMS)


def _fresh_runs(passes: Passes, case: str, runs: Wanted) -> FreshRuns:
    """The fresh runs of a case in one step."""
    old, new = passes("old", int(case), runs.old), passes("new", int(case), runs.new)
    return FreshRuns(case, Tally(old, runs.old, new, runs.new))


# ── the table ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Row:
    """A rule and the app it is simulated for; the goals are percents for each change, then runs."""

    name: str
    population: Population
    rule: Rule
    goals: tuple[float, ...] = ()


ROWS = (
    Row("spread: any new failure, 1 attempt", spread, any_new_failure),
    Row("spread: each case ≥ 80 %, 5 attempts", spread, each_case_passes),
    Row("spread: suite's rate drops > 5 points, 3", spread, rate_drops),
    Row("spread: one exact test against recordings, 3", spread, test_against_recordings),
    Row("spread: gate, 1", spread, partial(gate, attempts=1), (1.7, 2.4, 5, 13, 43, 52, 31, 65)),
    Row("spread: gate, 3", spread, partial(gate, attempts=3), (3.1, 3.8, 14, 34, 83, 57, 52, 154)),
    Row("spread: gate, 5", spread, partial(gate, attempts=5), (3.1, 3.4, 17, 49, 95, 66, 65, 203)),
    Row("stable: gate, 1", stable, partial(gate, attempts=1), (0.0, 0.8, 0.4, 5, 49, 100, 38, 25)),
    Row("stable: gate, 3", stable, partial(gate, attempts=3), (0.2, 2.6, 19, 63, 98, 100, 82, 38)),
    Row("stable: gate, 5", stable, partial(gate, attempts=5)),
)


def simulated(row: Row, change: Change, sessions: int, dice: Dice) -> tuple[float, float]:
    """How many percent of the sessions fail, and the mean number of runs."""
    outcomes = [row.rule(change(row.population(dice), dice), dice) for _ in range(sessions)]
    failed, runs = (sum(each) / sessions for each in zip(*outcomes, strict=True))
    return 100 * failed, runs


def measured(row: Row, sessions: int, seed: int) -> list[float]:
    """The numbers of a row: percents for each change, then runs without a change."""
    found = [
        simulated(row, change, sessions, random.Random(f"{seed} {row.name} {name}"))  # noqa: S311  # no secret
        for name, change in CHANGES.items()
    ]
    return [*(failed for failed, _ in found), found[0][1]]


def missed(row: Row, numbers: Sequence[float], sessions: int) -> list[str]:
    """The goals of a row that its numbers do not reach."""
    pairs = zip(CHANGES, row.goals, numbers, strict=False)
    return [
        f"{row.name}, {name}: {number:.1f} instead of {goal}"
        for name, goal, number in pairs
        if abs(number - goal) > TOLERANCE + 2 * standard_error(number, sessions)
    ]


def standard_error(percent: float, sessions: int) -> float:
    """The standard error of a share of the sessions, in percent."""
    return sqrt(percent * (100 - percent) / sessions)


def line(cells: Sequence[str]) -> str:
    """A line of the table in Markdown."""
    return f"| {' | '.join(cells)} |"


def cell(number: float) -> str:
    """A number as the table shows it: with a decimal if it is small."""
    return f"{number:.1f}" if number < 10 else f"{number:.0f}"


def main() -> int:
    """Print the table; 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python benchmarks/gate_simulation.py", description=__doc__)
    parser.add_argument("--sessions", type=int, default=SESSIONS, metavar="N", help="of each number (4000)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the random numbers (0)")
    parser.add_argument("--smoke", action="store_true", help="few sessions, no verdict")
    given = parser.parse_args()
    sessions, began = SMOKE_SESSIONS if given.smoke else given.sessions, time.monotonic()
    print(line(["sessions that fail, in %", *CHANGES, "runs"]))
    print(line(["---"] * (len(CHANGES) + 2)))
    misses: list[str] = []
    for row in ROWS:
        numbers = measured(row, sessions, given.seed)
        print(line([row.name, *map(cell, numbers)]), flush=True)
        misses += [] if given.smoke else missed(row, numbers, sessions)
    print(f"\n{sessions} sessions for each number, seed {given.seed}, {time.monotonic() - began:.0f} s")
    for miss in misses:
        print(f"missed: {miss}", file=sys.stderr)
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
