"""What a block needs before it runs: its config, and the outputs that its template names."""

from __future__ import annotations

from typing import Any

import pytest
from dust_api import SUPPORT, TRACK, Api, shared

from example_suites import dust_server

CONFIG_ERRORS = [
    (SUPPORT, "CLASSIFY", None, "Missing configuration for llm block `CLASSIFY`"),
    (SUPPORT, "CLASSIFY", {"provider_id": "openai"}, "Missing `model_id` in configuration for llm"),
    (SUPPORT, "CLASSIFY", {"provider_id": 1, "model_id": "m"}, "Invalid `provider_id` in configuration"),
    (SUPPORT, "LOOKUP", None, "Invalid or missing `data_sources` in configuration"),
    (SUPPORT, "LOOKUP", {"data_sources": {}}, "Invalid or missing `data_sources` in configuration"),
    (SUPPORT, "LOOKUP", {"data_sources": [{"id": "x"}]}, "Invalid or missing `data_sources`"),
    (SUPPORT, "LOOKUP", {"data_sources": [{"data_source_id": "x"}]}, "Data source `x` not found"),
    (TRACK, "NEWS", None, "Missing configuration for search block `NEWS`"),
    (TRACK, "NEWS", {"use_cache": False}, "Missing `provider_id` in configuration for search block"),
    (TRACK, "SCANS", None, "Invalid or missing `tables` in configuration"),
    (TRACK, "SCANS", {"tables": [{"table_id": "t"}]}, "Invalid or missing `tables` in configuration"),
    (TRACK, "REPLY", None, "Missing configuration for chat block `REPLY`"),
    (TRACK, "REPLY", {"model_id": "m"}, "Missing `provider_id` in configuration for chat block"),
]


@pytest.mark.parametrize(("app", "block", "config", "told"), CONFIG_ERRORS)
def test_a_block_without_its_config_errs(shared: Api, app: str, block: str, config: Any, told: str) -> None:
    """A block that needs config and does not get it is the last one of a run that erred."""
    whole = dict(dust_server.APPS[app].config)
    given = {name: own for name, own in {**whole, block: config}.items() if own is not None}
    run = shared.blocking(app, config=given)
    assert run["status"]["run"] == "errored"
    assert run["traces"][-1][0][1] == block
    assert told in run["traces"][-1][1][0][0]["error"]


@pytest.mark.parametrize("block", ["TRACK", "NOTICE"])
def test_curl_and_browser_run_without_config(shared: Api, block: str) -> None:
    """A curl and a browser block need no config."""
    config = {name: own for name, own in dust_server.APPS[TRACK].config.items() if name != block}
    assert shared.blocking(TRACK, config=config)["status"]["run"] == "succeeded"


def test_input_without_its_fields_errs_in_a_block(shared: Api) -> None:
    """An input that a block cannot read is an errored run, not an HTTP error."""
    run = shared.blocking(SUPPORT, inputs=[{"q": 1}])
    assert "INPUT.question" in run["traces"][-1][1][0][0]["error"]
