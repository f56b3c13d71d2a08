"""JMESPath expressions on the run view: compile them, find values, and explain why nothing is found."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias
from warnings import catch_warnings, simplefilter

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter

from pytest_dust.deadline import TimeIsUp, seconds_left
from pytest_dust.errors import did_you_mean
from pytest_dust.model import MISSING
from pytest_dust.wording import kind

if TYPE_CHECKING:
    from jmespath.parser import ParsedResult

Steps: TypeAlias = "tuple[str | int, ...]"

_BRANCHING = (
    "function_expression",
    "or_expression",
    "and_expression",
    "not_expression",
    "comparator",
    "multi_select_list",
)
MAX_NAMED = 12
"""Maximum number of keys that a message lists when a path finds nothing."""
MAX_NAME = 60
"""Maximum length of a key in a message."""
MAX_QUOTED = 500
"""Maximum length of a path for which a message shows how to quote its names."""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DIGITS = re.compile(r"\.\d+(?![^.\[])")
_PIECE = re.compile(
    r"""(?P<dot>\.?)(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`|\[[-\d:*\s]*\]"""
    r"""|(?:[^.\[\](){}|&,*<>=!?"'`:]|(?<=[^\s:]):(?=[^\s:]))+)"""
)
"""A quoted text, an index or slice, or a sequence of characters that may be a name."""
MAX_REASON = 300
"""Maximum length of JMESPath's own message in a PathError."""


class PathError(ValueError):
    """A path is no JMESPath, or one of its functions refuses a value; the text says why."""


class _Interpreter(TreeInterpreter):
    """JMESPath's interpreter; steps that multiply values raise TimeIsUp after the deadline."""

    def visit_multi_select_list(self, node: Any, value: Any) -> Any:
        """Return the value of `[a, b]`."""
        seconds_left()
        return super().visit_multi_select_list(node, value)

    def visit_multi_select_dict(self, node: Any, value: Any) -> Any:
        """Return the value of `{x: a, y: b}`."""
        seconds_left()
        return super().visit_multi_select_dict(node, value)

    def visit_flatten(self, node: Any, value: Any) -> Any:
        """Return the value of `a[]`."""
        seconds_left()
        return super().visit_flatten(node, value)


@cache
def compile_path(path: str) -> ParsedResult:
    """Return the compiled path; raises PathError if it is no JMESPath."""
    try:
        with catch_warnings():
            simplefilter("ignore")  # JMESPath warns of literals without quotes
            parsed: ParsedResult = jmespath.compile(path)
        _check_tree(parsed.parsed)
        _beginnings(parsed.parsed)
    except JMESPathError as error:
        raise PathError(_syntax_error(path, error) + _quoting_hint(path)) from None
    except PathError:
        raise
    except (RecursionError, ValueError):
        raise PathError("not a JMESPath that can be read: too long or too deep; make it shorter") from None
    return parsed


@cache
def beginnings(path: str) -> list[Steps]:
    """Return the names and indexes with which the parts of a path begin, such as a function's arguments."""
    return [steps for steps in _beginnings(compile_path(path).parsed) if steps]


@cache
def plain_path(path: str) -> Steps:
    """Return the steps of a path that has only names and indexes; () for any other path."""
    steps, whole = _plain_beginning(compile_path(path).parsed)
    return steps if whole else ()


def find(path: str, document: object) -> object:
    """Return the value that a path finds, or MISSING; raises PathError if a function refuses a value."""
    if plain := plain_path(path):  # most paths are plain, and JMESPath takes ten times as long
        return _follow(plain, document)
    expression = compile_path(path)
    try:
        found = _Interpreter().visit(expression.parsed, document)
    except TimeIsUp:
        raise
    except Exception as error:  # noqa: BLE001  # JMESPath's functions may raise anything for unexpected values
        text = str(error)[:MAX_REASON].replace("\n", " ")
        raise PathError(text or type(error).__name__) from None
    if found is None and not _is_null(expression.parsed, document):
        return MISSING
    return found


def how_far(path: str, document: object) -> str:
    """Return why a path finds nothing: the longest part of it that finds a value, and what that value is."""
    reached, value = "", document
    for step in _plain_beginning(compile_path(path).parsed)[0]:
        below = _step(value, step)
        if below is MISSING:
            break
        reached, value = reached + show_step(step, first=not reached), below
    return f"{reached or 'the run'} {_contents(value)}"


