"""Read YAML text as JSON values, with the place of every key and value.

It uses libyaml's events, not PyYAML's node tree: that is seven times as fast, needs no recursion (so depth
cannot overflow the stack), and lets `no`, `010` and `12:30` be read as the texts they are.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import yaml
from msgspec import Struct

from pytest_dust.errors import did_you_mean
from pytest_dust.model import Json, Path, Place, Problem

try:
    from yaml.cyaml import CParser as _Parser  # type: ignore[attr-defined]
except ImportError:  # a PyYAML without libyaml: slower, same events
    from yaml import SafeLoader as _Parser  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_DEPTH = 64
"""Maximum levels of nesting: more than a suite needs, less than Python's stack allows."""
MAX_ALIASED = 100_000
"""Maximum number of values that aliases may add to a file; only an alias bomb has more."""

MAX_VALUES = 1_000_000
"""Maximum number of values in a file: more take seconds to read, and a gigabyte of memory."""

_Mark: TypeAlias = Any
"""The beginning of an event, as libyaml gives it."""

_WORDS: dict[str, Json] = {"null": None, "~": None, "": None, "true": True, "false": False}
_SURROGATES = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_SAVED = len(r"\ud83d\ude00") - len(r"\U0001f600")
"""Number of characters by which a pair of surrogates gets shorter when it is joined."""
_ROWS = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_ODD_BREAKS = re.compile("[\x85\u2028\u2029]")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?P<fraction>\.\d+)?(?P<exponent>[eE][-+]?\d+)?", re.ASCII)


class Document(Struct, frozen=True):
    """A YAML document: its value, its mistakes, and the place of each key and value.

    Places are kept by path, in plain tuples, which the garbage collector does not visit again: a tree with an
    object for each value made reading a suite of 10,000 cases 50 % slower.
    """

    value: Json
    problems: tuple[Problem, ...]
    too_large: tuple[Problem, ...]
    """The numbers too large for a float: mistakes, unless they are read as the texts they are written as."""
    _keys: dict[Path, tuple[int, int]]
    _values: dict[Path, tuple[int, int]]
    _written: dict[Path, str]
    _aliases: dict[Path, Path]

    def place(self, path: Path = (), *, key: bool = False) -> Place:
        """The place of the value at `path`, or of its key; if there is none, the nearest place above it."""
        at = self._of_anchor(path)
        if key and at in self._keys:
            return _from_0(*self._keys[at])
        while path and at not in self._values:
            path = path[:-1]
            at = self._of_anchor(path)
        return _from_0(*self._values[at]) if path else Place(1, 1)

    def written(self, path: Path) -> str | None:
        """The text of the number at `path` as the file spells it (`007e1`); None for anything else."""
        return self._written.get(self._of_anchor(path))

    def _of_anchor(self, path: Path) -> Path:
        """The path with each alias above its end replaced by the path of what the alias repeats."""
        end = 1
        while self._aliases and end < len(path):
            anchor = self._aliases.get(path[:end])
            path, end = (path, end + 1) if anchor is None else ((*anchor, *path[end:]), 1)
        return path


def read(text: str) -> Document:
    """The one document in `text`; its mistakes are in its `problems`."""
    builder = _Builder()
    try:
        for event in events(text):
            builder.take(event)
    except _Unreadable as error:
        builder.problems.append(error.problem)
    except yaml.YAMLError as error:
        builder.problems.append(_syntax_problem(error, text))
    builder.problems += _odd_breaks(text)
    return Document(
        builder.root,
        tuple(builder.problems),
        tuple(builder.too_large),
        builder.keys,
        builder.values,
        builder.written,
        builder.aliases,
    )


def events(text: str) -> Iterator[yaml.Event]:
    """Yield libyaml's events for a text; raises yaml.YAMLError.

    The index of an event's marks is that of the text with its pairs of surrogates joined: `original_index`
    gives the one in the text itself.
    """
    parser: Any = _Parser(_SURROGATES.sub(_joined, text) if "\\u" in text else text)
    try:
        while parser.check_event():
            yield parser.get_event()
    finally:
        parser.dispose()


def original_index(text: str) -> Callable[[int], int]:
    """Return a function from the index of an event's mark to the index in the text."""
    ends = [found.end() for found in _SURROGATES.finditer(text)] if "\\u" in text else []
    if not ends:
        return lambda index: index
    joined_ends = [end - _SAVED * count for count, end in enumerate(ends, 1)]
    return lambda index: index + _SAVED * bisect_right(joined_ends, index)


