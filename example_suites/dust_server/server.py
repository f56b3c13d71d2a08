"""A Dust of one's own: an HTTP server on loopback that speaks the wire of the Dust Apps API.

It serves five small apps whose blocks really compute their outputs, in two versions each, so that
suites can be run, recorded and gated without an account.  Every block answers in the shape that its
type has at Dust::

    python example_suites/dust_server/server.py --port 8808

The file walks once through what Dust does: blocks and their functions (`APPS`), the engine that
runs them (`Machine`), the forms a run takes on the wire (`by_iteration`, `merged`, `run_events`),
and the server (`DustServer`).  To test a client against a service or a network that fails, let the
server misbehave: `server.misbehave(Faults.status(429), times=2)`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import secrets
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self
from urllib.parse import unquote, urlsplit

Json = dict[str, Any]
Executions = list[list[Json]]

MAX_BODY = 4 * 1024 * 1024
KEEP_ALIVE_SECONDS = 0.5

# ---- Blocks, and the environment they see ----


class BlockError(ValueError):
    """A block that fails: its text becomes the `error` of the execution."""


class EngineCrashError(Exception):
    """The engine itself fails: the run ends there, and its status stays `running`."""


class EngineRefusalError(Exception):
    """A run that the engine refuses before it has an id; `code` is told in a stream alone."""

    def __init__(self, code: str, message: str) -> None:
        """Take the code and the message of a stream's `error` event."""
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class Env:
    """What one execution of a block sees: the input, earlier outputs, its place in a loop."""

    config: Json
    state: Json = field(default_factory=dict)
    input: Any = None
    index: int = 0
    map: Json | None = None
    noise: Callable[[], float] = lambda: 0.0  # what a search adds to each score

    def knowing(self, **state: Any) -> Env:
        """Return this environment with more outputs in its state."""
        return replace(self, state={**self.state, **state})


@dataclass(frozen=True)
class Block:
    """One block; `act` gives its value, from the environment and the spec."""

    type: str
    name: str
    spec: Mapping[str, Any]
    act: Callable[[Env, Any], Any] = lambda _env, _given: None
    indent: int = 0

    def saved(self, config: Mapping[str, Any]) -> Json:
        """Return the block as it stands in `savedSpecification`, with its own part of the app's config."""
        return {
            "type": self.type,
            "name": self.name,
            "spec": dict(self.spec),
            "config": dict(config.get(self.name, {})),
            "indent": self.indent,
        }


def specification_hash(blocks: Iterable[Block]) -> str:
    """Return the 64-hex hash of a specification, chained block by block."""
    digest = ""
    for block in blocks:
        spec = json.dumps(dict(block.spec), sort_keys=True)
        link = f"{digest}\0{block.name}\0{block.type}\0{spec}"
        digest = hashlib.sha256(link.encode()).hexdigest()
    return digest


def render(template: str, env: Env) -> str:
    """Fill `{{BLOCK.key}}` places from the state."""
    return re.sub(r"\{\{(.+?)\}\}", lambda place: _look_up(place[1], env), template)


def _look_up(path: str, env: Env) -> str:
    value: Any = env.state
    for key in path.split("."):
        try:
            value = value[int(key) if isinstance(value, list) else key]
        except (LookupError, TypeError, ValueError):
            message = f"`{path}` not found in the environment"
            raise BlockError(message) from None
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return " ".join(text.split())  # one line, so that an input cannot pose as part of the prompt


# ---- The model behind the llm blocks: deterministic, and it really reads the prompt ----


def complete(prompt: str, *, drifted: bool) -> str:
    """Return the model's text; a drifted model is a newer one that answers otherwise."""
    return SKILLS[prompt.split(maxsplit=1)[0]](prompt, drifted)


def _after(label: str, prompt: str) -> str:
    return prompt.partition(f"\n{label}: ")[2].partition("\n")[0]


def _classify(prompt: str, drifted: bool) -> str:  # noqa: FBT001
    guide = prompt.partition("\nQuestion: ")[0]
    rules = dict(re.findall(r"^(\w+): ([a-z, ]+)$", guide, re.MULTILINE))
    cues = {label: words.split(", ") for label, words in rules.items()}
    if drifted:
        cues = {label: [word for word in words if word != "refund"] for label, words in cues.items()}
        cues["shipping"].append("refund")
    asked = re.findall(r"[a-z]+", _after("Question", prompt).lower())
    hits = {label: sum(word.startswith(tuple(cues[label])) for word in asked) for label in cues}
    best = max(hits, key=lambda label: hits[label])
    return best if hits[best] else "other"


def _summarise(prompt: str, drifted: bool) -> str:  # noqa: FBT001
    stop = _after("Leave out", prompt).split(", ")
    limit = int(re.findall(r"(\d+) words", prompt)[0])
    words = [word for word in _after("Sentence", prompt).split() if word.lower() not in stop]
    text = " ".join(words[:limit])
    return text.lower() if drifted else text


def _quote(prompt: str, drifted: bool) -> str:  # noqa: FBT001
    order, total = _after("Order", prompt), float(_after("Total", prompt))
    return f"{order}: that makes {total:.2f} EUR" if drifted else f"{order} come to {total:.2f} EUR"


def _inform(prompt: str, drifted: bool) -> str:  # noqa: FBT001
    parcel, place, days = (_after(label, prompt) for label in ("Parcel", "Place", "Days"))
    when = "tomorrow" if days == "1" else f"in {days} days"
    text = (
        f"{parcel} is in {place}, {when} with you"
        if drifted
        else f"{parcel} is in {place} and arrives {when}"
    )
    function = re.findall(r"by (\w+)", prompt)
    return "\n".join([f"{text}.", *(f"{name}({json.dumps({'parcel': parcel})})" for name in function)])


SKILLS: dict[str, Callable[[str, bool], str]] = {
    "Classify": _classify,
    "Summarise": _summarise,
    "Quote": _quote,
    "Inform": _inform,
}
DRIFTING = frozenset({"CLASSIFY", "SUMMARY", "QUOTE", "REPLY"})  # the blocks a new model changes


# ---- What the blocks that call a model or another service give, as Dust shapes it ----


def llm_text(text: str) -> Json:
    """Return a text as an llm block gives it."""
    return {"text": text, "tokens": None, "logprobs": None, "top_logprobs": None}


def llm_value(prompt: str, text: str) -> Json:
    """Return the value of an llm block; the prompt is a part of it."""
    return {"prompt": llm_text(prompt), "completion": llm_text(text)}


def chat_value(text: str) -> Json:
    """Return the value of a chat block; a line `name(arguments)` of the text is a function call."""
    lines = [re.fullmatch(r"(\w+)\((.*)\)", line) or line for line in text.split("\n")]
    content = "\n".join(line for line in lines if isinstance(line, str))
    calls = [_function_call(line[1], line[2]) for line in lines if not isinstance(line, str)]
    contents: list[Json] = [{"type": "text_content", "value": content}]
    contents += [{"type": "function_call", "value": call} for call in calls]
    said: Json = {"role": "assistant", "content": content, "contents": contents}
    if calls:
        said["function_call"] = {name: calls[0][name] for name in ("name", "arguments")}
        said["function_calls"] = calls
    return {"message": said}


def _function_call(name: str, arguments: str) -> Json:
    return {"id": f"call_{secrets.token_hex(12)}", "name": name, "arguments": arguments}


def curl_value(body: Any) -> Json:
    """Return the value of a curl block, its time, date, cookie and request id new in every run."""
    headers = {
        "content-type": "application/json; charset=utf-8",
        "date": formatdate(usegmt=True),
        "set-cookie": f"session={secrets.token_hex(16)}; Path=/; Secure; HttpOnly",
        "x-request-id": secrets.token_hex(8),
    }
    return {"created": _now(), "status": 200, "headers": headers, "body": body}


def search_value(query: str, results: Sequence[Mapping[str, str]]) -> Json:
    """Return the value of a search block, its ids and times new in every run."""
    id_, at, took = secrets.token_hex(12), formatdate(usegmt=True), round(random.uniform(0.2, 2), 2)  # noqa: S311
    return {
        "search_metadata": {
            "id": id_,
            "status": "Success",
            "json_endpoint": f"https://search.example/searches/{id_}.json",
            "created_at": at,
            "processed_at": at,
            "total_time_taken": took,
        },
        "search_parameters": {"engine": "google", "q": query},
        "search_information": {"query_displayed": query, "time_taken_displayed": round(took / 4, 2)},
        "organic_results": [{"position": at, **result} for at, result in enumerate(results, start=1)],
    }


def browser_value(url: str, selector: str, text: str) -> Json:
    """Return the value of a browser block."""
    results = [{"html": f"<p>{text}</p>", "text": text}]
    return {
        "data": [{"selector": selector, "results": results}],
        "response": {"code": 200, "status": 200, "url": url},
    }


def database_value(query: str, rows: Sequence[Mapping[str, Any]]) -> Json:
    """Return the value of a database block."""
    columns = [
        {"name": name, "value_type": "int" if isinstance(value, int) else "text", "possible_values": None}
        for name, value in (rows[0] if rows else {}).items()
    ]
    return {"results": list(rows), "schema": columns, "query": query}


WRITTEN = 1767225600000  # when the documents of the data sources were written, in milliseconds


