"""Find and mask cookies and credentials of HTTP headers, so that no cassette and no report holds one.

A `curl` block returns all headers of a reply, an echoing service returns those of the request, and later
blocks may pass them on. The rules, in the order of this module:

1. A header is found by its name: `Set-Cookie`, `Cookie`, `Authorization` and the like, in any spelling.
2. In a JSON value, its value is masked: in mappings, in lists, and in collections of cookies.
3. In a text, such as raw headers or JSON inside a text, its value is masked too.
4. What a masked header says (`sid=abc123`, `abc123`) is returned as a secret, to be masked everywhere else.
"""

from __future__ import annotations

import json
import re
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from pytest_dust.lazy_patterns import lazy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MASKED = "***"
"""The text in place of what is masked."""


class Masked(NamedTuple):
    """A value without its cookies and credentials, and the secrets that these held."""

    value: Any
    secrets: frozenset[str]


_NO_SECRETS: frozenset[str] = frozenset()


def masked(value: Any) -> Masked:
    """Return a JSON value with its cookies and credentials masked, and the secrets that these held."""
    if value is None or isinstance(value, int | float):
        return Masked(value, _NO_SECRETS)
    text = value if isinstance(value, str) else json_text(value)
    if text is not None and not _may_name_one(text):
        return Masked(value, _NO_SECRETS)
    secrets: set[str] = set()
    return Masked(_value(value, secrets, among_headers=False), frozenset(secrets))


def without_headers(text: str) -> str:
    """Return a text with the cookies and credentials of the headers that it quotes masked."""
    return _text(text, set())


def may_hold(text: str) -> bool:
    """Return True if a text, which may be JSON with escapes in it, may name such a header; most do not."""
    return "\\u00" in text or _may_name_one(text)


def json_text(value: Any) -> str | None:
    """Return the JSON text of a value, or None if it has none; searching it is far faster than a walk."""
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return None


def _may_name_one(text: str) -> bool:
    plain = text.lower()
    return "cookie" in plain or "authorization" in plain


# ── 1. names ─────────────────────────────────────────────────────────────────────────────────────

LONGEST_NAME = 60
"""Maximum length of a key that may be the name of a header."""


class Name(Enum):
    """What a key says of its value."""

    OTHER = 0
    SECRET = 1
    """A header that is always masked."""
    AMBIGUOUS = 2
    """A header if it is among headers or its value looks like one; else a shop may sell a `cookie`."""
    HEADERS = 3
    """A collection of headers."""
    COOKIES = 4
    """A collection of cookies, or of what a bakery sells."""


_SECRET = frozenset({"setcookie", "setcookie2", "proxyauthorization"})
_AMBIGUOUS = frozenset({"cookie", "cookie2", "authorization"})
_COOKIES = frozenset({"cookies", "cookiejar", "setcookies", "requestcookies", "responsecookies"})


@lru_cache(maxsize=4096)
def name_of(key: str) -> Name:
    """Return what a key says of its value, in any spelling: `Set-Cookie`, `setCookie`, `HTTP_COOKIE`."""
    if len(key) > LONGEST_NAME:
        return Name.OTHER
    plain = re.sub(r"[-_\s:]", "", key.lower()).removeprefix("http")  # CGI's prefix
    if plain in _SECRET:
        return Name.SECRET
    if plain in _AMBIGUOUS:
        return Name.AMBIGUOUS
    if plain in _COOKIES:
        return Name.COOKIES
    return Name.HEADERS if plain.endswith(("headers", "header")) else Name.OTHER


# ── 2. JSON values ───────────────────────────────────────────────────────────────────────────────

_PAIR_NAMES = ("name", "key", "header", "field", "k")
_PAIR_VALUES = ("value", "values", "v")
"""The keys of a mapping that holds one header: `{name: Set-Cookie, value: …}`."""


def _value(value: Any, secrets: set[str], *, among_headers: bool) -> Any:
    """Return a value with its headers masked, and add the secrets that these held to `secrets`."""
    if isinstance(value, str):
        return _text(value, secrets)
    if isinstance(value, dict):
        return _mapping(value, secrets, among_headers=among_headers)
    if isinstance(value, list | tuple):
        return _list(value, secrets, among_headers=among_headers)
    return value


