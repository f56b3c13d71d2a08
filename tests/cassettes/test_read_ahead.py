"""A recording is read once in a session, for its estimate and for its run, as far as memory allows."""

from __future__ import annotations

from collections import Counter

import pytest

from pytest_dust.cassettes import read_ahead
from pytest_dust.cassettes.files import folder_of, write
from pytest_dust.errors import CassetteError

COUNTING = """\
import os, sys
def note(event, args):
    if event == "open" and str(args[0]).endswith(".json") and "cassettes" in str(args[0]):
        os.write(2, f"OPENED {os.path.basename(str(args[0]))}\\n".encode())
sys.addaudithook(note)
"""
MODULE = """\
def test_it(dust):
    for question in ("Where is my refund?", "Track my parcel"):
        dust.run(app="9f1d3b5a7c", input={"question": question})
"""


@pytest.mark.parametrize(
    "options",
    [
        ("--dust-mode=replay",),
        ("--dust-mode=live",),
        ("--dust-mode=record",),
        ("--dust-check",),
        ("--dust-specification-hash=latest",),
    ],
    ids=" ".join,
)
def test_each_recording_is_opened_once(support, options):
    """Whatever the mode, a session opens each recording once, those of Python tests too."""
    recorded = support.having({"test_it.py": MODULE}).run("--dust-mode=record").example
    result = recorded.having({"conftest.py": COUNTING}).run("-s", *options, subprocess=True)
    opened = Counter(line.split()[1] for line in result.err.splitlines() if line.startswith("OPENED"))
    wanted = {"refund.json", "parcel.json", "wrong.json"}
    wanted |= set() if "--dust-check" in options else {"test_it.json", "test_it[2].json"}
    assert {name: opened[name] for name in wanted} == dict.fromkeys(wanted, 1)


def test_a_broken_recording_is_told_as_ever(recorded, server):
    """What is wrong with a recording is told where it is read for the estimate alone."""
    example = recorded.having({"cassettes/answer/refund.json": "{"}).using(server)
    result = example.run("--dust-mode=record", "-k", "refund")
    assert (result.outcomes["failed"], server.runs) == (1, 0)
    assert "is not JSON" in result.report


@pytest.fixture
def spots(tmp_path, recorded):
    """Places of cassettes: two that are there, one that is broken, one that is missing."""
    text = recorded.files["cassettes/answer/refund.json"]
    found = [folder_of(tmp_path / "a.dust.yaml", "cassettes", tmp_path).cassette(name) for name in "abcd"]
    for spot, content in zip(found, (text, text, b"{"), strict=False):
        write(spot, content)
    return found


def test_what_is_kept_is_given_once(spots):
    """What was read ahead is given as it was read; a second time, it is read anew."""
    ahead = read_ahead.ReadAhead()
    one, _, broken, missing = spots
    assert ahead.keep(one) is ahead.take(one)
    for read in (ahead.keep, ahead.take, ahead.take):
        with pytest.raises(CassetteError, match="is not JSON"):
            read(broken)
    assert ahead.keep(missing) is ahead.take(missing) is None
    write(missing, one.file.read_bytes())
    assert ahead.take(missing) == ahead.take(one)


def test_what_is_kept_has_bounds(spots, monkeypatch):
    """As much is kept as there is room for; what is taken makes room again."""
    one, two, *_ = spots
    monkeypatch.setattr(read_ahead, "MAX_BYTES", one.file.stat().st_size * 3 // 2)
    ahead = read_ahead.ReadAhead()
    first, second = ahead.keep(one), ahead.keep(two)
    assert ahead.take(one) is first
    assert ahead.take(two) is not second
    again = ahead.keep(two)
    assert ahead.take(two) is again
