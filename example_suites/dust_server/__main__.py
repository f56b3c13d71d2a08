"""The command line: `python example_suites/dust_server` or `python -m example_suites.dust_server`."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # started as a folder: the modules import each other by their full names
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from example_suites.dust_server.apps import APPS
from example_suites.dust_server.noise import Noise
from example_suites.dust_server.server import DustServer


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until Ctrl-C."""
    options = arguments(argv)
    # Set explicitly, as a script starts its background processes with the signal of Ctrl-C ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    server = _started(options.port)
    server.noise = options.noise
    try:
        for app_id in options.edited:
            server.save_edited(app_id)
        if options.drift:
            server.drift()
        sys.stdout.write(banner(server))
        sys.stdout.flush()
        threading.Event().wait()
    except KeyboardInterrupt:
        return
    finally:
        server.stop()


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line; `noise` is a Noise."""
    parser = argparse.ArgumentParser(
        prog="dust_server", description="Serve a few small Dust apps on 127.0.0.1."
    )
    parser.add_argument("--port", type=int, default=8808)
    parser.add_argument(
        "--edited",
        metavar="APP_ID",
        nargs="+",
        choices=APPS,
        default=[],
        help="apps whose edited version is saved",
    )
    parser.add_argument("--drift", action="store_true", help="let a newer model answer")
    noise = parser.add_argument_group("the app noisy-triage, which answers differently every time")
    noise.add_argument(
        "--seed", type=int, default=0, help="seed of its random choices; give each session another one"
    )
    noise.add_argument(
        "--flip",
        metavar="VERSION[:QUESTION]=PROBABILITY",
        action="append",
        default=[],
        type=_flip,
        help="how often a version gives a wrong label, to all questions or to one: v2=0.1, "
        "'v2:Where is my refund?=1'; may be repeated",
    )
    noise.add_argument(
        "--flip-drift",
        metavar="PROBABILITY",
        type=float,
        default=0.0,
        help="is added to the flips of both versions, as when the provider changes its model",
    )
    options = parser.parse_args(argv)
    try:
        options.noise = Noise(options.seed, dict(options.flip), options.flip_drift)
    except ValueError as error:
        parser.error(str(error))
    return options


def _flip(text: str) -> tuple[str, float]:
    """Return the name and the probability of `NAME=PROBABILITY`; raise ArgumentTypeError if it is none."""
    name, _, probability = text.rpartition("=")
    try:
        return name, float(probability)
    except ValueError:
        message = "give VERSION=PROBABILITY or VERSION:QUESTION=PROBABILITY"
        raise argparse.ArgumentTypeError(message) from None


def _started(port: int) -> DustServer:
    """Return a server that listens on the port; exit with a message if it cannot."""
    try:
        return DustServer(port).start()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or "ports go from 0 to 65535"
        sys.exit(
            f"dust_server: cannot listen on port {port}: {why}; give another --port, or 0 for any free one"
        )


def banner(server: DustServer) -> str:
    """Return the line to paste into a shell, and the apps with their hashes."""
    exports = (
        f"export DUST_BASE_URL={server.base_url} DUST_API_KEY={server.api_key} "
        f"DUST_WORKSPACE_ID={server.workspace} DUST_SPACE_ID={server.space}"
    )
    apps = [
        f"# {app.id}  {app.name}\n"
        f"#   original {server.hash(app.id)}\n"
        f"#   edited   {server.hash(app.id, 'v2')}"
        for app in APPS.values()
    ]
    return "\n".join([exports, *apps, ""])


if __name__ == "__main__":
    main()
