"""What the cases of one pytest session share, and the hooks that only sessions with suites need."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dust.masking import Mask, mask

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_dust.client import Network, Watch
    from pytest_dust.pipeline import Desk
    from pytest_dust.settings import Settings


@dataclass(slots=True)
class Session:
    """The settings, and the network once a case has run."""

    settings: Settings
    mask: Mask
    network: Network | None = None

    def desk(self, watch: Watch | None) -> Desk:
        """What a case is run with; the network is made when the first case runs."""
        from pytest_dust.client import Network  # httpx: 65 ms
        from pytest_dust.pipeline import Desk

        if self.network is None:
            self.network = Network(self.settings.base_url, os.environ)
        return Desk(self.settings, self.network, self.mask, watch)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Put on a case's report what the summary tells of it."""
        report = yield
        facts = getattr(item, "facts", None)
        if facts is not None and report.when == "call":
            report.dust = facts()
        return report

    def pytest_unconfigure(self) -> None:
        """Close the network if it was opened."""
        if self.network is not None:
            self.network.close()


KEY = pytest.StashKey[Session]()


def open(config: pytest.Config, settings: Settings) -> None:  # noqa: A001
    """Begin the session's shared part, at its first suite."""
    if KEY not in config.stash:
        config.stash[KEY] = Session(settings, mask(os.environ, settings.secrets, settings.redact))
        config.pluginmanager.register(config.stash[KEY], "dust-session")


__all__ = ["KEY", "Session", "open"]
