"""The procedure of --dust-gate: which runs of an app to make next, and what they say of its other version.

1. Each case runs in the other version. If all cases that passed when they were recorded pass, that is all.
2. Else each case gets fresh runs of both versions, which count with those of the first step.
3. The cases that fell most get more fresh runs of both versions, which are judged by themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from pytest_dust.compare import worse
from pytest_dust.compare.worse import CONFIRMING_RUNS, Finding, Levels, Tally
from pytest_dust.model import Tokens
from pytest_dust.report.record import GateCaseRecord, GateRecord, GateVerdict
from pytest_dust.wording import plural

NOTHING_PASSES = "no run of any case passes, so that none can pass less often; mend what the cases expect"
"""Why such an app cannot be judged."""


class FirstRuns(Struct, frozen=True):
    """What the first runs of a case in the other version showed."""

    case: str
    """pytest's node id of the case, or of the Python test."""
    apps: tuple[str, ...]
    """The ids of the apps that it runs and that the gate decides on."""
    passes: tuple[bool, ...]
    """Whether each of its runs passed, at most as many as `attempts`."""
    passed: bool
    """Whether the case passed by its own rule; a repeated case has one."""
    passed_before: bool
    """Whether it passed when it was recorded; also True if there is no recording of what it asks now."""
    attempts: int
    """Number of runs of each version that it gets in the second step."""
    false_alarms: float
    strict: bool = False
    runs: int = 1
    """Number of runs that one attempt takes; a Python test may make several."""
    trouble: str = ""
    """Why it has no verdict; empty if it has one."""
    left_out: str = ""
    """Why it does not count, such as an xfail mark; empty if it counts."""
    is_one_run: bool = False
    """Whether its pending answer is one run: it is a case, and not repeated."""


class Wanted(NamedTuple):
    """How many fresh runs of each version a case is to get."""

    old: int
    new: int
    keep: bool = False
    """Whether a run of the new version that passes is to be kept as pending, as the first one failed."""


class FreshRuns(Struct, frozen=True):
    """The fresh runs of a case in one step."""

    case: str
    tally: Tally = field(default_factory=Tally)
    trouble: str = ""
    """Why a run is missing; empty if none is."""
    begins_in: str = ""
    """`NAME (type)` of the block in which the change begins; empty if none is sure."""
    begins_attempts: int = 0
    """In how many of the new version's runs it begins there."""
    tokens: Tokens = field(default_factory=Tokens)


class AppGate(Struct, frozen=True):
    """What is known of one app."""

    app: str
    first: tuple[FirstRuns, ...]
    fresh: Mapping[str, FreshRuns] = field(default_factory=dict)
    """The runs of the second step, by case."""
    confirming: Mapping[str, FreshRuns] = field(default_factory=dict)
    """Those of the third."""
    refused: str = ""
    """Why no more runs may be made, such as a ceiling; empty if they may."""

    @property
    def counted(self) -> tuple[FirstRuns, ...]:
        """The cases that count."""
        return tuple(each for each in self.first if not each.left_out)

    @property
    def tallies(self) -> dict[str, Tally]:
        """The runs of each case that count in the second step, those of the first step included."""
        none = FreshRuns("")
        return {
            each.case: self.fresh.get(each.case, none).tally
            + Tally(new_passed=sum(each.passes), new=len(each.passes))
            for each in self.counted
        }

    @property
    def false_alarms(self) -> float:
        """The lowest rate of false alarms that a suite of the app asks for."""
        return min(each.false_alarms for each in self.counted)

    @property
    def levels(self) -> Levels:
        """The levels of the tests."""
        return Levels.of(self.false_alarms)

    @property
    def strict(self) -> bool:
        """Whether the tests count the observed number of passes whole."""
        return any(each.strict for each in self.counted)

    @property
    def trouble(self) -> str:
        """Why the app cannot be judged: no verdict on a case, runs missing or too few; empty if it can."""
        return self._missing or self._too_few

    @property
    def _too_few(self) -> str:
        if worse.can_find([each.attempts for each in self.counted], self.levels, strict=self.strict):
            return ""
        return (
            f"no result of so few runs is sure enough for false_alarms {self.false_alarms:g}; "
            "raise attempts or false_alarms, or select more cases"
        )

    @property
    def _missing(self) -> str:
        found: list[FirstRuns | FreshRuns] = [*self.counted, *_fresh(self)]
        troubles = {each.case: each.trouble for each in found if each.trouble}
        first = next((f"{case}: {why}" for case, why in troubles.items()), "")
        more = f" (+{len(troubles) - 1:,} more)" if len(troubles) > 1 else ""
        return first + more


