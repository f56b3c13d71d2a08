"""The option table, the pages and `pytest --help` say the same."""

from __future__ import annotations

import importlib.util
import os
import re

import pytest
from doc_pages import PAGES, PROJECT, table, text

from pytest_dust import plugin, settings
from pytest_dust.checks.matchers import MATCHERS
from pytest_dust.suite.keys import KEYS

GENERATED = {"reference", "troubleshooting"}
BY_HAND = "\n".join(text(page) for page in PAGES if page not in GENERATED)
FLAGS = [option.flag for option in settings.OPTIONS] + [f"--dust-{name}" for name in plugin.COMMANDS]
JOBS_OWN = {"DUST_NOTE_TOKEN"}
"""Variables that a job of docs/ci.md has for itself."""
COMMIT_IT = "docs/reference.md is not what the tables say; write it anew: python docs/generate.py"


def generator():
    """Return the module docs/generate.py."""
    spec = importlib.util.spec_from_file_location("generate_reference", PROJECT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_what_the_tables_say():
    """docs/reference.md is what docs/generate.py writes; UPDATE_GOLDEN=1 writes it anew."""
    page = generator().page()
    if os.environ.get("UPDATE_GOLDEN") == "1":
        PAGES["reference"].write_text(page, encoding="utf-8")
    assert text("reference") == page, COMMIT_IT


def test_help_has_every_option(project):
    """`pytest --help` names every option, command and ini value."""
    words = set(re.findall(r"[\w-]+", project.run("--help").out))
    assert words >= {*FLAGS, *(option.ini for option in settings.OPTIONS), *settings.LISTS}


def test_the_reference_has_every_option():
    """The reference names every option with ini, environment and default, every command and every list."""
    rows = [[*re.findall(r"`(--[\w-]+|\w+)", row[0]), row[1]] for row in table("reference", "| option, ini")]
    assert rows == [
        [option.flag, option.ini, option.environment, f"`{option.default}`" if option.default else ""]
        for option in settings.OPTIONS
    ]
    assert all(f"| `--dust-{name}" in text("reference") for name in plugin.COMMANDS)
    assert all(f"| `{name}` |" in text("reference") for name in settings.LISTS)


@pytest.mark.parametrize("name", [*FLAGS, *settings.LISTS])
def test_a_page_written_by_hand_describes_every_option(name):
    """Every option, command and ini list is on a page written by hand, by its name or its ini value's."""
    names = [name, name.removeprefix("--").replace("-", "_")]
    assert any(re.search(rf"(?<![\w-]){re.escape(each)}(?![\w-])", BY_HAND) for each in names)


@pytest.mark.parametrize("page", PAGES)
def test_every_option_on_a_page_exists(page):
    """No page names an option, ini value or variable of ours that does not exist."""
    named = {name.rstrip("-") for name in re.findall(r"--dust-[a-z-]++(?!…)", text(page))}
    assert named <= set(FLAGS)
    ini = set(re.findall(r"(?<![\w./])dust_[a-z_]+(?=`| =)", text(page)))
    assert ini <= {option.ini for option in settings.OPTIONS} | set(settings.LISTS)
    variables = set(re.findall(r"(?<![\w$])DUST_[A-Z_]+[A-Z]", text(page)))
    ours = {option.environment for option in settings.OPTIONS} | {"DUST_API_KEY"}
    assert variables <= ours | JOBS_OWN


def test_every_mode_has_its_row():
    """Every mode is a row of the table of modes."""
    found = [re.search(r"`(.+?)`", row[0]) for row in table("modes", "| `--dust-mode` |")]
    assert [one and one[1] for one in found] == list(settings.Mode)


def test_every_matcher_has_its_row():
    """The table of matchers names every matcher and nothing else."""
    cells = [re.sub(r": [^`]*`", "`", row[0]) for row in table("matchers", "| matcher |")]
    named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert named - {"false"} == set(MATCHERS)


def test_every_key_has_its_row_with_its_place():
    """The table of keys names every key, and where it may be."""
    rows = {
        name: row[1] for row in table("suites", "| key | where |") for name in re.findall(r"`(\w+)`", row[0])
    }
    assert rows == {
        name: ", ".join(where for where, there in (("suite", key.suite), ("case", key.case)) if there)
        for name, key in KEYS.items()
    }


@pytest.mark.parametrize("key", ["baseline", "repeat", "gate"])
def test_every_sub_key_is_shown(key):
    """Each key of `baseline`, `repeat` and `gate` is on a page written by hand."""
    schema = KEYS[key].schema
    names = {name for each in (schema, *schema.get("anyOf", ())) for name in each.get("properties", {})}
    assert names
    assert [name for name in names if not re.search(rf"\b{name}: ", BY_HAND)] == []
