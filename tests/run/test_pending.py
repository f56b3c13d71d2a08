"""An answer that cannot go to its cassette is kept as pending, and no run is made that could not be kept."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import threading
from contextlib import suppress

import pytest

from conftest import ODD_MATCHER, SUPPORT, config_of, suite
from pytest_dust.cassettes import format as cassette

MODES = ("record", "rerecord")
IN_THE_WAY = {
    "a file for the folder": lambda root: (root / "cassettes").write_bytes(b"x"),
    "a file for the suite's folder": lambda root: file_at(root / "cassettes" / "a"),
    "a folder for the cassette": lambda root: (root / "cassettes" / "a" / "a.json").mkdir(parents=True),
    "a link to elsewhere": lambda root: linked(root / "cassettes", root.parent / f"{root.name}-elsewhere"),
    "a link to nowhere": lambda root: (root / "cassettes").symlink_to(root.parent / "gone" / "x"),
}
PENDING = ".dust/pending/a.dust.yaml/a.json"


def file_at(path):
    """A file, with the folders it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")


def put_file(path):
    """A file in place of a folder, which a probe may make anew at any time."""
    while not path.is_file():
        shutil.rmtree(path, ignore_errors=True)
        with suppress(OSError):
            path.write_bytes(b"x")


def linked(path, folder):
    """A link to a folder, which is made."""
    folder.mkdir()
    path.symlink_to(folder)


def pending(result):
    """The pending answers in a project, by name."""
    return {name for name in result.example.files if name.startswith(".dust/") and name.endswith(".json")}


def tokens(result):
    """The tokens that the summary tells."""
    found = re.search(r"([\d,]+) tokens used", result.out)
    assert found
    return int(found[1].replace(",", ""))


@pytest.fixture
def spoiling(server, project):
    """Makes the service's answers find a file in place of the folder of cassettes, and of others named."""
    lock = threading.Lock()

    def spoil(*others: str) -> None:
        def behaviour(_request):
            with lock:
                for folder in ("cassettes", *others):
                    put_file(project.root / folder)

        server.behaviour = behaviour

    return spoil


# ── before the first call ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("spoil", IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_no_run_is_made_that_could_not_be_recorded(one, server, spoil, mode):
    """Where a cassette cannot be written, the case says so with the reason, and the service is not asked."""
    one.write()
    spoil(one.root)
    before = one.left()
    result = before.run(f"--dust-mode={mode}")
    assert server.runs == 0
    assert result.outcomes == {"failed": 1}
    assert re.search(
        r"cassettes/a/a\.json (cannot be (written|read)|leads by a symbolic link out)", result.report
    )
    assert "dust: 1 without a run, 0 tokens used" in result.out
    assert "Traceback" not in result.out
    assert before.files.keys() >= {name for name in result.example.files if "pytest_cache" not in name}


def test_every_case_is_told_and_other_suites_run(one, server):
    """Each case whose cassette cannot be written is told; a suite with a folder of its own is recorded."""
    cases = "cases:\n" + "".join(f"  - {{id: c{at}, input: {{question: Hi}}}}\n" for at in range(12))
    files = {"a.dust.yaml": suite(server, SUPPORT, cases), "b/b.dust.yaml": one.files["a.dust.yaml"]}
    example = one.having(files)
    example.write()
    file_at(example.root / "cassettes")
    result = example.left().run("--dust-mode=record", "-v")
    assert result.outcomes == {"failed": 12, "passed": 1}
    assert server.runs == 1
    told, _, _ = result.report.partition("short test summary")
    assert told.count("; no run was made") == 12


def test_a_name_that_is_too_long_is_found_before(one, server):
    """A folder whose name no disk takes is found before a run is made."""
    result = one.run("--dust-mode=record", f"--dust-cassette-dir={'x' * 300}")
    assert server.runs == 0
    assert result.outcomes == {"failed": 1}
    assert re.search(r"cannot be (read|written): File name too long", result.report)


def test_a_fixtures_run_is_refused_before(one, server):
    """A Python test learns before its run that it could not be recorded."""
    test = f"def test_it(dust):\n    dust.run(app='{SUPPORT}', input={{'question': 'Hi'}})\n"
    example = one.having({"a.dust.yaml": None, "test_it.py": test})
    example.write()
    file_at(example.root / "cassettes")
    result = example.left().run("--dust-mode=record")
    assert server.runs == 0
    assert result.outcomes == {"failed": 1}
    assert "; no run was made" in result.report


def test_a_replay_writes_nothing(one, server):
    """Cases that have their cassette need no folder that can be written to."""
    recorded = one.run("--dust-mode=record").example
    before = recorded.files.keys()
    assert recorded.run("--dust-mode=record").outcomes == {"passed": 1}
    assert server.runs == 1
    assert recorded.left().files.keys() == before


