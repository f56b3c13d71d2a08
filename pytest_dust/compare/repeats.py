"""The verdict of a repeated case, and the interval of its pass rate."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from pytest_dust.compare import sequential
from pytest_dust.model import Rates, Repeat, RepeatVerdict

Z = 1.959964
"""95 % of a normal distribution are so many standard deviations from its mean or nearer."""


def verdict(repeat: Repeat, passed: Sequence[bool]) -> RepeatVerdict:
    """What the attempts of a case come to; `passed` says of each, in launch order, whether it passed."""
    if repeat.rates is None:
        return RepeatVerdict(sum(passed) >= repeat.min_pass, len(passed))
    found = sequential.table_of(repeat.rates).decide(passed)
    return RepeatVerdict(*found, _why(repeat.rates, found, sum(passed[: found.counted])))


WAVE = 3
"""Maximum number of attempts that are started together after the first ones: one of them may decide."""


def needed(repeat: Repeat, passed: Sequence[bool]) -> int:
    """How many further attempts to launch; 0 if the case is decided.

    In a sequential test at first so many as make the case pass if all pass, then at most WAVE.
    """
    if repeat.rates is None:
        return max(0, repeat.runs - len(passed))
    count = sequential.table_of(repeat.rates).needed(passed)
    return min(count, WAVE) if passed else count


def _why(rates: Rates, found: sequential.Decision, passes: int) -> str:
    """Why a sequential test stopped, or that it did not."""
    if found.passed is False:
        failed = f"{found.counted - passes} of {found.counted} attempts failed"
        return f"{failed}, too many for a pass rate of {rates.good:.12g} (good)"
    passed = f"{passes} of {found.counted} attempts passed"
    if found.passed is None:
        return f"{passed}, which does not decide"
    return f"{passed}, enough to exclude a pass rate of {rates.bad:.12g} (bad)"


def interval(passes: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a pass rate by Wilson's method; from 0 to 1 without attempts."""
    if not count:
        return 0.0, 1.0
    rate, share = passes / count, Z * Z / count
    middle, scale = rate + share / 2, 1 + share
    half = Z * sqrt(rate * (1 - rate) / count + share / (4 * count))
    low, high = (middle - half) / scale, (middle + half) / scale
    return max(0.0, min(rate, low)), min(1.0, max(rate, high))
