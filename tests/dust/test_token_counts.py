"""Tokens that the service does not give are unknown, and not zero: in expectations, sums and limits."""

from __future__ import annotations

import json
import re

import pytest
from answers import answer, ran
from faults import Faults

from conftest import filled
from pytest_dust.model import Flavor, Tokens
from pytest_dust.report import tokens

LIMIT = "{result.label: billing, usage.total_tokens: {lte: 500}}"
NOTE = "actual    null (unknown: the service gives no tokens for CLASSIFY (llm)"


def forget(traces):
    """Remove the meta of the executions of models, in place."""
    for (kind, _), rows in traces:
        for one in (one for row in rows for one in row if kind == "llm"):
            one["meta"] = None


def silent(server, flavor="blocking"):
    """Let the service give no tokens."""

    def in_event(one):
        content = one["content"]
        if one["type"] == "block_execution":
            forget([[[content["block_type"], content["block_name"]], content["execution"]]])
        return [one]

    altered = Faults.altered(lambda run: forget(run["traces"]))
    fault = Faults.events(in_event) if flavor == "stream" else altered
    server.misbehave(fault, times=None, on="ANY")


def ceiling(out):
    """Give the lines about the limit of tokens."""
    return re.findall(r"^dust: --dust-max-tokens cannot count (\d+) runs? whose tokens", out, re.MULTILINE)


@pytest.mark.parametrize("flavor", Flavor)
def test_a_limit_on_unknown_tokens_fails_and_says_so(one, server, flavor):
    """An expectation of unknown usage fails with an explanation, recorded and replayed, by each flavor."""
    silent(server, flavor)
    example = one.flavoured(flavor).replacing("a.dust.yaml", "{result.label: billing}", LIMIT)
    recorded = example.run("--dust-mode=record")
    for result in (recorded, recorded.example.offline().run()):
        assert result.outcomes == {"failed": 1}
        assert re.search(r"usage\.total_tokens\n +expected +lte 500\n +actual", result.report)
        assert NOTE in result.report
    assert re.search(r"a\.dust\.yaml:\d+   recorded .*   unknown tokens$", recorded.report, re.MULTILINE)


@pytest.mark.parametrize(
    ("expectation", "holds"),
    [
        ("usage.total_tokens: null", True),
        ("usage.total_tokens: {type: 'null'}", True),
        ("usage.total_tokens: {any_of: [{lte: 500}, {equals: null}]}", True),
        ("blocks.LOOKUP.usage.total_tokens: 0", True),
        ("usage.total_tokens: 0", False),
        ("usage.total_tokens: {not: {gt: 500}}", False),
        ("usage.cached_tokens: {gte: 0}", False),
        ("blocks.CLASSIFY.usage.prompt_tokens: {gt: 0}", False),
        ("usage: {includes: {total_tokens: 0}}", False),
    ],
)
def test_unknown_tokens_are_null(one, server, expectation, holds):
    """Unknown tokens are null in the run view; an expectation that fails for it says why."""
    silent(server)
    result = one.replacing("a.dust.yaml", "result.label: billing", expectation).run("--dust-mode=live")
    assert result.outcomes == {("passed" if holds else "failed"): 1}
    assert ("the service gives no tokens for CLASSIFY (llm)" in result.report) is not holds


def test_a_known_usage_needs_no_such_words(one):
    """If the tokens are known, a failed expectation says nothing of unknown ones."""
    example = one.replacing("a.dust.yaml", "{result.label: billing}", "{usage.total_tokens: {lte: 1}}")
    assert "unknown" not in example.run("--dust-mode=live").report


def test_the_fixture_gives_none(project, server):
    """In a Python test unknown tokens are None."""
    silent(server)
    test = """\
def test_it(dust):
    run = dust.run(app="9f1d3b5a7c", config=CONFIG, input={"question": "Hi"})
    assert run.usage.total_tokens is None
    assert run.blocks.LOOKUP.usage.total_tokens == 0
"""
    result = project.having({"test_it.py": filled(test, server)}).using(server).run("--dust-mode=live")
    assert result.outcomes == {"passed": 1}, result.report
    assert "dust: 1 live, 0 tokens used, unknown for 1 run" in result.out


def test_the_summary_and_the_estimate_count_unknown_runs(support, server):
    """The summary, and the estimate by the recordings, count the runs with unknown tokens."""
    known = support.run("--dust-mode=record", "-k", "parcel")
    count = re.search(r"(\d+) tokens used$", known.out, re.MULTILINE)[1]
    silent(server)
    rest = known.example.run("--dust-mode=record")
    assert "dust: 1 replayed, 2 recorded, 0 tokens used, unknown for 2 runs" in rest.out
    live = rest.example.run("--dust-mode=live")
    assert f"make 3 runs, about {count} tokens by the recordings, unknown for 2 runs" in live.out
    assert "dust: 3 live, 0 tokens used, unknown for 3 runs" in live.out
    assert "0 tokens used\n" in rest.example.offline().run().out
    assert not ceiling(live.out)


