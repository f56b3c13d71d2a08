"""What keeps tests from the network keeps cases from it too, though their runs start before their turn."""

from __future__ import annotations

import re

import pytest

from conftest import SUPPORT, filled, suite
from pytest_dust.plugin import network_blocks

SOCKET = """\
def pytest_addoption(parser):
    parser.addoption("--disable-socket", action="store_true")
    parser.addoption("--force-enable-socket", action="store_true")
    parser.addoption("--allow-hosts")
"""
"""The options of pytest-socket."""
RECORDING = """\
def pytest_addoption(parser):
    parser.addoption("--block-network", action="store_true", default=False)
    parser.addoption("--allowed-hosts", default=None)
"""
"""Those of pytest-recording."""
MARKERS = "[pytest]\nmarkers =\n  enable_socket\n  disable_socket\n  allow_hosts\n  block_network\n"
CASES = """\
cases:
  - id: refund
    input: {question: Where is my refund?}
  - id: parcel
    input: {question: Track my parcel}
    MARKS
"""
REFUSED = "keeps it from 127.0.0.1 ("
TEST = """\
def test_it(dust):
    question = "Where is my refund?"
    dust.run(app="9f1d3b5a7c", specification_hash=HASH, config=CONFIG, input={"question": question})
"""
BLOCKER = """\
import socket
import pytest

TRUE = socket.socket

class Guarded(socket.socket):
    def __new__(cls, *args, **kwargs):
        raise RuntimeError("A test tried to use socket.socket.")

def pytest_runtest_setup(item):
    if CONDITION:
        socket.socket = Guarded

def pytest_runtest_teardown(item):
    socket.socket = TRUE
"""
"""A conftest file that blocks sockets while a test runs, in the way of pytest-socket."""
BLOCKED = "the tests are kept from the network, so no run was made: RuntimeError: A test tried to use"


@pytest.fixture
def blocking(project, server):
    """A function that gives a recorded project of two cases with a conftest file, online."""

    def make(conftest, marks=""):
        text = suite(server, SUPPORT, CASES.replace("    MARKS\n", f"    marks: {marks}\n" if marks else ""))
        files = {"pytest.ini": MARKERS, "a.dust.yaml": text}
        after = project.having(files).using(server).recorded()
        server.requests.clear()
        return after.having({"conftest.py": conftest})

    return make


# ── options and marks of plugins ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("conftest", "option"), [(SOCKET, "--disable-socket"), (RECORDING, "--block-network")], ids=lambda x: x
)
@pytest.mark.parametrize("mode", ["live", "rerecord"])
def test_a_session_without_network_asks_nothing(blocking, server, conftest, option, mode):
    """Where an option blocks the network, no case is run, and each says why and what to do."""
    result = blocking(conftest).run(option, f"--dust-mode={mode}")
    assert server.requests == []
    assert result.outcomes == {"failed": 2}
    assert result.report.count(f"{REFUSED}{option}), so the service was not asked; allow it: ") == 2
    assert "or replay its cassette: --dust-mode=replay" in result.report
    assert "about to make" not in result.out


@pytest.mark.parametrize(
    ("conftest", "option"), [(SOCKET, "--disable-socket"), (RECORDING, "--block-network")]
)
def test_a_session_without_network_replays(blocking, server, conftest, option):
    """Replay and check need no network."""
    example = blocking(conftest)
    assert example.run(option).outcomes == {"passed": 2}
    assert example.run(option, "--dust-mode=record").outcomes == {"passed": 2}
    assert server.requests == []


@pytest.mark.parametrize(
    ("conftest", "options"),
    [
        (SOCKET, ["--disable-socket", "--allow-hosts=127.0.0.1"]),
        (SOCKET, ["--allow-hosts=10.0.0.1, localhost"]),
        (SOCKET, ["--disable-socket", "--allow-hosts=10.0.0.0/8,127.0.0.0/8"]),
        (SOCKET, ["--disable-socket", "--force-enable-socket"]),
        (SOCKET, []),
        (RECORDING, ["--block-network", "--allowed-hosts=dust.*,127"]),
    ],
    ids=" ".join,
)
def test_allowed_hosts_are_asked(blocking, server, conftest, options):
    """A host that an option allows is asked, by its name, address, network or pattern."""
    assert blocking(conftest).run("--dust-mode=live", *options).outcomes == {"passed": 2}
    assert server.runs == 2


