"""Random suites, datasets, schemas and ids give cases, or mistakes with their places."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from conftest import SUPPORT
from pytest_dust.characters import safe
from pytest_dust.checks.binding import Here
from pytest_dust.checks.matchers import MATCHERS
from pytest_dust.errors import SuiteError
from pytest_dust.files.names import case_file
from pytest_dust.suite import cases as suite
from pytest_dust.suite import references
from pytest_dust.suite.keys import KEYS

bounded = settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
LOOK_UP = references.environment({"DUST_X": "x", "DUST_EMPTY": ""}, frozenset())
LONGEST = 3000
"""Characters of one line that tells of a mistake."""


# ── what is mutated ──────────────────────────────────────────────────────────────────────────────

HEAD = {"app": {"id": SUPPORT}, "specification_hash": "latest"}
RULES: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"a": {"type": "string", "pattern": "a+"}, "b": {"$ref": "#/properties/a"}},
}
LONG: dict[str, Any] = {
    **HEAD,
    "config": {"A": {"x": 1}},
    "block_filter": ["A"],
    "flavor": "poll",
    "timeout": 3,
    "marks": ["slow", {"xfail": "later"}, {"owner": [1]}],
    "expect": {"status": "succeeded", "usage.total_tokens": {"lte": 9, "not": {"gt": 8}}},
    "baseline": {"compare": ["status"], "ignore": ["result.x"], "significant_digits": 3, "on_change": "fail"},
    "repeat": {"runs": 3, "min_pass": 2},
    "cases": [
        {"id": "one", "description": "d", "input": {"q": "hi"}, "expect": {"result": {"length": {"gte": 2}}}},
        {"id": "two", "inputs": [{"q": 1}, {"q": 2}], "matrix": {"m": ["a", 1, None, {"k": 1}], "n": [[1]]}},
        {"id": "three", "dataset": "q.jsonl", "input": {"q": "${row.q}"}, "expect": {"result": "${row.n}"}},
        {"id": "four", "dataset": "q.csv", "inputs": ["${row}", {"id": "x", "q": "x", "n": 1}]},
        {"id": "five", "matrix": {"m": [1, 2]}, "input": {"q": "<${matrix.m}>"}, "repeat": {"runs": 2}},
    ],
}
MATCHED: dict[str, Any] = {
    **HEAD,
    "input": {"q": "x"},
    "expect": {
        "result": {"schema": RULES, "json": {"includes": {"a": 1}}, "one_of": [1, 2]},
        "result.a": {"approx": {"value": 1, "abs": 2}, "every": {"type": ["string", "null"]}},
        "blocks.A.output": {"matches": "a+", "unordered": [1, 2], "any_of": [{"lt": 1}, "x"]},
    },
}
TABLE: dict[str, Any] = {
    **HEAD,
    "dataset": "q.json",
    "matrix": {"m": [1, 2]},
    "expect": {
        "result": {"schema": "s.json", "exists": True, "word_count": {"lte": 5}, "contains": "${row.q}"}
    },
}
ROWS: list[Any] = [{"id": "a", "q": "hi", "n": 1}, {"id": 2, "q": "x", "n": 2.5}, {"q": "y", "n": "t"}]
odd_texts = st.sampled_from([
    "", " ", "é", "\u202e", "\x00", "\ud800", "x" * 300, "\n", "\t", "~", "<<", "[", "(", "*", "::",
    "${env.DUST_X}", "${env.NONE}", "${env.DUST_API_KEY}", "${", "$${", "${.}", "${matrix.m}",
    "${row}", "${row.q}", "${row.q.0}", f"${{row.{'9' * 5000}}}", "a${row.q}b",
    "latest", "ab" * 32, "result", "results[0]", "result.my-key", "^(a+)+$", "slow", "[specification]",
    "../x", "/etc/passwd", "q.jsonl", "q.csv", "s.json", "..", "nul", "a[b]",
])  # fmt: skip
odd = st.one_of(
    odd_texts,
    st.none() | st.booleans() | st.sampled_from([0, -1, 1, 1.5, 1e308, 10**30, 2**63]),
    st.sampled_from(["[]", "{}", "[[]]", "[{}]", '{"": 1}', '{"a": {"b": [1, {"c": null}]}}']).map(
        json.loads
    ),
    st.text(max_size=4),
)
INNER = (
    "workspace space runs min_pass compare ignore similar significant_digits unordered on_change to ratio abs"
)
keys = (
    st.sampled_from([*KEYS, *MATCHERS, *INNER.split(), "inptu", "cses", "Input", "skip", "xfail"]) | odd_texts
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Give every place in a JSON value, as a mapping or list with a key or index of it."""
    steps = list(
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [(value, step) for step, _ in steps] + [place for _, below in steps for place in places(below)]


@st.composite
def misshapen(draw: Any, value: Any, most: int = 3) -> Any:
    """Give a JSON value in which some places are changed, moved, removed or renamed."""
    found = json.loads(json.dumps(value))
    for _ in range(draw(st.sampled_from([0, 1, 1, most]))):
        everywhere = places(found)
        if not everywhere:
            break
        holder, step = draw(st.sampled_from(everywhere))
        how = draw(st.sampled_from(["replace", "remove", "rename", "double", "copy"]))
        if how == "remove":
            holder.pop(step)
        elif how == "rename" and isinstance(holder, dict):
            holder[draw(keys)] = holder.pop(step)
        elif how == "double":
            holder[step] = [holder[step], holder[step]]
        elif how == "copy":
            other, there = draw(st.sampled_from(everywhere))
            holder[step] = json.loads(json.dumps(other[there]))
        else:
            holder[step] = draw(odd)
    return found


PIECES = [
    "&a ",
    "*a ",
    ": ",
    "- ",
    "\n",
    "\t",
    "'",
    '"',
    "{",
    "}",
    "[",
    "#",
    "!!x ",
    "<<: ",
    "| ",
    "---\n",
    "\x85",
]


@st.composite
def written(draw: Any, value: Any) -> bytes:
    """Give a JSON value as JSON or YAML text, perhaps with typing errors."""
    as_yaml = draw(st.booleans())
    text = (
        yaml.safe_dump(value, sort_keys=False)
        if as_yaml
        else json.dumps(value, indent=draw(st.none() | st.just(1)))
    )
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3]))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 5))
        text = text[:at] + draw(st.sampled_from(PIECES) | st.text(max_size=2)) + text[at + cut :]
    return text.encode("utf-8", draw(st.sampled_from(["replace", "surrogatepass"])))