# ── when it is too late ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", MODES)
def test_an_answer_without_a_cassette_is_kept(one, server, spoiling, mode):
    """Where the cassette can no longer be written, the answer is kept in that form, told, and counted."""
    spoiling()
    result = one.run(f"--dust-mode={mode}")
    assert result.outcomes == {"failed": 1}
    assert pending(result) == {PENDING}
    for told in (
        "the cassette cassettes/a/a.json cannot be written: ",
        f"the run itself went well; the answer is kept in {PENDING}",
        "mend that; then put the answer there: pytest a.dust.yaml::a --dust-accept",
        f"dust: 1 answer is pending ({PENDING}); see and accept it: pytest --dust-review",
    ):
        assert told in result.out
    assert tokens(result) > 0
    assert result.example.files[".dust/.gitignore"] == b"*\n"
    moved = result.example.having({"cassettes": None, "cassettes/a/a.json": result.example.files[PENDING]})
    assert moved.offline().run().outcomes == {"passed": 1}
    assert server.runs == 1


def test_a_recording_that_succeeds_replaces_what_was_pending(one, server, spoiling):
    """Once the case is recorded, its pending answer is gone."""
    spoiling()
    kept = one.run("--dust-mode=record").example
    server.behaviour = None
    result = kept.having({"cassettes": None}).run("--dust-mode=record")
    assert result.outcomes == {"passed": 1}
    assert pending(result) == set()
    assert "--dust-review" not in result.out


def test_the_place_mirrors_the_suites(one, spoiling):
    """A pending answer stands below its suite's path, under its cassette's name."""
    text = one.files["a.dust.yaml"].decode().replace("input:", "cases:\n- id: X.y\n  input:")
    text = text.replace("expect:", "  expect:")
    files = {"a.dust.yaml": None, "deep/er/b.dust.yaml": text.replace("X.y", "x.y")}
    spoiling("deep/er/cassettes")
    result = one.having(files).run("--dust-mode=record")
    assert pending(result) == {".dust/pending/deep/er/b.dust.yaml/x.y.json"}


def test_a_pending_answer_is_masked_as_a_cassette_is(one, spoiling):
    """What is redacted in a cassette is redacted in a pending answer."""
    ini = "[pytest]\ndust_redact = inputs.*.question\n"
    spoiling()
    result = one.having({"pytest.ini": ini}).run("--dust-mode=record")
    text = result.example.files[PENDING].decode()
    assert "my refund" not in text
    assert json.loads(text)["request"]["inputs"] == [{"question": "***"}]
    assert one.environ["DUST_API_KEY"] not in text


@pytest.mark.parametrize("count", [1, 3])
def test_tokens_of_all_attempts_count(one, spoiling, count):
    """The tokens of a repeated case whose cassette cannot be written are those of all its attempts."""
    text = one.files["a.dust.yaml"].decode() + f"repeat: {{runs: {count}, min_pass: 1}}\n"
    repeated = one.having({"a.dust.yaml": text})
    alone = tokens(one.run("--dust-mode=live"))
    spoiling()
    result = repeated.run("--dust-mode=record")
    assert tokens(result) == count * alone
    kept = cassette.loads(result.example.files[PENDING])
    assert len(kept.replies) == count


def test_tokens_of_a_fixtures_run_count(one, spoiling):
    """A run of a Python test whose cassette cannot be written is kept and its tokens are counted."""
    body = "    with pytest.raises(Exception, match='is kept in'):\n"
    config = config_of(SUPPORT)
    run = f"        dust.run(app='{SUPPORT}', config={config}, input={{'question': 'My refund?'}})\n"
    test = f"import pytest\n\ndef test_it(dust):\n{body}{run}"
    spoiling()
    result = one.having({"a.dust.yaml": None, "test_it.py": test}).run("--dust-mode=record")
    assert result.outcomes == {"passed": 1}
    assert pending(result) == {".dust/pending/test_it.py/test_it.json"}
    assert tokens(result) > 0


@pytest.fixture
def many(one, server):
    """A project of one suite with 30 cases."""
    cases = "cases:\n" + "".join(
        f"  - {{id: c{at}, input: {{question: Where is my refund?}}}}\n" for at in range(30)
    )
    return one.having({"a.dust.yaml": suite(server, SUPPORT, cases)})


def test_nothing_more_is_launched(many, server, spoiling):
    """After a cassette could not be written, no run begins; those that were under way are kept."""
    spoiling()
    result = many.run("--dust-mode=record", "--dust-concurrency=1", "-v")
    assert result.outcomes == {"failed": 30}
    assert 1 <= server.runs < 15
    assert len(pending(result)) == server.runs
    assert result.report.count("\n  not run, as the cassette cassettes/a/c") == 30 - server.runs
    assert "; mend that, and record again" in result.report
    assert tokens(result) > 0


