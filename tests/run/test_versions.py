"""Gates that would pass unseen: versions that fit no app, runs that are compared with nothing."""

from __future__ import annotations

import re

import pytest

from conftest import QUOTE, SOURCES, SUPPORT, config_of, filled, suite
from pytest_dust.errors import SettingsError
from pytest_dust.report.record import AppCounts
from pytest_dust.run.versions import TriedVersions

OPTION, ON_CHANGE = "--dust-specification-hash", "--dust-on-change=fail"
TYPO = "9f1d3b5a7d"
CASES = """\
cases:
  - id: refund
    input: {question: Where is my refund?}
  - id: parcel
    input: {question: Track my parcel}
"""
ORDERS = "cases:\n  - {id: apples, input: {order: 3 apples}}\n"
TEST = """\
def test_refund(dust):
    asked = {"config": CONFIG, "input": {"question": "Refund"}}
    assert dust.run(app="9f1d3b5a7c", specification_hash=HASH, **asked).result
"""
PLAIN = {"test_plain.py": "def test_plain(): pass\n"}


@pytest.fixture
def one(project, server):
    """One app's suite, recorded, online, and no request noted yet."""
    return recorded(project, server, {"answer.dust.yaml": suite(server, SUPPORT, CASES)})


@pytest.fixture
def both(project, server):
    """Two apps' suites, likewise."""
    files = {
        "answer.dust.yaml": suite(server, SUPPORT, CASES),
        "order.dust.yaml": suite(server, QUOTE, ORDERS),
    }
    return recorded(project, server, files)


@pytest.fixture
def test(project, server):
    """A Python test that runs an app, likewise."""
    return recorded(
        project,
        server,
        {"test_it.py": filled(TEST, server)},
    )


def recorded(project, server, files):
    """The project with these files, recorded."""
    after = project.having(files).using(server).recorded()
    server.requests.clear()
    return after


def refused(result, server):
    """The message of a session that did not begin."""
    assert result.ret == pytest.ExitCode.USAGE_ERROR, result.out
    assert server.requests == []
    assert "Traceback" not in result.out + result.err
    (line,) = [line for line in result.err.splitlines() if line.startswith("ERROR: ")]
    return line


def lines(result):
    """The lines of the summary."""
    return [line for line in result.out.splitlines() if line.startswith("dust: ")]


# ── a version for an app that no suite has ───────────────────────────────────────────────────────


@pytest.mark.parametrize("source", SOURCES)
def test_a_version_for_no_app_is_refused(both, server, source):
    """From each source, a version for an app that no suite has is a usage error with the nearest app."""
    example, args = both.given("specification-hash", f"{TYPO}=latest", by=source)
    message = refused(example.run(*args), server)
    assert f"no suite or test of the app {TYPO} (did you mean {SUPPORT}?)" in message
    assert f"it has: {QUOTE}, {SUPPORT}" in message


def test_one_of_several_that_fits_none_is_refused(both, server):
    """Beside versions that fit, one that fits no app is refused all the same."""
    assert TYPO in refused(both.run(f"{OPTION}=latest", f"{OPTION}={TYPO}={'a' * 64}"), server)


def test_workers_refuse_it_once(both, server):
    """Under xdist the controller ends the session as a usage error, told once, before anything is run."""
    result = both.run(f"{OPTION}={TYPO}=latest", "-n", "2", subprocess=True)
    assert f"did you mean {SUPPORT}?" in refused(result, server)
    assert "node down" not in result.out


def test_a_suite_that_is_left_out_is_none_of_the_session(both, server):
    """An app whose suite is not among what was given to pytest is not of this session."""
    assert QUOTE in refused(both.run(f"{OPTION}={QUOTE}=latest", "answer.dust.yaml"), server)


def test_no_suite_at_all_is_refused(project, server):
    """Where the session has no suite and no test that uses the fixture, no version can be tried."""
    result = project.having(PLAIN).using(server).run(f"{OPTION}=latest")
    assert "has no suite, and no test that uses the fixture dust" in refused(result, server)


