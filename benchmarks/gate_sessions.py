"""`python benchmarks/gate_sessions.py`: whole pytest sessions of the gate, on the local server's noisy app.

Each session has a server, a seed and a project of its own: it records 20 cases with the first version of the
app, and then runs `pytest --dust-gate` against the second one. How often the versions err is that of the
simulation (`gate_simulation.py`), whose numbers stand beside those of the sessions. As the seed decides which
runs of the app err, what each session must say, and after how many runs, is known beforehand.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import os
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from gate_simulation import (
    CASES,
    CHANGES,
    Outcome,
    Passes,
    Population,
    Rates,
    Row,
    cell,
    gate,
    gated,
    line,
    simulated,
    spread,
    stable,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from example_suites.dust_server import APPS, DustServer, Noise

APP = "0dd5ba11ed"
PROVIDER = "provider −10 points"
POPULATIONS: dict[str, Population] = {"spread": spread, "stable": stable}
TOPICS = {"refund": "billing", "parcel": "shipping", "password": "account"}
QUESTIONS = [f"Question {at}: what about my {list(TOPICS)[at % len(TOPICS)]}?" for at in range(CASES)]
VERDICT = re.compile(rf"^dust: app {APP}: (worse|no worse shown|could not be run)\b.*", re.MULTILINE)
BLOCK = re.compile(r"begins in (\w+) \(")
CASE = re.compile(r"; case-(\d+)\b")
SIMULATED = 4000


class Scenario(NamedTuple):
    """What the sessions are about: an app, and what changes between its recording and the gate."""

    population: str
    change: str
    sessions: int

    @property
    def name(self) -> str:
        """The scenario as the table shows it."""
        return f"{self.population}, {self.change}"


SCENARIOS = (
    Scenario("spread", "no change", 200),
    Scenario("spread", PROVIDER, 200),
    Scenario("stable", "one case dead", 100),
)


class Result(NamedTuple):
    """How a session ended; `line` is what the gate said."""

    red: bool
    line: str
    runs: int
    fallen: frozenset[int]
    """The cases that pass less often in the second version."""
    predicted: Outcome
    """What the gate must say by the runs that the app makes."""

    @property
    def block(self) -> str | None:
        """The block in which the change begins, if the gate names one."""
        found = BLOCK.search(self.line)
        return found[1] if found else None

    @property
    def names_a_fallen_case(self) -> bool:
        """Whether the gate names a case that did fall."""
        return any(int(at) in self.fallen for at in CASE.findall(self.line))


class SessionError(Exception):
    """A session that gave no verdict."""


# ── a session ────────────────────────────────────────────────────────────────────────────────────


def suite(server: DustServer) -> str:
    """Return the suite's text, pinned to the first version; JSON is YAML."""
    cases = [
        {
            "id": f"case-{at}",
            "input": {"question": question},
            "expect": {"result.label": list(TOPICS.values())[at % len(TOPICS)]},
        }
        for at, question in enumerate(QUESTIONS)
    ]
    head = {"app": {"id": APP}, "specification_hash": server.hash(APP), "config": APPS[APP].config}
    return json.dumps({**head, "cases": cases}, indent=1)


def flips(**versions: Sequence[float]) -> dict[str, float]:
    """Return the flips with which each question passes as often as its rate says."""
    return {
        f"{version}:{question}": 1 - rate
        for version, rates in versions.items()
        for question, rate in zip(QUESTIONS, rates, strict=True)
    }


def run_session(scenario: Scenario, attempts: int, seed: int) -> Result:
    """Record with the first version, let the change happen, and run the gate against the second version."""
    dice = random.Random(f"{scenario.name} {seed}")  # noqa: S311  # no secret
    rates = CHANGES[scenario.change](POPULATIONS[scenario.population](dice), dice)
    with tempfile.TemporaryDirectory() as name, DustServer() as server:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        (folder / "triage.dust.yaml").write_text(suite(server), encoding="utf-8")
        before_change, after_change = noises(scenario, rates, seed)
        server.noise = before_change
        pytest_session(folder, server, "--dust-mode=record")
        server.noise = after_change
        before = len(server.stored_runs)
        other = f"--dust-specification-hash={server.hash(APP, 'v2')}"
        status, text = pytest_session(
            folder, server, "--dust-gate", other, f"--dust-gate-attempts={attempts}"
        )
        runs = len(server.stored_runs) - before
    verdict = VERDICT.search(text)
    if verdict is None or status not in (0, 1) or (status == 1) != (verdict[1] == "worse"):
        raise SessionError(f"{scenario.name}, seed {seed}: status {status}\n{text}")
    fallen = frozenset(at for at in range(CASES) if rates.new[at] < rates.old[at])
    predicted = gated(passes_of(before_change, after_change), attempts)
    return Result(status == 1, verdict[0], runs, fallen, predicted)


def noises(scenario: Scenario, rates: Rates, seed: int) -> tuple[Noise, Noise]:
    """Return how often the versions err when the cases are recorded, and when the gate runs."""
    before = Noise(seed, flips(v1=rates.recorded, v2=rates.recorded))
    if scenario.change == PROVIDER:  # which is the server's own drift
        return before, replace(before, drift=0.1)
    return before, Noise(seed, flips(v1=rates.old, v2=rates.new))