def found_document(data_source: str, name: str, text: str, score: float) -> Json:
    """Return a document as a data_source block gives it, with the one chunk that was found."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    chunk = {"text": text, "hash": digest, "offset": 0, "vector": None, "score": score}
    return {
        "data_source_id": data_source,
        "created": WRITTEN,
        "document_id": name,
        "timestamp": WRITTEN,
        "title": name.capitalize(),
        "tags": [f"title:{name}"],
        "parents": [name],
        "source_url": None,
        "hash": digest,
        "text_size": len(text),
        "chunk_count": 1,
        "chunks": [chunk],
        "text": None,
        "token_count": len(text.split()),
    }


def _now() -> int:
    return int(time.time() * 1000)


# ---- The config without which a block does not run ----

MODEL_CONFIG: Json = {"provider_id": "openai", "model_id": "gpt-4o-mini", "use_cache": False}
EXPECTED = {
    "llm": '{ "provider_id": ..., "model_id": ... }',
    "chat": '{ "provider_id": ..., "model_id": ... }',
    "search": '{ "provider_id": ... }',
    "data_source": '{ "data_sources": [ { ["workspace_id": ...,] "data_source_id": ... }, ... ] }',
    "database": '{ "tables": [ { "workspace_id": ..., "data_source_id": ..., "table_id": ... }, ... ] }',
}
LISTED = {  # the config of these blocks is a list, whose elements need these keys
    "data_source": ("data_sources", ("data_source_id",)),
    "database": ("tables", ("workspace_id", "data_source_id", "table_id")),
}


def check_config(kind: str, name: str, config: Json | None) -> None:
    """Raise BlockError if a block of this type cannot run with its part of the run's config."""
    if kind in LISTED:
        _check_list(kind, name, (config or {}).get(LISTED[kind][0]))
    elif kind in EXPECTED:
        _check_ids(kind, name, config)


def _check_list(kind: str, name: str, given: Any) -> None:
    key, needed = LISTED[kind]
    whole = isinstance(given, list) and all(
        isinstance(one, dict) and all(isinstance(one.get(each), str) for each in needed) for one in given
    )
    if not whole:
        raise BlockError(
            f"Invalid or missing `{key}` in configuration for `{kind}` block `{name}`, "
            f"expecting `{EXPECTED[kind]}`"
        )


def _check_ids(kind: str, name: str, config: Json | None) -> None:
    if config is None:
        raise BlockError(f"Missing configuration for {kind} block `{name}`, expecting `{EXPECTED[kind]}`")
    for key in re.findall(r'"(\w+)"', EXPECTED[kind]):
        if key not in config:
            raise BlockError(f"Missing `{key}` in configuration for {kind} block `{name}`")
        if not isinstance(config[key], str):
            raise BlockError(f"Invalid `{key}` in configuration for {kind} block `{name}`: string expected")


# ---- The apps ----


@dataclass(frozen=True)
class App:
    """A saved app: its two versions, and the input of its saved run."""

    id: str
    name: str
    description: str
    blocks: tuple[Block, ...]
    edit: tuple[str, str, str, str]  # block, key of its spec, text, the text that replaces it
    example: Json
    config: Mapping[str, Json] = field(default_factory=dict)  # what its *Use with API* page shows

    def version(self, name: str) -> tuple[Block, ...]:
        """Return the blocks of `v1` (as first saved) or `v2` (edited in one block)."""
        return {"v1": self.blocks, "v2": self._edited()}[name]

    def _edited(self) -> tuple[Block, ...]:
        edited, key, old, new = self.edit

        def change(block: Block) -> Block:
            return replace(block, spec={**block.spec, key: block.spec[key].replace(old, new)})

        return tuple(change(block) if block.name == edited else block for block in self.blocks)


# support-answer

POLICIES = {
    "billing": "A refund takes up to 5 working days, and invoices are on the billing page.",
    "shipping": "A parcel arrives within 3 working days, and its label shows where it is.",
    "account": "You can set a new password on the sign-in page.",
    "other": "A colleague will write back within one working day.",
}


def _lookup(env: Env, spec: Json) -> list[Json]:
    config = env.config["LOOKUP"]
    label = render(spec["query"], env)
    named = [source["data_source_id"] for source in config["data_sources"]]
    for unknown in set(named) - {"policies"}:
        raise BlockError(f"Data source `{unknown}` not found")
    ranked = [label, *(other for other in POLICIES if other != label)]
    scores = [round(0.9 - 0.2 * at + env.noise(), 6) for at in range(len(ranked))]
    documents = [
        found_document("policies", name, POLICIES[name], score)
        for name, score in zip(ranked, scores, strict=True)
    ]
    return documents[: config.get("top_k", 10)] if named else []


def _labelled_answer(env: Env, spec: Json) -> Json:
    opening = re.findall(r"'(.+?)'", spec["code"])[0]
    text = env.state["LOOKUP"][0]["chunks"][0]["text"]
    return {"label": env.state["CLASSIFY"]["completion"]["text"], "answer": opening + text}


CLASSIFY_PROMPT = """\
Classify the question. Go by these words:
billing: refund, invoice, charge, pay
shipping: parcel, deliver, ship, track
account: password, login, email, account
Question: {{INPUT.question}}"""

ANSWER_CODE = """\
_fun = (env) => {
  const label = env.state.CLASSIFY.completion.text;
  const policy = env.state.LOOKUP[0].chunks[0].text;
  return {label, answer: 'Here is how it works: ' + policy};
}"""

SUPPORT = App(
    id="9f1d3b5a7c",
    name="support-answer",
    description="Answers a customer's question from the policy it falls under",
    blocks=(
        Block("input", "INPUT", {}),
        Block("llm", "CLASSIFY", {"prompt": CLASSIFY_PROMPT}),
        Block("data_source", "LOOKUP", {"query": "{{CLASSIFY.completion.text}}"}, _lookup),
        Block("code", "ANSWER", {"code": ANSWER_CODE}, _labelled_answer),
    ),
    edit=(
        "CLASSIFY",
        "prompt",
        "billing: refund, invoice, charge, pay\nshipping: ",
        "billing: invoice, charge, pay\nshipping: refund, ",
    ),
    example={"question": "Where is my refund?"},
    config={
        "CLASSIFY": MODEL_CONFIG,
        "LOOKUP": {"data_sources": [{"data_source_id": "policies"}], "top_k": 1, "use_cache": False},
    },
)

# summarise


def _sentences(env: Env, _spec: Json) -> list[str]:
    parts = re.split(r"[.!?]+", env.state["INPUT"]["text"])
    return [" ".join(part.split()) for part in parts if part.strip()]


def _join(env: Env, _spec: Json) -> Json:
    texts = [summary["completion"]["text"] for summary in env.state["SUMMARY"]]
    return {"summary": "; ".join(texts), "sentences": len(texts)}


SUMMARISE = App(
    id="51aa0c7e2d",
    name="summarise",
    description="Shortens a text sentence by sentence",
    blocks=(
        Block("data", "STOPWORDS", {"data": ["a", "an", "the", "of", "to", "very", "really"]}),
        Block("input", "INPUT", {}),
        Block("code", "SENTENCES", {"code": "_fun = (env) => split(env.state.INPUT.text)"}, _sentences),
        Block("map", "EACH", {"from": "SENTENCES"}),
        Block(
            "llm",
            "SUMMARY",
            {
                "prompt": "Summarise the sentence in at most 4 words.\n"
                "Leave out: {{STOPWORDS}}\n"
                "Sentence: {{EACH}}"
            },
            indent=1,
        ),
        Block("reduce", "EACH", {}),
        Block("code", "JOIN", {"code": "_fun = (env) => join(env.state.SUMMARY)"}, _join),
    ),
    edit=("SUMMARY", "prompt", "4 words", "6 words"),
    example={"text": "The parcel left the warehouse on Monday. It arrives on Friday."},
    config={"SUMMARY": MODEL_CONFIG},
)

# halve-until-small


def _number(env: Env) -> int:
    halved: list[int] = env.state.get("HALVE") or [env.state["INPUT"]["number"]]
    return halved[-1]


def _too_large(env: Env, _spec: Json) -> bool:
    return bool(_number(env) > env.state["INPUT"]["limit"])


def _halve(env: Env, spec: Json) -> int:
    return _number(env) // int(re.findall(r"/ (\d+)", spec["code"])[0])


def _report(env: Env, _spec: Json) -> Json:
    return {"steps": len(env.state["HALVE"]), "number": _number(env)}


HALVE = App(
    id="c0de0042aa",
    name="halve-until-small",
    description="Halves a number until it is within a limit",
    blocks=(
        Block("input", "INPUT", {}),
        Block(
            "while",
            "UNTIL",
            {"condition_code": "_fun = (env) => number(env) > limit(env)", "max_iterations": 8},
            _too_large,
        ),
        Block(
            "code",
            "HALVE",
            {"code": "_fun = (env) => Math.floor(number(env) / 2)"},
            _halve,
            indent=1,
        ),
        Block("end", "UNTIL", {}),
        Block("code", "REPORT", {"code": "_fun = (env) => report(env.state.HALVE)"}, _report),
    ),
    edit=("HALVE", "code", "/ 2", "/ 3"),
    example={"number": 100, "limit": 10},
)

# quote-order


def _parse(env: Env, _spec: Json) -> Json:
    order = env.state["INPUT"]["order"]
    found = re.search(r"(\d+) +([a-z]+)", order.lower())
    if not found:
        message = f'invalid order: no quantity in "{order}"'
        raise BlockError(message)
    return {"item": found[2].removesuffix("s"), "quantity": int(found[1])}


def _price(env: Env, spec: Json) -> Json:
    wanted = env.state["PARSE"]
    prices = {item: float(price) for item, price in re.findall(r"(\w+): ([\d.]+)", spec["code"])}
    if wanted["item"] not in prices:
        message = f'no price for "{wanted["item"]}"'
        raise BlockError(message)
    unit = prices[wanted["item"]]
    return {"unit_price": unit, "total": round(unit * wanted["quantity"], 2)}


