"""The files of cassettes: where they are, and that they are read and written whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from test_cassette import REPLY, written

from conftest import BARE
from pytest_dust import cassette_files
from pytest_dust.cassette_files import Spot
from pytest_dust.errors import CassetteError

# ── where it is ──────────────────────────────────────────────────────────────────────────────────

ROOT = Path("/project")


@pytest.mark.parametrize(
    ("suite", "folder", "expected"),
    [
        ("answer.dust.yaml", "cassettes", "cassettes/answer/refund.json"),
        ("support/answer.dust.yaml", "cassettes", "support/cassettes/answer/refund.json"),
        ("support/answer.dust.yaml", "kept/runs", "support/kept/runs/answer/refund.json"),
        ("v1.2.dust.yaml", "cassettes", "cassettes/v1.2/refund.json"),
    ],
)
def test_a_cassette_is_beside_its_suite(suite, folder, expected):
    """A cassette stands in a folder beside its suite, below the suite's name."""
    assert cassette_files.spot(ROOT / suite, "refund", folder, ROOT).path == ROOT / expected


def test_an_absolute_folder_keeps_suites_of_one_name_apart(tmp_path):
    """In an absolute folder, a cassette stands where its suite stands in the project."""
    suites = [ROOT / "a" / "x.dust.yaml", ROOT / "b" / "x.dust.yaml", ROOT / "x.dust.yaml"]
    found = [cassette_files.spot(suite, "one", str(tmp_path), ROOT).path for suite in suites]
    assert found == [tmp_path / folder / "x" / "one.json" for folder in ("a", "b", ".")]


def test_a_suite_outside_of_the_project_has_a_place(tmp_path):
    """In an absolute folder, a suite from elsewhere has its cassettes below its name."""
    found = cassette_files.spot(Path("/elsewhere/x.dust.yaml"), "one", str(tmp_path), ROOT)
    assert found.path == tmp_path / "x" / "one.json"


# ── on disk ──────────────────────────────────────────────────────────────────────────────────────


def files(folder: Path) -> dict[str, bytes]:
    """Give every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def at(path: Path) -> Spot:
    """Give the spot of a cassette that no link may lead out of its folder."""
    return Spot(path, os.path.realpath(path.parent))


def test_what_is_written_is_read(tmp_path):
    """A cassette is written with the folders it needs, replaces the one there, and leaves nothing else."""
    spot = cassette_files.spot(tmp_path / "answer.dust.yaml", "refund", "cassettes", tmp_path)
    assert cassette_files.read(spot) is None
    for duration in (1.0, 2.0):
        cassette_files.write(spot, written(reply=replace(REPLY, duration=duration)))
        found = cassette_files.read(spot)
        assert found is not None
        assert found.replies[0].duration == duration
    assert list(files(tmp_path)) == ["cassettes/answer/refund.json"]


def test_no_cassette_is_no_error(tmp_path):
    """Where there is no file, nor a folder for it, there is no cassette."""
    (tmp_path / "file").write_text("x")
    assert cassette_files.read(at(tmp_path / "nowhere" / "a.json")) is None
    assert cassette_files.read(at(tmp_path / "file" / "a.json")) is None


def test_a_folder_in_its_place_cannot_be_read(tmp_path):
    """What stands at a cassette's place and is no file is a broken cassette, not a missing one."""
    with pytest.raises(CassetteError, match="cannot be read"):
        cassette_files.read(at(tmp_path))


@pytest.mark.parametrize(
    ("error", "raised"),
    [(OSError(28, "No space left on device"), CassetteError), (KeyboardInterrupt(), KeyboardInterrupt)],
)
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_write_that_fails_midway_leaves_what_was_there(tmp_path, monkeypatch, call, error, raised):
    """A write that fails or is interrupted leaves the old cassette whole, and no other file."""
    path = tmp_path / "refund.json"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(os if call == "fsync" else Path, call, fail)
    with pytest.raises(raised):
        cassette_files.write(at(path), b"new")
    monkeypatch.undo()
    assert files(tmp_path) == {"refund.json": b"old"}


def test_a_failed_write_says_why(tmp_path):
    """Where a cassette cannot be put in place, the error says why and nothing is left behind."""
    (tmp_path / "refund.json").mkdir()
    with pytest.raises(CassetteError, match=r"cannot be written: .*directory"):
        cassette_files.write(at(tmp_path / "refund.json"), b"new")
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(CassetteError, match="cannot be written: "):
        cassette_files.write(at(tmp_path / "file" / "answer" / "refund.json"), b"new")
    assert files(tmp_path) == {"file": b"x"}


