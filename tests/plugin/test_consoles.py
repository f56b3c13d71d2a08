"""What is printed can be printed on any console: those of Windows have 8-bit encodings."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from conftest import OTHERS_PLUGINS


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_failure_is_printed_in_any_encoding(recorded, encoding):
    """A session says the same in an 8-bit encoding, with escapes, and its reports are UTF-8."""
    text = recorded.files["answer.dust.yaml"].decode().replace("label: billing", "label: größe → 你好")
    example = recorded.having({"answer.dust.yaml": text})
    example.write()
    own = {**os.environ, "PYTEST_ADDOPTS": OTHERS_PLUGINS, **example.environ, "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "pytest", "--dust-report=r.md"]
    done = subprocess.run(command, cwd=example.root, env=own, capture_output=True, check=False)
    printed = done.stdout.decode(encoding)
    assert (done.returncode, done.stderr) == (1, b"")
    assert "\\u2192 \\u4f60\\u597d" in printed
    assert "wrote the report r.md" in printed
    assert "größe → 你好" in (example.root / "r.md").read_text(encoding="utf-8")
