"""A missing workspace, space and API key are named together, with what to export."""

from __future__ import annotations

from itertools import combinations

import pytest

from conftest import SUPPORT
from pytest_dust.dust.missing import refuse_missing
from pytest_dust.errors import ServiceError

GIVEN = {"DUST_WORKSPACE_ID": "no workspace", "DUST_SPACE_ID": "no space", "DUST_API_KEY": "no API key"}
SOME = [chosen for count in (1, 2, 3) for chosen in combinations(GIVEN, count)]
ALL = "no workspace, no space and no API key: "
EXPORT = "export DUST_WORKSPACE_ID=… DUST_SPACE_ID=… DUST_API_KEY=sk-…"
TEST = f"def test_it(dust):\n    dust.run(app='{SUPPORT}', input={{}})\n"


def without(example, names):
    """The project without these environment variables."""
    environ = {name: value for name, value in example.environ.items() if name not in names}
    return example.offline().exporting(**environ)


@pytest.mark.parametrize("lacking", SOME, ids=lambda names: "+".join(name[5:8] for name in names))
def test_all_that_is_missing_is_told_at_once(one, server, lacking):
    """A case that needs the network names all that is missing, and what to export for it."""
    result = without(one, lacking).run("--dust-mode=live")
    assert result.outcomes == {"failed": 1}
    told = next(line for line in result.report.splitlines() if "this run uses the network" in line)
    assert {name for name, words in GIVEN.items() if words in told} == set(lacking)
    exported = told.partition("; export ")[2].split(" (")[0].split(", or")[0]
    assert [each.partition("=")[0] for each in exported.split()] == list(lacking)
    for name, option in (("DUST_WORKSPACE_ID", "workspace"), ("DUST_SPACE_ID", "space")):
        assert (f"--dust-{option}" in told) == (f"app.{option}" in told) == (name in lacking)
    assert "or replay from cassettes with --dust-mode=replay" in told
    assert server.requests == []


def test_the_short_summary_has_it_too(support):
    """Each case's line in the summary begins with what is missing."""
    result = without(support, GIVEN).run("--dust-mode=live")
    lines = [line for line in result.out.splitlines() if line.startswith("FAILED")]
    assert len(lines) == 3
    assert all("no workspace, no space and no API key" in line for line in lines)


def test_the_fixture_tells_all_at_once(project, server):
    """A test that runs an app names all that is missing."""
    result = project.having({"test_it.py": TEST}).run("--dust-mode=live")
    assert f"ServiceError: {ALL}" in result.report
    assert EXPORT in result.report
    assert server.requests == []


@pytest.mark.parametrize("errand", ["--dust-apps", "--dust-new=9f1d3b5a7c"])
def test_listing_apps_tells_all_at_once(project, server, errand):
    """`--dust-apps` and `--dust-new` name all that is missing, without advice on suites and replay."""
    result = project.run(errand)
    assert result.ret == 4
    assert f"ERROR: {ALL}the list of apps comes from the network; {EXPORT}" in result.err
    assert "(or give --dust-workspace and --dust-space)" in result.err
    for word in ("replay", "Traceback", "suite"):
        assert word not in result.err
    assert server.requests == []


def test_drift_tells_all_at_once(recorded, server):
    """The item that checks for drift names all that is missing."""
    result = recorded.run("--dust-drift")
    assert f"  {ALL}the list of apps comes from the network; {EXPORT}" in result.report
    assert server.requests == []


def test_an_address_in_the_suite_is_not_missing(one, server):
    """A workspace and a space in the suite need not be exported."""
    place = f"workspace: {server.workspace}, space: {server.space}"
    example = one.replacing("a.dust.yaml", "app: {", f"app: {{{place}, ")
    assert without(example, ["DUST_WORKSPACE_ID", "DUST_SPACE_ID"]).run("--dust-mode=live").outcomes == {
        "passed": 1
    }
    result = without(example, GIVEN).run("--dust-mode=live")
    assert "no API key: this run uses the network; export DUST_API_KEY=sk-…, or replay" in result.report


@pytest.mark.parametrize("key", [" ", "\n", ""])
def test_a_blank_is_nothing(key):
    """A blank key is a missing one."""
    with pytest.raises(ServiceError, match=r"^no API key: "):
        refuse_missing("w", "s", {"DUST_API_KEY": key})
    refuse_missing("w", "s", {"DUST_API_KEY": f"sk-1{key}"})
