"""`--dust-check`, and what becomes of cassettes that belong to no case."""

from __future__ import annotations

import os
import re
import shutil
import time

import pytest

from conftest import SUPPORT_CASES, suite, unwritable
from pytest_dust.files import names as file_names

APP = "9f1d3b5a7c"
TWO = SUPPORT_CASES.partition("  - id: wrong")[0]
ORPHAN = "cassettes/answer/wrong.json"
BROKEN = {"broken.dust.yaml": "app: {id: 9f1d3b5a7c}\nspecification_hash: latest\ninptu: {}\n"}


def check(example, *way):
    """The result of `--dust-check`, in processes of its own where it is shared."""
    return example.run("--dust-check", *way, subprocess=bool(way))


@pytest.fixture
def shrunk(recorded, server):
    """A recorded project whose suite has lost the case `wrong`, and left its cassette."""
    return recorded.having({"answer.dust.yaml": suite(server, APP, TWO)})


# ── the check ────────────────────────────────────────────────────────────────────────────────────


def test_what_fits_is_no_finding(recorded, server):
    """With every cassette there and fitting, the check ends well and runs nothing, failing cases included."""
    result = check(recorded)
    assert (result.ret, result.outcomes) == (0, {"checked": 3})
    assert "dust: 3 checked" in result.out
    assert server.requests == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cassettes/answer/refund.json": None}, "no cassette"),
        ({"cassettes/answer/refund.json": "{"}, "is not JSON"),
        ({"cassettes/answer/refund.json": "{}"}, "is JSON, but no cassette"),
        (BROKEN, "broken.dust.yaml:3:1: "),
    ],
    ids=["missing", "broken-json", "no-cassette", "broken-suite"],
)
def test_each_finding_is_told_and_ends_with_1(recorded, server, change, words):
    """A missing or broken cassette and a broken suite are told, all cases are checked, and the exit is 1."""
    result = check(recorded.having(change))
    assert result.ret == 1
    assert words in result.out
    assert result.outcomes.get("checked") == (3 if change is BROKEN else 2)
    assert server.requests == []


SPOILT = {
    "conflict": (
        b"{\n<<<<<<< HEAD\n}",
        "is not JSON: it holds a merge conflict (<<<<<<<) at line 2, column 1",
    ),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1\n", "git lfs pull"),
    "utf-16": ("{}".encode("utf-16"), "is not UTF-8 text but UTF-16"),
    "empty": (b"", "the file is empty"),
    "html": (b"<!doctype html><p>Sign in</p>", "is an HTML page"),
}


