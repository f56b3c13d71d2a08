"""The pytest rim: a suite file as a collector, a case as an item."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dust.checks.binding import Here
from pytest_dust.constants import LATEST
from pytest_dust.errors import DustError, SettingsError, SuiteError, did_you_mean
from pytest_dust.files import sources
from pytest_dust.files.sources import UnreadableError
from pytest_dust.model import Place, Problem, Source, Tokens
from pytest_dust.plugin import facts, session
from pytest_dust.plugin.item import CaseFailed, Item, SuiteFile, Unrun
from pytest_dust.report import case as case_report
from pytest_dust.report.progress import progress
from pytest_dust.report.terminal import CaseReport, Crash
from pytest_dust.settings import Mode
from pytest_dust.suite import cases as suite
from pytest_dust.suite import redaction, references

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_dust.masking import Mask
    from pytest_dust.model import App, Case, Mark, Outcome
    from pytest_dust.plugin.drift_item import DriftItem
    from pytest_dust.run.pipeline import Answer, Attempts, Estimate, Recording


MAX_DESCRIPTION = 500
"""Characters of a case's description that reports show."""
REVEALING_ID = "the id of a case holds a secret, and ids are shown and name files; name the case otherwise"


class DustFile(SuiteFile):
    """A `*.dust.yaml` file as a collector of its cases."""

    def collect(self) -> Iterator[DustItem | DriftItem]:
        """One item per case; raises SuiteError with every mistake of the file."""
        shared = self.shared
        shared.collected[self.real_path] = None
        look_up = references.environment(os.environ, frozenset(shared.settings.env))
        here = Here(self.path.parent, session.matchers(self), self.roots)
        cases = suite.load(self._source(), self.shown, look_up, here, self._hiding())
        if revealing := [case for case in cases if shared.mask.text(case.id) != case.id]:
            raise SuiteError(self.shown, [Problem(case.place, REVEALING_ID) for case in revealing])
        if renamed := [case.id for case in cases if case.renamed]:
            shared.renamed[self.shown] = renamed
        items = [DustItem.from_parent(self, name=case.id, case=case) for case in cases]
        problems = [problem for item in items for problem in item.mark()]
        if problems:
            raise SuiteError(self.shown, problems)
        shared.collected[self.real_path] = frozenset(case.id for case in cases)
        shared.apps[self.path] = Counter(case.app.id for case in cases)
        yield from items
        if shared.settings.drift:
            yield from self._drift_items(cases)

    def _hiding(self) -> redaction.Hiding:
        """What of the file is hidden."""
        settings = self.shared.settings
        check = self.config.getoption("dust_check")
        offline = check or (settings.mode is Mode.REPLAY and not settings.drift)
        return redaction.Hiding(self.shared.mask, frozenset(settings.secrets), offline)

    def _drift_items(self, cases: list[Case]) -> Iterator[DriftItem]:
        """One item per app and pinned hash that no suite before this one asks for."""
        from pytest_dust.plugin.drift_item import DriftItem

        shared = self.shared
        pinned: dict[tuple[App, str], None] = {}
        for case in cases:
            app = shared.settings.address(case.app)
            shared.recordings.setdefault(app, []).append((self, case))
            if case.specification_hash != LATEST:
                pinned[app, case.specification_hash] = None
        new = [key for key in pinned if key not in shared.drifts]
        for at, (app, pin) in enumerate(new):
            shared.drifts.add((app, pin))
            name = "[specification]" if at == 0 else f"[specification-{pin[:8]}]"
            yield DriftItem.from_parent(self, name=name, app=app, pinned=pin)

    def _source(self) -> bytes:
        try:
            return sources.read(self.path.parent, self.path.name, self.roots, suite.MAX_BYTES)
        except UnreadableError as error:
            raise SuiteError(
                self.shown, [Problem(Place(error.line, 1), f"cannot be read: {error}")]
            ) from None

    def _mask_of_text(self) -> Mask:
        """The mask that covers what is redacted in the file, though it gave no cases."""
        mask = self.shared.mask
        if not mask.patterns:
            return mask
        try:
            here = Here(self.path.parent, {}, self.roots)
            return redaction.of_text(self._source(), here, mask)
        except (SuiteError, UnicodeDecodeError):
            return mask

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]
        """The mistakes as plain lines; a traceback only for what is no user's mistake."""
        mask = self.shared.mask
        if isinstance(excinfo.value, SettingsError):
            message = f"{self.shown}: {mask.text(str(excinfo.value))}"
            return CaseReport(message, Crash(self.shown, 1, message))
        # A broken suite is an error of its own file: the others run, whatever pytest does by default.
        self.config.option.continue_on_collection_errors = True
        if isinstance(excinfo.value, SuiteError):
            first, *others = excinfo.value.problems
            more = f" (+{len(others)} more)" if others else ""
            mask = self._mask_of_text()
            headline = "\n".join(case_report.safe_lines(mask.text(first.line(self.shown) + more)))
            return CaseReport(mask.text(str(excinfo.value)), Crash(self.shown, first.place.line, headline))
        crash = Crash(self.shown, 1, mask.text(excinfo.exconly()))
        return CaseReport(mask.text(str(super().repr_failure(excinfo))), crash)


