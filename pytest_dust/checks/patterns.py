"""Regular expressions of Python's `re`, searched in bounded time by the library `regex`."""

from __future__ import annotations

import re
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING
from warnings import catch_warnings, simplefilter

from pytest_dust.deadline import TimeIsUp, seconds_left
from pytest_dust.lazy_patterns import lazy

if TYPE_CHECKING:
    from regex import Pattern

FOREVER = 1e6
"""Seconds; used for no timeout, as `regex` reads an infinite timeout as one that has passed."""
MAX_REPEAT = 10_000
"""Maximum number of repetitions that `regex` writes out, in 30 ms; `a{99999999}` would fill the memory."""

# For `regex`, combining marks are letters, four control characters are not white space, and `[^\d\D]` matches
# any character; so each class is written out. In verbose patterns it skips more white space than `re` does.
_WORD = r"\p{L}\p{N}_"
_NO_WORD = (
    r"\p{M}\p{S}\p{Z}\p{C}\p{Pd}\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{Po}"
    r"\u203f\u2040\u2054\ufe33\ufe34\ufe4d-\ufe4f\uff3f"  # connectors, without the underscore
)
_NO_DIGIT = r"\p{L}\p{M}\p{Nl}\p{No}\p{P}\p{S}\p{Z}\p{C}"
_SPACE = r"\s\x1c-\x1f"
_NO_SPACE = (
    r"\x00-\x08\x0e-\x1b!-\x84\x86-\x9f\xa1-\u167f\u1681-\u1fff\u200b-\u2027\u202a-\u202e\u2030-\u205e"
    r"\u2060-\u2fff\u3001-\U0010ffff"
)
_IN_SET = {r"\w": _WORD, r"\W": _NO_WORD, r"\D": _NO_DIGIT, r"\s": _SPACE, r"\S": _NO_SPACE}
_AHEAD, _BEHIND = f"(?=[{_WORD}])", f"(?<=[{_WORD}])"
_NOT_AHEAD, _NOT_BEHIND = f"(?![{_WORD}])", f"(?<![{_WORD}])"
_OUTSIDE = {
    **{name: f"[{inside}]" for name, inside in _IN_SET.items()},
    r"\b": f"(?:{_BEHIND}{_NOT_AHEAD}|{_NOT_BEHIND}{_AHEAD})",
    r"\B": f"(?:{_BEHIND}{_AHEAD}|{_NOT_BEHIND}{_NOT_AHEAD})",
}

_ESCAPE = r"\\N\{[^}]*\}|\\."
_TOKENS = (
    rf"(?P<escape>{_ESCAPE})|(?P<set>\[\^?\]?(?:{_ESCAPE}|[^\]\\])*\])|(?P<comment>\(\?\#[^)]*\))"
    r"|(?P<repeat>\{(?:\d+(?:,\d*)?|,\d*)\})|(?P<brace>\{)|(?P<blank>[^\S \t\n\r\v\f])"
)
_TOKEN = lazy(_TOKENS, re.DOTALL)
_VERBOSE_TOKEN = lazy(rf"#[^\n]*|{_TOKENS}", re.DOTALL)
_IN_SET_TOKEN = lazy(rf"{_ESCAPE}|\[", re.DOTALL)
_PARTLY_VERBOSE = lazy(r"\(\?[a-zA-Z-]*x[a-zA-Z-]*:")


@lru_cache(maxsize=1000)
def compiled(text: str) -> re.Pattern[str]:
    """The compiled pattern of `re`; raises re.error."""
    with catch_warnings():
        simplefilter("ignore")  # the FutureWarning that `re` may read `[[` in another way
        return re.compile(text)


def found(pattern: re.Pattern[str], text: str) -> bool:
    """True if a pattern is found in a text; raises TimeIsUp if that takes too long."""
    bounded = _bounded(pattern)
    if bounded is None:
        return pattern.search(text) is not None
    try:
        return bounded.search(text, timeout=min(seconds_left(), FOREVER)) is not None
    except TimeoutError:
        raise TimeIsUp from None


@lru_cache(maxsize=1000)
def _bounded(pattern: re.Pattern[str]) -> Pattern[str] | None:
    """The pattern compiled by `regex`; None if it has so many repetitions that only `re` can compile it."""
    translated = translate(pattern)
    if translated is None:
        return None
    import regex  # 60 ms, for suites that use patterns

    return regex.compile(translated, cache_pattern=False)


def translate(pattern: re.Pattern[str]) -> str | None:
    """The pattern that finds with `regex` what this one finds with `re`; None if it repeats too much."""
    written = pattern.pattern
    repeats = [int(digits) for digits in re.findall(r"\{(\d+)", written)]
    if prod(filter(None, repeats)) > MAX_REPEAT:
        return None
    if _PARTLY_VERBOSE().search(written):
        return written  # only a parser could find its comments
    token = _VERBOSE_TOKEN() if pattern.flags & re.VERBOSE else _TOKEN()
    return token.sub(_translated, written)


def _translated(token: re.Match[str]) -> str:
    text = token[0]
    if token["escape"]:
        return _OUTSIDE.get(text, text)
    if token["set"]:
        return text[0] + _IN_SET_TOKEN().sub(_in_set, text[1:])
    return f"\\{text}" if token["brace"] or token["blank"] else text


def _in_set(token: re.Match[str]) -> str:
    """A part of a set; `[` is escaped, as `[:alpha:]` is a class for `regex` and not for `re`."""
    return "\\[" if token[0] == "[" else _IN_SET.get(token[0], token[0])
