"""What ini `dust_redact` and `dust_secrets` hide is in no output and no file of a session."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest
from leaks import holds_no

from conftest import HALVE, SUPPORT, suite
from pytest_dust.masking import MASKED, mask
from pytest_dust.model import Flavor

EMAIL = "Ada.Lovelace@example.org"
ACCOUNT = 4915112345
PLACE = [48.856613, -2.3522219]
each_flavor = pytest.mark.parametrize("flavor", Flavor)


def redacting(*names: str) -> bytes:
    """Give an ini file that redacts these names."""
    return ("[pytest]\ndust_redact =\n" + "".join(f"  {name}\n" for name in names)).encode()


def answering(server, value):
    """Let the app answer what `value` returns for its input."""
    server.become(("input", "INPUT", lambda env: env.input), ("code", "ECHO", lambda env: value(env.input)))


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("redacted", "came", "kept"),
    [
        (
            42,
            {"a": 42, "b": [42, 42.0, -42], "c": "42"},
            {"a": MASKED, "b": [MASKED, MASKED, -42], "c": MASKED},
        ),
        (42, {"a": "42 years", "b": 142, "c": "x42"}, {"a": "42 years", "b": 142, "c": "x42"}),
        (1, {"a": True, "b": None, "c": [False, 1]}, {"a": True, "b": None, "c": [False, MASKED]}),
        (0, {"a": False, "b": None, "c": 0, "d": ""}, {"a": False, "b": None, "c": MASKED, "d": ""}),
        (True, {"a": True, "b": 1}, {"a": True, "b": 1}),
        (None, {"a": None, "b": "None"}, {"a": None, "b": "None"}),
        (-7, {"a": -7, "b": 7, "c": "-7"}, {"a": MASKED, "b": 7, "c": MASKED}),
        (ACCOUNT, {"a": ACCOUNT, "b": f"no. {ACCOUNT}!"}, {"a": MASKED, "b": "no. ***!"}),
        (ACCOUNT, {"a": -ACCOUNT, "b": [-float(ACCOUNT)]}, {"a": MASKED, "b": [MASKED]}),
        (ACCOUNT, {"a": 4.915112345e9, "b": "4,915,112,345"}, {"a": MASKED, "b": MASKED}),
        (48.856613, {"a": 48.856613, "b": ["at 48.856613"]}, {"a": MASKED, "b": ["at ***"]}),
        (-2.3522219, {"a": [[-2.3522219]], "b": 2.3522219}, {"a": [[MASKED]], "b": 2.3522219}),
        (1.5e-07, {"a": 1.5e-07, "b": "0.00000015"}, {"a": MASKED, "b": MASKED}),
        (1e22, {"a": 10**22, "b": "1e+22"}, {"a": MASKED, "b": MASKED}),
        (1234567.0, {"a": 1234567, "b": "1234567 and 1234567.0"}, {"a": MASKED, "b": "*** and ***"}),
        ("4915112345", {"a": ACCOUNT, "b": "4915112345"}, {"a": MASKED, "b": MASKED}),
        ("+4915112345", {"a": ACCOUNT}, {"a": MASKED}),
        ("42", {"a": 42, "b": "42"}, {"a": MASKED, "b": MASKED}),
        ("GB", {"a": "GB", "b": "GBP", "c": ["GB"]}, {"a": MASKED, "b": "GBP", "c": [MASKED]}),
    ],
)
def test_a_redacted_value_is_masked_in_what_blocks_give(redacted, came, kept):
    """A redacted number or text is masked in outputs as a whole value; a long one inside of texts too."""
    covering = mask({}, (), ("secret",)).covering({"inputs": [{"secret": redacted}]})
    run = {"run": {"traces": [[["code", "A"], [[{"value": came}]]]]}}
    assert covering.answer(run)["run"]["traces"][0][1][0][0]["value"] == kept


def test_the_runs_own_numbers_stay():
    """A redacted number is not masked in counts, times and usage of the run."""
    covering = mask({}, (), ("secret",)).covering({"secret": [1, ACCOUNT]})
    status = {"blocks": [{"success_count": 1, "error_count": 0}]}
    run = {"created": ACCOUNT, "status": status, "meta": {"token_usage": {"prompt_tokens": 1}}}
    assert covering.answer(run) == run


def test_a_secret_that_is_a_number_is_masked_as_one():
    """A secret variable that comes back as a number is masked."""
    found = mask({"PIN": "915112"}, ("PIN",), ())
    assert found.answer({"value": {"pin": 915112, "text": "pin 915112"}}) == {
        "value": {"pin": MASKED, "text": "pin ***"}
    }


@pytest.mark.parametrize(
    "text",
    [
        EMAIL,
        EMAIL.lower(),
        EMAIL.upper(),
        quote(EMAIL),
        quote(EMAIL, safe=""),
        quote(EMAIL.lower(), safe=""),
        f"mailto:{EMAIL}?x=1",
        json.dumps({"to": EMAIL}),
    ],
)
def test_other_spellings_of_a_redacted_text_are_masked(text):
    """A redacted text is masked in other case, in addresses, and in JSON inside of a text."""
    covering = mask({}, (), ("email",)).covering({"email": EMAIL})
    assert "lovelace" not in covering.text(text).lower()


ESCAPED = ['J"o h\\n\tSmith', "Zoë Müller-Ño", "O'Neil & <Sons>", "50% of it + more", "名前は秘密です"]


@pytest.mark.parametrize("written", ESCAPED)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_redacted_text_is_masked_in_json(written, ascii_only):
    """A text is masked as JSON escapes it, also in JSON that is itself a text in JSON."""
    covering = mask({}, (), ("name",)).covering({"name": written})
    once = json.dumps({"n": written}, ensure_ascii=ascii_only)
    assert covering.text(once) == '{"n": "***"}'
    twice = json.dumps([once], ensure_ascii=ascii_only)
    assert covering.text(twice) == r'["{\"n\": \"***\"}"]'


@pytest.mark.parametrize("written", ESCAPED)
@pytest.mark.parametrize(
    "escape",
    [quote, lambda text: quote(text, safe=""), lambda text: quote(text, safe="").replace("%20", "+")],
    ids=["quote", "quote-all", "plus"],
)
def test_a_redacted_text_is_masked_in_addresses(written, escape):
    """A text is masked as an address escapes it."""
    covering = mask({}, (), ("name",)).covering({"name": written})
    assert covering.text(f"https://x.example/?n={escape(written)}") == "https://x.example/?n=***"


def test_a_key_in_other_letters_is_another_text():
    """A secret from the environment is masked in the same case only, and in addresses."""
    found = mask({"TOKEN": "a/Secret+value"}, ("TOKEN",), ())
    assert found.text("x a%2FSecret%2Bvalue a%2fSecret%2bvalue A/SECRET+VALUE") == "x *** *** A/SECRET+VALUE"


NUMBERS = f"""\
input: {{age: 42, account: {ACCOUNT}, place: {PLACE}, tiny: 1.5e-07, open: 43}}
expect:
  result.years: 42
  result.account: {{not: 7}}
  result.where: {PLACE}
  result.open: 43
  result.flag: true
  result.text: {{contains: "account {ACCOUNT}"}}
  result.list: {{length: 3, contains: 42}}
  blocks.ECHO.success_count: 1
  blocks.ECHO.iterations: 1
