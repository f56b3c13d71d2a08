"""The row about reports: from very many cases to an HTML page."""

from __future__ import annotations

from bench import Bench
from corpora import Corpus
from lines import Line, seconds
from measure import passing

BEYOND = 1.5
"""Seconds that the page of all cases may take beyond the run."""


def page(bench: Bench) -> list[Line]:
    """Replay of many cases with a page of them, beside the same without."""
    corpus = Corpus(1, bench.sizes.paged, bench.sizes.small)
    folder, check = bench.corpora.at(corpus), passing(corpus.count)
    report = bench.work / "page.html"
    plain = bench.dust(folder, check, name="plain")
    paged = bench.dust(folder, check, f"--dust-report={report}", name="with a page")
    times = bench.times(plain, paged)
    beyond, spent = times.wall("with a page", "plain"), times.cpu("with a page", "plain")
    what = f"{corpus.count:,} cases to a page of {report.stat().st_size / 1e6:.1f} MB, beyond the run"
    against = f"without it {seconds(times.wall('plain'))}"
    goal = f"≤ {BEYOND} s"
    return [Line(what, goal, seconds(beyond), against, "", beyond <= BEYOND, f"{seconds(spent)}")]
