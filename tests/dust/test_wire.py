"""Dust's wire format: requests, and the normal form of a run, the same for all ways to write it."""

from __future__ import annotations

import copy
import random
from itertools import pairwise
from typing import Any

import pytest
from answers import (
    INPUTS,
    SKIPPED,
    WHILED,
    Wire,
    answer,
    bounded,
    end,
    exchange,
    json_values,
    parsed,
    ran,
    rounds,
    runs,
    server_steps,
    spoil,
    spoilt_answers,
    told,
    untimed,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from misbehaving_server import without_values

from conftest import dust_server
from pytest_dust.dust import wire as api
from pytest_dust.errors import ServiceError
from pytest_dust.model import (
    App,
    BlockStatus,
    Event,
    Exchange,
    Execution,
    Flavor,
    Reply,
    Run,
    RunRequest,
    Status,
    Trace,
)

REQUEST = RunRequest(
    app=App("w", "vlt", "app"),
    specification_hash="latest",
    config={"MODEL": {"use_cache": False}},
    inputs=[{"question": "Hi"}],
    block_filter=None,
)


def both(steps: list[Any]) -> list[tuple[Trace, ...]]:
    """Give the normal forms of a blocking and of a polled answer to the same run."""
    blocks = dust_server.block_statuses(steps)
    return [parsed(form(steps), blocks=blocks) for form in (dust_server.by_iteration, dust_server.merged)]


def values(trace: Trace) -> list[list[Any]]:
    """Give a trace's values alone."""
    return [[one.value for one in row] for row in trace.executions]


# ── requests ─────────────────────────────────────────────────────────────────────────────────────


def test_the_address_names_workspace_space_and_app():
    """Runs are posted to a path with workspace, space and app."""
    assert api.runs_path(REQUEST) == "/api/v1/w/w/spaces/vlt/apps/app/runs"


def test_the_body_asks_for_a_blocking_run():
    """The body has the suite's version, config and inputs, and asks to wait for the end of the run."""
    assert api.body(REQUEST) == {
        "specification_hash": "latest",
        "config": {"MODEL": {"use_cache": False}},
        "inputs": [{"question": "Hi"}],
        "blocking": True,
    }


@pytest.mark.parametrize("names", [(), ("A",), ("A", "B")])
def test_a_block_filter_is_sent_as_a_list(names):
    """A suite's block_filter is sent even when it is empty, and left out only when there is none."""
    request = RunRequest(REQUEST.app, "latest", {}, [{}], names)
    assert api.body(request)["block_filter"] == list(names)


def test_the_body_asks_for_its_flavor():
    """Each flavor asks for its own way to answer; only a blocking request has the filter."""
    request = RunRequest(REQUEST.app, "latest", {}, [{}], ("A",))
    plain = {"specification_hash": "latest", "config": {}, "inputs": [{}]}
    assert api.body(request, Flavor.BLOCKING) == {**plain, "blocking": True, "block_filter": ["A"]}
    assert api.body(request, Flavor.STREAM) == {**plain, "stream": True}
    assert api.body(request, Flavor.POLL) == plain


@pytest.mark.parametrize(
    ("run_id", "segment"),
    [
        ("5be2f49d", "5be2f49d"),
        ("../x", "..%2Fx"),
        ("a?b#c", "a%3Fb%23c"),
        ("é %", "%C3%A9%20%25"),
        ("\ud800", "%3F"),
    ],
)
def test_a_runs_id_stays_one_step_of_its_path(run_id, segment):
    """Whatever a run's id holds, the path to poll it is below that of the app's runs."""
    assert api.run_path(REQUEST, run_id) == f"{api.runs_path(REQUEST)}/{segment}"


# ── one normal form ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("name", INPUTS)
def test_the_servers_two_shapes_are_one_run(name, version):
    """Per-iteration and merged traces of the same run of a real app have one normal form."""
    inputs = INPUTS[name]
    for chosen in [*([one] for one in inputs), inputs, inputs[::-1]]:
        steps = server_steps(name, chosen, version)
        split, merged = both(steps)
        assert split == merged
        assert len({(trace.type, trace.name) for trace in split}) == len(split)


def test_iterations_line_up_by_input():
    """Each input has as many iterations as it ran, in order, however many the others ran."""
    steps = server_steps("halve-until-small", [{"number": n, "limit": 10} for n in (40, 3, 100)])
    found = {(trace.type, trace.name): values(trace) for trace in parsed(dust_server.by_iteration(steps))}
    assert found["code", "HALVE"] == [[20, 10], [], [50, 25, 12, 6]]
    assert found["while", "UNTIL"] == [[True, True, False], [False], [True] * 4 + [False]]
    assert found["code", "REPORT"] == [
        [{"steps": 2, "number": 10}],
        [{"steps": 0, "number": 3}],
        [{"steps": 4, "number": 6}],
    ]


@bounded
@given(runs())
def test_both_shapes_of_any_run_are_one(wire):
    """Both shapes of a run have one normal form, whatever loops, stops or fails in its app."""
    status = "errored" if wire.failed else "succeeded"
    split, merged = (parsed(form, status, wire.blocks) for form in (wire.split, wire.merged))
    assert split == merged
    assert parsed(wire.split, status) == split
    as_merged = [
        [[trace.type, trace.name], [[one.value for one in row] for row in trace.executions]]
        for trace in merged
    ]
    assert as_merged == [[key, [[one["value"] for one in row] for row in rows]] for key, rows in wire.whole]


@pytest.mark.parametrize("inputs", [(100, 3, 40), (40,), (12, 100)])
def test_a_filter_that_hides_the_loop_changes_nothing_inside(inputs):
    """A block of a while has the same executions with and without a filter that leaves out the while."""
    steps = server_steps("halve-until-small", [{"number": n, "limit": 10} for n in inputs])
    whole = dust_server.by_iteration(steps)
    hidden = [trace for trace in whole if trace[0][1] == "HALVE"]
    (found,) = [trace for trace in parsed(whole) if trace.name == "HALVE"]
    assert parsed(hidden) == (found,)


def test_a_null_outside_of_loops_is_an_execution():
    """Outside of loops, an output of null is an execution, and not a skipped one."""
    assert values(parsed([[["reduce", "EACH"], [[SKIPPED], [SKIPPED]]]])[0]) == [[None], [None]]


def test_loops_one_after_the_other_are_apart():
    """An input that has left one while takes part in the next."""
    one = [[["while", "A"], [[ran(False)]]], [["code", "X"], [[SKIPPED]]], [["end", "A"], [[SKIPPED]]]]
    two = [[["while", "B"], [[ran(True)]]], [["code", "Y"], [[ran(1)]]], [["end", "B"], [[SKIPPED]]]]
    last = [[["while", "B"], [[ran(False)]]], [["code", "Y"], [[SKIPPED]]], [["end", "B"], [[SKIPPED]]]]
    found = {(trace.type, trace.name): values(trace) for trace in parsed([*one, *two, *last])}
    assert found["code", "X"] == [[]]
    assert found["code", "Y"] == [[1]]
    assert found["while", "B"] == [[True, False]]


def test_a_failure_in_a_loop_is_kept_in_its_iteration():
    """The error of a later iteration is at its input and iteration in both shapes."""
    failed = {"value": None, "error": "no", "meta": None}
    split = [
        [["while", "W"], [[ran(True)], [ran(False)]]],
        [["code", "C"], [[ran(1)], [SKIPPED]]],
        [["end", "W"], [[SKIPPED], [SKIPPED]]],
        [["while", "W"], [[ran(True)], [SKIPPED]]],
        [["code", "C"], [[failed], [SKIPPED]]],
    ]
    merged = [
        [["while", "W"], [[ran(True), ran(True)], [ran(False)]]],
        [["code", "C"], [[ran(1), failed], []]],
        [["end", "W"], [[SKIPPED], []]],
    ]
    assert parsed(split, "errored") == parsed(merged, "errored")
    assert parsed(split, "errored")[1].executions == ((Execution(1), Execution(None, "no")), ())


def test_an_input_that_never_reached_the_loop_has_no_iterations():
    """A while without executions for an input, as in some polled runs, has no iterations of it."""
    traces = [[["while", "W"], [[], [ran(True)]]], [["code", "C"], [[], [ran(1)]]]]
    assert [values(trace) for trace in parsed(traces)] == [[[], [True]], [[], [1]]]


# ── loops ────────────────────────────────────────────────────────────────────────────────────────


def loops(traces: Any, blocks: Any = ()) -> dict[str, str]:
    """Give the loop of each block."""
    return {f"{trace.type} {trace.name}": trace.loop for trace in parsed(traces, blocks=blocks)}


MAPPED = [
    [["input", "INPUT"], [[ran({})]]],
    [["map", "EACH"], [[ran([1])]]],
    [["code", "IN"], [[ran(1)]]],
    [["reduce", "EACH"], [[ran(None)]]],
    [["code", "OUT"], [[ran(1)]]],
]


def test_a_block_in_a_map_has_its_loop():
    """A block between the two ends of a map is in that loop, even with one element; the ends are not."""
    assert loops(MAPPED) == {
        "input INPUT": "",
        "map EACH": "",
        "code IN": "map",
        "reduce EACH": "",
        "code OUT": "",
    }


def test_a_block_in_a_while_has_its_loop():
    """A while has an answer for each iteration, so it is in its own loop, with the blocks inside."""
    assert loops(WHILED) == {"while W": "while", "code IN": "while", "end W": "", "code OUT": ""} | {
        "end W": loops(WHILED)["end W"]
    }


@pytest.mark.parametrize("name", INPUTS)
def test_both_shapes_have_the_same_loops(name):
    """The loop of a block is the same for both shapes."""
    steps = server_steps(name, INPUTS[name])
    blocks = dust_server.block_statuses(steps)
    assert loops(dust_server.by_iteration(steps)) == loops(dust_server.merged(steps), blocks)


@pytest.mark.parametrize(
    ("rows", "loop"),
    [
        ([[ran(1)]], ""),
        ([[ran(1)], [ran(2)]], ""),
        ([[ran(1), ran(2)]], "map"),
        ([[]], "map"),
        ([[ran(1)], []], "map"),
    ],
)
def test_a_loop_left_out_is_recognised_by_its_length(rows, loop):
    """If a filter leaves out the loop, several executions or none are iterations, and one is not."""
    assert loops([[["code", "IN"], rows]]) == {"code IN": loop}


def cut(traces: Any, *names: str) -> dict[str, tuple[str, list[list[Any]]]]:
    """Give loop and values of the blocks that a filter leaves of a run."""
    run = api.parse(answer(traces), 0.0, names)
    return {f"{trace.type} {trace.name}": (trace.loop, values(trace)) for trace in run.traces}


def mapped(*elements: Any) -> list[Any]:
    """Give the traces of a map over these elements, between two blocks outside."""
    inside = [["code", "IN"], [[ran(each) for each in elements]]]
    return [MAPPED[0], [["map", "EACH"], [[ran(list(elements))]]], inside, *MAPPED[3:]]


REDUCED = {"reduce EACH": ("", [[None]])}
REDUCED_AND_NULL = {"map EACH": ("", [[[1]]]), **REDUCED, "code OUT": ("map", [[]])}


@pytest.mark.parametrize(
    ("traces", "names", "kept"),
    [
        # with the loop's opening block, nothing changes
        (mapped(1), ("EACH", "IN"), {"map EACH": ("", [[[1]]]), "code IN": ("map", [[1]]), **REDUCED}),
        (mapped(), ("EACH", "IN"), {"map EACH": ("", [[[]]]), "code IN": ("map", [[]]), **REDUCED}),
        # without it, one element looks like no loop
        (mapped(1), ("IN",), {"code IN": ("", [[1]])}),
        (mapped(1, 2), ("IN",), {"code IN": ("map", [[1, 2]])}),
        (mapped(), ("IN",), {"code IN": ("map", [[]])}),
        (mapped(None), ("IN",), {"code IN": ("map", [[]])}),
        (mapped(None, None), ("IN",), {"code IN": ("map", [[None, None]])}),
        # a block outside of loops stays outside
        (mapped(1, 2), ("OUT",), {"code OUT": ("", [[1]])}),
        (mapped(1, 2), ("INPUT", "OUT"), {"input INPUT": ("", [[{}]]), "code OUT": ("", [[1]])}),
        # a null outside of loops looks like a block that a loop never reached
        ([*MAPPED[:-1], [["code", "OUT"], [[ran(None)]]]], ("EACH", "OUT"), REDUCED_AND_NULL),
        # the end of a loop whose beginning is missing is left as it is
        ([MAPPED[3]], ("EACH",), REDUCED),
        # of a while, a block that ran has a trace for each round, and one more at the proper end
        (rounds(True, False), ("IN",), {"code IN": ("while", [[0]])}),
        (rounds(True, True, False), ("IN",), {"code IN": ("while", [[0, 1]])}),
        (rounds(True), ("IN",), {"code IN": ("", [[0]])}),
        (rounds(True, None), ("IN",), {"code IN": ("", [[0]])}),
        (rounds(True, True, None), ("IN",), {"code IN": ("while", [[0, 1]])}),
        (rounds(False), ("IN",), {"code IN": ("map", [[]])}),
        (rounds(True, False), ("BEFORE", "OUT"), {"code BEFORE": ("", [[0]]), "code OUT": ("", [[1]])}),
        (rounds(True, False), ("W",), {"while W": ("while", [[True, False]]), "end W": ("", [[None]])}),
    ],
)
def test_a_filter_leaves_of_a_loop_what_a_blocking_answer_shows(traces, names, kept):
    """If a filter leaves out the opening block of a loop, a block inside is as in a blocking answer."""
    assert cut(traces, *names) == kept


@pytest.mark.parametrize(
    ("names", "results"), [(None, 7), (("OUT",), 7), (("IN", "OUT"), 7), (("NOWHERE",), None), ((), None)]
)
def test_a_filter_that_leaves_no_block_leaves_no_results(names, results):
    """The service's results are kept if a filter leaves any block, and dropped if it leaves none."""
    run = api.parse(answer(MAPPED, results=7), 0.0, names)
    assert run.results == results
    assert api.parse(answer([], results=7), 0.0, names).results == 7


def test_a_block_with_several_traces_is_in_a_while():
    """A block with several traces is in a while, though a filter left that out."""
    assert loops([trace for trace in WHILED if trace[0][1] == "IN"]) == {"code IN": "while"}


# ── streams and polls ────────────────────────────────────────────────────────────────────────────


def server_run(name: str, inputs: list[Any]) -> Any:
    """Give a run of the server's engine that has ended."""
    app = next(app for app in dust_server.APPS.values() if app.name == name)
    run = dust_server.Run(app.id, "h1", {})
    run.perform(dust_server.Machine(app.version("v1"), inputs, dict(app.config), ()), lambda: None)
    return run


def three_ways(name: str, inputs: list[Any], names: tuple[str, ...] | None) -> dict[Flavor, Run]:
    """Give one run as it is read by each of the three flavors."""
    run = server_run(name, inputs)
    blocking = run.document(dust_server.by_iteration)
    blocking = blocking if names is None else dust_server.filtered(blocking, names)
    created = exchange(body={"run": run.document_after(0)})
    polled = exchange(body={"run": run.document(dust_server.merged)})
    replies = {
        Flavor.BLOCKING: told(Flavor.BLOCKING, exchange(body={"run": blocking})),
        Flavor.STREAM: told(Flavor.STREAM, exchange(events=list(dust_server.run_events(run)))),
        Flavor.POLL: told(Flavor.POLL, created, polled),
    }
    return {flavor: api.run(reply, names, "h1") for flavor, reply in replies.items()}


def filters(name: str) -> list[tuple[str, ...] | None]:
    """Give no filter, each block alone, and each pair of neighbours."""
    app = next(app for app in dust_server.APPS.values() if app.name == name)
    blocks = list(dict.fromkeys(block.name for block in app.blocks))
    return [None, (), *((block,) for block in blocks), *pairwise(blocks)]


@pytest.mark.parametrize("plural", [False, True])
@pytest.mark.parametrize("name", INPUTS)
def test_the_servers_three_flavors_are_one_document(name, plural):
    """The run of a real app has the same view by each flavor, with any block_filter."""
    for inputs in [*([one] for one in INPUTS[name]), *([INPUTS[name]] if plural else [])]:
        for names in filters(name):
            found = three_ways(name, inputs, names)
            documents = {flavor: untimed(run, plural=plural) for flavor, run in found.items()}
            assert documents[Flavor.STREAM] == documents[Flavor.BLOCKING], (names, inputs)
            assert documents[Flavor.POLL] == documents[Flavor.BLOCKING], (names, inputs)


def events_of(wire: Wire, status: str) -> list[Any]:
    """Give the events of a stream of an invented run."""
    blocks = [
        {"block_type": kind, "block_name": name, "execution": rows} for (kind, name), rows in wire.split
    ]
    return [
        end("running"),
        *({"type": "block_status", "content": content} for content in wire.blocks),
        *({"type": "block_execution", "content": content} for content in blocks),
        end(status),
        {"type": "final", "content": None},
    ]


@bounded
@given(runs(), st.data())
def test_all_flavors_of_any_run_are_one_document(wire, data):
    """Blocking, stream and poll give the same view, whatever the app and the block_filter."""
    status = "errored" if wire.failed else "succeeded"
    blocks = sorted({name for (_, name), _ in wire.split})
    names = data.draw(st.none() | st.lists(st.sampled_from(blocks), max_size=4, unique=True))
    # A round that gave null and said nothing looks as if left out, once the while is hidden.
    assume(
        names is None
        or not any(SKIPPED in row for key, rows in wire.whole if key[0] == "code" for row in rows)
    )
    kept = [trace for trace in wire.split if names is None or trace[0][1] in names]
    shown = [block for block in wire.blocks if names is None or block["name"] in names]
    polled = answer(wire.merged, status, wire.blocks)
    replies = [
        told(Flavor.BLOCKING, exchange(body=answer(kept, status, shown))),
        told(Flavor.STREAM, exchange(events=events_of(wire, status))),
        told(Flavor.POLL, exchange(body=answer([], "running")), exchange(body=polled)),
    ]
    for plural in (True, wire.count > 1):
        first, *others = [untimed(api.run(reply, names, "h1"), plural=plural) for reply in replies]
        assert all(other == first for other in others)


def test_a_stream_has_the_durations_of_blocks():
    """A block's duration is from its start to its end, summed over iterations; other flavors have none."""

    def block(status: str, name: str = "A") -> dict[str, Any]:
        content = {"block_type": "llm", "name": name, "status": status}
        return {"type": "block_status", "content": {**content, "success_count": 1, "error_count": 0}}

    events = [
        Event(1.0, block("running")),
        Event(1.5, block("succeeded")),
        Event(3.0, block("running")),
        Event(3.25, block("succeeded")),
        Event(4.0, block("succeeded", "B")),
        Event(5.0, end()),
    ]
    reply = Reply(Flavor.STREAM, (Exchange("POST", "/", 200, {}, None, tuple(events)),), 5.0)
    found = api.run(reply, None, "h1")
    assert [(each.name, each.duration) for each in found.statuses] == [("A", 0.75), ("B", None)]
    assert found.duration == 5.0


@pytest.mark.parametrize(
    ("exchange_", "pinned", "asked"),
    [
        (exchange(body=answer([], "running")), "h1", "r1"),
        (exchange(body=answer([])), "h1", None),
        (exchange(body=answer([], "errored")), "latest", None),
        (exchange(body=None), "h1", None),
        (exchange(body={"run": []}), "h1", None),
        (exchange(body=answer([], "running", run_id=3)), "h1", None),
        (exchange(events=[end("running"), end()]), "h1", None),
        (exchange(events=[end("running"), end()]), "latest", "r1"),
        (exchange(events=[end("running")]), "h1", "r1"),
        (exchange(events=[]), "h1", None),
        (exchange(events=["odd", None, {"type": "run_status"}, {"type": 3, "content": {}}]), "h1", None),
    ],
)
def test_a_run_that_goes_on_or_has_no_hash_is_polled(exchange_, pinned, asked):
    """A run is polled while it goes on, if its stream broke off, or if its stream has no hash."""
    assert api.pending(exchange_, pinned) == asked


@pytest.mark.parametrize("status", ["succeeded", "errored"])
def test_a_stream_that_broke_off_gives_the_polled_run(status):
    """If a stream broke off, the run is the polled one."""
    whole = answer([[["code", "A"], [[ran(1)]]]], status)
    broken = exchange(events=[end("running")])
    assert not api.streamed_end(broken)
    assert api.run(told(Flavor.STREAM, broken, exchange(body=whole)), None, "h1") == api.parse(whole, 1.5)


def test_a_streamed_run_has_the_hash_of_the_polled_one():
    """A streamed run has the hash of the suite or, for `latest`, that of the polled run."""
    events = exchange(events=[end("running"), end()])
    assert api.run(told(Flavor.STREAM, events), None, "h9").specification_hash == "h9"
    asked = told(Flavor.STREAM, events, exchange(body=answer([])))
    assert api.run(asked, None, "latest").specification_hash == "h1"


@pytest.mark.parametrize(
    ("events", "error"),
    [
        ([{"type": "error", "content": {"code": "x", "message": "no"}}], ("x", "no")),
        ([end("running"), {"type": "error", "content": {"code": "x", "message": "no"}}], ("x", "no")),
        ([{"type": "error", "content": {}}], ("None", "None")),
        ([{"type": "error", "content": {"code": "x", "message": "no"}}, end("errored")], None),
        ([end("running")], None),
        ([], None),
    ],
)
def test_a_stream_that_ends_in_an_error_has_one(events, error):
    """An error event ends a stream if no run has ended; beside the end of a run it is ignored."""
    assert api.stream_error(exchange(events=events)) == error


def test_a_polled_run_without_values_is_refused():
    """A polled run with statuses and without values is refused: its workspace stores no logs."""
    run = server_run("support-answer", INPUTS["support-answer"])
    bare = without_values(run.document(dust_server.merged))
    for traces in bare["traces"]:
        for row in traces[1]:
            for one in row:
                one["meta"] = None
    reply = told(Flavor.POLL, exchange(body={"run": run.document_after(0)}), exchange(body={"run": bare}))
    with pytest.raises(ServiceError, match=r"stores no run logs.*flavor: blocking, or flavor: stream"):
        api.run(reply, None, "h1")


@bounded
@given(st.data())
def test_any_events_are_a_run_or_a_service_error(data):
    """Any events of a stream give a Run or a ServiceError."""
    name = data.draw(st.sampled_from(list(INPUTS)))
    events = copy.deepcopy(STREAMS[name])
    dice = random.Random(data.draw(st.integers(0, 2**32)))
    for _ in range(data.draw(st.integers(1, 4))):
        spoil(events, copy.deepcopy(data.draw(json_values)), dice)
    reply = told(Flavor.STREAM, exchange(events=events), exchange(body=data.draw(json_values)))
    assert api.pending(reply.exchanges[0], "h1") is None or isinstance(
        api.pending(reply.exchanges[0], "h1"), str
    )
    api.stream_error(reply.exchanges[0])
    try:
        assert isinstance(api.run(reply, data.draw(st.none() | st.just(["INPUT"])), "h1"), Run)
    except ServiceError:
        return


# ── what an answer says ──────────────────────────────────────────────────────────────────────────


def test_the_published_shape_is_accepted():
    """A run in the form of the published schema has its results, and no blocks."""
    document = {
        "run": {
            "run_id": "4a2c6e8b0d",
            "app_id": "9f1d3b5a7c",
            "status": {"run": "succeeded", "build": "succeeded"},
            "results": {"answer": 42},
            "specification_hash": "8c0a",
            "traces": [[{"timestamp": "2026-11-02T10:00:00Z", "trace": {"step": 1}}]],
        }
    }
    run = api.parse(document, 1.5)
    assert run == Run("4a2c6e8b0d", "8c0a", Status.SUCCEEDED, (), (), {"answer": 42}, 1.5)


def test_a_run_keeps_what_the_service_says():
    """Id, hash, status, results, block statuses and token counts are those of the answer."""
    meta = {"token_usage": {"prompt_tokens": 9, "completion_tokens": 2, "odd": 1, "cached_tokens": "x"}}
    trace = [["llm", "MODEL"], [[{"value": "35", "error": None, "meta": meta}]]]
    block = {
        "block_type": "llm",
        "name": "MODEL",
        "status": "succeeded",
        "success_count": 1,
        "error_count": 0,
    }
    status = {"run": "errored", "blocks": [block, {"name": 3}, "odd", None]}
    run = api.parse(answer([trace], results=[[1]]) | {"more": 1}, 2.0)
    assert (run.id, run.specification_hash, run.results, run.duration) == ("r1", "h1", [[1]], 2.0)
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "cached_tokens": 0}
    assert run.traces == (Trace("llm", "MODEL", ((Execution("35", usage=usage),),)),)
    document = answer([])
    document["run"]["status"] = status
    run = api.parse(document, 0.0)
    assert (run.status, run.statuses) == (
        Status.ERRORED,
        (BlockStatus("llm", "MODEL", "succeeded", 1, 0),),
    )


