"""A repeated case: so many attempts at once, its verdict and its spread, live and from its cassette."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from acting_server import Actor

from conftest import OTHERS_PLUGINS, SUPPORT, config_of, dust_server, suite

TAPE = "cassettes/answer/refund.json"
CASE = """\
cases:
  - id: refund
    input: {question: Where is my refund?}
    repeat: {runs: 5, min_pass: 3}
    expect: {result.label: billing}
"""
ON_CHANGE = "--dust-on-change=fail"
GOOD = ("billing", "fine")


@pytest.fixture
def actor(server):
    """The service, acting by lines."""
    return Actor(server)


@pytest.fixture
def repeated(project, server):
    """A project with one repeated case, online and not recorded yet."""
    return project.having({"answer.dust.yaml": suite(server, SUPPORT, CASE)}).using(server)


def spread(result):
    """The lines of a report on how many attempts passed, and what failed how often."""
    found = re.search(r"^  (\d of \d attempts passed.*\n(?:    .*\n)*)  attempt", result.report, re.MULTILINE)
    return found[1].splitlines() if found else []


def bodies(server):
    """The bodies of the runs that were asked for."""
    return [request.body for request in server.requests if request.method == "POST"]


# ── the verdict and the spread ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", ["live", "record"])
@pytest.mark.parametrize("passing", [0, 2, 3, 5])
def test_enough_attempts_must_pass(repeated, actor, mode, passing):
    """A repeated case holds where min_pass of its attempts do, live, recorded and replayed alike."""
    actor.say(*["billing"] * passing, *["other"] * (5 - passing))
    result = repeated.run(f"--dust-mode={mode}")
    results = [result]
    if mode == "record":
        results.append(result.example.offline().run())
        assert "dust: 1 replayed, 0 tokens used" in results[1].out
    for each in results:
        assert each.outcomes == ({"passed": 1} if passing >= 3 else {"failed": 1})
        assert f"dust: answer.dust.yaml::refund: {passing} of 5 attempts passed" in each.out
    assert actor.server.runs == 5


def test_the_report_tells_the_spread_first(repeated, actor):
    """The report shows k of n, then what failed how often, then one failed attempt; replayed the same."""
    more = "expect: {result.label: billing, result.answer: fine}"
    example = repeated.replacing("answer.dust.yaml", "expect: {result.label: billing}", more)
    actor.say(GOOD, ("billing", "rude"), ("other", "rude"), GOOD, ("other", "rude"))
    live = example.run("--dust-mode=record")
    assert live.outcomes == {"failed": 1}
    lines = spread(live)
    assert re.match(r"2 of 5 attempts passed, 3 must\b", lines[0])
    assert re.fullmatch(r" +[✓✗]{5}   40%, 95% interval 12% to 77%", lines[1])
    told = [re.sub(r" +", " ", line).strip() for line in lines[2:]]
    assert told == ["result.answer failed in 3 of 5", "result.label failed in 2 of 5"]
    where = [live.report.index(text) for text in ("of 5 attempts passed", "failed in 3 of 5", "    actual ")]
    assert where == sorted(where)
    assert re.search(r"^FAILED answer\.dust\.yaml::refund - 2 of 5 attempts passed: ", live.out, re.MULTILINE)
    replayed = live.example.offline().run()
    assert spread(replayed) == lines
    attempt = re.compile(r"^  attempt (\d):", re.MULTILINE)
    assert attempt.findall(replayed.report) == attempt.findall(live.report)


@pytest.mark.parametrize(("failing", "outcome"), [(0, "passed"), (1, "failed")])
def test_without_min_pass_every_attempt_must_pass(repeated, actor, failing, outcome):
    """Where min_pass is left out, it is runs."""
    example = repeated.replacing("answer.dust.yaml", "{runs: 5, min_pass: 3}", "{runs: 4}")
    actor.say(*["other"] * failing)
    result = example.run("--dust-mode=live")
    assert result.outcomes == {outcome: 1}
    assert ("3 of 4 attempts passed, 4 must" in result.report) == bool(failing)


def test_a_suite_repeats_all_of_its_cases(project, server):
    """`repeat` in the suite holds for each case, and a case's own comes before it."""
    cases = CASE.replace("    repeat: {runs: 5, min_pass: 3}\n", "") + (
        "  - {id: parcel, input: {question: Track my parcel}, repeat: {runs: 3}}\n"
    )
    text = suite(server, SUPPORT, cases, "repeat: {runs: 2}\n")
    result = project.having({"answer.dust.yaml": text}).using(server).run("--dust-mode=live")
    assert result.outcomes == {"passed": 2}
    assert "refund: 2 of 2 attempts passed" in result.out
    assert "parcel: 3 of 3 attempts passed" in result.out
    assert server.runs == 5


@pytest.mark.parametrize("flavor", ["poll", "stream"])
def test_every_flavor_repeats(repeated, server, flavor):
    """Polled and streamed runs are repeated, recorded and replayed as blocking ones are."""
    example = repeated.replacing("answer.dust.yaml", "cases:", f"flavor: {flavor}\ncases:")
    result = example.run("--dust-mode=record")
    assert result.outcomes == {"passed": 1}
    assert server.runs == 5
    assert "5 of 5 attempts passed" in result.example.offline().run().out


