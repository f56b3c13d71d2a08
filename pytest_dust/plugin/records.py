"""Collect what items and processes leave behind into the session's record."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dust import __version__, clock
from pytest_dust.constants import SUITE_SUFFIX
from pytest_dust.plugin.stash import SETTINGS

if TYPE_CHECKING:
    from pytest_dust.model import CassetteFiles
    from pytest_dust.report.record import (
        CaseOutcome,
        ItemRecord,
        ProblemRecord,
        ProcessRecord,
        SessionRecord,
    )

OUTPUT = "dust"
"""Name under which a pytest-xdist worker sends its `ProcessRecord`, as JSON text."""
CRASHED = "???"
"""pytest-xdist's name for the phase of a report that it makes for a test whose worker crashed."""


class Records:
    """The records of one session, as its reports and its processes bring them."""

    def __init__(self, config: pytest.Config) -> None:
        """Begin without any."""
        self._config = config
        self._started = clock.now()
        self._ended_by = ""
        self._partial: list[str] = []
        self._exit_status = 0
        self._items: list[ItemRecord] = []
        self._problems: list[ProblemRecord] = []
        self._own: dict[str, Any] = {}
        self._processes: list[ProcessRecord] = []
        self.files: CassetteFiles | None = None
        """What became of the cassettes of no case, once the session has ended."""

    @property
    def is_empty(self) -> bool:
        """Whether the session has nothing to do with Dust."""
        return not (self._items or self._problems or self._own or self._processes or self.files)

    # ── what items leave behind ──────────────────────────────────────────────────────────────────

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep an item's record; read it first if the report comes from a pytest-xdist worker.

        Here in the main thread: xdist makes reports in a thread for each worker, and msgspec crashes when
        two threads meet a type for the first time.
        """
        record = getattr(report, "dust", None)
        if not record:
            self._add_other(report)
            return
        if isinstance(record, str):
            from pytest_dust.report.record import ItemRecord

            report.dust = record = loads(ItemRecord, record)
        self._items.append(_as_counted(record, report))

    def _add_other(self, report: Any) -> None:
        """Keep what a report without a record says of a case: its worker crashed, or its teardown failed."""
        if f"{SUITE_SUFFIX}::" not in report.nodeid or not report.failed:
            return
        if report.when == CRASHED:
            from pytest_dust.report.unrun import crashed

            self._items.append(crashed(report.nodeid, str(self._config.stash[SETTINGS].mode)))
        else:
            self._add_problem(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep the message of a suite that could not be read."""
        if report.failed and report.nodeid.endswith(SUITE_SUFFIX):
            self._add_problem(report)

    def _add_problem(self, report: Any) -> None:
        from pytest_dust.report.unrun import problem
        from pytest_dust.wording import as_typed

        crash = getattr(report.longrepr, "reprcrash", None)
        path = crash.path if crash else report.nodeid.partition("::")[0]
        file = as_typed(self._config.rootpath / path, self._config.invocation_params.dir)
        text, line = report.longreprtext, crash.lineno if crash else 0
        self._problems.append(problem(report.nodeid, text, file, line))

    # ── what ends the session ────────────────────────────────────────────────────────────────────

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note why the session ended early."""
        ctrl_c = excinfo.type is KeyboardInterrupt  # pytest's and pytest-xdist's own reasons are subclasses
        self._ended_by = "interrupted (Ctrl-C)" if ctrl_c else str(excinfo.value) or excinfo.typename

    def is_partial(self, reason: str) -> None:
        """Note why not all cases will run."""
        self._partial.append(reason)

    def pytest_internalerror(self) -> None:
        """Note that pytest or a plugin failed."""
        self._ended_by = "an internal error of pytest or a plugin"

    def ended(self, session: pytest.Session) -> None:
        """Note how the session ended."""
        self._exit_status = int(session.exitstatus)
        if session.shouldfail and not self._ended_by:
            self._ended_by = str(session.shouldfail)

    # ── what processes know ──────────────────────────────────────────────────────────────────────

    def add(self, **parts: Any) -> None:
        """Add parts to this process's own `ProcessRecord`."""
        self._own.update(parts)

    def send(self) -> None:
        """Give the record of this process to the controller, if it is a pytest-xdist worker."""
        if self._own and hasattr(self._config, "workeroutput"):
            self._config.workeroutput[OUTPUT] = dumps(self._process())

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over the record of a pytest-xdist worker."""
        if text := getattr(node, "workeroutput", {}).get(OUTPUT):
            from pytest_dust.report.record import ProcessRecord

            self._processes.append(loads(ProcessRecord, text))

    def _process(self) -> ProcessRecord:
        from pytest_dust.report.record import ProcessRecord

        return ProcessRecord(**self._own)

    # ── the session ──────────────────────────────────────────────────────────────────────────────

    def session(self) -> SessionRecord:
        """The session's record, as far as it is known now."""
        from pytest_dust.report.record import SessionRecord
        from pytest_dust.report.sessions import with_processes

        settings = self._config.stash[SETTINGS]
        typed = settings.sources["on-change"].startswith("--")
        processes = [*self._processes, *([self._process()] if self._own else [])]
        session = SessionRecord(
            mode=str(settings.mode),
            folder=str(self._config.invocation_params.dir),
            versions=settings.specification_hash,
            on_change=(settings.on_change or "") if typed else "",
            max_tokens=settings.max_tokens,
            asks_drift=settings.drift,
            cases=tuple(case for item in self._items for case in item.cases),
            drifts=tuple(item.drift for item in self._items if item.drift is not None),
            files=self.files,
            problems=tuple(self._problems),
            partial=(
                *self._partial,
                *([f"the session ended early: {self._ended_by}"] if self._ended_by else ()),
            ),
            started_at=self._started.isoformat(timespec="seconds"),
            duration=round((clock.now() - self._started).total_seconds(), 3),
            exit_status=self._exit_status,
            made_by=f"pytest-dust {__version__}",
        )
        return with_processes(session, processes)

    def found_files(self) -> list[CassetteFiles]:
        """What each process found in the folders of cassettes."""
        own = self._own.get("files")
        return [*([own] if own else []), *(each.files for each in self._processes if each.files is not None)]


