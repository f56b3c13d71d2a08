"""Edits of a dataset's text: only the edited cell changes."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_dust.suite import tables
from pytest_dust.suite.edits.checked import NOT_READ_BACK
from pytest_dust.suite.edits.tables import SetCell, edited_table

bounded = settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
MISSPELT = (
    'the dataset cannot be read: q.csv:1: column "b:numbr": no type "numbr"; '
    "there are: number, boolean, json (did you mean b:number?)"
)
WRITE_OUT = "write the value out in one of the places"
NO_COMMA = "q.json:1: not JSON: a comma or ] was due"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["", " ", '"', "a,b", "a\r\nb", "\n", "12", "é😀", "\u2028", "\u200b", "\\u00e9", "'", "${row.x}"]
)
VALUES = st.recursive(
    TEXTS | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False, allow_infinity=False),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(TEXTS, each, max_size=3),
    max_leaves=5,
)


def at(row, value, *steps):
    """Return the edit that writes a value in a row."""
    return SetCell(row, steps, value)


@pytest.mark.parametrize(
    ("name", "before", "edit", "after"),
    [
        # JSONL
        ("q.jsonl", '{"a": 1,"b":"x"}\n', at(1, "y", "b"), '{"a": 1,"b":"y"}\n'),
        (
            "Q.JSONL",
            '\n  {"a": 1}\r\n\r\n{ "a" :2 }',
            at(2, "é😀", "a"),
            '\n  {"a": 1}\r\n\r\n{ "a" :"é😀" }',
        ),
        ("q.jsonl", '{"a": "\\u00e9"}\n{"a": 1}\n', at(1, "ö", "a"), '{"a": "\\u00f6"}\n{"a": 1}\n'),
        ("q.jsonl", '{"a": "\\u00e9"}\n{"a": 1}\n', at(2, "ö", "a"), '{"a": "\\u00e9"}\n{"a": "ö"}\n'),
        ("q.jsonl", '{"a": "é", "b": "\\u00e9"}', at(1, "ö", "a"), '{"a": "ö", "b": "\\u00e9"}'),
        (
            "q.jsonl",
            '{"a": {"b": [1, {"c": 2}]}}',
            at(1, None, "a", "b", "1", "c"),
            '{"a": {"b": [1, {"c": null}]}}',
        ),
        ("q.jsonl", '{"a": [1 , "x"]}', at(1, [1, "y"], "a"), '{"a": [1 , "y"]}'),
        ("q.jsonl", '{"a": [1 , "x"]}', at(1, [1], "a"), '{"a": [1]}'),
        ("q.jsonl", '{"a": {"b" :1,"c":2}}', at(1, {"c": 3, "b": 1}, "a"), '{"a": {"b" :1,"c":3}}'),
        ("q.jsonl", '{"a": 1, "a": 2}', at(1, 3, "a"), '{"a": 1, "a": 3}'),
        ("q.jsonl", '{"a": 1.0}', at(1, 1, "a"), '{"a": 1.0}'),
        (
            "q.jsonl",
            '{"a": "x"}',
            at(1, "\u200b\x07\u2028\ud800", "a"),
            '{"a": "\\u200b\\u0007\\u2028\\ud800"}',
        ),
        ("q.jsonl", '{"a": "x"}', at(1, "${b}", "a"), '{"a": "${b}"}'),
        ("q.jsonl", '{"a": 1}', at(1, {"b": 2}), '{"b": 2}'),
        # JSON
        (
            "q.json",
            '[{"a": 1}, {"a": 2},\n {"a":\t3}]\n',
            at(3, 4, "a"),
            '[{"a": 1}, {"a": 2},\n {"a":\t4}]\n',
        ),
        ("q.json", '[{"a": 1}, {"a": 2}]', at(2, "x", "a"), '[{"a": 1}, {"a": "x"}]'),
        # CSV
        ("q.csv", "a,b\n1,2\n3,4\n", at(2, "x y", "b"), "a,b\n1,2\n3,x y\n"),
        ("q.csv", 'a,b\r\n"1",2\r\n', at(1, "x", "a"), 'a,b\r\n"x",2\r\n'),
        (
            "q.csv",
            'a,b\r\n\r\n"1\r\n""2""",2\r\n3,4',
            at(2, 'x "y"', "a"),
            'a,b\r\n\r\n"1\r\n""2""",2\r\n"x ""y""",4',
        ),
        ("q.csv", 'a,b\n"1,\n""2""",2\n', at(1, "x,y\n", "b"), 'a,b\n"1,\n""2""","x,y\n"\n'),
        ("q.csv", 'a,b\n"1,\n""2""",2\n', at(1, "", "a"), 'a,b\n"",2\n'),
        ("q.csv", "a,b\n1,2\n", at(1, "", "a"), "a,b\n,2\n"),
        ("q.csv", "a,b\n1,2\n", at(1, "", "b"), "a,b\n1,\n"),
        ("q.csv", "a\n1\n", at(1, "", "a"), 'a\n""\n'),
        ("q.csv", 'a,b\n1 "x",2\n', at(1, "3", "b"), 'a,b\n1 "x",3\n'),
        ("q.csv", 'a,b\n1, "x"\n', at(1, "3", "b"), "a,b\n1,3\n"),
        ("q.csv", "a,b\r1,2\r3,4", at(2, "5", "a"), "a,b\r1,2\r5,4"),
        ("q.csv", 'a,b\n1,"2"\n', at(1, "2", "b"), 'a,b\n1,"2"\n'),
        ("q.csv", "a,b\n1,2\n", at(1, "${x}", "b"), "a,b\n1,${x}\n"),
        # CSV with another delimiter
        ("q.csv", "a;b\n1,5;2\n", at(1, "x,y", "b"), "a;b\n1,5;x,y\n"),
        ("q.csv", "a;b\r\n1;2\r\n", at(1, "x;y", "a"), 'a;b\r\n"x;y";2\r\n'),
        ("q.csv", 'a\tb\n"1"\t2\n', at(1, "x\ty", "b"), 'a\tb\n"1"\t"x\ty"\n'),
        ("q.csv", "sep=;\r\na;b\r\n1;2\r\n\r\n3;4", at(2, "5", "b"), "sep=;\r\na;b\r\n1;2\r\n\r\n3;5"),
        ("q.csv", "sep=,\na;b\n1;2\n", at(1, "3;4", "a;b"), 'sep=,\na;b\n"3;4"\n'),
        ("q.csv", "a; b\nx\n", at(1, "y; z", "a; b"), 'a; b\n"y; z"\n'),
        ("q.csv", "a,b\n1;2,3\n", at(1, "4;5", "a"), "a,b\n4;5,3\n"),
        # CSV with types
        ("q.csv", "a,n:number\n1,2\n", at(1, 3.5, "n"), "a,n:number\n1,3.5\n"),
        ("q.csv", 'a,n:number\n1,"2"\n', at(1, -3, "n"), 'a,n:number\n1,"-3"\n'),
        ("q.csv", "a,n:number\n1, 2.0 \n", at(1, 2, "n"), "a,n:number\n1, 2.0 \n"),
        ("q.csv", "a,n:number\n1,2\n", at(1, None, "n"), "a,n:number\n1,\n"),
        ("q.csv", "a,n:number\n1,\n", at(1, 2, "n"), "a,n:number\n1,2\n"),
        ("q.csv", "n:number\n1\n", at(1, None, "n"), 'n:number\n""\n'),
        ("q.csv", "f:boolean;a\nTRUE;1\n", at(1, False, "f"), "f:boolean;a\nfalse;1\n"),
        ("q.csv", "f:boolean;a\nTRUE;1\n", at(1, True, "f"), "f:boolean;a\nTRUE;1\n"),
        ("q.csv", "a,j:json\n1,[2]\n", at(1, {"x": "y"}, "j"), 'a,j:json\n1,"{""x"": ""y""}"\n'),
        ("q.csv", "a;j:json\n1;[2,3]\n", at(1, [2, 4], "j"), "a;j:json\n1;[2, 4]\n"),
        ("q.csv", 'a,j:json\n1,""\n', at(1, [1], "j"), 'a,j:json\n1,"[1]"\n'),
        (
            "q.csv",
            'a,j:json,b\r\n1,"{ ""x"":[1 , ""y""],\r\n""z"": null}",2\r\n',
            at(1, 'say "hi"', "j", "x", "1"),
            'a,j:json,b\r\n1,"{ ""x"":[1 , ""say \\""hi\\""""],\r\n""z"": null}",2\r\n',
        ),
        ("q.csv", 'j:json,a\n"[""x"" ,1]",\n', at(1, ["x", 2], "j"), 'j:json,a\n"[""x"" ,2]",\n'),
        ("q.csv", "a,j:json\n1,[2]\n", at(1, 3, "j", "0"), "a,j:json\n1,[3]\n"),
        # YAML
        (
            "q.yaml",
            "# rows\n- a: x # why\n- {a: 'y'}\n",
            at(2, "it's", "a"),
            "# rows\n- a: x # why\n- {a: 'it''s'}\n",
        ),
        ("q.yaml", "- a: [1, {b: 2}]\n", at(1, "${x}", "a", "1", "b"), '- a: [1, {b: "${x}"}]\n'),
    ],
)
def test_only_the_cell_changes(name, before, edit, after):
    """A new value is written in the place of the old one, and all other text stays."""
    assert edited_table(name, before, [edit]) == (after, ())


