"""`--dust-gate`: a noisy app on the local server, both versions of it, and one verdict for each app."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from conftest import QUOTE, SUPPORT, config_of, filled, suite
from example_suites.dust_server import Noise, Reply

TRIAGE = "0dd5ba11ed"
GATE = ("--dust-specification-hash=latest", "--dust-gate")
WORDS = {"refund": "billing", "parcel": "shipping", "password": "account"}
QUESTIONS = {f"{word}-{at}": f"Question {at} on my {word}" for at in range(3) for word in WORDS}
"""Nine questions by the id of their case."""
CASES = "cases:\n" + "".join(
    f"  - {{id: {name}, input: {{question: {question}}}, expect: {{result.label: {WORDS[name[:-2]]}}}}}\n"
    for name, question in QUESTIONS.items()
)
DEAD = {f"v2:{QUESTIONS['refund-0']}": 1.0}
"""The flips of a new version in which one case always fails."""
LINE = f"dust: app {TRIAGE}: "
TEST = """\
def test_refund(dust):
    run = dust.run(app="0dd5ba11ed", specification_hash=HASH, config=CONFIG, input={"question": "Refund"})
    assert run.result.label == "billing"
"""


@pytest.fixture
def triage(project, server):
    """The noisy app's suite, recorded without an error, and its edited version saved."""
    return edited(project, server, {"triage.dust.yaml": suite(server, TRIAGE, CASES)})


def edited(project, server, files, app=TRIAGE):
    """A project with these files, recorded; then the app's edited version is saved."""
    example = project.having(files).using(server).recorded()
    server.save_edited(app)
    server.forget_runs()
    return example


def verdicts(result):
    """The lines on gates at the end of a session."""
    words = ("worse: ", "no worse shown: ", "could not be run: ")
    lines = [line for line in result.out.splitlines() if line.startswith("dust: app ")]
    return [line for line in lines if line.partition(": ")[2].partition(": ")[2].startswith(words)]


def versions(server):
    """The version of each run that was asked for, in order: `v1` is the pinned one."""
    pinned = server.hash(TRIAGE)
    asked = [request.body["specification_hash"] for request in server.requests if request.method == "POST"]
    return ["v1" if each == pinned else "v2" for each in asked]


# ── verdicts ─────────────────────────────────────────────────────────────────────────────────────


def test_an_app_without_a_change_passes_with_one_run_of_each_case(triage, server):
    """If all cases pass that passed when recorded, the gate is green and makes no more runs."""
    result = triage.run(*GATE)
    assert (result.ret, result.outcomes) == (0, {"passed": 10})
    assert verdicts(result) == [
        (
            f"{LINE}no worse shown: 9/9 first runs pass, as when recorded; "
            "a drop of 35 points would be caught 8 times in 10"
        )
    ]
    assert versions(server) == ["v2"] * 9


def test_a_case_that_died_is_worse_and_named_with_its_block(triage, server, golden):
    """Fresh runs of both versions and confirming ones follow; the report names the case and the block."""
    server.noise = Noise(1, DEAD)
    result = triage.run(*GATE)
    assert (result.ret, result.outcomes["failed"], result.outcomes["passed"]) == (1, 1, 8)
    assert "1 left to the gate" in result.out
    (line,) = verdicts(result)
    assert line.startswith(f"{LINE}worse: 27/27 → 24/27 fresh runs pass (9 cases × 3), p = 0.0")
    assert line.endswith("; refund-0 6/6 → 0/6, begins in CLASSIFY (llm), in 6 of 6")
    assert Counter(versions(server)) == {"v1": 27 + 6, "v2": 27 + 6}
    golden("gate_worse", result.report)


def test_noise_of_both_versions_is_no_change(triage, server):
    """A case that fails now and then in both versions makes the gate ask, and is no reason to fail."""
    server.noise = Noise(3, {"v1": 0.3, "v2": 0.3})
    result = triage.run(*GATE)
    assert (result.ret, len(verdicts(result))) == (0, 1)
    assert f"{LINE}no worse shown: " in result.out
    assert " → " in verdicts(result)[0]
    assert " left to the gate" in result.out


def test_the_providers_drift_is_no_change_of_the_app(triage, server):
    """Both versions run in the same session, in turn, so that what both meet is not the app's change."""
    server.noise = Noise(1, drift=0.4)
    result = triage.run(*GATE)
    assert (result.ret, len(verdicts(result))) == (0, 1)
    second = versions(server)[9 : 9 + 9 * 5]
    assert Counter(second) == {"v1": 27, "v2": 18}
    assert all({"v1", "v2"} == set(second[at : at + 9]) for at in range(9, 36, 3))


