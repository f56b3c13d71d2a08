"""Search a session's folders for cassettes that belong to no case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_dust.cassettes.orphans import Search
from pytest_dust.constants import SUITE_SUFFIX
from pytest_dust.model import CassetteFiles
from pytest_dust.plugin.session import pending_folder
from pytest_dust.plugin.stash import CASSETTE_FOLDERS, COLLECTED, SETTINGS
from pytest_dust.report.diff_files import Differences

if TYPE_CHECKING:
    import pytest


def search(config: pytest.Config) -> CassetteFiles:
    """The orphans and unfinished files; nothing is known if only some cases were selected."""
    collected = config.stash.get(COLLECTED, {})
    if collected is None or any("::" in arg or arg.endswith(SUITE_SUFFIX) for arg in config.args):
        return CassetteFiles(partial=True)
    folder = config.invocation_params.dir
    roots = [(folder / arg).resolve() for arg in config.args if (folder / arg).is_dir()]
    settings, met = config.stash[SETTINGS], config.stash.get(CASSETTE_FOLDERS, set())
    others = [pending_folder(config).path.resolve()]
    if settings.diff_dir is not None:
        others.append(Differences(settings.diff_dir, folder.resolve()).folder)
    return Search(settings.cassette_dir, collected, met, roots, others).found()
