"""Plugins that run tests several times: pytest-repeat and pytest-flakefinder.

Both multiply test functions, by a parameter. A case is no function, and has the key `repeat`, which also says
how many of its runs must pass.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pytest


def only_once() -> None:
    """Stand for the test function that pytest-flakefinder reads of each item."""


only_once._pytest_duplicated = True  # type: ignore[attr-defined]  # noqa: SLF001  # it leaves the item alone


def leave_alone(config: pytest.Config, cases: Iterable[pytest.Item]) -> None:
    """Keep pytest-flakefinder from copying cases, which would raise AttributeError."""
    if config.getoption("flake_finder_enable", False):
        for case in cases:
            case.function = only_once  # type: ignore[attr-defined]


def lines(config: pytest.Config, cases: Iterable[pytest.Item]) -> Iterator[str]:
    """A line for each wish to repeat cases that is not fulfilled."""
    option = config.getoption
    if option("repeat_scope", None) is not None:  # pytest-repeat is installed
        if option("count", 1) > 1:
            yield _line(f"--count={option('count')}", option("count"))
        elif any(case.get_closest_marker("repeat") for case in cases):
            yield _line("mark repeat", 5)
    if option("flake_finder_enable", False):
        yield _line("--flake-finder", option("flake_runs"))


def without_repetition(item: pytest.Item, parameters: str) -> str:
    """A test's parameters, as its id shows them, without the number of the repetition."""
    given = getattr(getattr(item, "callspec", None), "params", {})
    for name, value in given.items():
        if name == "__pytest_repeat_step_number":  # 2-3: the second of three
            parameters = re.sub(rf"(^|-){value + 1}-\d+$", "", parameters)
        elif name.startswith("__flakefinder_"):
            parameters = re.sub(rf"^{value}(-|$)", "", parameters)
    return parameters


def _line(wish: str, runs: int) -> str:
    return (
        f"dust: {wish} does not repeat cases; use the suite's key repeat, such as "
        f"repeat: {{runs: {runs}, min_pass: {runs}}}"
    )
