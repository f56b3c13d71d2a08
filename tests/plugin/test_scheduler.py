"""Live and recording runs go side by side, ahead of pytest's turn: so many at once, and none for nothing."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from faults import Faults
from processes import started

from conftest import SUPPORT, dust_server, filled, suite
from pytest_dust.dust.network import LiveRun, Network
from pytest_dust.errors import ServiceError
from pytest_dust.masking import Mask
from pytest_dust.model import App, Flavor, RunRequest

ENDLESS = 30
"""Seconds of a run that nobody waits for to its end."""
PROMPT = 15
"""Seconds within which a session ends that waits for no such run, on a busy machine."""


class Counter:
    """The service, which counts the runs that are under way at once, of whatever process."""

    def __init__(self, server):
        self.server = server
        self.lock = threading.Lock()
        self.open = self.most = 0
        self.seconds: dict[str, float] = {}
        """How long the runs of a question take."""
        self.refused: dict[str, str] = {}
        """The Retry-After with which a question's first run is refused."""
        self.asked: list[str] = []
        self.at: list[float] = []
        self.polled: set[str] = set()
        """Ids of runs that are under way and asked for again and again."""
        server.behaviour = self.behaviour

    def behaviour(self, request):
        """Answer as Dust does; a run is under way until its client could know that it has ended."""
        if request.method != "POST":
            return self.fetched(request) if "/runs/" in request.path else None
        question = request.body["inputs"][0]["question"]
        with self.lock:
            self.asked.append(question)
            self.at.append(time.monotonic())
            seconds = self.refused.pop(question, None)
            if seconds is not None:
                fault = Faults.status(429, headers={"Retry-After": seconds})
                return fault.reply(request, self.server.answer)
            self.open += 1
            self.most = max(self.most, self.open)
        self.server.wait(self.seconds.get(question, 0))
        reply = dust_server.DustServer.answer(self.server, request)
        if reply.streamed:
            return replace(reply, chunks=self.counted(reply.chunks))
        if request.body.get("blocking"):
            self.ends()
        else:
            self.polled.add(json.loads(reply.whole())["run"]["run_id"])
        return reply

    def counted(self, chunks):
        """The chunks of a stream, the last of which is held back until the run counts no more."""
        held = b""
        for chunk in chunks:
            yield held
            held = chunk
        self.ends()
        yield held

    def fetched(self, request):
        """A polled run as it stands, which counts no more once it is told to have ended."""
        reply = dust_server.DustServer.answer(self.server, request)
        run = json.loads(reply.whole())["run"]
        if run["status"]["run"] != "running" and run["run_id"] in self.polled:
            self.polled.remove(run["run_id"])
            self.ends()
        return reply

    def ends(self):
        """Count one less."""
        with self.lock:
            self.open -= 1


@pytest.fixture
def counter(server):
    """The service, counting."""
    return Counter(server)


def questions(count, of="c"):
    """What the cases of a suite ask, which is their id too."""
    return [f"{of}{at:02}" for at in range(count)]


def cases(ids, **extra):
    """The text of cases that ask for their own id; `extra` gives more lines to some."""
    return "cases:\n" + "".join(
        f"  - id: {each}\n    input: {{question: {each}}}\n    expect: {{result.label: other}}\n"
        + (f"    {extra[each]}\n" if each in extra else "")
        for each in ids
    )


@pytest.fixture
def having(project, server):
    """What makes a project of so many cases, in one suite, online and not recorded yet."""

    def make(count, head="", **extra):
        text = suite(server, SUPPORT, cases(questions(count), **extra), head)
        return project.having({"a.dust.yaml": text}).using(server)

    return make


def timed(example, *args, **kwargs):
    """A result, and the seconds that it took."""
    began = time.monotonic()
    return example.run(*args, **kwargs), time.monotonic() - began


def stripped(example):
    """The cassettes of a project without what differs from run to run: times, and the ids of runs."""
    found = {}
    for name, data in example.cassettes.items():
        text = data.decode()
        for run in re.findall(r'"run_id": "(\w+)"', text):
            text = text.replace(run, "RUN")
        found[name] = re.sub(r'"(at|created|duration|recorded_at)": [^\n]+', r'"\1": TIME', text)
        json.loads(data)  # whole
    return found


