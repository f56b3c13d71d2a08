"""Read single keys from a terminal.

Libraries for this, such as readchar and click, throw away keys that were typed ahead, as they set up the
terminal for each key.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

END = ""
"""The key that is returned when the terminal is gone."""


ESCAPE = "\x1b"
"""The key that is returned for Escape, and for all keys that send more than one character, such as arrows."""
LATER = 0.1
"""Seconds in which a terminal sends the rest of such a key."""


@contextmanager
def single_keys() -> Iterator[Callable[[], str]]:
    """Yield a function that waits for one key and returns it, `END` if there will be none.

    Ctrl-C raises KeyboardInterrupt. The keys are not shown.
    """
    if sys.platform == "win32":
        yield _windows_key
        return
    import termios
    import tty

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)

    def set_up(*_: object) -> None:
        tty.setcbreak(terminal, termios.TCSADRAIN)

    set_up()
    continued = signal.signal(signal.SIGCONT, set_up)  # a shell resets the terminal at Ctrl-Z
    try:
        yield lambda: _key(terminal)
    finally:
        signal.signal(signal.SIGCONT, continued)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _key(terminal: int) -> str:
    """One key from a terminal; all that comes at once with Escape belongs to one key."""
    char = _character(terminal)
    while char == ESCAPE and _has_more(terminal):
        _character(terminal)
    return char


def _character(terminal: int) -> str:
    try:
        return os.read(terminal, 1).decode("ascii", "replace")
    except OSError:  # the terminal is gone
        return END


def _has_more(terminal: int) -> bool:
    import select

    return bool(select.select([terminal], [], [], LATER)[0])


def _windows_key() -> str:
    import msvcrt

    getwch: Any = msvcrt.getwch  # type: ignore[attr-defined, unused-ignore]
    char: str = getwch()
    if char == "\x03":
        raise KeyboardInterrupt
    if char in ("\x00", "\xe0"):
        getwch()
        return ESCAPE
    return char


def is_terminal() -> bool:
    """True if keys can be read and what is printed is seen."""
    try:
        return sys.stdin.isatty() and sys.stdout.isatty()
    except ValueError:  # closed
        return False
