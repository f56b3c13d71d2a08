"""What an item of ours raises to end as failed."""

from __future__ import annotations


class CaseFailed(AssertionError):
    """A case ran, and not all of its expectations hold: the one failure that `xfail` may expect.

    It is an AssertionError, as reporters such as allure call all else an error of the test itself.
    """

    __module__ = "builtins"  # so that reporters, which show name and message, show no path of ours


class NoRun(Exception):
    """A case has no run, or no verdict; `xfail` does not hide it, and allure calls it broken."""

    __module__ = "builtins"
