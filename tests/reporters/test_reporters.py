"""What other reporters show of our failures: the right verdict, file and line, and what went wrong.

Each runs in an environment of its own, in real sessions against the local Dust whose app was edited, and in
replay. The environments need the network once; they are kept in the folder that REPORTERS names.
"""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from other_environments import needs_environments, python_of

from conftest import OTHERS_PLUGINS, QUOTE, SUPPORT, Example, filled, suite

ANSWER = """\
cases:
  - id: good
    input: {question: Track my parcel}
  - id: wrong
    input: {question: Where is my refund?}
    expect:
      status: succeeded
      result.label: other
  - id: changed
    input: {question: Where is my refund?}
  - id: known
    marks: [{xfail: the model confuses greetings}]
    input: {question: Hello}
    expect: {result.label: billing}
  - id: table
    dataset: rows.csv
    input: {question: '${row.question}'}
    expect:
      result.label: ${row.label}
"""
ROWS = 'question,label\n"Track\nmy parcel",shipping\nHello,billing\n'
BROKEN = "app: {id: x}\ncases:\n  - idd: x\n"
TEST = """\
def test_changed(dust):
    question = "Where is my refund?"
    dust.run(app="9f1d3b5a7c", specification_hash=HASH, config=CONFIG, input={"question": question})
"""


@dataclass(frozen=True)
class Told:
    """What a reporter says of one test; None for what it does not say."""

    verdict: str
    file: str | None = None
    line: int | None = None
    headline: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class Failure:
    """What there is to say of one test."""

    file: str
    line: int
    headline: str
    """How the headline begins."""
    text: tuple[str, ...]
    """Parts of the report."""
    verdict: str = "failed"

    def check(self, told: Told, trouble: str) -> None:
        """Hold what a reporter says against it; `trouble` is its word for a case without a verdict."""
        assert told.verdict == (trouble if "no verdict" in self.headline else self.verdict)
        assert told.file in (None, self.file)
        assert told.line in (None, self.line)
        assert told.headline is None or told.headline.startswith(self.headline)
        parts = f"{self.file}:{self.line}", *self.text
        assert told.text is None or all(part in told.text for part in parts)


ANSWER_FILE = "support/answer.dust.yaml"
ERRORED, ASKED = "support/errored.dust.yaml", "support/asked.dust.yaml"
BEGINS = "it begins in CLASSIFY (llm)"
SAME = {
    "table[r2]": Failure(
        ANSWER_FILE, 21, 'support/rows.csv:4: result.label: expected "billing"', ("(support/rows.csv:4)",)
    ),
    "errored": Failure(ERRORED, 1, "errored in PARSE (code): invalid order", ("the run errored in PARSE",)),
    "known": Failure(ANSWER_FILE, 16, 'result.label: expected "billing"', ('"other"',), verdict="xfailed"),
}
FAILURES = {
    "live": {
        **SAME,
        "wrong": Failure(
            ANSWER_FILE, 10, f'{BEGINS}: result.label: expected "other"', ('"shipping"', BEGINS)
        ),
        "changed": Failure(ANSWER_FILE, 11, f"{BEGINS}: result.answer ", (BEGINS, "block 2 of 4")),
        "asked": Failure(ASKED, 1, "no verdict: the service answered 404", ("no verdict", "app_not_found")),
        "test_changed": Failure("test_it.py", 1, f"{BEGINS}: result.answer ", (BEGINS, "block 2 of 4")),
    },
    "replay": {
        **SAME,
        "wrong": Failure(ANSWER_FILE, 10, 'result.label: expected "other"', ('actual    "billing"',)),
        "asked": Failure(ASKED, 1, "no verdict: no cassette ", ("no verdict", "no cassette")),
    },
}
"""By mode, the tests that fail, or are known to."""
PASSED = {"live": {"good", "table[r1]"}, "replay": {"good", "table[r1]", "changed", "test_changed"}}


# ── sessions ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Session:
    """A session that is over: its folder, what it printed, and what it wrote."""

    root: Path
    out: str
    err: str

    def file(self, name: str) -> str:
        """A file that the session wrote."""
        return (self.root / name).read_text(encoding="utf-8")

    def relative(self, path: str) -> str:
        """A path as the user types it."""
        return os.path.relpath(self.root / path, self.root)


