"""Suites share, overwrite and prune no cassettes of one another, wherever the folder of cassettes is."""

from __future__ import annotations

import ntpath
import shutil
from pathlib import PureWindowsPath
from types import SimpleNamespace

import pytest

from conftest import SUPPORT, suite
from pytest_dust.cassettes import orphans
from pytest_dust.files.names import digest

SHOP = """\
cases:
  - id: refund
    input: {question: Where is my refund?}
  - id: old
    input: {question: Hi}
"""
HELP = SHOP.replace("my refund", "my parcel")
MODULE = (
    "def test_refund(dust):\n    run = dust.run(app='9f1d3b5a7c', input={'question': 'Track my parcel'})\n"
)


@pytest.fixture
def two(project, server):
    """A project with a suite of one name in each of two directories, asking for different things."""
    files = {"shop/answer.dust.yaml": suite(server, SUPPORT, SHOP)}
    files |= {"help/answer.dust.yaml": suite(server, SUPPORT, HELP)}
    return project.having(files).using(server)


def places(example):
    """A map of settings: their names and what to type for each."""
    outside = example.root.parent / f"{example.root.name}-kept"
    return {
        "relative": ["-o", "dust_cassette_dir=../cassettes"],
        "deeper": ["-o", "dust_cassette_dir=../kept/x/cassettes"],
        "far": ["-o", "dust_cassette_dir=../../cassettes"],
        "inside": ["-o", f"dust_cassette_dir={example.root}/cassettes"],
        "root": ["-o", f"dust_cassette_dir={example.root}"],
        "outside": ["-o", f"dust_cassette_dir={outside}"],
        "up": ["-o", "dust_cassette_dir=.."],
        "here": ["-o", "dust_cassette_dir=."],
        "beside": ["-o", "dust_cassette_dir=sub/dir"],
        "dotted": ["-o", "dust_cassette_dir=./x/"],
    }


SETTINGS = ["relative", "deeper", "far", "inside", "root", "outside", "up", "here", "beside", "dotted"]
each_setting = pytest.mark.parametrize("setting", SETTINGS)


def kept(example):
    """The cassettes below the project and beside it, with their bytes."""
    folders = (
        example.root,
        example.root.parent / "cassettes",
        example.root.parent / f"{example.root.name}-kept",
    )
    return {path: path.read_bytes() for folder in folders for path in folder.rglob("*.json")}


@pytest.fixture(autouse=True)
def _nothing_left(project):
    """Remove what a test kept beside its project."""
    yield
    shutil.rmtree(project.root.parent / "cassettes", ignore_errors=True)


def without_old(example, *names):
    """The project whose suites of these names have lost the case `old`."""
    for name in names:
        example = example.replacing(name, "  - id: old\n    input: {question: Hi}\n", "")
    return example


@each_setting
def test_suites_of_one_name_overwrite_nothing(two, server, setting):
    """Suites of one name in two directories are recorded apart, and replayed each from its own."""
    typed = places(two)[setting]
    result = two.run("--dust-mode=record", *typed)
    assert (result.outcomes, server.runs, len(kept(two))) == ({"passed": 4}, 4, 4)
    again = result.example.offline()
    assert again.run(*typed).outcomes == {"passed": 4}
    assert again.run("--dust-check", *typed).ret == 0


@each_setting
def test_a_directory_prunes_its_own_suites_only(two, setting):
    """`pytest help --dust-prune` removes what help lost, and nothing that shop has or lost."""
    typed = places(two)[setting]
    recorded = two.run("--dust-mode=record", *typed).example.offline()
    before = kept(two)
    less = without_old(recorded, "shop/answer.dust.yaml", "help/answer.dust.yaml")
    result = less.run("help", "--dust-prune", *typed)
    assert "dust: pruned 1 orphaned cassette: " in result.out
    (gone,) = set(before) - set(kept(two))
    assert "help" in gone.parts
    assert gone.name == "old.json"


