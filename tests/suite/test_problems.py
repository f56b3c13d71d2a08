"""Mistakes in suites: each with its place and line, what is allowed, and the nearest right name."""

from __future__ import annotations

import re

import pytest

from conftest import suite as suite_of
from pytest_dust.errors import SuiteError
from pytest_dust.suite import cases, references

APP = "9f1d3b5a7c"
HEAD = "app: {id: 9f1d3b5a7c}\nspecification_hash: latest\n"
CASE = "cases:\n  - id: one\n    input: {question: Hi}\n"


def mistakes(text: str) -> str:
    """Give the error text for such a suite."""
    with pytest.raises(SuiteError) as caught:
        cases.load(text.encode(), "t.dust.yaml", references.environment({}, frozenset()))
    return str(caught.value)


def blocks(told: str) -> list[list[str]]:
    """Give the lines of the error text, one list per mistake."""
    found: list[list[str]] = []
    for line in told.split("\n"):
        if line.startswith("t.dust.yaml:"):
            found.append([])
        found[-1].append(line)
    return found


def pointed(block: list[str]) -> str:
    """Give the text above the caret, to the end of the line shown."""
    _, line, caret = block
    assert re.fullmatch(r"[ \t]*\^", caret)
    return line[len(caret) - 1 :]


def test_all_mistakes_come_at_once_sorted_each_with_its_line():
    """Every mistake is reported, in the file's order, with its line and a caret under its place."""
    told = blocks(mistakes(
        "app: {id: 9f1d3b5a7c, spcae: x}\nspecification_hash: latest\ntimeout: -1\n"
        "cases:\n  - id: One\n    inptu: {}\n    input: {}\n    expect: {result.label: {contian: a}}\n"
    ))  # fmt: skip
    assert [block[0].split(": ", 1)[0] for block in told] == [
        f"t.dust.yaml:{place}" for place in ("1:23", "3:10", "5:9", "6:5", "8:29")
    ]
    assert [pointed(block).split(":")[0].split(",")[0] for block in told] == [
        "spcae",
        "-1",
        "One",
        "inptu",
        "contian",
    ]
    assert "did you mean space?" in told[0][0]
    assert "did you mean input?" in told[3][0]
    assert "did you mean contains?" in told[4][0]


def test_the_caret_is_under_the_place_after_any_letters():
    """Non-ASCII letters before the place count as one column each, also for the caret."""
    (block,) = blocks(mistakes(HEAD + "cases:\n  - {id: one, description: größe 你, inptu: {}, input: {}}\n"))
    assert pointed(block).startswith("inptu")


def test_the_caret_is_under_the_place_after_tabs():
    """A tab before the place is also before the caret, so that any tab width shows it right."""
    (block,) = blocks(mistakes(HEAD + "cases:\n  - {id: one,\t\tinptu: {}, input: {}}\n"))
    assert pointed(block).startswith("inptu")
    assert block[2].count("\t") == block[1].count("\t") == 2


@pytest.mark.parametrize("before", [0, 30, 60, 90, 99, 100, 101, 500, 5000])
@pytest.mark.parametrize("after", [0, 100, 5000])
def test_a_long_line_shows_the_part_with_the_place(before, after):
    """Of a long line, at most a hundred characters around the place are shown."""
    case = f"id: one, description: a{'x' * before}, inptu: {{}}, input: {{y: {'z' * after}}}"
    text = f"{HEAD}cases:\n  - {{{case}}}\n"
    (block,) = blocks(mistakes(text))
    assert pointed(block).startswith("inptu")
    assert len(block[1]) <= 104


def test_a_place_in_an_empty_line_shows_none():
    """A mistake at an empty line, or at none, has no excerpt."""
    assert mistakes("").count("\n") == 0
    assert mistakes("\n\n").count("\n") == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEAD + "input: {}\n" + CASE, ":3:1: input belongs in a case, not here; put it below cases: - id: …"),
        (HEAD + "id: x\n" + CASE, ":3:1: id belongs in a case, not here; put it below cases: - id: …"),
        (HEAD + "id: x\ninput: {}\n", ":3:1: id belongs in a case, not here; put it below cases: - id: …"),
        (HEAD + "dataset: q.csv\n" + CASE, ":3:1: dataset belongs in a case, not here"),
        (
            HEAD + CASE + "    app: {id: x}\n",
            ":6:5: app belongs at the top of the file, for all its cases, not in a case",
        ),
        (
            HEAD + CASE + "    cases: []\n",
            ":6:5: cases belongs at the top of the file, for all its cases, not in a case",
        ),
        (HEAD + "contains: x\n" + CASE, ':3:1: unknown key "contains"; a suite has: app, '),
        (HEAD + CASE + "    timout: 3\n", "(did you mean timeout?)"),
    ],
)
def test_a_misplaced_key_says_where_it_belongs(text, told):
    """The message for a misplaced key says where it belongs; for an unknown one, the nearest key."""
    assert told in mistakes(text)