def test_xdist_workers_stop_too(many, server, spoiling, tmp_path):
    """Where one xdist worker cannot write a cassette, the others launch nothing more either."""
    spoiling()
    folder = tmp_path / "temporary"
    folder.mkdir()
    result = many.exporting(TMPDIR=str(folder)).run(
        "--dust-mode=record", "--dust-concurrency=2", "-n", "2", subprocess=True
    )
    assert result.outcomes == {"failed": 30}
    assert 1 <= server.runs < 25
    assert len(pending(result)) == server.runs
    assert result.out.count("--dust-review") == 1
    assert f"{server.runs} answer" in result.out
    assert list(folder.glob("pytest-dust-*")) == []


def test_without_a_place_in_the_project_it_is_the_temporary_folder(one, spoiling, monkeypatch, tmp_path):
    """Where the project takes no file at all, the answer is in the system's temporary folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spoiling(".dust")
    result = one.run("--dust-mode=record")
    (kept,) = tmp_path.glob("pytest-dust-*/a.dust.yaml/a.json")
    assert f"the answer is kept in {kept}" in result.report
    assert cassette.loads(kept.read_bytes()).replies
    assert tokens(result) > 0


def test_without_any_place_the_run_is_named(one, server, spoiling, monkeypatch, tmp_path):
    """Where there is no place at all, the message says so and names the run, which Dust keeps."""
    file_at(tmp_path / "none")
    spoiling(".dust")
    spoil = server.behaviour

    def behaviour(request):
        spoil(request)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))  # pytest needs it before

    server.behaviour = behaviour
    result = one.run("--dust-mode=record")
    assert re.search(
        r"the answer has no place: cannot be written: .*; Dust keeps it for some days as run \w",
        result.report,
    )
    assert tokens(result) > 0
    assert "Traceback" not in result.out


@pytest.mark.parametrize("link", [".dust", ".dust/pending", ".dust/pending/a.dust.yaml"])
def test_no_link_leads_a_pending_answer_out(one, spoiling, monkeypatch, tmp_path, link):
    """A symbolic link in the project leads no pending answer elsewhere: it goes to the temporary folder."""
    elsewhere, temporary = tmp_path / "elsewhere", tmp_path / "temporary"
    elsewhere.mkdir()
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    one.write()
    path = one.root / link
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(elsewhere)
    spoiling()
    result = one.left().run("--dust-mode=record")
    assert list(elsewhere.rglob("*")) == []
    assert len(list(temporary.glob("pytest-dust-*/a.dust.yaml/a.json"))) == 1
    assert "is kept in " in result.report


def test_a_suite_outside_the_project_has_a_place_of_its_own(one, spoiling):
    """Pending answers of a suite that is not below the rootdir are inside of it all the same."""
    text = one.files["a.dust.yaml"].decode()
    example = one.having({"a.dust.yaml": None, "in/pytest.ini": "[pytest]\n", "out/a.dust.yaml": text})
    spoiling("out/cassettes")
    result = example.run("../out", "--dust-mode=record", "--rootdir=.", "-c", "pytest.ini", cwd="in")
    (name,) = {name for name in result.example.files if name.endswith("/a.json")}
    assert re.fullmatch(r"in/\.dust/pending/outside-\w{8}/a\.dust\.yaml/a\.json", name)


# ── live runs that nobody could judge ────────────────────────────────────────────────────────────

ENDS = {
    "Ctrl-C": "raise KeyboardInterrupt",
    "the end of the process, after a while": "time.sleep(4) or os._exit(3)",  # as pytest-timeout ends it
}


@pytest.fixture
def odd(one):
    """A function that gives a project of one case, with a matcher that does as it is told."""

    def make(code: str):
        example = one.replacing("a.dust.yaml", "result.label: billing", "result.label: {odd: 1}")
        return example.replacing("a.dust.yaml", "timeout: 5", "timeout: 60").having(
            {"conftest.py": ODD_MATCHER.format(code)}
        )

    return make


@pytest.mark.parametrize("code", ENDS.values(), ids=ENDS)
def test_a_live_run_that_is_not_judged_is_kept(odd, server, code):
    """However the judging of a live run ends, its answer is kept as a cassette that can be put in place."""
    result = odd(code).run("--dust-mode=live", subprocess=bool(re.search("exit|Keyboard", code)))
    assert server.runs == 1
    assert pending(result) == {PENDING}
    if "_exit" not in code:
        assert f"dust: 1 answer is pending ({PENDING})" in result.out
    files = {
        "conftest.py": ODD_MATCHER.format("return True"),
        "cassettes/a/a.json": result.example.files[PENDING],
    }
    assert result.example.having(files).offline().run().outcomes == {"passed": 1}


@pytest.mark.parametrize("code", ["return True", "return False", "raise MemoryError", "return time.sleep(2)"])
def test_a_live_run_that_passes_as_recorded_is_not_kept(odd, code):
    """A live run that passes as recorded leaves nothing, others are kept, however long judging takes."""
    passes = "False" not in code and "raise" not in code and "sleep" not in code
    recorded = odd(code).run("--dust-mode=record").example
    result = recorded.run("--dust-mode=live")
    assert result.outcomes == {"passed" if passes else "failed": 1}
    assert pending(result) == (set() if passes else {PENDING})
    assert ("--dust-review" in result.out) != passes


BROKEN = {
    "compare.baseline.compare": ZeroDivisionError,
    "run.judge.viewed": MemoryError,
    "run.judge.expectation.masked": OverflowError,
    "run.launch.wire.run": UnicodeError,
}


@pytest.mark.parametrize("mode", ["live", "record"])
@pytest.mark.parametrize("name", BROKEN)
def test_no_fault_of_ours_costs_a_run(one, server, monkeypatch, name, mode):
    """Whatever of our own raises on the way to a verdict, the answer is in its cassette or kept."""
    example = one.run("--dust-mode=record").example if name == "compare.baseline.compare" else one
    server.requests.clear()
    monkeypatch.setattr(f"pytest_dust.{name}", raising(BROKEN[name]))
    result = example.run(f"--dust-mode={'rerecord' if mode == 'record' else mode}")
    assert server.runs == 1
    assert result.outcomes == {"failed": 1}
    name = "cassettes/a/a.json" if mode == "record" else PENDING
    monkeypatch.undo()
    kept = result.example.files[name]
    again = result.example.having({"cassettes/a/a.json": kept}).offline()
    assert again.run().outcomes == {"passed": 1}


def raising(error):
    """A function that raises this."""

    def fail(*_args: object, **_kwargs: object) -> None:
        raise error

    return fail


BREAKING = """\
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_{}:
    result = yield
    if {}:
        raise ValueError("a plugin's own fault")
    return result
