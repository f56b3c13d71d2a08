"""Collect what items and processes leave behind into the session's record."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dust.plugin.stash import SETTINGS

if TYPE_CHECKING:
    from pytest_dust.model import CassetteFiles
    from pytest_dust.report.record import ItemRecord, ProcessRecord, SessionRecord

OUTPUT = "dust"
"""Name under which a pytest-xdist worker sends its `ProcessRecord`, as JSON text."""


class Records:
    """The records of one session, as its reports and its processes bring them."""

    def __init__(self, config: pytest.Config) -> None:
        """Begin without any."""
        self._config = config
        self._items: list[tuple[ItemRecord, bool]] = []
        self._own: dict[str, Any] = {}
        self._processes: list[ProcessRecord] = []
        self.files: CassetteFiles | None = None
        """What became of the cassettes of no case, once the session has ended."""

    @property
    def is_empty(self) -> bool:
        """Whether the session has nothing to do with Dust."""
        return not (self._items or self._own or self._processes or self.files)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep an item's record; read it first if the report comes from a pytest-xdist worker.

        Here in the main thread: xdist makes reports in a thread for each worker, and msgspec crashes when
        two threads meet a type for the first time.
        """
        record = getattr(report, "dust", None)
        if not record:
            return
        if isinstance(record, str):
            from pytest_dust.report.record import ItemRecord
            from pytest_dust.report.terminal import restore

            report.dust = record = loads(ItemRecord, record)
            restore(report)
        self._items.append((record, report.outcome == "rerun"))

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

    def session(self) -> SessionRecord:
        """The session's record, as far as it is known now."""
        from pytest_dust.report.record import SessionRecord
        from pytest_dust.report.sessions import with_processes

        settings = self._config.stash[SETTINGS]
        typed = settings.sources["on-change"].startswith("--")
        processes = [*self._processes, *([self._process()] if self._own else [])]
        cases = (
            replace(case, rerun=True) if rerun else case for item, rerun in self._items for case in item.cases
        )
        drifts = (item.drift for item, rerun in self._items if item.drift is not None and not rerun)
        session = SessionRecord(
            mode=str(settings.mode),
            folder=str(self._config.invocation_params.dir),
            versions=settings.specification_hash,
            on_change=(settings.on_change or "") if typed else "",
            max_tokens=settings.max_tokens,
            asks_drift=settings.drift,
            cases=tuple(cases),
            drifts=tuple(drifts),
            files=self.files,
        )
        return with_processes(session, processes)

    def found_files(self) -> list[CassetteFiles]:
        """What each process found in the folders of cassettes."""
        own = self._own.get("files")
        return [*([own] if own else []), *(each.files for each in self._processes if each.files is not None)]


RECORDS = pytest.StashKey[Records]()


def dumps(record: object) -> str:
    """A record as JSON text of ASCII characters, which every way between processes can carry."""
    from pytest_dust.report.record_json import to_json

    return json.dumps(to_json(record))


def loads(kind: Any, text: str) -> Any:
    """The record in a JSON text."""
    from pytest_dust.report.record_json import from_json

    return from_json(kind, json.loads(text))
