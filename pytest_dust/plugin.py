"""pytest's hooks. Loaded in every pytest run of its users, so all else is imported when first needed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dust import settings
from pytest_dust.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from pytest_dust.items import DustFile

SETTINGS = pytest.StashKey[settings.Settings]()
SUFFIX = ".dust.yaml"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare each option of the table on the command line and in the ini file."""
    group = parser.getgroup("dust", "Dust apps")
    for option in settings.OPTIONS:
        default = f" (default: {option.default})" if option.default else ""
        where = f"; ini {option.ini}, environment {option.environment}"
        text = f"{option.help}{default}{where}"
        if option.switch:
            group.addoption(option.flag, dest=option.ini, action="store_const", const="true", help=text)
        else:
            group.addoption(option.flag, dest=option.ini, metavar=option.metavar, help=text)
        parser.addini(option.ini, f"{option.flag}: {option.help}")
    for name, text in settings.LISTS.items():
        parser.addini(name, text, "args")


def pytest_configure(config: pytest.Config) -> None:
    """Read the settings, so that a wrong one stops the session before it begins."""
    command_line = {option.name: config.getoption(option.ini) for option in settings.OPTIONS}
    ini = {option.ini: str(config.getini(option.ini) or "") for option in settings.OPTIONS}
    lists = {name: tuple(config.getini(name)) for name in settings.LISTS}
    try:
        config.stash[SETTINGS] = settings.resolve(command_line, os.environ, ini, lists)
    except SettingsError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_report_header(config: pytest.Config) -> str:
    """The mode, and the service where it may be asked."""
    chosen = config.stash[SETTINGS]
    live = chosen.mode is not settings.Mode.REPLAY
    return f"dust: {chosen.mode}" + (f", {chosen.base_url}" if live else "")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> DustFile | None:
    """Collect suite files, and open the door to all that they need."""
    if not file_path.name.endswith(SUFFIX):
        return None
    from pytest_dust import items, session  # yaml, jmespath: not in runs without suites

    session.open(parent.config, parent.config.stash[SETTINGS])
    return items.DustFile.from_parent(parent, path=file_path)


@pytest.hookimpl(wrapper=True)
def pytest_report_from_serializable(data: dict[str, Any]) -> Generator[None, Any, Any]:
    """Give a failed case that comes from an xdist worker its terminal form again."""
    report = yield
    if data.get("dust"):
        from pytest_dust.report.terminal import revive

        revive(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line on the session's cases, where there were any."""
    reports = [
        report
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "dust", None)
    ]
    if reports:
        from pytest_dust.report.session import summary

        for line in summary({**report.dust, "id": report.nodeid} for report in reports):
            terminalreporter.write_line(line)
