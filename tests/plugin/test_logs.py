"""What is logged of a run stands with the run's own case, however early the run was made."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from faults import Faults
from raw_servers import each_flavor

from conftest import CASE, KEY, SUPPORT, suite

CASES = """\
cases:
  - id: first
    input: {question: Where is my refund?}
    expect: {result.label: wrong}
  - id: second
    input: {question: Track my parcel}
    expect: {result.label: wrong}
  - id: third
    input: {question: Hello}
    expect: {result.label: wrong}
"""
DEBUG = "--log-level=DEBUG"


@pytest.fixture
def three(project, server):
    """A project of three cases in two suites, all of which fail; each run takes a moment."""
    server.delay = 0.2
    files = {
        "a.dust.yaml": suite(server, SUPPORT, CASES),
        "b.dust.yaml": suite(server, SUPPORT, CASE.replace("billing", "wrong")),
    }
    return project.having(files).using(server)


def sections(result):
    """Give the log lines under each failed case, by its id."""
    parts = re.split(r"^_+ (\S+::\S+) +_+$", result.report, flags=re.MULTILINE)
    return {
        name: [line for line in text.splitlines() if re.match(r"(DEBUG|INFO) +(httpx|httpcore)", line)]
        for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def requests(lines):
    """Give how many requests these lines tell of, to their ends."""
    text = "".join(lines)
    return text.count("HTTP Request"), text.count("response_closed.complete")


@each_flavor
@pytest.mark.parametrize("mode", ["live", "record"])
def test_each_case_has_the_log_of_its_own_run(three, server, mode, flavor):
    """Of runs that are made side by side, each case shows the lines of its own, and of no other."""
    for name in ("a.dust.yaml", "b.dust.yaml"):
        text = three.files[name].decode()
        three = three.having({name: f"flavor: {flavor}\n{text}"})
    result = three.run(f"--dust-mode={mode}", DEBUG)
    found = sections(result)
    assert len(found) == 4
    told = [requests(lines) for lines in found.values()]
    assert [begun for begun, _ in told] == [ended for _, ended in told]
    assert sum(begun for begun, _ in told) == len(server.requests)
    if flavor != "poll":
        looks = sum(request.method == "GET" for request in server.requests)  # for the app's saved blocks
        assert [begun for begun, _ in told] == [1 + looks, 1, 1, 1]


def test_a_python_test_has_only_its_own_lines(three):
    """A test between two suites sees nothing of their runs, and `caplog` has those of its own."""
    test = """\
import logging

def test_quiet(caplog):
    caplog.set_level(logging.DEBUG)
    assert caplog.records == []

def test_run(dust, caplog):
    caplog.set_level(logging.DEBUG)
    dust.run(app="{app}", specification_hash="latest", input={{"question": "refund"}})
    texts = [record.getMessage() for record in caplog.records if record.name == "httpx"]
    assert len([text for text in texts if "HTTP Request: POST" in text]) == 1
    assert all(record.name.startswith(("httpx", "httpcore")) for record in caplog.records)
"""
    example = three.having({"a_test.py": test.format(app=SUPPORT)})
    result = example.run("--dust-mode=live", DEBUG, "a.dust.yaml", "a_test.py", "b.dust.yaml")
    assert result.outcomes == {"failed": 4, "passed": 2}


def test_the_log_of_each_case_is_in_the_junit_file_of_that_case(three):
    """The JUnit file has each run's lines in its own case."""
    result = three.run("--dust-mode=live", DEBUG, "--junitxml=out.xml", "-ojunit_logging=log")
    cases = ET.fromstring(result.example.files["out.xml"]).iter("testcase")
    logs = ["".join(case.itertext()) for case in cases]
    assert [log.count("HTTP Request: POST") for log in logs] == [1, 1, 1, 1]


def test_live_logs_come_at_the_turn_of_their_case(three):
    """With `log_cli` the lines of a run appear under its own case."""
    result = three.run("--dust-mode=live", "-olog_cli=true", "--log-cli-level=INFO")
    before = result.out.partition(" FAILURES ")[0]
    shown = re.findall(r"HTTP Request: POST|^[ab]\.dust\.yaml::\w+(?= *$)", before, re.MULTILINE)
    assert len(shown) == 8
    assert shown[1::2] == ["HTTP Request: POST"] * 4


@pytest.mark.parametrize("fault", [Faults.status(401), Faults.hung_up(), Faults.status(429)])
def test_a_run_that_comes_to_nothing_has_its_log_too(one, server, fault):
    """A case without a run shows what was logged of its requests."""
    server.misbehave(fault, times=None)
    example = one.replacing("a.dust.yaml", "timeout: 5", "timeout: 0.9")
    found = sections(example.run("--dust-mode=live", DEBUG))
    assert any("send_request_headers.complete" in line for line in found["a.dust.yaml::a"])


def test_a_run_that_takes_too_long_has_its_log_too(one, server):
    """A case whose run was given up shows how far it came."""
    server.misbehave(Faults.stalled())
    example = one.replacing("a.dust.yaml", "timeout: 5", "timeout: 0.7")
    found = sections(example.run("--dust-mode=live", DEBUG))
    assert any("receive_response_headers.started" in line for line in found["a.dust.yaml::a"])


def test_no_log_line_shows_a_secret(one, server):
    """What is logged is masked, also where the key stands in headers or in the address."""
    server.misbehave(Faults.echo("value"))
    example = one.exporting(DUST_WORKSPACE_ID=KEY).replacing("a.dust.yaml", "billing", "wrong")
    result = example.run("--dust-mode=live", DEBUG, "--log-file=all.log", "--log-file-level=DEBUG")
    log = result.example.files["all.log"].decode()
    assert "HTTP Request: POST" in log
    assert "***" in log
    assert KEY not in log + result.out


def test_logs_come_from_xdist_workers_too(three):
    """Under xdist each case has the lines of its own run."""
    found = sections(three.run("--dust-mode=live", DEBUG, "-n2"))
    runs = ["".join(lines).count("HTTP Request: POST") for lines in found.values()]
    assert runs == [1, 1, 1, 1]


def test_without_a_level_nothing_is_logged(one):
    """By default a run logs nothing, as httpx's own lines are below the level of warnings."""
    result = one.replacing("a.dust.yaml", "billing", "wrong").run("--dust-mode=live")
    assert "Captured log" not in result.out
