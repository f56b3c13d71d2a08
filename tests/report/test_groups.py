"""Cases with the same cause are found, and those of a group that show most."""

from __future__ import annotations

import pytest
from made_records import TEXT, block, changed, trouble
from msgspec.structs import replace

from conftest import PLAIN_RECORD
from pytest_dust.report import groups
from pytest_dust.report.record import CaseRecord, Verdict

ALIKE = [
    (changed(block(TEXT)), changed(block(TEXT), name="other")),
    (changed(block((1, "output", 3, "x"))), changed(block((7, "output", 0, "x")))),
    (changed(block(TEXT, of_input=1)), changed(block(TEXT, of_input=2))),
    (changed(block(TEXT, TEXT)), changed(block(TEXT))),
    (changed(block(TEXT), block(TEXT, name="B")), changed(block(TEXT))),
    (trouble("no cassette (looked in x/t.json)"), trouble("no cassette (looked in x/d.json)", "d")),
    (trouble("run 17 took 3.2 s"), trouble("run 4 took 12.9 s")),
]
UNLIKE = [
    (changed(block(TEXT)), changed(block(TEXT, name="B"))),
    (changed(block(TEXT)), changed(block(TEXT), app="other")),
    (changed(block(TEXT)), changed(block(("output", "label")))),
    (changed(block(TEXT)), changed(block(TEXT, kind="removed"))),
    (changed(block(TEXT)), changed(block(TEXT, ("output", "label")))),
    (trouble("no cassette"), trouble("the key is refused")),
    (trouble("no cassette"), changed(block(TEXT))),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_the_same_way(one, other):
    """Names, numbers and places in lists tell no two causes apart."""
    assert groups.alike(one) == groups.alike(other) is not None


@pytest.mark.parametrize(("one", "other"), UNLIKE)
def test_another_way(one, other):
    """Another app, block, place or kind of change is another cause."""
    assert groups.alike(one) != groups.alike(other)


def test_a_case_that_did_not_change_is_alike_to_none():
    """A case that passed, or failed without a known change, has no group."""
    assert groups.alike(PLAIN_RECORD) is None
    assert groups.cause(PLAIN_RECORD) is None


def test_a_change_without_a_block_has_a_cause_without_a_name():
    """Where no block is known to have changed, the cause says so."""
    assert groups.cause(changed()).label == "no known block"
    assert groups.cause(changed(block(TEXT))).label == "A (llm)"


def test_groups_keep_their_order():
    """Groups come in the order of their first value; a value without a key is in none."""
    found = groups.by(lambda value: value % 3 or None, [4, 2, 3, 7, 5])
    assert found == [(4, 7), (2, 5)]


def test_the_cases_to_look_at():
    """At most three: failed ones first, and before others those that show something else."""
    passed = replace(changed(block(TEXT), name="passed"), verdict=Verdict.PASSED)
    cases = [passed, *(changed(block(TEXT), name=name) for name in ("x1", "x2", "y1", "z1"))]
    found = groups.to_look_at(cases, lambda case: case.id[3])
    assert [case.id for case in found] == ["a::x1", "a::y1", "a::z1"]
    same = groups.to_look_at(cases[1:3], lambda _: "same")
    assert [case.id for case in same] == ["a::x1", "a::x2"]


def test_the_command_names_the_files():
    """One command runs the suites of all cases of a group; many suites are the whole project."""

    def case(file: str) -> CaseRecord:
        title = f"'{file}::c'" if " " in file else f"{file}::c"
        command = f"pytest {title} --dust-timeout=9"
        return replace(PLAIN_RECORD, id="a::c", file=file, command=command)

    assert groups.command([case("a.yaml"), case("a.yaml")]) == "pytest a.yaml --dust-timeout=9"
    assert groups.command([case("my a.yaml"), case("b.yaml")]) == "pytest 'my a.yaml' b.yaml --dust-timeout=9"
    assert groups.command([case(f"{n}.yaml") for n in range(9)]) == "pytest --dust-timeout=9"
