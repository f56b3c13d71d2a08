"""Suites and their cassettes, written by the pytest-dust that is to replay them, so that they always fit.

Reads from standard input a JSON list of corpora: folder, files, cases (per file), size (bytes of an answer),
recorded (whether cassettes are written), schema (whether answers are checked with a JSON Schema) and change
(a failing expectation: matcher and kind of change).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import answers

from pytest_dust.cassettes import binding, files
from pytest_dust.cassettes import format as cassette
from pytest_dust.dust import wire
from pytest_dust.model import App, Exchange, Flavor, Reply, RunRequest

ADDRESS = App(answers.WORKSPACE, answers.SPACE, answers.APP)
RECORDED_AT = "2026-11-02T08:00:00Z"
HEAD = f"""\
app: {{id: {answers.APP}, workspace: {answers.WORKSPACE}, space: {answers.SPACE}}}
specification_hash: {answers.HASH}
"""
SCHEMA = """\
expect:
  result.documents:
    schema:
      type: array
      items:
        type: object
        required: [id, score, text]
        properties:
          id: {type: string, pattern: "^doc-"}
          score: {type: number, minimum: 0, maximum: 1}
          text: {type: string, minLength: 1}
        additionalProperties: false
"""
CASES = "cases:\n"
CASE = """\
  - id: case-{number}
    input: {{question: "{question}"}}
    expect:
      result.label: {label}
"""
GOLDEN = """\
  - id: case
    dataset: golden.json
    input: {{question: "${{row.question}}"}}
    expect:
      result.documents: {{{matcher}: "${{row.expected}}"}}
"""


def make(folder: Path, spec: dict[str, Any]) -> None:
    """Write one corpus."""
    folder.mkdir(parents=True)
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    for file in range(spec["files"]):
        suite = folder / f"suite-{file:03}.dust.yaml"
        numbers = range(file * spec["cases"], (file + 1) * spec["cases"])
        cases = [CASE.format(number=n, question=answers.question(n), label=answers.label(n)) for n in numbers]
        head = HEAD + (SCHEMA if spec["schema"] else "") + CASES
        suite.write_text(head + "".join(cases), encoding="utf-8")
        for number in numbers if spec["recorded"] else ():
            record(suite, f"case-{number}", number, spec["size"])


def make_golden(folder: Path, spec: dict[str, Any]) -> None:
    """Write a corpus of one case that expects something else than was recorded."""
    matcher, change = spec["change"]
    folder.mkdir(parents=True)
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    suite = folder / "suite-000.dust.yaml"
    suite.write_text(HEAD + CASES + GOLDEN.format(matcher=matcher), encoding="utf-8")
    value = answers.body(answers.question(0), spec["size"], change)["run"]["results"][0][0]["value"]
    row = {"id": "one", "question": answers.question(0), "expected": value["documents"]}
    (folder / "golden.json").write_text(json.dumps([row]), encoding="utf-8")
    record(suite, "case[one]", 0, spec["size"])


def record(suite: Path, case: str, number: int, size: int) -> None:
    """Write a case's cassette."""
    asked = answers.question(number)
    request = RunRequest(ADDRESS, answers.HASH, {}, [{"question": asked}], None)
    headers = {"content-type": "application/json"}
    exchange = Exchange("POST", wire.runs_path(request), 200, headers, answers.body(asked, size))
    reply = Reply(Flavor.BLOCKING, (exchange,), 0.5)
    path = files.folder_of(suite, "cassettes", suite.parent).cassette(case).file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cassette.dumps(binding.bound(request), [reply], RECORDED_AT))


if __name__ == "__main__":
    for wanted in json.load(sys.stdin):
        (make_golden if wanted["change"] else make)(Path(wanted["folder"]), wanted)