@pytest.mark.parametrize(
    "name", ["mode", "base_url", "concurrency", "cassette_dir", "workspace", "space", "dust_mode"]
)
@pytest.mark.parametrize("place", ["", "    "], ids=["suite", "case"])
def test_an_option_as_a_key_says_so(name, place):
    """The message for an option used as a key names the option, or its place in `app`."""
    told = mistakes(HEAD + (CASE if place else "") + f"{place}{name}: x\n" + ("" if place else CASE))
    assert re.search(rf":\d+:\d+: {name} (is no key but an option: --dust-|belongs in app: )", told)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("result.label[", "not a JMESPath: it ends too early"),
        ("result..label", "not a JMESPath: unexpected '.' at character 8 of the path"),
        ("result.$x", "not a JMESPath: unexpected '$' at character 8 of the path"),
        ("lenght(result)", "JMESPath has no function lenght() (did you mean length?)"),
        ("reslut.label", 'a run has no "reslut"; it has: '),
        ("results[0]", '"results" needs inputs; with one input it is "result"'),
        ("blocks.A.ouput", "(did you mean output?)"),
    ],
)
def test_a_wrong_path_says_where_in_it(path, told):
    """A path that is not JMESPath names the character; a wrong name in it, the right ones."""
    lines = mistakes(HEAD + CASE + f"    expect: {{'{path}': 1}}\n").split("\n")
    assert lines[0].startswith("t.dust.yaml:6:14: ")
    assert told in lines[0]


@pytest.mark.parametrize(
    ("path", "quoted"),
    [
        ("result.my-key", 'result."my-key"'),
        ("blocks.MY-BLOCK.output", 'blocks."MY-BLOCK".output'),
        ("result.my key", 'result."my key"'),
        ("result.2nd", 'result."2nd"'),
        ("result.größe", 'result."größe"'),
        ("result.日本.x", 'result."日本".x'),
        ("result.$x", 'result."$x"'),
        ("result.@type", 'result."@type"'),
        ("result.xml:lang", 'result."xml:lang"'),
        ("result.'my-key'", 'result."my-key"'),
        ("result.a-b[0].c/d", 'result."a-b"[0]."c/d"'),
        ("length(result.my-key)", 'length(result."my-key")'),
        ("result.my-key | length(@)", 'result."my-key" | length(@)'),
        ("result.list[?my-key=='a-b'].x", "result.list[?\"my-key\"=='a-b'].x"),
        ("result.list[*].my-key", 'result.list[*]."my-key"'),
    ],
)
def test_a_name_that_needs_quotes_is_shown_with_them(path, quoted):
    """A path with a name that needs quotes is shown with quotes, which can be read."""
    key = path.replace("'", "''")
    (block,) = blocks(mistakes(HEAD + CASE + f"    expect: {{'{key}': 1}}\n"))
    assert block[0].endswith(f"; quote the name: {quoted}")
    right = HEAD + CASE + f"    expect:\n      {quoted}: 1\n"
    (case,) = cases.load(right.encode(), "t.dust.yaml", references.environment({}, frozenset()))
    assert case.expect[-1].path == quoted


@pytest.mark.parametrize(
    ("path", "shown"),
    [("result.list.0", "result.list[0]"), ("result.list.12.x-y", 'result.list[12]."x-y"')],
)
def test_an_element_of_a_list_is_shown_in_brackets(path, shown):
    """For a number after a dot, the path is shown with brackets."""
    (block,) = blocks(mistakes(HEAD + CASE + f"    expect: {{{path}: 1}}\n"))
    assert block[0].endswith(f"; an element of a list is written in brackets: {shown}")


@pytest.mark.parametrize(
    "path", ["result..label", "result.label[", "result.", '"', "result.a-", "result[?a > 1]"]
)
def test_what_quotes_do_not_mend_gets_no_such_advice(path):
    """A path that quotes do not repair is reported without that advice."""
    told = mistakes(HEAD + CASE + f"    expect: {{'{path}': 1}}\n")
    assert "not a JMESPath" in told
    assert ("quote" in told) == (path == "result.a-")


