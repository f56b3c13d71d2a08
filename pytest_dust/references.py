"""`${env.NAME}` in a suite's texts: what a reference may name, and the texts with references filled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from pytest_dust.model import Json, Path

KEY_VARIABLE = "DUST_API_KEY"
LookUp: TypeAlias = Callable[[str], str]
"""The value of a reference such as `env.DUST_SPACE_ID`; raises ReferenceProblem."""

_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")


class ReferenceProblem(ValueError):
    """A reference that cannot be filled in; its text says why and what to do."""


def environment(environ: Mapping[str, str], allowed: frozenset[str]) -> LookUp:
    """Look up `env.NAME` in the environment: names that start with DUST_, and those allowed by ini."""

    def look_up(reference: str) -> str:
        root, _, name = reference.partition(".")
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
            raise ReferenceProblem(f"the environment has no {name}; set it: export {name}=…")
        return environ[name]

    return look_up


def fill(value: Json, look_up: LookUp) -> tuple[Any, list[tuple[Path, str]]]:
    """The value with every reference filled in, and what is wrong with those that cannot be."""
    problems: list[tuple[Path, str]] = []

    def text(written: str, path: Path) -> str:
        def one(found: re.Match[str]) -> str:
            if found[0] == "$${":
                return "${"
            if found[1] is None:
                problems.append((path, "${ without an end; write ${env.NAME}, or $${ for a literal ${"))
                return ""
            try:
                return look_up(found[1].strip())
            except ReferenceProblem as problem:
                problems.append((path, str(problem)))
                return ""

        return _REFERENCE.sub(one, written)

    def walk(value: Any, path: Path) -> Any:
        if isinstance(value, str):
            return text(value, path) if "${" in value else value
        if isinstance(value, dict):
            return {key: walk(each, (*path, key)) for key, each in value.items()}
        if isinstance(value, list):
            return [walk(each, (*path, at)) for at, each in enumerate(value)]
        return value

    return walk(value, ()), problems
