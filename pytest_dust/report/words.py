"""Differences as text: the parts of long texts that differ; blocks that only one run has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import NamedTuple

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

AROUND_PARTS = 24
"""Number of words on either side of a difference in texts of which the equal words are kept too."""

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
    hunks = list(_hunks(matcher, left, right))
    more = f" … and {len(hunks) - MAX_SHOWN} more" if len(hunks) > MAX_SHOWN else ""
    head = _shown(before[max(0, start - AROUND) : start], cut_before=start > AROUND)
    tail = _shown(before[len(before) - end :][:AROUND], cut_after=end > AROUND) if end else ""
    body = " ".join(part for part in (head, *hunks[:MAX_SHOWN], "" if more else tail) if part)
    return body + more


class Part(NamedTuple):
    """A part of a text, and whether the other text has another part in its place."""

    text: str
    differs: bool = False


def parts(old: str, new: str) -> tuple[list[Part], list[Part]]:
    """Two texts in parts that differ and parts that do not; long equal parts are cut in the middle.

    Lines stay lines. Differing white space, and characters that look alike, are written as JSON escapes.
    """
    before, after = (_words(text) if text else [] for text in (old, new))
    shown = _spaced(before), _spaced(after)
    of_old: list[Part] = []
    of_new: list[Part] = []
    for is_equal, (a, b), (c, d) in _aligned(before, after):
        left, right = shown[0][a:b], shown[1][c:d]
        if is_equal:
            ends = {"is_first": a == c == 0, "is_last": b == len(before) and d == len(after)}
            of_old.append(Part(_cut_middle(left, **ends)))
            of_new.append(Part(_cut_middle(right, **ends)))
        else:
            removed, added = _two_hunks(left, right)
            of_old += removed
            of_new += added
    return of_old, of_new


def _two_hunks(left: list[str], right: list[str]) -> tuple[list[Part], list[Part]]:
    """Two differing parts; white space that both begin with is not marked."""
    old, new = "".join(left), "".join(right)
    if old.split() == new.split():  # only white space differs, which is invisible
        return _marked(_spaces_escaped(left)), _marked(_spaces_escaped(right))
    space = _common_space(old, new)
    pairs = _by_lines(old[len(space) :], new[len(space) :])
    before = [Part(space)] if space else []
    return [*before, *_marked(pairs[0])], [*before, *_marked(pairs[1])]


def _spaces_escaped(words: list[str]) -> str:
    """Words with white space other than one blank before each as JSON escapes."""
    plain = [word[1:] if word[:1] == " " and word[1:2].strip() else word for word in words]
    begins = " " if words and words[0][:1] == " " and words[0][1:2].strip() else ""
    return begins + _joined(plain)


def _common_space(old: str, new: str) -> str:
    """The white space that two texts begin with."""
    space = old[: len(old) - len(old.lstrip())]
    return space if new.startswith(space) and not new[len(space) : len(space) + 1].isspace() else ""


def _by_lines(old: str, new: str) -> tuple[str, str]:
    """Two differing texts, safe to show; where they have as many lines, each two lines look different."""
    lines = old.split("\n"), new.split("\n")
    if len(lines[0]) != len(lines[1]):
        return _lines_safe(old), _lines_safe(new)
    pairs = [apart(*pair) for pair in zip(*lines, strict=True)]
    return "\n".join(pair[0] for pair in pairs), "\n".join(pair[1] for pair in pairs)


def _aligned(before: list[str], after: list[str]) -> Iterator[tuple[bool, tuple[int, int], tuple[int, int]]]:
    """The ranges in which two lists of words are equal or differ."""
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    left, right = before[start : len(before) - end], after[start : len(after) - end]
    if start:
        yield True, (0, start), (0, start)
    if max(len(left), len(right)) > MAX_WORDS:
        yield False, (start, start + len(left)), (start, start + len(right))
    else:
        for kind, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
            yield kind == "equal", (start + a, start + b), (start + c, start + d)
    if end:
        yield True, (len(before) - end, len(before)), (len(after) - end, len(after))


def _spaced(words: list[str]) -> list[str]:
    """The words, each with the white space before it."""
    return [word if not at or word[0].isspace() else f" {word}" for at, word in enumerate(words)]


def _cut_middle(words: list[str], *, is_first: bool, is_last: bool) -> str:
    """Equal words: those near a difference, and a mark for the others."""
    before, after = 0 if is_last else AROUND_PARTS, 0 if is_first else AROUND_PARTS
    if len(words) <= before + after + AROUND_PARTS:
        return _lines_safe("".join(words))
    return _lines_safe(f"{''.join(words[:after])} …{''.join(words[len(words) - before :])}")


def _marked(text: str) -> list[Part]:
    """A differing text; a blank before it is not marked."""
    rest = text.lstrip(" ")
    return [
        Part(each, differs)
        for each, differs in ((text[: len(text) - len(rest)], False), (rest, True))
        if each
    ]


def _lines_safe(text: str) -> str:
    return "\n".join(map(safe, text.split("\n")))


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
