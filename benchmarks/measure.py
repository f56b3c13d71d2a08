"""Commands run, checked and timed; contenders take turns, round by round, so that all share the weather."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

TIMEOUT = 900
INTERRUPTED = 2
"""pytest's exit status after Ctrl-C."""
END = 100_000
UNITS = 1024 * 1024 if sys.platform == "darwin" else 1024
"""How many of the units in which the system tells memory make a MiB."""
TAIL = 1500
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")


class WrongRunError(Exception):
    """A contender did not do its job, so its time says nothing: who, why, and the end of what it said."""

    def __init__(self, name: str, why: str, output: str = "") -> None:
        super().__init__(f"{name}: {why}" + (f"; its output ends:\n{output}" if output else ""))
        self.name, self.why = name, why


class OverdueError(WrongRunError):
    """A contender was stopped, as it took longer than it was given."""


@dataclass(frozen=True)
class Sample:
    """One run: seconds on the clock, seconds of processor time, and the peak of resident memory in MiB."""

    wall: float
    cpu: float
    peak: float


Check = Callable[[int, str], str]
"""Given exit status and output, why the run is wrong; nothing where it is right."""


@dataclass(frozen=True)
class Contender:
    """A command that does the job, and how to see that it did; `prepare` is not timed.

    It is stopped after `patience` seconds.
    """

    name: str
    command: Sequence[str]
    folder: Path
    check: Check
    env: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] = lambda: None
    patience: float = TIMEOUT


@dataclass(frozen=True)
class Times:
    """The samples of all contenders of a row, in the order of the rounds."""

    samples: Mapping[str, Sequence[Sample]]

    def wall(self, name: str, *less: str) -> float:
        """The median of a contender's seconds, less those of others in the same round."""
        return median(self._each("wall", name, *less))

    def cpu(self, name: str, *less: str) -> float:
        """The median of a contender's processor seconds, less those of others in the same round."""
        return median(self._each("cpu", name, *less))

    def peak(self, name: str, *less: str) -> float:
        """The median of a contender's peak memory in MiB, less those of others in the same round."""
        return median(self._each("peak", name, *less))

    def ratio(self, over: str, under: str, kind: str = "wall", less: str = "") -> float:
        """The median over the rounds of one contender's figure divided by another's, less a third's."""
        rest = [less] if less else []
        pairs = zip(self._each(kind, over, *rest), self._each(kind, under, *rest), strict=True)
        return median(a / b for a, b in pairs)

    def _each(self, kind: str, name: str, *less: str) -> list[float]:
        columns = [[getattr(sample, kind) for sample in self.samples[each]] for each in (name, *less)]
        return [first - sum(rest) for first, *rest in zip(*columns, strict=True)]


def run(contender: Contender) -> Sample:
    """Run a contender once; raises WrongRunError where it did not do its job."""
    contender.prepare()
    sample, status, output = timed(
        contender.command, contender.folder, contender.env, patience=contender.patience
    )
    if sample.wall > contender.patience:
        raise OverdueError(contender.name, f"not done within {contender.patience:g} s")
    wrong = contender.check(status, output)
    if wrong:
        raise WrongRunError(contender.name, wrong, output[-TAIL:])
    return sample


def take_turns(contenders: Sequence[Contender], rounds: int) -> Times:
    """Run all contenders once per round, in turn."""
    samples: dict[str, list[Sample]] = {contender.name: [] for contender in contenders}
    for _ in range(rounds):
        for contender in contenders:
            samples[contender.name].append(run(contender))
    return Times(samples)


def timed(
    command: Sequence[str], folder: Path, env: Mapping[str, str], *, patience: float = TIMEOUT
) -> tuple[Sample, int, str]:
    """What a command took, its exit status, and what it said; it is killed after `patience` seconds."""
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment(), **env},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        usage = _reap(process, patience)
        wall = time.perf_counter() - began
        length = said.seek(0, os.SEEK_END)
        said.seek(max(0, length - END))  # the end alone: a child's peak memory is never below ours
        output = said.read().decode(errors="replace")
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / UNITS), process.returncode, output


def interrupted(contender: Contender, ready: Callable[[], bool]) -> float:
    """Seconds from a Ctrl-C, once it is `ready`, to the end; raises WrongRunError where it did not end so."""
    process = subprocess.Popen(
        contender.command,
        cwd=contender.folder,
        env={**environment(), **contender.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + contender.patience
        while not ready():
            if process.poll() is not None or time.monotonic() > until:
                raise WrongRunError(contender.name, f"not to be interrupted: status {process.poll()}")
            time.sleep(0.01)
        began = time.perf_counter()
        process.send_signal(signal.SIGINT)
        status = process.wait(contender.patience)
        took = time.perf_counter() - began
    except subprocess.TimeoutExpired:
        raise OverdueError(contender.name, f"not interrupted within {contender.patience:g} s") from None
    finally:
        process.kill()
        process.wait()
    if status != INTERRUPTED:
        raise WrongRunError(contender.name, f"exit status {status} instead of {INTERRUPTED}")
    return took


def environment() -> dict[str, str]:
    """The environment of every contender: nothing in it that would set one of them up otherwise."""
    kept = {name: value for name, value in os.environ.items() if name in INHERITED}
    return {**kept, "NO_PROXY": "127.0.0.1", "NO_COLOR": "1"}


def _reap(process: subprocess.Popen[bytes], patience: float) -> resource.struct_rusage:
    """Wait for a process in the one way that tells what it alone used."""
    ends = time.monotonic() + patience
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage
        if time.monotonic() > ends:
            process.kill()
        time.sleep(0.002)


def passing(count: int) -> Check:
    """A check that pytest passed so many tests and did nothing else."""
    return _summary(rf"^(?:=+ )?{count} passed(?:, \d+ warnings?)? in ", 0, f"not {count} passed")


def collecting(count: int) -> Check:
    """A check that pytest collected so many tests."""
    return _summary(rf"^(?:=+ )?{count} tests? collected in ", 0, f"not {count} collected")


def failing(count: int, saying: str) -> Check:
    """A check that so many tests failed, as they should, none passed, and one of them said this."""
    counted = _summary(rf"^(?:=+ )?{count} failed(?:, \d+ warnings?)? in ", 1, f"not {count} failed")

    def check(status: int, output: str) -> str:
        silent = "" if saying in output else f'it does not say "{saying}"'
        return counted(status, output) or silent

    return check


def _summary(pattern: str, expected: int, otherwise: str) -> Check:
    line = re.compile(pattern, re.MULTILINE)

    def check(status: int, output: str) -> str:
        if status != expected:
            return f"exit status {status} instead of {expected}"
        return "" if line.search(output) else otherwise

    return check
