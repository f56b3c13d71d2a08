"""The record of a session is complete: it survives JSON, and every report can be written from it."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
from answers import bounded
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import fields

from conftest import PLAIN_RECORD, SUPPORT, config_of, suite
from pytest_dust.model import CassetteFiles, Expected, Rates, Repeat, Status, Tokens
from pytest_dust.report import record as records
from pytest_dust.report.case import case_lines, headline
from pytest_dust.report.drift import drift_lines
from pytest_dust.report.record import CaseRecord, RunSource, SessionRecord, Verdict
from pytest_dust.report.record_json import from_json, read_session, schema, to_json
from pytest_dust.report.session import summary

WRITE = """
import json

def pytest_terminal_summary(terminalreporter, config):
    records = config.pluginmanager.get_plugin("dust-records")
    from pytest_dust.report.record_json import to_json
    texts = {
        report.nodeid: report.longreprtext
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "dust", None) and report.failed
    }
    with open("record.json", "w") as file:
        json.dump([to_json(records.session()), texts], file)
"""
CASES = """
cases:
  - id: wrong
    input: {question: Where is my refund?}
    expect: {result.label: other, result.answer: {not: {icontains: refund}}}
  - id: changed
    input: {question: Where is my refund?}
  - id: often
    input: {question: Where is my refund?}
    repeat: {runs: 3, min_pass: 2}
    expect: {result.label: shipping}
"""


@pytest.fixture
def example(project, server):
    """A recorded project of three cases and a test; the app has changed since."""
    files = {
        "a.dust.yaml": suite(server, SUPPORT, CASES),
        "test_it.py": f"{TEST}, config={config_of(SUPPORT)!r})\n",
        "conftest.py": WRITE,
    }
    made = project.having(files).using(server).recorded()
    server.drift()
    return made


def left(result) -> tuple[SessionRecord, dict[str, str]]:
    """The session's record, read back from JSON, and pytest's text for each failed test."""
    document, texts = json.loads(result.example.files["record.json"])
    of_worker = re.compile(r"^\[gw\d\].*\n")
    return from_json(SessionRecord, document), {name: of_worker.sub("", text) for name, text in texts.items()}


OPTIONS = ("--dust-mode=live", "--dust-drift", "--dust-on-change=fail")
TEST = f"def test_it(dust):\n    dust.run(app='{SUPPORT}', input={{'question': 'Where is my refund?'}}"


def test_every_text_is_written_from_the_record(example):
    """The reports, the short summary lines and the summary are what the record as JSON gives."""
    result = example.run(*OPTIONS)
    session, texts = left(result)
    written = {case.id: "\n".join(case_lines(case)) for case in session.cases}
    written |= {drift.id: "\n".join(drift_lines(drift)) for drift in session.drifts}
    assert {name: written[name] for name in texts} == texts
    assert len(texts) == 4
    for case in session.cases:
        if not case.passed:
            assert f"{case.id} - {headline(case)}"[:100] in result.out
    lines = list(summary(session))
    assert len(lines) == 2
    assert "\n".join(lines) in result.out


def test_the_record_of_a_worker_is_as_complete(example):
    """The controller of pytest-xdist has the record of a single process, but for times and run ids."""
    alone, _ = left(example.run(*OPTIONS))
    session, texts = left(example.run(*OPTIONS, "-n", "1", subprocess=True))
    assert sorted(map(steady, session.cases), key=str) == sorted(map(steady, alone.cases), key=str)
    written = {case.id: "\n".join(case_lines(case)) for case in session.cases}
    assert {name: written[name] for name in texts} == texts
    assert len(texts) == 4


def steady(case: CaseRecord) -> Any:
    """A case's record without what is new in every run."""
    document = to_json(case)
    for attempt in document["attempts"]:
        attempt |= {"run_id": "", "duration": 0}
    return {**document, "command": ""}


def test_a_session_fits_its_schema(example):
    """The JSON Schema of the record takes what a session writes."""
    result = example.run("--dust-mode=live", "--dust-drift")
    document, _ = json.loads(result.example.files["record.json"])
    jsonschema.Draft202012Validator(schema()).validate(document)


