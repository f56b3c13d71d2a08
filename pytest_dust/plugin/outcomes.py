"""What an item of ours raises to end as failed."""

from __future__ import annotations


class CaseFailed(Exception):
    """A case ran, and not all of its expectations hold: the one failure that `xfail` may expect."""


class NoRun(Exception):
    """A case has no run, or no verdict; `xfail` does not hide it."""
