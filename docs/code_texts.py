"""Read from the source code of the package which texts an expression can give."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product, takewhile
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

import pytest_dust

PACKAGE = Path(pytest_dust.__file__).parent
VARIES = "…"
"""Placeholder for a part of a text that varies."""
HINT = "\0"
"""Placeholder for ` (did you mean …?)`, which may be in a text."""
KNOWN = {"did_you_mean": HINT, "first_names": VARIES, "kind": VARIES, "named": VARIES}
"""What is shown for the texts of some functions."""
MAX_TEXTS = 40
"""Maximum number of forms of one text that are read."""
MAX_COMBINED = 6
"""Maximum number of forms of a text by combination of its parts; beyond it, the shortest parts vary."""
FEW_WORDS = 3
"""A part with several forms, each of fewer words than this, is shown as varying."""

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """A module of the package."""

    name: str
    """Its name below the package."""
    tree: ast.Module
    names: Mapping[str, Any]
    """What its names stand for, such as the values of its constants."""
    functions: Mapping[str, Function]
    """Its functions and methods, by name."""
    constants: Mapping[str, ast.expr]
    """The expressions that are assigned to its constants."""


@cache
def modules() -> dict[str, Module]:
    """Return the modules of the package, by their names below it."""
    return {module.name: module for module in map(_module, sorted(PACKAGE.rglob("*.py")))}


def _module(path: Path) -> Module:
    parts = [part for part in path.relative_to(PACKAGE).with_suffix("").parts if part != "__init__"]
    names = vars(importlib.import_module(".".join(["pytest_dust", *parts])))
    return module(".".join(parts), path.read_text(encoding="utf-8"), names)


def module(name: str, code: str, names: Mapping[str, Any]) -> Module:
    """Return a module with this code; `names` is what its names stand for when it is imported."""
    tree = ast.parse(code)
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, Function)}
    constants = {}
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=constant)], value=ast.expr() as value)
                | ast.AnnAssign(target=ast.Name(id=constant), value=ast.expr() as value)
            ):
                constants[constant] = value
    return Module(name, tree, names, functions, constants)


@dataclass(frozen=True)
class Scope:
    """Where an expression stands."""

    module: Module
    functions: tuple[Function, ...] = ()
    """The functions around it, from the outside in."""
    given: Mapping[str, list[str]] = field(default_factory=dict)
    """The texts of the parameters that are known."""
    followed: frozenset[str] = frozenset()
    """The names that are being followed, none of which is followed again inside of itself."""

    @property
    def local(self) -> frozenset[str]:
        """The names that are assigned in the functions around it."""
        return frozenset(self.given).union(*map(_local, self.functions))

    def within(self, name: str) -> Scope:
        """Return the scope for following a name."""
        return Scope(self.module, self.functions, self.given, self.followed | {name})


@cache
def _local(function: Function) -> frozenset[str]:
    """Return the names that a function assigns, its parameters included."""
    found = set()
    for node in ast.walk(function):
        match node:
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                found.add(name)
    return frozenset(found)


# ── expressions ──────────────────────────────────────────────────────────────────────────────────


def texts(node: ast.expr, scope: Scope) -> list[str]:
    """Return the forms of an expression's text, with VARIES for what is not known."""
    found = _of_parts(node, scope) or _of_constant(node, scope) or _of_name(node, scope)
    return list(dict.fromkeys(found))[:MAX_TEXTS] or [VARIES]


def _all(nodes: Iterable[ast.expr], scope: Scope) -> list[str]:
    return [text for node in nodes for text in texts(node, scope)]


