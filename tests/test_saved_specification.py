"""`--dust-drift`: is each pinned version still what is saved, and if not, which blocks changed?"""

from __future__ import annotations

import json
import re

import pytest

from conftest import QUOTE, SUPPORT, dust_server, suite
from pytest_dust.drift import drift

ITEM = "answer.dust.yaml::[specification]"
CASES = """\
cases:
  - id: refund
    input: {question: Where is my refund?}
  - id: parcel
    input: {question: Track my parcel}
"""
ONE = "cases:\n  - {id: one, input: {order: 3 apples}}\n"


@pytest.fixture
def pinned(project, server):
    """A suite pinned to the version that is saved, recorded, online, and no request noted yet."""
    example = project.having({"answer.dust.yaml": suite(server, SUPPORT, CASES)}).using(server)
    after = example.run("--dust-mode=record").example
    server.requests.clear()
    return after


def asking(example, *args):
    """Run the items that ask for the saved version, and no cases."""
    return example.run("--dust-drift", "-k", "specification", *args)


def listing(server, change):
    """Let the service list its apps as `change` leaves them."""

    def behaviour(request):
        if request.method != "GET" or not request.path.endswith("/apps"):
            return None
        document = json.loads(b"".join(dust_server.DustServer.answer(server, request).chunks))
        return dust_server.json_reply({**document, "apps": change(document["apps"])})

    server.behaviour = behaviour


def specifications(example):
    """The saved specification in each cassette."""
    return {name: json.loads(text).get("specification") for name, text in example.cassettes.items()}


# ── two specifications ───────────────────────────────────────────────────────────────────────────


def block(name, kind="llm", config=None, indent=0, **spec):
    """A block as it is saved."""
    return {"type": kind, "name": name, "spec": spec, "config": config or {}, "indent": indent}


A, B, C = block("A", prompt="Say a"), block("B", prompt="Say b"), block("C", "code", code="1")
MAP, REDUCE = block("EACH", "map", **{"from": "A"}), block("EACH", "reduce")
TABLE = {
    "same": ([A, B], [A, B], []),
    "nothing": (None, None, []),
    "added": ([A], [A, B], [("B", "added", [])]),
    "added in front": ([B], [A, B], [("A", "added", [])]),
    "removed": ([A, B], [B], [("A", "removed", [])]),
    "moved": ([A, B], [B, A], [("B", "moved", [])]),
    "another type": ([A], [block("A", "code", prompt="Say a")], [("A", "added", []), ("A", "removed", [])]),
    "prompt": ([A, B], [A, block("B", prompt="Say c")], [("B", "changed", [("spec", "prompt")])]),
    "config": ([A], [block("A", config={"x": 1}, prompt="Say a")], [("A", "changed", [("config", "x")])]),
    "key gone": ([C], [block("C", "code")], [("C", "changed", [("spec", "code")])]),
    "one name twice": ([MAP, REDUCE], [MAP, REDUCE], []),
    "one of one name": ([MAP, REDUCE], [MAP], [("EACH", "removed", [])]),
    "changed and moved": (
        [A, B],
        [block("B", prompt="Say c"), A],
        [("B", "changed", [("spec", "prompt")]), ("B", "moved", [])],
    ),
    "no blocks": ("nonsense", [A, 7], [("A", "added", [])]),
}


@pytest.mark.parametrize("row", TABLE)
def test_two_specifications(row):
    """Each block is told as added, removed, moved or changed, and a changed one by the paths in it."""
    old, new, expected = TABLE[row]
    found = [(one.name, one.kind, [change.path for change in one.changes]) for one in drift(old, new)]
    assert found == expected


# ── the verdict ──────────────────────────────────────────────────────────────────────────────────


def test_what_is_saved_as_pinned_passes(pinned, server):
    """Where the pinned version is what is saved, the item passes beside the cases, which are replayed."""
    result = pinned.run("--dust-drift", "-v")
    assert result.outcomes == {"passed": 3}
    assert re.search(re.escape(ITEM) + r" +PASSED", result.out)
    assert "dust: 2 replayed, 0 tokens used" in result.out
    assert {one.method for one in server.requests} == {"GET"}


def test_without_the_option_nothing_is_asked(pinned, server):
    """Without --dust-drift there is no such item and no request."""
    server.save_edited(SUPPORT)
    assert pinned.run().outcomes == {"passed": 2}
    assert server.requests == []


