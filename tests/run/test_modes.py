"""Each mode asks the service for what it says, and keeps what it says, and nothing else."""

from __future__ import annotations

import json
import re
import signal
import time

import pytest
from processes import started

from conftest import (
    HALVE,
    KEY,
    QUOTE,
    SOURCES,
    SUMMARISE,
    SUPPORT,
    TRACK,
    suite,
    with_config,
)
from pytest_dust.cassettes.layout import laid_out

PINNED = "cassettes/answer/refund.json"
MODES = ("replay", "record", "rerecord", "live")


# ── the table ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("mode", "runs", "written"),
    [("replay", 0, []), ("record", 3, ["parcel", "refund", "wrong"]), ("live", 3, [])],
)
def test_without_cassettes(support, server, mode, runs, written):
    """With no cassettes, replay asks nothing, record asks and writes all, live asks all and writes none."""
    after = support.run(f"--dust-mode={mode}").example
    assert server.runs == runs
    assert sorted(after.cassettes) == [f"cassettes/answer/{name}.json" for name in written]


@pytest.mark.parametrize(("mode", "runs"), [("replay", 0), ("record", 0), ("rerecord", 3), ("live", 3)])
def test_with_cassettes_that_fit(recorded, server, mode, runs):
    """With cassettes that fit, replay and record ask nothing, rerecord and live ask for every case.

    No cassette is written: the new runs say the same.
    """
    result = recorded.using(server).run(f"--dust-mode={mode}")
    assert result.outcomes == {"passed": 2, "failed": 1}
    assert server.runs == runs
    assert result.example.cassettes == recorded.cassettes
    assert ("dust: 3 as recorded, 0 changed\n" in result.out) == (mode == "rerecord")


def test_record_asks_only_for_what_is_missing_or_misfits(recorded, server):
    """In record mode a case whose cassette fits is replayed, the others are run and written."""
    moved = recorded.using(server).replacing("answer.dust.yaml", "Track my parcel", "Where is my parcel?")
    result = moved.having({PINNED: None}).run("--dust-mode=record", "--dust-concurrency=1")
    assert result.outcomes == {"passed": 2, "failed": 1}
    assert "dust: 1 replayed, 2 recorded" in result.out
    asked = [one.body["inputs"][0]["question"] for one in server.requests if one.method == "POST"]
    assert asked == ["Where is my refund?", "Where is my parcel?"]
    after = result.example
    kept = "cassettes/answer/wrong.json"
    assert after.files[kept] == recorded.files[kept]
    assert after.offline().run().outcomes == {"passed": 2, "failed": 1}


def test_live_never_writes(recorded, server):
    """A live run leaves every cassette's bytes and time of change as they were, even where it differs."""
    recorded.write()

    def stamps():
        return {name: (recorded.root / name).stat().st_mtime_ns for name in recorded.cassettes}

    before = stamps()
    server.drift()
    result = recorded.using(server).run("--dust-mode=live")
    assert result.example.cassettes == recorded.cassettes
    assert stamps() == before


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("source", SOURCES)
def test_each_source_sets_the_mode(support, source, mode):
    """The mode comes from the command line, from DUST_MODE or from ini dust_mode."""
    example, args = support.given("mode", mode, by=source)
    assert re.search(rf"^dust: {mode}\b", example.run("--co", *args).out, re.MULTILINE)


def test_the_command_line_wins_over_the_environment_and_that_over_ini(support):
    """The precedence is command line > environment > ini."""
    ini = support.having({"pytest.ini": "[pytest]\ndust_mode = live\n"})
    both = ini.exporting(DUST_MODE="rerecord")
    assert "dust: rerecord" in both.run("--co").out
    assert "dust: record," in both.run("--co", "--dust-mode=record").out


def test_an_unknown_mode_stops_the_session(support):
    """A mode that there is not is a usage error which lists the modes."""
    result = support.run("--dust-mode=rerun")
    assert result.ret == 4
    assert "replay, record, rerecord, live" in result.err
    assert "Traceback" not in result.err


# ── replay is offline ────────────────────────────────────────────────────────────────────────────


def test_replay_opens_no_socket_and_needs_no_key(recorded):
    """A replay raises no audit event of any socket, and nobody has set a key."""
    conftest = (
        "import sys\n"
        "def refuse(event, args):\n"
        "    if event.startswith('socket.'):\n"
        "        sys.stderr.write(f'SOCKET {event}\\n')\n"
        "        raise RuntimeError(event)\n"
        "sys.addaudithook(refuse)\n"
    )
    result = recorded.having({"conftest.py": conftest}).run(subprocess=True)
    assert result.outcomes == {"passed": 2, "failed": 1}
    assert "SOCKET" not in result.out + result.err


