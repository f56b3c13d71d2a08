"""Dust answers some blocks from its own cache: reports name them, and fresh runs turn it off."""

from __future__ import annotations

import json
import re

import pytest
from answers import answer, ran
from faults import Faults
from msgspec.structs import replace

from conftest import HALVE, PLAIN_RECORD, SUPPORT, dust_server, suite
from pytest_dust.dust import wire
from pytest_dust.dust.service_cache import blocks_in, may_have_answered, without_cache
from pytest_dust.report.cache import cached

BLOCKS = [
    ("input", "INPUT"), ("code", "CODE"), ("llm", "LLM"), ("chat", "CHAT"), ("curl", "CURL"),
    ("search", "SEARCH"), ("browser", "BROWSER"), ("data_source", "DOCS"), ("database", "ROWS"),
    ("oracle", "ORACLE"),
]  # fmt: skip
NAMES = ["LLM", "CHAT", "CURL", "SEARCH", "BROWSER"]
"""Those of the blocks that have a cache."""
OFF = {"use_cache": False}
CASE = "input: {question: Hi}\nexpect: {status: succeeded}\n"


# ── by the config ────────────────────────────────────────────────────────────────────────────────


def run_of(*blocks, idle=()):
    """Give a run in which these blocks ran, and others were in a loop without iterations."""
    traces = [[[kind, name], [[] if name in idle else [ran(1)]]] for kind, name in blocks]
    return wire.parse(answer(traces), 0.0)


def test_the_cache_is_on_for_five_types_of_blocks():
    """By default, llm, chat, curl, search and browser blocks may be answered from the cache."""
    assert may_have_answered({}, run_of(*BLOCKS)) == tuple(NAMES)


@pytest.mark.parametrize(
    ("kind", "block", "on"),
    [
        ("llm", {"use_cache": False}, False),
        ("llm", {"use_cache": True}, True),
        ("llm", {"model_id": "m"}, True),
        ("llm", {"use_cache": None}, True),
        ("llm", {"use_cache": "no"}, True),
        ("llm", {"use_cache": 0}, True),
        ("llm", {"use_stream": True}, False),
        ("chat", {"use_stream": True, "use_cache": True}, False),
        ("chat", {"use_stream": False}, True),
        ("llm", {"use_stream": "yes"}, False),
        ("curl", {"use_stream": True}, True),
        ("search", {"use_stream": True}, True),
        ("browser", {"use_cache": False}, False),
        ("code", {"use_cache": True}, False),
        ("llm", [], True),
        ("llm", None, True),
    ],
)
def test_what_turns_the_cache_off_for_a_block(kind, block, on):
    """Only `use_cache: false` and, in llm and chat blocks, `use_stream: true` turn the cache off."""
    assert may_have_answered({"B": block}, run_of((kind, "B"))) == (("B",) if on else ())


def test_a_block_that_never_ran_answered_nothing():
    """A block without executions has no answer from the cache."""
    assert may_have_answered({}, run_of(("llm", "A"), ("llm", "B"), idle=["B"])) == ("A",)


def test_blocks_that_a_filter_leaves_out_count_too():
    """For a filtered answer, known blocks count, and configured ones that must be of a cached type."""
    config = {
        "X": {"model_id": "m"},
        "Y": {"data_sources": []},
        "Z": {"provider_id": "p", "use_cache": False},
    }
    shown = run_of(("code", "C"))
    assert may_have_answered(config, shown) == ()
    assert may_have_answered(config, shown, []) == ("X",)
    assert may_have_answered(config, shown, [("curl", "K"), ("code", "X")]) == ("K",)


@pytest.mark.parametrize(
    ("config", "known", "sent"),
    [
        ({}, [], {}),
        ({}, BLOCKS, dict.fromkeys(NAMES, OFF)),
        ({"LLM": {"model_id": "m", "use_cache": True}}, [], {"LLM": {"model_id": "m", "use_cache": False}}),
        ({"LLM": {"k": 1}}, [("llm", "LLM"), ("llm", "B")], {"LLM": {"k": 1, **OFF}, "B": OFF}),
        ({"A": 3}, [("llm", "A")], {"A": 3}),
        ({}, [("code", "A"), ("chat", "A")], {"A": OFF}),
    ],
)  # fmt: skip
def test_fresh_config(config, known, sent):
    """A fresh run gets the suite's config with the cache off, and so does each known block that has one."""
    before = json.dumps(config)
    assert without_cache(config, known) == sent
    assert json.dumps(config) == before


@pytest.mark.parametrize("specification", [None, "x", {}, [], [None, 3], [{"type": "llm"}]])
def test_a_saved_specification_may_be_anything(specification):
    """A specification that is no list has no blocks; a block without a name fits no config."""
    assert {name for _, name in blocks_in(specification)} <= {"None"}


# ── what is sent ─────────────────────────────────────────────────────────────────────────────────


