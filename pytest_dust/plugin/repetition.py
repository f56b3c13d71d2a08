"""Plugins that run tests several times: pytest-repeat, pytest-loop and pytest-flakefinder.

They multiply test functions, by a parameter. A case is no function, and has the key `repeat`, which also says
how many of its runs must pass.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pytest


RUNS = 5
"""Number of runs that is suggested where none is given."""


class Repeater(NamedTuple):
    """A plugin that repeats tests: its options and mark, and how it numbers the repetitions."""

    own_option: str
    """An option that no other plugin has; it is set wherever the plugin can be in use."""
    flag: str
    """The option that repeats all tests, as it is typed; `{}` stands for the number of runs."""
    runs_option: str
    """The option that holds the number of runs."""
    mark: str
    """The mark that repeats one test; empty if there is none."""
    parameter: str
    """Beginning of the name of the parameter by which it multiplies a test."""
    shown: str
    """The parameter in a test's id, as a pattern; `{index}` counts from 0, `{number}` from 1."""


REPEATERS = (
    Repeater(
        "repeat_scope", "--count={}", "count", "repeat", "__pytest_repeat_step_number", r"(^|-){number}-\d+$"
    ),
    Repeater(
        "loop_scope", "--loop={}", "loop", "loop", "__pytest_loop_step_number", r"(^|-) {number} / \d+ $"
    ),
    Repeater("flake_finder_enable", "--flake-finder", "flake_runs", "", "__flakefinder_", r"^{index}(-|$)"),
)


def only_once() -> None:
    """Stand for the test function that pytest-flakefinder reads of each item."""


only_once._pytest_duplicated = True  # type: ignore[attr-defined]  # noqa: SLF001  # it leaves the item alone


def leave_alone(config: pytest.Config, cases: Iterable[pytest.Item]) -> None:
    """Keep pytest-flakefinder from copying cases, which would raise AttributeError."""
    if config.getoption("flake_finder_enable", False):
        for case in cases:
            case.function = only_once  # type: ignore[attr-defined]


def lines(config: pytest.Config, cases: Sequence[pytest.Item]) -> Iterator[str]:
    """A line for each wish to repeat cases that is not fulfilled."""
    for repeater in REPEATERS:
        if not config.getoption(repeater.own_option, None):
            continue  # it is not installed, or not in use
        runs = config.getoption(repeater.runs_option)
        if runs > 1:
            yield _line(repeater.flag.format(runs), runs)
        elif marked := _marked(repeater.mark, cases):
            yield _line(f"mark {repeater.mark}", marked)


def _marked(mark: str, cases: Iterable[pytest.Item]) -> int:
    """How often a mark repeats the first case that has it; 0 if none has, or it runs once."""
    for marker in filter(None, (case.get_closest_marker(mark) for case in cases)):
        given = marker.args[0] if marker.args else RUNS
        if not isinstance(given, int):
            return RUNS
        if given > 1:
            return given
    return 0


def without_repetition(item: pytest.Item, parameters: str) -> str:
    """A test's parameters, as its id shows them, without the number of the repetition."""
    given = getattr(getattr(item, "callspec", None), "params", {})
    for name, value in given.items():
        for repeater in REPEATERS:
            if name.startswith(repeater.parameter):
                shown = repeater.shown.format(index=value, number=value + 1)
                parameters = re.sub(shown, "", parameters)
    return parameters


def _line(wish: str, runs: int) -> str:
    return (
        f"dust: {wish} does not repeat cases; use the suite's key repeat, such as "
        f"repeat: {{runs: {runs}, min_pass: {runs}}}"
    )
