"""The report in Markdown is short, complete within its limit, and takes every text for text."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from answers import bounded
from hypothesis import given
from hypothesis import strategies as st
from made_records import FAILED, TEXT, block, changed, failure, passed, session, trouble, wrong
from markdown_it import MarkdownIt

from pytest_dust.model import Tokens
from pytest_dust.report.markdown import MAX_COMMENT, MOST, code, markdown, text
from pytest_dust.report.record import (
    BlockDriftRecord,
    CaseOutcome,
    ChangeRecord,
    DriftRecord,
    GateRecord,
    GateVerdict,
)
from pytest_dust.report.write import write

RENDERER = MarkdownIt("gfm-like", {"html": True})
"""Renders as GitHub does: tables, links without brackets, and HTML as it stands."""
OURS = {
    "details",
    "summary",
    "h2",
    "h3",
    "p",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "code",
    "pre",
    "blockquote",
    "strong",
    "ul",
    "li",
}
"""The elements that the report is made of."""


class Rendered(HTMLParser):
    """The elements and the text of a rendered report."""

    def __init__(self, source: str) -> None:
        """Render the Markdown and read it."""
        super().__init__()
        self.elements: set[str] = set()
        self.text = ""
        self.feed(RENDERER.render(source))

    def handle_starttag(self, tag, attrs):  # noqa: ARG002  # html.parser's own
        """Collect an element."""
        self.elements.add(tag)

    def handle_data(self, data):
        """Collect text."""
        self.text += data


def test_the_report_of_a_gate(golden):
    """The verdict, each cause with its change, the cases to look at, and the command to type."""
    edited = BlockDriftRecord(
        "llm", "A", "changed", (ChangeRecord(("spec", "prompt"), "Sort by word", "Sort by age"),)
    )
    drift = DriftRecord(
        "a::[specification]", "a", "app", "h", saved="i", exists=True, drifted=True, blocks=(edited,)
    )
    first = block(TEXT, old="billing", new="shipping")
    cases = [
        changed(first, name="refund", description="A refund goes to billing", tokens=Tokens(28), **FAILED),
        changed(first, name="parcel", **FAILED),
        wrong("greeting"),
        trouble(
            "no cassette (looked in cassettes/a/new.json)\nrecord it: pytest", "new", command="pytest a::new"
        ),
        passed("fine"),
        wrong("known", outcome=CaseOutcome.XFAILED, reason="the model *cannot*"),
    ]
    golden(
        "report_markdown", markdown(session(*cases, drifts=(drift,), partial=("only failed ones (--lf)",)))
    )


def test_a_session_without_a_finding(golden):
    """A session in which nothing failed or changed is three lines."""
    golden("report_markdown_passed", markdown(session(passed("a"), passed("b"))))


HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "![a](http://example.com/x.png)",
    "http://example.com www.example.com <http://example.com>",
    "`code` ``more`` ```fence```",
    "```\nfence",
    "| a | b |",
    "a|b\\|c",
    "# heading\n- item\n> quote\n\n---\n",
    "**bold** _it_ ~~gone~~",
    "&lt;b&gt; &#60;b&#62;",
    "<!-- comment",
    "\u202egnihtemos",
    "\x1b[31mred\x1b[0m",
    "\ud800",
    "::error::x",
    "$x^2$ @team #12",
    " ` ",
    "`",
    "",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_texts_are_text(hostile):
    """No text of an answer, a suite or an error becomes an element of the report."""
    cases = [
        changed(block(TEXT, old=hostile, new=f"{hostile}x"), name=hostile, description=hostile, **FAILED),
        wrong("w", failure(hostile, f"y{hostile}", path=hostile), description=hostile),
        trouble(hostile, hostile, command=f"pytest {hostile}"),
        wrong("x", outcome=CaseOutcome.XFAILED, reason=hostile),
    ]
    gates = (GateRecord(hostile, GateVerdict.NOT_RUN, message=hostile),)
    source = markdown(session(*cases, partial=(hostile,), gates=gates, failed_because=(hostile,)))
    source.encode("utf-8", "backslashreplace")
    assert Rendered(source).elements <= OURS
    assert "\x1b" not in source
    assert "\u202e" not in source


@given(st.text("ab `|\\<>[]()*_~&#!:/.\"'-\n", max_size=30))
@bounded
def test_every_text_is_shown_as_it_is(value):
    """What is written as text, or as code, is what a reader sees."""
    line = " ".join(value.split())
    if not line:
        return
    assert Rendered(f"x {text(line)} x").text.strip() == f"x {line} x"
    assert Rendered(f"x {code(line)} x").text.strip() == f"x {line} x"


def test_the_report_stays_below_the_limits(tmp_path):
    """1,000 changed cases with long texts take less than GitHub accepts; what is cut is told.

    That is 1 MiB for the summary of a job, and 65,536 characters for a comment, which a file is for.
    """
    cases = [
        changed(
            block(TEXT, name=f"B{number}", old="a " * 400, new="b " * 400),
            name=f"c{number}",
            description="x" * 300,
            **FAILED,
        )
        for number in range(1000)
    ]
    write(session(*cases), tmp_path / "report.md")
    file = (tmp_path / "report.md").read_text(encoding="utf-8")
    for source, most in ((markdown(session(*cases)), MOST), (file, MAX_COMMENT)):
        assert most * 0.95 < len(source.encode()) <= most
        assert source.endswith("the rest is left out here; the reports .html and .json are complete.\n\n")


def test_many_cases_of_one_cause_are_named_in_rows_and_then_counted():
    """A large group has rows for some cases, names for others, and a number for the rest."""
    cases = [changed(block(TEXT), name=f"c{number}", **FAILED) for number in range(500)]
    source = markdown(session(*cases))
    assert sum(line.startswith("| `c") for line in source.splitlines()) == 40
    assert "<details><summary>497 more</summary>" in source
    assert "and 260 more" in source
