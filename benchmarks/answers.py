"""What the Dust of the benchmarks answers: a run in the wire's blocking shape, of any size.

The same question has the same answer everywhere: in the cassettes that are written beforehand, and from
the server on loopback. It runs inside the contenders' environments too, so it needs Python alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

APP = "benchmark01"
WORKSPACE = "w_bench"
SPACE = "vlt_bench"
HASH = "ab" * 32
PATH = f"/api/v1/w/{WORKSPACE}/spaces/{SPACE}/apps/{APP}/runs"
LABELS = ("billing", "shipping", "account", "returns", "orders", "press", "other")
PROSE = (
    "the refund parcel invoice a of to within naïve label working days we your café order arrives page "
    "account password sign-in colleague policy question answer soon and then whether warehouse Monday"
)
WORDS = PROSE.split()
FRAME = 800
"""Bytes of an answer around its value, about."""
TEXT = 500
"""Bytes of one document's text, at most."""


def question(number: int) -> str:
    """The question of a case."""
    return f"Question {number}: where is my order?"


def label(number: int) -> str:
    """What the app makes of a case's question."""
    return LABELS[number % len(LABELS)]


def documents(number: int, size: int) -> list[dict[str, Any]]:
    """Documents of about `size` bytes as JSON, others for every number."""
    random = Random(number)  # noqa: S311  # the same every time is the point
    found: list[dict[str, Any]] = []
    while size > 0:
        text = " ".join(random.choices(WORDS, k=90))[: max(20, min(TEXT, size - 60))]
        found.append({"id": f"doc-{number}-{len(found)}", "score": round(random.random(), 6), "text": text})
        size -= len(text) + 60
    return found


def few_changed(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The documents without the first, one text and one score changed, and one added."""
    changed = [dict(each) for each in documents[1:]]
    changed[0]["text"] = "quite another text"
    changed[len(changed) // 2]["score"] = 2.0
    return [*changed, {"id": "new", "score": 0.5, "text": "a document that was not there"}]


def many_changed(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The documents with the text and the score of every one changed."""
    return [{**each, "score": each["score"] + 1, "text": f"now {each['text']}"} for each in documents]


Documents = list[dict[str, Any]]
CHANGES: dict[str, Callable[[Documents], Documents]] = {"": list, "few": few_changed, "many": many_changed}


def body(asked: str, size: int, change: str = "") -> dict[str, Any]:
    """The answer to a question, of about `size` bytes; half of it is the trace of what the other half is."""
    found = re.search(r"\d+", asked)
    number = int(found[0]) if found else 0
    value = {"label": label(number), "documents": CHANGES[change](documents(number, (size - FRAME) // 2))}
    executions: list[Any] = [[{"value": value, "error": None, "meta": {"logs": []}}]]
    given = [[{"value": {"question": asked}, "error": None, "meta": None}]]
    run = {
        "run_id": f"{number:064x}",
        "created": 1790000000000,
        "run_type": "deploy",
        "app_id": APP,
        "config": {"blocks": {}},
        "specification_hash": HASH,
        "status": {"run": "succeeded", "blocks": [_status("input", "INPUT"), _status("code", "ANSWER")]},
        "traces": [[["input", "INPUT"], given], [["code", "ANSWER"], executions]],
        "results": executions,
    }
    return {"run": run}


def encoded(asked: str, size: int, change: str = "") -> bytes:
    """The answer as it goes over the wire."""
    return json.dumps(body(asked, size, change)).encode()


def _status(kind: str, name: str) -> dict[str, Any]:
    counts = {"success_count": 1, "error_count": 0}
    return {"block_type": kind, "name": name, "status": "succeeded", **counts}