def _of_parts(node: ast.expr, scope: Scope) -> list[str]:
    """Return the texts of an expression that is made of others; none for any other."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            return joined([_of_part(part, scope) for part in parts])
        case ast.BinOp(op=ast.Add(), right=ast.Constant(value=int())):
            return []
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return joined([texts(left, scope), texts(right, scope)])
        case ast.IfExp(body=body, orelse=otherwise):
            return _all([body, otherwise], scope)
        case ast.BoolOp(values=values) | ast.Dict(values=values) | ast.List(elts=values):
            return _all(values, scope)
        case ast.Tuple(elts=[*_, last]):
            return texts(last, scope)
        case ast.Call(
            func=ast.Attribute(value=ast.Constant(value=str(between)), attr="join"),
            args=[ast.List(elts=parts)],
        ):
            return joined([each for part in parts for each in ([between], texts(part, scope))][1:])
    return []


def joined(parts: Sequence[list[str]]) -> list[str]:
    """Return the forms of a text of several parts; of parts that vary in a few words, one form."""
    plain = [part if len(part) == 1 or _words(part) >= FEW_WORDS else [_common(part)] for part in parts]
    while len([part for part in plain if len(part) > 1]) > 1 and prod(map(len, plain)) > MAX_COMBINED:
        shortest = min((part for part in plain if len(part) > 1), key=_words)
        plain[plain.index(shortest)] = [_common(shortest)]
    return [re.sub(f"{VARIES}{{2,}}", VARIES, "".join(each)) for each in product(*plain)]


def _common(part: Sequence[str]) -> str:
    """Return the words with which all forms of a part begin, and VARIES."""
    same = takewhile(lambda chars: len(set(chars)) == 1, zip(*part, strict=False))
    found = "".join(chars[0] for chars in same)
    return (found if found in part else found[: found.rfind(" ") + 1]) + VARIES


def _words(part: Sequence[str]) -> int:
    """Return the number of words of a part's longest form."""
    return max(len(text.split()) for text in part)


def _of_part(part: ast.expr, scope: Scope) -> list[str]:
    """Return the texts of a part of an f-string."""
    if not isinstance(part, ast.FormattedValue):
        return texts(part, scope)
    if part.format_spec is not None:
        return _of_constant(ast.JoinedStr([part]), scope) or [VARIES]
    if part.conversion == ord("r") or _is_error(part.value, scope):
        return [VARIES]
    return texts(part.value, scope)