def test_a_changed_prompt_fails_by_its_words(pinned, server):
    """Where the app was edited, the item fails with both hashes, the block, and the words that changed."""
    server.save_edited(SUPPORT)
    result = pinned.run("--dust-drift")
    assert result.outcomes == {"passed": 2, "failed": 1}
    assert f"pinned   {server.hash(SUPPORT)}" in result.report
    assert f"saved    {server.hash(SUPPORT, 'v2')}" in result.report
    assert re.search(r"changed +CLASSIFY \(llm\)\n +spec\.prompt\n", result.report)
    assert "[-refund,-] invoice" in result.report
    assert "shipping: {+refund,+} parcel" in result.report
    assert "ANSWER" not in result.report
    assert f"FAILED {ITEM} - app {SUPPORT} drifted: CLASSIFY changed" in result.out
    assert server.runs == 0
    assert result.example.cassettes == pinned.cassettes


def test_its_command_tries_the_saved_version(pinned, server):
    """The command at the end runs the saved version against the recordings, with the options typed."""
    server.save_edited(SUPPORT)
    tapes = pinned.having(
        {name.replace("cassettes", "my tapes"): it for name, it in pinned.cassettes.items()}
    )
    tapes = tapes.having(dict.fromkeys(pinned.cassettes))
    result = asking(tapes, "--dust-cassette-dir=my tapes")
    assert "CLASSIFY (llm)" in result.report
    tried = tapes.run(*result.command)
    assert f"dust: app {SUPPORT}: 1 unchanged, 1 changed, beginning 1 in CLASSIFY (llm)" in tried.out


def test_latest_never_drifts(project, server):
    """A suite that pins nothing gives no item."""
    text = suite(server, SUPPORT, CASES).replace(server.hash(SUPPORT), "latest")
    result = project.having({"answer.dust.yaml": text}).using(server).run("--dust-drift", "--co", "-q")
    assert "refund" in result.out
    assert "specification" not in result.out


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_one_item_for_an_app_and_hash(pinned, server, workers):
    """Suites that pin the same version share one item, also where workers share the items."""
    server.save_edited(SUPPORT)
    twin = pinned.having({"second.dust.yaml": pinned.files["answer.dust.yaml"]})
    twin = twin.having({"third.dust.yaml": suite(server, QUOTE, ONE)})
    result = asking(twin, "-v", *workers)
    assert result.outcomes["failed"] == 1
    assert result.outcomes["passed"] == 1
    assert set(re.findall(r"\S+::\[specification\S*\]", result.out)) == {
        ITEM,
        "third.dust.yaml::[specification]",
    }
    assert server.runs == 0


def test_a_worker_tells_what_drifted_in_the_short_summary(pinned, server):
    """Under xdist the short summary names the app and its block, as it does without."""
    server.save_edited(SUPPORT)
    assert re.search(rf"FAILED {re.escape(ITEM)} - .*CLASSIFY changed", asking(pinned, "-n", "2").out)


def test_a_named_space_and_the_default_are_one(pinned, server):
    """A suite that names the space and one that leaves it to the settings ask for the same app once."""
    text = pinned.files["answer.dust.yaml"].decode()
    named = text.replace("app: {", f"app: {{workspace: {server.workspace}, space: {server.space}, ")
    assert asking(pinned.having({"second.dust.yaml": named})).outcomes["passed"] == 1


def test_two_hashes_in_one_file_are_two_items(pinned, server):
    """Where one file pins two versions, each has its item, and only the one that is not saved fails."""
    other = f"  - {{id: new, specification_hash: {server.hash(SUPPORT, 'v2')}, input: {{question: Hi}}}}\n"
    result = asking(pinned.having({"answer.dust.yaml": suite(server, SUPPORT, CASES + other)}), "-v")
    assert re.search(re.escape(ITEM) + r" +PASSED", result.out)
    assert re.search(rf"::\[specification-{server.hash(SUPPORT, 'v2')[:8]}\] +FAILED", result.out)


def test_a_hash_in_capitals_is_the_same_hash(pinned, server):
    """Hex digits mean the same in either case: no drift."""
    shouted = pinned.replacing("answer.dust.yaml", server.hash(SUPPORT), server.hash(SUPPORT).upper())
    assert asking(shouted).outcomes["passed"] == 1


