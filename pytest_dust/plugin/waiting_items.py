"""The pending answers of selected items: of cases, and of the runs of Python tests."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_dust.cassettes.format import redacted
from pytest_dust.errors import CassetteError
from pytest_dust.model import App, Case, Place
from pytest_dust.plugin import fixture, workers
from pytest_dust.plugin.dust_file import DustFile
from pytest_dust.report.record import RunSource
from pytest_dust.run.case_request import case_request
from pytest_dust.run.pending import Origin, origin
from pytest_dust.run.waiting import Waiting
from pytest_dust.wording import as_typed

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from pytest_dust.cassettes.format import Cassette
    from pytest_dust.cassettes.recording import CassetteOfCase
    from pytest_dust.plugin.session import Session

MAX_RUNS = 200
"""Runs of one Python test among whose pending answers are searched."""


@dataclass(slots=True)
class WaitingFile:
    """The pending answers of one suite, or of one Python file."""

    shown: str
    """The file's path as the user types it."""
    suite: DustFile | None
    """None for a Python file."""
    names: frozenset[str]
    """The names of all pending answers to its cases, selected or not."""
    answers: list[Waiting] = field(default_factory=list)
    broken: list[tuple[str, str]] = field(default_factory=list)
    """Node ids of cases whose pending answer cannot be read, each with the reason."""
    paths: list[Path] = field(default_factory=list)
    """The files of all these pending answers."""


def by_file(items: Iterable[pytest.Item], session: Session) -> list[WaitingFile]:
    """The pending answers of these items, file by file; files without one are left out."""
    found: dict[str, WaitingFile] = {}
    for item in items:
        if not (workers.is_case(item) or workers.uses_fixture(item)):
            continue
        shown = as_typed(item.path, item.config.invocation_params.dir)
        suite = item.parent if isinstance(item.parent, DustFile) else None
        file = found.get(shown)
        if file is None:
            names = session.pending.folder.names(item.path)
            file = found[shown] = WaitingFile(shown, suite, names)
        for number, place in _places(item, file.names, session):
            path = session.pending.folder.place(item.path, place.path.file.name)
            file.paths.append(path.file)
            try:
                file.answers.append(_read(item, number, place, session))
            except (CassetteError, RecursionError) as error:
                file.broken.append((place.case, f"the pending answer {path.file.name} {error}"))
    return [file for file in found.values() if file.paths]


def _places(item: Any, names: Collection[str], session: Session) -> Iterator[tuple[int, CassetteOfCase]]:
    """The cassettes of a case, or of a test's runs, that have a pending answer; each with its number."""
    if not names:
        return
    if workers.is_case(item):
        places: Iterable[CassetteOfCase] = [item.cassette]
    else:
        places = (fixture.cassette_of_run(item, number, session) for number in range(1, MAX_RUNS + 1))
    yield from (pair for pair in enumerate(places, 1) if pair[1].path.file.name in names)


def _read(item: Any, number: int, place: CassetteOfCase, session: Session) -> Waiting:
    """A pending answer; raises CassetteError if it cannot be read."""
    found = session.pending.folder.read(item.path, place.path.file.name)
    if found is None:
        raise CassetteError("is gone")
    if workers.is_case(item):
        asked, blank = item.asked, item.blank(RunSource.WITHOUT_A_RUN)
    else:
        case = _case(found, origin(found), fixture.run_name(item, number))
        asked = case_request(case, session.settings, session.mask)
        blank = fixture.blank(item, number, case, session)
    file = session.pending.folder.place(item.path, place.path.file.name)
    return Waiting(asked, place, file, redacted(found, asked.mask), origin(found), blank)


def _case(found: Cassette, came_from: Origin, name: str) -> Case:
    """The case of a run of a Python test, as its pending answer tells: the test itself is not run."""
    request: Any = found.request
    app, names = request.get("app", {}), request.get("block_filter")
    return Case(
        id=name,
        place=Place(came_from.line, 1),
        app=App(app.get("workspace"), app.get("space"), str(app.get("id"))),
        specification_hash=came_from.pinned,
        config=request.get("config", {}),
        inputs=request.get("inputs", []),
        plural=came_from.plural,
        block_filter=tuple(names) if isinstance(names, list) else None,
    )
