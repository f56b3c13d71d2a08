"""Read the outputs of one block in several runs as features: what some of the runs have, and others have not.

A feature is, for example, one value at a path, a type, or a long text. The work is bounded whatever the
outputs.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from itertools import islice, pairwise
from math import log
from statistics import median_low
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_dust.compare.content import Content, key, original
from pytest_dust.compare.similarity import likeness
from pytest_dust.wording import kind

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from pytest_dust.compare.left_out import LeftOut
    from pytest_dust.compare.versions import Runs
    from pytest_dust.model import Baseline, Path

FEWEST = 3
"""Minimum number of runs with equal values that are a feature: fewer may be by accident."""
MAX_LIKENESSES = 2_000
"""Maximum number of pairs of texts compared with `similar`; each takes 0.1 ms. Later ones match if equal."""
MAX_EXCERPT = 1_500
"""Maximum number of characters of a text compared with `similar`, from its beginning, middle and end."""
FAR = 1.5
"""A text is long if it is more than this many times as long as the next shorter one."""
MAX_NUMBER = 1e300
"""Numbers from this on are only equal or not, as their differences may have no float."""


class Part(NamedTuple):
    """A part of a block's output: its path, its value, and what is left out of that."""

    path: Path
    value: Any
    left_out: LeftOut


class _Container(NamedTuple):
    """A list or mapping without its parts."""

    kind: str
    length: int


class FeatureReader:
    """Reads blocks' outputs by the rules of a suite; one reader bounds the work for all blocks."""

    def __init__(self, rules: Baseline, most: int) -> None:
        """Take the rules, and the maximum number of parts of a block's output in one run that are read."""
        self._unordered = rules.unordered
        self._similar = rules.similar
        self._content = Content(unordered=rules.unordered, significant_digits=rules.significant_digits)
        self._likenesses = MAX_LIKENESSES
        self._most = most

    def features(self, outputs: Iterable[Iterable[Part]]) -> Iterator[tuple[Path, Runs]]:
        """Each feature with its path, of the parts of each run's output; those nearest to the top first."""
        runs = [self._read(parts) for parts in outputs]
        for path in sorted({path for run in runs for path in run}, key=_top_first):
            values = [run.get(path, []) for run in runs]
            if any(each != values[0] for each in values):
                for feature in dict.fromkeys(self._at(values)):
                    yield path, feature

    def _read(self, parts: Iterable[Part]) -> dict[Path, list[Any]]:
        """The values at each path; several at one path if they are elements of a list without an order."""
        found: dict[Path, list[Any]] = defaultdict(list)
        waiting = deque(parts)
        for _ in range(self._most):
            if not waiting:
                break
            part = waiting.popleft()
            if isinstance(part.value, dict | list | tuple):
                found[part.path].append(_Container(kind(part.value), len(part.value)))
                waiting += islice(self._below(part), self._most)
            else:
                found[part.path].append(self._content.of(part.value))
        return found

    def _below(self, part: Part) -> Iterator[Part]:
        """The parts of a list or mapping; those of a list without an order have one path."""
        is_mapping = isinstance(part.value, dict)
        for step, value in part.value.items() if is_mapping else enumerate(part.value):
            left_out = part.left_out.below(step)
            if left_out is not None:
                yield Part((*part.path, "*" if self._unordered and not is_mapping else step), value, left_out)

    def _at(self, values: Sequence[list[Any]]) -> Iterator[Runs]:
        """The features at one path."""
        firsts: dict[str, str] = {}
        merged = [[self._first_similar(value, firsts) for value in each] for each in values]
        singles = [each[0] if len(each) == 1 else None for each in merged]
        yield from _repeated([Counter(map(_label, each)) for each in merged])
        yield from _repeated([Counter(map(_kind, each)) for each in merged])
        lengths = [log(len(each)) if isinstance(each, str) and each else None for each in singles]
        yield from _above(lengths, least_gap=log(FAR))
        yield from _above([_number(each) for each in singles])

    def _first_similar(self, value: Any, firsts: dict[str, str]) -> Any:
        """The first text that is similar to a value, if the rules allow similar texts; else, the value.

        `firsts` has it for each text so far.
        """
        if self._similar is None or not isinstance(value, str):
            return value
        if value in firsts or self._likenesses <= 0:
            return firsts.get(value, value)
        known = dict.fromkeys(firsts.values())
        firsts[value] = next(
            (first for first in known if self._are_similar(value, first, self._similar)), value
        )
        return firsts[value]

    def _are_similar(self, one: str, other: str, least: float) -> bool:
        self._likenesses -= 1
        return self._likenesses >= 0 and likeness(_excerpt(one), _excerpt(other), least) >= least


def _repeated(labels: Sequence[Counter[Hashable]]) -> Iterator[Runs]:
    """A feature for each label that several runs have."""
    runs: dict[Hashable, int] = Counter()
    for at, label in enumerate(labels):
        runs[frozenset(label.items())] |= 1 << at
    return (feature for feature in runs.values() if feature.bit_count() >= FEWEST)


def _above(numbers: Sequence[float | None], least_gap: float = 0) -> Iterator[Runs]:
    """The runs above the widest gap between numbers; without a least gap, also those above the median."""
    known = sorted({number for number in numbers if number is not None})
    if len(known) < 2:
        return
    gap, limit = max((high - low, low) for low, high in pairwise(known))
    limits = [limit] if least_gap else [limit, median_low(number for number in numbers if number is not None)]
    for each in limits if gap > least_gap else ():
        yield sum(1 << at for at, number in enumerate(numbers) if number is not None and number > each)


def _top_first(path: Path) -> tuple[int, list[tuple[bool, str | int]]]:
    return len(path), [(isinstance(step, str), step) for step in path]


def _label(value: Any) -> Hashable:
    return (value.kind,) if isinstance(value, _Container) else key(value)


def _kind(value: Any) -> str:
    """The type of a value; a text without a visible character has a type of its own."""
    if isinstance(value, _Container):
        return value.kind
    return "blank" if isinstance(value, str) and not value.strip() else kind(original(value))


def _number(value: Any) -> float | None:
    """The number, rounded as the rules say, or the length of a list; else, or if too large, None."""
    if isinstance(value, _Container):
        return value.length if value.kind == "a list" else None
    number = key(value)
    return number if isinstance(number, int | float) and abs(number) < MAX_NUMBER else None


def _excerpt(text: str) -> str:
    """The text, or its beginning, middle and end if it is long."""
    third = MAX_EXCERPT // 3
    if len(text) <= MAX_EXCERPT:
        return text
    middle = (len(text) - third) // 2
    return text[:third] + text[middle : middle + third] + text[-third:]
