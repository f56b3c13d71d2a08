"""A user's file is replaced as a whole or not at all, and stays the file that it was."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from conftest import unwritable
from pytest_dust.files.writing import rewrite


def names(folder):
    """The names of all files in a folder."""
    return [path.name for path in folder.iterdir()]


@pytest.fixture
def file(tmp_path):
    """A file with a text."""
    path = tmp_path / "a.dust.yaml"
    path.write_bytes(b"old")
    return path


@pytest.mark.parametrize("content", [b"", b"new", b"a\r\nb\n\xef\xbb\xbf", b"x" * 100_000])
def test_the_content_is_replaced_byte_for_byte(file, content):
    """The file has exactly the new bytes, and nothing else is left in its folder."""
    rewrite(file, content)
    assert file.read_bytes() == content
    assert names(file.parent) == [file.name]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o755])
def test_the_permissions_stay(file, mode):
    """The new file has the permissions of the old one."""
    file.chmod(mode)
    rewrite(file, b"new")
    assert stat.S_IMODE(file.stat().st_mode) == mode


@pytest.mark.parametrize("absolute", [True, False])
def test_a_link_stays_a_link(file, tmp_path, absolute):
    """A symbolic link stays one, to a file that has the new content."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    link = folder / "link.dust.yaml"
    link.symlink_to(file if absolute else Path("..", file.name))
    rewrite(link, b"new")
    assert link.is_symlink()
    assert not file.is_symlink()
    assert file.read_bytes() == b"new"
    assert names(folder) == [link.name]


def test_a_long_name_is_no_hindrance(tmp_path):
    """A file whose name is as long as a disk takes can be replaced."""
    path = tmp_path / ("x" * 245 + ".dust.yaml")
    path.write_bytes(b"old")
    rewrite(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_file_that_may_not_be_written_stays(file, monkeypatch):
    """A file that the user made read-only is not replaced, though its folder would allow it."""
    file.chmod(0o444)
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path).stat().st_mode & stat.S_IWUSR != 0)
    with pytest.raises(PermissionError, match="Permission denied"):
        rewrite(file, b"new")
    assert file.read_bytes() == b"old"
    assert names(file.parent) == [file.name]


def test_a_folder_that_takes_no_file_leaves_it_whole(file):
    """If no file can be made or removed in its folder, the file stays as it is."""
    with unwritable(file.parent), pytest.raises(OSError, match=r"not permitted|denied"):
        rewrite(file, b"new")
    assert file.read_bytes() == b"old"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_half_way_leaves_the_old_file(file, monkeypatch, step, error):
    """If the disk is full or the user presses Ctrl-C, the old file stays and no other is left."""

    def fail(*_args):
        raise error

    target = os if step == "fsync" else Path
    monkeypatch.setattr(target, step, fail)
    with pytest.raises(type(error)):
        rewrite(file, b"new")
    assert file.read_bytes() == b"old"
    assert names(file.parent) == [file.name]


def test_a_file_that_is_gone_is_not_made(tmp_path):
    """A file that was removed meanwhile is not made anew."""
    with pytest.raises(FileNotFoundError):
        rewrite(tmp_path / "gone.dust.yaml", b"new")
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs Linux's list of open files")
def test_no_file_is_open_while_it_is_replaced(file, monkeypatch):
    """Neither the old nor the new file is open at that moment, which Windows would refuse."""
    opened = []
    replace = Path.replace

    def watched(self, target):
        links = [each.readlink() for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
        opened.append([link for link in links if link.parent == file.parent])
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    rewrite(file, b"new")
    assert opened == [[]]
    assert file.read_bytes() == b"new"