def test_paths_of_a_baseline_get_the_same_advice():
    """`baseline.compare` has paths of the same language, with the same advice."""
    (block,) = blocks(mistakes(HEAD + "baseline: {compare: [result.my-key]}\n" + CASE))
    assert block[0].startswith("t.dust.yaml:3:22: not a JMESPath")
    assert block[0].endswith('quote the name: result."my-key"')


@pytest.mark.parametrize(
    ("written", "column", "told"),
    [
        ("{x: 1}", 23, "to compare with a mapping write equals: {…}"),
        ("{length: {gtr: 2}}", 32, 'unknown matcher "gtr"'),
        ("{}", 22, "an empty mapping expects nothing"),
        ("{any_of: [1, {gt: a}]}", 40, "needs a number"),
    ],
)
def test_a_mistake_in_a_matcher_has_its_own_place(written, column, told):
    """A mistake in nested matchers is at the wrong matcher or argument itself."""
    line = mistakes(HEAD + CASE + f"    expect: {{result: {written}}}\n").split("\n")[0]
    assert line.startswith(f"t.dust.yaml:6:{column}: ")
    assert told in line


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("result.lable", "result has: answer, label"),
        ("blocks.CLASIFY.output", "blocks has: INPUT, CLASSIFY, LOOKUP, ANSWER"),
        ("result.label.deep", "result.label is text"),
        ("result[0]", "result has: answer, label"),
    ],
)
def test_a_path_that_finds_nothing_says_how_far_it_got(project, server, path, words):
    """A path that finds nothing says what it found last, with blocks in their order."""
    text = suite_of(server, APP, f"input: {{question: Where is my refund?}}\nexpect: {{'{path}': x}}\n")
    result = project.having({"a.dust.yaml": text}).using(server).run("--dust-mode=record")
    assert result.outcomes == {"failed": 1}
    assert words in result.report


# ── likely causes ────────────────────────────────────────────────────────────────────────────────

LATEST = "specification_hash: latest\n"
ROW = "cases:\n  - id: one\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEAD + "inptu: {question: Hi}\n", ["3:1 input"]),
        (HEAD + "Input: {question: Hi}\nexpect: {result: 1}\n", ["3:1 input"]),
        (HEAD + "inptus: [{question: Hi}]\nexpect: {'results[0]': 1}\n", ["3:1 inputs"]),
        (HEAD + "inptu: {q: Hi}\nexpct: {result: 1}\n", ["3:1 input", "4:1 expect"]),
        (HEAD + "datset: q.csv\nexpect: {result: '${row.label}'}\n", ["3:1 dataset"]),
        (HEAD + "case:\n  - id: one\n    input: {}\n", ["3:1 cases"]),
        (HEAD + "cses:\n  - id: one\n    input: {}\n", ["3:1 cases"]),
        (HEAD + "CASES:\n  - id: one\n    inptu: {}\n", ["3:1 cases", "5:5 input"]),
        (HEAD + "tests:\n  - id: one\n    input: {}\n", ["3:1 cases"]),
        (HEAD + ROW + "    inptu: {}\n", ["5:5 input"]),
        (HEAD + ROW + "    INPUTS: [{}]\n", ["5:5 inputs"]),
        (HEAD + ROW + "    input: {}\n    expct: {result: 1}\n", ["6:5 expect"]),
        (HEAD + ROW + "    input: {}\n    expected: {result: 1}\n", ["6:5 expect"]),
        (HEAD + ROW + "    matirx: {m: [1]}\n    input: {q: '${matrix.m}'}\n", ["5:5 matrix"]),
        (HEAD + "cases:\n  - Id: one\n    input: {}\n", ["4:5 id"]),
        (HEAD + "cases:\n  - name: one\n    input: {}\n", ["4:5 id"]),
        ("app: {id: x}\nspecification-hash: latest\n" + CASE, ["2:1 specification_hash"]),
        ("app: {id: x}\nspecificationHash: latest\n" + CASE, ["2:1 specification_hash"]),
        ("app: {id: x}\nSpecification hash: latest\n" + CASE, ["2:1 specification_hash"]),
        ("app: {id: x}\nhash: latest\n" + CASE, ["2:1 specification_hash"]),
        ("App: {id: x}\n" + LATEST + CASE, ["1:1 app"]),
        ("app_id: x\n" + LATEST + CASE, ["1:1 app"]),
        ("appId: x\n" + LATEST + "input: {}\n", ["1:1 app"]),
        ("app: {Id: x}\n" + LATEST + CASE, ["1:7 id"]),
        (HEAD + "repeat: {Runs: 3}\n" + CASE, ["3:10 runs"]),
        (HEAD + "baseline: {on-change: fail}\n" + CASE, ["3:12 on_change"]),
        (HEAD + CASE + "    expect: {result: {Contains: x}}\n", ["6:23 contains"]),
        (HEAD + CASE + "    expect: {result: {startsWith: x}}\n", ["6:23 starts_with"]),
    ],
)
def test_a_misspelt_key_is_one_mistake(text, told):
    """A misspelt key is one mistake, with the key that is meant; nothing is said to be missing."""
    found = [block[0].split(": ", 1) for block in blocks(mistakes(text))]
    assert [place.removeprefix("t.dust.yaml:") for place, _ in found] == [each.split()[0] for each in told]
    for (_, message), each in zip(found, told, strict=True):
        assert re.search(rf"\(did you mean {each.split()[1]}\?\)", message), message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id: 9f1d3b5a7c\n" + LATEST + CASE, "1:1: the id of the app is written app: {id: …}"),
        ("id: 9f1d3b5a7c\n" + LATEST + "input: {}\n", "1:1: the id of the app is written app: {id: …}"),
        ("app.id: x\n" + LATEST + CASE, '1:1: unknown key "app.id" (did you mean app: {id: …}?)'),
        (
            HEAD + "repeat.runs: 5\n" + CASE,
            '3:1: unknown key "repeat.runs" (did you mean repeat: {runs: …}?)',
        ),
        (
            HEAD + CASE + "    result.label: billing\n",
            '6:5: unknown key "result.label" (did you mean expect: {result.label: …}?)',
        ),
    ],
)
def test_a_key_that_belongs_into_another_says_where(text, told):
    """A key that belongs into another key's value is one mistake, which says where."""
    (block,) = blocks(mistakes(text))
    assert block[0].startswith(f"t.dust.yaml:{told}")


