"""Masking of secrets, redacted values and cookies in everything that is written to a file or shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import Enum
from fnmatch import fnmatchcase
from functools import lru_cache
from html import escape
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeGuard
from unicodedata import normalize
from urllib.parse import quote

from pytest_dust import cookies
from pytest_dust.constants import KEY_VARIABLE
from pytest_dust.cookies import MASKED

if TYPE_CHECKING:
    from pytest_dust.model import Case

SHORTEST = 6
"""Minimum length of a secret that is masked inside longer texts; a shorter one must be the whole text."""
LONGEST_SPELLED = 1000
"""Maximum length of a text whose other spellings are masked too; a longer one is masked only as it is."""
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_DIGITS = re.compile(rf"\+?\d{{{SHORTEST},}}")
"""A phone or account number: it may begin with a plus sign or zeros."""


class Scope(Enum):
    """The part of a value in which redacted numbers, and redacted texts shorter than SHORTEST, are masked."""

    NOWHERE = 0
    LONG_NUMBERS = 1
    """Only numbers of at least SHORTEST characters: in a request, a shorter number may mean anything."""
    VALUES = 2
    """Below each key `value`, which holds the output of a block; the rest of a run is counts and names."""
    EVERYWHERE = 3

    def below(self, key: str) -> Scope:
        """Return the scope below a key."""
        return Scope.EVERYWHERE if self is Scope.VALUES and key == "value" else self


@dataclass(frozen=True, slots=True)
class Mask:
    """Replaces secrets, wherever they are, and the values at the paths that patterns match."""

    secrets: tuple[str, ...] = ()
    """Secret texts, the longest first."""
    patterns: tuple[tuple[str, ...], ...] = ()
    """The last steps of redacted paths; a step may hold the wildcards of fnmatch."""
    whole: frozenset[str] = frozenset()
    """Redacted texts shorter than SHORTEST: masked only where one is the whole value."""
    numbers: frozenset[int | float] = frozenset()
    """Secret and redacted numbers."""
    sent: Any = field(default=None, compare=False)
    """The request without its cookies. A text in it is no secret, even if a cookie holds the same text."""

    def __repr__(self) -> str:
        """Return how much is masked, but none of it."""
        return f"<Mask of {len(self.secrets)} secrets and {len(self.patterns)} patterns>"

    # ── masking ──────────────────────────────────────────────────────────────────────────────────

    def text(self, text: str) -> str:
        """Return a text with all secrets, cookies and credentials masked."""
        return self._text(cookies.without_headers(text))

    def may_change_texts_in(self, value: Any) -> bool:
        """Return False if `text` changes no text in a JSON value; searching its JSON text saves a walk."""
        text = cookies.json_text(value)
        if text is None or cookies.may_hold(text):
            return True
        return any(_in_json(secret) in text for secret in self.secrets)

    def value(self, value: Any) -> Any:
        """Return a JSON value with cookies, secrets (in keys too) and the values at redacted paths masked."""
        return self._masked_with_cookies(value, Scope.LONG_NUMBERS)

    def answer(self, value: Any) -> Any:
        """Return an answer of the service, whose cookies are masked already, with all else masked."""
        return self._masked(value, Scope.VALUES)

    def request(self) -> Any:
        """Return the request that this mask covers (`covering`), masked."""
        return self._masked(self.sent, Scope.LONG_NUMBERS)

    def leaves(self, value: Any) -> bool:
        """Return True if it is plain at once that nothing in a value is masked; most masks hide nothing."""
        if self.secrets or self.patterns or self.whole or self.numbers:
            return False
        return not cookies.may_hold(value) if isinstance(value, str) else _is_simple(value)

    def expected(self, value: Any, *, of_a_block: bool) -> Any:
        """Return a value that a suite expects, masked like a block's output or like the rest of a run."""
        return self._masked_with_cookies(value, Scope.EVERYWHERE if of_a_block else Scope.NOWHERE)

    def at(self, path: Sequence[object], value: Any) -> Any:
        """Return the value at a path of a request, masked."""
        return self._value(value, tuple(map(str, path)), Scope.LONG_NUMBERS)

    def _masked_with_cookies(self, value: Any, scope: Scope) -> Any:
        plain, secrets = cookies.masked(value)
        return self.with_secrets(secrets)._masked(plain, scope)  # noqa: SLF001  # our own

    def _masked(self, value: Any, scope: Scope) -> Any:
        return self._value(value, (), scope) if self._may_change(value) else value

    def _may_change(self, value: Any) -> bool:
        """Return False if nothing in a value can be masked; a search in its JSON text saves the walk."""
        if self.patterns or self.whole or self.numbers:
            return True
        if not self.secrets:
            return False
        text = cookies.json_text(value)
        return text is None or any(_in_json(secret) in text for secret in self.secrets)

    def _value(self, value: Any, path: tuple[str, ...], scope: Scope) -> Any:
        if self.names(path):
            return MASKED
        if isinstance(value, str):
            return MASKED if scope is Scope.EVERYWHERE and value in self.whole else self._text(value)
        if isinstance(value, dict):
            return {
                self._text(key): self._value(each, (*path, key), scope.below(key))
                for key, each in value.items()
            }
        if isinstance(value, list | tuple):
            return [self._value(each, (*path, str(at)), scope) for at, each in enumerate(value)]
        return MASKED if self.numbers and self._is_hidden(value, scope) else value

    def _text(self, text: str) -> str:
        for secret in self.secrets:
            if text == secret or (len(secret) >= SHORTEST and secret in text):
                text = text.replace(secret, MASKED)
        return text

    def _is_hidden(self, value: Any, scope: Scope) -> bool:
        """Return True if a value is a redacted number that is masked in this scope."""
        if not _is_number(value) or value not in self.numbers:
            return False
        return scope is Scope.EVERYWHERE or (scope is Scope.LONG_NUMBERS and len(str(value)) >= SHORTEST)

    def names(self, path: tuple[str, ...]) -> bool:
        """Return True if a pattern matches the last steps of a path."""
        if not self.patterns or not path:
            return False
        return any(_ends_with(path, pattern) for pattern in _ending_in(self.patterns, path[-1]))

    # ── what is masked ───────────────────────────────────────────────────────────────────────────

    def covering(self, request: Any) -> Mask:
        """Return a mask that also masks, everywhere, a request's cookies and the values at redacted paths."""
        plain, secrets = cookies.masked(request)
        return replace(self.with_secrets(secrets), sent=plain).redacting(self.named(request))

    def of_case(self, case: Case) -> Mask:
        """Return a mask that also masks a case's cookies and what is redacted of it and of its row."""
        return self.covering({"inputs": case.inputs, "config": case.config}).redacting(case.redacted)

    def with_secrets(self, texts: frozenset[str]) -> Mask:
        """Return a mask that also masks these texts, such as cookies, except those that the request holds."""
        if not texts:
            return self
        unknown = {text for text in texts if not _holds(self.sent, text)}
        return replace(self, secrets=_longest_first({*self.secrets, *unknown})) if unknown else self

    def redacting(self, values: Iterable[str | int | float]) -> Mask:
        """Return a mask that also masks these values, in each of their spellings."""
        texts: set[str] = set()
        numbers: set[int | float] = set()
        for value in values:
            spellings, meant = _of_text(value) if isinstance(value, str) else _of_number(value)
            texts |= spellings
            numbers |= meant
        if not texts and not numbers:
            return self
        long = {text for text in texts if len(text) >= SHORTEST}
        return replace(
            self,
            secrets=_longest_first({*self.secrets, *long}),
            whole=self.whole | (texts - long),
            numbers=self.numbers | numbers | {-each for each in numbers if _is_long(each)},
        )

    def named(self, request: Any) -> list[str | int | float]:
        """Return the texts and numbers at or below the redacted paths; true, false, null and "" are none."""
        return list(self._named(request, (), inside=False)) if self.patterns else []

    def _named(self, value: Any, path: tuple[str, ...], *, inside: bool) -> Iterator[str | int | float]:
        """Yield the texts and numbers at or below the redacted paths; `inside` if one leads here."""
        inside = inside or self.names(path)
        if inside and (_is_number(value) or (isinstance(value, str) and value)):
            yield value
        for step, each in _children(value):
            yield from self._named(each, (*path, step), inside=inside)


