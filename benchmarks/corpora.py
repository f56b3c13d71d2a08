"""The corpora of the rows: suites with cassettes, written once per run by the pytest-dust under test."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from measure import WrongRunError, environment

CHECKOUT = Path(__file__).parent.parent
INSIDE = CHECKOUT / "benchmarks" / "inside"


@dataclass(frozen=True)
class Corpus:
    """So many files of so many cases each, whose answers have so many bytes.

    `change`: one case that expects, by this matcher, a value changed in this way. `schema`: each case holds
    its answer against a JSON Schema.
    """

    files: int
    cases: int
    size: int
    recorded: bool = True
    change: tuple[str, str] | None = None
    schema: bool = False

    @property
    def count(self) -> int:
        """How many cases there are."""
        return self.files * self.cases

    @property
    def name(self) -> str:
        """A name for the folder."""
        change = "-".join(self.change) if self.change else ""
        kept = ("recorded" if self.recorded else "bare") + ("-schema" if self.schema else "")
        return f"{self.files}x{self.cases}-of-{self.size}-{kept}{change}"


@dataclass(frozen=True)
class Corpora:
    """The corpora below a folder, written by a Python that has the pytest-dust of a checkout."""

    folder: Path
    python: str
    checkout: Path = CHECKOUT

    def at(self, corpus: Corpus) -> Path:
        """The folder of a corpus, written if it is not there yet."""
        folder = self.folder / corpus.name
        if not folder.exists():
            self._make([{**asdict(corpus), "folder": str(folder)}])
        return folder

    def _make(self, specs: list[dict[str, object]]) -> None:
        benchmarks = self.checkout / "benchmarks"
        made = subprocess.run(
            [self.python, str(benchmarks / "inside" / "make_suites.py")],
            input=json.dumps(specs),
            env={**environment(), "PYTHONPATH": str(benchmarks)},
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise WrongRunError("suites", "they cannot be written", made.stderr.strip()[-1500:])


def cassettes(folder: Path) -> list[Path]:
    """The cassettes of a corpus."""
    return sorted(folder.glob("cassettes/*/*.json"))
