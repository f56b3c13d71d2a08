"""JSON text read strictly: only what can be written as text again and read as the same value."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pytest_dust.model import Path

MAX_DIGITS = 4300
"""Digits of a whole number that every Python reads by default."""
INFINITE = float("inf")
MAX_DEPTH = 200
"""Levels of nesting in an answer; no app comes near it, and Python's stack holds it."""


class NumberError(ValueError):
    """JSON text has a number that cannot be written as JSON again: NaN, infinite, or of too many digits."""

    def __init__(self, number: OddNumber) -> None:
        """Name the number."""
        super().__init__(f"it holds {number}, which JSON text cannot give back")
        self.number = number


@dataclass(frozen=True, slots=True)
class OddNumber:
    """Such a number as it is written."""

    text: str

    def __str__(self) -> str:
        """The number, cut where it is long."""
        return self.text if len(self.text) <= 24 else f"{self.text[:12]}… ({len(self.text):,} characters)"


def decode(text: str) -> Any:
    """The value of a JSON text; raises NumberError for an odd number and ValueError for what is not JSON."""
    try:
        return _STRICT.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        raise _number_error(decode_loosely(text)) from None  # a text that is not JSON besides raises here


def decode_at(text: str, at: int) -> tuple[Any, int]:
    """The JSON value that begins at an index of a text, and the index behind it; raises as `decode` does."""
    try:
        return _STRICT.raw_decode(text, at)
    except json.JSONDecodeError:
        raise
    except ValueError:
        raise _number_error(_LOOSE.raw_decode(text, at)[0]) from None


def _number_error(value: Any) -> NumberError:
    _, number = next(odd_numbers(value))
    return NumberError(number)


def decode_loosely(text: str) -> Any:
    """JSON text as a value with an OddNumber for each number that `decode` refuses."""
    return _LOOSE.decode(text)


def odd_numbers(value: Any, path: Path = ()) -> Iterator[tuple[Path, OddNumber]]:
    """The odd numbers in a value, and where they stand."""
    if isinstance(value, OddNumber):
        yield path, value
        return
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, part in parts:
        yield from odd_numbers(part, (*path, step))


def ordered(value: Any, depth: int = MAX_DEPTH) -> Any:
    """The value with the keys of every mapping sorted, as cassettes keep it and runs are read.

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
    return int(text)  # a ValueError where the environment lets Python read fewer digits


def _constant(_text: str) -> Any:
    raise ValueError


def _loosely(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """A reader of numbers that gives an OddNumber where `read` refuses."""

    def loose(text: str) -> Any:
        try:
            return read(text)
        except ValueError:
            return OddNumber(text)

    return loose


_BOUNDED = 0 < sys.get_int_max_str_digits() <= MAX_DIGITS
"""Whether Python itself refuses longer whole numbers, in a third of the time that `_whole` takes."""
_STRICT = json.JSONDecoder(
    parse_float=_fraction, parse_int=None if _BOUNDED else _whole, parse_constant=_constant
)
_LOOSE = json.JSONDecoder(
    parse_float=_loosely(_fraction), parse_int=_loosely(_whole), parse_constant=OddNumber
)
