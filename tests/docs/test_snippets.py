"""What the pages show is run, in the order of each page: commands, files, suites and settings.

Each page is a story in a temporary folder, with the local Dust server. A fence `sh` is run; a fence with a
title is written to that file; a fence `text` is what the command before it printed, with `…` for what varies.
A comment `<!-- test: COMMAND -->` is a command that readers do not see. No library for this (sybil,
pytest-examples, mktestdocs, pytest-markdown-docs) runs shell commands that share a folder and compares their
output, so only markdown-it is used.
"""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from doc_pages import PAGES, PROJECT, Fence, fences

from conftest import OTHERS_PLUGINS
from pytest_dust import settings
from pytest_dust.checks.binding import Here
from pytest_dust.checks.matchers import MATCHERS
from pytest_dust.suite import cases, references
from pytest_dust.suite.keys import KEYS

TESTED_ELSEWHERE = {
    "ci": "tests/docs/test_ci_workflows.py runs its jobs",
    "editors": "it shows the settings of editors",
    "troubleshooting": "it is generated from the messages in the code",
    "reference": "it is generated from the tables in the code",
}
NOT_RUN = {
    "python3 -m venv": "makes environments and installs from PyPI; the tests have theirs",
    "SOURCE=$PWD": "installs; a hidden command makes its folder",
    "pip install": "installs from PyPI",
    "export DUST_API_KEY=sk-…": "holds placeholders for a real key and ids",
    "python3 -m webbrowser": "opens a browser",
    "pytest --dust-mode=live --disable-socket": "needs pytest-socket, with which tests/others runs it",
}
"""How the commands begin that the tests do not run, and why."""
STORIES = [page for page in PAGES if page not in TESTED_ELSEWHERE]
SERVER = re.compile(r"^python3? \S*example_suites/dust_server\b(.*)$", re.MULTILINE)
PORT = "8808"
"""The port of the local server on the pages; each story has its own."""
LANGUAGES = {"sh", "text", "yaml", "python", "ini", "toml", "csv", "json", "hidden"}
needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
HEAD = {
    "app": {"id": "9f1d3b5a7c"},
    "specification_hash": "78f2851b7a8b9bbc2ad58730a2f86c0143cb6934f42439e516e7fa246f3c6539",
    "input": {"question": "Where is my refund?"},
}
"""What completes a part of a suite."""
PRELUDE = """\
set -uo pipefail
shopt -s expand_aliases
stop() { [ -z "${SERVER-}" ] || { kill "$SERVER"; wait "$SERVER"; SERVER=; } 2>/dev/null; }
serve() {  # the local server, in place of the one before
  stop
  rm -f "$STEPS/server"
  "$PYTHON" "$PROJECT/example_suites/dust_server" --port "$PORT" "$@" >"$STEPS/server" 2>&1 &
  SERVER=$!
  for _ in $(seq 300); do
    grep -q export "$STEPS/server" && break
    kill -0 "$SERVER" 2>/dev/null || { cat "$STEPS/server"; return 2; }
    sleep 0.05
  done
  eval "$(grep export "$STEPS/server")"
}
trap stop EXIT
"""


