"""What is to become of pending answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pytest_dust.run.waiting import Waiting


class Decisions(NamedTuple):
    """What is to become of pending answers; those in neither list stay pending."""

    accept: Sequence[Waiting] = ()
    edit: Sequence[Waiting] = ()
    """Those of the accepted ones whose failed expectations are edited."""
    reject: Sequence[Waiting] = ()