def test_a_folder_that_may_not_be_written_to_says_so(tmp_path):
    """In a read-only folder the old cassette stays, and the error says why."""
    folder = tmp_path / "cassettes"
    folder.mkdir()
    (folder / "refund.json").write_bytes(b"old")
    folder.chmod(0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write anywhere")
    try:
        with pytest.raises(CassetteError, match="cannot be written: "):
            cassette_files.write(at(folder / "refund.json"), b"new")
    finally:
        folder.chmod(0o700)
    assert files(folder) == {"refund.json": b"old"}


def test_a_long_name_is_written(tmp_path):
    """A case whose id makes the longest file name a disk takes has a cassette too."""
    path = tmp_path / f"{'x' * 250}.json"
    cassette_files.write(at(path), b"new")
    assert list(files(tmp_path)) == [path.name]


ELSEWHERE = """
import os, sys
from pathlib import Path
from pytest_dust import cassette_files

def fsync(_):
    print("written, not yet in place", flush=True)
    sys.stdin.readline()

os.fsync = fsync
path = Path(sys.argv[1])
cassette_files.write(cassette_files.Spot(path, str(path.parent)), b"theirs")
"""


@contextmanager
def writing(path):
    """Another process, which has written a cassette and not yet put it in place."""
    command = [sys.executable, "-c", ELSEWHERE, str(path)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **BARE}
    )
    assert process.stdout.readline()
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


LONG = "x" * 120
NEIGHBOURS = {
    "another": ("a", "b"),
    "a beginning": ("a", "a.b"),
    "a name": ("a.b", "a"),
    "long": (LONG, f"{LONG}y"),
}


def test_what_a_killed_process_left_is_swept_up(tmp_path):
    """A half-written file of a process that was killed goes at the next write of its cassette."""
    with writing(tmp_path / "refund.json") as process:
        process.kill()
    assert len(files(tmp_path)) == 1
    cassette_files.write(at(tmp_path / "other.json"), b"new")
    assert len(files(tmp_path)) == 2
    cassette_files.write(at(tmp_path / "refund.json"), b"new")
    assert files(tmp_path) == {"refund.json": b"new", "other.json": b"new"}


@pytest.mark.parametrize("names", [*NEIGHBOURS.values(), ("a", "a")], ids=[*NEIGHBOURS, "itself"])
def test_what_another_process_writes_is_left_alone(tmp_path, names):
    """However alike their names are, cassettes that are written at once do not get into each other's way."""
    ours, theirs = (tmp_path / f"{name}.json" for name in names)
    with writing(theirs) as process:
        cassette_files.write(at(ours), b"ours")
        process.communicate("go on\n", timeout=20)
        assert process.returncode == 0
    assert files(tmp_path) == {ours.name: b"ours", theirs.name: b"theirs"}


def test_a_file_of_any_size_is_not_read(tmp_path, monkeypatch):
    """A file larger than any run is refused, and no more of it read than that takes."""
    monkeypatch.setattr(cassette_files, "MAX_BYTES", 2 * 1024 * 1024)
    (tmp_path / "a.json").write_bytes(b" " * (2 * 1024 * 1024 + 1))
    with pytest.raises(CassetteError, match="is larger than 2 MB"):
        cassette_files.read(at(tmp_path / "a.json"))


LINKS = ["cassettes", "cassettes/answer", "cassettes/answer/refund.json"]


@pytest.mark.parametrize("folder", ["cassettes", "absolute"])
@pytest.mark.parametrize("name", LINKS)
def test_no_link_leads_out_of_the_folder(tmp_path, name, folder):
    """Where a link leads out of the cassettes' folder, nothing is read there and nothing written."""
    home, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    (elsewhere / "answer").mkdir(parents=True)
    home.mkdir()
    for target in ("refund.json", "answer/refund.json"):
        (elsewhere / target).write_bytes(written())
    to = {"cassettes": elsewhere, "cassettes/answer": elsewhere / "answer"}
    link = home / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(to.get(name, elsewhere / "refund.json"))
    named = str(home / "cassettes") if folder == "absolute" else folder
    spot = cassette_files.spot(home / "answer.dust.yaml", "refund", named, home)
    before = files(elsewhere)
    if folder == "absolute" and name == "cassettes":  # a folder that the user named, wherever it is
        assert cassette_files.read(spot) is not None
        return
    for tried in (lambda: cassette_files.read(spot), lambda: cassette_files.write(spot, b"new")):
        with pytest.raises(CassetteError, match="leads by a symbolic link out of its folder"):
            tried()
    assert files(elsewhere) == before


def test_a_link_within_the_folder_is_followed(tmp_path):
    """A link that stays in the folder of cassettes is as good as a file."""
    spot = cassette_files.spot(tmp_path / "answer.dust.yaml", "refund", "cassettes", tmp_path)
    cassette_files.write(spot, written())
    link = spot.path.with_name("other.json")
    link.symlink_to(spot.path)
    assert cassette_files.read(replace(spot, path=link)) is not None


def test_a_project_behind_a_link_has_cassettes(tmp_path):
    """A project that is itself reached by a link keeps its cassettes as any other."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    spot = cassette_files.spot(
        tmp_path / "link" / "answer.dust.yaml", "refund", "cassettes", tmp_path / "link"
    )
    cassette_files.write(spot, written())
    assert cassette_files.read(spot) is not None
