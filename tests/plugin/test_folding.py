"""Cases that changed in the same way are reported once in the terminal, each in full with `-v`."""

from __future__ import annotations

import re

import pytest

from conftest import SUPPORT, suite

MANY = 44
SUMMARISE = "51aa0c7e2d"


def cases(count: int, question: str = "Where is my refund?", expect: str = "") -> str:
    """A suite's cases, each with a question of its own."""
    lines = [f"  - {{id: c{n}, input: {{question: '{question} {n}'}}{expect}}}" for n in range(1, count + 1)]
    return "\n".join(["cases:", *lines, ""])


@pytest.fixture
def many(project, server):
    """A recorded project of 44 cases; the app has changed since, which fails them."""
    text = suite(server, SUPPORT, cases(MANY), "baseline: {on_change: fail}\n")
    made = project.having({"a.dust.yaml": text}).using(server).recorded()
    server.save_edited(SUPPORT)
    return made


def failures(result) -> list[str]:
    """The lines of pytest's section FAILURES."""
    text = re.split(r"^=+ FAILURES =+$", result.out, flags=re.MULTILINE)[1]
    return re.split(r"^(?:dust: |=)", text, maxsplit=1, flags=re.MULTILINE)[0].splitlines()


def test_one_cause_is_reported_once(many):
    """44 cases that begin in one block take less than 120 lines in all: the cause once, then the names."""
    result = many.run("--dust-specification-hash=latest")
    lines = failures(result)
    assert result.outcomes == {"failed": MANY}
    assert len(result.out.splitlines()) < 120
    assert sum("it begins in" in line for line in lines) == 1
    assert f"{MANY} cases of app {SUPPORT} changed in the same way" in result.report
    assert sum(line.lstrip().startswith("a.dust.yaml:") for line in lines) == 3
    named = re.findall(r"\bc\d+\b", "\n".join(lines[1:]))
    assert set(named) == {f"c{number}" for number in range(1, MANY + 1)}
    assert "pytest a.dust.yaml --dust-accept" in result.report


def test_the_short_summary_names_each_case(many):
    """The short summary names each case, as without the group."""
    result = many.run("--dust-specification-hash=latest")
    short = [line for line in result.out.splitlines() if line.startswith("FAILED ")]
    assert len(short) == MANY
    assert all("it begins in CLASSIFY (llm)" in line for line in short)


@pytest.mark.parametrize("option", ["-v", "--tb=line"])
def test_each_in_full(many, option):
    """With -v each case has a report of its own, and with --tb=line a line of its own."""
    result = many.run("--dust-specification-hash=latest", option)
    assert "in the same way" not in result.out
    titles = [line for line in failures(result) if "::c" in line or "a.dust.yaml:" in line]
    assert len(titles) >= MANY


def test_under_xdist(many):
    """The controller of pytest-xdist reports the group once too."""
    result = many.run("--dust-specification-hash=latest", "-n", "1", subprocess=True)
    assert len(result.out.splitlines()) < 120
    assert sum("it begins in" in line for line in failures(result)) == 1


def test_five_cases_have_a_report_each(project, server):
    """Up to five cases that changed in the same way are reported one by one."""
    text = suite(server, SUPPORT, cases(5), "baseline: {on_change: fail}\n")
    made = project.having({"a.dust.yaml": text}).using(server).recorded()
    server.drift()
    result = made.run("--dust-mode=live")
    assert sum("it begins in" in line for line in failures(result)) == 5


def test_two_causes_are_two_groups(project, server):
    """Cases of different blocks are in different groups, and a case that only failed has its own report."""
    texts = "\n".join(
        f"  - {{id: t{n}, input: {{text: 'The {n} new parcels left the old warehouse on a Monday. Bye.'}}}}"
        for n in range(1, 8)
    )
    files = {
        "a.dust.yaml": suite(server, SUPPORT, cases(7), "baseline: {on_change: fail}\n"),
        "b.dust.yaml": suite(server, SUMMARISE, f"cases:\n{texts}\n", "baseline: {on_change: fail}\n"),
        "c.dust.yaml": suite(server, SUPPORT, cases(1, "Hi", ", expect: {result.label: billing}")),
    }
    made = project.having(files).using(server).recorded()
    for app in (SUPPORT, SUMMARISE):
        server.save_edited(app)
    lines = failures(made.run("--dust-specification-hash=latest"))
    begun = [line for line in lines if "it begins in" in line]
    assert ["CLASSIFY" in begun[0], "SUMMARY" in begun[1], len(begun)] == [True, True, 2]
    assert sum('expected  "billing"' in line for line in lines) == 1


def test_one_trouble_is_reported_once(many):
    """44 cases without a cassette are one group, with the command that records them all."""
    bare = many.having(dict.fromkeys(many.cassettes)).offline()
    result = bare.run()
    assert len(result.out.splitlines()) < 120
    assert f"{MANY} cases have no verdict, for the same reason, here of c1:" in result.report
    assert "record it: pytest a.dust.yaml --dust-mode=record" in result.report


def test_a_case_with_output_has_its_own_report(many):
    """A case whose test wrote something keeps its report, as pytest shows the output below it."""
    conftest = "def pytest_runtest_call(item):\n    if item.name == 'c7': print('look here')\n"
    result = many.having({"conftest.py": conftest}).run("--dust-specification-hash=latest")
    assert "look here" in result.out
    assert f"{MANY - 1} cases of app" in result.report


def test_changes_that_do_not_fail_are_told_once(many):
    """Cases that passed although they changed are one group in the summary too."""
    result = many.run("--dust-specification-hash=latest", "--dust-on-change=report")
    assert result.outcomes == {"passed": MANY}
    assert result.out.count("it begins in CLASSIFY (llm)") == 1
    assert f"dust: {MANY} cases that passed changed since the recording:" in result.out
