"""A paid answer is never lost: it is kept before it is judged, and whatever fails later is told."""

from __future__ import annotations

import json
import re

import pytest

from conftest import ODD_MATCHER, SUPPORT, suite

ENDS = {
    "MemoryError": "raise MemoryError",
    "RecursionError": "raise RecursionError",
    "a failure of pytest": "pytest.fail('no')",
    "a skip of pytest": "pytest.skip('no')",
    "the end of pytest": "pytest.exit('no')",
    "Ctrl-C": "raise KeyboardInterrupt",
    "the end of Python": "sys.exit(3)",
    "the end of the process": "os._exit(3)",  # as pytest-timeout ends it
}
TOKENS = re.compile(r"(\d+) tokens used")


@pytest.fixture
def odd(project, server):
    """A function that gives an online project of one case, with a matcher that does as it is told."""

    def make(code: str, asked: str = "result.answer: {odd: true}"):
        cases = f"input: {{question: Where is my refund?}}\nexpect: {{{asked}}}\n"
        files = {"conftest.py": ODD_MATCHER.format(code), "a.dust.yaml": suite(server, SUPPORT, cases)}
        return project.having(files).using(server)

    return make


@pytest.mark.parametrize("code", ENDS.values(), ids=ENDS)
def test_a_run_is_recorded_before_it_is_judged(odd, server, code):
    """However judging ends, with it the case, the session or the process, the cassette is written before."""
    result = odd(code).run("--dust-mode=record", subprocess=bool(re.search("exit|Keyboard", code)))
    assert server.runs == 1
    assert list(result.example.cassettes) == ["cassettes/a/a.json"]
    mended = result.example.having({"conftest.py": ODD_MATCHER.format("return True")}).offline()
    assert mended.run().outcomes == {"passed": 1}


def test_a_recording_is_replaced_though_the_comparison_fails(odd, monkeypatch):
    """In rerecord, the new run is in the cassette though it could not be compared with the old one."""
    example = odd("return True").run("--dust-mode=record").example
    before = json.loads(example.cassettes["cassettes/a/a.json"])

    def broken(*_args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("pytest_dust.compare.baseline.compare", broken)
    result = example.run("--dust-mode=rerecord")
    assert result.outcomes == {"failed": 1}
    after = json.loads(result.example.cassettes["cassettes/a/a.json"])
    assert after["exchanges"][0]["body"]["run"]["run_id"] != before["exchanges"][0]["body"]["run"]["run_id"]


@pytest.mark.parametrize("mode", ["record", "rerecord", "live"])
def test_tokens_count_though_a_run_could_not_be_judged(odd, mode):
    """The summary counts the tokens of a run whose judging was ended."""
    judged = TOKENS.search(odd("return False").run("--dust-mode=live").out)
    ended = TOKENS.search(odd("pytest.fail('no')").run(f"--dust-mode={mode}").out)
    assert judged
    assert ended
    assert ended[1] == judged[1] != "0"


def test_saved_blocks_that_cannot_be_asked_for_cost_no_run(odd, server, monkeypatch):
    """A failing question for the app's saved blocks, asked on the way to the cassette, leaves it written."""

    def broken(*_args: object) -> None:
        raise MemoryError

    monkeypatch.setattr("pytest_dust.plugin.session.Session.specification", broken)
    result = odd("return True").run("--dust-mode=record")
    assert server.runs == 1
    assert result.example.offline().run().outcomes == {"passed": 1}
