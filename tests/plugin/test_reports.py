"""Reports are written whole when a session ends, however it ends, and say what they leave out."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from conftest import KEY, SUPPORT, config_of, suite
from pytest_dust.report.record_json import schema

CASES = """
cases:
  - id: refund
    description: A refund question goes to billing
    input: {question: Where is my refund?}
    expect: {result.label: billing}
  - id: parcel
    input: {question: Track my parcel}
  - id: known
    input: {question: Hello}
    marks: [{xfail: a greeting is no question}]
    expect: {result.label: billing}
  - id: later
    input: {question: Hello}
    marks: [{skip: not today}]
"""
ALL = ("--dust-report=out/r.json", "--dust-report=r.html", "--dust-report=r.md")


@pytest.fixture
def example(project, server):
    """A recorded project of four cases, online; the app has changed since."""
    made = project.having({"a.dust.yaml": suite(server, SUPPORT, CASES)}).using(server).recorded()
    server.drift()
    return made


def record(result) -> dict[str, Any]:
    """The JSON report of a session."""
    document: dict[str, Any] = json.loads(result.example.files["out/r.json"])
    return document


def outcomes(document: dict[str, Any]) -> dict[str, str]:
    """How the record counts each case."""
    return {case["id"].partition("::")[2]: case["outcome"] for case in document["cases"]}


def test_each_file_is_written_and_told(example):
    """Every report that is asked for is there after the session, and the summary names it."""
    result = example.run("--dust-mode=live", *ALL)
    assert {"out/r.json", "r.html", "r.md"} <= result.example.files.keys()
    for name in ("out/r.json", "r.html", "r.md"):
        assert f"dust: wrote the report {name}" in result.out
    assert [name for name in result.example.files if name.endswith(".tmp")] == []


def test_the_record_tells_every_case(example):
    """The JSON report has each case once, with outcome, place, what was asked, blocks and what failed."""
    document = record(example.run("--dust-mode=live", *ALL))
    jsonschema.Draft202012Validator(schema()).validate(document)
    assert outcomes(document) == {
        "refund": "failed",
        "parcel": "passed",
        "known": "xfailed",
        "later": "skipped",
    }
    refund, _, known, later = document["cases"]
    assert (refund["file"], refund["app"], refund["source"]) == ("a.dust.yaml", SUPPORT, "live")
    assert refund["description"] == "A refund question goes to billing"
    assert refund["inputs"] == {"question": "Where is my refund?"}
    (attempt,) = refund["attempts"]
    assert [block["name"] for block in attempt["blocks"]] == ["INPUT", "CLASSIFY", "LOOKUP", "ANSWER"]
    assert attempt["blocks"][1]["usage"]["total_tokens"] > 0
    assert attempt["blocks"][1]["output"]["completion"]["text"] == "shipping"
    assert attempt["result"]["label"] == "shipping"
    assert attempt["failures"][0]["path"] == "result.label"
    assert attempt["comparison"]["blocks"][0]["name"] == "CLASSIFY"
    assert (known["reason"], later["reason"]) == ("a greeting is no question", "not today")
    assert document["exit_status"] == 1
    assert document["partial"] == []


def test_a_session_without_a_report_keeps_no_blocks(example):
    """Blocks, inputs and results are in the record only if a report is asked for: they take time."""
    conftest = """
import json
def pytest_unconfigure(config):
    from pytest_dust.report.record_json import to_json
    with open("seen.json", "w") as file:
        json.dump(to_json(config.pluginmanager.get_plugin("dust-records").session()), file)
