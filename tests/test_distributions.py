"""What is published: the wheel has what users need and nothing else, the source all that its tests need."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest

from pytest_dust import __version__

ROOT = Path(__file__).parents[1]
PACKAGE = {path.relative_to(ROOT).as_posix() for path in (ROOT / "pytest_dust").rglob("*") if path.is_file()}
SOURCE = {name for name in PACKAGE if "__pycache__" not in name}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel and the source distribution, as `pip install` and `python -m build` make them."""
    from hatchling import build

    folder = tmp_path_factory.mktemp("dist")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return folder / build.build_wheel(str(folder)), folder / build.build_sdist(str(folder))


def test_the_wheel_is_the_package_alone(built):
    """The wheel has every file of the package, also those that are no Python code, and no tests."""
    with zipfile.ZipFile(built[0]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == SOURCE
    assert {
        "pytest_dust/py.typed",
        "pytest_dust/suite.schema.json",
        "pytest_dust/report/html/page.js",
    } < names


def test_the_wheel_is_a_plugin_of_pytest(built):
    """The wheel says that it is for pytest, with the version and the extras of pyproject.toml."""
    with zipfile.ZipFile(built[0]) as wheel:
        texts = {
            name.rpartition("/")[2]: wheel.read(name).decode() for name in wheel.namelist() if "-info" in name
        }
    assert texts["entry_points.txt"].strip() == "[pytest11]\ndust = pytest_dust.plugin"
    lines = texts["METADATA"].splitlines()
    extras = {line.removeprefix("Provides-Extra: ") for line in lines if line.startswith("Provides-Extra: ")}
    assert f"Version: {__version__}" in lines
    assert "License-Expression: MIT" in lines
    assert {"similar", "schema", "dev"} <= extras
    assert "LICENSE" in texts


def test_the_source_can_be_tested(built):
    """The source distribution has the package, its tests, and the files that these read."""
    with tarfile.open(built[1]) as source:
        names = {name.partition("/")[2] for name in source.getnames()}
    assert names >= SOURCE
    for folder in ("tests", "example_suites", "benchmarks", "docs"):
        files = (path for path in (ROOT / folder).rglob("*") if path.is_file())
        kept = {path.relative_to(ROOT).as_posix() for path in files if not path.name.startswith(".")}
        ignored = {name for name in kept if "__pycache__" in name or ".venvs" in name}
        assert kept - ignored <= names
    assert {"pyproject.toml", "conftest.py", "noxfile.py", ".ci/run", "README.md", "CHANGELOG.md"} <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith(".venv")]
