"""`--dust-drift`: is each pinned version still what is saved, and if not, which blocks changed?"""

from __future__ import annotations

import json
import re

import pytest
from answers import block
from faults import Faults

from conftest import QUOTE, SUPPORT, dust_server, suite

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
    after = example.recorded()
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


def unable_to_check(server):
    """Let the service have no address at which to ask for hashes."""

    def behaviour(request):
        if request.path.endswith("/apps/check"):
            return dust_server.json_reply({"error": {"type": "invalid_request_error"}}, status=404)
        return None

    server.behaviour = behaviour


def saving(server, run):
    """Let the app be edited and saved, its last run in the editor of a version, or deleted."""
    server.save_unrun_edit(SUPPORT)
    if run is None:
        server.delete_saved_run(SUPPORT)
    else:
        server.run_in_editor(SUPPORT, run)


def blocks_of(server):
    """What is saved of the support app."""
    apps = json.loads(b"".join(server.list_apps(None).chunks))["apps"]
    return next(app["savedSpecification"] for app in apps if app["sId"] == SUPPORT)


def forgetting(example, *, ran=None):
    """The project with no blocks in its cassettes, or with their note changed."""
    files = {}
    for name, text in example.cassettes.items():
        document = json.loads(text)
        if ran is None:
            del document["specification"]
        document["specification_ran"] = ran
        files[name] = json.dumps(document)
    return example.having(files)


def told(result):
    """What the summary says of the app."""
    return [line for line in result.out.splitlines() if line.startswith(f"dust: app {SUPPORT}")]


def specifications(example):
    """The saved specification in each cassette."""
    return {name: json.loads(text).get("specification") for name, text in example.cassettes.items()}


# ── the verdict ──────────────────────────────────────────────────────────────────────────────────


def test_what_is_saved_as_pinned_passes(pinned, server):
    """Where the pinned version is what is saved, the item passes beside the cases, which are replayed."""
    result = pinned.run("--dust-drift", "-v")
    assert result.outcomes == {"passed": 3}
    assert re.search(re.escape(ITEM) + r" +PASSED", result.out)
    assert "dust: 2 replayed, 0 tokens used" in result.out
    assert told(result) == [f"dust: app {SUPPORT}: not drifted"]
    assert server.runs == 0


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
    assert f"answer.dust.yaml:2   app {SUPPORT} drifted: " in result.report
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


def test_one_item_for_an_app_and_hash(pinned, server):
    """Suites that pin the same version share one item, also where workers share the items."""
    server.save_edited(SUPPORT)
    twin = pinned.having({"second.dust.yaml": pinned.files["answer.dust.yaml"]})
    twin = twin.having({"third.dust.yaml": suite(server, QUOTE, ONE)})
    result = asking(twin, "-v")
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
    assert re.search(rf"FAILED {re.escape(ITEM)} - .*CLASSIFY changed", asking(pinned, "-n", "1").out)


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


# ── blocks and hashes that disagree ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize("run", ["v1", "v2", None])
def test_an_edit_that_was_saved_and_not_run_is_drift(pinned, server, run):
    """Saved blocks that are not the recorded ones fail, whatever became of the last run in the editor."""
    saving(server, run)
    result = asking(pinned)
    assert result.outcomes["failed"] == 1
    assert re.search(r"changed +CLASSIFY \(llm\)\n +spec\.prompt\n", result.report)
    assert f"FAILED {ITEM} - app {SUPPORT} drifted: CLASSIFY changed" in result.out
    saved = {
        "v1": "saved    no hash yet: edited since its last run in Dust, and not run",
        "v2": f"saved    {server.hash(SUPPORT, 'v2')}",
        None: "saved    its hash is not known: its last run in Dust is deleted",
    }
    assert saved[run] in result.report
    assert ("run it once in Dust" in result.report) == (run != "v2")
    assert told(result) == []


