"""What our hooks keep on pytest's config, by key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_dust.settings import Settings

SETTINGS = pytest.StashKey[Settings]()
SEEN = pytest.StashKey[set[str]]()
"""The folders in which the collection met files that may be cassettes."""
COLLECTED = pytest.StashKey[dict[Path, frozenset[str] | None] | None]()
"""The collected suites and their cases' ids; None where only some of the cases were selected."""
FOUND = pytest.StashKey[list[dict[str, Any]]]()
"""What each process that read suites found of their cassettes."""
LINES = pytest.StashKey[list[str]]()
"""What the summary says after the cases."""
OFFICE = pytest.StashKey[tuple[str, bytes]]()
"""Where xdist's controller keeps the budget of all workers, and the key to it."""
LEFT = pytest.StashKey[list[tuple[int, int, int, int]]]()
"""Of each process, of runs for which no case waited: how many were made, how many under way, the tokens of
those made, and for how many of them the tokens are unknown."""
KEPT = pytest.StashKey[list[list[str]]]()
"""The files in which each process keeps answers that are in no cassette, as the user types them."""
RENAMED = pytest.StashKey[list[dict[str, list[str]]]]()
"""By suite, as each process told: the ids of cases that hide a redacted value."""
STOP_FILE = pytest.StashKey[str]()
"""A file that an xdist worker makes when no further run is to be recorded."""
