"""The frozen values that modules pass to one another: case, request, run, change, outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from msgspec import Struct, field

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Path: TypeAlias = "tuple[str | int, ...]"


class Place(NamedTuple):
    """A place in a text file; line and column count from 1."""

    line: int
    column: int


class Problem(NamedTuple):
    """One mistake in a suite file."""

    place: Place
    message: str

    def line(self, file: str) -> str:
        """The mistake as `file:line:column: message`."""
        return f"{file}:{self.place.line}:{self.place.column}: {self.message}"


class Flavor(StrEnum):
    """How a run is requested: its answer comes at once, as a stream, or is asked for until the run ends."""

    BLOCKING = "blocking"
    STREAM = "stream"
    POLL = "poll"


class App(Struct, frozen=True):
    """A Dust app's address; workspace and space are None if neither suite nor settings name them."""

    workspace: str | None
    space: str | None
    id: str


class Mark(Struct, frozen=True):
    """A pytest mark of a suite, with its place."""

    name: str
    args: tuple[Json, ...]
    kwargs: tuple[tuple[str, Json], ...]
    place: Place


class Missing:
    """Type of MISSING, the value of a path that finds nothing."""

    def __repr__(self) -> str:
        """Name the value in assertions and debuggers."""
        return "MISSING"


MISSING = Missing()


class Expected(Struct, frozen=True):
    """A matcher and its argument as the suite wrote them, for reports."""

    name: str
    written: Any
    inner: tuple[Expected, ...] = ()
    """The matchers that it negates, as `not` does."""


class Bound(Struct, frozen=True):
    """A matcher with its argument: as the suite wrote it, and as it was checked and prepared."""

    name: str
    written: Json
    argument: object
    holds: Callable[[Any, Any], bool | str]
    bounded: bool = True
    """Whether it stops by itself when the time for judging is up, as do all matchers in its argument."""
    sees_missing: bool = False
    """Whether it judges a path that finds nothing; any other matcher fails there."""
    measures: bool = False
    """Whether its argument is a measure, such as a length, and no value that a block might give."""
    negates: bool = False
    """Whether it holds if none of the matchers in its argument does; reports show it before each of these."""
    from_file: bool = False
    """Whether its argument, or that of a matcher in it, is from a file, which `written` only names."""

    @property
    def expected(self) -> Expected:
        """The matcher without its function, for reports."""
        inner = self.argument if self.negates and isinstance(self.argument, tuple) else ()
        return Expected(
            self.name, self.written, tuple(each.expected for each in inner if isinstance(each, Bound))
        )


class Expectation(Struct, frozen=True):
    """A JMESPath into the run view and the matchers that must all hold for what it finds."""

    path: str
    matchers: tuple[Bound, ...]
    line: int = 0
    """Line of its key in the suite file; 0 if it is not written there."""
    at: Path = ()
    """Path of its value in the suite's document; empty if it is not written there."""


class Baseline(Struct, frozen=True):
    """How a run is compared with its recording; None if neither suite nor case says."""

    compare: tuple[str, ...] = ()
    """Paths whose values count; without any, the results count."""
    ignore: tuple[tuple[str, ...], ...] = ()
    """Paths left out, as steps; `*` is any one step."""
    similar: float | None = None
    significant_digits: int | None = None
    unordered: bool = False
    volatile: str | None = None
    """`keep` also compares what is new in every run; `ignore`, the default, leaves it out."""
    on_change: str | None = None
    """`fail` or `report`."""


class Rates(Struct, frozen=True):
    """The two pass rates that a sequential test tells apart, and how often it may be wrong."""

    good: float
    bad: float
    false_alarm: float = 0.05
    """Maximum share of sessions in which a case with the good rate fails."""
    miss: float = 0.1
    """Maximum share of sessions in which a case with the bad rate passes."""


class Repeat(Struct, frozen=True):
    """How many runs a case has, and how many of them must pass; or a sequential test that decides both."""

    runs: int
    """The number of runs; of a sequential test, the maximum."""
    min_pass: int
    """How many runs must pass; of a sequential test, the number that is enough if none fails."""
    rates: Rates | None = None
    """What a sequential test tells apart; None for a fixed number of runs."""

    @property
    def first_runs(self) -> int:
        """How many runs are started together at first: all, or as many as a sequential test may pass with."""
        return self.runs if self.rates is None else self.min_pass


class RepeatVerdict(Struct, frozen=True):
    """What the attempts of a repeated case come to."""

    passed: bool | None
    """None if the attempts do not decide, which only those of a sequential test may leave open."""
    counted: int
    """Number of attempts that count; those after them are surplus."""
    why: str = ""
    """Why a sequential test stopped; empty for a fixed number of attempts."""


