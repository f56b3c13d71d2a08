"""Find what is redacted in the text of a suite: what reports and ids must not show.

A case is known only after its references are filled in. This module finds what is known before: which
references are in places that ini `dust_redact` masks, and which texts messages about mistakes must not quote.
"""

from __future__ import annotations

import re
from contextlib import suppress
from fnmatch import fnmatchcase
from itertools import islice
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from pytest_dust.cookies import MASKED
from pytest_dust.masking import Mask
from pytest_dust.suite import references, tables, yaml_reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_dust.checks.binding import Here

FILLED = frozenset(
    {"app", "config", "input", "inputs", "matrix", "expect", "description", "marks", "baseline"}
)
"""Keys in whose values a hidden variable need not be set for a replay."""
MAX_ROWS = 10_000
"""Maximum number of rows in which redacted values are searched for if a suite has mistakes."""
_ENTRY = re.compile(r"([\w-]+)[\"']?[ \t]*:[ \t]*([^\n,{}]+)")
_REFERENCE = re.compile(r"(?<!\$)\$\{\s*((?:env|row|matrix)\b[^{}]*?)\s*\}")


class Hiding(Struct, frozen=True):
    """What is hidden in suites, and whether a hidden value may be missing."""

    mask: Mask = field(default_factory=Mask)
    variables: frozenset[str] = frozenset()
    """The environment variables whose values are secrets."""
    offline: bool = False
    """True if no request is made, so that hidden values need not be known."""

    def stand_in(self, document: Any) -> references.StandIn | None:
        """What is filled in for hidden variables that are not set; None if they must be set."""
        if not self.offline:
            return None
        names = set(self.variables)
        for written in written_cases(document) if self.mask.patterns else ():
            found = hidden_references(self.mask, written)
            names |= {each.removeprefix("env.") for each in found if each.startswith("env.")}
        return references.StandIn(MASKED, frozenset(names), FILLED) if names else None


def request_parts(written: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs and config of a written case or suite, in the form to which redaction patterns apply."""
    inputs = written["inputs"] if isinstance(written.get("inputs"), list) else []
    return {"inputs": [written["input"]] if "input" in written else inputs, "config": written.get("config")}


def hidden_references(mask: Mask, written: Mapping[str, Any]) -> frozenset[str]:
    """The references in redacted places of a written case or suite, such as `env.DUST_EMAIL` or `row.name`.

    If one of them is a value of the matrix, the references in that value are included.
    """
    found = set(_references_in(mask.named(request_parts(written))))
    matrix = written.get("matrix")
    if isinstance(matrix, dict):
        named = {name for name in matrix if f"matrix.{name}" in found or mask.names(("matrix", str(name)))}
        found |= set(_references_in(_texts([matrix[name] for name in named])))
    return frozenset(found)


def _references_in(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield from _REFERENCE.findall(value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def id_parts(parts: Iterable[tables.Part], mask: Mask, hidden: frozenset[str]) -> list[str]:
    """The parts of a case's id, with neutral ones in place of those that reveal a redacted value.

    `mask` covers the case; `hidden` are the references in its redacted places.
    """
    return [part.neutral if _reveals(part, mask, hidden) else part.text for part in parts]


def _reveals(part: tables.Part, mask: Mask, hidden: frozenset[str]) -> bool:
    if part.reference in hidden or mask.names(tuple(part.reference.split("."))):
        return True
    shown = [part.value, part.text]
    return bool(mask.expected(shown, of_a_block=True) != shown)


def of_text(source: bytes, here: Here, mask: Mask) -> Mask:
    """A mask that also covers the redacted values in a suite file with mistakes, and in its datasets."""
    text = source.decode("utf-8-sig")
    document = yaml_reader.read(text).value
    named: list[str | int | float] = []
    for written in written_cases(document):
        named += mask.named({"matrix": written.get("matrix")})
        for each in written.values():  # whatever its key, which may be the mistake
            named += mask.named({"inputs": each if isinstance(each, list) else [each], "config": each})
        for row in _rows(written.get("dataset"), here):
            named += mask.named({"row": row, "inputs": [row]})
    if not isinstance(document, dict):  # not YAML: take what follows a redacted name in a line
        named += _after_names(text, mask)
    return mask.redacting(named)


def written_cases(document: Any) -> Iterator[Mapping[str, Any]]:
    """The top mapping of a suite file, and those in it that may be cases."""
    if isinstance(document, dict):
        yield document
        for each in document.values():
            if isinstance(each, list):
                yield from (case for case in each if isinstance(case, dict))


def _rows(name: Any, here: Here) -> Iterator[Mapping[str, Any]]:
    """The rows of a dataset before the first wrong one: a message may quote any of these."""
    if not isinstance(name, str):
        return
    with suppress(tables.TableError):
        for row in islice(tables.rows(name, here), MAX_ROWS):
            yield row.value


def _after_names(text: str, mask: Mask) -> Iterator[str]:
    names = {pattern[-1] for pattern in mask.patterns}
    for key, value in _ENTRY.findall(text):
        if mask.names((key,)) or any(fnmatchcase(key, name) for name in names):
            yield value.strip(" \t\"',}]")
