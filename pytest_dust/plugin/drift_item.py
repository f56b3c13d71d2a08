"""The item that checks whether a pinned version of an app is still what is saved at Dust."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from pytest_dust.cassettes import files
from pytest_dust.compare.drift import verdict
from pytest_dust.constants import LATEST
from pytest_dust.dust.missing import refuse_missing
from pytest_dust.errors import DustError, ServiceError
from pytest_dust.plugin.item import Item
from pytest_dust.plugin.outcomes import CaseFailed, NoRun
from pytest_dust.report import drift as drift_report
from pytest_dust.report.bounds import with_texts
from pytest_dust.report.from_outcome import with_drift
from pytest_dust.report.record import DriftRecord, ItemRecord
from pytest_dust.wording import shell_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from pytest_dust.cassettes.files import CassettePath
    from pytest_dust.cassettes.format import Cassette
    from pytest_dust.dust.catalog import Listed
    from pytest_dust.masking import Mask
    from pytest_dust.model import App, Case, Specification


class DriftItem(Item):
    """Checks whether a pinned version of an app is still what is saved at Dust; costs no run."""

    def __init__(self, *, app: App, pinned: str, line: int, **kwargs: Any) -> None:
        """Take the app, the hash that a suite pins, and the line on which it does."""
        self._line = line
        super().__init__(**kwargs)
        self.app, self.pinned = app, pinned
        self.record: DriftRecord | None = None

    @property
    def line(self) -> int:
        """The line on which the hash is pinned."""
        return self._line

    def runtest(self) -> None:
        """Ask the service; raises CaseFailed if the app drifted, NoRun if that is unknown."""
        blank = DriftRecord(self.nodeid, self.suite.shown, self.app.id, self.pinned, line=self.line)
        try:
            self.record = self._asked(blank)
        except DustError as error:
            self.record = replace(blank, message=str(error))
        if not self.record.passed:
            kind = NoRun if self.record.is_undecided else CaseFailed
            raise kind(self.masked(drift_report.headline(self.record)))

    def _asked(self, blank: DriftRecord) -> DriftRecord:
        """The record with what the service and the recordings say; raises DustError."""
        if self.blocked:
            raise ServiceError(self.blocked)
        saved = self._listed()
        exists = self.shared.catalog(self.app).exists(self.app.id, self.pinned)
        recorded, when, mask = self._recorded()
        found = verdict(self.pinned, recorded, mask.value(saved.specification), saved.specification_hash)
        record = replace(
            blank,
            saved=saved.specification_hash,
            unknown=saved.unknown,
            recorded_at=when,
            exists=exists,
            pins=sum(app == self.app for app, _ in self.shared.drifts),
        )
        return with_drift(replace(record, command=self._command(record)), found)

    def item_record(self, _error: BaseException | None) -> ItemRecord:
        """What the item leaves behind."""
        record = self.record
        headline = "" if record is None or record.passed else self.masked(drift_report.headline(record))
        return ItemRecord(
            drift=with_texts(record, self.shared.mask.text) if record else None, headline=headline
        )

    def _command(self, record: DriftRecord) -> str:
        """The command that runs the saved version: by its hash, if it has one that is not the pinned one."""
        version = LATEST if record.is_unrun else record.saved
        option = f"--dust-specification-hash={self.app.id}={version}"
        return shell_line(["pytest", option, *self.shared.settings.typed])

    def _listed(self) -> Listed:
        """The app as it is saved; raises ServiceError if that is unknown."""
        refuse_missing(self.app.workspace, self.app.space, os.environ, case=False)
        listed = self.shared.listed(self.app)
        if listed is None:
            raise ServiceError(
                f"the space lists no app {self.app.id} any more: it was removed or moved, or the key lost "
                "access; check the app in Dust, and the key"
            )
        return listed

    def _recorded(self) -> tuple[Specification | None, str, Mask]:
        """The blocks that recordings of the pinned version keep, since when, and how they are masked.

        Blocks that are known to have run go before others.
        """
        best: tuple[Specification | None, str, Mask] = (None, "", self.shared.mask)
        for found in self._recordings():
            if found[0].ran:
                return found
            best = best if best[0] else found
        return best

    def _recordings(self) -> Iterator[tuple[Specification, str, Mask]]:
        """The blocks that recordings of the pinned version keep; those of cases that pin it come first."""
        cases = self.shared.recordings.get(self.app, ())
        for suite, case in sorted(cases, key=lambda each: each[1].specification_hash != self.pinned):
            with suppress(DustError, RecursionError):
                found = self._recording(suite.cassette(case.id), case)
                if found and found.specification and self.pinned in self._versions(found):
                    yield found.specification, found.recorded_at, self._mask(case)

    @staticmethod
    def _recording(path: CassettePath, case: Case) -> Cassette | None:
        """The case's cassette; else one that an earlier version may have recorded for it."""
        found = files.read(path)
        if found is not None:
            return found
        asked = ((each, each.request.get("app")) for each in files.earlier(path))
        return next(
            (each for each, app in asked if isinstance(app, dict) and app.get("id") == case.app.id), None
        )

    @staticmethod
    def _versions(found: Any) -> set[str]:
        """The version that a recording asked for, and the one that it was answered by."""
        from pytest_dust.run.recorded import recorded_runs

        asked = str(found.request.get("specification_hash"))
        if asked != LATEST:
            return {asked}
        return {str(run.specification_hash) for run in recorded_runs(found)}

    def _mask(self, case: Case) -> Mask:
        """How the recording of a case is masked."""
        from pytest_dust.run.case_request import case_request

        return case_request(case, self.shared.settings, self.shared.mask).mask

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]
        """What drifted, or why that is unknown."""
        if not isinstance(excinfo.value, CaseFailed | NoRun) or self.record is None:
            return self.failed(str(super().repr_failure(excinfo)), excinfo.exconly())
        text = "\n".join(drift_report.drift_lines(self.record))
        return self.failed(text, drift_report.headline(self.record))
