"""Edits of generated YAML: the new value reads back, and all text outside of the old value stays."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_dust.suite import yaml_reader
from pytest_dust.suite.edits.checked import with_value
from pytest_dust.suite.edits.suites import Replace, edited_yaml

bounded = settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
ODD = [
    "",
    "true",
    "null",
    "12",
    "1e999",
    "no",
    "a: b",
    "a #b",
    "# no",
    "- x",
    "? x",
    "[x",
    "{x}",
    "a, b",
    "a:",
]
ODD += [
    "*a",
    "&b",
    "!t",
    "%d",
    "@e",
    "`f",
    "~",
    "<<",
    "|",
    ">",
    "'q'",
    '"q"',
    "it's",
    " lead",
    "trail ",
    "\tx",
]
ODD += [
    "x\ny\n",
    "p\n\n q\n\nr",
    "x\n\n\n",
    "\nx",
    "a\rb",
    "a\r\nb",
    "\x00",
    "\x85",
    "\u2028",
    "\ufeff",
    "\u200b",
]
ODD += ["é😀", "\\ud83d\\ude00", "${row.x}", "$${", "word " * 40, "---", "..."]
TEXTS = st.sampled_from(ODD) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = TEXTS | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS, lambda each: st.lists(each, max_size=3) | st.dictionaries(TEXTS, each, max_size=3), max_leaves=5
)
ON_A_LINE = [
    "",
    "1",
    "-2.5",
    "null",
    "plain",
    "two words",
    "no",
    "a#b",
    "x:y",
    "'it''s'",
    "'a: b'",
    '"q"',
    "é",
]
ON_A_LINE += ['"\\ud83d\\ude00"', '"# x"', "[1, two, 'three']", "{k: 1, l: [x]}", '{"k":"v"}', "[]"]
BLOCKS = [
    "|\n  a\n    b\n\n  # c",
    "|-\n  a",
    "|+\n  a\n\n",
    ">\n  a\n  b\n\n  c",
    ">-\n  a",
    "|2\n   a",
    "a\n  b",
]


@dataclass
class Written:
    """A YAML text, and the path and span of each value that is written in one piece."""

    text: str = ""
    spans: list[tuple[tuple[str | int, ...], int, int]] = field(default_factory=list)
    anchors: list[str] = field(default_factory=list)

    def put(self, text: str) -> None:
        """Add a text to the end."""
        self.text += text

    def value(self, path: tuple[str | int, ...], text: str) -> None:
        """Add a value to the end."""
        self.spans.append((path, len(self.text), len(self.text) + len(text)))
        self.text += text


@st.composite
def documents(draw: Any) -> Written:
    """Generate a list or mapping in block style, its values in all styles, with anchors and comments."""
    written = Written()
    _block(draw, written, (), 0)
    end = draw(st.sampled_from(["\n", "\r\n"]))
    if end == "\n":
        return written
    lines = [match.start() for match in re.finditer("\n", written.text)]
    moved = [
        (path, start + sum(at < start for at in lines), stop + sum(at < stop for at in lines))
        for path, start, stop in written.spans
    ]
    return Written(written.text.replace("\n", "\r\n"), moved, written.anchors)


def _block(draw: Any, written: Written, path: tuple[str | int, ...], indent: int) -> None:
    """Add entries of a list or mapping; each begins at the column `indent`."""
    is_mapping = draw(st.booleans())
    for at in range(draw(st.integers(1, 3))):
        if at:
            written.put(" " * indent)
        _entry(draw, written, (*path, f"k{at}" if is_mapping else at), indent)


def _entry(draw: Any, written: Written, path: tuple[str | int, ...], indent: int) -> None:
    step = path[-1]
    written.put("-" if isinstance(step, int) else draw(st.sampled_from([step, f'"{step}"'])) + ":")
    kind = draw(st.integers(0, 5))
    if not kind and indent < 6:
        within = indent + draw(st.sampled_from([1, 2]))
        written.put(draw(st.sampled_from(["", "  # why"])) + "\n" + " " * within)
        _block(draw, written, path, within)
        return
    anchor = draw(st.sampled_from(["", "", "", f"a{len(written.text)}"]))
    written.put(f" &{anchor}" if anchor else "")
    aliases = [] if anchor else [f"*{name}" for name in written.anchors]
    text = draw(st.sampled_from(BLOCKS if kind == 1 else aliases if kind == 2 and aliases else ON_A_LINE))
    written.put(" " if text else "")
    written.value(path, re.sub("\n(?=.)", "\n" + " " * indent, text))
    written.anchors += [anchor] if anchor else []
    comment = "" if "\n" in text else draw(st.sampled_from(["", "  # why"]))
    gap = draw(st.sampled_from(["", "", "# own line\n"]))
    written.put(f"{comment}\n{gap}")


@bounded
@given(st.data())
def test_only_the_value_changes(data):
    """The edited text has the new value, and all other values, and begins and ends as before."""
    written = data.draw(documents())
    value = yaml_reader.read(written.text).value
    path, start, end = data.draw(st.sampled_from(written.spans))
    new = data.draw(VALUES)
    done = edited_yaml(written.text, [Replace(path, new)])
    if done.refused:
        anchor = re.search(r"&(\w+)\s*$", written.text[:start])
        assert anchor is not None
        assert re.search(rf"\*{anchor[1]}\b", written.text)
        assert done.text == written.text
        return
    document = yaml_reader.read(done.text)
    assert document.problems == ()
    assert document.value == with_value(value, path, new)
    assert done.text.startswith(written.text[:start])
    assert done.text.endswith(written.text[end:])


@bounded
@given(st.data())
def test_any_edits_read_back(data):
    """Edits of any values, also of lists and mappings, are made as wanted or refused; comments stay."""
    written = data.draw(documents())
    value = yaml_reader.read(written.text).value
    paths = sorted({path[:at] for path, _, _ in written.spans for at in range(1, len(path) + 1)}, key=str)
    edits = [
        Replace(path, data.draw(VALUES)) for path in data.draw(st.lists(st.sampled_from(paths), max_size=3))
    ]
    done = edited_yaml(written.text, edits)
    refused = [one.edit for one in done.refused]
    for edit in edits:
        if edit not in refused:
            value = with_value(value, edit.path, edit.value)
    document = yaml_reader.read(done.text)
    assert (document.problems, document.value) == ((), value)
    for comment in ("  # why", "# own line"):
        assert done.text.count(comment) >= written.text.count(comment)
    assert ("\r\n" in written.text) <= (re.search("(?<!\r)\n", done.text) is None)
