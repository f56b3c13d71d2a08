"""A stand-in for a language model: it computes its answer from the prompt; `noisy-triage` draws as well."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Protocol

from example_suites.dust_server.noise import Draws

DRIFTING = frozenset({"CLASSIFY", "SUMMARY", "QUOTE", "REPLY"})
"""The blocks that answer differently when the model has drifted."""


def complete(prompt: str, draws: Draws, *, drifted: bool) -> str:
    """Return the model's answer; a drifted model is a newer one that answers the same prompt differently."""
    skill = prompt.split(maxsplit=1)[0]
    if skill in _NOISY_SKILLS:
        return _NOISY_SKILLS[skill](prompt, draws)
    return _SKILLS[skill](prompt, drifted=drifted)


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


# ---- The skills of noisy-triage ----

ASKERS = ("Ada", "Ben", "Chloe", "Dmitri", "Elif", "Femi", "Greta", "Hugo", "Ines", "Jun", "Kofi", "Lena")
VERBS = ("asks", "writes", "wants to know", "would like to know", "wonders", "has asked", "asked just now")
CLOSINGS = (
    "",
    "Thank you!",
    "Please help.",
    "An answer is needed today.",
    "That is all.",
    "It is not urgent.",
    "It is urgent.",
    "No more was said.",
    "This is the first message.",
    "Kind regards.",
)
"""Parts of a wording; none has a word that decides a label."""


def _rephrase(prompt: str, draws: Draws) -> str:
    """Return the question in other words that mean the same."""
    asker, verb = draws.choice("asker", ASKERS), draws.choice("verb", VERBS)
    return f"{asker} {verb}: {_after('Question', prompt)} {draws.choice('closing', CLOSINGS)}".strip()


def _sense(_prompt: str, draws: Draws) -> str:
    """Return the mood; the provider's drift makes a calm one rarer."""
    number = draws.number("mood") + draws.drift
    return "calm" if number < 0.7 else "worried" if number < 0.9 else "angry"


def _triage(prompt: str, draws: Draws) -> str:
    """Return the right label, or another one with the probability of a flip."""
    right = _classify(prompt, drifted=False)
    if not draws.is_wrong:
        return right
    labels: list[str] = re.findall(r"^(\w+): [a-z, ]+$", prompt, re.MULTILINE)
    others = [label for label in labels if label != right]
    return draws.choice("label", others)


_NOISY_SKILLS: dict[str, Callable[[str, Draws], str]] = {
    "Rephrase": _rephrase,
    "Sense": _sense,
    "Triage": _triage,
}
