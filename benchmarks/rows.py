"""The rows of the table: what is measured, against what, and what it is to reach."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench import KEY, Bench, Peer
from corpora import INSIDE, Corpus, cassettes
from loopback import serving
from measure import (
    Contender,
    Times,
    WrongRunError,
    collecting,
    failing,
    passing,
    run,
    timed,
)

MIB = 1024 * 1024
FLAT = 1.25
"""How much dearer a case may be among ten thousand than among a hundred, and still be called as dear."""
AT_ONCE = 16


@dataclass(frozen=True)
class Line:
    """One goal of a row, what was measured, and whether that reaches it; None where there is no goal."""

    what: str
    goal: str
    ours: str
    against: str
    ratio: str
    met: bool | None


@dataclass(frozen=True)
class Row:
    """A job to be measured, under a name by which it is chosen."""

    name: str
    lines: Callable[[Bench], list[Line]]


def at_most(what: str, times: Times, ours: str, theirs: str, limit: float) -> Line:
    """A goal of the kind: our time is within so many times theirs."""
    ratio = times.ratio(ours, theirs)
    against = f"{theirs} {seconds(times.wall(theirs))}"
    return Line(
        what, f"≤ {limit} × {theirs}", seconds(times.wall(ours)), against, factor(ratio), ratio <= limit
    )


def seconds(value: float) -> str:
    """A time as the table shows it."""
    return f"{value * 1000:.1f} ms" if abs(value) < 0.1 else f"{value:.2f} s"


def factor(value: float) -> str:
    """A ratio as the table shows it."""
    return f"{value:.2f} ×"


# ── a run without suites, and collection ─────────────────────────────────────────────────────────


def import_cost(bench: Bench) -> list[Line]:
    """What the plugin costs in a run without suites, and which heavy modules it loads."""
    ours, theirs = bench.empty(name="with"), bench.empty("-p", "no:dust", name="without")
    times = bench.times(ours, theirs, often=bench.sizes.imports)
    cost = times.wall("with") - times.wall("without")
    spent = times.cpu("with") - times.cpu("without")
    extra = sorted(_loaded(ours) - _loaded(theirs))
    without = f"without {seconds(times.wall('without'))}"
    what = "import, no suites"
    return [
        Line(
            f"{what}: clock", "< 5 ms more", seconds(times.wall("with")), without, seconds(cost), cost < 0.005
        ),
        Line(f"{what}: processor", "", seconds(times.cpu("with")), "without", seconds(spent), None),
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
    corpus = _many(bench)
    folder, check = bench.corpora.at(corpus), collecting(corpus.count)
    ours, floor = bench.dust(folder, check, "--co"), bench.floor(folder, check, "--co")
    times = bench.times(ours, floor, bench.bare_floor(folder, check, "--co"), bench.empty())
    what = f"--co of {corpus.count:,} cases in {corpus.files} files"
    net = times.ratio(ours.name, "floor", less="start-up")
    return [
        at_most(what, times, ours.name, "floor", 1.5),
        Line(f"{what}: less start-up", "", "", "floor less start-up", factor(net), None),
        _bare(what, times),
        _memory(what, times, 2),
    ]


def _many(bench: Bench) -> Corpus:
    sizes = bench.sizes
    return Corpus(sizes.files, sizes.collected // sizes.files, sizes.small)


def _bare(what: str, times: Times) -> Line:
    return replace(at_most(what, times, "pytest-dust", "bare floor", 0), goal="", met=None)


def _memory(what: str, times: Times, limit: float) -> Line:
    ratio = times.ratio("pytest-dust", "floor", "peak")
    ours, theirs = (f"{times.peak(name):.0f} MiB" for name in ("pytest-dust", "floor"))
    against = f"floor {theirs}"
    return Line(f"{what}: memory", f"≤ {limit} × floor", ours, against, factor(ratio), ratio <= limit)


# ── replay ───────────────────────────────────────────────────────────────────────────────────────

SMALL_GOALS = {
    "cassetter": 1.3,
    "pytest-recording": 2.5,
    "pytest-recording, httpx.post": 20,
    "Tavern": 10,
    "promptfoo": 3,
}
LARGE_GOALS = dict.fromkeys(SMALL_GOALS, 1.0)


def replay_one_file(bench: Bench) -> list[Line]:
    """Replay of small answers, all cases in one file; and the memory it takes."""
    return _replay(bench, 1, memory=True)


def replay_files(bench: Bench) -> list[Line]:
    """Replay of small answers, a hundred files."""
    return _replay(bench, bench.sizes.files, memory=False)


def _replay(bench: Bench, files: int, *, memory: bool) -> list[Line]:
    sizes = bench.sizes
    corpus = Corpus(files, sizes.cases // files, sizes.small)
    usual = Corpus(min(files, sizes.usual), max(1, sizes.usual // files), sizes.small)
    folder, check = bench.corpora.at(corpus), passing(corpus.count)
    ours, floor = bench.dust(folder, check), bench.floor(folder, check)
    with bench.rivals(corpus, usual) as peers:
        times = bench.times(ours, floor, bench.bare_floor(folder, check), peers=list(peers.values()))
    what = f"replay {corpus.count} × {sizes.small // 1000} KB, {_files(files)}"
    lines = [at_most(what, times, ours.name, "floor", 1.8), _bare(what, times)]
    lines += _against_peers(bench, what, times, peers, SMALL_GOALS)
    return [*lines, _peak(what, times)] if memory else lines


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _peak(what: str, times: Times) -> Line:
    peak, floor = times.peak("pytest-dust"), times.peak("floor")
    against = f"floor {floor:.1f} MiB"
    return Line(f"{what}: memory", "< 60 MiB", f"{peak:.1f} MiB", against, factor(peak / floor), peak < 60)


def replay_large(bench: Bench) -> list[Line]:
    """Replay of large answers."""
    sizes = bench.sizes
    corpus = Corpus(1, sizes.large_cases, sizes.large)
    folder, check = bench.corpora.at(corpus), passing(corpus.count)
    ours, floor = bench.dust(folder, check), bench.reading_floor(folder, check)
    with bench.rivals(corpus, Corpus(1, sizes.large_usual, sizes.large)) as peers:
        times = bench.times(ours, floor, peers=list(peers.values()))
    what = f"replay {corpus.count} × {sizes.large // 1000} KB"
    lines = [at_most(what, times, ours.name, floor.name, 1.8)]
    return lines + _against_peers(bench, what, times, peers, LARGE_GOALS)


def _against_peers(
    bench: Bench, what: str, times: Times, peers: dict[str, Peer], goals: dict[str, float]
) -> list[Line]:
    if not bench.with_peers:
        return []
    lines = []
    for name, least in goals.items():
        line = Line(what, f"≥ {least} × as fast" if least > 1 else "faster", "", "", "–", None)
        if name in peers:
            lines.append(_against(line, times, peers[name], least))
        else:
            lines.append(replace(line, against=f"{name}: {bench.absent[name]}"))
    return lines


def _against(line: Line, times: Times, peer: Peer, least: float) -> Line:
    name = peer.contender.name
    ratio = times.ratio(name, "pytest-dust") * peer.scale
    scaled = f" (× {peer.scale:g})" if peer.scale != 1 else ""
    against = f"{name} {seconds(times.wall(name))}{scaled}"
    met = ratio >= least if least > 1 else ratio > 1
    ours = seconds(times.wall("pytest-dust"))
    return replace(line, ours=ours, against=against, ratio=factor(ratio), met=met)


def replay_huge(bench: Bench) -> list[Line]:
    """One case with a huge answer: time beyond start-up, and memory by the size of the cassette."""
    corpus = Corpus(1, 1, bench.sizes.huge)
    folder = bench.corpora.at(corpus)
    size = cassettes(folder)[0].stat().st_size / MIB
    ours = bench.dust(folder, passing(1))
    times = bench.times(ours, bench.empty(), bench.floor(folder, passing(1)))
    beyond, more = times.wall(ours.name, "start-up"), times.peak(ours.name, "start-up")
    what = f"replay of one {bench.sizes.huge / 1e6:g} MB answer"
    file = f"cassette {size:.1f} MiB"
    against = f"start-up {seconds(times.wall('start-up'))}"
    whole = times.peak(ours.name)
    return [
        Line(what, "< 1 s beyond start-up", seconds(beyond), against, "", beyond < 1),
        Line(f"{what}: memory beyond start-up", "", f"{more:.0f} MiB", file, factor(more / size), None),
        Line(
            f"{what}: peak memory",
            "< 8 × file",
            f"{whole:.0f} MiB",
            file,
            factor(whole / size),
            whole < 8 * size,
        ),
    ]


def growth(bench: Bench) -> list[Line]:
    """Time per case as the number of cases grows, beyond that of a session of one case."""
    many = _many(bench)
    corpora = [replace(many, files=files) for files in sorted({1, max(1, many.files // 10), many.files})]
    one = Corpus(1, 1, many.size)
    contenders = [
        make(bench.corpora.at(corpus), passing(corpus.count), name=f"{kind} {corpus.count}")
        for corpus in (one, *corpora)
        for kind, make in (("dust", bench.dust), ("floor", bench.floor))
    ]
    times = bench.times(*contenders)
    counts = [corpus.count for corpus in corpora]
    ours, floor = (
        [times.wall(f"{kind} {count}", f"{kind} 1") / (count - 1) for count in counts]
        for kind in ("dust", "floor")
    )
    ratio = ours[-1] / ours[0]
    what = f"growth: time per case at {', '.join(f'{count:,}' for count in counts)}"
    against = f"floor {', '.join(seconds(each) for each in floor)}"
    shown = ", ".join(seconds(each) for each in ours)
    return [Line(what, f"flat (last ≤ {FLAT} × first)", shown, against, factor(ratio), ratio <= FLAT)]


# ── comparisons that fail ────────────────────────────────────────────────────────────────────────


def comparisons(bench: Bench) -> list[Line]:
    """Failing comparisons of a large value with a large value, by matcher and by the gate."""
    found = []
    for change in ("few", "many"):
        for matcher in ("equals", "unordered"):
            corpus = Corpus(1, 1, 2 * bench.sizes.compared, change=(matcher, change))
            contender = bench.dust(bench.corpora.at(corpus), failing(1))
            found.append(_comparison(bench, f"{matcher}, {change} differences", contender))
        found.append(_gate(bench, change))
    return found


def _gate(bench: Bench, change: str) -> Line:
    corpus = Corpus(1, 1, 2 * bench.sizes.compared)
    with serving(corpus.size, change=change) as url:
        options = ["--dust-mode=live", "--dust-on-change=fail", f"--dust-base-url={url}"]
        contender = replace(bench.dust(bench.corpora.at(corpus), failing(1), *options), env=KEY)
        return _comparison(bench, f"live gate, {change} differences", contender)


def _comparison(bench: Bench, what: str, contender: Contender) -> Line:
    times = bench.times(contender)
    took = times.wall(contender.name)
    size = f"{bench.sizes.compared / 1e6:g} MB"
    peak = f"{times.peak(contender.name):.0f} MiB"
    return Line(f"failing {size} vs {size}: {what}", "< 5 s", seconds(took), f"peak {peak}", "", took < 5)


# ── live ─────────────────────────────────────────────────────────────────────────────────────────


def live(bench: Bench) -> list[Line]:
    """Live runs that take their time, side by side; and recording the same."""
    sizes = bench.sizes
    corpus = Corpus(1, sizes.live, sizes.small)
    compared, recorded = bench.corpora.at(corpus), bench.copy(corpus, "recording")
    with serving(corpus.size, sizes.delay) as url:
        ours = _live(bench, compared, sizes.live, url, "live")
        record = replace(
            _live(bench, recorded, sizes.live, url, "record"),
            prepare=lambda: shutil.rmtree(recorded / "cassettes", ignore_errors=True),
        )
        record = replace(record, check=_and_kept(record, recorded, sizes.live))
        times = bench.times(ours, record, bench.empty())
    return [_beside_ideal(bench, times, name) for name in ("live", "record")]


def _live(bench: Bench, folder: Path, count: int, url: str, mode: str) -> Contender:
    options = [f"--dust-mode={mode}", f"--dust-base-url={url}", f"--dust-concurrency={AT_ONCE}"]
    return replace(bench.dust(folder, passing(count), *options, name=mode), env=KEY)


def _and_kept(contender: Contender, folder: Path, count: int) -> Callable[[int, str], str]:
    def check(status: int, output: str) -> str:
        kept = len(cassettes(folder))
        return contender.check(status, output) or ("" if kept == count else f"{kept} cassettes, not {count}")

    return check


def _beside_ideal(bench: Bench, times: Times, name: str) -> Line:
    sizes = bench.sizes
    ideal = sizes.live / AT_ONCE * sizes.delay
    took = times.wall(name, "start-up")
    what = f"{name}: {sizes.live} runs of {sizes.delay} s, {AT_ONCE} at once, less start-up"
    against = f"{sizes.live}/{AT_ONCE} × {sizes.delay} s = {seconds(ideal)}"
    return Line(what, "≤ 1.3 × ideal", seconds(took), against, factor(took / ideal), took <= 1.3 * ideal)


# ── xdist ────────────────────────────────────────────────────────────────────────────────────────


def workers(bench: Bench) -> list[Line]:
    """Replay and recording by several processes: what it pays, and that it keeps the same cassettes."""
    sizes = bench.sizes
    corpus = Corpus(1, 4 * sizes.large_cases, sizes.large)
    folder, check = bench.corpora.at(corpus), passing(corpus.count)
    one = bench.workers(folder, check, "-p", "no:xdist", name="one process")
    many = [bench.workers(folder, check, "-n", count, name=f"-n {count}") for count in ("2", "auto")]
    times = bench.times(one, *many)
    what = f"replay {corpus.count} × {sizes.large // 1000} KB"
    return [*(_paying(what, times, each.name) for each in many), _same_recordings(bench)]


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
        for options in (["-p", "no:xdist"], ["-n", "2"]):
            folder = bench.copy(corpus, f"recorded {' '.join(options)}")
            options += ["--dust-mode=record", f"--dust-base-url={url}"]
            recording = bench.workers(folder, passing(corpus.count), *options, name="recording")
            run(replace(recording, env=KEY))
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
    Row("compare", comparisons),
    Row("live", live),
    Row("growth", growth),
    Row("xdist", workers),
)
