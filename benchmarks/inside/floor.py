"""The floor: a pytest plugin that makes one item per YAML case, which does nothing.

With FLOOR_READS set, an item reads and decodes the JSON file that is its cassette, and does nothing with it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

SUFFIX = ".dust.yaml"
READS = "FLOOR_READS" in os.environ


class FloorItem(pytest.Item):
    """A case that always passes."""

    def runtest(self) -> None:
        """Do nothing, or what no replay can do without."""
        if READS:
            folder = self.path.parent / "cassettes" / self.path.name.removesuffix(SUFFIX)
            json.loads((folder / f"{self.name}.json").read_bytes())

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the case stands, for reports."""
        return self.path, 0, self.name


class FloorFile(pytest.File):
    """A suite, read by the C loader."""

    def collect(self) -> Iterator[FloorItem]:
        """Make an item of each case."""
        with self.path.open("rb") as file:
            suite = yaml.load(file, Loader=yaml.CSafeLoader)  # the safe one, in C
        for case in suite["cases"]:
            yield FloorItem.from_parent(self, name=case["id"])


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> FloorFile | None:
    """Collect suites."""
    return FloorFile.from_parent(parent, path=file_path) if file_path.name.endswith(SUFFIX) else None
