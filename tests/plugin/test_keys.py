"""Single keys, as the console of Windows gives them."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from pytest_dust.plugin import keys


def pressed(monkeypatch, codes):
    """Return the keys that are read from a console which sends these codes, as msvcrt documents them."""
    sent = iter(codes)
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(getwch=lambda: next(sent)))
    monkeypatch.setattr(keys, "sys", SimpleNamespace(platform="win32"))
    with keys.single_keys() as key:
        found = [key()]
        while (code := next(sent, None)) is not None:
            sent = iter([code, *sent])
            found.append(key())
    return found


@pytest.mark.parametrize(
    ("codes", "read"),
    [
        ("a", ["a"]),
        ("aA", ["a", "A"]),
        ("\x1b", [keys.ESCAPE]),
        ("\x00;a", [keys.ESCAPE, "a"]),  # F1
        ("\xe0Hq", [keys.ESCAPE, "q"]),  # arrow up: its second code is no H
    ],
)
def test_a_key_of_several_codes_is_one_key(monkeypatch, codes, read):
    """An arrow or a function key is read as Escape, so that its second code is not taken for a letter."""
    assert pressed(monkeypatch, codes) == read


def test_ctrl_c_interrupts(monkeypatch):
    """The console gives Ctrl-C as a character, which ends the review as elsewhere."""
    with pytest.raises(KeyboardInterrupt):
        pressed(monkeypatch, "\x03")