def test_the_ini_file_is_for_sessions_with_suites(project, server):
    """A version in the ini file leaves sessions alone that have no suites."""
    example, _ = project.having(PLAIN).using(server).given("specification-hash", "latest", by="ini")
    assert example.run().ret == 0


@pytest.mark.parametrize("option", ["--co", "--dust-check", "--setup-only"])
def test_what_runs_nothing_refuses_nothing(both, option):
    """Where nothing is run, nothing passes for a gate: the session goes on."""
    assert both.run(option, f"{OPTION}={TYPO}=latest").ret == 0


def test_a_broken_suite_might_have_the_app(both):
    """Beside a suite that cannot be read, an unknown app is told at the end, and the errors are shown."""
    result = both.having({"broken.dust.yaml": "app: {"}).run(f"{OPTION}={TYPO}=latest")
    assert result.ret == 1
    assert "broken.dust.yaml:1" in result.out
    assert any(f"no suite or test of the app {TYPO}" in line for line in lines(result))


# ── a bare hash ──────────────────────────────────────────────────────────────────────────────────


def test_a_bare_hash_with_several_apps_is_refused(both, server):
    """A hash is a version of one app: with two apps the message asks for APP_ID=HASH."""
    new = server.hash(SUPPORT, "v2")
    message = refused(both.run(f"{OPTION}={new}"), server)
    assert f"this session has 2: {QUOTE}, {SUPPORT}; give {OPTION}=APP_ID={new}" in message


@pytest.mark.parametrize(
    "args", [("answer.dust.yaml",), ("-k", "refund"), ("--deselect", "order.dust.yaml::apples")]
)
def test_a_bare_hash_fits_where_one_app_is_selected(both, server, args):
    """Where the cases that are selected are of one app, a bare hash is its version."""
    result = both.run(f"{OPTION}={server.hash(SUPPORT, 'v2')}", *args)
    assert result.ret == 0
    assert any(line.startswith(f"dust: app {SUPPORT}: ") for line in lines(result))


def test_a_bare_hash_beside_versions_of_their_own(both, server):
    """Apps with a version of their own do not count for the bare hash; where all have one, it fits none."""
    both.run(f"{OPTION}={server.hash(SUPPORT, 'v2')}", f"{OPTION}={QUOTE}=latest")
    assert server.runs == 3
    server.requests.clear()
    own = [f"{OPTION}={app}=latest" for app in (SUPPORT, QUOTE)]
    assert "fits no app" in refused(both.run(f"{OPTION}={'a' * 64}", *own), server)


def test_latest_fits_all(both, server):
    """`latest` without an app is for every app."""
    assert both.run(f"{OPTION}=latest").ret == 0
    assert server.runs == 3


# ── what is given twice, or empty ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("app", ["", f"{SUPPORT}="])
def test_two_versions_of_one_app_are_refused(one, server, app):
    """One app can be tried at one version; the same version twice is no mistake."""
    message = refused(one.run(f"{OPTION}={app}latest", f"{OPTION}={app}{'a' * 64}"), server)
    assert "is given two versions" in message
    assert one.run(f"{OPTION}={app}latest", f"{OPTION}={app}latest").ret == 0


@pytest.mark.parametrize("option", [OPTION, "--dust-on-change", "--dust-max-runs", "--dust-max-tokens"])
def test_an_option_without_a_value_is_refused(one, server, option):
    """A value that is empty, as an unset shell variable gives it, does not turn the gate off unseen."""
    assert f"{option}: " in refused(one.run(f"{option}=", "--dust-mode=live"), server)


# ── nothing to compare ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("option", [f"{OPTION}=latest", f"{OPTION}={SUPPORT}=latest", "--dust-mode=live"])
def test_a_gate_without_recordings_fails(one, option):
    """Where changes fail and nothing was compared, the session fails and says so, though its cases pass."""
    bare = one.having(dict.fromkeys(one.cassettes))
    result = bare.run(option, ON_CHANGE)
    assert (result.ret, result.outcomes) == (1, {"passed": 2})
    told = f"dust: app {SUPPORT}: 0 compared: 2 runs not compared, as there is no recording"
    assert any(line.startswith(told) for line in lines(result))
    assert f"dust: the gate fails, as nothing was compared for {SUPPORT} (on_change: fail)" in lines(result)


