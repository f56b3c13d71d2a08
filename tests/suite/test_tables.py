"""Tables of cases: a case per row of a dataset and per combination of a matrix."""

from __future__ import annotations

import csv
import io
import json
import re
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import suite as suite_of
from pytest_dust.checks.binding import Here
from pytest_dust.checks.matchers import MATCHERS
from pytest_dust.errors import SuiteError
from pytest_dust.files import names as file_names
from pytest_dust.model import Case, Place
from pytest_dust.suite import cases as suite
from pytest_dust.suite import references

APP = "9f1d3b5a7c"
HEAD = f"app: {{id: {APP}}}\nspecification_hash: latest\n"
LOOK_UP = references.environment({"DUST_TEAM": "blue"}, frozenset())
ROWS = [
    {"id": "refund", "question": "Where is my refund?", "label": "billing"},
    {"id": "parcel", "question": 'Track "my", parcel\nplease', "label": "shipping"},
    {"id": "größe", "question": "Hello — 你好", "label": "other"},
]
IDS = ["ask[refund]", "ask[parcel]", "ask[größe]"]
ASK = "cases:\n  - id: ask\n    dataset: {}\n    input: {{question: '${{row.question}}'}}\n"


def as_csv(rows):
    """The rows as CSV text."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def as_jsonl(rows):
    """The rows as one JSON object per line."""
    return "".join(json.dumps(row) + "\n" for row in rows)


WRITERS = {"json": json.dumps, "jsonl": as_jsonl, "csv": as_csv, "yaml": json.dumps}
each_format = pytest.mark.parametrize("kind", WRITERS)


@pytest.fixture
def load(tmp_path):
    """Read a suite that stands beside these files: `load(text, name=content, …)`."""

    def read(text: str, files: dict[str, str | bytes] | None = None, file="t.dust.yaml") -> list[Case]:
        for name, content in (files or {}).items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return suite.load((HEAD + text).encode(), file, LOOK_UP, Here(tmp_path, MATCHERS))

    return read


@pytest.fixture
def mistakes(load):
    """Give the lines of such a suite's mistakes, without excerpts."""

    def read(text: str, files: dict[str, str | bytes] | None = None) -> list[str]:
        with pytest.raises(SuiteError) as caught:
            load(text, files)
        return [line for line in str(caught.value).splitlines() if not line.startswith("    ")]

    return read


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────


@each_format
def test_every_format_gives_the_same_cases(load, kind):
    """The same rows give the same ids and inputs, whatever format the dataset has."""
    cases = load(ASK.format(f"q.{kind}"), {f"q.{kind}": WRITERS[kind](ROWS)})
    assert [case.id for case in cases] == IDS
    assert [case.inputs for case in cases] == [[{"question": row["question"]}] for row in ROWS]
    assert {case.place for case in cases} == {Place(4, 5)}


@pytest.mark.parametrize(
    ("name", "content", "lines"),
    [
        ("q.jsonl", '\n{"question": "a"}\n\n  \n{"question": "b"}', [2, 5]),
        ("q.jsonl", '\ufeff{"question": "a\u2028b"}\r\n\r\n{"question": "b"}\r\n', [1, 3]),
        ("q.json", '\n[\n  {\n    "question": "a"\n  }\n  ,\n\n  {"question": "b"}\n]', [3, 8]),
        ("q.csv", '"question","the\nother"\n"a\n\nb",\n\nb,"\n"\nc,\n', [3, 7, 9]),
        ("q.csv", 'question\r\n"a\r\nb"\r\nb\r\n', [2, 4]),
        ("q.yaml", "# two\n- question: |\n    a\n    b\n\n-\n  question: b\n", [2, 7]),
    ],
)
def test_the_line_of_a_row_is_the_one_an_editor_shows(load, name, content, lines):
    """Blank lines, and cells of several lines, count as the lines that they are."""
    cases = load(ASK.format(name), {name: content})
    assert [case.row for case in cases] == [f"{name}:{line}" for line in lines]


@each_format
def test_a_case_knows_the_line_of_its_row(load, kind):
    """A case has the dataset's name and the line where its row begins."""
    written = {"json": "[\n" + ",\n".join(map(json.dumps, ROWS)) + "\n]\n"}
    written["yaml"] = "".join(f"- {json.dumps(row)}\n" for row in ROWS)
    text = written.get(kind) or WRITERS[kind](ROWS)
    lines = [int(case.row.rpartition(":")[2]) for case in load(ASK.format(f"q.{kind}"), {f"q.{kind}": text})]
    assert lines == {"json": [2, 3, 4], "jsonl": [1, 2, 3], "yaml": [1, 2, 3], "csv": [2, 3, 5]}[kind]


