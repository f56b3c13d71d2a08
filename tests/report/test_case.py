"""What people read: which expectation fails, where the change began, and what the session cost."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ET

import pytest

from conftest import HALVE, QUOTE, SUMMARISE, SUPPORT, config_of, suite

WIDEST = 700
"""Characters that a line of a report may have: two long values and an arrow."""

REFUND = "input: {question: Where is my refund?}\nexpect:\n  result.label: billing\n"
SEVERAL = """\
inputs:
  - {question: Track my parcel}
  - {question: Where is my refund?}
expect:
  results[0].label: shipping
  results[1].label: billing
"""
LOOP = """\
inputs: [{number: 40, limit: 10}, {number: 100, limit: 10}]
expect: {"results[1].steps": 4}
"""
TEXTS = "input: {text: The cat sat. The Old dog slept.}\nexpect: {result.summary: cat sat; Old dog slept}\n"


def bounded(result, lines=120):
    """The report, held to its bounds: few lines, none of them long."""
    written = result.report.splitlines()
    assert len(written) < lines
    assert max(map(len, written)) < WIDEST
    return result.report


# ── golden texts ─────────────────────────────────────────────────────────────────────────────────


def test_a_failing_replay(recorded, golden):
    """A replayed case that fails shows what was expected, what came, and how to ask the app itself."""
    golden("replay", recorded.run().out)


def test_a_live_run_that_changed(made, server, golden):
    """A live case that fails names the block in which the change began, and folds what follows from it."""
    example = made(SUPPORT, REFUND)
    server.drift()
    result = example.run("--dust-mode=live")
    assert "it begins in CLASSIFY (llm), block 2 of 4" in result.report
    golden("live", result.out)


def test_a_change_of_one_of_several_inputs(made, server, golden):
    """With several inputs the report says for which one the change began."""
    example = made(SUPPORT, SEVERAL)
    server.drift()
    result = example.run("--dust-mode=live")
    assert re.search(r"it begins in CLASSIFY \(llm\).*input 2", result.report)
    golden("inputs", result.out)


def test_a_change_inside_a_while(made, server, golden):
    """In a loop the report says in which iteration of which block the change began."""
    example = made(HALVE, LOOP).replacing("suite.dust.yaml", server.hash(HALVE), "latest")
    example = example.having({"cassettes/suite/suite.json": None}).run("--dust-mode=record").example
    server.save_edited(HALVE)
    result = example.run("--dust-mode=live")
    assert re.search(r"it begins in HALVE \(code\).*input 1", result.report)
    assert re.search(r"HALVE +iteration 1 output +20 → 13", result.report)
    golden("while", result.out)


def test_a_change_inside_a_map(made, server, golden):
    """In a map the report says for which element the change began."""
    example = made(SUMMARISE, TEXTS)
    server.drift()
    result = example.run("--dust-mode=live")
    assert re.search(r"it begins in SUMMARY \(llm\)", result.report)
    assert re.search(r"SUMMARY +iteration 2 output", result.report)
    golden("map", result.out)


def test_a_path_that_finds_nothing(made, golden):
    """A path that leads nowhere shows how far it got, and what is there."""
    example = made(SUPPORT, REFUND + "  result.lable: billing\n  blocks.CLASIFY.output.label: billing\n")
    result = example.offline().run()
    assert "nothing; " in result.report
    golden("missing_path", result.out)


def test_matchers_as_they_are_told(made, golden):
    """A matcher that does not hold is named with its argument and what came."""
    expect = """\
  result.answer: {contains: parcel, not: {icontains: REFUND}, max_length: 10}
  usage.total_tokens: {lte: 5}
  blocks.CLASSIFY.output.completion: {text: shipping, tokens: null, sure: true}
  blocks.LOOKUP.output: []
