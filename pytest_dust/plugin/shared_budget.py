"""One budget for all xdist workers: the controller keeps it, and each worker asks it there."""

from __future__ import annotations

import secrets
import threading
from multiprocessing.managers import BaseManager

from pytest_dust.run.budget import Budget

Address = tuple[str, bytes]
"""Where a budget is kept on this machine, and the key to it."""


class _Office(BaseManager):
    """A door to a budget that another process keeps."""


ASKED = ("take", "note", "refuse")
_Office.register("budget", exposed=ASKED)


def keep(max_runs: int | None, max_tokens: int | None) -> Address:
    """Keep a budget with these ceilings for other processes of this machine, as long as this one lives."""
    budget = Budget(max_runs, max_tokens)

    class Kept(BaseManager):
        """The office that keeps this budget."""

    Kept.register("budget", lambda: budget, exposed=ASKED)
    key = secrets.token_bytes(32)
    server = Kept(authkey=key).get_server()
    threading.Thread(target=server.serve_forever, name="pytest-dust budget", daemon=True).start()
    return str(server.address), key


def kept(address: Address) -> Budget:
    """A budget that is kept elsewhere; raises OSError from another machine, where nobody keeps it."""
    office = _Office(address[0], address[1])
    office.connect()
    budget: Budget = office.budget()  # type: ignore[attr-defined]
    return budget