# ── so many at once ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("mode", "flavor", "limit"),
    [
        ("live", "blocking", 1),
        ("live", "stream", 3),
        ("record", "blocking", 7),
        ("rerecord", "poll", 2),
    ],
)
def test_so_many_runs_are_under_way_at_once(having, counter, mode, flavor, limit):
    """At the service exactly --dust-concurrency runs are under way where there are enough, never one more."""
    counter.server.delay = 0.04
    example = having(8, f"flavor: {flavor}\n")
    result = example.run(f"--dust-mode={mode}", f"--dust-concurrency={limit}")
    assert result.outcomes == {"passed": 8}
    assert counter.most == limit
    assert sorted(counter.asked) == questions(8)
    assert len(result.example.cassettes) == (0 if mode == "live" else 8)


def test_attempts_of_repeated_cases_count(having, counter):
    """Each attempt of a repeated case is a run like others: beside them, and within the limit."""
    counter.server.delay = 0.04
    example = having(5, c01="repeat: {runs: 5}", c03="repeat: {runs: 2}")
    assert example.run("--dust-mode=live", "--dust-concurrency=3").outcomes == {"passed": 5}
    assert counter.most == 3
    assert sorted(counter.asked) == sorted([*questions(5), *["c01"] * 4, "c03"])


def test_runs_side_by_side_save_time(having, counter):
    """Eight runs of half a second each, side by side, are done long before four seconds have passed."""
    counter.seconds = dict.fromkeys(questions(8), 0.5)
    assert having(8).run("--dust-mode=live").outcomes == {"passed": 8}
    assert max(counter.at) - min(counter.at) < 0.5
    assert counter.most == 8


def test_recording_side_by_side_records_the_same(having, counter):
    """Cassettes do not depend on how many runs were under way at once, times and ids of runs apart."""
    counter.server.delay = 0.08
    example = having(8, c01="flavor: stream", c02="repeat: {runs: 3}", c05="flavor: poll")
    one, many = (example.run("--dust-mode=record", f"--dust-concurrency={limit}") for limit in (1, 8))
    assert counter.most == 8
    assert len(one.example.cassettes) == 8
    assert stripped(one.example) == stripped(many.example)
    assert one.example.cassettes != many.example.cassettes
    assert many.example.offline().run().outcomes == {"passed": 8}


# ── reports ──────────────────────────────────────────────────────────────────────────────────────


def test_results_are_told_in_order(having, counter):
    """Whichever run ends first, cases are reported in the order in which they stand."""
    counter.seconds = {name: 0.5 - at / 10 for at, name in enumerate(questions(5))}
    result = having(5).run("--dust-mode=live", "-v")
    assert re.findall(r"^a\.dust\.yaml::(\w+) PASSED", result.out, re.MULTILINE) == questions(5)


@pytest.mark.parametrize(("limit", "extra"), [(1, {}), (8, {}), (8, {"c02": "flavor: stream"})])
def test_a_case_takes_as_long_as_its_own_run(having, counter, limit, extra):
    """Durations are those of each case's run: neither the time it waited to begin nor that until its turn."""
    counter.seconds = {"c00": 0.6, "c01": 0.4, "c02": 0.5, "c03": 0.2}
    args = ("--dust-mode=live", f"--dust-concurrency={limit}", "--junitxml=junit.xml", "--durations=0", "-vv")
    result = having(4, **extra).run(*args)
    tree = ET.fromstring(result.example.files["junit.xml"])
    junit = {each.get("name"): float(each.get("time")) for each in tree.iter("testcase")}
    told = dict(re.findall(r"^([\d.]+)s call +a\.dust\.yaml::(\w+)$", result.out, re.MULTILINE))
    shown = {name: float(seconds) for seconds, name in ((one, two) for one, two in told.items())}
    for name, seconds in counter.seconds.items():
        assert seconds <= junit[name] < seconds + 1.0
        assert seconds - 0.01 <= shown[name] < seconds + 1.0


def test_a_repeated_case_takes_what_its_attempts_take(having, counter):
    """The duration of a repeated case is that of all its attempts."""
    counter.seconds = {"c00": 0.2}
    result = having(1, c00="repeat: {runs: 3}").run("--dust-mode=live", "--durations=0", "-vv")
    seconds = float(re.search(r"^([\d.]+)s call", result.out, re.MULTILINE)[1])
    assert 0.6 <= seconds < PROMPT


