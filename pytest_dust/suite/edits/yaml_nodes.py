"""The values of a YAML text with the parts of the text in which they are written.

Only edits need this. Reading a suite does not build these nodes, as they take time and memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pytest_dust.model import Path
from pytest_dust.suite import yaml_reader
from pytest_dust.suite.edits.errors import EditError
from pytest_dust.wording import first_names

ALIAS, BLOCK, FLOW, PAIR = "*", "-", "[", ":"
"""Styles of nodes besides those of scalars; a PAIR is a mapping in a flow list without braces: `[a: 1]`."""
MAX_LINES = 5
"""Maximum number of lines that a message names."""
_BREAK = re.compile("\r\n|\r|\n")
_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*")
"""Blanks, line breaks and comments between two tokens."""
_INDICATORS = re.compile(r"[|>][-+0-9]*")


class Node:
    """A value, or a key, and the part of the text from `start` to `end` in which it is written.

    The part begins with the anchor, if there is one. That of a block scalar ends after the empty lines
    that follow it.
    """

    __slots__ = (
        "anchor",
        "end",
        "keys",
        "line",
        "parent",
        "parts",
        "start",
        "style",
        "target",
        "text",
        "users",
    )

    def __init__(self, start: int, end: int, line: int, style: str = "", anchor: str | None = None) -> None:
        self.start, self.end, self.line, self.style, self.anchor = start, end, line, style, anchor
        self.text = ""
        """The text of a scalar."""
        self.keys: list[Node] | None = None
        """The keys of a mapping."""
        self.parts: list[Node] = _NONE
        """The values of a mapping or the elements of a list."""
        self.parent: Node | None = None
        self.target: Node | None = None
        """The node that an alias repeats."""
        self.users: list[Node] = _NONE
        """The aliases that repeat this node."""

    @property
    def steps(self) -> Sequence[str | int]:
        """The keys of a mapping as texts, or the indexes of a list."""
        return range(len(self.parts)) if self.keys is None else [key.text for key in self.keys]

    @property
    def is_collection(self) -> bool:
        """True for a list or mapping that is written at this place."""
        return self.style in (BLOCK, FLOW, PAIR)

    @property
    def in_flow(self) -> bool:
        """True if the node is inside of brackets or braces."""
        return self.parent is not None and self.parent.style in (FLOW, PAIR)

    def tree(self) -> Iterator[Node]:
        """Yield the node and all keys and values in it, in the order of the text."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            for at in range(len(node.parts) - 1, -1, -1):
                waiting.append(node.parts[at])
                if node.keys is not None:
                    waiting.append(node.keys[at])


_NONE: list[Node] = []
"""The parts of all nodes without parts; it is never changed."""


class BlockScalar(NamedTuple):
    """The parts of a text that starts with `|` or `>`."""

    indicators: str
    """Such as `|-`."""
    start: int
    body_start: int
    """Index of the line break before the first line of the content."""
    body_end: int
    """Index after the last line of the content, without its line break."""
    indent: int
    """Number of blanks before each line of the content; 0 if there is no content."""


