"""By whichever road a run comes, and however its stream goes, the run is the same run."""

from __future__ import annotations

import json
import os
import re

import httpx
import pytest
from faults import Faults
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from live_runs import APPS, INPUTS, asking, kept, on_terminal, run, seen

from conftest import CASE, SUPPORT, suite
from pytest_dust.dust import wire
from pytest_dust.errors import ServiceError
from pytest_dust.model import Flavor

CASES = [(name, inputs) for name, several in INPUTS.items() for inputs in several]


# ── three roads, one run ─────────────────────────────────────────────────────────────────────────


def filters(name):
    """Give no filter, each block alone, and some together."""
    names = list(dict.fromkeys(block.name for block in APPS[name].blocks))
    return [None, *([each] for each in names), names[1:], ["NOWHERE"]]


@pytest.mark.parametrize(("name", "inputs"), CASES)
def test_three_flavours_of_every_app_are_one_document(network, server, name, inputs):
    """Over real HTTP every app, input and filter gives the same document by all three roads, and replayed."""
    for names in filters(name):
        request = asking(server, APPS[name].id, inputs, names)
        replies = {flavor: run(network, request, flavor) for flavor in Flavor}
        first, *others = (seen(reply, request) for reply in replies.values())
        assert others == [first, first], names
        for reply in replies.values():
            assert seen(network.replay(request, kept(request, reply)), request) == first


question = st.builds(lambda text: {"question": text}, st.sampled_from(["refund", "my parcel", "", "é\n*"]))
numbers = st.builds(
    lambda number, limit: {"number": number, "limit": limit}, st.integers(0, 5000), st.integers(0, 20)
)
sentences = st.builds(
    lambda parts: {"text": ". ".join([*parts, "The end"])},  # an empty map would crash the run
    st.lists(st.sampled_from(["The a", "", "Go on"]), max_size=4),
)
orders = st.sampled_from([{"order": order} for order in ("3 apples", "2 plums", "pears", "1 car")])
OF = {
    "support-answer": question,
    "summarise": sentences,
    "halve-until-small": numbers,
    "quote-order": orders,
}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(st.data())
def test_any_inputs_give_one_document(network, server, data):
    """Whatever the inputs and the filter, blocking, stream and poll give one document."""
    name = data.draw(st.sampled_from(list(OF)))
    inputs = data.draw(st.lists(OF[name], min_size=1, max_size=3))
    names = data.draw(st.none() | st.lists(st.sampled_from([b.name for b in APPS[name].blocks]), unique=True))
    version = data.draw(st.sampled_from(["v1", "v2"]))
    request = asking(server, APPS[name].id, inputs, names, server.hash(APPS[name].id, version))
    first, *others = (seen(run(network, request, flavor), request) for flavor in Flavor)
    assert others == [first, first]


CASES_OF_EACH = """\
cases:
  - id: right
    input: {question: Where is my refund?}
    expect: {result.label: billing, blocks.LOOKUP.type: data_source, usage.total_tokens: {gt: 20}}
  - id: wrong
    input: {question: Hello}
    expect: {result.label: billing}
  - id: errored
    input: {}
    expect: {status: errored, error: {starts_with: CLASSIFY}, blocks.ANSWER: {exists: false}}
  - id: filtered
    input: {question: Where is my refund?}
    block_filter: [CLASSIFY]
    expect: {result.completion.text: billing, blocks.ANSWER: {exists: false}}
"""


def test_the_verdict_does_not_depend_on_the_flavour(project, server):
    """One suite gives the same outcomes, and the same words of failure, by each road and replayed."""
    for flavor in Flavor:
        text = suite(server, SUPPORT, CASES_OF_EACH, f"flavor: {flavor}\n")
        project = project.having({f"{flavor}.dust.yaml": text})
    recorded = project.using(server).run("--dust-mode=record")
    replayed = recorded.example.offline().run()
    for result in (recorded, replayed):
        assert result.outcomes == {"passed": 9, "failed": 3}
        told = re.findall(r"^FAILED (\w+)\.dust\.yaml(.+)$", result.out, re.MULTILINE)
        assert [flavor for flavor, _ in told] == ["blocking", "poll", "stream"]
        assert len({words for _, words in told}) == 1


def test_a_case_may_choose_another_flavour_than_its_suite(project, server):
    """`flavor` of a case wins over that of its suite."""
    cases = "cases:\n  - {id: a, input: {question: x}}\n  - {id: b, input: {question: x}, flavor: poll}\n"
    example = project.having({"a.dust.yaml": suite(server, SUPPORT, cases, "flavor: stream\n")})
    args = ("--dust-mode=live", "--dust-concurrency=1")
    assert example.using(server).run(*args).outcomes == {"passed": 2}
    bodies = [request.body for request in server.requests if request.method == "POST"]
    assert [(body.get("stream"), body.get("blocking")) for body in bodies] == [(True, None), (None, None)]