"""


@pytest.mark.parametrize(
    ("hook", "when"), [("call(item)", "True"), ("makereport(item, call)", "call.when == 'call'")]
)
def test_a_live_run_that_is_not_reported_is_kept(one, hook, when):
    """Where another plugin breaks the case or its report, the answer of the live run is kept."""
    result = one.having({"conftest.py": BREAKING.format(hook, when)}).run("--dust-mode=live")
    assert "a plugin's own fault" in result.out
    assert pending(result) == {PENDING}


def test_a_live_run_whose_report_breaks_is_kept(one, monkeypatch):
    """Where our own report raises, the answer of the live run is kept."""
    monkeypatch.setattr("pytest_dust.report.case.case_lines", raising(OverflowError))
    example = one.replacing("a.dust.yaml", "billing", "shipping")
    result = example.run("--dust-mode=live")
    assert pending(result) == {PENDING}


def test_a_live_run_whose_difference_cannot_be_written_is_kept(one, server):
    """Where --dust-diff-dir cannot be written, the case says where the answer is."""
    recorded = one.run("--dust-mode=record").example

    def change(run):
        file_at(one.root / "diffs")  # after the folder was looked at, and before it is written to
        run["traces"][-1][1][0][0].update(value={"label": "x"})

    server.alter(change)
    result = recorded.run("--dust-mode=live", "--dust-diff-dir=diffs")
    assert result.outcomes == {"failed": 1}
    assert f"the answer is kept in {PENDING}" in result.report


def test_a_fixtures_live_run_is_kept(one, monkeypatch):
    """A live run of a Python test that cannot be compared is kept and counted."""
    run = f"dust.run(app='{SUPPORT}', config={config_of(SUPPORT)}, input={{'question': 'Hi'}})"
    test = f"def test_it(dust):\n    {run}\n"
    recorded = one.having({"a.dust.yaml": None, "test_it.py": test}).run("--dust-mode=record").example
    monkeypatch.setattr("pytest_dust.compare.baseline.compare", raising(ZeroDivisionError))
    result = recorded.run("--dust-mode=live")
    assert result.outcomes == {"failed": 1}
    assert pending(result) == {".dust/pending/test_it.py/test_it.json"}
    assert "is kept in .dust/pending/test_it.py/test_it.json" in result.report
    assert tokens(result) > 0


def test_a_run_of_another_version_is_kept_as_that(odd, server):
    """A pending answer of another version of the app is bound to the version that ran."""
    other = server.hash(SUPPORT, "v2")
    result = odd("raise KeyboardInterrupt").run(f"--dust-specification-hash={other}", subprocess=True)
    kept = cassette.loads(result.example.files[PENDING])
    assert kept.request["specification_hash"] == other
