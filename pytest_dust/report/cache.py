"""Lines of the summary on the service's cache."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pytest_dust.characters import safe
from pytest_dust.wording import first_names, plural

if TYPE_CHECKING:
    from pytest_dust.report.record import CaseRecord

MAX_NAMED = 8
"""Maximum number of blocks of one app that are named."""


def cached(cases: Sequence[CaseRecord]) -> Iterator[str]:
    """For each app: how many cases may come from the service's cache, in which blocks, and what to do."""
    met = [case for case in cases if case.cached]
    apps = dict.fromkeys(case.app for case in met)
    for app in apps:
        own = [case for case in met if case.app == app]
        names = list(dict.fromkeys(safe(name) for case in own for name in case.cached))
        of_app = f" of app {app}" if len(apps) > 1 else ""
        fresh = "" if all(case.fresh for case in own) else ", or give --dust-fresh"
        yield (
            f"dust: {plural(len(own), 'case')}{of_app} may have come from Dust's cache "
            f"({first_names(names, MAX_NAMED)}); "
            f"to ask anew, write config: {_config(names)} in the suite{fresh}"
        )


def _config(names: Iterable[str]) -> str:
    shown = list(names)
    more = ", …" if len(shown) > MAX_NAMED else ""
    return f"{{{', '.join(f'{name}: {{use_cache: false}}' for name in shown[:MAX_NAMED])}{more}}}"