def test_a_case_whose_run_is_late_takes_its_time(having, server):
    """A run that was launched ahead and given up took as long as it may, whatever its case waited for it."""
    server.misbehave(Faults.stalled(), times=None)
    result = having(2, "timeout: 0.5\n").run("--dust-mode=live", "--junitxml=junit.xml")
    assert result.outcomes == {"failed": 2}
    tree = ET.fromstring(result.example.files["junit.xml"])
    assert all(0.4 < float(each.get("time")) < PROMPT for each in tree.iter("testcase"))


# ── none for nothing ─────────────────────────────────────────────────────────────────────────────

MARKED = {"c01": "marks: [skip]", "c02": "marks: [{skipif: ['True']}]"}
"""Marks for which a case is not run."""
NOT_RUN = """\
import pytest

def pytest_collection_modifyitems(items):
    for item in items:
        if item.name == "c03":
            item.add_marker(pytest.mark.xfail(run=False))
"""


def test_cases_that_marks_skip_ask_nothing(having, counter):
    """A case that marks keep from running asks nothing; only a condition in a text is still estimated."""
    extra = {**MARKED, "c04": "marks: [{skipif: ['False']}]", "c05": "marks: [xfail]"}
    result = having(6, **extra).having({"conftest.py": NOT_RUN}).run("--dust-mode=live")
    assert result.outcomes == {"passed": 2, "skipped": 2, "xfailed": 1, "xpassed": 1}
    assert sorted(counter.asked) == ["c00", "c04", "c05"]
    assert "dust: about to make 4 runs\n" in result.out


@pytest.mark.parametrize(
    "mark", ["{condition: true, reason: later}", "[false, true]", "{reason: always}"], ids=str
)
def test_conditions_that_hold_count_no_run(having, counter, mark):
    """A mark skipif is read as pytest reads it: by keyword, by all arguments, or without conditions."""
    example = having(2, c01=f"marks: [{{skipif: {mark}}}]")
    result = example.run("--dust-mode=live")
    assert counter.asked == ["c00"]
    assert result.outcomes["passed"] == 1
    assert "dust: about to make 1 run\n" in result.out


def test_with_runxfail_what_is_expected_to_fail_runs(having, counter):
    """--runxfail runs what xfail(run=False) would keep from it, as for any test."""
    example = having(4, **MARKED).having({"conftest.py": NOT_RUN})
    assert example.run("--dust-mode=live", "--runxfail").outcomes == {"passed": 2, "skipped": 2}
    assert sorted(counter.asked) == ["c00", "c03"]


def test_marks_count_for_nothing_without_their_plugin(having, counter):
    """Where pytest's own plugin of skips is off, all cases run."""
    extra = {"c01": MARKED["c01"]}
    assert having(2, **extra).run("--dust-mode=live", "-p", "no:skipping").outcomes == {"passed": 2}
    assert sorted(counter.asked) == ["c00", "c01"]


@pytest.mark.parametrize("args", [("-k", "c01 or c03"), ("-m", "slow")])
def test_deselected_cases_ask_nothing(having, counter, args):
    """What -k or -m leaves out is not launched."""
    example = having(5, c01="marks: [slow]", c03="marks: [slow]")
    example = example.having({"pytest.ini": "[pytest]\nmarkers = slow\n"})
    assert example.run("--dust-mode=live", *args).outcomes == {"passed": 2, "deselected": 3}
    assert sorted(counter.asked) == ["c01", "c03"]


@pytest.mark.parametrize(
    "args",
    [
        ("--collect-only",),
        ("--dust-check",),
        ("--setup-only",),
        ("--setup-plan",),
        ("--dust-check", "-n", "2"),
    ],
)
def test_where_nothing_is_run_nothing_is_asked(having, counter, args):
    """A session that runs no case asks the service nothing, in workers neither."""
    example = having(3).run("--dust-mode=record").example
    counter.asked.clear()
    result = example.run("--dust-mode=rerecord", *args, subprocess="-n" in args)
    assert result.ret == 0
    assert counter.asked == []
    assert counter.server.runs == 3
    assert result.example.cassettes == example.cassettes