def test_a_deleted_saved_run_is_no_drift(pinned, server):
    """Where the last run in the editor is deleted, the blocks alone tell that nothing has moved."""
    server.delete_saved_run(SUPPORT)
    result = asking(pinned)
    assert result.outcomes["passed"] == 1
    assert told(result) == [f"dust: app {SUPPORT}: not drifted"]


def test_an_app_that_was_never_run_in_the_editor_is_told_by_its_blocks(pinned, server):
    """Without any run in the editor, the blocks alone tell."""
    listing(server, lambda apps: [{**app, "savedRun": None} for app in apps])
    assert told(asking(pinned)) == [f"dust: app {SUPPORT}: not drifted"]


def test_a_run_of_another_version_is_told_where_the_blocks_are_back(pinned, server):
    """Saved blocks that are the recorded ones pass, and the version of the last run in the editor is told."""
    original = blocks_of(server)
    server.save_edited(SUPPORT)
    listing(server, lambda apps: [{**app, "savedSpecification": original} for app in apps])
    result = asking(pinned)
    assert result.outcomes["passed"] == 1
    other = server.hash(SUPPORT, "v2")
    assert told(result) == [
        f"dust: app {SUPPORT}: not drifted; its last run in Dust ran another version, {other}"
    ]


def test_without_recorded_blocks_the_hash_tells_and_says_so(pinned):
    """Where no recording holds blocks, the same hash passes, with a word on what it does not show."""
    (line,) = told(asking(forgetting(pinned)))
    assert "not drifted by the hash of its last run in Dust" in line
    assert "--dust-mode=rerecord" in line


def test_without_recorded_blocks_and_hash_it_is_unknown(pinned, server):
    """Where there are neither recorded blocks nor a hash, the item fails and says how to mend that."""
    server.delete_saved_run(SUPPORT)
    result = asking(forgetting(pinned))
    assert result.outcomes["failed"] == 1
    assert f"it is unknown whether the app {SUPPORT} is still the pinned version" in result.report
    assert "its last run in Dust is deleted" in result.report
    assert "record a case of it again (--dust-mode=rerecord)" in result.report
    mended = forgetting(pinned).run("--dust-mode=rerecord").example
    assert asking(mended).outcomes["passed"] == 1


def test_blocks_that_may_be_of_another_version_show_an_edit(pinned, server):
    """Blocks that are not known to have run still show that something was edited since the recording."""
    saving(server, None)
    result = asking(forgetting(pinned, ran=False))
    assert result.outcomes["failed"] == 1
    assert "changed since the recording of" in result.report
    assert "CLASSIFY (llm)" in result.report


def test_an_edit_beside_the_pinned_hash_is_no_all_clear(pinned, server):
    """Where the last run ran the pinned version and its blocks changed since, it is unknown."""
    saving(server, "v1")
    result = asking(forgetting(pinned, ran=False))
    assert result.outcomes["failed"] == 1
    assert "it is unknown whether" in result.report
    assert "CLASSIFY changed" in result.report


# ── does the pinned version still exist? ─────────────────────────────────────────────────────────


def test_a_pinned_version_that_is_gone_fails(pinned, server):
    """A pinned hash that the service does not know any more fails, though the blocks are as they were."""
    server.unregister(SUPPORT, "v1")
    result = asking(pinned)
    assert result.outcomes["failed"] == 1
    assert f"the version of the app {SUPPORT} that this suite pins is not at Dust (any more)" in result.report
    assert (
        f"app {SUPPORT}: the pinned version {server.hash(SUPPORT)[:8]}… does not exist at Dust" in result.out
    )


def test_where_hashes_cannot_be_asked_for_the_blocks_tell(pinned, server):
    """Where the service has no such address, that is neither drift nor trouble."""
    server.unregister(SUPPORT, "v1")
    unable_to_check(server)
    doubt = "the service could not be asked whether it still has the pinned version"
    assert told(asking(pinned)) == [f"dust: app {SUPPORT}: not drifted; {doubt}"]


