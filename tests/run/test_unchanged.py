"""`rerecord` leaves a cassette untouched, byte for byte, if the new run says the same."""

from __future__ import annotations

import json
import os

import pytest

from conftest import SUPPORT, TRACK
from pytest_dust.cassettes.shortened import restore

LONG_AGO = 1_000_000_000
"""A time stamp in seconds that no file has that was written by a test."""
CASSETTE = "cassettes/a/a.json"


REPEAT = "repeat: {runs: 3, min_pass: 1}\n"


@pytest.fixture
def recorded(one):
    """The project `one`, recorded."""
    return one.recorded()


def added(example, text):
    """The project `one` with a text at the end of its suite."""
    return example.having({"a.dust.yaml": example.files["a.dust.yaml"].decode() + text})


def rerecorded(example, *args):
    """The result of recording anew, and the names of the cassettes that were written."""
    example.write()
    for name in example.cassettes:
        os.utime(example.root / name, (LONG_AGO, LONG_AGO))
    result = example.run("--dust-mode=rerecord", *args)
    after = result.example.cassettes
    written = {name for name in after if (example.root / name).stat().st_mtime != LONG_AGO}
    assert all(after[name] == example.cassettes[name] for name in after.keys() - written)
    return result, written


def rewritten(example, name, change):
    """The project with the document of a cassette changed."""
    document = json.loads(example.files[name])
    change(document)
    return example.having({name: json.dumps(document)})


def backwards(value):
    """A JSON value with the keys of all mappings in reverse order."""
    if isinstance(value, dict):
        return {key: backwards(value[key]) for key in reversed(list(value))}
    return [backwards(each) for each in value] if isinstance(value, list) else value


# ── not written ──────────────────────────────────────────────────────────────────────────────────


def other_tokens(run):
    """Other numbers of tokens in each execution."""
    for _, rows in run["traces"]:
        for execution in (one for row in rows for one in row):
            usage = (execution["meta"] or {}).get("token_usage") or {}
            usage.update({kind: 777 for kind, count in usage.items() if count})


def other_order(run):
    """Other orders of keys in each value."""
    for _, rows in run["traces"]:
        for execution in (one for row in rows for one in row):
            execution["value"] = backwards(execution["value"])


SAME = {
    "run id, time and duration": lambda _run: None,
    "tokens": other_tokens,
    "order of keys": other_order,
    "time of creation": lambda run: run.update(created=1),
}


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_what_is_new_in_every_run_does_not_count(recorded, server, change):
    """Run ids, times, tokens and the order of keys write no cassette."""
    server.alter(change)
    result, written = rerecorded(recorded)
    assert written == set()
    assert "dust: 1 recorded," in result.out
    assert "dust: 1 as recorded, 0 changed\n" in result.out


def test_volatile_values_of_blocks_do_not_count(made):
    """Headers of a `curl` block, ids of function calls and times of a search are new in every run."""
    example = made(TRACK, "input: {parcel: PX-1}\n")
    (name,) = example.cassettes
    result, written = rerecorded(example)
    assert written == set()
    assert "dust: 1 as recorded, 0 changed\n" in result.out
    anew = example.having({name: None}).run("--dust-mode=record").example.files[name]
    runs = [json.loads(text)["exchanges"][0]["body"]["run"] for text in (anew, example.files[name])]
    assert runs[0]["traces"] != runs[1]["traces"]


@pytest.mark.parametrize("flavor", ["stream", "poll"])
def test_each_flavor_is_left_untouched(one, flavor):
    """Streamed and polled runs that say the same write no cassette either."""
    _, written = rerecorded(one.flavoured(flavor).run("--dust-mode=record").example)
    assert written == set()


def test_all_attempts_of_a_repeated_case_are_compared(one, server):
    """A repeated case is as recorded if each of its attempts is; one that differs writes the cassette."""
    example = added(one, REPEAT).run("--dust-mode=record").example
    assert rerecorded(example)[1] == set()
    answers = iter(["billing", "other"])
    server.alter(lambda run: run["traces"][-1][1][0][0]["value"].update(label=next(answers, "billing")))
    assert rerecorded(example)[1] == {CASSETTE}


# ── written ──────────────────────────────────────────────────────────────────────────────────────


def other_error(run):
    """An error of the last block."""
    run["traces"][-1][1][0][0].update(value=None, error="no such thing")
    run["status"]["run"] = run["status"]["blocks"][-1]["status"] = "errored"
    run["results"] = None


CHANGED = {
    "a label": lambda run: run["traces"][-1][1][0][0]["value"].update(label="other"),
    "another block's output": lambda run: run["traces"][1][1][0][0]["value"].update(more=1),
    "a number, slightly": lambda run: run["traces"][1][1][0][0]["value"].update(score=0.30000001),
    "an error": other_error,
    "a block less": lambda run: run["traces"].pop(1),
}


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
def test_what_the_app_says_otherwise_is_written(recorded, server, change):
    """Any other value, error or block writes the cassette, whatever the suite's baseline compares."""
    server.alter(change)
    lax = added(recorded, "baseline: {compare: [status], similar: 0.1}\n")
    result, written = rerecorded(lax)
    assert written == {CASSETTE}
    assert "dust: 0 as recorded, 1 changed\n" in result.out


