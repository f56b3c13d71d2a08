"""A local Dust, and throw-away projects as immutable values: example → run → result with the next example."""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import re
import shlex
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import certifi
import deepdiff  # noqa: F401  # loaded once here, else pytester unloads it after each run within this process
import msgspec  # noqa: F401  # likewise
import pytest
import rapidfuzz.fuzz  # noqa: F401  # likewise
import respx  # noqa: F401  # likewise
import yaml  # noqa: F401  # likewise
from misbehaving_server import MisbehavingServer

import pytest_dust
from example_suites import dust_server
from pytest_dust.dust.network import Network
from pytest_dust.report.record import CaseRecord, RunSource, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

for _module in pkgutil.walk_packages(pytest_dust.__path__, "pytest_dust."):
    importlib.import_module(_module.name)  # likewise; and tests replace parts of them

collect_ignore = ["suite/broken"]  # suites with mistakes, which are material and no tests
EXAMPLES = Path(__file__).parent.parent / "example_suites"
GOLDEN = Path(__file__).parent / "golden"
KEY = "sk-a-key-for-tests-0123456789abcdef"
LEFT_BY_PYTHON = ("__pycache__",)
OTHERS_PLUGINS = "-p no:hypothesispytest -p no:respx -p no:anyio -p no:time_machine"
"""What else stands in our development environment, and takes a second per run to load."""
UNUSED = " ".join(
    f"-p no:{name}" for name in ("doctest", "faulthandler", "legacypath", "pastebin", "stepwise")
)
"""Plugins of pytest itself that play no part in what we do: registering one takes half a millisecond."""
SUPPORT, SUMMARISE, HALVE, QUOTE = "9f1d3b5a7c", "51aa0c7e2d", "c0de0042aa", "7bad5eed01"
TRACK = "fade0ff1ce"
"""The apps of the example server."""
CASE = "input: {question: Where is my refund?}\nexpect: {result.label: billing}\n"
"""The one case of a suite for SUPPORT, which holds."""
ODD_MATCHER = """\
import os
import sys
import time
import pytest

@pytest.hookimpl(optionalhook=True)
def pytest_dust_matchers():
    def odd(value, wanted):
        {}
    return {{"odd": odd}}
"""
"""A conftest file with a matcher `odd`, whose body a test fills in."""
PLAIN_RECORD = CaseRecord(
    "a::b", "a", 1, "app", "latest", "latest", "live", "pytest", RunSource.LIVE, Verdict.PASSED
)
"""The record of a case that passed, of which nothing more is known."""
SOURCES = ("option", "environment", "ini")
"""Where an option may be set, the strongest first."""
BARE = {"PATH": "", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
"""What a process of its own needs to find the package that is under test, and no more."""


def pytest_collection_finish() -> None:
    """Take what is there before the first test out of garbage collection.

    Each pytest run within a test makes so many objects that all of them are looked at again; a run takes
    a fifth less time without the thousands of collected tests among them.
    """
    gc.collect()
    gc.freeze()
    _look_for_plugins_once()


def _look_for_plugins_once() -> None:
    """Find the packages with pytest plugins once, and not in each pytest run within a test."""
    original = metadata.distributions
    found = [each for each in original() if any(one.group == "pytest11" for one in each.entry_points)]
    metadata.distributions = lambda **given: original(**given) if given else iter(found)


# ── the service ──────────────────────────────────────────────────────────────────────────────────


class Service(MisbehavingServer):
    """The local Dust; a test may put another `behaviour` before its own answers."""

    behaviour: Callable[[Any], Any] | None = None

    def __init__(self, port: int = 0, **options: Any) -> None:
        """Take the options of the server."""
        super().__init__(port, **options)
        self.first_versions = dict(self.versions)

    def answer(self, request):
        """Answer as the test wants, else as Dust does."""
        reply = self.behaviour(request) if self.behaviour is not None else None
        return super().answer(request) if reply is None else reply

    def say(self, content: Any, status: int = 200, content_type: str = "application/json") -> None:
        """Answer every request with this body from now on."""
        body = content if isinstance(content, bytes) else str(content).encode()
        self.behaviour = lambda _request: dust_server.Reply([body], status, content_type)

    def alter(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Answer as Dust does, but with each run changed by `change`; the list of apps stays as it is."""

        def behaviour(request):
            reply = dust_server.DustServer.answer(self, request)
            document = json.loads(reply.whole())
            if "run" not in document:
                return None
            change(document["run"])
            return dust_server.json_reply(document)

        self.behaviour = behaviour

    def become(self, *blocks: Any) -> None:
        """Let SUPPORT's first version have these blocks: (type, name, function of its environment)."""
        self.versions[SUPPORT, "v1"] = tuple(
            dust_server.Block(kind, name, {}, lambda env, _spec, act=act: act(env))
            for kind, name, act in blocks
        )

    def reset(self) -> None:
        """Forget what a test did."""
        self.versions.update(self.first_versions)
        self.behave()
        self.undrift()
        self.delay, self.behaviour = 0.0, None
        self.noise = dust_server.Noise()
        self.forget_runs()
        for app in dust_server.APPS:
            self.save_original(app)

    def forget_runs(self) -> None:
        """Forget all requests; the draws of the noisy app depend on how often a question was asked."""
        self.requests.clear()
        self._question_runs.clear()

    @property
    def is_untouched(self) -> bool:
        """Whether it answers as it does at first."""
        changed = self.behaviour, self.drifted, self._faults, self._unregistered, self.published_shape
        changed = (*changed, self.noise != dust_server.Noise())
        slow = self.delay, self.poll_steps, not self.stores_logs
        return self.versions == self.first_versions and not any((*changed, *slow))

    @property
    def runs(self) -> int:
        """How many runs were asked for."""
        return sum(request.path.endswith("/runs") for request in self.requests)

    @property
    def environment(self) -> dict[str, str]:
        """What a user exports to use this service."""
        return {
            "DUST_BASE_URL": self.base_url,
            "DUST_API_KEY": self.api_key,
            "DUST_WORKSPACE_ID": self.workspace,
            "DUST_SPACE_ID": self.space,
        }


@pytest.fixture(scope="session")
def _running() -> Iterator[Service]:
    with Service(api_key=KEY) as service:
        yield service


@pytest.fixture
def server(_running) -> Iterator[Service]:
    """The local Dust, as new."""
    _running.reset()
    yield _running
    _running.reset()


@pytest.fixture
def network(server) -> Iterator[Network]:
    """The package's clients, pointed at the local Dust."""
    opened = Network(server.base_url, {"DUST_API_KEY": KEY})
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def _one_certificate(tmp_path_factory) -> Path:
    """A file of one certificate to trust: to load all that there are takes longer than most runs."""
    everyone = Path(certifi.where()).read_text(encoding="utf-8")
    path: Path = tmp_path_factory.mktemp("certificates") / "one.pem"
    path.write_text(re.search(r"-----BEGIN[\s\S]*?-----END.*\n", everyone)[0], encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch, _one_certificate) -> None:
    """Take from the environment what would steer the plugin, pytest or the network."""
    monkeypatch.setenv("SSL_CERT_FILE", str(_one_certificate))
    steering = re.compile(
        r"DUST_.*|GITHUB_.*|.*_PROXY|CI|BUILD_NUMBER|PYTEST_ADDOPTS|.*_COLORS?", re.IGNORECASE
    )
    for name in list(os.environ):
        if steering.fullmatch(name):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "120")


# ── projects ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Result:
    """What a run of pytest left behind."""

    example: Example
    """The project as it is now."""
    ret: int
    out: str
    err: str
    outcomes: Mapping[str, int]

    @property
    def report(self) -> str:
        """The output from the first failure or error on, and all of it where there is none."""
        found = re.search(r"^=+ (FAILURES|ERRORS) =+$", self.out, re.MULTILINE)
        return self.out[found.start() :] if found else self.out

    @property
    def command(self) -> list[str]:
        """The arguments of the command that the report suggests."""
        found = re.search(r": pytest (.+)$", self.report, re.MULTILINE)
        assert found, f"no command in {self.report}"
        return shlex.split(found[1])


@dataclass(frozen=True)
class Example:
    """A project: its files, and how pytest runs in it."""

    pytester: Any = field(repr=False)
    monkeypatch: Any = field(repr=False)
    files: Mapping[str, bytes] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)

    def having(self, files: Mapping[str, str | bytes | None]) -> Example:
        """The project with these files beside its own; without those given as None."""
        merged = {**self.files, **{name: _bytes(text) for name, text in files.items()}}
        kept = {name: text for name, text in merged.items() if text is not None}
        return replace(self, files=kept)

    def replacing(self, name: str, old: str, new: str) -> Example:
        """The project with a text replaced in one file."""
        text = self.files[name].decode()
        assert old in text
        return self.having({name: text.replace(old, new)})

    def configured(self, name: str, config: Mapping[str, Any]) -> Example:
        """The project with another config in the suite `name`."""
        text = re.sub("^config: .*\n", "", self.files[name].decode(), flags=re.MULTILINE)
        return self.having({name: f"{text}config: {json.dumps(config)}\n"})

    def flavoured(self, flavor: str) -> Example:
        """The project `one` with its run by another road."""
        return self.having({"a.dust.yaml": f"flavor: {flavor}\n" + self.files["a.dust.yaml"].decode()})

    def exporting(self, **environ: str) -> Example:
        """The project with environment variables set for each run."""
        return replace(self, environ={**self.environ, **environ})

    def using(self, server: Service) -> Example:
        """The project with a service at hand."""
        return self.exporting(**server.environment)

    def given(self, name: str, value: str, *, by: str) -> tuple[Example, list[str]]:
        """The project and the arguments with which an option is set, by one of the SOURCES."""
        if by == "option":
            return self, [f"--dust-{name}" if value == "true" else f"--dust-{name}={value}"]
        ini = f"dust_{name.replace('-', '_')}"
        if by == "environment":
            return self.exporting(**{ini.upper(): value}), []
        return self.having({"pytest.ini": f"[pytest]\n{ini} = {value}\n"}), []

    def offline(self) -> Example:
        """The project without key or service."""
        return replace(self, environ={})

    @property
    def root(self) -> Path:
        """The folder in which the project stands."""
        root: Path = self.pytester.path
        return root

    @property
    def cassettes(self) -> dict[str, bytes]:
        """The files in cassette folders, hidden ones too."""
        return {name: text for name, text in self.files.items() if "cassettes/" in name}

    def run(self, *args: str, cwd: str = ".", subprocess: bool = False) -> Result:
        """Run pytest in the project, in a process of its own where that matters."""
        self.write()
        with self.monkeypatch.context() as patch:
            patch.setenv("PYTEST_ADDOPTS", f"{OTHERS_PLUGINS} {UNUSED} --assert=plain")
            for name, value in self.environ.items():
                patch.setenv(name, value)
            patch.chdir(self.root / cwd)
            run = self.pytester.runpytest_subprocess if subprocess else self.pytester.runpytest_inprocess
            done = run(*args)
        out, err = "\n".join(done.outlines), "\n".join(done.errlines)
        return Result(self.left(), int(done.ret), out, err, _outcomes(done.outlines))

    def recorded(self) -> Example:
        """The project after a recording from the service as it is at first, which is made once and kept."""
        key = frozenset(self.files.items())
        if key not in _RECORDED:
            _RECORDED[key] = self.run("--dust-mode=record").example.files
        return replace(self, files=_RECORDED[key])

    def write(self) -> None:
        """Put the project on disk; files that are right already stay untouched."""
        for path in _files(self.root):
            if path.relative_to(self.root).as_posix() not in self.files:
                path.unlink()
        for name, text in self.files.items():
            path = self.root / name
            if not path.exists() or path.read_bytes() != text:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text)
                # Bytecode of the old text looks valid if the new one has its size and is as many seconds old.
                shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)

    def left(self) -> Example:
        """The project as it stands on disk."""
        files = {path.relative_to(self.root).as_posix(): path.read_bytes() for path in _files(self.root)}
        return replace(self, files=files)


