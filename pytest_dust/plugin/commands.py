"""Commands that run instead of tests: print the schema, list apps, write a first suite."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pytest_dust import json_values
from pytest_dust.constants import SUITE_SUFFIX
from pytest_dust.dust.missing import refuse_missing
from pytest_dust.errors import DustError, ServiceError, SettingsError, did_you_mean
from pytest_dust.masking import mask
from pytest_dust.settings import REPORTS
from pytest_dust.wording import plural

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_dust.dust.catalog import Catalog, Listed
    from pytest_dust.report.record import SessionRecord
    from pytest_dust.settings import Settings

SCHEMAS = ("suite", "report")
"""What there is a JSON Schema of."""


def run(name: str, config: pytest.Config, settings: Settings) -> None:
    """Run the command of this name; raises UsageError with what went wrong."""
    commands = {"schema": _schema, "apps": _apps, "merge": _merge, "new": _new}
    try:
        _print(commands[name](config, settings))
    except DustError as error:
        masked = mask(os.environ, settings.secrets, settings.redact)
        raise pytest.UsageError(masked.text(str(error))) from None


def _print(lines: Iterable[str]) -> None:
    """Print the lines, with what stdout cannot encode escaped; ends when the reader of a pipe is gone."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        for line in lines:
            print(line.encode(encoding, "backslashreplace").decode(encoding))  # noqa: T201
        sys.stdout.flush()
    except BrokenPipeError:  # as with `| head -3`; Python would report it again when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


LEAST_COLUMNS = 20
"""Minimum number of columns of a table."""


def _columns() -> int | None:
    """The columns of stdout: those of the terminal or of COLUMNS; None for a pipe."""
    columns = shutil.get_terminal_size((0, 0)).columns
    return max(columns, LEAST_COLUMNS) if columns else None


def _schema(config: pytest.Config, _settings: Settings) -> Iterator[str]:
    """The JSON Schema of the suite file, with the project's own matchers, or of the report in JSON."""
    what = config.getoption("dust_schema")
    if what == "report":
        from pytest_dust.report.record_json import schema

        yield json.dumps(schema(), indent=2)
        return
    if what != "suite":
        hint = did_you_mean(what, SCHEMAS)
        raise ServiceError(f"--dust-schema={what}: there are: {', '.join(SCHEMAS)}{hint}")
    from pytest_dust.plugin.session import matchers
    from pytest_dust.suite.json_schema import text

    yield text(matchers(config.hook)).rstrip("\n")


def _merge(config: pytest.Config, settings: Settings) -> Iterator[str]:
    """Put the records of several sessions together, and write the reports."""
    from pytest_dust.report.merge import merged
    from pytest_dust.report.write import refuse_unwritable, write

    if not settings.report:
        raise SettingsError(
            "--dust-merge writes the reports that you name: add --dust-report=FILE "
            f"({', '.join(REPORTS)}); it may be repeated"
        )
    folder = config.invocation_params.dir
    for shown in settings.report:
        refuse_unwritable(folder / shown, shown)
    record = merged([_read(folder, name) for name in config.getoption("dust_merge")])
    for shown in settings.report:
        try:
            write(record, folder / shown)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise SettingsError(f"cannot write the report {shown}: {why}") from None
        yield f"wrote the report {shown}: {plural(len(record.once), 'case')}"


def _read(folder: Path, name: str) -> SessionRecord:
    """The record in a JSON report; raises SettingsError if there is none."""
    from pytest_dust.report.record_json import read_session

    try:
        return read_session(json_values.decode((folder / name).read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise SettingsError(f"--dust-merge: cannot read {name}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(
            f"--dust-merge: {name} is no JSON report of pytest-dust: {error}; "
            "write one with --dust-report=FILE.json"
        ) from None


def _apps(_config: pytest.Config, settings: Settings) -> Iterator[str]:
    """The space's apps."""
    from pytest_dust.report.apps import table

    with _catalog(settings) as catalog:
        apps = catalog.apps()
    yield from table(apps, _columns())


def _new(config: pytest.Config, settings: Settings) -> Iterator[str]:
    """Write a first suite for an app; an existing file is left alone."""
    from pytest_dust.report.apps import file_name
    from pytest_dust.wording import as_typed, shell_word

    app_id, *files = config.getoption("dust_new")
    if len(files) > 1:
        raise ServiceError(f"--dust-new takes APP_ID and at most one FILE, not {' '.join(files)}")
    with _catalog(settings) as catalog:
        app = catalog.app(app_id)
    folder = config.invocation_params.dir
    path = folder / (files[0] if files else file_name(app))
    if not path.name.endswith(SUITE_SUFFIX):
        raise ServiceError(f"{path.name} would be no suite; end its name in {SUITE_SUFFIX}")
    text = _suite(app, folder)
    try:
        if path.exists():
            raise ServiceError(f"{path.name} exists; name another FILE, or remove it")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ServiceError(f"cannot write {path.name}: {error.strerror}") from None
    shown = as_typed(path, folder)
    yield f"wrote {shown}; fill in its expect, then record it: pytest {shell_word(shown)} --dust-mode=record"


def _suite(app: Listed, folder: Path) -> str:
    """The text of a first suite that can be collected; raises ServiceError if there can be none."""
    from pytest_dust.report.apps import first_suite

    for left_out in ((), ("input",), ("config",), ("input", "config")):
        text = "\n".join(first_suite(app, left_out)) + "\n"
        if _is_read_back(text, app, left_out, folder):
            return text
    raise ServiceError(f"no suite can name the app {app.id!r}, as no address can")


def _is_read_back(text: str, app: Listed, left_out: Collection[str], folder: Path) -> bool:
    """Whether the text is a suite with the app's input and config unchanged."""
    from pytest_dust.checks.binding import Here
    from pytest_dust.checks.matchers import MATCHERS
    from pytest_dust.suite import cases, references

    try:
        source = text.encode()
        (case,) = cases.load(source, "a", references.environment({}, frozenset()), Here(folder, MATCHERS))
    except (DustError, UnicodeEncodeError, RecursionError):
        return False
    wanted = {"input": [app.input], "config": app.config}
    found = {"input": case.inputs, "config": case.config}
    same = (json.dumps(found[name]) == json.dumps(wanted[name]) for name in wanted if name not in left_out)
    return case.app.id == app.id and all(same)


@contextmanager
def _catalog(settings: Settings) -> Iterator[Catalog]:
    """The catalog of the space's apps, with an open network."""
    from pytest_dust.dust.catalog import Catalog
    from pytest_dust.dust.network import Network

    refuse_missing(settings.workspace, settings.space, os.environ, case=False)
    network = Network(settings.base_url, os.environ, settings.barred)
    masked = mask(os.environ, settings.secrets, settings.redact)
    try:
        yield Catalog(network, settings.workspace or "", settings.space or "", settings.timeout, masked)
    finally:
        network.close()
