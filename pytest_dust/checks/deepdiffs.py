"""The matcher `deepdiff`: its argument, and the differences that DeepDiff finds, in its own words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from msgspec import Struct

from pytest_dust.checks import patterns
from pytest_dust.checks.binding import ArgumentError, Broken, Here, Lines, WrongType
from pytest_dust.checks.json_files import loaded
from pytest_dust.deadline import TimeIsUp, seconds_left
from pytest_dust.errors import did_you_mean
from pytest_dust.json_values import decode
from pytest_dust.wording import kind

MAX_LINES = 8
"""Maximum number of differences that a reason names; more are counted."""
MAX_LINE = 300
"""Maximum length of one of them."""
MAX_TEXT = 80
"""Maximum length of a text in one of them; of a longer one, the part that differs is shown."""
BEFORE = 20
"""Number of equal characters that are shown before the part that differs."""
EXAMPLE = "root['usage']['seconds']"


class Options(Struct, frozen=True):
    """The options of a comparison: those for DeepDiff, and those that are ours to apply or check."""

    given: dict[str, Any]
    excluded: tuple[re.Pattern[str], ...]
    """Patterns of paths that are left out; DeepDiff itself would search them without a time limit."""
    included: Mapping[str, re.Pattern[str]]
    """Patterns of the paths of `include_paths`, by the path as it is written."""


class Comparison(NamedTuple):
    """What the matcher compares values with, and how."""

    to: Any
    options: Options
    from_file: bool
    """True if `to` is from a file."""


# ── the argument ─────────────────────────────────────────────────────────────────────────────────


def comparison(written: Any, here: Here) -> Comparison:
    """The checked argument of the matcher; raises ArgumentError with all mistakes in it."""
    if not isinstance(written, dict):
        raise ArgumentError(f"needs {{to: value or file, …}}, not {kind(written)}")
    errors: list[ArgumentError] = []
    checked: dict[str, Any] = {}
    to: tuple[Any, bool] = (None, False)
    for name, value in written.items():
        try:
            if name == "to":
                to = _value_or_file(value, here)
            else:
                checked[name] = _option(name, value)
        except ArgumentError as error:
            errors.append(error)
    if "to" not in written and not any(error.at_key for error in errors):
        errors.append(ArgumentError("needs to: a value, or a file with one"))
    if errors:
        raise ArgumentError.joined(errors)
    _refuse_unsupported(checked)
    value, from_file = to
    return Comparison(value, _options(checked), from_file)


def _value_or_file(written: Any, here: Here) -> tuple[Any, bool]:
    """The value to compare with, and True if it is from a file; raises ArgumentError."""
    name = _file_name(written)
    if name is None:
        return written, False
    try:
        return loaded(name, here, decode), True
    except ArgumentError as error:
        raise error.below("to", "to") from None


def _file_name(written: Any) -> str | None:
    """The file that `to` names, as `{file: name}` or as a text that ends in .json; None if it is a value."""
    if isinstance(written, dict) and list(written) == ["file"] and isinstance(written["file"], str):
        return written["file"]
    is_name = isinstance(written, str) and written.lower().endswith(".json") and "\n" not in written
    return written if is_name else None


def _option(name: str, written: Any) -> Any:
    """The value of an option; raises ArgumentError if it is wrong."""
    if name not in _OPTIONS:
        allowed = ("to", *_OPTIONS)
        hint = did_you_mean(name, allowed)
        message = f'unknown key "{name[:60]}"; it takes {", ".join(allowed)}{hint}'
        raise ArgumentError(message, (name,), at_key=True)
    try:
        return _OPTIONS[name](written)
    except ArgumentError as error:
        raise error.below(name, name) from None


def _boolean(written: Any) -> bool:
    if not isinstance(written, bool):
        raise ArgumentError(f"needs true or false, not {kind(written)}")
    return written


def _digits(written: Any) -> int:
    if isinstance(written, bool) or not isinstance(written, int) or not 0 <= written <= MAX_DIGITS:
        raise ArgumentError(f"needs a whole number from 0 to {MAX_DIGITS}, of digits after the decimal point")
    return written


MAX_DIGITS = 100
"""Maximum number of significant digits; no JSON number has more in practice."""


def _epsilon(written: Any) -> Any:
    is_number = isinstance(written, int | float) and not isinstance(written, bool)
    if not is_number or not 0 <= written < float("inf"):
        raise ArgumentError("needs a number that is not negative, such as 0.001")
    return written


def _paths(written: Any) -> list[str]:
    several = isinstance(written, list)
    for at, path in enumerate(written if several else [written]):
        if not isinstance(path, str) or not path:
            raise ArgumentError(f"needs paths of DeepDiff, such as {EXAMPLE}", (at,) if several else ())
    if not written:
        raise ArgumentError(f"needs at least one path, such as {EXAMPLE}")
    return list(written) if several else [written]


def _included_paths(written: Any) -> list[str]:
    """Paths to include; DeepDiff finds nothing, so no difference, for keys in double quotes."""
    paths = _paths(written)
    for at, path in enumerate(paths):
        if '["' in path:
            message = f"a key is in single quotes, such as {EXAMPLE}; DeepDiff cannot include others"
            raise ArgumentError(message, (at,) if isinstance(written, list) else ())
    return paths


def _patterns(written: Any) -> list[re.Pattern[str]]:
    several = isinstance(written, list)
    return [_pattern(path, (at,) if several else ()) for at, path in enumerate(_paths(written))]


def _pattern(written: str, path: tuple[int, ...]) -> re.Pattern[str]:
    try:
        return patterns.compiled(written)
    except re.error as error:
        at = f" at character {error.pos + 1}" if error.pos is not None else ""
        raise ArgumentError(f"not a regular expression: {error.msg}{at}", path) from None
    except (RecursionError, OverflowError):
        raise ArgumentError("not a regular expression that Python can read; simplify it", path) from None


_OPTIONS: dict[str, Callable[[Any], Any]] = {
    "ignore_order": _boolean,
    "exclude_paths": _paths,
    "exclude_regex_paths": _patterns,
    "include_paths": _included_paths,
    "significant_digits": _digits,
    "math_epsilon": _epsilon,
    "ignore_string_case": _boolean,
    "ignore_numeric_type_changes": _boolean,
}


def _refuse_unsupported(options: Mapping[str, Any]) -> None:
    """Raise ArgumentError for options that the installed DeepDiff does not have, or paths that it refuses."""
    if not options:
        return
    from deepdiff import __version__

    for name in options:
        if name not in _known():
            raise ArgumentError(
                f"{name}: deepdiff {__version__} has no such option; pip install -U deepdiff",
                (name,),
                at_key=True,
            )
    for name in ("exclude_paths", "include_paths"):
        wild = next((path for path in options.get(name, ()) if "[*" in path), None)
        if wild and not _has_wildcards():
            raise ArgumentError(
                f"{name}: deepdiff {__version__} has no [*] in paths; pip install -U deepdiff", (name,)
            )
        try:
            _deepdiff()(None, None, **{name: options.get(name)})
        except Exception as error:  # noqa: BLE001  # it raises what it likes for paths that it cannot read
            raise ArgumentError(f"{name}: {str(error)[:200]}", (name,)) from None


def _deepdiff() -> Any:
    """The class DeepDiff, imported when it is first needed: 95 ms."""
    from deepdiff import DeepDiff

    return DeepDiff


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    """The names of the options of the installed DeepDiff."""
    from inspect import signature

    return frozenset(signature(_deepdiff()).parameters)


def _has_wildcards() -> bool:
    """True if the installed DeepDiff reads `[*]` in paths."""
    from deepdiff import path

    return hasattr(path, "path_has_wildcard")


def _options(checked: Mapping[str, Any]) -> Options:
    given = {name: value for name, value in checked.items() if name != "exclude_regex_paths"}
    included = {path: _included(path) for path in checked.get("include_paths", ())}
    return Options(given, tuple(checked.get("exclude_regex_paths", ())), included)


def _included(path: str) -> re.Pattern[str]:
    """The pattern of the paths that a path of `include_paths` means; a bare name is a key of the root."""
    if path.startswith("root"):
        pattern = re.escape(path).replace(r"\[\*\*\]", ".*").replace(r"\[\*\]", r"\[[^\]]*\]")
    else:
        pattern = rf"root\['{re.escape(path)}'\]" + (rf"|root\[{path}\]" if path.isdecimal() else "")
    return re.compile(rf"(?:{pattern})\Z")


# ── the comparison ───────────────────────────────────────────────────────────────────────────────


def differences(value: Any, to: Any, options: Options) -> str:
    """The differences of a value from another, in DeepDiff's words; an empty text if there are none.

    Raises TimeIsUp if the time is up when DeepDiff comes to the next part.
    """
    unknown = [path for path in options.included if not _is_in(options.included[path], to, value)]
    if unknown:
        return WrongType(f"include_paths: neither value has {unknown[0][:100]}; a path is written {EXAMPLE}")
    try:
        return _differences(value, to, options)
    except _Stop:
        raise TimeIsUp from None
    except TimeIsUp:
        raise
    except Exception as error:  # noqa: BLE001  # a library's mistake is a failure of the case, like any other
        return Broken(f"DeepDiff raised {type(error).__name__}: {str(error)[:200]}".replace("\n", " "))


class _Stop(BaseException):
    """The time is up; not an Exception, as DeepDiff goes on after those."""


def _differences(value: Any, to: Any, options: Options) -> str:
    def is_excluded(_part: Any, path: str) -> bool:
        try:
            seconds_left()
            return any(patterns.found(pattern, path) for pattern in options.excluded)
        except TimeIsUp:
            raise _Stop from None

    tree = _deepdiff()(
        to,
        value,
        **options.given,
        exclude_obj_callback=is_excluded,
        ignore_private_variables=False,  # by default it leaves out keys such as __typename
        threshold_to_diff_deeper=0,  # by default it takes mappings with few common keys as a whole
        view="tree",
    )
    levels = [level for name in sorted(tree) for level in tree[name]]  # in the order of its `pretty()`
    lines = [_line(level) for level in levels[:MAX_LINES]]
    if len(levels) > MAX_LINES:
        lines.append(f"… and {len(levels) - MAX_LINES:,} more")
    return Lines("\n".join(lines))


def _line(level: Any) -> str:
    """A difference as DeepDiff's `pretty()` writes it, in one line of limited length."""
    from deepdiff.serialization import pretty_print_diff

    if isinstance(level.t1, str) and isinstance(level.t2, str):
        level.t1, level.t2 = _shortened(level.t1, level.t2)
    line: str = pretty_print_diff(level)  # type: ignore[no-untyped-call]
    line = line.replace("\r", "\\r").replace("\n", "\\n")
    return line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}…"


def _shortened(old: str, new: str) -> tuple[str, str]:
    """Two texts, each cut to the part in which they begin to differ."""
    if max(len(old), len(new)) <= MAX_TEXT:
        return old, new
    pairs = enumerate(zip(old, new, strict=False))
    first = next((at for at, (one, other) in pairs if one != other), min(len(old), len(new)))
    start = max(0, first - BEFORE) if first > BEFORE else 0
    return _part(old, start), _part(new, start)


def _part(text: str, start: int) -> str:
    end = start + MAX_TEXT
    return f"{'…' if start else ''}{text[start:end]}{'…' if len(text) > end else ''}"


def _is_in(pattern: re.Pattern[str], *values: Any) -> bool:
    """True if one of the values has a part whose path the pattern matches."""
    return any(patterns.found(pattern, path) for value in values for path in _all_paths(value, "root"))


def _all_paths(value: Any, path: str) -> Iterator[str]:
    """The paths of a value and all its parts, as DeepDiff writes them."""
    yield path
    if isinstance(value, dict):
        for key, part in value.items():
            quote = '"' if "'" in key else "'"
            yield from _all_paths(part, f"{path}[{quote}{key}{quote}]")
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from _all_paths(part, f"{path}[{at}]")