def _is_simple(value: Any) -> bool:
    return value is None or isinstance(value, int | float)


def mask(environ: Mapping[str, str], variables: Sequence[str], redact: Sequence[str]) -> Mask:
    """Return the mask of a session: the API key, the listed variables, and the redacted paths."""
    secrets = {environ.get(name, "").strip() for name in (KEY_VARIABLE, *variables)} - {""}
    patterns = tuple(tuple(step for step in _steps(name) if step) for name in redact)
    return Mask(
        _longest_first({spelling for secret in secrets for spelling in _encoded(secret)}),
        tuple(pattern for pattern in patterns if pattern),
        numbers=frozenset(number for secret in secrets for number in _meant(secret)),
    )


def _longest_first(secrets: set[str]) -> tuple[str, ...]:
    """Return secrets, the longest first, so that a secret inside another leaves nothing of it."""
    return tuple(sorted(secrets, key=lambda secret: (-len(secret), secret)))


# ── values and paths ─────────────────────────────────────────────────────────────────────────────


def _children(value: Any) -> Iterable[tuple[str, Any]]:
    """Return the elements of a mapping or list, each with its step; other values have none."""
    if isinstance(value, dict):
        return value.items()
    return ((str(at), each) for at, each in enumerate(value)) if isinstance(value, list | tuple) else ()


