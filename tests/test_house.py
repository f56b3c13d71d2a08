"""The house holds together: imports go one way, heavy things load late, and everything says what it is."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pytest_dust
from pytest_dust import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(pytest_dust.__file__).parent
PROJECT = Path(__file__).parent.parent

# High to low: a module may import from the rooms of its own line and of those below it.
LAYERS = """
    plugin
    gate
    items errands
    drift_item
    item
    fixture
    session
    fixture_runs live
    workers
    facts
    pipeline catalog upkeep versions
    pending difference_files
    client baseline report
    office judging
    budget diff_rules drift launch
    volatile
    conversation service_cache token_counts
    transport
    outgoing
    refusals view decoding writable
    read_ahead
    api cassette_files suite schema
    cassette redacted_suites
    keys tables
    checks stash hints
    notes settings masking ceiling missing
    json_values cassette_places
    references yamlio sources cookies
    links file_names git_marks
    hooks
    model errors clock
    characters
"""

# Who may know what is not Python's own.
KNOWN_TO = {
    "pytest": {
        "gate",
        "hints",
        "plugin",
        "items",
        "item",
        "session",
        "fixture_runs",
        "live",
        "workers",
        "errands",
        "hooks",
        "stash",
    },
    "httpx": {"conversation", "transport", "outgoing", "decoding", "refusals"},
    "httpx_sse": {"transport"},
    "respx": {"transport"},
    "yaml": {"yamlio"},
    "jmespath": {"checks"},
    "deepdiff": {"checks"},
    "jsonschema": {"checks"},
    "referencing": {"checks"},
    "rapidfuzz": {"checks"},
    "regex": {"checks"},
}
OPTIONAL = {"checks.schemas", "checks.matchers", "checks.arguments"}
"""Where libraries of extras may be named: the rooms that say how to install them."""
HEAVY = ("httpx", "httpx_sse", "respx", "yaml", "deepdiff", "jmespath", "jsonschema", "rapidfuzz", "regex")
RUNNING = ("httpx", "httpx_sse", "respx", "deepdiff", "jsonschema", "rapidfuzz", "regex")

# Modules of one room that stand above one another: each may import from those below it.
FLOORS = {
    "checks": (
        "expectation matchers arguments schemas patterns binding equality unordered origins paths content "
        "left_out alignment deadline"
    ),
    "report": (
        "status terminal session gate apps drift case full misses progress words cache tokens values columns"
    ),
}

RANK = {room: rank for rank, line in enumerate(LAYERS.split("\n")) for room in line.split()}
FILES = sorted(PACKAGE.rglob("*.py"))


def module_of(path: Path) -> str:
    """Give a file's module below the package, `checks.paths`; the package itself is empty."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def room(module: str) -> str:
    """Give the room that a module is of."""
    return module.split(".", maxsplit=1)[0]


MODULES = {module_of(path): path for path in FILES}
each_module = pytest.mark.parametrize("module", [name for name in MODULES if name])


@cache
def tree(module: str) -> ast.Module:
    """Give a module's syntax tree."""
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def running_code(node: ast.AST) -> Iterator[ast.AST]:
    """Walk all that a module may run, module-level and lazy, but not what only type checkers read."""
    if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
        for other in node.orelse:
            yield from running_code(other)
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from running_code(child)


