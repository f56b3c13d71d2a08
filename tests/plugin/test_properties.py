"""The properties of a case in the JUnit file: its app, version, run, tokens, and where a change begins."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import defaultdict

import pytest

from conftest import SUPPORT, filled, suite

LIVE = "--dust-mode=live"
CASES = """\
cases:
  - id: refund
    input: {question: Where is my refund?}
  - id: wrong
    input: {question: Track my parcel}
    expect: {result.label: billing}
"""
TEST = """\
def test_two(dust, request):
    request.node.user_properties.append(("own", "kept"))
    for question in ("Where is my refund?", "I want a refund"):
        dust.run(app="9f1d3b5a7c", specification_hash=HASH, config=CONFIG, input={"question": question})
"""
FLAKY = """\
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    runtestprotocol = item.config.pluginmanager.getplugin("runner").runtestprotocol
    for report in runtestprotocol(item, nextitem=nextitem, log=False):
        report.outcome = "rerun" if report.failed else report.outcome
    getattr(item, "_initrequest", lambda: None)()  # as pytest-rerunfailures does
    item.user_properties[:] = [pair for pair in item.user_properties if pair[0] != "own"]
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    runtestprotocol(item, nextitem=nextitem)
    return True
"""
"""A plugin that runs each item twice, as those do that run failed tests again."""


@pytest.fixture
def project_of_both(project, server):
    """A recorded project of two cases and a Python test, one of whose answers has changed since."""
    files = {"s.dust.yaml": suite(server, SUPPORT, CASES), "test_it.py": filled(TEST, server)}
    after = project.having(files).using(server).recorded()
    server.drift()
    return after


def written(example, *args):
    """Run pytest; give the properties of each test in the JUnit file, each name with its values."""
    after = example.run("--junitxml=out.xml", *args).example
    found = {}
    for test in ET.fromstring(after.files["out.xml"]).iter("testcase"):
        named = found.setdefault(test.get("name"), defaultdict(list))
        for one in test.iter("property"):
            named[one.get("name")].append(one.get("value"))
    return found


@pytest.mark.parametrize("family", ["xunit1", "xunit2"])
def test_a_case_has_properties(project_of_both, server, family):
    """A live case has its app, the version and the run that answered, its tokens, and the changed block."""
    refund = written(project_of_both, LIVE, "-o", f"junit_family={family}")["refund"]
    assert refund.pop("dust.run_id")[0]
    assert int(refund.pop("dust.tokens")[0]) > 0
    assert refund == {
        "dust.app": [SUPPORT],
        "dust.specification_hash": [server.hash(SUPPORT)],
        "dust.begins_in": ["CLASSIFY (llm)"],
    }


def test_without_a_change_nothing_begins(project_of_both):
    """A replayed case, passed or failed, has no block in which a change begins."""
    found = written(project_of_both.offline())
    names = {"dust.app", "dust.specification_hash", "dust.run_id", "dust.tokens"}
    assert set(found["refund"]) == set(found["wrong"]) == names


def test_a_case_without_a_run_has_what_was_asked(project_of_both, server):
    """A case without a cassette has the app and the version that were asked, and no run."""
    bare = project_of_both.offline().having(dict.fromkeys(project_of_both.cassettes))
    assert written(bare)["refund"] == {
        "dust.app": [SUPPORT],
        "dust.specification_hash": [server.hash(SUPPORT)],
    }


def test_a_drift_check_has_its_app(project_of_both, server):
    """A drift check has its app and the version that is pinned."""
    server.save_edited(SUPPORT)
    found = written(project_of_both, "--dust-drift", "-k", "specification")
    assert found["[specification]"]["dust.app"] == [SUPPORT]
    assert found["[specification]"]["dust.specification_hash"] == [server.hash(SUPPORT)]


def test_a_python_test_has_those_of_all_its_runs(project_of_both):
    """A test with two runs has both ids, the tokens of both, the app once, and its own properties."""
    one = written(project_of_both.offline(), "-k", "refund")["refund"]
    both = written(project_of_both.offline(), "-k", "two")["test_two"]
    assert (both["own"], both["dust.app"], len(set(both["dust.run_id"]))) == (["kept"], [SUPPORT], 2)
    assert int(both["dust.tokens"][0]) >= 2 * int(one["dust.tokens"][0])


def test_workers_send_them(project_of_both):
    """With pytest-xdist the JUnit file has the same properties."""
    alone = written(project_of_both.offline())
    assert written(project_of_both.offline(), "-n", "1", "-p", "no:cacheprovider") == alone


def test_an_item_that_runs_again_has_them_once(project_of_both):
    """If a plugin runs an item twice, the properties are those of the last time alone."""
    once = written(project_of_both.offline())
    again = written(project_of_both.offline().having({"conftest.py": FLAKY}))
    assert {name: dict(pairs) for name, pairs in again.items()} == once


def test_they_show_no_secret(project, server):
    """A secret or a redacted value is masked in properties too."""
    server.alter(lambda run: run.update(run_id="t0p-s3cret-value"))
    text = suite(server, SUPPORT, "input: {question: Where is my refund?}\n")
    example = project.having({"s.dust.yaml": text}).using(server).exporting(MY_SECRET="t0p-s3cret-value")
    example = example.having({"pytest.ini": "[pytest]\ndust_secrets = MY_SECRET\n"})
    found = written(example, "--dust-mode=record")["s"]
    assert found["dust.run_id"]
    assert "s3cret" not in str(dict(found))