def test_errors_of_collection_leave_nothing_launched(having, counter):
    """Where pytest stops before the first test for a file that cannot be imported, nothing was asked."""
    counter.server.delay = 0.1
    result = having(4).having({"test_broken.py": "import nothing_of_that_name\n"}).run("--dust-mode=live")
    assert "Interrupted: 1 error during collection" in result.out
    assert counter.asked == []


SKIPPING = """\
import pytest

def pytest_runtest_setup(item):
    if item.name not in ("c00", "c03"):
        pytest.skip("not today")
"""


def test_what_a_setup_skips_is_given_up(having, counter):
    """What a conftest.py skips at its turn is given up: no error, and its run keeps no place."""
    counter.seconds = {"c01": ENDLESS, "c02": ENDLESS}
    example = having(4).having({"conftest.py": SKIPPING})
    result, took = timed(example, "--dust-mode=record", "--dust-concurrency=1", subprocess=True)
    assert result.outcomes == {"passed": 2, "skipped": 2}
    assert result.ret == 0
    assert result.err == ""
    assert took < PROMPT
    assert set(result.example.cassettes) == {"cassettes/a/c00.json", "cassettes/a/c03.json"}


def test_in_record_only_what_needs_it_is_launched(having, counter):
    """Recording launches cases without a fitting cassette; a broken one is told of, and asks nothing."""
    recorded = having(6).run("--dust-mode=record").example
    counter.asked.clear()
    changed = recorded.having({"cassettes/a/c01.json": None, "cassettes/a/c02.json": "{"})
    changed = changed.replacing("a.dust.yaml", "{question: c04}", "{question: another}")
    result = changed.run("--dust-mode=record")
    assert sorted(counter.asked) == ["another", "c01"]
    assert result.outcomes == {"passed": 5, "failed": 1}
    assert "dust: 3 replayed, 2 recorded, 1 without a run" in result.out
    assert result.example.files["cassettes/a/c02.json"] == b"{"


RETRYING = """\
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    try:
        return (yield)
    except Exception:
        item.runtest()
"""


def test_a_case_that_is_run_again_asks_again(having, counter):
    """Where a plugin runs a failed case again, it is run at the service again, and judged by that."""
    first = Faults.status(500)

    def behaviour(request):
        known = "c01" in counter.asked
        reply = counter.behaviour(request)
        failing = request.method == "POST" and counter.asked[-1] == "c01" and not known
        return first.reply(request, counter.server.answer) if failing else reply

    counter.server.behaviour = behaviour
    result = having(3).having({"conftest.py": RETRYING}).run("--dust-mode=live", "--dust-concurrency=1")
    assert result.outcomes == {"passed": 3}
    assert sorted(counter.asked) == ["c00", "c01", "c01", "c02"]


# ── the end before the end ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stop", ["-x", "--maxfail=1"])
def test_after_the_last_allowed_failure_nothing_is_launched(having, counter, stop):
    """At -x no more runs are launched after the first failure, and the session waits for none under way."""
    counter.seconds = dict.fromkeys(questions(20)[1:], ENDLESS)
    example = having(20).replacing("a.dust.yaml", "{result.label: other}", "{result.label: wrong}")
    args = ("--dust-mode=record", "--dust-concurrency=2", stop)
    result, took = timed(example, *args, subprocess=True)
    assert result.outcomes == {"failed": 1}
    assert "stopping after 1 failures" in result.out
    assert result.err == ""
    assert len(counter.asked) <= 3
    assert took < PROMPT
    assert set(result.example.cassettes) <= {"cassettes/a/c00.json"}


def test_an_early_failure_saves_most_runs(having, counter):
    """With -x few more cases are asked for than were reported, however long the session takes to end."""
    counter.server.delay = 0.03
    text = "c03}\n    expect: {result.label: "
    example = having(20).replacing("a.dust.yaml", f"{text}other}}", f"{text}wrong}}")
    slow = "import time\n\ndef pytest_sessionfinish():\n    time.sleep(0.7)\n"
    example = example.having({"conftest.py": slow})
    result = example.run("--dust-mode=live", "--dust-concurrency=2", "-x")
    assert result.outcomes == {"passed": 3, "failed": 1}
    assert len(counter.asked) <= 8


