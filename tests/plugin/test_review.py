"""`--dust-review` on a real terminal: one key per answer, and nothing is changed before the end."""

from __future__ import annotations

import pytest
from keyboards import keyboard
from made_records import TEXT, block, changed, passed
from pending_suites import HEAD, NAME, NEW, PendingSuite

from conftest import SUPPORT, filled
from pytest_dust.plugin.review import Choice, Review
from pytest_dust.report.columns import width

KEYS = "a accept"
"""The line below an answer, which is shown when a key is waited for."""
OLD_RESULT = {"label": "billing", "answer": "The money is on its way. " * 12 + "x" * 150}
NEW_RESULT = {"label": "shipping", "answer": "Le colis arrive. 包裹在路上。" * 12 + "y" * 150}


@pytest.fixture
def waiting(project):
    """A function that gives a project with so many pending answers; `alone` of them have no cassette."""

    def make(count, alone=1):
        ids = [f"c{at}" for at in range(1, count + 1)]
        cases = "".join(
            f"  - id: {id_}\n    description: About {id_}\n    input: {{q: Is it {id_}?}}\n"
            f"    expect: {{result.label: billing}}\n"
            for id_ in ids
        )
        suite = PendingSuite.having(
            project.root, {"pytest.ini": "[pytest]\n", NAME: f"{HEAD}cases:\n{cases}"}
        )
        for id_ in ids:
            if id_ not in ids[count - alone :]:
                suite.record(id_, OLD_RESULT)
            suite.waiting(id_, NEW_RESULT)
        return project.left().exporting(DUST_WORKSPACE_ID="w_example", DUST_SPACE_ID="vlt_example")

    return make


def pending(example):
    """The ids of the cases whose answers are pending."""
    names = (name for name in example.files if name.startswith(f".dust/pending/{NAME}/"))
    return {name.rpartition("/")[2].removesuffix(".json") for name in names}


def own(example):
    """The files of a project, apart from what a run of pytester leaves."""
    return {name: content for name, content in example.files.items() if name not in ("stdout", "stderr")}


# ── on a terminal ────────────────────────────────────────────────────────────────────────────────


def test_each_key_decides_about_one_answer(waiting):
    """a, e, r and s decide, u takes one back, other keys do nothing, and q keeps what was decided."""
    example = waiting(40)
    with keyboard(example, "--dust-review") as terminal:
        first = terminal.until(KEYS)
        assert "─ 1 of 40\n" in first
        assert f"{NAME}::c1\n" in first
        assert "About c1" in first
        assert 'input  {"q": "Is it c1?"}' in first
        assert "begins in ANSWER (code), as in 38 more answers" in first
        terminal.until("all 39 that begin in ANSWER (code)")
        for key, what in (
            ("a", f"accepted: {NAME}::c1"),
            ("e", f"accepted, and its suite edited: {NAME}::c2"),
            ("r", f"rejected: {NAME}::c3"),
            ("s", f"skipped: {NAME}::c4"),
            ("r", f"rejected: {NAME}::c5"),
            ("u", f"undone: {NAME}::c5"),
            ("a", f"accepted: {NAME}::c5"),
        ):
            terminal.press(key)
            terminal.until(f"→ {what}\n")
            terminal.until(KEYS)
        terminal.press("zx\r \x1b[A\x1b[B\x1bOA\x1b[1;5A\x1b[3~\x1ba")
        terminal.press_until("s", f"→ skipped: {NAME}::c6\n")  # what comes at once with Escape belongs to it
        assert "─ 7 of 40\n" in terminal.until(KEYS)
        terminal.press("q")
        assert terminal.end() == 0
    after = example.left()
    assert pending(example) - pending(after) == {"c1", "c2", "c3", "c5"}
    text = after.files[NAME].decode()
    assert text.count(f"specification_hash: {NEW}") == 3
    assert text.count("result.label: shipping") == 1
    assert after.cassettes["cassettes/s/c3.json"] == example.cassettes["cassettes/s/c3.json"]
    assert f"dust: {NAME}: 3 answers accepted; edited: specification_hash" in terminal.shown
    assert "dust: 1 pending answer rejected" in terminal.shown
    assert "dust: 36 answers still pending" in terminal.shown


def test_capital_letters_decide_about_a_group(waiting):
    """E is for all answers whose change begins in the same block; keys typed ahead are not lost."""
    example = waiting(6, alone=2)
    with keyboard(example, "--dust-review", columns=120, ahead="aE") as terminal:
        terminal.until("→ accepted, and its suite edited: 3 answers\n")
        last = terminal.until(KEYS)
        assert "─ 5 of 6\n" in last
        assert "There is no recording to compare it with." in last
        terminal.press("R")
        terminal.until("→ rejected: 2 answers\n")
        assert terminal.end() == 0
    after = example.left()
    assert pending(after) == set()
    text = after.files[NAME].decode()
    assert text.count(NEW) == 1  # the rejected ones have no cassette that the new hash could make useless
    assert text.count("result.label: shipping") == 3
    assert {f"cassettes/s/c{at}.json" for at in range(1, 5)} == set(after.cassettes)


