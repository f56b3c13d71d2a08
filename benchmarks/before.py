"""The same jobs with the pytest-dust of an earlier commit, in turn with this one."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bench import KEY, Bench
from corpora import CHECKOUT, Corpora, Corpus
from lines import Line, factor, seconds
from loopback import serving
from measure import Contender, collecting, failing, passing
from replay import very_many
from venvs import AbsentError

MOST = 1.05
"""How much more than the earlier commit a job may take."""
AT_ONCE = 16
OLD_SUITE = "FAILED suite-000.dust.yaml::case[one]"


@dataclass(frozen=True)
class Earlier:
    """An earlier commit: where it is unpacked, and the Python that has its pytest-dust."""

    commit: str
    checkout: Path
    python: str


@dataclass(frozen=True)
class Job:
    """A job that is measured with both commits."""

    what: str
    make: Callable[[Bench], AbstractContextManager[Contender]]
    often: int = 1
    """How many times as many rounds it has as other rows."""
    waits: bool = False
    """Whether it waits for a server most of its time, so that the clock decides and not the processor."""


def unpacked(bench: Bench, commit: str) -> Earlier:
    """A commit of this repository, installed; raises AbsentError if there is none of that name."""
    named = _git("rev-parse", "--verify", f"{commit}^{{commit}}").decode().strip()
    folder = bench.work / "earlier"
    with tarfile.open(fileobj=io.BytesIO(_git("archive", named))) as archive:
        archive.extractall(folder, filter="data")
    return Earlier(named, folder, bench.venvs.python_of(named, folder))


def _git(*words: str) -> bytes:
    done = subprocess.run(["git", *words], cwd=CHECKOUT, capture_output=True, check=False)
    if done.returncode:
        raise AbsentError(f"--before: {done.stderr.decode().strip().splitlines()[-1]}")
    return done.stdout


def beside(bench: Bench, commit: str) -> list[Line]:
    """A line for each job: what it takes now, and what it took with the earlier commit."""
    earlier = unpacked(bench, commit)
    corpora = Corpora(bench.work / "corpora of the earlier commit", earlier.python, earlier.checkout)
    then = replace(bench, corpora=corpora, work=bench.work / "with the earlier commit")
    lines = []
    for job in JOBS:
        with job.make(bench) as now, job.make(then) as before:
            old = replace(before, name="before", command=[earlier.python, *before.command[1:]])
            times = bench.times(replace(now, name="now"), old, often=job.often)
        clock, processor = times.ratio("now", "before"), times.ratio("now", "before", "cpu")
        took, against = seconds(times.wall("now")), f"{earlier.commit[:7]} {seconds(times.wall('before'))}"
        line = Line(f"{job.what}: now and before", f"≤ {MOST} ×", took, against, factor(clock), None)
        judged = clock if job.waits else processor
        lines.append(replace(line, processor=factor(processor), met=judged <= MOST))
    return lines


@contextmanager
def _empty(bench: Bench) -> Iterator[Contender]:
    yield bench.empty()


@contextmanager
def _collecting(bench: Bench) -> Iterator[Contender]:
    corpus = very_many(bench)
    yield bench.dust(bench.corpora.at(corpus), collecting(corpus.count), "--co")


@contextmanager
def _replaying(bench: Bench, make: Callable[[Bench], Corpus]) -> Iterator[Contender]:
    corpus = make(bench)
    yield bench.dust(bench.corpora.at(corpus), passing(corpus.count))


@contextmanager
def _comparing(bench: Bench, matcher: str) -> Iterator[Contender]:
    corpus = Corpus(1, 1, 2 * bench.sizes.compared, change=(matcher, "few"))
    yield bench.dust(bench.corpora.at(corpus), failing(1, OLD_SUITE))


@contextmanager
def _live(bench: Bench, mode: str) -> Iterator[Contender]:
    corpus = Corpus(1, bench.sizes.live, bench.sizes.small)
    folder = bench.copy(corpus, f"{mode}, side by side")
    with serving(corpus.size, bench.sizes.delay) as url:
        options = [f"--dust-mode={mode}", f"--dust-base-url={url}", f"--dust-concurrency={AT_ONCE}"]
        contender = replace(bench.dust(folder, passing(corpus.count), *options), env=KEY)
        recorded = folder / "cassettes"
        empty = partial(shutil.rmtree, recorded, ignore_errors=True)
        yield replace(contender, prepare=empty) if mode == "record" else contender


def _one(bench: Bench) -> Corpus:
    return Corpus(1, 1, bench.sizes.small)


def _one_file(bench: Bench) -> Corpus:
    return Corpus(1, bench.sizes.cases, bench.sizes.small)


def _files(bench: Bench) -> Corpus:
    return Corpus(bench.sizes.files, bench.sizes.cases // bench.sizes.files, bench.sizes.small)


def _large(bench: Bench) -> Corpus:
    return Corpus(1, bench.sizes.large_cases, bench.sizes.large)


def _huge(bench: Bench) -> Corpus:
    return Corpus(1, 1, bench.sizes.huge)


JOBS = (
    Job("a run without suites", _empty, often=4),
    Job("--co", _collecting),
    Job("replay of one case", partial(_replaying, make=_one), often=4),
    Job("replay, one file", partial(_replaying, make=_one_file), often=2),
    Job("replay, many files", partial(_replaying, make=_files), often=2),
    Job("replay of large answers", partial(_replaying, make=_large)),
    Job("replay of a huge answer", partial(_replaying, make=_huge)),
    Job("a failing equals", partial(_comparing, matcher="equals")),
    Job("a failing unordered", partial(_comparing, matcher="unordered")),
    Job("live", partial(_live, mode="live"), waits=True),
    Job("record", partial(_live, mode="record"), waits=True),
)
