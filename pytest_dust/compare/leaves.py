"""Read the outputs of one block in several runs as leaves, and measure how far the runs are apart at each.

A leaf is one thing that can be compared by itself, such as the text at a path, its length or its type. Its
distances are one number for each pair of runs, in the order of `combinations`: 0 if both are equal there,
SCALE if they are unlike, and between these for numbers. The work is bounded whatever the outputs.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from itertools import chain, combinations
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeGuard

from pytest_dust.compare.content import Content, Part, key, original
from pytest_dust.compare.similarity import likeness
from pytest_dust.compare.versions import SCALE
from pytest_dust.wording import kind

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from pytest_dust.compare.content import Compared
    from pytest_dust.compare.left_out import LeftOut
    from pytest_dust.compare.versions import Distances
    from pytest_dust.model import Baseline, Path

Bag: TypeAlias = "tuple[Compared, ...]"
"""What one run has at a path: nothing, one value, or several where the order of a list is ignored."""

MAX_NODES = 50
"""Maximum number of paths of one block whose values are compared, those nearest to the top first."""
MAX_LIKENESSES = 2_000
"""Maximum number of pairs of texts compared with `similar`; each takes 0.1 ms. Later ones match if equal."""
MAX_EXCERPT = 1_500
"""Maximum number of characters of a text compared with `similar`, from its beginning, middle and end."""
FAR = 1.5
"""Two texts differ in length if one is more than this many times as long as the other."""
MAX_NUMBER = 1e300
"""Numbers from this on are only equal or not, as their differences may have no float."""


class Leaf(NamedTuple):
    """One thing to compare in all runs: the path's steps, whether it is a value, and the distances."""

    path: Path
    is_value: bool
    """True for a value; False for what follows from values, such as a type or a length."""
    distances: Distances


class LeafReader:
    """Reads blocks' outputs as leaves by the rules of a suite; one reader bounds the work for all blocks."""

    def __init__(self, rules: Baseline, parts: int) -> None:
        """Take the rules, and the maximum number of parts of an output that are compared."""
        self._unordered = rules.unordered
        self._similar = rules.similar
        self._content = Content(unordered=rules.unordered, significant_digits=rules.significant_digits)
        self._likenesses = MAX_LIKENESSES
        self._parts = parts

    def leaves(self, values: Sequence[Any], left_out: Sequence[LeftOut]) -> Iterator[Leaf]:
        """The leaves at which runs differ, of one value per run; those nearest to the top first."""
        whole = [_shortened(value, self._parts) for value in values]
        read: list[Bag] = [(self._content.of(*pair),) for pair in zip(whole, left_out, strict=True)]
        nodes: deque[tuple[Path, list[Bag]]] = deque([((), read)])
        for _ in range(MAX_NODES):
            if not nodes:
                return
            path, bags = nodes.popleft()
            yield from self._at(path, bags)
            nodes += [((*path, step), below) for step, below in self._children(bags) if _differ(below)]

    def _at(self, path: Path, bags: list[Bag]) -> Iterator[Leaf]:
        """The leaves of one path: the values without parts, their types, and the lengths."""
        if found := self._values(bags):
            yield Leaf(path, is_value=True, distances=found)
        for measured in (_kinds(bags), _lengths_of_texts(bags), _lengths_of_lists(bags)):
            if measured:
                yield Leaf(path, is_value=False, distances=measured)

    def _values(self, bags: list[Bag]) -> Distances | None:
        numbers = [_number(bag) for bag in bags]
        labels = [_label(bag) for bag in bags]
        if any(number is not None for number in numbers):
            return _by_number(numbers, labels)
        texts = [text for bag in bags if (text := _text(bag)) is not None]
        if self._similar is not None and len(set(texts)) > 1:
            self._likenesses -= math.comb(len(set(texts)), 2)
            if self._likenesses >= 0:
                return _by_similarity([_text(bag) for bag in bags], labels, self._similar)
        return by_label(labels)

    def _children(self, bags: list[Bag]) -> Iterator[tuple[str | int, list[Bag]]]:
        """The parts of the values by step; the elements of lists whose order is ignored have one step."""
        mappings = [[part.parts for part in bag if _is_mapping(part)] for bag in bags]
        for name in sorted({name for each in chain(*mappings) for name in each}, key=str):
            yield name, [tuple(each[name] for each in found if name in each) for found in mappings]
        lists = [[part.parts for part in bag if _is_list(part)] for bag in bags]
        if self._unordered:
            yield "*", [tuple(chain(*found)) for found in lists]
            return
        for at in range(max(map(len, chain(*lists)), default=0)):
            yield at, [tuple(each[at] for each in found if at < len(each)) for found in lists]


# ── distances ────────────────────────────────────────────────────────────────────────────────────


def by_label(labels: Sequence[Hashable]) -> Distances | None:
    """The distances of runs that are unlike if their labels differ; None if all pairs are the same."""
    if len(set(labels)) in (1, len(labels)):
        return None
    return tuple(SCALE * (one != other) for one, other in combinations(labels, 2))


