"""The text of a `*.dust.yaml` file to a list of cases; all validation of what users write.

One table, `KEYS`, says which keys there are, where each may stand and how its value is read.
Mistakes are collected with their places and raised together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pytest_dust import references, yamlio
from pytest_dust.checks import expectation
from pytest_dust.checks.binding import ArgumentError
from pytest_dust.checks.paths import PathError
from pytest_dust.errors import SuiteError, did_you_mean
from pytest_dust.model import App, Case, Expectation, Flavor, Mark, Path, Place, Problem

SUFFIX = ".dust.yaml"
MAX_BYTES = 8 * 1024 * 1024
MAX_ID = 100
"""Characters of a case id: what file systems hold as a name, with room for `.json`."""

_ID = re.compile(r"[a-z0-9][a-z0-9._-]*")
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_MARK = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
_REASONED = ("skip", "xfail")
_WITHOUT_EFFECT = ("parametrize", "usefixtures")


def load(source: bytes, file: str, look_up: references.LookUp) -> list[Case]:
    """The cases of a suite file; raises SuiteError with every mistake in it."""
    stem = file.replace("\\", "/").rsplit("/", 1)[-1].removesuffix(SUFFIX)
    try:
        text = _decoded(source, stem)
    except _NotText as error:
        raise SuiteError(file, [error.problem]) from None
    document = yamlio.read(text)
    reader = _Reader(document, list(document.problems))
    cases: list[Case] = []
    if not reader.problems:
        cases = reader.suite(reader.fill(look_up), stem)
    if reader.problems:
        raise SuiteError(file, reader.problems)
    return cases


class _NotText(Exception):
    def __init__(self, place: Place, message: str) -> None:
        self.problem = Problem(place, message)


def _decoded(source: bytes, stem: str) -> str:
    if not stem or stem.startswith("."):
        raise _NotText(Place(1, 1), f"the file needs a name before {SUFFIX}, such as answer{SUFFIX}")
    if len(source) > MAX_BYTES:
        size = f"{len(source) / 1024 / 1024:.1f} MB"
        allowed = f"{MAX_BYTES // 1024 // 1024} MB"
        raise _NotText(Place(1, 1), f"the file has {size}, a suite may have {allowed}; split it")
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = source[: error.start]
        line = before[before.rfind(b"\n") + 1 :].decode("utf-8", "ignore")
        place = Place(before.count(b"\n") + 1, len(line) + 1)
        raise _NotText(place, "not UTF-8 text; save the file as UTF-8") from None


# ── the keys ─────────────────────────────────────────────────────────────────────────────────────


class Key(NamedTuple):
    """One key of the format: how its value is read, and where it may stand."""

    read: Callable[[_Reader, Any, Path], Any]
    suite: bool
    case: bool


class _Invalid(Exception):
    """A value cannot be used; noted already."""


@dataclass(slots=True)
class _Reader:
    """Reads values of one document and notes what is wrong with them."""

    document: yamlio.Document
    problems: list[Problem] = field(default_factory=list)
    unfilled: set[Place] = field(default_factory=set)
    top: Mapping[str, Any] = field(default_factory=dict)

    def problem(self, path: Path, message: str, *, key: bool = False) -> None:
        """Note a mistake at the value, or the key, to which `path` leads."""
        place = self.document.place(path, key=key)
        if place not in self.unfilled:
            self.problems.append(Problem(place, message))

    def fill(self, look_up: references.LookUp) -> Any:
        """The document's value with its references filled in; what stands at a bad one is noted once."""
        value, wrong = references.fill(self.document.value, look_up)
        for path, message in wrong:
            self.problem(path, message)
        self.unfilled = {self.document.place(path) for path, _ in wrong}
        return value

    def suite(self, value: Any, stem: str) -> list[Case]:
        """The cases of a whole file."""
        if not isinstance(value, dict):
            what = "the file is empty" if value is None else f"a suite is a mapping, not {_kind(value)}"
            self.problem((), f"{what}; begin with app:, specification_hash: and cases:")
            return []
        self.top = value
        short = "cases" not in value and ("input" in value or "inputs" in value)
        shared = self.keys(value, (), lambda key: key.suite or (short and key.case and key is not KEYS["id"]))
        if short:
            return [*self.case(value, {}, (), stem, shared)]
        if "cases" not in value:
            self.problem((), "no cases; give cases: a list, or input: and expect: for a file of one case")
            return []
        return self.cases(value["cases"], shared)

    def cases(self, value: Any, shared: Mapping[str, Any]) -> list[Case]:
        """The cases of a list, each with what it inherits."""
        if not isinstance(value, list) or not value:
            self.problem(
                ("cases",),
                f"cases is a list with at least one case, each beginning with `- id:`; not {_kind(value)}",
            )
            return []
        cases: list[Case] = []
        seen: dict[str, Place] = {}
        for at, each in enumerate(value):
            path: Path = ("cases", at)
            if not isinstance(each, dict):
                self.problem(path, f"a case is a mapping with id and input, not {_kind(each)}")
                continue
            own = self.keys(each, path, lambda key: key.case)
            id_ = own.get("id")
            if "id" not in each:
                self.problem(path, "a case without id; give it one, unique in the file, such as id: refund")
            elif id_ in seen:
                taken = f'the id "{id_}" is taken by the case on line {seen[id_].line}; rename one'
                self.problem((*path, "id"), taken)
            elif id_ is not None:
                seen[id_] = self.document.place(path)
            cases.extend(self.case(each, shared, path, id_, own))
        return cases

    def keys(self, value: Mapping[str, Any], path: Path, allowed: Callable[[Key], bool]) -> dict[str, Any]:
        """The values of a mapping's known keys, read; unknown keys and bad values are noted."""
        read: dict[str, Any] = {}
        for name, written in value.items():
            key = KEYS.get(name)
            if key is None or not allowed(key):
                self.problem((*path, name), _unknown(name, allowed, in_case=bool(path)), key=True)
                continue
            try:
                read[name] = key.read(self, written, (*path, name))
            except _Invalid:
                continue
        return read

    def case(
        self,
        written: Mapping[str, Any],
        shared: Mapping[str, Any],
        path: Path,
        id_: str | None,
        own: Mapping[str, Any],
    ) -> list[Case]:
        """The case with everything inherited, or nothing where that cannot be."""
        for name in ("app", "specification_hash"):
            if name not in written and name not in self.top:
                self.missing(name)
        if ("input" in written) == ("inputs" in written):
            both = "input" in written
            at = (*path, "inputs") if both else path
            wrong = "both input and inputs" if both else "a case without input"
            self.problem(at, f"{wrong}; give input: a mapping, or inputs: a list of mappings", key=both)
        expect = self.expect(written, shared, path)
        merged = {**shared, **own}
        needed = ("app", "specification_hash")
        inputs = merged.get("inputs") or merged.get("input")
        if id_ is None or inputs is None or any(name not in merged for name in needed):
            return []
        return [
            Case(
                id=id_,
                place=self.document.place(path),
                app=merged["app"],
                specification_hash=merged["specification_hash"],
                config=_merged(shared.get("config", {}), own.get("config", {})),
                inputs=inputs,
                plural="inputs" in written,
                block_filter=merged.get("block_filter"),
                flavor=merged.get("flavor", Flavor.BLOCKING),
                timeout=merged.get("timeout"),
                marks=(*shared.get("marks", ()), *own.get("marks", ())),
                expect=expect,
                description=merged.get("description", ""),
            )
        ]

    def missing(self, name: str) -> None:
        """Note that a key is nowhere in the file."""
        wanted = {
            "app": "no app; give app: {id: …}, the id from the app's address in Dust",
            "specification_hash": "no specification_hash; give 64 hex digits, or latest",
        }
        self.problems.append(Problem(Place(1, 1), wanted[name]))

    def expect(
        self, written: Mapping[str, Any], shared: Mapping[str, Any], path: Path
    ) -> tuple[Expectation, ...]:
        """The expectations of a case and of its suite, the case's own winning."""
        plural = "inputs" in written
        own = written.get("expect")
        sources: dict[str, tuple[Any, Path]] = {}
        for entries, at in ((shared.get("expect"), ("expect",)), (own, (*path, "expect"))):
            if isinstance(entries, dict):
                sources |= {name: (value, (*at, name)) for name, value in entries.items()}
        read = [
            one
            for name, (value, at) in sources.items()
            if (one := self.expectation(name, value, at, plural=plural)) is not None
        ]
        if any(expectation.names_outcome(one.path) for one in read):
            return tuple(read)
        return (expectation.SUCCEEDS, *read)

    def expectation(self, name: str, value: Any, path: Path, *, plural: bool) -> Expectation | None:
        """One entry of an expect, or None where it is wrong."""
        try:
            return expectation.read(name, value, plural=plural)
        except PathError as error:
            self.problem(path, str(error), key=True)
        except ArgumentError as error:
            self.problem((*path, *error.path), str(error), key=error.at_key)
        return None

    def invalid(self, path: Path, message: str, *, key: bool = False) -> _Invalid:
        """Note a mistake and give what to raise for it."""
        self.problem(path, message, key=key)
        return _Invalid()

    def text(self, value: Any, path: Path, what: str) -> str:
        """A text; a number is taken as the text it is written as, since ids may look like numbers."""
        if isinstance(value, str) and value:
            return value
        written = self.document.written(path)
        if written is not None:
            return written
        if value == "":
            raise self.invalid(path, f"{what} is empty; give it a value, or leave it out")
        raise self.invalid(path, f"{what} is text, not {_kind(value)}")


