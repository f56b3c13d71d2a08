"""The lines of the table, and the kinds of goals that make them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from measure import Times


@dataclass(frozen=True)
class Line:
    """One goal of a row, what was measured, and whether that reaches it; None where there is no goal."""

    what: str
    goal: str
    ours: str
    against: str
    ratio: str
    met: bool | None
    processor: str = ""
    """The ratio of processor times, which others on the machine disturb less."""


def at_most(what: str, times: Times, ours: str, theirs: str, limit: float) -> Line:
    """A goal of the kind: our time is within so many times theirs."""
    ratio = times.ratio(ours, theirs)
    against = f"{theirs} {seconds(times.wall(theirs))}"
    took, goal = seconds(times.wall(ours)), f"≤ {limit} × {theirs}"
    processor = factor(times.ratio(ours, theirs, "cpu"))
    return Line(what, goal, took, against, factor(ratio), ratio <= limit, processor)


def seconds(value: float) -> str:
    """A time as the table shows it."""
    return f"{value * 1000:.1f} ms" if abs(value) < 0.1 else f"{value:.2f} s"


def factor(value: float) -> str:
    """A ratio as the table shows it."""
    return f"{value:.2f} ×"


def bare(what: str, times: Times) -> Line:
    """The ratio to the bare floor, for which there is no goal."""
    return replace(at_most(what, times, "pytest-dust", "bare floor", 0), goal="", met=None)


def memory_within(what: str, times: Times, limit: float) -> Line:
    """A goal of the kind: our peak memory is within so many times the floor's."""
    ratio = times.ratio("pytest-dust", "floor", "peak")
    ours, theirs = (f"{times.peak(name):.0f} MiB" for name in ("pytest-dust", "floor"))
    against = f"floor {theirs}"
    return Line(f"{what}: memory", f"≤ {limit} × floor", ours, against, factor(ratio), ratio <= limit)