# ── where nobody can tell ────────────────────────────────────────────────────────────────────────


def test_an_app_that_vanished_says_so(pinned, server):
    """An app that the space no longer lists fails the item, by its id."""
    listing(server, lambda apps: [app for app in apps if app["sId"] != SUPPORT])
    result = pinned.run("--dust-drift")
    assert result.outcomes == {"passed": 2, "failed": 1}
    assert f"the space lists no app {SUPPORT} any more" in result.report


def test_lost_access_says_so(pinned, server):
    """Where the key may no longer list apps, the item fails with the app, the reply and what to check."""
    server.misbehave(dust_server.Faults.error(403, "workspace_auth_error"), times=None, on="GET")
    result = pinned.run("--dust-drift")
    assert result.outcomes == {"passed": 2, "failed": 1}
    assert f"nobody can tell whether the app {SUPPORT} is still what is pinned" in result.report
    assert "the service answered 403 workspace_auth_error" in result.report
    assert "what the key may read" in result.report
    assert "Traceback" not in result.report


def test_without_a_key_the_item_alone_fails(pinned):
    """With no key the cases are replayed all the same, and the item says that the key is missing."""
    result = pinned.exporting(DUST_API_KEY="").run("--dust-drift")
    assert result.outcomes == {"passed": 2, "failed": 1}
    assert "no API key" in result.report
    assert "DUST_API_KEY" in result.report


def test_the_key_is_not_sent_in_clear(pinned, server):
    """To ask is to send the key: an address that is not encrypted is refused in replay mode too."""
    result = asking(pinned.exporting(DUST_BASE_URL="http://dust.invalid"))
    assert result.ret == 4
    assert "is not encrypted" in result.err
    assert server.requests == []


def test_an_app_without_a_saved_run_says_so(pinned, server):
    """The saved run alone tells the saved hash: without one the item fails and says what to do."""
    listing(server, lambda apps: [{**app, "savedRun": None} for app in apps])
    result = asking(pinned)
    assert result.outcomes["failed"] == 1
    assert f"the app {SUPPORT} has no saved run" in result.report
    assert "run it once in Dust" in result.report


# ── what cassettes keep ──────────────────────────────────────────────────────────────────────────


def test_a_recording_keeps_the_specification_that_ran(pinned):
    """Recorded while the pinned version is saved, each cassette holds the app's blocks."""
    for kept in specifications(pinned).values():
        assert [one["name"] for one in kept] == ["INPUT", "CLASSIFY", "LOOKUP", "ANSWER"]


def test_another_saved_version_is_not_kept(project, server):
    """Recorded while another version is saved, cassettes hold no blocks, and a drift says it knows none."""
    server.save_edited(SUPPORT)
    example = project.having({"answer.dust.yaml": suite(server, SUPPORT, CASES)}).using(server)
    after = example.run("--dust-mode=record").example
    assert len(specifications(after)) == 2
    assert set(specifications(after).values()) == {None}
    result = asking(after)
    assert result.outcomes["failed"] == 1
    assert "which blocks changed is not known: no recording holds" in result.report


def test_a_key_that_may_not_list_apps_records_all_the_same(project, server):
    """Where apps may not be listed, the run is recorded without their blocks."""
    server.misbehave(dust_server.Faults.error(403, "workspace_auth_error"), times=None, on="GET")
    example = project.having({"answer.dust.yaml": suite(server, SUPPORT, CASES)}).using(server)
    result = example.run("--dust-mode=record")
    assert result.outcomes == {"passed": 2}
    assert set(specifications(result.example).values()) == {None}


def test_a_stale_recording_tells_no_blocks(pinned, server):
    """The blocks in a cassette of another version than the pinned one are not told as the pinned ones."""
    server.save_edited(SUPPORT)
    result = asking(pinned.replacing("answer.dust.yaml", server.hash(SUPPORT), "ab" * 32))
    assert result.outcomes["failed"] == 1
    assert "which blocks changed is not known" in result.report
    assert "CLASSIFY" not in result.report


def test_without_a_recording_the_hashes_are_told(pinned, server):
    """Where there is no cassette, the item still fails with both hashes."""
    server.save_edited(SUPPORT)
    result = asking(pinned.having(dict.fromkeys(pinned.cassettes)))
    assert f"saved    {server.hash(SUPPORT, 'v2')}" in result.report
    assert "which blocks changed is not known" in result.report
