"""The tests' server queues faults, limits runs, and has the rarer states of a Dust."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from dust_api import INPUTS, QUOTE, SUPPORT, Api, hold, serving, trace_of
from faults import Faults
from jsonschema import ValidationError
from misbehaving_server import MisbehavingServer

from example_suites import dust_server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def api() -> Iterator[Api]:
    """A client for a misbehaving server of this test alone."""
    with serving(MisbehavingServer) as api:
        yield api


def test_faults_are_queued(api: Api) -> None:
    """Faults are used in order, so many times, for requests of their method only."""
    api.server.misbehave(Faults.status(500), times=2)
    api.server.misbehave(Faults.status(404), on="GET")
    api.server.misbehave(Faults.status(503), on="ANY")
    posts = [api.http.post(api.path(QUOTE), json=api.body(QUOTE)).status_code for _ in range(4)]
    gets = [api.http.get(api.path()).status_code for _ in range(2)]
    assert (posts, gets) == ([500, 500, 503, 200], [404, 200])


def test_behave_forgets_everything(api: Api) -> None:
    """`behave` ends a fault without a count, a rate limit and all rarer states."""
    api.server.misbehave(Faults.status(500), times=None, on="ANY")
    api.server.rate_limit(0)
    api.server.stores_logs, api.server.published_shape, api.server.poll_steps = False, True, 9
    assert {api.http.get(api.path()).status_code for _ in range(5)} == {500}
    api.server.behave()
    assert api.polled(SUPPORT)["results"][0][0]["value"]["label"] == "billing"


def test_faults_come_before_a_subclass() -> None:
    """Faults change the answers of a subclass like any others."""

    class Greeter(MisbehavingServer):
        def answer(self, _request: Any) -> Any:
            return dust_server.Reply([b"hello"], 200, "text/plain")

    with Greeter() as server:
        server.misbehave(Faults.truncated(2), on="GET")
        assert [httpx.get(server.base_url, trust_env=False).text for _ in range(2)] == ["he", "hello"]


def test_rate_limit(api: Api) -> None:
    """Runs after the limit are refused with a 429 and start nothing; fetching goes on."""
    api.server.rate_limit(2, retry_after="7")
    runs = [api.http.post(api.path(QUOTE), json=api.body(QUOTE)) for _ in range(4)]
    assert [answer.status_code for answer in runs] == [200, 200, 429, 429]
    assert api.refused(runs[-1]) == (429, "rate_limit_error")
    assert runs[-1].headers["retry-after"] == "7"
    assert api.get(QUOTE, runs[0].json()["run"]["run_id"])


def test_workspace_without_logs(api: Api) -> None:
    """Where logs are not stored, polled runs have traces and errors but no values."""
    stored, blocking = api.polled(QUOTE), api.blocking(QUOTE)
    api.server.stores_logs = False
    bare = api.polled(QUOTE)
    assert {
        one["value"] for _, rows in bare["traces"] for row in rows for one in row if one["value"]
    } == set()
    assert [block for block, _ in bare["traces"]] == [block for block, _ in stored["traces"]]
    assert bare["traces"][-1][1][1] == stored["traces"][-1][1][1]
    assert bare["status"] == stored["status"]
    assert api.polled(SUPPORT)["results"][0][0]["value"] is None
    assert api.blocking(QUOTE)["traces"] == blocking["traces"]


@pytest.mark.parametrize("app", [SUPPORT, QUOTE])
def test_published_shape(api: Api, app: str) -> None:
    """Runs in JSON, blocking or polled, can have the published shape."""
    api.server.published_shape = True
    post = [
        api.http.post(api.path(app), json=api.body(app, blocking=blocking)).json()["run"]
        for blocking in (True, False)
    ]
    for run in (*post, api.http.get(api.path(app, post[0]["run_id"])).json()["run"]):
        hold(run, "published_run")
        assert (run["results"], run["status"]["build"]) == ({}, "succeeded")
        assert "blocks" not in run["status"]
    assert post[0]["traces"][0][0]["trace"]["name"] == "INPUT"


def test_a_fault_of_a_value_leaves_the_published_shape(api: Api) -> None:
    """A fault that changes the last value leaves a run in the published shape as it is."""
    api.server.published_shape = True
    api.server.misbehave(Faults.huge(1))
    answer = api.http.post(api.path(SUPPORT), json=api.body(SUPPORT, blocking=True))
    hold(answer.json()["run"], "published_run")


def test_published_shape_has_a_definition_of_its_own() -> None:
    """A run shaped as published holds to published_run, and is no run as users get it."""
    published = {
        "run_id": "4a2c6e8b0d",
        "status": {"run": "succeeded", "build": "succeeded"},
        "results": {},
        "traces": [[{"timestamp": 1234567890, "trace": {}}]],
    }
    hold(published, "published_run")
    with pytest.raises(ValidationError):
        hold(published, "run")


def test_poll_steps(api: Api) -> None:
    """A run can be still running for some fetches, each of which shows more of it."""
    api.server.poll_steps = 3
    run_id = api.blocking(SUPPORT)["run_id"]
    fetched = [api.get(SUPPORT, run_id) for _ in range(5)]
    assert [run["status"]["run"] for run in fetched] == ["running"] * 3 + ["succeeded"] * 2
    counts = [len(run["traces"]) for run in fetched]
    assert counts == sorted(counts)
    assert counts[2] > counts[0]
    saved = api.http.get(api.path()).json()["apps"][0]["savedRun"]
    assert api.get(SUPPORT, saved)["status"]["run"] == "succeeded"


def test_scores_move_if_told_to(api: Api) -> None:
    """The scores of a data source differ from run to run within a bound, and alike for the same seed."""

    def scores() -> list[float]:
        runs = [api.blocking(SUPPORT, inputs=INPUTS[SUPPORT][:1]) for _ in range(4)]
        return [
            trace_of(run, "data_source", "LOOKUP")[0][0][0]["value"][0]["chunks"][0]["score"] for run in runs
        ]

    still = scores()
    assert len(set(still)) == 1
    api.server.move_scores(0.001, seed=7)
    moved = scores()
    assert len(set(moved)) == 4
    assert all(0 < abs(score - still[0]) <= 0.001 for score in moved)
    api.server.move_scores(0.001, seed=7)
    assert scores() == moved
    api.server.behave()
    assert scores() == still


def test_requests_are_recorded(api: Api) -> None:
    """Tests can see what was sent: method, path, headers and decoded body."""
    api.blocking(SUPPORT)
    (request,) = api.server.requests
    assert (request.method, request.path) == ("POST", api.path(SUPPORT))
    assert request.headers["authorization"] == "Bearer sk-example-key"
    assert request.body == api.body(SUPPORT, blocking=True)


@pytest.mark.parametrize("fault", [Faults.stalled(), Faults.trickle(100), Faults.held_open()])
def test_stop_is_prompt_with_a_standing_answer(fault: Any) -> None:
    """Stopping the server ends answers that pause."""
    with serving(MisbehavingServer) as api:
        api.server.misbehave(fault)
        with api.http.stream("POST", api.path(QUOTE), json=api.body(QUOTE, stream=True)) as answer:
            began = time.monotonic()
            api.server.stop()
            with pytest.raises(httpx.HTTPError):
                answer.read()
            assert time.monotonic() - began < 5


def test_a_version_can_be_forgotten(api: Api) -> None:
    """An unregistered version is unknown to `check` and cannot be run, until it is registered again."""
    digest = api.server.hash(SUPPORT, "v2")
    body = {"apps": [{"appId": SUPPORT, "appHash": digest}]}
    api.server.unregister(SUPPORT, "v2")
    answer = api.http.post(f"{api.path()}/check", json=body).json()["apps"][0]
    assert answer["deployed"] is False
    run = api.http.post(api.path(SUPPORT), json=api.body(SUPPORT, specification_hash=digest, blocking=True))
    assert api.refused(run) == (500, "internal_server_error")
    api.server.register(SUPPORT, "v2")
    assert api.blocking(SUPPORT, specification_hash=digest)["specification_hash"] == digest


def test_a_saved_run_can_be_deleted(api: Api) -> None:
    """A deleted saved run cannot be fetched, but the app names its id until it is run again."""
    api.server.delete_saved_run(SUPPORT)
    saved = api.http.get(api.path()).json()["apps"][0]["savedRun"]
    assert api.refused(api.http.get(api.path(SUPPORT, saved))) == (400, "run_error")
    api.server.run_in_editor(SUPPORT, "v1")
    saved = api.http.get(api.path()).json()["apps"][0]["savedRun"]
    assert api.get(SUPPORT, saved)["status"]["run"] == "succeeded"
