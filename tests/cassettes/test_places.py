"""Where cassettes are: each suite and module has a folder of its own, whatever the settings and the names."""

from __future__ import annotations

import os
import re
from itertools import permutations
from pathlib import Path, PureWindowsPath

import pytest
from answers import bounded
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_dust.cassettes import places
from pytest_dust.cassettes.files import folder_of
from pytest_dust.cassettes.places import earlier_places, place
from pytest_dust.files import names as file_names

ROOT = Path("/project")
MARK = r"~[0-9a-f]{8}"


def shown(file: str, setting: str) -> str:
    """Give the place of a suite's or module's cassettes, below the project where it is there."""
    found = place(ROOT / file, setting)
    return found.relative_to(ROOT).as_posix() if found.is_relative_to(ROOT) else found.as_posix()


@pytest.mark.parametrize(
    ("suite", "setting", "expected"),
    [
        ("answer.dust.yaml", "cassettes", "cassettes/answer"),
        ("support/answer.dust.yaml", "cassettes", "support/cassettes/answer"),
        ("support/answer.dust.yaml", "kept/runs", "support/kept/runs/answer"),
        ("support/answer.dust.yaml", "./kept/x/..//runs/", "support/kept/runs/answer"),
        ("v1.2.dust.yaml", "cassettes", "cassettes/v1.2"),
        ("Answer.dust.yaml", "cassettes", "cassettes/Answer"),
        ("test_it.py", "cassettes", "cassettes/test_it.py"),
    ],
)
def test_beside_the_suite_it_is_the_suites_name(suite, setting, expected):
    """A folder in the suite's own directory holds one named after the suite, or the whole of a module."""
    assert shown(suite, setting) == expected


@pytest.mark.parametrize(
    ("suite", "setting", "expected"),
    [
        ("shop/answer.dust.yaml", "../cassettes", "cassettes/shop/answer.dust.yaml"),
        ("shop/answer.dust.yaml", "../kept/cassettes", "kept/cassettes/~2/shop/answer.dust.yaml"),
        ("a/shop/answer.dust.yaml", "../../cassettes", "cassettes/a/shop/answer.dust.yaml"),
        ("shop/test_it.py", "../cassettes", "cassettes/shop/test_it.py.dust"),
        ("shop/answer.dust.yaml", "/project/kept", "kept/shop/answer.dust.yaml"),
        ("answer.dust.yaml", "/project/kept", "kept/answer.dust.yaml"),
        ("shop/answer.dust.yaml", "/project", "~0/shop/answer.dust.yaml"),
        ("shop/answer.dust.yaml", ".", "shop/~0/answer.dust.yaml"),
        ("shop/answer.dust.yaml", "/kept/here", "/kept/here/~2/project/shop/answer.dust.yaml"),
    ],
)
def test_a_shared_folder_repeats_the_way_to_the_suite(suite, setting, expected):
    """Where several directories share a folder, it holds the way to each suite and the suite's whole name."""
    assert shown(suite, setting) == expected


NAMES = ["a", "b", "A", "cassettes", "x.dust", "~1", "c d", "test_a.py", "kept", "nul", "é"]
LEAVES = [
    "a.dust.yaml", "A.dust.yaml", "b.dust.yaml", ".dust.yaml", "..dust.yaml", "...dust.yaml", "a..dust.yaml",
    "cassettes.dust.yaml", "kept.dust.yaml", "nul.dust.yaml", "NUL.dust.yaml", "nul.x.dust.yaml",
    "test_a.py", "test_a.py.dust.yaml", "test_a.py.dust.yaml.dust.yaml", "a.dust.yaml.dust.yaml",
    "README.md", "README.md.dust.yaml", "README.md.dust.dust.yaml", "a b.dust.yaml", "é.dust.yaml",
    f"a~{file_names.digest('a.')}.dust.yaml", f"nul~{file_names.digest('nul')}.dust.yaml",
]  # fmt: skip
files = st.builds(
    lambda folders, name: ROOT.joinpath(*folders, name),
    st.lists(st.sampled_from(NAMES), max_size=4),
    st.sampled_from(LEAVES),
)
projects = st.lists(files, min_size=2, max_size=8, unique=True)
BESIDE = ["cassettes", "kept", "a", "./cassettes", "kept/cassettes", "a/b", "b/a/b"]
ABOVE = [
    ".", "..", "../cassettes", "../a", "../../cassettes", "../kept/cassettes", "../../a/b",
    "cassettes/../../cassettes",
]  # fmt: skip
ABSOLUTE = ["/kept", "/", "/project", "/project/cassettes", "/project/a", "/project/a/b"]
all_settings = st.sampled_from([*BESIDE, *ABOVE, *ABSOLUTE])


def folded(path: Path) -> Path:
    """Give a path as a disk sees it that folds letters."""
    return Path(str(path).casefold())


def apart(paths: list[Path], setting: str) -> None:
    """Assert that no file has its cassettes at another's place, nor in it, where letters are folded."""
    placed = {path: folded(place(path, setting)) for path in paths}
    for mine, its in permutations(paths, 2):
        if not folded(mine).is_relative_to(placed[its]):  # a suite that itself lies among another's cassettes
            assert not placed[mine].is_relative_to(placed[its])


@bounded
@given(projects, st.sampled_from([*BESIDE, *ABOVE]))
def test_no_two_suites_have_one_place(paths, setting):
    """Of files that one disk holds, none has its cassettes at the place of another's, nor in it."""
    assume(not any(folded(one).is_relative_to(folded(other)) for one, other in permutations(paths, 2)))
    apart(paths, setting)


