"""What a row works with: sizes, environments, corpora, and contenders made ready to be timed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import peers
from corpora import INSIDE, Corpora, Corpus
from loopback import serving
from measure import Check, Contender, Times, WrongRunError, passing, run, take_turns
from venvs import AbsentError, Venvs

KEY = {"DUST_API_KEY": "sk-not-a-real-key"}
WITHOUT_OTHERS = ("-p", "no:hypothesispytest", "-p", "no:time_machine", "-p", "no:anyio")
"""Plugins of the development environment, in which a smoke run takes place; their import takes longest."""


@dataclass(frozen=True)
class Sizes:
    """How large the jobs are; `usual` and `large_usual` are the cases of contenders too slow for all."""

    cases: int = 1000
    files: int = 100
    collected: int = 10_000
    small: int = 2_000
    large: int = 200_000
    large_cases: int = 200
    usual: int = 100
    large_usual: int = 40
    huge: int = 8_000_000
    compared: int = 5_000_000
    live: int = 60
    delay: float = 0.5
    paged: int = 2000
    imports: int = 10
    """Times as many rounds as elsewhere."""
    workers: tuple[str, ...] = ("2", "auto")
    """For pytest-xdist's `-n`."""


SMOKE = Sizes(
    cases=20,
    files=4,
    collected=40,
    large_cases=2,
    usual=4,
    large_usual=2,
    huge=400_000,
    compared=50_000,
    live=6,
    delay=0.05,
    paged=20,
    imports=1,
    workers=("2",),
)


@dataclass(frozen=True)
class Peer:
    """A peer's contender, and how many times its job would make the whole one."""

    contender: Contender
    scale: float = 1.0


