"""Answers of the service as tests build them, and the runs that are read from them."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from conftest import dust_server
from pytest_dust.dust import wire as api
from pytest_dust.dust.run_view import view
from pytest_dust.model import (
    Event,
    Exchange,
    Flavor,
    Reply,
    Run,
    Trace,
)

SKIPPED = {"value": None, "error": None, "meta": None}
INPUTS = {
    "support-answer": [{"question": "Where is my refund?"}, {"question": "Good day!"}],
    "summarise": [{"text": "The cat sat. The old dog slept."}, {"text": "Rain."}],
    "halve-until-small": [{"number": number, "limit": 10} for number in (100, 3, 40, 9000)],
    "quote-order": [{"order": "3 apples"}, {"order": "a few apples"}],
}
bounded = settings(
    max_examples=35,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def answer(traces: Any, status: Any = "succeeded", blocks: Any = (), **more: Any) -> dict[str, Any]:
    """Give an answer of the service that holds these traces and the statuses of these blocks."""
    run = {
        "run_id": "r1",
        "specification_hash": "h1",
        "status": {"run": status, "blocks": list(blocks)},
        "traces": traces,
        "results": None,
        **more,
    }
    return {"run": run}


def parsed(traces: Any, status: str = "succeeded", blocks: Any = ()) -> tuple[Trace, ...]:
    """Give the normal form of some traces."""
    return api.parse(answer(traces, status, blocks), 0.0).traces


def ran(value: Any) -> dict[str, Any]:
    """Give an execution as the service writes it."""
    return {"value": value, "error": None, "meta": {"logs": []}}


def block(name, kind="llm", config=None, indent=0, **spec):
    """A block as it is saved."""
    return {"type": kind, "name": name, "spec": spec, "config": config or {}, "indent": indent}


def server_steps(name: str, inputs: list[Any], version: str = "v1") -> list[Any]:
    """Run one of the server's apps."""
    app = next(app for app in dust_server.APPS.values() if app.name == name)
    return list(dust_server.Machine(app.version(version), inputs, dict(app.config), ()).steps())


def stored(rows: list[Any]) -> list[Any]:
    """Give executions without the inputs after the last one that has any."""
    return stored(rows[:-1]) if rows and not rows[-1] else rows


@dataclass
class Wire:
    """A run of an invented app, in both shapes that the service writes; any block may fail."""

    draw: Any
    count: int
    fails_after: int | None
    split: list[Any] = field(default_factory=list)
    whole: list[Any] = field(default_factory=list)
    """One trace per block, with every input and iteration."""
    failed: bool = False

    @property
    def merged(self) -> list[Any]:
        """Give the traces of a polled run: without blocks that have no executions."""
        return [[key, stored(rows)] for key, rows in self.whole if any(rows)]

    @property
    def blocks(self) -> list[Any]:
        """Give the statuses of the blocks that started."""
        return [
            {"block_type": kind, "name": name, "status": "succeeded"}
            for kind, name in dict.fromkeys((kind, name) for (kind, name), _ in self.split)
        ]

    def rows(self, lengths: list[int]) -> list[list[Any]]:
        """Give one block's executions, as many per input as asked."""
        rows = [[self.draw(executions) for _ in range(length)] for length in lengths]
        places = [(at, inner) for at, row in enumerate(rows) for inner in range(len(row))]
        if self.fails_after is not None:
            self.fails_after -= 1
            if self.fails_after < 0 and places:
                at, inner = self.draw(st.sampled_from(places))
                rows[at][inner] = self.draw(failures)
                self.failed = True
        return rows

    def block(self, kind: str, name: str, lengths: list[int] | None = None) -> None:
        """Run a block outside of whiles."""
        if not self.failed:
            self.tell(kind, name, self.rows([1] * self.count if lengths is None else lengths))

    def tell(self, kind: str, name: str, rows: list[list[Any]]) -> None:
        """Add a trace that is the same in both shapes."""
        self.split.append([[kind, name], rows])
        self.whole.append([[kind, name], rows])

    def mapping(self, name: str, body: list[str], lengths: list[int]) -> None:
        """Run a map with the blocks inside."""
        self.block("map", name)
        for inner in body:
            self.block("llm", inner, lengths)
        self.block("reduce", name)

    def looping(self, name: str, body: list[str], rounds: list[int]) -> None:
        """Run a while with so many iterations for each input; each has executions until the last stops."""
        blocks = [("while", name), *(("code", inner) for inner in body), ("end", name)]
        sums: dict[tuple[str, str], list[list[Any]]] = {}
        for iteration in range(max(rounds) + 1):
            for kind, block in blocks:
                if self.failed:
                    break
                rows = self.iteration(kind, iteration, rounds)
                for total, row in zip(sums.setdefault((kind, block), [[] for _ in rows]), rows, strict=True):
                    total.extend(row)
                self.split.append([[kind, block], [row or [SKIPPED] for row in rows]])
        self.whole += [[list(key), rows] for key, rows in sums.items()]

    def iteration(self, kind: str, iteration: int, rounds: list[int]) -> list[list[Any]]:
        """Give a block's executions in one iteration; of a while, whether it goes on."""
        takes_part = [done >= iteration if kind == "while" else done > iteration for done in rounds]
        rows = self.rows([int(part) for part in takes_part])
        if kind != "while":
            return rows
        pairs = zip(rows, rounds, strict=True)
        return [[one if one["error"] else ran(done > iteration) for one in row] for row, done in pairs]


