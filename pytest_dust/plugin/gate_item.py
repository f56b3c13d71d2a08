"""The item of an app's gate, which fails if the other version is worse or could not be judged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dust.plugin import failures
from pytest_dust.plugin.outcomes import CaseFailed, NoRun
from pytest_dust.report.gate_lines import gate_lines, verdict
from pytest_dust.report.record import GateVerdict
from pytest_dust.report.terminal import safe_lines
from pytest_dust.wording import as_typed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_dust.report.record import CaseRecord, GateRecord


class GateItem(pytest.Item):
    """Reports the verdict on one app; its runs are made before it, so it costs none itself."""

    def __init__(
        self,
        *,
        app: str,
        place: tuple[Path, int],
        decide: Callable[[str], tuple[GateRecord, Mapping[str, CaseRecord]]],
        **kwargs: Any,
    ) -> None:
        """Take the app, the place of its first case, and a function that returns its verdict and cases."""
        super().__init__(**kwargs)
        self.app, self._decide = app, decide
        self._file, self._line = place
        self.record: GateRecord | None = None
        self._cases: Mapping[str, CaseRecord] = {}

    def runtest(self) -> None:
        """Raise CaseFailed if the other version is worse, NoRun if it could not be judged."""
        self.record, self._cases = self._decide(self.app)
        if self.record.passed:
            return
        kind = CaseFailed if self.record.verdict is GateVerdict.WORSE else NoRun
        raise kind(self.headline)

    @property
    def headline(self) -> str:
        """The verdict in one line, if the item fails; else empty."""
        return "" if self.record is None or self.record.passed else safe_lines(verdict(self.record))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]
        """The verdict, and the cases that passed less often; a traceback only for what is no user's fault."""
        if self.record is None or not isinstance(excinfo.value, CaseFailed | NoRun):
            return super().repr_failure(excinfo)
        text = safe_lines("\n".join(gate_lines(self.record, self._cases)))
        shown = as_typed(self._file, self.config.invocation_params.dir)
        return failures.failure(text, self._file, shown, self._line, self.headline)

    def reportinfo(self) -> tuple[Path, int, str]:
        """The file and line of the app's first case, and the title of the report."""
        return self._file, self._line - 1, self.nodeid
