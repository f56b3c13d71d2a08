"""`--dust-accept` and `--dust-reject`: what was reviewed is kept, and nothing is asked twice."""

from __future__ import annotations

import re

import pytest

from conftest import SUPPORT, filled, suite
from pytest_dust.cassettes import format as cassette
from pytest_dust.run import acceptance

V2 = "v2"
CASES = """\
cases:
  - id: refund
    description: About money
    input: {question: Where is my refund?}
    expect: {result.label: billing, result.answer: {contains: refund}}
  - id: parcel  # as it is
    input: {question: Where is my parcel?}
    expect:
      result.label: shipping
  - id: models
    matrix: {model: [gpt-4o, gpt-4o-mini]}
    config: {CLASSIFY: {model_id: "${matrix.model}"}}
    input: {question: Where is my refund?}
    expect: {result.label: 'billing'}
  - id: rows
    dataset: rows.csv
    input: {question: "${row.question}"}
    expect: {result.label: "${row.label}"}
  - id: again
    input: {question: My refund?}
    repeat: {runs: 3, min_pass: 2}
    expect:
      result.label: "billing"
"""
ROWS = 'id,question,label\r\none,"Where is my refund?","billing"\r\ntwo,Where is my parcel?,shipping\r\n'
TEST = """\
def test_it(dust):
    for question in ("Where is my refund?", "Where is my parcel?"):
        dust.run(app='9f1d3b5a7c', specification_hash=HASH, config=CONFIG, input={'question': question})
"""


def pending(example):
    """The names of the pending answers in a project."""
    found = (name for name in example.files if name.startswith(".dust/pending/"))
    return {name.removeprefix(".dust/pending/") for name in found if not name.endswith("edited.json")}


def others(example, *names):
    """The files of a project that people write, without some."""
    return {
        name: text
        for name, text in example.files.items()
        if name.endswith((".yaml", ".csv", ".py", ".ini", ".jsonl")) and name not in names
    }


def untouched(one, other):
    """True if two projects have the same files, apart from pytest's cache."""
    kept = (
        {n: t for n, t in each.files.items() if not n.startswith(".pytest_cache")} for each in (one, other)
    )
    return next(kept) == next(kept)


def newer(server):
    """The option that runs the second version of the app."""
    return f"--dust-specification-hash={server.hash(SUPPORT, V2)}"


@pytest.fixture
def many(project, server):
    """A recorded project with plain cases, a matrix, a dataset, a repeated case and a Python test."""
    files = {
        "a.dust.yaml": suite(server, SUPPORT, CASES),
        "rows.csv": ROWS,
        "test_it.py": filled(TEST, server),
    }
    example = project.having(files).using(server).recorded()
    server.requests.clear()
    return example


# ── what is kept ─────────────────────────────────────────────────────────────────────────────────


def test_every_case_of_another_version_is_pending(many, server):
    """Where another version ran, each answer is kept, whether it changed or not, with all its attempts."""
    result = many.run(newer(server))
    assert pending(result.example) == {
        *(f"a.dust.yaml/{name}.json" for name in ("refund", "parcel", "again")),
        *(f"a.dust.yaml/{name}.json" for name in ("models[gpt-4o]", "models[gpt-4o-mini]")),
        *(f"a.dust.yaml/{name}.json" for name in ("rows[one]", "rows[two]")),
        "test_it.py/test_it.json",
        "test_it.py/test_it[2].json",
    }
    kept = cassette.loads(result.example.files[".dust/pending/a.dust.yaml/again.json"])
    assert len(kept.replies) == 3
    assert result.example.cassettes == many.cassettes
    assert result.example.files[".dust/.gitignore"] == b"*\n"
    assert (
        "dust: 9 answers are pending (.dust/pending); see and accept them: pytest --dust-review" in result.out
    )


def test_the_last_lines_say_how_to_go_on(many, server):
    """Below pytest's own summary stand the numbers, the blocks in which changes begin, and one command."""
    result = many.run("a.dust.yaml", newer(server))
    *_, counts, command, last = result.out.splitlines()
    assert re.fullmatch(
        r"dust: app 9f1d3b5a7c: 2 unchanged, 5 changed, beginning 5 in CLASSIFY \(llm\)", counts
    )
    assert command.endswith("see and accept them: pytest a.dust.yaml --dust-review")
    assert " failed" in last


