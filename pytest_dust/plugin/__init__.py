"""pytest's hooks. Every pytest run of our users loads this, so all else is imported when first needed."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pytest_dust.clock  # noqa: F401  # before a conftest.py can freeze the time
from pytest_dust import settings
from pytest_dust.constants import SUITE_SUFFIX
from pytest_dust.errors import SettingsError
from pytest_dust.plugin import hints, hooks
from pytest_dust.plugin.records import RECORDS, Records, dumps
from pytest_dust.plugin.stash import BUDGET, BUDGET_ADDRESS, CASSETTE_FOLDERS, COLLECTED, SETTINGS, STOP_FILE

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_dust.model import CassetteFiles
    from pytest_dust.plugin.dust_file import DustFile
    from pytest_dust.plugin.fixture import Dust

FLAG: dict[str, Any] = {"action": "store_true", "default": False}
COMMANDS: dict[str, tuple[dict[str, Any], str]] = {
    "check": (FLAG, "validate suites and cassettes, run nothing; exit with 1 if there is a mistake"),
    "review": (FLAG, "show the pending answers of the selected cases one by one, and accept or reject them"),
    "accept": (FLAG, "make the pending answers of the selected cases their cassettes, run nothing"),
    "reject": (FLAG, "remove the pending answers of the selected cases, run nothing"),
    "edit": (FLAG, "with --dust-accept, also write the new values where failed expectations are literals"),
    "prune": (FLAG, "remove cassettes that belong to no case"),
    "schema": (
        {"nargs": "?", "const": "suite", "metavar": "WHAT"},
        "print the JSON Schema of suites (suite) or of the report in JSON (report) and exit",
    ),
    "apps": (FLAG, "list the apps of the space and exit"),
    "merge": (
        {"nargs": "+", "metavar": "FILE.json"},
        "put the JSON reports of several sessions together, write them to each --dust-report and exit",
    ),
    "new": ({"nargs": "+", "metavar": ("APP_ID", "FILE")}, "write a first suite for an app and exit"),
}
"""Options that exist only on the command line."""


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
            action = "append" if option.many else "store"
            group.addoption(option.flag, dest=option.ini, action=action, metavar=option.metavar, help=text)
        parser.addini(option.ini, f"{option.flag}: {option.help}")
    for name, (words, text) in COMMANDS.items():
        group.addoption(f"--dust-{name}", dest=f"dust_{name}", help=text, **words)
    for name, text in settings.LISTS.items():
        parser.addini(name, text, "args")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Offer the hooks of our own."""
    pluginmanager.add_hookspecs(hooks)


def pytest_configure(config: pytest.Config) -> None:
    """Read the settings, so that a wrong one stops the session before it begins."""
    chosen = _settings(config)
    if asked := [name for name in ("review", "accept", "reject") if config.getoption(f"dust_{name}")]:
        from pytest_dust.plugin import pending_commands

        chosen = chosen.without_runs
        config.pluginmanager.register(pending_commands.PendingCommand(config, asked), "dust-pending")
    elif config.getoption("dust_edit"):
        raise pytest.UsageError("--dust-edit is for --dust-accept: give both")
    if config.getoption("testmon", False):
        from pytest_dust.plugin import testmon

        testmon.refuse_selection(config, chosen)
    config.stash[SETTINGS] = chosen
    config.stash[RECORDS] = Records(config)
    config.pluginmanager.register(config.stash[RECORDS], "dust-records")
    config.pluginmanager.register(hints.Hints(config), "dust-hints")
    if chosen.mode is settings.Mode.LIVE or chosen.drift:
        from pytest_dust.plugin import compared

        config.pluginmanager.register(compared.ComparedApps(config), "dust-compared")
    if chosen.gate:
        from pytest_dust.plugin import gate

        config.pluginmanager.register(gate.Gate(config), "dust-gate")
    if not hasattr(config, "workerinput") and (
        chosen.report or (chosen.github and settings.is_on_github(os.environ))
    ):
        from pytest_dust.plugin import reports

        config.pluginmanager.register(reports.Reports(config), "dust-reports")
    if config.getoption("dust_check"):
        config.option.continue_on_collection_errors = True  # all findings, and exit status 1 for any


