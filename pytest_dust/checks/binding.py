"""Bind the literals and matchers that a suite writes for a path, so that they can judge a value."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from msgspec import Struct, field

from pytest_dust.deadline import TimeIsUp
from pytest_dust.errors import did_you_mean
from pytest_dust.files import sources
from pytest_dust.model import MISSING, Bound

Verdict: TypeAlias = "bool | str"
"""True if a matcher holds; False if it fails; a text if it fails and says why or where."""


class WrongType(str):
    """A failure because the matcher cannot judge values of this type; `not` does not make it hold."""

    __slots__ = ()


class Broken(str):
    """A failure because the matcher raised; no matcher around it, such as `not`, makes it hold."""

    __slots__ = ()

    def after(self, text: str) -> Broken:
        """The same failure with a text before it."""
        return Broken(f"{text}{self}")


class Lines(str):
    """A reason of several lines, whose number and length its matcher limits."""

    __slots__ = ()


class ArgumentError(ValueError):
    """A matcher cannot use its argument; `path` leads from the matcher's name to the wrong key or value."""

    def __init__(self, message: str, path: tuple[str | int, ...] = (), *, at_key: bool = False) -> None:
        """Take what is wrong and what is allowed, and where; `at_key` if the key is wrong, not its value."""
        super().__init__(message)
        self.path = path
        self.at_key = at_key
        self.others: tuple[ArgumentError, ...] = ()
        """Further mistakes in the same argument."""

    def below(self, step: str | int, name: str = "") -> ArgumentError:
        """The same error with a path that begins one step higher."""
        message = f"{name}: {self}" if name else str(self)
        error = ArgumentError(message, (step, *self.path), at_key=self.at_key)
        error.others = tuple(other.below(step, name) for other in self.others)
        return error

    @classmethod
    def joined(cls, errors: list[ArgumentError]) -> ArgumentError:
        """The first of several mistakes, with the others in its `others`."""
        first, *rest = errors
        first.others = (*first.others, *(one for error in rest for one in (error, *error.others)))
        return first


class Argument(Struct, frozen=True):
    """A kind of argument: `prepare` checks and converts it once, at collection; `schema` describes it."""

    prepare: Callable[[Any, Here], Any]
    schema: Mapping[str, Any]


class Matcher(Struct, frozen=True):
    """A matcher: its name, its kind of argument, its function, and what is special about it."""

    name: str
    argument: Argument
    holds: Callable[[Any, Any], Verdict]
    bounded: bool = True
    """Whether it stops when the time for judging is up; any other is judged in a thread of its own."""
    sees_missing: bool = False
    """Whether it judges a path that finds nothing, as `exists` does; any other matcher fails there.

    One with matchers in its argument does so only if one of these does.
    """
    measures: bool = False
    """Whether its argument is a measure, such as a length, and no value that a block might give."""
    negates: bool = False
    """Whether it holds if none of the matchers in its argument does."""


class Here(Struct, frozen=True):
    """What a suite may use: the files in and below its folder, and a table of matchers."""

    folder: Path = field(default_factory=Path)
    table: Mapping[str, Matcher] = field(default_factory=dict)
    roots: tuple[str, ...] = ()
    """The real folders in which a file that the suite names may be; the suite's own if none is given."""
    contents: Mapping[str, bytes] = field(default_factory=dict)
    """Contents that files are read with in place of those on disk, by the names that the suite gives."""
    names: set[str] = field(default_factory=set)
    """The names of the files that were read."""

    def read(self, name: str, most: int) -> bytes:
        """The first `most` + 1 bytes of a file that the suite names; raises UnreadableError."""
        self.names.add(name)
        if name in self.contents:
            return self.contents[name]
        return sources.read(self.folder, name, self.roots or (os.path.realpath(self.folder),), most)


def bind(written: Any, here: Here) -> tuple[Bound, ...]:
    """The matchers for a literal, or for a mapping of matchers; raises ArgumentError for a wrong one."""
    if not isinstance(written, dict):
        return (Bound("equals", written, written, here.table["equals"].holds),)  # most are literals
    if not written:
        raise ArgumentError("an empty mapping expects nothing; give matchers, or equals: {}")
    bound: list[Bound] = []
    errors: list[ArgumentError] = []
    for name, argument in written.items():
        try:
            bound.append(_bound(name, argument, here))
        except ArgumentError as error:
            errors.append(error)
    if errors:
        raise ArgumentError.joined(errors)
    return tuple(bound)


def _bound(name: str, written: Any, here: Here) -> Bound:
    matcher = here.table.get(name)
    if matcher is None:
        known = ", ".join(here.table)
        raise ArgumentError(
            f'unknown matcher "{name}"{did_you_mean(name, here.table)}; '
            f"to compare with a mapping write equals: {{…}}; there are: {known}",
            (name,),
            at_key=True,
        )
    try:
        prepared = matcher.argument.prepare(written, here)
    except ArgumentError as error:
        raise error.below(name, name) from None
    inner = list(_bound_in(prepared))
    return Bound(
        name,
        written,
        prepared,
        matcher.holds,
        bounded=matcher.bounded and all(each.bounded for each in inner),
        sees_missing=matcher.sees_missing and (not inner or any(each.sees_missing for each in inner)),
        measures=matcher.measures,
        negates=matcher.negates,
        from_file=getattr(prepared, "from_file", False) or any(each.from_file for each in inner),
    )


def _bound_in(argument: object) -> Iterator[Bound]:
    """The matchers in the argument of another."""
    if isinstance(argument, Bound):
        yield argument
    elif isinstance(argument, tuple):
        for each in argument:
            yield from _bound_in(each)


MAX_REASON = 300
"""Maximum length of the reason why a matcher does not hold."""


def judge(value: object, bound: Bound) -> Verdict:
    """Whether one matcher holds for a value, which may be MISSING.

    A matcher that raises does not hold, whatever it raises: `pytest.skip()` would hide a failing case. Raises
    only TimeIsUp and KeyboardInterrupt.
    """
    if value is MISSING and not bound.sees_missing:
        return False
    try:
        verdict = bound.holds(value, bound.argument)
    except (TimeIsUp, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001  # a project's matcher may raise anything
        return Broken(f"the matcher raised {_in_one_line(error)}")
    if isinstance(verdict, str) and len(verdict) > MAX_REASON and not isinstance(verdict, Lines):
        return type(verdict)(f"{verdict[:MAX_REASON]}…")
    return verdict


def _in_one_line(error: BaseException) -> str:
    """An exception's type and message in one line, even if its own `__str__` raises."""
    try:
        text = str(error)[:MAX_REASON].replace("\n", " ")
    except Exception:  # noqa: BLE001  # likewise
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def unmet(value: object, matchers: tuple[Bound, ...]) -> str:
    """The first of the matchers that does not hold, and why; an empty text if all hold."""
    for bound in matchers:
        verdict = judge(value, bound)
        if isinstance(verdict, Broken):
            return verdict.after(f"{bound.name}: ")
        if isinstance(verdict, Lines):
            verdict = verdict.replace("\n", " ")
        if verdict is not True:
            return f"{bound.name}: {verdict}" if verdict else bound.name
    return ""


def json_type(value: object) -> str:
    """The type of a value as JSON Schema names it."""
    if isinstance(value, float) and value.is_integer():
        return "integer"
    names = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string"}
    return names.get(type(value), "array" if isinstance(value, list | tuple) else "object")