def as_csv(rows: Any) -> bytes:
    """Give rows as CSV, as far as possible."""
    names = ["id", "q", "n"]
    kept = [row for row in rows if isinstance(row, dict)]
    out = io.StringIO(newline="")
    csv.writer(out).writerows([names, *([row.get(name) for name in names] for row in kept)])
    return out.getvalue().encode("utf-8", "replace")


@st.composite
def beside(draw: Any) -> dict[str, bytes]:
    """Give the files that suites name."""
    rows = draw(st.just(ROWS) | misshapen(ROWS, most=2))
    return {
        "q.json": draw(written(rows)) if draw(st.booleans()) else json.dumps(rows).encode(),
        "q.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows).encode(),
        "q.csv": as_csv(rows),
        "s.json": json.dumps(draw(st.just(RULES) | misshapen(RULES, most=2))).encode(),
    }


suites = st.sampled_from([LONG, MATCHED, TABLE]).flatmap(misshapen).flatmap(written)


# ── what comes of it ─────────────────────────────────────────────────────────────────────────────


def assert_told(error: SuiteError, file: str) -> None:
    """Every mistake has a place, and its line is bounded and harmless on a terminal."""
    assert error.problems
    for problem in error.problems:
        assert problem.place >= (1, 1)
        line = problem.line(file)
        assert re.match(rf"{re.escape(file)}:\d+:\d+: \S", line)
        assert line == safe(line)
        assert len(line) < LONGEST
    lines = str(error).replace("\t", " ").split("\n")
    assert lines == [safe(line) for line in lines]


@bounded
@given(suites, beside())
def test_any_suite_gives_cases_or_mistakes(source, files):
    """A changed suite with changed files gives cases or mistakes."""
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            Path(folder, name).write_bytes(content)
        try:
            cases = suite.load(source, "t.dust.yaml", LOOK_UP, Here(Path(folder), MATCHERS))
        except SuiteError as error:
            assert_told(error, "t.dust.yaml")
            return
    ids = [case.id for case in cases]
    assert ids
    assert len(set(ids)) == len(ids)
    assert all(id_.isprintable() and len(id_) < 250 for id_ in ids)
    assert len({case_file(id_) for id_ in ids}) == len(ids)


@bounded
@given(st.lists(st.fixed_dictionaries({"id": odd | st.text(max_size=20)}), min_size=1, max_size=5))
def test_any_ids_of_rows_give_cases_or_mistakes(rows):
    """Rows with any ids give cases with different ids and file names, or mistakes."""
    with TemporaryDirectory() as folder:
        Path(folder, "q.json").write_text(json.dumps(rows))
        text = json.dumps({**HEAD, "dataset": "q.json", "input": {}})
        try:
            cases = suite.load(text.encode(), "t.dust.yaml", LOOK_UP, Here(Path(folder), MATCHERS))
        except SuiteError as error:
            assert_told(error, "t.dust.yaml")
            return
    assert len({case_file(case.id) for case in cases}) == len(rows)


@settings(bounded, max_examples=2, phases=[Phase.generate])  # making examples smaller takes minutes
@given(st.lists(suites, min_size=12, max_size=12), beside())
def test_any_suites_are_collected_or_refused(project, server, sources, files):
    """Any suites are collected, checked, recorded and replayed without an error of the plugin."""
    suites = {f"{at}.dust.yaml": source for at, source in enumerate(sources)}
    example = project.having({**suites, **files}).using(server).exporting(DUST_X="x", DUST_TIMEOUT="20")
    for options in (["--co", "-q"], ["--dust-check"], ["--dust-mode=record", "-v", "--junitxml=o.xml"], []):
        result = example.run(*options)
        told = result.out + result.err
        for word in ("INTERNALERROR", "Traceback", "pytest_dust/"):
            assert word not in told
        assert all(name in told for name in suites)
        example = result.example
