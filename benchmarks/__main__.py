"""`python benchmarks`: measure pytest-dust against the floor and its peers, and print one table."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import report
from before import beside
from bench import SMOKE, Bench, Sizes
from corpora import Corpora
from lines import Line
from measure import WrongRunError
from rows import ROWS, Row
from venvs import AbsentError, Venvs

PEERS = ("cassetter", "pytest-recording", "tavern", "promptfoo")


def main() -> int:
    """Measure what the command line asks for; 1 where a contender did not do its job."""
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and folders go too
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # in the background it is ignored, by contenders too
    work = Path(tempfile.mkdtemp(prefix="pytest-dust-benchmarks-"))
    try:
        bench = _bench(given, work)
        return _measured(bench, given)
    except AbsentError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmarks: stopped", file=sys.stderr)
        return 130
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="turns of each contender (5)")
    parser.add_argument(
        "--rows", default="", metavar="NAMES", help=f"of {','.join(row.name for row in ROWS)}"
    )
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, one round, no peers, no verdicts")
    parser.add_argument("--peers", action="store_true", help="with --smoke: the peers too")
    parser.add_argument(
        "--before", default="", metavar="COMMIT", help="measure the same jobs with an earlier commit too"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the table here too")
    venvs = Path(__file__).parent / ".venvs"
    parser.add_argument(
        "--venvs", type=Path, default=venvs, metavar="DIR", help="where environments are kept"
    )
    given = parser.parse_args()
    names = {row.name for row in ROWS}
    unknown = [name for name in given.rows.split(",") if name and name not in names]
    if unknown:
        parser.error(
            f"--rows: there is no row {unknown[0]}; there are: {', '.join(row.name for row in ROWS)}"
        )
    if given.rounds < 1:
        parser.error("--rounds: give a whole number, 1 or more")
    return given


def _bench(given: argparse.Namespace, work: Path) -> Bench:
    venvs = Venvs(given.venvs.resolve(), current=sys.executable if given.smoke else "")
    corpora = Corpora(work / "corpora", venvs.python("dust"))
    sizes, rounds = (SMOKE, 1) if given.smoke else (Sizes(), given.rounds)
    with_peers = given.peers or not given.smoke
    return Bench(sizes, venvs, corpora, work, rounds, given.smoke, with_peers)


def _measured(bench: Bench, given: argparse.Namespace) -> int:
    load = os.getloadavg()[0]
    chosen = given.rows.split(",") if given.rows else [row.name for row in ROWS]
    lines = [line for row in ROWS if row.name in chosen for line in _lines(row, bench)]
    if given.before:
        print("before …", file=sys.stderr, flush=True)
        lines += beside(bench, given.before)
    shown = [report.table(lines, verdicts=not bench.smoke), report.NOTES]
    environments = ["dust", "xdist", *(PEERS if bench.with_peers else ())]
    shown.append(report.circumstances(_versions(bench, environments), bench.rounds, load))
    text = "\n\n".join(shown)
    print(text)
    if given.output:
        given.output.write_text(text + "\n", encoding="utf-8")
    for failure in bench.failures:
        print(f"benchmarks: {failure}", file=sys.stderr)
    return 1 if bench.failures else 0


def _lines(row: Row, bench: Bench) -> list[Line]:
    print(f"{row.name} …", file=sys.stderr, flush=True)
    try:
        return row.lines(bench)
    except WrongRunError as error:
        bench.failures.append(str(error))
        return [Line(row.name, "", "failed", f"{error.name}: {error.why}", "–", met=False)]


def _versions(bench: Bench, names: Sequence[str]) -> list[str]:
    found = []
    for name in names:
        try:
            found += bench.venvs.versions([name])
        except AbsentError as error:
            found.append(str(error))
    return found


if __name__ == "__main__":
    sys.exit(main())
