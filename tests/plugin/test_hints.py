"""Names that lead to nothing: files that are almost suites, and ids that no case has."""

from __future__ import annotations

import ntpath
import re
from types import SimpleNamespace

import pytest

from conftest import SUPPORT, SUPPORT_CASES, suite
from pytest_dust.plugin import hints

TABLE = "cases:\n  - id: question\n    dataset: q.jsonl\n  - id: v1.2\n    input: {question: Hi}\n"
ROWS = '{"id": "parcel", "question": "Hi"}\n{"question": "Hi"}\n{"id": "a::b", "question": "Hi"}\n'


# ── files ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("x.dust.yml", "x.dust.yaml"),
        ("x.dust.YAML", "x.dust.yaml"),
        ("x.Dust.yaml", "x.dust.yaml"),
        ("X.DUST.YML", "X.dust.yaml"),
        ("x.dust.json", "x.dust.yaml"),
        ("my.app.dust.yml", "my.app.dust.yaml"),
        ("dust.yaml", "NAME.dust.yaml"),
        ("dust.yml", "NAME.dust.yaml"),
        ("x.dust.yaml.txt", "x.dust.yaml"),
        ("x.dust.yaml", None),
        (".dust.yaml", None),
        ("x.yaml", None),
        ("dust.py", None),
        ("x.dusty.yaml", None),
        ("x.dust.yaml.orig", None),
        ("industry.json", None),
        ("x.dust.jsonl", None),
    ],
)
def test_what_a_file_must_be_called(name, right):
    """A name that is almost a suite's is known, with what it must be; other names are left alone."""
    assert hints.suite_name(name) == right


def lines(result):
    """What the summary says of files that are not collected."""
    return [line for line in result.out.splitlines() if "is not collected" in line]


def test_a_file_that_is_almost_a_suite_is_told_once(recorded):
    """A suite that ends in .yml is told in one line of the summary, and the others run."""
    text = recorded.files["answer.dust.yaml"]
    result = recorded.having({"sub/other.dust.yml": text}).run()
    assert result.outcomes == {"passed": 2, "failed": 1}
    assert lines(result) == [
        "dust: sub/other.dust.yml is no suite and is not collected; rename it to sub/other.dust.yaml"
    ]
    assert result.out.count("other.dust.yml") == 1


@pytest.mark.parametrize("name", ["x.dust.yml", "x.dust.YAML", "x.dust.json", "dust.yaml"])
@pytest.mark.parametrize("chosen", [(), ("named",), ("-q",), ("--co",)], ids=str)
def test_it_is_told_where_nothing_else_is_collected(project, server, name, chosen):
    """Without any suite, or named on the command line, such a file is told all the same, once."""
    text = suite(server, SUPPORT, "input: {question: Hi}\n")
    result = project.having({name: text}).run(*(name if each == "named" else each for each in chosen))
    assert result.ret == (4 if "named" in chosen else 5)
    (line,) = lines(result)
    assert line.startswith(f"dust: {name} is no suite and is not collected; rename it to ")
    assert "Traceback" not in result.out + result.err


def test_a_case_in_such_a_file_is_told(project, server):
    """`x.dust.yml::x` says how the file must be called."""
    result = project.having({"x.dust.yml": suite(server, SUPPORT, "input: {}\n")}).run("x.dust.yml::x")
    assert len(lines(result)) == 1


def test_many_such_files_are_few_lines(project):
    """Of many such files five are named, and the others counted."""
    result = project.having({f"{at}.dust.yml": "" for at in range(9)}).run()
    assert len(lines(result)) == 5
    assert "dust: … and 4 more files whose names do not end in .dust.yaml" in result.out


@pytest.mark.parametrize(("name", "ret"), [("x.dust.yml", 1), ("x.dust.YAML", 1), ("data.dust.json", 0)])
def test_a_check_does_not_pass_over_a_suite(recorded, name, ret):
    """`--dust-check` ends with 1 where a suite is not collected for its name; JSON may be another's."""
    text = recorded.files["answer.dust.yaml"]
    result = recorded.having({name: text}).run("--dust-check")
    assert result.ret == ret
    assert len(lines(result)) == 1


def test_what_pytest_ignores_is_not_told(recorded):
    """A file that is ignored is nobody's mistake."""
    result = recorded.having({"x.dust.yml": ""}).run("--ignore=x.dust.yml")
    assert lines(result) == []