def test_another_version_of_latest_is_written(one, server):
    """For `latest`, a run of another version is no more the recorded one, even if it says the same."""
    latest = one.replacing("a.dust.yaml", server.hash(SUPPORT), "latest")
    example = latest.run("--dust-mode=record").example
    assert rerecorded(example)[1] == set()
    server.alter(lambda run: run.update(specification_hash="f" * 64))
    assert rerecorded(example)[1] == {CASSETTE}


def curl_headers(document):
    """The headers in the answer of the `curl` block."""
    traces = document["exchanges"][0]["body"]["run"]["traces"]
    (rows,) = (rows for (kind, _), rows in traces if kind == "curl")
    return rows[0][0]["value"]["headers"]


def test_a_cassette_that_shows_a_cookie_is_written(made):
    """A cassette from before cookies were masked is written anew, though a cookie is new in every run."""
    example = made(TRACK, "input: {parcel: PX-1}\n")
    (name,) = example.cassettes
    cookie = {"set-cookie": "session=0123456789abcdef; Path=/"}
    shown = rewritten(example, name, lambda document: curl_headers(document).update(cookie))
    result, written = rerecorded(shown)
    assert written == {name}
    assert b"0123456789abcdef" not in result.example.files[name]


def test_a_cassette_that_shows_what_is_redacted_is_written(recorded):
    """A cassette from before a name was redacted is written anew, with the value masked."""
    redacting = recorded.having({"pytest.ini": "[pytest]\ndust_redact = answer\n"})
    result, written = rerecorded(redacting)
    assert written == {CASSETTE}
    assert rerecorded(result.example)[1] == set()


UNFIT = {
    "broken": lambda example: example.having({CASSETTE: example.files[CASSETTE][:-9]}),
    "empty": lambda example: example.having({CASSETTE: b""}),
    "of another question": lambda example: example.replacing("a.dust.yaml", "my refund?", "the refund?"),
    "of another flavor": lambda example: example.flavoured("stream"),
    "of no attempts": lambda example: added(example, REPEAT),
    "gone": lambda example: example.having({CASSETTE: None}),
}


@pytest.mark.parametrize("change", UNFIT.values(), ids=UNFIT)
def test_a_cassette_that_cannot_stay_is_written(recorded, change):
    """A cassette that is broken, of another request, of another flavor or missing is written."""
    result, written = rerecorded(change(recorded))
    assert written == {CASSETTE}
    assert result.example.offline().run().outcomes == {"passed": 1}


def test_a_cassette_with_other_saved_blocks_is_written(recorded):
    """A cassette whose saved blocks are no longer those at Dust is written, so that a drift check passes."""

    def change(document):
        document["specification"][-1]["spec"]["more"] = 1

    other = rewritten(recorded, CASSETTE, change)
    assert other.run("--dust-drift").outcomes == {"passed": 1, "failed": 1}
    result, written = rerecorded(other)
    assert written == {CASSETTE}
    assert result.example.run("--dust-drift").outcomes == {"passed": 2}
    assert rerecorded(result.example)[1] == set()


def test_a_cassette_with_fewer_attempts_is_written(one):
    """A cassette of a repeated case that has lost an attempt is written."""
    example = added(one, REPEAT).run("--dust-mode=record").example
    fewer = rewritten(example, CASSETTE, lambda document: document["attempts"].pop())
    result, written = rerecorded(fewer)
    assert written == {CASSETTE}
    assert len(json.loads(result.example.files[CASSETTE])["attempts"]) == 3


def test_a_cassette_at_an_earlier_place_is_written_at_its_own(one):
    """A cassette where earlier versions kept it is replayed from there, and recorded in its own place."""
    moved = one.having({"a.dust.yaml": None, "in/a.dust.yaml": one.files["a.dust.yaml"]})
    option = "--dust-cassette-dir=../tapes"
    example = moved.run("--dust-mode=record", option).example
    (name,) = (name for name in example.files if name.startswith("tapes/"))
    earlier = example.having({name: None, "tapes/a/a.json": example.files[name]})
    assert earlier.offline().run(option).outcomes == {"passed": 1}
    after = earlier.run("--dust-mode=rerecord", option).example
    assert name in after.files


def test_a_cassette_of_format_1_is_left_as_it_is(recorded):
    """A cassette of format 1 that says the same stays in format 1, as its diff would be long."""

    def old(document):
        restore(document)
        document["version"] = 1

    plain = rewritten(recorded, CASSETTE, old)
    assert plain.offline().run().outcomes == {"passed": 1}
    assert rerecorded(plain)[1] == set()


# ── the summary ──────────────────────────────────────────────────────────────────────────────────


def test_the_summary_counts_both(made):
    """The end of the session says how many cassettes stayed and how many were written."""
    cases = (f"  - {{id: c{at}, input: {{question: My refund {at}?}}}}\n" for at in range(40))
    example = made(SUPPORT, "cases:\n" + "".join(cases))
    for at in (3, 17, 39):
        example = example.replacing(f"cassettes/suite/c{at}.json", '"billing"', '"account"')
    result, written = rerecorded(example)
    assert written == {f"cassettes/suite/c{at}.json" for at in (3, 17, 39)}
    assert "dust: 37 as recorded, 3 changed\n" in result.out