def _settings(config: pytest.Config) -> settings.Settings:
    command_line = {option.name: config.getoption(option.ini) for option in settings.OPTIONS}
    ini = {option.ini: str(config.getini(option.ini) or "") for option in settings.OPTIONS}
    lists = {name: tuple(config.getini(name)) for name in settings.LISTS}
    try:
        return settings.resolve(command_line, os.environ, ini, lists, _words(config))
    except SettingsError as error:
        from pytest_dust.masking import mask

        masked = mask(os.environ, lists["dust_secrets"], ())
        raise pytest.UsageError(masked.text(str(error))) from None


def _words(config: pytest.Config) -> list[str] | None:
    """What the user typed, or exported as PYTEST_ADDOPTS; pytest itself adds `addopts` of the ini file.

    None in an xdist worker, which is given the options that its controller has checked.
    """
    if hasattr(config, "workerinput"):
        return None
    exported = shlex.split(os.environ.get("PYTEST_ADDOPTS", ""))
    return [*exported, *map(str, config.invocation_params.args)]


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Run a command in place of tests, if one is given."""
    wanted = [name for name in ("schema", "apps", "merge", "new") if config.getoption(f"dust_{name}")]
    if not wanted or config.option.help:
        return None
    from pytest_dust.plugin import commands

    commands.run(wanted[0], config, _settings(config))
    return pytest.ExitCode.OK


def pytest_report_header(config: pytest.Config) -> str:
    """The mode, and the service where it may be asked."""
    chosen = config.stash[SETTINGS]
    live = chosen.mode is not settings.Mode.REPLAY
    return f"dust: {chosen.mode}" + (f", {chosen.base_url}" if live else "")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> DustFile | None:
    """Collect suite files."""
    if not file_path.name.endswith(SUITE_SUFFIX):
        if file_path.suffix in (".json", ".tmp"):
            _remember_folder(parent.config, os.path.dirname(file_path))  # noqa: PTH120  # called very often
        return None
    from pytest_dust.plugin import dust_file, session  # yaml, jmespath: not in runs without suites

    session.open(parent.config)
    return dust_file.DustFile.from_parent(parent, path=file_path)


def _remember_folder(config: pytest.Config, folder: str) -> None:
    """Remember a folder that may hold cassettes, as its suite may be gone."""
    wanted = os.path.basename(os.path.normpath(config.stash[SETTINGS].cassette_dir))  # noqa: PTH119
    if os.path.basename(os.path.dirname(folder)) == wanted:  # noqa: PTH119, PTH120
        config.stash.setdefault(CASSETTE_FOLDERS, set()).add(folder)


@pytest.fixture
def dust(request: pytest.FixtureRequest) -> Dust:
    """Run Dust apps from a test, recorded and replayed as suites are: `run = dust.run(app=…, input=…)`."""
    from pytest_dust.plugin import fixture, session

    return fixture.Dust(request, session.open(request.config))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out all tests that are no cases where suites are only to be checked."""
    if config.getoption("dust_check"):
        others = [item for item in items if not item.path.name.endswith(SUITE_SUFFIX)]
        items[:] = [item for item in items if item.path.name.endswith(SUITE_SUFFIX)]
        config.hook.pytest_deselected(items=others)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let a live session say beforehand what its Python tests will take, as far as that is known."""
    if session.config.stash[SETTINGS].mode is settings.Mode.REPLAY:
        return
    from pytest_dust.plugin import workers

    if not any(map(workers.uses_fixture, session.items)):
        return
    from pytest_dust.plugin import fixture
    from pytest_dust.plugin import session as sessions

    shared = sessions.open(session.config)
    shared.live.estimate_test = lambda item: fixture.estimate(item, shared)


@pytest.hookimpl(wrapper=True)
def pytest_report_teststatus(report: Any, config: pytest.Config) -> Generator[None, Any, Any]:
    """Say `checked` of a case that was not run, and with `-v` what a case is about."""
    found = yield
    if found is None or not getattr(report, "dust", None) or report.when != "call":
        return found
    from pytest_dust.report.status import status

    writer = config.get_terminal_writer()
    return status(found, report, config.get_verbosity(), lambda: writer.fullwidth)  # asks the system


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable(report: Any) -> Generator[None, Any, Any]:
    """Send a record as JSON text to the controller of pytest-xdist, or into a report log."""
    data = yield
    if data and getattr(report, "dust", None):
        data["dust"] = dumps(report.dust)
    return data


@pytest.hookimpl(wrapper=True)
def pytest_report_from_serializable(data: dict[str, Any]) -> Generator[None, Any, Any]:
    """Give failures of ours that a pytest-xdist worker sends their form again."""
    report = yield
    file = str(data.get("nodeid")).partition("::")[0]
    if report is not None and (file.endswith(SUITE_SUFFIX) or "dust" in data):
        from pytest_dust.plugin.failures import restore

        restore(report)
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a pytest-xdist worker where the budget of all workers is, and how they end recording together."""
    config, chosen = node.config, node.config.stash[SETTINGS]
    if chosen.mode in (settings.Mode.RECORD, settings.Mode.RERECORD):
        node.workerinput["dust_stop_file"] = _stop_file(config)
    if chosen.limited and chosen.mode is not settings.Mode.REPLAY:
        if BUDGET_ADDRESS not in config.stash:
            _share_budget(config)
        node.workerinput["dust_budget"] = config.stash[BUDGET_ADDRESS]


