"""The keys of the suite format: where each is allowed, how its value is read, and its JSON Schema."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, TypeGuard

from pytest_dust.checks.arguments import ANY_TYPE, EXPECTED_SCHEMA, needs_extra
from pytest_dust.checks.binding import ArgumentError
from pytest_dust.compare import sequential
from pytest_dust.constants import HASH, LATEST
from pytest_dust.errors import did_you_mean, nearest, plain_name
from pytest_dust.model import App, Flavor, GateRules, Mark, Path, Rates, Repeat
from pytest_dust.paths import PathError, compile_path
from pytest_dust.settings import MAX_FALSE_ALARMS, MAX_GATE_ATTEMPTS, ON_CHANGE, OPTIONS, SEGMENT
from pytest_dust.suite.problems import Invalid, Problems
from pytest_dust.wording import first_names, kind

MAX_ID = 100
"""Maximum length of a case id, which becomes a file name."""

MAX_RUNS = 100
"""Maximum number of attempts of one case."""
MAX_UNLIKE = 5
"""Maximum number of inputs of one case that are reported to have other keys; others are counted."""
MAX_LISTED = 6
"""Maximum number of keys of an input that are named; others are counted."""
MAX_DIGITS = 17
"""Number of digits that distinguish any two floats."""
_FIXED = ("runs", "min_pass")
"""The keys of a `repeat` with a fixed number of attempts."""
_EXAMPLES = {"good": 0.95, "bad": 0.6, "false_alarm": 0.05, "miss": 0.1}
_TEST = tuple(_EXAMPLES)
"""The keys of a `repeat` with a sequential test."""
_FIXED_EXAMPLE = "{runs: 5, min_pass: 4}"
_TEST_EXAMPLE = "{good: 0.95, bad: 0.6}"
VOLATILE = ("ignore", "keep")
"""The values of `baseline.volatile`."""

_ID = re.compile(r"[a-z0-9][a-z0-9._-]*")
_MARK = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_REASONED = ("skip", "xfail")
_WITHOUT_EFFECT = ("parametrize", "usefixtures")
_MARKS_WITH_ARGUMENTS = "{skip: reason}, {xfail: reason}, {name: [args]} or {name: {key: value}}"


class Key(NamedTuple):
    """One key of the format."""

    read: Callable[[Problems, Any, Path], Any]
    schema: Mapping[str, Any]
    suite: bool
    case: bool
    help: str


def _app(problems: Problems, value: Any, path: Path) -> App:
    names = ("workspace", "space", "id")
    if not isinstance(value, dict):
        raise problems.invalid(path, f"app is a mapping with id, not {kind(value)}; write app: {{id: …}}")
    read: dict[str, str | None] = {}
    wrong = False
    for name, written in value.items():
        if name not in names:
            hint = did_you_mean(name, names)
            allowed = "; an app has workspace, space, id"
            problems.add((*path, name), f'unknown key "{name}"{allowed}{hint}', key=True)
            wrong = True
            continue
        try:
            read[name] = _segment(problems, written, (*path, name), f"app.{name}")
        except Invalid:
            wrong = True
    if "id" not in value and not wrong:
        problems.add(path, "app without id; give the id from the app's address in Dust")
    if wrong or "id" not in read:
        raise Invalid
    return App(read.get("workspace"), read.get("space"), read["id"] or "")


def _segment(problems: Problems, value: Any, path: Path, what: str) -> str:
    """An id that can be one segment of an address."""
    name = problems.text(value, path, what)
    if not SEGMENT.fullmatch(name):
        raise problems.invalid(path, f'{what} "{name[:40]}" is no id; it has letters, digits, _ and - only')
    return name


def _hash(problems: Problems, value: Any, path: Path) -> str:
    text = problems.text(value, path, "specification_hash")
    if text == LATEST:
        return text
    if not HASH.fullmatch(text):
        hexadecimal = re.fullmatch(r"[0-9a-fA-F]+", text)
        shown = f"{len(text)} of them" if hexadecimal else f'"{text[:20]}"{did_you_mean(text, (LATEST,))}'
        raise problems.invalid(path, f"specification_hash is 64 hex digits, or latest; not {shown}")
    return text.lower()


def _config(problems: Problems, value: Any, path: Path) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise problems.invalid(path, f"config is a mapping of block names, not {kind(value)}")
    for name, block in value.items():
        if not isinstance(block, dict):
            message = f"the config of a block is a mapping, not {kind(block)}; such as {{model_id: gpt-4o}}"
            raise problems.invalid((*path, name), message)
    return value


def _block_filter(problems: Problems, value: Any, path: Path) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise problems.invalid(path, "block_filter is a list of block names, such as [ANSWER]")
    names = [problems.text(name, (*path, at), "a block's name") for at, name in enumerate(value)]
    return tuple(dict.fromkeys(names))


def _flavor(problems: Problems, value: Any, path: Path) -> Flavor:
    if value not in list(Flavor):
        hint = did_you_mean(value, Flavor) if isinstance(value, str) else ""
        raise problems.invalid(path, f"flavor is one of {', '.join(Flavor)}{hint}")
    return Flavor(value)


def _timeout(problems: Problems, value: Any, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        seconds = re.fullmatch(r"(\d+)\s*s(?:ec(?:ond)?s?)?", str(value))
        hint = f"; write {seconds[1]}" if seconds else ""
        shown = f", not {value}" if isinstance(value, int | float | str) else ""
        message = f"timeout is a number of seconds greater than 0, for the whole run{shown}"
        raise problems.invalid(path, message + hint)
    return float(value)


def _description(problems: Problems, value: Any, path: Path) -> str:
    if not isinstance(value, str):
        raise problems.invalid(path, f"description is text, not {kind(value)}; quote it")
    return value


def _expect(problems: Problems, value: Any, path: Path) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not value:
        message = "expect is a mapping of paths, such as {result.label: billing}"
        raise problems.invalid(path, f"{message}; leave it out to expect only status: succeeded")
    return value


def _id(problems: Problems, value: Any, path: Path) -> str:
    text = problems.text(value, path, "id")
    if not _ID.fullmatch(text):
        wanted = "small letters, digits, . _ and -, beginning with a letter or digit"
        suggestion = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")[:40]
        hint = f" (did you mean {suggestion}?)" if suggestion else ""
        raise problems.invalid(path, f'the id "{text[:40]}" is not allowed; it has {wanted}{hint}')
    if len(text) > MAX_ID:
        what = f"an id of {len(text)} characters; it names a file"
        raise problems.invalid(path, f"{what}, so shorten it to {MAX_ID}")
    return text


def _input(problems: Problems, value: Any, path: Path) -> list[Any]:
    if not isinstance(value, dict):
        message = f"input is a mapping, such as {{question: Hi}}, not {kind(value)}"
        raise problems.invalid(path, message)
    return [value]


def _inputs(problems: Problems, value: Any, path: Path) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise problems.invalid(path, "inputs is a list of mappings, one per input")
    for at, each in enumerate(value):
        if not isinstance(each, dict):
            raise problems.invalid((*path, at), f"each of inputs is a mapping, not {kind(each)}")
    unlike = list(_unlike(value))
    for at, message in unlike[:MAX_UNLIKE]:
        problems.add((*path, at), message)
    if len(unlike) > MAX_UNLIKE:
        problems.add(path, f"… and {len(unlike) - MAX_UNLIKE:,} more inputs with other keys")
    if unlike:
        raise Invalid
    return value


def _unlike(inputs: list[dict[str, Any]]) -> Iterator[tuple[int, str]]:
    """The index and a message for each input whose keys are not those of most inputs."""
    usual = Counter(map(frozenset, inputs)).most_common(1)[0][0]
    model = next(at for at, each in enumerate(inputs) if each.keys() == usual)
    for at, each in enumerate(inputs):
        if each.keys() == usual:
            continue
        lacks = [name for name in inputs[model] if name not in each]
        more = [name for name in each if name not in usual]
        parts = [f"it lacks {_quoted(lacks)}"] if lacks else []
        parts += [f"it has {_quoted(more)}"] if more else []
        hint = did_you_mean(more[0], lacks) if more else ""
        differs = f"inputs[{at}] has other keys than inputs[{model}]: {', and '.join(parts)}{hint}"
        yield at, f"{differs}; the service refuses a run whose inputs do not all have the same keys"


def _quoted(names: list[str]) -> str:
    """The first names of keys, in quotes."""
    return first_names([f'"{name[:40]}"' for name in names], MAX_LISTED)


def _marks(problems: Problems, value: Any, path: Path) -> tuple[Mark, ...]:
    if not isinstance(value, list):
        raise problems.invalid(path, "marks is a list, such as [slow, {xfail: reason}]")
    return tuple(_mark(problems, each, (*path, at)) for at, each in enumerate(value))


def _mark(problems: Problems, value: Any, path: Path) -> Mark:
    if isinstance(value, str):
        return Mark(_mark_name(problems, value, path), (), (), problems.document.place(path))
    if not isinstance(value, dict) or len(value) != 1:
        raise problems.invalid(path, f"a mark is a name, {_MARKS_WITH_ARGUMENTS}")
    ((name, argument),) = value.items()
    _mark_name(problems, name, path)
    place = problems.document.place((*path, name), key=True)
    if name in _REASONED:
        if not isinstance(argument, str):
            raise problems.invalid((*path, name), f"{name} takes a reason, such as {{{name}: not yet fixed}}")
        return Mark(name, (), (("reason", argument),), place)
    if isinstance(argument, dict):
        if "self" in argument:  # Python's name for the object that makes the mark
            message = 'a mark takes no keyword argument "self"; rename it'
            raise problems.invalid((*path, name, "self"), message, key=True)
        return Mark(name, (), tuple(argument.items()), place)
    if not isinstance(argument, list):
        example = argument if isinstance(argument, str) and argument.isidentifier() else "argument"
        raise problems.invalid(
            (*path, name),
            f"a mark's arguments are a list, or a mapping of keyword arguments: {{{name}: [{example}]}}",
        )
    return Mark(name, tuple(argument), (), place)


def _mark_name(problems: Problems, name: str, path: Path) -> str:
    if not _MARK.fullmatch(name):
        raise problems.invalid(path, f'"{name[:40]}" is no mark; a mark is named with letters, digits and _')
    if name in _WITHOUT_EFFECT:
        raise problems.invalid(path, f"{name} has no effect on a case of a suite; remove it")
    return name


def _cases(_problems: Problems, value: Any, _path: Path) -> Any:
    return value


def _dataset(problems: Problems, value: Any, path: Path) -> str:
    name = problems.text(value, path, "dataset")
    if name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name) or ":" in name:
        raise problems.invalid(path, f'dataset "{name[:60]}" is not beside the suite; move the file there')
    return name


def _matrix(problems: Problems, value: Any, path: Path) -> Mapping[str, list[Any]]:
    if not isinstance(value, dict) or not value:
        raise problems.invalid(
            path, "matrix is a mapping of names to lists, such as {model: [gpt-4o, gpt-4o-mini]}"
        )
    for name, values in value.items():
        if not _NAME.fullmatch(name):
            raise problems.invalid(
                (*path, name), f'"{name[:40]}" is no name; it has letters, digits and _', key=True
            )
        if not isinstance(values, list) or not values:
            raise problems.invalid((*path, name), f"matrix.{name} is a list with at least one value")
    return value


def _baseline(problems: Problems, value: Any, path: Path) -> Mapping[str, Any]:
    """The given keys, read; those of a case override those of its suite."""
    if not isinstance(value, dict) or not value:
        raise problems.invalid(
            path, f"baseline is a mapping, such as {{compare: [result]}}, not {kind(value)}"
        )
    read: dict[str, Any] = {}
    for name, written in value.items():
        if name not in _BASELINE:
            allowed = f"a baseline has: {', '.join(_BASELINE)}{did_you_mean(name, _BASELINE)}"
            problems.add((*path, name), f'unknown key "{name}"; {allowed}', key=True)
            continue
        with suppress(Invalid):
            read[name] = _BASELINE[name].read(problems, written, (*path, name))
    return read


def _paths(problems: Problems, value: Any, path: Path, example: str) -> list[str]:
    if not isinstance(value, list) or not value:
        raise problems.invalid(path, f"{path[-1]} is a list of paths, such as [{example}]")
    return [problems.text(each, (*path, at), "a path") for at, each in enumerate(value)]


def _compare(problems: Problems, value: Any, path: Path) -> tuple[str, ...]:
    read = _paths(problems, value, path, "result, blocks.CLASSIFY.output")
    for at, each in enumerate(read):
        try:
            compile_path(each)
        except PathError as error:
            raise problems.invalid((*path, at), str(error)) from None
    return tuple(read)


def _ignore(problems: Problems, value: Any, path: Path) -> tuple[tuple[str, ...], ...]:
    read = _paths(problems, value, path, "result.request_id")
    return tuple(tuple(step for step in _steps(each) if step) for each in read)


def _steps(path: str) -> list[str]:
    return path.replace("[", ".").replace("]", "").replace('"', "").split(".")


def _similar(problems: Problems, value: Any, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise problems.invalid(path, "similar is a number from 0 to 1: how alike two texts must be")
    try:
        needs_extra("rapidfuzz", "similar")
    except ArgumentError as error:
        raise problems.invalid(path, f"similar {error}") from None
    return float(value)


def _digits(problems: Problems, value: Any, path: Path) -> int:
    if not _is_whole(value, MAX_DIGITS):
        raise problems.invalid(path, f"significant_digits is a whole number from 1 to {MAX_DIGITS}")
    return value


def _is_whole(value: Any, most: int) -> TypeGuard[int]:
    """True if a value is a whole number from 1 to `most`."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def _unordered(problems: Problems, value: Any, path: Path) -> bool:
    if not isinstance(value, bool):
        raise problems.invalid(path, "unordered is true or false")
    return value