@pytest.mark.parametrize(
    ("status", "reply"),
    [
        *(
            (200, reply)
            for reply in ("[]", "{}", '{"apps": [{}]}', '{"apps": [{"deployed": "no"}]}', "<html>")
        ),
        *((status, "{}") for status in (403, 404, 405, 500, 503)),
    ],
)
def test_a_check_that_makes_no_sense_is_no_error(pinned, server, reply, status):
    """Whatever the undocumented address answers, it is never taken for drift or trouble."""

    def behaviour(request):
        if request.path.endswith("/apps/check"):
            return dust_server.Reply([reply.encode()], status, "application/json")
        return None

    server.behaviour = behaviour
    assert asking(pinned).outcomes["passed"] == 1


def test_a_version_that_is_gone_is_told_beside_the_drift(pinned, server):
    """Where the app has moved on, the report says too that the pinned version is gone."""
    saving(server, "v2")
    server.unregister(SUPPORT, "v1")
    result = asking(pinned)
    assert "(not at Dust any more: no live run of it can be made)" in result.report
    assert "CLASSIFY (llm)" in result.report


# ── every suite's recordings ─────────────────────────────────────────────────────────────────────


def test_recordings_of_other_suites_count(pinned, server):
    """Where the first suite has no recording, one of another suite tells the blocks of the app."""
    twin = pinned.having({"second.dust.yaml": pinned.files["answer.dust.yaml"]})
    twin = twin.having({name.replace("answer", "second"): text for name, text in pinned.cassettes.items()})
    twin = twin.having(dict.fromkeys(pinned.cassettes))
    server.delete_saved_run(SUPPORT)
    assert told(asking(twin)) == [f"dust: app {SUPPORT}: not drifted"]
    server.save_unrun_edit(SUPPORT)
    assert "CLASSIFY (llm)" in asking(twin).report


def test_recordings_of_latest_count(pinned, server):
    """A recording of `latest` that the pinned version answered tells its blocks."""
    text = pinned.files["answer.dust.yaml"].decode()
    loose = pinned.having({"loose.dust.yaml": text.replace(server.hash(SUPPORT), "latest")})
    both = loose.run("loose.dust.yaml", "--dust-mode=record").example
    both = both.having(dict.fromkeys(pinned.cassettes))
    server.delete_saved_run(SUPPORT)
    assert told(asking(both)) == [f"dust: app {SUPPORT}: not drifted"]


def test_blocks_that_ran_go_before_others(pinned):
    """Of several recordings, one whose blocks are known to have run decides."""
    (first, *_) = pinned.cassettes
    document = {
        **json.loads(pinned.cassettes[first]),
        "specification_ran": False,
        "specification": [block("X")],
    }
    mixed = pinned.having({first: json.dumps(document)})
    assert told(asking(mixed)) == [f"dust: app {SUPPORT}: not drifted"]


def test_a_secret_in_a_prompt_is_no_drift(pinned, server):
    """What is masked in the recording is masked in what is saved, before the two are compared."""
    prompt = json.loads(blocks_of(server))[1]["spec"]["prompt"]
    secret = prompt.split()[0]
    hidden = pinned.having({"pytest.ini": "[pytest]\ndust_secrets = SHOP_WORD\n"}).exporting(SHOP_WORD=secret)
    after = hidden.run("--dust-mode=rerecord").example
    assert all(secret not in json.dumps(kept) for kept in specifications(after).values())
    assert told(asking(after)) == [f"dust: app {SUPPORT}: not drifted"]


def test_other_apps_are_not_asked_for(pinned, server):
    """The last run in the editor is asked for of the app in question alone."""
    asking(pinned)
    assert sum("/runs/" in request.path for request in server.requests) == 1


