"""The summary at the end of a session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

MAX_LISTED = 10
"""Changed cases named in the summary; more are counted."""


def summary(cases: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """How many cases came from where, the tokens that were used, and passing cases that changed."""
    sources: Counter[str] = Counter()
    tokens = 0
    waited = 0.0
    changed: list[Mapping[str, Any]] = []
    for case in cases:
        sources[case["source"]] += 1
        tokens += case["tokens"] if case["source"] in ("live", "recorded") else 0
        waited += case["waited"]
        if case["begins"] and not case["headline"]:
            changed.append(case)
    if not sources:
        return
    counts = ", ".join(
        f"{sources[source]:,} {source}"
        for source in ("checked", "replayed", "recorded", "live", "without a run")
        if sources[source]
    )
    yield f"dust: {counts}, {tokens:,} tokens used"
    if waited:
        yield f"dust: waited {waited:.0f} s, as the service's rate limit (429) asked"
    if changed:
        noun = "case that passed" if len(changed) == 1 else "cases that passed"
        yield f"dust: {len(changed):,} {noun} changed since the recording:"
        for case in changed[:MAX_LISTED]:
            yield f"  {case['id']}: {case['begins']}"
        if len(changed) > MAX_LISTED:
            yield f"  … and {len(changed) - MAX_LISTED:,} more"
