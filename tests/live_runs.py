"""Runs that are asked for at a local server, by each flavor."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import suppress

import pytest

from conftest import BARE, OTHERS_PLUGINS, SUPPORT, dust_server
from pytest_dust.cassettes import binding
from pytest_dust.cassettes import format as cassette
from pytest_dust.dust import run_view as views
from pytest_dust.dust import wire
from pytest_dust.dust.network import LiveRun
from pytest_dust.masking import Mask
from pytest_dust.model import App, Flavor, RunRequest
from pytest_dust.worker_pool import WorkerPool

APPS = {app.name: app for app in dust_server.APPS.values()}
INPUTS = {
    "support-answer": [
        [{"question": "Where is my refund?"}],
        [{"question": "Track my parcel"}, {"question": "Hello"}],
        [{}],
    ],
    "summarise": [
        [{"text": "The parcel left the warehouse on Monday. It arrives on Friday."}],
        [{"text": "One. Two. Three"}, {"text": "Just the one"}, {"text": "A b. C d."}],
        [{"text": "Fine."}, {"text": 7}],
    ],
    "halve-until-small": [
        [{"number": 100, "limit": 10}],
        [{"number": 100, "limit": 10}, {"number": 3, "limit": 10}, {"number": 9000, "limit": 1}],
        [{"number": 3, "limit": 10}],
        [{"number": 40, "limit": 10}, {"number": "x", "limit": 10}],
    ],
    "quote-order": [
        [{"order": "3 apples"}],
        [{"order": "2 pears"}, {"order": "9 plums"}],
        [{"order": "apples"}],
        [{"order": "2 pears"}, {"order": "2 cars"}],
    ],
}


def asking(server, app=SUPPORT, inputs=None, names=None, hash_=None):
    """Give the request for a run of one of the server's apps."""
    inputs = [{"question": "Where is my refund?"}] if inputs is None else inputs
    place = App(server.workspace, server.space, app)
    config = dict(dust_server.APPS[app].config)
    filtered = None if names is None else tuple(names)
    return RunRequest(place, hash_ or server.hash(app), config, inputs, filtered)


def seen(reply, request):
    """Give what `expect` sees of a run, apart from what belongs to the one run or to streams alone."""
    run = wire.run(reply, request.block_filter, request.specification_hash)
    document = json.loads(json.dumps(views.view(run, plural=len(request.inputs) != 1)))
    for name in ("duration", "run_id"):
        del document[name]
    for block in document["blocks"].values():
        block.pop("duration", None)
    return document


def run(network, request, flavor, timeout=10.0):
    """Run an app by one road."""
    launcher = WorkerPool(1)
    work = network.task(LiveRun(request, Flavor(flavor), timeout, Mask()), launcher.pause)
    return launcher.wait(launcher.submit([work]))[0]


def kept(request, reply):
    """Give a reply as its cassette gives it back."""
    return cassette.loads(cassette.dumps(binding.bound(request), [reply], "2026-01-01T00:00:00Z")).replies[0]


def on_terminal(example, *args, columns=100, status=0):
    """Give all that pytest writes to a terminal of so many columns, byte for byte."""
    fcntl, pty, termios = (pytest.importorskip(name) for name in ("fcntl", "pty", "termios"))
    example.write()
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, bytes([30, 0, columns, 0, 0, 0, 0, 0]))
    environ = {**BARE, "TERM": "xterm", "PYTEST_ADDOPTS": OTHERS_PLUGINS, **example.environ}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args]
    process = subprocess.Popen(
        command, cwd=example.root, env=environ, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    told = b""
    with suppress(OSError):  # how a terminal says that nobody writes to it any more
        while piece := os.read(ours, 65536):
            told += piece
    os.close(ours)
    assert process.wait(20) == status
    return re.sub(r"\x1b\[[\d;]*[mK]", "", told.decode())
