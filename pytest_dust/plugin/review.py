"""Review pending answers on a terminal, one by one: accept, edit, reject or skip each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dust.plugin.decisions import Decisions
from pytest_dust.plugin.keys import END, is_terminal, single_keys
from pytest_dust.report import groups
from pytest_dust.report.bounds import kept
from pytest_dust.report.review import Progress, case_to_review, choices, fitting, in_order
from pytest_dust.report.terminal import markup
from pytest_dust.wording import plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_dust.plugin.session import Session
    from pytest_dust.plugin.waiting_items import WaitingFile
    from pytest_dust.report.record import CaseRecord
    from pytest_dust.run.waiting import Waiting

NO_TERMINAL = (
    "--dust-review asks on a terminal, and this is none; accept the pending answers of the selected tests: "
    "--dust-accept (with --dust-edit it also edits the suites), or remove them: --dust-reject"
)


class Choice(StrEnum):
    """What to do with one pending answer."""

    ACCEPT = "accepted"
    EDIT = "accepted, and its suite edited"
    REJECT = "rejected"
    SKIP = "skipped"


KEYS = {"a": Choice.ACCEPT, "e": Choice.EDIT, "r": Choice.REJECT, "s": Choice.SKIP}
"""The choice of each key; its capital letter makes it for all answers that begin in the same block."""
QUIT, UNDO = "q", "u"
INTERRUPTED = 2
"""pytest's exit status of an interrupted session."""


@dataclass(slots=True)
class Review:
    """Pending answers, in the order in which they are shown, and what was chosen for each."""

    answers: Sequence[Waiting]
    records: Sequence[CaseRecord]
    chosen: dict[int, Choice] = field(default_factory=dict)
    """By the answer's index."""
    history: list[list[int]] = field(default_factory=list)
    """The indexes for which each key chose."""

    @property
    def at(self) -> int | None:
        """The index of the first answer without a choice; None if there is none left."""
        return next((at for at in range(len(self.answers)) if at not in self.chosen), None)

    def group(self, at: int) -> list[int]:
        """The indexes without a choice whose change begins in the same block."""
        cause = groups.cause(self.records[at])
        open_ = (other for other in range(len(self.answers)) if other not in self.chosen)
        return [other for other in open_ if other == at or groups.cause(self.records[other]) == cause]

    def choose(self, at: int, key: str) -> list[int]:
        """Make the choice of a key; return the indexes that it is for."""
        chosen = self.group(at) if key.isupper() else [at]
        self.chosen.update(dict.fromkeys(chosen, KEYS[key.lower()]))
        self.history.append(chosen)
        return chosen

    def undo(self) -> list[int]:
        """Take back what the last key chose; return the indexes."""
        taken = self.history.pop() if self.history else []
        for at in taken:
            del self.chosen[at]
        return taken

    def of(self, *choices: Choice) -> list[Waiting]:
        """The answers for which one of these choices was made."""
        return [one for at, one in enumerate(self.answers) if self.chosen.get(at) in choices]


def decisions(files: Sequence[WaitingFile], session: Session, config: pytest.Config) -> Decisions:
    """Ask on the terminal what is to become of each answer; raises UsageError if there is no terminal.

    Nothing is changed yet: Ctrl-C leaves all as it was.
    """
    answers = [one for file in files for one in file.answers]
    with _own_terminal(config):
        if not (is_terminal() and config.pluginmanager.hasplugin("terminalreporter")):
            raise pytest.UsageError(NO_TERMINAL)
        writer = config.get_terminal_writer()
        writer.line(f"dust: comparing {plural(len(answers), 'pending answer')} with the cassettes")
        writer.flush()
        records = [kept(one.record(session.settings), one.asked.mask) for one in answers]
        order = in_order(records)
        review = Review([answers[at] for at in order], [records[at] for at in order])
        try:
            with single_keys() as key:
                _ask(review, key, _Screen(writer, session))
        except KeyboardInterrupt:
            pytest.exit("review interrupted, all answers are still pending", returncode=INTERRUPTED)
    accepted = review.of(Choice.ACCEPT, Choice.EDIT)
    return Decisions(accepted, review.of(Choice.EDIT), review.of(Choice.REJECT))


@contextmanager
def _own_terminal(config: pytest.Config) -> Iterator[None]:
    """Give the terminal's input back, which pytest takes away while it captures output."""
    capture: Any = config.pluginmanager.get_plugin("capturemanager")
    if capture is None:
        yield
        return
    capture.suspend_global_capture(in_=True)
    try:
        yield
    finally:
        capture.resume_global_capture()
        capture.suspend_global_capture()


def _ask(review: Review, key: Callable[[], str], screen: _Screen) -> None:
    """Show one answer after the other, until each has a choice or the user quits."""
    while (at := review.at) is not None:
        screen.show(review, at)
        pressed = _known(key, review, at)
        if pressed == QUIT:
            break
        if pressed == UNDO:
            screen.say(_named(review, review.undo(), "undone") or "nothing to undo")
        else:
            chosen = review.choose(at, pressed)
            screen.say(_named(review, chosen, KEYS[pressed.lower()]))


def _known(key: Callable[[], str], review: Review, at: int) -> str:
    """The next key that means something here; raises KeyboardInterrupt if the terminal is gone."""
    keys = {*KEYS, *map(str.upper, KEYS), QUIT, UNDO}
    if review.records[at].is_test:
        keys -= {"e", "E"}
    while (pressed := key()) not in keys:
        if pressed == END:
            raise KeyboardInterrupt
    return pressed


def _named(review: Review, indexes: Sequence[int], what: str) -> str:
    """What was done with some answers; empty if there are none."""
    if len(indexes) == 1:
        return f"{what}: {review.records[indexes[0]].title}"
    return f"{what}: {plural(len(indexes), 'answer')}" if indexes else ""


class _Screen:
    """Writes to the terminal, with all secrets masked."""

    def __init__(self, writer: Any, session: Session) -> None:
        self._writer, self._session = writer, session

    def show(self, review: Review, at: int) -> None:
        """Show one answer, and the keys."""
        one, record = review.answers[at], review.records[at]
        progress = Progress(len(review.chosen) + 1, len(review.answers), len(review.group(at)))
        for line in case_to_review(record, one.new_hash, progress, self._writer.fullwidth):
            for part in fitting(self._session.masked(line, one.asked.mask), self._writer.fullwidth):
                self._line(part, **markup(line))
        self._line("")
        for line in choices(record, progress):
            self._line(line, bold=True)

    def say(self, text: str) -> None:
        """Say what a key did."""
        self._line(f"  → {self._session.masked(text)}", cyan=True)

    def _line(self, text: str, **looks: bool) -> None:
        self._writer.line(text, **looks)
        self._writer.flush()
