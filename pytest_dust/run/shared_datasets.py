"""Find edits of a dataset that would change the cases of another suite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from pytest_dust.errors import SuiteError
from pytest_dust.model import Case
from pytest_dust.run.wishes import Cell, Wish


class Reader(Struct, frozen=True):
    """Another suite that reads a dataset."""

    shown: str
    """The suite's path as the user types it."""
    cases: Callable[[bytes | None], list[Case]]
    """Returns its cases, with another content of the dataset if one is given; raises SuiteError."""


def changes_elsewhere(
    readers: Mapping[str, Iterable[Reader]],
    contents: Mapping[str, bytes],
    made: Sequence[Wish],
    facts: Callable[[Case], object],
) -> Iterator[Wish]:
    """The wishes whose cells other suites read, if the edits change what these ask or expect.

    `readers` and `contents` are by dataset; `facts` returns what must not change of a case.
    """
    for name, suites in readers.items():
        cells = [wish for wish in made if isinstance(wish.target, Cell) and wish.target.dataset == name]
        for suite in suites:
            rows, why = _changed_rows(suite, contents[name], facts), f"{suite.shown} reads this row too"
            yield from (wish.refused(why) for wish in cells if _row(wish) in rows)


def _row(wish: Wish) -> int:
    return wish.target.cell.row if isinstance(wish.target, Cell) else 0


def _changed_rows(suite: Reader, content: bytes, facts: Callable[[Case], object]) -> set[int]:
    """The numbers of the rows whose cases change in another suite; all, if it has mistakes."""
    before = suite.cases(None)
    everyone = {case.row_number for case in before}
    try:
        after = {case.id: case for case in suite.cases(content)}
    except SuiteError:
        return everyone
    if after.keys() != {case.id for case in before}:
        return everyone
    return {case.row_number for case in before if facts(case) != facts(after[case.id])}
