"""Suites and cases are pytest's own files and items: every option of pytest works on them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from conftest import SUPPORT, SUPPORT_CASES, suite

APP = "9f1d3b5a7c"
BROKEN = "app: {id: 9f1d3b5a7c}\nspecification_hash: latest\ncases:\n  - id: one\n    inptu: {question: Hi}\n"
PLACE = re.compile(r"^broken\.dust\.yaml:5:5: .*inptu.*did you mean input\?", re.MULTILINE)
MARKED = """\
cases:
  - id: one
    input: {question: Where is my refund?}
    marks: [slow, {owner: [ann, 3]}]
    expect: {result.label: billing}
  - id: two
    input: {question: Track my parcel}
    expect: {result.label: shipping}
"""
MARKERS = "[pytest]\nmarkers =\n    slow: takes long\n    owner(name, floor): whose it is\n"


def test_ids_name_the_file_and_the_case(project, server):
    """A case's id is the path of its file, two colons and the case's id."""
    text = suite(server, APP, SUPPORT_CASES)
    result = project.having({"support/answer.dust.yaml": text}).run("--co", "-q")
    ids = [line for line in result.out.splitlines() if "::" in line]
    assert ids == [f"support/answer.dust.yaml::{case}" for case in ("refund", "parcel", "wrong")]
    assert server.requests == []


def test_both_forms_are_collected(project, server):
    """A file without cases is one case named after the file."""
    short = suite(server, APP, "input: {question: Hi}\nexpect: {result.label: other}\n")
    files = {"short.dust.yaml": short, "long.dust.yaml": suite(server, APP, MARKED)}
    result = project.having({**files, "pytest.ini": MARKERS}).using(server).run("--dust-mode=record", "-v")
    assert result.outcomes == {"passed": 3}
    assert "short.dust.yaml::short" in result.out
    assert "long.dust.yaml::two" in result.out


def test_an_item_knows_its_file_and_line(support):
    """Reportinfo gives the suite's path and the line of the case, from 0."""
    conftest = (
        "def pytest_collection_modifyitems(items):\n"
        "    for item in items:\n"
        "        path, line, _ = item.reportinfo()\n"
        "        print('AT', path.name, line, item.location[0], item.location[1])\n"
    )
    result = support.having({"conftest.py": conftest}).run("--co", "-q", "-s")
    places = [line for line in result.out.splitlines() if line.startswith("AT")]
    assert places == [f"AT answer.dust.yaml {at} answer.dust.yaml {at}" for at in (3, 6, 9)]


def test_a_keyword_selects_cases(recorded):
    """`-k` chooses among cases by id."""
    result = recorded.run("-k", "refund or parcel")
    assert result.outcomes == {"passed": 2, "deselected": 1}


@pytest.mark.parametrize(
    ("expression", "chosen"),
    [("slow", ["one"]), ("not slow", ["two"]), ("owner", ["one"]), ("slow and not owner", [])],
)
def test_marks_of_the_suite_select_cases(project, server, expression, chosen):
    """`-m` goes by the marks that YAML gives, with and without arguments."""
    files = {"pytest.ini": MARKERS, "a.dust.yaml": suite(server, APP, MARKED)}
    result = project.having(files).run("--co", "-q", "-m", expression, "--strict-markers")
    assert re.findall(r"^a\.dust\.yaml::(.+)$", result.out, re.MULTILINE) == chosen


def test_marks_keep_their_arguments(project, server):
    """A mark written with a list has the list's elements as its arguments."""
    conftest = (
        "def pytest_collection_modifyitems(items):\n"
        "    print('ARGS', [mark.args for item in items for mark in item.iter_markers('owner')])\n"
    )
    files = {"pytest.ini": MARKERS, "a.dust.yaml": suite(server, APP, MARKED), "conftest.py": conftest}
    assert "ARGS [('ann', 3)]" in project.having(files).run("--co", "-q", "-s").out


def test_marks_of_a_suite_are_on_each_case(project, server):
    """What the suite's own `marks` say holds for all of its cases."""
    files = {"pytest.ini": MARKERS, "a.dust.yaml": suite(server, APP, SUPPORT_CASES, "marks: [slow]\n")}
    assert project.having(files).run("--co", "-q", "-m", "slow").out.count("::") == 3


def test_a_case_s_own_mark_is_closer_than_its_suite_s(project, server):
    """Of two marks of one name, plugins that ask for the closest get the case's own."""
    conftest = (
        "def pytest_collection_modifyitems(items):\n"
        "    print('OWNERS', [item.get_closest_marker('owner').kwargs for item in items])\n"
    )
    cases = "cases:\n  - id: a\n    input: {question: Hi}\n    marks: [{owner: {name: bob}}]\n"
    text = suite(server, APP, cases, "marks: [{owner: {name: ann}}]\n")
    files = {"pytest.ini": MARKERS, "conftest.py": conftest, "a.dust.yaml": text}
    assert "OWNERS [{'name': 'bob'}]" in project.having(files).run("--co", "-s").out


