"""pytest on a terminal of its own, at which a test reads what is shown and presses keys."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from conftest import BARE, OTHERS_PLUGINS

_START = """\
import fcntl, sys, termios, pytest
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
sys.exit(pytest.main(sys.argv[1:]))
"""
"""Starts pytest as the program that gets the signals of its terminal, such as Ctrl-C."""
LONGEST = 15.0
"""Seconds to wait for a text, or for the end of the process."""
AGAIN = 0.5
"""Seconds after which a key is pressed again."""
_ESCAPES = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")


class Keyboard:
    """A terminal on which pytest runs."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        """Take the process and our end of its terminal."""
        self._process, self._terminal = process, terminal
        self._read = b""
        self._looked_at = 0

    @property
    def shown(self) -> str:
        """All that was written so far, without colours."""
        return _ESCAPES.sub("", self._read.decode("utf-8", "replace")).replace("\r\n", "\n")

    def until(self, text: str) -> str:
        """Wait until a text is shown after what was waited for before; return what is shown up to it."""
        ends = time.monotonic() + LONGEST
        while (found := self.shown.find(text, self._looked_at)) < 0:
            assert self._more(ends), f"{text!r} is not shown:\n{self.shown[self._looked_at :]}"
        start, self._looked_at = self._looked_at, found + len(text)
        return self.shown[start : self._looked_at]

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self._terminal, keys.encode())

    def press_until(self, key: str, text: str) -> str:
        """Press a key, again if nothing is shown for a while, and wait until a text is shown."""
        ends = time.monotonic() + LONGEST
        while text not in self.shown[self._looked_at :] and time.monotonic() < ends:
            self.press(key)
            self._more(time.monotonic() + AGAIN)
        return self.until(text)

    def end(self) -> int:
        """Wait for the end of pytest; return its exit status."""
        ends = time.monotonic() + LONGEST
        while self._more(ends):
            pass
        return self._process.wait(LONGEST)

    def _more(self, ends: float) -> bool:
        """Read what is shown next; False at the end."""
        if not select.select([self._terminal], [], [], max(0.0, ends - time.monotonic()))[0]:
            return False
        with suppress(OSError):  # so a terminal says that no process writes to it any more
            piece = os.read(self._terminal, 65536)
            self._read += piece
            return bool(piece)
        return False


@contextmanager
def keyboard(example: Any, *args: str, columns: int = 80, ahead: str = "") -> Iterator[Keyboard]:
    """Start pytest in a project on a terminal of so many columns, with some keys pressed already."""
    fcntl, pty, termios = (pytest.importorskip(name) for name in ("fcntl", "pty", "termios"))
    example.write()
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, bytes([30, 0, columns, 0, 0, 0, 0, 0]))
    environ = {**BARE, "TERM": "xterm", "PYTEST_ADDOPTS": OTHERS_PLUGINS, **example.environ}
    command = [sys.executable, "-c", _START, "-p", "no:cacheprovider", *args]
    if ahead:
        os.write(ours, ahead.encode())
    process = subprocess.Popen(
        command,
        cwd=example.root,
        env=environ,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Keyboard(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
