"""The real time, also while a test has frozen or moved the clock of its process.

Libraries that freeze time replace functions at the top of modules (freezegun) or patch `time.time` itself
(time-machine). What a class holds, and the performance counter, they leave alone.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


class _Real:
    """Python's clocks, as they were when pytest started."""

    seconds = staticmethod(time.perf_counter)
    date = staticmethod(datetime.fromtimestamp)
    began = time.time() - time.perf_counter()


def seconds() -> float:
    """Seconds since some fixed moment; they only ever grow."""
    return _Real.seconds()


def now() -> datetime:
    """The time of day, in UTC."""
    return _Real.date(_Real.began + _Real.seconds(), UTC)
