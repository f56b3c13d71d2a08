"""The error of an edit that cannot be made."""

from __future__ import annotations


class EditError(ValueError):
    """A file cannot be edited as wanted; the message says why, to be shown after `file:line: `."""
