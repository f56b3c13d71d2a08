"""Generated suites with datasets, in which the span of each value that may be edited is known."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from pending_suites import OLD, THIRD

NAMES = ("label", "note", "items")
"""The names in a result."""
HASH = "specification_hash"
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
    "[x",
    "{x}",
    "a, b",
    "a:",
    "*a",
]
ODD += ["&b", "!t", "%d", "@e", "`f", "~", "<<", "|", ">", "'q'", '"q"', "it's", " lead", "trail ", "\tx"]
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
    "é😀",
]
ODD += [
    "${row.label}",
    "$${",
    "${",
    "word " * 30,
    "---",
    "...",
    "billing",
    "2026-11-02",
    "010",
    "1:30",
    "\\n",
]
TEXTS = st.sampled_from(ODD) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = TEXTS | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = SCALARS | st.recursive(
    SCALARS, lambda each: st.lists(each, max_size=3) | st.dictionaries(TEXTS, each, max_size=3), max_leaves=4
)
INLINE = [
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
    '"$${x"',
]
INLINE += ['"\\ud83d\\ude00"', '"# x"', "[1, two, 'three']", "[]", "billing", "'billing'", '"billing"']
MAPPINGS = ["{k: 1, l: [x]}", '{"k":"v"}', "{}"]
"""Values that are literals only as the argument of `equals`."""
BLOCKS = ["|\n  a\n    b\n\n  c", "|-\n  a", ">\n  a\n  b\n\n  c", ">-\n  a", "a\n  b", ""]
BLOCKS += ["\n  - a\n  - 'b'  # why\n"]
COMMENTS = ["", "", "  # why", "  # wörum: 'x' \"y\" {"]


@dataclass(frozen=True)
class Slot:
    """A value in a text: its name, the text that is there, and a pattern for what may be added instead."""

    name: str
    text: str
    added: str = ""
    """For a place at which a line or an entry may be added, its pattern."""


@dataclass
class Text:
    """A text in parts, some of which may be edited."""

    parts: list[str | Slot] = field(default_factory=list)
    bom: bool = False

    def put(self, *parts: str | Slot) -> None:
        """Add parts to the end."""
        self.parts += parts

    @property
    def content(self) -> bytes:
        """The text as it is in a file."""
        text = "".join(part if isinstance(part, str) else part.text for part in self.parts)
        return (b"\xef\xbb\xbf" if self.bom else b"") + text.encode()

    def with_crlf(self) -> None:
        """End lines with CR LF."""
        self.parts = [
            part.replace("\n", "\r\n")
            if isinstance(part, str)
            else Slot(part.name, part.text.replace("\n", "\r\n"), part.added)
            for part in self.parts
        ]

    def is_outside(self, content: bytes, edited: Collection[str]) -> bool:
        """True if a content is this one but for the values of these names, and lines that were added."""
        pattern = "".join(_pattern(part, edited) for part in self.parts)
        text = content.decode()
        return re.fullmatch(("\ufeff" if self.bom else "") + pattern, text, re.DOTALL) is not None


def _pattern(part: str | Slot, edited: Collection[str]) -> str:
    if isinstance(part, str):
        return re.escape(part)
    if part.name not in edited:
        return re.escape(part.text)
    return part.added or ".*?"


@dataclass
class Suite:
    """A generated suite: its text, its dataset, and where its values are."""

    text: Text
    dataset: str
    table: Text
    literals: set[str] = field(default_factory=set)
    """The slots of literals that only one case has: id and name."""


@st.composite
def suites(draw: Any) -> Suite:
    """Generate a suite of one to four cases in block and flow style, with a dataset."""
    suffix = draw(st.sampled_from(["csv", "jsonl", "json", "yaml"]))
    made = Suite(Text(bom=draw(st.booleans())), f"rows.{suffix}", Text(bom=draw(st.booleans())))
    _table(draw, made.table, suffix)
    text = made.text
    text.put(draw(st.sampled_from(["", "# yaml-language-server: x\n", "\n"])), "app: {id: app}\n")
    head = draw(st.permutations(["hash", "expect", "config"]))
    for part in head:
        if part == "hash":
            _hash(draw, text, "hash", "", OLD)
        elif part == "expect" and draw(st.booleans()):
            _Writer(draw, made, "expect").expect("", ["note"])
        elif part == "config":
            text.put(draw(st.sampled_from(["", "config:\n  ANSWER: &conf {a: 1}  # as sent\n", "\n"])))
    text.put("cases:", draw(st.sampled_from(COMMENTS)), "\n")
    for at in range(draw(st.integers(1, 4))):
        _case(draw, made, at)
    for each in (text, made.table):
        if draw(st.booleans()) and (each is text or suffix == "csv"):
            each.with_crlf()
    return made


def _hash(draw: Any, text: Text, name: str, indent: str, value: str) -> None:
    quote = draw(st.sampled_from(["", "'", '"']))
    anchor = draw(st.sampled_from(["", "", "&pin "])) if not indent else ""
    text.put(
        f"{indent}{HASH}: {anchor}",
        Slot(name, f"{quote}{value}{quote}"),
        draw(st.sampled_from(COMMENTS)),
        "\n",
    )


def _case(draw: Any, made: Suite, at: int) -> None:
    """Add a case: plain, with several inputs, from a matrix, or from the dataset."""
    singular = "expect:" in made.text.parts  # the suite's own paths are those of cases with one input
    kind = draw(st.sampled_from(["plain", "matrix", "rows", *([] if singular else ["inputs"])]))
    shape = {
        "plain": ["input: {q: Hi}"],
        "inputs": ["inputs: [{q: Hi}, {q: 'a, b'}]"],
        "matrix": ["matrix: {m: [x, y]}", 'input: {q: "${matrix.m}"}'],
        "rows": [f"dataset: {made.dataset}", "input: {q: '${row.q}'}"],
    }[kind]
    shape += draw(st.sampled_from([[], [], ["repeat: {runs: 2, min_pass: 1}"]]))
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3))
    own = draw(st.sampled_from([None, None, None, OLD, THIRD]))
    writer = _Writer(draw, made, f"c{at}", kind)
    if draw(st.integers(0, 3)):
        writer.block_case(shape, names, own)
    else:
        writer.flow_case(shape, names, own)


def _added(name: str, pattern: str) -> Slot:
    return Slot(name, "", pattern.format(HASH))


@dataclass
class _Writer:
    """Writes a case, or the expectations of the suite."""

    draw: Any
    made: Suite
    owner: str
    """The id of the case, or `expect` for the suite."""
    kind: str = ""
    """How the case is made: plain, inputs, matrix or rows."""

    def put(self, *parts: str | Slot) -> None:
        """Add parts to the suite's text."""
        self.made.text.put(*parts)

    def one_of(self, values: Sequence[str]) -> str:
        """Draw one of some texts."""
        return str(self.draw(st.sampled_from(values)))

    def block_case(self, shape: Sequence[str], names: Sequence[str], own: str | None) -> None:
        """Add the case in block style; `own` is its hash."""
        added = _added(f"add-{self.owner}", r"    {}: ['\"]?\w{{64}}['\"]?\r?\n")
        self.put(f"  - id: {self.owner}", self.one_of(COMMENTS), "\n", added)
        if own:
            _hash(self.draw, self.made.text, f"hash-{self.owner}", "    ", own)
        for line in shape:
            self.put(f"    {line}", self.one_of(COMMENTS), "\n")
        if names:
            self.expect("    ", names)
        self.put(self.one_of(["", "", "\n", "# between\n", "    # inside\n"]))

    def flow_case(self, shape: Sequence[str], names: Sequence[str], own: str | None) -> None:
        """Add the case in flow style."""
        added = _added(f"add-{self.owner}", r",\s*{}: ['\"]?\w{{64}}['\"]?")
        self.put(f"  - {{id: {self.owner}", added)
        if own:
            self.put(f", {HASH}: ", Slot(f"hash-{self.owner}", own))
        self.put(", ", self.one_of([", ", ",\n     "]).join(shape))
        if names:
            self.put(", expect: ")
            self.flow_expect(names)
        self.put("}", self.one_of(COMMENTS), "\n")

    def expect(self, indent: str, names: Sequence[str]) -> None:
        """Add expectations in block or flow style."""
        self.put(f"{indent}expect:")
        if self.draw(st.booleans()):
            self.put(" ")
            self.flow_expect(names)
            self.put(self.one_of(COMMENTS), "\n")
            return
        self.put("\n")
        for name in names:
            self.expectation(f"{indent}  ", name)

    def expectation(self, indent: str, name: str) -> None:
        """Add one expectation in block style."""
        self.put(f"{indent}{self.path(name)}:")
        form = self.one_of(["literal", "literal", "equals", "flow equals", "matcher"])
        if form == "equals":
            self.put(f"\n{indent}  equals:")
            self.literal(name, f"{indent}  ", [*INLINE, *MAPPINGS])
        elif form == "flow equals":
            self.put(" {equals: ")
            self.inline(name, [*INLINE, *MAPPINGS])
            self.put("}", self.one_of(COMMENTS), "\n")
        elif form == "matcher":
            self.put(" {contains: billing}\n")
        else:
            self.literal(name, indent, INLINE)

    def flow_expect(self, names: Sequence[str]) -> None:
        """Add expectations in flow style."""
        self.put("{")
        for at, name in enumerate(names):
            path = self.path(name)
            quoted = path if path.startswith("'") else self.one_of([path, f'"{path}"', f"'{path}'"])
            self.put(", " if at else "", quoted, ": ")
            form = self.one_of(["literal", "literal", "equals", "matcher"])
            if form == "matcher":
                self.put("{contains: billing}")
            elif form == "equals":
                self.put("{equals: ")
                self.inline(name, [*INLINE, *MAPPINGS])
                self.put(self.one_of(["}", " }"]))
            else:
                self.inline(name, INLINE)
        self.put("}")

    def path(self, name: str) -> str:
        """The path of a name in the result."""
        if self.kind == "inputs":
            return f"'results[{self.one_of('01')}].{name}'"
        return f"result.{name}"

    def slot(self, name: str, text: str) -> Slot:
        """The slot of a literal."""
        if self.kind in ("plain", "inputs"):
            self.made.literals.add(f"{self.owner}-{name}")
        return Slot(f"{self.owner}-{name}", text)

    def inline(self, name: str, texts: Sequence[str]) -> None:
        """Add a literal in flow style, or a reference."""
        references = {"rows": '"${row.label}"', "matrix": "'${matrix.m}'"}
        if self.kind in references and self.draw(st.integers(0, 3)):
            self.put(Slot(f"{self.owner}-{name}", references[self.kind]))
        else:
            self.put(self.slot(name, self.one_of(texts)))

    def literal(self, name: str, indent: str, texts: Sequence[str]) -> None:
        """Add a literal in block style, to the end of its line or lines."""
        if self.draw(st.integers(0, 3 if self.kind == "rows" else 1)):
            self.put(self.one_of([" ", " ", "  ", f" &a-{self.owner}-{name} "]))
            self.inline(name, texts)
            self.put(self.one_of(COMMENTS), "\n")
            return
        written = self.one_of(BLOCKS)
        gap = "" if written.startswith("\n") or not written else " "
        self.put(self.slot(name, gap + re.sub("\n(?=.)", f"\n{indent}", written)), "\n")


