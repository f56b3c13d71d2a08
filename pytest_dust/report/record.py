"""What a session leaves behind: frozen values, which all reports are written from.

A `CaseRecord` is made once, when its case ends, from what ran and what was found. It crosses from a
pytest-xdist worker to its controller as JSON (`record_json`). Texts in it are masked, and not escaped:
each report escapes what its own format could take for more than text.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct, field

from pytest_dust.model import MISSING, CassetteFiles, Expected, Path, Repeat, Status, Tokens

VERSION = 1
"""Version of the JSON form; a change that readers notice makes it one more."""


# ── one case ─────────────────────────────────────────────────────────────────────────────────────


class RunSource(StrEnum):
    """Where a case's run came from, or why it has none."""

    CHECKED = "checked"
    REPLAYED = "replayed"
    RECORDED = "recorded"
    LIVE = "live"
    NOT_RECORDED = "not recorded"
    NOT_JUDGED = "not judged"
    WITHOUT_A_RUN = "without a run"

    @property
    def is_new(self) -> bool:
        """Whether the service made the run in this session."""
        return self in (RunSource.RECORDED, RunSource.LIVE)


class Verdict(StrEnum):
    """How a case ended."""

    PASSED = "passed"
    FAILED = "failed"
    """Not enough attempts met the expectations."""
    CHANGED = "changed"
    """The expectations hold, but the run changed, and `on_change` is `fail`."""
    TROUBLE = "trouble"
    """There is no run, or it could not be judged."""


class CaseOutcome(StrEnum):
    """How pytest counts a case."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    """It failed, as its suite expects."""
    XPASSED = "xpassed"
    """It passed, although its suite expects a failure."""
    LEFT = "left to the gate"
    """It failed, and the gate of its app decides whether that counts."""


class ChangeRecord(Struct, frozen=True):
    """One place where two JSON values differ; of an added or removed value, the other side is null."""

    path: Path
    old: Any = None
    new: Any = None
    kind: Literal["changed", "added", "removed"] = "changed"
    lengths: tuple[int, int] | None = None
    """Characters of the two texts, where the record holds only a part of them."""

    @property
    def before(self) -> Any:
        """The old value, MISSING if there was none."""
        return MISSING if self.kind == "added" else self.old

    @property
    def after(self) -> Any:
        """The new value, MISSING if there is none."""
        return MISSING if self.kind == "removed" else self.new


class BlockChangeRecord(Struct, frozen=True):
    """How one block differs between two runs, for one input where there are several."""

    type: str
    name: str
    position: int
    """Place in execution order, from 1; 0 if the run as a whole is meant."""
    input: int | None
    """Number of the input, from 1; None if there is one input."""
    is_cause: bool
    """True if no block before it changed for that input."""
    changes: tuple[ChangeRecord, ...]
    count: int
    """Number of changes; the record of a large one holds only the first."""


class ComparisonRecord(Struct, frozen=True):
    """A run compared with its recording, or why it was not."""

    recorded_at: str
    values: tuple[ChangeRecord, ...] = ()
    """The changes that count."""
    count: int = 0
    """Number of changes that count."""
    blocks: tuple[BlockChangeRecord, ...] = ()
    """The changed blocks, in execution order: the change begins in the first."""
    block_total: int = 0
    """Number of blocks in both runs together."""
    begins_in: str = ""
    """`NAME (type)` of the block in which the change begins; empty if nothing changed that counts."""
    not_compared: str = ""
    """Why it was not compared; empty if it was."""
    left_out: tuple[str, ...] = ()
    """What differs in every run and was not compared, such as `curl headers.date`."""

    @property
    def changed(self) -> bool:
        """Whether anything changed that counts."""
        return self.count > 0


class FailureRecord(Struct, frozen=True):
    """An expectation that does not hold."""

    path: str
    expected: Expected
    actual: Any
    found: bool
    """False if the path found nothing; `actual` is then null."""
    note: str = ""
    """Why the value does not match; where the path found nothing, how far it got."""
    changes: tuple[ChangeRecord, ...] = ()
    """Where the value differs from the expected structure: old is expected, new is actual."""
    count: int = 0
    """Number of such differences."""
    lengths: tuple[int, int] | None = None
    """Characters of the expected and the actual text, if the record holds only a part of them."""
    line: int = 0
    """Line of the expectation in the suite file; 0 if it is not written there."""


class BlockRecord(Struct, frozen=True):
    """One block of a run, in execution order."""

    type: str
    name: str
    status: str
    iterations: Any = None
    """Number of executions; with `inputs`, a list of them."""
    output: Any = None
    """The output; a list if there are several inputs or iterations. The record of a large one has a part."""
    error: Any = None
    """The error message, in the same shape as `output`."""
    is_cut: bool = False
    """Whether `output` or `error` is only a part."""
    usage: Mapping[str, int | None] = field(default_factory=dict)
    """Tokens by kind; null for a kind that the service does not report."""
    started: float | None = None
    """Seconds from the request to its start; only streamed runs report them."""
    duration: float | None = None
    """Seconds; only streamed runs report them."""


class AttemptRecord(Struct, frozen=True):
    """One run of a case: which it was, which expectations failed, and what changed."""

    run_id: str | None
    specification_hash: str | None
    status: Status
    error: str | None
    """`BLOCK (type): message` of the first failed block."""
    duration: float
    """Seconds; of a replayed run, as recorded."""
    tokens: Tokens
    failures: tuple[FailureRecord, ...] = ()
    failure_count: int = 0
    comparison: ComparisonRecord | None = None
    blocks: tuple[BlockRecord, ...] = ()
    """The blocks of the run; empty unless --dust-report asks for a report."""
    result: Any = None
    """The output of the last block, or a part of it; null unless --dust-report asks for a report."""

    @property
    def passed(self) -> bool:
        """Whether every expectation holds."""
        return self.failure_count == 0

    @property
    def changed(self) -> bool:
        """Whether anything changed that counts."""
        return self.comparison is not None and self.comparison.changed

    @property
    def differs(self) -> bool:
        """Whether the run differs from its recording in any way, also one that does not count."""
        one = self.comparison
        return one is not None and bool(one.values or one.blocks or one.left_out or one.not_compared)


class SpreadRecord(Struct, frozen=True):
    """What the attempts of a repeated case come to."""

    counted: int
    """Number of attempts that count: the first ones. Those after them are surplus of a sequential test."""
    passed: int
    """How many of these met all expectations."""
    low: float
    """The lower end of the 95 % interval of the pass rate, by Wilson's method."""
    high: float
    """The upper end."""
    why: str = ""
    """Why a sequential test stopped, or that it did not; empty for a fixed number of attempts."""


