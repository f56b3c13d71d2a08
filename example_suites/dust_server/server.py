"""The Dust Apps API: its operations, what they refuse, and what the app editor has saved."""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Self
from urllib.parse import unquote, urlsplit

from example_suites.dust_server.apps import APPS, App
from example_suites.dust_server.blocks import Block, Json, specification_hash
from example_suites.dust_server.engine import EngineRefusalError, Machine
from example_suites.dust_server.http_server import MAX_BODY, Handler, Listener, Reply, Request, json_reply
from example_suites.dust_server.model import DRIFTING
from example_suites.dust_server.noise import Draws, Noise
from example_suites.dust_server.runs import Run, event, run_events, sse
from example_suites.dust_server.values import DOCUMENT_TIME
from example_suites.dust_server.wire import by_iteration, filtered, merged

VERSIONS = ("v1", "v2")
APPS_PATH = r"/api/v1/w/(?P<workspace>[^/]+)/spaces/(?P<space>[^/]+)/apps"
ROUTES = {  # operation of DustServer: method, path
    "list_apps": ("GET", re.compile(APPS_PATH)),
    "check_apps": ("POST", re.compile(APPS_PATH + "/check")),
    "create_run": ("POST", re.compile(APPS_PATH + r"/(?P<app>[^/]+)/runs")),
    "get_run": ("GET", re.compile(APPS_PATH + r"/(?P<app>[^/]+)/runs/(?P<run>[^/]+)")),
}


