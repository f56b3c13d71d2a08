"""A pytest process that a test can watch and interrupt."""

from __future__ import annotations

import subprocess
import sys

from conftest import (
    BARE,
    OTHERS_PLUGINS,
)


def started(example, *args):
    """Start pytest in a project without waiting for it."""
    example.write()
    code = (
        "import signal, sys, pytest\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.exit(pytest.main())\n"
    )
    environment = {**BARE, "PYTEST_ADDOPTS": OTHERS_PLUGINS, **example.environ}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    command = [sys.executable, "-c", code, *args]
    return subprocess.Popen(command, cwd=example.root, env=environment, **pipes)