def test_replay_needs_no_workspace(recorded, server):
    """A suite without workspace and space is replayed with those it was recorded with."""
    assert recorded.environ == {}
    assert recorded.run().outcomes == {"passed": 2, "failed": 1}
    assert server.requests == []


@pytest.mark.parametrize("named", ["workspace: w_example", "space: vlt_example"])
def test_replay_takes_from_the_cassette_what_the_suite_does_not_name(recorded, named):
    """A suite that names only one of workspace and space is replayed with the other as recorded."""
    example = recorded.replacing("answer.dust.yaml", "app: {id:", f"app: {{{named}, id:")
    assert example.run().outcomes == {"passed": 2, "failed": 1}


# ── cassettes that do not do ─────────────────────────────────────────────────────────────────────


def refund(example):
    """The project with its first case alone."""
    head, _, _ = example.files["answer.dust.yaml"].decode().partition("  - id: parcel")
    head = with_config(head, SUPPORT)
    others = dict.fromkeys(("cassettes/answer/parcel.json", "cassettes/answer/wrong.json"))
    return example.having({"answer.dust.yaml": head, **others})


def mended(result, server):
    """The outcome of the suggested command, and that of a replay after it."""
    after = result.example.using(server).run(*result.command)
    replayed = after.example.offline().exporting(**naming(result.example)).run()
    return after.outcomes, replayed.outcomes


def naming(example):
    """The workspace and space that a project's environment names."""
    return {name: value for name, value in example.environ.items() if name.endswith("_ID")}


PASSED = ({"passed": 1}, {"passed": 1})


def test_a_missing_cassette_says_how_to_record(recorded, server):
    """The message names where the cassette was looked for, and its command makes it."""
    result = refund(recorded).having({PINNED: None}).run()
    assert result.outcomes == {"failed": 1}
    assert f"no cassette (looked in {PINNED})" in result.report
    assert mended(result, server) == PASSED


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "id: 9f1d3b5a7c",
            "id: 9f1d3b5a7c, space: vlt_moved",
            r"app\.space +\"vlt_example\" → \"vlt_moved\"",
        ),
        ("id: 9f1d3b5a7c", f"id: {QUOTE}", rf"app\.id +\"{SUPPORT}\" → \"{QUOTE}\""),
        ("specification_hash: ", "specification_hash: latest #", r"specification_hash +\"\w+\" → \"latest\""),
        (
            "config: {",
            'config: {"ANSWER": {"model_id": "gpt-4o"}, ',
            r"config\.ANSWER +nothing → \{\"model_id\": ",
        ),
        (
            "my refund?",
            "my big refund?",
            r"inputs\[0\]\.question +\"Where is my refund\?\" → \"Where is my big",
        ),
        ("cases:", "block_filter: [ANSWER]\ncases:", r"block_filter +null → \[\"ANSWER\"\]"),
    ],
)
def test_a_cassette_of_another_request_names_what_moved(recorded, old, new, told):
    """Each field of the request that moved stands in the message, old → new, and nothing is replayed."""
    result = refund(recorded).replacing("answer.dust.yaml", old, new).run()
    assert result.outcomes == {"failed": 1}
    assert f"the cassette {PINNED} does not fit" in result.report
    assert re.search(told, result.report)
    assert result.report.count("→") == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("specification_hash: ", "specification_hash: latest #"),
        ("config: {", 'config: {"ANSWER": {"model_id": "gpt-4o"}, '),
        ("my refund?", "my big refund?"),
        ("cases:", "block_filter: [ANSWER]\ncases:"),
    ],
)
def test_the_command_for_a_cassette_of_another_request_mends_it(recorded, server, old, new):
    """The command that a misfit suggests records the case anew, and then it replays."""
    result = refund(recorded).replacing("answer.dust.yaml", old, new).run()
    assert mended(result, server) == PASSED


def test_every_moved_field_is_named(recorded):
    """Where several fields moved, the message names each."""
    example = refund(recorded).replacing("answer.dust.yaml", "my refund?", "my parcel?")
    result = example.replacing("answer.dust.yaml", "config: {", 'config: {"A": {"b": 1}, ').run()
    assert re.search(r"config\.A +nothing → \{\"b\": 1\}", result.report)
    assert re.search(
        r"inputs\[0\]\.question +\"Where is my refund\?\" → \"Where is my parcel\?\"", result.report
    )


