"""What a run leaves for the summary: plain facts, which also cross from an xdist worker to its controller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_dust.characters import safe
from pytest_dust.model import Source
from pytest_dust.report import case as case_report
from pytest_dust.report.gate import NO_RECORDING, NOT_JUDGED, NOT_RECORDED, WITHOUT_A_RUN

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_dust.model import Case, Outcome, Tokens
    from pytest_dust.run.pipeline import Answer
    from pytest_dust.settings import Settings


def without_outcome(answer: Answer | None, *, recorded: bool) -> str:
    """What became of a case that has no outcome, as the summary counts it."""
    if answer is None:
        return WITHOUT_A_RUN
    if answer.source is Source.RECORDED and not recorded:
        return NOT_RECORDED
    return str(answer.source) if recorded else NOT_JUDGED


def of_no_run(case: Case, headline: str, spent: Tokens, source: str = WITHOUT_A_RUN) -> dict[str, Any]:
    """The facts of a case that has no outcome; `spent` are tokens of runs that were made all the same."""
    return {
        "source": source,
        "tokens": spent.told,
        "unknown": spent.unknown,
        "waited": 0.0,
        "begins": "",
        "headline": headline,
        "app": case.app.id,
        "changes": [],
        "compared": False,
        "apart": "",
        "pinned": False,
        "gates": False,
        "left_out": [],
        "cached": [],
        "fresh": False,
    }


def of_run(
    case: Case, outcome: Outcome, headline: str, settings: Settings, masked: Callable[[str], str]
) -> dict[str, Any]:
    """The facts of a case that ran; its texts are `masked`, and `headline` is empty where it passed."""
    facts = of_no_run(case, headline, outcome.tokens, str(outcome.source))
    facts["waited"] = outcome.waited
    if outcome.repeat:
        facts["spread"] = f"{outcome.passed} of {len(outcome.attempts)}"
    facts["cached"] = [masked(safe(name)) for name in outcome.cached]
    facts["fresh"] = settings.fresh or bool(outcome.repeat)
    comparison = outcome.shown.comparison
    compared = [attempt.comparison for attempt in outcome.attempts if attempt.comparison is not None]
    names = dict.fromkeys(name for each in compared for name in each.left_out)
    facts["left_out"] = [masked(safe(name)) for name in names]
    facts["compared"] = comparison is not None and not comparison.not_compared
    facts["apart"] = comparison.not_compared if comparison else NO_RECORDING
    facts["pinned"] = outcome.shown.run.specification_hash == case.specification_hash
    facts["gates"] = outcome.fails_on_change
    if outcome.changed and comparison is not None:
        facts["begins"] = masked(case_report.begins(comparison))
        facts["changes"] = [masked(line) for line in case_report.compared(comparison)]
    return facts
