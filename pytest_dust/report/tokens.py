"""Numbers of tokens as text; the service may not report all of them."""

from __future__ import annotations

from pytest_dust.model import Tokens
from pytest_dust.wording import plural


def used(tokens: Tokens) -> str:
    """The tokens of one case: `73 tokens`, `at least 73 tokens` or `unknown tokens`."""
    if not tokens.unknown:
        return plural(tokens.known, "token")
    return f"at least {plural(tokens.known, 'token')}" if tokens.known else "unknown tokens"


def in_all(tokens: Tokens) -> str:
    """The tokens of a session: `412 tokens used`, and for how many runs they are unknown."""
    return f"{tokens.known:,} tokens used{_unknown(tokens)}"


def about(tokens: Tokens) -> str:
    """The tokens that a session will use, by its recordings; empty if they hold none."""
    if tokens.known:
        return f", about {plural(tokens.known, 'token')} by the recordings{_unknown(tokens)}"
    return f", tokens{_unknown(tokens).removeprefix(',')} by the recordings" if tokens.unknown else ""


def uncounted(runs: int) -> str:
    """A line that says that the ceiling of tokens cannot count what the service does not report."""
    return (
        f"dust: --dust-max-tokens cannot count {plural(runs, 'run')} whose tokens the service does not tell; "
        "bound them with --dust-max-runs"
    )


def _unknown(tokens: Tokens) -> str:
    return f", unknown for {plural(tokens.unknown, 'run')}" if tokens.unknown else ""