"""
    expect = expect.replace("{text", "{equals: {text").replace("true}", "true}}")
    golden("matchers", made(SUPPORT, REFUND + expect).offline().run().out)


def test_the_words_of_deepdiff(made, server, golden):
    """What `deepdiff` finds is in DeepDiff's words, a line for each difference, in all reports."""
    expect = """\
  result: {deepdiff: {to: {label: shipping, answer: Hello}, exclude_paths: [answer], ignore_order: true}}
  blocks.CLASSIFY.output.completion.text: {not: {deepdiff: {to: BILLING, ignore_string_case: true}}}
  blocks.LOOKUP.output: {every: {deepdiff: {to: 1}}}
  blocks.CLASSIFY.output: {deepdiff: {to: wanted.json, significant_digits: 2}}
"""
    wanted = '{"completion": {"text": "\\u001b[31m::error::", "tokens": 1}, "prompt": "a\\nb"}'
    example = made(SUPPORT, REFUND)
    files = {"suite.dust.yaml": suite(server, SUPPORT, REFUND + expect), "wanted.json": wanted}
    result = example.having(files).offline().run("--dust-report=report.md", "--dust-report=report.html")
    for name in ("report.md", "report.html"):
        assert "Value of root" in result.example.files[name].decode()
    golden("deepdiff", result.out)


def test_a_case_without_a_run(project, server, golden):
    """A case that could not be replayed says why and what to type."""
    golden("no_cassette", project.having({"suite.dust.yaml": suite(server, SUPPORT, REFUND)}).run().out)


def test_a_cassette_that_does_not_fit(made, golden):
    """A misfit lists the fields that moved, old → new."""
    example = made(SUPPORT, REFUND).replacing("suite.dust.yaml", "my refund?", "the parcel?")
    extra = example.configured("suite.dust.yaml", config_of(SUPPORT, ANSWER={"max_tokens": 3}))
    golden("misfit", extra.offline().run().out)


def test_a_broken_suite(project, golden):
    """A suite's mistakes stand one to a line with their places."""
    text = "app: {idd: x}\nspecification_hash: 12\ncases:\n  - id: A B\n    inputs: {}\n"
    golden("broken_suite", project.having({"suite.dust.yaml": text}).run().out)


def test_a_rerecorded_case_that_fails(made, server, golden):
    """A case recorded anew shows what changed since the recording that it replaces."""
    example = made(SUPPORT, REFUND)
    server.drift()
    result = example.run("--dust-mode=rerecord")
    assert "it begins in CLASSIFY (llm)" in result.report
    golden("rerecord", result.out)


def test_a_run_that_errored(made, golden):
    """A block's own error is in the report of a case that expected success."""
    result = (
        made(QUOTE, "input: {order: a few apples}\nexpect: {result.completion.text: x}\n").offline().run()
    )
    assert "PARSE (code)" in result.report
    assert "no quantity" in result.report
    golden("errored", result.out)


def test_a_passing_case_that_changed_is_listed(made, server, golden):
    """A case that passes although its app changed is told at the end of the session."""
    example = made(SUPPORT, "input: {question: Where is my refund?}\n")
    server.drift()
    result = example.run("--dust-mode=live")
    assert result.outcomes == {"passed": 1}
    golden("changed_but_passed", result.out)


# ── bounds ───────────────────────────────────────────────────────────────────────────────────────


def test_of_long_texts_the_part_that_differs_is_shown(made, server):
    """Two long texts that differ in one word are shown around that word, with their lengths."""
    text = "The policy says. " * 200
    server.alter(lambda run: run["traces"][-1][1][0][0]["value"].update(answer=f"{text}NO{text}"))
    example = made(SUPPORT, f"{REFUND}  result.answer: '{text}YES{text}'\n")
    report = bounded(example.offline().run())
    expected, actual = re.search(r"result\.answer\n +expected +(.*)\n +actual +(.*)", report).groups()
    assert "says. YES" in expected
    assert "says. NO" in actual
    assert "(6,803 characters)" in expected
    assert "(6,802 characters)" in actual
    assert expected.startswith("…")


def test_a_long_text_that_changed_is_shown_where_it_changed(made, server):
    """Since the recording, too, a long text is shown around the place that changed."""
    text = "The policy says. " * 200
    said = ["before"]
    server.alter(lambda run: run["traces"][-1][1][0][0]["value"].update(answer=f"{text}{said[0]}{text}"))
    example = made(SUPPORT, REFUND.replace("billing", "none"))
    said[0] = "after"
    report = bounded(example.run("--dust-mode=live"))
    shown = r"output\.answer\n +….*policy says\. \[-beforeThe-\]\{\+afterThe\+\} policy says\..*…$"
    assert re.search(shown, report, re.MULTILINE)