# ── attempts at once ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("at_once", "longest"), [(1, 99), (3, 0.75), (5, 0.5)])
def test_attempts_run_side_by_side(repeated, actor, at_once, longest):
    """As many attempts as --dust-concurrency allows are under way at once, and never one more."""
    actor.seconds = 0.2
    assert repeated.run("--dust-mode=live", f"--dust-concurrency={at_once}").outcomes == {"passed": 1}
    assert actor.most == at_once
    assert actor.took < longest


def test_unless_told_otherwise_eight_attempts_run_at_once(repeated, actor):
    """By default, at most eight attempts are under way."""
    actor.seconds = 0.2
    repeated.replacing("answer.dust.yaml", "runs: 5", "runs: 12").run("--dust-mode=live")
    assert actor.most == 8


def test_each_attempt_has_the_whole_time(repeated, actor):
    """The timeout is for one run: attempts that wait for their place lose nothing of it."""
    actor.seconds = 0.3
    result = repeated.run("--dust-mode=live", "--dust-concurrency=1", "--dust-timeout=1")
    assert result.outcomes == {"passed": 1}


# ── the service's cache ──────────────────────────────────────────────────────────────────────────


def test_the_services_cache_is_off(repeated, actor):
    """Each configured block is sent use_cache: false, whatever the suite says; the report says so."""
    config = config_of(SUPPORT, CLASSIFY={"use_cache": True, "max_tokens": 9})
    example = repeated.configured("answer.dust.yaml", config)
    actor.say(*["other"] * 3)
    result = example.run("--dust-mode=record")
    fresh = config_of(SUPPORT, CLASSIFY={"use_cache": False, "max_tokens": 9})["CLASSIFY"]
    assert [body["config"]["CLASSIFY"] for body in bodies(actor.server)] == [fresh] * 5
    assert "(run without the service's cache)" in spread(result)[0]
    assert "may have come from Dust's cache" not in result.out
    assert json.loads(result.example.files[TAPE])["request"]["config"] == config
    assert spread(result.example.offline().run()) == spread(result)


# ── the cassette ─────────────────────────────────────────────────────────────────────────────────


def test_the_cassette_holds_every_attempt(repeated, actor):
    """Every attempt is kept, failed ones too, in one cassette, and all are replayed offline."""
    actor.say("billing", "other", "billing", "lost", "billing")
    after = repeated.run("--dust-mode=record").example
    assert set(after.cassettes) == {TAPE}
    document = json.loads(after.files[TAPE])
    assert document["request"]["repeat"] == 5
    assert "exchanges" not in document
    said = [
        each["exchanges"][0]["body"]["run"]["traces"][-1][1][0][0]["value"]["label"]
        for each in document["attempts"]
    ]
    assert sorted(said) == ["billing", "billing", "billing", "lost", "other"]
    asked = actor.server.runs
    assert after.run("--dust-mode=record").out.count("1 replayed") == 1
    assert actor.server.runs == asked


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{runs: 5, min_pass: 3}", "{runs: 4, min_pass: 3}", r"repeat +5 → 4"),
        ("    repeat: {runs: 5, min_pass: 3}\n", "", r"repeat +5 → nothing"),
    ],
)
def test_another_number_of_runs_does_not_fit(repeated, old, new, told):
    """Where `runs` changed since the recording, the cassette does not fit, and `repeat` is named."""
    after = repeated.run("--dust-mode=record").example.offline()
    result = after.replacing("answer.dust.yaml", old, new).run()
    assert result.outcomes == {"failed": 1}
    assert "moved since it was recorded: repeat\n" in result.report
    assert re.search(told, result.report)


def test_a_plain_recording_does_not_fit_a_repeated_case(repeated):
    """A case that is repeated from now on is recorded anew."""
    repeat = "    repeat: {runs: 5, min_pass: 3}\n"
    after = repeated.replacing("answer.dust.yaml", repeat, "").run("--dust-mode=record").example
    again = after.replacing("answer.dust.yaml", "    expect:", f"{repeat}    expect:")
    assert re.search(r"repeat +nothing → 5", again.offline().run().report)
    assert again.run("--dust-mode=record").example.offline().run().outcomes == {"passed": 1}


@pytest.mark.parametrize(("least", "outcome"), [(1, "passed"), (2, "passed"), (3, "failed"), (5, "failed")])
def test_another_min_pass_still_fits(repeated, actor, least, outcome):
    """`min_pass` belongs to the verdict: it may change without a new recording."""
    actor.say(*["other"] * 3)
    after = repeated.run("--dust-mode=record").example.offline()
    result = after.replacing("answer.dust.yaml", "min_pass: 3", f"min_pass: {least}").run()
    assert result.outcomes == {outcome: 1}
    assert "2 of 5 attempts passed" in result.out


