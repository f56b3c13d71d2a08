"""The rows about replay: small answers, large ones, a huge one, and very many cases."""

from __future__ import annotations

from dataclasses import replace

from answers import encoded, question
from bench import Bench, Peer
from corpora import Corpus, cassettes
from lines import Line, at_most, bare, factor, seconds
from measure import Times, passing

MIB = 1024 * 1024
FLAT = 1.25
"""How much dearer a case may be among ten thousand than among a hundred, and still be called as dear."""
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
    lines = [at_most(what, times, ours.name, "floor", 1.8), bare(what, times)]
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
    kept = f"{times.peak(ours.name):.0f} MiB"
    reading = f"{floor.name} {times.peak(floor.name):.0f} MiB"
    more = factor(times.ratio(ours.name, floor.name, "peak"))
    lines = [
        at_most(what, times, ours.name, floor.name, 1.8),
        Line(f"{what}: memory", "", kept, reading, more, None),
    ]
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
    processor = factor(times.ratio(name, "pytest-dust", "cpu") * peer.scale)
    return replace(line, ours=ours, against=against, ratio=factor(ratio), met=met, processor=processor)


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


def one_case(bench: Bench) -> list[Line]:
    """One replayed case, beyond a session without suites."""
    ours = bench.dust(bench.corpora.at(Corpus(1, 1, bench.sizes.small)), passing(1))
    times = bench.times(ours, bench.empty(), often=bench.sizes.imports)
    beyond, spent = times.wall(ours.name, "start-up"), times.cpu(ours.name, "start-up")
    against = f"start-up {seconds(times.wall('start-up'))}"
    return [
        Line("one replayed case, beyond start-up", "", seconds(beyond), against, "", None, seconds(spent))
    ]


def sizes(bench: Bench) -> list[Line]:
    """The bytes of cassettes to those of the answers in them."""
    lines = []
    for size, cases in ((bench.sizes.small, bench.sizes.cases), (bench.sizes.large, bench.sizes.large_cases)):
        corpus = Corpus(1, cases, size)
        kept = sum(path.stat().st_size for path in cassettes(bench.corpora.at(corpus)))
        sent = sum(len(encoded(question(number), size)) for number in range(cases))
        what = f"cassettes of {cases} answers of {size // 1000} KB: bytes"
        ours, against = f"{kept / 1e6:.2f} MB", f"answers {sent / 1e6:.2f} MB"
        lines.append(Line(what, "≤ 1.1 ×", ours, against, factor(kept / sent), kept <= 1.1 * sent))
    return lines


def growth(bench: Bench) -> list[Line]:
    """Time per case as the number of cases grows, beyond that of a session of one case and of the floor's.

    pytest itself takes more for each item of many than of few, so its own growth is taken out.
    """
    many = very_many(bench)
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
    beyond = [mine - least for mine, least in zip(ours, floor, strict=True)]
    ratio = beyond[-1] / beyond[0]
    what = f"growth: time per case at {', '.join(f'{count:,}' for count in counts)}"
    against = f"floor {', '.join(seconds(each) for each in floor)}"
    shown = ", ".join(seconds(each) for each in ours)
    return [
        Line(
            what,
            f"flat beyond the floor (last ≤ {FLAT} × first)",
            shown,
            against,
            factor(ratio),
            ratio <= FLAT,
        )
    ]


def very_many(bench: Bench) -> Corpus:
    """The corpus of very many cases in many files."""
    sizes = bench.sizes
    return Corpus(sizes.files, sizes.collected // sizes.files, sizes.small)
