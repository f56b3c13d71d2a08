"""Cassettes of format 1 are read as before: they are replayed, checked, and left as they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_dust.cassettes import format as cassette
from pytest_dust.model import Flavor

FORMAT_1 = Path(__file__).parents[1] / "golden" / "format_1"  # in a folder `cassettes` they would be orphans
EXAMPLES = sorted((Path(__file__).parents[2] / "example_suites").rglob("cassettes/*/*.json"))
SUITE = """\
app: {id: 51aa0c7e2d, workspace: w_example, space: vlt_example}
specification_hash: 7b58a958d5185832ad8bb8fcb2e1eda758ce4527342db26d14ac08c56acf2250
config: {SUMMARY: {provider_id: openai, model_id: gpt-4o-mini, use_cache: false}}
flavor: FLAVOR
input: {text: The parcel left the warehouse on Monday. It arrives on Friday.}
expect:
  result.summary: parcel left warehouse on; It arrives on Friday
  blocks.SUMMARY.success_count: 2
"""


def repeated(text):
    """Give the recording of a case as that of the case run twice, as format 1 has it."""
    document = json.loads(text)
    attempt = {name: document.pop(name) for name in ("flavor", "duration", "exchanges")}
    document["request"]["repeat"] = 2
    return json.dumps({**document, "attempts": [attempt, attempt]}, indent=2, ensure_ascii=False) + "\n"


@pytest.fixture(params=[(flavor, runs) for flavor in Flavor for runs in (1, 2)], ids=str)
def old(project, request):
    """A project of one case, by each flavor, plain and repeated, with its recording in format 1."""
    flavor, runs = request.param
    text = (FORMAT_1 / f"{flavor}.json").read_text(encoding="utf-8")
    suite = SUITE.replace("FLAVOR", flavor)
    if runs == 2:
        suite, text = f"repeat: {{runs: 2, min_pass: 2}}\n{suite}", repeated(text)
    return project.having({"summary.dust.yaml": suite, "cassettes/summary/summary.json": text})


@pytest.mark.parametrize(
    ("arguments", "outcomes"),
    [((), {"passed": 1}), (("--dust-check",), {"checked": 1}), (("--dust-mode=record",), {"passed": 1})],
    ids=["replay", "check", "record"],
)
def test_a_cassette_of_format_1_is_used_and_left_as_it_is(old, arguments, outcomes):
    """Replay, the check and `record` take a cassette of format 1 that fits, and do not write it anew."""
    result = old.run(*arguments)
    assert (result.ret, result.outcomes) == (0, outcomes)
    assert result.example.cassettes == old.cassettes


@pytest.mark.parametrize("name", ["blocking", "four_blocks", "poll", "stream"])
@pytest.mark.parametrize("times", [1, 2])
def test_both_formats_hold_the_same(name, times):
    """A recording of format 1 that is written in format 2 is the same recording in half the lines."""
    text = (FORMAT_1 / f"{name}.json").read_text(encoding="utf-8")
    text = text if times == 1 else repeated(text)
    old = cassette.parse(text)
    new = cassette.dumps(old.request, old.replies, old.recorded_at, old.specification)
    assert json.loads(new)["version"] == 2
    assert cassette.loads(new) == old
    assert len(old.replies) == times
    assert new.count(b"\n") < text.count("\n") / 2


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_examples_are_as_they_would_be_written_now(path):
    """Each cassette of the example suites is, byte for byte, what is written for its recording now."""
    found = cassette.loads(path.read_bytes())
    again = cassette.dumps(found.request, found.replies, found.recorded_at, found.specification)
    assert again == path.read_bytes()