@each_setting
def test_a_whole_prune_keeps_each_suites_own(two, setting):
    """A whole prune removes what one of two suites of one name lost, not the other's case of that id."""
    typed = places(two)[setting]
    recorded = two.run("--dust-mode=record", *typed).example.offline()
    before = kept(two)
    result = without_old(recorded, "help/answer.dust.yaml").run("--dust-prune", *typed)
    assert "dust: pruned 1 orphaned cassette: " in result.out
    assert [path.name for path in set(before) - set(kept(two))] == ["old.json"]
    assert result.example.run("shop", *typed).outcomes == {"passed": 2}


CHOSEN = [("-k", "refund"), ("help/answer.dust.yaml",), ("help/answer.dust.yaml::refund",)]


@pytest.mark.parametrize("chosen", CHOSEN, ids=str)
def test_a_selection_prunes_nothing_in_a_shared_folder(two, chosen):
    """With `-k`, a file or an id nothing is pruned."""
    typed = places(two)["relative"]
    recorded = two.run("--dust-mode=record", *typed).example.offline()
    before = kept(two)
    less = without_old(recorded, "help/answer.dust.yaml")
    assert "dust: pruned nothing" in less.run("--dust-prune", *chosen, *typed).out
    assert kept(two) == before


@pytest.mark.parametrize("setting", ["relative", "outside", "inside"])
def test_neither_rootdir_nor_ini_moves_a_place(two, server, setting):
    """Another ini, rootdir or current directory finds the same cassettes, and overwrites no others."""
    third = {"shop/shop/answer.dust.yaml": two.files["help/answer.dust.yaml"]}
    more = two.having({"other/x.ini": "[pytest]\n", **third})
    typed = places(more)[setting]
    more = more.run("--dust-mode=record", *typed).example
    assert server.runs == 6
    before = kept(more)
    root = str(more.root)
    for way in (["-c", "other/x.ini", root], ["--rootdir=shop"], ["--rootdir=/"], ["help", "shop"]):
        for options in (["--dust-mode=record"], ["--dust-prune"]):
            assert more.run(*options, *typed, *way).outcomes == {"passed": 6}
    result = more.run("--dust-mode=record", *typed, "answer.dust.yaml", cwd="shop/shop")
    assert (result.outcomes, server.runs) == ({"passed": 2}, 6)
    assert kept(more) == before


