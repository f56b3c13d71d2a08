"""Annotations name the right line of the right file, and nothing in them is a command."""

from __future__ import annotations

import ntpath
from pathlib import PureWindowsPath
from types import SimpleNamespace

import pytest
from made_records import FAILED, TEXT, block, changed, failure, passed, trouble, wrong
from msgspec.structs import replace

from pytest_dust import wording
from pytest_dust.report import github
from pytest_dust.report.github import annotation_lines, error
from pytest_dust.report.record import CaseOutcome, DriftRecord, ProblemRecord, SessionRecord
from pytest_dust.report.terminal import inert


def lines(*cases, problems=(), folder="/repo/tests", root="/repo") -> list[str]:
    """The annotations of these cases."""
    session = SessionRecord("live", folder, problems=tuple(problems))
    return list(annotation_lines(session, cases, root))


def test_each_failed_case_has_one():
    """Only cases that fail the session are annotated."""
    found = lines(
        passed(),
        changed(block(TEXT), name="reported"),
        changed(block(TEXT), name="changed", **FAILED),
        wrong("wrong"),
        wrong("known", outcome=CaseOutcome.XFAILED),
        trouble("no cassette (looked in x)\nrecord it", "bare"),
    )
    assert [line.partition("title=")[2] for line in found] == [
        'a%3A%3Achanged::it begins in A (llm): result "old" → "new" (on_change: fail)',
        'a%3A%3Awrong::result.label: expected "billing", actual "shipping"',
        "a%3A%3Abare::no verdict: no cassette (looked in x)",
    ]


def test_the_line_of_the_first_failed_expectation():
    """The annotation is at the expectation, in a path from the repository's root."""
    case = wrong("w", replace(failure(), line=17), file="support/a.dust.yaml")
    (line,) = lines(case)
    assert line.startswith("::error file=tests/support/a.dust.yaml,line=17,title=")
    assert lines(replace(case, file="../a.dust.yaml"))[0].startswith("::error file=a.dust.yaml,line=17,")


def test_a_broken_suite_has_one():
    """A suite that could not be read is annotated with its message, at its first mistake."""
    (line,) = lines(
        problems=[ProblemRecord("tests/b.dust.yaml", "b.dust.yaml:2:8: x\n  y", "b.dust.yaml", 2)]
    )
    assert line == "::error file=tests/b.dust.yaml,line=2,title=tests/b.dust.yaml::b.dust.yaml:2:8: x%0A  y"


def test_a_drift_has_one():
    """An app that has drifted is annotated at the line of its pin; one that has not, is not."""
    drift = DriftRecord("s/a.dust.yaml::[x]", "a.dust.yaml", "app", "h", drifted=True, exists=True, line=2)
    passed_ = replace(drift, drifted=False)
    session = SessionRecord("live", "/repo/s", drifts=(drift, passed_))
    (line,) = annotation_lines(session, [], "/repo")
    assert line.startswith(
        "::error file=s/a.dust.yaml,line=2,title=s/a.dust.yaml%3A%3A[x]::app app drifted: "
    )


def test_a_python_test_has_one():
    """A Python test whose runs changed is annotated once, however many runs it made."""
    runs = [
        changed(block(TEXT), name=f"test_it{n}", is_test=True, file="test_a.py", **FAILED)
        for n in ("", "[2]")
    ]
    assert len(lines(*runs)) == 1


def test_a_message_cannot_become_another_command():
    """Line breaks and the characters that separate a command's parts are escaped."""
    line = error("a,b:c", 3, "t\n::error::x", "100%\r\n::set-output name=a::b")
    assert (
        line
        == "::error file=a%2Cb%3Ac,line=3,title=t%0A%3A%3Aerror%3A%3Ax::100%25%0D%0A::set-output name=a::b"
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("::error::x", "\\u003a:error::x"),
        ("   ::add-mask::x", "   \\u003a:add-mask::x"),
        ("a ##[error]x", "a \\u0023#[error]x"),
        ("a.dust.yaml::refund", "a.dust.yaml::refund"),
        ("", ""),
    ],
)
def test_a_line_of_output_is_no_command(line, expected):
    """GitHub reads `::…` at the start of a line, and `##[` anywhere; other lines stay as they are."""
    assert inert(line) == expected


@pytest.mark.parametrize(
    ("folder", "root", "file"),
    [
        (r"D:\a\repo\tests", r"D:\a\repo", "tests/a.dust.yaml"),
        (r"D:\a\repo", "", "a.dust.yaml"),
        (r"C:\temp", r"D:\a\repo", "C:/temp/a.dust.yaml"),
    ],
)
def test_a_path_of_windows_is_from_the_root_of_the_repository(monkeypatch, folder, root, file):
    """On Windows a path is from the repository's root too, and whole if it is on another drive."""
    monkeypatch.setattr(wording, "os", SimpleNamespace(path=ntpath, sep=ntpath.sep))
    monkeypatch.setattr(github, "Path", PureWindowsPath)
    problem = ProblemRecord("a", "it is wrong", "a.dust.yaml", 3)
    (line,) = lines(problems=[problem], folder=folder, root=root)
    assert line.startswith(f"::error file={file.replace(':', '%3A')},line=3,")
