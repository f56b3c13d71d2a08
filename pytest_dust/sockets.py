"""Whether something has replaced parts of the module `socket`, to keep tests from the network."""

from __future__ import annotations

import socket


def _parts() -> tuple[object, ...]:
    """The parts of `socket` that libraries replace to keep tests from the network."""
    return socket.socket, socket.socket.connect, socket.create_connection, socket.getaddrinfo


_ORIGINAL = _parts()


def are_replaced() -> bool:
    """Return True if sockets are not those that were there when this module was imported."""
    return any(part is not original for part, original in zip(_parts(), _ORIGINAL, strict=True))