@bounded
@given(projects, st.sampled_from(ABSOLUTE))
def test_no_two_suites_have_one_place_in_an_absolute_folder(paths, setting):
    """In an absolute folder the same holds, even if its disk folds letters and the suites' disk does not."""
    assume(not any(one.is_relative_to(other) for one, other in permutations(paths, 2)))
    apart(paths, setting)


@bounded
@given(files, all_settings, st.sampled_from(["/project", "/project/a", "/"]))
def test_the_place_hangs_on_nothing_else(path, setting, root):
    """Neither the rootdir nor the current directory moves a suite's cassettes."""
    found = folder_of(path, setting, Path(root)).path
    assert found == place(path, setting)
    assert found.is_absolute()


@bounded
@given(files, all_settings)
def test_a_place_stays_in_the_folder_that_is_named(path, setting):
    """Whatever a suite is called, its cassettes are in the folder that the setting names."""
    folder = Path(os.path.normpath(path.parent / setting))
    assert place(path, setting) != folder
    assert place(path, setting).is_relative_to(folder)


@pytest.mark.parametrize(
    ("suite", "setting", "expected"),
    [
        ("answer.dust.yaml", "cassettes", []),
        ("test_it.py", "cassettes", []),
        ("nul.dust.yaml", "cassettes", ["cassettes/nul"]),
        ("test_it.py.dust.yaml", "cassettes", ["cassettes/test_it.py"]),
        ("shop/answer.dust.yaml", "../cassettes", ["cassettes/answer"]),
        (
            "shop/answer.dust.yaml",
            "/project/kept",
            ["kept/project/shop/answer", "kept/shop/answer", "kept/answer"],
        ),
    ],
)
def test_earlier_versions_put_them_elsewhere(suite, setting, expected):
    """Where the layout has changed, the places of earlier versions are known, whatever the rootdir was."""
    found = earlier_places(ROOT / suite, setting)
    assert [path.relative_to(ROOT).as_posix() for path in found] == expected


# ── names ────────────────────────────────────────────────────────────────────────────────────────

RESERVED = ["nul", "aux", "con", "prn", "com1", "lpt9", "nul.x", "aux.tar.gz", "con.", "com1.dust", "conin$"]


@pytest.mark.parametrize("case", RESERVED)
def test_a_reserved_name_is_avoided(case):
    """A case or suite that Windows would take for a device has a file and a folder of another name."""
    for name in (file_names.case_file(case), place(ROOT / f"{case}.dust.yaml", "cassettes").name):
        assert not file_names.is_reserved(name)
        assert not file_names.is_reserved(f"{name}.json")
        assert file_names.has_digest(name)


@pytest.mark.parametrize(
    "case", ["null", "auxiliary", "com", "com10", "lpt", "a.nul", "a.", "TestIt.test_one", "a-b_c"]
)
def test_a_plain_name_stays(case):
    """What only looks like a reserved name keeps its own."""
    assert file_names.case_file(case) == case


def test_a_name_that_no_disk_holds_is_cut():
    """A case's id of any length has a file name that a disk takes."""
    names = {file_names.case_file("x" * length) for length in (250, 251, 5000)}
    assert len(names) == 3
    assert max(map(len, names)) < 200


ids = st.text("abn.ul~-[]_ABé/ :", min_size=1, max_size=12) | st.sampled_from(
    [*RESERVED, "nul[a]", "nul.x[y]"]
)


@bounded
@given(st.lists(ids, min_size=2, unique=True, max_size=6))
def test_no_two_cases_have_one_file(cases):
    """Different ids have different file names, each of which every file system holds."""
    names = [file_names.case_file(case) for case in cases]
    assert len(set(names)) == len(names)
    for name in names:
        assert "/" not in name
        assert not file_names.is_reserved(f"{name}.json")


@pytest.mark.parametrize(
    ("setting", "absolute"),
    [
        ("cassettes", False),
        (r"kept\runs", False),
        ("..", False),
        (r"C:\cassettes", True),
        ("C:cassettes", True),
        (r"\cassettes", True),
        ("/cassettes", True),
        (r"\\server\share\cassettes", True),
    ],
)
def test_a_setting_with_a_drive_or_a_root_is_one_folder_for_all(monkeypatch, setting, absolute):
    """On Windows, a folder on a drive or below its root is the same one for suites of all directories."""
    monkeypatch.setattr(places, "PurePath", PureWindowsPath)
    assert places.is_absolute(setting) is absolute


@pytest.mark.parametrize(
    ("directory", "folder", "names"),
    [
        (r"C:\work\shop", r"C:\work\cassettes", ["shop"]),
        (r"C:\work", r"C:\work\kept\cassettes", ["~2"]),
        (r"C:\work\Shop", r"C:\work\cassettes", [rf"shop{MARK}"]),
        (r"C:\work\con", r"C:\work\cassettes", [rf"con{MARK}"]),
        (r"D:\work\shop", r"C:\cassettes", ["~2", rf"d-{MARK}", "work", "shop"]),
        (r"\\server\share\shop", r"C:\cassettes", ["~2", rf"-server-share-{MARK}", "shop"]),
    ],
)
def test_the_way_from_another_drive(directory, folder, names):
    """Windows paths, also those on another drive, have names for folders that every file system holds."""
    found = list(places.way(PureWindowsPath(directory), PureWindowsPath(folder)))
    assert len(found) == len(names)
    for name, wanted in zip(found, names, strict=True):
        assert re.fullmatch(wanted, name), name
        assert PureWindowsPath(name).name == name
        assert not file_names.is_reserved(name)