def test_strict_markers_refuse_an_unregistered_mark_at_its_place(project, server):
    """With `--strict-markers` a mark that ini does not know is a mistake of the suite, with its place."""
    files = {
        "pytest.ini": MARKERS,
        "a.dust.yaml": suite(server, APP, MARKED.replace("[slow", "[slw")),
    }
    result = project.having(files).run("--strict-markers")
    assert result.outcomes == {"error": 1}
    assert re.search(r'^a\.dust\.yaml:6:13: .*"slw".*did you mean slow\?', result.report, re.MULTILINE)
    assert "Traceback" not in result.out


def test_warnings_that_are_errors_refuse_an_unregistered_mark_at_its_place(project, server):
    """With `filterwarnings = error` a mark that ini does not know is a mistake with its place."""
    ini = MARKERS + "filterwarnings = error\n"
    files = {"pytest.ini": ini, "a.dust.yaml": suite(server, APP, MARKED.replace("[slow", "[slw2"))}
    result = project.having(files).run(subprocess=True)
    assert result.outcomes == {"error": 1}
    assert re.search(r'^a\.dust\.yaml:6:13: .*"slw2".*did you mean slow\?', result.report, re.MULTILINE)
    assert "Traceback" not in result.out
    assert "pytest_dust/" not in result.out


def test_an_unregistered_mark_warns_with_the_suites_file(project, server):
    """Without `--strict-markers` the warning for an unknown mark names the suite, not the plugin."""
    files = {"a.dust.yaml": suite(server, APP, MARKED)}
    result = project.having(files).run("--co", subprocess=True)  # pytest remembers marks for the process
    assert "PytestUnknownMarkWarning: Unknown pytest.mark.slow" in result.out
    warned = result.out.partition("warnings summary")[2]
    assert "a.dust.yaml" in warned
    assert "pytest_dust" not in warned


def marks(server, written, question="Hello"):
    """A suite of one case with these marks, which expects `billing`."""
    case = f"input: {{question: '{question}'}}\nmarks: {written}\nexpect: {{result.label: billing}}\n"
    return suite(server, APP, case)


@pytest.mark.parametrize(
    ("written", "outcome"),
    [
        ("[{skip: not today}]", "skipped"),
        ("[{skipif: ['True']}]", "skipped"),
        ("[{xfail: greetings confuse it}]", "xfailed"),
        ("[xfail]", "xfailed"),
        ("[{skipif: ['False']}]", "failed"),
    ],
)
def test_skip_and_xfail(project, server, written, outcome):
    """The marks skip, skipif and xfail do what they do for any test."""
    example = project.having({"a.dust.yaml": marks(server, written)}).using(server)
    result = example.run("--dust-mode=record", "-rsx")
    assert result.outcomes == {outcome: 1}
    assert "INTERNALERROR" not in result.out
    assert server.runs == (outcome != "skipped")


def test_a_skip_shows_its_reason_and_place(project, server):
    """`-rs` gives the reason, and where the case stands in the suite."""
    text = marks(server, "[{skip: not today}]")
    result = project.having({"sub/a.dust.yaml": text}).run("-rs")
    assert re.search(r"^SKIPPED \[1\] .*sub/a\.dust\.yaml.*: not today$", result.out, re.MULTILINE)


def test_an_expected_failure_that_passes_is_told(project, server):
    """An xfail case whose expectations hold is xpassed, and fails under xfail_strict."""
    text = marks(server, "[{xfail: flaky}]", question="Where is my refund?")
    after = project.having({"a.dust.yaml": text}).using(server).run("--dust-mode=record")
    assert after.outcomes == {"xpassed": 1}
    strict = after.example.having({"pytest.ini": "[pytest]\nxfail_strict = true\n"}).run()
    assert strict.outcomes == {"failed": 1}
    assert "XPASS(strict)" in strict.out


def test_xfail_does_not_hide_a_missing_cassette(project, server):
    """A case that gave no run fails, whatever failure of its expectations was expected."""
    result = project.having({"a.dust.yaml": marks(server, "[{xfail: flaky}]")}).run()
    assert result.outcomes == {"failed": 1}
    assert "no cassette" in result.report