_RECORDED: dict[frozenset[tuple[str, bytes]], Mapping[str, bytes]] = {}
"""The files of projects after their recording, by their files before it."""


def _bytes(text: str | bytes | None) -> bytes | None:
    return text.encode() if isinstance(text, str) else text


def _files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file() and not set(path.parts) & set(LEFT_BY_PYTHON)]


def _outcomes(lines: list[str]) -> dict[str, int]:
    last = next((line for line in reversed(lines) if re.search(r" in [\d.]+s", line)), "")
    return {word.rstrip("s"): int(count) for count, word in re.findall(r"(\d+) ([a-z]+)", last)}


@pytest.fixture
def project(pytester, monkeypatch) -> Example:
    """An empty project."""
    return Example(pytester, monkeypatch, {"pytest.ini": b"[pytest]\n"})


def suite(server: Service, app: str, cases: str, extra: str = "") -> str:
    """The text of a suite for one of the server's apps, pinned to its first version, with its config."""
    head = f"app: {{id: {app}}}\nspecification_hash: {server.hash(app)}\n"
    text = head + extra + cases
    return text if re.search("^config:", text, re.MULTILINE) else with_config(text, app)


def with_config(text: str, app: str) -> str:
    """The text of a suite with the app's config, without which its blocks do not run, at its end."""
    config = config_of(app)
    return text.rstrip("\n") + "\n" + (f"config: {json.dumps(config)}\n" if config else "")


