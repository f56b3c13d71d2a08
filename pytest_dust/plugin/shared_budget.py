"""One budget for all pytest-xdist workers: the controller holds it, and each worker asks the controller."""

from __future__ import annotations

import secrets
import threading
from multiprocessing.managers import BaseManager

from pytest_dust.run.budget import Budget

Address = tuple[str, bytes]
"""Where the budget can be reached on this machine, and the key to it."""
METHODS = ("take", "note", "refuse")
"""The methods of a budget that workers may call."""


class _Client(BaseManager):
    """Client of the budget that the controller holds."""


_Client.register("budget", exposed=METHODS)


def serve(max_runs: int | None, max_tokens: int | None) -> Address:
    """Serve a budget with these ceilings to other processes of this machine, until this process ends."""
    budget = Budget(max_runs, max_tokens)

    class Server(BaseManager):
        """Server of this budget."""

    Server.register("budget", lambda: budget, exposed=METHODS)
    key = secrets.token_bytes(32)
    server = Server(authkey=key).get_server()
    threading.Thread(target=server.serve_forever, name="pytest-dust budget", daemon=True).start()
    return str(server.address), key


def connect(address: Address) -> Budget:
    """The budget at an address; raises OSError if it cannot be reached, as from another machine."""
    client = _Client(address[0], address[1])
    client.connect()
    budget: Budget = client.budget()  # type: ignore[attr-defined]
    return budget
