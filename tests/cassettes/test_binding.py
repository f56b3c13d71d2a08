"""Whether a cassette fits: what of a case's request is not as recorded."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from recordings import REQUEST, loaded, moved

from pytest_dust.cassettes import binding
from pytest_dust.cassettes.format import Cassette
from pytest_dust.model import MISSING, App

APP = REQUEST.app
MOVED = {
    "workspace": (
        replace(REQUEST, app=replace(APP, workspace="w2")),
        ("app", "workspace"),
        "w_example",
        "w2",
    ),
    "space": (replace(REQUEST, app=replace(APP, space="v2")), ("app", "space"), "vlt_example", "v2"),
    "id": (replace(REQUEST, app=replace(APP, id="other")), ("app", "id"), "9f1d3b5a7c", "other"),
    "hash": (replace(REQUEST, specification_hash="latest"), ("specification_hash",), "8c0a4e6d", "latest"),
    "config": (
        replace(REQUEST, config={"CLASSIFY": {"model_id": "o3", "temperature": 1}}),
        ("config", "CLASSIFY", "model_id"),
        "gpt-4o",
        "o3",
    ),
    "config less": (
        replace(REQUEST, config={"CLASSIFY": {"model_id": "gpt-4o"}}),
        ("config", "CLASSIFY", "temperature"),
        1,
        MISSING,
    ),
    "config more": (
        replace(REQUEST, config={**REQUEST.config, "ANSWER": {}}),
        ("config", "ANSWER"),
        MISSING,
        {},
    ),
    "config of another type": (
        replace(REQUEST, config={"CLASSIFY": {"model_id": "gpt-4o", "temperature": True}}),
        ("config", "CLASSIFY", "temperature"),
        1,
        True,
    ),
    "input": (
        replace(REQUEST, inputs=[REQUEST.inputs[0], {"question": "Hello"}]),
        ("inputs", 1, "question"),
        "Hi",
        "Hello",
    ),
    "input more": (
        replace(REQUEST, inputs=[*REQUEST.inputs, {"question": "Yes"}]),
        ("inputs", 2),
        MISSING,
        {"question": "Yes"},
    ),
    "filter": (replace(REQUEST, block_filter=("CLASSIFY",)), ("block_filter",), None, ["CLASSIFY"]),
    "empty filter": (replace(REQUEST, block_filter=()), ("block_filter",), None, []),
}


@pytest.mark.parametrize(("request_", "path", "old", "new"), MOVED.values(), ids=MOVED)
def test_each_field_that_moved_is_named(request_, path, old, new):
    """A field of the request that is not as recorded is named with what it was and what it is."""
    (change,) = moved(loaded(), request_)
    assert (change.path, change.old, change.new) == (path, old, new)
    assert type(change.new) is type(new)


def test_all_fields_that_moved_are_named():
    """Of a request that moved in several places, every place is named."""
    now = replace(REQUEST, specification_hash="latest", config={}, block_filter=("A",))
    paths = [change.path for change in moved(loaded(), now)]
    assert paths == [("block_filter",), ("config", "CLASSIFY"), ("specification_hash",)]


@pytest.mark.parametrize(
    "request_",
    [
        REQUEST,
        replace(REQUEST, app=replace(APP, workspace=None)),
        replace(REQUEST, app=replace(APP, space=None)),
        replace(REQUEST, app=App(None, None, APP.id)),
        replace(REQUEST, config={"CLASSIFY": {"temperature": 1.0, "model_id": "gpt-4o"}}),
    ],
)
def test_the_same_request_fits(request_):
    """A workspace or space named nowhere, the order of keys and the way to write a number move nothing."""
    assert moved(loaded(), request_) == ()


def test_an_unnamed_workspace_hides_no_other_move():
    """Where the workspace is named nowhere, another app is still another app."""
    now = replace(REQUEST, app=App(None, None, "other"))
    assert [change.path for change in moved(loaded(), now)] == [("app", "id")]


@pytest.mark.parametrize("app", [None, "9f1d3b5a7c", ["w"], {}], ids=str)
def test_an_app_of_another_form_moved(app):
    """A cassette whose app is missing, or no mapping with its parts, does not fit."""
    found = Cassette("", {**binding.bound(REQUEST), "app": app}, loaded().replies)
    (change, *_) = moved(found, replace(REQUEST, app=App("w", "v", "a")))
    assert change.path[0] == "app"


@pytest.mark.parametrize("runs", [None, 5])
def test_repetitions_are_bound_only_where_there_are_some(runs):
    """A part that older cassettes do not have is bound only if it is not at its default."""
    bound = binding.bound(REQUEST, runs)
    assert bound.get("repeat") == runs
    assert ("repeat" in bound) == (runs is not None)


@pytest.mark.parametrize(
    ("then", "now", "fits"), [(None, None, True), (5, 5, True), (None, 5, False), (5, None, False)]
)
def test_a_cassette_with_other_repetitions_does_not_fit(then, now, fits):
    """A repeated case needs a cassette of as many runs; a plain case one without repetitions."""
    found = Cassette("", binding.bound(REQUEST, then), loaded().replies)
    assert (binding.moved(found, binding.bound(REQUEST, now)) == ()) == fits
