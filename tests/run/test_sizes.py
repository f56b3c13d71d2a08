"""What is kept of an answer is bounded, and so is the memory to read it; what passes by may be endless."""

from __future__ import annotations

import gzip
import json
import re
import sys
import tracemalloc
import zlib
from contextlib import suppress
from dataclasses import replace
from functools import cache

import pytest
from faults import Faults
from hypothesis import given, settings
from hypothesis import strategies as st
from live_runs import asking, run, seen
from raw_servers import HEAD, each_flavor, endless, raw, refused

from conftest import KEY, dust_server
from pytest_dust.cassettes import files
from pytest_dust.dust.decoding import decoded
from pytest_dust.dust.network import Network
from pytest_dust.model import Flavor

MIB = 1024 * 1024
PASSING = ("tokens", "reasoning_tokens", "function_call_arguments_tokens", "function_call", "reasoning_item")
"""The types of events that no run is read from."""


def passing(kind, text="a", **more):
    """Give an event that passes by, as the service writes it."""
    content = {"block_type": "llm", "block_name": "CLASSIFY", "input_index": 0, "map": None}
    event = {"type": kind, "content": {**content, "tokens": {"text": text}}, **more}
    return b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"


def among(server, *chunks):
    """Let each stream of the server have these chunks in it, between its first events and its last."""

    def behaviour(request):
        reply = dust_server.DustServer.answer(server, request)
        if not reply.streamed:
            return reply
        first, *rest = reply.chunks

        def whole():
            yield first
            yield from chunks
            yield from rest

        return replace(reply, chunks=whole())

    server.behaviour = behaviour


MEMORY = """\
import re
from pathlib import Path

def pytest_unconfigure():
    status = Path("/proc/self/status").read_text()
    print("\\npeak:", int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) // 1024)
"""
"""Prints the memory of the process itself: what `resource` tells, it has in part from its parent."""
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the memory of one process")


def peak(result):
    """Give the most memory that a run of pytest took, in MiB."""
    return int(re.search(r"^peak: (\d+)$", result.out, re.MULTILINE)[1])


# ── streams ──────────────────────────────────────────────────────────────────────────────────────


@linux
def test_a_run_of_a_great_many_tokens_is_a_small_one(one, server):
    """700,000 events of tokens, ten times the size of any answer, take seconds and hardly any memory."""
    batch = passing("tokens") * 1000
    among(server, *[batch] * 700)
    assert 700 * len(batch) > 64 * MIB
    example = (
        one.flavoured("stream")
        .having({"conftest.py": MEMORY})
        .replacing("a.dust.yaml", "timeout: 5", "timeout: 60")
    )
    result = example.run("--dust-mode=record", subprocess=True)
    assert result.outcomes == {"passed": 1}
    assert peak(result) < 100
    assert server.runs == 1
    (cassette,) = result.example.cassettes.values()
    assert len(cassette) < 20_000
    assert result.example.offline().run().outcomes == {"passed": 1}


@pytest.mark.parametrize("kind", PASSING)
def test_events_that_tell_nothing_of_the_run_are_not_kept(one, server, kind):
    """Of a stream, a cassette holds the events that the run is read from; it replays to the same verdict."""
    among(server, *[passing(kind, "a word of the answer") for _ in range(50)])
    recorded = one.flavoured("stream").run("--dust-mode=record").example
    (cassette,) = recorded.cassettes.values()
    events = json.loads(cassette)["exchanges"][0]["events"]
    assert {kind for kind, _ in events} == {
        "run_status",
        "block_status",
        "block_execution",
        "final",
    }
    assert recorded.offline().run().outcomes == {"passed": 1}


def test_events_that_pass_by_are_known_however_they_are_written(network, server):
    """Spaces, another order of keys and unknown types change nothing; nor does an event of one megabyte."""
    strange = [
        b'data: { "content" : {} , "type" : "tokens" }\n\n',
        b'data: {"type": ["run_status"], "content": {}}\n\n',
        b'data: {"type": "news", "content": {"status": "errored"}}\n\n',
        b"data: 7\n\ndata: null\n\ndata: nonsense\n\n",
        passing("tokens", "x" * MIB),
    ]
    request = asking(server)
    whole = seen(run(network, request, "blocking"), request)
    among(server, *strange)
    reply = run(network, request, "stream")
    assert seen(reply, request) == whole
    assert len(reply.exchanges[0].events) < 20