@pytest.mark.parametrize("flavor", ["blocking", "stream", "poll"])
def test_an_interrupt_ends_it_at_once(having, counter, flavor):
    """Ctrl-C with many runs under way ends the process at once, quietly, and records none of them."""
    counter.server.delay = ENDLESS
    example = having(12, f"flavor: {flavor}\n")
    process = started(example, "--dust-mode=record")
    until = time.monotonic() + 20
    while len(counter.asked) < 8:
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.3)  # all are on their way
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert time.monotonic() - began < PROMPT
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    assert re.search(r"!+ KeyboardInterrupt !+", out)
    assert "no tests ran" in out
    assert "Traceback" not in out
    assert "Exception" not in out
    assert len(counter.asked) == 8
    assert example.left().cassettes == {}


def test_a_run_that_is_given_up_before_it_begins_asks_nothing(server, monkeypatch):
    """A run whose thread has begun when it is bid to stop does not ask the service any more."""
    monkeypatch.setenv("NO_PROXY", "*")
    network = Network(server.base_url, server.environment)
    app = App(server.workspace, server.space, SUPPORT)
    request = RunRequest(app, server.hash(SUPPORT), {}, ({"question": "c00"},), None)
    work = network.task(LiveRun(request, Flavor.BLOCKING, 10, Mask()), lambda _seconds: None)
    work.stop()
    with pytest.raises(ServiceError):
        work.call(lambda _event: None)
    network.close()
    assert server.requests == []


# ── the service says no ──────────────────────────────────────────────────────────────────────────


def test_a_rate_limit_slows_all(having, counter):
    """While one run waits as a rate limit bids it, no other begins; in the end all have gone well."""
    counter.server.delay = 0.03
    counter.refused = {"c00": "1"}
    result = having(6).run("--dust-mode=record", "--dust-concurrency=2")
    assert result.outcomes == {"passed": 6}
    assert sorted(counter.asked) == ["c00", *questions(6)]
    refused = counter.at[counter.asked.index("c00")]
    meanwhile = {name for name, at in zip(counter.asked, counter.at, strict=True) if at < refused + 0.95}
    assert meanwhile <= {"c00", "c01"}
    assert counter.asked.count("c00") == 2
    assert len(result.example.cassettes) == 6


def test_without_a_key_each_case_is_told_so(having, counter):
    """Without a key nothing is launched, and each case fails at its turn for that reason."""
    example = having(4).exporting(DUST_API_KEY="")
    result, took = timed(example, "--dust-mode=live")
    assert result.outcomes == {"failed": 4}
    assert result.out.count("no API key") >= 4
    assert counter.asked == []
    assert took < PROMPT


def test_without_a_workspace_each_case_is_told_so(having, counter):
    """Where a suite's workspace is not known its cases fail at their turn; those of others are run."""
    example = having(2).exporting(DUST_WORKSPACE_ID="")
    text = suite(counter.server, SUPPORT, cases(questions(2, "d")))
    named = text.replace(f"{SUPPORT}}}", f"{SUPPORT}, workspace: {counter.server.workspace}}}")
    result = example.having({"b.dust.yaml": named}).run("--dust-mode=live")
    assert result.outcomes == {"failed": 2, "passed": 2}
    assert result.report.count("export DUST_WORKSPACE_ID=…") >= 2
    assert sorted(counter.asked) == ["d00", "d01"]


def test_where_the_service_is_down_each_case_is_told_so(having):
    """Where nobody listens, each case fails for that reason, all in the time that one would take."""
    example = having(8).exporting(DUST_BASE_URL="http://127.0.0.1:9")
    result, took = timed(example, "--dust-mode=record")
    assert result.outcomes == {"failed": 8}
    assert len(re.findall(r"^FAILED a\.dust\.yaml::c\d\d - .*127\.0\.0\.1:9", result.out, re.MULTILINE)) == 8
    assert result.example.cassettes == {}
    assert took < PROMPT


# ── beside Python tests ──────────────────────────────────────────────────────────────────────────

PYTHON = """\
def test_it(dust):
    for question in ("p0", "p1"):
        asked = {"question": question}
        run = dust.run(app="9f1d3b5a7c", specification_hash=HASH, config=CONFIG, input=asked)
        assert run.result.label == "other"
"""


