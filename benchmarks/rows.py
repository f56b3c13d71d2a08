"""The rows of the table: what is measured, against what, and what it is to reach."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench import KEY, Bench
from corpora import INSIDE, Corpus, cassettes
from lines import Line, at_most, bare, factor, memory_within, seconds
from loopback import asked, serving
from measure import (
    Contender,
    OverdueError,
    Times,
    WrongRunError,
    collecting,
    failing,
    interrupted,
    passing,
    run,
    timed,
)
from page import page
from replay import (
    growth,
    one_case,
    replay_files,
    replay_huge,
    replay_large,
    replay_one_file,
    sizes,
    very_many,
)

AT_ONCE = 16
IMPORT = 0.005
PATIENCE = 60
"""Seconds for a comparison that is to end within five; one that takes minutes need not be sat out."""


@dataclass(frozen=True)
class Row:
    """A job to be measured, under a name by which it is chosen."""

    name: str
    lines: Callable[[Bench], list[Line]]


# ── a run without suites, and collection ─────────────────────────────────────────────────────────


def import_cost(bench: Bench) -> list[Line]:
    """What the plugin costs in a run without suites, and which heavy modules it loads."""
    ours, theirs = bench.empty(name="with"), bench.empty("-p", "no:dust", name="without")
    times = bench.times(ours, theirs, often=bench.sizes.imports)
    clock, cpu = times.wall("with", "without"), times.cpu("with", "without")
    extra = sorted(_loaded(ours) - _loaded(theirs))
    what = "import, no suites"
    less = f"< {IMPORT * 1000:g} ms more"
    base, spent = f"without {seconds(times.wall('without'))}", f"without {seconds(times.cpu('without'))}"
    return [
        Line(f"{what}: processor", less, seconds(times.cpu("with")), spent, seconds(cpu), cpu < IMPORT),
        Line(f"{what}: clock", "", seconds(times.wall("with")), base, seconds(clock), None),
        Line(f"{what}: heavy modules", "none", ", ".join(extra) or "none", "", "", not extra),
    ]


def _loaded(contender: Contender) -> set[str]:
    command = [*contender.command, "-p", "loaded"]
    env = {"PYTHONPATH": str(INSIDE)}
    _, _, output = timed(command, contender.folder, env)
    named = [line for line in output.splitlines() if line.startswith("loaded:")]
    if not named:
        raise WrongRunError(contender.name, "it did not tell what it had loaded")
    return set(named[0].split()[1:])


def collection(bench: Bench) -> list[Line]:
    """`--co` of many cases in many files, in time and in memory."""
    corpus = very_many(bench)
    folder, check = bench.corpora.at(corpus), collecting(corpus.count)
    ours, floor = bench.dust(folder, check, "--co"), bench.floor(folder, check, "--co")
    times = bench.times(ours, floor, bench.bare_floor(folder, check, "--co"), bench.empty())
    what = f"--co of {corpus.count:,} cases in {corpus.files} files"
    net = times.ratio(ours.name, "floor", less="start-up")
    return [
        at_most(what, times, ours.name, "floor", 1.5),
        Line(f"{what}: less start-up", "", "", "floor less start-up", factor(net), None),
        bare(what, times),
        memory_within(what, times, 2),
    ]


# ── comparisons that fail ────────────────────────────────────────────────────────────────────────


def comparisons(bench: Bench) -> list[Line]:
    """Failing comparisons of a large value with a large value, by matcher and by the gate."""
    found = []
    for change in ("few", "many"):
        for matcher in ("equals", "unordered"):
            corpus = Corpus(1, 1, 2 * bench.sizes.compared, change=(matcher, change))
            contender = bench.dust(
                bench.corpora.at(corpus),
                failing(1, "FAILED suite-000.dust.yaml::case[one] - golden.json:1: result.documents"),
            )
            found.append(_comparison(bench, f"{matcher} of values, {change} differences", contender))
        found.append(_gate(bench, change))
    return found


def _gate(bench: Bench, change: str) -> Line:
    corpus = Corpus(1, 1, bench.sizes.compared)  # not its double: live answers may have 8 MB
    with serving(corpus.size, change=change) as url:
        options = ["--dust-mode=live", "--dust-on-change=fail", f"--dust-base-url={url}"]
        contender = replace(
            bench.dust(bench.corpora.at(corpus), failing(1, "Changed since the recording"), *options), env=KEY
        )
        return _comparison(bench, f"live gate of answers, {change} differences", contender)


def _comparison(bench: Bench, what: str, contender: Contender) -> Line:
    size = f"{bench.sizes.compared / 1e6:g} MB"
    line = Line(f"failing {size} vs {size}: {what}", "< 5 s", f"> {PATIENCE} s", "stopped", "", met=False)
    try:
        times = bench.times(replace(contender, patience=PATIENCE))
    except OverdueError:
        return line
    took = times.wall(contender.name)
    peak = f"peak {times.peak(contender.name):.0f} MiB"
    return replace(line, ours=seconds(took), against=peak, met=took < 5)


# ── live ─────────────────────────────────────────────────────────────────────────────────────────


def live(bench: Bench) -> list[Line]:
    """Live runs that take their time, side by side; and recording the same."""
    sizes = bench.sizes
    corpus = Corpus(1, sizes.live, sizes.small)
    compared, recorded = bench.corpora.at(corpus), bench.copy(corpus, "recording")
    with serving(corpus.size, sizes.delay) as url:
        ours = _live(bench, compared, sizes.live, url, "live")
        record = _anew(_live(bench, recorded, sizes.live, url, "record"))
        record = replace(record, check=_and_kept(record, sizes.live))
        times = bench.times(ours, record, bench.empty())
    return [_beside_ideal(bench, times, name) for name in ("live", "record")]


def _live(bench: Bench, folder: Path, count: int, url: str, mode: str) -> Contender:
    options = [f"--dust-mode={mode}", f"--dust-base-url={url}", f"--dust-concurrency={AT_ONCE}"]
    return replace(bench.dust(folder, passing(count), *options, name=mode), env=KEY)


def _anew(contender: Contender) -> Contender:
    """The contender, each of whose runs finds no recording."""
    folder = contender.folder / "cassettes"
    return replace(contender, prepare=partial(shutil.rmtree, folder, ignore_errors=True))


def _and_kept(contender: Contender, count: int) -> Callable[[int, str], str]:
    def check(status: int, output: str) -> str:
        kept = len(cassettes(contender.folder))
        return contender.check(status, output) or ("" if kept == count else f"{kept} cassettes, not {count}")

    return check


def _beside_ideal(bench: Bench, times: Times, name: str) -> Line:
    sizes = bench.sizes
    ideal = sizes.live / AT_ONCE * sizes.delay
    took = times.wall(name, "start-up")
    what = f"{name}: {sizes.live} runs of {sizes.delay} s, {AT_ONCE} at once, less start-up"
    against = f"{sizes.live}/{AT_ONCE} × {sizes.delay} s = {seconds(ideal)}"
    return Line(what, "≤ 1.3 × ideal", seconds(took), against, factor(took / ideal), took <= 1.3 * ideal)


def interrupt(bench: Bench) -> list[Line]:
    """Ctrl-C with many runs under way that would take minutes."""
    corpus = Corpus(1, bench.sizes.live, bench.sizes.small)
    folder, many = bench.corpora.at(corpus), min(AT_ONCE, corpus.count)
    took = []
    for _ in range(bench.rounds):
        with serving(corpus.size, delay=PATIENCE) as url:
            contender = replace(_live(bench, folder, corpus.count, url, "live"), patience=PATIENCE)
            took.append(interrupted(contender, partial(_is_asked, url, many)))
    worst = max(took)
    what = f"Ctrl-C with {many} runs under way, to the end of the process"
    return [Line(what, "< 1 s", seconds(median(took)), f"the longest {seconds(worst)}", "", worst < 1)]


def _is_asked(url: str, count: int) -> bool:
    return asked(url) >= count


# ── xdist ────────────────────────────────────────────────────────────────────────────────────────


def workers(bench: Bench) -> list[Line]:
    """Replay and recording by several processes: what it pays, and that it keeps the same cassettes."""
    cases, size = 4 * bench.sizes.large_cases, bench.sizes.large
    plain, checked = Corpus(1, cases, size), Corpus(1, cases, size, schema=True)
    lines = [*_several(bench, plain, ""), *_several(bench, checked, " checked with a JSON Schema")]
    return [*lines, _several_recording(bench), _same_recordings(bench)]


def _several_recording(bench: Bench) -> Line:
    """Two processes that record, against one."""
    corpus = Corpus(1, 2 * bench.sizes.large_cases, bench.sizes.large, recorded=False, schema=True)
    with serving(corpus.size) as url:
        times = bench.times(*_recording(bench, corpus, url))
    what = f"record {corpus.count} × {corpus.size // 1000} KB checked with a JSON Schema"
    return _paying(what, times, "-n 2")


def _recording(bench: Bench, corpus: Corpus, url: str) -> list[Contender]:
    """One process and two that record a corpus, each in a folder of its own."""

    def contender(name: str, *workers: str) -> Contender:
        folder = bench.copy(corpus, f"recording {corpus.count} × {corpus.size}, {name}")
        mode = ["--dust-mode=record", f"--dust-base-url={url}"]
        return _anew(
            replace(bench.workers(folder, passing(corpus.count), *workers, *mode, name=name), env=KEY)
        )

    return [contender("one process", "-p", "no:xdist"), contender("-n 2", "-n", "2")]


def _several(bench: Bench, corpus: Corpus, how: str) -> list[Line]:
    """One process against several."""
    folder, check = bench.corpora.at(corpus), passing(corpus.count)
    one = bench.workers(folder, check, "-p", "no:xdist", name="one process")
    many = [bench.workers(folder, check, "-n", count, name=f"-n {count}") for count in bench.sizes.workers]
    times = bench.times(one, *many)
    what = f"replay {corpus.count} × {corpus.size // 1000} KB{how}"
    return [_paying(what, times, each.name) for each in many]


def _paying(what: str, times: Times, name: str) -> Line:
    ratio = times.ratio("one process", name)
    against = f"one process {seconds(times.wall('one process'))}"
    return Line(f"{what}, {name}", "faster", seconds(times.wall(name)), against, factor(ratio), ratio > 1)


def _same_recordings(bench: Bench) -> Line:
    corpus = Corpus(
        bench.sizes.files, bench.sizes.cases // bench.sizes.files, bench.sizes.small, recorded=False
    )
    kept = []
    with serving(corpus.size) as url:
        for contender in _recording(bench, corpus, url):
            run(contender)
            folder = contender.folder
            kept.append({str(path.relative_to(folder)): _lasting(path) for path in cassettes(folder)})
    same = kept[0] == kept[1] and len(kept[0]) == corpus.count
    shown = f"{len(kept[1])} cassettes, {'the same' if same else 'not the same'}"
    what = f"recording {corpus.count} cases with -n 2"
    return Line(what, "the same whole cassettes", shown, f"one process {len(kept[0])}", "", same)


def _lasting(path: Path) -> dict[str, Any]:
    """A cassette without what differs from one recording to the next."""
    document: dict[str, Any] = json.loads(path.read_bytes())
    return {name: value for name, value in document.items() if name not in ("recorded_at", "duration")}


ROWS: Sequence[Row] = (
    Row("import", import_cost),
    Row("collect", collection),
    Row("replay", replay_one_file),
    Row("replay-files", replay_files),
    Row("large", replay_large),
    Row("huge", replay_huge),
    Row("one", one_case),
    Row("sizes", sizes),
    Row("page", page),
    Row("compare", comparisons),
    Row("live", live),
    Row("interrupt", interrupt),
    Row("growth", growth),
    Row("xdist", workers),
)
