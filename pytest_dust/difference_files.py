"""Write all that changed in a run to the folder that `--dust-diff-dir` names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_dust.errors import ServiceError
from pytest_dust.file_names import case_file
from pytest_dust.report.full import full

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_dust.masking import Mask
    from pytest_dust.model import Outcome


def place(folder: Path, group: str, case: str) -> Path:
    """The file for a case below the folder; `group` is its suite or module as the user types it."""
    below = [part for part in group.split("/") if part != ".."]
    return folder.joinpath(*below, f"{case_file(case)}.diff")


def write(path: Path, title: str, outcome: Outcome, mask: Mask) -> None:
    """Write what changed in a run, if anything did; raises DustError."""
    comparison = outcome.shown.comparison
    if comparison is None or not comparison.changed:
        return
    text = mask.text("\n".join(full(title, comparison))) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise ServiceError(f"cannot write {path.name} to --dust-diff-dir: {error.strerror}") from None