def show_step(step: str | int, *, first: bool = False) -> str:
    """Return one step of a path as JMESPath writes it: `.name`, `[3]`, `."odd name"`."""
    if isinstance(step, int):
        return f"[{step}]"
    name = step if step.isidentifier() and step.isascii() else json.dumps(step, ensure_ascii=False)
    return name if first else f".{name}"


def _syntax_error(path: str, error: Any) -> str:
    position = getattr(error, "lex_position", None)
    if not path.strip():
        return "a path is empty; write what to look at, such as result or blocks.NAME.output"
    if position is None:
        return f"not a JMESPath: {error}"
    if position >= len(path):
        return "not a JMESPath: it ends too early"
    return f"not a JMESPath: unexpected {path[position]!r} at character {position + 1} of the path"


def _quoting_hint(path: str) -> str:
    """Return a hint with the path's odd names quoted, if that makes it a JMESPath; else an empty text."""
    if len(path) > MAX_QUOTED:
        return ""
    quoted = _PIECE.sub(_quoted, path)
    if quoted.startswith('"'):
        return ""  # no key at the top of the run view needs quotes
    try:
        _check_tree(jmespath.compile(quoted).parsed)
    except (JMESPathError, PathError, ValueError, RecursionError):
        return ""
    shown = f"'{quoted}'" if re.search(r": |:$| #", quoted) else quoted  # YAML reads those otherwise
    if _DIGITS.search(path) and not _DIGITS.search(quoted):
        return f"; an element of a list is written in brackets: {shown}"
    return f"; quote the name: {shown}"


def _quoted(piece: re.Match[str]) -> str:
    """Return a piece of a path as JMESPath accepts it: an odd name in quotes, a number as an index."""
    dot, text = piece["dot"], piece["text"]
    name = text.strip()
    if text.startswith("'") and dot:
        return f"{dot}{json.dumps(text[1:-1], ensure_ascii=False)}"
    if text[0] in "\"'`[" or not name or name == "@" or _IDENTIFIER.fullmatch(name):
        return piece[0]
    if name.isdecimal():
        return f"[{name}]" if dot else piece[0]
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return f"{dot}{before}{json.dumps(name, ensure_ascii=False)}{after}"


def _check_tree(node: Any, *, top: bool = True) -> None:
    """Raise PathError for mistakes that JMESPath finds only when it runs, or not at all."""
    if not isinstance(node, dict):
        return
    if top and node["type"] == "expref":
        raise PathError("& stands only before an argument of a function, such as sort_by(results, &score)")
    if node["type"] == "function_expression" and node["value"] not in Functions.FUNCTION_TABLE:
        hint = did_you_mean(node["value"], Functions.FUNCTION_TABLE)
        raise PathError(f"JMESPath has no function {node['value']}(){hint}")
    for child in node["children"]:
        _check_tree(child, top=False)


def _beginnings(node: Any) -> list[Steps]:
    if node["type"] in _BRANCHING:
        return [steps for child in node["children"] for steps in _beginnings(child)]
    return [_plain_beginning(node)[0]]


def _plain_beginning(node: Any) -> tuple[Steps, bool]:
    """Return the steps before the first filter, projection or function, and True if these are all."""
    kind, children = node["type"], node["children"]
    if kind in ("field", "index"):
        return (node["value"],), True
    if kind in ("identity", "current"):
        return (), True
    if kind in ("subexpression", "index_expression", "pipe"):
        steps: Steps = ()
        for child in children:
            more, whole = _plain_beginning(child)
            steps += more
            if not whole:
                return steps, False
        return steps, True
    if kind in ("projection", "filter_projection", "value_projection", "flatten"):
        return _plain_beginning(children[0])[0], False
    return (), False


def _is_null(node: Any, document: object) -> bool:
    """Return True if a path of names and indexes finds a null, rather than nothing."""
    steps, whole = _plain_beginning(node)
    return whole and _follow(steps, document) is None


def _follow(steps: Steps, value: Any) -> Any:
    for step in steps:
        value = _step(value, step)
    return value


def _step(value: Any, step: str | int) -> Any:
    if isinstance(step, str):
        return value.get(step, MISSING) if isinstance(value, dict) else MISSING
    there = isinstance(value, list) and -len(value) <= step < len(value)
    return value[step] if there else MISSING


def _contents(value: object) -> str:
    if isinstance(value, dict):
        shown = [name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}…" for name in list(value)[:MAX_NAMED]]
        more = ", …" if len(value) > MAX_NAMED else ""
        return f"has: {', '.join(shown)}{more}" if value else "is an empty mapping"
    if isinstance(value, list):
        return f"is a list of {len(value)}" if value else "is an empty list"
    return f"is {kind(value)}"