def test_a_live_run_as_recorded_is_not_pending(many, server):
    """A live run that is as recorded leaves nothing, and removes what an earlier one left."""
    changed = many.run(newer(server)).example
    result = changed.run("--dust-mode=live")
    assert pending(result.example) == set()
    assert "dust: 0 answers" not in result.out
    assert "--dust-review" not in result.out


@pytest.mark.parametrize(
    ("old", "new"),
    [("result.label: billing", "result.label: account"), ("Where is my parcel?}", "Where is it?}")],
    ids=["fails an expectation", "has no cassette that fits"],
)
def test_a_live_run_of_the_pinned_version_is_pending(many, old, new):
    """A live run is kept too if it fails an expectation, or if no cassette fits it."""
    result = many.replacing("a.dust.yaml", old, new).run("--dust-mode=live")
    assert pending(result.example) == {f"a.dust.yaml/{'refund' if 'label' in old else 'parcel'}.json"}


def test_a_changed_live_run_is_pending(many, server):
    """A live run that passes and differs from its cassette is kept."""
    server.alter(
        lambda run: run["traces"][-1][1][0][0].update(value={"label": "billing", "answer": "refund!"})
    )
    result = many.run("--dust-mode=live", "-k", "refund and not models")
    assert result.outcomes["passed"] == 1
    assert pending(result.example) == {"a.dust.yaml/refund.json"}


def test_the_folder_may_be_another(many, server):
    """`--dust-pending-dir` on the command line is relative to the working directory."""
    kept = many.run(newer(server), "--dust-pending-dir=waiting").example
    assert "waiting/a.dust.yaml/refund.json" in kept.files
    assert kept.files["waiting/.gitignore"] == b"*\n"
    assert not any(name.startswith(".dust/") for name in kept.files)
    result = kept.offline().run("--dust-accept", "--dust-edit", "--dust-pending-dir=waiting")
    assert "a.dust.yaml: 7 answers accepted" in result.out


def test_xdist_workers_keep_theirs(many, server):
    """Answers of all pytest-xdist workers are kept and counted once."""
    result = many.run(newer(server), "-n", "2", subprocess=True)
    assert "dust: 9 answers are pending (.dust/pending)" in result.out
    assert len(pending(result.example)) == 9


# ── accepted ─────────────────────────────────────────────────────────────────────────────────────


def test_accepted_cases_replay_green(many, server):
    """After one live run and one command, all replays, and only values and hashes were edited."""
    kept = many.run(newer(server)).example.offline()
    asked = len(server.requests)
    result = kept.run("--dust-accept", "--dust-edit", "-n", "2", "-p", "xdist")
    assert len(server.requests) == asked
    assert result.ret == 0
    assert "dust: a.dust.yaml: 7 answers accepted; edited: specification_hash " in result.out
    text = many.files["a.dust.yaml"].decode()
    text = text.replace(server.hash(SUPPORT), server.hash(SUPPORT, V2)).replace(
        "label: billing", "label: shipping"
    )
    text = text.replace("'billing'", "'shipping'").replace('"billing"', '"shipping"')
    assert result.example.files["a.dust.yaml"].decode() == text
    assert result.example.files["rows.csv"].decode() == ROWS.replace('"billing"', '"shipping"')
    assert others(result.example, "a.dust.yaml", "rows.csv") == others(many, "a.dust.yaml", "rows.csv")
    assert pending(result.example) == set()
    by_hand = result.example.replacing("a.dust.yaml", "contains: refund", "contains: parcel")
    by_hand = by_hand.replacing("test_it.py", server.hash(SUPPORT), server.hash(SUPPORT, V2))
    assert by_hand.run().outcomes == {"passed": 8}