# ── ids ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wanted", "meant", "way"),
    [
        ("refnd", "refund", ()),
        ("Refund", "refund", ("-n", "1")),
        ("parcels", "parcel", ()),
        ("wrng", "wrong", ()),
    ],
)
def test_an_id_that_no_case_has_is_told_with_the_nearest(recorded, wanted, meant, way):
    """`path::id` of no case is pytest's own error, with the id that is nearest and those that there are."""
    result = recorded.run(f"answer.dust.yaml::{wanted}", *way, subprocess=bool(way))
    told = result.out + result.err
    assert result.ret != 0
    assert "not found: " in told or way  # of which xdist says nothing
    hint = f"answer.dust.yaml has no case {wanted} (did you mean answer.dust.yaml::{meant}?); it has: refund,"
    assert told.count(hint) == 1
    assert "INTERNALERROR" not in told


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("question[parcl]", "question[parcel]"),
        ("question[r1]", "question[r2]"),
        ("qestion[a::b]", "question[a::b]"),
        ("question[parcel", "question[parcel]"),
        ("v12", "v1.2"),
    ],
)
def test_ids_of_rows_are_told_too(project, server, wanted, meant):
    """An id with brackets, colons or dots is compared as a whole."""
    example = project.having({"sub/t.dust.yaml": suite(server, SUPPORT, TABLE), "sub/q.jsonl": ROWS})
    result = example.run(f"t.dust.yaml::{wanted}", cwd="sub")
    assert result.ret == 4
    assert f"ERROR: t.dust.yaml has no case {wanted} (did you mean t.dust.yaml::{meant}?)" in result.err


def test_an_id_like_no_other_is_told_with_those_there_are(project, server):
    """Where nothing is near, the first ids are named and the others counted."""
    rows = "".join(f'{{"id": "row{at}"}}\n' for at in range(50))
    example = project.having({"t.dust.yaml": suite(server, SUPPORT, TABLE), "q.jsonl": rows})
    result = example.run("t.dust.yaml::zzz")
    assert "t.dust.yaml has no case zzz; it has: question[row0], " in result.err
    assert "… and 46 more" in result.err


def test_each_named_case_has_its_own_hint(recorded):
    """Only the ids that are not there are told, each on its line."""
    result = recorded.run(
        "answer.dust.yaml::refund", "answer.dust.yaml::refnd", f"{recorded.root}/answer.dust.yaml::parce"
    )
    told = [line for line in result.err.splitlines() if "has no case" in line]
    assert len(told) == 2
    assert "did you mean answer.dust.yaml::refund?" in told[0]
    assert "answer.dust.yaml::parcel?" in told[1]


@pytest.mark.parametrize(
    ("wanted", "meant", "way"),
    [
        ("answr.dust.yaml", "answer.dust.yaml", ()),
        ("answer.dust.yml", "answer.dust.yaml", ()),
        ("Answer.dust.yaml::refund", "answer.dust.yaml", ()),
        ("./sub/other.dust.yml", "./sub/another.dust.yaml", ()),
    ],
)
def test_a_suite_that_is_not_there_is_told_with_the_nearest(recorded, wanted, meant, way):
    """A suite on the command line that is not there is told with the one beside it that may be meant."""
    example = recorded.having({"sub/another.dust.yaml": ""})
    result = example.run(wanted, *way, subprocess=bool(way))
    assert result.ret != 0
    path = wanted.partition("::")[0]
    assert f"there is no {path} (did you mean {meant}?)" in result.out + result.err


def test_a_suite_like_no_other_gets_pytests_own_error(recorded):
    """Where no suite has a name like it, or there is no such folder, pytest's error stands alone."""
    for wanted in ("zzz.dust.yaml", "nowhere/answer.dust.yaml", "answer.dust.yaml.bak"):
        result = recorded.run(wanted)
        assert result.ret == 4
        assert "Traceback" not in result.err
        if wanted[0] != "a":
            assert "did you mean" not in result.err


def test_python_tests_get_pytests_own_error(recorded):
    """A Python test that is not there is answered by pytest alone."""
    result = recorded.having({"test_it.py": "def test_one(): pass\n"}).run("test_it.py::test_on")
    assert result.ret == 4
    assert "has no case" not in result.err


# ── words ────────────────────────────────────────────────────────────────────────────────────────

DESCRIBED = SUPPORT_CASES.replace("id: refund", "id: refund\n    description: A refund goes to billing")
DESCRIBED = DESCRIBED.replace(
    "id: wrong", "id: wrong\n    description: |\n      A greeting\n      goes   nowhere"
)


@pytest.fixture
def described(recorded, server):
    """The recorded project, two of whose cases have a description."""
    return recorded.having({"answer.dust.yaml": suite(server, SUPPORT, DESCRIBED)})


@pytest.mark.parametrize("options", [(), ("-v",), ("-q",)], ids=str)
def test_a_check_says_checked(described, options):
    """`--dust-check` calls no case passed: neither behind it nor in the last line."""
    result = described.run("--dust-check", *options, subprocess="-n" in options)
    assert result.ret == 0
    assert "passed" not in result.out.lower()
    if "-q" not in options:
        assert re.search(r"=+ 3 checked in [\d.]+s =+", result.out)
    if "-v" in options:
        assert result.out.count("CHECKED") == 3