class GateCaseRecord(Struct, frozen=True):
    """A case that passed less often in the other version: fresh runs of both, and where the change begins."""

    id: str
    old_passed: int
    old: int
    new_passed: int
    new: int
    begins_in: str = ""
    """`NAME (type)` of the block in which the change begins; empty if none is sure."""
    begins_attempts: int = 0
    """In how many of the other version's runs it begins there."""


class CaseRecord(Struct, frozen=True):
    """One case of a suite, or one run of a Python test: what was asked, what came, and the verdict."""

    id: str
    """pytest's node id; with `[2]` and so on at its end for further runs of a Python test."""
    file: str
    """The suite or the Python file, from the folder in which pytest was called."""
    line: int
    app: str
    pinned: str
    """The specification hash that the suite or the test asks for."""
    version: str
    """The specification hash that was run; another one than `pinned` with --dust-specification-hash."""
    mode: str
    command: str
    """Runs the case alone."""
    source: RunSource
    verdict: Verdict
    row: str = ""
    """File and line of its row in a dataset, such as `support/questions.jsonl:17`; empty without one."""
    description: str = ""
    is_test: bool = False
    """Whether it is a run of a Python test."""
    run_number: int = 1
    """Which of the test's runs it is, from 1."""
    message: str = ""
    """What went wrong if the verdict is trouble, and what to do; the first line says it in short."""
    attempts: tuple[AttemptRecord, ...] = ()
    """All attempts, in the order in which they were started."""
    repeat: Repeat | None = None
    spread: SpreadRecord | None = None
    """What the attempts come to; null for a case that is not repeated."""
    tokens: Tokens = Tokens()
    """What the runs used at the service; of replayed ones, what they had used."""
    waited: float = 0.0
    """Seconds for which the service's rate limit delayed the case."""
    fails_on_change: bool = False
    cached: tuple[str, ...] = ()
    """Blocks that the service may have answered from its own cache."""
    fresh: bool = False
    """Whether the service's cache was turned off for the run."""
    as_recorded: bool = False
    """Whether the run was to be recorded, and says the same as its cassette, which was left as it is."""
    pending: str = ""
    """The file in which the answer waits to be accepted, as the user types it; empty if it does not."""
    is_gated: bool = False
    """Whether the gate of its app decides on it, so that it fails nothing itself."""
    worse: GateCaseRecord | None = None
    """How much less often it passes in the other version, if that gate found so."""
    rerun: bool = False
    """Whether a plugin ran the case again, so that a later record counts."""
    outcome: CaseOutcome = CaseOutcome.PASSED
    reason: str = ""
    """Why the case is skipped, or expected to fail."""
    inputs: Any = None
    """The inputs, or a part of them; null unless --dust-report asks for a report."""
    plural: bool = False
    """Whether the case has `inputs`, a list, and not one `input`."""
    config: Any = None
    """The config by block, or a part of it; null unless --dust-report asks for a report."""

    @property
    def is_worse(self) -> bool:
        """Whether the gate found that it passes less often in the other version."""
        return self.worse is not None

    @property
    def passed(self) -> bool:
        """Whether the case, or the Python test of the run, passed."""
        return self.verdict is Verdict.PASSED

    @property
    def counted(self) -> tuple[AttemptRecord, ...]:
        """The attempts that count: all but the surplus of a sequential test."""
        return self.attempts if self.spread is None else self.attempts[: self.spread.counted]

    @property
    def surplus(self) -> tuple[AttemptRecord, ...]:
        """The attempts that do not count."""
        return self.attempts[len(self.counted) :]

    @property
    def passed_attempts(self) -> int:
        """Number of attempts that count and met all expectations."""
        return sum(attempt.passed for attempt in self.counted)

    @property
    def shown(self) -> AttemptRecord | None:
        """The attempt that reports show: the first that failed, else that changed, else the first."""
        if len(self.attempts) == 1:
            return self.attempts[0]
        failed = [attempt for attempt in self.counted if not attempt.passed]
        changed = [attempt for attempt in self.counted if attempt.changed]
        first = failed if self.verdict is Verdict.FAILED else []
        return next(iter([*first, *changed, *self.attempts]), None)

    @property
    def report_line(self) -> int:
        """The line that reports name: that of the first failed expectation, else that of the case."""
        failed = self.verdict is Verdict.FAILED and self.shown is not None and self.shown.failures
        return (failed and failed[0].line) or self.line

    @property
    def comparison(self) -> ComparisonRecord | None:
        """The comparison of the shown attempt with the recording; None if there is none."""
        return self.shown.comparison if self.shown else None

    @property
    def telling_comparison(self) -> ComparisonRecord | None:
        """The comparison, if it tells where the change begins.

        Of an app that answers differently every time, one recording does not; its gate does.
        """
        found = self.comparison
        if not self.is_gated or found is None:
            return found
        return found if self.worse and self.worse.begins_in == found.begins_in else None

    @property
    def changed(self) -> bool:
        """Whether any attempt that counts changed."""
        return any(attempt.changed for attempt in self.counted)

    @property
    def failed_or_changed(self) -> bool:
        """Whether there is anything to report of the case, but that it passed."""
        return not self.passed or any(attempt.failures or attempt.differs for attempt in self.attempts)

    @property
    def title(self) -> str:
        """The case as the user types it: `support/answer.dust.yaml::refund`."""
        return f"{self.file}::{self.id.partition('::')[2]}"

    @property
    def compared(self) -> bool:
        """Whether the shown attempt was compared with a recording."""
        return self.comparison is not None and not self.comparison.not_compared

    @property
    def is_pinned(self) -> bool:
        """Whether the version that answered is the pinned one."""
        return self.shown is not None and self.shown.specification_hash == self.pinned