class Stand:
    """A service with one app of a block of each type, whose listing may be refused, and a project for it."""

    def __init__(self, project, server):
        self.project = project.using(server)
        self.server = server
        self.listed = True
        self.blocks = BLOCKS

    def __call__(self, request):
        """Answer a run with all blocks, or those of its filter, and list the app."""
        if request.method == "POST":
            names = request.body.get("block_filter") or [name for _, name in self.blocks]
            return dust_server.json_reply({"run": dust_server.filtered(self.run(), names)})
        if not self.listed:
            return Faults.error(403, "app_not_found").reply(request, None)
        saved = [{"type": kind, "name": name, "spec": {}} for kind, name in self.blocks]
        app = {"sId": SUPPORT, "name": "x", "savedSpecification": json.dumps(saved), "savedRun": None}
        return dust_server.json_reply({"apps": [app]})

    def run(self):
        """Give a run of all blocks."""
        traces = [[[kind, name], [[ran({"label": "x"})]]] for kind, name in self.blocks]
        blocks = [{"block_type": kind, "name": name, "status": "succeeded"} for kind, name in self.blocks]
        return answer(traces, "succeeded", blocks)["run"]

    def having(self, extra="", case=CASE):
        """Give a project of one case for this service."""
        head = f"app: {{id: {SUPPORT}}}\nspecification_hash: {self.server.hash(SUPPORT)}\n"
        return self.project.having({"a.dust.yaml": head + extra + case})

    def sent(self):
        """Give the configs that were sent since last asked."""
        found = [request.body["config"] for request in self.server.requests if request.method == "POST"]
        self.server.requests.clear()
        return found


@pytest.fixture
def stand(project, server):
    """A service with a block of each type, and a project for it."""
    server.behaviour = Stand(project, server)
    return server.behaviour


FRESH = {"--dust-fresh": (("--dust-fresh",), ""), "repeat": ((), "repeat: {runs: 2}\n")}
each_way = pytest.mark.parametrize("way", FRESH)


@each_way
def test_a_fresh_run_reaches_what_is_saved(stand, way):
    """Blocks without a config are known from the app's saved specification; the cassette still fits."""
    args, extra = FRESH[way]
    result = stand.having(extra).run("--dust-mode=record", *args)
    assert all(config == dict.fromkeys(NAMES, OFF) for config in stand.sent())
    assert "Dust's cache" not in result.out
    assert json.loads(result.example.files["cassettes/a/a.json"])["request"]["config"] == {}
    for options in ((), args):
        assert result.example.offline().run(*options).outcomes == {"passed": 1}
    assert stand.sent() == []


@each_way
def test_a_fresh_run_reaches_what_was_recorded(stand, way):
    """If the app cannot be listed, its blocks are known from the last recording."""
    args, extra = FRESH[way]
    stand.listed = False
    recorded = stand.having(extra).run("--dust-mode=record").example
    stand.sent()
    result = recorded.run("--dust-mode=live", *args)
    assert result.outcomes == {"passed": 1}
    configs = stand.sent()
    assert configs
    assert all(config == dict.fromkeys(NAMES, OFF) for config in configs)
    assert "Dust's cache" not in result.out


@each_way
def test_a_fresh_run_merges_over_the_suites_config(stand, way):
    """The rest of a block's config, and that of other blocks, is sent as in the suite."""
    args, extra = FRESH[way]
    config = "config: {LLM: {model_id: m, use_cache: true}, CURL: {use_cache: true}}\n"
    stand.having(extra + config).run("--dust-mode=live", *args)
    wanted = dict.fromkeys(NAMES, OFF) | {"LLM": {"model_id": "m", "use_cache": False}}
    assert all(config == wanted for config in stand.sent())


@each_way
def test_a_fresh_run_that_cannot_know_the_blocks_says_so(stand, way):
    """Without listing and recording, the cache is off for configured blocks; others are named at the end."""
    args, extra = FRESH[way]
    stand.listed = False
    result = stand.having(f"{extra}config: {{LLM: {{model_id: m}}}}\n").run("--dust-mode=live", *args)
    assert all(config == {"LLM": {"model_id": "m", "use_cache": False}} for config in stand.sent())
    assert (
        "dust: 1 case may have come from Dust's cache (CHAT, CURL, SEARCH, BROWSER); to ask anew"
        in result.out
    )
    assert "or give --dust-fresh" not in result.out


def test_a_fresh_run_of_another_version_reaches_its_blocks(stand):
    """The cache is off for blocks that only the saved version has, when that version is run."""
    recorded = stand.having().run("--dust-mode=record").example
    stand.blocks = [*BLOCKS, ("llm", "NEW")]
    stand.sent()
    recorded.run("--dust-specification-hash=latest", "--dust-fresh")
    assert all(config == dict.fromkeys([*NAMES, "NEW"], OFF) for config in stand.sent())


def test_the_fixture_reaches_them_too(stand):
    """A run in a Python test is fresh like that of a case."""
    test = 'def test_it(dust):\n    dust.run(app="9f1d3b5a7c", input={"question": "Hi"})\n'
    stand.project.having({"test_it.py": test}).run("--dust-mode=live", "--dust-fresh")
    assert stand.sent() == [dict.fromkeys(NAMES, OFF)]