def _mapping(value: dict[str, Any], secrets: set[str], *, among_headers: bool) -> dict[str, Any]:
    """Mask a mapping: its keys are the names of headers, or it holds one header as a name and a value."""
    pair_name = next((value[key] for key in _PAIR_NAMES if isinstance(value.get(key), str)), "")
    found: dict[str, Any] = {}
    for key, each in value.items():
        name = name_of(pair_name) if pair_name and key in _PAIR_VALUES else name_of(key)
        if _is_secret(name, each, among_headers=among_headers):
            secrets.update(_secrets_in(each))
            found[key] = MASKED
        elif name is Name.COOKIES:
            found[key] = _collection(each, secrets)
        else:
            below = among_headers or name is Name.HEADERS
            found[_text(key, secrets)] = _value(each, secrets, among_headers=below)
    return found


def _list(values: Sequence[Any], secrets: set[str], *, among_headers: bool) -> list[Any]:
    """Mask a list: in `[name, value]` and `[name, value, name, value, …]`, a value follows its name."""
    found: list[Any] = []
    before: Any = None
    for each in values:
        name = name_of(before) if isinstance(before, str) else Name.OTHER
        if _is_secret(name, each, among_headers=among_headers):
            secrets.update(_secrets_in(each))
            found.append(MASKED)
        else:
            found.append(_value(each, secrets, among_headers=among_headers))
        before = each
    return found


def _is_secret(name: Name, value: Any, *, among_headers: bool) -> bool:
    """Return True if a value under such a name is the value of a header that must be masked."""
    if name in (Name.OTHER, Name.HEADERS) or value is None or isinstance(value, bool):
        return False
    if name is Name.SECRET:
        return isinstance(value, str | list | tuple | dict)
    return among_headers or any(map(_LOOKS_SECRET().match, _texts(value)))


def _collection(value: Any, secrets: set[str]) -> Any:
    """Mask a collection of cookies: by their names, each as a mapping, or each as it is sent."""
    match value:
        case {"name": str(name), "value": str(text)}:
            whole = _value(value, secrets, among_headers=False)
            return {**whole, "value": _cookie(name, text, secrets)}
        case dict():
            return {name: _cookie(name, each, secrets) for name, each in value.items()}
        case list() | tuple():
            return [_collection(each, secrets) for each in value]
        case str() if _LOOKS_SECRET().match(value):
            secrets.update(_secrets_in(value))
            return MASKED
    return _value(value, secrets, among_headers=False)


def _cookie(name: str, value: Any, secrets: set[str]) -> Any:
    """Mask the value of a cookie, unless it looks like a word or a price: a bakery sells cookies too."""
    if isinstance(value, str) and (_SESSION().search(name) or _is_distinctive(value)):
        secrets.update(_secrets_in(f"{name}={value}"))
        return MASKED
    return _value(value, secrets, among_headers=False)


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts in a value, except the keys of mappings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))


# ── 3. texts ─────────────────────────────────────────────────────────────────────────────────────