QUOTE = App(
    id="7bad5eed01",
    name="quote-order",
    description="Quotes a price for an order in words",
    blocks=(
        Block("input", "INPUT", {}),
        Block("code", "PARSE", {"code": "_fun = (env) => parse(env.state.INPUT.order)"}, _parse),
        Block(
            "code",
            "PRICE",
            {"code": "prices = {apple: 0.50, pear: 0.75, plum: 0.20}; _fun = (env) => price(env)"},
            _price,
        ),
        Block(
            "llm",
            "QUOTE",
            {"prompt": "Quote the price.\nOrder: {{INPUT.order}}\nTotal: {{PRICE.total}}"},
        ),
    ),
    edit=("PRICE", "code", "apple: 0.50", "apple: 0.60"),
    example={"order": "3 apples"},
    config={"QUOTE": MODEL_CONFIG},
)

# track-parcel: a block of each type that asks another service

PLACES = ("Lyon", "Graz", "Porto")


def _where(env: Env) -> tuple[str, int]:
    digits = re.findall(r"\d", env.state["INPUT"]["parcel"])
    if not digits:
        raise BlockError(f'invalid parcel: no number in "{env.state["INPUT"]["parcel"]}"')
    return PLACES[int(digits[-1]) % len(PLACES)], 1 + int(digits[-1]) % 4


def _track(env: Env, _spec: Json) -> Json:
    place, days = _where(env)
    return curl_value({"parcel": env.state["INPUT"]["parcel"], "place": place, "days": days})


def _news(env: Env, spec: Json) -> Json:
    place = env.state["TRACK"]["body"]["place"]
    result = {
        "title": f"Roads around {place}",
        "link": f"https://news.example/{place.lower()}",
        "snippet": f"No delays are known around {place}.",
    }
    return search_value(render(spec["query"], env), [result])


def _notice(env: Env, spec: Json) -> Json:
    return browser_value(render(spec["url"], env), spec["selector"], "Parcels are handed over until 8 pm.")


def _scans(env: Env, spec: Json) -> Json:
    place, days = _where(env)
    rows = [{"day": day, "place": place} for day in range(1, days + 1)]
    return database_value(render(spec["query"], env), rows)


def _state(env: Env, _spec: Json) -> Json:
    said, state = env.state["REPLY"]["message"], env.state
    return {
        "place": state["TRACK"]["body"]["place"],
        "reply": said["content"],
        "called": [call["name"] for call in said.get("function_calls", [])],
        "news": state["NEWS"]["organic_results"][0]["snippet"],
        "notice": state["NOTICE"]["data"][0]["results"][0]["text"],
        "scans": len(state["SCANS"]["results"]),
    }


TRACK = App(
    id="fade0ff1ce",
    name="track-parcel",
    description="Tells a customer where a parcel is",
    blocks=(
        Block("input", "INPUT", {}),
        Block(
            "curl",
            "TRACK",
            {
                "method": "GET",
                "url": "https://carrier.example/parcels/{{INPUT.parcel}}",
                "headers_code": "_fun = (env) => ({accept: 'application/json'})",
                "body_code": "_fun = (env) => null",
            },
            _track,
        ),
        Block("search", "NEWS", {"query": "delays around {{TRACK.body.place}}", "engine": "google"}, _news),
        Block(
            "browser",
            "NOTICE",
            {"url": "https://carrier.example/{{TRACK.body.place}}", "selector": "main"},
            _notice,
        ),
        Block(
            "database",
            "SCANS",
            {"query": "SELECT day, place FROM scans WHERE parcel = '{{INPUT.parcel}}'"},
            _scans,
        ),
        Block(
            "chat",
            "REPLY",
            {
                "instructions": "Inform the customer by send_mail.\n"
                "Parcel: {{INPUT.parcel}}\n"
                "Place: {{TRACK.body.place}}\n"
                "Days: {{TRACK.body.days}}",
                "messages_code": "_fun = (env) => [{role: 'user', content: env.state.INPUT.parcel}]",
                "functions_code": "_fun = (env) => [{name: 'send_mail', description: '', parameters: {}}]",
            },
        ),
        Block("code", "STATE", {"code": "_fun = (env) => state(env.state)"}, _state),
    ),
    edit=("REPLY", "instructions", "by send_mail", "by send_mail and by send_text"),
    example={"parcel": "PX-1041"},
    config={
        "TRACK": {"use_cache": False},
        "NEWS": {"provider_id": "serpapi", "use_cache": False},
        "NOTICE": {"use_cache": False},
        "SCANS": {
            "tables": [{"workspace_id": "w_example", "data_source_id": "parcels", "table_id": "scans"}]
        },
        "REPLY": MODEL_CONFIG,
    },
)

APPS = {app.id: app for app in (SUPPORT, SUMMARISE, HALVE, QUOTE, TRACK)}

# ---- The engine: a specification and inputs -> the steps of a run (pure; it knows no wire) ----

SKIPPED: Json = {"value": None, "error": None, "meta": None}
MAX_MAP = 64  # elements
MAX_WHILE = 32  # iterations: fewer are allowed
BLOCK_FAILURES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@dataclass(frozen=True)
class Said:
    """A text that a model gave, the functions it called, and for which input and iteration."""

    env: Env
    text: str
    called: tuple[str, ...] = ()


@dataclass(frozen=True)
class Started:
    """A block begins (again, in a loop)."""

    block: Block


@dataclass(frozen=True)
class Ended:
    """A block has run: `executions[input][iteration]`, and which inputs sat it out."""

    block: Block
    executions: Executions
    skipped: list[bool]
    said: list[Said]

    def count(self, *, errors: bool) -> int:
        """Count the executions that failed, or those that did not; skipped ones are neither."""
        ran = (row for row, out in zip(self.executions, self.skipped, strict=True) if not out)
        return sum((execution["error"] is not None) == errors for row in ran for execution in row)


Step = Started | Ended


def _said(env: Env, value: Json) -> Said:
    if "completion" in value:
        return Said(env, value["completion"]["text"])
    said = value["message"]
    return Said(env, said["content"], tuple(call["name"] for call in said.get("function_calls", [])))


def check_run(blocks: Iterable[Block], inputs: Sequence[Json]) -> None:
    """Raise EngineRefusalError if the engine would not begin this run."""
    if any(block.spec.get("max_iterations", 0) >= MAX_WHILE for block in blocks if block.type == "while"):
        raise EngineRefusalError(
            "invalid_specification_error", f"`max_iterations` cannot be greater than {MAX_WHILE}"
        )
    for number, given in enumerate(inputs):
        if set(given) != set(inputs[0]):
            raise EngineRefusalError(
                "invalid_inputs_error", f"Input {number} has other keys than the first one"
            )