def test_xfail_does_not_hide_a_wrong_key(project, server):
    """A key that the service refuses fails the case, expected failure or not."""
    example = project.having({"a.dust.yaml": marks(server, "[xfail]")}).using(server)
    result = example.exporting(DUST_API_KEY="sk-other").run("--dust-mode=live")
    assert result.outcomes == {"failed": 1}
    assert "invalid_api_key_error" in result.report


def test_last_failed_runs_what_failed(recorded):
    """`--lf` runs the failed cases alone."""
    first = recorded.run()
    assert first.outcomes == {"passed": 2, "failed": 1}
    again = first.example.run("--lf", "-v")
    assert again.outcomes["failed"] == 1
    assert "passed" not in again.outcomes
    assert "answer.dust.yaml::wrong FAILED" in again.out


def test_last_failed_knows_rows_and_combinations(project, server):
    """`--lf` also knows cases whose ids have brackets, in a file after the first with a failure."""
    cases = "matrix: {wanted: [billing, other]}\nexpect: {result.label: '${matrix.wanted}'}\n"
    text = suite(server, SUPPORT, f"{cases}input: {{question: Where is my refund?}}\n")
    example = project.having({"a.dust.yaml": text, "b.dust.yaml": text}).using(server).recorded()
    first = example.run()
    assert first.outcomes == {"passed": 2, "failed": 2}
    assert first.example.run("--lf").outcomes == {"failed": 2}


def test_the_first_failure_may_stop_the_session(recorded):
    """`-x` stops after the first failed case."""
    worse = recorded.replacing(
        "answer.dust.yaml", "label: billing}\n  - id: parcel", "label: x}\n  - id: parcel"
    )
    result = worse.run("-x")
    assert result.outcomes == {"failed": 1}
    assert "stopping after 1 failures" in result.out


def test_junit_xml_has_each_case_and_the_report(recorded):
    """`--junitxml` writes valid XML with the headline as message and the report as text."""
    after = recorded.run("--junitxml=out.xml").example
    root = ET.fromstring(after.files["out.xml"])
    cases = {case.get("name"): case for case in root.iter("testcase")}
    assert set(cases) == {"refund", "parcel", "wrong"}
    assert {case.get("classname") for case in cases.values()} == {"answer.dust.yaml"}
    failure = cases["wrong"].find("failure")
    assert failure is not None
    assert failure.get("message") == 'result.label: expected "billing", actual "other"'
    assert 'expected  "billing"' in (failure.text or "")
    assert "\x1b" not in after.files["out.xml"].decode()


def test_durations_name_cases(recorded):
    """`--durations` lists cases by id."""
    result = recorded.run("--durations=5", "--durations-min=0")
    assert re.search(r"^[\d.]+s call +answer\.dust\.yaml::refund$", result.out, re.MULTILINE)


def test_the_plugin_can_be_turned_off(recorded):
    """With `-p no:dust` suites are no tests, and its options are unknown."""
    python = {"test_it.py": "def test_it(): pass\n"}
    result = recorded.having(python).run("-p", "no:dust", subprocess=True)
    assert result.outcomes == {"passed": 1}
    assert "dust:" not in result.out
    refused = recorded.run("-p", "no:dust", "--dust-mode=live", subprocess=True)
    assert refused.ret == 4
    assert "unrecognized arguments: --dust-mode=live" in refused.err


def failures(result):
    """The failure section of a report, colours included, without the titles' rulers."""
    found = re.search(r"= FAILURES =.*?(?==+ short test summary)", result.out, re.DOTALL)
    assert found
    return re.sub(r"\[gw\d\].*\n", "", found[0].replace("\x1b[1m\x1b[31m", "\x1b[31m\x1b[1m"))


def test_xdist_gives_the_same_verdicts_and_the_same_report(recorded):
    """With `-n 2` verdicts, reports, colours and the short summary are those of one process."""
    alone = recorded.run("--color=yes", "-p", "no:xdist", subprocess=True)
    shared = recorded.run("--color=yes", "-n", "2", subprocess=True)
    for result in (alone, shared):
        assert re.search(r"1 failed.*2 passed", re.sub(r"\x1b\[[\d;]*m", "", result.out))
        assert '\x1b[32m    expected  "billing"' in result.out
        assert '\x1b[31m    actual    "other"' in result.out
    assert failures(shared) == failures(alone)
    summary = re.compile(r"^.*FAILED.*wrong.*$", re.MULTILINE)
    assert summary.search(shared.out)[0] == summary.search(alone.out)[0]


