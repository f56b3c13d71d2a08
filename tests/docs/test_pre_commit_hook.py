"""The hook for pre-commit: what its command checks, alone and run by pre-commit itself."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from outside_tools import program

from conftest import SUPPORT, filled, suite

PROJECT = Path(__file__).parents[2]
(HOOK,) = yaml.safe_load((PROJECT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
ARGUMENTS = shlex.split(HOOK["entry"])[1:]
CASES = "cases:\n  - id: refund\n    input: {question: Where is my refund?}\n"
BAD = CASES.replace("input", "inptu")
TEST = """\
import shop

def test_it(dust):
    dust.run(app="9f1d3b5a7c", specification_hash=HASH, config=CONFIG, input={"question": "Hi"})
"""
FOREIGN = {
    "conftest.py": "import shop\n",
    "pytest.ini": (
        "[pytest]\naddopts = --cov=shop -n 4\nrequired_plugins = pytest-cov\n"
        "filterwarnings = error::shop.Warning\ndust_cassette_dir = recorded\n"
    ),
}
"""What a project has for its own environment, and the hook's environment cannot read."""


@pytest.fixture
def shop(project, server):
    """A recorded project with a suite and a Python test, which needs packages that are not there."""
    files = {
        "shop.py": "class Warning(Warning): ...\n",
        "support/answer.dust.yaml": suite(server, SUPPORT, CASES),
        "test_it.py": filled(TEST, server),
        "pytest.ini": "[pytest]\ndust_cassette_dir = recorded\n",
    }
    recorded = project.having(files).using(server).run("--dust-mode=record", "-p", "no:cacheprovider")
    assert recorded.outcomes == {"passed": 2}
    return recorded.example.offline().having({**FOREIGN, "shop.py": None})


def test_the_hook_checks_a_project_whose_packages_are_missing(shop):
    """The command reads suites and cassettes, and neither conftest.py, Python tests nor addopts."""
    result = shop.run(*ARGUMENTS)
    assert (result.ret, result.outcomes) == (0, {"checked": 1})
    assert "orphan" not in result.out


@pytest.mark.parametrize("strict", ["strict = true", "strict_config = true", "addopts = --strict-config"])
def test_the_hook_accepts_settings_of_plugins_that_are_missing(shop, strict):
    """A strict pytest configuration may have settings of plugins that are not installed."""
    ini = f"[pytest]\n{strict}\ntimeout = 30\nasyncio_mode = auto\ndust_cassette_dir = recorded\n"
    result = shop.having({"pytest.ini": ini}).run(*ARGUMENTS)
    assert (result.ret, result.outcomes["checked"]) == (0, 1)


def test_the_hook_leaves_the_report_of_the_last_session(shop):
    """The hook writes no report, even if the pytest configuration names one."""
    ini = "[pytest]\ndust_report = report.html\ndust_cassette_dir = recorded\n"
    result = shop.having({"pytest.ini": ini, "report.html": "of the last session"}).run(*ARGUMENTS)
    assert result.ret == 0
    assert (shop.root / "report.html").read_text(encoding="utf-8") == "of the last session"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"support/answer.dust.yaml": "app: {id: x}\n" + BAD}, 'answer.dust.yaml:4:5: unknown key "inptu"'),
        ({"support/recorded/answer/refund.json": None}, "answer.dust.yaml:4"),
        ({"support/recorded/answer/refund.json": "{}"}, "answer.dust.yaml:4"),
        ({"support/other.dust.yml": CASES}, "other.dust.yml is no suite"),
    ],
)
def test_the_hook_fails_with_the_place(shop, files, told):
    """A mistake in a suite, a cassette that is gone or broken, and a misnamed suite fail the check."""
    result = shop.having(files).run(*ARGUMENTS)
    assert result.ret == 1
    assert told in result.out


def test_the_hook_in_the_environment_of_the_project(shop):
    """The hook `language: system` of docs/ci.md checks a project with its conftest.py, which passes here."""
    page = (PROJECT / "docs" / "ci.md").read_text(encoding="utf-8")
    ((entry, files),) = re.findall(r"entry: pytest (.+)\n +language: system\n +files: (.+)\n", page)
    own = shop.having(
        {"conftest.py": "", "pytest.ini": "[pytest]\ndust_cassette_dir = recorded\n", "shop.py": ""}
    )
    assert own.run(*entry.split()).ret == 0
    bad = own.having({"support/answer.dust.yaml": "app: {id: x}\n" + BAD}).run(*entry.split())
    assert bad.ret == 1
    assert all(re.search(files, name) for name in ("a.dust.yaml", "a.dust.yml", "rows.csv", "conftest.py"))


@pytest.mark.parametrize(
    ("name", "starts"),
    [
        ("support/answer.dust.yaml", True),
        ("support/answer.dust.yml", True),
        ("support/questions.csv", True),
        ("support/questions.jsonl", True),
        ("support/cassettes/answer/refund.json", True),
        ("README.md", False),
        ("shop.py", False),
    ],
)
def test_the_files_that_start_the_hook(name, starts):
    """Suites, datasets, schemas and cassettes start the hook; other files do not."""
    assert bool(re.search(HOOK["files"], name)) is starts


def test_pre_commit_runs_the_hook(shop, tmp_path):
    """pre-commit installs pytest-dust and passes a good suite; a bad one fails with its place."""
    tool = program("pre-commit")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    identity = {
        f"GIT_{who}_{what}": "a@b.test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    environ |= {**identity, "PRE_COMMIT_HOME": str(tmp_path / "home"), "PRE_COMMIT_COLOR": "never"}

    def run(*command: str, where: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=where, env=environ, capture_output=True, text=True, check=False, timeout=300
        )

    hooks = tmp_path / "pytest-dust"
    shutil.copytree(PROJECT / "pytest_dust", hooks / "pytest_dust")
    for name in ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        shutil.copy(PROJECT / name, hooks)
    for command in ("init -q", "add -A", "commit -qm first"):
        assert run("git", *command.split(), where=hooks).returncode == 0
    rev = run("git", "rev-parse", "HEAD", where=hooks).stdout.strip()

    config = {"repos": [{"repo": str(hooks), "rev": rev, "hooks": [{"id": "dust-check"}]}]}
    with_hook = shop.having({".pre-commit-config.yaml": yaml.safe_dump(config)})
    with_hook.write()
    for command in ("init -q", "add -A"):
        assert run("git", *command.split(), where=shop.root).returncode == 0
    good = run(tool, "run", where=shop.root)
    assert good.returncode == 0, good.stdout + good.stderr
    (shop.root / "support" / "answer.dust.yaml").write_text("app: {id: x}\n" + BAD, encoding="utf-8")
    run("git", "add", "-A", where=shop.root)
    bad = run(tool, "run", where=shop.root)
    assert bad.returncode == 1
    assert 'support/answer.dust.yaml:4:5: unknown key "inptu"' in bad.stdout
