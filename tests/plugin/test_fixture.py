"""The fixture `dust`: a Python door to runs, under the same modes and the same rules for cassettes."""

from __future__ import annotations

import re

import pytest

from conftest import config_of, filled

APP = "9f1d3b5a7c"
TEST = """\
def test_refund(dust):
    run = dust.run(
        app="9f1d3b5a7c",
        specification_hash=HASH,
        config=CONFIG,
        input={"question": "Where is my refund?"},
    )
    assert run.result.label == "billing"
"""


@pytest.fixture
def python(project, server):
    """A project with one Python test that runs an app, and the service at hand."""
    return project.having({"test_it.py": filled(TEST, server)}).using(server)


@pytest.fixture
def tests(project, server):
    """A project with these lines as the body of a test; `run(**more)` in it runs the support app."""

    def make(body: str, head: str = "def test_it(dust):"):
        text = (
            f"import pytest\nHASH = {server.hash(APP)!r}\nCONFIG = {config_of(APP)!r}\n"
            "def ask(dust, *, config=CONFIG, **more):\n"
            "    return dust.run(app='9f1d3b5a7c', specification_hash=HASH, config=config, **more)\n"
            f"{head}\n"
        )
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        return project.having({"test_it.py": text + lines}).using(server)

    return make


def test_all_four_modes(python, server):
    """Replay needs a cassette, record writes it once, rerecord each time, live never."""
    assert python.offline().run().outcomes == {"failed": 1}
    live = python.run("--dust-mode=live")
    assert (live.outcomes, live.example.cassettes, server.runs) == ({"passed": 1}, {}, 1)
    recorded = live.example.run("--dust-mode=record")
    assert (recorded.outcomes, server.runs) == ({"passed": 1}, 2)
    assert list(recorded.example.cassettes) == ["cassettes/test_it.py/test_refund.json"]
    assert recorded.example.run("--dust-mode=record").outcomes == {"passed": 1}
    assert recorded.example.offline().run().outcomes == {"passed": 1}
    assert server.runs == 2
    assert recorded.example.run("--dust-mode=rerecord").outcomes == {"passed": 1}
    assert server.runs == 3


def test_a_missing_cassette_says_how_to_record_it(python):
    """Without a cassette the test fails with a command that records it, and shows none of our code."""
    result = python.offline().run()
    assert "no cassette (looked in cassettes/test_it.py/test_refund.json)" in result.report
    assert "pytest_dust/" not in result.report.partition("short test summary")[0].replace(
        "pytest_dust.errors", ""
    )
    mended = python.run(*command(result))
    assert mended.outcomes == {"passed": 1}
    assert mended.example.offline().run().outcomes == {"passed": 1}


def command(result):
    """The arguments of the command that a failed test suggests."""
    (line,) = {
        line.partition(": pytest ")[2]
        for line in result.out.splitlines()
        if "it: pytest " in line or "anew: pytest " in line
    }
    return line.split()


def test_a_misfit_names_what_moved(python):
    """A changed input fails with the field that moved and a command that mends it."""
    recorded = python.run("--dust-mode=record").example
    result = recorded.replacing("test_it.py", "my refund", "the refund").offline().run()
    assert result.outcomes == {"failed": 1}
    assert "inputs[0].question" in result.report
    mended = recorded.replacing("test_it.py", "my refund", "the refund").run(*command(result))
    assert mended.outcomes == {"passed": 1}


def test_the_command_works_where_pytest_was_called(python):
    """In a folder below the root, the command is one to type there."""
    moved = python.having({"sub/test_it.py": python.files["test_it.py"], "test_it.py": None})
    result = moved.offline().run(cwd="sub")
    assert "looked in cassettes/" in result.report
    mended = moved.run(*command(result), cwd="sub")
    assert mended.outcomes == {"passed": 1}
    assert list(mended.example.cassettes) == ["sub/cassettes/test_it.py/test_refund.json"]


def test_cassettes_are_named_after_the_tests(tests):
    """A cassette has the test's name with class and parameters, and a number from the second run on."""
    body = "    @pytest.mark.parametrize('x', ['a', 'B c'])\n    def test_one(self, dust, x):\n"
    body += "        ask(dust, input={'question': x})\n        ask(dust, input={'question': x + '!'})\n"
    example = tests(body.replace("\n    ", "\n").removeprefix("    "), head="class TestIt:")
    result = example.run("--dust-mode=record")
    assert result.outcomes == {"passed": 2}
    names = sorted(name.removeprefix("cassettes/test_it.py/") for name in result.example.cassettes)
    plain = ["testit.test_one[a]", "testit.test_one[a][2]", "testit.test_one[b-c]", "testit.test_one[b-c][2]"]
    assert sorted(re.sub(r"~[0-9a-f]{8}\]\.json$", "]", name) for name in names) == plain
    again = result.example.offline().run()
    assert again.outcomes == {"passed": 2}


