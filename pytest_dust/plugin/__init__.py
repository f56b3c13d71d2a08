"""pytest's hooks. Loaded in every pytest run of its users, so all else is imported when first needed."""

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
from pytest_dust.plugin.stash import (
    COLLECTED,
    FOUND,
    KEPT,
    LEFT,
    LINES,
    OFFICE,
    RENAMED,
    SEEN,
    SETTINGS,
    STOP_FILE,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_dust.plugin.fixture import Dust
    from pytest_dust.plugin.items import DustFile

FLAG: dict[str, Any] = {"action": "store_true", "default": False}
ERRANDS: dict[str, tuple[dict[str, Any], str]] = {
    "check": (FLAG, "validate suites and cassettes, run nothing; exit 1 on any finding"),
    "prune": (FLAG, "remove cassettes that belong to no case"),
    "schema": (FLAG, "print the JSON Schema of suite files, and exit"),
    "apps": (FLAG, "list the space's apps, and exit"),
    "new": ({"nargs": "+", "metavar": "APP_ID"}, "write a first suite: APP_ID [FILE], and exit"),
}
"""What is asked for on the command line alone."""


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
    for name, (words, text) in ERRANDS.items():
        group.addoption(f"--dust-{name}", dest=f"dust_{name}", help=text, **words)
    for name, text in settings.LISTS.items():
        parser.addini(name, text, "args")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Offer the hooks of our own."""
    pluginmanager.add_hookspecs(hooks)


def pytest_configure(config: pytest.Config) -> None:
    """Read the settings, so that a wrong one stops the session before it begins."""
    config.stash[SETTINGS] = chosen = _settings(config)
    config.pluginmanager.register(hints.Hints(config), "dust-hints")
    if chosen.mode is settings.Mode.LIVE or chosen.drift:
        from pytest_dust.plugin import gate

        config.pluginmanager.register(gate.Gate(config), "dust-gate")
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
    """Run an errand in place of tests, where one is asked for."""
    wanted = [name for name in ("schema", "apps", "new") if config.getoption(f"dust_{name}")]
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
    """Collect suite files, and open the door to all that they need."""
    if not file_path.name.endswith(SUITE_SUFFIX):
        if file_path.suffix in (".json", ".tmp"):
            _note_cassettes(parent.config, os.path.dirname(file_path))  # noqa: PTH120  # of thousands
        return None
    from pytest_dust.plugin import items, session  # yaml, jmespath: not in runs without suites

    session.open(parent.config)
    return items.DustFile.from_parent(parent, path=file_path)


def _note_cassettes(config: pytest.Config, folder: str) -> None:
    """Remember a folder that may be one of cassettes, as its suite may be gone."""
    wanted = os.path.basename(os.path.normpath(config.stash[SETTINGS].cassette_dir))  # noqa: PTH119
    if os.path.basename(os.path.dirname(folder)) == wanted:  # noqa: PTH119, PTH120
        config.stash.setdefault(SEEN, set()).add(folder)


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
    replays = session.config.stash[SETTINGS].mode is settings.Mode.REPLAY
    if replays or not any("dust" in getattr(item, "fixturenames", ()) for item in session.items):
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
def pytest_report_from_serializable(data: dict[str, Any]) -> Generator[None, Any, Any]:
    """Give a failed case that comes from an xdist worker its terminal form again."""
    report = yield
    if data.get("dust"):
        from pytest_dust.report.terminal import revive

        revive(report)
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker how it gets its items, and where the one budget is kept if there is a ceiling."""
    chosen = node.config.stash[SETTINGS]
    node.workerinput["dust_dist"] = node.config.getoption("dist")
    if chosen.mode in (settings.Mode.RECORD, settings.Mode.RERECORD):
        node.workerinput["dust_stop_file"] = _stop_file(node.config)
    if chosen.limited and chosen.mode is not settings.Mode.REPLAY:
        from pytest_dust.plugin import shared_budget  # multiprocessing: 20 ms

        if OFFICE not in node.config.stash:
            node.config.stash[OFFICE] = shared_budget.keep(chosen.max_runs, chosen.max_tokens)
        node.workerinput["dust_budget"] = node.config.stash[OFFICE]


def _stop_file(config: pytest.Config) -> str:
    """The name of a file, which is not there yet, that all xdist workers of the session can see."""
    if STOP_FILE not in config.stash:
        import tempfile
        import uuid

        config.stash[STOP_FILE] = str(Path(tempfile.gettempdir(), f"pytest-dust-{uuid.uuid4().hex}"))
    return config.stash[STOP_FILE]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what an xdist worker found."""
    told = getattr(node, "workeroutput", {})
    for name, key in (("dust", FOUND), ("dust_left", LEFT), ("dust_kept", KEPT), ("dust_renamed", RENAMED)):
        if name in told:
            node.config.stash.setdefault(key, []).append(told[name])


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Find cassettes of no case; tell of them, or from an xdist worker tell its controller."""
    config = session.config
    if STOP_FILE in config.stash:
        Path(config.stash[STOP_FILE]).unlink(missing_ok=True)
    collected = SEEN in config.stash or COLLECTED in config.stash
    interrupted = session.exitstatus == pytest.ExitCode.INTERRUPTED
    if collected and not config.option.collectonly and not interrupted:
        found = _cassettes_of_no_case(config)
        if hasattr(config, "workeroutput"):
            config.workeroutput["dust"] = found
        else:
            config.stash[FOUND] = [found]
    if FOUND in config.stash:
        _look_after_cassettes(session)


def _cassettes_of_no_case(config: pytest.Config) -> dict[str, Any]:
    """The files that may go from the folders of cassettes; none where only part was selected."""
    collected = config.stash.get(COLLECTED, {})
    if collected is None or any("::" in arg or arg.endswith(SUITE_SUFFIX) for arg in config.args):
        return {"partial": True, "orphans": [], "unfinished": [], "linked": []}
    from pytest_dust.cassettes.orphans import Search
    from pytest_dust.report.diff_files import Differences
    from pytest_dust.run import pending

    folder = config.invocation_params.dir
    roots = [(folder / arg).resolve() for arg in config.args if (folder / arg).is_dir()]
    chosen, seen = config.stash[SETTINGS], config.stash.get(SEEN, set())
    others = [config.rootpath.resolve() / pending.FOLDER]
    if chosen.diff_dir is not None:
        others.append(Differences(chosen.diff_dir, folder.resolve()).folder)
    return {"partial": False, **Search(chosen.cassette_dir, collected, seen, roots, others).found()}


def _look_after_cassettes(session: pytest.Session) -> None:
    from pytest_dust.cassettes.orphans import look_after

    config = session.config
    prune = config.getoption("dust_prune")
    lines, left = look_after(config.stash[FOUND], config.invocation_params.dir, prune=prune)
    config.stash[LINES] = lines
    unfound = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    if left and (prune or config.getoption("dust_check")) and session.exitstatus in unfound:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A few lines on the session's cases, where there were any."""
    reports = [
        report
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "dust", None)
    ]
    config = terminalreporter.config
    lines = config.stash.get(LINES, [])
    if any(report.dust["runs"] for report in reports):
        from pytest_dust.report.session import summary

        cases = [
            {"id": report.nodeid, **run, "rerun": report.outcome == "rerun"}
            for report in reports
            for run in report.dust["runs"]
        ]
        chosen = config.stash[SETTINGS]
        typed = chosen.on_change == "fail" and chosen.sources["on-change"].startswith("--")
        if typed and chosen.mode is not settings.Mode.LIVE:
            nothing = chosen.mode is settings.Mode.REPLAY
            what = "0 compared" if nothing else "changes of new recordings are told and do not fail"
            lines = [f"dust: {what}: --dust-on-change=fail is for live runs (--dust-mode=live)", *lines]
        told = {"versions": bool(chosen.specification_hash), "ceiling": chosen.max_tokens is not None}
        lines = [*summary(cases, **told), *lines]
    if left := config.stash.get(LEFT, []):
        from pytest_dust.report.session import unwaited

        lines = [*lines, *unwaited(left)]
    if kept := config.stash.get(KEPT, []):
        from pytest_dust.report.session import in_no_cassette

        lines = [*lines, *in_no_cassette(kept)]
    if names := config.stash.get(RENAMED, []):
        from pytest_dust.report.session import renamed

        lines = [*lines, *renamed(names)]
    for line in lines:
        terminalreporter.write_line(line)