"""
    result = example.having({"conftest.py": conftest}).run("--dust-mode=live")
    case = json.loads(result.example.files["seen.json"])["cases"][0]
    assert (case["inputs"], case["attempts"][0]["blocks"]) == (None, [])


def test_workers_write_the_same_record(example):
    """Under pytest-xdist, the controller writes one report, of all cases."""
    alone = record(example.run("--dust-mode=live", *ALL))
    result = example.run("--dust-mode=live", "-n", "1", *ALL, subprocess=True)
    assert result.out.count("wrote the report r.html") == 1
    assert outcomes(record(result)) == outcomes(alone)
    blocks = [case["attempts"][0]["blocks"] for case in record(result)["cases"] if case["attempts"]]
    assert blocks == [case["attempts"][0]["blocks"] for case in alone["cases"] if case["attempts"]]


def test_a_python_test_is_in_the_record(project, server):
    """The runs of a Python test are cases of the record, with their blocks."""
    call = f"dust.run(app='{SUPPORT}', input={{'question': 'Hi'}}, config={config_of(SUPPORT)!r})"
    text = f"def test_it(dust):\n    {call}\n"
    example = project.having({"test_it.py": text}).using(server)
    (case,) = record(example.run("--dust-mode=record", *ALL))["cases"]
    assert (case["is_test"], case["outcome"], case["inputs"]) == (True, "passed", {"question": "Hi"})
    assert len(case["attempts"][0]["blocks"]) == 4


# ── sessions that end early ──────────────────────────────────────────────────────────────────────

CTRL_C = """
import os, signal, time
def pytest_runtest_call(item):
    if item.name == "parcel":
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
"""
CRASH = """
import os
def pytest_runtest_call(item):
    if item.name == "parcel":
        os._exit(3)
"""
SETUP = """
def pytest_runtest_setup(item):
    if item.name == "parcel":
        raise RuntimeError("no luck")
"""
AGAIN = """
import pytest
from _pytest.runner import runtestprotocol
def pytest_runtest_protocol(item, nextitem):
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    first = runtestprotocol(item, nextitem=nextitem, log=False)
    if any(report.failed for report in first):
        for report in first:
            if report.when == "call":
                report.outcome = "rerun"
                item.ihook.pytest_runtest_logreport(report=report)
        first = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in first:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report):
    return ("rerun", "R", "RERUN") if report.outcome == "rerun" else None
"""


def test_ctrl_c(example):
    """After Ctrl-C the report has what ran, and says that the session was interrupted."""
    result = example.having({"conftest.py": CTRL_C}).run(*ALL, subprocess=True)
    document = record(result)
    assert outcomes(document) == {"refund": "passed"}
    assert document["partial"] == ["the session ended early: interrupted (Ctrl-C)"]
    assert "1 of 4 selected cases ran" in result.example.files["r.md"].decode()


def test_exit_first(example):
    """With -x, the report says that not all cases ran, and why."""
    result = example.run("--dust-mode=live", "-x", *ALL)
    assert outcomes(record(result)) == {"refund": "failed"}
    assert record(result)["partial"] == ["the session ended early: stopping after 1 failures"]
    assert "1 of 4 selected cases ran" in result.example.files["r.html"].decode()


def test_a_crashed_worker(example):
    """A case whose pytest-xdist worker crashed is counted once, and has no verdict."""
    result = example.having({"conftest.py": CRASH}).run("-n", "1", *ALL, subprocess=True)
    document = record(result)
    assert sorted(outcomes(document)) == ["known", "later", "parcel", "refund"]
    parcel = next(case for case in document["cases"] if case["id"].endswith("parcel"))
    assert (parcel["verdict"], parcel["outcome"]) == ("trouble", "failed")
    assert "crashed" in parcel["message"]


def test_an_error_before_the_case(example):
    """A case that was not run because of an error before it has no verdict, and says why."""
    document = record(example.having({"conftest.py": SETUP}).run(*ALL))
    parcel = document["cases"][1]
    assert (parcel["verdict"], parcel["outcome"]) == ("trouble", "failed")
    assert "RuntimeError: no luck" in parcel["message"]


def test_a_case_that_a_plugin_ran_again(example):
    """A case that ran twice is one case of the reports, with its last outcome."""
    result = example.having({"conftest.py": AGAIN}).run("--dust-mode=live", *ALL)
    assert result.outcomes["rerun"] == 1
    again = [case for case in record(result)["cases"] if case["id"].endswith("refund")]
    assert [case["rerun"] for case in again] == [True, False]
    assert "1 of 4 cases needs a look" in result.example.files["r.md"].decode()


def test_a_selection(example):
    """With -k, the report says how many cases were not selected."""
    result = example.run("-k", "refund", *ALL)
    assert record(result)["selection"] == {"selected": 1, "deselected": 3}
    assert "3 cases not selected" in result.example.files["r.md"].decode()


def test_only_what_failed_last_time(example):
    """With --lf, the report says that only the cases that failed last time ran."""
    failed = example.run("--dust-mode=live").example
    result = failed.run("--lf", *ALL)
    assert outcomes(record(result)) == {"refund": "passed"}
    assert record(result)["partial"] == ["only the cases that failed last time (--lf)"]
    assert record(result.example.run("--lf", *ALL))["partial"] == []


def test_a_suite_that_cannot_be_read(example):
    """A suite with mistakes is told with its message, as none of its cases is in the report."""
    result = example.having({"b.dust.yaml": "app: {id: x}\ncases: 3\n"}).run(*ALL)
    (problem,) = record(result)["problems"]
    assert problem["where"] == "b.dust.yaml"
    assert "b.dust.yaml:2:8: cases is a list" in problem["message"]
    for name in ("r.md", "r.html"):
        assert "1 suite could not be read" in result.example.files[name].decode()


def test_several_files_in_the_ini_file(example):
    """The ini file names several reports with commas or on lines of their own; each file is written once."""
    files = {"pytest.ini": "[pytest]\ndust_report = r.md, out/r.json\n    ./r.md\n    r.html\n"}
    result = example.having(files).run()
    assert {"r.md", "out/r.json", "r.html"} <= result.example.files.keys()
    assert result.out.count("dust: wrote the report") == 3


def test_collecting_writes_nothing(example):
    """--co runs nothing, and leaves the reports of the last session as they are."""
    result = example.having({"r.md": "as it was"}).run("--co", *ALL)
    assert result.example.files["r.md"] == b"as it was"


def test_a_session_of_other_tests_keeps_the_report_of_the_ini_file(example):
    """An ini file asks for the report of every session; one without a case does not overwrite it."""
    files = {"pytest.ini": "[pytest]\ndust_report = r.md\n", "test_it.py": "def test_it(): pass\n"}
    after = example.having(files).run().example
    report = after.files["r.md"]
    assert report.startswith(b"## ")
    assert after.run("test_it.py").example.files["r.md"] == report
    assert after.run("test_it.py", "--dust-report=r.md").example.files["r.md"] != report


def test_a_gate_that_compared_nothing_is_not_green(example):
    """A session that fails beside its cases fails in its reports, and they say why."""
    bare = example.having(dict.fromkeys(example.cassettes))
    result = bare.run("--dust-mode=live", "--dust-on-change=fail", "-k", "parcel", *ALL)
    document = record(result)
    assert (result.ret, document["state"]) == (1, "failed")
    assert "nothing was compared" in document["failed_because"][0]
    assert result.example.files["r.md"].startswith("## ❌".encode())


def test_a_worker_that_is_not_replaced(example):
    """Cases that no worker is left for are counted as selected cases that did not run."""
    files = {"conftest.py": CRASH}
    result = example.having(files).run("-n", "1", "--max-worker-restart=0", *ALL, subprocess=True)
    assert record(result)["selection"]["selected"] == 4
    assert "of 4 selected cases ran" in result.example.files["r.md"].decode()


PYTHON = """
import pytest

