"""A suite on disk with pending answers, built without pytest or a service."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from answers import answer, exchange, ran, told
from msgspec.structs import replace

from conftest import PLAIN_RECORD
from pytest_dust.cassettes import files, recording
from pytest_dust.cassettes.files import folder_of
from pytest_dust.cassettes.recording import CassetteOfCase, Recording
from pytest_dust.checks.binding import Here
from pytest_dust.checks.matchers import MATCHERS
from pytest_dust.dust import wire
from pytest_dust.files.sources import digest
from pytest_dust.masking import Mask
from pytest_dust.model import Case, Flavor, Outcome, Source
from pytest_dust.run.acceptance import Accepted, CaseAcceptance
from pytest_dust.run.answer import Answer, MadeRun
from pytest_dust.run.case_request import case_request
from pytest_dust.run.edit_plan import SuiteSource
from pytest_dust.run.pending import PendingFolder, origin
from pytest_dust.run.waiting import Waiting
from pytest_dust.settings import resolve
from pytest_dust.suite import cases as suites
from pytest_dust.suite import references

OLD, NEW, THIRD = "a" * 64, "b" * 64, "c" * 64
"""Specification hashes: the pinned one, the one that ran, and another."""
SETTINGS = resolve({}, {"DUST_WORKSPACE_ID": "w_example", "DUST_SPACE_ID": "vlt_example"}, {})
HEAD = f"app: {{id: app}}\nspecification_hash: {OLD}\n"
NAME = "s.dust.yaml"
LOOK_UP = references.environment({"DUST_PIN": OLD, "DUST_LABEL": "billing"}, frozenset())


@dataclass(frozen=True)
class PendingSuite:
    """A suite in a folder of its own; each of its cases may have a cassette and a pending answer."""

    root: Path
    _read: dict[tuple[bytes, ...], dict[str, Case]] = field(default_factory=dict)
    """The cases by the content of the suite and its datasets, as each is looked at many times."""

    @classmethod
    def having(cls, root: Path, contents: Mapping[str, str | bytes]) -> PendingSuite:
        """The suite with its datasets on disk, by name."""
        for name, text in contents.items():
            (root / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return cls(root)

    @property
    def path(self) -> Path:
        """The suite's file."""
        return self.root / NAME

    @property
    def text(self) -> str:
        """The suite's text."""
        return self.path.read_bytes().decode()

    @property
    def folder(self) -> PendingFolder:
        """The folder of pending answers."""
        return PendingFolder(self.root / ".dust" / "pending", self.root)

    @property
    def source(self) -> SuiteSource:
        """The suite as it is on disk now."""
        content = self.path.read_bytes()

        def cases(contents: Mapping[str, bytes]) -> list[Case]:
            here = Here(self.root, MATCHERS, contents=contents)
            return suites.load(contents.get(NAME, content), NAME, LOOK_UP, here)

        return SuiteSource(self.path, NAME, content, lambda name: (self.root / name).read_bytes(), cases)

    @property
    def cases(self) -> dict[str, Case]:
        """The cases as they are on disk now, by id."""
        content = tuple(path.read_bytes() for path in sorted(self.root.glob("*.*")) if path.is_file())
        if content not in self._read:
            self._read[content] = {case.id: case for case in self.source.cases({})}
        return self._read[content]

    def place(self, case: Case) -> CassetteOfCase:
        """Where the cassette of a case belongs."""
        names = [NAME, *([case.dataset] if case.row else [])]
        digests = {name: digest((self.root / name).read_bytes()) for name in names}
        path = folder_of(self.path, "cassettes", self.root).cassette(case.id)
        id_ = f"{NAME}::{case.id}"
        return CassetteOfCase(path, path.file.name, f"pytest {id_}", self.path, id_, case.place.line, digests)

    def record(self, id_: str, *results: Any) -> None:
        """Write the cassette of a case."""
        files.write(self.place(self.cases[id_]).path, self._answer(self.cases[id_], OLD, results).content())

    def waiting(self, id_: str, *results: Any, version: str = NEW) -> Waiting:
        """Keep a pending answer with these results, one for each run, and read it back.

        The result of a case with `inputs` is a list, of one value for each.
        """
        case = self.cases[id_]
        made = self._answer(case, version, results)
        place = self.place(case)
        self.folder.let_git_ignore()
        file = self.folder.place(self.path, place.path.file.name)
        files.write(file, made.pending_content())
        found = files.read(file)
        assert found is not None
        asked, blank = case_request(case, SETTINGS, Mask()), replace(PLAIN_RECORD, id=place.case)
        return Waiting(asked, place, file, found, origin(found), blank)

    def _answer(self, case: Case, version: str, results: Sequence[Any]) -> Answer:
        asked = replace(case_request(case, SETTINGS, Mask()), version=version)
        runs = [_made(result if case.plural else [result], version) for result in results]
        return Answer(asked, Recording(self.place(case)), Source.LIVE, tuple(runs))

    def accept(self, waiting: Iterable[Waiting], edit: Collection[str] | None = None) -> Accepted:
        """Accept answers, and edit the expectations of these cases; of all, if none are given."""
        chosen = list(waiting)
        ids = {one.asked.case.id for one in chosen} if edit is None else edit
        return CaseAcceptance(self.source, self.folder, SETTINGS, ids).accept(chosen)

    def judged(self, one: Waiting) -> Outcome:
        """The outcome of a case as it is now, with an answer."""
        case = self.cases[one.asked.case.id]
        return replace(one, asked=replace(one.asked, case=case)).judged(SETTINGS)

    def fits(self, id_: str) -> bool:
        """True if the cassette of a case can be replayed for the case as it is now."""
        case = self.cases[id_]
        request = case_request(case, SETTINGS, Mask()).masked
        return recording.load(self.place(case), request, Mask()).fits


def _made(outputs: Sequence[Any], version: str) -> MadeRun:
    """A run of one block with these outputs, one for each input; an exception is an error of the block."""
    rows = [[_execution(output)] for output in outputs]
    failed = any(isinstance(output, Exception) for output in outputs)
    body = answer(
        [[["code", "ANSWER"], rows]], "errored" if failed else "succeeded", specification_hash=version
    )
    reply = told(Flavor.BLOCKING, exchange(body=body))
    return MadeRun(reply, wire.run(reply, None, version))


def _execution(output: Any) -> dict[str, Any]:
    failed = isinstance(output, Exception)
    return {"value": None, "error": str(output), "meta": None} if failed else ran(output)