@pytest.mark.parametrize(
    ("name", "text", "edit", "line", "reason"),
    [
        ("q.csv", "a,b\n\n1,2\n", at(1, 3, "b"), 3, "a CSV cell holds text, and the new value is a number"),
        ("q.csv", "a,b\n1,2\n", at(1, None, "b"), 2, "a CSV cell holds text, and the new value is null"),
        ("q.csv", "a,b\n1,2\n", at(1, "x" * 200_000, "b"), 2, NOT_READ_BACK),
        ("q.csv", "a,b\n1,2\n", at(1, {}), 2, "the new value is for a whole row; edit its cells by hand"),
        ("q.csv", "a,b\n1,2\n", at(1, "x", "b", "0"), 2, "the row has no b.0"),
        ("q.csv", "a,b:number\n1,2\n", at(1, "3", "b"), 2, "the column b:number cannot hold text"),
        ("q.csv", "a,b:number\n1,2\n", at(1, True, "b"), 2, "the column b:number cannot hold true or false"),
        ("q.csv", "a;b:boolean\n1;\n", at(1, 1, "b"), 2, "the column b:boolean cannot hold a number"),
        ("q.csv", "a;b:boolean\n1;\n", at(1, [], "b"), 2, "the column b:boolean cannot hold a list"),
        ("q.csv", "a,b:numbr\n1,2\n", at(1, "x", "a"), 1, MISSPELT),
        ("q.csv", "a;b:json\n1;[2]\n", at(1, 3, "b", "1"), 2, "the row has no b.1"),
        ("q.jsonl", '{"a": [1]}\n', at(2, 3, "a"), 1, "the dataset has no row 2"),
        ("q.jsonl", '{"a": [1]}\n', at(0, 3, "a"), 1, "the dataset has no row 0"),
        ("q.jsonl", '{"a": 2}\n{"a": [1]}\n', at(2, 3, "a", "1"), 2, "the row has no a.1"),
        ("q.jsonl", '{"a": [1]}\n', at(1, 3, "a", "x"), 1, "the row has no a.x"),
        ("q.yaml", "- a: 1\n", at(1, 3, "b"), 1, "the row has no b"),
        (
            "q.jsonl",
            '{"a": 1}\n',
            at(1, float("inf"), "a"),
            1,
            "the new value has a number that a file cannot hold",
        ),
        (
            "q.json",
            '[{"a": 1}',
            at(1, 3, "a"),
            1,
            "the dataset cannot be read: " + NO_COMMA,
        ),
        (
            "q.jsonl",
            '{"a": 1}',
            at(1, 3),
            1,
            NOT_READ_BACK,
        ),
        (
            "q.yaml",
            "- a: &x 1\n- a: *x\n",
            at(1, 3, "a"),
            1,
            "&x is repeated on line 2, which would change too; " + WRITE_OUT,
        ),
    ],
)
def test_why_a_cell_is_not_changed(name, text, edit, line, reason):
    """A cell that is not there, or cannot hold the value, is refused with its line and the reason."""
    assert edited_table(name, text, [edit]) == (text, ((edit, line, reason),))


