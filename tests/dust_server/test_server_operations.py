"""The operations of the API: what they answer, what they refuse, what is saved in the app editor."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from dust_api import HALVE, INPUTS, QUOTE, SUPPORT, Api, api, each_app, hold, serving, shared

from example_suites import dust_server


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_latest_follows_what_is_saved(api: Api, version: str) -> None:
    """`latest` runs the saved version, and the answer carries the hash that ran."""
    api.server.save_edited(SUPPORT)
    if version == "v1":
        api.server.save_original(SUPPORT)
    run = api.blocking(SUPPORT, specification_hash="latest")
    assert run["specification_hash"] == api.server.hash(SUPPORT, version)


def listed(api: Api, app: str) -> dict[str, Any]:
    """Return an app as the list of apps has it."""
    apps: list[dict[str, Any]] = hold(api.http.get(api.path()).json(), "apps_answer")["apps"]
    assert [one["sId"] for one in apps] == list(INPUTS)
    return apps[list(INPUTS).index(app)]


@each_app
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_listing_follows_what_is_saved(api: Api, app: str, version: str) -> None:
    """The listing's specification is JSON in a string, and its saved run has the saved hash."""
    if version == "v2":
        api.server.save_edited(app)
    one = listed(api, app)
    blocks = hold(json.loads(one["savedSpecification"]), "specification")
    expected = dust_server.APPS[app].version(version)
    assert [(b["name"], b["spec"]) for b in blocks] == [(b.name, b.spec) for b in expected]
    saved = api.get(app, one["savedRun"])
    assert saved["specification_hash"] == api.server.hash(app, version)
    assert saved["status"]["run"] == "succeeded"


def saved_state(api: Api, app: str = SUPPORT) -> tuple[str, str, str]:
    """Return the versions of the saved blocks, of the saved run, and of `latest`."""
    one = listed(api, app)
    specs = [(block["name"], block["spec"]) for block in json.loads(one["savedSpecification"])]
    versions = {
        name: [(block.name, dict(block.spec)) for block in dust_server.APPS[app].version(name)]
        for name in ("v1", "v2")
    }
    saved = next(name for name, blocks in versions.items() if blocks == specs)
    by_hash = {api.server.hash(app, name): name for name in ("v1", "v2")}
    ran = api.get(app, one["savedRun"])["specification_hash"]
    latest = api.blocking(app, specification_hash="latest")["specification_hash"]
    return saved, by_hash[ran], by_hash[latest]


def test_what_is_saved_was_run_and_is_latest_are_three_things(api: Api) -> None:
    """Saved blocks, saved run and `latest` are set together by a run in the editor, and each alone."""
    assert saved_state(api) == ("v1", "v1", "v1")
    api.server.save_unrun_edit(SUPPORT)
    assert saved_state(api) == ("v2", "v1", "v1")
    api.server.run_in_editor(SUPPORT, "v2")
    assert saved_state(api) == ("v2", "v2", "v1")
    api.server.register(SUPPORT, "v2")
    assert saved_state(api) == ("v2", "v2", "v2")
    api.server.save_unrun_edit(SUPPORT, "v1")
    assert saved_state(api) == ("v1", "v2", "v2")
    api.server.save_edited(SUPPORT)
    assert saved_state(api) == ("v2", "v2", "v2")
    assert saved_state(api, HALVE) == ("v1", "v1", "v1")


CHECKED = [
    (SUPPORT, "v1", True),
    (SUPPORT, "v2", True),
    (SUPPORT, None, False),
    (HALVE, "v1", False),
    ("none", "v1", False),
]


@pytest.mark.parametrize(("app", "version", "exists"), CHECKED)
def test_check_says_which_hashes_exist(shared: Api, app: str, version: str | None, exists: bool) -> None:
    """`check` says for an app and a hash of SUPPORT whether that specification exists."""
    digest = shared.server.hash(SUPPORT, version) if version else "0" * 64
    body = hold({"apps": [{"appId": app, "appHash": digest}]}, "check_body")
    answer = hold(shared.http.post(f"{shared.path()}/check", json=body).json(), "check_answer")
    assert answer["apps"] == [{"appId": app, "appHash": digest, "deployed": exists}]


def test_check_answers_in_order(shared: Api) -> None:
    """`check` answers for many hashes in the order of the question, and for none with none."""
    asked = [{"appId": app, "appHash": str(number)} for number, app in enumerate(INPUTS)]
    for apps in (asked, []):
        answer = shared.http.post(f"{shared.path()}/check", json={"apps": apps}).json()["apps"]
        assert [{"appId": one["appId"], "appHash": one["appHash"]} for one in answer] == apps


