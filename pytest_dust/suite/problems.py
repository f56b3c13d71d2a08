"""Collect the mistakes of a suite file, with their places."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pytest_dust.model import Path, Place, Problem
from pytest_dust.suite import references, yaml_reader
from pytest_dust.wording import kind

MAX_ROWS = 5
"""Maximum number of rows of a dataset that are reported for the same place of a suite; others are counted."""


class Invalid(Exception):
    """A value cannot be used; its mistake is in Problems already."""


@dataclass(slots=True)
class Problems:
    """The mistakes that were found so far in a document."""

    document: yaml_reader.Document
    found: list[Problem] = field(default_factory=list)
    row: str = ""
    """The row of a dataset that is being read, such as `questions.jsonl:17`."""
    stand_in: references.StandIn | None = None
    """What is filled in for variables that are not set; None if they must be set."""
    as_text: set[Place] = field(default_factory=set)
    """The places of numbers that are read as the texts they are written as."""
    _size: references.SizeLimit = field(default_factory=references.SizeLimit)
    _unfilled: set[tuple[Place, str]] = field(default_factory=set)
    _rows: Counter[Place] = field(default_factory=Counter)

    def add(self, path: Path, message: str, *, key: bool = False) -> None:
        """Add a mistake at the value, or the key, at `path`."""
        place = self.document.place(path, key=key)
        if (place, self.row) in self._unfilled:
            return  # a reference there could not be filled in, which is reported already
        if self.row:
            self._rows[place] += 1
            if self._rows[place] > MAX_ROWS:
                return
            message = f"{message} (row {self.row})"
        self.found.append(Problem(place, message))

    def invalid(self, path: Path, message: str, *, key: bool = False) -> Invalid:
        """Add a mistake; returns the exception to raise for it."""
        self.add(path, message, key=key)
        return Invalid()

    def fill(self, value: Any, path: Path, look_up: references.LookUp) -> Any:
        """The value at `path` with its references filled in; adds a mistake for each that cannot be.

        Raises Invalid if the values of the file become too large.
        """
        try:
            filled, wrong = references.fill(value, look_up, self._size, self.stand_in)
        except references.TooMuchError:
            most = references.MAX_FILLED // 1024 // 1024
            what = f"filled in, the values of this file take more than {most} MB"
            raise self.invalid(path, f"{what}; make fewer cases, or refer to less text") from None
        for below, message in wrong:
            self.add((*path, *below), message)
            self._unfilled.add((self.document.place((*path, *below)), self.row))
        return filled

    def text(self, value: Any, path: Path, what: str) -> str:
        """The text at `path`; a number is read as it is written, since ids may look like numbers."""
        if isinstance(value, str) and value:
            return value
        written = self.document.written(path)
        if written is not None:
            self.as_text.add(self.document.place(path))
            return written
        if value == "":
            otherwise = ", or leave it out" if path[-1] in ("workspace", "space") else ""
            raise self.invalid(path, f"{what} is empty; give it a value{otherwise}")
        raise self.invalid(path, f"{what} is text, not {kind(value)}")

    def all(self) -> list[Problem]:
        """All mistakes, with the number of rows that were not reported one by one."""
        more = [
            Problem(place, f"… and {count - MAX_ROWS:,} more rows are wrong in this place")
            for place, count in self._rows.items()
            if count > MAX_ROWS
        ]
        large = [each for each in self.document.too_large if each.place not in self.as_text]
        return self.found + large + more