executions = st.one_of(
    st.builds(ran, st.none() | st.booleans() | st.integers() | st.text(max_size=3)),
    st.just(SKIPPED),  # what a block gives whose output is null and which says nothing else
    st.builds(
        lambda tokens: {"value": {}, "error": None, "meta": {"token_usage": {"prompt_tokens": tokens}}},
        st.integers(0, 9),
    ),
)
failures = st.text(min_size=1, max_size=3).map(lambda text: {"value": None, "error": text, "meta": None})


@st.composite
def runs(draw: Any) -> Wire:
    """A run of an invented app: blocks before and after the input, maps and whiles."""
    wire = Wire(draw, draw(st.integers(1, 4)), draw(st.none() | st.integers(0, 25)))
    rounds = st.lists(st.integers(0, 3), min_size=wire.count, max_size=wire.count)
    for at in range(draw(st.integers(0, 2))):
        wire.block("data", f"BEFORE{at}", [1])
    wire.tell("input", "INPUT", [[ran({"at": at})] for at in range(wire.count)])
    for at, kind in enumerate(draw(st.lists(st.sampled_from(["novel", "map", "while"]), max_size=4))):
        body = [f"BODY{at}_{inner}" for inner in range(draw(st.integers(1, 2)))]
        match kind:
            case "map":
                wire.mapping(f"EACH{at}", body, draw(rounds))
            case "while":
                wire.looping(f"UNTIL{at}", body, draw(rounds))
            case _:
                wire.block(kind, f"PLAIN{at}")
    return wire


WHILED = [
    [["while", "W"], [[ran(True)]]],
    [["code", "IN"], [[ran(1)]]],
    [["end", "W"], [[ran(None)]]],
    [["while", "W"], [[ran(False)]]],
    [["code", "IN"], [[SKIPPED]]],
    [["end", "W"], [[SKIPPED]]],
    [["code", "OUT"], [[ran(1)]]],
]


def rounds(*continues: Any) -> list[Any]:
    """Give the traces of a while with these answers, None for an error, and of a block inside that counts."""
    traces: list[Any] = [[["code", "BEFORE"], [[ran(0)]]]]
    for at, goes_on in enumerate(continues):
        failed = {"value": None, "error": "no", "meta": None}
        traces += [
            [["while", "W"], [[failed if goes_on is None else ran(goes_on)]]],
            [["code", "IN"], [[ran(at) if goes_on else SKIPPED]]],
            [["end", "W"], [[ran(None) if goes_on else SKIPPED]]],
        ]
    return [*traces, WHILED[-1]]


def exchange(*, body: Any = None, events: Any = None) -> Exchange:
    """Give an exchange whose reply holds this."""
    told = None if events is None else tuple(Event(at / 10, data) for at, data in enumerate(events))
    return Exchange("POST", "/", 200, {}, body, told)


def end(status: str = "succeeded", run_id: str = "r1") -> dict[str, Any]:
    """Give the event with the end of a run."""
    return {"type": "run_status", "content": {"status": status, "run_id": run_id}}


def told(flavor: Flavor, *exchanges: Exchange) -> Reply:
    """Give a reply of some exchanges."""
    return Reply(flavor, exchanges, 1.5)


def untimed(run: Run, *, plural: bool) -> dict[str, Any]:
    """Give the view of a run without the durations of blocks, which only a stream has."""
    document = view(run, plural=plural)
    for block in document["blocks"].values():
        block.pop("duration", None)
    return document


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["while", "end", "map", "input", "succeeded", "errored", "running"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["value", "error", "meta", "token_usage", "run", "name"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


def real_answers() -> list[Any]:
    """Give real answers of every app in both shapes."""
    found = []
    for name, inputs in INPUTS.items():
        steps = server_steps(name, inputs)
        for form in (dust_server.by_iteration, dust_server.merged):
            document = answer(form(steps))
            document["run"]["status"]["blocks"] = dust_server.block_statuses(steps)
            document["run"]["results"] = dust_server.last_executions("succeeded", form(steps))
            found.append(document)
    return found


ANSWERS = real_answers()


def spoil(value: Any, garbage: Any, dice: random.Random) -> Any:
    """Put garbage at a random place of a value, or take away what is there."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = dice.choice(keys)
    if isinstance(value[key], dict | list) and value[key] and dice.random() < 0.85:
        spoil(value[key], garbage, dice)
    elif garbage == "remove":
        del value[key]
    else:
        value[key] = garbage
    return value


@st.composite
def spoilt_answers(draw: Any) -> Any:
    """A real answer with garbage in one to three places."""
    document = copy.deepcopy(draw(st.sampled_from(ANSWERS)))
    dice = random.Random(draw(st.integers(0, 2**32)))
    for _ in range(draw(st.integers(1, 3))):
        if document:
            spoil(document, copy.deepcopy(draw(json_values | st.just("remove"))), dice)
    return document
