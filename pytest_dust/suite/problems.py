"""The mistakes of one suite file, noted with their places while it is read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pytest_dust.model import Path, Place, Problem
from pytest_dust.suite import references, yaml_reader
from pytest_dust.wording import kind

MAX_ROWS = 5
"""Rows of a dataset for which the same place of a suite is told to be wrong; more are counted."""


class Invalid(Exception):
    """A value cannot be used; noted already."""


@dataclass(slots=True)
class Problems:
    """Where everything in a document stands, and what is wrong with it so far.

    `row` is the row of a dataset that is being read, such as `questions.jsonl:17`.
    """

    document: yaml_reader.Document
    found: list[Problem] = field(default_factory=list)
    row: str = ""
    stand_in: references.StandIn | None = None
    """What is filled in for variables that are not set; nothing if they must be set."""
    as_text: set[Place] = field(default_factory=set)
    """Where a number is read as the text it is written as."""
    _room: references.Room = field(default_factory=references.Room)
    _unfilled: set[tuple[Place, str]] = field(default_factory=set)
    _rows: Counter[Place] = field(default_factory=Counter)

    def add(self, path: Path, message: str, *, key: bool = False) -> None:
        """Note a mistake at the value, or the key, to which `path` leads."""
        place = self.document.place(path, key=key)
        if (place, self.row) in self._unfilled:
            return  # a reference there could not be filled in, which is told already
        if self.row:
            self._rows[place] += 1
            if self._rows[place] > MAX_ROWS:
                return
            message = f"{message} (row {self.row})"
        self.found.append(Problem(place, message))

    def invalid(self, path: Path, message: str, *, key: bool = False) -> Invalid:
        """Note a mistake and give what to raise for it."""
        self.add(path, message, key=key)
        return Invalid()

    def fill(self, value: Any, path: Path, look_up: references.LookUp) -> Any:
        """The value at `path` with its references filled in; what is at a bad one is noted once.

        Raises Invalid where the file's values become too large.
        """
        try:
            filled, wrong = references.fill(value, look_up, self._room, self.stand_in)
        except references.TooMuchError:
            most = references.MAX_FILLED // 1024 // 1024
            what = f"filled in, the values of this file take more than {most} MB"
            raise self.invalid(path, f"{what}; make fewer cases, or refer to less text") from None
        for below, message in wrong:
            self.add((*path, *below), message)
            self._unfilled.add((self.document.place((*path, *below)), self.row))
        return filled

    def text(self, value: Any, path: Path, what: str) -> str:
        """A text; a number is taken as the text it is written as, since ids may look like numbers."""
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
        """Every mistake, with the number of rows that were not told one by one."""
        more = [
            Problem(place, f"… and {count - MAX_ROWS:,} more rows are wrong in this place")
            for place, count in self._rows.items()
            if count > MAX_ROWS
        ]
        large = [each for each in self.document.too_large if each.place not in self.as_text]
        return self.found + large + more
