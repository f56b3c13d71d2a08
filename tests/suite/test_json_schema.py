"""For editors and newcomers: the JSON Schema, the list of apps, the first suite."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

import pytest_dust
from conftest import dust_server
from pytest_dust.checks.binding import Here
from pytest_dust.checks.matchers import MATCHERS
from pytest_dust.errors import SuiteError
from pytest_dust.suite import cases, references, yaml_reader
from pytest_dust.suite.keys import KEYS

APP = "9f1d3b5a7c"
TESTS = Path(__file__).parent
SHIPPED = Path(pytest_dust.__file__).with_name("suite.schema.json")
BROKEN = sorted((TESTS / "broken").glob("*.dust.yaml"))
EXAMPLES = sorted((TESTS.parents[1] / "example_suites").rglob("*.dust.yaml"))
LOOK_UP = references.environment({"DUST_SPACE_ID": "vlt_x", "DUST_EMPTY": ""}, frozenset())

BEYOND_SCHEMA = {
    "the grammar of another language": {
        "bad_path", "bad_path_end", "bad_regex", "baseline_compare", "unknown_function",
    },
    "names inside of a path": {
        "outputs_with_input", "result_with_inputs", "results_with_input", "unknown_block_name",
        "unknown_root",
    },
    "two places held against each other": {"duplicate_id", "inputs_keys", "repeat"},
    "other files": {"dataset"},
    "the environment, and what a reference in a text finds": {
        "env_empty", "env_forbidden", "env_key", "env_no_reference", "env_unset", "env_unterminated",
    },
    "how a number is written": {"huge_number"},
}  # fmt: skip
"""Mistakes of the corpus that no JSON Schema can tell, by the reason; YAML's own are not even values."""

TOP = "app: {id: x}\nspecification_hash: latest\n"
ONE = "app: {id: x}\ncases:\n  - {id: a, specification_hash: latest, input: {}}\n"
GOOD = {
    "short": TOP + "input: {}\n",
    "hash in every case": ONE,
    "numbers as ids": (
        f"app: {{id: 123, space: 1e5}}\nspecification_hash: {'1' * 64}\ncases: [{{id: 7, input: {{}}}}]\n"
    ),
    "references": (
        "app: {id: x, space: '${env.DUST_SPACE_ID}'}\nspecification_hash: latest\ncases:\n"
        "  - {id: a, matrix: {n: [1]}, timeout: '${matrix.n}', input: {x: '${matrix.n}'}}\n"
        "  - {id: b, matrix: {n: [[{}]]}, inputs: '${matrix.n}', expect: {results: "
        "{length: '${matrix.m.0}'}}}\n"
    ).replace("matrix: {n: [[{}]]}", "matrix: {n: [[{}]], m: [[1]]}"),
    "every matcher": (
        TOP + "input: {}\nexpect:\n  result:\n"
        "    equals: {a: 1}\n    contains: 1\n    icontains: a\n    contains_any: [a]\n"
        "    contains_all: [a]\n"
        "    starts_with: a\n    ends_with: a\n    matches: a+\n    one_of: [a]\n    type: [string, 'null']\n"
        "    length: {gte: 2}\n    min_length: 1\n    max_length: {lt: 3}\n"
        "    word_count: 2\n    gt: 1\n    gte: 1\n"
        "    lt: 1.5\n    lte: 1\n    approx: {value: 1, abs: 0.1}\n    includes: {a: 1}\n    unordered: []\n"
        "    schema: {type: object}\n    json: {length: 1}\n"
        "    similar: {to: a, ratio: 0.5}\n    every: {gt: 1}\n"
        "    any: 1\n    any_of: [1, {gt: 2}]\n    all_of: [{not: 1}]\n    exists: true\n"
        "    not: {contains: a}\n"
    ),
    "marks": (
        TOP + "input: {}\n"
        "marks: [slow, {skip: why}, {xfail: why}, {owner: [a, 1]}]\nblock_filter: [A]\n"
        "flavor: poll\ntimeout: 0.5\n"
    ),
    "config": TOP + "config: {A: {x: null}}\ncases: [{id: a, inputs: [{}], config: {}}]\n",
}
BAD = {
    "no hash in one case": ONE + "  - {id: b, input: {}}\n",
    "short without hash": "app: {id: x}\ninput: {}\n",
    "short with id": TOP + "id: a\ninput: {}\n",
    "dataset at the top": TOP + "dataset: q.csv\ncases: [{id: a, input: {}}]\n",
    "matrix of text": TOP + "matrix: {a: b}\ninput: {}\n",
    "matrix of nothing": TOP + "matrix: {}\ninput: {}\n",
    "a mark without effect": TOP + "input: {}\nmarks: [{usefixtures: [a]}]\n",
    "an odd mark": TOP + "input: {}\nmarks: [{'a b': [a]}]\n",
    "inputs of text": TOP + "inputs: [a]\n",
    **{
        f"matcher {written}": TOP + f"input: {{}}\nexpect: {{result: {{{written}}}}}\n"
        for written in (
            "length: -1", "length: 1.5", "length: a", "length: {}", "gt: a", "gt: true",
            "exists: 1", "matches: 1",
            "type: str",
            "type: []", "one_of: []", "one_of: a", "approx: {abs: 1}", "approx: {value: 1, rel: -1}",
            "similar: a", "similar: {to: a, ratio: 2}", "schema: 1", "any_of: []", "any_of: {gt: 1}",
            "every: {grater: 1}", "not: {}", "any_of: [{gt: a}]", "contains_any: []",
            "unordered: a", "icontains: 1",
        )
    },
}  # fmt: skip


