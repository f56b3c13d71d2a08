"""The stand-in for a language model reads its prompt, counts tokens, and can drift."""

from __future__ import annotations

from dust_api import INPUTS, QUOTE, SUMMARISE, SUPPORT, Api, api, shared, trace_of

from example_suites import dust_server


def test_usage_is_counted(shared: Api) -> None:
    """Every llm execution reports its tokens, and the model respects `max_tokens` in the config."""
    config = {"SUMMARY": {**dust_server.MODEL_CONFIG, "max_tokens": 2}}
    run = shared.blocking(SUMMARISE, config=config)
    (summaries,) = trace_of(run, "llm", "SUMMARY")
    usage = summaries[0][1]["meta"]["token_usage"]
    assert usage["completion_tokens"] == 2
    assert usage["prompt_tokens"] > 10
    metas = [one["meta"] for (kind, _), rows in run["traces"] if kind != "llm" for row in rows for one in row]
    assert not any("token_usage" in meta for meta in metas if meta)


def test_drift_changes_answers_under_the_same_hash(api: Api) -> None:
    """A newer model calls refunds shipping until it is taken back."""
    before = api.blocking(SUPPORT)
    api.server.drift()
    during = api.blocking(SUPPORT)
    api.server.undrift()
    assert api.blocking(SUPPORT)["traces"] == before["traces"]
    assert during["specification_hash"] == before["specification_hash"]
    assert during["results"][0][0]["value"]["label"] == "shipping"
    assert during["results"][1] == before["results"][1]


def test_drift_of_one_block(api: Api) -> None:
    """A drift can be held to one block that calls a model."""
    before = api.blocking(QUOTE, inputs=INPUTS[QUOTE][:1])
    api.server.drift("QUOTE")
    traces = zip(before["traces"], api.blocking(QUOTE, inputs=INPUTS[QUOTE][:1])["traces"], strict=True)
    assert [old[0][1] for old, new in traces if old != new] == ["QUOTE"]