def test_a_run_has_attributes_and_mappings(tests):
    """What `run` gives is the run view, by attribute and by key, at every depth."""
    example = tests(
        "run = ask(dust, input={'question': 'Where is my refund?'})\n"
        "assert run.status == run['status'] == 'succeeded'\n"
        "assert run.blocks.CLASSIFY.output.completion.text == "
        "run['blocks']['CLASSIFY']['output']['completion']['text'] == 'billing'\n"
        "assert run.usage.total_tokens > 0 and run.error is None and run.duration >= 0\n"
        "assert run.specification_hash == HASH and run.run_id\n"
        "assert isinstance(run, dict) and not hasattr(run, 'results')\n"
        "with pytest.raises(AttributeError, match='no reslut here; there is: status, '):\n"
        "    run.reslut\n"
        "with pytest.raises(KeyError):\n"
        "    run['reslut']\n"
    )
    result = example.run("--dust-mode=record")
    assert result.outcomes == {"passed": 1}, result.out
    assert result.example.offline().run().outcomes == {"passed": 1}


def test_inputs_give_results(tests):
    """`inputs` gives the plural names, in order."""
    example = tests(
        "run = ask(dust, inputs=[{'question': 'Where is my refund?'}, {'question': 'Track my parcel'}])\n"
        "assert [each.label for each in run.results] == ['billing', 'shipping']\n"
        "assert len(run.blocks.CLASSIFY.outputs) == 2\n"
    )
    assert example.run("--dust-mode=record").outcomes == {"passed": 1}


@pytest.mark.parametrize(
    "more", ["flavor='stream'", "flavor='poll'", "timeout=30", "block_filter=['CLASSIFY']"]
)
def test_the_keys_of_a_case_are_arguments(tests, more):
    """Flavour, timeout and filter do for a run what they do for a case."""
    example = tests(
        f"run = ask(dust, input={{'question': 'Refund'}}, {more})\nassert run.status == 'succeeded'\n"
    )
    recorded = example.run("--dust-mode=record")
    assert recorded.outcomes == {"passed": 1}
    assert recorded.example.offline().run().outcomes == {"passed": 1}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("ask(dust)", "give input= a mapping, or inputs= a list of mappings"),
        ("ask(dust, input={}, inputs=[{}])", "give input= a mapping, or inputs= a list of mappings"),
        ("ask(dust, inputs=[])", "inputs is a list of mappings, one per input"),
        ("ask(dust, inputs=['Hi'])", "each of inputs is a mapping, not text"),
        ("ask(dust, input='Hi')", "input is a mapping"),
        ("ask(dust, input={'x': {1, 2}})", "input is no JSON"),
        ("ask(dust, input={'x': float('nan')})", "input is no JSON"),
        ("ask(dust, input={}, flavor='streem')", "flavor is one of blocking, stream, poll"),
        ("ask(dust, input={}, timeout=-1)", "timeout is a number of seconds greater than 0"),
        ("ask(dust, input={}, config={'A': 1})", "the config of a block is a mapping"),
        ("ask(dust, input={}, block_filter=[])", "block_filter is a list of block names"),
        ("dust.run(app='../x', input={})", "is no id"),
        ("dust.run(app={'space': 'x'}, input={})", "app without id"),
        ("dust.run(app={'id': 'x', 'spcae': 'x'}, input={})", "did you mean space"),
        (
            "dust.run(app='x', specification_hash='8c0a', input={})",
            "specification_hash is 64 hex digits, or latest",
        ),
    ],
)
def test_what_no_suite_may_have_is_a_value_error(tests, server, call, words):
    """Arguments are held to what the suite's keys may hold, before anything is asked."""
    result = tests(f"with pytest.raises(ValueError, match={words!r}):\n    {call}\n").run("--dust-mode=live")
    assert result.outcomes == {"passed": 1}, result.out
    assert server.requests == []


def test_without_a_key_it_says_so(python):
    """Where the network is needed and there is no key, the test fails and says which variable to set."""
    result = python.exporting(DUST_API_KEY="").run("--dust-mode=live")
    assert result.outcomes == {"failed": 1}
    assert "DUST_API_KEY" in result.report


def test_a_failed_test_shows_no_key(tests, server):
    """An error of the service that holds the key is shown with the key masked."""
    server.say(f'{{"error": {{"type": "x", "message": "you gave {server.api_key}"}}}}', status=400)
    result = tests("ask(dust, input={'question': 'Hi'})\n").run("--dust-mode=live", "--tb=short")
    assert result.outcomes == {"failed": 1}
    assert server.api_key not in result.out + result.err


def test_it_is_shared_among_processes(python):
    """Under xdist the fixture records and replays as in one process."""
    recorded = python.run("--dust-mode=record", "-n", "2", subprocess=True)
    assert recorded.outcomes == {"passed": 1}
    assert list(recorded.example.cassettes) == ["cassettes/test_it.py/test_refund.json"]


def test_it_costs_nothing_where_it_is_not_used(project):
    """A session without suites and without the fixture loads none of our rooms behind the door."""
    files = {
        "test_it.py": "def test_it(): pass\n",
        "conftest.py": (
            "import sys\n"
            "def pytest_unconfigure():\n"
            "    rooms = ('pytest_dust.plugin.fixture', 'pytest_dust.plugin.session')\n"
            "    rooms += ('yaml', 'jmespath', 'httpx')\n"
            "    print('LOADED', [name for name in rooms if name in sys.modules])\n"
        ),
    }
    result = project.having(files).run("-s", subprocess=True)
    assert "LOADED []" in result.out


def test_it_is_listed_with_what_it_is(project):
    """`pytest --fixtures` shows the fixture and its one line."""
    result = project.run("--fixtures", subprocess=True)
    assert "Run Dust apps from a test, recorded and replayed as suites are" in result.out
