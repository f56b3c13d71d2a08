"""Accept the pending answers of a file, and tell what became of them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_dust.characters import safe
from pytest_dust.constants import SUITE_SUFFIX
from pytest_dust.errors import SuiteError
from pytest_dust.report.values import show
from pytest_dust.run.acceptance import Accepted, CaseAcceptance, accept_runs
from pytest_dust.run.edit_plan import SuiteSource
from pytest_dust.run.shared_datasets import Reader
from pytest_dust.run.waiting import HASH
from pytest_dust.wording import as_typed, first_names, plural

if TYPE_CHECKING:
    from pytest_dust.masking import Mask
    from pytest_dust.model import Case
    from pytest_dust.plugin.dust_file import DustFile
    from pytest_dust.plugin.session import Session
    from pytest_dust.plugin.waiting_items import WaitingFile
    from pytest_dust.run.waiting import Waiting
    from pytest_dust.run.wishes import Wish

MAX_LISTED = 40
"""Maximum number of values to edit by hand, and of refused answers, that are listed."""


def accept(
    file: WaitingFile, chosen: Sequence[Waiting], edit: Sequence[Waiting], session: Session
) -> Accepted:
    """Accept answers of one suite or Python file."""
    if file.suite is None:
        return accept_runs(file.shown, chosen)
    ids = frozenset(one.asked.case.id for one in edit)
    try:
        source = suite_source(file.suite)
        return CaseAcceptance(source, session.pending.folder, session.settings, ids).accept(chosen)
    except SuiteError as error:
        why = f"the suite cannot be read: {error.headline}"
        return Accepted(file.shown, refused=tuple((one, why) for one in chosen))


def suite_source(suite: DustFile) -> SuiteSource:
    """A suite as it is on disk now; raises SuiteError if it cannot be read."""
    content, name = suite.source(), suite.path.name
    return SuiteSource(
        path=suite.path,
        shown=suite.shown,
        content=content,
        read=suite.dataset,
        cases=lambda contents: suite.cases(contents.get(name, content), contents),
        readers=lambda dataset: _readers(suite, dataset),
    )


def _readers(suite: DustFile, dataset: str) -> list[Reader]:
    """The other suites that read a dataset: collected ones, and those beside the suite or the dataset."""
    real = Path(os.path.realpath(suite.path.parent / dataset))
    near = (path for folder in (suite.path.parent, real.parent) for path in folder.glob(f"*{SUITE_SUFFIX}"))
    paths = dict.fromkeys(Path(os.path.realpath(path)) for path in (*suite.shared.collected, *near))
    found = (_reader(suite, path, real) for path in paths if path != Path(os.path.realpath(suite.path)))
    return [reader for reader in found if reader]


def _reader(suite: DustFile, path: Path, dataset: Path) -> Reader | None:
    """A suite as one that reads a dataset; None if it does not, or has mistakes."""
    try:
        source = path.read_bytes()
        cases_now = suite.cases_of(path, source) if dataset.name.encode() in source else []
    except (OSError, SuiteError):
        return None
    names = {case.dataset for case in cases_now if case.row}
    own = [name for name in names if os.path.realpath(path.parent / name) == str(dataset)]
    if not own:
        return None

    def cases(content: bytes | None) -> list[Case]:
        return suite.cases_of(path, source, None if content is None else dict.fromkeys(own, content))

    return Reader(as_typed(path, suite.config.invocation_params.dir), cases)


# ── what to say ──────────────────────────────────────────────────────────────────────────────────


def lines(done: Sequence[Accepted], broken: Sequence[tuple[str, str]], session: Session) -> Iterator[str]:
    """What became of the answers, file by file; then what is left to edit, and what was refused."""
    for each in done:
        if each.accepted:
            accepted = f"{plural(len(each.accepted), 'answer')} accepted{_edits(each.edits)}"
            yield f"dust: {safe(each.shown)}: {accepted}"
    yield from _by_hand([(each.shown, wish) for each in done for wish in each.by_hand], session)
    refused = [(one.blank.title, why, one.asked.mask) for each in done for one, why in each.refused]
    yield from _refused([*refused, *((name, why, session.mask) for name, why in broken)], session)


def _edits(edits: Sequence[Wish]) -> str:
    """What was edited in a suite and its datasets."""
    values = {(wish.line, wish.name, str(wish.target)) for wish in edits if wish.name != HASH}
    pinned = sorted({str(wish.value)[:12] for wish in edits if wish.name == HASH})
    parts = [f"specification_hash {first_names(pinned, 2)}…"] if pinned else []
    parts += [plural(len(values), "expected value")] if values else []
    return f"; edited: {' and '.join(parts)}" if parts else ""


def _by_hand(left: Sequence[tuple[str, Wish]], session: Session) -> Iterator[str]:
    """The values that are not edited, each with its place, the new value and the reason."""
    rows = Counter(
        f"  {safe(shown)}:{wish.line}: {safe(wish.name)}: now {show(wish.value)} ({safe(wish.reason)})"
        for shown, wish in left
    )
    if rows:
        yield f"dust: {plural(len(rows), 'value')} to edit by hand:"
    for row, count in list(rows.items())[:MAX_LISTED]:
        yield session.masked(f"{row}, for {count:,} cases" if count > 1 else row)
    if len(rows) > MAX_LISTED:
        yield f"  … and {len(rows) - MAX_LISTED:,} more"


def _refused(rows: Iterable[tuple[str, str, Mask]], session: Session) -> Iterator[str]:
    """The answers that stay pending, each with the reason."""
    rows = list(rows)
    if rows:
        yield f"dust: {plural(len(rows), 'answer')} refused, and still pending:"
    for name, why, mask in rows[:MAX_LISTED]:
        yield f"  {session.masked(name, mask)}"
        yield from (f"    {line}" for line in session.masked(why, mask).split("\n"))
    if len(rows) > MAX_LISTED:
        yield f"  … and {len(rows) - MAX_LISTED:,} more"