@pytest.mark.parametrize("limit", [1, 3])
def test_runs_of_python_tests_go_ahead_of_those_that_wait(having, counter, limit):
    """A run that a test waits for begins before all that wait for a turn, and counts towards the limit."""
    counter.server.delay = 0.05
    example = having(9)
    files = {
        "test_a.py": filled(PYTHON, counter.server),
        "z.dust.yaml": example.files["a.dust.yaml"],
        "a.dust.yaml": None,
    }
    result = example.having(files).run("--dust-mode=live", f"--dust-concurrency={limit}")
    assert result.outcomes == {"passed": 10}
    assert sorted(counter.asked) == [*questions(9), "p0", "p1"]
    assert counter.asked.index("p0") <= limit
    assert counter.asked.index("p1") < 10
    assert counter.most == limit


# ── with pytest-xdist ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("workers", "dist", "most"), [(3, "worksteal", 4)])
def test_workers_share_the_limit(project, counter, workers, dist, most):
    """Of several workers each has its share of the limit; each case is asked once, and recorded whole."""
    server = counter.server
    server.delay = 0.03
    files = {f"{of}.dust.yaml": suite(server, SUPPORT, cases(questions(5, of))) for of in "abcd"}
    example = project.having(files).using(server)
    alone = example.run("--dust-mode=record")
    assert alone.outcomes == {"passed": 20}
    counter.asked.clear()
    counter.most = 0
    args = ("-n", str(workers), f"--dist={dist}", "--dust-concurrency=4")
    result = example.run("--dust-mode=record", *args, subprocess=True)
    assert result.outcomes == {"passed": 20}
    assert "dust: 20 recorded" in result.out
    assert sorted(counter.asked) == [each for of in "abcd" for each in questions(5, of)]
    assert 2 <= counter.most <= most
    assert stripped(result.example) == stripped(alone.example)


def test_a_failure_ends_workers_too(having, counter):
    """With -x no worker launches more than the case at which it ends and the next."""
    counter.server.delay = 0.05
    example = having(20).replacing("a.dust.yaml", "{result.label: other}", "{result.label: wrong}")
    args = ("--dust-mode=live", "-n", "2", "-x", "--dust-concurrency=4")
    result = example.run(*args, subprocess=True)
    assert 1 <= result.outcomes["failed"] <= 2
    assert len(counter.asked) <= 4


# ── other tests beside ───────────────────────────────────────────────────────────────────────────

PATCHING = """\
import time
import httpx, respx

@respx.mock
def test_of_ones_own():
    respx.route().respond(200, json={})
    time.sleep(0.5)
    assert len(respx.calls) == 0
"""


def test_no_run_is_under_way_beside_a_test_of_another_kind(support, server):
    """A test that patches httpx between two suites sees none of our requests, and breaks none of them."""
    name = "answer.dust.yaml"
    example = support.having(
        {"a.dust.yaml": support.files[name], "m_test.py": PATCHING, "z.dust.yaml": support.files[name]}
    )
    result = example.run(
        "--dust-mode=live", "--dust-concurrency=2", "a.dust.yaml", "m_test.py", "z.dust.yaml"
    )
    assert result.outcomes == {"passed": 5, "failed": 2}
    assert server.runs == 6


def test_runs_that_no_case_waited_for_are_told(support, server):
    """Where a session ends early, the runs made ahead are bounded, and told for they may cost."""
    cases = "cases:\n" + "".join(f"  - {{id: c{at}, input: {{question: x}}}}\n" for at in range(30))
    failing = "cases:\n  - {id: first, input: {question: x}, expect: {result.label: no}}\n"
    example = support.having({"answer.dust.yaml": suite(server, SUPPORT, failing + cases.split("\n", 1)[1])})
    result = example.run("--dust-mode=live", "-x", "--dust-concurrency=2")
    assert result.outcomes == {"failed": 1}
    assert server.runs <= 5
    told = re.search(
        r"^dust: (\d+) runs? made(?: \(\d+ tokens\))? and (\d+) under way that no case waited for$",
        result.out,
        re.MULTILINE,
    )
    assert told, result.out
    made, under_way = int(told[1]), int(told[2])
    assert made <= server.runs - 1 <= made + under_way <= 4  # one under way may not have got to the service
    kept = [name for name in result.example.files if name.startswith(".dust/pending/answer.dust.yaml/c")]
    assert len(kept) == made