def test_several_cells_at_once():
    """All cells that can be changed are changed, in any order; the other edits come back in their order."""
    text = "id,a,b\n1,x,y\n2,x,y\n3,x,y\n"
    edits = [
        SetCell(3, ("b",), "w"),
        SetCell(9, ("a",), "v"),
        SetCell(1, ("a",), "v"),
        SetCell(2, ("a",), "v"),
        SetCell(2, ("a",), "u"),
        SetCell(1, ("b",), 1),
        SetCell(1, ("a",), "v"),
    ]
    done = edited_table("q.csv", text, edits)
    assert done.text == "id,a,b\n1,v,y\n2,x,y\n3,x,w\n"
    assert [(one.edit, one.line) for one in done.refused] == [
        (edits[1], 1),
        (edits[3], 3),
        (edits[4], 3),
        (edits[5], 2),
    ]


def _csv(rows: list[dict[str, str]], line_end: str, quoting: Any) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, ["a", "b c"], lineterminator=line_end, quoting=quoting)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


@bounded
@given(
    st.lists(st.fixed_dictionaries({"a": TEXTS, "b c": TEXTS}), min_size=1, max_size=4),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.data(),
)
def test_a_generated_csv_cell(rows, line_end, quoting, data):
    """A CSV file with a new cell is the file that Python writes with this cell."""
    text = _csv(rows, line_end, quoting)
    at = data.draw(st.integers(0, len(rows) - 1))
    name, new = data.draw(st.sampled_from(["a", "b c"])), data.draw(TEXTS)
    done = edited_table("q.csv", text, [SetCell(at + 1, (name,), new)])
    assert done.refused == ()
    wanted = [{**row, name: new} if each == at else row for each, row in enumerate(rows)]
    assert [row.value for row in tables.rows_of(done.text, "q.csv")] == wanted
    prefix = _csv(rows[:at], line_end, quoting)
    suffix = _csv(rows[at + 1 :], line_end, quoting).removeprefix(_csv([], line_end, quoting))
    assert done.text.startswith(prefix)
    assert done.text.endswith(suffix)


