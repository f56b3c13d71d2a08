"""The block that a streamed run is at, on one line of the terminal that is replaced as it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

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
    capture: Any = config.pluginmanager.get_plugin("capturemanager")
    shown: list[str] = []

    def write(line: str) -> None:
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            terminal.rewrite(line, erase=True)
            terminal.write(f"\r{title} " if line == title else "", flush=True)

    def watch(event: Event) -> None:
        block = _running(event.data)
        if block:
            shown.append(block)
            write(f"{title} … {block}")

    try:
        yield watch
    finally:
        if shown:  # pytest writes the verdict behind the title
            write(title)


def _running(data: object) -> str:
    """The block that an event says runs now, if it does."""
    match data:
        case {"type": "block_status", "content": {"status": "running", **content}}:
            return _block(content)
    return ""


def _block(content: Mapping[Any, Any]) -> str:
    return safe(f"{content.get('name')} ({content.get('block_type')})")[:60]