def test_a_cassette_with_tokens_still_replays(one):
    """A recording that holds the tokens of its run, as earlier versions kept them, replays."""
    recorded = one.flavoured("stream").run("--dust-mode=record").example
    ((name, text),) = recorded.cassettes.items()
    document = json.loads(text)
    (exchange,) = document["exchanges"]
    token = json.loads(passing("tokens").decode().removeprefix("data: "))["content"]
    exchange["events"] = [each for event in exchange["events"] for each in (["tokens", token], event)]
    exchange["at"] = " ".join(f"{time} {time}" for time in exchange["at"].split())
    old = recorded.having({name: json.dumps(document)})
    assert old.offline().run().outcomes == {"passed": 1}
    again = old.run("--dust-mode=record")
    assert again.outcomes == {"passed": 1}
    assert again.example.cassettes == old.cassettes


def test_a_secret_in_tokens_is_in_no_cassette(one, server):
    """A secret that comes in pieces, a token each, is nowhere in what is kept."""
    among(server, *[passing("tokens", piece) for piece in (KEY[:12], KEY[12:])])
    recorded = one.flavoured("stream").run("--dust-mode=record").example
    (cassette,) = recorded.cassettes.values()
    assert KEY[:12].encode() not in cassette
    assert KEY[12:].encode() not in cassette


# ── answers ──────────────────────────────────────────────────────────────────────────────────────


@each_flavor
def test_an_answer_over_the_services_own_threshold_works(network, server, flavor):
    """The service warns of answers over 8 MB and gives them all the same: they are runs like any other."""
    server.misbehave(Faults.huge(12), times=None, on="GET" if flavor == "poll" else "POST")
    reply = run(network, request := asking(server), flavor, timeout=60)
    assert len(seen(reply, request)["result"]["more"]) == 12 * MIB


@linux
def test_a_large_answer_is_recorded_with_memory_in_proportion(one, server):
    """An answer of 24 MB is recorded and replayed; the memory is a few times its size."""
    server.misbehave(Faults.huge(12))
    example = one.having({"conftest.py": MEMORY}).replacing("a.dust.yaml", "timeout: 5", "timeout: 60")
    recorded = example.run("--dust-mode=record", subprocess=True)
    replayed = recorded.example.offline().run(subprocess=True)
    for result in (recorded, replayed):
        assert result.outcomes == {"passed": 1}
        assert peak(result) < 60 + 24 * 7


# ── encodings ────────────────────────────────────────────────────────────────────────────────────


def deflated(data, window=zlib.MAX_WBITS):
    """Give data compressed by zlib, with a header or without one."""
    packer = zlib.compressobj(9, wbits=window)
    return packer.compress(data) + packer.flush()


def raw_deflated(data):
    """Give data compressed without a header, as some servers take `deflate`."""
    return deflated(data, -zlib.MAX_WBITS)


@cache
def zeros(pack):
    """Give 200 MiB of zeros compressed."""
    window = {gzip.compress: zlib.MAX_WBITS | 16, deflated: zlib.MAX_WBITS, raw_deflated: -zlib.MAX_WBITS}
    packer = zlib.compressobj(9, wbits=window[pack])
    return b"".join(packer.compress(bytes(MIB)) for _ in range(200)) + packer.flush()


PACKED = {
    "gzip": ("gzip", (gzip.compress,)),
    "x-gzip": ("X-GZIP", (gzip.compress,)),
    "deflate": ("deflate", (deflated,)),
    "raw deflate": ("deflate", (raw_deflated,)),
    "twice": ("gzip, gzip", (gzip.compress, gzip.compress)),
    "two": ("deflate,gzip", (deflated, gzip.compress)),
    "identity": ("identity", ()),
    "nothing": ("", ()),
}


@each_flavor
@pytest.mark.parametrize("packed", PACKED)
def test_a_compressed_answer_is_read(network, server, packed, flavor):
    """An answer in the encodings that we ask for, in any letters and around one another, is a run."""
    names, packers = PACKED[packed]
    on = "GET" if flavor == "poll" else "POST"

    def behaviour(request):
        reply = dust_server.DustServer.answer(server, request)
        if request.method != on:
            return reply
        body = b"".join(reply.chunks)
        for pack in packers:
            body = pack(body)
        return replace(reply, chunks=[body], headers={**reply.headers, "Content-Encoding": names})

    server.behaviour = behaviour
    request = asking(server)
    assert seen(run(network, request, flavor), request)["result"]["label"] == "billing"