"""


@each_flavor
def test_redacted_numbers_come_back_masked(project, server, flavor):
    """A redacted number is in no cassette and no report, and can be expected."""
    answering(
        server,
        lambda asked: {
            "years": asked["age"],
            "account": asked["account"],
            "where": asked["place"],
            "text": f"account {asked['account']}, {asked['tiny']}",
            "list": [asked["age"], float(asked["account"]), asked["tiny"]],
            "open": asked["open"],
            "flag": True,
        },
    )
    files = {
        "a.dust.yaml": suite(server, SUPPORT, NUMBERS, f"flavor: {flavor}\n"),
        "pytest.ini": redacting("age", "account", "place", "tiny"),
    }
    example = project.having(files).using(server)
    recorded = example.run("--dust-mode=record", "-rA")
    assert recorded.outcomes == {"passed": 1}, recorded.report
    (text,) = recorded.example.cassettes.values()
    hidden = (str(ACCOUNT), "48.856613", "2.3522219", "1.5e-07", "4915112345.0")
    assert not [number for number in hidden if number in text.decode()]
    assert not re.search(r": 42\b|\b42,", text.decode())
    assert '"open": 43' in text.decode()
    assert '"flag": true' in text.decode()
    assert recorded.example.offline().run().outcomes == {"passed": 1}
    again = recorded.example.run("--dust-mode=live", "--dust-on-change=fail")
    assert again.outcomes == {"passed": 1}
    failing = recorded.example.replacing("a.dust.yaml", "open: 43\n  result.flag", "open: 44\n  result.flag")
    shown = failing.replacing("a.dust.yaml", "years: 42", "years: 41").offline().run("-vv")
    assert shown.outcomes == {"failed": 1}
    assert re.search(r"actual +43", shown.report)
    assert re.search(r'result\.years\n +expected +41\n +actual +"\*\*\*"', shown.report)


def test_counts_may_be_expected_beside_an_equal_redacted_number(made):
    """A redacted number hides no count; expectations of lengths and counts hold as before."""
    cases = """\
