"""The app noisy-triage: what differs from run to run, how often it errs, and what its draws depend on."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from dust_api import TRIAGE, Api, api, serving, trace_of

from example_suites.dust_server import APPS, Noise
from example_suites.dust_server.model import ASKERS, CLOSINGS, VERBS
from example_suites.dust_server.noise import Draws

REFUND, PARCEL = "Where is my refund?", "Track my parcel"
RIGHT = {REFUND: "billing", PARCEL: "shipping"}


def results(api: Api, question: str = REFUND, version: str = "v1", times: int = 1) -> list[Any]:
    """Return the results of some runs of one question."""
    digest, inputs = api.server.hash(TRIAGE, version), [{"question": question}]
    runs = [api.blocking(TRIAGE, specification_hash=digest, inputs=inputs) for _ in range(times)]
    return [run["results"][0][0]["value"] for run in runs]


def labels(api: Api, question: str = REFUND, version: str = "v1", times: int = 1) -> list[str]:
    """Return the labels of some runs of one question."""
    return [result["label"] for result in results(api, question, version, times)]


def flips(noise: Noise, version: str = "v1", question: str = REFUND, runs: int = 2000) -> float:
    """Return the share of runs that draw a wrong label."""
    draws = [noise.draws(version, question, number, "") for number in range(1, runs + 1)]
    return sum(each.is_wrong for each in draws) / runs


# ---- What differs from run to run ----


def test_outputs_differ_and_the_label_does_not(api: Api) -> None:
    """Without flips, wording and token are new in every run, and label and answer are always right."""
    runs = [api.blocking(TRIAGE, inputs=[{"question": REFUND}]) for _ in range(6)]
    wordings = [trace_of(run, "llm", "WORDING")[0][0][0]["value"]["completion"]["text"] for run in runs]
    found = [run["results"][0][0]["value"] for run in runs]
    assert len(set(wordings)) > 3
    assert all(REFUND in wording for wording in wordings)
    assert len({result["reference"] for result in found}) == 6
    assert {(result["label"], result["answer"][:8]) for result in found} == {("billing", "A refund")}


@pytest.mark.parametrize("question", ["Where is my refund?", "Track my parcel", "My password?", "Good day!"])
def test_every_wording_has_the_same_label(api: Api, question: str) -> None:
    """No word that a wording adds decides a label."""
    expected = labels(api, question)[0]
    words = " ".join([*ASKERS, *VERBS, *CLOSINGS])
    assert labels(api, f"{question} {words}") == [expected]


def test_the_versions_differ_in_the_prompt_alone(api: Api) -> None:
    """With the same flips, both versions give the right label to every question."""
    assert APPS[TRIAGE].version("v1") != APPS[TRIAGE].version("v2")
    for question, label in RIGHT.items():
        assert labels(api, question, "v1") == labels(api, question, "v2") == [label]


def test_several_inputs_draw_each_for_itself(api: Api) -> None:
    """Two equal inputs of a run are two runs of their question."""
    run = api.blocking(TRIAGE, inputs=[{"question": REFUND}] * 2)
    one, two = (row[0]["value"]["reference"] for row in run["results"])
    assert one != two


# ---- How often a label is wrong ----


def test_a_version_errs_as_often_as_its_flip() -> None:
    """The share of wrong labels is the version's flip, and the other version's is its own."""
    noise = Noise(flips={"v1": 0.1, "v2": 0.4})
    assert flips(noise) == pytest.approx(0.1, abs=0.03)
    assert flips(noise, "v2") == pytest.approx(0.4, abs=0.04)


def test_one_case_dies(api: Api) -> None:
    """A flip of one question in one version leaves the other questions and the other version right."""
    api.server.noise = Noise(flips={f"v2:{REFUND}": 1.0})
    assert "billing" not in labels(api, REFUND, "v2", times=5)
    assert set(labels(api, REFUND, "v1", times=5)) == {"billing"}
    assert set(labels(api, PARCEL, "v2", times=5)) == {"shipping"}


def test_a_question_without_flips_in_a_version_with_some() -> None:
    """The flip of a question replaces that of its version."""
    noise = Noise(flips={"v1": 0.5, f"v1:{REFUND}": 0.0})
    assert (flips(noise), flips(noise, question=PARCEL) > 0.4) == (0.0, True)


def test_a_wrong_label_may_be_any_other(api: Api) -> None:
    """Wrong labels are those of the prompt, without the right one, and their answers go with them."""
    api.server.noise = Noise(flips={"v1": 1.0})
    found = Counter(labels(api, REFUND, times=20))
    assert set(found) == {"shipping", "account"}


def test_drift_meets_both_versions_from_now_on(api: Api) -> None:
    """The provider's drift is added to all flips, of both versions and of single questions."""
    api.server.noise = Noise(flips={"v1": 0.1, f"v2:{REFUND}": 0.0})
    assert set(labels(api, times=5, version="v2")) == {"billing"}
    api.server.drift_noise(0.25)
    noise: Noise = api.server.noise
    assert noise.flip("v1", REFUND) == pytest.approx(0.35)
    assert noise.flip("v2", REFUND) == noise.flip("v2", PARCEL) == 0.25
    assert flips(noise, "v2") == pytest.approx(0.25, abs=0.04)
    api.server.drift_noise(1.0)
    assert "billing" not in labels(api, times=5) + labels(api, times=5, version="v2")


