"""What the cases of one pytest session share, and the hooks that only sessions with suites need."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dust.errors import SettingsError
from pytest_dust.masking import Mask, mask
from pytest_dust.stash import FOUND, SETTINGS
from pytest_dust.upkeep import SUFFIX, Shelf

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_dust.checks.binding import Matcher
    from pytest_dust.client import Network, Watch
    from pytest_dust.pipeline import Desk
    from pytest_dust.settings import Settings


@dataclass(slots=True)
class Session:
    """The settings, and the network once a case has run."""

    settings: Settings
    mask: Mask
    network: Network | None = None
    shelf: Shelf = field(default_factory=Shelf)
    partial: bool = False
    """Whether only part of the suites was selected."""

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

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Note that some cases are left out."""
        self.partial = self.partial or any(hasattr(item, "facts") for item in items)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Say which cassettes are orphans: to the summary, or from an xdist worker to its controller."""
        config = session.config
        if config.option.collectonly or session.exitstatus == pytest.ExitCode.INTERRUPTED:
            return
        chosen = any("::" in arg or arg.endswith(SUFFIX) for arg in config.args)
        partial = self.partial or chosen
        orphans = [] if partial else [str(path) for path in self.shelf.orphans()]
        found = {"orphans": orphans, "partial": partial}
        if hasattr(config, "workeroutput"):
            config.workeroutput["dust"] = found
        else:
            config.stash[FOUND] = [found]

    def pytest_unconfigure(self) -> None:
        """Close the network if it was opened."""
        if self.network is not None:
            self.network.close()


KEY = pytest.StashKey[Session]()


def matchers(file: pytest.File) -> dict[str, Matcher]:
    """The matchers that a suite file may use: ours, and those of the project's conftest files and plugins."""
    from pytest_dust.checks.matchers import MATCHERS, project

    table = dict(MATCHERS)
    for given in file.ihook.pytest_dust_matchers():
        if not isinstance(given, Mapping):
            raise SettingsError(
                f"pytest_dust_matchers: give a dict of names to functions, not {type(given).__name__}"
            )
        for name, holds in given.items():
            if name in table:
                taken = "is built in" if name in MATCHERS else "is given twice"
                raise SettingsError(
                    f'pytest_dust_matchers: the matcher "{name}" {taken}; give it another name'
                )
            if not (isinstance(name, str) and name.isidentifier() and callable(holds)):
                raise SettingsError(
                    f"pytest_dust_matchers: {name!r} must be a name with a function (value, argument)"
                )
            table[name] = project(name, holds)
    return table


def open(config: pytest.Config) -> Session:  # noqa: A001
    """The session's shared part, begun at its first suite."""
    if KEY not in config.stash:
        settings = config.stash[SETTINGS]
        config.stash[KEY] = Session(settings, mask(os.environ, settings.secrets, settings.redact))
        config.pluginmanager.register(config.stash[KEY], "dust-session")
    return config.stash[KEY]
