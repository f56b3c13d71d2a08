"""The plugin loads in every pytest run of its users: what is heavy is imported when it is first needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

HEAVY = ("httpx", "httpx_sse", "respx", "yaml", "deepdiff", "jmespath", "jsonschema", "rapidfuzz", "regex")
RUNNING = ("httpx", "httpx_sse", "respx", "deepdiff", "jsonschema", "rapidfuzz", "regex")


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