def test_a_suites_own_gate_without_recordings_fails(one):
    """Likewise where the suite itself says that changes fail."""
    bare = one.having(dict.fromkeys(one.cassettes))
    gated = bare.replacing("answer.dust.yaml", "cases:", "baseline: {on_change: fail}\ncases:")
    assert gated.run("--dust-mode=live").ret == 1
    assert gated.run("--dust-mode=live", "--dust-on-change=report").ret == 0


def test_without_a_gate_it_is_only_told(one):
    """Where changes do not fail, a version that was compared with nothing is told, and passes."""
    result = one.having(dict.fromkeys(one.cassettes)).run(f"{OPTION}=latest")
    assert result.ret == 0
    assert any(f"app {SUPPORT}: 0 compared" in line for line in lines(result))


def test_one_app_of_two_without_recordings_fails(both):
    """An app of which nothing was compared fails the gate, whatever was compared of another."""
    half = both.having({name: None for name in both.cassettes if "order" in name})
    result = half.run(f"{OPTION}=latest", ON_CHANGE)
    assert result.ret == 1
    assert f"dust: app {SUPPORT}: 2 unchanged, 0 changed" in lines(result)
    assert f"dust: the gate fails, as nothing was compared for {QUOTE} (on_change: fail)" in lines(result)


def test_a_live_gate_that_compared_in_part_says_so(one):
    """In a live session where changes fail, runs without a recording are counted."""
    (first, *_) = one.cassettes
    result = one.having({first: None}).run("--dust-mode=live", ON_CHANGE)
    assert result.ret == 0
    assert f"dust: app {SUPPORT}: 1 of 2 runs not compared: 1 as there is no recording" in lines(result)


def test_recordings_of_other_inputs_are_nothing_to_compare_with(one):
    """A recording of other inputs is told as the reason why nothing was compared."""
    text = one.files["answer.dust.yaml"].decode()
    other = text.replace("my refund", "the refund").replace("my parcel", "the parcel")
    result = one.having({"answer.dust.yaml": other}).run(f"{OPTION}=latest", ON_CHANGE)
    assert result.ret == 1
    assert any(
        "2 runs not compared, as it was made for another app or other inputs" in each
        for each in lines(result)
    )


def test_an_app_all_of_whose_cases_are_skipped_fails(both):
    """Where all cases of the tried app are skipped, the gate says that nothing was compared, and fails."""
    skipped = both.replacing("answer.dust.yaml", "cases:", "marks: [{skip: later}]\ncases:")
    result = skipped.run(f"{OPTION}=latest", ON_CHANGE)
    assert result.ret == 1
    told = f"dust: app {SUPPORT}: 0 compared: 2 selected cases skipped or not run"
    assert told in lines(result)
    assert skipped.run(f"{OPTION}=latest").ret == 0


def test_a_deselected_app_is_told(both):
    """An app of which no case is selected is told, beside another one that is tried."""
    result = both.run(f"{OPTION}={SUPPORT}=latest", f"{OPTION}={QUOTE}=latest", ON_CHANGE, "-k", "apples")
    assert result.ret == 0
    assert f"dust: app {SUPPORT}: 0 compared: none of its 2 cases is selected" in lines(result)


@pytest.mark.parametrize("args", [("-k", "apples"), ("-m", "slow")])
def test_a_gate_all_of_whose_cases_are_deselected_is_refused(both, server, args):
    """Where no selected case is of a tried app, the session would try nothing: a usage error."""
    marked = both.having({"pytest.ini": "[pytest]\nmarkers = slow\n"})
    marked = marked.replacing("order.dust.yaml", "cases:", "marks: [slow]\ncases:")
    message = refused(marked.run(f"{OPTION}={SUPPORT}=latest", *args), server)
    assert f"no selected case is of {SUPPORT}" in message


