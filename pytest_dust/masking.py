"""What must not be seen: known secrets and redacted values, masked in whatever is kept or shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import Enum
from fnmatch import fnmatchcase
from functools import lru_cache
from html import escape
from json import dumps
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
"""Characters a secret must have to be masked inside longer texts; a shorter one is masked where it is all."""
LONGEST_SPELLED = 1000
"""Characters of a text whose other spellings are masked too; a longer one is masked as it stands."""
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_DIGITS = re.compile(rf"\+?\d{{{SHORTEST},}}")
"""A number as people write a phone number or an account: with a plus sign or zeros in front."""


class Scope(Enum):
    """Where in a value a redacted number, or a text that is too short to be found in others, is masked."""

    NOWHERE = 0
    LONG_NUMBERS = 1
    """Numbers of at least SHORTEST characters: in a request, a short one may be any other number."""
    VALUES = 2
    """Below each key `value`: there a run holds what its blocks give, elsewhere its own counts and names."""
    EVERYWHERE = 3

    def below(self, key: str) -> Scope:
        """The scope below a key."""
        return Scope.EVERYWHERE if self is Scope.VALUES and key == "value" else self


@dataclass(frozen=True, slots=True)
class Mask:
    """Secrets by their text, and values by where they stand."""

    secrets: tuple[str, ...] = ()
    patterns: tuple[tuple[str, ...], ...] = ()
    whole: frozenset[str] = frozenset()
    """Redacted texts that are too short to be found in others: masked only where they are the whole value."""
    numbers: frozenset[int | float] = frozenset()
    """Secret and redacted numbers."""
    sent: Any = field(default=None, compare=False)
    """The request without its cookies: a text in it is not secret, even if a cookie holds the same."""

    def __repr__(self) -> str:
        """Tell how much is masked, and never what."""
        return f"<Mask of {len(self.secrets)} secrets and {len(self.patterns)} patterns>"

    def text(self, text: str) -> str:
        """The text with every secret, cookie and credential in it masked."""
        return self._text(cookies.without_headers(text))

    def _text(self, text: str) -> str:
        for secret in self.secrets:
            if text == secret or (len(secret) >= SHORTEST and secret in text):
                text = text.replace(secret, MASKED)
        return text

    def value(self, value: Any) -> Any:
        """The JSON value with cookies, secrets in texts and keys, and whatever a pattern names, masked."""
        plain, said = cookies.masked(value)
        return self.knowing(said)._masked(plain, Scope.LONG_NUMBERS)  # noqa: SLF001  # our own

    def answer(self, value: Any) -> Any:
        """An answer of the service with the same masked, and what is redacted; its cookies are so already."""
        return self._masked(value, Scope.VALUES)

    def expected(self, value: Any, *, of_a_block: bool) -> Any:
        """What a suite expects, with the same masked as in what a block gives, or as elsewhere in a run."""
        plain, said = cookies.masked(value)
        scope = Scope.EVERYWHERE if of_a_block else Scope.NOWHERE
        return self.knowing(said)._masked(plain, scope)  # noqa: SLF001  # our own

    def at(self, path: Sequence[object], value: Any) -> Any:
        """What of a value is shown that stands at a path of a request."""
        return self._value(value, tuple(map(str, path)), Scope.LONG_NUMBERS)

    def _masked(self, value: Any, scope: Scope) -> Any:
        idle = not (self.secrets or self.patterns or self.whole or self.numbers)
        return value if idle else self._value(value, (), scope)

    def knowing(self, texts: frozenset[str]) -> Mask:
        """A mask that covers these texts too, as what a cookie said, but none that stands in the request."""
        unknown = {text for text in texts if not _stands_in(self.sent, text)}
        return replace(self, secrets=_longest_first({*self.secrets, *unknown})) if unknown else self

    def covering(self, request: Any) -> Mask:
        """A mask that also covers what patterns name in a request and what its cookies say, anywhere."""
        plain, said = cookies.masked(request)
        mask = replace(self.knowing(said), sent=plain)
        return mask.redacting(self.named(request)) if self.patterns else mask

    def of_case(self, case: Case) -> Mask:
        """A mask that also covers what is redacted of a case and its row, and what its cookies say."""
        return self.covering({"inputs": case.inputs, "config": case.config}).redacting(case.redacted)

    def named(self, request: Any) -> list[str | int | float]:
        """The texts and numbers at or below what the patterns name; none is true, false or null."""
        return list(self._named(request, ())) if self.patterns else []

    def redacting(self, values: Iterable[str | int | float]) -> Mask:
        """A mask that also covers these values, however they are written."""
        texts: set[str] = set()
        numbers: set[int | float] = set()
        for value in values:
            spelled, meant = _of_text(value) if isinstance(value, str) else _of_number(value)
            texts |= spelled
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

    def _value(self, value: Any, path: tuple[str, ...], scope: Scope) -> Any:
        if path and self.names(path):
            return MASKED
        if isinstance(value, str):
            alone = scope is Scope.EVERYWHERE and value in self.whole
            return MASKED if alone else self._text(value)
        if isinstance(value, Mapping):
            return {
                self._text(key): self._value(each, (*path, key), scope.below(key))
                for key, each in value.items()
            }
        if isinstance(value, list | tuple):
            return [self._value(each, (*path, str(at)), scope) for at, each in enumerate(value)]
        return MASKED if self.numbers and self._is_hidden(value, scope) else value

    def _is_hidden(self, value: Any, scope: Scope) -> bool:
        """Whether a value is a redacted number that is masked in this scope."""
        if not _is_number(value) or value not in self.numbers:
            return False
        return scope is Scope.EVERYWHERE or (scope is Scope.LONG_NUMBERS and len(str(value)) >= SHORTEST)

    def _named(self, value: Any, path: tuple[str, ...]) -> Iterator[str | int | float]:
        children: Sequence[tuple[str, Any]] = ()
        if isinstance(value, Mapping):
            children = list(value.items())
        elif isinstance(value, list | tuple):
            children = [(str(at), each) for at, each in enumerate(value)]
        named = bool(path) and self.names(path)
        if named and (_is_number(value) or (isinstance(value, str) and value)):
            yield value
        for key, each in children:
            below = replace(self, patterns=(("*",),)) if named else self
            yield from below._named(each, (*path, key))  # noqa: SLF001  # our own

    def names(self, path: tuple[str, ...]) -> bool:
        """Whether a pattern's steps are the last ones of the path."""
        return any(
            len(pattern) <= len(path) and all(map(fnmatchcase, path[len(path) - len(pattern) :], pattern))
            for pattern in self.patterns
        )


