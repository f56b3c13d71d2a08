"""The command starts the server, prints what to export, and ends at Ctrl-C."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from dust_api import SUPPORT, serving

from example_suites import dust_server

ROOT = Path(__file__).parents[2]
FOLDER = [sys.executable, str(ROOT / "example_suites" / "dust_server")]
MODULE = [sys.executable, "-m", "example_suites.dust_server"]


@pytest.mark.parametrize(("port", "why"), [(None, "in use"), (70_000, "ports go from 0 to 65535")])
def test_command_line_with_a_port_that_is_no_good(port: int | None, why: str) -> None:
    """If it cannot listen on a port, the command says why in one line, and what to do."""
    with serving() as api:
        done = subprocess.run(
            [*FOLDER, "--port", str(port or api.server.port)],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert done.returncode == 1
    assert re.fullmatch(
        rf"dust_server: cannot listen on port \d+: .*{why}; give another --port.*\n", done.stderr
    )


@pytest.mark.parametrize("start", [FOLDER, MODULE], ids=["folder", "module"])
def test_command_line(start: list[str]) -> None:
    """The command prints exports and hashes, serves, and ends quietly at Ctrl-C."""
    command = [*start, "--port", "0", "--edited", SUPPORT, "--drift"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        exports = process.stdout.readline().split()
        names = dict(part.split("=", 1) for part in exports[1:])
        assert exports[0] == "export"
        assert names["DUST_API_KEY"] == "sk-example-key"
        url = f"{names['DUST_BASE_URL']}/api/v1/w/w_example/spaces/vlt_example/apps"
        headers = {"Authorization": "Bearer sk-example-key"}
        answer = httpx.get(url, headers=headers, trust_env=False)
        assert "shipping: refund" in answer.json()["apps"][0]["savedSpecification"]
        process.send_signal(signal.SIGINT)
        out, err = process.stdout.read(), process.stderr.read()
    assert dust_server.DustServer().hash(SUPPORT) in out
    assert (process.returncode, err) == (0, "")