BOMBS = {
    "gzip": ("gzip", [gzip.compress]),
    "deflate": ("deflate", [deflated]),
    "raw deflate": ("deflate", [raw_deflated]),
    "gzip, gzip": ("gzip, gzip", [gzip.compress, gzip.compress]),
    "deflate, gzip": ("deflate, gzip", [deflated, gzip.compress]),
    "gzip, deflate, gzip": ("gzip, deflate, gzip", [gzip.compress, deflated, gzip.compress]),
}


@pytest.mark.parametrize(
    ("bomb", "kind"), [*((bomb, "application/json") for bomb in BOMBS), ("gzip, gzip", "text/event-stream")]
)
def test_a_small_answer_that_expands_without_end_takes_little_memory(server, bomb, kind):
    """An answer of some kilobytes that expands to 200 MB is refused while it is decoded."""
    names, (pack, *others) = BOMBS[bomb]
    body = zeros(pack)
    for other in others:
        body = other(body)
    head = HEAD % kind.encode() + b"Content-Encoding: %b\r\n\r\n" % names.encode()

    def give(connection):
        with suppress(OSError):
            connection.sendall(head + body)

    with raw(give) as address:
        network = Network(address, {"DUST_API_KEY": KEY})
        tracemalloc.start()
        try:
            words = refused(network, server, "stream", timeout=60)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            network.close()
    assert "larger than 64 MB" in words
    assert most < 150 * MIB


ODD = {
    "brotli": ("br", b"\x0b\x02\x80{}\x03"),
    "one that nobody knows": ("rot13", b"{}"),
    "too many": (", ".join(["gzip"] * 40), b"{}"),
    "no gzip": ("gzip", b'{"run": {}}'),
    "a broken one": ("gzip", gzip.compress(b"{}")[:10] + b"\xff" * 50),
}


@pytest.mark.parametrize(
    ("odd", "flavor"),
    [*((odd, Flavor.BLOCKING) for odd in ODD), ("no gzip", Flavor.STREAM), ("brotli", Flavor.POLL)],
)
def test_an_encoding_that_cannot_be_read_is_told(network, server, odd, flavor):
    """An answer in another encoding, or in none that it names, fails in one sentence and is not repeated."""
    encoding, body = ODD[odd]
    fault = Faults.status(200, body, headers={"Content-Encoding": encoding})
    server.misbehave(fault, times=None, on="GET" if flavor == "poll" else "POST")
    words = refused(network, server, flavor)
    assert re.search(r"the answer of http\S+ cannot be read: .*check that it is Dust itself", words)
    assert server.runs == 1


@given(
    st.binary(max_size=300_000),
    st.lists(
        st.sampled_from([("gzip", gzip.compress), ("deflate", deflated), ("deflate", raw_deflated)]),
        max_size=3,
    ),
    st.integers(1, 100_000),
)
@settings(max_examples=40, deadline=None)
def test_what_was_compressed_comes_back(data, layers, size):
    """Whatever is compressed, however often, and in whatever pieces it comes, it is read as it was."""
    packed = data
    for _, pack in layers:
        packed = pack(packed)
    parts = (packed[at : at + size] for at in range(0, len(packed), size))
    assert b"".join(decoded(parts, [name for name, _ in layers], lambda each: each)) == data


def test_lines_without_events_are_no_stream(server):
    """A stream that goes on with lines that make no event is given up soon, with a sentence about it."""
    for line in (b": x\n\n", b"data: x\n", b"id: 7\n", b"\r\n"):
        flood = endless(HEAD % b"text/event-stream" + b"\r\n", line * 8192)

        def give(connection, flood=flood):
            with suppress(OSError):
                flood(connection)

        with raw(give) as address:
            network = Network(address, {"DUST_API_KEY": KEY})
            assert "lines without an event" in refused(network, server, "stream", timeout=60)
            network.close()


def test_an_answer_whose_cassette_could_not_be_read_is_not_written(one, monkeypatch):
    """A cassette larger than one may be to be read, as indentation can make it, is not written, and told."""
    monkeypatch.setattr(files, "MAX_BYTES", 2000)
    result = one.run("--dust-mode=record")
    assert result.outcomes == {"failed": 1}
    assert re.search(r"would be larger than \d+ MB.*use block_filter", " ".join(result.report.split()))
    assert not any(name.endswith("a.json") for name in result.example.cassettes)
