"""The hook `pytest_dust_matchers`: a project's own matchers, from a conftest file or a plugin."""

from __future__ import annotations

import pytest

from conftest import suite

APP = "9f1d3b5a7c"
HOOK = """\
import pytest

@pytest.hookimpl(optionalhook=True)
def pytest_dust_matchers():
    def polite(value, wanted):
        return {}
    return {{"polite": polite}}
"""


@pytest.fixture
def using(project, server):
    """A project whose conftest file has a matcher `polite` that returns this, and whose suite uses it."""

    def make(verdict: str, asked: str = "{polite: true}"):
        text = suite(
            server, APP, f"input: {{question: Where is my refund?}}\nexpect: {{result.answer: {asked}}}\n"
        )
        files = {"conftest.py": HOOK.format(verdict), "a.dust.yaml": text}
        return project.having(files).using(server)

    return make


@pytest.mark.parametrize("verdict", ["True", "'refund' in value and wanted is True", "1", "[0]"])
def test_true_holds(using, verdict):
    """The matcher holds if the function returns a true value; it gets the value and the argument."""
    assert using(verdict).run("--dust-mode=record").outcomes == {"passed": 1}


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("False", "polite"),
        ("None", "polite"),
        ("'it is rude'", "it is rude"),
        ("value.nope", "the matcher raised AttributeError: 'str' object has no attribute 'nope'"),
        ("1 / 0", "the matcher raised ZeroDivisionError: division by zero"),
        ("pytest.fail('no')", "the matcher raised Failed: no"),
        ("pytest.skip('no')", "the matcher raised Skipped: no"),
        ("pytest.xfail('no')", "the matcher raised XFailed: no"),
        ("pytest.exit('no')", "the matcher raised Exit: no"),
        ("exit(3)", "the matcher raised SystemExit: 3"),
    ],
)
def test_false_and_a_text_and_an_exception_fail(using, verdict, words):
    """False fails, a text fails and says why, and an exception is a failure that names it."""
    result = using(verdict).run("--dust-mode=record")
    assert result.outcomes == {"failed": 1}
    assert words in result.report
    assert "Traceback" not in result.out


@pytest.mark.parametrize(
    "asked", ["{not: {polite: x}}", "{any_of: [{polite: x}, {equals: x}]}", "{all_of: [{polite: x}]}"]
)
def test_it_may_be_used_wherever_matchers_are(using, asked):
    """A project's matcher may be used below `not`, `any_of` and all others."""
    wanted = "passed" if "any_of" in asked or "all_of" in asked else "failed"
    assert using("True", asked).run("--dust-mode=record").outcomes == {wanted: 1}


def test_a_missing_value_fails_without_a_call(using):
    """A path that finds nothing fails, and the function is not called."""
    example = using("open('called', 'w') and True")
    result = example.replacing("a.dust.yaml", "result.answer", "result.nothing").run("--dust-mode=record")
    assert result.outcomes == {"failed": 1}
    assert "called" not in result.example.files


def test_it_takes_any_argument(using):
    """The argument may be of any type; references in it are filled in."""
    example = using(
        "wanted == {'a': [1, None], 'b': 'vlt_example'}",
        "{polite: {a: [1, null], b: '${env.DUST_SPACE_ID}'}}",
    )
    assert example.run("--dust-mode=record").outcomes == {"passed": 1}


def test_it_shows_in_suggestions(using):
    """An unknown matcher's error lists the project's own, and suggests the nearest."""
    result = using("True", "{polit: true}").run()
    assert 'unknown matcher "polit" (did you mean polite?)' in result.out
    assert ", not, polite" in result.out


def test_one_that_shadows_a_built_in_is_an_error(using):
    """A built-in matcher cannot be replaced: each suite has an error that says so, and no case runs."""
    result = using("True").replacing("conftest.py", '"polite"', '"contains"').run()
    assert result.outcomes == {"error": 1}
    assert (
        'a.dust.yaml: pytest_dust_matchers: the matcher "contains" is built in; give it another name'
        in result.out
    )
    assert "Traceback" not in result.out


def test_one_that_is_given_twice_is_an_error(using):
    """Two matchers of one name from two places are an error."""
    example = using("True").having({"more.py": HOOK.format("False")})
    result = example.run("-p", "more", subprocess=True)
    assert result.outcomes == {"error": 1}
    assert 'the matcher "polite" is given twice' in result.out


@pytest.mark.parametrize("given", ['{"two words": len}', '{"polite": 1}', "{1: len}"])
def test_what_is_no_matcher_is_an_error(using, given):
    """A name that no suite can write, or a value that is not callable, is an error that says so."""
    result = using("True").replacing("conftest.py", '{"polite": polite}', given).run()
    assert result.outcomes == {"error": 1}
    assert "must be a name with a function (value, argument)" in result.out
    assert "Traceback" not in result.out


def test_a_hook_that_gives_none_changes_nothing(using):
    """A hook may return None."""
    example = using("True", "{contains: refund}").replacing("conftest.py", '{"polite": polite}', "None")
    assert example.run("--dust-mode=record").outcomes == {"passed": 1}


@pytest.mark.parametrize("given", ["[polite]", "'polite'", "polite"])
def test_a_hook_that_gives_no_mapping_is_an_error(using, given):
    """A hook that returns something else than a mapping is an error without a traceback."""
    result = using("True").replacing("conftest.py", '{"polite": polite}', given).run()
    assert result.outcomes == {"error": 1}
    assert "pytest_dust_matchers" in result.out
    assert "AttributeError" not in result.out


def test_a_plugin_may_give_them(using):
    """A plugin's matchers are used like those of a conftest file."""
    example = using("True")
    moved = example.having({"conftest.py": None, "more.py": example.files["conftest.py"]})
    assert moved.run("-p", "more", "--dust-mode=record", subprocess=True).outcomes == {"passed": 1}


def test_a_folders_conftest_serves_its_own_suites(using):
    """The matchers of a conftest file are for the suites in and below its folder."""
    example = using("True")
    files = {"sub/a.dust.yaml": example.files["a.dust.yaml"], "sub/conftest.py": example.files["conftest.py"]}
    result = example.having({**files, "conftest.py": None}).run(
        "--dust-mode=record", "--continue-on-collection-errors"
    )
    assert result.outcomes == {"passed": 1, "error": 1}
    assert 'unknown matcher "polite"' in result.out


def test_they_work_in_every_process(using):
    """With pytest-xdist each process calls the hook."""
    result = using("'it is rude'").run("--dust-mode=record", "-n", "2", subprocess=True)
    assert result.outcomes == {"failed": 1}
    assert "it is rude" in result.out


def test_the_conftest_works_without_the_plugin(using):
    """With `-p no:dust` an optional hook is not an error."""
    example = using("True").having({"test_it.py": "def test_it(): pass\n"})
    assert example.run("-p", "no:dust", subprocess=True).outcomes == {"passed": 1}
