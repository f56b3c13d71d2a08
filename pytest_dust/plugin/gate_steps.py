"""The steps of --dust-gate over all processes of a session: who makes which fresh runs next."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pytest_dust.run.budget import Budget
from pytest_dust.run.gate_procedure import AppGate, FirstRuns, FreshRuns, Wanted, next_runs

METHODS = ("join", "add_first", "end_step", "share")
"""The methods that a pytest-xdist worker may call."""
FIRST, SECOND, THIRD = 1, 2, 3
"""The steps: the first runs of all cases, fresh runs of both versions, and confirming runs."""


class Share(NamedTuple):
    """What one process does in a step."""

    step: int
    cases: Mapping[str, Wanted]
    """The fresh runs to make, by the node id of the case."""
    total: int
    """Number of cases that get fresh runs in all processes; 0 if no more are needed."""
    runs: int
    """Number of runs that they take."""


@dataclass(slots=True)
class GateSteps:
    """What the processes of a session have found, and what they do next.

    A process joins, reports the first runs of its cases, and ends the first step. When all have, each asks
    for its share of the next step, makes the runs and reports them, until nothing more is needed.
    """

    budget: Budget = field(default_factory=Budget)
    _first: dict[str, FirstRuns] = field(default_factory=dict)
    _done: dict[str, int] = field(default_factory=dict)
    """By process, the number of steps that it has ended."""
    _results: dict[int, dict[str, FreshRuns]] = field(default_factory=dict)
    """By step and case."""
    _shares: dict[int, dict[str, Share]] = field(default_factory=dict)
    """By step and process."""
    _wanted: dict[int, set[str]] = field(default_factory=dict)
    """By step, the cases that were to get fresh runs."""
    _refused: dict[str, str] = field(default_factory=dict)
    """By app, why no more runs may be made."""
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def join(self, process: str) -> None:
        """Add a process that will run cases."""
        with self._lock:
            self._done.setdefault(process, 0)

    def leave(self, process: str) -> None:
        """Take out a process that has ended, or crashed."""
        with self._lock:
            self._done.pop(process, None)

    def add_first(self, first: FirstRuns) -> None:
        """Add what the first runs of a case showed; if it ran again, the last counts."""
        with self._lock:
            self._first[first.case] = first

    def end_step(self, process: str, results: Sequence[FreshRuns] = ()) -> None:
        """Note that a process has made its share, with its fresh runs."""
        with self._lock:
            self._done[process] = self._done.get(process, 0) + 1
            self._results.setdefault(self._done[process], {}).update({each.case: each for each in results})

    def share(self, process: str) -> Share | None:
        """The share of a process in the next step; None while others are still in this one."""
        with self._lock:
            step = self._done[process] + 1
            if min(self._done.values()) + 1 < step:
                return None
            if step not in self._shares:
                self._shares[step] = self._planned(step)
            return self._shares[step].get(process, Share(step, {}, 0, 0))

    def _planned(self, step: int) -> dict[str, Share]:
        """The shares of all processes in a step, each about as many cases."""
        wanted, runs = self._next_runs()
        self._wanted[step] = set(wanted)
        names = sorted(self._done)
        cases = list(wanted.items())
        return {
            name: Share(step, dict(cases[at :: len(names)]), len(wanted), runs)
            for at, name in enumerate(names)
        }

    def _next_runs(self) -> tuple[dict[str, Wanted], int]:
        """The fresh runs that the gates of all apps want and that the budget allows, and their number."""
        wanted: dict[str, Wanted] = {}
        takes = {each.case: each.runs for each in self._first.values()}
        total = 0
        for gate in self.gates():
            own = next_runs(gate)
            runs = sum(
                (each.old + each.new) * takes[case] for case, each in own.items() if case not in wanted
            )
            if runs and (why := self.budget.lacks(total + runs)):
                self._refused[gate.app] = why
                continue
            wanted.update(own)
            total += runs
        return wanted, total

    def gates(self) -> list[AppGate]:
        """What is known of each app, by its id."""
        with self._lock:
            apps = sorted({app for each in self._first.values() for app in each.apps})
            return [self._gate(app) for app in apps]

    def _gate(self, app: str) -> AppGate:
        first = tuple(each for each in self._first.values() if app in each.apps)
        refused = self._refused.get(app, "")
        second, third = (self._of_step(step, first) for step in (SECOND, THIRD))
        return AppGate(app, first, second, third, refused)

    def _of_step(self, step: int, first: Sequence[FirstRuns]) -> dict[str, FreshRuns]:
        """The fresh runs of an app's cases in a step; a case whose process crashed has a trouble."""
        found = self._results.get(step, {})
        lost = "the process that ran it ended early"
        wanted = self._wanted.get(step, set())
        return {
            each.case: found.get(each.case, FreshRuns(each.case, trouble=lost))
            for each in first
            if each.case in found or (each.case in wanted and self._is_over(step))
        }

    def _is_over(self, step: int) -> bool:
        return all(done >= step for done in self._done.values())