def validates(text: str) -> bool:
    """Whether the schema takes the suite."""
    value = yaml_reader.read(text).value
    return bool(
        jsonschema.Draft202012Validator(json.loads(SHIPPED.read_text(encoding="utf-8"))).is_valid(value)
    )


def loads(text: str, folder: Path = TESTS) -> bool:
    """Whether the plugin takes the suite."""
    try:
        cases.load(text.encode(), "t.dust.yaml", LOOK_UP, Here(folder, MATCHERS))
    except SuiteError:
        return False
    return True


# ── the schema ───────────────────────────────────────────────────────────────────────────────────


def test_the_shipped_schema_is_the_printed_one(project):
    """`pytest --dust-schema` prints what the package ships, and nothing else."""
    result = project.run("--dust-schema", subprocess=True)
    assert result.ret == 0
    assert result.out.rstrip("\n") == SHIPPED.read_text(encoding="utf-8").rstrip("\n")


def test_the_schema_is_one():
    """The schema keeps JSON Schema's own rules, and describes every key and matcher."""
    schema = json.loads(SHIPPED.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(schema["$defs"]["matchers"]["properties"]) == set(MATCHERS)
    described = {**schema["then"]["properties"], **schema["$defs"]["case"]["properties"]}
    assert set(described) == set(KEYS)
    assert all(each["description"] for each in described.values())


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.name.removesuffix(".dust.yaml"))
def test_schema_and_validator_agree_on_broken_suites(path):
    """Every mistake of the corpus that a JSON Schema can tell is one for the schema, too."""
    text = path.read_bytes().decode()
    assert not loads(text, path.parent)
    beyond = path.name.removesuffix(".dust.yaml") in set().union(*BEYOND_SCHEMA.values())
    assert beyond == (validates(text) and not yaml_reader.read(text).problems)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_schema_and_validator_agree_on_the_examples(path):
    """The example suites are good for both."""
    text = path.read_text(encoding="utf-8")
    assert (validates(text), loads(text, path.parent)) == (True, True)


@pytest.mark.parametrize("name", GOOD)
def test_schema_and_validator_agree_on_good_suites(name):
    """What the plugin takes, the schema takes: every key, every matcher, references and both forms."""
    assert (validates(GOOD[name]), loads(GOOD[name])) == (True, True)


@pytest.mark.parametrize("name", BAD)
def test_schema_and_validator_agree_on_bad_suites(name):
    """What the plugin refuses for its form, the schema refuses."""
    assert (validates(BAD[name]), loads(BAD[name])) == (False, False)


