"""The HTTP server: reads requests, asks a function for the replies, and sends them."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from example_suites.dust_server.blocks import Json

MAX_BODY = 4 * 1024 * 1024
"""Maximum size of a request body that Dust reads, in bytes."""


@dataclass(frozen=True)
class Request:
    """A request; the body is decoded if it is JSON, header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    size: int = 0  # of the body, in bytes


@dataclass(frozen=True)
class Reply:
    """A reply; an event stream is sent chunk by chunk, any other body in one piece."""

    chunks: Iterable[bytes]
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def streamed(self) -> bool:
        """True if the chunks are sent as they come."""
        return self.content_type == "text/event-stream"

    def whole(self) -> bytes:
        """Return the whole body."""
        return b"".join(self.chunks)


def json_reply(document: Json, status: int = 200) -> Reply:
    """Return a reply with a JSON document."""
    return Reply([json.dumps(document).encode()], status)


class Handler(BaseHTTPRequestHandler):
    """Handles the requests of one connection."""

    protocol_version = "HTTP/1.1"
    server_version = "Dust"
    disable_nagle_algorithm = True
    wbufsize = -1  # buffered: a body leaves together with its head, a stream at each flush
    server: Listener

    def _handle(self) -> None:
        length = self.headers.get("Content-Length", "0")
        size = int(length) if length.isdecimal() else 0
        self.close_connection |= "Transfer-Encoding" in self.headers  # such a body stays unread
        body = _decoded(self._read(size))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.send(self.server.respond(Request(self.command, self.path, headers, body, size)))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _handle

    def _read(self, size: int) -> bytes:
        """Read the body to its end; what is beyond the largest size is not kept."""
        kept = b""
        while size > 0 and (piece := self.rfile.read(min(size, 65536))):
            size -= len(piece)
            kept += piece if len(kept) <= MAX_BODY else b""
        return kept

    def send(self, reply: Reply) -> None:
        """Send a reply."""
        body = b"" if reply.streamed else reply.whole()
        self.send_head(reply, len(body))
        if reply.streamed:
            self.send_stream(reply.chunks)
        else:
            self.send_body(body)

    def send_head(self, reply: Reply, length: int) -> None:
        """Send the status line and the headers; `length` is the number of bytes in a body."""
        usual = {"Content-Type": reply.content_type, "Content-Length": str(length)}
        if reply.streamed:
            del usual["Content-Length"]
            usual |= {"Cache-Control": "no-cache", "Transfer-Encoding": "chunked"}
        self.send_response(reply.status)
        for name, value in {**usual, **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def send_body(self, body: bytes) -> None:
        """Send a body in one piece."""
        self.wfile.write(body)

    def send_stream(self, chunks: Iterable[bytes]) -> None:
        """Send each chunk as it comes, and end the stream."""
        for chunk in filter(None, chunks):  # an empty chunk would end it
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            self.wfile.flush()
        self.end_stream()

    def end_stream(self) -> None:
        """Send the empty chunk that ends a stream."""
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def _decoded(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except (ValueError, RecursionError):
        return raw.decode(errors="replace")


class Listener(ThreadingHTTPServer):
    """A port of 127.0.0.1 and its open connections, each handled in a thread."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, respond: Callable[[Request], Reply], handler: type[Handler]) -> None:
        """Open the port; port 0 chooses a free one."""
        self.respond = respond
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), handler)

    def start(self) -> None:
        """Handle requests in a thread."""
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Close the port and break off all open connections."""
        self.shutdown()
        self.server_close()
        self.hang_up()
        self.closing.set()  # last, so that a stream breaks off before its run goes on

    def hang_up(self) -> None:
        """Break off all open connections."""
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it ended just now

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember a new connection."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that ends."""
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report an error, unless the connection broke off."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)