def _volatile(problems: Problems, value: Any, path: Path) -> str:
    if value not in VOLATILE:
        hint = did_you_mean(str(value), VOLATILE)
        raise problems.invalid(path, f"volatile is {' or '.join(VOLATILE)}{hint}")
    return str(value)


def _on_change(problems: Problems, value: Any, path: Path) -> str:
    if value not in ON_CHANGE:
        hint = did_you_mean(str(value), ON_CHANGE)
        raise problems.invalid(path, f"on_change is {' or '.join(ON_CHANGE)}{hint}")
    return str(value)


def _repeat(problems: Problems, value: Any, path: Path) -> Repeat:
    if not isinstance(value, dict):
        what = f"repeat is a mapping, {_FIXED_EXAMPLE} or {_TEST_EXAMPLE}, not {kind(value)}"
        raise problems.invalid(path, what)
    for name in value:
        if name not in (*_FIXED, *_TEST):
            has = f"{', '.join(_FIXED)}, or {', '.join(_TEST)}"
            hint = did_you_mean(name, (*_FIXED, *_TEST))
            message = f'unknown key "{name}"; repeat has: {has}{hint}'
            raise problems.invalid((*path, name), message, key=True)
    fixed, tested = ([name for name in names if name in value] for names in (_FIXED, _TEST))
    if fixed and tested:
        message = f"{tested[0]} cannot be beside {fixed[0]}: give {_FIXED_EXAMPLE}, or {_TEST_EXAMPLE}"
        raise problems.invalid((*path, tested[0]), message, key=True)
    return _sequential(problems, value, path) if tested else _fixed(problems, value, path)


