"""A server on loopback that answers runs, for the contenders that ask one; and a handle on its process.

It has a process of its own, so that it neither shares the harness's interpreter nor weighs on its memory.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import answers


@contextmanager
def serving(size: int, delay: float = 0.0, change: str = "") -> Iterator[str]:
    """The address of a server whose answers have `size` bytes, come after `delay` seconds, or changed."""
    options = ["--size", str(size), "--delay", str(delay), "--change", change]
    command = [sys.executable, str(Path(__file__)), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def asked(url: str) -> int:
    """How many runs the server at this address was asked for."""
    with urlopen(url) as answer:  # noqa: S310  # a URL of our own
        return int(json.load(answer)["asked"])


class Server(ThreadingHTTPServer):
    """A thread per connection, and none refused when many come at once."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, size: int, delay: float, change: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.delay = delay
        self.asked: list[str] = []
        self.answer = cache(lambda asked: answers.encoded(asked, size, change))

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that hang up; whoever got no answer tells of it."""


class Handler(BaseHTTPRequestHandler):
    """Answers every POST with the run that its question calls for, and every GET with no apps."""

    server: Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet
    disable_nagle_algorithm = True

    def do_POST(self) -> None:  # http.server's own name
        """Answer a run, after the delay."""
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        question = request["inputs"][0]["question"]
        body = self.server.answer(question)
        self.server.asked.append(question)
        time.sleep(self.server.delay)
        self._send(body)

    def do_GET(self) -> None:  # http.server's own name
        """List the space's apps: there are none to be seen with this key; and tell what was asked so far."""
        self._send(json.dumps({"apps": [], "asked": len(self.server.asked)}).encode())

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve until terminated; the first line that is printed is the address."""
    parser = argparse.ArgumentParser(description=serving.__doc__)
    parser.add_argument("--size", type=int, default=2000)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--change", default="")
    given = parser.parse_args()
    server = Server(given.size, given.delay, given.change)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
