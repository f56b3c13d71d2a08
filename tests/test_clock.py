"""A test that freezes or moves the clock changes no timeout, no duration and no date."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from faults import Faults
from raw_servers import free_port

from conftest import dust_server, stable
from pytest_dust import clock

freezegun = pytest.importorskip("freezegun")
time_machine = pytest.importorskip("time_machine")
SOON = 20
"""Seconds within which a busy machine ends a run with a timeout of one second."""
FREEZEGUN = "import freezegun\nfrozen = freezegun.freeze_time('2020-01-01'{})\n"
FREEZE = {
    "freezegun": FREEZEGUN.format(""),
    "freezegun, ticking": FREEZEGUN.format(", tick=True"),
    "freezegun, leaping": FREEZEGUN.format(", auto_tick_seconds=3600"),
    "time-machine": "import time_machine\nfrozen = time_machine.travel('2020-01-01', tick=False)\n",
    "by hand": """\
import time
from unittest import mock

class Frozen:
    def start(self):
        for name in ("time", "monotonic", "perf_counter"):
            mock.patch.object(time, name, lambda: 1.0).start()
        mock.patch.object(time, "sleep", lambda _seconds: None).start()

    def stop(self):
        mock.patch.stopall()

frozen = Frozen()
""",
}
SESSION = """
import pytest

@pytest.fixture(scope="session", autouse=True)
def _frozen():
    frozen.start()
    yield
    frozen.stop()

@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    frozen.start()
    try:
        return (yield)
    finally:
        frozen.stop()
"""
each_way = pytest.mark.parametrize(
    ("freeze", "flavor"),
    [
        ("freezegun, leaping", "blocking"),
        ("by hand", "blocking"),
        ("time-machine", "stream"),
        ("freezegun", "poll"),
    ],
)
each_freeze = pytest.mark.parametrize("freeze", ["freezegun, ticking", "time-machine", "by hand"])


def frozen(example, freeze):
    """Give the project with its clock frozen while its cases run, also those that are no Python tests."""
    return example.having({"conftest.py": FREEZE[freeze] + SESSION})


@each_way
def test_a_run_that_takes_too_long_is_given_up_all_the_same(one, server, freeze, flavor):
    """With a frozen clock, a run that does not end times out after its real timeout, and not before."""
    server.misbehave(Faults.stalled(), times=None, on="ANY")
    example = one.flavoured(flavor).replacing("a.dust.yaml", "timeout: 5", "timeout: 0.5")
    began = time.monotonic()
    result = frozen(example, freeze).run("--dust-mode=live", subprocess=True)
    assert 0.5 < time.monotonic() - began < SOON
    assert result.outcomes == {"failed": 1}
    assert "longer than 0.5 s" in result.out
    assert server.runs == 1


@each_way
def test_a_run_that_takes_a_while_is_not_given_up(one, server, freeze, flavor):
    """With a moved or frozen clock, a run has its whole timeout, and its real duration."""
    server.delay = 0.2
    result = frozen(one.flavoured(flavor), freeze).run("--dust-mode=record", subprocess=True)
    assert result.outcomes == {"passed": 1}
    (cassette,) = result.example.cassettes.values()
    assert 0.15 < json.loads(cassette)["duration"] < SOON


@each_freeze
def test_a_rate_limit_is_waited_for_by_the_real_clock(one, server, freeze):
    """A Retry-After date is compared with the real time, and the pause takes its real time."""
    until = datetime.now(UTC) + timedelta(seconds=2)
    header = until.strftime("%a, %d %b %Y %H:%M:%S GMT")
    server.misbehave(Faults.status(429, headers={"Retry-After": header}))
    example = frozen(one.replacing("a.dust.yaml", "timeout: 5", "timeout: 30"), freeze)
    result = example.run("--dust-mode=live", subprocess=True)
    assert result.outcomes == {"passed": 1}
    assert server.runs == 2
    assert datetime.now(UTC) > until - timedelta(seconds=1.5)


@each_freeze
def test_a_cassette_has_the_real_date(one, freeze):
    """A cassette has the real date of its run, whatever the clock of its test is."""
    result = frozen(one, freeze).run("--dust-mode=record", subprocess=True)
    (cassette,) = result.example.cassettes.values()
    recorded = datetime.fromisoformat(json.loads(cassette)["recorded_at"])
    assert abs(datetime.now(UTC) - recorded) < timedelta(minutes=2)


@each_freeze
def test_the_fixture_keeps_its_own_time_too(project, server, freeze):
    """A Python test that freezes the clock gets the run of an app, or its timeout."""
    server.misbehave(Faults.stalled(), times=None)
    test = f"""\
{FREEZE[freeze]}
def test_it(dust):
    frozen.start()
    try:
        dust.run(app="{next(iter(dust_server.APPS))}", specification_hash="latest", input={{}}, timeout=0.5)
    finally:
        frozen.stop()
