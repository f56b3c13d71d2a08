"""Generated apps: by all three flavors, the run of any app has the same view."""

from __future__ import annotations

from itertools import chain
from typing import Any

import pytest
from answers import bounded, exchange, told, untimed
from hypothesis import given
from hypothesis import strategies as st

from conftest import HALVE, dust_server
from pytest_dust.dust import wire
from pytest_dust.model import Flavor

Block, BlockError = dust_server.Block, dust_server.BlockError
COUNT = st.integers(1, 4)
"""The number of inputs of a run."""


def by_place(env: Any, spec: Any) -> Any:
    """Give a block's value for an input and an iteration, or fail."""
    place = (env.index, env.map["iteration"] if env.map else 0)
    if place == spec["fails"]:
        raise BlockError(f"no value at {place}")
    return {"input": place[0], "iteration": place[1], "odd": None}


def goes_on(env: Any, spec: Any) -> bool:
    """Return True if a `while` goes on: as many iterations as the input asks for."""
    return env.map["iteration"] < spec["rounds"][env.index]


def elements(env: Any, spec: Any) -> list[int]:
    """Give the list of a `map`."""
    return list(range(spec["lengths"][env.index]))


fails = st.none() | st.none() | st.tuples(st.integers(0, 3), st.integers(0, 2))
per_input = st.lists(st.integers(0, 3), min_size=4, max_size=4)


def plain(draw: Any, name: str) -> Any:
    """Give a block that is no end of a loop."""
    kind = draw(st.sampled_from(["code", "curl", "oracle"]))
    return Block(kind, name, {"fails": draw(fails)}, by_place)


def segment(draw: Any, at: str) -> list[Any]:
    """Give one block, or a loop with the blocks inside."""
    kind = draw(st.sampled_from(["plain", "map", "while"]))
    if kind == "plain":
        return [plain(draw, f"PLAIN{at}")]
    body = [plain(draw, f"BODY{at}_{number}") for number in range(draw(st.integers(1, 2)))]
    if kind == "while":
        spec = {"rounds": draw(per_input | st.just([0] * 4)), "max_iterations": 8}
        return [Block("while", f"LOOP{at}", spec, goes_on), *body, Block("end", f"LOOP{at}", {})]
    lengths = [max(1, length) for length in draw(per_input)]  # a map over nothing crashes a run
    return [
        Block("code", f"LIST{at}", {"lengths": lengths}, elements),
        Block("map", f"LOOP{at}", {"from": f"LIST{at}"}),
        *body,
        Block("reduce", f"LOOP{at}", {}),
    ]


@st.composite
def apps(draw: Any) -> list[Any]:
    """An app: blocks and loops before its input block and after it, and sometimes no input block."""
    before = [segment(draw, f"A{at}") for at in range(draw(st.integers(0, 2)))]
    after = [segment(draw, f"B{at}") for at in range(draw(st.integers(0, 3)))]
    entry = [] if before and draw(st.integers(0, 5)) == 0 else [Block("input", "INPUT", {})]
    return [*chain(*before), *entry, *chain(*after)]


def three_views(blocks: list[Any], count: int, names: list[str] | None, *, plural: bool) -> list[Any]:
    """Give the view of one run by each flavor."""
    run = dust_server.Run("app", "h1", {})
    inputs = [{"number": number} for number in range(count)]
    run.perform(dust_server.Machine(blocks, inputs, {}, ()), lambda: None)
    blocking, polled = run.document(dust_server.by_iteration), run.document(dust_server.merged)
    blocking = blocking if names is None else dust_server.filtered(blocking, names)
    replies = [
        told(Flavor.BLOCKING, exchange(body={"run": blocking})),
        told(Flavor.STREAM, exchange(events=list(dust_server.run_events(run)))),
        told(Flavor.POLL, exchange(body={"run": run.document_after(0)}), exchange(body={"run": polled})),
    ]
    return [untimed(wire.run(reply, names, "h1"), plural=plural) for reply in replies]


@bounded
@given(apps(), COUNT, st.data())
def test_any_app_has_one_document(blocks, count, data):
    """The three flavors give the same view, whatever the app's blocks, loops, errors, inputs and filter."""
    known = sorted({block.name for block in blocks})
    names = data.draw(st.none() | st.lists(st.sampled_from(known), unique=True))
    for plural in {True, count > 1}:
        blocking, stream, poll = three_views(blocks, count, names, plural=plural)
        assert stream == blocking
        assert poll == blocking


@pytest.mark.parametrize("before", [[], [Block("input", "INPUT", {})]])
def test_a_run_that_fails_in_its_first_block_is_one_document(before):
    """A polled run with an error and no value is not refused as one without stored values."""
    first = Block("code", "FIRST", {"fails": (0, 0)}, by_place)
    blocking, stream, poll = three_views([first, *before], 1, None, plural=False)
    assert blocking == stream == poll
    assert poll["error"] == "FIRST (code): no value at (0, 0)"


def test_a_loop_without_iterations_keeps_what_follows(made):
    """A polled run of a `while` without iterations has the outputs of later blocks, for each input."""
    cases = """\
flavor: poll
cases:
  - id: one
    input: {number: 3, limit: 10}
    expect:
      result: {equals: {steps: 0, number: 3}}
      blocks.UNTIL.iterations: 0
      blocks.HALVE.output: []
      blocks.REPORT.output.steps: 0
  - id: last-ones-never
    inputs: [{number: 40, limit: 10}, {number: 3, limit: 10}, {number: 4, limit: 10}]
    expect:
      results[*].steps: [2, 0, 0]
      blocks.HALVE.outputs: [[20, 10], [], []]
      blocks.HALVE.iterations: [2, 0, 0]
"""
    online = made(HALVE, cases)
    assert len(online.cassettes) == 2
    for example, mode in ((online.offline(), "replay"), (online, "live")):
        result = example.run(f"--dust-mode={mode}")
        assert result.outcomes == {"passed": 2}, result.report
    blocking = online.replacing("suite.dust.yaml", "flavor: poll", "flavor: blocking")
    assert "2 unchanged, 0 changed" in blocking.run("--dust-mode=live").out


def test_the_generated_apps_reach_the_hard_cases():
    """Some runs of these apps, as the service stores them, lack the blocks of a loop and its last inputs."""
    spec = {"rounds": [0, 1, 0, 0], "max_iterations": 8}
    body = Block("code", "BODY", {"fails": None}, by_place)
    blocks = [Block("input", "INPUT", {}), Block("while", "LOOP", spec, goes_on), body]
    blocks += [Block("end", "LOOP", {}), Block("code", "AFTER", {"fails": None}, by_place)]
    views = [three_views(blocks, count, None, plural=True) for count in (1, 4)]
    assert [view["blocks"]["BODY"]["iterations"] for view in views[0]] == [[0]] * 3
    assert [view["blocks"]["BODY"]["iterations"] for view in views[1]] == [[0, 1, 0, 0]] * 3
    assert all(len(view["results"]) == 4 for view in views[1])