class Source:
    """A YAML text without mistakes, and its nodes."""

    def __init__(self, text: str) -> None:
        self.text = text
        builder = _Builder(text)
        for event in yaml_reader.events(text):
            builder.take(event)
        self.root = builder.root

    def find(self, path: Path) -> Node:
        """Return the node at a path; raises EditError if there is none, or it is in several places."""
        node = self.root
        for step in path:
            refuse_shared(node)
            if node.style == ALIAS:
                raise EditError(
                    f"{self.slice(node)} repeats a value of line {_line(node.target)}; {_WRITE_OUT}"
                )
            steps = node.steps
            if step not in steps:
                raise EditError(f"the file has no {_shown(step)} here")
            node = node.parts[steps.index(step)]
        return node

    def slice(self, node: Node) -> str:
        """Return the text of a node."""
        return self.text[node.start : node.end]

    def after_space(self, at: int) -> int:
        """Return the index of the next token at or after an index."""
        found = _SPACE.match(self.text, at)
        return at if found is None else found.end()

    def line_start(self, at: int) -> int:
        """Return the index of the first character in a line."""
        return max(self.text.rfind("\n", 0, at), self.text.rfind("\r", 0, at)) + 1

    def line_end(self, at: int) -> int:
        """Return the index of the line break that ends a line."""
        found = _BREAK.search(self.text, at)
        return len(self.text) if found is None else found.start()

    def break_before(self, at: int) -> int:
        """Return the index of the line break before a line; 0 for the first line."""
        start = self.line_start(at)
        return start - 2 if self.text[start - 2 : start] == "\r\n" else max(start - 1, 0)

    def line_break(self, at: int) -> str:
        """Return the line break at the end of a line; for the last line, that of the line before."""
        end = self.line_end(at)
        found = _BREAK.match(self.text, end) or _BREAK.match(self.text, self.break_before(at))
        return found[0] if found is not None else "\n"

    def column(self, at: int) -> int:
        """Return the number of characters before an index in its line."""
        return at - self.line_start(at)

    def content_start(self, node: Node) -> int:
        """Return the index at which a node begins after its anchor."""
        if node.anchor is None:
            return node.start
        after = node.start + 1 + len(node.anchor)
        return after if after == node.end else self.after_space(after)

    def content_end(self, node: Node) -> int:
        """Return the index after a node's last character that is no blank or line break."""
        while node.style in (BLOCK, PAIR) and node.parts:
            node = node.parts[-1]
        return self.block_scalar(node).body_end if node.style in ("|", ">") else node.end

    def block_scalar(self, node: Node) -> BlockScalar:
        """Return the parts of a block scalar."""
        start = self.content_start(node)
        found = _INDICATORS.match(self.text, start)
        indicators = "" if found is None else found[0]
        body_start = self.line_end(start)
        lines = _Lines(self, body_start, node)
        body_end = lines.end_before_last_break() if "+" in indicators else lines.end_of_content()
        return BlockScalar(indicators, start, body_start, body_end, lines.indent)

    def entry_start(self, node: Node, index: int) -> int:
        """Return the index at which an entry of a list or mapping begins: its key, its dash, its value."""
        if node.keys is not None:
            return node.keys[index].start
        if node.style == FLOW:
            return node.parts[index].start
        return self.content_start(node) if not index else self.after_space(node.parts[index - 1].end)

    def lead_end(self, node: Node) -> int:
        """Return the index after a node's anchor, else that after the colon or dash before its value."""
        if node.anchor is not None:
            return node.start + 1 + len(node.anchor)
        parent = node.parent
        if parent is None:
            return node.start
        index = next(at for at, part in enumerate(parent.parts) if part is node)
        if parent.keys is not None:
            colon = self.after_space(parent.keys[index].end)
            return colon + 1 if self.text[colon : colon + 1] == ":" else parent.keys[index].end
        return self.entry_start(parent, index) + (parent.style == BLOCK)

    def has_comment(self, nodes: Sequence[Node], start: int, end: int) -> bool:
        """Return True if a comment is in a part of the text that has all of `nodes`."""
        at = start
        for node in (each for top in nodes for each in top.tree() if not each.is_collection):
            if "#" in self.text[at : self.content_start(node)]:
                return True
            is_block = node.style in ("|", ">")
            if is_block and "#" in self.text[self.content_start(node) : self.block_scalar(node).body_start]:
                return True
            at = self.content_end(node)
        return "#" in self.text[at:end]


_WRITE_OUT = "write the value out in one of the places"


def refuse_shared(node: Node) -> None:
    """Raise EditError if aliases repeat a node, so that an edit would change several places."""
    if node.users:
        lines = first_names([str(line) for line in sorted({_line(user) for user in node.users})], MAX_LINES)
        raise EditError(f"&{node.anchor} is repeated on line {lines}, which would change too; {_WRITE_OUT}")


def refuse_lost_anchor(node: Node) -> None:
    """Raise EditError if something in a node is repeated by aliases outside of it."""
    within = list(node.tree())
    known = set(map(id, within))
    for each in within:
        if any(id(user) not in known for user in each.users):
            refuse_shared(each)


