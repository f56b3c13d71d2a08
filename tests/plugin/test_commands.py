"""`--dust-apps` on any terminal, and first suites of any app: what is written is read back as it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conftest import OTHERS_PLUGINS, SUPPORT, dust_server
from pytest_dust.dust.catalog import Listed
from pytest_dust.plugin.commands import _suite as first_suite
from pytest_dust.report.apps import table
from pytest_dust.report.columns import padded, width, wrapped
from pytest_dust.suite import cases, references

HASH = "ab" * 32
LOOK_UP = references.environment({}, frozenset())
BARE = {"sId": "abc", "name": "Bare", "savedSpecification": None, "savedConfig": None, "savedRun": None}


def app(**more):
    """An app as it is listed."""
    known = {
        "id": "abc",
        "name": "An app",
        "specification_hash": HASH,
        "blocks": (),
        "config": {},
        "input": {},
    }
    return Listed(**{**known, **more})


def listing(server, *apps, run=None):
    """Let the service list these apps; each has this last run, or a deleted one."""

    def behaviour(request):
        if request.path.endswith("/apps"):
            return dust_server.json_reply({"apps": list(apps)})
        if run is None:
            return dust_server.json_reply({"error": {"type": "run_error", "message": "x"}}, status=400)
        return dust_server.json_reply({"run": run})

    server.behaviour = behaviour


def block(kind, name, **config):
    """A block as it is saved."""
    return {"type": kind, "name": name, "spec": {}, "config": config, "indent": 0}


# ── the list ─────────────────────────────────────────────────────────────────────────────────────

REASONS = {
    "never run": (None, None, "it was never run in Dust"),
    "deleted": ("r1", None, "its last run in Dust is deleted"),
    "no hash": ("r1", {"traces": []}, "its last run in Dust names no hash"),
    "no good hash": ("r1", {"specification_hash": "latest"}, "its last run in Dust names no hash"),
}


@pytest.mark.parametrize("name", REASONS)
def test_an_unknown_hash_has_a_reason(project, server, name):
    """`--dust-apps` says `unknown` with the reason, and so does a first suite that says `latest`."""
    saved, run, words = REASONS[name]
    listing(server, {**BARE, "savedRun": saved}, run=run)
    listed = project.using(server).run("--dust-apps")
    assert f"Bare  abc  unknown: {words}" in listed.out
    made = project.using(server).run("--dust-new", "abc")
    text = made.example.files["bare.dust.yaml"].decode()
    assert f"# `latest`, as no hash is known to pin: {words}." in text
    assert "\nspecification_hash: latest\n" in text


def test_a_run_that_cannot_be_read_is_told(project, server):
    """Where the last run is refused, the reason is the service's."""
    listing(server, {**BARE, "savedRun": "r1"})
    listed = server.behaviour

    def behaviour(request):
        return dust_server.json_reply({}, status=403) if "/runs/" in request.path else listed(request)

    server.behaviour = behaviour
    result = project.using(server).exporting(COLUMNS="60").run("--dust-apps")
    assert "its last run in Dust cannot be read" in " ".join(result.out.split())


APPS = [
    app(name="größe ✓ 你好", id="9f1d3b5a7c", blocks=(("llm", "CLASSIFY"), ("code", "你好"))),
    app(name="x\u0301" * 8, id="b" * 10, specification_hash=None, unknown="it was never run in Dust"),
    app(name="x" * 300, id="c" * 10, blocks=tuple(("code", f"BLOCK_{at}") for at in range(40))),
    app(name="", id="d" * 10),
]


@pytest.mark.parametrize("columns", [1, 20, 40, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(columns):
    """But for ids and hashes, which are never broken, and the blocks of a table, nothing passes the edge."""
    lines = list(table(APPS, columns))
    assert HASH in "\n".join(lines)
    if columns >= 20 and "name" not in lines[0].split()[:1]:
        whole = [line for line in lines if HASH not in line and width(line) > columns]
        assert whole == []


def test_columns_stand_below_one_another():
    """Wide characters count two columns and combining ones none."""
    head, *rows = table(APPS[:2])
    at = head.index("id")
    assert [width(row.partition(one.id)[0]) for row, one in zip(rows, APPS, strict=False)] == [at, at]


def test_a_narrow_terminal_gets_the_apps_one_below_the_other():
    """Where the table does not fit, each app has some lines, with all that the table has."""
    assert list(table(APPS[:2], 40)) == [
        "größe ✓ 你好",
        "  id      9f1d3b5a7c",
        f"  hash    {HASH}",
        "  blocks  CLASSIFY, 你好",
        "x\u0301" * 8,
        f"  id      {'b' * 10}",
        "  hash    unknown: it was never run in",
        "          Dust",
        "  blocks",
    ]


@given(st.text(max_size=60), st.integers(2, 20))
def test_wrapped_text_is_all_there_and_fits(text, columns):
    """A wrapped text keeps its words and their order, in lines that fit."""
    lines = list(wrapped(text, columns))
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(width(line) <= columns for line in lines)
    assert all(width(padded(line, columns)) == columns for line in lines)


def process(example_, *args, **environ):
    """A pytest in a process of its own, its output as bytes."""
    example_.write()
    own = {**os.environ, "PYTEST_ADDOPTS": OTHERS_PLUGINS, **example_.environ, **environ}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *args], cwd=example_.root, env=own, capture_output=True, check=False
    )


