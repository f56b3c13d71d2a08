"""The block in which a change begins, named from several runs of both versions whose answers vary."""

from __future__ import annotations

import copy
import random
from collections import Counter
from itertools import chain, cycle, islice, repeat
from typing import Any

import pytest
from answers import ran
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import made
from msgspec.structs import replace

from pytest_dust import clock
from pytest_dust.compare.features import FeatureReader, Part
from pytest_dust.compare.left_out import NOTHING
from pytest_dust.compare.noise import LEVEL, Beginning, beginning
from pytest_dust.compare.versions import Versions
from pytest_dust.model import (
    Attempt,
    Baseline,
    BlockStatus,
    Execution,
    Expected,
    Failure,
    Run,
    Status,
    Tokens,
    Trace,
)

PLAIN = Baseline()
WORDS = (
    "refund",
    "parcel",
    "please",
    "order",
    "your",
    "late",
    "the",
    "card",
    "today",
    "money",
    "again",
    "we",
)


def attempt(run: Run, *failed: str) -> Attempt:
    """Give an attempt whose expectations on these paths failed."""
    return Attempt(run, Tokens(), tuple(Failure(path, Expected("equals", "x"), None) for path in failed))


def labels(*values: Any) -> list[Attempt]:
    """Give one attempt for each output of the block CLASSIFY."""
    return [attempt(made(("code", "ASK", ["same"]), ("llm", "CLASSIFY", [ran(each)]))) for each in values]


def sentence(rng: random.Random, words: int) -> str:
    """Give a text that is worded anew each time."""
    return " ".join(rng.choice(WORDS) for _ in range(words))


def found(old: list[Attempt], new: list[Attempt], rules: Baseline = PLAIN) -> tuple[str, int] | None:
    """Give the name of the first block that changed, and in how many of the new attempts."""
    first = beginning(old, new, rules)
    return first and (first.name, first.attempts)


# ── labels ───────────────────────────────────────────────────────────────────────────────────────

B, S = "billing", "shipping"
FLIPS = {
    "5 of 6": ([B] * 6, [S] * 5 + [B], 5),
    "6 of 6, and 1 of 6 before": ([B] * 5 + [S], [S] * 6, 6),
    "each wrong label another": ([B] * 6, ["a", "b", "c", "d", "e", "f"], 6),
    "all texts differed, and now none": (["a", "b", "c", "d", "e", "f"], [S] * 6, 6),
    "7 of 9, and 1 of 9 before": ([B] * 8 + [S], [S] * 7 + [B] * 2, 7),
    "3 of 3": ([B] * 3, [S] * 3, 3),
    "3 and 9 runs": ([B] * 3, [S] * 9, 9),
    "2 and 9 runs, all but one as before": ([B] * 2, [B] * 8 + [S], None),
    "4 of 6": ([B] * 6, [S] * 4 + [B] * 2, None),
    "2 of 3": ([B] * 3, [S] * 2 + [B], None),
    "3 of 6 in both": ([B, S] * 3, [S, B] * 3, None),
    "equal runs": ([B] * 6, [B] * 6, None),
    "2 of 2": ([B] * 2, [S] * 2, None),
    "1 of 1": ([B], [S], None),
    "1 and 6 runs": ([B], [S] * 6, None),
    "no runs": ([], [S] * 6, None),
}


@pytest.mark.parametrize(("old", "new", "attempts"), FLIPS.values(), ids=FLIPS)
def test_a_label_that_changed(old, new, attempts):
    """A block is named if its label differs between the versions by more than chance explains."""
    expected = attempts and Beginning("CLASSIFY", "llm", attempts, len(new))
    assert beginning(labels(*old), labels(*new), PLAIN) == expected


def test_a_block_that_varies_needs_more_runs():
    """Of 3 and 3 runs, no block is named whose other outputs vary within a version."""
    old = [{"label": B, "mood": mood} for mood in "xxx"]
    new = [{"label": S, "mood": mood} for mood in "xxy"]
    assert found(labels(*old), labels(*new)) is None
    assert found(labels(*old), labels(*new[:2], new[0])) == ("CLASSIFY", 3)


