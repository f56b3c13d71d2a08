"""The files of cassettes: where they are, and that they are read and written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from recordings import REPLY, written

from conftest import BARE, unwritable
from pytest_dust.cassettes import files as cassette_files
from pytest_dust.cassettes.files import CassettePath, path_below
from pytest_dust.errors import CassetteError
from pytest_dust.files.names import earlier_case_file
from pytest_dust.files.writing import unfinished

# ── on disk ──────────────────────────────────────────────────────────────────────────────────────


def files(folder: Path) -> dict[str, bytes]:
    """Give every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def at(path: Path) -> CassettePath:
    """Give the path of a cassette that no link may lead out of its folder."""
    return path_below(path, os.path.realpath(path.parent))


def test_what_is_written_is_read(tmp_path):
    """A cassette is written with the folders it needs, replaces the one there, and leaves nothing else."""
    path = cassette_files.folder_of(tmp_path / "answer.dust.yaml", "cassettes", tmp_path).cassette("refund")
    assert cassette_files.read(path) is None
    for duration in (1.0, 2.0):
        cassette_files.write(path, written(reply=replace(REPLY, duration=duration)))
        found = cassette_files.read(path)
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
    with unwritable(folder), pytest.raises(CassetteError, match="cannot be written: "):
        cassette_files.write(at(folder / "refund.json"), b"new")
    assert files(folder) == {"refund.json": b"old"}


def test_a_long_name_is_written(tmp_path):
    """A case whose id makes the longest file name a disk takes has a cassette too."""
    path = tmp_path / f"{'x' * 250}.json"
    cassette_files.write(at(path), b"new")
    assert list(files(tmp_path)) == [path.name]


ELSEWHERE = """
import os, sys
from pathlib import Path
from pytest_dust.cassettes import files as cassette_files

def fsync(_):
    print("written, not yet in place", flush=True)
    sys.stdin.readline()

os.fsync = fsync
os.getpid = lambda: 1  # as in every container
path = Path(sys.argv[1])
cassette_files.write(cassette_files.path_below(path, str(path.parent)), b"theirs")
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


def aged(folder: Path, seconds: float = 2 * 3600) -> None:
    """Let the temporary files in a folder be so many seconds older."""
    for path in folder.glob(".*.tmp"):
        now = path.stat().st_mtime
        os.utime(path, (now - seconds, now - seconds))


LONG = "x" * 120
NEIGHBOURS = {
    "another": ("a", "b"),
    "a beginning": ("a", "a.b"),
    "a name": ("a.b", "a"),
    "long": (LONG, f"{LONG}y"),
}


def test_a_killed_process_damages_nothing(tmp_path):
    """A process that is killed in the middle of a write leaves the old cassette whole."""
    (tmp_path / "refund.json").write_bytes(b"old")
    with writing(tmp_path / "refund.json") as process:
        process.kill()
    assert (tmp_path / "refund.json").read_bytes() == b"old"
    (left,) = set(files(tmp_path)) - {"refund.json"}
    assert left.startswith(".")
    assert left.endswith(".tmp")


def test_what_a_killed_process_left_is_swept_up(tmp_path):
    """An hour later, what a killed process had half written goes at the next write of the cassette."""
    with writing(tmp_path / "refund.json") as process:
        process.kill()
    cassette_files.write(at(tmp_path / "refund.json"), b"new")
    assert len(files(tmp_path)) == 2
    aged(tmp_path)
    cassette_files.write(at(tmp_path / "other.json"), b"new")
    assert len(files(tmp_path)) == 3
    cassette_files.write(at(tmp_path / "refund.json"), b"new")
    assert files(tmp_path) == {"refund.json": b"new", "other.json": b"new"}


def test_an_unfinished_file_of_the_future_is_left_alone(tmp_path):
    """An unfinished file with a time in the future, as a wrong clock makes it, is not removed."""
    with writing(tmp_path / "refund.json") as process:
        process.kill()
    (left,) = tmp_path.glob(".*.tmp")
    changed = left.stat().st_mtime
    assert unfinished(tmp_path, now=changed - 7200) == []
    assert unfinished(tmp_path, now=changed + 7200) == [left]


def test_what_earlier_versions_left_is_swept_up(tmp_path):
    """The half-written files of versions that named them by the process go like others."""
    name = hashlib.sha256(b"refund.json").hexdigest()[:12]
    (tmp_path / f".refund-{name}.4711.tmp").write_bytes(b"half")
    aged(tmp_path)
    cassette_files.write(at(tmp_path / "refund.json"), b"new")
    assert files(tmp_path) == {"refund.json": b"new"}


@pytest.mark.parametrize("names", [*NEIGHBOURS.values(), ("a", "a")], ids=[*NEIGHBOURS, "itself"])
def test_what_another_process_writes_is_left_alone(tmp_path, names, monkeypatch):
    """Cassettes that are written at once do not meet, however alike their names and process ids are."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    ours, theirs = (tmp_path / f"{name}.json" for name in names)
    with writing(theirs) as process:
        cassette_files.write(at(ours), b"ours")
        process.communicate("go on\n", timeout=20)
        assert process.returncode == 0
    assert files(tmp_path) == {ours.name: b"ours", theirs.name: b"theirs"}


def test_no_process_is_signalled(tmp_path, monkeypatch):
    """Whether a file is being written is told by its age, and no process is asked."""
    with writing(tmp_path / "refund.json"), monkeypatch.context() as patch:
        patch.delattr(os, "kill")
        aged(tmp_path, 1800)
        cassette_files.write(at(tmp_path / "refund.json"), b"new")
        assert len(files(tmp_path)) == 2
        aged(tmp_path, 1900)
        cassette_files.write(at(tmp_path / "refund.json"), b"new")
        assert len(files(tmp_path)) == 1


