"""Values that are new in every run are left out of comparisons, by type of block, and reported once."""

from __future__ import annotations

import re
from itertools import count
from typing import Any

import pytest
from answers import ran
from doc_pages import table
from made_runs import compared, names
from made_runs import made as made_run

from conftest import ANY_CONFIG, SUPPORT, TRACK, suite
from pytest_dust.compare import baseline, volatile
from pytest_dust.dust.run_view import viewed
from pytest_dust.model import Baseline, Flavor

ON_CHANGE = "--dust-on-change=fail"
KEEP = Baseline(volatile="keep")
TOLD = re.compile(
    r"^dust: not compared, as new in every run: (.*) \(baseline\.volatile: keep compares it\)$", re.MULTILINE
)
each_flavor = pytest.mark.parametrize("flavor", Flavor)


def curl(at: int, body: Any = "same", **headers: str) -> dict[str, Any]:
    """Give the value of a curl block at some time."""
    fixed = {"content-type": "text/plain", "Date": f"Wed, 25 Nov 2026 10:{at:02}:00 GMT"}
    cookie = {"set-cookie": f"sid=s3cr3t-{at}; Path=/", "X-Request-Id": f"req-{at:08}"}
    return {
        "created": 1_700_000_000_000 + at,
        "status": 200,
        "headers": {**fixed, **cookie, **headers},
        "body": body,
    }


def chat(at: int, arguments: str = "{}") -> dict[str, Any]:
    """Give the value of a chat block that calls a function."""
    call = {"id": f"call_{at:010}", "name": "look_up", "arguments": arguments}
    message = {"role": "assistant", "content": "", "function_call": call, "function_calls": [call]}
    return {"message": {**message, "contents": [{"type": "function_call", "value": call}]}}


def search(at: int, title: str = "Refunds") -> dict[str, Any]:
    """Give the document of a search provider."""
    return {
        "search_metadata": {"id": f"s{at:08}", "created_at": f"{at}", "total_time_taken": at / 7},
        "search_information": {"query_displayed": "refund", "time_taken_displayed": at / 9},
        "organic_results": [{"position": 1, "title": title}],
    }


def documents(at: int, text: str = "Refunds take five days.") -> list[Any]:
    """Give what a data source finds."""
    return [
        {"document_id": "d", "chunks": [{"text": text, "hash": "h", "offset": 0, "score": 0.9 - at / 1e3}]}
    ]


def completion(at: int, text: str = "billing") -> dict[str, Any]:
    """Give the value of an llm block."""
    return {"prompt": {"text": "Label it."}, "completion": {"text": text, "logprobs": [-0.1 - at / 1e4]}}


VALUES: dict[str, Any] = {
    "curl": curl,
    "chat": chat,
    "search": search,
    "data_source": documents,
    "llm": completion,
}
OTHER = {"curl": "other", "chat": '{"a": 1}', "search": "Other", "data_source": "Other.", "llm": "other"}
each_type = pytest.mark.parametrize("kind", VALUES)


# ── two runs ─────────────────────────────────────────────────────────────────────────────────────


def held(old: Any, new: Any, rules: Baseline = Baseline(), *, plural: bool = True) -> Any:  # noqa: B008
    """Compare two runs."""
    return baseline.compare(*(viewed(run, plural=plural) for run in (old, new)), rules, "")


def last(kind: str, value: Any) -> Any:
    """Give a run whose last block is of a type and gives this value."""
    return made_run(("input", "IN", [0]), (kind, "X", [ran(value)]))


@each_type
def test_what_is_new_in_every_run_is_no_change(kind):
    """Two runs that differ only in volatile values have not changed."""
    old, new = last(kind, VALUES[kind](1)), last(kind, VALUES[kind](2))
    found = compared(old, new)
    assert (found.values, found.blocks) == ((), ())
    assert found.left_out
    assert all(name.startswith(f"{kind} ") for name in found.left_out)


@each_type
def test_all_else_counts(kind):
    """Besides volatile values, any other difference is a change."""
    found = compared(last(kind, VALUES[kind](1)), last(kind, VALUES[kind](2, OTHER[kind])))
    assert found.changed
    assert [len(block.changes) for block in found.blocks] == [len(found.values)]
    assert len(found.values) == (3 if kind == "chat" else 1)


@each_type
def test_keep_compares_everything(kind):
    """With `volatile: keep` these values are compared, and nothing is reported as left out."""
    found = held(last(kind, VALUES[kind](1)), last(kind, VALUES[kind](2)), KEEP)
    assert found.changed
    assert found.left_out == ()


