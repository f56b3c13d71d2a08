"""What our hooks keep on pytest's config, by key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_dust.settings import Settings

SETTINGS = pytest.StashKey[Settings]()
CASSETTE_FOLDERS = pytest.StashKey[set[str]]()
"""The folders in which the collection met files that may be cassettes."""
COLLECTED = pytest.StashKey[dict[Path, frozenset[str] | None] | None]()
"""The collected suites and their cases' ids; None if only some of the cases were selected."""
BUDGET = pytest.StashKey[Any]()
"""The budget of all pytest-xdist workers, in their controller."""
BUDGET_ADDRESS = pytest.StashKey[tuple[str, bytes]]()
"""Where the controller of pytest-xdist keeps the budget of all workers, and the key to it."""
STOP_FILE = pytest.StashKey[str]()
"""A file that a pytest-xdist worker makes to end recording in all of them."""
