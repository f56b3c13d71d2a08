"""Compare values of two runs by the rules of a suite's `baseline`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_dust.compare.alignment import Aligner
from pytest_dust.compare.content import Content
from pytest_dust.compare.equality import content_differences, equal
from pytest_dust.compare.left_out import Pattern, Patterns, fits
from pytest_dust.compare.origins import Found, left_out_of
from pytest_dust.compare.similarity import likeness

if TYPE_CHECKING:
    from pytest_dust.compare.left_out import LeftOut
    from pytest_dust.compare.volatile import Volatile
    from pytest_dust.model import Baseline, Change, Path

_TOP = ("status", "error", "result", "results", "blocks", "usage", "duration", "specification_hash", "run_id")

MAX_QUOTED = 100
"""Maximum number of volatile values that are searched for in texts."""
LONGEST_TEXT = 1_000_000
"""Maximum length of a text in which they are searched for."""


class DiffRules:
    """The rules by which values of two runs are compared."""

    def __init__(self, rules: Baseline, volatile: Volatile) -> None:
        """Take the rules of a case, and the volatile values of its two runs."""
        self.rules = rules
        named = (Pattern(steps, len(steps) == 1 and steps[0] not in _TOP) for steps in rules.ignore)
        self._left_out = Patterns([*named, *volatile.patterns])
        self._passed_on = volatile.passed_on
        pairs = sorted(([str(old), str(new)] for old, new in volatile.passed_on), key=_length)[-MAX_QUOTED:]
        self._quoted = [[pair[side] for pair in reversed(pairs)] for side in (0, 1)]
        self._content = Content(unordered=rules.unordered, significant_digits=rules.significant_digits)
        self._aligner = Aligner()
        self._known: dict[tuple[Path, tuple[Pattern, ...]], list[Change]] = {}

    def leaves_out(self, path: Path) -> bool:
        """True if `ignore` has a path of the run view, or one above it that has at least two steps."""
        return any(
            2 <= len(steps) <= len(path) and all(map(fits, map(str, path), steps))
            for steps in self.rules.ignore
        )

    def below(self, *paths: Path) -> Patterns:
        """What is left out of a value that is at all of these paths of the run view."""
        found: list[Pattern] = []
        for path in paths:
            at = self._left_out
            for step in path:
                at = at.past(step)
            found += at.patterns
        return Patterns(found)

    def of_found(self, old: Found, new: Found) -> list[Change]:
        """The differences between the values that a path finds in two run views."""
        rests = [left_out_of(each.origin, self._left_out) for each in (old, new)]
        kept = [rest for rest in rests if rest is not None]
        return [] if len(kept) < len(rests) else self.changes(old.value, new.value, kept[0], kept[1])

    def at(self, place: Path, old: Any, new: Any, left_out: Patterns) -> list[Change]:
        """The differences between two values at one place; cached, as a result is also a block's output."""
        key = (place, left_out.patterns)
        if key not in self._known:
            self._known[key] = self.changes(old, new, left_out)
        return self._known[key]

    def changes(self, old: Any, new: Any, left_out: LeftOut, of_new: LeftOut | None = None) -> list[Change]:
        """The differences between two values that the rules do not allow, with the original values."""
        if equal(old, new):
            return []
        parts = self._content.of(old, left_out), self._content.of(new, of_new or left_out)
        alike = self._alike if self.rules.similar is not None or self._passed_on else None
        return content_differences(*parts, self._aligner, alike, unordered=self.rules.unordered)

    def _alike(self, old: Any, new: Any) -> bool:
        """True if two values count as equal: similar texts, or a volatile value that a block passes on."""
        if not (isinstance(old, str | int | float) and isinstance(new, str | int | float)):
            return False
        if (old, new) in self._passed_on:
            return True
        if not (isinstance(old, str) and isinstance(new, str)):
            return False
        if self._passed_on and max(len(old), len(new)) <= LONGEST_TEXT:
            old, new = (self._without_passed_on(text, at) for at, text in enumerate((old, new)))
        least = self.rules.similar
        return old == new or (least is not None and likeness(old, new, least) >= least)

    def _without_passed_on(self, text: str, side: int) -> str:
        """A text of the old run (side 0) or of the new one (1) without the volatile values that it quotes."""
        for value in self._quoted[side]:
            text = text.replace(value, "\0")
        return text


def _length(texts: list[str]) -> int:
    return max(map(len, texts))
