"""Imports go one way: down the folders of the package, and never in a circle."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pytest_dust

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(pytest_dust.__file__).parent
FOLDERS = ("plugin", "run", "report", "cassettes", "dust", "suite", "checks", "compare", "files", "")
"""From the top down; modules that stand in no folder are at the bottom, as all others may use them."""


def module_of(path: Path) -> str:
    """Give a file's module below the package, `checks.matchers`; the package itself is empty."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {module_of(path): path for path in PACKAGE.rglob("*.py")}


def floor(module: str) -> int:
    """Give how far down a module stands."""
    folder, dot, _ = module.partition(".")
    return FOLDERS.index(folder if dot or folder in FOLDERS else "")


def running_code(node: ast.AST) -> Iterator[ast.AST]:
    """Walk all that a module may run, module-level and lazy, but not what only type checkers read."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from running_code(child)


def imports(module: str) -> Iterator[str]:
    """Give the package's modules that a module imports."""
    for node in running_code(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            below = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if own(name) in MODULES else str(node.module) for name in below]
        else:
            continue
        yield from (found for name in names if (found := own(name)))


def own(name: str) -> str | None:
    """Give a full name below the package, or None where it is somebody else's."""
    head, _, rest = name.partition(".")
    return rest if head == "pytest_dust" else None


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_imports_go_down(module):
    """A module imports from its own folder or those below it, lazily too."""
    assert [name for name in imports(module) if floor(name) < floor(module)] == []


def test_imports_have_no_circle():
    """No module imports itself by way of others, lazily either."""
    graph = {module: set(imports(module)) - {module} for module in MODULES}
    assert set(TopologicalSorter(graph).static_order()) >= set(graph)