def free_port() -> int:
    """Return a port of this machine that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_left_out(fence: Fence) -> bool:
    """Return whether the commands of a fence are not run."""
    return fence.language == "sh" and fence.text.startswith(tuple(NOT_RUN))


def script(steps: list[Fence], folder: Path) -> str:
    """Return a bash script of the steps; the output of step 3 is in `3.out`, its failures in `3.failed`."""
    lines = [PRELUDE]
    for number, step in enumerate(steps):
        if step.title:
            (folder / f"{number}.file").write_text(step.text, encoding="utf-8")
            name = shlex.quote(step.title)
            lines.append(f'mkdir -p "$(dirname {name})"; cp "$STEPS/{number}.file" {name}')
        elif step.language in ("sh", "hidden") and not is_left_out(step):
            commands = SERVER.sub(r"serve\1", step.text).replace(PORT, "$PORT").rstrip("\n")
            lines += [
                f"trap 'echo $? >>\"$STEPS/{number}.failed\"' ERR",
                f'{{\n{commands}\n}} >"$STEPS/{number}.out" 2>&1',
                "trap - ERR",
            ]
    return "\n".join([*lines, ""])


def tell(steps: list[Fence], folder: Path) -> dict[int, tuple[str, list[int]]]:
    """Do the steps in one bash process; return what each printed, and its exit statuses other than 0."""
    (folder / "steps").mkdir()
    (folder / "project").mkdir()
    (folder / "story.sh").write_text(script(steps, folder / "steps"), encoding="utf-8")
    environ = {
        "HOME": str(folder),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHON": sys.executable,
        "PROJECT": str(PROJECT),
        "STEPS": str(folder / "steps"),
        "PORT": str(free_port()),
        "PYTEST_ADDOPTS": OTHERS_PLUGINS,
        "PYTHONDONTWRITEBYTECODE": "",
        "COLUMNS": "80",
        "SSL_CERT_FILE": os.environ["SSL_CERT_FILE"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        ["bash", str(folder / "story.sh")],
        cwd=folder / "project",
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert not done.stderr.strip(), done.stderr
    return {
        int(path.stem): (path.read_text(encoding="utf-8"), failed(path))
        for path in folder.glob("steps/*.out")
    }


def failed(out: Path) -> list[int]:
    """Return the exit statuses, other than 0, of the commands whose output is in this file."""
    path = out.with_suffix(".failed")
    return [int(status) for status in path.read_text(encoding="utf-8").split()] if path.exists() else []


VARIES = (
    (r"\b\d+\.\d+ ?s\b", "TIME"),
    (r"\brun [0-9a-f]{8}\b", "run RUN"),
    (r"\b20\d\d-\d\d-\d\d\b", "DATE"),
    (r"={3,}", "==="),
    (r"_{3,}", "___"),
    (r"[ \t]+", " "),
    (r" \[ ?\d+%\]", ""),
)


def plain(output: str) -> str:
    """Return an output without what differs from run to run, and from width to width."""
    for pattern, word in VARIES:
        output = re.sub(pattern, word, output)
    return "\n".join(line.strip() for line in output.strip().split("\n"))


def is_in(shown: str, output: str) -> bool:
    """Return whether the output has what a page shows; `…` is any text."""
    parts = [re.escape(part) for part in plain(shown).split("…")]
    return re.search(".*?".join(parts), plain(output), re.DOTALL) is not None


def mistakes(steps: list[Fence], printed: dict[int, tuple[str, list[int]]]) -> list[str]:
    """Return what is wrong with a story: outputs that were not printed, and failures that are not shown."""
    found, last = [], -1
    for number, step in enumerate(steps):
        if step.language in ("sh", "hidden"):
            last = number
        if step.language == "text" and not (last in printed and is_in(step.text, printed[last][0])):
            found.append(f"line {step.line}: not printed by the command before it:\n{step.text}")
    shown = {at for at, step in enumerate(steps[1:]) if step.language == "text"}
    for number, (_, statuses) in printed.items():
        allowed = {1} if number in shown or steps[number].language == "hidden" else set()
        if not set(statuses) <= allowed:
            found.append(f"line {steps[number].line}: failed with {statuses}:\n{steps[number].text}")
    return found


@needs_bash
@pytest.mark.parametrize("page", STORIES)
def test_commands_print_what_the_page_shows(page, tmp_path):
    """Each command of a page succeeds, or fails as its page shows; each output shown is what was printed."""
    steps = fences(page)
    if any(step.language in ("sh", "hidden") and not is_left_out(step) for step in steps):
        printed = tell(steps, tmp_path)
        outputs = "\n".join(output for output, _ in printed.values())
        assert mistakes(steps, printed) == [], f"{page}.md printed:\n{outputs}"


@needs_bash
def test_a_wrong_page_is_noticed(tmp_path):
    """A story has one shell for all commands; wrong outputs and failures that are not shown are found."""
    steps = [
        Fence("text", "", "too early\n", 1),
        Fence("yaml", "a/b.txt", "from a file\n", 2),
        Fence("sh", "", "cd a\nWORD=kept\n", 3),
        Fence("sh", "", "cat b.txt; echo $WORD; false\n", 4),
        Fence("text", "", "from a file\nkept\n", 5),
        Fence("sh", "", "echo $WORD; false\n", 6),
        Fence("hidden", "", "false", 7),
        Fence("text", "", "kept\n", 8),
        Fence("sh", "", "(exit 2)\n", 9),
        Fence("text", "", "…\n", 10),
    ]
    found = mistakes(steps, tell(steps, tmp_path))
    assert [each.partition(":")[0] for each in found] == ["line 1", "line 8", "line 6", "line 9"]


def parts() -> list[tuple[str, Fence]]:
    """Return the fences that are no commands, no outputs and no files, with their pages."""
    return [
        (page, fence)
        for page in PAGES
        if page not in TESTED_ELSEWHERE
        for fence in fences(page)
        if not fence.title and fence.language not in ("sh", "text", "hidden")
    ]


def identify(value: object) -> str:
    """Name a fence by its line."""
    return str(value.line) if isinstance(value, Fence) else str(value)


@pytest.mark.parametrize(("page", "fence"), parts(), ids=identify)
def test_parts_are_of_a_kind_that_is_used(page, fence, tmp_path):
    """YAML is a suite, keys of one, or expectations; INI and TOML are settings that the plugin takes."""
    if fence.language == "yaml":
        shutil.copytree(PROJECT / "example_suites" / "support", tmp_path, dirs_exist_ok=True)
        (tmp_path / "expected.json").write_text("[]", encoding="utf-8")
        here = Here(tmp_path, MATCHERS)
        suite = completed(fence.text)
        assert cases.load(suite.encode(), f"{page}.dust.yaml", references.environment({}, frozenset()), here)
    else:
        assert fence.language in ("ini", "toml"), f"{page}.md:{fence.line}: give it a title"
        resolve(ini_values(fence))


def completed(text: str) -> str:
    """Return a whole suite for the part of one, or for expectations."""
    found = yaml.load(text, yaml.CSafeLoader)  # as the plugin does; the slow one refuses `refund?}`
    if "app" in found:
        return text
    if not set(found) <= set(KEYS):
        found = {"expect": found}
    head = {
        key: value for key, value in HEAD.items() if key != "input" or not {"inputs", "cases"} & set(found)
    }
    return yaml.safe_dump({**head, **found}, allow_unicode=True, sort_keys=False)


def ini_values(fence: Fence) -> dict[str, object]:
    """Return the settings of an ini or toml file."""
    if fence.language == "toml":
        found = tomllib.loads(fence.text)["tool"]["pytest"]["ini_options"]
        return {name: value if isinstance(value, list) else str(value) for name, value in found.items()}
    parser = configparser.ConfigParser()
    parser.read_string(fence.text)
    return dict(parser["pytest"])


def resolve(values: dict[str, object]) -> settings.Settings:
    """Return the settings by the ini values, all of which must be known."""
    known = {option.ini for option in settings.OPTIONS}
    ours = {name: value for name, value in values.items() if name.startswith("dust_")}
    assert set(ours) <= known | set(settings.LISTS)
    ini = {name: str(value) for name, value in ours.items() if name in known}
    return settings.resolve(dict.fromkeys((option.name for option in settings.OPTIONS), None), {}, ini)


@pytest.mark.parametrize("page", STORIES)
def test_every_fence_has_a_known_language(page):
    """No fence is left to chance: each is in a language for which there is a rule here."""
    assert [fence for fence in fences(page) if fence.language not in LANGUAGES] == []


@pytest.mark.parametrize("beginning", NOT_RUN)
def test_each_command_that_is_not_run_is_on_a_page(beginning):
    """The list of what is not run has no entry that no page needs."""
    assert any(
        fence.language == "sh" and fence.text.startswith(beginning)
        for page in STORIES
        for fence in fences(page)
    )


def test_a_changed_output_is_found():
    """An output that was not printed is noticed; other dates, times, runs and widths are not."""
    printed = "=== 2 passed in 0.34s ===\ndust: 2 recorded, 58 tokens used\nrun 675bdb73… of 2026-11-02"
    assert is_in("====== 2 passed in 1.20s ====\ndust: 2 recorded", printed)
    assert is_in("dust: … used\nrun 00000000… of 2020-01-01", printed)
    assert not is_in("dust: 3 recorded", printed)
    assert not is_in("2 passed in 1.20s\ndust: 2 recorded", printed)
