"""The fixture `dust`: runs of an app from Python tests, under the same modes and cassettes as suites."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_dust.cassettes import files
from pytest_dust.constants import LATEST
from pytest_dust.errors import CassetteError, DustError
from pytest_dust.model import Case, Place
from pytest_dust.plugin import fixture_runs, repetition, testmon
from pytest_dust.plugin.fixture_runs import FixtureRun
from pytest_dust.report.bounds import kept
from pytest_dust.report.case import case_lines, headline
from pytest_dust.report.record import CaseRecord, RunSource, Verdict
from pytest_dust.settings import Mode
from pytest_dust.wording import as_typed, shell_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from pytest_dust.cassettes.files import CassettePath
    from pytest_dust.cassettes.format import Cassette
    from pytest_dust.cassettes.recording import CassetteOfCase
    from pytest_dust.model import Attempt, Outcome
    from pytest_dust.plugin.session import Session
    from pytest_dust.run.case_request import CaseRequest
    from pytest_dust.run.case_run import CaseRun
    from pytest_dust.run.context import RunContext
    from pytest_dust.run.recorded import Estimate


def estimate(item: pytest.Item, session: Session) -> Estimate | None:
    """About how many runs and tokens a test will take, as when it was recorded; None without a recording.

    In mode `record`, a test that has recordings makes no runs, unless its requests have changed.
    """
    from pytest_dust.run.recorded import Estimate, recorded

    found = list(_recordings(item, session))
    if not found:
        return None
    if session.settings.mode is Mode.RECORD:
        return Estimate(0, 0)
    made = [recorded(each) for each in found]
    return Estimate(len(found), sum(each.tokens for each in made), sum(each.unknown for each in made))


def recorded_apps(item: pytest.Item, session: Session) -> set[str]:
    """The ids of the apps that a test ran when it was recorded; none if it has no recording."""
    apps = (each.request.get("app") for each in _recordings(item, session))
    return {str(app["id"]) for app in apps if isinstance(app, dict) and "id" in app}


def _recordings(item: pytest.Item, session: Session) -> Iterator[Cassette]:
    """The recordings of a test's runs, in their order, up to the first that is missing or broken."""
    for number in count(1):
        try:
            found = session.read_ahead.keep(_cassette_path(item, number, session))
        except (CassetteError, RecursionError):
            return
        if found is None:
            return
        yield found


def _cassette_path(item: pytest.Item, number: int, session: Session) -> CassettePath:
    """The path of the cassette of a test's run."""
    folder = files.folder_of(item.path, session.settings.cassette_dir, item.config.rootpath)
    return folder.cassette(run_name(item, number), run_name(item, number, within="."))


def run_name(item: pytest.Item, number: int, within: str = "::") -> str:
    """The name of a test's run: the test's, with its class, and a number from the second run on.

    Repetitions of a test by another plugin have the same name, and so the same cassettes.
    `within` is what stands for `::` in the test's parameters.
    """
    name, bracket, rest = nodeid(item).split("::", 1)[-1].partition("[")
    parameters = repetition.without_repetition(item, rest.removesuffix("]"))
    shown = f"[{parameters.replace('::', within)}]" if bracket and (parameters or rest == "]") else ""
    return name.replace("::", ".") + shown + _numbered(number)


def nodeid(item: pytest.Item) -> str:
    """The test's node id, without the group that xdist adds to it under --dist=loadgroup."""
    return f"{item.parent.nodeid}::{item.name}" if item.parent else item.nodeid


def _numbered(number: int) -> str:
    return "" if number == 1 else f"[{number}]"


def cassette_of_run(item: pytest.Item, number: int, session: Session) -> CassetteOfCase:
    """Where the cassette of a test's run belongs."""
    from pytest_dust.cassettes.recording import CassetteOfCase

    path, line = _cassette_path(item, number, session), (item.location[1] or 0) + 1
    shown, command = _typed(path.file, item), _command(item, session)
    return CassetteOfCase(path, shown, command, item.path, _title(item, number), line)


def blank(item: pytest.Item, number: int, case: Case, session: Session) -> CaseRecord:
    """The record of a test's run before it is made."""
    settings, line = session.settings, item.location[1]
    return CaseRecord(
        id=_title(item, number),
        file=_typed(item.path, item),
        line=0 if line is None else line + 1,
        app=case.app.id,
        pinned=case.specification_hash,
        version=settings.version_of(case.app.id, case.specification_hash),
        mode=str(settings.mode),
        command=_command(item, session),
        source=RunSource.WITHOUT_A_RUN,
        verdict=Verdict.PASSED,
        is_test=True,
        run_number=number,
    )


def _title(item: pytest.Item, number: int) -> str:
    """The run's id in records."""
    return f"{nodeid(item)}{_numbered(number)}"


def _typed(path: Path, item: pytest.Item) -> str:
    return as_typed(path, item.config.invocation_params.dir)


def _command(item: pytest.Item, session: Session) -> str:
    """The command that runs the test alone, with the options that were typed."""
    _, *names = nodeid(item).split("::", 1)
    return shell_line(["pytest", "::".join([_typed(item.path, item), *names]), *session.settings.typed])


class View(dict[str, Any]):
    """A mapping whose keys are attributes too: `run.result.label` is `run["result"]["label"]`.

    A key that is named like a method of dict (`items`, `values`) is reached by `[…]` alone.
    """

    def __getattr__(self, name: str) -> Any:
        """The value of a key; raises AttributeError that says which keys there are."""
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no {name} here; there is: {', '.join(self) or 'nothing'}") from None