def _share_budget(config: pytest.Config) -> None:
    """Serve one budget to all workers."""
    from pytest_dust.plugin import shared_objects  # multiprocessing: 20 ms
    from pytest_dust.run import budget

    chosen = config.stash[SETTINGS]
    config.stash[BUDGET] = budget.Budget(chosen.max_runs, chosen.max_tokens)
    config.stash[BUDGET_ADDRESS] = shared_objects.serve(config.stash[BUDGET], budget.SHARED)


def _stop_file(config: pytest.Config) -> str:
    """The path of a file, which does not exist yet, that all workers of the session can see."""
    if STOP_FILE not in config.stash:
        import tempfile
        import uuid

        config.stash[STOP_FILE] = str(Path(tempfile.gettempdir(), f"pytest-dust-{uuid.uuid4().hex}"))
    return config.stash[STOP_FILE]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Look for cassettes that belong to no case; a pytest-xdist worker sends what it knows."""
    config, records = session.config, session.config.stash[RECORDS]
    if STOP_FILE in config.stash:
        Path(config.stash[STOP_FILE]).unlink(missing_ok=True)
    collected = CASSETTE_FOLDERS in config.stash or COLLECTED in config.stash
    interrupted = session.exitstatus == pytest.ExitCode.INTERRUPTED
    if collected and not config.option.collectonly and not interrupted:
        from pytest_dust.plugin import cassette_folders

        records.add(files=cassette_folders.search(config))
    if hasattr(config, "workeroutput"):
        records.send()
    else:
        _ended(session, records)


def _ended(session: pytest.Session, records: Records) -> None:
    """Complete the session's record, and let the terminal report what changed in the same way once."""
    if found := records.found_files():
        records.files = _pruned(session, found)
    if not records.is_empty:
        from pytest_dust.plugin import folding

        session.config.pluginmanager.register(folding.Folding(), "dust-folding")


def _pruned(session: pytest.Session, found: list[CassetteFiles]) -> CassetteFiles:
    """What was found, removed if --dust-prune asks for it; what is left fails a prune and a check."""
    from pytest_dust.cassettes import orphans

    config, prune = session.config, session.config.getoption("dust_prune")
    files = orphans.merged(found)
    files = orphans.prune(files) if prune else files
    left = files.kept if prune else (*files.orphans, *files.unfinished)
    passed = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    if left and (prune or config.getoption("dust_check")) and session.exitstatus in passed:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    return files


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A few lines on the session, if it had anything to do with Dust."""
    records = terminalreporter.config.stash[RECORDS]
    if records.is_empty:
        return
    from pytest_dust.report.session import summary
    from pytest_dust.report.terminal import inert

    for line in summary(records.session()):
        terminalreporter.write_line(inert(line))


@pytest.hookimpl(wrapper=True, tryfirst=True, specname="pytest_terminal_summary")
def pytest_last_lines(terminalreporter: pytest.TerminalReporter) -> Generator[None, Any, Any]:
    """Below pytest's own summary: what changed in a live session, and how to accept it."""
    done = yield
    records = terminalreporter.config.stash[RECORDS]
    if not records.is_empty:
        from pytest_dust.report.closing import closing
        from pytest_dust.report.terminal import inert

        for line in closing(records.session()):
            terminalreporter.write_line(inert(line))
    return done
