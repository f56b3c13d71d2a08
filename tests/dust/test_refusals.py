"""Whatever the service refuses, and however a run ends without an answer, the message says what to do."""

from __future__ import annotations

import re
import time
from typing import Any

import httpx
import pytest
from answers import answer, end, exchange, ran
from faults import Faults
from raw_servers import each_flavor, refused

from conftest import SUPPORT, config_of
from pytest_dust.dust import refusals, wire
from pytest_dust.dust.wire import Crash
from pytest_dust.model import App, Exchange, Flavor, RunRequest

REQUEST = RunRequest(App("w_1", "vlt_1", "a_1"), "ab" * 32, {}, [{}], None)
LISTING = RunRequest(App("w_1", "vlt_1", ""), "latest", {}, [], None)
REGIONS = "set --dust-base-url.*https://dust.tt .*https://eu.dust.tt"


# ── the service's errors ─────────────────────────────────────────────────────────────────────────

ERRORS = [
    (400, "invalid_request_error", "check config and inputs"),
    (400, "run_error", "check config and inputs"),
    (401, "malformed_authorization_header_error", "check DUST_API_KEY: copy it again, whole"),
    (401, "invalid_api_key_error", "check DUST_API_KEY: Dust knows no such key"),
    (401, "not_authenticated", "check DUST_API_KEY: the request arrived without a key"),
    (401, "workspace_auth_error", "it is not a key of the workspace w_1; make one there"),
    (401, "user_not_found", "check DUST_API_KEY"),
    (403, "app_not_found", "cannot read the space vlt_1; give it that space"),
    (403, "workspace_can_use_product_required_error", "the workspace w_1 does not include the API"),
    (403, "some_new_error", "the key may not use this app"),
    (404, "app_not_found", "check app.id, space and workspace"),
    (404, "space_not_found", "workspace w_1 has no space vlt_1 that the key may read"),
    (404, "workspace_not_found", f"if it lives in the other region, {REGIONS}"),
    (405, "method_not_supported_error", "check that --dust-base-url is Dust itself"),
    (413, "content_too_large", "larger than the service's 4 MB; shorten them"),
    (429, "rate_limit_error", "10,000 runs in 24 hours; wait, or replay"),
    (500, "internal_server_error", "specification_hash .abababababab….*unequal keys.*try again later"),
    (500, "run_error", "may have started, so it was not repeated"),
    (502, "bad_gateway", "the service has a problem; try again later"),
    (503, "service_unavailable", "maintenance.* made no run: try again later; replaying from cassettes"),
    (418, "teapot", "check the request and --dust-base-url"),
]  # fmt: skip


def words(status: int, body: Any, method: str = "POST", flavor: Flavor | None = Flavor.BLOCKING) -> str:
    """Give the message about an answer that is no run."""
    request = REQUEST if method == "POST" else LISTING
    return str(refusals.refused(Exchange(method, "/", status, {}, body), request, flavor))


def error(kind: str, message: str = "It failed.") -> dict[str, Any]:
    """Give an error body of the service."""
    return {"error": {"type": kind, "message": message}}


@pytest.mark.parametrize(("status", "kind", "told"), ERRORS)
def test_each_error_of_the_service_says_what_to_do(status, kind, told):
    """Every type of error has the service's own words and a sentence of what to check."""
    found = words(status, error(kind))
    assert found.startswith(
        f"the service answered {status} {kind}: It failed. (app a_1, space vlt_1, workspace w_1); "
    )
    assert re.search(told, found)
    assert "{" not in found
    assert len(found) < 600


@pytest.mark.parametrize(
    ("status", "told"), [(each[0], each[2]) for each in ERRORS if each[1] == "some_new_error"]
)
@pytest.mark.parametrize(
    "body", [error("some_new_error"), {"error": {}}, {}, "<html>", None, [], {"error": "no"}], ids=repr
)
def test_without_a_known_type_the_status_decides(status, told, body):
    """An error without a known type says what to do by the HTTP status."""
    assert re.search(told, words(status, body))


