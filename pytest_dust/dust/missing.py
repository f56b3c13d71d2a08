"""Check for the workspace, the space and the API key, without which the service cannot be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_dust.constants import KEY_VARIABLE, SPACE_VARIABLE, WORKSPACE_VARIABLE
from pytest_dust.errors import ServiceError

_EXPORTS = {
    "workspace": f"{WORKSPACE_VARIABLE}=…",
    "space": f"{SPACE_VARIABLE}=…",
    "API key": f"{KEY_VARIABLE}=sk-…",
}
"""The settings that the service needs, and how the shell sets each."""


def refuse_missing(
    workspace: str | None, space: str | None, environ: Mapping[str, str], *, case: bool = True
) -> None:
    """Raise a ServiceError that names all of workspace, space and API key that are missing.

    `case` is True if a case is to be run, False if the apps of a space are to be listed.
    """
    given = {"workspace": workspace, "space": space, "API key": _key(environ)}
    missing = [name for name, value in given.items() if not value]
    if missing:
        raise _error(missing, case=case)


def api_key(environ: Mapping[str, str]) -> str:
    """Return the API key; raises ServiceError if it is missing."""
    key = _key(environ)
    if not key:
        raise _error(["API key"], case=True)
    return key


def _key(environ: Mapping[str, str]) -> str:
    return environ.get(KEY_VARIABLE, "").strip()


def _error(missing: Sequence[str], *, case: bool) -> ServiceError:
    *others, last = (f"no {name}" for name in missing)
    what = f"{', '.join(others)} and {last}" if others else last
    use = "this run uses the network" if case else "the list of apps comes from the network"
    exports = " ".join(_EXPORTS[name] for name in missing)
    replay = ", or replay from cassettes with --dust-mode=replay" if case else ""
    return ServiceError(f"{what}: {use}; export {exports}{_other_ways(missing, case=case)}{replay}")


def _other_ways(missing: Sequence[str], *, case: bool) -> str:
    """Return how else a workspace and a space can be given; a key comes from the environment only."""
    names = [name for name in missing if name != "API key"]
    if not names:
        return ""
    options = " and ".join(f"--dust-{name}" for name in names)
    keys = " and ".join(f"app.{name}" for name in names)
    return f" (or give {keys}, or {options})" if case else f" (or give {options})"
