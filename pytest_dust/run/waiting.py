"""A pending answer with its case: why it cannot be accepted, what it says, which cassette it becomes."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from pytest_dust.cassettes import files, recording
from pytest_dust.cassettes import format as cassette_format
from pytest_dust.cassettes.files import CassettePath
from pytest_dust.cassettes.format import Cassette
from pytest_dust.cassettes.recording import CassetteOfCase, Recording
from pytest_dust.compare import repeats
from pytest_dust.constants import LATEST
from pytest_dust.dust import token_counts
from pytest_dust.errors import CassetteError, DustError, ServiceError
from pytest_dust.model import Change, Outcome, Source, Tokens
from pytest_dust.report.from_outcome import with_outcome, with_request, with_trouble
from pytest_dust.report.misses import moved_lines
from pytest_dust.report.record import CaseRecord, RunSource
from pytest_dust.run import attempts
from pytest_dust.run.answer import Answer, MadeRun, limited_depth
from pytest_dust.run.case_request import CaseRequest
from pytest_dust.run.judge import judged
from pytest_dust.run.pending import Origin
from pytest_dust.run.recorded import recorded_filter, recorded_runs, saved_blocks
from pytest_dust.settings import Settings

HASH = "specification_hash"
UNPINNABLE = (
    "its runs ran different versions, or the service did not say which, so none can be pinned; run it again"
)


class Waiting(Struct, frozen=True):
    """A pending answer, and the case as it is now."""

    asked: CaseRequest
    place: CassetteOfCase
    file: CassettePath
    """Where the pending answer is."""
    cassette: Cassette
    origin: Origin
    blank: CaseRecord
    """The record of the case before it is judged."""

    @property
    def version(self) -> str:
        """The specification hash that ran, to which the answer is bound."""
        return str(self.cassette.request.get(HASH))

    @property
    def new_hash(self) -> str:
        """The hash that the case must pin before it can be replayed; empty if it pins that already."""
        return "" if self.version == self.asked.case.specification_hash else self.version

    # ── what is wrong with it ────────────────────────────────────────────────────────────────────

    def refusal(self) -> str:
        """Why the answer cannot be accepted, and what to do; empty if it can."""
        runs, times = len(self.cassette.replies), self.asked.case.times
        option = f"--dust-specification-hash={self.version}" if self.new_hash else "--dust-mode=live"
        again = f"run it again: {self.place.command} {option}"
        if moved := self._moved():
            names, *lines = moved_lines(moved)
            return "\n".join([f"its case has been edited since it ran: {names}", *lines, again])
        if not self.asked.case.is_sequential and runs != times:
            return f"it holds {runs} of the {times} runs that the case needs; {again}"
        if self.version == LATEST and self.new_hash:
            return UNPINNABLE
        if recorded_at := self._newer_recording():
            return f"its cassette is newer: {recorded_at}, after {self.cassette.recorded_at}; {again}"
        try:
            undecided = self._undecided(self.answer())
        except ServiceError as error:
            return f"it holds no run: {error.headline}; {again}"
        return f"its runs give no verdict: {undecided}; {again}" if undecided else ""

    def _undecided(self, answer: Answer) -> str:
        """Why the runs of a sequential test do not decide; empty if they do, and for other cases."""
        repeat = self.asked.case.repeat
        if repeat is None or repeat.rates is None:
            return ""
        made = attempts.judged(answer.made, self.asked)
        verdict = repeats.verdict(repeat, [not each.failures for each in made])
        return verdict.why if verdict.passed is None else ""

    def _newer_recording(self) -> str:
        """When the case's cassette was recorded, if that was after the answer came; else empty."""
        try:
            found = files.read(self.place.path)
        except CassetteError:  # it is broken, so it is replaced
            return ""
        return found.recorded_at if found and found.recorded_at > self.cassette.recorded_at else ""

    def _moved(self) -> list[Change]:
        """What the case asks now and did not ask when the answer came."""
        mask = self.asked.mask
        request = mask.value({**self.asked.bound, HASH: self.version})
        moved = recording.moved(self.cassette, request, mask)
        pinned = self.asked.case.specification_hash
        if pinned not in (self.origin.pinned, self.version):
            moved = (Change((HASH,), self.origin.pinned, pinned), *moved)
        return list(moved)

    # ── what it says ─────────────────────────────────────────────────────────────────────────────

    def answer(self, found: Recording | None = None) -> Answer:
        """The runs, to be compared with a recording if one is given; raises ServiceError if it holds none."""
        filtered, saved = recorded_filter(self.cassette), saved_blocks(self.cassette)
        pairs = zip(self.cassette.replies, recorded_runs(self.cassette), strict=True)
        made = (MadeRun(reply, run, token_counts.of_run(reply, run, filtered, saved)) for reply, run in pairs)
        return Answer(self.asked, found or Recording(self.place), Source.LIVE, tuple(made))

    def judged(self, settings: Settings) -> Outcome:
        """The outcome of the case with this answer, not compared; raises DustError if it cannot be judged."""
        with limited_depth():
            return judged(self.answer(), settings)

    def compared(self, settings: Settings) -> Outcome:
        """The same, compared with the case's cassette."""
        with limited_depth():
            found = recording.load(self.place, self.asked.masked, self.asked.mask)
            return judged(self.answer(found), settings)

    def record(self, settings: Settings) -> CaseRecord:
        """The record of the case with this answer."""
        blank = with_request(self.blank, self.asked.case, self.asked.mask)
        try:
            outcome = self.compared(settings)
        except DustError as error:
            return with_trouble(blank, str(error), Tokens(), RunSource.NOT_JUDGED)
        return with_outcome(replace(blank, version=self.version), outcome, fresh=False)

    # ── what it becomes ──────────────────────────────────────────────────────────────────────────

    def content(self) -> bytes:
        """The bytes of the cassette that it becomes."""
        found = self.cassette  # its request fits, and names the workspace, which only a live run must know
        request = self.asked.mask.value(found.request)
        return cassette_format.dumps(request, found.replies, found.recorded_at, found.specification)