@pytest.mark.parametrize("encoding", ["ascii:strict", "cp1252", "utf-8", "utf-16"])
def test_any_encoding_will_do(project, server, encoding):
    """Whatever stdout encodes, the list is printed, with escapes for what it cannot."""
    listing(
        server, {**BARE, "name": "größe 你好 🙂", "savedSpecification": json.dumps([block("llm", "naïve")])}
    )
    done = process(project.using(server), "--dust-apps", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    name = encoding.partition(":")[0]
    text = done.stdout.decode(name)
    wanted = "größe 你好 🙂".encode(name, "backslashreplace").decode(name)
    assert f"{wanted}  abc  unknown" in text


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_first_suite_is_utf_8_whatever_stdout_is(project, server, encoding):
    """The file that `--dust-new` writes does not depend on the terminal."""
    run = {"traces": [[["input", "INPUT"], [[{"value": {"wörd": "你好"}}]]]]}
    listing(server, {**BARE, "name": "größe 你好", "savedRun": "r1"}, run=run)
    example_ = project.using(server)
    done = process(example_, "--dust-new", "abc", "größe.dust.yaml", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    (case,) = cases.load(example_.left().files["größe.dust.yaml"], "a", LOOK_UP)
    assert case.inputs == [{"wörd": "你好"}]


def test_a_pipe_that_is_closed_is_no_error(project, server):
    """A reader that has seen enough, as `head` has, ends the list without a word."""
    listing(server, *({**BARE, "sId": f"app{at}", "name": "n" * 4000} for at in range(100)))
    example_ = project.using(server)
    example_.write()
    command = f"{sys.executable} -m pytest --dust-apps | head -c 100"
    own = {**os.environ, "PYTEST_ADDOPTS": OTHERS_PLUGINS, **example_.environ}
    done = subprocess.run(command, shell=True, cwd=example_.root, env=own, capture_output=True, check=False)
    assert (len(done.stdout), done.stderr) == (100, b"")


def test_a_pipe_has_no_edge(project, server):
    """Where stdout is no terminal and COLUMNS is not set, each app is one line."""
    listing(server, {**BARE, "name": "n" * 300})
    environ = {"COLUMNS": ""}
    done = process(project.using(server), "--dust-apps", **environ)
    assert b"n" * 300 + b"  abc  unknown" in done.stdout


# ── config that blocks need ──────────────────────────────────────────────────────────────────────

KINDS = {
    "llm": {"provider_id": "openai", "model_id": "gpt-4o", "use_cache": False},
    "chat": {"provider_id": "anthropic", "model_id": "claude", "function_call": "auto"},
    "search": {"provider_id": "serpapi", "use_cache": True},
    "data_source": {"data_sources": [{"workspace_id": "w", "data_source_id": "d"}], "top_k": 8},
    "database": {"tables": [{"workspace_id": "w", "table_id": "t", "data_source_id": "d"}]},
    "curl": {"use_cache": False},
}


@pytest.mark.parametrize("place", ["savedConfig", "run", "block"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_config_of_every_block_is_written(project, server, kind, place):
    """Whatever a block needs is in the first suite, from where it is saved; the input's own is not."""
    config, typed = KINDS[kind], {"type": kind, **KINDS[kind]}
    blocks = [block("input", "INPUT", dataset="d"), block(kind, "B", **(config if place == "block" else {}))]
    saved = {"INPUT": {"type": "input", "dataset": "d"}, **({"B": typed} if place == "savedConfig" else {})}
    run = {"config": {"blocks": {"B": typed} if place == "run" else {}}}
    listed = {"savedSpecification": json.dumps(blocks), "savedConfig": json.dumps(saved), "savedRun": "r1"}
    listing(server, {**BARE, **listed}, run=run)
    made = project.using(server).run("--dust-new", "abc")
    source = made.example.files["bare.dust.yaml"]
    (case,) = cases.load(source, "a", LOOK_UP)
    assert case.config == {"B": config}
    assert b"needs it" not in source


@pytest.mark.parametrize("kind", KINDS)
def test_config_that_is_not_saved_is_asked_for(project, server, kind):
    """A block whose config is not saved, and that cannot run without, is named with what it needs."""
    listing(server, {**BARE, "savedSpecification": json.dumps([block(kind, "B")])})
    text = project.using(server).run("--dust-new", "abc").example.files["bare.dust.yaml"].decode()
    (case,) = cases.load(text.encode(), "a", LOOK_UP)
    assert case.config == {}
    needed = [key for key in KINDS[kind] if key in ("provider_id", "model_id", "data_sources", "tables")]
    asked = (
        f"  # B: {{{', '.join(f'{key}: …' for key in needed)}}}  # not saved in Dust; a block of type {kind}"
    )
    assert (asked in text) == bool(needed)


# ── whatever is in it ────────────────────────────────────────────────────────────────────────────

ODD = [
    *("${row.x}", "$${", "$$${a}", "two\nlines\n", "\x85\u2028\u2029", "\ufeff", "no", "~", "NaN", ".inf"),
    *("0x1f", "12:30", "- x", "# no", "", " ", "'", '"', "\\", "x" * 2000, "\U0001f642", "\ud800", "a: b"),
    *("<<", "!!str", "&a", "*a", "%", "@", "`", "{", "[", "null", "true", "Null", "1e3", "{{x}}", "? x"),
]
texts = st.text(max_size=30) | st.sampled_from(ODD)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(texts, each, max_size=3),
    max_leaves=8,
)
mappings = st.dictionaries(texts, values, max_size=4)
listed_apps = st.builds(
    app,
    name=texts,
    specification_hash=st.none() | st.just(HASH),
    unknown=texts,
    blocks=st.lists(st.tuples(st.sampled_from([*KINDS, "code", "odd\nkind"]), texts), max_size=4).map(tuple),
    config=st.dictionaries(texts, mappings, max_size=3),
    input=mappings,
)


@settings(max_examples=75, deadline=None)
@given(listed_apps)
@example(
    app(name="a\x85cases: []", blocks=(("llm\u2028x: 1", "B\nc: 2"),), unknown="why\nspecification_hash: x")
)
@example(app(input={"k" * 5000: {"k" * 5000: 1}}, config={"k" * 5000: {"k" * 5000: "${env.X}"}}))
def test_what_is_written_is_read_back(listed):
    """For any app, the first suite is collected and holds input and config as they were."""
    text = first_suite(listed, Path())
    (case,) = cases.load(text.encode(), "a", LOOK_UP)
    assert (case.app.id, case.id) == ("abc", "first")
    assert case.specification_hash == (listed.specification_hash or "latest")
    for found, wanted in ((case.inputs, [listed.input]), (case.config, listed.config)):
        if _is_utf8(wanted):
            assert json.dumps(found) == json.dumps(wanted)


def _is_utf8(value):
    """Whether the value has no half of a surrogate pair, which no UTF-8 file holds."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def nested(depth):
    """A mapping in mappings."""
    return {"a": nested(depth - 1)} if depth else {}


def test_what_no_suite_can_hold_is_left_out_and_said():
    """Input or config that YAML cannot hold is left out, with a word, and the rest is there."""
    deep = app(input=nested(200), config={"A": {"provider_id": "x"}}, blocks=(("search", "A"),))
    text = first_suite(deep, Path())
    (case,) = cases.load(text.encode(), "a", LOOK_UP)
    assert (case.inputs, case.config) == ([{}], {"A": {"provider_id": "x"}})
    assert "that of the last run in Dust holds what no suite can" in text
    text = first_suite(app(input={"a": 1}, config={"A": nested(200)}), Path())
    (case,) = cases.load(text.encode(), "a", LOOK_UP)
    assert (case.inputs, case.config) == ([{"a": 1}], {})
    assert "The saved config holds what no suite can" in text


@pytest.mark.parametrize("id_", ["../x", "a b", "", "é", "x\ny"])
def test_an_app_that_no_address_can_name_is_refused(project, server, id_):
    """An app whose id stands in no address has no suite, and the message says so."""
    listing(server, {**BARE, "sId": id_})
    result = project.using(server).run("--dust-new", id_)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "no suite can name the app" in result.err
    assert set(result.example.files) == {"pytest.ini"}


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("x" * 500, "x" * 60 + ".dust.yaml"),
        ("../../etc", "etc.dust.yaml"),
        (".", "abc.dust.yaml"),
        ("a/b\\c", "a-b-c.dust.yaml"),
        ("Größe: A/b!", "gr-e-a-b.dust.yaml"),
        ("你好", "abc.dust.yaml"),
    ],
)
def test_the_file_has_a_name_that_disks_hold(project, server, name, file):
    """The file stands in the folder, under a name of plain letters that is not too long."""
    listing(server, {**BARE, "name": name})
    made = project.using(server).run("--dust-new", "abc")
    assert set(made.example.files) == {file, "pytest.ini"}


def test_a_misspelt_app_is_told_the_nearest(project, server):
    """`--dust-new` with an id that the space has not names the nearest one."""
    result = project.using(server).run("--dust-new", SUPPORT[:-1] + "d")
    assert f"(did you mean {SUPPORT}?)" in result.err


def test_an_app_list_without_apps_says_so():
    """An empty space is told as one."""
    assert list(table([])) == ["the space has no apps"]