def test_changes_that_cannot_fail_are_told(one):
    """On the command line, --dust-on-change=fail without a live run says that nothing was compared."""
    result = one.offline().run(ON_CHANGE)
    assert result.ret == 0
    assert "dust: 0 compared: --dust-on-change=fail is for live runs (--dust-mode=live)" in lines(result)
    quiet, _ = one.offline().given("on-change", "fail", by="ini")
    assert "0 compared" not in quiet.run().out


# ── no other version ─────────────────────────────────────────────────────────────────────────────

SAME = "dust: no other version was tried of app {}: the one that ran is the one that is pinned"


@pytest.mark.parametrize("given", ["HASH", "latest"])
def test_the_pinned_version_is_told_as_such(one, server, given):
    """Where the version that ran is the pinned one, the summary says that nothing else was tried."""
    result = one.run(f"{OPTION}={SUPPORT}={given.replace('HASH', server.hash(SUPPORT))}")
    assert result.ret == 0
    assert any(line.startswith(SAME.format(SUPPORT)) for line in lines(result))


def test_another_version_is_not_told_as_the_pinned_one(one, server):
    """Where another version ran, nothing of the kind is said."""
    assert "no other version" not in one.run(f"{OPTION}={server.hash(SUPPORT, 'v2')}").out


# ── tests that use the fixture ───────────────────────────────────────────────────────────────────


def test_an_app_of_the_fixture_alone_fits(test, server):
    """A version for an app that only a Python test runs fits."""
    result = test.run(f"{OPTION}={SUPPORT}={server.hash(SUPPORT, 'v2')}", ON_CHANGE)
    assert "no suite" not in result.out + result.err
    assert server.runs == 1


def test_an_app_that_no_test_was_recorded_with_is_refused(test, server):
    """The apps of Python tests are known by their recordings: a typo is refused before the first run."""
    message = refused(test.run(f"{OPTION}={TYPO}=latest"), server)
    assert f"no suite or test of the app {TYPO} (did you mean {SUPPORT}?)" in message


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_an_app_that_no_test_ran_fails_the_session(test, workers):
    """Where tests have no recordings, a version that fits no run fails the session at its end, by name."""
    unrecorded = test.having(dict.fromkeys(test.cassettes))
    result = unrecorded.run(f"{OPTION}={TYPO}=latest", *workers)
    assert (result.ret, result.outcomes) == (1, {"passed": 1})
    told = f"no suite or test of the app {TYPO} (did you mean {SUPPORT}?)"
    assert any(told in line for line in lines(result))


def test_a_bare_hash_for_two_apps_of_tests_is_refused(test, server):
    """A bare hash that a test's app has is refused to the next app that a test runs, before its run."""
    config = config_of(QUOTE)
    body = f"    dust.run(app='{QUOTE}', config={config!r}, input={{'order': '1 pear'}})\n"
    example = test.having({"test_it.py": test.files["test_it.py"].decode() + body})
    result = example.run(f"{OPTION}={server.hash(SUPPORT)}")
    assert (result.ret, result.outcomes) == (1, {"failed": 1})
    assert f"{OPTION}=APP_ID={server.hash(SUPPORT)}" in result.report
    assert server.runs == 1


def test_a_bare_hash_for_the_apps_of_a_suite_and_a_test_is_refused(test, server):
    """The apps of suites count with those of tests."""
    example = test.having({"order.dust.yaml": suite(server, QUOTE, ORDERS)})
    example = example.run("--dust-mode=record").example
    server.requests.clear()
    assert "this session has 2" in refused(example.run(f"{OPTION}={server.hash(QUOTE)}"), server)


def test_a_test_without_a_recording_fails_the_gate(test):
    """A gate whose only run, of a Python test, has no recording fails."""
    result = test.having(dict.fromkeys(test.cassettes)).run(f"{OPTION}=latest", ON_CHANGE)
    assert (result.ret, result.outcomes) == (1, {"passed": 1})
    assert any(f"app {SUPPORT}: 0 compared" in line for line in lines(result))


