"""Differences as text: the parts of long texts that differ; blocks that only one run has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

from pytest_dust.characters import apart, safe
from pytest_dust.compare.baseline import RAN
from pytest_dust.report.record import ChangeRecord

ADDED = "added: the recording has no such block"
REMOVED = "removed: this run has no such block"
AROUND = 4
"""Number of words shown on either side of a difference."""
MAX_WORDS = 400
"""Maximum number of differing words that are aligned; texts with more count as different texts."""
MAX_SHOWN = 6
"""Maximum number of differences that are shown."""
LONGEST_WORD = 200
"""Maximum length of a word; texts with a longer one are not compared word by word."""
MAX_HUNK = 200
"""Maximum number of characters shown of either side of a difference."""

_WORD = re.compile(r"\s*\S+|\s+\Z")
_SPACES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def by_words(old: str, new: str) -> str:
    """Where two texts differ, as `…takes up to [-5-]{+7+} working days…`; empty if they are too different.

    Differing white space, and characters that look alike, are written as JSON escapes.
    """
    before, after = _words(old), _words(new)
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    left, right = before[start : len(before) - end], after[start : len(after) - end]
    if not (left or right) or max(len(left), len(right)) > MAX_WORDS or min(len(before), len(after)) < AROUND:
        return ""
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    if left and right and matcher.ratio() == 0 and not (start or end):
        return ""
    if max(map(len, left + right)) > LONGEST_WORD:
        return ""
    parts = list(_hunks(matcher, left, right))
    more = f" … and {len(parts) - MAX_SHOWN} more" if len(parts) > MAX_SHOWN else ""
    head = _shown(before[max(0, start - AROUND) : start], cut_before=start > AROUND)
    tail = _shown(before[len(before) - end :][:AROUND], cut_after=end > AROUND) if end else ""
    body = " ".join(part for part in (head, *parts[:MAX_SHOWN], "" if more else tail) if part)
    return body + more


def _words(text: str) -> list[str]:
    """The words of a text; white space before a word is part of it, unless it is one blank."""
    words: list[str] = _WORD.findall(f" {text}")
    return [word[1:] if word[0] == " " and word[1:2].strip() else word for word in words]


def _common(left: list[str], right: list[str]) -> int:
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count


def _hunks(matcher: SequenceMatcher[str], left: list[str], right: list[str]) -> Iterator[str]:
    """The differences, and a few words between them."""
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            between = left[a:b]
            if len(between) > 2 * AROUND:
                between = [*between[:AROUND], "…", *between[-AROUND:]]
            yield _shown(between)
        else:
            removed, added = apart(_joined(left[a:b]), _joined(right[c:d]))
            yield (f"[-{_cut(removed)}-]" if b > a else "") + (f"{{+{_cut(added)}+}}" if d > c else "")


def _joined(words: list[str]) -> str:
    """Differing words as one text; white space other than one blank is escaped."""
    text = ""
    for word in words:
        rest = word.lstrip()
        space = word.removesuffix(rest) if rest else word
        between = " " if text and not space else ""
        text += f"{between}{''.join(map(_escaped, space))}{_plain(rest)}"
    return text


def _escaped(space: str) -> str:
    """White space as a JSON escape."""
    return _SPACES.get(space, f"\\u{ord(space):04x}")


def _plain(text: str) -> str:
    """The text with its backslashes doubled, so that they are not taken for escapes."""
    return text.replace("\\", "\\\\")


def _cut(text: str) -> str:
    return text if len(text) <= MAX_HUNK else f"{text[:MAX_HUNK]}…"


def _shown(words: list[str], *, cut_before: bool = False, cut_after: bool = False) -> str:
    text = safe(" ".join(_plain(word.strip()) for word in words))
    return f"{'…' if cut_before else ''}{text}{'…' if cut_after else ''}"


def came_or_went(change: ChangeRecord) -> str:
    """What to say of a block that only one of two runs has; empty for any other change."""
    if change == ChangeRecord((), None, RAN, "added"):
        return ADDED
    return REMOVED if change == ChangeRecord((), RAN, None, "removed") else ""
