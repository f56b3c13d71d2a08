"""JSON values, paths and texts for people: one line each, bounded, and safe to print anywhere."""

from __future__ import annotations

import json
import re
from typing import Any

from pytest_dust.checks.paths import show_step
from pytest_dust.model import MISSING, Path

ROOM = 200
"""Characters of one value in a report."""
BEFORE = 40
"""Characters shown before the place where two long texts begin to differ."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": "))
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def show(value: object, room: int = ROOM) -> str:
    """The value as one line of JSON, cut to `room` characters; `nothing` where there is none."""
    if value is MISSING:
        return "nothing"
    if isinstance(value, str) and len(value) > room:
        return _part(value, 0, room)
    text = _bounded_json(value, room)
    return safe(text if len(text) <= room else f"{text[:room]}…")


def contrast(old: object, new: object, room: int = ROOM) -> tuple[str, str]:
    """Two values as `show` gives them, but of long texts the part that differs."""
    if isinstance(old, str) and isinstance(new, str) and max(len(old), len(new)) > room:
        start = max(0, _first_difference(old, new) - BEFORE)
        return _part(old, start, room), _part(new, start, room)
    return show(old, room), show(new, room)


def show_path(path: Path, before: str = "") -> str:
    """A path as JMESPath writes it, below the path `before`."""
    for step in path:
        before += show_step(step, first=not before)
    return safe(before)


def safe(text: str) -> str:
    """The text without control characters, which terminals obey and XML refuses."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def plural(count: int, noun: str) -> str:
    """`1 case`, `2 cases`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _bounded_json(value: object, room: int) -> str:
    """The beginning of the value's JSON, without writing out what will not be shown."""
    parts: list[str] = []
    length = 0
    for part in _ENCODER.iterencode(_shallow(value, room)):
        parts.append(part)
        length += len(part)
        if length > room:
            break
    return "".join(parts)


def _shallow(value: Any, room: int) -> Any:
    """Texts inside the value cut, so that none is encoded whole only to be cut afterwards."""
    if isinstance(value, str):
        return value[: room + 1]
    if isinstance(value, list):
        return [_shallow(each, room) for each in value[: room + 1]]
    if isinstance(value, dict):
        return {key: _shallow(each, room) for key, each in list(value.items())[: room + 1]}
    return value


def _part(text: str, start: int, room: int) -> str:
    end = start + room
    shown = _ENCODER.encode(text[start:end])
    before, after = "…" if start else "", "…" if end < len(text) else ""
    return safe(f"{before}{shown}{after} ({len(text):,} characters)")


def _first_difference(old: str, new: str) -> int:
    """How many characters two texts share at their beginning."""
    low, high = 0, min(len(old), len(new))
    while low < high:
        middle = (low + high + 1) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
