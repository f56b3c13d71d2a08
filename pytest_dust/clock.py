"""The real time, even while a test has frozen or moved the clock of its process.

Libraries that freeze time replace functions in the namespaces of modules (freezegun) or patch `time.time`
itself (time-machine). They change neither attributes of classes nor the performance counter.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


class _Real:
    """Python's clocks, as they are when pytest starts."""

    seconds = staticmethod(time.perf_counter)
    date = staticmethod(datetime.fromtimestamp)
    began = time.time() - time.perf_counter()


def seconds() -> float:
    """Return the seconds since a fixed moment; they never decrease."""
    return _Real.seconds()


def now() -> datetime:
    """Return the current time, in UTC."""
    return _Real.date(_Real.began + _Real.seconds(), UTC)