class DustItem(Item):
    """One case."""

    def __init__(self, *, case: Case, **kwargs: Any) -> None:
        """Hold the case, and no outcome yet."""
        super().__init__(**kwargs)
        self.case = case
        self.answer: Answer | None = None
        self.recorded = False
        """Whether the answer is in the case's cassette."""
        self.outcome: Outcome | None = None
        self.estimated: Estimate | None = None
        self.launched: Attempts = ()
        self.took = 0.0
        """Seconds that the runs launched ahead took."""
        self.spent = Tokens()
        """Tokens of the case's runs at the service, as far as they are known where there is no outcome."""

    @property
    def line(self) -> int:
        """The line on which the case begins."""
        return self.case.place.line

    def masked(self, text: str) -> str:
        """The text, safe to print, with every known secret in it masked, and what is redacted of the case."""
        return self.shared.masked(text, self.case)

    def mark(self) -> list[Problem]:
        """Put the suite's marks on the item; gives those that `--strict-markers` refuses."""
        return [problem for one in self.case.marks for problem in self._mark(one)]

    def _mark(self, mark: Mark) -> Iterator[Problem]:
        mask = self.shared.mask.of_case(self.case)
        kwargs: dict[str, Any] = mask.value(dict(mark.kwargs))
        if mark.name == "xfail" and self.config.getoption("dust_check"):
            return  # a check runs nothing that could be expected to fail
        if mark.name == "xfail":
            kwargs["raises"] = CaseFailed  # a missing cassette or a wrong key is no expected failure
        with warnings.catch_warnings(record=True) as unknown:
            warnings.simplefilter("always")
            try:
                decorator = getattr(pytest.mark, mark.name)
            except pytest.fail.Exception:
                yield Problem(mark.place, _unregistered(mark.name, self.config))
                return
        try:
            for warning in unknown:
                self.warn(pytest.PytestUnknownMarkWarning(str(warning.message).split(" - ", 1)[0]))
        except pytest.PytestUnknownMarkWarning:  # the project's filterwarnings make errors of warnings
            yield Problem(mark.place, _unregistered(mark.name, self.config))
            return
        self.add_marker(decorator(*mask.value(mark.args), **kwargs) if mark.args or kwargs else decorator)

    def runtest(self) -> None:
        """Run the case; raises CaseFailed where an expectation does not hold, Unrun where there is no run."""
        from pytest_dust.run.pipeline import check_case  # httpx and all: not for --co

        self.headline, self.spent = "", Tokens()  # a plugin may run the item again
        self.answer = self.outcome = None
        self.recorded = False
        try:
            if self.config.getoption("dust_check"):
                check_case(self.case, self.recording(), self.shared.settings, self.shared.mask)
                return
            self._run()
        except DustError as error:
            self.headline, self.spent = self.masked(error.headline), error.spent or self.spent
            raise Unrun(self.masked(str(error))) from None
        finally:
            self.took = sum(ticket.seconds for ticket in self.launched)
            self.shared.live.launcher.cancel(self.launched)
            self.launched = ()  # if it is run again, it gets new runs
        if self.headline:
            raise CaseFailed(self.headline)

    def _run(self) -> None:
        """Run the case and judge it; raises DustError where there is no outcome."""
        from pytest_dust.run.pipeline import judge, keeping, obtain, record

        desk = self.shared.desk()
        with progress(self.config, self.shared.live.progress) as watch:
            self.answer = answer = obtain(self.case, self.recording(), desk, self.launched, watch)
        self.spent = answer.spent
        self.recorded = record(answer, desk)
        self.outcome = outcome = judge(answer, desk)
        with keeping(answer, desk):
            self._keep_difference(outcome)
            if not outcome.holds or outcome.gated:
                self.headline = self.masked(case_report.headline(outcome))

    def keep_answer(self, error: BaseException | None = None) -> None:
        """Keep the answer of a live run that is not reported, because of this error or one in the report."""
        if self.answer is not None and not isinstance(error, CaseFailed | Unrun):
            from pytest_dust.run.pipeline import keep_unreported

            keep_unreported(self.answer, self.shared.keeper)

    def recording(self) -> Recording:
        """Where the case's cassette is, and how to record it anew."""
        from pytest_dust.run.pipeline import Recording

        spot = self.suite.spot(self.case.id)
        shown = f"{self.suite.home_shown}/{spot.path.name}"
        return Recording(spot, shown, self.command, self.path, self.shared.read_ahead.take)

    def estimate(self) -> Estimate:
        """What the case will take; asked of its recording once."""
        from pytest_dust.run.pipeline import estimate

        if self.estimated is None:
            settings, mask = self.shared.settings, self.shared.mask
            recording = replace(self.recording(), read=self.shared.read_ahead.keep)
            self.estimated = estimate(self.case, recording, settings, mask)
        return self.estimated

    def launch(self) -> None:
        """Hand in the case's runs ahead of its turn, once; raises DustError where they cannot be made."""
        from pytest_dust.run.pipeline import launch

        blocks = self.estimate().blocks
        self.launched = self.launched or launch(self.case, self.recording(), self.shared.desk(), blocks)

    def give_up(self) -> Tokens:
        """Stop the runs that this case did not use, keep the answers that came; gives their tokens."""
        if not self.launched:
            return Tokens()
        from pytest_dust.run.pipeline import keep_ended

        launched, self.launched = self.launched, ()
        self.shared.live.launcher.cancel(launched)
        return keep_ended(self.case, self.recording(), self.shared.desk(), launched)

    def _keep_difference(self, outcome: Outcome) -> None:
        """Write all that changed to the folder that --dust-diff-dir names."""
        if self.shared.differences is None:
            return
        mask = self.shared.mask.of_case(self.case)
        self.shared.differences.write(self.suite.shown, self.case.id, self.title, outcome, mask)

    def teardown(self) -> None:
        """Let go of the run, once it is reported: a session would hold a thousand of them."""
        self.answer = self.outcome = None

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]
        """The case's report; a traceback, masked, only for what is no user's mistake."""
        row = f" ({self.case.row})" if self.case.row else ""
        pinned = self.case.specification_hash
        other = self.shared.settings.version_of(self.case.app.id, pinned) != pinned
        subject = case_report.Subject(
            f"{self.suite.shown}:{self.line}{row}", self.command, pinned=other, description=self.description
        )
        if isinstance(excinfo.value, CaseFailed) and self.outcome is not None:
            return self.failed("\n".join(case_report.failed(subject, self.outcome)), self.headline)
        if isinstance(excinfo.value, Unrun):
            lines = case_report.troubled(subject, self.shared.settings.mode, str(excinfo.value))
            return self.failed("\n".join(lines), self.headline)
        return self.failed(str(super().repr_failure(excinfo)), excinfo.exconly())

    def seconds(self, passed: float) -> float:
        """What the case took: its live runs' own time, for they went on before its turn; else what passed."""
        if self.outcome is None:
            return max(passed, self.took)
        if self.outcome.source is Source.REPLAYED:
            return passed
        return sum(attempt.run.duration for attempt in self.outcome.attempts)

    def facts(self) -> dict[str, Any]:
        """What the summary needs to know of the case, fit to travel from an xdist worker."""
        if self.outcome is None:
            checked = self.config.getoption("dust_check")
            source = "checked" if checked else facts.without_outcome(self.answer, recorded=self.recorded)
            told = facts.of_no_run(self.case, self.headline, self.spent, source)
        else:
            told = facts.of_run(self.case, self.outcome, self.headline, self.shared.settings, self.masked)
        return {**told, "description": self.description}

    @property
    def description(self) -> str:
        """The case's description on one line, with secrets and redacted values masked, safe to print."""
        if not self.case.description:
            return ""
        words = self.shared.mask.of_case(self.case).text(self.case.description).split()
        return "\n".join(case_report.safe_lines(" ".join(words)[:MAX_DESCRIPTION]))


def _unregistered(name: str, config: pytest.Config) -> str:
    known = [line.split("(")[0].split(":")[0].strip() for line in config.getini("markers")]
    return f'mark "{name}" is not registered; add it to ini markers{did_you_mean(name, known)}'