def test_every_matcher_is_in_a_good_suite():
    """The good suites leave out no matcher."""
    assert all(f"    {name}: " in GOOD["every matcher"] for name in MATCHERS)


# ── the apps ─────────────────────────────────────────────────────────────────────────────────────


def test_apps_are_a_table(project, server):
    """`--dust-apps` lists name, id, the hash now saved and the blocks, and runs nothing."""
    result = project.using(server).run("--dust-apps")
    assert result.ret == 0
    lines = result.out.splitlines()
    head = next(at for at, line in enumerate(lines) if re.match(r"name +id +saved hash +blocks$", line))
    assert len(lines[head + 1 :]) == len(dust_server.APPS)
    for line, app in zip(lines[head + 1 :], dust_server.APPS.values(), strict=True):
        assert line.split()[:3] == [app.name, app.id, server.hash(app.id)]
        assert line.endswith(", ".join(dict.fromkeys(block.name for block in app.blocks)))
    assert server.runs == 0


def test_the_table_follows_what_is_saved(project, server):
    """The hash is that of what is saved now."""
    server.save_edited(APP)
    assert server.hash(APP, "v2") in project.using(server).run("--dust-apps").out


@pytest.mark.parametrize("errand", ["--dust-apps", "--dust-new=9f1d3b5a7c"])
@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("DUST_API_KEY", "DUST_API_KEY"),
        ("DUST_WORKSPACE_ID", "--dust-workspace"),
        ("DUST_SPACE_ID", "--dust-space"),
    ],
)
def test_what_is_missing_is_said(project, server, errand, missing, words):
    """Without key, workspace or space the errand ends as a wrong use of pytest, and says what to set."""
    result = project.using(server).exporting(**{missing: ""}).run(errand)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert words in result.err
    assert "Traceback" not in result.out + result.err
    assert server.requests == []


@pytest.mark.parametrize(
    ("content", "status"),
    [("[]", 200), ("{}", 200), ('{"apps": 1}', 200), ("<html>", 200), ("", 500), ("no", 404)],
)
def test_a_service_that_lists_no_apps_is_told(project, server, content, status):
    """An answer that is no list of apps ends in one message."""
    server.say(content, status)
    result = project.using(server).run("--dust-apps")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: " in result.err
    assert "Traceback" not in result.out + result.err


NOTHING = {"sId": "abc", "name": "Bare", "savedSpecification": None, "savedConfig": None, "savedRun": None}


@pytest.mark.parametrize(
    "app",
    [
        NOTHING,
        {"sId": "abc", "name": "Bare"},
        {**NOTHING, "savedSpecification": "[", "savedConfig": "[]", "savedRun": "gone"},
        {**NOTHING, "savedSpecification": '[1, {"type": "llm"}]', "savedConfig": "{", "savedRun": 7},
        {**NOTHING, "savedSpecification": '[{"type": "llm", "name": "A"}]', "savedConfig": '{"A": 1}'},
    ],
)
def test_an_app_of_which_little_is_known_is_listed(project, server, app):
    """An app without specification, config or run is listed, and its first suite is one, too."""
    example = project.using(server)
    server.behaviour = lambda request: list_of(app) if request.path.endswith("/apps") else None
    listed = example.run("--dust-apps")
    assert listed.ret == 0
    assert re.search(r"^Bare +abc +unknown", listed.out, re.MULTILINE)
    made = example.run("--dust-new", "abc")
    assert (made.ret, set(made.example.files)) == (0, {"bare.dust.yaml", "pytest.ini"})
    assert good(made.example.files["bare.dust.yaml"])


def list_of(*apps):
    """The service's reply that lists these apps."""
    return dust_server.json_reply({"apps": list(apps)})


def good(source: bytes) -> bool:
    """Whether the suite is good for plugin and schema."""
    return loads(source.decode()) and validates(source.decode())


