"""What all items of a suite file have in common: name, command, report."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dust.cassettes import files
from pytest_dust.files import links
from pytest_dust.plugin import failures, session
from pytest_dust.wording import as_typed, shell_line

if TYPE_CHECKING:
    from pytest_dust.model import Case


class SuiteFile(pytest.File):
    """A suite file: where it is, and where its cassettes are."""

    @cached_property
    def shared(self) -> session.Session:
        """What the files and items of the session share."""
        return self.config.stash[session.KEY]

    @cached_property
    def shown(self) -> str:
        """The file's path as the user would type it."""
        return as_typed(self.path, self.config.invocation_params.dir)

    @cached_property
    def roots(self) -> tuple[str, ...]:
        """The real folders in which the file, and the files that it names, may be."""
        return links.roots(self.path, self.config.rootpath)

    @cached_property
    def digests(self) -> dict[str, str]:
        """The SHA-256 of the suite and of its datasets as they were read; empty if no run can be made."""
        return {}

    @cached_property
    def named(self) -> set[str]:
        """The names of the files that the suite names and that were read, such as datasets and schemas."""
        return set()

    def sources(self, case: Case) -> dict[str, str]:
        """The files in which a case is written, with their digests."""
        names = {self.path.name, case.dataset}
        return {name: digest for name, digest in self.digests.items() if name in names}

    @cached_property
    def real_path(self) -> Path:
        """The file's path without links in its directories."""
        return Path(os.path.realpath(self.path.parent), self.path.name)

    @cached_property
    def cassette_folder(self) -> files.CassetteFolder:
        """The folder of the cassettes of the file's cases."""
        return files.folder_of(self.path, self.shared.settings.cassette_dir, self.config.rootpath)

    @cached_property
    def cassette_folder_shown(self) -> str:
        """The folder of the file's cassettes as the user would type it."""
        return as_typed(self.cassette_folder.path, self.config.invocation_params.dir)

    def cassette(self, case: str) -> files.CassettePath:
        """The path of the cassette of one of the file's cases."""
        return self.cassette_folder.cassette(case)


class Item(pytest.Item):
    """An item of a suite file: a case or a drift check."""

    cls = None
    """The test class, as Python tests name theirs: pytest-order reads it of every item."""

    def __init__(self, *, name: str, parent: SuiteFile, **kwargs: Any) -> None:
        """Give pytest the whole node id: from a name with brackets, it makes one that --lf does not know."""
        super().__init__(name=name, parent=parent, nodeid=f"{parent.nodeid}::{name}", **kwargs)
        self.suite = parent
        """The suite file of the item."""

    def _initrequest(self) -> None:
        """Do nothing: pytest-retry calls this before it runs an item again, to renew its fixtures."""

    @property
    def title(self) -> str:
        """The item as a user names it on the command line."""
        return f"{self.suite.shown}::{self.name}"

    @cached_property
    def command(self) -> str:
        """The command that runs this item alone, with the options that were typed."""
        typed = self.shared.settings.typed
        return shell_line(["pytest", self.title, *typed])

    @property
    def shared(self) -> session.Session:
        """What the files and items of the session share."""
        return self.suite.shared

    @cached_property
    def blocked(self) -> str:
        """Why another plugin keeps the item from the network; empty if none does."""
        from pytest_dust.plugin.network_blocks import refusal

        return refusal(self, self.shared.settings.base_url)

    @property
    def line(self) -> int:
        """The line of the item in its file."""
        return 1

    @property
    def report_line(self) -> int:
        """The line that reports of the item's failure name."""
        return self.line

    def reportinfo(self) -> tuple[Path, int, str]:
        """The item's file, its line from 0, and the title of its report.

        The title ends in a space: pytest takes a title that ends like the node id for a Python name, and
        would write `answer::dust::yaml::refund`.
        """
        return self.path, self.line - 1, f"{self.title} "

    def masked(self, text: str) -> str:
        """The text, safe to print, with every known secret in it masked."""
        return self.shared.masked(text)

    def failed(self, text: str, headline: str) -> Any:
        """A failure that pytest and its plugins can show."""
        shown, line = self.suite.shown, self.report_line
        return failures.failure(self.masked(text), self.path, shown, line, self.masked(headline))

    def seconds(self, passed: float) -> float:
        """Seconds that the item took, of which `passed` since it began."""
        return passed
