"""Put the page together: its template, style and script, and the report as data that is never run."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from html import escape
from importlib.resources import files
from string import Template

from pytest_dust.report.html.document import document
from pytest_dust.report.overview import facts, overview
from pytest_dust.report.record import SessionRecord

INERT = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
"""Characters that could end the element that holds the data, as JSON escapes."""


def page(session: SessionRecord) -> str:
    """The report as one HTML page, which needs nothing else and runs no script but its own."""
    seen = overview(session)
    style, script = _text("page.css"), _text("page.js")
    return Template(_text("page.html")).substitute(
        policy=f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'",
        style=style,
        script=script,
        state=seen.state,
        verdict=escape(seen.verdict),
        advice=escape(seen.advice),
        facts="".join(f"<li>{escape(fact)}</li>" for fact in facts(session)),
        partial="".join(f"<li>{escape(reason)}</li>" for reason in seen.partial),
        made_by=escape(session.made_by),
        report=json.dumps(document(session, seen)).translate(INERT),
    )


@cache
def _text(name: str) -> str:
    """A file of this folder."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """The source by which a Content-Security-Policy allows this text (https://www.w3.org/TR/CSP3)."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