@pytest.fixture
def session(project, server) -> Callable[..., Session]:
    """A function that runs pytest with a reporter over all kinds of failures."""
    recorded = {
        "support/answer.dust.yaml": suite(server, SUPPORT, ANSWER),
        "support/rows.csv": ROWS,
        "support/errored.dust.yaml": suite(server, QUOTE, "input: {order: a few apples}\n"),
        "test_it.py": filled(TEST, server),
    }
    after: Example = project.having(recorded).using(server).recorded()
    server.drift()
    asked = suite(server, SUPPORT, "input: {question: Hi}\n").replace(SUPPORT, "0000000000", 1)
    after = after.having({"support/broken.dust.yaml": BROKEN, "support/asked.dust.yaml": asked})

    def run(reporter: Reporter, mode: str, *args: str, folder: str = ".") -> Session:
        after.write()
        options = ["--dust-mode=live", "--dust-on-change=fail"] if mode == "live" else []
        environ = {**os.environ, "PYTEST_ADDOPTS": OTHERS_PLUGINS, "COLUMNS": "400", **reporter.environ}
        environ |= {"GITHUB_WORKSPACE": str(after.root), **(after.environ if mode == "live" else {})}
        command = [python_of(reporter.package), "-m", "pytest", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*command, *options, *reporter.args, *args],
            check=False,
            cwd=after.root / folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 1, done.stdout + done.stderr
        assert "INTERNALERROR" not in done.stdout + done.stderr
        return Session(after.root, done.stdout, done.stderr)

    return run


# ── reporters ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Reporter:
    """A reporter: its package, its options, and how to read what it wrote."""

    package: str
    args: tuple[str, ...]
    read: Callable[[Session], dict[str, Told]]
    trouble: str = "failed"
    """Its word for a case without a verdict."""
    broken: bool = True
    """Whether it says anything of a file that cannot be collected."""
    passed: bool = True
    """Whether it names the tests that passed."""
    xfailed: bool = True
    """Whether it names the tests that failed as expected."""
    environ: dict[str, str] = field(default_factory=dict)


def name_of(nodeid: str) -> str:
    """A test's short name in the tables above; `broken` for the broken suite."""
    return "broken" if "broken.dust" in nodeid else nodeid.rpartition("::")[2].strip()


def read_allure(session: Session) -> dict[str, Told]:
    """The results of allure."""
    found = {}
    for path in (session.root / "results").glob("*-result.json"):
        result = json.loads(path.read_text(encoding="utf-8"))
        details = result.get("statusDetails") or {}
        words = details.get("message", "").rpartition("\n\n")[2]
        verdict = "xfailed" if details.get("message", "").startswith("XFAIL") else result["status"]
        headline = re.sub(r"^(CaseFailed|RunsChanged|NoRun): ", "", words)
        found[result["name"]] = Told(verdict, headline=headline, text=details.get("trace"))
    return found


def read_html(session: Session) -> dict[str, Told]:
    """The rows of pytest-html's page."""
    blob = re.search(r'data-jsonblob="([^"]*)"', session.file("out.html"))
    assert blob
    tests = json.loads(html.unescape(blob[1]))["tests"]
    return {
        name_of(name): Told(rows[-1]["result"].lower(), text=html.unescape(rows[-1]["log"]))
        for name, rows in tests.items()
    }


def read_json(session: Session) -> dict[str, Told]:
    """The tests of pytest-json-report, with the crash and the traceback that it keeps of each."""
    document = json.loads(session.file("out.json"))
    found = {}
    for test in document["tests"]:
        call, told = test["call"], Told(test["outcome"])
        if "crash" in call:
            crash, (place,) = call["crash"], call["traceback"]
            assert Path(crash["path"]).is_absolute()
            assert place == {**crash, "path": session.relative(crash["path"])}
            told = Told(test["outcome"], place["path"], crash["lineno"], crash["message"], call["longrepr"])
        found[name_of(test["nodeid"])] = told
    failed = [one for one in document["collectors"] if one["outcome"] == "failed"]
    return found | {name_of(one["nodeid"]): Told("error", text=one["longrepr"]) for one in failed}


def read_log(session: Session) -> dict[str, Told]:
    """The entries of pytest-reportlog, whose failures have pytest's own form."""
    found = {}
    for line in session.file("out.jsonl").splitlines():
        entry = json.loads(line)
        if entry["$report_type"] == "CollectReport":
            if entry["outcome"] == "failed":
                found["broken"] = _logged(entry, "error")
        elif entry.get("when") == "call":
            known = "wasxfail" in entry and entry["outcome"] == "skipped"
            found[name_of(entry["nodeid"])] = _logged(entry, "xfailed" if known else entry["outcome"])
    return found


