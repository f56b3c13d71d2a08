"""What a session costs: the estimate before it, its ceilings, and answers from the service's cache."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import AuthenticationError

import pytest

from conftest import SOURCES, SUPPORT, config_of, filled, suite
from pytest_dust.errors import ServiceError
from pytest_dust.plugin import shared_objects
from pytest_dust.run.budget import SHARED, Budget

REPEATED = """\
cases:
  - id: refund
    input: {question: Where is my refund?}
    repeat: {runs: 3}
  - id: parcel
    input: {question: Track my parcel}
"""
PYTHON = """\
import pytest

@pytest.mark.parametrize("question", ["a", "b", "c", "d"])
def test_it(dust, question):
    run = dust.run(app="9f1d3b5a7c", specification_hash=HASH, config=CONFIG, input={"question": question})
    assert run.result.label == "other"
"""
CACHE_ON = config_of(SUPPORT, CLASSIFY={"use_cache": True})


def estimated(result):
    """The line that says what the session will take."""
    return re.findall(r"^dust: (about to make .*)$", f"{result.out}\n{result.err}", re.MULTILINE)


def used(result):
    """The tokens that the session used, by its summary."""
    return int(re.search(r"^dust: .* ([\d,]+) tokens used$", result.out, re.MULTILINE)[1].replace(",", ""))


def bodies(server):
    """The bodies of the runs that were asked for."""
    return [request.body for request in server.requests if request.method == "POST"]


@pytest.fixture
def repeated(project, server):
    """A project with a repeated case and a plain one, online and not recorded yet."""
    return project.having({"answer.dust.yaml": suite(server, SUPPORT, REPEATED)}).using(server)


@pytest.fixture
def python(project, server):
    """A project whose four runs are made from Python, of which no estimate knows."""
    return project.having({"test_it.py": filled(PYTHON, server)}).using(server)


# ── the estimate ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", ["live", "rerecord"])
def test_what_a_session_will_take_is_said_before(support, mode):
    """Before the first case, the terminal says how many runs are made, and their tokens by the recordings."""
    recorded = support.run("--dust-mode=record")
    result = recorded.example.run(f"--dust-mode={mode}")
    tokens = used(recorded)
    assert tokens > 0
    assert estimated(result) == [f"about to make 3 runs, about {tokens:,} tokens by the recordings"]
    assert result.out.index("about to make") < result.out.index("[100%]")
    assert used(result) == tokens


def test_every_attempt_counts(repeated):
    """A repeated case is as many runs as it has attempts, each with its tokens."""
    recorded = repeated.run("--dust-mode=record")
    assert estimated(recorded) == ["about to make 4 runs"]
    told = f"about to make 4 runs, about {used(recorded):,} tokens by the recordings"
    assert estimated(recorded.example.run("--dust-mode=live")) == [told]


def test_a_recording_of_fewer_attempts_is_scaled(repeated):
    """Where a case has more attempts now than were recorded, the tokens are estimated for all of them."""
    recorded = repeated.run("--dust-mode=record", "-k", "refund")
    more = recorded.example.replacing("answer.dust.yaml", "runs: 3", "runs: 6")
    told = f"about to make 6 runs, about {used(recorded) * 2:,} tokens by the recordings"
    assert estimated(more.run("--dust-mode=live", "-k", "refund")) == [told]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ((), []),
        (("--dust-mode=record",), ["about to make 1 run"]),
        (("--dust-mode=record", "-k", "parcel"), []),
        (("--dust-mode=live", "-k", "refund"), ["about to make 1 run"]),
        (("--dust-mode=live", "--co"), []),
        (("--dust-check",), []),
    ],
)
def test_only_what_is_run_is_estimated(recorded, server, args, told):
    """Replays cost nothing and cause no line; of a recording session, only what is missing counts."""
    missing = recorded.using(server).having({"cassettes/answer/refund.json": None})
    assert estimated(missing.run(*args)) == told


def test_cases_that_are_not_selected_are_not_estimated(recorded, server):
    """The estimate is for the cases that are selected."""
    result = recorded.using(server).run("--dust-mode=live", "-k", "parcel")
    assert estimated(result) == [f"about to make 1 run, about {used(result):,} tokens by the recordings"]


@pytest.mark.parametrize("broken", ["{", "[]", '{"version": 1}', '{"version": 99}'])
def test_a_broken_recording_breaks_no_estimate(recorded, server, broken):
    """A cassette that cannot be read counts as a run of unknown cost."""
    files = dict.fromkeys(recorded.cassettes, broken)
    result = recorded.using(server).having(files).run("--dust-mode=live")
    assert estimated(result) == ["about to make 3 runs"]
    assert result.outcomes == {"passed": 2, "failed": 1}


def test_the_estimate_is_said_under_xdist_too(recorded, server):
    """With `-n 2` the terminal says once what the session will take."""
    result = recorded.using(server).run("--dust-mode=live", "-n", "2", subprocess=True)
    assert estimated(result) == [f"about to make 3 runs, about {used(result):,} tokens by the recordings"]


# ── refused before the first call ────────────────────────────────────────────────────────────────


def ceilings(tokens):
    """Options that a session of 3 runs and so many tokens passes, and what is said of it."""
    return {
        "--dust-max-runs=2": "take about 3 runs, and --dust-max-runs allows 2",
        "--dust-max-runs=0": "take about 3 runs, and --dust-max-runs allows 0",
        f"--dust-max-tokens={tokens - 1}": f"about {tokens:,} tokens, and --dust-max-tokens allows",
        "--dust-max-tokens=0": f"about {tokens:,} tokens, and --dust-max-tokens allows 0",
    }


def test_a_session_that_would_pass_a_ceiling_is_refused(recorded, server):
    """Where the estimate passes a ceiling, pytest ends as for a wrong usage, and nothing was asked."""
    example = recorded.using(server)
    tokens = used(example.run("--dust-mode=live"))
    server.requests.clear()
    for option, words in ceilings(tokens).items():
        result = example.run("--dust-mode=live", option)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert words in result.out + result.err
        assert "INTERNALERROR" not in result.out + result.err
        assert server.requests == []


def test_a_session_within_its_ceilings_runs(recorded, server):
    """A session that takes exactly what the ceilings allow is run whole."""
    example = recorded.using(server)
    tokens = used(example.run("--dust-mode=live"))
    result = example.run("--dust-mode=live", "--dust-max-runs=3", f"--dust-max-tokens={tokens}")
    assert result.outcomes == {"passed": 2, "failed": 1}
    assert "not run:" not in result.out


def test_a_session_with_errors_of_collection_announces_and_asks_nothing(recorded, server):
    """Where pytest ends a session for an error of collection, no run is announced or launched before."""
    example = recorded.using(server).having({"test_broken.py": "import nothing_of_this_name\n"})
    result = example.run("--dust-mode=live")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert estimated(result) == []
    assert server.requests == []
    result = example.run("--dust-mode=live", "--continue-on-collection-errors")
    assert estimated(result) != []
    assert server.runs == 3


def test_replays_are_free(recorded):
    """A ceiling of nothing refuses no replay."""
    result = recorded.run("--dust-max-runs=0", "--dust-max-tokens=0")
    assert result.outcomes == {"passed": 2, "failed": 1}


def test_a_refused_session_asks_nothing_under_xdist(recorded, server):
    """With `-n 2` each case of a refused session fails with the reason, and nothing was asked."""
    args = ("--dust-mode=live", "--dust-max-runs=2", "-n", "2")
    result = recorded.using(server).run(*args, subprocess=True)
    assert result.ret != 0
    assert "passed" not in result.outcomes
    assert "would take about 3 runs, and --dust-max-runs allows 2" in result.out + result.err
    assert "INTERNALERROR" not in result.out
    assert server.requests == []


def test_runs_end_where_the_ceiling_is_reached_by_all_workers(python, server):
    """With `-n 2` both workers spend from one budget: no run more than the ceiling allows them together."""
    result = python.run("--dust-mode=live", "--dust-max-runs=3", "-n", "2", subprocess=True)
    assert result.outcomes == {"passed": 3, "failed": 1}
    assert "not run: 3 of at most 3 runs are made" in result.out
    assert server.runs == 3


@pytest.mark.parametrize("name", ["max-runs", "max-tokens"])
@pytest.mark.parametrize("source", SOURCES)
def test_each_source_sets_a_ceiling(recorded, server, source, name):
    """A ceiling comes from the command line, from the environment or from ini."""
    example, args = recorded.using(server).given(name, "1", by=source)
    result = example.run("--dust-mode=live", *args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"--dust-{name} allows 1" in result.out + result.err
    assert server.requests == []


# ── reached midway ───────────────────────────────────────────────────────────────────────────────


def test_runs_end_where_the_ceiling_is_reached(python, server):
    """Once as many runs are made as allowed, the rest fails with that reason, and nothing more is asked."""
    result = python.run("--dust-mode=live", "--dust-max-runs=2")
    assert result.outcomes == {"passed": 2, "failed": 2}
    assert result.report.count("not run: 2 of at most 2 runs are made (--dust-max-runs)") >= 2
    assert server.runs == 2


def test_tokens_end_where_the_ceiling_is_reached(support, server):
    """Without recordings there is no estimate: once the tokens are used, the rest fails with that reason."""
    result = support.run("--dust-mode=live", "--dust-max-tokens=1", "--dust-concurrency=1")
    assert estimated(result) == ["about to make 3 runs"]
    assert result.outcomes == {"passed": 1, "failed": 2}
    reason = rf"no verdict: not run: {used(result)} of at most 1 tokens are used \(--dust-max-tokens\)"
    assert len(re.findall(rf"^FAILED .* - {reason}", result.out, re.MULTILINE)) == 2
    assert server.runs == 1
    assert "Traceback" not in result.report


def test_what_was_recorded_before_the_ceiling_is_kept(support, server):
    """A recording that reaches its ceiling keeps what it paid for; the next one goes on from there."""
    first = support.run("--dust-mode=record", "--dust-max-tokens=1", "--dust-concurrency=1")
    assert len(first.example.cassettes) == 1
    second = first.example.run("--dust-mode=record")
    assert server.runs == 3
    assert len(second.example.cassettes) == 3


def test_replays_go_on_after_the_ceiling(support, server):
    """A case that needs no run is replayed, whatever was spent before it."""
    after = support.run("--dust-mode=record", "-k", "wrong or parcel").example
    more = after.replacing("answer.dust.yaml", "cases:", "cases:\n  - {id: first, input: {question: Pay}}")
    server.requests.clear()
    result = more.run("--dust-mode=record", "--dust-max-tokens=1", "--dust-concurrency=1")
    assert result.outcomes == {"passed": 2, "failed": 2}
    assert result.out.count("FAILED ") == 2
    assert "refund - no verdict: not run:" in result.out
    assert server.runs == 1


def test_a_repeated_case_stops_launching_at_the_ceiling(repeated, server):
    """Attempts are launched only as long as the ceiling of tokens is not reached."""
    example = repeated.replacing("answer.dust.yaml", "runs: 3", "runs: 20")
    args = ("--dust-mode=live", "--dust-max-tokens=100", "--dust-concurrency=1", "-k", "refund")
    result = example.run(*args)
    assert result.outcomes["failed"] == 1
    assert server.runs < 20


def test_tokens_of_a_failed_case_are_counted(repeated, server):
    """Tokens count as soon as an attempt has answered, keep the next one from being made, and are told."""
    result = repeated.run("--dust-mode=live", "--dust-max-tokens=1", "--dust-concurrency=1")
    assert result.outcomes == {"failed": 2}
    assert server.runs == 1
    assert re.search(rf"not run: {used(result)} of at most 1 tokens are used", result.out)
    assert used(result) > 0


# ── the service's cache ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("source", SOURCES)
def test_fresh_turns_the_cache_off(support, server, source):
    """With --dust-fresh each configured block is sent use_cache: false, by option, environment or ini."""
    cached = support.configured("answer.dust.yaml", CACHE_ON)
    example, args = cached.given("fresh", "true", by=source)
    example.run("--dust-mode=live", *args)
    fresh = config_of(SUPPORT)
    assert [body["config"]["CLASSIFY"] for body in bodies(server)] == [fresh["CLASSIFY"]] * 3


def test_without_fresh_the_config_is_sent_as_written(support, server):
    """Unless told to, nothing changes the config of a suite."""
    support.configured("answer.dust.yaml", CACHE_ON).run("--dust-mode=live")
    assert [body["config"] for body in bodies(server)] == [CACHE_ON] * 3


@pytest.mark.parametrize(("first", "then"), [((), ("--dust-fresh",)), (("--dust-fresh",), ())])
def test_fresh_moves_no_cassette(support, server, first, then):
    """A cassette fits with and without --dust-fresh, however it was recorded."""
    example = support.configured("answer.dust.yaml", CACHE_ON)
    after = example.run("--dust-mode=record", *first).example
    for text in after.cassettes.values():
        assert json.loads(text)["request"]["config"] == CACHE_ON
    server.requests.clear()
    for mode in ("replay", "record"):
        result = after.run(f"--dust-mode={mode}", *then)
        assert result.outcomes == {"passed": 2, "failed": 1}
        assert "3 replayed" in result.out
    assert server.requests == []


# ── the count itself ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("max_runs", "max_tokens", "spent", "told"),
    [
        (None, None, (10**9, 10**12), ""),
        (0, None, (0, 0), "0 of at most 0 runs"),
        (1, None, (0, 0), ""),
        (1, None, (1, 0), "1 of at most 1 runs"),
        (1200, None, (1200, 0), "1,200 of at most 1,200 runs"),
        (None, 0, (0, 0), "0 of at most 0 tokens"),
        (None, 10, (0, 9), ""),
        (None, 10, (0, 10), "10 of at most 10 tokens"),
        (None, 10, (0, 3456), "3,456 of at most 10 tokens"),
        (1, 1, (1, 1), "1 of at most 1 runs"),
    ],
)
def test_taking_from_a_budget(max_runs, max_tokens, spent, told):
    """A run is taken as long as the runs made and the tokens used are below their ceilings."""
    budget = Budget(max_runs, max_tokens)
    budget.runs, budget.tokens = spent
    if told:
        with pytest.raises(ServiceError, match=f"not run: {re.escape(told)}"):
            budget.take()
        assert (budget.runs, budget.tokens) == spent
    else:
        budget.take()
        budget.note(7)
        assert (budget.runs, budget.tokens) == (spent[0] + 1, spent[1] + 7)


@pytest.mark.parametrize(
    ("max_runs", "max_tokens", "runs", "tokens", "told"),
    [
        (None, None, 10**9, 10**12, ""),
        (3, 100, 3, 100, ""),
        (3, 100, 4, 100, "about 4 runs, and --dust-max-runs allows 3"),
        (3, 100, 3, 101, "about 101 tokens, and --dust-max-tokens allows 100"),
        (3, 100, 4, 101, "about 4 runs, and --dust-max-runs allows 3"),
        (None, 1000, 9, 12345, "about 12,345 tokens, and --dust-max-tokens allows 1,000"),
        (0, 0, 0, 0, ""),
    ],
)
def test_refusing_what_a_budget_does_not_hold(max_runs, max_tokens, runs, tokens, told):
    """What is estimated is refused where it passes a ceiling, the runs first."""
    budget = Budget(max_runs, max_tokens)
    if told:
        with pytest.raises(ServiceError, match=re.escape(told)):
            budget.refuse(runs, tokens)
    else:
        budget.refuse(runs, tokens)
    assert (budget.runs, budget.tokens) == (0, 0)


def test_a_kept_budget_is_one_for_all():
    """However many ask at once, no more runs are taken than the ceiling allows, and all tokens add up."""
    address = shared_objects.serve(Budget(10, 70), SHARED)
    taken, refused, kept = [], [], []

    def ask():
        budget = shared_objects.connect(address, SHARED)
        kept.append(budget)  # as a session does: if another thread collects it, that loses its connection
        for _ in range(5):
            try:
                taken.append(budget.take())
                budget.note(7)
            except ServiceError as error:
                refused.append(str(error))

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(ask) for _ in range(6)]:
            done.result()
    assert len(taken) == 10
    assert len(refused) == 20
    assert set(refused) == {
        "not run: 10 of at most 10 runs are made (--dust-max-runs); raise it, or select fewer cases"
    }
    with pytest.raises(ServiceError, match="about 71 tokens"):
        shared_objects.connect(address, SHARED).refuse(1, 71)


def test_a_budget_is_not_given_to_strangers():
    """Who does not know the key is not let in."""
    address, _ = shared_objects.serve(Budget(1, None), SHARED)
    with pytest.raises(AuthenticationError):
        shared_objects.connect((address, b"guessed"), SHARED)
