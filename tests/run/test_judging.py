"""Judging takes no longer than a case's timeout, whatever the matcher or path."""

from __future__ import annotations

import re
import time

import pytest

from conftest import ODD_MATCHER, SUPPORT, suite
from pytest_dust import deadline
from pytest_dust.checks.binding import Here, bind, judge
from pytest_dust.checks.matchers import MATCHERS
from pytest_dust.deadline import TimeIsUp

WORDS = "a" * 5000 + "!"
"""An answer on which `^(a|aa)+$` takes longer than the universe is old."""
EVIL = '"^(a|aa)+$"'
LIMIT = 60
"""Seconds within which a case of one second ends on the busiest machine."""


@pytest.fixture
def judged(project, server):
    """A function that runs one case, whose result is WORDS, in live mode; gives the result."""

    def run(expect: str, code: str = "pass", mode: str = "live", extra: str = "timeout: 0.5\n"):
        def answer(run):
            run["results"][0][0]["value"] = {"text": WORDS, WORDS: 1}
            run["traces"][-1][1][0][0]["value"] = {"text": WORDS, WORDS: 1}

        server.alter(answer)
        cases = f"input: {{question: Where is my refund?}}\nexpect:\n{expect}"
        files = {"conftest.py": ODD_MATCHER.format(code), "a.dust.yaml": suite(server, SUPPORT, cases, extra)}
        began = time.monotonic()
        example = project.having(files).using(server).exporting(DUST_TIMEOUT="1")
        result = example.run(f"--dust-mode={mode}", subprocess="odd" in expect)
        assert time.monotonic() - began < LIMIT
        assert "Traceback" not in result.out
        return result

    return run


ENDLESS = {
    "matches": f"result.text: {{matches: {EVIL}}}",
    "below not": f"result.text: {{not: {{matches: {EVIL}}}}}",
    "below any_of": f"result.text: {{any_of: [{{matches: {EVIL}}}, {{type: string}}]}}",
    "below json": f'"to_string(result)": {{json: {{schema: {{properties: {{text: {{pattern: {EVIL}}}}}}}}}}}',
    "below every": f'"[result.text]": {{every: {{matches: {EVIL}}}}}',
    "pattern": f"result.text: {{schema: {{pattern: {EVIL}}}}}",
    "patternProperties": f"result: {{schema: {{patternProperties: {{{EVIL}: {{}}}}}}}}",
    "additionalProperties": (
        f"result: {{schema: {{additionalProperties: false, patternProperties: {{{EVIL}: {{}}}}}}}}"
    ),
    "unevaluatedProperties": (
        "result: {schema: {unevaluatedProperties: false, "
        f"allOf: [{{patternProperties: {{{EVIL}: {{}}}}}}]}}}}"
    ),
    "propertyNames": f"result: {{schema: {{propertyNames: {{pattern: {EVIL}}}}}}}",
    "schema of a known draft": (
        'result: {schema: {"$schema": "https://json-schema.org/draft/2020-12/schema", '
        f'properties: {{text: {{"$ref": "#"}}}}, pattern: {EVIL}}}}}'
    ),
    "deepdiff": "result: {deepdiff: {to: {}, exclude_regex_paths: (a|aa)+$}}",
    "a matcher that sleeps": "result.text: {odd: sleep}",
    "a matcher that loops": "result.text: {odd: loop}",
    "a matcher that loops below not": "result.text: {not: {odd: loop}}",
    "a matcher that loops below every": '"[result.text]": {every: {odd: loop}}',
    "a path": '"' + "[result,result]" + "|[@,@][]" * 60 + '": [1]',
}
ODD = "time.sleep(100) if wanted == 'sleep' else [1 for _ in iter(int, 1)]"


@pytest.mark.parametrize("expect", ENDLESS.values(), ids=ENDLESS)
def test_what_never_ends_fails_when_the_time_is_up(judged, expect):
    """A matcher or path that takes too long is a failed expectation that names it and says what to do."""
    result = judged(f"  status: succeeded\n  {expect}\n  error: null\n", ODD)
    assert result.outcomes == {"failed": 1}
    path = re.match(r'"?(.+?)"?: [\[{]', expect)
    assert path
    assert f"\n  {path[1]}\n" in result.report
    assert "took longer than 0.5 s; simplify it, or raise timeout: in the suite" in result.report
    assert "what is expected after it (1) was not judged" in result.report


@pytest.mark.parametrize("mode", ["record", "rerecord", "live"])
def test_time_is_bounded_in_every_mode(judged, server, mode):
    """Live, recorded and replayed runs are judged within the same time, and a recorded one is kept."""
    result = judged(f"  result.text: {{matches: {EVIL}}}\n", mode=mode)
    assert result.outcomes == {"failed": 1}
    if mode == "live":
        return
    replayed = result.example.offline().run()
    assert replayed.outcomes == {"failed": 1}
    assert "this matcher took longer than 0.5 s" in replayed.report
    assert server.runs == 1


def test_quadratic_matchers_stop_at_the_deadline():
    """Matchers that take the product of two lengths stop by themselves when the time is up."""
    wanted = [{"a": [at, {"b": 1}]} for at in range(3000)]
    value = [{"a": [at, {"b": 2}]} for at in range(3000)]
    (bound,) = bind({"includes": [{"a": [{"b": 3}]}, *wanted]}, Here(table=MATCHERS))
    text = "ab" * 4_000_000
    (alike,) = bind({"similar": {"to": text[::-1] + "c", "ratio": 0.99}}, Here(table=MATCHERS))
    for each, came in ((bound, value * 100), (alike, text)):
        with deadline.within(0.05), pytest.raises(TimeIsUp):
            judge(came, each)


def test_dust_timeout_bounds_the_judging(judged):
    """Where no suite sets a timeout, the option does."""
    result = judged("  result.text: {odd: loop}\n", ODD, extra="")
    assert result.outcomes == {"failed": 1}
    assert "this matcher took longer than 1 s" in result.report