def _fixed(problems: Problems, value: Mapping[str, Any], path: Path) -> Repeat:
    """A fixed number of attempts, of which so many must pass."""
    if "runs" not in value:
        other = "" if value else f", or good and bad, such as {_TEST_EXAMPLE}"
        raise problems.invalid(path, f"repeat needs runs, such as {_FIXED_EXAMPLE}{other}")
    runs = value["runs"]
    if not _is_whole(runs, MAX_RUNS):
        raise problems.invalid((*path, "runs"), f"repeat.runs is a whole number from 1 to {MAX_RUNS}")
    least = value.get("min_pass", runs)
    if not _is_whole(least, runs):
        message = f"repeat.min_pass is a whole number from 1 to {runs}, its runs"
        raise problems.invalid((*path, "min_pass"), message)
    return Repeat(runs, least)


def _gate(problems: Problems, value: Any, path: Path) -> GateRules:
    if not isinstance(value, dict) or not value:
        example = "{attempts: 3, false_alarms: 0.05}"
        raise problems.invalid(path, f"gate is a mapping, such as {example}, not {kind(value)}")
    read: dict[str, Any] = {}
    for name, written in value.items():
        if name not in _GATE:
            hint = did_you_mean(name, _GATE)
            message = f'unknown key "{name}"; a gate has: {", ".join(_GATE)}{hint}'
            problems.add((*path, name), message, key=True)
            continue
        with suppress(Invalid):
            read[name] = _GATE[name].read(problems, written, (*path, name))
    return GateRules(**read)


