"""The fixture `dust`: runs of an app from Python tests, under the same modes and cassettes as suites."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_dust import cassette
from pytest_dust.model import App, Case, Flavor, Place
from pytest_dust.tables import file_name

if TYPE_CHECKING:
    import pytest

    from pytest_dust.session import Session


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
        specification_hash: str = "latest",
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
        from pytest_dust.pipeline import Recording, run_case
        from pytest_dust.view import view

        if (input is None) == (inputs is None):
            raise ValueError("give input= a mapping, or inputs= a list of mappings")
        self._runs += 1
        case = Case(
            id=self._name(),
            place=Place(1, 1),
            app=_app(app),
            specification_hash=specification_hash,
            config=dict(config or {}),
            inputs=[dict(input)] if input is not None else [dict(each) for each in inputs or ()],
            plural=input is None,
            block_filter=None if block_filter is None else tuple(block_filter),
            flavor=Flavor(flavor),
            timeout=timeout,
            marks=(),
            expect=(),
        )
        folder = self._session.settings.cassette_dir
        spot = cassette.spot(self._node.path, file_name(case.id), folder, self._config.rootpath)
        recording = Recording(spot, self._relative(spot.path), self._command())
        outcome = run_case(case, recording, self._session.desk(None))
        seen: RunView = _viewed(view(outcome.shown.run, plural=case.plural), RunView)
        return seen

    def _name(self) -> str:
        """The cassette's name: the test's, with its class, and a number from the second run on."""
        name = self._node.nodeid.split("::", 1)[-1].replace("::", ".")
        return name if self._runs == 1 else f"{name}[{self._runs}]"

    def _relative(self, path: Path) -> str:
        return os.path.relpath(path, self._config.invocation_params.dir).replace(os.sep, "/")

    def _command(self) -> str:
        return shlex.join(["pytest", self._node.nodeid, *self._session.settings.typed])


def _app(app: str | Mapping[str, str]) -> App:
    if isinstance(app, str):
        return App(None, None, app)
    return App(app.get("workspace"), app.get("space"), app["id"])


def _viewed(value: Any, kind: type[View] = View) -> Any:
    """The value with every mapping in it as a View."""
    if isinstance(value, dict):
        return kind({key: _viewed(each) for key, each in value.items()})
    if isinstance(value, list):
        return [_viewed(each) for each in value]
    return value