# ── an app and a pinned version of it ────────────────────────────────────────────────────────────


class BlockDriftRecord(Struct, frozen=True):
    """How one block changed since the pinned version."""

    type: str
    name: str
    kind: str
    """`added`, `removed`, `moved` or `changed`."""
    changes: tuple[ChangeRecord, ...] = ()


class DriftRecord(Struct, frozen=True):
    """Whether the version that a suite pins is still what is saved at Dust."""

    id: str
    file: str
    app: str
    pinned: str
    command: str = ""
    """Runs the saved version."""
    saved: str | None = None
    """The specification hash of the last run in Dust's editor."""
    unknown: str = ""
    """Why that hash is not known."""
    recorded_at: str = ""
    """When the recording was made whose blocks are compared; empty if there is none."""
    exists: bool | None = None
    """Whether Dust has the pinned version; None if the service could not be asked."""
    drifted: bool | None = None
    """None if it cannot be decided."""
    known: bool = False
    """Whether the blocks that ran were compared; if not, the saved hash alone decides, or less."""
    blocks: tuple[BlockDriftRecord, ...] | None = None
    """How the saved blocks differ from the recorded ones; None if there are none to compare."""
    message: str = ""
    """Why the service could not tell; empty if it could."""
    pins: int = 1
    """Number of pinned versions of the app in this session."""
    line: int = 0
    """The line on which the suite pins the version; 0 if it is not known."""

    @property
    def day(self) -> str:
        """The day of the recording."""
        return self.recorded_at[:10]

    @property
    def is_unrun(self) -> bool:
        """Whether no version but the pinned one is known to have run in the editor."""
        return self.saved in (None, self.pinned)

    @property
    def is_undecided(self) -> bool:
        """Whether it is unknown if the app drifted."""
        return bool(self.message) or (self.drifted is None and self.exists is not False)

    @property
    def passed(self) -> bool:
        """Whether the pinned version is still what is saved, and exists."""
        return not (self.is_undecided or self.drifted or self.exists is False)


