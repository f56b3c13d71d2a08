"""Read the cases of a `*.dust.yaml` file.

All mistakes in it are collected with their places, and raised together.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from pytest_dust.checks import expectation
from pytest_dust.checks.binding import ArgumentError, Here
from pytest_dust.constants import SUITE_SUFFIX
from pytest_dust.errors import SuiteError
from pytest_dust.masking import Mask
from pytest_dust.model import Baseline, Case, Expectation, Json, Path, Place, Problem, Repeat
from pytest_dust.paths import PathError
from pytest_dust.suite import redaction, references, tables, yaml_reader
from pytest_dust.suite.case_limit import MAX_CASES, Size
from pytest_dust.suite.keys import KEYS, Key, meant, unknown
from pytest_dust.suite.problems import Invalid, Problems
from pytest_dust.suite.redaction import Hiding
from pytest_dust.wording import kind

MAX_BYTES = 8 * 1024 * 1024
MERGED = {"config", "inputs", "marks", "expect", "baseline"}
"""Keys whose values for the suite and for the case are put together; of others, the case's own counts."""
AS_READ = set(Case.__struct_fields__) & KEYS.keys() - MERGED - {"id"}
"""Keys whose value is a field of the case as it was read."""
NEEDED = {
    "app": "no app; give app: {id: …}, the id from the app's address in Dust",
    "specification_hash": "no specification_hash; give 64 hex digits, or latest",
}


def load(
    source: bytes,
    file: str,
    look_up: references.LookUp,
    here: Here = expectation.BUILT_IN,
    hiding: Hiding | None = None,
) -> list[Case]:
    """The cases of a suite file; raises SuiteError with every mistake in it."""
    hiding = hiding or Hiding()
    stem = file.replace("\\", "/").rsplit("/", 1)[-1].removesuffix(SUITE_SUFFIX)
    try:
        text = _decoded(source, stem)
    except _NotText as error:
        raise SuiteError(file, [error.problem]) from None
    document = yaml_reader.read(text)
    problems = Problems(document, list(document.problems), stand_in=hiding.stand_in(document.value))
    cases: list[Case] = []
    if not problems.found:
        with suppress(Invalid):  # its mistake is in `problems`
            cases = _Reader(problems, look_up, here, hiding.mask).suite(document.value, stem)
    if found := problems.all():
        raise SuiteError(file, found, text)
    return cases


class _NotText(Exception):
    def __init__(self, place: Place, message: str) -> None:
        self.problem = Problem(place, message)


def _decoded(source: bytes, stem: str) -> str:
    if not stem or stem.startswith("."):
        raise _NotText(
            Place(1, 1), f"the file needs a name before {SUITE_SUFFIX}, such as answer{SUITE_SUFFIX}"
        )
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
    """One case made from a written case: the parts of its id, and what its references find."""

    parts: list[tables.Part]
    row: str
    row_number: int
    look_up: references.LookUp
    value: Mapping[str, Any] | None
    roots: Mapping[str, Json] = {}
    """The row and the combination, by the names that references have for them."""

    @property
    def alone(self) -> list[Mapping[str, Any]] | None:
        """The inputs of a case without `input`: its row."""
        return None if self.value is None else [self.value]


class _Written(Struct, frozen=True):
    """A case as written, with the keys read that are the same for each row and combination."""

    id: str | None
    path: Path
    there: frozenset[str]
    """Its keys, including misspelt ones."""
    varying: Mapping[str, Any]
    """Its keys with references to the row or combination, not read yet."""
    read: Mapping[str, Any]
    expect: tuple[Expectation, ...]
    """Its expectations; only those of the suite if its own refer to the row or combination."""
    hidden: frozenset[str] = frozenset()
    """The references in its redacted places."""

    @property
    def plural(self) -> bool:
        """True if it has `inputs`, even ones that cannot be read."""
        return "inputs" in self.there

    def size(self, repeat: Repeat | None) -> Size:
        """Its size without the rows of its dataset; `repeat` is that of the suite.

        It has 0 attempts if these depend on the row or combination: they are counted for each case then.
        """
        own = self.read.get("repeat", repeat)
        matrix = self.read.get("matrix")
        combinations = tables.combination_count(matrix) if matrix else None
        attempts = 0 if "repeat" in self.varying else own.runs if own else 1
        return Size(combinations=combinations, attempts=attempts)

    def id_of(self, parts: list[str]) -> str | None:
        """The id of one of the cases made from it."""
        return tables.suffixed(self.id or "", parts) if parts else self.id


