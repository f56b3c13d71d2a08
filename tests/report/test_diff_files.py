"""What changed is written to `--dust-diff-dir`: a file for each case, in that folder and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import CASE, SUPPORT, config_of, suite, unwritable
from pytest_dust.report.diff_files import Differences

MODULE = f"""\
def test_a(dust):
    dust.run(app="{SUPPORT}", config={config_of(SUPPORT)}, input={{"question": "Where is my refund?"}})
"""


@pytest.fixture
def changed(one, server):
    """The project `one`, recorded, before an app that answers otherwise now."""
    recorded = one.run("--dust-mode=record").example
    server.drift()
    server.requests.clear()
    return recorded


def written(example):
    """The names of the project's difference files."""
    return [name for name in example.files if name.endswith(".diff")]


def elsewhere(tmp_path_factory):
    """A folder outside of the project, with a file in it."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "a.diff").write_text("mine")
    return folder


def test_a_file_holds_what_changed(changed):
    """Without trouble, the difference is in the folder, in a file that is written anew each time."""
    for _ in range(2):
        result = changed.run("--dust-mode=live", "--dust-diff-dir=x/diffs")
        assert written(result.example) == ["x/diffs/a/a.diff"]
        assert b"CLASSIFY" in result.example.files["x/diffs/a/a.diff"]


@pytest.mark.parametrize("link", ["diffs", "x"])
@pytest.mark.parametrize("absolute", [False, True], ids=["relative", "absolute"])
def test_a_folder_behind_a_link_is_refused_before_a_run(changed, server, tmp_path_factory, link, absolute):
    """Where a link leads to the folder, the case says where it leads, nothing is written and nothing run."""
    outside = elsewhere(tmp_path_factory)
    (changed.root / link).symlink_to(outside)
    name = "diffs" if link == "diffs" else "x/diffs"
    setting = str(changed.root / name) if absolute else name
    result = changed.run("--dust-mode=live", f"--dust-diff-dir={setting}")
    assert (result.ret, result.outcomes, server.runs) == (1, {"failed": 1}, 0)
    assert f"--dust-diff-dir={setting} leads by a symbolic link to {outside}" in result.report
    assert [path.name for path in outside.rglob("*")] == ["a.diff"]
    (changed.root / link).unlink()


@pytest.mark.parametrize(("there", "setting"), [("diffs", "diffs"), ("x", "x/y/diffs")])
def test_a_file_in_the_folders_place_is_told_before_a_run(changed, server, there, setting):
    """Where a file stands in the folder's place, the case says so, and nothing is run."""
    result = changed.having({there: "mine"}).run("--dust-mode=live", f"--dust-diff-dir={setting}")
    assert (result.ret, result.outcomes, server.runs) == (1, {"failed": 1}, 0)
    assert f"--dust-diff-dir={setting} cannot be a folder, as {there} is a file" in result.report
    assert result.example.files[there] == b"mine"


@pytest.mark.parametrize("setting", [".", "x"])
def test_a_folder_that_nobody_may_write_to_is_told_before_a_run(changed, server, setting):
    """Where the folder, or the one that it would be made in, is read-only, nothing is run."""
    with unwritable(changed.root):
        result = changed.run("--dust-mode=live", f"--dust-diff-dir={setting}")
    assert (result.outcomes, server.runs) == ({"failed": 1}, 0)
    assert f"--dust-diff-dir={setting} cannot be written to; name another folder" in result.report


def test_what_is_not_needed_is_not_refused(changed):
    """In replay nothing is written, and the folder may be anything."""
    example = changed.having({"diffs": "mine"})
    assert example.run("--dust-diff-dir=diffs").outcomes == {"passed": 1}
    assert example.run("--dust-diff-dir=diffs", "--dust-mode=record").outcomes == {"passed": 1}


@pytest.mark.parametrize(("link", "to"), [("diffs/a", "."), ("diffs/a/a.diff", "a.diff")])
def test_no_link_in_the_folder_leads_out_of_it(changed, tmp_path_factory, link, to):
    """Where a link in the folder leads out of it, the case says so, and what it leads to stays as it is."""
    outside = elsewhere(tmp_path_factory)
    conftest = "import os\nfrom pathlib import Path\n"
    conftest += f"Path({link!r}).parent.mkdir(parents=True)\nos.symlink({str(outside / to)!r}, {link!r})\n"
    result = changed.having({"conftest.py": conftest}).run("--dust-mode=live", "--dust-diff-dir=diffs")
    assert (result.ret, result.outcomes) == (1, {"failed": 1})
    told = "cannot write a.diff to --dust-diff-dir: a symbolic link leads out of the folder, to "
    assert f"{told}{outside}" in result.report
    assert [(path.name, path.read_text()) for path in outside.iterdir()] == [("a.diff", "mine")]


def test_a_folder_in_a_files_place_is_told(changed):
    """Where a file cannot be written, the case says which and why."""
    result = changed.having({"diffs/a/a.diff/x": "mine"}).run("--dust-mode=live", "--dust-diff-dir=diffs")
    assert (result.ret, result.outcomes) == (1, {"failed": 1})
    assert "cannot write a.diff to --dust-diff-dir: Is a directory" in result.report


def test_a_python_test_is_refused_likewise(project, server, tmp_path_factory):
    """What holds for cases of suites holds for the runs of Python tests."""
    recorded = project.having({"test_a.py": MODULE}).using(server).run("--dust-mode=record").example
    (recorded.root / "diffs").symlink_to(elsewhere(tmp_path_factory))
    server.requests.clear()
    result = recorded.run("--dust-mode=live", "--dust-diff-dir=diffs")
    assert (result.outcomes, server.runs) == ({"failed": 1}, 0)
    assert "--dust-diff-dir=diffs leads by a symbolic link to " in result.report
    (recorded.root / "diffs").unlink()


def test_no_two_cases_have_one_file(project, server):
    """Suites and modules whose names are alike have files of their own, from wherever pytest is called."""
    text = suite(server, SUPPORT, f"cases:\n  - id: test_a\n    {CASE.splitlines()[0]}\n")
    files = {"x/test_a.py.dust.yaml": text, "x/test_a.py": MODULE, "y/x/test_a.py.dust.yaml": text}
    recorded = project.having(files).using(server).run("--dust-mode=record").example
    server.drift()
    result = recorded.run("--dust-mode=live", f"--dust-diff-dir={project.root}/diffs", ".", "../x", cwd="y")
    assert len(written(result.example)) == 3


@pytest.mark.parametrize(
    ("shown", "case", "expected"),
    [
        ("answer.dust.yaml", "refund", "answer/refund.diff"),
        ("support/answer.dust.yaml", "refund", "support/answer/refund.diff"),
        ("../support/answer.dust.yaml", "refund", "~1/support/answer/refund.diff"),
        ("../../answer.dust.yaml", "nul", r"~2/answer/nul~"),
        ("~1/answer.dust.yaml", "refund", "-1~"),
        ("x/nul.dust.yaml", "refund", "x/nul~"),
        ("test_it.py", "test_it", "test_it.py/test_it.diff"),
    ],
)
def test_a_file_is_named_after_its_case(shown, case, expected):
    """A file stands where its case is seen from where pytest was called, under a name that disks hold."""
    found = Differences("diffs", Path("/here")).place(shown, case)
    assert found.relative_to("/here/diffs").as_posix().startswith(expected)