def _by_number(numbers: Sequence[float | None], labels: Sequence[Hashable]) -> Distances | None:
    """The distances of numbers as shares of their range; others are unlike if their labels differ."""
    known = [number for number in numbers if number is not None]
    width = max(known) - min(known)
    if not width:
        return by_label(labels)
    return tuple(
        SCALE * (label != other) if one is None or two is None else round(SCALE * abs(one - two) / width)
        for (one, label), (two, other) in combinations(zip(numbers, labels, strict=True), 2)
    )


def _by_similarity(texts: Sequence[str | None], labels: Sequence[Hashable], least: float) -> Distances | None:
    """The distances of texts that are unlike if they are not similar; others, if their labels differ."""
    cut = [None if text is None else _excerpt(text) for text in texts]
    known: dict[tuple[str, str], bool] = {}

    def are_alike(one: int, two: int) -> bool:
        first, second = cut[one], cut[two]
        if labels[one] == labels[two] or first is None or second is None:
            return labels[one] == labels[two]
        if (first, second) not in known:
            known[first, second] = likeness(first, second, least) >= least
        return known[first, second]

    return _unless_constant(SCALE * (not are_alike(*pair)) for pair in combinations(range(len(texts)), 2))


def _kinds(bags: Sequence[Bag]) -> Distances | None:
    """The distances by type; an empty text has a type of its own."""
    return by_label([tuple(sorted(Counter(map(_kind, bag)))) for bag in bags])


def _lengths_of_texts(bags: Sequence[Bag]) -> Distances | None:
    """The distances by length of text: only lengths that are far from each other differ."""
    lengths = [None if text is None else len(text) for text in map(_text, bags)]
    pairs = combinations(lengths, 2)
    return _unless_constant(SCALE * (one != two and _are_far(one, two)) for one, two in pairs)


def _are_far(one: int | None, two: int | None) -> bool:
    return one is None or two is None or max(one, two) > FAR * min(one, two)


def _lengths_of_lists(bags: Sequence[Bag]) -> Distances | None:
    """The distances by length of list, as shares of the range of the lengths."""
    lengths = [len(bag[0].parts) if len(bag) == 1 and _is_list(bag[0]) else None for bag in bags]
    return None if all(each is None for each in lengths) else _by_number(lengths, lengths)


def _unless_constant(distances: Iterable[int]) -> Distances | None:
    """The distances; None if all pairs are the same, as these tell no runs apart."""
    found = tuple(distances)
    return found if len(set(found)) > 1 else None


# ── what runs have at a path ─────────────────────────────────────────────────────────────────────


def _differ(bags: Sequence[Bag]) -> bool:
    first = _key(bags[0])
    return any(_key(bag) != first for bag in bags)


def _key(bag: Bag) -> Hashable:
    return key(bag[0]) if len(bag) == 1 else frozenset(Counter(map(key, bag)).items())


def _label(bag: Bag) -> Hashable:
    """What identifies a value without parts; all mappings have one label, as all lists have."""
    return frozenset(Counter(_kind(part) if _has_parts(part) else (key(part),) for part in bag).items())


def _kind(part: Compared) -> str:
    return "blank" if isinstance(part, str) and not part.strip() else kind(original(part))


def _text(bag: Bag) -> str | None:
    return bag[0] if len(bag) == 1 and isinstance(bag[0], str) else None


def _number(bag: Bag) -> float | None:
    """The number, rounded as the rules say; None for what is no number, or too large a one."""
    number = key(bag[0]) if len(bag) == 1 else None
    return number if isinstance(number, int | float) and abs(number) < MAX_NUMBER else None


def _has_parts(part: Compared) -> bool:
    return isinstance(part, Part) and isinstance(part.parts, dict | list | tuple)


def _is_mapping(part: Compared) -> TypeGuard[Part]:
    return isinstance(part, Part) and isinstance(part.parts, dict)


def _is_list(part: Compared) -> TypeGuard[Part]:
    return isinstance(part, Part) and isinstance(part.parts, list | tuple)


# ── shortening ───────────────────────────────────────────────────────────────────────────────────


def _excerpt(text: str) -> str:
    """The text, or its beginning, middle and end if it is long."""
    third = MAX_EXCERPT // 3
    if len(text) <= MAX_EXCERPT:
        return text
    middle = (len(text) - third) // 2
    return text[:third] + text[middle : middle + third] + text[-third:]


def _shortened(value: Any, most: int) -> Any:
    """The value, or about `most` of its parts if it has more."""
    return _cut(value, most) if _has_more_parts(value, most) else value


def _has_more_parts(value: Any, most: int) -> bool:
    count, waiting = 0, [value]
    while waiting and count <= most:
        each = waiting.pop()
        if isinstance(each, dict | list | tuple):
            count += len(each)
            waiting += each.values() if isinstance(each, dict) else each
    return count > most


def _cut(value: Any, most: int) -> Any:
    """The first `most` parts of a value, each with an equal share of what remains; ends with their number."""
    if not isinstance(value, dict | list | tuple):
        return value
    share = (most - len(value)) // len(value) if value else 0
    if isinstance(value, dict):
        kept = {name: _cut(each, share) for name, each in list(value.items())[: max(most, 0)]}
        return kept if len(kept) == len(value) else {**kept, "": f"{len(value)} parts"}
    kept_elements = [_cut(each, share) for each in value[: max(most, 0)]]
    return kept_elements if len(kept_elements) == len(value) else [*kept_elements, f"{len(value)} parts"]