def test_hundreds_of_differences_stay_few_lines(made, server):
    """A structure with hundreds of differences is told in a bounded number of lines, and the rest counted."""
    said = [0]
    server.alter(
        lambda run: run["traces"][-1][1][0][0]["value"].update(rows=[n + said[0] for n in range(700)])
    )
    rows = ", ".join(str(-n - 1) for n in range(700))
    example = made(SUPPORT, f"{REFUND}  result.rows: [{rows}]\n")
    said[0] = 10_000
    report = bounded(example.run("--dust-mode=live"))
    assert "692 more differences" in report
    assert "692 more values" in report


def test_hundreds_of_failed_expectations_stay_few_lines(made):
    """A case with hundreds of failed expectations writes out the first, and counts the rest."""
    expect = "".join(f"  result.label | [{at}]: x\n" for at in range(300))
    report = bounded(made(SUPPORT, REFUND + expect).offline().run())
    assert "280 more expectations" in report


def test_hundreds_of_blocks_and_inputs_stay_few_lines(made, server):
    """A change of every block for every one of hundreds of inputs is folded under the first."""
    questions = ", ".join(f"{{question: refund {at}}}" for at in range(300))
    example = made(SUPPORT, f"inputs: [{questions}]\nexpect: {{'results[0].label': none}}\n")
    server.drift()
    report = bounded(example.run("--dust-mode=live"), lines=40)
    assert re.search(r"it begins in CLASSIFY \(llm\).*input 1", report)


@pytest.mark.parametrize("content", ["one text", "many values"])
def test_an_answer_of_a_megabyte_stays_bounded(made, server, content):
    """An answer of 1 MB is reported in few lines and little time."""
    said = ["a"]

    def grow(run):
        big = (
            said[0] * 1_000_000
            if content == "one text"
            else [{"k": said[0] * 50, "n": n} for n in range(12_000)]
        )
        run["traces"][-1][1][0][0]["value"]["answer"] = big

    server.alter(grow)
    example = made(
        SUPPORT,
        f"{REFUND}  result.answer: nothing like it\n  result.label: x\n".replace(": billing", ".x: 1"),
    )
    said[0] = "b"
    began = time.monotonic()
    report = bounded(example.run("--dust-mode=live"))
    assert time.monotonic() - began < 10
    assert "it begins in ANSWER (code)" in report


# ── around the cases ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", ["replay", "record", "rerecord", "live"])
def test_the_header_says_the_mode_and_the_service(recorded, server, mode):
    """One header line gives the mode, and the service's address wherever it may be asked."""
    result = recorded.using(server).run(f"--dust-mode={mode}")
    expected = "dust: replay" if mode == "replay" else f"dust: {mode}, {server.base_url}"
    assert expected in result.out.splitlines()


@pytest.mark.parametrize(
    ("mode", "told", "options"),
    [
        ("replay", r"dust: 3 replayed, 0 tokens used", ()),
        ("record", r"dust: 3 replayed, 0 tokens used", ()),
        ("rerecord", r"dust: 3 recorded, 80 tokens used", ()),
        ("live", r"dust: 3 live, 80 tokens used", ()),
        ("live", r"dust: 3 live, 80 tokens used", ("-n", "2")),
    ],
)
def test_the_summary_counts_cases_and_tokens(recorded, server, mode, told, options):
    """At the end stand how many cases came from where, and the tokens used in this session, xdist or not."""
    result = recorded.using(server).run(f"--dust-mode={mode}", *options, subprocess=bool(options))
    assert re.search(f"^{told}$", result.out, re.MULTILINE)


def test_the_summary_counts_cases_without_a_run(recorded):
    """Cases that gave no run are counted as such."""
    result = recorded.having({"cassettes/answer/refund.json": None}).run()
    assert re.search(r"^dust: 2 replayed, 1 without a run, 0 tokens used$", result.out, re.MULTILINE)