def test_two_pins_are_told_apart(pinned, server):
    """Where an app is pinned at two versions, the summary says which of them has not drifted."""
    other = f"  - {{id: new, specification_hash: {server.hash(SUPPORT, 'v2')}, input: {{question: Hi}}}}\n"
    result = asking(pinned.having({"answer.dust.yaml": suite(server, SUPPORT, CASES + other)}))
    assert told(result) == [f"dust: app {SUPPORT} ({server.hash(SUPPORT)[:8]}…): not drifted"]


# ── where it is unknown ────────────────────────────────────────────────────────────────────────


def test_an_app_that_vanished_says_so(pinned, server):
    """An app that the space no longer lists fails the item, by its id."""
    listing(server, lambda apps: [app for app in apps if app["sId"] != SUPPORT])
    result = pinned.run("--dust-drift")
    assert result.outcomes == {"passed": 2, "failed": 1}
    assert f"the space lists no app {SUPPORT} any more" in result.report


def test_lost_access_says_so(pinned, server):
    """Where the key may no longer list apps, the item fails with the app, the reply and what to check."""
    server.misbehave(Faults.error(403, "workspace_auth_error"), times=None, on="GET")
    result = pinned.run("--dust-drift")
    assert result.outcomes == {"passed": 2, "failed": 1}
    assert f"it is unknown whether the app {SUPPORT} is still the pinned version" in result.report
    assert "the service answered 403 workspace_auth_error" in result.report
    assert "the key may not use this app" in result.report
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


# ── what cassettes keep ──────────────────────────────────────────────────────────────────────────


def test_a_recording_keeps_the_specification_that_ran(pinned):
    """Recorded while the pinned version is saved, each cassette holds the app's blocks."""
    for kept in specifications(pinned).values():
        assert [one["name"] for one in kept] == ["INPUT", "CLASSIFY", "LOOKUP", "ANSWER"]


def test_another_saved_version_is_kept_with_a_note(project, server):
    """Blocks of another version than ran are kept, noted as such, and never told as the pinned ones."""
    server.save_edited(SUPPORT)
    example = project.having({"answer.dust.yaml": suite(server, SUPPORT, CASES)}).using(server)
    after = example.run("--dust-mode=record").example
    assert [json.loads(text)["specification_ran"] for text in after.cassettes.values()] == [False, False]
    result = asking(after)
    assert result.outcomes["failed"] == 1
    assert "which blocks changed is not known: no recording holds" in result.report


def test_a_recording_notes_that_its_blocks_ran(pinned):
    """Where the last run in the editor ran the recorded version, the blocks are noted as those that ran."""
    assert [json.loads(text)["specification_ran"] for text in pinned.cassettes.values()] == [True, True]


@pytest.mark.parametrize("blocks", ["more", "fewer"])
def test_blocks_that_cannot_have_run_are_noted_so(support, server, blocks):
    """Blocks added or removed since the last run in the editor are not taken for those that ran."""

    def change(apps):
        listed = json.loads(blocks_of(server))
        listed = [*listed, block("NEW")] if blocks == "more" else listed[:-1]
        return [{**app, "savedSpecification": json.dumps(listed)} for app in apps]

    listing(server, change)
    after = support.run("--dust-mode=record").example
    assert {json.loads(text)["specification_ran"] for text in after.cassettes.values()} == {False}


@pytest.mark.parametrize("app", dust_server.APPS)
def test_the_blocks_of_every_app_are_known_to_have_run(project, server, app):
    """Loops, filters and errors hide no block: what is saved and has run is noted so for every app."""
    made = project.using(server).run("--dust-new", app).example
    after = made.run("--dust-mode=record").example
    assert [json.loads(text)["specification_ran"] for text in after.cassettes.values()] == [True]


def test_a_key_that_may_not_list_apps_records_all_the_same(project, server):
    """Where apps may not be listed, the run is recorded without their blocks."""
    server.misbehave(Faults.error(403, "workspace_auth_error"), times=None, on="GET")
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
