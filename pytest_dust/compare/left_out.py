"""The parts of a value that are left out of comparisons, looked up step by step from the top."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_WILD = frozenset("*?[")


class LeftOut(Protocol):
    """What is left out of the value at some path."""

    @property
    def nothing(self) -> bool:
        """True if all of the value is compared."""

    @property
    def by_index(self) -> bool:
        """True if elements of a list have different parts left out; else all have the same."""

    def below(self, step: str | int) -> LeftOut | None:
        """What is left out one step further down; None if all of that is left out."""


class Pattern(NamedTuple):
    """A path that is left out, `*` being any one step; with `anywhere`, a name left out at every depth."""

    steps: tuple[str, ...]
    anywhere: bool = False


class Patterns:
    """What some patterns leave out."""

    def __init__(self, patterns: Iterable[Pattern] = ()) -> None:
        """Take the patterns, whose steps begin at this path."""
        self.patterns = tuple(dict.fromkeys(patterns))
        firsts = [each.steps[0] for each in self.patterns]
        self.nothing = not self.patterns
        self.by_index = any(first.isdigit() or (first != "*" and _is_wild(first)) for first in firsts)
        self._below: dict[str, Patterns | None] = {}

    def below(self, step: str | int) -> Patterns | None:
        """What is left out one step further down; cached, as a list may have many elements."""
        name = str(step)
        if name not in self._below:
            whole = any(len(each.steps) == 1 and fits(name, each.steps[0]) for each in self.patterns)
            self._below[name] = None if whole else self.past(name)
        return self._below[name]

    @property
    def anywhere(self) -> Patterns:
        """The patterns that hold at every depth."""
        return Patterns(each for each in self.patterns if each.anywhere)

    def past(self, step: str | int) -> Patterns:
        """What is left out below a step, even if the step itself is left out."""
        name = str(step)
        return Patterns(
            each if each.anywhere else Pattern(each.steps[1:])
            for each in self.patterns
            if each.anywhere or (len(each.steps) > 1 and fits(name, each.steps[0]))
        )


class Parts:
    """What is left out of a value composed of others, by the step that leads to each."""

    nothing = False
    by_index = True

    def __init__(self, parts: Mapping[str | int, LeftOut | None], others: Patterns | None = None) -> None:
        """Take what is left out of each part, and the patterns that hold for all parts besides."""
        self._parts = parts
        self._others = others or NOTHING

    def below(self, step: str | int) -> LeftOut | None:
        """What is left out of one part."""
        other = self._others.below(step)
        return None if other is None else self._parts.get(step, other)


NOTHING = Patterns()


def fits(step: str, pattern: str) -> bool:
    """True if a step matches one step of a pattern."""
    return step == pattern or (_is_wild(pattern) and fnmatchcase(step, pattern))


def _is_wild(pattern: str) -> bool:
    return not _WILD.isdisjoint(pattern)
