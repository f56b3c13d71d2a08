"""The commands on pending answers, which take the place of the selected tests: review, accept, reject."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pytest

from pytest_dust.files.names import case_file
from pytest_dust.plugin import session as sessions
from pytest_dust.plugin.decisions import Decisions
from pytest_dust.report.terminal import inert
from pytest_dust.run.pending import remove
from pytest_dust.wording import first_names, plural

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_dust.plugin.waiting_items import WaitingFile
    from pytest_dust.run.acceptance import Accepted


MAX_NAMED = 3
"""Files named in one line; more are counted."""


class PendingCommand:
    """Runs one of the commands in place of the selected tests."""

    def __init__(self, config: pytest.Config, asked: Sequence[str]) -> None:
        """Take the commands that were given; raises UsageError if they cannot be given together."""
        if len(asked) > 1:
            given = " and ".join(f"--dust-{name}" for name in asked)
            raise pytest.UsageError(f"{given} cannot be given together; choose one")
        self._name, self._config = asked[0], config
        self._edit = bool(config.getoption("dust_edit"))
        if self._edit and self._name != "accept":
            raise pytest.UsageError("--dust-edit is for --dust-accept; leave it out, or give both")
        self._failed = False
        if getattr(config.option, "tx", None):  # pytest-xdist would collect in its workers only
            config.option.dist, config.option.tx = "no", []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run the command on the pending answers of the selected items."""
        options = session.config.option
        if options.collectonly or (session.testsfailed and not options.continue_on_collection_errors):
            return None  # pytest itself ends the session
        for line in self._lines(session):
            self._write(line)
        return True

    def _write(self, line: str) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None:
            print(inert(line))  # noqa: T201
        else:
            terminal.write_line(inert(line))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the session if an answer was refused."""
        if self._failed and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _lines(self, session: pytest.Session) -> Iterator[str]:
        """Run the command; the lines tell what became of the answers."""
        from pytest_dust.plugin.waiting_items import by_file

        shared = sessions.open(self._config)
        files = by_file(session.items, shared)
        folder = shared.pending.folder.path
        if self._config.getoption("dust_pending_dir") and not folder.is_dir():
            name = shared.pending.shown(folder)
            raise pytest.UsageError(f"--dust-pending-dir: there is no folder {name}; correct the name")
        yield from self._of_no_case(shared)
        if not files and session.testsfailed:
            return  # what is selected is not known
        if not files:
            where = shared.pending.shown(folder)
            yield f"dust: no answer is pending for the selected tests (looked in {where})"
        elif self._name == "reject":
            yield from self._reject([path for file in files for path in file.paths], shared)
        elif self._name == "accept":
            answers = [one for file in files for one in file.answers]
            yield from self._accept(files, Decisions(answers, answers if self._edit else ()), shared)
        else:
            from pytest_dust.plugin import review

            decisions = review.decisions(files, shared, self._config)
            yield from self._reject([one.file.file for one in decisions.reject], shared)
            yield from self._accept(files, decisions, shared)
            left = sum(path.exists() for file in files for path in file.paths)
            if left:
                yield f"dust: {plural(left, 'answer')} still pending"

    def _reject(self, paths: Sequence[Path], shared: sessions.Session) -> Iterator[str]:
        """Remove pending answers; tell which cannot be removed."""
        reasons = {path: remove(path) for path in paths}
        left = [f"{shared.pending.shown(path)}: {why}" for path, why in reasons.items() if why]
        if len(left) < len(paths):
            yield f"dust: {plural(len(paths) - len(left), 'pending answer')} rejected"
        if left:
            self._failed = True
            named = first_names(left, MAX_NAMED)
            yield f"dust: {plural(len(left), 'pending answer')} cannot be removed: {named}"

    def _of_no_case(self, shared: sessions.Session) -> Iterator[str]:
        """Tell of pending answers that no case of their suite has."""
        others: list[Path] = []
        for suite, ids in shared.collected.items():
            if ids is not None:
                known = {f"{case_file(id_)}.json" for id_ in ids}
                names = shared.pending.folder.names(suite) - known
                others += [shared.pending.folder.place(suite, name).file for name in sorted(names)]
        if others:
            named = first_names(list(map(shared.pending.shown, others)), MAX_NAMED)
            count = plural(len(others), "pending answer")
            yield f"dust: {count} of no case: {named}; remove what you do not need"

    def _accept(
        self, files: Sequence[WaitingFile], decisions: Decisions, shared: sessions.Session
    ) -> Iterator[str]:
        """Accept answers; the lines tell which, and what is left to do."""
        from pytest_dust.plugin.accepting import accept, lines

        done: list[Accepted] = []
        wrong = [pair for file in files for pair in file.broken]
        accepted, edited = ({id(one) for one in each} for each in (decisions.accept, decisions.edit))
        for file in files:
            chosen = [one for one in file.answers if id(one) in accepted]
            if chosen:
                done.append(accept(file, chosen, [one for one in chosen if id(one) in edited], shared))
        self._failed = self._failed or bool(wrong or any(each.refused for each in done))
        yield from lines(done, wrong, shared)