def test_a_label_beside_a_text_that_always_differs():
    """Of 3 and 3 runs, a label is named though the same block's text is worded anew each time."""
    rng = random.Random(1)
    old, new = ([{"label": each, "why": sentence(rng, 9)} for _ in range(3)] for each in (B, S))
    assert found(labels(*old), labels(*new)) == ("CLASSIFY", 3)


def test_the_first_changed_block_is_named():
    """Of several changed blocks, the first in execution order is named, not the one that changed most."""
    old = [attempt(made(("llm", "CLASSIFY", [B]), ("code", "ANSWER", ["to billing"]))) for _ in range(6)]
    new = [
        attempt(made(("llm", "CLASSIFY", [each]), ("code", "ANSWER", ["other"]))) for each in [S] * 5 + [B]
    ]
    assert found(old, new) == ("CLASSIFY", 5)


def test_drift_of_both_versions_is_no_change():
    """A block whose values change over time, in runs of both versions alike, is not named."""
    values = [B, B, B, S, S, S]
    rising = [10.0 + at for at in range(12)]
    assert found(labels(*values), labels(*values)) is None
    assert found(labels(*rising[::2]), labels(*rising[1::2])) is None


# ── texts and numbers ────────────────────────────────────────────────────────────────────────────


def worded(seed: int, words: int, failing: int = 0, count: int = 6) -> list[Attempt]:
    """Give attempts whose text is worded anew each time, of which so many fail an expectation on it."""
    rng = random.Random(seed)
    runs = [made(("llm", "WRITE", [sentence(rng, words)]), ("code", "END", [1])) for _ in range(count)]
    return [attempt(run, *(["blocks.WRITE.output"] if at < failing else [])) for at, run in enumerate(runs)]


@pytest.mark.parametrize("count", [3, 6, 9])
def test_new_words_are_no_change(count):
    """A text that is worded anew each time is not named for its words or a few characters more."""
    assert found(worded(1, 20, count=count), worded(2, 22, count=count)) is None


def test_templates_are_words_too():
    """A text that is mostly another in each run is not named for new words, though some runs agree."""
    old, new = (list(islice(cycle([f"{each} {at}" for at in range(4)]), 6)) for each in ("Hi there", "Hello"))
    assert found(labels(*old), labels(*new)) is None


@pytest.mark.parametrize("count", [3, 6, 9])
def test_a_longer_text(count):
    """A text that is worded anew each time is named if its length changed, by more than half."""
    assert found(worded(1, 20, count=count), worded(2, 50, count=count)) == ("WRITE", count)


def test_a_text_that_is_empty_now():
    """A blank text is another type of value than a text."""
    assert found(worded(1, 20), [attempt(made(("llm", "WRITE", [" "]), ("code", "END", [1])))] * 6) == (
        "WRITE",
        6,
    )


def test_an_expectation_on_a_text():
    """A text that is worded anew each time is named if an expectation on it fails in one version."""
    assert found(worded(1, 20), worded(2, 20, failing=5)) == ("WRITE", 5)
    assert found(worded(1, 20), worded(2, 20, failing=3)) is None
    assert found(worded(1, 20, failing=5), worded(2, 20, failing=5)) is None


OWNERS = {
    "blocks.FIRST.output": "FIRST",
    "blocks.FIRST.outputs[0].text": "FIRST",
    "length(blocks.SECOND.output)": "SECOND",
    "[blocks.FIRST.output, blocks.SECOND.output]": "SECOND",
    "result": "LAST",
    "results[0].label": "LAST",
    "result || blocks.FIRST.output": "LAST",
    "blocks.FIRST.duration": None,
    "blocks.FIRST.usage.total_tokens": None,
    "blocks.UNKNOWN.output": None,
    "blocks": None,
    "status": None,
    "usage.total_tokens": None,
}


