"""The runs and tokens that a session may use, counted while it uses them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from pytest_dust.errors import ServiceError

SHARED = ("take", "note", "refuse")
"""The methods of a budget that other processes may call."""


@dataclass(slots=True)
class Budget:
    """The ceilings of a session, and what is used so far; None is no ceiling."""

    max_runs: int | None = None
    max_tokens: int | None = None
    runs: int = 0
    tokens: int = 0
    unknown: int = 0
    """Runs whose tokens the service does not report, or only in part."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def take(self) -> None:
        """Count a run; raises ServiceError if a ceiling is reached."""
        with self._lock:
            self._refuse_more()
            self.runs += 1

    def _refuse_more(self) -> None:
        if self.max_runs is not None and self.runs >= self.max_runs:
            raise ServiceError(
                f"not run: {self.runs:,} of at most {self.max_runs:,} runs are made (--dust-max-runs); "
                "raise it, or select fewer cases"
            )
        if self.max_tokens is not None and self.tokens >= self.max_tokens:
            more = f", and unknown ones in {self.unknown:,} runs," if self.unknown else ""
            raise ServiceError(
                f"not run: {self.tokens:,} of at most {self.max_tokens:,} tokens{more} are used "
                "(--dust-max-tokens); raise it, or select fewer cases"
            )

    def lacks(self, runs: int) -> str:
        """Why so many more runs cannot be made, by what the runs until now used; empty if they can."""
        with self._lock:
            each = self.tokens / max(1, self.runs)
            for limit, used, need, name in (
                (self.max_runs, self.runs, runs, "runs"),
                (self.max_tokens, self.tokens, round(each * runs), "tokens"),
            ):
                if limit is not None and used + need > limit:
                    return (
                        f"it needs about {need:,} more {name}, and --dust-max-{name}={limit} leaves "
                        f"{max(0, limit - used):,}; raise it, or select fewer cases"
                    )
        return ""

    def note(self, tokens: int, unknown: int = 0) -> None:
        """Count tokens that were used, and runs whose tokens are not all known."""
        with self._lock:
            self.tokens += tokens
            self.unknown += unknown

    def refuse(self, runs: int, tokens: int) -> None:
        """Raise ServiceError if an estimate is more than a ceiling."""
        for limit, need, name in (
            (self.max_runs, runs, "runs"),
            (self.max_tokens, tokens, "tokens"),
        ):
            if limit is not None and need > limit:
                raise ServiceError(
                    f"this session would take about {need:,} {name}, and --dust-max-{name} "
                    f"allows {limit:,}; raise it, or select fewer cases"
                )
