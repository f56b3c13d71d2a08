"""The summary at the end of a session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pytest_dust.model import Tokens
from pytest_dust.report.cache import cached
from pytest_dust.report.gate import NOT_JUDGED, NOT_RECORDED, WITHOUT_A_RUN, by_app
from pytest_dust.report.tokens import in_all, uncounted, used
from pytest_dust.wording import plural

MAX_LISTED = 10
"""Cases named under one head of the summary; more are counted."""
MAX_KEPT = 3
"""Files named in the summary, in which answers are kept; more are counted."""
NEW = ("recorded", "live")
SOURCES = ("checked", "replayed", *NEW, NOT_RECORDED, NOT_JUDGED, WITHOUT_A_RUN)

Facts = Mapping[str, Any]
"""What a case told: its source, tokens, and where it changed."""


def summary(cases: Iterable[Facts], *, versions: bool = False, ceiling: bool = False) -> Iterator[str]:
    """How many cases came from where, what they used, and what changed; by app where versions are tried.

    What a plugin had run again is no case of its own, but used its tokens. With a `ceiling` of tokens, runs
    that it could not count are told.
    """
    told = list(cases)
    cases = [case for case in told if not case["rerun"]]
    sources = Counter(case["source"] for case in cases)
    counts = [f"{sources[source]:,} {source}" for source in SOURCES if sources[source]]
    made = [case for case in cases if case["source"] in NEW]
    paid = (case for case in told if case["source"] != "replayed")
    tokens = sum((Tokens(case["tokens"], case["unknown"]) for case in paid), Tokens())
    yield f"dust: {', '.join([*counts, in_all(tokens)])}"
    if ceiling and tokens.unknown:
        yield uncounted(tokens.unknown)
    if waits := [case["waited"] for case in cases if case["waited"]]:
        longest = "" if len(waits) == 1 else "the longest "
        yield (
            f"dust: {plural(len(waits), 'case')} waited for the service's rate limit (429), "
            f"{longest}{max(waits):.0f} s"
        )
    yield from cached(made)
    yield from _left_out(cases)
    yield from _spreads([case for case in cases if case.get("spread")])
    if versions:
        yield from by_app(made)
    yield from _changed([case for case in cases if case["begins"] and not case["headline"]])


def unwaited(left: Iterable[tuple[int, int, int, int]]) -> Iterator[str]:
    """What may cost though no case waited for it, by each process.

    That is: runs that were made, runs under way, tokens of those made, and for how many these are unknown.
    """
    made, under_way, told, unknown = map(sum, zip(*left, strict=True))
    if made or under_way:
        tokens = f" ({used(Tokens(told, unknown))})" if made else ""
        yield f"dust: {plural(made, 'run')} made{tokens} and {under_way:,} under way that no case waited for"


def _left_out(cases: Iterable[Facts]) -> Iterator[str]:
    """What differed from the recordings and was not compared, as it is new in every run."""
    names = list(dict.fromkeys(name for case in cases for name in case["left_out"]))
    if names:
        more = f" and {len(names) - MAX_LISTED:,} more" if len(names) > MAX_LISTED else ""
        listed = ", ".join(names[:MAX_LISTED])
        yield f"dust: not compared, as new in every run: {listed}{more} (baseline.volatile: keep compares it)"


def in_no_cassette(kept: Iterable[Iterable[str]]) -> Iterator[str]:
    """Where answers are that are in no cassette, as each process told."""
    files = sorted({name for each in kept for name in each})
    more = f" and {len(files) - MAX_KEPT:,} more" if len(files) > MAX_KEPT else ""
    are = "is" if len(files) == 1 else "are"
    where = f"{', '.join(files[:MAX_KEPT])}{more}"
    yield f"dust: {plural(len(files), 'answer')} {are} in no cassette, but kept: {where}"


def renamed(told: Iterable[Mapping[str, Sequence[str]]]) -> Iterator[str]:
    """Which cases have neutral ids, as each process told."""
    suites = {suite: ids for each in told for suite, ids in each.items()}
    for suite, ids in sorted(suites.items())[:MAX_LISTED]:
        more = f" and {len(ids) - MAX_KEPT:,} more" if len(ids) > MAX_KEPT else ""
        yield (
            f"dust: {suite}: {', '.join(ids[:MAX_KEPT])}{more}: numbered, "
            "as a secret or redacted value would stand in the id"
        )
    if len(suites) > MAX_LISTED:
        yield f"dust: … and {len(suites) - MAX_LISTED:,} more suites with numbered cases"


def _spreads(cases: Sequence[Facts]) -> Iterator[str]:
    for case in cases[:MAX_LISTED]:
        yield f"dust: {case['id']}: {case['spread']} attempts passed"
    if len(cases) > MAX_LISTED:
        yield f"dust: … and {len(cases) - MAX_LISTED:,} more repeated cases"


def _changed(cases: Sequence[Facts]) -> Iterator[str]:
    """What changed in cases that passed."""
    if not cases:
        return
    noun = "case that passed" if len(cases) == 1 else "cases that passed"
    yield f"dust: {len(cases):,} {noun} changed since the recording:"
    for case in cases[:MAX_LISTED]:
        yield f"  {case['id']}: {case['begins']}"
        yield from case["changes"][1:]
    if len(cases) > MAX_LISTED:
        yield f"  … and {len(cases) - MAX_LISTED:,} more"