@pytest.mark.parametrize(("path", "owner"), OWNERS.items())
def test_the_block_of_an_expectation(path, owner):
    """An expectation belongs to the last block whose output its path leads to, results to the last block."""
    run = made(*(("code", name, [1]) for name in ("FIRST", "SECOND", "LAST")))
    first = found([attempt(run)] * 6, [attempt(run, path)] * 6)
    assert first == (owner and (owner, 6))


def test_a_number_with_noise():
    """A number is named if it moved by more than it varies."""
    rng = random.Random(4)
    old, same, higher = ([rng.gauss(mean, 1) for _ in range(6)] for mean in (10, 10, 16))
    assert found(labels(*old), labels(*same)) is None
    assert found(labels(*old), labels(*higher)) == ("CLASSIFY", 6)


@pytest.mark.parametrize(
    ("old", "new"),
    [(1, 2), (1, "1"), (1, True), (1, None), ({}, []), ([1], [1, 1]), ({"a": 1}, {}), (10**400, 1)],
)
def test_types_and_parts(old, new):
    """A value of another type, a longer list or a missing key is a change, in both directions."""
    for one, other in ((old, new), (new, old)):
        assert found(labels(*[one] * 6), labels(*[other] * 6)) == ("CLASSIFY", 6)


# ── rules of the suite ───────────────────────────────────────────────────────────────────────────

RULES = {
    "ignored path": (Baseline(ignore=(("blocks", "CLASSIFY", "output", "id"),)), {"id": 1}, {"id": 2}),
    "ignored path of several inputs": (Baseline(ignore=(("results", "*", "id"),)), {"id": 1}, {"id": 2}),
    "ignored output": (Baseline(ignore=(("blocks", "CLASSIFY", "output"),)), 1, 2),
    "ignored name": (Baseline(ignore=(("id",),)), {"a": [{"id": 1}]}, {"a": [{"id": 2}]}),
    "digits": (Baseline(significant_digits=2), 1.04, 1.01),
    "similar": (Baseline(similar=0.8), "Your parcel is late.", "Your parcel is late!"),
    "unordered": (Baseline(unordered=True), [{"a": 1}, {"a": 2}], [{"a": 2}, {"a": 1}]),
}


@pytest.mark.parametrize(("rules", "old", "new"), RULES.values(), ids=RULES)
def test_what_the_rules_allow_is_no_change(rules, old, new):
    """What the baseline of the suite leaves out or allows is not named; without its rules it is."""
    assert found(labels(*[old] * 6), labels(*[new] * 6), rules) is None
    assert found(labels(*[old] * 6), labels(*[new] * 6)) == ("CLASSIFY", 6)


@pytest.mark.parametrize(
    ("rules", "old", "new"),
    [
        (Baseline(similar=0.8), "Your parcel is late.", "No orders found."),
        (Baseline(significant_digits=2), 1.04, 1.2),
        (Baseline(unordered=True), [B, S, S], [B, B, S]),
        (Baseline(unordered=True), [{"a": B, "b": 1}], [{"a": S, "b": 1}]),
    ],
)
def test_what_the_rules_do_not_allow(rules, old, new):
    """A difference that is larger than the baseline of the suite allows is named."""
    assert found(labels(*[old] * 6), labels(*[new] * 6), rules) == ("CLASSIFY", 6)


def test_volatile_values():
    """Values that are new in every run are left out, unless the baseline keeps them."""
    old, new = (
        [attempt(made(("curl", "FETCH", [ran({"headers": {"Date": day}, "body": "same"})])))] * 6
        for day in ("Mon", "Tue")
    )
    assert found(old, new) is None
    assert found(old, new, Baseline(volatile="keep")) == ("FETCH", 6)


# ── blocks, inputs and iterations ────────────────────────────────────────────────────────────────


