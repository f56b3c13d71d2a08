"""Nothing secret leaves the process: not a byte of the key is in anything that a run leaves behind."""

from __future__ import annotations

import json
import re

import pytest
from faults import Faults
from leaks import holds_no

from conftest import CASE, KEY, QUOTE, SUPPORT, Service, suite
from pytest_dust.cassettes import format as cassette_format
from pytest_dust.model import Flavor

LOUD = (
    "-vvv",
    "-rA",
    "--showlocals",
    "--full-trace",
    "--junitxml=out.xml",
    "-ojunit_logging=all",
    "--log-file=all.log",
    "--log-level=DEBUG",
    "--log-file-level=DEBUG",
    "--log-cli-level=DEBUG",
    "--durations=0",
    "-olog_cli=true",
)
MODES = ("record", "rerecord", "live")
each_flavor = pytest.mark.parametrize("flavor", Flavor)


# ── the key ──────────────────────────────────────────────────────────────────────────────────────


@each_flavor
@pytest.mark.parametrize("mode", MODES)
def test_a_run_that_goes_well_leaves_no_key(one, server, flavor, mode):
    """However loud pytest is told to be, a passing and a failing case leave no key anywhere."""
    text = one.files["a.dust.yaml"].decode()
    example = one.having({"b.dust.yaml": text.replace("billing", "shipping")})
    result = example.flavoured(flavor).run(f"--dust-mode={mode}", *LOUD)
    assert result.outcomes == {"failed": 1, "passed": 1}
    assert "all.log" in result.example.files
    assert b"send_request_headers" in result.example.files["all.log"]  # so the log was searched for something
    assert server.runs == 2
    holds_no(result)


@each_flavor
@pytest.mark.parametrize("where", ["value", "error", "refusal", "event"])
def test_a_key_that_comes_back_is_seen_nowhere(one, server, where, flavor):
    """A service that echoes the key, in its headers and its answer, finds no way to make us show it."""
    server.misbehave(Faults.echo(where), times=None, on="GET" if flavor == "poll" else "POST")
    result = (
        one.replacing("a.dust.yaml", "billing", "shipping").flavoured(flavor).run("--dust-mode=record", *LOUD)
    )
    assert result.outcomes == {"failed": 1}
    assert "***" in "".join([result.out, *map(str, result.example.cassettes.values())])
    holds_no(result)