# ── the first suite ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("app", dust_server.APPS)
def test_a_first_suite_runs_as_it_is_written(project, server, app):
    """`--dust-new` writes a suite that records and passes at once, for every app of the space."""
    made = project.using(server).run("--dust-new", app)
    assert made.ret == 0
    (name,) = set(made.example.files) - {"pytest.ini"}
    assert good(made.example.files[name])
    assert server.hash(app) in made.example.files[name].decode()
    assert server.runs == 0
    recorded = made.example.run(name, "--dust-mode=record")
    assert recorded.outcomes == {"passed": 1}, recorded.out
    assert recorded.example.offline().run().outcomes == {"passed": 1}


def test_it_may_be_given_a_file(project, server):
    """A second word names the file, in a folder that need not be there, and the next command is told."""
    made = project.using(server).run("--dust-new", APP, "new/answer.dust.yaml")
    assert "pytest new/answer.dust.yaml --dust-mode=record" in made.out
    assert made.example.run("new/answer.dust.yaml", "--dust-mode=record").outcomes == {"passed": 1}


def test_a_file_that_is_there_is_kept(project, server):
    """An existing file is not overwritten."""
    example = project.using(server).having({"a.dust.yaml": "mine"})
    result = example.run("--dust-new", APP, "a.dust.yaml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "a.dust.yaml exists; name another FILE, or remove it" in result.err
    assert result.example.files["a.dust.yaml"] == b"mine"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nope",), "the space vlt_example has no app nope; it has: 9f1d3b5a7c (support-answer)"),
        ((APP, "a.yaml"), "end its name in .dust.yaml"),
        ((APP, "a.dust.yaml", "b"), "at most one FILE"),
        ((APP, "pytest.ini/a.dust.yaml"), "cannot write a.dust.yaml: "),
    ],
)
def test_what_cannot_be_written_is_said(project, server, words, told):
    """An unknown app, and a file that would be no suite or cannot be made, end in one message."""
    result = project.using(server).run("--dust-new", *words)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert told in result.err
    assert set(result.example.files) == {"pytest.ini"}


ODD = [
    'it\'s "odd"',
    "two\nlines",
    "tab\there",
    "größe 你好",
    "# no: comment",
    "",
    "${row.x}",
    "a\u2028b",
    "\x1b[31m",
    "no",
    "- x",
    "x" * 500,
]


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_odd_names_still_make_a_suite(project, server, name):
    """Whatever an app, its blocks and its input are called or hold, its first suite is a good one."""
    block = {"type": "llm", "name": name, "config": {name: name, "deep": [{name: name}]}, "spec": {}}
    read = {"type": "code", "name": "B", "spec": {"code": "x = env['state']['INPUT']['a b'] + INPUT.no"}}
    app = {**NOTHING, "name": name, "savedSpecification": json.dumps([block, read])}
    run = {"traces": [[["input", "INPUT"], [[{"value": {name: name, "n": [None, 1.5, name]}}]]]]}
    server.behaviour = lambda request: (
        list_of({**app, "savedRun": "r1"})
        if request.path.endswith("/apps")
        else dust_server.json_reply({"run": run})
    )
    result = project.using(server).run("--dust-new", "abc", "a.dust.yaml")
    assert result.ret == 0
    source = result.example.files["a.dust.yaml"]
    assert good(source), source.decode()
    (case,) = cases.load(source, "a.dust.yaml", LOOK_UP)
    assert case.inputs == [{name: name, "n": [None, 1.5, name]}]
    assert case.config == {name: {name: name, "deep": [{name: name}]}}


def test_the_file_is_named_after_the_app(project, server):
    """Without FILE the name is the app's, in plain letters, or its id where nothing is left of it."""
    for name, file in [("Größe: A/b!", "gr-e-a-b.dust.yaml"), ("你好", "abc.dust.yaml")]:
        server.behaviour = lambda _request, name=name: list_of({**NOTHING, "name": name})
        made = project.using(server).run("--dust-new", "abc")
        assert set(made.example.files) == {file, "pytest.ini"}


def test_nothing_else_happens(project, server):
    """An errand collects and runs no test."""
    example = project.using(server).having({"test_it.py": "open('ran', 'w').close()\n"})
    for words in (("--dust-apps",), ("--dust-schema",), ("--dust-new", APP)):
        result = example.run(*words)
        assert (result.ret, "collected" in result.out, "ran" in result.example.files) == (0, False, False)