@pytest.mark.parametrize("mode", ["live", "record", "rerecord"])
@pytest.mark.parametrize("at_once", [1, 8])
def test_one_failing_answer_fails_the_case(repeated, server, mode, at_once):
    """Where the service fails one attempt, the case fails with its words, and no part of it is kept."""
    before = {}
    if mode == "rerecord":
        repeated = repeated.run("--dust-mode=record").example
        before = repeated.cassettes
    fine = []

    def third_fails(request):
        fine.append(request)
        return (
            None
            if len(fine) != 3
            else dust_server.error_reply(
                dust_server.RefusalError(400, "invalid_request_error", "no such thing")
            )
        )

    server.behaviour = third_fails
    result = repeated.run(f"--dust-mode={mode}", f"--dust-concurrency={at_once}")
    assert result.outcomes == {"failed": 1}
    assert "no such thing" in result.report
    assert "attempts passed" not in result.out
    assert "Traceback" not in result.report
    assert "pytest_dust/" not in result.report
    assert result.example.cassettes == before
    if at_once == 1:
        assert len(fine) == 3


# ── live, against what the recorded attempts showed ──────────────────────────────────────────────


@pytest.mark.parametrize(
    ("now", "outcome"),
    [
        (["billing"] * 5, "passed"),
        (["other"] * 5, "passed"),
        (["other", "billing", "other", "billing", "other"], "passed"),
        (["billing"] * 4 + ["lost"], "failed"),
        (["lost"] * 5, "failed"),
    ],
)
def test_what_an_attempt_showed_before_is_no_change(repeated, actor, now, outcome):
    """A change counts only where the new value is none that the recorded attempts showed."""
    example = repeated.replacing("answer.dust.yaml", "{result.label: billing}", "{status: succeeded}")
    actor.say("billing", "other", "billing", "other", "billing")
    after = example.run("--dust-mode=record").example
    actor.say(*now)
    result = after.run("--dust-mode=live", ON_CHANGE)
    assert result.outcomes == {outcome: 1}
    assert ('"lost"' in result.report) == (outcome == "failed")
    assert after.run("--dust-mode=live", "--dust-on-change=report").outcomes == {"passed": 1}


def test_values_that_were_each_shown_before_are_no_change(repeated, actor):
    """Each value is held against what the attempts showed of it, in whichever attempt that was."""
    example = repeated.replacing("answer.dust.yaml", "{result.label: billing}", "{status: succeeded}")
    actor.say(*[("billing", "short")] * 3, *[("other", "long")] * 2)
    after = example.run("--dust-mode=record").example
    actor.say(*[("billing", "long"), ("other", "short")] * 3)
    assert after.run("--dust-mode=live", ON_CHANGE).outcomes == {"passed": 1}


# ── an interrupt ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", ["live", "rerecord"])
def test_an_interrupt_ends_all_attempts_at_once(repeated, server, mode):
    """Ctrl-C while attempts are under way ends the session promptly, and leaves the cassette as it was."""
    example = repeated.run("--dust-mode=record").example
    server.requests.clear()
    server.delay = 30
    code = (
        "import signal, sys, pytest\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.exit(pytest.main())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, f"--dust-mode={mode}", "--dust-concurrency=3"],
        cwd=example.root,
        env={**os.environ, "PYTEST_ADDOPTS": OTHERS_PLUGINS, **example.environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until = time.monotonic() + 20
    while server.runs < 3 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert time.monotonic() - began < 5
    assert process.returncode == 2, out
    assert "KeyboardInterrupt" in out
    assert "INTERNALERROR" not in out
    assert server.runs == 3
    assert example.left().cassettes == example.cassettes


# ── what has ended is kept ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", ["record", "live"])
def test_nothing_is_kept_if_no_run_had_ended(repeated, actor, mode):
    """If the first run of a repeated case fails, no answer is kept, and none is mentioned."""
    actor.server.behaviour = lambda _request: dust_server.Reply([b"{}"], 400)
    result = repeated.run(f"--dust-mode={mode}", "--dust-concurrency=1")
    assert result.outcomes == {"failed": 1}
    assert "had ended" not in result.report
    assert "answer is kept" not in result.out
    assert not [name for name in result.example.files if ".dust/" in name]


@pytest.mark.parametrize("mode", ["record", "live"])
def test_runs_that_ended_before_another_failed_are_kept(repeated, actor, mode):
    """Where one run of a repeated case fails, the answers of those before it are kept, told and counted."""
    actor.say(GOOD, GOOD)
    answered = actor.server.behaviour

    def failing(request):
        refused = request.method == "POST" and actor.asked == 2
        return dust_server.Reply([b"{}"], 400) if refused else answered(request)

    actor.server.behaviour = failing
    result = repeated.run(f"--dust-mode={mode}", "--dust-concurrency=1")
    assert result.outcomes == {"failed": 1}
    kept = ".dust/pending/answer.dust.yaml/refund.json"
    assert f"2 of its 5 runs had ended; the answer is kept in {kept}" in result.report
    assert len(json.loads(result.example.files[kept])["attempts"]) == 2
    assert re.search(r"[1-9]\d* tokens used", result.out)
    assert result.example.cassettes == {}
