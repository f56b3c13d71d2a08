"""Start live runs before pytest reaches their cases; cancel those it never reaches."""

from __future__ import annotations

import sys
from contextlib import nullcontext, suppress
from itertools import groupby, takewhile
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dust import clock, sockets
from pytest_dust.errors import DustError, ServiceError
from pytest_dust.model import Tokens
from pytest_dust.plugin import project_hooks, workers
from pytest_dust.plugin.marks import is_skipped, may_not_run
from pytest_dust.plugin.records import RECORDS
from pytest_dust.report.progress import Progress
from pytest_dust.report.record import SurplusRuns
from pytest_dust.report.tokens import about, uncounted
from pytest_dust.wording import plural
from pytest_dust.worker_pool import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from pytest_dust.dust.transport import Update
    from pytest_dust.run.answer import MadeRun
    from pytest_dust.run.recorded import Estimate
    from pytest_dust.settings import Settings


AHEAD = 4
"""Factor on the number of parallel runs: so many may be running or done before pytest reaches their cases."""
CLEAR = "\r\x1b[K"
"""Clears the terminal line on which xdist's controller shows its progress; xdist writes it again."""


class Scheduler:
    """Starts the live runs of one session ahead, within its budget.

    A case is an item that has `estimate()`, `launch()` and `give_up()`.
    """

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self.settings = settings
        self.budget = workers.budget(config, settings)
        at_once = workers.share(config, settings.concurrency)
        ahead = at_once if config.getoption("maxfail", 0) else AHEAD * at_once
        self.pool: WorkerPool[MadeRun, Update] = WorkerPool(at_once, ahead)
        self.refusal = ""
        """Why nothing is run: the estimate passes a ceiling."""
        self.failed = 0
        self._starts_ahead = True
        """False if something may keep single cases from the network, which is known only at their turn."""
        self.estimate_test: Callable[[pytest.Item], Estimate | None] | None = None
        """Returns about how many runs and tokens a Python test will take; None if it has no recording."""
        self._stretches: dict[Any, list[Any]] = {}
        """Live cases that follow one another, by the first of them."""
        self._to_come = 0
        """Number of runs of these cases that are not started yet."""
        self._unasked = Tokens()
        """Tokens of runs that no case waited for."""
        self._nextitem: pytest.Item | None = None
        self._met: set[Any] = set()
        """The cases that pytest-xdist has given to this worker."""
        self._began = clock.seconds()

    def progress(self) -> Progress:
        """How many runs are done, running and waiting."""
        pool = self.pool
        passed = clock.seconds() - self._began
        counts = pool.ended, pool.running, pool.waiting + self._to_come
        return Progress(*counts, self.failed, self.budget.tokens, passed)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Say what live cases will take; end the session if that is more than a ceiling."""
        config = session.config
        if workers.is_idle(config) or _is_over(session):
            return
        cases = [*filter(workers.is_case, session.items)]
        hook = project_hooks.around(cases)
        self._starts_ahead = not hook
        if workers.is_worker(config) and not self.settings.limited and not workers.is_first(config):
            return  # xdist gives it cases one by one, so it does not read all recordings
        asked = [(case, case.estimate()) for case in cases if not is_skipped(case)]
        live = [(case, estimate) for case, estimate in asked if estimate.runs]
        tests = self._tests(session.items)
        if live or tests:
            self._announce(config, [estimate for _, estimate in live], tests)
        if self.settings.gate and (live or tests):
            from pytest_dust.plugin.gate_estimate import most

            say(config, most(live, tests, self.settings))
        if hook and len(live) > 1:
            say(config, _not_ahead(hook))
        self._began = clock.seconds()
        self._stretches = _stretches(session.items, {case for case, _ in live})
        self._to_come = sum(estimate.runs for _, estimate in live)

    def _tests(self, items: Iterable[pytest.Item]) -> list[Estimate | None]:
        """The estimates of the Python tests that use the fixture `dust` and make runs."""
        ask = self.estimate_test
        if ask is None:
            return []
        tests = (item for item in items if workers.uses_fixture(item) and not is_skipped(item))
        return [each for each in map(ask, tests) if each is None or each.runs]

    def _announce(
        self, config: pytest.Config, estimates: list[Estimate], tests: list[Estimate | None]
    ) -> None:
        known = [*estimates, *(each for each in tests if each)]
        runs, tokens = sum(each.runs for each in known), sum(each.tokens for each in known)
        unknown = sum(each.unknown for each in known)
        least = runs - sum(each.spare for each in known)
        count = plural(runs, "run") if least == runs else f"{least:,} to {plural(runs, 'run')}"
        parts = [f"{count}{about(Tokens(tokens, unknown))}"] if runs else []
        if None in tests:
            parts.append(f"the runs of {plural(tests.count(None), 'test')} without a recording")
        say(config, f"dust: about to make {', and '.join(parts)}")
        if unknown and self.settings.max_tokens is not None:
            say(config, uncounted(unknown))
        try:
            self.budget.refuse(runs, tokens)
        except ServiceError as error:
            if not workers.is_worker(config):
                raise pytest.UsageError(str(error)) from None
            self.refusal = str(error)  # a worker cannot end the session

    def _launch_met(self, item: pytest.Item, nextitem: pytest.Item | None, *, is_set_up: bool) -> None:
        """Start the runs of this case and the next: a pytest-xdist worker knows of no more."""
        if workers.is_idle(item.config) or self._may_block():
            return
        coming: Iterable[Any] = takewhile(workers.is_case, (item, nextitem))
        new = [case for case in coming if case not in self._met]
        self._met.update(new)
        new = [case for case in new if case is not item or is_set_up]
        self._launch(case for case in new if not is_skipped(case) and case.estimate().runs)

    def _launch_stretch(self, item: pytest.Item, *, is_set_up: bool) -> None:
        """Start the live cases that follow one another from here, if this is the first of them.

        While single cases may be blocked, none starts, as each does at its turn.
        """
        stretch = self._stretches.pop(item, [])
        later = [case for case in stretch if case is not item]
        if self._may_block():
            self._stretches.update({case: later[at:] for at, case in enumerate(later[:1])})
            stretch, later = [case for case in stretch if case is item], []
            is_set_up = False
        self._to_come -= sum(case.estimate().runs for case in stretch)
        self._launch(stretch if is_set_up else later)

    def _may_block(self) -> bool:
        """Whether something may keep single cases from the network."""
        return not self._starts_ahead or sockets.are_replaced()

    def give_up_if_blocked(self, item: Any) -> None:
        """Cancel what was started ahead, if sockets were replaced since; then each run starts at its turn."""
        if item.jobs and sockets.are_replaced():
            self._starts_ahead = False
            cases = filter(workers.is_case, item.session.items)
            self._unasked = sum((case.give_up() for case in cases), self._unasked)

    def _launch(self, cases: Iterable[Any]) -> None:
        for case in cases if not self.refusal else ():
            if may_not_run(case):
                continue  # it starts at its turn, if its marks let it
            with suppress(DustError):  # raised again when the case runs
                case.launch()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Start the runs of the cases that follow one another from here.

        They start after the setup, in which other plugins may keep tests from the network. If the setup
        raises, the runs of this case do not start.
        """
        try:
            done = yield
        except (KeyboardInterrupt, pytest.exit.Exception):
            raise
        except BaseException:  # that of a skip is no Exception
            self._launch_from(item, is_set_up=False)
            raise
        self._launch_from(item, is_set_up=True)
        return done

    def _launch_from(self, item: pytest.Item, *, is_set_up: bool) -> None:
        if workers.is_worker(item.config):
            self._launch_met(item, self._nextitem, is_set_up=is_set_up)
        else:
            self._launch_stretch(item, is_set_up=is_set_up)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, Any, Any]:
        """Cancel what a case did not wait for.

        No run is running beside an item of another kind: a test that patches the network or the clock
        would break our runs, and could see the key.
        """
        self._nextitem = nextitem
        try:
            return (yield)
        finally:
            if workers.is_case(item):
                self._unasked += item.give_up()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the cases that failed."""
        self.failed += bool(report.failed and getattr(report, "dust", None))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Cancel all runs that no case waited for; keep those that ended, and record their tokens."""
        self.pool.close()
        unasked = sum((case.give_up() for case in filter(workers.is_case, session.items)), self._unasked)
        surplus = SurplusRuns(self.pool.wasted, self.pool.abandoned, unasked)
        session.config.stash[RECORDS].add(surplus=surplus)