def call(dust):
    return dust.run(app=APP, input={"question": "Hi"}, config=CONFIG)

def test_before(dust):
    raise ValueError("too early")

def test_after(dust):
    assert call(dust).result.label == "nope"

@pytest.fixture
def broken():
    raise RuntimeError("no fixture")

def test_setup(broken, dust):
    call(dust)
"""


def test_python_tests_that_fail(project, server):
    """A Python test that fails is in the report with what failed in it, also before its first run."""
    text = PYTHON.replace("APP", repr(SUPPORT)).replace("CONFIG", repr(config_of(SUPPORT)))
    example = project.having({"test_it.py": text}).using(server).exporting(GITHUB_ACTIONS="true")
    result = example.run("--dust-mode=record", *ALL)
    messages = {name: case["message"] for case in record(result)["cases"] for name in [case["id"][12:]]}
    assert messages["test_before"] == "the test failed before its first run: ValueError: too early"
    assert messages["test_after"].startswith("AssertionError: assert 'other' == 'nope'")
    assert messages["test_setup"] == "the test failed before its first run: RuntimeError: no fixture"
    annotations = [line for line in result.out.splitlines() if line.startswith("::error")]
    assert len(annotations) == 3
    assert not any("on_change" in line for line in annotations)


def test_a_pass_that_was_to_fail(example):
    """A strict xfail mark makes a case fail that passes; the report says so."""
    files = {"pytest.ini": "[pytest]\nxfail_strict = true\n"}
    text = example.files["a.dust.yaml"].decode()
    text = text.replace("  - id: parcel\n", "  - id: parcel\n    marks: [{xfail: model is wrong}]\n")
    parcel = record(example.having({**files, "a.dust.yaml": text}).run(*ALL))["cases"][1]
    assert (parcel["outcome"], parcel["reason"]) == ("failed", "model is wrong")
    assert parcel["message"] == "it passed, although its suite expects a failure (model is wrong)"


@pytest.mark.parametrize(
    "hook",
    [
        "def pytest_runtest_setup(item):\n    pytest.skip('not with ' + os.environ['SHOP'])\n",
        "def pytest_runtest_setup(item):\n    pytest.exit('no more of ' + os.environ['SHOP'])\n",
        "def pytest_runtest_teardown(item):\n    raise RuntimeError(os.environ['SHOP'])\n",
        "def pytest_runtest_setup(item):\n    raise RuntimeError(os.environ['SHOP'])\n",
    ],
)
def test_no_reason_holds_a_secret(example, hook):
    """What plugins say while tests run, such as a reason to skip, is masked in every report."""
    files = {"conftest.py": f"import os, pytest\n{hook}", "pytest.ini": "[pytest]\ndust_secrets = SHOP\n"}
    secret = "token-of-the-shop"
    result = example.having(files).exporting(SHOP=secret).run("--tb=short", *ALL)
    for name in ("out/r.json", "r.html", "r.md"):
        assert secret not in result.example.files[name].decode(), name


# ── files that cannot be written ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("r.txt", '--dust-report: "r.txt" cannot be used; name a file that ends in .json, .html or .md'),
        ("a.dust.yaml/r.md", "--dust-report=a.dust.yaml/r.md cannot be written, as a.dust.yaml is a file"),
        ("folder.md", "--dust-report=folder.md is a folder; name a file"),
        (".md", '--dust-report: ".md" cannot be used; name a file that ends in .json, .html or .md'),
        (f"{'x' * 300}.md", "has a name that is too long; name another file"),
        ("", '--dust-report: "" cannot be used; give a value, or leave the option out'),
    ],
)
def test_a_report_that_cannot_be_written_stops_the_session_at_once(example, server, name, message):
    """No run is made for a report that cannot be written."""
    server.requests.clear()
    result = example.having({"folder.md/x": ""}).run("--dust-mode=live", f"--dust-report={name}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.err
    assert server.runs == 0


def test_a_report_that_cannot_be_written_in_the_end(example):
    """A file that cannot be written when the session has ended fails it, and the others are written."""
    conftest = "import os\ndef pytest_runtest_call(item):\n    os.makedirs('r.html/x', exist_ok=True)\n"
    result = example.having({"conftest.py": conftest}).run(*ALL)
    assert "dust: cannot write the report r.html: " in result.out
    assert "dust: wrote the report r.md" in result.out
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_no_report_holds_the_key(example, server):
    """The API key, a secret and a redacted input are in no report, whatever the answer says."""
    server.alter(lambda run: run["results"].append([{"value": f"{KEY} s3cr3t-value", "error": None}]))
    files = {"pytest.ini": "[pytest]\ndust_secrets = MY_SECRET\ndust_redact = inputs.*.question\n"}
    result = example.having(files).exporting(MY_SECRET="s3cr3t-value").run("--dust-mode=live", *ALL)
    for name in ("out/r.json", "r.html", "r.md"):
        text = result.example.files[name].decode()
        assert not any(secret in text for secret in (KEY, "s3cr3t-value", "Where is my refund?")), name


# ── commands ─────────────────────────────────────────────────────────────────────────────────────


def test_shards_are_merged(example):
    """--dust-merge makes one report of those of several sessions, without running a test."""
    first = example.run("-k", "refund", "--dust-report=a.json").example
    second = first.run("-k", "not refund", "--dust-report=b.json").example
    result = second.run("--dust-merge", "a.json", "b.json", *ALL)
    assert result.ret == 0
    assert "wrote the report r.html: 4 cases" in result.out
    assert sorted(outcomes(record(result))) == ["known", "later", "parcel", "refund"]
    assert record(result)["selection"] == {"selected": 4, "deselected": 0}
    assert "not selected" not in result.example.files["r.md"].decode()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["none.json", "--dust-report=r.md"], "--dust-merge: cannot read none.json: No such file"),
        (["a.dust.yaml", "--dust-report=r.md"], "--dust-merge: a.dust.yaml is no JSON report of pytest-dust"),
        (["other.json", "--dust-report=r.md"], "the record has version 99; this pytest-dust reads version 1"),
        (
            ["list.json", "--dust-report=r.md"],
            "list.json is no JSON report of pytest-dust: Expected `object`",
        ),
        (["nan.json", "--dust-report=r.json"], "nan.json is no JSON report of pytest-dust: it holds NaN"),
        (
            ["bare.json", "--dust-report=r.md"],
            "the record has version none; this pytest-dust reads version 1",
        ),
        (["other.json"], "--dust-merge writes the reports that you name: add --dust-report=FILE"),
    ],
)
def test_what_cannot_be_merged(example, args, message):
    """A file that is no record is named, with what is wrong with it."""
    files = {"other.json": '{"version": 99}', "list.json": "[]", "bare.json": "{}"}
    files["nan.json"] = '{"version": 1, "duration": NaN}'
    result = example.having(files).run("--dust-merge", *args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.err


def test_the_schema_is_printed(project):
    """--dust-schema=report prints the JSON Schema of the record; another word is refused."""
    printed = json.loads(project.run("--dust-schema=report").out)
    assert printed == json.loads(json.dumps(schema()))
    refused = project.run("--dust-schema=reports")
    assert "--dust-schema=reports: there are: suite, report (did you mean report?)" in refused.err


# ── GitHub Actions ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def on_github(example, tmp_path):
    """The project as a job of GitHub Actions runs it."""
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    return example.exporting(
        GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary), GITHUB_WORKSPACE=str(example.root)
    ), summary


def test_annotations_and_summary(on_github):
    """Each failed case is annotated at the line of its expectation; the job's summary is added to."""
    example, summary = on_github
    result = example.run("--dust-mode=live")
    (line,) = [line for line in result.out.splitlines() if line.startswith("::")]
    number = (
        example.files["a.dust.yaml"].decode().splitlines().index("    expect: {result.label: billing}") + 1
    )
    assert line.startswith(
        f"::error file=a.dust.yaml,line={number},title=a.dust.yaml%3A%3Arefund::it begins in"
    )
    assert summary.read_text().startswith("before\n## ")
    assert "refund" in summary.read_text()


