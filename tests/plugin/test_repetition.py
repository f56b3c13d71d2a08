"""Plugins that run tests several times leave cases alone, which is said; tests keep their cassettes."""

from __future__ import annotations

import pytest

from conftest import SUPPORT, filled, suite

REPEAT = """\
import pytest

def pytest_addoption(parser):
    parser.addoption("--count", default=1, type=int)
    parser.addoption("--repeat-scope", default="function")

@pytest.fixture
def __pytest_repeat_step_number(request):
    return request.param

@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc):
    count = metafunc.config.option.count
    if count > 1:
        metafunc.fixturenames.append("__pytest_repeat_step_number")
        ids = [f"{number + 1}-{count}" for number in range(count)]
        metafunc.parametrize("__pytest_repeat_step_number", range(count), indirect=True, ids=ids)
"""
"""A conftest file that repeats tests in the way of pytest-repeat."""
LOOP = (
    REPEAT.replace("__pytest_repeat", "__pytest_loop")
    .replace("--repeat-scope", "--loop-scope")
    .replace("--count", "--loop")
    .replace("option.count", "option.loop")
    .replace('f"{number + 1}-{count}"', 'f" {number + 1} / {count} "')
)
"""A conftest file that repeats tests in the way of pytest-loop."""
FLAKEFINDER = """\
import copy
import pytest

def pytest_addoption(parser):
    parser.addoption("--flake-finder", dest="flake_finder_enable", action="store_true", default=False)
    parser.addoption("--flake-runs", dest="flake_runs", default=50, type=int)

@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc):
    name = f"__flakefinder_{metafunc.function.__name__}"
    metafunc.fixturenames.append(name)
    metafunc.parametrize(name, range(metafunc.config.option.flake_runs))
    metafunc.function._pytest_duplicated = True

@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in list(items):
        if not getattr(item.function, "_pytest_duplicated", None):
            items.append(copy.copy(item))
"""
"""A conftest file that repeats tests in the way of pytest-flakefinder."""
CASES = "cases:\n  - id: refund\n    input: {question: Where is my refund?}\n"
TEST = """\
import pytest

@pytest.mark.parametrize("word", ["refund", "1-2", "0"])
def test_it(dust, word):
    question = f"Where is my {word}?"
    dust.run(app="9f1d3b5a7c", specification_hash=HASH, config=CONFIG, input={"question": question})

def test_plain(dust):
    question = "Where is my refund?"
    dust.run(app="9f1d3b5a7c", specification_hash=HASH, config=CONFIG, input={"question": question})
"""


@pytest.fixture
def example(project, server):
    """A recorded project of one case and four Python tests, offline."""
    files = {"a.dust.yaml": suite(server, SUPPORT, CASES), "test_it.py": filled(TEST, server)}
    return project.having(files).using(server).recorded().offline()


@pytest.mark.parametrize(
    ("conftest", "options", "wish", "runs"),
    [
        (REPEAT, ["--count=2"], "--count=2", 2),
        (LOOP, ["--loop=3"], "--loop=3", 3),
        (FLAKEFINDER, ["--flake-finder", "--flake-runs=3"], "--flake-finder", 3),
    ],
    ids=["repeat", "loop", "flakefinder"],
)
def test_tests_are_repeated_and_cases_are_not(example, conftest, options, wish, runs):
    """Python tests run so many times, from the same cassettes; a case runs once, which is said."""
    result = example.having({"conftest.py": conftest}).run(*options)
    assert result.outcomes == {"passed": 1 + 4 * runs}
    said = (
        f"dust: {wish} does not repeat cases; use the suite's key repeat, such as repeat: {{runs: {runs}, min"
    )
    assert result.out.count(said) == 1


@pytest.mark.parametrize(("conftest", "mark"), [(REPEAT, "repeat"), (LOOP, "loop")], ids=["repeat", "loop"])
def test_a_mark_repeats_no_case(example, server, conftest, mark):
    """The mark of a plugin on a case is said to have no effect, and the key is given its number."""
    marked = suite(server, SUPPORT, CASES + f"    marks: [{{{mark}: [3]}}]\n")
    files = {"pytest.ini": f"[pytest]\nmarkers = {mark}\n", "conftest.py": conftest, "a.dust.yaml": marked}
    result = example.having(files).run("a.dust.yaml")
    assert f"dust: mark {mark} does not repeat cases" in result.out
    assert "such as repeat: {runs: 3, min_pass: 3}" in result.out
    assert result.outcomes["passed"] == 1


def test_a_mark_for_one_run_wishes_nothing(example, server):
    """A mark that repeats nothing is not answered."""
    marked = suite(server, SUPPORT, CASES + "    marks: [{repeat: [1]}]\n")
    files = {"pytest.ini": "[pytest]\nmarkers = repeat\n", "conftest.py": REPEAT, "a.dust.yaml": marked}
    assert "does not repeat" not in example.having(files).run("a.dust.yaml").out


@pytest.mark.parametrize("conftest", ["", REPEAT])
def test_without_a_wish_nothing_is_said(example, conftest):
    """Where nothing is to be repeated, nothing is said."""
    result = example.having({"conftest.py": conftest}).run()
    assert "does not repeat" not in result.out
    assert result.outcomes == {"passed": 5}


def test_repetitions_record_one_cassette(example, server):
    """Repetitions of a test have one cassette, recorded by the first of them."""
    files = dict.fromkeys(example.cassettes)
    fresh = example.having(files).having({"conftest.py": REPEAT}).using(server)
    after = fresh.run("--count=2", "--dust-mode=record").example
    assert set(after.cassettes) == set(example.cassettes)