TYPED = {
    "a": TEXTS,
    "n:number": st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    "f:boolean": st.none() | st.booleans(),
    "j:json": VALUES,
}


@bounded
@given(
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.lists(st.fixed_dictionaries(TYPED), min_size=1, max_size=3),
    st.data(),
)
def test_a_generated_cell_of_a_type(delimiter, line_end, quoting, rows, data):
    """Under each delimiter, a cell of each type gets its new value, and all text outside of it stays."""
    out = io.StringIO(newline="")
    out.write(data.draw(st.sampled_from(["", f"sep={delimiter}{line_end}"])))
    writer = csv.writer(out, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    writer.writerow(TYPED)
    at = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from(list(TYPED)))
    mark = "a mark\twith, every; delimiter" if quoting == csv.QUOTE_MINIMAL else "a mark"
    for each, row in enumerate(rows):
        cells = [mark if (each, key) == (at, name) else _cell(key, row[key]) for key in TYPED]
        writer.writerow(cells)
    prefix, suffix = out.getvalue().split(f'"{mark}"')
    old = _cell(name, rows[at][name]).replace('"', '""')
    text = f'{prefix}"{old}"{suffix}'
    new = data.draw(TYPED[name])
    short = name.partition(":")[0]
    done = edited_table("q.csv", text, [SetCell(at + 1, (short,), new)])
    assert done.refused == ()
    read = [{key.partition(":")[0]: value for key, value in row.items()} for row in rows]
    read[at][short] = new
    assert [row.value for row in tables.rows_of(done.text, "q.csv")] == read
    assert done.text.startswith(f'{prefix}"')
    assert done.text.endswith(f'"{suffix}')


def _cell(column: str, value: Any) -> str:
    return value if column == "a" else "" if value is None else json.dumps(value)


@bounded
@given(
    st.lists(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=3), min_size=1, max_size=3),
    st.sampled_from([None, 2]),
    st.booleans(),
    st.data(),
)
def test_a_generated_json_value(rows, indent, escapes, data):
    """A JSON array with a new value reads back, and all text outside of the old value stays."""
    at = data.draw(st.integers(0, len(rows) - 1))
    name, new = data.draw(st.sampled_from(sorted(rows[at]))), data.draw(VALUES)
    mark = "a mark that is nowhere else"
    marked = [{**row, name: mark} if each == at else row for each, row in enumerate(rows)]
    frame = json.dumps(marked, indent=indent, ensure_ascii=escapes)
    prefix, suffix = frame.split(json.dumps(mark))
    text = prefix + json.dumps(rows[at][name], ensure_ascii=escapes) + suffix
    done = edited_table("q.json", text, [SetCell(at + 1, (name,), new)])
    assert done.refused == ()
    wanted = [{**row, name: new} if each == at else row for each, row in enumerate(rows)]
    assert [row.value for row in tables.rows_of(done.text, "q.json")] == wanted
    assert done.text.startswith(prefix)
    assert done.text.endswith(suffix)
    if indent is None:
        lines = "".join(json.dumps(row, ensure_ascii=escapes) + "\r\n" for row in rows)
        done = edited_table("q.jsonl", lines, [SetCell(at + 1, (name,), new)])
        assert [row.value for row in tables.rows_of(done.text, "q.jsonl")] == wanted
        assert done.text.count("\n") == lines.count("\n")