def test_what_dust_exports_is_a_dataset(load):
    """An array of objects, one per input, indented as Dust exports it, is read row by row."""
    cases = load(
        ASK.format("q.json"), {"q.json": json.dumps([{"question": "a"}, {"question": "b"}], indent=2)}
    )
    assert [(case.id, case.row) for case in cases] == [("ask[r1]", "q.json:2"), ("ask[r2]", "q.json:5")]


def test_a_suffix_counts_whatever_its_letters(load):
    """A dataset's suffix may be in upper case."""
    assert len(load(ASK.format("Q.JSONL"), {"Q.JSONL": as_jsonl(ROWS)})) == 3


def test_a_dataset_may_be_in_a_folder_beside_the_suite(load):
    """A dataset may be in a folder below the suite's own."""
    assert len(load(ASK.format("data/q.jsonl"), {"data/q.jsonl": as_jsonl(ROWS)})) == 3


@pytest.mark.parametrize("before", ["\ufeff", "\n\n", "  \n"], ids=["bom", "empty-lines", "blank-line"])
def test_byte_order_marks_and_blank_lines_are_read_over(load, before):
    """A byte order mark or a blank line is not a row."""
    ending = as_jsonl(ROWS).replace("\n", "\r\n") + "\r\n"
    assert [case.id for case in load(ASK.format("q.jsonl"), {"q.jsonl": before + ending})] == IDS


def test_csv_keeps_every_cell_as_text(load):
    """A CSV cell is a text, whatever it looks like."""
    cases = load(ASK.format("q.csv"), {"q.csv": "question\r\n007\r\ntrue\r\n\r\n1e5\r\n"})
    assert [case.inputs[0]["question"] for case in cases] == ["007", "true", "1e5"]


def test_csv_cells_have_the_types_of_their_columns(load):
    """A typed cell keeps its type as an input, and a typed id makes the same case id as text."""
    text = "id:number;question;tags:json;flag:boolean\n1;Where, oh where?;[2];true\n7;Hi;;\n"
    for content in (text, f"\ufeff{text}", f"sep=;\r\n{text}"):
        cases = load("cases:\n  - id: ask\n    dataset: q.csv\n", {"q.csv": content})
        assert [case.id for case in cases] == ["ask[1]", "ask[7]"]
        assert [case.inputs for case in cases] == [
            [{"id": 1, "question": "Where, oh where?", "tags": [2], "flag": True}],
            [{"id": 7, "question": "Hi", "tags": None, "flag": None}],
        ]


def test_without_input_the_row_is_the_input(load):
    """A case with a dataset and no input takes each row as its input, an empty one too."""
    cases = load(
        "cases:\n  - id: ask\n    dataset: q.jsonl\n", {"q.jsonl": '{"question": "Hi", "n": 1}\n{}\n'}
    )
    assert [(case.id, case.inputs, case.plural) for case in cases] == [
        ("ask[r1]", [{"question": "Hi", "n": 1}], False),
        ("ask[r2]", [{}], False),
    ]


def test_the_short_form_may_have_a_dataset(load):
    """A file without cases is one case per row, named after the file."""
    files = {"q.csv": as_csv(ROWS)}
    assert [case.id for case in load("dataset: q.csv\n", files)] == [f"t[{row['id']}]" for row in ROWS]
    text = "dataset: q.csv\ninput: {question: '${row.question}'}\nexpect: {result.label: '${row.label}'}\n"
    assert [case.expect[1].matchers[0].written for case in load(text, files)] == [
        row["label"] for row in ROWS
    ]


# ── references ───────────────────────────────────────────────────────────────────────────────────


def test_references_may_be_anywhere_in_a_case(load):
    """Every key of a case except its id may refer to the row and the combination."""
    text = """cases:
  - id: ask
    description: asks ${row.question}
    dataset: q.jsonl
    matrix: {model: [gpt-4o]}
    specification_hash: ${row.hash}
    config: {ANSWER: {model_id: "${matrix.model}", temperature: "${row.heat}"}}
    block_filter: ["${row.block}"]
    flavor: ${row.flavor}
    timeout: ${row.seconds}
    marks: ["${row.mark}", {owner: ["${row.heat}"]}]
    inputs: [{question: "${row.question} by ${matrix.model}, ${env.DUST_TEAM}", all: "${row}"}]
    expect:
      results: {length: "${row.length}", not: {contains: "${row.question}"}}
"""
    row = {"question": "Hi", "heat": 0.5, "block": "ANSWER", "flavor": "poll", "seconds": 7, "mark": "slow"}
    row |= {"hash": "ab" * 32, "length": 1}
    (case,) = load(text, {"q.jsonl": json.dumps(row)})
    assert case.id == "ask[r1-gpt-4o]"
    assert case.description == "asks Hi"
    assert case.specification_hash == "ab" * 32
    assert case.config == {"ANSWER": {"model_id": "gpt-4o", "temperature": 0.5}}
    assert (case.block_filter, str(case.flavor), case.timeout) == (("ANSWER",), "poll", 7.0)
    assert [(mark.name, mark.args) for mark in case.marks] == [("slow", ()), ("owner", (0.5,))]
    assert case.inputs == [{"question": "Hi by gpt-4o, blue", "all": row}]
    assert [bound.written for bound in case.expect[1].matchers] == [1, {"contains": "Hi"}]