def test_a_workspace_that_moved_names_the_regions():
    """What Dust says of a workspace that was moved leads to the other region's address."""
    found = words(404, error("workspace_not_found", "The workspace was not found. [relocation-done]"))
    assert re.search(f"the workspace has moved: {REGIONS}", found)


@pytest.mark.parametrize(("flavor", "listed"), [("blocking", True), ("poll", True), ("stream", False)])
@pytest.mark.parametrize("body", [error("internal_server_error"), "Internal Server Error", {}], ids=repr)
def test_a_500_without_a_reason_lists_the_known_ones(flavor, listed, body):
    """A 500 to a run that is not streamed lists the reasons for which the service gives none."""
    found = words(500, body, flavor=Flavor(flavor))
    assert ("unknown specification_hash" in found) == listed
    assert ("unequal keys" in found) == listed
    assert "try again later" in found


@pytest.mark.parametrize(
    ("method", "body", "told"),
    [
        ("POST", "<html>Oops</html>", "the run may have started, so it was not repeated: run the case again"),
        ("POST", error("run_error"), "the run may have started, so it was not repeated: run the case again"),
        ("GET", error("internal_server_error"), "the service has a problem; try again later"),
    ],
)
def test_another_500_names_no_specification_hash(method, body, told):
    """A gateway's page, a failed run, and a failed GET have other causes than a wrong request."""
    found = words(500, body, method, Flavor.BLOCKING)
    assert "specification_hash" not in found
    assert found.endswith(f"; {told}")


def test_a_deleted_run_says_why():
    """A run that cannot be polled may be deleted."""
    assert "deletes runs after 30 days" in words(400, error("run_error"), "GET", Flavor.POLL)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("specification_not_found", "check specification_hash abababababab… against the app's versions"),
        ("invalid_inputs_error", "all inputs of one run must have the same keys"),
        ("invalid_specification_error", "open the app in Dust"),
        ("run_error", "run the case again"),
    ],
)
def test_each_error_event_says_what_to_do(code, told):
    """The error events of a stream lead to their causes."""
    assert told in str(refusals.stream_error(code, "No.", REQUEST))


FRONT = {
    "maintenance": (503, "service_unavailable", "Service is currently unavailable.", "maintenance"),
    "moved": (404, "workspace_not_found", "The workspace was not found. [relocation-done]", "eu.dust.tt"),
    "elsewhere": (404, "workspace_not_found", "The workspace was not found.", "eu.dust.tt"),
    "another workspace": (401, "workspace_auth_error", "Only users can do it.", "not a key of the workspace"),
    "plan": (403, "workspace_can_use_product_required_error", "Please upgrade", "does not include the API"),
    "space": (403, "app_not_found", "Running an app requires read access", "cannot read the space"),
}  # fmt: skip


@each_flavor
@pytest.mark.parametrize("name", FRONT)
def test_a_refused_run_says_what_to_do(one, server, name, flavor):
    """In the report of a case, by each flavour and whether creating or asking is refused."""
    status, kind, message, told = FRONT[name]
    server.misbehave(
        Faults.error(status, kind, message), times=None, on="GET" if flavor == "poll" else "POST"
    )
    result = one.flavoured(flavor).run("--dust-mode=record")
    assert result.outcomes == {"failed": 1}
    report = " ".join(result.report.split())
    assert kind in report
    assert told in report
    assert "Traceback" not in report
    assert result.example.cassettes == {}


@pytest.mark.parametrize("name", FRONT)
def test_a_refused_listing_says_what_to_do(project, server, name):
    """`--dust-apps` tells the same, and names no app."""
    status, kind, message, told = FRONT[name]
    server.misbehave(Faults.error(status, kind, message), times=None, on="GET")
    result = project.using(server).run("--dust-apps")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert told in result.err
    assert "(space vlt_example, workspace w_example)" in result.err