SHORTEST_TEXT = 10
"""Minimum length of a text that may hold a header with its value."""
_COOKIE = r"[^\s=;,:\"'\\]+=(?:\\*\")?[^\s;,\"'\\]+"
"""`sid=abc`, or `sid="abc"`."""
_CREDENTIAL = r"(?:basic|bearer|digest|token|apikey|negotiate|ntlm|aws4-hmac-sha256)\s+[^\s\"'\\]+"
"""`Bearer abc`."""
_LOOKS_SECRET = lazy(rf"\s*(?:{_COOKIE}|{_CREDENTIAL})", re.IGNORECASE)
_QUOTED = r"b?(?P<{0}>\\*[\"'])(?:(?!(?<!\\)(?P={0}))[^\r\n])*(?P={0})"
"""A text in quotes, which JSON inside a text writes with backslashes before them; {0} is a group's name."""
_HEADER = lazy(
    rf"""
    # The name, also in quotes, in bold (Markdown), or in quotes of HTML; then `:`, `=`, `,` or `=>`.
    (?<![a-z]) (?: (?P<secret> set[-_]?cookie2? | proxy[-_]?authorization ) | cookie2? | authorization )
    (?: \\*["'] | \*{{1,2}} | &(?:quot|\#34); )? \s* (?: => | [:=,] ) \**\s*
    # The value: a list of texts in quotes, one text in quotes, a credential, or cookies.
    (?P<value>
        \[ (?: \s* {_QUOTED.format("each")} \s* ,? )+ \]?
        | {_QUOTED.format("quote")}
        | (?: \\*["'] | &(?:quot|\#34); )?
          (?: {_CREDENTIAL} | {_COOKIE} (?(secret) [^\r\n]* | (?: ;\s*{_COOKIE} )* ) )
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)


def _text(text: str, secrets: set[str]) -> str:
    """Return a text with the headers that it quotes masked, and add the secrets that these held."""
    if len(text) < SHORTEST_TEXT or not _may_name_one(text):
        return text
    if "%3" in text:  # `:` or `=` in an address: nothing is masked here, but where the secret is found again
        for found in filter(_is_secret_header, _HEADER().finditer(unquote(text))):
            secrets.update(_secrets_in(found["value"]))

    def mask(found: re.Match[str]) -> str:
        value = found["value"]
        if not _is_secret_header(found):
            return found[0]
        secrets.update(_secrets_in(value))
        quote = found["each"] or found["quote"] or ""
        return f"{found[0].removesuffix(value)}{quote}{MASKED}{quote}"

    return _HEADER().sub(mask, text)


def _is_secret_header(found: re.Match[str]) -> bool:
    """Return True if a header in a text must be masked: by its name, or because its value looks like one."""
    return bool(found["secret"] or _LOOKS_SECRET().search(found["value"]))


# ── 4. secrets ───────────────────────────────────────────────────────────────────────────────────

SHORT, MIDDLE, LONG = 6, 10, 16
"""Minimum lengths of a secret that is masked everywhere: of a session's cookie or a credential, SHORT for
letters and digits, MIDDLE for digits without letters, LONG for all else; of any other cookie, LONG, with
letters and digits.
"""
_SESSION = lazy(r"sess|sid$|auth|token|csrf|xsrf|jwt|secret|login|passw|credential|ticket", re.IGNORECASE)
"""What the name of a cookie contains if it identifies a session or a user."""
_ATTRIBUTES = frozenset({"path", "domain", "expires", "max-age", "samesite", "version", "comment", "port"})
_PART = lazy(rf"{_COOKIE}|{_CREDENTIAL}", re.IGNORECASE)
"""One cookie, one attribute of a cookie, or one credential."""
_IS_CREDENTIAL = lazy(_CREDENTIAL, re.IGNORECASE)


def _secrets_in(value: Any) -> Iterator[str]:
    """Yield the secrets in the value of a header that are distinctive enough to be masked everywhere."""
    for text in _texts(value):
        for part in [found[0] for found in _PART().finditer(text)] or [text]:
            yield from _secrets_of(part)


def _secrets_of(part: str) -> Iterator[str]:
    """Yield a cookie, its value and its decoded value, if distinctive; nothing for an attribute."""
    name, equals, secret = part.partition("=")
    if equals and name.lower() in _ATTRIBUTES:
        return
    if not equals or _IS_CREDENTIAL().match(part):
        name, secret = "", part.rpartition(" ")[2]
    secret = secret.lstrip('\\"')
    of_session = not name or _SESSION().search(name) is not None
    if _is_distinctive(part):
        yield part
    for form in (secret, unquote(secret)):
        if _is_distinctive(form, of_session=of_session):
            yield form


def _is_distinctive(text: str, *, of_session: bool = True) -> bool:
    """Return True if the same text elsewhere must be the same secret; see SHORT, MIDDLE and LONG."""
    digits, letters = any(map(str.isdigit, text)), any(map(str.isalpha, text))
    if not of_session:
        return digits and letters and len(text) >= LONG
    least = SHORT if digits and letters else MIDDLE if digits else LONG
    return len(text) >= least and not any(map(str.isspace, text))
