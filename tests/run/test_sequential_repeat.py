"""A case with a sequential test: as many attempts as its verdict needs, live and from its cassette."""

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
from pytest_dust.cassettes import format as cassette

TAPE = "cassettes/answer/refund.json"
PENDING = ".dust/pending/answer.dust.yaml/refund.json"
RATES = "{good: 0.95, bad: 0.6}"
CASE = f"""\
cases:
  - id: refund
    input: {{question: Where is my refund?}}
    repeat: {RATES}
    expect: {{result.label: billing}}
"""
LABELS = {"+": "billing", "-": "other", "!": None}
ONE = "--dust-concurrency=1"
"""Attempts ask in the order in which they were launched."""


@pytest.fixture
def actor(server):
    """The service, acting by lines."""
    return Actor(server)


@pytest.fixture
def tested(project, server):
    """A project with one case with a sequential test, online and not recorded yet."""
    return project.having({"answer.dust.yaml": suite(server, SUPPORT, CASE)}).using(server)


def labels(signs):
    """The lines for a server whose attempts pass (+), fail (-) or err (!)."""
    return [LABELS[sign] for sign in signs]


def summary(result):
    """What the summary says of the case."""
    return re.search(r"^dust: answer\.dust\.yaml::refund: (.*)$", result.out, re.MULTILINE)[1]


def recorded_labels(example):
    """The labels of the attempts in the cassette, in its order."""
    return [
        each["exchanges"][0]["body"]["run"]["traces"][-1][1][0][0]["value"]["label"]
        for each in json.loads(example.files[TAPE])["attempts"]
    ]


# ── the verdict ──────────────────────────────────────────────────────────────────────────────────

ENOUGH = "enough to exclude a pass rate of 0.6 (bad)"
TOO_MANY = "too many for a pass rate of 0.95 (good)"
VERDICTS = {
    "+++++": (5, "passed", f"5 of 5 attempts passed, {ENOUGH}: ✓✓✓✓✓   100%, 95% interval 57% to 100%"),
    "--+++": (
        5,
        "failed",
        f"2 of 2 attempts failed, {TOO_MANY}: ✗✗ · surplus ✓✓✓   0%, 95% interval 0% to 66%",
    ),
    "-++++++++++": (
        11,
        "passed",
        f"10 of 11 attempts passed, {ENOUGH}: ✗✓✓✓✓✓✓✓✓✓✓   91%, 95% interval 62% to 98%",
    ),
    "++!++-+++++": (
        8,
        "failed",
        f"2 of 6 attempts failed, {TOO_MANY}: ✓✓✗✓✓✗ · surplus ✓✓   67%, 95% interval 30% to 90%",
    ),
    "+++-+++-++++++": (
        14,
        "passed",
        f"12 of 14 attempts passed, {ENOUGH}: ✓✓✓✗✓✓✓✗✓✓✓✓✓✓   86%, 95% interval 60% to 96%",
    ),
    "+++-+++-+++++-": (
        14,
        "failed",
        f"3 of 14 attempts failed, {TOO_MANY}: ✓✓✓✗✓✓✓✗✓✓✓✓✓✗   79%, 95% interval 52% to 92%",
    ),
}
"""By what the attempts give: how many are made, the verdict, and what the summary says."""


@pytest.mark.parametrize("signs", VERDICTS)
def test_as_many_attempts_as_a_verdict_needs(tested, actor, signs):
    """A case stops at its verdict, and its cassette replays the same verdict and text without the service."""
    runs, outcome, text = VERDICTS[signs]
    actor.say(*labels(signs))
    live = tested.run("--dust-mode=record", ONE)
    assert actor.server.runs == runs
    replayed = live.example.offline().run()
    for each in (live, replayed):
        assert each.outcomes == {outcome: 1}
        assert summary(each) == f"stopped because {text}"
    assert "dust: 1 replayed, 0 tokens used" in replayed.out
    assert live.example.run("--dust-mode=record").outcomes == {outcome: 1}
    assert actor.server.runs == runs


