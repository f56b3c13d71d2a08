"""Run the tests with old and new versions of Python, pytest and the dependencies, and the installers.

`nox -l` lists the sessions; `nox -s newest-3.13 -- tests/suite` runs a part of the tests.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv"
nox.options.sessions = ["newest", "lowest", "pytests", "installs"]

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PYTESTS = ("8.1.1", "8.2.2", "8.3.5", "8.4.2", "9.0.3", "9.1.1")
HERE = Path(__file__).parent
SUITES = HERE / "example_suites"


@nox.session(python=PYTHONS)
def newest(session: nox.Session) -> None:
    """Run the tests with the newest versions of all dependencies."""
    session.install("-e", ".[dev]")
    _test(session)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Run the tests with the lowest versions that pyproject.toml allows."""
    session.install("--resolution", "lowest-direct", "-e", ".[dev]")
    _test(session)


@nox.session(python=PYTHONS[1])
@nox.parametrize("version", PYTESTS)
def pytests(session: nox.Session, version: str) -> None:
    """Run the tests with one of the versions of pytest that are supported."""
    session.install("-e", ".[dev]", f"pytest=={version}")
    _test(session)


def _test(session: nox.Session) -> None:
    session.run("pytest", "-q", "example_suites")
    session.run("pytest", "-q", *(session.posargs or ["-n", "2", "tests"]))


@nox.session(python=PYTHONS[0])
@nox.parametrize("tool", ["pip", "uv", "pipx", "poetry"])
@nox.parametrize("kind", ["whl", "tar.gz"])
def installs(session: nox.Session, tool: str, kind: str) -> None:
    """Build the distributions, check them, and run the example suites with what a tool has installed."""
    folder = Path(tempfile.mkdtemp())  # outside of the project, which uv would take for a workspace
    session.install("build", "twine", "check-wheel-contents", tool)
    session.run("python", "-m", "build", "-q", "--outdir", str(folder / "dist"), str(HERE))
    [built] = map(str, (folder / "dist").glob(f"*.{kind}"))
    session.run("twine", "check", "--strict", built)
    if kind == "whl":
        session.run("check-wheel-contents", built)
    session.chdir(folder)
    session.run("cp", "-r", str(SUITES), "suites", external=True)  # cassettes and all, but no source
    for command in _commands(tool, built):
        session.run(*command, env={"PIPX_HOME": "pipx", "PIPX_BIN_DIR": "bin"}, external=True)


def _commands(tool: str, built: str) -> list[list[str]]:
    """The commands that install the distribution with a tool in an empty folder, and run the suites."""
    test = ["pytest", "-q", "suites"]
    return {
        "pip": [
            ["python", "-m", "venv", "env"],
            ["env/bin/pip", "install", "-q", built],
            ["env/bin/pytest", *test[1:]],
        ],
        "uv": [
            ["uv", "init", "-q", "--bare", "--name", "shop"],
            ["uv", "add", "-q", built],
            ["uv", "run", *test],
        ],
        "pipx": [
            ["pipx", "install", "-q", "pytest"],
            ["pipx", "inject", "pytest", built],
            ["bin/pytest", *test[1:]],
        ],
        "poetry": [
            ["poetry", "init", "-n", "-q", "--name", "shop", "--python", ">=3.11"],
            ["poetry", "add", "-q", built],
            ["poetry", "run", *test],
        ],
    }[tool]
