"""A stand-in for a language model: it computes its answer from the prompt, always the same one."""

from __future__ import annotations

import json
import re
from typing import Protocol

DRIFTING = frozenset({"CLASSIFY", "SUMMARY", "QUOTE", "REPLY"})
"""The blocks that answer differently when the model has drifted."""


def complete(prompt: str, *, drifted: bool) -> str:
    """Return the model's answer; a drifted model is a newer one that answers the same prompt differently."""
    return _SKILLS[prompt.split(maxsplit=1)[0]](prompt, drifted=drifted)


class _Skill(Protocol):
    def __call__(self, prompt: str, *, drifted: bool) -> str: ...


def _after(label: str, prompt: str) -> str:
    """Return what follows `label: ` at the start of a line."""
    return prompt.partition(f"\n{label}: ")[2].partition("\n")[0]


def _classify(prompt: str, *, drifted: bool) -> str:
    """Return the label with the most words in the question; the prompt lists each label's words."""
    guide = prompt.partition("\nQuestion: ")[0]
    rules = dict(re.findall(r"^(\w+): ([a-z, ]+)$", guide, re.MULTILINE))
    words = {label: listed.split(", ") for label, listed in rules.items()}
    if drifted:
        words = {label: [word for word in listed if word != "refund"] for label, listed in words.items()}
        words["shipping"].append("refund")
    question = re.findall(r"[a-z]+", _after("Question", prompt).lower())
    hits = {label: sum(word.startswith(tuple(words[label])) for word in question) for label in words}
    best = max(hits, key=lambda label: hits[label])
    return best if hits[best] else "other"


def _summarise(prompt: str, *, drifted: bool) -> str:
    stop_words = _after("Leave out", prompt).split(", ")
    limit = int(re.findall(r"(\d+) words", prompt)[0])
    words = [word for word in _after("Sentence", prompt).split() if word.lower() not in stop_words]
    text = " ".join(words[:limit])
    return text.lower() if drifted else text


def _quote(prompt: str, *, drifted: bool) -> str:
    order, total = _after("Order", prompt), float(_after("Total", prompt))
    return f"{order}: that makes {total:.2f} EUR" if drifted else f"{order} come to {total:.2f} EUR"


def _inform(prompt: str, *, drifted: bool) -> str:
    """Return a sentence, and a line `name(arguments)` for each function that the prompt asks to call."""
    parcel, place, days = (_after(label, prompt) for label in ("Parcel", "Place", "Days"))
    when = "tomorrow" if days == "1" else f"in {days} days"
    usual, other = f"{parcel} is in {place} and arrives {when}.", f"{parcel} is in {place}, {when} with you."
    calls = [f"{name}({json.dumps({'parcel': parcel})})" for name in re.findall(r"by (\w+)", prompt)]
    return "\n".join([other if drifted else usual, *calls])


_SKILLS: dict[str, _Skill] = {  # by the first word of the prompt
    "Classify": _classify,
    "Summarise": _summarise,
    "Quote": _quote,
    "Inform": _inform,
}