def test_typed_cells_under_another_delimiter_are_edited(project, server):
    """`--dust-edit` writes new values of each type into a CSV file with `;`, and leaves all other bytes."""
    rows = (
        "\ufeffsep=;\r\nid;question;label:json;length:number;note\r\n"
        '"one";Where is my refund?;"[ ""billing"" , 1]";7;"a;b"\r\n\r\ntwo;"My refund, please";;;\r\n'
    )
    cases = """\
cases:
  - id: rows
    dataset: rows.csv
    input: {question: "${row.question}"}
    expect:
      "[result.label, `1`]": "${row.label}"
      length(result.label): "${row.length}"
"""
    files = {"a.dust.yaml": suite(server, SUPPORT, cases), "rows.csv": rows.encode()}
    example = project.having(files).using(server).recorded()
    result = example.run(newer(server)).example.offline().run("--dust-accept", "--dust-edit")
    edited = rows.replace('""billing"" , 1', '""shipping"" , 1').replace(';7;"a', ';8;"a')
    edited = edited.replace(";;;\r\n", ';"[""shipping"", 1]";8;\r\n')
    assert result.example.files["rows.csv"].decode() == edited
    assert result.example.run().outcomes == {"passed": 2}


def test_what_cannot_be_edited_is_listed(many, server):
    """Matchers, and hashes in Python code, are listed with file, line and the new value."""
    kept = many.run(newer(server)).example.offline()
    result = kept.run("--dust-accept", "--dust-edit")
    assert "dust: 2 values to edit by hand:" in result.out
    line = many.files["a.dust.yaml"].decode().splitlines().index(CASES.splitlines()[4]) + 1
    assert re.search(
        rf"  a\.dust\.yaml:{line}: result\.answer: now \"[^\n]+\" \(contains is no literal\)\n", result.out
    )
    hash_ = server.hash(SUPPORT, V2)
    assert f'  test_it.py:1: specification_hash: now "{hash_}" (Python code is not edited)' in result.out


def test_without_edit_only_the_hash_is_edited(many, server):
    """`--dust-accept` alone pins the hash, and lists the values that `--dust-edit` would have written."""
    result = many.run(newer(server)).example.offline().run("a.dust.yaml", "--dust-accept")
    text = many.files["a.dust.yaml"].decode()
    assert result.example.files["a.dust.yaml"].decode() == text.replace(
        server.hash(SUPPORT), server.hash(SUPPORT, V2)
    )
    assert result.out.count("(accepted without --dust-edit, which is the key e in a review)") == 4
    assert result.example.files["rows.csv"].decode() == ROWS


def test_the_accepted_cassette_is_the_answer(many, server):
    """The new cassette holds the reviewed answer, bound to the version that ran, and no word of its past."""
    kept = many.run(newer(server)).example.offline()
    name = "a.dust.yaml/refund.json"
    result = kept.run("--dust-accept", "-k", "refund and not models")
    waiting, now = (
        cassette.loads(example.files[path])
        for example, path in ((kept, f".dust/pending/{name}"), (result.example, "cassettes/a/refund.json"))
    )
    assert now.replies == waiting.replies
    assert now.recorded_at == waiting.recorded_at
    assert now.request["specification_hash"] == server.hash(SUPPORT, V2)
    assert now.specification == waiting.specification
    assert now.notes is None


PARTS = {
    "an id": ["a.dust.yaml::refund"],
    "a keyword": ["-k", "refund and not models"],
    "a mark": ["-m", "money"],
}


@pytest.mark.parametrize("selection", PARTS.values(), ids=PARTS)
def test_a_part_of_a_suite_gets_the_hash_at_its_cases(many, server, selection):
    """If only some cases of a suite are accepted, these alone pin the new hash; the others replay."""
    marked = many.replacing("a.dust.yaml", "description: About money", "marks: [money]")
    marked = marked.having({"pytest.ini": "[pytest]\nmarkers = money\n"})
    kept = marked.run(newer(server)).example.offline()
    result = kept.run(*selection, "--dust-accept", "--dust-edit")
    lines = result.example.files["a.dust.yaml"].decode().splitlines()
    before = marked.files["a.dust.yaml"].decode().splitlines()
    added = [line for line in lines if line not in before]
    assert added[0] == f"    specification_hash: {server.hash(SUPPORT, V2)}"
    assert lines[lines.index(added[0]) - 1] == "  - id: refund"
    assert len(added) == 2
    assert len(pending(result.example)) == 8
    replayed = result.example.replacing("a.dust.yaml", "contains: refund", "contains: parcel").run()
    assert replayed.outcomes == {"passed": 8}