@pytest.mark.parametrize(
    "value", [None, True, 0, -1.5, 10**30, "", "text", "${row.x}", [1, {"a": None}], {"deep": [[]]}], ids=repr
)
def test_a_whole_reference_keeps_the_type(load, value):
    """A text that is only a reference becomes the value itself, filled in once."""
    text = "cases:\n  - id: a\n    dataset: q.jsonl\n    input: {x: '${row.x}', y: '${row.l.1}'}\n"
    (case,) = load(text, {"q.jsonl": json.dumps({"x": value, "l": [0, value]})})
    assert case.inputs == [{"x": value, "y": value}]
    assert type(case.inputs[0]["x"]) is type(value)
    if "${" in json.dumps(value):
        return
    written = json.dumps([value])
    (case,) = load(f"cases:\n  - id: a\n    matrix: {{x: {written}}}\n    input: {{x: '${{matrix.x}}'}}\n")
    assert case.inputs == [{"x": value}]


@pytest.mark.parametrize(
    ("value", "shown"),
    [("a", "a"), (1, "1"), (1.5, "1.5"), (True, "true"), (None, "null"), ([1, "ä"], '[1, "ä"]')],
)
def test_a_reference_among_text_is_written_as_json(load, value, shown):
    """In a longer text, a text is inserted as it is and any other value as JSON."""
    text = "cases:\n  - id: a\n    dataset: q.jsonl\n    input: {x: '<${row.x}>'}\n"
    (case,) = load(text, {"q.jsonl": json.dumps({"x": value})})
    assert case.inputs == [{"x": f"<{shown}>"}]


def test_an_escaped_reference_stays_literal_in_every_row(load):
    """`$${` is a literal `${` in tables too."""
    text = "cases:\n  - id: a\n    dataset: q.jsonl\n    input: {x: '$${row.x}', y: '$${row.x} ${row.x}'}\n"
    (case,) = load(text, {"q.jsonl": '{"x": 1}'})
    assert case.inputs == [{"x": "${row.x}", "y": "${row.x} 1"}]


def test_inputs_come_from_a_row(load):
    """`inputs` may be a whole list of a row, or a list with references in it."""
    rows = as_jsonl([{"all": [{"q": 1}, {"q": 2}], "one": {"q": 3}}])
    text = "cases:\n  - id: a\n    dataset: q.jsonl\n    inputs: {}\n"
    assert load(text.format("'${row.all}'"), {"q.jsonl": rows})[0].inputs == [{"q": 1}, {"q": 2}]
    assert load(text.format("['${row.one}', '${row.all.0}']"))[0].inputs == [{"q": 3}, {"q": 1}]


def test_one_input_may_be_a_whole_row(load):
    """`input: ${row}` is the row itself."""
    text = "cases:\n  - id: a\n    dataset: q.csv\n    input: ${row}\n"
    assert [case.inputs for case in load(text, {"q.csv": as_csv(ROWS)})] == [[row] for row in ROWS]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("${row.qestion}", "row has no qestion; it has: id, question, label (did you mean question?)"),
        ("${row.question.x}", "row.question is no mapping or list, so it has no x"),
        ("${matrix.x}", "${matrix.x} needs a matrix in its case; add matrix: to it"),
        ("${rows.x}", "${rows.x} is no reference"),
        ("${env.DUST_NONE}", "the environment has no DUST_NONE"),
    ],
)
def test_a_reference_that_finds_nothing_names_the_row(mistakes, written, words):
    """A wrong reference says what exists, and in which row it failed."""
    text = f"cases:\n  - id: a\n    dataset: q.csv\n    input: {{x: '${{row.id}} {written}'}}\n"
    told = mistakes(text, {"q.csv": as_csv(ROWS[:1])})
    assert told[0].startswith(f"t.dust.yaml:6:16: {words}")
    assert told[0].endswith("(row q.csv:2)")
    assert len(told) == 1


def test_a_row_reference_without_a_dataset_is_a_mistake(mistakes):
    """`${row.x}` in a case without dataset says what it needs."""
    (told,) = mistakes("cases:\n  - id: a\n    input: {x: '${row.x}'}\n")
    assert told == "t.dust.yaml:5:16: ${row.x} needs a dataset in its case; add dataset: to it"