class RefusalError(Exception):
    """A request that Dust refuses."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        """Take the HTTP status, and the type and message of the error in the body."""
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message


def error_reply(error: RefusalError) -> Reply:
    """Return the reply to a request that Dust refuses."""
    return json_reply({"error": {"type": error.kind, "message": error.message}}, error.status)


class DustServer:
    """A Dust on 127.0.0.1, started by `start` or `with`.

    `delay` is the number of seconds that each block takes.  `noise` holds the settings of the app
    `noisy-triage` and may be replaced at any time.  A subclass can override `respond` to change requests
    and replies, and name another `handler` to change how replies are sent.
    """

    handler: ClassVar[type[Handler]] = Handler

    def __init__(
        self,
        port: int = 0,
        *,
        api_key: str = "sk-example-key",
        workspace: str = "w_example",
        space: str = "vlt_example",
        delay: float = 0.0,
    ) -> None:
        """Prepare a server; port 0 chooses a free port when it starts."""
        self.port, self.delay = port, delay
        self.noise = Noise()
        self._question_runs: Counter[tuple[str, str, str]] = Counter()  # by app, version and question
        self._counting = threading.Lock()
        self.api_key, self.workspace, self.space = api_key, workspace, space
        self.listener: Listener | None = None
        self.drifted: frozenset[str] = frozenset()
        self.versions = {(app.id, name): app.version(name) for app in APPS.values() for name in VERSIONS}
        self.stored_runs: dict[str, Run] = {}
        self._saved: dict[str, str] = {}  # by app: the version that the editor shows
        self._latest: dict[str, str] = {}  # by app: the version that `latest` runs
        self._saved_runs: dict[str, str] = {}  # by app: the id of its last run in the editor
        self._editor_runs: dict[tuple[str, str], str] = {}  # by app and version: the id of such a run
        for app_id in APPS:
            self.save_original(app_id)

    # ---- Start and stop ----

    @property
    def base_url(self) -> str:
        """Address to give as `DUST_BASE_URL`."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Listen, and answer in threads."""
        self.listener = Listener(self.port, self.respond, self.handler)
        self.port = self.listener.server_address[1]
        self.listener.start()
        return self

    def stop(self) -> None:
        """Stop at once; open streams break off."""
        if self.listener is not None:
            self.listener.stop()
            self.listener = None

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def wait(self, seconds: float) -> None:
        """Wait so many seconds, or until the server stops."""
        if (listener := self.listener) is not None:
            listener.closing.wait(seconds)

    # ---- What the app editor has saved, what ran in it, and what `latest` is ----

    def hash(self, app_id: str, version: str = "v1") -> str:
        """Return the specification hash of an app's version, `v1` or `v2`."""
        return specification_hash(self.versions[app_id, version])

    def save_edited(self, app_id: str) -> None:
        """Edit the app and run it in the editor: saved blocks, saved run and `latest` become `v2`."""
        self._save(app_id, "v2")

    def save_original(self, app_id: str) -> None:
        """Undo the edit and run the app in the editor: saved blocks, saved run and `latest` become `v1`."""
        self._save(app_id, "v1")

    def _save(self, app_id: str, version: str) -> None:
        self.save_unrun_edit(app_id, version)
        self.run_in_editor(app_id, version)
        self.register(app_id, version)

    def save_unrun_edit(self, app_id: str, version: str = "v2") -> None:
        """Save the blocks of this version without a run."""
        self._saved[app_id] = version

    def run_in_editor(self, app_id: str, version: str) -> None:
        """Make a run of this version the saved run."""
        key = app_id, version
        if key not in self._editor_runs:
            app = APPS[app_id]
            run = self._new_run(app_id, version, dict(app.config))
            machine = Machine(self.versions[key], [app.example], dict(app.config), ())
            run.perform(machine, lambda: None)
            self._editor_runs[key] = run.id
        self._saved_runs[app_id] = self._editor_runs[key]

    def register(self, app_id: str, version: str) -> None:
        """Make this version `latest`."""
        self._latest[app_id] = version

    def registered_version(self, app_id: str, digest: str) -> str | None:
        """Return the version with this specification hash, or None if there is none."""
        return next((name for name in VERSIONS if self.hash(app_id, name) == digest), None)

    def drift(self, block_name: str | None = None) -> None:
        """Let a newer model answer under the same hashes: in one llm or chat block, or in all of DRIFTING."""
        self.drifted = DRIFTING if block_name is None else self.drifted | {block_name}

    def undrift(self) -> None:
        """Let the first model answer again."""
        self.drifted = frozenset()

    def drift_noise(self, points: float) -> None:
        """Let both versions of `noisy-triage` err more often by this probability, from now on."""
        self.noise = replace(self.noise, drift=points)

    def _draws(self, app_id: str, version: str, one: Json) -> Draws:
        """Return the draws for one input of a run that starts now."""
        question = str(one.get("question"))
        with self._counting:
            self._question_runs[app_id, version, question] += 1
            number = self._question_runs[app_id, version, question]
        return self.noise.draws(version, question, number, token=secrets.token_hex(8))

    # ---- Requests ----

    def respond(self, request: Request) -> Reply:
        """Return the reply to send; a subclass may change what `answer` returns."""
        return self.answer(request)

    def answer(self, request: Request) -> Reply:
        """Return Dust's reply to a request."""
        try:
            self._check_size(request)
            self._check_key(request)
            operation, names = self._route(request)
            return operation(request, **names)
        except RefusalError as error:
            return error_reply(error)

    def _check_size(self, request: Request) -> None:
        if request.size > MAX_BODY:
            raise RefusalError(413, "content_too_large", "Body exceeded 4mb limit")

    def _check_key(self, request: Request) -> None:
        header = request.headers.get("authorization")
        if header is None:
            message = "The request does not have valid authentication credentials."
            raise RefusalError(401, "not_authenticated", message)
        scheme, _, key = header.partition(" ")
        if scheme != "Bearer" or not key.strip():
            message = "The Authorization header is malformed, `Bearer <key>` is expected."
            raise RefusalError(401, "malformed_authorization_header_error", message)
        if key.strip() != self.api_key:
            raise RefusalError(401, "invalid_api_key_error", "The API key provided is invalid.")

    def _route(self, request: Request) -> tuple[Callable[..., Reply], dict[str, str]]:
        """Return the operation that a request asks for, and the ids of app and run in its path."""
        path = urlsplit(request.path).path
        for operation, (method, pattern) in ROUTES.items():
            if found := pattern.fullmatch(path):
                names = {name: unquote(value) for name, value in found.groupdict().items()}
                self._check_names(names.pop("workspace"), names.pop("space"), names.get("app"))
                _check_method(request.method, method)
                return getattr(self, operation), names
        raise RefusalError(404, "invalid_request_error", f"There is nothing at {path}")

    def _check_names(self, workspace: str, space: str, app: str | None) -> None:
        if workspace != self.workspace:
            raise RefusalError(404, "workspace_not_found", "The workspace was not found")
        if space != self.space:
            raise RefusalError(404, "space_not_found", "The space was not found")
        if app is not None and app not in APPS:
            raise RefusalError(404, "app_not_found", "The app you're trying to run was not found")

    # ---- The operation that lists apps ----

    def list_apps(self, _request: Request) -> Reply:
        """List the apps of the space, each as it is saved."""
        apps = [self._listed(number, app) for number, app in enumerate(APPS.values(), start=1)]
        return json_reply({"apps": apps})

    def _listed(self, number: int, app: App) -> Json:
        blocks = self.versions[app.id, self._saved[app.id]]
        return {
            "id": number,
            "sId": app.id,
            "name": app.name,
            "description": app.description,
            "savedSpecification": json.dumps([block.saved(app.config) for block in blocks]),
            "savedConfig": json.dumps(_saved_config(app, blocks)),
            "savedRun": self._saved_runs[app.id],
            "dustAPIProjectId": str(1000 + number),
            "space": {
                "sId": self.space,
                "name": "Examples",
                "kind": "regular",
                "groupIds": ["grp_example"],
                "isRestricted": False,
                "managementMode": "manual",
                "createdAt": DOCUMENT_TIME,
                "updatedAt": DOCUMENT_TIME,
            },
        }

    # ---- The operation that checks specification hashes ----

    def check_apps(self, request: Request) -> Reply:
        """Say for each app and hash whether that version exists."""
        apps = request.body.get("apps") if isinstance(request.body, dict) else None
        names = ("appId", "appHash")
        if not isinstance(apps, list) or not all(
            isinstance(one, dict) and all(isinstance(one.get(name), str) for name in names) for one in apps
        ):
            raise RefusalError(400, "invalid_request_error", "Invalid request body: apps")
        answers = [{name: one[name] for name in names} for one in apps]
        return json_reply({"apps": [{**one, "deployed": self._is_deployed(**one)} for one in answers]})

    def _is_deployed(self, appId: str, appHash: str) -> bool:  # noqa: N803  # Dust's names
        return appId in APPS and self.registered_version(appId, appHash) is not None

    # ---- The operations on runs ----

    def get_run(self, _request: Request, app: str, run: str) -> Reply:
        """Return a run as far as it is."""
        found = self.stored_runs.get(run)
        if found is None or found.app_id != app:
            raise RefusalError(400, "run_error", "There was an error retrieving the run.")
        return self.run_reply(self.polled(found))

    def create_run(self, request: Request, app: str) -> Reply:
        """Start a run; reply with its stream, with the run once it has ended, or with the run at its start.

        What the engine refuses is an error event in a stream, and a bare status 500 otherwise.
        """
        body = check_body(request.body)
        try:
            run = self._launch(app, self._version(app, body["specification_hash"]), body)
        except EngineRefusalError as refusal:
            return _engine_refusal(refusal, streamed=bool(body.get("stream")))
        if body.get("stream"):
            return Reply(sse(run_events(run)), content_type="text/event-stream")
        if body.get("blocking"):
            return self.run_reply(self._finished(run, body.get("block_filter")))
        return self.run_reply(run.document_after(0))

    def polled(self, run: Run) -> Json:
        """Return a run as a client that polls gets it."""
        return run.document(merged)

    def run_reply(self, document: Json) -> Reply:
        """Return the reply with a run."""
        return json_reply({"run": document})

    def _version(self, app_id: str, wanted: str) -> str:
        found = self._latest[app_id] if wanted == "latest" else self.registered_version(app_id, wanted)
        if found is None:
            raise EngineRefusalError("specification_not_found", f"No specification found for hash `{wanted}`")
        return found

    def _new_run(self, app_id: str, version: str, config: Json) -> Run:
        run = Run(app_id, self.hash(app_id, version), config)
        self.stored_runs[run.id] = run
        return run

    def _launch(self, app_id: str, version: str, body: Json) -> Run:
        draws = partial(self._draws, app_id, version)
        blocks = self.versions[app_id, version]
        machine = Machine(blocks, body["inputs"], body["config"], self.drifted, draws)
        run = self._new_run(app_id, version, body["config"])

        def pause() -> None:
            self.wait(self.delay)

        threading.Thread(target=run.perform, args=(machine, pause), daemon=True).start()
        return run

    def _finished(self, run: Run, names: list[str] | None) -> Json:
        """Wait for a run to end and return it, with the named blocks only."""
        for _ in run.follow():
            pass
        document = run.document(by_iteration)
        return document if names is None else filtered(document, names)