def test_errors_in_one_version():
    """A block that fails in one version is named, not the blocks that do not run then."""
    good = made(("code", "A", [1]), ("llm", "B", ["x"]), ("code", "C", [2]))
    bad = made(
        ("code", "A", [1]), ("llm", "B", [{"value": None, "error": "no", "meta": None}]), status="errored"
    )
    rare = [bad, *[good] * 5]
    assert found([*map(attempt, rare)], [attempt(bad, "result")] * 6) == ("B", 6)
    assert found([*map(attempt, rare)], [*map(attempt, rare)]) is None


def test_a_block_with_a_status_alone():
    """A block that failed without an execution is named by its status."""
    good = made(("code", "A", [1]), ("llm", "B", ["x"]))
    blocks = [
        {"block_type": kind, "name": name, "status": status, "success_count": 1, "error_count": 0}
        for kind, name, status in (("code", "A", "succeeded"), ("llm", "B", "errored"))
    ]
    bad = Run(
        "r",
        "h",
        Status.ERRORED,
        good.traces[:1],
        tuple(BlockStatus(each["block_type"], each["name"], each["status"], 0, 1) for each in blocks),
        None,
        0.0,
    )
    assert found([attempt(good)] * 6, [attempt(bad)] * 6) == ("B", 6)


def test_blocks_that_one_version_lacks():
    """A block that was added, removed or renamed has changed, in both directions."""
    two = [attempt(made(("code", "A", [1]), ("code", "C", [2])))] * 6
    three = [attempt(made(("code", "A", [1]), ("llm", "B", ["x"]), ("code", "C", [2])))] * 6
    renamed = [attempt(made(("code", "A", [1]), ("code", "D", [2])))] * 6
    assert found(two, three) == found(three, two) == ("B", 6)
    assert found(two, renamed) in (("C", 6), ("D", 6))


def looped(kind: str, *outputs: Any) -> Run:
    """Give a run with a block X in a loop, which has these outputs by iteration."""
    return made(
        (kind, "EACH", [list(outputs)] if kind == "map" else [True] * len(outputs)),
        ("llm", "X", list(outputs)),
        ("reduce" if kind == "map" else "end", "EACH", [None] * len(outputs)),
    )


def test_iterations_of_a_map():
    """An output in one iteration of a `map` is a leaf of its own."""
    rng = random.Random(2)
    old, new = (
        [
            attempt(looped_rows(rng.choice(WORDS), label))
            for label in islice(chain(given_labels, repeat(B)), 6)
        ]
        for given_labels in ([], [S] * 5)
    )
    assert found(old, new) == ("X", 5)


def looped_rows(first: str, second: str) -> Run:
    """Give a run in which X in a `map` has two iterations."""
    return made(
        ("map", "EACH", [["a", "b"]]), ("llm", "X", [first, second]), ("reduce", "EACH", [None, None])
    )


def test_an_earlier_iteration_comes_first():
    """In a `while`, a later block in an earlier iteration comes before an earlier block in a later one."""

    def run(*outputs: str) -> Run:
        steps = [("llm", "X", outputs[::2]), ("llm", "Y", outputs[1::2])]
        loops = tuple(
            Trace(kind, name, ((*map(Execution, values),),), "while") for kind, name, values in steps
        )
        begins = Trace("while", "W", ((*map(Execution, (True, True, False)),),), "while")
        ends = Trace("end", "W", ((*map(Execution, (None, None)),),), "while")
        return Run("r", "h", Status.SUCCEEDED, (begins, *loops, ends), (), None, 0.0)

    old, new = run("x0", "y0", "x1", "y1"), run("x0", "OTHER", "OTHER", "OTHER")
    assert found([attempt(old)] * 6, [attempt(new)] * 6) == ("Y", 6)


def test_several_inputs():
    """The outputs for several inputs are compared input by input, even if the order of lists is ignored."""
    one, other = (attempt(made(("code", "A", [first], [second]))) for first, second in ((1, 2), (2, 1)))
    for rules in (PLAIN, Baseline(unordered=True)):
        assert found([one] * 6, [other] * 6, rules) == ("A", 6)


