"""The tokens that a run used, also where a filter hides some of its blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_dust.constants import LATEST
from pytest_dust.dust import run_view, wire
from pytest_dust.dust.service_cache import MODEL_TYPES
from pytest_dust.model import Flavor, Tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_dust.dust.wire import Block
    from pytest_dust.model import Reply, Run


def of_run(reply: Reply, run: Run, block_filter: Sequence[str] | None, known: Sequence[Block]) -> Tokens:
    """The tokens of a run, which is what the filter shows of the reply; `known` are blocks of the app.

    The service itself filters a blocking answer. What its other blocks used is then unknown, unless it is
    known that none of them asks a model.
    """
    if block_filter is None:
        return run_view.tokens([run])
    if reply.flavor is not Flavor.BLOCKING:
        return run_view.tokens([wire.run(reply, None, LATEST)])
    shown = run_view.tokens([run])
    hidden = [kind for kind, name in known if name not in block_filter]
    idle = bool(hidden) and MODEL_TYPES.isdisjoint(hidden)
    return shown if idle else Tokens(shown.told, 1)