def test_drift_changes_the_mood(api: Api) -> None:
    """A drift makes calm customers rarer, in both versions at once."""
    moods = {}
    for drift in (0.0, 0.3):
        api.server.drift_noise(drift)
        found = [results(api, version=version, times=20) for version in ("v1", "v2")]
        moods[drift] = [sum(result["mood"] == "calm" for result in each) for each in found]
    assert max(moods[0.3]) < min(moods[0.0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"flips": {"v3": 0.1}}, "'v3' is no version: give v1, v2"),
        ({"flips": {"v1": 1.1}}, "'v1' has the probability 1.1: give 0 to 1"),
        ({"flips": {"v2:Hi": -0.1}}, "'v2:Hi' has the probability -0.1"),
        ({"drift": 10}, "the drift is 10: give -1 to 1"),
    ],
)
def test_settings_that_are_no_good(options: dict[str, Any], words: str) -> None:
    """An unknown version, or a number that is no probability, is refused."""
    with pytest.raises(ValueError, match=words):
        Noise(**options)


# ---- What the draws depend on ----


def drawn(seed: int, order: list[tuple[str, str]]) -> dict[tuple[str, str], list[str]]:
    """Return the labels that a new server gives to questions and versions, asked in this order."""
    found: dict[tuple[str, str], list[str]] = {}
    with serving() as api:
        api.server.noise = Noise(seed, {"v1": 0.5, "v2": 0.5})
        for question, version in order:
            found.setdefault((question, version), []).extend(labels(api, question, version))
    return found


def test_draws_depend_on_the_question_s_own_runs_alone() -> None:
    """The same seed gives each question of each version the same labels, in whichever order all are asked."""
    pairs = [(question, version) for question in RIGHT for version in ("v1", "v2")] * 8
    assert drawn(1, pairs) == drawn(1, sorted(pairs))
    assert drawn(1, pairs) != drawn(2, pairs)


def test_runs_side_by_side_draw_the_same_as_in_turn() -> None:
    """Whether runs of a question are made at once or in turn, there are as many wrong labels."""
    with serving() as api:
        api.server.noise = Noise(3, {"v1": 0.5})
        with ThreadPoolExecutor(8) as pool:
            at_once = [found for [found] in pool.map(lambda _: labels(api), range(16))]
    assert Counter(at_once) == Counter(drawn(3, [(REFUND, "v1")] * 16)[REFUND, "v1"])


def test_seeds_and_versions_draw_independently() -> None:
    """Two seeds, or two versions, agree on as many runs as chance makes them."""

    def wrong(seed: int, version: str = "v1") -> list[bool]:
        noise = Noise(seed, {"v1": 0.5, "v2": 0.5})
        return [noise.draws(version, REFUND, number, "").number("flip") < 0.5 for number in range(2000)]

    for one, two in ((wrong(1), wrong(2)), (wrong(1), wrong(1, "v2"))):
        assert sum(map(bool.__eq__, one, two)) / 2000 == pytest.approx(0.5, abs=0.05)


def test_numbers_are_uniform() -> None:
    """Drawn numbers lie in [0, 1), a tenth of them in each tenth; each name has its own."""
    numbers = [Draws(str(key)).number("a") for key in range(5000)]
    assert 0 <= min(numbers) <= max(numbers) < 1
    tenths = Counter(int(number * 10) for number in numbers)
    assert all(400 < tenths[each] < 600 for each in range(10))
    assert Draws("1").number("a") != Draws("1").number("b")
    assert Draws("1", flip=0.5).number("a") == replace(Draws("1"), token="x").number("a")


def test_streams_and_polls_draw_too(api: Api) -> None:
    """Every way to run counts as a run of its question."""
    api.server.noise = Noise(flips={"v1": 1.0})
    inputs = [{"question": REFUND}]
    polled = api.polled(TRIAGE, inputs=inputs)
    (ended,) = [
        event["content"]["execution"][0][0]["value"]
        for event in api.events(TRIAGE, inputs=inputs)
        if event["type"] == "block_execution" and event["content"]["block_name"] == "ANSWER"
    ]
    answers = [polled["results"][0][0]["value"], ended]
    assert all(answer["label"] != "billing" for answer in answers)
    assert answers[0]["reference"] != answers[1]["reference"]
