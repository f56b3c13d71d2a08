"""Accept pending answers: pin new hashes, edit expectations, put the answers in place of their cassettes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import Struct

from pytest_dust.cassettes import files, writable
from pytest_dust.errors import CassetteError, DustError
from pytest_dust.files.writing import rewrite
from pytest_dust.model import Case
from pytest_dust.run import wishes
from pytest_dust.run.edit_plan import EditPlan, SuiteSource, plan
from pytest_dust.run.edited_files import EditedFiles
from pytest_dust.run.pending import PendingFolder, remove
from pytest_dust.run.waiting import HASH, Waiting
from pytest_dust.run.wishes import Wish
from pytest_dust.settings import Settings
from pytest_dust.suite import yaml_reader
from pytest_dust.wording import shell_word

EDITED = "{} was edited since the run, so it is left alone"
NOT_ASKED = "accepted without --dust-edit, which is the key e in a review"


class Accepted(Struct, frozen=True):
    """What became of pending answers of one file."""

    shown: str
    """The suite or Python file, as the user types it."""
    accepted: tuple[Waiting, ...] = ()
    refused: tuple[tuple[Waiting, str], ...] = ()
    """Answers that stay pending, and why."""
    edits: tuple[Wish, ...] = ()
    """The edits that were made."""
    by_hand: tuple[Wish, ...] = ()
    """Values that the user must edit."""


def accept_runs(shown: str, waiting: Iterable[Waiting]) -> Accepted:
    """Accept the answers to runs of Python tests; a new hash must be pinned by hand."""
    accepted, refused, by_hand = list[Waiting](), list[tuple[Waiting, str]](), list[Wish]()
    for one in waiting:
        if why := one.refusal() or _put_in_place(one):
            refused.append((one, why))
            continue
        accepted.append(one)
        if one.new_hash:
            name = one.asked.case.id
            by_hand.append(Wish(name, one.blank.line, HASH, one.new_hash, None, "Python code is not edited"))
    return Accepted(shown, tuple(accepted), tuple(refused), (), tuple(by_hand))


def _unwritable(one: Waiting) -> str:
    """Why the cassette of an answer cannot be written; empty if it can."""
    try:
        writable.refuse_unwritable(one.place.path)
    except CassetteError as error:
        return f"the cassette {one.place.shown} {error}"
    return ""


def _put_in_place(one: Waiting) -> str:
    """Make an answer the case's cassette, and remove the pending one; return why that fails, else nothing."""
    try:
        files.write(one.place.path, one.content())
    except CassetteError as error:
        return f"the cassette {one.place.shown} {error}"
    why = remove(one.file.file)
    return f"it is in its cassette now, but {one.file.file} cannot be removed: {why}" if why else ""