@pytest.mark.parametrize("kind", ["code", "database", "browser", "a_new_type", "Curl"])
def test_another_type_is_compared_whole(kind):
    """A block of an unknown type has no volatile values, even if its value looks like one with them."""
    found = held(last(kind, curl(1)), last(kind, curl(2)))
    assert {change.path[2] for change in found.values} == {"created", "headers"}
    assert found.left_out == ()


def test_a_block_that_is_of_another_type_now_is_compared_whole():
    """A block with another type has changed, and its whole values are compared."""
    rules = Baseline(compare=("blocks.X.outputs",))
    assert held(last("curl", curl(1)), last("code", curl(2)), rules).changed


def test_values_that_did_not_differ_are_not_reported():
    """Volatile values that are equal in both runs are not reported."""
    assert held(last("curl", curl(1)), last("curl", curl(1, "other"))).left_out == ()


def test_a_result_of_another_block_is_compared_whole():
    """If another block gives the result now, no part of the result is left out as volatile."""
    fetched = ("curl", "X", [ran({"created": 1})])
    found = held(made_run(fetched), made_run(fetched, ("code", "END", [ran({"created": 2})])))
    assert [change.path for change in found.values] == [("results", 0, "created")]


def test_a_header_that_only_one_run_has_is_left_out():
    """An added or removed volatile header is not a change."""
    found = held(last("curl", curl(1)), last("curl", curl(1, Age="12")))
    assert not found.changed
    assert found.left_out == ("curl headers.age",)


def test_any_other_header_counts():
    """A header that is not volatile, such as the content type, is compared."""
    found = held(last("curl", curl(1)), last("curl", curl(2, location="/elsewhere")))
    assert [change.path[2:] for change in found.values] == [("headers", "location")]


def looping(kind: str, loop: str, values: list[Any], end: Any = 0) -> Any:
    """Give a run with a block in a loop, and one behind it."""
    closing = {"map": "reduce", "while": "end"}[loop]
    rounds = [ran([1] * len(values))] if loop == "map" else [*[True] * len(values), False]
    body = (kind, "X", [ran(value) for value in values])
    return made_run((loop, "LOOP", rounds), body, (closing, "LOOP", [None]), ("code", "C", [end]))


@pytest.mark.parametrize("loop", ["map", "while"])
@each_type
def test_iterations_are_no_change_either(kind, loop):
    """In a loop volatile values are left out of each iteration, and all others are compared."""
    value = VALUES[kind]
    old = looping(kind, loop, [value(1), value(2), value(3)])
    assert not compared(old, looping(kind, loop, [value(4), value(5), value(6)])).blocks
    new = looping(kind, loop, [value(4), value(5, OTHER[kind]), value(6)], 1)
    (block, after) = compared(old, new).blocks
    assert {change.path[0] for change in block.changes} == {1}
    assert after.name == "C"


@pytest.mark.parametrize("loop", ["map", "while"])
def test_a_filter_may_make_a_loop_the_last(loop):
    """If a block in a loop gives the result, its iterations are compared without volatile values."""
    old, new = (
        made_run((loop, "L", [ran([1, 1])] if loop == "map" else [True, True, False]), ("curl", "X", at))
        for at in ([ran(curl(1)), ran(curl(2))], [ran(curl(3)), ran(curl(4))])
    )
    assert not held(old, new).changed
    assert not held(old, new, plural=False).changed


PATHS = [
    "blocks.X.output",
    "blocks.X.output.headers",
    "blocks.X.output.created",
    "blocks.X.output.headers.Date",
    "blocks.*.output",
    "blocks.X.[output, status]",
    "blocks.{a: X.output}",
    "blocks.X.output | headers",
    "not_null(blocks.Y, blocks.X).output",
    "values(blocks)",
    "result",
    "result.headers",
    "[result, blocks.X]",
    "result || blocks.X.output",
]


@pytest.mark.parametrize("path", PATHS)
def test_every_compared_path_leaves_it_out(path):
    """For any compared path into the block, volatile values are left out."""
    rules = Baseline(compare=(path,))
    old, new = last("curl", curl(1)), last("curl", curl(2))
    assert not held(old, new, rules, plural=False).changed
    assert held(old, new, Baseline(compare=(path,), volatile="keep"), plural=False).changed


