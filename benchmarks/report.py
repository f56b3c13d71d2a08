"""The one table, and below it what a reader needs to judge it: notes, versions and the machine."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from lines import Line

NOTES = """\
Times are medians over the rounds, ratios medians of the rounds' own ratios; contenders took turns, and
each run was checked for its exit status and the tests it passed. The import is judged by processor time:
the clock wavers by more than the goal. *Floor*: pytest with a collector that makes one do-nothing item
per YAML case, in pytest-dust's own environment with `-p no:dust`, so that its dependencies' pytest
plugins weigh on both; *bare floor*: the same with pytest and PyYAML alone. Verdicts go by the floor.
cassetter and pytest-recording replay cassettes they recorded themselves, one per test, through one
httpx.Client. Tavern has no recordings and asks a server on loopback; promptfoo answers from its own disk
cache, with 4 tests at once, as it comes. A peer that is too slow for all cases does some, and its time is
multiplied as the table says, start-up included. *Start-up* is a session of one empty test with
pytest-dust. Memory is the peak resident size of the process."""
MARKS = {True: "yes", False: "**no**", None: "–"}


def table(lines: Sequence[Line], *, verdicts: bool) -> str:
    """The table in Markdown; without verdicts, only what was done."""
    head = ["what", "goal", "pytest-dust", "against", "ratio", "of processor time"] + (
        ["met"] if verdicts else []
    )
    rows = [head, ["---"] * len(head)]
    for line in lines:
        cells = [line.what, line.goal, line.ours, line.against, line.ratio, line.processor]
        rows.append([*cells, *([MARKS[line.met]] if verdicts else [])])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def circumstances(versions: Sequence[str], rounds: int, load: float) -> str:
    """Versions, the machine, how busy it was, and when and how often this was measured."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    busy = f"load {load:.1f} before, {os.getloadavg()[0]:.1f} after"
    when = f"{datetime.now(UTC):%Y-%m-%d}, {rounds} round{'s' if rounds != 1 else ''}"
    machine = f"{_processor()}, {os.cpu_count()} cores, {platform.system()}; {busy}"
    return "\n".join(f"- {each}" for each in (when, machine, python, *versions))


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    names = [line.partition(": ")[2] for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor() or sys.platform