def test_a_check_that_finds_something_says_both(recorded):
    """A finding is a failure, and the rest is checked; what is skipped is skipped."""
    example = recorded.having({"cassettes/answer/refund.json": None})
    example = example.replacing("answer.dust.yaml", "id: wrong", "id: wrong\n    marks: [{skip: later}]")
    result = example.run("--dust-check", "-v")
    assert (result.ret, result.outcomes) == (1, {"failed": 1, "checked": 1, "skipped": 1})
    assert "answer.dust.yaml::parcel CHECKED" in result.out


def test_junit_counts_a_checked_case_as_a_test(recorded):
    """In JUnit's XML a checked case is a test without a failure."""
    result = recorded.run("--dust-check", "--junitxml=out.xml")
    assert b'failures="0"' in result.example.files["out.xml"]
    assert b'tests="3"' in result.example.files["out.xml"]


def test_verbose_shows_descriptions(described):
    """With `-v` a case's description stands behind its outcome, on one line."""
    result = described.run("-v")
    assert "PASSED (A refund goes to billing)" in result.out
    assert "FAILED (A greeting goes nowhere)" in result.out
    assert re.search(r"PASSED +(answer\.dust\.yaml::parcel|\[)", result.out)  # which has none


def test_descriptions_are_not_shown_unasked(described):
    """Without `-v` a case that passes shows no description."""
    assert "A refund goes to billing" not in described.run().out


@pytest.mark.parametrize(("mode", "line"), [("replay", 16), ("trouble", 11)])
def test_a_failure_shows_the_description(described, mode, line):
    """The report of a failed case has the description below its first line, and of one without a run too."""
    example = described
    if mode == "trouble":
        example = described.having({"cassettes/answer/wrong.json": None})
    result = example.run("-k", "wrong")
    assert re.search(
        rf"^answer\.dust\.yaml:{line}   repl.*\n  A greeting goes nowhere\n\n  ", result.report, re.MULTILINE
    )


def test_a_description_holds_no_secret(one):
    """Secrets and redacted values are masked in descriptions, wherever they are shown."""
    text = (
        "description: 'mail to ada@example.org with token t0p-s3cret-value'\n"
        + one.files["a.dust.yaml"].decode()
    )
    text = text.replace("input: {", "input: {email: ada@example.org, ").replace("billing", "shipping")
    ini = "[pytest]\ndust_redact = inputs.*.email\ndust_secrets = SHOP_TOKEN\n"
    example = one.having({"a.dust.yaml": text, "pytest.ini": ini}).exporting(SHOP_TOKEN="t0p-s3cret-value")
    result = example.run("--dust-mode=record", "-v")
    assert result.outcomes == {"failed": 1}
    assert "(mail to *** with token ***)" in result.out
    assert "  mail to *** with token ***" in result.report
    assert "ada@" not in result.out
    assert "t0p" not in result.out


def test_a_long_description_is_cut_to_the_terminal(one):
    """With `-v` a description is cut to the line, and with `-vv` it is shown as far as reports show it."""
    text = f"description: {'word ' * 90}\n" + one.files["a.dust.yaml"].decode()
    example = one.having({"a.dust.yaml": text}).run("--dust-mode=record").example.offline()
    line = next(line for line in example.run("-v").out.splitlines() if "PASSED" in line)
    assert len(line) <= 120
    assert "…)" in line
    assert "word word word" in line
    assert example.run("-vv").out.count("word") == 90


@pytest.mark.parametrize("description", ["\x1b[31mred", "a\u202eb", "<b>", "(x) [100%]"])
def test_a_description_is_harmless_in_a_terminal(one, description):
    """Control characters of a description are escaped wherever it is shown."""
    text = f"description: {ascii(description)[1:-1]!r}\n".replace("'", '"').replace("\\\\", "\\")
    example = one.having({"a.dust.yaml": text + one.files["a.dust.yaml"].decode()})
    result = example.run("--dust-mode=record", "-v", "--color=no")
    assert result.outcomes == {"passed": 1}, result.out
    assert "\x1b" not in result.out
    assert "\u202e" not in result.out


def test_a_path_with_backslashes_is_understood_on_windows(monkeypatch, tmp_path):
    """A suite that was typed with backslashes has the hint of its folder, with its full path."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "answer.dust.yaml").touch()
    config = SimpleNamespace(
        invocation_params=SimpleNamespace(dir=tmp_path), args=[r"sub\anser.dust.yaml::refund"]
    )
    found = hints.Hints(config)
    monkeypatch.setattr(hints.os, "sep", ntpath.sep)
    found._find_missing()
    assert found.missing == ["there is no sub/anser.dust.yaml (did you mean sub/answer.dust.yaml?)"]