@pytest.mark.parametrize("path", ["results", "blocks.X.outputs", "blocks.X.outputs[*].headers", "results[1]"])
def test_several_inputs_are_each_compared_without_it(path):
    """With several inputs, each one's value is compared without volatile values."""
    old, new = (made_run(("curl", "X", *([ran(curl(at + n))] for n in (0, 3)))) for at in (1, 2))
    found = held(old, new, Baseline(compare=(path,)))
    assert (found.changed, found.blocks) == (False, ())


@pytest.mark.parametrize("passed", ["created", "headers.Date", "all"])
def test_a_value_that_a_later_block_passes_on_is_left_out(passed):
    """A volatile value that a later block passes on is left out there too."""

    def run(at: int, answer: int = 5) -> Any:
        value = curl(at)
        given = {
            "created": value["created"],
            "headers.Date": [value["headers"]["Date"]],
            "all": {"got": value},
        }
        out = {"passed": given[passed], "answer": answer}
        return made_run(("curl", "X", [ran(value)]), ("code", "C", [ran(out)]))

    assert not held(run(1), run(2)).blocks
    assert [change.path for change in held(run(1), run(2, 6)).values] == [("results", 0, "answer")]


def test_a_value_that_a_later_text_quotes_is_left_out():
    """A volatile value that a later text quotes is left out; the rest of the text is compared."""

    def run(at: int, words: str = "was fetched") -> Any:
        value = curl(at)
        text = f"At {value['created']} ({value['headers']['Date']}) it {words}."
        prompt = {"prompt": {"text": text}, "completion": {"text": "ok"}}
        return made_run(("curl", "X", [ran(value)]), ("llm", "L", [ran(prompt)]), ("code", "C", [text]))

    assert not held(run(1), run(2)).blocks
    assert names(held(run(1), run(2, "came"))) == ["L", "C"]
    assert held(run(1), run(1, "came")).changed


def test_a_short_value_is_compared_in_later_blocks():
    """A short volatile value, such as an age in seconds, is compared in other blocks."""
    old, new = (made_run(("curl", "X", [ran(curl(1, age=age))]), ("code", "C", [age])) for age in ("1", "2"))
    assert held(old, new).changed


def test_an_element_that_came_counts():
    """Scores are left out, but a document that only one run found is a change."""
    old, new = last("data_source", documents(1)), last("data_source", documents(1) * 2)
    found = held(old, new)
    assert [change.path for change in found.values] == [("results", 0, 1)]
    assert found.left_out == ()


def test_the_page_has_the_table():
    """docs/gate.md names every type of block that has volatile parts, and the tests try each."""
    assert [row[0].strip("`") for row in table("gate", "| block | left out |")] == [*volatile.TABLE]
    assert set(volatile.TABLE) == set(VALUES)


# ── in a session ─────────────────────────────────────────────────────────────────────────────────


def becoming(server: Any, kind: str, *later: Any, other: bool = False) -> None:
    """Let the app's second block be of a type and give something new each time."""
    times = count(1)
    more = (OTHER[kind],) if other else ()
    server.become(
        ("input", "INPUT", None), (kind, "X", lambda _env: VALUES[kind](next(times), *more)), *later
    )


@pytest.fixture
def fetching(project, server):
    """Give a project with one recorded case of an app with a block of some type."""

    def make(kind: str, *later: Any, keys: str = "", flavor: str = "blocking") -> Any:
        becoming(server, kind, *later)
        case = f"input: {{question: Hi}}\n{keys}flavor: {flavor}\n"
        example = project.having({"a.dust.yaml": suite(server, SUPPORT, case)}).using(server)
        example = example.configured("a.dust.yaml", {"X": ANY_CONFIG})
        recorded = example.run("--dust-mode=record")
        assert recorded.outcomes == {"passed": 1}
        return recorded.example

    return make


@each_flavor
@each_type
def test_a_live_run_is_unchanged(fetching, kind, flavor):
    """A live run with new volatile values only passes the gate, and the summary names them."""
    result = fetching(kind, flavor=flavor).run("--dust-mode=live", ON_CHANGE)
    assert result.outcomes == {"passed": 1}
    assert "it begins in" not in result.out
    (told,) = TOLD.findall(result.out)
    assert told.startswith(f"{kind} ")


@each_type
def test_keep_brings_it_back(fetching, kind):
    """With `volatile: keep` the same run has changed."""
    example = fetching(kind, keys="baseline: {volatile: keep}\n")
    result = example.run("--dust-mode=live", ON_CHANGE)
    assert result.outcomes == {"failed": 1}
    assert f"it begins in X ({kind})" in result.out
    assert TOLD.findall(result.out) == []