# ── the gate ─────────────────────────────────────────────────────────────────────────────────────


class GateVerdict(StrEnum):
    """What the gate says of an app's other version."""

    WORSE = "worse"
    NO_WORSE = "no worse shown"
    NOT_RUN = "could not be run"
    """A run is missing, so that nothing is said."""


class GateRecord(Struct, frozen=True):
    """Whether another version of an app is worse than the pinned one, by fresh runs of both."""

    app: str
    verdict: GateVerdict
    cases: int = 0
    """Number of cases that count."""
    attempts: tuple[int, int] = (0, 0)
    """Least and largest number of runs of each version for a case."""
    old_passed: int = 0
    """Fresh runs of the pinned version that passed."""
    old: int = 0
    """Fresh runs of the pinned version; 0 if none was needed."""
    new_passed: int = 0
    new: int = 0
    p: float | None = None
    """Probability of so few passes if both versions are equally good; null if no test was needed."""
    confirmed: bool = False
    """Whether the runs that confirm the fall of single cases decided."""
    confirming: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Of these runs: how many passed and were made of the pinned version, then of the other one."""
    drop: float | None = None
    """The drop of the pass rate, from 0 to 1, that would be caught 8 times in 10; null if it is worse."""
    worse: tuple[GateCaseRecord, ...] = ()
    """The cases that passed less often, those that fell most first."""
    message: str = ""
    """Why it could not be run; empty if it was."""
    false_alarms: float = 0.05
    """Maximum share of sessions without a change in which the verdict is *worse*."""
    runs: int = 0
    """Number of runs of both versions that count, the first ones included."""
    first_runs: int = 0
    """Number of those that the cases made themselves."""
    tokens: Tokens = field(default_factory=Tokens)
    """What the fresh runs used, without the first of each case."""
    file: str = ""
    """The suite or Python file of a case of the app, from the folder in which pytest was called."""
    line: int = 0

    @property
    def id(self) -> str:
        """The node id of its item."""
        return f"[gate {self.app}]"

    @property
    def passed(self) -> bool:
        """Whether the other version is not shown to be worse."""
        return self.verdict is GateVerdict.NO_WORSE


class ItemRecord(Struct, frozen=True):
    """What one test item leaves behind: a case, the runs of a Python test, a drift check, or a gate."""

    cases: tuple[CaseRecord, ...] = ()
    drift: DriftRecord | None = None
    gate: GateRecord | None = None
    headline: str = ""
    """The item's failure in one line, safe to print; empty if it passed."""