@pytest.mark.parametrize("setting", ["relative", "outside", "beside"])
def test_suites_from_outside_of_the_rootdir_have_their_own(two, server, setting, tmp_path_factory):
    """A suite that lies outside of the rootdir shares no place with one inside of it."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "shop"
    elsewhere.mkdir()
    (elsewhere / "answer.dust.yaml").write_bytes(two.files["help/answer.dust.yaml"])
    typed = places(two)[setting]
    both = two.having({"help/answer.dust.yaml": None})
    recorded = both.run("--dust-mode=record", *typed, "shop", str(elsewhere)).example.offline()
    assert server.runs == 4
    assert recorded.run(*typed, "shop", str(elsewhere), "--dust-prune").outcomes == {"passed": 4}
    assert recorded.run(*typed, str(elsewhere), f"--rootdir={elsewhere}").outcomes == {"passed": 2}


# ── names ────────────────────────────────────────────────────────────────────────────────────────


FEW = ["default", "relative", "inside", "here"]


@pytest.mark.parametrize("setting", FEW)
def test_a_module_and_a_suite_of_its_name_have_their_own(project, server, setting):
    """`test_a.py` and `test_a.py.dust.yaml` overwrite and prune nothing of each other."""
    cases = SHOP.replace("id: refund", "id: test_refund")
    files = {"sub/test_a.py": MODULE, "sub/test_a.py.dust.yaml": suite(server, SUPPORT, cases)}
    typed = places(project).get(setting, [])
    result = project.having(files).using(server).run("--dust-mode=record", *typed)
    before = kept(project)
    assert (result.outcomes, server.runs, len(before)) == ({"passed": 3}, 3, 3)
    example = result.example.offline()
    assert example.run("--dust-prune", *typed).outcomes == {"passed": 3}
    assert kept(project) == before
    without_old(example, "sub/test_a.py.dust.yaml").run("--dust-prune", *typed)
    assert [path.name for path in set(before) - set(kept(project))] == ["old.json"]


PAIRS = [
    ("sub/a.dust.yaml", "sub/a/b.dust.yaml"),
    ("sub/a/a.dust.yaml", "sub/a/a/a.dust.yaml"),
    ("sub/Answer.dust.yaml", "sub/answer.dust.yaml"),
    ("sub/cassettes.dust.yaml", "sub/cassettes/cassettes.dust.yaml"),
    ("sub/a.dust.yaml", "sub/a.dust.yaml.dust.yaml"),
    ("sub/a.dust.yaml", "sub/a..dust.yaml"),
    ("sub/nul.dust.yaml", f"sub/nul~{digest('nul')}.dust.yaml"),
]


@pytest.mark.parametrize("names", PAIRS, ids=" and ".join)
def test_suites_of_odd_names_have_their_own(project, server, names):
    """Whatever two suites are called, neither overwrites or prunes what the other recorded."""
    texts = (suite(server, SUPPORT, SHOP), suite(server, SUPPORT, HELP))
    example = project.having(dict(zip(names, texts, strict=True))).using(server)
    for setting in FEW:
        typed = places(example).get(setting, [])
        recorded = example.run("--dust-mode=record", *typed)
        before = kept(example)
        assert (recorded.outcomes, len(before)) == ({"passed": 4}, 4)
        assert recorded.example.offline().run("--dust-prune", *typed).outcomes == {"passed": 4}
        assert kept(example) == before


def test_linked_folders_are_not_shared(two, tmp_path_factory):
    """Where links make one folder of those of two suites, nothing is written or pruned through them."""
    common = tmp_path_factory.mktemp("common")
    two.write()
    for name in ("shop", "help"):
        (two.root / name / "cassettes").symlink_to(common)
    result = two.left().run("--dust-mode=record")
    assert result.outcomes == {"failed": 4}
    assert "leads by a symbolic link out of its folder" in result.out
    assert not list(common.iterdir())


# ── earlier versions ─────────────────────────────────────────────────────────────────────────────


def moved(example, to):
    """The project with the cassettes of some directories' suites where earlier versions put them."""
    for directory, folder in to.items():
        for name in ("refund.json", "old.json"):
            (found,) = [path for path in kept(example) if directory in path.parts and path.name == name]
            target = example.root / folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            found.rename(target)
    return example.left()


EARLIER = {
    "relative": {"shop": "cassettes/answer"},
    "deeper": {"shop": "kept/x/cassettes/answer"},
    "inside": {"shop": "cassettes/shop/answer", "help": "cassettes/help/answer"},
    "here": {"shop": "shop/answer", "help": "help/answer"},
    "up": {"shop": "answer"},
}


@pytest.mark.parametrize("setting", EARLIER)
def test_what_earlier_versions_recorded_is_found(two, server, setting):
    """A recording of an earlier version is replayed, checked and kept where it fits."""
    typed = places(two)[setting]
    example = moved(two.run("--dust-mode=record", *typed).example, EARLIER[setting])
    before = kept(two)
    for options in (
        (),
        ("--dust-check",),
        ("--dust-prune",),
        ("shop", "--dust-prune"),
        ("--dust-mode=record",),
    ):
        result = example.run(*options, *typed)
        assert result.ret == 0
        assert "orphan" not in result.out.replace("no orphaned cassettes to prune", "")
        assert kept(two) == before
    assert server.runs == 4


def test_what_does_not_fit_is_no_recording_of_an_earlier_version(two):
    """Of two suites of one name, the one whose request an old recording does not fit has none."""
    typed = places(two)["relative"]
    example = moved(two.run("--dust-mode=record", *typed).example, EARLIER["relative"])
    mine = "cassettes/help/answer.dust.yaml/refund.json"
    result = example.having({mine: None}).offline().run(*typed)
    assert result.outcomes == {"passed": 3, "failed": 1}
    assert f"no cassette (looked in {mine})" in result.report


