"""With other plugins, cases have the same outcomes, and each plugin does its job for them.

All plugins are in one environment, and each session loads only those of its row. What is done for one plugin
has tests that need none: test_network_blocks.py, test_repetition.py, test_testmon.py, test_time_limits.py.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest
from other_environments import needs_environments, python_of

from conftest import SUPPORT, filled, suite

pytestmark = needs_environments

PACKAGES = (
    "allure-pytest",
    "flaky",
    "pytest-asyncio",
    "pytest-benchmark",
    "pytest-check",
    "pytest-cov",
    "pytest-dependency",
    "pytest-flakefinder",
    "pytest-github-actions-annotate-failures",
    "pytest-html",
    "pytest-httpx",
    "pytest-instafail",
    "pytest-json-report",
    "pytest-loop",
    "pytest-mock",
    "pytest-order",
    "pytest-picked",
    "pytest-pretty",
    "pytest-randomly",
    "pytest-recording",
    "pytest-reportlog",
    "pytest-repeat",
    "pytest-rerunfailures",
    "pytest-retry",
    "pytest-socket",
    "pytest-split",
    "pytest-sugar",
    "pytest-testmon",
    "pytest-timeout",
    "syrupy",
)
ANSWER = """\
cases:
  - id: good
    input: {question: Track my parcel}
  - id: wrong
    input: {question: Where is my refund?}
    expect: {result.label: other}
  - id: known
    marks: [{xfail: the model confuses greetings}]
    input: {question: Hello}
    expect: {result.label: billing}
  - id: skipped
    marks: [{skip: later}]
    input: {question: Hello}
  - id: table
    dataset: rows.csv
    input: {question: '${row.question}'}
    expect: {result.label: '${row.label}', result: {schema: answer.json}}
  - id: often
    repeat: {runs: 3, min_pass: 2}
    input: {question: Hello}
"""
OTHER = "cases:\n  - id: first\n    input: {question: Hi}\n  - id: second\n    input: {question: Hey}\n"
TEST = """\
import pytest

def test_passes(): pass

def test_fails(): assert 1 == 2

@pytest.mark.xfail
def test_known(): assert False

@pytest.mark.skip
def test_skipped(): pass

def test_dust(dust):
    question = "Where is my refund?"
    dust.run(app="9f1d3b5a7c", specification_hash=HASH, config=CONFIG, input={"question": question})
"""
CONFTEST = """\
import os

def pytest_runtest_logreport(report):
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    if report.when == "call" or report.when == "setup" and not report.passed:
        with open("outcomes", "a") as file:
            print(report.nodeid, report.outcome, file=file)
"""
OUTCOMES = {
    "support/answer.dust.yaml::good": "passed",
    "support/answer.dust.yaml::wrong": "failed",
    "support/answer.dust.yaml::known": "skipped",
    "support/answer.dust.yaml::skipped": "skipped",
    "support/answer.dust.yaml::table[a]": "passed",
    "support/answer.dust.yaml::table[b]": "passed",
    "support/answer.dust.yaml::often": "passed",
    "support/other.dust.yaml::first": "passed",
    "support/other.dust.yaml::second": "passed",
    "test_it.py::test_passes": "passed",
    "test_it.py::test_fails": "failed",
    "test_it.py::test_known": "skipped",
    "test_it.py::test_skipped": "skipped",
    "test_it.py::test_dust": "passed",
}
"""The outcomes of all tests without another plugin, in their order."""
CASES = [nodeid for nodeid in OUTCOMES if ".yaml" in nodeid]
BLOCKS = [("socket", "--disable-socket"), ("recording", "--block-network")]
"""Plugins and their options that keep all tests from the network."""
RUNS = 11
"""Number of runs of a live session."""


@dataclass(frozen=True)
class Session:
    """A session that is over: its folder, what it printed, and the tests' outcomes in their order."""

    root: Path
    out: str
    outcomes: list[tuple[str, str]]
    runs: int
    """Number of runs that the service was asked for."""

    @property
    def order(self) -> list[str]:
        """The tests in the order in which they ran."""
        return [nodeid for nodeid, _ in self.outcomes]

    def failed(self) -> set[str]:
        """The tests that failed."""
        return {nodeid for nodeid, outcome in self.outcomes if outcome == "failed"}


