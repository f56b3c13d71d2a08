"""File names are valid on every file system, and different for different ids on disks that ignore case."""

from __future__ import annotations

from itertools import combinations
from pathlib import PureWindowsPath

import pytest

from pytest_dust.files.names import case_file, is_reserved, with_digest

ODD = [
    "con",
    "CON",
    "nul.x",
    "aux.json",
    "com1",
    "lpt¹",
    "conin$",
    "refund.",
    "refund...",
    "-",
    "a" * 200,
    "refund[A]",
    "refund[a]",
    "refund[a b]",
    "refund[a:b]",
    "refund[a/b]",
    r"refund[a\b]",
    'refund[a"b]',
    "refund[<a>|*?]",
    "refund[a.]",
    "refund[a ]",
    f"refund[{'b' * 300}]",
    "refund[ä]",
    "refund[Ä]",
    "refund[a\u0308]",
    "refund[\n]",
    "refund[\x00]",
    "refund[\ud800]",
]


@pytest.mark.parametrize(
    ("name", "reserved"),
    [
        ("con", True),
        ("CON", True),
        ("con.json", True),
        ("Aux.tar.gz", True),
        ("nul ", True),
        ("nul .txt", True),
        ("com0", True),
        ("COM9.x", True),
        ("com³", True),
        ("com10", False),
        ("console", False),
        ("my-con", False),
        ("lpt", False),
        ("refund.", True),
        ("refund ", True),
        (".refund", False),
    ],
)
def test_names_that_windows_takes_for_others(name, reserved):
    """Windows opens a device for some names, whatever their suffix, and drops dots and blanks at the end."""
    assert is_reserved(name) is reserved


@pytest.mark.parametrize("case", ODD)
def test_a_cassette_has_a_name_that_every_system_takes(case):
    """The name is one part of a path, without the characters that Windows refuses, and no device."""
    file = f"{case_file(case)}.json"
    assert PureWindowsPath(file).name == file
    assert not set(file) & set('<>:"/\\|?*') | {char for char in file if ord(char) < 32}
    assert not is_reserved(file)
    assert len(file.encode()) <= 255


def test_no_two_ids_share_a_file_where_case_is_ignored():
    """Ids with brackets that differ in capitals or accents have files that a disk tells apart."""
    ids = [case for case in ODD if "[" in case]
    files = {case: case_file(case).casefold() for case in ids}
    assert [pair for pair in combinations(ids, 2) if files[pair[0]] == files[pair[1]]] == []


@pytest.mark.parametrize("name", ["con", "aux.x", "Answer ", "a\\b", "ä", ""])
def test_a_name_with_a_digest_is_its_own_on_all_systems(name):
    """The digest makes any name valid and different, also from one in other capitals."""
    assert not is_reserved(with_digest(name))
    assert with_digest(name).casefold() != with_digest(name.swapcase() or "x").casefold()
