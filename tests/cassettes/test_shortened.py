"""What follows from other parts of a cassette is stored once, and read back exactly as it came."""

from __future__ import annotations

import copy
import difflib
import json
import tracemalloc
from pathlib import Path

import pytest
from answers import bounded
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from recordings import AT

from pytest_dust.cassettes import format as cassette
from pytest_dust.model import Event, Exchange, Flavor, Reply, Specification

FORMAT_1 = Path(__file__).parents[1] / "golden" / "format_1"  # in a folder `cassettes` they would be orphans
REQUEST = {
    "app": {"workspace": "w", "space": "s", "id": "a1"},
    "specification_hash": "h1",
    "config": {"A": {"model_id": "m", "use_cache": False}, "B": {}},
    "inputs": [{"question": "Hi"}],
    "block_filter": None,
}


def text(value):
    """Give a value's JSON, in which `1`, `1.0` and `true` differ and the order of keys does not count."""
    return json.dumps(value, sort_keys=True)


def kept(*exchanges, flavor=Flavor.BLOCKING, request=None, specification=None):
    """Give the file of a cassette as a document, and the exchanges that are read from it."""
    request = REQUEST if request is None else request
    whole = cassette.dumps(request, [Reply(flavor, exchanges, 1.0)], AT, specification)
    return json.loads(whole), cassette.loads(whole).replies[0].exchanges


def answered(body, **more):
    """Give the document of an answer's exchange in the file, and the body that is read back."""
    document, (found,) = kept(Exchange("POST", "/", 200, {}, body), **more)
    return document["exchanges"][0], found.body


def a_run(**parts):
    """Give an answer of one block, with other parts."""
    execution = {"value": {"label": "billing"}, "error": None, "meta": {"logs": []}}
    return {
        "run": {
            "app_id": "a1",
            "config": {"blocks": copy.deepcopy(REQUEST["config"])},
            "specification_hash": "h1",
            "status": {"run": "succeeded", "blocks": [status("llm", "A")]},
            "traces": [[["llm", "A"], [[execution]]]],
            "results": [[copy.deepcopy(execution)]],
            **parts,
        }
    }


def status(kind, name, how="succeeded", good=1, bad=0):
    """Give the status of a block as the service writes it."""
    return {"block_type": kind, "name": name, "status": how, "success_count": good, "error_count": bad}


# ── nothing is lost ──────────────────────────────────────────────────────────────────────────────

