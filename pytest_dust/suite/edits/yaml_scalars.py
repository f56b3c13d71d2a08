"""Write JSON values as YAML on one line, or as a block scalar, each in a given style."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pytest_dust.characters import safe
from pytest_dust.model import Json
from pytest_dust.suite import yaml_reader
from pytest_dust.suite.edits.errors import EditError

PLAIN, SINGLE, DOUBLE, LITERAL, FOLDED = "", "'", '"', "|", ">"
WIDTH = 80
"""Maximum number of columns of a line in a folded text, if the old text has no longer ones."""
_BREAKS = re.compile("(\n+)")
_BETWEEN_WORDS = re.compile(r"(?<=\S) (?=\S)")


def one_line(value: Any, style: str, *, flow: bool) -> str:
    """Return a value as YAML on one line; its texts get the given style of quotes if they can.

    With `flow` it can be put inside of brackets and braces. Raises EditError for a value that YAML cannot
    hold.
    """
    if isinstance(value, str):
        return _text(value, style, flow=flow)
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(pair(name, each, style, style, flow=True) for name, each in value.items()) + "}"
        )
    if isinstance(value, list | tuple):
        return f"[{', '.join(one_line(each, style, flow=True) for each in value)}]"
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        raise EditError("the new value is a number that a file cannot hold") from None


def pair(name: str, value: Any, key_style: str, style: str, *, flow: bool) -> str:
    """Return an entry of a mapping, with styles of quotes for the key and for the texts in the value."""
    if key_style == PLAIN and not _is_plain_key(name, flow=flow):
        key_style = DOUBLE
    return f"{_quoted(name, key_style)}: {one_line(value, style, flow=flow)}"


def _text(text: str, style: str, *, flow: bool) -> str:
    if style == PLAIN and not _is_plain(text, flow=flow):
        style = DOUBLE
    return _quoted(text, style)


def _quoted(text: str, style: str) -> str:
    """Return a text in the given style of quotes, or in double quotes if single ones cannot hold it."""
    _refuse_half_pairs(text)
    if style == PLAIN:
        return text
    single = "'" + text.replace("'", "''") + "'"
    if style == SINGLE and safe(text) == text and _reads_as(f"[{single}]", [text]):
        return single
    return safe(json.dumps(text, ensure_ascii=False))  # JSON's escapes are YAML's too


def _refuse_half_pairs(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise EditError("the new text has half of a surrogate pair, which YAML cannot hold") from None


def _is_plain(text: str, *, flow: bool) -> bool:
    """True if a text without quotes is read as itself, as an element and as a value of a key."""
    if not text or safe(text) != text:
        return False
    if flow:
        return _reads_as(f"[{text}, {{k: {text}, l: {text}}}, {text}]", [text, {"k": text, "l": text}, text])
    return _reads_as(f"- {text}\n- k: {text}\n", [text, {"k": text}])


def _is_plain_key(name: str, *, flow: bool) -> bool:
    if not name or safe(name) != name:
        return False
    return _reads_as(f"{{{name}: 1}}" if flow else f"{name}: 1\n", {name: 1})


def _reads_as(source: str, value: Json) -> bool:
    document = yaml_reader.read(source)
    return not document.problems and not document.too_large and document.value == value


# ── block scalars ────────────────────────────────────────────────────────────────────────────────


class OldBlock(NamedTuple):
    """How the old text is written that a block scalar replaces."""

    indicators: str
    """Such as `|-`."""
    indent: int
    """Number of blanks before each of its lines."""
    width: int
    """Length of its longest line."""

    @property
    def keeps_breaks(self) -> bool:
        """True if the empty lines after the content count."""
        return "+" in self.indicators


def block(text: str, old: OldBlock, column: int | None) -> tuple[str, list[str]] | None:
    """Return the indicators and the lines of a text as block scalar; None if a block scalar cannot hold it.

    `column` is that of the list or mapping that has the text; None if it is the whole document. A folded text
    that cannot stay folded becomes a literal one.
    """
    if not text.strip("\n") or not _is_visible(text) or (text.endswith("\n\n") and not old.keeps_breaks):
        return None
    for style in (FOLDED, LITERAL) if old.indicators.startswith(FOLDED) else (LITERAL,):
        lines = _indented(
            _folded(text, max(old.width, WIDTH - old.indent)) if style == FOLDED else text, old.indent
        )
        for digit in _digits(old, column):
            written = style + digit + _chomping(text, old)
            if _reads_as_block(written, lines, column, text):
                return written, lines
    return None


def _is_visible(text: str) -> bool:
    """True if a text has only characters that are safe to show, line breaks and tabs."""
    return all(safe(line) == line for line in text.replace("\t", " ").split("\n"))


def _digits(old: OldBlock, column: int | None) -> Iterator[str]:
    """Yield the indentation indicators to try: the old one, then that of a text that begins with blanks."""
    written = "".join(filter(str.isdigit, old.indicators))
    yield written
    needed = old.indent - (column or 0)
    if not written and 1 <= needed <= 9:
        yield str(needed)


def _chomping(text: str, old: OldBlock) -> str:
    """Return the indicator for the line breaks at the end of a text."""
    if not text.endswith("\n"):
        return "-"
    return "+" if old.keeps_breaks else ""


def _folded(text: str, width: int) -> str:
    """Return a text with its lines wrapped and an empty line more between them, as in a folded text."""
    start = len(text) - len(text.lstrip("\n"))
    end = len(text.rstrip("\n"))
    pieces = _BREAKS.split(text[start:end])
    pieces[::2] = [_wrapped(line, width) for line in pieces[::2]]
    pieces[1::2] = [breaks + "\n" for breaks in pieces[1::2]]
    return text[:start] + "".join(pieces) + text[end:]


def _wrapped(line: str, width: int) -> str:
    lines = [""]
    for word in _BETWEEN_WORDS.split(line):
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append(word)
        else:
            lines[-1] += f" {word}" if lines[-1] else word
    return "\n".join(lines)


def _indented(text: str, indent: int) -> list[str]:
    lines = text.removesuffix("\n").split("\n")
    return [" " * indent + line if line else "" for line in lines]


def _reads_as_block(indicators: str, lines: list[str], column: int | None, text: str) -> bool:
    body = "\n".join([indicators, *lines, ""])
    return _reads_as(body, text) if column is None else _reads_as(f"{' ' * column}k: {body}", {"k": text})