def test_the_rest_can_be_accepted_later(many, server):
    """An edit that accepting made is no reason to leave the suite alone when the others are accepted."""
    kept = many.run(newer(server)).example.offline()
    first = kept.run("a.dust.yaml::refund", "--dust-accept", "--dust-edit").example
    result = first.run("a.dust.yaml", "--dust-accept", "--dust-edit")
    assert "6 answers accepted; edited: specification_hash" in result.out
    text = result.example.files["a.dust.yaml"].decode()
    assert server.hash(SUPPORT) not in text
    assert "billing" not in text


def test_last_failed_cases_can_be_accepted(many, server):
    """`--lf` selects the cases that failed in the live run."""
    kept = many.run(newer(server), "-p", "cacheprovider").example.offline()
    result = kept.run("--lf", "--dust-accept", "-p", "cacheprovider")
    assert "dust: a.dust.yaml: 4 answers accepted" in result.out
    assert "accept these too: rows[two]" in result.out


def test_an_errored_run_can_be_accepted(many, server):
    """A run that ended with an error is an answer like any other."""

    def fail(run):
        run["traces"][-1][1][0][0].update(value=None, error="no such thing")
        run["status"]["run"] = run["status"]["blocks"][-1]["status"] = "errored"
        run["results"] = None

    server.alter(fail)
    kept = many.run("--dust-mode=live", "a.dust.yaml::parcel").example.offline()
    assert pending(kept) == {"a.dust.yaml/parcel.json"}
    result = kept.run("--dust-accept", "--dust-edit")
    assert "1 answer accepted" in result.out
    assert 'status: now "errored" (it is not written in the suite)' in result.out
    assert "errored in ANSWER (code): no such thing" in result.example.run("a.dust.yaml::parcel").report


def test_latest_stays_latest(made, server):
    """A suite that asks for `latest` does so after its answer is accepted."""
    cases = "input: {question: Where is my refund?}\nexpect: {result.label: billing}\n"
    example = made(SUPPORT, cases).replacing("suite.dust.yaml", server.hash(SUPPORT), "latest")
    server.save_edited(SUPPORT)
    kept = example.run("--dust-mode=live").example.offline()
    result = kept.run("--dust-accept", "--dust-edit")
    assert b"\nspecification_hash: latest\n" in result.example.files["suite.dust.yaml"]
    assert b"result.label: shipping" in result.example.files["suite.dust.yaml"]
    assert result.example.run().outcomes == {"passed": 1}


def test_latest_is_pinned_as_the_hash_that_ran(many, server):
    """After `--dust-specification-hash=latest`, the hash that ran is pinned, not the word."""
    server.save_edited(SUPPORT)
    kept = many.run("a.dust.yaml", "--dust-specification-hash=latest").example.offline()
    result = kept.run("--dust-accept")
    assert f"specification_hash: {server.hash(SUPPORT, V2)}\n" in result.example.files["a.dust.yaml"].decode()


def test_a_case_that_is_expected_to_fail_keeps_its_expectation(many, server):
    """What a case marked xfail expects is what should come, so it is not edited."""
    marked = many.replacing("a.dust.yaml", "description: About money", "marks: [{xfail: not yet}]")
    kept = marked.run(newer(server)).example.offline()
    result = kept.run("--dust-accept", "--dust-edit")
    assert b"result.label: billing, result.answer" in result.example.files["a.dust.yaml"]