input: {number: 40, limit: 10}
expect:
  blocks.UNTIL.iterations: 2
  blocks.HALVE.output: {length: 2}
  result.steps: 2
  length(blocks.HALVE.output): 2
"""
    example = made(HALVE, cases).having({"pytest.ini": redacting("inputs.*.limit")})
    two = example.replacing("suite.dust.yaml", "number: 40, limit: 10", "number: 9, limit: 2")
    result = two.run("--dust-mode=rerecord")
    assert result.outcomes == {"passed": 1}, result.report
    assert result.example.offline().run().outcomes == {"passed": 1}


# ── recordings that are older than what is redacted ──────────────────────────────────────────────

ASKED = f"input: {{question: Where is my refund?, email: {EMAIL}, account: {ACCOUNT}}}\n"


@pytest.mark.parametrize("args", [(), ("--dust-check",), ("-vv",)])
def test_an_older_recording_shows_nothing_of_what_is_redacted_now(made, args):
    """A recording made before a value was redacted does not fit, and reports do not show the value."""
    example = made(SUPPORT, ASKED).having({"pytest.ini": redacting("email", "account")}).offline()
    result = example.run(*args)
    assert result.outcomes == {"failed": 1}
    assert re.search(r"inputs\[0\]\.email +\"\*\*\*\" → \"\*\*\*\"", result.report)
    for secret in (EMAIL, str(ACCOUNT)):
        assert secret not in result.out + result.err


def test_an_older_answer_is_masked_when_it_is_read(project, server):
    """An answer recorded before a value was redacted is shown and compared with it masked."""
    answering(server, lambda asked: {"to": asked["email"], "number": asked["account"]})
    text = suite(server, SUPPORT, ASKED + "expect: {result.to: nobody}\n")
    old = project.having({"a.dust.yaml": text}).using(server).run("--dust-mode=record").example
    (name,) = old.cassettes
    document = json.loads(old.cassettes[name])
    document["request"]["inputs"][0].update(email=MASKED, account=MASKED)
    mixed = old.having({name: json.dumps(document), "pytest.ini": redacting("email", "account")})
    replayed = mixed.offline().run("-vv")
    assert replayed.outcomes == {"failed": 1}
    assert EMAIL not in replayed.out + replayed.err
    live = mixed.run("--dust-mode=live")
    assert "Changed since" not in live.out
    assert EMAIL not in live.out + live.err


# ── ids and file names ───────────────────────────────────────────────────────────────────────────

ROWS = f'{{"id": "{EMAIL}", "email": "{EMAIL}"}}\n{{"id": "plain", "email": "bob@example.org"}}\n'
ASKED_FOR = 'input: {question: Hi, email: "${matrix.email}"}'
TABLES = {
    "a matrix": (
        ("inputs.*.email",),
        f'matrix: {{email: ["{EMAIL}", x@example.org]}}\n    {ASKED_FOR}',
        ["t[email0]", "t[email1]"],
    ),
    "a matrix that a pattern names": (
        ("matrix.who",),
        f'matrix: {{who: ["{EMAIL}"]}}\n    input: {{question: "I am ${{matrix.who}}"}}',
        ["t[who0]"],
    ),
    "a part of a redacted text": (
        ("question",),
        f'matrix: {{who: ["{EMAIL}"], n: [1]}}\n    input: {{question: "I am ${{matrix.who}}"}}',
        ["t[who0-1]"],
    ),
    "a number": (
        ("account",),
        f'matrix: {{account: [{ACCOUNT}, 7]}}\n    input: {{question: Hi, account: "${{matrix.account}}"}}',
        ["t[account0]", "t[account1]"],
    ),
    "one of two": (
        ("email",),
        f'matrix: {{m: [gpt-4o], email: ["{EMAIL}"]}}\n    {ASKED_FOR}',
        ["t[gpt-4o-email0]"],
    ),
    "rows": (
        ("inputs.*.email",),
        'dataset: rows.jsonl\n    input: {question: Hi, email: "${row.email}"}',
        ["t[r1]", "t[plain]"],
    ),
    "rows that are the input": (("inputs.*.email",), "dataset: rows.jsonl", ["t[r1]", "t[plain]"]),
    "rows' ids": (("row.id",), "dataset: rows.jsonl\n    input: {question: Hi}", ["t[r1]", "t[r2]"]),
    "rows with a matrix": (
        ("email",),
        'dataset: rows.jsonl\n    matrix: {n: [1, 2]}\n    input: {question: Hi, email: "${row.email}"}',
        ["t[r1-1]", "t[r1-2]", "t[plain-1]", "t[plain-2]"],
    ),
}


@pytest.fixture
def tabled(project, server):
    """Give a project with a table of cases whose values are redacted."""

    def make(row):
        names, written, ids = TABLES[row]
        cases = f"cases:\n  - id: t\n    {written}\n    expect: {{status: succeeded}}\n"
        answering(server, lambda asked: {"echo": asked})
        files = {"a.dust.yaml": suite(server, SUPPORT, cases), "pytest.ini": redacting(*names)}
        example = project.having({**files, "rows.jsonl": ROWS}).using(server)
        return example, ids

    return make


def shown(result, files):
    """Give the output of a run, and the names and contents of the files that it wrote."""
    left = {name: text for name, text in result.example.files.items() if name not in files}
    return "\n".join(
        [result.out, result.err, *left, *(text.decode(errors="replace") for text in left.values())]
    )


@pytest.mark.parametrize("row", TABLES)
def test_no_id_and_no_file_name_holds_a_redacted_value(tabled, row):
    """A case with a redacted row or matrix value has a neutral id, and the session says so."""
    example, ids = tabled(row)
    own = {"a.dust.yaml", "rows.jsonl", "pytest.ini"}
    listed = example.run("--co", "-q")
    assert [line for line in listed.out.splitlines() if "::" in line] == [
        f"a.dust.yaml::{one}" for one in ids
    ]
    recorded = example.run("--dust-mode=record", "--junitxml=out.xml", "-v", "-rA")
    assert recorded.outcomes == {"passed": len(ids)}
    replayed = recorded.example.offline().run("-v", "-k", "t", "--durations=0", "-vv")
    assert replayed.outcomes == {"passed": len(ids)}
    for result in (listed, recorded, replayed):
        assert f"dust: a.dust.yaml: {next(one for one in ids if 'plain' not in one)}" in result.out
        assert "numbered, as a secret or redacted value would stand in the id" in result.out
    assert sorted(recorded.example.cassettes) == sorted(f"cassettes/a/{one}.json" for one in ids)
    for result in (listed, recorded, replayed):
        text = shown(result, own)
        assert "lovelace" not in text.lower()
        assert str(ACCOUNT) not in text


def test_a_long_or_odd_value_leaves_no_digest_of_itself(project, server):
    """A redacted value that an id would shorten is replaced: no part and no digest of it is shown."""
    long = f"{EMAIL} " * 30
    asked = 'input: {question: "${matrix.q}"}'
    cases = f'cases:\n  - id: t\n    matrix: {{q: ["{long}", "a\\tb"]}}\n    {asked}\n'
    files = {"a.dust.yaml": suite(server, SUPPORT, cases), "pytest.ini": redacting("question")}
    result = project.having(files).run("--co", "-q")
    assert "a.dust.yaml::t[q0]\na.dust.yaml::t[q1]" in result.out


def test_workers_say_it_once(tabled):
    """With pytest-xdist the ids are neutral too, and that is said once."""
    example, ids = tabled("rows")
    result = example.run("--dust-mode=record", "-n", "2", "-v")
    assert result.outcomes == {"passed": len(ids)}
    assert result.out.count("numbered, as a secret") == 1
    assert "lovelace" not in shown(result, {"a.dust.yaml", "rows.jsonl", "pytest.ini"}).lower()


def test_a_secret_in_a_matrix_gives_a_neutral_id(project, server):
    """A secret variable in a matrix gives a case with a number as its id."""
    cases = (
        'cases:\n  - id: t\n    matrix: {key: ["${env.DUST_SHOP}"]}\n    input: {question: "${matrix.key}"}\n'
    )
    files = {
        "a.dust.yaml": suite(server, SUPPORT, cases),
        "pytest.ini": "[pytest]\ndust_secrets = DUST_SHOP\n",
    }
    example = project.having(files).using(server).exporting(DUST_SHOP="geheim-4711")
    result = example.run("--dust-mode=record")
    assert sorted(result.example.cassettes) == ["cassettes/a/t[key0].json"]
    holds_no(result, "geheim-4711")


def test_values_that_are_not_redacted_name_their_cases(tabled):
    """If nothing is hidden, ids show the values, and nothing is said."""
    example, _ = tabled("rows")
    result = example.having({"pytest.ini": redacting("phone")}).run("--co", "-q")
    assert f"a.dust.yaml::t[{EMAIL}]" in result.out
    assert "numbered" not in result.out


# ── everywhere else ──────────────────────────────────────────────────────────────────────────────

TOLD = f"""\
cases:
  - id: a
    description: Mail to {EMAIL} about {ACCOUNT}
    marks: [{{xfail: "{EMAIL} is not answered"}}]
    input: &asked {{question: Where is my refund?, email: {EMAIL}, account: {ACCOUNT}}}
    expect: {{result.to: "{EMAIL}", result.label: shipping}}
  - id: b
    input: {{question: Where is my refund?, email: {EMAIL}, account: {ACCOUNT}}}
    expect: {{result.to: "{EMAIL}", result.account: {{gte: {ACCOUNT}}}}}
