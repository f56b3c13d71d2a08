"""The block that a streamed run is at, on one line of the terminal that is replaced as it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

from pytest_dust.report.values import safe

if TYPE_CHECKING:
    import pytest

    from pytest_dust.model import Event


@contextmanager
def progress(config: pytest.Config, title: str) -> Iterator[Callable[[Event], None] | None]:
    """Who is to be told of the run's events: None unless a person watches a terminal under `-v`."""
    terminal: Any = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None or not getattr(terminal, "isatty", False) or config.get_verbosity() < 1:
        yield None
        return
    writer = config.get_terminal_writer()
    capture: Any = config.pluginmanager.get_plugin("capturemanager")
    shown: list[str] = []

    def write(block: str) -> None:
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            room = writer.fullwidth - 1 - _width(f"{title} ")  # only a free stdout tells its width
            if room < 0:  # the title has wrapped: there is no one line to replace
                return
            behind = _cut(f"… {block}" if block else "", room)
            blank = " " * (room - _width(behind))
            # Raw, so that pytest's count of the line's columns, by which it sets `[100%]`, stays right.
            writer.write_raw(f"\r{title} {behind}{blank}\r{title} ", flush=True)

    def watch(event: Event) -> None:
        block = _running(event.data)
        if block:
            shown.append(block)
            write(block)

    try:
        yield watch
    finally:
        if shown:  # pytest writes the verdict behind the title
            write("")


def _width(text: str) -> int:
    """The columns of a terminal that a text takes."""
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)


def _cut(text: str, room: int) -> str:
    """As much of the text as there is room for."""
    while _width(text) > room:
        text = text[:-1]
    return text


def _running(data: object) -> str:
    """The block that an event says runs now, if it does."""
    match data:
        case {"type": "block_status", "content": {"status": "running", **content}}:
            return _block(content)
    return ""


def _block(content: Mapping[Any, Any]) -> str:
    return safe(f"{content.get('name')} ({content.get('block_type')})")[:60]