@pytest.mark.parametrize(
    ("conftest", "options"),
    [
        (SOCKET, ["--allow-hosts=dust.invalid"]),
        (SOCKET, ["--allow-hosts=10.0.0.0/8,nonsense/8"]),
        (RECORDING, ["--block-network", "--allowed-hosts=0.0.1"]),
        (RECORDING, ["--block-network", "--allowed-hosts=("]),
    ],
    ids=" ".join,
)
def test_other_hosts_are_not_asked(blocking, server, conftest, options):
    """Where other hosts are allowed, the service is not asked."""
    result = blocking(conftest).run("--dust-mode=live", *options)
    assert result.outcomes == {"failed": 2}
    assert server.requests == []


@pytest.mark.parametrize(
    ("conftest", "options", "marks"),
    [
        (SOCKET, ["--disable-socket"], "[enable_socket]"),
        (SOCKET, ["--disable-socket"], "[{allow_hosts: [[127.0.0.1]]}]"),
        (SOCKET, [], "[disable_socket]"),
        (SOCKET, [], "[{allow_hosts: [10.0.0.1]}]"),
        (RECORDING, [], "[block_network]"),
        (RECORDING, ["--block-network"], "[{block_network: {allowed_hosts: ['127.*']}}]"),
    ],
)
def test_marks_of_a_case_decide_for_it(blocking, server, conftest, options, marks):
    """A mark of these plugins on one case decides for this case alone."""
    result = blocking(conftest, marks).run("--dust-mode=live", *options)
    marked_runs = bool(options)
    failed = re.findall(r"^FAILED a\.dust\.yaml::(\w+)", result.out, re.MULTILINE)
    assert failed == ["refund" if marked_runs else "parcel"]
    assert server.runs == 1
    assert "about to make 1 run" in result.out


@pytest.mark.parametrize(
    ("conftest", "option", "marks", "advice"),
    [
        (
            SOCKET,
            "--allow-hosts=127.0.0.1",
            "[{allow_hosts: [[8.8.8.8]]}]",
            "(mark allow_hosts), so the service was not asked; allow it: add 127.0.0.1 to the mark, or use",
        ),
        (
            RECORDING,
            "--allowed-hosts=127.0.0.1",
            "[{block_network: {allowed_hosts: [8.8.8.8]}}]",
            r"allow it: add '127\.0\.0\.1' to the mark's allowed_hosts",
        ),
    ],
    ids=["socket", "recording"],
)
def test_hosts_in_a_mark_come_before_those_of_the_option(blocking, conftest, option, marks, advice):
    """Where a mark lists hosts, the option does not count, and the advice is to change the mark."""
    result = blocking(conftest, marks).run("--dust-mode=live", option)
    assert result.outcomes == {"failed": 1, "passed": 1}
    assert advice in result.report
    assert f"allow it: {option}" not in result.report


def test_marks_count_for_nothing_without_their_plugin(blocking):
    """Where a plugin is not installed, its marks block nothing."""
    assert blocking("", "[disable_socket, block_network]").run("--dust-mode=live").outcomes == {"passed": 2}


def test_an_expected_failure_does_not_hide_that_the_network_is_blocked(blocking):
    """A case that is expected to fail has no verdict if it is not run."""
    result = blocking(SOCKET, "[{xfail: known}]").run("--disable-socket", "--dust-mode=live")
    assert result.outcomes == {"failed": 2}


def test_drift_is_not_asked_for_without_network(blocking, server):
    """A drift check is kept from the network like a case."""
    result = blocking(SOCKET).run("--disable-socket", "--dust-drift")
    assert REFUSED in result.report
    assert "replay its cassette" not in result.report
    assert server.requests == []


class _Item:
    """An item of a session with pytest-socket and an option `--allow-hosts`."""

    def __init__(self, hosts):
        self.config, self.options = self, {"disable_socket": True, "allow_hosts": hosts}

    def getoption(self, name, default=None):
        """Give an option."""
        return self.options.get(name, default)

    def get_closest_marker(self, _name):
        """Give no mark."""


@pytest.mark.parametrize(
    ("environ", "allowed"),
    [
        ({}, {"dust.invalid"}),
        ({"HTTPS_PROXY": "http://proxy.invalid:3128"}, {"proxy.invalid"}),
        ({"ALL_PROXY": "proxy.invalid:3128"}, {"proxy.invalid"}),
        ({"HTTPS_PROXY": "http://proxy.invalid:3128", "NO_PROXY": "dust.invalid"}, {"dust.invalid"}),
    ],
)
def test_a_proxy_is_the_host_that_counts(monkeypatch, environ, allowed):
    """Behind a proxy, the proxy's host must be allowed, as it is the one that is connected to."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    hosts = ["dust.invalid", "proxy.invalid"]
    found = {host for host in hosts if not network_blocks.refusal(_Item(host), "https://dust.invalid")}
    assert found == allowed


VCR = """\
def pytest_addoption(parser):
    parser.addoption("--disable-recording", action="store_true")

