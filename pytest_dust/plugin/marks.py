"""The marks of a case, put on its pytest item."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dust.errors import did_you_mean
from pytest_dust.model import Problem
from pytest_dust.plugin.outcomes import CaseFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_dust.masking import Mask
    from pytest_dust.model import Mark


def add_mark(item: pytest.Item, mark: Mark, mask: Mask) -> Iterator[Problem]:
    """Put a suite's mark on an item; yields a problem if `--strict-markers` refuses it."""
    kwargs: dict[str, Any] = mask.value(dict(mark.kwargs))
    if mark.name == "xfail" and item.config.getoption("dust_check"):
        return  # a check runs nothing that could be expected to fail
    if mark.name == "xfail":
        kwargs["raises"] = CaseFailed  # a missing cassette or a wrong key is no expected failure
    with warnings.catch_warnings(record=True) as unknown:
        warnings.simplefilter("always")
        try:
            decorator = getattr(pytest.mark, mark.name)
        except pytest.fail.Exception:
            yield Problem(mark.place, _unregistered(mark.name, item.config))
            return
    try:
        for warning in unknown:
            item.warn(pytest.PytestUnknownMarkWarning(str(warning.message).split(" - ", 1)[0]))
    except pytest.PytestUnknownMarkWarning:  # the project's filterwarnings make errors of warnings
        yield Problem(mark.place, _unregistered(mark.name, item.config))
        return
    given = decorator(*mask.value(mark.args), **kwargs) if mark.args or kwargs else decorator
    item.add_marker(given, append=False)  # a case's own marks come after its suite's, and are closer to it


def _unregistered(name: str, config: pytest.Config) -> str:
    known = [line.split("(")[0].split(":")[0].strip() for line in config.getini("markers")]
    return f'mark "{name}" is not registered; add it to ini markers{did_you_mean(name, known)}'


def is_skipped(item: pytest.Item) -> bool:
    """Whether the marks of an item surely keep it from running; a condition in a text is not evaluated."""
    always = any(map(_always_skips, item.iter_markers("skipif")))
    return always or item.get_closest_marker("skip") is not None or _is_not_run(item)


def _always_skips(mark: pytest.Mark) -> bool:
    conditions = _conditions(mark)
    return not conditions or any(each and not isinstance(each, str) for each in conditions)


def _conditions(mark: pytest.Mark) -> tuple[Any, ...]:
    """The conditions of a mark skipif or xfail: the keyword argument, else all others."""
    return (mark.kwargs["condition"],) if "condition" in mark.kwargs else mark.args


def _is_not_run(item: pytest.Item) -> bool:
    """Whether a mark `xfail(run=False)` without conditions keeps an item from running."""
    if item.config.getoption("runxfail", False):
        return False
    return any(
        mark.kwargs.get("run") is False and not _conditions(mark) for mark in item.iter_markers("xfail")
    )


def may_not_run(item: pytest.Item) -> bool:
    """Whether marks may keep an item from running, by conditions that only pytest evaluates."""
    xfails = (mark for mark in item.iter_markers("xfail") if mark.kwargs.get("run") is False)
    return is_skipped(item) or item.get_closest_marker("skipif") is not None or any(xfails)
