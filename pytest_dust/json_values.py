"""Read JSON text strictly: only values that can be written as JSON text and read again unchanged."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from pytest_dust.model import Path

MAX_DIGITS = 4300
"""Maximum number of digits of an integer that every Python reads by default."""
INFINITE = float("inf")
MAX_DEPTH = 200
"""Maximum depth of nesting, far above that of real answers and far below the limit of Python's stack."""


class NumberError(ValueError):
    """JSON text has a number that cannot be written back to JSON: NaN, infinite, or of too many digits."""

    def __init__(self, number: UnwritableNumber) -> None:
        """Keep the number, and name it in the message."""
        super().__init__(f"it holds {number}, which cannot be written back to JSON")
        self.number = number


class UnwritableNumber(Struct, frozen=True):
    """A number that cannot be written back to JSON, as text."""

    text: str

    def __str__(self) -> str:
        """Return the number, shortened."""
        return self.text if len(self.text) <= 24 else f"{self.text[:12]}… ({len(self.text):,} characters)"


def decode(text: str) -> Any:
    """Return the value of a JSON text; raises NumberError, or ValueError if it is no JSON."""
    try:
        return _STRICT.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # Raises JSONDecodeError if the text is no JSON for other reasons.
        raise _number_error(decode_loosely(text)) from None


def decode_at(text: str, at: int) -> tuple[Any, int]:
    """Return the JSON value that starts at an index of a text, and the index after it; raises as `decode`."""
    try:
        return _STRICT.raw_decode(text, at)
    except json.JSONDecodeError:
        raise
    except ValueError:
        raise _number_error(_LOOSE.raw_decode(text, at)[0]) from None


def _number_error(value: Any) -> NumberError:
    _, number = next(unwritable_numbers(value))
    return NumberError(number)


def decode_loosely(text: str) -> Any:
    """Return the value of a JSON text, with an UnwritableNumber for each number that `decode` refuses."""
    return _LOOSE.decode(text)


def unwritable_numbers(value: Any, path: Path = ()) -> Iterator[tuple[Path, UnwritableNumber]]:
    """Yield the unwritable numbers in a value, each after its path."""
    if isinstance(value, UnwritableNumber):
        yield path, value
        return
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, part in parts:
        yield from unwritable_numbers(part, (*path, step))


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
    raise ValueError


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError
    return int(text)  # raises ValueError if Python is set to read fewer digits


def _constant(_text: str) -> Any:
    raise ValueError


def _loosely(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a function that reads a number, or returns an UnwritableNumber if `read` raises."""

    def loose(text: str) -> Any:
        try:
            return read(text)
        except ValueError:
            return UnwritableNumber(text)

    return loose


_BOUNDED = 0 < sys.get_int_max_str_digits() <= MAX_DIGITS
"""True if Python itself refuses longer integers, which takes a third of the time of `_whole`."""
_STRICT = json.JSONDecoder(
    parse_float=_fraction, parse_int=None if _BOUNDED else _whole, parse_constant=_constant
)
_LOOSE = json.JSONDecoder(
    parse_float=_loosely(_fraction), parse_int=_loosely(_whole), parse_constant=UnwritableNumber
)
