"""Keep a gate from passing where it cannot fail: options that fit nothing, runs compared with nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dust.errors import SettingsError
from pytest_dust.plugin import session as sessions
from pytest_dust.plugin import workers
from pytest_dust.plugin.stash import SETTINGS
from pytest_dust.report import gate as report
from pytest_dust.report.session import NEW
from pytest_dust.run.versions import EVERY, Tried, named, unknown
from pytest_dust.settings import Mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_dust.report.gate import Facts

REFUSED = "dust_refused"
"""Under which an xdist worker tells its controller why the session cannot begin."""
TOLD = "dust_gate"
"""Under which it tells what it knows of the session's apps."""


class Gate:
    """What the session was asked to compare, what it compared, and whether that is a gate."""

    def __init__(self, config: pytest.Config) -> None:
        """Begin with the versions that the settings ask to try, and no app known."""
        self.settings = config.stash[SETTINGS]
        self.tried = Tried(self.settings.specification_hash)
        self.runs: list[Facts] = []
        self.asks_drift = False
        """Whether an item is selected that asks whether an app has drifted."""
        self.unmoved: list[str] = []
        """What is told of apps that have not drifted."""
        self.failing: list[str] = []
        """Lines that say why the session fails, beside its tests."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Raise UsageError if an option fits no suite of the session; a worker tells its controller."""
        config = session.config
        if workers.is_idle(config):
            return
        self.asks_drift = any(hasattr(item, "drift_facts") for item in session.items)
        tests = [item for item in session.items if "dust" in getattr(item, "fixturenames", ())]
        shared = sessions.open(config) if tests else config.stash.get(sessions.KEY, None)
        if shared is not None:
            self._count(session, shared)
            self._count_tests(tests, shared)
        try:
            self._refuse_misfits(shared, unread=bool(session.testsfailed))
        except SettingsError as error:
            refuse(config, shared.masked(str(error)) if shared else str(error))

    def _count(self, session: pytest.Session, shared: sessions.Session) -> None:
        """Note which apps the session's suites have, and how many of their cases are selected."""
        tried = shared.tried = self.tried
        cases = Counter[str]()
        for apps in shared.apps.values():
            cases.update(apps)
        tried.cases = dict(cases)
        items: list[Any] = [item for item in session.items if hasattr(item, "estimate")]
        tried.selected = dict(Counter(item.case.app.id for item in items))

    def _count_tests(self, tests: Sequence[pytest.Item], shared: sessions.Session) -> None:
        """Note which apps the session's Python tests ran when they were recorded."""
        if not self.settings.specification_hash:
            self.tried.tests = len(tests)
            return
        from pytest_dust.plugin.fixture import recorded_apps

        apps = [recorded_apps(test, shared) for test in tests]
        self.tried.tests = sum(not each for each in apps)
        self.tried.recorded = dict(Counter(app for each in apps for app in each))

    def _refuse_misfits(self, shared: sessions.Session | None, *, unread: bool) -> None:
        settings, tried = self.settings, self.tried
        suites = bool(tried.cases or unread)
        if settings.specification_hash and (
            suites or tried.tests or tried.recorded or not settings.only_ini("specification-hash")
        ):
            tried.refuse_misfit(unread=unread)
        pinned = shared is not None and bool(shared.drifts)
        if settings.drift and not (pinned or unread) and (suites or not settings.only_ini("drift")):
            raise SettingsError(
                "--dust-drift: no suite of this session pins a hash, so there is no drift to look for "
                "(hashes in Python tests do not count); give specification_hash: 64 hex digits in a suite, "
                "or leave the option out"
            )

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep what the session's runs told; a plugin may run a test again, and then the last one counts."""
        told = getattr(report, "dust", None)
        if told and report.outcome != "rerun":
            self.runs += told["runs"]
            self.unmoved += filter(None, [told.get("drift")])

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what an xdist worker found; raises UsageError if it found that an option fits nothing."""
        told = getattr(node, "workeroutput", {})
        if REFUSED in told:
            raise pytest.UsageError(told[REFUSED])
        known = told.get(TOLD, {})
        self.asks_drift = self.asks_drift or known.get("drift", False)
        for name in set(known) - {"drift"}:
            setattr(self.tried, name, max(getattr(self.tried, name), known[name], key=_size))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a session whose gate compared nothing; a worker tells its controller what it knows."""
        config = session.config
        if workers.is_worker(config):
            tried = self.tried
            known = {name: getattr(tried, name) for name in ("cases", "selected", "recorded", "tests")}
            config.workeroutput[TOLD] = {**known, "drift": self.asks_drift}  # type: ignore[attr-defined]
        elif self.settings.mode is Mode.LIVE and not self._is_over(session.exitstatus, config):
            self.failing = list(self._failing())
            if self.failing and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @staticmethod
    def _is_over(exitstatus: int, config: pytest.Config) -> bool:
        """Whether the session ended before its tests, so that nothing can be said of what they compared."""
        ended = (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERRUPTED)
        return workers.is_idle(config) or exitstatus in ended

    def _failing(self) -> Iterator[str]:
        """Why the session fails, whatever its tests did."""
        ran = {run["app"] for run in self.runs}
        for app in self.tried.versions:
            if app not in (EVERY, *self.tried.cases, *ran):
                yield f"dust: {unknown(app, ran.union(self.tried.cases))}"
        try:
            for app in sorted(ran):
                self.tried.meet(app)
        except SettingsError as error:
            yield f"dust: {error}"
        if gates := [app for app in self._uncompared() if self._fails(app)]:
            yield f"dust: the gate fails, as nothing was compared for {named(gates)} (on_change: fail)"

    def _apps(self) -> list[str]:
        """The apps that the session was to compare."""
        known = {*self.tried.cases, *(run["app"] for run in self.runs)}
        return sorted(
            known.intersection(self.tried.apps).union(run["app"] for run in self.runs if run["gates"])
        )

    def _uncompared(self) -> list[str]:
        """Those of which nothing was compared."""
        compared = {run["app"] for run in self.runs if run["compared"]}
        return [app for app in self._apps() if app not in compared]

    def _fails(self, app: str) -> bool:
        """Whether it fails the session that nothing was compared for an app."""
        own = self._of(app)
        wanted = self.settings.on_change == "fail" and (own or self.tried.selected.get(app))
        return bool(wanted) or any(run["gates"] for run in own)

    def _of(self, app: str) -> Sequence[Facts]:
        return [run for run in self.runs if run["app"] == app]

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
    ) -> None:
        """Say which apps were not compared, and what fails the session."""
        if self._is_over(exitstatus, config):
            return
        for line in self._lines():
            terminalreporter.write_line(line)
        for line in self.failing:
            terminalreporter.write_line(line, red=True)

    def _lines(self) -> Iterator[str]:
        tried = self.tried
        yield from (f"dust: {line}" for line in self.unmoved)
        if self.settings.drift and tried.cases and not self.asks_drift:
            yield "dust: --dust-drift asked nothing: its items ([specification]) are not selected"
        for app in sorted({run["app"] for run in self.runs if run["gates"]}.difference(tried.apps)):
            yield from report.partly_compared(app, self._of(app))
        for app in self._uncompared():
            own = self._of(app)
            yield report.nothing_compared(app, own, tried.cases.get(app, 0), tried.selected.get(app, 0))
        made = [run for run in self.runs if run["source"] in NEW and run["app"] in tried.apps]
        others = {run["app"] for run in made if not run["pinned"]}
        yield from report.only_pinned(sorted({run["app"] for run in made} - others))


def refuse(config: pytest.Config, message: str) -> None:
    """End the session as a wrong use of pytest; from an xdist worker by way of its controller."""
    if not workers.is_worker(config):
        raise pytest.UsageError(message)
    config.workeroutput[REFUSED] = message  # type: ignore[attr-defined]
    pytest.exit(message, returncode=pytest.ExitCode.USAGE_ERROR)


def _size(counts: Any) -> int:
    return counts if isinstance(counts, int) else sum(counts.values())
