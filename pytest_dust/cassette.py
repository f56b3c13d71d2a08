"""A cassette: one case's recorded run, to and from JSON text, and whether it fits what a case asks now."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_dust.checks.equality import differences
from pytest_dust.errors import CassetteError
from pytest_dust.model import Change, Exchange, Json, Reply, RunRequest

VERSION = 1
KEPT_HEADERS = frozenset({"content-type"})
"""The reply's headers that a replay needs; all others stay out of cassettes."""


@dataclass(frozen=True, slots=True)
class Cassette:
    """A recorded run and the request to which it is bound."""

    recorded_at: str
    request: Mapping[str, Json]
    reply: Reply


def bound(request: RunRequest) -> dict[str, Json]:
    """What of a request a cassette is bound to."""
    return {
        "app": {
            "workspace": request.app.workspace,
            "space": request.app.space,
            "id": request.app.id,
        },
        "specification_hash": request.specification_hash,
        "config": request.config,
        "inputs": request.inputs,
        "block_filter": None if request.block_filter is None else list(request.block_filter),
    }


def moved(cassette: Cassette, request: RunRequest) -> tuple[Change, ...]:
    """The fields of the request that are no longer as recorded, old → new; nothing where it fits.

    A workspace or space that is named nowhere is not compared: offline there is none to ask.
    """
    now = bound(request)
    app, recorded = now["app"], cassette.request.get("app")
    if isinstance(app, dict) and isinstance(recorded, dict):
        now["app"] = {name: recorded.get(name) if given is None else given for name, given in app.items()}
    return tuple(differences(cassette.request, now))


def ordered(value: Any) -> Any:
    """The value with the keys of every mapping sorted, as cassettes keep it and runs are read."""
    if isinstance(value, dict):
        return {key: ordered(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [ordered(each) for each in value]
    return value


def dumps(request: RunRequest, reply: Reply, recorded_at: str) -> bytes:
    """A cassette as the UTF-8 text of its file."""
    document = {
        "version": VERSION,
        "recorded_at": recorded_at,
        "request": ordered(bound(request)),
        "duration": round(reply.duration, 3),
        "exchanges": [_written(exchange) for exchange in reply.exchanges],
    }
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    # Half of a surrogate pair, which JSON may hold and UTF-8 may not, becomes JSON's own escape of it.
    return text.encode("utf-8", "backslashreplace")


def _written(exchange: Exchange) -> dict[str, Any]:
    return {
        "request": f"{exchange.method} {exchange.path}",
        "status": exchange.status,
        "headers": dict(exchange.headers),
        "body": ordered(exchange.body),
    }


def loads(source: bytes) -> Cassette:
    """The cassette in a file's bytes; raises CassetteError saying what is wrong with it."""
    try:
        document = json.loads(source.decode("utf-8"))
    except UnicodeDecodeError:
        raise CassetteError("is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise CassetteError(f"is not JSON: {error.msg} at {place}") from None
    except RecursionError:
        raise CassetteError("is nested too deeply to be read") from None
    if not isinstance(document, dict) or "version" not in document:
        raise CassetteError("is JSON, but no cassette")
    if document["version"] != VERSION:
        raise CassetteError(
            f"has format version {document['version']}; this pytest-dust reads version {VERSION}"
        )
    return _read(document)


def _read(document: Mapping[str, Any]) -> Cassette:
    try:
        exchanges = tuple(_exchange(each) for each in document["exchanges"])
        duration = float(document["duration"])
        recorded_at, request = document["recorded_at"], document["request"]
    except (KeyError, TypeError, ValueError) as error:
        raise CassetteError(f"is incomplete: {error!r}") from None
    if not (exchanges and isinstance(recorded_at, str) and isinstance(request, dict)):
        raise CassetteError("is incomplete: recorded_at, request and exchanges must be there")
    return Cassette(recorded_at, request, Reply(exchanges, duration))


def _exchange(written: Mapping[str, Any]) -> Exchange:
    method, path = written["request"].split(" ", 1)
    headers = {str(name): str(value) for name, value in written["headers"].items()}
    return Exchange(method, path, int(written["status"]), headers, written["body"])


def path_of(suite: Path, case: str, folder: str, root: Path) -> Path:
    """Where the cassette of a suite's case is: beside the suite, or in an absolute folder.

    There, suites of one name are kept apart by their place in the project.
    """
    base = Path(folder)
    name = suite.name.removesuffix(".dust.yaml")
    if base.is_absolute():
        below = suite.parent.relative_to(root) if suite.is_relative_to(root) else Path()
        return base / below / name / f"{case}.json"
    return suite.parent / base / name / f"{case}.json"


def read(path: Path) -> Cassette | None:
    """The cassette at `path`, None where there is none; raises CassetteError for one that is broken."""
    try:
        source = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CassetteError(f"cannot be read: {error.strerror}") from None
    return loads(source)


def write(path: Path, content: bytes) -> None:
    """Put a cassette in place whole, or leave what was there; raises CassetteError where it cannot."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CassetteError(f"cannot be written: {error.strerror}") from None