def _gate_attempts(problems: Problems, value: Any, path: Path) -> int:
    if not _is_whole(value, MAX_GATE_ATTEMPTS):
        message = f"gate.attempts is a whole number from 1 to {MAX_GATE_ATTEMPTS}"
        raise problems.invalid(path, f"{message}: the fresh runs of each version for a case")
    return value


def _false_alarms(problems: Problems, value: Any, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_FALSE_ALARMS:
        message = f"gate.false_alarms is a number greater than 0, at most {MAX_FALSE_ALARMS}"
        raise problems.invalid(path, f"{message}: 0.05 means 5 % of the sessions without a change")
    return float(value)


def _strict(problems: Problems, value: Any, path: Path) -> bool:
    if not isinstance(value, bool):
        raise problems.invalid(path, "gate.strict is true or false")
    return value


def _sequential(problems: Problems, value: Mapping[str, Any], path: Path) -> Repeat:
    """A sequential test that tells two pass rates apart."""
    for name in ("good", "bad"):
        if name not in value:
            raise problems.invalid(path, f"repeat needs {name} too, such as {_TEST_EXAMPLE}")
    for name, written in value.items():
        if isinstance(written, bool) or not isinstance(written, int | float) or not 0 < written < 1:
            hint = _as_share(written)
            message = f"repeat.{name} is a number between 0 and 1, such as {_EXAMPLES[name]}{hint}"
            raise problems.invalid((*path, name), message)
    rates = Rates(**{name: float(written) for name, written in value.items()})
    if rates.bad >= rates.good:
        raise problems.invalid((*path, "bad"), f"repeat.bad is less than {rates.good:.12g}, its good")
    if rates.false_alarm + rates.miss >= 1:
        name = "false_alarm" if "false_alarm" in value else "miss"
        message = "repeat.false_alarm and repeat.miss together are less than 1"
        raise problems.invalid((*path, name), message)
    test = sequential.table(rates)
    if test is None:
        message = (
            f"repeat: to tell a pass rate of {rates.good:.12g} from {rates.bad:.12g} can take more than "
            f"{sequential.MOST} attempts; give a smaller bad, or a larger false_alarm or miss"
        )
        raise problems.invalid(path, message)
    return Repeat(test.most, test.least, rates)


def _as_share(written: Any) -> str:
    """A hint at the number that is meant if a percentage is written; empty for another value."""
    is_number = isinstance(written, int | float) and not isinstance(written, bool)
    return f" (did you mean {written / 100:g}?)" if is_number and 1 < written < 100 else ""


_PATHS_SCHEMA = {"type": "array", "items": {"type": "string"}, "minItems": 1}


class _Rule(NamedTuple):
    """One key of `baseline` or `gate`."""

    read: Callable[[Problems, Any, Path], Any]
    schema: Mapping[str, Any]
    help: str


_BASELINE = {
    "compare": _Rule(
        _compare,
        {**_PATHS_SCHEMA, "examples": [["result", "blocks.CLASSIFY.output"]]},
        "Paths whose values are compared; the results by default.",
    ),
    "ignore": _Rule(
        _ignore,
        {**_PATHS_SCHEMA, "examples": [["result.request_id"]]},
        "Paths that are left out; a single name is left out everywhere.",
    ),
    "similar": _Rule(
        _similar,
        {"type": "number", "minimum": 0, "maximum": 1, "examples": [0.9]},
        "Texts are equal from this similarity, from 0 to 1.",
    ),
    "significant_digits": _Rule(
        _digits,
        {"type": "integer", "minimum": 1, "maximum": MAX_DIGITS, "examples": [3]},
        "Numbers are rounded to so many digits.",
    ),
    "unordered": _Rule(_unordered, {"type": "boolean"}, "Ignore the order of lists, but not that of inputs."),
    "volatile": _Rule(
        _volatile,
        {
            "enum": list(VOLATILE),
            "default": VOLATILE[0],
            "enumDescriptions": [
                "Leave out values that are new in every run, such as ids and times.",
                "Compare these values too.",
            ],
        },
        "What becomes of values that are new in every run.",
    ),
    "on_change": _Rule(
        _on_change,
        {
            "enum": list(ON_CHANGE),
            "enumDescriptions": ["The case fails.", "The change is listed at the end of the session."],
        },
        "What a change does to a live case; `--dust-on-change` sets it for a session.",
    ),
}

_GATE = {
    "attempts": _Rule(
        _gate_attempts,
        {"type": "integer", "minimum": 1, "maximum": MAX_GATE_ATTEMPTS, "default": 3},
        "Number of fresh runs of each version for a case.",
    ),
    "false_alarms": _Rule(
        _false_alarms,
        {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_FALSE_ALARMS, "default": 0.05},
        "Maximum share of sessions without a change in which an app's gate fails.",
    ),
    "strict": _Rule(
        _strict, {"type": "boolean", "default": False}, "Count the observed number whole instead of half."
    ),
}


def _described(rules: Mapping[str, _Rule]) -> dict[str, Any]:
    """The schemas of keys, each with its description."""
    return {name: {**rule.schema, "description": rule.help} for name, rule in rules.items()}


_HASH_MESSAGE = "A specification_hash is 64 hex digits, or latest."
_ID_MESSAGE = "An id has small letters, digits, . _ and -, and begins with a letter or digit."
_SEGMENT_SCHEMA = {
    "type": ["string", "number"],
    "pattern": "^([A-Za-z0-9_-]+|.*\\$\\{.*)$",
    "patternErrorMessage": "An id has letters, digits, _ and - only.",
}
_APP_HELP = {
    "workspace": "Id of the workspace; by default `--dust-workspace` or `DUST_WORKSPACE_ID`.",
    "space": "Id of the space; by default `--dust-space` or `DUST_SPACE_ID`.",
    "id": "Id of the app, from its address in Dust.",
}
_BLOCK_HELP = {
    "provider_id": "Provider of the model, such as openai.",
    "model_id": "Name of the model, such as gpt-4o-mini.",
    "use_cache": "Whether the service may answer from its own cache.",
}
_FLAVOR_HELP = {
    Flavor.BLOCKING: "One answer, when the run has ended.",
    Flavor.STREAM: "Events while blocks run, with the duration of each block.",
    Flavor.POLL: "The run is created, then requested until it has ended: for long runs.",
}
_INPUT_SCHEMA = {"anyOf": [{"type": "object"}, {"type": "string", "pattern": "^\\$\\{.*\\}$"}]}
_MARK_SCHEMA = {
    "pattern": "^[a-zA-Z][a-zA-Z0-9_]*$|\\$\\{",
    "patternErrorMessage": "A mark is named with letters, digits and _.",
    "not": {"enum": list(_WITHOUT_EFFECT)},
}
_REASON = {"type": "string", "description": "The reason, which reports show."}
_FOUND_HELP = {
    "status": "`succeeded` or `errored`.",
    "error": "null, or `BLOCK (type): message` of the first block that failed.",
    "result": "The output of the last block, for the one `input`.",
    "results": "The outputs of the last block, a list with one for each of `inputs`.",
    "usage.total_tokens": "Number of tokens of all blocks.",
    "duration": "Seconds that the run took; in replay, as recorded.",
    "specification_hash": "The version that ran, as the service answered.",
    "run_id": "The id of the run, as the service answered.",
}
"""What the paths find that name a value of a run."""
_NEW_CASE = {
    "label": "case",
    "description": "A case with an input and an expectation.",
    "body": {"id": "${1:first}", "input": {"${2:question}": "$3"}, "expect": {"${4:result}": "$5"}},
}
_VALUE_SCHEMA = {"type": list(ANY_TYPE), "allOf": [EXPECTED_SCHEMA]}
_STATUS_EXAMPLES = {"status": {"examples": ["succeeded", "errored"]}}
_BELOW_HELP = {
    "error": _FOUND_HELP["error"],
    "result": "A part of the output of the last block, for the one `input`.",
    "results": "A part of the outputs of the last block, a list with one for each of `inputs`.",
    "blocks": "A block by its name: `type`, `status`, `output` or `outputs`, `error` or `errors`, "
    "`iterations`, `success_count`, `error_count`, `usage`.",
    "usage": "`prompt_tokens`, `completion_tokens`, `cached_tokens`, `reasoning_tokens` or `total_tokens`: "
    "sums over all blocks.",
}
"""What the paths find that begin with a name."""
_SHARE = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
_RATES_HELP = {
    "good": "A case with this pass rate should pass.",
    "bad": "A case with this pass rate should fail.",
    "false_alarm": "The share of sessions in which a case with the rate `good` may fail; 0.05 by default.",
    "miss": "The share of sessions in which a case with the rate `bad` may pass; 0.1 by default.",
}

KEYS: dict[str, Key] = {
    "app": Key(
        _app,
        {
            "type": "object",
            "properties": {
                name: {**_SEGMENT_SCHEMA, "description": text} for name, text in _APP_HELP.items()
            },
            "required": ["id"],
            "additionalProperties": False,
        },
        suite=True,
        case=False,
        help="The app's address; `workspace` and `space` may come from options or the environment.",
    ),
    "specification_hash": Key(
        _hash,
        {
            "type": ["string", "number"],
            "pattern": f"^({HASH.pattern}|{LATEST}|.*\\$\\{{.*)$",
            "patternErrorMessage": _HASH_MESSAGE,
            "examples": [LATEST],
        },
        suite=True,
        case=True,
        help="The version of the app: 64 hex digits, or `latest`.",
    ),
    "config": Key(
        _config,
        {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {name: {"description": text} for name, text in _BLOCK_HELP.items()},
            },
            "examples": [{"CLASSIFY": {"provider_id": "openai", "model_id": "gpt-4o-mini"}}],
        },
        suite=True,
        case=True,
        help="The config of each block, sent unchanged; a case's is merged over the suite's.",
    ),
    "block_filter": Key(
        _block_filter,
        {"type": "array", "items": {"type": ["string", "number"]}, "minItems": 1, "examples": [["ANSWER"]]},
        suite=True,
        case=True,
        help="Names of the blocks whose outputs the answer has.",
    ),
    "flavor": Key(
        _flavor,
        {
            "enum": list(Flavor),
            "default": str(Flavor.BLOCKING),
            "enumDescriptions": [_FLAVOR_HELP[flavor] for flavor in Flavor],
        },
        suite=True,
        case=True,
        help="How the run is requested: `blocking` (the default), `stream` or `poll`.",
    ),
    "timeout": Key(
        _timeout,
        {"type": "number", "exclusiveMinimum": 0, "examples": [60]},
        suite=True,
        case=True,
        help="Seconds for the whole run; by default those of `--dust-timeout`.",
    ),
    "marks": Key(
        _marks,
        {
            "type": "array",
            "examples": [["slow"], [{"xfail": "not yet fixed"}]],
            "items": {
                "anyOf": [
                    {"title": "mark", "type": "string", **_MARK_SCHEMA},
                    {
                        "title": "mark with a reason or arguments",
                        "type": "object",
                        "minProperties": 1,
                        "maxProperties": 1,
                        "propertyNames": _MARK_SCHEMA,
                        "properties": {"skip": _REASON, "xfail": _REASON},
                        "additionalProperties": {
                            "type": ["array", "object"],
                            "propertyNames": {"not": {"const": "self"}},
                        },
                    },
                ]
            },
        },
        suite=True,
        case=True,
        help="pytest marks: `slow`, `{skip: reason}`, `{xfail: reason}`, `{name: [args]}`, "
        "`{name: {key: value}}`.",
    ),
    "expect": Key(
        _expect,
        {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": "\\S"},
            "properties": {
                name: {"description": text, **_STATUS_EXAMPLES.get(name, {}), **_VALUE_SCHEMA}
                for name, text in _FOUND_HELP.items()
            },
            "patternProperties": {
                f"^{name}[.\\[]": {"description": text, "allOf": [EXPECTED_SCHEMA]}
                for name, text in _BELOW_HELP.items()
            },
            "additionalProperties": EXPECTED_SCHEMA,
        },
        suite=True,
        case=True,
        help="JMESPaths into the run, and what each must find: a literal or matchers; `status: succeeded` by "
        "default.",
    ),
    "baseline": Key(
        _baseline,
        {
            "type": "object",
            "minProperties": 1,
            "properties": _described(_BASELINE),
            "additionalProperties": False,
        },
        suite=True,
        case=True,
        help="How live runs are compared with their recordings.",
    ),
    "repeat": Key(
        _repeat,
        {
            "anyOf": [
                {
                    "title": "a fixed number of runs",
                    "type": "object",
                    "required": ["runs"],
                    "properties": {
                        "runs": {
                            "type": "integer",
                            "minimum": 1,
                            "maximum": MAX_RUNS,
                            "description": "Number of runs of each case.",
                        },
                        "min_pass": {
                            "type": "integer",
                            "minimum": 1,
                            "description": "Number of runs that must pass; all by default.",
                        },
                    },
                    "additionalProperties": False,
                },
                {
                    "title": "as many runs as a verdict needs",
                    "type": "object",
                    "required": ["good", "bad"],
                    "properties": {
                        name: {**_SHARE, "examples": [_EXAMPLES[name]], "description": text}
                        for name, text in _RATES_HELP.items()
                    },
                    "additionalProperties": False,
                },
            ]
        },
        suite=True,
        case=True,
        help="Several runs of each case: `{runs, min_pass}`, how many, and how many of them must pass; or "
        "`{good, bad}`, as many as it takes to tell the pass rate `good` from the pass rate `bad`.",
    ),
    "gate": Key(
        _gate,
        {
            "type": "object",
            "minProperties": 1,
            "properties": _described(_GATE),
            "additionalProperties": False,
        },
        suite=True,
        case=False,
        help="How `--dust-gate` compares two versions: attempts of each case, and the rate of false alarms.",
    ),
    "cases": Key(
        _cases,
        {
            "type": "array",
            "items": {"$ref": "#/$defs/case"},
            "minItems": 1,
            "defaultSnippets": [_NEW_CASE],
        },
        suite=True,
        case=False,
        help="The cases; left out, the file is one case, named after it.",
    ),
    "id": Key(
        _id,
        {
            "type": ["string", "number"],
            "pattern": "^[a-z0-9][a-z0-9._-]*$",
            "patternErrorMessage": _ID_MESSAGE,
            "maxLength": MAX_ID,
        },
        suite=False,
        case=True,
        help="The id of the case, unique in the file.",
    ),
    "description": Key(
        _description, {"type": "string"}, suite=False, case=True, help="A text for readers of the suite."
    ),
    "input": Key(
        _input,
        _INPUT_SCHEMA,
        suite=False,
        case=True,
        help="The app's input: one mapping.",
    ),
    "inputs": Key(
        _inputs,
        {
            "anyOf": [
                {"type": "array", "items": _INPUT_SCHEMA, "minItems": 1},
                {"type": "string", "pattern": "^\\$\\{.*\\}$"},
            ]
        },
        suite=False,
        case=True,
        help="Several inputs of one run: a list of mappings with the same keys.",
    ),
    "dataset": Key(
        _dataset,
        {"type": "string", "examples": ["questions.csv"]},
        suite=False,
        case=True,
        help="A `.jsonl`, `.json`, `.csv` or `.yaml` file beside the suite: a case per row, which "
        "`${row.x}` reads.",
    ),
    "matrix": Key(
        _matrix,
        {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"},
            "additionalProperties": {"type": "array", "minItems": 1},
            "examples": [{"model": ["gpt-4o", "gpt-4o-mini"]}],
        },
        suite=False,
        case=True,
        help="Names and their values: a case per combination, which `${matrix.x}` reads.",
    ),
}


