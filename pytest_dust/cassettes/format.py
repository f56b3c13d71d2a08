"""A cassette, the recorded run of one case, to JSON text and back."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pytest_dust.cassettes.layout import laid_out
from pytest_dust.cassettes.shortened import restore, shorten
from pytest_dust.cookies import may_hold
from pytest_dust.errors import CassetteError
from pytest_dust.files import git_marks
from pytest_dust.json_values import decode, ordered
from pytest_dust.lazy_patterns import lazy
from pytest_dust.masking import Mask
from pytest_dust.model import Event, Exchange, Flavor, Json, Reply, Specification

VERSION = 2
"""The version that is written."""
VERSIONS = (1, VERSION)
"""The versions that are read. In version 1 each value is on a line of its own and nothing is left out."""
KEPT_HEADERS = frozenset({"content-type"})
"""The reply's headers that a replay needs; all others stay out of cassettes."""


LARGEST = 1e9
"""More than any status, duration or offset."""
PIECE = 64 * 1024
"""Number of characters of a text that are searched at a time."""
LONGEST_WORD = 20
"""More than the length of any word that is searched."""
_MARKUP = lazy(r"\s*<(?:!doctype\s+(html)|(html|head|body)\b|[?!a-z])", re.IGNORECASE)


class Cassette(Struct, frozen=True):
    """A recorded run, and the request that it answers."""

    recorded_at: str
    request: Mapping[str, Json]
    replies: tuple[Reply, ...]
    """One, or one for each attempt of a repeated case."""
    specification: Specification | None = None
    notes: Mapping[str, Json] | None = None
    """What is kept beside a pending answer; None in a cassette."""
    masked: bool = False
    """Whether the file shows values that are masked now."""


def redacted(cassette: Cassette, mask: Mask) -> Cassette:
    """The cassette with its replies masked: it may have been recorded before something was redacted."""
    if not mask.patterns:
        return cassette
    replies = tuple(_redacted(reply, mask) for reply in cassette.replies)
    return replace(cassette, replies=replies, masked=cassette.masked or replies != cassette.replies)


def _redacted(reply: Reply, mask: Mask) -> Reply:
    def masked(exchange: Exchange) -> Exchange:
        if exchange.events is None:
            return replace(exchange, body=mask.answer(exchange.body))
        events = tuple(each._replace(data=mask.answer(each.data)) for each in exchange.events)
        return replace(exchange, events=events)

    return replace(reply, exchanges=tuple(map(masked, reply.exchanges)))


# ── writing ──────────────────────────────────────────────────────────────────────────────────────


def dumps(
    request: Mapping[str, Json],
    replies: Sequence[Reply],
    recorded_at: str,
    specification: Specification | None = None,
    notes: Mapping[str, Json] | None = None,
) -> bytes:
    """The UTF-8 bytes of a cassette; `request` is what `binding.bound` returns, masked.

    `notes` are kept with a pending answer.
    """
    attempts = [_attempt(reply) for reply in replies]
    document = {
        "version": VERSION,
        "recorded_at": recorded_at,
        "request": ordered(request),
        **({"attempts": attempts} if "repeat" in request else attempts[0]),
        **({} if specification is None else _kept(specification)),
    }
    shorten(document)
    if notes is not None:
        document["pending"] = ordered(notes)
    # JSON may hold half of a surrogate pair and UTF-8 may not: it is written as JSON's escape.
    return laid_out(document).encode("utf-8", "backslashreplace")


def _kept(specification: Specification) -> dict[str, Any]:
    return {"specification_ran": specification.ran, "specification": ordered(specification.blocks)}


def _attempt(reply: Reply) -> dict[str, Any]:
    return {
        "flavor": str(reply.flavor),
        "exchanges": [_written(exchange) for exchange in reply.exchanges],
        "duration": round(reply.duration, 3),
    }


def _written(exchange: Exchange) -> dict[str, Any]:
    written: dict[str, Any] = {
        "request": f"{exchange.method} {exchange.path}",
        "status": exchange.status,
        "headers": {name: value for name, value in exchange.headers.items() if name in KEPT_HEADERS},
    }
    if exchange.events is None:
        return {**written, "body": ordered(exchange.body)}
    return {**written, "events": [{"at": event.at, "data": ordered(event.data)} for event in exchange.events]}


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def loads(source: bytes) -> Cassette:
    """The cassette in a file's bytes; raises CassetteError saying what is wrong with it."""
    return parse(text_of(source))


def text_of(source: bytes) -> str:
    """The text in a file's bytes; raises CassetteError if they are not UTF-8."""
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CassetteError(_no_text(source)) from None


def _no_text(source: bytes) -> str:
    """What is wrong with bytes that are not UTF-8."""
    if source.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
        return "is not UTF-8 text but UTF-16 or UTF-32; save it as UTF-8"
    if source.startswith(b"\0GITCRYPT\0"):
        return "is not UTF-8 text: git-crypt has encrypted it; decrypt it: git-crypt unlock"
    return "is not UTF-8 text"


