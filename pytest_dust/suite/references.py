"""`${env.NAME}`, `${row.x}` and `${matrix.x}` in a suite's texts: what they name, and the texts filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pytest_dust.constants import KEY_VARIABLE
from pytest_dust.errors import did_you_mean
from pytest_dust.model import Json, Path

LookUp: TypeAlias = Callable[[str], Json]
"""The value of a reference such as `env.DUST_SPACE_ID`; raises ReferenceProblem."""

MAX_FILLED = 256 * 1024 * 1024
"""Characters that the filled values of one file may take in all."""
EACH = 50
"""What a value counts beside its text."""

_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_TABLE_REFERENCE = re.compile(r"\$\{\s*(?:row|matrix)\b")


class ReferenceProblem(ValueError):
    """A reference that cannot be filled in; its text says why and what to do."""


class UnsetVariable(ReferenceProblem):
    """A reference to an environment variable that is not set."""

    def __init__(self, name: str) -> None:
        """Say which, and what to do."""
        super().__init__(f"the environment has no {name}; set it: export {name}=…")
        self.name = name


@dataclass(frozen=True, slots=True)
class StandIn:
    """What is filled in for variables that are not set, as it stands in their place in a cassette."""

    text: str
    names: frozenset[str]
    keys: frozenset[str]
    """The keys of a case or suite below which it may be filled in."""

    def instead(self, problem: ReferenceProblem, path: Path) -> str | None:
        """What is filled in at a place in spite of this problem; None if nothing may be."""
        unset = isinstance(problem, UnsetVariable) and problem.name in self.names
        if not unset or not path or path[0] not in self.keys:
            return None
        return re.escape(self.text) if "matches" in path else self.text


def environment(environ: Mapping[str, str], allowed: frozenset[str]) -> LookUp:
    """Look up `env.NAME` in the environment: names that start with DUST_, and those allowed by ini."""

    def look_up(reference: str) -> str:
        root, _, name = reference.partition(".")
        if root in ("row", "matrix"):
            wanted = "a dataset" if root == "row" else "a matrix"
            raise ReferenceProblem(
                f"${{{reference[:40]}}} needs {wanted} in its case; add {wanted[2:]}: to it"
            )
        if root != "env" or not name:
            raise ReferenceProblem(
                f"${{{reference[:40]}}} is no reference; write ${{env.NAME}}, or $${{ for a literal ${{"
            )
        if name == KEY_VARIABLE:
            raise ReferenceProblem("the API key may not stand in a suite; the plugin sends it by itself")
        if not name.startswith("DUST_") and name not in allowed:
            raise ReferenceProblem(
                f"${{env.{name}}} may not be read; name it DUST_…, or list {name} in ini dust_env"
            )
        if name not in environ:
            raise UnsetVariable(name)
        return environ[name]

    return look_up


def table(roots: Mapping[str, Json], otherwise: LookUp) -> LookUp:
    """Look up `row.x` and `matrix.x` in the row and combination at hand, and anything else elsewhere."""

    def look_up(reference: str) -> Json:
        root, *steps = reference.split(".")
        if root not in roots:
            return otherwise(reference)
        value = roots[root]
        for at, step in enumerate(steps):
            value = _below(value, step, ".".join([root, *steps[:at]]))
        return value

    return look_up


def reads_table(value: Json) -> bool:
    """Whether anything in the value refers to a row or a matrix, and so differs from case to case."""
    if isinstance(value, str):
        return _TABLE_REFERENCE.search(value) is not None
    if isinstance(value, Mapping):
        return any(map(reads_table, value.values()))
    return isinstance(value, list) and any(map(reads_table, value))


class TooMuchError(Exception):
    """The values of a file, with its references filled in, take more memory than any suite needs."""


@dataclass(slots=True)
class Room:
    """How many characters the filled values of one file may still take; a small value counts as `EACH`."""

    left: int = field(default_factory=lambda: MAX_FILLED)

    def take(self, size: int) -> None:
        """Count what is filled in; raises TooMuchError where there is no room for it."""
        self.left -= size
        if self.left < 0:
            raise TooMuchError


def fill(
    value: Json, look_up: LookUp, room: Room | None = None, stand_in: StandIn | None = None
) -> tuple[Any, list[tuple[Path, str]]]:
    """The value with every reference filled in, and what is wrong with those that cannot be.

    A text that is one reference and nothing else becomes the value itself, of whatever type. Raises
    TooMuchError where the result does not fit into `room`.
    """
    problems: list[tuple[Path, str]] = []
    room = room or Room()

    def found(reference: re.Match[str], path: Path) -> Json:
        try:
            return _found(reference, look_up)
        except ReferenceProblem as problem:
            text = None if stand_in is None else stand_in.instead(problem, path)
            if text is not None:
                return text
            problems.append((path, str(problem)))
            return ""

    def walk(value: Any, path: Path) -> Any:
        room.take(EACH)
        if isinstance(value, str):
            return _text(value, lambda each: found(each, path), room) if "${" in value else value
        if isinstance(value, dict):
            return {key: walk(each, (*path, key)) for key, each in value.items()}
        if isinstance(value, list):
            return [walk(each, (*path, at)) for at, each in enumerate(value)]
        return value

    return walk(value, ()), problems


def _text(written: str, found: Callable[[re.Match[str]], Json], room: Room) -> Json:
    def text(reference: re.Match[str]) -> str:
        filled = _as_text(found(reference))
        room.take(len(filled))
        return filled

    whole = _REFERENCE.fullmatch(written)
    return found(whole) if whole is not None else _REFERENCE.sub(text, written)


def _found(reference: re.Match[str], look_up: LookUp) -> Json:
    if reference[0] == "$${":
        return "${"
    if reference[1] is None:
        raise ReferenceProblem("${ without an end; write ${env.NAME}, or $${ for a literal ${")
    return look_up(reference[1].strip())


def _below(value: Any, step: str, before: str) -> Any:
    if isinstance(value, Mapping):
        if step in value:
            return value[step]
        names = [str(name)[:40] for name in value][:12]
        raise ReferenceProblem(
            f"{before} has no {step}; it has: {', '.join(names)}{did_you_mean(step, names)}"
        )
    if isinstance(value, list):
        at = int(step) if step.isdecimal() and len(step) < 10 else len(value)
        if at < len(value):
            return value[at]
        raise ReferenceProblem(f"{before} is a list of {len(value)}; it has no [{step[:40]}]")
    raise ReferenceProblem(f"{before} holds nothing below it, and so no {step}")


def _as_text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