_ELSEWHERE = {
    name: key
    for key, names in {
        "app": "app_id application app.id app.workspace app.space",
        "specification_hash": "hash spec_hash specification",
        "cases": "tests test_cases examples",
        "expect": "expected expectations assert",
        "id": "name case_id",
    }.items()
    for name in names.split()
}
"""Names that other tools have for the keys."""
_PATH = re.compile(r"(status|error|results?|blocks|usage|duration|specification_hash|run_id)[.\[]")
"""The beginning of a path of `expect` that is not the name of a key."""


def meant(written: Collection[str], allowed: Callable[[Key], bool]) -> dict[str, str]:
    """The unknown keys of a mapping that are probably misspelt, each with the missing key that is meant."""
    unknown = [name for name in written if name not in KEYS or not allowed(KEYS[name])]
    keys = [name for name, key in KEYS.items() if allowed(key)] if unknown else []
    found = {name: key for name in unknown if (key := _nearest(name, keys)) and key not in written}
    return {**found, "id": "app"} if "id" in unknown and "app" in keys and "app" not in written else found


def _nearest(name: str, keys: Collection[str]) -> str | None:
    """The key that a name most likely means; None if there is none."""
    if name in KEYS or is_option(name):
        return None
    elsewhere = _ELSEWHERE.get(plain_name(name), "")
    return elsewhere if elsewhere in keys else nearest(name, keys)


