"""Hints for names that match nothing: files that are almost suites, and ids that no case has."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dust.constants import SUITE_SUFFIX
from pytest_dust.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Generator

MAX_TOLD = 5
"""Maximum number of files or ids that are listed."""
TOLD = "dust_hints"
"""Name under which a pytest-xdist worker sends the files that it found."""
_ALMOST = re.compile(r"(?:(?P<stem>.*)\.)?dust\.(?:ya?ml|json)(?:\.txt)?", re.IGNORECASE | re.DOTALL)


def suite_name(name: str) -> str | None:
    """The name that would make a file a suite, if its name is almost one; else None."""
    found = _ALMOST.fullmatch(name)
    if found is None or name.endswith(SUITE_SUFFIX):
        return None
    return f"{found['stem'] or 'NAME'}{SUITE_SUFFIX}"


class Hints:
    """Collects hints on what the user may have meant."""

    def __init__(self, config: pytest.Config) -> None:
        """Begin without any file."""
        self.config = config
        self.folder = config.invocation_params.dir
        self.files: set[str] = set()
        """Files that are almost suites, relative to the folder in which pytest was called."""
        self.missing: list[str] = []
        """A line for each suite or case on the command line that does not exist."""
        self.of_workers: list[str] = []
        """Such lines from a pytest-xdist worker, whose usage errors are not shown otherwise."""
        self.cases: dict[str, list[str]] = {}
        """The ids of the suites whose cases are named on the command line."""
        self.wanted = [arg for arg in config.args if "dust." in arg.lower()]

    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_file(self, file_path: Path) -> None:
        """Remember a file that is almost a suite."""
        if "dust." in file_path.name.lower() and suite_name(file_path.name):
            self.files.add(self._shown(str(file_path)))

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Generator[None, Any, Any]:
        """Remember which cases a suite has, if some are named on the command line."""
        report = yield
        if self.wanted and report.passed and collector.name.endswith(SUITE_SUFFIX):
            self.cases[str(collector.path)] = [node.name for node in report.result]
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self) -> Generator[None, Any, Any]:
        """Add to pytest's error about an unknown id the one that may be meant."""
        try:
            return (yield)
        except pytest.UsageError as error:
            self._find_missing()
            if not hasattr(self.config, "workeroutput"):
                error.args = (*error.args, *self.missing)
            raise

    def _find_missing(self) -> None:
        """Add a line for each argument that names no suite, or no case of one."""
        for arg in self.wanted:
            path, _, name = arg.replace(os.sep, "/").partition("::")
            names = self.cases.get(os.path.normpath(self.folder / path), [])
            if not (self.folder / path).exists():
                self.missing += _no_suite(self.folder, path)
            elif names and name and name not in {*names, *(each.partition("[")[0] for each in names)}:
                self.missing.append(_no_case(path, name, names))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a check that ignored a file that is almost a suite; send what this worker found."""
        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput[TOLD] = (sorted(self.files), self.missing)
        suites = [name for name in self.files if not name.lower().endswith((".json", ".txt"))]
        unfound = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        if self.config.getoption("dust_check") and suites and session.exitstatus in unfound:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a pytest-xdist worker found."""
        files, missing = getattr(node, "workeroutput", {}).get(TOLD, ((), ()))
        self.files.update(files)
        self.of_workers = list(missing)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which files are not collected, and which ids pytest-xdist workers did not find."""
        for line in self.of_workers:
            terminalreporter.write_line(f"dust: {line}")
        for name in sorted(self.files)[:MAX_TOLD]:
            folder, _, file = name.rpartition("/")
            right = "/".join([*([folder] if folder else []), str(suite_name(file))])
            terminalreporter.write_line(
                f"dust: {name} is no suite and is not collected; rename it to {right}"
            )
        if len(self.files) > MAX_TOLD:
            more = len(self.files) - MAX_TOLD
            terminalreporter.write_line(
                f"dust: … and {more:,} more files whose names do not end in {SUITE_SUFFIX}"
            )

    def _shown(self, path: str) -> str:
        from pytest_dust.wording import as_typed

        return as_typed(Path(path), self.folder)


def _no_suite(folder: Path, path: str) -> list[str]:
    """The message for a suite that does not exist: the one beside it whose name is most like it."""
    beside, slash, name = path.rpartition("/")
    try:
        names = os.listdir(folder / beside)  # noqa: PTH208
    except OSError:
        return []
    stems = [each.removesuffix(SUITE_SUFFIX) for each in names if each.endswith(SUITE_SUFFIX)]
    file, colon, case = name.partition(":")
    if colon and file.removesuffix(SUITE_SUFFIX) in stems:
        return [f"there is no {path} (did you mean {beside}{slash}{file}::{case}?)"]
    meant = nearest((suite_name(name) or name).removesuffix(SUITE_SUFFIX), stems)
    if meant:
        return [f"there is no {path} (did you mean {beside}{slash}{meant}{SUITE_SUFFIX}?)"]
    more = f", … and {len(stems) - MAX_TOLD:,} more" if len(stems) > MAX_TOLD else ""
    listed = ", ".join(f"{beside}{slash}{stem}{SUITE_SUFFIX}" for stem in sorted(stems)[:MAX_TOLD])
    return [f"there is no {path}; there is: {listed}{more}"] if stems else []


def _no_case(path: str, name: str, names: list[str]) -> str:
    """The message for a case that is not in its suite."""
    meant = nearest(name, names)
    hint = f" (did you mean {path}::{meant}?)" if meant else ""
    more = f", … and {len(names) - MAX_TOLD:,} more" if len(names) > MAX_TOLD else ""
    return f"{path} has no case {name[:100]}{hint}; it has: {', '.join(names[:MAX_TOLD])}{more}"