def _app(reader: _Reader, value: Any, path: Path) -> App:
    names = ("workspace", "space", "id")
    if not isinstance(value, dict):
        raise reader.invalid(path, f"app is a mapping with id, not {_kind(value)}; write app: {{id: …}}")
    read: dict[str, str | None] = {}
    wrong = False
    for name, written in value.items():
        if name not in names:
            hint = did_you_mean(name, names)
            allowed = "; an app has workspace, space, id"
            reader.problem((*path, name), f'unknown key "{name}"{allowed}{hint}', key=True)
            wrong = True
            continue
        try:
            read[name] = _segment(reader, written, (*path, name), f"app.{name}")
        except _Invalid:
            wrong = True
    if "id" not in value:
        reader.problem(path, "app without id; give the id from the app's address in Dust")
    if wrong or "id" not in read:
        raise _Invalid
    return App(read.get("workspace"), read.get("space"), read["id"] or "")


def _segment(reader: _Reader, value: Any, path: Path, what: str) -> str:
    """An id that stands in an address as one piece."""
    name = reader.text(value, path, what)
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise reader.invalid(path, f'{what} "{name[:40]}" is no id; it has letters, digits, _ and - only')
    return name


def _hash(reader: _Reader, value: Any, path: Path) -> str:
    text = reader.text(value, path, "specification_hash")
    if text == "latest":
        return text
    if not _HASH.fullmatch(text):
        hexadecimal = re.fullmatch(r"[0-9a-fA-F]+", text)
        shown = f"{len(text)} of them" if hexadecimal else f'"{text[:20]}"{did_you_mean(text, ("latest",))}'
        raise reader.invalid(path, f"specification_hash is 64 hex digits, or latest; not {shown}")
    return text.lower()


