"""What this process is in a session: the only one, or one of several pytest-xdist workers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import pytest

from pytest_dust import sockets
from pytest_dust.errors import DustError, ServiceError
from pytest_dust.run.budget import SHARED, Budget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_dust.plugin.gate_steps import GateSteps
    from pytest_dust.settings import Settings


def budget(config: pytest.Config, settings: Settings) -> Budget:
    """The session's budget; in a pytest-xdist worker, the one that the controller holds."""
    address = _given(config).get("dust_budget")
    if address is None:
        return Budget(settings.max_runs, settings.max_tokens)
    return SharedBudget(_shared(address, SHARED, "--dust-max-runs and --dust-max-tokens need"))


class SharedBudget(Budget):
    """The budget that the controller of pytest-xdist holds."""

    def __init__(self, shared: Any) -> None:
        """Take the client of the budget; each thread opens a connection of its own."""
        super().__init__()
        self._shared = shared

    def take(self) -> None:
        """Count a run; raises ServiceError if a ceiling is reached, or if sockets are blocked."""
        try:
            self._shared.take()
        except DustError:
            raise
        except Exception as error:
            if not sockets.are_replaced():
                raise
            reason = f"{type(error).__name__}: {error}".split("\n", 1)[0]
            raise ServiceError(
                "--dust-max-runs and --dust-max-tokens are counted over a Unix socket, which this test is "
                f"kept from, so no run was made: {reason}; allow it (pytest-socket: --allow-unix-socket), or "
                "leave these options out"
            ) from None

    def note(self, tokens: int, unknown: int = 0) -> None:
        """Count tokens that were used, and runs whose tokens are not all known."""
        self._shared.note(tokens, unknown)

    def refuse(self, runs: int, tokens: int) -> None:
        """Raise ServiceError if an estimate is more than a ceiling."""
        self._shared.refuse(runs, tokens)


def _shared(address: Any, methods: Sequence[str], who: str) -> Any:
    """An object that the controller holds; raises UsageError if it cannot be reached."""
    from pytest_dust.plugin import shared_objects  # multiprocessing: 20 ms

    try:
        return shared_objects.connect(address, methods)
    except OSError as error:
        raise pytest.UsageError(f"{who} all xdist workers on one machine: {error}") from None


def gate_steps(config: pytest.Config) -> GateSteps:
    """The steps of the session's gates; in a pytest-xdist worker, those that the controller holds."""
    from pytest_dust.plugin.gate_steps import METHODS, GateSteps

    address = _given(config).get("dust_gate")
    if address is None:
        return GateSteps()
    shared: GateSteps = _shared(address, METHODS, "--dust-gate needs")
    return shared


def name(config: pytest.Config) -> str:
    """The name of this process: that of a pytest-xdist worker, else `main`."""
    return str(_given(config).get("workerid", "main"))


def stop_file(config: pytest.Config) -> Path | None:
    """The file whose existence tells all pytest-xdist workers that recording has ended."""
    given = _given(config).get("dust_stop_file")
    return None if given is None else Path(given)


def share(config: pytest.Config, at_once: int) -> int:
    """How many runs this process may make at the same time: a pytest-xdist worker has its share."""
    given = _given(config)
    workers, number = int(given.get("workercount", 1)), given.get("workerid", "gw0").removeprefix("gw")
    more = number.isdecimal() and int(number) < at_once % workers
    return max(1, at_once // workers + more)


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is a pytest-xdist worker."""
    return hasattr(config, "workerinput")


def has_workers(config: pytest.Config) -> bool:
    """Whether this process is the controller of pytest-xdist workers."""
    return not is_worker(config) and config.getoption("dist", "no") != "no"


def is_idle(config: pytest.Config) -> bool:
    """Whether no case is run in this session."""
    return any(config.getoption(name, False) for name in ("collectonly", "dust_check", "setuponly"))


def uses_fixture(item: object) -> bool:
    """Whether a Python test uses the fixture `dust`."""
    return "dust" in getattr(item, "fixturenames", ())


def is_case(item: object) -> TypeGuard[Any]:
    """Whether an item is a case of a suite."""
    return hasattr(item, "estimate")


def is_first(config: pytest.Config) -> bool:
    """Whether this process is the first pytest-xdist worker, which prints for all."""
    return _given(config).get("workerid") == "gw0"


def _given(config: pytest.Config) -> dict[str, Any]:
    """What the controller sent to this worker; empty if this is no worker."""
    given: dict[str, Any] = getattr(config, "workerinput", {})
    return given