class _Unreadable(Exception):
    """The document cannot be read beyond this problem."""

    def __init__(self, place: Place, message: str) -> None:
        self.problem = Problem(place, message)


@dataclass(slots=True)
class _Open:
    """A mapping or sequence that is not closed yet."""

    value: dict[str, Json] | list[Json]
    path: Path
    mark: _Mark
    anchor: str | None
    count_before: int
    """Number of values in the document before it."""
    key: str | None = None
    """The key whose value comes next."""

    def next_path(self) -> Path:
        """The path of the value that comes next."""
        step = self.key if self.key is not None else len(self.value)
        return self.path + (step,)  # noqa: RUF005  # a third of the time, once for each value


class _Anchored(NamedTuple):
    """A value that aliases may repeat."""

    value: Json
    path: Path
    weight: int
    """Number of values in it, with itself."""
    written: str | None


@dataclass(slots=True)
class _Builder:
    """Builds values from events, with a stack of the open lists and mappings."""

    root: Json = None
    problems: list[Problem] = field(default_factory=list)
    too_large: list[Problem] = field(default_factory=list)
    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)
    """Line and column of each key and value, counted from 0."""
    written: dict[Path, str] = field(default_factory=dict)
    """The texts of numbers."""
    aliases: dict[Path, Path] = field(default_factory=dict)
    """The path of each alias of a list or mapping, with the path of what it repeats."""
    _stack: list[_Open] = field(default_factory=list)
    _anchors: dict[str, _Anchored] = field(default_factory=dict)
    _count: int = 0
    _aliased: int = 0
    _documents: int = 0

    def take(self, event: yaml.Event) -> None:
        """Add the key or value of one event."""
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.MappingStartEvent():
                self._open({}, event)
            case yaml.SequenceStartEvent():
                self._open([], event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close()
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    message = "a second document: a suite file holds one; remove the `---`"
                    raise _Unreadable(_place(event.start_mark), message)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._refuse_tag(event)
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            if event.value == "<<" and not event.style:
                self._problem(event.start_mark, "merge keys (<<) are not read; write the keys out")
            self._remember(event.anchor, event.value)
            self._key(top, event.value, event.start_mark)
            return
        value, number = self._plain(event)
        written = event.value if number else None
        self._remember(event.anchor, value, written=written)
        self._add(value, event.start_mark, written)

    def _plain(self, event: yaml.ScalarEvent) -> tuple[Json, bool]:
        """The scalar's value, and whether it is a number."""
        text: str = event.value
        if event.style:  # quoted or block text
            return text, False
        if text in _WORDS:
            return _WORDS[text], False
        number = _NUMBER.fullmatch(text)
        if number is None:
            return text, False
        try:
            value = float(text) if number["fraction"] or number["exponent"] else int(text)
        except ValueError:  # more digits than Python reads
            value = float("inf")
        if value in (float("inf"), float("-inf")):
            shown = text if len(text) <= 20 else f"{text[:20]}…"
            message = f"{shown} is too large for a number; quote it to mean text"
            self.too_large.append(Problem(_place(event.start_mark), message))
        return value, True

    def _key(self, top: _Open, text: str, mark: _Mark) -> None:
        """Take the next key of a mapping, as text whatever it looks like: JSON has no other keys."""
        path = top.path + (text,)  # noqa: RUF005  # likewise
        if text in top.value:
            first = self.keys[path][0] + 1
            self._problem(mark, f'duplicate key "{text}", first on line {first}; remove one')
        else:
            self.keys[path] = (mark.line, mark.column)
        top.key = text

    def _open(self, value: dict[str, Json] | list[Json], event: Any) -> None:
        self._refuse_tag(event)
        if len(self._stack) >= MAX_DEPTH:
            message = f"nested deeper than {MAX_DEPTH} levels; make it flatter"
            raise _Unreadable(_place(event.start_mark), message)
        self._refuse_key(event.start_mark)
        if event.anchor is not None:
            self._anchors.pop(event.anchor, None)
        path = self._stack[-1].next_path() if self._stack else ()
        self._stack.append(_Open(value, path, event.start_mark, event.anchor, self._count))

    def _close(self) -> None:
        done = self._stack.pop()
        self._add(done.value, done.mark, None)
        self._remember(done.anchor, done.value, done.path, self._count - done.count_before)

    def _alias(self, event: yaml.AliasEvent) -> None:
        mark = event.start_mark
        if event.anchor not in self._anchors:
            raise _Unreadable(_place(mark), self._no_anchor(event.anchor))
        value, path, weight, written = self._anchors[event.anchor]
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None and isinstance(value, str):
            self._key(top, value, mark)
            return
        self._refuse_key(mark)
        self._count += weight
        self._aliased += weight
        if self._aliased > MAX_ALIASED:
            message = f"aliases blow this file up past {MAX_ALIASED:,} values; write them out"
            raise _Unreadable(_place(mark), message)
        if self._stack and isinstance(value, dict | list):
            self.aliases[self._stack[-1].next_path()] = path
        self._add(value, mark, written)

    def _no_anchor(self, name: str | None) -> str:
        if any(one.anchor == name for one in self._stack):
            return f"*{name} is inside of itself; write the value out"
        names = ", ".join(self._anchors) or "none"
        hint = did_you_mean(name or "", self._anchors)
        return f"*{name} names no anchor before it (anchors: {names}); define it first{hint}"

    def _remember(
        self, anchor: str | None, value: Json, path: Path = (), parts: int = 0, *, written: str | None = None
    ) -> None:
        if anchor is not None:
            self._anchors[anchor] = _Anchored(value, path, parts + 1, written)

    def _add(self, value: Json, mark: _Mark, written: str | None) -> None:
        """Put a finished value into the innermost open collection."""
        self._count += 1
        if self._count > MAX_VALUES:
            message = f"more than {MAX_VALUES:,} values; split the file, or move them to a .jsonl dataset"
            raise _Unreadable(_place(mark), message)
        if not self._stack:
            self.root = value
            return
        top = self._stack[-1]
        path = top.next_path()
        self.values[path] = (mark.line, mark.column)
        if written is not None:
            self.written[path] = written
        if isinstance(top.value, list):
            top.value.append(value)
        else:
            top.value.setdefault(top.key or "", value)
            top.key = None

    def _refuse_key(self, mark: _Mark) -> None:
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            raise _Unreadable(_place(mark), "a list or mapping as a key; keys are texts")

    def _refuse_tag(self, event: Any) -> None:
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._problem(event.start_mark, f"tag {tag[:60]}: tags are not read; write the value plainly")

    def _problem(self, mark: _Mark, message: str) -> None:
        self.problems.append(Problem(_place(mark), message))


def _place(mark: _Mark) -> Place:
    return _from_0(mark.line, mark.column)


def _from_0(line: int, column: int) -> Place:
    return Place(line + 1, column + 1)


def _joined(pair: re.Match[str]) -> str:
    """The YAML escape of a character that JSON escapes as two surrogates."""
    high, low = int(pair[2], 16), int(pair[3], 16)
    return f"{pair[1]}\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"


def _odd_breaks(text: str) -> list[Problem]:
    """A mistake for each character that is a line break in YAML but not in JSON."""
    return [
        Problem(_place_of(text, found.start()), f"a line break U+{ord(found[0]):04X}; write it as an escape")
        for found in _ODD_BREAKS.finditer(text)
    ]


def _syntax_problem(error: yaml.YAMLError, text: str) -> Problem:
    mark: Any = getattr(error, "problem_mark", None)
    if mark is None:
        return _unreadable_character(error, text)
    rows = _ROWS.split(text)
    row = min(mark.line, len(rows) - 1)
    line = rows[row]
    place = Place(row + 1, (mark.column if row == mark.line else len(line)) + 1)
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent or line[mark.column : mark.column + 1] == "\t":
        return Problem(place, "a tab in the indentation; YAML is indented with spaces")
    return Problem(place, _syntax_message(error))


def _syntax_message(error: Any) -> str:
    """Libyaml's error in words for people who write suites."""
    problem = error.problem or "this is not YAML"
    context, opened = error.context or "", error.context_mark
    where = f"on line {opened.line + 1} " if opened is not None else ""
    if "end of stream" in problem and "quoted" in context:
        return f"not YAML: the quote opened {where}is never closed"
    if "flow" in context and ("expected" in problem or "end of stream" in problem):
        return f"not YAML: the bracket opened {where}is not closed here; close it, or put a comma"
    if problem.startswith("mapping values are not allowed"):
        return 'not YAML: a second ": " here; quote the text if it has a colon, or check the indentation'
    return f"not YAML: {problem}"


def _unreadable_character(error: Any, text: str) -> Problem:
    """Libyaml's error about a control character, which has only an offset, in bytes."""
    before = text.encode("utf-8", "surrogatepass")[: getattr(error, "position", 0) or 0]
    place = _place_of(text, len(before.decode("utf-8", "ignore")))
    return Problem(place, "not text: a control character is here; is this a suite file?")


def _place_of(text: str, offset: int) -> Place:
    before = text[:offset]
    return Place(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)
