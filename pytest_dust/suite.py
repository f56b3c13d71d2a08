"""The text of a `*.dust.yaml` file to a list of cases; all validation of what users write.

Mistakes are collected with their places and raised together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pytest_dust import references, tables, yamlio
from pytest_dust.checks import expectation
from pytest_dust.checks.binding import ArgumentError, Here
from pytest_dust.checks.paths import PathError
from pytest_dust.errors import SuiteError
from pytest_dust.keys import KEYS, Key, unknown
from pytest_dust.model import Baseline, Case, Expectation, Flavor, Path, Place, Problem
from pytest_dust.notes import Invalid, Notes, kind

SUFFIX = ".dust.yaml"
MAX_BYTES = 8 * 1024 * 1024
NEEDED = {
    "app": "no app; give app: {id: …}, the id from the app's address in Dust",
    "specification_hash": "no specification_hash; give 64 hex digits, or latest",
}


def load(
    source: bytes, file: str, look_up: references.LookUp, here: Here = expectation.BUILT_IN
) -> list[Case]:
    """The cases of a suite file; raises SuiteError with every mistake in it."""
    stem = file.replace("\\", "/").rsplit("/", 1)[-1].removesuffix(SUFFIX)
    try:
        text = _decoded(source, stem)
    except _NotText as error:
        raise SuiteError(file, [error.problem]) from None
    document = yamlio.read(text)
    notes = Notes(document, list(document.problems))
    cases: list[Case] = []
    if not notes.problems:
        cases = _Reader(notes, look_up, here).suite(document.value, stem)
    if problems := notes.all():
        raise SuiteError(file, problems, text)
    return cases


class _NotText(Exception):
    def __init__(self, place: Place, message: str) -> None:
        self.problem = Problem(place, message)


def _decoded(source: bytes, stem: str) -> str:
    if not stem or stem.startswith("."):
        raise _NotText(Place(1, 1), f"the file needs a name before {SUFFIX}, such as answer{SUFFIX}")
    if len(source) > MAX_BYTES:
        allowed = MAX_BYTES // 1024 // 1024  # of a larger file, no more was read
        raise _NotText(Place(1, 1), f"the file has more than {allowed} MB, which no suite may have; split it")
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = source[: error.start]
        line = before[before.rfind(b"\n") + 1 :].decode("utf-8", "ignore")
        place = Place(before.count(b"\n") + 1, len(line) + 1)
        raise _NotText(place, "not UTF-8 text; save the file as UTF-8") from None


class _Variant(NamedTuple):
    """One case that a written case gives: what its id adds, its row's place, what its references find."""

    parts: list[str]
    row: str
    look_up: references.LookUp
    value: Mapping[str, Any] | None

    @property
    def alone(self) -> list[Mapping[str, Any]] | None:
        """The inputs of a case that names none: its row."""
        return None if self.value is None else [self.value]


