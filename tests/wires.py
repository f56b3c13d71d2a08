"""What may stand between a client and the local Dust: proxies, and a front that speaks TLS."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HOSTS = ("localhost", "dust.tt", "eu.dust.tt", "service.test")
"""The names that the certificate is for, and the address 127.0.0.1."""


def head_of(connection: socket.socket) -> bytes:
    """Give a request up to the end of its headers, and what came with them."""
    head = b""
    while b"\r\n\r\n" not in head:
        more = connection.recv(65536)
        if not more:
            return head
        head += more
    return head


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve each connection in a thread of its own; gives the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def each(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            serve(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=each, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def pipe(one: socket.socket, other: socket.socket, seen: list[bytes] | None = None) -> None:
    """Carry bytes both ways until one side ends."""

    def carry(source: socket.socket, target: socket.socket, noted: list[bytes] | None) -> None:
        with suppress(OSError):
            while part := source.recv(65536):
                if noted is not None:
                    noted.append(part)
                target.sendall(part)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    back = threading.Thread(target=carry, args=(other, one, None), daemon=True)
    back.start()
    carry(one, other, seen)
    back.join(10)


@dataclass
class Proxy:
    """An HTTP proxy that carries everything to one port of this machine, and notes what it sees."""

    port: int = 0
    asked: list[str] = field(default_factory=list)
    """The first line of each request."""
    seen: list[bytes] = field(default_factory=list)
    """All bytes that came from clients."""

    @property
    def address(self) -> str:
        """The proxy's host and port."""
        return f"127.0.0.1:{self.port}"


@contextmanager
def proxying(to: int, refusal: bytes = b"", *, silent: bool = False) -> Iterator[Proxy]:
    """Run a proxy, which answers each request with `refusal` alone, if that is given or it is `silent`."""
    proxy = Proxy()

    def serve(connection: socket.socket) -> None:
        head = head_of(connection)
        proxy.seen.append(head)
        proxy.asked.append(head.split(b"\r\n")[0].decode())
        if refusal or silent:
            connection.sendall(refusal)
            return
        with socket.create_connection(("127.0.0.1", to)) as target:
            if head.startswith(b"CONNECT "):
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                target.sendall(head)
            pipe(connection, target, proxy.seen)

    with listening(serve) as proxy.port:
        yield proxy


@contextmanager
def tls(to: int, certificate: Path) -> Iterator[int]:
    """Speak TLS before a port of this machine; gives the port where."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve(connection: socket.socket) -> None:
        with (
            context.wrap_socket(connection, server_side=True) as plain,
            socket.create_connection(("127.0.0.1", to)) as target,
        ):
            pipe(plain, target)

    with listening(serve) as port:
        yield port


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that signs itself, with its key, in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the command openssl")
    path = tmp_path_factory.mktemp("certificate") / "service.pem"
    names = ",".join([*(f"DNS:{host}" for host in HOSTS), "IP:127.0.0.1"])
    made = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made += ["-days", "2", "-subj", "/CN=service.test", "-addext", f"subjectAltName={names}"]
    key = path.with_suffix(".key")
    subprocess.run([*made, "-keyout", key, "-out", path], check=True, capture_output=True, timeout=60)
    path.write_bytes(path.read_bytes() + key.read_bytes())
    return path
