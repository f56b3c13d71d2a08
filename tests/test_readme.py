"""The README is short, and its commands are those of CI; tests/docs reads it as one of the pages."""

from __future__ import annotations

from doc_pages import PROJECT, fences, text


def test_the_two_commands_are_in_ci_letter_by_letter():
    """The two commands for a fresh clone are lines of `.ci/run`."""
    commands = [
        fence.text.strip() for fence in fences("README") if fence.language == "sh" and "venv" in fence.text
    ]
    assert len(commands) == 2
    lines = (PROJECT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert [command for command in commands if command not in lines] == []


def test_it_is_short():
    """The README has what decides in two minutes; the rest is in docs/."""
    assert len(text("README").splitlines()) < 200
