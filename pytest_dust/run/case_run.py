"""Run one case from start to end: get its runs, keep them, judge them, make its record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from pytest_dust.cassettes.recording import CassetteOfCase
from pytest_dust.errors import DustError
from pytest_dust.model import Event, Outcome, Tokens
from pytest_dust.report.from_outcome import source_without_outcome, with_outcome, with_trouble
from pytest_dust.report.record import CaseRecord
from pytest_dust.run import keep
from pytest_dust.run.answer import Answer, Jobs
from pytest_dust.run.case_request import CaseRequest
from pytest_dust.run.context import RunContext
from pytest_dust.run.judge import judge
from pytest_dust.run.obtain import obtain
from pytest_dust.worker_pool import Watch


@dataclass(slots=True)
class CaseRun:
    """The run of one case, and what is known of it so far, also if it ends with an error."""

    asked: CaseRequest
    place: CassetteOfCase
    record: CaseRecord
    """The record of the case: before it runs, that of a case without a run."""
    answer: Answer | None = None
    recorded: keep.Recorded = keep.Recorded.NO
    """Whether the answer is in the case's cassette."""

    def run(
        self, context: Callable[[], RunContext], jobs: Jobs = (), watch: Watch[Event] | None = None
    ) -> Outcome:
        """Run the case and complete its record; raises DustError if there is no verdict.

        `context` returns what the case is run with; it may raise DustError too. `jobs` are the runs that are
        started already.
        """
        try:
            return self._run(context(), jobs, watch)
        except BaseException as error:
            spent = getattr(error, "spent", None) or (self.answer.spent if self.answer else Tokens())
            message = str(error) if isinstance(error, DustError) else type(error).__name__
            source = source_without_outcome(
                self.answer.source if self.answer else None, recorded=self.recorded is not keep.Recorded.NO
            )
            self.record = with_trouble(self.record, message, spent, source)
            raise

    def _run(self, context: RunContext, jobs: Jobs, watch: Watch[Event] | None) -> Outcome:
        self.answer = answer = obtain(self.asked, self.place, context, jobs, watch)
        self.recorded = keep.record(answer, context)
        outcome = judge(answer, context)
        with keep.while_judging(answer, context):
            settings = context.settings
            record = with_outcome(self.record, outcome, fresh=settings.fresh, detailed=bool(settings.report))
            if context.differences is not None:
                context.differences.write(record, self.asked.case.id, self.asked.mask.text)
        as_recorded = self.recorded is keep.Recorded.AS_BEFORE
        pending = keep.keep_for_review(answer, outcome, context)
        changed = as_recorded or pending
        self.record = replace(record, as_recorded=as_recorded, pending=pending) if changed else record
        return outcome
