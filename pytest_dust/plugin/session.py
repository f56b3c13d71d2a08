"""What the cases of one pytest session share, and the hooks that only sessions with suites need."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

import pytest_dust.sockets  # noqa: F401  # before a test can replace them
from pytest_dust.cassettes.read_ahead import ReadAhead
from pytest_dust.errors import ServiceError, SettingsError
from pytest_dust.masking import Mask, mask
from pytest_dust.model import Specification
from pytest_dust.plugin import fixture_runs, properties, repetition, workers
from pytest_dust.plugin.outcomes import CaseFailed
from pytest_dust.plugin.records import RECORDS
from pytest_dust.plugin.scheduler import Scheduler, say
from pytest_dust.plugin.stash import COLLECTED, SETTINGS
from pytest_dust.report.record import Selection
from pytest_dust.report.terminal import safe_lines
from pytest_dust.run.pending import PendingAnswers, PendingFolder
from pytest_dust.settings import Mode

if TYPE_CHECKING:
    from collections.abc import Generator

    import pluggy

    from pytest_dust.checks.binding import Matcher
    from pytest_dust.dust.catalog import Catalog, Listed
    from pytest_dust.dust.network import Network
    from pytest_dust.model import App, Case, Run, RunRequest
    from pytest_dust.plugin.fresh_test import FreshTest
    from pytest_dust.plugin.item import SuiteFile
    from pytest_dust.report.diff_files import Differences
    from pytest_dust.report.record import CaseRecord
    from pytest_dust.run.context import RunContext
    from pytest_dust.run.versions import TriedVersions
    from pytest_dust.settings import Settings


@dataclass(slots=True, eq=False)  # pytest keeps plugins in sets
class Session:
    """What the cases of a session share: settings, masks, pending answers, the network."""

    settings: Settings
    mask: Mask
    live: Scheduler
    pending: PendingAnswers
    collected: dict[Path, frozenset[str] | None] = field(default_factory=dict)
    """The ids of each collected suite's cases; None if the suite has mistakes."""
    deselected: int = 0
    """Number of cases that are not selected."""
    renamed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By suite: the ids of cases that are numbered, as their own would show a redacted value."""
    drifts: set[tuple[App, str]] = field(default_factory=set)
    """The apps and pinned hashes that have a drift check."""
    recordings: dict[App, list[tuple[SuiteFile, Case]]] = field(default_factory=dict)
    """The cases of each app in all suites, if drift is checked."""
    apps: dict[Path, Mapping[str, int]] = field(default_factory=dict)
    """By suite: how many cases it has of which app."""
    tried: TriedVersions | None = None
    """The versions of --dust-specification-hash, in live sessions."""
    read_ahead: ReadAhead = field(default_factory=ReadAhead)
    unlogged: dict[str, list[CaseRecord]] = field(default_factory=dict)
    """By node id: the records of a case's runs that no logged report has, as a plugin repeats the case."""
    differences: Differences | None = None
    """The folder of --dust-diff-dir."""
    fresh_test: FreshTest | None = None
    """The Python test that the gate runs again now."""
    _network: Network | None = None
    _spaces: dict[App, list[Mapping[str, Any]] | ServiceError] = field(default_factory=dict)
    _listed: dict[App, Listed | None] = field(default_factory=dict)

    def context(self, blocked: str = "") -> RunContext:
        """What a case is run with; raises ServiceError if nothing may be run.

        `blocked` says why the case may not use the network.
        """
        from pytest_dust.run.context import RunContext

        if self.live.refusal:
            raise ServiceError(self.live.refusal)
        return RunContext(
            settings=self.settings,
            network=self.network(),
            pool=self.live.pool,
            budget=self.live.budget,
            read_ahead=self.read_ahead,
            pending=self.pending,
            specification=self.specification,
            saved_blocks=self.saved_blocks,
            differences=self.differences,
            blocked=blocked,
        )

    def network(self) -> Network:
        """The session's network, made when the first case runs."""
        if self._network is None:
            from pytest_dust.dust.network import Network  # httpx: 65 ms

            self._network = Network(self.settings.base_url, os.environ, self.settings.barred)
        return self._network

    def masked(self, text: str, mask: Mask | None = None) -> str:
        """The text, safe to print, with all secrets in it masked; a case has a mask of its own."""
        return safe_lines((mask or self.mask).text(text)) if text else ""

    def catalog(self, app: App) -> Catalog:
        """Asks for the apps of an app's space."""
        from pytest_dust.dust.catalog import Catalog

        settings = self.settings
        return Catalog(self.network(), app.workspace or "", app.space or "", settings.timeout, self.mask)

    def listed(self, app: App) -> Listed | None:
        """The app as its space lists it, None where it does not; asked for once, raises ServiceError."""
        if app not in self._listed:
            catalog = self.catalog(app)
            entry = next((each for each in self._entries(app, catalog) if each.get("sId") == app.id), None)
            self._listed[app] = catalog.read(entry) if entry else None
        return self._listed[app]

    def _entries(self, app: App, catalog: Catalog) -> list[Mapping[str, Any]]:
        """What the service lists for the app's space; asked for once, raises ServiceError."""
        space = replace(app, id="")
        if space not in self._spaces:
            try:
                self._spaces[space] = catalog.entries()
            except ServiceError as error:
                self._spaces[space] = error
        entries = self._spaces[space]
        if isinstance(entries, ServiceError):
            raise entries
        return entries

    def specification(self, request: RunRequest, run: Run) -> Specification | None:
        """The app's saved blocks, and whether they are those that ran; None if the service does not say."""
        from pytest_dust.compare.drift import could_be_of

        try:
            listed = self.listed(request.app)
        except ServiceError:
            return None
        if listed is None or listed.specification is None:
            return None
        blocks, whole = listed.specification, request.block_filter is None
        known = listed.specification_hash == run.specification_hash
        return Specification(blocks, known and could_be_of(blocks, run, whole=whole))

    def saved_blocks(self, app: App) -> tuple[tuple[str, str], ...]:
        """The types and names of the app's saved blocks; none if the service does not say."""
        try:
            listed = self.listed(app)
        except ServiceError:
            return ()
        return listed.blocks if listed else ()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None, Any, Any]:
        """Keep plugins that multiply tests from cases."""
        repetition.leave_alone(config, [item for item in items if hasattr(item, "item_record")])
        return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Say what of the user's wishes does not hold for cases."""
        cases = [item for item in session.items if workers.is_case(item)]
        if cases and not workers.is_idle(session.config):
            for line in repetition.lines(session.config, cases):
                say(session.config, line)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Fail a Python test that passed, if a run of it changed and changes fail."""
        done = yield
        fixture_runs.refuse_changes(item)
        return done

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Likewise for the runs that a fixture makes after the test."""
        done = yield
        fixture_runs.refuse_changes(item)
        return done

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, Any, Any]:
        """Put an item's record on its report, and the seconds that a case's runs took.

        A live run that is not reported, because a plugin's hook or the report itself raised, is kept.
        """
        keep = getattr(item, "keep_answer", None)
        try:
            report = yield
            self._add_record(item, call, report)
        except BaseException:
            if keep is not None:
                keep()
            raise
        if keep is not None and call.when == "call" and call.excinfo is not None:
            keep(call.excinfo.value)
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True, specname="pytest_runtest_makereport")
    def pytest_renew_record(self, item: Any, call: pytest.CallInfo[Any]) -> Generator[None, Any, Any]:
        """Put the last record of a case on its report: pytest-retry runs it while the report is made."""
        report = yield
        record = item.record if workers.is_case(item) and call.when == "call" else None
        if record is not None and record is not item.reported:
            report.dust = item.item_record(None if record.passed else CaseFailed(""))
            properties.add(item, report, item.masked)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Forget the records that a report has."""
        if report.when == "call":
            self.unlogged.pop(report.nodeid, None)

    @pytest.hookimpl(wrapper=True, trylast=True, specname="pytest_runtest_makereport")
    def pytest_complete_report(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, Any, Any]:
        """Put the failure's line and text on a report, before wrappers of other plugins read it."""
        report = yield
        if report.when == "call" and hasattr(item, "report_line"):
            path, _, title = report.location
            report.location = path, item.report_line - 1, title
        fixture_runs.show_changes(item, call, report)
        return report

    def _add_record(self, item: pytest.Item, call: pytest.CallInfo[Any], report: Any) -> None:
        item_record = getattr(item, "item_record", None)
        if item_record is None:
            fixture_runs.add_records(item, call, report, self.masked)
        elif report.when == "setup" and not report.passed:
            report.dust = item_record(call.excinfo.value if call.excinfo else None)
        elif report.when == "call":
            report.dust = item_record(call.excinfo.value if call.excinfo else None)
            report.duration = item.seconds(report.duration)  # type: ignore[attr-defined]
        properties.add(item, report, getattr(item, "masked", self.masked))

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Count the cases that are not selected."""
        self.deselected += sum(map(workers.is_case, items))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand over what is known of the cassettes' owners, of pending answers and of numbered cases."""
        config = session.config
        records = config.stash[RECORDS]
        config.stash[COLLECTED] = None if self.deselected else self.collected
        records.add(selection=Selection(sum(map(workers.is_case, session.items)), self.deselected))
        if self.pending.kept:
            shown = tuple(map(self.pending.shown, self.pending.kept))
            records.add(pending=shown, elsewhere=self.pending.elsewhere)
        if self.pending.lost:
            records.add(lost=tuple(map(self.masked, self.pending.lost)))
        if self.renamed:
            records.add(renamed=self.renamed)

    def pytest_unconfigure(self) -> None:
        """End what is running, and close the network if it was opened."""
        self.live.pool.close()
        if self._network is not None:
            self._network.close()