RECORDS = pytest.StashKey[Records]()


def _as_counted(item: ItemRecord, report: Any) -> ItemRecord:
    """An item's record with how pytest counts it; without its drift if a plugin ran it again."""
    rerun = report.outcome not in ("passed", "failed", "skipped")
    outcome, reason = _outcome(report), _reason(report)
    cases = (replace(case, rerun=rerun, outcome=outcome, reason=reason) for case in item.cases)
    return replace(item, cases=tuple(cases), drift=None if rerun else item.drift)


def _outcome(report: Any) -> CaseOutcome:
    from pytest_dust.report.record import CaseOutcome

    if report.skipped:
        return CaseOutcome.XFAILED if hasattr(report, "wasxfail") else CaseOutcome.SKIPPED
    if report.passed:
        return CaseOutcome.XPASSED if hasattr(report, "wasxfail") else CaseOutcome.PASSED
    return CaseOutcome.FAILED


def _reason(report: Any) -> str:
    """Why a case is skipped, or expected to fail."""
    if hasattr(report, "wasxfail"):
        return str(report.wasxfail)
    skipped = report.longrepr if report.skipped else None
    return str(skipped[2]).removeprefix("Skipped: ") if isinstance(skipped, tuple) else ""


def dumps(record: object) -> str:
    """A record as JSON text of ASCII characters, which every way between processes can carry."""
    from pytest_dust.report.record_json import to_json

    return json.dumps(to_json(record))


def loads(kind: Any, text: str) -> Any:
    """The record in a JSON text."""
    from pytest_dust.report.record_json import from_json

    return from_json(kind, json.loads(text))
