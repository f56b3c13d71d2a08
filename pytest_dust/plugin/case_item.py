"""A case as a pytest item."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from pytest_dust.errors import DustError
from pytest_dust.model import Problem, Tokens
from pytest_dust.plugin import testmon
from pytest_dust.plugin.item import Item
from pytest_dust.plugin.marks import add_mark
from pytest_dust.plugin.outcomes import CaseFailed, NoRun
from pytest_dust.report.bounds import kept
from pytest_dust.report.progress import progress
from pytest_dust.report.record import CaseRecord, ItemRecord, RunSource, Verdict
from pytest_dust.settings import Mode
from pytest_dust.wording import as_typed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_dust.cassettes.recording import CassetteOfCase
    from pytest_dust.model import Case
    from pytest_dust.run.answer import Answer, Jobs
    from pytest_dust.run.case_request import CaseRequest
    from pytest_dust.run.context import RunContext
    from pytest_dust.run.recorded import Estimate

MAX_DESCRIPTION = 500
"""Characters of a case's description that reports show."""


def headline_of(record: CaseRecord) -> str:
    """The failure of a case in one line."""
    from pytest_dust.report.case import headline  # its imports take 10 ms, and most sessions pass

    return headline(record)


class DustItem(Item):
    """One case."""

    def __init__(self, *, case: Case, **kwargs: Any) -> None:
        """Take the case, which has not run yet."""
        super().__init__(**kwargs)
        self.case = case
        self.answer: Answer | None = None
        self.record: CaseRecord | None = None
        """The record of the case, once it has run."""
        self.reported: CaseRecord | None = None
        """The record that is on the case's report."""
        self.jobs: Jobs = ()
        """The case's runs that were started ahead."""
        self.took = 0.0
        """Seconds that those runs took."""
        self._estimate: Estimate | None = None

    @property
    def line(self) -> int:
        """The line on which the case begins."""
        return self.case.place.line

    @property
    def report_line(self) -> int:
        """The line of the first failed expectation, else that on which the case begins."""
        return self.record.report_line if self.record else self.line

    def masked(self, text: str) -> str:
        """The text, safe to print, with all secrets in it masked, and what is redacted of the case."""
        return self.shared.masked(text, self.asked.mask)

    def mark(self) -> list[Problem]:
        """Put the suite's marks on the item; returns a problem for each that `--strict-markers` refuses."""
        mask = self.shared.mask.of_case(self.case) if self.case.marks else self.shared.mask
        return [problem for one in self.case.marks for problem in add_mark(self, one, mask)]

    # ── the run ──────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def asked(self) -> CaseRequest:
        """What the case asks of the service."""
        from pytest_dust.run.case_request import case_request

        return case_request(self.case, self.shared.settings, self.shared.mask)

    @property
    def cassette(self) -> CassetteOfCase:
        """Where the case's cassette belongs."""
        from pytest_dust.cassettes.recording import CassetteOfCase

        path = self.suite.cassette(self.case.id)
        shown = f"{self.suite.cassette_folder_shown}/{path.file.name}"
        sources = self.suite.sources(self.case)
        return CassetteOfCase(path, shown, self.command, self.path, self.nodeid, self.line, sources)

    def runtest(self) -> None:
        """Run the case; raises CaseFailed if an expectation does not hold, NoRun if there is no verdict."""
        self.answer = None  # a plugin may run the item again
        self.shared.live.give_up_if_blocked(self)
        check = self.config.getoption("dust_check")
        self.record = self.blank(RunSource.CHECKED if check else RunSource.WITHOUT_A_RUN)
        try:
            if check:
                self._check(self.record)
            else:
                self._run(self.record)
        except DustError:
            raise NoRun(self.masked(headline_of(self.record))) from None
        except pytest.fail.Exception as error:  # that of pytest-timeout, whose traceback is not ours
            self.keep_answer(error)
            self.record = replace(
                self.record, message="\n".join([str(error), *getattr(error, "__notes__", ())])
            )
            raise NoRun(self.masked(headline_of(self.record))) from None
        finally:
            testmon.add_dependencies(self.config, self._read_files())
            self.took = sum(job.seconds for job in self.jobs)
            self.shared.live.pool.cancel(self.jobs)
            self.jobs = ()  # if the item runs again, it gets new runs
            self.shared.unlogged.setdefault(self.nodeid, []).append(self.record)
        if not self.record.passed:
            raise CaseFailed(self.masked(headline_of(self.record)))

    def _read_files(self) -> Iterator[Path]:
        """The files that decide how the case ends: the suite, those that it names, and the cassette."""
        yield self.path
        yield from (self.path.parent / name for name in self.suite.named)
        yield self.cassette.path.file

    def _check(self, blank: CaseRecord) -> None:
        """Compare the case with its cassette, and run nothing; raises DustError."""
        from pytest_dust.report.from_outcome import with_trouble
        from pytest_dust.run.source import check

        try:
            check(self.asked, self.cassette, self.shared.read_ahead.take)
        except DustError as error:
            self.record = with_trouble(blank, str(error), Tokens(), RunSource.CHECKED)
            raise

    def _run(self, blank: CaseRecord) -> None:
        """Run the case and judge it; raises DustError if there is no verdict."""
        from pytest_dust.run.case_run import CaseRun

        case_run = CaseRun(self.asked, self.cassette, blank)
        try:
            with progress(self.config, self.shared.live.progress) as watch:
                case_run.run(self._context, self.jobs, watch)
        finally:
            self.answer, self.record = case_run.answer, case_run.record

    def _context(self) -> RunContext:
        """What the case is run with; raises ServiceError if nothing may be run."""
        if self.shared.settings.mode is Mode.REPLAY or not self.blocked:
            return self.shared.context()
        return self.shared.context(f"{self.blocked}; or replay its cassette: --dust-mode=replay")

    # ── the record ───────────────────────────────────────────────────────────────────────────────

    def blank(self, source: RunSource) -> CaseRecord:
        """The case's record before it has run."""
        settings, case = self.shared.settings, self.case
        record = CaseRecord(
            id=self.nodeid,
            file=self.suite.shown,
            line=self.line,
            app=case.app.id,
            pinned=case.specification_hash,
            version=settings.version_of(case.app.id, case.specification_hash),
            mode=str(settings.mode),
            command=self.command,
            source=source,
            verdict=Verdict.PASSED,
            row=self._row,
            description=self._description,
        )
        if not settings.report:
            return record
        from pytest_dust.report.from_outcome import with_request

        return with_request(record, case, self.asked.mask)

    def _unrun(self, error: BaseException | None) -> CaseRecord:
        """The record of a case that did not run, because it is skipped or because of an error before it."""
        record = self.blank(RunSource.WITHOUT_A_RUN)
        if error is None or isinstance(error, pytest.skip.Exception | pytest.xfail.Exception):
            return record
        message = f"it was not run, because of an error before it: {type(error).__name__}: {error}"
        return replace(record, verdict=Verdict.TROUBLE, message=message)

    @property
    def _row(self) -> str:
        """File and line of the case's row, from the folder in which pytest was called; empty without one."""
        row = self.case.row
        return as_typed(self.path.parent / row, self.config.invocation_params.dir) if row else ""

    @property
    def _description(self) -> str:
        """The case's description on one line."""
        return " ".join(self.case.description.split())[:MAX_DESCRIPTION] if self.case.description else ""

    def item_record(self, error: BaseException | None) -> ItemRecord:
        """What the item leaves behind: masked, and no larger than reports need; `error` is what it raised."""
        expected = isinstance(error, CaseFailed | NoRun)
        record = self.record or self._unrun(error)
        headline = self.masked(headline_of(record)) if expected else ""
        self.reported = self.record
        earlier = [replace(each, rerun=True) for each in self.shared.unlogged.get(self.nodeid, ())[:-1]]
        cases = tuple(kept(each, self.asked.mask) for each in (*earlier, record))
        return ItemRecord(cases, headline=headline)

    # ── runs that are started ahead ──────────────────────────────────────────────────────────────

    def estimate(self) -> Estimate:
        """What the case will take, by its recording."""
        from pytest_dust.run.recorded import Estimate
        from pytest_dust.run.source import estimate

        if self._estimate is None:
            mode = self.shared.settings.mode
            found = estimate(self.asked, self.cassette, mode, self.shared.read_ahead.keep)
            self._estimate = Estimate(0, 0) if found.runs and self.blocked else found
        return self._estimate

    def launch(self) -> None:
        """Start the case's runs ahead, once; raises DustError if they cannot be made."""
        from pytest_dust.run.launch import launch

        blocks = self.estimate().blocks
        self.jobs = self.jobs or launch(self.asked, self.cassette, self.shared.context(), blocks)

    def give_up(self) -> Tokens:
        """Cancel the runs that the case did not wait for; those that ended are kept. Returns their tokens."""
        if not self.jobs:
            return Tokens()
        from pytest_dust.run.keep import keep_ended

        jobs, self.jobs = self.jobs, ()
        self.shared.live.pool.cancel(jobs)
        return keep_ended(self.asked, self.cassette, self.shared.context(), jobs)

    def passed_when_recorded(self) -> bool:
        """Whether the case passed when it was recorded, by what it expects now; True if that is unknown."""
        if self.answer is None:
            return True
        from pytest_dust.run.recorded_verdict import passed_when_recorded

        return passed_when_recorded(self.answer, self.shared.context())

    # ── pytest's side ────────────────────────────────────────────────────────────────────────────

    def keep_answer(self, error: BaseException | None = None) -> None:
        """Keep the answer of a live run that is not reported, because of this error or one in the report."""
        if self.answer is not None and not isinstance(error, CaseFailed | NoRun):
            from pytest_dust.run.keep import keep_unreported

            keep_unreported(self.answer, self.shared.pending)

    def teardown(self) -> None:
        """Drop what only this case needs, once it is reported: a session may have thousands."""
        self.answer = self.record = None
        self.__dict__.pop("asked", None)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]
        """The case's report; a traceback, masked, only for what is no user's mistake."""
        if isinstance(excinfo.value, CaseFailed | NoRun) and self.record is not None:
            from pytest_dust.report.case import case_lines

            text = "\n".join(case_lines(self.record))
            return self.failed(text, headline_of(self.record))
        return self.failed(str(super().repr_failure(excinfo)), excinfo.exconly())

    def seconds(self, passed: float) -> float:
        """Seconds that the case took: its live runs' own time, as they began before its turn."""
        record = self.record
        if record is None or not record.attempts:
            return max(passed, self.took)
        if record.source is RunSource.REPLAYED:
            return passed
        return sum(attempt.duration for attempt in record.attempts)
