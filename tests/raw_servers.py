"""Servers that answer with bytes of a test's own, and what a run says of them."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager

import pytest
from live_runs import asking, run, seen

from pytest_dust.errors import ServiceError
from pytest_dust.model import Flavor

each_flavor = pytest.mark.parametrize("flavor", Flavor)


def refused(network, server, flavor="blocking", timeout=5.0):
    """Give the words with which a run is refused."""
    with pytest.raises(ServiceError) as caught:
        seen(run(network, request := asking(server), flavor, timeout), request)
    return str(caught.value)


def free_port():
    """Give a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def raw(*answers):
    """A server that gives each connection the next of some answers, byte for byte; gives its address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        for answer in answers:
            connection, _ = listener.accept()
            with connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += connection.recv(65536)
                if callable(answer):
                    answer(connection)
                else:
                    connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join(10)
        listener.close()


def endless(head, piece):
    """Give an answer that never ends, until the other side hangs up."""

    def send(connection):
        connection.sendall(head)
        try:
            for _ in range(100_000):
                connection.sendall(piece)
        except OSError:
            return
        raise AssertionError

    return send


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nConnection: close\r\n"
