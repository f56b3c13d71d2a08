"""What the network needs and nobody has given: workspace, space and API key, told all at once."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_dust.constants import KEY_VARIABLE, SPACE_VARIABLE, WORKSPACE_VARIABLE
from pytest_dust.errors import ServiceError


def refuse_missing(
    workspace: str | None, space: str | None, environ: Mapping[str, str], *, case: bool = True
) -> None:
    """Raise ServiceError if workspace, space or API key is missing; it names all that are, and what to do.

    `case` says whether a case is to be run, rather than the apps of a space listed.
    """
    key = environ.get(KEY_VARIABLE, "").strip()
    lacking = {
        "no workspace": "" if workspace else f"{WORKSPACE_VARIABLE}=…",
        "no space": "" if space else f"{SPACE_VARIABLE}=…",
        "no API key": "" if key else f"{KEY_VARIABLE}=sk-…",
    }
    lacking = {name: export for name, export in lacking.items() if export}
    if not lacking:
        return
    *others, last = lacking
    told = f"{', '.join(others)} and {last}" if others else last
    use = "this run uses the network" if case else "the list of apps comes from the network"
    named = [name for name in ("workspace", "space") if f"no {name}" in lacking]
    options = " and ".join(f"--dust-{name}" for name in named)
    places = f"{' and '.join(f'app.{name}' for name in named)}, or {options}" if case else options
    other = f" (or give {places})" if named else ""
    replay = ", or replay from cassettes with --dust-mode=replay" if case else ""
    raise ServiceError(f"{told}: {use}; export {' '.join(lacking.values())}{other}{replay}")
