"""The fixture `dust`: runs of an app from Python tests, under the same modes and cassettes as suites."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_dust.cassettes import files
from pytest_dust.constants import LATEST
from pytest_dust.errors import CassetteError, DustError
from pytest_dust.model import Case, Place, Tokens
from pytest_dust.plugin import facts, fixture_runs
from pytest_dust.plugin.fixture_runs import FixtureRun
from pytest_dust.report import case as case_report
from pytest_dust.report.case import Subject
from pytest_dust.settings import Mode
from pytest_dust.wording import as_typed

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from pytest_dust.cassettes.files import Spot
    from pytest_dust.cassettes.format import Cassette
    from pytest_dust.model import Outcome
    from pytest_dust.plugin.session import Session
    from pytest_dust.run.pipeline import Answer, Estimate, Recording


def estimate(item: pytest.Item, session: Session) -> Estimate | None:
    """About how many runs and tokens a test will take, as it did when it was recorded; None if nobody knows.

    In mode `record`, a test that has recordings makes no runs, unless its requests have changed.
    """
    from pytest_dust.run.pipeline import Estimate, recorded

    found = list(_recordings(item, session))
    if not found:
        return None
    if session.settings.mode is Mode.RECORD:
        return Estimate(0, 0)
    made = [recorded(each) for each in found]
    return Estimate(len(found), sum(each.tokens for each in made), sum(each.unknown for each in made))


def recorded_apps(item: pytest.Item, session: Session) -> set[str]:
    """The ids of the apps that a test ran when it was recorded; none where it has no recording."""
    apps = (each.request.get("app") for each in _recordings(item, session))
    return {str(app["id"]) for app in apps if isinstance(app, dict) and "id" in app}


def _recordings(item: pytest.Item, session: Session) -> Iterator[Cassette]:
    """The recordings of a test's runs, in their order, up to the first that is missing or broken."""
    for number in count(1):
        spot = _spot(item, number, session)
        try:
            found = session.read_ahead.keep(spot)
        except (CassetteError, RecursionError):
            return
        if found is None:
            return
        yield found


def _spot(item: pytest.Item, number: int, session: Session) -> Spot:
    """Where the cassette of a test's run is."""
    home = files.home(item.path, session.settings.cassette_dir, item.config.rootpath)
    return home.spot(run_name(item, number), run_name(item, number, within="."))


def run_name(item: pytest.Item, number: int, within: str = "::") -> str:
    """The name of a test's run: the test's, with its class, and a number from the second run on.

    `within` is what stands for `::` in the test's parameters.
    """
    name, bracket, parameters = nodeid(item).split("::", 1)[-1].partition("[")
    return name.replace("::", ".") + bracket + parameters.replace("::", within) + _numbered(number)


def nodeid(item: pytest.Item) -> str:
    """The test's node id, without the group that xdist adds to it under --dist=loadgroup."""
    return f"{item.parent.nodeid}::{item.name}" if item.parent else item.nodeid


def _numbered(number: int) -> str:
    return "" if number == 1 else f"[{number}]"


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
    """Runs apps for one test; what the fixture `dust` gives."""

    def __init__(self, request: pytest.FixtureRequest, session: Session) -> None:
        """Run for the test that asks, with what its session shares."""
        self._node: Any = request.node
        self._config = request.config
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
            marks=(),
            expect=(),
        )
        try:
            outcome = self._outcome(case)
        except DustError as error:  # raised anew: its text masked, and no traceback of ours above it
            raise type(error)(self._session.masked(str(error), case)) from None
        seen: RunView = _viewed(view(outcome.shown.run, plural=case.plural), RunView)
        return seen

    def _outcome(self, case: Case) -> Outcome:
        """The case's outcome, noted for the test's report and the summary; raises DustError."""
        from pytest_dust.run.pipeline import record

        answer: Answer | None = None
        recorded = False
        try:
            answer = self._answer(case)
            recorded = record(answer, self._session.desk())
            outcome = self._judged(case, answer)
        except BaseException as error:
            headline = error.headline if isinstance(error, DustError) else type(error).__name__
            spent = getattr(error, "spent", None) or (answer.spent if answer else Tokens())
            source = facts.without_outcome(answer, recorded=recorded)
            told = facts.of_no_run(case, self._session.masked(headline, case), spent, source)
            fixture_runs.add(self._node, FixtureRun({"id": self._title(), **told}))
            raise
        fixture_runs.add(self._node, self._told(case, outcome))
        return outcome

    def _answer(self, case: Case) -> Answer:
        """The case's run, which may not be recorded yet; raises DustError."""
        from pytest_dust.run.pipeline import obtain

        session = self._session
        if session.tried is not None:
            session.tried.meet(case.app.id)
        return obtain(case, self._recording(), session.desk())

    def _judged(self, case: Case, answer: Answer) -> Outcome:
        """The run judged and compared; raises DustError."""
        from pytest_dust.run.pipeline import judge, keeping

        session, desk = self._session, self._session.desk()
        outcome = judge(answer, desk)
        if session.differences is not None:
            shown = self._relative(self._node.path)
            with keeping(answer, desk):
                session.differences.write(shown, case.id, self._title(), outcome, session.mask.of_case(case))
        return outcome

    def _told(self, case: Case, outcome: Outcome) -> FixtureRun:
        """What the run leaves for the test's report and the summary."""
        session, settings = self._session, self._session.settings
        masked = partial(session.masked, case=case)
        told = {"id": self._title(), **facts.of_run(case, outcome, "", settings, masked)}
        if not outcome.changed:
            return FixtureRun(told)
        other = settings.version_of(case.app.id, case.specification_hash) != case.specification_hash
        subject = Subject(self._where(), self._command(), pinned=other, home="test")
        report = masked("\n".join(case_report.changed(subject, outcome)))
        headline = masked(case_report.headline(outcome)) if outcome.gated else ""
        return FixtureRun(told, report, headline)

    def _recording(self) -> Recording:
        """Where the run's cassette is, and how to record it anew."""
        from pytest_dust.run.pipeline import Recording

        spot = _spot(self._node, self._runs, self._session)
        read = self._session.read_ahead.take
        return Recording(spot, self._relative(spot.path), self._command(), self._node.path, read)

    def _title(self) -> str:
        """The run as the summary names it."""
        return f"{nodeid(self._node)}{_numbered(self._runs)}"

    def _where(self) -> str:
        """Where the test stands, and which run of it."""
        line = self._node.location[1]
        place = self._relative(self._node.path) + ("" if line is None else f":{line + 1}")
        return place if self._runs == 1 else f"{place}   run {self._runs} of the test"

    def _relative(self, path: Path) -> str:
        return as_typed(path, self._config.invocation_params.dir)

    def _command(self) -> str:
        _, *names = nodeid(self._node).split("::", 1)
        shown = "::".join([self._relative(self._node.path), *names])
        return shlex.join(["pytest", shown, *self._session.settings.typed])


def _read(name: str, value: Any) -> Any:
    """An argument as the suite's key of that name is read; raises ValueError for what no suite may have."""
    from pytest_dust.suite.keys import KEYS
    from pytest_dust.suite.problems import Invalid, Notes
    from pytest_dust.suite.yaml_reader import read

    try:
        plain = json.loads(json.dumps(value, allow_nan=False, default=_plain))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{name} is no JSON: {error}") from None
    notes = Notes(read("{}"))
    try:
        return KEYS[name].read(notes, plain, (name,))
    except Invalid:
        raise ValueError("; ".join(problem.message for problem in notes.problems)) from None


def _plain(value: object) -> Any:
    """A mapping or sequence of another class as a dict or list."""
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
