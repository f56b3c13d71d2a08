"""Find the messages of pytest-dust in its source code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

from code_texts import HINT, VARIES, Function, Module, Scope, modules, results, texts

_FIRST = """
ArgumentError Broken CaseFailed CassetteError EditError JudgeError Mark NoRun NumberError PathError
ReferenceProblem RunsChanged ServiceError SettingsError TableError UnreadableError UsageError WrongType
_Refused"""
_SECOND = "CsvError Problem _NotText _Unreadable"
ERRORS = dict.fromkeys(_FIRST.split(), 0) | dict.fromkeys(_SECOND.split(), 1)
"""The errors, and other values, that carry a message to users; which of their arguments it is."""
BUILT_IN = ("plugin.fixture", "report.record_json", "suite.csv_tables")
"""Modules whose ValueError, TypeError and AttributeError carry a message to users."""
BEFORE = {"_Refused": f'{VARIES}: "{VARIES}" cannot be used; '}
"""What is printed directly before the message of an error."""
KEYWORDS = ("message", "trouble", "left_out")
"""Arguments of records, by keyword, that are messages."""
RETURNED = (
    "cassettes.format._no_text",
    "files.links.refusal",
    "plugin.fresh_test.run",
    "plugin.gate_runs._left_out",
    "plugin.gate_runs._one_version",
    "plugin.gate_runs._trouble",
    "plugin.hints._no_case",
    "plugin.hints._no_suite",
    "report.compared.not_compared",
    "report.drift._drifted",
    "report.drift._undecided",
    "report.misses.misfit",
    "run.acceptance._put_in_place",
    "run.acceptance._unpinned",
    "run.acceptance._unwritable",
    "run.gate_procedure._missing",
    "run.gate_procedure._nothing_counts",
    "run.gate_procedure._too_few",
    "run.pending.keep",
    "run.waiting.refusal",
    "run.wishes._computed",
    "settings._barred",
    "suite.case_limit.refusal",
    "suite.keys._unlike",
)
"""Functions whose texts are shown to users without an error that carries them."""
INTERNAL = {
    "AssertionError": "it shows a mistake of pytest-dust, or marks a failure for pytest's traceback",
    "ConnectError DecodingError ReadTimeout TransportError": "dust/refusals.py makes messages of them",
    "Failed Interrupted KeyboardInterrupt": "pytest reports them",
    "Invalid": "its mistake is reported already",
    "KeyError": "a cassette is then said to be incomplete",
    "PermissionError": "it is caught, and its text is that of the system",
    "RecursionError": "it is caught where values are read",
    "SuiteError": "it shows problems, which carry the messages",
    "TimeIsUp TooMuchError _Stop": "they are caught where they can be explained",
    "UnsetVariable": "it makes its message itself",
    "AttributeError TypeError ValueError": "those of modules in BUILT_IN are messages; others are caught",
}
"""Errors that are raised and carry no message to users, with the reason."""
PASSED_ON = {
    "an error is raised again, or its text is shown": """
        checks.binding.after checks.binding.below dust.network._service dust.refusals._spent
        errors.__init__ files.sources._refuse_git_marks plugin._settings plugin.case_item.runtest
        plugin.commands.run plugin.compared._failing plugin.compared.pytest_testnodedown
        plugin.compared.refuse plugin.drift_item._asked plugin.drift_item.runtest plugin.dust_file._read
        plugin.failures.failure plugin.fixture._read plugin.fixture_runs._failed
        plugin.fixture_runs.refuse_changes plugin.gate_runs._trouble plugin.gate_runs.of_test
        plugin.hints.pytest_terminal_summary plugin.reports.__init__ plugin.scheduler._announce
        plugin.session.context report.closing.closing report.drift._undecided
        report.from_outcome.with_trouble report.record_json.from_json run.edit_plan._contents
        run.edit_plan.plan run.gate_procedure._missing run.launch.launch run.pending.keep settings.resolve
        suite.cases.__init__ suite.cases.count suite.cases.expectation suite.cases.row_variants
        suite.cases.variants suite.keys._compare suite.keys._inputs suite.keys._similar
        suite.problems.add suite.problems.fill suite.problems.invalid suite.tables._csv
        suite.tables._yaml suite.yaml_reader.__init__ suite.yaml_reader._problem""",
    "the text is that of a library": """
        checks.deepdiffs._refuse_unsupported checks.deepdiffs.differences paths.find""",
    "the text is all names, numbers or values": """
        checks.arguments._record json_values._number_error plugin.gate_runs._left_out
        plugin.pytest_report_header suite.csv_tables._value""",
    "it is no message": """
        compare.baseline.compare dust.wire.crash plugin.compared.pytest_sessionfinish plugin.hints._no_suite
        report.from_outcome.comparison_record suite.keys._mark""",
}
"""Functions that seem to make a message and give it no fixed words of their own, with the reason."""


class Message(NamedTuple):
    """A text that users can get."""

    text: str
    place: str
    """The module and the function in which it is made."""


def messages() -> Iterator[Message]:
    """Return all messages that are found."""
    for site in sites():
        yield from (Message(text, site.place) for text in site.texts if text)


@dataclass(frozen=True)
class Site:
    """An expression whose texts are messages."""

    node: ast.expr
    scope: Scope
    before: str = ""

    @cached_property
    def texts(self) -> list[str]:
        """The forms of its text; a hint at its end is left out."""
        found = (
            re.sub(f"{VARIES}?{HINT}", VARIES, text.rstrip(HINT)) for text in texts(self.node, self.scope)
        )
        return [self.before + text if text else "" for text in found]

    @property
    def place(self) -> str:
        """The module and the function in which it is."""
        return ".".join([self.scope.module.name, *(each.name for each in self.scope.functions)])


@cache
def sites() -> list[Site]:
    """Return the expressions whose texts are messages."""
    return [site for module in modules().values() for site in _sites(module.tree, Scope(module))]


def _sites(node: ast.AST, scope: Scope) -> Iterator[Site]:
    if isinstance(node, Function):
        scope = Scope(scope.module, (*scope.functions, node))
        if f"{scope.module.name}.{node.name}" in RETURNED:
            yield from (Site(each, scope) for each in results(node))
    if isinstance(node, ast.Call):
        before = BEFORE.get(ast.unparse(node.func), "")
        yield from (Site(each, scope, before) for each in _carried(node, scope.module))
    if _is_reason(node):
        yield Site(node.value, scope)  # type: ignore[attr-defined]  # it is an assignment
    if isinstance(node, ast.Constant | ast.JoinedStr) and _begin(node).startswith("dust: "):
        yield Site(node, scope)
        return
    for child in ast.iter_child_nodes(node):
        yield from _sites(child, scope)


def _is_reason(node: ast.AST) -> bool:
    """Return whether a text is assigned to the variable `why`, which is shown as the reason of something."""
    match node:
        case ast.Assign(targets=[ast.Name(id="why")], value=ast.JoinedStr()):
            return True
    return False


def _begin(node: ast.expr) -> str:
    """Return the fixed words with which a text begins."""
    if isinstance(node, ast.JoinedStr):
        return _begin(node.values[0]) if node.values else ""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _carried(node: ast.Call, module: Module) -> Iterator[ast.expr]:
    """Return the arguments of a call that are messages."""
    yield from (each.value for each in node.keywords if each.arg in KEYWORDS)
    at = _argument(node, module)
    if at is not None:
        yield from node.args[at : at + 1]


def _argument(node: ast.Call, module: Module) -> int | None:
    """Return which argument of a call is a message; None if none is."""
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in ERRORS:
            return ERRORS[name]
        case ast.Name(id="ValueError" | "TypeError" | "AttributeError"):
            return 0 if module.name in BUILT_IN else None
        case ast.Attribute(value=ast.Name(id="refusals")):
            return None  # that module makes its messages itself
        case ast.Name(id="_spent") | ast.Attribute(attr="refused" | "exit"):
            return 0
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr="__init__"):
            return 0 if node.args and isinstance(node.args[0], ast.JoinedStr) else None
        case ast.Attribute(attr="_problem"):
            return 1
        case ast.Attribute(value=value, attr="add" | "invalid"):
            problems = ast.unparse(value).endswith("problems") or module.name == "suite.problems"
            return 1 if problems else None
    return None