@dataclass(slots=True)
class _Reader:
    """Reads the cases of one document."""

    notes: Notes
    look_up: references.LookUp
    here: Here
    top: Mapping[str, Any] = field(default_factory=dict)
    shared: Mapping[str, Any] = field(default_factory=dict)
    _expectations: dict[tuple[Path, bool], Expectation | None] = field(default_factory=dict)

    def suite(self, value: Any, stem: str) -> list[Case]:
        """The cases of a whole file."""
        if not isinstance(value, dict):
            what = "the file is empty" if value is None else f"a suite is a mapping, not {kind(value)}"
            self.notes.problem((), f"{what}; begin with app:, specification_hash: and cases:")
            return []
        self.top = value
        one = "cases" not in value
        if one and any(name in value for name in ("input", "inputs", "dataset")):
            return list(self.written(value, (), stem, _may_stand_at_the_top))
        outside = {name: written for name, written in value.items() if name != "cases"}
        filled = self.notes.fill(outside, (), self.look_up)
        self.shared = self.keys(filled, (), _may_stand_at_the_top if one else lambda key: key.suite)
        if one:
            what = "no cases; give cases: a list, or input: and expect: for a file of one case"
            self.notes.problem((), what)
            return []
        return list(self.cases(value["cases"]))

    def cases(self, value: Any) -> Iterator[Case]:
        """The cases of a list, each with what it inherits."""
        if not isinstance(value, list) or not value:
            what = "cases is a list with at least one case, each beginning with `- id:`"
            shown = "an empty list" if value == [] else kind(value)
            self.notes.problem(("cases",), f"{what}; not {shown}")
            return
        seen: dict[str, Place] = {}
        for at, each in enumerate(value):
            path: Path = ("cases", at)
            if not isinstance(each, dict):
                self.notes.problem(path, f"a case is a mapping with id and input, not {kind(each)}")
                continue
            id_ = self.id(each, path, seen)
            yield from self.written(each, path, id_, lambda key: key.case)

    def id(self, each: Mapping[str, Any], path: Path, seen: dict[str, Place]) -> str | None:
        """A case's own id, if it has one that no case before it has."""
        if "id" not in each:
            self.notes.problem(path, "a case without id; give it one, unique in the file, such as id: refund")
            return None
        try:
            id_: str = KEYS["id"].read(self.notes, each["id"], (*path, "id"))
        except Invalid:
            return None
        if id_ in seen:
            taken = f'the id "{id_}" is taken by the case on line {seen[id_].line}; rename one'
            self.notes.problem((*path, "id"), taken)
        seen.setdefault(id_, self.notes.document.place(path))
        return id_

    def keys(self, value: Mapping[str, Any], path: Path, allowed: Callable[[Key], bool]) -> dict[str, Any]:
        """The values of a mapping's known keys, read; unknown keys and bad values are noted."""
        read: dict[str, Any] = {}
        for name, written in value.items():
            key = KEYS.get(name)
            if key is None or not allowed(key):
                self.notes.problem((*path, name), unknown(name, allowed, in_case=bool(path)), key=True)
                continue
            try:
                read[name] = key.read(self.notes, written, (*path, name))
            except Invalid:
                continue
        return read

    def written(
        self, written: Mapping[str, Any], path: Path, id_: str | None, allowed: Callable[[Key], bool]
    ) -> Iterator[Case]:
        """The cases that one written case gives: itself, or one for each row and combination."""
        for name, message in NEEDED.items():
            if name not in written and name not in self.top:
                self.notes.problems.append(Problem(Place(1, 1), message))
        self.check_inputs(written, path)
        if self.circular(written, path):
            return
        steady = {name: each for name, each in written.items() if not references.reads_table(each)}
        filled = self.notes.fill(
            {name: steady[name] for name in steady if name != "id" or not path}, path, self.look_up
        )
        read = self.keys(filled, path, allowed)
        seen: set[str] = set()
        try:
            for variant in self.variants(read, table="dataset" in written or "matrix" in written):
                self.notes.row = variant.row
                moving = {name: written[name] for name in written if name not in steady}
                changed = self.notes.fill(moving, path, variant.look_up)
                plural = dict.fromkeys(written.keys() & {"inputs"})  # even where they cannot be read
                own = {**plural, **read, **(self.keys(changed, path, allowed) if changed else {})}
                entries = {**_entries(filled), **_entries(changed)}
                own_id = tables.suffixed(id_ or "", variant.parts) if variant.parts else id_
                if own_id in seen:
                    what, key = ("row", "dataset") if "dataset" in written else ("combination", "matrix")
                    taken = f'a second {what} gives the id "{own_id}"; rename one'
                    self.notes.problem((*path, key), taken)
                seen.add(own_id or "")
                case = self.case(own_id, own, entries, path, variant)
                if case is not None:
                    yield case
        except tables.TableError as error:
            self.notes.row = ""
            self.notes.problem((*path, "dataset"), str(error))
        self.notes.row = ""

    def circular(self, written: Mapping[str, Any], path: Path) -> bool:
        """Whether what makes the case's rows or combinations refers to them itself, which is noted."""
        wrong = [name for name in ("dataset", "matrix") if references.reads_table(written.get(name))]
        for name in wrong:
            what = "it says which rows and combinations there are"
            self.notes.problem((*path, name), f"{name} reads no row or matrix, for {what}; write it out")
        return bool(wrong)

    def check_inputs(self, written: Mapping[str, Any], path: Path) -> None:
        """Note a case with both forms of input, or none."""
        if ("input" in written) != ("inputs" in written) or (
            "dataset" in written and "inputs" not in written
        ):
            return
        both = "input" in written
        at = (*path, "inputs") if both else path
        wrong = "both input and inputs" if both else "a case without input"
        self.notes.problem(at, f"{wrong}; give input: a mapping, or inputs: a list of mappings", key=both)

    def variants(self, read: Mapping[str, Any], *, table: bool) -> Iterator[_Variant]:
        """Each row of the case's dataset with each combination of its matrix."""
        if not table:
            yield _Variant([], "", self.look_up, None)
            return
        matrix = list(tables.combinations(read["matrix"])) if "matrix" in read else [("", {})]
        name = read.get("dataset")
        rows = enumerate(tables.rows(name, self.here), 1) if name else [(0, None)]
        for number, row in rows:
            roots: dict[str, Any] = {} if row is None else {"row": row.value}
            parts = [] if row is None else [tables.row_id(row, number, str(name))]
            place = "" if row is None else f"{name}:{row.line}"
            for told, chosen in matrix:
                roots = {**roots, "matrix": chosen} if "matrix" in read else roots
                look_up = references.table(roots, self.look_up)
                yield _Variant([*parts, *([told] if told else [])], place, look_up, row and row.value)

    def case(
        self,
        id_: str | None,
        own: Mapping[str, Any],
        entries: Mapping[str, Any],
        path: Path,
        variant: _Variant,
    ) -> Case | None:
        """The case with everything inherited, or nothing where that cannot be."""
        plural = "inputs" in own
        expect = self.expect(entries, path, plural=plural)
        merged = {**self.shared, **own}
        inputs = merged.get("inputs") or merged.get("input") or variant.alone
        if id_ is None or inputs is None or any(name not in merged for name in NEEDED):
            return None
        return Case(
            id=id_,
            place=self.notes.document.place(path),
            app=merged["app"],
            specification_hash=merged["specification_hash"],
            config=_merged(self.shared.get("config", {}), own.get("config", {})),
            inputs=inputs,
            plural=plural,
            block_filter=merged.get("block_filter"),
            flavor=merged.get("flavor", Flavor.BLOCKING),
            timeout=merged.get("timeout"),
            marks=(*self.shared.get("marks", ()), *own.get("marks", ())),
            expect=expect,
            description=merged.get("description", ""),
            baseline=Baseline(**{**self.shared.get("baseline", {}), **own.get("baseline", {})}),
            repeat=merged.get("repeat"),
            row=variant.row,
        )

    def expect(self, own: Mapping[str, Any], path: Path, *, plural: bool) -> tuple[Expectation, ...]:
        """The expectations of a case and of its suite, the case's own winning."""
        shared = self.shared.get("expect", {})
        sources: dict[str, tuple[Any, Path]] = {
            name: (value, ("expect", name)) for name, value in shared.items()
        }
        sources |= {name: (value, (*path, "expect", name)) for name, value in own.items()}
        read = [self.expectation(name, value, at, plural=plural) for name, (value, at) in sources.items()]
        held = [one for one in read if one is not None]
        if any(expectation.names_outcome(one.path) for one in held):
            return tuple(held)
        return (expectation.SUCCEEDS, *held)

    def expectation(self, name: str, value: Any, path: Path, *, plural: bool) -> Expectation | None:
        """One entry of an expect, or None where it is wrong; read once where all cases share it."""
        known = (path, plural)
        if known in self._expectations:
            return self._expectations[known]
        try:
            one: Expectation | None = expectation.read(name, value, plural=plural, here=self.here)
        except PathError as error:
            one = None
            self.notes.problem(path, str(error), key=True)
        except ArgumentError as error:
            one = None
            for each in (error, *error.others):
                self.notes.problem((*path, *each.path), str(each), key=each.at_key)
        if self.shared and len(path) == len(("expect", name)):  # in the short form it is the case's own
            self._expectations[known] = one
        return one


def _may_stand_at_the_top(key: Key) -> bool:
    """Whether a key may stand at the top of a file without cases, which is one case itself."""
    return key is not KEYS["id"]


def _entries(keys: Mapping[str, Any]) -> Mapping[str, Any]:
    """The entries of a case's expect; none where it is no mapping, which is noted elsewhere."""
    expect = keys.get("expect")
    return expect if isinstance(expect, dict) else {}


def _merged(shared: Mapping[str, Any], own: Mapping[str, Any]) -> Mapping[str, Any]:
    """The config of a case over that of its suite, block by block and key by key."""
    if not own:
        return shared
    blocks = {name: {**shared.get(name, {}), **block} for name, block in own.items()}
    return {**shared, **blocks}