def test_tests_without_the_fixture_are_no_tests_of_apps(one, server):
    """A Python test that does not use the fixture keeps no misspelt app from being refused."""
    assert TYPO in refused(one.having(PLAIN).run(f"{OPTION}={TYPO}=latest"), server)


# ── drift ────────────────────────────────────────────────────────────────────────────────────────


def test_drift_without_a_pinned_hash_is_refused(one, server):
    """Where no suite pins a hash, --dust-drift has nothing to ask: a usage error."""
    loose = one.replacing("answer.dust.yaml", server.hash(SUPPORT), "latest")
    assert "no suite of this session pins a hash" in refused(loose.run("--dust-drift"), server)
    assert "no suite of this session pins a hash" in refused(loose.having(PLAIN).run("--dust-drift"), server)


def test_drift_in_the_ini_file_leaves_other_sessions_alone(project, server):
    """Set in the ini file, drift is nothing to sessions without suites."""
    example, _ = project.having(PLAIN).using(server).given("drift", "true", by="ini")
    assert example.run().ret == 0


def test_drift_that_is_not_asked_is_told(one):
    """Where the items that ask are not selected, the session says that drift was not asked."""
    result = one.run("--dust-drift", "-k", "refund")
    assert any(line.startswith("dust: --dust-drift asked nothing") for line in lines(result))
    assert "asked nothing" not in one.run("--dust-drift").out


# ── the rule itself ──────────────────────────────────────────────────────────────────────────────

A, B = "a" * 10, "b" * 10
HASH = "f" * 64
TABLE = {
    "latest": ({"": "latest"}, {A: 1, B: 1}, 0, ""),
    "one app": ({"": HASH}, {A: 1}, 0, ""),
    "two apps": ({"": HASH}, {A: 1, B: 1}, 0, "has 2"),
    "one of two selected": ({"": HASH}, {A: 1, B: 0}, 0, ""),
    "own": ({A: HASH}, {A: 1, B: 1}, 0, ""),
    "typo": ({"a" * 9 + "b": HASH}, {A: 1}, 0, "did you mean aaaaaaaaaa?"),
    "far from any": ({"zz": HASH}, {A: 1}, 0, "no suite or test of the app zz; it has: aaaaaaaaaa"),
    "typo with tests": ({"zz": HASH}, {A: 1}, 1, ""),
    "two apps with tests": ({"": HASH}, {A: 1, B: 1}, 1, "has 2"),
    "no apps": ({"": "latest"}, {}, 0, "has no suite"),
    "no apps but tests": ({"": HASH}, {}, 2, ""),
    "nothing selected of it": ({A: HASH}, {A: 0, B: 1}, 0, "no selected case is of aaaaaaaaaa"),
    "nothing selected at all": ({A: HASH}, {A: 0}, 0, ""),
    "fits none": ({"": HASH, A: HASH}, {A: 1}, 0, "fits no app"),
    "latest for the rest of none": ({"": "latest", A: HASH}, {A: 1}, 0, ""),
}


@pytest.mark.parametrize("row", TABLE)
def test_which_versions_fit(row):
    """A version fits the app it names, a bare hash one app, `latest` all."""
    versions, selected, tests, words = TABLE[row]
    counts = AppCounts(dict.fromkeys(selected, 1), selected, tests=tests)
    tried = TriedVersions(versions, counts)
    if not words:
        tried.refuse_misfit(unread=False)
        return
    with pytest.raises(SettingsError, match=re.escape(words)):
        tried.refuse_misfit(unread=False)


def test_many_apps_are_counted():
    """A message names a dozen apps and counts the others."""
    fifty = AppCounts({f"app{at:02}": 1 for at in range(50)})
    with pytest.raises(SettingsError, match="app11 and 38 more apps"):
        TriedVersions({"x": HASH}, fifty).refuse_misfit(unread=False)
