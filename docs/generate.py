"""Write docs/reference.md from the tables in the code: `python docs/generate.py`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_dust import settings
from pytest_dust.checks.binding import Matcher
from pytest_dust.checks.matchers import MATCHERS
from pytest_dust.plugin import COMMANDS
from pytest_dust.suite.keys import KEYS, Key

PAGE = Path(__file__).parent / "reference.md"
BAR = r"\|"
"""A bar within a cell."""
MANY = 3
"""Maximum number of types of a value that are named."""
MODES = {
    "replay": "answers from cassettes; the default",
    "record": "asks the app for cases whose cassette is missing or does not fit",
    "rerecord": "asks the app for every case, and replaces cassettes whose answer says something else",
    "live": "asks the app for every case, and writes no cassette",
}
EXIT_CODES = {
    "0": "all tests passed",
    "1": "a test failed, a suite has mistakes, or a command such as `--dust-check` found something",
    "2": "interrupted (Ctrl-C)",
    "3": "an internal error",
    "4": "an option or its value cannot be used",
    "5": "no tests were collected",
}
VARIABLES = {
    "DUST_API_KEY": "the key; no option and no ini value sets it",
    "PYTEST_ADDOPTS": "options that count as typed",
    "GITHUB_ACTIONS": "the session runs on GitHub Actions; see `--dust-github`",
    "GITHUB_STEP_SUMMARY": "the file of the job's summary, on GitHub Actions",
    "GITHUB_WORKSPACE": "the folder to which the paths of annotations are relative, on GitHub Actions",
    "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY": "proxies, as httpx reads them",
    "SSL_CERT_FILE, SSL_CERT_DIR, SSLKEYLOGFILE": "certificates and a log of TLS keys, as httpx reads them",
}
"""Environment variables that set no option."""


def page() -> str:
    """Return the text of the page."""
    return "\n\n".join([
        "# Reference",
        "Every option, ini value, variable, key and matcher, generated from the tables in the code.",
        "## Options",
        "The command line overrides the environment, which overrides the ini file. See also `pytest --help`.",
        table(("option, ini, environment", "default", "what it does"), map(option, settings.OPTIONS)),
        "### Modes",
        table(("`--dust-mode`", "runs"), ((code(mode), MODES[mode]) for mode in settings.Mode)),
        "## Commands",
        "These options exist only on the command line.",
        table(("option", "what it does"), map(command, COMMANDS)),
        "## Ini lists",
        "These values exist only in pytest's configuration file.",
        table(("ini", "what it is"), ((code(name), text) for name, text in settings.LISTS.items())),
        "## Environment variables",
        "The options have theirs, in the table above. Also read are:",
        table(("variable", "what it is"), ((codes(names), text) for names, text in VARIABLES.items())),
        "## Keys of a suite",
        "[Suites](suites.md) explains them.",
        table(("key", "where", "what it is"), (key(name, each) for name, each in KEYS.items())),
        *(section for name, each in KEYS.items() for section in sub_keys(name, each)),
        "## Matchers",
        "[Matchers](matchers.md) shows how each is written.",
        table(("matcher", "accepts"), map(matcher, MATCHERS.values())),
        "## Exit codes",
        table(("code", "when"), EXIT_CODES.items()),
    ]) + "\n"  # fmt: skip


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    names = list(head)
    return "\n".join(row(cells) for cells in (names, ["---"] * len(names), *rows))


def row(cells: Iterable[str]) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(cell.replace('|', BAR) for cell in cells)} |"


def code(text: str) -> str:
    """Return a text as code; empty for an empty one."""
    return f"`{text}`" if text else ""


def codes(names: str) -> str:
    """Return a list of names, each as code."""
    return ", ".join(map(code, names.split(", ")))


def sentence(text: str) -> str:
    """Return a help text as prose in which options, ini values and placeholders are code."""
    return re.sub(r"(?<![\w`])(--dust-[a-z-]+(?:=\S+?)?(?=[\s,;:.)]|$)|\$\{[\w.…]+\})", r"`\1`", text)


def option(each: settings.Option) -> tuple[str, ...]:
    """Return an option's cells."""
    flag = each.flag if each.switch else f"{each.flag}={each.metavar}"
    names = "<br>".join(map(code, (flag, each.ini, each.environment)))
    return names, code(each.default), sentence(each.help)


def command(name: str) -> tuple[str, str]:
    """Return a command's cells."""
    words, text = COMMANDS[name]
    metavar = words.get("metavar", "")
    names = " ".join(metavar) if isinstance(metavar, tuple) else metavar
    value = {"?": f"[={names}]", "+": f" {names} …"}.get(words.get("nargs", ""), "")
    return code(f"--dust-{name}{value}"), sentence(text)


def key(name: str, each: Key) -> tuple[str, str, str]:
    """Return a key's cells."""
    where = ", ".join(place for place, there in (("suite", each.suite), ("case", each.case)) if there)
    return code(name), where, sentence(each.help)


def sub_keys(name: str, each: Key) -> list[str]:
    """Return the section on the keys of a key's mapping; empty if its keys are free or it has none."""
    schemas = [each.schema, *each.schema.get("anyOf", ())]
    found = {sub: schema for each in schemas for sub, schema in each.get("properties", {}).items()}
    if not found or name == "marks":
        return []
    rows = ((code(sub), allowed(schema), schema.get("description", "")) for sub, schema in found.items())
    return [f"### {name}", table(("key", "value", "what it is"), rows)]


def allowed(schema: Mapping[str, Any]) -> str:
    """Return the values that a schema allows, in words."""
    if "enum" in schema:
        return " or ".join(code(value) for value in schema["enum"])
    kinds = schema.get("type", "anything")
    names = [kinds] if isinstance(kinds, str) else kinds
    if len(names) > MANY:
        return "any value"
    words = {
        "array": "list of texts",
        "boolean": "`true` or `false`",
        "string": "text",
        "integer": "whole number",
    }
    return " or ".join(words.get(kind, kind) for kind in names) + bounds(schema)


def bounds(schema: Mapping[str, Any]) -> str:
    """Return the least and the greatest number that a schema allows, in words."""
    texts = {
        "minimum": "at least {}",
        "exclusiveMinimum": "greater than {}",
        "maximum": "at most {}",
        "exclusiveMaximum": "less than {}",
    }
    found = [text.format(schema[name]) for name, text in texts.items() if name in schema]
    return f", {' and '.join(found)}" if found else ""


def matcher(each: Matcher) -> tuple[str, str]:
    """Return a matcher's cells."""
    return code(each.name), sentence((each.holds.__doc__ or "").split("\n", 1)[0].rstrip("."))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
