"""The limits of a suite file: number of cases, attempts, values and characters."""

from __future__ import annotations

import time

import pytest

from conftest import SUPPORT
from pytest_dust.checks.binding import Here
from pytest_dust.checks.matchers import MATCHERS
from pytest_dust.errors import SuiteError
from pytest_dust.suite import case_limit, cases, references, tables, yaml_reader
from pytest_dust.suite.case_limit import Size

HEAD = f"app: {{id: {SUPPORT}}}\nspecification_hash: latest\n"
TEN = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"
THOUSAND = f"matrix: {{a: {TEN}, b: {TEN}, c: {TEN}}}"
MATRIX = "    matrix:\n" + "".join(f"      {name}: {TEN}\n" for name in "abcdefgh")
MANY = HEAD + "cases:\n  - id: many\n" + MATRIX + "    input: {q: '${matrix.a}'}\n"
LIMIT = "a suite file may have 100,000: make fewer, or split the file"


def loaded(folder, text, **files):
    """Give the cases of a suite beside these files, or the lines of its mistakes."""
    for name, content in files.items():
        (folder / f"{name}.jsonl").write_text(content)
    look_up = references.environment({"DUST_LONG": "x" * 1_000_000}, frozenset())
    try:
        return cases.load((HEAD + text).encode(), "t.dust.yaml", look_up, Here(folder, MATCHERS))
    except SuiteError as error:
        return [problem.line("t.dust.yaml") for problem in error.problems]


@pytest.mark.parametrize("options", [(), ("--co",), ("--dust-check",)], ids=str)
def test_a_matrix_of_a_hundred_million_cases_is_refused(project, options):
    """A few lines that make 100,000,000 cases are one mistake with that number, found at once."""
    begun = time.process_time()
    result = project.having({"a.dust.yaml": MANY}).run(*options)
    assert result.outcomes == {"error": 1}
    told = f"a.dust.yaml:6:7: 100,000,000 combinations give 100,000,000 cases; {LIMIT}"
    assert told in result.report
    assert time.process_time() - begun < 30


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cases:\n  - id: a\n    dataset: many.jsonl\n", f"5:14: 150,000 rows give 150,000 cases; {LIMIT}"),
        (
            f"cases:\n  - id: a\n    dataset: few.jsonl\n    {THOUSAND}\n",
            f"6:13: 200 rows by 1,000 combinations give 200,000 cases; {LIMIT}",
        ),
        (
            "repeat: {runs: 100, min_pass: 1}\ncases:\n  - id: a\n    dataset: some.jsonl\n",
            f"6:14: 2,000 rows by 100 attempts give 200,000 runs; {LIMIT}",
        ),
        (
            (
                f"cases:\n  - {{id: a, input: {{}}, {THOUSAND}, repeat: {{runs: 100}}}}\n"
                "  - {id: b, input: {}, repeat: {runs: 2}}\n"
            ),
            f"5:32: 2 attempts give 2 runs, with those before 100,002; {LIMIT}",
        ),
        (
            (
                "cases:\n  - {id: a, dataset: few.jsonl, repeat: {runs: '${row.n}', min_pass: 1}}\n"
                f"  - {{id: b, input: {{}}, repeat: {{runs: 90}}, {THOUSAND}}}\n"
            ),
            f"5:52: 1,000 combinations by 90 attempts give 90,000 runs, with those before 110,000; {LIMIT}",
        ),
        (
            "cases:\n  - {id: a, dataset: some.jsonl, input: {}, repeat: {runs: '${row.n}', min_pass: 1}}\n",
            f"4:53: 100 attempts give 100 runs, with those before 100,100; {LIMIT}",
        ),
    ],
)
def test_rows_combinations_and_attempts_multiply(tmp_path, text, told):
    """Rows, combinations and attempts are multiplied, and added up over the file."""
    rows = {"few": 200, "some": 2000, "many": 150_000}
    found = loaded(tmp_path, text, **{name: '{"n": 100}\n' * count for name, count in rows.items()})
    assert [str(line).split(" (row")[0] for line in found] == [f"t.dust.yaml:{told}"]


def test_a_number_too_long_to_show_is_a_power_of_ten(tmp_path):
    """A number with more digits than Python prints is shown as a power of ten."""
    lists = ", ".join(f"m{at}: [1, 2]" for at in range(40_000))
    (line,) = loaded(tmp_path, f"matrix: {{{lists}}}\ninput: {{}}\n")
    assert "about 10^12041 combinations give about 10^12041 cases" in line


