"""JSON read strictly, JSON's sense of equality, and where two values differ (DeepDiff, in one function)."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_dust.model import MISSING, Change, Path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_ALIGNED = 2_000
"""Elements of a list that are lined up by content; longer lists are compared by position."""
MAX_PAIRS = 20_000
"""Pairs of equal elements among which to choose; with more (much repetition), DeepDiff takes minutes."""


def decode(text: str) -> Any:
    """JSON text as a value; raises ValueError for what is none, `NaN` and `Infinity` included."""
    return _DECODER.decode(text)


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_number)


def equal(left: Any, right: Any) -> bool:
    """Whether two values are the same JSON: `1` equals `1.0`, never `true`; the order of keys is nothing."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(equal, left, right))
    return bool(left == right)


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[Change]:
    """Where two JSON values differ, top to bottom, the smallest differing parts one at a time."""
    if equal(old, new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from differences(old.get(key, MISSING), new.get(key, MISSING), (*path, key))
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple):
        yield from _list_differences(old, new, path)
    else:
        yield Change(path, old, new)


def _list_differences(old: Sequence[Any], new: Sequence[Any], path: Path) -> Iterator[Change]:
    start = _common(zip(old, new, strict=False))
    shortest = min(len(old), len(new)) - start
    end = min(shortest, _common(zip(reversed(old), reversed(new), strict=False)))
    left, right = old[start : len(old) - end], new[start : len(new) - end]
    for position, there, here in _aligned(left, right):
        yield from differences(there, here, (*path, start + position))


def _common(pairs: Iterator[tuple[Any, Any]]) -> int:
    """How many of the first pairs are equal."""
    count = 0
    for left, right in pairs:
        if not equal(left, right):
            break
        count += 1
    return count


def _aligned(old: Sequence[Any], new: Sequence[Any]) -> list[tuple[int, Any, Any]]:
    """Differing elements as (position, old, new), lined up by content: an insertion shifts nothing."""
    if not old or not new or max(len(old), len(new)) > MAX_ALIGNED:
        return _by_position(old, new)
    # Elements as canonical text: DeepDiff lines up only hashable ones by content, and takes true for 1.
    before, after = [_canonical(element) for element in old], [_canonical(element) for element in new]
    times = Counter(after)
    if sum(times[text] for text in before) > MAX_PAIRS:
        return _by_position(old, new)
    from deepdiff import DeepDiff  # 95 ms, so at the first mismatch only

    tree = DeepDiff(before, after, view="tree", threshold_to_diff_deeper=0)
    found: list[tuple[int, Any, Any]] = []
    for level in (level for levels in tree.values() for level in levels):
        there = _index(level, use_t2=False) if _present(level.t1) else None
        here = _index(level, use_t2=True) if _present(level.t2) else None
        position = there if here is None else here
        found.append((position or 0, _element(old, there), _element(new, here)))
    return sorted(found, key=lambda entry: entry[0])


def _by_position(old: Sequence[Any], new: Sequence[Any]) -> list[tuple[int, Any, Any]]:
    return [(at, _element(old, at), _element(new, at)) for at in range(max(len(old), len(new)))]


def _element(values: Sequence[Any], at: int | None) -> Any:
    return values[at] if at is not None and at < len(values) else MISSING


def _present(value: object) -> bool:
    return isinstance(value, str)  # every element is canonical text; DeepDiff's `not present` is not


def _index(level: Any, *, use_t2: bool) -> int:
    steps: list[int] = level.path(output_format="list", use_t2=use_t2)
    return steps[0]


def _canonical(value: Any) -> str:
    return json.dumps(_plain_numbers(value), sort_keys=True)


def _plain_numbers(value: Any) -> Any:
    """The value with `1.0` written as `1`, as JSON's equality has it."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list | tuple):
        return [_plain_numbers(element) for element in value]
    if isinstance(value, dict):
        return {key: _plain_numbers(element) for key, element in value.items()}
    return value