def test_options_typed_are_in_the_suggested_command(recorded, server):
    """The command repeats the options of the run, so that it records where the run looked."""
    result = refund(recorded).run("--dust-cassette-dir=tapes dir", "--dust-timeout=9")
    assert "looked in tapes dir/answer/refund.json" in result.report
    after = result.example.using(server).run(*result.command).example
    assert "tapes dir/answer/refund.json" in after.files


def other(change):
    """A cassette with its document changed."""

    def changed(source):
        document = json.loads(source)
        change(document)
        return json.dumps(document)

    return changed


BROKEN = {
    "not JSON": (lambda source: source[: len(source) // 2], "is not JSON: "),
    "a merge conflict": (lambda source: b"<<<<<<< HEAD\n" + source, "line 1, column 1"),
    "empty": (lambda _source: b"", "is not JSON"),
    "not text": (lambda _source: b"\xff\xfe\x00", "is not UTF-8 text"),
    "another version": (other(lambda it: it.update(version=99)), "has format version 99"),
    "another file": (lambda _source: b'{"name": "package"}', "is JSON, but no cassette"),
    "a list": (lambda _source: b"[1, 2]", "is JSON, but no cassette"),
    "incomplete": (other(lambda it: it.pop("exchanges")), "is incomplete"),
    "without exchanges": (other(lambda it: it.update(exchanges=[])), "is incomplete"),
    "an exchange cut": (other(lambda it: it["exchanges"][0].pop("body")), "is incomplete"),
    "a body that is no run": (other(lambda it: it["exchanges"][0].update(body={})), PINNED),
    "a reply that is no 200": (other(lambda it: it["exchanges"][0].update(status=500)), PINNED),
    "another request": (other(lambda it: it["exchanges"][0].update(request="POST /x")), "answers POST /x"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_cassette_says_so_and_its_command_mends_it(recorded, server, how):
    """A cassette that cannot be read fails the case by name, and the suggested command replaces it."""
    damage, told = BROKEN[how]
    broken = refund(recorded)
    result = broken.having({PINNED: damage(broken.files[PINNED])}).run()
    assert result.outcomes == {"failed": 1}
    assert told in result.report
    assert PINNED in result.report
    assert "Traceback" not in result.report
    assert "pytest_dust/" not in result.report
    assert mended(result, server) == PASSED


@pytest.mark.parametrize("how", ["not JSON", "another version", "incomplete"])
def test_record_leaves_a_broken_cassette_alone(recorded, server, how):
    """In record mode a broken cassette, which may be someone's work, fails the case and stays as it is."""
    damage, told = BROKEN[how]
    broken = refund(recorded).using(server)
    source = damage(broken.files[PINNED])
    result = broken.having({PINNED: source}).run("--dust-mode=record")
    assert result.outcomes == {"failed": 1}
    assert told in result.report
    left = result.example.files[PINNED]
    assert left == (source.encode() if isinstance(source, str) else source)
    assert server.runs == 0


def test_a_case_that_moves_between_the_plain_and_the_list_form_keeps_its_cassette(recorded):
    """`input` and a list of one in `inputs` are the same request."""
    example = refund(recorded).replacing("answer.dust.yaml", "input: {question", "inputs: [{question")
    example = example.replacing("answer.dust.yaml", "refund?}", "refund?}]")
    example = example.replacing("answer.dust.yaml", "result.label", '"results[0].label"')
    assert example.run().outcomes == {"passed": 1}


# ── recording ────────────────────────────────────────────────────────────────────────────────────


def stopped(process, server, number, after=lambda server: server.runs):
    """Send a signal once the service has been asked, or what else must come before; give what was printed."""
    until = time.monotonic() + 20
    while not after(server) and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(number)
    out, _ = process.communicate(timeout=20)
    return out


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("mode", ["record", "rerecord"])
def test_an_interrupted_recording_leaves_the_old_cassettes(recorded, server, number, mode):
    """Killed or interrupted in the middle of a run, a recording leaves each cassette byte for byte."""
    server.delay = 30
    example = recorded.using(server).replacing("answer.dust.yaml", "my refund?", "my own refund?")
    process = started(example, f"--dust-mode={mode}")
    out = stopped(process, server, number)
    assert process.returncode == (2 if number is signal.SIGINT else -signal.SIGKILL)
    assert example.left().cassettes == recorded.cassettes
    if number is signal.SIGINT:
        assert re.search(r"!+ KeyboardInterrupt !+", out)
        assert "no tests ran" in out
        assert "INTERNALERROR" not in out


def test_an_interrupt_keeps_the_cases_that_were_done(support, server):
    """What had been recorded whole before an interrupt is kept, and nothing else."""

    def second_is_slow(_request):
        server.delay = 30 if server.runs > 1 else 0

    server.behaviour = second_is_slow
    process = started(support, "--dust-mode=record", "--dust-concurrency=1")
    out = stopped(process, server, signal.SIGINT, after=lambda _server: (support.root / PINNED).exists())
    assert "KeyboardInterrupt" in out
    left = support.left()
    assert set(left.cassettes) == {PINNED}
    assert left.offline().run("-k", "refund").outcomes == {"passed": 1, "deselected": 2}


def test_a_run_whose_expectations_fail_is_recorded(recorded):
    """What an app said is recorded whether or not it was expected, and replays to the same failure."""
    assert "cassettes/answer/wrong.json" in recorded.cassettes
    result = recorded.run("-k", "wrong")
    assert result.outcomes == {"failed": 1, "deselected": 2}
    assert 'actual    "other"' in result.report


def test_an_errored_run_is_recorded_and_replays(project, server):
    """A run in which a block failed is a result like any other."""
    case = (
        "input: {order: a few apples}\n"
        "expect: {status: errored, error: {starts_with: 'PARSE (code): invalid order'}, result: null}\n"
    )
    example = project.having({"quote.dust.yaml": suite(server, QUOTE, case)}).using(server)
    after = example.run("--dust-mode=record")
    assert after.outcomes == {"passed": 1}
    assert after.example.offline().run().outcomes == {"passed": 1}


@pytest.mark.parametrize("mode", ["record", "rerecord"])
def test_no_answer_is_not_recorded(recorded, server, mode):
    """Where the service gives no run, the old cassette stays and no new one comes."""
    server.say('{"error": {"type": "internal_server_error", "message": "down"}}', status=500)
    example = recorded.using(server).replacing("answer.dust.yaml", "my refund?", "my own refund?")
    result = example.having({"cassettes/answer/parcel.json": None}).run(f"--dust-mode={mode}")
    assert result.outcomes["failed"] >= 2
    before = {k: v for k, v in recorded.cassettes.items() if "parcel" not in k}
    assert result.example.cassettes == before


@pytest.mark.parametrize(
    "nothing", ["{}", '{"run": {}}', '{"run": {"status": {"run": "running"}}}', "<html>", ""]
)
def test_an_answer_that_is_no_run_is_not_recorded(support, server, nothing):
    """A 200 without an ended run in it makes no cassette."""
    server.say(nothing)
    assert support.run("--dust-mode=record").example.cassettes == {}


def test_a_cassette_that_cannot_be_written_fails_the_case(support):
    """Where a cassette cannot be put in its place, the case fails and says which file and why."""
    result = support.having({"cassettes": "a file, no folder"}).run("--dust-mode=record")
    assert result.outcomes == {"failed": 3}
    assert re.search(rf"{PINNED} cannot be written: \w", result.report)
    assert "pytest_dust/" not in result.report
    assert result.example.files["cassettes"] == b"a file, no folder"


def test_a_cassette_holds_only_what_a_replay_needs(support, server):
    """No key, no cookie and no header but the content type stand in a cassette, which is JSON laid out."""
    after = support.run("--dust-mode=record").example
    for text in after.cassettes.values():
        document = json.loads(text)
        assert server.api_key.encode() not in text
        for exchange in document["exchanges"]:
            assert set(exchange["headers"]) <= {"content-type"}
        for word in (b"uthorization", b"ookie", b"User-Agent", b"Date", b"127.0.0.1"):
            assert word not in text
        assert text == laid_out(document).encode()


def test_recording_twice_differs_only_in_what_the_app_said(recorded, server):
    """Recorded again without a change, a cassette's diff is its date, duration and run id."""
    again = recorded.using(server).run("--dust-mode=rerecord").example
    for name, old in recorded.cassettes.items():
        pairs = zip(old.split(b"\n"), again.files[name].split(b"\n"), strict=True)
        changed = {re.match(rb' *"(\w+)"', a)[1] for a, b in pairs if a != b}
        assert changed <= {b"recorded_at", b"duration", b"run_id", b"created"}


VIEW_CONFTEST = """\
import json
from pytest_dust.dust.run_view import view

def pytest_runtest_teardown(item):
    seen = view(item.answer.runs()[0], plural=item.case.plural)
    with open("views.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps([item.name, item.answer.source, seen], sort_keys=True) + "\\n")
"""
EVERY_APP = {
    SUPPORT: ["{question: Where is my refund?}", "{question: Grüße ☃ 𝄞}"],
    SUMMARISE: ["{text: The cat sat. The very old dog slept.}", "{text: Rain.}", "{text: Snow.}"],
    HALVE: ["{number: 100, limit: 10}", "{number: 3, limit: 10}", "{number: 40, limit: 10}"],
    QUOTE: ["{order: 3 apples}", "{order: 12 plums}"],
    TRACK: ["{parcel: PX-1}", "{parcel: PX-2}"],
}
FAILING = ["{order: 3 apples}", "{order: a few apples}"]


def cases_for(inputs):
    """A suite's cases: each input alone, all together, all filtered."""
    single = [f"  - {{id: one{at}, input: {one}}}\n" for at, one in enumerate(inputs)]
    together = f"  - {{id: all, inputs: [{', '.join(inputs)}]}}\n"
    names = "[INPUT, HALVE, SUMMARY, QUOTE, REPLY]"
    filtered = f"  - {{id: cut, inputs: [{', '.join(inputs)}], block_filter: {names}}}\n"
    return "cases:\n" + "".join(single) + together + filtered


def test_a_replay_is_seen_as_the_live_run_was(project, server):
    """For every app and several inputs, a replay gives `expect` the very document that it was given live."""
    files = {f"{app}.dust.yaml": suite(server, app, cases_for(given)) for app, given in EVERY_APP.items()}
    files["failing.dust.yaml"] = suite(server, QUOTE, cases_for(FAILING))
    example = project.having({**files, "conftest.py": VIEW_CONFTEST}).using(server)
    live = example.run("--dust-mode=record").example
    replayed = live.having({"views.jsonl": None}).offline().run().example

    def views(after):
        return [json.loads(line) for line in after.files["views.jsonl"].splitlines()]

    first, second = views(live), views(replayed)
    assert len(first) == 26
    assert {source for _, source, _ in first} == {"recorded"}
    assert {source for _, source, _ in second} == {"replayed"}
    for (name, _, seen), (same, _, again) in zip(first, second, strict=True):
        assert name == same
        assert [key for key in seen if seen[key] != again[key]] == []


# ── the key ──────────────────────────────────────────────────────────────────────────────────────

LOUD = ("--showlocals", "-vvv", "--full-trace", "-ra", "--junitxml=out.xml", "-o", "junit_logging=all")


def everything(result):
    """Every byte that a run left behind."""
    left = [*result.example.files.values(), result.out.encode(), result.err.encode()]
    return b"\n".join([*left, *(name.encode() for name in result.example.files)])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("trouble", ["none", "drift", "refused", "proxy"])
def test_the_key_is_in_nothing_that_a_run_leaves(recorded, server, mode, trouble):
    """In no mode and for no failure does the key stand in output, XML, cassettes or pytest's cache."""
    example = recorded.using(server)
    if trouble == "drift":
        server.drift()
    elif trouble == "refused":
        example = example.exporting(DUST_API_KEY=f"{KEY}-of-another")
    elif trouble == "proxy":
        example = example.exporting(HTTP_PROXY="nonsense://proxy.invalid")
    result = example.run(f"--dust-mode={mode}", *LOUD)
    assert result.outcomes["failed"] >= 1
    assert KEY.encode() not in everything(result)


@pytest.mark.parametrize("where", ["run", "error", "html"])
def test_a_key_that_the_service_echoes_is_masked(support, server, where):
    """A text equal to the key is masked in cassettes and reports, even where the service sends it back."""
    if where == "run":
        server.alter(lambda run: run["traces"][-1][1][0][0]["value"].update(label=f"Bearer {KEY}!"))
    elif where == "error":
        server.say(json.dumps({"error": {"type": "run_error", "message": f"bad key {KEY}"}}), status=400)
    else:
        server.say(f"<html>{KEY}</html>", content_type="text/html")
    result = support.run("--dust-mode=record", *LOUD)
    assert result.outcomes == {"failed": 3}
    assert KEY.encode() not in everything(result)
