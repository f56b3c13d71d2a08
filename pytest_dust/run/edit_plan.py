"""Plan the edits of a suite and its datasets, and check that they change nothing else."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path as FilePath

from msgspec import Struct
from msgspec.structs import replace

from pytest_dust.compare import repeats
from pytest_dust.errors import DustError, SuiteError
from pytest_dust.model import Case, Outcome, Path
from pytest_dust.run.shared_datasets import Reader, changes_elsewhere
from pytest_dust.run.waiting import HASH, Waiting
from pytest_dust.run.wishes import Cell, Target, Wish
from pytest_dust.settings import Settings
from pytest_dust.suite.edits.suites import Edited, Insert, Replace, edited
from pytest_dust.suite.edits.tables import edited_table

DIFFERENT = "the case would still fail there"


class SuiteSource(Struct, frozen=True):
    """A suite on disk: its content, and functions that read what belongs to it."""

    path: FilePath
    shown: str
    """The path as the user types it."""
    content: bytes
    read: Callable[[str], bytes]
    """Returns the content of a file that the suite names; raises SuiteError."""
    cases: Callable[[Mapping[str, bytes]], list[Case]]
    """Returns all cases of the suite, with other contents for some of its files; raises SuiteError."""
    readers: Callable[[str], list[Reader]] = lambda _name: []
    """Returns the other suites that read a dataset."""

    def file_of(self, wish: Wish) -> str:
        """The name of the file that a wish is about."""
        return wish.target.dataset if isinstance(wish.target, Cell) else self.path.name

    def content_of(self, name: str) -> bytes:
        """The content of the suite, or of a dataset that it names; raises SuiteError."""
        return self.content if name == self.path.name else self.read(name)


class EditPlan(Struct, frozen=True):
    """The new contents of files, the wishes that they fulfil, and the others, each with its reason."""

    contents: Mapping[str, bytes]
    """By the file's name in the suite's folder."""
    made: tuple[Wish, ...]
    refused: tuple[Wish, ...]


def plan(
    suite: SuiteSource,
    cases: Sequence[Case],
    accepted: Mapping[str, Waiting],
    wishes: Iterable[Wish],
    settings: Settings,
) -> EditPlan:
    """The edits that fulfil as many wishes as possible and change nothing else.

    `cases` are all cases of the suite as it is now, `accepted` the accepted answers by case id.
    """
    made, refused = list(wishes), list[Wish]()
    while True:
        contents, wrong = _contents(suite, made)
        if not wrong and contents:
            try:
                new = {case.id: case for case in suite.cases(contents)}
            except SuiteError as error:
                why = f"the suite would have a mistake: {error.headline}"
                wrong = [wish.refused(why) for wish in _suspects(made)]
            else:
                wrong = list(_side_effects(cases, new, accepted, made))
                wrong += _unfulfilled(accepted, new, made, settings)
                readers = {name: suite.readers(name) for name in contents if name != suite.path.name}
                wrong += changes_elsewhere(readers, contents, made, _all_of)
        if not wrong:
            return EditPlan(contents, tuple(made), tuple(refused))
        reasons = [(each.target, each.reason) for each in wrong]
        dropped = [(wish, _reason(wish, reasons)) for wish in made]
        refused += [wish.refused(reason) for wish, reason in dropped if reason]
        made = [wish for wish, reason in dropped if not reason]


def _reason(wish: Wish, reasons: Iterable[tuple[object, str]]) -> str:
    """Why a wish is dropped, if one with the same target is; else empty."""
    return next((reason for target, reason in reasons if target == wish.target), "")


def _suspects(made: Sequence[Wish]) -> Sequence[Wish]:
    """The wishes that most likely cause a mistake: a literal reads back, but a cell may be used anywhere."""
    cells = [wish for wish in made if isinstance(wish.target, Cell)]
    mappings = [wish for wish in cells if isinstance(wish.value, dict)]
    return mappings or cells or [wish for wish in made if wish.name != HASH] or made


# ── new contents ─────────────────────────────────────────────────────────────────────────────────


def _contents(suite: SuiteSource, wishes: Sequence[Wish]) -> tuple[dict[str, bytes], list[Wish]]:
    """The contents after the edits, by the files' names, and the wishes that cannot be written."""
    by_file: dict[str, list[Wish]] = {}
    for wish in wishes:
        by_file.setdefault(suite.file_of(wish), []).append(wish)
    contents: dict[str, bytes] = {}
    wrong: list[Wish] = []
    for name, own in by_file.items():
        before = suite.content_of(name)
        done = _edited(name, before, [wish.target for wish in own])
        reasons = {id(each.edit): each.reason for each in done.refused}
        ids = [id(wish.target.cell if isinstance(wish.target, Cell) else wish.target) for wish in own]
        wrong += [wish.refused(reasons[at]) for wish, at in zip(own, ids, strict=True) if at in reasons]
        contents[name] = _bom(before) + done.text.encode("utf-8", "surrogatepass")
    return contents, wrong