@dataclass(slots=True)
class CaseAcceptance:
    """Accepts answers to the cases of one suite."""

    suite: SuiteSource
    folder: PendingFolder
    settings: Settings
    edit: Collection[str] = ()
    """Ids of the cases whose failed expectations get their new values."""
    _refused: dict[str, str] = field(default_factory=dict)
    """By case id, why an answer stays pending."""
    _as_run: dict[tuple[str, str | None], bool] = field(default_factory=dict)
    """By a file's name and its digest when a case ran, whether it is the same now."""

    def accept(self, waiting: Sequence[Waiting]) -> Accepted:
        """Accept what can be accepted; raises SuiteError if the suite has mistakes."""
        document = yaml_reader.read(self.suite.content.decode("utf-8-sig"))
        cases = self.suite.cases({})
        by_id = {one.asked.case.id: one for one in waiting}
        for id_, one in by_id.items():
            if why := one.refusal() or _unwritable(one):
                self._refused[id_] = why
        wanted = {id_: list(self._expectations(document, one)) for id_, one in self._left(by_id).items()}
        while True:
            accepted = self._left(by_id)
            pins = self._pins(document, cases, accepted)
            every = (*pins, *(wish for id_ in accepted for wish in wanted[id_]))
            possible = [wish for wish in every if not wish.reason]
            planned = plan(self.suite, cases, accepted, possible, self.settings)
            wrong = [wish for wish in (*pins, *planned.refused) if wish.name == HASH and wish.reason]
            if not (wrong or self._unwritten(planned)):
                break
            for wish in wrong:
                self._refused.setdefault(wish.case, self._unpinned(wish))
        return self._finish(by_id, planned, wanted)

    def _left(self, by_id: Mapping[str, Waiting]) -> dict[str, Waiting]:
        return {id_: one for id_, one in by_id.items() if id_ not in self._refused}

    # ── what is to be edited ─────────────────────────────────────────────────────────────────────

    def _pins(
        self, document: yaml_reader.Document, cases: Sequence[Case], accepted: Mapping[str, Waiting]
    ) -> list[Wish]:
        """The edits that pin new hashes; those with a reason cannot be made."""
        if not any(one.new_hash for one in accepted.values()):
            return []
        home = next(iter(accepted.values())).place.path.home
        kept = {case.id for case in cases if home.cassette(case.id).file.exists()}
        found = wishes.pins(document, cases, accepted, kept | set(self._refused))
        return [self._fresh(wish, accepted[wish.case]) for wish in found]

    def _expectations(self, document: yaml_reader.Document, one: Waiting) -> Iterator[Wish]:
        """The new values of a case's failed expectations; with a reason if they cannot be edited."""
        try:
            outcome = one.judged(self.settings)
        except DustError:  # it can be accepted, and a replay will say so
            return
        for wish in wishes.expectations(document, one, outcome):
            yield self._fresh(
                wish if one.asked.case.id in self.edit or wish.reason else wish.refused(NOT_ASKED), one
            )

    def _fresh(self, wish: Wish, one: Waiting) -> Wish:
        """The wish, refused if its file was edited since the case ran."""
        name = self.suite.file_of(wish)
        if wish.reason or self._is_as_run(name, one.origin.sources.get(name)):
            return wish
        return wish.refused(EDITED.format(name))

    def _is_as_run(self, name: str, then: str | None) -> bool:
        """Whether a file is as it was when its digest was `then`; asked once for each digest."""
        if (name, then) not in self._as_run:
            content = self.suite.content_of(name)
            path = self.suite.path.parent / name
            self._as_run[name, then] = EditedFiles(self.folder).is_as_run(path, content, then)
        return self._as_run[name, then]

    def _unpinned(self, wish: Wish) -> str:
        why = f"its new hash cannot be pinned: {self.suite.shown}:{wish.line}: {wish.reason}"
        if wish.reason.startswith(wishes.TOGETHER):
            made_of = shell_word(f"{self.suite.shown}::{wish.case.partition('[')[0]}")
            return f"{why}\naccept all of them: pytest {made_of} --dust-accept; run first what is not pending"
        return f"{why}\nwrite specification_hash: {wish.value} there, and accept again"

    # ── writing ──────────────────────────────────────────────────────────────────────────────────

    def _unwritten(self, planned: EditPlan) -> bool:
        """Write the edited files; True if one cannot be written, so that its cases are refused.

        The files that were written before are as they were then.
        """
        written: list[tuple[Path, bytes]] = []
        for name, content in planned.contents.items():
            path = self.suite.path.parent / name
            before = self.suite.content_of(name)
            try:
                EditedFiles(self.folder).add(path, before, content)
                rewrite(path, content)
            except (OSError, CassetteError) as error:
                for other, old in written:
                    rewrite(other, old)
                why = f"{name} cannot be edited: {getattr(error, 'strerror', None) or error}"
                self._refused.update(
                    {wish.case: why for wish in planned.made if self.suite.file_of(wish) == name}
                )
                return True
            written.append((path, before))
        return False

    def _finish(
        self, by_id: Mapping[str, Waiting], planned: EditPlan, wanted: Mapping[str, Sequence[Wish]]
    ) -> Accepted:
        """Put the accepted answers in place, and tell what became of all."""
        for id_, one in self._left(by_id).items():
            if why := _put_in_place(one):
                edited = "; its suite is edited already" if planned.contents else ""
                self._refused[id_] = f"{why}{edited}"
        done = self._left(by_id)
        reasoned = [wish for wishes_ in wanted.values() for wish in wishes_ if wish.reason]
        left = [wish for wish in (*reasoned, *planned.refused) if wish.case in done]
        return Accepted(
            self.suite.shown,
            tuple(done.values()),
            tuple((by_id[id_], why) for id_, why in self._refused.items()),
            planned.made,
            tuple(left),
        )