def config_of(app: str, **blocks: dict[str, Any]) -> dict[str, Any]:
    """The config with which the app runs; `blocks` are merged over it, key by key."""
    given = dust_server.APPS[app].config
    return {name: {**given.get(name, {}), **blocks.get(name, {})} for name in {**given, **blocks}}


ANY_CONFIG: dict[str, Any] = {
    "provider_id": "openai",
    "model_id": "gpt-4o-mini",
    "use_cache": False,
    "data_sources": [{"data_source_id": "policies"}],
    "tables": [{"workspace_id": "w", "data_source_id": "d", "table_id": "t"}],
}
"""The config of one block, enough for a block of any type."""


def filled(text: str, server: Service) -> str:
    """The text of a Python test, the words HASH and CONFIG in it replaced by those of the support app."""
    return text.replace("HASH", repr(server.hash(SUPPORT))).replace("CONFIG", repr(config_of(SUPPORT)))


@pytest.fixture
def support(project, server) -> Example:
    """A project with one suite of three cases, online and not recorded yet; `wrong` fails."""
    return project.having({"answer.dust.yaml": suite(server, SUPPORT, SUPPORT_CASES)}).using(server)


@pytest.fixture
def one(project, server) -> Example:
    """A project of one case, online, with some seconds for its run."""
    return project.having({"a.dust.yaml": suite(server, SUPPORT, CASE, "timeout: 5\n")}).using(server)


