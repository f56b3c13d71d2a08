"""The files that a case or test reads, as dependencies for pytest-testmon.

pytest-testmon runs the tests again that depend on a changed file. It learns from coverage.py which Python
files a test runs, and knows that a case depends on its suite. The other files are put among those that
coverage.py measured.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from pytest_dust.settings import Mode

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_dust.settings import Settings

ALL_CASES = ("check", "prune", "review", "accept", "reject")
"""Commands that need all cases, also those whose files have not changed."""


def refuse_selection(config: pytest.Config, chosen: Settings) -> None:
    """Raise UsageError if pytest-testmon would deselect cases that the session is about."""
    option = config.getoption
    off = option("testmon_noselect", False) or option("no-testmon", False)
    if not option("testmon", False) or off:
        return
    for name in ALL_CASES:
        if option(f"dust_{name}"):
            raise _refusal(f"--dust-{name} needs all of them")
    if chosen.drift:
        raise _refusal("--dust-drift asks whether their app has")
    if chosen.mode in (Mode.LIVE, Mode.RERECORD):
        raise _refusal(f"a {chosen.mode} session asks whether their app has")


def _refusal(reason: str) -> pytest.UsageError:
    """The error that says why no case may be left out."""
    return pytest.UsageError(
        f"--testmon leaves out cases whose files have not changed, but {reason}; add --testmon-noselect, "
        "or --no-testmon"
    )


def add_dependencies(config: pytest.Config, files: Iterable[Path]) -> None:
    """Let the test that runs now depend on these files, if pytest-testmon collects dependencies."""
    if not config.pluginmanager.has_plugin("TestmonCollect"):
        return
    measuring = import_module("coverage").Coverage.current()  # a dependency of pytest-testmon
    if measuring is not None:
        # Each file counts as a whole; pytest-testmon cannot read one whose name has no suffix.
        lines = {str(file): [1] for file in files if file.suffix and file.is_file()}
        measuring.get_data().add_lines(lines)