def _shown(step: str | int) -> str:
    return repr(step[:60] if isinstance(step, str) else step)


def _line(node: Node | None) -> int:
    return 1 if node is None else node.line


class _Lines:
    """The lines of a block scalar's content."""

    def __init__(self, source: Source, start: int, node: Node) -> None:
        self._text, self._start, self._end = source.text, start, node.end
        self.indent = self._indent(node.text)

    def _bounds(self) -> Iterator[tuple[int, int]]:
        """Yield start and end of each line."""
        found = _BREAK.search(self._text, self._start, self._end)
        while found is not None:
            start = found.end()
            found = _BREAK.search(self._text, start, self._end)
            yield start, self._end if found is None else found.start()

    def _indent(self, value: str) -> int:
        """Return the number of blanks before the content, which may itself begin with blanks."""
        first = next((line for line in value.split("\n") if line.strip(" ")), "")
        for start, end in self._bounds():
            line = self._text[start:end]
            if line.strip(" "):
                return _blanks(line) - _blanks(first)
        return 0

    def end_of_content(self) -> int:
        """Return the index after the last line that has more than the indentation."""
        last = self._start
        for start, end in self._bounds():
            if self._text[start:end].strip(" ") or (self.indent and end - start > self.indent):
                last = end
        return last

    def end_before_last_break(self) -> int:
        """Return the index after all lines, without the last line break."""
        for mark in ("\r\n", "\n", "\r"):
            if self._text.endswith(mark, self._start + 1, self._end):
                return max(self._start, self._end - len(mark))
        return self._end


def _blanks(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


class _Builder:
    """Builds nodes from events, with a stack of the open lists and mappings."""

    def __init__(self, text: str) -> None:
        self.root = Node(0, 0, 1)
        self._text = text
        self._index = yaml_reader.original_index(text)
        self._stack: list[Node] = []
        self._anchors: dict[str, Node] = {}

    def take(self, event: Any) -> None:
        """Add the key or value of one event."""
        kind = type(event).__name__
        if kind == "ScalarEvent":
            node = self._node(event, event.style or "")
            node.text = event.value
            self._add(node)
            self._remember(node)
        elif kind == "AliasEvent":
            self._alias(event)
        elif kind in ("MappingStartEvent", "SequenceStartEvent"):
            self._open(event, is_mapping=kind == "MappingStartEvent")
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            self._close(event)

    def _node(self, event: Any, style: str) -> Node:
        start, end = event.start_mark, event.end_mark
        return Node(self._index(start.index), self._index(end.index), start.line + 1, style, event.anchor)

    def _alias(self, event: Any) -> None:
        node = self._node(event, ALIAS)
        node.target, node.anchor = self._anchors[event.anchor], None
        node.text = node.target.text
        if not node.target.users:
            node.target.users = []
        node.target.users.append(node)
        self._add(node)

    def _open(self, event: Any, *, is_mapping: bool) -> None:
        node = self._node(event, BLOCK)
        if event.flow_style:
            node.style = PAIR if is_mapping and self._text[node.end - 1 : node.end] != "{" else FLOW
        node.parts = []
        node.keys = [] if is_mapping else None
        self._add(node)
        self._stack.append(node)

    def _close(self, event: Any) -> None:
        node = self._stack.pop()
        end = self._index(event.end_mark.index)
        node.end = end if node.style == FLOW or not node.parts else node.parts[-1].end
        self._remember(node)

    def _remember(self, node: Node) -> None:
        """Let later aliases repeat a node that is complete, as in `yaml_reader`."""
        if node.anchor is not None:
            self._anchors[node.anchor] = node

    def _add(self, node: Node) -> None:
        if not self._stack:
            self.root = node
            return
        parent = self._stack[-1]
        node.parent = parent
        if parent.keys is not None and len(parent.keys) == len(parent.parts):
            parent.keys.append(node)
        else:
            parent.parts.append(node)
