"""An app whose blocks a test changes between its recording and its live run."""

from __future__ import annotations

from typing import Any

from answers import answer, ran

from conftest import SUPPORT, dust_server, suite

ON_CHANGE = "--dust-on-change=fail"
WIDE = "400"
"""Columns for the short summary, so that pytest cuts no headline."""


def document(*blocks: Any, status: str = "succeeded") -> dict[str, Any]:
    """Give an answer of the service: blocks as (type, name, a list of outputs per input)."""
    wire = [
        [[kind, name], [[executed(kind, one) for one in row] for row in rows]] for kind, name, *rows in blocks
    ]
    return answer(wire, status)


def executed(kind: str, one: Any) -> Any:
    """Give an execution with this output; a failed one is given as it is. A model used no tokens."""
    if isinstance(one, dict) and "error" in one:
        return one
    usage = {"prompt_tokens": 0, "completion_tokens": 0}
    return ran(one) | ({"meta": {"token_usage": usage}} if kind == "llm" else {})


class Stage:
    """A service whose runs a test writes, and a suite with one case for each of them."""

    def __init__(self, project: Any, server: Any) -> None:
        self.project = project.exporting(COLUMNS=WIDE)
        self.server = server
        self.answers: dict[str, Any] = {}

    def behaviour(self, request: Any) -> Any:
        """Answer a run with the document set for the asking case; answer anything else as Dust does."""
        if request.method != "POST":
            return None
        return dust_server.json_reply(self.answers[request.body["inputs"][0]["case"]])

    def play(self, pairs: dict[str, Any], *options: str, extra: str = "", mode: str = "live") -> Any:
        """Record the first of each pair, then ask again when the second has taken its place.

        A pair is (old, new), or (old, new, keys of the case).
        """
        self.server.behaviour = self.behaviour
        cases = "".join(
            f"  - id: {name}\n    {_inputs(name, pair[0])}\n    expect: {{status: {{type: string}}}}\n"
            + "".join(f"    {line}\n" for line in pair[2:])
            for name, pair in pairs.items()
        )
        text = suite(self.server, SUPPORT, f"cases:\n{cases}", extra)
        example = self.project.having({"s.dust.yaml": text}).using(self.server)
        self.answers = {name: pair[0] for name, pair in pairs.items()}
        recording = example.run("--dust-mode=record")
        assert set(recording.outcomes) == {"passed"}, recording.out
        self.answers = {name: pair[1] for name, pair in pairs.items()}
        return recording.example.run(f"--dust-mode={mode}", *options)


def _inputs(name: str, old: Any) -> str:
    rows = max((len(rows) for _, rows in old["run"]["traces"]), default=1)
    if rows < 2:
        return f"input: {{case: {name}}}"
    return "inputs: [" + ", ".join([f"{{case: {name}}}"] * rows) + "]"


def last(value: Any, *before: Any) -> dict[str, Any]:
    """Give a run whose last block gives this value."""
    return document(*before, ("code", "LAST", [value]))
