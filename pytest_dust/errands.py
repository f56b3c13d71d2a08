"""What pytest does instead of running tests: print the schema, list apps, write a first suite."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pytest_dust.errors import DustError, ServiceError
from pytest_dust.masking import mask
from pytest_dust.missing import refuse_missing

if TYPE_CHECKING:
    from pytest_dust.catalog import Catalog
    from pytest_dust.settings import Settings


def run(name: str, config: pytest.Config, settings: Settings) -> None:
    """Run the errand of this name; raises UsageError with what went wrong."""
    errands = {"schema": _schema, "apps": _apps, "new": _new}
    try:
        for line in errands[name](config, settings):
            print(line)  # noqa: T201  # what was asked for
    except DustError as error:
        masked = mask(os.environ, settings.secrets, settings.redact)
        raise pytest.UsageError(masked.text(str(error))) from None


def _schema(_config: pytest.Config, _settings: Settings) -> Iterator[str]:
    """The JSON Schema of the suite file."""
    from pytest_dust.checks.matchers import MATCHERS
    from pytest_dust.schema import text

    yield text(MATCHERS).rstrip("\n")


def _apps(_config: pytest.Config, settings: Settings) -> Iterator[str]:
    """The space's apps."""
    from pytest_dust.report.apps import table

    with _catalog(settings) as catalog:
        apps = catalog.apps()
    yield from table(apps)


def _new(config: pytest.Config, settings: Settings) -> Iterator[str]:
    """A first suite for an app, written to a file; one that exists is left alone."""
    from pytest_dust.report.apps import file_name, first_suite
    from pytest_dust.report.values import as_typed

    app_id, *files = config.getoption("dust_new")
    if len(files) > 1:
        raise ServiceError(f"--dust-new takes APP_ID and at most one FILE, not {' '.join(files)}")
    with _catalog(settings) as catalog:
        app = catalog.app(app_id)
    folder = config.invocation_params.dir
    path = folder / (files[0] if files else file_name(app))
    if not path.name.endswith(".dust.yaml"):
        raise ServiceError(f"{path.name} would be no suite; end its name in .dust.yaml")
    try:
        if path.exists():
            raise ServiceError(f"{path.name} exists; name another FILE, or remove it")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write("\n".join(first_suite(app)) + "\n")
    except OSError as error:
        raise ServiceError(f"cannot write {path.name}: {error.strerror}") from None
    shown = as_typed(path, folder)
    yield f"wrote {shown}; fill in its expect, then record it: pytest {shlex.quote(shown)} --dust-mode=record"


@contextmanager
def _catalog(settings: Settings) -> Iterator[Catalog]:
    """The space's apps, and the network that is open meanwhile."""
    from pytest_dust.catalog import Catalog
    from pytest_dust.client import Network

    refuse_missing(settings.workspace, settings.space, os.environ, case=False)
    network = Network(settings.base_url, os.environ)
    masked = mask(os.environ, settings.secrets, settings.redact)
    try:
        yield Catalog(network, settings.workspace or "", settings.space or "", settings.timeout, masked)
    finally:
        network.close()
