"""The item that asks whether a pinned version of an app is still what is saved."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pytest_dust import cassette_files
from pytest_dust.errors import DustError, ServiceError
from pytest_dust.item import CaseFailed, Item, Unrun
from pytest_dust.missing import refuse_missing

if TYPE_CHECKING:
    import pytest

    from pytest_dust.catalog import Listed
    from pytest_dust.model import Case


class DriftItem(Item):
    """Asks whether a pinned version of an app is still what is saved at Dust; costs no run."""

    def __init__(self, *, cases: list[Case], **kwargs: Any) -> None:
        """Ask for the app and hash that all the cases pin."""
        super().__init__(**kwargs)
        self.cases = cases

    def runtest(self) -> None:
        """Ask the service; raises CaseFailed where the app moved away, Unrun where nobody can tell."""
        from pytest_dust.drift import drift
        from pytest_dust.report.drift import drifted

        first = self.cases[0]
        try:
            listed = self._listed(first)
        except DustError as error:
            doubt = f"nobody can tell whether the app {first.app.id} is still what is pinned:"
            self.headline = self.masked(f"{doubt} {error.headline}")
            raise Unrun(f"{doubt}\n{error}") from None
        saved = str(listed.specification_hash)
        if saved == first.specification_hash:
            return
        recorded = self._recorded()
        blocks = list(drift(recorded, listed.specification)) if recorded is not None else None
        pinned = first.specification_hash
        option = f"--dust-specification-hash={first.app.id}={saved}"
        command = shlex.join(["pytest", option, *self.shared.settings.typed])
        lines = drifted(first.app.id, pinned, saved, blocks, command)
        names = (
            ", ".join(f"{each.name} {each.kind}" for each in (blocks or [])[:3]) or "another version is saved"
        )
        self.headline = f"app {first.app.id} drifted: {names}"
        raise CaseFailed("\n".join(lines))

    def _listed(self, case: Case) -> Listed:
        """The app as it is saved; raises ServiceError where nobody can tell."""
        app = self.shared.settings.address(case.app)
        refuse_missing(app.workspace, app.space, os.environ, case=False)
        listed = self.shared.listed(app)
        if listed is None:
            raise ServiceError(
                f"the space lists no app {case.app.id} any more: it was removed or moved, or the key lost "
                "access; check the app in Dust, and the key"
            )
        if listed.specification_hash is None:
            raise ServiceError(
                f"the app {case.app.id} has no saved run, which alone tells the saved hash; "
                "run it once in Dust"
            )
        return listed

    def _recorded(self) -> Any:
        """The pinned version's blocks, from the first cassette of its cases that holds them."""
        for case in self.cases:
            with suppress(DustError):
                found = cassette_files.read(self.suite.spot(case.id))
                if found is None or found.request.get("specification_hash") != case.specification_hash:
                    continue  # missing, or stale: of another version than the pinned one
                if found.specification is not None:
                    return found.specification
        return None

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]
        """What drifted, or why nobody can tell."""
        if not isinstance(excinfo.value, CaseFailed | Unrun):
            return self.failed(str(super().repr_failure(excinfo)), excinfo.exconly())
        text = str(excinfo.value)
        if isinstance(excinfo.value, Unrun):
            text = "\n".join(f"  {line}" for line in text.split("\n"))
            return self.failed(f"{self.suite.shown}   drift\n\n{text}", self.headline)
        first = f"{self.suite.shown}   {self.headline}"  # all that xdist's controller has for the summary
        return self.failed(f"{first}\n\n{text}", self.headline)