def test_an_answer_that_could_not_be_recorded_can_be_accepted(one, server):
    """The pending answer of a recording that could not be written is accepted like any other."""
    one.write()
    blocked = one.root / "cassettes"

    def spoil(_request):
        if not blocked.is_file():
            for path in sorted(blocked.rglob("*"), reverse=True):
                path.rmdir()
            if blocked.exists():
                blocked.rmdir()
            blocked.write_bytes(b"x")

    server.behaviour = spoil
    result = one.run("--dust-mode=record")
    assert "then put the answer there: pytest a.dust.yaml::a --dust-accept" in result.out
    example = result.example.having({"cassettes": None}).offline()
    assert "1 answer accepted" in example.run("a.dust.yaml::a", "--dust-accept").out
    assert example.left().run().outcomes == {"passed": 1}


# ── refused ──────────────────────────────────────────────────────────────────────────────────────


def test_a_case_that_was_edited_is_refused(many, server):
    """An answer whose case asks something else by now is refused, field by field, and stays pending."""
    kept = many.run(newer(server)).example.offline()
    edited = kept.replacing("a.dust.yaml", "Where is my parcel?}", "Where is it?}")
    result = edited.run("a.dust.yaml::parcel", "--dust-accept")
    assert result.ret == 1
    assert "dust: 1 answer refused, and still pending:\n  a.dust.yaml::parcel\n" in result.out
    assert "its case has been edited since it ran: inputs[0].question\n" in result.out
    assert '"Where is my parcel?" → "Where is it?"' in result.out
    assert untouched(result.example, edited)


def test_a_hash_that_was_edited_is_refused(many, server):
    """Likewise if the suite pins a third version by now."""
    kept = many.run(newer(server)).example.offline()
    third = kept.replacing("a.dust.yaml", server.hash(SUPPORT), "a" * 64)
    result = third.run("a.dust.yaml::parcel", "--dust-accept")
    assert result.ret == 1
    assert "its case has been edited since it ran: specification_hash\n" in result.out
    assert untouched(result.example, third)


def test_a_hash_that_was_pinned_by_hand_is_right(many, server):
    """If the user has pinned the version that ran, the answer is accepted, and the suite left alone."""
    kept = many.run(newer(server)).example.offline()
    pinned = kept.replacing("a.dust.yaml", server.hash(SUPPORT), server.hash(SUPPORT, V2))
    result = pinned.run("a.dust.yaml", "--dust-accept")
    assert "7 answers accepted\n" in result.out
    assert others(result.example) == others(pinned)


def test_a_file_that_was_edited_is_not_touched(many, server):
    """A suite that the user edited since the run is left alone: no hash and no value is written."""
    kept = many.run(newer(server)).example.offline()
    edited = kept.replacing("a.dust.yaml", "# as it is", "# as it was")
    result = edited.run("a.dust.yaml", "--dust-accept", "--dust-edit")
    assert result.ret == 1
    assert untouched(result.example, edited)
    assert "a.dust.yaml was edited since the run, so it is left alone" in result.out
    assert f"write specification_hash: {server.hash(SUPPORT, V2)} there, and accept again" in result.out


def test_a_dataset_that_was_edited_is_not_touched(many, server):
    """A dataset that the user edited since the run is left alone, and its value is listed."""
    kept = many.run(newer(server)).example.offline()
    edited = kept.having({"rows.csv": ROWS + "three,Hi,other\r\n"})
    result = edited.run("a.dust.yaml", "--dust-accept", "--dust-edit")
    assert result.example.files["rows.csv"] == edited.files["rows.csv"]
    assert 'now "shipping" (rows.csv was edited since the run, so it is left alone)' in result.out


def test_runs_that_are_missing_are_refused(many, server):
    """An answer with fewer runs than its case repeats is refused."""
    kept = many.run(newer(server)).example.offline()
    name = ".dust/pending/a.dust.yaml/again.json"
    one = cassette.loads(kept.files[name])
    fewer = cassette.dumps(one.request, one.replies[:2], one.recorded_at, notes=one.notes)
    result = kept.having({name: fewer}).run("a.dust.yaml::again", "--dust-accept")
    assert (
        "it holds 2 of the 3 runs that the case needs; run it again: pytest a.dust.yaml::again" in result.out
    )
    assert result.ret == 1


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"version": 3}'])
def test_a_broken_answer_is_refused(many, server, content):
    """A pending answer that cannot be read is refused, and named; the others are accepted."""
    kept = many.run(newer(server)).example.offline()
    broken = kept.having({".dust/pending/a.dust.yaml/refund.json": content})
    result = broken.run("a.dust.yaml", "--dust-accept")
    assert result.ret == 1
    assert "the pending answer refund.json " in result.out
    assert "Traceback" not in result.out


