"""A Python test that the gate runs again, in one version of the app."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from pytest_dust.dust.network import relay
from pytest_dust.errors import DustError
from pytest_dust.run.fresh import judged
from pytest_dust.run.launch import prepare

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_dust.model import Attempt
    from pytest_dust.run.case_request import CaseRequest
    from pytest_dust.run.context import RunContext


@dataclass(slots=True)
class FreshTest:
    """One more time that a test runs: which version its runs ask for, and how it ended."""

    is_old: bool
    """Whether its runs ask for the pinned version."""
    runs: list[Attempt] = field(default_factory=list)
    """What the fixture `dust` ran, in its order."""
    passed: bool = False
    trouble: str = ""
    """Why it says nothing; empty if it passed or failed."""

    def answer(self, asked: CaseRequest, context: RunContext) -> Attempt:
        """Make one run of the test; raises DustError if there is none, which the test may catch."""
        try:
            version = asked.request.specification_hash if self.is_old else asked.version
            task = prepare(asked, version, context, fresh=True).task(context)
            [made] = context.pool.wait(context.pool.submit([task], urgent=True), relay(None))
            self.runs.append(judged(made, asked))
        except DustError as error:
            self.trouble = _trouble(error)
            raise
        return self.runs[-1]

    def run(self, item: pytest.Item) -> None:
        """Run the test with all its fixtures, unreported; pytest runs an item once, so it is a new one."""
        again = next((each for each in _collected(item) if each.name == item.name), None)
        if again is None:
            self.trouble = "the test is not found again"
            return
        ihook = again.ihook
        try:
            error = _error(lambda: ihook.pytest_runtest_setup(item=again), "setup")
            is_set_up = error is None
            if is_set_up:
                error = _error(lambda: ihook.pytest_runtest_call(item=again), "call")
            self.passed = error is None
            if error is not None and not (is_set_up and self._is_verdict(error)):
                self.trouble = self.trouble or _trouble(error)
        finally:
            _error(lambda: ihook.pytest_runtest_teardown(item=again, nextitem=None), "teardown")

    def _is_verdict(self, error: BaseException) -> bool:
        """Whether an error of the test may be about an answer: it has one, and did not skip itself."""
        return bool(self.runs) and not isinstance(error, DustError | pytest.skip.Exception)


def _collected(item: pytest.Item) -> list[pytest.Item]:
    """The items of the test's module or class, collected anew."""
    parent = item.parent
    assert isinstance(parent, pytest.Collector)  # noqa: S101  # a Python test has a module or a class
    return [each for each in parent.collect() if isinstance(each, pytest.Item)]


def _error(call: Callable[[], object], when: str) -> BaseException | None:
    """What a phase of a test raises; Ctrl-C and pytest.exit go on."""
    ends = (KeyboardInterrupt, pytest.exit.Exception)
    phase = pytest.CallInfo.from_call(call, when, reraise=ends)  # type: ignore[arg-type]
    return phase.excinfo.value if phase.excinfo else None


def _trouble(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".split("\n", 1)[0]