@pytest.mark.parametrize("flavor", ["poll", "stream"])
def test_every_flavor_is_tested(tested, server, flavor):
    """Polled and streamed runs are judged one by one as blocking ones are."""
    example = tested.replacing("answer.dust.yaml", "cases:", f"flavor: {flavor}\ncases:")
    result = example.run("--dust-mode=record")
    assert result.outcomes == {"passed": 1}
    assert server.runs == 5
    assert "5 of 5 attempts passed" in result.example.offline().run().out


def test_attempts_side_by_side_give_one_verdict(tested, actor):
    """Whatever the order in which attempts end, they count in launch order, live and in a replay."""
    actor.seconds = 0.05
    actor.say(*labels("+-++-++++++++-++-+++"))
    live = tested.run("--dust-mode=record")
    assert actor.most > 1
    assert summary(live.example.offline().run()) == summary(live)


def test_a_case_that_fails_reports_what_failed(tested, actor):
    """The report of a failed case has its marks, its rate, why it stopped, and what failed how often."""
    actor.say(*labels("-+-++"))
    result = tested.run("--dust-mode=record", ONE)
    lines = [
        "  1 of 3 attempts passed (run without the service's cache)",
        "    ✗✓✗ · surplus ✓✓   33%, 95% interval 6% to 79%",
        f"    stopped because 2 of 3 attempts failed, {TOO_MANY}",
        "    result.label   failed in 2 of 3",
        "  attempt 1:",
    ]
    assert "\n".join(lines) in result.report
    assert "FAILED answer.dust.yaml::refund - 1 of 3 attempts passed: result.label" in result.out


def test_a_matcher_judges_each_live_attempt_once(tested, actor):
    """A live verdict is that by which the attempts were made, also if a matcher is not deterministic."""
    conftest = """\
calls = []

def pytest_dust_matchers():
    def once(value, wanted):
        calls.append(value)
        return len(calls) != 2 and len(calls) < 12
    return {"once": once}
"""
    example = tested.replacing("answer.dust.yaml", "result.label: billing", "result.label: {once: 1}")
    result = example.having({"conftest.py": conftest}).run("--dust-mode=live", ONE)
    assert result.outcomes == {"passed": 1}
    assert summary(result).startswith("stopped because 10 of 11 attempts passed")
    assert actor.server.runs == 11


def test_the_services_cache_is_off_in_all_waves(tested, actor):
    """Each attempt is sent use_cache: false, also those that are launched later."""
    example = tested.configured("answer.dust.yaml", config_of(SUPPORT, CLASSIFY={"use_cache": True}))
    actor.say("other")
    example.run("--dust-mode=live", ONE)
    bodies = [request.body for request in actor.server.requests if request.method == "POST"]
    assert [body["config"]["CLASSIFY"]["use_cache"] for body in bodies] == [False] * 11


def test_other_error_rates_need_other_attempts(tested, server):
    """`false_alarm` and `miss` set other error rates, and with them the number of attempts."""
    stricter = tested.replacing("answer.dust.yaml", "bad: 0.6", "bad: 0.6, false_alarm: 0.01, miss: 0.01")
    assert "10 of 10 attempts passed" in stricter.run("--dust-mode=live").out
    assert server.runs == 10


def test_a_row_may_have_its_own_rates(tested, server):
    """Rates may come from a dataset; each row is tested by its own."""
    text = tested.files["answer.dust.yaml"].decode().replace(RATES, "{good: '${row.good}', bad: 0.5}")
    text = text.replace("input: {question: Where is", "dataset: rows.jsonl\n    input: {question: Where is")
    rows = '{"good": 0.95}\n{"good": 0.999}\n'
    result = tested.having({"answer.dust.yaml": text, "rows.jsonl": rows}).run("--dust-mode=record")
    assert result.outcomes == {"passed": 2}
    assert re.findall(r"refund\[r(\d)\]: stopped because (\d) of \2 ", result.out) == [("1", "4"), ("2", "4")]
    assert "about to make 8 to " in result.out
    assert server.runs == 8


