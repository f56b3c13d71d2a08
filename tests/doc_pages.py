"""The pages of the documentation as their fences: the README and all of `docs/`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt

PROJECT = Path(__file__).parent.parent
PAGES = {path.stem: path for path in (PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md")))}
"""The pages by name."""
_COMMENT = re.compile(r"<!-- test: (.+?) -->", re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')
_PARSER = MarkdownIt().enable("table")


@dataclass(frozen=True)
class Fence:
    """A piece of a page that the tests use: a fence, or a hidden command."""

    language: str
    """`hidden` for the command of a comment `<!-- test: … -->`."""
    title: str
    """The name of the file that the fence is; empty if it is none."""
    text: str
    line: int


def text(page: str) -> str:
    """Return the Markdown of a page."""
    return PAGES[page].read_text(encoding="utf-8")


@cache
def fences(page: str) -> list[Fence]:
    """Return the fences and hidden commands of a page, from top to bottom."""
    found = []
    for token in _PARSER.parse(text(page)):
        line = token.map[0] + 1 if token.map else 0
        if token.type == "fence":
            language, _, rest = token.info.partition(" ")
            title = _TITLE.search(rest)
            found.append(Fence(language, title[1] if title else "", token.content, line))
        elif token.type == "html_block":
            found += [Fence("hidden", "", hidden, line) for hidden in _COMMENT.findall(token.content)]
    return found


def links(page: str) -> list[str]:
    """Return the targets of a page's links and pictures that are files or headings of ours."""
    inline = [child for token in _PARSER.parse(text(page)) for child in token.children or ()]
    found = [str(token.attrGet("href") or token.attrGet("src") or "") for token in inline]
    return [target for target in found if target and not re.match(r"\w+:", target)]


def headings(page: str) -> list[str]:
    """Return the anchors of a page's headings."""
    tokens = _PARSER.parse(text(page))
    titles = [after.content for token, after in pairwise(tokens) if _opens(token)]
    return [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]


def _opens(token: object) -> bool:
    return getattr(token, "type", "") == "heading_open"


def table(page: str, head: str) -> list[list[str]]:
    """Return the cells of the table whose head begins so, without its head."""
    after = text(page).partition(f"\n{head}")[2]
    rows = after.split("\n\n", 1)[0].split("\n")[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip().strip("|"))] for row in rows]
