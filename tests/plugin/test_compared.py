"""`--dust-specification-hash`: another version of an app against the recordings of the pinned one."""

from __future__ import annotations

import re

import pytest

from conftest import QUOTE, SOURCES, SUPPORT, suite

OPTION = "--dust-specification-hash"
HOLDING = """\
cases:
  - id: refund
    input: {question: Where is my refund?}
  - id: parcel
    input: {question: Track my parcel}
    expect: {result.label: shipping}
"""
ORDERS = """\
cases:
  - id: apples
    input: {order: 3 apples}
  - id: plums
    input: {order: 12 plums}
"""


@pytest.fixture
def both(project, server):
    """Two apps' suites, recorded at their pinned versions, online, and no request noted yet."""
    files = {
        "answer.dust.yaml": suite(server, SUPPORT, HOLDING),
        "order.dust.yaml": suite(server, QUOTE, ORDERS),
    }
    after = project.having(files).using(server).run("--dust-mode=record").example
    server.requests.clear()
    return after


def asked(server):
    """The versions that runs were asked of, by app."""
    found = {}
    for one in server.requests:
        if one.method == "POST":
            app = one.path.split("/apps/")[1].split("/")[0]
            found.setdefault(app, set()).add(one.body["specification_hash"])
    return found


def stamps(example):
    """When each file of the project was last written."""
    return {name: (example.root / name).stat().st_mtime_ns for name in example.files}


def lines_of_apps(result):
    """What the summary tells of each app."""
    return dict(re.findall(r"^dust: app (\w+): (.+)$", result.out, re.MULTILINE))


# ── which version runs ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("source", SOURCES)
def test_a_hash_for_one_app_leaves_the_others_pinned(both, server, source):
    """From each source, APP=HASH moves that app alone, and the run is live without being told so."""
    version = f"{SUPPORT}={server.hash(SUPPORT, 'v2')}"
    example, args = both.given("specification-hash", version, by=source)
    result = example.run(*args)
    assert re.search(r"^dust: live, http", result.out, re.MULTILINE)
    assert result.outcomes == {"passed": 4}
    assert asked(server) == {SUPPORT: {server.hash(SUPPORT, "v2")}, QUOTE: {server.hash(QUOTE)}}


def test_the_option_may_be_repeated(both, server):
    """Given once per app, each app runs at the version given for it; a hash may be in capitals."""
    new = {app: server.hash(app, "v2") for app in (SUPPORT, QUOTE)}
    both.run(f"{OPTION}={SUPPORT}={new[SUPPORT].upper()}", f"{OPTION}={QUOTE}={new[QUOTE]}")
    assert asked(server) == {app: {new[app]} for app in new}


def test_several_apps_stand_in_one_environment_variable(both, server):
    """In the environment, values are parted by commas."""
    given = f"{SUPPORT}={server.hash(SUPPORT, 'v2')}, {QUOTE}=latest"
    both.exporting(DUST_SPECIFICATION_HASH=given).run()
    assert asked(server) == {SUPPORT: {server.hash(SUPPORT, "v2")}, QUOTE: {"latest"}}


def test_a_bare_value_is_for_every_app_that_has_none_of_its_own(both, server):
    """A value without an app stands for every app, except those that have a value of their own."""
    both.run(f"{OPTION}=latest", f"{OPTION}={QUOTE}={server.hash(QUOTE, 'v2')}")
    assert asked(server) == {SUPPORT: {"latest"}, QUOTE: {server.hash(QUOTE, "v2")}}


def test_latest_is_what_is_saved_now(both, server):
    """With `latest`, what is saved at Dust is compared with the pinned version's recording."""
    assert lines_of_apps(both.run(f"{OPTION}=latest"))[SUPPORT] == "2 unchanged, 0 changed"
    server.save_edited(SUPPORT)
    told = lines_of_apps(both.run(f"{OPTION}=latest"))
    assert told[SUPPORT] == "1 unchanged, 1 changed, beginning 1 in CLASSIFY (llm)"


@pytest.mark.parametrize("wrong", ["v2", "ab12", "g" * 64, f"={'a' * 64}x", "a/b=latest", "=latest", "app="])
def test_a_value_that_is_no_version_stops_the_session(both, server, wrong):
    """Anything but 64 hex digits, latest or APP_ID=HASH is a usage error that says so."""
    result = both.run(f"{OPTION}={wrong}")
    assert result.ret == 4
    assert "give 64 hex digits or latest, or APP_ID=HASH" in result.err
    assert "Traceback" not in result.err
    assert server.requests == []


@pytest.mark.parametrize("mode", ["record", "rerecord"])
def test_a_mode_that_writes_is_refused(both, server, mode):
    """Another version is never recorded: with record or rerecord the session does not begin."""
    result = both.run(f"{OPTION}=latest", f"--dust-mode={mode}")
    assert result.ret == 4
    assert f"leave out --dust-mode={mode}" in result.err
    assert server.requests == []
    assert result.example.files == both.files


# ── what it is held against ──────────────────────────────────────────────────────────────────────


def without_pending(example):
    """The files of a project without pending answers."""
    return {name: text for name, text in example.files.items() if not name.startswith(".dust/")}


def test_nothing_is_written(both, server):
    """Cassettes keep their bytes and times of change, and no file comes or goes but pending answers."""
    both.write()
    before = stamps(both)
    result = both.run(f"{OPTION}={QUOTE}={server.hash(QUOTE, 'v2')}", "-p", "no:cacheprovider")
    assert without_pending(result.example) == both.files
    assert stamps(both) == before