@pytest.fixture
def made(project, server) -> Callable[..., Example]:
    """A function that gives a project with one recorded suite, online, the service's requests forgotten."""

    def make(app: str, cases: str, extra: str = "") -> Example:
        example = project.having({"suite.dust.yaml": suite(server, app, cases, extra)}).using(server)
        after = example.recorded() if server.is_untouched else example.run("--dust-mode=record").example
        server.requests.clear()
        return after

    return make


@pytest.fixture
def recorded(support, server) -> Example:
    """The project `support`, recorded and offline."""
    after = support.recorded()
    server.requests.clear()
    return after.offline()


SUPPORT_CASES = """\
cases:
  - id: refund
    input: {question: Where is my refund?}
    expect: {result.label: billing}
  - id: parcel
    input: {question: Track my parcel}
    expect: {result.label: shipping}
  - id: wrong
    input: {question: Hello}
    expect: {result.label: billing}
"""


@contextmanager
def unwritable(folder):
    """A folder in which nobody may remove anything, root included; skips where that cannot be had."""
    folder.chmod(0o500)
    held = os.access(folder, os.W_OK)  # root's, whom no permission stops
    chattr = shutil.which("chattr") if held else None
    if held and not (chattr and not subprocess.call([chattr, "+i", folder], stderr=subprocess.DEVNULL)):
        pytest.skip("this user may write anywhere, and no file can be made immutable here")
    try:
        yield
    finally:
        if chattr:
            subprocess.check_call([chattr, "-i", folder])
        folder.chmod(0o700)


# ── golden texts ─────────────────────────────────────────────────────────────────────────────────

_VOLATILE = (
    (re.compile(r"\x1b\[[\d;]*m"), ""),
    (re.compile(r"\brun [0-9a-f]{8}…"), "run RUN…"),
    (re.compile(r"\b\d+\.\d s\b"), "N.N s"),
    (re.compile(r"\bin \d+\.\d\ds"), "in N.NNs"),
    (re.compile(r"\b20\d\d-\d\d-\d\d\b"), "DATE"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"={3,}"), "==="),
    (re.compile(r"_{3,}"), "___"),
    (re.compile(r"!{3,}"), "!!!"),
)
_OF_THE_MACHINE = ("platform ", "cachedir: ", "rootdir: ", "plugins: ", "configfile: ", "hypothesis profile ")


def stable(text: str, root: Path) -> str:
    """The text without what differs from run to run and from machine to machine."""
    text = text.replace(str(root), "ROOT")
    for pattern, placeholder in _VOLATILE:
        text = pattern.sub(placeholder, text)
    lines = [line.rstrip() for line in text.split("\n") if not line.startswith(_OF_THE_MACHINE)]
    return "\n".join(lines).strip() + "\n"


@pytest.fixture
def golden(project) -> Callable[[str, str], None]:
    """Hold a text against `golden/NAME.txt`; with UPDATE_GOLDEN=1 write that file instead."""

    def hold(name: str, text: str) -> None:
        path = GOLDEN / f"{name}.txt"
        found = stable(text, project.root)
        if os.environ.get("UPDATE_GOLDEN") == "1":
            path.parent.mkdir(exist_ok=True)
            path.write_text(found, encoding="utf-8")
        assert found == path.read_text(encoding="utf-8")

    return hold
