"""The inputs of one run must have the same keys; otherwise the service refuses the run."""

from __future__ import annotations

import re

import pytest

from conftest import SUPPORT, suite

TWO = "inputs:\n  - {question: Hi}\n  - {qestion: Hi}\n"
ROWS = '{"a": {"question": "Hi"}, "b": {"q": 1}, "all": [{"x": 1}, {"x": 1, "y": 2}]}\n'
SAME = "the service refuses a run whose inputs do not all have the same keys"


def told(project, server, cases, files=None, *options):
    """Give the lines of mistakes for such a suite, and the service's requests."""
    example = project.having({"a.dust.yaml": suite(server, SUPPORT, cases), **(files or {})}).using(server)
    result = example.run("--dust-mode=live", *options)
    assert result.outcomes == {"error": 1}, result.out
    assert server.requests == []
    return re.findall(r"^(a\.dust\.yaml:\d+:\d+: .+)$", result.report, re.MULTILINE)


@pytest.mark.parametrize("options", [(), ("--dust-check",), ("--co",)], ids=str)
def test_an_input_with_other_keys_is_a_mistake_at_its_place(project, server, options):
    """An input with other keys is a mistake at its line and column, and no run is made."""
    (line,) = told(project, server, TWO, {}, *options)
    assert line == (
        'a.dust.yaml:5:5: inputs[1] has other keys than inputs[0]: it lacks "question", and it has "qestion" '
        f"(did you mean question?); {SAME}"
    )


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        ("[{a: 1}, {}]", ['6:22: inputs[1] has other keys than inputs[0]: it lacks "a"; ']),
        ("[{}, {a: 1}]", ['6:18: inputs[1] has other keys than inputs[0]: it has "a"; ']),
        ("[{a: 1, b: 1}, {b: 2, a: null}]", []),
        (
            "[{b: 1}, {a: 1}, {a: 2}]",
            ['6:14: inputs[0] has other keys than inputs[1]: it lacks "a", and'],
        ),
        ("[{A: 1}, {a: 1}]", ['6:22: inputs[1] has other keys than inputs[0]: it lacks "A", and it has "a"']),
        ("[{a: {x: 1}}, {a: {y: 1}}]", []),
        ("[{a: 1}]", []),
        ("[{}, {}]", []),
    ],
)
def test_only_the_names_of_keys_count(project, server, written, lines):
    """Only names of keys are compared, in any order; of many inputs the odd one is the mistake."""
    case = f"cases:\n  - id: one\n    # inputs\n    inputs: {written}\n"
    if not lines:
        example = project.having({"a.dust.yaml": suite(server, SUPPORT, case)})
        assert example.run("--co", "-q").out.startswith("a.dust.yaml::one")
        return
    found = [line.removeprefix("a.dust.yaml:") for line in told(project, server, case)]
    assert [line[: len(want)] for line, want in zip(found, lines, strict=True)] == lines


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ("['${row.a}', '${row.b}']", 'inputs[1] has other keys than inputs[0]: it lacks "question"'),
        ("['${row.a}', {question: x, more: 1}]", 'inputs[1] has other keys than inputs[0]: it has "more"'),
        ("'${row.all}'", 'inputs[1] has other keys than inputs[0]: it has "y"'),
        ("['${row}', {question: Hi}]", 'inputs[1] has other keys than inputs[0]: it lacks "a", "b", "all"'),
    ],
)
def test_mappings_of_a_row_count_too(project, server, inputs, words):
    """Inputs from a row are compared like others, and the mistake names the row."""
    case = f"cases:\n  - id: one\n    dataset: q.jsonl\n    inputs: {inputs}\n"
    (line,) = told(project, server, case, {"q.jsonl": ROWS})
    assert words in line
    assert line.endswith("(row q.jsonl:1)")


def test_mappings_of_a_matrix_count_too(project, server):
    """Inputs from a matrix are compared like others."""
    case = (
        "cases:\n  - id: one\n    matrix: {m: [{question: a}, {label: b}]}\n"
        "    inputs: [{question: Hi}, '${matrix.m}']\n"
    )
    (line,) = told(project, server, case)
    assert line.startswith('a.dust.yaml:6:30: inputs[1] has other keys than inputs[0]: it lacks "question"')


@pytest.mark.parametrize("marks", ["[{skip: later}]", "[{xfail: it fails}]", "[{skipif: ['True']}]"])
def test_marks_excuse_no_inputs(project, server, marks):
    """A case that is skipped or expected to fail is refused like any other, as it could never run."""
    (line,) = told(project, server, f"{TWO}marks: {marks}\n")
    assert "inputs[1] has other keys" in line


def test_many_odd_inputs_are_few_lines(project, server):
    """Of many inputs with other keys the first five are reported, the others counted."""
    inputs = ", ".join(["{a: 1}"] * 60 + [f"{{b{at}: 1}}" for at in range(50)])
    lines = told(project, server, f"inputs: [{inputs}]\n")
    assert len(lines) == 6
    assert any("… and 45 more inputs with other keys" in line for line in lines)


def test_the_fixture_refuses_them_too(project, server):
    """`dust.run(inputs=[…])` with unequal keys is a ValueError, and no run is made."""
    test = (
        "import pytest\n"
        "def test_it(dust):\n"
        "    with pytest.raises(ValueError) as caught:\n"
        f"        dust.run(app='{SUPPORT}', inputs=[{{'q': 1}}, {{}}])\n"
        "    assert 'inputs[1] has other keys than inputs[0]: it lacks \"q\"' in str(caught.value)\n"
    )
    result = project.having({"test_it.py": test}).using(server).run("--dust-mode=live")
    assert result.outcomes == {"passed": 1}, result.out
    assert server.requests == []
