"""A suite file as a pytest collector of its cases."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pytest_dust.checks.binding import Here
from pytest_dust.constants import LATEST
from pytest_dust.errors import SettingsError, SuiteError
from pytest_dust.files import sources
from pytest_dust.files.sources import UnreadableError
from pytest_dust.model import Place, Problem
from pytest_dust.plugin import failures, session
from pytest_dust.plugin.case_item import DustItem
from pytest_dust.plugin.item import SuiteFile
from pytest_dust.report.terminal import safe_lines
from pytest_dust.settings import Mode
from pytest_dust.suite import cases as suite
from pytest_dust.suite import redaction, references, tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import pytest

    from pytest_dust.masking import Mask
    from pytest_dust.model import App, Case
    from pytest_dust.plugin.drift_item import DriftItem

REVEALING_ID = "the id of a case holds a secret, and ids are shown and name files; name the case otherwise"


class DustFile(SuiteFile):
    """A `*.dust.yaml` file as a collector of its cases."""

    def collect(self) -> Iterator[DustItem | DriftItem]:
        """One item for each case; raises SuiteError with all mistakes of the file."""
        try:
            cases, items = self._cases_and_items()
        except SuiteError as error:
            # A broken suite is an error of its own file: others run, which is not pytest's default.
            self.config.option.continue_on_collection_errors = True
            error.args = (self._mask_of_text().text(str(error)),)  # VS Code shows the exception itself
            raise
        yield from items
        if self.shared.settings.drift:
            yield from self._drift_items(cases)

    def _cases_and_items(self) -> tuple[list[Case], list[DustItem]]:
        shared = self.shared
        shared.collected[self.real_path] = None
        source = self.source()
        cases = self.cases(source)
        if shared.settings.mode is not Mode.REPLAY:
            self._remember_digests(source, {case.dataset for case in cases if case.row})
        if revealing := [case for case in cases if shared.mask.text(case.id) != case.id]:
            raise SuiteError(self.shown, [Problem(case.place, REVEALING_ID) for case in revealing])
        if renamed := [case.id for case in cases if case.renamed]:
            shared.renamed[self.shown] = tuple(renamed)
        items = [DustItem.from_parent(self, name=case.id, case=case) for case in cases]
        problems = [problem for item in items for problem in item.mark()]
        if problems:
            raise SuiteError(self.shown, problems)
        shared.collected[self.real_path] = frozenset(case.id for case in cases)
        shared.apps[self.path] = Counter(case.app.id for case in cases)
        return cases, items

    def cases(self, source: bytes, contents: Mapping[str, bytes] | None = None) -> list[Case]:
        """The cases in the suite's text; raises SuiteError.

        `contents` are read in place of those of the files that the suite names.
        """
        return self.cases_of(self.path, source, contents)

    def cases_of(self, path: Path, source: bytes, contents: Mapping[str, bytes] | None = None) -> list[Case]:
        """The cases of a suite, read with what this suite may use; raises SuiteError."""
        look_up = references.environment(os.environ, frozenset(self.shared.settings.env))
        here = Here(path.parent, session.matchers(self.ihook), self.roots, contents or {}, self.named)
        shown = self.shown if path == self.path else path.name
        return suite.load(source, shown, look_up, here, self._hiding())

    def dataset(self, name: str) -> bytes:
        """The content of a dataset of the suite; raises SuiteError if it cannot be read."""
        return self._read(name, tables.MAX_BYTES, f"cannot read {name}")

    def _remember_digests(self, source: bytes, datasets: Iterable[str]) -> None:
        """Keep the digests of the suite and its datasets: a file that is edited meanwhile is left alone."""
        self.digests[self.path.name] = sources.digest(source)
        for name in datasets:
            with suppress(SuiteError):
                self.digests[name] = sources.digest(self.dataset(name))

    def _hiding(self) -> redaction.Hiding:
        """What of the file is hidden."""
        settings = self.shared.settings
        check = self.config.getoption("dust_check")
        offline = check or (settings.mode is Mode.REPLAY and not settings.drift)
        return redaction.Hiding(self.shared.mask, frozenset(settings.secrets), offline)

    def _drift_items(self, cases: list[Case]) -> Iterator[DriftItem]:
        """One item for each app and pinned hash that no earlier suite has."""
        from pytest_dust.plugin.drift_item import DriftItem

        shared = self.shared
        pinned: dict[tuple[App, str], int] = {}
        for case in cases:
            app = shared.settings.address(case.app)
            shared.recordings.setdefault(app, []).append((self, case))
            if case.specification_hash != LATEST:
                pinned.setdefault((app, case.specification_hash), case.pin_line)
        new = [key for key in pinned if key not in shared.drifts]
        for at, (app, pin) in enumerate(new):
            shared.drifts.add((app, pin))
            name = "[specification]" if at == 0 else f"[specification-{pin[:8]}]"
            line = pinned[app, pin]
            yield DriftItem.from_parent(self, name=name, app=app, pinned=pin, line=line)

    def source(self) -> bytes:
        """The content of the suite; raises SuiteError if it cannot be read."""
        return self._read(self.path.name, suite.MAX_BYTES, "cannot be read")

    def _read(self, name: str, most: int, otherwise: str) -> bytes:
        try:
            return sources.read(self.path.parent, name, self.roots, most)
        except UnreadableError as error:
            problem = Problem(Place(error.line, 1), f"{otherwise}: {error}")
            raise SuiteError(self.shown, [problem]) from None

    def _mask_of_text(self) -> Mask:
        """The mask that covers what is redacted in the file, though it gave no cases."""
        mask = self.shared.mask
        if not mask.patterns:
            return mask
        try:
            here = Here(self.path.parent, {}, self.roots)
            return redaction.of_text(self.source(), here, mask)
        except (SuiteError, UnicodeDecodeError):
            return mask

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]
        """The mistakes as plain lines; a traceback only for what is no user's mistake."""
        mask = self.shared.mask
        if isinstance(excinfo.value, SettingsError):
            message = f"{self.shown}: {mask.text(str(excinfo.value))}"
            return failures.failure(message, self.path, self.shown, 1, message)
        if isinstance(excinfo.value, SuiteError):
            first, *others = excinfo.value.problems
            more = f" (+{len(others)} more)" if others else ""
            mask = self._mask_of_text()
            headline = safe_lines(mask.text(first.line(self.shown) + more))
            text = mask.text(str(excinfo.value))
            return failures.failure(text, self.path, self.shown, first.place.line, headline)
        text, message = mask.text(str(super().repr_failure(excinfo))), mask.text(excinfo.exconly())
        return failures.failure(text, self.path, self.shown, 1, message)