def pytest_configure(config):
    config.pluginmanager.register(object(), "recording")
"""
"""A conftest file with what is used of pytest-recording's VCR."""
MARKED = "import pytest\npytestmark = pytest.mark.vcr\n\n" + TEST


@pytest.fixture
def marked(project, server):
    """A recorded project of a Python test with the mark vcr, online."""
    files = {"pytest.ini": "[pytest]\nmarkers = vcr\n", "test_it.py": filled(MARKED, server)}
    after = project.having(files).using(server).recorded()
    server.requests.clear()
    return after.having({"conftest.py": VCR})


def test_vcr_records_no_run(marked, server):
    """A test with the mark vcr makes no run, as VCR would record the API key; its cassette is replayed."""
    result = marked.run("--dust-mode=live")
    assert server.requests == []
    assert "the mark vcr would write the API key into VCR's recording" in result.report
    assert marked.run().outcomes == {"passed": 1}


@pytest.mark.parametrize(("conftest", "options"), [(VCR, ["--disable-recording"]), ("", [])])
def test_the_mark_vcr_counts_for_nothing_without_vcr(marked, server, conftest, options):
    """Where VCR is off or not installed, its mark prevents no run."""
    result = marked.having({"conftest.py": conftest}).run("--dust-mode=live", *options)
    assert result.outcomes == {"passed": 1}
    assert server.runs == 1


# ── anything else that blocks sockets ────────────────────────────────────────────────────────────


def test_blocked_sockets_keep_cases_from_the_network(blocking, server):
    """Where a hook blocks sockets in the setup of each test, no run gets past it, and each case says why."""
    result = blocking(BLOCKER.replace("CONDITION", "True")).run("--dust-mode=live")
    assert server.requests == []
    assert result.outcomes == {"failed": 2}
    assert result.report.count(BLOCKED) == 2
    assert "allow connections to 127.0.0.1, or replay: --dust-mode=replay" in result.report


def test_sockets_that_are_blocked_from_the_start_keep_cases_from_the_network(blocking, server):
    """Where a conftest file blocks sockets for the whole session, no case is run."""
    conftest = BLOCKER.replace("pytest_runtest_setup(item)", "pytest_configure()").replace(
        "CONDITION", "True"
    )
    conftest = conftest.replace("pytest_runtest_teardown(item)", "pytest_unconfigure()")
    result = blocking(conftest).run("--dust-mode=live")
    assert server.requests == []
    assert result.report.count(BLOCKED) == 2


def test_blocked_sockets_do_not_disturb_replay(blocking):
    """Replay opens no socket."""
    assert blocking(BLOCKER.replace("CONDITION", "True")).run().outcomes == {"passed": 2}


def test_a_block_of_the_first_case_holds_for_it_alone(blocking, server):
    """A case whose setup blocks no sockets runs, also after one whose setup does."""
    conftest = BLOCKER.replace("CONDITION", "item.name == 'refund'")
    result = blocking(conftest).run("--dust-mode=live")
    assert result.outcomes == {"failed": 1, "passed": 1}
    assert server.runs == 1


GUARD = """\
import socket

TRUE = socket.socket.connect

def guard(self, address):
    self.close()
    raise RuntimeError("A test tried to use socket.socket.")

def pytest_runtest_SETUP(item):
    if not item.get_closest_marker("enable_socket"):
        socket.socket.connect = guard

def pytest_runtest_teardown(item):
    socket.socket.connect = TRUE
"""
"""A conftest file that blocks connections of all tests without a mark."""
IN_CALL = """\
import pytest
import socket

TRUE = socket.socket.connect

def guard(self, address):
    self.close()
    raise RuntimeError("A test tried to use socket.socket.")

@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    if not item.get_closest_marker("enable_socket"):
        socket.socket.connect = guard
    try:
        return (yield)
    finally:
        socket.socket.connect = TRUE
"""
"""Likewise, in another hook."""
MARKED_FIRST = """\
cases:
  - id: refund
    marks: [enable_socket]
    input: {question: Where is my refund?}
  - id: parcel
    input: {question: Track my parcel}
  - id: hello
    input: {question: Hello}
"""
INSTALLER = """\
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "site-packages"))

def pytest_configure(config):
    import blocker

    config.pluginmanager.register(blocker)
"""
"""A conftest file that loads a plugin as if it were installed."""