@pytest.mark.parametrize(
    "keys",
    [
        "dataset: '${matrix.lang}.csv'\n    matrix: {lang: [q]}",
        "dataset: q.csv\n    matrix: {x: ['${row.id}']}",
    ],
)
def test_what_makes_the_table_cannot_read_it(mistakes, keys):
    """A reference to a row in `dataset` or `matrix` is a mistake, as there are no rows yet."""
    told = mistakes(f"cases:\n  - id: a\n    {keys}\n    input: {{x: 1}}\n", {"q.csv": as_csv(ROWS)})
    assert len(told) == 1
    assert "reads no row or matrix" in told[0]


# ── matrices ─────────────────────────────────────────────────────────────────────────────────────


def test_a_matrix_gives_every_combination(load):
    """Each combination of the values is a case; the last name varies fastest."""
    text = (
        "cases:\n  - id: a\n    matrix: {m: [x, y], n: [1, true, null, [2]]}\n"
        "    input: {m: '${matrix.m}', n: '${matrix.n}'}\n"
    )
    cases = load(text)
    assert [case.id for case in cases] == [f"a[{m}-{n}]" for m in "xy" for n in ("1", "true", "null", "n3")]
    assert [case.inputs[0] for case in cases] == [
        {"m": m, "n": n} for m in "xy" for n in (1, True, None, [2])
    ]


def test_rows_and_combinations_multiply(load):
    """A dataset with a matrix gives a case per row and combination."""
    text = (
        "cases:\n  - id: a\n    dataset: q.csv\n    matrix: {m: [x, y]}\n"
        "    input: {q: '${row.id} ${matrix.m}'}\n"
    )
    cases = load(text, {"q.csv": as_csv(ROWS[:2])})
    assert [case.id for case in cases] == ["a[refund-x]", "a[refund-y]", "a[parcel-x]", "a[parcel-y]"]
    assert [case.inputs[0]["q"] for case in cases] == ["refund x", "refund y", "parcel x", "parcel y"]


def test_a_matrix_alone_needs_an_input(mistakes):
    """A matrix is not an input."""
    assert "a case without input" in mistakes("cases:\n  - id: a\n    matrix: {m: [x]}\n")[0]


@pytest.mark.parametrize("values", ["['1', 1]", "[x, y, x]"])
def test_combinations_that_share_an_id_are_refused(mistakes, values):
    """Two combinations with one id are a mistake of the matrix."""
    told = mistakes(f"cases:\n  - id: a\n    matrix: {{m: {values}}}\n    input: {{x: '${{matrix.m}}'}}\n")
    assert len(told) == 1
    assert told[0].startswith("t.dust.yaml:5:")
    assert re.search(r'a second combination gives the id "a\[.\]"', told[0])
    assert "row" not in told[0]


# ── ids and file names ───────────────────────────────────────────────────────────────────────────


def test_ids_are_the_rows_own_or_its_number(load):
    """A row's id may be a text or a number; a row without one, or with an empty one, has its number."""
    rows = [{"id": "x"}, {"id": 17}, {"id": None}, {"id": ""}, {"id": 1.5}, {}]
    cases = load("cases:\n  - id: a\n    dataset: q.jsonl\n", {"q.jsonl": as_jsonl(rows)})
    assert [case.id for case in cases] == ["a[x]", "a[17]", "a[r3]", "a[r4]", "a[1.5]", "a[r6]"]


@pytest.mark.parametrize("own", [True, ["x"], {"x": 1}], ids=repr)
def test_an_id_of_another_type_is_a_mistake_of_the_row(mistakes, own):
    """A row's id that is neither text nor number is a mistake with the row's line."""
    (told,) = mistakes("dataset: q.jsonl\n", {"q.jsonl": as_jsonl([{}, {"id": own}])})
    assert "q.jsonl:2: the row's id is a text or a number" in told


def test_duplicate_ids_name_the_row(mistakes):
    """A second row with the same id is a mistake with its line, also for numbers."""
    rows = [{"id": "x"}, {"id": "r4"}, {"id": "x"}, {}]
    told = mistakes("dataset: q.jsonl\n", {"q.jsonl": as_jsonl(rows)})
    found = [re.search(r'a second row gives the id "(.+)".*\(row (.+)\)', line) for line in told]
    assert {one.groups() for one in found if one} == {("t[x]", "q.jsonl:3"), ("t[r4]", "q.jsonl:4")}


@pytest.mark.parametrize("id_", ["refund", "a[r17]", "a[gpt-4o-mini]", "a[v1.2_x]", "a[[x]]", "a[..]"])
def test_a_plain_id_is_its_file_name(id_):
    """An id of lower-case letters, digits and `._-` is the name of its cassette."""
    assert file_names.case_file(id_) == id_