@pytest.mark.parametrize(("content", "words"), SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize("option", ["--dust-check", "--dust-mode=record"])
def test_what_spoilt_a_cassette_is_named(recorded, server, content, words, option):
    """A conflict, a pointer, another encoding or a page in a cassette's place is named, and left as it is."""
    name = "cassettes/answer/refund.json"
    result = recorded.having({name: content}).using(server).run(option, "-k", "refund")
    assert (result.ret, result.outcomes["failed"]) == (1, 1)
    assert f"the cassette {name} " in result.report
    assert words in result.report
    assert (result.example.files[name], server.runs) == (content, 0)


def test_a_byte_order_mark_is_no_finding(recorded):
    """A cassette that an editor has saved with a byte order mark is replayed."""
    name = "cassettes/answer/refund.json"
    marked = recorded.having({name: b"\xef\xbb\xbf" + recorded.files[name]})
    assert check(marked).ret == 0
    assert marked.run("-k", "refund").outcomes["passed"] == 1


def test_a_folder_in_a_cassettes_place_is_named(recorded):
    """A folder that has a cassette's name is a finding that says so."""
    name = "cassettes/answer/refund.json"
    result = check(recorded.having({name: None, f"{name}/x": "x"}))
    assert (
        f"the cassette {name} cannot be read: it is a folder, not a file; remove the folder" in result.report
    )


def test_a_cassette_that_does_not_fit_is_a_finding(recorded):
    """A changed input is a finding that names the field and the command."""
    result = check(recorded.replacing("answer.dust.yaml", "my refund", "the refund"))
    assert (result.ret, result.outcomes) == (1, {"checked": 2, "failed": 1})
    assert "inputs[0].question" in result.report
    assert "--dust-mode=record" in result.report


def test_an_orphan_is_a_finding(shrunk):
    """A cassette of no case ends the check with 1, and is told in one line."""
    result = check(shrunk)
    assert (result.ret, result.outcomes) == (1, {"checked": 2})
    assert f"dust: 1 orphaned cassette, of no case: {ORPHAN}; remove with --dust-prune" in result.out


@pytest.mark.parametrize("mode", ["replay", "record", "rerecord", "live"])
def test_the_check_opens_no_socket_in_any_mode(recorded, server, mode):
    """Whatever the mode, the check asks nothing and writes nothing."""
    conftest = (
        "import sys\n"
        "def hook(event, args):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo'):\n"
        "        print('SOCKET', event, args)\n"
        "sys.addaudithook(hook)\n"
    )
    example = recorded.using(server).having({"conftest.py": conftest, "cassettes/answer/refund.json": None})
    result = example.run("--dust-check", f"--dust-mode={mode}", "-s", subprocess=True)
    assert result.ret == 1
    assert "SOCKET" not in result.out + result.err
    assert server.requests == []
    assert result.example.cassettes == example.cassettes


def test_other_tests_are_left_out(recorded):
    """Python tests do not run, and are counted as deselected; they are no part left out of the suites."""
    python = {"test_it.py": "def test_it(): open('ran', 'w').close()\n"}
    result = check(recorded.having(python))
    assert result.ret == 0
    assert result.outcomes["checked"] == 3
    assert "ran" not in result.example.files


def test_skips_and_expected_failures_hold(recorded):
    """A case that is skipped is not checked; one expected to fail is, and a misfit is no such failure."""
    marked = recorded.replacing("answer.dust.yaml", "id: wrong", "id: wrong\n    marks: [xfail]")
    assert check(marked).outcomes.get("failed") is None
    result = check(marked.replacing("answer.dust.yaml", "question: Hello", "question: Hallo"))
    assert (result.ret, result.outcomes["failed"]) == (1, 1)


def test_a_selection_is_checked_alone(shrunk):
    """With `-k` and `::` only what is chosen is checked, and orphans are not looked for."""
    for chosen in (("-k", "refund"), ("answer.dust.yaml::refund",), ("answer.dust.yaml",)):
        result = shrunk.run("--dust-check", *chosen)
        assert result.ret == 0
        assert "orphaned" not in result.out


def test_processes_find_together_what_one_finds(recorded):
    """With `-n 2` a missing cassette, a broken one and a broken suite are told as in one process."""
    change = {"cassettes/answer/refund.json": None, "cassettes/answer/parcel.json": "{", **BROKEN}
    result = check(recorded.having(change), "-n", "2")
    assert (result.ret, result.outcomes) == (1, {"checked": 1, "failed": 2, "error": 1})
    assert all(words in result.out for words in ("no cassette", "is not JSON", "broken.dust.yaml:3:1: "))


# ── orphans ──────────────────────────────────────────────────────────────────────────────────────


def test_orphans_are_one_line_with_a_count(recorded):
    """The summary of a whole run counts orphans in one line and names the first three."""
    extra = {
        f"cassettes/answer/old{at}.json": recorded.files["cassettes/answer/refund.json"] for at in range(9)
    }
    result = recorded.having(extra).run()
    lines = [line for line in result.out.splitlines() if "orphaned" in line and line.startswith("dust")]
    assert lines == [
        (
            "dust: 9 orphaned cassettes, of no case: cassettes/answer/old0.json, cassettes/answer/old1.json, "
            "cassettes/answer/old2.json and 6 more; remove with --dust-prune"
        )
    ]
    assert set(result.example.cassettes) == set(recorded.having(extra).cassettes)


@pytest.mark.parametrize(
    "chosen",
    [
        ("-k", "refund"),
        ("answer.dust.yaml::refund",),
        ("answer.dust.yaml",),
        ("--deselect=answer.dust.yaml::parcel",),
        ("--co",),
    ],
    ids=str,
)
def test_a_part_of_the_suites_shows_no_orphans(shrunk, chosen):
    """Where only part was selected nobody is told of orphans, and `--dust-prune` removes nothing."""
    result = shrunk.run(*chosen)
    assert "orphaned" not in result.out
    pruned = shrunk.run("--dust-prune", *chosen)
    assert ORPHAN in pruned.example.cassettes
    if "--co" not in chosen:
        assert "dust: pruned nothing, as only part of the suites was selected" in pruned.out


def test_prune_removes_orphans(shrunk):
    """`--dust-prune` removes each orphan, says so, and leaves the cassettes of cases alone."""
    result = shrunk.run("--dust-prune")
    assert f"dust: pruned 1 orphaned cassette: {ORPHAN}" in result.out
    assert set(shrunk.cassettes) - set(result.example.cassettes) == {ORPHAN}
    again = result.example.run("--dust-prune")
    assert "dust: no orphaned cassettes to prune" in again.out


def test_prune_touches_no_file_it_did_not_write(shrunk):
    """Other files, foreign JSON, broken cassettes and those of another version stay as they are."""
    ours = shrunk.files[ORPHAN]
    assert b'"version": 2' in ours
    kept = {
        "cassettes/answer/notes.txt": "mine",
        "cassettes/answer/package.json": '{"name": "mine"}',
        "cassettes/answer/list.json": "[1]",
        "cassettes/answer/empty.json": "",
        "cassettes/answer/half.json": ours[: len(ours) // 2],
        "cassettes/answer/newer.json": ours.replace(b'"version": 2', b'"version": 99'),
        "cassettes/answer/deep/mine.json": ours,
        "cassettes/other.json": ours,
        "mine.json": ours,
    }
    result = shrunk.having(kept).run("--dust-prune")
    assert ORPHAN not in result.example.files
    assert all(name in result.example.files for name in kept)


def test_prune_follows_no_link(shrunk, tmp_path_factory):
    """A symbolic link is not removed, and nothing behind one is."""
    shrunk.write()
    ours = shrunk.files[ORPHAN]
    outside = tmp_path_factory.mktemp("outside")
    (outside / "gone").mkdir()
    for path in (outside / "mine.json", outside / "gone" / "mine.json"):
        path.write_bytes(ours)
    (shrunk.root / "cassettes" / "answer" / "link.json").symlink_to(outside / "mine.json")
    (shrunk.root / "cassettes" / "gone").symlink_to(outside / "gone")
    result = shrunk.left().run("--dust-prune")
    assert "dust: pruned 1 orphaned cassette" in result.out
    assert (shrunk.root / "cassettes" / "answer" / "link.json").is_symlink()
    assert (outside / "mine.json").read_bytes() == (outside / "gone" / "mine.json").read_bytes() == ours


def test_prune_stays_out_of_a_linked_cassette_folder(shrunk, tmp_path_factory):
    """Where the folder of cassettes itself is a link, nothing in it is removed."""
    shrunk.write()
    outside = tmp_path_factory.mktemp("outside") / "cassettes"
    (shrunk.root / "cassettes").rename(outside)
    (shrunk.root / "cassettes").symlink_to(outside)
    result = shrunk.pytester.runpytest_inprocess("--dust-prune", "-p", "no:hypothesispytest")
    assert (outside / "answer" / "wrong.json").exists()
    told = (
        "dust: pruned nothing where symbolic links lead: cassettes/answer; remove the links, or prune where"
    )
    assert told in "\n".join(result.outlines)


def test_prune_with_a_broken_suite_keeps_its_cassettes(recorded):
    """Nobody knows the cases of a suite with mistakes, so its cassettes stay."""
    broken = recorded.replacing("answer.dust.yaml", "id: refund", "id: Refund").having({"b.dust.yaml": SHORT})
    for options in (
        ("--dust-prune",),
        ("--dust-prune", "--continue-on-collection-errors"),
        ("--dust-prune", "--dust-check"),
    ):
        result = broken.run(*options)
        assert set(result.example.cassettes) == set(recorded.cassettes)


SHORT = "app: {id: 9f1d3b5a7c}\nspecification_hash: latest\ninput: {question: Hi}\n"


def test_prune_after_a_suite_was_renamed(recorded):
    """The cassettes of a renamed suite are orphans, and the empty folder goes with them."""
    text = recorded.files["answer.dust.yaml"]
    result = recorded.having({"answer.dust.yaml": None, "reply.dust.yaml": text}).run("--dust-prune")
    assert "dust: pruned 3 orphaned cassettes" in result.out
    assert result.example.cassettes == {}
    assert not (recorded.root / "cassettes" / "answer").exists()


def test_prune_after_a_suite_was_removed(recorded):
    """The cassettes of a suite that is gone are orphans where another suite stands beside it."""
    result = recorded.having({"answer.dust.yaml": None, "b.dust.yaml": SHORT}).run("--dust-prune")
    assert "dust: pruned 3 orphaned cassettes" in result.out
    assert result.example.cassettes == {}


GONE = {
    "alone": (),
    "below": ("test_it.py",),
    "beside a module": ("sub/test_it.py",),
    "beside a directory": ("sub/answer/x.py",),
}


@pytest.mark.parametrize("others", GONE.values(), ids=GONE)
def test_orphans_of_a_folder_all_of_whose_suites_are_gone(recorded, others):
    """Where no suite is left beside a folder of cassettes, nor anywhere, they are orphans all the same."""
    kept = {f"sub/{name}": text for name, text in recorded.cassettes.items()}
    example = recorded.having({name: None for name in recorded.files if name.endswith((".yaml", ".json"))})
    example = example.having({**kept, **dict.fromkeys(others, "def test_it(): pass\n")})
    told = "3 orphaned cassettes, of no case: sub/cassettes/answer/parcel.json, "
    assert told in example.run().out
    assert example.run("--dust-check").ret == 1
    result = example.run("--dust-prune")
    assert "dust: pruned 3 orphaned cassettes: " in result.out
    assert result.example.cassettes == {}


def test_xdist_finds_the_orphans_of_suites_that_are_gone(recorded):
    """With `-n 2` cassettes of suites that are gone, and half-written files, are pruned and counted once."""
    gone = recorded.having({"answer.dust.yaml": None, "test_it.py": "def test_it(): pass\n"})
    gone = left_by_a_killed_run(gone, HALF, 7200)
    result = gone.run("--dust-prune", "-n", "2", subprocess=True)
    assert "dust: pruned 3 orphaned cassettes: " in result.out
    assert f"dust: pruned 1 unfinished file: {HALF}" in result.out
    assert result.example.cassettes == {}


def test_other_tools_cassettes_are_no_orphans(recorded):
    """What another tool keeps in a folder of that name is left alone, however much it looks like ours."""
    text = recorded.files["cassettes/answer/refund.json"]
    kept = {
        "sub/cassettes/test_x/one.json": '{"version": 1, "interactions": []}',
        "sub/cassettes/test_x/two.json": text.replace(b'"recorded_at"', b'"at"'),
        "sub/cassettes/test_x/three.yaml": text,
        "sub/cassettes/flat.json": text,
        "sub/other/answer/refund.json": text,
    }
    result = recorded.having(kept).run("--dust-prune", "--dust-check")
    assert (result.ret, result.example.cassettes) == (0, recorded.having(kept).cassettes)
    assert "dust: no orphaned cassettes to prune" in result.out


def test_a_directory_that_was_not_collected_keeps_its_orphans(recorded):
    """Orphans are looked for where suites are collected, and nowhere else."""
    kept = {f"sub/{name}": text for name, text in recorded.cassettes.items()}
    example = recorded.having({**kept, "more/b.dust.yaml": SHORT})
    for chosen in (("more",), ("--ignore=sub",)):
        result = example.run("--dust-prune", *chosen)
        assert result.example.cassettes == example.cassettes
    assert "pruned 3 orphaned" in example.run("sub", "--dust-prune").out


@pytest.mark.parametrize("setting", ["../cassettes", "{root}/cassettes"])
@pytest.mark.parametrize("left", ["nothing", "another suite", "nothing in its directory"])
def test_suites_that_are_gone_from_a_shared_folder(recorded, server, setting, left):
    """In a shared folder of the project, too, the cassettes of a suite that is gone are orphans."""
    typed = f"--dust-cassette-dir={setting.format(root=recorded.root)}"
    text = recorded.files["answer.dust.yaml"]
    files = dict.fromkeys(recorded.files) | {"shop/answer.dust.yaml": text, "help/answer.dust.yaml": text}
    example = recorded.having(files).using(server).run("--dust-mode=record", typed).example.offline()
    stays = {"another suite": {"shop/b.dust.yaml": SHORT}, "nothing": {"shop/x.txt": "x"}}
    less = example.having({"shop/answer.dust.yaml": None, **stays.get(left, {})})
    partial = less.run("help", "--dust-prune", typed)
    assert partial.example.files == less.files
    result = less.run("--dust-prune", typed)
    assert "dust: pruned 3 orphaned cassettes: cassettes/shop/answer.dust.yaml/parcel.json" in result.out
    assert len(result.example.cassettes) == 3


# ── files that are half written ──────────────────────────────────────────────────────────────────

HALF = "cassettes/answer/.refund-0123abcd.0123456789abcdef.tmp"
HALVES = [
    HALF,
    "cassettes/answer/.refund-0123456789ab.4711.tmp",
    "cassettes/gone/.x-0123abcd.0123456789abcdef.tmp",
]


def left_by_a_killed_run(example, name, seconds):
    """The project with a half-written file that is so many seconds old."""
    example = example.having({name: "{"})
    example.write()
    then = time.time() - seconds
    os.utime(example.root / name, (then, then))
    return example


@pytest.mark.parametrize("name", HALVES)
def test_half_written_files_are_told_and_pruned(recorded, server, name):
    """What a killed run had half written is told an hour later, by a check too, and removed by a prune."""
    example = left_by_a_killed_run(recorded, name, 7200)
    told = f"dust: 1 unfinished file of a killed run: {name}; remove with --dust-prune"
    for option in ("--dust-check", "--dust-mode=record"):
        result = example.using(server).run(option)
        assert (told in result.out, result.ret, name in result.example.files) == (True, 1, True)
    result = example.run("--dust-prune")
    assert f"dust: pruned 1 unfinished file: {name}" in result.out
    assert name not in result.example.files


@pytest.mark.parametrize("folder", [".dust/pending/a.dust.yaml", "diffs/answer.dust.yaml"])
def test_half_written_files_of_other_kinds_are_told_and_pruned(recorded, folder):
    """What a killed run left beside pending answers and differences is found as well."""
    name = f"{folder}/{HALF.rpartition('/')[2]}"
    example = left_by_a_killed_run(recorded, name, 7200)
    assert f"1 unfinished file of a killed run: {name}" in example.run("--dust-diff-dir=diffs").out
    result = example.run("--dust-prune", "--dust-diff-dir=diffs")
    assert f"dust: pruned 1 unfinished file: {name}" in result.out
    assert name not in result.example.files


@pytest.mark.parametrize(
    ("name", "seconds"), [(HALF, 60), (HALF, -7200), ("cassettes/answer/.mine.tmp", 7200)]
)
def test_what_may_be_being_written_stays(recorded, name, seconds):
    """A file that was touched within the hour, or that is not of our making, is neither told nor removed."""
    result = left_by_a_killed_run(recorded, name, seconds).run("--dust-prune", "--dust-check")
    assert "unfinished" not in result.out
    assert name in result.example.files


def test_recording_sweeps_up_what_is_half_written(recorded, server):
    """When a case is recorded anew, what a killed run had half written of it goes."""
    case = recorded.having({"cassettes/answer/refund.json": None})
    names = (
        f".refund-{file_names.digest('refund.json')}.0123456789abcdef.tmp",
        ".b-0123abcd.0123456789abcdef.tmp",
    )
    for name in names:
        case = left_by_a_killed_run(case, f"cassettes/answer/{name}", 7200)
    left_by_a_killed_run(case, f"cassettes/answer/{names[0]}", 7200)
    result = case.using(server).run("--dust-mode=record")
    assert [name for name in result.example.files if name.endswith(".tmp")] == [
        f"cassettes/answer/{names[1]}"
    ]


# ── folders that cannot be pruned ────────────────────────────────────────────────────────────────

REFUSES = """\
import errno, os
def refuse(path, **more):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
def pytest_sessionfinish():
    os.unlink = refuse
"""


def test_prune_in_a_read_only_folder_says_so(shrunk):
    """Where an orphan cannot be removed, one line says which, why and what to do, and the exit is not 0."""
    shrunk.write()
    with unwritable(shrunk.root / "cassettes" / "answer"):
        result = shrunk.run("--dust-prune")
    assert re.search(
        f"^dust: cannot remove {ORPHAN}: .*; mend that and prune again$", result.out, re.MULTILINE
    )
    assert "pruned" not in result.out
    assert "INTERNALERROR" not in result.out + result.err
    assert (result.ret, result.example.cassettes) == (1, shrunk.cassettes)


def test_what_cannot_be_pruned_is_named(recorded):
    """Of many files that cannot be removed three are named, and the rest are counted."""
    text = recorded.files["cassettes/answer/refund.json"]
    extra = {f"cassettes/answer/old{at}.json": text for at in range(5)}
    result = recorded.having({"conftest.py": REFUSES, **extra}).run("--dust-prune", subprocess=True)
    lines = [line for line in result.out.splitlines() if line.startswith("dust: cannot remove ")]
    assert lines == [
        f"dust: cannot remove cassettes/answer/old{at}.json: Read-only file system; mend that and prune again"
        for at in range(3)
    ]
    assert "dust: nor 2 more" in result.out
    assert "INTERNALERROR" not in result.out + result.err


MEANWHILE = {
    "file": "os.unlink(ORPHAN)",
    "folder": "shutil.rmtree('cassettes')",
    "link": "os.rename('cassettes', '../moved'); os.symlink('../moved', 'cassettes')",
    "another": "open(ORPHAN, 'w').write('mine')",
}


@pytest.mark.parametrize("does", MEANWHILE.values(), ids=MEANWHILE)
def test_what_changes_meanwhile_is_no_trouble(shrunk, does):
    """An orphan that goes, moves or changes before it is removed ends the session in no other way."""
    conftest = f"import os, pytest, shutil\nORPHAN = {ORPHAN!r}\nfrom pytest_dust.cassettes import orphans\n"
    conftest += "def pytest_configure():\n    prune = orphans.prune\n"
    conftest += f"    def late(*given, **more):\n        {does}\n        return prune(*given, **more)\n"
    conftest += "    orphans.prune = late\n"
    moved = shrunk.root.parent / "moved"
    result = shrunk.having({"conftest.py": conftest}).run("--dust-prune", subprocess=True)
    assert "INTERNALERROR" not in result.out + result.err
    assert "Traceback" not in result.out + result.err
    if "symlink" in does:
        assert (moved / "answer" / "wrong.json").exists()
        assert "a symbolic link leads there now" in result.out
        shutil.rmtree(moved)
    if "mine" in does:
        assert (shrunk.root / ORPHAN).read_text() == "mine"
        assert f"dust: cannot remove {ORPHAN}: it changed meanwhile" in result.out


def test_two_suites_side_by_side_keep_their_own(recorded, server):
    """What one suite lost is pruned from its own folder only, though the other has a case of that name."""
    text = recorded.files["answer.dust.yaml"]
    both = recorded.having({"b.dust.yaml": text, "sub/answer.dust.yaml": text}).using(server)
    both = both.run("--dust-mode=record").example.offline()
    assert len(both.cassettes) == 9
    less = both.having({"answer.dust.yaml": suite(server, APP, TWO)})
    result = less.run("--dust-prune")
    assert set(both.cassettes) - set(result.example.cassettes) == {ORPHAN}


def test_a_suite_that_is_not_collected_keeps_its_cassettes(recorded):
    """A suite left out by `--ignore` or by naming another folder has no orphans."""
    text = recorded.files["answer.dust.yaml"]
    both = recorded.having({"b.dust.yaml": SHORT, "sub/answer.dust.yaml": text})
    for options in (("--ignore=answer.dust.yaml",), ("sub",)):
        result = both.run("--dust-prune", *options)
        assert set(result.example.cassettes) == set(recorded.cassettes)


def test_prune_in_an_absolute_folder(recorded, server, tmp_path_factory):
    """With an absolute cassette folder the orphans there are removed, and nothing else."""
    folder = tmp_path_factory.mktemp("kept")
    option = f"--dust-cassette-dir={folder}"
    text = recorded.files["answer.dust.yaml"]
    example = recorded.having({"sub/answer.dust.yaml": text}).using(server)
    example.run("--dust-mode=record", option)
    assert len(list(folder.rglob("*.json"))) == 6
    (folder / "mine.json").write_text("{}")
    less = example.having({"answer.dust.yaml": suite(server, APP, TWO)}).offline()
    result = less.run("--dust-prune", option)
    assert "dust: pruned 1 orphaned cassette" in result.out
    left = sorted("/".join(path.relative_to(folder).parts[-3:]) for path in folder.rglob("*.json"))
    assert left == sorted([
        "mine.json",
        *(f"{recorded.root.name}/answer.dust.yaml/{name}.json" for name in ("parcel", "refund")),
        *(f"sub/answer.dust.yaml/{name}.json" for name in ("parcel", "refund", "wrong")),
    ])  # fmt: skip


def test_the_fixtures_cassettes_stay(recorded, server):
    """Cassettes of Python tests are no orphans while their module is there, and are once it is gone."""
    text = f"def test_it(dust):\n    dust.run(app='{APP}', input={{'question': 'Hi'}})\n"
    both = recorded.having({"test_it.py": text}).using(server).run("--dust-mode=record").example.offline()
    assert "cassettes/test_it.py/test_it.json" in both.cassettes
    result = both.run("--dust-prune")
    assert "dust: no orphaned cassettes to prune" in result.out
    assert result.example.cassettes == both.cassettes
    gone = both.having({"test_it.py": None}).run("--dust-prune")
    assert "dust: pruned 1 orphaned cassette: cassettes/test_it.py/test_it.json" in gone.out


def test_an_interrupted_session_prunes_nothing(shrunk):
    """After an interruption nothing is removed."""
    conftest = "def pytest_runtest_setup(item):\n    raise KeyboardInterrupt\n"
    result = shrunk.having({"conftest.py": conftest}).run("--dust-prune", subprocess=True)
    assert result.ret == 2
    assert ORPHAN in result.example.cassettes


def test_a_pipe_in_a_cassettes_place_hangs_nobody(shrunk):
    """What is no regular file is left alone, unread."""
    shrunk.write()
    pipe = shrunk.root / "cassettes" / "answer" / "pipe.json"
    os.mkfifo(pipe)
    result = shrunk.run("--dust-prune")
    assert re.search(r"pruned 1 orphaned cassette: .*wrong\.json", result.out)
    assert pipe.exists()