def test_a_cassette_without_origin_is_no_pending_answer(many, server):
    """A cassette that someone copied into the folder does not say which case it is of, and is refused."""
    kept = many.run(newer(server)).example.offline()
    copied = kept.having({".dust/pending/a.dust.yaml/refund.json": many.files["cassettes/a/refund.json"]})
    result = copied.run("a.dust.yaml::refund", "--dust-accept")
    assert "is no pending answer: it does not say which case it is of" in result.out


def test_a_newer_cassette_is_not_replaced(many, server):
    """A cassette that was recorded after the pending answer came is kept, and the answer refused."""
    kept = many.run(newer(server)).example.offline()
    now = kept.files["cassettes/a/parcel.json"]
    later = re.sub(rb'"recorded_at": "\d+', b'"recorded_at": "2999', now)
    result = kept.having({"cassettes/a/parcel.json": later}).run("a.dust.yaml::parcel", "--dust-accept")
    assert result.ret == 1
    assert "its cassette is newer: 2999-" in result.out
    option = f"--dust-specification-hash={server.hash(SUPPORT, V2)}"
    assert f"run it again: pytest a.dust.yaml::parcel {option}" in result.out


def test_a_file_that_cannot_be_written_leaves_all_as_it_was(many, server, monkeypatch):
    """If a dataset cannot be edited, only the cases that need the edit are refused."""
    kept = many.run(newer(server)).example.offline()
    write = acceptance.rewrite

    def refusing(path, content):
        if path.name == "rows.csv":
            raise PermissionError(13, "Permission denied")
        write(path, content)

    monkeypatch.setattr(acceptance, "rewrite", refusing)
    result = kept.run("a.dust.yaml", "--dust-accept", "--dust-edit")
    assert "rows.csv cannot be edited: Permission denied" in result.out
    assert result.example.files["rows.csv"].decode() == ROWS
    assert "a.dust.yaml::rows[one]" in result.out
    assert result.example.files["a.dust.yaml"].count(server.hash(SUPPORT).encode()) == 1


@pytest.mark.parametrize("folder", [True, False])
def test_a_cassette_that_cannot_be_written_leaves_the_suite_alone(many, server, folder):
    """If a cassette cannot be written, its answer is refused before its suite is edited."""
    kept = many.run(newer(server)).example.offline()
    kept.write()
    place = kept.root / "cassettes/a/parcel.json"
    place.unlink()
    place.mkdir() if folder else place.symlink_to(kept.root.parent / "elsewhere.json")
    command = ("a.dust.yaml::parcel", "--dust-accept")
    result = kept.pytester.runpytest_inprocess(*command)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*the cassette cassettes/a/parcel.json *"])
    assert (kept.root / "a.dust.yaml").read_bytes() == kept.files["a.dust.yaml"]


def test_the_suggested_command_accepts_all_rows(many, server):
    """Rows share one hash, so the command in a row's report accepts them together."""
    result = many.run(newer(server))
    kept = result.example.offline()
    assert "accept it, which pins" in result.report
    assert "pytest a.dust.yaml::rows --dust-accept --dust-edit" in result.report
    accepted = kept.run("a.dust.yaml::rows", "--dust-accept", "--dust-edit")
    assert "2 answers accepted" in accepted.out


def test_a_folder_that_is_not_there_is_told(many):
    """A pending folder on the command line that does not exist is a usage error."""
    result = many.offline().run("--dust-accept", "--dust-pending-dir=nowhere", subprocess=True)
    assert result.ret == 4
    assert "--dust-pending-dir: there is no folder nowhere" in result.out + result.err