KEY = pytest.StashKey[Session]()


def pending_folder(config: pytest.Config) -> PendingFolder:
    """The folder of --dust-pending-dir: on the command line, it is relative to the working directory."""
    is_typed = config.getoption("dust_pending_dir") is not None
    above = config.invocation_params.dir if is_typed else config.rootpath
    folder = above / config.stash[SETTINGS].pending_dir
    return PendingFolder(Path(os.path.normpath(folder)), config.rootpath)


def matchers(hook: pluggy.HookRelay) -> dict[str, Matcher]:
    """The matchers of this package, and those of the project's conftest files and plugins."""
    from pytest_dust.checks.matchers import MATCHERS, project

    table = dict(MATCHERS)
    for given in hook.pytest_dust_matchers():
        if not isinstance(given, Mapping):
            raise SettingsError(
                f"pytest_dust_matchers: give a dict of names to functions, not {type(given).__name__}"
            )
        for name, holds in given.items():
            if name in table:
                taken = "is built in" if name in MATCHERS else "is given twice"
                raise SettingsError(
                    f'pytest_dust_matchers: the matcher "{name}" {taken}; give it another name'
                )
            if not (isinstance(name, str) and name.isidentifier() and callable(holds)):
                raise SettingsError(
                    f"pytest_dust_matchers: {name!r} must be a name with a function (value, argument)"
                )
            table[name] = project(name, holds)
    return table


def open(config: pytest.Config) -> Session:  # noqa: A001
    """What the cases of the session share, made at its first suite."""
    if KEY not in config.stash:
        settings = config.stash[SETTINGS]
        masked = mask(os.environ, settings.secrets, settings.redact)
        live = Scheduler(config, settings)
        folder = pending_folder(config)
        pending = PendingAnswers(folder, config.invocation_params.dir, workers.stop_file(config))
        config.stash[KEY] = Session(settings, masked, live, pending)
        if settings.diff_dir is not None:
            from pytest_dust.report.diff_files import Differences

            config.stash[KEY].differences = Differences(settings.diff_dir, config.invocation_params.dir)
        config.pluginmanager.register(config.stash[KEY], "dust-session")
        if settings.mode is not Mode.REPLAY:
            config.pluginmanager.register(live, "dust-live")
    return config.stash[KEY]