def _stretches(items: Iterable[Any], live: set[Any]) -> dict[Any, list[Any]]:
    """The live cases that follow one another without another test between them, by the first of them."""
    stretches = ([*group] for of_ours, group in groupby(items, workers.is_case) if of_ours)
    return {cases[0]: [case for case in cases if case in live] for cases in stretches}


def _not_ahead(hook: str) -> str:
    """The line that says why no run starts ahead."""
    return (
        f"dust: each live run starts at its case's turn, as {hook} may skip cases or block the network; to "
        "run cases side by side, put marks on them in pytest_collection_modifyitems instead"
    )


def _is_over(session: pytest.Session) -> bool:
    """Whether errors of the collection end the session."""
    goes_on = session.config.option.continue_on_collection_errors
    return bool((session.testsfailed and not goes_on) or session.shouldfail or session.shouldstop)


def say(config: pytest.Config, line: str) -> None:
    """Print a line; of several pytest-xdist workers only the first prints it, on stderr."""
    terminal: Any = config.pluginmanager.get_plugin("terminalreporter")
    if not workers.is_worker(config) and terminal is not None:
        if config.get_terminal_writer().width_of_current_line:
            terminal.write_line("")
        terminal.write_line(line)
    elif workers.is_first(config):
        capture: Any = config.pluginmanager.get_plugin("capturemanager")
        begin = CLEAR if sys.__stderr__ is not None and sys.__stderr__.isatty() else ""
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            print(f"{begin}{line}", file=sys.__stderr__, flush=True)  # its stdout belongs to xdist
