"""Each type of block returns values in the shape that it has at Dust."""

from __future__ import annotations

from dust_api import SCHEMA, TRACK, Api, each_app, hold, shared, trace_of

from example_suites import dust_server


@each_app
def test_values_have_the_shape_of_their_blocks(shared: Api, app: str) -> None:
    """The value of a block has the shape that the schema defines for its type."""
    shaped = {name.removeprefix("value_") for name in SCHEMA["$defs"] if name.startswith("value_")}
    for (kind, _), rows in shared.blocking(app)["traces"]:
        for one in (one for row in rows for one in row if one["value"] is not None and kind in shaped):
            hold(one["value"], f"value_{kind}")


def test_the_apps_have_every_shape() -> None:
    """Among the apps there is a block of each type whose values have a shape of their own."""
    kinds = {block.type for app in dust_server.APPS.values() for block in app.blocks}
    assert {f"value_{kind}" for kind in kinds} >= {name for name in SCHEMA["$defs"] if "value_" in name}


def test_some_values_are_new_in_every_run(shared: Api) -> None:
    """Times, cookies and ids of curl, search and chat blocks differ from run to run; the answer does not."""
    one, two = (shared.blocking(TRACK, inputs=[{"parcel": "PX-1"}]) for _ in range(2))
    pairs = zip(one["traces"], two["traces"], strict=True)
    assert {"TRACK", "NEWS", "REPLY"} <= {old[0][1] for old, new in pairs if old[1] != new[1]}
    assert one["results"] == two["results"]
    for run in (one, two):
        headers = trace_of(run, "curl", "TRACK")[0][0][0]["value"]["headers"]
        assert {"date", "set-cookie"} <= set(headers)
    calls = [trace_of(run, "chat", "REPLY")[0][0][0]["value"]["message"] for run in (one, two)]
    assert [[call["name"] for call in each["function_calls"]] for each in calls] == [["send_mail"]] * 2
    assert calls[0]["function_calls"][0]["id"] != calls[1]["function_calls"][0]["id"]
