"""The limit to the cases and attempts of a suite file."""

from __future__ import annotations

from typing import NamedTuple

MAX_CASES = 100_000
"""Maximum number of cases in one file; a repeated case counts once for each attempt."""
MAX_SHOWN = 10**15
"""Numbers from here on are shown as a power of ten."""


class Size(NamedTuple):
    """The size of one written case: rows times combinations give its cases, each with some attempts."""

    rows: int | None = None
    combinations: int | None = None
    attempts: int = 1

    @property
    def runs(self) -> int:
        """The number of attempts of all the cases."""
        rows = 1 if self.rows is None else self.rows
        return rows * (1 if self.combinations is None else self.combinations) * self.attempts

    @property
    def key(self) -> str:
        """The key that contributes most to the number; an empty text for a single case."""
        found = {"dataset": self.rows or 0, "matrix": self.combinations or 0, "repeat": self.attempts - 1}
        most = max(found, key=lambda key: found[key])
        return most if found[most] else ""

    def refusal(self, total: int) -> str:
        """The message for a file that has `total` runs with this case, which are too many."""
        parts = [] if self.rows is None else [f"{_number(self.rows)} rows"]
        parts += [] if self.combinations is None else [f"{_number(self.combinations)} combinations"]
        parts += [] if self.attempts == 1 else [f"{self.attempts:,} attempts"]
        unit = "cases" if self.attempts == 1 else "runs"
        gives = f"{' by '.join(parts)} give {_number(self.runs)} {unit}" if parts else f"one more {unit[:-1]}"
        before = f", with those before {_number(total)}" if total != self.runs else ""
        return f"{gives}{before}; a suite file may have {MAX_CASES:,}: make fewer, or split the file"


def _number(count: int) -> str:
    """A number; a very large one as a power of ten."""
    return f"{count:,}" if count < MAX_SHOWN else f"about 10^{int((count.bit_length() - 1) * 0.30103)}"
