"""What of a value does not count, asked step by step on the way down."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_WILD = frozenset("*?[")


class LeftOut(Protocol):
    """What is left out of the value that stands at some place."""

    @property
    def nothing(self) -> bool:
        """Whether all of the value counts."""

    @property
    def by_index(self) -> bool:
        """Whether it matters which element of a list is meant; else what holds for one holds for all."""

    def below(self, step: str | int) -> LeftOut | None:
        """What is left out one step further down; None where all of that is left out."""


class Pattern(NamedTuple):
    """A path that is left out, `*` being any one step; `anywhere` for a name that is so at every depth."""

    steps: tuple[str, ...]
    anywhere: bool = False


class Patterns:
    """What patterns leave out."""

    def __init__(self, patterns: Iterable[Pattern] = ()) -> None:
        """Take the patterns, whose steps begin at this place."""
        self.patterns = tuple(dict.fromkeys(patterns))
        firsts = [each.steps[0] for each in self.patterns]
        self.nothing = not self.patterns
        self.by_index = any(first.isdigit() or (first != "*" and _is_wild(first)) for first in firsts)
        self._below: dict[str, Patterns | None] = {}

    def below(self, step: str | int) -> Patterns | None:
        """What is left out one step further down; each is found once, for the elements of a list are many."""
        name = str(step)
        if name not in self._below:
            whole = any(len(each.steps) == 1 and fits(name, each.steps[0]) for each in self.patterns)
            self._below[name] = None if whole else self.past(name)
        return self._below[name]

    @property
    def anywhere(self) -> Patterns:
        """What is left out wherever it stands."""
        return Patterns(each for each in self.patterns if each.anywhere)

    def past(self, step: str | int) -> Patterns:
        """What is left out below a step, whether or not that is left out itself."""
        name = str(step)
        return Patterns(
            each if each.anywhere else Pattern(each.steps[1:])
            for each in self.patterns
            if each.anywhere or (len(each.steps) > 1 and fits(name, each.steps[0]))
        )


class Parts:
    """What is left out of a value that is put together from others, by the step that leads to each."""

    nothing = False
    by_index = True

    def __init__(self, parts: Mapping[str | int, LeftOut | None], others: Patterns | None = None) -> None:
        """Take what is left out of each part, and what is so of a part whatever else holds for it."""
        self._parts = parts
        self._others = others or NOTHING

    def below(self, step: str | int) -> LeftOut | None:
        """What is left out of one part."""
        other = self._others.below(step)
        return None if other is None else self._parts.get(step, other)


NOTHING = Patterns()


def fits(step: str, pattern: str) -> bool:
    """Whether a step is what one step of a pattern names."""
    return step == pattern or (_is_wild(pattern) and fnmatchcase(step, pattern))


def _is_wild(pattern: str) -> bool:
    return not _WILD.isdisjoint(pattern)