def test_a_case_that_failed_when_it_was_recorded_asks_for_no_runs(project, server):
    """Only a case that passed when it was recorded, or has no recording, makes the gate look closer."""
    wrong = CASES.replace("expect: {result.label: billing}", "expect: {result.label: other}", 1)
    example = edited(project, server, {"triage.dust.yaml": suite(server, TRIAGE, wrong)})
    result = example.run(*GATE)
    assert (result.ret, versions(server)) == (0, ["v2"] * 9)
    assert "no worse shown: 8/9 first runs pass, as when recorded" in verdicts(result)[0]


def test_without_a_recording_both_versions_are_asked(triage, server):
    """A failing case without a cassette is compared by fresh runs, and by nothing else."""
    bare = triage.having(dict.fromkeys(triage.cassettes))
    server.noise = Noise(1, DEAD)
    result = bare.run(*GATE)
    assert (result.ret, len(verdicts(result))) == (1, 1)
    assert "refund-0 6/6 → 0/6" in verdicts(result)[0]


# ── trouble ──────────────────────────────────────────────────────────────────────────────────────


def failing(server, version, times=10**6, after=0):
    """Let runs of one version fail at the service, from the run `after` on."""
    hash_, seen = server.hash(TRIAGE, version), Counter()

    def behaviour(request):
        asked = request.body["specification_hash"] if request.method == "POST" else ""
        if asked not in {hash_, *(["latest"] if version == "v2" else [])}:
            return None
        seen["runs"] += 1
        failing_now = after < seen["runs"] <= after + times
        return Reply([b'{"error": {"type": "app_error", "message": "no"}}'], 500) if failing_now else None

    server.behaviour = behaviour


def test_a_version_that_cannot_be_asked_is_never_green(triage, server):
    """If fresh runs of the pinned version fail at the service, the gate could not be run, and is red."""
    server.noise = Noise(3, {"v1": 0.3, "v2": 0.3})
    failing(server, "v1")
    result = triage.run(*GATE)
    assert result.ret == 1
    (line,) = verdicts(result)
    assert line.startswith(f"{LINE}could not be run: triage.dust.yaml::")
    assert "500" in line


def test_a_case_without_a_verdict_is_never_green(triage, server):
    """A first run that fails at the service leaves its case without a verdict, and so the app."""
    failing(server, "v2", times=1)
    result = triage.run(*GATE)
    assert (result.ret, result.outcomes["failed"]) == (1, 2)
    assert f"{LINE}could not be run: triage.dust.yaml::" in verdicts(result)[0]
    assert versions(server) == ["v2"] * 9


def test_a_fresh_run_that_fails_once_is_made_again(triage, server):
    """Trouble is no attempt: the run is made once more, and counts as if nothing had been."""
    server.noise = Noise(1, DEAD)
    failing(server, "v1", times=2)
    result = triage.run(*GATE)
    assert "worse: 27/27 → 24/27 fresh runs pass" in verdicts(result)[0]


def test_a_ceiling_stops_the_gate_before_it_spends(triage, server):
    """If the fresh runs would pass a ceiling, none is made, and the verdict says which number to raise."""
    server.noise = Noise(1, DEAD)
    result = triage.run(*GATE, "--dust-max-runs=20")
    assert (result.ret, versions(server)) == (1, ["v2"] * 9)
    assert verdicts(result) == [
        (
            f"{LINE}could not be run: it needs about 45 more runs, and --dust-max-runs=20 leaves 11; "
            "raise it, or select fewer cases"
        )
    ]


def test_tokens_are_bounded_too(triage, server):
    """A ceiling of tokens counts the fresh runs of both versions, by what the first runs used."""
    server.noise = Noise(1, DEAD)
    result = triage.run(*GATE, "--dust-max-tokens=2000")
    assert result.ret == 1
    assert "more tokens, and --dust-max-tokens=2000 leaves" in verdicts(result)[0]


def test_latest_against_latest_compares_nothing(project, server):
    """Suites that ask for `latest` have no version to compare with: the gate says so, and is red."""
    text = suite(server, TRIAGE, CASES).replace(server.hash(TRIAGE), "latest")
    result = edited(project, server, {"triage.dust.yaml": text}).run(*GATE)
    assert result.ret == 1
    assert "no case of it counts: 9 cases asking for latest, which is the other" in verdicts(result)[0]


# ── cases of every kind ──────────────────────────────────────────────────────────────────────────


def test_the_beginning_says_the_least_and_the_most(triage):
    """Before the first run, the session says how many runs it makes at least and at most."""
    out = triage.run(*GATE).out
    assert "dust: about to make 9 runs, about " in out
    assert "dust: gate: at most 114 runs, about " in out


def test_k_selects_cases_and_keeps_the_gate(triage, server):
    """-k, -m and node ids select the cases that count; the gate is always there."""
    server.noise = Noise(1, DEAD)
    result = triage.run(*GATE, "-k", "refund")
    assert (result.ret, result.outcomes["deselected"]) == (1, 6)
    assert "(3 cases × 3)" in verdicts(result)[0]
    one = triage.run(*GATE, "triage.dust.yaml::refund-1")
    assert (one.ret, one.outcomes) == (0, {"passed": 2})