def test_without_fresh_nothing_is_listed_and_nothing_is_added(stand):
    """A live run as recorded, without --dust-fresh, sends the suite's config unchanged and lists no apps."""
    recorded = stand.having().run("--dust-mode=record").example
    stand.server.requests.clear()
    recorded.run("--dust-mode=live")
    assert [request.method for request in stand.server.requests] == ["POST"]
    assert stand.sent() == [{}]


def test_a_report_of_attempts_says_what_the_cache_may_have_answered(stand):
    """If the cache could not be turned off for all attempts, their report says so."""
    stand.listed = False
    case = CASE.replace("{status: succeeded}", "{result.label: y}")
    result = stand.having("repeat: {runs: 2}\n", case).run("--dust-mode=live")
    assert "2 must (the service's cache may have answered LLM, CHAT, CURL, SEARCH, BROWSER)" in result.report
    stand.listed = True
    again = stand.having("repeat: {runs: 2}\n", case).run("--dust-mode=live")
    assert "2 must (run without the service's cache)" in again.report


# ── what is told ─────────────────────────────────────────────────────────────────────────────────

ALL_OFF = "config: {" + ", ".join(f"{name}: {{use_cache: false}}" for name in NAMES) + "}\n"
STREAMS = "config: {LLM: {use_stream: true}, CHAT: {use_stream: true}, CURL: {use_stream: true}}\n"


def told(result):
    """Give the blocks that the summary names, and the config that it advises."""
    found = re.search(r"Dust's cache \((.+?)\); to ask anew, write config: (\{.+\}) in the suite", result.out)
    return found.groups() if found else None


@pytest.mark.parametrize(
    ("extra", "args", "names"),
    [
        ("", ("--dust-mode=live",), NAMES),
        ("", ("--dust-mode=record",), NAMES),
        (ALL_OFF, ("--dust-mode=live",), []),
        (STREAMS, ("--dust-mode=live",), ["CURL", "SEARCH", "BROWSER"]),
        ("config: {LLM: {use_cache: true}, CHAT: {use_cache: false}}\n", ("--dust-mode=live",),
         ["LLM", "CURL", "SEARCH", "BROWSER"]),
        ("", ("--dust-mode=live", "--dust-fresh"), []),
        ("repeat: {runs: 2}\n", ("--dust-mode=live",), []),
        ("block_filter: [CODE]\nconfig: {LLM: {model_id: m}, DOCS: {data_sources: []}}\n",
         ("--dust-mode=live",), ["LLM"]),
        ("flavor: stream\n", ("--dust-mode=live", "--dust-fresh"), []),
    ],
)  # fmt: skip
def test_the_summary_names_blocks_and_what_to_write(stand, extra, args, names):
    """One line names the blocks and the config to write; there is none if no block is cached."""
    result = stand.having(extra).run(*args)
    assert ("Dust's cache" in result.out) == bool(names)
    if names:
        written = "{" + ", ".join(f"{name}: {{use_cache: false}}" for name in names) + "}"
        assert told(result) == (", ".join(names), written)
        assert "dust: 1 case may have come from Dust's cache" in result.out
        assert result.out.count("or give --dust-fresh") == 1


def test_what_the_summary_advises_works(stand):
    """A suite with the config that the summary advises has no such line."""
    first = stand.having().run("--dust-mode=live")
    _, written = told(first)
    assert "Dust's cache" not in stand.having(f"config: {written}\n").run("--dust-mode=live").out


def test_a_replay_says_nothing_of_the_cache(stand):
    """A replayed run has no such line."""
    recorded = stand.having().run("--dust-mode=record").example
    assert "Dust's cache" not in recorded.offline().run().out


def test_an_app_without_such_a_block_has_nothing_cached(project, server):
    """An app without blocks that have a cache has no such line."""
    text = suite(server, HALVE, "cases:\n  - {id: half, input: {number: 100, limit: 10}}\n")
    result = project.having({"halve.dust.yaml": text}).using(server).run("--dust-mode=live")
    assert result.outcomes == {"passed": 1}
    assert "Dust's cache" not in result.out


def test_each_app_has_a_line():
    """With several apps, each has a line that names it, and of many blocks some are only counted."""
    case = replace(PLAIN_RECORD, app="a1", cached=("A",))
    many = replace(PLAIN_RECORD, app="b2", cached=tuple(f"B{at}" for at in range(10)), fresh=True)
    (line,) = cached([case, case, replace(PLAIN_RECORD, app="c3")])
    assert line.startswith("dust: 2 cases may have come from Dust's cache (A); to ask anew, write ")
    assert line.endswith(" config: {A: {use_cache: false}} in the suite, or give --dust-fresh")
    first, second = cached([case, many])
    assert first.startswith("dust: 1 case of app a1 may have")
    assert "of app b2" in second
    assert "B7 and 2 more)" in second
    assert second.endswith("B7: {use_cache: false}, …} in the suite")