PARCEL = "input: {parcel: PX-1041}\n"
WHOLE = 'baseline: {{compare: [result, "blocks.*.output"], volatile: {}, on_change: fail}}\n'


@each_flavor
def test_an_app_of_such_blocks_is_unchanged(made, flavor):
    """An app of curl, search and chat blocks is unchanged if only volatile values differ."""
    example = made(TRACK, PARCEL, f"flavor: {flavor}\n{WHOLE.format('ignore')}")
    result = example.run("--dust-mode=live")
    assert result.outcomes == {"passed": 1}
    (told,) = TOLD.findall(result.out)
    assert {"curl created", "search search_metadata", "chat message.function_calls.*.id"} <= set(
        told.split(", ")
    )
    kept = example.replacing("suite.dust.yaml", "ignore", "keep").run("--dust-mode=live")
    assert kept.outcomes == {"failed": 1}
    assert "it begins in TRACK (curl)" in kept.report


def test_scores_that_move_are_no_change(made, server):
    """The scores of a data source may differ; the documents it finds may not."""
    example = made(SUPPORT, "input: {question: Where is my refund?}\n", WHOLE.format("ignore"))
    server.move_scores(0.001)
    result = example.run("--dust-mode=live")
    assert result.outcomes == {"passed": 1}
    assert TOLD.findall(result.out) == ["data_source *.chunks.*.score"]
    server.drift()
    changed = example.run("--dust-mode=live")
    assert "it begins in CLASSIFY (llm)" in changed.report
    assert "score" not in changed.report.partition("dust: ")[0]


def test_a_case_may_take_back_what_its_suite_keeps(project, server):
    """`volatile: ignore` in a case overrides the suite's `keep`."""
    becoming(server, "curl")
    cases = "cases:\n" + "".join(
        f"  - {{id: {name}, input: {{question: Hi}}{more}}}\n"
        for name, more in {"kept": "", "left": ", baseline: {volatile: ignore}"}.items()
    )
    text = suite(server, SUPPORT, cases, "baseline: {volatile: keep, on_change: fail}\n")
    example = project.having({"a.dust.yaml": text}).using(server).run("--dust-mode=record").example
    result = example.run("--dust-mode=live")
    assert result.outcomes == {"passed": 1, "failed": 1}
    assert "a.dust.yaml::kept" in result.report


def test_it_is_reported_once(project, server):
    """All cases together give one line about left-out values, with xdist too; a replay gives none."""
    becoming(server, "curl")
    cases = "cases:\n" + "".join(f"  - {{id: c{at}, input: {{question: Hi}}}}\n" for at in range(4))
    example = project.having({"a.dust.yaml": suite(server, SUPPORT, cases)}).using(server)
    recorded = example.run("--dust-mode=record")
    assert TOLD.findall(recorded.out) == []
    result = recorded.example.run("--dust-mode=live")
    (told,) = TOLD.findall(result.out)
    assert sorted(told.split(", ")) == ["curl created", "curl headers.date", "curl headers.x-request-id"]
    assert TOLD.findall(recorded.example.offline().run().out) == []


def test_a_block_between_is_not_where_it_begins(fetching, server):
    """If a later block changes, the change begins there, not in the curl block before it."""
    example = fetching(
        "curl", ("code", "C", lambda env: [env.state["X"]["status"], env.state["X"]["created"], 1])
    )
    becoming(
        server, "curl", ("code", "C", lambda env: [env.state["X"]["status"], env.state["X"]["created"], 2])
    )
    result = example.run("--dust-mode=live", ON_CHANGE)
    assert "it begins in C (code), block 3 of 3" in result.report
    assert re.search(r"C +output\[2\] +1 → 2", result.report)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{volatile: kep}", "volatile is ignore or keep (did you mean keep?)"),
        ("{volatile: true}", "volatile is ignore or keep"),
        ("{volatile: [keep]}", "volatile is ignore or keep"),
        ("{volatil: keep}", "(did you mean volatile?)"),
    ],
)
def test_a_wrong_value_is_a_mistake_of_the_suite(project, server, written, message):
    """A wrong value of `volatile` ends collection with its place and what is allowed."""
    text = suite(server, SUPPORT, "input: {question: Hi}\n", f"baseline: {written}\n")
    result = project.having({"a.dust.yaml": text}).run()
    assert result.outcomes == {"error": 1}
    assert message in result.out
