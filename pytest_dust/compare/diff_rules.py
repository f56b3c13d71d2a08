"""The rules of a suite's `baseline`, ready to hold values of two runs against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_dust.compare.alignment import Aligner
from pytest_dust.compare.content import Content
from pytest_dust.compare.equality import counted_differences, equal
from pytest_dust.compare.left_out import Pattern, Patterns, fits
from pytest_dust.compare.origins import Found, left_out_of
from pytest_dust.compare.similarity import likeness

if TYPE_CHECKING:
    from pytest_dust.compare.left_out import LeftOut
    from pytest_dust.compare.volatile import Volatile
    from pytest_dust.model import Baseline, Change, Path

_TOP = ("status", "error", "result", "results", "blocks", "usage", "duration", "specification_hash", "run_id")

MAX_QUOTED = 100
"""Volatile values that are looked for in texts."""
LONGEST_TEXT = 1_000_000
"""Characters of a text in which they are looked for."""


class DiffRules:
    """What counts of the values of two runs."""

    def __init__(self, rules: Baseline, volatile: Volatile) -> None:
        """Take the rules of a case, and what is volatile of its two runs."""
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
        """Whether a path of the run view is left out, itself or with one above it that is not the topmost."""
        return any(
            2 <= len(steps) <= len(path) and all(map(fits, map(str, path), steps))
            for steps in self.rules.ignore
        )

    def below(self, *paths: Path) -> Patterns:
        """What is left out of a value that stands at each of these paths of the run view."""
        found: list[Pattern] = []
        for path in paths:
            at = self._left_out
            for step in path:
                at = at.past(step)
            found += at.patterns
        return Patterns(found)

    def of_found(self, old: Found, new: Found) -> list[Change]:
        """Where what a path finds in two run views differs."""
        rests = [left_out_of(each.origin, self._left_out) for each in (old, new)]
        kept = [rest for rest in rests if rest is not None]
        return [] if len(kept) < len(rests) else self.changes(old.value, new.value, kept[0], kept[1])

    def at(self, place: Path, old: Any, new: Any, left_out: Patterns) -> list[Change]:
        """Where two values of one place differ; found once, as a result is a block's output too."""
        key = (place, left_out.patterns)
        if key not in self._known:
            self._known[key] = self.changes(old, new, left_out)
        return self._known[key]

    def changes(self, old: Any, new: Any, left_out: LeftOut, of_new: LeftOut | None = None) -> list[Change]:
        """Where two values differ by more than the rules allow, as they were."""
        if equal(old, new):
            return []
        parts = self._content.of(old, left_out), self._content.of(new, of_new or left_out)
        alike = self._alike if self.rules.similar is not None or self._passed_on else None
        return counted_differences(*parts, self._aligner, alike, unordered=self.rules.unordered)

    def _alike(self, old: Any, new: Any) -> bool:
        """Whether two values are as good as the same: similar texts, or a volatile value passed on."""
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
        """A text of the old run (0) or the new one (1) without the volatile values that it quotes."""
        for value in self._quoted[side]:
            text = text.replace(value, "\0")
        return text


def _length(texts: list[str]) -> int:
    return max(map(len, texts))