def _logged(entry: dict, verdict: str) -> Told:
    if entry["longrepr"] is None:
        return Told(verdict)
    ((traceback, crash, _),) = entry["longrepr"]["chain"]
    (part,) = traceback["reprentries"]
    where = part["data"]["reprfileloc"]
    assert where["lineno"] == crash["lineno"]
    return Told(verdict, where["path"], crash["lineno"], crash["message"], "\n".join(part["data"]["lines"]))


def read_pretty(session: Session) -> dict[str, Told]:
    """The rows of pytest-pretty's table of failures."""
    rows = [list(map(str.strip, line.split("│")[1:-1])) for line in session.out.splitlines() if "│" in line]
    found = {}
    for file, name, line, error_line, error in rows:
        assert line == error_line
        found[name_of(name)] = Told("failed", file, int(line), error)
    return found


def read_annotations(session: Session) -> dict[str, Told]:
    """GitHub's workflow commands: those of the plugin, which go to the error stream, and ours."""
    found: dict[str, Told] = {}
    pattern = r"^::error file=(.+?),line=(\d+)(?:,title=(.+?))?::(.+)$"
    for file, line, title, message in re.findall(pattern, session.err + session.out, re.MULTILINE):
        named, _, rest = message.partition("%0A%0A")
        name, words = name_of(title.replace("%3A", ":") or named), message if title else rest
        assert name not in found
        if name == "broken":
            found[name] = Told("error", text=words)
        else:
            found[name] = Told("failed", file, int(line), words)
    return found


def read_sugar(session: Session) -> dict[str, Told]:
    """The reports on the terminal, and pytest-sugar's list of failures with their crash lines."""
    out = re.sub(r"\x1b\[[\d;]*m", "", session.out)
    found = {}
    for title, text in _reports(out):
        crash = re.search(rf"^FAILED .*{re.escape(title)} - (.+)$", out, re.MULTILINE)
        assert crash
        found[name_of(title)] = Told("failed", headline=crash[1], text=text)
    return found


def read_instafail(session: Session) -> dict[str, Told]:
    """The reports that pytest-instafail writes as soon as a test fails: before the last test has begun."""
    during = session.out.partition("\ndust: ")[2]
    return {name_of(title): Told("failed", text=text) for title, text in _reports(during)}


def _reports(out: str) -> list[tuple[str, str]]:
    """The titles and texts of the reports on a terminal, between their rulers."""
    pattern = r"^[_―]{3,} (\S+) +[_―]{3,}\n(.+?)(?=^[_―=]{3,}|^dust: |^ \S+ [✓⨯]|\Z)"
    return re.findall(pattern, out, re.MULTILINE | re.DOTALL)


def read_junit(session: Session) -> dict[str, Told]:
    """The test cases of pytest's own JUnit file."""
    found = {}
    for case in ET.fromstring(session.file("out.xml")).iter("testcase"):
        name, line = name_of(case.get("name") or ""), case.get("line")
        failed, error, skipped = (case.find(kind) for kind in ("failure", "error", "skipped"))
        where = (case.get("file"), int(line) + 1) if line else (None, None)
        told = Told("passed", *where)
        if failed is not None:
            told = Told("failed", *where, failed.get("message"), failed.text)
        elif error is not None:
            told = Told("error", text=error.text)
        elif skipped is not None:
            told = Told("xfailed", *where)
        found[name if "broken" not in name else "broken"] = told
    return found


def read_teamcity(session: Session) -> dict[str, Told]:
    """The service messages that PyCharm and TeamCity read."""
    found = {}
    for line in re.findall(r"##teamcity\[testFailed (.*)\]$", session.out, re.MULTILINE):
        parts = {key: _plain(value) for key, value in re.findall(r"(\w+)='((?:[^'|]|\|.)*)'", line)}
        where = re.match(r"(.+?):(\d+) \((.+)\)$", parts["message"])
        if where is None:  # a file that cannot be collected
            found["broken"] = Told("error", text=parts["details"])
        else:
            place = where[1], int(where[2]) + 1
            found[name_of(where[3])] = Told("failed", *place, text=parts["details"])
    return found


def _plain(value: str) -> str:
    return re.sub(r"\|(.)", lambda found: {"n": "\n", "r": "\r"}.get(found[1], found[1]), value)