ODD = [
    "A",
    "a",
    "A/b",
    "A\\b",
    "a b",
    "a  b",
    "ä",
    "a\u0308",
    "Ä",
    "你好",
    "CON",
    "a:b",
    "a*",
    "a?",
    "<",
    ">",
    "|",
]
ODD += [
    '"',
    "'",
    "",
    " ",
    ".",
    "..",
    "a.",
    "a ",
    "../../x",
    "~",
    "a~",
    "x" * 80,
    "X" * 80,
    "\u202e",
    "%2f",
    "$(x)",
]


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_id_gives_a_file_name_that_is_valid_everywhere(odd):
    """The file name of an odd id is short and has plain characters only."""
    name = file_names.case_file(f"a[{odd}]")
    assert re.fullmatch(r"a\[[a-z0-9._~\[\]-]{,196}\]", name)


def test_odd_ids_give_different_file_names():
    """Two ids have different file names, even on a disk that ignores case."""
    assert len({file_names.case_file(f"a[{odd}]") for odd in ODD}) == len(ODD)


def test_long_and_unprintable_ids_are_shortened_and_stay_apart(load):
    """Long ids and ids with line breaks become printable, short and different ones."""
    rows = [{"id": "x" * 1000}, {"id": "x" * 1001}, {"id": "a\nb"}, {"id": "a\tb"}, {"id": "\x1b[31m"}]
    ids = [case.id for case in load("dataset: q.jsonl\n", {"q.jsonl": as_jsonl(rows)})]
    assert len(set(ids)) == len(rows)
    assert all(id_.isprintable() and len(id_) < 110 for id_ in ids)
    assert len({file_names.case_file(id_) for id_ in ids}) == len(rows)


# ── mistakes ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("q.jsonl", '{"a": 1}\n\n{"a": \n', "q.jsonl:3: not JSON: "),
        ("q.jsonl", '{"a": 1}\n[1]\n', "q.jsonl:2: a row is a mapping of names to values, not [1]"),
        ("q.jsonl", '{"a": 1}\n{"a": NaN}\n', "q.jsonl:2: not JSON: NaN is not a number that JSON can hold"),
        ("q.jsonl", '{"a": 1} {"a": 2}\n', "q.jsonl:1: not JSON: "),
        ("q.jsonl", b'{"a": 1}\n{"a": "\xff"}\n', "q.jsonl:2: not UTF-8 text; save the file as UTF-8"),
        ("q.jsonl", "[" * 100_000, "q.jsonl:1: not JSON: "),
        ("q.json", '[{"a": 1},\n{"a": 2},\n{"a": }]', "q.json:3: not JSON: "),
        ("q.json", '[{"a": 1}\n,\n"x"]', 'q.json:3: a row is a mapping of names to values, not "x"'),
        ("q.json", '[{"a": 1}\n{"a": 2}]', "q.json:2: not JSON: a comma or ] was due"),
        ("q.json", '[{"a": 1}\n', "q.json:2: not JSON: a comma or ] was due"),
        ("q.json", '[{"a": 1},\n]', "q.json:2: not JSON: "),
        ("q.json", '[{"a": 1}]\n\nmore', "q.json:3: text behind the end of the array; remove it"),
        ("q.json", '{"a": 1}', "q.json:1: a JSON dataset is an array of objects, one per row"),
        ("q.json", '[{"a": 1},\n{"a": NaN}]', "q.json:2: not JSON: NaN is not a number that JSON can hold"),
        ("q.json", "[" * 100_000, "q.json:1: not JSON: "),
        ("q.csv", "a,b\n1,2\n3\n", "q.csv:3: the row has 1 cells, the header 2"),
        ("q.csv", 'a,b\n"1\n",2\n3,4,5\n', "q.csv:4: the row has 3 cells, the header 2"),
        ("q.csv", 'a\n"x\n', "q.csv:2: not CSV: "),
        ("q.csv", 'a\n1\n"x"y\n', "q.csv:3: not CSV: "),
        ("q.csv", "a,a\n1,2\n", "q.csv:1: the first line of a CSV dataset names its columns, each once"),
        ("q.csv", "a,\n1,2\n", "q.csv:1: the first line of a CSV dataset names its columns, each once"),
        ("q.csv", "a;n:number\n1;2\n2;x\n", 'q.csv:3: column n: "x" is no number; write a number as in'),
        ("q.csv", "sep=;\nn:json;a\n[1;2\n", 'q.csv:3: column n: "[1" is not JSON: Expecting'),
        ("q.csv", "a,n:numbr\n1,2\n", 'q.csv:1: column "n:numbr": no type "numbr"; there are: number, boo'),
        (
            "q.csv",
            "sep=|\na|b\n1|2\n",
            "q.csv:1: the delimiter of a CSV dataset is a comma, ; or a tab, not |",
        ),
        ("q.yaml", "- {a: 1}\n- x\n", 'q.yaml:2: a row is a mapping of names to values, not "x"'),
        ("q.yaml", "- {a: 1}\n- {a: 1, a: 2}\n", "q.yaml:2: "),
        ("q.yaml", "- {a: 1}\n- {a: [}\n", "q.yaml:2: not YAML"),
        ("q.yaml", "a: 1\n", "q.yaml:1: a YAML dataset is a list of mappings, one per row"),
        ("q.yaml", "- {a: 1}\n- {a: 1e999}\n", "q.yaml:2: 1e999 is too large for a number"),
        (
            "q.jsonl",
            '{"a": 1}\n{"a": -1e999}\n',
            "q.jsonl:2: not JSON: -1e999 is not a number that JSON can hold",
        ),
        ("q.jsonl", "", "dataset q.jsonl has no rows; add one, or remove the dataset"),
        ("q.json", "", "q.json:1: a JSON dataset is an array of objects, one per row"),
        ("q.csv", "", "q.csv:1: the first line of a CSV dataset names its columns, each once"),
        ("q.yaml", "", "q.yaml:1: a YAML dataset is a list of mappings, one per row"),
        ("q.jsonl", "\n \n", "dataset q.jsonl has no rows; add one, or remove the dataset"),
        ("q.json", "[ ]", "dataset q.json has no rows; add one, or remove the dataset"),
        ("q.csv", "a,b\n", "dataset q.csv has no rows; add one, or remove the dataset"),
        ("q.yaml", "[]", "dataset q.yaml has no rows; add one, or remove the dataset"),
        ("q.txt", "x", "dataset q.txt is of no kind that is read; there are: .jsonl, .json, .csv, .yaml"),
        ("q", "x", "dataset q is of no kind that is read; there are: .jsonl, .json, .csv, .yaml"),
        ("other.csv", "x", "cannot read dataset q.csv beside the suite: No such file or directory"),
    ],
)
def test_a_bad_row_has_file_and_line(mistakes, name, content, told):
    """A mistake in a dataset is reported at `dataset:`, with the dataset's file and line."""
    wanted = "q.csv" if name == "other.csv" else name
    (line,) = mistakes(f"cases:\n  - id: a\n    dataset: {wanted}\n", {name: content})
    assert line.startswith("t.dust.yaml:5:14: ")
    assert line.removeprefix("t.dust.yaml:5:14: ").startswith(told)
    assert len(line) < 300


