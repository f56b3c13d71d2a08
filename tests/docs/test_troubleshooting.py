"""docs/troubleshooting.md has every message of the package, each with what to do."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def loaded(name):
    """Load a module of docs/, which is not on the path; those that it imports are loaded before."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


code_texts = loaded("code_texts")
messages = loaded("messages")
troubleshooting = loaded("troubleshooting")

SECTIONS = troubleshooting.SECTIONS


@pytest.fixture(scope="module")
def shown():
    """Give the messages of each section."""
    return troubleshooting.shown()


def entries(section, shown):
    """Give the entries of a section."""
    return troubleshooting.entries(section, shown[section.title])


# ── the page ─────────────────────────────────────────────────────────────────────────────────────


def test_page_is_what_the_code_says():
    """The committed page is the one that the generator writes now."""
    if os.environ.get("UPDATE_GOLDEN"):
        troubleshooting.PAGE.write_text(troubleshooting.page(), encoding="utf-8")
    assert troubleshooting.PAGE.read_text(encoding="utf-8") == troubleshooting.page(), (
        "write it anew: python docs/troubleshooting.py, or run this test with UPDATE_GOLDEN=1"
    )


@pytest.mark.parametrize("section", SECTIONS, ids=[each.title for each in SECTIONS])
def test_each_entry_says_what_to_do(section, shown):
    """A message says what to do, or what is allowed; if it does not, the page does."""
    silent = [each.texts[0] for each in entries(section, shown) if not each.help]
    assert [text for text in silent if not troubleshooting.SAYS_IT.search(text)] == [], (
        "mend the messages, or give them an entry in `help` of the section in docs/troubleshooting.py"
    )


@pytest.mark.parametrize("section", SECTIONS, ids=[each.title for each in SECTIONS])
def test_help_is_for_messages_that_exist(section, shown):
    """The page has no help for a message that the code does not make any more."""
    assert [each.help for each in entries(section, shown) if not each.texts] == []


def test_real_messages_are_found(shown):
    """The fixed words of a real message are on the page, in their order and as printed."""
    texts = [text for texts in shown.values() for text in texts]
    known = [re.compile(".*".join(map(re.escape, pieces(text))), re.DOTALL) for text in texts]
    files = sorted((ROOT / "tests" / "suite" / "broken").glob("*.expected"))
    real = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    unknown = [line for line in real if re.match(r"\S+:\d+:\d+: ", line) and not found(known, line)]
    assert unknown == []
    assert len(real) > 50


def pieces(text):
    """Return the fixed parts of a message; a part at its end that others may lack is left out."""
    parts = [part for part in re.split(f"{code_texts.VARIES}|, or ", text) if part.strip()]
    return parts[:-1] if len(parts) > 1 else parts


def found(known, line):
    """Tell whether a line has one of the messages."""
    return any(pattern.search(line) for pattern in known)


# ── the messages are complete ────────────────────────────────────────────────────────────────────


def test_each_raised_error_has_a_message_or_a_reason():
    """An error that is raised is one that carries a message, or is listed as one that users never see."""
    internal = {name for names in messages.INTERNAL for name in names.split()}
    raised = {name for module in code_texts.modules().values() for name in raised_in(module.tree)}
    assert raised - set(messages.ERRORS) == internal


def raised_in(tree):
    """Return the names of the classes that are raised; a function or variable is written in small letters."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            made = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = ast.unparse(made).rpartition(".")[2]
            if name.lstrip("_")[:1].isupper():
                yield name


def test_each_message_can_be_read_from_the_code():
    """A place that makes a message has fixed words to search for, or is listed with the reason."""
    made = (site for site in messages.sites() if any(site.texts))
    silent = {site.place for site in made if not any(map(troubleshooting.has_fixed_words, site.texts))}
    assert silent == {place for places in messages.PASSED_ON.values() for place in places.split()}


def test_functions_with_messages_exist():
    """The list of functions that return messages names functions that exist."""
    modules = code_texts.modules()
    for name in messages.RETURNED:
        module, _, function = name.rpartition(".")
        assert function in modules[module].functions


# ── reading a text from the code ─────────────────────────────────────────────────────────────────

CODE = '''
LIMIT = 64
KINDS = ("a", "b")
CHECKS = {"x": "check the value of x", "y": "check the value of y"}

def hint(name):
    return f"; give a number, not {name}" if name else ""

def text(value, kind):
    """A function with messages."""
    what = f"{value} is larger than {LIMIT} MB"
    lost = "at first, this" if value else "at first, that"
    lost = "then another value is assigned"
    for _, each in CHECKS.items():
        return each
    return 0
'''


@pytest.mark.parametrize(
    ("expression", "texts"),
    [
        ("'as it is'", ["as it is"]),
        ("f'{value} is wrong'", ["… is wrong"]),
        ("f'at most {LIMIT * 2} of {value}'", ["at most 128 of …"]),
        ("f'there are: {\", \".join(KINDS)}'", ["there are: a, b"]),
        ("what", ["… is larger than 64 MB"]),
        ("what + '; split it'", ["… is larger than 64 MB; split it"]),
        ("lost", ["then another value is assigned"]),
        ("'one' if value else 'two'", ["one", "two"]),
        ('f\'a case{"" if value else "s"} failed\'', ["a case… failed"]),
        ("f'wrong{hint(value)}'", ["wrong; give a number, not …", "wrong"]),
        ("f'wrong{hint(\"text\")}'", ["wrong; give a number, not text", "wrong"]),
        ("each", ["check the value of x", "check the value of y"]),
        ("CHECKS.get(kind, 'check both')", ["check the value of x", "check the value of y", "check both"]),
        ("unknown(value)", ["…"]),
    ],
)
def test_text_of_an_expression(expression, texts):
    """A text is read with its forms, the values of constants, and a mark for what varies."""
    names: dict[str, object] = {}
    exec(CODE, names)
    module = code_texts.module("code", CODE, names)
    function = module.functions["text"]
    node = ast.parse(expression, mode="eval").body
    ast.increment_lineno(node, function.end_lineno - 1)
    assert code_texts.texts(node, code_texts.Scope(module, (function,))) == texts
