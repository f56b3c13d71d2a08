"""The versions of `--dust-specification-hash`, and whether each is of an app of the session."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pytest_dust.constants import LATEST
from pytest_dust.errors import SettingsError, did_you_mean
from pytest_dust.report.record import AppCounts
from pytest_dust.wording import plural

OPTION = "--dust-specification-hash"
EVERY = ""
"""Key of the version for all apps that have none of their own."""
MAX_NAMED = 12
"""Maximum number of apps that a message names."""


@dataclass(slots=True)
class TriedVersions:
    """The versions to run, by app, and the apps that the session is known to have."""

    versions: Mapping[str, str]
    counts: AppCounts = field(default_factory=AppCounts)
    met: set[str] = field(default_factory=set)
    """Apps that Python tests without a recording ran."""

    @property
    def apps(self) -> list[str]:
        """The known apps of which another version is run."""
        everywhere = (
            {*self.counts.cases, *self.counts.recorded, *self.met} if EVERY in self.versions else set()
        )
        return sorted(everywhere.union(self.versions) - {EVERY})

    def refuse_misfit(self, *, unread: bool) -> None:
        """Raise SettingsError if a version fits no app; `unread` suites might hold any app."""
        known = {*self.counts.cases, *self.counts.recorded}
        if not (known or self.counts.tests or unread):
            raise SettingsError(
                f"{OPTION}: this session has no suite, and no test that uses the fixture dust, so no version "
                "is tried; select some, or leave the option out"
            )
        selected = {*self._selected(), *self.counts.recorded}
        self._refuse_two_apps(selected or self.counts.cases)
        if self.counts.tests or unread:
            return
        for app in self.versions:
            if app not in (EVERY, *known):
                raise SettingsError(unknown(app, known))
        if EVERY in self.versions and self.versions[EVERY] != LATEST and not self._rest(known):
            raise SettingsError(
                f"{OPTION}: {self.versions[EVERY]} fits no app: {named(known)} have a version of their "
                "own; leave it out"
            )
        if selected and selected.isdisjoint(self.apps):
            raise SettingsError(
                f"{OPTION}: no selected case is of {named(self.apps)}; select one, or leave the option out"
            )

    def meet(self, app: str) -> None:
        """Add an app that a test is about to run; raises SettingsError if a bare hash then has two apps."""
        self._refuse_two_apps({*self._selected(), *self.met, app})
        self.met.add(app)

    def _selected(self) -> list[str]:
        """The apps of selected cases."""
        return [app for app, count in self.counts.selected.items() if count]

    def _rest(self, apps: Collection[str]) -> list[str]:
        """The apps without a version of their own."""
        return sorted(app for app in apps if app not in self.versions)

    def _refuse_two_apps(self, apps: Collection[str]) -> None:
        """Raise SettingsError if a bare hash, which is a version of one app, is given for several."""
        version = self.versions.get(EVERY, LATEST)
        rest = self._rest(apps)
        if version != LATEST and len(rest) > 1:
            raise SettingsError(
                f"{OPTION}: a hash is a version of one app, and this session has {len(rest):,}: "
                f"{named(rest)}; give {OPTION}=APP_ID={version} (only {LATEST} fits all apps)"
            )


def unknown(app: str, apps: Collection[str]) -> str:
    """The message for a version of an app that the session does not have."""
    has = f"it has: {named(apps)}" if apps else "it ran no app"
    return (
        f"{OPTION}: this session has no suite or test of the app {app}{did_you_mean(app, apps)}; {has}; "
        "mend the app id, or leave the option out"
    )


def named(apps: Collection[str]) -> str:
    """The apps' ids as one text."""
    listed = sorted(apps)
    more = f" and {plural(len(listed) - MAX_NAMED, 'more app')}" if len(listed) > MAX_NAMED else ""
    return ", ".join(listed[:MAX_NAMED]) + more
