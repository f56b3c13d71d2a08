"""Write troubleshooting.md: every message that users can get, where they meet it, and what to do.

The messages are read from the code (`messages.py`). Most say themselves what to do; troubleshooting.toml
says more about the others.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from code_texts import VARIES
from messages import BEFORE, Message, messages

PAGE = Path(__file__).parent / "troubleshooting.md"
TEXTS: Mapping[str, Any] = tomllib.loads(PAGE.with_suffix(".toml").read_text(encoding="utf-8"))
VERBS = """
accept add allow ask begin bound call check choose close compare copy correct decrypt define draw edit end
export fetch free give keep leave let list make mend mount move name narrow open pip press put quote
raise record remove rename replace resolve restore run save see select set shorten simplify split try
unset use wait write"""
SAYS_IT = re.compile(
    rf"(?:[;:,(] |^|\n|\b(?:or|and|so|then|first) )(?:or |first )?(?:{'|'.join(VERBS.split())})\b"
    r"|such as|there (?:are|is):|it has:|it takes| has: |did you mean| an? (?:app|gate|baseline) has"
    r"| (?:is|are) (?:a|true or false|one of|at least|text|64|to)\b|needs (?:a|text|true|at|paths|\{)"
)
"""Finds in a message what to do: a verb in the imperative, what is allowed, or an example."""


class Section(NamedTuple):
    """Messages that users meet in the same place."""

    title: str
    intro: str
    places: tuple[str, ...]
    """The folders, modules and functions that make its messages."""
    help: tuple[tuple[str, str], ...]
    """What to do, each after a regular expression that finds the messages."""


def _section(written: Mapping[str, Any]) -> Section:
    found = tuple(("|".join(each["of"]), " ".join(each["say"].split())) for each in written.get("help", ()))
    return Section(written["title"], " ".join(written["intro"].split()), tuple(written["places"]), found)


SECTIONS = tuple(map(_section, TEXTS["section"]))


class Entry(NamedTuple):
    """Messages with the same help; one that says itself what to do may have none."""

    texts: tuple[str, ...]
    help: str = ""


@cache
def shown() -> dict[str, list[str]]:
    """Return the texts of the messages by the title of their section."""
    found: dict[str, dict[str, None]] = {section.title: {} for section in SECTIONS}
    for message in messages():
        if has_fixed_words(message.text) and message.text != f"{BEFORE['_Refused']}{VARIES}":
            found[section_of(message).title][message.text.strip()] = None
    return {title: _longest(texts) for title, texts in found.items()}


def _longest(texts: Iterable[str]) -> list[str]:
    """Return the texts without those with which others begin."""
    found = list(texts)
    return [text for text in found if not any(text != each and each.startswith(text) for each in found)]


def has_fixed_words(text: str) -> bool:
    """Return whether a text has at least two fixed words to search for."""
    return len(re.findall(r"[^\W\d_]{2,}", text)) >= 2


def section_of(message: Message) -> Section:
    """Return the section of a message: the one that names its function, else its module, else its folder."""
    place = message.place
    while place:
        for section in SECTIONS:
            if place in section.places:
                return section
        place = place.rpartition(".")[0]
    raise KeyError(f"no section of docs/troubleshooting.toml has the place {message.place}; add it to one")


def entries(section: Section, texts: Iterable[str]) -> list[Entry]:
    """Return the entries of a section: those with help, then the messages that say themselves what to do."""
    left = dict.fromkeys(texts)
    found = []
    for pattern, text in section.help:
        own = [each for each in left if re.search(pattern, each)]
        found.append(Entry(tuple(own), text))
        left = dict.fromkeys(each for each in left if each not in own)
    return found + [Entry((each,)) for each in left]


def page() -> str:
    """Return the page."""
    texts = shown()
    written = (line for section in SECTIONS for line in _lines(section, texts[section.title]))
    return "\n".join(["# Troubleshooting", "", TEXTS["intro"], "", *written])


def _lines(section: Section, texts: Iterable[str]) -> Iterator[str]:
    yield from (f"## {section.title}", "", section.intro, "")
    for entry in entries(section, texts):
        lines = [code(line) for text in entry.texts for line in text.split("\n")]
        yield f"- {'<br>'.join([*lines, entry.help] if entry.help else lines)}"
    yield ""


def code(text: str) -> str:
    """Return a text as code in Markdown."""
    text = " ".join(text.split())
    return f"`` {text} ``" if "`" in text else f"`{text}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
