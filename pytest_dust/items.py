"""The pytest rim: a suite file as a collector, a case as an item."""

from __future__ import annotations

import os
import shlex
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dust import cassette, references, session, suite
from pytest_dust.checks.binding import Here
from pytest_dust.errors import DustError, SettingsError, SuiteError, did_you_mean
from pytest_dust.model import Place, Problem
from pytest_dust.report import case as case_report
from pytest_dust.report.progress import progress
from pytest_dust.report.terminal import CaseReport, Crash
from pytest_dust.tables import file_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_dust.model import Case, Mark, Outcome


class CaseFailed(Exception):
    """A case ran, and not all of its expectations hold: the one failure that `xfail` may expect."""


class Unrun(Exception):
    """A case gave no run; `xfail` does not hide it."""


class DustFile(pytest.File):
    """A `*.dust.yaml` file."""

    @property
    def shown(self) -> str:
        """The file's path as the user would type it."""
        return _relative(self.path, self.config)

    def collect(self) -> Iterator[DustItem]:
        """One item per case; raises SuiteError with every mistake of the file."""
        shared = self.config.stash[session.KEY]
        folder = self.spot("").path.parent
        shared.shelf.add(self.path, folder, None)
        look_up = references.environment(os.environ, frozenset(shared.settings.env))
        here = Here(self.path.parent, session.matchers(self))
        cases = suite.load(self._source(), self.shown, look_up, here)
        items = [DustItem.from_parent(self, name=case.id, case=case) for case in cases]
        problems = [problem for item in items for problem in item.mark()]
        if problems:
            raise SuiteError(self.shown, problems)
        shared.shelf.add(self.path, folder, [file_name(case.id) for case in cases])
        yield from items

    def spot(self, case: str) -> cassette.Spot:
        """Where the cassette of one of the file's cases belongs."""
        folder = self.config.stash[session.KEY].settings.cassette_dir
        return cassette.spot(self.path, file_name(case), folder, self.config.rootpath)

    def _source(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                return file.read(suite.MAX_BYTES + 1)
        except OSError as error:
            problem = Problem(Place(1, 1), f"cannot be read: {error.strerror}")
            raise SuiteError(self.shown, [problem]) from None

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]
        """The mistakes as plain lines; a traceback only for what is no user's mistake."""
        mask = self.config.stash[session.KEY].mask
        if isinstance(excinfo.value, SettingsError):
            message = f"{self.shown}: {mask.text(str(excinfo.value))}"
            return CaseReport(message, Crash(self.shown, 1, message))
        if isinstance(excinfo.value, SuiteError):
            first, *others = excinfo.value.problems
            more = f" (+{len(others)} more)" if others else ""
            headline = mask.text(first.line(self.shown) + more)
            return CaseReport(mask.text(str(excinfo.value)), Crash(self.shown, first.place.line, headline))
        crash = Crash(self.shown, 1, mask.text(excinfo.exconly()))
        return CaseReport(mask.text(str(super().repr_failure(excinfo))), crash)


