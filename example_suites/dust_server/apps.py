"""The example apps, each in two versions that differ in one block."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from example_suites.dust_server.blocks import MODEL_CONFIG, Block, BlockError, Env, Json, render
from example_suites.dust_server.values import (
    browser_value,
    curl_value,
    database_value,
    found_document,
    search_value,
)


@dataclass(frozen=True)
class Edit:
    """A text that replaces another one in the spec of one block."""

    block: str
    key: str
    old: str
    new: str

    def applied(self, block: Block) -> Block:
        """Return the block as edited; any other block as it is."""
        if block.name != self.block:
            return block
        return replace(block, spec={**block.spec, self.key: block.spec[self.key].replace(self.old, self.new)})


@dataclass(frozen=True)
class App:
    """A saved app."""

    id: str
    name: str
    description: str
    blocks: tuple[Block, ...]
    edit: Edit  # which makes its second version
    example: Json  # the input of its saved run
    config: Mapping[str, Json] = field(default_factory=dict)  # as its *Use with API* page shows it

    def version(self, name: str) -> tuple[Block, ...]:
        """Return the blocks of `v1` (as first saved) or `v2` (edited in one block)."""
        edited = tuple(map(self.edit.applied, self.blocks))
        return {"v1": self.blocks, "v2": edited}[name]


# ---- support-answer ----

POLICIES = {
    "billing": "A refund takes up to 5 working days, and invoices are on the billing page.",
    "shipping": "A parcel arrives within 3 working days, and its label shows where it is.",
    "account": "You can set a new password on the sign-in page.",
    "other": "A colleague will write back within one working day.",
}


def _lookup(env: Env, spec: Json) -> list[Json]:
    config = env.config["LOOKUP"]
    label = render(spec["query"], env)
    sources = {source["data_source_id"] for source in config["data_sources"]}
    for unknown in sources - {"policies"}:
        raise BlockError(f"Data source `{unknown}` not found")
    ranked = [label, *(other for other in POLICIES if other != label)]
    documents = [
        found_document("policies", name, POLICIES[name], score=round(0.9 - 0.2 * rank, 6))
        for rank, name in enumerate(ranked)
    ]
    return documents[: config.get("top_k", 10)] if sources else []


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
    edit=Edit(
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

# ---- summarise ----


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
    edit=Edit("SUMMARY", "prompt", "4 words", "6 words"),
    example={"text": "The parcel left the warehouse on Monday. It arrives on Friday."},
    config={"SUMMARY": MODEL_CONFIG},
)

# ---- halve-until-small ----


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
    edit=Edit("HALVE", "code", "/ 2", "/ 3"),
    example={"number": 100, "limit": 10},
)

# ---- quote-order ----


def _parse(env: Env, _spec: Json) -> Json:
    order = env.state["INPUT"]["order"]
    found = re.search(r"(\d+) +([a-z]+)", order.lower())
    if not found:
        raise BlockError(f'invalid order: no quantity in "{order}"')
    return {"item": found[2].removesuffix("s"), "quantity": int(found[1])}


def _price(env: Env, spec: Json) -> Json:
    wanted = env.state["PARSE"]
    prices = {item: float(price) for item, price in re.findall(r"(\w+): ([\d.]+)", spec["code"])}
    if wanted["item"] not in prices:
        raise BlockError(f'no price for "{wanted["item"]}"')
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
    edit=Edit("PRICE", "code", "apple: 0.50", "apple: 0.60"),
    example={"order": "3 apples"},
    config={"QUOTE": MODEL_CONFIG},
)

# ---- track-parcel: a block of each type that calls another service ----

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
    state, message = env.state, env.state["REPLY"]["message"]
    return {
        "place": state["TRACK"]["body"]["place"],
        "reply": message["content"],
        "called": [call["name"] for call in message.get("function_calls", [])],
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
    edit=Edit("REPLY", "instructions", "by send_mail", "by send_mail and by send_text"),
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

# ---- noisy-triage: answers that differ from run to run ----


def _stamp(env: Env, _spec: Json) -> Json:
    return {"token": env.draws.token}


def _triaged(env: Env, _spec: Json) -> Json:
    label, mood = (env.state[name]["completion"]["text"] for name in ("CLASSIFY", "MOOD"))
    return {"label": label, "answer": POLICIES[label], "mood": mood, "reference": env.state["STAMP"]["token"]}


TRIAGE_PROMPT = """\
Triage the question. Go by these words:
billing: refund, invoice, charge, pay
shipping: parcel, deliver, ship, track
account: password, login, email, account
Question: {{WORDING.completion.text}}"""

TRIAGE = App(
    id="0dd5ba11ed",
    name="noisy-triage",
    description="Sorts a question as an app does whose model answers differently every time",
    blocks=(
        Block("input", "INPUT", {}),
        Block("llm", "WORDING", {"prompt": "Rephrase the question.\nQuestion: {{INPUT.question}}"}),
        Block("llm", "MOOD", {"prompt": "Sense the customer's mood.\nQuestion: {{INPUT.question}}"}),
        Block("code", "STAMP", {"code": "_fun = (env) => ({token: randomToken()})"}, _stamp),
        Block("llm", "CLASSIFY", {"prompt": TRIAGE_PROMPT}),
        Block("code", "ANSWER", {"code": "_fun = (env) => answer(env.state)"}, _triaged),
    ),
    edit=Edit("CLASSIFY", "prompt", "Triage the question.", "Triage the question with care."),
    example={"question": "Where is my refund?"},
    config={"WORDING": MODEL_CONFIG, "MOOD": MODEL_CONFIG, "CLASSIFY": MODEL_CONFIG},
)

APPS = {app.id: app for app in (SUPPORT, SUMMARISE, HALVE, QUOTE, TRACK, TRIAGE)}
