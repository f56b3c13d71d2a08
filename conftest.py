"""What all of the project's own tests share; only a root conftest may load pytest's `pytester` plugin."""

from collections.abc import Generator

import pytest

pytest_plugins = ["pytester"]


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Give `-n auto` two workers more than processors: for a good part of the time, the tests wait."""
    return (yield) + 2