@pytest.mark.parametrize("columns", [80, 120])
def test_ctrl_c_leaves_all_as_it_was(waiting, columns):
    """Ctrl-C drops every decision and ends with pytest's status; no line is wider than the terminal."""
    example = waiting(3)
    with keyboard(example, "--dust-review", columns=columns) as terminal:
        terminal.until(KEYS)
        terminal.press("e")
        terminal.until(KEYS)
        terminal.press("R")
        terminal.until(KEYS)
        terminal.press("\x03")
        terminal.until("review interrupted, all answers are still pending")
        assert terminal.end() == 2
    assert own(example.left()) == own(example)
    _, _, review = terminal.shown.partition("─ 1 of 3")
    review, _, _ = review.partition("\n! ")  # pytest's own line
    assert [line for line in review.split("\n") if width(line) > columns] == []


def test_a_terminal_that_is_gone_leaves_all_as_it_was(waiting):
    """If the terminal is closed while a key is waited for, nothing is changed."""
    example = waiting(2)
    with keyboard(example, "--dust-review") as terminal:
        terminal.until(KEYS)
        terminal.press("a")
        terminal.until(KEYS)
    assert own(example.left()) == own(example)


def test_tests_in_python_are_not_edited(project, server):
    """The answer to a run of a Python test has no key `e`, as Python code is not edited."""
    call = "dust.run(app='9f1d3b5a7c', specification_hash=HASH, config=CONFIG, input={'question': 'Hi'})"
    test = f"def test_it(dust):\n    {call}\n"
    recorded = project.having({"test_it.py": filled(test, server)}).using(server).recorded()
    live = recorded.run(f"--dust-specification-hash={server.hash(SUPPORT, 'v2')}").example.offline()
    with keyboard(live, "--dust-review", ahead="eE") as terminal:
        shown = terminal.until("q finish")
        assert "─ 1 of 1\n" in shown
        assert "e accept" not in shown
        terminal.press("a")
        terminal.until("→ accepted: test_it.py::test_it\n")
        assert terminal.end() == 0
    assert "specification_hash: now" in terminal.shown
    assert live.left().files["test_it.py"] == live.files["test_it.py"]


def test_without_a_terminal_it_names_the_other_commands(waiting):
    """Without a terminal nothing is asked: it is a usage error that names the commands to use."""
    example = waiting(1)
    result = example.run("--dust-review", "-p", "no:cacheprovider", subprocess=True)
    assert result.ret == 4
    assert "this is none; accept the pending answers of the selected tests: --dust-accept" in result.err
    assert "or remove them: --dust-reject" in result.err
    assert own(result.example) == own(example)


# ── the state ────────────────────────────────────────────────────────────────────────────────────

RECORDS = [
    changed(block(TEXT), name="one"),
    changed(block(TEXT, name="B"), name="two"),
    changed(block(TEXT), name="three"),
    passed("four"),
    passed("five"),
]


@pytest.fixture
def review():
    """A review of five answers: two begin in A, one in B, and two did not change."""
    return Review(list(range(5)), RECORDS)


def chosen(review):
    """The choices so far, by index."""
    return dict(review.chosen)


@pytest.mark.parametrize(
    ("at", "key", "indexes", "choice"),
    [
        (0, "a", [0], Choice.ACCEPT),
        (0, "A", [0, 2], Choice.ACCEPT),
        (1, "E", [1], Choice.EDIT),
        (2, "R", [0, 2], Choice.REJECT),
        (3, "S", [3, 4], Choice.SKIP),
        (4, "e", [4], Choice.EDIT),
    ],
)
def test_a_key_chooses(review, at, key, indexes, choice):
    """A small letter is for one answer, a capital one for all that begin in the same block."""
    assert review.choose(at, key) == indexes
    assert chosen(review) == dict.fromkeys(indexes, choice)
    assert review.undo() == indexes
    assert chosen(review) == {}


def test_a_group_has_only_answers_without_a_choice(review):
    """What was decided stays: a capital letter is for the answers that are left."""
    review.choose(0, "r")
    assert review.group(2) == [2]
    review.choose(2, "A")
    assert chosen(review) == {0: Choice.REJECT, 2: Choice.ACCEPT}


def test_undo_goes_back_key_by_key(review):
    """Each undo takes back one key, the last first; with none left it does nothing."""
    review.choose(0, "A")
    review.choose(1, "s")
    assert review.at == 3
    assert review.undo() == [1]
    assert review.at == 1
    assert review.undo() == [0, 2]
    assert review.undo() == []
    assert review.at == 0


def test_the_answers_of_a_choice(review):
    """The answers are listed by what was chosen for them, in their order; skipped ones in no list."""
    for at, key in enumerate("eras"):
        review.choose(at, key)
    assert review.at == 4
    review.choose(4, "a")
    assert review.at is None
    assert review.of(Choice.ACCEPT, Choice.EDIT) == [0, 2, 4]
    assert review.of(Choice.EDIT) == [0]
    assert review.of(Choice.REJECT) == [1]