def test_without_a_recording_nothing_is_written_either(both, server):
    """A case with no cassette runs against the other version, and leaves none behind."""
    bare = both.having(dict.fromkeys(both.cassettes))
    result = bare.run(f"{OPTION}={SUPPORT}={server.hash(SUPPORT, 'v2')}", "answer.dust.yaml")
    assert result.outcomes == {"passed": 2}
    assert result.example.cassettes == {}


def test_expectations_are_checked_as_usual(both, server):
    """A version that breaks an expectation fails the case, and the report begins in the edited block."""
    expecting = both.replacing(
        "answer.dust.yaml", "refund?}\n", "refund?}\n    expect: {result.label: billing}\n"
    )
    result = expecting.run(f"{OPTION}={SUPPORT}={server.hash(SUPPORT, 'v2')}", "answer.dust.yaml")
    assert result.ret == 1
    assert result.outcomes == {"passed": 1, "failed": 1}
    assert re.search(r'expected +"billing"\n +actual +"shipping"', result.report)
    assert "it begins in CLASSIFY (llm), block 2 of 4" in result.report


def test_the_baseline_is_the_pinned_versions_recording(both, server):
    """What the pinned version said in its cassette, not what it would say now, is what counts."""
    server.drift("CLASSIFY")  # the pinned version would now say `shipping`, as the edited one with it
    told = lines_of_apps(both.run(f"{OPTION}={SUPPORT}={server.hash(SUPPORT)}", "answer.dust.yaml"))
    assert told == {SUPPORT: "1 unchanged, 1 changed, beginning 1 in CLASSIFY (llm)"}


def test_the_summary_counts_by_app_and_block(both, server):
    """Each app has one line: cases unchanged, changed, and how many began in which block."""
    result = both.run(*(f"{OPTION}={app}={server.hash(app, 'v2')}" for app in (SUPPORT, QUOTE)))
    assert lines_of_apps(result) == {
        SUPPORT: "1 unchanged, 1 changed, beginning 1 in CLASSIFY (llm)",
        QUOTE: "1 unchanged, 1 changed, beginning 1 in PRICE (code)",
    }


def test_several_blocks_are_counted_apart(both, server):
    """Where changes begin in different blocks, each block has its own count, the most frequent first."""
    more = both.replacing(
        "order.dust.yaml", "12 plums}\n", "12 plums}\n  - {id: pears, input: {order: 2 pears}}\n"
    )
    more = more.run("--dust-mode=record").example
    server.drift("QUOTE")  # beside the new price of apples, which comes first, the words change for all
    told = lines_of_apps(more.run(f"{OPTION}={QUOTE}={server.hash(QUOTE, 'v2')}", "order.dust.yaml"))
    assert told == {QUOTE: "0 unchanged, 3 changed, beginning 2 in QUOTE (llm), 1 in PRICE (code)"}


@pytest.mark.parametrize("where", ["option", "suite"])
@pytest.mark.parametrize(("on_change", "status"), [("fail", 1), ("report", 0)])
def test_the_exit_status_follows_on_change(both, server, on_change, status, where):
    """A change alone fails the session where on_change is fail, and is only told where it is report."""
    args, example = [f"{OPTION}={SUPPORT}={server.hash(SUPPORT, 'v2')}"], both
    if where == "option":
        args.append(f"--dust-on-change={on_change}")
    else:
        example = both.replacing(
            "answer.dust.yaml", "cases:", f"baseline: {{on_change: {on_change}}}\ncases:"
        )
    result = example.run(*args)
    assert result.ret == status
    assert lines_of_apps(result)[SUPPORT].startswith("1 unchanged, 1 changed")


# ── what to type next ────────────────────────────────────────────────────────────────────────────


def test_the_last_line_accepts_the_new_version(both, server):
    """The report ends in a command that accepts the answer and pins the new hash; then all is replayed."""
    new = server.hash(SUPPORT, "v2")
    result = both.run(f"{OPTION}={SUPPORT}={new}", "--dust-on-change=fail")
    assert result.outcomes == {"passed": 3, "failed": 1}
    assert f"if this is right, accept it, which pins {new[:12]}…: pytest" in result.report
    assert result.command == ["answer.dust.yaml::refund", "--dust-accept"]
    accepted = result.example.offline().run(*result.command).example
    assert f"specification_hash: {new}" in accepted.files["answer.dust.yaml"].decode()
    assert accepted.run("answer.dust.yaml").outcomes == {"passed": 2}


def test_an_app_that_keeps_its_pin_is_not_told_to_pin_another(both, server):
    """A case whose own version ran, while another app's is tried, is accepted as in any live run."""
    server.drift("QUOTE")
    given = f"{OPTION}={SUPPORT}={server.hash(SUPPORT, 'v2')}"
    result = both.run(given, "--dust-on-change=fail", "order.dust.yaml::apples", "answer.dust.yaml::parcel")
    assert result.outcomes == {"failed": 1, "passed": 1}
    assert "pins" not in result.report
    assert result.command == ["order.dust.yaml::apples", "--dust-accept"]


def test_workers_tell_the_same(both, server):
    """Under xdist the versions, the counts per app, the failures and the untouched files are the same."""
    args = (
        *(f"{OPTION}={app}={server.hash(app, 'v2')}" for app in (SUPPORT, QUOTE)),
        "--dust-on-change=fail",
    )
    result = both.run(*args, "-n", "2", "-p", "no:cacheprovider")
    assert result.ret == 1
    assert result.outcomes == {"passed": 2, "failed": 2}
    assert lines_of_apps(result) == {
        SUPPORT: "1 unchanged, 1 changed, beginning 1 in CLASSIFY (llm)",
        QUOTE: "1 unchanged, 1 changed, beginning 1 in PRICE (code)",
    }
    assert without_pending(result.example) == both.files
    assert asked(server) == {app: {server.hash(app, "v2")} for app in (SUPPORT, QUOTE)}