@pytest.fixture
def example(project, server):
    """A recorded project of two suites and a Python file, online."""
    files = {
        "support/answer.dust.yaml": suite(server, SUPPORT, ANSWER),
        "support/other.dust.yaml": suite(server, SUPPORT, OTHER),
        "support/rows.csv": "id,question,label\na,Track my parcel,shipping\nb,Hello,other\n",
        "support/answer.json": '{"type": "object"}',
        "test_it.py": filled(TEST, server),
    }
    return project.having(files).using(server).recorded().having({"conftest.py": CONFTEST})


@pytest.fixture
def session(server) -> Callable[..., Session]:
    """A function that runs pytest in a project with some of the other plugins."""

    def run(example, plugins: str, *args: str, environ=None) -> Session:
        example.having({"outcomes": None}).write()
        (example.root / "outcomes").unlink(missing_ok=True)
        named = [word for plugin in ("dust", *plugins.split()) for word in ("-p", plugin)]
        own = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "200", **example.environ, **(environ or {})}
        inherited = {name: value for name, value in os.environ.items() if "XDIST" not in name}
        server.requests.clear()
        done = subprocess.run(
            [python_of(*PACKAGES), "-m", "pytest", *named, *args],
            check=False,
            cwd=example.root,
            env={**inherited, **own},
            capture_output=True,
            text=True,
            timeout=60,
        )
        out = done.stdout + done.stderr
        assert "INTERNALERROR" not in out
        written = example.root / "outcomes"
        lines = written.read_text(encoding="utf-8").splitlines() if written.exists() else []
        outcomes = [(line.rpartition(" ")[0], line.rpartition(" ")[2]) for line in lines]
        return Session(example.root, out, outcomes, server.runs)

    return run


# ── the same outcomes, and a job that was done ───────────────────────────────────────────────────


def did_nothing_else(_session: Session) -> None:
    """Check nothing more."""


def shuffled(session: Session) -> None:
    """The cases ran in another order; those of neighbouring suites may be mixed."""
    order = [nodeid for nodeid in session.order if nodeid in CASES]
    assert order != CASES
    assert sorted(order) == sorted(CASES)


def measured(session: Session) -> None:
    """Coverage of the Python file is reported, and of no other."""
    assert re.search(r"^test_it\.py +\d+ ", session.out, re.MULTILINE)
    assert ".dust.yaml  " not in session.out


def wrote_reports(session: Session) -> None:
    """Each reporter wrote a file that names a case."""
    for pattern in ("out.html", "out.json", "out.jsonl", "results/*-result.json"):
        assert any("table[b]" in path.read_text(encoding="utf-8") for path in session.root.glob(pattern))


TOGETHER = {
    "allure_pytest": "--alluredir=results",
    "asyncio": "-oasyncio_mode=auto",
    "benchmark": "--benchmark-skip",
    "check": "",
    "dependency": "",
    "flakefinder": "",
    "metadata html": "--html=out.html",
    "instafail": "--instafail",
    "pytest_httpx": "",
    "pytest_jsonreport": "--json-report --json-report-file=out.json",
    "pytest_mock": "",
    "pytest_order": "",
    "pytest_reportlog": "--report-log=out.jsonl",
    "recording": "--block-network --allowed-hosts=127.0.0.1",
    "repeat": "",
    "socket": "--disable-socket --allow-hosts=127.0.0.1",
    "syrupy": "--snapshot-update",
    "timeout": "--timeout=50",
}
"""Plugins that get along, with their usual options."""
SAME: list[tuple[str, str, Callable[[Session], None]]] = [
    (" ".join(TOGETHER), " ".join(TOGETHER.values()), wrote_reports),
    ("xdist", "-n2", did_nothing_else),
    ("xdist", "-n2 --dist=loadscope", did_nothing_else),
    ("xdist", "-n2 --dist=worksteal", did_nothing_else),
    ("syrupy timeout xdist", "--snapshot-update --timeout=50 -n2", did_nothing_else),
    ("randomly", "-p no:cacheprovider", shuffled),
    ("sugar", "--force-sugar", did_nothing_else),
    ("pretty", "", did_nothing_else),
    ("pytest_cov", "--cov=. --cov-branch --cov-context=test", measured),
    ("pytest_github_actions_annotate_failures", "", did_nothing_else),
    ("pytest-testmon", "--testmon --testmon-noselect", did_nothing_else),
    ("picked", "--picked=first", did_nothing_else),
]


