"""What a process knows of its part in a session: alone, or as one of several pytest-xdist workers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dust.run.budget import Budget

if TYPE_CHECKING:
    from pytest_dust.settings import Settings


def budget(config: pytest.Config, settings: Settings) -> Budget:
    """The session's budget; of several xdist workers the one that their controller keeps."""
    address = _given(config).get("dust_budget")
    if address is None:
        return Budget(settings.max_runs, settings.max_tokens)
    from pytest_dust.plugin import shared_budget  # multiprocessing: 20 ms

    try:
        return shared_budget.connect(address)
    except OSError as error:
        raise pytest.UsageError(
            f"--dust-max-runs and --dust-max-tokens need all xdist workers on one machine: {error}"
        ) from None


def stop_file(config: pytest.Config) -> Path | None:
    """The file by which the xdist workers of a session tell each other that recording has ended."""
    given = _given(config).get("dust_stop_file")
    return None if given is None else Path(given)


def share(config: pytest.Config, at_once: int) -> int:
    """How many runs this process may have under way: all, or as one of several xdist workers its share."""
    given = _given(config)
    workers, number = int(given.get("workercount", 1)), given.get("workerid", "gw0").removeprefix("gw")
    more = number.isdecimal() and int(number) < at_once % workers
    return max(1, at_once // workers + more)


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is an xdist worker."""
    return hasattr(config, "workerinput")


def is_idle(config: pytest.Config) -> bool:
    """Whether no case is run in this session."""
    return any(config.getoption(name, False) for name in ("collectonly", "dust_check", "setuponly"))


def uses_fixture(item: object) -> bool:
    """Whether a Python test uses the fixture `dust`."""
    return "dust" in getattr(item, "fixturenames", ())


def is_first(config: pytest.Config) -> bool:
    """Whether this process is the first xdist worker, which speaks for all."""
    return _given(config).get("workerid") == "gw0"


def _given(config: pytest.Config) -> dict[str, Any]:
    """What the controller has told this worker; nothing where there is none."""
    given: dict[str, Any] = getattr(config, "workerinput", {})
    return given
