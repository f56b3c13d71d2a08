"""The apps of a space as Dust lists them: what is saved now, without spending a run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_dust.constants import HASH, LATEST
from pytest_dust.dust import wire
from pytest_dust.dust.network import Network
from pytest_dust.errors import ServiceError, did_you_mean
from pytest_dust.json_values import decode, ordered
from pytest_dust.masking import Mask
from pytest_dust.model import App, Json, RunRequest

GONE = (400, 404)
"""How the service answers where it is asked for a run that it deleted."""
MAX_NAMED = 12
"""Apps that a message names."""
_INPUT_KEY = re.compile(r"\bINPUT\.([A-Za-z_]\w*)|\bINPUT\[['\"]([^'\"]+)['\"]\]")


@dataclass(frozen=True, slots=True)
class Listed:
    """An app as it is saved: its blocks as (type, name), their config, and what is known of its input."""

    id: str
    name: str
    specification_hash: str | None
    """The hash that its last run in Dust's editor ran, perhaps of blocks that were edited since."""
    blocks: tuple[tuple[str, str], ...]
    config: Mapping[str, Json]
    input: Mapping[str, Json]
    specification: Json = None
    """The blocks that the editor saved last, whether they were run or not."""
    unknown: str = ""
    """Why there is no hash."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """Asks for a space's apps."""

    network: Network
    workspace: str
    space: str
    timeout: float
    mask: Mask

    def apps(self) -> list[Listed]:
        """Every app of the space, with its last run in the editor; raises ServiceError."""
        return [self.read(each) for each in self.entries()]

    def entries(self) -> list[Mapping[str, Any]]:
        """The apps of the space as the service lists them, in one request; raises ServiceError."""
        body = self._ask("", f"{self._space}/apps")
        listed = body.get("apps") if isinstance(body, Mapping) else None
        if not isinstance(listed, list):
            raise ServiceError("the service listed no apps; check that --dust-base-url is Dust itself")
        return [each for each in listed if isinstance(each, Mapping)]

    def app(self, id_: str) -> Listed:
        """The app with this id; raises ServiceError where the space has none."""
        entries = self.entries()
        for each in entries:
            if app_id(each) == id_:
                return self.read(each)
        names = [f"{app_id(each)} ({each.get('name')})" for each in entries]
        known = ", ".join(names[:MAX_NAMED]) or "none"
        nearest = did_you_mean(id_, map(app_id, entries))
        raise ServiceError(f"the space {self.space} has no app {id_}{nearest}; it has: {known}")

    def exists(self, id_: str, specification_hash: str) -> bool | None:
        """Whether the service has this version of an app; None where it cannot be asked."""
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
        """An app that the service lists, with what its last run in the editor tells of it."""
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
        """The last run in the editor, which alone tells a hash; else nothing, and why."""
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
    """The id of an app that the service lists."""
    return str(written.get("sId"))


def _parsed(text: object, kind: type) -> Any:
    """JSON in a string, as the listing has it; empty where it is null or something else."""
    try:
        value = ordered(decode(text)) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, kind) else kind()


def _config(
    saved: Mapping[str, Json], run: Mapping[str, Any], blocks: list[dict[str, Any]]
) -> dict[str, Json]:
    """The config of each block but the input's, as the app's page "Use with API" gives it.

    It is what is saved for the block, else what its last run in the editor had, else what its own part says.
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
    """An example of the app's input: that of its saved run, else the names that its blocks read of it."""
    for trace in run.get("traces") or []:
        match trace:
            case [["input", _], [[{"value": dict(value)}, *_], *_]]:
                return value
    found = _INPUT_KEY.findall(json.dumps([block.get("spec") for block in blocks]))
    return {dotted or quoted: "…" for dotted, quoted in found}
