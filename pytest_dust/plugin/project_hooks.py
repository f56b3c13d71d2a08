"""Hooks of the project that run around each case: they may skip it, or keep it from the network.

What they do is known only at the case's turn, so no run may start before it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pytest_dust.wording import as_typed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pytest

HOOKS = ("pytest_runtest_setup", "pytest_runtest_call", "pytest_runtest_protocol")
INSTALLED = {"site-packages", "dist-packages"}
"""Folders of installed packages."""


def around(cases: Iterable[pytest.Item]) -> str:
    """The first hook that runs around one of the cases, with its file; empty if there is none.

    Hooks of pytest, of pytest-dust and of installed plugins do not count.
    """
    folders = {case.path.parent: case for case in cases}  # a conftest.py holds for its folder
    return next((found for case in folders.values() for found in _of_project(case)), "")


def _of_project(case: pytest.Item) -> Iterator[str]:
    for name in HOOKS:
        for hook in getattr(case.ihook, name).get_hookimpls():
            modules = [_module_of(hook.function)]
            modules += [hook.plugin] if isinstance(hook.plugin, ModuleType) else []
            if not all(map(_is_installed, modules)):
                file = _file(modules[-1])
                where = as_typed(Path(file), case.config.invocation_params.dir) if file else hook.plugin_name
                yield f"{name} of {where}"


def _module_of(function: Any) -> ModuleType | None:
    return sys.modules.get(getattr(function, "__module__", None) or "")


def _file(module: ModuleType | None) -> str:
    return getattr(module, "__file__", None) or ""


def _is_installed(module: ModuleType | None) -> bool:
    """Whether a module is in an installed package; pytest and pytest-dust may be elsewhere."""
    if module is None:
        return False
    package = module.__name__.partition(".")[0]
    return package in {"_pytest", "pytest_dust"} or not INSTALLED.isdisjoint(Path(_file(module)).parts)