def test_a_folder_is_no_dataset(mistakes):
    """A folder in place of a dataset is a mistake that says so."""
    (line,) = mistakes("dataset: q.csv\n", {"q.csv/keep": ""})
    assert "cannot read dataset q.csv beside the suite: Is a directory" in line


@pytest.mark.parametrize(
    "name", ["/etc/q.csv", "../q.csv", "a/../../q.csv", "..\\q.csv", "C:q.csv", "\\\\x\\q.csv"]
)
def test_a_dataset_is_beside_its_suite(mistakes, name):
    """A dataset's name may not be absolute, nor lead to a folder above."""
    (line,) = mistakes(f"dataset: '{name}'\n")
    assert line == f't.dust.yaml:3:10: dataset "{name}" is not beside the suite; move the file there'


@pytest.mark.parametrize("name", ['"a\\0.csv"', f"{'x' * 5000}.csv", "'.csv'", '"\\ud800.csv"', '"a\\n.csv"'])
def test_a_name_that_no_file_can_have_is_a_mistake(mistakes, name):
    """A dataset's name with a zero character, a lone surrogate or far too long is a mistake."""
    assert mistakes(f"dataset: {name}\n")


def test_a_huge_dataset_is_refused_with_its_bound(load, tmp_path):
    """A dataset larger than 64 MB is refused, and not read further."""
    with (tmp_path / "q.csv").open("wb") as file:
        file.truncate(65 * 1024 * 1024)
    with pytest.raises(SuiteError, match=r"dataset q\.csv is larger than 64 MB; split it"):
        load("dataset: q.csv\n")


def test_many_bad_rows_stay_few_lines(mistakes):
    """A mistake of a thousand rows in one place is reported for five rows; the others are counted."""
    text = "dataset: q.jsonl\ninput: {x: '${row.y}'}\ntimeout: ${row.t}\n"
    told = mistakes(text, {"q.jsonl": '{"x": 1, "t": "x"}\n' * 1000})
    assert len(told) == 12
    assert [line for line in told if "more rows" in line] == [
        f"t.dust.yaml:{place}: … and 995 more rows are wrong in this place" for place in ("4:12", "5:10")
    ]