@pytest.mark.parametrize(
    ("plugins", "options", "check"),
    SAME,
    ids=[f"{plugins} {' '.join(options)}" for plugins, options, _ in SAME],
)
def test_outcomes_are_the_same(example, session, plugins, options, check):
    """With a plugin's usual options, each case and test has its outcome, once, live as in replay."""
    live = session(example, plugins, *options.split(), "--dust-mode=live")
    assert sorted(live.outcomes) == sorted(OUTCOMES.items())
    assert live.runs == RUNS
    check(live)


def test_without_network_all_is_replayed(example, session):
    """Without network, replay gives the same outcomes."""
    for plugins, option in BLOCKS:
        assert session(example, plugins, option).outcomes == list(OUTCOMES.items())


# ── plugins that change which tests run, how often or in which order ─────────────────────────────


@pytest.mark.parametrize(
    ("plugins", "option"), [("socket", "--disable-socket"), ("recording", "--block-network")]
)
def test_without_network_no_run_is_made(example, session, plugins, option):
    """Without network, no live case and no Python test asks the service."""
    done = session(example, plugins, option, "--dust-mode=live")
    assert done.runs == 0
    assert len(done.failed() & set(CASES)) == len(CASES) - 1  # all but the one that is skipped
    assert "test_it.py::test_dust" in done.failed()


BLOCKING = """
from pytest_socket import disable_socket, enable_socket

def pytest_runtest_setup(item):
    if item.name != "first":
        disable_socket()

def pytest_runtest_teardown(item):
    enable_socket()
"""


def test_a_hook_blocks_some_cases(example, session):
    """A hook that blocks all but one case with pytest-socket's functions lets one run be made."""
    blocked = example.having({"conftest.py": CONFTEST + BLOCKING})
    done = session(blocked, "", "support/other.dust.yaml", "--dust-mode=live")
    assert done.runs == 1
    assert done.failed() == {"support/other.dust.yaml::second"}


def test_failed_cases_are_run_again(example, session):
    """With pytest-rerunfailures, a failed case gets new runs, each of which is counted; others get one."""
    done = session(example, "rerunfailures", "--reruns=2", "--dust-mode=live")
    wrong = [outcome for nodeid, outcome in done.outcomes if nodeid.endswith("::wrong")]
    assert wrong == ["rerun", "rerun", "failed"]
    assert done.runs == RUNS + 2
    marked = example.replacing("support/other.dust.yaml", "Hi}", "Hi}\n    marks: [{flaky: {reruns: 1}}]")
    assert session(marked, "rerunfailures", "support/other.dust.yaml").failed() == set()


@pytest.mark.parametrize(
    ("plugin", "options"), [("pytest-retry", "--retries=2"), ("flaky", "--force-flaky --max-runs=3")]
)
def test_reruns_that_are_not_reported_are_counted(example, session, plugin, options):
    """With pytest-retry and flaky, a failed case gets new runs, and the summary counts the tokens of all."""
    name = "support/answer.dust.yaml::wrong"
    once = session(example, "", name, "--dust-mode=live")
    done = session(example, plugin, *options.split(), name, "--dust-mode=live")
    assert (once.runs, done.runs) == (1, 3)
    assert done.failed() == {name}
    used = [int(re.search(r"(\d+) tokens used", each.out)[1]) for each in (once, done)]
    assert used[1] == 3 * used[0]