@pytest.mark.parametrize("case", ["\U0001f600" * 60, "a b", "nul", "x" * 500])
def test_any_name_is_written(tmp_path, case):
    """A case of any name has a cassette, which is read again."""
    path = cassette_files.folder_of(tmp_path / "a.dust.yaml", "cassettes", tmp_path).cassette(case)
    cassette_files.write(path, written())
    assert cassette_files.read(path) is not None


@pytest.mark.parametrize(("before", "named"), [("", "a new id"), ("an old id", "an old id")])
def test_the_earlier_paths_have_the_id_that_the_case_had(tmp_path, before, named):
    """A cassette of an earlier version is searched under the id that its case had then, if it had another."""
    folder = cassette_files.folder_of(tmp_path / "a.dust.yaml", "cassettes", tmp_path)
    path = folder.cassette("a new id", before)
    assert f"{earlier_case_file(named)}.json" in {each.name for each in path.earlier}


def test_a_pipe_hangs_nobody(tmp_path):
    """A named pipe in a cassette's place is refused at once."""
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(CassetteError, match="no regular file"):
        cassette_files.read(at(tmp_path / "a.json"))


def test_a_file_of_any_size_is_not_read(tmp_path, monkeypatch):
    """A file larger than any run is refused, and no more of it read than that takes."""
    monkeypatch.setattr(cassette_files, "MAX_BYTES", 2 * 1024 * 1024)
    (tmp_path / "a.json").write_bytes(b" " * (2 * 1024 * 1024 + 1))
    with pytest.raises(CassetteError, match="is larger than 2 MB"):
        cassette_files.read(at(tmp_path / "a.json"))


LINKS = {
    "cassettes": ["cassettes", "cassettes/answer", "cassettes/answer/refund.json"],
    "../cassettes": ["../cassettes", "../cassettes/project", "../cassettes/project/answer.dust.yaml"],
    "absolute": ["cassettes/answer.dust.yaml", "cassettes/answer.dust.yaml/refund.json"],
}


@pytest.mark.parametrize(("folder", "name"), [(folder, name) for folder in LINKS for name in LINKS[folder]])
def test_no_link_leads_out_of_the_folder(tmp_path, name, folder):
    """Where a link leads out of the cassettes' folder, nothing is read there and nothing written."""
    home, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    home.mkdir()
    named = str(home / "cassettes") if folder == "absolute" else folder
    path = cassette_files.folder_of(home / "answer.dust.yaml", named, home).cassette("refund")
    cassette_files.write(path, written())
    link = Path(os.path.normpath(home / name))
    link.rename(elsewhere)
    link.symlink_to(elsewhere)
    path = cassette_files.folder_of(home / "answer.dust.yaml", named, home).cassette("refund")
    before = files(tmp_path)
    for tried in (lambda: cassette_files.read(path), lambda: cassette_files.write(path, b"new")):
        with pytest.raises(CassetteError, match="leads by a symbolic link out of its folder"):
            tried()
    assert files(tmp_path) == before


def test_no_link_leads_out_of_the_folder_of_a_single_file(tmp_path):
    """A file that is named by itself is not read where a link above it leads out of the allowed folder."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.json").write_bytes(written())
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "link").symlink_to(tmp_path / "elsewhere")
    path = cassette_files.path_below(tmp_path / "top" / "link" / "a.json", str(tmp_path / "top"))
    with pytest.raises(CassetteError, match="leads by a symbolic link out of its folder"):
        cassette_files.read(path)


def test_an_absolute_folder_may_be_a_link(tmp_path):
    """An absolute folder is one that the user named, wherever a link leads from it."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    path = cassette_files.folder_of(tmp_path / "answer.dust.yaml", str(tmp_path / "link"), tmp_path).cassette(
        "refund"
    )
    cassette_files.write(path, written())
    assert cassette_files.read(path) is not None
    assert list(files(tmp_path / "elsewhere")) == ["answer.dust.yaml/refund.json"]


@pytest.mark.parametrize("folder", ["cassettes", "../cassettes"])
def test_a_suite_behind_a_link_has_one_place(tmp_path, folder):
    """A suite that is reached by a link and directly has the same cassettes."""
    (tmp_path / "real" / "shop").mkdir(parents=True)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "link").symlink_to(tmp_path / "real" / "shop")
    places = [tmp_path / "a" / "link", tmp_path / "real" / "shop"]
    paths = [
        cassette_files.folder_of(at / "x.dust.yaml", folder, tmp_path).cassette("refund") for at in places
    ]
    cassette_files.write(paths[0], written())
    assert cassette_files.read(paths[1]) is not None


def test_a_link_within_the_folder_is_followed(tmp_path):
    """A link that stays in the folder of cassettes is as good as a file."""
    path = cassette_files.folder_of(tmp_path / "answer.dust.yaml", "cassettes", tmp_path).cassette("refund")
    cassette_files.write(path, written())
    link = path.file.with_name("other.json")
    link.symlink_to(path.file)
    assert cassette_files.read(replace(path, file=link)) is not None


def test_a_project_behind_a_link_has_cassettes(tmp_path):
    """A project that is itself reached by a link keeps its cassettes as any other."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    path = cassette_files.folder_of(
        tmp_path / "link" / "answer.dust.yaml", "cassettes", tmp_path / "link"
    ).cassette("refund")
    cassette_files.write(path, written())
    assert cassette_files.read(path) is not None