class RunView(View):
    """A run as `expect` sees it."""

    status: str
    error: str | None
    result: Any
    results: list[Any]
    blocks: View
    usage: View
    duration: float
    specification_hash: str | None
    run_id: str | None


class Dust:
    """The fixture `dust`: runs apps for one test."""

    def __init__(self, request: pytest.FixtureRequest, session: Session) -> None:
        """Take the test, and what its session shares."""
        self._node: Any = request.node
        self._session = session
        self._runs = 0

    def run(  # noqa: PLR0913  # the keys of a case
        self,
        *,
        app: str | Mapping[str, str],
        specification_hash: str = LATEST,
        input: Mapping[str, Any] | None = None,  # noqa: A002  # the suite's word
        inputs: Sequence[Mapping[str, Any]] | None = None,
        config: Mapping[str, Any] | None = None,
        block_filter: Sequence[str] | None = None,
        flavor: str = "blocking",
        timeout: float | None = None,
    ) -> RunView:
        """The run of an app with these inputs, as `expect` sees it.

        `app` is the app's id, or a mapping with `id`, `workspace`, `space`; `input` gives `result`,
        `inputs` give `results`; `timeout` is in seconds. Raises DustError where there is no run, and
        ValueError for arguments that no suite may have.
        """
        __tracebackhide__ = True
        from pytest_dust.dust.run_view import view

        if (input is None) == (inputs is None):
            raise ValueError("give input= a mapping, or inputs= a list of mappings")
        self._runs += 1
        case = Case(
            id=run_name(self._node, self._runs),
            place=Place(1, 1),
            app=_read("app", {"id": app} if isinstance(app, str) else app),
            specification_hash=_read("specification_hash", specification_hash),
            config=_read("config", {} if config is None else config),
            inputs=_read("inputs", inputs) if input is None else _read("input", input),
            plural=input is None,
            block_filter=None if block_filter is None else _read("block_filter", block_filter),
            flavor=_read("flavor", flavor),
            timeout=None if timeout is None else _read("timeout", timeout),
        )
        try:
            attempt = self._attempt(case)
        except DustError as error:  # raised anew: its text masked, and no traceback of ours above it
            raise type(error)(self._session.masked(str(error), self._asked(case).mask)) from None
        run: RunView = _viewed(view(attempt.run, plural=case.plural), RunView)
        return run

    def _asked(self, case: Case) -> CaseRequest:
        from pytest_dust.run.case_request import case_request

        return case_request(case, self._session.settings, self._session.mask)

    def _attempt(self, case: Case) -> Attempt:
        """Make the run; raises DustError. If the gate runs the test again, the run is not reported."""
        if (again := self._session.fresh_test) is not None:
            return again.answer(self._asked(case), self._context(case))
        return self._outcome(case).attempts[0]

    def _outcome(self, case: Case) -> Outcome:
        """The case's outcome, with its record kept for the test's report; raises DustError."""
        from pytest_dust.run.case_run import CaseRun

        place = cassette_of_run(self._node, self._runs, self._session)
        case_run = CaseRun(self._asked(case), place, self._blank(case))
        try:
            return case_run.run(partial(self._context, case))
        finally:
            testmon.add_dependencies(self._node.config, [place.path.file])
            fixture_runs.add(self._node, self._ended(case_run))

    def _context(self, case: Case) -> RunContext:
        """What the case is run with; raises DustError if it may not run."""
        from pytest_dust.plugin.network_blocks import refusal_of_vcr

        context = self._session.context(refusal_of_vcr(self._node))
        if self._session.tried is not None:
            self._session.tried.meet(case.app.id)
        return context

    def _blank(self, case: Case) -> CaseRecord:
        """The run's record before it is made."""
        record = blank(self._node, self._runs, case, self._session)
        if not self._session.settings.report:
            return record
        from pytest_dust.report.from_outcome import with_request

        return with_request(record, case, self._asked(case).mask)

    def _ended(self, case_run: CaseRun) -> FixtureRun:
        """What a run leaves behind."""
        record, mask = case_run.record, case_run.asked.mask
        if not record.changed:
            return FixtureRun(kept(record, mask))
        report = self._session.masked("\n".join(case_lines(record)), mask)
        line = self._session.masked(headline(record), mask) if record.verdict is Verdict.CHANGED else ""
        return FixtureRun(kept(record, mask), report, line)


def _read(name: str, value: Any) -> Any:
    """An argument, read as the suite's key of that name; raises ValueError if no suite may have it."""
    from pytest_dust.suite.keys import KEYS
    from pytest_dust.suite.problems import Invalid, Problems
    from pytest_dust.suite.yaml_reader import read

    try:
        plain = json.loads(json.dumps(value, allow_nan=False, default=_plain))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{name} is no JSON: {error}") from None
    problems = Problems(read("{}"))
    try:
        return KEYS[name].read(problems, plain, (name,))
    except Invalid:
        raise ValueError("; ".join(each.message for each in problems.found)) from None


def _plain(value: object) -> Any:
    """A mapping or sequence of another class, as a dict or list."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON")


def _viewed(value: Any, kind: type[View] = View) -> Any:
    """The value with every mapping in it as a View."""
    if isinstance(value, dict):
        return kind({key: _viewed(each) for key, each in value.items()})
    if isinstance(value, list):
        return [_viewed(each) for each in value]
    return value
