"""The apps of a space as Dust lists them: what is saved now, without spending a run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_dust import api
from pytest_dust.cassette import ordered
from pytest_dust.client import Network
from pytest_dust.errors import ServiceError
from pytest_dust.json_values import decode
from pytest_dust.masking import Mask
from pytest_dust.model import App, Json, RunRequest

MODELS = ("llm", "chat")
"""Block types whose config names a model."""
_INPUT_KEY = re.compile(r"\bINPUT\.([A-Za-z_]\w*)|\bINPUT\[['\"]([^'\"]+)['\"]\]")


@dataclass(frozen=True, slots=True)
class Listed:
    """An app as it is saved: its blocks as (type, name), their config, and what is known of its input."""

    id: str
    name: str
    specification_hash: str | None
    blocks: tuple[tuple[str, str], ...]
    config: Mapping[str, Json]
    input: Mapping[str, Json]
    specification: Json = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """Asks for a space's apps."""

    network: Network
    workspace: str
    space: str
    timeout: float
    mask: Mask

    def apps(self) -> list[Listed]:
        """Every app of the space; raises ServiceError."""
        body = self._ask("", f"{self._space}/apps")
        listed = body.get("apps") if isinstance(body, Mapping) else None
        if not isinstance(listed, list):
            raise ServiceError("the service listed no apps; check that --dust-base-url is Dust itself")
        return [self._listed(each) for each in listed if isinstance(each, Mapping)]

    def app(self, id_: str) -> Listed:
        """The app with this id; raises ServiceError where the space has none."""
        listed = self.apps()
        for each in listed:
            if each.id == id_:
                return each
        known = ", ".join(f"{each.id} ({each.name})" for each in listed[:12])
        raise ServiceError(f"the space {self.space} has no app {id_}; it has: {known or 'none'}")

    @property
    def _space(self) -> str:
        return f"/api/v1/w/{self.workspace}/spaces/{self.space}"

    def _ask(self, app: str, path: str) -> Json:
        request = RunRequest(App(self.workspace, self.space, app), api.LATEST, {}, [], None)
        return self.network.ask(request, path, self.timeout, self.mask)

    def _listed(self, written: Mapping[str, Any]) -> Listed:
        id_ = str(written.get("sId"))
        blocks = [each for each in _parsed(written.get("savedSpecification"), list) if isinstance(each, dict)]
        run = self._saved_run(id_, written.get("savedRun"))
        return Listed(
            id=id_,
            name=str(written.get("name") or ""),
            specification_hash=_text(run.get("specification_hash")),
            blocks=tuple((str(each.get("type")), str(each.get("name"))) for each in blocks),
            config=_config(_parsed(written.get("savedConfig"), dict), blocks),
            input=_input(run, blocks),
            specification=blocks or None,
        )

    def _saved_run(self, id_: str, saved: object) -> Mapping[str, Any]:
        """The last run of what is saved, which alone tells its hash; nothing where it is gone."""
        if not isinstance(saved, str):
            return {}
        request = RunRequest(App(self.workspace, self.space, id_), api.LATEST, {}, [], None)
        try:
            body = self._ask(id_, api.run_path(request, saved))
        except ServiceError:
            return {}
        run = body.get("run") if isinstance(body, Mapping) else None
        return run if isinstance(run, Mapping) else {}


def _parsed(text: object, kind: type) -> Any:
    """JSON in a string, as the listing has it; empty where it is null or something else."""
    try:
        value = ordered(decode(text)) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, kind) else kind()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _config(saved: Mapping[str, Json], blocks: list[dict[str, Any]]) -> dict[str, Json]:
    """The saved config of the blocks that call a model."""
    config: dict[str, Json] = {}
    for block in blocks:
        name = str(block.get("name"))
        own = saved.get(name) or block.get("config")
        if block.get("type") in MODELS and isinstance(own, dict):
            config[name] = own
    return config


def _input(run: Mapping[str, Any], blocks: list[dict[str, Any]]) -> dict[str, Json]:
    """An example of the app's input: that of its saved run, else the names that its blocks read of it."""
    for trace in run.get("traces") or []:
        match trace:
            case [["input", _], [[{"value": dict(value)}, *_], *_]]:
                return value
    found = _INPUT_KEY.findall(json.dumps([block.get("spec") for block in blocks]))
    return {dotted or quoted: "…" for dotted, quoted in found}