# ── the session ──────────────────────────────────────────────────────────────────────────────────


class SurplusRuns(Struct, frozen=True):
    """Live runs that no case waited for."""

    made: int = 0
    under_way: int = 0
    tokens: Tokens = field(default_factory=Tokens)
    """What the runs that were made used."""


class AppCounts(Struct, frozen=True):
    """How many cases of which app a session has, by app id."""

    cases: Mapping[str, int] = field(default_factory=dict)
    """Cases in all collected suites."""
    selected: Mapping[str, int] = field(default_factory=dict)
    """Cases that are selected."""
    recorded: Mapping[str, int] = field(default_factory=dict)
    """Selected Python tests whose recordings are of the app."""
    tests: int = 0
    """Selected Python tests that have no recording, so that their apps are unknown until they run."""
    asks_drift: bool = False
    """Whether a drift check is selected."""


class ProblemRecord(Struct, frozen=True):
    """Something that failed beside the cases, such as a suite that could not be read."""

    where: str
    """pytest's node id."""
    message: str
    file: str = ""
    """The file with the mistake, from the folder in which pytest was called; empty if it is not known."""
    line: int = 0
    """The line of the first mistake; 0 if it is not known."""


class Selection(Struct, frozen=True):
    """How many of the collected cases were selected."""

    selected: int = 0
    deselected: int = 0


class ProcessRecord(Struct, frozen=True):
    """What one process knows of the session beside its items: the only one, or a pytest-xdist worker."""

    surplus: SurplusRuns = field(default_factory=SurplusRuns)
    pending: tuple[str, ...] = ()
    """Files of pending answers that the session kept, as the user types them."""
    elsewhere: str = ""
    """The temporary folder of pending answers, if the project takes no files."""
    lost: tuple[str, ...] = ()
    """Why answers could be kept nowhere."""
    renamed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By suite: ids of cases that are numbered, as their own would show a redacted value."""
    files: CassetteFiles | None = None
    apps: AppCounts = field(default_factory=AppCounts)
    selection: Selection = field(default_factory=Selection)


class SessionRecord(Struct, frozen=True):
    """One session of pytest: its settings, its cases, and what else reports tell."""

    mode: str
    folder: str
    """The folder in which pytest was called."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """By app, the versions that --dust-specification-hash asks for; the empty name is for all other apps."""
    on_change: str = ""
    """`fail` or `report` where an option sets it for the whole session."""
    max_tokens: int | None = None
    asks_drift: bool = False
    cases: tuple[CaseRecord, ...] = ()
    drifts: tuple[DriftRecord, ...] = ()
    gates: tuple[GateRecord, ...] = ()
    """The verdicts of --dust-gate, one for each app."""
    surplus: SurplusRuns = field(default_factory=SurplusRuns)
    pending: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    review: str = ""
    """The command that shows the pending answers; empty if there are none."""
    renamed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: CassetteFiles | None = None
    apps: AppCounts = field(default_factory=AppCounts)
    selection: Selection = field(default_factory=Selection)
    problems: tuple[ProblemRecord, ...] = ()
    partial: tuple[str, ...] = ()
    """Why not all cases ran; empty if all did."""
    failed_because: tuple[str, ...] = ()
    """Why the session failed beside its cases, such as a gate that compared nothing."""
    started_at: str = ""
    duration: float = 0.0
    """Seconds from the start of the session to its end."""
    exit_status: int = 0
    """pytest's exit status: 0 if all tests passed."""
    state: str = ""
    """The verdict in a word, as all reports show it: `passed`, `changed`, `failed` or `incomplete`."""
    summary: str = ""
    """The verdict in a sentence."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Number of cases of each kind, such as `not as expected`."""
    made_by: str = ""
    """The version of pytest-dust that made the record, such as `pytest-dust 0.2.0`."""
    version: int = VERSION

    @property
    def once(self) -> tuple[CaseRecord, ...]:
        """Each case once: the last of its records, without those that a plugin ran again."""
        last = {case.id: case for case in self.cases if not case.rerun}
        return tuple(last.values())

    @property
    def final(self) -> tuple[CaseRecord, ...]:
        """Each case that was not skipped, once."""
        return tuple(case for case in self.once if case.outcome is not CaseOutcome.SKIPPED)
