"""What differs, in words: long texts with only the parts that differ; blocks that came or went."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

from pytest_dust.baseline import RAN
from pytest_dust.model import MISSING, Change
from pytest_dust.report.values import safe

ADDED = "added: the recording has no such block"
REMOVED = "removed: this run has no such block"
AROUND = 4
"""Words shown on either side of a difference."""
MAX_WORDS = 400
"""Differing words that are lined up; where there are more, the text is another one."""
MAX_SHOWN = 6
"""Differences that are shown; more are counted."""


def by_words(old: str, new: str) -> str:
    """Where two texts differ, as `…takes up to [-5-]{+7+} working days…`; nothing for texts too unlike."""
    before, after = old.split(), new.split()
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    left, right = before[start : len(before) - end], after[start : len(after) - end]
    if not (left or right) or max(len(left), len(right)) > MAX_WORDS or min(len(before), len(after)) < AROUND:
        return ""
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    if left and right and matcher.ratio() == 0 and not (start or end):
        return ""
    parts = list(_hunks(matcher, left, right))
    more = f" … and {len(parts) - MAX_SHOWN} more" if len(parts) > MAX_SHOWN else ""
    head = _shown(before[max(0, start - AROUND) : start], cut_before=start > AROUND)
    tail = _shown(before[len(before) - end :][:AROUND], cut_after=end > AROUND) if end else ""
    body = " ".join(part for part in (head, *parts[:MAX_SHOWN], "" if more else tail) if part)
    return safe(body + more)


def _common(left: list[str], right: list[str]) -> int:
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count


def _hunks(matcher: SequenceMatcher[str], left: list[str], right: list[str]) -> Iterator[str]:
    """The differences, and a few words of what is between them."""
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            between = left[a:b]
            if len(between) > 2 * AROUND:
                between = [*between[:AROUND], "…", *between[-AROUND:]]
            yield " ".join(between)
        else:
            removed = f"[-{' '.join(left[a:b])}-]" if b > a else ""
            added = f"{{+{' '.join(right[c:d])}+}}" if d > c else ""
            yield removed + added


def _shown(words: list[str], *, cut_before: bool = False, cut_after: bool = False) -> str:
    text = " ".join(words)
    return f"{'…' if cut_before else ''}{text}{'…' if cut_after else ''}"


def came_or_went(change: Change) -> str:
    """What is told of a block that only one of two runs has; nothing of any other change."""
    if change == Change((), MISSING, RAN):
        return ADDED
    return REMOVED if change == Change((), RAN, MISSING) else ""