def _is_error(node: ast.expr, scope: Scope) -> bool:
    """Return whether an expression is a call of a function that returns an error, with its own message."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return False
    function = scope.module.functions.get(node.func.id)
    return function is not None and ast.unparse(function.returns or ast.Constant("")).endswith("Error")


def _of_constant(node: ast.expr, scope: Scope) -> list[str]:
    """Return the text of an expression of constants alone; none for any other."""
    calls = (each for each in ast.walk(node) if isinstance(each, ast.Call))
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    if names & scope.local or any(not ast.unparse(call.func).endswith(".join") for call in calls):
        return []
    code = compile(ast.fix_missing_locations(ast.Expression(node)), scope.module.name, "eval")
    try:
        value = eval(code, dict(scope.module.names))  # noqa: S307  # the package's own constants
    except (NameError, AttributeError, TypeError, KeyError):
        return []
    return ["" if value is None else str(value)] if isinstance(value, str | int | float | None) else []


# ── names and calls ──────────────────────────────────────────────────────────────────────────────


def _of_name(node: ast.expr, scope: Scope) -> list[str]:
    """Return the texts of what a name stands for, or of what a call returns."""
    match node:
        case ast.Name(id=name) if name in scope.given:
            return scope.given[name]
        case ast.Name(id=name) if name not in scope.followed:
            return _all(_assigned(node, scope), scope.within(name))
        case ast.Subscript(value=ast.Name() as value) if _is_mapping(value, scope):
            return texts(value, scope)
        case ast.Call(func=ast.Attribute(value=ast.Name() as value, attr="get")) if _is_mapping(value, scope):
            return _all([value, *node.args[1:]], scope)
        case ast.Call():
            return _of_call(node, scope)
        case ast.Attribute(value=ast.Name(id="self"), attr=name) if name in scope.module.functions:
            return _returned(scope.module, name, {}, scope)
    return []


def _is_mapping(node: ast.Name, scope: Scope) -> bool:
    return any(isinstance(value, ast.Dict) for value in _assigned(node, scope))


def _assigned(name: ast.Name, scope: Scope) -> list[ast.expr]:
    """Return the expressions that a name may stand for: in the functions around it, else in the module."""
    found = []
    for function in scope.functions:
        block = _since(function, name) or function.body
        found += [each for part in block for node in ast.walk(part) for each in _values(node, name.id)]
    constant = scope.module.constants.get(name.id)
    return found if found or constant is None or name.id in scope.local else [constant]


def _values(node: ast.AST, name: str) -> Iterator[ast.expr]:
    """Return what a statement or expression assigns to a name."""
    match node:
        case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
            yield value
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
            pairs = zip(targets, values, strict=False)
            yield from (value for target, value in pairs if ast.unparse(target) == name)
        case ast.AugAssign(target=ast.Name(id=target), value=value) if target == name:
            yield ast.BinOp(ast.Constant(VARIES), ast.Add(), value)
        case ast.NamedExpr(target=ast.Name(id=target), value=value) if target == name:
            yield value
        case ast.For(
            target=ast.Tuple(elts=[_, ast.Name(id=target)]),
            iter=ast.Call(func=ast.Attribute(value=ast.Name() as value, attr="items")),
        ) if target == name:
            yield value


def _since(function: Function, name: ast.Name) -> list[ast.stmt]:
    """Return the statements from the last one before a name that assigns it for certain; else none."""
    found: list[ast.stmt] = []
    for node in _nodes(function):  # from the outside in, so that the innermost block counts
        for block in (getattr(node, part, None) for part in ("body", "orelse", "finalbody")):
            if isinstance(block, list) and any(_has(each, name.lineno) for each in block):
                before = [each for each in block if each.lineno <= name.lineno]
                assigned = [at for at, each in enumerate(before) if _assigns(each, name.id)]
                found = before[assigned[-1] :] if assigned else found
    return found


@cache
def _nodes(function: Function) -> list[ast.AST]:
    return list(ast.walk(function))


def _has(node: ast.stmt, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)


def _assigns(node: ast.stmt, name: str) -> bool:
    names = ast.walk(node) if isinstance(node, ast.Assign) else ()
    return any(
        isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store) and each.id == name for each in names
    )


def _of_call(node: ast.Call, scope: Scope) -> list[str]:
    """Return the texts that a call gives: what a function of the package returns, or an error's message."""
    match node.func:
        case ast.Attribute(value=value, attr="format"):
            return [re.sub(r"\{\w*\}", VARIES, text) for text in texts(value, scope)]
        case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
            home: Module | None = scope.module
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            home = _imported(owner, scope, "__name__")
        case ast.Name(id=name):
            home = scope.module if name in scope.module.functions else _imported(name, scope, "__module__")
        case _:
            return []
    if name == "plural":
        return [f"{VARIES} {noun}s" for noun in texts(node.args[1], scope)]
    if name in KNOWN:
        return [KNOWN[name]]
    if home is None or name not in home.functions:
        return texts(node.args[0], scope) if name.endswith("Error") and node.args else []
    return _returned(home, name, _arguments(node, home.functions[name], scope), scope)


def _arguments(node: ast.Call, function: Function, scope: Scope) -> dict[str, list[str]]:
    """Return the texts of a call's arguments, by the function's parameters."""
    names = [each.arg for each in function.args.args if each.arg not in ("self", "cls")]
    found = {name: texts(value, scope) for name, value in zip(names, node.args, strict=False)}
    return found | {each.arg: texts(each.value, scope) for each in node.keywords if each.arg}


def _imported(name: str, scope: Scope, attribute: str) -> Module | None:
    """Return the module of the package that a name is, or is from; None if it is of another package."""
    full = str(getattr(scope.module.names.get(name), attribute, ""))
    for function in scope.functions:
        for node in ast.walk(function):
            if isinstance(node, ast.ImportFrom) and name in [each.name for each in node.names]:
                full = str(node.module) if attribute == "__module__" else f"{node.module}.{name}"
    return modules().get(full.removeprefix("pytest_dust."))


def _returned(home: Module, name: str, given: Mapping[str, list[str]], scope: Scope) -> list[str]:
    """Return the texts that a function returns or yields."""
    called = f"{home.name}.{name}()"
    if called in scope.followed:
        return []
    inside = Scope(home, (home.functions[name],), given, scope.followed | {called})
    return _all(results(home.functions[name]), inside)


def results(function: Function) -> Iterator[ast.expr]:
    """Return the expressions that a function returns or yields, without those of functions in it."""
    todo: list[ast.AST] = list(function.body)
    while todo:
        node = todo.pop(0)
        if isinstance(node, ast.Return | ast.Yield) and node.value is not None:
            yield node.value
        if not isinstance(node, Function | ast.Lambda):
            todo += ast.iter_child_nodes(node)