"""


@pytest.mark.parametrize("mode", ["record", "live"])
def test_a_redacted_value_is_in_no_report(project, server, mode):
    """No description, mark, block name, expectation, difference or pending answer shows it."""
    times = iter(range(100))
    server.become(
        ("input", "INPUT", lambda env: env.input),
        ("code", f"MAIL {EMAIL}", lambda env: {"to": env.input["email"], "n": next(times)}),
        (
            "code",
            "ECHO",
            lambda env: {"to": env.input["email"], "account": env.input["account"], "n": next(times)},
        ),
    )
    text = suite(server, SUPPORT, TOLD.replace("&asked ", ""))
    files = {"a.dust.yaml": text, "pytest.ini": redacting("email", "account")}
    example = project.having(files).using(server)
    first = example.run("--dust-mode=record")
    result = first.example.run(
        f"--dust-mode={mode}", "-vv", "-rA", "--junitxml=out.xml", "--dust-diff-dir=diffs"
    )
    for each in (first, result, first.example.offline().run("--dust-check", "-vv", "-rA")):
        text = shown(each, set(files))
        assert EMAIL not in text
        assert str(ACCOUNT) not in text
        assert "INTERNALERROR" not in text


BROKEN = {
    "a misspelt key": f"cases:\n  - id: a\n    inptu: {{email: {EMAIL}}}\n",
    "a wrong value": f"cases:\n  - id: a\n    input: {{email: {EMAIL}}}\n    flavor: {EMAIL}\n",
    "a row's id": "cases:\n  - id: a\n    dataset: odd.jsonl\n    input: {email: '${row.email}'}\n",
    "a wrong row": "cases:\n  - id: a\n    dataset: rows.jsonl\n    timeout: ${row.email}\n",
    "a second row": "cases:\n  - id: a\n    dataset: twice.jsonl\n",
    "no YAML": f"cases:\n  - id: a\n    input: {{question: Hi, email: {EMAIL}\n",
    "a quoted value in no YAML": f"cases:\n  - id: a\n    input: {{question: Hi, 'email': '{EMAIL}'\n",
    "one case": f"inptu: {{email: {EMAIL}}}\n",
}


@pytest.mark.parametrize(
    ("how", "args"), [*((how, ()) for how in BROKEN), ("a wrong row", ("--dust-check",))]
)
def test_a_mistake_in_a_suite_shows_no_redacted_value(project, how, args):
    """Excerpts of suites and datasets in error texts are masked."""
    files = {
        "a.dust.yaml": f"app: {{id: x}}\nspecification_hash: latest\n{BROKEN[how]}",
        "pytest.ini": redacting("inputs.*.email"),
        "rows.jsonl": ROWS,
        "odd.jsonl": f'{{"id": ["{EMAIL}"], "email": "{EMAIL}"}}\n',
        "twice.jsonl": f'{{"id": "x", "email": "{EMAIL}"}}\n' * 2,
    }
    result = project.having(files).run(*args)
    assert result.outcomes == {"error": 1}
    assert "a.dust.yaml:" in result.report
    assert "lovelace" not in (result.out + result.err).lower()


# ── hidden variables that are not set ────────────────────────────────────────────────────────────

SECRET, REDACTED = "dust_secrets = DUST_MAIL", "dust_redact = inputs.*.email"
TO = 'input: {question: "Where is my refund, ${env.DUST_MAIL}?"}\n'
OF_A_MATRIX = """\
cases:
  - id: t
    matrix: {m: ["${env.DUST_MAIL}"]}
    input: {question: "Where is my refund?", email: "${matrix.m}"}
