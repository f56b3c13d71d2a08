"""What of a suite file is redacted, by its text: what reports must not show, and ids must not hold.

A case is known only once its references are filled in. Here is what can be told before: which references
stand where ini `dust_redact` masks, and which texts a mistake in the file must not quote.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice
from typing import TYPE_CHECKING, Any

from pytest_dust.cookies import MASKED
from pytest_dust.masking import Mask
from pytest_dust.suite import references, tables, yaml_reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_dust.checks.binding import Here

FILLED = frozenset(
    {"app", "config", "input", "inputs", "matrix", "expect", "description", "marks", "baseline"}
)
"""Keys below which a hidden variable need not be set for a replay."""
MAX_ROWS = 10_000
"""Rows of a dataset in which redacted values are looked for when a suite is broken."""
_ENTRY = re.compile(r"([\w-]+)[\"']?[ \t]*:[ \t]*([^\n,{}]+)")
_REFERENCE = re.compile(r"(?<!\$)\$\{\s*((?:env|row|matrix)\b[^{}]*?)\s*\}")


@dataclass(frozen=True, slots=True)
class Hiding:
    """What of suites is hidden, and whether a hidden value may be missing."""

    mask: Mask = field(default_factory=Mask)
    variables: frozenset[str] = frozenset()
    """The environment variables whose values are secrets."""
    offline: bool = False
    """Whether nothing is asked of the service, so that a hidden value need not be known."""

    def stand_in(self, document: Any) -> references.StandIn | None:
        """What is filled in for hidden variables that are not set; nothing if they must be."""
        if not self.offline:
            return None
        names = set(self.variables)
        for written in written_cases(document) if self.mask.patterns else ():
            found = hidden_references(self.mask, written)
            names |= {each.removeprefix("env.") for each in found if each.startswith("env.")}
        return references.StandIn(MASKED, frozenset(names), FILLED) if names else None


def asked(written: Mapping[str, Any]) -> dict[str, Any]:
    """What a written case or suite asks of the service, in the shape that patterns know."""
    inputs = written["inputs"] if isinstance(written.get("inputs"), list) else []
    return {"inputs": [written["input"]] if "input" in written else inputs, "config": written.get("config")}


def hidden_references(mask: Mask, written: Mapping[str, Any]) -> frozenset[str]:
    """The references that stand where a written case or suite is redacted: `env.DUST_EMAIL`, `row.name`.

    If one of them is a value of the matrix, the references in that value are among them.
    """
    found = set(_references_in(mask.named(asked(written))))
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
    """The parts of a case's id, those replaced that give away what is redacted of the case.

    `mask` covers the case; `hidden` are the references that stand where it is redacted.
    """
    return [part.neutral if _reveals(part, mask, hidden) else part.text for part in parts]


def _reveals(part: tables.Part, mask: Mask, hidden: frozenset[str]) -> bool:
    if part.reference in hidden or mask.names(tuple(part.reference.split("."))):
        return True
    shown = [part.value, part.text]
    return bool(mask.expected(shown, of_a_block=True) != shown)


def of_text(source: bytes, here: Here, mask: Mask) -> Mask:
    """A mask that also covers what is redacted in a suite file that gives no cases, and in its datasets."""
    text = source.decode("utf-8-sig")
    document = yaml_reader.read(text).value
    named: list[str | int | float] = []
    for written in written_cases(document):
        named += mask.named({"matrix": written.get("matrix")})
        for each in written.values():  # whatever its key: the mistake may be in that
            named += mask.named({"inputs": each if isinstance(each, list) else [each], "config": each})
        for row in _rows(written.get("dataset"), here):
            named += mask.named({"row": row, "inputs": [row]})
    if not isinstance(document, dict):  # it is no YAML: what follows a redacted name in its lines
        named += _after_names(text, mask)
    return mask.redacting(named)


def written_cases(document: Any) -> Iterator[Mapping[str, Any]]:
    """The mappings of a suite file that may be cases, and its top."""
    if isinstance(document, dict):
        yield document
        for each in document.values():
            if isinstance(each, list):
                yield from (case for case in each if isinstance(case, dict))


def _rows(name: Any, here: Here) -> Iterator[Mapping[str, Any]]:
    """The rows of a dataset, up to one that is wrong: a message may quote any of these."""
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