def next_runs(gate: AppGate) -> dict[str, Wanted]:
    """The fresh runs to make next, by case; empty if the verdict needs no more."""
    if gate.refused or gate.confirming or not gate.counted or gate.trouble:
        return {}
    if not gate.fresh:
        return _second_step(gate)
    return {case: Wanted(CONFIRMING_RUNS, CONFIRMING_RUNS) for case in worse.to_confirm(gate.tallies)}


def _second_step(gate: AppGate) -> dict[str, Wanted]:
    if all(each.passed or not each.passed_before for each in gate.counted):
        return {}
    return {
        each.case: Wanted(
            each.attempts, each.attempts - len(each.passes), keep=each.is_one_run and not each.passed
        )
        for each in gate.counted
    }


def decided(gate: AppGate) -> GateRecord:
    """The verdict on an app, once `next_runs` wants no more."""
    if not gate.counted:
        return GateRecord(gate.app, GateVerdict.NOT_RUN, message=_nothing_counts(gate))
    attempts = [each.attempts for each in gate.counted]
    tally = worse.total(gate.tallies.values())
    runs, first = _runs(gate)
    again = worse.total(each.tally for each in gate.confirming.values())
    record = GateRecord(
        gate.app,
        GateVerdict.NOT_RUN,
        cases=len(gate.counted),
        attempts=(min(attempts), max(attempts)),
        **tally._asdict(),
        confirming=(again.old_passed, again.old, again.new_passed, again.new),
        false_alarms=gate.false_alarms,
        runs=runs,
        first_runs=first,
        tokens=sum((each.tokens for each in _fresh(gate)), Tokens()),
    )
    found = _finding(gate)
    if found is not None and found.worse:
        named = tuple(_fallen(gate))
        return replace(record, verdict=GateVerdict.WORSE, p=found.p, confirmed=found.confirmed, worse=named)
    nothing = "" if tally.old_passed or tally.new_passed else NOTHING_PASSES
    if why := gate.trouble or gate.refused or nothing:
        return replace(record, message=why)
    drop = worse.detectable_drop(gate.tallies.values(), min(attempts), gate.levels)
    return replace(record, verdict=GateVerdict.NO_WORSE, p=found.p if found else None, drop=drop)


def _nothing_counts(gate: AppGate) -> str:
    reasons = Counter(each.left_out for each in gate.first)
    listed = ", ".join(f"{plural(count, 'case')} {why}" for why, count in reasons.most_common())
    return f"no case of it counts: {listed or 'none was run'}; select some that do"


def _runs(gate: AppGate) -> tuple[int, int]:
    """The number of runs that count for the gate: in all, and in the first step."""
    takes = {each.case: each.runs for each in gate.counted}
    first = sum(len(each.passes) * each.runs for each in gate.counted)
    more = sum((each.tally.old + each.tally.new) * takes[each.case] for each in _fresh(gate))
    return first + more, first


def _fresh(gate: AppGate) -> Sequence[FreshRuns]:
    """The fresh runs of all steps."""
    return (*gate.fresh.values(), *gate.confirming.values())


def _finding(gate: AppGate) -> Finding | None:
    """What the tests find; None if the first runs were enough."""
    if not gate.fresh:
        return None
    confirming = {case: each.tally for case, each in gate.confirming.items()}
    return worse.find(gate.tallies, confirming, gate.levels, strict=gate.strict)


def _fallen(gate: AppGate) -> Iterator[GateCaseRecord]:
    """The cases that passed less often, by the confirming runs where there are some."""
    fell = {case: tally for case, tally in gate.tallies.items() if tally.fall > 0}
    tallies = {case: each.tally for case, each in gate.confirming.items()} or fell
    for case in sorted(tallies, key=lambda each: -tallies[each].fall):
        if tallies[case].fall > 0:
            found = gate.confirming.get(case, FreshRuns(case, tallies[case]))
            yield GateCaseRecord(case, *found.tally, found.begins_in, found.begins_attempts)