# ── streams ──────────────────────────────────────────────────────────────────────────────────────

TOLD = 50
"""More events than the stream of the usual request has."""


def length(server, request):
    """Give how many events the service sends in the request's stream, kept or not."""
    address = server.base_url + wire.runs_path(request)
    headers = {"Authorization": f"Bearer {server.api_key}"}
    answer = httpx.post(address, json=wire.body(request, Flavor.STREAM), headers=headers)
    return answer.text.count("data: ")


@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("half", [False, True])
def test_a_stream_that_breaks_off_is_finished_by_its_id(network, server, half, clean):
    """Wherever a stream breaks off, its run is asked for by its id, is the same run, and replays."""
    request = asking(server)
    whole = seen(run(network, request, "blocking"), request)
    events = length(server, request)
    assert events < TOLD
    for broken in range(1, events):
        server.requests.clear()
        server.misbehave(Faults.break_off(broken, half=half, clean=clean))
        reply = run(network, request, "stream")
        assert seen(reply, request) == whole, broken
        assert server.runs == 1
        ended = broken >= events - 1  # told how the run ended, though not `final`
        assert len(server.requests) == (1 if ended else 2), broken
        assert seen(network.replay(request, kept(request, reply)), request) == whole


@pytest.mark.parametrize(("half", "clean"), [(False, False), (True, False), (False, True), (True, True)])
def test_a_stream_that_names_no_run_is_a_plain_error(network, server, half, clean):
    """A stream that breaks off before it names its run fails, and is not repeated."""
    server.misbehave(Faults.break_off(0, half=half, clean=clean))
    with pytest.raises(ServiceError, match=r"before it named its run.*not repeated.*run the case again"):
        run(network, asking(server), "stream")
    assert len(server.requests) == 1


def test_a_stream_that_never_names_its_run_is_a_plain_error(network, server):
    """Events without a `run_status` tell no run."""
    server.misbehave(Faults.without("run_status"))
    with pytest.raises(ServiceError, match="before it named its run"):
        run(network, asking(server), "stream")


def as_comment(one):
    """Leave an event, and put ones without type or content around it."""
    return [{"content": {}}, one, {"type": 7, "content": {"status": "errored"}}, {"type": "error"}]