def _check_method(method: str, expected: str) -> None:
    if method != expected:
        message = f"The method passed is not supported, {expected} is expected."
        raise RefusalError(405, "method_not_supported_error", message)


def _saved_config(app: App, blocks: tuple[Block, ...]) -> Json:
    kinds = {block.name: {"type": block.type} for block in blocks if block.name in app.config}
    config = {name: {**kind, **app.config[name]} for name, kind in kinds.items()}
    return {"INPUT": {"type": "input", "dataset": "examples"}, **config}


def _engine_refusal(refusal: EngineRefusalError, *, streamed: bool) -> Reply:
    if not streamed:
        raise RefusalError(500, "internal_server_error", "An unexpected error occurred.")
    events = [event("error", {"code": refusal.code, "message": refusal.message}), event("final", None)]
    return Reply(sse(events), content_type="text/event-stream")


# ---- The body that creates a run ----

BODY_FIELDS: dict[str, tuple[type, bool]] = {  # name: type, required
    "specification_hash": (str, True),
    "config": (dict, True),
    "inputs": (list, True),
    "stream": (bool, False),
    "blocking": (bool, False),
    "block_filter": (list, False),
}


def check_body(body: Any) -> Json:
    """Return the body; raise RefusalError if it lacks a field or one has the wrong type."""
    wrong = [] if isinstance(body, dict) else ["body"]
    if isinstance(body, dict):
        wrong = [
            name
            for name, (kind, required) in BODY_FIELDS.items()
            if (required or name in body) and not isinstance(body.get(name), kind)
        ]
        wrong += [] if wrong else _fields_with_wrong_elements(body)
    if wrong:
        message = f"Invalid request body: {', '.join(wrong)}"
        raise RefusalError(400, "invalid_request_error", message)
    document: Json = body
    return document


def _fields_with_wrong_elements(body: Json) -> list[str]:
    kinds = (
        ("config", body["config"].values(), dict),
        ("inputs", body["inputs"], dict),
        ("block_filter", body.get("block_filter", []), str),
    )
    return [name for name, values, kind in kinds if not all(isinstance(v, kind) for v in values)]