@dataclass(frozen=True)
class Bench:
    """What every row is given; what goes wrong on the way is added to `failures`."""

    sizes: Sizes
    venvs: Venvs
    corpora: Corpora
    work: Path
    rounds: int
    smoke: bool
    with_peers: bool
    failures: list[str] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    """The peers that could not be made to run, and why."""

    def times(self, *contenders: Contender, peers: Sequence[Peer] = (), often: int = 1) -> Times:
        """The times of contenders that took turns, once each of ours has run; peers have, to be let in."""
        for contender in () if self.smoke else contenders:
            run(contender)  # fills caches, of bytecode and of the disk
        return take_turns([*contenders, *(peer.contender for peer in peers)], self.rounds * often)

    def dust(self, folder: Path, check: Check, *options: str, name: str = "pytest-dust") -> Contender:
        """A pytest session with pytest-dust, in the environment that has nothing else."""
        return self._pytest("dust", name, folder, check, options)

    def workers(self, folder: Path, check: Check, *options: str, name: str) -> Contender:
        """The same in the environment that has pytest-xdist too."""
        return self._pytest("xdist", name, folder, check, options)

    def floor(self, folder: Path, check: Check, *options: str, name: str = "floor") -> Contender:
        """The floor, in pytest-dust's own environment: its dependencies' pytest plugins are there too."""
        return self._floor("dust", name, folder, check, options)

    def bare_floor(self, folder: Path, check: Check, *options: str) -> Contender:
        """The floor in an environment with pytest and PyYAML alone."""
        return self._floor("bare", "bare floor", folder, check, options)

    def reading_floor(self, folder: Path, check: Check) -> Contender:
        """The floor, each item of which reads and decodes its cassette."""
        floor = self.floor(folder, check, name="floor + reading")
        return replace(floor, env={**floor.env, "FLOOR_READS": "1"})

    def empty(self, *options: str, name: str = "start-up", env: str = "dust") -> Contender:
        """A session of one test of two lines, without suites."""
        folder = self.work / "empty"
        if not folder.exists():
            peers.write({"pytest.ini": "[pytest]\n", "test_one.py": "def test_one():\n    pass\n"}, folder)
        return self._pytest(env, name, folder, passing(1), options)

    def copy(self, corpus: Corpus, name: str) -> Path:
        """A copy of a corpus that a contender may write into."""
        folder = self.work / name
        shutil.copytree(self.corpora.at(corpus), folder)
        return folder

    @contextmanager
    def rivals(self, corpus: Corpus, usual: Corpus) -> Iterator[dict[str, Peer]]:
        """The peers that can do the job of a corpus, by name; `usual` is the slow ones' part of it."""
        with ExitStack() as servers:
            ready = {}
            for name, make in self._makers(corpus, usual, servers).items() if self.with_peers else ():
                try:
                    ready[name] = make()
                    run(ready[name].contender)
                except AbsentError as error:
                    self.absent[name] = str(error)
                except WrongRunError as error:
                    ready.pop(name, None)
                    self.failures.append(str(error))
                    self.absent[name] = f"failed, {error.why}"
            yield ready

    def _makers(self, corpus: Corpus, usual: Corpus, servers: ExitStack) -> Mapping[str, Callable[[], Peer]]:
        recorded = partial(self._recorded, corpus=corpus, project=peers.shared_client)
        slow = partial(self._recorded, corpus=usual, project=peers.no_client)
        scale = corpus.count / usual.count
        large = corpus.size == self.sizes.large
        chewed = usual if large else corpus  # Tavern needs 0.6 s for each large answer
        return {
            "cassetter": lambda: recorded("cassetter", "cassetter"),
            "pytest-recording": lambda: recorded("pytest-recording", "pytest-recording"),
            "pytest-recording, httpx.post": lambda: replace(
                slow("pytest-recording, httpx.post", "pytest-recording"), scale=scale
            ),
            "Tavern": lambda: replace(
                self._tavern(chewed, servers.enter_context(serving(corpus.size))),
                scale=corpus.count / chewed.count,
            ),
            "promptfoo": lambda: self._promptfoo(corpus),
        }

    def _recorded(self, name: str, env: str, corpus: Corpus, project: peers.Project) -> Peer:
        """A project of the peer's, its cassettes recorded by itself."""
        folder = self.work / f"{name} {corpus.name}"
        contender = self._pytest(env, name, folder, passing(corpus.count), ())
        with serving(corpus.size) as url:
            peers.write(project(corpus, url), folder)
            run(replace(contender, command=[*contender.command, "--record-mode=once"]))
        return Peer(contender)

    def _tavern(self, corpus: Corpus, url: str) -> Peer:
        folder = self.work / f"tavern {corpus.name}"
        contender = self._pytest("tavern", "Tavern", folder, passing(corpus.count), ())
        peers.write(peers.tavern(corpus, url), folder)
        return Peer(contender)

    def _promptfoo(self, corpus: Corpus) -> Peer:
        folder = self.work / f"promptfoo {corpus.name}"
        command = [self.venvs.promptfoo(), "eval", "--no-progress-bar", "--no-table", "--no-write"]
        quiet = ("TELEMETRY", "UPDATE", "REMOTE_GENERATION", "DEBUG_LOG", "ERROR_LOG")
        env = {
            "PROMPTFOO_CONFIG_DIR": str(folder / "home"),
            **{f"PROMPTFOO_DISABLE_{n}": "1" for n in quiet},
        }
        contender = Contender("promptfoo", command, folder, peers.evaluated(corpus.count), env)
        with serving(corpus.size) as url:
            peers.write(peers.promptfoo(corpus, url), folder)
            run(contender)
        return Peer(contender)

    def _pytest(self, env: str, name: str, folder: Path, check: Check, options: Sequence[str]) -> Contender:
        others = WITHOUT_OTHERS if self.smoke else ()
        command = [self.venvs.python(env), "-m", "pytest", "-q", *others, *options]
        return Contender(name, command, folder, check)

    def _floor(self, env: str, name: str, folder: Path, check: Check, options: Sequence[str]) -> Contender:
        contender = self._pytest(env, name, folder, check, ["-p", "no:dust", "-p", "floor", *options])
        return replace(contender, env={"PYTHONPATH": str(INSIDE)})