# ── a run that crashed ───────────────────────────────────────────────────────────────────────────


def status(name: str, state: str, kind: str = "llm") -> dict[str, Any]:
    """Give a block's status."""
    return {"block_type": kind, "name": name, "status": state}


def told(*events: Any) -> Exchange:
    """Give a stream that runs, with these events in it."""
    return exchange(events=[end("running"), *events])


def event(kind: str, content: Any) -> dict[str, Any]:
    """Give an event of a stream."""
    return {"type": kind, "content": content}


A, B = status("A", "succeeded", "code"), status("B", "running")
OVER = {"type": "final", "content": None}
EMPTY = [["map", "EACH"], [[ran([1])], [ran([])]]]
CRASHES = [
    (exchange(body=answer([], "running", [A, B])), "blocking", Crash("r1", "B (llm)", False, "")),
    (exchange(body=answer([], "running", [A, A | {"name": "C"}])), "blocking",
     Crash("r1", "C (code)", True, "")),
    (exchange(body=answer([], "running", [B, A])), "blocking", Crash("r1", "B (llm)", False, "")),
    (exchange(body=answer([], "running")), "blocking", Crash("r1", "", False, "")),
    (exchange(body=answer([EMPTY], "running", [A])), "blocking", Crash("r1", "A (code)", True, "EACH")),
    (exchange(body=answer([EMPTY[:1], [["map", "M"], [[ran(None)]]]], "running", [A])), "blocking",
     Crash("r1", "A (code)", True, "")),
    (exchange(body=answer([], "running", [A, B])), "stream", Crash("r1", "B (llm)", False, "")),
    (exchange(body=answer([], "running")), "stream", None),
    (exchange(body=answer([], "running", [A, B])), "poll", None),
    (exchange(body=answer([])), "blocking", None),
    (exchange(body=answer([], "errored")), "blocking", None),
    (exchange(body=None), "blocking", None),
    (exchange(body={"run": {"status": "running"}}), "blocking", None),
    (told(OVER), "stream", Crash("r1", "", False, "")),
    (told(event("block_status", B), OVER), "stream", Crash("r1", "B (llm)", False, "")),
    (told(event("block_status", B), event("block_status", B | {"status": "succeeded"}), OVER), "stream",
     Crash("r1", "B (llm)", True, "")),
    (told(event("block_execution", {"block_type": "map", "block_name": "M", "execution": [[ran([])]]}), OVER),
     "stream", Crash("r1", "", False, "M")),
    (told(event("block_status", B)), "stream", None),
    (told(end(), OVER), "stream", None),
    (exchange(events=[OVER]), "stream", None),
]  # fmt: skip


@pytest.mark.parametrize(("said", "flavor", "found"), CRASHES, ids=range(len(CRASHES)))
def test_what_says_that_a_run_crashed(said, flavor, found):
    """A blocking answer that says running, or a stream's end without its run's, is a crash at a block."""
    assert wire.crash(said, Flavor(flavor)) == found


@pytest.mark.parametrize(
    ("crash", "told"),
    [
        (
            Crash("r1", "B (llm)", False, ""),
            r"crashed in B \(llm\) .*\(run r1\): check the inputs and that block",
        ),
        (Crash("r1", "B (llm)", True, "EACH"), r"crashed after B \(llm\) .*: EACH \(map\) got an empty list"),
        (Crash("r1", "", False, ""), "crashed before its first block"),
    ],
)
def test_a_crash_is_told_with_its_block_and_cause(crash, told):
    """The message names the block, the run, and an empty list into a map where that is the cause."""
    assert re.search(told, str(refusals.crashed(crash)))