# ── the rates ────────────────────────────────────────────────────────────────────────────────────


def noisy(rng: random.Random, flip: float) -> Attempt:
    """Give an attempt of an app with three noisy blocks before a label that is wrong at this rate."""
    label = S if rng.random() < flip else B
    question = sentence(rng, rng.randint(8, 14))
    traces = [
        ("llm", "REWORD", question),
        ("llm", "MOOD", rng.choices(["calm", "angry"], [0.7, 0.3])[0]),
        (
            "code",
            "FIND",
            [{"id": rng.choice("abcdef"), "score": rng.random()} for _ in range(rng.randint(2, 4))],
        ),
        ("llm", "CLASSIFY", {"prompt": {"text": f"Label: {question}"}, "completion": {"text": label}}),
        ("code", "ANSWER", {"label": label, "text": sentence(rng, 9)}),
    ]
    return attempt(
        made(*((kind, name, [ran(value)]) for kind, name, value in traces)), *["result.label"] * (label == S)
    )


def named(seed: int, runs: int, sessions: int, flips: tuple[float, float]) -> list[str]:
    """Give the names of the blocks that changed, by session; `none` if no block is named."""
    rng = random.Random(seed)
    names = []
    for _ in range(sessions):
        first = beginning(*([noisy(rng, flip) for _ in range(runs)] for flip in flips), PLAIN)
        names.append(first.name if first else "none")
    return names


@pytest.mark.parametrize("runs", [3, 6])
def test_a_dead_label_behind_noisy_blocks(runs):
    """A label that is always wrong in the new version is named in 97 % of sessions, behind noisy blocks."""
    names = named(11, runs, 35, (0, 1))
    assert names.count("CLASSIFY") >= 0.97 * len(names)


def wrong_in_several_ways(rng: random.Random, flip: float) -> Attempt:
    """Give an attempt of an app whose label is one of three wrong ones at this rate, behind noisy blocks."""
    label = rng.choice([S, "account", "other"]) if rng.random() < flip else B
    mood = rng.choices(["calm", "worried", "angry"], [7, 2, 1])[0]
    traces = [
        ("llm", "REWORD", sentence(rng, 9)),
        ("llm", "MOOD", mood),
        ("code", "STAMP", {"token": rng.getrandbits(64)}),
        ("llm", "CLASSIFY", label),
        ("code", "ANSWER", {"label": label, "mood": mood}),
    ]
    run = made(*((kind, name, [ran(value)]) for kind, name, value in traces))
    return attempt(run, *["result.label"] * (label != B))


@pytest.mark.parametrize(("flip", "least"), [(0, 0.98), (0.1, 0.95)])
def test_a_label_that_is_wrong_in_several_ways(flip, least):
    """A right label that becomes any wrong one is named, not the block that the expectation is about."""
    rng = random.Random(21)
    names = Counter(
        first.name if first else "none"
        for first in (
            beginning(*([wrong_in_several_ways(rng, each) for _ in range(6)] for each in (flip, 1)), PLAIN)
            for _ in range(40)
        )
    )
    assert names["CLASSIFY"] >= least * 40
    assert names["ANSWER"] == 0


def test_failures_lead_to_the_block_that_carries_them():
    """An expectation that fails more often names the first block with a feature of the very same runs."""
    old = [
        attempt(made(("llm", "A", [1]), ("llm", "LABEL", [each]), ("code", "END", [2]))) for each in [B] * 4
    ]
    old += [
        attempt(made(("llm", "A", [1]), ("llm", "LABEL", [each]), ("code", "END", [2])), "result")
        for each in (S, "account")
    ]
    new = [*old[4:], *old[4:], *old[4:]]
    assert found(old, new) == ("LABEL", 6)
    unfailing = [attempt(each.run) for each in old], [attempt(each.run) for each in new]
    assert found(*unfailing) is None