def test_skipped_and_xfail_cases_do_not_count(project, server):
    """A case that is skipped or expected to fail is told as ever, and the gate leaves it out."""
    marks = CASES.replace("id: refund-0,", "id: refund-0, marks: [{xfail: it flips}],").replace(
        "id: parcel-0,", "id: parcel-0, marks: [{skip: not now}],"
    )
    example = edited(project, server, {"triage.dust.yaml": suite(server, TRIAGE, marks)})
    server.noise = Noise(1, DEAD)
    result = example.run(*GATE)
    assert result.ret == 0
    assert result.outcomes == {"passed": 8, "skipped": 1, "xfailed": 1}
    assert "7/7 first runs pass" in verdicts(result)[0]


def test_only_skipped_cases_are_never_green(project, server):
    """A gate of an app whose cases are all skipped compares nothing, and is red."""
    text = suite(server, TRIAGE, CASES, "marks: [{skip: not now}]\n")
    result = edited(project, server, {"triage.dust.yaml": text}).run(*GATE)
    assert result.ret == 1
    assert verdicts(result) == [
        f"{LINE}could not be run: no case of it counts: 9 cases skipped; select some that do"
    ]


def test_rows_combinations_and_repeated_cases_are_cases(project, server):
    """Each row and combination counts; a repeated case brings its first attempts, as many as others have."""
    text = """\
cases:
  - {id: row, dataset: rows.jsonl, input: {question: "${row.q}"}, expect: {result.label: "${row.label}"}}
  - id: model
    matrix: {model: [gpt-4o, gpt-4o-mini]}
    config: {CLASSIFY: {model_id: "${matrix.model}"}}
    input: {question: My parcel}
    expect: {result.label: shipping}
  - id: often
    repeat: {runs: 5, min_pass: 4}
    input: {question: My invoice}
    expect: {result.label: billing}
"""
    rows = (
        '{"id": "a", "q": "My refund", "label": "billing"}\n{"id": "b", "q": "A login", "label": "account"}\n'
    )
    files = {"triage.dust.yaml": suite(server, TRIAGE, text), "rows.jsonl": rows}
    example = edited(project, server, files)
    server.noise = Noise(1, {"v2:My invoice": 1.0, "v2:My refund": 1.0})
    result = example.run(*GATE)
    assert result.ret == 1
    (line,) = verdicts(result)
    assert "worse: 15/15 → 9/15 fresh runs pass (5 cases × 3)" in line
    assert "row[a] 6/6 → 0/6" in line
    assert "often 6/6 → 0/6" in line


def test_python_tests_run_again_as_a_whole(project, server):
    """A Python test that uses the fixture is a case: it runs again in both versions, with its own asserts."""
    test = TEST.replace("HASH", repr(server.hash(TRIAGE))).replace("CONFIG", repr(config_of(TRIAGE)))
    example = edited(project, server, {"test_callers.py": test})
    server.noise = Noise(1, {"v2:Refund": 1.0})
    result = example.run(*GATE, "--dust-gate-attempts=4")
    assert (result.ret, result.outcomes["failed"]) == (1, 1)
    assert f"[gate {TRIAGE}] F" in result.out
    assert "[100%]" in result.out
    assert verdicts(result) == [
        (
            f"{LINE}worse: 4/4 → 0/4 fresh runs pass (1 case × 4), p = 0.007; "
            "test_refund 6/6 → 0/6, begins in CLASSIFY (llm), in 6 of 6"
        )
    ]
    assert Counter(versions(server)) == {"v1": 10, "v2": 10}


def test_apps_of_which_no_other_version_is_tried_keep_their_rules(project, server):
    """`APP_ID=HASH` gates one app; a failing case of another app fails as ever."""
    order = "input: {order: 3 apples}\nexpect: {result.completion.text: nothing}\n"
    files = {
        "triage.dust.yaml": suite(server, TRIAGE, CASES),
        "order.dust.yaml": suite(server, QUOTE, order),
    }
    example = edited(project, server, files)
    result = example.run(f"--dust-specification-hash={TRIAGE}=latest", "--dust-gate")
    assert (result.ret, result.outcomes) == (1, {"failed": 1, "passed": 10})
    assert len(verdicts(result)) == 1


def test_the_suites_gate_goes_before_the_options(project, server):
    """`gate:` of a suite sets attempts and the rate of false alarms; options set them for the others."""
    text = suite(server, TRIAGE, CASES, "gate: {attempts: 2, false_alarms: 0.2}\n")
    example = edited(project, server, {"triage.dust.yaml": text})
    server.noise = Noise(1, DEAD)
    result = example.run(*GATE, "--dust-gate-attempts=5")
    assert "(9 cases × 2)" in verdicts(result)[0]