def test_the_schema_refuses_another_form():
    """A case without an id is no case."""
    document = to_json(SessionRecord("live", "/", cases=(PLAIN_RECORD,)))
    del document["cases"][0]["id"]
    assert not jsonschema.Draft202012Validator(schema()).is_valid(document)
    with pytest.raises(ValueError, match=r"id.*\$\.cases\[0\]"):
        from_json(SessionRecord, document)


def test_a_record_of_another_version_is_refused():
    """A record of a version that this pytest-dust does not know is not read, though its form may fit."""
    document = to_json(SessionRecord("live", "/"))
    assert read_session(document) == SessionRecord("live", "/")
    with pytest.raises(ValueError, match="the record has version 2; this pytest-dust reads version 1"):
        read_session({**document, "version": 2})


# ── properties ───────────────────────────────────────────────────────────────────────────────────

TEXT = st.text(max_size=6)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)


def json_equal(value: Any) -> Any:
    """A value as JSON text gives it back."""
    return json.loads(json.dumps(value))


def built() -> st.SearchStrategy[SessionRecord]:
    """Sessions with all parts of a record."""
    path = st.lists(TEXT | st.integers(0, 9), max_size=2).map(tuple)
    tokens = st.builds(Tokens, st.integers(0, 9), st.integers(0, 9))
    kinds = st.sampled_from(["changed", "added", "removed"])
    change = st.builds(records.ChangeRecord, path, VALUE, VALUE, kinds, st.none() | st.just((1, 2)))
    changes = st.lists(change, max_size=2).map(tuple)
    place = st.none() | st.integers(1, 3)
    block = st.builds(
        records.BlockChangeRecord,
        TEXT,
        TEXT,
        st.integers(0, 3),
        place,
        st.booleans(),
        changes,
        st.integers(0, 9),
    )
    blocks = st.lists(block, max_size=2).map(tuple)
    comparison = st.builds(
        records.ComparisonRecord, TEXT, changes, st.integers(0, 9), blocks, st.integers(0, 9), TEXT
    )
    expected = st.builds(Expected, TEXT, VALUE, st.just(()))
    failure = st.builds(records.FailureRecord, TEXT, expected, VALUE, st.booleans(), TEXT, changes)
    attempt = st.builds(
        records.AttemptRecord,
        st.none() | TEXT,
        st.none() | TEXT,
        st.sampled_from(Status),
        st.none() | TEXT,
        st.floats(0, 9),
        tokens,
        st.lists(failure, max_size=2).map(tuple),
        st.integers(0, 9),
        st.none() | comparison,
    )
    case = st.builds(
        CaseRecord,
        *[TEXT] * 2,
        st.integers(0, 9),
        *[TEXT] * 5,
        st.sampled_from(RunSource),
        st.sampled_from(Verdict),
        attempts=st.lists(attempt, max_size=2).map(tuple),
        repeat=st.sampled_from([None, Repeat(2, 1), Repeat(14, 5, Rates(0.95, 0.6))]),
        spread=st.sampled_from([None, records.SpreadRecord(2, 1, 0.1, 0.9, "why")]),
        tokens=tokens,
    )
    drifted = st.builds(records.BlockDriftRecord, TEXT, TEXT, TEXT, changes)
    drift = st.builds(
        records.DriftRecord, *[TEXT] * 4, blocks=st.none() | st.lists(drifted, max_size=2).map(tuple)
    )
    files = st.none() | st.builds(CassetteFiles, kept=st.dictionaries(TEXT, TEXT, max_size=1))
    return st.builds(
        SessionRecord,
        TEXT,
        TEXT,
        cases=st.lists(case, max_size=2).map(tuple),
        drifts=st.lists(drift, max_size=1).map(tuple),
        files=files,
    )


@bounded
@given(built())
def test_a_record_survives_json(session):
    """Whatever a record holds, JSON text gives the same record back."""
    assert from_json(SessionRecord, json_equal(to_json(session))) == session


def test_no_record_holds_a_function():
    """No field of any record is declared as a callable: a record is data."""
    kinds = [kind for kind in vars(records).values() if isinstance(kind, type) and issubclass(kind, Struct)]
    assert len(kinds) > 10
    assert [each.name for kind in kinds for each in fields(kind) if "Callable" in str(each.type)] == []
