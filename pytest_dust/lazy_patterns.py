"""Regular expressions that are compiled when they are first used, as most sessions need few of them."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def lazy(pattern: str, flags: re.RegexFlag = re.NOFLAG) -> Callable[[], re.Pattern[str]]:
    """Return a function that returns the compiled pattern."""
    return cache(lambda: re.compile(pattern, flags))
