"""A pytest plugin that tells at the end which heavy modules the session has loaded."""

from __future__ import annotations

import sys

HEAVY = ("httpx", "httpx_sse", "respx", "yaml", "deepdiff", "jmespath")


def pytest_unconfigure() -> None:
    """Print them on one line."""
    print("loaded:", *(name for name in HEAVY if name in sys.modules))