def test_the_services_cache_is_off(triage, server):
    """Every run of the gate is a new one: no block may be answered from the service's cache."""
    server.noise = Noise(1, DEAD)
    triage.run(*GATE)
    asked = [request.body["config"] for request in server.requests if request.method == "POST"]
    assert len(asked) == 66
    assert all(config["CLASSIFY"]["use_cache"] is False for config in asked)


# ── the session ──────────────────────────────────────────────────────────────────────────────────


def test_two_workers_come_to_the_same_verdict(triage, server):
    """Under pytest-xdist the controller decides: the same runs are made, by all workers."""
    server.noise = Noise(1, DEAD)
    result = triage.run(*GATE, "-n2", "--dust-max-runs=100", subprocess=True)
    assert (result.ret, result.outcomes["failed"]) == (1, 1), result.out
    (line,) = verdicts(result)
    assert "worse: 27/27 → 24/27 fresh runs pass (9 cases × 3), p = 0.0" in line
    assert line.endswith("; refund-0 6/6 → 0/6, begins in CLASSIFY (llm), in 6 of 6")
    assert Counter(versions(server)) == {"v1": 33, "v2": 33}
    assert "FAILED [gate 0dd5ba11ed] - worse: " in result.out


def test_failed_cases_do_not_stop_the_session(triage, server):
    """With -x a case that is left to the gate does not end the session, and --lf does not know it."""
    server.noise = Noise(1, DEAD)
    result = triage.run(*GATE, "-x")
    assert (result.ret, result.outcomes["passed"]) == (1, 8)
    assert len(verdicts(result)) == 1


def test_collect_only_lists_the_gate(triage, server):
    """`--collect-only` shows an item for each app, and asks nothing."""
    result = triage.run(*GATE, "--collect-only", "-q")
    assert f"[gate {TRIAGE}]" in result.out.splitlines()
    assert server.requests == []


def test_the_report_has_the_verdict_and_the_cases(triage, server):
    """The record of the session holds each gate with its counts, and cases that are left to it."""
    server.noise = Noise(1, DEAD)
    result = triage.run(*GATE, "--dust-report=report.json")
    record = json.loads(result.example.files["report.json"])
    (gate,) = record["gates"]
    assert (gate["app"], gate["verdict"], gate["cases"]) == (TRIAGE, "worse", 9)
    assert (gate["old_passed"], gate["old"], gate["new_passed"], gate["new"]) == (27, 27, 24, 27)
    assert gate["worse"][0] == {
        "id": "triage.dust.yaml::refund-0",
        "old_passed": 6,
        "old": 6,
        "new_passed": 0,
        "new": 6,
        "begins_in": "CLASSIFY (llm)",
        "begins_attempts": 6,
    }
    assert (gate["file"], gate["runs"], gate["first_runs"]) == ("triage.dust.yaml", 66, 9)
    outcomes = Counter(case["outcome"] for case in record["cases"])
    assert outcomes == {"passed": 8, "left to the gate": 1}


def test_the_first_answers_are_pending_and_can_be_accepted(triage, server):
    """What the gate let through is accepted as any answer of another version: no run is made again."""
    result = triage.run(*GATE)
    assert "dust: 9 answers are pending" in result.out
    server.requests.clear()
    accepted = result.example.run("--dust-accept")
    assert accepted.ret == 0, accepted.out
    assert server.requests == []
    assert accepted.example.offline().run().outcomes == {"passed": 9}


def test_a_case_that_failed_by_chance_keeps_a_run_that_passes(triage, server):
    """If a first run failed and a fresh one passes, that one is pending: what is accepted can be replayed."""
    server.noise = Noise(3, {"v1": 0.3, "v2": 0.3})
    result = triage.run(*GATE)
    assert (result.ret, "left to the gate" in result.out) == (0, True)
    accepted = result.example.run("--dust-accept")
    assert accepted.example.offline().run().outcomes == {"passed": 9}


def test_suites_and_python_tests_of_one_app_share_a_gate(project, server):
    """Suites and Python tests of one app have one gate."""
    test = filled(TEST.replace("0dd5ba11ed", SUPPORT), server)
    case = "cases:\n  - {id: refund, input: {question: Refund}, expect: {result.label: billing}}\n"
    files = {"test_callers.py": test, "a.dust.yaml": suite(server, SUPPORT, case)}
    files["b.dust.yaml"] = files["a.dust.yaml"]
    result = edited(project, server, files, SUPPORT).run(*GATE)
    assert result.ret == 1
    (line,) = verdicts(result)
    assert "worse: 9/9 → 0/9 fresh runs pass (3 cases × 3)" in line
    assert "a.dust.yaml::refund 6/6 → 0/6" in line
