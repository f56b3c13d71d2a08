"""The properties of an item, which pytest writes into the JUnit file: its app, run, tokens and change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_dust.report.properties import NAMES, properties
from pytest_dust.report.record import ItemRecord

_RECORDS = pytest.StashKey[list[ItemRecord]]()
"""What the reports of an item hold so far; a plugin may run the item again, which begins with its setup."""


def add(item: pytest.Item, report: Any, masked: Callable[[str], str]) -> None:
    """Put on a report, and on the item for its later reports, what is known of its runs."""
    if report.when == "setup":
        item.stash[_RECORDS] = []
        item.user_properties[:] = _of_others(item)
    record = getattr(report, "dust", None)
    if record is None:
        return
    records = item.stash.setdefault(_RECORDS, [])
    records.append(record)
    own = [(name, masked(value)) for name, value in properties(records)]
    item.user_properties[:] = [*_of_others(item), *own]
    report.user_properties = list(item.user_properties)


def _of_others(item: pytest.Item) -> list[tuple[str, object]]:
    return [pair for pair in item.user_properties if pair[0] not in NAMES]