def test_a_computed_hash_is_refused(many, server):
    """A hash that the suite takes from the environment cannot be pinned; the message says what to set."""
    example = many.replacing("a.dust.yaml", server.hash(SUPPORT), "${env.DUST_PIN}")
    example = example.exporting(DUST_PIN=server.hash(SUPPORT))
    kept = example.run("a.dust.yaml", newer(server)).example
    result = kept.run("a.dust.yaml", "--dust-accept")
    assert result.ret == 1
    assert "it is computed: ${env.DUST_PIN}" in result.out
    now = kept.exporting(DUST_PIN=server.hash(SUPPORT, V2)).run("a.dust.yaml", "--dust-accept")
    assert "7 answers accepted\n" in now.out


def test_a_part_of_the_rows_cannot_be_pinned(many, server):
    """Cases that are made in one place share their hash, so all of them must be accepted."""
    kept = many.run(newer(server)).example.offline()
    result = kept.run("a.dust.yaml::rows[one]", "--dust-accept")
    assert result.ret == 1
    assert "accept these too: rows[two]" in result.out
    assert untouched(result.example, kept)


# ── values that several cases share ──────────────────────────────────────────────────────────────

SHARED = """\
expect: {result.label: billing}
cases:
  - {id: one, input: {question: Where is my refund?}}
  - {id: two, input: {question: My invoice?}}
"""


def test_a_shared_value_that_all_want_is_edited(made, server):
    """A value of the suite is edited if all its cases want the same new one."""
    example = made(SUPPORT, SHARED.replace("My invoice?", "My refund?"))
    kept = example.run(newer(server)).example.offline()
    result = kept.run("--dust-accept", "--dust-edit")
    assert b"expect: {result.label: shipping}" in result.example.files["suite.dust.yaml"]
    assert result.example.run().outcomes == {"passed": 2}


def test_a_shared_value_that_one_wants_is_listed(made, server):
    """If another case needs the old value, it stays, and is listed with the case that has it."""
    kept = made(SUPPORT, SHARED).run(newer(server)).example.offline()
    result = kept.run("--dust-accept", "--dust-edit")
    assert b"expect: {result.label: billing}" in result.example.files["suite.dust.yaml"]
    assert 'result.label: now "shipping" (two has the same value here)' in result.out


def test_a_cell_that_is_also_asked_is_listed(project, server):
    """A cell that is the input too is not edited: the case would ask something else."""
    cases = "dataset: rows.jsonl\nexpect: {result.label: '${row.label}'}\n"
    rows = '{"question": "Where is my refund?", "label": "billing"}\n'
    text = suite(server, SUPPORT, cases)
    example = project.having({"suite.dust.yaml": text, "rows.jsonl": rows}).using(server)
    kept = example.run("--dust-mode=record").example.run(newer(server)).example.offline()
    result = kept.run("--dust-accept", "--dust-edit")
    assert result.example.files["rows.jsonl"].decode() == rows
    assert 'result.label: now "shipping" (it is also what the case asks)' in result.out


def test_a_cell_that_another_suite_reads_is_listed(project, server):
    """A cell is not edited if a case of another suite would ask or expect something else then."""
    asks = suite(server, SUPPORT, "dataset: rows.csv\ninput: {question: '${row.label}'}\n")
    expects = suite(
        server,
        SUPPORT,
        "dataset: rows.csv\ninput: {question: '${row.question}'}\nexpect: {result.label: '${row.label}'}\n",
    )
    files = {"a.dust.yaml": expects, "b.dust.yaml": asks, "rows.csv": ROWS}
    example = project.having(files).using(server).run("--dust-mode=record").example
    kept = example.run(newer(server), "a.dust.yaml").example.offline()
    result = kept.run("a.dust.yaml", "--dust-accept", "--dust-edit")
    assert 'result.label: now "shipping" (b.dust.yaml reads this row too)' in result.out
    assert result.example.files["rows.csv"].decode() == ROWS
    assert result.example.run("b.dust.yaml").outcomes == {"passed": 2}


