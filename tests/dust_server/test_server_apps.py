"""The example apps compute their answers, and their two versions differ in one block."""

from __future__ import annotations

from dust_api import INPUTS, SUMMARISE, SUPPORT, Api, each_steady_app, shared, values

from example_suites import dust_server


def test_support_answers(shared: Api) -> None:
    """The label decides the policy, and the policy the answer."""
    results = values(shared.blocking(SUPPORT)["results"])
    assert results[0][0]["label"] == "billing"
    assert "refund" in results[0][0]["answer"]
    assert results[1][0]["label"] == "other"


@each_steady_app
def test_edited_version_differs_first_in_one_block(shared: Api, app: str) -> None:
    """The two versions differ in one block's spec, and outputs differ from that block on."""
    pairs = zip(dust_server.APPS[app].version("v1"), dust_server.APPS[app].version("v2"), strict=True)
    changed = [old.name for old, new in pairs if old.spec != new.spec]
    long = [{"text": "One two three four five six seven."}]
    inputs = long if app == SUMMARISE else INPUTS[app][:1]
    old, new = (
        shared.blocking(app, inputs=inputs, specification_hash=shared.server.hash(app, version))
        for version in ("v1", "v2")
    )
    moved = [a[0][1] for a, b in zip(old["traces"], new["traces"], strict=False) if a[1] != b[1]]
    assert changed == [dust_server.APPS[app].edit.block]
    assert moved[0] == changed[0]


def test_edit_sends_refunds_to_shipping(shared: Api) -> None:
    """The edited support app takes a refund for shipping, and nothing else otherwise."""
    edited = shared.server.hash(SUPPORT, "v2")
    results = values(shared.blocking(SUPPORT, specification_hash=edited)["results"])
    assert [row[0]["label"] for row in results] == ["shipping", "other"]