def test_xdist_workers_test_too(tested, server):
    """Under pytest-xdist each case stops at its verdict, in one budget, and is recorded."""
    second = "  - {id: second, input: {question: Where is my money?}, repeat: {good: 0.9, bad: 0.5}}\n"
    text = tested.files["answer.dust.yaml"].decode()
    example = tested.having({"answer.dust.yaml": text.replace("config:", f"{second}config:")})
    result = example.run("--dust-mode=record", "-n", "2", "--dust-max-runs=29", subprocess=True)
    assert result.outcomes == {"passed": 2}
    assert server.runs == 9
    assert result.example.offline().run().outcomes == {"passed": 2}


# ── the cassette ─────────────────────────────────────────────────────────────────────────────────


def test_the_cassette_holds_the_surplus_too(tested, actor):
    """Attempts that ran beside the deciding one are kept in launch order, and replayed without counting."""
    actor.say(*labels("-+-++"))
    after = tested.run("--dust-mode=record", ONE).example
    assert recorded_labels(after) == labels("-+-++")
    assert json.loads(after.files[TAPE])["request"]["repeat"] == {
        "good": 0.95,
        "bad": 0.6,
        "false_alarm": 0.05,
        "miss": 0.1,
    }


@pytest.mark.parametrize(
    ("new", "told"),
    [
        ("{good: 0.9, bad: 0.6}", r"repeat\.good +0\.95 → 0\.9"),
        ("{good: 0.95, bad: 0.5}", r"repeat\.bad +0\.6 → 0\.5"),
        ("{good: 0.95, bad: 0.6, miss: 0.2}", r"repeat\.miss +0\.1 → 0\.2"),
        ("{good: 0.95, bad: 0.6, false_alarm: 0.1}", r"repeat\.false_alarm +0\.05 → 0\.1"),
        ("{runs: 5}", r"repeat +\{.*\} → 5"),
    ],
)
def test_other_rates_do_not_fit(tested, new, told):
    """If the rates changed since the recording, the cassette does not fit, and the rate is named."""
    after = tested.run("--dust-mode=record").example.offline()
    result = after.replacing("answer.dust.yaml", RATES, new).run()
    assert result.outcomes == {"failed": 1}
    assert "moved since it was recorded: repeat" in result.report
    assert re.search(told, result.report)


def test_the_default_error_rates_may_be_written(tested):
    """A cassette fits whether the default error rates are written out or not."""
    after = tested.run("--dust-mode=record").example.offline()
    written = after.replacing("answer.dust.yaml", "bad: 0.6", "bad: 0.6, false_alarm: 0.05, miss: 0.1")
    assert written.run().outcomes == {"passed": 1}


def without_an_attempt(example):
    """The project with one attempt less in its cassette."""
    found = cassette.loads(example.files[TAPE])
    return example.having({TAPE: cassette.dumps(found.request, found.replies[1:], found.recorded_at)})


def with_another_expectation(example):
    """The project with an expectation that some attempts do not meet."""
    return example.replacing("answer.dust.yaml", "result.label: billing", "result.answer: fine")


@pytest.mark.parametrize(
    ("edit", "count"), [(without_an_attempt, "4 of 4"), (with_another_expectation, "4 of 5")]
)
@pytest.mark.parametrize("mode", ["replay", "record"])
def test_attempts_that_do_not_decide_are_no_verdict(tested, actor, edit, count, mode):
    """A cassette whose attempts do not decide any more is named, with the command that records it anew."""
    actor.say(*[("billing", "fine")] * 4, ("billing", "rude"))
    after = edit(tested.run("--dust-mode=record", ONE).example)
    actor.server.requests.clear()
    result = after.run(f"--dust-mode={mode}")
    assert result.outcomes == {"failed": 1}
    assert (
        f"the cassette {TAPE} does not fit: {count} attempts passed, which does not decide" in result.report
    )
    assert "record it anew: pytest answer.dust.yaml::refund --dust-mode=rerecord" in result.report
    assert "no verdict" in result.report
    assert actor.server.runs == 0
    actor.say()
    again = after.run("--dust-mode=rerecord", ONE)
    assert again.example.offline().run().outcomes == again.outcomes