def parse(text: str) -> Cassette:
    """The cassette in a text; raises CassetteError saying what is wrong with it.

    Cookies are masked, as in what is recorded now: a cassette of an earlier version may hold some.
    """
    try:
        document = decode(text)
    except json.JSONDecodeError as error:
        raise CassetteError(f"is not JSON: {_no_json(text, error)}") from None
    except ValueError as error:
        raise CassetteError(f"is not JSON: {str(error)[:80]}") from None
    except RecursionError:
        raise CassetteError("is nested too deeply to be read") from None
    if not isinstance(document, dict) or "version" not in document:
        raise CassetteError("is JSON, but no cassette")
    if document["version"] not in VERSIONS:
        written, known = str(document["version"])[:20], " and ".join(map(str, VERSIONS))
        raise CassetteError(f"has format version {written}; this pytest-dust reads versions {known}")
    if document["version"] != 1:
        restore(document)
    if not _may_hold_cookies(text):
        return _cassette(document, masked=False)
    shown = Mask().value(document)
    return _cassette(shown, masked=shown != document)


def _may_hold_cookies(text: str) -> bool:
    """Return True if a text may hold cookies; in pieces, as the search copies what it searches."""
    return any(may_hold(text[at : at + PIECE + LONGEST_WORD]) for at in range(0, len(text), PIECE))


def _cassette(document: Mapping[str, Any], *, masked: bool) -> Cassette:
    notes = document.get("pending")
    attempts = _filled(document["attempts"], "attempts") if "attempts" in document else [document]
    return Cassette(
        recorded_at=_part(document, "recorded_at", str),
        request=_part(document, "request", dict),
        replies=tuple(_reply(each) for each in attempts),
        specification=_specification(document),
        notes=notes if isinstance(notes, dict) else None,
        masked=masked,
    )


def _no_json(text: str, error: json.JSONDecodeError) -> str:
    """Why a text is not JSON, and what may have caused it."""
    if not text.strip():
        return f"the file is empty; JSON is expected at line {error.lineno}, column {error.colno}"
    if "\0" in text[:4]:
        return "it is UTF-16 or UTF-32 text, or zero bytes; save it as UTF-8"
    if left := git_marks.suspected(text):
        return left.message
    if markup := _MARKUP().match(text):
        kind = "an HTML page" if markup[1] or markup[2] else "XML"
        return f"it is {kind}, which a server may give in place of a file"
    return f"{error.msg} at line {error.lineno}, column {error.colno}"


def _reply(written: Mapping[str, Any]) -> Reply:
    return Reply(
        _flavor(_part(written, "flavor", str)),
        tuple(_exchange(each) for each in _filled(_part(written, "exchanges", list), "exchanges")),
        float(_part(written, "duration", (int, float))),
    )


def _part(holder: Mapping[str, Any], name: str, kind: type | tuple[type, ...]) -> Any:
    """A named part of a cassette, of the right type."""
    value = holder.get(name)
    fits = isinstance(value, kind) and not isinstance(value, bool)
    if not fits or (isinstance(value, int | float) and not abs(value) < LARGEST):
        raise CassetteError(f"is incomplete: its {name} is missing or of a wrong type")
    return value


def _filled(parts: Any, what: str) -> list[dict[str, Any]]:
    if not isinstance(parts, list) or not parts or not all(isinstance(each, dict) for each in parts):
        raise CassetteError(f"is incomplete: it holds no {what}")
    return parts


def _flavor(text: str) -> Flavor:
    try:
        return Flavor(text)
    except ValueError:
        raise CassetteError(f"was recorded by an unknown flavor, {text[:20]}") from None


def _exchange(written: Mapping[str, Any]) -> Exchange:
    method, space, path = _part(written, "request", str).partition(" ")
    if not space:
        raise CassetteError("is incomplete: a request has no address")
    headers = {name: str(value) for name, value in _part(written, "headers", dict).items()}
    events = tuple(map(_event, _part(written, "events", list))) if "events" in written else None
    if events is None and "body" not in written:
        raise CassetteError("is incomplete: an exchange has neither body nor events")
    return Exchange(method, path, _part(written, "status", int), headers, written.get("body"), events)


def _specification(document: Mapping[str, Any]) -> Specification | None:
    """The saved blocks; in older cassettes, which do not say so, they are those that ran."""
    blocks = document.get("specification")
    return None if blocks is None else Specification(blocks, document.get("specification_ran") is not False)


def _event(written: Any) -> Event:
    if not isinstance(written, dict) or "data" not in written:
        raise CassetteError("is incomplete: an event without data")
    return Event(float(_part(written, "at", (int, float))), written["data"])
