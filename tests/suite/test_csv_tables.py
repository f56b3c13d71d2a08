"""CSV datasets: which delimiter a text has, and the values in columns with a type."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_dust.suite import csv_tables
from pytest_dust.suite.csv_tables import Column, CsvError, layout, rows


def values(text: str) -> list[dict[str, object]]:
    """The rows of a CSV text."""
    return [row for _, row in rows(text)]


def mistake(text: str) -> tuple[int, str]:
    """The line and message of the first mistake in a CSV text."""
    with pytest.raises(CsvError) as caught:
        values(text)
    return caught.value.line, str(caught.value)


# ── the delimiter ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1;2\n", ";"),
        ("a\tb\n1\t2\n", "\t"),
        ("a;b\r\n1;2\r\n", ";"),
        ("a;b\r1;2", ";"),
        ("a;b\n\n\r\n1;2\n", ";"),
        # A comma in the header, outside of quotes, decides.
        ("question,label\nRefund; or not; please,billing\n", ","),
        ("a;b,c\n1;1,2\n", ","),
        ("a\tb,c\n1\t1,2\n", ","),
        ('"a;b",c\n1,2\n', ","),
        # What is inside of quotes does not count.
        ('"a,b";c\n1;2\n', ";"),
        ('a;"b,c"\n1;2\n', ";"),
        ('"a ""x, y""";b\n1;2\n', ";"),
        ('"a,\nb";c\n1;2\n', ";"),
        ('"a\tb";c\n1;2\n', ";"),
        ('a;b\n"1,5";2\n', ";"),
        ("a;b\n1,5;2\n", ";"),
        ('"a;b"\n1;2\n', ","),
        # One column whose name has a `;`: the first row decides.
        ("question; or wish\nWhere is my refund?\n", ","),
        ('question; or wish\n"a; b"\n', ","),
        ("question\tlong\nWhere\n", ","),
        ("question\nWhere; please\n", ","),
        ("a;b\n", ","),
        ("a", ","),
        # A tab before a `;`.
        ("a\tb;c\n1\t2;3\n", "\t"),
        ("a\tb;c\n1;2\n", ";"),
        # A line that says it.
        ("sep=;\na,x;b\n1;2\n", ";"),
        ("sep=,\na;b\n1;2\n", ","),
        ("SEP=\t\r\na\tb\r\n1\t2\r\n", "\t"),
        ('"sep=;"\na;b\n1;2\n', ";"),
        # Quotes that are not closed, or not at the start of a cell.
        ('a "x;b\n1;2\n', ";"),
        ('a;b "c,d"\n1;2\n', ","),
    ],
)
def test_the_delimiter_is_found(text: str, delimiter: str) -> None:
    """The comma, if the header has one outside of quotes; else what header and first row both have."""
    assert layout(text).delimiter == delimiter


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_separator_line_is_skipped_and_counted(end: str) -> None:
    """A first line `sep=;` is no header; lines are counted with it."""
    text = end.join(["sep=;", "a;b", "1;2", "", '"3', '";4', "5;6"])
    assert [line for line, _ in rows(text)] == [3, 5, 7]
    assert values(text)[1] == {"a": f"3{end}", "b": "4"}
    what = "the row has 1 cells, the header 2; quote a cell that holds the delimiter"
    assert mistake(end.join(["sep=;", "a;b", "1"])) == (3, what)
    assert mistake(end.join(["sep=;", "a;a", "1;2"]))[0] == 2
    assert mistake(end.join(["sep=;", "a;b", '1;"x"y']))[0] == 3


@pytest.mark.parametrize("char", ["|", " ", "x", '"'])
def test_another_delimiter_is_refused(char: str) -> None:
    """A separator line can name a comma, `;` or tab only."""
    told = f"the delimiter of a CSV dataset is a comma, ; or a tab, not {char}"
    assert mistake(f"sep={char}\na{char}b\n") == (1, told)


CELLS = st.text(st.sampled_from('ab,;\t"\r\n: =1é'), max_size=6)


@given(st.lists(CELLS.filter(bool), min_size=2, max_size=3, unique=True), st.data())
def test_a_comma_file_stays_one(header: list[str], data: st.DataObject) -> None:
    """A file with several columns that Python writes with commas is read with commas."""
    made = data.draw(st.lists(st.tuples(*[CELLS] * len(header)), min_size=1, max_size=3))
    out = io.StringIO(newline="")
    csv.writer(out).writerows([header, *made])
    if any(name.rpartition(":")[2].strip(" \t\r\n") in csv_tables.TYPES for name in header):
        return
    assert values(out.getvalue()) == [dict(zip(header, row, strict=True)) for row in made]


# ── types ────────────────────────────────────────────────────────────────────────────────────────


def test_a_column_may_have_a_type() -> None:
    """The type is no part of the name; its cells are values, and other cells stay text."""
    text = 'id,count:number,flag:boolean,tags:json,x\na,1,true,"[""b"", 2]",1\nb,-2.5e3, FALSE ,null,true\n'
    assert values(text) == [
        {"id": "a", "count": 1, "flag": True, "tags": ["b", 2], "x": "1"},
        {"id": "b", "count": -2500.0, "flag": False, "tags": None, "x": "true"},
    ]
    assert type(values(text)[0]["count"]) is int


