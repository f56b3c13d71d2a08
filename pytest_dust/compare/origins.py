"""Find the paths in a document from which the result of a JMESPath comes, so that rules for them apply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from jmespath.exceptions import JMESPathError
from jmespath.visitor import TreeInterpreter

from pytest_dust.compare.left_out import Parts, Patterns
from pytest_dust.model import MISSING, Path
from pytest_dust.paths import compile_path, find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_dust.compare.left_out import LeftOut

Origin: TypeAlias = "Path | list[Origin] | dict[str, Origin] | None"
"""The path of a value in the document, or those of its parts; None for what a function computed."""


class Found(NamedTuple):
    """A value and its origin."""

    value: Any
    origin: Origin


def located(path: str, document: Any) -> Found:
    """What `find` returns for a path in a document, with its origin."""
    value = find(path, document)
    if value is MISSING:
        return Found(value, None)
    try:
        return Found(value, _visit(compile_path(path).parsed, Found(document, ())).origin)
    except (JMESPathError, TypeError, ValueError, ArithmeticError, RecursionError):  # `find` raised none
        return Found(value, None)


def place(origin: Origin, path: Path) -> Path | None:
    """The path in the document of the part at a path in a found value; None if it has no origin."""
    for at, step in enumerate(path):
        if isinstance(origin, tuple):
            return (*origin, *path[at:])
        if isinstance(origin, list) and isinstance(step, int):
            origin = origin[step] if step < len(origin) else None
        else:
            origin = origin.get(str(step)) if isinstance(origin, dict) else None
    return origin if isinstance(origin, tuple) else None


def left_out_of(origin: Origin, patterns: Patterns) -> LeftOut | None:
    """What patterns for the document leave out of a value of this origin; None for all of it."""
    if origin is None:
        return patterns.anywhere
    if isinstance(origin, tuple):
        return _at(origin, patterns)
    parts = origin.items() if isinstance(origin, dict) else enumerate(origin)
    return Parts({step: left_out_of(each, patterns) for step, each in parts}, patterns.anywhere)


def _at(path: Path, patterns: Patterns) -> Patterns | None:
    """What is left out at a path; the first step alone is never left out."""
    at: Patterns | None = patterns.past(path[0]) if path else patterns
    for step in path[1:]:
        if at is None:
            return None
        at = at.below(step)
    return at


# ── the nodes of a JMESPath ──────────────────────────────────────────────────────────────────────

_INTERPRETER = TreeInterpreter()


def _visit(node: Any, here: Found) -> Found:
    """What a node of a compiled path finds; without origin for the types that are not in _VISITS."""
    visit = _VISITS.get(node["type"])
    if visit is not None:
        return visit(node, here)
    return Found(_INTERPRETER.visit(node, here.value), None)


def _below(here: Found, step: str | int) -> Found:
    """The value one step further down."""
    value, origin = here
    if isinstance(step, str):
        found = value.get(step) if isinstance(value, dict) else None
    else:
        found = value[step] if isinstance(value, list) and -len(value) <= step < len(value) else None
        step += len(value) if step < 0 and found is not None else 0
    if isinstance(origin, tuple):
        return Found(found, (*origin, step))
    if isinstance(origin, dict) and isinstance(step, str):
        return Found(found, origin.get(step))
    if isinstance(origin, list) and isinstance(step, int) and found is not None:
        return Found(found, origin[step])
    return Found(found, None)


def _elements(here: Found) -> list[Found]:
    return [_below(here, at) for at in range(len(here.value))]


def _gathered(found: list[Found]) -> Found:
    """The results of a projection as one list, without nulls."""
    kept = [each for each in found if each.value is not None]
    return Found([each.value for each in kept], [each.origin for each in kept])


def _field(node: Any, here: Found) -> Found:
    return _below(here, node["value"])


def _chain(node: Any, here: Found) -> Found:
    for child in node["children"]:
        here = _visit(child, here)
    return here


def _itself(_node: Any, here: Found) -> Found:
    return here


def _projection(node: Any, here: Found) -> Found:
    base = _visit(node["children"][0], here)
    if not isinstance(base.value, list):
        return Found(None, None)
    return _gathered([_visit(node["children"][1], each) for each in _elements(base)])


def _filter(node: Any, here: Found) -> Found:
    base = _visit(node["children"][0], here)
    if not isinstance(base.value, list):
        return Found(None, None)
    _, then, condition = node["children"]
    kept = [each for each in _elements(base) if _is_true(_INTERPRETER.visit(condition, each.value))]
    return _gathered([_visit(then, each) for each in kept])


def _values(node: Any, here: Found) -> Found:
    base = _visit(node["children"][0], here)
    if not isinstance(base.value, dict):
        return Found(None, None)
    return _gathered([_visit(node["children"][1], _below(base, name)) for name in base.value])


def _flatten(node: Any, here: Found) -> Found:
    base = _visit(node["children"][0], here)
    if not isinstance(base.value, list):
        return Found(None, None)
    found: list[Found] = []
    for each in _elements(base):
        found += _elements(each) if isinstance(each.value, list) else [each]
    return Found([each.value for each in found], [each.origin for each in found])


def _slice(node: Any, here: Found) -> Found:
    if not isinstance(here.value, list):
        return Found(None, None)
    kept = _elements(here)[slice(*node["children"])]
    return Found([each.value for each in kept], [each.origin for each in kept])


def _chosen(node: Any, here: Found) -> Found:
    if here.value is None:
        return Found(None, None)
    found = [_visit(child, here) for child in node["children"]]
    return Found([each.value for each in found], [each.origin for each in found])


def _named(node: Any, here: Found) -> Found:
    if here.value is None:
        return Found(None, None)
    found = {child["value"]: _visit(child["children"][0], here) for child in node["children"]}
    values = {name: each.value for name, each in found.items()}
    return Found(values, {name: each.origin for name, each in found.items()})


def _either(node: Any, here: Found) -> Found:
    left = _visit(node["children"][0], here)
    return left if _is_true(left.value) else _visit(node["children"][1], here)


def _both(node: Any, here: Found) -> Found:
    left = _visit(node["children"][0], here)
    return _visit(node["children"][1], here) if _is_true(left.value) else left


def _function(node: Any, here: Found) -> Found:
    """What a function returns; its argument, or parts of it as `sort_by` returns them, have their origin.

    Parts are found by identity, as equal parts may come from different places. They are looked up by id():
    for `sort_by` of 10,000 elements that takes 0.03 s, and a search by `is` would take 1 s. No id is reused
    meanwhile, as `arguments` keeps all values.
    """
    value = _INTERPRETER.visit(node, here.value)
    if not isinstance(value, dict | list):
        return Found(value, None)
    arguments = [_visit(each, here) for each in node["children"] if each["type"] != "expref"]
    origins = {id(each.value): each.origin for found in arguments for each in _with_parts(found)}
    if id(value) in origins:
        return Found(value, origins[id(value)])
    if isinstance(value, list):
        return Found(value, [origins.get(id(each)) for each in value])
    return Found(value, {name: origins.get(id(each)) for name, each in value.items()})


def _with_parts(found: Found) -> Iterator[Found]:
    """A value and its parts: those that are mappings or lists, which have an identity of their own."""
    parts: list[Found] = []
    if isinstance(found.value, list):
        parts = _elements(found)
    elif isinstance(found.value, dict):
        parts = [_below(found, name) for name in found.value]
    for each in (found, *parts):
        if isinstance(each.value, dict | list):
            yield each


def _is_true(value: Any) -> bool:
    """True if a value is true for JMESPath."""
    return not (value is None or value is False or value in ("", [], {}))


_VISITS: dict[str, Callable[[Any, Found], Found]] = {
    "field": _field,
    "index": _field,
    "identity": _itself,
    "current": _itself,
    "subexpression": _chain,
    "index_expression": _chain,
    "pipe": _chain,
    "projection": _projection,
    "filter_projection": _filter,
    "value_projection": _values,
    "flatten": _flatten,
    "slice": _slice,
    "multi_select_list": _chosen,
    "multi_select_dict": _named,
    "or_expression": _either,
    "and_expression": _both,
    "function_expression": _function,
}
