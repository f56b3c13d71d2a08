"""Read the JSON files that matchers name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_dust.checks.binding import ArgumentError, Here
from pytest_dust.files.sources import UnreadableError

MAX_BYTES = 8 * 1024 * 1024
"""Maximum size of a file, larger than any schema or answer needs."""


def loaded(name: str, here: Here, decode: Callable[[str], Any]) -> Any:
    """The value in a JSON file beside the suite; raises ArgumentError."""
    try:
        source = here.read(name, MAX_BYTES)
    except UnreadableError as error:
        raise ArgumentError(f"cannot read {name[:100]} beside the suite: {error}") from None
    if len(source) > MAX_BYTES:
        raise ArgumentError(f"{name[:100]} is larger than {MAX_BYTES // 1024 // 1024} MB; split it")
    try:
        return decode(source.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ArgumentError(f"{name[:100]} is not JSON: {str(error)[:100]}") from None