FORMS = {
    "plain JSON": Faults.plain_json(),
    "a byte at a time": Faults.rechunked(1),
    "seven bytes at a time": Faults.rechunked(7),
    "all at once": Faults.rechunked(10**6),
    "CRLF": Faults.line_ends("\r\n"),
    "CR": Faults.line_ends("\r"),
    "comments": Faults.comments(),
    "dressed": Faults.dressed(),
    "strange": Faults.strange(),
    "odd": Faults.events(as_comment),
    "no JSON": Faults.bad_data(),
    "other JSON": Faults.bad_data('[1, "x", null]', after=3),
    "not JSON's numbers": Faults.bad_data("NaN", after=2),
    "without final": Faults.without("final"),
    "without tokens": Faults.without("tokens"),
    "held open": Faults.held_open(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["support-answer", "halve-until-small", "summarise"])
def test_the_form_of_a_stream_changes_nothing(network, server, form, name):
    """However a stream is cut, ended, dressed or mixed with what is unknown, its run is the same."""
    request = asking(server, APPS[name].id, INPUTS[name][1])
    whole = seen(run(network, request, "blocking"), request)
    server.misbehave(FORMS[form])
    reply = run(network, request, "stream", timeout=5)
    assert seen(reply, request) == whole
    assert seen(network.replay(request, kept(request, reply)), request) == whole


def test_an_event_nested_too_deeply_is_refused(network, server):
    """An event that is nested beyond reason ends the run with a plain error."""
    server.misbehave(Faults.bad_data("[" * 100_000, after=2))
    with pytest.raises(ServiceError, match="nested too deeply"):
        run(network, asking(server), "stream")


@pytest.mark.parametrize("flavor", Flavor)
def test_unknown_types_of_blocks_are_let_through(network, server, flavor):
    """A block of a type that nobody knows is a block like any other, by each road."""

    def renamed(document):
        """Give the blocks of the type `llm` another."""
        return json.loads(json.dumps(document).replace('"llm"', '"oracle"'))

    def change(run):
        """Alter a run in place."""
        run.update(renamed(run))

    fault = Faults.events(lambda one: [renamed(one)]) if flavor == "stream" else Faults.altered(change)
    server.misbehave(fault, times=None, on="ANY")
    request = asking(server)
    document = seen(run(network, request, flavor), request)
    assert document["blocks"]["CLASSIFY"]["type"] == "oracle"
    assert document["result"]["label"] == "billing"


@pytest.mark.parametrize("after", [0, 1, 5])
def test_an_error_event_fails_with_its_own_words(network, server, after):
    """A stream that ends in an `error` event gives its code and message, and starts no other run."""
    server.misbehave(Faults.error_event("run_error", "The model is out.", after=after))
    with pytest.raises(ServiceError, match=r"run_error: The model is out\.; run the case again"):
        run(network, asking(server), "stream")
    assert server.runs == 1


@pytest.mark.parametrize(
    ("flavor", "told"),
    [
        ("blocking", "500 internal_server_error.*unknown specification_hash .abababababab….*unequal keys"),
        ("stream", "specification_not_found.*check specification_hash abababababab…"),
        ("poll", "500 internal_server_error.*unknown specification_hash .abababababab….*unequal keys"),
    ],
)
def test_an_unknown_hash_is_told_by_each_road(network, server, flavor, told):
    """What the service says of an unknown hash, bare as it may be, leads to the hash."""
    with pytest.raises(ServiceError, match=told):
        run(network, asking(server, hash_="ab" * 32), flavor)


@pytest.mark.parametrize("flavor", Flavor)
def test_latest_answers_the_hash_that_ran(network, server, flavor):
    """A run of `latest` tells by each road, streamed too, which hash ran, and so does its replay."""
    server.save_edited(SUPPORT)
    request = asking(server, hash_="latest")
    reply = run(network, request, flavor)
    for each in (reply, network.replay(request, kept(request, reply))):
        assert wire.run(each, None, "latest").specification_hash == server.hash(SUPPORT, "v2")


def test_a_streamed_cassette_keeps_its_events_and_when_they_came(project, server):
    """The cassette of a stream has its events in order with growing offsets, and no body."""
    server.delay = 0.03
    example = project.having({"a.dust.yaml": suite(server, SUPPORT, CASE, "flavor: stream\n")}).using(server)
    recorded = example.run("--dust-mode=record").example
    document = json.loads(recorded.files["cassettes/a/a.json"])
    (exchange,) = document["exchanges"]
    assert "body" not in exchange
    offsets = [float(time) for time in exchange["at"].split()]
    assert offsets == sorted(offsets)
    assert 0.06 <= offsets[-1] - offsets[0] <= document["duration"] + 0.01
    assert exchange["events"][-1] == ["final", None]
    assert document["flavor"] == "stream"


@pytest.mark.parametrize("flavor", Flavor)
def test_only_a_stream_tells_how_long_a_block_took(project, server, flavor):
    """`blocks.NAME.duration` is there, live and replayed, for streamed runs and for no others."""
    server.delay = 0.05
    expected = "{gte: 0.04, lt: 3}" if flavor == "stream" else "{exists: false}"
    case = f"input: {{question: Hi}}\nexpect: {{blocks.CLASSIFY.duration: {expected}}}\n"
    example = project.having({"a.dust.yaml": suite(server, SUPPORT, case, f"flavor: {flavor}\n")})
    recorded = example.using(server).run("--dust-mode=record")
    assert recorded.outcomes == {"passed": 1}
    assert recorded.example.offline().run().outcomes == {"passed": 1}


# ── polling ──────────────────────────────────────────────────────────────────────────────────────


def test_polling_waits_live_and_never_in_replay(network, server):
    """A run is asked for until it has ended, with growing pauses; a replay of it waits for nothing."""
    server.poll_steps = 3
    request = asking(server)
    reply = run(network, request, "poll")
    assert [each.method for each in server.requests] == ["POST", "GET", "GET", "GET", "GET"]
    assert reply.duration >= 0.2 + 0.3 + 0.4
    assert len(reply.exchanges) == 2
    began = os.times().elapsed
    for _ in range(20):
        network.replay(request, reply)
    assert os.times().elapsed - began < 1


@pytest.mark.parametrize("name", ["support-answer", "quote-order"])
def test_a_workspace_without_logs_is_told_as_such(network, server, name):
    """A polled run without its values is no result: the error says why, and names the other flavours."""
    server.stores_logs = False
    request = asking(server, APPS[name].id, INPUTS[name][0])
    with pytest.raises(ServiceError, match=r"stores no run logs.*flavor: blocking, or flavor: stream"):
        seen(run(network, request, "poll"), request)
    for flavor in ("blocking", "stream"):
        assert seen(run(network, request, flavor), request)["status"] == "succeeded"


def test_an_errored_run_without_logs_is_told_as_such(network, server):
    """A run that errored in a workspace without logs is refused as one that succeeded is."""
    server.stores_logs = False
    request = asking(server, APPS["quote-order"].id, [{"order": "apples"}])
    with pytest.raises(ServiceError, match="stores no run logs"):
        seen(run(network, request, "poll"), request)


@pytest.mark.parametrize("names", [None, ["CLASSIFY"]])
@pytest.mark.parametrize("flavor", ["blocking", "poll"])
def test_the_published_shape_has_its_status(network, server, flavor, names):
    """A run in the published shape is a run: its status stands, and blocks without names are left out."""
    server.published_shape = True
    request = asking(server, names=names)
    reply = run(network, request, flavor)
    for each in (reply, network.replay(request, kept(request, reply))):
        document = seen(each, request)
        assert document["status"] == "succeeded"
        assert document["blocks"] == {}


# ── progress ─────────────────────────────────────────────────────────────────────────────────────


def screen(told, columns):
    """Give the lines that stand on the terminal in the end."""
    lines = [""]
    at = 0
    for char in told:
        if char == "\n":
            lines.append("")
            at = 0
        elif char == "\r":
            at = 0
        elif char == "\b":
            at -= 1
        else:
            if at == columns:
                lines.append("")
                at = 0
            lines[-1] = f"{lines[-1][:at]:<{at}}{char}{lines[-1][at + 1 :]}"
            at += 1
    return [line.rstrip() for line in lines]


@pytest.fixture
def slow(project, server):
    """A project of one streamed case whose blocks take a moment each."""
    server.delay = 0.3  # more than the time between two looks, on a busy machine too
    return project.having({"a.dust.yaml": suite(server, SUPPORT, CASE, "flavor: stream\n")}).using(server)


COUNT = "0 of 1 run done, 1 running"


@pytest.mark.parametrize(("flags", "end"), [(("-v",), r" +\[100%\]"), (("-vv", "-s"), "")])
def test_a_terminal_shows_the_block_that_runs(slow, flags, end):
    """Under -v each block stands on the case's line while it runs, and in the end the verdict alone."""
    told = on_terminal(slow, "--dust-mode=live", *flags)
    for block in ("INPUT (input)", "CLASSIFY (llm)", "LOOKUP (data_source)", "ANSWER (code)"):
        assert f" … {block}  {COUNT}" in told
    lines = [line for line in screen(told, 100) if "a.dust.yaml" in line and "dust: " not in line]
    assert len(lines) == 1
    assert re.fullmatch(rf"a\.dust\.yaml::a PASSED{end}", lines[0])


@pytest.mark.parametrize(("name", "columns"), [("long-name", 44), ("long-name", 41), ("a-longer-name", 40)])
def test_a_narrow_terminal_keeps_to_one_line(slow, name, columns):
    """Where a title and a block do not fit side by side, the verdict's line is as without progress."""
    long = slow.having({"a.dust.yaml": None, f"{name}.dust.yaml": slow.files["a.dust.yaml"]})
    lines = screen(on_terminal(long, "--dust-mode=live", "-v", columns=columns), columns)
    told = "".join(f"{line:<{columns}}" for line in lines)
    assert told.count(f"{name}.dust.yaml::{name} PASSED") == 1
    assert told.count(f"dust.yaml::{name}") == 1
    assert "…" not in told


@pytest.mark.parametrize(("flags", "line"), [((), r"a\.dust\.yaml \. +\[100%\]"), (("-q",), r"\. +\[100%\]")])
def test_a_terminal_without_v_shows_how_far_it_is(slow, flags, line):
    """Without -v a terminal is told of no block, only of the runs; in the end pytest's own line stands."""
    told = on_terminal(slow, "--dust-mode=live", *flags)
    assert COUNT in told
    assert "…" not in told
    assert any(re.fullmatch(line, each) for each in screen(told, 100))
    assert not any("done" in each for each in screen(told, 100))


def test_what_is_no_terminal_shows_no_progress(slow):
    """Into a pipe or a file, -v or not, no block and no carriage return is written."""
    result = slow.run("--dust-mode=live", "-vv", subprocess=True)
    assert result.outcomes == {"passed": 1}
    assert "…" not in result.out
    assert "done" not in result.out
    assert not {"\r", "\b"} & set(result.out)


def test_a_replay_shows_no_progress(slow):
    """A replayed stream, which takes no time, tells of no block and no progress."""
    recorded = slow.run("--dust-mode=record").example.offline()
    told = on_terminal(recorded, "-v")
    assert "…" not in told
    assert "done" not in told