def streamed(*events):
    """Give an answer of these events."""
    return "".join(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n" for event in events)


BEGIN = {"type": "run_status", "content": {"status": "running", "run_id": KEY}}
END = {"type": "run_status", "content": {"status": "succeeded", "run_id": KEY}}
STREAM = "text/event-stream"
ENDED = {"run": "succeeded", "blocks": [{"block_type": KEY, "name": KEY, "status": KEY}]}
ODD = {
    "a page": (200, f"<html><p>{KEY}</p></html>", "text/html"),
    "a page of trouble": (502, f"<html><p>{KEY}</p></html>", "text/html"),
    "cut JSON": (200, f'{{"run": "{KEY}', "application/json"),
    "not UTF-8": (200, b"\xff" + KEY.encode(), "application/json"),
    "a content type": (200, "x", f"text/{KEY}"),
    "an error's type": (400, {"error": {"type": KEY, "message": KEY, "run_error": {"code": KEY}}}, None),
    "a long message": (400, {"error": {"type": "x", "message": "y" * 280 + KEY}}, None),
    "a run's id, names and keys": (
        200,
        {"run": {"run_id": KEY, "status": ENDED, "traces": [[[KEY, KEY], [[{"value": {KEY: KEY}}]]]]}},
        None,
    ),
    "a status": (200, {"run": {"status": {"run": KEY}}}, None),
    "a hash": (200, {"run": {"specification_hash": KEY, "status": {"run": "errored"}}}, None),
    "an error event": (200, streamed({"type": "error", "content": {"code": KEY, "message": KEY}}), STREAM),
    "a stream's id": (200, streamed(BEGIN, END), STREAM),
    "a broken stream's id": (200, streamed(BEGIN), STREAM),
    "data that are no JSON": (200, streamed(KEY, f'{{"a": "{KEY}', BEGIN, END), STREAM),
    "a comment, id and name": (200, f": {KEY}\nid: {KEY}\nevent: {KEY}\n" + streamed(END), STREAM),
    "a wait": (429, KEY, "text/plain"),
}


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_answer_with_the_key_shows_none_of_it(one, server, odd):
    """Wherever in whatever answer the key stands, it is masked in what is told and kept of it."""
    status, body, kind = ODD[odd]
    headers = {"Set-Cookie": f"a={KEY}", "Location": f"/{KEY}", "Retry-After": f"99 {KEY}"}
    fault = Faults.status(status, body, content_type=kind, headers=headers)
    server.misbehave(fault, times=None, on="ANY")
    result = one.replacing("a.dust.yaml", "timeout: 5", "timeout: 0.9").run("--dust-mode=record", *LOUD)
    assert result.outcomes == {"failed": 1}
    assert "INTERNALERROR" not in result.out + result.err
    holds_no(result)


SOFT = {
    "no answer": (Faults.hung_up(), {}),
    "no connection": (None, {"DUST_BASE_URL": "http://127.0.0.1:1"}),
    "a wrong place": (None, {"DUST_WORKSPACE_ID": "elsewhere"}),
    "too slow": (Faults.stalled(), {}),
}


@pytest.mark.parametrize("trouble", SOFT)
def test_trouble_on_the_way_leaves_no_key(one, server, trouble):
    """A run that never got an answer leaves no key either."""
    fault, environ = SOFT[trouble]
    if fault is not None:
        server.misbehave(fault)
    example = one.exporting(**environ).replacing("a.dust.yaml", "timeout: 5", "timeout: 1")
    result = example.run("--dust-mode=live", *LOUD)
    assert result.outcomes == {"failed": 1}
    holds_no(result)


def test_the_key_in_another_place_is_masked_there(one):
    """The key exported as the workspace, by mistake, is masked in reports, cassettes and logs."""
    result = one.exporting(DUST_WORKSPACE_ID=KEY).run("--dust-mode=live", *LOUD)
    assert "404 workspace_not_found" in result.out
    holds_no(result)


CRASHING = "def crashes(value, argument):\n"
GET = "os.environ['DUST_API_KEY']"
CRASHES = {
    "raises": f"{CRASHING}    key = {GET}\n    raise RuntimeError(f'no {{key}} {{os.environ}}')\n",
    "asserts": f"{CRASHING}    key = {GET}\n    assert value == key\n",
    "exits": "def crashes(value, argument):\n    raise SystemExit(os.environ['DUST_API_KEY'])\n",
    "says": "def crashes(value, argument):\n    return f\"not {os.environ['DUST_API_KEY']}\"\n",
    "prints": "def crashes(value, argument):\n    return False\n",
}
HOOK = "import os\n{}\ndef pytest_dust_matchers():\n    return {{'crashes': crashes}}\n"


@pytest.mark.parametrize("how", CRASHES)
def test_a_crash_shows_no_key(one, how):
    """A project's matcher that crashes with the key in its words and its locals fails the case without it."""
    example = one.replacing("a.dust.yaml", "billing", "{crashes: 1}").having(
        {"conftest.py": HOOK.format(CRASHES[how])}
    )
    result = example.run("--dust-mode=live", *LOUD)
    assert result.outcomes == {"failed": 1}
    holds_no(result)


def test_a_crash_while_collecting_shows_no_key(one):
    """A project's hook that crashes with the key in its words stops the collection without it."""
    hook = f"import os\ndef pytest_dust_matchers():\n    key = {GET}\n    raise RuntimeError(key)\n"
    result = one.having({"conftest.py": hook}).run("--dust-mode=live", *LOUD)
    assert result.ret != 0
    holds_no(result)


@pytest.mark.parametrize("variable", ["DUST_MODE", "DUST_TIMEOUT", "DUST_BASE_URL"])
def test_a_setting_that_is_the_key_is_not_shown(one, variable):
    """The key exported as a setting, by mistake, is refused without being shown."""
    result = one.exporting(**{variable: KEY}).run()
    assert result.ret == 4
    holds_no(result)


def test_only_the_base_url_gets_the_key(one, server):
    """Each request to the service has the key in one header, and no other host is asked."""
    with Service(api_key=KEY) as other:
        environ = {"HTTPS_PROXY": other.base_url, "ALL_PROXY": other.base_url, "NO_PROXY": "127.0.0.1"}
        assert one.exporting(**environ).run("--dust-mode=live").outcomes == {"passed": 1}
        assert other.requests == []
    assert server.requests
    for request in server.requests:
        assert [name for name, value in request.headers.items() if KEY in value] == ["authorization"]
        assert KEY not in json.dumps(request.body) + request.path


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1",
        "http://dust.tt",
        "http://127.0.0.1.example.org",
        "http://localhost.example.org",
        "http://0.0.0.0:80",
        "http://[2001:db8::1]",
        "HTTP://dust.tt",
        "http://127.0.0.1:80@dust.tt",
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_an_open_line_gets_no_key(one, url, mode):
    """Plain http:// to another machine is refused before anything is sent, and only then."""
    result = one.exporting(DUST_BASE_URL=url).run(f"--dust-mode={mode}")
    assert result.ret == 4
    assert "--dust-allow-http" in result.err or "no user" in result.err
    assert "Traceback" not in result.err


def test_an_open_line_may_be_allowed(one):
    """`--dust-allow-http` lets a run go there, and a replay, which goes nowhere, needs no leave."""
    example = one.exporting(DUST_BASE_URL="http://dust.invalid")
    assert "cannot connect to http://dust.invalid" in example.run("--dust-mode=live", "--dust-allow-http").out
    assert "record" in example.run().out


# ── other secrets ────────────────────────────────────────────────────────────────────────────────

TOKEN = "geheim-Token 4711"
ORDER = """\
input: {{order: "3 apples for ${{env.TEAM_TOKEN}}"}}
expect:
  result.completion.text: {expected}
  blocks.PARSE.output.quantity: 3
"""
INI = "[pytest]\ndust_secrets = TEAM_TOKEN\ndust_env = TEAM_TOKEN\n"


@pytest.fixture
def ordering(project, server):
    """Give a project whose one case names a secret in its input and in what it expects."""

    def make(flavor, expected):
        text = suite(server, QUOTE, ORDER.format(expected=expected), f"flavor: {flavor}\n")
        files = {"a.dust.yaml": text, "pytest.ini": INI}
        return project.having(files).using(server).exporting(TEAM_TOKEN=TOKEN)

    return make


@each_flavor
def test_a_secret_of_the_project_is_masked_and_holds(ordering, server, flavor):
    """A listed variable is sent as it is, masked in all that is kept, and may be expected."""
    example = ordering(flavor, '{contains: "for ${env.TEAM_TOKEN} come"}')
    result = example.run("--dust-mode=record", *LOUD)
    assert result.outcomes == {"passed": 1}
    assert TOKEN in server.requests[0].body["inputs"][0]["order"]
    holds_no(result, TOKEN, TOKEN[:9], "4711")
    for token in (TOKEN, "another-token"):
        replayed = result.example.offline().exporting(TEAM_TOKEN=token).run(*LOUD)
        assert replayed.outcomes == {"passed": 1}
        holds_no(replayed, TOKEN, "another-token")
    again = result.example.run("--dust-mode=live", *LOUD)
    assert again.outcomes == {"passed": 1}
    assert "changed since" not in again.out


@each_flavor
def test_a_failure_shows_no_secret_of_the_project(ordering, flavor):
    """An expectation that does not hold is told, live and replayed, with the secret masked on both sides."""
    result = ordering(flavor, '"all for ${env.TEAM_TOKEN}"').run("--dust-mode=record", *LOUD)
    replayed = result.example.run(*LOUD)
    for each in (result, replayed):
        assert each.outcomes == {"failed": 1}
        assert "***" in each.report
        holds_no(each, TOKEN, TOKEN[:9], "4711")


def test_a_masked_workspace_replays(one):
    """A workspace that is listed as a secret is in no byte of the cassette, which replays."""
    example = one.having({"pytest.ini": "[pytest]\ndust_secrets = DUST_WORKSPACE_ID\n"})
    result = example.run("--dust-mode=record", *LOUD)
    assert result.outcomes == {"passed": 1}
    holds_no(result, one.environ["DUST_WORKSPACE_ID"])
    assert result.example.run().outcomes == {"passed": 1}
    assert result.example.offline().run().outcomes == {"passed": 1}


EMAIL = "ada.lovelace@example.org"


@each_flavor
@pytest.mark.parametrize("pattern", ["inputs.*.email", "inputs[*].email", "email", "*.em*"])
def test_redacted_values_are_masked_both_ways_and_fit(project, server, flavor, pattern):
    """What a pattern names in the request is masked there and wherever it comes back, and still fits."""
    asked = f"{{question: 'Where is my refund, {EMAIL}?', email: {EMAIL}}}"
    case = f"input: {asked}\nexpect: {{result.label: billing}}\n"
    files = {
        "a.dust.yaml": suite(server, SUPPORT, case, f"flavor: {flavor}\n"),
        "pytest.ini": f"[pytest]\ndust_redact =\n  {pattern}\n",
    }
    example = project.having(files).using(server)
    result = example.run("--dust-mode=record", *LOUD)
    assert result.outcomes == {"passed": 1}
    assert server.requests[0].body["inputs"][0]["email"] == EMAIL
    (cassette,) = result.example.cassettes.values()
    assert EMAIL.encode() not in cassette
    assert cassette.count(b"***") >= 2
    assert EMAIL not in result.out + result.err
    assert result.example.offline().run().outcomes == {"passed": 1}
    assert result.example.run("--dust-mode=record").outcomes == {"passed": 1}
    assert server.runs == 1


def test_a_redacted_value_of_the_reply_is_masked(project, server):
    """A pattern that names a value of the reply alone masks it in the cassette, and the case replays."""
    case = "input: {question: Where is my refund?}\nexpect: {result.label: billing}\n"
    files = {"a.dust.yaml": suite(server, SUPPORT, case), "pytest.ini": "[pytest]\ndust_redact = answer\n"}
    result = project.having(files).using(server).run("--dust-mode=record")
    assert result.outcomes == {"passed": 1}
    (cassette,) = result.example.cassettes.values()
    (exchange,) = cassette_format.loads(cassette).replies[0].exchanges
    assert "working days, and" not in json.dumps(exchange.body["run"]["results"])
    assert result.example.offline().run().outcomes == {"passed": 1}


# ── hostile projects ─────────────────────────────────────────────────────────────────────────────

WATCH = """\
import os, sys
OUTSIDE = {outside!r}
def watch(event, args):
    if event.startswith(("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "pickle.")):
        sys.stderr.write(f"AUDIT {{event}}\\n")
    if event in ("open", "os.remove", "os.rename", "os.mkdir", "os.listdir", "os.scandir"):
        if any(str(arg).startswith(OUTSIDE) for arg in args):
            sys.stderr.write(f"AUDIT {{event}} {{args}}\\n")
sys.addaudithook(watch)
"""
LINKS = {
    "the cassette": ("cassettes/a/a.json", "stolen.json"),
    "the suite's folder": ("cassettes/a", "stolen"),
    "the folder of cassettes": ("cassettes", "stolen-folder"),
}


@pytest.fixture
def outside(tmp_path_factory):
    """A folder beside the project, in which nobody has any business."""
    folder = tmp_path_factory.mktemp("outside")
    for name in ("stolen/a", "stolen-folder/a/a"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text('"PRIVATE"')
    (folder / "stolen.json").write_text('"PRIVATE"')
    return folder


def contents(folder):
    """Give every file below a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("mode", ["replay", "record", "rerecord"])
@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("absolute", [False, True])
def test_no_link_leads_out(one, outside, link, mode, absolute):
    """A symbolic link out of the cassettes' folder is refused, for reading and for writing."""
    name, target = LINKS[link]
    if absolute:  # one folder for all suites holds the way to each
        name = name.replace("cassettes/a", "cassettes/a.dust.yaml")
    if absolute and link == "the folder of cassettes":
        pytest.skip("an absolute folder is the one that the user named")
    before = contents(outside)
    one.write()
    path = one.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(outside / target)
    with one.monkeypatch.context() as patch:
        for variable, value in one.environ.items():
            patch.setenv(variable, value)
        if absolute:
            patch.setenv("DUST_CASSETTE_DIR", str(one.root / "cassettes"))
        done = one.pytester.runpytest_inprocess(f"--dust-mode={mode}", "--dust-prune")
    out = done.stdout.str()
    assert "symbolic link out of its folder" in out
    assert "PRIVATE" not in out
    assert contents(outside) == before


@pytest.mark.parametrize(
    "name", ["...dust.yaml", ".dust.yaml", "....dust.yaml", "a b.dust.yaml", "-x.dust.yaml"]
)
def test_no_name_of_a_suite_leads_out(one, name):
    """Whatever a suite is called, nothing is written outside of its folder of cassettes."""
    text = (
        one.files["a.dust.yaml"].decode().replace(CASE, f"cases:\n  - {{id: evil, {CASE.splitlines()[0]}}}\n")
    )
    files = one.having({"a.dust.yaml": None, name: text}).run("./" + name, "--dust-mode=record").example.files
    written = set(files) - {name, "pytest.ini"}
    assert all(re.match(r"cassettes/|\.pytest_cache/", path) for path in written)


IDS = ["../evil", "a/../../evil", "/etc/evil", "..", "a\\..\\evil", "C:evil", "a\0b", "é" * 300, "."]


@pytest.mark.parametrize("id_", IDS)
def test_no_id_of_a_row_leads_out(one, server, id_):
    """Whatever a row is called, its cassette stands in the suite's folder or nowhere."""
    text = suite(
        server, SUPPORT, "dataset: rows.jsonl\ninput: {question: '${row.question}'}\n", "timeout: 5\n"
    )
    rows = json.dumps({"id": id_, "question": "refund"}) + "\n"
    example = one.having(
        {
            "a.dust.yaml": text.replace("dataset", "cases:\n  - id: x\n    dataset").replace(
                "\ninput", "\n    input"
            ),
            "rows.jsonl": rows,
        }
    )
    files = example.run("--dust-mode=record").example.files
    written = set(files) - {"a.dust.yaml", "rows.jsonl", "pytest.ini"}
    assert all(re.fullmatch(r"cassettes/a/[^/]+\.json|\.pytest_cache/.*", path) for path in written)


DEEP = b"[" * 200_000
CODE = b"cos\nsystem\n(S'touch pwned'\ntR."
YAML = b"!!python/object/apply:os.system ['touch pwned']"
JSONS = b'{"version": 1, "py/reduce": [{"py/type": "os.system"}, {"py/tuple": ["touch pwned"]}]}'
HOSTILE = {
    "deep": DEEP,
    "deeper objects": b'{"a":' * 100_000,
    "pickle": CODE,
    "yaml": YAML,
    "pickled json": JSONS,
}
HOSTILE |= {
    "huge": None,
    "a device": None,
    "numbers": b"9" * 1_000_000,
    "nul": b"\0" * 10_000,
    "nothing": b"",
}


def test_hostile_cassettes_are_clear_errors_and_open_nothing(project, server, outside):
    """Huge, deep or code-like cassettes fail their cases by name; nothing runs or opens."""
    files = {f"{at}.dust.yaml": suite(server, SUPPORT, CASE) for at in range(len(HOSTILE))}
    files["conftest.py"] = WATCH.format(outside=str(outside))
    example = project.having(files).offline()
    example.write()
    for at, source in enumerate(HOSTILE.values()):
        path = example.root / "cassettes" / str(at) / f"{at}.json"
        path.parent.mkdir(parents=True)
        path.write_bytes(source or b"")
        if source is None:
            with path.open("r+b") as file:
                file.truncate(70 * 1024 * 1024)  # a hole, which takes no room on the disk
    path.unlink()
    path.symlink_to(outside / "stolen.json")
    example = example.left()
    done = project.pytester.runpytest_subprocess("-p", "no:cacheprovider", "-v")
    out = done.stdout.str() + done.stderr.str()
    assert done.parseoutcomes() == {"failed": len(HOSTILE)}
    for word in ("AUDIT", "Traceback", "INTERNALERROR", "PRIVATE"):
        assert word not in out
    assert out.count("DUST_API_KEY") == 0
    assert out.count("is larger than 64 MB") >= 2
    assert not list(project.root.rglob("pwned"))
    assert len(out) < 30_000


def test_an_absolute_folder_keeps_everything_inside(one, outside):
    """With an absolute folder of cassettes, they are written below it, and nowhere else."""
    target = outside / "kept"
    result = one.run("--dust-mode=record", f"--dust-cassette-dir={target}")
    assert result.outcomes == {"passed": 1}
    assert [path.relative_to(target).parts[-2:] for path in contents(target)] == [("a.dust.yaml", "a.json")]
    assert result.example.cassettes == {}
    assert one.offline().run(f"--dust-cassette-dir={target}").outcomes == {"passed": 1}