def unknown(
    name: str, allowed: Callable[[Key], bool], written: Collection[str], *, in_case: bool = False
) -> str:
    """The message for a key of the mapping `written` that is not allowed there."""
    here = [other for other, key in KEYS.items() if allowed(key)]
    if name == "id" and not in_case and "app" not in written:
        return "the id of the app is written app: {id: …}; the id of a case is in the case"
    if name in KEYS and in_case:
        return f"{name} belongs at the top of the file, for all its cases, not in a case"
    if name in KEYS:
        return f"{name} belongs in a case, not here; put it below cases: - id: …"
    if name in ("workspace", "space"):
        return f"{name} belongs in app: {{{name}: …, id: …}}, or is given by --dust-{name}"
    option = name.removeprefix("dust_").replace("_", "-")
    if is_option(name):
        return f"{name} is no key but an option: --dust-{option}, or ini dust_{option.replace('-', '_')}"
    owner = "a case" if in_case else "a suite"
    return f'unknown key "{name[:60]}"{_hint(name, here)}; {owner} has: {", ".join(here)}'


def is_option(name: str) -> bool:
    """True if an unknown key has the name of one of the plugin's options, and of no key."""
    option = name.removeprefix("dust_").replace("_", "-")
    return any(option == each.name for each in OPTIONS) and plain_name(name) not in KEYS


def _hint(name: str, here: list[str]) -> str:
    """A hint at what an unknown key means: a path, a part of a key's value, or a key."""
    if _PATH.match(name):
        return f" (did you mean expect: {{{name[:60]}: …}}?)"
    first, dot, rest = name.partition(".")
    if dot and first in here and isinstance(KEYS[first].schema.get("properties", {}), Mapping):
        return f" (did you mean {first}: {{{rest[:60]}: …}}?)"
    key = _nearest(name, here)
    return f" (did you mean {key}?)" if key else ""