@pytest.fixture
def partly_blocked(project, server):
    """A function that gives a project of three cases, all but the first of which a hook blocks."""

    def make(conftest):
        files = {"pytest.ini": MARKERS, "a.dust.yaml": suite(server, SUPPORT, MARKED_FIRST)}
        return project.having({**files, "conftest.py": conftest}).using(server)

    return make


@pytest.mark.parametrize("conftest", [GUARD.replace("SETUP", "setup"), IN_CALL], ids=["setup", "call"])
@pytest.mark.parametrize("mode", ["live", "record"])
def test_a_block_of_some_cases_holds_for_each_of_them(partly_blocked, server, conftest, mode):
    """Where a hook of the project may block single cases, each run starts at its case's turn."""
    result = partly_blocked(conftest).run(f"--dust-mode={mode}")
    assert server.runs == 1
    assert result.outcomes == {"failed": 2, "passed": 1}
    assert result.report.count(BLOCKED) == 2
    hook = "pytest_runtest_call" if conftest is IN_CALL else "pytest_runtest_setup"
    assert f"dust: each live run starts at its case's turn, as {hook} of conftest.py may skip" in result.out


def test_the_gate_makes_no_runs_of_blocked_cases(partly_blocked, server):
    """A case that a hook of the project blocks gets no fresh runs: the gate does not decide."""
    example = partly_blocked("").recorded().having({"conftest.py": GUARD.replace("SETUP", "setup")})
    server.requests.clear()
    result = example.run("--dust-mode=live", "--dust-gate", f"--dust-specification-hash={SUPPORT}=latest")
    assert result.ret == 1
    assert server.runs == 1


def test_workers_do_not_start_blocked_cases_either(partly_blocked, server):
    """In pytest-xdist workers, each run starts at its case's turn too."""
    result = partly_blocked(GUARD.replace("SETUP", "setup")).run("-n1", "--dust-mode=live")
    assert server.runs == 1
    assert result.outcomes == {"failed": 2, "passed": 1}


def test_a_block_by_an_installed_plugin_takes_the_verdict(partly_blocked):
    """A case whose sockets are blocked at its turn has no verdict, also if its run was started ahead."""
    blocker = {"site-packages/blocker.py": GUARD.replace("SETUP", "setup")}
    result = partly_blocked(INSTALLER).having(blocker).run("--dust-mode=live")
    assert result.outcomes == {"failed": 2, "passed": 1}
    assert result.report.count(BLOCKED) == 2
    assert "starts at its case's turn" not in result.out


def test_a_case_that_a_hook_skips_is_not_run(partly_blocked, server):
    """A run is not started after the setup of its case has failed or skipped it."""
    skips = "import pytest\n\ndef pytest_runtest_setup(item):\n    pytest.skip('not today')\n"
    assert partly_blocked(skips).run("--dust-mode=live").outcomes == {"skipped": 3}
    assert server.requests == []
    example = partly_blocked(INSTALLER).having({"site-packages/blocker.py": skips})
    assert example.run("a.dust.yaml::refund", "--dust-mode=live").outcomes == {"skipped": 1}
    assert server.requests == []


def test_an_open_connection_evades_no_block(blocking, server):
    """A Python test whose sockets are blocked is not run over a connection that a case has opened."""
    example = blocking(BLOCKER.replace("CONDITION", "item.name == 'test_it'"))
    example = example.having({"test_it.py": filled(TEST, server)})
    result = example.run("--dust-mode=live", "a.dust.yaml", "test_it.py")
    assert result.outcomes == {"failed": 1, "passed": 2}
    assert server.runs == 2
    assert BLOCKED in result.report


def test_a_blocked_budget_is_said(project, server):
    """A test that cannot reach the budget of all workers makes no run, and says which option allows it."""
    files = {"test_it.py": filled(TEST, server), "conftest.py": GUARD.replace("SETUP", "setup")}
    example = project.having({"pytest.ini": MARKERS, **files}).using(server)
    result = example.run("-n1", "--dust-mode=live", "--dust-max-runs=10")
    assert server.requests == []
    assert result.outcomes == {"failed": 1}
    assert "allow it (pytest-socket: --allow-unix-socket), or leave these options out" in result.out
    assert "ServiceError: --dust-max-runs and --dust-max-tokens are counted over a Unix socket" in result.out