# ── the dataset ──────────────────────────────────────────────────────────────────────────────────


def _table(draw: Any, table: Text, suffix: str) -> None:
    """Add one to three rows with the cells `id`, `q` and `label`."""
    texts = st.sampled_from(["billing", "a,b", "it's", 'say "x"', "é", " x ", "two\nlines", "null", "12"])
    values = texts | st.sampled_from([1, 2.5, None, True, ["a"]])
    is_typed = suffix != "csv" or draw(st.booleans())
    labels = draw(st.lists(values if is_typed else texts, min_size=1, max_size=3))
    if suffix == "csv":
        cells = [json.dumps(label, ensure_ascii=False) for label in labels] if is_typed else labels
        _csv(draw, table, "label:json" if is_typed else "label", cells)
    else:
        {"jsonl": _jsonl, "json": _json, "yaml": _yaml}[suffix](draw, table, labels)


def _csv(draw: Any, table: Text, name: str, labels: Sequence[str]) -> None:
    mark = draw(st.sampled_from([",", ";", "\t"]))
    table.put(draw(st.sampled_from(["", f"sep={mark}\n"])), mark.join(["id", "q", name, "more\n"]))
    for at, label in enumerate(labels):
        quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
        out = io.StringIO()
        csv.writer(out, quoting=quoting, delimiter=mark).writerow([label, 0])
        cell = out.getvalue().rpartition(mark)[0]
        table.put(f"r{at}{mark}Hi{mark}", Slot(f"cell-{at}", cell), f"{mark}é 'x'\n")


def _cells(at: int, label: object) -> tuple[str, Slot, str]:
    shown = json.dumps(label, ensure_ascii=False)
    return (
        f'{{"id": "r{at}","q" : "Hi", "label":  ',
        Slot(f"cell-{at}", shown),
        ', "more": [1.50, "\\u00e9"]}',
    )


def _jsonl(draw: Any, table: Text, labels: Sequence[object]) -> None:
    for at, label in enumerate(labels):
        table.put(*_cells(at, label), draw(st.sampled_from(["\n", "\n\n"])))


def _json(_draw: Any, table: Text, labels: Sequence[object]) -> None:
    table.put("[\n")
    for at, label in enumerate(labels):
        table.put("  " if not at else ",\n  ", *_cells(at, label))
    table.put("\n]\n")


def _yaml(draw: Any, table: Text, labels: Sequence[object]) -> None:
    for at, label in enumerate(labels):
        table.put(f"- id: r{at}\n  q: Hi  # asked\n  label: ", Slot(f"cell-{at}", json.dumps(label)))
        table.put(draw(st.sampled_from(COMMENTS)), f"\n  more: &m{at} [1]\n")