def test_a_masked_value_is_not_written(made, server):
    """A value of which a part is redacted is listed, and not written into the suite."""
    cases = "input: {question: Where is my refund?}\nexpect: {result.label: billing}\n"
    example = made(SUPPORT, cases).having({"pytest.ini": "[pytest]\ndust_redact = label\n"})
    kept = example.run(newer(server)).example.offline()
    result = kept.run("--dust-accept", "--dust-edit")
    assert others(result.example, "suite.dust.yaml") == others(kept, "suite.dust.yaml")
    assert "***" not in result.example.files["suite.dust.yaml"].decode()


# ── rejected, and wrong use ──────────────────────────────────────────────────────────────────────


def test_rejected_answers_are_removed(many, server):
    """`--dust-reject` removes the pending answers of the selected cases, and nothing else."""
    kept = many.run(newer(server)).example.offline()
    result = kept.run("a.dust.yaml", "--dust-reject")
    assert "dust: 7 pending answers rejected" in result.out
    assert pending(result.example) == {"test_it.py/test_it.json", "test_it.py/test_it[2].json"}
    assert others(result.example) == others(many)
    assert result.example.cassettes == many.cassettes


@pytest.mark.parametrize("command", ["--dust-accept", "--dust-reject"])
def test_nothing_is_pending(many, command):
    """Without a pending answer the command says so, and where it looked."""
    result = many.offline().run(command)
    assert result.ret == 0
    assert "dust: no answer is pending for the selected tests (looked in .dust/pending)" in result.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dust-accept", "--dust-reject"], "--dust-accept and --dust-reject cannot be given together"),
        (["--dust-edit"], "--dust-edit is for --dust-accept: give both"),
        (["--dust-edit", "--dust-reject"], "--dust-edit is for --dust-accept; leave it out, or give both"),
    ],
)
def test_commands_that_do_not_go_together(many, options, message):
    """Commands that contradict each other are a usage error."""
    result = many.run(*options, subprocess=True)
    assert result.ret == 4
    assert message in result.err


def test_a_broken_suite_is_told_and_others_go_on(many, server):
    """A suite with a mistake is an error of its own; the answers of others are accepted."""
    kept = many.run(newer(server)).example.offline()
    result = kept.having({"b.dust.yaml": "app: x\n"}).run("--dust-accept")
    assert "a.dust.yaml: 7 answers accepted" in result.out
    assert result.ret == 1


def test_accepting_runs_nothing_whatever_the_mode(many, server):
    """With a live mode in the environment, nothing is asked and no key is needed."""
    kept = many.run(newer(server)).example.offline()
    asked = len(server.requests)
    result = kept.exporting(DUST_MODE="live", DUST_SPECIFICATION_HASH="latest").run(
        "a.dust.yaml", "--dust-accept"
    )
    assert "7 answers accepted" in result.out
    assert len(server.requests) == asked


def test_answers_of_no_case_are_told(many, server):
    """A pending answer whose case is gone is named, whatever is selected, and left alone."""
    kept = many.run(newer(server)).example.offline()
    renamed = kept.replacing("a.dust.yaml", "- id: parcel", "- id: where")
    result = renamed.run("a.dust.yaml::refund", "--dust-reject")
    gone = "dust: 1 pending answer of no case: .dust/pending/a.dust.yaml/parcel.json; remove what you"
    assert gone in result.out
    assert "a.dust.yaml/parcel.json" in pending(result.example)
    assert "of no case" not in kept.run("a.dust.yaml::refund", "--dust-reject").out


def test_no_secret_is_shown(many, server):
    """What is masked in reports is masked in what accepting says."""
    secret = many.exporting(ANSWER="how it works").having({"pytest.ini": "[pytest]\ndust_secrets = ANSWER\n"})
    kept = secret.run(newer(server)).example
    result = kept.run("--dust-accept", "--dust-edit")
    assert "how it works" not in result.out


def test_a_case_without_a_cassette_tells_of_its_pending_answer(many, server):
    """A case that cannot be replayed says that an answer to it is pending, as recording it costs a run."""
    kept = many.run(newer(server)).example.offline()
    result = kept.having({"cassettes/a/parcel.json": None}).run("a.dust.yaml::parcel")
    assert (
        "an answer to it is pending; see and accept it: pytest a.dust.yaml::parcel --dust-review"
        in result.report
    )