def test_a_file_may_have_the_maximum(tmp_path, monkeypatch):
    """Exactly the allowed number of cases is read; one more is a mistake at that case."""
    monkeypatch.setattr(cases, "MAX_CASES", 12)
    monkeypatch.setattr(case_limit, "MAX_CASES", 12)
    table = "cases:\n  - {id: a, dataset: few.jsonl, matrix: {m: [1, 2]}}\n  - {id: b, input: {}}\n"
    assert len(loaded(tmp_path, table + "  - {id: c, input: {}}\n", few="{}\n" * 5)) == 12
    more = "  - {id: c, input: {}}\n  - {id: d, input: {}}\n  - {id: e, input: {}}\n"
    (line,) = loaded(tmp_path, table + more)
    assert line.startswith("t.dust.yaml:7:5: one more case, with those before 13; a suite file may have 12: ")


def test_a_longer_dataset_is_not_counted_for_ever(tmp_path, monkeypatch):
    """Rows of a dataset are counted up to a limit."""
    monkeypatch.setattr(tables, "MAX_COUNTED", 150)
    (tmp_path / "q.jsonl").write_text("{}\n" * 1000)
    table = tables.read("q.jsonl", Here(tmp_path), 100)
    assert (len(table.rows), table.number, table.wrong) == (100, 150, "")


@pytest.mark.parametrize(
    "text",
    [
        "input: {q: '" + "${env.DUST_LONG} " * 300 + "'}\n",
        "config: {A: {q: '" + "${env.DUST_LONG} " * 300 + "'}}\ncases: [{id: a, input: {}}]\n",
        "dataset: q.jsonl\ninput: {q: '<${row.q}>'}\n",
        "dataset: q.jsonl\ninput: {q: '" + "<${row}> " * 300 + "'}\n",
        "dataset: short.jsonl\ninput: {a: '${row.q}', q: [" + "1, " * 10_000 + "]}\n",
    ],
    ids=["input", "config", "row", "whole-row", "values"],
)
def test_references_do_not_blow_a_file_up(tmp_path, monkeypatch, text):
    """References that repeat a long text or many values are refused by their total size."""
    monkeypatch.setattr(references, "MAX_FILLED", 5 * 1024 * 1024)
    rows = f'{{"q": "{"x" * 10_000}"}}\n' * 600
    found = loaded(tmp_path, text, q=rows, short='{"q": 1}\n' * 1000)
    assert any("filled in, the values of this file take more than 5 MB" in str(line) for line in found)


def test_many_values_are_refused(monkeypatch):
    """YAML with more values than the limit is refused at the first one too many."""
    monkeypatch.setattr(yaml_reader, "MAX_VALUES", 20)
    assert not yaml_reader.read("- 1\n" * 19).problems
    (problem,) = yaml_reader.read("- 1\n" * 30).problems
    assert problem.place.line == 21
    assert problem.message.startswith("more than 20 values; split the file")


def test_ids_of_long_values_stay_short_and_apart(tmp_path):
    """Values of a hundred thousand characters give ids that are short and different."""
    one, other = "x" * 100_000, "x" * 100_001
    text = f"cases:\n  - id: a\n    matrix: {{m: [{one}, {other}], n: {TEN}}}\n    input: {{}}\n"
    ids = [case.id for case in loaded(tmp_path, text)]
    assert len(set(ids)) == 20
    assert all(len(id_) < 110 for id_ in ids)
    ids = [
        case.id
        for case in loaded(tmp_path, "dataset: q.jsonl\n", q=f'{{"id": "{one}"}}\n{{"id": "{other}"}}\n')
    ]
    assert len(set(ids)) == 2


@pytest.mark.parametrize("number", ["9" * 5000, f"-{'9' * 5000}", "1e999"])
def test_a_number_that_python_cannot_read_is_a_mistake_of_its_row(tmp_path, number):
    """A row's number with thousands of digits is a mistake with its line, without Python's own words."""
    (line,) = loaded(tmp_path, "dataset: q.jsonl\n", q=f'{{}}\n{{"n": {number}}}\n')
    assert "q.jsonl:2: not JSON: " in line
    assert "is not a number that JSON can hold; quote it to mean text" in line
    assert len(line) < 200


@pytest.mark.parametrize(
    ("size", "key"),
    [
        (Size(), ""),
        (Size(attempts=3), "repeat"),
        (Size(rows=2, attempts=4), "repeat"),
        (Size(rows=9, combinations=8), "dataset"),
        (Size(rows=1, combinations=8), "matrix"),
    ],
)
def test_the_key_that_makes_most_is_blamed(size, key):
    """The mistake is at the key that contributes most to the number of cases."""
    assert size.key == key
