"""Read JSON text strictly: only values that can be written as JSON text and read again unchanged."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pytest_dust.model import Path

MAX_DIGITS = 4300
"""Maximum number of digits of an integer that every Python reads by default."""
INFINITE = float("inf")
MAX_DEPTH = 200
"""Maximum depth of nesting, far above that of real answers and far below the limit of Python's stack."""


class NumberError(ValueError):
    """JSON text holds a number that cannot be written again: NaN, infinity, or one with too many digits."""


@dataclass(frozen=True, slots=True)
class OddNumber:
    """A number that raises NumberError, as text."""

    text: str

    def __str__(self) -> str:
        """Return the number, shortened."""
        return self.text if len(self.text) <= 24 else f"{self.text[:12]}… ({len(self.text):,} characters)"


def decode(text: str) -> Any:
    """Return the value of JSON text; raises NumberError for an odd number, ValueError if it is no JSON."""
    try:
        return _STRICT.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        _, number = next(odd_numbers(decode_loosely(text)))  # raises if the text is no JSON for other reasons
        raise NumberError(f"it holds {number}, which JSON text cannot give back") from None


def decode_loosely(text: str) -> Any:
    """Return the value of JSON text, with an OddNumber for each number that `decode` refuses."""
    return _LOOSE.decode(text)


def odd_numbers(value: Any, path: Path = ()) -> Iterator[tuple[Path, OddNumber]]:
    """Yield the odd numbers in a value, each after its path."""
    if isinstance(value, OddNumber):
        yield path, value
        return
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, part in parts:
        yield from odd_numbers(part, (*path, step))


def ordered(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Return a value with the keys of every mapping sorted, as in cassettes and runs.

    Raises RecursionError for a value nested deeper than MAX_DEPTH.
    """
    if not depth:
        raise RecursionError
    if isinstance(value, dict):
        return {key: ordered(value[key], depth - 1) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [ordered(each, depth - 1) for each in value]
    return value


def _fraction(text: str) -> float:
    number = float(text)
    if -INFINITE < number < INFINITE:
        return number
    raise NumberError


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise NumberError
    return int(text)  # raises ValueError if Python is set to read fewer digits


def _constant(_text: str) -> Any:
    raise NumberError


def _loosely(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a function that reads a number, or returns an OddNumber if `read` raises."""

    def loose(text: str) -> Any:
        try:
            return read(text)
        except ValueError:
            return OddNumber(text)

    return loose


_BOUNDED = 0 < sys.get_int_max_str_digits() <= MAX_DIGITS
"""True if Python itself refuses longer integers, which takes a third of the time of `_whole`."""
_STRICT = json.JSONDecoder(
    parse_float=_fraction, parse_int=None if _BOUNDED else _whole, parse_constant=_constant
)
_LOOSE = json.JSONDecoder(
    parse_float=_loosely(_fraction), parse_int=_loosely(_whole), parse_constant=OddNumber
)
