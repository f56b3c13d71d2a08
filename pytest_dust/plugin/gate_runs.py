"""What items show in their first runs, and their fresh runs in both versions of the app."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from pytest_dust.compare.worse import Tally
from pytest_dust.constants import LATEST
from pytest_dust.model import Baseline, Tokens
from pytest_dust.plugin import workers
from pytest_dust.plugin.fresh_test import FreshTest
from pytest_dust.plugin.gate_steps import THIRD, Share
from pytest_dust.report.case import headline
from pytest_dust.report.progress import progress
from pytest_dust.report.record import CaseRecord, Verdict
from pytest_dust.run.fresh import TRIES, BothVersions, FreshCase, fresh_runs
from pytest_dust.run.gate_procedure import FirstRuns, FreshRuns, Wanted
from pytest_dust.run.keep import keep_passing

if TYPE_CHECKING:
    import pytest

    from pytest_dust.model import Attempt, Case
    from pytest_dust.plugin.session import Session

EXPECTED_TO_FAIL = "expected to fail (xfail)"
SKIPPED = "skipped"
ONE_VERSION = "asking for latest, which is the other version too (pin a specification hash)"
"""Why cases do not count; the reasons follow their number."""


# ── the first runs ───────────────────────────────────────────────────────────────────────────────


def of_case(item: Any, report: Any, error: BaseException | None) -> FirstRuns | None:
    """What the first runs of a case showed; None if the gate does not decide on its app."""
    case, shared = item.case, item.shared
    settings, record = shared.settings, item.record
    if not settings.is_gated(case.app.id):
        return None
    attempts = case.gate.attempts or settings.gate_attempts
    judged = record is not None and record.verdict is not Verdict.TROUBLE
    passes = tuple(attempt.passed for attempt in record.attempts[:attempts]) if judged else ()
    passed = judged and record.verdict is not Verdict.FAILED
    return FirstRuns(
        case=item.nodeid,
        apps=(case.app.id,),
        passes=passes,
        passed=passed,
        passed_before=passed or item.passed_when_recorded(),
        attempts=attempts,
        false_alarms=case.gate.false_alarms or settings.gate_false_alarms,
        strict=case.gate.strict,
        trouble=_trouble(item, report, error) if not judged else "",
        left_out=_left_out(report) or _one_version(case, item.asked.version),
        is_one_run=case.repeat is None,
    )


def _left_out(report: Any) -> str:
    """Why a case does not count; empty if it does."""
    if hasattr(report, "wasxfail") or str(report.longrepr).startswith("[XPASS(strict)]"):
        return EXPECTED_TO_FAIL
    return SKIPPED if report.skipped else ""


def _one_version(case: Case, version: str) -> str:
    """Why there are no two versions to compare; empty if there are."""
    same = version == case.specification_hash == LATEST
    return ONE_VERSION if same else ""


def _trouble(item: Any, report: Any, error: BaseException | None) -> str:
    if item.record is not None and item.record.verdict is Verdict.TROUBLE:
        return str(item.masked(headline(item.record)))
    return f"it ended with an error: {type(error).__name__}" if report.failed else "it did not run"


def of_test(
    item: pytest.Item, report: Any, records: Sequence[CaseRecord], shared: Session
) -> FirstRuns | None:
    """What the first run of a Python test showed; None if the gate decides on none of its apps."""
    settings = shared.settings
    own = [record for record in records if settings.is_gated(record.app)]
    apps = tuple(dict.fromkeys(record.app for record in own))
    if not apps:
        return None
    troubles = [record.message for record in own if record.verdict is Verdict.TROUBLE]
    troubles += ["an error in its fixtures"] if report.when == "setup" and report.failed else []
    same = all(record.version == record.pinned == LATEST for record in own)
    return FirstRuns(
        case=item.nodeid,
        apps=apps,
        passes=(report.passed,),
        passed=report.passed,
        passed_before=True,
        attempts=settings.gate_attempts,
        false_alarms=settings.gate_false_alarms,
        runs=len(records),
        trouble=shared.masked(troubles[0].split("\n", 1)[0]) if troubles else "",
        left_out=_left_out(report) or (ONE_VERSION if same else ""),
    )


# ── fresh runs ───────────────────────────────────────────────────────────────────────────────────


def fresh(share: Share, items: Mapping[str, Any], shared: Session, config: pytest.Config) -> list[FreshRuns]:
    """Make the fresh runs of a process's share: those of cases side by side, then those of Python tests."""
    here = [(items[name], wanted) for name, wanted in share.cases.items()]
    cases = [(item, wanted) for item, wanted in here if workers.is_case(item)]
    tests = [(item, wanted) for item, wanted in here if not workers.is_case(item)]
    planned = [FreshCase(item.asked, wanted, item.estimate().blocks) for item, wanted in cases]
    with progress(config, shared.live.progress) as watch:
        made = fresh_runs(planned, shared.context(), watch, whole=share.step == THIRD) if planned else []
    found = [_of_case(item, both, share) for (item, _), both in zip(cases, made, strict=True)]
    return [*found, *(_of_test(item, wanted, share, shared) for item, wanted in tests)]


