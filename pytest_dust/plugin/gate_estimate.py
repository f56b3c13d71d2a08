"""How many runs a session with a gate makes at most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_dust.compare.worse import CONFIRMING_RUNS, MAX_CONFIRMED
from pytest_dust.model import Tokens
from pytest_dust.report.tokens import about
from pytest_dust.wording import plural

if TYPE_CHECKING:
    from pytest_dust.run.recorded import Estimate
    from pytest_dust.settings import Settings


class _Steps(NamedTuple):
    """The most runs of a case in each step of the gate, and the tokens of one run."""

    app: str
    first: int
    second: int
    third: int
    tokens: float


def most(cases: Iterable[tuple[Any, Estimate]], tests: Iterable[Estimate | None], settings: Settings) -> str:
    """The line that says how many runs and tokens a session with a gate takes at most, by the recordings."""
    steps = [*_of_cases(cases, settings), *_of_tests(tests, settings)]
    by_app: dict[str, list[_Steps]] = defaultdict(list)
    for each in steps:
        by_app[each.app].append(each)
    runs = sum(map(_runs, by_app.values()))
    known = [each for each in steps if each.tokens]
    tokens = runs * sum(each.tokens for each in known) / max(1, len(known))
    if_ = "if cases fail that passed when they were recorded"
    return f"dust: gate: at most {plural(runs, 'run')}{about(Tokens(round(tokens)))}, {if_}"


def _runs(cases: Sequence[_Steps]) -> int:
    """The most runs of one app's cases."""
    third = sorted((each.third for each in cases), reverse=True)
    return sum(each.first + each.second for each in cases) + sum(third[:MAX_CONFIRMED])


def _of_cases(cases: Iterable[tuple[Any, Estimate]], settings: Settings) -> Iterator[_Steps]:
    for item, estimate in cases:
        app, tokens = item.case.app.id, estimate.tokens / estimate.runs
        runs = max(estimate.runs, item.case.times)  # a sequential test may take more than when recorded
        if settings.is_gated(app):
            attempts = item.case.gate.attempts or settings.gate_attempts
            yield _Steps(app, runs, attempts + max(0, attempts - runs), 2 * CONFIRMING_RUNS, tokens)
        else:
            yield _Steps(app, runs, 0, 0, tokens)


def _of_tests(tests: Iterable[Estimate | None], settings: Settings) -> Iterator[_Steps]:
    """The steps of Python tests with a recording; a test may run several apps, so all count as of one."""
    for each in filter(None, tests):
        again = (2 * settings.gate_attempts - 1) * each.runs
        yield _Steps("", each.runs, again, 2 * CONFIRMING_RUNS * each.runs, each.tokens / each.runs)