def _edited(name: str, content: bytes, targets: Sequence[Target | None]) -> Edited:
    """The text of a suite or a dataset after edits."""
    text = content.decode("utf-8-sig")
    cells = [each.cell for each in targets if isinstance(each, Cell)]
    if cells:
        return edited_table(name, text, cells)
    return edited(text, [each for each in targets if isinstance(each, Replace | Insert)])


def _bom(content: bytes) -> bytes:
    return codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b""


# ── what else the edits would change ─────────────────────────────────────────────────────────────


def _side_effects(
    cases: Sequence[Case], new: Mapping[str, Case], accepted: Collection[str], made: Sequence[Wish]
) -> Iterator[Wish]:
    """The wishes whose edits change more of a case than it wishes; `new` are the edited cases by id."""
    pinned = {wish.value for wish in made if wish.name == HASH}
    by_case: dict[str, list[Wish]] = {}
    for wish in made:
        by_case.setdefault(wish.case, []).append(wish)
    for case in cases:
        own = by_case.get(case.id, [])
        hashes = {wish.value for wish in own if wish.name == HASH} or {case.specification_hash}
        if case.id not in accepted:  # without a cassette, it may pin the new hash with the others
            hashes |= pinned
        names = {wish.name for wish in own}
        if case.id not in new or _changed(case, new[case.id], names, hashes):
            yield from _blamed(case, new.get(case.id), made)


def _changed(before: Case, after: Case, names: Collection[str], hashes: Collection[object]) -> bool:
    """True if a case differs in more than expectations of these names, or pins none of these hashes."""
    if after.specification_hash not in hashes or _asks(before) != _asks(after):
        return True
    return _expects(before, names) != _expects(after, names)


def _all_of(case: Case) -> object:
    """What a case asks and expects, apart from its hash."""
    return _asks(case), _expects(case, ())


def _expects(case: Case, but: Collection[str]) -> object:
    """What a case expects, apart from the expectations at some paths."""
    kept = (one for one in case.expect if one.path not in but)
    return [(one.path, [(bound.name, bound.written) for bound in one.matchers]) for one in kept]


def _asks(case: Case) -> object:
    """What a case asks apart from its hash, and the other facts that no wish changes."""
    marks = [(mark.name, mark.args, mark.kwargs) for mark in case.marks]  # their lines may move
    asks = (case.app, case.config, case.inputs, case.block_filter, case.plural, case.repeat, marks)
    return asks, case.baseline, case.flavor, case.timeout


def _blamed(case: Case, after: Case | None, made: Sequence[Wish]) -> Iterator[Wish]:
    """The wishes whose edits changed a case: those at its own places; all, if none of them is."""
    places = {one.at for one in case.expect if one.at}
    found = [wish for wish in made if _touches(wish, case, places)]
    # A literal that the case itself wants to change is only one expectation, a cell may be more of the case.
    guilty = [wish for wish in found if wish.case != case.id or isinstance(wish.target, Cell)]
    asks = after is None or _asks(case) != _asks(after)
    own = "it is also what the case asks" if asks else "another expectation of the case has the same value"
    for wish in guilty or found or made:
        yield wish.refused(own if wish.case == case.id else f"{case.id} has the same value here")


def _touches(wish: Wish, case: Case, places: Collection[Path]) -> bool:
    """True if the edit of a wish is at an expectation of a case, or in its row."""
    if isinstance(wish.target, Cell):
        return (wish.target.dataset, wish.target.cell.row) == (case.dataset, case.row_number)
    return isinstance(wish.target, Replace) and any(
        wish.target.path[: len(place)] == place for place in places
    )


def _unfulfilled(
    accepted: Mapping[str, Waiting], new: Mapping[str, Case], made: Sequence[Wish], settings: Settings
) -> Iterator[Wish]:
    """The wishes of accepted cases whose expectations would still fail."""
    for id_ in dict.fromkeys(wish.case for wish in made if wish.name != HASH):
        one = accepted[id_]
        try:
            outcome = replace(one, asked=replace(one.asked, case=new[id_])).judged(settings)
        except (DustError, KeyError):
            continue  # it cannot be judged before either, or is another case now
        if not outcome.holds:
            own = [wish for wish in made if wish.case == id_ and wish.name != HASH]
            undecided = outcome.verdict is not None and outcome.verdict.passed is None
            failing = (wish for wish in own if undecided or _still_fails(wish.name, outcome))
            yield from (wish.refused(DIFFERENT) for wish in failing)


def _still_fails(path: str, outcome: Outcome) -> bool:
    """True if too few attempts have a value that is expected at a path, whatever else fails in them."""
    passed = [all(failure.path != path for failure in attempt.failures) for attempt in outcome.attempts]
    return not (repeats.verdict(outcome.repeat, passed).passed if outcome.repeat else all(passed))
