"""Environments with other plugins beside all that the tests need, in the folder that REPORTERS names.

They come from PyPI and are made once; without that folder, the tests that need them are skipped.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest

FOLDER = os.environ.get("REPORTERS", "")
needs_environments = pytest.mark.skipif(not FOLDER, reason="needs PyPI; see Reporters in CONTRIBUTING.md")


def python_of(*packages: str) -> str:
    """The Python of an environment with these packages beside all that the tests need; made once."""
    if not any(packages):
        return sys.executable
    ours = sysconfig.get_path("purelib")
    name = packages[0] if len(packages) == 1 else f"{len(packages)}-plugins"
    folder = Path(FOLDER, f"{name}-{sha256('|'.join([ours, *packages[1:]]).encode()).hexdigest()[:8]}")
    if not folder.exists():
        Path(FOLDER).mkdir(parents=True, exist_ok=True)
        new = Path(mkdtemp(dir=FOLDER))
        _install(packages, new, ours)
        with suppress(OSError):  # another worker was faster
            new.rename(folder)
        rmtree(new, ignore_errors=True)
    return str(folder / "bin" / "python")


def _install(packages: tuple[str, ...], folder: Path, ours: str) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n", encoding="utf-8")
    python = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "pip", "--python", python, "install", "-q", *packages], check=True)
