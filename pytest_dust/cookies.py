"""Cookies and credentials of HTTP headers, masked wherever they stand: no cassette and no report holds one.

A `curl` block gives all headers of a reply, an echoing service gives those of the request, and later
blocks may pass them on. A header is known by its name in mappings, in lists and in texts. What a cookie or
a credential says is then masked in the rest of the same value too.
"""

from __future__ import annotations

import json
import re
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MASKED = "***"
LONGEST_NAME = 60
"""Characters of a key that may be the name of a header."""
SHORTEST_TEXT = 10
"""Characters of the shortest text that may hold a header with its value."""
SHORT, MIDDLE, LONG = 6, 10, 16
"""The least characters of a session's cookie that is masked elsewhere too: SHORT with letters and digits,
MIDDLE with digits alone, LONG with letters alone.

The value of any other cookie needs LONG characters, with letters and digits.
"""


class Name(Enum):
    """What a key says of its value."""

    OTHER = 0
    SECRET = 1
    """A header that is always masked."""
    PERHAPS = 2
    """A header, if it stands among headers or its value looks like one: a shop may sell a `cookie`."""
    HEADERS = 3
    """A collection of headers."""
    JAR = 4
    """A collection of cookies; the same word may name what a bakery sells."""


_SECRET = frozenset({"setcookie", "setcookie2", "proxyauthorization"})
_PERHAPS = frozenset({"cookie", "cookie2", "authorization"})
_JAR = frozenset({"cookies", "cookiejar", "setcookies", "requestcookies", "responsecookies"})
_SESSION = re.compile(
    r"sess|sid$|auth|token|csrf|xsrf|jwt|secret|login|passw|credential|ticket", re.IGNORECASE
)
"""What the names of cookies contain that identify a session or a user."""
_ATTRIBUTES = frozenset({"path", "domain", "expires", "max-age", "samesite", "version", "comment", "port"})
_PAIR_NAMES = ("name", "key", "header", "field", "k")
_PAIR_VALUES = ("value", "values", "v")

_COOKIE = r"[^\s=;,:\"'\\]+=(?:\\*\")?[^\s;,\"'\\]+"
"""`sid=abc`, or `sid="abc"`."""
_CREDENTIAL = r"(?:basic|bearer|digest|token|apikey|negotiate|ntlm|aws4-hmac-sha256)\s+[^\s\"'\\]+"
_LOOKS_SECRET = re.compile(rf"\s*(?:{_COOKIE}|{_CREDENTIAL})", re.IGNORECASE)
_QUOTED = r"b?(?P<{0}>\\*[\"'])(?:(?!(?<!\\)(?P={0}))[^\r\n])*(?P={0})"
_IN_TEXT = re.compile(
    rf"""
    (?<![a-z]) (?: (?P<secret> set[-_]?cookie2? | proxy[-_]?authorization ) | cookie2? | authorization )
    (?: \\*["'] | \*{{1,2}} | &(?:quot|\#34); )? \s* (?: => | [:=,] ) \**\s*
    (?P<value>
        \[ (?: \s* {_QUOTED.format("each")} \s* ,? )+ \]?
        | {_QUOTED.format("quote")}
        | (?: \\*["'] | &(?:quot|\#34); )?
          (?: {_CREDENTIAL} | {_COOKIE} (?(secret) [^\r\n]* | (?: ;\s*{_COOKIE} )* ) )
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_SAYS = re.compile(rf"{_COOKIE}|{_CREDENTIAL}", re.IGNORECASE)


class Masked(NamedTuple):
    """A value without its cookies, and what these said, as far as it is long enough to be told apart."""

    value: Any
    said: frozenset[str]


def may_hold(text: str) -> bool:
    """Whether a text may hold the name of such a header, which most do not; it may also be JSON."""
    return "\\u00" in text or _names_one(text)


def _may_name_one(value: Any) -> bool:
    """Whether such a name stands anywhere in a value; its JSON text tells ten times as fast as a walk."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return True
    return _names_one(text)


def _names_one(text: str) -> bool:
    plain = text.lower()
    return "cookie" in plain or "authorization" in plain


def masked(value: Any) -> Masked:
    """A JSON value with the headers masked that are cookies or credentials."""
    if not _may_name_one(value):
        return Masked(value, frozenset())
    said: set[str] = set()
    return Masked(_masked(value, said, among_headers=False), frozenset(said))


def without_headers(text: str) -> str:
    """A text with what it quotes of such headers masked."""
    return _text(text, set())


def _masked(value: Any, said: set[str], *, among_headers: bool) -> Any:
    if isinstance(value, str):
        return _text(value, said)
    if isinstance(value, dict):
        return _mapping(value, said, among_headers=among_headers)
    if isinstance(value, list | tuple):
        return _list(value, said, among_headers=among_headers)
    return value


def _mapping(value: dict[str, Any], said: set[str], *, among_headers: bool) -> dict[str, Any]:
    """A mapping of headers by name, one header with its name and value apart, or any other."""
    name = next((value[each] for each in _PAIR_NAMES if isinstance(value.get(each), str)), "")
    found: dict[str, Any] = {}
    for key, each in value.items():
        known = name_of(name) if name and key in _PAIR_VALUES else name_of(key)
        if _is_secret(known, each, among_headers=among_headers):
            said.update(_said(each))
            found[key] = MASKED
        elif known is Name.JAR:
            found[key] = _jar(each, said)
        else:
            below = among_headers or known is Name.HEADERS
            found[_text(key, said)] = _masked(each, said, among_headers=below)
    return found


def _list(values: Sequence[Any], said: set[str], *, among_headers: bool) -> list[Any]:
    """A list; in `[name, value]` and in `[name, value, name, value, …]` a value follows its header's name."""
    found: list[Any] = []
    before: Any = None
    for each in values:
        known = name_of(before) if isinstance(before, str) else Name.OTHER
        if _is_secret(known, each, among_headers=among_headers):
            said.update(_said(each))
            found.append(MASKED)
        else:
            found.append(_masked(each, said, among_headers=among_headers))
        before = each
    return found


def _jar(value: Any, said: set[str]) -> Any:
    """A collection of cookies: by their names, each as a mapping of its own, or as they are sent."""
    match value:
        case {"name": str(name), "value": str(text)}:
            return {**_masked(value, said, among_headers=False), "value": _cookie(name, text, said)}
        case dict():
            return {name: _cookie(name, each, said) for name, each in value.items()}
        case list() | tuple():
            return [_jar(each, said) for each in value]
        case str() if _LOOKS_SECRET.match(value):
            said.update(_said(value))
            return MASKED
    return _masked(value, said, among_headers=False)


def _cookie(name: str, value: Any, said: set[str]) -> Any:
    """The value of a cookie, masked unless it looks like a word or a price: a bakery sells cookies too."""
    if not isinstance(value, str) or not (_SESSION.search(name) or _is_known_again(value)):
        return _masked(value, said, among_headers=False)
    said.update(_said(f"{name}={value}"))
    return MASKED


@lru_cache(maxsize=4096)
def name_of(key: str) -> Name:
    """What a key says of its value, in whatever letters it is written: `Set-Cookie`, `setCookie`."""
    if len(key) > LONGEST_NAME:
        return Name.OTHER
    plain = re.sub(r"[-_\s:]", "", key.lower()).removeprefix("http")  # as CGI names them: HTTP_COOKIE
    if plain in _SECRET:
        return Name.SECRET
    if plain in _PERHAPS:
        return Name.PERHAPS
    if plain in _JAR:
        return Name.JAR
    return Name.HEADERS if plain.endswith(("headers", "header")) else Name.OTHER


def _is_secret(name: Name, value: Any, *, among_headers: bool) -> bool:
    """Whether a value is that of a header that must not be kept."""
    if name is Name.OTHER or name is Name.HEADERS or value is None or isinstance(value, bool):
        return False
    if name is Name.SECRET:
        return isinstance(value, str | list | tuple | dict)
    return among_headers or any(map(_LOOKS_SECRET.match, _texts(value)))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))