def imported(module: str) -> set[str]:
    """Give the full names of all modules that a module imports when it runs."""
    found: set[str] = set()
    for node in running_code(tree(module)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            below = [f"{node.module}.{alias.name}" for alias in node.names]
            submodules = [name for name in below if own(name) in MODULES]
            whole = len(submodules) < len(below)
            found.update(submodules, [node.module or ""] if whole else [])
    return found


def own(name: str) -> str | None:
    """Give a full name below the package, or None where it is somebody else's."""
    head, _, rest = name.partition(".")
    return rest if head == "pytest_dust" else None


def own_imports(module: str) -> set[str]:
    """Give the package's modules that a module imports; the package itself, which imports none, aside."""
    return {below for name in imported(module) if (below := own(name))}


# ── imports ──────────────────────────────────────────────────────────────────────────────────────


def test_every_room_has_a_layer():
    """The table of layers names each room of the package, and no other."""
    assert {room(module) for module in MODULES if module} == set(RANK)


@each_module
def test_imports_go_one_way(module):
    """A module imports from its own layer or those below it, lazily too."""
    upwards = {name for name in own_imports(module) if RANK[room(name)] < RANK[room(module)]}
    assert not upwards


@pytest.mark.parametrize("of", FLOORS)
def test_a_large_room_has_floors(of):
    """In a room of several modules, each module has its floor and imports from those below it alone."""
    floors = FLOORS[of].split()
    modules = {module.partition(".")[2] for module in MODULES if room(module) == of and "." in module}
    assert modules == set(floors)
    for at, floor in enumerate(floors):
        below = {name.partition(".")[2] for name in own_imports(f"{of}.{floor}") if room(name) == of}
        assert below <= set(floors[at + 1 :])


def top_level(module: str) -> set[str]:
    """Give what a module imports when it is imported itself."""
    found: set[str] = set()
    for node in tree(module).body:
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


@each_module
def test_libraries_of_extras_are_behind_doors(module):
    """What an extra installs is imported only where it is used, and in the rooms that can do without."""
    extras = {"jsonschema", "referencing", "rapidfuzz"}
    assert not top_level(module) & extras
    if {name.split(".")[0] for name in imported(module)} & extras:
        assert module in OPTIONAL


def test_imports_have_no_circle():
    """No module imports itself by way of others, lazily either."""
    graph = {module: own_imports(module) for module in MODULES if module}
    assert set(TopologicalSorter(graph).static_order()) >= set(graph)


def test_the_package_itself_imports_nothing():
    """Importing the package costs nothing: its top imports no module at all."""
    assert imported("") <= {"__future__"}


@each_module
def test_every_room_knows_its_own_libraries_only(module):
    """Each library is known to the rooms whose job it is, and to no others."""
    libraries = {name.split(".")[0] for name in imported(module)} - set(sys.stdlib_module_names)
    assert all(room(module) in KNOWN_TO.get(name, ()) for name in libraries - {"pytest_dust"})


@pytest.mark.parametrize("module", MODULES)
def test_nothing_imports_private_modules(module):
    """No module imports `_pytest`, or what else is private to others, for any purpose."""
    text = ast.unparse(tree(module))
    assert not re.search(r"^\s*(?:from|import) +(?!__future__)(?:\w+\.)*_", text, re.MULTILINE)


@each_module
def test_imports_are_written_as_imports(module):
    """Nothing is imported by a name in a text, which the rules above could not see."""
    calls = {ast.unparse(node.func) for node in ast.walk(tree(module)) if isinstance(node, ast.Call)}
    assert not calls & {"__import__", "import_module", "importlib.import_module", "pytest.importorskip"}


# ── lazy doors ───────────────────────────────────────────────────────────────────────────────────


def python(*arguments: str, cwd: Path) -> str:
    """Give what a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_plugin_loads_nothing_heavy(tmp_path):
    """A pytest run without suites loads none of the libraries that suites need."""
    code = f"import pytest, pytest_dust.plugin, sys; print([name for name in {HEAVY} if name in sys.modules])"
    assert python("-c", code, cwd=tmp_path).strip() == "[]"


CONFTEST = f"""
import sys

def pytest_unconfigure():
    print("\\nloaded:", sorted(name for name in {HEAVY} if name in sys.modules))
"""
SUITE = """
app: {id: 9f1d3b5a7c}
specification_hash: latest
cases:
  - id: refund
    input: {question: Where is my refund?}
    expect:
      result.label: billing
      result.answer: {contains: refund, max_length: 400}
"""


def loaded(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """Give which heavy libraries a run of pytest with our plugin alone has loaded."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    out = python("-m", "pytest", "-p", "pytest_dust.plugin", "-s", *arguments, cwd=folder)
    return next(line for line in out.splitlines() if line.startswith("loaded:"))


def test_collecting_loads_no_network(tmp_path, monkeypatch):
    """`--collect-only` over a suite loads neither an HTTP client nor a differ."""
    (tmp_path / "answer.dust.yaml").write_text(SUITE, encoding="utf-8")
    found = loaded(tmp_path, monkeypatch, "--collect-only")
    assert not [name for name in RUNNING if f"'{name}'" in found]
    assert "'yaml'" in found  # so the suite was read, and the list tells something


def test_a_run_without_suites_loads_nothing_heavy(tmp_path, monkeypatch):
    """A whole pytest run with the plugin on and without suites loads none of the libraries."""
    (tmp_path / "test_plain.py").write_text("def test_it():\n    pass\n", encoding="utf-8")
    assert loaded(tmp_path, monkeypatch) == "loaded: []"


# ── what everything says ─────────────────────────────────────────────────────────────────────────


def undocumented(node: ast.AST, where: str) -> Iterator[str]:
    """Give the public functions and classes, at the top or in a public class, that say nothing."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        name = f"{where}.{child.name}"
        if child.name.startswith("_"):
            continue
        if not ast.get_docstring(child):
            yield name
        if isinstance(child, ast.ClassDef):
            yield from undocumented(child, name)


@pytest.mark.parametrize("module", MODULES)
def test_everything_public_says_what_it_is(module):
    """Every module, public class and public function has a docstring."""
    assert ast.get_docstring(tree(module)), f"{module} has no docstring"
    assert list(undocumented(tree(module), module)) == []


def test_what_the_errors_offer_is_there():
    """The module of errors lists all of its errors, and draws each of them in its docstring's tree."""
    source = tree("errors")
    names = {node.name for node in source.body if isinstance(node, ast.ClassDef)}
    assert names <= set(errors.__all__)
    assert all(re.search(rf"\b{name}\b", ast.get_docstring(source) or "") for name in names)


TESTS = sorted(Path(__file__).parent.glob("test_*.py"))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_every_test_states_its_rule(path):
    """Every test has a docstring of one line that states the rule it holds."""
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    silent = [node.name for node in functions if "\n" in (ast.get_docstring(node) or "\n")]
    assert silent == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_the_package_knows_no_place_outside_of_it(path):
    """The package names no folder above the project, nor one beside it."""
    text = path.read_text(encoding="utf-8")
    assert "../" not in text
    for folder in PROJECT.parents[:-1]:
        assert not re.search(rf"(?<![\w}}/]){re.escape(str(folder))}(?![\w-])", text)
