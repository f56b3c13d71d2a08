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
from example_suites.dust_server.__main__ import arguments

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


def test_command_line_with_noise() -> None:
    """The options set seed, flips of versions and questions, and drift of the app noisy-triage."""
    options = ["--seed", "7", "--flip", "v1=0.1", "--flip", "v2:Is 1+1=2?=1", "--flip-drift", "0.05"]
    found = arguments([*options, "--port", "0"]).noise
    assert found == dust_server.Noise(7, {"v1": 0.1, "v2:Is 1+1=2?": 1.0}, 0.05)
    assert arguments([]).noise == dust_server.Noise()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--flip", "v3=1"], "'v3' is no version: give v1, v2, v1:QUESTION or v2:QUESTION"),
        (["--flip", "v1"], "argument --flip: give VERSION=PROBABILITY or VERSION:QUESTION=PROBABILITY"),
        (["--flip", "v1=often"], "argument --flip: give VERSION=PROBABILITY"),
        (["--flip-drift", "10"], "the drift is 10.0: give -1 to 1"),
    ],
)
def test_command_line_with_noise_that_is_no_good(
    capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    """A flip or a drift that is none ends the command with what to give."""
    with pytest.raises(SystemExit):
        arguments(options)
    assert words in capsys.readouterr().err
