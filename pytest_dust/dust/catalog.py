"""The apps of a space as they are saved at Dust; reading them makes no run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from pytest_dust.constants import HASH, LATEST
from pytest_dust.dust import wire
from pytest_dust.dust.network import Network
from pytest_dust.errors import ServiceError, did_you_mean
from pytest_dust.json_values import decode, ordered
from pytest_dust.masking import Mask
from pytest_dust.model import App, Json, RunRequest

GONE = (400, 404)
"""The HTTP statuses of an answer for a deleted run."""
MAX_NAMED = 12
"""Maximum number of apps that a message names."""
_INPUT_KEY = re.compile(r"\bINPUT\.([A-Za-z_]\w*)|\bINPUT\[['\"]([^'\"]+)['\"]\]")


class Listed(Struct, frozen=True):
    """A saved app: its blocks as (type, name), their config, and an example of its input."""

    id: str
    name: str
    specification_hash: str | None
    """The hash of its last run in Dust's editor; its blocks may have been edited since."""
    blocks: tuple[tuple[str, str], ...]
    config: Mapping[str, Json]
    input: Mapping[str, Json]
    specification: Json = None
    """The blocks that the editor saved last, even if they were not run."""
    unknown: str = ""
    """Why the hash is unknown; empty if it is known."""


class Catalog(Struct, frozen=True):
    """Reads the apps of a space."""

    network: Network
    workspace: str
    space: str
    timeout: float
    mask: Mask

    def apps(self) -> list[Listed]:
        """Return all apps of the space; takes one request, and one for each app; raises ServiceError."""
        return [self.read(each) for each in self.entries()]

    def entries(self) -> list[Mapping[str, Any]]:
        """Return the apps of the space in the service's own form, by one request; raises ServiceError."""
        body = self._ask("", f"{self._space}/apps")
        listed = body.get("apps") if isinstance(body, Mapping) else None
        if not isinstance(listed, list):
            raise ServiceError("the service listed no apps; check that --dust-base-url is Dust itself")
        return [each for each in listed if isinstance(each, Mapping)]

    def app(self, id_: str) -> Listed:
        """Return the app with this id; raises ServiceError if the space has no such app."""
        entries = self.entries()
        for each in entries:
            if app_id(each) == id_:
                return self.read(each)
        names = [f"{app_id(each)} ({each.get('name')})" for each in entries]
        known = ", ".join(names[:MAX_NAMED]) or "none"
        nearest = did_you_mean(id_, map(app_id, entries))
        raise ServiceError(f"the space {self.space} has no app {id_}{nearest}; it has: {known}")

    def exists(self, id_: str, specification_hash: str) -> bool | None:
        """Return True if the service has this version of an app; None if it gives no answer."""
        asked: dict[str, Json] = {"apps": [{"appId": id_, "appHash": specification_hash}]}
        try:
            body = self._ask(id_, f"{self._space}/apps/check", asked)
        except ServiceError:  # the address is undocumented
            return None
        match body:
            case {"apps": [{"deployed": bool(deployed)}]}:
                return deployed
        return None

    @property
    def _space(self) -> str:
        return f"/api/v1/w/{self.workspace}/spaces/{self.space}"

    def _ask(self, app: str, path: str, body: Mapping[str, Json] | None = None) -> Json:
        request = RunRequest(App(self.workspace, self.space, app), LATEST, {}, [], None)
        return self.network.ask(request, path, self.timeout, self.mask, body)

    def read(self, written: Mapping[str, Any]) -> Listed:
        """Return an app that the service lists, with hash, config and input of its last run in the editor."""
        id_ = app_id(written)
        blocks = [each for each in _parsed(written.get("savedSpecification"), list) if isinstance(each, dict)]
        run, unknown = self._saved_run(id_, written.get("savedRun"))
        ran = run.get("specification_hash")
        known = ran.lower() if isinstance(ran, str) and HASH.fullmatch(ran) else None
        return Listed(
            id=id_,
            name=str(written.get("name") or ""),
            specification_hash=known,
            blocks=tuple((str(each.get("type")), str(each.get("name"))) for each in blocks),
            config=_config(_parsed(written.get("savedConfig"), dict), run, blocks),
            input=_input(run, blocks),
            specification=blocks or None,
            unknown="" if known else unknown or "its last run in Dust names no hash",
        )

    def _saved_run(self, id_: str, saved: object) -> tuple[Mapping[str, Any], str]:
        """Return the last run in the editor, the only source of a hash; or an empty one, and why."""
        if not isinstance(saved, str):
            return {}, "it was never run in Dust"
        request = RunRequest(App(self.workspace, self.space, id_), LATEST, {}, [], None)
        try:
            body = self._ask(id_, wire.run_path(request, saved))
        except ServiceError as error:
            if error.status in GONE:
                return {}, "its last run in Dust is deleted"
            return {}, f"its last run in Dust cannot be read: {error.headline}"
        run = body.get("run") if isinstance(body, Mapping) else None
        return (run, "") if isinstance(run, Mapping) else ({}, "")


def app_id(written: Mapping[str, Any]) -> str:
    """Return the id of an app that the service lists."""
    return str(written.get("sId"))


def _parsed(text: object, kind: type) -> Any:
    """Return the value of JSON inside a text; an empty one if it is null or of another type."""
    try:
        value = ordered(decode(text)) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, kind) else kind()


def _config(
    saved: Mapping[str, Json], run: Mapping[str, Any], blocks: list[dict[str, Any]]
) -> dict[str, Json]:
    """Return the config of each block except the input's, as the app's page "Use with API" shows it.

    It is the saved one, else that of the last run in the editor, else that in the block itself.
    """
    match run:
        case {"config": {"blocks": dict(ran)}}:
            pass
        case _:
            ran = {}
    config: dict[str, Json] = {}
    for block in blocks:
        name, kind = str(block.get("name")), block.get("type")
        own = saved.get(name) or ran.get(name) or block.get("config")
        if kind != "input" and isinstance(own, dict):
            config[name] = {key: value for key, value in own.items() if (key, value) != ("type", kind)}
    return {name: own for name, own in config.items() if own}


def _input(run: Mapping[str, Any], blocks: list[dict[str, Any]]) -> dict[str, Json]:
    """Return an example of the app's input: that of its last run, else the keys that its blocks read."""
    for trace in run.get("traces") or []:
        match trace:
            case [["input", _], [[{"value": dict(value)}, *_], *_]]:
                return value
    found = _INPUT_KEY.findall(json.dumps([block.get("spec") for block in blocks]))
    return {dotted or quoted: "…" for dotted, quoted in found}