def test_an_unchanged_rerecording_leaves_the_cassette(tested):
    """If new attempts say the same as those recorded, the cassette stays as it is."""
    after = tested.run("--dust-mode=record").example
    result = after.run("--dust-mode=rerecord")
    assert "dust: 1 as recorded, 0 changed" in result.out
    assert result.example.cassettes == after.cassettes


# ── what it costs ────────────────────────────────────────────────────────────────────────────────


def test_the_estimate_is_a_range_before_the_first_recording(tested, actor):
    """Without a recording a case may take any number of its test; with one, about as many as it took."""
    actor.say("other")
    result = tested.run("--dust-mode=record", ONE)
    assert "dust: about to make 5 to 14 runs\n" in result.out
    assert re.search(r"about to make 11 runs, about \d+ tokens", result.example.run("--dust-mode=live").out)


@pytest.mark.parametrize(("most", "runs"), [(13, 0), (14, 5)])
def test_the_ceiling_counts_the_maximum(tested, server, most, runs):
    """Without a recording, a ceiling below the maximum of the test refuses the session."""
    result = tested.run("--dust-mode=record", f"--dust-max-runs={most}")
    assert server.runs == runs
    assert ("this session would take about 14 runs" in result.out + result.err) == (runs == 0)


def test_another_recording_gives_the_range_its_tokens(tested):
    """With a recording of a single run, the estimate is a range, with the tokens of the maximum."""
    single = tested.replacing("answer.dust.yaml", f"    repeat: {RATES}\n", "").run("--dust-mode=record")
    tokens = int(re.search(r"(\d+) tokens used", single.out)[1])
    result = single.example.having({"answer.dust.yaml": tested.files["answer.dust.yaml"]}).run(
        "--dust-mode=live"
    )
    assert f"about to make 5 to 14 runs, about {14 * tokens} tokens by the recordings" in result.out


def test_the_ceiling_ends_a_later_wave(tested, actor):
    """If the ceiling is reached in a later wave, the attempts so far are kept as pending and counted."""
    after = tested.run("--dust-mode=record").example
    actor.server.requests.clear()
    actor.say("other")
    result = after.run("--dust-mode=rerecord", "--dust-max-runs=8", ONE)
    assert actor.server.runs == 8
    assert "not run: 8 of at most 8 runs are made" in result.report
    assert f"8 of its 11 runs had ended; the answer is kept in {PENDING}" in result.report
    assert len(json.loads(result.example.files[PENDING])["attempts"]) == 8
    assert re.search(r"[1-9]\d* tokens used", result.out)
    assert result.example.cassettes == after.cassettes


@pytest.mark.parametrize("mode", ["record", "live"])
@pytest.mark.parametrize(("kept", "of"), [(2, 5), (7, 8)])
def test_trouble_ends_the_case_and_keeps_its_attempts(tested, actor, mode, kept, of):
    """If the service fails one attempt, the case has no verdict, and the attempts before it are pending."""
    actor.say("other")
    answered = actor.server.behaviour

    def fails(request):
        refused = request.method == "POST" and actor.asked == kept
        return dust_server.Reply([b"{}"], 400) if refused else answered(request)

    actor.server.behaviour = fails
    result = tested.run(f"--dust-mode={mode}", ONE)
    assert result.outcomes == {"failed": 1}
    assert "no verdict" in result.report
    assert f"{kept} of its {of} runs had ended; the answer is kept in {PENDING}" in result.report
    assert len(json.loads(result.example.files[PENDING])["attempts"]) == kept
    assert result.example.cassettes == {}