REPORTERS = [
    Reporter("allure-pytest", ("--alluredir=results",), read_allure, trouble="broken", broken=False),
    Reporter("pytest-html", ("--html=out.html", "--self-contained-html"), read_html),
    Reporter("pytest-json-report", ("--json-report", "--json-report-file=out.json"), read_json),
    Reporter("pytest-reportlog", ("--report-log=out.jsonl",), read_log),
    Reporter("pytest-pretty", (), read_pretty, broken=False, passed=False, xfailed=False),
    Reporter(
        "pytest-github-actions-annotate-failures",
        (),
        read_annotations,
        passed=False,
        xfailed=False,
        environ={"GITHUB_ACTIONS": "true"},
    ),
    Reporter("pytest-sugar", ("--force-sugar",), read_sugar, broken=False, passed=False, xfailed=False),
    Reporter("pytest-instafail", ("--instafail",), read_instafail, broken=False, passed=False, xfailed=False),
    Reporter("teamcity-messages", ("--teamcity",), read_teamcity, passed=False, xfailed=False),
]
JUNIT = [
    Reporter("", ("--junitxml=out.xml", "-o", f"junit_family={family}"), read_junit)
    for family in ("xunit1", "xunit2")
]
ANNOTATIONS = replace(REPORTERS[5], package="")
"""pytest-dust's own annotations, where no other plugin makes them."""
OF_WORKERS = {
    "allure-pytest",
    "pytest-json-report",
    "pytest-pretty",
    "pytest-github-actions-annotate-failures",
}


def check(reporter: Reporter, mode: str, told: dict[str, Told]) -> None:
    """Hold all that a reporter says against what there is to say."""
    for name, failure in FAILURES[mode].items():
        if failure.verdict == "failed" or reporter.xfailed:
            failure.check(told.pop(name), reporter.trouble)
    if reporter.broken:
        broken = told.pop("broken")
        assert broken.verdict == "error"
        assert "support/broken.dust.yaml:1:1: no specification_hash" in (broken.text or "")
    assert set(told) == (PASSED[mode] if reporter.passed else set())
    assert {each.verdict for each in told.values()} <= {"passed"}


@needs_environments
@pytest.mark.parametrize("mode", FAILURES)
@pytest.mark.parametrize("reporter", REPORTERS, ids=lambda each: each.package)
def test_a_reporter_tells_each_failure(session, reporter, mode):
    """It shows each failure with its verdict, file, line and message, as far as it shows these at all."""
    check(reporter, mode, reporter.read(session(reporter, mode)))


@needs_environments
@pytest.mark.parametrize(
    "reporter", [each for each in REPORTERS if each.package in OF_WORKERS], ids=lambda each: each.package
)
def test_a_reporter_tells_the_same_of_workers(session, reporter):
    """With pytest-xdist it shows the same."""
    check(reporter, "live", reporter.read(session(reporter, "live", "-n", "2")))


@pytest.mark.parametrize("reporter", JUNIT, ids=["xunit1", "xunit2"])
def test_a_junit_file_tells_each_failure(session, reporter):
    """The JUnit file has each failure with its message, and file and line in the family that has them."""
    check(reporter, "live", reporter.read(session(reporter, "live")))


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_our_own_annotations_tell_each_failure(session, workers):
    """Without a plugin for annotations, pytest-dust writes them: each failure, and the broken suite, once."""
    check(ANNOTATIONS, "live", read_annotations(session(ANNOTATIONS, "live", *workers)))


@pytest.mark.parametrize("reporter", [ANNOTATIONS, pytest.param(REPORTERS[5], marks=needs_environments)])
def test_annotations_name_files_from_the_root_of_the_repository(session, reporter):
    """In whatever folder pytest is called, a file is named from the root of the repository."""
    done = session(reporter, "replay", folder="support")
    files = set(re.findall(r"^::error file=(.+?),line=", done.err + done.out, re.MULTILINE))
    assert files == {ANSWER_FILE, ERRORED, ASKED, "support/broken.dust.yaml"}


@needs_environments
def test_a_case_that_is_run_again_counts_once(session):
    """With pytest-rerunfailures the file has each property once, and the summary each case once."""
    reporter = Reporter("pytest-rerunfailures", ("--reruns=1", "--junitxml=out.xml"), read_junit)
    done = session(reporter, "live")
    check(reporter, "live", reporter.read(done))
    assert re.search(r"^dust: 8 live, 1 without a run, ", done.out, re.MULTILINE)
    for case in ET.fromstring(done.file("out.xml")).iter("testcase"):
        names = [one.get("name") for one in case.iter("property")]
        assert len(names) == len(set(names))


@needs_environments
def test_a_table_of_counts_has_each_file(session):
    """pytest-md-report counts the failures of each suite."""
    reporter = Reporter("pytest-md-report", ("--md-report", "--md-report-color=never"), read_junit)
    rows = re.findall(r"^\| *(support/\S+|test_it.py) *\|.*$", session(reporter, "live").out, re.MULTILINE)
    assert set(rows) >= {ANSWER_FILE, ERRORED, ASKED, "test_it.py"}
