"""The item that asks whether a pinned version of an app is still what is saved."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pytest_dust.cassettes import files
from pytest_dust.compare.drift import verdict
from pytest_dust.constants import LATEST
from pytest_dust.dust.missing import refuse_missing
from pytest_dust.errors import DustError, ServiceError
from pytest_dust.plugin.item import CaseFailed, Item, Unrun
from pytest_dust.report import drift as report

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from pytest_dust.cassettes.files import Spot
    from pytest_dust.cassettes.format import Cassette
    from pytest_dust.dust.catalog import Listed
    from pytest_dust.masking import Mask
    from pytest_dust.model import App, Case, Specification


class DriftItem(Item):
    """Asks whether a pinned version of an app is still what is saved at Dust; costs no run."""

    def __init__(self, *, app: App, pinned: str, **kwargs: Any) -> None:
        """Ask for this app and the hash that a suite pins."""
        super().__init__(**kwargs)
        self.app, self.pinned = app, pinned
        self.told = ""
        """What the summary says of the app, where it has not drifted."""

    def runtest(self) -> None:
        """Ask the service; raises CaseFailed where the app moved away, Unrun where nobody can tell."""
        try:
            saved = self._listed()
        except DustError as error:
            raise self._unknown(error.headline, str(error)) from None
        exists = self.shared.catalog(self.app).exists(self.app.id, self.pinned)
        recorded, when, mask = self._recorded()
        blocks = mask.value(saved.specification)
        found = verdict(self.pinned, recorded, blocks, saved.specification_hash)
        facts = report.Facts(self.app.id, self.pinned, saved.specification_hash, saved.unknown, when, exists)
        if found.drifted is None and exists is not False:
            reason = report.undecided(facts, found)
            raise self._unknown(reason, reason)
        if found.drifted or exists is False:
            drifted = " drifted" if found.drifted else ""
            self.headline = f"app {self.app.id}{drifted}: {report.headline(facts, found)}"
            raise CaseFailed("\n".join(report.drifted(facts, found, self._command(facts))))
        pins = sum(app == self.app for app, _ in self.shared.drifts)
        which = f" ({self.pinned[:8]}…)" if pins > 1 else ""
        self.told = self.masked(f"app {self.app.id}{which}: {report.unmoved(facts, found)}")

    def drift_facts(self) -> dict[str, Any]:
        """What the summary needs to know, fit to travel from an xdist worker."""
        return {"headline": self.headline, "runs": [], "drift": self.told}

    def _unknown(self, headline: str, text: str) -> Unrun:
        doubt = f"nobody can tell whether the app {self.app.id} is still what is pinned:"
        self.headline = self.masked(f"{doubt} {headline}")
        return Unrun(f"{doubt}\n{text}")

    def _command(self, facts: report.Facts) -> str:
        """The command that runs the saved version: by its hash, if it has one that is not the pinned one."""
        version = LATEST if facts.is_unrun else facts.saved
        option = f"--dust-specification-hash={self.app.id}={version}"
        return shlex.join(["pytest", option, *self.shared.settings.typed])

    def _listed(self) -> Listed:
        """The app as it is saved; raises ServiceError where nobody can tell."""
        refuse_missing(self.app.workspace, self.app.space, os.environ, case=False)
        listed = self.shared.listed(self.app)
        if listed is None:
            raise ServiceError(
                f"the space lists no app {self.app.id} any more: it was removed or moved, or the key lost "
                "access; check the app in Dust, and the key"
            )
        return listed

    def _recorded(self) -> tuple[Specification | None, str, Mask]:
        """The blocks that recordings of the pinned version keep, since when, and how they are masked.

        Blocks that are known to have run go before others.
        """
        best: tuple[Specification | None, str, Mask] = (None, "", self.shared.mask)
        for found in self._recordings():
            if found[0].ran:
                return found
            best = best if best[0] else found
        return best

    def _recordings(self) -> Iterator[tuple[Specification, str, Mask]]:
        """The blocks that recordings of the pinned version keep; those of cases that pin it come first."""
        cases = self.shared.recordings.get(self.app, ())
        for suite, case in sorted(cases, key=lambda each: each[1].specification_hash != self.pinned):
            with suppress(DustError, RecursionError):
                found = self._recording(suite.spot(case.id), case)
                if found and found.specification and self.pinned in self._versions(found):
                    yield found.specification, found.recorded_at, self._mask(case)

    @staticmethod
    def _recording(spot: Spot, case: Case) -> Cassette | None:
        """The case's cassette; else one that an earlier version may have recorded for it."""
        found = files.read(spot)
        if found is not None:
            return found
        asked = ((each, each.request.get("app")) for each in files.earlier(spot))
        return next(
            (each for each, app in asked if isinstance(app, dict) and app.get("id") == case.app.id), None
        )

    @staticmethod
    def _versions(found: Any) -> set[str]:
        """The version that a recording asked for, and the one that it was answered by."""
        from pytest_dust.run.pipeline import recorded_runs

        asked = str(found.request.get("specification_hash"))
        if asked != LATEST:
            return {asked}
        return {str(run.specification_hash) for run in recorded_runs(found)}

    def _mask(self, case: Case) -> Mask:
        """How the recording of a case is masked."""
        from pytest_dust.cassettes import format as cassette
        from pytest_dust.run.pipeline import build, masking

        bound = cassette.bound(build(case, self.shared.settings))
        return masking(self.shared.mask, bound, case)

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