class DustItem(pytest.Item):
    """One case."""

    def __init__(self, *, case: Case, **kwargs: Any) -> None:
        """Hold the case, and no outcome yet."""
        super().__init__(**kwargs)
        self.case = case
        self.outcome: Outcome | None = None
        self.headline = ""

    @property
    def suite(self) -> DustFile:
        """The file that the case stands in."""
        assert isinstance(self.parent, DustFile)  # noqa: S101  # collect() made it so
        return self.parent

    def mark(self) -> list[Problem]:
        """Put the suite's marks on the item; gives those that `--strict-markers` refuses."""
        return [problem for one in self.case.marks for problem in self._mark(one)]

    def _mark(self, mark: Mark) -> Iterator[Problem]:
        kwargs: dict[str, Any] = dict(mark.kwargs)
        if mark.name == "xfail":
            kwargs["raises"] = CaseFailed  # a missing cassette or a wrong key is no expected failure
        with warnings.catch_warnings(record=True) as unknown:
            warnings.simplefilter("always")
            try:
                decorator = getattr(pytest.mark, mark.name)
            except pytest.fail.Exception:
                yield Problem(mark.place, _unregistered(mark.name, self.config))
                return
        for warning in unknown:
            self.warn(pytest.PytestUnknownMarkWarning(str(warning.message).split(" - ", 1)[0]))
        self.add_marker(decorator(*mark.args, **kwargs) if mark.args or kwargs else decorator)

    def runtest(self) -> None:
        """Run the case; raises CaseFailed where an expectation does not hold, Unrun where there is no run."""
        from pytest_dust.pipeline import Recording, check_case, run_case  # httpx and all: not for --co

        shared = self.config.stash[session.KEY]
        spot = self.suite.spot(self.case.id)
        recording = Recording(spot, _relative(spot.path, self.config), self.command)
        try:
            if self.config.getoption("dust_check"):
                check_case(self.case, recording, shared.settings, shared.mask)
                return
            with progress(self.config, self.title) as watch:
                self.outcome = run_case(self.case, recording, shared.desk(watch))
        except DustError as error:
            self.headline = self._masked(error.headline)
            raise Unrun(self._masked(str(error))) from None
        if self.outcome.failures:
            self.headline = self._masked(case_report.headline(self.outcome))
            raise CaseFailed(self.headline)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]
        """The case's report; a traceback, masked, only for what is no user's mistake."""
        row = f" ({self.case.row})" if self.case.row else ""
        subject = case_report.Subject(f"{self.suite.shown}:{self.case.place.line}{row}", self.command)
        headline = self.headline
        if isinstance(excinfo.value, CaseFailed) and self.outcome is not None:
            text = "\n".join(case_report.failed(subject, self.outcome))
        elif isinstance(excinfo.value, Unrun):
            mode = self.config.stash[session.KEY].settings.mode
            text = "\n".join(case_report.troubled(subject, mode, str(excinfo.value)))
        else:
            text, headline = str(super().repr_failure(excinfo)), self._masked(excinfo.exconly())
        return CaseReport(self._masked(text), Crash(self.suite.shown, self.case.place.line, headline))

    def _masked(self, text: str) -> str:
        """The text, safe to print, with every known secret in it masked."""
        mask = self.config.stash[session.KEY].mask
        return "\n".join(case_report.safe_lines(mask.text(text)))

    @property
    def title(self) -> str:
        """The case as a user names it on the command line."""
        return f"{self.suite.shown}::{self.name}"

    def reportinfo(self) -> tuple[Path, int, str]:
        """The case's file, its line from 0, and the title of its report.

        The title ends in a space: pytest takes a title in which the node id ends for a Python name, and
        would write `answer::dust::yaml::refund`.
        """
        return self.path, self.case.place.line - 1, f"{self.title} "

    @property
    def command(self) -> str:
        """The command that runs this case alone, with the options that were typed."""
        typed = self.config.stash[session.KEY].settings.typed
        return shlex.join(["pytest", self.title, *typed])

    def facts(self) -> dict[str, Any]:
        """What the summary needs to know of the case, fit to travel from an xdist worker."""
        outcome = self.outcome
        if outcome is None:
            source = "checked" if self.config.getoption("dust_check") else "without a run"
            facts = {"source": source, "tokens": 0, "waited": 0.0, "begins": ""}
            return {**facts, "headline": self.headline}
        comparison = outcome.comparison
        return {
            "source": str(outcome.source),
            "tokens": outcome.tokens,
            "waited": outcome.waited,
            "begins": case_report.begins(comparison) if comparison and comparison.changed else "",
            "headline": self.headline,
        }


def _relative(path: Path, config: pytest.Config) -> str:
    """The path from where pytest was called, with forward slashes."""
    return os.path.relpath(path, config.invocation_params.dir).replace(os.sep, "/")


def _unregistered(name: str, config: pytest.Config) -> str:
    known = [line.split("(")[0].split(":")[0].strip() for line in config.getini("markers")]
    return f'mark "{name}" is not registered; add it to ini markers{did_you_mean(name, known)}'