def test_a_limit_says_what_it_cannot_count(support, server):
    """--dust-max-tokens counts the known tokens, and says at the end how many runs have unknown ones."""
    silent(server)
    result = support.run("--dust-mode=record", "--dust-max-tokens=10")
    assert result.outcomes == {"passed": 2, "failed": 1}
    assert ceiling(result.out) == ["3"]


def test_a_limit_says_beforehand_what_it_cannot_count(support, server):
    """If the recordings have unknown tokens, that is said before the first run too."""
    silent(server)
    recorded = support.run("--dust-mode=record").example
    result = recorded.run("--dust-mode=live", "--dust-max-tokens=10")
    assert "dust: about to make 3 runs, tokens unknown for 3 runs by the recordings" in result.out
    assert ceiling(result.out) == ["3", "3"]
    assert result.out.index("cannot count") < result.out.index("[100%]")


def test_a_part_that_is_known_counts(one, server):
    """Of a run with partly known tokens, these count, and its report says "at least"."""
    told = ran("x") | {"meta": {"token_usage": {"prompt_tokens": 30, "completion_tokens": 4}}}
    traces = [[["llm", "A"], [[told]]], [["chat", "B"], [[ran({"label": "shipping"}) | {"meta": None}]]]]
    server.say(json.dumps(answer(traces)))
    result = one.run("--dust-mode=live", "--dust-max-tokens=34")
    assert re.search(r"   at least 34 tokens$", result.report, re.MULTILINE)
    assert "dust: 1 live, 34 tokens used, unknown for 1 run" in result.out


def test_a_run_that_crashed_counts_what_it_told(one, server):
    """The known tokens of the blocks of a crashed run are counted; the rest is unknown."""
    whole = re.search(r"(\d+) tokens used$", one.run("--dust-mode=live").out, re.MULTILINE)[1]
    server.misbehave(Faults.crashed("LOOKUP"))
    result = one.run("--dust-mode=live")
    used = re.search(r"1 without a run, (\d+) tokens used, unknown for 1 run$", result.out, re.MULTILINE)
    assert 0 < int(used[1]) <= int(whole)


@pytest.mark.parametrize(
    ("used", "case", "session", "about"),
    [
        (Tokens(), "0 tokens", "0 tokens used", ""),
        (Tokens(1), "1 token", "1 tokens used", ", about 1 token by the recordings"),
        (Tokens(1234), "1,234 tokens", "1,234 tokens used", ", about 1,234 tokens by the recordings"),
        (
            Tokens(412, 3),
            "at least 412 tokens",
            "412 tokens used, unknown for 3 runs",
            ", about 412 tokens by the recordings, unknown for 3 runs",
        ),
        (
            Tokens(0, 1),
            "unknown tokens",
            "0 tokens used, unknown for 1 run",
            ", tokens unknown for 1 run by the recordings",
        ),
    ],
)
def test_tokens_in_words(used, case, session, about):
    """A case, a session and an estimate say what is known, and for how many runs tokens are unknown."""
    assert (tokens.used(used), tokens.in_all(used), tokens.about(used)) == (case, session, about)


# ── blocks that a filter hides ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("flavor", "names", "told"),
    [
        ("blocking", "[ANSWER]", "0 tokens used, unknown for 1 run"),
        ("stream", "[ANSWER]", "28 tokens used"),
        ("poll", "[ANSWER]", "28 tokens used"),
        ("stream", "[INPUT, CLASSIFY]", "28 tokens used"),
    ],
)
def test_tokens_of_blocks_left_out_are_not_zero(one, flavor, names, told):
    """The tokens of blocks that a filter leaves out are counted if the service gives them, else unknown."""
    example = one.flavoured(flavor)
    text = f"block_filter: {names}\n" + example.files["a.dust.yaml"].decode().replace(
        "result.label", "status"
    )
    filtered = example.having({"a.dust.yaml": text.replace("status: billing", "status: succeeded")})
    recorded = filtered.run("--dust-mode=record")
    assert f"dust: 1 recorded, {told}" in recorded.out
    assert recorded.example.offline().run().outcomes == {"passed": 1}


def test_a_filter_that_hides_no_model_leaves_the_tokens_known(one):
    """If a filter leaves out only blocks without a model, by the saved blocks, no tokens are unknown."""
    text = "block_filter: [INPUT, CLASSIFY]\n" + one.files["a.dust.yaml"].decode()
    filtered = one.having({"a.dust.yaml": text.replace("result.label: billing", "status: succeeded")})
    recorded = filtered.run("--dust-mode=record")
    assert "unknown for 1 run" in recorded.out
    assert "dust: 1 live, 28 tokens used\n" in recorded.example.run("--dust-mode=live").out