class GateRules(Struct, frozen=True):
    """How --dust-gate asks whether another version is worse; None if the suite does not say."""

    attempts: int | None = None
    """Number of fresh runs of each version for a case."""
    false_alarms: float | None = None
    """Maximum share of sessions without a change in which the gate says *worse*."""
    strict: bool = False
    """Whether the tests are exact, and not corrected by half the chance of the observed number (mid-p)."""


class RunRequest(Struct, frozen=True):
    """What is asked of the service; a cassette is bound to it.

    A new part needs a default, the value that older suites and cassettes mean by leaving it out.
    """

    app: App
    specification_hash: str
    config: Mapping[str, Json]
    inputs: Sequence[Json]
    block_filter: tuple[str, ...] | None = None


class Case(RunRequest, frozen=True, kw_only=True):
    """One case of a suite, with everything that it inherits from the suite."""

    id: str
    place: Place
    plural: bool
    """Whether it has `inputs`, a list, and not one `input`."""
    flavor: Flavor = Flavor.BLOCKING
    timeout: float | None = None
    marks: tuple[Mark, ...] = ()
    expect: tuple[Expectation, ...] = ()
    description: str = ""
    baseline: Baseline = field(default_factory=Baseline)
    repeat: Repeat | None = None
    gate: GateRules = GateRules()
    row: str = ""
    """The row of a dataset that the case is made of, such as `questions.jsonl:17`."""
    row_number: int = 0
    """Number of that row in the dataset, from 1; 0 without one."""
    at: Path = ()
    """Path of the case in the suite's document; several cases may be made from one place."""
    renamed: bool = False
    """Whether its id hides a redacted value of its row or combination."""
    redacted: tuple[str | float, ...] = ()
    """What is redacted of its row and combination."""
    pin_line: int = 1
    """The line of its specification hash, its own or the suite's."""

    @property
    def dataset(self) -> str:
        """The file of its row, as the suite names it; empty without one."""
        return self.row.rpartition(":")[0]

    @property
    def may_fail(self) -> bool:
        """Whether it is expected to fail: its expectations say what should come, not what comes."""
        return any(mark.name == "xfail" for mark in self.marks)

    @property
    def times(self) -> int:
        """How many runs the case takes at most."""
        return self.repeat.runs if self.repeat else 1

    @property
    def is_sequential(self) -> bool:
        """Whether a sequential test decides how many runs the case takes."""
        return self.repeat is not None and self.repeat.rates is not None

    @property
    def first_runs(self) -> int:
        """How many runs of the case are started together at first."""
        return self.repeat.first_runs if self.repeat else 1


class Specification(NamedTuple):
    """The blocks of an app as they were saved at Dust when a run was recorded."""

    blocks: Json
    ran: bool
    """Whether they are known to be those that ran."""


class Event(NamedTuple):
    """One event of a streamed reply: when it came, in seconds from the request, and its data."""

    at: float
    data: Json


class Exchange(Struct, frozen=True):
    """One HTTP request and its reply, as a cassette keeps them.

    A reply has a body, or the events of a stream; a stream that broke off has the events until then.
    """

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: Json = None
    events: tuple[Event, ...] | None = None


class Reply(Struct, frozen=True):
    """The service's exchanges for one run.

    `duration` is in seconds; `waited` are the seconds for which the service's rate limit delayed the run.
    """

    flavor: Flavor
    exchanges: tuple[Exchange, ...]
    duration: float
    waited: float = 0.0


class Status(StrEnum):
    """How a run or a block ended."""

    SUCCEEDED = "succeeded"
    ERRORED = "errored"


class Execution(Struct, frozen=True):
    """One execution of a block: its value or its error, and the tokens it used by kind."""

    value: Json
    error: str | None = None
    usage: Mapping[str, int | None] | None = field(default_factory=dict)
    """None, or None for a kind, if the service does not report it."""


class Trace(Struct, frozen=True):
    """A block's executions, as `executions[input][iteration]`; skipped ones are left out."""

    type: str
    name: str
    executions: tuple[tuple[Execution, ...], ...]
    loop: str = ""
    """The type of loop whose iterations these are, `map` or `while`; empty outside of loops."""


class BlockStatus(Struct, frozen=True):
    """What the service reports of a block beside its executions."""

    type: str
    name: str
    status: str
    success_count: int
    error_count: int
    duration: float | None = None
    """Seconds between its start and its end; only streams report them."""
    started: float | None = None
    """Seconds from the request to its start; only streams report them."""


class Run(Struct, frozen=True):
    """A run, in the same form for all flavors."""

    id: str | None
    specification_hash: str | None
    status: Status
    traces: tuple[Trace, ...]
    statuses: tuple[BlockStatus, ...]
    results: Json
    duration: float


