"""The tokens that a run used, with those of blocks that a filter leaves out."""

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
    """Return the tokens of a run; `known` are blocks of its app.

    The service itself filters a blocking answer. The tokens of the blocks that it leaves out are unknown,
    unless these are known not to call a model.
    """
    if block_filter is None:
        return run_view.tokens([run])
    if reply.flavor is not Flavor.BLOCKING:
        return run_view.tokens([wire.run(reply, None, LATEST)])
    shown = run_view.tokens([run])
    hidden_types = [kind for kind, name in known if name not in block_filter]
    without_model = bool(hidden_types) and MODEL_TYPES.isdisjoint(hidden_types)
    return shown if without_model else Tokens(shown.known, 1)
