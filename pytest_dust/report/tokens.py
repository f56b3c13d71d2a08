"""Tokens for people, where the service may not have told all of them."""

from __future__ import annotations

from pytest_dust.model import Tokens
from pytest_dust.wording import plural


def used(tokens: Tokens) -> str:
    """What one case used: `73 tokens`, `at least 73 tokens`, or `unknown tokens`."""
    if not tokens.unknown:
        return plural(tokens.told, "token")
    return f"at least {plural(tokens.told, 'token')}" if tokens.told else "unknown tokens"


def in_all(tokens: Tokens) -> str:
    """What a session used: `412 tokens used`, and for how many runs that is unknown."""
    return f"{tokens.told:,} tokens used{_unknown(tokens)}"


def about(tokens: Tokens) -> str:
    """What a session will use, by what its recordings used; empty where they tell nothing."""
    if tokens.told:
        return f", about {plural(tokens.told, 'token')} by the recordings{_unknown(tokens)}"
    return f", tokens{_unknown(tokens).removeprefix(',')} by the recordings" if tokens.unknown else ""


def uncounted(runs: int) -> str:
    """A line about the ceiling of tokens, which cannot count what the service does not tell."""
    return (
        f"dust: --dust-max-tokens cannot count {plural(runs, 'run')} whose tokens the service does not tell; "
        "bound them with --dust-max-runs"
    )


def _unknown(tokens: Tokens) -> str:
    return f", unknown for {plural(tokens.unknown, 'run')}" if tokens.unknown else ""