@pytest.mark.parametrize("body", [None, [], {}, {"apps": {}}, {"apps": [1]}, {"apps": [{"appId": "a"}]}])
def test_check_refuses_a_bad_body(shared: Api, body: Any) -> None:
    """A body of `check` without a list of app ids and hashes is a 400."""
    answer = shared.http.post(f"{shared.path()}/check", json=body)
    assert shared.refused(answer) == (400, "invalid_request_error")


def test_check_refuses_another_method(shared: Api) -> None:
    """`check` with another method than POST is a 405."""
    assert shared.refused(shared.http.get(f"{shared.path()}/check")) == (405, "method_not_supported_error")


@each_app
def test_the_saved_config_is_what_the_app_runs_with(shared: Api, app: str) -> None:
    """`savedConfig` and the saved blocks hold the config without which the app does not run."""
    one, saved = listed(shared, app), dust_server.APPS[app]
    config = json.loads(one["savedConfig"])
    assert config.pop("INPUT")["type"] == "input"
    assert shared.blocking(app, config=config, inputs=[saved.example])["status"]["run"] == "succeeded"
    own = {block["name"]: block["config"] for block in json.loads(one["savedSpecification"])}
    assert {name: given for name, given in own.items() if given} == dict(saved.config)


@pytest.mark.parametrize("operation", ["list", "create", "get"])
@pytest.mark.parametrize(
    ("header", "kind"),
    [
        (None, "not_authenticated"),
        ("sk-example-key", "malformed_authorization_header_error"),
        ("Basic sk-example-key", "malformed_authorization_header_error"),
        ("Bearer sk-other", "invalid_api_key_error"),
    ],
)
def test_keys(shared: Api, header: str | None, kind: str, operation: str) -> None:
    """A missing, malformed or wrong key is a 401 of its own type, on every operation."""
    headers = {} if header is None else {"Authorization": header}
    method, path = {
        "list": ("GET", shared.path()),
        "create": ("POST", shared.path(QUOTE)),
        "get": ("GET", shared.path(QUOTE, "0")),
    }[operation]
    answer = httpx.request(method, shared.server.base_url + path, headers=headers, trust_env=False)
    assert shared.refused(answer) == (401, kind)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/w/w_none/spaces/vlt_example/apps", (404, "workspace_not_found")),
        ("GET", "/api/v1/w/w_example/spaces/none/apps", (404, "space_not_found")),
        ("POST", "/api/v1/w/w_example/spaces/vlt_example/apps/0/runs", (404, "app_not_found")),
        ("GET", "/api/v1/w/w_example/spaces/vlt_example/apps/0/runs/0", (404, "app_not_found")),
        ("GET", f"/api/v1/w/w_example/spaces/vlt_example/apps/{QUOTE}/runs/0", (400, "run_error")),
        ("POST", "/api/v1/w/w_example/spaces/vlt_example/apps",
         (405, "method_not_supported_error")),
        ("GET", f"/api/v1/w/w_example/spaces/vlt_example/apps/{QUOTE}/runs",
         (405, "method_not_supported_error")),
        ("DELETE", f"/api/v1/w/w_example/spaces/vlt_example/apps/{QUOTE}/runs/0",
         (405, "method_not_supported_error")),
        ("GET", "/api/v1/elsewhere", (404, "invalid_request_error")),
    ],
)  # fmt: skip
def test_places_and_methods(shared: Api, method: str, path: str, expected: tuple[int, str]) -> None:
    """An unknown place is a 404 of its own type, a wrong method a 405, an unknown run a 400."""
    assert shared.refused(shared.http.request(method, path)) == expected


def test_run_of_another_app_is_unknown(shared: Api) -> None:
    """A run is found under its own app alone."""
    run = shared.blocking(SUPPORT)["run_id"]
    assert shared.refused(shared.http.get(shared.path(QUOTE, run))) == (400, "run_error")


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b'"text"', b"{}",
        b'{"specification_hash": "latest", "config": {}}',
        b'{"specification_hash": 1, "config": {}, "inputs": []}',
        b'{"specification_hash": "latest", "config": [], "inputs": []}',
        b'{"specification_hash": "latest", "config": {}, "inputs": {}}',
        b'{"specification_hash": "latest", "config": {}, "inputs": [1]}',
        b'{"specification_hash": "latest", "config": {}, "inputs": [], "stream": "yes"}',
    ],
)  # fmt: skip
def test_bad_bodies(shared: Api, content: bytes) -> None:
    """A body that is no JSON, lacks a field or has one of a wrong type is a 400."""
    answer = shared.http.post(shared.path(SUPPORT), content=content)
    assert shared.refused(answer) == (400, "invalid_request_error")


def test_own_names() -> None:
    """Key, workspace and space are the constructor's."""
    names = {"api_key": "sk-x", "workspace": "w_x", "space": "vlt_x"}
    with serving(**names) as api:
        assert api.http.get(api.path()).status_code == 200