@pytest.mark.parametrize("flavor", ["blocking", "stream"])
@pytest.mark.parametrize("mode", ["record", "live"])
def test_a_crash_is_a_verdict(one, server, flavor, mode):
    """A run that crashed fails its case at once, names the block and the run, and leaves no cassette."""
    server.misbehave(Faults.crashed("LOOKUP"), times=None, on="ANY")
    example = one.flavoured(flavor).replacing("a.dust.yaml", "timeout: 5", "timeout: 300")
    began = time.monotonic()
    result = example.run(f"--dust-mode={mode}")
    assert time.monotonic() - began < 60
    assert result.outcomes == {"failed": 1}
    report = " ".join(result.report.split())
    assert re.search(
        r"crashed in LOOKUP \(data_source\) and stays running for ever.*\(run [0-9a-f]{64}\)", report
    )
    assert "longer than" not in report
    assert [each.method for each in server.requests if each.path.endswith("/runs")] == ["POST"]
    assert not any("/runs/" in each.path for each in server.requests)
    assert result.example.cassettes == {}


def test_a_crash_keeps_the_recording_that_is_there(one, server):
    """Recording anew a run that crashes leaves the old cassette, byte for byte."""
    recorded = one.run("--dust-mode=record").example
    server.misbehave(Faults.crashed("ANSWER"), times=None)
    again = recorded.run("--dust-mode=rerecord")
    assert again.outcomes == {"failed": 1}
    assert again.example.cassettes == recorded.cassettes


@pytest.mark.parametrize("flavor", ["poll", "stream"])
def test_a_run_that_is_asked_for_and_never_ends_says_where_it_stands(network, server, flavor):
    """A run that stays running is given up when its time is up, and the message names its block."""
    server.misbehave(Faults.crashed("LOOKUP"), times=None, on="GET")
    if flavor == "stream":
        server.misbehave(Faults.break_off(3))
    found = refused(network, server, flavor, timeout=1.5)
    assert re.search(
        r"longer than 1\.5 s.*it had reached LOOKUP \(data_source\);.*has crashed and never ends", found
    )
    assert server.runs == 1


def test_a_stream_that_breaks_off_is_still_asked_for(network, server):
    """Only the end of a stream is a verdict: one that breaks off is finished by its id."""
    server.misbehave(Faults.break_off(4))
    with pytest.raises(pytest.fail.Exception):
        refused(network, server, "stream")
    assert [each.method for each in server.requests] == ["POST", "GET"]


def test_the_server_crashes_a_run_as_dust_does(server):
    """The local server's crash leaves the block running, no results, and no end of the run in a stream."""
    asked = {"config": config_of(SUPPORT), "inputs": [{"question": "Hi"}]}
    body = {"specification_hash": server.hash(SUPPORT), **asked}
    url = f"{server.base_url}/api/v1/w/{server.workspace}/spaces/{server.space}/apps/{SUPPORT}/runs"
    headers = {"Authorization": f"Bearer {server.api_key}"}
    server.misbehave(Faults.crashed("LOOKUP"), times=None, on="ANY")
    with httpx.Client(headers=headers, trust_env=False) as client:
        run = client.post(url, json={**body, "blocking": True}).json()["run"]
        assert run["status"]["run"] == "running"
        assert [each["status"] for each in run["status"]["blocks"]] == ["succeeded", "succeeded", "running"]
        assert [trace[0][1] for trace in run["traces"]] == ["INPUT", "CLASSIFY"]
        assert run["results"] is None
        stream = client.post(url, json={**body, "stream": True}).text
        assert stream.count('"run_status"') == 1
        assert stream.rstrip().endswith('"final", "content": null}')
        created = client.post(url, json=body).json()["run"]
        polled = client.get(f"{url}/{created['run_id']}").json()["run"]
        assert polled["status"]["run"] == "running"


def test_a_run_whose_time_is_up_while_it_is_asked_for_says_where_it_stands(network, server):
    """Where the time ends in the middle of a question, the message still names the block told before."""
    server.misbehave(Faults.crashed("LOOKUP"), on="GET")
    server.misbehave(Faults.stalled(), times=None, on="GET")
    found = refused(network, server, "poll", timeout=1.5)
    assert re.search(r"longer than 1\.5 s.*it had reached LOOKUP \(data_source\)", found)
