"""An object for all pytest-xdist workers: the controller holds it, and each worker calls its methods."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from functools import cache
from multiprocessing.managers import BaseManager
from typing import Any

Address = tuple[str, bytes]
"""Where the object can be reached on this machine, and the key to it."""


def serve(shared: object, methods: Sequence[str]) -> Address:
    """Serve an object to other processes of this machine, until this process ends."""

    class Server(BaseManager):
        """Server of this object."""

    Server.register("shared", lambda: shared, exposed=methods)
    key = secrets.token_bytes(32)
    server = Server(authkey=key).get_server()
    threading.Thread(target=server.serve_forever, name="pytest-dust shared", daemon=True).start()
    return str(server.address), key


def connect(address: Address, methods: Sequence[str]) -> Any:
    """The object at an address; raises OSError if it cannot be reached, as from another machine."""
    client = _client(tuple(methods))(address[0], address[1])
    client.connect()
    return client.shared()  # type: ignore[attr-defined]


@cache
def _client(methods: tuple[str, ...]) -> type[BaseManager]:
    """The class of clients; kept, as collecting it could close the connection of another thread."""

    class Client(BaseManager):
        """Client of the object that the controller holds."""

    Client.register("shared", exposed=methods)
    return Client