def _said(value: Any) -> Iterator[str]:
    """What the texts of cookies and credentials say: each cookie with its name and without, no attributes."""
    for text in _texts(value):
        for pair in [found[0] for found in _SAYS.finditer(text)] or [text]:
            name, equals, secret = pair.partition("=")
            if equals and name.lower() in _ATTRIBUTES:
                continue
            if not equals or re.match(_CREDENTIAL, pair, re.IGNORECASE):
                name, secret = "", pair.rpartition(" ")[2]
            secret = secret.lstrip('\\"')
            opens = not name or _SESSION.search(name) is not None
            yield from (each for each in {pair, secret} if _is_known_again(each, opens=opens or each is pair))
            if (plain := unquote(secret)) != secret and _is_known_again(plain, opens=opens):
                yield plain


def _is_known_again(text: str, *, opens: bool = True) -> bool:
    """Whether a text is so special that the same text elsewhere must be the same secret.

    `opens` says that the text belongs to a cookie of a session; then a shorter one is special enough.
    """
    mixed = any(map(str.isdigit, text)) and any(map(str.isalpha, text))
    if not opens:
        return mixed and len(text) >= LONG
    least = SHORT if mixed else MIDDLE if any(map(str.isdigit, text)) else LONG
    return len(text) >= least and not any(map(str.isspace, text))


def _is_secret_header(found: re.Match[str]) -> bool:
    """Whether a header in a text is one that must not be kept."""
    return bool(found["secret"] or _LOOKS_SECRET.search(found["value"]))


def _text(text: str, said: set[str]) -> str:
    """A text with what it quotes of such headers masked, and what they say noted."""
    if len(text) < SHORTEST_TEXT or not _names_one(text):
        return text
    if "%3" in text:  # the `:` or `=` of a header in an address; its cookie is masked once it is known
        for found in filter(_is_secret_header, _IN_TEXT.finditer(unquote(text))):
            said.update(_said(found["value"]))

    def mask(found: re.Match[str]) -> str:
        value = found["value"]
        if not _is_secret_header(found):
            return found[0]
        said.update(_said(value))
        quote = found["each"] or found["quote"] or ""
        return f"{found[0].removesuffix(value)}{quote}{MASKED}{quote}"

    return _IN_TEXT.sub(mask, text)