def _of_case(item: Any, both: BothVersions, share: Share) -> FreshRuns:
    """What the fresh runs of a case showed; of confirming runs also where a change begins."""
    if both.passing is not None:
        keep_passing(item.asked, item.cassette, item.shared.context(), both.passing)
    found = FreshRuns(item.nodeid, both.tally, item.masked(both.trouble), tokens=both.tokens)
    if share.step < THIRD:
        return found
    return _localized(found, [(both.old, both.new)], item.case.baseline)


def _localized(
    found: FreshRuns, compared: Iterable[tuple[Sequence[Attempt], Sequence[Attempt]]], rules: Baseline
) -> FreshRuns:
    """The fresh runs of a case that passed less often, with the block in which the change begins.

    `compared` are runs of both versions that answer the same request.
    """
    from pytest_dust.compare.noise import beginning

    if found.tally.fall <= 0:
        return found
    for old, new in compared:
        if began := beginning(old, new, rules):
            return replace(found, begins_in=f"{began.name} ({began.type})", begins_attempts=began.attempts)
    return found


def _of_test(item: pytest.Item, wanted: Wanted, share: Share, shared: Session) -> FreshRuns:
    """What the fresh runs of a Python test showed: it runs again as a whole, in both versions in turn."""
    made: dict[bool, list[FreshTest]] = {True: [], False: []}
    trouble = ""
    for time in range(max(wanted.old, wanted.new)):
        for is_old, number in zip((True, False), wanted[:2], strict=True):
            tried = _tested_again(item, shared, is_old=is_old) if time < number else None
            if tried is not None and tried.trouble:
                trouble = tried.trouble
            elif tried is not None:
                made[is_old].append(tried)
    old, new = made[True], made[False]
    tally = Tally(sum(each.passed for each in old), len(old), sum(each.passed for each in new), len(new))
    used = sum((run.tokens for each in (*old, *new) for run in each.runs), Tokens())
    found = FreshRuns(item.nodeid, tally, shared.masked(trouble), tokens=used)
    if share.step < THIRD:
        return found
    return _localized(found, zip(_by_number(old), _by_number(new), strict=False), Baseline())


def _by_number(tests: Sequence[FreshTest]) -> Iterator[list[Attempt]]:
    """The runs of a test that runs several times: the first run of each time, then the second, and so on."""
    most = max((len(each.runs) for each in tests), default=0)
    return ([each.runs[at] for each in tests if at < len(each.runs)] for at in range(most))


def _tested_again(item: pytest.Item, shared: Session, *, is_old: bool) -> FreshTest:
    """A Python test, run once more in one version; again if the network or the service gave no answer."""
    for _ in range(TRIES):
        shared.fresh_test = tried = FreshTest(is_old=is_old)
        try:
            tried.run(item)
        finally:
            shared.fresh_test = None
        if not tried.trouble:
            break
    return tried
