"""Merge conflicts, and pointers of Git LFS and git-annex, in the files of a suite."""

from __future__ import annotations

import pytest

from conftest import SUPPORT, suite
from pytest_dust.files import git_marks

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
TABLE = "cases: [{id: a, dataset: %s}]\n"


def conflict(ours, theirs):
    """The text of a file in which git could not merge two versions."""
    return f"<<<<<<< HEAD\n{ours}\n=======\n{theirs}\n>>>>>>> other\n"


FILES = {
    "d.csv": ("question\n" + conflict("one", "two"), TABLE % "d.csv", 2),
    "d.jsonl": (conflict('{"question": "one"}', '{"question": "two"}'), TABLE % "d.jsonl", 1),
    "d.json": ("[\n" + conflict('{"question": "one"}', '{"question": "two"}') + "]", TABLE % "d.json", 2),
    "d.yaml": (conflict("- question: one", "- question: two"), TABLE % "d.yaml", 1),
    "s.json": (
        "{\n" + conflict('"type": "object"', '"type": "array"') + "}",
        "input: {question: x}\nexpect: {result: {schema: s.json}}\n",
        2,
    ),
}
MODES = ["--dust-mode=record", "--dust-check"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", FILES)
def test_what_a_suite_names_is_not_read_as_data(project, server, name, mode):
    """A conflict or pointer in a dataset or schema is a mistake that says what to do; nothing runs."""
    text, cases, line = FILES[name]
    example = project.having({"a.dust.yaml": suite(server, SUPPORT, cases)}).using(server)
    conflicting = example.having({name: text}).run(mode)
    assert f"merge conflict (<<<<<<<) at line {line}, column 1; resolve it" in conflicting.out
    pointing = example.having({name: LFS}).run(mode)
    assert "it is a Git LFS pointer; fetch the file itself: git lfs pull" in pointing.out
    assert name in conflicting.report
    assert name in pointing.report
    assert server.requests == []


@pytest.mark.parametrize("mode", MODES)
def test_a_suite_with_a_conflict_or_pointer_is_an_error(project, server, mode):
    """A suite with a conflict has an error with its line; one that is a pointer says so."""
    text = suite(server, SUPPORT, conflict("input: {question: x}", "input: {question: y}"))
    line = text[: text.index("<<<<<<<")].count("\n") + 1
    files = {"a.dust.yaml": text, "b.dust.yaml": LFS}
    result = project.having(files).using(server).run(mode)
    assert f"a.dust.yaml:{line}:1: cannot be read: it holds a merge conflict (<<<<<<<)" in result.out
    assert "b.dust.yaml:1:1: cannot be read: it is a Git LFS pointer" in result.out
    assert result.outcomes == {"error": 2}


@pytest.mark.parametrize(
    "text",
    ["a <<<<<<< b", "<<<<<<< a\nno end", "=======\n", "  <<<<<<< x\n=======\n>>>>>>> y\n", "version: 1"],
)
def test_what_only_looks_alike_is_read(text):
    """A text may have one line that looks like part of a conflict."""
    assert git_marks.found(text) is None
