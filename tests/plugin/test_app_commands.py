"""`--dust-apps` lists the apps of a space; `--dust-new` writes the first suite of one."""

from __future__ import annotations

import json
import re

import pytest
from suite_texts import LOOK_UP, loads, validates

from conftest import dust_server
from pytest_dust.suite import cases

APP = "9f1d3b5a7c"


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


@pytest.mark.parametrize("command", ["--dust-apps", "--dust-new=9f1d3b5a7c"])
@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("DUST_API_KEY", "DUST_API_KEY"),
        ("DUST_WORKSPACE_ID", "--dust-workspace"),
        ("DUST_SPACE_ID", "--dust-space"),
    ],
)
def test_what_is_missing_is_said(project, server, command, missing, words):
    """Without key, workspace or space the command ends as a wrong use of pytest, and says what to set."""
    result = project.using(server).exporting(**{missing: ""}).run(command)
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
    """Give the service's reply that lists these apps."""
    return dust_server.json_reply({"apps": list(apps)})


def good(source: bytes) -> bool:
    """Tell whether plugin and schema accept the suite."""
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


@pytest.mark.parametrize(
    "words", [("--dust-apps",), ("--dust-schema",), ("--dust-new", APP)], ids=lambda words: words[0]
)
def test_nothing_else_happens(project, server, words):
    """A command collects and runs no test."""
    example = project.using(server).having({"test_it.py": "open('ran', 'w').close()\n"})
    result = example.run(*words)
    assert (result.ret, "collected" in result.out, "ran" in result.example.files) == (0, False, False)