def test_a_case_is_timed_out(example, session, server):
    """The mark of pytest-timeout on a case ends it, and no other."""
    server.delay = 0.4
    mark = "Hi}\n    marks: [{timeout: {timeout: 0.5, method: signal}}]"
    marked = example.replacing("support/other.dust.yaml", "Hi}", mark)
    done = session(marked, "timeout", "support/other.dust.yaml", "--dust-mode=live")
    assert done.failed() == {"support/other.dust.yaml::first"}
    assert "support/other.dust.yaml::first - no verdict: Timeout (>0.5s) from pytest-timeout" in done.out


def test_groups_divide_the_cases(example, session):
    """With pytest-split, each case and test is in one group."""
    groups = [session(example, "pytest-split", "--splits=3", f"--group={each}").order for each in (1, 2, 3)]
    assert sorted(chain.from_iterable(groups)) == sorted(OUTCOMES)
    assert all(set(group) & set(CASES) for group in groups[:2])


def test_tests_are_repeated_and_cases_are_not(example, session):
    """pytest-repeat, pytest-loop and pytest-flakefinder repeat Python tests and no cases, which is said."""
    wishes = {
        "repeat": ["--count=2"],
        "loop": ["--loop=2"],
        "flakefinder": ["--flake-finder", "--flake-runs=2"],
    }
    for plugin, options in wishes.items():
        done = session(example, plugin, *options)
        times = Counter(nodeid.partition("[")[0] for nodeid in done.order if nodeid not in CASES)
        assert set(times.values()) == {2}
        assert [nodeid for nodeid in done.order if nodeid in CASES] == CASES
        assert "does not repeat cases" in done.out


def test_marks_order_cases(example, session):
    """The mark of pytest-order moves a case, also relative to another."""
    name = "support/other.dust.yaml"
    first = example.replacing(name, "Hey}", "Hey}\n    marks: [{order: [0]}]")
    assert session(first, "pytest_order").order[0] == f"{name}::second"
    before = example.replacing(name, "Hey}", "Hey}\n    marks: [{order: {before: first}}]")
    assert session(before, "pytest_order", name).order == [f"{name}::second", f"{name}::first"]


def test_a_case_depends_on_another(example, session):
    """The mark of pytest-dependency, with scope session, skips a case if another failed."""
    marks = "marks: [{dependency: {depends: ['support/answer.dust.yaml::wrong'], scope: session}}]"
    marked = example.replacing("support/other.dust.yaml", "Hi}", "Hi}\n    " + marks)
    marked = marked.replacing("support/answer.dust.yaml", "id: wrong", "id: wrong\n    marks: [dependency]")
    outcomes = dict(session(marked, "dependency").outcomes)
    assert outcomes["support/other.dust.yaml::first"] == "skipped"
    assert outcomes["support/other.dust.yaml::second"] == "passed"


DEPENDENCIES = {
    "support/cassettes/other/first.json": "support/other.dust.yaml::first",
    "support/rows.csv": "support/answer.dust.yaml::table[a]",
    "support/answer.json": "support/answer.dust.yaml::table[b]",
    "cassettes/test_it.py/test_dust.json": "test_it.py::test_dust",
}
"""By file: a test that depends on it."""


def test_only_affected_cases_run_again(example, session):
    """pytest-testmon runs cases again whose cassette, dataset or schema changed, and failed ones."""
    session(example, "pytest-testmon", "--testmon")
    example = example.left()  # with what pytest-testmon has collected
    again = session(example, "pytest-testmon", "--testmon")
    assert sorted(again.order) == sorted(
        nodeid for nodeid, outcome in OUTCOMES.items() if outcome == "failed"
    )
    for name, affected in DEPENDENCIES.items():
        changed = example.having({name: example.files[name] + b"\n\n"})
        assert affected in session(changed, "pytest-testmon", "--testmon").order


def test_changed_suites_are_picked(example, session):
    """pytest-picked takes changed suites for tests where `python_files` names them."""
    example.write()
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init"], ["add", "."], [*who, "commit", "-qm", "a"]):
        subprocess.run(["git", *command], cwd=example.root, check=True, capture_output=True)
    name = "support/other.dust.yaml"
    (example.root / name).write_bytes(example.files[name] + b"# new\n")
    done = session(example.left(), "picked", "--picked", "-opython_files=test_*.py *.dust.yaml")
    assert done.order == [f"{name}::first", f"{name}::second"]
