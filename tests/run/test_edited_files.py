"""Edits for accepted answers are written down, so that only a user's edit keeps a file from being edited."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from pending_suites import HEAD, NAME, NEW, PendingSuite

from pytest_dust.errors import CassetteError
from pytest_dust.run.edited_files import EditedFiles, digest
from pytest_dust.run.pending import PendingFolder

CASES = "".join(
    f"  - {{id: {id_}, input: {{q: {id_}}}, expect: {{result.label: billing}}}}  # case {id_}\n"
    for id_ in "abc"
)


@pytest.fixture
def edited(tmp_path):
    """The edited files of a project."""
    return EditedFiles(PendingFolder(tmp_path / ".dust" / "pending", tmp_path))


@pytest.mark.parametrize(
    ("versions", "run_and_now", "as_run"),
    [
        ("1", "11", True),
        ("1", "12", False),
        ("12", "12", True),
        ("123", "13", True),
        ("123", "23", True),
        ("123", "33", True),
        ("123", "12", False),
        ("123", "1x", False),
        ("123", "x3", False),
        ("121", "21", True),
        ("121", "11", True),
    ],
)
def test_a_chain_of_edits(edited, tmp_path, versions, run_and_now, as_run):
    """A file is as it was in a run if only edits that were written down lie between."""
    path, (then, now) = tmp_path / NAME, run_and_now
    for before, after in pairwise(versions):
        edited.add(path, before.encode(), after.encode())
    assert edited.is_as_run(path, now.encode(), digest(then.encode())) == as_run


def test_an_edit_of_the_user_breaks_the_chain(edited, tmp_path):
    """After an edit by the user, the edits from before it no longer count."""
    path = tmp_path / NAME
    edited.add(path, b"1", b"2")
    edited.add(path, b"x", b"3")
    assert not edited.is_as_run(path, b"3", digest(b"1"))
    assert not edited.is_as_run(path, b"3", digest(b"2"))
    assert edited.is_as_run(path, b"3", digest(b"x"))


def test_each_file_has_its_own_chain(edited, tmp_path):
    """The edits of a suite say nothing of another one, even with the same text."""
    edited.add(tmp_path / NAME, b"1", b"2")
    edited.add(tmp_path / "in" / NAME, b"1", b"3")
    assert edited.is_as_run(tmp_path / NAME, b"2", digest(b"1"))
    assert not edited.is_as_run(tmp_path / NAME, b"3", digest(b"1"))
    assert not edited.is_as_run(tmp_path / "other.dust.yaml", b"2", digest(b"1"))


def test_a_file_of_which_no_digest_is_known_is_not_as_run(edited, tmp_path):
    """Without a digest from the run, a file counts as edited."""
    assert not edited.is_as_run(tmp_path / NAME, b"1", None)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b'{"s.dust.yaml": 3}', b"[" * 100_000])
def test_a_broken_list_counts_as_none(edited, tmp_path, content):
    """A list that cannot be read is as good as none, and is written anew with the next edit."""
    file = edited.folder.path / "edited.json"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    path = tmp_path / NAME
    assert not edited.is_as_run(path, b"2", digest(b"1"))
    edited.add(path, b"1", b"2")
    assert edited.is_as_run(path, b"2", digest(b"1"))
    assert json.loads(file.read_bytes()) == {NAME: [digest(b"1"), digest(b"2")]}


def test_no_link_leads_the_list_out(edited, tmp_path):
    """A symbolic link in the project leads the list nowhere else."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".dust").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CassetteError, match="symbolic link"):
        edited.add(tmp_path / NAME, b"1", b"2")
    assert list((tmp_path / "elsewhere").iterdir()) == []


# ── accepting one after the other ────────────────────────────────────────────────────────────────


@pytest.fixture
def suite(tmp_path):
    """A suite of three cases, each with a cassette."""
    made = PendingSuite.having(tmp_path, {NAME: f"{HEAD}cases:\n{CASES}"})
    for id_ in "abc":
        made.record(id_, {"label": "billing"})
    return made


def test_answers_accepted_one_by_one_end_as_all_at_once(suite):
    """Each of three acceptances edits the suite that the one before it left."""
    waiting = [suite.waiting(id_, {"label": "shipping"}) for id_ in "abc"]
    for one in waiting:
        found = suite.accept([one])
        assert (found.refused, found.by_hand) == ((), ())
        assert suite.judged(one).holds
        assert all(map(suite.fits, "abc"))
    assert suite.text.count("result.label: shipping") == 3
    assert suite.text.count(f"specification_hash: {NEW}") == 3
    assert all(f"# case {id_}\n" in suite.text for id_ in "abc")


def test_an_edit_by_the_user_in_between_is_not_touched(suite):
    """After the user edited the suite, the answers from before it are no reason to edit it."""
    first, second, _ = [suite.waiting(id_, {"label": "shipping"}) for id_ in "abc"]
    suite.accept([first])
    edited = suite.text.replace("# case c", "# the third").encode()
    suite.path.write_bytes(edited)
    found = suite.accept([second])
    ((refused, why),) = found.refused
    assert refused is second
    assert f"{NAME} was edited since the run, so it is left alone" in why
    assert f"write specification_hash: {NEW} there, and accept again" in why
    assert suite.path.read_bytes() == edited
    assert second.file.file.exists()


def test_a_new_run_after_the_users_edit_can_be_accepted(suite):
    """An answer that came after the user's edit is accepted with edits."""
    suite.accept([suite.waiting("a", {"label": "shipping"})])
    suite.path.write_bytes(suite.text.replace("# case c", "# the third").encode())
    found = suite.accept([suite.waiting("b", {"label": "shipping"})])
    assert found.refused == ()
    assert suite.text.count("result.label: shipping") == 2