def test_an_unknown_key_that_means_nothing_known_excuses_nothing():
    """If no key is like an unknown one, missing keys are reported too."""
    told = mistakes(HEAD + "zzz: 1\n")
    assert 'unknown key "zzz"; a suite has: ' in told
    assert "no cases; give cases: a list" in told


def test_both_spellings_of_input_are_one_mistake():
    """A misspelt `inputs` beside `input` is reported as misspelt, not as a second input."""
    (block,) = blocks(mistakes(HEAD + CASE + "    inptus: [{}]\n"))
    assert "(did you mean inputs?)" in block[0]


def test_a_dataset_that_cannot_be_read_is_one_mistake():
    """References to rows of a wrong dataset are not reported besides."""
    (block,) = blocks(mistakes(HEAD + "dataset: ../q.csv\ninput: {q: '${row.q}'}\nexpect: {result: 1}\n"))
    assert 'dataset "../q.csv" is not beside the suite' in block[0]


@pytest.mark.parametrize("key", ["inptu", "cses", "x" * 900])
def test_the_cause_is_what_pytest_shows(project, key):
    """The line in pytest's summary is the cause, and a long name is cut."""
    text = HEAD + f"{key}: [{{id: one, input: {{}}}}]\n"
    result = project.having({"a.dust.yaml": text}).run()
    assert result.outcomes == {"error": 1}
    assert re.search(
        rf'a\.dust\.yaml:3:1: unknown key "{key[:60]}"( \(did you mean |; a suite has: )', result.out
    )
    assert len(result.out) < 5000


def test_a_misspelt_key_is_one_mistake_for_all_rows(project):
    """A misspelt key of a case with a dataset is one mistake, even if it refers to the row."""
    files = {"q.csv": "question\nHi\nHo\n"}
    text = HEAD + "cases:\n  - id: one\n    dataset: q.csv\n    inptu: {question: '${row.question}'}\n"
    result = project.having({"a.dust.yaml": text, **files}).run()
    lines = [line for line in result.report.splitlines() if line.startswith("a.dust.yaml:")]
    assert len(lines) == 1
    assert lines[0].startswith('a.dust.yaml:6:5: unknown key "inptu" (did you mean input?)')


@pytest.mark.parametrize("value", ["x", "{id: one}", "3"])
def test_misspelt_cases_that_are_no_list_are_one_mistake(value):
    """The value of a misspelt key is not reported besides, if it is no list."""
    (block,) = blocks(mistakes(HEAD + f"cses: {value}\n"))
    assert "(did you mean cases?)" in block[0]
