"""Align the elements of two lists, so that an insertion does not shift the others; the work is bounded.

Elements that occur once in each list are anchors; if there are none, runs of elements that do are. Short
parts are aligned by DeepDiff, which handles repeated elements best, but whose time grows fastest.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

Pair: TypeAlias = "tuple[int | None, int | None]"
"""The indexes of an element in the old list and in the new one; None if it is not in that list."""
Alike: TypeAlias = "Callable[[int, int], bool]"
"""Returns True if the elements at an index of the old list and at one of the new list are similar."""
Anchor: TypeAlias = "tuple[int, int]"
"""An index of the old list and one of the new list, at which they have equal elements."""

MAX_SHORT = 200
"""Maximum number of elements of a stretch that DeepDiff aligns."""
MAX_DIFFED = 5_000
"""Maximum number of elements that DeepDiff aligns in all; each takes 50 µs."""
MAX_VISITS = 5_000_000
"""Maximum number of elements visited in all in search of anchors; each takes 0.2 µs."""
MAX_CHARACTERS = 15_000_000
"""Maximum number of characters compared in all in search of similar texts; each takes 50 ns."""
MAX_PASSES = 24
"""Maximum number of visits to an element, on average, in search of anchors."""
LONGEST_RUN = 64
"""Maximum length of a run of elements that may be an anchor."""


class Stretch(NamedTuple):
    """A part of the old list, and the part of the new list in its place."""

    start: int
    end: int
    new_start: int
    new_end: int


class Aligner:
    """Aligns one pair of lists after another; the work for all of them together is bounded."""

    def __init__(self) -> None:
        self._visits = MAX_VISITS
        self._diffed = MAX_DIFFED
        self.characters = MAX_CHARACTERS
        """Number of characters that may still be compared; below 0, the search for similar texts ends."""

    def pairs(
        self, old: Sequence[Hashable], new: Sequence[Hashable], alike: Alike | None = None
    ) -> Iterator[Pair]:
        """The elements in order, each with its counterpart; most pairs of equal elements are left out.

        If `alike` is given, elements without an equal are paired with similar ones.
        """
        reserve = max(self._visits - MAX_PASSES * (len(old) + len(new)), 0)
        stretches = [Stretch(0, len(old), 0, len(new))]
        while stretches:
            stretch = _trimmed(old, new, stretches.pop())
            left, right = old[stretch.start : stretch.end], new[stretch.new_start : stretch.new_end]
            anchors = [] if set(left).isdisjoint(right) else self._anchors(left, right, reserve)
            if anchors:
                stretches.extend(reversed(list(_between(stretch, anchors))))
            elif alike:
                yield from self._by_likeness(stretch, alike)
            else:
                yield from _by_position(stretch)

    def _by_likeness(self, stretch: Stretch, alike: Alike) -> Iterator[Pair]:
        """The pairs of a stretch without equal elements: similar ones in order, the others by position."""
        start, end, new_start, new_end = stretch
        while pair := self._next_alike(Stretch(start, end, new_start, new_end), alike):
            at, place = pair
            yield from _by_position(Stretch(start, at, new_start, place))
            yield pair
            start, new_start = at + 1, place + 1
        yield from _by_position(Stretch(start, end, new_start, new_end))

    def _next_alike(self, stretch: Stretch, alike: Alike) -> Anchor | None:
        """The similar elements that skip the fewest others; None if no more work is allowed."""
        start, end, new_start, new_end = stretch
        height, width = end - start, new_end - new_start
        for passed in range(height + width - 1 if height and width else 0):
            for down in range(max(0, passed - width + 1), min(passed, height - 1) + 1):
                if self.characters < 0:
                    return None
                if alike(start + down, new_start + passed - down):
                    return start + down, new_start + passed - down
        return None

    def _anchors(self, old: Sequence[Hashable], new: Sequence[Hashable], reserve: int) -> list[Anchor]:
        """Equal elements of two lists, in the order of both; none if no more work is allowed."""
        if max(len(old), len(new)) <= MAX_SHORT and self._diffed > 0:
            self._diffed -= len(old) + len(new)
            return _diffed(old, new)
        for before, after in _labels(old, new):
            self._visits -= len(before) + len(after)
            if self._visits < reserve:
                break
            if pairs := _once(before, after):
                return _increasing(pairs)
        return []


def _trimmed(old: Sequence[Hashable], new: Sequence[Hashable], stretch: Stretch) -> Stretch:
    """A stretch without the equal elements at its beginning and end."""
    start, end, new_start, new_end = stretch
    while start < end and new_start < new_end and old[start] == new[new_start]:
        start, new_start = start + 1, new_start + 1
    while start < end and new_start < new_end and old[end - 1] == new[new_end - 1]:
        end, new_end = end - 1, new_end - 1
    return Stretch(start, end, new_start, new_end)


def _by_position(stretch: Stretch) -> Iterator[Pair]:
    yield from zip_longest(range(stretch.start, stretch.end), range(stretch.new_start, stretch.new_end))


def _between(stretch: Stretch, anchors: list[Anchor]) -> Iterator[Stretch]:
    """The parts of a stretch between its anchors."""
    start, _, new_start, _ = stretch
    ends = [(stretch.start + at, stretch.new_start + new_at) for at, new_at in anchors]
    for end, new_end in [*ends, (stretch.end, stretch.new_end)]:
        if start < end or new_start < new_end:
            yield Stretch(start, end, new_start, new_end)
        start, new_start = end + 1, new_end + 1


# ── anchors ──────────────────────────────────────────────────────────────────────────────────────


def _labels(
    old: Sequence[Hashable], new: Sequence[Hashable]
) -> Iterator[tuple[Sequence[Hashable], Sequence[Hashable]]]:
    """Labels for the elements of two lists: each pair of lists that is returned has more different labels.

    The first labels are the elements, the next are the runs of 2, 4, 8… elements that begin there. The last
    are the elements with the number of equal ones before them, which are all different.
    """
    yield old, new
    before, after, width = old, new, 1
    while width < min(LONGEST_RUN, len(before), len(after)):
        numbers: dict[Hashable, int] = {}
        before, after = (
            [numbers.setdefault(pair, len(numbers)) for pair in zip(side, side[width:], strict=False)]
            for side in (before, after)
        )
        yield before, after
        width *= 2
    yield _numbered(old), _numbered(new)


def _numbered(values: Sequence[Hashable]) -> list[tuple[Hashable, int]]:
    seen: Counter[Hashable] = Counter()
    numbered = []
    for value in values:
        seen[value] += 1
        numbered.append((value, seen[value]))
    return numbered


def _once(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Anchor]:
    """The indexes, in both lists, of the labels that occur once in each."""
    times, new_times = Counter(old), Counter(new)
    places = {value: at for at, value in enumerate(new) if new_times[value] == 1}
    return [(at, places[value]) for at, value in enumerate(old) if times[value] == 1 and value in places]


def _increasing(pairs: list[Anchor]) -> list[Anchor]:
    """The longest selection of the pairs that has the same order in both lists."""
    ends: list[int] = []  # the smallest end of a chain of each length; `last` is the pair there
    last: list[int] = []
    before: list[int] = []
    for at, (_, place) in enumerate(pairs):
        length = bisect_left(ends, place)
        before.append(last[length - 1] if length else -1)
        ends[length : length + 1] = [place]
        last[length : length + 1] = [at]
    chain: list[Anchor] = []
    at = last[-1]
    while at >= 0:
        chain.append(pairs[at])
        at = before[at]
    return chain[::-1]


# ── short stretches ──────────────────────────────────────────────────────────────────────────────


def _diffed(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Anchor]:
    """The elements that DeepDiff finds unchanged, without those that it pairs out of order."""
    from deepdiff import DeepDiff  # 95 ms, so at the first list that needs it

    numbers: dict[Hashable, str] = {}  # as texts, which DeepDiff aligns by content
    before, after = ([numbers.setdefault(each, str(len(numbers))) for each in side] for side in (old, new))
    tree = DeepDiff(before, after, view="tree", threshold_to_diff_deeper=0)
    levels = [level for levels in tree.values() for level in levels]
    gone = {_place(level) for level in levels if isinstance(level.t1, str)}  # `not present` is no text
    come = {_place(level, use_t2=True) for level in levels if isinstance(level.t2, str)}
    kept = [at for at in range(len(old)) if at not in gone]
    new_kept = [at for at in range(len(new)) if at not in come]
    return [(at, new_at) for at, new_at in zip(kept, new_kept, strict=False) if before[at] == after[new_at]]


def _place(level: Any, *, use_t2: bool = False) -> int:
    """The index of one side of a difference."""
    place: int = level.path(output_format="list", use_t2=use_t2)[0]
    return place
