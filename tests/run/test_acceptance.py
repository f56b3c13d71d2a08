"""Accepting answers with edits: accepted cases hold, and no other byte and no other case changes."""

from __future__ import annotations

from typing import Any

from generated_suites import NAMES, VALUES, Suite, suites
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pending_suites import HEAD, NAME, NEW, OLD, PendingSuite

from pytest_dust.cassettes import files
from pytest_dust.model import Case
from pytest_dust.run.acceptance import NOT_ASKED, Accepted
from pytest_dust.run.waiting import HASH, Waiting
from pytest_dust.run.wishes import Cell, Wish
from pytest_dust.suite.edits.suites import Insert, Replace

bounded = settings(
    max_examples=45,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
ALLOWED = ("is no literal", "has different values", "is masked", NOT_ASKED)
"""Why a literal that only one case has may be left to the user."""


def results(data: Any, case: Case) -> list[Any]:
    """Results for the runs of a case."""
    one = st.fixed_dictionaries({name: st.just("billing") | VALUES for name in NAMES})
    result = st.lists(one, min_size=2, max_size=2) if case.plural else one
    first = data.draw(result)
    return [first, *(data.draw(st.just(first) | result) for _ in range(case.times - 1))]


def answered(data: Any, suite: PendingSuite) -> list[Waiting]:
    """Record some cases, and keep pending answers for some, mostly of the new version."""
    waiting = []
    for case in suite.cases.values():
        if data.draw(st.booleans()):
            suite.record(case.id, *results(data, case))
        if data.draw(st.integers(0, 4)):
            version = data.draw(st.sampled_from([NEW, NEW, NEW, OLD]))
            waiting.append(suite.waiting(case.id, *results(data, case), version=version))
    return waiting


def slot(wish: Wish, before: dict[str, Case]) -> str:
    """The name of the slot that a wish edits."""
    target, owner = wish.target, before[wish.case].id.partition("[")[0]
    if isinstance(target, Cell):
        return f"cell-{target.cell.row - 1}"
    if isinstance(target, Insert):
        return f"add-{owner}"
    assert isinstance(target, Replace)
    if wish.name == HASH:
        return f"hash-{owner}" if target.path[0] == "cases" else "hash"
    name = wish.name.rpartition(".")[2]
    return f"{owner if target.path[0] == 'cases' else 'expect'}-{name}"


def asks(case: Case) -> object:
    """What a case asks and expects, apart from its hash."""
    expect = [(one.path, [(bound.name, bound.written) for bound in one.matchers]) for one in case.expect]
    return case.inputs, case.config, case.app, case.repeat, expect, case.row, case.marks, case.flavor


@bounded
@given(st.data())
def test_accepted_with_edits(tmp_path_factory, data):
    """Accepted cases hold and pin their version; text outside of their values, and other cases, stay."""
    made: Suite = data.draw(suites())
    contents = {NAME: made.text.content, made.dataset: made.table.content}
    suite = PendingSuite.having(tmp_path_factory.mktemp("suite"), contents)
    before = suite.cases
    waiting = answered(data, suite)
    edit = {one.asked.case.id for one in waiting if data.draw(st.integers(0, 5))}
    replayed = {id_ for id_, case in before.items() if suite.fits(id_)}
    found = suite.accept(waiting, edit)
    accepted = {one.asked.case.id: one for one in found.accepted}
    assert len(found.accepted) + len(found.refused) == len(waiting)
    check_accepted(suite, accepted, found)
    check_others(suite, before, accepted, replayed)
    edited = {slot(wish, before) for wish in found.edits}
    assert made.text.is_outside(suite.path.read_bytes(), edited)
    assert made.table.is_outside((suite.root / made.dataset).read_bytes(), edited)
    for wish in found.by_hand:
        name = wish.name.rpartition(".")[2]
        if f"{wish.case}-{name}" in made.literals:
            assert wish.reason.endswith(ALLOWED), wish


def check_accepted(suite: PendingSuite, accepted: dict[str, Waiting], found: Accepted) -> None:
    """Each accepted case holds but for what is listed, and its cassette fits and is the only file left."""
    after = suite.cases
    for id_, one in accepted.items():
        by_hand = {wish.name for wish in found.by_hand if wish.case == id_}
        outcome = suite.judged(one)
        failed = {failure.path for attempt in outcome.attempts for failure in attempt.failures}
        assert outcome.holds or failed & by_hand
        assert outcome.holds or not (failed - by_hand) or after[id_].repeat
        assert after[id_].specification_hash == one.version
        assert suite.fits(id_)
        kept = files.read(suite.place(after[id_]).path)
        assert kept is not None
        assert (kept.replies, kept.notes) == (one.cassette.replies, None)
        assert not one.file.file.exists()
    assert all(one.file.file.exists() for one, _ in found.refused)


def check_others(
    suite: PendingSuite, before: dict[str, Case], accepted: dict[str, Waiting], replayed: set[str]
) -> None:
    """A case that was not accepted asks and expects what it did, and its cassette fits as it did."""
    after = suite.cases
    assert list(after) == list(before)
    for id_ in before.keys() - accepted.keys():
        assert asks(after[id_]) == asks(before[id_])
        assert after[id_].specification_hash in (before[id_].specification_hash, NEW, OLD)
        assert suite.fits(id_) == (id_ in replayed)


# ── what one refused answer does to the others ───────────────────────────────────────────────────

MATRIX = "  - {id: m, matrix: {v: [x, y]}, input: {q: '${matrix.v}'}}\n"
PLAIN = "  - {id: p, input: {q: Hi}, expect: {result.label: billing}}\n"


def test_a_hash_that_cannot_be_pinned_refuses_only_its_own_case(tmp_path):
    """If one row cannot be pinned without the others, the answers to all other cases are accepted."""
    suite = PendingSuite.having(tmp_path, {NAME: f"{HEAD}cases:\n{MATRIX}{PLAIN}"})
    waiting = [suite.waiting(id_, {"label": "shipping"}) for id_ in ("m[x]", "p")]
    found = suite.accept([*waiting, suite.waiting("m[y]", {"label": "shipping"}, version=OLD)])
    ((refused, why),) = found.refused
    assert refused is waiting[0]
    assert why.partition("\n")[0].endswith("accept these too: m[y]")
    assert [one.asked.case.id for one in found.accepted] == ["p", "m[y]"]
    assert suite.judged(waiting[1]).holds
    assert suite.fits("m[y]")