def test_values_of_rows_are_checked_as_if_written(mistakes):
    """A row's value that a key does not allow is a mistake at the key, with the row's line."""
    text = "dataset: q.jsonl\ninput: {x: 1}\nexpect: {result: {gt: '${row.x}'}}\n"
    (told,) = mistakes(text, {"q.jsonl": '{"x": 1}\n{"x": "1"}\n'})
    assert told == "t.dust.yaml:5:23: gt: needs a number, not text (row q.jsonl:2)"


def test_a_mistake_without_reference_is_reported_once(mistakes):
    """A mistake that does not depend on the row is reported once, without a row."""
    told = mistakes("dataset: q.csv\ninptu: {}\ntimeout: -1\n", {"q.csv": as_csv(ROWS)})
    assert len(told) == 2
    assert "row" not in " ".join(line.split("; ", 1)[0] for line in told)


def test_a_mistake_in_expect_without_reference_is_reported_once(mistakes):
    """A wrong expectation without reference is reported once, without a row."""
    (told,) = mistakes(
        "dataset: q.csv\ninput: {q: '${row.id}'}\nexpect: {reslut: 1}\n", {"q.csv": as_csv(ROWS)}
    )
    assert told.startswith('t.dust.yaml:5:10: a run has no "reslut"; ')
    assert "(row" not in told


# ── many rows ────────────────────────────────────────────────────────────────────────────────────


def test_thousands_of_rows_are_read_in_seconds_and_bounded_memory(load):
    """A thousand rows become cases in seconds, in memory of a small multiple of the file."""
    rows = [
        {"id": f"q{at}", "question": f"Question {at} " + "x" * 500, "label": "billing"} for at in range(1_000)
    ]
    content = as_jsonl(rows)
    text = (
        ASK.format("q.jsonl")
        + "    expect: {result.label: '${row.label}', result.answer: {max_length: 400}}\n"
    )
    load(text, {"q.jsonl": content})
    begun = time.process_time()
    tracemalloc.start()
    cases = load(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(cases) == 1_000
    assert peak < 9 * len(content)
    assert time.process_time() - begun < 5


# ── as tests ─────────────────────────────────────────────────────────────────────────────────────

TABLE = """cases:
  - id: question
    dataset: questions.jsonl
    matrix: {model: [gpt-4o, GPT/4]}
    config: {CLASSIFY: {model_id: "${matrix.model}"}}
    input: {question: "${row.question}"}
    expect: {result.label: "${row.label}"}
"""
QUESTIONS = as_jsonl(
    [
        {"question": "Where is my refund?", "label": "billing"},
        {"id": "17", "question": "Hi", "label": "billing"},
    ]
)
CASES = ["question[r1-gpt-4o]", "question[r1-GPT/4]", "question[17-gpt-4o]", "question[17-GPT/4]"]


@pytest.fixture
def table(project, server):
    """A project with a table of four cases, two of which fail, and the local service."""
    files = {"t.dust.yaml": suite_of(server, APP, TABLE), "questions.jsonl": QUESTIONS}
    return project.having(files).using(server)


def test_each_generated_case_has_its_own_cassette(table, server):
    """Every row and combination is recorded in a file of its own, and replayed from it offline."""
    recorded = table.run("--dust-mode=record")
    assert recorded.outcomes == {"passed": 2, "failed": 2}
    assert set(recorded.example.cassettes) == {
        f"cassettes/t/{file_names.case_file(case)}.json" for case in CASES
    }
    server.requests.clear()
    again = recorded.example.offline().run("-v")
    assert again.outcomes == {"passed": 2, "failed": 2}
    assert server.requests == []
    assert all(f"t.dust.yaml::{case} " in again.out for case in CASES)


def test_a_failure_names_the_row(table):
    """The report of a failed row names the expectation's and the row's line, and a command for this row."""
    result = table.run("--dust-mode=record", "-k", "17 and gpt")
    assert "t.dust.yaml:9 (questions.jsonl:2)   recorded" in result.report
    chosen = result.example.offline().run("t.dust.yaml::question[17-GPT/4]")
    assert chosen.outcomes == {"failed": 1}
    assert re.search(
        r"^FAILED t.dust.yaml::\S+ - questions.jsonl:2: result.label: ", chosen.out, re.MULTILINE
    )


def test_the_file_of_a_row_is_named_from_the_folder_of_the_call(table):
    """A row of a suite in a folder is named with that folder, so that an editor finds it."""
    files = {f"faq/{name}": table.files[name] for name in ("t.dust.yaml", "questions.jsonl")}
    moved = replace(table, files={**files, "pytest.ini": table.files["pytest.ini"]})
    assert (
        "faq/t.dust.yaml:4 (faq/questions.jsonl:2)   replay   no verdict\n"
        in moved.offline().run("-k", "17-GPT").report
    )


@pytest.mark.parametrize("case", ["question[r1-GPT/4]", "question[17-gpt-4o]"])
def test_a_generated_case_can_be_chosen(table, case):
    """`path::case[row]` and the command of a report run that case alone."""
    result = table.offline().run(f"t.dust.yaml::{case}")
    assert result.outcomes == {"failed": 1}
    assert result.command[0] == f"t.dust.yaml::{case}"
    mended = table.run(*result.command)
    assert set(mended.example.cassettes) == {f"cassettes/t/{file_names.case_file(case)}.json"}


def test_keywords_choose_rows(table):
    """`-k` selects by the row's id and by the matrix's values."""
    assert table.run("-k", "r1", "--co", "-q").out.count("::") == 2
    assert table.run("-k", "gpt-4o", "--co", "-q").out.count("::") == 2


def test_a_table_is_shared_among_processes(table):
    """With `-n 2` each row runs once, and the verdicts are the same."""
    result = table.run("--dust-mode=record", "-n", "2", subprocess=True)
    assert result.outcomes == {"passed": 2, "failed": 2}
    assert len(result.example.cassettes) == 4


def test_a_changed_row_does_not_fit_its_cassette(table):
    """If a row's text changes, only its case fails, and the report names the change."""
    recorded = table.run("--dust-mode=record").example.offline()
    result = recorded.replacing("questions.jsonl", "Where is my refund?", "My refund?").run("-k", "r1")
    assert result.outcomes == {"failed": 2, "deselected": 2}
    assert "inputs[0].question" in result.report


def test_a_row_that_is_left_out_moves_no_other(table):
    """Rows with their own ids keep their cassettes if a row before them is removed."""
    recorded = table.run("--dust-mode=record").example.offline()
    second = QUESTIONS.splitlines(keepends=True)[1]
    result = recorded.having({"questions.jsonl": second}).run()
    assert result.outcomes == {"failed": 2}
    assert "2 orphaned cassettes, of no case: " in result.out
    assert "no cassette" not in result.report


def test_bad_rows_are_a_collection_error(table):
    """A bad row is one error of its suite, without a traceback; other suites run."""
    result = table.having({"questions.jsonl": QUESTIONS + "{\n"}).run()
    assert result.outcomes == {"error": 1}
    assert re.search(r"^t\.dust\.yaml:5:14: questions\.jsonl:3: not JSON: .+$", result.out, re.MULTILINE)
    assert "Traceback" not in result.out


# ── any rows ─────────────────────────────────────────────────────────────────────────────────────

_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\ufeff\ufffe\uffff")
)
_NAME = st.text("abcdefgh_", min_size=1, max_size=5)
_VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAME, inner, max_size=3),
    max_leaves=5,
)
_TABLE = st.lists(st.dictionaries(_NAME, _VALUE, max_size=4), min_size=1, max_size=4)