class Machine:
    """One run of a specification; `steps` executes it block by block, as Dust's core does."""

    def __init__(
        self,
        blocks: Sequence[Block],
        inputs: Sequence[Json],
        config: Json,
        drifted: Collection[str],
        noise: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Prepare a run: the blocks named in `drifted` speak to the newer model."""
        check_run(blocks, inputs)
        self.blocks, self.inputs, self.drifted = blocks, inputs, drifted
        self.envs = [[Env(config, noise=noise)]]  # per input, per element of a map
        self.outer: list[Env] = []  # per input, as before the map
        self.mapped: list[str] = []
        self.loop: int | None = None
        self.iteration = 0
        self.skips: list[bool] = []

    def steps(self) -> Iterator[Step]:
        """Execute block after block; the run ends early where one fails."""
        at = 0
        while at < len(self.blocks):
            block = self.blocks[at]
            self._enter(block, at)
            yield Started(block)
            ended = self._execute(block)
            yield ended
            if ended.count(errors=True):
                return
            self._remember(ended)
            at = self._leave(block, at)

    def _enter(self, block: Block, at: int) -> None:
        match block.type:
            case "input":
                before = self.envs[0][0]
                self.envs = [
                    [replace(before, input=value, index=index)] for index, value in enumerate(self.inputs)
                ]
            case "reduce":
                self._reduce()
            case "while":
                self._iterate(block, at)

    def _reduce(self) -> None:
        if not all(self.envs):
            raise EngineCrashError("a map over an empty list")

        def gathered(envs: list[Env]) -> Json:
            return {name: [env.state[name] for env in envs] for name in self.mapped}

        pairs = zip(self.outer, self.envs, strict=True)
        self.envs = [[outer.knowing(**gathered(inner))] for outer, inner in pairs]
        self.outer, self.mapped = [], []

    def _iterate(self, block: Block, at: int) -> None:
        if self.loop is None:
            self.loop, self.iteration = at, 0
            self.skips = [False] * len(self.envs)
        else:
            self.iteration += 1
        place = {"name": block.name, "iteration": self.iteration}
        self.envs = [[replace(env, map=place) for env in row] for row in self.envs]

    def _execute(self, block: Block) -> Ended:
        said: list[Said] = []
        skipped = self.skips or [False] * len(self.envs)
        executions = [
            [SKIPPED if out else self._attempt(block, env, said) for env in row]
            for row, out in zip(self.envs, skipped, strict=True)
        ]
        return Ended(block, executions, skipped, said)

    def _attempt(self, block: Block, env: Env, said: list[Said]) -> Json:
        try:
            value, meta = self._act(block, env, said)
        except BlockError as error:
            return {"value": None, "error": str(error), "meta": None}
        except BLOCK_FAILURES as error:
            text = f"{type(error).__name__}: {error}"
            return {"value": None, "error": text, "meta": None}
        return {"value": value, "error": None, "meta": meta}

    def _act(self, block: Block, env: Env, said: list[Said]) -> tuple[Any, Json | list[Any] | None]:
        check_config(block.type, block.name, env.config.get(block.name))
        match block.type:
            case "while" if self.iteration >= block.spec["max_iterations"]:
                return False, None
            case "while":
                return block.act(env, block.spec), []
            case "code" | "curl":
                return block.act(env, block.spec), {"logs": []}
            case "llm" | "chat" if {"prompt", "instructions"} & set(block.spec):
                return self._ask(block, env, said)
        return self._plain(block, env), None

    def _plain(self, block: Block, env: Env) -> Any:
        match block.type:
            case "input":
                return env.input
            case "data":
                return block.spec["data"]
            case "map":
                return self._elements(block.spec["from"], env)
        return block.act(env, block.spec)

    def _elements(self, source: str, env: Env) -> list[Any]:
        value: list[Any] = env.state[source]
        if len(value) > MAX_MAP:
            raise BlockError(f"Map `from` block `{source}` output exceeds maximum size ({MAX_MAP})")
        return value

    def _ask(self, block: Block, env: Env, said: list[Said]) -> tuple[Any, Json]:
        prompt = render(block.spec["prompt" if block.type == "llm" else "instructions"], env)
        text = complete(prompt, drifted=block.name in self.drifted)
        limit = env.config[block.name].get("max_tokens")
        text = text if limit is None else " ".join(text.split()[:limit])
        value = llm_value(prompt, text) if block.type == "llm" else chat_value(text)
        said.append(_said(env, value))
        usage = {"prompt_tokens": len(prompt.split()), "completion_tokens": len(text.split())}
        return value, {"token_usage": usage, "logs": []}

    def _remember(self, ended: Ended) -> None:
        rows = zip(self.envs, ended.executions, ended.skipped, strict=True)
        self.envs = [
            [
                self._informed(env, ended.block, [] if out else [execution["value"]])
                for env, execution in zip(envs, executions, strict=True)
            ]
            for envs, executions, out in rows
        ]

    def _informed(self, env: Env, block: Block, values: list[Any]) -> Env:
        if self.loop is None:
            return env.knowing(**{block.name: values[0]})
        if block.type == "end":  # it shares its name with the `while`, whose values stay
            return env
        return env.knowing(**{block.name: [*env.state.get(block.name, []), *values]})

    def _leave(self, block: Block, at: int) -> int:
        match block.type:
            case "map":
                self._fan_out(block)
            case "while":
                self.skips = [not row[0].state[block.name][-1] for row in self.envs]
            case "end":
                return self._again(at)
            case _ if self.outer:
                self.mapped.append(block.name)
        return at + 1

    def _fan_out(self, block: Block) -> None:
        self.outer = [row[0] for row in self.envs]
        self.envs = [
            [
                replace(
                    env.knowing(**{block.name: element}),
                    map={"name": block.name, "iteration": iteration},
                )
                for iteration, element in enumerate(env.state[block.name])
            ]
            for env in self.outer
        ]

    def _again(self, at: int) -> int:
        if self.loop is not None and not all(self.skips):
            return self.loop
        self.loop, self.skips = None, []
        self.envs = [[replace(env, map=None) for env in row] for row in self.envs]
        return at + 1


# ---- The forms a run takes on the wire (pure: steps -> JSON) ----


def block_status(step: Step) -> Json:
    """Return a block's status and counts, as after this step."""
    succeeded, failed = (
        (step.count(errors=False), step.count(errors=True)) if isinstance(step, Ended) else (0, 0)
    )
    status = "running" if isinstance(step, Started) else "errored" if failed else "succeeded"
    return {
        "block_type": step.block.type,
        "name": step.block.name,
        "status": status,
        "success_count": succeeded,
        "error_count": failed,
    }


def block_statuses(steps: Iterable[Step]) -> list[Json]:
    """Return one status per block; a block that ran again counts from nought."""
    rows = {(step.block.type, step.block.name): block_status(step) for step in steps}
    return list(rows.values())


def by_iteration(steps: Iterable[Step]) -> list[Any]:
    """Return the traces of blocking answers: each iteration of a `while` is its own trace."""
    return [
        [[step.block.type, step.block.name], step.executions] for step in steps if isinstance(step, Ended)
    ]


def merged(steps: Iterable[Step]) -> list[Any]:
    """Return the traces of polled runs, built from stored executions: iterations along the second dimension.

    What was not executed is not stored: a block without executions has no trace, and the inputs behind the
    last one with an execution are not in it.
    """
    rows: dict[tuple[str, str], Executions] = {}
    for step in steps:
        if isinstance(step, Ended):
            key = (step.block.type, step.block.name)
            kept = rows.setdefault(key, [[] for _ in step.executions])
            for row, executions, out in zip(kept, step.executions, step.skipped, strict=True):
                row.extend([] if out else executions)
    return [[list(key), _stored(executions)] for key, executions in rows.items() if any(executions)]


def _stored(executions: Executions) -> Executions:
    """Return the executions up to the last input that has one."""
    return executions[: max(at for at, row in enumerate(executions, start=1) if row)]


def event(kind: str, content: Any) -> Json:
    """Return one event of a stream."""
    return {"type": kind, "content": content}


def step_events(step: Step) -> Iterator[Json]:
    """Return the events that tell of a step."""
    if isinstance(step, Ended):
        for said in step.said:
            yield from _token_events(step.block, said)
        content = {
            "block_type": step.block.type,
            "block_name": step.block.name,
            "execution": step.executions,
        }
        yield event("block_execution", content)
    yield event("block_status", block_status(step))


def _token_events(block: Block, said: Said) -> Iterator[Json]:
    place = {
        "block_type": block.type,
        "block_name": block.name,
        "input_index": said.env.index,
        "map": said.env.map,
    }
    for text in re.findall(r"\s*\S+", said.text):
        yield event("tokens", {**place, "tokens": {"text": text}})
    for name in said.called:
        yield event("function_call", {**place, "function_call": {"name": name}})


class Run:
    """A run in progress: the steps so far, to be read from any thread."""

    def __init__(self, app_id: str, digest: str, config: Json) -> None:
        """Name a run that has not begun."""
        self.id = secrets.token_hex(32)
        self.created = int(time.time() * 1000)
        self.app_id, self.hash, self.config = app_id, digest, config
        self.steps: list[Step] = []
        self.done = self.crashed = False
        self._changed = threading.Condition()

    def perform(self, machine: Machine, pause: Callable[[], object]) -> None:
        """Execute the machine's steps, pausing in each block; a crash leaves the run `running`."""
        try:
            for step in machine.steps():
                self._add(step)
                if isinstance(step, Started):
                    pause()
        except EngineCrashError:
            self.crashed = True
        finally:
            with self._changed:
                self.done = True
                self._changed.notify_all()

    def _add(self, step: Step) -> None:
        with self._changed:
            self.steps.append(step)
            self._changed.notify_all()

    def follow(self, patience: float | None = None) -> Iterator[Step | None]:
        """Yield the steps as they come, and None whenever none came for `patience` seconds."""
        seen = 0
        while True:
            news, fresh = self._after(seen, patience)
            if news and not fresh:
                return
            seen += len(fresh)
            yield from fresh
            if not news:
                yield None

    def _after(self, seen: int, patience: float | None) -> tuple[bool, list[Step]]:
        with self._changed:
            news = self._changed.wait_for(lambda: len(self.steps) > seen or self.done, patience)
            return news, self.steps[seen:]

    def status(self) -> str:
        """Return running, succeeded or errored."""
        if self.crashed or not self.done:
            return "running"
        last = self.steps[-1]
        return "succeeded" if isinstance(last, Ended) and not last.count(errors=True) else "errored"

    def document(self, form: Callable[[Iterable[Step]], list[Any]]) -> Json:
        """Return the run as JSON, its traces in the given form."""
        status, steps = self.status(), list(self.steps)
        return self._described(status, block_statuses(steps), form(steps))

    def underway(self, part: int, parts: int) -> Json:
        """Return the run as JSON as it was when this part of its steps so far had been made."""
        steps = list(self.steps)
        steps = steps[: len(steps) * part // parts]
        return self._described("running", block_statuses(steps), merged(steps))

    def announced(self) -> Json:
        """Return the run as JSON the moment it was made."""
        return self._described("running", [], [])

    def _described(self, status: str, blocks: list[Json], traces: list[Any]) -> Json:
        return {
            "run_id": self.id,
            "created": self.created,
            "run_type": "deploy",
            "app_id": self.app_id,
            "config": {"blocks": self.config},
            "specification_hash": self.hash,
            "status": {"run": status, "blocks": blocks},
            "traces": traces,
            "results": last_executions(status, traces),
        }


def last_executions(status: str, traces: list[Any]) -> Executions | None:
    """Return what `results` holds: the executions of the last trace that is left."""
    return traces[-1][1] if status == "succeeded" and traces else None


def filtered(document: Json, names: Collection[str]) -> Json:
    """Return a run cut down to the named blocks, and its results with it."""
    traces = [trace for trace in document["traces"] if trace[0][1] in names]
    status = document["status"]
    blocks = [block for block in status["blocks"] if block["name"] in names]
    return {
        **document,
        "status": {**status, "blocks": blocks},
        "traces": traces,
        "results": last_executions(status["run"], traces),
    }


def without_values(document: Json) -> Json:
    """Return a run as a workspace that stores no logs keeps it: values gone, errors and meta there."""
    traces = [
        [block, [[{**execution, "value": None} for execution in row] for row in executions]]
        for block, executions in document["traces"]
    ]
    return {**document, "traces": traces, "results": last_executions(document["status"]["run"], traces)}


def published(document: Json) -> Json:
    """Return a run in the shape that the published description gives it."""
    traces = [
        [{"timestamp": document["created"], "trace": {"type": kind, "name": name, "executions": executions}}]
        for (kind, name), executions in document["traces"]
    ]
    same = {name: document[name] for name in ("run_id", "app_id", "specification_hash")}
    status = {"run": document["status"]["run"], "build": "succeeded"}
    return {**same, "status": status, "results": {}, "traces": traces}


def run_events(run: Run) -> Iterator[Json | None]:
    """Yield the events of a run as it goes on, and None where it is time for a keep-alive."""
    yield event("run_status", {"status": "running", "run_id": run.id})
    for step in run.follow(KEEP_ALIVE_SECONDS):
        yield from [None] if step is None else step_events(step)
    if not run.crashed:
        yield event("run_status", {"status": run.status(), "run_id": run.id})
    yield event("final", None)


def frame(one: Json) -> bytes:
    """Write one event as it stands in a stream."""
    return f"data: {json.dumps(one)}\n\n".encode()


def sse(events: Iterable[Json | None]) -> Iterator[bytes]:
    """Write events as Server-Sent Events, torn into chunks as a network may tear them."""
    yield b": keep-alive\n\n"
    for one in events:
        if one is None:
            yield b": keep-alive\n\n"
        else:
            data = frame(one)
            half = len(data) // 2
            yield data[:half]
            yield data[half:]


# ---- Requests and replies ----


@dataclass(frozen=True)
class Request:
    """A request as it came in; `body` is decoded where it was JSON; header names are lower-case."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    size: int = 0


@dataclass(frozen=True)
class Manner:
    """How a reply goes over the wire; all as it should be, unless a fault says otherwise."""

    head_pace: float = 0.0  # seconds after each byte of the head
    stall: float = 0.0  # seconds between head and body
    pace: float = 0.0  # seconds after each byte of the body
    hold: float = 0.0  # seconds between the last chunk of a stream and its end
    length: int | None = None  # the Content-Length to tell, where it is not the true one
    silent: bool = False  # nothing is sent at all
    ending: Literal["keep", "close", "reset"] = "keep"  # what becomes of the connection


@dataclass(frozen=True)
class Reply:
    """An answer; one of a stream's type is sent chunk by chunk, any other one whole."""

    chunks: Iterable[bytes]
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    manner: Manner = Manner()

    @property
    def streamed(self) -> bool:
        """Say whether the chunks go out as they come."""
        return self.content_type == "text/event-stream"

    def whole(self) -> bytes:
        """Return the whole body."""
        return b"".join(self.chunks)


class RefusalError(Exception):
    """A request that Dust refuses, with the status, type and message of its error."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        """Take the HTTP status, and the two texts of the error body."""
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message


def json_reply(document: Json, status: int = 200) -> Reply:
    """Answer with one JSON document."""
    return Reply([json.dumps(document).encode()], status)


def error_reply(error: RefusalError) -> Reply:
    """Answer with an error body."""
    return json_reply({"error": {"type": error.kind, "message": error.message}}, error.status)


BODY_FIELDS: dict[str, tuple[type, bool]] = {  # name: type, required
    "specification_hash": (str, True),
    "config": (dict, True),
    "inputs": (list, True),
    "stream": (bool, False),
    "blocking": (bool, False),
    "block_filter": (list, False),
}


def check_body(body: Any) -> Json:
    """Return the body of a create-run request, or refuse it."""
    wrong = [] if isinstance(body, dict) else ["body"]
    if isinstance(body, dict):
        wrong = [
            name
            for name, (kind, required) in BODY_FIELDS.items()
            if (required or name in body) and not isinstance(body.get(name), kind)
        ]
        wrong += [] if wrong else _wrong_elements(body)
    if wrong:
        message = f"Invalid request body: {', '.join(wrong)}"
        raise RefusalError(400, "invalid_request_error", message)
    document: Json = body
    return document


def _wrong_elements(body: Json) -> list[str]:
    kinds = (
        ("config", body["config"].values(), dict),
        ("inputs", body["inputs"], dict),
        ("block_filter", body.get("block_filter", []), str),
    )
    return [name for name, values, kind in kinds if not all(isinstance(v, kind) for v in values)]


# ---- Misbehaviour: what a service, a gateway or a network may do to an answer ----

Method = Literal["POST", "GET", "ANY"]
Answer = Callable[[Request], Reply]
Frames = Iterator[bytes]

GATEWAY_PAGE = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"
USUAL_ERRORS = {
    400: ("invalid_request_error", "The request is invalid."),
    401: ("invalid_api_key_error", "The API key provided is invalid."),
    403: ("workspace_auth_error", "The key has no access to this workspace."),
    404: ("app_not_found", "The app you're trying to run was not found"),
    405: ("method_not_supported_error", "The method passed is not supported."),
    413: ("content_too_large", "Body exceeded 4mb limit"),
    429: ("rate_limit_error", "You have reached the maximum number of runs in 24 hours."),
    500: ("internal_server_error", "An unexpected error occurred."),
}


@dataclass(frozen=True)
class Fault:
    """One way to misbehave: given a request and the way to Dust's own answer, the reply."""

    name: str
    reply: Callable[[Request, Answer], Reply] = field(repr=False)


@dataclass
class _Planned:
    """A fault in the queue, and how many requests it still has to meet."""

    fault: Fault
    times: int | None
    on: Method

    def use_up(self) -> bool:
        """Count one request, and say whether it was the last."""
        self.times = None if self.times is None else self.times - 1
        return self.times is not None and self.times <= 0


class Faults:
    """The faults on offer; those that are about streams leave any other answer as it is."""

    # another answer

    @staticmethod
    def status(
        code: int,
        body: Any = None,
        *,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Fault:
        """Answer so: bytes and text as they are, anything else as JSON, no body as is usual for it."""
        usual_body, usual_type = _usual(code) if body is None else (body, "application/json")
        reply = Reply([_written(usual_body)], code, content_type or usual_type, headers or {})
        return Fault(f"status {code}", lambda _request, _answer: reply)

    @staticmethod
    def error(code: int, kind: str, message: str = "It failed.", run_error: Json | None = None) -> Fault:
        """Answer with an error body of this type."""
        extra = {} if run_error is None else {"run_error": run_error}
        return Faults.status(code, {"error": {"type": kind, "message": message, **extra}})

    @staticmethod
    def content_type(content_type: str) -> Fault:
        """Call Dust's own answer something else; a stream, too, is then sent whole."""
        return _on_reply(f"as {content_type}", lambda reply: replace(reply, content_type=content_type))

    @staticmethod
    def altered(change: Callable[[Json], object]) -> Fault:
        """Let `change` alter the run in a JSON answer, in place."""

        def alter(reply: Reply) -> Reply:
            document = {} if reply.streamed else json.loads(reply.whole())
            if "run" not in document:
                return reply if reply.streamed else replace(reply, chunks=[_written(document)])
            change(document["run"])
            return replace(reply, chunks=[_written(document)])

        return _on_reply("altered run", alter)

    @staticmethod
    def huge(megabytes: float) -> Fault:
        """Pad the run's last value, or its last error, by so much."""
        padding = "x" * int(megabytes * 1024 * 1024)
        return _on_reply("huge", lambda reply: _change_last(reply, lambda one: _grown(one, padding)))

    @staticmethod
    def nested(levels: int) -> Fault:
        """Put arrays in the place of the run's last value, so many levels deep."""
        deep = "[" * levels + "]" * levels  # as text: json's own writer gives up at a thousand
        return replace(Faults.literal(deep), name=f"nested {levels} deep")

    @staticmethod
    def literal(text: str) -> Fault:
        """Put a text, such as `1e400`, as it stands in the place of the run's last value."""
        place = "(here comes the text)"

        def put(reply: Reply) -> Reply:
            marked = _change_last(reply, lambda _one: {"value": place, "error": None, "meta": None})
            quoted = _written([place])[1:-1]
            return replace(marked, chunks=[c.replace(quoted, text.encode()) for c in marked.chunks])

        return _on_reply(f"literal {text[:20]}", put)

    @staticmethod
    def echo(where: Literal["value", "error", "refusal", "event"] = "value") -> Fault:
        """Give away the request's Authorization header: always in a header, and in this place."""

        def reply(request: Request, answer: Answer) -> Reply:
            key = request.headers.get("authorization", "")
            return replace(_with_secret(where, key, request, answer), headers={"X-Echo": key})

        return Fault(f"echo in {where}", reply)

    @staticmethod
    def crashed(block: str) -> Fault:
        """Let the run crash in this block: its status stays `running`, and a stream ends without another."""

        def crash(reply: Reply) -> Reply:
            if reply.streamed:
                return replace(reply, chunks=_until_running(_frames(reply.chunks), block))
            document = json.loads(reply.whole())
            if "run" in document:
                _cut_at(document["run"], block)
            return replace(reply, chunks=[_written(document)])

        return _on_reply(f"crashed in {block}", crash)

    # the same answer, badly sent

    @staticmethod
    def truncated(size: int | None = None) -> Fault:
        """Cut the body to `size` bytes, half if not said, with the Content-Length of what is left."""
        return _on_reply("truncated", lambda reply: replace(reply, chunks=[_cut(reply.whole(), size)]))

    @staticmethod
    def dropped(size: int | None = None) -> Fault:
        """Close the connection after `size` bytes of the body, half if not said."""

        def drop(reply: Reply) -> Reply:
            whole = reply.whole()
            return replace(
                reply, chunks=[_cut(whole, size)], manner=Manner(length=len(whole), ending="close")
            )

        return _on_reply("dropped", drop)

    @staticmethod
    def hung_up() -> Fault:
        """Close the connection once the request is read; no run is started."""
        reply = Reply([], manner=Manner(silent=True, ending="close"))
        return Fault("hung up", lambda _request, _answer: reply)

    @staticmethod
    def reset() -> Fault:
        """Reset the connection once the request is read; no run is started."""
        reply = Reply([], manner=Manner(silent=True, ending="reset"))
        return Fault("reset", lambda _request, _answer: reply)

    @staticmethod
    def trickle(seconds: float) -> Fault:
        """Send the body byte by byte, `seconds` apart."""
        return _in_manner("trickle", Manner(pace=seconds))

    @staticmethod
    def slow_head(seconds: float) -> Fault:
        """Send the status line and the headers byte by byte, `seconds` apart."""
        return _in_manner("slow head", Manner(head_pace=seconds))

    @staticmethod
    def stalled(seconds: float = 3600) -> Fault:
        """Send the headers, and the body only after `seconds`."""
        return _in_manner("stalled", Manner(stall=seconds))

    # streams

    @staticmethod
    def plain_json() -> Fault:
        """Answer a stream request as if it had asked for a blocking run."""

        def reply(request: Request, answer: Answer) -> Reply:
            if not isinstance(request.body, dict) or not request.body.get("stream"):
                return answer(request)
            return answer(replace(request, body={**request.body, "stream": False, "blocking": True}))

        return Fault("plain JSON", reply)

    @staticmethod
    def break_off(events: int, *, half: bool = False, clean: bool = False) -> Fault:
        """End after so many events (and half of one), unfinished or as if done; the run goes on."""
        manner = Manner(ending="keep" if clean else "close")
        return _on_stream("break off", lambda frames: _first(frames, events, half=half), manner)

    @staticmethod
    def held_open(seconds: float = 3600) -> Fault:
        """Leave a stream open after its `final` event."""
        return _in_manner("held open", Manner(hold=seconds))

    @staticmethod
    def rechunked(size: int) -> Fault:
        """Send a stream in chunks of `size` bytes, whatever its events."""
        return _on_stream("rechunked", lambda frames: _rechunked(frames, size))

    @staticmethod
    def line_ends(ending: str = "\r\n") -> Fault:
        """End the lines of a stream so: by CRLF, or by a lone CR."""
        end = ending.encode()
        return _on_stream("line ends", lambda frames: (one.replace(b"\n", end) for one in frames))

    @staticmethod
    def comments() -> Fault:
        """Put comment lines between the events, and inside of them."""
        return _on_stream(
            "comments", lambda frames: (b":\n\n: between\n\n:in\n%b: in\n\n" % one[:-1] for one in frames)
        )

    @staticmethod
    def dressed() -> Fault:
        """Give each event an id, a name and a retry time, and spread its JSON over several lines."""
        return _on_stream("dressed", lambda frames: map(_dressed, frames))

    @staticmethod
    def events(change: Callable[[Json], Iterable[Json]]) -> Fault:
        """Send for each event those that `change` makes of it."""
        return _on_stream("changed events", lambda frames: _each_event(frames, change))

    @staticmethod
    def without(*types: str) -> Fault:
        """Leave out the events of these types, such as `final`."""
        return Faults.events(lambda one: [] if one["type"] in types else [one])

    @staticmethod
    def strange() -> Fault:
        """Mix in events of unknown types, and unknown fields into the known ones."""
        return Faults.events(_strange)

    @staticmethod
    def bad_data(text: str = "this is no JSON", after: int = 1) -> Fault:
        """Send other data between two events."""
        extra = f"data: {text}\n\n".encode()
        return _on_stream("bad data", lambda frames: _inserted(frames, extra, after))

    @staticmethod
    def error_event(code: str = "run_error", message: str = "It failed.", after: int = 1) -> Fault:
        """End a stream after so many events in an `error` event and `final`."""
        return _on_stream("error event", lambda frames: _failing(frames, code, message, after))


def _usual(code: int) -> tuple[Any, str]:
    if code in USUAL_ERRORS:
        kind, message = USUAL_ERRORS[code]
        return {"error": {"type": kind, "message": message}}, "application/json"
    return (GATEWAY_PAGE.format(code) if code >= 500 else ""), "text/html"


def _written(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body)).encode()


def _cut(whole: bytes, size: int | None) -> bytes:
    return whole[: len(whole) // 2 if size is None else size]


def _on_reply(name: str, change: Callable[[Reply], Reply]) -> Fault:
    return Fault(name, lambda request, answer: change(answer(request)))


def _in_manner(name: str, manner: Manner) -> Fault:
    return _on_reply(name, lambda reply: replace(reply, manner=manner))


def _on_stream(name: str, change: Callable[[Frames], Iterable[bytes]], manner: Manner | None = None) -> Fault:
    def changed(reply: Reply) -> Reply:
        if not reply.streamed:
            return reply
        return replace(reply, chunks=change(_frames(reply.chunks)), manner=manner or Manner())

    return _on_reply(name, changed)


def _frames(chunks: Iterable[bytes]) -> Frames:
    rest = b""
    for chunk in chunks:
        *ended, rest = (rest + chunk).split(b"\n\n")
        yield from (one + b"\n\n" for one in ended)
    yield rest


def _told(one: bytes) -> Json | None:
    event: Json | None = json.loads(one[6:]) if one.startswith(b"data: ") else None
    return event


def _first(frames: Frames, count: int, *, half: bool = False) -> Frames:
    for one in frames:
        if _told(one) is not None:
            if count == 0:
                yield one[: len(one) // 2 if half else 0]
                return
            count -= 1
        yield one


def _inserted(frames: Frames, extra: bytes, after: int) -> Frames:
    for one in frames:
        if _told(one) is not None:
            after -= 1
        yield one
        if after == 0:
            yield extra
            break
    yield from frames


def _failing(frames: Frames, code: str, message: str, after: int) -> Frames:
    yield from _first(frames, after)
    yield frame(event("error", {"code": code, "message": message}))
    yield frame(event("final", None))


def _until_running(frames: Frames, block: str) -> Frames:
    for one in frames:
        yield one
        told = _told(one)
        if told and told["type"] == "block_status" and told["content"]["name"] == block:
            break
    yield frame(event("final", None))


def _cut_at(run: Json, block: str) -> None:
    """Leave of a run, in place, what there is of it while the block runs."""
    names = [one["name"] for one in run["status"]["blocks"]]
    began = names.index(block) if block in names else len(names)
    blocks = run["status"]["blocks"][: began + 1]
    if began < len(names):
        blocks[-1] |= {"status": "running", "success_count": 0, "error_count": 0}
    ended = [one["name"] for one in blocks if one["status"] != "running"]
    run["status"] = {"run": "running", "blocks": blocks}
    run["traces"] = [trace for trace in run["traces"] if trace[0][1] in ended]
    run["results"] = None


def _each_event(frames: Frames, change: Callable[[Json], Iterable[Json]]) -> Frames:
    for one in frames:
        told = _told(one)
        yield from [one] if told is None else map(frame, change(told))


def _strange(one: Json) -> Iterator[Json]:
    content = one["content"]
    yield {"type": "weather", "content": ["fair"]}
    yield {"type": "silence"}
    yield {**one, "content": {**content, "extra": [1]} if content else content, "extra": {"a": None}}


def _dressed(one: bytes) -> bytes:
    told = _told(one)
    if told is None:
        return one
    lines = [f"data:{line}" for line in json.dumps(told, indent=1).splitlines()]
    return "\n".join(["id: 7", "event: message", "retry: 10", *lines, "", ""]).encode()


def _rechunked(frames: Frames, size: int) -> Frames:
    rest = b""
    for one in frames:
        rest += one
        while len(rest) >= size:
            yield rest[:size]
            rest = rest[size:]
    yield rest


def _grown(execution: Json, text: str) -> Json:
    value, error = execution["value"], execution["error"]
    if error is not None:
        return {**execution, "error": error + text}
    if isinstance(value, str):
        return {**execution, "value": value + text}
    return {**execution, "value": {**(value if isinstance(value, dict) else {"value": value}), "more": text}}


def _with_secret(where: str, key: str, request: Request, answer: Answer) -> Reply:
    text = f"The service was given {key}"
    match where:
        case "value":
            return _change_last(answer(request), lambda one: _grown(one, key))
        case "error":
            failed = {"value": None, "error": text, "meta": None}
            return _change_last(answer(request), lambda _one: failed)
        case "event":
            return Faults.error_event(message=text).reply(request, answer)
    return Faults.error(400, "run_error", text).reply(request, answer)


def _change_last(reply: Reply, change: Callable[[Json], Json]) -> Reply:
    """Change the last execution of a run; a stream then comes all at once."""
    if reply.streamed:
        return replace(reply, chunks=_change_last_told(list(_frames(reply.chunks)), change))
    document = json.loads(reply.whole())
    run = document.get("run", {})
    known = run.get("status", {}).get("blocks") and run["traces"]  # not so in the published shape
    if known and _change_executions(run["traces"][-1][1], change):
        _fail(run["status"]["blocks"][-1], run["status"])
        run["results"] = None
    elif known and run["results"] is not None:
        run["results"] = run["traces"][-1][1]
    return replace(reply, chunks=[_written(document)])


def _change_last_told(frames: list[bytes], change: Callable[[Json], Json]) -> list[bytes]:
    told = [_told(one) for one in frames]
    executed = [at for at, one in enumerate(told) if one and one["type"] == "block_execution"]
    after = told[executed[-1] :] if executed else []
    later = [one for one in after if one is not None]
    if later and _change_executions(later[0]["content"]["execution"], change):
        _fail(*(one["content"] for one in later if one["type"] in ("block_status", "run_status")))
    return [one if event is None else frame(event) for one, event in zip(frames, told, strict=True)]


def _change_executions(executions: Executions, change: Callable[[Json], Json]) -> bool:
    """Change the last one in place, and say whether it is now a failed one."""
    row = next((row for row in reversed(executions) if row), [SKIPPED])
    row[-1] = change(row[-1])
    return row[-1]["error"] is not None


def _fail(*statuses: Json) -> None:
    for status in statuses:
        status["run" if "run" in status else "status"] = "errored"


# ---- The server ----

ROOT = r"/api/v1/w/(?P<workspace>[^/]+)/spaces/(?P<space>[^/]+)/apps"
ROUTES = {
    "list_apps": ("GET", re.compile(ROOT)),
    "check_apps": ("POST", re.compile(ROOT + "/check")),
    "create_run": ("POST", re.compile(ROOT + r"/(?P<app>[^/]+)/runs")),
    "get_run": ("GET", re.compile(ROOT + r"/(?P<app>[^/]+)/runs/(?P<run>[^/]+)")),
}


class DustServer:
    """A Dust on loopback: `with DustServer() as dust: httpx.get(dust.base_url + ...)`."""

    def __init__(
        self,
        port: int = 0,
        *,
        api_key: str = "sk-example-key",
        workspace: str = "w_example",
        space: str = "vlt_example",
        delay: float = 0.0,
    ) -> None:
        """Take what the server answers to; `delay` is the seconds that each block takes."""
        self.port, self.delay = port, delay
        self.api_key, self.workspace, self.space = api_key, workspace, space
        self.requests: list[Request] = []
        self.drifted: frozenset[str] = frozenset()
        self._lock = threading.Lock()
        self.behave()
        self._runs: dict[str, Run] = {}
        self._saved: dict[str, str] = {}  # per app, the version that the editor shows
        self._latest: dict[str, str] = {}  # the version that was registered last
        self._saved_runs: dict[str, str] = {}  # the id of the last run in the editor
        self._made: dict[tuple[str, str], str] = {}  # per app and version, such a run
        self._versions = {(app.id, name): app.version(name) for app in APPS.values() for name in ("v1", "v2")}
        self._closing = threading.Event()
        self._httpd: _Listener | None = None
        for app_id in APPS:
            self.save_original(app_id)

    # what is on offer

    @property
    def base_url(self) -> str:
        """Return the address to give as `DUST_BASE_URL`."""
        return f"http://127.0.0.1:{self.port}"

    def hash(self, app_id: str, version: str = "v1") -> str:
        """Return the specification hash of an app's version, `v1` or `v2`."""
        return specification_hash(self._versions[app_id, version])

    def save_edited(self, app_id: str) -> None:
        """Edit the app and run it in the editor: saved blocks, saved run and `latest` are the edit's."""
        self._save(app_id, "v2")

    def save_original(self, app_id: str) -> None:
        """Save and run the app's original version again."""
        self._save(app_id, "v1")

    def save_unrun_edit(self, app_id: str, version: str = "v2") -> None:
        """Edit the app without a run: only `savedSpecification` changes."""
        self._saved[app_id] = version

    def register(self, app_id: str, version: str) -> None:
        """Let `latest` be this version, whatever is saved and was run in the editor."""
        self._unregistered.discard((app_id, version))
        self._latest[app_id] = version

    def unregister(self, app_id: str, version: str) -> None:
        """Forget the specification of this version: its hash is unknown from now on."""
        self._unregistered.add((app_id, version))

    def run_in_editor(self, app_id: str, version: str) -> None:
        """Make a run of this version the saved run, whatever is saved and `latest`."""
        if (app_id, version) not in self._made:
            app, blocks = APPS[app_id], self._versions[app_id, version]
            machine = Machine(blocks, [app.example], dict(app.config), ())
            run = self._new_run(app_id, version, dict(app.config))
            run.perform(machine, lambda: None)
            self._made[app_id, version] = run.id
        self._saved_runs[app_id] = self._made[app_id, version]

    def delete_saved_run(self, app_id: str) -> None:
        """Delete the saved run, as happens after 30 days; the app still names its id."""
        run = self._saved_runs[app_id]
        del self._runs[run]
        self._made = {version: made for version, made in self._made.items() if made != run}

    def drift(self, block_name: str | None = None) -> None:
        """Let a newer model answer under the same hashes, behind one llm block or the usual."""
        self.drifted = DRIFTING if block_name is None else self.drifted | {block_name}

    def undrift(self) -> None:
        """Let the first model answer again."""
        self.drifted = frozenset()

    def misbehave(self, fault: Fault, *, times: int | None = 1, on: Method = "POST") -> None:
        """Queue a fault for the next requests of a method; without `times`, until told to behave."""
        with self._lock:
            self._faults.append(_Planned(fault, times, on))

    def behave(self) -> None:
        """Forget all faults, limits and peculiarities."""
        with self._lock:
            self._faults: list[_Planned] = []
            self._runs_left: int | None = None
            self._retry_after: str | None = None
        self._unregistered: set[tuple[str, str]] = set()
        self.stores_logs = True  # if not, polled runs have traces without values
        self.published_shape = False  # if so, runs in JSON have the shape of the published description
        self.noise: Callable[[], float] = lambda: 0.0  # what a data source adds to each score
        self.poll_steps = 0  # how many times a run is still `running` when it is fetched
        self._fetched: dict[str, int] = {}

    def move_scores(self, most: float, seed: int = 0) -> None:
        """Let the scores of data sources differ from run to run, each by at most `most`."""
        source = random.Random(seed)  # noqa: S311  # the same numbers for the same seed are wanted
        self.noise = lambda: source.uniform(-most, most)

    def rate_limit(self, runs: int, retry_after: str | None = None) -> None:
        """Refuse every run beyond the next `runs` with a 429, until told to behave."""
        with self._lock:
            self._runs_left, self._retry_after = runs, retry_after

    def _save(self, app_id: str, version: str) -> None:
        self.save_unrun_edit(app_id, version)
        self.run_in_editor(app_id, version)
        self.register(app_id, version)

    # coming and going

    def start(self) -> Self:
        """Listen on loopback, answering on threads of its own."""
        self._closing.clear()
        self._httpd = _Listener(self.port, self._reply, self.requests.append, self._closing.wait)
        self.port = self._httpd.server_address[1]
        threading.Thread(target=self._httpd.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop at once, open streams included."""
        if self._httpd is not None:
            self._httpd.shutdown()
            self._httpd.server_close()
            self._httpd.hang_up()
            self._httpd = None
        self._closing.set()  # last: a run that wakes finds nobody to tell that it ended

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    # answering

    def _reply(self, request: Request) -> Reply:
        fault = self._next_fault(request.method)
        return self.answer(request) if fault is None else fault.reply(request, self.answer)

    def _next_fault(self, method: str) -> Fault | None:
        with self._lock:
            planned = next((one for one in self._faults if one.on in (method, "ANY")), None)
            if planned is not None:
                if planned.use_up():
                    self._faults.remove(planned)
                return planned.fault
            return self._limit() if method == "POST" and self._runs_left is not None else None

    def _limit(self) -> Fault | None:
        if self._runs_left:
            self._runs_left -= 1
            return None
        headers = {} if self._retry_after is None else {"Retry-After": self._retry_after}
        return Faults.status(429, headers=headers)

    def answer(self, request: Request) -> Reply:
        """Return the reply to a request, as it is where nothing misbehaves."""
        try:
            self._check_size(request)
            self._check_key(request)
            operation, names = self._route(request)
            return operation(request, **names)
        except RefusalError as error:
            return error_reply(error)

    def _check_size(self, request: Request) -> None:
        if request.size > MAX_BODY:
            raise RefusalError(413, "content_too_large", "Body exceeded 4mb limit")

    def _check_key(self, request: Request) -> None:
        header = request.headers.get("authorization")
        if header is None:
            message = "The request does not have valid authentication credentials."
            raise RefusalError(401, "not_authenticated", message)
        scheme, _, key = header.partition(" ")
        if scheme != "Bearer" or not key.strip():
            message = "The Authorization header is malformed, `Bearer <key>` is expected."
            raise RefusalError(401, "malformed_authorization_header_error", message)
        if key.strip() != self.api_key:
            raise RefusalError(401, "invalid_api_key_error", "The API key provided is invalid.")

    def _route(self, request: Request) -> tuple[Callable[..., Reply], dict[str, str]]:
        path = urlsplit(request.path).path
        for operation, (method, pattern) in ROUTES.items():
            if found := pattern.fullmatch(path):
                names = {name: unquote(value) for name, value in found.groupdict().items()}
                self._check_place(names.pop("workspace"), names.pop("space"), names.get("app"))
                self._check_method(request.method, method)
                return getattr(self, f"_{operation}"), names
        raise RefusalError(404, "invalid_request_error", f"There is nothing at {path}")

    def _check_place(self, workspace: str, space: str, app: str | None) -> None:
        if workspace != self.workspace:
            raise RefusalError(404, "workspace_not_found", "The workspace was not found")
        if space != self.space:
            raise RefusalError(404, "space_not_found", "The space was not found")
        if app is not None and app not in APPS:
            raise RefusalError(404, "app_not_found", "The app you're trying to run was not found")

    def _check_method(self, method: str, expected: str) -> None:
        if method != expected:
            message = f"The method passed is not supported, {expected} is expected."
            raise RefusalError(405, "method_not_supported_error", message)

    def _list_apps(self, _request: Request) -> Reply:
        apps = [self._listed(number, app) for number, app in enumerate(APPS.values(), start=1)]
        return json_reply({"apps": apps})

    def _listed(self, number: int, app: App) -> Json:
        blocks = self._versions[app.id, self._saved[app.id]]
        given = {block.name: {"type": block.type} for block in blocks if block.name in app.config}
        dataset = {"INPUT": {"type": "input", "dataset": "examples"}}
        config = {name: {**kind, **app.config[name]} for name, kind in given.items()}
        return {
            "id": number,
            "sId": app.id,
            "name": app.name,
            "description": app.description,
            "savedSpecification": json.dumps([block.saved(app.config) for block in blocks]),
            "savedConfig": json.dumps({**dataset, **config}),
            "savedRun": self._saved_runs[app.id],
            "dustAPIProjectId": str(1000 + number),
            "space": {
                "sId": self.space,
                "name": "Examples",
                "kind": "regular",
                "groupIds": ["grp_example"],
                "isRestricted": False,
                "managementMode": "manual",
                "createdAt": WRITTEN,
                "updatedAt": WRITTEN,
            },
        }

    def _check_apps(self, request: Request) -> Reply:
        asked = request.body.get("apps") if isinstance(request.body, dict) else None
        names = ("appId", "appHash")
        if not isinstance(asked, list) or not all(
            isinstance(one, dict) and all(isinstance(one.get(name), str) for name in names) for one in asked
        ):
            raise RefusalError(400, "invalid_request_error", "Invalid request body: apps")
        answers = [{name: one[name] for name in names} for one in asked]
        return json_reply({"apps": [{**one, "deployed": self._is_registered(**one)} for one in answers]})

    def _is_registered(self, appId: str, appHash: str) -> bool:  # noqa: N803
        return appId in APPS and self._registered(appId, appHash) is not None

    def _get_run(self, _request: Request, app: str, run: str) -> Reply:
        found = self._runs.get(run)
        if found is None or found.app_id != app:
            raise RefusalError(400, "run_error", "There was an error retrieving the run.")
        document = self._polled(found)
        return self._run_reply(document if self.stores_logs else without_values(document))

    def _polled(self, run: Run) -> Json:
        if run.id in self._made.values():  # such a run ended long ago
            return run.document(merged)
        with self._lock:
            times = self._fetched[run.id] = self._fetched.get(run.id, 0) + 1
        late = times <= self.poll_steps
        return run.underway(times, self.poll_steps + 1) if late else run.document(merged)

    def _run_reply(self, document: Json) -> Reply:
        return json_reply({"run": published(document) if self.published_shape else document})

    def _create_run(self, request: Request, app: str) -> Reply:
        body = check_body(request.body)
        try:
            run = self._launch(app, self._find_version(app, body["specification_hash"]), body)
        except EngineRefusalError as refusal:
            return self._refused(body, refusal)
        if body.get("stream"):
            return Reply(sse(run_events(run)), content_type="text/event-stream")
        if body.get("blocking"):
            return self._run_reply(self._awaited(run, body.get("block_filter")))
        return self._run_reply(run.announced())

    def _find_version(self, app_id: str, wanted: str) -> str:
        found = self._latest[app_id] if wanted == "latest" else self._registered(app_id, wanted)
        if found is None:
            raise EngineRefusalError("specification_not_found", f"No specification found for hash `{wanted}`")
        return found

    def _registered(self, app_id: str, digest: str) -> str | None:
        versions = [name for name in ("v1", "v2") if (app_id, name) not in self._unregistered]
        return next((name for name in versions if self.hash(app_id, name) == digest), None)

    def _refused(self, body: Json, refusal: EngineRefusalError) -> Reply:
        if not body.get("stream"):
            raise RefusalError(500, "internal_server_error", "An unexpected error occurred.")
        content = {"code": refusal.code, "message": refusal.message}
        events = [event("error", content), event("final", None)]
        return Reply(sse(events), content_type="text/event-stream")

    def _new_run(self, app_id: str, version: str, config: Json) -> Run:
        run = Run(app_id, self.hash(app_id, version), config)
        self._runs[run.id] = run
        return run

    def _launch(self, app_id: str, version: str, body: Json) -> Run:
        blocks = self._versions[app_id, version]
        machine = Machine(blocks, body["inputs"], body["config"], self.drifted, self.noise)
        run = self._new_run(app_id, version, body["config"])
        pause = lambda: self.delay and self._closing.wait(self.delay)  # noqa: E731
        threading.Thread(target=run.perform, args=(machine, pause), daemon=True).start()
        return run

    def _awaited(self, run: Run, names: list[str] | None) -> Json:
        for _ in run.follow():
            pass
        document = run.document(by_iteration)
        return document if names is None else filtered(document, names)


class _Handler(BaseHTTPRequestHandler):
    """Reads a request, asks for the reply, and sends it."""

    protocol_version = "HTTP/1.1"
    server_version = "Dust"
    disable_nagle_algorithm = True
    wbufsize = -1  # a reply leaves in one piece, a stream at each flush
    server: _Listener

    def _handle(self) -> None:
        length = self.headers.get("Content-Length", "0")
        size = int(length) if length.isdecimal() else 0
        self.close_connection |= "Transfer-Encoding" in self.headers  # such a body stays unread
        body = self._decoded(self._read(size))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, body, size)
        self.server.record(request)
        self._send(self.server.answer(request))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _handle

    def _read(self, size: int) -> bytes:
        kept = b""
        while size > 0 and (piece := self.rfile.read(min(size, 65536))):
            size -= len(piece)
            kept += piece if len(kept) <= MAX_BODY else b""
        return kept

    def _decoded(self, raw: bytes) -> Any:
        try:
            return json.loads(raw) if raw else None
        except (ValueError, RecursionError):
            return raw.decode(errors="replace")

    def _send(self, reply: Reply) -> None:
        manner = reply.manner
        self.close_connection |= manner.ending != "keep"
        if manner.ending == "reset":
            self.server.mark_for_reset(self.connection)
        if manner.silent:
            return
        chunks = reply.chunks if reply.streamed else [reply.whole()]
        with self._paced(manner.head_pace):
            self._send_head(reply, chunks)
        self._pause(manner.stall)
        with self._paced(manner.pace):
            self._send_body(reply, chunks)

    def _send_head(self, reply: Reply, chunks: Iterable[bytes]) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.streamed:
            self.send_header("Cache-Control", "no-cache")
            self.send_header("Transfer-Encoding", "chunked")
        else:
            told = reply.manner.length
            self.send_header("Content-Length", str(sum(map(len, chunks)) if told is None else told))
        self.end_headers()

    def _send_body(self, reply: Reply, chunks: Iterable[bytes]) -> None:
        for chunk in filter(None, chunks):  # an empty chunk would be the last one
            if reply.streamed:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                self.wfile.flush()
            else:
                self.wfile.write(chunk)
        self._pause(reply.manner.hold)
        if reply.streamed and reply.manner.ending == "keep":
            self.wfile.write(b"0\r\n\r\n")

    def _pause(self, seconds: float) -> None:
        if seconds:
            self.wfile.flush()
            self.server.pause(seconds)

    @contextmanager
    def _paced(self, seconds: float) -> Iterator[None]:
        file = self.wfile
        if seconds:
            trickle: Any = _Trickle(file, lambda: self.server.pause(seconds))
            self.wfile = trickle
        try:
            yield
        finally:
            self.wfile = file

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class _Trickle:
    """What a handler writes to when its bytes are to leave one by one."""

    def __init__(self, file: Any, pause: Callable[[], object]) -> None:
        self._file, self._pause = file, pause
        self.flush = file.flush

    def write(self, data: bytes) -> None:
        for byte in data:
            self._file.write(bytes([byte]))
            self._file.flush()
            self._pause()


class _Listener(ThreadingHTTPServer):
    """The socket, and the connections that are open on it."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        port: int,
        answer: Callable[[Request], Reply],
        record: Callable[[Request], None],
        pause: Callable[[float], object],
    ) -> None:
        self.answer, self.record, self.pause = answer, record, pause
        self._open: set[socket.socket] = set()
        self._to_reset: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        if request in self._to_reset:  # no orderly shutdown before it, or it would be seen first
            self._to_reset.discard(request)
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def mark_for_reset(self, connection: socket.socket) -> None:
        """Let a connection end in a reset."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._to_reset.add(connection)

    def hang_up(self) -> None:
        """Break off every open connection, so that its thread ends and closes it."""
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it has just ended by itself

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # a client may hang up at any time
            super().handle_error(request, client_address)


# ---- The command line ----


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serve a few small Dust apps on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=8808)
    parser.add_argument(
        "--edited",
        metavar="APP_ID",
        nargs="+",
        choices=APPS,
        default=[],
        help="apps whose edited version is saved",
    )
    parser.add_argument("--drift", action="store_true", help="let a newer model answer")
    return parser.parse_args(argv)


def banner(server: DustServer) -> str:
    """Return the lines to paste into a shell, and the apps with their hashes."""
    exports = (
        f"export DUST_BASE_URL={server.base_url} DUST_API_KEY={server.api_key} "
        f"DUST_WORKSPACE_ID={server.workspace} DUST_SPACE_ID={server.space}"
    )
    apps = [
        f"# {app.id}  {app.name}\n"
        f"#   original {server.hash(app.id)}\n"
        f"#   edited   {server.hash(app.id, 'v2')}"
        for app in APPS.values()
    ]
    return "\n".join([exports, *apps, ""])


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until Ctrl-C."""
    options = _arguments(argv)
    # Also when started in the background of a script, where Ctrl-C's signal is ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    server = _started(options.port)
    try:
        for app_id in options.edited:
            server.save_edited(app_id)
        if options.drift:
            server.drift()
        sys.stdout.write(banner(server))
        sys.stdout.flush()
        threading.Event().wait()
    except KeyboardInterrupt:
        return
    finally:
        server.stop()


def _started(port: int) -> DustServer:
    """A server that listens there; ends the program where it cannot."""
    try:
        return DustServer(port).start()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or "ports go from 0 to 65535"
        sys.exit(
            f"dust_server: cannot listen on port {port}: {why}; give another --port, or 0 for any free one"
        )


if __name__ == "__main__":
    main()
