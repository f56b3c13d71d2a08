"""Environments for the contenders, each with what it needs and nothing else; made once, kept in a folder."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from measure import environment

CHECKOUT = Path(__file__).parent.parent
PROMPTFOO = "promptfoo@0.120.27"
"""The last release that runs on Node 20."""
WANTED = {
    "dust": (str(CHECKOUT),),
    "xdist": (str(CHECKOUT), "pytest-xdist", "jsonschema>=4.18"),
    "bare": ("pytest", "pyyaml"),
    "cassetter": ("cassetter", "httpx", "pytest"),
    "pytest-recording": ("pytest-recording", "httpx", "pytest"),
    "tavern": ("tavern", "pytest<9.1"),  # Tavern 3.7 imports a private module that pytest 9.1 removed
}
SHOWN = {
    "dust": ("pytest-dust", "pytest", "httpx", "respx", "pyyaml"),
    "xdist": ("pytest-xdist",),
    "cassetter": ("cassetter",),
    "pytest-recording": ("pytest-recording", "vcrpy"),
    "tavern": ("tavern", "pytest"),
}
"""The packages of each environment whose versions the table tells."""


ASK = "import json, sys, importlib.metadata as m; print(json.dumps([*map(m.version, sys.argv[1:])]))"


class AbsentError(Exception):
    """An environment that cannot be made here, and why."""


@dataclass(frozen=True)
class Venvs:
    """The environments below a folder; `current` is one that stands for pytest-dust's and the floor's."""

    folder: Path
    current: str = ""

    def python(self, name: str) -> str:
        """The interpreter of an environment, made or brought up to date if need be."""
        if self.current and name in ("dust", "xdist", "bare"):
            return self.current
        return self._made(name, WANTED[name], _stamp(WANTED[name]))

    def python_of(self, commit: str, checkout: Path) -> str:
        """The interpreter of an environment with the pytest-dust of a commit, which is in a folder."""
        return self._made(f"commit-{commit[:12]}", [str(checkout)], f"{commit} {sys.version}")

    def _made(self, name: str, wanted: Sequence[str], stamp: str) -> str:
        home = self.folder / name
        python = home / "bin" / "python"
        if not _stamped(home, stamp):
            shutil.rmtree(home, ignore_errors=True)
            venv.create(home, with_pip=True)
            _do([str(python), "-m", "pip", "install", "-q", *wanted], name)
            (home / "made-for").write_text(stamp, encoding="utf-8")
        return str(python)

    def promptfoo(self) -> str:
        """The promptfoo command."""
        home = self.folder / "promptfoo"
        if not _stamped(home, PROMPTFOO):
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
            npm = shutil.which("npm")
            if npm is None:
                raise AbsentError("promptfoo: there is no npm on this machine; install Node.js 20 or later")
            _do([npm, "install", "--no-audit", "--no-fund", "--prefix", str(home), PROMPTFOO], "promptfoo")
            (home / "made-for").write_text(PROMPTFOO, encoding="utf-8")
        return str(home / "node_modules" / ".bin" / "promptfoo")

    def versions(self, names: Sequence[str]) -> list[str]:
        """The packages that matter in these environments, with their versions."""
        found = []
        for name in names:
            packages = ", ".join(f"{each} {version}" for each, version in self._listed(name).items())
            found += [f"{name}: {packages}"] if packages else []
        return found

    def _listed(self, name: str) -> dict[str, str]:
        if name == "promptfoo":
            self.promptfoo()
            node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
            return {"promptfoo": PROMPTFOO.partition("@")[2], "node": node.strip()}
        if name not in SHOWN:
            return {}
        given = subprocess.run(
            [self.python(name), "-c", ASK, *SHOWN[name]],
            capture_output=True,
            env=environment(),
            text=True,
            check=True,
        )
        return dict(zip(SHOWN[name], json.loads(given.stdout), strict=True))


def _stamp(wanted: Sequence[str]) -> str:
    """What an environment is made for: its requirements, the Python, and the checkout's own code."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted((CHECKOUT / "pytest_dust").rglob("*.*")) if str(CHECKOUT) in wanted else ():
        digest.update(path.read_bytes() if path.suffix != ".pyc" else b"")
    return " ".join((*wanted, digest.hexdigest()))


def _stamped(home: Path, stamp: str) -> bool:
    made = home / "made-for"
    return made.exists() and made.read_text(encoding="utf-8") == stamp


def _do(command: Sequence[str], name: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1200)
    except subprocess.TimeoutExpired:
        raise AbsentError(f"{name}: not installed within 20 minutes") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it does not say why"]
        why = next((line for line in said if "error" in line.lower()), said[-1])
        raise AbsentError(f"{name}: cannot be installed here: {why}")