def test_noise_is_not_named():
    """Without a change, a block is named in at most 1 % of sessions, up to chance."""
    names = named(12, 6, 60, (0.05, 0.05))
    assert len(names) - names.count("none") <= 3  # of 60 at 1 %, more than 3 come in 0.3 % of seeds


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_the_order_of_attempts_does_not_matter(data):
    """The same block is named for any order of the attempts of a version, also if splits are sampled."""
    count = data.draw(st.sampled_from([3, 6, 9]))
    values = st.lists(st.sampled_from([B, B, S, 1, 2, {"a": 1}, {"a": S}]), min_size=count, max_size=count)
    drawn = labels(*data.draw(values), *data.draw(values))
    numbered = [replace(one, run=replace(one.run, id=f"{at:02}")) for at, one in enumerate(drawn)]
    old, new = numbered[:count], numbered[count:]
    shuffled = [data.draw(st.permutations(each)) for each in (old, new)]
    assert beginning(old, new, PLAIN) == beginning(*shuffled, PLAIN)


@given(st.lists(st.sampled_from([B, S, 1.5, None]), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_the_same_runs_have_not_changed(values):
    """Two versions with the same runs have no changed block."""
    assert beginning(labels(*values), labels(*values), PLAIN) is None


@pytest.mark.parametrize(("old", "new"), [(3, 3), (6, 6), (9, 9)])
def test_the_level_of_the_test(old, new):
    """Among ten features that come at random, any is taken for a change at a rate below .01."""
    rng = random.Random(5)
    versions = Versions(old, new)
    sessions = 100
    sure = 0
    for _ in range(sessions):
        features = [rng.getrandbits(old + new) for _ in range(5)]
        sure += bool(versions.risen({*features, *(versions.every ^ each for each in features)}, LEVEL))
    assert sure <= 4  # more come in 0.4 % of seeds at a rate of .01


def test_a_large_change_hides_no_smaller_one():
    """A feature of 5 of 6 new runs and no old one has risen, also beside one of all new runs alone."""
    versions = Versions(6, 6)
    small, large = 0b011111_000000, 0b111111_000000
    assert versions.risen([small, large], LEVEL) == {small, large}
    assert versions.risen([0b001111_000000, large], LEVEL) == {large}
    assert versions.risen([], LEVEL) == set()


# ── bounds ───────────────────────────────────────────────────────────────────────────────────────


def test_the_time_is_bounded():
    """Runs of 200 KB, all of whose parts differ, take seconds at most, and a change at the top is found."""
    rng = random.Random(3)

    def large(label: str) -> Attempt:
        chunks = [{"id": at, "text": sentence(rng, 30), "score": rng.random()} for at in range(1_000)]
        return attempt(made(("code", "FIND", [chunks]), ("llm", "CLASSIFY", [label])))

    old, new = ([large(label) for _ in range(9)] for label in (B, S))
    rules = Baseline(similar=0.9)
    begun = clock.seconds()
    assert found(old, new, rules) == ("CLASSIFY", 9)
    assert clock.seconds() - begun < 10  # alone on a processor: 0.4 s


def test_long_lists_are_cut():
    """Of an output with too many parts the first are compared, and their number."""
    long = list(range(8_000))
    shorter, other = long[:-1], ["x", *long[1:]]
    assert found(labels(*[long] * 3), labels(*[shorter] * 3)) == ("CLASSIFY", 3)
    assert found(labels(*[{"a": long}] * 3), labels(*[{"a": other}] * 3)) == ("CLASSIFY", 3)
    assert found(labels(*[long] * 3), labels(*[copy.copy(long)] * 3)) is None


def test_features_nearest_to_the_top_come_first():
    """The features of a value come before those of its parts, level by level."""
    values = [{"a": {"deep": at}, "b": at} for at in "xxxy"]
    features = FeatureReader(PLAIN, 100).features([Part((), value, NOTHING)] for value in values)
    assert list(dict.fromkeys(path for path, _ in features)) == [("b",), ("a", "deep")]