def _config(reader: _Reader, value: Any, path: Path) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise reader.invalid(path, f"config is a mapping of block names, not {_kind(value)}")
    for name, block in value.items():
        if not isinstance(block, dict):
            message = f"the config of a block is a mapping, not {_kind(block)}; such as {{model_id: gpt-4o}}"
            raise reader.invalid((*path, name), message)
    return value


def _block_filter(reader: _Reader, value: Any, path: Path) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise reader.invalid(path, "block_filter is a list of block names, such as [ANSWER]")
    names = [reader.text(name, (*path, at), "a block's name") for at, name in enumerate(value)]
    return tuple(dict.fromkeys(names))


def _flavor(reader: _Reader, value: Any, path: Path) -> Flavor:
    if value not in list(Flavor):
        hint = did_you_mean(value, Flavor) if isinstance(value, str) else ""
        raise reader.invalid(path, f"flavor is one of {', '.join(Flavor)}{hint}")
    return Flavor(value)


def _timeout(reader: _Reader, value: Any, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        seconds = re.fullmatch(r"(\d+)\s*s(?:ec(?:ond)?s?)?", str(value))
        hint = f"; write {seconds[1]}" if seconds else ""
        shown = f", not {value}" if isinstance(value, int | float | str) else ""
        message = f"timeout is a number of seconds greater than 0, for the whole run{shown}"
        raise reader.invalid(path, message + hint)
    return float(value)


def _description(reader: _Reader, value: Any, path: Path) -> str:
    if not isinstance(value, str):
        raise reader.invalid(path, f"description is text, not {_kind(value)}; quote it")
    return value


def _expect(reader: _Reader, value: Any, path: Path) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not value:
        message = "expect is a mapping of paths, such as {result.label: billing}"
        raise reader.invalid(path, f"{message}; leave it out to expect only status: succeeded")
    return value


def _id(reader: _Reader, value: Any, path: Path) -> str:
    text = reader.text(value, path, "id")
    if not _ID.fullmatch(text):
        wanted = "small letters, digits, . _ and -, beginning with a letter or digit"
        suggestion = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")[:40]
        hint = f" (did you mean {suggestion}?)" if suggestion else ""
        raise reader.invalid(path, f'the id "{text[:40]}" is not allowed; it has {wanted}{hint}')
    if len(text) > MAX_ID:
        raise reader.invalid(path, f"an id of {len(text)} characters; it names a file, so at most {MAX_ID}")
    return text


def _input(reader: _Reader, value: Any, path: Path) -> list[Any]:
    if not isinstance(value, dict):
        message = f"input is a mapping, such as {{question: Hi}}, not {_kind(value)}"
        raise reader.invalid(path, message)
    return [value]


def _inputs(reader: _Reader, value: Any, path: Path) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise reader.invalid(path, "inputs is a list of mappings, one per input")
    for at, each in enumerate(value):
        if not isinstance(each, dict):
            raise reader.invalid((*path, at), f"each of inputs is a mapping, not {_kind(each)}")
    return value


def _marks(reader: _Reader, value: Any, path: Path) -> tuple[Mark, ...]:
    if not isinstance(value, list):
        raise reader.invalid(path, "marks is a list, such as [slow, {xfail: reason}]")
    return tuple(_mark(reader, each, (*path, at)) for at, each in enumerate(value))


def _mark(reader: _Reader, value: Any, path: Path) -> Mark:
    if isinstance(value, str):
        return Mark(_mark_name(reader, value, path), (), (), reader.document.place(path))
    if not isinstance(value, dict) or len(value) != 1:
        raise reader.invalid(path, "a mark is a name, {skip: reason}, {xfail: reason} or {name: [args]}")
    ((name, argument),) = value.items()
    _mark_name(reader, name, path)
    place = reader.document.place((*path, name), key=True)
    if name in _REASONED:
        if not isinstance(argument, str):
            raise reader.invalid((*path, name), f"{name} takes a reason, such as {{{name}: not yet fixed}}")
        return Mark(name, (), (("reason", argument),), place)
    if not isinstance(argument, list):
        example = argument if isinstance(argument, str) and argument.isidentifier() else "argument"
        raise reader.invalid((*path, name), f"a mark's arguments are a list: {{{name}: [{example}]}}")
    return Mark(name, tuple(argument), (), place)


def _mark_name(reader: _Reader, name: str, path: Path) -> str:
    if not _MARK.fullmatch(name):
        raise reader.invalid(path, f'"{name[:40]}" is no mark; a mark is named with letters, digits and _')
    if name in _WITHOUT_EFFECT:
        raise reader.invalid(path, f"{name} has no effect on a case of a suite; remove it")
    return name


def _cases(_reader: _Reader, value: Any, _path: Path) -> Any:
    return value


KEYS: dict[str, Key] = {
    "app": Key(_app, suite=True, case=False),
    "specification_hash": Key(_hash, suite=True, case=True),
    "config": Key(_config, suite=True, case=True),
    "block_filter": Key(_block_filter, suite=True, case=True),
    "flavor": Key(_flavor, suite=True, case=True),
    "timeout": Key(_timeout, suite=True, case=True),
    "marks": Key(_marks, suite=True, case=True),
    "expect": Key(_expect, suite=True, case=True),
    "cases": Key(_cases, suite=True, case=False),
    "id": Key(_id, suite=False, case=True),
    "description": Key(_description, suite=False, case=True),
    "input": Key(_input, suite=False, case=True),
    "inputs": Key(_inputs, suite=False, case=True),
}


def _unknown(name: str, allowed: Callable[[Key], bool], *, in_case: bool) -> str:
    """What to say of a key that may not stand here."""
    here = [other for other, key in KEYS.items() if allowed(key)]
    if name in KEYS and in_case:
        return f"{name} stands at the top of the file, for all its cases, not in a case"
    if name in KEYS:
        return f"{name} stands in a case, not here; put it below cases: - id: …"
    owner = "a case" if in_case else "a suite"
    return f'unknown key "{name}"; {owner} has: {", ".join(here)}{did_you_mean(name, here)}'


def _merged(shared: Mapping[str, Any], own: Mapping[str, Any]) -> Mapping[str, Any]:
    """The config of a case over that of its suite, block by block and key by key."""
    if not own:
        return shared
    blocks = {name: {**shared.get(name, {}), **block} for name, block in own.items()}
    return {**shared, **blocks}


def _kind(value: Any) -> str:
    names = {type(None): "nothing", bool: "true or false", str: "text", list: "a list", dict: "a mapping"}
    return names.get(type(value), "a number")