def test_a_path_is_from_the_root_of_the_repository(on_github):
    """Called in a folder below, pytest gives paths from there; GitHub needs them from the root."""
    example, _ = on_github
    files = {f"sub/{name}": text for name, text in example.files.items() if name != "pytest.ini"}
    result = example.having(files).run("--dust-mode=live", cwd="sub")
    (line,) = [line for line in result.out.splitlines() if line.startswith("::")]
    assert line.startswith("::error file=sub/a.dust.yaml,line=")


@pytest.mark.parametrize(
    "option",
    [{"DUST_GITHUB": "off"}, {"GITHUB_ACTIONS": ""}, {"GITHUB_ACTIONS": "false", "DUST_REPORT": "r.md"}],
)
def test_elsewhere_or_turned_off(on_github, option):
    """Without GitHub Actions, or with --dust-github=off, there is no annotation and no summary."""
    example, summary = on_github
    result = example.exporting(**option).run("--dust-mode=live")
    assert "::error" not in result.out
    assert summary.read_text() == "before\n"


def test_no_failure_is_annotated_twice(on_github):
    """Where a plugin annotates failed tests itself, only what it does not see is annotated."""
    example, summary = on_github
    plugin = """
class Other: pass
def pytest_configure(config):
    config.pluginmanager.register(Other(), "pytest_github_actions_annotate_failures")
"""
    broken = {"conftest.py": plugin, "b.dust.yaml": "cases: 3\n"}
    result = example.having(broken).run("--dust-mode=live")
    assert [line.partition(",")[0] for line in result.out.splitlines() if line.startswith("::")] == [
        "::error file=b.dust.yaml"
    ]
    assert "refund" in summary.read_text()


def test_no_output_is_a_command(on_github, server):
    """An answer that looks like a command of GitHub Actions is printed so that it is none."""
    attack = "::add-mask::all ##[error]pwned " + "and so on " * 20
    server.alter(lambda run: run["traces"][-1][1][0][0].update(value={"label": attack, "answer": attack}))
    result = on_github[0].run("--dust-mode=live", "-v")
    lines = [line.strip() for line in result.out.splitlines()]
    assert all(line.startswith("::error file=") for line in lines if line.startswith("::"))
    assert not any("##[" in line for line in lines if not line.startswith("::error"))
