"""Keep a gate from passing if it cannot fail: options that fit nothing, runs compared with nothing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from pytest_dust.errors import SettingsError
from pytest_dust.plugin import session as sessions
from pytest_dust.plugin import workers
from pytest_dust.plugin.records import RECORDS
from pytest_dust.plugin.stash import SETTINGS
from pytest_dust.report import compared as report
from pytest_dust.report.drift import passed_line
from pytest_dust.report.record import AppCounts
from pytest_dust.run.versions import EVERY, TriedVersions, named, unknown
from pytest_dust.settings import Mode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_dust.report.record import CaseRecord, SessionRecord

REFUSED = "dust_refused"
"""Name under which a pytest-xdist worker sends the reason why the session cannot begin."""


class ComparedApps:
    """Checks what a session is asked to compare, and what it compared."""

    def __init__(self, config: pytest.Config) -> None:
        """Begin with the versions of --dust-specification-hash, and no app known."""
        self.settings = config.stash[SETTINGS]
        self.records = config.stash[RECORDS]
        self.tried = TriedVersions(self.settings.specification_hash)
        self.failing: list[str] = []
        """Lines that say why the session fails, beside its tests."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Raise UsageError if an option fits no suite of the session."""
        config = session.config
        if workers.is_idle(config):
            return
        tests = [item for item in session.items if workers.uses_fixture(item)]
        shared = sessions.open(config) if tests else config.stash.get(sessions.KEY, None)
        if shared is not None:
            shared.tried = self.tried
            self.tried.counts = self._counts(session, tests, shared)
            self.records.add(apps=self.tried.counts)
        try:
            self._refuse_misfits(shared, unread=bool(session.testsfailed))
        except SettingsError as error:
            refuse(config, shared.masked(str(error)) if shared else str(error))

    def _counts(
        self, session: pytest.Session, tests: Sequence[pytest.Item], shared: sessions.Session
    ) -> AppCounts:
        """How many cases and Python tests the session has of which app."""
        cases = Counter[str]()
        for apps in shared.apps.values():
            cases.update(apps)
        items: list[Any] = list(filter(workers.is_case, session.items))
        counts = AppCounts(
            cases=dict(cases),
            selected=dict(Counter(item.case.app.id for item in items)),
            tests=len(tests),
            asks_drift=any(hasattr(item, "pinned") for item in session.items),
        )
        if not self.settings.specification_hash:
            return counts
        from pytest_dust.plugin.fixture import recorded_apps

        recorded = [recorded_apps(test, shared) for test in tests]
        of_apps = dict(Counter(app for each in recorded for app in each))
        return replace(counts, recorded=of_apps, tests=sum(not each for each in recorded))

    def _refuse_misfits(self, shared: sessions.Session | None, *, unread: bool) -> None:
        settings, counts = self.settings, self.tried.counts
        suites = bool(counts.cases or unread)
        if settings.specification_hash and (
            suites or counts.tests or counts.recorded or not settings.only_ini("specification-hash")
        ):
            self.tried.refuse_misfit(unread=unread)
        pinned = shared is not None and bool(shared.drifts)
        if settings.drift and not (pinned or unread) and (suites or not settings.only_ini("drift")):
            raise SettingsError(
                "--dust-drift: no suite of this session pins a hash, so there is no drift to look for "
                "(hashes in Python tests do not count); give specification_hash: 64 hex digits in a suite, "
                "or leave the option out"
            )

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Raise UsageError if a pytest-xdist worker found that an option fits nothing."""
        output = getattr(node, "workeroutput", {})
        if REFUSED in output:
            raise pytest.UsageError(output[REFUSED])

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a session whose gate compared nothing."""
        config = session.config
        live = self.settings.mode is Mode.LIVE
        if workers.is_worker(config) or not live or self._is_over(session.exitstatus, config):
            return
        record = self.records.session()
        self.tried.counts = record.apps
        self.failing = list(self._failing(record))
        self.records.fails_because(*(line.removeprefix("dust: ") for line in self.failing))
        if self.failing and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @staticmethod
    def _is_over(exitstatus: int, config: pytest.Config) -> bool:
        """Whether the session ended before its tests, so that nothing can be said of what they compared."""
        ended = (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERRUPTED)
        return workers.is_idle(config) or exitstatus in ended

    def _failing(self, session: SessionRecord) -> Iterator[str]:
        """Why the session fails, whatever its tests did."""
        cases = self.tried.counts.cases
        ran = {run.app for run in session.final}
        for app in self.tried.versions:
            if app not in (EVERY, *cases, *ran):
                yield f"dust: {unknown(app, ran.union(cases))}"
        try:
            for app in sorted(ran):
                self.tried.meet(app)
        except SettingsError as error:
            yield f"dust: {error}"
        if gates := [app for app in self._uncompared(session) if self._fails(app, session)]:
            yield f"dust: the gate fails, as nothing was compared for {named(gates)} (on_change: fail)"

    def _apps(self, session: SessionRecord) -> list[str]:
        """The apps that the session was to compare."""
        known = {*self.tried.counts.cases, *(run.app for run in session.final)}
        gates = (run.app for run in session.final if run.fails_on_change)
        return sorted(known.intersection(self.tried.apps).union(gates))

    def _uncompared(self, session: SessionRecord) -> list[str]:
        """Those of which nothing was compared."""
        compared = {run.app for run in session.final if run.compared}
        return [app for app in self._apps(session) if app not in compared]

    def _fails(self, app: str, session: SessionRecord) -> bool:
        """Whether it fails the session that nothing was compared for an app."""
        own = _of(app, session)
        wanted = self.settings.on_change == "fail" and (own or self.tried.counts.selected.get(app))
        return bool(wanted) or any(run.fails_on_change for run in own)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
    ) -> None:
        """Say which apps were not compared, and what fails the session."""
        if self._is_over(exitstatus, config):
            return
        session = self.records.session()
        self.tried.counts = session.apps
        for line in self._lines(session):
            terminalreporter.write_line(line)
        for line in self.failing:
            terminalreporter.write_line(line, red=True)

    def _lines(self, session: SessionRecord) -> Iterator[str]:
        tried, counts = self.tried, self.tried.counts
        yield from (passed_line(drift) for drift in session.drifts if drift.passed)
        if self.settings.drift and counts.cases and not counts.asks_drift:
            yield "dust: --dust-drift asked nothing: its items ([specification]) are not selected"
        gates = {run.app for run in session.final if run.fails_on_change}
        for app in sorted(gates.difference(tried.apps)):
            yield from report.partly_compared(app, _of(app, session))
        for app in self._uncompared(session):
            cases, selected = counts.cases.get(app, 0), counts.selected.get(app, 0)
            yield report.nothing_compared(app, _of(app, session), cases, selected)
        made = [run for run in session.final if run.source.is_new and run.app in tried.apps]
        others = {run.app for run in made if not run.is_pinned}
        yield from report.only_pinned(sorted({run.app for run in made} - others))


def _of(app: str, session: SessionRecord) -> Sequence[CaseRecord]:
    return [run for run in session.final if run.app == app]


def refuse(config: pytest.Config, message: str) -> None:
    """End the session as a wrong use of pytest; a pytest-xdist worker does so through its controller."""
    if not workers.is_worker(config):
        raise pytest.UsageError(message)
    config.workeroutput[REFUSED] = message  # type: ignore[attr-defined]
    pytest.exit(message, returncode=pytest.ExitCode.USAGE_ERROR)