def passes_of(before_change: Noise, after_change: Noise) -> Passes:
    """Return what makes runs as the server's app does: by seed, version, question and number of the run."""
    made: Counter[tuple[str, int]] = Counter()

    def passes(which: str, at: int, runs: int) -> int:
        noise = before_change if which == "recorded" else after_change
        version = "v2" if which == "new" else "v1"
        first = made[version, at] + 1
        made[version, at] += runs
        drawn = [noise.draws(version, QUESTIONS[at], number, "") for number in range(first, first + runs)]
        return sum(not each.is_wrong for each in drawn)

    return passes


def pytest_session(folder: Path, server: DustServer, *options: str) -> tuple[int, str]:
    """Run pytest in a folder; return its exit status and what it wrote."""
    os.environ.update(
        DUST_BASE_URL=server.base_url,
        DUST_API_KEY=server.api_key,
        DUST_WORKSPACE_ID=server.workspace,
        DUST_SPACE_ID=server.space,
    )
    written = io.StringIO()
    fixed = ["-p", "no:cacheprovider", "-p", "no:xdist"]
    with chdir(folder), redirect_stdout(written), redirect_stderr(written):
        status = pytest.main([*fixed, *options])
    return int(status), written.getvalue()


# ── the table ────────────────────────────────────────────────────────────────────────────────────


def results(scenario: Scenario, given: argparse.Namespace) -> Iterator[Result]:
    """Yield the results of a scenario's sessions, each with another seed."""
    seeds = [given.seed * 1_000_000 + number for number in range(scenario.sessions)]
    one = partial(run_session, scenario, given.attempts)
    if given.jobs == 1:
        yield from map(one, seeds)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(given.jobs, mp_context=spawn) as pool:
        yield from pool.map(one, seeds)


def expected(scenario: Scenario, attempts: int, sessions: int) -> tuple[float, float]:
    """Return the simulation's percent of failed sessions and mean number of runs."""
    row = Row(scenario.name, POPULATIONS[scenario.population], partial(gate, attempts=attempts))
    dice = random.Random(0)  # noqa: S311  # no secret
    return simulated(row, CHANGES[scenario.change], sessions, dice)


def cells(found: Sequence[Result], forecast: tuple[float, float], seconds: float) -> list[str]:
    """Return a scenario's line of the table."""
    red = [one for one in found if one.red]
    right = sum(one.block == "CLASSIFY" for one in red)
    predicted = sum((one.red, one.runs) == one.predicted for one in found)
    wrong = sum(one.block not in (None, "CLASSIFY") for one in found)
    return [
        str(len(found)),
        str(predicted),
        f"{len(red)} ({100 * len(red) / len(found):.1f} %)",
        f"{cell(forecast[0])} %",
        f"{right} of {len(red)}",
        str(wrong),
        str(sum(one.names_a_fallen_case for one in red)),
        cell(sum(one.runs for one in found) / len(found)),
        cell(forecast[1]),
        f"{seconds / len(found):.2f}",
    ]


HEAD = (
    "sessions",
    "as predicted",
    "red",
    "simulated",
    "CLASSIFY named",
    "other block",
    "fallen case named",
    "runs",
    "simulated",
    "seconds each",
)


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python benchmarks/gate_sessions.py", description=__doc__)
    parser.add_argument("--sessions", type=int, metavar="N", help="of each scenario (200, 200, 100)")
    parser.add_argument("--attempts", type=int, default=3, metavar="K", help="of each version for a case (3)")
    parser.add_argument("--app", choices=POPULATIONS, help="how often cases pass; with --change")
    parser.add_argument("--change", choices=CHANGES, help="what happens before the gate; with --app")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the first session (0)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="sessions side by side (1)")
    parser.add_argument("--smoke", action="store_true", help="one session of each scenario")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write what the gate said here")
    given = parser.parse_args()
    if bool(given.app) != bool(given.change):
        parser.error("give --app and --change together")
    return given


def main() -> int:
    """Print the table; 1 if a session did not say what it must."""
    given = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the processes of --jobs end too
    chosen = [Scenario(given.app, given.change, 100)] if given.app else list(SCENARIOS)
    print(line([f"{given.attempts} attempts", *HEAD]))
    print(line(["---"] * (len(HEAD) + 1)))
    wrong = 0
    for one in chosen:
        scenario = one._replace(sessions=1 if given.smoke else given.sessions or one.sessions)
        began, forecast = (
            time.monotonic(),
            expected(scenario, given.attempts, 1 if given.smoke else SIMULATED),
        )
        found = list(results(scenario, given))
        print(line([scenario.name, *cells(found, forecast, time.monotonic() - began)]), flush=True)
        if given.output:
            with given.output.open("a", encoding="utf-8") as file:
                file.writelines(f"{scenario.name}\t{each.runs}\t{each.line}\n" for each in found)
        wrong += sum((each.red, each.runs) != each.predicted for each in found)
    if wrong:
        print(f"{wrong} sessions did not say what they must by the runs of the app", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