def told(kind, content):
    """Give the ids and inputs of a suite with this dataset."""
    with TemporaryDirectory() as folder:
        path = Path(folder, f"q.{kind}")
        path.write_text(content, encoding="utf-8", newline="")
        text = f"{HEAD}dataset: q.{kind}\ninput: {{row: '${{row}}'}}\n"
        cases = suite.load(text.encode(), "t.dust.yaml", LOOK_UP, Here(path.parent, MATCHERS))
        return [(case.id, case.inputs) for case in cases]


@settings(max_examples=60, deadline=None)
@given(_TABLE)
def test_any_rows_give_the_same_cases_in_any_format(rows):
    """Any JSON rows give the same cases as array, as lines, indented, and as YAML."""
    wanted = [(f"t[r{at}]", [{"row": row}]) for at, row in enumerate(rows, 1)]
    assert told("json", json.dumps(rows)) == wanted
    assert told("json", json.dumps(rows, indent=1, ensure_ascii=False)) == wanted
    assert told("jsonl", as_jsonl(rows)) == wanted
    assert told("yaml", json.dumps(rows)) == wanted


@settings(max_examples=40, deadline=None)
@given(st.lists(st.fixed_dictionaries({"q": _TEXT, "a": _TEXT}), min_size=1, max_size=4))
def test_any_rows_of_text_give_the_same_cases_as_csv(rows):
    """Any rows of texts give the same cases as CSV and as JSON."""
    assert told("csv", as_csv(rows)) == told("json", json.dumps(rows))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(WRITERS)), st.text(max_size=60) | st.text('[]{},:;\t"\n -ab1', max_size=60))
def test_any_text_as_a_dataset_gives_cases_or_mistakes(kind, content):
    """A suite with any text as dataset gives cases, or mistakes with places."""
    problems = ()
    try:
        told(kind, content.encode("utf-8", "replace").decode())
    except SuiteError as error:
        problems = error.problems
    assert all(re.match(r"t\.dust\.yaml:\d+:\d+: ", one.line("t.dust.yaml")) for one in problems)