def test_an_interrupt_in_a_later_wave_keeps_the_attempts_before(tested, actor):
    """Ctrl-C while a later wave runs ends the session promptly and keeps the attempts that have ended."""
    actor.say("other")
    tested.write()
    answered = actor.server.behaviour

    def slow(request):
        if request.method == "POST" and actor.asked >= 5:
            actor.seconds = 30
        return answered(request)

    actor.server.behaviour = slow
    code = (
        "import signal, sys, pytest\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.exit(pytest.main())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "--dust-mode=record"],
        cwd=tested.root,
        env={**os.environ, "PYTEST_ADDOPTS": OTHERS_PLUGINS, **tested.environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until = time.monotonic() + 20
    while actor.server.runs < 6 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 2, out
    assert "INTERNALERROR" not in out
    assert len(json.loads(tested.left().files[PENDING])["attempts"]) == 5


# ── pending answers ──────────────────────────────────────────────────────────────────────────────


def test_an_accepted_answer_gives_the_same_verdict(tested, actor):
    """A live answer that fails is kept, surplus and all, and accepted as the cassette."""
    actor.say(*labels("-+-++"))
    live = tested.run("--dust-mode=live", ONE)
    accepted = live.example.run("--dust-accept")
    assert accepted.ret == 0
    replayed = accepted.example.offline().run()
    assert replayed.outcomes == {"failed": 1}
    assert summary(replayed) == summary(live)


def test_an_edited_expectation_must_decide(tested, actor):
    """--dust-edit writes a value that enough attempts have, and no value that leaves the test open."""
    actor.say(*labels("-----"))
    edited = tested.run("--dust-mode=live", ONE).example.run("--dust-accept", "--dust-edit").example
    assert b"result.label: other" in edited.files["answer.dust.yaml"]
    assert edited.offline().run().outcomes == {"passed": 1}
    actor.say(*labels("--+--"))
    left = tested.run("--dust-mode=live", ONE).example.run("--dust-accept", "--dust-edit")
    assert b"result.label: billing" in left.example.files["answer.dust.yaml"]
    assert "its attempts have different values" in left.out


def test_an_answer_that_does_not_decide_is_refused(tested, actor):
    """Attempts of a session that was broken off are refused if they do not decide."""
    actor.say("billing", "other")
    full = tested.run("--dust-mode=live", ONE).example
    kept = cassette.loads(full.files[PENDING])
    fewer = cassette.dumps(kept.request, kept.replies[:3], kept.recorded_at, notes=kept.notes)
    result = full.having({PENDING: fewer}).run("--dust-accept")
    assert result.ret == 1
    why = "2 of 3 attempts passed, which does not decide"
    assert f"its runs give no verdict: {why}; run it again: pytest answer.dust.yaml::refund" in result.out


# ── reports ──────────────────────────────────────────────────────────────────────────────────────


def test_the_reports_tell_the_surplus(tested, actor):
    """The record has what counts, the interval and why the case stopped; Markdown shows the same."""
    actor.say(*labels("-+-++"))
    result = tested.run("--dust-mode=record", ONE, "--dust-report=report.json", "--dust-report=report.md")
    (case,) = json.loads(result.example.files["report.json"])["cases"]
    why = f"stopped because 2 of 3 attempts failed, {TOO_MANY}"
    spread = case["spread"]
    assert (spread["counted"], spread["passed"], spread["why"]) == (3, 1, why)
    assert (round(spread["low"], 2), round(spread["high"], 2)) == (0.06, 0.79)
    assert case["repeat"] == {
        "runs": 14,
        "min_pass": 5,
        "rates": {"good": 0.95, "bad": 0.6, "false_alarm": 0.05, "miss": 0.1},
    }
    row = f"| `refund` | ✗✓✗ · surplus ✓✓ | 33%, 95% interval 6% to 79% | {why} |"
    assert row in result.example.files["report.md"].decode()


def test_a_change_in_the_surplus_does_not_count(tested, actor):
    """Only a change in an attempt that counts is a change of the case."""
    example = tested.replacing(
        "answer.dust.yaml", "{result.label: billing}", "{result.label: {one_of: [billing, late]}}"
    )
    actor.say(*labels("--+++"))
    after = example.run("--dust-mode=record", ONE).example
    actor.say("other", "other", "late", "late", "late")
    result = after.run("--dust-mode=live", "--dust-on-change=fail", ONE)
    assert "2 of 2 attempts failed" in summary(result)
    assert "1 unchanged, 0 changed" in result.out
