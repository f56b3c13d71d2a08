"""What the cases of a session are run with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from pytest_dust.cassettes.read_ahead import ReadAhead
from pytest_dust.dust.network import Network
from pytest_dust.dust.transport import Update
from pytest_dust.dust.wire import Block
from pytest_dust.model import App, Run, RunRequest, Specification
from pytest_dust.report.diff_files import Differences
from pytest_dust.run.answer import MadeRun
from pytest_dust.run.budget import Budget
from pytest_dust.run.pending import PendingAnswers
from pytest_dust.settings import Settings
from pytest_dust.worker_pool import WorkerPool


class RunContext(Struct, frozen=True):
    """What the cases of a session share when they run."""

    settings: Settings
    network: Network
    pool: WorkerPool[MadeRun, Update]
    budget: Budget
    read_ahead: ReadAhead
    pending: PendingAnswers
    specification: Callable[[RunRequest, Run], Specification | None]
    """Returns the app's saved blocks, and whether they are those that ran; None if that is unknown."""
    saved_blocks: Callable[[App], Sequence[Block]]
    """Returns the types and names of an app's saved blocks; none if the service does not say."""
    differences: Differences | None = None
    """The folder of --dust-diff-dir."""
    blocked: str = ""
    """Why the case may not use the network; empty if it may."""
