"""The gate in one process: leave failed cases to it, make fresh runs, and report the verdict on each app."""

from __future__ import annotations

import time
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from msgspec.structs import replace

from pytest_dust.constants import LEFT_TO_GATE, SUITE_SUFFIX
from pytest_dust.plugin import gate_runs, workers
from pytest_dust.plugin import session as sessions
from pytest_dust.plugin.gate_item import GateItem
from pytest_dust.plugin.gate_steps import METHODS, SECOND, Share
from pytest_dust.plugin.outcomes import CaseFailed
from pytest_dust.plugin.records import RECORDS
from pytest_dust.plugin.scheduler import say
from pytest_dust.plugin.stash import BUDGET, SETTINGS
from pytest_dust.report.record import CaseRecord, GateRecord, GateVerdict, ItemRecord
from pytest_dust.run.gate_procedure import AppGate, decided
from pytest_dust.wording import as_typed, plural
from pytest_dust.worker_pool import TICK

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

Place: TypeAlias = "tuple[Path, int]"
"""A file, and a line in it."""


class Gate:
    """Decides for each app whether its other version is worse.

    In the process that reports, which is the only one or the controller of pytest-xdist workers, it adds an
    item for each app. In a process that runs cases, it makes the fresh runs when all cases have run.
    """

    def __init__(self, config: pytest.Config) -> None:
        """Begin with no case known; raises UsageError if a worker cannot reach its controller."""
        self.config = config
        self.settings = config.stash[SETTINGS]
        self.records = config.stash[RECORDS]
        self.steps = workers.gate_steps(config)
        self.runs_cases = not workers.has_workers(config)
        self._address: Any = None
        self._places: dict[str, Place] = {}
        self._decided: set[str] = set()
        """The apps whose items have run."""

    # ── pytest-xdist ─────────────────────────────────────────────────────────────────────────────

    @pytest.hookimpl(optionalhook=True, trylast=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a pytest-xdist worker where the steps are, and expect its cases.

        After the plugin has shared the budget of all workers, which the steps ask.
        """
        if self._address is None:
            from pytest_dust.plugin import shared_objects  # multiprocessing: 20 ms

            self._address = shared_objects.serve(self.steps, METHODS)
            self.steps.budget = self.config.stash.get(BUDGET, self.steps.budget)
        node.workerinput["dust_gate"] = self._address
        self.steps.join(node.gateway.id)

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Expect nothing more of a pytest-xdist worker that has ended or crashed."""
        self.steps.leave(node.gateway.id)

    # ── the first runs ───────────────────────────────────────────────────────────────────────────

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, Any, Any]:
        """Note what a case's first runs showed, and leave it to the gate if it failed."""
        report = yield
        error = call.excinfo.value if call.excinfo else None
        if isinstance(item, GateItem):
            if report.when == "call" and item.record is not None:
                report.dust = ItemRecord(gate=item.record, headline=item.headline)
        elif report.when == "call" or (report.when == "setup" and not report.passed):
            self._add_first(item, report, error)
        return report

    def _add_first(self, item: pytest.Item, report: Any, error: BaseException | None) -> None:
        if workers.is_case(item):
            first = gate_runs.of_case(item, report, error)
            fails = isinstance(error, CaseFailed)
        else:
            records: tuple[CaseRecord, ...] = getattr(getattr(report, "dust", None), "cases", ())
            shared = self.config.stash.get(sessions.KEY, None)
            first = gate_runs.of_test(item, report, records, shared) if records and shared else None
            fails = report.when == "call"
        if first is None:
            return
        self.steps.add_first(first)
        if report.failed and fails and not (first.trouble or first.left_out):
            report.outcome = "skipped"  # as for an xfail mark, which all reporters know
            report.wasxfail = f"{LEFT_TO_GATE}{', '.join(first.apps)}]"

    # ── the fresh runs ───────────────────────────────────────────────────────────────────────────

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, Any, Any]:
        """When all cases have run: make fresh runs until the verdicts are clear, and report these."""
        process = workers.name(self.config)
        apps = {} if workers.is_worker(self.config) else self._apps(session)
        session.testscollected += len(apps)
        if self.runs_cases:
            self.steps.join(process)
        if workers.is_idle(self.config):
            return (yield)
        try:
            done = yield
            if not (session.shouldfail or session.shouldstop):
                if self.runs_cases:
                    self._make_fresh_runs(session, process)
                if not workers.is_worker(self.config):
                    found = {**self._apps(session), **apps}
                    session.testscollected += len(found) - len(apps)
                    self._report(session, found)
            return done
        finally:
            if not workers.is_worker(self.config):
                self._note_undecided({**self._apps(session), **apps})

    def _make_fresh_runs(self, session: pytest.Session, process: str) -> None:
        """Make this process's share of the fresh runs, step by step, until no more are needed."""
        shared = self.config.stash.get(sessions.KEY, None)
        if shared is not None and not workers.is_worker(self.config):
            self.steps.budget = shared.live.budget
        items = {item.nodeid: item for item in session.items}
        self.steps.end_step(process)
        while (share := self._share(process)).total:
            assert shared is not None  # noqa: S101  # it has cases
            self._announce(share)
            self.steps.end_step(process, gate_runs.fresh(share, items, shared, self.config))

    def _share(self, process: str) -> Share:
        """Wait until all processes have ended a step; return the share of this process in the next."""
        while (share := self.steps.share(process)) is None:
            time.sleep(TICK)
        return share

    def _announce(self, share: Share) -> None:
        runs, cases = plural(share.runs, "run"), plural(share.total, "case")
        what = "of both versions" if share.step == SECOND else "to confirm the cases that fell most"
        say(self.config, f"dust: gate: {runs} {what}, {cases}")

    # ── the verdicts ─────────────────────────────────────────────────────────────────────────────

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """List the gates among the items with --collect-only; else they run when all others have run.

        Each is listed in the file of its first case: editors take the parent of an item for a file.
        """
        if self.config.getoption("collectonly") and not workers.is_worker(self.config):
            files = {item.path: item.parent for item in session.items if isinstance(item.parent, pytest.File)}
            session.items.extend(self._items(session, self._apps(session), files))

    def _apps(self, session: pytest.Session) -> dict[str, Place]:
        """The apps on which the gate decides, as far as they are known, each with the place of a case."""
        found: dict[str, Place] = {}
        for item in filter(workers.is_case, session.items):
            found.setdefault(item.case.app.id, (item.path, item.line))
        folder = self.config.invocation_params.dir
        for case in self.records.session().once:
            found.setdefault(case.app, (folder / case.file, case.line))
        return {app: place for app, place in found.items() if app and self.settings.is_gated(app)}

    def _items(
        self, session: pytest.Session, apps: Mapping[str, Place], files: Mapping[Path, pytest.File]
    ) -> list[GateItem]:
        """An item for each app; its id names no suite, as several may test the app."""
        return [
            GateItem.from_parent(
                files.get(place[0], session),
                name=f"[gate {app}]",
                nodeid=f"[gate {app}]",
                path=place[0],
                app=app,
                place=place,
                decide=self._decide,
            )
            for app, place in sorted(apps.items())
        ]

    def _report(self, session: pytest.Session, apps: Mapping[str, Place]) -> None:
        """Run the items; they are not among those of the session, so that -k and -m do not leave them out."""
        self._places.update(apps)
        items = self._items(session, apps, {})
        for item, following in zip_longest(items, items[1:]):
            self.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)

    def _note_undecided(self, apps: Mapping[str, Place]) -> None:
        """Record each gate whose item did not run, as after Ctrl-C or with -x."""
        message = "the session ended before it was decided"
        for app, place in sorted(apps.items()):
            if app not in self._decided:
                undecided = GateRecord(app, GateVerdict.NOT_RUN, message=message)
                self.records.add_gate(self._placed(undecided, place))

    def _decide(self, app: str) -> tuple[GateRecord, dict[str, CaseRecord]]:
        """The verdict on an app, and the records of all cases by their id."""
        self._decided.add(app)
        session = self.records.session()
        gate = next((each for each in self.steps.gates() if each.app == app), AppGate(app, ()))
        ran = sum(f"{SUITE_SUFFIX}::" in each.case for each in gate.first)
        missing = session.apps.selected.get(app, 0) - ran
        if missing > 0 and not gate.refused:
            gate = replace(gate, refused=f"{plural(missing, 'selected case')} did not run")
        return self._placed(decided(gate), self._places[app]), {case.id: case for case in session.once}

    def _placed(self, record: GateRecord, place: Place) -> GateRecord:
        """The record with the place of a case of its app, as the user types it."""
        file, line = place
        return replace(record, file=as_typed(file, self.config.invocation_params.dir), line=line)
