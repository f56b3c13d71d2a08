"""The live runs of a session: estimated, launched ahead of pytest's turn, given up where no turn comes."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dust.budget import Budget
from pytest_dust.errors import DustError, ServiceError
from pytest_dust.launch import Launcher
from pytest_dust.report.progress import Progress
from pytest_dust.report.values import plural
from pytest_dust.stash import LINES

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from pytest_dust.model import Event
    from pytest_dust.pipeline import Made
    from pytest_dust.settings import Settings


NOT_RUN = (pytest.skip.Exception, pytest.xfail.Exception, pytest.fail.Exception, Exception)
"""What pytest's marks raise before a run: skip, xfail(run=False), or that a condition is wrong."""


class Live:
    """What the live cases of one pytest session share: a budget, and who launches their runs.

    A case is an item that has `estimate()`, `launch()` and `give_up()`.
    """

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self.settings = settings
        self.budget = _budget(config, settings)
        self.launcher: Launcher[Made, Event] = Launcher(share(config, settings.concurrency))
        self.refusal = ""
        """Why nothing is run: the estimate passes a ceiling."""
        self.failed = 0
        self._began = time.monotonic()

    def progress(self) -> Progress:
        """How far the session's runs are."""
        launcher = self.launcher
        passed = time.monotonic() - self._began
        counts = launcher.ended, launcher.under_way, launcher.waiting
        return Progress(*counts, self.failed, self.budget.tokens, passed)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Say what live cases will take, refuse what passes a ceiling, and launch the others."""
        config = session.config
        if _is_idle(config) or _is_over(session):
            return
        if _is_worker(config) and not self.settings.limited and not _is_first(config):
            return  # it learns of its cases one by one, and need not read all recordings
        asked = [(case, case.estimate()) for case in _cases(session.items) if not _skipped(case)]
        live = [(case, estimate) for case, estimate in asked if estimate.runs]
        if live:
            self._announce(config, [estimate for _, estimate in live])
        self._began = time.monotonic()
        if not self.refusal and not _is_worker(config):
            self._launch(case for case, _ in live)

    def _announce(self, config: pytest.Config, estimates: list[Any]) -> None:
        runs, tokens = (sum(each[at] for each in estimates) for at in (0, 1))
        about = f", about {plural(tokens, 'token')} by the recordings" if tokens else ""
        _say(config, f"dust: about to make {plural(runs, 'run')}{about}")
        try:
            self.budget.refuse(runs, tokens)
        except ServiceError as error:
            if not _is_worker(config):
                raise pytest.UsageError(str(error)) from None
            self.refusal = str(error)  # a worker cannot end the session

    def _launch(self, cases: Iterable[Any]) -> None:
        for case in cases:
            with suppress(DustError):  # told when the case's turn comes
                case.launch()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, Any, Any]:
        """Launch what an xdist worker learns of only now, and give up what a case has not waited for."""
        if _is_worker(item.config) and not self.refusal and not _is_idle(item.config):
            near = _cases(_coming(item, nextitem))
            self._launch(case for case in near if not _skipped(case) and case.estimate().runs)
        try:
            return (yield)
        finally:
            for case in _cases((item,)):
                case.give_up()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the cases that failed."""
        self.failed += bool(report.failed and getattr(report, "dust", None))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Give up all that no turn came for, and say what may cost all the same."""
        self.launcher.close()
        if left := self.launcher.left:
            told = (
                f"dust: {plural(left, 'run')} under way not waited for; the service may go on and count them"
            )
            session.config.stash.setdefault(LINES, []).append(told)


def _cases(items: Iterable[Any]) -> list[Any]:
    return [item for item in items if hasattr(item, "estimate")]


def _coming(item: pytest.Item, nextitem: pytest.Item | None) -> list[pytest.Item | None]:
    """The items that an xdist worker runs now and next.

    xdist tells of one beyond the present. More of them stand in the worker's queue, which xdist does not
    document: it is looked at only where it is as we know it, and where nothing may be taken from it again.
    """
    steals = item.config.workerinput["dust_dist"] == "worksteal"  # type: ignore[attr-defined]
    plugins = () if steals else item.config.pluginmanager.get_plugins()
    more: list[int] = []
    for queue in (getattr(plugin, "torun", None) for plugin in plugins):
        if queue is not None and hasattr(queue, "lock"):
            with queue.lock() as waiting:
                more += [at for at in waiting if isinstance(at, int)]
    return [item, nextitem, *(item.session.items[at] for at in more)]


def _budget(config: pytest.Config, settings: Settings) -> Budget:
    """The session's budget; of several xdist workers the one that their controller keeps."""
    address = getattr(config, "workerinput", {}).get("dust_budget")
    if address is None:
        return Budget(settings.max_runs, settings.max_tokens)
    from pytest_dust import office  # multiprocessing: 20 ms

    try:
        return office.kept(address)
    except OSError as error:
        raise pytest.UsageError(
            f"--dust-max-runs and --dust-max-tokens need all xdist workers on one machine: {error}"
        ) from None


def share(config: pytest.Config, at_once: int) -> int:
    """How many runs this process may have under way: all, or as one of several xdist workers its share."""
    given = getattr(config, "workerinput", {})
    workers, number = int(given.get("workercount", 1)), given.get("workerid", "gw0").removeprefix("gw")
    more = number.isdecimal() and int(number) < at_once % workers
    return max(1, at_once // workers + more)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _is_first(config: pytest.Config) -> bool:
    return getattr(config, "workerinput", {}).get("workerid") == "gw0"


def _is_idle(config: pytest.Config) -> bool:
    """Whether no case is run in this session."""
    return any(config.getoption(name, False) for name in ("collectonly", "dust_check", "setuponly"))


def _is_over(session: pytest.Session) -> bool:
    """Whether errors of the collection end the session, before its first test or with it."""
    goes_on = session.config.option.continue_on_collection_errors
    return bool((session.testsfailed and not goes_on) or session.shouldfail or session.shouldstop)


def _skipped(case: pytest.Item) -> bool:
    """Whether pytest's own marks keep a case from being run."""
    skipping: Any = case.config.pluginmanager.get_plugin("skipping")
    if skipping is None:
        return False
    try:
        skipping.pytest_runtest_setup(case)
    except NOT_RUN:
        return True
    return False


def _say(config: pytest.Config, line: str) -> None:
    """Tell the user; of several xdist workers, which all know it, the first one by way of its stderr."""
    terminal: Any = config.pluginmanager.get_plugin("terminalreporter")
    if not _is_worker(config) and terminal is not None:
        terminal.write_line(line)
    elif _is_first(config):
        capture: Any = config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            print(line, file=sys.__stderr__, flush=True)  # its stdout belongs to xdist