def test_an_expected_failure_is_counted_too(recorded):
    """A case that fails as expected has run like the others."""
    example = recorded.replacing("answer.dust.yaml", "id: wrong", "id: wrong\n    marks: [xfail]")
    assert "dust: 3 replayed" in example.run().out


def test_no_summary_without_cases(project):
    """A session without suites says the mode in its header, and no more."""
    result = project.having({"test_it.py": "def test_it(): pass\n"}).run()
    assert result.out.count("dust: ") == 1


@pytest.mark.parametrize("options", [(), ("--tb=no",), ("--tb=line",), ("--tb=short",)])
def test_the_short_summary_holds_the_headline(recorded, options):
    """Pytest's short summary gives each failed case with its headline, xdist or not."""
    result = recorded.run(*options)
    line = 'FAILED answer.dust.yaml::wrong - result.label: expected "billing", actual "other"'
    assert line in result.out.splitlines()


def test_the_headline_begins_with_the_block(made, server, monkeypatch):
    """In the short summary of a changed case the block comes first."""
    monkeypatch.setenv("COLUMNS", "200")
    example = made(SUPPORT, REFUND)
    server.drift()
    result = example.run("--dust-mode=live")
    assert re.search(
        r"^FAILED suite\.dust\.yaml::suite - it begins in CLASSIFY \(llm\): result\.label",
        result.out,
        re.MULTILINE,
    )


# ── what comes from the app ──────────────────────────────────────────────────────────────────────

NASTY = "\x1b[2J\x1b]0;title\x07\r\x00\x08\x9b31m\u2028\u202e\ud800 ☃ 𝄞 ]]> </failure> & \ufffe\uffff"


@pytest.mark.parametrize("mode", ["record", "live"])
def test_control_characters_are_harmless(made, server, mode):
    """Nothing that an app says can steer a terminal, break the XML or stop the session."""
    example = made(
        SUPPORT, f"{REFUND}  result.answer: x\n  blocks.CLASSIFY.error: x\n".replace("billing", "x")
    )
    example = example if mode == "live" else example.having({"cassettes/suite/suite.json": None})
    server.alter(
        lambda run: run["traces"][-1][1][0][0].update(value={"label": NASTY, "answer": [NASTY], NASTY: 1})
    )
    result = example.run(f"--dust-mode={mode}", "--junitxml=out.xml", subprocess=True)
    assert result.outcomes == {"failed": 1}
    assert "INTERNALERROR" not in result.out + result.err
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e\ud800-\udfff]", result.out)
    assert "☃ 𝄞" in result.out
    ET.fromstring(result.example.files["out.xml"])
    replayed = result.example.offline().run(subprocess=True)
    assert replayed.outcomes == {"failed": 1}


def test_control_characters_in_an_error_of_the_service_are_harmless(made, server):
    """What the service says in an error is shown as text too."""
    example = made(SUPPORT, REFUND)
    server.say(NASTY.encode("utf-8", "replace"), status=500, content_type="text/plain")
    result = example.run("--dust-mode=live", "--junitxml=out.xml", subprocess=True)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e\ud800-\udfff]", result.out)
    ET.fromstring(result.example.files["out.xml"])


@pytest.mark.parametrize(
    ("answer", "told"),
    [("another", r"it begins in A\\u001b\[2J\S*B \(llm\)"), (None, r"on the way A\\u001b\[2J\S*B\.")],
    ids=["that counts", "on the way"],
)
def test_a_block_named_to_deceive_is_shown_as_text(made, server, answer, told):
    """A block's name is the app's word as well, and is shown without its control characters."""
    example = made(SUPPORT, REFUND.replace("billing", "x"))

    def change(run):
        run["traces"].insert(1, [["llm", "A\x1b[2J\nB"], [[{"value": 1, "error": None}]]])
        if answer is not None:
            run["traces"][-1][1][0][0]["value"].update(answer=answer)

    server.alter(change)
    result = example.run("--dust-mode=live", subprocess=True)
    assert "\x1b" not in result.out
    assert re.search(told, result.out)