def test_unknown_block_types_are_blocks():
    """A block of an unknown type is kept."""
    assert parsed([[["teleport", "T"], [[ran(1)]]]]) == (Trace("teleport", "T", ((Execution(1),),)),)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (None, "without a run"),
        ("<html>", "without a run"),
        ([], "without a run"),
        ({}, "without a run"),
        ({"run": None}, "without a run"),
        ({"run": []}, "without a run"),
        ({"run": {}}, "without a run"),
        ({"run": {"run_id": "r1"}}, "no status"),
        ({"run": {"status": "succeeded"}}, "no status"),
        ({"run": {"status": {}}}, "no status"),
        ({"run": {"status": {"run": None}}}, "no status"),
        ({"run": {"status": {"run": "running"}}}, "before the run had ended"),
        ({"run": {"status": {"run": "paused"}}}, 'status "paused"'),
        ({"run": {"status": {"run": ["succeeded"]}}}, "succeeded or errored was due"),
        ({"run": {"status": {"run": {}}}}, "succeeded or errored was due"),
        ({"run": {"status": {"run": True}}}, "succeeded or errored was due"),
    ],
)
def test_an_answer_without_an_ended_run_is_an_error(document, says):
    """An answer without an ended run raises a ServiceError with what came and what to do."""
    with pytest.raises(ServiceError, match=says) as raised:
        api.parse(document, 0.0)
    assert "run the case again" in str(raised.value) or "--dust-base-url" in str(raised.value)


# ── garbage ──────────────────────────────────────────────────────────────────────────────────────


STREAMS = {name: list(dust_server.run_events(server_run(name, inputs))) for name, inputs in INPUTS.items()}


@settings(bounded, max_examples=100)
@given(spoilt_answers() | json_values)
def test_garbage_is_a_run_or_a_service_error(document):
    """Any answer gives a Run or a ServiceError, and is not changed."""
    before = repr(document)
    try:
        run = api.parse(document, 0.0)
    except ServiceError:
        return
    finally:
        assert repr(document) == before
    assert isinstance(run, Run)
    for trace in run.traces:
        assert isinstance(trace, Trace)
        assert all(isinstance(one, Execution) for row in trace.executions for one in row)
        assert all(one.error is None or isinstance(one.error, str) for row in trace.executions for one in row)