class ViewedRun(Struct, frozen=True):
    """A run and its run view, the document that `expect` sees; `plural` if it has the names for `inputs`."""

    run: Run
    view: dict[str, Any]
    plural: bool


class Failure(Struct, frozen=True):
    """An expectation that does not hold: what was expected, what was found, and why it does not match."""

    path: str
    expected: Expected
    actual: object
    note: str = ""
    changes: tuple[Change, ...] = ()
    line: int = 0
    """Line of the expectation in the suite file; 0 if it is not written there."""


class Change(Struct, frozen=True):
    """One place where two JSON values differ; `old` is MISSING if it was added, `new` if it was removed."""

    path: Path
    old: object
    new: object


class BlockChange(Struct, frozen=True):
    """How one block's executions differ between two runs, for one input where there are several.

    The block is a cause if no block before it changed for that input.
    """

    type: str
    name: str
    position: int
    input: int | None
    changes: tuple[Change, ...]
    cause: bool = False


class Comparison(Struct, frozen=True):
    """A run compared with its recording, or why it was not compared.

    `values` are the changes that count; `blocks` the changed blocks in execution order, of `total` blocks.
    """

    recorded_at: str
    values: tuple[Change, ...]
    blocks: tuple[BlockChange, ...]
    total: int
    not_compared: str = ""
    lost: tuple[str, ...] = ()
    """Paths of baseline.compare that find nothing in either run, and how far each leads."""
    left_out: tuple[str, ...] = ()
    """What differs and was left out, as it is new in every run, such as `curl headers.date`."""

    @property
    def changed(self) -> bool:
        """Whether anything changed that counts."""
        return bool(self.values)


class Source(StrEnum):
    """Where a case's run comes from."""

    REPLAYED = "replayed"
    RECORDED = "recorded"
    LIVE = "live"


class Tokens(Struct, frozen=True):
    """The tokens that runs used, and of how many runs they are unknown."""

    known: int = 0
    """Number of tokens, as far as the service reports them."""
    unknown: int = 0
    """Number of runs of which the service does not report all tokens."""

    def __add__(self, other: Tokens) -> Tokens:
        """The tokens of both."""
        if not (other.known or other.unknown):
            return self
        return Tokens(self.known + other.known, self.unknown + other.unknown)


class Attempt(Struct, frozen=True):
    """One run of a case: its failed expectations, and what changed since the recording."""

    run: Run
    tokens: Tokens
    failures: tuple[Failure, ...]
    comparison: Comparison | None = None

    @property
    def passed(self) -> bool:
        """Whether every expectation holds."""
        return not self.failures

    @property
    def changed(self) -> bool:
        """Whether anything changed that counts."""
        return self.comparison is not None and self.comparison.changed


class Outcome(Struct, frozen=True):
    """A case that ran, once or as often as it is repeated.

    `waited` is the longest time, in seconds, for which the service's rate limit delayed an attempt.
    """

    source: Source
    attempts: tuple[Attempt, ...]
    waited: float
    repeat: Repeat | None = None
    verdict: RepeatVerdict | None = None
    """What the attempts of a repeated case come to."""
    fails_on_change: bool = False
    cached: tuple[str, ...] = ()
    """The blocks that the service may have answered from its cache."""

    @property
    def counted(self) -> tuple[Attempt, ...]:
        """The attempts that count: all but the surplus of a sequential test."""
        return self.attempts[: self.verdict.counted] if self.verdict else self.attempts

    @property
    def passed(self) -> int:
        """How many of the attempts that count passed."""
        return sum(attempt.passed for attempt in self.counted)

    @property
    def holds(self) -> bool:
        """Whether enough attempts passed."""
        if self.verdict is not None:
            return bool(self.verdict.passed)
        return self.passed == len(self.attempts)

    @property
    def changed(self) -> bool:
        """Whether any attempt that counts changed."""
        return any(attempt.changed for attempt in self.counted)

    @property
    def tokens(self) -> Tokens:
        """The tokens of all attempts."""
        return sum((attempt.tokens for attempt in self.attempts), Tokens())


class CassetteFiles(Struct, frozen=True):
    """Files in the folders of cassettes that belong to no case; paths as the file system has them."""

    partial: bool = False
    """True if only some cases were selected, so that nothing is known of the others."""
    orphans: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()
    """Temporary files of a process that was killed."""
    linked: tuple[str, ...] = ()
    """Folders that are reached through symbolic links, which are left alone."""
    pruned: bool = False
    """Whether the orphans and the unfinished files were to be removed."""
    kept: Mapping[str, str] = field(default_factory=dict)
    """Files that could not be removed, and why."""
