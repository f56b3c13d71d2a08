"""Runs of the fixture `dust` under the regression gate: compared, told, counted and failed like cases."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from conftest import KEY, QUOTE, SUPPORT, filled, suite

LIVE, ON_CHANGE = "--dust-mode=live", "--dust-on-change=fail"
HEAD = """\
import pytest
def ask(dust, question="Where is my refund?", app="9f1d3b5a7c", config=CONFIG, **more):
    return dust.run(app=app, specification_hash=HASH, config=config, input={"question": question}, **more)
"""
PASSING = "def test_refund(dust):\n    assert ask(dust).status == 'succeeded'\n"
STRICT = "def test_refund(dust):\n    assert ask(dust).result.label == 'billing'\n"
TWICE = "def test_two(dust):\n    ask(dust, 'I want a refund')\n    ask(dust)\n"


@pytest.fixture
def tests(project, server):
    """A function that gives a project of these Python tests, recorded, with the service changed since."""

    def make(text, block="CLASSIFY"):
        source = filled(HEAD, server) + text
        wide = project.having({"test_it.py": source}).using(server).exporting(COLUMNS="400")
        after = wide.run("--dust-mode=record").example
        server.requests.clear()
        if block:
            server.drift(block)
        return after

    return make


def lines(result, start="dust: "):
    """The lines of the summary."""
    return [line for line in result.out.splitlines() if line.startswith(start)]


def counted(result):
    """The line of the summary that counts."""
    (line,) = [line for line in lines(result) if " used" in line]
    return line


def test_a_change_in_a_test_that_passed_is_told(tests):
    """A live run that changed is told in the summary with its test and the block where it begins."""
    result = tests(PASSING).run(LIVE)
    assert result.outcomes == {"passed": 1}
    assert re.search(
        r"^dust: 1 case that passed changed since the recording:\n"
        r"  test_it\.py::test_refund: it begins in CLASSIFY \(llm\)\n"
        r'    CLASSIFY +output\.\S+ +"billing" → "shipping"\n',
        result.out,
        re.MULTILINE,
    )


def test_an_unchanged_run_is_not_told(tests):
    """A live run that is as recorded is counted and not told as a change, also where changes fail."""
    result = tests(PASSING, block="").run(LIVE, ON_CHANGE)
    assert (result.ret, result.outcomes) == (0, {"passed": 1})
    assert "changed since" not in result.out
    assert re.match(r"dust: 1 live, \d+ tokens used", counted(result))


def test_a_change_fails_the_test_where_changes_fail(tests):
    """With on_change fail the test fails with the report of a case, and its command accepts it."""
    example = tests(PASSING)
    result = example.run(LIVE, ON_CHANGE)
    assert (result.ret, result.outcomes) == (1, {"failed": 1})
    assert re.search(
        r"^test_it\.py:4   live   run \S+   hash \S+   [\d.]+ s   \d+ tokens\n\n"
        r"  Changed since the recording of \S+; it begins in CLASSIFY \(llm\), block 2 of 4:\n",
        result.report,
        re.MULTILINE,
    )
    assert re.search(
        r"^FAILED test_it.py::test_refund - it begins in CLASSIFY \(llm\): ", result.out, re.MULTILINE
    )
    assert "Traceback" not in result.report
    assert "pytest_dust" not in result.report
    assert "that passed changed" not in result.out
    again = result.example.run(*result.command)
    assert "1 answer accepted" in again.out
    assert again.example.run(LIVE, ON_CHANGE).ret == 0


def test_on_change_report_lets_it_pass(tests):
    """With on_change report a change is told, and the session passes."""
    result = tests(PASSING).run(LIVE, "--dust-on-change=report")
    assert (result.ret, result.outcomes) == (0, {"passed": 1})
    assert "it begins in CLASSIFY (llm)" in result.out


@pytest.mark.parametrize("more", [(), ("--show-capture=no",), ("--tb=short",), (ON_CHANGE,)])
def test_a_failed_assertion_shows_the_change_too(tests, more):
    """A test that fails by its own assertion shows that, and below it what changed and where it begins."""
    result = tests(STRICT).run(LIVE, *more)
    assert result.outcomes == {"failed": 1}
    assert "AssertionError" in result.report
    assert re.search(r"^-+ dust -+$", result.report, re.MULTILINE)
    assert "it begins in CLASSIFY (llm), block 2 of 4" in result.report
    assert "that passed changed" not in result.out


def test_a_failed_assertion_without_a_change_shows_none(tests):
    """A test that fails though nothing changed has no section of ours."""
    result = tests("def test_it(dust):\n    ask(dust)\n    assert 0\n", block="").run(LIVE)
    assert not re.search(r"^-+ dust -+$", result.report, re.MULTILINE)


def test_each_run_of_a_test_counts(tests):
    """Several runs of one test are compared, counted and named each by its own."""
    example = tests(TWICE)
    result = example.run(LIVE)
    assert counted(result).startswith("dust: 2 live, ")
    assert re.search(
        r"^dust: 2 cases that passed changed since the recording:\n"
        r"  test_it\.py::test_two: it begins in [^\0]*\n  test_it\.py::test_two\[2\]: it begins in ",
        result.out,
        re.MULTILINE,
    )
    failed = example.run(LIVE, ON_CHANGE)
    assert failed.outcomes == {"failed": 1}
    assert re.search(r"^test_it\.py:4   live ", failed.report, re.MULTILINE)
    assert re.search(r"^test_it\.py:4   run 2 of the test   live ", failed.report, re.MULTILINE)
    assert re.search(r"^FAILED .*\(\+1 more\)$", failed.out, re.MULTILINE)


def test_all_runs_are_made_before_a_change_fails(tests, server):
    """A change fails the test at its end, so that no run of it is left out."""
    tests(TWICE).run(LIVE, ON_CHANGE)
    assert server.runs == 2


@pytest.mark.parametrize("when", ["setup", "teardown"])
def test_runs_beside_the_call_count(tests, when):
    """Runs that a fixture makes before or after the test are told, and fail it where changes fail."""
    body = ("ask(dust)", "yield") if when == "setup" else ("yield", "ask(dust)")
    text = f"@pytest.fixture\ndef asked(dust):\n    {body[0]}\n    {body[1]}\ndef test_it(asked): pass\n"
    example = tests(text)
    result = example.run(LIVE)
    assert "dust: 1 case that passed changed since the recording:" in lines(result)
    failed = example.run(LIVE, ON_CHANGE)
    assert failed.ret == 1
    assert "it begins in CLASSIFY (llm), block 2 of 4" in failed.report


def test_an_expected_failure_may_be_a_change(tests):
    """A test marked xfail whose run changed is an expected failure where changes fail."""
    result = tests(f"@pytest.mark.xfail(reason='edited', strict=True)\n{PASSING}").run(LIVE, ON_CHANGE)
    assert result.outcomes == {"xfailed": 1}


def test_where_no_run_was_made_it_is_counted(tests, server):
    """A run that the service refused is counted as none, also where the test expects that."""
    example = tests("def test_it(dust):\n    with pytest.raises(Exception):\n        ask(dust)\n", block="")
    server.say('{"error": {"type": "x", "message": "y"}}', status=400)
    result = example.run(LIVE)
    assert result.outcomes == {"passed": 1}
    assert "dust: 1 without a run, 0 tokens used" in result.out


@pytest.mark.parametrize(
    ("mode", "words"), [("replay", "replayed"), ("rerecord", "recorded"), ("live", "live")]
)
def test_the_source_is_counted(tests, mode, words):
    """The summary counts runs of tests by where they came from, with the tokens that were used."""
    result = tests(PASSING, block="").run(f"--dust-mode={mode}")
    (told,) = [line for line in lines(result) if "tokens used" in line]
    assert told.startswith(f"dust: 1 {words}, ")
    assert (", 0 tokens used" in told) == (mode == "replay")


def test_rerecord_shows_what_it_replaces(tests):
    """A new recording is compared with the one that it replaces, and a change does not fail the test."""
    result = tests(PASSING).run("--dust-mode=rerecord", ON_CHANGE)
    assert result.outcomes == {"passed": 1}
    assert "1 case that passed changed since the recording" in result.out


def test_the_whole_difference_is_kept(tests):
    """`--dust-diff-dir` keeps a file per changed run, named as the cassette is."""
    result = tests(TWICE).run(LIVE, "--dust-diff-dir=diffs")
    kept = {name: text.decode() for name, text in result.example.files.items() if name.startswith("diffs/")}
    assert set(kept) == {"diffs/test_it.py/test_two.diff", "diffs/test_it.py/test_two[2].diff"}
    second = kept["diffs/test_it.py/test_two[2].diff"]
    assert second.startswith("test_it.py::test_two[2]: changed since the recording of")
    assert "CLASSIFY (llm), block 2 of 4\n\noutput.completion.text\n- billing\n+ shipping" in second


def test_a_diff_dir_that_cannot_be_written_is_told(tests):
    """A folder that cannot be made fails the test before its run, with a message and no traceback of ours."""
    example = tests(PASSING).having({"diffs": "a file"})
    result = example.run(LIVE, "--dust-diff-dir=diffs")
    assert result.outcomes == {"failed": 1}
    assert "--dust-diff-dir=diffs cannot be a folder, as diffs is a file" in result.report


def test_another_version_is_tried(tests, server):
    """`--dust-specification-hash` sends the runs of tests to the other version and counts them by app."""
    example = tests(TWICE.replace("I want a refund", "Track my parcel"), block="")
    result = example.run(f"--dust-specification-hash={SUPPORT}={server.hash(SUPPORT, 'v2')}")
    assert f"dust: app {SUPPORT}: 1 unchanged, 1 changed, beginning 1 in CLASSIFY (llm)" in lines(result)
    assert {one.body["specification_hash"] for one in server.requests if one.method == "POST"} == {
        server.hash(SUPPORT, "v2")
    }
    assert result.example.cassettes == example.cassettes
    failed = example.run(f"--dust-specification-hash={SUPPORT}={server.hash(SUPPORT, 'v2')}", ON_CHANGE)
    assert failed.ret == 1
    assert f"pin {server.hash(SUPPORT, 'v2')} in the test and accept it: pytest test_it.py::test_two" in (
        failed.report
    )


def test_suites_and_tests_are_counted_together(tests, server):
    """Cases and runs of tests stand in one summary, by app."""
    text = suite(server, QUOTE, "cases:\n  - {id: apples, input: {order: 3 apples}}\n")
    example = tests(PASSING, block="").having({"order.dust.yaml": text}).run("--dust-mode=record").example
    result = example.run("--dust-specification-hash=latest", ON_CHANGE)
    assert (result.ret, result.outcomes) == (0, {"passed": 2})
    assert f"dust: app {SUPPORT}: 1 unchanged, 0 changed" in lines(result)
    assert f"dust: app {QUOTE}: 1 unchanged, 0 changed" in lines(result)


def test_workers_tell_the_same(tests):
    """Under xdist changes, counts and reports are as in one process."""
    example = tests(PASSING + TWICE)
    result = example.run(LIVE, ON_CHANGE, "-n", "2")
    assert result.outcomes == {"failed": 2}
    assert re.search(
        r"^FAILED test_it.py::test_refund - it begins in CLASSIFY \(llm\): ", result.out, re.MULTILINE
    )
    assert len(re.findall(r"^test_it\.py:\d+ .*live   run ", result.report, re.MULTILINE)) == 3
    assert [line for line in lines(result) if line.startswith("dust: 3 live, ")]
    told = example.run(LIVE, "-n", "2")
    assert "dust: 3 cases that passed changed since the recording:" in told.out


def test_groups_of_xdist_are_no_part_of_a_name(tests):
    """Under --dist=loadgroup a test has the recording that it has in one process, and is named as there."""
    example = tests(f"@pytest.mark.xdist_group('g')\n{PASSING}")
    assert example.offline().run("-n", "2", "--dist=loadgroup").outcomes == {"passed": 1}
    result = example.run(LIVE, "-n", "2", "--dist=loadgroup")
    assert "  test_it.py::test_refund: it begins in CLASSIFY (llm)" in result.out


def test_junit_holds_the_change(tests):
    """The JUnit file tells of a change that failed a test as of a failed case."""
    result = tests(PASSING).run(LIVE, ON_CHANGE, "--junitxml=j.xml")
    (failure,) = ET.fromstring(result.example.files["j.xml"]).iter("failure")
    assert "it begins in CLASSIFY (llm)" in (failure.text or "")


def test_no_secret_is_shown(tests, server):
    """A secret in what changed is masked in the report, the section, the summary and the file."""
    example = tests(PASSING + STRICT.replace("test_refund", "test_strict"), block="")
    server.alter(lambda run: run["traces"][-1][1][0][0].update(value={"label": KEY, "answer": KEY}))
    for more in ((), (ON_CHANGE,)):
        result = example.run(LIVE, "--dust-diff-dir=diffs", *more)
        assert "***" in result.out
        assert KEY not in result.out + result.err
        assert all(
            KEY.encode() not in text for name, text in result.example.files.items() if "diffs/" in name
        )


def test_a_plain_test_beside_suites_has_no_facts(tests):
    """A test that makes no run is in no count."""
    result = tests(PASSING + "def test_plain(): pass\n", block="").run(LIVE)
    assert result.outcomes == {"passed": 2}
    assert counted(result).startswith("dust: 1 live, ")


# ── what it will take ────────────────────────────────────────────────────────────────────────────


def announced(result):
    """What the session says beforehand."""
    return [line for line in (result.out + result.err).splitlines() if "about to make" in line]


def test_a_live_session_counts_the_runs_of_tests_beforehand(tests):
    """Before a live session, the runs of tests are estimated by their recordings."""
    (line,) = announced(tests(PASSING + TWICE, block="").run(LIVE))
    assert re.match(r"dust: about to make 3 runs, about \d\d tokens by the recordings$", line)


def test_tests_without_a_recording_are_told_as_unknown(tests):
    """How many runs a test makes that has no recording is not known, and said once."""
    example = tests(PASSING + TWICE, block="")
    example = example.having({name: None for name in example.cassettes if "two" in name})
    (line,) = announced(example.run(LIVE))
    assert re.match(
        r".*about to make 1 run, about \d+ tokens by .*, and the runs of 1 test without a recording$", line
    )


@pytest.mark.parametrize("mode", ["replay", "record"])
def test_tests_that_make_no_runs_announce_nothing(tests, mode):
    """Where recordings are replayed, nothing is announced."""
    assert announced(tests(PASSING, block="").run(f"--dust-mode={mode}")) == []


def test_a_skipped_test_is_not_counted(tests):
    """A test that a mark skips makes no runs."""
    text = PASSING + f"@pytest.mark.skip\n{TWICE}"
    (line,) = announced(tests(text, block="").run("--dust-mode=rerecord"))
    assert "about to make 1 run," in line


def test_tests_and_cases_are_estimated_together(tests, server):
    """Runs of tests and of cases are counted in one, and held against the ceilings before any is made."""
    text = suite(server, QUOTE, "cases:\n  - {id: apples, input: {order: 3 apples}}\n")
    example = tests(TWICE, block="").having({"order.dust.yaml": text}).run("--dust-mode=record").example
    server.requests.clear()
    result = example.run(LIVE, "--dust-max-runs=2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "this session would take about 3 runs" in result.err
    assert server.runs == 0
