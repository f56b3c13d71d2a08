"""Collect what items and processes leave behind into the session's record."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from pytest_dust import __version__, clock
from pytest_dust.constants import LEFT_TO_GATE, SUITE_SUFFIX
from pytest_dust.plugin.stash import SETTINGS

if TYPE_CHECKING:
    from pytest_dust.model import CassetteFiles
    from pytest_dust.report.record import (
        CaseOutcome,
        GateRecord,
        ItemRecord,
        ProblemRecord,
        ProcessRecord,
        SessionRecord,
    )

OUTPUT = "dust"
"""Name under which a pytest-xdist worker sends its `ProcessRecord`, as JSON text."""
UNEXPECTED = "[XPASS(strict)]"
"""Beginning of pytest's report of a test that passed, although a strict xfail mark expects a failure."""
MAX_NAMED = 3
"""Maximum number of arguments that a suggested command repeats; with more, it is for the whole project."""
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
        self._failed_because: tuple[str, ...] = ()
        self._selected = 0
        """Cases that pytest-xdist workers will run."""
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

    def add_gate(self, gate: GateRecord) -> None:
        """Add what is known of a gate whose item did not run."""
        from pytest_dust.report.record import ItemRecord

        self._items.append(ItemRecord(gate=gate))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep the message of a suite that could not be read."""
        if report.failed and report.nodeid.endswith(SUITE_SUFFIX):
            self._add_problem(report)

    def _add_problem(self, report: Any) -> None:
        from pytest_dust.report.unrun import problem
        from pytest_dust.wording import as_typed

        crash = getattr(report.longrepr, "reprcrash", None)
        is_after = "::" in report.nodeid  # its long text begins with pytest's own code
        path = crash.path if crash else report.nodeid.partition("::")[0]
        file = as_typed(self._config.rootpath / path, self._config.invocation_params.dir)
        text, line = (
            crash.message if crash and is_after else report.longreprtext,
            crash.lineno if crash else 0,
        )
        self._problems.append(problem(report.nodeid, text, file, line))

    # ── what ends the session ────────────────────────────────────────────────────────────────────

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note why the session ended early."""
        ctrl_c = excinfo.type is KeyboardInterrupt  # pytest's and pytest-xdist's own reasons are subclasses
        self._ended_by = "interrupted (Ctrl-C)" if ctrl_c else str(excinfo.value) or excinfo.typename

    def fails_because(self, *reasons: str) -> None:
        """Note why the session fails beside its cases."""
        self._failed_because = reasons

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Count the selected cases here too: a pytest-xdist worker that crashes does not tell."""
        cases = [
            name for name in ids if f"{SUITE_SUFFIX}::" in name and not name.endswith("::[specification]")
        ]
        self._selected = max(self._selected, len(cases))

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
        from pytest_dust.report.sessions import with_gates, with_processes

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
            gates=tuple(item.gate for item in self._items if item.gate is not None),
            files=self.files,
            problems=tuple(self._problems),
            partial=(
                *self._partial,
                *([f"the session ended early: {self._ended_by}"] if self._ended_by else ()),
            ),
            started_at=self._started.isoformat(timespec="seconds"),
            duration=round((clock.now() - self._started).total_seconds(), 3),
            failed_because=self._failed_because,
            exit_status=self._exit_status,
            made_by=f"pytest-dust {__version__}",
        )
        whole = with_processes(with_gates(session), processes)
        if whole.pending:
            elsewhere = next((each.elsewhere for each in processes if each.elsewhere), "")
            whole = replace(whole, review=_review_command(self._config, elsewhere))
        return self._masked(whole)

    def _masked(self, session: SessionRecord) -> SessionRecord:
        """The session with secrets masked in what pytest and its plugins say of cases and of the session.

        With the cases that pytest-xdist handed out, if the workers do not know of more.
        """
        from pytest_dust.masking import mask
        from pytest_dust.report.bounds import with_texts

        settings = self._config.stash[SETTINGS]
        text = mask(os.environ, settings.secrets, settings.redact).text
        reasons = (replace(case, reason=text(case.reason)) if case.reason else case for case in session.cases)
        selected = max(session.selection.selected, self._selected)
        return replace(
            session,
            cases=tuple(reasons),
            partial=with_texts(session.partial, text),
            failed_because=with_texts(session.failed_because, text),
            problems=with_texts(session.problems, text),
            selection=replace(session.selection, selected=selected),
        )

    def found_files(self) -> list[CassetteFiles]:
        """What each process found in the folders of cassettes."""
        own = self._own.get("files")
        return [*([own] if own else []), *(each.files for each in self._processes if each.files is not None)]


RECORDS = pytest.StashKey[Records]()


def _review_command(config: pytest.Config, elsewhere: str) -> str:
    """The command that shows the pending answers; `elsewhere` is their folder, if it is a temporary one."""
    from pytest_dust.wording import shell_line

    given = config.args if config.args_source is pytest.Config.ArgsSource.ARGS else []
    folder = [f"--dust-pending-dir={elsewhere}"] if elsewhere else []
    named = given if len(given) <= MAX_NAMED else []
    return shell_line(["pytest", *named, "--dust-review", *config.stash[SETTINGS].typed, *folder])


def _as_counted(item: ItemRecord, report: Any) -> ItemRecord:
    """An item's record with how pytest counts it; without its drift if a plugin ran it again."""
    rerun = report.outcome not in ("passed", "failed", "skipped")
    counted: dict[str, Any] = {"rerun": rerun, "outcome": _outcome(report), "reason": _reason(report)}
    if report.failed and str(report.longrepr).startswith(UNEXPECTED):
        counted["message"] = f"it passed, although its suite expects a failure ({_reason(report)})"
    if (
        all(getattr(case, name) == value for case in item.cases for name, value in counted.items())
        and not rerun
    ):
        return item  # most cases: they passed
    cases = (case if case.rerun else replace(case, **counted) for case in item.cases)
    return replace(item, cases=tuple(cases), drift=None if rerun else item.drift)


def _outcome(report: Any) -> CaseOutcome:
    from pytest_dust.report.record import CaseOutcome

    if report.skipped and str(getattr(report, "wasxfail", "")).startswith(LEFT_TO_GATE):
        return CaseOutcome.LEFT
    if report.skipped:
        return CaseOutcome.XFAILED if hasattr(report, "wasxfail") else CaseOutcome.SKIPPED
    if report.passed:
        return CaseOutcome.XPASSED if hasattr(report, "wasxfail") else CaseOutcome.PASSED
    return CaseOutcome.FAILED


def _reason(report: Any) -> str:
    """Why a case is skipped, or expected to fail."""
    if hasattr(report, "wasxfail"):
        return str(report.wasxfail)
    if report.failed and isinstance(report.longrepr, str) and report.longrepr.startswith(UNEXPECTED):
        return report.longrepr.removeprefix(UNEXPECTED).strip()
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