def _stands_in(value: Any, text: str) -> bool:
    """Whether a text stands in a JSON value, in a key or in another text."""
    if isinstance(value, str):
        return text in value
    if isinstance(value, Mapping):
        return any(_stands_in(each, text) for each in (*value, *value.values()))
    return isinstance(value, list | tuple) and any(_stands_in(each, text) for each in value)


def mask(environ: Mapping[str, str], variables: Sequence[str], redact: Sequence[str]) -> Mask:
    """The mask of a session: the API key, the variables that ini lists, and the redacted names."""
    secrets = {environ.get(name, "").strip() for name in (KEY_VARIABLE, *variables)} - {""}
    patterns = tuple(tuple(step for step in _steps(name) if step) for name in redact)
    return Mask(
        _longest_first({spelled for secret in secrets for spelled in _encoded(secret)}),
        tuple(pattern for pattern in patterns if pattern),
        numbers=frozenset(number for secret in secrets for number in _meant(secret)),
    )


def _steps(name: str) -> list[str]:
    """The steps of a dotted name; `inputs[0].email` is taken as `inputs.0.email`."""
    return name.replace("[", ".").replace("]", "").split(".")


def _longest_first(secrets: set[str]) -> tuple[str, ...]:
    """Longest first, so that a secret inside another leaves no rest of it."""
    return tuple(sorted(secrets, key=lambda secret: (-len(secret), secret)))


# ── how a secret may be written ──────────────────────────────────────────────────────────────────


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_long(number: float) -> bool:
    """Whether a number may be one of a phone or an account, which is a secret with another sign too."""
    return isinstance(number, int) and len(str(abs(number))) >= SHORTEST


@lru_cache(maxsize=4096)
def _of_text(text: str) -> tuple[frozenset[str], set[int | float]]:
    """The spellings of a redacted text in which it may come back, and the number that it may be."""
    if len(text) < SHORTEST or len(text) > LONGEST_SPELLED:
        return frozenset({text}), _meant(text)
    cases = {text, text.lower(), text.upper(), text.title(), text.capitalize()}
    return frozenset(spelled for each in cases for spelled in _encoded(each)), _meant(text)


def _of_number(number: float) -> tuple[set[str], set[int | float]]:
    """The spellings of a redacted number in texts, and the number itself."""
    written = Decimal(str(number))
    plain = format(written, "f") if -SHORTEST * 5 < written.adjusted() < SHORTEST * 5 else str(number)
    texts = {str(number), plain, f"{number:,}"}
    texts |= {
        text.rstrip("0").rstrip(".") for text in (str(number), plain) if "." in text and "e" not in text
    }
    return texts, {number}


def _meant(text: str) -> set[int | float]:
    """The numbers that a text may be where a service reads it as one."""
    plain = text.strip()
    if len(plain) > LONGEST_SPELLED or not (_NUMBER.fullmatch(plain) or _DIGITS.fullmatch(plain)):
        return set()
    number = int(plain) if plain.lstrip("+-").isdecimal() else float(plain)
    return {number} if isfinite(number) else set()


def _encoded(text: str) -> set[str]:
    """A text as it stands, and as it stands in an address, in HTML, and in JSON that is itself a text."""
    if not SHORTEST <= len(text) <= LONGEST_SPELLED or _PLAIN.fullmatch(text):
        return {text}
    forms = {text, normalize("NFC", text), normalize("NFD", text)}
    found = set(forms)
    for form in forms:
        whole, path = quote(form, safe="", errors="replace"), quote(form, errors="replace")
        for address in (whole, path, whole.replace("%20", "+"), path.replace("%20", "+")):
            found |= {address, _PERCENT.sub(lambda code: code[0].lower(), address)}
        found |= {escape(form), escape(form, quote=False)}
        for ascii_only in (True, False):
            once = dumps(form, ensure_ascii=ascii_only)[1:-1]
            found |= {once, dumps(once, ensure_ascii=ascii_only)[1:-1]}
    return found


_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")
"""A text that is written alike everywhere."""
_PERCENT = re.compile(r"%[0-9A-F]{2}")