@dataclass(slots=True)
class _Reader:
    """Reads the cases of one document."""

    problems: Problems
    look_up: references.LookUp
    here: Here
    mask: Mask = field(default_factory=Mask)
    top: frozenset[str] = frozenset()
    """The keys at the top of the file, including misspelt ones."""
    shared: Mapping[str, Any] = field(default_factory=dict)
    runs: int = 0
    """Number of runs of the cases read so far; a repeated case counts once for each attempt."""
    full: bool = False
    """True if the file has more cases than allowed; that mistake is added already."""
    _shared: dict[tuple[str, bool], Expectation | None] = field(default_factory=dict)

    def suite(self, value: Any, stem: str) -> list[Case]:
        """The cases of a whole file."""
        if not isinstance(value, dict):
            what = "the file is empty" if value is None else f"a suite is a mapping, not {kind(value)}"
            self.problems.add((), f"{what}; begin with app:, specification_hash: and cases:")
            return []
        misspelt = meant(value, _allowed_in_single_case)
        self.top = frozenset((*value, *misspelt.values()))
        if "cases" not in value and self.top & {"input", "inputs", "dataset"}:
            return list(self.written(value, (), stem, _allowed_in_single_case))
        name = next((name for name, key in misspelt.items() if key == "cases"), "cases")
        one = name not in value
        allowed = _allowed_in_single_case if one or name != "cases" else _allowed_in_suite
        known = self.known(value, (), allowed)
        filled = self.problems.fill(
            {key: each for key, each in known.items() if key != name}, (), self.look_up
        )
        self.shared = self.keys(filled, ())
        if one:
            what = "no cases; give cases: a list, or input: and expect: for a file of one case"
            self.problems.add((), what)
            return []
        if name != "cases" and not isinstance(value[name], list):
            return []  # reported as misspelt already
        return list(self.cases(value[name], name))

    def cases(self, value: Any, name: str) -> Iterator[Case]:
        """The cases of the list at the key `name`, each with what it inherits."""
        if not isinstance(value, list) or not value:
            what = "cases is a list with at least one case, each beginning with `- id:`"
            shown = "an empty list" if value == [] else kind(value)
            self.problems.add((name,), f"{what}; not {shown}")
            return
        seen: dict[str, Place] = {}
        for at, each in enumerate(value):
            path: Path = (name, at)
            if self.full:
                return
            if not isinstance(each, dict):
                self.problems.add(path, f"a case is a mapping with id and input, not {kind(each)}")
                continue
            id_ = self.id(each, path, seen)
            yield from self.written(each, path, id_, _allowed_in_case)

    def id(self, each: Mapping[str, Any], path: Path, seen: dict[str, Place]) -> str | None:
        """A case's own id; None if it has none or it cannot be used."""
        if "id" not in each:
            if "id" not in meant(each, _allowed_in_case).values():
                what = "a case without id; give it one, unique in the file, such as id: refund"
                self.problems.add(path, what)
            return None
        try:
            id_: str = KEYS["id"].read(self.problems, each["id"], (*path, "id"))
        except Invalid:
            return None
        if id_ in seen:
            taken = f'the id "{id_}" is taken by the case on line {seen[id_].line}; rename one'
            self.problems.add((*path, "id"), taken)
        seen.setdefault(id_, self.problems.document.place(path))
        return id_

    def known(self, written: Mapping[str, Any], path: Path, allowed: Callable[[Key], bool]) -> dict[str, Any]:
        """The allowed keys of a mapping; adds a mistake for each other."""
        known: dict[str, Any] = {}
        for name, each in written.items():
            if name in KEYS and allowed(KEYS[name]):
                known[name] = each
            else:
                message = unknown(name, allowed, written, in_case=bool(path))
                self.problems.add((*path, name), message, key=True)
        return known

    def keys(self, value: Mapping[str, Any], path: Path) -> dict[str, Any]:
        """The values of known keys, read; adds a mistake for each wrong one."""
        read: dict[str, Any] = {}
        for name, written in value.items():
            with suppress(Invalid):
                read[name] = KEYS[name].read(self.problems, written, (*path, name))
        return read

    def written(
        self, written: Mapping[str, Any], path: Path, id_: str | None, allowed: Callable[[Key], bool]
    ) -> Iterator[Case]:
        """The cases made from one written case: one, or one for each row and combination."""
        there = frozenset((*written, *meant(written, allowed).values()))
        for name, message in NEEDED.items():
            if name not in there and name not in self.top:
                self.problems.found.append(Problem(Place(1, 1), message))
        self.check_inputs(written, there, path)
        if self.circular(written, path):
            return
        known = self.known(written, path, allowed)
        seen: set[str] = set()
        try:
            case = self.fixed_part(known, path, id_, there)
            for variant in self.variants(case):
                self.problems.row = variant.row
                one = self.case(case, variant, seen)
                if one is not None:
                    yield one
        except Invalid:
            return  # its mistake is in `problems`
        finally:
            self.problems.row = ""

    def fixed_part(
        self, known: Mapping[str, Any], path: Path, id_: str | None, there: frozenset[str]
    ) -> _Written:
        """Read the keys of a case that are the same for each row and combination.

        Raises Invalid if its rows or combinations cannot be read.
        """
        varying = {name: each for name, each in known.items() if references.reads_table(each)}
        same = {name: each for name, each in known.items() if name not in varying and name != "id"}
        filled = self.problems.fill(same, path, self.look_up)
        read = self.keys(filled, path)
        expect = self.expect(_entries(filled), path, plural="inputs" in there)
        if not there & {"dataset", "matrix"} <= read.keys():
            raise Invalid
        hidden = redaction.hidden_references(self.mask, known)
        return _Written(id_, path, there, varying, read, expect, hidden)

    def circular(self, written: Mapping[str, Any], path: Path) -> bool:
        """True if `dataset` or `matrix` refers to a row or combination itself; adds a mistake then."""
        wrong = [name for name in ("dataset", "matrix") if references.reads_table(written.get(name))]
        for name in wrong:
            what = "it says which rows and combinations there are"
            self.problems.add((*path, name), f"{name} reads no row or matrix, for {what}; write it out")
        return bool(wrong)

    def check_inputs(self, written: Mapping[str, Any], there: Container[str], path: Path) -> None:
        """Add a mistake for a case with both forms of input, or none."""
        what = "give input: a mapping, or inputs: a list of mappings"
        if "input" in written and "inputs" in written:
            self.problems.add((*path, "inputs"), f"both input and inputs; {what}", key=True)
        elif not any(name in there for name in ("input", "inputs", "dataset")):
            self.problems.add(path, f"a case without input; {what}")

    def variants(self, case: _Written) -> Iterator[_Variant]:
        """Each row of a case's dataset with each combination of its matrix; none if there are too many."""
        size = case.size(self.shared.get("repeat"))
        rows: Sequence[tables.Row | None] = [None]
        if (name := case.read.get("dataset")) and size.runs <= MAX_CASES:
            found = tables.read(name, self.here, MAX_CASES)
            if found.wrong:
                self.problems.add((*case.path, "dataset"), found.wrong)
            rows, size = found.rows, size._replace(rows=found.number)
        self.count(size, case.path)
        for number, row in enumerate(rows, 1):
            yield from self.row_variants(case, number, row)

    def row_variants(self, case: _Written, number: int, row: tables.Row | None) -> Iterator[_Variant]:
        """One row, or none if there is no dataset, with each combination of the matrix."""
        roots: dict[str, Any] = {}
        parts: list[tables.Part] = []
        place, at, alone = "", 0, None
        if row is not None:
            name = case.read["dataset"]
            roots["row"] = alone = row.value
            place, at = f"{name}:{row.line}", number
            try:
                parts = [tables.row_id(row, number, name)]
            except tables.TableError as error:
                raise self.problems.invalid((*case.path, "dataset"), str(error)) from None
        if "matrix" not in case.read:
            yield _Variant(parts, place, at, references.table(roots, self.look_up), alone, roots)
            return
        for named, chosen in tables.combinations(case.read["matrix"]):
            both = {**roots, "matrix": chosen}
            yield _Variant([*parts, *named], place, at, references.table(both, self.look_up), alone, both)

    def count(self, size: Size, path: Path) -> None:
        """Count the runs of a case; adds a mistake and raises Invalid if the file has too many then."""
        self.runs += size.runs
        if self.runs <= MAX_CASES:
            return
        if not self.full:
            self.full = True
            self.problems.add((*path, size.key) if size.key else path, size.refusal(self.runs))
        raise Invalid

    def case(self, written: _Written, variant: _Variant, seen: set[str]) -> Case | None:
        """A case with everything it inherits; None if it has mistakes."""
        path = written.path
        varying = written.varying
        changed = self.problems.fill(varying, path, variant.look_up) if varying else varying
        own = {**written.read, **self.keys(changed, path)} if changed else written.read
        expect = written.expect
        if "expect" in changed:
            expect = self.expect(_entries(changed), path, plural=written.plural)
        merged = {**self.shared, **own}
        inputs = merged.get("inputs") or merged.get("input") or variant.alone
        config = _merged(self.shared.get("config", {}), own.get("config", {}))
        redacted = self.mask.named(variant.roots)
        id_, renamed = self.variant_id(written, variant, {"inputs": inputs, "config": config}, redacted)
        if id_ in seen:
            what, key = ("row", "dataset") if "dataset" in written.there else ("combination", "matrix")
            self.problems.add((*path, key), f'a second {what} gives the id "{id_}"; rename one')
        seen.add(id_ or "")
        if id_ is None or inputs is None or any(name not in merged for name in NEEDED):
            return None
        if "repeat" in changed and "repeat" in own:
            self.count(Size(attempts=own["repeat"].runs), path)
        return Case(
            id=id_,
            place=self.problems.document.place(path),
            config=config,
            inputs=inputs,
            plural=written.plural,
            marks=(*self.shared.get("marks", ()), *own.get("marks", ())),
            expect=expect,
            baseline=Baseline(**{**self.shared.get("baseline", {}), **own.get("baseline", {})}),
            row=variant.row,
            row_number=variant.row_number,
            at=path,
            renamed=renamed,
            redacted=tuple(redacted),
            pin_line=self.pin_line(written),
            **{name: merged[name] for name in AS_READ if name in merged},
        )

    def pin_line(self, written: _Written) -> int:
        """The line of the specification hash of a case, its own or the suite's."""
        above = written.path if "specification_hash" in written.there else ()
        return self.problems.document.place((*above, "specification_hash"), key=True).line

    def variant_id(
        self, written: _Written, variant: _Variant, request: Json, redacted: Sequence[str | int | float]
    ) -> tuple[str | None, bool]:
        """The id of a case, and True if it has neutral parts, as it would reveal what is masked."""
        plain = shown = [part.text for part in variant.parts]
        if plain:
            mask = self.mask.covering(request).redacting(redacted)
            if mask.secrets or mask.patterns:
                shown = redaction.id_parts(variant.parts, mask, written.hidden)
        return written.id_of(shown), shown != plain

    def expect(self, own: Mapping[str, Any], path: Path, *, plural: bool) -> tuple[Expectation, ...]:
        """The expectations of a case and of its suite; the case's own override the suite's."""
        shared = self.shared.get("expect", {})
        read = [
            self.expectation(own[name], (*path, "expect", name), plural=plural)
            if name in own
            else self.shared_expectation(name, plural=plural)
            for name in {**shared, **own}
        ]
        held = [one for one in read if one is not None]
        if any(expectation.names_outcome(one.path) for one in held):
            return tuple(held)
        return (expectation.SUCCEEDS, *held)

    def shared_expectation(self, name: str, *, plural: bool) -> Expectation | None:
        """One entry of the suite's `expect`, read once for cases with `input`, once for `inputs`."""
        if (name, plural) not in self._shared:
            value = self.shared["expect"][name]
            self._shared[name, plural] = self.expectation(value, ("expect", name), plural=plural)
        return self._shared[name, plural]

    def expectation(self, value: Any, path: Path, *, plural: bool) -> Expectation | None:
        """One entry of `expect`; adds a mistake and returns None if it is wrong."""
        try:
            one = expectation.read(str(path[-1]), value, plural=plural, here=self.here)
            return replace(one, line=self.problems.document.place(path, key=True).line, at=path)
        except PathError as error:
            self.problems.add(path, str(error), key=True)
        except ArgumentError as error:
            for each in (error, *error.others):
                self.problems.add((*path, *each.path), str(each), key=each.at_key)
        return None


def _allowed_in_suite(key: Key) -> bool:
    """True for a key allowed at the top of a file with cases."""
    return key.suite


def _allowed_in_case(key: Key) -> bool:
    """True for a key allowed in a case of a list."""
    return key.case


def _allowed_in_single_case(key: Key) -> bool:
    """True for a key allowed at the top of a file without cases, which is one case itself."""
    return key is not KEYS["id"]


def _entries(keys: Mapping[str, Any]) -> Mapping[str, Any]:
    """The entries of a case's `expect`; none if it is not a mapping, which is reported elsewhere."""
    expect = keys.get("expect")
    return expect if isinstance(expect, dict) else {}


def _merged(shared: Mapping[str, Any], own: Mapping[str, Any]) -> Mapping[str, Any]:
    """The config of a case merged over that of its suite, block by block and key by key."""
    if not own:
        return shared
    blocks = {name: {**shared.get(name, {}), **block} for name, block in own.items()}
    return {**shared, **blocks}
