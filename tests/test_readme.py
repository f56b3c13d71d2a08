"""What the README says is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from conftest import SUPPORT
from conftest import suite as suite_of
from pytest_dust import plugin, settings
from pytest_dust.checks.binding import Here
from pytest_dust.checks.matchers import MATCHERS
from pytest_dust.suite import cases, references
from pytest_dust.suite.keys import KEYS

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text(encoding="utf-8")
LOOK_UP = references.environment({}, frozenset())


def code(language: str) -> list[str]:
    """The README's blocks in this language, without what they are indented by."""
    found = re.findall(r"^( *)```(\w*)\n(.*?)^ *```$", README, re.MULTILINE | re.DOTALL)
    return [
        re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, of, text in found if of == language
    ]


def table(head: str) -> list[list[str]]:
    """The cells of the README's table whose head begins so."""
    rows = README[README.index(f"\n{head}") + 1 :].split("\n\n", 1)[0].split("\n")[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip("|"))] for row in rows]


def test_the_two_commands_stand_in_ci_verbatim():
    """The two commands for a fresh clone are lines of `.ci/run`, letter by letter."""
    commands = [text.strip() for text in code("sh") if "venv" in text]
    assert len(commands) == 2
    lines = (PROJECT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert all(command in lines for command in commands)


def test_suites_shown_are_the_example_files():
    """A suite that the README says stands in a file stands there just so."""
    named = re.findall(r"This is \[`(example_suites/[^`]+)`\]", README)
    named += re.findall(r"This is\s+\[`(example_suites/[^`]+)`\]", README)
    assert len(set(named)) >= 2
    for name in set(named):
        assert (PROJECT / name).read_text(encoding="utf-8") in code("yaml")


def test_every_suite_shown_is_a_good_one():
    """Each YAML block that has an app is a suite that the plugin takes."""
    shown = [text for text in code("yaml") if re.search(r"^app:", text, re.MULTILINE)]
    assert len(shown) >= 3
    for text in shown:
        here = Here(PROJECT / "example_suites" / "support", MATCHERS)
        assert cases.load(text.encode(), "readme.dust.yaml", LOOK_UP, here)


def test_every_option_has_its_row_with_the_true_default():
    """Every option stands in the README's table with ini, environment and default."""
    rows = {row[0]: row[1:] for row in table("| option | ini |")}
    assert rows == {
        f"`{option.flag}`": [
            f"`{option.ini}`",
            f"`{option.environment}`",
            f"`{option.default}`" if option.default else "",
        ]
        for option in settings.OPTIONS
    }


def test_every_mode_has_its_row():
    """Every mode stands in the table of modes."""
    found = [re.search(r"`(.+?)`", row[0]) for row in table("| `--dust-mode` |")]
    assert [one and one[1] for one in found] == list(settings.Mode)


def test_every_command_and_list_is_named():
    """What is given on the command line alone, and the ini lists, stand in the README."""
    assert all(f"`--dust-{name}`" in README for name in plugin.COMMANDS)
    assert all(re.search(rf"\b{name}\b", README) for name in settings.LISTS)


def test_every_matcher_has_its_row():
    """The table of matchers names every matcher and nothing else."""
    named = {name for row in table("| matcher |") for name in re.findall(r"`(\w+)(?=[:`])", row[0])}
    named |= {"lt", "lte"} & set(re.findall(r"\w+", README))
    assert named - {"false", "true"} == set(MATCHERS)


def test_every_key_has_its_row_with_its_place():
    """The table of keys names every key, and where it may stand."""
    rows = {name: row[1] for row in table("| key | where |") for name in re.findall(r"`(\w+)`", row[0])}
    assert rows == {
        name: ", ".join(where for where, there in (("suite", key.suite), ("case", key.case)) if there)
        for name, key in KEYS.items()
    }


def python(word: str) -> str:
    """The README's Python block with this word in it."""
    (text,) = (text for text in code("python") if word in text)
    return text


def test_the_matcher_shown_works(project, server):
    """The example of a project's own matcher works as it stands, and without the plugin."""
    example = project.having({
        "conftest.py": python("pytest_dust_matchers"),
        "a.dust.yaml": suite_of(
            server,
            SUPPORT,
            "input: {question: Where is my refund?}\nexpect: {result.answer: {polite: false}}\n",
        ),
        "test_it.py": "def test_it(): pass\n",
    }).using(server)  # fmt: skip
    told = example.run("--dust-mode=record")
    assert told.outcomes == {"passed": 2}
    other = told.example.replacing("a.dust.yaml", "polite: false", "polite: true").run()
    assert "it is not polite" in other.report
    assert told.example.run("-p", "no:dust", subprocess=True).outcomes == {"passed": 1}


def test_the_python_test_shown_works(project, server):
    """The example of the fixture `dust` works as it stands, recorded and replayed."""
    recorded = project.having({"test_it.py": python("dust.run")}).using(server).run("--dust-mode=record")
    assert recorded.outcomes == {"passed": 1}
    assert recorded.example.offline().run().outcomes == {"passed": 1}


def test_the_error_shown_is_the_one_told(project):
    """The mistake that the README shows is told in those words."""
    text = "app: {id: 9f1d3b5a7c}\ncases:\n  - id: one\n    inptu: {question: Where is my refund?}\n"
    result = project.having({"answer.dust.yaml": text}).run()
    (shown,) = (text for text in code("") if "inptu" in text)
    parts = [part.strip(" ") for line in shown.splitlines() for part in line.split("…")]
    assert [part for part in parts if part not in result.out] == []


def test_links_lead_somewhere():
    """Every file that the README links is there, and every heading."""
    headings = {
        re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-")
        for one in re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    }
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", README):
        name, _, heading = target.partition("#")
        assert not name or (PROJECT / name).exists(), target
        assert not heading or heading in headings, target


@pytest.mark.parametrize("words", sorted(set(re.findall(r"`(pytest --dust-[^`]+)`", README))))
def test_commands_shown_are_ones_that_pytest_takes(project, words):
    """Every pytest command in the text has options that there are."""
    options = [word for word in shlex.split(words.split(">")[0])[1:] if word.startswith("--")]
    assert "unrecognized arguments" not in project.run("--help", *options).err
