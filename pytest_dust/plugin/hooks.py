"""The hooks that pytest-dust offers to conftest files and plugins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.hookspec
def pytest_dust_matchers() -> dict[str, Callable[[Any, Any], bool | str]]:  # type: ignore[empty-body]
    """A project's own matchers, by name.

    Each is called with the value that the path found and the argument that the suite gives. It returns
    True if the value matches; False, or a text that says why, if it does not.
    """
