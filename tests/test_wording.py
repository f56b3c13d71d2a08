"""Parts of sentences that many messages share."""

from __future__ import annotations

import ntpath
import shlex
from pathlib import PureWindowsPath
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_dust import wording
from pytest_dust.model import MISSING
from pytest_dust.wording import as_typed, first_names, kind, shell_line, shell_word


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, ""), (1, "n0"), (2, "n0, n1"), (3, "n0, n1 and 1 more"), (2_002, "n0, n1 and 2,000 more")],
)
def test_a_list_of_names_shows_the_first_and_counts_the_others(count: int, shown: str) -> None:
    """At most so many names are shown, and the number of those that are not."""
    assert first_names([f"n{at}" for at in range(count)], 2) == shown


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (MISSING, "missing"),
        (None, "null"),
        (True, "true or false"),
        (0, "a number"),
        (0.5, "a number"),
        ("", "text"),
        ([], "a list"),
        ({}, "a mapping"),
    ],
)
def test_a_kind_of_value_has_one_name(value: Any, words: str) -> None:
    """Every type of JSON, and a missing value, is called the same in all messages."""
    assert kind(value) == words


@pytest.fixture
def windows(monkeypatch):
    """Paths and shells are those of Windows."""
    monkeypatch.setattr(wording, "os", SimpleNamespace(path=ntpath, sep=ntpath.sep))
    monkeypatch.setattr(wording, "WINDOWS", True)


@pytest.mark.parametrize(
    ("path", "folder", "typed"),
    [
        (r"C:\work\shop\a.dust.yaml", r"C:\work", "shop/a.dust.yaml"),
        (r"C:\work\a.dust.yaml", r"C:\work\shop", "../a.dust.yaml"),
        (r"c:\Work\a.dust.yaml", r"C:\work", "a.dust.yaml"),
        (r"D:\work\a.dust.yaml", r"C:\work", "D:/work/a.dust.yaml"),
        (r"\\server\share\a.dust.yaml", r"C:\work", "//server/share/a.dust.yaml"),
        (r"\\server\share\x\a.dust.yaml", r"\\server\share", "x/a.dust.yaml"),
    ],
)
@pytest.mark.usefixtures("windows")
def test_a_path_of_windows_is_typed_with_slashes(path: str, folder: str, typed: str) -> None:
    """A path on Windows is shown from the folder, with forward slashes; whole, if it is on another drive."""
    assert as_typed(PureWindowsPath(path), PureWindowsPath(folder)) == typed


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["pytest", "shop/a.dust.yaml::refund"], "pytest shop/a.dust.yaml::refund"),
        (["pytest", r"shop\a.dust.yaml::refund"], r"pytest shop\a.dust.yaml::refund"),
        (["pytest", "a.dust.yaml::refund[gpt-4o]"], "pytest a.dust.yaml::refund[gpt-4o]"),
        (["pytest", "my suites/a.dust.yaml::x"], 'pytest "my suites/a.dust.yaml::x"'),
        (["pytest", "a::x[b&c]"], 'pytest "a::x[b&c]"'),
        (["pytest", "a::x[b,c]"], 'pytest "a::x[b,c]"'),
        (["pytest", 'a::x["]'], r'pytest "a::x[\"]"'),
        (["pytest", ""], 'pytest ""'),
    ],
)
@pytest.mark.usefixtures("windows")
def test_a_command_on_windows_has_double_quotes(words: list[str], line: str) -> None:
    """A command can be copied into cmd and PowerShell: what they would take apart is in double quotes."""
    assert shell_line(words) == line
    assert [shell_word(word) for word in words] == [*line.split(" ", 1)]


def test_a_command_elsewhere_is_quoted_for_the_shell() -> None:
    """A command can be copied into a POSIX shell, which gives back the same words."""
    words = ["pytest", "a b::x[1]", "it's", ""]
    assert shlex.split(shell_line(words)) == words