@pytest.mark.parametrize("options", [(), ("--full-trace",), ("--tb=native",), ("-vv", "-l")])
def test_a_broken_file_is_one_located_error(recorded, options):
    """Every mistake is a line `file:line:column: …`, with no traceback under any option."""
    example = recorded.having({"broken.dust.yaml": BROKEN})
    result = example.run(*options)
    assert result.outcomes["error"] == 1
    assert PLACE.search(result.report)
    assert "Traceback" not in result.out
    assert "INTERNALERROR" not in result.out + result.err
    assert "pytest_dust/" not in result.report


def test_other_files_still_run_beside_a_broken_one(recorded):
    """With `--continue-on-collection-errors` a broken file keeps no other file from running."""
    result = recorded.having({"broken.dust.yaml": BROKEN}).run("--continue-on-collection-errors")
    assert result.outcomes == {"error": 1, "passed": 2, "failed": 1}


def test_a_broken_file_is_told_in_the_short_summary(recorded):
    """The short summary has one ERROR line for a broken file, and --co shows the other files' cases."""
    result = recorded.having({"broken.dust.yaml": BROKEN}).run("--co", "-q")
    assert len(re.findall(r"^ERROR broken\.dust\.yaml", result.out, re.MULTILINE)) == 1
    assert "answer.dust.yaml::refund" in result.out


def test_a_path_and_a_case_select_it(recorded):
    """`path::case` runs that case alone."""
    result = recorded.run("answer.dust.yaml::refund")
    assert result.outcomes == {"passed": 1}


def test_a_case_that_is_not_there_is_pytests_own_error(recorded):
    """`path::nothing` is answered as for any test."""
    result = recorded.run("answer.dust.yaml::refnd")
    assert result.ret == 4
    assert "not found" in result.err
    assert "INTERNALERROR" not in result.err


def in_folders(server, project):
    """A project whose one suite stands two folders deep."""
    return project.having({"apps/support/answer.dust.yaml": suite(server, APP, SUPPORT_CASES)}).using(server)


@pytest.mark.parametrize(
    ("cwd", "options", "shown"),
    [
        (".", (), "apps/support/answer.dust.yaml"),
        ("apps", (), "support/answer.dust.yaml"),
        ("apps/support", (), "answer.dust.yaml"),
        ("apps", ("--rootdir=support",), "support/answer.dust.yaml"),
        ("elsewhere", ("../apps",), "../apps/support/answer.dust.yaml"),
        ("apps", ("--rootdir=..", "-c", "../pytest.ini"), "support/answer.dust.yaml"),
    ],
)
def test_paths_and_commands_are_those_to_type_here(project, server, cwd, options, shown):
    """Wherever pytest is called, paths in a report lead from there and its command works there."""
    example = in_folders(server, project).having({"elsewhere/keep": ""})
    result = example.run(*options, cwd=cwd)
    assert result.outcomes == {"failed": 3}
    assert f"{shown}:4   replay" in result.report
    folder = shown.removesuffix("answer.dust.yaml")
    assert f"looked in {folder}cassettes/answer/refund.json" in result.report
    mended = result.example.run(*result.command, cwd=cwd)
    assert mended.outcomes == {"passed": 1}
    assert set(mended.example.cassettes) == {"apps/support/cassettes/answer/refund.json"}
    again = mended.example.run(f"{shown}::refund", cwd=cwd)
    assert again.outcomes == {"passed": 1}


def test_a_command_can_be_typed_in_a_shell(project, server):
    """A command for a file with spaces and quotes in its path is quoted, and works."""
    name = "it's my suites/answer.dust.yaml"
    result = project.having({name: suite(server, APP, SUPPORT_CASES)}).using(server).run()
    assert result.example.run(*result.command).outcomes == {"passed": 1}


def test_ids_with_dots_stand_unharmed(project, server):
    """Neither `-v` nor a report's title takes the dots of a file or case for Python's."""
    case = SUPPORT_CASES.replace("id: wrong", "id: v1.2.wrong")
    result = project.having({"my.app.dust.yaml": suite(server, APP, case)}).run("-v")
    assert "\nmy.app.dust.yaml::v1.2.wrong FAILED" in result.out
    assert re.search(r"^_+ my\.app\.dust\.yaml::v1\.2\.wrong  ?_+$", result.out, re.MULTILINE)
    assert re.search(r"^FAILED my\.app\.dust\.yaml::v1\.2\.wrong", result.out, re.MULTILINE)


def test_collecting_needs_no_network_room(recorded):
    """`--collect-only` loads neither httpx nor the rooms behind it."""
    conftest = (
        "import sys\n"
        "def pytest_collection_finish(session):\n"
        "    print('LOADED', [n for n in ('httpx', 'respx', 'deepdiff') if n in sys.modules])\n"
    )
    result = recorded.having({"conftest.py": conftest}).run("--co", "-q", "-s", subprocess=True)
    assert "LOADED []" in result.out