"""
HIDDEN = {
    "a secret": (
        SECRET,
        f'{TO}expect: {{blocks.INPUT.output.question: "Where is my refund, ${{env.DUST_MAIL}}?"}}\n',
    ),
    "a redacted value": (
        REDACTED,
        """\
input: {question: "Where is my refund?", email: "${env.DUST_MAIL}", again: "to ${env.DUST_MAIL}"}
description: Mail to ${env.DUST_MAIL}
expect: {blocks.INPUT.output.email: "${env.DUST_MAIL}"}
""",
    ),
    "a part of a redacted value": ("dust_redact = question", TO),
    "a redacted value of the config": (
        "dust_redact = CLASSIFY.user",
        'input: {question: "Where is my refund?"}\n',
    ),
    "a value of a matrix": (REDACTED, OF_A_MATRIX),
    "a pattern to match": (
        SECRET,
        f"{TO}expect: {{result.label: {{matches: '^(?!${{env.DUST_MAIL}})'}}}}\n",
    ),
}


@pytest.fixture
def hiding(project, server):
    """Give a recorded project whose suite reads a hidden variable."""

    def make(how):
        ini, text = HIDDEN[how]
        files = {"pytest.ini": f"[pytest]\n{ini}\n", "a.dust.yaml": suite(server, SUPPORT, text)}
        if "config" in how:
            files["a.dust.yaml"] = files["a.dust.yaml"].replace(
                '"use_cache": false}', '"user": "${env.DUST_MAIL}"}', 1
            )
        example = project.having(files).using(server)
        recorded = example.exporting(DUST_MAIL=EMAIL).run("--dust-mode=record")
        assert recorded.outcomes == {"passed": 1}, recorded.report
        holds_no(recorded, EMAIL)
        return recorded.example

    return make


@pytest.mark.parametrize("how", HIDDEN)
def test_a_hidden_variable_need_not_be_set_for_a_replay(hiding, how):
    """A recording with hidden values from the environment is replayed and checked without them."""
    example = hiding(how).offline()
    assert example.run().outcomes == {"passed": 1}
    checked = example.run("--dust-check")
    assert checked.ret == 0, checked.out


@pytest.mark.parametrize("mode", ["record", "rerecord", "live"])
@pytest.mark.parametrize("how", ["a secret", "a redacted value"])
def test_a_hidden_variable_must_be_set_to_ask_the_service(hiding, server, how, mode):
    """In modes that make requests an unset variable is an error, and nothing is sent."""
    example = hiding(how)
    environ = {name: value for name, value in example.environ.items() if name != "DUST_MAIL"}
    server.requests.clear()
    result = type(example)(example.pytester, example.monkeypatch, example.files, environ).run(
        f"--dust-mode={mode}"
    )
    assert result.outcomes == {"error": 1}
    assert "the environment has no DUST_MAIL; set it: export DUST_MAIL=…" in result.report
    assert server.requests == []


def test_a_variable_that_is_not_hidden_must_be_set(hiding):
    """A variable that is not hidden must be set for a replay, as its value is in the cassette."""
    example = hiding("a redacted value").having({"pytest.ini": "[pytest]\n"})
    result = example.offline().run()
    assert "the environment has no DUST_MAIL; set it" in result.report


@pytest.mark.parametrize("key", ["timeout", "dataset", "flavor"])
def test_a_hidden_variable_is_needed_where_its_value_counts(project, server, key):
    """A key that is no part of the request or the expectations needs its variable."""
    case = f'cases:\n  - id: a\n    input: {{question: Hi}}\n    {key}: "${{env.DUST_MAIL}}"\n'
    files = {
        "pytest.ini": "[pytest]\ndust_secrets = DUST_MAIL\n",
        "a.dust.yaml": suite(server, SUPPORT, case),
    }
    result = project.having(files).run()
    assert result.outcomes == {"error": 1}
    assert "DUST_MAIL; set it" in result.report