@pytest.mark.parametrize("kind", csv_tables.TYPES)
@pytest.mark.parametrize("cell", ["", '""', " ", '" \t"'])
def test_an_empty_cell_of_a_type_is_null(kind: str, cell: str) -> None:
    """An empty cell, or one of blanks, is null in a column with a type, and a text in others."""
    assert values(f"a:{kind},b\n{cell},{cell}\n") == [{"a": None, "b": cell.strip('"')}]


@pytest.mark.parametrize(
    "name",
    ["time 10:30", "a:", "a:b:c", "note: see below", "team:member", "http://x", "to:do", "a:text", "numbr"],
)
def test_a_colon_in_a_name(name: str) -> None:
    """What follows a colon and is no type, nor nearly one, is a part of the name."""
    assert layout(f"x,{name}\n1,2\n").columns == (Column("x"), Column(name))


def test_only_the_last_colon_is_before_the_type() -> None:
    """A name with colons may have a type too."""
    assert layout('a:b:json,"c, d:number"\n1,2\n').columns == (
        Column("a:b", "json"),
        Column("c, d", "number"),
    )


@pytest.mark.parametrize(
    ("header", "meant"),
    [
        ("count:numbr", "count:number"),
        ("count:Number", "count:number"),
        ("count: number", "count:number"),
        ("count:numbers", "count:number"),
        ("count:int", "count:number"),
        ("flag:bool", "flag:boolean"),
        ("flag:boolaen", "flag:boolean"),
        ("a:b:JSON", "a:b:json"),
    ],
)
def test_a_misspelt_type(header: str, meant: str) -> None:
    """A word that is nearly a type is a mistake, with the types and the one that is meant."""
    kind = header.rpartition(":")[2]
    told = f'column "{header}": no type "{kind}"; there are: number, boolean, json (did you mean {meant}?)'
    assert mistake(f"x,{header}\n1,2\n") == (1, told)


@pytest.mark.parametrize(
    ("kind", "cell", "told"),
    [
        ("number", "x", '"x" is no number; write a number as in JSON, such as 12 or 0.5'),
        ("number", "true", '"true" is no number; write a number as in JSON, such as 12 or 0.5'),
        ("number", "007", '"007" is no number; write a number as in JSON, such as 12 or 0.5'),
        ("number", "1e999", '"1e999" is no number; write a number as in JSON, such as 12 or 0.5'),
        ("number", "NaN", '"NaN" is no number; write a number as in JSON, such as 12 or 0.5'),
        ("number", "1,5", '"1,5" is no number; write 1.5'),
        ("number", "+12,50", '"+12,50" is no number; write 12.50'),
        ("number", "9" * 5000, f'"{"9" * 40}" is no number; write a number as in JSON, such as 12 or 0.5'),
        ("boolean", "yes", '"yes" is not true or false'),
        ("boolean", "1", '"1" is not true or false'),
        ("json", "[1", """"[1" is not JSON: Expecting ',' delimiter"""),
        ("json", "x", '"x" is not JSON: Expecting value'),
        ("json", "NaN", '"NaN" is not JSON: it holds NaN, which cannot be written back to JSON'),
        ("json", "[" * 99_999, f'"{"[" * 40}" is not JSON: nested too deeply'),
    ],
)
def test_a_cell_that_its_column_cannot_hold(kind: str, cell: str, told: str) -> None:
    """A cell that is no value of its column's type is a mistake with its line, in one line."""
    assert mistake(f"a;n:{kind}\n\n1;\n2;{cell}\n") == (4, f"column n: {told}")


@pytest.mark.parametrize("header", ["a,a:number", "a:json,a:number", ":number,b", "a,:json"])
def test_names_without_their_types_are_told_apart(header: str) -> None:
    """Two columns of one name, or one without a name, are a mistake, whatever their types."""
    told = "the first line of a CSV dataset names its columns, each once"
    assert mistake(f"{header}\n1,2\n") == (1, told)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | CELLS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CELLS, inner, max_size=2),
    max_leaves=5,
)


@given(
    st.sampled_from(csv_tables.DELIMITERS),
    st.booleans(),
    st.lists(
        st.tuples(CELLS, st.integers() | st.none(), st.booleans() | st.none(), JSON), min_size=1, max_size=3
    ),
)
def test_what_is_written_is_read(delimiter: str, said: bool, made: list[tuple[object, ...]]) -> None:
    """Rows of all types are read as they were written, under each delimiter, found or given by a line."""
    names = ["text", "count", "flag", "tags"]
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(["text", "count:number", "flag:boolean", "tags:json"])
    for text, *typed in made:
        writer.writerow([text, *("" if each is None else json.dumps(each) for each in typed)])
    written = (f"sep={delimiter}\n" if said else "") + out.getvalue()
    assert values(written) == [dict(zip(names, row, strict=True)) for row in made]
