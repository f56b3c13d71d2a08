"""Judge the attempts of a sequential test when they end: whether more are needed depends on them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from pytest_dust.checks import expectation
from pytest_dust.compare import repeats
from pytest_dust.dust.run_view import viewed
from pytest_dust.model import Case
from pytest_dust.run import judging
from pytest_dust.run.answer import MadeRun, limited_depth
from pytest_dust.run.case_request import CaseRequest
from pytest_dust.worker_pool import Watch


def judged(
    made: Sequence[MadeRun], asked: CaseRequest, watch: Watch[None] | None = None
) -> tuple[MadeRun, ...]:
    """The runs, each with its failed expectations; one that cannot be read stays as it is."""
    expect = expectation.masked(asked.case.expect, asked.mask)

    def with_failures(one: MadeRun) -> MadeRun:
        if one.failures is not None or isinstance(one.run, Exception):
            return one
        view = viewed(one.run, plural=asked.case.plural).view
        return replace(one, failures=judging.failures(expect, view, asked.timeout, watch))

    with limited_depth():
        return tuple(map(with_failures, made))


def needed(made: Sequence[MadeRun], case: Case) -> int:
    """How many further runs to start; 0 if the judged runs decide, or one of them cannot be read."""
    if case.repeat is None or any(each.failures is None for each in made):
        return 0
    return repeats.needed(case.repeat, [not each.failures for each in made])