def _holds(value: Any, text: str) -> bool:
    """Return True if a JSON value has a text in it, in a key or in another text."""
    if isinstance(value, str):
        return text in value
    return any(text in step or _holds(each, text) for step, each in _children(value))


@lru_cache(maxsize=4096)
def _in_json(text: str) -> str:
    """Return a text as it is inside the JSON text of a value."""
    return json.dumps(text)[1:-1]


def _steps(name: str) -> list[str]:
    """Return the steps of a dotted name; `inputs[0].email` is the same as `inputs.0.email`."""
    return name.replace("[", ".").replace("]", "").split(".")


@lru_cache(maxsize=4096)
def _ending_in(patterns: tuple[tuple[str, ...], ...], step: str) -> tuple[tuple[str, ...], ...]:
    """Return the patterns whose last step matches; for nearly all steps of a value there is none."""
    return tuple(pattern for pattern in patterns if fnmatchcase(step, pattern[-1]))


def _ends_with(path: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """Return True if the last steps of a path match the steps of a pattern."""
    return len(pattern) <= len(path) and all(map(fnmatchcase, path[-len(pattern) :], pattern))


# ── spellings of a secret ────────────────────────────────────────────────────────────────────────


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_long(number: float) -> bool:
    """Return True if a number may be a phone or account number, which is a secret with either sign."""
    return isinstance(number, int) and len(str(abs(number))) >= SHORTEST


@lru_cache(maxsize=4096)
def _of_text(text: str) -> tuple[frozenset[str], set[int | float]]:
    """Return the spellings in which an app may repeat a redacted text, and the number that it may mean."""
    if len(text) < SHORTEST or len(text) > LONGEST_SPELLED:
        return frozenset({text}), _meant(text)
    cases = {text, text.lower(), text.upper(), text.title(), text.capitalize()}
    return frozenset(spelling for each in cases for spelling in _encoded(each)), _meant(text)


def _of_number(number: float) -> tuple[set[str], set[int | float]]:
    """Return the spellings of a redacted number in texts, and the number itself."""
    written = Decimal(str(number))
    plain = format(written, "f") if -SHORTEST * 5 < written.adjusted() < SHORTEST * 5 else str(number)
    texts = {str(number), plain, f"{number:,}"}
    texts |= {
        text.rstrip("0").rstrip(".") for text in (str(number), plain) if "." in text and "e" not in text
    }
    return texts, {number}


def _meant(text: str) -> set[int | float]:
    """Return the number that a service may read in a text, or nothing."""
    plain = text.strip()
    if len(plain) > LONGEST_SPELLED or not (_NUMBER.fullmatch(plain) or _DIGITS.fullmatch(plain)):
        return set()
    number = int(plain) if plain.lstrip("+-").isdecimal() else float(plain)
    return {number} if isfinite(number) else set()


def _encoded(text: str) -> set[str]:
    """Return a text as it is, and as it is written in addresses, in HTML, and in JSON inside a text."""
    if not SHORTEST <= len(text) <= LONGEST_SPELLED or _PLAIN.fullmatch(text):
        return {text}
    found = {text, normalize("NFC", text), normalize("NFD", text)}
    for form in tuple(found):
        found |= {*_in_addresses(form), escape(form), escape(form, quote=False)}
        for ascii_only in (True, False):
            once = json.dumps(form, ensure_ascii=ascii_only)[1:-1]
            found |= {once, json.dumps(once, ensure_ascii=ascii_only)[1:-1]}
    return found


def _in_addresses(text: str) -> Iterator[str]:
    """Yield the ways to write a text in an address: `/` as it is or encoded, hex digits of either case."""
    for encoded in (quote(text, safe="", errors="replace"), quote(text, errors="replace")):
        for address in (encoded, encoded.replace("%20", "+")):
            yield address
            yield _PERCENT.sub(lambda code: code[0].lower(), address)


_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")
"""A text that is written alike everywhere."""
_PERCENT = re.compile(r"%[0-9A-F]{2}")