IDLE = "that no case waited for"


def test_no_runs_are_made_for_cases_that_a_hook_skips(having, server):
    """What a conftest skips in a hook makes no run, as none starts before its case's turn."""
    example = having(4).having({"conftest.py": SKIPPING})
    result = example.run("--dust-mode=live", "--dust-concurrency=4")
    assert result.outcomes == {"passed": 2, "skipped": 2}
    assert server.runs == 2
    assert IDLE not in result.out


@pytest.mark.parametrize("fault", ["stalled", "trickle"])
def test_a_run_that_its_case_gave_up_is_not_told_again(one, server, fault):
    """A case whose run took too long has told of it: nobody is told that no case waited for it."""
    faults = {"stalled": Faults.stalled(), "trickle": Faults.trickle(0.3)}
    server.misbehave(faults[fault], times=None)
    result = one.replacing("a.dust.yaml", "timeout: 5", "timeout: 0.5").run("--dust-mode=live")
    assert result.outcomes == {"failed": 1}
    assert "took longer than 0.5 s" in result.out
    assert IDLE not in result.out


def test_waits_that_went_on_side_by_side_are_not_added_up(having, counter):
    """Cases that all wait for the rate limit at once are counted, with the longest wait of one."""
    counter.refused = dict.fromkeys(questions(6), "1")
    result = having(6).run("--dust-mode=live", "--dust-concurrency=6")
    assert result.outcomes == {"passed": 6}
    told = r"^dust: (\d) cases waited for the service's rate limit \(429\), the longest (\d) s$"
    assert re.findall(told, result.out, re.MULTILINE) == [("6", "1")]


RERUNNING = """\
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if report.failed and not hasattr(item, "failed_once"):
        item.failed_once, report.outcome = True, "rerun"
    return report

@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    done = yield
    if vars(item).pop("failed_once", False):
        item.failed_once = False
        item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)
    return done

def pytest_report_teststatus(report):
    return ("rerun", "R", "RERUN") if report.outcome == "rerun" else None
"""


def test_all_that_a_case_used_is_counted_when_it_is_run_again(support, server):
    """The tokens of attempts whose case failed for another's sake count each time the case is run."""
    cases = "cases:\n  - {id: a, input: {question: x}, repeat: {runs: 3}}\n"
    example = support.having({"answer.dust.yaml": suite(server, SUPPORT, cases), "conftest.py": RERUNNING})

    def every_other_fails(request):
        refused = request.method == "POST" and server.runs % 2 == 0
        return Faults.status(500).reply(request, server.answer) if refused else None

    server.behaviour = every_other_fails
    result = example.run("--dust-mode=live", "--dust-concurrency=1")
    assert result.outcomes == {"failed": 1, "rerun": 1}
    assert server.runs == 4
    one = example.replacing("answer.dust.yaml", ", repeat: {runs: 3}", "").having({"conftest.py": None})
    server.behaviour = None
    used = [
        re.search(r"([\d,]+) tokens used$", each.out, re.MULTILINE)[1]
        for each in (result, one.run("--dust-mode=live"))
    ]
    assert int(used[0]) == 2 * int(used[1]) > 0


def test_a_case_that_is_run_again_counts_once(support, server):
    """Where a plugin runs a failed case again, the summary tells of its last run, and of all the tokens."""
    cases = "cases:\n  - {id: a, input: {question: Where is my refund?}, expect: {result.label: shipping}}\n"
    example = support.having({"answer.dust.yaml": suite(server, SUPPORT, cases)})
    recorded = example.run("--dust-mode=record").example.having({"conftest.py": RERUNNING})
    before = server.runs

    def drifts(request):
        if request.method == "POST" and server.runs - before == 2:
            server.drift()

    server.behaviour = drifts
    result = recorded.run("--dust-mode=live")
    assert result.outcomes == {"passed": 1, "rerun": 1}
    assert re.search(r"^dust: 1 live, \d\d tokens used$", result.out, re.MULTILINE)
    assert "dust: 1 case that passed changed since the recording:" in result.out