scalars = st.sampled_from([None, True, False, 0, 1, 1.0, 0.0, -0.0, "", "a1", "h1", "data", "run"])
odd = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["value", "error", "meta", "data", "run", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
executions = st.fixed_dictionaries(
    {
        "value": odd,
        "error": st.sampled_from([None, "lost"]),
        "meta": st.sampled_from([None, [], {"logs": []}]),
    }
)
rows = st.lists(st.lists(executions | executions | executions | odd, max_size=3), max_size=3) | odd
blocks = st.tuples(st.sampled_from(["llm", "code"]), st.sampled_from(["A", "B"])).map(list) | odd
traces = st.lists(st.tuples(blocks, rows).map(list) | odd, max_size=3) | odd
counts = st.sampled_from([0, 1, 1.0, True, 2])
statuses = st.builds(status, st.just("llm"), st.sampled_from(["A", "B"]), good=counts, bad=counts)


@st.composite
def runs(draw):
    """Give an answer with a run in it, whose parts repeat one another, nearly do so, or are anything."""
    found = draw(traces)
    last = (
        found[-1][1]
        if isinstance(found, list) and found and isinstance(found[-1], list) and len(found[-1]) > 1
        else None
    )
    parts = {
        "traces": found,
        "results": draw(st.just(copy.deepcopy(last)) | odd),
        "status": draw(
            st.fixed_dictionaries(
                {"run": st.just("succeeded"), "blocks": st.lists(statuses | odd, max_size=3) | odd}
            )
            | odd
        ),
        "app_id": draw(st.sampled_from(["a1", "other", None])),
        "config": draw(st.sampled_from([{"blocks": REQUEST["config"]}, {"blocks": {"B": {}}}]) | odd),
        "specification_hash": draw(st.sampled_from(["h1", "h2", 1])),
        "shortened": draw(odd),
    }
    left = draw(st.sets(st.sampled_from(sorted(parts)), max_size=3))
    return {"run": {name: part for name, part in parts.items() if name not in left}}


bodies = runs() | runs() | odd | st.fixed_dictionaries({"run": odd, "shortened": odd})
contents = (
    st.fixed_dictionaries({"block_type": scalars, "block_name": scalars, "execution": rows}) | statuses | odd
)
events = st.fixed_dictionaries(
    {"type": st.sampled_from(["block_execution", "block_status", "final", 1]), "content": contents}
)
times = st.integers(0, 10**6).map(lambda count: count / 1000)
streams = st.lists(st.builds(Event, times, events | odd), max_size=4).map(tuple)


@bounded
@given(bodies, bodies)
def test_an_answer_is_read_as_it_came(body, later):
    """Blocking and polled answers of any shape are read back with every value of the same type."""
    exchanges = [Exchange("POST", "/", 200, {}, body), Exchange("GET", "/r", 200, {}, later)]
    _, found = kept(*exchanges, flavor=Flavor.POLL)
    assert [text(each.body) for each in found] == [text(body), text(later)]


@bounded
@given(streams)
def test_a_stream_is_read_as_it_came(stream):
    """The events of a stream, whatever they hold, are read back with their times."""
    _, (found,) = kept(Exchange("POST", "/", 200, {}, None, stream), flavor=Flavor.STREAM)
    assert [event.at for event in found.events] == [event.at for event in stream]
    assert text([event.data for event in found.events]) == text([event.data for event in stream])


saved = st.fixed_dictionaries(
    {
        "type": scalars,
        "name": st.sampled_from(["A", "B", "C", 1, None]) | odd,
        "indent": counts,
        "config": st.sampled_from(
            [{}, {"model_id": "m", "use_cache": False}, {"use_cache": 0, "model_id": "m"}]
        ),
        "spec": odd,
    }
)


@bounded
@given(st.lists(saved | saved | odd, max_size=3) | odd)
def test_a_specification_is_read_as_it_was_saved(blocks):
    """The blocks of a specification, of any shape, are read back exactly."""
    if blocks is None:
        return
    whole = cassette.dumps(
        REQUEST,
        [Reply(Flavor.BLOCKING, (Exchange("POST", "/", 200, {}),), 1.0)],
        AT,
        Specification(blocks, True),
    )
    assert text(cassette.loads(whole).specification.blocks) == text(blocks)


# ── what is stored once ──────────────────────────────────────────────────────────────────────────


def test_what_follows_is_left_out():
    """Of an answer that repeats its request and itself, the file holds each thing once."""
    written, found = answered(a_run())
    assert written["shortened"] == [
        "app_id",
        "config",
        "executions",
        "results",
        "specification_hash",
        "statuses",
    ]
    execution = {"value": {"label": "billing"}, "meta": {"logs": []}}
    assert written["body"] == {
        "run": {"status": {"run": "succeeded"}, "traces": [[["llm", "A"], [[execution]]]]}
    }
    assert found == a_run()


ALMOST = {
    "results": {"results": [[{"value": {"label": "other"}, "error": None, "meta": {"logs": []}}]]},
    "no results": {"results": None},
    "statuses": {"status": {"run": "succeeded", "blocks": [status("llm", "A", good=2)]}},
    "config": {"config": {"blocks": {"A": {"model_id": "other"}}}},
    "config by type": {"config": {"blocks": {"A": {"model_id": "m", "use_cache": 0}, "B": {}}}},
    "specification_hash": {"specification_hash": "h2"},
    "app_id": {"app_id": 1},
}


@pytest.mark.parametrize("parts", ALMOST.values(), ids=ALMOST)
def test_what_does_not_follow_is_stored(parts):
    """A part that says anything else than what it usually repeats is stored as it came, or in rows."""
    ((name, part),) = parts.items()
    written, found = answered(a_run(**parts))
    stored = written["body"]["run"][name]
    assert stored == (
        part if name != "status" else {"run": "succeeded", "blocks": [["llm", "A", "succeeded", 2, 0]]}
    )
    assert text(found) == text(a_run(**parts))


def test_an_execution_without_an_error_is_stored_as_it_came():
    """If one execution lacks a key, null values are left out of none, so that absent and null stay apart."""
    body = a_run(traces=[[["llm", "A"], [[{"value": 1}, {"value": 2, "error": None, "meta": None}]]]])
    written, found = answered(body)
    assert "executions" not in written["shortened"]
    assert found == body


def test_nothing_in_an_answer_is_taken_for_a_name_of_ours():
    """An answer that has keys and values that look like our short form is read as it came."""
    body = {"shortened": ["results"], "run": {"shortened": ["results"], "traces": [], "status": {}}}
    written, found = answered(body)
    assert not written.get("shortened")
    assert found == body
    disguised = (
        {"data": 1},
        ["final", None],
        {"type": "block_status", "content": ["llm", "A", "running", 0, 0]},
    )
    document, (read,) = kept(
        Exchange("POST", "/", 200, {}, None, tuple(Event(0.1, each) for each in disguised))
    )
    assert [event.data for event in read.events] == list(disguised)
    assert document["exchanges"][0]["events"] == [{"data": each} for each in disguised]


def test_an_execution_reads_value_first():
    """In an execution the value stands before error and meta; in a run, status and traces stand first."""
    body = a_run(
        traces=[[["llm", "A"], [[{"meta": {"a": 1}, "error": "lost", "value": None}]]]], results=None
    )
    written, _ = answered(body)
    run = written["body"]["run"]
    assert list(run["traces"][0][1][0][0]) == ["value", "error", "meta"]
    assert list(run)[:3] == ["status", "traces", "results"]


def test_the_answer_stands_before_ids_and_times():
    """A file begins with what was asked and ends with the specification; times and ids follow the answer."""
    blocks = [
        {"type": "llm", "name": "A", "indent": 0, "config": REQUEST["config"]["A"], "spec": {"prompt": "?"}}
    ]
    document, _ = kept(
        Exchange("POST", "/", 200, {}, a_run(created=1, run_id="r")),
        specification=Specification(blocks, True),
    )
    assert list(document) == [
        *("version", "recorded_at", "request", "flavor", "exchanges", "duration"),
        *("specification_ran", "shortened", "specification"),
    ]
    assert document["specification"] == [{"type": "llm", "name": "A", "spec": {"prompt": "?"}}]
    assert list(document["exchanges"][0]["body"]["run"])[-2:] == ["created", "run_id"]


# ── the measure ──────────────────────────────────────────────────────────────────────────────────


def four_blocks():
    """Give the recording of the example of four blocks."""
    return cassette.loads((FORMAT_1 / "four_blocks.json").read_bytes())


def bytes_of(recording):
    """Give the bytes of a recording as it is written now."""
    return cassette.dumps(
        recording.request, recording.replies, recording.recorded_at, recording.specification
    )


def test_a_cassette_of_four_blocks(golden):
    """What a reviewer sees of a case."""
    golden("cassette", bytes_of(four_blocks()).decode())


def test_a_cassette_is_near_the_size_of_its_answer():
    """The example of four blocks takes at most 90 lines and 1.6 times the bytes of the answer."""
    recording = four_blocks()
    whole = bytes_of(recording)
    answer = json.dumps(recording.replies[0].exchanges[0].body, ensure_ascii=False, separators=(",", ":"))
    assert whole.count(b"\n") <= 90
    assert len(whole) <= 1.6 * len(answer.encode())


def test_a_changed_label_is_a_line_or_two():
    """A label that the app now gives changes at most three lines: it is in no second copy."""
    recording = four_blocks()
    (reply,) = recording.replies
    (exchange,) = reply.exchanges
    body = copy.deepcopy(exchange.body)
    body["run"]["traces"][-1][1][0][0]["value"]["label"] = "shipping"
    body["run"]["traces"][1][1][0][0]["value"]["completion"]["text"] = "shipping"
    body["run"]["results"] = copy.deepcopy(body["run"]["traces"][-1][1])
    now = replace(recording, replies=(replace(reply, exchanges=(replace(exchange, body=body),)),))
    old, new = (bytes_of(each).decode().split("\n") for each in (recording, now))
    changed = [line for line in difflib.unified_diff(old, new, n=0) if line[0] == "+" and line[:3] != "+++"]
    assert 1 <= len(changed) <= 3


def test_a_large_cassette_is_read_within_five_times_its_size():
    """A cassette of 8 MB takes at most 5 times its size in memory while it is read, its bytes included."""
    execution = a_run()["run"]["traces"][0][1][0][0]
    rows = [
        [{**execution, "value": f"{number} " + "lorem ipsum " * 40}]
        for number in range(8 * 1024 * 1024 // 480)
    ]
    body = a_run(traces=[[["llm", "A"], rows]], results=rows)
    whole = cassette.dumps(
        REQUEST, [Reply(Flavor.BLOCKING, (Exchange("POST", "/", 200, {}, body),), 1.0)], AT
    )
    assert len(whole) > 8 * 1024 * 1024
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        found = cassette.loads(whole)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.replies[0].exchanges[0].body["run"]["results"] == rows
    assert most - before + len(whole) <= 5 * len(whole)
