"""Progress of live runs, shown on the terminal's line behind pytest's output until pytest writes again."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from pytest_dust.characters import safe
from pytest_dust.report.columns import width
from pytest_dust.wording import plural

if TYPE_CHECKING:
    import pytest

    from pytest_dust.model import Event


LEAST = 12
"""Minimum number of columns that are needed to show anything."""


class Progress(Struct, frozen=True):
    """Numbers of done, running and waiting runs, of failed cases and tokens, and seconds since the start."""

    done: int
    running: int
    waiting: int
    failed: int
    tokens: int
    seconds: float

    def __str__(self) -> str:
        """The progress as a short text."""
        parts = [f"{self.done:,} of {plural(self.done + self.running + self.waiting, 'run')} done"]
        parts += [f"{self.running:,} running"] if self.running else []
        parts += [f"{self.failed:,} failed"] if self.failed else []
        parts += [plural(self.tokens, "token")] if self.tokens else []
        parts += [f"about {_clock(self.left)} left"] if self.done and round(self.left) else []
        return ", ".join(parts)

    @property
    def left(self) -> float:
        """Estimated seconds until all runs are done."""
        return self.seconds / max(1, self.done) * (self.running + self.waiting)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@contextmanager
def progress(
    config: pytest.Config, current: Callable[[], Progress]
) -> Iterator[Callable[[Sequence[Event]], None] | None]:
    """Yield the callback that a waiting case calls at each tick; None if the output is no terminal.

    With `-v`, the running block of a streamed run is shown before the progress.
    """
    terminal: Any = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None or not getattr(terminal, "isatty", False):
        yield None
        return
    tail = _Tail(config)
    verbose = config.get_verbosity() > 0
    block = ""

    def watch(events: Sequence[Event]) -> None:
        nonlocal block
        running = [name for name in map(_running, (event.data for event in events)) if name]
        for each in running if verbose else ():
            block = f"… {each}  "
            tail.show(f"{block}{current()}")
        tail.show(f"{block}{current()}")

    try:
        yield watch
    finally:
        tail.show("")


@dataclass(slots=True)
class _Tail:
    """Text shown behind the cursor, which stays where pytest has put it."""

    config: pytest.Config
    shown: str = field(default="")

    def show(self, text: str) -> None:
        """Show another text, cut to the room on the line."""
        if text == self.shown == "":
            return
        writer = self.config.get_terminal_writer()
        capture: Any = self.config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            # Only without capturing is the width known. One column stays free, as a full line may wrap.
            # pytest takes a terminal of less than 40 columns for one of 80.
            columns = min(writer.fullwidth, shutil.get_terminal_size().columns)
            text = _cut(text and f" {text}", columns - 1 - writer.width_of_current_line)
            if text == self.shown:
                return
            blank = " " * (width(self.shown) - width(text))
            back = "\b" * max(width(text), width(self.shown))
            _print(f"{text}{blank}{back}")
            self.shown = text


def _print(text: str) -> None:
    """Print a text, with `?` for what the terminal cannot encode.

    Not with pytest's writer, which would count its columns, by which it sets `[100%]`; before pytest 9 it
    has no method that does not.
    """
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


def _cut(text: str, room: int) -> str:
    """The part of the text that fits; empty if there is too little room."""
    if room < LEAST:
        return ""
    while width(text) > room:
        text = text[:-1]
    return text


def _running(data: object) -> str:
    """The block that starts to run, if an event says so."""
    match data:
        case {"type": "block_status", "content": {"status": "running", **content}}:
            return _block(content)
    return ""


def _block(content: Mapping[Any, Any]) -> str:
    return safe(f"{content.get('name')} ({content.get('block_type')})")[:60]
