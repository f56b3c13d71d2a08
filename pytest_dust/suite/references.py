"""Fill in the references in a suite's texts: `${env.NAME}`, `${row.x}` and `${matrix.x}`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from msgspec import Struct

from pytest_dust.constants import KEY_VARIABLE
from pytest_dust.errors import did_you_mean
from pytest_dust.model import Json, Path

LookUp: TypeAlias = Callable[[str], Json]
"""Returns the value of a reference such as `env.DUST_SPACE_ID`; raises ReferenceProblem."""

MAX_FILLED = 256 * 1024 * 1024
"""Maximum size of the filled values of one file, in characters."""
VALUE_SIZE = 50
"""Size of a value besides its text, in characters."""

_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_TABLE_REFERENCE = re.compile(r"\$\{\s*(?:row|matrix)\b")


class ReferenceProblem(ValueError):
    """A reference cannot be filled in; the message says why and what to do."""


class UnsetVariable(ReferenceProblem):
    """A reference is to an environment variable that is not set."""

    def __init__(self, name: str) -> None:
        """Take the name of the variable."""
        super().__init__(f"the environment has no {name}; set it: export {name}=…")
        self.name = name


class StandIn(Struct, frozen=True):
    """What is filled in for variables that are not set: the text that cassettes have in their place."""

    text: str
    names: frozenset[str]
    keys: frozenset[str]
    """The keys of a case or suite whose values it may be filled into."""

    def instead(self, problem: ReferenceProblem, path: Path) -> str | None:
        """The text to fill in at `path` in spite of a problem; None if there is none."""
        unset = isinstance(problem, UnsetVariable) and problem.name in self.names
        if not unset or not path or path[0] not in self.keys:
            return None
        return re.escape(self.text) if "matches" in path else self.text


def environment(environ: Mapping[str, str], allowed: frozenset[str]) -> LookUp:
    """A function that looks up `env.NAME`: names that begin with DUST_, and those that ini allows."""

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
            raise ReferenceProblem("the API key may not stand in a suite; remove it, as it is sent anyway")
        if not name.startswith("DUST_") and name not in allowed:
            raise ReferenceProblem(
                f"${{env.{name}}} may not be read; name it DUST_…, or list {name} in ini dust_env"
            )
        if name not in environ:
            raise UnsetVariable(name)
        return environ[name]

    return look_up


def table(roots: Mapping[str, Json], otherwise: LookUp) -> LookUp:
    """A function that looks up `row.x` and `matrix.x` in `roots`, and all else by `otherwise`."""

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
    """True if a value has a reference to a row or a matrix, so that it differs from case to case."""
    if isinstance(value, str):
        return _TABLE_REFERENCE.search(value) is not None
    if isinstance(value, Mapping):
        return any(map(reads_table, value.values()))
    return isinstance(value, list) and any(map(reads_table, value))


class TooMuchError(Exception):
    """The values of a file become larger than MAX_FILLED when references are filled in."""


@dataclass(slots=True)
class SizeLimit:
    """The number of characters that the filled values of one file may still have."""

    left: int = field(default_factory=lambda: MAX_FILLED)

    def take(self, size: int) -> None:
        """Subtract a size; raises TooMuchError if less is left."""
        self.left -= size
        if self.left < 0:
            raise TooMuchError


def fill(
    value: Json, look_up: LookUp, limit: SizeLimit | None = None, stand_in: StandIn | None = None
) -> tuple[Any, list[tuple[Path, str]]]:
    """The value with every reference filled in, and a path and message for each that cannot be.

    A text that is only one reference becomes the value itself, of whatever type. Raises TooMuchError if the
    result is larger than `limit` allows.
    """
    problems: list[tuple[Path, str]] = []
    limit = limit or SizeLimit()

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
        limit.take(VALUE_SIZE)
        if isinstance(value, str):
            return _text(value, lambda each: found(each, path), limit) if "${" in value else value
        if isinstance(value, dict):
            return {key: walk(each, (*path, key)) for key, each in value.items()}
        if isinstance(value, list):
            return [walk(each, (*path, at)) for at, each in enumerate(value)]
        return value

    return walk(value, ()), problems


def _text(written: str, found: Callable[[re.Match[str]], Json], limit: SizeLimit) -> Json:
    def text(reference: re.Match[str]) -> str:
        filled = _as_text(found(reference))
        limit.take(len(filled))
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
    raise ReferenceProblem(f"{before} is no mapping or list, so it has no {step}")


def _as_text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
