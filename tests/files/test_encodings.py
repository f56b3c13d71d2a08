"""Files are read and written in an encoding that the code names, as Windows has another one by default."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest_dust

PACKAGE = Path(pytest_dust.__file__).parent
TEXT = {"open", "read_text", "write_text"}


def unnamed(tree):
    """Return the calls that open a file as text and do not say in which encoding."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in TEXT:
                modes = [each.value for each in node.args if isinstance(each, ast.Constant)]
                binary = any(isinstance(mode, str) and "b" in mode for mode in modes)
                system = ast.unparse(node.func) in ("os.open", "session.open", "sessions.open")
                if not (binary or system or any(each.arg == "encoding" for each in node.keywords)):
                    yield node


def test_each_text_file_has_an_encoding():
    """No file is opened as text in the encoding of the system."""
    paths = sorted(PACKAGE.rglob("*.py"))
    found = {path.name: list(unnamed(ast.parse(path.read_text(encoding="utf-8")))) for path in paths}
    assert {name: [node.lineno for node in nodes] for name, nodes in found.items() if nodes} == {}


def test_a_missing_encoding_is_found():
    """The check sees files that are opened as text, and leaves those that are opened as bytes."""
    calls = ["open('a')", "p.open('w')", "p.read_text()", "p.open('rb')", "p.read_text(encoding='utf-8')"]
    assert [call for call in calls if list(unnamed(ast.parse(call)))] == calls[:3]
