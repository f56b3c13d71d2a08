"""The records of several sessions become one."""

from __future__ import annotations

import pytest
from made_records import passed, session, wrong
from msgspec.structs import replace

from pytest_dust.model import CassetteFiles, Tokens
from pytest_dust.report.merge import merged
from pytest_dust.report.record import DriftRecord, ProblemRecord, Selection, SurplusRuns

LATER = "2026-11-26T11:00:00+00:00"


def test_shards_make_one_whole():
    """Shards that select different cases of the same suites are one complete session."""
    first = session(passed("a"), passed("b"), selection=Selection(2, 1))
    second = session(wrong("c"), selection=Selection(1, 2))
    one = merged([first, second])
    assert [case.id for case in one.once] == ["a::a", "a::b", "a::c"]
    assert one.selection == Selection(3, 0)
    assert one.exit_status == 1


def test_cases_that_no_shard_selected_are_counted():
    """What is deselected in every shard, and what was selected but did not run, stays known."""
    first = session(passed("a"), selection=Selection(2, 3))
    second = session(passed("b"), selection=Selection(1, 4))
    assert merged([first, second]).selection == Selection(3, 2)


def test_shards_of_different_suites_add_up():
    """Shards that each collect only some of the files are one session of all of them."""
    one = merged([session(passed("a")), session(passed("b"), passed("c"))])
    assert one.selection == Selection(3, 0)


def test_the_later_session_counts():
    """Of a case that two sessions have, the record of the later one counts, in either order."""
    early, late = session(wrong("a")), replace(session(passed("a")), started_at=LATER)
    for order in ([early, late], [late, early]):
        assert [case.verdict for case in merged(order).once] == ["passed"]
        assert merged(order).partial == (
            "1 case of several of the merged reports: the latest of each counts",
        )


def test_a_drift_check_that_failed_once_is_not_lost():
    """Of a drift check that several sessions made, the one that failed counts."""
    drifted = DriftRecord("d", "a", "app", "h", saved="i", exists=True, drifted=True)
    same = replace(drifted, drifted=False)
    sessions = [session(drifts=(drifted,)), replace(session(drifts=(same,)), started_at=LATER)]
    assert merged(sessions).drifts == (drifted,)


@pytest.mark.parametrize(
    ("statuses", "expected"), [((0, 0), 0), ((0, 5), 0), ((5, 5), 5), ((0, 1), 1), ((1, 2), 2)]
)
def test_the_exit_status(statuses, expected):
    """A merged session failed if one of them did; a session without tests is no failure."""
    sessions = [replace(session(), exit_status=status) for status in statuses]
    assert merged(sessions).exit_status == expected


def test_everything_else_adds_up():
    """Runs, files, problems and reasons of all sessions are in the one."""
    problem = ProblemRecord("x.dust.yaml", "wrong")
    first = session(
        surplus=SurplusRuns(1, 2, Tokens(3)),
        pending=("p",),
        partial=("why",),
        problems=(problem,),
        duration=1.5,
        files=CassetteFiles(orphans=("o1",)),
        versions={"x": "latest"},
    )
    second = session(
        surplus=SurplusRuns(1, 0, Tokens(4)),
        pending=("p", "q"),
        partial=("why",),
        problems=(problem,),
        duration=2.0,
        files=CassetteFiles(orphans=("o1", "o2")),
        mode="replay",
    )
    one = merged([first, replace(second, mode="replay")])
    assert one.surplus == SurplusRuns(2, 2, Tokens(7))
    assert (one.pending, one.partial, one.problems) == (("p", "q"), ("why",), (problem,))
    assert one.files.orphans == ("o1", "o2")
    assert (one.mode, one.versions, one.duration) == ("live, replay", {"x": "latest"}, 3.5)