def test_what_is_recorded_anew_leaves_an_orphan(two):
    """A new recording goes to the new place; the old file is an orphan once no suite needs it."""
    typed = places(two)["relative"]
    example = moved(two.run("--dust-mode=record", *typed).example, EARLIER["relative"])
    after = example.run("--dust-mode=rerecord", "-k", "refund", *typed).example.offline()
    both = {"cassettes/shop/answer.dust.yaml/refund.json", "cassettes/answer/refund.json"}
    assert both <= set(after.files)
    pruned = after.run("--dust-prune", *typed)
    assert "dust: pruned 1 orphaned cassette: cassettes/answer/refund.json" in pruned.out
    assert set(after.files) - set(pruned.example.files) == {"cassettes/answer/refund.json"}


def test_an_old_recording_stays_as_long_as_a_suite_may_need_it(two):
    """What a suite that is not collected may be replayed from is no orphan."""
    typed = places(two)["relative"]
    example = moved(two.run("--dust-mode=record", *typed).example, EARLIER["relative"])
    example = example.run("--dust-mode=rerecord", "shop", *typed).example.offline()
    example = example.having({"cassettes/help/answer.dust.yaml/old.json": None})  # it has the old one alone
    for chosen in (["shop"], ["--ignore=help"]):
        result = example.run("--dust-prune", *chosen, *typed)
        assert "dust: no orphaned cassettes to prune" in result.out
        assert result.example.files == example.files
    whole = example.run("--dust-prune", *typed)
    assert set(example.files) - set(whole.example.files) == {"cassettes/answer/refund.json"}


@pytest.mark.parametrize("case", ["nul", "aux.x", "com1"])
def test_a_reserved_name_is_recorded_under_a_safe_one(project, server, case):
    """A case that is named like a device gets a file of another name, and its old recording is found."""
    text = suite(server, SUPPORT, SHOP.replace("id: refund", f"id: {case}"))
    example = project.having({"nul.dust.yaml": text}).using(server)
    recorded = example.run("--dust-mode=record").example
    names = sorted(name.split("/", 1)[1] for name in recorded.cassettes)
    assert not [name for name in names if name.startswith("nul/") or f"/{case}." in name]
    (mine,) = [name for name in recorded.cassettes if not name.endswith("/old.json")]
    before = recorded.having({mine: None, f"cassettes/nul/{case}.json": recorded.files[mine]}).offline()
    result = before.run("--dust-prune")
    assert (result.outcomes, result.example.cassettes) == ({"passed": 2}, before.cassettes)


# ── settings that differ from run to run ─────────────────────────────────────────────────────────


@pytest.mark.parametrize("first", ["default", "relative", "beside"])
def test_a_prune_with_other_settings_removes_nothing(two, first):
    """What was recorded with one setting is no orphan under another one."""
    more = two.having({"x/answer.dust.yaml": two.files["help/answer.dust.yaml"]})
    recorded = more.run("--dust-mode=record", *places(two).get(first, [])).example.offline()
    before = kept(more)
    assert len(before) == 6
    for second in ("default", *SETTINGS):
        recorded.run("--dust-prune", *places(two).get(second, []))
        assert kept(more) == before, second


@pytest.mark.parametrize("second", ["default", "beside"])
def test_a_prune_with_other_settings_keeps_what_earlier_versions_recorded(two, second):
    """What earlier versions recorded in a shared folder is no orphan under another setting."""
    more = two.having({"top.dust.yaml": two.files["help/answer.dust.yaml"]})
    typed = places(more)["relative"]
    recorded = moved(more.run("--dust-mode=record", *typed, "shop", "help").example, EARLIER["relative"])
    before = kept(more)
    recorded.offline().run("--dust-prune", *places(two).get(second, []))
    assert kept(more) == before


def test_a_folder_in_other_capitals_is_no_link_on_windows(monkeypatch):
    """A folder is direct if its real path differs in capitals alone, which Windows does not tell apart."""
    real = {r"C:\Work\Cassettes": r"C:\Work\cassettes", r"C:\link": r"C:\other"}
    path = SimpleNamespace(realpath=lambda folder: real[str(folder)], normcase=ntpath.normcase)
    monkeypatch.setattr(orphans, "os", SimpleNamespace(path=path))
    assert orphans._is_direct(PureWindowsPath(r"C:\Work\Cassettes"))
    assert not orphans._is_direct(PureWindowsPath(r"C:\link"))