"""
    began = time.monotonic()
    result = project.having({"test_it.py": test}).using(server).run("--dust-mode=live", subprocess=True)
    assert time.monotonic() - began < SOON
    assert result.outcomes == {"failed": 1}
    assert "longer than 0.5 s" in result.out


def test_a_clock_that_is_frozen_from_the_start_changes_nothing(one):
    """A conftest file that freezes the clock when it is imported does not change the real time."""
    example = one.having({"conftest.py": FREEZE["freezegun"] + "frozen.start()\n"})
    result = example.run("--dust-mode=record", subprocess=True)
    assert result.outcomes == {"passed": 1}
    assert str(datetime.now(UTC).year).encode() in next(iter(result.example.cassettes.values()))


@pytest.mark.parametrize("freezer", [freezegun.freeze_time, time_machine.travel])
def test_our_clock_goes_on(freezer):
    """While the clock of the process is frozen, both functions return the real time."""
    before, then = clock.seconds(), clock.now()
    with freezer("2020-01-01"):
        time.sleep(0.01)
        assert 0.005 < clock.seconds() - before < SOON
        assert timedelta(0) < clock.now() - then < timedelta(seconds=SOON)


# ── timeouts of others ───────────────────────────────────────────────────────────────────────────

MOCKING = """\
import httpx

def fail(self, request):
    raise {error}

httpx.HTTPTransport.handle_request = fail
"""
ERRORS = ["TimeoutException", "ReadTimeout", "ConnectTimeout"]
TEXTS = {
    "": "{error}",
    "No response can be found for POST request": "No response can be found for POST request",
    "long\nand " + "long " * 99: "long and long",
}


@pytest.mark.parametrize(("error", "text"), [*zip(ERRORS, TEXTS, strict=True)], ids=ERRORS)
def test_a_timeout_of_others_is_told_as_what_it_is(one, server, error, text):
    """A timeout that a mocking library raises at once is reported in its words, not as the run's own."""
    conftest = MOCKING.format(error=f"httpx.{error}({text!r}, request=request)")
    result = one.having({"conftest.py": conftest}).run("--dust-mode=live", subprocess=True)
    assert result.outcomes == {"failed": 1}
    assert "took longer" not in result.out
    assert TEXTS[text].format(error=error) in result.report
    assert "Traceback" not in result.out
    assert server.runs == 0


def test_an_exception_of_another_kind_is_no_traceback(one):
    """Any other exception of a mocking library is reported in one sentence."""
    conftest = MOCKING.format(error="AssertionError('not mocked!')")
    result = one.having({"conftest.py": conftest}).run("--dust-mode=live", subprocess=True)
    assert result.outcomes == {"failed": 1}
    assert "AssertionError: not mocked!" in result.report
    assert "Traceback" not in result.out
    assert "site-packages" not in result.out


def test_a_timeout_of_our_own_is_told_as_one(one):
    """A connection that is not made within the run's timeout is reported with its address."""
    port = free_port()
    example = one.replacing("a.dust.yaml", "timeout: 5", "timeout: 0.5")
    result = example.exporting(DUST_BASE_URL=f"http://127.0.0.1:{port}").run("--dust-mode=live")
    assert f"cannot connect to http://127.0.0.1:{port}" in stable(result.out, example.root).replace(
        "PORT", str(port)
    )
